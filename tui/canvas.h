/* SPDX-License-Identifier: GPL-3.0-or-later
 * A grid of characters with styles, which panes draw on. It does not depend on a terminal: term.c
 * displays it with curses, dump.c prints it. All characters are one cell wide. */
#ifndef TUI_CANVAS_H
#define TUI_CANVAS_H
#include "base/types.h"

#include <stdio.h>

enum style {
#define STYLE(name, ...) ST_##name,
#include "tui/styles.def"
#undef STYLE
	ST_COUNT,
	/* also ST_VGA + an attribute of a VGA text screen, and ST_VGA_BLINK + one whose bit 7 blinks */
	ST_VGA = ST_COUNT,
	ST_VGA_BLINK = ST_VGA + 256,
	/* and ST_PICTURE + a background * 256 + a foreground, of 256 colours */
	ST_PICTURE = ST_VGA_BLINK + 256,
	ST_END = ST_PICTURE + 65536
};

struct cell {
	uint32_t ch; /* Unicode */
	enum style style;
};

struct canvas {
	int w, h;
	struct cell *cells;
};

/* A rectangle of a canvas with its own coordinates; drawing is clipped at its edges. */
struct area {
	struct canvas *c;
	int x, y, w, h;
};

void canvas_init(struct canvas *c, int w, int h);
void canvas_fini(struct canvas *c);
void canvas_clear(struct canvas *c);
struct area canvas_area(struct canvas *c);
struct area area_cut(const struct area *a, int x, int y, int w, int h);

/* Put UTF-8 TEXT at X, Y; return the column after it, even if it was clipped. */
int area_put(const struct area *a, int x, int y, enum style st, const char *text);
int area_printf(const struct area *a, int x, int y, enum style st, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* TEXT over as many lines from Y on as it takes, broken at blanks. Return the line after it. */
int area_wrap(const struct area *a, int y, enum style st, const char *text);
/* At most W columns of TEXT, padded with blanks. Return the column after the field. */
int area_field(const struct area *a, int x, int y, int w, enum style st, const char *text);
int area_right(const struct area *a, int x, int y, int w, enum style st, const char *text);
void area_char(const struct area *a, int x, int y, enum style st, uint32_t ch);
void area_fill(const struct area *a, int x, int y, int w, enum style st, uint32_t ch);
/* Change only the style of W cells. */
void area_style(const struct area *a, int x, int y, int w, enum style st);

/* A bar of W cells, filled to VALUE of FULL in eighths of a cell. */
void area_bar(const struct area *a, int x, int y, int w, enum style st, double value, double full);
/* One cell for VALUE of FULL, as a column of eighths. */
uint32_t spark_char(double value, double full);

/* The substitute for CH where there is no Unicode. */
char canvas_ascii(uint32_t ch);
/* Encode CH, NUL-terminated; return the number of bytes (1 to 4). */
int utf8_put(uint32_t ch, char buf[5]);
/* Print as text, without trailing blanks. */
void canvas_print(const struct canvas *c, bool utf8, FILE *f);
#endif
