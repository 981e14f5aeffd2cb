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
	bool precheck_all; /* for tests: every access that can look first does, finds nothing, and passes if
			      it can */
};

/* Make a vCPU on this engine. CONFIG is a struct bt_config (NULL: defaults). NULL
 * with one line in ERR when the host lacks something. */
struct vcpu *bt_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			 char *err, size_t errlen);

/* ---- choices; each returns NULL, or one line that says what is wrong. While stopped. ---- */
/* How a kind of sensitive instruction ("all": each) runs: trap, callout, in-tc, default. */
const char *bt_policy_set(struct vcpu *v, const char *kind, const char *way);
/* Likewise for the one instruction at PC, or (WHOLE) for all sensitive ones of the fragments that cover
 * it that can run so; *N: how many. */
const char *bt_site_set(struct vcpu *v, gva pc, const char *way, bool whole, unsigned *n);
/* Adaptation by CAUSE ("all", "": every one): WHAT on, off, default; or threshold, span, calm with a
 * number in VALUE. */
const char *bt_adapt_set(struct vcpu *v, const char *what, const char *cause, const char *value);
/* Code that the translator reads instead of the guest's, which never sees it: at linear PC, in all
 * address spaces; with OVER only where the guest has these bytes there (of a patch that straddles pages,
 * each page for itself). BITS is for showing it. */
struct bt_patch {
	gva pc;
	unsigned len, nover, bits;
	const uint8_t *bytes, *over;
};
/* The same bytes once more keep their number, and are the last again; OVER is the new one. */
const char *bt_patch_add(struct vcpu *v, const struct bt_patch *is, unsigned *number);
bool bt_patch_remove(struct vcpu *v, unsigned number);
/* Put into BYTES, N of the guest's at LIN, what the translator reads there in the present address space.
 * Returns the number of the last patch of any of them; 0: none. */
unsigned bt_patch_peek(struct vcpu *v, gva lin, uint8_t *bytes, unsigned n);
/* Count entries of every fragment from now on. */
void bt_count_entries(struct vcpu *v, bool on);
/* Drop the fragments that cover PC (or all); returns how many. */
unsigned bt_discard(struct vcpu *v, gva pc, bool all);
/* Likewise, and make anew at once those that fit the processor's present state (*MADE); the others are
 * made when next run. */
unsigned bt_retranslate(struct vcpu *v, gva pc, unsigned *made);
/* Keep the fragments that cover PC (or, when there are none, the one that will start there) from
 * adaptation and from a full cache; *N: how many places changed. Still dropped, and made anew pinned:
 * when their code is written, and when breakpoints, patches, probes and choices change. */
const char *bt_pin(struct vcpu *v, gva pc, bool on, unsigned *n);

#define BT_CCF_CODE 960 /* guest bytes in a fragment at most */
/* One fragment for display; pointers stay valid until the vCPU runs again, GUEST as long as the struct. */
struct bt_ccf_info {
	uint32_t pc; /* guest-linear address */
	ppn page;
	unsigned insns, guest_bytes, host_bytes;
	const uint8_t *guest; /* guest bytes as of now, patches included: CODE, or NULL */
	uint8_t code[BT_CCF_CODE];
	const uint8_t *host; /* host code, readable */
	uint64_t host_addr;  /* address it runs at */
	bool code16;
	/* Of guest instruction I: offset into the guest code, and into the host code
	 * (I = insns: the end); how it was lowered, in one word. */
	unsigned (*guest_off)(const struct bt_ccf_info *, unsigned i);
	unsigned (*host_off)(const struct bt_ccf_info *, unsigned i);
	const char *(*lowering)(const struct bt_ccf_info *, unsigned i);
	unsigned (*patched)(const struct bt_ccf_info *, unsigned i); /* number of its patch, 0: none */
	const void *impl, *vcpu;
};
/* The N-th (from 0) fragment that covers guest-linear PC. False: no more. */
bool bt_ccf_find(struct vcpu *v, gva pc, unsigned n, struct bt_ccf_info *out);
#endif
