/* SPDX-License-Identifier: GPL-3.0-or-later
 * A pane is a model and a drawing of it. update() fetches the model by query(), draw() puts
 * it on the canvas; nothing is fetched while drawing. Only panes on the screen are updated,
 * always before they are drawn. A new pane is one file with a class row. */
#ifndef TUI_PANE_H
#define TUI_PANE_H
#include "tui/canvas.h"
#include "tui/term.h"

struct pane;
struct tui;

/* What a prompt asks for. */
enum ask { ASK_COMMAND, ASK_SEARCH, ASK_FILTER, ASK_GOTO };

struct pane_key {
	int key;
	const char *name, *help; /* for the help screen */
};

struct pane_class {
	const char *name; /* in layouts */
	const char *title;
	const char *help;	     /* one line for the help screen */
	size_t size;		     /* of the state */
	const void *arg;	     /* distinguishes classes with the same functions */
	const struct pane_key *keys; /* its own keys; ends with key 0 */
	/* All but update and draw may be NULL. */
	void (*init)(struct pane *p);
	void (*fini)(struct pane *p);
	/* Does update() read live views only, so the guest need not be held for it? NULL: no. */
	bool (*live)(const struct pane *p, const struct tui *t);
	/* Ask for all that update() will, which the guest is then not held for. NULL: it is held for
	 * update().
	 */
	void (*fetch)(struct pane *p, struct tui *t);
	void (*update)(struct pane *p, struct tui *t);
	void (*draw)(struct pane *p, struct tui *t, const struct area *a);
	/* Lines that the contents can use; 0: any number. NULL: likewise. */
	int (*need)(const struct pane *p, const struct tui *t);
	void (*heading)(struct pane *p, struct tui *t, char *buf, size_t len); /* text after the title */
	bool (*key)(struct pane *p, struct tui *t, int key);		       /* true: the pane used it */
	void (*mouse)(struct pane *p, struct tui *t,
		      const struct term_event *e);			/* coordinates of the pane */
	bool (*address)(struct pane *p, struct tui *t, uint64_t *addr); /* under the pane's cursor */
	/* Count from now on (ON), or since the machine's start. */
	void (*zero)(struct pane *p, struct tui *t, bool on);
	void (*answer)(struct pane *p, struct tui *t, enum ask what, const char *text);
	bool (*cursor)(struct pane *p, struct tui *t, int *x, int *y); /* the guest's text cursor */
};

struct pane {
	const struct pane_class *cls;
	void *state;
	struct area area; /* of the contents, where it was last drawn */
	unsigned round;	  /* of the last update */
	int64_t updated;  /* when that was, ns */
};

/* A list with a cursor: which rows are shown. */
struct list {
	int top, at, left, rows, view; /* first shown, cursor, columns scrolled, how many, how many fit */
};
/* Move the cursor. False: KEY does not move cursors. */
bool list_key(struct list *l, int key);
bool list_mouse(struct list *l, const struct term_event *e, int first_row);
void list_fit(struct list *l, int rows, int view);
/* Move TOP, the first of ROWS lines of which VIEW are shown. False: KEY does not scroll. */
bool scroll_key(int *top, int key, int rows, int view);
/* A pane_class.mouse for panes whose keys scroll: the wheel scrolls too. */
void wheel_keys(struct pane *p, struct tui *t, const struct term_event *e);

#endif
