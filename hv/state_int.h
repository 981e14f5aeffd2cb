/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a machine as named parts: what hv/state.c hashes and hv/save.c saves and loads. */
#ifndef HV_STATE_INT_H
#define HV_STATE_INT_H
#include "hv/field.h"
#include "hv/machine_int.h"

/* Parts of the machine itself; devices follow by slot. */
enum { PART_CPU, PART_RUN, PART_CLOCK, PART_BOARD, PART_MSRS, PART_BALLOON, PART_EXTRA, MACHINE_PARTS };

/* How many of them M has: the last is what machine_add_state() added. */
static inline unsigned machine_parts(const struct machine *m)
{
	return m->extra.fields ? MACHINE_PARTS : PART_EXTRA;
}
/* Part I of M. */
struct state_part state_part(struct machine *m, unsigned i);
struct state_part state_dev_part(struct dev *d);
#endif
