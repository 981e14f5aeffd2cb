/* SPDX-License-Identifier: GPL-3.0-or-later
 * Output on COM1, a few string functions, and the loader's information. */
#include "guests/demo64/kernel.h"

void console_init(void)
{
	static const u8 setup[][2] = {
		{ 1, 0 }, { 3, 0x80 }, { 0, 1 }, { 1, 0 }, { 3, 3 }, { 2, 7 }, { 4, 3 }
	};

	for (unsigned i = 0; i < LEN(setup); i++)
		outb((u16)(COM1 + setup[i][0]), setup[i][1]);
}

static void serial(char c)
{
	unsigned patience = 100000;

	while (!(inb(COM1 + 5) & 0x20) && --patience)
		;
	outb(COM1, (u8)c);
}

void putch(char c)
{
	if (c == '\n')
		serial('\r');
	serial(c);
}

static void number(u64 v, unsigned base, unsigned width, char pad)
{
	char buf[24];
	unsigned n = 0;

	do {
		buf[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n < width)
		buf[n++] = pad;
	while (n)
		putch(buf[--n]);
}

static void text(const char *s, unsigned width)
{
	unsigned n = 0;

	for (; *s; s++, n++)
		putch(*s);
	for (; n < width; n++)
		putch(' ');
}

void print(const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	for (; *fmt; fmt++) {
		char pad = ' ';
		unsigned width = 0;

		if (*fmt != '%') {
			putch(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = '0';
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (unsigned)(*fmt - '0');
		if (*fmt == 's')
			text(__builtin_va_arg(ap, const char *), width);
		else
			number(__builtin_va_arg(ap, u64), *fmt == 'x' ? 16 : 10, width, pad);
	}
	__builtin_va_end(ap);
}

void *memset(void *d, int c, u64 n)
{
	void *to = d;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return d;
}

void *memcpy(void *d, const void *s, u64 n)
{
	void *to = d;

	asm volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n) : : "memory");
	return d;
}

int memcmp(const void *a, const void *b, u64 n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

bool has_word(const char *line, const char *word)
{
	for (; line && *line; line++) {
		const char *l = line, *w = word;

		while (*w && *l == *w)
			l++, w++;
		if (!*w && (!*l || *l == ' '))
			return true;
		while (*line && *line != ' ')
			line++;
		if (!*line)
			break;
	}
	return false;
}

/* ---- what the loader tells ---- */

#define MULTIBOOT_MAGIC 0x2badb002
#define PVH_MAGIC 0x336ec578
#define MEM_MAX (1ul << 30) /* what PHYS_BASE maps */

struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
};
struct pvh {
	u32 magic, version, flags, modules;
	u64 module_list, cmdline, rsdp, memmap;
	u32 memmap_entries, reserved;
};
struct pvh_memory {
	u64 addr, size;
	u32 type, reserved;
};

char cmdline[256];
u64 mem_top;

static void keep_cmdline(u64 at)
{
	const char *from = phys(at);

	for (unsigned i = 0; at && i < sizeof(cmdline) - 1 && from[i]; i++)
		cmdline[i] = from[i];
}

static void keep_multiboot(const struct multiboot *m)
{
	mem_top = (m->mem_upper + 1024ul) << 10;
	if (m->flags & 4)
		keep_cmdline(m->cmdline);
}

static void keep_pvh(const struct pvh *p)
{
	const struct pvh_memory *m = phys(p->memmap);

	for (u32 i = 0; i < p->memmap_entries; i++)
		if (m[i].type == 1 && m[i].addr == 0x100000)
			mem_top = m[i].addr + m[i].size;
	keep_cmdline(p->cmdline);
}

void keep_info(u32 magic, u32 info)
{
	const u32 *first = phys(info);

	if (magic == MULTIBOOT_MAGIC)
		keep_multiboot(phys(info));
	else if (info && *first == PVH_MAGIC)
		keep_pvh(phys(info));
	mem_top = mem_top > MEM_MAX ? MEM_MAX : mem_top;
}
