/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two switches into a guest and back. General registers are at RDI, in the order of enum reg. */
	.macro save_callee
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi
	.endm
	.macro restore_callee
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.endm
	/* All but RAX. */
	.macro load_guest
	movq 8(%rdi), %rcx
	movq 16(%rdi), %rdx
	movq 24(%rdi), %rbx
	movq 32(%rdi), %rbp
	movq 40(%rdi), %rsi
	movq 56(%rdi), %r8
	movq 64(%rdi), %r9
	movq 72(%rdi), %r10
	movq 80(%rdi), %r11
	movq 88(%rdi), %r12
	movq 96(%rdi), %r13
	movq 104(%rdi), %r14
	movq 112(%rdi), %r15
	movq 48(%rdi), %rdi
	.endm
	.macro store_guest
	xchgq %rdi, (%rsp)
	movq %rcx, 8(%rdi)
	movq %rdx, 16(%rdi)
	movq %rbx, 24(%rdi)
	movq %rbp, 32(%rdi)
	movq %rsi, 40(%rdi)
	movq %r8, 56(%rdi)
	movq %r9, 64(%rdi)
	movq %r10, 72(%rdi)
	movq %r11, 80(%rdi)
	movq %r12, 88(%rdi)
	movq %r13, 96(%rdi)
	movq %r14, 104(%rdi)
	movq %r15, 112(%rdi)
	popq 48(%rdi)
	.endm

	.text
	/* svm_run(regs, vmcb): RAX and RSP are in the VMCB. */
	.globl svm_run
svm_run:
	save_callee
	movq %rsi, %rax
	load_guest
	vmrun %rax
	store_guest
	restore_callee

	/* vmx_run(regs, launched): 0 after an exit; otherwise RFLAGS as the failed instruction left them. */
	.globl vmx_run, vmx_exit
vmx_run:
	save_callee
	movl $0x6c14, %edx
	vmwrite %rsp, %rdx
	testq %rsi, %rsi
	movq (%rdi), %rax
	load_guest
	jnz 1f
	vmlaunch
	jmp 2f
1:	vmresume
2:	pushfq
	popq %rax
	addq $8, %rsp
	restore_callee
vmx_exit:
	store_guest
	movq %rax, (%rdi)
	xorl %eax, %eax
	restore_callee

	.section .note.GNU-stack, "", @progbits
