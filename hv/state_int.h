/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a machine as named parts: what hv/state.c hashes and hv/save.c saves and loads. */
#ifndef HV_STATE_INT_H
#define HV_STATE_INT_H
#include "hv/field.h"
#include "hv/machine_int.h"

/* Parts of the machine itself; devices follow by slot. */
enum { PART_CPU, PART_RUN, PART_CLOCK, PART_BOARD, PART_MSRS, PART_BALLOON, MACHINE_PARTS };

/* Part I of M, 0..MACHINE_PARTS-1. */
struct state_part state_part(struct machine *m, unsigned i);
struct state_part state_dev_part(struct dev *d);
#endif
