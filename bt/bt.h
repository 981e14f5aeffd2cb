/* SPDX-License-Identifier: GPL-3.0-or-later
 * The binary translator: an engine (x86/engine.h) that runs guest code from a
 * translation cache. DESIGN.md section 4 and docs/architecture.md. */
#ifndef BT_BT_H
#define BT_BT_H
#include "mm/mm.h"
#include "x86/engine.h"

struct bt_config {
	uint64_t tc_size;  /* bytes of translation cache; 0: 64 MiB */
	bool verify;	   /* check every fragment with the independent verifier */
	unsigned tu_max;   /* instructions in a translation unit at most; 0: default */
	bool no_chain;	   /* fragments return to the monitor instead of jumping to each other */
	bool precheck_all; /* for tests: every access that can be prechecked is, finds no mapping, and is
			      bypassed where possible */
	bool soft_all;	   /* for tests: every access that can be is made in a soft page, mapped or not */
	/* for tests: guest pages moved to other machine pages at each exit to the monitor */
	unsigned move_pages;
	unsigned change_pages; /* likewise: guest pages that get another state, swapped out for example */
};

/* Make a vCPU on this engine. CONFIG is a struct bt_config (NULL: defaults). NULL
 * with one line in ERR when the host lacks something. */
struct vcpu *bt_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			 char *err, size_t errlen);

/* Its views, for a manual that is written without a vCPU; NULL-terminated. */
extern const struct view *const bt_views[];
#endif
