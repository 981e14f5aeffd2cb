/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine around the processor, as the monitor passes it on. */
#include "vmm/vmm_int.h"

#include "mm/mmu.h"
#include "vtx/ept.h"
#include "x86/features.h"
#include "x86/paging.h"

static uint32_t plat_in(void *ctx, uint16_t port, unsigned size)
{
	struct vmm *m = ctx;

	return m->machine.in(m->machine.ctx, port, size);
}

static void plat_out(void *ctx, uint16_t port, unsigned size, uint32_t val)
{
	struct vmm *m = ctx;

	m->machine.out(m->machine.ctx, port, size, val);
}

/* A device is accessed from inside: no EPT entry or shadow leads there but for this. The exit changes nothing
 * of the guest's state, and is handled in the middle of the instruction. */
static void note_exit(struct vmm *m, gpa a, bool write)
{
	enum { LINEAR_VALID = 1 << 7, LINEAR_FINAL = 1 << 8 }; /* of the qualification (table 28-7) */
	gva lin = mmu_device_lin(m->v->mmu);
	struct vmx_event fault = { .type = VMX_EVENT_EXCEPTION, .vector = EXC_PF, .has_error = true };
	struct vmx_exit exit = {
		.reason = VMX_REASON_EPT_VIOLATION,
		.qualification = (write ? VMX_EPT_WRITE : VMX_EPT_READ) | LINEAR_VALID | LINEAR_FINAL,
		.linear = lin,
		.physical = a,
	};

	if (m->shadowing) {
		fault.error = (write ? PF_ERR_W : 0) | (m->v->cpu.cpl == 3 ? PF_ERR_U : 0);
		vmx_exit_by_event(&exit, &fault, lin);
	}
	vmx_executor_note(&m->e, &exit);
}

static void plat_mmio_read(void *ctx, gpa a, void *buf, unsigned size)
{
	struct vmm *m = ctx;

	if (m->inside)
		note_exit(m, a, false);
	m->machine.mmio_read(m->machine.ctx, a, buf, size);
}

static void plat_mmio_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	struct vmm *m = ctx;

	if (m->inside)
		note_exit(m, a, true);
	m->machine.mmio_write(m->machine.ctx, a, buf, size);
}

/* The processor hears of an interrupt once: after that the interrupt window tells when to take it. */
static bool plat_irq_pending(void *ctx)
{
	struct vmm *m = ctx;

	return !m->window && m->machine.irq_pending(m->machine.ctx);
}

static int plat_irq_ack(void *ctx)
{
	struct vmm *m = ctx;

	return m->machine.irq_ack(m->machine.ctx);
}

/* Shadow page tables are found by the guest's CR3 alone, so there are no process-context identifiers then. */
void vmm_cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	enum { EBX = 1, ECX = 2 };
	struct vmm *m = ctx;

	m->machine.cpuid(m->machine.ctx, cpu, leaf, sub, out);
	if (m->paging == VMM_SHADOW && leaf == 1)
		out[ECX] &= ~(uint32_t)CPUID_PCID;
	if (m->paging == VMM_SHADOW && leaf == 7 && !sub)
		out[EBX] &= ~(uint32_t)CPUID_INVPCID;
}

static bool plat_rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	struct vmm *m = ctx;

	return m->machine.rdmsr && m->machine.rdmsr(m->machine.ctx, msr, val);
}

static bool plat_wrmsr(void *ctx, uint32_t msr, uint64_t val)
{
	struct vmm *m = ctx;

	return m->machine.wrmsr && m->machine.wrmsr(m->machine.ctx, msr, val);
}

static uint64_t plat_tsc(void *ctx)
{
	struct vmm *m = ctx;

	return m->machine.tsc(m->machine.ctx);
}

static void plat_run_timers(void *ctx)
{
	struct vmm *m = ctx;

	m->machine.run_timers(m->machine.ctx);
}

static void plat_alarm_at(void *ctx, uint64_t at)
{
	struct vmm *m = ctx;

	m->machine.alarm_at(m->machine.ctx, at);
}

static void plat_notify(void *ctx)
{
	struct vmm *m = ctx;

	m->machine.notify(m->machine.ctx);
}

struct platform vmm_platform(struct vmm *m)
{
	return (struct platform){ .ctx = m,
				  .in = plat_in,
				  .out = plat_out,
				  .mmio_read = plat_mmio_read,
				  .mmio_write = plat_mmio_write,
				  .irq_pending = plat_irq_pending,
				  .irq_ack = plat_irq_ack,
				  .cpuid = vmm_cpuid,
				  .rdmsr = plat_rdmsr,
				  .wrmsr = plat_wrmsr,
				  .tsc = plat_tsc,
				  .run_timers = plat_run_timers,
				  .alarm_at = m->machine.alarm_at ? plat_alarm_at : NULL,
				  .notify = m->machine.notify ? plat_notify : NULL };
}
