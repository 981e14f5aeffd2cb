/* SPDX-License-Identifier: GPL-3.0-or-later
 * Layouts: their text, how they divide a rectangle, growing and swapping panes. */
#include "tui/layout.h"
#include "tests/suite.h"

#include <stdio.h>
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
	"v(a=7,h(b:9,c)*2)",
};

START_TEST(text_round_trip)
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
	"a=0",
	"a*",
	"A",
	"h(a,b))",
	"a:99999",
	"this-name-is-longer-than-a-name-can-be",
	"v(v(v(v(v(v(v(v(v(v(a))))))))))",
};

START_TEST(bad_text_is_refused)
{
	ck_assert_ptr_null(layout_parse(bad[_i]));
}
END_TEST

/* ---- dividing: at every size, panes are inside the rectangle, do not overlap, and leave no hole ---- */

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

/* Panes that can fill from nothing ("any number") to N lines. */
static void set_needs(struct layout *l, int n)
{
	struct layout *leaf;

	for (int i = 0; (leaf = layout_leaf(l, i)); i++)
		leaf->need = (i * 7 + n) % 31;
}

static void check_division(const char *text, struct rect r, int needs)
{
	static const char empty[FULL_W * FULL_H];
	struct layout *l = layout_parse(text), *leaf;
	char *seen = malloc(sizeof(empty));

	memcpy(seen, empty, sizeof(empty));
	if (needs)
		set_needs(l, needs);
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
			for (int needs = 0; needs < 40; needs += 9)
				check_division(good[_i], (struct rect){ 2, 1, w, h }, needs);
}
END_TEST

START_TEST(sizes_in_cells_are_kept)
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

/* Columns: layout; lines that a, b, c can fill (0: any number); their heights in 30 lines. */
static const struct {
	const char *text;
	int need[3], h[3];
} heights[] = {
	{ "v(a,b,c)", { 0, 0, 0 }, { 10, 10, 10 } },
	{ "v(a,b,c)", { 4, 0, 0 }, { 4, 13, 13 } },	 /* what a cannot use is dealt out */
	{ "v(a,b,c)", { 4, 12, 0 }, { 4, 12, 14 } },	 /* no more than b can use */
	{ "v(a,b,c)", { 4, 5, 6 }, { 4, 5, 21 } },	 /* nobody needs the rest */
	{ "v(a:20,b,c)", { 3, 40, 0 }, { 3, 14, 13 } },	 /* declared cells yield, */
	{ "v(a=20,b,c)", { 3, 40, 0 }, { 20, 5, 5 } },	 /* the user's do not */
	{ "v(h(a,b):20,c)", { 3, 9, 0 }, { 9, 9, 21 } }, /* side by side: the one that needs more */
	{ "v(h(a,b):20,c)", { 3, 0, 0 }, { 20, 20, 10 } },
	{ "v(a,b,c)", { 1, 0, 0 }, { 2, 14, 14 } }, /* a pane has its least height anyway */
};

START_TEST(heights_by_need)
{
	static const char *const names[] = { "a", "b", "c" };
	struct layout *l = layout_parse(heights[_i].text);

	for (int i = 0; i < 3; i++)
		layout_find(l, names[i])->need = heights[_i].need[i];
	layout_solve(l, (struct rect){ 0, 0, 80, 30 });
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(layout_find(l, names[i])->at.h, heights[_i].h[i]);
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

START_TEST(a_single_pane_does_not_grow)
{
	struct layout *l = layout_parse("a");

	layout_solve(l, (struct rect){ 0, 0, 40, 20 });
	ck_assert(!layout_grow(l, "a", 1));
	layout_free(l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *t = tcase_create("layout");

	tcase_add_loop_test(t, text_round_trip, 0, (int)ARRAY_LEN(good));
	tcase_add_loop_test(t, bad_text_is_refused, 0, (int)ARRAY_LEN(bad));
	tcase_add_loop_test(t, division, 0, (int)ARRAY_LEN(good));
	tcase_add_test(t, sizes_in_cells_are_kept);
	tcase_add_loop_test(t, heights_by_need, 0, (int)ARRAY_LEN(heights));
	tcase_add_test(t, grow_and_swap);
	tcase_add_test(t, a_single_pane_does_not_grow);
	suite_add_tcase(s, t);
	return suite_run(s);
}
