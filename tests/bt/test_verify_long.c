/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier against fragments of 64-bit code: those it must accept, and those it must refuse for the
 * stated reason. */
#include "tests/suite.h"
#include <stdio.h>
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
	.tags = 0x600,
	.tags_bytes = 0x1000,
	.monitor = HOST + 0x9000,
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

/* Fragments with entries: ENTRY takes for granted what FACTS says, STACK that of rsp; STUB takes GRANTED, and
 * the rel32 of the jump to it claims CLAIMED. */
static uint32_t stub_granted, stub_claimed;

static uint32_t granted(void *ctx, uint64_t host)
{
	(void)ctx;
	return host == STUB ? stub_granted : 0;
}

static uint32_t claimed(void *ctx, uint32_t off)
{
	(void)ctx;
	(void)off;
	return stub_claimed;
}

/* Of FACTS, the sum rax + rcx * 4. */
enum { SUM = 1 << 26 | 2 << 24 | 1 << 20 };

/* Entry: probe rsp, probe rax; then CODE, and the jump to STUB. */
static const struct entry_row {
	const char *what, *hex, *rule;
	uint32_t facts, granted, claimed;
} entry_rows[] = {
	{ "handed on", "90", NULL, 0x11, 0x11, 0x11 },
	{ "not taken", "90", NULL, 0x11, 0, 0 },
	{ "used", "42 8b 0c 10", NULL, 0x11, 0x11, 0x11 },
	{ "used, not granted", "42 8b 0c 10", "no probe", 0x10, 0, 0 },
	{ "granted without a probe", "90", "entry reached without", 0x15, 0, 0 },
	{ "r9 in the vCPU, granted without a probe", "90", "entry reached without", 0x211, 0, 0 },
	{ "exit that has not", "90", "exit to an entry", 0x11, 0x13, 0x11 },
	{ "exit that claims", "90", "claims what it has not", 0x11, 0x11, 0x13 },
	{ "drifted: add rax,8", "48 83 c0 08", "claims what it has not", 0x11, 0x10, 0x11 },
	{ "drifted and back", "48 83 c0 08 48 83 e8 08", NULL, 0x11, 0x11, 0x11 },
	{ "drifted, accessed: add rax,8; mov ecx,[rax+r10]", "48 83 c0 08 42 8b 0c 10", NULL, 0x11, 0x11,
	  0x11 },
	{ "accessed, drifted: mov ecx,[rax+r10]; add rax,0x180", "42 8b 0c 10 48 05 80 01 00 00", NULL, 0x11,
	  0x11, 0x11 },
	{ "accessed, drifted far: mov ecx,[rax+r10]; add rax,0x100000", "42 8b 0c 10 48 05 00 00 10 00",
	  "claims what it has not", 0x11, 0x10, 0x11 },
	{ "accessed elsewhere: mov ecx,[rax+r10+0x200000]; add rax,8", "42 8b 8c 10 00 00 20 00 48 83 c0 08",
	  "claims what it has not", 0x11, 0x10, 0x11 },
	{ "bits of a string: bt [rax+r10],ecx; add rax,8", "42 0f a3 0c 10 48 83 c0 08",
	  "claims what it has not", 0x11, 0x10, 0x11 },
	{ "prefetched: prefetcht0 [rax+r10]; add rax,8", "42 0f 18 0c 10 48 83 c0 08",
	  "claims what it has not", 0x11, 0x10, 0x11 },
	{ "masked: vmaskmovps xmm0,xmm1,[rax+r10]; add rax,8", "c4 a2 71 2c 04 10 48 83 c0 08",
	  "claims what it has not", 0x11, 0x10, 0x11 },
	{ "changed", "48 f7 d0", "claims what it has not", 0x11, 0x10, 0x11 },
	{ "copied: mov rcx,rax", "48 89 c1", NULL, 0x11, 0x13, 0x13 },
	{ "the stack, pushed: push rax", "50", NULL, 0x11, 0x11, 0x11 },
	/* The sum of rax and rcx * 4, beside rsp and rax. */
	{ "sum without a probe", "90", "entry reached without", SUM | 0x11, 0, 0 },
	{ "the stack, moved: lea rsp,[rsp-8]", "48 8d 64 24 f8", "claims what it has not", 0x11, 0x01, 0x11 },
};

/* Entry: probe rsp; lea r8,[rax+rcx*4]; probe r8. */
static const struct entry_row sum_rows[] = {
	{ "handed on", "90", NULL, SUM | 0x10, SUM | 0x10, SUM | 0x10 },
	{ "its base is not", "90", "entry reached without", SUM | 0x11, 0, 0 },
	{ "another scale", "90", "claims what it has not", SUM | 0x10, 0, SUM | 1 << 24 | 0x10 },
	{ "used: mov edx,gs:[rax+rcx*4]", "65 8b 14 88", NULL, SUM | 0x10, SUM | 0x10, SUM | 0x10 },
	{ "used, another scale: mov edx,gs:[rax+rcx*8]", "65 8b 14 c8", "no probe", SUM | 0x10, 0, 0 },
	{ "used, not granted: mov edx,gs:[rax+rcx*4]", "65 8b 14 88", "no probe", 0x10, 0, 0 },
	{ "drifted: add rcx,1", "48 83 c1 01", "claims what it has not", SUM | 0x10, 0, SUM | 0x10 },
	{ "accessed, drifted: mov edx,gs:[rax+rcx*4]; add rcx,1", "65 8b 14 88 48 83 c1 01", NULL, SUM | 0x10,
	  SUM | 0x10, SUM | 0x10 },
	{ "accessed, drifted far: mov edx,gs:[rax+rcx*4]; add rcx,0x40000",
	  "65 8b 14 88 48 81 c1 00 00 04 00", "claims what it has not", SUM | 0x10, 0, SUM | 0x10 },
	{ "accessed, changed: mov edx,gs:[rax+rcx*4]; inc ecx", "65 8b 14 88 ff c1", "claims what it has not",
	  SUM | 0x10, 0, SUM | 0x10 },
};

static void check_entry(const struct entry_row *r, const char *probes, uint32_t entry)
{
	struct verify_long l = fields;
	struct verify_env env = test_env();
	struct verify_error err;
	uint8_t code[256];
	char hex[256];
	const char *why;
	struct row row = { .hex = hex };

	snprintf(hex, sizeof(hex), "%s%s", probes, r->hex);
	l.stack_entry = 18;
	l.entry = entry;
	l.facts = r->facts;
	l.granted = granted;
	l.claimed = claimed;
	stub_granted = r->granted;
	stub_claimed = r->claimed;
	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(env.v);
	why = bt_verify_long(&env, &l, code, build(&row, code), HOST, &err);
	bt_verifier_free(env.v);
	if (!r->rule)
		ck_assert_msg(!why, "%s: refused: %s (%s)", r->what, why, err.text);
	else
		ck_assert_msg(why && strstr(why, r->rule), "%s: wanted \"%s\", got \"%s\" (%s)", r->what,
			      r->rule, why ? why : "accepted", err.text);
}

START_TEST(entries)
{
	check_entry(&entry_rows[_i],
		    "4c 8b 04 25 28 05 00 40 c4 62 b3 f7 dc 47 0f b6 1c 18 "
		    "c4 62 b3 f7 d8 47 0f b6 5c 19 ec ",
		    29);
}
END_TEST

START_TEST(sums)
{
	check_entry(&sum_rows[_i],
		    "4c 8b 04 25 28 05 00 40 c4 62 b3 f7 dc 47 0f b6 1c 18 "
		    "4c 8d 04 88 c4 42 b3 f7 d8 47 0f b6 5c 19 ec ",
		    33);
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
	tcase_add_loop_test(tc, entries, 0, ARRAY_LEN(entry_rows));
	tcase_add_loop_test(tc, sums, 0, ARRAY_LEN(sum_rows));
	tcase_add_test(tc, any_bytes);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
