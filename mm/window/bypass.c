/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bypasses: accesses served without a mapping. A mapping costs two host calls, one to
 * make it and one to drop it. Where the guest changes an entry, uses the page a few times
 * and changes it again (temporary mappings, text patching), both are wasted. A page whose
 * mappings have been dropped repeatedly is therefore not mapped at its next miss: the access
 * is made in machine memory after a walk of the guest's tables, as by a TLB that misses.
 * After as many bypasses as a mapping costs, the page is mapped: the total is at most twice
 * the best possible. */
#include "mm/window/fill.h"

#define CHURN_DROPS 3	  /* drops that make a page a suspect */
#define CHURN_BYPASSES 64 /* accesses that together cost about what a mapping does */

static struct churn *slot(struct mmu *m, const struct window *w, vpn32 vpn)
{
	return &m->churn[(vpn * 0x9e3779b1u >> 20 ^ w->id * 37u) % CHURN_SLOTS];
}

static uint32_t key_of(const struct window *w, vpn32 vpn)
{
	return 1u << 31 | (uint32_t)w->id << 20 | vpn;
}

/* A mapping was dropped because of what the guest did to its tables. */
void churn_note(struct mmu *m, const struct window *w, vpn32 vpn)
{
	struct churn *e = slot(m, w, vpn);

	if (e->key != key_of(w, vpn)) {
		if (e->drops && e->drops--)
			return; /* the slot's older suspect fades first */
		*e = (struct churn){ .key = key_of(w, vpn) };
	}
	if (e->drops < UINT8_MAX)
		e->drops++;
	e->bypasses = 0;
}

void churn_absent(struct mmu *m, const struct window *w, vpn32 vpn)
{
	struct churn *e = slot(m, w, vpn);

	if (e->key == key_of(w, vpn))
		e->bypasses = 0;
}

bool churns(struct mmu *m, const struct window *w, vpn32 vpn)
{
	const struct churn *e = slot(m, w, vpn);

	return e->key == key_of(w, vpn) && e->drops >= CHURN_DROPS;
}

/* Has the page been used so often since its entry last changed that a mapping would
 * have paid? The shared window loses user pages at every CR3 load with another root. */
static bool settled(struct mmu *m, const struct window *w, struct churn *e, const struct walk *wk)
{
	uint32_t entry = (uint32_t)wk->level[wk->nlevels - 1].entry & ~(uint32_t)(PTE_A | PTE_D);
	uint32_t epoch = w->shared && !wk->global && wk->user ? (uint32_t)m->st.cr3_loads : 0;

	if (e->entry != entry || e->epoch != epoch) {
		e->entry = entry;
		e->epoch = epoch;
		e->bypasses = 0;
	}
	return ++e->bypasses > CHURN_BYPASSES;
}

/* May the access be bypassed? *WK: the walk of LIN. */
static bool may_bypass(struct mmu *m, gva32 lin, unsigned n, unsigned how, bool user_access, struct walk *wk)
{
	struct window *w = user_access ? m->uwin : m->cur;
	vpn32 vpn = lin >> PAGE_SHIFT;
	struct churn *e = slot(m, w, vpn);

	if ((lin & PAGE_MASK) + n > PAGE_SIZE || m->nwatch || (!m->bypass_all && !churns(m, w, vpn)))
		return false;
	mmu_walk(m, lin, how | MM_PROBE, wk);
	if (!wk->ok || !ppn_ram(m->vm, wk->pa >> PAGE_SHIFT) ||
	    page_state(m->vm, (ppn)(wk->pa >> PAGE_SHIFT)) == PAGE_SWAPPED)
		return false;
	if (!m->bypass_all && (!wk->nlevels || settled(m, w, e, wk))) {
		e->drops = 0;
		return false;
	}
	if ((how & MM_WRITE) &&
	    page_write_check(m->vm, (ppn)(wk->pa >> PAGE_SHIFT), WRITE_BY_GUEST) != PAGE_WRITE_OK)
		return false;
	return !user_access || (wk->user && (!(how & MM_WRITE) || wk->writable));
}

bool mmu_would_bypass(struct mmu *m, gva lin, unsigned n, unsigned how, bool user_access)
{
	struct walk wk;

	return may_bypass(m, (gva32)lin, n, how, user_access, &wk);
}

const uint8_t *mmu_bypass(struct mmu *m, gva lin, unsigned n, unsigned how, bool user_access, gpa *pa)
{
	struct walk wk;

	if (!may_bypass(m, (gva32)lin, n, how, user_access, &wk))
		return NULL;
	if (m->cur->view == WIN_USER)
		how |= MM_USER;
	note_access(m->vm, WRITER_INSN, (gva32)lin, cpu_pc(m->cpu));
	mmu_walk(m, lin, how, &wk); /* checks rights, sets accessed and dirty bits */
	if (!wk.ok)
		return NULL;
	m->st.bypasses++;
	page_touched(m->vm, (ppn)(wk.pa >> PAGE_SHIFT));
	*pa = wk.pa;
	return page_read(m->vm, (ppn)(wk.pa >> PAGE_SHIFT)) + (lin & PAGE_MASK);
}

uint8_t *mmu_bypass_write(struct mmu *m, gpa pa, unsigned n)
{
	uint8_t *page = page_write(m->vm, (ppn)(pa >> PAGE_SHIFT), pa & PAGE_MASK, n, WRITE_BY_GUEST);

	return page ? page + (pa & PAGE_MASK) : NULL;
}

void mmu_bypass_all(struct mmu *m)
{
	m->bypass_all = true;
}
