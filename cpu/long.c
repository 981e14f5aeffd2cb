/* SPDX-License-Identifier: GPL-3.0-or-later
 * See cpu/long_int.h: gates of 16 bytes, stacks of 64 bits with the interrupt stack table, returns to 64-bit
 * code and to compatibility mode (SDM vol. 3A 5.8.3, 6.14; vol. 2 INT n, IRET, CALL, JMP, RET), and the fast
 * system calls (vol. 2 SYSCALL, SYSRET, SWAPGS). */
#include "cpu/long_int.h"

enum { FRAME_MAX = 6 };

/* ---- stacks ---- */

static bool canonical_range(uint64_t at, unsigned n)
{
	return cpu_canonical(at) && cpu_canonical(at + n - 1);
}

/* Write the N quadwords of F below RSP, F[0] at the lowest address. */
static int push64(struct vcpu *v, uint64_t *rsp, const uint64_t *f, unsigned n, unsigned how, uint32_t err)
{
	uint64_t at = *rsp - 8ull * n;

	if (RARE(!canonical_range(at, 8 * n)))
		return cpu_raise_err(&v->cpu, EXC_SS, err);
	if (mmu_write(v->mmu, at, f, 8 * n, MM_WRITE | how))
		return -1;
	*rsp = at;
	return 0;
}

/* Push N items of OP bytes on the present stack, whichever its width is. */
static int push(struct vcpu *v, uint64_t *rsp, const uint64_t *f, unsigned n, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint64_t at = *rsp - (uint64_t)n * op;
	uint8_t raw[8 * FRAME_MAX];

	if (!cpu_64(c)) {
		uint32_t narrow[FRAME_MAX], esp = (uint32_t)*rsp;

		for (unsigned i = 0; i < n; i++)
			narrow[i] = (uint32_t)f[i];
		if (stack_push(v, &c->seg[SEG_SS], &esp, narrow, n, op, cpl_how(c->cpl), 0))
			return -1;
		*rsp = esp;
		return 0;
	}
	if (RARE(!canonical_range(at, n * op)))
		return cpu_raise_err(c, EXC_SS, 0);
	for (unsigned i = 0; i < n * op; i++)
		raw[i] = (uint8_t)(f[i / op] >> 8 * (i % op));
	if (mmu_write(v->mmu, at, raw, n * op, MM_WRITE | cpl_how(c->cpl)))
		return -1;
	*rsp = at;
	return 0;
}

/* Read N items of OP bytes from SKIP bytes above the top of the present stack, whichever its width is. */
static int peek(struct vcpu *v, unsigned skip, uint64_t *f, unsigned n, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint64_t at = c->gpr[R_ESP] + skip;
	uint8_t raw[8 * FRAME_MAX];

	if (!cpu_64(c)) {
		uint32_t narrow[FRAME_MAX];

		if (stack_peek(v, skip, narrow, n, op))
			return -1;
		for (unsigned i = 0; i < n; i++)
			f[i] = narrow[i];
		return 0;
	}
	if (RARE(!canonical_range(at, n * op)))
		return cpu_raise_err(c, EXC_SS, 0);
	if (mmu_read(v->mmu, at, raw, n * op, MM_READ | cpl_how(c->cpl)))
		return -1;
	for (unsigned i = 0; i < n; i++) {
		f[i] = 0;
		for (unsigned b = op; b-- > 0;)
			f[i] = f[i] << 8 | raw[i * op + b];
	}
	return 0;
}

/* The stack pointer after N bytes are popped. */
static uint64_t popped(const struct cpu *c, unsigned n)
{
	if (cpu_64(c))
		return c->gpr[R_ESP] + n;
	return stack_merge(&c->seg[SEG_SS], (uint32_t)c->gpr[R_ESP], (uint32_t)c->gpr[R_ESP] + n);
}

/* A stack pointer of the TSS: of ring DPL, or entry IST of its table (1 to 7). */
static int tss_rsp(struct vcpu *v, unsigned dpl, unsigned ist, uint64_t *rsp, unsigned ext)
{
	struct cpu *c = &v->cpu;
	uint32_t at = ist ? 28 + 8 * ist : 4 + 8 * dpl;

	if (RARE((c->tr.attr & SA_UNUSABLE) || at + 7 > c->tr.limit))
		return cpu_raise_err(c, EXC_TS, sel_err(c->tr.sel, ext));
	return mmu_read(v->mmu, c->tr.base + at, rsp, 8, MM_READ);
}

/* ---- descriptors ---- */

int long_check_target(struct cpu *c, const struct desc *cs, uint16_t sel, uint64_t rip, unsigned ext)
{
	bool wide = cs->hi & D_L;

	if (RARE(wide && (cs->hi & D_DB)))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	if (RARE(wide ? !cpu_canonical(rip) : rip > desc_limit(cs)))
		return cpu_raise_err(c, EXC_GP, ext);
	return 0;
}

int long_fetch_upper(struct vcpu *v, uint16_t sel, struct desc *d, int vec, unsigned ext)
{
	struct cpu *c = &v->cpu;
	uint32_t limit = sel & SEL_TI ? c->ldtr.limit : c->gdtr.limit, up[2];

	if (RARE((sel & SEL_INDEX) + 15u > limit))
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	if (mmu_read(v->mmu, d->at + 8, up, 8, MM_READ))
		return -1;
	if (RARE(up[1] & 0x1f00)) /* the type of the second half is 0 (SDM vol. 3A 3.5.2) */
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	d->upper = up[0];
	return 0;
}

void long_desc_cache(const struct desc *d, uint16_t sel, struct seg_cache *s)
{
	desc_cache(d, sel, s);
	s->base |= (uint64_t)d->upper << 32;
}

static unsigned gate_ring(const struct cpu *c, const struct desc *cs)
{
	return desc_conforming(cs) ? c->cpl : desc_dpl(cs);
}

/* ---- interrupts and exceptions ---- */

static int deliver_gate(struct vcpu *v, const struct event *e, const struct desc *gate)
{
	struct cpu *c = &v->cpu;
	uint64_t rip = gate_offset(gate) | (uint64_t)gate->upper << 32, rsp = c->gpr[R_ESP], f[FRAME_MAX];
	unsigned ist = gate->hi & GATE_IST, n = 0, cpl;
	uint16_t sel = gate_selector(gate);
	struct desc d;

	if (gate_fetch_cs(v, sel, &d, e->ext))
		return -1;
	cpl = gate_ring(c, &d);
	if ((cpl < c->cpl || ist) && tss_rsp(v, cpl, ist, &rsp, e->ext))
		return -1;
	if (RARE(!cpu_canonical(rip)))
		return cpu_raise_err(c, EXC_GP, e->ext);
	if (desc_touch(v, &d))
		return -1;
	rsp &= ~15ull;
	if (e->has_err)
		f[n++] = e->err;
	f[n++] = e->ret;
	f[n++] = c->seg[SEG_CS].sel;
	f[n++] = e->flags;
	f[n++] = c->gpr[R_ESP];
	f[n++] = c->seg[SEG_SS].sel;
	if (push64(v, &rsp, f, n, cpl_how(cpl), e->ext))
		return -1;
	if (cpl < c->cpl)
		c->seg[SEG_SS] = seg_null_ss(cpl);
	desc_cache(&d, (uint16_t)((sel & (SEL_INDEX | SEL_TI)) | cpl), &c->seg[SEG_CS]);
	c->gpr[R_ESP] = rsp;
	c->rip = rip;
	c->cpl = (uint8_t)cpl;
	c->sysflags &= ~(uint32_t)(FL_TF | FL_NT | FL_RF | FL_VM);
	if (!(desc_type(gate) & 1))
		c->intf = 0;
	return 0;
}

int long_deliver(struct vcpu *v, const struct event *e)
{
	struct cpu *c = &v->cpu;
	uint32_t off = e->vector * 16u, raw[4];
	struct desc gate;

	if (RARE(off + 15 > c->idtr.limit))
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (mmu_read(v->mmu, c->idtr.base + off, raw, 16, MM_READ))
		return -1;
	gate = (struct desc){ .lo = raw[0], .hi = raw[1], .upper = raw[2] };
	if (RARE((desc_type(&gate) & ~1u) != DT_INT32 || (e->soft && desc_dpl(&gate) < c->cpl)))
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (RARE(!(gate.hi & D_P)))
		return cpu_raise_err(c, EXC_NP, gate_err(e));
	return deliver_gate(v, e, &gate);
}

/* ---- IRET ---- */

/* Check the stack segment of a return to ring CPL and put it into SS. 64-bit code below ring 3 may have a
 * null one. */
static int ret_fetch_ss(struct vcpu *v, uint16_t sel, unsigned cpl, const struct desc *cs,
			struct seg_cache *ss)
{
	struct desc d;

	if (sel_null(sel) && (cs->hi & D_L) && cpl != 3) {
		*ss = seg_null_ss(cpl);
		return 0;
	}
	if (desc_fetch_ss(v, sel, cpl, &d, EXC_GP, 0) || desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, ss);
	return 0;
}

/* Continue at CS:RIP with stack SS:RSP, as popped. */
static void ret_commit(struct cpu *c, const struct desc *cs, uint16_t sel, uint64_t rip,
		       const struct seg_cache *ss, uint64_t rsp)
{
	unsigned cpl = sel & 3;

	desc_cache(cs, sel, &c->seg[SEG_CS]);
	c->rip = rip;
	if (ss) {
		c->seg[SEG_SS] = *ss;
		/* A return to a 16-bit stack sets SP alone. */
		c->gpr[R_ESP] = (cs->hi & D_L) || (ss->attr & SA_DB)
				    ? rsp
				    : (c->gpr[R_ESP] & ~0xffffull) | (rsp & 0xffff);
	} else {
		c->gpr[R_ESP] = rsp;
	}
	if (!(cs->hi & D_L))
		narrow_gprs(c);
	if (cpl > c->cpl) {
		c->cpl = (uint8_t)cpl;
		seg_drop_inner(c, cpl);
	}
}

int long_iret(struct vcpu *v, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint64_t f[5] = { 0 };
	struct seg_cache ss;
	struct desc cs;
	uint32_t mask;
	bool five;

	if (RARE(c->sysflags & FL_NT))
		return cpu_raise_err(c, EXC_GP, 0);
	if (peek(v, 0, f, 3, op) || ret_check_cs(v, (uint16_t)f[1], &cs))
		return -1;
	five = cpu_64(c) || (f[1] & 3) != c->cpl;
	if (five && (peek(v, 3 * op, f + 3, 2, op) || ret_fetch_ss(v, (uint16_t)f[4], f[1] & 3, &cs, &ss)))
		return -1;
	if (long_check_target(c, &cs, (uint16_t)f[1], f[0], 0) || desc_touch(v, &cs))
		return -1;
	mask = iret_flag_mask(c, op);
	ret_commit(c, &cs, (uint16_t)f[1], f[0], five ? &ss : NULL, five ? f[3] : popped(c, 3 * op));
	cpu_set_eflags(c, (cpu_eflags(c) & ~mask) | ((uint32_t)f[2] & mask));
	return 0;
}

/* ---- far transfers ---- */

int long_ret_far(struct vcpu *v, unsigned op, unsigned imm)
{
	struct cpu *c = &v->cpu;
	struct seg_cache ss;
	uint64_t f[4];
	struct desc cs;
	bool outer;

	if (peek(v, 0, f, 2, op) || ret_check_cs(v, (uint16_t)f[1], &cs))
		return -1;
	outer = (f[1] & 3) != c->cpl;
	if (outer &&
	    (peek(v, 2 * op + imm, f + 2, 2, op) || ret_fetch_ss(v, (uint16_t)f[3], f[1] & 3, &cs, &ss)))
		return -1;
	if (long_check_target(c, &cs, (uint16_t)f[1], f[0], 0) || desc_touch(v, &cs))
		return -1;
	ret_commit(c, &cs, (uint16_t)f[1], f[0], outer ? &ss : NULL,
		   outer ? f[2] + imm : popped(c, 2 * op + imm));
	return 0;
}

int long_far_code(struct vcpu *v, uint16_t sel, struct desc *d, uint64_t off, unsigned op, bool call,
		  uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t ret[2] = { next, c->seg[SEG_CS].sel }, rsp = c->gpr[R_ESP];
	bool bad;

	if (desc_conforming(d))
		bad = desc_dpl(d) > c->cpl;
	else
		bad = (sel & 3) > c->cpl || desc_dpl(d) != c->cpl;
	if (bad)
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (!(d->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	if (op == 2)
		off &= 0xffff;
	if (long_check_target(c, d, sel, off, 0) || desc_touch(v, d))
		return -1;
	if (call && push(v, &rsp, ret, 2, op))
		return -1;
	c->gpr[R_ESP] = rsp;
	desc_cache(d, (uint16_t)((sel & (SEL_INDEX | SEL_TI)) | c->cpl), &c->seg[SEG_CS]);
	c->rip = off;
	if (!(d->hi & D_L))
		narrow_gprs(c);
	return 0;
}

int long_call_gate(struct vcpu *v, uint16_t sel, const struct desc *gate, bool call, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint16_t code = gate_selector(gate);
	uint64_t rip, rsp = c->gpr[R_ESP], f[4];
	struct desc g = *gate, d;
	unsigned n = 0, cpl;

	if (desc_dpl(&g) < c->cpl || desc_dpl(&g) < (sel & 3u))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (!(g.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	if (long_fetch_upper(v, sel, &g, EXC_GP, 0) || gate_fetch_cs(v, code, &d, 0))
		return -1;
	cpl = gate_ring(c, &d);
	if (!call && cpl != c->cpl) /* a jump cannot change rings */
		return cpu_raise_err(c, EXC_GP, sel_err(code, 0));
	rip = gate_offset(&g) | (uint64_t)g.upper << 32;
	if (!cpu_canonical(rip))
		return cpu_raise_err(c, EXC_GP, 0);
	if (cpl < c->cpl && tss_rsp(v, cpl, 0, &rsp, 0))
		return -1;
	if (desc_touch(v, &d))
		return -1;
	f[n++] = next;
	f[n++] = c->seg[SEG_CS].sel;
	if (cpl < c->cpl) {
		f[n++] = c->gpr[R_ESP];
		f[n++] = c->seg[SEG_SS].sel;
	}
	if (call && push64(v, &rsp, f, n, cpl_how(cpl), 0))
		return -1;
	if (cpl < c->cpl)
		c->seg[SEG_SS] = seg_null_ss(cpl);
	desc_cache(&d, (uint16_t)((code & (SEL_INDEX | SEL_TI)) | cpl), &c->seg[SEG_CS]);
	c->gpr[R_ESP] = rsp;
	c->rip = rip;
	c->cpl = (uint8_t)cpl;
	return 0;
}
