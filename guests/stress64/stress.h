/* SPDX-License-Identifier: GPL-3.0-or-later
 * The 64-bit stress guest: page tables of four levels change at random, in several address spaces, and each
 * access must do what a walk of the tables by the guest itself says.
 *
 * What a TLB may still have is known by space (`stale`): changes are flushed at once for the present space,
 * by one of the ways there are, and for others at the latest when they are entered. */
#ifndef STRESS64_STRESS_H
#define STRESS64_STRESS_H
#include "guests/demo64/kernel.h"

#define FRAMES 24
#define SPACES 3
#define SPOTS 40 /* linear addresses of pages that are used */

/* ---- model.c ---- */

enum access { LOAD, STORE, CALL };

/* What an access to one page does: a fault with this error code, or physical address PA. */
struct outcome {
	bool faults;
	u64 err, pa;
	u64 *entry[4]; /* the entries that translate it, the PML4's first */
	unsigned levels;
};

/* The protection that holds now. */
struct rights {
	bool wp, nx, smep, smap, ac;
};

void model_walk(u64 root, u64 va, enum access a, bool user, const struct rights *r, struct outcome *o);

/* ---- tables.c ---- */

struct space {
	u64 root;
	u64 pcid;   /* 0: processes have no numbers */
	bool stale; /* translations may be cached that the tables no longer have */
	/* With the word kpti, user mode has a root of its own, with the same tables: */
	u64 user_root;
	bool user_stale;
};
extern struct space spaces[SPACES];
extern unsigned present; /* the space that CR3 has */
extern u64 spots[SPOTS]; /* canonical, page-aligned */
extern u64 frames[FRAMES];
extern struct rights rights;

void tables_setup(void);
void tables_change(void);     /* one entry of some spot's, at some level; flushed */
void tables_switch(void);     /* another space, or the same once more */
void tables_protect(void);    /* WP, SMEP, SMAP, AC */
void tables_mirror(void);     /* after a change to the lower half of a root: the user root has it, too */
void tables_enter_user(void); /* from the present space's root to its user root */
void tables_leave_user(void);

/* ---- main.c ---- */
u64 rnd(u64 n); /* below N */
extern bool tracing, odd, kpti;
#endif
