/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h: what comes before a guest's next instruction, in the order of priority (SDM vol. 3C
 * 26.2, 26.5, 30.4.3.3, vol. 3A table 6-2): what a write to the virtual APIC has caused, MTF, the preemption
 * timer, the NMI window, NMIs, the interrupt window, interrupts, virtual ones. */
#include "vtx/executor.h"
#include "cpu/system.h"
#include "vtx/bits.h"
#include "vtx/event.h"
#include "vtx/intercept.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

/* ---- the preemption timer (26.5.1) ---- */

/* It counts changes of bit VMX_PREEMPTION_SHIFT of the TSC; the executor knows when it reaches 0. */
static uint64_t counts_now(const struct vmx_executor *e)
{
	return e->v->plat.tsc(e->v->plat.ctx) >> VMX_PREEMPTION_SHIFT;
}

void vmx_timer_set(struct vmx_executor *e)
{
	const struct platform *p = &e->v->plat;

	if (p->alarm_at)
		p->alarm_at(p->ctx, e->timer_end << VMX_PREEMPTION_SHIFT);
}

void vmx_timer_start(struct vmx_executor *e)
{
	const struct vmx *x = &e->x;

	e->timer_on = true;
	e->timer_end = counts_now(e) + F(PREEMPTION_TIMER);
	if (F(PREEMPTION_TIMER))
		vmx_timer_set(e);
	else
		e->virt.ask = true;
}

void vmx_timer_stop(struct vmx_executor *e)
{
	const struct platform *p = &e->v->plat;

	if (e->timer_on && p->alarm_at)
		p->alarm_at(p->ctx, UINT64_MAX);
	e->timer_on = false;
}

uint32_t vmx_timer_left(const struct vmx_executor *e)
{
	uint64_t now = counts_now(e);

	return e->timer_end > now ? (uint32_t)(e->timer_end - now) : 0;
}

/* ---- events ---- */

static enum virt_due exit_due(struct vmx_executor *e, enum vmx_reason reason)
{
	e->exit = (struct vmx_exit){ .reason = reason };
	cpu_raise(&e->v->cpu, EXC_EXIT);
	return VIRT_DUE_EXC;
}

static enum virt_due nmi_due(struct vmx_executor *e)
{
	struct vmx_event event = { .type = VMX_EVENT_NMI, .vector = EXC_NMI };

	e->v->cpu.nmi_pending = 0;
	vmx_exit_by_event(&e->exit, &event, 0);
	cpu_raise(&e->v->cpu, EXC_EXIT);
	return VIRT_DUE_EXC;
}

static enum virt_due intr_due(struct vmx_executor *e)
{
	const struct vmx *x = &e->x;
	struct platform *p = &e->v->plat;
	int vector = ON(EXIT_ACK_INTERRUPT) ? p->irq_ack(p->ctx) : -1;

	if (vector >= 0 && vmx_apic_notified(e, (unsigned)vector))
		return VIRT_DUE_HELD;
	exit_due(e, VMX_REASON_EXTERNAL_INTERRUPT);
	if (vector >= 0) {
		struct vmx_event event = { .type = VMX_EVENT_EXTERNAL, .vector = (uint8_t)vector };

		vmx_exit_by_event(&e->exit, &event, 0);
	} else if (ON(EXIT_ACK_INTERRUPT)) {
		return VIRT_DUE_HELD; /* it went away */
	}
	return VIRT_DUE_EXC;
}

/* ---- debug exceptions that were pending at the entry (27.7.3) ---- */

static bool debug_pends(const struct vmx_executor *e)
{
	const struct cpu *c = &e->v->cpu;

	return e->x.s.pending_debug & (PENDING_BS | PENDING_ENABLED) && !(c->shadow & SHADOW_SS) &&
	       !(c->halted && e->waits != VMX_HALTED);
}

static enum virt_due debug_due(struct vmx_executor *e)
{
	struct cpu *c = &e->v->cpu;
	uint32_t bits = (uint32_t)e->x.s.pending_debug & (PENDING_BS | 15), before = c->dr[6];

	e->x.s.pending_debug = 0;
	c->halted = 0;
	c->dr[6] |= bits;
	cpu_raise(c, EXC_DB);
	c->exc.err = before; /* for an exit instead */
	c->exc.cr2 = bits;
	return VIRT_DUE_EXC;
}

/* An inactive state but HLT: is it one that lets nothing through? */
static bool waits_for_sipi(const struct vmx_executor *e)
{
	return e->v->cpu.halted && e->waits == VMX_WAIT_FOR_SIPI;
}

enum virt_due vmx_due(struct vcpu *v, bool intr)
{
	struct vmx_executor *e = vmx_executor_of(v);
	const struct vmx *x = &e->x;
	const struct cpu *c = &v->cpu;

	e->virt.ask = v->due = false;
	if (!e->virt.guest)
		return VIRT_DUE_USUAL;
	if (!c->halted || e->waits == VMX_HALTED)
		v->deaf = false;
	if (waits_for_sipi(e))
		return VIRT_DUE_HELD;
	if (e->trap.due) {
		exit_due(e, (enum vmx_reason)e->trap.reason);
		e->exit.qualification = e->trap.qualification;
		return VIRT_DUE_EXC;
	}
	if (e->virt.stepped)
		return exit_due(e, VMX_REASON_MONITOR_TRAP_FLAG);
	if (debug_pends(e))
		return debug_due(e);
	if (e->timer_on && !vmx_timer_left(e))
		return exit_due(e, VMX_REASON_PREEMPTION_TIMER);
	if (ON(PROC_NMI_WINDOW) && !c->nmi_blocked && !c->shadow)
		return exit_due(e, VMX_REASON_NMI_WINDOW);
	if (c->nmi_pending && ON(PIN_NMI) && !c->shadow && (!c->nmi_blocked || ON(PIN_VIRTUAL_NMIS)))
		return nmi_due(e);
	if (c->nmi_pending && !ON(PIN_NMI) && !c->shadow && !c->nmi_blocked) {
		e->waits = VMX_HALTED;
		return VIRT_DUE_USUAL;
	}
	if (v->deaf)
		return VIRT_DUE_HELD;
	if (ON(PROC_INTERRUPT_WINDOW) && c->intf && !c->shadow)
		return exit_due(e, VMX_REASON_INTERRUPT_WINDOW);
	if (intr && vmx_intr_exits(x) && !c->shadow && intr_due(e) == VIRT_DUE_EXC)
		return VIRT_DUE_EXC;
	if (ON(PROC2_VIRTUAL_INTERRUPTS) && vmx_apic_interrupts(e))
		return VIRT_DUE_EVENT;
	return vmx_intr_exits(x) ? VIRT_DUE_HELD : VIRT_DUE_USUAL;
}
