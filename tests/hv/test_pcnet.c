/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCnet as a driver sees it, in all software styles, with a hub as its cable; and how its frames go
 * through the door. */
#include "tests/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "hv/dev/pcnet_int.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum {
	PATIENCE_MS = 60000,
	INIT = 0x1000,
	RX = 0x2000,
	TX = 0x3000,
	BUFFERS = 0x10000,
	BUFFER = 0x800,
	RING = 8
};
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 1 };

static char dir[] = "/tmp/vitrine-pcnet-XXXXXX";
static struct machine *m;
static struct pcnet *p;
static struct net_config other_config;
static struct io_notice other_notice;
static struct net *other; /* the other end of the cable */
static unsigned style;

static void setup(void)
{
	struct machine_config cfg = { .memory = 2 << 20,
				      .clock = CLOCK_HOST,
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	const struct net_host host = { .notice = &other_notice };
	char err[256] = "", text[300], option[350];

	ck_assert(mkdtemp(dir));
	snprintf(text, sizeof(text), "hub:%s/hub", dir);
	snprintf(option, sizeof(option), "%s,mac=02:00:00:00:00:01", text);
	ck_assert(net_parse(&other_config, text, err, sizeof(err)));
	other = net_open(&other_config, err, sizeof(err));
	ck_assert_msg(other && net_start(other, &host, 0, err, sizeof(err)), "%s", err);
	cfg.net[0] = option;
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	p = (struct pcnet *)board_find(&m->board, "net0");
	ck_assert(p);
	p->pci.cfg[PCI_COMMAND] |= PCI_MASTER;
	clock_start(&m->board.clock);
	for (int i = 0; i < PATIENCE_MS && !atomic_load(p->nic.up); i++)
		usleep(1000);
}

static void teardown(void)
{
	char command[100];

	machine_free(m);
	net_close(other);
	net_config_fini(&other_config);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* ---- the driver ---- */

static uint16_t reg(unsigned off)
{
	return (uint16_t)(p->pci.mapped[0] + off);
}

static void csr_out(unsigned n, uint16_t val)
{
	bus_out(&m->board.bus, reg(0x12), 2, n);
	bus_out(&m->board.bus, reg(0x10), 2, val);
}

static uint16_t csr_in(unsigned n)
{
	bus_out(&m->board.bus, reg(0x12), 2, n);
	return (uint16_t)bus_in(&m->board.bus, reg(0x10), 2);
}

static void bcr_out(unsigned n, uint16_t val)
{
	bus_out(&m->board.bus, reg(0x12), 2, n);
	bus_out(&m->board.bus, reg(0x16), 2, val);
}

static void put_mem(gpa a, const void *data, size_t n)
{
	ck_assert(mm_phys_write(m->vm, a, data, n));
}

static void get_mem(gpa a, void *data, size_t n)
{
	ck_assert(mm_phys_read(m->vm, a, data, n));
}

static bool wide(void)
{
	return style != 0;
}

/* Descriptor I of the ring at RING_AT: a buffer, the byte with OWN, and a count of bytes. */
static void put_desc(gpa ring_at, unsigned i, uint32_t buffer, uint8_t flags, unsigned count)
{
	uint32_t w[4] = { buffer, (uint32_t)flags << 24 | (-count & 0xffff), 0, 0 };
	uint16_t h[4] = { (uint16_t)buffer, (uint16_t)(flags << 8 | buffer >> 16), (uint16_t)-count, 0 };

	if (style == 3) {
		w[2] = w[0];
		w[0] = 0;
	}
	put_mem(ring_at + (wide() ? 16 : 8) * i, wide() ? (void *)w : (void *)h, wide() ? 16 : 8);
}

/* The byte with OWN of descriptor I, and its status: of a received frame its length. */
static uint8_t get_desc(gpa ring_at, unsigned i, uint32_t *status)
{
	uint32_t w[4];
	uint16_t h[4];

	if (!wide()) {
		get_mem(ring_at + 8 * i, h, 8);
		*status = h[3];
		return (uint8_t)(h[1] >> 8);
	}
	get_mem(ring_at + 16 * i, w, 16);
	*status = style == 3 ? w[0] : w[2];
	return (uint8_t)(w[1] >> 24);
}

static uint32_t buffer_of(gpa ring_at, unsigned i)
{
	return BUFFERS + ((ring_at == TX ? RING : 0) + i) * BUFFER;
}

static void put_init(uint16_t mode, const uint8_t filter[8])
{
	uint8_t b[28] = { (uint8_t)mode, (uint8_t)(mode >> 8) };

	memcpy(b + (wide() ? 4 : 2), mac, 6);
	memcpy(b + (wide() ? 12 : 8), filter, 8);
	memcpy(b + (wide() ? 20 : 16), &(uint32_t){ RX }, 4);
	memcpy(b + (wide() ? 24 : 20), &(uint32_t){ TX }, 4);
	if (wide()) {
		b[2] = 3 << 4; /* eight descriptors */
		b[3] = 3 << 4;
	} else {
		b[19] = 3 << 5;
		b[23] = 3 << 5;
	}
	put_mem(INIT, b, wide() ? 28 : 24);
}

static void start(unsigned how, uint16_t mode)
{
	static const uint8_t none[8];

	style = how;
	bus_in(&m->board.bus, reg(0x14), 2);
	ck_assert_uint_eq(csr_in(0), CSR0_STOP);
	bcr_out(20, (uint16_t)style);
	put_init(mode, none);
	for (unsigned i = 0; i < RING; i++) {
		put_desc(RX, i, buffer_of(RX, i), 0x80, BUFFER);
		put_desc(TX, i, buffer_of(TX, i), 0, BUFFER);
	}
	csr_out(1, INIT);
	csr_out(2, 0);
	csr_out(0, CSR0_INIT);
	ck_assert(csr_in(0) & CSR0_IDON);
	csr_out(0, CSR0_IDON | CSR0_STRT | CSR0_IENA);
	ck_assert_uint_eq(csr_in(0) & (CSR0_RXON | CSR0_TXON), CSR0_RXON | CSR0_TXON);
}

static void make_frame(uint8_t *f, uint8_t to, unsigned number, uint32_t len)
{
	memset(f, (int)number, len);
	memcpy(f, (uint8_t[]){ 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 }, 14);
}

/* The next frame at the other end; NULL: none in a minute. */
static const uint8_t *at_other_end(uint32_t *len)
{
	int64_t end = monotonic_ns() + PATIENCE_MS * 1000000ll;
	const uint8_t *f;

	while (!(f = frames_first(net_arrived(other), len)) && monotonic_ns() < end)
		usleep(200);
	return f;
}

static void receive(const uint8_t *f, uint32_t len)
{
	ck_assert(frames_put(p->nic.arrived, f, len)); /* as the link's thread does */
	nic_take(&p->nic);
}

/* ---- tests ---- */

START_TEST(test_identity)
{
	ck_assert_uint_eq(csr_in(88), 0x1003);
	ck_assert_uint_eq(csr_in(89), 0x0262);
	for (unsigned i = 0; i < 6; i++)
		ck_assert_uint_eq(bus_in(&m->board.bus, reg(i), 1), mac[i]);
	ck_assert_uint_eq(bus_in(&m->board.bus, reg(14), 2), 0x5757);
	ck_assert_uint_eq(csr_in(12), 0x0002);
	ck_assert_uint_eq(csr_in(14), 0x0100);
	/* A double word at the data register changes the mode, for good. */
	bus_out(&m->board.bus, reg(0x10), 4, 0);
	ck_assert_uint_eq(bus_in(&m->board.bus, reg(0x10), 2), 0xffff);
	bus_out(&m->board.bus, reg(0x14), 4, 88);
	ck_assert_uint_eq(bus_in(&m->board.bus, reg(0x10), 4), 0x1003);
	bus_in(&m->board.bus, reg(0x18), 4);
	ck_assert_uint_eq(bus_in(&m->board.bus, reg(0x14), 4), 0);
}
END_TEST

START_TEST(test_sends)
{
	uint8_t f[1500];
	const uint8_t *g;
	uint32_t len, status;

	start((unsigned)_i, 0);
	for (unsigned n = 0; n < 3 * RING; n++) {
		unsigned i = n % RING;

		make_frame(f, 2, n, 60 + 50 * n);
		put_mem(buffer_of(TX, i), f, 60 + 50 * n);
		put_desc(TX, i, buffer_of(TX, i), 0x83, 60 + 50 * n);
		csr_out(0, CSR0_TDMD | CSR0_IENA);
		ck_assert(g = at_other_end(&len));
		ck_assert_uint_eq(len, 60 + 50 * n);
		ck_assert(!memcmp(f, g, len));
		frames_take(net_arrived(other), len);
		ck_assert_uint_eq(get_desc(TX, i, &status), 0x03);
		ck_assert(csr_in(0) & CSR0_TINT);
		ck_assert(p->pci.intx);
		csr_out(0, CSR0_TINT | CSR0_IENA);
		ck_assert(!p->pci.intx);
	}
}
END_TEST

/* A frame in three descriptors; one whose end the driver has not given; one without a beginning. */
START_TEST(test_chains)
{
	uint8_t f[300];
	const uint8_t *g;
	uint32_t len, status;

	start((unsigned)_i, 0);
	make_frame(f, 2, 5, sizeof(f));
	put_mem(buffer_of(TX, 0), f, 100);
	put_mem(buffer_of(TX, 1), f + 100, 100);
	put_mem(buffer_of(TX, 2), f + 200, 100);
	put_desc(TX, 2, buffer_of(TX, 2), 0x81, 100);
	put_desc(TX, 1, buffer_of(TX, 1), 0x80, 100);
	put_desc(TX, 0, buffer_of(TX, 0), 0x82, 100);
	csr_out(0, CSR0_TDMD);
	ck_assert(g = at_other_end(&len));
	ck_assert(len == 300 && !memcmp(f, g, 300));
	frames_take(net_arrived(other), len);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(!(get_desc(TX, i, &status) & 0x80));
	put_desc(TX, 3, buffer_of(TX, 3), 0x81, 100); /* no beginning: skipped */
	put_desc(TX, 4, buffer_of(TX, 4), 0x82, 100); /* no end */
	csr_out(0, CSR0_TDMD | CSR0_TINT);
	ck_assert(!(get_desc(TX, 3, &status) & 0x80));
	ck_assert_uint_eq(get_desc(TX, 4, &status) & 0xc0, 0x40);
	ck_assert_uint_eq(status >> (wide() ? 30 : 14) & 3, 3); /* BUFF, UFLO */
	ck_assert(!(csr_in(0) & CSR0_TXON));
}
END_TEST

START_TEST(test_receives)
{
	uint8_t f[1514], got[1514];
	uint32_t status;

	start((unsigned)_i, 0);
	for (unsigned n = 0; n < 3 * RING; n++) {
		unsigned i = n % RING, len = n ? 60 * n + 14 : 42;

		make_frame(f, 1, n + 1, len);
		receive(f, len);
		ck_assert_uint_eq(get_desc(RX, i, &status), 0x03);
		ck_assert_uint_eq(status & 0xfff, (len < 60 ? 60 : len) + 4);
		get_mem(buffer_of(RX, i), got, len);
		ck_assert(!memcmp(f, got, len));
		ck_assert(csr_in(0) & CSR0_RINT);
		csr_out(0, CSR0_RINT | CSR0_IENA);
		put_desc(RX, i, buffer_of(RX, i), 0x80, BUFFER);
	}
	/* No room: the frame waits, and arrives when the driver has made some. */
	for (unsigned n = 0; n < RING; n++)
		receive(f, 100);
	receive(f, 200);
	ck_assert(p->nic.stalled);
	put_desc(RX, 0, buffer_of(RX, 0), 0x80, BUFFER);
	csr_out(0, CSR0_RINT | CSR0_IENA);
	ck_assert(!p->nic.stalled);
	get_desc(RX, 0, &status);
	ck_assert_uint_eq(status & 0xfff, 204);
}
END_TEST

START_TEST(test_small_buffers)
{
	uint8_t f[1000], got[1000];
	uint32_t status;

	start((unsigned)_i, 0);
	for (unsigned i = 0; i < RING; i++)
		put_desc(RX, i, buffer_of(RX, i), 0x80, 400);
	make_frame(f, 1, 3, sizeof(f));
	for (unsigned i = 0; i < sizeof(f) - 14; i++)
		f[14 + i] = (uint8_t)(i * 3);
	receive(f, sizeof(f));
	ck_assert_uint_eq(get_desc(RX, 0, &status), 0x02);
	ck_assert_uint_eq(get_desc(RX, 1, &status), 0x00);
	ck_assert_uint_eq(get_desc(RX, 2, &status), 0x01);
	ck_assert_uint_eq(status & 0xfff, 1004);
	for (unsigned i = 0; i < 3; i++)
		get_mem(buffer_of(RX, i), got + 400 * i, i < 2 ? 400 : 200);
	ck_assert(!memcmp(f, got, sizeof(f)));
	/* Room for a part only. */
	put_desc(RX, 4, buffer_of(RX, 4), 0, 400);
	receive(f, sizeof(f));
	ck_assert_uint_eq(get_desc(RX, 3, &status) & 0xc0, 0x40);
}
END_TEST

START_TEST(test_filter)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 };
	uint8_t f[60], filter[8] = { 0 };
	uint32_t status;

	start(2, 0);
	make_frame(f, 7, 0, 60); /* somebody else's */
	receive(f, 60);
	ck_assert(get_desc(RX, 0, &status) & 0x80);
	memset(f, 0xff, 6);
	receive(f, 60);
	ck_assert(!(get_desc(RX, 0, &status) & 0x80));
	memcpy(f, group, 6);
	receive(f, 60);
	ck_assert(get_desc(RX, 1, &status) & 0x80);
	/* 01:00:5e:00:00:01 has bit 54, the upper six bits of its CRC as zlib computes it, inverted. */
	filter[6] = 0x40;
	csr_out(0, CSR0_STOP);
	put_init(0, filter);
	put_desc(RX, 0, buffer_of(RX, 0), 0x80, BUFFER);
	csr_out(0, CSR0_INIT | CSR0_STRT);
	receive(f, 60);
	ck_assert_msg(!(get_desc(RX, 0, &status) & 0x80), "the group's bit is another");
	/* Promiscuous. */
	csr_out(0, CSR0_STOP);
	csr_out(15, MODE_PROM);
	csr_out(0, CSR0_STRT);
	make_frame(f, 7, 0, 60);
	receive(f, 60);
	ck_assert(!(get_desc(RX, 1, &status) & 0x80));
}
END_TEST

START_TEST(test_loopback)
{
	uint8_t f[200], got[200];
	uint32_t status, len;

	start((unsigned)_i, MODE_LOOP);
	make_frame(f, 1, 4, sizeof(f));
	put_mem(buffer_of(TX, 0), f, sizeof(f));
	put_desc(TX, 0, buffer_of(TX, 0), 0x83, sizeof(f));
	csr_out(0, CSR0_TDMD);
	ck_assert_uint_eq(get_desc(RX, 0, &status), 0x03);
	get_mem(buffer_of(RX, 0), got, sizeof(f));
	ck_assert(!memcmp(f, got, sizeof(f)));
	usleep(20000);
	ck_assert_msg(!frames_first(net_arrived(other), &len), "a frame got out of the loop");
}
END_TEST

/* Rings in ROM, at addresses without memory, that never end: each request ends. */
START_TEST(test_bad_rings)
{
	static const uint32_t at[] = { 0xfffc0000, 0x7fffff0, 0xffffffff, 0x1ffff0, 0xa0000 };

	start((unsigned)_i, 0);
	for (unsigned k = 0; k < ARRAY_LEN(at); k++) {
		csr_out(0, CSR0_STOP);
		csr_out(24, (uint16_t)at[k]);
		csr_out(25, (uint16_t)(at[k] >> 16));
		csr_out(30, (uint16_t)at[k]);
		csr_out(31, (uint16_t)(at[k] >> 16));
		csr_out(78, (uint16_t)-512);
		csr_out(0, CSR0_STRT);
		csr_out(0, CSR0_TDMD);
		receive((const uint8_t[60]){ 2, 0, 0, 0, 0, 1 }, 60);
		nic_forget(&p->nic);
	}
	for (unsigned i = 0; i < RING; i++) /* all own, none ends; a buffer nowhere */
		put_desc(TX, i, 0xe0000000, 0x80, 0);
	csr_out(0, CSR0_STOP);
	csr_out(0, CSR0_INIT | CSR0_STRT | CSR0_TDMD);
	p->pci.cfg[PCI_COMMAND] &= (uint8_t)~PCI_MASTER;
	csr_out(0, CSR0_STOP);
	csr_out(0, CSR0_INIT | CSR0_STRT | CSR0_TDMD);
	ck_assert(csr_in(0) & CSR0_MERR);
}
END_TEST

/* ---- the door ---- */

static void send_one(unsigned i)
{
	uint8_t f[100];

	/* As if switches had been frequent: by the clock they would not be on a busy host. */
	m->door.rate = (struct door_rate){ __builtin_ia32_rdtsc(), 1 << 20 };
	make_frame(f, 2, i, sizeof(f));
	put_mem(buffer_of(TX, i % RING), f, sizeof(f));
	put_desc(TX, i % RING, buffer_of(TX, i % RING), 0x83, sizeof(f));
	csr_out(0, CSR0_TDMD);
}

/* A link whose frames only the host world can send: they wait in the ring. */
START_TEST(test_combining)
{
	const struct door_use *use = &p->d.user->use[DOOR_TRANSMIT];
	const uint8_t *g;
	uint32_t len, status;

	start(2, 0);
	p->nic.leaving = NULL;
	m->door.host = false;
	machine_hosted_io(m, "combine", false);
	for (unsigned i = 0; i < 40; i++) {
		send_one(i);
		ck_assert_uint_eq(use->switches, i + 1);
	}
	machine_hosted_io(m, "combine", true);
	for (unsigned i = 0; i < 40; i++) { /* three wait, the fourth goes */
		send_one(i);
		ck_assert_uint_eq(use->switches, 40 + (i + 1) / 4);
		ck_assert_uint_eq(get_desc(TX, i % RING, &status) >> 7, i % 4 != 3);
	}
	for (unsigned i = 0; i < 80; i++) {
		ck_assert(g = at_other_end(&len));
		ck_assert_uint_eq(g[20], i % 40);
		frames_take(net_arrived(other), len);
	}
	/* What waits leaves with the next switch, or with the tick. */
	send_one(0);
	ck_assert_uint_eq(p->nic.waiting, 1);
	door_call(&m->door, p->d.user, DOOR_DISK, p->nic.made_room, &p->nic);
	ck_assert_uint_eq(p->nic.waiting, 0);
	ck_assert(at_other_end(&len));
	frames_take(net_arrived(other), len);
	send_one(1);
	ck_assert(p->nic.waiting == 1 && p->nic.tick.armed);
	for (int i = 0; i < PATIENCE_MS && p->nic.waiting; i++) {
		usleep(1000);
		clock_run(&m->board.clock);
	}
	ck_assert(at_other_end(&len));
	m->door.host = true;
}
END_TEST

/* Frames leave for the link's queue at once: without a switch while its thread is awake. */
START_TEST(test_hand_over)
{
	const struct door_use *use = &p->d.user->use[DOOR_TRANSMIT];
	atomic_bool asleep = false;
	const uint8_t *g;
	uint32_t len, status;

	start(2, 0);
	m->door.host = false;
	p->nic.sleeps = &asleep;
	for (unsigned i = 0; i < 80; i++) {
		if (i == 40)
			atomic_store(&asleep, true);
		send_one(i);
		ck_assert_uint_eq(use->switches, i < 40 ? 0 : (i - 39) / 4);
		ck_assert_uint_eq(get_desc(TX, i % RING, &status) >> 7, 0);
	}
	ck_assert_uint_eq(p->nic.waiting, 0);
	for (unsigned i = 0; i < 80; i++) {
		ck_assert(g = at_other_end(&len));
		ck_assert_uint_eq(g[20], i);
		frames_take(net_arrived(other), len);
	}
	machine_hosted_io(m, "combine", false);
	send_one(0);
	ck_assert_uint_eq(use->switches, 11);
	m->door.host = true;
}
END_TEST

START_TEST(test_vmm)
{
	const struct door_use *use = &p->d.user->use[DOOR_REGISTER];

	m->door.host = false;
	csr_in(0);
	ck_assert_uint_eq(use->switches, 0);
	machine_hosted_io(m, "vmm", false);
	csr_in(0);
	ck_assert_uint_eq(use->switches, 2);
	machine_hosted_io(m, "vmm", true);
	csr_in(0);
	ck_assert_uint_eq(use->switches, 2);
	m->door.host = true;
}
END_TEST

START_TEST(test_vector)
{
	uint8_t f[60];
	uint32_t status;

	start(2, 0);
	make_frame(f, 1, 0, sizeof(f));
	for (int off = 0; off < 2; off++) {
		machine_hosted_io(m, "vector", !off);
		ck_assert(net_send(other, f, sizeof(f)));
		net_push(other);
		for (int i = 0; i < PATIENCE_MS && (get_desc(RX, (unsigned)off, &status) & 0x80); i++) {
			usleep(1000);
			ck_assert(!off || !atomic_load(&m->io.ready)); /* bits are not used */
			hosted_serve(m);
		}
		ck_assert(!(get_desc(RX, (unsigned)off, &status) & 0x80));
	}
	ck_assert_uint_gt(m->hosted.polls, 0);
}
END_TEST

/* A saved state holds the rings' places. */
START_TEST(test_state)
{
	char path[200], err[200];
	uint8_t f[60];
	uint32_t status, len;

	start(2, 0);
	make_frame(f, 1, 0, sizeof(f));
	receive(f, sizeof(f));
	send_one(0);
	ck_assert(at_other_end(&len));
	snprintf(path, sizeof(path), "%s/state", dir);
	clock_stop(&m->board.clock);
	ck_assert_msg(machine_save_state(m, path, err, sizeof(err)), "%s", err);
	csr_out(0, CSR0_STOP);
	ck_assert_msg(machine_load_state(m, path, err, sizeof(err)), "%s", err);
	clock_start(&m->board.clock);
	receive(f, sizeof(f));
	ck_assert(!(get_desc(RX, 1, &status) & 0x80));
	send_one(1);
	ck_assert(!(get_desc(TX, 1, &status) & 0x80));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pcnet");
	Suite *su = suite_create("pcnet");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_identity);
	tcase_add_loop_test(tc, test_sends, 0, 4);
	tcase_add_loop_test(tc, test_chains, 0, 4);
	tcase_add_loop_test(tc, test_receives, 0, 4);
	tcase_add_loop_test(tc, test_small_buffers, 0, 4);
	tcase_add_test(tc, test_filter);
	tcase_add_loop_test(tc, test_loopback, 0, 4);
	tcase_add_loop_test(tc, test_bad_rings, 0, 4);
	tcase_add_test(tc, test_combining);
	tcase_add_test(tc, test_hand_over);
	tcase_add_test(tc, test_vmm);
	tcase_add_test(tc, test_vector);
	tcase_add_test(tc, test_state);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
