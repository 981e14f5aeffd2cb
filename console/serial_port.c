/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's serial port on the host's side: terminal, file, socket or nothing. */
#include "console/console_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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

static void hang_up(struct console *c)
{
	if (c->serial_conn < 0)
		return;
	loop_forget(c->loop, c->serial_conn);
	close(c->serial_conn);
	c->serial_conn = -1;
}

static void deliver(struct console *c, const uint8_t *buf, size_t n)
{
	int fd = c->serial == SERIAL_UNIX ? c->serial_conn : c->serial_out;

	if (fd < 0)
		return;
	if (c->serial == SERIAL_STDIO) {
		fflush(stdout);
		c->mid_line = buf[n - 1] != '\n';
	}
	if (write_all(fd, buf, n))
		return;
	if (c->serial == SERIAL_UNIX)
		hang_up(c);
	else
		c->serial_out = -1; /* the reader is gone */
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

/* True: KEY was for us. */
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
			c->stdin_over = true;
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
	/* a shell that reads its commands from a pipe keeps them for itself */
	bool take = c->serial == SERIAL_STDIO && !c->stdin_over && (c->term.is_tty || c->run_keys);

	if (!on) {
		serial_drain(c);
		loop_forget(c->loop, STDIN_FILENO);
		terminal_restore(&c->term, STDIN_FILENO);
	} else if (take) {
		terminal_raw(&c->term, STDIN_FILENO);
		loop_watch(c->loop, STDIN_FILENO, input_ready, c);
	}
}

/* ---- socket ---- */

static void conn_ready(void *ctx, int fd)
{
	struct console *c = ctx;
	uint8_t buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		inspect_serial_input(c->s, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		hang_up(c);
}

static void listen_ready(void *ctx, int fd)
{
	struct console *c = ctx;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (conn < 0)
		return;
	if (c->serial_conn >= 0) { /* one at a time */
		close(conn);
		return;
	}
	c->serial_conn = conn;
	loop_watch(c->loop, conn, conn_ready, c);
}

static bool open_socket(struct console *c, const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, errlen, "--serial: the path '%s' is too long", path);
		return false;
	}
	strcpy(addr.sun_path, path);
	c->serial_listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->serial_listen < 0 || bind(c->serial_listen, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(c->serial_listen, 1) < 0) {
		snprintf(err, errlen, "--serial: %s: %s", path, strerror(errno));
		return false;
	}
	strcpy(c->serial_path, path);
	loop_watch(c->loop, c->serial_listen, listen_ready, c);
	return true;
}

/* ---- opening ---- */

static bool open_file(struct console *c, const char *path, char *err, size_t errlen)
{
	c->serial_out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (c->serial_out < 0)
		snprintf(err, errlen, "--serial: %s: %s", path, strerror(errno));
	return c->serial_out >= 0;
}

bool serial_open(struct console *c, char *err, size_t errlen)
{
	const char *where = c->o->serial;
	bool ok = true;

	c->serial_out = c->serial_listen = c->serial_conn = -1;
	if (!strcmp(where, "stdio")) {
		c->serial = SERIAL_STDIO;
		c->serial_out = STDOUT_FILENO;
	} else if (!strncmp(where, "file:", 5)) {
		c->serial = SERIAL_FILE;
		ok = open_file(c, where + 5, err, errlen);
	} else if (!strncmp(where, "unix:", 5)) {
		c->serial = SERIAL_UNIX;
		ok = open_socket(c, where + 5, err, errlen);
	} else {
		c->serial = SERIAL_NULL;
	}
	if (c->serial != SERIAL_NULL) {
		inspect_serial_taken(c->s, true);
		loop_watch(c->loop, inspect_serial_fd(c->s), output_ready, c);
	}
	return ok;
}

void serial_close(struct console *c)
{
	hang_up(c);
	if (c->serial == SERIAL_FILE && c->serial_out >= 0)
		close(c->serial_out);
	if (c->serial_listen >= 0)
		close(c->serial_listen);
	if (c->serial_path[0])
		unlink(c->serial_path);
}
