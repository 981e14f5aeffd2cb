/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/executor.h: instructions that a guest executes and the VMCB intercepts. */
#include "svm/executor.h"
#include "svm/intercept.h"
#include "svm/interrupt.h"

#include "cpu/system.h"

/* Points that one bit decides. */
static const struct simple {
	uint8_t point, code;
} simple[] = {
#define SIMPLE(point, exit)                                                                                  \
	{                                                                                                    \
		VIRT_##point, SVM_EXIT_##exit                                                                \
	}
#define CR(how, n)                                                                                           \
	{                                                                                                    \
		VIRT_CR##n##_##how, SVM_EXIT_CR_##how + n                                                    \
	}
	SIMPLE(CPUID, CPUID),
	SIMPLE(RDPMC, RDPMC),
	SIMPLE(PUSHF, PUSHF),
	SIMPLE(POPF, POPF),
	SIMPLE(IRET, IRET),
	SIMPLE(INVD, INVD),
	SIMPLE(PAUSE, PAUSE),
	SIMPLE(INVLPG, INVLPG),
	SIMPLE(INVPCID, INVPCID),
	SIMPLE(WBINVD, WBINVD),
	SIMPLE(XSETBV, XSETBV),
	SIMPLE(SGDT, GDTR_READ),
	SIMPLE(SIDT, IDTR_READ),
	SIMPLE(SLDT, LDTR_READ),
	SIMPLE(STR, TR_READ),
	SIMPLE(LGDT, GDTR_WRITE),
	SIMPLE(LIDT, IDTR_WRITE),
	SIMPLE(LLDT, LDTR_WRITE),
	SIMPLE(LTR, TR_WRITE),
	SIMPLE(RDTSC, RDTSC),
	SIMPLE(RDTSCP, RDTSCP),
	SIMPLE(IO, IOIO),
	SIMPLE(RDMSR, MSR),
	SIMPLE(WRMSR, MSR),
	SIMPLE(TASK_SWITCH, TASK_SWITCH),
	SIMPLE(HLT, HLT),
	SIMPLE(HLT, IDLE_HLT),
	SIMPLE(SOFT_INT, INT_N),
	SIMPLE(SOFT_INT, ICEBP),
	SIMPLE(CR0_WRITE, CR0_SELECTIVE),
	CR(READ, 0),
	CR(READ, 2),
	CR(READ, 3),
	CR(READ, 4),
	CR(READ, 8),
	CR(WRITE, 0),
	CR(WRITE, 2),
	CR(WRITE, 3),
	CR(WRITE, 4),
	CR(WRITE, 8),
#undef SIMPLE
#undef CR
};

uint64_t svm_points(const struct svm *x)
{
	uint64_t p = 0;

	for (unsigned i = 0; i < ARRAY_LEN(simple); i++)
		if (svm_intercepted(x, simple[i].code))
			p |= 1ull << simple[i].point;
	for (unsigned n = 0; n < 8; n++) {
		if (svm_intercepted(x, SVM_EXIT_DR_READ + n))
			p |= VIRT_BIT(DR_READ);
		if (svm_intercepted(x, SVM_EXIT_DR_WRITE + n))
			p |= VIRT_BIT(DR_WRITE);
	}
	if (x->caps.model.long_mode) /* V_TPR */
		p |= VIRT_BIT(CR8_WRITE) | (VMCB_BITS(&x->vmcb, V_INTR_MASKING) ? VIRT_BIT(CR8_READ) : 0);
	if (x->tsc_ratio != TSC_RATIO_ONE)
		p |= VIRT_BIT(RDTSC) | VIRT_BIT(RDTSCP);
	if (VMCB_ON(&x->caps, &x->vmcb, V_NMI_ENABLE))
		p |= VIRT_BIT(IRET); /* it ends the mask of virtual NMIs */
	return p;
}

/* ---- exits ---- */

/* Note an exit by the instruction at cpu.rip. */
static int exit_by(struct svm_executor *e, const struct virt_insn *i, unsigned code, uint64_t info1,
		   uint64_t info2)
{
	e->exit = (struct svm_exit){ .code = code, .info1 = info1, .info2 = info2, .next_rip = i->next };
	e->data_access = false;
	return cpu_raise(&e->v->cpu, EXC_EXIT);
}

static int exit_if(struct svm_executor *e, const struct virt_insn *i, unsigned code, uint64_t info1)
{
	return svm_exits(&e->x, code) ? exit_by(e, i, code, info1, 0) : 0;
}

static int io(struct svm_executor *e, const struct virt_insn *i)
{
	const struct cpu *c = &e->v->cpu;
	uint8_t wide = cpu_64(c) ? 8 : c->seg[SEG_CS].attr & SA_DB ? 4 : 2;
	struct svm_io io = { .port = i->port,
			     .size = i->size,
			     .address_size = i->string ? i->asize : wide,
			     .seg = i->seg,
			     .in = i->in,
			     .string = i->string,
			     .rep = i->rep };

	if (!svm_io_exits(&e->x, i->port, i->size))
		return 0;
	return exit_by(e, i, SVM_EXIT_IOIO, svm_io_info(&io), i->next);
}

static int cr0_write(struct svm_executor *e, const struct virt_insn *i)
{
	static const uint8_t hows[] = { SVM_CR0_MOV, SVM_CR0_CLTS, SVM_CR0_LMSW };
	const uint32_t real = e->v->cpu.cr0;
	unsigned code = svm_cr0_exits(&e->x, real, i->data, (enum svm_cr0_write)hows[i->number]);

	return code ? exit_by(e, i, code, svm_cr_info(&e->x, i->number == VIRT_CR0_MOV, i->reg), 0) : 0;
}

/* Without an exit CLTS and LMSW write what they would; MOV its operand. */
static void cr0_result(const struct svm_executor *e, struct virt_insn *i)
{
	const uint32_t real = e->v->cpu.cr0, low = CR0_MP | CR0_EM | CR0_TS;

	if (i->number == VIRT_CR0_CLTS)
		i->data = real & ~(uint32_t)CR0_TS;
	else if (i->number == VIRT_CR0_LMSW)
		i->data = (real & ~low) | (i->data & (low | CR0_PE));
}

static int cr8_read(struct svm_executor *e, struct virt_insn *i)
{
	if (svm_exits(&e->x, SVM_EXIT_CR_READ + 8))
		return exit_by(e, i, SVM_EXIT_CR_READ + 8, svm_cr_info(&e->x, true, i->reg), 0);
	i->data = svm_cr8_read(&e->x, (uint8_t)i->data);
	return 0;
}

/* A lower V_TPR may let a virtual interrupt through. */
static int cr8_write(struct svm_executor *e, const struct virt_insn *i)
{
	if (svm_exits(&e->x, SVM_EXIT_CR_WRITE + 8))
		return exit_by(e, i, SVM_EXIT_CR_WRITE + 8, svm_cr_info(&e->x, true, i->reg), 0);
	if (i->data > 15)
		return cpu_raise_err(&e->v->cpu, EXC_GP, 0);
	if (svm_cr8_write(&e->x, (uint8_t)i->data))
		return 0;
	e->virt.ask = true;
	return 1;
}

static int tsc(struct svm_executor *e, struct virt_insn *i)
{
	unsigned code = i->id == VIRT_RDTSC ? SVM_EXIT_RDTSC : SVM_EXIT_RDTSCP;

	if (svm_exits(&e->x, code))
		return exit_by(e, i, code, 0, 0);
	i->data = svm_guest_tsc(&e->x, i->data);
	return 0;
}

static int msr(struct svm_executor *e, const struct virt_insn *i)
{
	bool write = i->id == VIRT_WRMSR;

	return svm_msr_exits(&e->x, i->msr, write) ? exit_by(e, i, SVM_EXIT_MSR, write, 0) : 0;
}

/* RIP is that of the instruction; of a task gate, that of the event's return. */
static int task_switch(struct svm_executor *e, const struct virt_insn *i)
{
	static const uint8_t sources[] = { SVM_TASK_JMP, SVM_TASK_CALL, SVM_TASK_IRET, SVM_TASK_GATE };
	const struct virt_event *d = &e->virt.delivering;
	enum svm_task_source source = (enum svm_task_source)sources[i->how];
	bool error = source == SVM_TASK_GATE && d->type != VIRT_EVENT_NONE && d->has_err;

	return exit_by(e, i, SVM_EXIT_TASK_SWITCH, i->selector,
		       svm_task_info(source, error ? &d->err : NULL, cpu_eflags(&e->v->cpu)));
}

/* INT3 and INTO have no intercepts but as exceptions. */
static int soft_int(struct svm_executor *e, const struct virt_insn *i)
{
	if (i->how == CPU_INT_N)
		return exit_if(e, i, SVM_EXIT_INT_N, svm_int_info(&e->x, i->vector));
	return i->how == CPU_INT1 ? exit_if(e, i, SVM_EXIT_ICEBP, 0) : 0;
}

static int halt(struct svm_executor *e, const struct virt_insn *i)
{
	unsigned code = svm_hlt_exits(&e->x);

	return code ? exit_by(e, i, code, 0, 0) : 0;
}

static int iret(struct svm_executor *e, const struct virt_insn *i)
{
	if (svm_exits(&e->x, SVM_EXIT_IRET))
		return exit_by(e, i, SVM_EXIT_IRET, 0, 0);
	svm_unblock_nmi(&e->x);
	e->virt.ask = true;
	return 0;
}

static unsigned code_of(unsigned point)
{
	unsigned k = 0;

	while (k + 1 < ARRAY_LEN(simple) && simple[k].point != point)
		k++;
	return simple[k].code;
}

int svm_intercept_insn(struct vcpu *v, struct virt_insn *i)
{
	struct svm_executor *e = svm_executor_of(v);
	int r;

	switch (i->id) {
	case VIRT_IO:
		return io(e, i);
	case VIRT_RDMSR:
	case VIRT_WRMSR:
		return msr(e, i);
	case VIRT_RDTSC:
	case VIRT_RDTSCP:
		return tsc(e, i);
	case VIRT_CR0_WRITE:
		r = cr0_write(e, i);
		if (!r)
			cr0_result(e, i);
		return r;
	case VIRT_CR0_READ:
		return exit_if(e, i, SVM_EXIT_CR_READ,
			       svm_cr_info(&e->x, i->number != VIRT_CR0_LMSW, i->reg));
	case VIRT_CR2_READ:
	case VIRT_CR3_READ:
	case VIRT_CR4_READ:
	case VIRT_CR2_WRITE:
	case VIRT_CR3_WRITE:
	case VIRT_CR4_WRITE:
		return exit_if(e, i, code_of(i->id), svm_cr_info(&e->x, true, i->reg));
	case VIRT_CR8_READ:
		return cr8_read(e, i);
	case VIRT_CR8_WRITE:
		return cr8_write(e, i);
	case VIRT_DR_READ:
		return exit_if(e, i, SVM_EXIT_DR_READ + i->number, svm_dr_info(&e->x, i->reg));
	case VIRT_DR_WRITE:
		return exit_if(e, i, SVM_EXIT_DR_WRITE + i->number, svm_dr_info(&e->x, i->reg));
	case VIRT_TASK_SWITCH:
		return task_switch(e, i);
	case VIRT_SOFT_INT:
		return soft_int(e, i);
	case VIRT_HLT:
		return halt(e, i);
	case VIRT_IRET:
		return iret(e, i);
	case VIRT_INVLPG:
		return exit_by(e, i, SVM_EXIT_INVLPG, svm_address_info(&e->x, i->offset), 0);
	default:
		return exit_by(e, i, code_of(i->id), 0, 0);
	}
}
