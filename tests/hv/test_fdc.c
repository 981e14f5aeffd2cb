/* SPDX-License-Identifier: GPL-3.0-or-later
 * The floppy controller and the DMA controller as a driver uses them: tables of commands against the image's
 * file. */
#include "tests/suite.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { BYTES = 1440 << 10, BUF = 0x20000, LINE = 6 };

static struct machine *m;
static char dir[32], file[64], second[64];
static uint8_t image[BYTES];

static void out(uint16_t port, uint8_t val)
{
	bus_out(&m->board.bus, port, 1, val);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)bus_in(&m->board.bus, port, 1);
}

static void put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	ck_assert(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

static void setup(void)
{
	static const uint8_t hlt = 0xf4;
	struct machine_config cfg = { .memory = 1 << 20, .clock = CLOCK_ICOUNT };
	char err[256] = "", flat[64];

	strcpy(dir, "/tmp/vitrine-fdc-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/a", dir);
	snprintf(second, sizeof(second), "%s/b", dir);
	snprintf(flat, sizeof(flat), "%s/flat", dir);
	for (size_t i = 0; i < BYTES; i++)
		image[i] = (uint8_t)(i * 7 + i / 512);
	put(file, image, BYTES);
	put(second, image, 720 << 10);
	put(flat, &hlt, 1);
	cfg.image.flat = flat;
	cfg.image.flat_addr = 0x8000;
	cfg.image.floppy[0].file = file;
	cfg.image.floppy[1] = (struct drive_config){ .file = second, .read_only = true };
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	out(0x3f2, 0x1c);
}

static void teardown(void)
{
	char cmd[80];

	machine_free(m);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static bool line(void)
{
	return m->board.lines >> LINE & 1;
}

/* Send N bytes of a command, and let it end. */
static void command(const uint8_t *c, unsigned n)
{
	struct vm_clock *k = &m->board.clock;

	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_eq(in(0x3f4) & 0xc0, 0x80);
		out(0x3f5, c[i]);
	}
	while (!(in(0x3f4) & 0x80)) {
		ck_assert(clock_next(k) != CLOCK_NEVER);
		clock_skip_to(k, clock_next(k));
		clock_run(k);
	}
}

static unsigned result(uint8_t *r)
{
	unsigned n = 0;

	while ((in(0x3f4) & 0xd0) == 0xd0 && n < 16)
		r[n++] = in(0x3f5);
	return n;
}

/* The four interrupts of the reset, and a seek of drive N to TRACK. */
static void seek(uint8_t n, uint8_t track)
{
	const uint8_t c[] = { 0x0f, n, track }, sense = 8;
	uint8_t r[16];

	for (unsigned i = 0; i < 4; i++) {
		command(&sense, 1);
		result(r);
	}
	command(c, 3);
	ck_assert(line());
	command(&sense, 1);
	ck_assert_uint_eq(result(r), 2);
	ck_assert(!line());
	ck_assert(r[0] == (0x20 | n) && r[1] == track);
}

/* Channel 2 for N bytes at BUF. MODE: 46h to memory, 4Ah from it. */
static void channel(uint8_t mode, unsigned n)
{
	out(0x0c, 0);
	out(0x0b, mode);
	out(0x04, BUF & 0xff);
	out(0x04, BUF >> 8 & 0xff);
	out(0x81, BUF >> 16);
	out(0x05, (uint8_t)(n - 1));
	out(0x05, (uint8_t)((n - 1) >> 8));
	out(0x0a, 2);
}

/* Columns: command (read, write), drive, cylinder the heads are at, cylinder, head, sector, last sector,
 * rate, bytes of the DMA channel; status bytes; cylinder, head, sector of the result. */
static const struct row {
	uint8_t op, drive, track, c, h, s, eot, rate;
	unsigned bytes;
	uint8_t st0, st1, st2, rc, rh, rs;
} rows[] = {
	{ 0xe6, 0, 0, 0, 0, 1, 18, 0, 512, 0x00, 0, 0, 0, 0, 2 },
	{ 0xe6, 0, 5, 5, 1, 3, 18, 0, 1024, 0x04, 0, 0, 5, 1, 5 },
	{ 0xe6, 0, 7, 7, 0, 17, 18, 0, 2048, 0x04, 0, 0, 7, 1, 3 },    /* over to the other head */
	{ 0xe6, 0, 79, 79, 0, 1, 18, 0, 18432, 0x00, 0, 0, 80, 0, 1 }, /* a cylinder */
	{ 0x46, 0, 3, 3, 0, 18, 18, 0, 1024, 0x40, 0x80, 0, 4, 0, 1 }, /* the track's end */
	{ 0xe6, 0, 3, 4, 0, 1, 18, 0, 512, 0x40, 4, 0x10, 4, 0, 1 },   /* wrong cylinder */
	{ 0xe6, 0, 3, 3, 0, 19, 18, 0, 512, 0x40, 4, 0, 3, 0, 19 },    /* no such sector */
	{ 0xe6, 0, 3, 3, 0, 1, 18, 2, 512, 0x40, 1, 0, 3, 0, 1 },      /* wrong rate */
	{ 0xe6, 1, 3, 3, 0, 9, 9, 2, 512, 0x05, 0, 0, 3, 1, 1 },
	{ 0xe6, 1, 3, 3, 0, 1, 9, 0, 512, 0x41, 1, 0, 3, 0, 1 },
	{ 0xe6, 2, 0, 0, 0, 1, 18, 0, 512, 0x42, 1, 0, 0, 0, 1 }, /* no drive */
	{ 0xc5, 0, 9, 9, 1, 2, 18, 0, 1536, 0x04, 0, 0, 9, 1, 5 },
	{ 0xc5, 1, 9, 9, 0, 2, 9, 2, 512, 0x41, 2, 0, 9, 0, 2 }, /* write-protected */
};

START_TEST(transfers)
{
	static uint8_t buf[18432], got[18432];
	const struct row *t = &rows[_i];
	const uint8_t c[] = {
		t->op, (uint8_t)(t->h << 2 | t->drive), t->c, t->h, t->s, 2, t->eot, 0x1b, 0xff
	};
	unsigned spt = t->drive ? 9 : 18, at = ((t->c * 2u + t->h) * spt + t->s - 1) * 512, n = t->bytes;
	uint8_t r[16];
	int fd;

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 31);
	mm_phys_write(m->vm, BUF, buf, n);
	if (t->drive < 2)
		seek(t->drive, t->track);
	out(0x3f7, t->rate);
	channel(t->op == 0xc5 ? 0x4a : 0x46, n);
	command(c, 9);
	ck_assert(line());
	ck_assert_uint_eq(result(r), 7);
	ck_assert(!line());
	ck_assert_msg(r[0] == t->st0 && r[1] == t->st1 && r[2] == t->st2, "%x %x %x", r[0], r[1], r[2]);
	ck_assert_msg(r[3] == t->rc && r[4] == t->rh && r[5] == t->rs && r[6] == 2, "%u %u %u", r[3], r[4],
		      r[5]);
	if (t->st0 & 0xc0)
		return;
	mm_phys_read(m->vm, BUF, got, n);
	fd = open(file, O_RDONLY);
	if (t->op == 0xc5) {
		ck_assert(pread(fd, got, n, at) == (ssize_t)n && !memcmp(got, buf, n));
		ck_assert(pread(fd, got, 512, at + n) == 512 && !memcmp(got, image + at + n, 512));
	} else
		ck_assert(!memcmp(got, image + at, n));
	close(fd);
}
END_TEST

START_TEST(format)
{
	static const uint8_t c[] = { 0x4d, 4, 2, 18, 0x54, 0xf6 };
	uint8_t r[16], got[19 * 512];
	unsigned at = (11 * 2 + 1) * 18 * 512;
	int fd;

	seek(0, 11);
	channel(0x4a, 72);
	command(c, 6);
	ck_assert_uint_eq(result(r), 7);
	ck_assert_uint_eq(r[0], 4);
	fd = open(file, O_RDONLY);
	ck_assert_int_eq(pread(fd, got, sizeof(got), at), sizeof(got));
	for (unsigned i = 0; i < 18 * 512; i++)
		ck_assert_uint_eq(got[i], 0xf6);
	ck_assert(!memcmp(got + 18 * 512, image + at + 18 * 512, 512));
	close(fd);
}
END_TEST

/* Columns: command, its length, bytes of the result, the first two. */
static const struct {
	uint8_t c[4];
	unsigned len, n;
	uint8_t first, next;
} others[] = {
	{ { 0x10 }, 1, 1, 0x90, 0 },	   { { 0x04, 1 }, 2, 1, 0x79, 0 },
	{ { 0x04, 0 }, 2, 1, 0x38, 0 },	   { { 0x0e }, 1, 10, 0, 0 },
	{ { 0x94 }, 1, 1, 0x10, 0 },	   { { 0x14 }, 1, 1, 0, 0 },
	{ { 0x18 }, 1, 1, 0x80, 0 },	   { { 0x1f }, 1, 1, 0x80, 0 },
	{ { 0x03, 0xdf, 2 }, 3, 0, 0, 0 }, { { 0x13, 0, 0x57, 0 }, 4, 0, 0, 0 },
	{ { 0x4a, 0 }, 2, 7, 0, 0 },	   { { 0x4a, 2 }, 2, 7, 0x42, 1 },
	{ { 0x08 }, 1, 2, 0xc0, 0 },
};

START_TEST(commands)
{
	uint8_t r[16] = { 0 };

	command(others[_i].c, others[_i].len);
	ck_assert_uint_eq(result(r), others[_i].n);
	if (others[_i].n)
		ck_assert_uint_eq(r[0], others[_i].first);
	if (others[_i].n > 1)
		ck_assert_uint_eq(r[1], others[_i].next);
}
END_TEST

/* The reset tells of each drive; one in the middle of a transfer ends it; DOR gates the line; DIR tells of
 * media. */
START_TEST(resets)
{
	static const uint8_t c[] = { 0xe6, 0, 0, 0, 1, 2, 18, 0x1b, 0xff };
	uint8_t sense = 8, r[16];

	ck_assert(line());
	for (unsigned i = 0; i < 4; i++) {
		command(&sense, 1);
		ck_assert_uint_eq(result(r), 2);
		ck_assert_uint_eq(r[0], 0xc0 | i);
	}
	command(&sense, 1);
	ck_assert(result(r) == 1 && r[0] == 0x80);
	channel(0x46, 512);
	for (unsigned i = 0; i < 9; i++)
		out(0x3f5, c[i]);
	ck_assert_uint_eq(in(0x3f4), 0x10);
	out(0x3f2, 0);
	ck_assert_uint_eq(in(0x3f4), 0);
	ck_assert(!line() && !block_stats(drive_floppy(m->board.drives, 0)->block)->depth);
	out(0x3f2, 0x14); /* on, without interrupts */
	ck_assert(!line());
	out(0x3f2, 0x1c);
	ck_assert(line());
	ck_assert_uint_eq(in(0x3f7) & 0x80, 0);
	out(0x3f2, 0x1e);
	ck_assert_uint_eq(in(0x3f7) & 0x80, 0x80); /* drive 2 has no disk */
}
END_TEST

/* A channel that counts to zero is masked and says so, unless it begins anew; what is masked moves nothing.
 */
START_TEST(dma_channel)
{
	struct dev *d = m->board.dev[SLOT_dma];
	uint8_t a[64], b[64];
	bool end;

	memset(a, 0x5a, sizeof(a));
	channel(0x46, 48);
	ck_assert_uint_eq(dma_available(d, 2), 48);
	ck_assert_uint_eq(dma_move(d, 2, a, 32, &end), 32);
	ck_assert(!end && !(in(8) & 4));
	out(0x0c, 0);
	ck_assert(in(4) == 32 && in(4) == 0 && in(5) == 15 && in(5) == 0);
	ck_assert_uint_eq(dma_move(d, 2, a, 32, &end), 16);
	ck_assert(end && (in(8) & 4) && !(in(8) & 4));
	ck_assert(!dma_available(d, 2) && !dma_move(d, 2, a, 8, &end));
	mm_phys_read(m->vm, BUF, b, 64);
	ck_assert(!memcmp(a, b, 48) && !b[48]);
	channel(0x5a, 16); /* from memory, and again */
	ck_assert(dma_move(d, 2, b, 16, &end) == 16 && end && dma_available(d, 2) == 16);
	channel(0x66, 8); /* downwards */
	for (uint8_t i = 0; i < 8; i++)
		a[i] = i;
	out(0x0c, 0);
	out(0x04, 7);
	out(0x04, 0);
	ck_assert_uint_eq(dma_move(d, 2, a, 8, &end), 8);
	mm_phys_read(m->vm, BUF, b, 8);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(b[i], 7 - i);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fdc");
	TCase *t = tcase_create("fdc");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, transfers, 0, (int)ARRAY_LEN(rows));
	tcase_add_loop_test(t, commands, 0, (int)ARRAY_LEN(others));
	tcase_add_test(t, format);
	tcase_add_test(t, resets);
	tcase_add_test(t, dma_channel);
	suite_add_tcase(s, t);
	return suite_run(s);
}
