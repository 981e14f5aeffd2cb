/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engines that the composition root can put into a machine. engines.c names those of the product; a test
 * links main.c with a table of its own (tests/engine/). */
#ifndef ENGINES_H
#define ENGINES_H
#include "console/console.h"
#include "hv/machine.h"

struct engine_choice {
	const char *name;
	engine_ctor vcpu_new;
	const struct view *const *views; /* what its vCPU shows, for the manual; NULL: nothing */
	uint64_t memory;		 /* that it takes of the machine's for itself, in bytes */
	bool no_long;			 /* it does not execute 64-bit mode: processors lose that */
	/* What VCPU_NEW gets as configuration, from the command line; malloced. NULL: it gets NULL. */
	void *(*config)(const struct options *o);
	/* State of its vCPU beside struct cpu, for snapshots; P->fields NULL: none. The member may be NULL.
	 */
	void (*state)(struct vcpu *v, struct state_part *p);
};

extern const struct engine_choice engines[]; /* the first is the default; ends with a row without a name */
#endif
