/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtio balloon through its registers and rings, by a driver of this test's own: lists of pages,
 * statistics, reports of free pages, the target in the configuration; and lists that no driver would write.
 */
#include "tests/suite.h"
#include <string.h>

#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { PAGES = 1024, QUEUE = 16, RINGS = 0x10000, STRIDE = 0x3000, AVAIL = 0x1000, USED = 0x2000 };
enum { LIST = 0x40000, STAT_BUF = 0x60000, FIRST = 0x200 /* pages for the balloon */ };
enum { WRITE = 2, NEXT = 1, DRIVER_OK = 15, NEEDS_RESET = 0x40 };
enum { INFLATE, DEFLATE, STATS, REPORTS, QUEUES };
enum { TELLS = 1, HAS_STATS = 2, REPORTING = 32 };

static struct machine *m;
static struct virtio *v;
static gpa region;
static uint16_t avail[QUEUES];

static uint32_t reg_read(gpa at, unsigned n)
{
	uint32_t val = 0;

	mmio_read(&m->board.mmio, region + at, &val, n);
	return val;
}

static void reg_write(gpa at, unsigned n, uint32_t val)
{
	mmio_write(&m->board.mmio, region + at, &val, n);
}

static void put(gpa at, const void *p, size_t n)
{
	ck_assert(mm_phys_write(m->vm, at, p, n));
}

static uint16_t get16(gpa at)
{
	uint16_t val;

	ck_assert(mm_phys_read(m->vm, at, &val, 2));
	return val;
}

static enum page_state state(ppn p)
{
	enum page_state s = PAGE_STATES;

	ck_assert(mm_state_of(m->vm, p, &s));
	return s;
}

static void books(void)
{
	struct mm_books b;

	ck_assert_msg(mm_check(m->vm, true, &b), "%s (%x)", b.wrong, b.at);
	ck_assert_uint_eq(mm_slot(m->vm)->ballooned, m->board.balloon.held);
}

static void start(uint32_t features)
{
	static const uint8_t zero[QUEUES * STRIDE];

	memset(avail, 0, sizeof(avail));
	put(RINGS, zero, sizeof(zero));
	reg_write(20, 1, 0);
	reg_write(8, 4, 0);
	reg_write(12, 4, features);
	reg_write(8, 4, 1);
	reg_write(12, 4, 1);
	for (unsigned q = 0; q < QUEUES; q++) {
		reg_write(22, 2, q);
		reg_write(24, 2, QUEUE);
		reg_write(32, 4, RINGS + q * STRIDE);
		reg_write(40, 4, RINGS + q * STRIDE + AVAIL);
		reg_write(48, 4, RINGS + q * STRIDE + USED);
		reg_write(28, 2, 1);
	}
	reg_write(20, 1, DRIVER_OK);
}

static void setup(void)
{
	struct machine_config cfg = { .memory = PAGES << PAGE_SHIFT,
				      .clock = CLOCK_ICOUNT,
				      .balloon = "virtio",
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "";

	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	v = (struct virtio *)board_find(&m->board, "virtio-balloon");
	ck_assert_ptr_nonnull(v);
	v->f.cfg[PCI_COMMAND] = PCI_MEMORY | PCI_MASTER;
	region = v->f.mapped[4];
	start(TELLS | HAS_STATS | REPORTING);
}

static void teardown(void)
{
	books();
	machine_free(m);
}

static void descriptor(unsigned q, unsigned i, gpa at, uint32_t len, unsigned flags)
{
	uint64_t d[2] = { at, (uint64_t)(i + 1) << 48 | (uint64_t)flags << 32 | len };

	put(RINGS + q * STRIDE + 16 * i, d, sizeof(d));
}

static void offer(unsigned q)
{
	gpa ring = RINGS + q * STRIDE + AVAIL;
	uint16_t head = 0;

	put(ring + 4 + 2 * (avail[q] % QUEUE), &head, 2);
	avail[q]++;
	put(ring + 2, &avail[q], 2);
	reg_write(0x3000 + 4 * q, 2, q);
}

static uint16_t used(unsigned q)
{
	return get16(RINGS + q * STRIDE + USED + 2);
}

/* Give (take back) the N pages of LIST. */
static void pages(unsigned q, const uint32_t *pfn, unsigned n)
{
	put(LIST, pfn, n * sizeof(*pfn));
	descriptor(q, 0, LIST, n * (uint32_t)sizeof(*pfn), 0);
	offer(q);
	ck_assert_uint_eq(used(q), avail[q]);
}

START_TEST(inflate)
{
	static const uint32_t list[] = { FIRST, FIRST + 7, FIRST, PAGES, 0x80000, 0xfee00, UINT32_MAX };
	uint8_t byte = 1;

	put((gpa)FIRST << PAGE_SHIFT, &byte, 1);
	pages(INFLATE, list, ARRAY_LEN(list));
	ck_assert_int_eq(state(FIRST), PAGE_BALLOONED);
	ck_assert_int_eq(state(FIRST + 7), PAGE_BALLOONED);
	ck_assert_uint_eq(m->board.balloon.held, 2);
	ck_assert_uint_eq(m->board.balloon.refused, 5);
	ck_assert_uint_eq(mm_slot(m->vm)->driver, BALLOON_VIRTIO);
	ck_assert_uint_eq(m->board.balloon.capabilities,
			  BALLOON_BASIC | BALLOON_BATCHED | BALLOON_TELLS | BALLOON_STATS | BALLOON_REPORTS);
	books();
	pages(DEFLATE, list, ARRAY_LEN(list));
	ck_assert_int_eq(state(FIRST), PAGE_ABSENT);
	ck_assert_uint_eq(m->board.balloon.held, 0);
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
	ck_assert(mm_phys_read(m->vm, (gpa)FIRST << PAGE_SHIFT, &byte, 1));
	ck_assert_uint_eq(byte, 0);
}
END_TEST

/* Pages that the guest uses before it says so: no error in this protocol, but counted. */
START_TEST(popped)
{
	static const uint32_t list[] = { FIRST, FIRST + 1 };
	uint8_t byte = 9;

	pages(INFLATE, list, 2);
	put((gpa)FIRST << PAGE_SHIFT, &byte, 1);
	pages(DEFLATE, list, 2);
	ck_assert_uint_eq(m->board.balloon.held, 0);
	ck_assert_uint_eq(m->board.balloon.popped, 1);
	ck_assert_uint_eq(m->board.balloon.resets, 0);
	ck_assert(mm_phys_read(m->vm, (gpa)FIRST << PAGE_SHIFT, &byte, 1));
	ck_assert_uint_eq(byte, 9);
}
END_TEST

START_TEST(too_many)
{
	descriptor(INFLATE, 0, LIST, 16385 * 4, 0);
	offer(INFLATE);
	ck_assert_uint_eq(v->status & NEEDS_RESET, NEEDS_RESET);
	ck_assert_uint_eq(m->board.balloon.held, 0);
	start(TELLS);
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
	/* A list that begins in memory and ends where there is none: what was read of it counts. */
	descriptor(INFLATE, 0, (PAGES << PAGE_SHIFT) - 256, 512, 0);
	offer(INFLATE);
	ck_assert_uint_eq(m->board.balloon.held, 1); /* PFN 0, again and again */
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
	books();
}
END_TEST

/* A ring whose used index is its available index: one notification ends. */
START_TEST(rings_overlap)
{
	uint16_t one[2] = { 0, 1 };

	reg_write(20, 1, 0);
	start(0);
	reg_write(20, 1, 0);
	reg_write(8, 4, 1);
	reg_write(12, 4, 1);
	reg_write(22, 2, INFLATE);
	reg_write(24, 2, QUEUE);
	reg_write(32, 4, RINGS);
	reg_write(40, 4, RINGS + AVAIL);
	reg_write(48, 4, RINGS + AVAIL);
	reg_write(28, 2, 1);
	reg_write(20, 1, DRIVER_OK);
	descriptor(INFLATE, 0, LIST, 4, 0);
	put(RINGS + AVAIL, one, sizeof(one));
	reg_write(0x3000, 2, 0);
	ck_assert_uint_le(m->board.balloon.held, 1);
}
END_TEST

/* ---- statistics ---- */

static void statistics(unsigned tag, uint64_t val)
{
	uint8_t entry[30] = { (uint8_t)tag };

	memcpy(entry + 2, &val, 8);
	entry[10] = 0xff; /* one that nobody knows */
	entry[20] = 5;
	entry[22] = 1;
	put(STAT_BUF, entry, sizeof(entry));
	descriptor(STATS, 0, STAT_BUF, sizeof(entry), 0);
	offer(STATS);
}

START_TEST(stats)
{
	const struct balloon *b = &m->board.balloon;

	statistics(4, 12345);
	ck_assert_uint_eq(b->stat[4], 12345);
	ck_assert_uint_eq(b->stat[5], 1);
	ck_assert_uint_eq(b->stats_known, 1 << 4 | 1 << 5);
	ck_assert_uint_eq(used(STATS), 0); /* kept, to ask for the next ones by */
	fake_advance(m, 6 * NS_PER_SEC);
	ck_assert_uint_eq(used(STATS), 1);
	statistics(4, 777);
	ck_assert_uint_eq(b->stat[4], 777);
	statistics(0, 1); /* one too many: the older goes back */
	ck_assert_uint_eq(used(STATS), 2);
	ck_assert_uint_eq(b->stat[0], 1);
	reg_write(20, 1, 0);
	ck_assert_uint_eq(b->stats_known, 0);
}
END_TEST

/* A chain that came before the device was ready is found at the next poll. */
START_TEST(early_stats)
{
	static const uint8_t entry[10] = { 6, 0, 42 };
	gpa ring = RINGS + STATS * STRIDE + AVAIL;

	put(STAT_BUF, entry, sizeof(entry));
	descriptor(STATS, 0, STAT_BUF, sizeof(entry), 0);
	put(ring + 2, &(uint16_t){ 1 }, 2);
	ck_assert_uint_eq(m->board.balloon.starts, 0);
	fake_advance(m, 2 * NS_PER_SEC);
	ck_assert_uint_eq(m->board.balloon.stat[6], 42);
	ck_assert_uint_eq(m->board.balloon.starts, 1);
}
END_TEST

/* ---- free pages ---- */

START_TEST(reports)
{
	uint8_t byte = 1;

	for (ppn p = FIRST; p < FIRST + 20; p++)
		put((gpa)p << PAGE_SHIFT, &byte, 1);
	/* Whole pages alone; what is in the balloon stays there; nothing, and an end beyond all numbers. */
	pages(INFLATE, (const uint32_t[]){ FIRST + 5 }, 1);
	descriptor(REPORTS, 0, ((gpa)FIRST << PAGE_SHIFT) + 1, 8 << PAGE_SHIFT, WRITE | NEXT);
	descriptor(REPORTS, 1, (PAGES - 2) << PAGE_SHIFT, 64 << PAGE_SHIFT, WRITE | NEXT);
	descriptor(REPORTS, 2, UINT64_MAX - 4095, 4096, WRITE | NEXT);
	descriptor(REPORTS, 3, 0xfee00000, 4096, WRITE | NEXT);
	descriptor(REPORTS, 4, UINT64_MAX << PAGE_SHIFT, UINT32_MAX, WRITE);
	offer(REPORTS);
	ck_assert_uint_eq(used(REPORTS), 1);
	ck_assert_int_eq(state(FIRST), PAGE_PRIVATE);
	ck_assert_int_eq(state(FIRST + 1), PAGE_ABSENT);
	ck_assert_int_eq(state(FIRST + 5), PAGE_BALLOONED);
	ck_assert_int_eq(state(FIRST + 7), PAGE_ABSENT);
	ck_assert_int_eq(state(FIRST + 8), PAGE_PRIVATE);
	ck_assert_int_eq(state(PAGES - 1), PAGE_ABSENT);
	ck_assert_uint_eq(m->board.balloon.reported, 6 + 2);
}
END_TEST

/* Without statistics their queue's number is that of the next. */
START_TEST(numbers)
{
	start(REPORTING);
	descriptor(STATS, 0, (gpa)FIRST << PAGE_SHIFT, 4 << PAGE_SHIFT, WRITE);
	offer(STATS);
	ck_assert_uint_eq(used(STATS), 1);
	ck_assert_uint_eq(m->board.balloon.reported, 4);
	ck_assert_uint_eq(m->board.balloon.stats_known, 0);
}
END_TEST

/* ---- the configuration ---- */

START_TEST(target)
{
	uint64_t raised = v->f.raised;

	atomic_store(&mm_slot(m->vm)->balloon, 100);
	fake_advance(m, 2 * NS_PER_SEC);
	ck_assert_uint_eq(reg_read(0x2000, 4), 100);
	ck_assert_uint_eq(v->f.raised, raised + 1);
	ck_assert_uint_eq(reg_read(0x1000, 1), 2); /* configuration */
	fake_advance(m, 5 * NS_PER_SEC);
	ck_assert_uint_eq(v->f.raised, raised + 1);
	reg_write(0x2000, 4, 7); /* not the driver's */
	reg_write(0x2004, 4, 55);
	ck_assert_uint_eq(reg_read(0x2000, 4), 100);
	ck_assert_uint_eq(reg_read(0x2004, 4), 55);
	atomic_store(&mm_slot(m->vm)->balloon, UINT32_MAX);
	fake_advance(m, 2 * NS_PER_SEC);
	ck_assert_uint_eq(reg_read(0x2000, 4), PAGES);
}
END_TEST

/* The driver goes, or the board is reset: all pages come back. */
START_TEST(resets)
{
	pages(INFLATE, (const uint32_t[]){ FIRST, FIRST + 1 }, 2);
	if (_i)
		board_reset(&m->board);
	else
		reg_write(20, 1, 0);
	ck_assert_int_eq(state(FIRST), PAGE_ABSENT);
	ck_assert_uint_eq(mm_slot(m->vm)->driver, BALLOON_NONE);
	ck_assert_uint_eq(mm_slot(m->vm)->ballooned, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv/virtio_balloon");
	TCase *tc = tcase_create("device");
	const TTest *const all[] = { inflate,	  popped,  too_many, rings_overlap, stats,
				     early_stats, reports, numbers,  target };

	tcase_add_checked_fixture(tc, setup, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, resets, 0, 2);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
