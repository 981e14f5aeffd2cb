/* SPDX-License-Identifier: GPL-3.0-or-later
 * Adaptive translation: a promoted instruction's fragment is dropped, and the next translation has another
 * form in its place (lower/memory.c, lower/generic.c). adapt/adapt.c decides on instructions, adapt/page.c on
 * pages, adapt/steer.c has the user's choices. */
#ifndef BT_ADAPT_ADAPT_H
#define BT_ADAPT_ADAPT_H
#include "bt/state/vcpu.h"
#include "x86/engine_translator.h"

/* The rows of state/adapt.def. */
struct cause_info {
	const char *name;
	uint16_t threshold;
	uint64_t span, calm;
	const char *does, *instead;
};
extern const struct cause_info cause_infos[CAUSES];

void adapt_init(struct bt_vcpu *b);

struct verdict *verdict_find(const struct bt_vcpu *b, gva pc); /* NULL: none */
/* NULL: the table is full, or PC is 0, which marks a free slot. */
struct verdict *verdict_make(struct bt_vcpu *b, gva pc);

/* ---- adapt/adapt.c ---- */
/* Count a trap of instruction I of F by CAUSE, which began at host TSC charge.start, and promote the
 * instruction at its threshold. WEIGHT: how much it counts; 0 when the lowered form cannot be replaced. */
void adapt_trap(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, unsigned weight);
/* The same for a trap that is charged to another cause. Returns the site's verdict, NULL: none. */
struct verdict *adapt_suspect(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, unsigned weight);
/* Charge the trap last given to adapt_trap(), which was resolved at host TSC NOW. */
void adapt_settled(struct bt_vcpu *b, uint64_t now);
/* Charge CYCLES, including entry and exit, for one use of V's replacement in F. */
void adapt_after(struct bt_vcpu *b, struct verdict *v, struct ccf *f, enum cause c, uint64_t cycles);
/* The replacement did not serve instruction I of F, at host TSC charge.start. After MAX_FAILURES the cause is
 * excluded for good, and older fragments go as they get here. */
void adapt_failed(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c);
/* V in F, promoted for device memory, accessed a device (or RAM). */
void adapt_device(struct bt_vcpu *b, struct ccf *f, struct verdict *v, bool ram);
/* V in F, promoted for C, ran at host TSC NOW without needing its replacement. Demote it after the cause's
 * calm time. */
void adapt_calm_since(struct bt_vcpu *b, struct ccf *f, struct verdict *v, enum cause c, uint64_t now);
/* F was interrupted while it ran, at host TSC NOW: demote its sites that have been calm for long. */
void adapt_calm(struct bt_vcpu *b, struct ccf *f, uint64_t now);
/* The same, and if the interruption before found F, too, demote its sites that miss seldom. */
void adapt_polled(struct bt_vcpu *b, struct ccf *f, uint64_t now);
void adapt_log(struct bt_vcpu *b, enum adapt_what what, enum cause c, gva pc, uint64_t before,
	       uint64_t after);

extern const struct engine_adaptation bt_adaptation; /* adapt/steer.c */

/* ---- adapt/low.c ---- */
/* The instruction at PC in F, 64-bit user code, reached the lower part of its space by a trap. True: it is
 * decided for its block; F is dropped. */
bool adapt_low(struct bt_vcpu *b, struct ccf *f, gva pc);
/* Is user code at PC to reach all parts of its space, whose address is known no better? */
bool adapt_is_low(const struct bt_vcpu *b, gva pc);
void adapt_low_forget(struct bt_vcpu *b);

/* ---- adapt/page.c ---- */
/* Page P was written: drop its code, and promote the page at its threshold. */
void adapt_code_written(struct bt_vcpu *b, ppn p);
/* Trace pages again that have not changed for long, at host TSC NOW. */
void adapt_demote_pages(struct bt_vcpu *b, uint64_t now);
#endif
