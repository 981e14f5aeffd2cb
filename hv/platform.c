/* SPDX-License-Identifier: GPL-3.0-or-later
 * The callbacks that the machine offers the engine (struct platform): the path from translated code to
 * a device. GPR-only code (base/gpr.h). */
#include "hv/machine_int.h"
#include "x86/msrs.h"

static uint32_t plat_in(void *ctx, uint16_t port, unsigned size)
{
	return bus_in(&((struct machine *)ctx)->board.bus, port, size);
}

static void plat_out(void *ctx, uint16_t port, unsigned size, uint32_t val)
{
	bus_out(&((struct machine *)ctx)->board.bus, port, size, val);
}

static void plat_mmio_read(void *ctx, gpa a, void *buf, unsigned size)
{
	mmio_read(&((struct machine *)ctx)->board.mmio, a, buf, size);
}

static void plat_mmio_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	mmio_write(&((struct machine *)ctx)->board.mmio, a, buf, size);
}

static bool plat_irq_pending(void *ctx)
{
	return ((struct machine *)ctx)->board.intr;
}

static int plat_irq_ack(void *ctx)
{
	return board_irq_ack(&((struct machine *)ctx)->board);
}

static void plat_cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	cpuid_query(&((struct machine *)ctx)->cpuid, cpu, leaf, sub, out);
}

/* MSRs of the local APIC, which the processor's model may not have. */
static bool is_apic_msr(uint32_t msr)
{
	return (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST) || msr == MSR_TSC_DEADLINE;
}

static bool plat_rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	struct machine *m = ctx;

	if (is_apic_msr(msr))
		return lapic_rdmsr(m->board.dev[SLOT_lapic], msr, val);
	if (msr == MSR_ARCH_CAPABILITIES) {
		*val = m->cpuid.arch_capabilities;
		return true;
	}
	if (msr != MSR_APIC_BASE)
		return msr_read(&m->msr, msr, val);
	*val = m->v->cpu.apic_base;
	return m->board.apic.present;
}

static bool plat_wrmsr(void *ctx, uint32_t msr, uint64_t val)
{
	struct machine *m = ctx;

	if (is_apic_msr(msr))
		return lapic_wrmsr(m->board.dev[SLOT_lapic], msr, val);
	if (msr == MSR_TSC) {
		lapic_tsc_changed(m->board.dev[SLOT_lapic]);
		return true;
	}
	if (msr != MSR_APIC_BASE)
		return msr_write(&m->msr, msr, val);
	if (m->board.apic.present)
		lapic_set_base(m->board.dev[SLOT_lapic], val);
	return m->board.apic.present;
}

static uint64_t plat_tsc(void *ctx)
{
	return clock_tsc(&((struct machine *)ctx)->board.clock);
}

/* A timer that is set for an earlier time stays. */
static void plat_alarm_at(void *ctx, uint64_t at)
{
	struct machine *m = ctx;
	struct processor_alarm *a = &m->alarm;

	a->at = at;
	if (at == UINT64_MAX || (a->timer.armed && a->set_for <= at))
		return;
	a->set_for = at;
	timer_arm(&m->board.clock, &a->timer, clock_at_tsc(&m->board.clock, at));
}

void platform_alarm(void *ctx)
{
	struct machine *m = ctx;

	if (clock_tsc(&m->board.clock) < m->alarm.at)
		plat_alarm_at(m, m->alarm.at);
	else
		m->v->due = true;
}

struct platform platform_callbacks(struct machine *m)
{
	return (struct platform){
		.ctx = m,
		.in = plat_in,
		.out = plat_out,
		.mmio_read = plat_mmio_read,
		.mmio_write = plat_mmio_write,
		.irq_pending = plat_irq_pending,
		.irq_ack = plat_irq_ack,
		.cpuid = plat_cpuid,
		.rdmsr = plat_rdmsr,
		.wrmsr = plat_wrmsr,
		.tsc = plat_tsc,
		.alarm_at = plat_alarm_at,
	};
}
