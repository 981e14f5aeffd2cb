/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handlers as short as possible, because entry and exit are measured, not a kernel's work in between;
 * and the switch to user mode and back. */
#include "guests/demo/kernel.h"
#include "guests/nano/system.h"

	.text
	.globl nano_iret, nano_skip, nano_fault_skip, nano_fault_fill, nano_tick, nano_sysexit
nano_skip:				/* skip a two-byte instruction */
	addl $2, (%esp)
nano_iret:
	iretl
nano_fault_skip:			/* the same with an error code */
	addl $2, 4(%esp)
	addl $4, %esp
	iretl
nano_fault_fill:			/* map the page: ECX the entry, EDX its value */
	movl %edx, (%ecx)
	addl $4, %esp
	iretl
nano_tick:
	pushl %eax
	incl ticks
	movb $0x20, %al
	outb %al, $0x20
	popl %eax
	iretl
nano_sysexit:				/* user mode has set EDX and ECX */
	sysexit

	/* nano_user(entry, n): user code at ENTRY runs with EDI = n until INT LEAVE_INT. */
	.globl nano_user, nano_leave
nano_user:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	pushfl
	movl %esp, kernel_esp
	movl 24(%esp), %eax
	movl 28(%esp), %edi
	movl $SEL_UDATA, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	pushl %ecx
	pushl $USER_STACK_TOP
	pushl $0x2
	pushl $SEL_UCODE
	pushl %eax
	iretl
nano_leave:
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl kernel_esp, %esp
	popfl
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	.bss
	.align 4
kernel_esp:
	.skip 4

	.section .note.GNU-stack, "", @progbits
