/* SPDX-License-Identifier: GPL-3.0-or-later
 * User-mode programs, linked at USER_TEXT. RDI is the argument; each ends by SYS_EXIT with its result. */
#include "guests/demo64/kernel.h"

	.macro exit how=syscall
	movl $SYS_EXIT, %eax
	.ifc \how,int
	int $SYS_INT
	.else
	\how
	.endif
	ud2
	.endm
	.macro entry name
	.globl \name
	.balign 16
\name:
	.endm

	.text
entry user_exit_int
	int3
	addq $1, %rdi
	exit int
entry user_exit
	addq $2, %rdi
	exit

	/* 1000 calls; all registers but RAX, RCX and R11 are kept. */
entry user_calls
	xorl %ebx, %ebx
	movl $1000, %ebp
	movq %rsp, %r14
	movabsq $0x123456789abcdef0, %r15
	movq %r15, %r8
	movq %r15, %r9
1:	movl $SYS_ADD, %eax
	movl $3, %esi
	movl $4, %r10d
	movq %rsp, %r12
	syscall
2:	leaq 2b(%rip), %r13
	cmpq %r13, %rcx
	jne 9f
	testl $FLAG_IF, %r11d
	jz 9f
	addq %rax, %rbx
	cmpq %r12, %rsp
	jne 9f
	cmpq %r8, %r15
	jne 9f
	cmpq %r9, %r15
	jne 9f
	cmpl $4, %r10d
	jne 9f
	decl %ebp
	jnz 1b
	movq %rbx, %rdi
	exit
9:	movl $0xbad, %edi
	exit

entry user_calls_int
	xorl %ebx, %ebx
	movl $1000, %ebp
1:	movl $SYS_ADD, %eax
	movl $3, %esi
	movl $4, %r10d
	int $SYS_INT
	addq %rax, %rbx
	decl %ebp
	jnz 1b
	movq %rbx, %rdi
	exit int

	/* Until RDI ticks have passed: everything is in registers that interrupts keep. */
entry user_spin
	movq %rdi, %r8
	movl $SYS_TICKS, %eax
	int $SYS_INT
	addq %rax, %r8
	movl $7, %r9d
	movl $9, %r15d
	xorl %ebx, %ebx
1:	movl $100000, %ecx
2:	incq %rbx
	decl %ecx
	jnz 2b
	movl $SYS_TICKS, %eax
	int $SYS_INT
	cmpq %r8, %rax
	jb 1b
	xorl %edx, %edx
	movq %rbx, %rax
	movl $100000, %ecx
	divq %rcx
	leaq (%r9, %r15), %rdi
	addq %rdx, %rdi
	exit

	/* Memory far from the text, by every kind of address; RDI is 0 on success. */
entry user_memory
	movabsq $USER_DATA, %rbx
	movq (%rbx), %rax		/* the kernel's greeting */
	xorq %rax, %rdi
	pushq %rdi
	movl $100, %ecx
	leaq 512(%rbx), %r13
1:	movq %rcx, (%r13, %rcx, 8)
	movq (%r13, %rcx, 8), %rdx
	subq %rcx, %rdx
	orq %rdx, (%rsp)
	pushq (%r13, %rcx, 8)
	popq %r9
	cmpq %r9, %rcx
	jne 9f
	loop 1b
	leaq own(%rip), %r10
	incq own(%rip)
	movq (%r10), %r11
	cmpq $42, own
	jne 9f
	cmpq %r11, own(%rip)
	jne 9f
	popq %rdi
	decq own(%rip)
	exit
9:	movl $0xbad, %edi
	exit
own:	.quad 41
zero:	.quad 0

	/* FS and GS have the bases that the kernel set; a system call keeps them. */
entry user_bases
	movq %fs:0, %rbx
	movq %gs:8, %rbp
	movl $SYS_TICKS, %eax
	syscall
	cmpq %fs:0, %rbx
	jne 9f
	cmpq %gs:8, %rbp
	jne 9f
	leaq (%rbx, %rbp), %rdi
	exit
9:	movl $0xbad, %edi
	exit

entry user_fsgsbase
	rdfsbase %rax
	cmpq %rax, %rdi
	jne 9f
	movabsq $USER_DATA, %rbx
	leaq 8(%rbx), %rcx
	wrfsbase %rcx
	wrgsbase %rbx
	movl $SYS_TICKS, %eax
	syscall
	rdgsbase %rdx
	movq %fs:0, %rdi
	addq %gs:0, %rdi
	cmpq %rbx, %rdx
	jne 9f
	exit
9:	movl $0xbad, %edi
	exit

entry user_int
	int $0x20
	ud2

	/* Programs that the kernel must stop, one 16-byte slot each. */
	.globl user_rogues
	.balign 16
user_rogues:
	.macro rogue text:vararg
	.balign 16
	\text
	ud2
	.endm
	rogue movq KERNEL_BASE + 0x100000, %rax
	rogue movq %rax, KERNEL_BASE + 0x100000
	rogue cli
	rogue hlt
	rogue outb %al, $0x80
	rogue movq %cr3, %rax
	rogue swapgs
	rogue wrmsr
	rogue lgdt (%rsp)
	rogue invlpg (%rsp)
	rogue jmp *%rdi
	rogue divb zero(%rip)
	rogue movb $0, USER_TEXT
	rogue sysretq

	/* ---- 32-bit code in a 64-bit kernel ---- */
	.code32
entry user_32
	movl %esp, %ebx
	pushl $0x11223344
	movl (%esp), %eax
	popl %ecx
	cmpl %ecx, %eax
	jne 9f
	cmpl %esp, %ebx
	jne 9f
	.byte 0x40			/* INC EAX */
	subl %ecx, %eax
	leal 1(%edi, %eax, 2), %edi	/* + 3 */
	call 1f
1:	popl %edx
	cmpl $1b, %edx
	jne 9f
	movl own, %eax
	leal -41(%edi, %eax), %edi
	movl $SYS_TICKS, %eax
	int $SYS_INT
	pushal
	popal
	exit int
9:	movl $0xbad, %edi
	exit int

	/* To 64-bit code and back, as some programs do. */
entry user_32_to_64
	movl $100, %ebp
1:	ljmp $SEL_UCODE, $2f
	.code64
2:	movabsq $0x100000000, %r8
	addq %r8, %rdi
	shrq $32, %r8
	addq %r8, %rdi
	pushq $SEL_UCODE32
	pushq $3f
	lretq
	.code32
3:	decl %ebp
	jnz 1b
	ljmp $SEL_UCODE, $4f
	.code64
4:	movl %edi, %edi
	exit

	.section .note.GNU-stack, "", @progbits
