/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMs of a host as a table. */
#include "host/host_int.h"

static const struct view_col cols[] = {
	{ "vm", "VM", VAL_STR, "", "its name" },
	{ "state", "State", VAL_STR, "", "starts, joins, runs, stopped, ends" },
	{ "process", "Process", VAL_UINT, "", "its process" },
	{ "slot", "Slot", VAL_UINT, "", "its number in the pool" },
	{ "memory", "Memory", VAL_UINT, "MiB", "of the guest" },
	{ "private", "Private", VAL_UINT, "pages", "pages of its own" },
	{ "shared", "Shared", VAL_UINT, "pages", "on shared frames" },
	{ "swapped", "Swapped", VAL_UINT, "pages", "in the swap file" },
	{ "ballooned", "Ballooned", VAL_UINT, "pages", "given back by the guest" },
	{ "overhead", "Overhead", VAL_UINT, "KiB", "what its process takes beside, measured" },
};

static void row(const struct host_vm *vm, struct row_sink *sink)
{
	struct mm_slot *s = vm->slot < 0 ? NULL : mm_pool_slot(vm->h->pool, (unsigned)vm->slot);

#define PAGES(state) (s ? V_UINT(atomic_load(&s->pages[state])) : V_NONE)
	sink->row(sink, (struct value[]){ V_STR(vm->name), V_STR(vm_state_text(vm)),
					  V_UINT((unsigned)vm->pid), s ? V_UINT((unsigned)vm->slot) : V_NONE,
					  s ? V_UINT(vm->memory >> 20) : V_NONE, PAGES(PAGE_PRIVATE),
					  PAGES(PAGE_SHARED), PAGES(PAGE_SWAPPED), PAGES(PAGE_BALLOONED),
					  s ? V_UINT((uint64_t)atomic_load(&s->overhead) << 2) : V_NONE });
#undef PAGES
}

/* Those after VM, which is NULL or newer: the oldest first. */
static void rows_before(const struct host_vm *vm, struct row_sink *sink)
{
	if (!vm)
		return;
	rows_before(vm->next, sink);
	if (vm->state != VM_ENDED)
		row(vm, sink);
}

static const char *rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct host *h = owner;

	(void)arg;
	rows_before(h->vms, sink);
	return NULL;
}

static const struct view view_vms = {
	.name = "vms",
	.help = "the VMs of this host",
	VIEW_COLS(cols),
	.rows = rows,
	.flags = VIEW_LIVE,
};
const struct view *const host_views[] = { &view_vms, NULL };
