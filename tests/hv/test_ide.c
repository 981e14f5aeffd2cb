/* SPDX-License-Identifier: GPL-3.0-or-later
 * The IDE controller as drivers use it, by its registers: transfers of all kinds against the image's file,
 * packets, errors, resets, interrupts, the bus master's tables. */
#include "tests/suite.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "hv/pci.h"
#include "tests/hv/fake_engine.h"

enum { SECTORS = 2000, CD_SECTORS = 300, MEMORY = 2 << 20, BM = 0xc100 };
enum { PRD = 0x1000, BUF = 0x10000 };
enum { ERR = 1, DRQ = 8, DRDY = 0x40, BSY = 0x80, ABRT = 4, IDNF = 0x10, UNC = 0x40 };

static struct machine *m;
static char dir[] = "/tmp/vitrine-ide-XXXXXX", disk[64], cd[64], *slave; /* SLAVE: file of a second disk */
static uint8_t image[SECTORS * 512], cd_image[CD_SECTORS * 2048];

static void put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	ck_assert(f && fwrite(p, 1, n, f) == n && !fclose(f));
}

static void start(bool read_only)
{
	static const uint8_t hlt = 0xf4;
	struct machine_config cfg = { .memory = MEMORY, .clock = CLOCK_ICOUNT };
	static char flat[64];
	char err[256] = "";

	snprintf(flat, sizeof(flat), "%s/flat", dir);
	put(flat, &hlt, 1);
	cfg.image.flat = flat;
	cfg.image.flat_addr = 0x8000;
	cfg.image.disk[0] = (struct drive_config){ .file = disk, .read_only = read_only };
	cfg.image.disk[1].file = slave;
	cfg.image.cdrom.file = cd;
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
}

static void setup(void)
{
	strcpy(dir, "/tmp/vitrine-ide-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(disk, sizeof(disk), "%s/disk", dir);
	snprintf(cd, sizeof(cd), "%s/cd", dir);
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i * 3 + i / 512);
	for (size_t i = 0; i < sizeof(cd_image); i++)
		cd_image[i] = (uint8_t)(i * 5 + i / 2048);
	put(disk, image, sizeof(image));
	put(cd, cd_image, sizeof(cd_image));
	start(false);
}

static void teardown(void)
{
	char cmd[80];

	machine_free(m);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- registers ---- */

static unsigned base = 0x1f0; /* of the channel in use */

static void out(unsigned reg, uint8_t val)
{
	bus_out(&m->board.bus, (uint16_t)(base + reg), 1, val);
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)bus_in(&m->board.bus, (uint16_t)(base + reg), 1);
}

static void control(uint8_t val)
{
	bus_out(&m->board.bus, (uint16_t)(base + 0x206), 1, val);
}

static uint8_t status(void)
{
	return (uint8_t)bus_in(&m->board.bus, (uint16_t)(base + 0x206), 1);
}

static bool line(void)
{
	return m->board.lines >> (base == 0x1f0 ? 14 : 15) & 1;
}

/* Let time pass until the drive is not busy. */
static uint8_t wait(void)
{
	struct vm_clock *c = &m->board.clock;

	for (unsigned i = 0; (status() & BSY) && i < 1000; i++) {
		ck_assert(clock_next(c) != CLOCK_NEVER);
		clock_skip_to(c, clock_next(c));
		clock_run(c);
	}
	return status();
}

static void address(uint64_t lba, unsigned count, bool ext)
{
	if (ext) {
		out(2, (uint8_t)(count >> 8));
		out(3, (uint8_t)(lba >> 24));
		out(4, (uint8_t)(lba >> 32));
		out(5, (uint8_t)(lba >> 40));
	}
	out(6, (uint8_t)(0x40 | (ext ? 0 : lba >> 24 & 15)));
	out(2, (uint8_t)count);
	out(3, (uint8_t)lba);
	out(4, (uint8_t)(lba >> 8));
	out(5, (uint8_t)(lba >> 16));
}

/* Take N bytes from the data register, in the parts that the drive offers, each of which it announces by an
 * interrupt. Return the number of parts. */
static unsigned take(uint8_t *to, size_t n, unsigned width)
{
	unsigned parts = 0;

	while (n) {
		ck_assert(wait() & DRQ);
		ck_assert(line());
		in(7);
		ck_assert(!line());
		parts++;
		do {
			uint32_t v = bus_in(&m->board.bus, (uint16_t)base, width);

			memcpy(to, &v, width);
			to += width;
			n -= width;
		} while (n && (status() & DRQ) && !line());
	}
	return parts;
}

static void give(const uint8_t *from, size_t n, unsigned width)
{
	while (n) {
		ck_assert(wait() & DRQ);
		in(7);
		do {
			uint32_t v = 0;

			memcpy(&v, from, width);
			bus_out(&m->board.bus, (uint16_t)base, width, v);
			from += width;
			n -= width;
		} while (n && (status() & DRQ));
	}
}

static void finished(void)
{
	ck_assert_uint_eq(wait() & (BSY | DRQ | ERR), 0);
	in(7);
	ck_assert(!line());
}

static void check_file(uint64_t lba, const uint8_t *want, size_t n)
{
	static uint8_t got[SECTORS * 512];
	int fd = open(disk, O_RDONLY);

	ck_assert(fd >= 0 && pread(fd, got, n, (off_t)lba * 512) == (ssize_t)n && !memcmp(got, want, n));
	close(fd);
}

/* ---- PIO ---- */

/* Columns: command, write, 48 bits, sectors, sectors of a part (0: one; multiple mode is 16), width. */
static const struct pio_row {
	uint8_t command;
	bool write, ext;
	unsigned n, part, width;
} pio_rows[] = {
	{ 0x20, false, false, 5, 1, 2 },  { 0x20, false, false, 256, 1, 4 },
	{ 0x24, false, true, 300, 1, 4 }, { 0xc4, false, false, 40, 16, 2 },
	{ 0x29, false, true, 33, 16, 4 }, { 0x30, true, false, 3, 1, 2 },
	{ 0x34, true, true, 290, 1, 4 },  { 0xc5, true, false, 40, 16, 4 },
	{ 0x39, true, true, 17, 16, 2 },
};

START_TEST(pio)
{
	static uint8_t buf[300 * 512];
	const struct pio_row *r = &pio_rows[_i];
	size_t n = r->n * 512;

	address(77, r->n, r->ext);
	out(7, r->command);
	if (!r->write) {
		ck_assert_uint_eq(take(buf, n, r->width), (r->n + r->part - 1) / r->part);
		ck_assert(!memcmp(buf, image + 77 * 512, n));
	} else {
		for (size_t i = 0; i < n; i++)
			buf[i] = (uint8_t)(i * 11);
		ck_assert(!line());
		give(buf, n, r->width);
		wait();
		ck_assert(line());
		check_file(77, buf, n);
		check_file(77 + r->n, image + (77 + r->n) * 512, 512);
	}
	finished();
}
END_TEST

/* By cylinder, head and sector, with the geometry that was set. */
START_TEST(chs)
{
	uint8_t buf[512];

	out(6, 7); /* 8 heads */
	out(2, 20);
	out(7, 0x91);
	finished();
	out(2, 1);
	out(3, 5);
	out(4, 3);
	out(5, 0);
	out(6, 2);
	out(7, 0x20);
	take(buf, 512, 2);
	ck_assert(!memcmp(buf, image + ((3 * 8 + 2) * 20 + 4) * 512, 512));
	out(3, 0); /* there is no sector 0 */
	out(7, 0x20);
	ck_assert(wait() & ERR);
	ck_assert_uint_eq(in(1), IDNF);
}
END_TEST

START_TEST(identify)
{
	uint16_t w[256];
	char model[41] = "";

	out(6, 0);
	out(7, 0xec);
	take((uint8_t *)w, 512, 2);
	finished();
	for (unsigned i = 0; i < 40; i++)
		model[i] = (char)(w[27 + i / 2] >> (i & 1 ? 0 : 8));
	ck_assert(!strncmp(model, "VITRINE HARDDISK ", 17));
	ck_assert_uint_eq(w[60] | w[61] << 16, SECTORS);
	ck_assert_uint_eq(w[100], SECTORS);
	ck_assert((w[49] & 0x300) == 0x300 && (w[83] & 0x2400) == 0x2400 && (w[88] & 0x3f) == 0x3f);
	ck_assert_uint_eq(w[1] * w[3] * w[6] <= SECTORS, 1);
	out(1, 3);
	out(2, 0x45); /* UDMA 5 */
	out(7, 0xef);
	finished();
	out(7, 0xec);
	take((uint8_t *)w, 512, 4);
	ck_assert_uint_eq(w[88], 0x203f);
}
END_TEST

/* Columns: command, count, features, LBA; status' error bit, error register. */
static const struct answer_row {
	uint8_t command, count, feature;
	uint64_t lba;
	bool err;
	uint8_t error;
} answer_rows[] = {
	{ 0x00, 0, 0, 0, true, ABRT },
	{ 0xb0, 1, 0xda, 0xc24f00, true, ABRT }, /* no SMART */
	{ 0x10, 0, 0, 0, false, 0 },
	{ 0x70, 1, 0, 5, false, 0 },
	{ 0x20, 1, 0, SECTORS, true, IDNF },
	{ 0x20, 2, 0, SECTORS - 1, true, IDNF },
	{ 0x20, 0, 0, SECTORS - 255, true, IDNF },
	{ 0x40, 10, 0, SECTORS - 10, false, 0 },
	{ 0x40, 10, 0, SECTORS - 9, true, IDNF },
	{ 0xc6, 3, 0, 0, true, ABRT },
	{ 0xc6, 8, 0, 0, false, 0 },
	{ 0xc6, 32, 0, 0, true, ABRT },
	{ 0xe0, 0, 0, 0, false, 0 },
	{ 0xe5, 0, 0, 0, false, 0 },
	{ 0xe7, 0, 0, 0, false, 0 },
	{ 0xea, 0, 0, 0, false, 0 },
	{ 0xef, 0, 0x82, 0, false, 0 },
	{ 0xef, 0x77, 3, 0, true, ABRT },
	{ 0xef, 0, 0x99, 0, true, ABRT },
	{ 0xa1, 0, 0, 0, true, ABRT },
	{ 0xa0, 0, 0, 0, true, ABRT },
	{ 0xff, 0, 0, 0, true, ABRT },
	{ 0xc8, 1, 0, SECTORS, true, IDNF },
};

START_TEST(answers)
{
	const struct answer_row *r = &answer_rows[_i];

	address(r->lba, r->count, false);
	out(1, r->feature);
	out(7, r->command);
	ck_assert_uint_eq(wait() & (ERR | DRQ | BSY | DRDY), DRDY | (r->err ? ERR : 0u));
	ck_assert(line());
	ck_assert_uint_eq(in(1), r->error);
	if (r->command == 0xe5)
		ck_assert_uint_eq(in(2), 0xff);
}
END_TEST

START_TEST(read_only)
{
	machine_free(m);
	start(true);
	address(5, 1, false);
	out(7, 0x30);
	ck_assert(wait() & ERR);
	ck_assert_uint_eq(in(1), ABRT);
}
END_TEST

/* The image becomes shorter: its sectors cannot be read, and the address says where. */
START_TEST(lost)
{
	ck_assert_int_eq(truncate(disk, 100 * 512), 0);
	address(200, 1, false);
	out(7, 0x20);
	ck_assert(wait() & ERR);
	ck_assert_uint_eq(in(1), UNC);
	ck_assert_uint_eq(in(3), 200);
}
END_TEST

/* ---- interrupts, selection, resets ---- */

START_TEST(interrupts)
{
	uint8_t buf[512];

	control(2); /* nIEN */
	out(6, 0);
	out(7, 0xec);
	wait();
	ck_assert(!line());
	control(0);
	ck_assert(line());
	status(); /* leaves it */
	ck_assert(line());
	in(7);
	ck_assert(!line());
	for (unsigned i = 0; i < 512; i += 2)
		bus_in(&m->board.bus, 0x1f0, 2);
	ck_assert_uint_eq(status() & DRQ, 0);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x1f0, 2), 0); /* there is nothing more */
	out(6, 0x10);					       /* there is no second drive */
	ck_assert_uint_eq(in(7), 0);
	out(7, 0xec);
	ck_assert(!line());
	out(6, 0);
	ck_assert(in(7) & DRDY);
	(void)buf;
}
END_TEST

START_TEST(resets)
{
	address(300, 9, false);
	out(7, 0x20);
	ck_assert(status() & BSY);
	out(7, 0x08); /* is no command for a disk */
	ck_assert(status() & BSY);
	control(4); /* with a request at the host */
	ck_assert(in(7) & BSY);
	control(0);
	ck_assert(!line());
	ck_assert_uint_eq(in(7), DRDY | 0x10);
	ck_assert(in(1) == 1 && in(2) == 1 && in(3) == 1 && !in(4) && !in(5));
	ck_assert(clock_next(&m->board.clock) == CLOCK_NEVER || !(status() & BSY));
	base = 0x170;
	control(4);
	control(0);
	ck_assert(in(2) == 1 && in(3) == 1 && in(4) == 0x14 && in(5) == 0xeb);
	out(7, 0xec); /* a packet device aborts it, and shows its signature */
	ck_assert(in(7) & ERR);
	ck_assert(in(4) == 0x14 && in(5) == 0xeb);
	out(7, 0x08);
	ck_assert(!in(7) && in(4) == 0x14);
	base = 0x1f0;
}
END_TEST

/* ---- bus master ---- */

static void config_write(unsigned reg, unsigned size, uint32_t val)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000900u | (reg & 0xfc));
	bus_out(&m->board.bus, (uint16_t)(0xcfc + (reg & 3)), size, val);
}

static uint8_t bm(unsigned reg)
{
	return (uint8_t)bus_in(&m->board.bus, (uint16_t)(BM + (base == 0x1f0 ? 0 : 8) + reg), 1);
}

static void bm_out(unsigned reg, unsigned size, uint32_t val)
{
	bus_out(&m->board.bus, (uint16_t)(BM + (base == 0x1f0 ? 0 : 8) + reg), size, val);
}

/* A table of N entries from pairs of address and length. */
static void table(const uint32_t (*e)[2], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t entry[2] = { e[i][0], (e[i][1] & 0xffff) | (i == n - 1 ? 0x80000000u : 0) };

		mm_phys_write(m->vm, PRD + i * 8, entry, 8);
	}
	config_write(0x20, 4, BM);
	config_write(4, 2, PCI_IO | PCI_MASTER);
	bm_out(2, 1, 6);
	bm_out(4, 4, PRD);
}

/* Columns: command, sectors, write, bus master first, entries of the table; status of the bus master at the
 * end. */
static const struct dma_row {
	uint8_t command;
	unsigned n;
	bool write, early;
	uint32_t e[3][2];
	unsigned entries;
	uint8_t bm_status;
	bool err;
} dma_rows[] = {
	{ 0xc8, 8, false, false, { { BUF, 4096 } }, 1, 4, false },
	{ 0xc8, 8, false, true, { { BUF, 1000 }, { BUF + 1000, 3096 } }, 2, 4, false },
	{ 0x25, 600, false, false, { { BUF, 0 }, { BUF + 65536, 0 }, { BUF + 131072, 0 } }, 3, 4, false },
	{ 0x25, 256, false, false, { { BUF, 0 }, { BUF + 65536, 0 }, { BUF + 131072, 0 } }, 3, 5, false },
	{ 0xca, 8, true, false, { { BUF, 4096 } }, 1, 4, false },
	{ 0x35, 300, true, false, { { BUF, 0 }, { BUF + 65536, 0 }, { BUF + 131072, 0 } }, 3, 5, false },
	{ 0x3d, 2, true, false, { { BUF, 2 }, { BUF + 2, 1022 } }, 2, 4, false },
	{ 0xc8, 9, false, false, { { BUF, 4096 } }, 1, 6, true },	 /* the table is too short */
	{ 0xc8, 8, false, false, { { 0x40000000, 4096 } }, 1, 6, true }, /* no memory there */
	{ 0xca, 8, true, false, { { 0x7ffffffe, 4096 } }, 1, 6, true },
};

START_TEST(dma)
{
	static uint8_t buf[600 * 512];
	const struct dma_row *r = &dma_rows[_i];
	size_t n = r->n * 512 < sizeof(buf) ? r->n * 512 : sizeof(buf);
	uint8_t go = r->write ? 1 : 9;

	if (n > r->entries * 65536)
		n = r->entries * 65536;
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(i * 13);
	mm_phys_write(m->vm, BUF, buf, n);
	table(r->e, r->entries);
	if (r->early)
		bm_out(0, 1, go);
	address(100, r->n, r->command == 0x25 || r->command == 0x35 || r->command == 0x3d);
	out(7, r->command);
	if (!r->early)
		bm_out(0, 1, go);
	if (r->n == 600)
		n = 3 * 65536; /* what the table holds; the rest fails below */
	wait();
	if (r->n == 600) {
		ck_assert(status() & ERR);
		ck_assert_uint_eq(bm(2) & 7, 6);
		return;
	}
	ck_assert_uint_eq((status() & ERR) != 0, r->err);
	ck_assert(line());
	ck_assert_uint_eq(bm(2) & 7, r->bm_status);
	bm_out(0, 1, 0);
	bm_out(2, 1, 4);
	ck_assert_uint_eq(bm(2) & 5, 0);
	if (r->err)
		return;
	if (r->write) {
		check_file(100, buf, n);
		check_file(100 + r->n, image + (100 + r->n) * 512, 512);
	} else {
		mm_phys_read(m->vm, BUF, buf, n);
		ck_assert(!memcmp(buf, image + 100 * 512, n));
	}
}
END_TEST

/* Without the bus master bit of the command register nothing reaches memory; stopped, a transfer waits. */
START_TEST(no_master)
{
	static const uint32_t e[][2] = { { BUF, 512 } };
	uint32_t x = 0x11223344;

	mm_phys_write(m->vm, BUF, &x, 4);
	table(e, 1);
	config_write(4, 2, PCI_IO);
	address(3, 1, false);
	out(7, 0xc8);
	bm_out(0, 1, 9);
	ck_assert(wait() & ERR);
	mm_phys_read(m->vm, BUF, &x, 4);
	ck_assert_uint_eq(x, 0x11223344);
	table(e, 1);
	bm_out(0, 1, 0);
	address(3, 1, false);
	out(7, 0xc8);
	bm_out(0, 1, 9);
	ck_assert(status() & BSY);
	bm_out(0, 1, 0); /* the guest gives up */
	ck_assert(!(status() & BSY) && (status() & DRQ) && !line());
	bm_out(0, 1, 9); /* and tries again */
	ck_assert_uint_eq(wait() & ERR, 0);
	mm_phys_read(m->vm, BUF, &x, 4);
	ck_assert(!memcmp(&x, image + 3 * 512, 4));
}
END_TEST

/* Columns: number of sectors with ranges; up to three ranges (first sector, number); error register. */
static const struct trim_row {
	unsigned n;
	uint64_t e[3][2];
	uint8_t error;
} trim_rows[] = {
	{ 1, { { 8, 16 }, { 0, 0 }, { 64, 8 } }, 0 },
	{ 8, { { 8, 8 } }, 0 },
	{ 1, { { 8, 8 }, { SECTORS - 4, 5 }, { 64, 8 } }, IDNF },
	{ 1, { { (1ull << 48) - 1, 65535 } }, IDNF },
	{ 9, { { 8, 8 } }, ABRT },
	{ 0, { { 8, 8 } }, ABRT }, /* 65536 */
};

/* What is discarded is zero, up to the first range that is wrong; the rest stays. */
START_TEST(trim)
{
	static const uint32_t e[][2] = { { BUF, 8 * 512 } };
	const struct trim_row *r = &trim_rows[_i];
	uint64_t ranges[8 * 64] = { 0 };
	bool failed = false;

	for (unsigned i = 0; i < 3; i++)
		ranges[r->n > 1 ? 64 * i : i] = r->e[i][0] | r->e[i][1] << 48;
	mm_phys_write(m->vm, BUF, ranges, sizeof(ranges));
	table(e, 1);
	address(0, r->n, true);
	out(1, 1);
	out(7, 0x06);
	bm_out(0, 1, 1);
	ck_assert_uint_eq(wait() & (BSY | DRQ), 0);
	ck_assert(line());
	ck_assert_uint_eq(in(7) & ERR ? in(1) : 0, r->error);
	for (unsigned i = 0; i < 3; i++) {
		failed |= r->error == ABRT || r->e[i][0] + r->e[i][1] > SECTORS;
		if (!failed && r->e[i][1])
			memset(image + r->e[i][0] * 512, 0, r->e[i][1] * 512);
	}
	check_file(0, image, sizeof(image));
}
END_TEST

/* ---- packets ---- */

static void packet(const uint8_t c[12], bool dma, unsigned limit)
{
	base = 0x170;
	out(6, 0);
	out(1, dma);
	out(4, (uint8_t)limit);
	out(5, (uint8_t)(limit >> 8));
	out(7, 0xa0);
	ck_assert(status() & DRQ);
	ck_assert_uint_eq(in(2) & 3, 1);
	for (unsigned i = 0; i < 12; i += 2)
		bus_out(&m->board.bus, 0x170, 2, c[i] | (uint32_t)c[i + 1] << 8);
}

/* The reply, N bytes at most, by PIO. */
static unsigned reply(uint8_t *to, unsigned n)
{
	unsigned got = 0;

	while (wait() & DRQ) {
		unsigned part = in(4) | in(5) << 8;

		ck_assert(line() && (in(2) & 3) == 2 && part && got + part <= n);
		in(7);
		for (unsigned i = 0; i < part; i += 2) {
			uint32_t v = bus_in(&m->board.bus, 0x170, 2);

			memcpy(to + got + i, &v, part - i < 2 ? 1 : 2);
		}
		got += part;
	}
	ck_assert(line() && (in(2) & 3) == 3);
	return got;
}

/* Columns: packet; bytes of the reply, or sense key and code. */
static const struct packet_row {
	uint8_t c[12];
	unsigned n;
	uint8_t key, asc;
} packet_rows[] = {
	{ { 0x00 }, 0, 0, 0 },
	{ { 0x12, 0, 0, 0, 36 }, 36, 0, 0 },
	{ { 0x12, 0, 0, 0, 5 }, 5, 0, 0 },
	{ { 0x12, 1, 0, 0, 36 }, 0, 5, 0x24 },
	{ { 0x25 }, 8, 0, 0 },
	{ { 0x43, 0, 0, 0, 0, 0, 0, 0, 64 }, 20, 0, 0 },
	{ { 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 64 }, 12, 0, 0 },
	{ { 0x43, 0, 0, 0, 0, 0, 5, 0, 64 }, 0, 5, 0x24 },
	{ { 0x43, 0, 1, 0, 0, 0, 0, 0, 64 }, 12, 0, 0 },
	{ { 0x43, 0, 2, 0, 0, 0, 1, 0, 64 }, 48, 0, 0 },
	{ { 0x46, 0, 0, 0, 0, 0, 0, 0, 64 }, 44, 0, 0 },
	{ { 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, 8, 0, 0 },
	{ { 0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8 }, 0, 5, 0x24 },
	{ { 0x51, 0, 0, 0, 0, 0, 0, 0, 34 }, 34, 0, 0 },
	{ { 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 128 }, 28, 0, 0 },
	{ { 0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 128 }, 44, 0, 0 },
	{ { 0x5a, 0, 0x11, 0, 0, 0, 0, 0, 128 }, 0, 5, 0x24 },
	{ { 0x28, 0, 0, 0, 0, 7, 0, 0, 3 }, 3 * 2048, 0, 0 },
	{ { 0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 20 }, 20 * 2048, 0, 0 },
	{ { 0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0x10 }, 2 * 2048, 0, 0 },
	{ { 0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0xf8 }, 0, 5, 0x24 },
	{ { 0x28, 0, 0, 0, 1, 0x2c, 0, 0, 1 }, 0, 5, 0x21 },
	{ { 0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff }, 0, 5, 0x21 },
	{ { 0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff }, 0, 5, 0x21 },
	{ { 0x28, 0, 0, 0, 0, 1, 0, 0, 0 }, 0, 0, 0 },
	{ { 0x2a, 0, 0, 0, 0, 1, 0, 0, 1 }, 0, 5, 0x20 },
	{ { 0x1b, 0, 0, 0, 2 }, 0, 0, 0 },
	{ { 0xff }, 0, 5, 0x20 },
};

START_TEST(packets)
{
	static uint8_t got[64 * 2048];
	static const uint8_t sense[12] = { 3, 0, 0, 0, 18 };
	const struct packet_row *r = &packet_rows[_i / 2];
	uint8_t s[18];

	packet(r->c, false, _i & 1 ? 65535 : 700);
	ck_assert_uint_eq(reply(got, sizeof(got)), r->n);
	ck_assert_uint_eq(in(7) & ERR, r->key != 0);
	ck_assert_uint_eq(in(1) >> 4, r->key);
	if (r->n >= 2048)
		ck_assert(!memcmp(got, cd_image + 7 * 2048, r->n));
	packet(sense, false, 18);
	ck_assert_uint_eq(reply(s, sizeof(s)), 18);
	ck_assert(s[0] == 0x70 && s[2] == r->key && s[12] == r->asc);
	base = 0x1f0;
}
END_TEST

/* A CD by bus master; a drive whose tray is open. */
START_TEST(cd_dma)
{
	static const uint8_t read[12] = { 0x28, 0, 0, 0, 0, 9, 0, 0, 100 },
			     open_tray[12] = { 0x1b, 0, 0, 0, 2 };
	static const uint32_t e[][2] = {
		{ BUF, 0 }, { BUF + 0x10000, 0 }, { BUF + 0x20000, 0 }, { BUF + 0x30000, 8192 }
	};
	static uint8_t got[100 * 2048];

	base = 0x170;
	table(e, 4);
	packet(read, true, 0);
	bm_out(0, 1, 9);
	ck_assert_uint_eq(wait() & (ERR | DRQ), 0);
	ck_assert(line());
	mm_phys_read(m->vm, BUF, got, sizeof(got));
	ck_assert(!memcmp(got, cd_image + 9 * 2048, sizeof(got)));
	ck_assert_uint_eq(bm(2) & 7, 4);
	packet(open_tray, false, 0);
	wait();
	packet(read, false, 0);
	ck_assert(wait() & ERR);
	ck_assert_uint_eq(in(1) >> 4, 2);
	base = 0x1f0;
}
END_TEST

/* Two drives of a channel with a command each that waits for the bus master: it serves the selected one
 * alone. */
START_TEST(two_wait)
{
	static uint8_t second[300 * 512];
	uint8_t buf[2][4096];
	char path[80];

	for (size_t i = 0; i < sizeof(second); i++)
		second[i] = (uint8_t)(i * 7 + 1);
	snprintf(path, sizeof(path), "%s/second", dir);
	put(path, second, sizeof(second));
	machine_free(m);
	slave = path;
	start(false);
	slave = NULL;
	table((const uint32_t[1][2]){ { BUF, 4096 } }, 1);
	for (unsigned drive = 0; drive < 2; drive++) {
		out(6, (uint8_t)(0x40 | drive << 4));
		out(2, 8);
		out(3, (uint8_t)(100 + drive));
		out(4, 0);
		out(5, 0);
		out(7, 0xc8);
		ck_assert_uint_eq(status() & (BSY | DRQ), DRQ);
	}
	for (unsigned drive = 2; drive--;) {
		out(6, (uint8_t)(0x40 | drive << 4));
		bm_out(0, 1, 9);
		wait();
		ck_assert_uint_eq(in(7) & (ERR | BSY | DRQ), 0);
		ck_assert_uint_eq(bm(2) & 7, 4);
		bm_out(0, 1, 0);
		bm_out(2, 1, 4);
		mm_phys_read(m->vm, BUF, buf[drive], 4096);
	}
	ck_assert(!memcmp(buf[1], second + 101 * 512, 4096));
	ck_assert(!memcmp(buf[0], image + 100 * 512, 4096));
}
END_TEST

/* ---- state ---- */

/* A machine that is saved in the middle of a transfer goes on as the other does. */
START_TEST(saved)
{
	uint8_t a[1024], b[1024];
	char path[80], err[200] = "";
	uint64_t hash;

	snprintf(path, sizeof(path), "%s/state", dir);
	address(50, 4, false);
	out(7, 0x20);
	take(a, 512, 2);
	ck_assert_msg(machine_save_state(m, path, err, sizeof(err)), "%s", err);
	hash = machine_state_hash(m);
	take(a, 1024, 2);
	ck_assert_msg(machine_load_state(m, path, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(machine_state_hash(m), hash);
	take(b, 1024, 2);
	ck_assert(!memcmp(a, b, 1024) && !memcmp(a, image + 51 * 512, 1024));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ide");
	TCase *t = tcase_create("ide");
	const TTest *const all[] = { chs,    identify,	read_only, lost,  interrupts,
				     resets, no_master, cd_dma,	   saved, two_wait };

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	tcase_add_loop_test(t, pio, 0, (int)ARRAY_LEN(pio_rows));
	tcase_add_loop_test(t, answers, 0, (int)ARRAY_LEN(answer_rows));
	tcase_add_loop_test(t, dma, 0, (int)ARRAY_LEN(dma_rows));
	tcase_add_loop_test(t, trim, 0, (int)ARRAY_LEN(trim_rows));
	tcase_add_loop_test(t, packets, 0, 2 * (int)ARRAY_LEN(packet_rows));
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(t, all[i]);
	suite_add_tcase(s, t);
	return suite_run(s);
}
