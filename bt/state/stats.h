/* SPDX-License-Identifier: GPL-3.0-or-later
 * Counters of the engine that no other part keeps. */
#ifndef BT_STATE_STATS_H
#define BT_STATE_STATS_H
#include "bt/state/fragment.h"

struct bt_stats {
	uint64_t translations, moves, insns, host_bytes, guest_bytes, flushes, chains, jt_misses, jt_fills,
	    dispatches;
	uint64_t lookups, smc_drops, mode_switches, ctx_flushes, transients, low[LOW_COUNT];
	uint64_t traps[TRAP_CAUSES], irqs, excs[32], verify_runs, verify_fails, refused, stops;
};
#endif
