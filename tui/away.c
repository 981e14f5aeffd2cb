/* SPDX-License-Identifier: GPL-3.0-or-later
 * See away.h. */
#include "tui/away.h"
#include "tui/link.h"
#include "tui/tui_int.h"

#include <string.h>

static void show(struct tui *t)
{
	int cx, cy;
	const struct canvas *c = link_canvas(t->away.link, &cx, &cy);
	struct canvas copy;
	struct area a;

	if (!t->away.selector.open) {
		term_show(t->term, c, cx, cy);
		return;
	}
	canvas_init(&copy, c->w, c->h);
	memcpy(copy.cells, c->cells, (size_t)c->w * (size_t)c->h * sizeof(*c->cells));
	a = canvas_area(&copy);
	a = area_cut(&a, 0, 1, a.w, a.h - 3);
	selector_draw(&t->away.selector, &a);
	term_show(t->term, &copy, -1, -1);
	canvas_fini(&copy);
}

static void frame(void *ctx)
{
	show(ctx);
}

static void choose(void *ctx)
{
	away_choose(ctx);
}

static void over(void *ctx, const char *why)
{
	struct tui *t = ctx;

	t->away.over = true;
	snprintf(t->away.why, sizeof(t->away.why), "%s", why);
}

void away_choose(struct tui *t)
{
	const char *here = t->cfg->control;

	selector_open(&t->away.selector, t->cfg->guest ? t->cfg->guest : "no guest",
		      here && !strncmp(here, "unix:", 5) ? here + 5 : here, t->away.link ? t->away.path : "");
	t->dirty = true;
	if (t->away.link)
		show(t);
}

static void come_back(struct tui *t)
{
	link_free(t->away.link);
	t->away.link = NULL;
	t->away.over = false;
	term_redraw(t->term);
	t->stale = t->dirty = true;
}

static void go(struct tui *t, const struct session *at)
{
	char err[200];
	int fd, w, h;

	if (t->away.link && !strcmp(at->path, t->away.path)) {
		show(t);
		return;
	}
	if (t->away.link)
		come_back(t);
	if (!at->path[0])
		return;
	fd = selector_connect(at->path, err, sizeof(err));
	if (fd < 0) {
		tui_message(t, ST_ERROR, "%s", err);
		return;
	}
	snprintf(t->away.path, sizeof(t->away.path), "%s", at->path);
	t->away.link = link_new(
	    fd, t->loop, &(struct link_events){ .ctx = t, .frame = frame, .choose = choose, .over = over });
	term_size(t->term, &w, &h);
	term_redraw(t->term);
	link_size(t->away.link, w, h);
}

bool away_key(struct tui *t, const struct term_event *e)
{
	const struct session *at;

	if (t->away.selector.open) {
		at = selector_key(&t->away.selector, e);
		t->dirty = true;
		if (at)
			go(t, at);
		else if (t->away.link)
			show(t);
		return true;
	}
	if (t->away.link)
		link_keys(t->away.link, e, 1);
	return t->away.link != NULL;
}

void away_resize(struct tui *t)
{
	int w, h;

	if (!t->away.link)
		return;
	term_size(t->term, &w, &h);
	link_size(t->away.link, w, h);
}

void away_check(struct tui *t)
{
	if (!t->away.link || !t->away.over)
		return;
	come_back(t);
	if (t->away.why[0])
		tui_message(t, ST_ERROR, "%.90s: %.90s", t->away.path, t->away.why);
}

void away_fini(struct tui *t)
{
	link_free(t->away.link);
	t->away.link = NULL;
}
