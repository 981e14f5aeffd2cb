/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ways into and out of the kernel: trap stubs, system call entries, the fault
 * catcher of the checks, the context switch, and 16-bit and virtual-8086 code. */
#include "guests/demo/kernel.h"

	.text
	/* One stub a vector; those with a hardware error code push none. */
	.altmacro
	.macro stub n
stub_\n:
	.if (\n != 8) && (\n != 10) && (\n != 11) && (\n != 12) && (\n != 13) && (\n != 14) && (\n != 17)
	pushl $0
	.endif
	pushl $\n
	jmp trap_entry
	.section .rodata
	.long stub_\n
	.text
	.endm

	.section .rodata
	.align 4
	.globl trap_stubs
trap_stubs:
	.text
	.set i, 0
	.rept 256
	stub %i
	.set i, i + 1
	.endr

trap_entry:
	pushl %ds
	pushl %es
	pushl %fs
	pushl %gs
	pushal
	cld
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	pushl %esp
	call trap
	addl $4, %esp
	.globl trap_return
trap_return:
	popal
	popl %gs
	popl %fs
	popl %es
	popl %ds
	addl $8, %esp
	iretl

	/* SYSENTER: ESP points at tss.esp0. User passes its ESP in ECX, where to return in EDX. */
	.globl sysenter_entry
sysenter_entry:
	movl (%esp), %esp
	pushl $SEL_UDATA
	pushl %ecx
	pushl $0x202
	pushl $SEL_UCODE
	pushl %edx
	pushl $0
	pushl $SYS_INT
	pushl %ds
	pushl %es
	pushl %fs
	pushl %gs
	pushal
	cld
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	pushl %esp
	call trap
	addl $4, %esp
	popal
	popl %gs
	popl %fs
	popl %es
	popl %ds
	addl $8, %esp
	movl (%esp), %edx
	movl 12(%esp), %ecx
	sti
	sysexit

	.globl catch_fault
catch_fault:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	pushfl
	movl %esp, catch_esp
	movl $1, catch_active
	pushl 28(%esp)
	call *28(%esp)
	addl $4, %esp
	movl $0, catch_active
	xorl %eax, %eax
1:	popfl
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret
	.globl catch_resume
catch_resume:
	movl catch_esp, %esp
	movl $0, catch_active
	movl $SEL_KDATA, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %eax
	jmp 1b

	.globl load_gdt
load_gdt:
	movl 4(%esp), %eax
	lgdt (%eax)
	ljmp $SEL_KCODE, $1f
1:	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	ret

	.globl switch_context
switch_context:
	movl 4(%esp), %eax
	movl 8(%esp), %edx
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl %esp, (%eax)
	movl %edx, %esp
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	/* Called far through a 16-bit code segment whose base is code16. AX and CX in
	 * and out; the caller's frame is a 32-bit one. */
	.globl code16, code16_end
	.code16
code16:	addw %cx, %ax
	pushw %ax
	popw %dx
	loop 1f				/* CX, because the segment is 16-bit */
1:	movw $(2f - code16), %bx
	jmp *%bx
	ud2
2:	incw %dx
	lretl
code16_end:

	/* Runs in virtual-8086 mode at linear 0x7000 = 0700:0000. */
	.globl v86_code, v86_code_end
v86_code:
	movw $0x0700, %ax
	movw %ax, %ds
	movw $0xbeef, 0x800
	movw $0x1234, %ax
	movw %ax, %bx
	addw $0x1111, %bx
	sti				/* IOPL 0: #GP */
v86_code_end:
	.code32
	.globl enter_v86
enter_v86:				/* EIP 0 in CS 0700h, stack 0700:0FFE */
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0x700
	pushl $0xffe
	pushl $0x20002
	pushl $0x700
	pushl $0
	iretl

	.bss
	.align 4
	.globl catch_active
catch_esp:
	.skip 4
catch_active:
	.skip 4

	.section .note.GNU-stack, "", @progbits
