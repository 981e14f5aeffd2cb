/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fixed instructions, for kernel and user mode alike. Their addresses never change, while
 * what they reach does: data, page tables, code, devices, nothing. EBX, ESI and EDI
 * are addresses, ECX a count, EBP a stride. Only what interp.c knows may be used.
 * gen.c has the table of what is in which register (stub_inputs). */
	.macro stub code:vararg
	.balign STUB_SIZE
	\code
	int $END_INT
	.endm

	stub movl (%ebx), %eax
	stub movl %eax, (%ebx)
	stub movb %al, (%ebx)
	stub movb (%ebx), %cl
	stub addl %eax, (%ebx)
	stub xchgl %eax, (%ebx)
	stub lock xaddl %eax, (%ebx)
	stub lock cmpxchgl %ecx, (%ebx)
	stub rep stosl
	stub rep stosb
	stub rep movsl
	stub rep movsb
	stub repe cmpsl
	stub repne scasb
	stub movups (%ebx), %xmm1
	stub movups %xmm1, (%ebx)
	stub movw %ax, (%ebx)
	stub movzwl (%ebx), %edx
	stub 1: movl (%ebx), %eax; addl %eax, %edx; addl %ebp, %ebx; decl %ecx; jnz 1b
	stub 1: movl %eax, (%ebx); incl %eax; addl %ebp, %ebx; decl %ecx; jnz 1b
	stub 1: addl %edx, (%ebx); addl %ebp, %ebx; decl %ecx; jnz 1b
	stub 1: movl (%esi), %eax; movl %eax, (%edi); addl %ebp, %esi; addl %ebp, %edi; decl %ecx; jnz 1b
	stub pushl (%ebx); popl (%edi)
	stub std; rep movsb; cld
	stub incl (%ebx)
	stub cmpl %eax, (%ebx); sbbl %edx, %edx; movb $0x5a, 3(%ebx)
	stub call *(%esi)
	stub notl (%ebx); shll $3, %eax; negb 1(%ebx)
	.balign STUB_SIZE
