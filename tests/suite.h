/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a Check program ends: its suite is run as the environment says (tests/local.mk). */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H
#include <check.h>

/* Run S, which is freed, and return the exit status of main(). */
static inline int suite_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
#endif
