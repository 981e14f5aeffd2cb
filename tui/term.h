/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terminal: displays a canvas, yields keys. Only term.c uses curses. */
#ifndef TUI_TERM_H
#define TUI_TERM_H
#include "tui/canvas.h"

struct term;

/* Keys other than characters, which are their own code. */
enum term_key {
	TK_NONE = 0,
	TK_TAB = '\t',
	TK_ENTER = '\r',
	TK_ESC = 0x1b,
	TK_BACKSPACE = 0x7f,
	TK_FIRST = 0x110000,
	TK_UP = TK_FIRST,
	TK_DOWN,
	TK_LEFT,
	TK_RIGHT,
	TK_HOME,
	TK_END,
	TK_PGUP,
	TK_PGDN,
	TK_DEL,
	TK_INS,
	TK_BACKTAB,
	TK_CLICK,
	TK_DOUBLE,
	TK_WHEELUP,
	TK_WHEELDN,
	TK_F0, /* TK_F0 + n: function key n */
	TK_F12 = TK_F0 + 12,
	TK_LAST,
};

struct term_event {
	int key;
	int x, y; /* of the mouse */
};

/* Open the terminal on standard input and output. NULL with a line in ERR. */
struct term *term_new(char *err, size_t errlen);
/* Give it back as it was. */
void term_free(struct term *t);
void term_size(const struct term *t, int *w, int *h);
/* Ask the terminal how big it is now. */
void term_resized(struct term *t);
/* Show C; only what differs from the last time is sent. The cursor is hidden when CX < 0. */
void term_show(struct term *t, const struct canvas *c, int cx, int cy);
/* Redraw everything at the next term_show(). */
void term_redraw(struct term *t);
/* The next key. False: none is pending. */
bool term_key(struct term *t, struct term_event *e);
/* Is the locale's character set UTF-8? */
bool term_utf8(void);
/* The bytes that a terminal sends for KEY (for a guest that has the keyboard); their number. APPLICATION:
 * with cursor keys in application mode. */
size_t term_key_bytes(int key, bool application, char buf[8]);
#endif
