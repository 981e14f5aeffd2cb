/* SPDX-License-Identifier: GPL-3.0-or-later
 * A raw image: byte N of the medium is byte N of the file. The size is taken once, rounded up to a sector; a
 * file that becomes shorter afterwards is an error for what it has lost. Discard punches a hole. */
#include "hv/io/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/alloc.h"

enum { SECTOR = 512 };

/* ---- files ---- */

static int refuse(int fd, char *err, size_t errlen, const char *file, const char *why)
{
	snprintf(err, errlen, "%s: %s", file, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

int backend_open_file(const char *file, bool read_only, int flags, char *err, size_t errlen)
{
	int fd = open(file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | flags, 0666);
	struct stat st;
	char why[200];

	if (fd < 0) {
		snprintf(why, sizeof(why), "cannot open%s: %s",
			 read_only || errno == ENOENT ? "" : " for writing (see option ro)", strerror(errno));
		return refuse(fd, err, errlen, file, why);
	}
	if (fstat(fd, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return refuse(fd, err, errlen, file, "not a regular file");
	if (flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) && errno == EWOULDBLOCK)
		return refuse(fd, err, errlen, file, "in use by another drive or process");
	return fd;
}

int backend_pread(int fd, uint64_t at, void *buf, size_t n, uint64_t had)
{
	uint8_t *to = buf;

	while (n) {
		ssize_t got = pread(fd, to, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno;
		if (!got && at < had)
			return EIO; /* zeros would pass for data */
		if (!got) {
			memset(to, 0, n);
			return 0;
		}
		to += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

int backend_pwrite(int fd, uint64_t at, const void *buf, size_t n)
{
	const uint8_t *from = buf;

	while (n) {
		ssize_t put = pwrite(fd, from, n, (off_t)at);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put ? errno : EIO;
		from += put;
		at += (uint64_t)put;
		n -= (size_t)put;
	}
	return 0;
}

bool backend_in_memory(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC;
}

/* tmpfs has no RWF_NOWAIT, and no use for it. */
bool backend_pread_now(int fd, bool in_memory, uint64_t at, void *buf, size_t n)
{
	struct iovec v = { buf, n };
	ssize_t got = in_memory ? pread(fd, buf, n, (off_t)at) : preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT);

	return got >= 0 && (size_t)got == n;
}

/* A write to the host's page cache may wait for memory or for a journal: file systems refuse RWF_NOWAIT. */
bool backend_pwrite_now(int fd, bool in_memory, uint64_t at, const void *buf, size_t n)
{
	ssize_t put = in_memory ? pwrite(fd, buf, n, (off_t)at) : -1;

	return put >= 0 && (size_t)put == n;
}

/* ---- the back end ---- */

struct raw {
	struct backend e;
	int fd;
	bool in_memory;
	uint64_t had; /* bytes of the file when it was opened */
};

static int raw_read(struct backend *e, uint64_t at, void *buf, size_t n)
{
	struct raw *r = (struct raw *)e;

	return backend_pread(r->fd, at, buf, n, r->had);
}

static int raw_write(struct backend *e, uint64_t at, const void *buf, size_t n)
{
	return backend_pwrite(((struct raw *)e)->fd, at, buf, n);
}

static bool raw_read_now(struct backend *e, uint64_t at, void *buf, size_t n)
{
	struct raw *r = (struct raw *)e;

	return backend_pread_now(r->fd, r->in_memory, at, buf, n);
}

static bool raw_write_now(struct backend *e, uint64_t at, const void *buf, size_t n)
{
	struct raw *r = (struct raw *)e;

	return backend_pwrite_now(r->fd, r->in_memory, at, buf, n);
}

static int raw_flush(struct backend *e)
{
	return fdatasync(((struct raw *)e)->fd) ? errno : 0;
}

static int raw_discard(struct backend *e, uint64_t at, uint64_t n)
{
	int fd = ((struct raw *)e)->fd;

	if (!n || !fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n))
		return 0;
	return errno == EOPNOTSUPP || errno == ENODEV ? 0 : errno; /* a hint */
}

static void raw_close(struct backend *e)
{
	close(((struct raw *)e)->fd);
	free(e);
}

static const struct backend_ops raw_ops = {
	.kind = "raw",
	.read = raw_read,
	.write = raw_write,
	.flush = raw_flush,
	.discard = raw_discard,
	.read_now = raw_read_now,
	.write_now = raw_write_now,
	.close = raw_close,
};

static uint64_t file_size(int fd)
{
	uint64_t bytes = 0;
	struct stat st;

	if (fstat(fd, &st))
		return 0;
	if (S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	return ioctl(fd, BLKGETSIZE64, &bytes) ? 0 : bytes;
}

struct backend *raw_open(const char *file, bool read_only, char *err, size_t errlen)
{
	int fd = backend_open_file(file, read_only, 0, err, errlen);
	struct raw *r;
	uint64_t had;

	if (fd < 0)
		return NULL;
	had = file_size(fd);
	if (!had) {
		refuse(fd, err, errlen, file, "file is empty");
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	*r = (struct raw){ .e = { &raw_ops, (had + SECTOR - 1) & ~(uint64_t)(SECTOR - 1), read_only },
			   .fd = fd,
			   .in_memory = backend_in_memory(fd),
			   .had = had };
	return &r->e;
}
