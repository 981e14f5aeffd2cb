/* SPDX-License-Identifier: GPL-3.0-or-later
 * A decoded guest instruction. */
#ifndef BT_DECODE_INSN_H
#define BT_DECODE_INSN_H
#include "x86/cpu.h"
#include <Zydis/Zydis.h>

struct insn {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	uint8_t bytes[16];
	gva pc; /* linear */
	uint64_t eip;
	uint64_t next; /* EIP of the following instruction */
	uint8_t len;
	int mem;      /* index of the memory operand, -1 none */
	enum seg seg; /* its segment */
	bool invalid;
};
#endif
