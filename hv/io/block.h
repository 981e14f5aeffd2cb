/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is behind a drive: a raw file, a copy-on-write overlay, an NBD server. A device submits requests,
 * which never block; a thread of the drive's own makes the host's calls, and the vCPU's thread runs the
 * completions where it chooses: when it has been woken (host clock), or at a VM time that follows from the
 * request alone (icount clock, where it waits for the host if need be). A short transfer for which the host
 * waits for no device, as its page cache has it or the file is in memory, is made at once on the vCPU's
 * thread when no other request is in flight: going to another thread and back costs more than the copy.
 * Limits on the drive (requests and bytes a second) are applied on VM time, before the host sees a request.
 *
 * All functions but block_open() and block_close() belong to the vCPU's thread, or to the controlling thread
 * while the machine is stopped. Files are opened here and nowhere later: the threads open nothing. */
#ifndef HV_IO_BLOCK_H
#define HV_IO_BLOCK_H
#include "hv/clock.h"
#include "hv/io/notice.h"

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_OPS };
enum { BLOCK_SECTOR = 512 };

/* Owned by the device, as is BUF; untouched between submission and DONE. */
struct block_request {
	enum block_op op;
	uint64_t at, len; /* bytes of the medium; not of a flush, which covers all writes that were done */
	void *buf;	  /* of a read or a write */
	void (*done)(struct block_request *r);
	void *ctx;
	int error; /* for DONE: 0, or an errno value */
	/* block.c's own */
	struct block_request *next, *later;
	uint64_t submitted, due; /* VM ns */
	bool served;		 /* under the block's lock */
};

/* Figures for views; read beside a running machine. */
struct block_stats {
	uint64_t requests[BLOCK_OPS], bytes[BLOCK_OPS], errors;
	uint64_t delayed;	       /* requests that a limit held back */
	uint64_t at_once;	       /* requests that were served on the vCPU's thread */
	uint64_t latency, latency_max; /* VM ns, from submission to completion: sum, maximum */
	uint64_t completed;
	unsigned depth, depth_max; /* requests in flight */
	int last_error;		   /* an errno value, 0: none so far */
};

/* What the machine gives its drives. */
struct block_host {
	struct io_notice *notice;
	struct vm_clock *clock;
	/* One line for the user: a drive's first error. On the vCPU's thread. NULL: none. */
	void (*report)(void *ctx, const char *line);
	void *ctx;
	/* Called on a drive's thread before its first request; false with one line in ERR. NULL: nothing. */
	bool (*thread_begins)(char *err, size_t errlen);
};

struct block;
/* Open what CONFIG names. NULL with one line in ERR. Until block_start() only block_transfer() works. */
struct block *block_open(const struct drive_config *config, char *err, size_t errlen);
/* Start the drive's thread; BIT of the notice is the drive's. False with one line in ERR. */
bool block_start(struct block *b, const struct block_host *host, unsigned bit, char *err, size_t errlen);
/* Ends the thread; what is in flight is completed on the host, without DONE. NULL is fine. */
void block_close(struct block *b);

uint64_t block_size(const struct block *b); /* bytes, a multiple of BLOCK_SECTOR */
bool block_read_only(const struct block *b);
const char *block_name(const struct block *b); /* the file or the URI */
const char *block_kind(const struct block *b); /* "raw", "overlay", "nbd" */
const struct block_stats *block_stats(const struct block *b);

/* Begin R. A range outside the medium, or a write to a read-only drive, completes with an error. DONE may run
 * before this returns, but then not within the DONE of another request. */
void block_submit(struct block *b, struct block_request *r);
/* Call WATCH at the beginning of each request, on the thread that submits it; NULL: no more. */
void block_watch(struct block *b, void (*watch)(void *ctx, const struct block_request *r), void *ctx);
/* Run DONE of the requests that the host has completed (host clock). */
void block_deliver(struct block *b);
/* Complete all requests, with DONE; those that DONE submits too. */
void block_drain(struct block *b);
/* Forget all requests, without DONE: when this returns, no buffer is used any more. */
void block_cancel(struct block *b);
/* Limits begin anew: VM time may have jumped. Nothing is in flight. */
void block_rebase(struct block *b);
/* A request and all before it, waiting for the host; before block_start() too. An errno value or 0. */
int block_transfer(struct block *b, enum block_op op, uint64_t at, void *buf, size_t n);
#endif
