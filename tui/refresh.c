/* SPDX-License-Identifier: GPL-3.0-or-later
 * When panes are updated, and what that may cost the guest.
 *
 * A guest that stands is looked at once a stop. Beside one that runs, live panes read
 * counters every period and stop nothing. The others need one state for all their looks:
 * the guest is held for them together, the time it stood is measured, and it is left
 * alone for at least a hundred times as long. So looking costs it less than a hundredth,
 * however slow the look. Who moves the cursor or asks for another screen meanwhile waits
 * less, and moving fetches only what is not known from the last look. */
#include "tui/tui_int.h"

#include <string.h>
#include <time.h>

enum { COST = 100, COST_WANTED = 10 };

int64_t tui_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

void tui_drain(struct tui *t)
{
	uint8_t buf[8192];
	size_t n;

	if (t->remote) /* the service shows it what others take */
		return;
	while ((n = inspect_serial_take(t->s, buf, sizeof(buf)))) {
		vt_write(&t->vt, buf, n);
		if (t->port)
			serial_port_write(t->port, buf, n);
		if (t->vt.answer[0])
			inspect_serial_input(t->s, (const uint8_t *)t->vt.answer, strlen(t->vt.answer));
		t->vt.answer[0] = 0;
		t->dirty = true;
	}
}

/* Registers of this stop and of the one before. */
static void take_snapshot(struct tui *t)
{
	const struct inspect_snapshot *snap = inspect_snapshot(t->s);

	if (!snap || (t->stop.known && snap->generation == t->stop.generation))
		return;
	t->stop.before = t->stop.known ? t->stop.cpu : snap->cpu;
	t->stop.cpu = snap->cpu;
	t->stop.generation = snap->generation;
	t->stop.known = true;
	t->stop.time = tui_clock();
}

static void update_pane(struct tui *t, struct pane *p)
{
	p->cls->update(p, t);
	p->round = t->queries.round;
}

static void update_live(struct tui *t, struct pane *p)
{
	if (p->cls->live)
		update_pane(t, p);
}

static void update_held(struct tui *t, struct pane *p)
{
	if (!p->cls->live)
		update_pane(t, p);
}

static void new_round(struct tui *t)
{
	query_new_round(t);
	t->dirty = true;
}

static void follow_cursor(struct tui *t)
{
	struct pane *p = screen_focus(t);

	if (p && p->cls->address && pane_fresh(t, p))
		p->cls->address(p, t, &t->sel.address);
}

static void count_held(struct tui *t, struct pane *p)
{
	t->refresh.want_hold |= !p->cls->live;
}

/* Hold the guest for all panes that need it. ALL: for what was fetched in earlier looks, too. */
static void update_under_hold(struct tui *t, bool all)
{
	int64_t from = tui_clock(), cost;

	t->refresh.held = inspect_hold(t->s);
	if (!t->refresh.held) {
		t->stale = true; /* it stopped by itself just now */
		return;
	}
	if (all)
		t->queries.fetched = t->queries.round;
	t->queries.reuse = !all;
	take_snapshot(t);
	screen_each(t, update_held);
	t->queries.reuse = false;
	inspect_release(t->s);
	t->refresh.held = false;
	query_evict(t);
	cost = tui_clock() - from;
	t->refresh.held_ns += cost;
	t->refresh.holds++;
	if (all)
		t->refresh.next_hold =
		    t->refresh.now + (cost * COST > t->refresh.period ? cost * COST : t->refresh.period);
	t->refresh.next_wanted = t->refresh.now + cost * COST_WANTED;
}

/* Beside a running guest. */
static void update_running(struct tui *t, bool hold)
{
	bool all = t->stale || t->refresh.now >= t->refresh.next_hold;

	new_round(t);
	follow_cursor(t);
	t->refresh.want_hold = false;
	screen_each(t, update_live);
	screen_each(t, count_held);
	if (hold || !t->refresh.want_hold)
		t->stale = t->moved = false;
	if (!t->refresh.want_hold)
		query_evict(t);
	else if (hold)
		update_under_hold(t, all);
	t->refresh.next_live = t->refresh.now + t->refresh.period;
}

void tui_update(struct tui *t, bool again)
{
	t->refresh.now = tui_clock();
	if (inspect_running(t->s)) {
		update_running(t, true);
		return;
	}
	if (again)
		new_round(t);
	t->dirty = true;
	t->stale = t->moved = false;
	take_snapshot(t);
	follow_cursor(t);
	screen_each(t, update_pane);
	if (again)
		query_evict(t);
}

/* How long it has been running, for the share that looking took of it. */
static void count_running(struct tui *t)
{
	int64_t now = tui_clock();

	if (t->refresh.run_mark && inspect_running(t->s))
		t->refresh.run_ns += now - t->refresh.run_mark;
	t->refresh.run_mark = inspect_running(t->s) ? now : 0;
}

/* Somebody, perhaps with another face, stepped, wrote or set a breakpoint. */
static void notice_others(struct tui *t)
{
	unsigned revision = inspect_revision(t->s);

	if (revision != t->revision && !inspect_running(t->s))
		t->stale = true;
	t->revision = revision;
}

void tui_refresh(struct tui *t)
{
	bool wanted;

	notice_others(t);
	wanted = t->stale || t->moved; /* the user is waiting to see it */
	count_running(t);
	if (!inspect_running(t->s)) {
		if (wanted)
			tui_update(t, t->stale);
		return;
	}
	t->refresh.now = tui_clock();
	wanted = wanted && t->refresh.now >= t->refresh.next_wanted;
	if (wanted || (!t->paused && t->refresh.now >= t->refresh.next_live))
		update_running(t, wanted || t->refresh.now >= t->refresh.next_hold);
}
