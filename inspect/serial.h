/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's serial output between the vCPU's thread, which writes it, and the
 * main thread, which shows it and searches it ("wait"). */
#ifndef INSPECT_SERIAL_H
#define INSPECT_SERIAL_H
#include "base/types.h"

struct serial_log;

struct serial_log *serial_log_new(void);
void serial_log_free(struct serial_log *l);
/* Append. Any thread. When nobody takes the output it slows the caller down, but never stops it. */
void serial_log_put(struct serial_log *l, const uint8_t *buf, size_t n);
/* Readable while there is something to take; for event loops. */
int serial_log_fd(const struct serial_log *l);
size_t serial_log_take(struct serial_log *l, uint8_t *buf, size_t n);
/* Without a taker output is only searched. */
void serial_log_set_taken(struct serial_log *l, bool taken);
/* Has TEXT come since the last success (or the start)? Output up to its end is then used up. */
bool serial_log_expect(struct serial_log *l, const char *text, size_t len);
#endif
