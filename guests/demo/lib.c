/* SPDX-License-Identifier: GPL-3.0-or-later
 * Output on COM1 and on the VGA text screen at once, a few string functions, and the loader's
 * information. */
#include "guests/demo/kernel.h"

#define COM1 0x3f8
#define COLS 80
#define ROWS 25

static u16 *const screen = (u16 *)(KERNEL_BASE + 0xb8000);
static unsigned col, row;
static u8 attr = 0x07;
static bool serial_only;

static void serial(char c)
{
	unsigned patience = 100000;

	while (!(inb(COM1 + 5) & 0x20) && --patience)
		;
	outb(COM1, (u8)c);
}

static void scroll(void)
{
	for (unsigned i = 0; i < COLS * (ROWS - 1); i++)
		screen[i] = screen[i + COLS];
	for (unsigned i = COLS * (ROWS - 1); i < COLS * ROWS; i++)
		screen[i] = 0x0720;
	row = ROWS - 1;
}

static void cursor(void)
{
	u16 at = (u16)(row * COLS + col);

	outb(0x3d4, 14);
	outb(0x3d5, (u8)(at >> 8));
	outb(0x3d4, 15);
	outb(0x3d5, (u8)at);
}

static void vga(char c)
{
	if (c == '\n' || col == COLS) {
		col = 0;
		if (++row == ROWS)
			scroll();
	}
	if (c != '\n')
		screen[row * COLS + col++] = (u16)((u8)c | attr << 8);
	else
		cursor();
}

void console_init(void)
{
	static const u8 setup[][2] = {
		{ 1, 0 }, { 3, 0x80 }, { 0, 1 }, { 1, 0 }, { 3, 3 }, { 2, 7 }, { 4, 3 }
	};

	for (unsigned i = 0; i < LEN(setup); i++)
		outb((u16)(COM1 + setup[i][0]), setup[i][1]);
	for (unsigned i = 0; i < COLS * ROWS; i++)
		screen[i] = 0x0720;
	col = row = 0;
}

void console_serial_only(void)
{
	serial_only = true;
}

void console_color(u8 a)
{
	attr = a;
}

void putch(char c)
{
	if (c == '\n')
		serial('\r');
	serial(c);
	if (!serial_only)
		vga(c);
}

static void number(u32 v, unsigned base, unsigned width, char pad)
{
	char buf[12];
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
		else if (*fmt == 'c')
			putch((char)__builtin_va_arg(ap, int));
		else
			number(__builtin_va_arg(ap, u32), *fmt == 'x' ? 16 : 10, width, pad);
	}
	__builtin_va_end(ap);
}

void *memset(void *d, int c, u32 n)
{
	void *to = d;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return d;
}

void *memcpy(void *d, const void *s, u32 n)
{
	void *to = d;

	asm volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n) : : "memory");
	return d;
}

int memcmp(const void *a, const void *b, u32 n)
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

char cmdline[256];

void keep_cmdline(u32 info)
{
	const struct multiboot *m = phys(info);
	const char *from = phys(m->cmdline);

	for (unsigned i = 0; m->flags & 4 && i < sizeof(cmdline) - 1 && from[i]; i++)
		cmdline[i] = from[i];
}

u32 mem_top(u32 info)
{
	const struct multiboot *m = phys(info);

	return (m->mem_upper + 1024) << 10;
}
