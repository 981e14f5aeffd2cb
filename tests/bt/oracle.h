/* SPDX-License-Identifier: GPL-3.0-or-later
 * Translates arbitrary guest code and judges the fragment: the verifier accepts it, and a second decoder
 * (Zydis in 64-bit mode) finds in it no instruction that the guest's processor lacks, and the guest's
 * instruction where it was kept. Nothing is executed. */
#ifndef TESTS_BT_ORACLE_H
#define TESTS_BT_ORACLE_H
#include "bt/state/isa.h"
#include "x86/cpu.h"

struct bt_vcpu;
struct ccf;
struct oracle;

/* One vCPU without a guest, on a host that has what the translator needs; NULL: it has not. */
struct oracle *oracle_new(void);
void oracle_free(struct oracle *o);

/* The processor that the code meets. */
struct oracle_cpu {
	bool code64; /* of the members below only USER, those of CR0 and CR4, and those behind LIMIT count */
	bool code32, stack32, protected, v86, user;
	uint32_t cr0, cr4, xcr0;   /* beside what the members above set */
	uint32_t eip;		   /* linear address 1000h plus 0 to FFFh, whatever the base */
	uint32_t base[SEG_COUNT];  /* CS: replaced, to make EIP lead there */
	uint32_t limit[SEG_COUNT]; /* but CS */
	bool device, stepping, prechecked, counted, icount; /* how it is translated */
	bool mixed;					    /* pages compare their code at entry */
	uint8_t guilty;	      /* bit N: every instruction is promoted for cause N (bt/state/adapt.def) */
	uint8_t way;	      /* enum way of every sensitive instruction */
	bool lacks[FEATURES]; /* of what the host has */
	bool complete;	      /* has every feature of a 32-bit processor, whatever the host has */
};

/* Translate the first TU of CODE. NULL: as it should be; otherwise what is wrong, valid until the next call.
 */
const char *oracle_check(struct oracle *o, const struct oracle_cpu *c, const uint8_t *code, size_t n);
/* Only translate it. NULL: an exception, or an error of ours. Valid until the next call. */
const struct ccf *oracle_translate(struct oracle *o, const struct oracle_cpu *c, const uint8_t *code,
				   size_t n);
struct bt_vcpu *oracle_vcpu(struct oracle *o);
/* Of the last call: guest instructions in the fragment, and whether the first was kept rather than replaced
 * by a callout. */
unsigned oracle_insns(const struct oracle *o);
bool oracle_kept(const struct oracle *o);
#endif
