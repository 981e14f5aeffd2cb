/* SPDX-License-Identifier: GPL-3.0-or-later
 * Disassembly: text in Intel syntax, and the few facts that run control needs. */
#ifndef X86_DISAS_H
#define X86_DISAS_H
#include "base/types.h"

#define DISAS_MAX_INSN 15

enum disas_kind { DISAS_OTHER, DISAS_CALL, DISAS_RET, DISAS_IRET, DISAS_INT, DISAS_JUMP, DISAS_REP };

struct disas_insn {
	unsigned len;
	enum disas_kind kind;
	bool has_target; /* direct branch */
	uint64_t target;
	char text[128];
};

/* Decode one instruction of BITS-bit code (16, 32 or 64) from the N bytes at BUF, which the guest has at PC.
 * False, with text "(bad)" and len 1, if they are no instruction or too few. */
bool disas_decode(const uint8_t *buf, size_t n, uint64_t pc, unsigned bits, struct disas_insn *out);
#endif
