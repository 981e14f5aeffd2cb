/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accesses by user mode, linked at USER_TEXT in the demo guest's layout but mapped where the spots leave room. RDI is the
 * address, RSI the stack that run_user() gives; what is stored is below the stack pointer. */
#include "guests/demo64/kernel.h"

	.text
	.globl user_load, user_store, user_call
	.balign 16
user_load:
	movq (%rdi), %rdi
	movl $SYS_EXIT, %eax
	int $SYS_INT

	.balign 16
user_store:
	movq 8(%rsp), %rcx
	movq %rcx, (%rdi)
	movl $SYS_EXIT, %eax
	int $SYS_INT

	.balign 16
user_call:
	call *%rdi
	movl %eax, %edi
	movl $SYS_EXIT, %eax
	int $SYS_INT

	.section .note.GNU-stack, "", @progbits
