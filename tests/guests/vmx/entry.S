/* SPDX-License-Identifier: GPL-3.0-or-later
 * Start, entry and exit, and the guest's pieces of main.c. */
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
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movl $stack_top, %esp
	lidt idt_reg
	call main
	xorl %eax, %eax
	outb %al, $0xf4
2:	cli
	hlt
	jmp 2b

	/* uint32_t run_guest(uint32_t regs[8], uint32_t launch) */
	.globl run_guest
run_guest:
	pushal
	movl 36(%esp), %edi
	movl 40(%esp), %ecx
	pushl %edi
	movl $0x6c14, %eax
	vmwrite %esp, %eax
	movl $0x6c16, %eax
	movl $exited, %edx
	vmwrite %edx, %eax
	testl %ecx, %ecx
	movl 0(%edi), %eax
	movl 4(%edi), %ecx
	movl 8(%edi), %edx
	movl 12(%edi), %ebx
	jnz 1f
	vmresume
	jmp 2f
1:	vmlaunch
2:	popl %edi
	pushfl
	popl 28(%esp)
	popal
	ret
exited:	xchgl %edi, (%esp)
	movl %eax, 0(%edi)
	movl %ecx, 4(%edi)
	movl %edx, 8(%edi)
	movl %ebx, 12(%edi)
	popl %eax
	movl %eax, 28(%edi)
	movl $0, 28(%esp)
	popal
	ret

	.macro piece name
	.globl guest_\name
guest_\name:
	.endm
	piece cpuid
	cpuid
	piece vmcall
	vmcall
	piece hlt
	hlt
	piece in
	movl $5, %edx
	inb $0x60, %al
	piece out
	movl $0x80, %edx
	outl %eax, %dx
	piece rdmsr
	movl $0x174, %ecx
	rdmsr
	piece wrmsr
	movl $0x174, %ecx
	wrmsr
	piece to_cr0
	movl %cr0, %eax
	xorl $8, %eax
	movl %eax, %cr0
	piece to_cr3
	movl $0x5000, %ebx
	movl %ebx, %cr3
	piece from_cr3
	movl %cr3, %esi
	piece to_cr4
	movl %cr4, %eax
	movl %eax, %cr4			/* the shadow: no exit */
	orl $1 << 13, %eax
	movl %eax, %cr4
	piece clts
	clts
	piece ud
	ud2
	piece int3
	int3
	piece invlpg
	movl $0x1000, %ebx
	invlpg 0x234(%ebx)
	piece mov_dr
	movl %eax, %dr7
	piece vmread
	vmread %eax, 8(%ebx)
	piece rdtsc
	rdtsc
	piece pf
	movl 0xfffffff4, %eax
	piece read_cr0
	movl %cr0, %eax
	testl $8, %eax
	jz 1f
	vmcall
1:	hlt
	piece window
	nop
	sti
	nop
	nop
	hlt
	piece soft
	int $0x30
	piece task
	ljmp $0x20, $0
	piece triple
	int $0x31

	.globl handler_irq, handler_soft
handler_irq:
	movl $0x21, %ebx
	vmcall
handler_soft:
	movl $0x30, %ebx
	cpuid

	.data
	.align 8
	.globl gdt, idt
gdt:	.quad 0, 0xcf9b000000ffff, 0xcf93000000ffff, 0, 0x0000890000000067, 0, 0, 0
gdt_reg: .word . - gdt - 1
	.long gdt
	.align 8
idt_reg: .word 0x7ff
	.long idt
	.bss
	.align 16
idt:	.skip 2048
	.skip 8192
stack_top:
