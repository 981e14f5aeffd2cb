/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network block device by libnbd, one request at a time: nbd://HOST[:PORT]/EXPORT,
 * nbd+unix:///EXPORT?socket=PATH and libnbd's other URIs, connected before the threads are restricted. A lost
 * connection is an I/O error. */
#include "hv/io/backend.h"

#include <stdio.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifndef HAVE_LIBNBD

struct backend *nbd_open(const char *uri, bool read_only, char *err, size_t errlen)
{
	(void)read_only;
	snprintf(err, errlen, "%s: built without libnbd", uri);
	return NULL;
}

#else
#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { SECTOR = 512, MAX_REQUEST = 32 << 20 };

struct nbd {
	struct backend e;
	struct nbd_handle *h;
	bool can_flush, can_trim;
};

static int status(int rc)
{
	int error = nbd_get_errno();

	return rc != -1 ? 0 : error ? error : EIO;
}

/* Servers take up to 32 MiB. */
static int each(struct nbd *d, uint64_t at, void *buf, uint64_t n,
		int (*part)(struct nbd *d, uint64_t at, void *buf, size_t n))
{
	int error = 0;

	for (uint64_t k; n && !error; n -= k, at += k) {
		k = n < MAX_REQUEST ? n : MAX_REQUEST;
		error = part(d, at, buf, (size_t)k);
		buf = buf ? (char *)buf + k : NULL;
	}
	return error;
}

static int read_part(struct nbd *d, uint64_t at, void *buf, size_t n)
{
	return status(nbd_pread(d->h, buf, n, at, 0));
}

static int write_part(struct nbd *d, uint64_t at, void *buf, size_t n)
{
	return status(nbd_pwrite(d->h, buf, n, at, 0));
}

static int trim_part(struct nbd *d, uint64_t at, void *buf, size_t n)
{
	(void)buf;
	return status(nbd_trim(d->h, n, at, 0));
}

static int nbd_read(struct backend *e, uint64_t at, void *buf, size_t n)
{
	return each((struct nbd *)e, at, buf, n, read_part);
}

static int nbd_write(struct backend *e, uint64_t at, const void *buf, size_t n)
{
	return each((struct nbd *)e, at, (void *)(uintptr_t)buf, n, write_part);
}

static int nbd_flush_all(struct backend *e)
{
	struct nbd *d = (struct nbd *)e;

	return d->can_flush ? status(nbd_flush(d->h, 0)) : 0;
}

static int nbd_discard(struct backend *e, uint64_t at, uint64_t n)
{
	struct nbd *d = (struct nbd *)e;

	return d->can_trim ? each(d, at, NULL, n, trim_part) : 0;
}

static void nbd_end(struct backend *e)
{
	struct nbd *d = (struct nbd *)e;

	nbd_shutdown(d->h, 0);
	nbd_close(d->h);
	free(d);
}

static const struct backend_ops nbd_ops = {
	.kind = "nbd",
	.read = nbd_read,
	.write = nbd_write,
	.flush = nbd_flush_all,
	.discard = nbd_discard,
	.close = nbd_end,
};

/* libnbd's URIs, and nbd:PATH and nbd:HOST:PORT for short. */
static int connect_to(struct nbd_handle *h, const char *uri)
{
	const char *rest = uri + 4, *colon;
	char *host;
	int rc;

	if (strncmp(uri, "nbd:", 4) || !strncmp(rest, "//", 2))
		return nbd_connect_uri(h, uri);
	if (rest[0] == '/')
		return nbd_connect_unix(h, rest);
	if (!strncmp(rest, "unix:", 5))
		return nbd_connect_unix(h, rest + 5);
	colon = strrchr(rest, ':');
	host = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	rc = nbd_connect_tcp(h, host, colon ? colon + 1 : "10809");
	free(host);
	return rc;
}

static struct backend *refuse(struct nbd_handle *h, const char *uri, const char *why, char *err,
			      size_t errlen)
{
	snprintf(err, errlen, "%s: %s", uri, why);
	nbd_close(h);
	return NULL;
}

struct backend *nbd_open(const char *uri, bool read_only, char *err, size_t errlen)
{
	struct nbd_handle *h = nbd_create();
	struct nbd *d;
	int64_t size;

	if (!h || connect_to(h, uri) == -1)
		return refuse(h, uri, nbd_get_error() ? nbd_get_error() : "cannot connect", err, errlen);
	size = nbd_get_size(h);
	if (size < SECTOR)
		return refuse(h, uri, "the export is empty", err, errlen);
	if (!read_only && nbd_is_read_only(h) == 1)
		return refuse(h, uri, "the export is read-only (see option ro)", err, errlen);
	d = xcalloc(1, sizeof(*d));
	*d = (struct nbd){ .e = { &nbd_ops, (uint64_t)size & ~(uint64_t)(SECTOR - 1), read_only },
			   .h = h,
			   .can_flush = nbd_can_flush(h) == 1,
			   .can_trim = nbd_can_trim(h) == 1 };
	return &d->e;
}
#endif
