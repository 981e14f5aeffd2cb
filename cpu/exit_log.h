/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the exits of guests were, under VMX or SVM: counters by reason and by place, the last exits one by
 * one, the VMCSs or VMCBs that were used. It is no part of the machine's state: views read it, nothing in the
 * guest depends on it. An exit costs a read of the TSC and some stores. GPR-only (base/gpr.h).
 *
 * A reason has a slot: VMX' basic exit reasons their number, #VMEXIT codes one in the order of svm/exits.def.
 */
#ifndef CPU_EXIT_LOG_H
#define CPU_EXIT_LOG_H
#include "x86/engine.h"

enum {
	EXIT_LOG_LAST = 256,
	EXIT_LOG_SITES = 1024,
	EXIT_LOG_PROBES = 4,
	EXIT_LOG_BLOCKS = 32,
	EXIT_LOG_SLOTS = 200,
};

struct exit_log_exit {
	uint64_t number;	     /* from 1 */
	uint64_t pc;		     /* guest-linear address of the guest's RIP */
	uint64_t info[3];	     /* VMX: qualification, linear, physical address; SVM: EXITINFO1 and 2 */
	uint64_t guest;		     /* host cycles from the entry to this exit */
	uint64_t host;		     /* and from here to the next entry; 0: there was none yet */
	gpa block;		     /* physical address of the VMCS or VMCB */
	uint32_t code;		     /* VMX: exit reason, with VMX_REASON_ENTRY_FAILURE; SVM: EXITCODE */
	uint32_t event, event_error; /* VMX: interruption information and error code */
	uint32_t vectoring;	     /* the event that was being delivered, as the exit codes it */
	uint16_t slot;
};

struct exit_log_reason {
	uint64_t count, guest, host; /* exits, cycles as above */
	uint64_t info, pc;	     /* of the last one: info[0] */
};

/* Exits for one reason at one guest pc. */
struct exit_log_site {
	uint64_t pc, count;
	uint32_t slot;
};

/* A VMCS or VMCB. */
struct exit_log_block {
	gpa at;
	uint64_t entries, exits;
	uint64_t last; /* number of its last exit */
	uint32_t code;
};

struct exit_log {
	uint64_t exits, entries;
	int64_t since;	 /* when counting began, monotonic ns; set by whoever resets it */
	uint64_t turned; /* TSC at the last entry or exit */
	struct exit_log_reason reason[EXIT_LOG_SLOTS];
	struct exit_log_exit last[EXIT_LOG_LAST];  /* exit N is at N % EXIT_LOG_LAST */
	struct exit_log_site site[EXIT_LOG_SITES]; /* a hash table */
	uint64_t elsewhere;			   /* exits for which it had no room */
	struct exit_log_block block[EXIT_LOG_BLOCKS];
	unsigned nblocks, current; /* the entry of the current one */
	/* For a debugger: the last exit or failed entry, until it is taken. */
	struct engine_hit hit;
	bool has_hit;
};

/* Count an exit with CODE for reason SLOT, at PC, under the block at BLOCK; GUEST: cycles in the guest. The
 * rest of what is returned is the caller's to fill. */
struct exit_log_exit *exit_log_add(struct exit_log *l, uint32_t code, unsigned slot, uint64_t pc, gpa block,
				   uint64_t info, uint64_t guest);
void exit_log_entered(struct exit_log *l, gpa block, uint64_t now);
/* For the engine's event_set(): NUMBER is a reason as the extension numbers them. */
void exit_log_hit(struct exit_log *l, enum engine_event kind, uint32_t number, uint64_t val, uint64_t pc);
/* Take the last exit or failed entry, once. */
bool exit_log_take(struct exit_log *l, struct engine_hit *hit);
#endif
