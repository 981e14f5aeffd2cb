/* SPDX-License-Identifier: GPL-3.0-or-later
 * See serial_port.h. A client that does not read is waited for once, and not again until it has
 * read something: the face that serves the socket must stay responsive. */
#include "inspect/serial_port.h"
#include "base/alloc.h"
#include "base/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 200 };

struct serial_port {
	struct inspect *s;
	struct loop *loop;
	struct unix_socket socket;
	int file, conn; /* -1: none */
	bool stuck;	/* the client does not read */
};

bool serial_port_is(const char *where)
{
	return where && (!strncmp(where, "file:", 5) || !strncmp(where, "unix:", 5));
}

/* ---- the socket ---- */

static void hang_up(struct serial_port *p)
{
	if (p->conn < 0)
		return;
	loop_forget(p->loop, p->conn);
	close(p->conn);
	p->conn = -1;
}

static void conn_ready(void *ctx, int fd)
{
	struct serial_port *p = ctx;
	uint8_t buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n > 0)
		inspect_serial_input(p->s, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		hang_up(p);
}

static void listen_ready(void *ctx, int fd)
{
	struct serial_port *p = ctx;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn < 0)
		return;
	if (p->conn >= 0) {
		close(conn);
		return;
	}
	p->conn = conn;
	p->stuck = false;
	loop_watch(p->loop, conn, conn_ready, p);
}

static bool open_socket(struct serial_port *p, const char *path, char *err, size_t errlen)
{
	const char *why;

	if (!unix_socket_listen(&p->socket, path, SOCK_STREAM, &why)) {
		snprintf(err, errlen, "--serial: %s: %s", path, why);
		return false;
	}
	loop_watch(p->loop, p->socket.fd, listen_ready, p);
	return true;
}

static void send_all(struct serial_port *p, const uint8_t *buf, size_t n)
{
	while (n && p->conn >= 0) {
		ssize_t done = send(p->conn, buf, n, MSG_NOSIGNAL);

		if (done > 0) {
			buf += done;
			n -= (size_t)done;
			p->stuck = false;
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno != EAGAIN) {
			hang_up(p);
			return;
		}
		if (p->stuck ||
		    poll(&(struct pollfd){ .fd = p->conn, .events = POLLOUT }, 1, PATIENCE_MS) <= 0) {
			p->stuck = true;
			return;
		}
	}
}

/* ---- the file ---- */

static bool open_file(struct serial_port *p, const char *path, char *err, size_t errlen)
{
	p->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (p->file < 0)
		snprintf(err, errlen, "--serial: %s: %s", path, strerror(errno));
	return p->file >= 0;
}

static void write_all(struct serial_port *p, const uint8_t *buf, size_t n)
{
	while (n && p->file >= 0) {
		ssize_t done = write(p->file, buf, n);

		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		} else if (done == 0 || (errno != EINTR && errno != EAGAIN)) {
			close(p->file); /* a pipe without a reader, or a full disk */
			p->file = -1;
		}
	}
}

/* ---- both ---- */

struct serial_port *serial_port_new(struct inspect *s, struct loop *loop, const char *where, char *err,
				    size_t errlen)
{
	struct serial_port *p = xcalloc(1, sizeof(*p));
	bool ok;

	*p = (struct serial_port){ .s = s, .loop = loop, .socket.fd = -1, .file = -1, .conn = -1 };
	ok = !strncmp(where, "file:", 5) ? open_file(p, where + 5, err, errlen)
					 : open_socket(p, where + 5, err, errlen);
	if (ok)
		return p;
	serial_port_free(p);
	return NULL;
}

void serial_port_free(struct serial_port *p)
{
	if (!p)
		return;
	hang_up(p);
	if (p->file >= 0)
		close(p->file);
	if (p->socket.fd >= 0)
		loop_forget(p->loop, p->socket.fd);
	unix_socket_close(&p->socket);
	free(p);
}

void serial_port_write(struct serial_port *p, const uint8_t *buf, size_t n)
{
	write_all(p, buf, n);
	send_all(p, buf, n);
}
