/* SPDX-License-Identifier: GPL-3.0-or-later
 * Far JMP, CALL and RET: direct, through call gates, to tasks (SDM vol. 3A
 * 5.8, vol. 2 CALL, JMP, RET). */
#include "cpu/long_int.h"

/* A far transfer in progress. */
struct far_op {
	uint16_t sel; /* as given by the instruction */
	uint64_t off;
	uint64_t next; /* return address */
	unsigned op;   /* operand size; the gate's after a gate */
	bool call;
};

/* The target: a checked code segment, with its accessed bit set. */
struct far_target {
	struct seg_cache cs;
	uint32_t eip;
	unsigned cpl;
};

static void far_commit(struct cpu *c, const struct far_target *t)
{
	c->seg[SEG_CS] = t->cs;
	c->rip = t->eip;
	c->cpl = (uint8_t)t->cpl;
}

/* Fill T for code segment D entered at EIP with privilege CPL. */
static int target_set(struct vcpu *v, struct far_target *t, struct desc *d, uint16_t sel, uint32_t eip,
		      unsigned cpl)
{
	if (eip > desc_limit(d))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	if (desc_touch(v, d))
		return -1;
	desc_cache(d, (uint16_t)((sel & (SEL_INDEX | SEL_TI)) | cpl), &t->cs);
	t->eip = eip;
	t->cpl = cpl;
	return 0;
}

/* Push CS and the return address on the current stack and transfer control. */
static int far_same_ring(struct vcpu *v, const struct far_op *o, const struct far_target *t)
{
	struct cpu *c = &v->cpu;
	uint32_t f[2] = { (uint32_t)o->next, c->seg[SEG_CS].sel }, esp = (uint32_t)c->gpr[R_ESP];

	if (o->call) {
		if (stack_push(v, &c->seg[SEG_SS], &esp, f, 2, o->op, cpl_how(c->cpl), 0))
			return -1;
		c->gpr[R_ESP] = esp;
	}
	far_commit(c, t);
	return 0;
}

static int far_86(struct vcpu *v, const struct far_op *o)
{
	struct cpu *c = &v->cpu;
	struct far_target t = { .eip = (uint32_t)(o->op == 2 ? o->off & 0xffff : o->off), .cpl = c->cpl };

	if (t.eip > c->seg[SEG_CS].limit)
		return cpu_raise_err(c, EXC_GP, 0);
	t.cs = cpu_v86(c) ? seg_v86(o->sel) : seg_real(&c->seg[SEG_CS], o->sel);
	return far_same_ring(v, o, &t);
}

static int far_code(struct vcpu *v, const struct far_op *o, struct desc *d)
{
	struct cpu *c = &v->cpu;
	struct far_target t;
	bool bad;

	if (desc_conforming(d))
		bad = desc_dpl(d) > c->cpl;
	else
		bad = (o->sel & 3) > c->cpl || desc_dpl(d) != c->cpl;
	if (bad)
		return cpu_raise_err(c, EXC_GP, sel_err(o->sel, 0));
	if (!(d->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(o->sel, 0));
	if (target_set(v, &t, d, o->sel, (uint32_t)(o->op == 2 ? o->off & 0xffff : o->off), c->cpl))
		return -1;
	return far_same_ring(v, o, &t);
}

#define PARAM_MAX 31

/* Write the inner ring's frame: SS, ESP, parameters, CS, EIP. */
static int push_inner_frame(struct vcpu *v, const struct far_op *o, const struct seg_cache *ss, uint32_t *esp,
			    unsigned nparam, unsigned cpl)
{
	struct cpu *c = &v->cpu;
	uint32_t outer[2] = { (uint32_t)c->gpr[R_ESP], c->seg[SEG_SS].sel };
	uint32_t ret[2] = { (uint32_t)o->next, c->seg[SEG_CS].sel };
	uint32_t param[PARAM_MAX], err = sel_err(ss->sel, 0);
	unsigned how = cpl_how(cpl);

	if (nparam && stack_peek(v, 0, param, nparam, o->op))
		return -1;
	if (stack_push(v, ss, esp, outer, 2, o->op, how, err))
		return -1;
	for (unsigned i = nparam; i-- > 0;)
		if (stack_push(v, ss, esp, &param[i], 1, o->op, how, err))
			return -1;
	return stack_push(v, ss, esp, ret, 2, o->op, how, err);
}

static int far_inner_ring(struct vcpu *v, const struct far_op *o, const struct far_target *t, unsigned nparam)
{
	struct cpu *c = &v->cpu;
	struct seg_cache ss;
	struct desc d;
	uint16_t sel;
	uint32_t esp;

	if (tss_stack(v, t->cpl, &sel, &esp, 0) || desc_fetch_ss(v, sel, t->cpl, &d, EXC_TS, 0) ||
	    desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &ss);
	if (push_inner_frame(v, o, &ss, &esp, nparam, t->cpl))
		return -1;
	c->seg[SEG_SS] = ss;
	c->gpr[R_ESP] = esp;
	far_commit(c, t);
	return 0;
}

/* May the caller use this call or task gate? */
static int gate_check(struct vcpu *v, const struct far_op *o, const struct desc *gate)
{
	struct cpu *c = &v->cpu;

	if (desc_dpl(gate) < c->cpl || desc_dpl(gate) < (o->sel & 3u))
		return cpu_raise_err(c, EXC_GP, sel_err(o->sel, 0));
	if (!(gate->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(o->sel, 0));
	return 0;
}

static int far_call_gate(struct vcpu *v, struct far_op *o, const struct desc *gate)
{
	struct cpu *c = &v->cpu;
	uint16_t sel = gate_selector(gate);
	unsigned cpl = c->cpl;
	struct far_target t;
	struct desc d;
	bool bad;

	if (gate_check(v, o, gate))
		return -1;
	if (sel_null(sel))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_fetch(v, sel, &d, EXC_GP, 0))
		return -1;
	bad = !desc_code(&d) || desc_dpl(&d) > cpl;
	if (!o->call && !desc_conforming(&d))
		bad |= desc_dpl(&d) != cpl; /* a jump cannot change rings */
	if (bad)
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (!(d.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	if (!desc_conforming(&d))
		cpl = desc_dpl(&d);
	o->op = desc_type(gate) & DT_32BIT ? 4 : 2;
	o->off = (gate->lo & 0xffff) | (o->op == 4 ? gate->hi & 0xffff0000 : 0);
	if (target_set(v, &t, &d, sel, (uint32_t)o->off, cpl))
		return -1;
	return cpl < c->cpl ? far_inner_ring(v, o, &t, gate->hi & PARAM_MAX) : far_same_ring(v, o, &t);
}

static int far_switch(struct vcpu *v, const struct far_op *o, uint16_t sel, struct desc *tss)
{
	return task_switch(v, sel, tss, o->call ? TASK_CALL : TASK_JMP, (uint32_t)o->next,
			   cpu_eflags(&v->cpu), 0);
}

static int far_task_gate(struct vcpu *v, const struct far_op *o, const struct desc *gate)
{
	uint16_t sel = gate_selector(gate);
	struct desc tss;

	if (gate_check(v, o, gate) || tss_fetch(v, sel, &tss, 0))
		return -1;
	return far_switch(v, o, sel, &tss);
}

static int far_tss(struct vcpu *v, const struct far_op *o, struct desc *tss)
{
	struct cpu *c = &v->cpu;

	if ((o->sel & 4) || desc_dpl(tss) < c->cpl || desc_dpl(tss) < (o->sel & 3u))
		return cpu_raise_err(c, EXC_GP, sel_err(o->sel, 0));
	if (!(tss->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(o->sel, 0));
	return far_switch(v, o, o->sel, tss);
}

/* IA-32e mode has neither tasks nor gates of 8 bytes. */
static int far_long(struct vcpu *v, const struct far_op *o, struct desc *d)
{
	if (desc_type(d) == DT_CALL32)
		return long_call_gate(v, o->sel, d, o->call, o->next);
	if (!desc_code(d))
		return cpu_raise_err(&v->cpu, EXC_GP, sel_err(o->sel, 0));
	return long_far_code(v, o->sel, d, o->off, o->op, o->call, o->next);
}

static int far_go(struct vcpu *v, struct far_op *o)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	if (!cpu_pe(c) || cpu_v86(c))
		return far_86(v, o);
	if (sel_null(o->sel))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_fetch(v, o->sel, &d, EXC_GP, 0))
		return -1;
	if (RARE(cpu_long(c)))
		return far_long(v, o, &d);
	if (desc_code(&d))
		return far_code(v, o, &d);
	switch (desc_type(&d)) {
	case DT_CALL16:
	case DT_CALL32:
		return far_call_gate(v, o, &d);
	case DT_TASK:
		return far_task_gate(v, o, &d);
	case DT_TSS16:
	case DT_TSS32:
		return far_tss(v, o, &d);
	}
	return cpu_raise_err(c, EXC_GP, sel_err(o->sel, 0)); /* data, busy TSS, LDT, ... */
}

int cpu_jmp_far(struct vcpu *v, uint16_t sel, uint64_t off, unsigned op, uint64_t next)
{
	struct far_op o = { .sel = sel, .off = off, .next = next, .op = op };

	return far_go(v, &o);
}

int cpu_call_far(struct vcpu *v, uint16_t sel, uint64_t off, unsigned op, uint64_t next)
{
	struct far_op o = { .sel = sel, .off = off, .next = next, .op = op, .call = true };

	return far_go(v, &o);
}

/* ---- RET ---- */

int ret_check_cs(struct vcpu *v, uint16_t sel, struct desc *d)
{
	struct cpu *c = &v->cpu;
	unsigned rpl = sel & 3;

	if (RARE(sel_null(sel)))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_fetch(v, sel, d, EXC_GP, 0))
		return -1;
	if (RARE(!desc_code(d) || rpl < c->cpl))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (RARE(desc_conforming(d) ? desc_dpl(d) > rpl : desc_dpl(d) != rpl))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (RARE(!(d->hi & D_P)))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	return 0;
}

static void add_esp(struct cpu *c, uint32_t n)
{
	uint32_t esp = (uint32_t)c->gpr[R_ESP];

	c->gpr[R_ESP] = stack_merge(&c->seg[SEG_SS], esp, esp + n);
}

static int ret_86(struct vcpu *v, unsigned op, unsigned imm)
{
	struct cpu *c = &v->cpu;
	uint32_t f[2];

	if (stack_peek(v, 0, f, 2, op))
		return -1;
	if (f[0] > c->seg[SEG_CS].limit)
		return cpu_raise_err(c, EXC_GP, 0);
	add_esp(c, 2 * op + imm);
	seg_load_cs86(c, (uint16_t)f[1]);
	c->rip = f[0];
	return 0;
}

/* F: EIP, CS. Releases IMM bytes of parameters on both stacks. */
static int ret_outer(struct vcpu *v, unsigned op, unsigned imm, const uint32_t *f, struct desc *cs)
{
	struct cpu *c = &v->cpu;
	unsigned cpl = f[1] & 3;
	uint32_t stack[2];
	struct desc ss;

	if (stack_peek(v, 2 * op + imm, stack, 2, op) ||
	    desc_fetch_ss(v, (uint16_t)stack[1], cpl, &ss, EXC_GP, 0))
		return -1;
	if (f[0] > desc_limit(cs))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_touch(v, cs) || desc_touch(v, &ss))
		return -1;
	desc_cache(cs, (uint16_t)f[1], &c->seg[SEG_CS]);
	desc_cache(&ss, (uint16_t)stack[1], &c->seg[SEG_SS]);
	c->gpr[R_ESP] = stack_merge(&c->seg[SEG_SS], (uint32_t)c->gpr[R_ESP], stack[0]);
	add_esp(c, imm);
	c->rip = f[0];
	c->cpl = (uint8_t)cpl;
	seg_drop_inner(c, cpl);
	return 0;
}

int cpu_ret_far(struct vcpu *v, unsigned op, unsigned imm)
{
	struct cpu *c = &v->cpu;
	struct desc cs;
	uint32_t f[2];

	if (!cpu_pe(c) || cpu_v86(c))
		return ret_86(v, op, imm);
	if (RARE(cpu_long(c)))
		return long_ret_far(v, op, imm);
	if (stack_peek(v, 0, f, 2, op) || ret_check_cs(v, (uint16_t)f[1], &cs))
		return -1;
	if ((f[1] & 3) != c->cpl)
		return ret_outer(v, op, imm, f, &cs);
	if (f[0] > desc_limit(&cs))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_touch(v, &cs))
		return -1;
	add_esp(c, 2 * op + imm);
	desc_cache(&cs, (uint16_t)f[1], &c->seg[SEG_CS]);
	c->rip = f[0];
	return 0;
}
