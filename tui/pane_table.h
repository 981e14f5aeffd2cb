/* SPDX-License-Identifier: GPL-3.0-or-later
 * The pane that shows a view as a table: sorted, filtered, searched, with rates and sparklines
 * for a column that counts. A new table on a screen is one TABLE_PANE() row. */
#ifndef TUI_PANE_TABLE_H
#define TUI_PANE_TABLE_H
#include "tui/pane.h"
#include "tui/screen.h"

struct table_spec {
	const char *view;    /* with its arguments, as after "info" */
	const char *cols;    /* column names in order; NULL: all */
	const char *drop;    /* of these, those left out where there is no room for all, the first one first;
			      * then    the others from the right. The first column and the sort column stay. */
	const char *sort;    /* "-count", "pc"; NULL: in the view's order */
	const char *key;     /* columns that identify a row, for rates and the cursor; NULL: by position */
	const char *address; /* column with the address of a row; NULL: rows have none */
	const char *count;   /* columns that count, added up; NULL: no rates */
	const char *totals;  /* columns that r zeroes; NULL: those of COUNT */
	bool spark;	     /* draw the rate's history */
	bool nonzero;	     /* leave out rows whose COUNT is 0 */
	const char *note;    /* shown in the heading */
	const char *empty;   /* text for an empty table */
	bool places;	     /* its hexadecimal numbers are addresses, or ports: without 0x */
	bool facts;	     /* one row, shown as "name value" pairs */
	bool follow;	     /* a log: new rows are appended, and the cursor stays at the end */
	enum {
		SELECTS_NOTHING,
		SELECTS_FRAGMENT,
		SELECTS_CONTENT, /* a content of pages */
	} selects;		 /* what the row under the cursor is, for the other panes */
};

void table_init(struct pane *p);
void table_fini(struct pane *p);
bool table_live(const struct pane *p, const struct tui *t);
void table_fetch(struct pane *p, struct tui *t);
void table_update(struct pane *p, struct tui *t);
void table_draw(struct pane *p, struct tui *t, const struct area *a);
int table_need(const struct pane *p, const struct tui *t);
void table_heading(struct pane *p, struct tui *t, char *buf, size_t len);
bool table_key(struct pane *p, struct tui *t, int key);
void table_mouse(struct pane *p, struct tui *t, const struct term_event *e);
bool table_address(struct pane *p, struct tui *t, uint64_t *addr);
void table_answer(struct pane *p, struct tui *t, enum ask what, const char *text);
void table_zero(struct pane *p, struct tui *t, bool on);
extern const struct pane_key table_keys[];

/* Columns: name, title, help; then fields of struct table_spec. */
#define TABLE_PANE(var, pname, ptitle, phelp, ...)                                                           \
	static const struct pane_class var = {                                                               \
		.name = pname,                                                                               \
		.title = ptitle,                                                                             \
		.help = phelp,                                                                               \
		.size = TABLE_STATE,                                                                         \
		.arg = &(const struct table_spec){ __VA_ARGS__ },                                            \
		.live = table_live,                                                                          \
		.keys = table_keys,                                                                          \
		.init = table_init,                                                                          \
		.fini = table_fini,                                                                          \
		.fetch = table_fetch,                                                                        \
		.update = table_update,                                                                      \
		.draw = table_draw,                                                                          \
		.need = table_need,                                                                          \
		.heading = table_heading,                                                                    \
		.key = table_key,                                                                            \
		.mouse = table_mouse,                                                                        \
		.address = table_address,                                                                    \
		.zero = table_zero,                                                                          \
		.answer = table_answer,                                                                      \
	}
enum { TABLE_STATE = 1536 }; /* bytes of a table's state, checked in pane_table_int.h */
#endif
