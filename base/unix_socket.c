/* SPDX-License-Identifier: GPL-3.0-or-later
 * See unix_socket.h. */
#include "base/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 8 };

static uint64_t inode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) || !S_ISSOCK(st.st_mode) ? 0 : st.st_ino;
}

/* Is there a socket file that no process has open? A datagram socket cannot be connected to one of
 * another type, so a process that listens there does not notice. */
static bool is_stale(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool stale =
	    fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

/* Bind FD to ADDR; replace a stale socket there. */
static bool bind_to(int fd, const struct sockaddr_un *addr)
{
	uint64_t inode = inode_of(addr->sun_path);

	/* bind() gives the file the mode of the descriptor: there is no moment at which others could connect.
	 */
	if (fchmod(fd, 0600) < 0)
		return false;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return true;
	if (errno != EADDRINUSE || !inode)
		return false;
	if (!is_stale(addr) || inode_of(addr->sun_path) != inode) {
		errno = EADDRINUSE;
		return false;
	}
	return unlink(addr->sun_path) == 0 && bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0;
}

bool unix_socket_listen(struct unix_socket *u, const char *path, int type, const char **why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	bool ok;

	*u = (struct unix_socket){ .fd = -1 };
	*why = path[0] ? "the path is too long" : "the path is empty";
	if (!path[0] || strlen(path) >= sizeof(addr.sun_path))
		return false;
	strcpy(addr.sun_path, path);
	u->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	ok = u->fd >= 0 && bind_to(u->fd, &addr);
	if (ok) {
		strcpy(u->path, path);
		u->inode = inode_of(path);
	}
	if (ok && listen(u->fd, BACKLOG) == 0)
		return true;
	*why =
	    errno == EADDRINUSE && inode_of(path) ? "in use: another process listens there" : strerror(errno);
	unix_socket_close(u);
	return false;
}

void unix_socket_close(struct unix_socket *u)
{
	if (u->fd >= 0)
		close(u->fd);
	if (u->path[0] && inode_of(u->path) == u->inode)
		unlink(u->path);
	*u = (struct unix_socket){ .fd = -1 };
}
