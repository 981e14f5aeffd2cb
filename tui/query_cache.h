/* SPDX-License-Identifier: GPL-3.0-or-later
 * Results of queries: command lines executed for panes, their records kept while panes may
 * hold pointers into them. Panes that ask the same share one result. */
#ifndef TUI_QUERY_CACHE_H
#define TUI_QUERY_CACHE_H
#include "inspect/record.h"

struct query;
struct tui;

/* Time is counted in rounds: a result is fetched at most once in each. */
struct query_cache {
	struct query *first;
	unsigned round;
	unsigned evicted; /* the last round after which unused results were freed */
	unsigned fetched; /* the last round in which everything was fetched */
	bool reuse;	  /* results of round FETCHED and later are recent enough */
};

/* The first table that command line FMT shows; NULL: there is none (error in *ERR when not NULL). Valid
 * while pane_fresh() holds for the pane that asked. */
const struct table *query(struct tui *t, const char **err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The value of expression TEXT. Digits in the form of a displayed address are hexadecimal. */
bool query_eval(struct tui *t, const char *text, uint64_t *val, const char **err);
/* An error of a query without the command that it names first: a pane has a title. */
const char *query_reason(const char *error);
/* Fetch again whatever is asked for from now on. */
void query_new_round(struct tui *t);
/* Free what was not asked for in this round. Call it when every pane on the screen has been updated in it. */
void query_evict(struct tui *t);
void query_free_all(struct tui *t);

/* The cell in column NAME, or NULL (also for a cell without a value). */
const struct value *cell(const struct table *t, size_t row, const char *name);
const char *cell_str(const struct table *t, size_t row, const char *name); /* "" when there is none */
uint64_t cell_u(const struct table *t, size_t row, const char *name);	   /* 0 when there is none */
int column_of(const struct table *t, const char *name);			   /* -1: no such column */

#endif
