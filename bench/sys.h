/* SPDX-License-Identifier: GPL-3.0-or-later
 * Linux system calls of the i386 ABI, as a C library makes them: through the entry
 * point that the kernel names in the auxiliary vector, else INT 80h. */
#ifndef BENCH_SYS_H
#define BENCH_SYS_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
#define NULL ((void *)0)

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

static inline void sys_exit(int status)
{
	for (;;)
		sys3(SYS_exit, status, 0, 0);
}
#endif
