/* SPDX-License-Identifier: GPL-3.0-or-later
 * Calls without frame pointers, with .eh_frame: the test of the backtrace unwinds them.
 * Built with -fomit-frame-pointer -fasynchronous-unwind-tables and without debug data. */
/* The compiler knows of no function what another does, and clones or inlines none. */
#if __has_attribute(noipa)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE __attribute__((noinline, optnone))
#endif

int unwind_inner(int n, int *to);
void unwind_outer(void);

OPAQUE int unwind_inner(int n, int *to)
{
	*to = n;
	return n + 1;
}

/* EBP is a register like others here, and the frame's size is not known at compile time. */
OPAQUE static int unwind_middle(int n, int m)
{
	int room[n], sum = 0;

	for (int i = 0; i < n; i++)
		sum += unwind_inner(i * m, &room[i]);
	for (int i = 0; i < n; i++)
		sum += room[i];
	return sum;
}

OPAQUE static int unwind_recurse(int depth)
{
	int room[5] = { depth };

	if (depth)
		return unwind_recurse(depth - 1) + room[0];
	return unwind_middle(4, 3) + unwind_inner(depth, room);
}

OPAQUE void unwind_outer(void)
{
	unwind_recurse(3);
}
