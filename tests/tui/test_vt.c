/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terminal of the serial console: golden grids for the sequences it knows, and random bytes. */
#include "tui/vt.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- golden grids ---- */

/* Columns: bytes sent, the lines of the screen without trailing blanks and empty lines, the cursor. */
static const struct {
	const char *sent, *grid;
	int x, y;
} grids[] = {
	{ "hello\r\nworld", "hello\nworld", 5, 1 },
	{ "a\tb\bc", "a       c", 9, 0 },
	{ "abc\033[2Dx", "axc", 2, 0 },
	{ "abc\rx\033[K", "x", 1, 0 },
	{ "one\r\ntwo\033[H\033[J.", ".", 1, 0 },
	{ "\033[2;3Hx\033[1;1Hy", "y\n  x", 1, 0 },
	{ "abcdef\033[3G\033[2P", "abef", 2, 0 },
	{ "abcd\033[2G\033[2@", "a  bcd", 1, 0 },
	{ "abcdef\033[2G\033[3X", "a   ef", 1, 0 },
	{ "1\r\n2\033[1;1H\033[L", "\n1\n2", 0, 0 },
	{ "1\r\n2\r\n3\033[1;1H\033[M", "2\n3", 0, 0 },
	{ "\033[1;31mred\033[0m \033]0;title\007x", "red x", 5, 0 },
	{ "\033(Bplain\0337\033[10;10H\0338!", "plain!", 6, 0 },
	{ "\033[5;5H\033[s\033[H\033[ux", "\n\n\n\n    x", 5, 4 },
	{ "\033[999;999Hz\033[H\033[999A\033[999D",
	  "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
	  "                                                                               z",
	  0, 0 },
	{ "\033[1;2;3;4;5;6;7;8;9;10;11mok\033[;;H", "ok", 0, 0 },
	{ "\xc3\xa9\xff", "??", 2, 0 },
	/* the line wraps when a character follows the one in the last column */
	{ "\033[80G1\r2", "2                                                                              1",
	  1, 0 },
	{ "\033[80G12", "                                                                               1\n2",
	  1, 1 },
	/* a scrolling region: line feed, reverse feed, insert, delete, scroll stay within it */
	{ "1\r\n2\r\n3\r\n4\033[2;3r\033[3;1H\nx", "1\n3\nx\n4", 1, 2 },
	{ "1\r\n2\r\n3\r\n4\033[2;3r\033[2;1H\033Mx", "1\nx\n2\n4", 1, 1 },
	{ "1\r\n2\r\n3\r\n4\033[2;3r\033[2;1H\033[Lx", "1\nx\n2\n4", 1, 1 },
	{ "1\r\n2\r\n3\r\n4\033[2;3r\033[2;1H\033[Mx", "1\nx\n\n4", 1, 1 },
	{ "1\r\n2\r\n3\r\n4\033[1;3r\033[S", "2\n3\n\n4", 0, 0 },
	{ "1\r\n2\r\n3\r\n4\033[1;3r\033[T", "\n1\n2\n4", 0, 0 },
	{ "1\r\n2\r\n3\033[3;2r\033[H\033[J\nx", "\nx", 1, 1 },
	/* the cursor up and down, by line and column */
	{ "\033[3;3H\033[2A\033[Cx\033[2Ey\033[Fz\033[4dw\033[2`v", "   x\nz\ny\n v", 2, 3 },
	{ "ab\r\ncd\033[1J", "", 2, 1 },
	{ "ab\r\ncd\033[2;1H\033[1J", "\n d", 0, 1 },
	{ "abcd\033[2G\033[1K", "  cd", 1, 0 },
	{ "abcd\033[2G\033[2K", "", 1, 0 },
	{ "gone\033c", "", 0, 0 },
};

static void grid_text(const struct vt *v, char *buf)
{
	char *end = buf;

	for (int y = 0; y < VT_H; y++) {
		for (int x = 0; x < VT_W; x++)
			*end++ = (char)v->line[y][x].ch;
		while (end > buf && end[-1] == ' ')
			end--;
		*end++ = '\n';
	}
	while (end > buf && end[-1] == '\n')
		end--;
	*end = 0;
}

START_TEST(grid)
{
	char text[VT_H * (VT_W + 1) + 1];
	struct vt v;

	vt_init(&v);
	vt_write(&v, (const uint8_t *)grids[_i].sent, strlen(grids[_i].sent));
	grid_text(&v, text);
	ck_assert_str_eq(text, grids[_i].grid);
	ck_assert_int_eq(v.x, grids[_i].x);
	ck_assert_int_eq(v.y, grids[_i].y);
	vt_fini(&v);
}
END_TEST

/* Columns: bytes sent; the colours of the first line's characters: a digit, b for bold, r for reverse. */
static const struct {
	const char *sent, *colors;
} colors[] = {
	{ "a", "7" },
	{ "\033[31ma\033[92mb\033[39mc", "127" },
	{ "\033[1ma\033[22mb", "b7" },
	{ "\033[7ma\033[27mb", "r7" },
	{ "\033[1;34ma\033[mb", "47" },
	{ "\033[38;5;196ma", "7" },
	{ "\033[31;1ma\033[0;7mb\033[0mc", "1r7" },
};

START_TEST(color)
{
	struct vt v;

	vt_init(&v);
	vt_write(&v, (const uint8_t *)colors[_i].sent, strlen(colors[_i].sent));
	for (size_t x = 0; x < strlen(colors[_i].colors); x++) {
		char c = colors[_i].colors[x];

		ck_assert_int_eq(v.line[0][x].color, c == 'b' ? VT_BOLD : c == 'r' ? VT_REVERSE : c - '0');
	}
	vt_fini(&v);
}
END_TEST

START_TEST(history_keeps_scrolled_lines)
{
	char text[16];
	struct vt v;

	vt_init(&v);
	for (int i = 0; i < VT_HISTORY + 100; i++)
		vt_write(&v, (const uint8_t *)text, (size_t)snprintf(text, sizeof(text), "%d\r\n", i));
	ck_assert_uint_eq(v.npast, VT_HISTORY);
	snprintf(text, sizeof(text), "%d", VT_HISTORY + 100 - VT_H);
	for (size_t i = 0; i < strlen(text); i++)
		ck_assert_int_eq(vt_past(&v, 1)[i].ch, text[i]);
	ck_assert_ptr_null(vt_past(&v, VT_HISTORY + 1));
	vt_fini(&v);
}
END_TEST

/* ---- random bytes ---- */

/* Bytes of which every second is likely to be part of a sequence. */
static void random_bytes(uint8_t *buf, size_t n, unsigned *seed)
{
	static const char hot[] = "\033[;?0123456789ABCDEFGHJKLMPSTXdfhlmnrsu@`\n\r\b\t78c()";

	for (size_t i = 0; i < n; i++)
		buf[i] = rand_r(seed) & 1 ? (uint8_t)hot[(size_t)rand_r(seed) % (sizeof(hot) - 1)]
					  : (uint8_t)rand_r(seed);
}

static void check_state(const struct vt *v)
{
	if (v->x < 0 || v->x >= VT_W || v->y < 0 || v->y >= VT_H || v->top < 0 || v->top >= v->bottom ||
	    v->bottom >= VT_H)
		ck_abort_msg("cursor %d,%d, region %d-%d", v->x, v->y, v->top, v->bottom);
	for (int y = 0; y < VT_H; y++)
		for (int x = 0; x < VT_W; x++)
			if (v->line[y][x].ch < 0x20 || v->line[y][x].ch > 0x7e ||
			    v->line[y][x].color > VT_REVERSE)
				ck_abort_msg("cell %d,%d: %02x, colour %d", x, y, v->line[y][x].ch,
					     v->line[y][x].color);
}

static void check_same(const struct vt *a, const struct vt *b)
{
	ck_assert_int_eq(memcmp(a->line, b->line, sizeof(a->line)), 0);
	ck_assert_uint_eq(a->npast, b->npast);
	for (unsigned n = 1; n <= a->npast; n++)
		ck_assert_int_eq(memcmp(vt_past(a, n), vt_past(b, n), sizeof(a->line[0])), 0);
	ck_assert(a->x == b->x && a->y == b->y && a->bytes == b->bytes);
	ck_assert_str_eq(a->answer, b->answer);
}

/* However the bytes are divided, the result is the same; and a copy goes on like its original. */
START_TEST(random_input)
{
	static uint8_t buf[4096];
	unsigned seed = (unsigned)_i + 1;
	struct vt whole, parts, copy;

	vt_init(&whole);
	vt_init(&parts);
	vt_init(&copy);
	for (int round = 0; round < 20; round++) {
		random_bytes(buf, sizeof(buf), &seed);
		vt_write(&whole, buf, sizeof(buf));
		vt_copy(&copy, &parts);
		for (size_t at = 0, n; at < sizeof(buf); at += n) {
			n = 1 + (size_t)rand_r(&seed) % 7;
			n = n < sizeof(buf) - at ? n : sizeof(buf) - at;
			vt_write(&parts, buf + at, n);
		}
		vt_write(&copy, buf, sizeof(buf));
		check_state(&whole);
		check_same(&whole, &parts);
		check_same(&whole, &copy);
	}
	vt_fini(&copy);
	vt_fini(&parts);
	vt_fini(&whole);
}
END_TEST

/* ---- replies ---- */

static const struct {
	const char *sent, *answer;
} answers[] = {
	{ "\033[5;7H\033[6n", "\033[5;7R" },
	{ "\033[5n", "\033[0n" },
	{ "\033Z", "\033[?6c" },
	{ "\033[7n", "" },
};

START_TEST(answer)
{
	struct vt v;

	vt_init(&v);
	vt_write(&v, (const uint8_t *)answers[_i].sent, strlen(answers[_i].sent));
	ck_assert_str_eq(v.answer, answers[_i].answer);
	vt_fini(&v);
}
END_TEST

START_TEST(cursor_keys_have_modes)
{
	struct vt v;

	vt_init(&v);
	ck_assert(!v.application);
	vt_write(&v, (const uint8_t *)"\033[?1h", 5);
	ck_assert(v.application);
	vt_write(&v, (const uint8_t *)"\033[?1l", 5);
	ck_assert(!v.application);
	vt_fini(&v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vt");
	TCase *t = tcase_create("vt");

	tcase_add_loop_test(t, grid, 0, (int)ARRAY_LEN(grids));
	tcase_add_loop_test(t, color, 0, (int)ARRAY_LEN(colors));
	tcase_add_test(t, history_keeps_scrolled_lines);
	tcase_add_loop_test(t, random_input, 0, 8);
	tcase_add_loop_test(t, answer, 0, (int)ARRAY_LEN(answers));
	tcase_add_test(t, cursor_keys_have_modes);
	suite_add_tcase(s, t);
	return suite_run(s);
}
