/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vt.h. */
#include "tui/vt.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t pen(const struct vt *v)
{
	if (v->reverse)
		return VT_REVERSE;
	return v->bold && v->color == 7 ? VT_BOLD : v->color;
}

static void blank(struct vt *v, int y, int from, int to)
{
	(void)v;
	for (int x = from; x < to && x < VT_W; x++)
		v->line[y][x] = (struct vt_cell){ ' ', 7 };
}

void vt_init(struct vt *v)
{
	*v = (struct vt){ .bottom = VT_H - 1, .color = 7 };
	v->past = xcalloc(VT_HISTORY, sizeof(*v->past));
	for (int y = 0; y < VT_H; y++)
		blank(v, y, 0, VT_W);
}

void vt_fini(struct vt *v)
{
	free(v->past);
}

void vt_copy(struct vt *to, const struct vt *from)
{
	struct vt_cell(*past)[VT_W] = to->past;

	memcpy(past, from->past, VT_HISTORY * sizeof(*past));
	*to = *from;
	to->past = past;
}

const struct vt_cell *vt_past(const struct vt *v, unsigned n)
{
	if (n < 1 || n > v->npast)
		return NULL;
	return v->past[(v->past_at + VT_HISTORY - n) % VT_HISTORY];
}

/* ---- scrolling ---- */

static void keep(struct vt *v, int y)
{
	memcpy(v->past[v->past_at], v->line[y], sizeof(v->line[y]));
	v->past_at = (v->past_at + 1) % VT_HISTORY;
	if (v->npast < VT_HISTORY)
		v->npast++;
}

/* Move the lines from TOP to BOTTOM up by one. */
static void scroll_up(struct vt *v, int top, int bottom)
{
	if (top == 0)
		keep(v, 0);
	memmove(v->line[top], v->line[top + 1], (size_t)(bottom - top) * sizeof(v->line[0]));
	blank(v, bottom, 0, VT_W);
}

static void scroll_down(struct vt *v, int top, int bottom)
{
	memmove(v->line[top + 1], v->line[top], (size_t)(bottom - top) * sizeof(v->line[0]));
	blank(v, top, 0, VT_W);
}

static void line_feed(struct vt *v)
{
	if (v->y == v->bottom)
		scroll_up(v, v->top, v->bottom);
	else if (v->y < VT_H - 1)
		v->y++;
}

static void reverse_feed(struct vt *v)
{
	if (v->y == v->top)
		scroll_down(v, v->top, v->bottom);
	else if (v->y > 0)
		v->y--;
}

/* ---- text ---- */

static void go(struct vt *v, int x, int y)
{
	v->x = x < 0 ? 0 : x >= VT_W ? VT_W - 1 : x;
	v->y = y < 0 ? 0 : y >= VT_H ? VT_H - 1 : y;
	v->wrap = false;
}

static void put(struct vt *v, uint8_t c)
{
	if (v->wrap) {
		v->x = 0;
		v->wrap = false;
		line_feed(v);
	}
	v->line[v->y][v->x] = (struct vt_cell){ c, pen(v) };
	if (v->x == VT_W - 1)
		v->wrap = true;
	else
		v->x++;
}

static void control(struct vt *v, uint8_t c)
{
	switch (c) {
	case '\b':
		go(v, v->x - 1, v->y);
		break;
	case '\t':
		go(v, (v->x | 7) + 1, v->y);
		break;
	case '\n':
	case '\v':
	case '\f':
		v->wrap = false;
		line_feed(v);
		break;
	case '\r':
		go(v, 0, v->y);
		break;
	case 0x1b:
		v->state = VT_ESC;
		break;
	}
}

/* ---- control sequences ---- */

static int arg(const struct vt *v, int i, int normal)
{
	return i < v->nargs && v->arg[i] > 0 ? v->arg[i] : normal;
}

static void erase_display(struct vt *v, int how)
{
	int from = how == 0 ? v->y + 1 : 0, to = how == 1 ? v->y : VT_H;

	if (how == 0)
		blank(v, v->y, v->x, VT_W);
	if (how == 1)
		blank(v, v->y, 0, v->x + 1);
	for (int y = from; y < to; y++)
		blank(v, y, 0, VT_W);
}

static void erase_line(struct vt *v, int how)
{
	blank(v, v->y, how == 0 ? v->x : 0, how == 1 ? v->x + 1 : VT_W);
}

static void insert_chars(struct vt *v, int n)
{
	struct vt_cell *l = v->line[v->y];

	n = n > VT_W - v->x ? VT_W - v->x : n;
	memmove(l + v->x + n, l + v->x, (size_t)(VT_W - v->x - n) * sizeof(*l));
	blank(v, v->y, v->x, v->x + n);
}

static void delete_chars(struct vt *v, int n)
{
	struct vt_cell *l = v->line[v->y];

	n = n > VT_W - v->x ? VT_W - v->x : n;
	memmove(l + v->x, l + v->x + n, (size_t)(VT_W - v->x - n) * sizeof(*l));
	blank(v, v->y, VT_W - n, VT_W);
}

static void lines(struct vt *v, int n, bool insert)
{
	if (v->y < v->top || v->y > v->bottom)
		return;
	for (n = n > VT_H ? VT_H : n; n > 0; n--) {
		if (insert)
			scroll_down(v, v->y, v->bottom);
		else if (v->y < v->bottom)
			memmove(v->line[v->y], v->line[v->y + 1],
				(size_t)(v->bottom - v->y) * sizeof(v->line[0]));
		if (!insert)
			blank(v, v->bottom, 0, VT_W);
	}
}

static void region(struct vt *v)
{
	int top = arg(v, 0, 1) - 1, bottom = arg(v, 1, VT_H) - 1;

	if (top < bottom && bottom < VT_H) {
		v->top = top;
		v->bottom = bottom;
		go(v, 0, 0);
	}
}

static void rendition(struct vt *v)
{
	if (!v->nargs)
		v->nargs = 1;
	for (int i = 0; i < v->nargs; i++) {
		int a = v->arg[i];

		if (a == 0) {
			v->bold = v->reverse = false;
			v->color = 7;
		} else if (a == 1) {
			v->bold = true;
		} else if (a == 22) {
			v->bold = false;
		} else if (a == 7 || a == 27) {
			v->reverse = a == 7;
		} else if (a >= 30 && a <= 37) {
			v->color = (uint8_t)(a - 30);
		} else if (a >= 90 && a <= 97) {
			v->color = (uint8_t)(a - 90);
		} else if (a == 39) {
			v->color = 7;
		} else if (a == 38 || a == 48) {
			return; /* colours by number are not supported */
		}
	}
}

static void report(struct vt *v)
{
	if (arg(v, 0, 0) == 6)
		snprintf(v->answer, sizeof(v->answer), "\033[%d;%dR", v->y + 1, v->x + 1);
	else if (arg(v, 0, 0) == 5)
		snprintf(v->answer, sizeof(v->answer), "\033[0n");
}

static void private_mode(struct vt *v, bool on)
{
	if (arg(v, 0, 0) == 1)
		v->application = on;
}

static void csi(struct vt *v, uint8_t c)
{
	int n = arg(v, 0, 1);

	v->state = VT_TEXT;
	if (v->private) {
		if (c == 'h' || c == 'l')
			private_mode(v, c == 'h');
		return;
	}
	switch (c) {
	case 'A':
		go(v, v->x, v->y - n);
		break;
	case 'B':
	case 'e':
		go(v, v->x, v->y + n);
		break;
	case 'C':
	case 'a':
		go(v, v->x + n, v->y);
		break;
	case 'D':
		go(v, v->x - n, v->y);
		break;
	case 'E':
		go(v, 0, v->y + n);
		break;
	case 'F':
		go(v, 0, v->y - n);
		break;
	case 'G':
	case '`':
		go(v, n - 1, v->y);
		break;
	case 'd':
		go(v, v->x, n - 1);
		break;
	case 'H':
	case 'f':
		go(v, arg(v, 1, 1) - 1, n - 1);
		break;
	case 'J':
		erase_display(v, arg(v, 0, 0));
		break;
	case 'K':
		erase_line(v, arg(v, 0, 0));
		break;
	case '@':
		insert_chars(v, n);
		break;
	case 'P':
		delete_chars(v, n);
		break;
	case 'X':
		blank(v, v->y, v->x, v->x + n > VT_W ? VT_W : v->x + n);
		break;
	case 'L':
	case 'M':
		lines(v, n, c == 'L');
		break;
	case 'S':
		for (n = n > VT_H ? VT_H : n; n > 0; n--)
			scroll_up(v, v->top, v->bottom);
		break;
	case 'T':
		for (n = n > VT_H ? VT_H : n; n > 0; n--)
			scroll_down(v, v->top, v->bottom);
		break;
	case 'm':
		rendition(v);
		break;
	case 'n':
		report(v);
		break;
	case 'r':
		region(v);
		break;
	case 's':
		v->saved_x = v->x;
		v->saved_y = v->y;
		break;
	case 'u':
		go(v, v->saved_x, v->saved_y);
		break;
	}
}

static void csi_byte(struct vt *v, uint8_t c)
{
	if (c >= '0' && c <= '9') {
		if (!v->nargs)
			v->nargs = 1;
		if (v->arg[v->nargs - 1] < 10000)
			v->arg[v->nargs - 1] = v->arg[v->nargs - 1] * 10 + c - '0';
	} else if (c == ';') {
		if (!v->nargs)
			v->nargs = 1;
		if (v->nargs < (int)ARRAY_LEN(v->arg))
			v->nargs++;
	} else if (c == '?' || c == '>' || c == '=') {
		v->private = true;
	} else if (c >= 0x40 && c < 0x7f) {
		csi(v, c);
	} else if (c < 0x20) {
		control(v, c);
	}
}

static void escape(struct vt *v, uint8_t c)
{
	v->state = VT_TEXT;
	switch (c) {
	case '[':
		v->state = VT_CSI;
		v->nargs = 0;
		v->private = false;
		memset(v->arg, 0, sizeof(v->arg));
		break;
	case ']':
	case 'P':
	case '_':
		v->state = VT_OSC;
		break;
	case '(':
	case ')':
	case '#':
		v->state = VT_SKIP;
		break;
	case '7':
		v->saved_x = v->x;
		v->saved_y = v->y;
		break;
	case '8':
		go(v, v->saved_x, v->saved_y);
		break;
	case 'D':
		line_feed(v);
		break;
	case 'E':
		go(v, 0, v->y);
		line_feed(v);
		break;
	case 'M':
		reverse_feed(v);
		break;
	case 'Z':
		snprintf(v->answer, sizeof(v->answer), "\033[?6c");
		break;
	case 'c':
		erase_display(v, 2);
		go(v, 0, 0);
		break;
	}
}

static void take(struct vt *v, uint8_t c)
{
	switch (v->state) {
	case VT_TEXT:
		if (c >= 0x20 && c < 0x7f)
			put(v, c);
		else if (c >= 0xc0)
			put(v, '?'); /* the first byte of a UTF-8 character, or an 8-bit one */
		else
			control(v, c);
		break;
	case VT_ESC:
		escape(v, c);
		break;
	case VT_CSI:
		csi_byte(v, c);
		break;
	case VT_OSC:
		if (c == '\a' || c == 0x1b)
			v->state = c == '\a' ? VT_TEXT : VT_SKIP;
		break;
	case VT_SKIP:
		v->state = VT_TEXT;
		break;
	}
}

void vt_write(struct vt *v, const uint8_t *buf, size_t n)
{
	v->bytes += n;
	for (size_t i = 0; i < n; i++)
		take(v, buf[i]);
}
