/* SPDX-License-Identifier: GPL-3.0-or-later
 * A VM's connection to its host: joining, and the end of either. */
#ifndef HOST_JOIN_H
#define HOST_JOIN_H
#include "base/types.h"

struct host_link;
struct inspect;
struct loop;
struct machine;
struct mm_pool;

struct host_join {
	const char *host, *vm;	   /* names */
	uint64_t memory, min, max; /* bytes; MIN, MAX 0: the defaults */
	uint64_t shares;	   /* 0: the default */
};

/* Ask the host for a place, before the machine is made and before this process is restricted. NULL with one
 * line in ERR: it refuses, or there is none. */
struct host_link *host_link_new(const struct host_join *j, char *err, size_t errlen);
/* The pool, for machine_config; it is the link's. */
struct mm_pool *host_link_pool(const struct host_link *l);
/* The host's swap file and where the VM's part of it begins; -1: the host does not swap. */
int host_link_swap(const struct host_link *l, uint64_t *base);
/* The machine M exists: tell the host, and wait until it lists the VM. Returns a descriptor, the caller's, on
 * which the host is a client of the session's control socket; -1 with one line in ERR. */
int host_link_ready(struct host_link *l, struct machine *m, char *err, size_t errlen);
/* From now on watch the host from LOOP: when it ends, so does the session. */
void host_link_serve(struct host_link *l, struct inspect *s, struct loop *loop);
/* The machine is gone, and the process ends with STATUS. NULL is fine. */
void host_link_free(struct host_link *l, int status);
#endif
