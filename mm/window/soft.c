/* SPDX-License-Identifier: GPL-3.0-or-later
 * Soft pages. A mapping costs a host call to make and another to remove, and where processes come and go most
 * pages are touched a few times only. Private memory is linear in the monitor's mapping of the home slots
 * (mm/vm.c), and a shadow entry holds the PPN: code that looks at the entry anyway, as prechecked accesses
 * do, can access the page there. SH_SR and SH_SW say that it may. They are set where the page could be mapped
 * with these rights and is at home, and cleared wherever a mapping would lose them, without a host call.
 * Other code faults on a soft page, which is then mapped as any other. */
#include "mm/window/fill.h"

/* Add the right to write to a page that is mapped read-only. */
static bool soft_upgrade(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t s)
{
	uint64_t same = ~(uint64_t)PAGE_MASK | SH_P | SH_U | SH_G | SH_NX;

	if (((sh_get(w, vpn) ^ s) & same) || !(s & SH_W))
		return false;
	w->shadow[vpn] |= SH_SW | SH_WOK;
	take_entry(w, r, vpn & (region_pages(w) - 1), page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)));
	wp_note(m, w, r, vpn);
	m->st.upgrades++;
	return true;
}

bool soft_enter(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t s)
{
	uint64_t old = sh_get(w, vpn), same = ~(uint64_t)PAGE_MASK | SH_P | SH_W | SH_U | SH_G | SH_NX;

	if (r->large && !((old ^ s) & same))
		return true; /* it is mapped like that */
	if (r->large || s >> 32 || m->vm->pmap[s >> 12].mpn != s >> 12 || !rmap_room(m->vm, 1))
		return false; /* of a large page many are mapped at once, and they stay */
	if ((old & SH_P) && soft_upgrade(m, w, r, vpn, s))
		return true;
	if (old & SH_P) /* with other rights, or of another page: the guest changed the entry */
		drop_range(m, w, vpn, 1);
	if ((old & SH_LINE) && old >> 12 != s >> 12) {
		if (!w->of)
			return false;
		line_forget(w, vpn, 1); /* its page there is closed, and stays so */
	}
	s |= SH_SR | (s & SH_W ? SH_SW : 0) | (w->shadow[vpn] & SH_LINE);
	fill_book(m, w, r, vpn, s & ~(uint64_t)(SH_P | SH_W),
		  page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)));
	m->st.softs++;
	if (w->of)
		long_use_begin(m, page_of(w, vpn));
	return true;
}

bool soft_entry(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t e)
{
	uint64_t s = fill_bits(m, w, r, vpn, e);

	return s && soft_enter(m, w, r, vpn, s);
}
