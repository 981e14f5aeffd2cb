/* SPDX-License-Identifier: GPL-3.0-or-later
 * Target descriptions: which registers gdb sees, in which order and width, made from the
 * register table in x86/. The layout depends on the architecture asked for and on what the
 * host's processor has, never on the guest's mode: gdb cannot follow a change. */
#ifndef GDBSTUB_REGS_H
#define GDBSTUB_REGS_H
#include "gdbstub/packet.h"
#include "x86/regs.h"

enum { GDB_MAX_REGS = 192, GDB_REG_BYTES = 16, GDB_MAX_EXPEDITED = 20 };

/* Where a register's value is. */
enum gdb_reg_source {
	GDB_REG_TABLE, /* a row of x86/regs.def */
	GDB_REG_WIDE,  /* all 64 bits of a general register; index = place in struct cpu */
	GDB_REG_PC,    /* the program counter: offset, or linear where the architecture says so */
	GDB_REG_IP,    /* its offset in CS */
	GDB_REG_ST,    /* in the XSAVE image, by number; so the following */
	GDB_REG_XMM,
	GDB_REG_YMMH,
};

struct gdb_reg {
	const char *name, *type, *group, *feature;
	unsigned bits;
	enum gdb_reg_source source;
	unsigned index;
	const struct reg_info *info;
};

struct gdb_arch {
	const char *name; /* as gdb calls it, for "monitor arch" */
	const char *help;
	bool wide;	/* x86-64 */
	bool linear_pc; /* eip is CS base + IP, so that breakpoints and $pc are right in real mode */
};
extern const struct gdb_arch gdb_archs[];
extern const unsigned gdb_arch_count;

struct gdb_regs {
	const struct gdb_arch *arch;
	unsigned count;
	struct gdb_reg reg[GDB_MAX_REGS];
	unsigned expedited; /* so many first registers go into every stop reply */
};

const struct gdb_arch *gdb_arch_find(const char *name);
/* Lay out ARCH; AVX: with the upper halves of the vector registers. */
void gdb_regs_init(struct gdb_regs *r, const struct gdb_arch *arch, bool avx);
/* The target description, as XML. */
void gdb_regs_xml(const struct gdb_regs *r, struct out *o);
/* Value of register N into BYTES; returns its size, 0: no such register. */
unsigned gdb_reg_get(const struct gdb_regs *r, const struct cpu *c, unsigned n, uint8_t bytes[GDB_REG_BYTES]);
/* Set register N. False: it cannot be set so. *SYSTEM becomes true when it steers translation. */
bool gdb_reg_set(const struct gdb_regs *r, struct cpu *c, unsigned n, const uint8_t bytes[GDB_REG_BYTES],
		 bool *system);
#endif
