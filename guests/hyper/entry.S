/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two switches into a guest and back. */
	.text
	/* svm_run(regs, vmcb): EAX and ESP are in the VMCB. */
	.globl svm_run
svm_run:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %esi
	movl 24(%esp), %eax
	pushl %esi
	movl 4(%esi), %ecx
	movl 8(%esi), %edx
	movl 12(%esi), %ebx
	movl 16(%esi), %ebp
	movl 24(%esi), %edi
	movl 20(%esi), %esi
	vmrun %eax
	xchgl %esi, (%esp)
	movl %ecx, 4(%esi)
	movl %edx, 8(%esi)
	movl %ebx, 12(%esi)
	movl %ebp, 16(%esi)
	movl %edi, 24(%esi)
	popl 20(%esi)
	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	/* vmx_run(regs, launched): 0 after an exit; otherwise EFLAGS as the failed instruction left them. HOST_RSP is
	 * written when it has changed since the last call (vmx_host_esp is 0 for another VMCS). */
	.globl vmx_run, vmx_exit, vmx_host_esp
vmx_run:
	pushl %ebp
	pushl %ebx
	pushl %esi
	pushl %edi
	movl 20(%esp), %esi
	movl 24(%esp), %eax
	pushl %esi
	cmpl %esp, vmx_host_esp
	je 1f
	movl $0x6c14, %edx
	vmwrite %esp, %edx
	movl %esp, vmx_host_esp
1:	testl %eax, %eax
	movl (%esi), %eax
	movl 4(%esi), %ecx
	movl 8(%esi), %edx
	movl 12(%esi), %ebx
	movl 16(%esi), %ebp
	movl 24(%esi), %edi
	movl 20(%esi), %esi
	jnz 2f
	vmlaunch
	jmp 3f
2:	vmresume
3:	pushfl
	popl %eax
	popl %esi
	jmp 4f
vmx_exit:
	xchgl %esi, (%esp)
	movl %eax, (%esi)
	movl %ecx, 4(%esi)
	movl %edx, 8(%esi)
	movl %ebx, 12(%esi)
	movl %ebp, 16(%esi)
	movl %edi, 24(%esi)
	popl 20(%esi)
	xorl %eax, %eax
4:	popl %edi
	popl %esi
	popl %ebx
	popl %ebp
	ret

	.bss
	.align 4
vmx_host_esp:
	.skip 4

	.section .note.GNU-stack, "", @progbits
