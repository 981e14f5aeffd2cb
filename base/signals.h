/* SPDX-License-Identifier: GPL-3.0-or-later
 * Signals as a descriptor for an event loop. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H
#include "base/types.h"

#include <poll.h>

/* Block the signals of LIST, which ends with 0, and ignore SIGPIPE: call before starting threads. Return a
 * descriptor on which they arrive while this thread is in signals_poll(), as in loop_turn(); -1 with errno.
 */
int signals_take(const int *list);
/* Return the next signal that has arrived; 0 if there is none. */
int signals_next(int fd);
/* poll(), in which signals arrive that this thread has taken. */
int signals_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
#endif
