/* SPDX-License-Identifier: GPL-3.0-or-later
 * Expressions against a made-up environment: one register, one symbol, 256 bytes of memory at 0x100. */
#include "inspect/expr.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reg(void *ctx, const char *name, uint64_t *val)
{
	(void)ctx;
	*val = 0xfffffff0u;
	return !strcmp(name, "eax");
}

static bool symbol(void *ctx, const char *name, uint64_t *val)
{
	(void)ctx;
	*val = 0x1c0;
	return !strcmp(name, "jiffies.0");
}

static bool mem(void *ctx, uint64_t addr, unsigned size, uint64_t *val)
{
	(void)ctx;
	*val = 0;
	for (unsigned i = 0; i < size; i++)
		*val |= ((addr + i) & 0xff) << 8 * i;
	return addr >= 0x100 && addr + size <= 0x200;
}

static const struct expr_env env = { .reg = reg, .symbol = symbol, .read = mem };

static const struct {
	const char *text;
	int64_t val;
} good[] = {
	{ "1", 1 },
	{ " 0x10 ", 16 },
	{ "0b101", 5 },
	{ "010", 8 },
	{ "'a'", 97 },
	{ "'\\n'", 10 },
	{ "'\\''", 39 },
	{ "1+2*3", 7 },
	{ "(1+2)*3", 9 },
	{ "10-4-3", 3 },
	{ "2*3%4", 2 },
	{ "-5/2", -2 },
	{ "-5%2", -1 },
	{ "- -5", 5 },
	{ "~0", -1 },
	{ "!0+!7", 1 },
	{ "1<<4|3", 19 },
	{ "1<<64", 0 },
	{ "1<<-1", 0 },
	{ "7&3^1", 2 },
	{ "1<2==1", 1 },
	{ "3>=3 && 2<=1", 0 },
	{ "0 && 1/0", 0 },
	{ "1 || [0]", 1 },
	{ "1 ? 2 : 1/0", 2 },
	{ "0 ? 1/0 : 0 ? 4 : 5", 5 },
	{ "$eax", 0xfffffff0ll },
	{ "$eax + 0x10", 0x100000000ll },
	{ "(u32)($eax + 0x10)", 0 },
	{ "(i32)$eax", -16 },
	{ "(i8)0x80", -128 },
	{ "(u8)-1", 255 },
	{ "jiffies.0 + 1", 0x1c1 },
	{ "*(u8)0x105", 5 },
	{ "*(u8 *)0x105", 5 },
	{ "*(u16)(0x100+2)", 0x302 },
	{ "{short}(0x100+2)", 0x302 },
	{ "{int}0x100 + {char}0x1ff", 0x03020100 - 1 },
	{ "*0x104", 0x07060504 },
	{ "[0x104]", 0x07060504 },
	{ "*(i8)0x1ff", -1 },
	{ "[jiffies.0] == 0xc3c2c1c0", 1 },
	{ "*(u64)0x100", 0x0706050403020100ll },
	{ "9223372036854775807 + 1", INT64_MIN },
	{ "(1<<63) / -1", INT64_MIN },
	{ "(1<<63) % -1", 0 },
};

START_TEST(test_good)
{
	struct expr_error err;
	int64_t val;

	ck_assert_msg(expr_eval(&env, good[_i].text, &val, &err), "%s: %s", good[_i].text, err.text);
	ck_assert_msg(val == good[_i].val, "%s = %lld", good[_i].text, (long long)val);
}
END_TEST

static const struct {
	const char *text, *err;
	enum expr_status status;
} bad[] = {
	{ "", "not complete", EXPR_WRONG },
	{ "1+", "not complete", EXPR_WRONG },
	{ "(1", "expected ')'", EXPR_WRONG },
	{ "[0x100", "expected ']'", EXPR_WRONG },
	{ "1 2", "unexpected '2'", EXPR_WRONG },
	{ "1/0", "division by zero", EXPR_WRONG },
	{ "1%0", "division by zero", EXPR_WRONG },
	{ "[0]", "cannot read memory at 0x0", EXPR_UNREADABLE },
	{ "*(u32)0x1fe", "cannot read memory at 0x1fe", EXPR_UNREADABLE },
	{ "nosuch", "no symbol 'nosuch'", EXPR_WRONG },
	{ "$nosuch", "no register or variable $nosuch", EXPR_WRONG },
	{ "$", "expected a name after '$'", EXPR_WRONG },
	{ "0xzz", "bad number", EXPR_WRONG },
	{ "12ab", "bad number", EXPR_WRONG },
	{ "99999999999999999999", "number too large", EXPR_WRONG },
	{ "1 ? 2", "expected ':'", EXPR_WRONG },
	{ "'a", "unfinished character", EXPR_WRONG },
	{ "@", "unexpected '@'", EXPR_WRONG },
};

START_TEST(test_bad)
{
	struct expr_error err;
	int64_t val;

	ck_assert_msg(!expr_eval(&env, bad[_i].text, &val, &err), "%s", bad[_i].text);
	ck_assert_int_eq(err.status, bad[_i].status);
	ck_assert_msg(strstr(err.text, bad[_i].err) != NULL, "%s: %s", bad[_i].text, err.text);
}
END_TEST

START_TEST(test_nesting_is_bounded)
{
	struct expr_error err;
	char *text = malloc(100001);
	int64_t val;

	for (const char *c = "(-!~*"; *c; c++) {
		memset(text, *c, 100000);
		text[100000] = 0;
		ck_assert(!expr_eval(&env, text, &val, &err));
		ck_assert_str_eq(err.text, "the expression is nested too deeply");
	}
	free(text);
}
END_TEST

START_TEST(test_prefix_stops_at_if)
{
	const char *text = "0x10 + 2 if $eax == 1";
	struct expr_error err;
	int64_t val;

	ck_assert(expr_eval_prefix(&env, &text, &val, &err));
	ck_assert_int_eq(val, 18);
	ck_assert_str_eq(text, "if $eax == 1");
}
END_TEST

static const struct {
	const char *text;
	bool memory;
	const char *name;
	uint64_t addr;
	unsigned size;
} lvalues[] = {
	{ "$eax = 1", false, "eax", 0, 4 },	{ "[0x10+2] = 1", true, "", 0x12, 4 },
	{ "*(u8)0x44 = 1", true, "", 0x44, 1 }, { "{int}0x44 = 1", true, "", 0x44, 4 },
	{ "*(u16)(1+1) = 1", true, "", 2, 2 },	{ "*0x44= 1", true, "", 0x44, 4 },
};

START_TEST(test_lvalue)
{
	const char *text = lvalues[_i].text;
	struct lvalue lv;
	struct expr_error err;

	ck_assert_msg(expr_lvalue(&env, &text, &lv, &err), "%s", err.text);
	ck_assert_int_eq(*text, '=');
	ck_assert_int_eq(lv.memory, lvalues[_i].memory);
	ck_assert_str_eq(lv.name, lvalues[_i].name);
	ck_assert_uint_eq(lv.addr, lvalues[_i].addr);
	ck_assert_uint_eq(lv.size, lvalues[_i].size);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("expr");
	Suite *su = suite_create("expr");

	tcase_add_loop_test(tc, test_good, 0, ARRAY_LEN(good));
	tcase_add_loop_test(tc, test_bad, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, test_nesting_is_bounded);
	tcase_add_test(tc, test_prefix_stops_at_if);
	tcase_add_loop_test(tc, test_lvalue, 0, ARRAY_LEN(lvalues));
	suite_add_tcase(su, tc);
	return suite_run(su);
}
