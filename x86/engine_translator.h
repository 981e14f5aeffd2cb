/* SPDX-License-Identifier: GPL-3.0-or-later
 * Control of an engine with a translation cache: tables of functions that engine_ops.translator points to.
 * Each table is optional: NULL in an engine without that ability.
 *
 * Functions may be called only while the vCPU is stopped, unless they say otherwise. Those that return text
 * return NULL on success, else one static line with the reason. */
#ifndef X86_ENGINE_TRANSLATOR_H
#define X86_ENGINE_TRANSLATOR_H
#include "base/types.h"
#include "x86/bytecode.h"

struct vcpu;

/* ---- fragments ---- */

#define ENGINE_FRAGMENT_CODE 960 /* guest bytes in a fragment at most */

/* One fragment for display. Pointers are valid until the vCPU runs again, GUEST as long as the struct. */
struct engine_fragment {
	gva pc; /* guest-linear address */
	ppn page;
	unsigned insns, guest_bytes, host_bytes;
	const uint8_t *guest; /* current guest bytes, patches applied: CODE, or NULL */
	uint8_t code[ENGINE_FRAGMENT_CODE];
	const uint8_t *host; /* host code, readable */
	uint64_t host_addr;  /* address at which it runs */
	unsigned bits;	     /* of the code: 16, 32, 64 */
	/* Of guest instruction I: offset into the guest code and into the host code (I = insns: the end);
	 * how it was lowered, in one word; the number of its patch, 0: none. */
	unsigned (*guest_off)(const struct engine_fragment *, unsigned i);
	unsigned (*host_off)(const struct engine_fragment *, unsigned i);
	const char *(*lowering)(const struct engine_fragment *, unsigned i);
	unsigned (*patched)(const struct engine_fragment *, unsigned i);
	const void *impl, *vcpu; /* the engine's own */
};

struct engine_fragments {
	/* Describe the N-th (from 0) fragment that covers guest-linear PC. False: no more. */
	bool (*find)(struct vcpu *v, gva pc, unsigned n, struct engine_fragment *out);
	/* Drop the fragments that cover PC (or all); return how many. */
	unsigned (*discard)(struct vcpu *v, gva pc, bool all);
	/* Likewise, and translate at once those that fit the processor's current state (*MADE); the others
	 * are translated when they run next. */
	unsigned (*retranslate)(struct vcpu *v, gva pc, unsigned *made);
};

/* Exempt the fragments that cover PC (or, if none does, the next one that starts there) from adaptation and
 * eviction; *N: how many places changed. They are still dropped, and translated again pinned, when
 * their code is written and when breakpoints, patches, probes or choices change. */
struct engine_pins {
	const char *(*set)(struct vcpu *v, gva pc, bool on, unsigned *n);
};

/* Count entries of every fragment from now on, or stop counting. */
struct engine_counting {
	void (*set)(struct vcpu *v, bool on);
};

/* ---- how code is translated ---- */

struct engine_policy {
	/* Choose how a kind of sensitive instruction ("all": each) runs: trap, callout, in-tc, default. */
	const char *(*set_kind)(struct vcpu *v, const char *kind, const char *way);
	/* Likewise for the one instruction at PC, or (WHOLE) for all sensitive instructions of the fragments
	 * that cover it and can run that way; *N: how many. */
	const char *(*set_site)(struct vcpu *v, gva pc, const char *way, bool whole, unsigned *n);
};

/* Steer adaptation by CAUSE ("all", "": every one): WHAT is on, off or default; or threshold, span or calm
 * with a number in VALUE. */
struct engine_adaptation {
	const char *(*set)(struct vcpu *v, const char *what, const char *cause, const char *value);
};

/* Code that the translator reads instead of the guest's; the guest cannot see it. It applies at linear PC, in
 * all address spaces; with OVER only where the guest has these bytes there (of a patch that straddles pages,
 * each page by itself). BITS is for display. */
struct engine_patch {
	gva pc;
	unsigned len, nover, bits;
	const uint8_t *bytes, *over;
};

struct engine_patches {
	/* A patch with the same bytes at the same place keeps its number, moves to the end of the list and
	 * gets the new OVER. */
	const char *(*add)(struct vcpu *v, const struct engine_patch *is, unsigned *number);
	bool (*remove)(struct vcpu *v, unsigned number);
	/* Overlay BYTES, N of the guest's at LIN, with what the translator reads there in the current address
	 * space. Return the number of the last patch of any of them; 0: none. */
	unsigned (*peek)(struct vcpu *v, gva lin, uint8_t *bytes, unsigned n);
};

/* ---- probes: actions at an instruction that do not stop the guest ---- */

struct engine_probe {
	gva pc;
	struct program cond;		     /* empty: always */
	struct program record;		     /* empty: nothing is recorded */
	const char *cond_text, *record_text; /* for display; NULL: none */
};

struct engine_probe_hit {
	unsigned number;
	gva pc;
	struct prog_record rec;
};

struct engine_probes {
	/* Add IS, which is copied. */
	const char *(*add)(struct vcpu *v, const struct engine_probe *is, unsigned *number);
	/* Remove the one with this number, or (NUMBER 0) those at PC, or (ALL) every one; return how many. */
	unsigned (*remove)(struct vcpu *v, unsigned number, gva pc, bool all);
	/* Take the oldest record. Any thread, one at a time, also while the vCPU runs: it calls plat.notify
	 * when the first record of a batch is available. */
	bool (*take)(struct vcpu *v, struct engine_probe_hit *out);
	/* The record_text of a probe; NULL: it was removed. Likewise. */
	const char *(*text)(struct vcpu *v, unsigned number);
};

struct engine_translator {
	const struct engine_fragments *fragments;
	const struct engine_pins *pins;
	const struct engine_counting *counting;
	const struct engine_policy *policy;
	const struct engine_adaptation *adaptation;
	const struct engine_patches *patches;
	const struct engine_probes *probes;
};
#endif
