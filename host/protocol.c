/* SPDX-License-Identifier: GPL-3.0-or-later
 * See protocol.h. */
#include "host/protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* By type. Columns: the fewest and the most descriptors it has. */
static const struct {
	uint8_t least, most;
} descriptors[HOST_TYPES] = {
	[HOST_ADMIT] = { 2, 4 },
	[HOST_READY] = { 2, 2 },
};

enum { CONTROL_ROOM = CMSG_SPACE(sizeof(int) * 16) };

struct host_message host_message(enum host_type type)
{
	return (struct host_message){ .magic = HOST_MAGIC, .version = HOST_VERSION, .type = type };
}

bool host_send(int fd, const struct host_message *m, const int *fds, unsigned n)
{
	union {
		struct cmsghdr head;
		char room[CONTROL_ROOM];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };

	if (n) {
		h.msg_control = &control;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n * sizeof(int)),
						 .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), fds, n * sizeof(int));
	}
	return sendmsg(fd, &h, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*m);
}

static void close_all(const int *fds, unsigned n)
{
	while (n--)
		close(fds[n]);
}

/* Take the descriptors of H to FDS, and close those for which there is no room. Returns how many came. */
static unsigned take_descriptors(struct msghdr *h, int fds[HOST_FDS])
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < HOST_FDS)
				fds[n] = fd;
			else
				close(fd);
			n++;
		}
	}
	return n;
}

/* Why M, of LEN bytes and with N descriptors, is no valid message; NULL: it is. */
static const char *wrong(const struct host_message *m, size_t len, int flags, unsigned n)
{
	if (len < 3 * sizeof(uint32_t) || m->magic != HOST_MAGIC)
		return "not a message of vitrine's";
	if (m->version != HOST_VERSION)
		return "it speaks another version of the protocol";
	if (len != sizeof(*m) || (flags & (MSG_TRUNC | MSG_CTRUNC)))
		return "a message of the wrong length";
	if (!m->type || m->type >= HOST_TYPES)
		return "a message of an unknown type";
	if (n < descriptors[m->type].least || n > descriptors[m->type].most)
		return "a message with the wrong number of descriptors";
	if (m->name[sizeof(m->name) - 1] || m->text[sizeof(m->text) - 1])
		return "a text without an end";
	return NULL;
}

enum host_got host_receive(int fd, struct host_message *m, int fds[HOST_FDS], unsigned *n, const char **why)
{
	union {
		struct cmsghdr head;
		char room[CONTROL_ROOM];
	} control;
	struct iovec part = { m, sizeof(*m) };
	struct msghdr h = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t len;

	*n = 0;
	*m = (struct host_message){ 0 };
	len = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return HOST_NOTHING;
	if (len < 0)
		return HOST_GONE;
	*n = take_descriptors(&h, fds);
	*why = wrong(m, (size_t)len, h.msg_flags, *n);
	if (!*why)
		return HOST_GOT;
	close_all(fds, *n < HOST_FDS ? *n : HOST_FDS);
	*n = 0;
	return len ? HOST_BAD : HOST_GONE;
}
