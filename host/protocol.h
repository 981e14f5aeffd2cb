/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a host and the process of a VM say to each other, over a connection that keeps messages apart
 * (SOCK_SEQPACKET). Both are the same user's processes, and neither trusts the other's bytes: length, magic,
 * version, type, strings and the number of descriptors are checked by who receives them.
 *
 *   VM            host
 *   HELLO    ->             its name, what memory it wants, what its process takes beside
 *            <-   ADMIT     its slot, with descriptors: block, frames, the host's process, and where the host
 *                           swaps, the file
 *            <-   REFUSE    instead, or later: one line
 *   READY    ->             its memory exists, with descriptors: pmap, its end of a control connection
 *            <-   LISTED    it may run
 *   BYE      ->             it has ended in order, with its exit status
 *
 * When the connection ends the other side is dead. */
#ifndef HOST_PROTOCOL_H
#define HOST_PROTOCOL_H
#include "base/runtime.h"

enum { HOST_MAGIC = 0x69727476, HOST_VERSION = 1, HOST_FDS = 4, HOST_LINE = 240 };

enum host_type { HOST_HELLO = 1, HOST_REFUSE, HOST_ADMIT, HOST_READY, HOST_LISTED, HOST_BYE, HOST_TYPES };

struct host_message {
	uint32_t magic, version, type; /* these three are the same in all versions */
	uint32_t slot;		       /* ADMIT */
	uint32_t swaps;		       /* ADMIT: 1, the last descriptor is the swap file */
	uint32_t shares;	       /* HELLO; 0: the default */
	int32_t status;		       /* BYE */
	uint64_t memory, min, max;     /* HELLO: bytes; MIN, MAX 0: the defaults */
	uint64_t overhead;	       /* HELLO, READY: bytes */
	uint64_t swap_base;	       /* ADMIT, with a swap file: where the VM's part begins */
	char name[RUNTIME_NAME];       /* HELLO: of the VM; ADMIT: of the host */
	char text[HOST_LINE];	       /* REFUSE: one line */
};

/* A message of TYPE, the rest zeros. */
struct host_message host_message(enum host_type type);
/* Send M with N descriptors, without waiting. False: the other side is gone, or does not read. */
bool host_send(int fd, const struct host_message *m, const int *fds, unsigned n);

enum host_got {
	HOST_GOT,     /* a message that is valid in itself */
	HOST_NOTHING, /* there is none yet */
	HOST_GONE,    /* the other side has closed the connection */
	HOST_BAD,     /* what came is no message; *WHY says why, static */
};
/* Receive one message and its descriptors, close-on-exec, which the caller closes: as many as its type has,
 * *N of them. */
enum host_got host_receive(int fd, struct host_message *m, int fds[HOST_FDS], unsigned *n, const char **why);
#endif
