/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ways into and out of the kernel: trap stubs, SYSCALL, the fault catcher of the checks, user mode. */
#include "guests/demo64/kernel.h"

	.cfi_sections .debug_frame
	.text
	/* One stub of 16 bytes for each vector; those with a hardware error code push none. */
	.altmacro
	.macro stub n
	.balign 16
	.if (\n != 8) && (\n != 10) && (\n != 11) && (\n != 12) && (\n != 13) && (\n != 14) && (\n != 17)
	pushq $0
	.endif
	pushq $\n
	jmp trap_entry
	.endm

	.balign 16
	.globl trap_stubs
trap_stubs:
	.set i, 0
	.rept 256
	stub %i
	.set i, i + 1
	.endr
	.balign 16

	.macro push_registers
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	pushq %\r
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %\r, 0
	.endr
	.endm
	.macro pop_registers
	.irp r, r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax
	popq %\r
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %\r
	.endr
	.endm

	/* On the stack: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 56
	.cfi_offset %rip, -40
	.cfi_offset %rsp, -16
trap_entry:
	testb $3, 24(%rsp)
	jz 1f
	swapgs
1:	push_registers
	cld
	movq %rsp, %rdi
	call trap
	.globl trap_return
trap_return:
	pop_registers
	testb $3, 24(%rsp)
	jz 1f
	swapgs
1:	addq $16, %rsp
	.cfi_adjust_cfa_offset -16
	iretq
	.cfi_endproc

	/* The frame is that of a trap, with what SYSRET needs in it. */
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, %gs:8
	movq %gs:0, %rsp
	pushq $SEL_UDATA
	pushq %gs:8
	pushq %r11
	pushq $SEL_UCODE
	pushq %rcx
	pushq $0
	pushq $VEC_SYSCALL
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %rsp, 56
	.cfi_offset %rip, -40
	.cfi_offset %rsp, -16
	push_registers
	movq %rsp, %rdi
	call trap
	pop_registers
	movq 32(%rsp), %r11
	movq 16(%rsp), %rcx
	movq 40(%rsp), %rsp
	swapgs
	sysretq
	.cfi_endproc

	.macro save_callee
	.irp r, rbp, rbx, r12, r13, r14, r15
	pushq %\r
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %\r, 0
	.endr
	pushfq
	.cfi_adjust_cfa_offset 8
	.endm
	.macro restore_callee
	popfq
	.cfi_adjust_cfa_offset -8
	.irp r, r15, r14, r13, r12, rbx, rbp
	popq %\r
	.cfi_adjust_cfa_offset -8
	.cfi_same_value %\r
	.endr
	.endm

	.globl catch_fault
catch_fault:
	.cfi_startproc
	save_callee
	movq %rsp, catch_rsp
	movq $1, catch_active
	movq %rdi, %rax
	movq %rsi, %rdi
	call *%rax
	movq $0, catch_active
	xorl %eax, %eax
1:	.cfi_remember_state
	restore_callee
	ret
	.cfi_restore_state
	.globl catch_resume
catch_resume:
	movq catch_rsp, %rsp
	movl $SEL_KDATA, %eax		/* a null selector, if the trap changed stacks */
	movl %eax, %ss
	movq $0, catch_active
	movl $1, %eax
	jmp 1b
	.cfi_endproc

	/* run_user(rip, rsp, arg, cs); user mode gets ARG in RDI. */
	.globl run_user
run_user:
	.cfi_startproc
	save_callee
	movq %rsp, run_user_rsp
	pushq $SEL_UDATA
	pushq %rsi
	pushq $FLAG_IF | 2
	pushq %rcx
	pushq %rdi
	movq %rdx, %rdi
	movl $SEL_UDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	swapgs
	iretq
	.globl leave_user
leave_user:				/* GS is the kernel's */
	movl $SEL_KDATA, %eax
	movl %eax, %ss
	movq run_user_rsp, %rsp
	.cfi_def_cfa %rsp, 64
	movq %rdi, %rax
	xorl %ecx, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	restore_callee
	ret
	.cfi_endproc

	.globl load_gdt
load_gdt:
	lgdt (%rdi)
	pushq $SEL_KCODE
	pushq $1f
	lretq
1:	movl $SEL_KDATA, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	ret

	.globl compat_kernel
compat_kernel:
	movq %rsp, compat_rsp
	pushq %rdi
	pushq $1f - KERNEL_BASE
	lretq
	.code32
1:	movl $compat_stack_end - KERNEL_BASE, %esp
	movl $0x1000, %ecx
	incl %ecx
	pushl %ecx
	popl %eax
	.byte 0x40			/* INC EAX here, a REX prefix in 64-bit mode */
	nop
	ljmp $SEL_KCODE, $1f - KERNEL_BASE
	.code64
1:	movq $1f, %rdx
	jmp *%rdx
1:	movq compat_rsp, %rsp
	ret

	.bss
	.align 8
	.globl catch_active
compat_rsp:
	.skip 8
	.skip 64
compat_stack_end:
catch_rsp:
	.skip 8
catch_active:
	.skip 8
run_user_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
