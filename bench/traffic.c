/* SPDX-License-Identifier: GPL-3.0-or-later
 * See bench/traffic.h. */
#include "bench/traffic.h"

void put(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	sys3(SYS_write, 1, (long)s, n);
}

void put_number(u32 n)
{
	char digits[12], *p = digits + sizeof(digits) - 1;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	put(p);
}

u32 number(const char *s)
{
	u32 n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (u32)(*s++ - '0');
	return n;
}

u32 now_us(void)
{
	long ts[2];

	sys3(SYS_clock_gettime, 1, (long)ts, 0);
	return (u32)ts[0] * 1000000u + (u32)ts[1] / 1000u;
}

u32 begin(void)
{
	put("begin\n");
	return now_us();
}

void end(u32 bytes, u32 began)
{
	u32 us = now_us() - began;

	put("end ");
	put_number(bytes);
	put(" ");
	put_number(us);
	put("\n");
}

__attribute__((used)) static void start(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);

	sys_find_entry(argv + argc + 1);
	sys_exit(run(argc, argv));
}

__attribute__((naked, used)) void _start(void)
{
	asm volatile("movl %esp, %eax; andl $-16, %esp; subl $12, %esp; pushl %eax; call start");
}
