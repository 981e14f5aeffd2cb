/* SPDX-License-Identifier: GPL-3.0-or-later
 * Segments: descriptor fetch, segment register loads, limit and type checks, accesses and stack frames
 * through segments (SDM vol. 3A ch. 3 and 5). Descriptor tables are read with supervisor rights at any CPL.
 */
#include "cpu/cpu_int.h"
#include "mm/mmu.h"

int desc_fetch(struct vcpu *v, uint16_t sel, struct desc *d, int vec, unsigned ext)
{
	struct cpu *c = &v->cpu;
	uint32_t limit = c->gdtr.limit, off = sel & SEL_INDEX;
	uint64_t base = c->gdtr.base;

	if (sel & 4) {
		base = c->ldtr.base;
		limit = c->ldtr.limit;
		if (c->ldtr.attr & SA_UNUSABLE)
			return cpu_raise_err(c, vec, sel_err(sel, ext));
	}
	if (RARE(off + 7 > limit))
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	d->at = base + off;
	d->upper = 0;
	return mmu_read(v->mmu, d->at, &d->lo, 8, MM_READ);
}

_Static_assert(offsetof(struct desc, hi) == offsetof(struct desc, lo) + 4, "read in one piece");

int desc_touch(struct vcpu *v, struct desc *d)
{
	uint8_t access;

	if (__builtin_expect(d->hi & D_A, 1))
		return 0;
	d->hi |= D_A;
	access = (uint8_t)(d->hi >> 8);
	return mmu_write(v->mmu, d->at + 5, &access, 1, MM_WRITE);
}

int desc_fetch_ss(struct vcpu *v, uint16_t sel, unsigned cpl, struct desc *d, int vec, unsigned ext)
{
	struct cpu *c = &v->cpu;

	if (RARE(sel_null(sel)))
		return cpu_raise_err(c, vec, ext);
	if (RARE((sel & 3) != cpl))
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	if (desc_fetch(v, sel, d, vec, ext))
		return -1;
	if (RARE(desc_dpl(d) != cpl || !desc_wdata(d)))
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	if (RARE(!(d->hi & D_P)))
		return cpu_raise_err(c, EXC_SS, sel_err(sel, ext));
	return 0;
}

int desc_fetch_data(struct vcpu *v, uint16_t sel, unsigned cpl, struct desc *d, int vec, unsigned ext)
{
	struct cpu *c = &v->cpu;
	bool checked;

	if (desc_fetch(v, sel, d, vec, ext))
		return -1;
	if (!(d->hi & D_S) || (d->hi & (D_CODE | D_RW)) == D_CODE)
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	checked = (d->hi & (D_CODE | D_EC)) != (D_CODE | D_EC);
	if (checked && (cpl > desc_dpl(d) || (sel & 3u) > desc_dpl(d)))
		return cpu_raise_err(c, vec, sel_err(sel, ext));
	if (!(d->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, ext));
	return 0;
}

struct seg_cache seg_null(uint16_t sel)
{
	return (struct seg_cache){ .attr = SA_UNUSABLE, .sel = sel };
}

struct seg_cache seg_null_ss(unsigned cpl)
{
	return (struct seg_cache){ .attr = (uint16_t)(SA_UNUSABLE | cpl << SA_DPL_SHIFT),
				   .sel = (uint16_t)cpl };
}

struct seg_cache seg_v86(uint16_t sel)
{
	return (struct seg_cache){
		.base = (uint32_t)sel << 4,
		.limit = 0xffff,
		.sel = sel,
		.attr = SA_P | SA_DPL | SA_S | SA_RW | SA_A,
	};
}

/* Limit and attributes set in protected mode survive ("big real mode"), except those of a null selector,
 * which has none. */
struct seg_cache seg_real(const struct seg_cache *old, uint16_t sel)
{
	struct seg_cache s = *old;

	if (s.attr & SA_UNUSABLE) {
		s.limit = 0xffff;
		s.attr = SA_RW | SA_A;
	}
	s.attr = (s.attr & ~(uint32_t)SA_DPL) | SA_P | SA_S;
	s.base = (uint32_t)sel << 4;
	s.sel = sel;
	return s;
}

void seg_load_cs86(struct cpu *c, uint16_t sel)
{
	c->seg[SEG_CS] = cpu_v86(c) ? seg_v86(sel) : seg_real(&c->seg[SEG_CS], sel);
}

void seg_drop_inner(struct cpu *c, unsigned cpl)
{
	static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned i = 0; i < ARRAY_LEN(data); i++) {
		struct seg_cache *s = &c->seg[data[i]];
		bool conforming = (s->attr & (SA_CODE | SA_EC)) == (SA_CODE | SA_EC);

		if (!(s->attr & SA_UNUSABLE) && !conforming &&
		    (unsigned)(s->attr & SA_DPL) >> SA_DPL_SHIFT < cpl)
			*s = seg_null(0);
	}
}

static int load_ss(struct vcpu *v, uint16_t sel)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	/* 64-bit code below ring 3 may have a null one (SDM vol. 2, MOV). */
	if (sel_null(sel) && cpu_64(c) && c->cpl != 3 && (sel & SEL_RPL) == c->cpl) {
		c->seg[SEG_SS] = seg_null_ss(c->cpl);
		return 0;
	}

	if (desc_fetch_ss(v, sel, v->cpu.cpl, &d, EXC_GP, 0) || desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &v->cpu.seg[SEG_SS]);
	return 0;
}

int cpu_load_seg(struct vcpu *v, enum seg s, uint16_t sel)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	if (s == SEG_CS)
		return cpu_raise(c, EXC_UD);
	if (!cpu_pe(c)) {
		c->seg[s] = seg_real(&c->seg[s], sel);
		return 0;
	}
	if (cpu_v86(c)) {
		c->seg[s] = seg_v86(sel);
		return 0;
	}
	if (s == SEG_SS)
		return load_ss(v, sel);
	if (sel_null(sel)) {
		c->seg[s] = seg_null(sel);
		return 0;
	}
	if (desc_fetch_data(v, sel, c->cpl, &d, EXC_GP, 0) || desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &c->seg[s]);
	return 0;
}

uint64_t cpu_linear(const struct cpu *c, enum seg s, uint64_t off)
{
	if (__builtin_expect(!cpu_64(c), 1))
		return (uint32_t)(c->seg[s].base + off);
	return s == SEG_FS || s == SEG_GS ? c->seg[s].base + off : off;
}

/* Does the segment type permit this data access? Real mode has no types. */
static bool seg_permits(const struct cpu *c, const struct seg_cache *s, bool write)
{
	if (s->attr & SA_UNUSABLE)
		return false;
	if (!cpu_pe(c) || cpu_v86(c))
		return true;
	if (write)
		return (s->attr & (SA_CODE | SA_RW)) == SA_RW;
	return (s->attr & (SA_CODE | SA_RW)) != SA_CODE;
}

static int seg_check(struct vcpu *v, enum seg s, uint64_t off, unsigned n, bool write)
{
	struct cpu *c = &v->cpu;

	if (RARE(cpu_64(c))) {
		uint64_t lin = cpu_linear(c, s, off);

		if (cpu_canonical(lin) && cpu_canonical(lin + n - 1))
			return 0;
		return cpu_raise_err(c, s == SEG_SS ? EXC_SS : EXC_GP, 0);
	}
	if (__builtin_expect(seg_permits(c, &c->seg[s], write) && seg_fits(&c->seg[s], off, n), 1))
		return 0;
	return cpu_raise_err(c, s == SEG_SS ? EXC_SS : EXC_GP, 0);
}

int cpu_read(struct vcpu *v, enum seg s, uint64_t off, void *buf, unsigned n)
{
	if (!n)
		return 0;
	if (seg_check(v, s, off, n, false))
		return -1;
	return mmu_read(v->mmu, cpu_linear(&v->cpu, s, off), buf, n, MM_READ | cpl_how(v->cpu.cpl));
}

int cpu_write(struct vcpu *v, enum seg s, uint64_t off, const void *buf, unsigned n)
{
	if (!n)
		return 0;
	if (seg_check(v, s, off, n, true))
		return -1;
	return mmu_write(v->mmu, cpu_linear(&v->cpu, s, off), buf, n, MM_WRITE | cpl_how(v->cpu.cpl));
}

int cpu_check_write(struct vcpu *v, enum seg s, uint64_t off, unsigned n)
{
	if (seg_check(v, s, off, n, true))
		return -1;
	return mmu_check_write(v->mmu, cpu_linear(&v->cpu, s, off), n, cpl_how(v->cpu.cpl));
}

/* Are the N bytes at OFF contiguous both as stack offsets and in linear memory? */
static bool one_piece(const struct seg_cache *ss, uint32_t off, uint32_t n)
{
	return seg_fits(ss, off, n) && off + n - 1 <= stack_mask(ss);
}

/* Push item by item: a frame that wraps around a 16-bit stack, or that does not fit. */
static int push_items(struct vcpu *v, const struct seg_cache *ss, uint32_t *esp, const uint32_t *f,
		      unsigned n, unsigned op, unsigned how, uint32_t err)
{
	uint32_t sp = *esp;

	for (unsigned i = 1; i <= n; i++) /* check room for all items before writing the first */
		if (!seg_fits(ss, (sp - i * op) & stack_mask(ss), op))
			return cpu_raise_err(&v->cpu, EXC_SS, err);
	while (n--) {
		uint32_t off = (sp - op) & stack_mask(ss);

		if (mmu_write(v->mmu, (uint32_t)(ss->base + off), &f[n], op, how))
			return -1;
		sp = stack_merge(ss, sp, off);
	}
	*esp = sp;
	return 0;
}

#define FRAME_MAX 10 /* items: an interrupt from virtual-8086 mode with error code */

int stack_push(struct vcpu *v, const struct seg_cache *ss, uint32_t *esp, const uint32_t *f, unsigned n,
	       unsigned op, unsigned how, uint32_t err)
{
	uint32_t off = (*esp - n * op) & stack_mask(ss);
	uint16_t half[FRAME_MAX];
	const void *image = f;

	how |= MM_WRITE;
	if (RARE((ss->attr & SA_UNUSABLE) || n > FRAME_MAX))
		return cpu_raise_err(&v->cpu, EXC_SS, err);
	if (RARE(!one_piece(ss, off, n * op)))
		return push_items(v, ss, esp, f, n, op, how, err);
	if (op == 2) {
		for (unsigned i = 0; i < n; i++)
			half[i] = (uint16_t)f[i];
		image = half;
	}
	if (mmu_write(v->mmu, (uint32_t)(ss->base + off), image, n * op, how))
		return -1;
	*esp = stack_merge(ss, *esp, off);
	return 0;
}

static int peek_items(struct vcpu *v, uint32_t sp, uint32_t *f, unsigned n, unsigned op)
{
	const struct seg_cache *ss = &v->cpu.seg[SEG_SS];

	for (unsigned i = 0; i < n; i++) {
		f[i] = 0;
		if (cpu_read(v, SEG_SS, (sp + i * op) & stack_mask(ss), &f[i], op))
			return -1;
	}
	return 0;
}

int stack_peek(struct vcpu *v, uint32_t skip, uint32_t *f, unsigned n, unsigned op)
{
	const struct seg_cache *ss = &v->cpu.seg[SEG_SS];
	uint32_t off = ((uint32_t)v->cpu.gpr[R_ESP] + skip) & stack_mask(ss);

	if (RARE(op != 4 || (ss->attr & SA_UNUSABLE) || !one_piece(ss, off, n * 4)))
		return peek_items(v, off, f, n, op);
	return mmu_read(v->mmu, (uint32_t)(ss->base + off), f, n * 4, MM_READ | cpl_how(v->cpu.cpl));
}

int cpu_push(struct vcpu *v, uint64_t val, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint32_t esp = (uint32_t)c->gpr[R_ESP], item = (uint32_t)val;

	if (RARE(cpu_64(c))) {
		if (cpu_write(v, SEG_SS, c->gpr[R_ESP] - op, &val, op))
			return -1;
		c->gpr[R_ESP] -= op;
		return 0;
	}
	if (stack_push(v, &c->seg[SEG_SS], &esp, &item, 1, op, cpl_how(c->cpl), 0))
		return -1;
	c->gpr[R_ESP] = esp;
	return 0;
}

int cpu_pop(struct vcpu *v, uint64_t *val, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint32_t esp = (uint32_t)c->gpr[R_ESP], item;

	*val = 0;
	if (RARE(cpu_64(c))) {
		if (cpu_read(v, SEG_SS, c->gpr[R_ESP], val, op))
			return -1;
		c->gpr[R_ESP] += op;
		return 0;
	}
	if (stack_peek(v, 0, &item, 1, op))
		return -1;
	*val = item;
	c->gpr[R_ESP] = stack_merge(&c->seg[SEG_SS], esp, esp + op);
	return 0;
}

/* System descriptors that LAR and LSL accept, bit = type. */
#define LAR_TYPES                                                                                            \
	(1u << DT_TSS16 | 1u << DT_LDT | 1u << DT_TSS16_BUSY | 1u << DT_CALL16 | 1u << DT_TASK |             \
	 1u << DT_TSS32 | 1u << DT_TSS32_BUSY | 1u << DT_CALL32)
#define LSL_TYPES (1u << DT_TSS16 | 1u << DT_LDT | 1u << DT_TSS16_BUSY | 1u << DT_TSS32 | 1u << DT_TSS32_BUSY)
/* Those of them that IA-32e mode has. */
#define LONG_TYPES (1u << DT_LDT | 1u << DT_TSS32 | 1u << DT_TSS32_BUSY | 1u << DT_CALL32)

static bool query_type_ok(const struct cpu *c, enum cpu_desc_query q, const struct desc *d)
{
	uint32_t mode = cpu_long(c) ? LONG_TYPES : ~0u;

	switch (q) {
	case CPU_LAR:
		return (d->hi & D_S) || (LAR_TYPES & mode) >> desc_type(d) & 1;
	case CPU_LSL:
		return (d->hi & D_S) || (LSL_TYPES & mode) >> desc_type(d) & 1;
	case CPU_VERR:
		return (d->hi & D_S) && (d->hi & (D_CODE | D_RW)) != D_CODE;
	case CPU_VERW:
		return desc_wdata(d);
	}
	return false;
}

int cpu_query_desc(struct vcpu *v, enum cpu_desc_query q, uint16_t sel, uint32_t *out, bool *zf)
{
	struct cpu *c = &v->cpu;
	struct exc before = c->exc;
	struct desc d;

	if (!cpu_pe(c) || cpu_v86(c))
		return cpu_raise(c, EXC_UD);
	*zf = false;
	if (sel_null(sel))
		return 0;
	if (desc_fetch(v, sel, &d, EXC_GP, 0)) {
		if (c->exc.vector == EXC_PF)
			return -1;
		c->exc = before; /* outside the table: report false, raise nothing */
		return 0;
	}
	if (!query_type_ok(c, q, &d))
		return 0;
	if (!(desc_code(&d) && desc_conforming(&d)) && (c->cpl > desc_dpl(&d) || (sel & 3u) > desc_dpl(&d)))
		return 0;
	*zf = true;
	if (q == CPU_LAR)
		*out = d.hi & 0x00f0ff00;
	else if (q == CPU_LSL)
		*out = desc_limit(&d);
	return 0;
}
