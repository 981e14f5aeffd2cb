/* SPDX-License-Identifier: GPL-3.0-or-later
 * The task with a 16-bit TSS (check_cpu.c). */
	.text
	/* A task with a 16-bit TSS whose CS begins here; DS is flat, and there is no stack. It stores its
	 * registers. */
	.globl task16_code, task16_code_end
task16_code:
	movl %eax, task16_saved
	movl %ecx, task16_saved + 4
	movl %edx, task16_saved + 8
	movl %ebx, task16_saved + 12
	movl %esp, task16_saved + 16
	movl %ebp, task16_saved + 20
	movl %esi, task16_saved + 24
	movl %edi, task16_saved + 28
	movw %fs, task16_saved + 32
	movw %gs, task16_saved + 34
	iretl				/* NT: back to the task that called */
task16_code_end:

	.section .note.GNU-stack, "", @progbits
