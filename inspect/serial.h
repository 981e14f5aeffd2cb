/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's serial output between the vCPU's thread, which writes it, and the
 * main thread, which shows it and searches it ("wait"). */
#ifndef INSPECT_SERIAL_H
#define INSPECT_SERIAL_H
#include "base/types.h"

struct serial_log;

struct serial_log *serial_log_new(void);
void serial_log_free(struct serial_log *l);
/* Append. Any thread. While a taker is slow, the caller is slowed down, never blocked. */
void serial_log_put(struct serial_log *l, const uint8_t *buf, size_t n);
/* A descriptor that is readable while there is output to take; for event loops. */
int serial_log_fd(const struct serial_log *l);
size_t serial_log_take(struct serial_log *l, uint8_t *buf, size_t n);
/* Set whether a face takes the output; without a taker it is only searched. */
void serial_log_set_taken(struct serial_log *l, bool taken);
/* Was TEXT printed since the last match (or the start)? If so, output up to its end is consumed. */
bool serial_log_expect(struct serial_log *l, const char *text, size_t len);
#endif
