/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VGA: what accesses at A0000 do in each mode, where its memory is RAM and where each access goes through
 * the device, the DISPI modes and their frame buffer behind a base address register, the picture, saved
 * states, and registers with any values. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "mm/pages.h"
#include "tests/hv/fake_engine.h"

enum { WINDOW = 0xa0000, INDEX = 0x1ce, DATA = 0x1cf, FRAME_PAGE = 4096 };
enum { XRES = 1, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET }; /* DISPI's */

static struct machine *m;
static struct picture pic;

static void setup(void)
{
	struct machine_config cfg = {
		.memory = 4 << 20,
		.clock = CLOCK_ICOUNT,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";

	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
}

static void teardown(void)
{
	machine_free(m);
	free(pic.rgb);
	pic = (struct picture){ 0 };
}

/* ---- what a guest does ---- */

static void out8(uint16_t port, uint8_t val)
{
	bus_out(&m->board.bus, port, 1, val);
}

static void reg(uint16_t port, uint8_t index, uint8_t val)
{
	out8(port, index);
	out8((uint16_t)(port + 1), val);
}

static void seq(uint8_t index, uint8_t val)
{
	reg(0x3c4, index, val);
}

static void gfx(uint8_t index, uint8_t val)
{
	reg(0x3ce, index, val);
}

static void crtc(uint8_t index, uint8_t val)
{
	reg(0x3d4, index, val);
}

static void dispi(uint16_t index, uint16_t val)
{
	bus_out(&m->board.bus, INDEX, 2, index);
	bus_out(&m->board.bus, DATA, 2, val);
}

static uint16_t dispi_get(uint16_t index)
{
	bus_out(&m->board.bus, INDEX, 2, index);
	return (uint16_t)bus_in(&m->board.bus, DATA, 2);
}

/* Memory as the guest has it: RAM, or a device. */
static void put(gpa a, const void *p, unsigned n)
{
	if (!mm_phys_write(machine_vm(m), a, p, n))
		mmio_write(&m->board.mmio, a, p, n);
}

static void put8(gpa a, uint8_t val)
{
	put(a, &val, 1);
}

static uint8_t get8(gpa a)
{
	uint8_t val = 0;

	if (!mm_phys_read(machine_vm(m), a, &val, 1))
		mmio_read(&m->board.mmio, a, &val, 1);
	return val;
}

static bool is_ram(gpa a)
{
	return mm_is_ram(machine_vm(m), a, 1);
}

static void books_agree(void)
{
	struct mm_books b;

	ck_assert_msg(mm_check(machine_vm(m), true, &b), "%s at %x", b.wrong, b.at);
}

/* The pixel at X, Y as 0xRRGGBB. */
static uint32_t pixel(unsigned x, unsigned y)
{
	const uint8_t *p = pic.rgb + 3 * ((size_t)y * pic.width + x);

	ck_assert(x < pic.width && y < pic.height);
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static void take_picture(void)
{
	const char *why;

	free(pic.rgb);
	why = machine_picture(m, &pic);
	ck_assert_msg(!why, "%s", why);
}

/* Timing of a mode with WIDE pixels of 8 a character and 400 (480) lines. */
static void timing(unsigned wide, unsigned lines, unsigned lines_each, unsigned pitch)
{
	crtc(0x11, 0x0e);
	crtc(1, (uint8_t)(wide / 8 - 1));
	crtc(0x12, (uint8_t)(lines - 1));
	crtc(7, (uint8_t)((lines - 1) >> 7 & 2));
	crtc(9, (uint8_t)(0x40 | (lines_each - 1)));
	crtc(0x13, (uint8_t)pitch);
}

static void color(uint8_t n, uint8_t r, uint8_t g, uint8_t b)
{
	out8(0x3c8, n);
	out8(0x3c9, r);
	out8(0x3c9, g);
	out8(0x3c9, b);
}

static void mode_12h(void)
{
	seq(2, 15);
	seq(4, 6);
	gfx(6, 5);
	gfx(8, 0xff);
	timing(640, 480, 1, 40);
}

static void mode_13h(void)
{
	seq(2, 15);
	seq(4, 14);
	gfx(5, 0x40);
	gfx(6, 5);
	timing(640, 400, 2, 40);
}

/* ---- tests ---- */

START_TEST(window_before_use)
{
	ck_assert(is_ram(WINDOW));
	put8(WINDOW, 1);
	seq(2, 4); /* what is no mode yet */
	ck_assert(is_ram(WINDOW));
	mode_12h();
	ck_assert(!is_ram(WINDOW) && !is_ram(WINDOW + 0xffff) && is_ram(WINDOW - 1) &&
		  is_ram(WINDOW + 0x10000));
	books_agree();
	gfx(6, 0xe); /* text: closed */
	ck_assert_uint_eq(get8(WINDOW), 0xff);
	board_reset(&m->board);
	ck_assert(is_ram(WINDOW));
	ck_assert_uint_eq(get8(WINDOW), 0);
	books_agree();
}
END_TEST

START_TEST(planes)
{
	mode_12h();
	for (uint8_t p = 0; p < 4; p++) {
		seq(2, (uint8_t)(1 << p));
		put8(WINDOW + 7, (uint8_t)(0x11 << p));
	}
	for (uint8_t p = 0; p < 4; p++) {
		gfx(4, p);
		ck_assert_uint_eq(get8(WINDOW + 7), 0x11u << p);
	}
	ck_assert_uint_eq(get8(WINDOW + 8), 0);
}
END_TEST

/* Columns: function and rotation, bit mask, set/reset and its enable, latch, value written, result in plane
 * 0. By the IBM VGA reference. */
static const struct {
	uint8_t function, mask, set, enable, latch, val, want;
} mode_0[] = {
	{ 0, 0xff, 0, 0, 0xaa, 0x3c, 0x3c },	{ 4, 0xff, 0, 0, 0xaa, 0x3c, 0xc3 },
	{ 0, 0x0f, 0, 0, 0xaa, 0x3c, 0xac },	{ 0x08, 0xff, 0, 0, 0xaa, 0x3c, 0x28 },
	{ 0x10, 0xff, 0, 0, 0xaa, 0x3c, 0xbe }, { 0x18, 0xff, 0, 0, 0xaa, 0x3c, 0x96 },
	{ 0, 0xff, 1, 1, 0xaa, 0x00, 0xff },	{ 0, 0x81, 0, 1, 0xaa, 0xff, 0x2a },
};

START_TEST(write_mode_0)
{
	mode_12h();
	put8(WINDOW, mode_0[_i].latch);
	get8(WINDOW);
	gfx(3, mode_0[_i].function);
	gfx(8, mode_0[_i].mask);
	gfx(0, mode_0[_i].set);
	gfx(1, mode_0[_i].enable);
	put8(WINDOW + 1, mode_0[_i].val);
	gfx(4, 0);
	ck_assert_uint_eq(get8(WINDOW + 1), mode_0[_i].want);
}
END_TEST

START_TEST(write_modes)
{
	mode_12h();
	gfx(5, 2); /* a colour */
	put8(WINDOW, 9);
	gfx(8, 0xf0);
	get8(WINDOW + 1); /* latches: 0 */
	put8(WINDOW + 1, 6);
	gfx(5, 1); /* the latches */
	get8(WINDOW);
	put8(WINDOW + 2, 0x55);
	gfx(5, 3); /* the colour of set/reset where the value says */
	gfx(8, 0xff);
	gfx(0, 5);
	get8(WINDOW + 3);
	put8(WINDOW + 3, 0x18);
	gfx(5, 8); /* read mode 1: where is colour 9? */
	gfx(2, 9);
	gfx(7, 15);
	ck_assert_uint_eq(get8(WINDOW), 0xff);
	ck_assert_uint_eq(get8(WINDOW + 2), 0xff);
	ck_assert_uint_eq(get8(WINDOW + 1), 0);
	gfx(2, 6);
	ck_assert_uint_eq(get8(WINDOW + 1), 0xf0);
	gfx(2, 5);
	ck_assert_uint_eq(get8(WINDOW + 3), 0x18);
}
END_TEST

START_TEST(picture_of_12h)
{
	mode_12h();
	color(4, 63, 0, 0);
	seq(2, 4); /* plane 2 alone: colour 4 */
	put8(WINDOW + 80 * 3 + 1, 0x80);
	take_picture();
	ck_assert(pic.width == 640 && pic.height == 480);
	ck_assert_uint_eq(pixel(8, 3), 0xff0000);
	ck_assert_uint_eq(pixel(9, 3), 0);
}
END_TEST

/* Mode 13h is RAM; a program that unchains it (mode X) finds its bytes in the planes, and again in RAM when
 * it goes back. */
START_TEST(mode_13h_and_x)
{
	mode_13h();
	ck_assert(is_ram(WINDOW));
	color(200, 0, 63, 0);
	put8(WINDOW + 320 * 2 + 5, 200);
	take_picture();
	ck_assert(pic.width == 320 && pic.height == 200);
	ck_assert_uint_eq(pixel(5, 2), 0x00ff00);
	books_agree();
	seq(4, 6);
	ck_assert(!is_ram(WINDOW));
	gfx(4, (320 * 2 + 5) & 3);
	ck_assert_uint_eq(get8(WINDOW + (320 * 2 + 5) / 4), 200);
	seq(2, 1 << 3); /* pixels 3, 7, 11... */
	put8(WINDOW + 80 * 4 + 2, 200);
	take_picture();
	ck_assert_uint_eq(pixel(11, 4), 0x00ff00);
	ck_assert_uint_eq(pixel(10, 4), 0);
	seq(2, 15);
	seq(4, 14);
	ck_assert(is_ram(WINDOW));
	ck_assert_uint_eq(get8(WINDOW + 320 * 2 + 5), 200);
	ck_assert_uint_eq(get8(WINDOW + 320 * 4 + 11), 200);
	seq(2, 1); /* not all planes may be written */
	ck_assert(!is_ram(WINDOW));
	put8(WINDOW + 1, 9);
	put8(WINDOW + 4, 9);
	ck_assert_uint_eq(get8(WINDOW + 1), 0);
	ck_assert_uint_eq(get8(WINDOW + 4), 9);
	books_agree();
}
END_TEST

/* ---- DISPI ---- */

static gpa bar(void)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80001010);
	return bus_in(&m->board.bus, 0xcfc, 4) & ~15u;
}

static void set_bar(uint32_t at)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80001010);
	bus_out(&m->board.bus, 0xcfc, 4, at);
}

static void decode(bool on)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80001004);
	bus_out(&m->board.bus, 0xcfc, 2, on ? 3 : 0);
}

/* A fresh machine, as a BIOS would leave it. */
static void dispi_mode(uint16_t wide, uint16_t high, uint16_t bpp)
{
	set_bar(0xfd000000);
	decode(true);
	dispi(ENABLE, 0);
	dispi(XRES, wide);
	dispi(YRES, high);
	dispi(BPP, bpp);
	dispi(ENABLE, 1);
}

/* Columns: bits of a pixel, bytes of a white and of another pixel, the latter's colour. */
static const struct {
	uint16_t bpp, bytes;
	uint32_t white, other, color;
} depths[] = {
	{ 8, 1, 255, 7, 0xff0000 },
	{ 15, 2, 0x7fff, 31 << 5, 0x00ff00 },
	{ 16, 2, 0xffff, 31 << 11, 0xff0000 },
	{ 24, 3, 0xffffff, 0x123456, 0x123456 },
	{ 32, 4, 0xffffff, 0x654321, 0x654321 },
};

START_TEST(frame_buffer)
{
	unsigned n = depths[_i].bytes;
	gpa at;

	ck_assert_uint_eq(dispi_get(0), 0xb0c5);
	dispi_mode(800, 600, depths[_i].bpp);
	at = bar();
	ck_assert_uint_eq(at, 0xfd000000);
	ck_assert(is_ram(at) && is_ram(at + VGA_FRAME_SIZE - 1) && !is_ram(at + VGA_FRAME_SIZE));
	books_agree();
	color(7, 63, 0, 0);
	color(255, 63, 63, 63);
	put(at + (gpa)n * (800 * 599 + 799), &depths[_i].white, n);
	put(at + (gpa)n * (800 * 2 + 3), &depths[_i].other, n);
	take_picture();
	ck_assert(pic.width == 800 && pic.height == 600);
	ck_assert_uint_eq(pixel(799, 599), 0xffffff);
	ck_assert_uint_eq(pixel(3, 2), depths[_i].color);
	ck_assert_uint_eq(pixel(2, 2), 0);
	/* The same through the window, 64 KiB at a time. */
	dispi(BANK, (uint16_t)(n * (800 * 599 + 799) >> 16));
	ck_assert_uint_eq(get8(WINDOW + (n * (800 * 599 + 799) & 0xffff)), depths[_i].white & 0xff);
	put8(WINDOW + 5, 0x77);
	ck_assert_uint_eq(get8(at + (n * (800 * 599 + 799) & ~0xffffu) + 5), 0x77);
	/* A virtual screen of two pages, the second one shown. */
	ck_assert_uint_ge(dispi_get(VIRT_HEIGHT), 1200);
	dispi(Y_OFFSET, 600);
	take_picture();
	ck_assert_uint_eq(pixel(3, 2), 0);
	dispi(ENABLE, 0);
	ck_assert(is_ram(at)); /* a driver may still have it mapped */
}
END_TEST

START_TEST(frame_buffer_clears)
{
	dispi_mode(640, 480, 32);
	put8(bar(), 1);
	dispi(ENABLE, 0);
	dispi(ENABLE, 0x81);
	ck_assert_uint_eq(get8(bar()), 1);
	dispi(ENABLE, 0);
	dispi(ENABLE, 1);
	ck_assert_uint_eq(get8(bar()), 0);
	board_reset(&m->board);
	ck_assert(!is_ram(0xfd000000));
	books_agree();
}
END_TEST

START_TEST(frame_buffer_moves)
{
	dispi_mode(640, 480, 32);
	put8(0xfd000000, 1);
	decode(false);
	ck_assert(!is_ram(0xfd000000));
	decode(true);
	ck_assert_uint_eq(get8(0xfd000000), 1);
	set_bar(0xe1000000);
	ck_assert(is_ram(0xe1000000) && !is_ram(0xfd000000));
	books_agree();
	put8(0xe1000000, 2);
	set_bar(0x01000000); /* nothing is there, as the machine has 4 MiB */
	ck_assert(is_ram(0x01000000));
	set_bar(0xfd000000);
	ck_assert(is_ram(0xfd000000) && !is_ram(0xe1000000) && !is_ram(0x01000000));
	ck_assert_uint_eq(get8(0xfd000000), 0);
	books_agree();
	take_picture();
	ck_assert_uint_eq(pixel(0, 0), 0);
}
END_TEST

START_TEST(planar_dispi)
{
	dispi_mode(1024, 768, 4);
	ck_assert(!is_ram(0xfd000000) && !is_ram(WINDOW));
	seq(2, 4);
	seq(4, 6);
	gfx(6, 5);
	gfx(8, 0xff);
	color(4, 0, 0, 63);
	dispi(BANK, 1); /* lines from 512 on */
	put8(WINDOW + 128, 1);
	take_picture();
	ck_assert(pic.width == 1024 && pic.height == 768);
	ck_assert_uint_eq(pixel(7, 513), 0x0000ff);
	ck_assert_uint_eq(pixel(6, 513), 0);
}
END_TEST

START_TEST(dispi_limits)
{
	dispi(XRES, 2561);
	dispi(YRES, 1601);
	ck_assert(!dispi_get(XRES) && !dispi_get(YRES));
	dispi(ENABLE, 2);
	ck_assert(dispi_get(XRES) == 2560 && dispi_get(YRES) == 1600 && dispi_get(BPP) == 32);
	ck_assert_uint_eq(dispi_get(10), VGA_FRAME_SIZE >> 16);
	dispi(ENABLE, 0);
	dispi(0, 0xb0c2);
	ck_assert_uint_eq(dispi_get(0), 0xb0c2);
	ck_assert_uint_eq(bus_in(&m->board.bus, DATA, 1), 0xff); /* words alone */
}
END_TEST

/* ---- states ---- */

START_TEST(saved)
{
	char path[] = "/tmp/vitrine-vga-XXXXXX", err[256] = "";
	uint64_t hash;

	close(mkstemp(path));
	if (_i & 1) {
		mode_13h();
		put8(WINDOW + 100, 5);
	} else {
		mode_12h();
		put8(WINDOW + 100, 0x81);
	}
	if (_i & 2) {
		dispi_mode(640, 480, 32);
		put8(0xfd012345, 9);
	}
	hash = machine_state_hash(m);
	ck_assert_msg(machine_save_state(m, path, err, sizeof(err)), "%s", err);
	for (int same = 0; same < 2; same++) {
		if (same) {
			mode_13h(), put8(WINDOW + 100, 77);
			dispi_mode(800, 600, 16), set_bar(0xe2000000);
		} else {
			teardown(), setup();
		}
		ck_assert_msg(machine_load_state(m, path, err, sizeof(err)), "%s", err);
		ck_assert_uint_eq(machine_state_hash(m), hash);
		ck_assert_uint_eq(is_ram(WINDOW), _i == 1);
		ck_assert(is_ram(0xfd000000) == !!(_i & 2) && !is_ram(0xe2000000));
		books_agree();
	}
	if (_i == 1)
		ck_assert_uint_eq(get8(WINDOW + 100), 5);
	if (_i & 2)
		ck_assert_uint_eq(get8(0xfd012345), 9);
	put8(_i & 2 ? 0xfd012345 : WINDOW + 100, 1);
	ck_assert_uint_ne(machine_state_hash(m), hash);
	unlink(path);
}
END_TEST

/* ---- any values ---- */

START_TEST(any_registers)
{
	static const uint16_t ports[] = { 0x3c0, 0x3c4, 0x3c5, 0x3ce, 0x3cf, 0x3d4, 0x3d5, 0x3c8, 0x3c9 };
	uint32_t r = (uint32_t)_i + 1;

	for (unsigned n = 0; n < 4000; n++) {
		r = r * 1664525 + 1013904223;
		if (r >> 30 == 0)
			dispi(r >> 8 & 15, (uint16_t)(r >> 12 & (r & 1 ? 0x3ff : 0xffff)));
		else
			out8(ports[(r >> 8) % ARRAY_LEN(ports)], (uint8_t)(r >> 16));
		if (r >> 28 == 5)
			set_bar(r << 4), decode(r & 0x100);
		put(WINDOW + (r >> 4 & 0xfff8), &r, 4);
		get8(WINDOW + (r >> 5 & 0xffff));
		if (n % 200)
			continue;
		free(pic.rgb);
		machine_picture(m, &pic);
		books_agree();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-vga");
	TCase *tc = tcase_create("vga");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, window_before_use);
	tcase_add_test(tc, planes);
	tcase_add_loop_test(tc, write_mode_0, 0, ARRAY_LEN(mode_0));
	tcase_add_test(tc, write_modes);
	tcase_add_test(tc, picture_of_12h);
	tcase_add_test(tc, mode_13h_and_x);
	tcase_add_loop_test(tc, frame_buffer, 0, ARRAY_LEN(depths));
	tcase_add_test(tc, frame_buffer_clears);
	tcase_add_test(tc, frame_buffer_moves);
	tcase_add_test(tc, planar_dispi);
	tcase_add_test(tc, dispi_limits);
	tcase_add_loop_test(tc, saved, 0, 4);
	tcase_add_loop_test(tc, any_registers, 0, 4);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
