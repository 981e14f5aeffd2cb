/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded guests' ELF files as data; see guests/embedded.h. */
	.macro embed name file
	.section .rodata
	.balign 16
	.globl \name, \name\()_len
\name:
	.incbin "\file"
\name\()_end:
	.balign 8
\name\()_len:
	.quad \name\()_end - \name
	.endm

	embed demo_kernel "guests/demo/demo.bin"
	embed nano_kernel "guests/nano/nano.bin"
	embed stress_kernel "guests/stress/stress.bin"
	embed demo64_kernel "guests/demo64/demo64.bin"
	embed nano64_kernel "guests/nano64/nano64.bin"
	.section .note.GNU-stack, "", @progbits
