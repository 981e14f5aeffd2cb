/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h. */
#include "vtx/executor.h"
#include "base/gpr.h"
#include "base/log.h"
#include "cpu/system.h"
#include "mm/nested.h"
#include "mm/watch.h"
#include "vtx/bits.h"
#include "vtx/event.h"
#include "vtx/insn.h"
#include "vtx/intercept.h"
#include "x86/features.h"
#include "x86/model.h"
#include "x86/msrs.h"
#include "x86/paging.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

/* ---- what is offered ---- */

/* Controls and capabilities of all processors that are not implemented here. */
static const uint8_t controls_without[] = {
	VMX_PROC_TERTIARY,
	VMX_PROC2_ENCLS,
	VMX_PROC2_CONCEAL_PT,
	VMX_PROC2_XSAVES,
	VMX_PROC2_PASID,
	VMX_PROC2_SUB_PAGE_WRITE,
	VMX_PROC2_PT_GUEST_PHYSICAL,
	VMX_PROC2_USER_WAIT,
	VMX_PROC2_PCONFIG,
	VMX_PROC2_ENCLV,
	VMX_PROC2_BUS_LOCK,
	VMX_PROC2_INSTRUCTION_TIMEOUT,
	VMX_PROC3_LOADIWKEY,
	VMX_PROC3_HLAT,
	VMX_PROC3_EPT_PAGING_WRITE,
	VMX_PROC3_GUEST_PAGING_VERIFICATION,
	VMX_PROC3_IPI_VIRTUALIZATION,
	VMX_PROC3_MSR_LISTS,
	VMX_PROC3_SPEC_CTRL,
	VMX_EXIT_CLEAR_BNDCFGS,
	VMX_EXIT_CONCEAL_PT,
	VMX_EXIT_CLEAR_RTIT_CTL,
	VMX_EXIT_CLEAR_LBR_CTL,
	VMX_EXIT_CLEAR_UINV,
	VMX_EXIT_LOAD_CET,
	VMX_EXIT_LOAD_PKRS,
	VMX_EXIT_SECONDARY,
	VMX_EXIT2_BUSY_SHADOW_STACK,
	VMX_ENTRY_TO_SMM,
	VMX_ENTRY_END_DUAL_MONITOR,
	VMX_ENTRY_LOAD_BNDCFGS,
	VMX_ENTRY_CONCEAL_PT,
	VMX_ENTRY_LOAD_RTIT_CTL,
	VMX_ENTRY_LOAD_UINV,
	VMX_ENTRY_LOAD_CET,
	VMX_ENTRY_LOAD_LBR_CTL,
	VMX_ENTRY_LOAD_PKRS,
};
static const uint8_t capabilities_without[] = {
	VMX_CAP_DUAL_MONITOR, VMX_CAP_SMBASE_IN_SMM,	  VMX_CAP_SMM_UNBLOCK,
	VMX_CAP_PT_IN_VMX,    VMX_CAP_EPT_VIOLATION_INFO, VMX_CAP_EPT_SHADOW_STACK,
};

/* ---- switching sides ---- */

/* What both sides begin with; the host's has nothing more. */
static void enter_plain(struct vmx_executor *e, bool guest)
{
	struct virt *v = &e->virt;
	struct vcpu *cpu = e->v;

	v->guest = guest;
	v->changed = true;
	v->points = v->tsc_offset = 0;
	v->iret_keeps_nmi = v->unblocked = v->window = v->step = v->stepped = v->ask = false;
	v->shadow = 0;
	cpu->nonroot = guest;
	cpu->any_intr = cpu->any_nmi = cpu->due = cpu->deaf = false;
}

static void enter_side(struct vmx_executor *e, bool guest)
{
	const struct vmx *x = &e->x;

	enter_plain(e, guest);
	if (!guest)
		return;
	e->virt.points = vmx_points(e);
	e->virt.tsc_offset = ON(PROC_TSC_OFFSETTING) ? F(TSC_OFFSET) : 0;
	e->v->any_intr = vmx_intr_exits(x);
	if (ON(PIN_NMI)) {
		e->v->any_nmi = ON(PIN_VIRTUAL_NMIS);
		e->virt.iret_keeps_nmi = !ON(PIN_VIRTUAL_NMIS);
	}
	e->v->deaf = e->v->cpu.halted && e->waits != VMX_HALTED;
	e->virt.window = ON(PROC_INTERRUPT_WINDOW) || (ON(PROC2_VIRTUAL_INTERRUPTS) && vmx_apic_pending(x));
	e->virt.step = ON(PROC_MONITOR_TRAP_FLAG) || x->steer.step;
	e->virt.ask =
	    e->trap.due || x->s.pending_debug || e->virt.window || e->virt.step || ON(PROC_NMI_WINDOW);
}

/* The processor is in the guest. False: it has shut down. */
static bool entered(struct vmx_executor *e)
{
	const struct vmx *x = &e->x;
	struct vmx_event event;
	uint64_t rip;
	bool inject = vmx_take_injection(&e->x, &event, &rip);
	struct virt_event ev;
	static const uint8_t types[] = {
		[VMX_EVENT_EXTERNAL] = VIRT_EVENT_INTR,	      [VMX_EVENT_NMI] = VIRT_EVENT_NMI,
		[VMX_EVENT_EXCEPTION] = VIRT_EVENT_EXCEPTION, [VMX_EVENT_INT_N] = VIRT_EVENT_INT_N,
		[VMX_EVENT_INT1] = VIRT_EVENT_INT1,	      [VMX_EVENT_INT3_INTO] = VIRT_EVENT_INT3_INTO,
		[VMX_EVENT_OTHER] = VIRT_EVENT_NONE,
	};

	vmx_copy_out(e);
	vmx_switch_space(e, true);
	e->trap.due = false;
	if (ON(PROC_TPR_SHADOW))
		e->trap = vmx_apic_enter(&e->x);
	e->pauses = 0;
	e->waits = e->v->cpu.halted ? (uint8_t)e->x.s.activity : VMX_HALTED;
	enter_side(e, true);
	if (ON(PIN_PREEMPTION_TIMER))
		vmx_timer_start(e);
	if (inject && (e->virt.step || event.type == VMX_EVENT_OTHER)) {
		e->virt.step = false; /* an MTF VM exit comes before the first instruction */
		e->virt.stepped = e->virt.ask = true;
	}
	if (!inject || event.type == VMX_EVENT_OTHER)
		return true;
	ev = (struct virt_event){
		.type = types[event.type],
		.vector = event.vector,
		.has_err = event.has_error,
		.err = event.error,
		.rf = e->x.s.rflags & FL_RF,
		.length = event.length,
	};
	return cpu_deliver_event(e->v, &ev);
}

/* Data breakpoints of the guest that matched, but whose trap had not come, are not the host's. */
static void to_host(struct vmx_executor *e)
{
	mmu_watch_guest_take(e->v->mmu);
	if (e->timer_on)
		vmx_timer_stop(e);
	e->trap.due = false;
	vmx_copy_out(e);
	vmx_switch_space(e, false);
	enter_side(e, false);
	e->virt.delivering.type = VIRT_EVENT_NONE;
}

static bool left(struct vmx_executor *e, enum vmx_result r)
{
	to_host(e);
	if (r == VMX_ABORTED)
		return false;
	return !e->root || e->root(e->root_ctx);
}

/* The processor shuts down: by way of leave(). */
static int shut_down(struct vmx_executor *e)
{
	e->x.aborted = true;
	e->virt.guest = true;
	return cpu_raise(&e->v->cpu, EXC_EXIT);
}

static bool leave(struct vcpu *v)
{
	struct vmx_executor *e = vmx_executor_of(v);
	const struct virt_event *d = &e->virt.delivering;

	if (e->x.aborted)
		return false;
	if (d->type != VIRT_EVENT_NONE) {
		struct vmx_event event = {
			.type = d->type == VIRT_EVENT_INTR	  ? VMX_EVENT_EXTERNAL
				: d->type == VIRT_EVENT_NMI	  ? VMX_EVENT_NMI
				: d->type == VIRT_EVENT_EXCEPTION ? VMX_EVENT_EXCEPTION
				: d->type == VIRT_EVENT_INT_N	  ? VMX_EVENT_INT_N
				: d->type == VIRT_EVENT_INT1	  ? VMX_EVENT_INT1
								  : VMX_EVENT_INT3_INTO,
			.vector = d->vector,
			.has_error = d->has_err,
			.error = d->err,
			.length = d->length,
		};

		vmx_exit_vectoring(&e->exit, &event);
		if (e->exit.reason != VMX_REASON_EXCEPTION_NMI)
			e->exit.rf = d->rf;
	}
	if (e->virt.unblocked)
		vmx_exit_unblocked(&e->exit);
	if (d->type == VIRT_EVENT_NONE && e->convertible && v->cpu.cr0 & CR0_PE &&
	    vmx_exit_converted(&e->x, &e->exit)) {
		cpu_raise(&v->cpu, EXC_VE);
		return cpu_deliver_exc(v);
	}
	vmx_copy_in(e);
	return left(e, vmx_leave(&e->x, &e->exit));
}

/* ---- instructions ---- */

static bool raised(struct vmx_executor *e)
{
	e->faulted = true;
	return false;
}

static bool op_load(struct vmx *x, const struct vmx_operand *op, void *buf, unsigned n)
{
	struct vmx_executor *e = x->owner;

	return !cpu_read(e->v, op->seg, op->offset, buf, n) || raised(e);
}

static bool op_store(struct vmx *x, const struct vmx_operand *op, const void *buf, unsigned n)
{
	struct vmx_executor *e = x->owner;

	return !cpu_write(e->v, op->seg, op->offset, buf, n) || raised(e);
}

static bool op_rdmsr(struct vmx *x, uint32_t msr, uint64_t *val)
{
	return cpu_msr_get(((struct vmx_executor *)x->owner)->v, msr, val);
}

static bool op_wrmsr(struct vmx *x, uint32_t msr, uint64_t val, bool ask)
{
	struct vmx_executor *e = x->owner;

	return ask ? cpu_msr_valid(e->v, msr, val) : cpu_msr_set(e->v, msr, val);
}

/* A debugger changed fields or exits. */
static void op_changed(struct vmx *x)
{
	struct vmx_executor *e = x->owner;

	e->points_of[0] = ~0ull;
	enter_side(e, x->guest);
}

/* Views ask. Outside the guest, a hypervisor in C has the processor's state in X and shows the guest's in
 * struct cpu. */
static void op_refresh(struct vmx *x)
{
	struct vmx_executor *e = x->owner;

	if (e->root && !x->guest)
		return;
	vmx_copy_in(e);
	vmx_copy_in_gprs(e);
	for (unsigned i = 0; i < 4; i++)
		x->s.pdpte[i] = mmu_pdptrs(e->v->mmu)[i];
}

static const struct vmx_ops ops = {
	.load = op_load,
	.store = op_store,
	.rdmsr = op_rdmsr,
	.wrmsr = op_wrmsr,
	.invept = vmx_op_invept,
	.invvpid = vmx_op_invvpid,
	.changed = op_changed,
	.refresh = op_refresh,
};

static void mem_read(void *ctx, gpa at, void *buf, unsigned n)
{
	struct vmx_executor *e = ctx;
	bool ok =
	    e->walking ? mmu_load_entry(e->v->mmu, at, n, e->probing, buf) : mm_phys_read(e->vm, at, buf, n);

	if (!ok)
		gpr_fill(buf, 0xff, n);
}

static void mem_write(void *ctx, gpa at, const void *buf, unsigned n)
{
	struct vmx_executor *e = ctx;

	if (e->walking)
		mmu_set_entry(e->v->mmu, at, n, gpr_load64(buf));
	else
		mm_phys_write(e->vm, at, buf, n);
}

static int raise_fault(struct vmx_executor *e)
{
	const struct vmx_exception *x = &e->x.exception;

	if (e->faulted)
		return -1;
	return x->has_error ? cpu_raise_err(&e->v->cpu, x->vector, x->error)
			    : cpu_raise(&e->v->cpu, x->vector);
}

static bool is_entry(unsigned id)
{
	return id == VIRT_VMLAUNCH || id == VIRT_VMRESUME;
}

static const uint8_t insn_ids[] = {
#define INSN(id) [VIRT_##id] = VMX_INSN_##id + 1
	INSN(VMXON),  INSN(VMXOFF),  INSN(VMCLEAR),  INSN(VMPTRLD),  INSN(VMPTRST),
	INSN(VMREAD), INSN(VMWRITE), INSN(VMLAUNCH), INSN(VMRESUME), INSN(VMCALL),
	INSN(VMFUNC), INSN(INVEPT),  INSN(INVVPID),
#undef INSN
};

static int execute(struct vcpu *v, const struct virt_insn *i)
{
	struct vmx_executor *e = vmx_executor_of(v);
	struct vmx_insn insn;

	if (i->id >= ARRAY_LEN(insn_ids) || !insn_ids[i->id])
		return cpu_raise(&v->cpu, EXC_UD);
	insn = (struct vmx_insn){
		.id = (enum vmx_insn_id)(insn_ids[i->id] - 1),
		.length = (uint8_t)(i->next - v->cpu.rip),
		.reg = i->reg,
		.operand = { .memory = i->memory,
			     .reg = i->number,
			     .seg = (enum seg)i->seg,
			     .offset = i->offset },
		.info = i->info,
		.displacement = i->displacement,
	};
	e->faulted = false;
	if (e->x.guest)
		vmx_copy_in(e);
	else
		vmx_copy_in_some(e);
	if (!is_entry(i->id))
		vmx_copy_in_gprs(e);
	switch (vmx_execute(&e->x, &insn)) {
	case VMX_NEXT:
		vmx_copy_out_some(e);
		if (!is_entry(i->id))
			vmx_copy_out_gprs(e);
		if (i->id == VIRT_VMFUNC) {
			vmx_switch_space(e, true);
			e->virt.changed = true;
		}
		return 0;
	case VMX_FAULT:
		return raise_fault(e);
	case VMX_ENTERED:
		return entered(e) ? 0 : shut_down(e);
	case VMX_ENTRY_FAILED:
		return left(e, VMX_ENTRY_FAILED) ? 0 : shut_down(e);
	case VMX_EXITED:
		return left(e, VMX_EXITED) ? 0 : shut_down(e);
	default:
		return shut_down(e);
	}
}

/* Most VMREADs and VMWRITEs succeed, and need no copy of the state. */
static bool field(struct vcpu *v, bool write, unsigned encoding, unsigned value)
{
	struct vmx_executor *e = vmx_executor_of(v);
	struct cpu *c = &v->cpu;
	bool wide = cpu_64(c);
	uint64_t val, mask = wide ? UINT64_MAX : UINT32_MAX, which = c->gpr[encoding] & mask;

	if (c->cpl || !(c->cr0 & CR0_PE) || which >> 32)
		return false;
	if (write && !vmx_field_write(&e->x, (uint32_t)which, wide, c->gpr[value] & mask))
		return false;
	if (!write) {
		if (!vmx_field_read(&e->x, (uint32_t)which, wide, &val))
			return false;
		c->gpr[value] = val & mask;
	}
	c->flags &= ~(uint64_t)FL_ARITH;
	return true;
}

/* ---- a hypervisor in C ---- */

void vmx_executor_root(struct vmx_executor *e, bool (*exited)(void *ctx), void *ctx)
{
	e->root = exited;
	e->root_ctx = ctx;
}

void vmx_executor_devices(struct vmx_executor *e, bool (*device)(void *ctx, gpa a))
{
	e->device = device;
}

void vmx_executor_in_place(struct vmx_executor *e, bool (*in_place)(void *ctx, const struct vmx_exit *exit))
{
	e->in_place = in_place;
}

void vmx_executor_note(struct vmx_executor *e, const struct vmx_exit *exit)
{
	vmx_copy_in(e);
	vmx_note_exit(&e->x, exit);
}

enum vmx_result vmx_executor_enter(struct vmx_executor *e, unsigned *error)
{
	enum vmx_result r;

	vmx_copy_in_some(e);
	r = vmx_enter(&e->x, error);
	if (r == VMX_ENTRY_FAILED)
		to_host(e);
	else if (r == VMX_ENTERED && !entered(e))
		r = VMX_ABORTED;
	return r;
}

bool vmx_executor_exit(struct vmx_executor *e, enum vmx_reason reason)
{
	struct vmx_exit exit = { .reason = reason };
	enum vmx_result r;

	vmx_copy_in(e);
	r = vmx_leave(&e->x, &exit);
	to_host(e);
	return r != VMX_ABORTED;
}

/* ---- events ---- */

static bool exits(struct vcpu *v, const struct virt_event *ev)
{
	struct vmx_executor *e = vmx_executor_of(v);
	static const uint8_t types[] = {
		[VIRT_EVENT_NMI] = VMX_EVENT_NMI,
		[VIRT_EVENT_EXCEPTION] = VMX_EVENT_EXCEPTION,
		[VIRT_EVENT_INT1] = VMX_EVENT_INT1,
		[VIRT_EVENT_INT3_INTO] = VMX_EVENT_INT3_INTO,
	};
	struct vmx_event event;

	if (ev->type == VIRT_EVENT_SHUTDOWN) {
		e->exit = (struct vmx_exit){ .reason = VMX_REASON_TRIPLE_FAULT };
		return true;
	}
	event = (struct vmx_event){ .type = (enum vmx_event_type)types[ev->type],
				    .vector = ev->vector,
				    .has_error = ev->has_err,
				    .error = ev->err,
				    .length = ev->length };
	if (!vmx_exception_exits(&e->x, &event))
		return false;
	vmx_exit_by_event(&e->exit, &event, ev->address);
	e->exit.rf = ev->rf;
	if (ev->type == VIRT_EVENT_EXCEPTION && ev->vector == EXC_DB && ev->address)
		v->cpu.dr[6] = ev->err; /* it changes with the delivery alone */
	return true;
}

/* ---- MSRs, control registers, reset ---- */

static int read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	struct vmx_executor *e = vmx_executor_of(v);

	switch (msr) {
	case MSR_FEATURE_CONTROL:
		*val = e->x.feature_control;
		return 1;
	case MSR_DEBUGCTL:
		*val = e->x.s.msr[VMX_MSR_DEBUGCTL];
		return 1;
	case MSR_PERF_GLOBAL_CTRL:
		if (!vmx_offers(&e->x.caps, VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL))
			return 0;
		*val = e->x.s.msr[VMX_MSR_PERF_GLOBAL_CTRL];
		return 1;
	case MSR_TSC:
		*val = v->plat.tsc(v->plat.ctx);
		if (e->virt.guest)
			*val = vmx_guest_tsc(&e->x, *val);
		return 1;
	default:
		if (msr < VMX_MSR_FIRST || msr > VMX_MSR_LAST)
			return e->virt.guest ? vmx_apic_rdmsr(&e->x, msr, val) : 0;
		return vmx_caps_msr(&e->x.caps, msr, val) ? 1 : -1;
	}
}

static int write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct vmx_executor *e = vmx_executor_of(v);

	switch (msr) {
	case MSR_FEATURE_CONTROL:
		if (e->x.feature_control & FEATURE_CONTROL_LOCK ||
		    val & ~(uint64_t)(FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX))
			return -1;
		e->x.feature_control = val;
		return 1;
	case MSR_DEBUGCTL:
		if (val & ~vmx_debugctl_valid(&e->x.caps))
			return -1;
		e->x.s.msr[VMX_MSR_DEBUGCTL] = val;
		return 1;
	case MSR_PERF_GLOBAL_CTRL:
		if (!vmx_offers(&e->x.caps, VMX_ENTRY_LOAD_PERF_GLOBAL_CTRL))
			return 0;
		if (val & ~e->x.caps.model.perf_global)
			return -1;
		e->x.s.msr[VMX_MSR_PERF_GLOBAL_CTRL] = val;
		return 1;
	default:
		if (msr < VMX_MSR_FIRST || msr > VMX_MSR_LAST)
			return e->virt.guest ? vmx_apic_msr_write(e, msr, val) : 0;
		return -1;
	}
}

/* Bits that VMX operation fixes. */
static bool cr_ok(struct vcpu *v, uint32_t cr0, uint32_t cr4)
{
	const struct vmx *x = &vmx_executor_of(v)->x;

	if (!x->on)
		return true;
	if (x->guest && ON(PROC2_UNRESTRICTED_GUEST))
		cr0 |= CR0_PE | CR0_PG;
	return vmx_cr0_supported(&x->caps, cr0) && vmx_cr4_supported(&x->caps, cr4);
}

static void reset(struct vcpu *v)
{
	struct vmx_executor *e = vmx_executor_of(v);
	struct vmx_caps caps;
	struct vmx_steer steer = e->x.steer; /* the debugger's */
	struct vmx_log *log = e->x.log;

	gpr_copy(&caps, &e->x.caps, sizeof(caps));
	vmx_init(&e->x, &caps.model);
	gpr_copy(&e->x.caps, &caps, sizeof(caps));
	e->x.ops = &ops;
	e->x.mem = (struct vmx_memory){ e, mem_read, mem_write };
	e->x.log = log;
	e->x.steer = steer;
	e->x.owner = e;
	e->waits = VMX_HALTED;
	e->x.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX; /* as firmware leaves it */
	vmx_timer_stop(e);
	enter_side(e, false);
}

/* PDPTEs of a guest are its own: what CR3 leads to may have changed since they were loaded. */
static void stopped(struct vcpu *v)
{
	struct vmx_executor *e = vmx_executor_of(v);

	for (unsigned i = 0; i < 4; i++)
		e->x.s.pdpte[i] = mmu_pdptrs(v->mmu)[i];
}

static void loaded(struct vcpu *v)
{
	struct vmx_executor *e = vmx_executor_of(v);

	vmx_switch_space(e, e->x.guest);
	enter_side(e, e->x.guest);
	if (e->timer_on)
		vmx_timer_set(e);
}

static const struct virt_ops vmx_virt_ops = {
	.name = "vmx",
	.execute = execute,
	.field = field,
	.intercept = vmx_intercept_insn,
	.rdmsr = read_msr,
	.wrmsr = write_msr,
	.cr_ok = cr_ok,
	.exits = exits,
	.leave = leave,
	.due = vmx_due,
	.reset = reset,
	.loaded = loaded,
	.stopped = stopped,
};

static bool has_invpcid(struct vcpu *v)
{
	uint32_t out[4]; /* EAX to EDX */

	v->plat.cpuid(v->plat.ctx, &v->cpu, 7, 0, out);
	return out[1] & CPUID_INVPCID;
}

void vmx_executor_model(struct vcpu *v, enum vmx_generation g, struct vmx_model *m)
{
	uint64_t efer = cpu_efer_allowed(&v->plat, &v->cpu);

	*m = (struct vmx_model){
		.generation = g,
		.long_mode = efer & EFER_LME,
		.address = MAXPHYADDR,
		.linear = efer & EFER_LME ? 48 : 32,
		/* KVM enters guests in real mode as virtual-8086 ones with VME, whatever CPUID says. */
		.cr4 = cpu_cr4_allowed(&v->plat, &v->cpu, ~0u) | CR4_VME,
		.efer = efer | (efer & EFER_LME ? EFER_LMA : 0u),
	};
}

void vmx_executor_init(struct vmx_executor *e, struct vcpu *v, struct mm_vm *vm, const struct vmx_model *m)
{
	e->v = v;
	e->vm = vm;
	e->virt.ops = &vmx_virt_ops;
	e->points_of[0] = ~0ull; /* no VMCS's */
	vmx_caps_init(&e->x.caps, m);
	vmx_caps_without(&e->x.caps, controls_without, ARRAY_LEN(controls_without), capabilities_without,
			 ARRAY_LEN(capabilities_without));
	if (!has_invpcid(v))
		vmx_caps_without(&e->x.caps, (const uint8_t[]){ VMX_PROC2_INVPCID }, 1, NULL, 0);
	v->virt = &e->virt;
	reset(v);
}
