/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ways into and out of the kernel: trap stubs, system call entries, the fault
 * catcher of the checks, the context switch, and 16-bit and virtual-8086 code. */
#include "guests/demo/kernel.h"

	.text
	/* One stub for each vector; those with a hardware error code push none. */
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

	/* On the stack: vector, error code, EIP, CS, EFLAGS; and ESP, SS of a less privileged level. The
	 * tables below let debuggers unwind to the interrupted code. */
	.cfi_sections .debug_frame
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa %esp, 20		/* above EFLAGS */
	.cfi_offset %eip, -12
	.cfi_same_value %eax
	.cfi_same_value %ecx
	.cfi_same_value %edx
	/* ESP: the CFA, or the value saved there when CS & 3 is not 0. With m = -(CS & 3 != 0):
	 * val_expression of (saved & m) | (CFA & ~m). */
	.cfi_escape 0x16, 4, 21, 0x12, 0x12, 0x38, 0x1c, 0x94, 2, 0x33, 0x1a, 0x30, 0x2e, 0x1f, 0x16, 0x06, \
		0x14, 0x1a, 0x16, 0x20, 0x15, 2, 0x1a, 0x21
trap_entry:
	pushl %ds
	.cfi_adjust_cfa_offset 4
	pushl %es
	.cfi_adjust_cfa_offset 4
	pushl %fs
	.cfi_adjust_cfa_offset 4
	pushl %gs
	.cfi_adjust_cfa_offset 4
	pushal
	.cfi_adjust_cfa_offset 32
	.cfi_offset %eax, -40
	.cfi_offset %ecx, -44
	.cfi_offset %edx, -48
	.cfi_offset %ebx, -52
	.cfi_offset %ebp, -60
	.cfi_offset %esi, -64
	.cfi_offset %edi, -68
	cld
	movl $SEL_KDATA, %eax
	movl %eax, %ds
	movl %eax, %es
	pushl %esp
	.cfi_adjust_cfa_offset 4
	call trap
	addl $4, %esp
	.cfi_adjust_cfa_offset -4
	.globl trap_return
trap_return:
	popal
	.cfi_adjust_cfa_offset -32
	.cfi_same_value %eax
	.cfi_same_value %ecx
	.cfi_same_value %edx
	.cfi_same_value %ebx
	.cfi_same_value %ebp
	.cfi_same_value %esi
	.cfi_same_value %edi
	popl %gs
	.cfi_adjust_cfa_offset -4
	popl %fs
	.cfi_adjust_cfa_offset -4
	popl %es
	.cfi_adjust_cfa_offset -4
	popl %ds
	.cfi_adjust_cfa_offset -4
	addl $8, %esp
	.cfi_adjust_cfa_offset -8
	iretl
	.cfi_endproc

	/* SYSENTER: ESP points at tss.esp0. User mode passes its ESP in ECX and the return address in EDX.
	 * In place of an error code each entry pushes its number, and above that CS. */
	.macro fast_frame which
	movl (%esp), %esp
	pushl $SEL_UDATA
	pushl %ecx
	pushl $0x202
	pushl $SEL_UCODE
	pushl %edx
	pushl $\which
	movw %cs, 2(%esp)
	pushl $SYS_INT
	.endm
	.globl sysenter_entry, sysenter_twin
sysenter_twin:
	fast_frame 2
	jmp 1f
sysenter_entry:
	fast_frame 1
1:
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
	.cfi_startproc
	pushl %ebp
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %ebp, 0
	pushl %ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %ebx, 0
	pushl %esi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %esi, 0
	pushl %edi
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset %edi, 0
	pushfl
	.cfi_adjust_cfa_offset 4
	movl %esp, catch_esp
	movl $1, catch_active
	pushl 28(%esp)
	.cfi_adjust_cfa_offset 4
	call *28(%esp)
	addl $4, %esp
	.cfi_adjust_cfa_offset -4
	movl $0, catch_active
	xorl %eax, %eax
1:	popfl
	.cfi_remember_state
	.cfi_adjust_cfa_offset -4
	popl %edi
	.cfi_adjust_cfa_offset -4
	popl %esi
	.cfi_adjust_cfa_offset -4
	popl %ebx
	.cfi_adjust_cfa_offset -4
	popl %ebp
	.cfi_adjust_cfa_offset -4
	ret
	.cfi_restore_state
	.globl catch_resume
catch_resume:
	movl catch_esp, %esp
	movl $0, catch_active
	movl $SEL_KDATA, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $1, %eax
	jmp 1b
	.cfi_endproc

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

	/* Called far through a 16-bit code segment whose base is code16. AX and CX are input and output;
	 * the caller's frame is 32-bit. */
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
