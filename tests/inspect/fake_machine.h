/* SPDX-License-Identifier: GPL-3.0-or-later
 * A machine for inspect's tests: hv/machine.h over a flat array of 64 KiB (linear
 * equals physical; with CR0.PG a page table of one level maps it, for walks) and a
 * processor of a dozen one-byte-opcode instructions:
 *   90 nop | 40+r inc | b8+r imm32 mov | eb rel8 jmp | e8 rel32 call | c3 ret
 *   f4 hlt | e6 imm8 out: port e9 serial, port f4 exit | 0f 0b: engine failure */
#ifndef TESTS_INSPECT_FAKE_MACHINE_H
#define TESTS_INSPECT_FAKE_MACHINE_H
#include "hv/machine.h"

enum { FAKE_MEMORY = 0x10000, FAKE_START = 0x1000, FAKE_STACK = 0x8000 };

struct machine *fake_machine(const uint8_t *code, size_t len);
/* Put it into IA-32e mode, in 64-bit code at FAKE_LONG + FAKE_START: page tables from 9000 on map all memory
 * at 0 for users, at FAKE_LONG (2 MiB) and at ffff888000000000 (1 GiB, no execute). */
#define FAKE_LONG 0xffffffff81000000u
void fake_machine_long(struct machine *m);
void fake_machine_output(struct machine *m, void (*out)(void *ctx, const uint8_t *buf, size_t n), void *ctx);
/* Make its engine stop at once, and without a reason, whenever it runs. */
void fake_machine_refuses(struct machine *m);
/* The number of breakpoint addresses in the engine. */
unsigned fake_machine_breakpoints(const struct machine *m);
/* Input sent to the serial port and the keyboard. */
const char *fake_machine_input(const struct machine *m);
#endif
