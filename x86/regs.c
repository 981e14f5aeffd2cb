/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading and writing registers by table row. Assumes a little-endian host, as
 * everything here does: a narrow register is the low bytes of its storage. */
#include "x86/regs.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FIELD_ROW(name, group, bits, kind, where, rw, add)                                                   \
	{ #name, REG_##group, bits, REG_##kind, offsetof(struct cpu, where) + (add), rw },
const struct reg_info reg_infos[] = {
#define REG(name, group, bits, kind, where, rw) FIELD_ROW(name, group, bits, kind, where, rw, 0)
#define REGHI(name, group, bits, kind, where, rw) FIELD_ROW(name, group, bits, kind, where, rw, 1)
#include "x86/regs.def"
#undef REG
#undef REGHI
};
const unsigned reg_count = ARRAY_LEN(reg_infos);

const char *const reg_group_names[REG_NGROUP] = {
	[REG_GENERAL] = "general", [REG_SEGMENT] = "segment", [REG_CONTROL] = "control",
	[REG_DEBUG] = "debug",	   [REG_SYSTEM] = "system",   [REG_FLOAT] = "float",
	[REG_PART] = "part",
};

static const struct {
	const char *reg;
	uint32_t mask;
	const char *name;
} reg_flags[] = {
#define FLAG(reg, mask, name) { #reg, mask, name },
#include "x86/regflags.def"
#undef FLAG
};

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
	}
	return NULL;
}

void reg_flags_text(const struct reg_info *r, uint64_t val, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < ARRAY_LEN(reg_flags) && n < len; i++)
		if (!strcmp(reg_flags[i].reg, r->name) && (val & reg_flags[i].mask))
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", reg_flags[i].name);
	if (r->kind == REG_EFLAGS && n < len)
		snprintf(buf + n, len - n, "%sIOPL=%u", n ? " " : "", (unsigned)(val >> 12 & 3));
}
