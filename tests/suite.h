/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a Check program ends: its suite is run as the environment says (tests/local.mk). */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H
#include <check.h>

/* Is the address sanitizer in it, whose memory is where some tests would have theirs? */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Check writes to a pipe at each assertion that holds, to say after which one a test crashed. Tests with
 * loops make a million of them, and most of their time would go there; beyond these the place is the last
 * marked. */
enum { SUITE_MARKS = 1000 };
static inline void suite_mark(const char *file, int line)
{
	static unsigned n;

	if (n++ < SUITE_MARKS)
		_mark_point(file, line);
}
#define _mark_point(file, line) suite_mark(file, line)

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
