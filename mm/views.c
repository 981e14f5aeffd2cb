/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of memory management. */
#include "mm/window/fill.h"
#include "mm/pages.h"
#include "mm/views_int.h"

#include <stdio.h>
#include <stdlib.h>

static const struct view_col win_cols[] = {
	{ "id", "id", VAL_UINT, "", "window number" },
	{ "view", "view", VAL_STR, "", "flat (no paging), kernel or user; kernel64, user64: of 64-bit code" },
	{ "root", "root", VAL_HEX, "", "page-table root; fffffffe: many" },
	{ "current", "cur", VAL_BOOL, "", "selected now" },
	{ "base", "base", VAL_HEX, "",
	  "host address of guest-linear 0; of 64-bit code's spaces: the displacement" },
	{ "parts", "parts", VAL_UINT, "", "regions of 4 GiB, of a space" },
	{ "pages", "pages", VAL_UINT, "", "pages mapped" },
	{ "regions", "regions", VAL_UINT, "", "page-directory entries in use" },
	{ "fills", "fills", VAL_UINT, "", "fills" },
	{ "syncs", "syncs", VAL_UINT, "", "comparisons with the guest's tables" },
	{ "drops", "drops", VAL_UINT, "", "ranges unmapped" },
	{ "maps", "maps", VAL_UINT, "", "host mappings, estimated from above" },
	{ "asid", "ASID", VAL_UINT, "", "VPID or ASID, of a hypervisor's guest" },
	{ "tag", "tag", VAL_HEX, "", "EPTP or nCR3, where there is a second dimension of the walk" },
};

static const char *win_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const char *const views[] = { "flat", "kernel", "user", "kernel64", "user64" };
	struct mmu *m = owner;

	(void)arg;
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];
		const struct mmu_nested *n = &m->space[w->space].n;
		struct window_sums s;

		if (!w->used)
			continue;
		window_sums(w, &s);
		k->row(k, (struct value[]){
			      V_UINT(i),
			      V_STR(w->of	? views[w->view + 2]
				    : w->shared ? "kernel*"
						: views[w->view]),
			      V_HEX(w->root), V_BOOL(w == m->cur), V_HEX(s.base),
			      w->of ? V_UINT(s.regions) : V_NONE, V_UINT(s.mapped), V_UINT(s.active),
			      V_UINT(s.fills), V_UINT(s.syncs), V_UINT(s.drops), V_UINT(s.maps),
			      w->space ? V_UINT(n->asid) : V_NONE, w->nested ? V_HEX(n->tag) : V_NONE });
	}
	return NULL;
}

static const struct view view_windows = {
	.name = "windows",
	.help = "address-space windows (kernel*: shared by roots with the same kernel mappings)",
	VIEW_COLS(win_cols),
	.rows = win_rows,
	.flags = VIEW_LIVE,
};

static const struct view_col st_cols[] = {
	{ "name", "counter", VAL_STR, "", "what is counted" },
	{ "value", "value", VAL_UINT, "", "its value" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *st_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mmu *m = owner;
	const struct mmu_stats *s = &m->st;
	const char *slow = mmu_pages_slow(m);
	const struct {
		const char *n;
		uint64_t v;
		const char *h;
	} r[] = {
		{ "fills", s->fills, "host mappings made on demand" },
		{ "fill_pages", s->fill_pages, "pages they mapped" },
		{ "prefills", s->prefills, "pages mapped before the guest touched them" },
		{ "bypasses", s->bypasses,
		  "accesses served without a mapping, on pages whose mappings never last" },
		{ "upgrades", s->upgrades, "mappings made writable at the first write" },
		{ "true_faults", s->true_faults, "page faults that the guest gets" },
		{ "refusals", s->refusals, "accesses that the second dimension of the walk refused" },
		{ "mmio_faults", s->mmio_faults, "accesses outside RAM" },
		{ "code_faults", s->code_faults, "writes to pages with a code trace" },
		{ "flushes", s->cr3_loads, "TLB flushes by the guest" },
		{ "global_flushes", s->global_flushes, "of these, of global pages too" },
		{ "invlpg", s->invlpgs, "single pages invalidated by the guest" },
		{ "syncs", s->syncs, "windows compared with the guest's tables" },
		{ "local_syncs", s->local_syncs, "shared windows compared, but for global pages" },
		{ "early_syncs", s->early_syncs, "user windows synchronized at the CR3 load, not by a trap" },
		{ "sync_diffs", s->sync_diffs, "page tables found changed" },
		{ "drops", s->drops, "ranges dropped" },
		{ "evictions", s->evictions, "windows emptied for room" },
		{ "lines", s->lines, slow ? slow : "mappings made whose pages are opened one by one" },
		{ "softs", s->softs,
		  "pages entered without a mapping: prechecked accesses reach their home slots" },
		{ "windows", s->windows, "windows set up" },
		{ "moves", m->vm->moves, "pages moved to another machine page" },
	};

	(void)arg;
	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		k->row(k, (struct value[]){ V_STR(r[i].n), V_UINT(r[i].v), V_STR(r[i].h) });
	return NULL;
}

static const struct view view_mmu = {
	.name = "mmu",
	.help = "address-space counters",
	VIEW_COLS(st_cols),
	.rows = st_rows,
	.flags = VIEW_LIVE,
};

static const struct view_col pmap_cols[] = {
	{ "state", "state", VAL_STR, "", "private, shared (copy-on-write), swapped, ballooned, absent" },
	{ "pages", "pages", VAL_UINT, "", "pages in this state" },
	{ "ppn", "PPN", VAL_HEX, "", "with an argument: the page" },
	{ "mpn", "MPN", VAL_HEX, "", "its machine page: its home slot has the same number" },
	{ "mappings", "mappings", VAL_UINT, "", "entries of windows that know it" },
	{ "code", "code", VAL_BOOL, "", "translated code was made from it" },
};

static const char *pmap_page(const struct mm_vm *vm, uint64_t p, struct row_sink *k)
{
	uint64_t maps = 0;

	if (!ppn_ram(vm, p))
		return "no memory at this PPN";
	for (uint32_t n = vm->pmap[p].rmap; n; n = vm->rmap[n].next)
		maps++;
	k->row(k, (struct value[]){ V_STR(mm_state_name(page_state(vm, (ppn)p))), V_UINT(1), V_HEX(p),
				    mpn_in_memory(vm->pmap[p].mpn) ? V_HEX(vm->pmap[p].mpn) : V_NONE,
				    V_UINT(maps), V_BOOL(vm->pmap[p].code) });
	return NULL;
}

static const char *pmap_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = owner;
	struct mm_books b;
	char *end;

	if (*arg) {
		uint64_t p = strtoull(arg, &end, 0);

		return *end ? "expected a PPN" : pmap_page(vm, p, k);
	}
	mm_count(vm, &b);
	for (unsigned i = 0; i < PAGE_STATES; i++)
		k->row(k, (struct value[]){ V_STR(mm_state_name((enum page_state)i)), V_UINT(b.pages[i]),
					    V_NONE, V_NONE, V_NONE, V_NONE });
	return NULL;
}

static const struct view view_pmap = {
	.name = "pmap",
	.help = "states of guest pages, how many are in each; with a PPN: that page's",
	VIEW_COLS(pmap_cols),
	.rows = pmap_rows,
};

static const struct view_col swap_cols[] = {
	{ "name", "counter", VAL_STR, "", "what is counted" },
	{ "value", "value", VAL_UINT, "", "its value, in pages unless it says otherwise" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *swap_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = owner;
	uint32_t target = atomic_load(&vm->slot->swap_target);
	struct mm_usage u;
	struct mm_books b;

	(void)arg;
	if (vm->swap.fd < 0)
		return "no swap file (--swap)";
	mm_count(vm, &b);
	mm_pool_usage(vm->pool, &u);
	const struct {
		const char *n;
		uint64_t v;
		const char *h;
	} r[] = {
		{ "machine", u.pages, "machine pages there are" },
		{ "charged", u.charged, "of these, in use" },
		{ "swapped", b.pages[PAGE_SWAPPED], "pages in the file now" },
		{ "places", vm->n.in_file, "places taken in the file" },
		{ "cleaned", vm->n.cleaned, "places given back, as their page came home or went" },
		{ "target", target == UINT32_MAX ? b.charged : target,
		  target == UINT32_MAX ? "charged to this VM; nothing is to be swapped out"
				       : "pages beyond which the VM is to swap" },
		{ "out", vm->n.out, "pages written to the file" },
		{ "zeros", vm->n.zeros, "victims that held zeros: dropped, not written" },
		{ "shared", vm->n.shared, "victims whose content another page has: shared, not written" },
		{ "in", vm->n.in, "pages read back" },
		{ "waits", vm->n.waits, "faults that waited for a page or for room" },
		{ "peeks", vm->n.peeks, "pages read where they are, by devices, walks and debuggers" },
		{ "double", vm->n.double_paged,
		  "paged twice: swapped out when the guest wrote them to its own disk" },
		{ "blocked", atomic_load(&vm->slot->blocked_ns) / 1000000,
		  "ms that the VM has waited for memory (state low)" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		k->row(k, (struct value[]){ V_STR(r[i].n), V_UINT(r[i].v), V_STR(r[i].h) });
	return NULL;
}

static const struct view view_swap = {
	.name = "swap",
	.help = "pages swapped out and read back",
	VIEW_COLS(swap_cols),
	.rows = swap_rows,
};

const struct view *const mm_views[] = { &view_windows, &view_mmu, NULL };
const struct view *const mm_vm_views[] = {
	&view_pmap, &view_swap, &view_share, &view_sharing, &view_cow, NULL
};
