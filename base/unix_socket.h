/* SPDX-License-Identifier: GPL-3.0-or-later
 * Listening at a Unix socket that only its owner can connect to. A socket file that a process left behind
 * when it was killed is replaced; one at which a process listens is not. */
#ifndef BASE_UNIX_SOCKET_H
#define BASE_UNIX_SOCKET_H
#include "base/types.h"

struct unix_socket {
	int fd;		/* -1: not listening */
	char path[108]; /* "": none to remove */
	uint64_t inode; /* of PATH: a file that has replaced it since is not removed */
};

/* Listen at PATH with mode 0600, whatever the umask. TYPE: SOCK_STREAM or SOCK_SEQPACKET, with or without
 * SOCK_NONBLOCK. False with the reason, without the path, in *WHY: static, or valid until the next
 * strerror(). */
bool unix_socket_listen(struct unix_socket *u, const char *path, int type, const char **why);
/* Stop listening and remove the file. */
void unix_socket_close(struct unix_socket *u);
#endif
