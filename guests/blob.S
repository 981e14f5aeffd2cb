/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded guest's ELF file as data; see guests/demo.h. */
	.section .rodata
	.balign 16
	.globl demo_kernel, demo_kernel_len
demo_kernel:
	.incbin "guests/demo/demo.bin"
demo_kernel_end:
	.balign 8
demo_kernel_len:
	.quad demo_kernel_end - demo_kernel
	.section .note.GNU-stack, "", @progbits
