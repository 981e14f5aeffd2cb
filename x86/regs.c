/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading and writing registers by table row. A narrow register is the low bytes of its
 * storage: hosts are little-endian. */
#include "x86/regs.h"
#include "x86/descriptor.h"
#include "x86/model.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAT = 32 | 256, NATURAL = 256 };
#define ROW(name, group, mode, bits, kind, where, add, rw, gdb)                                              \
	{ #name,                                                                                             \
	  REG_##group,                                                                                       \
	  REG_##mode,                                                                                        \
	  (bits) & ~NATURAL,                                                                                 \
	  ((bits)&NATURAL) != 0,                                                                             \
	  REG_##kind,                                                                                        \
	  offsetof(struct cpu, where) + (add),                                                               \
	  rw,                                                                                                \
	  REG_GDB_##gdb },
const struct reg_info reg_infos[] = {
#define REG(name, group, bits, kind, where, rw, gdb, state)                                                  \
	ROW(name, group, ANY_MODE, bits, kind, where, 0, rw, gdb)
#define REGHI(name, group, bits, kind, where, rw, gdb, state)                                                \
	ROW(name, group, ANY_MODE, bits, kind, where, 1, rw, gdb)
#define REG32(name, where, state) ROW(name, GENERAL, NOT_LONG, 32, FIELD, where, 0, 1, CORE)
#define REG64(name, where, state) ROW(name, GENERAL, LONG, 64, WIDE, where, 0, 1, WIDE)
#include "x86/regs.def"
#undef REG
#undef REGHI
#undef REG32
#undef REG64
};
const unsigned reg_count = ARRAY_LEN(reg_infos);

const char *const reg_group_names[REG_NGROUP] = {
	[REG_GENERAL] = "general", [REG_SEGMENT] = "segment", [REG_CONTROL] = "control",
	[REG_DEBUG] = "debug",	   [REG_SYSTEM] = "system",   [REG_FLOAT] = "float",
	[REG_PART] = "part",
};

const struct reg_flag reg_flags[] = {
#define FLAG(reg, prefix, id, first, last, name) { #reg, first, last, name },
#include "x86/regflags.def"
#undef FLAG
};
const unsigned reg_flag_count = ARRAY_LEN(reg_flags);

const struct reg_info *reg_find(const char *name)
{
	for (unsigned i = 0; i < reg_count; i++)
		if (!strcasecmp(reg_infos[i].name, name))
			return &reg_infos[i];
	return NULL;
}

static uint64_t width_mask(const struct cpu *c, const struct reg_info *r)
{
	return reg_bits(c, r) == 64 ? ~0ull : (1ull << r->bits) - 1;
}

/* ---- segment loads ---- */

/* Read the descriptor that SEL selects. NULL, or why not. */
static const char *fetch_descriptor(const struct cpu *c, uint16_t sel, struct desc *d,
				    const struct reg_memory *mem)
{
	uint32_t limit = c->gdtr.limit, off = sel & SEL_INDEX;
	uint64_t raw;
	gva base = c->gdtr.base;

	if (sel & SEL_TI) {
		base = c->ldtr.base;
		limit = c->ldtr.limit;
		if (c->ldtr.attr & SA_UNUSABLE)
			return "there is no LDT";
	}
	if (off + 7 > limit)
		return "the selector is behind the end of its descriptor table";
	if (!mem || !mem->read(mem->ctx, base + off, &raw, sizeof(raw)))
		return "the descriptor cannot be read";
	*d = desc_of(raw);
	d->at = base + off;
	return NULL;
}

/* May CS hold D without a change of privilege? */
static const char *refused_code(const struct cpu *c, uint16_t sel, const struct desc *d)
{
	if (!desc_code(d))
		return "the descriptor is not a code segment";
	if (desc_conforming(d) ? desc_dpl(d) > c->cpl : desc_dpl(d) != c->cpl)
		return "the code segment has another privilege level";
	return (sel & SEL_RPL) == c->cpl ? NULL : "the selector's RPL is not the CPL";
}

static const char *refused_stack(const struct cpu *c, uint16_t sel, const struct desc *d)
{
	if (!desc_wdata(d))
		return "the descriptor is not a writable data segment";
	return (sel & SEL_RPL) == c->cpl && desc_dpl(d) == c->cpl ? NULL : "RPL and DPL must be the CPL";
}

static const char *refused_data(const struct cpu *c, uint16_t sel, const struct desc *d)
{
	if (!(d->hi & D_S) || (d->hi & (D_CODE | D_RW)) == D_CODE)
		return "the descriptor is not a readable segment";
	if (desc_code(d) && desc_conforming(d))
		return NULL;
	return c->cpl <= desc_dpl(d) && (sel & SEL_RPL) <= desc_dpl(d)
		   ? NULL
		   : "the segment has a higher privilege level";
}

static const char *load_null(struct cpu *c, unsigned s, uint16_t sel)
{
	uint16_t dpl = 0;

	if (s == SEG_SS && cpu_64(c) && c->cpl < 3 && (sel & SEL_RPL) == c->cpl)
		dpl = (uint16_t)(c->cpl << SA_DPL_SHIFT);
	else if (s == SEG_CS || s == SEG_SS)
		return "CS and SS cannot hold a null selector";
	c->seg[s] = (struct seg_cache){ .attr = (uint16_t)(SA_UNUSABLE | dpl), .sel = sel };
	return NULL;
}

/* Load segment S as the processor does in protected mode (SDM vol. 2, MOV; CS: as a far jump at the same
 * privilege). */
static const char *load_segment(struct cpu *c, unsigned s, uint16_t sel, const struct reg_memory *mem)
{
	const char *why;
	struct desc d;
	uint8_t access;

	if (sel_null(sel))
		return load_null(c, s, sel);
	why = fetch_descriptor(c, sel, &d, mem);
	if (!why)
		why = s == SEG_CS   ? refused_code(c, sel, &d)
		      : s == SEG_SS ? refused_stack(c, sel, &d)
				    : refused_data(c, sel, &d);
	if (!why && !desc_present(&d))
		why = "the segment is not present";
	if (why)
		return why;
	d.hi |= D_A;
	access = (uint8_t)(d.hi >> 8);
	if (!mem->write(mem->ctx, d.at + 5, &access, 1))
		return "the descriptor cannot be marked as accessed";
	desc_cache(&d, sel, &c->seg[s]);
	return NULL;
}

static const char *set_selector(struct cpu *c, struct seg_cache *seg, uint16_t sel,
				const struct reg_memory *mem)
{
	if (cpu_pe(c) && !cpu_v86(c))
		return load_segment(c, (unsigned)(seg - c->seg), sel, mem);
	seg->sel = sel;
	seg->base = (uint32_t)sel << 4;
	return NULL;
}

/* ---- writing ---- */

/* VAL with the bits that this register does not have as they read. */
static uint64_t settled(const struct reg_info *r, uint64_t val)
{
	switch (r->kind) {
	case REG_CR0:
		return val | CR0_ET;
	case REG_DR6:
		return (val & DR6_BITS) | DR6_INIT;
	case REG_DR7:
		return (val & DR7_BITS) | DR7_INIT;
	default:
		return val;
	}
}

/* Paging with LME is IA-32e mode. */
static void follow_lma(struct cpu *c)
{
	if (c->efer & EFER_LME && c->cr0 & CR0_PG)
		c->efer |= EFER_LMA;
}

const char *reg_set(struct cpu *c, const struct reg_info *r, uint64_t val, const struct reg_memory *mem)
{
	uint8_t *at = (uint8_t *)c + r->offset;

	if (!r->writable)
		return "this register is read-only";
	val = settled(r, val & width_mask(c, r));
	switch (r->kind) {
	case REG_WIDE:
		if (!cpu_long(c) && r->offset >= offsetof(struct cpu, gpr[8]) &&
		    r->offset < offsetof(struct cpu, rip))
			return "outside IA-32e mode this register does not exist";
		val = cpu_long(c) ? val : (uint32_t)val;
		memcpy(at, &val, sizeof(val));
		break;
	case REG_FIELD:
		memcpy(at, &val, r->natural ? sizeof(val) : r->bits / 8);
		break;
	case REG_DR6:
	case REG_DR7:
		memcpy(at, &val, r->bits / 8);
		break;
	case REG_CR0:
		memcpy(at, &val, r->bits / 8);
		c->efer &= ~(uint64_t)EFER_LMA;
		follow_lma(c);
		break;
	case REG_EFER:
		c->efer = val;
		follow_lma(c);
		break;
	case REG_SEL:
		return set_selector(c, (struct seg_cache *)(void *)at, (uint16_t)val, mem);
	case REG_PC:
		c->rip = cpu_64(c) ? val : (uint32_t)(val - c->seg[SEG_CS].base);
		break;
	case REG_EFLAGS:
		if ((val ^ cpu_eflags(c)) & FL_VM)
			return "EFLAGS.VM cannot be changed from outside";
		cpu_set_eflags(c, (uint32_t)val);
		break;
	case REG_TAG:
		val = xsave_abridged_tags((uint16_t)val);
		memcpy(at, &val, sizeof(c->xsave.ftw));
		c->xsave.xstate_bv |= XCR0_X87;
		break;
	case REG_X87:
		memcpy(at, &val, r->bits / 8);
		c->xsave.xstate_bv |= XCR0_X87;
		break;
	case REG_MXCSR:
		if (val & ~(uint64_t)MXCSR_VALID)
			return "reserved bits of MXCSR cannot be set";
		c->xsave.mxcsr = (uint32_t)val;
		break;
	}
	return NULL;
}

void reg_flags_text(const struct reg_info *r, uint64_t val, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < reg_flag_count && n < len; i++) {
		const struct reg_flag *f = &reg_flags[i];
		unsigned bits = (unsigned)reg_flag_value(f, val);

		if (strcmp(f->reg, r->name) || !f->name[0])
			continue;
		if (f->last > f->first)
			n += (size_t)snprintf(buf + n, len - n, "%s%s=%u", n ? " " : "", f->name, bits);
		else if (bits)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", f->name);
	}
}
