/* SPDX-License-Identifier: GPL-3.0-or-later
 * Linux system calls, as a C library makes them. i386: through the entry point that the kernel names in the
 * auxiliary vector, else INT 80h. x86-64: SYSCALL. */
#ifndef BENCH_SYS_H
#define BENCH_SYS_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
#define NULL ((void *)0)

#ifdef __x86_64__
enum {
	SYS_read = 0,
	SYS_write = 1,
	SYS_close = 3,
	SYS_mmap = 9,
	SYS_munmap = 11,
	SYS_pipe = 22,
	SYS_madvise = 28,
	SYS_fork = 57,
	SYS_execve = 59,
	SYS_exit = 60,
	SYS_wait4 = 61,
	SYS_getppid = 110,
	SYS_clock_gettime = 228,
};

void sys_relocate(void); /* a program that is position independent, before anything else */

static inline long sys6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;

	asm volatile("syscall"
		     : "+a"(nr)
		     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory", "cc");
	return nr;
}

static inline long sys3(long nr, long a, long b, long c)
{
	asm volatile("syscall" : "+a"(nr) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory", "cc");
	return nr;
}

static inline long sys4(long nr, long a, long b, long c, long d)
{
	return sys6(nr, a, b, c, d, 0, 0);
}

static inline long sys5(long nr, long a, long b, long c, long d, long e)
{
	return sys6(nr, a, b, c, d, e, 0);
}

static inline void *sys_mmap(u32 bytes)
{
	return (void *)sys6(SYS_mmap, 0, bytes, 3, 0x22, -1, 0); /* anonymous, private */
}
#else
enum {
	SYS_exit = 1,
	SYS_fork = 2,
	SYS_read = 3,
	SYS_write = 4,
	SYS_close = 6,
	SYS_execve = 11,
	SYS_pipe = 42,
	SYS_getppid = 64,
	SYS_munmap = 91,
	SYS_wait4 = 114,
	SYS_mmap2 = 192,
	SYS_madvise = 219,
	SYS_clock_gettime = 265,
};

extern void (*sys_entry)(void);	 /* registers as for INT 80h */
void sys_find_entry(char **env); /* use the kernel's entry point, if it names one */

static inline long sys4(long nr, long a, long b, long c, long d)
{
	asm volatile("call *%5" : "+a"(nr) : "b"(a), "c"(b), "d"(c), "S"(d), "m"(sys_entry) : "memory", "cc");
	return nr;
}

static inline long sys3(long nr, long a, long b, long c)
{
	return sys4(nr, a, b, c, 0);
}

static inline long sys5(long nr, long a, long b, long c, long d, long e)
{
	asm volatile("call *%6"
		     : "+a"(nr)
		     : "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "m"(sys_entry)
		     : "memory", "cc");
	return nr;
}

static inline void *sys_mmap(u32 bytes)
{
	void *p;

	/* anonymous, private; EBP holds the offset */
	asm volatile("pushl %%ebp; xorl %%ebp, %%ebp; call *sys_entry; popl %%ebp"
		     : "=a"(p)
		     : "a"(SYS_mmap2), "b"(0), "c"(bytes), "d"(3), "S"(0x22), "D"(-1)
		     : "memory", "cc");
	return p;
}
#endif

static inline void sys_exit(int status)
{
	for (;;)
		sys3(SYS_exit, status, 0, 0);
}
#endif
