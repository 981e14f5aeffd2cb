/* SPDX-License-Identifier: GPL-3.0-or-later
 * Call frame information of symbol files: how to restore the caller's registers at an address in a
 * function, as compilers record it in .eh_frame and .debug_frame (DWARF 5, 6.4). */
#ifndef INSPECT_CFI_H
#define INSPECT_CFI_H
#include "base/types.h"

#include <libelf.h>

/* DWARF's numbers of registers (System V ABI, i386 2.5 and x86-64 3.6.2): the general ones in an order of its
 * own, then the program counter, as which x86-64 has the return address. */
struct cfi_arch {
	unsigned word;	     /* bytes */
	unsigned sp, bp, pc; /* numbers; PC is the last */
	uint8_t general[16]; /* of each number below PC, the processor's */
};
extern const struct cfi_arch cfi_i386, cfi_amd64;

enum { CFI_REGS = 17 };
struct cfi_regs {
	const struct cfi_arch *arch;
	uint64_t val[CFI_REGS];
	uint32_t known; /* bit N: val[N] is that frame's */
};

struct cfi_memory {
	void *ctx;
	bool (*read)(void *ctx, uint64_t addr, void *buf, unsigned n); /* false: cannot be read */
};

struct cfi; /* a list of tables, one a section; NULL: empty */

/* Add the tables of ELF, an i386 or x86-64 file, moved by OFFSET. ELF is not used after the call. */
void cfi_add(struct cfi **list, Elf *elf, int64_t offset);
void cfi_free(struct cfi *list);

enum cfi_step {
	CFI_NONE, /* no table covers pc */
	CFI_END,  /* the outermost frame: it has no caller */
	CFI_STEP, /* R is the caller's; its pc is a return address */
	CFI_TRAP, /* R is the interrupted context; its pc is the next instruction */
};
/* Step from a frame to its caller. EXACT: pc is the next instruction, not a return address (which
 * may lie behind the function's last instruction). R is changed only if there is a caller. */
enum cfi_step cfi_step(struct cfi *list, struct cfi_regs *r, bool exact, const struct cfi_memory *mem);
#endif
