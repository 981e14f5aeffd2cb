/* SPDX-License-Identifier: GPL-3.0-or-later
 * What counters were when they were zeroed: rows are found by their key, and only those. */
#include "tui/baseline.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 5000 };

static const char *name_of(int i, char buf[32])
{
	snprintf(buf, 32, "%x fragment", i * 7919);
	return buf;
}

static void fill(struct baseline *b, int rows, double offset)
{
	char name[32];

	for (int i = 0; i < rows; i++)
		baseline_add(b, name_of(i, name), (double[BASELINE_COLS]){ i + offset, 2.0 * i });
	baseline_sort(b);
}

START_TEST(rows_by_key)
{
	struct baseline b = { 0 };
	char name[32];

	ck_assert_ptr_null(baseline_find(&b, "fill"));
	fill(&b, ROWS, 0.5);
	for (int i = 0; i < ROWS; i++) {
		const double *v = baseline_find(&b, name_of(i, name));

		ck_assert_ptr_nonnull(v);
		ck_assert(v[0] == i + 0.5 && v[1] == 2.0 * i && v[BASELINE_COLS - 1] == 0);
	}
	ck_assert_ptr_null(baseline_find(&b, "a row that is new since"));
	baseline_fini(&b);
	ck_assert_ptr_null(baseline_find(&b, name_of(1, name)));
	fill(&b, 1, 9); /* zeroed again */
	ck_assert(baseline_find(&b, name_of(0, name))[0] == 9);
	ck_assert_ptr_null(baseline_find(&b, name_of(1, name)));
	baseline_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("baseline");
	TCase *t = tcase_create("baseline");

	tcase_add_test(t, rows_by_key);
	suite_add_tcase(s, t);
	return suite_run(s);
}
