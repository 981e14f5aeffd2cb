/* SPDX-License-Identifier: GPL-3.0-or-later
 * From a loader's 32-bit protected mode to 64-bit mode at the kernel's addresses. Multiboot and PVH enter at
 * the same place. Each stage prints a line first, with nothing but port I/O, so that a processor that fails
 * in one shows which. */
#include "guests/demo64/kernel.h"

#define PHYS(x) ((x) - KERNEL_BASE)

	.section .multiboot, "a"
	.align 4
header:	.long 0x1badb002, 0x10003, -(0x1badb002 + 0x10003)
	.long header, image_start, image_data_end, image_end, start

	.section .note.Xen, "a"
	.align 4
	.long 4, 8, 18			/* name, descriptor; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad start

	/* Print the string at \text: ESI and EDX, AL change. */
	.macro say text
	mov $\text, %esi
	mov $COM1, %edx
77:	lodsb
	test %al, %al
	jz 78f
	outb %al, %dx
	jmp 77b
78:
	.endm

	.section .boot, "ax"
	.code32
	.globl start
start:	cld
	movl $PHYS(boot_stack + STACK_SIZE), %esp
	movl %eax, %edi			/* EBX keeps the loader's structure, EDI its magic number */
	say text_32
	movl %ebx, %ebp
	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx			/* LM */
	jnc no_long
	movl %ebp, %ebx

	/* The first GiB in 2 MiB pages: at 0 (for this code), at KERNEL_BASE, at PHYS_BASE. */
	movl $PHYS(boot_pd), %ebp
	movl $0x83, %eax
	xorl %ecx, %ecx
1:	movl %eax, (%ebp, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $512, %ecx
	jb 1b
	leal 3(%ebp), %eax
	movl %eax, PHYS(boot_pdpt)
	movl %eax, PHYS(boot_pdpt + 510 * 8)
	movl %eax, PHYS(phys_pdpt)
	movl $PHYS(boot_pdpt) + 3, PHYS(kernel_pml4)
	movl $PHYS(boot_pdpt) + 3, PHYS(kernel_pml4 + 511 * 8)
	movl $PHYS(phys_pdpt) + 3, PHYS(kernel_pml4 + PHYS_SLOT * 8)
	say text_tables

	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $PHYS(kernel_pml4), %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	say text_efer
	movl %cr0, %eax
	orl $CR0_PG | CR0_WP, %eax
	movl %eax, %cr0
	jmp 1f
1:	say text_compat
	lgdt boot_gdt_at
	ljmp $SEL_KCODE, $in_long

no_long:
	say text_no_long
	movl $1, %eax
	movw $0xf4, %dx
	outl %eax, %dx
1:	hlt
	jmp 1b

	.code64
in_long:
	say text_64
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movabsq $high, %rax
	jmp *%rax

	.align 8
boot_gdt:
	.quad 0, 0x00209b0000000000
boot_gdt_at:
	.word 15
	.long boot_gdt
text_32:
	.asciz "demo64: 32-bit mode\r\n"
text_tables:
	.asciz "demo64: tables written\r\n"
text_efer:
	.asciz "demo64: PAE and LME set\r\n"
text_compat:
	.asciz "demo64: paging on, compatibility mode\r\n"
text_64:
	.asciz "demo64: 64-bit mode\r\n"
text_no_long:
	.asciz "demo64: this kernel needs a 64-bit processor (CPUID 80000001h EDX bit 29)\r\n"

	.text
high:	movq $(boot_stack + STACK_SIZE), %rsp
	xorl %ebp, %ebp
	movl %ebx, %esi
	call kernel_main
1:	cli
	hlt
	jmp 1b

	.bss
	.align 4096
	.globl kernel_pml4, boot_stack
kernel_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
phys_pdpt:
	.skip 4096
boot_pd:
	.skip 4096
boot_stack:
	.skip STACK_SIZE

	.section .note.GNU-stack, "", @progbits
