/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory as bytes, from an expression that is evaluated again at each stop ("$esp",
 * "buffer+16"), with a cursor; changed bytes are marked. */
#include "tui/panes.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <ctype.h>
#include <string.h>

enum { MAX_BYTES = 4096, START = 200 };

struct memory {
	char expr[128]; /* "": the stack pointer */
	bool physical;
	uint64_t base, offset; /* value of the expression; distance the user scrolled from it */
	int cursor;	       /* index of a byte from the top left */
	uint8_t byte[MAX_BYTES], old[MAX_BYTES];
	int n, nold, per_line;
	int digits; /* of addresses: in a narrow pane the low ones of a long address */
	uint64_t at, old_at;
	unsigned generation;
	const char *error;
	char symbol[120];
};

static void init(struct pane *p)
{
	struct memory *m = p->state;

	m->per_line = 16;
	m->digits = 8;
}

static const char *expression(const struct memory *m, const struct tui *t)
{
	return m->expr[0] ? m->expr : cpu_64(&t->stop.cpu) ? "$rsp" : "$esp";
}

static void take_bytes(struct memory *m, const struct table *k)
{
	static const char *const names[] = { "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7" };

	m->n = 0;
	for (size_t r = 0; k && r < k->nrows; r++)
		for (int i = 0; i < 8 && m->n < MAX_BYTES; i++) {
			const struct value *v = cell(k, r, names[i]);

			if (!v)
				return;
			m->byte[m->n++] = (uint8_t)v->u;
		}
}

static void keep_old(struct memory *m, struct tui *t)
{
	if (m->generation == t->stop.generation && m->nold)
		return;
	memcpy(m->old, m->byte, sizeof(m->old));
	m->nold = m->n;
	m->old_at = m->at;
	m->generation = t->stop.generation;
}

static void update(struct pane *p, struct tui *t)
{
	struct memory *m = p->state;
	int lines = p->area.h > 0 ? p->area.h : 16, want = lines * m->per_line;
	const struct table *k;

	want = want > MAX_BYTES ? MAX_BYTES : want;
	keep_old(m, t);
	m->error = NULL;
	if (!query_eval(t, expression(m, t), &m->base, &m->error)) {
		m->n = 0;
		return;
	}
	m->at = m->physical ? m->base + m->offset : stop_linear(&t->stop, m->base + m->offset);
	k = query(t, &m->error, "%s/%dxb 0x%llx", m->physical ? "xp" : "x", want, (unsigned long long)m->at);
	take_bytes(m, k);
	k = query(t, NULL, "print/a 0x%llx", (unsigned long long)(m->at + (unsigned)m->cursor));
	snprintf(m->symbol, sizeof(m->symbol), "%s", k && !m->physical ? cell_str(k, 0, "symbol") : "");
	t->sel.address = screen_focus(t) == p ? m->at + (unsigned)m->cursor : t->sel.address;
}

static bool changed(const struct memory *m, int i)
{
	uint64_t was = m->at + (unsigned)i - m->old_at;

	return was < (uint64_t)m->nold && m->old[was] != m->byte[i];
}

/* Columns of a line of N bytes: address, bytes with a gap after every eighth, characters. */
static int line_width(int n)
{
	return n * 3 + (n - 1) / 8 + 1 + n;
}

static void draw_byte(const struct memory *m, const struct area *a, int i, bool focused)
{
	int col = i % m->per_line, y = i / m->per_line, left = m->digits + 1,
	    text = left + m->per_line * 3 + (m->per_line - 1) / 8 + 1;
	uint8_t b = m->byte[i];
	enum style st = focused && i == m->cursor ? ST_CURSOR
			: changed(m, i)		  ? ST_CHANGED
			: b			  ? ST_VALUE
						  : ST_ZERO;

	area_printf(a, left + col * 3 + col / 8, y, st, "%02x", b);
	area_char(a, text + col, y,
		  st == ST_CURSOR	   ? ST_CURSOR
		  : isprint(b) && b < 0x7f ? ST_TEXT
					   : ST_ZERO,
		  isprint(b) && b < 0x7f ? b : 0xb7);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct memory *m = p->state;
	bool focused = screen_focus(t) == p, wide = m->at >> 32 && a->w >= 17 + line_width(8);
	int room, per;

	m->digits = wide ? 16 : 8;
	room = a->w - m->digits - 1;
	per = room >= line_width(32) ? 32 : room >= line_width(16) ? 16 : room >= line_width(8) ? 8 : 4;
	if (per != m->per_line) {
		m->per_line = per;
		t->moved = true;
	}
	if (!m->n) {
		area_wrap(a, 0, ST_DIM, m->error ? query_reason(m->error) : "not readable");
		return;
	}
	for (int i = 0; i < m->n && i / per < a->h; i++) {
		if (i % per == 0)
			area_printf(a, 0, i / per, ST_ADDR, "%0*llx", m->digits,
				    (unsigned long long)(wide ? m->at + (unsigned)i
							      : (uint32_t)(m->at + (unsigned)i)));
		draw_byte(m, a, i, focused);
	}
	if (m->error && m->n < a->h * per)
		area_put(a, m->digits + 1, (m->n + per - 1) / per, ST_DIM, m->error);
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct memory *m = p->state;
	uint32_t v = 0;
	int n;

	if (m->cursor + 4 <= m->n)
		memcpy(&v, m->byte + m->cursor, 4);
	n = snprintf(buf, len, "%s%s", m->physical ? "physical " : "", expression(m, t));
	if (m->at >> 32 && m->digits == 8 && n > 0) /* the lines have the low half */
		n += snprintf(buf + n, len - (size_t)n, " at %08llx........",
			      (unsigned long long)(m->at >> 32));
	if (m->offset && n > 0)
		n += snprintf(buf + n, len - (size_t)n, "%s0x%llx", (int64_t)m->offset < 0 ? "-" : "+",
			      (unsigned long long)((int64_t)m->offset < 0 ? -m->offset : m->offset));
	if (screen_focus(t) == p && m->cursor + 4 <= m->n && n > 0)
		n += snprintf(buf + n, len - (size_t)n, "  [%llx] = %08x",
			      (unsigned long long)(m->at + (unsigned)m->cursor), v);
	if (m->symbol[0] && n > 0 && (size_t)n < len)
		snprintf(buf + n, len - (size_t)n, "  <%s>", m->symbol);
}

/* Move the cursor by D bytes; the pane scrolls line by line. */
static void move(struct pane *p, struct memory *m, int d)
{
	int lines = p->area.h > 0 ? p->area.h : 1, at = m->cursor + d;

	while (at < 0) {
		at += m->per_line;
		m->offset -= (unsigned)m->per_line;
	}
	while (at >= lines * m->per_line) {
		at -= m->per_line;
		m->offset += (unsigned)m->per_line;
	}
	m->cursor = at;
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct memory *m = p->state;
	int page = (p->area.h > 0 ? p->area.h : 1) * m->per_line;

	switch (k) {
	case TK_LEFT:
		move(p, m, -1);
		break;
	case TK_RIGHT:
		move(p, m, 1);
		break;
	case TK_UP:
	case 'k':
		move(p, m, -m->per_line);
		break;
	case TK_DOWN:
	case 'j':
		move(p, m, m->per_line);
		break;
	case TK_PGUP:
		m->offset -= (unsigned)page;
		break;
	case TK_PGDN:
		m->offset += (unsigned)page;
		break;
	case TK_HOME:
		m->offset = 0;
		m->cursor = 0;
		break;
	case 'p':
		m->physical = !m->physical;
		break;
	default:
		return false;
	}
	t->moved = true;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct memory *m = p->state;
	int col = e->x - m->digits - 1;

	if (e->key == TK_WHEELUP || e->key == TK_WHEELDN) {
		m->offset += (unsigned)(e->key == TK_WHEELUP ? -m->per_line : m->per_line);
	} else {
		col = (col - col / 25) / 3;
		if (col < 0 || col >= m->per_line)
			return;
		m->cursor = e->y * m->per_line + col;
	}
	t->moved = true;
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct memory *m = p->state;

	(void)t;
	*addr = m->at + (unsigned)m->cursor;
	return true;
}

static void search_bytes(struct memory *m, struct tui *t, const char *text)
{
	const uint8_t *from = m->byte + m->cursor + 1;
	size_t left = m->cursor + 1 < m->n ? (size_t)(m->n - m->cursor - 1) : 0;
	const uint8_t *at = text[0] ? memmem(from, left, text, strlen(text)) : NULL;

	if (at)
		m->cursor = (int)(at - m->byte);
	else
		tui_message(t, ST_MESSAGE, "\"%s\" was not found in the memory shown", text);
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct memory *m = p->state;

	if (what == ASK_GOTO) {
		snprintf(m->expr, sizeof(m->expr), "%.*s", START < 127 ? START : 127, text);
		m->offset = 0;
		m->cursor = 0;
	} else if (what == ASK_SEARCH) {
		search_bytes(m, t, text);
	}
	t->moved = true;
}

static const struct pane_key keys[] = {
	{ 'g', "g", "show memory at an expression: $esp (the stack pointer, if empty), buffer+16, [$ebp+8]" },
	{ 'p', "p", "switch between physical and linear addresses" },
	{ 0 },
};

const struct pane_class pane_memory = {
	.name = "memory",
	.title = "Memory",
	.help = "memory at an expression; the arrows move the cursor, changed bytes are marked",
	.size = sizeof(struct memory),
	.keys = keys,
	.init = init,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.address = address,
	.answer = answer,
};
