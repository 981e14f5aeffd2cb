/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fixed instructions for user mode, linked at USER_TEXT. */
#include "guests/stress/stress.h"
	.section .text.start, "ax"
	.globl ustubs
ustubs:
#include "guests/stress/stubs.inc"
	.section .note.GNU-stack, "", @progbits
