/* SPDX-License-Identifier: GPL-3.0-or-later
 * See frame.h. */
#include "tui/tui_int.h"
#include "base/address.h"

#include <string.h>

enum { MIN_W = 30, MIN_H = 8 };

/* ---- top and bottom lines ---- */

static const char *state_text(struct tui *t, enum style *st)
{
	if (tui_is_host(t)) {
		*st = ST_RUN;
		return " host ";
	}
	if (!inspect_has_machine(t->s)) {
		*st = ST_OVER;
		return " no guest ";
	}
	if (inspect_running(t->s)) {
		*st = t->paused ? ST_OVER : ST_RUN;
		return t->paused ? " running, display paused " : " running ";
	}
	if (inspect_ended(t->s)) {
		*st = ST_OVER;
		return " ended ";
	}
	*st = t->busy ? ST_RUN : ST_STOP;
	return t->busy ? " stepping " : " stopped ";
}

static const char *vm_name(const struct tui *t)
{
	return t->cfg->guest ? t->cfg->guest : "no guest";
}

static const char *mode_text(const struct tui *t)
{
	const struct cpu *c = &t->stop.cpu;

	if (!cpu_pe(c))
		return "real mode";
	if (cpu_v86(c))
		return "virtual-8086 mode";
	if (cpu_64(c))
		return c->cpl == 3 ? "64-bit user" : "64-bit kernel";
	return c->cpl == 3 ? "user" : "kernel";
}

/* ---- the bar: the VM's name, the tabs, the state ---- */

enum { NAME_LEAST = 8 };

/* How tabs are written, from the widest form on: whole titles, short ones, short ones without blanks, numbers
 * and the title of the current one alone. */
enum tab_form { TAB_TITLE, TAB_BRIEF, TAB_DENSE, TAB_NUMBER };

static int tab_text(const struct tui *t, int i, enum tab_form form, char *buf, size_t len)
{
	const struct screen_class *sc = screens[i];
	const char *title = form != TAB_TITLE && sc->brief ? sc->brief : sc->title;

	if (form == TAB_DENSE)
		return snprintf(buf, len, "%d%s", (i + 1) % 10, title);
	if (form == TAB_NUMBER && i != t->screen)
		return snprintf(buf, len, "%d ", (i + 1) % 10);
	return snprintf(buf, len, " %d %s ", (i + 1) % 10, title);
}

static int tab_gap(enum tab_form form)
{
	return form == TAB_DENSE;
}

static int tabs_width(const struct tui *t, enum tab_form form)
{
	char buf[80];
	int w = 0;

	for (int i = 0; screens[i]; i++)
		w += tab_text(t, i, form, buf, sizeof(buf)) + tab_gap(form);
	return w;
}

/* The form of the tabs, and the cells that are left for the name. */
static enum tab_form bar_form(struct tui *t, int *name)
{
	int want = (int)strlen(vm_name(t)) + 3, least = want < NAME_LEAST ? want : NAME_LEAST;
	enum style st;
	int room = t->canvas.w - (int)strlen(state_text(t, &st));
	enum tab_form form = TAB_TITLE;

	while (form < TAB_NUMBER && tabs_width(t, form) + (form == TAB_DENSE ? least : want) > room)
		form++;
	room -= tabs_width(t, form);
	*name = want < room ? want : room > least ? room : least;
	return form;
}

int frame_tab(struct tui *t, int i, char *buf, size_t len, int *from)
{
	enum tab_form form = bar_form(t, from);

	for (int k = 0; k < i; k++)
		*from += tab_text(t, k, form, buf, len) + tab_gap(form);
	return tab_text(t, i, form, buf, len);
}

/* Registers of a running guest are from the last hold; outdated ones are not shown. */
static bool pc_is_known(const struct tui *t)
{
	return t->stop.known && (!inspect_running(t->s) || tui_clock() - t->stop.time < 2000000000);
}

static void draw_bar(struct tui *t)
{
	struct area a = canvas_area(&t->canvas);
	char buf[80];
	enum style st;
	const char *state = state_text(t, &st);
	int right = a.w - (int)strlen(state), x, n;

	area_fill(&a, 0, 0, a.w, ST_BAR, ' ');
	bar_form(t, &n);
	if (n > 2)
		area_field(&a, 1, 0, n - 2, ST_VMNAME, vm_name(t));
	x = n;
	for (int i = 0; screens[i]; i++) {
		n = frame_tab(t, i, buf, sizeof(buf), &x);
		x = area_put(&a, x, 0, i == t->screen ? ST_TAB : ST_BAR, buf);
	}
	area_put(&a, right > 0 ? right : 0, 0, st, state);
	if (pc_is_known(t)) {
		n = snprintf(buf, sizeof(buf), "%s  pc %s ", mode_text(t), ADDRESS(cpu_pc(&t->stop.cpu)));
		if (right - x <= n + 1)
			n = snprintf(buf, sizeof(buf), "pc %s ", ADDRESS(cpu_pc(&t->stop.cpu)));
		if (right - x > n + 1)
			area_put(&a, right - n - 1, 0, ST_BAR, buf);
	}
}

static int label_width(const char *label, int f)
{
	return label ? (f > 9 ? 3 : 2) + (int)strlen(label) : 0;
}

bool frame_label(struct tui *t, int f, int *from, int *to)
{
	const char *label[KEYS_F + 1];
	int count = 0, used = 0, gap;

	keys_labels(t, label);
	for (int k = 1; k <= KEYS_F; k++) {
		used += label_width(label[k], k);
		count += label[k] != NULL;
	}
	gap = count > 1 ? (t->canvas.w - used) / (count - 1) : 1;
	gap = gap < 1 ? 1 : gap > 3 ? 3 : gap;
	*from = 0;
	for (int k = 1; k < f; k++)
		*from += label[k] ? label_width(label[k], k) + gap : 0;
	*to = *from + label_width(label[f], f);
	return label[f] != NULL;
}

/* How often and how long refreshing has held the guest so far: behind the function keys, or the message, if
 * there is room, in a long or a short form. */
static void draw_cost(struct tui *t, const struct area *a, int y, int from)
{
	char buf[80];
	double share;

	if (t->refresh.run_ns < 1000000000 || !inspect_running(t->s))
		return;
	share = 100.0 * (double)t->refresh.held_ns / (double)t->refresh.run_ns;
	snprintf(buf, sizeof(buf), "held %llu times, %.2f%% of its time",
		 (unsigned long long)t->refresh.holds, share);
	if (from + 4 + (int)strlen(buf) >= a->w)
		snprintf(buf, sizeof(buf), "held %.2f%%", share);
	if (from + 4 + (int)strlen(buf) < a->w)
		area_put(a, a->w - (int)strlen(buf), y, ST_DIM, buf);
}

/* Has the line of the function keys room for it? */
static bool footer_has_room(struct tui *t)
{
	int from, to;

	frame_label(t, KEYS_F, &from, &to);
	return t->canvas.w - to > 16;
}

static void draw_footer(struct tui *t)
{
	struct area a = canvas_area(&t->canvas);
	const char *label[KEYS_F + 1];
	int from, to = 0;

	keys_labels(t, label);
	for (int f = 1; f <= KEYS_F; f++)
		if (frame_label(t, f, &from, &to))
			area_put(&a, area_printf(&a, from, a.h - 1, ST_FKEY, "F%d", f), a.h - 1, ST_FLABEL,
				 label[f]);
	if (footer_has_room(t))
		draw_cost(t, &a, a.h - 1, to);
}

static void draw_prompt(struct tui *t, int *cx, int *cy)
{
	static const char *const marks[] = {
		[ASK_COMMAND] = ":", [ASK_SEARCH] = "/", [ASK_FILTER] = "filter: ", [ASK_GOTO] = "go to: "
	};
	struct area a = canvas_area(&t->canvas);
	int y = a.h - 2, x, room, from;

	area_fill(&a, 0, y, a.w, ST_MESSAGE, ' ');
	x = area_put(&a, 0, y, ST_PROMPT, marks[t->prompt.what]);
	room = a.w - x - 1;
	from = (int)t->prompt.at > room ? (int)t->prompt.at - room : 0;
	area_put(&a, x, y, ST_MESSAGE, t->prompt.text + from);
	*cx = x + (int)t->prompt.at - from;
	*cy = y;
}

static void draw_message(struct tui *t)
{
	struct area a = canvas_area(&t->canvas);
	const char *keys = " the guest has the keyboard; Ctrl-] takes it back ";
	char more[40] = "";
	int y = a.h - 2, used;
	struct area m;

	if (t->handed) {
		area_put(&a, 0, y, ST_GUEST, keys);
		area_field(&a, (int)strlen(keys) + 1, y, a.w - (int)strlen(keys) - 1, t->message_style,
			   t->message);
		return;
	}
	if (t->unread > 1)
		snprintf(more, sizeof(more), " %llu lines: J ", (unsigned long long)t->unread);
	m = area_cut(&a, 0, y, a.w - (int)strlen(more), 1);
	used = area_put(&m, 0, 0, t->message_style, t->message);
	if (used > m.w)
		area_char(&m, m.w - 1, 0, t->message_style, 0x2026);
	area_put(&a, a.w - (int)strlen(more), y, ST_DIM, more);
	if (!more[0] && !footer_has_room(t))
		draw_cost(t, &a, y, used);
}

/* ---- panes ---- */

/* How old the pane's data are, at the right end of A beyond FROM, if the guest has run on for a second or
 * more. Returns the cells used. */
static int draw_age(struct tui *t, const struct pane *p, const struct area *a, int from)
{
	int64_t seconds = (tui_clock() - p->updated) / 1000000000;
	char buf[40];
	int n;

	if (!inspect_running(t->s) || !pane_fresh(t, p) || !p->updated || seconds < 1)
		return 0;
	n = snprintf(buf, sizeof(buf), " %lld s old ", (long long)seconds);
	if (from + n >= a->w)
		return 0;
	area_put(a, a->w - n, 0, ST_CHANGED, buf);
	return n;
}

static void draw_heading(struct tui *t, struct pane *p, const struct rect *at, bool focused)
{
	struct area all = canvas_area(&t->canvas), a = area_cut(&all, at->x, at->y, at->w, 1);
	char detail[400] = "";
	int x;

	area_fill(&a, 0, 0, a.w, ST_RULE, 0x2500);
	x = area_printf(&a, 0, 0, focused ? ST_FOCUS : ST_HEAD, "%s%s%s", focused ? " " : "", p->cls->title,
			focused ? " " : "");
	if (!focused)
		area_char(&a, x, 0, ST_RULE, ' ');
	if (pane_fresh(t, p) && p->cls->heading)
		p->cls->heading(p, t, detail, sizeof(detail));
	a.w -= draw_age(t, p, &a, x + 4);
	if (!detail[0] || x + 4 >= a.w)
		return;
	x = area_put(&a, x, 0, ST_DIM, focused ? " " : "");
	x = focused ? x : x + 1;
	{
		struct area d = area_cut(&a, x, 0, a.w - x, 1);
		int n = area_put(&d, 0, 0, ST_DIM, detail);

		if (n > d.w)
			area_char(&d, d.w - 1, 0, ST_DIM, 0x2026);
		else
			area_char(&d, n, 0, ST_RULE, ' ');
	}
}

static void draw_pane(struct tui *t, struct pane *p, struct rect at)
{
	if (pane_fresh(t, p))
		p->cls->draw(p, t, &p->area);
	else
		area_put(&p->area, 0, 0, ST_DIM,
			 inspect_running(t->s) ? "waiting for a sample of the guest ..." : "");
	draw_heading(t, p, &at, p == screen_focus(t)); /* it says what the drawing has left out */
}

/* Rules between panes side by side. */
static void draw_rules(struct tui *t, const struct layout *l)
{
	struct area a = canvas_area(&t->canvas);

	for (const struct layout *c = l->child; c; c = c->next) {
		draw_rules(t, c);
		if (!l->beside || !c->next || !c->next->at.w)
			continue;
		for (int y = 0; y < c->at.h; y++)
			area_char(&a, c->at.x + c->at.w, c->at.y + y, ST_RULE, 0x2502);
	}
}

/* What to press on a screen that a host has nothing for. */
static void draw_of_vm(struct tui *t)
{
	struct area all = canvas_area(&t->canvas);
	struct rect r = screen_body(t);
	struct area a = area_cut(&all, r.x, r.y, r.w, r.h);

	area_printf(&a, 1, 1, ST_TEXT, "%s: a screen about one VM.", screens[t->screen]->title);
	area_put(&a, 1, 3, ST_TEXT,
		 "Press V and a digit to go to a VM; there it is this screen's number again.");
	area_put(&a, 1, 4, ST_TEXT, "7 and 8 are about the memory of all VMs of this host.");
}

static void draw_panes(struct tui *t)
{
	struct layout *l = screen_layout(t), *leaf;

	if (screen_is_of_vm(t)) {
		draw_of_vm(t);
		return;
	}

	if (t->screen_state[t->screen].zoomed) {
		draw_pane(t, screen_focus(t), screen_body(t));
		return;
	}
	draw_rules(t, l);
	for (int i = 0; (leaf = layout_leaf(l, i)); i++) {
		struct pane *p = pane_named(t, leaf->name);

		if (p && leaf->at.w > 0 && leaf->at.h > 0)
			draw_pane(t, p, leaf->at);
	}
}

static void draw_too_small(struct tui *t)
{
	struct area a = canvas_area(&t->canvas);

	area_put(&a, 0, 0, ST_NORMAL, "too small");
	area_printf(&a, 0, 1, ST_DIM, "%dx%d", t->canvas.w, t->canvas.h);
}

void frame_draw(struct tui *t, int *cx, int *cy)
{
	struct pane *p;

	*cx = *cy = -1;
	canvas_clear(&t->canvas);
	if (t->canvas.w < MIN_W || t->canvas.h < MIN_H) {
		draw_too_small(t);
		return;
	}
	screen_arrange(t);
	draw_bar(t);
	time_line_draw(t);
	draw_panes(t);
	draw_footer(t);
	if (t->overlay.open)
		overlay_draw(t);
	if (t->away.selector.open) {
		struct area all = canvas_area(&t->canvas), a = area_cut(&all, 0, 1, all.w, all.h - 3);

		selector_draw(&t->away.selector, &a);
	}
	if (t->menu.open) {
		struct area all = canvas_area(&t->canvas), a = area_cut(&all, 0, 1, all.w, all.h - 3);

		menu_draw(t, &a);
	}
	if (t->prompt.open)
		draw_prompt(t, cx, cy);
	else
		draw_message(t);
	p = screen_focus(t);
	if (t->handed && p && p->cls->cursor && p->cls->cursor(p, t, cx, cy)) {
		*cx += p->area.x;
		*cy += p->area.y;
		if (*cx >= p->area.x + p->area.w)
			*cx = p->area.x + p->area.w - 1;
	}
}
