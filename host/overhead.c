/* SPDX-License-Identifier: GPL-3.0-or-later
 * See overhead.h. */
#include "host/overhead.h"
#include "hv/machine.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void overhead_init(struct overhead *o)
{
	o->fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

void overhead_fini(struct overhead *o)
{
	if (o->fd >= 0)
		close(o->fd);
}

/* The number of KiB behind NAME, in bytes. */
static uint64_t figure(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

uint64_t overhead_bytes(const struct overhead *o, struct machine *m)
{
	char text[4096];
	ssize_t n = o->fd < 0 ? -1 : pread(o->fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		n = 0;
	text[n] = 0;
	return figure(text, "\nRssAnon:") + figure(text, "\nVmPTE:") + (m ? machine_overhead(m) : 0);
}
