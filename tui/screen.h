/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screens: which panes they have, how those are laid out, which one has the keys. */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H
#include "tui/layout.h"
#include "tui/pane.h"

enum { MAX_PANES = 64, MAX_SCREENS = 10, MAX_LAYOUTS = 3 };

struct screen_class {
	const char *name, *title;
	const char *brief; /* the title in a narrow terminal's tab; NULL: the title */
	const char *help;
	bool of_vm; /* it is about one machine: a host's session has nothing to show */
	const struct pane_class *const *panes; /* NULL-terminated; the first has the keys at first */
	struct {
		int w, h; /* the least size of a terminal it is for */
		const char *text;
	} layouts[MAX_LAYOUTS]; /* the smallest first */
};
extern const struct screen_class *const screens[]; /* NULL-terminated (screens.c) */

struct screen_state {
	struct layout *tree[MAX_LAYOUTS];
	bool changed[MAX_LAYOUTS]; /* by the user: saved at the end */
	char focus[LAYOUT_NAME];
	bool zoomed;
};

void screens_init(struct tui *t);
void screens_fini(struct tui *t);
/* Is the current screen about one VM, and this the session of a host? Then it has no panes. */
bool screen_is_of_vm(const struct tui *t);
/* The part of the canvas that panes share. */
struct rect screen_body(const struct tui *t);
/* The layout of the current screen that fits the canvas. */
struct layout *screen_layout(struct tui *t);
int screen_layout_index(struct tui *t);
void screen_arrange(struct tui *t); /* compute the places of panes */
struct pane *screen_focus(struct tui *t);
void screen_set_focus(struct tui *t, const char *name);
/* Call FN for each pane on the screen. */
void screen_each(struct tui *t, void (*fn)(struct tui *t, struct pane *p));
/* Likewise, where the panes are already: what some show has been fetched anew, and is not theirs yet. */
void screen_each_again(struct tui *t, void (*fn)(struct tui *t, struct pane *p));
void screen_mouse(struct tui *t, const struct term_event *e);
/* The address under the cursor of the pane that has the keys. False: there is none; the message line says
 * so. */
bool screen_address(struct tui *t, uint64_t *addr);
struct pane *pane_named(struct tui *t, const char *name);
/* Has P a model that can be drawn? */
bool pane_fresh(const struct tui *t, const struct pane *p);

/* ---- layout_file.c ---- */
void layouts_load(struct tui *t);
void layouts_save(struct tui *t);

#endif
