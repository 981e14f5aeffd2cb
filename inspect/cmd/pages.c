/* SPDX-License-Identifier: GPL-3.0-or-later
 * Machine memory under the guest's: swap pages by hand, check the books (mm/pages.h). */
#include "inspect/tables_int.h"
#include "mm/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct view_col swap_cols[] = {
	{ "pages", "Pages", VAL_UINT, "", "pages that were swapped, out or in" },
};
RECORD_DOC(swap_record, "swap", swap_cols);

/* A page number or a count: all of WORD. */
static bool number(const char *word, uint64_t *n)
{
	char *end;

	*n = strtoull(word, &end, 0);
	return *word && !*end;
}

/* The pages that the arguments from AT on name: [FIRST, FIRST + N). */
static int range(const struct cmd_args *a, int at, struct result *r, uint64_t *first, uint64_t *n)
{
	*n = 1;
	if (!number(a->argv[at], first) || *first > UINT32_MAX)
		return result_fail(r, "%s: '%s' is no PPN", a->name, a->argv[at]);
	if (a->argc > at + 1 && (!number(a->argv[at + 1], n) || *n > UINT32_MAX))
		return result_fail(r, "%s: '%s' is no number of pages", a->name, a->argv[at + 1]);
	return 0;
}

static uint64_t swap_range(struct mm_vm *vm, uint64_t first, uint64_t n, bool out)
{
	uint64_t done = 0;
	enum page_state s;

	for (uint64_t p = first; p < first + n && p <= UINT32_MAX; p++) {
		if (!mm_state_of(vm, (ppn)p, &s))
			continue;
		if (out ? mm_swap_out(vm, (ppn)p) : s == PAGE_SWAPPED && mm_swap_in(vm, (ppn)p))
			done++;
	}
	return done;
}

static int cmd_swap(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_vm *vm = machine_vm(s->m);
	bool out = !strcmp(a->argv[0], "out");
	uint64_t first = 0, n = 0, done;
	enum page_state state;
	struct table *t;

	if (!out && strcmp(a->argv[0], "in"))
		return result_fail(r, "swap: expected out or in, not '%s'", a->argv[0]);
	if (!mm_has_swap(vm))
		return result_fail(r, "swap: no swap file (--swap)");
	if (out && !strcmp(a->argv[1], "random")) {
		if (a->argc < 3 || !number(a->argv[2], &n) || n > UINT32_MAX)
			return result_fail(r, "swap: out random takes a number of pages");
		done = mm_swap_out_some(vm, (uint32_t)n);
	} else if (!out && !strcmp(a->argv[1], "all")) {
		done = swap_range(vm, 0, 1 << 20, false);
	} else {
		if (range(a, 1, r, &first, &n))
			return -1;
		if (first <= UINT32_MAX && n == 1 && !mm_state_of(vm, (ppn)first, &state))
			return result_fail(r, "swap: no memory at PPN %#llx", (unsigned long long)first);
		done = swap_range(vm, first, n, out);
	}
	t = result_table(r, swap_cols, ARRAY_LEN(swap_cols), TABLE_PLAIN,
			 out ? "{pages} pages swapped out" : "{pages} pages read back");
	table_row(t, (struct value[]){ V_UINT(done) });
	return 0;
}

static const struct view_col share_cols[] = {
	{ "pages", "Pages", VAL_UINT, "", "pages that were moved: onto shared frames, or home" },
};
RECORD_DOC(share_record, "share unshare", share_cols);

/* share and unshare. */
static int cmd_share(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_vm *vm = machine_vm(s->m);
	bool share = !strcmp(a->name, "share");
	uint64_t first = 0, n = 1 << 20, done = 0;
	struct table *t;

	if (share && !strcmp(a->argv[0], "rate"))
		return result_fail(r, "share: the rate is set by 'memory scan [all] RATE'");
	if (strcmp(a->argv[0], "all") && range(a, 0, r, &first, &n))
		return -1;
	if (share)
		done = mm_share_range(vm, (ppn)first, (uint32_t)n);
	for (uint64_t p = first; !share && p < first + n && p <= UINT32_MAX; p++)
		done += mm_unshare_page(vm, (ppn)p);
	t = result_table(r, share_cols, ARRAY_LEN(share_cols), TABLE_PLAIN,
			 share ? "{pages} pages moved onto shared frames"
			       : "{pages} pages have memory of their own again");
	table_row(t, (struct value[]){ V_UINT(done) });
	return 0;
}

static const struct view_col balloon_cols[] = {
	{ "target", "Target", VAL_UINT, "pages", "what the balloon shall have" },
	{ "reached", "Reached", VAL_UINT, "pages", "what it has now" },
	{ "set_by", "Set by", VAL_STR, "", "hand, or policy (balloon auto)" },
};
RECORD_DOC(balloon_record, "balloon", balloon_cols);

/* Pages, or with a suffix K, M or G bytes. */
static bool amount(const char *word, uint64_t *pages)
{
	static const char units[] = "KMG";
	const char *unit;
	char *end;

	*pages = strtoull(word, &end, 0);
	if (end == word || *word == '-')
		return false;
	if (!*end)
		return true;
	unit = strchr(units, toupper((unsigned char)*end));
	if (!unit || end[1] || *pages > UINT32_MAX)
		return false;
	*pages = *pages << (10 * (unit - units + 1)) >> PAGE_SHIFT;
	return true;
}

static int cmd_balloon(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_slot *slot = mm_slot(machine_vm(s->m));
	bool automatic = !strcmp(a->argv[0], "auto");
	uint64_t n = 0, most = machine_balloon_most(s->m);
	struct table *t;

	if (!automatic && !amount(a->argv[0], &n))
		return result_fail(r, "balloon: expected pages, a size with K, M or G, or auto, not '%s'",
				   a->argv[0]);
	if (!most)
		return result_fail(r, "balloon: this machine has no balloon device (--balloon)");
	if (n > most)
		return result_fail(r, "balloon: the guest has %llu pages of memory, not %llu",
				   (unsigned long long)most, (unsigned long long)n);
	if (automatic)
		atomic_fetch_and(&slot->hand, ~(uint32_t)HAND_BALLOON);
	else
		atomic_fetch_or(&slot->hand, HAND_BALLOON);
	/* Where a policy runs it says how many. */
	if (!automatic || !(mm_policy_hosted(s->pool) || mm_policy_wanted(s->pool, machine_vm(s->m))))
		atomic_store(&slot->balloon, (uint32_t)n);
	mm_policy_changed(s->pool);
	machine_memory_changed(s->m);
	t = result_table(r, balloon_cols, ARRAY_LEN(balloon_cols), TABLE_PLAIN,
			 "the balloon's target, set by {set_by}: {target} pages; it has {reached}");
	table_row(t, (struct value[]){ V_UINT(atomic_load(&slot->balloon)),
				       V_UINT(atomic_load(&slot->ballooned)),
				       V_STR(automatic ? "policy" : "hand") });
	return 0;
}

static const struct view_col books_cols[] = {
	{ "ok", "OK", VAL_BOOL, "", "everything adds up" },
	{ "private", "Private", VAL_UINT, "pages", "at home" },
	{ "shared", "Shared", VAL_UINT, "pages", "on shared frames" },
	{ "swapped", "Swapped", VAL_UINT, "pages", "in the swap file" },
	{ "ballooned", "Ballooned", VAL_UINT, "pages", "given back by the guest" },
	{ "absent", "Absent", VAL_UINT, "pages", "not touched yet, or released" },
	{ "charged", "Charged", VAL_UINT, "pages", "charged to the machine's memory" },
	{ "populated", "Populated", VAL_UINT, "pages", "home slots that the host has memory for" },
	{ "mapped", "Mapped", VAL_UINT, "", "entries of windows that can be accessed, all checked" },
	{ "wrong", "Wrong", VAL_STR, "", "the first thing that does not add up" },
	{ "ppn", "PPN", VAL_HEX, "", "the page, where it is one's" },
};
RECORD_DOC(books_record, "vm", books_cols);

static int cmd_vm(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_books b;
	struct table *t;

	if (strcmp(a->argv[0], "check"))
		return result_fail(r, "vm: expected check, not '%s'", a->argv[0]);
	mm_check(machine_vm(s->m), true, &b);
	t = result_table(
	    r, books_cols, ARRAY_LEN(books_cols), TABLE_PLAIN,
	    b.wrong ? "{wrong}, PPN {ppn}"
		    : "the books balance: {private} pages private, {shared} shared, {swapped} swapped, "
		      "{ballooned} ballooned, {absent} absent; {charged} charged, {populated} populated; "
		      "{mapped} mappings checked");
	table_row(t, (struct value[]){ V_BOOL(!b.wrong), V_UINT(b.pages[PAGE_PRIVATE]),
				       V_UINT(b.pages[PAGE_SHARED]), V_UINT(b.pages[PAGE_SWAPPED]),
				       V_UINT(b.pages[PAGE_BALLOONED]), V_UINT(b.pages[PAGE_ABSENT]),
				       V_UINT(b.charged), V_UINT(b.populated), V_UINT(b.mapped),
				       b.wrong ? V_STR(b.wrong) : V_NONE,
				       b.wrong && b.at != UINT32_MAX ? V_HEX(b.at) : V_NONE });
	return 0;
}

static const struct command commands[] = {
	{ "swap", NULL, "out PPN [N] | out random N | in PPN [N] | in all",
	  "swap pages of guest memory out, or read them back (needs --swap)",
	  "A page is named by its number, PPN: its physical address divided by 4096. The guest does not notice: "
	  "pages come back when they are touched. Pages of zeros are not written but dropped. info swap counts; "
	  "info pmap shows states.",
	  cmd_swap, CMD_MACHINE | CMD_PAUSE, 2, 3, "out|in random|all" },
	{ "share", NULL, "PPN [N] | all", "share pages of the same content, copy-on-write",
	  "Looks at these pages now; how many a VM looks at a second while it runs is set by memory scan. The content of each page is looked up by its hash; where another page has it, all bytes are compared, and both "
	  "are moved onto one frame. A write copies the page again. info share shows the contents that are known, info "
	  "sharing what is saved, info cow the copies.",
	  cmd_share, CMD_MACHINE | CMD_PAUSE, 1, 2, "all" },
	{ "unshare", NULL, "PPN [N] | all", "give shared pages memory of their own again", NULL, cmd_share,
	  CMD_MACHINE | CMD_PAUSE, 1, 2, "all" },
	{ "balloon", NULL, "N[K|M|G] | auto", "set how many pages the guest's balloon shall have",
	  "Its driver in the guest allocates pages and gives them back, or takes some back, until it has N pages or that many "
	  "bytes: Linux' vmw_balloon asks once a second, virtio_balloon is told within one. How far it is: info balloon. A target that was set by hand stays until "
	  "balloon auto, whatever the memory policy of a host finds (info memory says what was set by hand).",
	  cmd_balloon, CMD_MACHINE, 1, 1, "auto" },
	{ "vm", NULL, "check",
	  "check the books of guest memory: states of pages, charges, reference counts, windows", NULL,
	  cmd_vm, CMD_MACHINE | CMD_PAUSE, 1, 1, "check" },
	{ 0 },
};

const struct command_group cmd_pages_group = { "pages", "Machine memory", commands };
