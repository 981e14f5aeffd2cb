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
	uint32_t pc; /* linear */
	uint32_t eip;
	uint32_t next; /* EIP of the following instruction (wrapped to 16 bits in 16-bit code) */
	uint8_t len;
	int mem;      /* index of the memory operand, -1 none */
	enum seg seg; /* its segment */
	bool invalid;
};
#endif
