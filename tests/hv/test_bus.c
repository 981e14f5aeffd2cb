/* SPDX-License-Identifier: GPL-3.0-or-later
 * MMIO dispatch. The oracle is linear: an array with one entry for each address, which names the byte
 * of the device that is there. Devices are arrays of bytes that check what they are asked. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>

#include "hv/board.h"
#include "hv/io/door.h"

enum { SPACE = 4096, DEVICES = 4, REGIONS = 8, REGION_MAX = 300, STEPS = 10000, ACCESS_MAX = 64 };

struct ram_dev {
	struct dev d;
	uint8_t sizes;
	uint64_t len[REGIONS]; /* 0: not registered */
	uint8_t byte[REGIONS][REGION_MAX];
	unsigned accesses;
	struct mmio_bus *move_on; /* a write moves region 0 to MOVE_TO */
	gpa move_to;
};

static void check_access(const struct ram_dev *r, unsigned region, uint64_t off, unsigned size)
{
	/* (Check's own assertions are too slow for every access.) */
	if (region >= REGIONS || !size || (size & (size - 1)) || !(r->sizes & size) ||
	    off + size > r->len[region])
		ck_abort_msg("region %u, offset %llu, size %u", region, (unsigned long long)off, size);
}

static uint64_t ram_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct ram_dev *r = (struct ram_dev *)d;
	uint64_t val = 0xa5a5a5a5a5a5a5a5; /* what is above SIZE must not matter */

	check_access(r, region, off, size);
	memcpy(&val, r->byte[region] + off, size);
	r->accesses++;
	return val;
}

static void ram_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct ram_dev *r = (struct ram_dev *)d;

	check_access(r, region, off, size);
	memcpy(r->byte[region] + off, &val, size);
	r->accesses++;
	if (r->move_on)
		ck_assert(mmio_move(r->move_on, d, 0, r->move_to));
}

static const struct dev_class ram_class = {
	.name = "ram", .size = sizeof(struct ram_dev), .mmio_read = ram_read, .mmio_write = ram_write
};

static struct ram_dev device(unsigned sizes)
{
	return (struct ram_dev){ .d = { .cls = &ram_class, .direct = true }, .sizes = (uint8_t)sizes };
}

/* ---- against the linear model ---- */

struct model {
	struct mmio_bus bus;
	struct ram_dev dev[DEVICES];
	uint8_t want[DEVICES][REGIONS][REGION_MAX]; /* what the devices' bytes should be */
	gpa base;
	uint8_t *at[SPACE]; /* the byte of WANT at each address; NULL: no device */
	uint64_t missed_reads, missed_writes;
	gpa recent;
};

static bool vacant(const struct model *m, unsigned first, uint64_t len)
{
	for (unsigned i = 0; i < len; i++)
		if (m->at[first + i])
			return false;
	return true;
}

static void occupy(struct model *m, const struct ram_dev *d, unsigned region, unsigned first)
{
	for (unsigned i = 0; i < d->len[region]; i++)
		m->at[first + i] = m->want[d - m->dev][region] + i;
}

/* Take the region out of the model; return where it was. */
static unsigned vacate(struct model *m, const struct ram_dev *d, unsigned region)
{
	const uint8_t *from = m->want[d - m->dev][region];
	unsigned first = SPACE;

	for (unsigned i = 0; i < SPACE; i++)
		if (m->at[i] >= from && m->at[i] < from + REGION_MAX) {
			first = first < i ? first : i;
			m->at[i] = NULL;
		}
	return first;
}

static void change_ranges(struct model *m)
{
	struct ram_dev *d = &m->dev[rand() % DEVICES];
	unsigned region = (unsigned)rand() % REGIONS, first = (unsigned)rand() % (SPACE - REGION_MAX), old;
	uint64_t len = 1 + (unsigned)rand() % (REGION_MAX - 1);

	switch (rand() % 3) {
	case 0:
		if (!d->len[region] && vacant(m, first, len)) {
			ck_assert(mmio_add(&m->bus, &d->d, region, m->base + first, len, d->sizes));
			d->len[region] = len;
			occupy(m, d, region, first);
		} else {
			ck_assert(!mmio_add(&m->bus, &d->d, region, m->base + first, len, d->sizes));
		}
		break;
	case 1:
		if (!d->len[region]) {
			ck_assert(!mmio_move(&m->bus, &d->d, region, m->base + first));
			break;
		}
		old = vacate(m, d, region);
		if (!vacant(m, first, d->len[region])) {
			ck_assert(!mmio_move(&m->bus, &d->d, region, m->base + first));
			first = old;
		} else {
			ck_assert(mmio_move(&m->bus, &d->d, region, m->base + first));
		}
		occupy(m, d, region, first);
		break;
	default:
		ck_assert(mmio_remove(&m->bus, &d->d, region) == (d->len[region] != 0));
		vacate(m, d, region);
		d->len[region] = 0;
	}
}

static bool first_miss(struct model *m, unsigned at, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		if (!m->at[at + i]) {
			m->recent = m->base + at + i;
			return true;
		}
	return false;
}

static void random_access(struct model *m)
{
	unsigned size = rand() % 2 ? 1u << rand() % 4 : 1 + (unsigned)rand() % ACCESS_MAX;
	unsigned at = (unsigned)rand() % (SPACE - ACCESS_MAX);
	uint8_t buf[ACCESS_MAX + 1], want[ACCESS_MAX + 1];

	memset(buf, 0x5a, sizeof(buf));
	memset(want, 0x5a, sizeof(want));
	if (rand() % 2) {
		for (unsigned i = 0; i < size; i++)
			want[i] = m->at[at + i] ? *m->at[at + i] : 0xff;
		mmio_read(&m->bus, m->base + at, buf, size);
		if (memcmp(buf, want, sizeof(buf)))
			ck_abort_msg("read of %u bytes at %#x", size, at);
		m->missed_reads += first_miss(m, at, size);
	} else {
		for (unsigned i = 0; i < size; i++)
			buf[i] = (uint8_t)rand();
		mmio_write(&m->bus, m->base + at, buf, size);
		for (unsigned i = 0; i < size; i++)
			if (m->at[at + i])
				*m->at[at + i] = buf[i];
		for (unsigned i = 0; i < DEVICES; i++)
			if (memcmp(m->want[i], m->dev[i].byte, sizeof(m->want[i])))
				ck_abort_msg("bytes of device %u", i);
		m->missed_writes += first_miss(m, at, size);
	}
	if (m->bus.missed.reads != m->missed_reads || m->bus.missed.writes != m->missed_writes ||
	    m->bus.missed.recent != m->recent)
		ck_abort_msg("count of unanswered accesses, at %#x", at);
}

START_TEST(random_ranges)
{
	static const unsigned sizes[DEVICES] = { 1, 3, 7, 15 };
	static const gpa bases[] = { 0, 0xa0000, 0xfffff000, 0xfffffffffffff000ull };
	struct model *m = calloc(1, sizeof(*m));

	srand((unsigned)_i);
	m->base = bases[_i % (int)ARRAY_LEN(bases)];
	mmio_init(&m->bus);
	for (unsigned i = 0; i < DEVICES; i++) {
		m->dev[i] = device(sizes[i]);
		for (unsigned k = 0; k < sizeof(m->dev[i].byte); k++)
			m->dev[i].byte[k / REGION_MAX][k % REGION_MAX] = (uint8_t)rand();
		memcpy(m->want[i], m->dev[i].byte, sizeof(m->want[i]));
	}
	for (unsigned i = 0; i < STEPS; i++) {
		if (rand() % 16)
			random_access(m);
		else
			change_ranges(m);
	}
	ck_assert_uint_gt(m->dev[0].accesses, STEPS / 100);
	free(m);
}
END_TEST

/* ---- single rules ---- */

START_TEST(pieces)
{
	struct ram_dev r = device(4), wide = device(15);
	struct mmio_bus b;
	uint64_t val = 0;

	mmio_init(&b);
	r.len[0] = wide.len[0] = 16;
	ck_assert(mmio_add(&b, &r.d, 0, 0x1000, 16, r.sizes));
	ck_assert(mmio_add(&b, &wide.d, 0, 0x1010, 16, wide.sizes));
	memset(r.byte, 0x11, sizeof(r.byte));
	mmio_read(&b, 0x1001, &val, 1); /* narrower than the device takes */
	ck_assert_uint_eq(val, 0xff);
	mmio_read(&b, 0x1004, &val, 8);
	ck_assert_uint_eq(val, 0x1111111111111111);
	ck_assert_uint_eq(r.accesses, 2);
	mmio_read(&b, 0x1001, &val, 4); /* complete as it is: the device decides what that means */
	ck_assert_uint_eq((uint32_t)val, 0x11111111);
	ck_assert_uint_eq(r.accesses, 3);
	mmio_write(&b, 0x1010, &val, 8);
	ck_assert_uint_eq(wide.accesses, 1);
	mmio_write(&b, 0x100e, &val,
		   4); /* two bytes each: too little for the first, one access of the second */
	ck_assert_uint_eq(r.accesses, 3);
	ck_assert_uint_eq(wide.accesses, 2);
	ck_assert_uint_eq(b.missed.reads, 1);
	ck_assert_uint_eq(b.missed.writes, 1);
	ck_assert_uint_eq(b.missed.recent, 0x100e);
}
END_TEST

START_TEST(refused)
{
	struct ram_dev r = device(1);
	struct mmio_bus b;

	mmio_init(&b);
	ck_assert(!mmio_add(&b, &r.d, 0, 0x1000, 0, 1));
	ck_assert(!mmio_add(&b, &r.d, 0, UINT64_MAX, 2, 1));
	ck_assert(!mmio_add(&b, &r.d, 256, 0x1000, 1, 1));
	ck_assert(!mmio_move(&b, &r.d, 0, 0x1000));
	for (unsigned i = 0; i < MMIO_MAX_RANGES; i++)
		ck_assert(mmio_add(&b, &r.d, i, 0x1000 * i, 0x1000, 1));
	ck_assert(!mmio_add(&b, &r.d, MMIO_MAX_RANGES, 0x10000000, 1, 1)); /* full */
	ck_assert(mmio_remove(&b, &r.d, 3));
	ck_assert(!mmio_add(&b, &r.d, 3, 0x2fff, 2, 1)); /* overlaps one below and */
	ck_assert(!mmio_add(&b, &r.d, 3, 0x3fff, 2, 1)); /* one above */
	ck_assert(!mmio_add(&b, &r.d, 3, 0, UINT64_MAX, 1));
	ck_assert(mmio_add(&b, &r.d, 3, 0x3000, 0x1000, 1));
}
END_TEST

/* A device may move its range while it serves an access to it, as a base address register does. */
START_TEST(moved_by_an_access)
{
	struct ram_dev r = device(4), other = device(1);
	struct mmio_bus b;
	uint32_t val = 0x12345678;

	mmio_init(&b);
	r.len[0] = 8;
	r.move_on = &b;
	r.move_to = 0x9000;
	other.len[0] = 1;
	ck_assert(mmio_add(&b, &r.d, 0, 0x1000, 8, r.sizes));
	ck_assert(mmio_add(&b, &other.d, 0, 0x5000, 1, other.sizes));
	mmio_write(&b, 0x1000, &val, 4);
	mmio_read(&b, 0x1000, &val, 4);
	ck_assert_uint_eq(val, 0xffffffff);
	mmio_read(&b, 0x9000, &val, 4);
	ck_assert_uint_eq(val, 0x12345678);
	ck_assert_uint_eq(b.range[1].writes, 1);
	ck_assert_uint_eq(b.range[1].recent, 0x9000);
}
END_TEST

START_TEST(pages_logged_once)
{
	struct mmio_bus b;
	uint8_t val;

	mmio_init(&b);
	for (unsigned pass = 0; pass < 3; pass++)
		for (gpa a = 0; a < 4 * PAGE_SIZE; a += 512)
			mmio_read(&b, a, &val, 1);
	ck_assert_uint_eq(b.missed.nlogged, 4);
	for (gpa a = 0; a < 1000 * PAGE_SIZE; a += PAGE_SIZE)
		mmio_read(&b, a, &val, 1);
	ck_assert_uint_eq(b.missed.nlogged, MMIO_LOGGED_PAGES);
	ck_assert_uint_eq(b.missed.reads, 3 * 4 * 8 + 1000);
}
END_TEST

/* ---- class rows ---- */

static const struct dev_mmio ranges[] = { { 0, 4, 0xfee00000, 0x1000 }, { 1, 1, 0xfec00000, 0x20 } };
static const struct dev_class with_ranges = {
	.name = "with-ranges",
	.size = sizeof(struct ram_dev),
	DEV_MMIO(ranges),
	.mmio_read = ram_read,
	.mmio_write = ram_write,
};

START_TEST(class_declares_ranges)
{
	struct board *b = calloc(1, sizeof(*b));
	char err[128] = "";
	struct door door;
	struct dev *d;

	door_init(&door);
	b->door = &door;
	bus_init(&b->bus);
	mmio_init(&b->mmio);
	d = board_add(b, &with_ranges, "ranges", NULL, err, sizeof(err));
	ck_assert_msg(d, "%s", err);
	ck_assert_uint_eq(b->mmio.nranges, 2);
	ck_assert_uint_eq(b->mmio.range[0].first, 0xfec00000);
	ck_assert_uint_eq(b->mmio.range[0].last, 0xfec0001f);
	ck_assert(b->mmio.range[1].dev == d);
	ck_assert_ptr_null(board_add(b, &with_ranges, "ranges", NULL, err, sizeof(err)));
	ck_assert_str_eq(err, "device ranges: the board has a device of that name");
	ck_assert_ptr_null(board_add(b, &with_ranges, "more", NULL, err, sizeof(err)));
	ck_assert_str_eq(err, "device more: another device has some of its memory ranges");
	ck_assert_uint_eq(b->ndevs, 1);
	ck_assert_ptr_eq(board_find(b, "ranges"), d);
	board_fini(b);
	free(b);
}
END_TEST

/* Ports by region: the access arrives as one to memory does; a range that goes leaves room for others. */
START_TEST(ports_by_region)
{
	struct board *b = calloc(1, sizeof(*b));
	struct ram_dev *r = calloc(1, sizeof(*r));
	struct bus *bus = &b->bus;
	struct dev *d = &r->d;

	d->cls = &with_ranges;
	d->direct = true;
	r->sizes = 7;
	r->len[1] = r->len[2] = 16;
	bus_init(bus);
	ck_assert(bus_claim_region(bus, d, 1, 0xc000, 0xc00f, 7));
	ck_assert(!bus_claim_region(bus, d, 1, 0xd000, 0xd00f, 7));
	ck_assert(!bus_claim_region(bus, d, 2, 0xc00f, 0xc010, 7));
	ck_assert(!bus_claim_region(bus, d, 2, 0xffff, 0, 7));
	bus_out(bus, 0xc004, 4, 0x11223344);
	ck_assert_uint_eq(bus_in(bus, 0xc004, 4), 0x11223344);
	ck_assert_uint_eq(bus_in(bus, 0xc006, 1), 0x22);
	ck_assert_uint_eq(bus_in(bus, 0xc00e, 4) >> 16, 0xffff);
	for (unsigned i = 0; i < 3 * BUS_MAX_RANGES; i++) { /* rows of the table are used again */
		ck_assert(bus_release_region(bus, d, 1));
		ck_assert_uint_eq(bus_in(bus, 0xc004, 4), 0xffffffff);
		ck_assert(bus_claim_region(bus, d, 1, 0xc000, 0xc00f, 7));
	}
	ck_assert(bus_release_region(bus, d, 1));
	ck_assert(!bus_release_region(bus, d, 1));
	ck_assert(!bus_release_region(bus, d, BUS_NO_REGION));
	ck_assert(bus_claim_region(bus, d, 1, 0xfff0, 0xffff, 7));
	bus_out(bus, 0xfff4, 2, 0x5566);
	ck_assert_uint_eq(bus_in(bus, 0xfff4, 2), 0x5566);
	free(r);
	free(b);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		pieces, refused, moved_by_an_access, pages_logged_once, class_declares_ranges, ports_by_region
	};
	Suite *s = suite_create("hv-bus");
	TCase *tc = tcase_create("mmio");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_ranges, 0, 8);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
