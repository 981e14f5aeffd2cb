/* SPDX-License-Identifier: GPL-3.0-or-later
 * A copy-on-write overlay: what is written goes to a file of its own, and what was not written is read from
 * the base, which never changes. The file, all numbers little-endian:
 *
 *   0      16 bytes "VITRINE-OVERLAY\n", version (4 bytes), block size (4), size of the medium (8), offset of
 *          the blocks (8)
 *   4096   one bit for each block of the medium, from the lowest of the first byte: is it in this file?
 *   ...    the blocks, each at its place on the medium; the file is sparse
 *
 * The bits in the file lag behind those in memory: a flush makes the blocks durable first, and then writes
 * the bits that are new. So a bit in the file never stands for a block that is not, whenever the process or
 * the host dies, and what was flushed is found again. Blocks written since are lost with the process, as in a
 * disk's cache. A discarded block is a hole whose bit is set. */
#include "hv/io/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

enum { BLOCK = 4096, HEADER = 4096, VERSION = 1, PAGE_BITS = 8 * BLOCK };
#define MAGIC "VITRINE-OVERLAY\n"
#define SIZE_MAX_MEDIUM (16ull << 40)

struct header {
	char magic[16];
	uint32_t version, block;
	uint64_t size, data;
};

struct overlay {
	struct backend e;
	struct backend *base;
	int fd;
	bool in_memory;
	uint64_t data; /* where the blocks begin */
	uint64_t nblocks;
	uint8_t *map;	 /* a bit for each block */
	uint64_t npages; /* of the map, BLOCK bytes each */
	bool *changed;	 /* pages of the map that the file does not have yet */
	uint8_t buf[BLOCK];
};

/* ---- the map ---- */

static bool present(const struct overlay *o, uint64_t block)
{
	return o->map[block / 8] >> (block & 7) & 1;
}

static void set_present(struct overlay *o, uint64_t first, uint64_t end)
{
	for (uint64_t i = first; i < end; i++) {
		if (present(o, i))
			continue;
		o->map[i / 8] |= (uint8_t)(1 << (i & 7));
		o->changed[i / PAGE_BITS] = true;
	}
}

/* Write the pages of the map that have changed. */
static int write_map(struct overlay *o, bool *any)
{
	*any = false;
	for (uint64_t i = 0; i < o->npages; i++) {
		int error;

		if (!o->changed[i])
			continue;
		error = backend_pwrite(o->fd, HEADER + i * BLOCK, o->map + i * BLOCK, BLOCK);
		if (error)
			return error;
		*any = true;
		o->changed[i] = false;
	}
	return 0;
}

static bool map_changed(const struct overlay *o)
{
	return memchr(o->changed, true, o->npages) != NULL;
}

/* ---- transfers ---- */

static uint64_t block_of(uint64_t at)
{
	return at / BLOCK;
}

/* Read one block as the guest sees it. */
static int whole_block(struct overlay *o, uint64_t block, uint8_t *buf)
{
	uint64_t at = block * BLOCK, n = o->e.size - at < BLOCK ? o->e.size - at : BLOCK;

	if (present(o, block))
		return backend_pread(o->fd, o->data + at, buf, BLOCK, 0);
	memset(buf, 0, BLOCK);
	return o->base->ops->read(o->base, at, buf, n);
}

/* How many of the bytes between AT and END are, with the first, in this file, or in the base (*OWN). */
static size_t run_of(const struct overlay *o, uint64_t at, uint64_t end, bool *own)
{
	uint64_t block = block_of(at);

	*own = present(o, block);
	while (++block * BLOCK < end && present(o, block) == *own)
		;
	return (size_t)((block * BLOCK < end ? block * BLOCK : end) - at);
}

static int overlay_read(struct backend *e, uint64_t at, void *buf, size_t n)
{
	struct overlay *o = (struct overlay *)e;
	uint64_t end = at + n;
	uint8_t *to = buf;
	int error = 0;

	while (at < end && !error) {
		bool own;
		size_t k = run_of(o, at, end, &own);

		error = own ? backend_pread(o->fd, o->data + at, to, k, 0)
			    : o->base->ops->read(o->base, at, to, k);
		at += k;
		to += k;
	}
	return error;
}

static bool overlay_read_now(struct backend *e, uint64_t at, void *buf, size_t n)
{
	struct overlay *o = (struct overlay *)e;
	uint64_t end = at + n;
	uint8_t *to = buf;
	bool ok = true;

	while (at < end && ok) {
		bool own;
		size_t k = run_of(o, at, end, &own);

		ok = own ? backend_pread_now(o->fd, o->in_memory, o->data + at, to, k)
			 : o->base->ops->read_now && o->base->ops->read_now(o->base, at, to, k);
		at += k;
		to += k;
	}
	return ok;
}

/* Write a part of one block, with the rest from the base if the block is new. */
static int write_part(struct overlay *o, uint64_t at, const uint8_t *from, size_t n)
{
	uint64_t block = block_of(at);
	int error;

	if (present(o, block))
		return backend_pwrite(o->fd, o->data + at, from, n);
	error = whole_block(o, block, o->buf);
	if (error)
		return error;
	memcpy(o->buf + at % BLOCK, from, n);
	return backend_pwrite(o->fd, o->data + block * BLOCK, o->buf, BLOCK);
}

static int overlay_write(struct backend *e, uint64_t at, const void *buf, size_t n)
{
	struct overlay *o = (struct overlay *)e;
	const uint8_t *from = buf;
	uint64_t end = at + n;

	while (at < end) {
		uint64_t whole = at % BLOCK ? 0 : (end - at) / BLOCK * BLOCK;
		size_t k = (size_t)(end - at < BLOCK - at % BLOCK ? end - at : BLOCK - at % BLOCK);
		int error;

		k = whole ? (size_t)whole : k;
		error = whole ? backend_pwrite(o->fd, o->data + at, from, k) : write_part(o, at, from, k);
		if (error)
			return error;
		set_present(o, block_of(at), block_of(at + k - 1) + 1);
		at += k;
		from += k;
	}
	return 0;
}

/* Whole blocks, or parts of those that are here. */
static bool overlay_write_now(struct backend *e, uint64_t at, const void *buf, size_t n)
{
	struct overlay *o = (struct overlay *)e;
	uint64_t end = at + n;

	if (!n || (at % BLOCK && !present(o, block_of(at))) || (end % BLOCK && !present(o, block_of(end))) ||
	    !backend_pwrite_now(o->fd, o->in_memory, o->data + at, buf, n))
		return false;
	set_present(o, block_of(at), block_of(end - 1) + 1);
	return true;
}

static int overlay_flush(struct backend *e)
{
	struct overlay *o = (struct overlay *)e;
	bool any;
	int error;

	if (fdatasync(o->fd))
		return errno;
	if (!map_changed(o))
		return 0;
	error = write_map(o, &any);
	if (error)
		return error;
	return any && fdatasync(o->fd) ? errno : 0;
}

/* Whole blocks only. */
static int overlay_discard(struct backend *e, uint64_t at, uint64_t n)
{
	struct overlay *o = (struct overlay *)e;
	uint64_t first = (at + BLOCK - 1) / BLOCK, end = (at + n) / BLOCK;

	if (first >= end)
		return 0;
	if (fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(o->data + first * BLOCK),
		      (off_t)((end - first) * BLOCK)))
		return errno == EOPNOTSUPP ? 0 : errno; /* a hint */
	set_present(o, first, end);
	return 0;
}

/* What is not in the map yet was not flushed, but need not be lost. */
static void overlay_close(struct backend *e)
{
	struct overlay *o = (struct overlay *)e;

	if (o->fd >= 0 && o->map && map_changed(o))
		overlay_flush(e);
	o->base->ops->close(o->base);
	if (o->fd >= 0)
		close(o->fd);
	free(o->map);
	free(o->changed);
	free(o);
}

static const struct backend_ops overlay_ops = {
	.kind = "overlay",
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.discard = overlay_discard,
	.read_now = overlay_read_now,
	.write_now = overlay_write_now,
	.close = overlay_close,
};

/* ---- opening ---- */

static int open_temporary(char *err, size_t errlen)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		snprintf(err, errlen, "overlay=temp: cannot make a file in %s: %s",
			 dir && *dir ? dir : "/var/tmp", strerror(errno));
	return fd;
}

static const char *make_header(struct overlay *o)
{
	struct header h = { .version = VERSION, .block = BLOCK, .size = o->e.size, .data = o->data };

	memcpy(h.magic, MAGIC, sizeof(h.magic));
	if (ftruncate(o->fd, (off_t)(o->data + o->nblocks * BLOCK)) ||
	    backend_pwrite(o->fd, 0, &h, sizeof(h)))
		return strerror(errno);
	return NULL;
}

static const char *read_header(struct overlay *o)
{
	struct header h;

	if (backend_pread(o->fd, 0, &h, sizeof(h), sizeof(h)) || memcmp(h.magic, MAGIC, sizeof(h.magic)))
		return "not an overlay";
	if (h.version != VERSION || h.block != BLOCK || h.data != o->data)
		return "an overlay of a version that this program does not know";
	if (h.size != o->e.size)
		return "an overlay of a base of another size";
	if (backend_pread(o->fd, HEADER, o->map, o->npages * BLOCK, 0))
		return "cannot read its map";
	return NULL;
}

static const char *prepare(struct overlay *o)
{
	struct stat st;

	if (o->e.size > SIZE_MAX_MEDIUM)
		return "the base is larger than 16 TiB";
	if (fstat(o->fd, &st) || !S_ISREG(st.st_mode))
		return "not a regular file";
	o->in_memory = backend_in_memory(o->fd);
	o->nblocks = (o->e.size + BLOCK - 1) / BLOCK;
	o->npages = (o->nblocks + PAGE_BITS - 1) / PAGE_BITS;
	o->data = HEADER + o->npages * BLOCK;
	o->map = xcalloc(o->npages, BLOCK);
	o->changed = xcalloc(o->npages, sizeof(*o->changed));
	return st.st_size ? read_header(o) : make_header(o);
}

struct backend *overlay_open(struct backend *base, const char *file, char *err, size_t errlen)
{
	struct overlay *o = xcalloc(1, sizeof(*o));
	const char *why = NULL;

	o->e = (struct backend){ &overlay_ops, base->size, false };
	o->base = base;
	o->fd = strcmp(file, "temp") ? backend_open_file(file, false, O_CREAT, err, errlen)
				     : open_temporary(err, errlen);
	if (o->fd >= 0)
		why = prepare(o);
	if (o->fd >= 0 && !why)
		return &o->e;
	if (why)
		snprintf(err, errlen, "%s: %s", file, why);
	free(o->map); /* nothing is written on the way out */
	o->map = NULL;
	overlay_close(&o->e);
	return NULL;
}
