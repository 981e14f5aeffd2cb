/* SPDX-License-Identifier: GPL-3.0-or-later
 * Target descriptions: the registers that gdb sees, their order and width, generated from the
 * register table in x86/. The layout depends on the chosen architecture and on whether the host
 * has AVX and AVX-512, never on the guest's mode: gdb cannot follow a change. */
#ifndef GDBSTUB_REGS_H
#define GDBSTUB_REGS_H
#include "gdbstub/packet.h"
#include "x86/regs.h"

enum { GDB_MAX_REGS = 256, GDB_REG_BYTES = 32, GDB_MAX_EXPEDITED = 20 };

/* Where a register's value is. */
enum gdb_reg_source {
	GDB_REG_TABLE, /* a row of x86/regs.def */
	GDB_REG_PC,    /* the program counter: offset in CS, or linear (linear_pc) */
	GDB_REG_IP,    /* its offset in CS */
	GDB_REG_CR8,   /* in struct gdb_regs; read-only */
	GDB_REG_ST,    /* in the XSAVE image, by number; so the following */
	GDB_REG_XMM,
	GDB_REG_YMMH,
	GDB_REG_K, /* AVX-512's, in an image of their own */
	GDB_REG_ZMMH,
	GDB_REG_XMM16, /* parts of ZMM16 to ZMM31 */
	GDB_REG_YMM16H,
	GDB_REG_ZMM16H,
};

/* Vector registers in a description. */
enum gdb_vectors { GDB_SSE, GDB_AVX, GDB_AVX512 };

struct gdb_reg {
	const char *name, *type, *group, *feature;
	unsigned bits;
	enum gdb_reg_source source;
	unsigned index;
	const struct reg_info *info;
};

struct gdb_arch {
	const char *name; /* gdb's name, for "monitor arch" */
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
	char names[88][8]; /* of AVX-512's */
	unsigned nnames;
	unsigned cr8;	    /* whoever reads registers brings it up to date */
	unsigned expedited; /* the number of registers, from the first, in every stop reply */
};

const struct gdb_arch *gdb_arch_find(const char *name);
/* The one that fits most sessions: of 64-bit registers (WIDE), or of 32-bit ones. */
const struct gdb_arch *gdb_arch_default(bool wide);
/* What the host has. */
enum gdb_vectors gdb_host_vectors(void);
/* Lay out ARCH with the vector registers of VECTORS; AVX-512 in 64-bit descriptions alone. */
void gdb_regs_init(struct gdb_regs *r, const struct gdb_arch *arch, enum gdb_vectors vectors);
/* Append the target description as XML. */
void gdb_regs_xml(const struct gdb_regs *r, struct out *o);
/* Write the value of register N to BYTES. Return its size; 0 if there is no such register. */
unsigned gdb_reg_get(const struct gdb_regs *r, const struct cpu *c, unsigned n, uint8_t bytes[GDB_REG_BYTES]);
/* Set the program counter as R's description has it. */
void gdb_set_pc(const struct gdb_regs *r, struct cpu *c, uint64_t pc);
/* Set register N; MEM as for reg_set(). Return NULL, or why not (a static line). */
const char *gdb_reg_set(const struct gdb_regs *r, struct cpu *c, unsigned n,
			const uint8_t bytes[GDB_REG_BYTES], const struct reg_memory *mem);
#endif
