/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/balloon.h. GPR-only code (base/gpr.h). */
#include "hv/balloon.h"

#include "base/log.h"
#include "hv/board.h"

const char *balloon_event_name(unsigned ev)
{
	static const char *const names[BALLOON_EVENTS] = {
		[BALLOON_EV_INFLATE] = "inflate", [BALLOON_EV_DEFLATE] = "deflate",
		[BALLOON_EV_REACHED] = "reached", [BALLOON_EV_START] = "start",
		[BALLOON_EV_RESET] = "reset",
	};

	return ev < BALLOON_EVENTS ? names[ev] : NULL;
}

static const char *const device_names[BALLOON_DEVICES] = {
	[BALLOON_BY_VMWARE] = "vmware",
	[BALLOON_BY_VIRTIO] = "virtio",
	[BALLOON_BY_NOBODY] = "none",
};

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool balloon_device(const char *name, enum balloon_device *d)
{
	for (*d = 0; *d < BALLOON_DEVICES; ++*d)
		if (!name || same(name, device_names[*d]))
			return true;
	return false;
}

const char *balloon_device_name(enum balloon_device d)
{
	return device_names[d];
}

static void event(struct board *b, enum balloon_event ev, uint64_t val)
{
	if (b->balloon.wanted[ev])
		board_hit(b, &(struct machine_hit){ MACHINE_EV_BALLOON, ev, val });
}

/* What others may read. */
static void show(struct board *b)
{
	struct mm_slot *s = mm_slot(b->vm);

	atomic_store_explicit(&s->ballooned, b->balloon.held, memory_order_relaxed);
	atomic_store_explicit(&s->driver, b->balloon.driver, memory_order_relaxed);
	atomic_store_explicit(&s->popped, b->balloon.popped, memory_order_relaxed);
}

uint32_t balloon_target(struct board *b)
{
	uint32_t n = atomic_load_explicit(&mm_slot(b->vm)->balloon, memory_order_relaxed);

	return n < b->memory >> PAGE_SHIFT ? n : (uint32_t)(b->memory >> PAGE_SHIFT);
}

void balloon_sync(struct board *b)
{
	struct balloon *x = &b->balloon;
	uint64_t pops = mm_counts(b->vm)->popped, n = pops - x->pops;

	x->target = balloon_target(b);
	x->pops = pops;
	x->popped += n;
	if (n)
		show(b);
	/* virtio's driver cannot be told, and may use pages before it says so. */
	if (!n || x->reset || x->driver == BALLOON_NONE || x->driver == BALLOON_VIRTIO)
		return;
	x->reset = true;
	x->resets++;
	LOG(dev, "balloon: %llu pages were touched: its driver has to begin anew", (unsigned long long)n);
	event(b, BALLOON_EV_RESET, n);
}

/* All pages come back. */
static void empty(struct board *b, enum mm_balloon_driver driver, uint32_t capabilities)
{
	struct balloon *x = &b->balloon;

	balloon_sync(b);
	mm_deflate_all(b->vm);
	x->driver = driver;
	x->capabilities = capabilities;
	x->held = 0;
	x->reset = false;
	show(b);
}

void balloon_reset(struct board *b)
{
	struct balloon *x = &b->balloon;

	empty(b, BALLOON_NONE, 0);
	x->guest = x->limit = 0;
	x->stats_known = 0;
	x->contact = clock_now(&b->clock);
}

void balloon_loaded(struct board *b)
{
	struct balloon *x = &b->balloon;

	x->pops = mm_counts(b->vm)->popped;
	atomic_store(&mm_slot(b->vm)->balloon, x->target);
	mm_deflate_all(b->vm);
	show(b);
}

/* The VM time of a call; the rate, about once a second. */
static void note_contact(struct board *b)
{
	struct balloon *x = &b->balloon;
	uint64_t now = clock_now(&b->clock), moved = x->inflated + x->deflated;

	x->contact = now;
	if (now >= x->rate_at && now - x->rate_at < NS_PER_SEC)
		return;
	x->rate = now > x->rate_at ? muldiv64(moved - x->rate_from, NS_PER_SEC, now - x->rate_at) : 0;
	x->rate_at = now;
	x->rate_from = moved;
}

void balloon_start(struct board *b, enum mm_balloon_driver driver, uint32_t capabilities)
{
	empty(b, driver, capabilities);
	b->balloon.starts++;
	note_contact(b);
	event(b, BALLOON_EV_START, 0);
}

void balloon_named(struct board *b, enum mm_balloon_driver driver)
{
	b->balloon.driver = driver;
	show(b);
}

bool balloon_contact(struct board *b)
{
	note_contact(b);
	balloon_sync(b);
	return b->balloon.driver != BALLOON_NONE && !b->balloon.reset;
}

static enum mm_balloon inflate(struct board *b, uint64_t first, uint32_t n)
{
	enum mm_balloon r = mm_balloon_pages(b->vm, first, n);

	if (r == MM_BALLOON_DONE) {
		b->balloon.held += n;
		b->balloon.inflated += n;
	}
	return r;
}

enum mm_balloon balloon_inflate(struct board *b, uint64_t first, uint32_t n)
{
	enum mm_balloon r = inflate(b, first, n);

	if (r != MM_BALLOON_DONE)
		b->balloon.refused += n;
	return r;
}

uint32_t balloon_run(const uint64_t *list, uint32_t n, unsigned shift, uint64_t *first)
{
	uint64_t p = list[0] >> shift;
	bool down = n > 1 && list[1] >> shift == p - 1;
	uint32_t k = 1;

	while (k < n && list[k] >> shift == (down ? p - k : p + k))
		k++;
	*first = down ? p - (k - 1) : p;
	return k;
}

bool balloon_inflate_run(struct board *b, uint64_t first, uint32_t n)
{
	return inflate(b, first, n) == MM_BALLOON_DONE;
}

enum mm_balloon balloon_deflate(struct board *b, uint64_t first, uint32_t n)
{
	struct balloon *x = &b->balloon;
	enum mm_balloon r = mm_deflate_pages(b->vm, first, n);

	/* A page that was popped leaves virtio's balloon as any other does. */
	if (r == MM_BALLOON_DONE || (r == MM_BALLOON_WAS && x->driver == BALLOON_VIRTIO)) {
		x->held -= n < x->held ? n : x->held;
		x->deflated += n;
	} else {
		x->refused += n;
	}
	return r;
}

void balloon_moved(struct board *b, uint32_t before)
{
	uint32_t held = b->balloon.held, target = balloon_target(b);

	if (held == before)
		return;
	show(b);
	/* One call is one event, the rarer first. */
	if (held > before ? before < target && held >= target : before > target && held <= target)
		event(b, BALLOON_EV_REACHED, held);
	if (held > before)
		event(b, BALLOON_EV_INFLATE, held - before);
	else
		event(b, BALLOON_EV_DEFLATE, before - held);
}
