/* SPDX-License-Identifier: GPL-3.0-or-later
 * Signals as a descriptor for an event loop. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H
#include "base/types.h"

/* Block the signals of LIST, which ends with 0, and ignore SIGPIPE: call before starting threads. Return a
 * descriptor that is readable when a signal is pending; -1 with errno. */
int signals_take(const int *list);
/* Return the next pending signal; 0 if there is none. */
int signals_next(int fd);
#endif
