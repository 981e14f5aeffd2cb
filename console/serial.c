/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's serial port on the terminal; a file or a socket is inspect/serial_port.h's. */
#include "console/console_int.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CTRL_A = 1, CTRL_C = 3, CTRL_BRACKET = 0x1d };

/* ---- output ---- */

static bool write_all(int fd, const uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t done = write(fd, buf, n);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		}
	}
	return true;
}

static void deliver(struct console *c, const uint8_t *buf, size_t n)
{
	if (c->port)
		serial_port_write(c->port, buf, n);
	if (!c->serial_stdio)
		return;
	if (c->at_prompt) {
		async_output_write(&c->async, (const char *)buf, n);
		return;
	}
	fflush(stdout);
	c->mid_line = buf[n - 1] != '\n';
	if (!write_all(STDOUT_FILENO, buf, n))
		c->serial_stdio = false; /* the reader has closed it */
}

void serial_drain(struct console *c)
{
	uint8_t buf[8192];
	size_t n;

	while ((n = inspect_serial_take(c->s, buf, sizeof(buf))))
		deliver(c, buf, n);
}

static void output_ready(void *ctx, int fd)
{
	(void)fd;
	serial_drain(ctx);
}

/* ---- input from the terminal ---- */

static void escape_key(struct console *c, uint8_t key)
{
	switch (key) {
	case 'x':
		c->wish = WISH_QUIT;
		inspect_interrupt(c->s);
		break;
	case 'c':
		c->wish = WISH_SHELL;
		inspect_interrupt(c->s);
		break;
	case CTRL_A:
	case 'a':
		inspect_serial_input(c->s, &(uint8_t){ CTRL_A }, 1);
		break;
	default:
		fputs("\r\n[Ctrl-A x: end, Ctrl-A c: shell, Ctrl-A Ctrl-A: send Ctrl-A]\r\n", stderr);
		break;
	}
}

/* Handle KEY if it is ours, not the guest's. */
static bool own_key(struct console *c, uint8_t key)
{
	if (!c->term.is_tty)
		return false;
	if (!c->run_keys) {
		if (key != CTRL_C && key != CTRL_BRACKET)
			return false;
		c->sigint = true;
		inspect_interrupt(c->s);
		return true;
	}
	if (c->escape) {
		c->escape = false;
		escape_key(c, key);
		return true;
	}
	c->escape = key == CTRL_A;
	return c->escape;
}

static void input_ready(void *ctx, int fd)
{
	struct console *c = ctx;
	uint8_t buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
			c->stdin_eof = true;
			loop_forget(c->loop, fd);
		}
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (!own_key(c, buf[i]))
			inspect_serial_input(c->s, &buf[i], 1);
}

void serial_terminal(struct console *c, bool on)
{
	/* a shell that reads commands from a pipe does not share it with the guest */
	bool take = c->serial_stdio && !c->stdin_eof && (c->term.is_tty || c->run_keys);

	if (!on) {
		serial_drain(c);
		loop_forget(c->loop, STDIN_FILENO);
		terminal_restore(&c->term, STDIN_FILENO);
	} else if (take) {
		terminal_raw(&c->term, STDIN_FILENO);
		loop_watch(c->loop, STDIN_FILENO, input_ready, c);
	}
}

/* ---- opening ---- */

bool serial_open(struct console *c, char *err, size_t errlen)
{
	const char *where = c->o->serial;

	c->serial_stdio = !strcmp(where, "stdio");
	if (serial_port_is(where) && !(c->port = serial_port_new(c->s, c->loop, where, err, errlen)))
		return false;
	if (c->serial_stdio || c->port) {
		inspect_serial_taken(c->s, true);
		loop_watch(c->loop, inspect_serial_fd(c->s), output_ready, c);
	}
	return true;
}
