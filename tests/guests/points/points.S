/* SPDX-License-Identifier: GPL-3.0-or-later
 * A guest for breakpoints, watchpoints and unwinding: many kinds of instructions touch one
 * cell, first without paging, then through two linear addresses of the same page, in virtual-8086
 * mode and in real mode. Each has a label behind it, touched_*, where a watchpoint has to stop. */
	.set ALIAS, 0x800000	/* with paging, linear ALIAS + X is physical X too */
	.set ROUNDS, 12		/* more than the translator takes to learn of a site that traps */
	.set LOW_CODE, 0x7000	/* 16-bit code is copied there: 0700:0000 */
	.set LOW_CELL, 0x9010	/* 0900:0010 */

	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 3, -(0x1badb002 + 3)

	.text
	.globl start
start:	cld
	lgdt gdt_reg
	ljmp $8, $1f
1:	movl $0x10, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $stack_top, %esp
	lidt idt_reg
	call fill_idt
	call unwind_outer
	xorl %ebx, %ebx
	call forms

	.globl paging_on
paging_on:
	movl $0x87, directory		/* present, writable, user, 4 MiB */
	movl $0x87, directory + (ALIAS >> 22) * 4
	movl %cr4, %eax
	orl $0x10, %eax
	movl %eax, %cr4
	movl $directory, %eax
	movl %eax, %cr3
	movl %cr0, %eax
	orl $0x80010000, %eax
	movl %eax, %cr0
	movl $ALIAS, %ebx
	call forms

	/* A device: the screen. */
	.globl device
device:	movw $0x0741, 0xb8000
	.globl touched_device
touched_device:
	nop
	movw $0x0742, 0xb8000 + ALIAS
	.globl touched_device_alias
touched_device_alias:
	nop

	/* Virtual-8086 mode, for as long as it does not ask for HLT. */
	movl $low_code, %esi
	movl $LOW_CODE, %edi
	movl $low_code_end - low_code, %ecx
	rep movsb
	movl $stack_top, tss + 4
	movl $0x10, tss + 8
	movl $0x28, %eax
	ltr %ax
	.globl enter_v86
enter_v86:
	pushl $0
	pushl $0
	pushl $0
	pushl $0
	pushl $0x700
	pushl $0xffe
	pushl $0x20002
	pushl $0x700
	pushl $v86_code - low_code
	iretl

	/* Every exception but the one from V86 mode is a failure. */
caught:	testl $0x20000, 12(%esp)	/* error code, EIP, CS, EFLAGS */
	jz failed
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	ljmp $0x18, $real_entry - low_code
failed:	movb $1, %al
	outb %al, $0xf4
	cli
	hlt

fill_idt:
	movl $idt, %edi
	movl $256, %ecx
1:	movl $caught, %eax
	movw %ax, (%edi)
	movw $8, 2(%edi)
	movw $0x8e00, 4(%edi)
	shrl $16, %eax
	movw %ax, 6(%edi)
	addl $8, %edi
	loop 1b
	movl $tss, %eax
	movw %ax, gdt + 0x2a
	shrl $16, %eax
	movb %al, gdt + 0x2c
	movb %ah, gdt + 0x2f
	ret

	/* EBX: added to the addresses used. */
	.macro touched name
	.globl touched_\name
touched_\name:
	nop
	.endm
	.globl forms
forms:	movl $ROUNDS, %ebp
1:	incl cell(%ebx)
	touched inc
	movl %ebp, cell(%ebx)
	touched mov
	movl cell(%ebx), %eax
	touched read
	lock cmpxchgl %eax, cell(%ebx)
	touched cmpxchg
	btsl $5, cell(%ebx)
	touched bts
	leal cell(%ebx), %edi
	movl $1, %ecx
	xorl %eax, %eax
	rep stosl
	touched stos
	movl %esp, %esi
	leal cell + 4(%ebx), %esp
	pushl %esi
	touched push
	popl %eax
	touched pop
	pushfl
	touched pushf
	leal cell + 4(%ebx), %esp
	call 2f
2:	touched call
	leal cell + 32(%ebx), %esp
	pushal
	touched pushal
	movl %esi, %esp
	movl $0, cell + 4(%ebx)
	lgs cell(%ebx), %eax
	touched lgs
	decl %ebp
	jnz 1b
	ret

	.code16
low_code:
	/* 0700:0000, in V86 and in real mode */
low_touch:
	movw $0x900, %ax
	movw %ax, %ds
	movw $0xbeef, 0x10
	.globl low_touched
low_touched:
	nop
	movw $0x1234, %ax
	ret
v86_code:
	call low_touch
	hlt			/* not allowed: leaves this mode */
real_entry:			/* from a 16-bit code segment */
	movw $0x20, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmp $0x700, $1f - low_code
1:	movw $0x700, %ax
	movw %ax, %ss
	movw $0xffe, %sp
	call low_touch
	xorb %al, %al
	outb %al, $0xf4
	hlt
low_code_end:
	.code32

	.data
	.align 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	/* 08: code */
	.quad 0x00cf93000000ffff	/* 10: data */
	.quad 0x00009b007000ffff	/* 18: 16-bit code at LOW_CODE */
	.quad 0x000093000000ffff	/* 20: 16-bit data */
	.quad 0x0000890000000067	/* 28: TSS */
gdt_reg:
	.word . - gdt - 1
	.long gdt
idt_reg:
	.word 256 * 8 - 1
	.long idt

	.bss
	.align 4096
directory:
	.skip 4096
	.globl cell
	.skip 64
cell:	.skip 64
tss:	.skip 104
	.align 8
idt:	.skip 256 * 8
	.skip 8192
stack_top:

	.section .note.GNU-stack, "", @progbits
