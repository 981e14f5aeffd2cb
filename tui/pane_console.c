/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's own screen: what the VGA shows (view "screen"), text or a picture, or its serial output on a
 * small terminal (vt.c). Unless the user chose one, the one that the guest writes to is shown.
 *
 * A picture is large, and the guest waits while it is read. It is read again at most once a second. */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum source { AUTO, SERIAL, VGA };

struct console {
	enum source source;
	bool vga; /* the VGA screen is shown */
	const struct table *screen;
	struct cell *picture; /* W * H; NULL: the screen shows text */
	int w, h;
	int64_t until; /* when the picture is read again (monotonic ns) */
	int scrolled;  /* lines back in the history of the serial console */
	int cx, cy;
	char search[64]; /* marked; "": nothing */
	int found;	 /* that many lines back is the last match, and one; 0: none yet */
};

static bool blank_screen(const struct table *k)
{
	for (size_t r = 0; k && r < k->nrows; r++)
		if (strspn(cell_str(k, r, "text"), " ") != strlen(cell_str(k, r, "text")))
			return false;
	return true;
}

static bool live(const struct pane *p, const struct tui *t)
{
	(void)p;
	return inspect_view_is_live(t->s, "screen");
}

/* ---- pictures ---- */

#define PICTURE_NS 1000000000

static void forget_picture(struct console *c)
{
	free(c->picture);
	c->picture = NULL;
	c->w = c->h = 0;
}

/* The cells of the picture that the screen shows. */
static void keep_picture(struct console *c)
{
	const struct table *k = c->screen;
	struct canvas canvas;
	struct area a;

	forget_picture(c);
	c->w = (int)strlen(cell_str(k, 0, "colors")) / 4;
	c->h = (int)k->nrows;
	canvas_init(&canvas, c->w, c->h);
	a = canvas_area(&canvas);
	for (int y = 0; y < c->h; y++) {
		const char *colors = cell_str(k, (size_t)y, "colors");
		unsigned n;

		area_put(&a, 0, y, ST_SCREEN, cell_str(k, (size_t)y, "text"));
		for (int x = 0; x < c->w && sscanf(colors, "%4x", &n) == 1; x++, colors += 4)
			area_style(&a, x, y, 1, (enum style)(ST_PICTURE + n));
	}
	c->picture = canvas.cells;
}

static void draw_picture(const struct console *c, const struct area *a)
{
	int left = a->w > c->w ? (a->w - c->w) / 2 : 0;

	for (int y = 0; y < c->h && y < a->h; y++)
		for (int x = 0; x < c->w && x < a->w; x++)
			area_char(a, left + x, y, c->picture[y * c->w + x].style,
				  c->picture[y * c->w + x].ch);
}

static void update(struct pane *p, struct tui *t)
{
	struct console *c = p->state;
	bool running = inspect_running(t->s);

	if (c->picture && running && c->vga && c->source != SERIAL && tui_clock() < c->until)
		return;
	c->screen = query(t, NULL, "info screen %dx%d", p->area.w > 0 ? p->area.w : 80,
			  p->area.h > 0 ? p->area.h : 25);
	if (c->screen && c->screen->nrows && *cell_str(c->screen, 0, "colors"))
		keep_picture(c);
	else
		forget_picture(c);
	c->until = tui_clock() + PICTURE_NS;
	c->vga = c->source == VGA || (c->source == AUTO && !t->vt.bytes && !blank_screen(c->screen));
}

static void fini(struct pane *p)
{
	forget_picture(p->state);
}

static enum style vt_style(const struct vt_cell *c)
{
	static const enum style colors[] = { ST_VT0, ST_VT1, ST_VT2, ST_VT3,	ST_VT4,
					     ST_VT5, ST_VT6, ST_VT7, ST_VTBOLD, ST_VTREV };

	return c->color < ARRAY_LEN(colors) ? colors[c->color] : ST_VT7;
}

/* The last line of the serial console that has text or the cursor. */
static int last_line(const struct vt *v)
{
	int y = VT_H - 1;

	for (; y > v->y; y--)
		for (int x = 0; x < VT_W; x++)
			if (v->line[y][x].ch != ' ')
				return y;
	return y;
}

/* The characters of line L; those beyond ASCII are replaced, so a byte is a cell. */
static void line_text(const struct vt_cell *l, char text[VT_W + 1])
{
	for (int x = 0; x < VT_W; x++)
		text[x] = l[x].ch >= 0x20 && l[x].ch < 0x7f ? (char)l[x].ch : ' ';
	text[VT_W] = 0;
}

static void mark_matches(const struct area *a, int y, const struct vt_cell *l, const char *word)
{
	char text[VT_W + 1];

	line_text(l, text);
	for (const char *at = text; (at = strcasestr(at, word)); at++)
		area_style(a, (int)(at - text), y, (int)strlen(word), ST_MATCH);
}

/* Draw the last lines, the newest at the bottom. */
static void draw_serial(struct console *c, const struct vt *v, const struct area *a)
{
	int last = last_line(v), lines = last + 1 + (int)v->npast;
	int shown = a->h < lines ? a->h : lines;

	if (c->scrolled > lines - shown)
		c->scrolled = lines - shown;
	c->cy = -1;
	for (int i = 0; i < shown; i++) {
		int y = last - c->scrolled - (shown - 1 - i);
		const struct vt_cell *l = y >= 0 ? v->line[y] : vt_past(v, (unsigned)-y);

		for (int x = 0; l && x < VT_W; x++)
			area_char(a, x, i, vt_style(&l[x]), l[x].ch);
		if (l && c->search[0])
			mark_matches(a, i, l, c->search);
		if (y == v->y && !c->scrolled) {
			c->cx = v->x;
			c->cy = i;
		}
	}
}

/* Line ROW in the guest's colours. */
static void draw_vga_line(const struct table *k, size_t row, const struct area *a, int y)
{
	const char *text = cell_str(k, row, "text"), *attributes = cell_str(k, row, "attributes");
	int first = cell_u(k, row, "blinks") ? ST_VGA_BLINK : ST_VGA, n = area_put(a, 0, y, ST_SCREEN, text);
	unsigned attribute;

	for (int x = 0; x < n && sscanf(attributes, "%2x", &attribute) == 1; x++, attributes += 2)
		area_style(a, x, y, 1, (enum style)(first + (int)attribute));
}

/* The part of the VGA screen that fits and ends at its last line with text. */
static void draw_vga(struct console *c, const struct area *a)
{
	int last = 0, first;

	for (size_t r = 0; c->screen && r < c->screen->nrows; r++)
		if (strspn(cell_str(c->screen, r, "text"), " ") != strlen(cell_str(c->screen, r, "text")))
			last = (int)r;
	first = last >= a->h ? last - a->h + 1 : 0;
	c->cy = -1;
	for (int i = 0; c->screen && i < a->h && first + i < (int)c->screen->nrows; i++)
		draw_vga_line(c->screen, (size_t)(first + i), a, i);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct console *c = p->state;
	int w = a->w < VT_W ? a->w : VT_W, h = a->h < VT_H ? a->h : VT_H;

	if (!c->vga && a->h > VT_H) /* history fills a taller pane */
		h = a->h;
	if (c->vga && c->picture) /* the rest of the pane stays empty */
		h = 0;
	for (int y = 0; y < h; y++)
		area_fill(a, 0, y, w, ST_SCREEN, ' ');
	if (c->vga && c->picture)
		draw_picture(c, a);
	else if (c->vga)
		draw_vga(c, a);
	else if (t->vt.bytes)
		draw_serial(c, &t->vt, a);
	else
		area_put(a, 1, 0, ST_VT0, "(no output on the serial port or the screen yet)");
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct console *c = p->state;
	int n = snprintf(buf, len, "%s",
			 !c->vga      ? "serial port"
			 : c->picture ? "VGA picture"
				      : "VGA text screen");

	if (c->scrolled && n > 0)
		n += snprintf(buf + n, len - (size_t)n, ", %d lines back", c->scrolled);
	if (t->handed && n > 0)
		snprintf(buf + n, len - (size_t)n, ", has the keyboard");
}

static bool line_has(const struct vt *v, int y, const char *word)
{
	const struct vt_cell *l = y >= 0 ? v->line[y] : vt_past(v, (unsigned)-y);
	char text[VT_W + 1];

	if (!l)
		return false;
	line_text(l, text);
	return strcasestr(text, word) != NULL;
}

/* Scroll back to the next older line with the text; when there is none, begin at the newest again. */
static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct console *c = p->state;
	int last = last_line(&t->vt), half = p->area.h / 2, oldest = -(int)t->vt.npast;

	if (what != ASK_SEARCH || c->vga) {
		tui_message(t, ST_MESSAGE, "only the serial console can be searched");
		return;
	}
	if (text[0] && strcmp(text, c->search)) {
		snprintf(c->search, sizeof(c->search), "%.63s", text);
		c->found = 0;
	}
	if (!c->search[0])
		return;
	for (int n = 0, lines = last - oldest + 1, y = last - c->found; n < lines; n++, y--) {
		y = y < oldest ? last : y; /* round once */
		if (!line_has(&t->vt, y, c->search))
			continue;
		c->found = last - y + 1;
		c->scrolled = last - y - half > 0 ? last - y - half : 0;
		return;
	}
	tui_message(t, ST_ERROR, "\"%s\" is not on the serial console", c->search);
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct console *c = p->state;

	switch (k) {
	case 'v':
		c->source = c->vga ? SERIAL : VGA;
		t->moved = true;
		return true;
	case TK_PGUP:
		c->scrolled += p->area.h / 2 + 1;
		return true;
	case TK_UP:
	case 'k':
		c->scrolled++;
		return true;
	case TK_PGDN:
		c->scrolled -= p->area.h / 2 + 1;
		break;
	case TK_DOWN:
	case 'j':
		c->scrolled--;
		break;
	case TK_END:
	case 'G':
		c->scrolled = 0;
		break;
	default:
		return false;
	}
	c->scrolled = c->scrolled < 0 ? 0 : c->scrolled;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	(void)t;
	if (e->key == TK_WHEELUP)
		((struct console *)p->state)->scrolled += 3;
	if (e->key == TK_WHEELDN)
		for (int i = 0; i < 3; i++)
			key(p, t, TK_DOWN);
}

static bool cursor(struct pane *p, struct tui *t, int *x, int *y)
{
	struct console *c = p->state;

	(void)t;
	*x = c->cx;
	*y = c->cy;
	return !c->vga && c->cy >= 0;
}

bool console_shows_vga(const struct pane *p)
{
	return ((const struct console *)p->state)->vga;
}

static const struct pane_key keys[] = {
	{ 'v', "v", "switch between VGA screen and serial port" },
	{ '/', "/ F3", "search the serial output backwards; / Enter: the next older match" },
	{ TK_PGUP, "PgUp PgDn End", "scroll back in the serial output; to its end" },
	{ 0 },
};

const struct pane_class pane_console = {
	.name = "console",
	.title = "Console",
	.help = "the guest's screen; F12 or Ctrl-] gives it the keyboard and takes it back",
	.size = sizeof(struct console),
	.fini = fini,
	.live = live,
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.answer = answer,
	.cursor = cursor,
};
