/* SPDX-License-Identifier: GPL-3.0-or-later
 * The register table: every register that expressions, views and gdb can
 * name, as rows over struct cpu. */
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

/* How a register is stored. */
enum reg_kind {
	REG_FIELD,  /* as it is */
	REG_WIDE,   /* likewise; outside IA-32e mode the low 32 bits of the first eight alone can be set */
	REG_SEL,    /* a selector: a write loads the segment */
	REG_PC,	    /* the linear address of the next instruction */
	REG_EFLAGS, /* in three places, see x86/cpu.h */
	REG_X87,    /* in the XSAVE image: a write marks x87 state as in use */
	REG_TAG,    /* as REG_X87, abridged */
	REG_MXCSR,  /* reserved bits cannot be set */
	REG_CR0,    /* some bits read as 1, others as 0 */
	REG_DR6,
	REG_DR7,
	REG_EFER, /* LMA is set with LME and CR0.PG */
};

/* The feature of gdb's target description that has a register (gdbstub/regs.c). */
enum reg_gdb {
	REG_GDB_NO,
	REG_GDB_CORE,
	REG_GDB_WIDE /* CORE, in x86-64 descriptions */,
	REG_GDB_X87,
	REG_GDB_SSE,
	REG_GDB_OWN
};

/* When a register is shown among others; all can be named at any time. */
enum reg_mode { REG_ANY_MODE, REG_NOT_LONG, REG_LONG };

struct reg_info {
	const char *name;
	enum reg_group group;
	enum reg_mode mode;
	unsigned bits; /* outside IA-32e mode */
	bool natural;  /* 64 bits in IA-32e mode: reg_bits() */
	enum reg_kind kind;
	size_t offset; /* in struct cpu */
	bool writable;
	enum reg_gdb gdb;
};

extern const struct reg_info reg_infos[];
extern const unsigned reg_count;
extern const char *const reg_group_names[REG_NGROUP];

/* Named bits of a register, in order; fields of several bits too. */
struct reg_flag {
	const char *reg;
	unsigned first, last;
	const char *name; /* "": not shown */
};
extern const struct reg_flag reg_flags[];
extern const unsigned reg_flag_count;

static inline uint64_t reg_flag_value(const struct reg_flag *f, uint64_t val)
{
	return val >> f->first & ((2ull << (f->last - f->first)) - 1);
}

static inline bool reg_shown(const struct cpu *c, const struct reg_info *r)
{
	return r->mode == REG_ANY_MODE || (r->mode == REG_LONG) == cpu_long(c);
}
static inline unsigned reg_bits(const struct cpu *c, const struct reg_info *r)
{
	return r->natural && cpu_long(c) ? 64 : r->bits;
}

/* Find a register by name, case ignored; NULL when there is none. */
const struct reg_info *reg_find(const char *name);
/* Return the value of R, zero-extended. */
uint64_t reg_get(const struct cpu *c, const struct reg_info *r);

/* Linear memory, for descriptors. */
struct reg_memory {
	void *ctx;
	bool (*read)(void *ctx, gva lin, void *buf, unsigned n);
	bool (*write)(void *ctx, gva lin, const void *buf, unsigned n);
};
/* Set R, cut to its width in the present mode. Return NULL, or why not (a static line). A selector loads its
 * segment by the rules of the processor's mode; MEM is needed for that in protected mode. The state as a
 * whole may then be impossible: cpu_refused() in x86/model.h. The caller notifies the engine. */
const char *reg_set(struct cpu *c, const struct reg_info *r, uint64_t val, const struct reg_memory *mem);
/* Write the names of the bits set in VAL and all fields ("PE PG", "IF IOPL=0"; "" for a register without
 * named bits). */
void reg_flags_text(const struct reg_info *r, uint64_t val, char *buf, size_t len);
#endif
