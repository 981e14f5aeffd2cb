/* SPDX-License-Identifier: GPL-3.0-or-later
 * Signals as something to read, for an event loop. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H
#include "base/types.h"

/* Block the signals of LIST, which ends with 0, and ignore SIGPIPE: call before other threads are
 * started. Returns a descriptor that is readable when one has come; -1 with errno. */
int signals_take(const int *list);
/* The next signal that has come; 0: none. */
int signals_next(int fd);
#endif
