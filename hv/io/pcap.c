/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/io/pcap.h: the classic format of libpcap with nanoseconds, link type Ethernet. */
#include "hv/io/pcap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

#define MAGIC_NS 0xa1b23c4du
enum { SNAP = 65535, ETHERNET = 1, BUFFER = 64 << 10 };

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap, link;
};

struct pcap_record {
	uint32_t seconds, ns, kept, len;
};

struct pcap {
	int fd;
	size_t used;
	bool broken; /* a record was written in part: no more can follow */
	uint8_t buf[BUFFER];
};

struct pcap *pcap_open(const char *path, char *err, size_t errlen)
{
	static const struct pcap_header header = { MAGIC_NS, 2, 4, 0, 0, SNAP, ETHERNET };
	struct pcap *p = xmalloc(sizeof(*p));

	*p = (struct pcap){ 0 };
	/* Not to wait for the reader of a FIFO. */
	p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
	if (p->fd < 0 || write(p->fd, &header, sizeof(header)) != sizeof(header)) {
		snprintf(err, errlen, "--net: cannot write the capture %s: %s", path, strerror(errno));
		pcap_close(p);
		return NULL;
	}
	return p;
}

void pcap_flush(struct pcap *p)
{
	ssize_t n = p->used && !p->broken ? write(p->fd, p->buf, p->used) : 0;

	/* A full disk, a FIFO that nobody reads: the whole buffer is lost, or the capture ends. */
	if (n > 0 && (size_t)n != p->used)
		p->broken = true;
	p->used = 0;
}

void pcap_write(struct pcap *p, const uint8_t *frame, uint32_t len)
{
	struct pcap_record r = { .kept = len, .len = len };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	r.seconds = (uint32_t)now.tv_sec;
	r.ns = (uint32_t)now.tv_nsec;
	if (p->used + sizeof(r) + len > sizeof(p->buf))
		pcap_flush(p);
	memcpy(p->buf + p->used, &r, sizeof(r));
	memcpy(p->buf + p->used + sizeof(r), frame, len);
	p->used += sizeof(r) + len;
}

void pcap_close(struct pcap *p)
{
	if (!p)
		return;
	if (p->fd >= 0) {
		pcap_flush(p);
		close(p->fd);
	}
	free(p);
}
