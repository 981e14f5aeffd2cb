/* SPDX-License-Identifier: GPL-3.0-or-later
 * A program in the guest's Linux for gdb to debug: a variable that counts, a system call, and one with which
 * the kernel writes to the program's memory. Linked at an address that no other program uses. Its data are
 * not in memory before the first access. */
int rounds;
char names[6 * 65]; /* of uname() */

static int parent(void)
{
	int r;

	__asm__ volatile("int $0x80" : "=a"(r) : "0"(64));
	return r;
}

static void ask_names(void)
{
	int r;

	__asm__ volatile("int $0x80" : "=a"(r) : "0"(122), "b"(names) : "memory");
}

static void bump(void)
{
	rounds++;
	rounds += 0;
}

void start(void);
void start(void)
{
	for (int i = 0; i < 100000; i++) {
		bump();
		parent();
		if (i % 16 == 0)
			ask_names();
	}
	__asm__ volatile("int $0x80" : : "a"(1), "b"(0));
}
