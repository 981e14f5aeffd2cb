/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's address translation: page, gva2gpa, info mem, info tlb. mm walks
 * the tables; here the steps are shown. The whole space is listed by walks of single
 * addresses; the level at which a walk ends says how much it covers. */
#include "inspect/tables_int.h"
#include "base/address.h"
#include "mm/mmu.h"
#include "mm/nested.h"
#include "x86/paging.h"

#include <stdio.h>
#include <string.h>

/* Page-table entry bits, SDM vol. 3A 4.3 and 4.4. */
static const struct {
	unsigned bit;
	const char *name;
} entry_bits[] = {
	{ 0, "P" }, { 1, "W" }, { 2, "U" },	 { 3, "PWT" }, { 4, "PCD" },
	{ 5, "A" }, { 6, "D" }, { 7, "PS/PAT" }, { 8, "G" },   { 63, "NX" },
};

static const struct view_col walk_cols[] = {
	{ "level", "Level", VAL_STR, "", "kind of entry" },
	{ "at", "At", VAL_ADDR, "", "physical address of the entry" },
	{ "entry", "Entry", VAL_HEX, "", "its value" },
	{ "flags", "Flags", VAL_FLAGS, "", "bits set in it" },
};
RECORD_DOC(walk_record, "page", walk_cols);

static void flags_text(uint64_t entry, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(entry_bits) && n < len; i++)
		if (entry >> entry_bits[i].bit & 1)
			n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " " : "", entry_bits[i].name);
}

static const struct view_col page_cols[] = {
	{ "linear", "Linear", VAL_ADDR, "", "linear address of the request" },
	{ "mapped", "Mapped", VAL_BOOL, "", "whether there is a translation" },
	{ "physical", "Physical", VAL_ADDR, "", "its physical address" },
	{ "size", "Size", VAL_UINT, "KiB", "of the page" },
	{ "rights", "Rights", VAL_FLAGS, "", "u user, r read, w write, x execute" },
	{ "error", "Error", VAL_HEX, "", "page-fault error code if there is no translation" },
	{ "guest", "Guest", VAL_ADDR, "", "under nested paging: guest-physical address" },
	{ "nested_size", "Nested size", VAL_UINT, "KiB", "of the page that maps it" },
};
RECORD_DOC(page_record, "page gva2gpa", page_cols);

static void rights_text(const struct walk *w, char buf[5])
{
	unsigned second = w->second.on ? w->second.rights : ~0u;

	snprintf(buf, 5, "%c%c%c%c", w->user ? 'u' : '-', second & NESTED_R ? 'r' : '-',
		 w->writable && (second & NESTED_W) ? 'w' : '-', w->nx ? '-' : 'x');
}

static const char *page_format(const struct walk *w)
{
	if (w->second.exits)
		return "{linear}: nested paging has no translation of guest-physical {guest}";
	if (!w->ok)
		return "{linear} is not mapped";
	if (w->second.on)
		return w->page_shift < 32
			   ? "{linear} -> guest-physical {guest} -> {physical}, pages of {size} and "
			     "{nested_size} KiB, {rights}"
			   : "{linear} -> guest-physical {guest} -> {physical}, page of {nested_size} KiB, "
			     "{rights}, paging is off";
	return w->page_shift < 32 ? "{linear} -> {physical}, page of {size} KiB, {rights}"
				  : "{linear} -> {physical}, paging is off";
}

static int probe(struct inspect *s, const struct cmd_args *a, struct result *r, gva *lin, struct walk *w)
{
	int64_t addr;

	if (session_eval(s, a->rest, &addr, r))
		return -1;
	if (!session_is_linear(s, addr))
		return result_fail(r, "%s: 0x%llx is not a linear address of this guest", a->name,
				   (unsigned long long)addr);
	*lin = (gva)addr;
	session_walk(s, *lin, w);
	return 0;
}

static int cmd_page(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char flags[80], rights[5];
	struct table *t;
	struct value guest;
	struct walk w;
	gva lin;

	if (probe(s, a, r, &lin, &w))
		return -1;
	if (w.nlevels)
		t = result_table(r, walk_cols, ARRAY_LEN(walk_cols), TABLE_GRID, NULL);
	for (unsigned i = 0; i < w.nlevels; i++) {
		flags_text(w.level[i].entry, flags, sizeof(flags));
		table_row(t, (struct value[]){ V_STR(w.level[i].name), V_ADDR(w.level[i].at),
					       V_HEX(w.level[i].entry), V_STR(flags) });
	}
	rights_text(&w, rights);
	t = result_table(r, page_cols, ARRAY_LEN(page_cols), TABLE_PLAIN, page_format(&w));
	guest = w.second.on && (w.ok || w.second.exits) ? V_ADDR(w.second.guest) : V_NONE;
	if (w.ok)
		table_row(
		    t, (struct value[]){ V_ADDR(lin), V_BOOL(true), V_ADDR(w.pa),
					 V_UINT(w.page_shift < 32 ? (1u << w.page_shift) / 1024 : 4u << 20),
					 V_STR(rights), V_NONE, guest,
					 w.second.on ? V_UINT((1ull << w.second.shift) / 1024) : V_NONE });
	else
		table_row(t, (struct value[]){ V_ADDR(lin), V_BOOL(false), V_NONE, V_NONE, V_NONE,
					       w.second.exits ? V_NONE : V_HEX(w.err), guest, V_NONE });
	return 0;
}

static int cmd_gva2gpa(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct table *t;
	struct walk w;
	gva lin;

	if (probe(s, a, r, &lin, &w))
		return -1;
	if (!w.ok)
		return result_fail(r, "gva2gpa: 0x%s is not mapped", ADDRESS(lin));
	t = result_table(r, page_cols, 3, TABLE_PLAIN, "gpa: {physical}");
	table_row(t, (struct value[]){ V_ADDR(lin), V_BOOL(true), V_ADDR(w.pa) });
	return 0;
}

static const struct view_col host_cols[] = {
	{ "physical", "Physical", VAL_HEX, "", "physical address of the request" },
	{ "host", "Host", VAL_HEX, "", "address in this process, valid to the end of the page at least" },
};

/* Worded as QEMU's: tools parse it and read guest memory through /proc/PID/mem. */
static int cmd_gpa2hva(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_vm *vm = machine_vm(s->m);
	struct table *t;
	int64_t addr;
	uint8_t byte;

	if (session_eval(s, a->rest, &addr, r))
		return -1;
	if (!session_is_range(s, true, false, addr, 1) || !mm_phys_read(vm, (uint64_t)addr, &byte, 1))
		return result_fail(r, "gpa2hva: no memory at 0x%llx", (unsigned long long)addr);
	t = result_table(r, host_cols, ARRAY_LEN(host_cols), TABLE_PLAIN,
			 "Host virtual address for {physical} (ram) is {host}");
	table_row(t,
		  (struct value[]){ V_HEX((uint64_t)addr),
				    V_HEX((uint64_t)mm_page_bytes(vm, (ppn)((uint64_t)addr >> PAGE_SHIFT)) +
					  ((uint64_t)addr & PAGE_MASK)) });
	return 0;
}

/* ---- the whole address space ---- */

static const char *no_paging(struct inspect *s)
{
	if (!s->m)
		return "no machine";
	return session_cpu(s)->cr0 & CR0_PG ? NULL
					    : "PG disabled"; /* QEMU's text, which gdb plug-ins compare */
}

/* All of the address space is walked from 0: to its end, or in IA-32e mode around its end to 0, without the
 * hole between the halves. */
static uint64_t walks_end(struct inspect *s)
{
	return cpu_long(session_cpu(s)) ? 0 : 1ull << 32;
}

static uint64_t next_walk(struct inspect *s, uint64_t lin, const struct walk *w)
{
	lin += session_walk_span(s, w);
	return cpu_long(session_cpu(s)) && lin == 1ull << 47 ? -lin : lin;
}

static const struct view_col mem_cols[] = {
	{ "start", "Start", VAL_HEX, "", "first linear address" },
	{ "end", "End", VAL_HEX, "", "first address behind the range" },
	{ "size", "Size", VAL_HEX, "B", "length" },
	{ "rights", "Rights", VAL_FLAGS, "", "u user, r read, w write; with the argument x also x execute" },
};

struct range {
	uint64_t start, end;
	char rights[5];
};

static void put_range(struct row_sink *sink, const struct range *g)
{
	if (g->end != g->start) /* the last range of IA-32e mode ends at 0 */
		sink->row(sink, (struct value[]){ V_HEX(g->start), V_HEX(g->end), V_HEX(g->end - g->start),
						  V_STR(g->rights) });
}

static const char *mem_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	struct range g = { 0 };
	const char *no = no_paging(s);
	uint64_t lin = 0, end;
	char rights[5];
	struct walk w;

	if (no)
		return no;
	end = walks_end(s);
	do {
		session_walk(s, lin, &w);
		rights_text(&w, rights);
		if (strcmp(arg, "x"))
			rights[3] = 0;
		if (!w.ok || g.end != lin || g.end == g.start || strcmp(g.rights, rights)) {
			put_range(sink, &g);
			g.start = g.end = lin;
			memcpy(g.rights, rights, sizeof(rights));
		}
		if (w.ok)
			g.end = lin + session_walk_span(s, &w);
		lin = next_walk(s, lin, &w);
	} while (lin != end);
	put_range(sink, &g);
	return NULL;
}

const struct view view_mem = {
	.name = "mem",
	.help = "mapped ranges of linear addresses ('info mem x': with the execute right)",
	VIEW_COLS(mem_cols),
	.rows = mem_rows,
	.flags = VIEW_TEXT | VIEW_BARE,
	.format = "{start:16}-{end:16} {size:16} {rights}",
	.words = "x",
};

static const struct view_col tlb_cols[] = {
	{ "address", "Address", VAL_HEX, "", "linear address of the page" },
	{ "physical", "Physical", VAL_HEX, "", "physical address" },
	{ "flags", "Flags", VAL_FLAGS, "",
	  "XGPDACTUW: no execute, global, large page, dirty, accessed, cache disabled, "
	  "write-through, user, writable" },
};

/* Letters for bits of the last-level entry, in QEMU's order. */
static void tlb_flags(const struct walk *w, char buf[10])
{
	static const char letters[] = "XGPDACTUW";
	static const uint64_t bits[] = {
		PTE_NX, PTE_G, PTE_PS, PTE_D, PTE_A, PTE_PCD, PTE_PWT, PTE_U, PTE_W
	};
	uint64_t entry = w->nlevels ? w->level[w->nlevels - 1].entry : 0;

	if (w->page_shift == PAGE_SHIFT)
		entry &= ~(uint64_t)PTE_PS; /* it is PAT */
	for (unsigned i = 0; i < ARRAY_LEN(bits); i++)
		buf[i] = entry & bits[i] ? letters[i] : '-';
	buf[ARRAY_LEN(bits)] = 0;
}

static const char *tlb_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	const char *no = no_paging(s);
	uint64_t lin = 0, end;
	char flags[10];
	struct walk w;

	(void)arg;
	if (no)
		return no;
	end = walks_end(s);
	do {
		session_walk(s, lin, &w);
		if (w.ok) {
			tlb_flags(&w, flags);
			sink->row(sink, (struct value[]){ V_HEX(lin), V_HEX(w.pa), V_STR(flags) });
		}
		lin = next_walk(s, lin, &w);
	} while (lin != end);
	return NULL;
}

const struct view view_tlb = {
	.name = "tlb",
	.help = "every mapped page with the flags of its entry",
	VIEW_COLS(tlb_cols),
	.rows = tlb_rows,
	.flags = VIEW_TEXT | VIEW_BARE,
	.format = "{address:16}: {physical:16} {flags}",
};

static const struct command commands[] = {
	{ "page", NULL, "ADDRESS", "walk the guest's page tables for a linear address, step by step", NULL,
	  cmd_page, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_MMU), 1, -1, COMP_EXPR },
	{ "gva2gpa", NULL, "ADDRESS", "translate a linear address to a physical one", NULL, cmd_gva2gpa,
	  CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_MMU), 1, -1, COMP_EXPR },
	{ "gpa2hva", NULL, "ADDRESS", "show where a physical address is in vitrine's own memory",
	  "For tools that read the guest through /proc/PID/mem, as they do with QEMU.", cmd_gpa2hva,
	  CMD_MACHINE | CMD_PAUSE, 1, -1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_memory_group = { "addresses", "Address translation", commands };
