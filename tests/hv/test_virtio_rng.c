/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtio entropy device: a seed's numbers are the generator's as published, the host's are others each
 * time; a limit holds requests back until its period has passed; buffers that no driver would offer. */
#include "tests/hv/virtio_rig.h"

static struct rig r;

static void make(const char *device, enum clock_mode clock)
{
	rig_make(&r, device, "virtio-rng0", clock);
}

static void teardown(void)
{
	machine_free(r.m);
}

/* Ask for N bytes. */
static void ask(uint32_t n)
{
	rig_descriptor(&r, 0, 0, BUFFERS, n, DESC_WRITE);
	rig_offer(&r, 0, 0);
}

static void pass(uint64_t ms)
{
	clock_skip_to(&r.m->board.clock, clock_now(&r.m->board.clock) + ms * 1000000);
	clock_run(&r.m->board.clock);
}

START_TEST(seeded)
{
	/* SplitMix64 of 0 and of 1234567, as its authors' program prints them. */
	static const struct {
		const char *device;
		uint64_t first;
	} rows[] = { { "virtio-rng", 0xe220a8397b1dcdafull },
		     { "virtio-rng,seed=1234567", 6457827717110365317ull } };
	uint64_t n;

	make(rows[_i].device, CLOCK_ICOUNT);
	ask(8);
	ck_assert_uint_eq(rig_used(&r, 0), 1);
	ck_assert_uint_eq(rig_used_len(&r, 0, 0), 8);
	rig_get(&r, BUFFERS, &n, sizeof(n));
	ck_assert_uint_eq(n, rows[_i].first);
	/* A reset begins again. */
	board_reset(&r.m->board);
	pci_assign(&r.m->board);
	rig_start(&r, 0);
	ask(8);
	rig_get(&r, BUFFERS, &n, sizeof(n));
	ck_assert_uint_eq(n, rows[_i].first);
}
END_TEST

START_TEST(of_the_host)
{
	uint8_t a[1000], b[1000], zero[1000] = { 0 };

	make("virtio-rng", CLOCK_HOST);
	ask(sizeof(a));
	rig_get(&r, BUFFERS, a, sizeof(a));
	ask(sizeof(b));
	rig_get(&r, BUFFERS, b, sizeof(b));
	ck_assert_uint_eq(rig_used(&r, 0), 2);
	ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
	ck_assert_int_ne(memcmp(a + 990, zero, 10), 0);
	/* More than it gives at once: part of the buffer, as the driver must expect. */
	ask(1 << 20);
	ck_assert_uint_eq(rig_used_len(&r, 0, 2), 64 << 10);
}
END_TEST

START_TEST(limited)
{
	make("virtio-rng,max-bytes=100,period=50", CLOCK_ICOUNT);
	ask(60);
	ask(60);
	ck_assert_uint_eq(rig_used_len(&r, 0, 0), 60);
	ck_assert_uint_eq(rig_used_len(&r, 0, 1), 40);
	ask(60);
	pass(49);
	ck_assert_uint_eq(rig_used(&r, 0), 2);
	pass(1);
	ck_assert_uint_eq(rig_used(&r, 0), 3);
	ck_assert_uint_eq(rig_used_len(&r, 0, 2), 60);
	/* A period in which nothing was asked for is not added to the next. */
	pass(1000);
	ask(200);
	ck_assert_uint_eq(rig_used_len(&r, 0, 3), 100);
}
END_TEST

START_TEST(hostile)
{
	make("virtio-rng", CLOCK_ICOUNT);
	/* A buffer to be read, an empty one: nothing is written. */
	rig_descriptor(&r, 0, 0, BUFFERS, 64, 0);
	rig_offer(&r, 0, 0);
	ask(0);
	ck_assert_uint_eq(rig_used(&r, 0), 2);
	ck_assert_uint_eq(rig_used_len(&r, 0, 0) + rig_used_len(&r, 0, 1), 0);
	ck_assert_uint_eq(r.v->status & RIG_NEEDS_RESET, 0);
	/* A ring whose used index is its available index: one notification ends. */
	rig_write(&r, 20, 1, 0);
	rig_start(&r, 0);
	rig_write(&r, 20, 1, 0);
	rig_write(&r, 8, 4, 1);
	rig_write(&r, 12, 4, 1);
	rig_write(&r, 22, 2, 0);
	rig_write(&r, 32, 4, RINGS);
	rig_write(&r, 40, 4, RINGS + AVAIL);
	rig_write(&r, 48, 4, RINGS + AVAIL);
	rig_write(&r, 28, 2, 1);
	rig_write(&r, 20, 1, RIG_DRIVER_OK);
	ask(8);
	/* No memory there: broken until it is reset. */
	rig_start(&r, 0);
	rig_descriptor(&r, 0, 0, 0xd0000000, 64, DESC_WRITE);
	rig_offer(&r, 0, 0);
	ck_assert_uint_ne(r.v->status & RIG_NEEDS_RESET, 0);
	ask(8);
	ck_assert_uint_eq(rig_used(&r, 0), 0);
	rig_start(&r, 0);
	ask(8);
	ck_assert_uint_eq(rig_used(&r, 0), 1);
}
END_TEST

/* Texts of options that are refused. */
START_TEST(refused)
{
	static const struct {
		const char *device, *says;
	} rows[] = {
		{ "virtio-rn", "--device: no such device: virtio-rn; there are virtio-rng" },
		{ "virtio-rng,x=3", "--device: virtio-rng,x=3: it has no such key: x" },
		{ "virtio-rng,period", "--device: virtio-rng,period: expected KEY=VALUE: period" },
		{ "virtio-rng,period=,seed=1",
		  "--device: virtio-rng,period=,seed=1: expected KEY=VALUE: period=" },
		{ "virtio-rng,period=0", "--device: virtio-rng,period=0: bad value: period=0" },
		{ "virtio-rng,max-bytes=0", "--device: virtio-rng,max-bytes=0: bad value: max-bytes=0" },
		{ "virtio-rng,seed=-1", "--device: virtio-rng,seed=-1: bad value: seed=-1" },
	};
	struct machine_config cfg = { .memory = RIG_PAGES << PAGE_SHIFT,
				      .device = { rows[_i].device },
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "";

	ck_assert_ptr_null(machine_new(&cfg, fake_new, NULL, err, sizeof(err)));
	ck_assert_msg(!strncmp(err, rows[_i].says, strlen(rows[_i].says)), "%s", err);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("hv/virtio_rng");
	TCase *tc = tcase_create("device"), *bad = tcase_create("options");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, seeded, 0, 2);
	tcase_add_test(tc, of_the_host);
	tcase_add_test(tc, limited);
	tcase_add_test(tc, hostile);
	tcase_add_loop_test(bad, refused, 0, 7);
	suite_add_tcase(s, tc);
	suite_add_tcase(s, bad);
	return s;
}

int main(void)
{
	return suite_run(suite());
}
