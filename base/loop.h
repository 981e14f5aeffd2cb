/* SPDX-License-Identifier: GPL-3.0-or-later
 * The event loop of the main thread, over poll(): standard input may be a
 * regular file, which epoll does not watch. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Call READY whenever FD is readable or hung up. One watcher a descriptor. */
void loop_watch(struct loop *l, int fd, void (*ready)(void *ctx, int fd), void *ctx);
void loop_forget(struct loop *l, int fd);
/* Wait for at most TIMEOUT_MS (-1: for ever) and serve what is ready. Returns early, without
 * serving it, when ALSO is readable (-1: none). */
void loop_turn(struct loop *l, int timeout_ms, int also);
#endif
