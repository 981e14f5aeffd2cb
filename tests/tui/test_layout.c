/* SPDX-License-Identifier: GPL-3.0-or-later
 * The pure parts of the dashboard: layouts, the canvas, the guest's terminal. */
#include "tui/canvas.h"
#include "tui/journal.h"
#include "tui/layout.h"
#include "tui/rates.h"
#include "tui/vt.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- layouts as text ---- */

static const char *const good[] = {
	"a",
	"a:5",
	"h(a,b)",
	"v(a*2,b)",
	"h(v(code:9,console,memory:5),v(registers:14,stack):31)",
	"v(h(a,b):8,h(c,d:38):6,e)",
};

START_TEST(round_trip)
{
	struct layout *l = layout_parse(good[_i]);
	char text[LAYOUT_TEXT];

	ck_assert_ptr_nonnull(l);
	ck_assert(layout_text(l, text, sizeof(text)));
	ck_assert_str_eq(text, good[_i]);
	layout_free(l);
}
END_TEST

static const char *const bad[] = {
	"",
	"h(",
	"h()",
	"h(a",
	"a,b",
	"a:0",
	"a:x",
	"a*",
	"A",
	"h(a,b))",
	"a:99999",
	"this-name-is-longer-than-a-name-can-be",
	"v(v(v(v(v(v(v(v(v(v(a))))))))))",
};

START_TEST(refused)
{
	ck_assert_ptr_null(layout_parse(bad[_i]));
}
END_TEST

/* ---- dividing: whatever the size, panes stay inside, apart, and fill what there is ---- */

enum { FULL_W = 210, FULL_H = 60 };

static void mark(char *seen, const struct layout *l, struct rect r)
{
	for (int y = l->at.y; y < l->at.y + l->at.h; y++)
		for (int x = l->at.x; x < l->at.x + l->at.w; x++) {
			if (x < r.x || x >= r.x + r.w || y < r.y || y >= r.y + r.h)
				ck_abort_msg("%s at %d,%d is outside", l->name, x, y);
			if (seen[y * FULL_W + x])
				ck_abort_msg("%s at %d,%d is on another pane", l->name, x, y);
			seen[y * FULL_W + x] = 1;
		}
}

static void check_division(const char *text, struct rect r)
{
	static const char empty[FULL_W * FULL_H];
	struct layout *l = layout_parse(text), *leaf;
	char *seen = malloc(sizeof(empty));

	memcpy(seen, empty, sizeof(empty));
	layout_solve(l, r);
	for (int i = 0; (leaf = layout_leaf(l, i)); i++)
		mark(seen, leaf, r);
	for (int y = r.y; y < r.y + r.h; y++) { /* no hole wider than the rule between two panes */
		int hole = 0;

		for (int x = r.x; x < r.x + r.w; x++) {
			hole = seen[y * FULL_W + x] ? 0 : hole + 1;
			if (hole > 1)
				ck_abort_msg("%s in %dx%d: a hole at %d,%d", text, r.w, r.h, x, y);
		}
	}
	free(seen);
	layout_free(l);
}

START_TEST(division)
{
	for (int w = 1; w <= 200; w += 7)
		for (int h = 1; h <= 50; h += 3)
			check_division(good[_i], (struct rect){ 2, 1, w, h });
}
END_TEST

START_TEST(wishes_are_kept)
{
	struct layout *l = layout_parse("h(v(code:9,console),registers:31)");

	layout_solve(l, (struct rect){ 0, 1, 80, 21 });
	ck_assert_int_eq(layout_find(l, "registers")->at.w, 31);
	ck_assert_int_eq(layout_find(l, "code")->at.h, 9);
	ck_assert_int_eq(layout_find(l, "code")->at.w, 48);
	ck_assert_int_eq(layout_find(l, "console")->at.h, 12);
	layout_free(l);
}
END_TEST

START_TEST(grow_and_swap)
{
	struct layout *l = layout_parse("v(a,b)");

	layout_solve(l, (struct rect){ 0, 0, 40, 20 });
	ck_assert(layout_grow(l, "a", 3));
	layout_solve(l, (struct rect){ 0, 0, 40, 20 });
	ck_assert_int_eq(layout_find(l, "a")->at.h, 13);
	ck_assert_int_eq(layout_find(l, "b")->at.h, 7);
	ck_assert(!layout_grow(l, "a", 6));
	ck_assert(!layout_grow(l, "a", -12));
	layout_swap(l, "a", "b");
	ck_assert_str_eq(layout_leaf(l, 0)->name, "b");
	ck_assert_int_eq(layout_leaf(l, 0)->at.h, 13);
	layout_free(l);
}
END_TEST

START_TEST(alone_does_not_grow)
{
	struct layout *l = layout_parse("a");

	layout_solve(l, (struct rect){ 0, 0, 40, 20 });
	ck_assert(!layout_grow(l, "a", 1));
	layout_free(l);
}
END_TEST

/* ---- canvas ---- */

static char *printed(const struct canvas *c, bool utf8)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	canvas_print(c, utf8, f);
	fclose(f);
	return text;
}

START_TEST(canvas_cuts_and_prints)
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

START_TEST(fields_show_that_they_are_cut)
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

/* ---- rates: of the time the guest ran ---- */

START_TEST(rates_count)
{
	const int64_t sec = 1000000000;
	double seconds;
	struct rates r;
	char text[16];

	rates_init(&r);
	ck_assert(rates_sample(&r, sec, true, &seconds));
	rates_add(&r, "fill", 100, seconds);
	rates_text(rates_find(&r, "fill"), text, sizeof(text));
	ck_assert_str_eq(text, "-");
	ck_assert(!rates_sample(&r, sec + sec / 10, true, &seconds));
	ck_assert(rates_sample(&r, 3 * sec, false, &seconds));
	rates_add(&r, "fill", 300, seconds);
	rates_text(rates_find(&r, "fill"), text, sizeof(text));
	ck_assert_str_eq(text, "100");
	ck_assert(rates_sample(&r, 9 * sec, true, &seconds)); /* it stood: no rate of that time */
	ck_assert(seconds == 0);
	rates_add(&r, "fill", 300, seconds);
	ck_assert_int_eq(rates_find(&r, "fill")->n, 1);
	ck_assert_ptr_null(rates_find(&r, "other"));
	rates_fini(&r);
}
END_TEST

START_TEST(rates_are_bounded)
{
	struct rates r;
	char name[16];

	rates_init(&r);
	for (int i = 0; i < 3 * RATES_MAX; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		for (int k = 0; k < 2 * RATES_HISTORY; k++)
			rates_add(&r, name, (uint64_t)k, 0.5);
	}
	ck_assert_int_eq(r.n, RATES_MAX);
	ck_assert_int_eq(rates_find(&r, "c0")->n, RATES_HISTORY);
	rates_fini(&r);
}
END_TEST

/* ---- the journal ---- */

START_TEST(journal_keeps_the_newest)
{
	struct journal j = { 0 };
	char line[32], *text;

	journal_add(&j, ":", "info tc");
	journal_add(&j, "", "one\n\ntwo\n");
	text = journal_text(&j);
	ck_assert_str_eq(text, ":info tc\none\n\ntwo\n");
	free(text);
	for (int i = 0; i < 3 * JOURNAL_LINES; i++) {
		snprintf(line, sizeof(line), "%d\n", i);
		journal_add(&j, "", line);
	}
	text = journal_text(&j);
	snprintf(line, sizeof(line), "%d\n", 2 * JOURNAL_LINES);
	ck_assert(!strncmp(text, line, strlen(line)));
	snprintf(line, sizeof(line), "\n%d\n", 3 * JOURNAL_LINES - 1);
	ck_assert_str_eq(text + strlen(text) - strlen(line), line);
	free(text);
	journal_fini(&j);
}
END_TEST

/* ---- the guest's terminal: what it is sent, then the first lines of its screen ---- */

static const struct {
	const char *sent, *first, *second;
	int x, y;
} vt_rows[] = {
	{ "hello\r\nworld", "hello", "world", 5, 1 },
	{ "a\tb\bc", "a       c", "", 9, 0 },
	{ "abc\033[2Dx", "axc", "", 2, 0 },
	{ "abc\rx\033[K", "x", "", 1, 0 },
	{ "one\r\ntwo\033[H\033[J.", ".", "", 1, 0 },
	{ "\033[2;3Hx\033[1;1Hy", "y", "  x", 1, 0 },
	{ "abcdef\033[3G\033[2P", "abef", "", 2, 0 },
	{ "abcd\033[2G\033[2@", "a  bcd", "", 1, 0 },
	{ "1\r\n2\033[1;1H\033[L", "", "1", 0, 0 },
	{ "\033[1;31mred\033[0m \033]0;title\007x", "red x", "", 5, 0 },
	{ "\033(Bplain\0337\033[10;10H\0338!", "plain!", "", 6, 0 },
	{ "\033[999;999Hz\033[H\033[999A\033[999D", "", "", 0, 0 },
	{ "\033[1;2;3;4;5;6;7;8;9;10;11mok\033[;;H", "ok", "", 0, 0 },
	{ "\xc3\xa9\xff", "??", "", 2, 0 },
};

static void line_text(const struct vt *v, int y, char buf[VT_W + 1])
{
	int n = VT_W;

	for (int x = 0; x < VT_W; x++)
		buf[x] = (char)v->line[y][x].ch;
	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = 0;
}

START_TEST(vt_shows)
{
	char line[VT_W + 1];
	struct vt v;

	vt_init(&v);
	vt_write(&v, (const uint8_t *)vt_rows[_i].sent, strlen(vt_rows[_i].sent));
	line_text(&v, 0, line);
	ck_assert_str_eq(line, vt_rows[_i].first);
	line_text(&v, 1, line);
	ck_assert_str_eq(line, vt_rows[_i].second);
	ck_assert_int_eq(v.x, vt_rows[_i].x);
	ck_assert_int_eq(v.y, vt_rows[_i].y);
	vt_fini(&v);
}
END_TEST

START_TEST(vt_keeps_what_scrolls_off)
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

START_TEST(vt_survives_garbage)
{
	static const char hot[] = "\033[;?0123456789ABCDEFGHJKLMPSTXdfhlmnrsu@`\n\r\b\t78c()";
	uint32_t x = 12345;
	struct vt v;

	vt_init(&v);
	for (int i = 0; i < 300000; i++) {
		uint8_t c;

		x = x * 1664525 + 1013904223;
		c = x >> 31 ? (uint8_t)hot[(x >> 8) % (sizeof(hot) - 1)] : (uint8_t)(x >> 16);
		vt_write(&v, &c, 1);
		if (v.x < 0 || v.x >= VT_W || v.y < 0 || v.y >= VT_H || v.top < 0 || v.top >= v.bottom ||
		    v.bottom >= VT_H)
			ck_abort_msg("after byte %d: cursor %d,%d, region %d-%d", i, v.x, v.y, v.top,
				     v.bottom);
	}
	vt_fini(&v);
}
END_TEST

START_TEST(vt_answers)
{
	struct vt v;

	vt_init(&v);
	vt_write(&v, (const uint8_t *)"\033[5;7H\033[6n", 10);
	ck_assert_str_eq(v.answer, "\033[5;7R");
	vt_fini(&v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tui");
	TCase *t = tcase_create("layout");
	SRunner *sr;

	tcase_add_loop_test(t, round_trip, 0, (int)ARRAY_LEN(good));
	tcase_add_loop_test(t, refused, 0, (int)ARRAY_LEN(bad));
	tcase_add_loop_test(t, division, 0, (int)ARRAY_LEN(good));
	tcase_add_test(t, wishes_are_kept);
	tcase_add_test(t, grow_and_swap);
	tcase_add_test(t, alone_does_not_grow);
	suite_add_tcase(s, t);
	t = tcase_create("canvas");
	tcase_add_test(t, canvas_cuts_and_prints);
	tcase_add_test(t, fields_show_that_they_are_cut);
	tcase_add_test(t, sparks_rise);
	suite_add_tcase(s, t);
	t = tcase_create("rates");
	tcase_add_test(t, rates_count);
	tcase_add_test(t, rates_are_bounded);
	suite_add_tcase(s, t);
	t = tcase_create("journal");
	tcase_add_test(t, journal_keeps_the_newest);
	suite_add_tcase(s, t);
	t = tcase_create("vt");
	tcase_add_loop_test(t, vt_shows, 0, (int)ARRAY_LEN(vt_rows));
	tcase_add_test(t, vt_keeps_what_scrolls_off);
	tcase_add_test(t, vt_survives_garbage);
	tcase_add_test(t, vt_answers);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	srunner_free(sr);
	return 0;
}
