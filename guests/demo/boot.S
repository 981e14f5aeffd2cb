/* SPDX-License-Identifier: GPL-3.0-or-later
 * From the Multiboot loader to the kernel's addresses: 4 MiB pages map physical
 * memory at 0 (for this code) and at KERNEL_BASE, then paging is enabled. A processor
 * on which the kernel, which is compiled for an i686, would fail is refused first. */
#include "guests/demo/kernel.h"

	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 3, -(0x1badb002 + 3)

	.set NEEDED, 1 << 3 | 1 << 4 | 1 << 13 | 1 << 15

	.section .boot, "ax"
	.globl start
start:	cld
	movl %eax, %esi			/* EBX keeps the information structure */
	movl %ebx, %ebp
	movl $(boot_stack + STACK_SIZE - KERNEL_BASE), %esp
	pushfl
	popl %eax
	movl %eax, %ecx
	xorl $0x200000, %eax		/* CPUID: the ID flag can be changed */
	pushl %eax
	popfl
	pushfl
	popl %eax
	xorl %ecx, %eax
	jz too_old
	movl $1, %eax
	cpuid
	andl $NEEDED, %edx
	cmpl $NEEDED, %edx
	jne too_old
	movl %ebp, %ebx
	movl $(kernel_dir - KERNEL_BASE), %edi
	movl $0x83, %eax		/* present, writable, 4 MiB */
	movl %eax, (%edi)
	xorl %ecx, %ecx
1:	movl %eax, 0xc00(%edi, %ecx, 4)
	addl $0x400000, %eax
	incl %ecx
	cmpl $16, %ecx			/* 64 MiB */
	jb 1b
	movl %cr4, %eax
	orl $0x10, %eax			/* PSE */
	movl %eax, %cr4
	movl %edi, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax		/* PG, WP */
	movl %eax, %cr0
	movl $high, %eax
	jmp *%eax

	/* Say so on COM1, which the loader left usable, and end with one failure. */
too_old:
	movl $(complaint - KERNEL_BASE), %esi
	movw $0x3f8, %dx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	movl $1, %eax
	movw $0xf4, %dx
	outl %eax, %dx
3:	hlt
	jmp 3b

	.section .rodata
complaint:
	.asciz "demo: this kernel needs an i686 processor with PSE, TSC, PGE and CMOV (CPUID 1 EDX)\n"

	.text
high:	movl $0, kernel_dir		/* the low mapping is no longer needed */
	movl %cr3, %eax
	movl %eax, %cr3
	movl $(boot_stack + STACK_SIZE), %esp
	xorl %ebp, %ebp
	pushl %ebx
	pushl %esi
	call kernel_main
1:	cli
	hlt
	jmp 1b

	.bss
	.align 4096
	.globl kernel_dir, boot_stack
kernel_dir:
	.skip 4096
boot_stack:
	.skip STACK_SIZE

	.section .note.GNU-stack, "", @progbits
