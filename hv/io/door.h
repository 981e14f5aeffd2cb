/* SPDX-License-Identifier: GPL-3.0-or-later
 * The door between the two worlds (Sugerman, Venkitachalam, Lim 2001). In the VMM world the guest's vector
 * registers are live: translated code, and the GPR-only code that it calls. In the host world ordinary code
 * of the process runs, which may make system calls. A GPR-only device reaches the host world through
 * door_call() alone. It saves and restores what host code may change, and counts.
 *
 * The engine goes through by itself, with the guest's registers saved, when its poll runs timers and when it
 * returns: door_opens() and door_closes() keep count of that. All of it belongs to the vCPU's thread; other
 * threads read the figures. */
#ifndef HV_IO_DOOR_H
#define HV_IO_DOOR_H
#include "base/types.h"

enum door_reason {
#define DOOR(id, name, help) DOOR_##id,
#include "hv/io/door.def"
#undef DOOR
	DOOR_REASONS
};
enum { DOOR_RING = 64 };

/* Switches of one kind. Cycles are of the time-stamp counter, summed. */
struct door_use {
	uint64_t switches;
	uint64_t out, in; /* saving, restoring; 0 where the engine does it */
	uint64_t host;	  /* in the host world */
};

/* Who goes through: a device, or the processor. */
struct door_user {
	struct door_user *next;
	const char *name;
	struct door_use use[DOOR_REASONS];
};

struct door_switch {
	uint64_t tsc; /* when the VMM world was left */
	const struct door_user *user;
	uint8_t reason;
	uint32_t out, in;
	uint64_t host;
};

/* The paper's optimizations. */
struct hosted_io {
	bool vmm;     /* registers of I/O devices are emulated in the VMM world */
	bool combine; /* transmissions wait while world switches are frequent */
	bool vector;  /* arrivals and completions are told by bits, not by descriptors */
};

/* How often the processor would go through without combining: a counter that decays. */
struct door_rate {
	uint64_t since; /* TSC of the last decay */
	uint32_t level;
};

struct door {
	bool host; /* the processor is in the host world */
	struct hosted_io io;
	struct door_user cpu;	 /* what no device asked for */
	struct door_user *users; /* with the above */
	struct door_rate rate;
	uint64_t total;	 /* switches */
	uint64_t inside; /* door_call() without a switch: in the host world already */
	uint64_t opened;
	struct door_switch ring[DOOR_RING]; /* the last ones; number N is ring[N % DOOR_RING] */
	/* Called in the host world at the end of a switch: what has waited for one. NULL: nothing. */
	void (*visit)(void *ctx);
	/* After a switch, in the world it came back to; set while somebody watches. GPR-only. */
	void (*watch)(void *ctx, const struct door_switch *s);
	void *ctx; /* of both */
};

void door_init(struct door *d);
void door_add(struct door *d, struct door_user *u, const char *name);
void door_remove(struct door *d, struct door_user *u);
/* Run FN(ARG) in the host world. GPR-only code may call it, from either world. */
void door_call(struct door *d, struct door_user *u, enum door_reason why, void (*fn)(void *), void *arg);
/* The engine has left the VMM world, with the guest's registers saved; it goes back there. (No visit: what
 * the machine does in between is that.) With D->opened 0 it was not there before, and nothing is counted. */
void door_opens(struct door *d);
void door_closes(struct door *d, enum door_reason why);
/* An event that calls for a switch: are they so frequent now that it should wait for company? */
bool door_busy(struct door *d);
#endif
