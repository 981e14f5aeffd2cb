/* SPDX-License-Identifier: GPL-3.0-or-later
 * What happened to fragments: made when, dropped why, and what each life of one cost. A ring of
 * records, kept by guest pc, so that it outlives the fragments. */
#ifndef BT_CACHE_HISTORY_H
#define BT_CACHE_HISTORY_H
#include "base/types.h"

struct bt_vcpu;
struct ccf;

/* Why a fragment was dropped. Columns: identifier, name. */
#define DROPS                                                                                                \
	DROP(WRITE, "its code was written")                                                                  \
	DROP(STALE, "its code differed at entry")                                                            \
	DROP(PROMOTED, "a site was promoted")                                                                \
	DROP(DEMOTED, "a site was demoted")                                                                  \
	DROP(TRACED, "its page is traced again")                                                             \
	DROP(BREAK, "a breakpoint came or went")                                                             \
	DROP(PATCH, "a patch came or went")                                                                  \
	DROP(PROBE, "a probe came or went")                                                                  \
	DROP(SITE, "the way of a site was chosen")                                                           \
	DROP(CHOICE, "a choice for all was made")                                                            \
	DROP(PIN, "it was pinned or unpinned")                                                               \
	DROP(DISCARD, "discarded by the user")                                                               \
	DROP(RETRANSLATE, "retranslated by the user")                                                        \
	DROP(FULL, "the cache was full")
enum drop_why {
#define DROP(id, name) DROP_##id,
	DROPS
#undef DROP
	    DROP_REASONS
};
extern const char *const drop_names[DROP_REASONS];

enum history_what { HISTORY_MADE, HISTORY_DROPPED, HISTORY_FLUSHED };
struct history {
	uint64_t tsc;
	uint32_t pc, by; /* of the fragment; of the instruction that was the reason, 0: none */
	uint8_t what, why, insns;
	uint16_t guest; /* bytes */
	uint32_t host;	/* bytes */
	/* dropped: what its life came to */
	uint32_t traps, callouts;
	uint64_t entries, cycles; /* entries: UINT64_MAX when not counted */
};
#define MAX_HISTORY 131072u

void history_made(struct bt_vcpu *b, const struct ccf *f);
void history_dropped(struct bt_vcpu *b, const struct ccf *f, enum drop_why why, uint32_t by);
/* The whole cache was emptied. */
void history_flushed(struct bt_vcpu *b, enum drop_why why);
uint64_t host_ns(void);						    /* the host's monotonic clock */
uint64_t ccf_entries(const struct bt_vcpu *b, const struct ccf *f); /* UINT64_MAX: not counted */
#endif
