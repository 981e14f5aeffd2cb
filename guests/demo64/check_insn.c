/* SPDX-License-Identifier: GPL-3.0-or-later
 * Instructions for any privilege level, in 64-bit mode: operand sizes, the sixteen registers, addressing
 * forms, stack, control flow, strings. The simplest come first. Constants are folded by the compiler, so the
 * results do not come from the processor under test. */
#include "guests/demo64/kernel.h"

#define X 0xfedcba9876543210ul
#define Y 0x0123456789abcdeful
typedef unsigned __int128 u128;

static u64 cells[16] __attribute__((aligned(64)));
static u8 bytes[256] __attribute__((aligned(64)));

static void fill_cells(void)
{
	for (u64 i = 0; i < LEN(cells); i++)
		cells[i] = 0x1111111111111111 * i;
}

static const char *check_arithmetic(void)
{
	u64 a = X, b = Y, c, carry;

	asm volatile("addq %2, %0; sbbq %1, %1" : "+r"(a), "=r"(carry) : "r"(b) : "cc");
	if (a != X + Y || carry)
		return "ADD";
	asm volatile("addq %2, %0; movl $0, %k1; adcq $0, %1"
		     : "+r"(a), "=&r"(carry)
		     : "r"(0x1000000000000001ul)
		     : "cc");
	if (a != X + Y + 0x1000000000000001 || carry != 1)
		return "ADC";
	c = 5;
	asm volatile("subq $6, %0; sbbq $-1, %1" : "+r"(c), "+r"(b) : : "cc");
	if (c != ~0ul || b != Y)
		return "SUB and SBB";
	asm volatile("negq %0; notq %1; incq %2; decq %3" : "+r"(c), "+r"(b), "+r"(a), "+r"(carry) : : "cc");
	if (c != 1 || b != ~Y || a != X + Y + 0x1000000000000002 || carry)
		return "NEG, NOT, INC, DEC";
	asm volatile("andq $-16, %0; orq $0x7fffffff, %1; xorq %0, %1; bswapq %2"
		     : "+r"(b), "+r"(c), "+r"(a));
	return c == ((~Y & ~15ul) ^ 0x7fffffff) && a == __builtin_bswap64(X + Y + 0x1000000000000002)
		   ? NULL
		   : "logic, BSWAP";
}

static const char *check_multiply(void)
{
	u64 lo = X, hi;
	long a = -5, b = 7, c;

	asm volatile("mulq %2" : "+a"(lo), "=d"(hi) : "r"(Y) : "cc");
	if (lo != X * Y || hi != (u64)((u128)X * Y >> 64))
		return "MUL";
	lo = X;
	asm volatile("imulq %2" : "+a"(lo), "=d"(hi) : "r"(Y) : "cc");
	if (lo != X * Y || hi != (u64)((__int128)(long)X * (long)Y >> 64))
		return "IMUL of one operand";
	asm volatile("imulq %2, %0; imulq $-3, %0, %1" : "+r"(a), "=&r"(c) : "r"(b) : "cc");
	return a == -35 && c == 105 ? NULL : "IMUL";
}

static const char *check_divide(void)
{
	const u64 hi = (u64)((u128)X * Y >> 64), lo = X * Y;
	u64 q = lo + 5, r = hi;
	long s = -1000000000001, m;

	asm volatile("divq %2" : "+a"(q), "+d"(r) : "r"(X) : "cc");
	if (q != Y || r != 5)
		return "DIV";
	asm volatile("cqto; idivq %2" : "+a"(s), "=&d"(m) : "r"(7l) : "cc");
	return s == -1000000000001 / 7 && m == -1000000000001 % 7 ? NULL : "CQO and IDIV";
}

static const char *check_sizes(void)
{
	u64 a = X, b = X, c = X, d = X, e = 0x80;

	asm volatile("movl %k0, %k0; movw $0x1111, %w1; movb $0x22, %b2; addl $1, %k3"
		     : "+r"(a), "+r"(b), "+r"(c), "+r"(d)
		     :
		     : "cc");
	if (a != 0x76543210 || b != 0xfedcba9876541111 || c != 0xfedcba9876543222 || d != 0x76543211)
		return "upper halves";
	asm volatile("movsbq %b4, %0; movslq %k1, %1; movzbl %b2, %k2; movsbw %b4, %w3"
		     : "=r"(a), "+r"(b), "+r"(c), "+r"(d)
		     : "r"(e));
	if (a != (u64)-0x80 || b != 0x76541111 || c != 0x22 || d != 0x7654ff80)
		return "sign and zero extension";
	asm volatile("movb $0x80, %%al; cbtw; cwtl; cltq; movq %%rax, %0" : "=r"(a) : : "rax");
	asm volatile("xorl %%ecx, %%ecx; cmovnzl %%ecx, %%eax" : "=a"(b) : "0"(X) : "rcx", "cc");
	if (a != (u64)-0x80 || b != 0x76543210) /* CMOV clears the upper half without a move, too */
		return "CBW, CWDE, CDQE, CMOV";
	asm volatile("movabsq $0x123456789abcdef0, %0; movq $-2, %1; movl $-2, %k2"
		     : "=r"(a), "=r"(b), "=r"(c));
	return a == 0x123456789abcdef0 && b == (u64)-2 && c == 0xfffffffe ? NULL : "immediates";
}

static const char *check_byte_registers(void)
{
	u64 a, b;

	asm volatile(
	    "movl $0x1234, %%eax; movl $0x5678, %%ebx; movb %%ah, %%bl; movb $0x9a, %%bh; addb %%bh, %%ah;"
	    "movq %%rax, %0; movq %%rbx, %1"
	    : "=r"(a), "=r"(b)
	    :
	    : "rax", "rbx", "cc");
	if (a != 0xac34 || b != 0x9a12)
		return "AH and BH";
	asm volatile("movl $0x1111, %%esi; movl $0x2222, %%edi; movb $0x33, %%sil; addb %%sil, %%dil;"
		     "movq %%rsi, %0; movq %%rdi, %1"
		     : "=r"(a), "=r"(b)
		     :
		     : "rsi", "rdi", "cc");
	if (a != 0x1133 || b != 0x2255)
		return "SIL and DIL";
	asm volatile(
	    "pushq %%rbp; movl $0x4444, %%ebp; movb $0x55, %%bpl; movb %%bpl, %%r9b; movq %%rbp, %%r10;"
	    "popq %%rbp; movzbl %%r9b, %%eax"
	    : "=a"(a)
	    :
	    : "r9", "r10", "cc");
	asm volatile("cmpq %%rax, %%rcx; sete %%r8b; setb %%r15b; movzbl %%r8b, %%eax; movzbl %%r15b, %%edx"
		     : "+a"(a), "=d"(b)
		     : "c"(0x54)
		     : "r8", "r15", "cc");
	return a == 0 && b == 1 ? NULL : "BPL, R8B, R15B";
}

static const char *check_shifts(void)
{
	u64 a = X, b = X, c = X, d = X;

	asm volatile("shlq $60, %0; shrq $60, %1; sarq %%cl, %2; rolq $12, %3"
		     : "+r"(a), "+r"(b), "+r"(c), "+r"(d)
		     : "c"(36)
		     : "cc");
	if (a != X << 60 || b != X >> 60 || c != (u64)((long)X >> 36) || d != (X << 12 | X >> 52))
		return "SHL, SHR, SAR, ROL";
	asm volatile("shldq $20, %1, %0; shrdq %%cl, %3, %2"
		     : "+r"(d), "+r"(a), "+r"(c), "+r"(b)
		     : "c"(4)
		     : "cc");
	if (d != ((X << 12 | X >> 52) << 20 | (X << 60) >> 44))
		return "SHLD";
	a = 1;
	asm volatile("stc; rcrq $1, %0; rclq $2, %0" : "+r"(a) : : "cc");
	return a == 3 ? NULL : "RCR and RCL";
}

#define EACH(X) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* Every register from R8 on as source, destination, base and index. */
static const char *check_registers(void)
{
	u64 sum = 0, want = 0;

	fill_cells();
#define REGISTER(n)                                                                                          \
	asm volatile("movq $" #n ", %%r" #n "; leaq (%%r" #n ", %%r" #n ", 4), %%rax; addq %%rax, %0;"       \
		     "movq (%2, %%r" #n ", 8), %%rax; addq %%rax, %0; movq %2, %%r" #n ";"                   \
		     "addq 8(%%r" #n "), %0; movq %0, 16(%%r" #n "); addq %%r" #n ", %0; subq %2, %0;"       \
		     "xchgq %%r" #n ", %0; xchgq %0, %%r" #n "; addl $1, %%r" #n "d; movl %%r" #n "d, %k1;"  \
		     "subq %1, %0; addq %1, %0"                                                              \
		     : "+&b"(sum), "=&d"(want)                                                               \
		     : "S"(cells)                                                                            \
		     : "rax", "r" #n, "memory", "cc");
	EACH(REGISTER)
#undef REGISTER
	want = 0;
	for (u64 i = 8; i < 16; i++)
		want += 5 * i + 0x1111111111111111 * (i + 1);
	if (sum != want)
		return "as operand, base and index";
	asm volatile("movl $8, %%r8d; movl $9, %%r9d; movl $10, %%r10d; movl $11, %%r11d; movl $12, %%r12d;"
		     "movl $13, %%r13d; movl $14, %%r14d; movl $15, %%r15d;"
		     "addq %%r9, %%r8; imulq %%r10, %%r11; xorq %%r12, %%r13; subq %%r15, %%r14;"
		     "addq %%r11, %%r8; leaq 1(%%r8, %%r13, 2), %%r9; subq %%r14, %%r9; movq %%r9, %0"
		     : "=r"(sum)
		     :
		     : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc");
	return sum == 8 + 9 + 110 + 1 + 2 + 1 ? NULL : "together";
}

static const char *check_addresses(void)
{
	u64 a, b, c, d;

	fill_cells();
	asm volatile("movq (%4), %0; movq 8(%4), %1; movq -8(%4, %5, 8), %2; movq (%4, %5), %3"
		     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
		     : "r"(cells + 1), "r"(8ul));
	if (a != cells[1] || b != cells[2] || c != cells[8] || d != cells[2])
		return "base, index, displacement";
	asm volatile("movq %4, %%r12; movq %4, %%r13; movl $3, %%r9d; movq (%%r12), %0; movq (%%r13), %1;"
		     "movq 256(%%r12, %%r9, 8), %2; movq 8(%%r13, %%r9, 8), %3"
		     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
		     : "r"(cells)
		     : "r9", "r12", "r13");
	if (a != 0 || b != 0 || d != cells[4])
		return "base R12 and R13";
	asm volatile(
	    "movq cells+40(%%rip), %0; movq cells+48, %1; movl $7, %%eax; movq cells(, %%rax, 8), %2;"
	    "cmpl $0x33333333, cells+24(%%rip); sete %%al; movzbl %%al, %%eax; movq %%rax, %3"
	    : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
	    :
	    : "rax", "cc");
	if (a != cells[5] || b != cells[6] || c != cells[7] || d != 1)
		return "RIP-relative, absolute, no base";
	asm volatile("movabsq cells+72, %%rax; movq %%rax, %0; movabsb cells+73, %%al; movq %%rax, %1"
		     : "=r"(a), "=r"(b)
		     :
		     : "rax");
	if (a != cells[9] || b != cells[9])
		return "64-bit absolute";
	asm volatile("leaq -4096(%1), %%rax; leal (%%eax, %%eax), %%ecx; movl $0x80000001, %%edx;"
		     "leal (%%rdx, %%rdx), %%edx; leaq 4(, %%rdx, 2), %0"
		     : "=r"(a)
		     : "r"(0x100000000ul)
		     : "rax", "rcx", "rdx");
	return a == 8 ? NULL : "LEA";
}

static const char *check_memory_operands(void)
{
	volatile u64 *m = cells;
	u64 rax = X;

	fill_cells();
	asm volatile(
	    "addq $-1, 8(%1); subb $1, 16(%1); notw 24(%1); incl 32(%1); movq $-5, 40(%1); negq 40(%1);"
	    "shlq $4, 48(%1); movw $0x1234, 56(%1); xchgq %%rax, 64(%1); movq %%rax, 72(%1); imulq $2, 80(%1), %%rax;"
	    "movq %%rax, 80(%1); orq %%rax, 88(%1); cmpq $0, (%1); setne 96(%1); testb $0xff, (%1); sete 97(%1)"
	    : "+a"(rax)
	    : "r"(m)
	    : "memory", "cc");
	if (m[1] != 0x1111111111111110 || m[2] != 0x2222222222222221 || m[3] != 0x333333333333cccc ||
	    m[4] != 0x4444444444444445 || m[5] != 5)
		return "ADD to INC";
	if (m[6] != 0x6666666666666660 || m[7] != 0x7777777777771234 || m[8] != X ||
	    m[9] != 0x8888888888888888)
		return "SHL to XCHG";
	return m[10] == 0x5555555555555554 && m[11] == (0xbbbbbbbbbbbbbbbb | 0x5555555555555554) &&
		       m[12] == 0xcccccccccccc0100
		   ? NULL
		   : "IMUL to SETcc";
}

static const char *check_segment_bases(void)
{
	u64 fs = rdmsr(MSR_FS_BASE), a, b, c;

	fill_cells();
	wrmsr(MSR_FS_BASE, (u64)cells);
	asm volatile(
	    "movq %%fs:8, %0; movl $2, %%ecx; movq %%fs:8(, %%rcx, 8), %1; addq %%fs:16, %0; movq %%gs:16, %2;"
	    "movq %1, %%fs:64; incq %%fs:64"
	    : "=&r"(a), "=&r"(b), "=&r"(c)
	    :
	    : "rcx", "memory", "cc");
	wrmsr(MSR_FS_BASE, fs);
	if (a != cells[1] + cells[2] || b != cells[3] || cells[8] != cells[3] + 1)
		return "FS";
	return c == percpu.magic ? NULL : "GS";
}

static const char *check_stack(void)
{
	u64 a, b, c, d;

	asm volatile(
	    "movq %%rsp, %3; pushq %4; pushq $-3; pushw $0x1234; popw %%ax; popq %0; popq %1; movq %%rsp, %2"
	    : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
	    : "r"(X)
	    : "rax", "memory");
	if (a != (u64)-3 || b != X || c != d)
		return "PUSH and POP";
	asm volatile(
	    "pushq $1; pushq $2; pushq 8(%%rsp); popq %0; movq (%%rsp), %1; movq 8(%%rsp), %2; addq $3, 8(%%rsp);"
	    "popq (%%rsp); popq %3"
	    : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
	    :
	    : "memory", "cc");
	if (a != 1 || b != 2 || c != 1 || d != 2)
		return "operands on the stack";
	asm volatile("movq %%rsp, %0; subq $24, %%rsp; andq $-64, %%rsp; movq %%rsp, %1; leaq 16(%%rsp), %2;"
		     "pushq %%rsp; popq %3; movq %0, %%rsp"
		     : "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d)
		     :
		     : "memory", "cc");
	if (b != ((a - 24) & ~63ul) || c != b + 16 || d != b)
		return "RSP as an operand";
	asm volatile(
	    "movq %%rsp, %0; pushq %%rbp; pushq $7; enter $32, $0; movq %%rbp, %1; movq %%rsp, %2; leave;"
	    "popq %3; popq %%rbp"
	    : "=&a"(a), "=&b"(b), "=&c"(c), "=&d"(d)
	    :
	    : "memory");
	if (b != a - 24 || c != b - 32 || d != 7)
		return "ENTER and LEAVE";
	asm volatile("pushq $0x8d7; popfq; pushfq; popq %0; cld" : "=r"(a) : : "cc", "memory");
	asm volatile(
	    "leaq -512(%%rsp), %1; movq %1, %0; xchgq %%rsp, %1; pushq $5; popq %%rcx; xchgq %1, %%rsp;"
	    "cmpq %1, %0; sete %%dl; movzbl %%dl, %%edx"
	    : "=&r"(b), "=&r"(c), "=&d"(d)
	    :
	    : "rcx", "memory", "cc");
	return (a & 0xcd5) == 0x8d5 && d == 1 ? NULL : "PUSHF and POPF, XCHG";
}

static u64 __attribute__((noinline)) fibonacci(u64 n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static u64 __attribute__((noinline, used)) pick(u64 n)
{
	switch (n) {
	case 0:
		return 31;
	case 1:
		return cells[3];
	case 2:
		return 57;
	case 3:
		return fibonacci(5);
	case 4:
		return 99;
	default:
		return n;
	}
}

static const char *check_calls(void)
{
	static u64 (*volatile const table[])(u64) = { pick, fibonacci };
	u64 a, b, sum = 0;

	fill_cells();
	if (fibonacci(15) != 610)
		return "recursion";
	for (u64 i = 0; i < 7; i++)
		sum += table[i & 1](i);
	if (sum != 31 + 1 + 57 + 2 + 99 + 5 + 6)
		return "calls by pointer";
	asm volatile(
	    "movq %%rsp, %0; pushq $1; pushq $2; call 1f; jmp 2f; 1: movq 8(%%rsp), %1; ret $16; 2: cmpq %%rsp, %0;"
	    "leaq 3f(%%rip), %%rax; je 4f; ud2; 4: jmp *%%rax; ud2; 3:"
	    : "=&r"(a), "=&r"(b)
	    :
	    : "rax", "memory", "cc");
	if (b != 2)
		return "RET with a count";
	asm volatile(
	    "xorl %%eax, %%eax; movl $1000, %%ecx; 1: addq %%rcx, %%rax; loop 1b; jrcxz 2f; ud2; 2: movq %%rax, %0"
	    : "=r"(a)
	    :
	    : "rax", "rcx", "cc");
	return a == 500500 ? NULL : "LOOP and JRCXZ";
}

static const char *check_strings(void)
{
	u64 n, to;

	for (unsigned i = 0; i < 128; i++)
		bytes[i] = (u8)i;
	asm volatile("rep movsq" : "=c"(n), "=D"(to) : "0"(8), "1"(bytes + 128), "S"(bytes) : "memory");
	if (n || to != (u64)bytes + 192 || memcmp(bytes, bytes + 128, 64) || bytes[192])
		return "REP MOVSQ";
	asm volatile("std; rep movsb; cld"
		     : "=c"(n), "=D"(to)
		     : "0"(16), "1"(bytes + 223), "S"(bytes + 31)
		     : "memory");
	if (n || to != (u64)bytes + 207 || memcmp(bytes + 16, bytes + 208, 16))
		return "downward";
	asm volatile("rep stosq; movb $7, %%al; stosb"
		     : "=c"(n), "=D"(to)
		     : "0"(4), "1"(bytes + 128), "a"(X)
		     : "memory");
	if (to != (u64)bytes + 161 || ((u64 *)bytes)[19] != X || bytes[160] != 7)
		return "REP STOSQ";
	asm volatile("repne scasb" : "=c"(n), "=D"(to) : "0"(128), "1"(bytes), "a"(77) : "cc");
	if (n != 50 || to != (u64)bytes + 78)
		return "REPNE SCASB";
	asm volatile("repe cmpsl" : "=c"(n), "=D"(to) : "0"(100), "1"(bytes + 208), "S"(bytes + 16) : "cc");
	if (n != 95)
		return "REPE CMPSD";
	asm volatile("lodsq" : "=a"(n) : "S"(bytes + 8));
	return n == 0x0f0e0d0c0b0a0908 ? NULL : "LODSQ";
}

static const char *check_bits(void)
{
	u64 a, b, c, at = 130, m[4] = { 0 };

	asm volatile("bsfq %3, %0; bsrq %3, %1; btq $63, %3; sbbq %2, %2"
		     : "=&r"(a), "=&r"(b), "=&r"(c)
		     : "r"(X)
		     : "cc");
	if (a != 4 || b != 63 || c != ~0ul)
		return "BSF, BSR, BT";
	asm volatile(
	    "btsq %1, %0; btsq $65, %0; lock btsq %2, %0; btcq $3, %0; btrq $65, %0; btq %1, %0; sbbq %1, %1"
	    : "+m"(m), "+r"(at)
	    : "r"(64ul)
	    : "cc", "memory");
	return m[0] == 8 && m[1] == 1 && m[2] == 4 && at == ~0ul ? NULL : "bit strings in memory";
}

static const char *check_locked(void)
{
	u64 a = 5, old = 1, m[2] __attribute__((aligned(16))) = { X, Y };
	u64 lo = X, hi = Y;
	bool ok;

	asm volatile("lock xaddq %0, %1; lock incq %1; lock subq $3, %1" : "+r"(a), "+m"(m[0]) : : "cc");
	if (a != X || m[0] != X + 3)
		return "XADD";
	asm volatile("lock cmpxchgq %3, %1; sete %2" : "+a"(old), "+m"(m[0]), "=&r"(ok) : "r"(9ul) : "cc");
	if (ok || old != X + 3)
		return "CMPXCHG that fails";
	asm volatile("lock cmpxchgq %3, %1; sete %2" : "+a"(old), "+m"(m[0]), "=&r"(ok) : "r"(X) : "cc");
	if (!ok || m[0] != X)
		return "CMPXCHG";
	if (!HAS_CX16)
		return NULL;
	asm volatile("lock cmpxchg16b %2; sete %3"
		     : "+a"(lo), "+d"(hi), "+m"(m), "=&r"(ok)
		     : "b"(1ul), "c"(2ul)
		     : "cc");
	return ok && m[0] == 1 && m[1] == 2 ? NULL : "CMPXCHG16B";
}

static const char *check_float(void)
{
	static const double two = 2;
	static u8 area[512] __attribute__((aligned(16)));
	u64 root, n, back;

	asm volatile(
	    "sqrtsd %2, %%xmm9; movq %%xmm9, %0; cvtsi2sdq %3, %%xmm15; addsd %%xmm9, %%xmm15; cvttsd2siq %%xmm15, %1"
	    : "=&r"(root), "=&r"(n)
	    : "m"(two), "r"(1ul << 40));
	if (root != 0x3ff6a09e667f3bcd || n != (1ul << 40) + 1)
		return "SSE2";
	asm volatile("movq %2, %%xmm8; fxsave64 %0; pxor %%xmm8, %%xmm8; fxrstor64 %0; movq %%xmm8, %1"
		     : "+m"(area), "=r"(back)
		     : "r"(X));
	if (back != X)
		return "FXSAVE64";
	asm volatile("fninit; fldl %1; fmul %%st(0), %%st; fistpll %0" : "=m"(n) : "m"(two));
	return n == 4 ? NULL : "x87";
}

static u8 page[4096] __attribute__((aligned(4096)));

/* A function that is changed between calls, and while another address form reaches it. */
static const char *check_own_code(void)
{
	static const u8 code[] = { 0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0xc3 }; /* movabs $1, %rax; ret */
	u64 (*volatile run)(void) = (void *)page;

	memcpy(page, code, sizeof(code));
	for (u64 i = 0; i < 20; i++) {
		*(volatile u64 *)(page + 2) = i * X;
		if (run() != i * X)
			return "by its own address";
		*(volatile u32 *)phys(phys_of(page) + 2) = (u32)i;
		if ((u32)run() != i)
			return "by another address";
	}
	return NULL;
}

const struct check insn_checks[] = {
	{ "64-bit arithmetic", check_arithmetic },
	{ "multiplication", check_multiply },
	{ "division", check_divide },
	{ "operand sizes", check_sizes },
	{ "byte registers", check_byte_registers },
	{ "shifts", check_shifts },
	{ "R8 to R15", check_registers },
	{ "addressing forms", check_addresses },
	{ "operands in memory", check_memory_operands },
	{ "FS and GS", check_segment_bases },
	{ "stack", check_stack },
	{ "calls and jumps", check_calls },
	{ "strings", check_strings },
	{ "bits", check_bits },
	{ "locked operations", check_locked },
	{ "SSE2 and x87", check_float },
	{ "code that changes", check_own_code },
};
const unsigned insn_check_count = LEN(insn_checks);
