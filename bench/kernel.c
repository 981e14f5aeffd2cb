/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items that exercise the operating system. */
#include "bench/bench.h"

#define FAULT_BYTES (256 * 4096u)

static void null_syscall(u32 n)
{
	for (; n; n--)
		sys3(SYS_getppid, 0, 0, 0);
}

static void wait_for(long pid)
{
	int status;

	sys4(SYS_wait4, pid, (long)&status, 0, 0);
}

static void fork_wait(u32 n)
{
	for (; n; n--) {
		long pid = sys3(SYS_fork, 0, 0, 0);

		if (!pid)
			sys_exit(0);
		wait_for(pid);
	}
}

static void fork_exec(u32 n)
{
	static const char *const argv[] = { "bench", "-", NULL };
	static const char *const envp[] = { NULL };

	for (; n; n--) {
		long pid = sys3(SYS_fork, 0, 0, 0);

		if (!pid) {
			sys3(SYS_execve, (long)"/proc/self/exe", (long)argv, (long)envp);
			sys_exit(1);
		}
		wait_for(pid);
	}
}

/* One operation is one switch: half a round trip. */
static void pipe_switch(u32 n)
{
	int there[2], back[2];
	char c = 0;
	long pid;

	n = (n + 1) / 2;
	if (sys3(SYS_pipe, (long)there, 0, 0) || sys3(SYS_pipe, (long)back, 0, 0))
		return;
	pid = sys3(SYS_fork, 0, 0, 0);
	for (u32 i = n; i; i--) {
		if (pid)
			sys3(SYS_write, there[1], (long)&c, 1);
		sys3(SYS_read, pid ? back[0] : there[0], (long)&c, 1);
		if (!pid)
			sys3(SYS_write, back[1], (long)&c, 1);
	}
	if (!pid)
		sys_exit(0);
	wait_for(pid);
	for (int i = 0; i < 2; i++) {
		sys3(SYS_close, there[i], 0, 0);
		sys3(SYS_close, back[i], 0, 0);
	}
}

static void mmap_touch_munmap(u32 n)
{
	for (; n; n--) {
		volatile u8 *p = sys_mmap(4 * 4096);

		p[0] = p[4096] = 1;
		sys3(SYS_munmap, (long)p, 4 * 4096, 0);
	}
}

/* One operation is the first touch of one page. */
static void page_fault(u32 n)
{
	while (n) {
		u32 pages = n < FAULT_BYTES / 4096 ? n : FAULT_BYTES / 4096;
		volatile u8 *p = sys_mmap(FAULT_BYTES);

		for (u32 i = 0; i < pages; i++)
			p[i * 4096] = 1;
		sys3(SYS_munmap, (long)p, FAULT_BYTES, 0);
		n -= pages;
	}
}

const struct item kernel_items[] = {
	{ "syscall", null_syscall, NULL, NULL },   { "fork+wait", fork_wait, NULL, NULL },
	{ "fork+exec", fork_exec, NULL, NULL },	   { "pipe", pipe_switch, NULL, NULL },
	{ "mmap", mmap_touch_munmap, NULL, NULL }, { "fault", page_fault, NULL, NULL },
};
const u32 kernel_count = sizeof(kernel_items) / sizeof(kernel_items[0]);
