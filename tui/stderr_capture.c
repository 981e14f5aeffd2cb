/* SPDX-License-Identifier: GPL-3.0-or-later
 * Standard error would print into the middle of the screen ("log all on", a library's
 * warning), so it goes to the journal while curses owns the terminal. The pipe never blocks
 * a writer: that may be the vCPU's thread, for which the reader may be waiting. */
#include "tui/stderr_capture.h"
#include "tui/tui_int.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READS_A_TURN = 16 }; /* limited, so that a verbose log does not starve the keys */

static void take_line(struct tui *t, const char *text, size_t n)
{
	char line[sizeof(t->capture.line) + 1];

	memcpy(line, text, n);
	line[n] = 0;
	journal_add(&t->journal, "", line);
	tui_message(t, ST_MESSAGE, "%s", line);
	t->unread++;
}

/* Take the complete lines out of the buffer. One that fills it is cut. */
static void take_lines(struct tui *t, struct stderr_capture *c)
{
	char *end, *from = c->line;

	while ((end = memchr(from, '\n', c->len - (size_t)(from - c->line)))) {
		take_line(t, from, (size_t)(end - from));
		from = end + 1;
	}
	if (from == c->line && c->len == sizeof(c->line)) {
		take_line(t, from, c->len);
		from += c->len;
	}
	c->len -= (size_t)(from - c->line);
	memmove(c->line, from, c->len);
}

static void ready(void *ctx, int fd)
{
	struct tui *t = ctx;
	struct stderr_capture *c = &t->capture;

	for (int i = 0; i < READS_A_TURN; i++) {
		ssize_t got = read(fd, c->line + c->len, sizeof(c->line) - c->len);

		if (got <= 0)
			return;
		c->len += (size_t)got;
		take_lines(t, c);
	}
}

void stderr_capture_begin(struct tui *t)
{
	struct stderr_capture *c = &t->capture;
	int fds[2];

	c->saved_fd = c->read_fd = -1;
	if (!isatty(STDERR_FILENO) || pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return;
	c->saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	c->read_fd = fds[0];
	loop_watch(t->loop, c->read_fd, ready, t);
}

void stderr_capture_end(struct tui *t)
{
	struct stderr_capture *c = &t->capture;

	if (c->read_fd < 0)
		return;
	loop_forget(t->loop, c->read_fd);
	close(c->read_fd);
	dup2(c->saved_fd, STDERR_FILENO);
	close(c->saved_fd);
	c->saved_fd = c->read_fd = -1;
}
