/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records and their renderings, as exact text. */
#include "inspect/record.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct view_col cols[] = {
	{ "name", "Name", VAL_STR, "", "" },
	{ "count", "Count", VAL_UINT, "B", "" },
	{ "at", "At", VAL_ADDR, "", "" },
	{ "ok", "OK", VAL_BOOL, "", "" },
};

static void fill(struct table *t)
{
	char name[8] = "b";

	table_row(t, (struct value[]){ V_STR(name), V_UINT(7), V_ADDR(0x1000), V_BOOL(true) });
	strcpy(name, "aa"); /* the first row has its own copy */
	table_row(t, (struct value[]){ V_STR(name), V_UINT(123456789), V_NONE, V_BOOL(false) });
}

static char *rendered(const struct result *r, bool json)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	result_render(r, json, f);
	result_render_error(r, json, "error: ", f);
	fclose(f);
	return text;
}

static const struct {
	enum table_style style;
	const char *format, *sort;
	long limit;
	bool json;
	const char *want;
} cases[] = {
	{ TABLE_GRID, NULL, NULL, -1, false,
	  "Name    Count/B  At          OK\n"
	  "b             7  0x00001000  yes\n"
	  "aa    123456789  -           no\n" },
	{ TABLE_PLAIN, NULL, NULL, -1, false,
	  "b           7  0x00001000  yes\n"
	  "aa  123456789              no\n" },
	{ TABLE_VERTICAL, NULL, NULL, 1, false,
	  "Name     b\n"
	  "Count/B  7\n"
	  "At       0x00001000\n"
	  "OK       yes\n" },
	{ TABLE_GRID, "{name}={count:8} ({at}){nosuch}", NULL, -1, false,
	  "b=00000007 (0x00001000)\n"
	  "aa=075bcd15 ()\n" },
	{ TABLE_GRID, NULL, NULL, -1, true,
	  "{\"name\":\"b\",\"count\":7,\"at\":4096,\"ok\":true}\n"
	  "{\"name\":\"aa\",\"count\":123456789,\"ok\":false}\n" },
	{ TABLE_GRID, "{name}", "name", -1, false, "aa\nb\n" },
	{ TABLE_GRID, "{name}", "-count", -1, false, "aa\nb\n" },
	{ TABLE_GRID, "{name}", "-count", 1, false, "aa\n" },
	{ TABLE_GRID, "{name}", "ok", 0, false, "" },
};

START_TEST(test_rendering)
{
	struct result r;
	struct table *t;
	char *text;

	result_init(&r);
	t = result_table(&r, cols, ARRAY_LEN(cols), cases[_i].style, cases[_i].format);
	fill(t);
	if (cases[_i].sort)
		ck_assert(table_sort(t, cases[_i].sort));
	if (cases[_i].limit >= 0)
		table_limit(t, (size_t)cases[_i].limit);
	text = rendered(&r, cases[_i].json);
	ck_assert_str_eq(text, cases[_i].want);
	free(text);
	result_fini(&r);
}
END_TEST

START_TEST(test_hostile_text)
{
	struct result r;
	struct table *t;
	char *text;

	result_init(&r);
	t = result_table(&r, cols, 1, TABLE_PLAIN, NULL);
	table_row(t, &V_STR("a\033[2Jb\n"));
	table_row(t, &V_STR("\xff\""));
	text = rendered(&r, false);
	ck_assert_str_eq(text, "a.[2Jb.\n\xff\"\n");
	free(text);
	text = rendered(&r, true);
	ck_assert_str_eq(text, "{\"name\":\"a\\u001B[2Jb\\n\"}\n{\"name\":\"?\\\"\"}\n");
	free(text);
	result_fini(&r);
}
END_TEST

START_TEST(test_large_numbers)
{
	static const struct view_col num[] = { { "n", "N", VAL_HEX, "", "" } };
	struct result r;
	char *text;

	result_init(&r);
	table_row(result_table(&r, num, 1, TABLE_PLAIN, NULL), &V_HEX(~0ull));
	text = rendered(&r, true);
	ck_assert_str_eq(text, "{\"n\":\"0xffffffffffffffff\"}\n");
	free(text);
	result_fini(&r);
}
END_TEST

START_TEST(test_errors)
{
	struct result r;
	char *text;

	result_init(&r);
	ck_assert_int_eq(result_fail(&r, "bad %d", 1), -1);
	result_fail(&r, "later");
	text = rendered(&r, false);
	ck_assert_str_eq(text, "error: bad 1\n");
	free(text);
	text = rendered(&r, true);
	ck_assert_str_eq(text, "{\"error\":\"bad 1\"}\n");
	free(text);
	result_fini(&r);
}
END_TEST

START_TEST(test_sort_by_unknown_column)
{
	struct result r;

	result_init(&r);
	ck_assert(!table_sort(result_table(&r, cols, 1, TABLE_GRID, NULL), "count"));
	ck_assert(!table_sort(r.first, "-"));
	result_fini(&r);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("record");
	Suite *su = suite_create("record");

	tcase_add_loop_test(tc, test_rendering, 0, ARRAY_LEN(cases));
	tcase_add_test(tc, test_hostile_text);
	tcase_add_test(tc, test_large_numbers);
	tcase_add_test(tc, test_errors);
	tcase_add_test(tc, test_sort_by_unknown_column);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
