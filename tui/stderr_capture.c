/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is said on standard error while the dashboard has the terminal ("log all on", a
 * library's complaint) would land in the middle of the screen: it goes to the journal
 * instead. The pipe never makes a writer wait: the vCPU's thread may be the one, and the
 * reader may be waiting for it. */
#include "tui/tui_int.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { A_TURN = 16 }; /* buffers read at once, so that a loquacious log leaves time for keys */

static void take_line(struct tui *t, const char *text, size_t n)
{
	char line[sizeof(t->aside) + 1];

	memcpy(line, text, n);
	line[n] = 0;
	journal_add(&t->journal, "", line);
	tui_message(t, ST_MESSAGE, "%s", line);
	t->unread++;
}

static void ready(void *ctx, int fd)
{
	struct tui *t = ctx;

	for (int i = 0; i < A_TURN; i++) {
		ssize_t got =
		    read(fd, t->aside + t->stderr_capture_len, sizeof(t->aside) - t->stderr_capture_len);
		char *end, *from = t->aside;

		if (got <= 0)
			return;
		t->stderr_capture_len += (size_t)got;
		while ((end = memchr(from, '\n', t->stderr_capture_len - (size_t)(from - t->aside)))) {
			take_line(t, from, (size_t)(end - from));
			from = end + 1;
		}
		if (from == t->aside &&
		    t->stderr_capture_len == sizeof(t->aside)) { /* a line that does not fit is cut */
			take_line(t, from, t->stderr_capture_len);
			from += t->stderr_capture_len;
		}
		t->stderr_capture_len -= (size_t)(from - t->aside);
		memmove(t->aside, from, t->stderr_capture_len);
	}
}

void stderr_capture_begin(struct tui *t)
{
	int fds[2];

	t->saved_stderr = t->stderr_capture_fd = -1;
	if (!isatty(STDERR_FILENO) || pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		return;
	t->saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	t->stderr_capture_fd = fds[0];
	loop_watch(t->loop, t->stderr_capture_fd, ready, t);
}

void stderr_capture_end(struct tui *t)
{
	if (t->stderr_capture_fd < 0)
		return;
	loop_forget(t->loop, t->stderr_capture_fd);
	close(t->stderr_capture_fd);
	dup2(t->saved_stderr, STDERR_FILENO);
	close(t->saved_stderr);
	t->saved_stderr = t->stderr_capture_fd = -1;
}
