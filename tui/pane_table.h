/* SPDX-License-Identifier: GPL-3.0-or-later
 * The pane that shows a view as a table: sorted, filtered, searched, with rates and
 * sparklines where a column counts something. A new table on a screen is one
 * TABLE_PANE() row. */
#ifndef TUI_PANE_TABLE_H
#define TUI_PANE_TABLE_H
#include "tui/pane.h"
#include "tui/screen.h"

struct table_spec {
	const char *line;  /* the command that yields the table */
	const char *cols;  /* column names in order, the rightmost left out first; NULL: all */
	const char *sort;  /* "-count", "pc"; NULL: as it comes */
	const char *key;   /* columns that name a row, for rates and for finding it again; NULL: by place */
	const char *count; /* column that counts; NULL: no rates */
	bool spark;	   /* draw the rate's history */
	bool nonzero;	   /* leave out rows whose COUNT is 0 */
	const char *note;  /* said in the heading */
	const char *empty; /* what an empty table means */
	bool facts;	   /* one row, shown as "name value" pairs */
	bool follow;	   /* a log: new rows come at the end, and the cursor stays there */
	const char *hot;   /* "ccf": the row under the cursor chooses the fragment of the detail pane */
};

void table_init(struct pane *p);
void table_fini(struct pane *p);
void table_update(struct pane *p, struct tui *t);
void table_draw(struct pane *p, struct tui *t, const struct area *a);
void table_heading(struct pane *p, struct tui *t, char *buf, size_t len);
bool table_key(struct pane *p, struct tui *t, int key);
void table_mouse(struct pane *p, struct tui *t, const struct term_event *e);
bool table_address(struct pane *p, struct tui *t, uint64_t *addr);
void table_answer(struct pane *p, struct tui *t, enum ask what, const char *text);
extern const struct pane_key table_keys[];

/* Columns: name, title, live, help; then fields of struct table_spec. */
#define TABLE_PANE(var, pname, ptitle, islive, phelp, ...)                                                   \
	static const struct pane_class var = {                                                               \
		.name = pname,                                                                               \
		.title = ptitle,                                                                             \
		.help = phelp,                                                                               \
		.size = TABLE_STATE,                                                                         \
		.arg = &(const struct table_spec){ __VA_ARGS__ },                                            \
		.live = islive,                                                                              \
		.keys = table_keys,                                                                          \
		.init = table_init,                                                                          \
		.fini = table_fini,                                                                          \
		.update = table_update,                                                                      \
		.draw = table_draw,                                                                          \
		.heading = table_heading,                                                                    \
		.key = table_key,                                                                            \
		.mouse = table_mouse,                                                                        \
		.address = table_address,                                                                    \
		.answer = table_answer,                                                                      \
	}
enum { TABLE_STATE = 1024 }; /* bytes of a table's state, checked in pane_table_int.h */
#endif
