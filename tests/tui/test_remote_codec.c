/* SPDX-License-Identifier: GPL-3.0-or-later
 * Names of keys and styles in the dashboard protocol: what one end writes, the other reads. */
#include "tui/remote_codec.h"
#include "tests/suite.h"

#include <string.h>

static void round_trip(struct term_event e)
{
	char name[REMOTE_KEY];
	struct term_event back;

	remote_put_key(&e, name);
	/* An assertion that holds costs a write to a pipe, and there are a million keys. */
	if (!name[0])
		ck_abort_msg("key %x has no name", (unsigned)e.key);
	if (!remote_get_key(name, &back))
		ck_abort_msg("\"%s\" is not read", name);
	if (back.key != e.key || back.x != e.x || back.y != e.y)
		ck_abort_msg("\"%s\" is read as %x at %d,%d", name, (unsigned)back.key, back.x, back.y);
}

START_TEST(characters)
{
	for (int ch = 1; ch < TK_FIRST; ch++)
		if (ch < 0xd800 || ch > 0xdfff) /* surrogates are not characters */
			round_trip((struct term_event){ .key = ch });
}
END_TEST

START_TEST(keys)
{
	for (int key = TK_FIRST; key < TK_LAST; key++)
		if (key != TK_F0)
			round_trip((struct term_event){ .key = key });
}
END_TEST

START_TEST(mouse)
{
	for (int key = TK_CLICK; key <= TK_WHEELDN; key++)
		round_trip((struct term_event){ .key = key, .x = 499, .y = 299 });
}
END_TEST

static const char *const not_keys[] = { "",	 "nosuch",  "upp",	  "up 3",	"f13",	     "f0",
					"click", "click 1", "click -1 2", "click 1 -2", "\xc3\xa9x", "ab" };

START_TEST(unknown_keys)
{
	struct term_event e;

	ck_assert_msg(!remote_get_key(not_keys[_i], &e), "\"%s\" is read as %x", not_keys[_i],
		      (unsigned)e.key);
}
END_TEST

START_TEST(unnamed_keys)
{
	char name[REMOTE_KEY];

	remote_put_key(&(struct term_event){ .key = TK_LAST }, name);
	ck_assert_str_eq(name, "");
	remote_put_key(&(struct term_event){ .key = TK_NONE }, name);
	ck_assert_str_eq(name, "");
}
END_TEST

START_TEST(styles)
{
	char name[REMOTE_STYLE];

	for (int st = 0; st < ST_END; st++) {
		remote_put_style((enum style)st, name);
		ck_assert_msg(remote_get_style(name) == (enum style)st, "style %d: \"%s\" is read as %d", st,
			      name, remote_get_style(name));
	}
}
END_TEST

START_TEST(unknown_styles)
{
	ck_assert_int_eq(remote_get_style(""), ST_NORMAL);
	ck_assert_int_eq(remote_get_style("NOSUCH"), ST_NORMAL);
	ck_assert_int_eq(remote_get_style("VGAfff"), ST_NORMAL);
	ck_assert_int_eq(remote_get_style("VGA"), ST_NORMAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("remote_codec");
	TCase *t = tcase_create("remote_codec");

	tcase_add_test(t, characters);
	tcase_add_test(t, keys);
	tcase_add_test(t, mouse);
	tcase_add_loop_test(t, unknown_keys, 0, (int)ARRAY_LEN(not_keys));
	tcase_add_test(t, unnamed_keys);
	tcase_add_test(t, styles);
	tcase_add_test(t, unknown_styles);
	suite_add_tcase(s, t);
	return suite_run(s);
}
