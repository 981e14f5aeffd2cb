/* SPDX-License-Identifier: GPL-3.0-or-later
 * Columns that fit a width: the order in which they are left out, widths by content. */
#include "tui/columns.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name (kept), symbol (text), count, help (text, left out first), cycles (left out second) */
static const struct column table[] = {
	{ .need = 6, .least = 6, .rank = 100, .keep = true },
	{ .need = 30, .least = 16, .rank = 99 },
	{ .need = 5, .least = 5, .rank = 98 },
	{ .need = 50, .least = 20, .rank = 0 },
	{ .need = 8, .least = 8, .rank = 1 },
};
enum { N = ARRAY_LEN(table) };

/* Columns: cells, the widths there, how many are left out. */
static const struct {
	int room, w[N], out;
} widths[] = {
	{ 200, { 6, 30, 5, 50, 8 }, 0 }, { 107, { 6, 30, 5, 50, 8 }, 0 },
	{ 106, { 6, 30, 5, 49, 8 }, 0 }, /* texts are cut, from the last on, ... */
	{ 76, { 6, 29, 5, 20, 8 }, 0 },	 { 63, { 6, 16, 5, 20, 8 }, 0 },
	{ 62, { 6, 30, 5, 0, 8 }, 1 }, /* ... then the help goes, and the symbol has its place */
	{ 41, { 6, 16, 5, 0, 8 }, 1 },	 { 40, { 6, 25, 5, 0, 0 }, 2 },
	{ 30, { 6, 22, 0, 0, 0 }, 3 },	 { 10, { 6, 0, 0, 0, 0 }, 4 },
	{ 3, { 6, 0, 0, 0, 0 }, 4 }, /* the one that is kept stays, and is clipped */
};

START_TEST(stated_order)
{
	struct column c[N];

	memcpy(c, table, sizeof(table));
	ck_assert_int_eq(columns_fit(c, N, widths[_i].room), widths[_i].out);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(c[i].w, widths[_i].w[i]);
}
END_TEST

START_TEST(sort_column_stays)
{
	struct column c[N];

	memcpy(c, table, sizeof(table));
	c[3].keep = true;
	ck_assert_int_eq(columns_fit(c, N, 30), 3);
	ck_assert_int_eq(c[3].w, 22);
}
END_TEST

/* Whatever the columns are: they fit, none is cut while cells are free, and no column that is left out has a
 * higher rank than one that is not. */
START_TEST(random_columns)
{
	unsigned seed = 7;

	for (int round = 0; round < 20000; round++) {
		struct column c[12];
		int n = 1 + rand_r(&seed) % 12, room = 1 + rand_r(&seed) % 200, used = -COLUMN_GAP, cut = 0;

		for (int i = 0; i < n; i++) {
			c[i] = (struct column){ .need = 1 + rand_r(&seed) % 40, .rank = rand_r(&seed) % 20 };
			c[i].least = 1 + rand_r(&seed) % c[i].need;
		}
		columns_fit(c, n, room);
		for (int i = 0; i < n; i++) {
			used += c[i].w ? c[i].w + COLUMN_GAP : 0;
			cut += c[i].w && c[i].w < c[i].need;
			for (int k = 0; k < n; k++)
				ck_assert(c[i].w || !c[k].w || c[i].rank <= c[k].rank);
		}
		ck_assert_int_le(used, room);
		ck_assert(!cut || used == room);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("columns");
	TCase *t = tcase_create("columns");

	tcase_add_loop_test(t, stated_order, 0, (int)ARRAY_LEN(widths));
	tcase_add_test(t, sort_column_stays);
	tcase_add_test(t, random_columns);
	suite_add_tcase(s, t);
	return suite_run(s);
}
