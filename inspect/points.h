/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints, watchpoints and event points as users see them: numbers, hits, conditions. One
 * table for all faces. The engine knows only sets of linear addresses and changes no guest byte. */
#ifndef INSPECT_POINTS_H
#define INSPECT_POINTS_H
#include "base/types.h"

enum point_kind {
	POINT_BREAK,
	POINT_HBREAK,
	POINT_WATCH,
	POINT_RWATCH,
	POINT_AWATCH,
	POINT_EVENT,
	POINT_KINDS
};

/* The owner of a point that was not set by a command. */
struct point_owner {
	const char *name; /* for "info break" */
	void *ctx;
	/* Does the condition in EXTRA hold? */
	bool (*holds)(void *ctx, const void *extra);
	/* Are the conditions A and B the same? */
	bool (*same)(const void *a, const void *b);
	/* Write the condition as text. */
	void (*text)(void *ctx, const void *extra, char *buf, size_t len);
};

struct point {
	unsigned number;
	enum point_kind kind;
	gva addr;      /* linear ... */
	bool physical; /* ... unless it is on physical memory */
	uint64_t len;  /* bytes watched; 1 for breakpoints */
	bool enabled, temporary;
	bool leaving; /* its owner removed it: no effect now, deleted at the next run */
	uint64_t hits;
	uint64_t ignore;		 /* number of further hits without effect */
	char *cond;			 /* expression, perhaps after "task NAME if", or NULL */
	char *commands;			 /* executed after it stopped the guest; NULL: none */
	bool no_files;			 /* the face that wrote them may not reach files of the host */
	char *trace;			 /* "FORMAT" EXPR...: print this instead of stopping; NULL: stop */
	unsigned event;			 /* POINT_EVENT: an enum engine_event; ... */
	uint64_t lo, hi;		 /* ... range of its number */
	uint64_t was;			 /* a command's watchpoint of at most 8 bytes: the last value */
	const struct point_owner *owner; /* NULL: set by a command */
	void *extra;			 /* the owner's condition; freed with the point */
};

struct points {
	struct point *list;
	size_t count;
	unsigned last_number;
};

void points_fini(struct points *t);
/* Add a breakpoint. COND is copied; NULL for none. */
struct point *points_add(struct points *t, gva addr, bool temporary, const char *cond);
struct point *points_find(struct points *t, unsigned number);
/* The point of OWNER with exactly this place; NULL if there is none. */
struct point *points_of(struct points *t, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len);
void points_delete(struct points *t, unsigned number);
/* Is there an enabled breakpoint at ADDR, linear or physical (one that is leaving counts)? */
bool points_at(const struct points *t, bool physical, uint64_t addr);
/* Take "task NAME [if]" from the start of the condition *COND. False: it has none. */
bool point_task(const char **cond, char *name, size_t size);
static inline bool point_watches(const struct point *p)
{
	return p->kind >= POINT_WATCH && p->kind <= POINT_AWATCH;
}
static inline bool point_is_code(const struct point *p)
{
	return p->kind <= POINT_HBREAK;
}
#endif
