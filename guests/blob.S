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
	.section .note.GNU-stack, "", @progbits
