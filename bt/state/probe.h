/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes and the records they make (probe/probe.c, probe/run.c). */
#ifndef BT_STATE_PROBE_H
#define BT_STATE_PROBE_H
#include "x86/engine_translator.h"

#define MAX_PROBES 64
#define PROBES_AT 8   /* at one address */
#define PROBE_TERMS 4 /* comparisons of an inline condition */
#define MAX_HITS 1024 /* records waiting to be taken */

struct probe {
	unsigned number; /* 0: a free slot */
	struct engine_probe is;
	uint64_t failed, recorded, lost;
};

struct probes {
	uint64_t count[MAX_PROBES], match[MAX_PROBES]; /* written by translated code */
	struct probe probe[MAX_PROBES];
	unsigned n, last_number;
	struct engine_probe_hit *hits; /* MAX_HITS, a ring: the vCPU's thread writes, another takes */
	uint32_t hit_head, hit_tail;
};
#endif
