/* SPDX-License-Identifier: GPL-3.0-or-later
 * The canvas: clipping, fields, UTF-8, sparklines. */
#include "tui/canvas.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *printed(const struct canvas *c, bool utf8)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	canvas_print(c, utf8, f);
	fclose(f);
	return text;
}

START_TEST(areas_clip_and_print)
{
	struct area all, a;
	struct canvas c;
	char *text;

	canvas_init(&c, 8, 3);
	all = canvas_area(&c);
	a = area_cut(&all, 2, 1, 4, 9);
	area_put(&a, 0, 0, ST_NORMAL, "abcdefgh");
	area_put(&a, -2, 1, ST_NORMAL, "xyz");
	area_put(&a, 0, 5, ST_NORMAL, "nowhere");
	area_put(&all, 0, 0, ST_NORMAL, "\xe2\x94\x80\xe2\x96\xb6");
	text = printed(&c, true);
	ck_assert_str_eq(text, "\xe2\x94\x80\xe2\x96\xb6\n  abcd\n  z\n");
	free(text);
	text = printed(&c, false);
	ck_assert_str_eq(text, "->\n  abcd\n  z\n");
	free(text);
	canvas_fini(&c);
}
END_TEST

START_TEST(cut_fields_are_marked)
{
	struct canvas c;
	struct area a;
	char *text;

	canvas_init(&c, 12, 1);
	a = canvas_area(&c);
	area_field(&a, 0, 0, 5, ST_NORMAL, "abcdefgh");
	area_right(&a, 6, 0, 5, ST_NORMAL, "42");
	text = printed(&c, false);
	ck_assert_str_eq(text, "abcd~    42\n");
	free(text);
	canvas_fini(&c);
}
END_TEST

START_TEST(sparks_rise)
{
	ck_assert_uint_eq(spark_char(0, 100), ' ');
	ck_assert_uint_eq(spark_char(1, 100), 0x2581);
	ck_assert_uint_eq(spark_char(50, 100), 0x2584);
	ck_assert_uint_eq(spark_char(100, 100), 0x2588);
	for (uint32_t ch = 0x20; ch < 0x2700; ch++)
		ck_assert(canvas_ascii(ch) >= ' ');
}
END_TEST

/* Columns: width, text, the lines. */
static const struct {
	int w;
	const char *text, *lines;
} wraps[] = {
	{ 12, "no rows here", "no rows here\n\n\n" },
	{ 8, "no rows here", "no rows\nhere\n\n" },
	{ 4, "no rows here", "no\nrows\nhere\n" },
	{ 3, "abcdefg", "abc\ndef\ng\n" },
	{ 2, "a bcd", "a\nbc\nd\n" },
	{ 5, "", "\n\n\n" },
};

START_TEST(texts_wrap_at_blanks)
{
	struct canvas c;
	struct area a;
	char *text;

	canvas_init(&c, wraps[_i].w, 3);
	a = canvas_area(&c);
	area_wrap(&a, 0, ST_NORMAL, wraps[_i].text);
	text = printed(&c, true);
	ck_assert_str_eq(text, wraps[_i].lines);
	free(text);
	canvas_fini(&c);
}
END_TEST

/* ---- UTF-8 ---- */

START_TEST(utf8_round_trip)
{
	struct canvas c;
	struct area a;
	char text[5];

	canvas_init(&c, 2, 1);
	a = canvas_area(&c);
	for (uint32_t ch = 0x20; ch < 0x110000; ch++) {
		if ((ch >= 0xd800 && ch <= 0xdfff) || ch == 0x7f)
			continue;
		/* An assertion that holds costs a write to a pipe. */
		if (utf8_put(ch, text) != (int)strlen(text) || area_put(&a, 0, 0, ST_NORMAL, text) != 1 ||
		    c.cells[0].ch != ch)
			ck_abort_msg("character %x", ch);
	}
	canvas_fini(&c);
}
END_TEST

/* Columns: text, the characters it puts on the canvas. */
static const struct {
	const char *text, *shown;
} odd_texts[] = {
	{ "a\xff"
	  "b",
	  "a?b" },
	{ "\xc3", "?" },
	{ "\xe2\x94", "?" },
	{ "\x80", "?" },
	{ "a\tb\x7f", "a b" },
	{ "\xc3(", "?(" },
};

START_TEST(bad_utf8_is_marked)
{
	struct canvas c;
	struct area a;
	char *text;

	canvas_init(&c, 8, 1);
	a = canvas_area(&c);
	area_put(&a, 0, 0, ST_NORMAL, odd_texts[_i].text);
	text = printed(&c, true);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
	text[strlen(text) - 1] = 0;
	ck_assert_str_eq(text, odd_texts[_i].shown);
	free(text);
	canvas_fini(&c);
}
END_TEST

/* ---- areas: whatever is put where, nothing outside changes ---- */

START_TEST(random_areas)
{
	struct area all, a;
	unsigned seed = 1;
	struct canvas c;

	canvas_init(&c, 20, 10);
	all = canvas_area(&c);
	for (int i = 0; i < 20000; i++) {
		int x = rand_r(&seed) % 30 - 5, y = rand_r(&seed) % 20 - 5, w = rand_r(&seed) % 30 - 5,
		    h = rand_r(&seed) % 20 - 5;

		canvas_clear(&c);
		a = area_cut(&all, x, y, w, h);
		ck_assert(a.x >= 0 && a.y >= 0 && a.w >= 0 && a.h >= 0 && a.x + a.w <= c.w &&
			  a.y + a.h <= c.h);
		area_fill(&a, rand_r(&seed) % 40 - 20, rand_r(&seed) % 20 - 10, rand_r(&seed) % 40, ST_DIM,
			  '#');
		area_field(&a, rand_r(&seed) % 40 - 20, rand_r(&seed) % 20 - 10, rand_r(&seed) % 40, ST_DIM,
			   "field");
		area_right(&a, rand_r(&seed) % 40 - 20, rand_r(&seed) % 20 - 10, rand_r(&seed) % 40, ST_DIM,
			   "right");
		area_bar(&a, rand_r(&seed) % 40 - 20, rand_r(&seed) % 20 - 10, rand_r(&seed) % 40, ST_DIM, 3,
			 5);
		for (int cy = 0; cy < c.h; cy++)
			for (int cx = 0; cx < c.w; cx++)
				if (c.cells[cy * c.w + cx].style != ST_NORMAL &&
				    (cx < a.x || cx >= a.x + a.w || cy < a.y || cy >= a.y + a.h))
					ck_abort_msg("cell %d,%d is outside of %d,%d %dx%d", cx, cy, a.x, a.y,
						     a.w, a.h);
	}
	canvas_fini(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("canvas");
	TCase *t = tcase_create("canvas");

	tcase_add_test(t, areas_clip_and_print);
	tcase_add_test(t, cut_fields_are_marked);
	tcase_add_test(t, sparks_rise);
	tcase_add_loop_test(t, texts_wrap_at_blanks, 0, (int)ARRAY_LEN(wraps));
	tcase_add_test(t, utf8_round_trip);
	tcase_add_test(t, random_areas);
	tcase_add_loop_test(t, bad_utf8_is_marked, 0, (int)ARRAY_LEN(odd_texts));
	suite_add_tcase(s, t);
	return suite_run(s);
}
