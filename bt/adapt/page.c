/* SPDX-License-Identifier: GPL-3.0-or-later
 * Decides on pages that hold code and data: after enough writes a page's fragments compare their source at
 * entry, and writes to it are no longer traced. Called from the fault handler and from callouts: built with
 * -mgeneral-regs-only (base/gpr.h). */
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"

void adapt_code_written(struct bt_vcpu *b, ppn p)
{
	const struct cause_state *k = &b->adapt.causes[CAUSE_CODE];
	struct page_info *pi = &b->tc.pages[p];

	cache_drop_page(b, p, true);
	b->st.smc_drops++;
	if (pi->smc < UINT16_MAX)
		pi->smc++;
	if (pi->smc < k->threshold || pi->mixed || !adapt_on(k) || b->tc.nmixed == MAX_MIXED)
		return;
	pi->mixed = true;
	pi->calm_since = __builtin_ia32_rdtsc();
	b->tc.mixed[b->tc.nmixed++] = p;
	if (b->adapt.charge.f && b->adapt.charge.cause == CAUSE_CODE)
		b->adapt.charge.entry = &b->adapt.log[b->adapt.nlog % MAX_ADAPT_LOG];
	adapt_log(b, ADAPT_PROMOTED, CAUSE_CODE, p << PAGE_SHIFT,
		  cost_mean(&k->trap) + cost_mean(&b->adapt.translate), b->adapt.cost.check);
}

void adapt_demote_pages(struct bt_vcpu *b, uint64_t now)
{
	const struct cause_state *k = &b->adapt.causes[CAUSE_CODE];

	for (unsigned i = 0; i < b->tc.nmixed;) {
		struct page_info *pi = &b->tc.pages[b->tc.mixed[i]];

		if (adapt_on(k) && (!k->calm || now - pi->calm_since < k->calm)) {
			i++;
			continue;
		}
		pi->mixed = false;
		pi->smc = k->threshold / 2; /* less is needed the next time */
		adapt_log(b, ADAPT_DEMOTED, CAUSE_CODE, b->tc.mixed[i] << PAGE_SHIFT, b->adapt.cost.check, 0);
		cache_drop_page(b, b->tc.mixed[i], false);
		b->tc.mixed[i] = b->tc.mixed[--b->tc.nmixed];
	}
}
