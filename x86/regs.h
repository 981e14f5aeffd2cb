/* SPDX-License-Identifier: GPL-3.0-or-later
 * The register table: every register that expressions, views and (later) gdb
 * can name, as rows over struct cpu. */
#ifndef X86_REGS_H
#define X86_REGS_H
#include "x86/cpu.h"

enum reg_group {
	REG_GENERAL,
	REG_SEGMENT,
	REG_CONTROL,
	REG_DEBUG,
	REG_SYSTEM,
	REG_FLOAT,
	REG_PART,
	REG_NGROUP
};
enum reg_kind { REG_FIELD, REG_SEL, REG_PC, REG_EFLAGS };

struct reg_info {
	const char *name;
	enum reg_group group;
	unsigned bits;
	enum reg_kind kind;
	size_t offset; /* in struct cpu */
	bool writable;
};

extern const struct reg_info reg_infos[];
extern const unsigned reg_count;
extern const char *const reg_group_names[REG_NGROUP];

/* Find a register by name, case ignored; NULL when there is none. */
const struct reg_info *reg_find(const char *name);
uint64_t reg_get(const struct cpu *c, const struct reg_info *r);
/* Set R, cut to its width. NULL, or why not (a static line). The caller tells the engine. */
const char *reg_set(struct cpu *c, const struct reg_info *r, uint64_t val);
/* Write the names of the bits set in VAL ("PE PG", "" for a register without named bits). */
void reg_flags_text(const struct reg_info *r, uint64_t val, char *buf, size_t len);
#endif
