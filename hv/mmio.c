/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/mmio.h. The look-up is a binary search with the last result kept, gaps included:
 * drivers use one register block at a time, and a guest that polls missing memory stays in
 * one gap. GPR-only code (base/gpr.h): accesses to devices that are not go through the door. */
#include "hv/mmio.h"

#include "base/gpr.h"
#include "base/log.h"
#include "hv/board.h"
#include "hv/io/door.h"

enum { MAX_ACCESS = 8 };

static void forget_hit(struct mmio_bus *b)
{
	b->hit.first = 1;
	b->hit.last = 0;
}

void mmio_init(struct mmio_bus *b)
{
	gpr_zero(b, sizeof(*b));
	b->missed.page = UINT64_MAX;
	forget_hit(b);
}

/* The number of ranges that begin at or below A. */
static unsigned count_below(const struct mmio_bus *b, gpa a)
{
	unsigned lo = 0, hi = b->nranges;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (b->range[mid].first <= a)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct mmio_range *search(struct mmio_bus *b, gpa a)
{
	unsigned n = count_below(b, a);
	struct mmio_range *r = n ? &b->range[n - 1] : NULL;

	if (r && a <= r->last) {
		b->hit.first = r->first;
		b->hit.last = r->last;
		b->hit.range = r;
		return r;
	}
	b->hit.first = r ? r->last + 1 : 0;
	b->hit.last = n < b->nranges ? b->range[n].first - 1 : UINT64_MAX;
	b->hit.range = NULL;
	return NULL;
}

/* The range with A, or NULL. b->hit tells how far the answer holds. */
static inline struct mmio_range *find(struct mmio_bus *b, gpa a)
{
	if (__builtin_expect(a >= b->hit.first && a <= b->hit.last, 1))
		return b->hit.range;
	return search(b, a);
}

/* ---- registration ---- */

static int index_of(const struct mmio_bus *b, const struct dev *d, unsigned region)
{
	for (unsigned i = 0; i < b->nranges; i++)
		if (b->range[i].dev == d && b->range[i].region == region)
			return (int)i;
	return -1;
}

static void take_out(struct mmio_bus *b, unsigned at)
{
	b->nranges--;
	for (unsigned i = at; i < b->nranges; i++)
		b->range[i] = b->range[i + 1];
	forget_hit(b);
}

static bool put_in(struct mmio_bus *b, const struct mmio_range *r)
{
	unsigned at = count_below(b, r->first);

	if (r->last < r->first || b->nranges == MMIO_MAX_RANGES)
		return false;
	if ((at && b->range[at - 1].last >= r->first) || (at < b->nranges && b->range[at].first <= r->last))
		return false;
	for (unsigned i = b->nranges++; i > at; i--)
		b->range[i] = b->range[i - 1];
	b->range[at] = *r;
	forget_hit(b);
	return true;
}

bool mmio_add(struct mmio_bus *b, struct dev *d, unsigned region, gpa first, uint64_t len, unsigned sizes)
{
	struct mmio_range r = { .dev = d,
				.first = first,
				.last = first + len - 1,
				.region = (uint8_t)region,
				.sizes = (uint8_t)sizes };

	return len && region <= UINT8_MAX && index_of(b, d, region) < 0 && put_in(b, &r);
}

bool mmio_move(struct mmio_bus *b, const struct dev *d, unsigned region, gpa first)
{
	int at = index_of(b, d, region);
	struct mmio_range old, r;

	if (at < 0)
		return false;
	old = r = b->range[at];
	r.first = first;
	r.last = first + (old.last - old.first);
	take_out(b, (unsigned)at);
	if (put_in(b, &r))
		return true;
	put_in(b, &old);
	return false;
}

bool mmio_remove(struct mmio_bus *b, const struct dev *d, unsigned region)
{
	int at = index_of(b, d, region);

	if (at >= 0)
		take_out(b, (unsigned)at);
	return at >= 0;
}

/* ---- access ---- */

/* Log the first miss in each page. */
static void log_page(struct mmio_misses *m, gpa a, bool write)
{
	m->page = a >> PAGE_SHIFT;
	for (unsigned i = 0; i < m->nlogged; i++)
		if (m->logged[i] == m->page)
			return;
	if (m->nlogged == MMIO_LOGGED_PAGES)
		return;
	m->logged[m->nlogged++] = m->page;
	LOG(io, "%s at %#llx: no memory and no device (logged once for this page)", write ? "write" : "read",
	    (unsigned long long)a);
}

static void miss(struct mmio_bus *b, gpa a, bool write)
{
	struct mmio_misses *m = &b->missed;

	if (write)
		m->writes++;
	else
		m->reads++;
	m->recent = a;
	if (__builtin_expect(m->page != a >> PAGE_SHIFT, 0))
		log_page(m, a, write);
}

/* An access on its way through the door. */
struct host_access {
	struct dev *d;
	unsigned region, size;
	uint64_t off, val;
};

static void host_read(void *arg)
{
	struct host_access *a = arg;

	a->val = a->d->cls->mmio_read(a->d, a->region, a->off, a->size);
}

static void host_write(void *arg)
{
	const struct host_access *a = arg;

	a->d->cls->mmio_write(a->d, a->region, a->off, a->size, a->val);
}

static __attribute__((noinline)) uint64_t through_door(const struct mmio_range *r, uint64_t off,
						       unsigned size, uint64_t val, void (*fn)(void *))
{
	struct host_access a = { r->dev, r->region, size, off, val };

	door_call(r->dev->board->door, r->dev->user, DOOR_REGISTER, fn, &a);
	return a.val;
}

static uint64_t call_read(const struct mmio_range *r, uint64_t off, unsigned size)
{
	if (r->dev->direct)
		return r->dev->cls->mmio_read(r->dev, r->region, off, size);
	return through_door(r, off, size, 0, host_read);
}

static void call_write(const struct mmio_range *r, uint64_t off, unsigned size, uint64_t val)
{
	if (r->dev->direct)
		r->dev->cls->mmio_write(r->dev, r->region, off, size, val);
	else
		through_door(r, off, size, val, host_write);
}

/* Size of the next access that the device of R takes, of LEFT bytes from A; 0: it takes none here. */
static unsigned piece(const struct mmio_range *r, gpa a, unsigned left)
{
	for (unsigned n = MAX_ACCESS; n; n /= 2)
		if ((r->sizes & n) && n <= left && n - 1 <= r->last - a && (n == left || !(a & (n - 1))))
			return n;
	return 0;
}

static void read_piece(struct mmio_range *r, gpa a, uint8_t *out, unsigned n)
{
	uint64_t val;

	r->reads++;
	r->recent = a;
	val = call_read(r, a - r->first, n); /* the device may move R */
	for (unsigned i = 0; i < n; i++)
		out[i] = (uint8_t)(val >> (8 * i));
}

static void write_piece(struct mmio_range *r, gpa a, const uint8_t *in, unsigned n)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < n; i++)
		val |= (uint64_t)in[i] << (8 * i);
	r->writes++;
	r->recent = a;
	call_write(r, a - r->first, n, val);
}

/* Length of the part of LEFT bytes from A that lies in the gap just found. */
static unsigned gap_part(const struct mmio_bus *b, gpa a, unsigned left)
{
	return b->hit.last - a < left - 1 ? (unsigned)(b->hit.last - a) + 1 : left;
}

static __attribute__((noinline)) void read_parts(struct mmio_bus *b, gpa a, uint8_t *out, unsigned size)
{
	bool missed = false;
	gpa first_miss = 0;

	for (unsigned n; size; a += n, out += n, size -= n) {
		struct mmio_range *r = find(b, a);

		n = r ? piece(r, a, size) : 0;
		if (n) {
			read_piece(r, a, out, n);
			continue;
		}
		n = r ? 1 : gap_part(b, a, size);
		gpr_fill(out, 0xff, n);
		first_miss = missed ? first_miss : a;
		missed = true;
	}
	if (missed)
		miss(b, first_miss, false);
}

static __attribute__((noinline)) void write_parts(struct mmio_bus *b, gpa a, const uint8_t *in, unsigned size)
{
	bool missed = false;
	gpa first_miss = 0;

	for (unsigned n; size; a += n, in += n, size -= n) {
		struct mmio_range *r = find(b, a);

		n = r ? piece(r, a, size) : 0;
		if (n) {
			write_piece(r, a, in, n);
			continue;
		}
		n = r ? 1 : gap_part(b, a, size);
		first_miss = missed ? first_miss : a;
		missed = true;
	}
	if (missed)
		miss(b, first_miss, true);
}

/* The access lies in a gap as a whole, as those of a guest that polls missing memory do. */
static inline bool in_gap(struct mmio_bus *b, gpa a, unsigned size)
{
	return !find(b, a) && size - 1 <= b->hit.last - a;
}

void mmio_read(struct mmio_bus *b, gpa a, void *buf, unsigned size)
{
	if (size != 4 || !in_gap(b, a, size)) {
		read_parts(b, a, buf, size);
		return;
	}
	*(any32 *)buf = UINT32_MAX;
	miss(b, a, false);
}

void mmio_write(struct mmio_bus *b, gpa a, const void *buf, unsigned size)
{
	if (size && in_gap(b, a, size))
		miss(b, a, true);
	else
		write_parts(b, a, buf, size);
}
