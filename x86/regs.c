/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading and writing registers by table row. A narrow register is the low bytes of its
 * storage: hosts are little-endian. */
#include "x86/regs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROW(name, group, bits, kind, where, add, rw, gdb)                                                    \
	{ #name, REG_##group, bits, REG_##kind, offsetof(struct cpu, where) + (add), rw, REG_GDB_##gdb },
const struct reg_info reg_infos[] = {
#define REG(name, group, bits, kind, where, rw, gdb, state) ROW(name, group, bits, kind, where, 0, rw, gdb)
#define REGHI(name, group, bits, kind, where, rw, gdb, state) ROW(name, group, bits, kind, where, 1, rw, gdb)
#define REG64(name, where, state)
#include "x86/regs.def"
#undef REG
#undef REGHI
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

static uint64_t width_mask(const struct reg_info *r)
{
	return r->bits == 64 ? ~0ull : (1ull << r->bits) - 1;
}

static const char *set_selector(struct cpu *c, struct seg_cache *seg, uint16_t sel)
{
	if (cpu_pe(c) && !cpu_v86(c))
		return "a selector can be set in real and virtual-8086 mode only (set its _base, _limit, "
		       "_attr)";
	seg->sel = sel;
	seg->base = (uint32_t)sel << 4;
	return NULL;
}

const char *reg_set(struct cpu *c, const struct reg_info *r, uint64_t val)
{
	uint8_t *at = (uint8_t *)c + r->offset;

	if (!r->writable)
		return "this register is read-only";
	val &= width_mask(r);
	switch (r->kind) {
	case REG_FIELD:
		memcpy(at, &val, r->bits / 8);
		break;
	case REG_SEL:
		return set_selector(c, (struct seg_cache *)(void *)at, (uint16_t)val);
	case REG_PC:
		c->rip = (uint32_t)(val - c->seg[SEG_CS].base);
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
