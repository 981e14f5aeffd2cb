/* SPDX-License-Identifier: GPL-3.0-or-later
 * The journal keeps the newest lines. */
#include "tui/journal.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
	Suite *s = suite_create("journal");
	TCase *t = tcase_create("journal");

	tcase_add_test(t, journal_keeps_the_newest);
	suite_add_tcase(s, t);
	return suite_run(s);
}
