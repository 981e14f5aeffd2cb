/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/executor.h. */
#include "svm/executor.h"
#include "svm/event.h"
#include "svm/insn.h"
#include "svm/intercept.h"
#include "svm/interrupt.h"
#include "svm/npt.h"

#include "base/gpr.h"
#include "cpu/system.h"
#include "mm/nested.h"
#include "mm/watch.h"
#include "x86/features.h"
#include "x86/model.h"
#include "x86/msrs.h"
#include "x86/paging.h"

#define BITS(id) VMCB_BITS(&e->x.vmcb, id)
#define ON(id) VMCB_ON(&e->x.caps, &e->x.vmcb, id)

/* ---- switching sides ---- */

/* When due() has to be asked: the guest's virtual interrupts come without the platform; with GIF 0 the host's
 * are held off. */
static void ask_when(struct svm_executor *e)
{
	bool virtual = e->virt.guest && (BITS(V_IRQ) || (ON(V_NMI_ENABLE) && ON(V_NMI)));

	e->virt.window = virtual;
	e->virt.ask = e->virt.guest && (virtual || e->v->cpu.nmi_pending);
	e->v->any_intr = e->virt.guest && BITS(V_INTR_MASKING) && e->x.host.rflags & FL_IF && e->x.gif;
	e->virt.held = !e->virt.guest && !e->x.gif;
}

static uint64_t points(struct svm_executor *e)
{
	const struct vmcb *v = &e->x.vmcb;
	uint64_t of[] = { vmcb_get_at(v, 0, 8), vmcb_get_at(v, 8, 8), vmcb_get_at(v, 16, 8), e->x.tsc_ratio,
			  ON(V_NMI_ENABLE) | (uint64_t)BITS(V_INTR_MASKING) << 1 };
	uint64_t differ = 0;

	if (e->x.steer.any)
		return svm_points(&e->x);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		differ |= of[i] ^ e->points_of[i];
	if (!differ)
		return e->points;
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		e->points_of[i] = of[i];
	e->points = svm_points(&e->x);
	return e->points;
}

static void enter_side(struct svm_executor *e, bool guest)
{
	e->virt.guest = guest;
	e->virt.shadow = 0;
	e->virt.changed = true;
	e->virt.points = guest ? points(e) : 0;
	e->virt.tsc_offset = guest ? VMCB_GET(&e->x.vmcb, TSC_OFFSET) : 0;
	ask_when(e);
}

/* ---- events, between the two encodings ---- */

static struct virt_event virt_event_of(const struct svm_event *s)
{
	bool int3_into = s->type == SVM_EVENT_EXCEPTION && (s->vector == EXC_BP || s->vector == EXC_OF);

	return (struct virt_event){
		.type = s->type == SVM_EVENT_INTR    ? VIRT_EVENT_INTR
			: s->type == SVM_EVENT_NMI   ? VIRT_EVENT_NMI
			: s->type == SVM_EVENT_INT_N ? VIRT_EVENT_INT_N
			: int3_into		     ? VIRT_EVENT_INT3_INTO
						     : VIRT_EVENT_EXCEPTION,
		.vector = s->vector,
		.has_err = s->has_error,
		.err = s->error,
	};
}

static struct svm_event svm_event_from(const struct virt_event *v)
{
	return (struct svm_event){
		.type = v->type == VIRT_EVENT_INTR    ? SVM_EVENT_INTR
			: v->type == VIRT_EVENT_NMI   ? SVM_EVENT_NMI
			: v->type == VIRT_EVENT_INT_N ? SVM_EVENT_INT_N
						      : SVM_EVENT_EXCEPTION,
		.vector = v->vector,
		.has_error = v->has_err,
		.error = v->err,
	};
}

/* Is EFLAGS pushed with RF = 1? An injected exception is "treated in every way as though it had occurred
 * normally" (15.20); whether a #DB is a fault RFLAGS says, as it was when it exited. */
static bool pushes_rf(const struct svm_executor *e, const struct svm_event *event)
{
	if (event->type != SVM_EVENT_EXCEPTION)
		return false;
	return event->vector == EXC_DB ? (e->x.s.rflags & FL_RF) != 0
				       : exc_in(EXC_SET_FAULT | 1 << EXC_DF, event->vector);
}

/* The processor is in the guest. False: it has shut down. */
static bool entered(struct svm_executor *e)
{
	struct cpu *c = &e->v->cpu;
	struct svm_event event;
	struct virt_event ev;
	uint64_t rip, length;
	bool inject = svm_take_injection(&e->x, &event, &rip);

	svm_copy_out(e);
	svm_switch_space(e, true);
	enter_side(e, true);
	if (!inject)
		return true;
	ev = virt_event_of(&event);
	ev.rf = pushes_rf(e, &event);
	length = cpu_64(c) ? rip - c->rip : (uint32_t)(rip - c->rip);
	if (length <= UINT8_MAX)
		ev.length = (uint8_t)length;
	else
		c->rip = rip;
	return cpu_deliver_event(e->v, &ev);
}

/* Data breakpoints of the guest that matched, but whose trap had not come, are forgotten: DR7 is the host's.
 */
static bool left(struct svm_executor *e)
{
	mmu_watch_guest_take(e->v->mmu);
	svm_copy_out(e);
	svm_switch_space(e, false);
	enter_side(e, false);
	return !e->x.shutdown;
}

/* The processor shuts down: by way of leave(). */
static int shut_down(struct svm_executor *e)
{
	e->x.shutdown = true;
	e->virt.guest = true;
	return cpu_raise(&e->v->cpu, EXC_EXIT);
}

/* Decode assists: the bytes at cpu.rip, as far as the page goes and is mapped (15.8.4). */
static void fetch_bytes(struct svm_executor *e)
{
	gva lin = cpu_pc(&e->v->cpu);
	unsigned room = PAGE_SIZE - (lin & PAGE_MASK);
	unsigned n = room < SVM_INSN_MAX ? room : SVM_INSN_MAX;

	if (mmu_read(e->v->mmu, lin, e->exit.bytes, n, MM_PROBE))
		return;
	e->exit.fetched = (uint8_t)n;
}

static bool leave(struct vcpu *v)
{
	struct svm_executor *e = svm_executor_of(v);

	if (e->x.shutdown)
		return false;
	if (e->virt.delivering.type != VIRT_EVENT_NONE) {
		struct svm_event event = svm_event_from(&e->virt.delivering);

		svm_delivery_begins(&e->x, &event);
	}
	if (e->data_access)
		fetch_bytes(e);
	svm_copy_in(e);
	svm_leave(&e->x, &e->exit);
	return left(e);
}

/* ---- instructions ---- */

/* A debugger changed fields or exits. */
static void op_changed(struct svm *x)
{
	struct svm_executor *e = x->owner;

	enter_side(e, x->guest);
}

/* Views ask. */
static void op_refresh(struct svm *x)
{
	svm_copy_in(x->owner);
}

static const struct svm_ops ops = {
	.flush = svm_op_flush,
	.flush_page = svm_op_flush_page,
	.changed = op_changed,
	.refresh = op_refresh,
};

static const uint8_t insn_ids[VIRT_OWN] = {
#define INSN(id) [VIRT_##id] = SVM_INSN_##id + 1
	INSN(VMRUN), INSN(VMMCALL), INSN(VMLOAD), INSN(VMSAVE),
	INSN(STGI),  INSN(CLGI),    INSN(SKINIT), INSN(INVLPGA),
#undef INSN
};

static int nested_fault(struct svm_executor *e, const struct svm_walk *w)
{
	svm_exit_npf(&e->exit, w);
	e->data_access = true;
	return cpu_raise(&e->v->cpu, EXC_EXIT);
}

/* RIP is behind the instruction. */
static void completed(struct svm_executor *e, unsigned id)
{
	if (id == VIRT_VMLOAD)
		svm_copy_out(e);
	else
		svm_copy_out_some(e);
	e->v->cpu.shadow = 0;
	if (id == VIRT_VMLOAD)
		e->virt.changed = true;
	if (id == VIRT_STGI || id == VIRT_CLGI) {
		e->virt.changed = true;
		ask_when(e);
	}
}

static int execute(struct vcpu *v, const struct virt_insn *i)
{
	struct svm_executor *e = svm_executor_of(v);
	struct svm_insn insn;
	struct svm_walk walk;

	if (i->id >= VIRT_OWN || !insn_ids[i->id])
		return cpu_raise(&v->cpu, EXC_UD);
	insn = (struct svm_insn){
		.id = (enum svm_insn_id)(insn_ids[i->id] - 1),
		.length = (uint8_t)(i->next - v->cpu.rip),
		.address_size = i->asize,
	};
	svm_copy_in(e);
	switch (svm_execute(&e->x, &insn, &walk)) {
	case SVM_NEXT:
		completed(e, i->id);
		return 0;
	case SVM_FAULT:
		return e->x.exception.has_error
			   ? cpu_raise_err(&v->cpu, e->x.exception.vector, e->x.exception.error)
			   : cpu_raise(&v->cpu, e->x.exception.vector);
	case SVM_ENTERED:
		return entered(e) ? 0 : shut_down(e);
	case SVM_NESTED_FAULT:
		return nested_fault(e, &walk);
	default:
		return left(e) ? 0 : shut_down(e);
	}
}

/* ---- events ---- */

static bool exits(struct vcpu *v, const struct virt_event *ev)
{
	struct svm_executor *e = svm_executor_of(v);
	struct svm_event event;

	e->data_access = false;
	if (ev->type == VIRT_EVENT_SHUTDOWN) {
		e->exit = (struct svm_exit){ .code = SVM_EXIT_SHUTDOWN };
		return svm_exits(&e->x, SVM_EXIT_SHUTDOWN);
	}
	event = svm_event_from(ev);
	if (!svm_exception_exits(&e->x, &event))
		return false;
	svm_exit_by_event(&e->exit, &event, ev->address);
	if (event.type == SVM_EVENT_EXCEPTION && event.vector == EXC_DB && ev->rf)
		v->cpu.sysflags |= FL_RF; /* a breakpoint on code */
	e->exit.next_rip = v->cpu.rip + ev->length;
	if (!cpu_64(&v->cpu))
		e->exit.next_rip = (uint32_t)e->exit.next_rip;
	if (!ev->length)
		e->exit.next_rip = 0;
	e->data_access = event.vector == EXC_PF && !(event.error & PF_ERR_ID);
	return true;
}

static enum virt_due exit_due(struct svm_executor *e, unsigned code)
{
	e->exit = (struct svm_exit){ .code = code };
	e->data_access = false;
	cpu_raise(&e->v->cpu, EXC_EXIT);
	return VIRT_DUE_EXC;
}

static enum virt_due event_due(struct svm_executor *e, enum virt_event_type type, uint8_t vector)
{
	e->virt.due = (struct virt_event){ .type = (uint8_t)type, .vector = vector };
	return VIRT_DUE_EVENT;
}

/* A physical interrupt that the guest takes itself, whatever its IF. */
static enum virt_due physical_intr(struct svm_executor *e)
{
	struct platform *p = &e->v->plat;
	int vector = p->irq_ack(p->ctx);

	return vector < 0 ? VIRT_DUE_HELD : event_due(e, VIRT_EVENT_INTR, (uint8_t)vector);
}

static enum virt_due virtual_intr(struct svm_executor *e)
{
	uint8_t vector = svm_take_virtual_intr(&e->x);

	ask_when(e);
	return event_due(e, VIRT_EVENT_INTR, vector);
}

static enum virt_due virtual_nmi(struct svm_executor *e)
{
	svm_take_virtual_nmi(&e->x);
	ask_when(e);
	return event_due(e, VIRT_EVENT_NMI, EXC_NMI);
}

/* In the order of their priority: NMI before interrupts, physical before virtual. A physical event that exits
 * stays pending: the host takes it when GIF is 1. */
static enum virt_due due(struct vcpu *v, bool intr)
{
	struct svm_executor *e = svm_executor_of(v);
	const struct svm *x = &e->x;
	enum svm_physical nmi, irq;

	if (!e->virt.guest) {
		ask_when(e);
		return x->gif ? VIRT_DUE_USUAL : VIRT_DUE_HELD;
	}
	/* An exit in the shadow of MOV SS would lose the trap that waits for its end: a VMCB has no field for
	 * it. */
	if (v->cpu.shadow && mmu_watch_guest_pending(v->mmu))
		return VIRT_DUE_HELD;
	e->virt.ask = false;
	svm_copy_in_some(e);
	nmi = v->cpu.nmi_pending ? svm_physical_nmi(x) : SVM_HELD;
	irq = intr ? svm_physical_intr(x) : SVM_HELD;
	if (nmi == SVM_EXIT)
		return exit_due(e, SVM_EXIT_NMI);
	if (nmi == SVM_TAKE)
		return VIRT_DUE_USUAL;
	if (svm_virtual_nmi(x) == SVM_TAKE)
		return virtual_nmi(e);
	if (irq == SVM_EXIT)
		return exit_due(e, SVM_EXIT_INTR);
	if (irq == SVM_TAKE)
		return physical_intr(e);
	switch (svm_virtual_intr(x)) {
	case SVM_EXIT:
		return exit_due(e, SVM_EXIT_VINTR);
	case SVM_TAKE:
		return virtual_intr(e);
	default:
		return VIRT_DUE_HELD;
	}
}

/* ---- MSRs, control registers, reset ---- */

static int read_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	struct svm_executor *e = svm_executor_of(v);

	if (msr == MSR_TSC) {
		*val = svm_guest_tsc(&e->x, v->plat.tsc(v->plat.ctx));
		return 1;
	}
	if (!svm_is_msr(&e->x, msr))
		return 0;
	return svm_rdmsr(&e->x, msr, val) ? 1 : -1;
}

static int write_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct svm_executor *e = svm_executor_of(v);

	if (msr == MSR_EFER)
		return val & EFER_SVME && !svm_enable_ok(&e->x) ? -1 : 0;
	if (!svm_is_msr(&e->x, msr))
		return 0;
	e->x.s.efer = v->cpu.efer;
	if (!svm_wrmsr(&e->x, msr, val))
		return -1;
	if (e->virt.guest)
		enter_side(e, true); /* the TSC ratio */
	return 1;
}

static bool cr_ok(struct vcpu *v, uint32_t cr0, uint32_t cr4)
{
	(void)v;
	(void)cr0;
	(void)cr4;
	return true;
}

static void reset(struct vcpu *v)
{
	struct svm_executor *e = svm_executor_of(v);
	struct svm_caps caps = e->x.caps;
	struct svm_steer steer;
	struct svm_log *log = e->x.log;

	gpr_copy(&steer, &e->x.steer, sizeof(steer)); /* clang calls memcpy for an assignment */
	svm_init(&e->x, &caps.model);
	gpr_copy(&e->x.steer, &steer, sizeof(steer));
	e->x.log = log;
	e->x.ops = &ops;
	e->x.mem = (struct svm_memory){ e, svm_mem_read, svm_mem_write };
	e->x.owner = e;
	svm_switch_space(e, false);
	enter_side(e, false);
}

/* The host's state may come from a file: what the engine relies on must hold. */
static void check_host(struct svm *x)
{
	struct svm_host *h = &x->host;

	h->cr0 = (h->cr0 & CR0_VALID) | CR0_PE;
	h->cr4 &= x->caps.model.cr4;
	h->efer &= x->caps.model.efer | EFER_LMA;
	if (!(h->efer & EFER_LME && h->cr0 & CR0_PG && h->cr4 & CR4_PAE))
		h->efer &= ~(uint64_t)(EFER_LMA | EFER_LME);
	else
		h->efer |= EFER_LMA;
	h->rip = svm_canonical(&x->caps, h->rip);
	h->rflags = (h->rflags & SVM_RFLAGS_VALID & ~(uint64_t)FL_VM) | FL_ONE;
	h->gdtr.limit &= 0xffff;
	h->idtr.limit &= 0xffff;
	for (unsigned i = 0; i <= SEG_DS; i++)
		h->seg[i].rights &= 0x1f0ff;
	h->seg[SEG_CS].rights &= ~(uint32_t)AR_UNUSABLE;
	if (h->seg[SEG_CS].rights & SA_L)
		h->seg[SEG_CS].rights &= ~(uint32_t)SA_DB;
	h->seg[SEG_SS].rights &= ~(uint32_t)AR_UNUSABLE;
}

static void loaded(struct vcpu *v)
{
	struct svm_executor *e = svm_executor_of(v);

	check_host(&e->x);

	svm_copy_in(e);
	svm_switch_space(e, e->x.guest);
	enter_side(e, e->x.guest);
}

static const struct virt_ops svm_virt_ops = {
	.name = "svm",
	.execute = execute,
	.intercept = svm_intercept_insn,
	.rdmsr = read_msr,
	.wrmsr = write_msr,
	.cr_ok = cr_ok,
	.exits = exits,
	.leave = leave,
	.due = due,
	.reset = reset,
	.loaded = loaded,
};

/* Branches are not recorded, and PAUSEs are not counted. */
#define NOT_HERE (1u << SVM_BIT_OF_LBR | 1u << SVM_BIT_OF_PAUSE_FILTER | 1u << SVM_BIT_OF_PAUSE_THRESHOLD)

void svm_executor_model(struct vcpu *v, enum svm_generation g, struct svm_model *m)
{
	uint64_t efer = cpu_efer_allowed(&v->plat, &v->cpu);
	uint32_t out[4], features[4]; /* EAX to EDX */

	v->plat.cpuid(v->plat.ctx, &v->cpu, 0x8000000a, 0, out);
	v->plat.cpuid(v->plat.ctx, &v->cpu, 0x80000001, 0, features);
	*m = (struct svm_model){
		.generation = g,
		.without = ~out[3] | NOT_HERE,
		.long_mode = efer & EFER_LME,
		.pages_1g = features[3] & CPUID_PDPE1GB,
		.address = MAXPHYADDR,
		.linear = efer & EFER_LME ? 48 : 32,
		.asids = out[1],
		.cr4 = cpu_cr4_allowed(&v->plat, &v->cpu, ~0u),
		.efer = efer,
	};
}

void svm_executor_init(struct svm_executor *e, struct vcpu *v, struct mm_vm *vm, const struct svm_model *m)
{
	e->v = v;
	e->vm = vm;
	e->virt.ops = &svm_virt_ops;
	e->points_of[0] = ~0ull; /* no VMCB's */
	e->x.caps.model = *m;
	v->virt = &e->virt;
	reset(v);
}
