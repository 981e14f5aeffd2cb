/* SPDX-License-Identifier: GPL-3.0-or-later
 * The event loop of the main thread, over poll(): standard input may be a
 * regular file, which epoll does not watch. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Call READY whenever FD is readable or disconnected. A second call for FD replaces the first. */
void loop_watch(struct loop *l, int fd, void (*ready)(void *ctx, int fd), void *ctx);
void loop_forget(struct loop *l, int fd);
/* Wait for at most TIMEOUT_MS (-1: no limit) and serve what is ready. Return early if the descriptor ALSO is
 * readable (-1: none); the caller serves it. */
void loop_turn(struct loop *l, int timeout_ms, int also);
#endif
