/* SPDX-License-Identifier: GPL-3.0-or-later
 * Call frame information of symbol files: how to restore the caller's registers at an address in a
 * function, as compilers record it in .eh_frame and .debug_frame (DWARF 5, 6.4). */
#ifndef INSPECT_CFI_H
#define INSPECT_CFI_H
#include "base/types.h"

#include <libelf.h>

/* Registers by DWARF's numbers for i386: the general ones as the processor numbers them, then eip. */
enum { CFI_ESP = 4, CFI_EBP = 5, CFI_EIP = 8, CFI_REGS = 9 };
struct cfi_regs {
	uint32_t val[CFI_REGS];
	uint16_t known; /* bit N: val[N] is that frame's */
};

struct cfi_memory {
	void *ctx;
	bool (*read)(void *ctx, uint32_t addr, void *buf, unsigned n); /* false: cannot be read */
};

struct cfi; /* a list of tables, one a section; NULL: empty */

/* Add the tables of ELF, an i386 file, moved by OFFSET. ELF is not used after the call. */
void cfi_add(struct cfi **list, Elf *elf, int64_t offset);
void cfi_free(struct cfi *list);

enum cfi_step {
	CFI_NONE, /* no table covers eip */
	CFI_END,  /* the outermost frame: it has no caller */
	CFI_STEP, /* R is the caller's; its eip is a return address */
	CFI_TRAP, /* R is the interrupted context; its eip is the next instruction */
};
/* Step from a frame to its caller. EXACT: eip is the next instruction, not a return address (which
 * may lie behind the function's last instruction). R is changed only if there is a caller. */
enum cfi_step cfi_step(struct cfi *list, struct cfi_regs *r, bool exact, const struct cfi_memory *mem);
#endif
