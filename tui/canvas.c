/* SPDX-License-Identifier: GPL-3.0-or-later
 * See canvas.h. */
#include "tui/canvas.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void canvas_init(struct canvas *c, int w, int h)
{
	*c = (struct canvas){ .w = w, .h = h };
	c->cells = xcalloc((size_t)(w > 0 ? w : 1) * (size_t)(h > 0 ? h : 1), sizeof(*c->cells));
	canvas_clear(c);
}

void canvas_fini(struct canvas *c)
{
	free(c->cells);
	*c = (struct canvas){ 0 };
}

void canvas_clear(struct canvas *c)
{
	for (int i = 0; i < c->w * c->h; i++)
		c->cells[i] = (struct cell){ ' ', ST_NORMAL };
}

struct area canvas_area(struct canvas *c)
{
	return (struct area){ c, 0, 0, c->w, c->h };
}

struct area area_cut(const struct area *a, int x, int y, int w, int h)
{
	if (x < 0 || x > a->w)
		x = a->w;
	if (y < 0 || y > a->h)
		y = a->h;
	if (w > a->w - x)
		w = a->w - x;
	if (h > a->h - y)
		h = a->h - y;
	return (struct area){ a->c, a->x + x, a->y + y, w > 0 ? w : 0, h > 0 ? h : 0 };
}

static struct cell *cell_at(const struct area *a, int x, int y)
{
	if (x < 0 || y < 0 || x >= a->w || y >= a->h)
		return NULL;
	x += a->x;
	y += a->y;
	return x < a->c->w && y < a->c->h ? &a->c->cells[y * a->c->w + x] : NULL;
}

void area_char(const struct area *a, int x, int y, enum style st, uint32_t ch)
{
	struct cell *c = cell_at(a, x, y);

	if (c)
		*c = (struct cell){ ch, st };
}

/* Take the character at *P; a byte that is not UTF-8 becomes "?". */
static uint32_t utf8_take(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	unsigned n = s[0] < 0x80 ? 0 : s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : s[0] >= 0xc0 ? 1 : 4;
	uint32_t ch = n == 0 ? s[0] : n < 4 ? s[0] & (0x3fu >> n) : '?';

	*p += 1;
	for (unsigned i = 1; n < 4 && i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return '?';
		ch = ch << 6 | (s[i] & 0x3f);
		*p += 1;
	}
	return ch < 0x20 || ch == 0x7f ? ' ' : ch;
}

int area_put(const struct area *a, int x, int y, enum style st, const char *text)
{
	while (*text)
		area_char(a, x++, y, st, utf8_take(&text));
	return x;
}

int area_printf(const struct area *a, int x, int y, enum style st, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return area_put(a, x, y, st, buf);
}

void area_fill(const struct area *a, int x, int y, int w, enum style st, uint32_t ch)
{
	for (int i = 0; i < w; i++)
		area_char(a, x + i, y, st, ch);
}

void area_style(const struct area *a, int x, int y, int w, enum style st)
{
	for (int i = 0; i < w; i++) {
		struct cell *c = cell_at(a, x + i, y);

		if (c)
			c->style = st;
	}
}

static int columns(const char *text)
{
	int n = 0;

	while (*text) {
		utf8_take(&text);
		n++;
	}
	return n;
}

int area_field(const struct area *a, int x, int y, int w, enum style st, const char *text)
{
	struct area cut = area_cut(a, x, y, w, 1);
	int n = area_put(&cut, 0, 0, st, text);

	if (n > w && w > 1) /* mark the cut */
		area_char(&cut, w - 1, 0, st, 0x2026);
	area_fill(&cut, n, 0, w - n, st, ' ');
	return x + w;
}

int area_wrap(const struct area *a, int y, enum style st, const char *text)
{
	while (*text) {
		size_t room = a->w > 0 ? (size_t)a->w : 1, n = strlen(text), cut = n;
		char line[512];

		if (n > room)
			for (cut = room; cut && text[cut] != ' '; cut--)
				;
		if (!cut)
			cut = n < room ? n : room;
		snprintf(line, sizeof(line), "%.*s", (int)cut, text);
		area_put(a, 0, y++, st, line);
		text += cut + (text[cut] == ' ');
	}
	return y;
}

int area_right(const struct area *a, int x, int y, int w, enum style st, const char *text)
{
	int n = columns(text);

	if (n >= w)
		return area_field(a, x, y, w, st, text);
	area_fill(a, x, y, w - n, st, ' ');
	area_put(a, x + w - n, y, st, text);
	return x + w;
}

void area_bar(const struct area *a, int x, int y, int w, enum style st, double value, double full)
{
	int eighths = full > 0 ? (int)(value / full * w * 8 + 0.5) : 0;

	if (value > 0 && !eighths)
		eighths = 1;
	for (int i = 0; i < w; i++, eighths -= 8) {
		uint32_t ch = eighths >= 8 ? 0x2588 : eighths > 0 ? 0x2590u - (uint32_t)eighths : ' ';

		area_char(a, x + i, y, st, ch);
	}
}

uint32_t spark_char(double value, double full)
{
	int eighths = full > 0 ? (int)(value / full * 8 + 0.5) : 0;

	if (value <= 0)
		return ' ';
	return 0x2580u + (uint32_t)(eighths < 1 ? 1 : eighths > 8 ? 8 : eighths);
}

char canvas_ascii(uint32_t ch)
{
	static const struct {
		uint32_t ch;
		char ascii;
	} table[] = {
		{ 0x2500, '-' }, { 0x2502, '|' }, { 0x253c, '+' }, { 0x252c, '+' }, { 0x2534, '+' },
		{ 0x2026, '~' }, { 0x25b6, '>' }, { 0x25cf, '*' }, { 0x25b2, '^' }, { 0x25bc, 'v' },
		{ 0x25a0, '#' }, { 0x00b7, '.' }, { 0x2192, '>' }, { 0x00d7, 'x' }, { 0x2190, '<' },
		{ 0x2191, '^' }, { 0x2193, 'v' }, { 0x25cb, 'o' }, { 0x2591, '.' }, { 0x2592, ':' },
		{ 0x2593, '%' }, { 0x2014, '-' }, { 0x2013, '-' }, { 0x251c, '+' }, { 0x2524, '+' },
		{ 0x25c6, '*' }, { 0x2580, '"' },
	};

	if (ch < 0x80)
		return (char)ch;
	if (ch >= 0x2581 && ch <= 0x2588)
		return "_.:-=+*#"[ch - 0x2581];
	if (ch >= 0x2589 && ch <= 0x258f)
		return "#=+==--"[ch - 0x2589];
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].ch == ch)
			return table[i].ascii;
	return '?';
}

int utf8_put(uint32_t ch, char buf[5])
{
	int n = ch < 0x80 ? 1 : ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (int i = n - 1; i > 0; i--, ch >>= 6)
		buf[i] = (char)(0x80 | (ch & 0x3f));
	buf[0] = (char)(lead[n] | ch);
	buf[n] = 0;
	return n;
}

void canvas_print(const struct canvas *c, bool utf8, FILE *f)
{
	char buf[5];

	for (int y = 0; y < c->h; y++) {
		const struct cell *row = c->cells + (size_t)y * (size_t)c->w;
		int w = c->w;

		while (w && row[w - 1].ch == ' ')
			w--;
		for (int x = 0; x < w; x++) {
			if (!utf8)
				fputc(canvas_ascii(row[x].ch), f);
			else
				fwrite(buf, 1, (size_t)utf8_put(row[x].ch, buf), f);
		}
		fputc('\n', f);
	}
}
