/* SPDX-License-Identifier: GPL-3.0-or-later
 * What happened to fragments: when each was made, why it was dropped, and the cost of its life. A ring of
 * records, kept by guest pc, so that it outlives the fragments. */
#ifndef BT_STATE_HISTORY_H
#define BT_STATE_HISTORY_H
#include "base/types.h"

/* Why a fragment was dropped. */
enum drop_why {
#define DROP(id, name) DROP_##id,
#include "bt/state/drop.def"
#undef DROP
	DROP_REASONS
};

enum history_what { HISTORY_MADE, HISTORY_DROPPED, HISTORY_FLUSHED };
struct history {
	uint64_t tsc;
	gva pc, by; /* of the fragment; of the instruction that was the reason, 0: none */
	uint8_t what, why, insns;
	uint16_t guest; /* bytes */
	uint32_t host;	/* bytes */
	/* dropped: figures of its life */
	uint32_t traps, callouts;
	uint64_t entries, cycles; /* entries: UINT64_MAX when not counted */
};
#define MAX_HISTORY 131072u

struct history_log {
	struct history *ring; /* MAX_HISTORY records */
	uint64_t n;
	uint64_t tsc_start, ns_start; /* TSC and host clock when the vCPU was made */
};
#endif
