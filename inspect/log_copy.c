/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log for faces that do not share the session's standard error. Any thread may log and none may
 * block: the log goes through a pipe that the main thread reads and sends as asynchronous output. */
#include "base/alloc.h"
#include "base/log.h"
#include "inspect/session_int.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { A_TURN = 16 }; /* buffers read at once, so that a fast log leaves time for the rest */

static const struct view_col log_cols[] = {
	{ "event", "Event", VAL_STR, "", "\"log\"" },
	{ "text", "Text", VAL_STR, "", "the line" },
};

struct log_copy {
	int fd[2];
	char line[LOG_COPY_LINE];
	size_t len;
};

static void tell_line(struct inspect *s, const char *text)
{
	struct result r;
	struct table *t;

	result_init(&r);
	r.log = true;
	t = result_table(&r, log_cols, ARRAY_LEN(log_cols), TABLE_PLAIN, "{text}");
	table_row(t, (struct value[]){ V_STR("log"), V_STR(text) });
	session_tell_others(s, &r);
	result_fini(&r);
}

static void tell_lost(struct inspect *s)
{
	unsigned long lost = log_copy_lost();
	char text[80];

	if (!lost)
		return;
	snprintf(text, sizeof(text), "(%lu lines of the log lost: too many at once)", lost);
	tell_line(s, text);
}

/* Send the complete lines received so far. */
static void tell_lines(struct inspect *s, struct log_copy *c)
{
	char *end;

	while ((end = memchr(c->line, '\n', c->len))) {
		*end = 0;
		tell_line(s, c->line);
		c->len -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->len);
	}
	if (c->len == sizeof(c->line)) /* longer than any line */
		c->len = 0;
}

int inspect_log_fd(struct inspect *s)
{
	struct log_copy *c = s->out.log_copy;

	if (c)
		return c->fd[0];
	c = xcalloc(1, sizeof(*c));
	if (pipe2(c->fd, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(c);
		return -1;
	}
	s->out.log_copy = c;
	return c->fd[0];
}

void inspect_log_wanted(struct inspect *s, bool wanted)
{
	if (s->out.log_copy)
		log_set_copy(wanted ? s->out.log_copy->fd[1] : -1);
}

void inspect_log_take(struct inspect *s)
{
	struct log_copy *c = s->out.log_copy;
	ssize_t n = 1;

	for (int i = 0; i < A_TURN && n > 0; i++) {
		n = read(c->fd[0], c->line + c->len, sizeof(c->line) - c->len);
		if (n > 0)
			c->len += (size_t)n;
		tell_lines(s, c);
	}
	tell_lost(s);
}

void session_log_fini(struct inspect *s)
{
	if (!s->out.log_copy)
		return;
	log_set_copy(-1);
	close(s->out.log_copy->fd[0]);
	close(s->out.log_copy->fd[1]);
	free(s->out.log_copy);
}
