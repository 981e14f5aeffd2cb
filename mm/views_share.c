/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of page sharing: the table of contents, what it did, and the last pages that parted. */
#include "mm/mm_int.h"
#include "mm/policy/share.h"
#include "mm/views_int.h"

#include <stdlib.h>

static const struct view_col share_cols[] = {
	{ "kind", "kind", VAL_STR, "",
	  "frame (shared), zeros (the frame of zeros), hint (a page had this content)" },
	{ "page", "page", VAL_HEX, "", "MPN of the frame, or PPN that left the hint" },
	{ "hash", "hash", VAL_HEX, "", "of the content" },
	{ "refs", "refs", VAL_UINT, "", "pages on the frame" },
	{ "bucket", "bucket", VAL_UINT, "", "chain of the table" },
};

/* Is the entry of page P, if P is not negative? */
static bool is_of(const struct mm_vm *vm, const struct share_row *r, int64_t p)
{
	return p < 0 || (r->hint ? r->who == (ppn)p : vm->pmap[p].mpn == (r->who | MPN_SHARED));
}

static const char *share_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const uint8_t zeros[PAGE_SIZE];
	const struct mm_vm *vm = ((struct mmu *)owner)->vm;
	uint64_t zero = share_hash(zeros), p = 0;
	uint32_t bucket = 0, entry = 0;
	struct share_row r;
	char *end;

	if (*arg) {
		p = strtoull(arg, &end, 0);
		if (*end || !ppn_ram(vm, p))
			return "no memory at this PPN";
	}
	while (share_next(vm, &bucket, &entry, &r)) {
		if (!is_of(vm, &r, *arg ? (int64_t)p : -1))
			continue;
		k->row(k, (struct value[]){ V_STR(r.hint	   ? "hint"
						  : r.hash == zero ? "zeros"
								   : "frame"),
					    V_HEX(r.hint ? r.who : r.who | MPN_SHARED), V_HEX(r.hash),
					    r.hint ? V_NONE : V_UINT(r.refs), V_UINT(r.bucket) });
	}
	return NULL;
}

const struct view view_share = {
	.name = "share",
	.help = "contents of pages that are known: shared frames and hints; with a PPN: that page's",
	VIEW_COLS(share_cols),
	.rows = share_rows,
};

static const struct view_col sharing_cols[] = {
	{ "name", "counter", VAL_STR, "", "what is counted" },
	{ "value", "value", VAL_UINT, "", "its value" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *sharing_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const uint8_t zeros[PAGE_SIZE];
	const struct mm_vm *vm = ((struct mmu *)owner)->vm;
	const struct mm_sharing *s = mm_sharing(vm);
	uint64_t zero = share_hash(zeros), frames = 0, zero_refs = 0;
	uint32_t bucket = 0, entry = 0;
	struct share_row row;
	struct mm_books b;

	(void)arg;
	mm_count(vm, &b);
	while (share_next(vm, &bucket, &entry, &row)) {
		frames += !row.hint;
		zero_refs += !row.hint && row.hash == zero ? row.refs : 0;
	}
	const struct {
		const char *n;
		uint64_t v;
		const char *h;
	} r[] = {
		{ "shared", b.pages[PAGE_SHARED], "pages on shared frames now" },
		{ "zeros", zero_refs, "of these, pages of zeros" },
		{ "frames", frames, "frames they are on" },
		{ "reclaimed", b.pages[PAGE_SHARED] > frames ? b.pages[PAGE_SHARED] - frames : 0,
		  "machine pages that this saves" },
		{ "scanned", s->scanned, "pages hashed to find others" },
		{ "moved", s->shared, "pages moved onto a frame so far" },
		{ "parted", vm->n.cow, "pages copied at a write, or by unshare" },
		{ "hints", s->hints, "contents of pages that are not shared" },
		{ "stale", s->stale, "hints whose page had changed" },
		{ "evicted", s->evicted, "hints that made room for others" },
		{ "false", s->false_matches, "equal hashes of different contents: not shared" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		k->row(k, (struct value[]){ V_STR(r[i].n), V_UINT(r[i].v), V_STR(r[i].h) });
	return NULL;
}

const struct view view_sharing = {
	.name = "sharing",
	.help = "what page sharing did and saves",
	VIEW_COLS(sharing_cols),
	.rows = sharing_rows,
};

static const struct view_col cow_cols[] = {
	{ "number", "number", VAL_UINT, "", "of the copy, from the first" },
	{ "ppn", "PPN", VAL_HEX, "", "page that was copied to its home slot" },
	{ "mpn", "MPN", VAL_HEX, "", "frame that it was on" },
	{ "left", "left", VAL_UINT, "", "pages still on the frame" },
	{ "cycles", "cycles", VAL_UINT, "", "the copy, and mapping it" },
};

static const char *cow_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_vm *vm = ((struct mmu *)owner)->vm;
	uint64_t from = vm->n.cow > COW_NOTES ? vm->n.cow - COW_NOTES : 0;

	(void)arg;
	for (uint64_t i = from; i < vm->n.cow; i++) {
		const struct cow_note *c = &vm->cow[i % COW_NOTES];

		k->row(k, (struct value[]){ V_UINT(i + 1), V_HEX(c->p), V_HEX(c->frame), V_UINT(c->left),
					    V_UINT(c->cycles) });
	}
	return NULL;
}

const struct view view_cow = {
	.name = "cow",
	.help = "the last copies of shared pages: copy-on-write, unshare",
	VIEW_COLS(cow_cols),
	.rows = cow_rows,
};
