/* SPDX-License-Identifier: GPL-3.0-or-later
 * The second opinion on translated code: decodes a fragment again, with
 * Capstone, and proves that it stays in its sandbox. Knows nothing of how the
 * fragment was made. */
#ifndef BT_VERIFY_VERIFY_H
#define BT_VERIFY_VERIFY_H
#include "base/types.h"

struct verifier;

/* NULL when Capstone cannot be had. One per thread. */
struct verifier *bt_verifier_new(void);
void bt_verifier_free(struct verifier *v);

struct verify_env {
	struct verifier *v;
	uint64_t tc_base, tc_size; /* translation cache, executable view */
	uint32_t vcpu_size;	   /* bytes at r15 that code may read */
	const struct verify_range {
		uint32_t off, size;
	} * writable; /* and of these, write */
	unsigned nwritable;
	/* Offsets in there of pointers that the monitor keeps: */
	uint32_t quarter;	 /* four bases of windows, by the upper two bits of an address */
	uint32_t shadow;	 /* 2^20 32-bit entries */
	uint32_t shadow_quarter; /* four such, by the upper two bits of an address */
	uint32_t trap;		 /* a page that is never there: a load from it is a call */
	uint32_t exit, call[4];	 /* the way out; calls of the monitor, which take a record in r9: */
	uint32_t record;	 /* a constant, or this field */
	uint8_t table_bits;	 /* the jump table has two to the power of this many 32-bit entries */
	bool strings;		 /* 64-bit string instructions through the window are allowed */
	/* May code jump to HOST, outside the fragment? */
	bool (*ok_target)(void *ctx, uint64_t host);
	void *ctx;
};

struct verify_error {
	uint32_t off; /* of the instruction, from the start of the fragment */
	uint8_t len;
	uint8_t bytes[15];
	char text[96]; /* disassembly; empty when there is none */
};

/* Check LEN bytes of CODE that run at HOST. NULL when fine; else a static text
 * that says which rule is broken, and *ERR where. */
const char *bt_verify(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
		      struct verify_error *err);
#endif
