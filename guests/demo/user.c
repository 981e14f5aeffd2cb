/* SPDX-License-Identifier: GPL-3.0-or-later
 * The processes' program, linked at USER_TEXT; it uses nothing of the kernel but system calls. EAX
 * holds the program's number on entry, EBX whether SYSENTER may be used. Its exit status is a set of
 * bits, one for each failure. */
#include "guests/demo/kernel.h"

enum { BAD_ISOLATION = 1, BAD_X87 = 2, BAD_SSE = 4, BAD_INT = 8, BAD_SYSENTER = 16, BAD_STACK = 32 };

static u32 own_data = 1;

static u32 sys(u32 nr, u32 a, u32 b)
{
	asm volatile("int $0x80" : "+a"(nr) : "b"(a), "S"(b) : "memory");
	return nr;
}

/* CS as SYSEXIT sets it. */
static u32 sys_fast(u32 nr, u16 *cs)
{
	asm volatile("pushl %%ebp; movl %%esp, %%ecx; movl $1f, %%edx; sysenter\n1: popl %%ebp; movw %%cs, %1"
		     : "+a"(nr), "=m"(*cs)
		     :
		     : "ecx", "edx", "memory", "cc");
	return nr;
}

static void say(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	sys(SYS_WRITE, (u32)s, n);
}

static u32 deep(u32 n)
{
	volatile u32 room[250];

	room[n % 250] = n;
	return n ? deep(n - 1) + (room[n % 250] == n) : 0;
}

/* Both register files must survive preemption: N additions with exact results. */
static u32 float_work(u32 id, u32 n, bool sse)
{
	u32 pattern[4] = { id, 2 * id, 3 * id, 4 * id };
	u32 sum[4];
	u32 count, left = n, bad = 0;

	if (sse)
		asm volatile("movdqu %0, %%xmm1; pxor %%xmm0, %%xmm0" : : "m"(pattern));
	asm volatile("fld1; fldz");
	if (sse)
		asm volatile("1: fadd %%st(1), %%st; paddd %%xmm1, %%xmm0; decl %0; jnz 1b"
			     : "+r"(left)
			     :
			     : "cc");
	else
		asm volatile("1: fadd %%st(1), %%st; decl %0; jnz 1b" : "+r"(left) : : "cc");
	asm volatile("fistpl %0; fstp %%st(0)" : "=m"(count));
	if (count != n)
		bad |= BAD_X87;
	if (sse) {
		asm volatile("movdqu %%xmm0, %0" : "=m"(sum));
		for (u32 i = 0; i < 4; i++)
			if (sum[i] != n * id * (i + 1))
				bad |= BAD_SSE;
	}
	return bad;
}

static u32 worker(u32 id, u32 flags)
{
	volatile u32 *heap = (volatile u32 *)USER_HEAP;
	u32 bad = 0, rounds = 0, twins = 0;
	u16 cs = 0;

	own_data = id;
	for (u32 i = 0; i < 32; i++)
		heap[i * 1024] = id + i;
	while (sys(SYS_PREEMPTED, 0, 0) < 5 && ++rounds < 200000) {
		bad |= float_work(id, 5000, flags & 2);
		for (u32 i = 0; i < 32; i++)
			if (heap[i * 1024] != id + i || own_data != id)
				bad |= BAD_ISOLATION;
	}
	for (u32 i = 0; i < 500; i++) {
		if (sys(SYS_GETPID, 0, 0) != id)
			bad |= BAD_INT;
		if (flags & 1 && sys_fast(SYS_GETPID, &cs) != id)
			bad |= BAD_SYSENTER;
		twins += cs == (SEL_UCODE ^ SEL_KCODE ^ SEL_TWIN);
	}
	if (flags & 1 && (!twins || twins == 500))
		bad |= BAD_SYSENTER;
	sys(SYS_YIELD, 0, 0);
	if (deep(60) != 60)
		bad |= BAD_STACK;
	say(id == 1 ? "  process one is done\n" : "  process two is done\n");
	return bad;
}

/* Programs that the kernel must stop. */
static void rogue(u32 id)
{
	switch (id) {
	case 3:
		(void)*(volatile u32 *)(KERNEL_BASE + 0x100000);
		break;
	case 4:
		*(volatile u32 *)(KERNEL_BASE + 0x100000) = 0;
		break;
	case 5:
		asm volatile("cli");
		break;
	case 6:
		asm volatile("outb %al, $0x80");
		break;
	case 7:
		asm volatile("int $0x20");
		break;
	case 8:
		((void (*)(void))(KERNEL_BASE + 0x101000))();
		break;
	case 9:
		asm volatile("hlt");
		break;
	case 10:
		*(volatile u8 *)USER_TEXT = 0;
		break;
	case 11:
		asm volatile("movw %w0, %%ds" : : "r"(SEL_KDATA));
		break;
	default:
		break;
	}
}

static void __attribute__((used)) user_main(u32 id, u32 flags)
{
	if (id < 3)
		sys(SYS_EXIT, worker(id, flags), 0);
	rogue(id);
	sys(SYS_EXIT, 0xbad, 0);
}

void __attribute__((naked, section(".text.start"))) user_start(void)
{
	asm volatile("pushl %ebx; pushl %eax; call user_main; ud2");
}
