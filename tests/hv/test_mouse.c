/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PS/2 mouse through the keyboard controller's ports: how a driver finds it, packets of all three kinds,
 * moves that do not fit, commands by hand from the technical reference; and pvpanic's port. */
#include "tests/suite.h"
#include <string.h>

#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { ACK = 0xfa, FULL = 1, AUX = 0x20 };

static struct machine *m;

static void setup(void)
{
	struct machine_config cfg = { .memory = 2 << 20,
				      .clock = CLOCK_ICOUNT,
				      .device = { "pvpanic" },
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "";

	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	/* Both ports on, both lines enabled. */
	bus_out(&m->board.bus, 0x64, 1, 0x60);
	bus_out(&m->board.bus, 0x60, 1, 0x47);
}

static void teardown(void)
{
	machine_free(m);
}

static bool waits(void)
{
	return (bus_in(&m->board.bus, 0x64, 1) & (FULL | AUX)) == (FULL | AUX);
}

static uint8_t get(void)
{
	ck_assert(waits());
	return (uint8_t)bus_in(&m->board.bus, 0x60, 1);
}

/* Send VAL to the mouse; its answer. */
static uint8_t tell(uint8_t val)
{
	bus_out(&m->board.bus, 0x64, 1, 0xd4);
	bus_out(&m->board.bus, 0x60, 1, val);
	return get();
}

static void rate(uint8_t val)
{
	ck_assert_uint_eq(tell(0xf3), ACK);
	ck_assert_uint_eq(tell(val), ACK);
}

static void move(int dx, int dy, int dz, unsigned buttons)
{
	struct mouse_move v = { (int16_t)dx, (int16_t)dy, (int8_t)dz, (uint8_t)buttons };
	struct dev *d = m->board.dev[SLOT_kbd];

	ck_assert_uint_eq(d->cls->accept(d, ARRIVAL_MOUSE, (uint8_t *)&v, sizeof(v)), sizeof(v));
}

static void packet(int status, int x, int y)
{
	ck_assert_uint_eq(get(), (uint8_t)status);
	ck_assert_uint_eq(get(), (uint8_t)x);
	ck_assert_uint_eq(get(), (uint8_t)y);
}

START_TEST(found)
{
	ck_assert_uint_eq(tell(0xff), ACK);
	ck_assert_uint_eq(get(), 0xaa);
	ck_assert_uint_eq(get(), 0);
	ck_assert_uint_eq(tell(0xf2), ACK);
	ck_assert_uint_eq(get(), 0);
	/* Nothing is told before the driver asks for it. */
	move(1, 1, 0, 0);
	ck_assert(!waits());
	/* Status: reporting, the right button; resolution 4 a mm, 100 a second. */
	ck_assert_uint_eq(tell(0xf4), ACK);
	move(0, 0, 0, 2);
	packet(0xa, 0, 0);
	ck_assert_uint_eq(tell(0xe9), ACK);
	packet(0x21, 2, 100);
	/* The driver's own byte comes back: wrap mode. */
	ck_assert_uint_eq(tell(0xee), ACK);
	ck_assert_uint_eq(tell(0xf2), 0xf2);
	ck_assert_uint_eq(tell(0xec), ACK);
	/* Bad commands and arguments, and once more. */
	ck_assert_uint_eq(tell(0x12), 0xfc);
	ck_assert_uint_eq(tell(0xfe), 0xfc);
	ck_assert_uint_eq(tell(0xe8), ACK);
	ck_assert_uint_eq(tell(4), 0xfc);
}
END_TEST

START_TEST(packets)
{
	ck_assert_uint_eq(tell(0xf4), ACK);
	ck_assert_uint_eq(m->board.irq_raised[12], 1);
	move(5, 7, 1, 0); /* there is no wheel yet; down is negative */
	ck_assert_uint_eq(m->board.irq_raised[12], 2);
	packet(0x28, 5, -7);
	move(-300, -2, 0, 1);
	packet(0x19, -255, 2);
	packet(0x19, -45, 0);
	ck_assert(!waits());
	/* Disabled by the controller: kept until the port is on again. */
	bus_out(&m->board.bus, 0x64, 1, 0xa7);
	move(1, 0, 0, 0);
	ck_assert(!waits());
	bus_out(&m->board.bus, 0x64, 1, 0xa8);
	packet(8, 1, 0);
	/* 2 to 1. */
	ck_assert_uint_eq(tell(0xe7), ACK);
	move(3, -10, 0, 0);
	packet(8, 3, 20);
}
END_TEST

START_TEST(wheels)
{
	rate(200), rate(100), rate(80);
	ck_assert_uint_eq(tell(0xf2), ACK);
	ck_assert_uint_eq(get(), 3);
	ck_assert_uint_eq(tell(0xf4), ACK);
	move(0, 0, -1, 4);
	packet(0xc, 0, 0);
	ck_assert_uint_eq(get(), 0xff);
	rate(200), rate(200), rate(80);
	ck_assert_uint_eq(tell(0xf2), ACK);
	ck_assert_uint_eq(get(), 4);
	move(0, 0, -2, 0x18);
	packet(8, 0, 0);
	ck_assert_uint_eq(get(), 0x3e);
	/* A reset makes it a plain mouse. */
	ck_assert_uint_eq(tell(0xff), ACK);
	ck_assert_uint_eq(get(), 0xaa);
	ck_assert_uint_eq(get(), 0);
	ck_assert_uint_eq(tell(0xf2), ACK);
	ck_assert_uint_eq(get(), 0);
}
END_TEST

/* A driver that does not read: what does not fit is added up, and no byte of a packet is lost. */
START_TEST(slow_driver)
{
	int sum = 0, status;

	ck_assert_uint_eq(tell(0xf4), ACK);
	for (unsigned i = 0; i < 1000; i++)
		move(1, 0, 0, 0);
	while (waits()) {
		status = get();
		ck_assert_uint_eq(status & ~0x10, 8);
		sum += get() - (status & 0x10 ? 256 : 0);
		ck_assert_uint_eq(get(), 0);
	}
	ck_assert_int_eq(sum, 1000);
}
END_TEST

/* On request only. */
START_TEST(remote)
{
	ck_assert_uint_eq(tell(0xf0), ACK);
	move(9, 0, 0, 0);
	ck_assert(!waits());
	ck_assert_uint_eq(tell(0xeb), ACK);
	packet(8, 9, 0);
	ck_assert(!waits());
}
END_TEST

START_TEST(panic_port)
{
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x505, 1), 3);
	bus_out(&m->board.bus, 0x505, 1, 2); /* a crash kernel takes over */
	ck_assert_uint_eq(m->board.event, EVENT_NONE);
	bus_out(&m->board.bus, 0x505, 1, 1);
	ck_assert_uint_eq(m->board.event, EVENT_PANIC);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv/mouse");
	TCase *tc = tcase_create("device");
	const TTest *const all[] = { found, packets, wheels, slow_driver, remote, panic_port };

	tcase_add_checked_fixture(tc, setup, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
