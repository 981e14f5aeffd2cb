/* SPDX-License-Identifier: GPL-3.0-or-later
 * Code that is run with TF set, or with breakpoints on it (check_debug.c): labels stand where #DB is expected. And the task
 * with a 16-bit TSS (check_cpu.c). */
	.macro label name
	.globl \name
\name:
	.endm
	.macro set_tf			/* the first trap comes behind the instruction that follows */
	pushfl
	orl $0x100, (%esp)
	popfl
	.endm

	.text
	.globl step_rep			/* (from, to) */
step_rep:
	pushl %esi
	pushl %edi
	movl 12(%esp), %esi
	movl 16(%esp), %edi
	movl $3, %ecx
	xorl %eax, %eax
	cld
	set_tf
	label rep_movs
	rep movsb
	label rep_nop
	nop
	label rep_two
	movl $2, %ecx
	label rep_stos
	rep stosl
	label rep_four
	movl $4, %ecx
	label rep_cmps
	repe cmpsb			/* the second bytes differ */
	label rep_lods
	rep lodsb
	label rep_end
	pushfl
	label rep_off
	andl $~0x100, (%esp)		/* 7 bytes, and 1 of POPF */
	popfl
	popl %edi
	popl %esi
	ret

	.globl step_ss
step_ss:
	movl %ss, %eax
	set_tf
	movl %eax, %ss
	nop
	label ss_nop_end
	pushl %ss
	label ss_push_end
	popl %ss
	nop
	label ss_pop_nop_end
	nop
	label ss_end
	pushfl
	label ss_off
	andl $~0x100, (%esp)
	popfl
	ret

	.globl step_ss_int3
step_ss_int3:
	movl %ss, %eax
	set_tf
	movl %eax, %ss
	int3				/* entering its handler clears TF */
	nop
	label int3_nop_end
	nop
	label int3_end
	pushfl
	label int3_off
	andl $~0x100, (%esp)
	popfl
	ret

	.globl load_ss			/* (selector) */
load_ss:
	movl 4(%esp), %eax
	movw (%eax), %ss
	label ss_shadow
	nop
	label ss_shadow_end
	nop
	ret

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
