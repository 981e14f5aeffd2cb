/* SPDX-License-Identifier: GPL-3.0-or-later
 * See overlay.h. */
#include "tui/overlay.h"
#include "tui/tui_int.h"

#include <string.h>

enum { CTRL_C = 3, SIDEWAYS = 8, LONGEST = 1024 };

/* A line of the text: [at, end). */
struct line {
	const char *at, *end;
};

static void copy_line(const struct line *l, char buf[LONGEST])
{
	snprintf(buf, LONGEST, "%.*s", (int)(l->end - l->at), l->at);
}

static bool line_has(const struct line *l, const char *word)
{
	char buf[LONGEST];

	copy_line(l, buf);
	return strcasestr(buf, word) != NULL;
}

/* The next line that the filter lets pass. False: there is none. Begin with {text, NULL}. */
static bool next_line(const struct overlay *o, struct line *l)
{
	for (;;) {
		const char *from = !l->end ? o->text : *l->end ? l->end + 1 : l->end;

		if (!from || !*from)
			return false;
		*l = (struct line){ from, from + strcspn(from, "\n") };
		if (!o->filter[0] || line_has(l, o->filter))
			return true;
	}
}

static int count_lines(const struct overlay *o)
{
	struct line l = { 0 };
	int n = 0;

	while (next_line(o, &l))
		n++;
	return n;
}

/* ---- drawing ---- */

static int cells(const char *text, size_t bytes)
{
	int n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += (text[i] & 0xc0) != 0x80;
	return n;
}

/* TEXT without its first N cells. */
static const char *skip_cells(const char *text, int n)
{
	for (; *text && (n > 0 || (*text & 0xc0) == 0x80); text++)
		n -= (text[1] & 0xc0) != 0x80;
	return text;
}

static void draw_line(const struct overlay *o, const struct area *a, int y, const struct line *l)
{
	char buf[LONGEST];
	const char *shown;

	copy_line(l, buf);
	shown = skip_cells(buf, o->left);
	area_put(a, 1, y, o->is_help && buf[0] != ' ' ? ST_HEAD : ST_NORMAL, shown);
	if (o->left && buf[0])
		area_char(a, 0, y, ST_DIM, '<');
	if (cells(shown, strlen(shown)) > a->w - 1)
		area_char(a, a->w - 1, y, ST_DIM, '>');
	for (const char *at = shown; o->search[0] && (at = strcasestr(at, o->search)); at++)
		area_style(a, 1 + cells(shown, (size_t)(at - shown)), y, cells(at, strlen(o->search)),
			   ST_MATCH);
}

static void draw_title(const struct tui *t, const struct area *a, int lines)
{
	const struct overlay *o = &t->overlay;
	int h = a->h - 1, last = o->top + h < lines ? o->top + h : lines, x;

	area_fill(a, 0, 0, a->w, ST_RULE, 0x2500);
	x = area_printf(a, 0, 0, ST_FOCUS, " %s ", o->title);
	x = area_printf(a, x, 0, ST_DIM, " %d-%d of %d lines", lines ? o->top + 1 : 0, last, lines);
	if (o->filter[0])
		x = area_printf(a, x, 0, ST_DIM, " with \"%s\"", o->filter);
	if (t->prompt.open) /* it has the keys */
		area_put(a, x, 0, ST_DIM, " ");
	else
		area_put(a, x, 0, ST_DIM,
			 a->w > x + 64 ? "; q or Esc closes, / searches, n N next, \\ filters, ← → sideways "
				       : "; q or Esc closes ");
}

void overlay_draw(struct tui *t)
{
	struct area all = canvas_area(&t->canvas), a = area_cut(&all, 0, 1, all.w, all.h - 3);
	struct overlay *o = &t->overlay;
	int lines = count_lines(o), n = 0;
	struct line l = { 0 };

	if (o->top > lines - (a.h - 1))
		o->top = lines - (a.h - 1);
	if (o->top < 0)
		o->top = 0;
	o->at_end = o->top + a.h - 1 >= lines;
	for (int i = 0; i < a.h; i++)
		area_fill(&a, 0, i, a.w, ST_NORMAL, ' ');
	draw_title(t, &a, lines);
	for (; next_line(o, &l) && n - o->top + 1 < a.h; n++)
		if (n >= o->top)
			draw_line(o, &a, n - o->top + 1, &l);
}

/* ---- keys ---- */

/* Go to the next line that has the text searched for, from line FROM on, or back from it. */
static void find(struct tui *t, int from, bool back)
{
	struct overlay *o = &t->overlay;
	struct line l = { 0 };
	int best = -1, wrap = -1;

	for (int n = 0; next_line(o, &l); n++) {
		if (!line_has(&l, o->search))
			continue;
		if (back ? n <= from : n >= from && best < 0)
			best = n;
		if (back || wrap < 0)
			wrap = n;
	}
	if (wrap < 0)
		tui_message(t, ST_ERROR, "\"%s\" is not in this text", o->search);
	else
		tui_message(t, ST_MESSAGE, "%s", best < 0 ? "the search went round" : "");
	if (wrap >= 0)
		o->top = best >= 0 ? best : wrap;
}

void overlay_answer(struct tui *t, enum ask what, const char *text)
{
	struct overlay *o = &t->overlay;

	if (what == ASK_FILTER) {
		snprintf(o->filter, sizeof(o->filter), "%.79s", text);
		o->top = 0;
	} else if (what == ASK_SEARCH) {
		if (text[0])
			snprintf(o->search, sizeof(o->search), "%.79s", text);
		if (o->search[0])
			find(t, o->top, false);
	}
}

void overlay_key(struct tui *t, int key)
{
	struct overlay *o = &t->overlay;
	int page = t->canvas.h - 5;

	switch (key) {
	case 'q':
	case '?':
	case 'J':
	case TK_ESC:
	case TK_ENTER:
	case CTRL_C:
	case TK_F0 + 1:
	case TK_F0 + 10:
		o->open = false;
		break;
	case '/':
	case TK_F0 + 3:
		prompt_open(t, ASK_SEARCH, "");
		break;
	case '\\':
	case '&':
	case TK_F0 + 4:
		prompt_open(t, ASK_FILTER, o->filter);
		break;
	case 'n':
	case 'N':
		if (o->search[0])
			find(t, o->top + (key == 'n' ? 1 : -1), key == 'N');
		break;
	case TK_LEFT:
		o->left = o->left > SIDEWAYS ? o->left - SIDEWAYS : 0;
		break;
	case TK_RIGHT:
		o->left += o->left < LONGEST ? SIDEWAYS : 0;
		break;
	case TK_UP:
	case 'k':
		o->top--;
		break;
	case TK_DOWN:
	case 'j':
		o->top++;
		break;
	case TK_WHEELUP:
	case TK_WHEELDN:
		o->top += key == TK_WHEELUP ? -3 : 3;
		break;
	case TK_PGUP:
		o->top -= page;
		break;
	case TK_PGDN:
	case ' ':
		o->top += page;
		break;
	case TK_HOME:
	case 'g':
		o->top = 0;
		break;
	case TK_END:
	case 'G':
		o->top = BOTTOM;
		break;
	}
}
