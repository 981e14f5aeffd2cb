/* SPDX-License-Identifier: GPL-3.0-or-later
 * Rates of counters: only time during which the guest ran counts. */
#include "tui/rates.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	ck_assert(rates_sample(&r, 9 * sec, true, &seconds)); /* it was stopped: no rate */
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

/* Columns: rate, its text. */
static const struct {
	double rate;
	const char *text;
} texts[] = {
	{ 0, "0" },	    { 0.25, "0.2" },	{ 9.94, "9.9" },
	{ 10, "10" },	    { 99999, "99999" }, { 100000, "100k" },
	{ 9.9e6, "9900k" }, { 1e7, "10.0M" },	{ 1.2345e9, "1234.5M" },
};

START_TEST(rate_text)
{
	struct series e = { .n = 1, .rate = { (float)texts[_i].rate } };
	char text[16];

	rates_text(&e, text, sizeof(text));
	ck_assert_str_eq(text, texts[_i].text);
	ck_assert_uint_le(strlen(text), 8);
}
END_TEST

/* A counter that goes back (a reset guest) has no negative rate. */
START_TEST(a_reset_counter)
{
	struct rates r;

	rates_init(&r);
	rates_add(&r, "fill", 1000, 1);
	rates_add(&r, "fill", 10, 1);
	rates_add(&r, "fill", 30, 1);
	ck_assert_int_eq(rates_find(&r, "fill")->n, 2);
	ck_assert(rates_find(&r, "fill")->rate[0] == 20);
	ck_assert(rates_find(&r, "fill")->rate[1] == 0);
	rates_fini(&r);
}
END_TEST

/* The newest rate is at the right, and the highest one fills its cell. */
START_TEST(history_is_drawn)
{
	const uint32_t expected[] = { ' ', ' ', 0x2581, 0x2584, 0x2588 };
	struct canvas c;
	struct area a;
	struct rates r;

	canvas_init(&c, 5, 1);
	a = canvas_area(&c);
	rates_init(&r);
	rates_add(&r, "fill", 0, 0);
	rates_add(&r, "fill", 1, 1);
	rates_add(&r, "fill", 51, 1);
	rates_add(&r, "fill", 151, 1);
	rates_draw(rates_find(&r, "fill"), &a, 0, 0, 5, ST_SPARK);
	for (int x = 0; x < 5; x++)
		ck_assert_uint_eq(c.cells[x].ch, expected[x]);
	rates_fini(&r);
	canvas_fini(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rates");
	TCase *t = tcase_create("rates");

	tcase_add_test(t, rates_count);
	tcase_add_test(t, rates_are_bounded);
	tcase_add_test(t, a_reset_counter);
	tcase_add_test(t, history_is_drawn);
	tcase_add_loop_test(t, rate_text, 0, (int)ARRAY_LEN(texts));
	suite_add_tcase(s, t);
	return suite_run(s);
}
