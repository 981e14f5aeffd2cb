/* SPDX-License-Identifier: GPL-3.0-or-later
 * When panes are updated, and how long that may hold a running guest.
 *
 * While the guest is stopped, panes are updated once a stop. While it runs, live panes read
 * counters every period without stopping it, or less often where that takes long. The others need one
 * consistent state: the guest is held while what they show is fetched, for all of them together. That time
 * is measured, and the guest then runs undisturbed for more than a hundred times as long. So refreshing costs
 * it less than one percent, however slow the queries. A user who moves the cursor or changes the screen
 * meanwhile waits less, and moving fetches only what the last refresh did not; what that took is made up for
 * later. */
#include "base/monotonic.h"
#include "tui/tui_int.h"

#include <string.h>

static const int64_t HOST_NS = 1000000000, LIVE_NS = 500000000, OWED_NS = 20000000000;
enum { COST = 125, COST_WANTED = 10, COST_LIVE = 100 };

int64_t tui_clock(void)
{
	return monotonic_ns();
}

void tui_drain(struct tui *t)
{
	uint8_t buf[8192];
	size_t n;

	if (t->remote) /* remote.c writes the output to its terminal */
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

/* Take the registers of a new stop, keeping the previous ones. */
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
	p->updated = tui_clock();
}

static bool is_live(const struct tui *t, const struct pane *p)
{
	return p->cls->live && p->cls->live(p, t);
}

static void update_live(struct tui *t, struct pane *p)
{
	if (is_live(t, p))
		update_pane(t, p);
}

static void update_held(struct tui *t, struct pane *p)
{
	if (is_live(t, p))
		return;
	if (p->cls->fetch)
		p->cls->fetch(p, t);
	else
		update_pane(t, p);
}

/* What was fetched while the guest was held. */
static void update_fetched(struct tui *t, struct pane *p)
{
	if (!is_live(t, p) && p->cls->fetch)
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
	t->refresh.want_hold |= !is_live(t, p);
}

/* When the guest may be held again, after COST ns: what all holds have taken so far is to be a small share of
 * the time that it ran. A long debt is not paid in full, nor is time without holds saved up. */
static int64_t next_hold(const struct refresh *r, int64_t cost)
{
	int64_t least = cost * COST > r->period ? cost * COST : r->period;
	int64_t owed = (r->held_ns + cost) * COST - r->run_ns;

	owed = owed > OWED_NS ? OWED_NS : owed;
	return r->now + (owed > least ? owed : least);
}

/* Hold the guest, fetch for all panes that need it held, and update them. ALL: fetch everything again. */
static void update_under_hold(struct tui *t, bool all)
{
	struct selection before = t->sel;
	int64_t from = tui_clock(), cost;

	t->refresh.held = inspect_hold(t->s);
	if (!t->refresh.held) {
		t->stale = true; /* it has just stopped by itself */
		return;
	}
	if (all)
		t->queries.fetched = t->queries.round;
	t->queries.reuse = !all;
	take_snapshot(t);
	screen_each(t, update_held);
	inspect_release(t->s);
	t->refresh.held = false;
	cost = tui_clock() - from;
	screen_each_again(t, update_fetched);
	t->queries.reuse = false;
	query_evict(t);
	t->refresh.held_ns += cost;
	t->refresh.holds++;
	if (all)
		t->refresh.next_hold = next_hold(&t->refresh, cost);
	t->refresh.next_wanted = t->refresh.now + cost * COST_WANTED;
	if (before.ccf_host != t->sel.ccf_host) /* another row has come under a cursor: its fragment */
		t->moved = true;
}

/* While the guest runs. HOLD: also the panes that need it held. */
static void update_running(struct tui *t, bool hold)
{
	bool all = t->stale || t->refresh.now >= t->refresh.next_hold;
	int64_t live = monotonic_thread_ns();

	new_round(t);
	time_line_update(t);
	follow_cursor(t);
	t->refresh.want_hold = false;
	screen_each(t, update_live);
	live = (monotonic_thread_ns() - live) * COST_LIVE;
	screen_each(t, count_held);
	if (hold || !t->refresh.want_hold)
		t->stale = t->moved = false;
	if (!t->refresh.want_hold)
		query_evict(t);
	else if (hold)
		update_under_hold(t, all);
	live = live > LIVE_NS ? LIVE_NS : live;
	t->refresh.next_live = t->refresh.now + (live > t->refresh.period ? live : t->refresh.period);
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
	time_line_update(t);
	follow_cursor(t);
	screen_each(t, update_pane);
	if (again)
		query_evict(t);
}

/* Count the running time, for the share in which the guest was held. */
static void count_running(struct tui *t)
{
	int64_t now = tui_clock();

	if (t->refresh.run_mark && inspect_running(t->s))
		t->refresh.run_ns += now - t->refresh.run_mark;
	t->refresh.run_mark = inspect_running(t->s) ? now : 0;
}

/* Any face may have stepped the guest, written memory or set a breakpoint. */
static void notice_others(struct tui *t)
{
	unsigned revision = inspect_revision(t->s);

	if (revision != t->refresh.revision && !inspect_running(t->s))
		t->stale = true;
	t->refresh.revision = revision;
}

bool tui_host_is_due(const struct tui *t)
{
	return tui_is_host(t) && !t->paused && tui_clock() >= t->refresh.next_live;
}

void tui_refresh(struct tui *t)
{
	bool wanted;

	notice_others(t);
	wanted = t->stale || t->moved; /* the user is waiting to see it */
	count_running(t);
	if (!inspect_running(t->s)) {
		if (!wanted && !tui_host_is_due(t))
			return;
		tui_update(t, t->stale || !wanted);
		t->refresh.next_live = t->refresh.now + HOST_NS;
		return;
	}
	t->refresh.now = tui_clock();
	wanted = wanted && t->refresh.now >= t->refresh.next_wanted;
	if (wanted || (!t->paused && t->refresh.now >= t->refresh.next_live))
		update_running(t, wanted || t->refresh.now >= t->refresh.next_hold);
}
