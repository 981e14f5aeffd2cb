/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vmm/vmm.h: the engine's operations around those of the processor. */
#include "vmm/vmm_int.h"

#include "base/gpr.h"
#include "base/log.h"
#include "cpu/system.h"
#include "cpu/virt.h"
#include "mm/mmu.h"
#include "mm/nested.h"
#include "vtx/checks.h"
#include "vtx/executor.h"
#include "vtx/view.h"

#include <stdio.h>
#include <stdlib.h>

/* Of the windows in which instructions are emulated while there are shadow page tables. */
enum { SHADOW_ASID = VMM_VPID + 1, SHADOW_TAG = PAGE_SIZE };

static struct vmm *vmm_of(struct vcpu *v)
{
	return (struct vmm *)(uintptr_t)((uintptr_t)v->ops - offsetof(struct vmm, ops));
}

/* ---- in and out of non-root operation ---- */

/* VM entry. Delivering an event that it injects may exit again, to exited(), which has the last word about
 * INSIDE then. */
static bool go_inside(struct vmm *m)
{
	unsigned error = 0;

	m->inside = true;
	if (vmx_executor_enter(&m->e, &error) != VMX_ENTERED)
		m->inside = false;
	return m->inside;
}

/* Did the guest exit for an access to memory, which the processor serves in a trap? */
static bool for_memory(const struct vmm *m)
{
	switch ((uint16_t)vm_read(m, VMCS_EXIT_REASON)) {
	case VMX_REASON_EXCEPTION_NMI:
	case VMX_REASON_EPT_VIOLATION:
	case VMX_REASON_EPT_MISCONFIGURATION:
		return true;
	default:
		return false;
	}
}

/* An exit, in the place of what a hypervisor's code at HOST_RIP would do. What it leaves to be done, or an
 * entry that fails, is for run(), when the processor has stopped. */
static bool exited(void *ctx)
{
	uint64_t start = __builtin_ia32_rdtsc();
	struct vmm *m = ctx;
	bool within = m->times.exiting, memory = for_memory(m);

	m->times.exiting = true;
	m->inside = false;
	if (!vmm_handle(m) || !go_inside(m))
		m->inner->request_stop(m->v);
	m->times.exiting = within;
	if (!within)
		m->times.exits[memory] += __builtin_ia32_rdtsc() - start;
	return true;
}

/* The guest's state in struct cpu becomes that of the processor in non-root operation. False: no VMCS can
 * hold it, or not under these controls. */
static bool enter(struct vmm *m)
{
	if (!m->x->on) /* the machine was reset */
		vmm_begin(m);
	vmm_to_vmcs(m);
	m->pending = PENDING_NONE;
	m->v->cpu.efer = vmm_host_efer(m); /* root operation's, from here on */
	if (go_inside(m))
		return true;
	vmm_from_vmcs(m);
	return false;
}

/* Leave the guest at the present instruction, as an interrupt of the monitor's own does. */
static void leave(struct vmm *m)
{
	if (m->inside)
		vmx_executor_exit(&m->e, VMX_REASON_EXTERNAL_INTERRUPT);
	m->inside = false;
	vmm_from_vmcs(m);
}

/* ---- emulation ---- */

/* Every address is itself, devices' too; where our memory is, the guest finds ones, and ROM. */
static bool same_address(void *ctx, gpa a, unsigned how, struct nested_result *r)
{
	const struct vmm *m = ctx;

	(void)how;
	r->pa = vmm_owns(a) ? m->ones | (a & PAGE_MASK) : a;
	r->shift = PAGE_SHIFT;
	r->rights = NESTED_R | NESTED_W | NESTED_X | NESTED_XU;
	r->accessed = r->dirty = true;
	return true;
}

/* Use the address space that the guest sees. With EPT its windows are the guest's own, in which devices are
 * never mapped. Those of shadow page tables have other roots, so here the guest's roots have windows of their
 * own, which its flushes have not reached. */
static void use_guest_space(struct vmm *m)
{
	struct mmu_nested n = { .ctx = m, .tag = m->ept, .asid = VMM_VPID, .translate = same_address };

	if (m->shadowing) {
		n.tag = SHADOW_TAG;
		n.asid = SHADOW_ASID;
	}
	mmu_nested(m->v->mmu, &n);
	mmu_set_pdptrs(m->v->mmu, m->pdptr);
	if (m->shadowing && m->flushes != m->flushed) {
		mmu_flush(m->v->mmu, true);
		m->flushed = m->flushes;
	}
}

static void leave_guest_space(struct vmm *m)
{
	gpr_copy(m->pdptr, mmu_pdptrs(m->v->mmu), sizeof(m->pdptr));
	mmu_nested(m->v->mmu, NULL);
	mmu_set_pdptrs(m->v->mmu, m->pdptr);
	m->x->on = true;
}

/* Execute one instruction outside VMX operation, on the state that the guest sees: its physical addresses are
 * the machine's. */
static enum engine_exit step_outside(struct vmm *m, unsigned how)
{
	uint64_t start = __builtin_ia32_rdtsc();
	enum engine_exit e;

	m->x->on = false;
	use_guest_space(m);
	e = m->inner->step(m->v, how);
	leave_guest_space(m);
	if (m->times.run_since)
		m->times.emulated += __builtin_ia32_rdtsc() - start;
	return e;
}

static enum virt_event_type event_type(enum vmx_event_type t)
{
	switch (t) {
	case VMX_EVENT_EXTERNAL:
		return VIRT_EVENT_INTR;
	case VMX_EVENT_NMI:
		return VIRT_EVENT_NMI;
	case VMX_EVENT_INT_N:
		return VIRT_EVENT_INT_N;
	case VMX_EVENT_INT1:
		return VIRT_EVENT_INT1;
	case VMX_EVENT_INT3_INTO:
		return VIRT_EVENT_INT3_INTO;
	default:
		return VIRT_EVENT_EXCEPTION;
	}
}

/* Deliver the event that the exit interrupted, with what may go wrong on the way. False: shutdown. */
static bool deliver(struct vmm *m)
{
	uint64_t info = vm_read(m, VMCS_IDT_VECTORING_INFO);
	struct virt_event e = {
		.type = event_type(vmx_event_type(info)),
		.vector = (uint8_t)vmx_event_vector(info),
		.has_err = info & EVENT_ERROR_CODE,
		.err = (uint32_t)vm_read(m, VMCS_IDT_VECTORING_ERROR_CODE),
		.length = (uint8_t)vm_read(m, VMCS_EXIT_INSTRUCTION_LENGTH),
		.address = m->v->cpu.cr2,
	};
	bool ok;

	m->x->on = false;
	use_guest_space(m);
	ok = cpu_deliver_event(m->v, &e);
	leave_guest_space(m);
	return ok;
}

/* What the last exit left to be done. ENGINE_STEPPED: the guest can go on. */
static enum engine_exit settle(struct vmm *m)
{
	switch (m->pending) {
	case PENDING_EMULATE:
		return step_outside(m, 0);
	case PENDING_DELIVER:
		return deliver(m) ? ENGINE_STEPPED : ENGINE_SHUTDOWN;
	case PENDING_SHUTDOWN:
		return ENGINE_SHUTDOWN;
	default:
		return ENGINE_STEPPED;
	}
}

/* ---- the engine ---- */

/* The state cannot be entered (27.3.1 says what is wrong with it: segments as real mode leaves them behind a
 * switch to protected mode, for example): execute until it can. */
static enum engine_exit get_over(struct vmm *m)
{
	int row = m->x->failed_check;

	LOG(cpu, "vtx: %08llx: no VM entry: %s; instruction emulated", (unsigned long long)cpu_pc(&m->v->cpu),
	    row < 0 ? "controls" : vmx_check_rows[row].text);
	return step_outside(m, 0);
}

static bool stop_asked(struct vmm *m)
{
	bool asked = m->stop;

	m->stop = false;
	return asked;
}

/* The guest can go on after E, unless somebody asked for a stop. */
static bool goes_on(struct vmm *m, enum engine_exit e)
{
	return e == ENGINE_STEPPED || (e == ENGINE_STOP && !m->stop);
}

static enum engine_exit run(struct vcpu *v)
{
	struct vmm *m = vmm_of(v);
	enum engine_exit e, settled;
	uint64_t start = __builtin_ia32_rdtsc();

	m->times.run_since = start;
	do {
		if (stop_asked(m)) {
			e = ENGINE_STOP;
			break;
		}
		if (!enter(m)) {
			e = get_over(m);
			continue;
		}
		e = m->inner->run(v);
		leave(m);
		settled = settle(m);
		if (settled != ENGINE_STEPPED)
			e = settled;
	} while (goes_on(m, e));
	if (e == ENGINE_STOP)
		m->stop = false;
	m->times.run += __builtin_ia32_rdtsc() - start;
	m->times.run_since = 0;
	return e;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The processor's callouts and traps include the exits that they were. What it has not had of our time went
 * to exits as well: entries, and what they left to be done. */
static void times(struct vcpu *v, struct engine_times *t)
{
	struct vmm *m = vmm_of(v);
	const struct vmm_times *own = &m->times;
	uint64_t since = own->run_since, inner;

	*t = (struct engine_times){ 0 };
	if (m->inner->times)
		m->inner->times(v, t);
	inner = t->run;
	t->run = own->run + (since ? less(__builtin_ia32_rdtsc(), since) : 0);
	t->nonroot = true;
	t->code = own->emulated;
	t->exits = own->exits[0] + own->exits[1] + less(t->run, inner + own->emulated);
	t->callouts = less(t->callouts, own->exits[0]);
	t->traps = less(t->traps, own->exits[1]);
}

static enum engine_exit step(struct vcpu *v, unsigned how)
{
	struct vmm *m = vmm_of(v);
	enum engine_exit e;

	if (!enter(m))
		return get_over(m);
	e = m->inner->step(v, how);
	leave(m);
	return m->pending == PENDING_NONE ? e : settle(m);
}

static void request_stop(struct vcpu *v)
{
	struct vmm *m = vmm_of(v);

	m->stop = true;
	m->inner->request_stop(v);
}

static void state_changed(struct vcpu *v)
{
	struct vmm *m = vmm_of(v);

	shadow_drop_all(m);
	m->window = false;
	vm_control(m, VMX_PROC_INTERRUPT_WINDOW, false);
	m->inner->state_changed(v);
}

static bool is_access(enum engine_event kind)
{
	return kind == ENGINE_EV_PORT || kind == ENGINE_EV_CR || kind == ENGINE_EV_MSR;
}

/* Who wants to stop at exits gets one before each access to a device; who wants to stop at ports, control
 * registers or MSRs, the instruction executed by the processor. */
static int event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on)
{
	struct vmm *m = vmm_of(v);
	int r = m->inner->event_set(v, kind, lo, hi, on);

	if (!r && is_access(kind))
		m->watched_accesses += on ? 1u : -1u;
	if (r || kind != ENGINE_EV_EXIT)
		return r;
	m->watched += on ? 1u : -1u;
	shadow_drop_all(m);
	mmu_nested_invalidate(v->mmu, NESTED_SECOND, 0, 0, 0);
	return r;
}

static void vmm_free(struct vcpu *v)
{
	struct vmm *m = vmm_of(v);
	const struct engine_ops *inner = m->inner;

	v->virt = NULL;
	inner->free(v);
	shadow_free(m);
	vmx_controls_free(m->e.virt.controls);
	free(m);
}

/* ---- making one ---- */

struct vcpu *vmm_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			  char *err, size_t errlen)
{
	const struct vmm_config *c = config;
	struct vmm *m = calloc(1, sizeof(*m));
	struct vmx_model model;
	struct platform p;

	if (!m) {
		snprintf(err, errlen, "engine vtx: no memory");
		return NULL;
	}
	gpr_copy(&m->machine, plat, sizeof(m->machine));
	m->vm = vm;
	m->paging = c->paging;
	if (mm_is_ram(vm, VMM_AT, 1) || mm_vm_add_ram(vm, VMM_AT, (uint64_t)VMM_PAGES << PAGE_SHIFT, true)) {
		snprintf(err, errlen, "engine vtx: it needs 16 MiB of the machine's memory at %#x for itself",
			 VMM_AT);
		free(m);
		return NULL;
	}
	p = vmm_platform(m);
	m->v = c->processor(c->processor_config, vm, &p, clock, err, errlen);
	if (!m->v) {
		free(m);
		return NULL;
	}
	m->inner = m->v->ops;
	gpr_copy(&m->ops, m->inner, sizeof(m->ops));
	m->ops.name = "vtx";
	m->ops.run = run;
	m->ops.step = step;
	m->ops.request_stop = request_stop;
	m->ops.state_changed = state_changed;
	m->ops.event_set = event_set;
	m->ops.times = times;
	m->ops.free = vmm_free;
	m->v->ops = &m->ops;
	vmx_executor_model(m->v, VMX_GEN_HASWELL, &model);
	vmx_executor_init(&m->e, m->v, vm, &model);
	m->x = &m->e.x;
	vmx_executor_root(&m->e, exited, m);
	vmx_executor_devices(&m->e, vmm_device);
	vmx_executor_in_place(&m->e, vmm_in_place);
	m->e.virt.controls = vmx_controls_new(&m->e.x);
	if (!vmm_take_pages(m)) {
		snprintf(err, errlen, "engine vtx: no memory for its tables");
		vmm_free(m->v);
		return NULL;
	}
	return m->v;
}
