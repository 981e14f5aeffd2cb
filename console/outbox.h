/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines for a client that may not read as fast as they come: as many wait as there is room for,
 * then lines are lost until the rest has gone, and the client is told how many. Nothing here
 * waits, and only a part of the socket's own buffer is used, so that there is room for what
 * must not be lost. */
#ifndef CONSOLE_OUTBOX_H
#define CONSOLE_OUTBOX_H
#include "base/types.h"

struct outbox {
	char *buf; /* NULL: nothing was ever put in */
	size_t len;
	bool begun; /* part of the first line has been sent */
	uint64_t lost;
};

void outbox_fini(struct outbox *b);
/* Put in a LINE, its newline included. */
void outbox_add(struct outbox *b, const char *line, size_t n);
/* Send to FD what goes at once; LAST: more of it, as the rest will be cut. False: the other end is gone. */
bool outbox_send(struct outbox *b, int fd, bool last);
/* Is there something left to send, or to tell? */
bool outbox_pending(const struct outbox *b);
/* Something else is to be sent now: how many bytes at BUF must go first, so that no line is torn. The other
 * lines are lost; outbox_cut() forgets all. */
size_t outbox_torn(const struct outbox *b);
void outbox_cut(struct outbox *b);
/* The line that tells of those that were lost, which then are told; its length, 0: none were. */
size_t outbox_notice(struct outbox *b, char *line, size_t room);
#endif
