/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h: instructions that a guest executes and the VMCS intercepts. */
#include "vtx/executor.h"
#include "vtx/intercept.h"

#include "cpu/system.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

/* Points that one control decides. */
static const struct simple {
	uint8_t point, intercept;
} simple[] = {
#define SIMPLE(id)                                                                                           \
	{                                                                                                    \
		VIRT_##id, VMX_INTERCEPT_##id                                                                \
	}
	SIMPLE(CPUID),	SIMPLE(HLT),	SIMPLE(INVLPG), SIMPLE(INVD),	 SIMPLE(WBINVD),
	SIMPLE(RDPMC),	SIMPLE(PAUSE),	SIMPLE(SGDT),	SIMPLE(SIDT),	 SIMPLE(LGDT),
	SIMPLE(LIDT),	SIMPLE(SLDT),	SIMPLE(STR),	SIMPLE(LLDT),	 SIMPLE(LTR),
	SIMPLE(XSETBV), SIMPLE(RDRAND), SIMPLE(RDSEED), SIMPLE(INVPCID),
#undef SIMPLE
};

static enum vmx_intercept intercept_of(unsigned point)
{
	unsigned i = 0;

	while (simple[i].point != point)
		i++;
	return (enum vmx_intercept)simple[i].intercept;
}

static uint64_t points_now(const struct vmx *x)
{
	uint64_t p = VIRT_BIT(TASK_SWITCH) | VIRT_BIT(IO) | VIRT_BIT(RDMSR) | VIRT_BIT(WRMSR);
	bool offset = ON(PROC_TSC_OFFSETTING);

	for (unsigned i = 0; i < ARRAY_LEN(simple); i++)
		if (vmx_intercepted(x, (enum vmx_intercept)simple[i].intercept) != VMX_RUNS)
			p |= 1ull << simple[i].point;
	if (!ON(PROC_IO_BITMAPS) && !ON(PROC_UNCONDITIONAL_IO) && !x->steer.how[VMX_REASON_IO])
		p &= ~VIRT_BIT(IO);
	if (vmx_intercepted(x, VMX_INTERCEPT_RDTSC) == VMX_EXITS ||
	    vmx_intercepted(x, VMX_INTERCEPT_RDTSCP) == VMX_EXITS || (offset && ON(PROC2_TSC_SCALING)))
		p |= VIRT_BIT(RDTSC) | VIRT_BIT(RDTSCP);
	if (ON(PROC2_PAUSE_LOOP))
		p |= VIRT_BIT(PAUSE);
	if (!ON(PROC2_RDTSCP))
		p |= VIRT_BIT(RDTSCP);
	if (F(CR0_MASK))
		p |= VIRT_BIT(CR0_READ) | VIRT_BIT(CR0_WRITE);
	if (F(CR4_MASK))
		p |= VIRT_BIT(CR4_READ) | VIRT_BIT(CR4_WRITE);
	if (ON(PROC_CR3_LOAD))
		p |= VIRT_BIT(CR3_WRITE);
	if (vmx_cr_forced(x))
		p |= VIRT_BIT(CR0_WRITE) | VIRT_BIT(CR3_WRITE) | VIRT_BIT(CR4_WRITE);
	if (vmx_intercepted(x, VMX_INTERCEPT_CR3_STORE) == VMX_EXITS)
		p |= VIRT_BIT(CR3_READ);
	if (ON(PROC_TPR_SHADOW) || ON(PROC_CR8_STORE))
		p |= VIRT_BIT(CR8_READ);
	if (ON(PROC_TPR_SHADOW) || ON(PROC_CR8_LOAD))
		p |= VIRT_BIT(CR8_WRITE);
	if (vmx_intercepted(x, VMX_INTERCEPT_MOV_DR) == VMX_EXITS)
		p |= VIRT_BIT(DR_READ) | VIRT_BIT(DR_WRITE);
	return p;
}

/* They follow from these words alone. */
uint64_t vmx_points(struct vmx_executor *e)
{
	const struct vmx *x = &e->x;
	uint64_t of[] = { F(PROC_CONTROLS), F(SECONDARY_PROC_CONTROLS), !F(CR0_MASK), !F(CR4_MASK) };
	uint64_t differ = 0;

	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		differ |= of[i] ^ e->points_of[i];
	if (!differ)
		return e->points;
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		e->points_of[i] = of[i];
	e->points = points_now(x);
	return e->points;
}

/* ---- exits ---- */

/* Note an exit by the instruction at cpu.rip. */
static int exit_by(struct vmx_executor *e, const struct virt_insn *i, enum vmx_reason reason,
		   uint64_t qualification)
{
	e->exit = (struct vmx_exit){
		.reason = reason,
		.qualification = qualification,
		.instruction_length = (uint32_t)(i->next - e->v->cpu.rip),
		.instruction_info = i->info,
	};
	return cpu_raise(&e->v->cpu, EXC_EXIT);
}

static int io(struct vmx_executor *e, const struct virt_insn *i)
{
	struct vmx_io io = { i->port, i->size, i->in, i->string, i->rep, i->immediate };

	if (!vmx_io_exits(&e->x, i->port, i->size))
		return 0;
	exit_by(e, i, VMX_REASON_IO, vmx_io_qualification(&io));
	if (i->string)
		e->exit.linear = i->offset;
	if (!vmx_capable(&e->x.caps, VMX_CAP_INS_OUTS_INFO))
		e->exit.instruction_info = 0;
	return -1;
}

static int cr0_write(struct vmx_executor *e, struct virt_insn *i)
{
	const uint32_t real = e->v->cpu.cr0;
	uint64_t q = vmx_cr_qualification(0, VMX_CR_WRITE, i->reg, 0, false);
	bool exits;

	switch (i->number) {
	case VIRT_CR0_CLTS:
		q = vmx_cr_qualification(0, VMX_CR_CLTS, 0, 0, false);
		exits = vmx_clts_exits(&e->x, real, &i->data);
		break;
	case VIRT_CR0_LMSW:
		q = vmx_cr_qualification(0, VMX_CR_LMSW, 0, (uint16_t)i->data, i->memory);
		exits = vmx_lmsw_exits(&e->x, real, (uint16_t)i->data, &i->data);
		break;
	default:
		exits = vmx_cr0_exits(&e->x, real, i->data, &i->data);
		break;
	}
	return exits ? exit_by(e, i, VMX_REASON_CR_ACCESS, q) : 0;
}

static int cr_access(struct vmx_executor *e, struct virt_insn *i)
{
	const struct cpu *c = &e->v->cpu;

	switch (i->id) {
	case VIRT_CR0_READ:
		i->data = vmx_cr0_read(&e->x, c->cr0);
		return 0;
	case VIRT_CR4_READ:
		i->data = vmx_cr4_read(&e->x, c->cr4);
		return 0;
	case VIRT_CR3_READ:
		return exit_by(e, i, VMX_REASON_CR_ACCESS,
			       vmx_cr_qualification(3, VMX_CR_READ, i->reg, 0, false));
	case VIRT_CR3_WRITE:
		if (!vmx_cr3_exits(&e->x, i->data))
			return 0;
		return exit_by(e, i, VMX_REASON_CR_ACCESS,
			       vmx_cr_qualification(3, VMX_CR_WRITE, i->reg, 0, false));
	default:
		if (!vmx_cr4_exits(&e->x, c->cr4, i->data, &i->data))
			return 0;
		return exit_by(e, i, VMX_REASON_CR_ACCESS,
			       vmx_cr_qualification(4, VMX_CR_WRITE, i->reg, 0, false));
	}
}

/* The virtual APIC's task priority in place of the APIC's, with TPR shadow (30.3). */
static int cr8_access(struct vmx_executor *e, struct virt_insn *i)
{
	const struct vmx *x = &e->x;
	bool write = i->id == VIRT_CR8_WRITE;

	if (write ? ON(PROC_CR8_LOAD) : ON(PROC_CR8_STORE))
		return exit_by(e, i, VMX_REASON_CR_ACCESS,
			       vmx_cr_qualification(8, write ? VMX_CR_WRITE : VMX_CR_READ, i->reg, 0, false));
	if (!ON(PROC_TPR_SHADOW))
		return 0;
	if (!write) {
		i->data = vmx_apic_tpr(e);
		return 0;
	}
	if (i->data > 15)
		return cpu_raise_err(&e->v->cpu, EXC_GP, 0);
	vmx_apic_set_tpr(e, (uint8_t)i->data);
	return 1;
}

static int rdtsc(struct vmx_executor *e, struct virt_insn *i)
{
	enum vmx_intercepted how =
	    vmx_intercepted(&e->x, i->id == VIRT_RDTSC ? VMX_INTERCEPT_RDTSC : VMX_INTERCEPT_RDTSCP);

	if (how == VMX_UNDEFINED)
		return cpu_raise(&e->v->cpu, EXC_UD);
	if (how == VMX_EXITS)
		return exit_by(e, i, i->id == VIRT_RDTSC ? VMX_REASON_RDTSC : VMX_REASON_RDTSCP, 0);
	i->data = vmx_guest_tsc(&e->x, i->data);
	return 0;
}

static int msr(struct vmx_executor *e, const struct virt_insn *i)
{
	bool write = i->id == VIRT_WRMSR;

	if (!vmx_msr_exits(&e->x, i->msr, write))
		return 0;
	return exit_by(e, i, write ? VMX_REASON_WRMSR : VMX_REASON_RDMSR, 0);
}

static int task_switch(struct vmx_executor *e, const struct virt_insn *i)
{
	static const uint8_t sources[] = { VMX_TASK_JMP, VMX_TASK_CALL, VMX_TASK_IRET, VMX_TASK_GATE };

	exit_by(e, i, VMX_REASON_TASK_SWITCH,
		vmx_task_qualification(i->selector, (enum vmx_task_source)sources[i->how]));
	return -1;
}

/* PAUSE at CPL 0 that does not exit by itself: is it one in a loop that has lasted too long (26.1.3)? */
static bool pause_loop(struct vmx_executor *e)
{
	const struct vmx *x = &e->x;
	uint64_t now = e->v->plat.tsc(e->v->plat.ctx);

	if (!e->pauses++ || now - e->pause_last > F(PLE_GAP))
		e->pause_first = now;
	e->pause_last = now;
	return now - e->pause_first > F(PLE_WINDOW);
}

static int intercept(struct vcpu *v, struct vmx_executor *e, struct virt_insn *i)
{
	enum vmx_intercept k;

	switch (i->id) {
	case VIRT_IO:
		return io(e, i);
	case VIRT_RDMSR:
	case VIRT_WRMSR:
		return msr(e, i);
	case VIRT_RDTSC:
	case VIRT_RDTSCP:
		return rdtsc(e, i);
	case VIRT_CR0_WRITE:
		return cr0_write(e, i);
	case VIRT_CR0_READ:
	case VIRT_CR3_READ:
	case VIRT_CR4_READ:
	case VIRT_CR3_WRITE:
	case VIRT_CR4_WRITE:
		return cr_access(e, i);
	case VIRT_CR8_READ:
	case VIRT_CR8_WRITE:
		return cr8_access(e, i);
	case VIRT_DR_READ:
	case VIRT_DR_WRITE:
		return exit_by(e, i, VMX_REASON_MOV_DR,
			       vmx_dr_qualification(i->number, i->id == VIRT_DR_READ, i->reg));
	case VIRT_TASK_SWITCH:
		return task_switch(e, i);
	default:
		break;
	}
	k = intercept_of(i->id);
	if (vmx_intercepted(&e->x, k) == VMX_UNDEFINED)
		return cpu_raise(&v->cpu, EXC_UD);
	if (i->id == VIRT_PAUSE && vmx_intercepted(&e->x, k) == VMX_RUNS && (v->cpu.cpl || !pause_loop(e)))
		return 0;
	return exit_by(e, i, vmx_intercepts[k].reason, i->id == VIRT_INVLPG ? i->offset : i->displacement);
}

int vmx_intercept_insn(struct vcpu *v, struct virt_insn *i)
{
	struct vmx_executor *e = vmx_executor_of(v);
	int r = intercept(v, e, i);

	if (r >= 0 || !e->in_place || v->cpu.exc.vector != EXC_EXIT || !e->in_place(e->root_ctx, &e->exit))
		return r;
	vmx_executor_note(e, &e->exit);
	return 0;
}
