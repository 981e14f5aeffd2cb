/* SPDX-License-Identifier: GPL-3.0-or-later
 * Independent check of translated code: decodes a fragment again, with Capstone, and proves that it stays in
 * its sandbox. Shares no code with the translator and does not know how the fragment was made. */
#ifndef BT_VERIFY_VERIFY_H
#define BT_VERIFY_VERIFY_H
#include "base/types.h"

struct verifier;

/* NULL if Capstone is unavailable. Not thread-safe: one per thread. */
struct verifier *bt_verifier_new(void);
void bt_verifier_free(struct verifier *v);

struct verify_env {
	struct verifier *v;
	uint64_t tc_base, tc_size; /* translation cache, executable view */
	uint32_t vcpu_size;	   /* bytes at r15 that code may read */
	const struct verify_range {
		uint32_t off, size;
	} * writable; /* the parts of these that code may write */
	unsigned nwritable;
	/* Offsets in the vCPU of pointers that the monitor maintains: */
	uint32_t quarter;	 /* four bases of windows, by the upper two bits of an address */
	uint32_t shadow;	 /* 2^20 32-bit entries */
	uint32_t shadow_quarter; /* four such, by the upper two bits of an address */
	uint32_t home;		 /* 4 GiB, followed by guard space */
	uint32_t poll;		 /* address that polls load from; the load may fault */
	uint32_t trap;		 /* PROT_NONE page; a load from it traps and performs a callout */
	uint32_t exit, call[4];	 /* exit stub; calls into the monitor, with a record in r9: */
	uint32_t record;	 /* the record: a constant, or this field */
	uint8_t table_bits;	 /* log2 of the number of 32-bit entries of the jump table */
	bool strings;		 /* 64-bit string instructions through the window are allowed */
	/* May code jump to HOST, outside the fragment? */
	bool (*ok_target)(void *ctx, uint64_t host);
	void *ctx;
};

/* What is different for 64-bit code. Its vCPU has an absolute address, and it calls other stubs. */
struct verify_long {
	/* The fragment's entries beside its start, by offset: one takes for granted that memory at rsp may be
	 * accessed, the other that at each general register whose bit is set in FACTS, or within 1 MiB. Of r8
	 * to r11, the guest's, at GPR in the vCPU. With bit 26, so at one sum: of the register whose number
	 * is in bits 19:16, and that in bits 23:20 times 1, 2, 4 or 8 (bits 25:24). */
	uint32_t stack_entry, entry, facts, gpr;
	/* What the code at HOST, which OK_TARGET approves, takes for granted; what code may that the rel32 at
	 * OFF leads to later. NULL: nothing. */
	uint32_t (*granted)(void *ctx, uint64_t host);
	uint32_t (*claimed)(void *ctx, uint32_t off);
	uint64_t vcpu;		       /* absolute, below 2 GiB */
	uint32_t d, neg_d;	       /* offsets of the own space's displacement, and of its negative */
	uint32_t v, vt;		       /* its probe register; its validity table by host address */
	uint32_t part_d[2], part_v[2]; /* tables of 256 spaces, by bits of an address */
	uint32_t open, closed;	       /* what goes into the first two of part_v[0] */
	uint32_t tags, tags_bytes;     /* quadwords that may be loaded by eight bits */
	uint32_t tables;	       /* 2^32 pointers to tables of as many 32-bit entries */
	uint64_t monitor;	       /* code that calls the monitor, with a record in r9 */
	uint64_t entries;	       /* what an entry is added to */
	uint32_t mask, area;	       /* 32 bits: the extended state that code may have; its bytes */
	uint32_t exit, call[4];
};

struct verify_error {
	uint32_t off; /* offset of the instruction in the fragment */
	uint8_t len;
	uint8_t bytes[15];
	char text[96]; /* disassembly; may be empty */
};

/* Check LEN bytes of CODE that execute at HOST. NULL if they pass; otherwise a static text that names the
 * broken rule, with the place in *ERR. */
const char *bt_verify(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
		      struct verify_error *err);
/* The same for 64-bit code. Of ENV it takes V, the vCPU's size and what code may write of it, POLL, TRAP,
 * RECORD and OK_TARGET. */
const char *bt_verify_long(const struct verify_env *env, const struct verify_long *l, const uint8_t *code,
			   size_t len, uint64_t host, struct verify_error *err);
#endif
