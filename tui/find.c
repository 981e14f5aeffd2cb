/* SPDX-License-Identifier: GPL-3.0-or-later
 * See find.h. */
#include "tui/find.h"
#include "base/alloc.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

static bool line_has(const struct canvas *c, int y, char *buf, const char *text)
{
	size_t n = 0;

	for (int x = 0; x < c->w; x++) {
		uint32_t ch = c->cells[y * c->w + x].ch;

		n += (size_t)utf8_put(ch ? ch : ' ', buf + n);
	}
	return strcasestr(buf, text) != NULL;
}

int find_line(struct pane *p, struct tui *t, int lines, int at, const char *text)
{
	struct canvas c = { 0 };
	struct area a;
	char *buf;
	int found = -1;

	if (p->area.w < 1 || lines < 1 || !text[0])
		return -1;
	canvas_init(&c, p->area.w, lines);
	a = canvas_area(&c);
	p->cls->draw(p, t, &a);
	buf = xmalloc((size_t)c.w * 4 + 1);
	for (int i = 1; i <= lines && found < 0; i++)
		if (line_has(&c, (at + i) % lines, buf, text))
			found = (at + i) % lines;
	free(buf);
	canvas_fini(&c);
	if (found < 0)
		tui_message(t, ST_MESSAGE, "%s: no line has \"%.60s\"", p->cls->title, text);
	return found;
}

void find_refuse(struct tui *t, enum ask what)
{
	tui_message(t, ST_MESSAGE, "this pane %s; o goes to the next pane",
		    what == ASK_FILTER ? "has no rows to filter" : "does not go to addresses");
}
