/* SPDX-License-Identifier: GPL-3.0-or-later
 * The process that starts VMs: forked before the host restricts itself, as the host may run no program. It
 * runs vitrine alone (the very file that the host runs), is the parent of what it starts, reaps it, and says
 * how it ended. It ends with the host. */
#ifndef HOST_STARTER_H
#define HOST_STARTER_H
#include "base/types.h"

struct starter;

/* Called for each process that was started, when it has ended: STATUS as of waitpid(). */
typedef void (*starter_ended)(void *ctx, int pid, int status);

/* Before the first thread. RESTRICTED: what it starts may not do what no VM needs. NULL with one line in ERR.
 */
struct starter *starter_new(bool restricted, starter_ended ended, void *ctx, char *err, size_t errlen);
void starter_free(struct starter *s);
/* Readable when there is something for starter_take(), which calls ENDED. */
int starter_fd(const struct starter *s);
/* False: the process is gone. */
bool starter_take(struct starter *s);
/* A process that was started. */
struct started {
	int pid, pidfd, output; /* OUTPUT: what it prints, to be read */
};
/* Run vitrine with the arguments ARGV (ARGC of them, ARGV[0] is the first behind the name of the program).
 * False with one line in ERR. */
bool starter_run(struct starter *s, int argc, char **argv, struct started *out, char *err, size_t errlen);
#endif
