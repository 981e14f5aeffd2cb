/* SPDX-License-Identifier: GPL-3.0-or-later
 * A translator without a guest: its cache is filled with fragments of the test's own, which never run. */
#ifndef TESTS_BT_RIG_H
#define TESTS_BT_RIG_H
#include "bt/state/vcpu.h"

enum { RIG_PAGES = 64 }; /* of RAM, from PPN 0 */

struct rig {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct bt_vcpu *b;
};

void rig_init(struct rig *r, uint64_t tc_size);
void rig_fini(struct rig *r);

/* A number below N, from a generator that starts the same in each test. */
unsigned rig_random(unsigned n);
void rig_seed(uint64_t seed);

/* Allocate the record and the host code of a fragment, as the translator does, and insert it. Its fields are
 * those of KEY that make up its key; SIZE bytes of host code. NULL: no room in its zone. */
struct ccf *rig_insert(struct rig *r, const struct ccf *key, unsigned size);
#endif
