/* SPDX-License-Identifier: GPL-3.0-or-later
 * Adaptive translation: what is counted of an instruction, when it is promoted, what it cost before
 * and costs now; and the log of it all. A promoted instruction's fragment is dropped, and the next
 * translation has another form in its place (lower/memory.c, lower/generic.c). adapt/adapt.c decides;
 * adapt/steer.c is the user's side; adapt/cost.c measures what cannot be measured at each event. */
#ifndef BT_ADAPT_ADAPT_H
#define BT_ADAPT_ADAPT_H
#include "base/types.h"

struct bt_vcpu;
struct ccf;
struct history;

enum cause {
#define CAUSE(id, name, threshold, span, calm, does, instead) CAUSE_##id,
#include "bt/adapt/adapt.def"
#undef CAUSE
	CAUSES,
	SITE_CAUSES = CAUSE_CODE,
};

/* The rows of adapt/adapt.def. */
struct cause_info {
	const char *name;
	uint16_t threshold;
	uint64_t span, calm;
	const char *does, *instead;
};
extern const struct cause_info cause_infos[CAUSES];

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
	struct cost trap, after; /* trapped; done by what replaces the trap */
};

static inline bool adapt_on(const struct cause_state *c)
{
	return !c->off;
}

/* What is known of an instruction by its behaviour, and what the user chose for it. */
struct verdict {
	uint32_t pc;
	uint8_t way;	/* enum way, the user's */
	uint8_t guilty; /* bit N: promoted for cause N */
	uint8_t barred; /* bit N: demoted for cause N for good */
	uint8_t odd;	/* times its replacement did not serve it */
	uint8_t
	    relapses; /* times it was demoted for misses: each doubles what it takes to promote it again */
	uint16_t count[SITE_CAUSES];		   /* traps less those forgiven, towards the threshold */
	uint64_t since[SITE_CAUSES], judged, last; /* host TSC: of the last trap counted; of the last verdict;
						      of the last use of a replacement */
	struct cost trap[SITE_CAUSES], after[SITE_CAUSES];
};
#define DEVICE_SAMPLE 16 /* every so many uses: what does it cost, and is it RAM that is just not mapped? */
#define RELAPSES_MAX 5
#define VERDICTS 16384u
struct verdict *verdict_find(const struct bt_vcpu *b, uint32_t pc); /* NULL: none */
struct verdict *verdict_make(struct bt_vcpu *b,
			     uint32_t pc); /* NULL: table full, or PC is 0, which marks a free slot */
static inline bool guilty_of(const struct verdict *v, enum cause c)
{
	return v && v->guilty >> c & 1;
}

enum adapt_what { ADAPT_PROMOTED, ADAPT_DEMOTED, ADAPT_BARRED, ADAPT_OFF, ADAPT_ON };
/* BEFORE: what the old form cost a time; AFTER: the new one, 0: what the site's replacement has
 * cost until now. Host cycles. Of ADAPT_OFF, by the user: how many sites were demoted, in BEFORE. */
struct adapt_entry {
	uint64_t number, tsc, before, after;
	uint32_t pc;
	uint8_t what, cause;
};
#define MAX_EVENTS 1024

/* The trap being handled, until what it cost is known. */
struct charge {
	struct verdict *v;
	struct ccf *f;
	struct adapt_entry *entry; /* the promotion that it led to, */
	struct history *life;	   /* and the record of the fragment dropped for it */
	uint64_t start;
	uint8_t cause;
};

/* What passages and replacement forms cost here: host cycles, measured once (adapt/cost.c). */
struct bt_costs {
	uint64_t signal;       /* a host fault, delivered and returned from */
	uint64_t light, heavy; /* a callout's way there and back, without and with x87/SSE saved */
	uint64_t plain, quarter, precheck; /* an access: direct; through the user window; that looks first */
	uint64_t check;			   /* comparing a fragment of 32 bytes at entry */
};
void costs_measure(struct bt_vcpu *b);

/* ---- adapt/adapt.c ---- */
/* Instruction I of F trapped by CAUSE. Counts, and promotes when it is time. MAY: the lowered form
 * can be replaced. */
void adapt_trap(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, bool may);
/* The same when the trap is charged to another cause. The site's verdict, NULL: none. */
struct verdict *adapt_suspect(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, bool may);
/* The trap that adapt_trap() was told of is done with, at host TSC NOW. */
void adapt_settled(struct bt_vcpu *b, uint64_t now);
/* What replaces the trap ran for V in F: CYCLES, the passage included. */
void adapt_after(struct bt_vcpu *b, struct verdict *v, struct ccf *f, enum cause c, uint64_t cycles);
/* The replacement did not serve instruction I of F. After a few times it is taken back for good. */
void adapt_odd(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c);
/* V in F, promoted for device memory, used some (or RAM). */
void adapt_device(struct bt_vcpu *b, struct ccf *f, struct verdict *v, bool ram);
/* V in F, promoted for C, ran at host TSC NOW without needing what replaces the trap: demoted when it
 * did not for long. */
void adapt_calm_since(struct bt_vcpu *b, struct ccf *f, struct verdict *v, enum cause c, uint64_t now);
/* F was caught running: demote its sites that have been calm for long. */
void adapt_calm(struct bt_vcpu *b, struct ccf *f);
void adapt_log(struct bt_vcpu *b, enum adapt_what what, enum cause c, uint32_t pc, uint64_t before,
	       uint64_t after);
#endif
