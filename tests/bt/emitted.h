/* SPDX-License-Identifier: GPL-3.0-or-later
 * The normal form of a fragment: its host code as bytes that depend on nothing but the code. Addresses of
 * records, distances within the fragment and offsets of the vCPU's fields, which change with the layout of
 * structures, are replaced by what they refer to. */
#ifndef TESTS_BT_EMITTED_H
#define TESTS_BT_EMITTED_H
#include "base/types.h"

struct bt_vcpu;
struct ccf;

struct emitted {
	uint8_t *bytes;
	size_t n, room;
	bool dump;	  /* each instruction goes to standard output, too */
	char unknown[80]; /* what has no normal form, or "" */
};

/* Append the normal form of F to E. */
void emitted_add(struct emitted *e, const struct bt_vcpu *b, const struct ccf *f);
#endif
