/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio block device (Virtual I/O Device 1.2, 5.2) on a drive (hv/io/block.h). Requests are copied: the
 * drive's thread never touches guest memory. Reads are copied to the guest when they complete, if the chain's
 * descriptors, which were read once, still lead to memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hv/boot/drives.h"
#include "hv/dev/virtio.h"

enum { QUEUE_SIZE = 256, SEGMENTS_MAX = 126, SECTOR_SHIFT = 9, SECTOR = 1 << SECTOR_SHIFT, ID_LEN = 20 };
enum { HEADER = 16, RANGE = 16 /* of a discard */, PHYSICAL_SHIFT = 3 /* 4 KiB */ };
/* Longest request; bytes of all requests in flight, more wait in the queue; longest buffer that is kept. */
#define REQUEST_MAX (8ull << 20)
#define FLIGHT_MAX (64ull << 20)
#define KEEP_MAX (256ull << 10)
#define DISCARD_MAX (1ull << 30)
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK, S_IOERR, S_UNSUPPORTED };
#define F_SEG_MAX (1ull << 2)
#define F_RO (1ull << 5)
#define F_BLK_SIZE (1ull << 6)
#define F_FLUSH (1ull << 9)
#define F_TOPOLOGY (1ull << 10)
#define F_DISCARD (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)
/* Device configuration (5.2.4). */
enum {
	C_CAPACITY = 0,
	C_SEG_MAX = 12,
	C_BLK_SIZE = 20,
	C_PHYSICAL = 24,
	C_MIN_IO = 26,
	C_QUEUES = 34,
	C_DISCARD_SECTORS = 36,
	C_DISCARD_SEG = 40,
	C_DISCARD_ALIGN = 44,
	C_ZEROES_SECTORS = 48,
	C_ZEROES_SEG = 52,
	C_ZEROES_UNMAP = 56,
	C_LEN = 60
};

struct virtio_blk;
struct request {
	struct block_request r;
	struct virtio_blk *b;
	struct request *next; /* free list */
	struct virtio_chain chain;
	uint8_t *buf;
	uint64_t room; /* bytes of BUF */
	uint64_t len;  /* bytes of it that are in flight */
};

struct virtio_blk {
	struct virtio v;
	const struct drive *drive;
	struct request *all, *free;
	uint64_t flight;	     /* bytes of all requests in flight */
	bool busy;		     /* the queue is being worked on */
	struct virtio_chain scratch; /* the chain being looked at */
};

static const struct state_field fields[] = { F_VIRTIO(virtio_blk, v) };

static struct block *block(const struct virtio_blk *b)
{
	return b->drive->block;
}

/* ---- completing ---- */

/* Give the chain back with STATUS in its last byte, behind N bytes that were written. */
static void finish(struct virtio_blk *b, const struct virtio_chain *c, uint8_t status, uint64_t n)
{
	if (virtio_put(&b->v, c, c->in_len - 1, &status, 1))
		virtio_push(&b->v, 0, c->head, (uint32_t)(n + 1));
	else
		virtio_break(&b->v, "no memory where a request's status goes");
}

static void release(struct virtio_blk *b, struct request *q)
{
	b->flight -= q->len;
	if (q->room > KEEP_MAX) {
		free(q->buf);
		q->buf = NULL;
		q->room = 0;
	}
	q->next = b->free;
	b->free = q;
}

static void serve(struct virtio_blk *b);

static void done(struct block_request *r)
{
	struct request *q = r->ctx;
	struct virtio_blk *b = q->b;
	bool ok = !r->error, read = r->op == BLOCK_READ;

	if (ok && read)
		ok = virtio_put(&b->v, &q->chain, 0, q->buf, q->len);
	finish(b, &q->chain, ok ? S_OK : S_IOERR, ok && read ? q->len : 0);
	release(b, q);
	serve(b);
}

/* ---- requests ---- */

/* A request for the scratch chain with room for LEN bytes. There is one: serve() has seen to it. */
static struct request *take(struct virtio_blk *b, uint64_t len)
{
	struct request *q = b->free;

	b->free = q->next;
	if (q->room < len) {
		free(q->buf);
		q->buf = xmalloc(len);
		q->room = len;
	}
	q->chain = b->scratch;
	q->len = len;
	b->flight += len;
	return q;
}

static void submit(struct virtio_blk *b, struct request *q, enum block_op op, uint64_t at, uint64_t len)
{
	q->r =
	    (struct block_request){ .op = op, .at = at, .len = len, .buf = q->buf, .done = done, .ctx = q };
	block_submit(block(b), &q->r);
}

/* Are LEN bytes from SECTOR on the medium's, some, and no more than MAX? */
static bool in_range(const struct virtio_blk *b, uint64_t sector, uint64_t len, uint64_t max)
{
	uint64_t size = block_size(block(b));

	return len && len <= max && !(len % SECTOR) && sector <= size >> SECTOR_SHIFT &&
	       len <= size - (sector << SECTOR_SHIFT);
}

static bool writable(const struct virtio_blk *b)
{
	return !(b->v.offered & F_RO);
}

static void do_read(struct virtio_blk *b, uint64_t sector)
{
	uint64_t len = b->scratch.in_len - 1;

	if (!in_range(b, sector, len, REQUEST_MAX))
		finish(b, &b->scratch, S_IOERR, 0);
	else
		submit(b, take(b, len), BLOCK_READ, sector << SECTOR_SHIFT, len);
}

static void do_write(struct virtio_blk *b, uint64_t sector)
{
	uint64_t len = b->scratch.out_len - HEADER;
	struct request *q;

	if (!writable(b) || !in_range(b, sector, len, REQUEST_MAX)) {
		finish(b, &b->scratch, S_IOERR, 0);
		return;
	}
	q = take(b, len);
	if (virtio_get_for_disk(&b->v, &b->scratch, HEADER, q->buf, len)) {
		submit(b, q, BLOCK_WRITE, sector << SECTOR_SHIFT, len);
		return;
	}
	release(b, q);
	finish(b, &b->scratch, S_IOERR, 0);
}

/* One range of sectors: sector, number, flags (5.2.6.2). */
static void do_range(struct virtio_blk *b, bool zeroes)
{
	struct {
		uint64_t sector;
		uint32_t n, flags;
	} range;
	uint64_t len, max = zeroes ? REQUEST_MAX : DISCARD_MAX;
	struct request *q;

	if (!writable(b) || b->scratch.out_len != HEADER + RANGE ||
	    !virtio_get(&b->v, &b->scratch, HEADER, &range, sizeof(range))) {
		finish(b, &b->scratch, S_IOERR, 0);
		return;
	}
	len = (uint64_t)range.n << SECTOR_SHIFT;
	if (range.flags & (zeroes ? ~1u : ~0u)) {
		finish(b, &b->scratch, S_UNSUPPORTED, 0);
	} else if (!in_range(b, range.sector, len, max)) {
		finish(b, &b->scratch, S_IOERR, 0);
	} else if (zeroes) {
		q = take(b, len);
		memset(q->buf, 0, len);
		submit(b, q, BLOCK_WRITE, range.sector << SECTOR_SHIFT, len);
	} else {
		submit(b, take(b, 0), BLOCK_DISCARD, range.sector << SECTOR_SHIFT, len);
	}
}

/* The drive's name on the board: the same at each run. */
static void do_get_id(struct virtio_blk *b)
{
	char id[ID_LEN] = "";
	uint64_t n = b->scratch.in_len - 1 < ID_LEN ? b->scratch.in_len - 1 : ID_LEN;
	bool ok;

	snprintf(id, sizeof(id), "%s", b->v.d.name);
	ok = virtio_put(&b->v, &b->scratch, 0, id, n);
	finish(b, &b->scratch, ok ? S_OK : S_IOERR, ok ? n : 0);
}

static void start(struct virtio_blk *b)
{
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} head;

	if (!b->scratch.in_len || !virtio_get(&b->v, &b->scratch, 0, &head, HEADER)) {
		virtio_break(&b->v, "a request without header or status");
		return;
	}
	switch (head.type) {
	case T_IN:
		do_read(b, head.sector);
		break;
	case T_OUT:
		do_write(b, head.sector);
		break;
	case T_FLUSH:
		submit(b, take(b, 0), BLOCK_FLUSH, 0, 0);
		break;
	case T_GET_ID:
		do_get_id(b);
		break;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		do_range(b, head.type == T_WRITE_ZEROES);
		break;
	default:
		finish(b, &b->scratch, S_UNSUPPORTED, 0);
	}
}

/* Work on the queue; not again from a request that completes at once. No more than a ring's entries, which is
 * all that can wait: what requests write may be the ring itself, without end. */
static void serve(struct virtio_blk *b)
{
	if (b->busy)
		return;
	b->busy = true;
	for (unsigned i = 0; i < QUEUE_SIZE && b->free && b->flight < FLIGHT_MAX; i++) {
		if (!virtio_pop(&b->v, 0, &b->scratch))
			break;
		start(b);
	}
	b->busy = false;
}

static void notify(struct virtio *v, unsigned queue)
{
	(void)queue;
	serve((struct virtio_blk *)v);
}

static void forget(struct virtio *v)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	block_cancel(block(b));
	b->free = NULL;
	b->flight = 0;
	for (unsigned i = 0; i < QUEUE_SIZE; i++) {
		b->all[i].next = b->free;
		b->free = &b->all[i];
	}
}

/* ---- the device ---- */

static const struct virtio_type type = {
	.name = "Virtio block device",
	.id = 2,
	.class_code = 0x010000,
	.nqueues = 1,
	.queue_size = { QUEUE_SIZE },
	.features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_DISCARD | F_WRITE_ZEROES,
	.config_len = C_LEN,
	.reset = forget,
	.notify = notify,
};

static void set(struct virtio_blk *b, unsigned at, uint64_t val, unsigned n)
{
	memcpy(b->v.config + at, &val, n);
}

static void configure(struct virtio_blk *b)
{
	set(b, C_CAPACITY, block_size(block(b)) >> SECTOR_SHIFT, 8);
	set(b, C_SEG_MAX, SEGMENTS_MAX, 4);
	set(b, C_BLK_SIZE, SECTOR, 4);
	set(b, C_PHYSICAL, PHYSICAL_SHIFT, 1);
	set(b, C_MIN_IO, 1 << PHYSICAL_SHIFT, 2);
	set(b, C_QUEUES, 1, 2);
	set(b, C_DISCARD_SECTORS, DISCARD_MAX >> SECTOR_SHIFT, 4);
	set(b, C_DISCARD_SEG, 1, 4);
	set(b, C_DISCARD_ALIGN, 1 << PHYSICAL_SHIFT, 4);
	set(b, C_ZEROES_SECTORS, REQUEST_MAX >> SECTOR_SHIFT, 4);
	set(b, C_ZEROES_SEG, 1, 4);
	if (b->drive->read_only || block_read_only(block(b)))
		b->v.offered |= F_RO;
}

static bool blk_open(struct dev *d, char *err, size_t errlen)
{
	struct virtio_blk *b = (struct virtio_blk *)d;

	b->drive = d->config;
	if (!virtio_open(&b->v, &type, err, errlen))
		return false;
	b->all = xcalloc(QUEUE_SIZE, sizeof(*b->all));
	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		b->all[i].b = b;
	configure(b);
	return true;
}

static void blk_fini(struct dev *d)
{
	struct virtio_blk *b = (struct virtio_blk *)d;

	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		free(b->all[i].buf);
	free(b->all);
	virtio_fini(&b->v);
}

const struct dev_class virtio_blk_class = {
	.name = "virtio-blk",
	.help = "virtio block device",
	.size = sizeof(struct virtio_blk),
	.hosted = true,
	DEV_FIELDS(fields),
	.open = blk_open,
	.reset = virtio_reset,
	.fini = blk_fini,
	.mmio_read = virtio_read,
	.mmio_write = virtio_write,
};
