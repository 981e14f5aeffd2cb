/* SPDX-License-Identifier: GPL-3.0-or-later
 * What block.c wants of a back end. Its functions run one at a time, on the drive's thread (before that
 * exists: on the one that opens the drive) unless they say otherwise; ranges are inside the size. They return
 * 0 or an errno value. */
#ifndef HV_IO_BACKEND_H
#define HV_IO_BACKEND_H
#include <stddef.h>

#include "base/types.h"
#include "hv/machine.h"

struct backend;
struct backend_ops {
	const char *kind;
	int (*read)(struct backend *e, uint64_t at, void *buf, size_t n);
	int (*write)(struct backend *e, uint64_t at, const void *buf, size_t n);
	int (*flush)(struct backend *e);
	int (*discard)(struct backend *e, uint64_t at,
		       uint64_t n); /* reads as zero afterwards, or as before */
	/* On the vCPU's thread, while the drive's has nothing to do: transfer all N bytes if that waits for
	 * no device. False: it would, or it fails; the drive's thread does it then, from the beginning. NULL:
	 * never. */
	bool (*read_now)(struct backend *e, uint64_t at, void *buf, size_t n);
	bool (*write_now)(struct backend *e, uint64_t at, const void *buf, size_t n);
	void (*close)(struct backend *e);
};

/* A back end's struct begins with this. */
struct backend {
	const struct backend_ops *ops;
	uint64_t size; /* bytes */
	bool read_only;
};

/* Each returns NULL with one line in ERR, which begins with the file's name. */
struct backend *raw_open(const char *file, bool read_only, char *err, size_t errlen);
struct backend *nbd_open(const char *uri, bool read_only, char *err, size_t errlen);
/* FILE: the overlay, made when there is none; "temp": one that goes away. Owns BASE from now on, also when it
 * fails. */
struct backend *overlay_open(struct backend *base, const char *file, char *err, size_t errlen);

/* ---- for back ends on files ---- */

/* Open FILE, which must be a regular file or a block device, and lock it against other processes: shared for
 * reading, else exclusively. -1 with one line in ERR. FLAGS: more flags of open(). */
int backend_open_file(const char *file, bool read_only, int flags, char *err, size_t errlen);
/* Whole transfers. What is behind the file's end reads as zero, except for the first HAD bytes, which it once
 * had: they are an error then. */
int backend_pread(int fd, uint64_t at, void *buf, size_t n, uint64_t had);
int backend_pwrite(int fd, uint64_t at, const void *buf, size_t n);
/* Is FD a file in memory (tmpfs), whose reads and writes wait for no device? */
bool backend_in_memory(int fd);
/* For read_now() and write_now(): what a file in memory has, or the host's page cache. */
bool backend_pread_now(int fd, bool in_memory, uint64_t at, void *buf, size_t n);
bool backend_pwrite_now(int fd, bool in_memory, uint64_t at, const void *buf, size_t n);
#endif
