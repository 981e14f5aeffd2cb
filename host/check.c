/* SPDX-License-Identifier: GPL-3.0-or-later
 * The books of a host's pool, as a record. */
#include "host/host_int.h"

static const struct view_col cols[] = {
	{ "ok", "OK", VAL_BOOL, "", "everything adds up" },
	{ "vms", "VMs", VAL_UINT, "", "VMs that have memory" },
	{ "private", "Private", VAL_UINT, "pages", "of all VMs, at home" },
	{ "shared", "Shared", VAL_UINT, "pages", "on shared frames" },
	{ "swapped", "Swapped", VAL_UINT, "pages", "in the swap file" },
	{ "ballooned", "Ballooned", VAL_UINT, "pages", "given back by guests" },
	{ "absent", "Absent", VAL_UINT, "pages", "not touched yet, or released" },
	{ "frames", "Frames", VAL_UINT, "", "shared frames in use" },
	{ "charged", "Charged", VAL_UINT, "pages", "charged to the machine's memory" },
	{ "wrong", "Wrong", VAL_STR, "", "the first thing that does not add up" },
	{ "vm", "VM", VAL_STR, "", "the VM, where it is one's" },
};
RECORD_DOC(pool_books_record, "vm", cols);

static const char *name_of(const struct host *h, int slot)
{
	for (const struct host_vm *vm = h->vms; vm; vm = vm->next)
		if (vm->slot == slot)
			return vm->name;
	return "?";
}

int host_check(struct host *h, struct result *r)
{
	struct mm_pool_books b;
	struct table *t;

	mm_pool_check(h->pool, &b);
	t = result_table(r, cols, ARRAY_LEN(cols), TABLE_PLAIN,
			 !b.wrong
			     ? "the books balance: {vms} VMs; {private} pages private, {shared} shared on "
			       "{frames} frames, {swapped} swapped, {ballooned} ballooned, {absent} absent; "
			       "{charged} charged"
			 : b.slot < 0 ? "{wrong}"
				      : "{wrong}, VM {vm}");
	table_row(t, (struct value[]){ V_BOOL(!b.wrong), V_UINT(b.vms), V_UINT(b.pages[PAGE_PRIVATE]),
				       V_UINT(b.pages[PAGE_SHARED]), V_UINT(b.pages[PAGE_SWAPPED]),
				       V_UINT(b.pages[PAGE_BALLOONED]), V_UINT(b.pages[PAGE_ABSENT]),
				       V_UINT(b.frames), V_UINT(b.used), b.wrong ? V_STR(b.wrong) : V_NONE,
				       b.wrong && b.slot >= 0 ? V_STR(name_of(h, b.slot)) : V_NONE });
	return 0;
}
