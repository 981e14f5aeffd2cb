/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the translator shows of itself. */
#ifndef BT_VIEW_VIEW_H
#define BT_VIEW_VIEW_H
#include "bt/state/vcpu.h"
#include "base/view.h"
#include "x86/engine_translator.h"

extern const struct view *const bt_views[]; /* NULL-terminated */

/* See struct engine_fragments. */
bool fragment_find(struct vcpu *v, gva pc, unsigned n, struct engine_fragment *out);

/* ---- view/traps.c ---- */
const char *trap_name(unsigned cause);
const char *callout_name(unsigned kind); /* NULL: there are no more */
/* The present form of V's instruction, in a word. */
const char *site_form(const struct bt_vcpu *b, const struct verdict *v);
/* The sensitive instruction at PC in a live fragment; NULL: none. *COVERED: one has PC, at least. */
const struct sens_use *sens_use_at(const struct bt_vcpu *b, gva pc, bool *covered);
/* Host cycles that the callouts AFTER saved against the traps BEFORE; the same of all sites. */
struct value cycles_saved(const struct cost *before, const struct cost *after);
struct value cycles_saved_all(const struct bt_vcpu *b, enum cause c);
struct value since_start_ms(const struct bt_vcpu *b, uint64_t tsc);	   /* since the machine was made */
struct value decided_ms(const struct bt_vcpu *b, const struct verdict *v); /* likewise */

extern const struct view view_tc, view_ways, view_traps, view_trap_sites, view_callouts;
extern const struct view view_sites, view_adapt, view_causes, view_history, view_savings, view_pins;
extern const struct view view_refusals;
#endif
