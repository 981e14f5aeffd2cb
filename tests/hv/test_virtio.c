/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio block device through its registers and rings, by a driver of this test's own: modern and legacy,
 * interrupts, and rings that no driver would write. The medium's file is the oracle of what is written. */
#include "tests/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { SECTORS = 256, MEMORY = 2 << 20, QUEUE = 16 };
/* Where the driver has its rings and buffers; the legacy layout needs one page run. */
enum { RINGS = 0x10000, HEAD = 0x20000, STATUS = 0x20100, DATA = 0x21000, TABLE = 0x30000 };
enum { WRITE = 2, NEXT = 1, INDIRECT = 4 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, ZEROES = 13 };
enum { OK, IOERR, UNSUPPORTED, UNTOUCHED = 0xee };
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };

static struct machine *m;
static struct board *b;
static struct virtio *v;
static char image[] = "/tmp/vitrine-virtio-XXXXXX";
static gpa region; /* of the modern registers */
static uint16_t ports, size, avail;
static gpa used_ring, avail_ring;
static unsigned next_desc;

/* ---- registers ---- */

static uint32_t reg_read(gpa at, unsigned n)
{
	uint32_t val = 0;

	mmio_read(&b->mmio, region + at, &val, n);
	return val;
}

static void reg_write(gpa at, unsigned n, uint32_t val)
{
	mmio_write(&b->mmio, region + at, &val, n);
}

static void cfg_write(unsigned reg, unsigned n, uint32_t val)
{
	bus_out(&b->bus, 0xcf8, 4, 0x80000000u | (uint32_t)v->f.devfn << 8 | (reg & 0xfc));
	bus_out(&b->bus, (uint16_t)(0xcfc + (reg & 3)), n, val);
}

static uint32_t cfg_read(unsigned reg, unsigned n)
{
	bus_out(&b->bus, 0xcf8, 4, 0x80000000u | (uint32_t)v->f.devfn << 8 | (reg & 0xfc));
	return bus_in(&b->bus, (uint16_t)(0xcfc + (reg & 3)), n);
}

/* ---- guest memory ---- */

static void put(gpa at, const void *p, unsigned n)
{
	ck_assert(mm_phys_write(m->vm, at, p, n));
}

static void put16(gpa at, uint16_t val)
{
	put(at, &val, 2);
}

static uint16_t get16(gpa at)
{
	uint16_t val;

	ck_assert(mm_phys_read(m->vm, at, &val, 2));
	return val;
}

static uint8_t get8(gpa at)
{
	uint8_t val;

	ck_assert(mm_phys_read(m->vm, at, &val, 1));
	return val;
}

static void descriptor(gpa table, unsigned i, gpa at, uint32_t len, unsigned flags, unsigned next)
{
	uint64_t d[2] = { at, (uint64_t)next << 48 | (uint64_t)flags << 32 | len };

	put(table + 16 * i, d, sizeof(d));
}

static void ring_head(uint16_t head)
{
	put16(avail_ring + 4 + 2 * (avail % size), head);
	put16(avail_ring + 2, ++avail);
}

static void notify(void)
{
	if (region)
		reg_write(0x3000, 2, 0);
	else
		bus_out(&b->bus, (uint16_t)(ports + 16), 2, 0);
	drives_drain(&m->loader.drives);
}

static void header(uint32_t type, uint64_t sector)
{
	uint32_t head[4] = { type, 0, (uint32_t)sector, (uint32_t)(sector >> 32) };
	uint8_t status = UNTOUCHED;

	put(HEAD, head, sizeof(head));
	put(STATUS, &status, 1);
}

/* A request with N bytes of data at DATA, which the device writes or reads. Returns its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t n, bool in)
{
	unsigned i = next_desc;

	header(type, sector);
	descriptor(RINGS, i, HEAD, 16, NEXT, i + 1);
	if (n)
		descriptor(RINGS, i + 1, DATA, n, NEXT | (in ? WRITE : 0), i + 2);
	descriptor(RINGS, i + 1 + !!n, STATUS, 1, WRITE, 0);
	ring_head((uint16_t)i);
	notify();
	return get8(STATUS);
}

/* ---- set-up ---- */

static void reset_driver(void)
{
	avail = 0;
	size = QUEUE;
	avail_ring = RINGS + 0x1000;
	used_ring = RINGS + 0x2000;
	for (gpa a = RINGS; a < RINGS + 0x4000; a += 8)
		put(a, &(uint64_t){ 0 }, 8);
}

static void start_modern(uint64_t features)
{
	reset_driver();
	region = v->f.mapped[4];
	reg_write(20, 1, 0);
	reg_write(20, 1, ACKNOWLEDGE | DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		reg_write(8, 4, i);
		reg_write(12, 4, (uint32_t)(features >> (32 * i)));
	}
	reg_write(20, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(reg_read(20, 1) & FEATURES_OK, FEATURES_OK);
	reg_write(22, 2, 0);
	ck_assert_uint_eq(reg_read(24, 2), 256);
	reg_write(24, 2, 5); /* no power of two: ignored */
	ck_assert_uint_eq(reg_read(24, 2), 256);
	reg_write(24, 2, QUEUE);
	reg_write(32, 4, RINGS);
	reg_write(40, 4, (uint32_t)avail_ring);
	reg_write(48, 4, (uint32_t)used_ring);
	reg_write(28, 2, 1);
	reg_write(20, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
}

static void start_legacy(uint32_t features)
{
	reset_driver();
	region = 0;
	ports = (uint16_t)v->f.mapped[0];
	size = 256;
	avail_ring = RINGS + 16 * 256;
	used_ring = RINGS + 0x2000; /* the next page behind 16 * 256 + 6 + 2 * 256 */
	bus_out(&b->bus, (uint16_t)(ports + 18), 1, 0);
	bus_out(&b->bus, (uint16_t)(ports + 18), 1, ACKNOWLEDGE | DRIVER);
	bus_out(&b->bus, (uint16_t)(ports + 4), 4, features);
	bus_out(&b->bus, (uint16_t)(ports + 14), 2, 0);
	ck_assert_uint_eq(bus_in(&b->bus, (uint16_t)(ports + 12), 2), 256);
	bus_out(&b->bus, (uint16_t)(ports + 8), 4, RINGS >> 12);
	bus_out(&b->bus, (uint16_t)(ports + 18), 1, ACKNOWLEDGE | DRIVER | DRIVER_OK);
}

static void setup(void)
{
	struct machine_config cfg = {
		.memory = MEMORY,
		.clock = CLOCK_ICOUNT,
		.image = { .blob = fake_guest,
			   .blob_len = sizeof(fake_guest),
			   .disk[0] = { .file = image, .virtio = true } },
	};
	char err[256] = "";
	int fd;

	strcpy(image, "/tmp/vitrine-virtio-XXXXXX");
	fd = mkstemp(image);
	ck_assert(!ftruncate(fd, SECTORS * 512));
	close(fd);
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	b = &m->board;
	v = (struct virtio *)board_find(b, "virtio-blk0");
	ck_assert_ptr_nonnull(v);
	cfg_write(PCI_COMMAND, 2, PCI_IO | PCI_MEMORY | PCI_MASTER);
	next_desc = 0;
	start_modern(VIRTIO_1);
}

static void teardown(void)
{
	machine_free(m);
	unlink(image);
}

static void fill(unsigned n, uint8_t seed)
{
	uint8_t bytes[4096];

	for (unsigned i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
	put(DATA, bytes, n);
}

/* The N bytes at DATA are those that fill() put with SEED; those at SECTOR of the file are. */
static void check_data(unsigned n, uint8_t seed)
{
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(get8(DATA + i), (uint8_t)(i * 7 + seed));
}

static void check_file(unsigned sector, unsigned n, uint8_t seed, unsigned factor)
{
	uint8_t bytes[4096];
	FILE *f = fopen(image, "re");

	ck_assert(!fseek(f, 512l * sector, SEEK_SET));
	ck_assert_uint_eq(fread(bytes, 1, n, f), n);
	fclose(f);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(bytes[i], (uint8_t)(i * factor + seed));
}

/* ---- requests ---- */

static void all_requests(void)
{
	uint32_t range[4] = { 8, 0, 4, 0 };

	fill(1024, 3);
	ck_assert_uint_eq(request(OUT, 7, 1024, false), OK);
	check_file(7, 1024, 3, 7);
	fill(1024, 9);
	ck_assert_uint_eq(request(IN, 7, 1024, true), OK);
	check_data(1024, 3);
	ck_assert_uint_eq(request(FLUSH, 0, 0, false), OK);
	ck_assert_uint_eq(request(GET_ID, 0, 20, true), OK);
	ck_assert_uint_eq(get8(DATA), 'v');
	put(DATA, range, sizeof(range));
	ck_assert_uint_eq(request(ZEROES, 0, 16, false), OK);
	check_file(8, 512, 0, 0);
	check_file(7, 512, 3, 7);
	ck_assert_uint_eq(request(DISCARD, 0, 16, false), OK);
	ck_assert_uint_eq(request(99, 0, 0, false), UNSUPPORTED);
	/* Outside the medium, no whole sectors, no data, a range that overflows. */
	ck_assert_uint_eq(request(IN, SECTORS - 1, 1024, true), IOERR);
	ck_assert_uint_eq(request(OUT, SECTORS, 512, false), IOERR);
	ck_assert_uint_eq(request(IN, UINT64_MAX, 512, true), IOERR);
	ck_assert_uint_eq(request(IN, 1ull << 55, 512, true), IOERR);
	ck_assert_uint_eq(request(IN, 0, 100, true), IOERR);
	ck_assert_uint_eq(request(IN, 0, 0, true), IOERR);
	range[0] = range[1] = range[2] = UINT32_MAX;
	put(DATA, range, sizeof(range));
	ck_assert_uint_eq(request(DISCARD, 0, 16, false), IOERR);
	ck_assert_uint_eq(request(ZEROES, 0, 15, false), IOERR);
	ck_assert_uint_eq(get16(used_ring + 2), avail);
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
}

START_TEST(modern)
{
	ck_assert_uint_eq(reg_read(0x2000, 4), SECTORS);
	all_requests();
	ck_assert_uint_eq(get16(used_ring + 4 + 8 * 1 + 4), 1025); /* what the second one wrote */
}
END_TEST

START_TEST(legacy)
{
	start_legacy(0);
	ck_assert_uint_eq(bus_in(&b->bus, (uint16_t)(ports + 20), 4), SECTORS);
	all_requests();
}
END_TEST

/* What the ring's registers say after a reset, and that the driver must take version 1. */
START_TEST(negotiation)
{
	reg_write(20, 1, 0);
	ck_assert_uint_eq(reg_read(20, 1), 0);
	ck_assert_uint_eq(reg_read(28, 2), 0);
	reg_write(0, 4, 1);
	ck_assert_uint_eq(reg_read(4, 4) & 1, 1);
	reg_write(20, 1, ACKNOWLEDGE | DRIVER | FEATURES_OK);
	ck_assert_uint_eq(reg_read(20, 1) & FEATURES_OK, 0);
	reg_write(8, 4, 1);
	reg_write(12, 4, UINT32_MAX);
	ck_assert_uint_eq(reg_read(12, 4), 1); /* no more than what is offered */
	reg_write(22, 2, 1);
	ck_assert_uint_eq(reg_read(24, 2), 0); /* there is one queue */
	reg_write(28, 2, 1);
	reg_write(0x3004, 2, 1);
}
END_TEST

static void indirect(unsigned entries)
{
	descriptor(RINGS, 0, TABLE, 16 * entries, INDIRECT, 0);
	ring_head(0);
	notify();
}

START_TEST(indirect_chain)
{
	start_modern(VIRTIO_1 | VIRTIO_INDIRECT);
	fill(1024, 5);
	header(OUT, 2);
	descriptor(TABLE, 0, HEAD, 16, NEXT, 2);
	descriptor(TABLE, 2, DATA, 512, NEXT, 1);
	descriptor(TABLE, 1, DATA + 512, 512, NEXT, 3);
	descriptor(TABLE, 3, STATUS, 1, WRITE, 0);
	indirect(4);
	ck_assert_uint_eq(get8(STATUS), OK);
	check_file(2, 1024, 5, 7);
	/* Header and data in pieces of any length. */
	header(OUT, 4);
	descriptor(TABLE, 0, HEAD, 5, NEXT, 1);
	descriptor(TABLE, 1, HEAD + 5, 11, NEXT, 2);
	descriptor(TABLE, 2, DATA, 1, NEXT, 3);
	descriptor(TABLE, 3, DATA + 1, 0, NEXT, 4);
	descriptor(TABLE, 4, DATA + 1, 511, NEXT, 5);
	descriptor(TABLE, 5, STATUS, 1, WRITE, 0);
	indirect(6);
	ck_assert_uint_eq(get8(STATUS), OK);
	check_file(4, 512, 5, 7);
}
END_TEST

/* ---- interrupts ---- */

START_TEST(pin)
{
	unsigned line = cfg_read(PCI_LINE, 1);

	put16(avail_ring, 1); /* no interrupt, please */
	request(FLUSH, 0, 0, false);
	ck_assert(!(b->lines >> line & 1));
	put16(avail_ring, 0);
	request(FLUSH, 0, 0, false);
	ck_assert(b->lines >> line & 1);
	ck_assert_uint_eq(reg_read(0x1000, 1), 1);
	ck_assert(!(b->lines >> line & 1));
	ck_assert_uint_eq(reg_read(0x1000, 1), 0);
}
END_TEST

START_TEST(event_index)
{
	gpa used_event = avail_ring + 4 + 2 * QUEUE, avail_event = used_ring + 4 + 8 * QUEUE;

	start_modern(VIRTIO_1 | VIRTIO_EVENT_IDX);
	put16(used_event, 2); /* after the third */
	for (unsigned i = 0; i < 5; i++) {
		request(FLUSH, 0, 0, false);
		ck_assert_uint_eq(v->vq[0].interrupts, i >= 2);
		ck_assert_uint_eq(get16(avail_event), i + 1);
	}
}
END_TEST

START_TEST(messages)
{
	gpa table = v->f.mapped[1];

	cfg_write(v->f.cap_msix + 2u, 2, 0x8000);
	reg_write(26, 2, 7); /* there are two */
	ck_assert_uint_eq(reg_read(26, 2), VIRTIO_NO_VECTOR);
	reg_write(26, 2, 1);
	ck_assert_uint_eq(reg_read(26, 2), 1);
	request(FLUSH, 0, 0, false);
	ck_assert_uint_eq(v->f.msix_pending, 2);
	mmio_write(&b->mmio, table + 16 + 12, &(uint32_t){ 0 }, 4);
	ck_assert_uint_eq(v->f.messages, 1);
	request(FLUSH, 0, 0, false);
	ck_assert_uint_eq(v->f.messages, 2);
	ck_assert(!(b->lines >> cfg_read(PCI_LINE, 1) & 1));
}
END_TEST

/* ---- the window in configuration space ---- */

START_TEST(window)
{
	unsigned cap = v->f.cap_last;

	ck_assert_uint_eq(cfg_read(cap + 3, 1), 5);
	cfg_write(cap + 4, 1, 4);
	cfg_write(cap + 8, 4, 20);
	cfg_write(cap + 12, 4, 1);
	ck_assert_uint_eq(cfg_read(cap + 16, 1), ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	cfg_write(cap + 16, 1, 0);
	ck_assert_uint_eq(reg_read(20, 1), 0);
	for (unsigned i = 0; i < 3; i++) { /* another region, the end, a length that is none */
		cfg_write(cap + 4, 1, i ? 4 : 1);
		cfg_write(cap + 8, 4, i == 1 ? 0x3ffe : 20);
		cfg_write(cap + 12, 4, i == 2 ? 3 : 4);
		cfg_write(cap + 16, 4, 0x77);
		cfg_read(cap + 16, 4);
	}
	ck_assert_uint_eq(reg_read(20, 1), 0);
}
END_TEST

/* ---- hostile rings ---- */

/* The device is broken, tells so, ignores what follows, and works again after a reset. */
static void broken(const char *what)
{
	uint16_t done = get16(RINGS + 0x2000 + 2);

	ck_assert_msg(v->status & NEEDS_RESET, "%s", what);
	ck_assert_msg(v->isr & 2, "%s", what);
	ck_assert_uint_eq(request(FLUSH, 0, 0, false), UNTOUCHED);
	ck_assert_uint_eq(get16(RINGS + 0x2000 + 2), done);
	start_modern(VIRTIO_1 | VIRTIO_INDIRECT);
	ck_assert_msg(request(FLUSH, 0, 0, false) == OK, "%s", what);
}

static void hostile(const char *what, gpa at, uint32_t len, unsigned flags, unsigned next)
{
	start_modern(VIRTIO_1 | VIRTIO_INDIRECT);
	header(FLUSH, 0);
	descriptor(RINGS, 0, at, len, flags, next);
	ring_head(0);
	notify();
	broken(what);
}

START_TEST(descriptors)
{
	hostile("itself", HEAD, 16, NEXT, 0);
	hostile("out of range", HEAD, 16, NEXT, QUEUE);
	hostile("far out of range", HEAD, 16, NEXT, UINT16_MAX);
	hostile("no status", HEAD, 16, 0, 0);
	hostile("short header", HEAD, 15, 0, 0);
	hostile("no length", HEAD, 0, WRITE, 0);
	hostile("indirect without entries", TABLE, 0, INDIRECT, 0);
	hostile("indirect by half", TABLE, 24, INDIRECT, 0);
	hostile("indirect and next", TABLE, 32, INDIRECT | NEXT, 1);
	hostile("indirect at nothing", 0xd0000000, 32, INDIRECT, 0);
	hostile("indirect at the end", UINT64_MAX - 7, 16, INDIRECT, 0);
	descriptor(TABLE, 0, TABLE, 16, INDIRECT, 0);
	hostile("indirect to itself", TABLE, 16, INDIRECT, 0);
	descriptor(TABLE, 0, HEAD, 16, NEXT, 0);
	hostile("indirect loop", TABLE, 64, INDIRECT, 0);
	hostile("indirect, endless", TABLE, 0xfffffff0, INDIRECT, 0);
}
END_TEST

START_TEST(orders)
{
	header(FLUSH, 0);
	descriptor(RINGS, 0, STATUS, 1, NEXT | WRITE, 1);
	descriptor(RINGS, 1, HEAD, 16, 0, 0);
	ring_head(0);
	notify();
	broken("written, then read");
	ring_head(QUEUE);
	notify();
	broken("a head out of range");
	put16(avail_ring + 2, (uint16_t)(avail + QUEUE + 1));
	notify();
	broken("more entries than the ring has");
}
END_TEST

/* Addresses without memory, of device memory, of ROM. */
START_TEST(places)
{
	static const gpa nowhere[] = { MEMORY,	   MEMORY - 100, 0xd0000000,
				       0xfee00000, 1ull << 40,	 UINT64_MAX - 511 };
	gpa own = v->f.mapped[4];

	for (unsigned i = 0; i <= ARRAY_LEN(nowhere); i++) {
		gpa at = i < ARRAY_LEN(nowhere) ? nowhere[i] : own;

		for (unsigned in = 0; in < 2; in++) {
			header(in ? IN : OUT, 0);
			descriptor(RINGS, 0, HEAD, 16, NEXT, 1);
			descriptor(RINGS, 1, at, 512, NEXT | (in ? WRITE : 0), 2);
			descriptor(RINGS, 2, STATUS, 1, WRITE, 0);
			ring_head(0);
			notify();
			ck_assert_uint_eq(get8(STATUS), IOERR);
		}
	}
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
	mm_vm_set_rom(m->vm, DATA, PAGE_SIZE, true);
	fill(512, 77); /* (a loader may) */
	ck_assert_uint_eq(request(IN, 0, 512, true), OK);
	check_data(512, 77);
	mm_vm_set_rom(m->vm, DATA, PAGE_SIZE, false);
	header(FLUSH, 0);
	descriptor(RINGS, 0, HEAD, 16, NEXT, 1);
	descriptor(RINGS, 1, 0xd0000000, 1, WRITE, 0);
	ring_head(0);
	notify();
	broken("a status nowhere");
}
END_TEST

START_TEST(rings_nowhere)
{
	static const unsigned regs[] = { 32, 40, 48 };

	for (unsigned i = 0; i < ARRAY_LEN(regs); i++) {
		start_modern(VIRTIO_1);
		v->vq[0].enabled = false;
		reg_write(regs[i], 4, 0xd0000000);
		reg_write(28, 2, 1);
		request(FLUSH, 0, 0, false);
		ck_assert_uint_eq(v->status & NEEDS_RESET, NEEDS_RESET);
	}
	start_modern(VIRTIO_1);
	cfg_write(PCI_COMMAND, 2, PCI_IO | PCI_MEMORY); /* no bus master */
	request(FLUSH, 0, 0, false);
	ck_assert_uint_eq(v->status & NEEDS_RESET, NEEDS_RESET);
	ck_assert_uint_ne(v->f.denied, 0);
}
END_TEST

/* A reset while requests are in flight; a state saved meanwhile. */
START_TEST(in_flight)
{
	char state[] = "/tmp/vitrine-virtio-state-XXXXXX", err[256] = "";
	uint64_t hash;

	close(mkstemp(state));
	fill(512, 1);
	header(OUT, 0);
	descriptor(RINGS, 0, HEAD, 16, NEXT, 1);
	descriptor(RINGS, 1, DATA, 512, NEXT, 2);
	descriptor(RINGS, 2, STATUS, 1, WRITE, 0);
	for (unsigned i = 0; i < QUEUE; i++)
		ring_head(0);
	reg_write(0x3000, 2, 0);
	ck_assert_uint_eq(get16(used_ring + 2), 0);
	ck_assert_msg(machine_save_state(m, state, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(get16(used_ring + 2), QUEUE); /* completed before */
	hash = machine_state_hash(m);
	for (unsigned i = 0; i < QUEUE; i++)
		ring_head(0);
	reg_write(0x3000, 2, 0);
	reg_write(20, 1, 0);
	drives_drain(&m->loader.drives);
	ck_assert_uint_eq(get16(used_ring + 2), QUEUE);
	ck_assert_msg(machine_load_state(m, state, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(machine_state_hash(m), hash);
	unlink(state);
	avail = QUEUE;
	ck_assert_uint_eq(request(IN, 0, 512, true), OK);
	check_data(512, 1);
}
END_TEST

int main(void)
{
	const TTest *const all[] = { modern,	  legacy,	 negotiation, indirect_chain, pin,
				     event_index, messages,	 window,      descriptors,    orders,
				     places,	  rings_nowhere, in_flight };
	Suite *s = suite_create("hv-virtio");
	TCase *tc = tcase_create("virtio");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
