/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of a host's session, with a row for each VM, of what is a view of its own in a VM's session: states
 * of pages, swapping, balloons. The figures are those of the slots, which each VM keeps. */
#include "mm/host.h"
#include "mm/policy/alloc.h"
#include "mm/views_int.h"

/* ---- info pmap ---- */

static const struct view_col pmap_cols[] = {
	{ "name", "name", VAL_STR, "", "VM; (pool): all of them" },
	{ "private", "private", VAL_UINT, "pages", "in their home slots" },
	{ "shared", "shared", VAL_UINT, "pages", "on shared frames, copy-on-write" },
	{ "swapped", "swapped", VAL_UINT, "pages", "in the swap file" },
	{ "ballooned", "ballooned", VAL_UINT, "pages", "given back by the guest" },
	{ "absent", "absent", VAL_UINT, "pages", "not touched yet, or released" },
};

static const char *pmap_rows(void *owner, const char *arg, struct row_sink *k)
{
	uint64_t all[PAGE_STATES] = { 0 };
	struct vm_name name;

	(void)arg;
#define ROW(who, n)                                                                                          \
	k->row(k, (struct value[]){ V_STR(who), V_UINT(n[PAGE_PRIVATE]), V_UINT(n[PAGE_SHARED]),             \
				    V_UINT(n[PAGE_SWAPPED]), V_UINT(n[PAGE_BALLOONED]),                      \
				    V_UINT(n[PAGE_ABSENT]) })
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(owner, i);
		uint64_t n[PAGE_STATES];

		if (!s)
			continue;
		for (unsigned j = 0; j < PAGE_STATES; j++) {
			n[j] = atomic_load(&s->pages[j]);
			all[j] += n[j];
		}
		ROW(view_vm_name(s, &name), n);
	}
	ROW("(pool)", all);
#undef ROW
	return NULL;
}

const struct view view_host_pmap = {
	.name = "pmap",
	.help = "states of guest pages, how many of each VM are in each; 'vm NAME info pmap PPN': one page's",
	VIEW_COLS(pmap_cols),
	.rows = pmap_rows,
	.flags = VIEW_LIVE,
};

/* ---- info swap ---- */

static const struct view_col swap_cols[] = {
	{ "name", "name", VAL_STR, "", "VM; (pool): all of them, places: of the file" },
	{ "swapped", "swapped", VAL_UINT, "pages", "in the file now" },
	{ "places", "places", VAL_UINT, "pages", "taken in the file" },
	{ "file", "file", VAL_UINT, "pages", "that the file may have" },
	{ "target", "target", VAL_UINT, "pages",
	  "machine memory beyond which the VM is to swap; none: it is not to" },
	{ "out", "out", VAL_UINT, "pages", "written to the file" },
	{ "in", "in", VAL_UINT, "pages", "read back" },
	{ "zeros", "zeros", VAL_UINT, "pages", "victims that held zeros: dropped, not written" },
	{ "shared", "shared", VAL_UINT, "pages",
	  "victims whose content another page has: shared, not written" },
	{ "waits", "waits", VAL_UINT, "", "faults that waited for a page or for room" },
	{ "double", "double", VAL_UINT, "pages",
	  "paged twice: swapped out when the guest wrote them to its own disk" },
	{ "blocked", "blocked", VAL_UINT, "ms", "that the VM has waited for memory (state low)" },
};

struct swapping {
	uint64_t swapped, places, out, in, zeros, shared, waits, twice, blocked;
};

static void add_swapping(const struct mm_slot *s, struct swapping *x)
{
	x->swapped += atomic_load(&s->pages[PAGE_SWAPPED]);
	x->places += atomic_load(&s->swap.in_file);
	x->out += atomic_load(&s->swap.out);
	x->in += atomic_load(&s->swap.in);
	x->zeros += atomic_load(&s->swap.zeros);
	x->shared += atomic_load(&s->swap.shared);
	x->waits += atomic_load(&s->swap.waits);
	x->twice += atomic_load(&s->swap.double_paged);
	x->blocked += atomic_load(&s->blocked_ns) / 1000000;
}

static void swap_row(struct row_sink *k, const char *name, const struct swapping *x, struct value file,
		     struct value target)
{
	k->row(k, (struct value[]){ V_STR(name), V_UINT(x->swapped), V_UINT(x->places), file, target,
				    V_UINT(x->out), V_UINT(x->in), V_UINT(x->zeros), V_UINT(x->shared),
				    V_UINT(x->waits), V_UINT(x->twice), V_UINT(x->blocked) });
}

static const char *swap_rows(void *owner, const char *arg, struct row_sink *k)
{
	uint32_t file = atomic_load(&mm_policy(owner)->params.swap), target;
	struct swapping all = { 0 };
	struct vm_name name;

	(void)arg;
	if (!file)
		return "this host has no swap file (--swap)";
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(owner, i);
		struct swapping x = { 0 };

		if (!s)
			continue;
		add_swapping(s, &x);
		add_swapping(s, &all);
		target = atomic_load(&s->swap_target);
		swap_row(k, view_vm_name(s, &name), &x, V_NONE,
			 target == ALLOC_ANY ? V_NONE : V_UINT(target));
	}
	swap_row(k, "(pool)", &all, V_UINT(file), V_NONE);
	return NULL;
}

const struct view view_host_swap = {
	.name = "swap",
	.help = "pages of each VM swapped out and read back, victims, places in the file",
	VIEW_COLS(swap_cols),
	.rows = swap_rows,
	.flags = VIEW_LIVE,
};

/* ---- info balloon ---- */

static const struct view_col balloon_cols[] = {
	{ "name", "name", VAL_STR, "", "VM" },
	{ "driver", "driver", VAL_STR, "",
	  "who has the balloon: vmware, virtio, embedded; none: no driver has begun" },
	{ "target", "target", VAL_UINT, "pages", "what the balloon shall have" },
	{ "set_by", "set by", VAL_STR, "", "policy, or hand: 'vm NAME balloon auto' ends that" },
	{ "reached", "reached", VAL_UINT, "pages", "what it has, as its driver says" },
	{ "popped", "popped", VAL_UINT, "pages", "touched while in the balloon" },
};

static const char *balloon_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const char *const drivers[] = { [BALLOON_NONE] = "none",
					       [BALLOON_VMWARE] = "vmware",
					       [BALLOON_VIRTIO] = "virtio",
					       [BALLOON_EMBEDDED] = "embedded" };
	struct vm_name name;

	(void)arg;
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(owner, i);
		uint32_t driver;

		if (!s)
			continue;
		driver = atomic_load(&s->driver);
		k->row(k, (struct value[]){ V_STR(view_vm_name(s, &name)),
					    V_STR(driver < ARRAY_LEN(drivers) ? drivers[driver] : "?"),
					    V_UINT(atomic_load(&s->balloon)),
					    V_STR(atomic_load(&s->hand) & HAND_BALLOON ? "hand" : "policy"),
					    V_UINT(atomic_load(&s->ballooned)),
					    V_UINT(atomic_load(&s->popped)) });
	}
	return NULL;
}

const struct view view_host_balloon = {
	.name = "balloon",
	.help = "each VM's balloon: target, who set it, what was reached",
	VIEW_COLS(balloon_cols),
	.rows = balloon_rows,
	.flags = VIEW_LIVE,
};

const struct view *const mm_host_views[] = { &view_host_share,
					     &view_host_sharing,
					     &view_host_cow,
					     &view_host_swap,
					     &view_host_balloon,
					     &view_host_pmap,
					     NULL };
