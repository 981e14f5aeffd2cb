/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio balloon (Virtual I/O Device 1.2, 5.5): pages come and go by lists of PFNs; the driver has to say
 * which pages it takes back before it uses them; statistics are asked for every few seconds; free pages that
 * the guest reports lose their memory. The driver does not poll: once a second of VM time the device looks
 * whether the target has changed, and interrupts it then. Queues are numbered without those whose feature was
 * not accepted, as Linux does it. GPR-only code (base/gpr.h). */
#include "hv/dev/virtio.h"

enum { INFLATE, DEFLATE, STATS, REPORTS, QUEUES, QUEUE_SIZE = 128 };
enum { C_NUM_PAGES = 0, C_ACTUAL = 4, C_LEN = 8, STAT_LEN = 10 };
enum { PFNS = 64, PFNS_MAX = 16384 /* in a chain */, STATS_MAX = 64, STATS_EVERY = 5 /* polls */ };
#define F_MUST_TELL (1ull << 0)
#define F_STATS (1ull << 1)
#define F_REPORTS (1ull << 5)

struct virtio_balloon {
	struct virtio v;
	struct vm_timer poll;
	uint32_t told;		   /* the target in the configuration */
	uint32_t polls;		   /* since statistics were asked for */
	uint16_t stats_head;	   /* the chain of statistics that is given back to ask for new ones */
	bool stats_wait;	   /* there is one */
	struct virtio_chain chain; /* the one being looked at */
};

static const struct state_field fields[] = {
	F_VIRTIO(virtio_balloon, v),	   F_TIMER(virtio_balloon, poll),
	F_NUM(virtio_balloon, told),	   F_NUM(virtio_balloon, polls),
	F_NUM(virtio_balloon, stats_head), F_NUM_IN(virtio_balloon, stats_wait, 0, 1),
};

static uint32_t capabilities(const struct virtio *v)
{
	return BALLOON_BASIC | BALLOON_BATCHED | (v->features & F_MUST_TELL ? BALLOON_TELLS : 0) |
	       (v->features & F_STATS ? BALLOON_STATS : 0) | (v->features & F_REPORTS ? BALLOON_REPORTS : 0);
}

/* The driver says something. */
static void contact(struct virtio *v)
{
	struct board *b = v->d.board;

	if (b->balloon.driver != BALLOON_VIRTIO)
		balloon_start(b, BALLOON_VIRTIO, capabilities(v));
	else
		balloon_contact(b);
}

/* ---- the queues ---- */

/* Which queue is number N with the features that the driver accepted. */
static unsigned role(const struct virtio *v, unsigned n)
{
	return n == STATS && !(v->features & F_STATS) ? REPORTS : n;
}

static void inflate_all(struct board *b, const uint64_t *pfn, uint32_t n)
{
	uint64_t first;

	for (uint32_t k; n; n -= k, pfn += k) {
		k = balloon_run(pfn, n, 0, &first);
		if (balloon_inflate_run(b, first, k))
			continue;
		for (uint32_t i = 0; i < k; i++)
			balloon_inflate(b, pfn[i], 1);
	}
}

/* A list of pages: 32 bits each, numbers of 4 KiB pages. */
static void move_pages(struct virtio_balloon *x, bool inflate)
{
	struct board *b = x->v.d.board;
	uint64_t n = x->chain.out_len / sizeof(uint32_t);
	uint32_t pfn[PFNS];
	uint64_t list[PFNS];

	if (n > PFNS_MAX) {
		virtio_break(&x->v, "too many pages at once");
		return;
	}
	for (uint64_t done = 0, part; done < n; done += part) {
		part = n - done < PFNS ? n - done : PFNS;
		if (!virtio_get(&x->v, &x->chain, done * sizeof(pfn[0]), pfn, part * sizeof(pfn[0])))
			return;
		for (unsigned i = 0; i < part; i++)
			list[i] = pfn[i];
		if (inflate)
			inflate_all(b, list, (uint32_t)part);
		else
			for (unsigned i = 0; i < part; i++)
				balloon_deflate(b, list[i], 1);
	}
}

static void take_stats(struct virtio_balloon *x)
{
	struct balloon *bal = &x->v.d.board->balloon;
	uint8_t entry[STAT_LEN];
	uint16_t tag;

	for (unsigned i = 0; i < STATS_MAX; i++) {
		if (!virtio_get(&x->v, &x->chain, i * STAT_LEN, entry, STAT_LEN))
			break;
		gpr_copy(&tag, entry, sizeof(tag));
		if (tag >= BALLOON_STAT_COUNT)
			continue;
		gpr_copy(&bal->stat[tag], entry + sizeof(tag), sizeof(bal->stat[tag]));
		bal->stats_known |= 1u << tag;
	}
	bal->stats_at = bal->contact;
	x->stats_head = x->chain.head;
	x->stats_wait = true;
}

/* What the driver lets the device write is free memory: it has no content to keep. */
static void take_reports(struct virtio_balloon *x)
{
	struct board *b = x->v.d.board;

	for (unsigned i = x->chain.nout; i < x->chain.nout + x->chain.nin; i++) {
		const struct virtio_segment *s = &x->chain.seg[i];
		uint64_t first = (s->at >> PAGE_SHIFT) + !!(s->at & PAGE_MASK), end;

		if (__builtin_add_overflow(s->at, s->len, &end))
			continue;
		end >>= PAGE_SHIFT;
		if (end > first)
			b->balloon.reported += mm_release_pages(b->vm, first, (uint32_t)(end - first));
	}
}

static void notify(struct virtio *v, unsigned queue)
{
	struct virtio_balloon *x = (struct virtio_balloon *)v;
	uint32_t before = v->d.board->balloon.held;

	/* At most as many as the queue has entries: a driver whose rings overlap would never end. */
	for (unsigned n = 0; n < QUEUE_SIZE && virtio_pop(v, queue, &x->chain); n++) {
		contact(v);
		switch (role(v, queue)) {
		case INFLATE:
		case DEFLATE:
			move_pages(x, queue == INFLATE);
			break;
		case STATS:
			if (x->stats_wait) /* there should be one only: the older goes back */
				virtio_push(v, queue, x->stats_head, 0);
			take_stats(x);
			continue;
		case REPORTS:
			take_reports(x);
			break;
		}
		virtio_push(v, queue, x->chain.head, 0);
	}
	balloon_moved(v->d.board, before);
}

/* ---- the target ---- */

static void poll(void *ctx)
{
	struct virtio_balloon *x = ctx;
	struct board *b = x->v.d.board;
	uint32_t target = balloon_target(b);

	timer_arm(&b->clock, &x->poll, clock_now(&b->clock) + NS_PER_SEC);
	if (target != x->told) {
		x->told = target;
		gpr_copy(x->v.config + C_NUM_PAGES, &target, sizeof(target));
		virtio_config_changed(&x->v);
	}
	/* The first chain may have come before the device was ready. */
	if (!x->stats_wait && (x->v.features & F_STATS))
		notify(&x->v, STATS);
	if (++x->polls < STATS_EVERY || !x->stats_wait)
		return;
	x->polls = 0;
	x->stats_wait = false;
	virtio_push(&x->v, STATS, x->stats_head, 0);
}

/* The driver may write how many pages it has, not how many it shall have. */
static void config_written(struct virtio *v, unsigned off, unsigned n)
{
	(void)off, (void)n;
	gpr_copy(v->config + C_NUM_PAGES, &((struct virtio_balloon *)v)->told, sizeof(uint32_t));
}

/* ---- the device ---- */

/* The driver is gone, and with it what it held. */
static void driver_reset(struct virtio *v)
{
	struct virtio_balloon *x = (struct virtio_balloon *)v;

	if (v->d.board->balloon.driver == BALLOON_VIRTIO)
		balloon_reset(v->d.board);
	gpr_zero(v->config + C_ACTUAL, sizeof(uint32_t));
	x->stats_wait = false;
	x->polls = 0;
}

static const struct virtio_type type = {
	.name = "Virtio memory balloon",
	.id = 5,
	.class_code = 0x00ff00,
	.nqueues = QUEUES,
	.queue_size = { QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE },
	.features = F_MUST_TELL | F_STATS | F_REPORTS,
	.config_len = C_LEN,
	.reset = driver_reset,
	.notify = notify,
	.config_written = config_written,
};

static bool open_balloon(struct dev *d, char *err, size_t errlen)
{
	struct virtio_balloon *x = (struct virtio_balloon *)d;

	x->poll.fire = poll;
	x->poll.ctx = x;
	return virtio_open(&x->v, &type, err, errlen);
}

static void reset(struct dev *d)
{
	struct virtio_balloon *x = (struct virtio_balloon *)d;

	virtio_reset(d);
	x->told = 0;
	gpr_zero(x->v.config, C_LEN);
	timer_arm(&d->board->clock, &x->poll, clock_now(&d->board->clock) + NS_PER_SEC);
}

static void fini(struct dev *d)
{
	timer_cancel(&d->board->clock, &((struct virtio_balloon *)d)->poll);
	virtio_fini((struct virtio *)d);
}

const struct dev_class virtio_balloon_class = {
	.name = "virtio-balloon",
	.help = "virtio memory balloon",
	.size = sizeof(struct virtio_balloon),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_FIELDS(fields),
	.open = open_balloon,
	.reset = reset,
	.fini = fini,
	.mmio_read = virtio_read,
	.mmio_write = virtio_write,
};
