/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier against fragments of 64-bit code: those it must accept, and those it must refuse for the
 * stated reason. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>

#include "bt/verify/verify.h"

#define HOST 0x50000000ull
#define TC_BYTES 0x10000u
#define STUB (HOST + 0x8000)
#define VCPU 0x40000000u
#define VCPU_BYTES 0x2000u

/* Fields of the vCPU, as tests/bt/verify_long.def uses them. */
static const struct verify_long fields = {
	.vcpu = VCPU,
	.d = 0x508,
	.v = 0x518,
	.part_d = { 0x500, 0x540 },
	.part_v = { 0x510, 0x550 },
	.neg_d = 0x520,
	.vt = 0x528,
	.tables = 0x530,
	.entries = HOST + 0x40,
	.mask = 0x538,
	.area = 832,
	.exit = 0x400,
	.call = { 0x408, 0x410 },
};

static const struct row {
	const char *what, *source, *hex, *rule;
	bool whole;
} rows[] = {
#define R(what, source, hex, rule, whole) { what, source, hex, rule, whole },
#include "tests/bt/verify_long.def"
#undef R
};

static bool ok_target(void *ctx, uint64_t host)
{
	(void)ctx;
	return host == STUB;
}

static struct verify_env test_env(void)
{
	static const struct verify_range writable = { 0x100, 0x100 };

	return (struct verify_env){
		.tc_base = HOST,
		.tc_size = TC_BYTES,
		.vcpu_size = VCPU_BYTES,
		.writable = &writable,
		.nwritable = 1,
		.poll = 0x458,
		.trap = 0x448,
		.record = 0x418,
		.ok_target = ok_target,
	};
}

static size_t build(const struct row *r, uint8_t *code)
{
	size_t n = 0;

	for (const char *p = r->hex; *p;) {
		char *end;

		code[n++] = (uint8_t)strtoul(p, &end, 16);
		p = end;
	}
	if (!r->whole) {
		uint32_t rel = (uint32_t)(STUB - (HOST + n + 5));

		code[n] = 0xe9;
		memcpy(code + n + 1, &rel, 4);
		n += 5;
	}
	return n;
}

START_TEST(fragment)
{
	const struct row *r = &rows[_i];
	struct verify_env env = test_env();
	struct verify_error err;
	uint8_t code[256];
	const char *why;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(env.v);
	why = bt_verify_long(&env, &fields, code, build(r, code), HOST, &err);
	bt_verifier_free(env.v);
	if (!r->rule)
		ck_assert_msg(!why, "%s: %s: refused: %s (%s)", r->what, r->source, why, err.text);
	else
		ck_assert_msg(why && strstr(why, r->rule), "%s: %s: wanted \"%s\", got \"%s\" (%s)", r->what,
			      r->source, r->rule, why ? why : "accepted", err.text);
}
END_TEST

/* Random bytes end in an answer. */
START_TEST(any_bytes)
{
	struct verify_env env = test_env();
	struct verify_error err;
	uint64_t random = 1;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(env.v);
	for (unsigned i = 0; i < 20000; i++) {
		uint8_t code[32];

		for (unsigned k = 0; k < sizeof(code); k++) {
			random = random * 6364136223846793005u + 1442695040888963407u;
			code[k] = (uint8_t)(random >> 56);
		}
		ck_assert_ptr_nonnull(bt_verify_long(&env, &fields, code, sizeof(code), HOST, &err));
	}
	bt_verifier_free(env.v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verify_long");
	TCase *tc = tcase_create("fragments");

	tcase_add_loop_test(tc, fragment, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, any_bytes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
