/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtio console by a driver of this test's own: output of one chain and of several buffers, input that
 * waits for buffers, the register for early output; buffers that no driver would offer. */
#include "tests/hv/virtio_rig.h"

enum { RX, TX };

static struct rig r;
static char printed[4096];
static size_t nprinted;

static void out(void *ctx, const uint8_t *buf, size_t n)
{
	(void)ctx;
	ck_assert_uint_lt(nprinted + n, sizeof(printed));
	memcpy(printed + nprinted, buf, n);
	nprinted += n;
}

static void setup(void)
{
	rig_make(&r, "virtio-console", "virtio-console0", CLOCK_ICOUNT);
	r.m->cfg.serial_out = out;
	nprinted = 0;
}

static void teardown(void)
{
	machine_free(r.m);
}

static size_t arrive(const char *text)
{
	return r.v->d.cls->accept(&r.v->d, ARRIVAL_SERIAL, (const uint8_t *)text, strlen(text));
}

START_TEST(output)
{
	rig_put(&r, BUFFERS, "hello, world", 12);
	rig_descriptor(&r, TX, 0, BUFFERS, 5, DESC_NEXT);
	rig_descriptor(&r, TX, 1, BUFFERS + 5, 7, 0);
	rig_offer(&r, TX, 0);
	ck_assert_uint_eq(rig_used(&r, TX), 1);
	ck_assert_uint_eq(nprinted, 12);
	ck_assert_int_eq(memcmp(printed, "hello, world", 12), 0);
	/* Early: a byte by the configuration. */
	rig_write(&r, 0x2008, 4, '!');
	ck_assert_int_eq(printed[12], '!');
	ck_assert_uint_eq(rig_read(&r, 0x2004, 4), 1);
}
END_TEST

START_TEST(input)
{
	char got[8] = "";

	ck_assert_uint_eq(arrive("abcdef"), 6);
	rig_descriptor(&r, RX, 0, BUFFERS, 4, DESC_WRITE);
	rig_offer(&r, RX, 0);
	rig_offer(&r, RX, 0);
	ck_assert_uint_eq(rig_used_len(&r, RX, 0), 4);
	ck_assert_uint_eq(rig_used_len(&r, RX, 1), 2);
	rig_get(&r, BUFFERS, got, 4);
	ck_assert_int_eq(memcmp(got, "efcd", 4), 0);
	/* A buffer that waits is filled when something arrives. */
	rig_offer(&r, RX, 0);
	ck_assert_uint_eq(rig_used(&r, RX), 2);
	arrive("g");
	ck_assert_uint_eq(rig_used(&r, RX), 3);
	/* There is an end to what it keeps. */
	for (unsigned i = 0; i < 512; i++)
		ck_assert_uint_eq(arrive("12345678"), 8);
	ck_assert_uint_eq(arrive("12345678"), 0);
}
END_TEST

START_TEST(hostile)
{
	/* A buffer of no length, one to be read, output that is to be written. */
	arrive("x");
	rig_descriptor(&r, RX, 0, BUFFERS, 0, DESC_WRITE);
	rig_offer(&r, RX, 0);
	rig_descriptor(&r, RX, 0, BUFFERS, 4, 0);
	rig_offer(&r, RX, 0);
	rig_descriptor(&r, TX, 0, BUFFERS, 4, DESC_WRITE);
	rig_offer(&r, TX, 0);
	ck_assert_uint_eq(r.v->status & RIG_NEEDS_RESET, 0);
	ck_assert_uint_eq(nprinted, 0);
	/* No memory there. */
	rig_descriptor(&r, TX, 0, 0xd0000000, 4, 0);
	rig_offer(&r, TX, 0);
	ck_assert_uint_ne(r.v->status & RIG_NEEDS_RESET, 0);
	rig_start(&r, 0);
	rig_descriptor(&r, RX, 0, 0xd0000000, 4, DESC_WRITE);
	rig_offer(&r, RX, 0);
	ck_assert_uint_ne(r.v->status & RIG_NEEDS_RESET, 0);
	/* The byte is not lost: the next driver gets it. */
	rig_start(&r, 0);
	rig_descriptor(&r, RX, 0, BUFFERS, 4, DESC_WRITE);
	rig_offer(&r, RX, 0);
	ck_assert_uint_eq(rig_used_len(&r, RX, 0), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv/virtio_console");
	TCase *tc = tcase_create("device");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, output);
	tcase_add_test(tc, input);
	tcase_add_test(tc, hostile);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
