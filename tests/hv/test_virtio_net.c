/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio network device as a driver sees it, with a hub as its cable. */
#include "tests/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { PATIENCE_MS = 60000, RX = 0, TX = 1, QUEUE = 8, HEADER = 12, WRITE = 2, INDIRECT = 4 };
/* Of queue N: descriptors, rings, buffers. */
enum { RINGS = 0x10000, AVAIL = 0x400, USED = 0x800, STRIDE = 0x1000, BUFFERS = 0x20000, BUFFER = 0x1000 };
enum { NEEDS_RESET = 0x40, DRIVER_OK = 15 };

static char dir[] = "/tmp/vitrine-vnet-XXXXXX";
static struct machine *m;
static struct virtio *v;
static struct net_config other_config;
static struct io_notice other_notice;
static struct net *other; /* the other end of the cable */
static uint16_t posted[2];

static void reg(gpa at, unsigned n, uint32_t val)
{
	virtio_write(&v->d, 4, at, n, val);
}

static void start_driver(void)
{
	uint8_t zero[STRIDE] = { 0 };

	reg(20, 1, 0);
	reg(8, 4, 1);
	reg(12, 4, 1);
	for (unsigned q = 0; q < 2; q++) {
		ck_assert(mm_phys_write(m->vm, RINGS + q * STRIDE, zero, sizeof(zero)));
		posted[q] = 0;
		reg(22, 2, q);
		reg(24, 2, QUEUE);
		reg(32, 4, RINGS + q * STRIDE);
		reg(40, 4, RINGS + q * STRIDE + AVAIL);
		reg(48, 4, RINGS + q * STRIDE + USED);
		reg(28, 2, 1);
	}
	reg(20, 1, DRIVER_OK);
}

static void setup(void)
{
	struct machine_config cfg = { .memory = 2 << 20,
				      .clock = CLOCK_HOST,
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	const struct net_host host = { .notice = &other_notice };
	char err[256] = "", text[300], option[350];

	ck_assert(mkdtemp(strcpy(dir, "/tmp/vitrine-vnet-XXXXXX")));
	snprintf(text, sizeof(text), "hub:%s/hub", dir);
	snprintf(option, sizeof(option), "%s,model=virtio,mac=02:00:00:00:00:01", text);
	ck_assert(net_parse(&other_config, text, err, sizeof(err)));
	other = net_open(&other_config, err, sizeof(err));
	ck_assert_msg(other && net_start(other, &host, 0, err, sizeof(err)), "%s", err);
	cfg.net[0] = option;
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	v = (struct virtio *)board_find(&m->board, "net0");
	ck_assert(v);
	v->f.cfg[PCI_COMMAND] |= PCI_MASTER;
	clock_start(&m->board.clock);
	for (int i = 0; i < PATIENCE_MS && !atomic_load(m->network.nics.first->up); i++)
		usleep(1000);
	start_driver();
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

/* Post buffer I of queue Q, N bytes long. */
static void post(unsigned q, unsigned i, uint32_t n, unsigned flags)
{
	gpa rings = RINGS + q * STRIDE;
	uint64_t d[2] = { BUFFERS + (q * QUEUE + i) * (uint64_t)BUFFER, (uint64_t)flags << 32 | n };
	uint16_t head = (uint16_t)i;

	ck_assert(mm_phys_write(m->vm, rings + 16 * i, d, sizeof(d)));
	ck_assert(mm_phys_write(m->vm, rings + AVAIL + 4 + 2 * (posted[q] % QUEUE), &head, 2));
	posted[q]++;
	ck_assert(mm_phys_write(m->vm, rings + AVAIL + 2, &posted[q], 2));
	reg(0x3000 + 4 * q, 2, q);
}

static gpa buffer(unsigned q, unsigned i)
{
	return BUFFERS + (q * QUEUE + i) * (gpa)BUFFER;
}

static uint16_t used(unsigned q)
{
	uint16_t n;

	ck_assert(mm_phys_read(m->vm, RINGS + q * STRIDE + USED + 2, &n, 2));
	return n;
}

static uint32_t used_len(unsigned q, unsigned i)
{
	uint32_t n;

	ck_assert(mm_phys_read(m->vm, RINGS + q * STRIDE + USED + 4 + 8 * i + 4, &n, 4));
	return n;
}

static void fill_frame(uint8_t *f, unsigned n, uint8_t seed)
{
	static const uint8_t to[] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };

	for (unsigned i = 0; i < n; i++)
		f[i] = i < sizeof(to) ? to[i] : (uint8_t)(i * 5 + seed);
}

/* The other end gets a frame. */
static void expect(unsigned n, uint8_t seed)
{
	uint8_t want[2048];
	const uint8_t *f = NULL;
	uint32_t len = 0;

	for (int i = 0; i < PATIENCE_MS && !(f = frames_first(net_arrived(other), &len)); i++)
		usleep(1000);
	ck_assert_ptr_nonnull(f);
	fill_frame(want, n, seed);
	ck_assert_uint_eq(len, n);
	ck_assert_mem_eq(f, want, n);
	frames_take(net_arrived(other), len);
}

static void send_frame(unsigned i, unsigned n, uint8_t seed)
{
	uint8_t f[2048];

	fill_frame(f, n, seed);
	ck_assert(mm_phys_write(m->vm, buffer(TX, i) + HEADER, f, n));
	post(TX, i, HEADER + n, 0);
}

/* A frame comes from the other end. */
static void arrive(unsigned n, uint8_t seed)
{
	uint8_t f[2048];
	uint32_t len;

	fill_frame(f, n, seed);
	ck_assert(net_send(other, f, n));
	net_push(other);
	for (int i = 0; i < PATIENCE_MS && !frames_first(m->network.nics.first->arrived, &len); i++)
		usleep(1000);
	nics_notice(&m->network.nics, m->network.nics.first->link->bit);
}

START_TEST(sends)
{
	send_frame(0, 60, 1);
	expect(60, 1);
	send_frame(1, 1514, 2);
	expect(1514, 2);
	ck_assert_uint_eq(used(TX), 2);
	/* No frame, one too long, one where there is no memory: given back, and not sent. */
	post(TX, 2, HEADER, 0);
	post(TX, 3, HEADER + 2049, 0);
	post(TX, 4, 4, 0);
	send_frame(5, 64, 3);
	expect(64, 3);
	ck_assert_uint_eq(used(TX), 6);
	ck_assert_uint_eq(v->status & NEEDS_RESET, 0);
	post(TX, 6, 64, INDIRECT); /* which was not agreed on */
	ck_assert_uint_eq(v->status & NEEDS_RESET, NEEDS_RESET);
	start_driver();
	send_frame(0, 60, 4);
	expect(60, 4);
}
END_TEST

START_TEST(receives)
{
	uint8_t got[2048], want[2048];

	post(RX, 0, 1600, WRITE);
	arrive(100, 7);
	fill_frame(want, 100, 7);
	ck_assert_uint_eq(used(RX), 1);
	ck_assert_uint_eq(used_len(RX, 0), HEADER + 100);
	ck_assert(mm_phys_read(m->vm, buffer(RX, 0), got, HEADER + 100));
	ck_assert_uint_eq(got[10] | got[11] << 8, 1);
	ck_assert_mem_eq(got + HEADER, want, 100);
	arrive(200, 8); /* there is no buffer: it waits */
	ck_assert_uint_eq(used(RX), 1);
	post(RX, 1, 1600, WRITE);
	ck_assert_uint_eq(used(RX), 2);
	ck_assert_uint_eq(used_len(RX, 1), HEADER + 200);
	post(RX, 2, 50, WRITE); /* too short for what comes */
	arrive(100, 9);
	ck_assert_uint_eq(used(RX), 3);
	ck_assert_uint_eq(used_len(RX, 2), 0);
	reg(20, 1, 0); /* without a driver frames are lost, and hold up nothing */
	arrive(100, 10);
	start_driver();
	post(RX, 0, 1600, WRITE);
	arrive(70, 11);
	ck_assert_uint_eq(used(RX), 1);
	ck_assert_uint_eq(used_len(RX, 0), HEADER + 70);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-virtio-net");
	TCase *tc = tcase_create("net");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, sends);
	tcase_add_test(tc, receives);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
