/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: views that are declared in one file and listed in another, and what they have in common. */
#ifndef MM_VIEWS_INT_H
#define MM_VIEWS_INT_H
#include "base/view.h"
#include "mm/slot.h"

/* Of a VM: views_share.c, views_cow.c. */
extern const struct view view_share, view_sharing, view_cow;
/* Of a host's session: views_share.c, views_cow.c, views_host.c. */
extern const struct view view_host_share, view_host_sharing, view_host_cow, view_host_swap, view_host_balloon,
    view_host_pmap;

/* ---- views_pool.c ---- */
/* The VM in slot I of P; NULL: there is none. */
const struct mm_slot *view_vm(struct mm_pool *p, unsigned i);
struct vm_name {
	char text[MM_NAME + 8];
};
/* What a VM is called; written to N. */
const char *view_vm_name(const struct mm_slot *s, struct vm_name *n);
#endif
