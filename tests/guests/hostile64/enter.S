/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copied to a page that user code may execute: loads all registers from where RDI points, and jumps to the address in
 * the page's last quadword. */
	.text
	.globl enter_image, enter_image_end
	.balign 16
enter_image:
	movq 0(%rdi), %rax
	movq 8(%rdi), %rcx
	movq 16(%rdi), %rdx
	movq 24(%rdi), %rbx
	movq 32(%rdi), %rsp
	movq 40(%rdi), %rbp
	movq 48(%rdi), %rsi
	movq 64(%rdi), %r8
	movq 72(%rdi), %r9
	movq 80(%rdi), %r10
	movq 88(%rdi), %r11
	movq 96(%rdi), %r12
	movq 104(%rdi), %r13
	movq 112(%rdi), %r14
	movq 120(%rdi), %r15
	movq 56(%rdi), %rdi
	jmp *enter_image + 4088(%rip)
enter_image_end:
	.section .note.GNU-stack, "", @progbits
