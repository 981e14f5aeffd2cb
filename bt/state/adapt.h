/* SPDX-License-Identifier: GPL-3.0-or-later
 * What adaptive translation keeps: the verdict on each instruction that trapped, totals by cause, measured
 * costs, and the log. adapt/adapt.c decides on it. */
#ifndef BT_STATE_ADAPT_H
#define BT_STATE_ADAPT_H
#include "bt/state/policy.h"
#include "base/types.h"

struct ccf;
struct history;

enum cause {
#define CAUSE(id, name, threshold, span, calm, does, instead) CAUSE_##id,
#include "bt/state/adapt.def"
#undef CAUSE
	CAUSES,
	SITE_CAUSES = CAUSE_CODE,
};

/* Host cycles of so many events. */
struct cost {
	uint64_t n, cycles;
};
static inline void cost_add(struct cost *c, uint64_t cycles)
{
	c->n++;
	c->cycles += cycles;
}
static inline uint64_t cost_mean(const struct cost *c)
{
	return c->n ? c->cycles / c->n : 0;
}

/* A cause: the user's choices, and totals over all sites. */
struct cause_state {
	bool off;
	uint16_t threshold;
	uint64_t span, calm;
	uint64_t promotions, demotions;
	struct cost trap, after; /* trapped; spent in what replaces the trap */
};

static inline bool adapt_on(const struct cause_state *c)
{
	return !c->off;
}

/* An instruction's behaviour so far, and the user's choice for it. */
struct verdict {
	gva pc;
	uint8_t way;	  /* enum way, the user's */
	uint8_t guilty;	  /* bit N: promoted for cause N */
	uint8_t excluded; /* bit N: demoted for cause N for good */
	uint8_t failures; /* times its replacement did not serve it */
	bool soft;	  /* prechecked: it can access soft pages */
	uint8_t relapses; /* demotions for misses: each doubles what it takes to promote it again */
	uint16_t count[SITE_CAUSES]; /* traps less those forgiven, towards the threshold */
	uint64_t since[SITE_CAUSES]; /* host TSC of the last trap counted */
	uint64_t decided,
	    last; /* host TSC of the last promotion or demotion; of the replacement's last use */
	struct cost trap[SITE_CAUSES], after[SITE_CAUSES];
	/* Prechecked: host TSC when its misses were last reviewed; their number then, and that of soft pages
	 */
	uint64_t review, review_n, review_softs;
};
#define VERDICTS 16384u
/* A block of 64-bit user code (adapt/low.c). */
struct low_block {
	gva block;
	uint64_t
	    decided;	/* host TSC since which its instructions reach the lower part of the space; 0: not */
	unsigned sites; /* instructions that were found to */
};
#define LOW_BLOCKS 1024u
#define DEVICE_SAMPLE 16 /* one use in so many is timed, and checked for RAM that is only not mapped */
#define SOFT_USES 4096u	 /* a power of two */
static inline unsigned soft_use(gva pc)
{
	return (uint32_t)(pc ^ pc >> 32) * 0x9e3779b1u >> 20;
}
#define RELAPSES_MAX 5
#define SELDOM                                                                                               \
	32 /* a hot site is demoted if its misses as traps would take less than 1/SELDOM of the time         \
	    */
#define MAX_FAILURES 8	 /* of a replacement, before its site is excluded */
#define RAM_DEMOTIONS 64 /* uses of RAM in a row by a site promoted for device memory */

static inline bool guilty_of(const struct verdict *v, enum cause c)
{
	return v && v->guilty >> c & 1;
}

enum adapt_what { ADAPT_PROMOTED, ADAPT_DEMOTED, ADAPT_EXCLUDED, ADAPT_OFF, ADAPT_ON };
/* BEFORE: mean cost of the old form; AFTER: of the new one, 0: the mean of the site's replacement so far.
 * Host cycles. Of ADAPT_OFF: the number of sites demoted, in BEFORE. */
struct adapt_entry {
	uint64_t number, tsc, before, after;
	gva pc;
	uint8_t what, cause;
};
#define MAX_ADAPT_LOG 1024

/* The trap being handled, until its cost is known. */
struct charge {
	struct verdict *v;
	struct ccf *f;
	struct adapt_entry *entry; /* the promotion that it led to, */
	struct history *life;	   /* and the record of the fragment dropped for it */
	uint64_t start;
	uint8_t cause;
};

/* Costs of passages and replacement forms on this host, in cycles, measured once (fault/cost.c). */
struct bt_costs {
	uint64_t signal;	       /* a host fault, delivered and returned from */
	uint64_t callout, callout_fpu; /* there and back, without and with x87 and vector registers saved */
	uint64_t plain, quarter, precheck; /* an access: direct; through the user window; prechecked */
	uint64_t check;			   /* comparing a fragment of 32 bytes at entry */
};

struct adapt {
	uint8_t policy[SENS_KINDS]; /* enum way */
	unsigned nsites;	    /* verdicts with a way of their own were made */
	struct verdict *verdicts;   /* VERDICTS slots by guest pc */
	struct low_block low[LOW_BLOCKS];
	struct cause_state causes[CAUSES];
	uint64_t drained; /* soft pages entered so far, when a fault last mapped one */
	struct charge charge;
	const struct ccf *polled; /* the last fragment that was interrupted; only compared */
	struct bt_costs cost;
	struct cost translate; /* making fragments */
	struct adapt_entry log[MAX_ADAPT_LOG];
	uint64_t nlog;
	uint64_t calibrate; /* host address behind a fault on the trap page that is only measured */
};
#endif
