/* SPDX-License-Identifier: GPL-3.0-or-later
 * The code that steps.c runs: one piece a case, from NAME to NAME_end. Each begins with TF clear, ESI, EDI and EBX
 * at buffers, and ends in HLT, which user code may not execute. */
	.macro piece name
	.globl \name, \name\()_end
\name:
	.endm
	.macro done name
\name\()_end:
	hlt
	.endm
	.macro tf			/* the first trap comes behind the instruction that follows */
	pushl $0x302
	popfl
	.endm

	.section .text
	piece rep_movsb
	movl $3, %ecx
	tf
	rep movsb
	nop
	done rep_movsb

	piece rep_stosl
	movl $3, %ecx
	tf
	rep stosl
	nop
	done rep_stosl

	piece rep_cmpsb			/* differs in the third byte */
	movl $5, %ecx
	tf
	repe cmpsb
	nop
	done rep_cmpsb

	piece rep_scasb
	movl $4, %ecx
	movb $0xff, %al
	tf
	repne scasb
	nop
	done rep_scasb

	piece rep_none			/* a count of 0 */
	xorl %ecx, %ecx
	tf
	rep movsb
	nop
	done rep_none

	piece movs_alone
	tf
	movsb
	lodsl
	nop
	done movs_alone

	piece rep_watched		/* data breakpoint at the second byte */
	movl $4, %ecx
	rep movsb
	nop
	done rep_watched

	piece rep_watched_tf
	movl $4, %ecx
	tf
	rep movsb
	nop
	done rep_watched_tf

	piece rep_break			/* code breakpoint at the REP */
	movl $3, %ecx
	.globl rep_break_at
rep_break_at:
	rep stosb
	nop
	done rep_break

	piece rep_break_tf
	movl $3, %ecx
	tf
	.globl rep_break_tf_at
rep_break_tf_at:
	rep stosb
	nop
	done rep_break_tf

	piece mov_ss
	movl %ss, %eax
	tf
	movl %eax, %ss
	nop
	nop
	done mov_ss

	piece mov_ss_twice
	movl %ss, %eax
	tf
	nop
	movl %eax, %ss
	movl %eax, %ss
	nop
	nop
	done mov_ss_twice

	piece pop_ss
	pushl %ss
	tf
	popl %ss
	nop
	nop
	done pop_ss

	piece lss
	movw %ss, 4(%ebx)
	movl %esp, (%ebx)
	tf
	lss (%ebx), %esp
	nop
	done lss

	piece load_ds
	movl %ds, %eax
	tf
	movl %eax, %ds
	nop
	done load_ds

	piece mov_ss_int3
	movl %ss, %eax
	tf
	movl %eax, %ss
	int3
	nop
	done mov_ss_int3

	piece mov_ss_rep
	movl $2, %ecx
	movl %ss, %eax
	tf
	movl %eax, %ss
	rep stosb
	nop
	done mov_ss_rep

	piece mov_ss_popf		/* TF is set in the shadow */
	movl %ss, %eax
	pushl $0x302
	movl %eax, %ss
	popfl
	nop
	nop
	done mov_ss_popf

	piece int3_tf
	tf
	int3
	nop
	done int3_tf

	piece popf_clears
	pushl $0x202
	tf
	popfl
	nop
	nop
	done popf_clears

	piece mov_ss_break		/* code breakpoint behind it */
	movl %ss, %eax
	movl %eax, %ss
	.globl mov_ss_break_at
mov_ss_break_at:
	nop
	nop
	done mov_ss_break

	piece pop_ss_break
	pushl %ss
	popl %ss
	.globl pop_ss_break_at
pop_ss_break_at:
	nop
	nop
	done pop_ss_break

	piece mov_ss_break_tf
	movl %ss, %eax
	tf
	movl %eax, %ss
	.globl mov_ss_break_tf_at
mov_ss_break_tf_at:
	nop
	nop
	done mov_ss_break_tf

	piece mov_ss_break_int3
	movl %ss, %eax
	movl %eax, %ss
	.globl mov_ss_break_int3_at
mov_ss_break_int3_at:
	int3
	nop
	done mov_ss_break_int3

	piece plain_break
	nop
	.globl plain_break_at
plain_break_at:
	nop
	nop
	done plain_break

	piece mov_ss_watched		/* data breakpoint at (%ebx): hit by the load itself */
	movw (%ebx), %ss
	nop
	nop
	done mov_ss_watched

	piece pop_ss_watched
	movl %esp, %edx
	movl %ebx, %esp
	popl %ss
	movl %edx, %esp
	nop
	done pop_ss_watched

	piece mov_ss_watched_tf
	tf
	movw (%ebx), %ss
	nop
	nop
	done mov_ss_watched_tf

	piece behind_watched		/* hit by the instruction behind */
	movl %ss, %eax
	movl %eax, %ss
	incl 4(%ebx)
	nop
	done behind_watched

	piece mov_ss_watched_both	/* by the load and by the instruction behind */
	movw (%ebx), %ss
	movl (%ebx), %eax
	nop
	done mov_ss_watched_both

	piece mov_ds_watched
	movw (%ebx), %ds
	nop
	nop
	done mov_ds_watched

	/* EDI: 12 bytes into a page that is mapped; the page below is not, the one below that is. */
	piece enter_fits		/* ESP becomes the page's first byte */
	movl %edi, %esp
	enter $8, $0
	done enter_fits

	piece enter_below
	movl %edi, %esp
	enter $9, $0
	done enter_below

	piece enter_nested
	movl %edi, %esp
	movl %edi, %ebp
	enter $9, $2
	done enter_nested

	piece enter_hole		/* ESP becomes the last two bytes of a page in front of the hole */
	movl %edi, %esp
	enter $4106, $0
	done enter_hole

	piece enter_hole_16
	movl %edi, %esp
	enterw $4108, $0
	done enter_hole_16

	piece enter_hole_16_1		/* the last byte */
	movl %edi, %esp
	enterw $4107, $0
	done enter_hole_16_1

	.section .note.GNU-stack, "", @progbits
