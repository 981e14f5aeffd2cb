/* SPDX-License-Identifier: GPL-3.0-or-later
 * User-mode loops, linked at USER_TEXT. EDI counts. */
#include "guests/nano64/system.h"

	.text
	.globl user_loop, user_int, user_syscall
	.balign 16
user_loop:
	decl %edi
	jnz user_loop
	int $LEAVE_INT

	.balign 16
user_int:
	.rept 8
	int $SYSCALL_INT
	.endr
	decl %edi
	jnz user_int
	int $LEAVE_INT

	.balign 16
user_syscall:
	.rept 8
	syscall
	.endr
	decl %edi
	jnz user_syscall
	int $LEAVE_INT

	.section .note.GNU-stack, "", @progbits
