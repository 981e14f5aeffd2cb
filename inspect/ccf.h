/* SPDX-License-Identifier: GPL-3.0-or-later
 * One compiled code fragment as records: each guest instruction beside the host
 * instructions it became, with the way it was lowered. The shell prints them, the
 * dashboard draws them. */
#ifndef INSPECT_CCF_H
#define INSPECT_CCF_H
#include "inspect/record.h"

struct inspect;

/* Add two tables for each fragment that covers guest-linear ADDR: its figures, and its code, a row
 * a host instruction; the guest's columns are empty where the instruction is still the same.
 * Return the number of fragments. */
unsigned ccf_records(struct inspect *s, uint64_t addr, struct result *r);
#endif
