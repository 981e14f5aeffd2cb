/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of page sharing: the table of contents, and what it did. */
#include "base/gpr.h"
#include "mm/host.h"
#include "mm/mm_int.h"
#include "mm/policy/share.h"
#include "mm/views_int.h"

#include <stdlib.h>

/* The name of the VM in SLOT, which another process wrote. */
static void slot_name(const struct mm_pool *p, unsigned slot, char name[MM_NAME])
{
	gpr_copy(name, p->slots[slot].name, MM_NAME);
	name[MM_NAME - 1] = 0;
}

static const struct view_col share_cols[] = {
	{ "kind", "kind", VAL_STR, "",
	  "frame (shared), zeros (a frame of zeros), hint (a page had this content)" },
	{ "page", "page", VAL_HEX, "", "MPN of the frame, or PPN that left the hint" },
	{ "hash", "hash", VAL_HEX, "", "of the content" },
	{ "refs", "refs", VAL_UINT, "", "pages on the frame" },
	{ "bucket", "bucket", VAL_UINT, "", "chain of the table" },
	{ "vm", "VM", VAL_STR, "", "that left the hint" },
};

/* Which entries: those of page P of the VM in SLOT, which is at MPN AT. */
struct wanted {
	bool all;
	unsigned slot;
	ppn p;
	mpn at;
};

static bool is_wanted(const struct wanted *w, const struct share_row *r)
{
	if (w->all)
		return true;
	return r->hint ? r->slot == w->slot && r->who == w->p : w->at == (r->who | MPN_SHARED);
}

static void table_rows(struct mm_pool *p, const struct wanted *w, struct row_sink *k)
{
	uint32_t bucket = 0, entry = 0;
	struct share_row r;

	/* The table may change meanwhile: there are never more rows than entries. */
	for (uint32_t n = 0; n < p->share.nentry && share_next(p, &bucket, &entry, &r); n++) {
		const char *kind = r.hint ? "hint" : pool_frame_zeros(p, r.who) ? "zeros" : "frame";
		char name[MM_NAME];

		if (!is_wanted(w, &r))
			continue;
		slot_name(p, r.slot, name);
		k->row(k, (struct value[]){ V_STR(kind), V_HEX(r.hint ? r.who : r.who | MPN_SHARED),
					    V_HEX(r.hash), r.hint ? V_NONE : V_UINT(r.refs), V_UINT(r.bucket),
					    r.hint ? V_STR(name) : V_NONE });
	}
}

static const char *share_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = owner;
	struct wanted w = { .all = !*arg, .slot = vm_slot_number(vm) };
	uint64_t p;
	char *end;

	if (*arg) {
		p = strtoull(arg, &end, 0);
		if (*end || !ppn_ram(vm, p))
			return "no memory at this PPN";
		w.p = (ppn)p;
		w.at = vm->pmap[p].mpn;
	}
	table_rows(vm->pool, &w, k);
	return NULL;
}

const struct view view_share = {
	.name = "share",
	.help = "contents of pages that are known: shared frames and hints; with a PPN: that page's",
	VIEW_COLS(share_cols),
	.rows = share_rows,
};

/* The slot of the VM whose name is the first word of ARG, which is left behind it; -1: there is none. */
static int named_slot(const struct mm_pool *p, const char **arg)
{
	for (unsigned i = 0; i < MM_VMS; i++) {
		char name[MM_NAME];
		size_t n;

		slot_name(p, i, name);
		for (n = 0; name[n] && name[n] == (*arg)[n]; n++)
			;
		if (atomic_load(&p->slots[i].state) != SLOT_LIVES || !n || name[n] || (*arg)[n] != ' ')
			continue;
		*arg += n + 1;
		return (int)i;
	}
	return -1;
}

static const char *pool_share_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mm_pool *p = owner;
	struct wanted w = { .all = !*arg };
	uint64_t page;
	char *end;
	int slot;

	if (*arg) {
		slot = named_slot(p, &arg);
		if (slot < 0)
			return "expected a VM and a PPN";
		page = strtoull(arg, &end, 0);
		if (*end || !*arg || page >= NPPN || p->pmaps[slot].fd < 0 ||
		    p->pmaps[slot].map[page].kind == PAGE_NONE)
			return "no memory at this PPN";
		w.slot = (unsigned)slot;
		w.p = (ppn)page;
		w.at = p->pmaps[slot].map[page].mpn;
	}
	table_rows(p, &w, k);
	return NULL;
}

const struct view view_host_share = {
	.name = "share",
	.help = "contents of pages that are known: shared frames and hints; with a VM and a PPN: that page's",
	VIEW_COLS(share_cols),
	.rows = pool_share_rows,
};

static const struct view_col sharing_cols[] = {
	{ "name", "counter", VAL_STR, "", "what is counted" },
	{ "value", "value", VAL_UINT, "", "its value" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static void counter(struct row_sink *k, const char *name, uint64_t v, const char *help)
{
	k->row(k, (struct value[]){ V_STR(name), V_UINT(v), V_STR(help) });
}

/* Of the whole pool. */
static void table_counters(const struct mm_pool *p, struct row_sink *k)
{
	const struct mm_sharing *s = mm_pool_sharing(p);
	uint64_t frames = 0, refs = 0, alone = 0, all = atomic_load(&p->block->common.scan_rate);

	for (uint32_t i = 0; i < p->limit; i++) {
		uint32_t n = atomic_load(&p->refs[i]);

		if (!n || n == FRAME_DYING)
			continue;
		frames++;
		refs += n;
		alone += n == 1;
	}
	counter(k, "frames", frames, "frames that pages of all VMs are on");
	counter(k, "alone", alone, "of these, with one page");
	counter(k, "reclaimed", refs - frames, "machine pages that this saves");
	counter(k, "scanned", s->scanned, "pages hashed to find others");
	counter(k, "moved", s->shared, "pages moved onto a frame so far");
	counter(k, "hints", s->hints, "contents of pages that are not shared");
	counter(k, "stale", s->stale, "hints whose page had changed");
	counter(k, "evicted", s->evicted, "hints that made room for others");
	counter(k, "false", s->false_matches, "equal hashes of different contents: not shared");
	k->row(k, (struct value[]){ V_STR("rate_all"), all == UINT32_MAX ? V_NONE : V_UINT(all),
				    V_STR("pages that all VMs may look at a second") });
}

static const char *sharing_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = owner;
	const struct vm_scan *s = &vm->scan;

	(void)arg;
	counter(k, "shared", atomic_load(&vm->slot->pages[PAGE_SHARED]), "pages on shared frames now");
	counter(k, "zeros", atomic_load(&vm->slot->zeros), "of these, pages of zeros");
	table_counters(vm->pool, k);
	counter(k, "parted", vm->n.cow, "pages copied at a write, or by unshare");
	counter(k, "rate", atomic_load(&vm->slot->scan_rate), "pages to look at a second (memory scan)");
	counter(k, "rate_now", mm_scan_rate(vm), "of these, as many as the rate for all VMs leaves");
	counter(k, "passes", s->passes, "times that the scan has been through memory");
	counter(k, "looked_at", s->pages, "pages that the scan has looked at");
	counter(k, "asked", s->answered, "of these, because another VM has a page like it");
	counter(k, "cycles", s->pages ? s->cycles / s->pages : 0, "of the processor for each of them");
	return NULL;
}

const struct view view_sharing = {
	.name = "sharing",
	.help = "what page sharing did and saves",
	VIEW_COLS(sharing_cols),
	.rows = sharing_rows,
};

static const char *pool_sharing_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mm_pool *p = owner;
	uint64_t shared = 0, zeros = 0;

	(void)arg;
	for (unsigned i = 0; i < MM_VMS; i++) {
		shared += atomic_load(&p->slots[i].pages[PAGE_SHARED]);
		zeros += atomic_load(&p->slots[i].zeros);
	}
	counter(k, "shared", shared, "pages on shared frames now");
	counter(k, "zeros", zeros, "of these, pages of zeros");
	table_counters(p, k);
	return NULL;
}

const struct view view_host_sharing = {
	.name = "sharing",
	.help = "what page sharing did and saves, for all VMs",
	VIEW_COLS(sharing_cols),
	.rows = pool_sharing_rows,
};
