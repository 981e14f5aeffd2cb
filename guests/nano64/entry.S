/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handlers as short as possible, because entry and exit are measured, not a kernel's work in between; and the switch
 * to user mode and back. */
#include "guests/demo64/kernel.h"
#include "guests/nano64/system.h"

	.text
	.globl nano_iret, nano_skip, nano_fault_skip, nano_fault_fill, nano_tick, nano_sysret, nano_sysret_swapgs
nano_skip:				/* skip a two-byte instruction */
	addq $2, (%rsp)
nano_iret:
	iretq
nano_fault_skip:			/* the same with an error code */
	addq $2, 8(%rsp)
	addq $8, %rsp
	iretq
nano_fault_fill:			/* map the page: RCX the entry, RDX its value */
	movq %rdx, (%rcx)
	addq $8, %rsp
	iretq
nano_tick:
	pushq %rax
	incq ticks
	movb $0x20, %al
	outb %al, $0x20
	popq %rax
	iretq
nano_sysret:
	sysretq
nano_sysret_swapgs:			/* as kernels do it: a stack of their own, and back */
	swapgs
	movq %rsp, %gs:8
	movq %gs:0, %rsp
	pushq %rcx
	pushq %r11
	popq %r11
	popq %rcx
	movq %gs:8, %rsp
	swapgs
	sysretq

	/* nano_user(entry, n): user code at ENTRY runs with EDI = n until INT LEAVE_INT. */
	.globl nano_user, nano_leave
nano_user:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushfq
	movq %rsp, kernel_rsp
	movq %rdi, %rax
	movl %esi, %edi
	pushq $SEL_UDATA
	pushq $USER_STACK_HERE
	pushq $0x2
	pushq $SEL_UCODE
	pushq %rax
	swapgs
	iretq
nano_leave:
	swapgs
	movl $SEL_KDATA, %eax
	movl %eax, %ss
	movq kernel_rsp, %rsp
	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.bss
	.align 8
kernel_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
