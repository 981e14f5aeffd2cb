/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the monitor does about each exit (SDM vol. 3C App. C). The frequent ones are handled here; an
 * instruction that is rare or long is left to be emulated when the processor has stopped. */
#include "vmm/vmm_int.h"

#include "cpu/system.h"
#include "vtx/bits.h"
#include "x86/msrs.h"
#include "x86/paging.h"

/* ---- the guest's instruction and what comes after it ---- */

/* Go on behind the instruction that exited. */
static void skip(struct vmm *m)
{
	uint64_t blocked = vm_read(m, VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t rip = vm_read(m, VMCS_GUEST_RIP) + vm_read(m, VMCS_EXIT_INSTRUCTION_LENGTH);

	/* In 16-bit code segments IP wraps where its limit is 64 KiB; whoever jumps over that edge faults. */
	vm_write(m, VMCS_GUEST_RIP, vmm_64(m) ? rip : (uint32_t)rip);
	vm_write(m, VMCS_GUEST_INTERRUPTIBILITY, blocked & ~(uint64_t)(BLOCK_STI | BLOCK_MOV_SS));
}

/* Leave the instruction that exited, or the event that was on its way to the guest, to be carried out when
 * the processor has stopped. */
static bool emulate(struct vmm *m)
{
	bool event = vm_read(m, VMCS_IDT_VECTORING_INFO) & EVENT_VALID;

	m->pending = event ? PENDING_DELIVER : PENDING_EMULATE;
	return false;
}

/* A single step of the guest's own traps behind the instruction: the processor knows how. */
static bool steps(const struct vmm *m)
{
	return vm_read(m, VMCS_GUEST_RFLAGS) & FL_TF;
}

static void inject(struct vmm *m, const struct vmx_event *e)
{
	vm_write(m, VMCS_ENTRY_INTERRUPTION_INFO, vmx_event_info(e));
	vm_write(m, VMCS_ENTRY_EXCEPTION_ERROR_CODE, e->error);
	vm_write(m, VMCS_ENTRY_INSTRUCTION_LENGTH, e->length);
}

static bool inject_exception(struct vmm *m, uint8_t vector, bool has_error, uint32_t error)
{
	inject(m,
	       &(struct vmx_event){
		   .type = VMX_EVENT_EXCEPTION, .vector = vector, .has_error = has_error, .error = error });
	return true;
}

/* An event was on its way to the guest when the exit came: deliver it anew. */
static void deliver_again(struct vmm *m)
{
	uint64_t info = vm_read(m, VMCS_IDT_VECTORING_INFO);

	if (!(info & EVENT_VALID))
		return;
	vm_write(m, VMCS_ENTRY_INTERRUPTION_INFO, info & ~(uint64_t)EVENT_NMI_UNBLOCKING);
	vm_write(m, VMCS_ENTRY_EXCEPTION_ERROR_CODE, vm_read(m, VMCS_IDT_VECTORING_ERROR_CODE));
	vm_write(m, VMCS_ENTRY_INSTRUCTION_LENGTH, vm_read(m, VMCS_EXIT_INSTRUCTION_LENGTH));
}

/* ---- interrupts ---- */

static bool interruptible(const struct vmm *m)
{
	return vm_read(m, VMCS_GUEST_RFLAGS) & FL_IF &&
	       !(vm_read(m, VMCS_GUEST_INTERRUPTIBILITY) & (BLOCK_STI | BLOCK_MOV_SS)) &&
	       !(vm_read(m, VMCS_ENTRY_INTERRUPTION_INFO) & EVENT_VALID);
}

static void wait_for_window(struct vmm *m, bool on)
{
	m->window = on;
	vm_control(m, VMX_PROC_INTERRUPT_WINDOW, on);
}

/* The machine asserts INTR, or the guest can take the interrupt that waits. */
static bool interrupt(struct vmm *m)
{
	int vector;

	if (!m->machine.irq_pending(m->machine.ctx)) {
		wait_for_window(m, false);
		return true;
	}
	if (!interruptible(m)) {
		wait_for_window(m, true);
		return true;
	}
	wait_for_window(m, false);
	vector = m->machine.irq_ack(m->machine.ctx);
	if (vector >= 0) {
		vm_write(m, VMCS_GUEST_ACTIVITY, VMX_ACTIVE);
		inject(m, &(struct vmx_event){ .type = VMX_EVENT_EXTERNAL, .vector = (uint8_t)vector });
	}
	return true;
}

static bool on_external(struct vmm *m)
{
	deliver_again(m);
	return interrupt(m);
}

/* The guest gets the machine's NMI as its own. */
static bool on_nmi_or_fault(struct vmm *m)
{
	uint64_t info = vm_read(m, VMCS_EXIT_INTERRUPTION_INFO);
	uint32_t err = (uint32_t)vm_read(m, VMCS_EXIT_INTERRUPTION_ERROR_CODE);
	gva lin = vm_read(m, VMCS_EXIT_QUALIFICATION);

	if (vmx_event_vector(info) != EXC_PF)
		return emulate(m);
	switch (shadow_fault(m, lin, &err)) {
	case SHADOW_MAPPED:
		deliver_again(m);
		return true;
	case SHADOW_EMULATE:
		return emulate(m);
	default:
		break;
	}
	if (vm_read(m, VMCS_IDT_VECTORING_INFO) & EVENT_VALID)
		return emulate(m); /* it may become a double fault */
	m->v->cpu.cr2 = lin;
	return inject_exception(m, EXC_PF, true, err);
}

/* ---- instructions ---- */

static bool on_cpuid(struct vmm *m)
{
	struct cpu *c = &m->v->cpu;
	uint32_t out[4];

	if (steps(m))
		return emulate(m);
	c->cr4 = vmm_cr4(m); /* CPUID shows OSXSAVE */
	vmm_cpuid(m, c, (uint32_t)c->gpr[R_EAX], (uint32_t)c->gpr[R_ECX], out);
	c->gpr[R_EAX] = out[0];
	c->gpr[R_EBX] = out[1];
	c->gpr[R_ECX] = out[2];
	c->gpr[R_EDX] = out[3];
	skip(m);
	return true;
}

/* Qualification of an I/O exit (table 28-5). */
enum { IO_SIZE = 7, IO_IN = 8, IO_STRING = 16, IO_PORT_SHIFT = 16 };

static bool on_io(struct vmm *m)
{
	uint64_t q = vm_read(m, VMCS_EXIT_QUALIFICATION);
	uint16_t port = (uint16_t)(q >> IO_PORT_SHIFT);
	unsigned size = (q & IO_SIZE) + 1;
	uint64_t *eax = &m->v->cpu.gpr[R_EAX], mask = size == 4 ? 0xffffffff : (1u << 8 * size) - 1;

	if (q & IO_STRING || steps(m))
		return emulate(m);
	if (!(q & IO_IN))
		m->machine.out(m->machine.ctx, port, size, (uint32_t)(*eax & mask));
	else if (size == 4)
		*eax = m->machine.in(m->machine.ctx, port, size);
	else
		*eax = (*eax & ~mask) | (m->machine.in(m->machine.ctx, port, size) & mask);
	skip(m);
	return interrupt(m);
}

static bool on_hlt(struct vmm *m)
{
	skip(m);
	vm_write(m, VMCS_GUEST_ACTIVITY, VMX_HALTED);
	return true;
}

static bool on_invlpg(struct vmm *m)
{
	shadow_invlpg(m, vm_read(m, VMCS_EXIT_QUALIFICATION));
	skip(m);
	return true;
}

/* Qualification of a control-register access (table 28-3). */
enum { CR_NUMBER = 15, CR_KIND_SHIFT = 4, CR_REGISTER_SHIFT = 8 };

/* MOV to CR4 that changes PGE alone: a flush of all translations. */
static bool toggle_global(struct vmm *m, uint32_t cr4)
{
	vm_write(m, VMCS_CR4_READ_SHADOW, cr4);
	vm_write(m, VMCS_GUEST_CR4, (vm_read(m, VMCS_GUEST_CR4) & ~(uint64_t)CR4_PGE) | (cr4 & CR4_PGE));
	shadow_enter(m, m->cr3, true);
	skip(m);
	return true;
}

/* The task priority of the machine's APIC: a lower one may let an interrupt through. */
static bool on_cr8(struct vmm *m, bool write, uint64_t *gpr)
{
	if (!write)
		cpu_mov_from_cr(m->v, 8, gpr);
	else if (cpu_mov_to_cr(m->v, 8, *gpr, 0))
		return inject_exception(m, EXC_GP, true, 0);
	skip(m);
	return !write || interrupt(m);
}

static bool on_cr(struct vmm *m)
{
	uint64_t q = vm_read(m, VMCS_EXIT_QUALIFICATION);
	unsigned kind = q >> CR_KIND_SHIFT & 3, reg = q >> CR_REGISTER_SHIFT & 15;
	uint64_t *gpr = &m->v->cpu.gpr[reg], val = vmm_64(m) ? *gpr : (uint32_t)*gpr;

	if ((q & CR_NUMBER) == 4 && kind == 0 && reg != R_ESP && !steps(m) && (val ^ vmm_cr4(m)) == CR4_PGE)
		return toggle_global(m, (uint32_t)val);
	if ((q & CR_NUMBER) == 8 && reg != R_ESP && !steps(m))
		return on_cr8(m, kind == 0, gpr);
	if ((q & CR_NUMBER) != 3 || steps(m) || reg == R_ESP || (kind == 0 && val >> MAXPHYADDR))
		return emulate(m);
	if (kind == 0 && !shadow_pdptes(m, val))
		return inject_exception(m, EXC_GP, true, 0);
	if (kind == 0)
		shadow_enter(m, val, false);
	else
		*gpr = m->cr3;
	skip(m);
	return true;
}

static bool is_vmx_msr(uint32_t msr)
{
	return msr == MSR_FEATURE_CONTROL || (msr >= VMX_MSR_FIRST && msr <= VMX_MSR_LAST);
}

static bool on_msr(struct vmm *m)
{
	if (is_vmx_msr((uint32_t)m->v->cpu.gpr[R_ECX]))
		return inject_exception(m, EXC_GP, true, 0);
	return emulate(m);
}

/* VMX, which this processor has and the guest's does not. */
static bool on_vmx_instruction(struct vmm *m)
{
	return inject_exception(m, EXC_UD, false, 0);
}

static bool on_triple_fault(struct vmm *m)
{
	m->pending = PENDING_SHUTDOWN;
	return false;
}

static bool (*const handlers[])(struct vmm *m) = {
	[VMX_REASON_EXCEPTION_NMI] = on_nmi_or_fault,
	[VMX_REASON_EXTERNAL_INTERRUPT] = on_external,
	[VMX_REASON_TRIPLE_FAULT] = on_triple_fault,
	[VMX_REASON_INTERRUPT_WINDOW] = interrupt,
	[VMX_REASON_CPUID] = on_cpuid,
	[VMX_REASON_HLT] = on_hlt,
	[VMX_REASON_INVLPG] = on_invlpg,
	[VMX_REASON_CR_ACCESS] = on_cr,
	[VMX_REASON_IO] = on_io,
	[VMX_REASON_RDMSR] = on_msr,
	[VMX_REASON_WRMSR] = on_msr,
	[VMX_REASON_VMCALL] = on_vmx_instruction,
	[VMX_REASON_VMCLEAR] = on_vmx_instruction,
	[VMX_REASON_VMLAUNCH] = on_vmx_instruction,
	[VMX_REASON_VMPTRLD] = on_vmx_instruction,
	[VMX_REASON_VMPTRST] = on_vmx_instruction,
	[VMX_REASON_VMREAD] = on_vmx_instruction,
	[VMX_REASON_VMRESUME] = on_vmx_instruction,
	[VMX_REASON_VMWRITE] = on_vmx_instruction,
	[VMX_REASON_VMXOFF] = on_vmx_instruction,
	[VMX_REASON_VMXON] = on_vmx_instruction,
	[VMX_REASON_INVEPT] = on_vmx_instruction,
	[VMX_REASON_INVVPID] = on_vmx_instruction,
	[VMX_REASON_VMFUNC] = on_vmx_instruction,
};

/* Without a handler: device memory (EPT violations), task switches, mode changes, and what else is rare. */
static bool is_access(uint32_t reason)
{
	return reason == VMX_REASON_IO || reason == VMX_REASON_CR_ACCESS || reason == VMX_REASON_RDMSR ||
	       reason == VMX_REASON_WRMSR;
}

bool vmm_handle(struct vmm *m)
{
	uint32_t reason = (uint32_t)vm_read(m, VMCS_EXIT_REASON) & 0xffff;

	if (m->watched_accesses && is_access(reason))
		return emulate(m);
	if (reason < ARRAY_LEN(handlers) && handlers[reason])
		return handlers[reason](m);
	return emulate(m);
}

/* String I/O reaches the machine's ports by the monitor's platform, and the guest's memory by its own
 * windows. So does a task switch, which loads CR3 and so needs the monitor for shadow page tables. */
bool vmm_in_place(void *ctx, const struct vmx_exit *exit)
{
	const struct vmm *m = ctx;

	if (m->watched)
		return false;
	if (exit->reason == VMX_REASON_IO)
		return exit->qualification & IO_STRING && !m->watched_accesses;
	return exit->reason == VMX_REASON_TASK_SWITCH && !m->shadowing;
}
