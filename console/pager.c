/* SPDX-License-Identifier: GPL-3.0-or-later
 * Output that is longer than the terminal, a page at a time. The event loop turns while a prompt
 * is open, so other faces are served. */
#include "console/console_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SMALLEST = 5 /* rows; smaller terminals get no prompt */, CTRL_C = 3 };

struct size {
	unsigned rows, columns;
};

static bool terminal_size(struct size *z)
{
	const char *term = getenv("TERM");
	struct winsize w;

	if (!isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb") || ioctl(STDOUT_FILENO, TIOCGWINSZ, &w))
		return false;
	*z = (struct size){ w.ws_row, w.ws_col };
	return z->rows >= SMALLEST && z->columns;
}

/* How many rows LEN bytes of one line take. */
static unsigned rows_of(const char *line, size_t len, unsigned columns)
{
	size_t chars = 0;

	for (size_t i = 0; i < len; i++)
		chars += (line[i] & 0xc0) != 0x80; /* count UTF-8 lead bytes only */
	return chars ? (unsigned)((chars - 1) / columns) + 1 : 1;
}

/* Write lines of *TEXT until ROWS are full, at least one. False: *TEXT is at its end. */
static bool write_page(const char **text, unsigned rows, unsigned columns)
{
	unsigned used = 0;

	while (**text) {
		size_t len = strcspn(*text, "\n");
		unsigned need = rows_of(*text, len, columns);

		if (used && used + need > rows)
			return true;
		len += (*text)[len] == '\n';
		fwrite(*text, 1, len, stdout);
		*text += len;
		used += need;
	}
	return false;
}

static void key_ready(void *ctx, int fd)
{
	char *key = ctx;

	if (read(fd, key, 1) != 1)
		*key = 'q';
}

static char ask(struct pager *p)
{
	char key = 0;

	fputs("--More--  Space: page, Enter: line, c: all, q: quit", stdout);
	fflush(stdout);
	terminal_raw(p->term, STDIN_FILENO);
	loop_watch(p->loop, STDIN_FILENO, key_ready, &key);
	while (!key && !p->ended(p->ctx))
		loop_turn(p->loop, 200, -1);
	loop_forget(p->loop, STDIN_FILENO);
	terminal_restore(p->term, STDIN_FILENO);
	fputs("\r\033[K", stdout);
	return key ? key : 'q';
}

void pager_show(struct pager *p, const char *text)
{
	const char *all = text;
	struct size z;
	unsigned rows;

	if (p->asking || !p->term->is_tty || !terminal_size(&z)) {
		fputs(text, stdout);
		return;
	}
	p->asking = true;
	for (rows = z.rows - 1; write_page(&text, rows, z.columns);) {
		char key = ask(p);

		if (key == 'q' || key == 'Q' || key == CTRL_C)
			break;
		if (key == 'c' || key == 'G')
			rows = (unsigned)strlen(all); /* an upper bound: a line has at least one byte */
		else
			rows = key == '\r' || key == '\n' || key == 'j' ? 1 : z.rows - 1;
		if (!terminal_size(&z))
			rows = (unsigned)strlen(all);
	}
	p->asking = false;
	fflush(stdout);
}
