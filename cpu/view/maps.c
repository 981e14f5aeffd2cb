/* SPDX-License-Identifier: GPL-3.0-or-later
 * The walk through both dimensions of paging, and permission maps. Memory is read, never written. */
#include "cpu/exit_view.h"
#include "x86/state_text.h"

#include <stdio.h>

/* ---- both dimensions ---- */

const struct view_col exit_walk_cols[6] = {
	{ "for", "for", VAL_STR, "", "what is translated: the guest's tables on the way, then the address" },
	{ "level", "level", VAL_STR, "", "entry; those of the nested tables with a dot" },
	{ "at", "at", VAL_HEX, "",
	  "physical address of the entry: the guest's, in nested tables the hypervisor's" },
	{ "entry", "entry", VAL_HEX, "", "its value" },
	{ "bits", "bits", VAL_FLAGS, "", "rights, accessed, dirty, page size" },
	{ "to", "to", VAL_HEX, "", "where it leads" },
};

void exit_walk_row(struct exit_walk *w, const char *what, const char *level, gpa at, uint64_t entry,
		   const char *bits, bool leads, gpa to)
{
	w->k->row(w->k, (struct value[]){ V_STR(what), V_STR(level), V_HEX(at), V_HEX(entry), V_STR(bits),
					  leads ? V_HEX(to) : V_NONE });
}

static bool load(void *ctx, gpa at, unsigned size, uint64_t *entry)
{
	struct exit_walk *w = ctx;
	gpa to;

	*entry = 0;
	if (!w->nested(w, "table", at, &to))
		return false;
	w->read(w, to, entry, size);
	return true;
}

static bool no_set(void *ctx, gpa at, uint8_t bits)
{
	(void)ctx;
	(void)at;
	(void)bits;
	return true;
}

static void guest_bits(uint64_t e, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s%s", e & 1 ? "P" : "-", e & 2 ? " W" : "", e & 4 ? " U" : "",
		 e & 0x20 ? " A" : "", e & 0x40 ? " D" : "", e & 0x80 ? " large" : "");
}

static bool through_guest(struct exit_walk *x, gva address, gpa *out)
{
	const struct walk_memory mem = { x, load, no_set };
	struct walk w;
	char bits[40];

	*out = address;
	if (!(x->guest.cr0 & 0x80000000))
		return true;
	if (x->guest.cr4 & 0x20 && !(x->guest.efer & 0x400) && x->load_pdptes)
		walk_load_pdptrs(&x->guest, &mem, x->guest.cr3, x->guest.pdptr);
	walk_linear(&x->guest, &mem, address, MM_PROBE, &w);
	for (unsigned i = 0; i < w.nlevels; i++) {
		uint64_t entry = w.level[i].entry;

		guest_bits(entry, bits, sizeof(bits));
		exit_walk_row(x, "linear", w.level[i].name, w.level[i].at, entry, bits, entry & 1,
			      i + 1 == w.nlevels && w.ok ? w.pa : entry & 0x000ffffffffff000ull);
	}
	*out = w.pa;
	return w.ok;
}

void exit_walk_rows(struct exit_walk *w, uint64_t address, bool physical)
{
	gpa to = address;

	if (!physical && !through_guest(w, address, &to) && !w->failed)
		w->failed = "not mapped by the guest: its page fault";
	if (!w->failed)
		w->nested(w, "address", to, &to);
	w->k->row(w->k,
		  (struct value[]){ V_STR("result"), V_NONE, V_NONE, V_NONE,
				    w->failed ? V_STR(w->failed) : V_NONE, w->failed ? V_NONE : V_HEX(to) });
}

/* ---- permission maps ---- */

const struct view_col exit_msr_cols[4] = {
	{ "first", "first", VAL_HEX, "", "MSR" },
	{ "last", "last", VAL_HEX, "", "of a range alike" },
	{ "read", "RDMSR", VAL_STR, "", "exits or runs" },
	{ "write", "WRMSR", VAL_STR, "", "exits or runs" },
};
const struct view_col exit_io_cols[3] = {
	{ "first", "first", VAL_HEX, "", "port" },
	{ "last", "last", VAL_HEX, "", "of a range alike" },
	{ "access", "access", VAL_STR, "", "exits or runs" },
};

static const char *how(bool exits)
{
	return exits ? "exits" : "runs";
}

void exit_msr_rows(const void *ctx, bool (*exits)(const void *ctx, uint32_t msr, bool write), uint32_t first,
		   uint32_t last, struct row_sink *k)
{
	uint32_t from = first;

	for (uint64_t m = first; m <= last; m++) {
		bool r = exits(ctx, (uint32_t)m, false), w = exits(ctx, (uint32_t)m, true);

		if (m < last && exits(ctx, (uint32_t)m + 1, false) == r &&
		    exits(ctx, (uint32_t)m + 1, true) == w)
			continue;
		k->row(k, (struct value[]){ V_HEX(from), V_HEX(m), V_STR(how(r)), V_STR(how(w)) });
		from = (uint32_t)m + 1;
	}
}

const char *exit_io_rows(const void *ctx, bool (*exits)(const void *ctx, uint16_t port), const char *arg,
			 struct row_sink *k)
{
	uint64_t port = 0, last = 0xffff, from;

	if (*arg && !text_number(arg, 0xffff, &port))
		return "expected a port, or nothing";
	if (*arg)
		last = port;
	from = port;
	for (uint64_t p = port; p <= last; p++) {
		bool e = exits(ctx, (uint16_t)p);

		if (p < last && exits(ctx, (uint16_t)(p + 1)) == e)
			continue;
		k->row(k, (struct value[]){ V_HEX(from), V_HEX(p), V_STR(how(e)) });
		from = p + 1;
	}
	return NULL;
}
