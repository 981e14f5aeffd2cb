/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fixed instructions for kernel mode, entry to and exit from tested code, and the switch to PAE
 * paging. */
#include "guests/stress/stress.h"

	.text
	.globl kstubs, kstubs_end
	.balign 4096
kstubs:
#include "guests/stress/stubs.inc"
kstubs_end:

	/* Vectors as in stress_stubs; all except the fault push an error code of their own. */
	.macro entry vector, code=1
	.if \code
	pushl $0
	.endif
	pushl $\vector
	jmp stress_entry
	.endm
on_ud:	entry 6
on_gp:	entry 13, 0
on_pf:	entry 14, 0
on_irq:	entry 0x20
on_service:
	entry SERVICE_INT
on_end:	entry END_INT

	.section .rodata
	.align 4
	.globl stress_stubs
stress_stubs:
	.long on_ud, on_gp, on_pf, on_irq, on_service, on_end
	.text

stress_entry:
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
	call stress_trap
	addl $4, %esp
	popal
	popl %gs
	popl %fs
	popl %es
	popl %ds
	addl $8, %esp
	iretl

	/* run_guest(regs, user): returns through run_leave. struct regs: 8 registers, EIP, EFLAGS. */
	.globl run_guest, run_leave
run_guest:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	pushfl
	cli
	movl %esp, run_esp
	movl 24(%esp), %eax
	movl 28(%esp), %ecx
	testl %ecx, %ecx
	jz 1f
	movl $SEL_UDATA, %edx
	movl %edx, %ds
	movl %edx, %es
	pushl %edx
	pushl %ss:16(%eax)
	pushl %ss:36(%eax)
	pushl $SEL_UCODE
	jmp 2f
1:	movl 16(%eax), %esp
	pushl 36(%eax)
	pushl $SEL_KCODE
2:	pushl %ss:32(%eax)
	movl %ss:4(%eax), %ecx
	movl %ss:8(%eax), %edx
	movl %ss:12(%eax), %ebx
	movl %ss:20(%eax), %ebp
	movl %ss:24(%eax), %esi
	movl %ss:28(%eax), %edi
	movl %ss:(%eax), %eax
	iretl
run_leave:
	movl run_esp, %esp
	popfl
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	/* enter_pae(pdpt): both tables also map this code at its physical address. */
	.globl enter_pae
enter_pae:
	movl 4(%esp), %edx
	pushfl
	cli
	movl $(1f - KERNEL_BASE), %eax
	jmp *%eax
1:	movl %cr0, %ecx
	movl %ecx, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl %cr4, %eax
	orl $0x20, %eax
	movl %eax, %cr4
	movl %edx, %cr3
	movl %ecx, %cr0
	movl $2f, %eax
	jmp *%eax
2:	popfl
	ret

	.bss
	.align 4096
run_low:
	.skip 12288			/* handlers' share of the stack */
	.globl kstack
kstack:					/* tested code's share, which the model covers */
	.skip 4096
run_esp:
	.skip 4

	.section .note.GNU-stack, "", @progbits
