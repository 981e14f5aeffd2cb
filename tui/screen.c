/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where panes are, which one has the keys, and which one the mouse hits. */
#include "tui/tui_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- panes and layouts ---- */

struct pane *pane_named(struct tui *t, const char *name)
{
	for (unsigned i = 0; i < t->npanes; i++)
		if (!strcmp(t->panes[i].cls->name, name))
			return &t->panes[i];
	return NULL;
}

static void add_pane(struct tui *t, const struct pane_class *cls)
{
	struct pane *p = &t->panes[t->npanes];

	if (pane_named(t, cls->name))
		return;
	if (t->npanes == MAX_PANES)
		abort(); /* a bug: the table of screens is too long */
	t->npanes++;
	p->cls = cls;
	p->state = xcalloc(1, cls->size ? cls->size : 1);
	if (cls->init)
		cls->init(p);
}

void screens_init(struct tui *t)
{
	for (int i = 0; screens[i]; i++) {
		struct screen_state *st = &t->screen_state[i];

		for (int k = 0; screens[i]->panes[k]; k++)
			add_pane(t, screens[i]->panes[k]);
		snprintf(st->focus, sizeof(st->focus), "%s", screens[i]->panes[0]->name);
		for (int k = 0; k < MAX_LAYOUTS && screens[i]->layouts[k].text; k++)
			if (!st->tree[k])
				st->tree[k] = layout_parse(screens[i]->layouts[k].text);
	}
}

void screens_fini(struct tui *t)
{
	for (unsigned i = 0; i < t->npanes; i++) {
		if (t->panes[i].cls->fini)
			t->panes[i].cls->fini(&t->panes[i]);
		free(t->panes[i].state);
	}
	for (int i = 0; i < MAX_SCREENS; i++)
		for (int k = 0; k < MAX_LAYOUTS; k++)
			layout_free(t->screen_state[i].tree[k]);
}

int screen_layout_index(struct tui *t)
{
	const struct screen_class *sc = screens[t->screen];
	int best = 0;

	for (int k = 0; k < MAX_LAYOUTS && sc->layouts[k].text; k++)
		if (t->canvas.w >= sc->layouts[k].w && t->canvas.h >= sc->layouts[k].h)
			best = k;
	return best;
}

struct layout *screen_layout(struct tui *t)
{
	return t->screen_state[t->screen].tree[screen_layout_index(t)];
}

struct rect screen_body(const struct tui *t)
{
	return (struct rect){ 0, 2, t->canvas.w, t->canvas.h - 4 };
}

static bool on_screen(struct tui *t, const char *name)
{
	struct layout *leaf = layout_find(screen_layout(t), name);

	return leaf && leaf->at.w > 0 && leaf->at.h > 0;
}

/* Move the focus if its pane is not visible. */
static void check_focus(struct tui *t)
{
	struct screen_state *st = &t->screen_state[t->screen];
	struct layout *leaf;

	if (on_screen(t, st->focus))
		return;
	leaf = layout_leaf(screen_layout(t), 0);
	if (leaf)
		snprintf(st->focus, sizeof(st->focus), "%s", leaf->name);
}

/* How many lines each pane can fill. */
static void measure_panes(struct tui *t, struct layout *l)
{
	struct layout *leaf;

	for (int i = 0; (leaf = layout_leaf(l, i)); i++) {
		struct pane *p = pane_named(t, leaf->name);
		int n = p && p->cls->need && pane_fresh(t, p) ? p->cls->need(p, t) : 0;

		leaf->need = n ? n + 1 : 0;
	}
}

void screen_arrange(struct tui *t)
{
	struct layout *l = screen_layout(t), *leaf;
	struct rect r = screen_body(t);

	measure_panes(t, l);
	layout_solve(l, r);
	check_focus(t);
	for (int i = 0; (leaf = layout_leaf(l, i)); i++) {
		struct pane *p = pane_named(t, leaf->name);
		struct area all = canvas_area(&t->canvas);
		bool zoomed = t->screen_state[t->screen].zoomed;
		struct rect at = zoomed && p == screen_focus(t) ? r : leaf->at;

		if (p)
			p->area = area_cut(&all, at.x, at.y + 1, at.w, at.h - 1);
	}
}

bool screen_is_of_vm(const struct tui *t)
{
	return tui_is_host(t) && screens[t->screen]->of_vm;
}

struct pane *screen_focus(struct tui *t)
{
	return pane_named(t, t->screen_state[t->screen].focus);
}

void screen_set_focus(struct tui *t, const char *name)
{
	struct screen_state *st = &t->screen_state[t->screen];

	if (!on_screen(t, name) || !strcmp(st->focus, name))
		return;
	snprintf(st->focus, sizeof(st->focus), "%s", name);
	t->moved = true;
}

bool screen_address(struct tui *t, uint64_t *addr)
{
	struct pane *p = screen_focus(t);

	if (p && !pane_fresh(t, p)) /* the screen was selected just now */
		tui_refresh(t);
	if (p && p->cls->address && pane_fresh(t, p) && p->cls->address(p, t, addr))
		return true;
	tui_message(t, ST_ERROR, "the cursor is not on an address; o goes to the next pane");
	return false;
}

bool pane_fresh(const struct tui *t, const struct pane *p)
{
	return p->round && p->round >= t->queries.evicted;
}

void screen_each(struct tui *t, void (*fn)(struct tui *t, struct pane *p))
{
	if (screen_is_of_vm(t))
		return;
	screen_arrange(t);
	screen_each_again(t, fn);
}

void screen_each_again(struct tui *t, void (*fn)(struct tui *t, struct pane *p))
{
	struct layout *leaf;

	if (screen_is_of_vm(t))
		return;
	for (int pass = 0; pass < 2; pass++) /* first the one with the keys: others follow its cursor */
		for (int i = 0; (leaf = layout_leaf(screen_layout(t), i)); i++) {
			struct pane *p = pane_named(t, leaf->name);

			if (p && leaf->at.w > 0 && leaf->at.h > 0 && (p == screen_focus(t)) == (pass == 0))
				fn(t, p);
		}
}

/* ---- mouse ---- */

static bool click_tab(struct tui *t, const struct term_event *e)
{
	char buf[80];

	if (e->y != 0 || (e->key != TK_CLICK && e->key != TK_DOUBLE))
		return false;
	for (int i = 0, from; screens[i]; i++) {
		int n = frame_tab(t, i, buf, sizeof(buf), &from);

		if (e->x >= from && e->x < from + n) {
			keys_press(t, &(struct term_event){ .key = i == 9 ? '0' : '1' + i });
			break;
		}
	}
	return true;
}

static bool click_footer(struct tui *t, const struct term_event *e)
{
	int from, to;

	if (e->y != t->canvas.h - 1 || (e->key != TK_CLICK && e->key != TK_DOUBLE))
		return false;
	for (int f = 1; f <= KEYS_F; f++)
		if (frame_label(t, f, &from, &to) && e->x >= from && e->x < to)
			keys_press(t, &(struct term_event){ .key = TK_F0 + f });
	return true;
}

static bool inside(const struct area *a, const struct term_event *e)
{
	return e->x >= a->x && e->x < a->x + a->w && e->y >= a->y - 1 && e->y < a->y + a->h;
}

void screen_mouse(struct tui *t, const struct term_event *e)
{
	struct layout *leaf;

	if (click_tab(t, e) || click_footer(t, e))
		return;
	for (int i = 0; (leaf = layout_leaf(screen_layout(t), i)); i++) {
		struct pane *p = pane_named(t, leaf->name);
		struct term_event local = *e;
		bool zoomed = t->screen_state[t->screen].zoomed;

		if (!p || (zoomed && p != screen_focus(t)) || !leaf->at.w || !inside(&p->area, e))
			continue;
		if (e->key == TK_CLICK || e->key == TK_DOUBLE)
			screen_set_focus(t, leaf->name);
		local.x -= p->area.x;
		local.y -= p->area.y;
		if (p->cls->mouse && pane_fresh(t, p) && local.y >= 0)
			p->cls->mouse(p, t, &local);
		break;
	}
}
