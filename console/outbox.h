/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines for a client that may read slower than they arrive. They wait in a bounded buffer; when
 * it is full, lines are dropped until it has drained, and the client gets a notice with their
 * number. Nothing here blocks, and only a part of the socket's own buffer is used, which leaves
 * room for lines that must not be lost. */
#ifndef CONSOLE_OUTBOX_H
#define CONSOLE_OUTBOX_H
#include "base/types.h"

struct outbox {
	char *buf; /* NULL: nothing has been added yet */
	size_t len;
	bool begun;    /* part of the first line has been sent */
	uint64_t lost; /* lines dropped since the last notice */
};

void outbox_fini(struct outbox *b);
/* Add a LINE, which ends in a newline. */
void outbox_add(struct outbox *b, const char *line, size_t n);
/* Send to FD as much as it takes without blocking; LAST: more of it, because the rest will be cut. False: the
 * connection is closed. */
bool outbox_send(struct outbox *b, int fd, bool last);
/* Are there lines to send, or is a notice due? */
bool outbox_pending(const struct outbox *b);
/* The number of bytes at BUF that complete a line sent in part. To send something else: send these first,
 * then call outbox_cut(), which drops the remaining lines. */
size_t outbox_torn(const struct outbox *b);
void outbox_cut(struct outbox *b);
/* Write the notice about dropped lines, and forget them. Return its length; 0: none were dropped. */
size_t outbox_notice(struct outbox *b, char *line, size_t room);
#endif
