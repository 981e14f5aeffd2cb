/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sending to clients of the control socket: lines that must arrive wait a moment for the client;
 * asynchronous output is sent on a timer, which also frees closed clients. */
#include "console/control_int.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <linux/sockios.h>

enum {
	PATIENCE_MS = 500, /* with a client that does not read */
	TIMER_MS = 10,	   /* how long a line of output waits to be sent with others */
};

void control_set_timer(struct control *ctl)
{
	struct itimerspec when = { .it_value.tv_nsec = TIMER_MS * 1000000 };

	if (!ctl->timer_runs)
		ctl->timer_runs = timerfd_settime(ctl->timer, 0, &when, NULL) == 0;
}

void control_drop(struct control_client *c)
{
	if (c->fd < 0)
		return;
	loop_forget(c->ctl->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	control_set_timer(c->ctl);
}

static void put_all(struct control_client *c, const char *buf, size_t n)
{
	while (n && c->fd >= 0) {
		ssize_t done = send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, PATIENCE_MS) <= 0)
				control_drop(c);
		} else if (errno != EINTR) {
			control_drop(c);
		}
	}
}

void control_send(struct control_client *c, const char *line, size_t n)
{
	char notice[200];

	if (c->fd >= 0 && outbox_pending(&c->out)) {
		if (!outbox_send(&c->out, c->fd, true))
			control_drop(c);
		put_all(c, c->out.buf, outbox_torn(&c->out));
		outbox_cut(&c->out);
		put_all(c, notice, outbox_notice(&c->out, notice, sizeof(notice)));
	}
	put_all(c, line, n);
}

size_t control_waiting(const struct control_client *c)
{
	int n = 0;

	return c->fd >= 0 && ioctl(c->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}
