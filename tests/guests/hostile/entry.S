/* SPDX-License-Identifier: GPL-3.0-or-later
 * Entry from Multiboot, exception stubs, and the way into fuzzed code and back. */
	.section .multiboot, "a"
	.align 4
	.long 0x1badb002, 3, -(0x1badb002 + 3)

	.text
	.globl start
start:	cld
	movl $stack_top, %esp
	pushl %ebx
	call hostile_main
1:	cli
	hlt
	jmp 1b

/* 256 stubs of 16 bytes. An error code, if any, stays on the stack: nobody returns. */
	.align 16
	.globl isr_stubs
isr_stubs:
	.set vec, 0
	.rept 256
	.align 16
	pushl $vec
	jmp caught
	.set vec, vec + 1
	.endr

caught:	popl %eax
back:	cld			/* eax: vector */
	cli
	lgdt %cs:gdt_reg
	movw $0x10, %cx
	movw %cx, %ds
	movw %cx, %es
	movw %cx, %ss
	movl saved_esp, %esp
	pushl %eax
	movl $0xc0000080, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
	xorl %ecx, %ecx
	movw %cx, %fs
	movw %cx, %gs
	movl %cr2, %ecx
	movl %ecx, last_cr2
	/* the regime that was in force, whatever the code did to it */
	movl regime+8, %ecx
	movl %cr4, %edx
	cmpl %ecx, %edx
	je 1f
	movl %cr0, %edx
	andl $0x7fffffff, %edx
	movl %edx, %cr0
	movl %ecx, %cr4
1:	movl regime+4, %ecx
	movl %ecx, %cr3
	movl regime, %ecx
	movl %ecx, %cr0
	lidt idt_reg
	ljmp $8, $1f
1:	call recovered
	popl %eax
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

/* The double fault's task: back to the ordinary one by hand. */
	.globl df_entry
df_entry:
	clts
	movl $8, %eax
	jmp back

	.globl run_code
run_code:
	movl 4(%esp), %eax
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl %esp, saved_esp
	movl %esp, tss_esp0
	cmpb $0, 53(%eax)
	jne go_real
	cmpb $0, 52(%eax)
	je 1f
	movzwl 50(%eax), %ecx	/* gs fs ds es of v86 */
	pushl %ecx
	movzwl 48(%eax), %ecx
	pushl %ecx
	movzwl 44(%eax), %ecx
	pushl %ecx
	movzwl 46(%eax), %ecx
	pushl %ecx
	jmp 2f
1:	movw 48(%eax), %fs
	movw 50(%eax), %gs
	movw 46(%eax), %es
	testb $3, 40(%eax)
	jnz 2f
	/* same privilege: iret takes no stack; load it here */
	movl 16(%eax), %ecx
	movw 42(%eax), %bx
	movw 44(%eax), %dx
	movl 36(%eax), %esi
	movzwl 40(%eax), %edi
	movl 32(%eax), %ebp
	movw %bx, %ss
	movl %ecx, %esp
	pushl %esi
	pushl %edi
	pushl %ebp
	jmp 3f
2:	movzwl 42(%eax), %ecx
	pushl %ecx
	pushl 16(%eax)
	pushl 36(%eax)
	movzwl 40(%eax), %ecx
	pushl %ecx
	pushl 32(%eax)
	movw 44(%eax), %dx
	cmpb $0, 52(%eax)
	je 3f
	movw $0x10, %dx
3:	movl 4(%eax), %ecx
	movl 12(%eax), %ebx
	movl 20(%eax), %ebp
	movl 24(%eax), %esi
	movl 28(%eax), %edi
	pushw %dx
	movl 8(%eax), %edx
	movl (%eax), %eax
	popw %ds
	iretl

/* attempt(fn, arg) */
	.globl attempt
attempt:
	movl 4(%esp), %eax
	movl 8(%esp), %edx
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl %esp, saved_esp
	pushl %edx
	sti			/* the timer ends what does not end */
	call *%eax
	cli
	addl $4, %esp
	movl $256, %eax
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

/* Real mode: through a copy of real_blob at 0x8000. eax: struct state. */
go_real:
	movl %eax, %ebp
	lidt ivt_reg
	ljmp $0x58, $(0x8000 + real_enter - real_blob)

	.globl real_blob, real_blob_end
	.code16
real_blob:
real_caught:			/* every vector of the IVT leads here */
	cli
	lgdtl %cs:(gdt_reg_copy - real_blob)
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $real_back
gdt_reg_copy:
	.word 128 * 8 - 1
	.long gdt
real_enter:
	movw $0x60, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %cr0, %eax
	andl $0x7ffffffe, %eax
	movl %eax, %cr0
	ljmp $0, $(0x8000 + 1f - real_blob)
1:	xorw %ax, %ax
	movw %ax, %ds
	movw $0x7000, %bp
	movw %ds:46(%bp), %cx
	movw %cx, %es
	movw %ds:42(%bp), %ss
	movl 0x7000 + 16, %esp
	pushw 0x7000 + 36
	pushw 0x7000 + 40
	pushw 0x7000 + 32
	pushw 0x7000 + 44
	movl 0x7000, %eax
	movl 0x7000 + 4, %ecx
	movl 0x7000 + 8, %edx
	movl 0x7000 + 12, %ebx
	movl 0x7000 + 24, %esi
	movl 0x7000 + 28, %edi
	movl 0x7000 + 20, %ebp
	popw %ds
	iretw
real_blob_end:
	.code32
real_back:
	movl $300, %eax
	jmp back

	.data
	.align 8
	.globl saved_esp, gdt_reg, idt_reg
saved_esp:
	.long 0
gdt_reg:
	.word 128 * 8 - 1
	.long gdt
	.word 0
idt_reg:
	.word 256 * 8 - 1
	.long idt
	.word 0
ivt_reg:
	.word 1023
	.long 0
	.globl tss, tss_esp0
	.align 16
tss:	.long 0
tss_esp0:
	.long 0
	.skip 104 - 8 + 64
	.bss
	.align 16
	.skip 32768
	.globl stack_top
stack_top:
	.section .note.GNU-stack, "", @progbits
