/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier against hand-assembled fragments: what it must accept, and what
 * it must refuse for the right reason. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bt/verify.h"

#define HOST 0x100000000ull
#define TC_BYTES 0x10000u
#define VCPU_BYTES 0x2000u
#define STUB (HOST + 0x8000)

struct row {
	const char *what;
	const char *hex;  /* the instruction under test */
	const char *rule; /* part of the complaint; NULL: accepted */
	bool whole;       /* HEX is the whole fragment; else a jump to STUB is put behind it */
};

static const struct row rows[] = {
	/* the window */
	{ "load", "65 67 8b 03", NULL, 0 },
	{ "store with sib", "65 67 89 4c b3 08", NULL, 0 },
	{ "esp-based", "65 67 8b 44 24 04", NULL, 0 },
	{ "absolute", "65 67 8b 04 25 00 10 00 00", NULL, 0 },
	{ "scratch base", "65 67 41 8b 00", NULL, 0 },
	{ "lock", "f0 65 67 01 03", NULL, 0 },
	{ "sse", "65 67 0f 28 03", NULL, 0 },
	{ "avx", "65 67 c5 fc 10 03", NULL, 0 },
	{ "gather", "65 67 c4 e2 69 90 0c 83", NULL, 0 },
	{ "moffs", "65 67 a1 00 10 00 00", NULL, 0 },
	{ "x87", "65 67 dd 03", NULL, 0 },
	{ "fxsave", "65 67 0f ae 03", NULL, 0 },
	{ "no address size", "65 8b 03", "32-bit address size", 0 },
	{ "no override", "67 8b 03", "without GS", 0 },
	{ "neither", "8b 03", "no allowed form", 0 },
	{ "store, neither", "89 04 24", "no allowed form", 0 },
	{ "fs", "64 67 8b 03", "FS", 0 },
	{ "es override is none", "26 67 8b 03", "without GS", 0 },
	{ "absolute, 64-bit", "8b 04 25 00 10 00 00", "no allowed form", 0 },
	{ "moffs, 64-bit", "a1 00 10 00 00 00 00 00 00", "no allowed form", 0 },
	{ "gather, no window", "c4 e2 69 90 0c 83", "no allowed form", 0 },
	{ "eip-relative", "65 67 8b 05 00 00 00 00", "relative to RIP", 0 },
	{ "through r13d", "65 67 41 8b 45 00", "r12-r15", 0 },
	{ "later prefix wins", "65 64 67 8b 03", "FS", 0 },
	/* the virtual processor */
	{ "load", "41 8b 47 10", NULL, 0 },
	{ "store", "49 89 87 f8 1f 00 00", NULL, 0 },
	{ "byte immediate", "41 c6 47 10 01", NULL, 0 },
	{ "cmp", "41 80 7f 10 00", NULL, 0 },
	{ "negative", "41 8b 47 f0", "beyond the virtual processor", 0 },
	{ "just too far", "49 89 87 f9 1f 00 00", "beyond the virtual processor", 0 },
	{ "far too far", "41 8b 87 00 00 00 7f", "beyond the virtual processor", 0 },
	{ "indexed", "41 8b 44 07 10", "indexed", 0 },
	{ "with 32-bit address", "67 41 8b 47 10", "without GS", 0 },
	/* jump table and constants */
	{ "jump table", "47 8b 0c 84", NULL, 0 },
	{ "poll", "45 8b 0c 24", NULL, 0 },
	{ "jump table, guest index", "45 8b 0c 84", "another index", 0 },
	{ "jump table, scale", "47 8b 0c c4", "another index", 0 },
	{ "jump table, displacement", "47 8b 4c 84 04", "displacement", 0 },
	{ "jump table, store", "47 89 0c 84", "not a load", 0 },
	{ "window base", "41 8b 45 00", "no allowed form", 0 },
	{ "cache base", "41 8b 06", "no allowed form", 0 },
	{ "constant", "8b 05 10 00 00 00", NULL, 0 },
	{ "constant, store", "89 05 10 00 00 00", "not a load", 0 },
	{ "constant outside", "8b 05 00 00 00 10", "outside", 0 },
	{ "constant before", "8b 05 00 f0 ff ff", "outside", 0 },
	/* fixed registers */
	{ "read r13", "4d 8b cd", NULL, 0 },
	{ "add r14", "4d 01 f1", NULL, 0 },
	{ "cmp r15", "49 39 c7", NULL, 0 },
	{ "lea from r14", "4d 8d 0c 36", NULL, 0 },
	{ "mov r15", "49 89 c7", "may be written", 0 },
	{ "xchg r12", "4d 87 e0", "may be written", 0 },
	{ "xchg, second", "49 87 c4", "may be written", 0 },
	{ "xadd r13", "4c 0f c1 e8", "may be written", 0 },
	{ "pop r12", "41 5c", "must not contain", 0 },
	{ "inc r14d", "41 ff c6", "may be written", 0 },
	{ "lea r15", "4d 8d 3c 24", "may be written", 0 },
	{ "setcc r12b", "41 0f 94 c4", "may be written", 0 },
	{ "andn r13d", "c4 62 78 f2 e8", "may be written", 0 },
	{ "mulx r14", "c4 62 7b f6 f0", "may be written", 0 },
	{ "mulx, second", "c4 62 0b f6 c0", "may be written", 0 },
	{ "movd r15d", "66 41 0f 7e c7", "may be written", 0 },
	{ "pextrw r12d", "66 44 0f c5 e0 01", "may be written", 0 },
	/* stack and system */
	{ "push", "50", "must not contain", 0 },
	{ "pop", "58", "must not contain", 0 },
	{ "pushf", "9c", "must not contain", 0 },
	{ "call", "e8 00 00 00 00", "must not contain", 0 },
	{ "call indirect", "41 ff d1", "must not contain", 0 },
	{ "ret", "c3", "must not contain", 1 },
	{ "leave", "c9", "must not contain", 0 },
	{ "enter", "c8 00 00 00", "must not contain", 0 },
	{ "syscall", "0f 05", "must not contain", 0 },
	{ "sysenter", "0f 34", "must not contain", 0 },
	{ "int 0x80", "cd 80", "must not contain", 0 },
	{ "int3", "cc", "must not contain", 0 },
	{ "icebp", "f1", "must not contain", 0 },
	{ "hlt", "f4", "must not contain", 0 },
	{ "cli", "fa", "must not contain", 0 },
	{ "in", "ec", "must not contain", 0 },
	{ "out", "e6 80", "must not contain", 0 },
	{ "outs", "65 67 6e", "must not contain", 0 },
	{ "mov cr", "0f 20 c0", "", 0 },
	{ "mov dr", "0f 23 c0", "", 0 },
	{ "wrgsbase", "f3 48 0f ae d8", "must not contain", 0 },
	{ "rdgsbase", "f3 48 0f ae c8", "must not contain", 0 },
	{ "wrmsr", "0f 30", "must not contain", 0 },
	{ "cpuid", "0f a2", "must not contain", 0 },
	{ "xsetbv", "0f 01 d1", "must not contain", 0 },
	{ "lgdt", "65 67 0f 01 13", "must not contain", 0 },
	{ "sidt", "65 67 0f 01 0b", "must not contain", 0 },
	{ "mov to fs", "8e e0", "", 0 },
	{ "mov from cs", "8c c8", "segment register", 0 },
	{ "lfs", "65 67 0f b4 03", "must not contain", 0 },
	{ "far jump", "65 67 ff 2b", "must not contain", 1 },
	{ "vmcall", "0f 01 c1", "", 0 },
	{ "flags by a stack of our own", "49 89 e0 49 8d 67 40 9c 41 59 4c 89 c4", NULL, 0 },
	{ "own stack, below", "49 89 e0 49 8d 67 04 9c 41 59 4c 89 c4", "out of the virtual processor", 0 },
	{ "own stack, above", "49 89 e0 49 8d a7 00 20 00 00 41 59 4c 89 c4", "out of the virtual", 0 },
	{ "own stack, outside", "49 8d a7 00 30 00 00 9c", "outside", 0 },
	{ "own stack, call", "49 8d 67 40 e8 00 00 00 00", "neither", 0 },
	{ "own stack, pop of a guest register", "49 8d 67 40 5c", "neither", 0 },
	{ "own stack, left", "49 8d 67 40 9c", "neither", 0 },
	{ "own stack, back to a guest register", "49 8d 67 40 48 89 c4", "neither", 0 },
	{ "bounce buffer", "4d 8d 47 40 45 8b 08", NULL, 0 },
	{ "bounce buffer, store", "4d 8d 47 40 66 41 0f 7f 00", NULL, 0 },
	{ "bounce buffer, beyond", "4d 8d 87 fe 1f 00 00 45 8b 08", "beyond", 0 },
	{ "bounce buffer, before", "4d 8d 47 04 45 8b 48 f8", "beyond", 0 },
	{ "bounce buffer, too late", "4d 8d 47 40 90 45 8b 08", "no allowed form", 0 },
	{ "bounce buffer, other register", "4d 8d 47 40 45 8b 09", "no allowed form", 0 },
	{ "bounce buffer, branched to", "74 04 4d 8d 47 40 45 8b 08", "of a sequence", 0 },
	{ "string, branched to", "74 04 4a 8d 3c 2f f3 ab 8b ff", "of a sequence", 0 },
	{ "string, branch inside", "4a 8d 3c 2f 74 00 f3 ab 8b ff", "branch with", 0 },
	{ "bounce buffer, bit string", "4d 8d 47 40 45 0f a3 08", "bit string", 0 },
	{ "window bit string", "65 67 0f a3 0b", NULL, 0 },
	{ "vcpu bit string", "41 0f ab 4f 40", "bit string", 0 },
	{ "vcpu bit, immediate", "41 0f ba 6f 40 03", NULL, 0 },
	{ "exchange", "4c 87 c7 65 67 00 27 4c 87 c7", NULL, 0 },
	{ "exchange and bounce buffer", "4d 8d 47 40 4c 87 c7 00 27 4c 87 c7", NULL, 0 },
	{ "exchange, no window", "4c 87 c7 00 27 4c 87 c7", "no allowed form", 0 },
	{ "exchange, never back", "4c 87 c7 65 67 00 27", "given back", 0 },
	{ "exchange, another back", "4c 87 c7 65 67 00 27 4c 87 c6", "given back", 0 },
	{ "exchange, scratch used", "4c 87 c7 41 89 c0 4c 87 c7", "before it is back", 0 },
	{ "exchange, branch", "4c 87 c7 75 00 4c 87 c7", "between an exchange", 0 },
	{ "exchange, last", "4c 87 c7", "runs off", 1 },
	{ "vbroadcasti128", "65 67 c4 e2 7d 5a 03", NULL, 0 },
	{ "vbroadcasti128, no window", "c4 e2 7d 5a 03", "no allowed form", 0 },
	{ "wrpkru", "0f 01 ef", "", 0 },
	{ "rdtsc is fine", "0f 31", NULL, 0 },
	{ "ud2", "0f 0b", NULL, 1 },
	{ "nop with operand", "0f 1f 44 00 00", NULL, 0 },
	{ "lea is no access", "8d 44 8b 10", NULL, 0 },
	{ "unknown bytes", "06", "does not know", 0 },
	/* strings and other implicit operands */
	{ "lods through the window", "65 67 ac", NULL, 0 },
	{ "lods", "ac", "source", 0 },
	{ "stos, es takes no override", "65 67 aa", "misleads", 0 },
	{ "movs with override", "65 67 a4", "misleads", 0 },
	{ "stos", "aa", "destination", 0 },
	{ "window stos", "4a 8d 3c 2f f3 ab 8b ff", NULL, 0 },
	{ "window movs", "4a 8d 34 2e 4a 8d 3c 2f f3 a5 8b f6 8b ff", NULL, 0 },
	{ "window cmps", "4a 8d 34 2e 4a 8d 3c 2f f3 a6 8b f6 8b ff", NULL, 0 },
	{ "only one of two", "4a 8d 3c 2f f3 a5", "source", 0 },
	{ "after truncation", "4a 8d 3c 2f f3 ab 8b ff ab", "destination", 0 },
	{ "twice", "4a 8d 3c 2f 4a 8d 3c 2f", "has one", 0 },
	{ "another base", "49 8d 3c 3e", "64-bit write", 0 },
	{ "64-bit rdi", "48 89 c7", "64-bit write", 0 },
	{ "left behind", "4a 8d 3c 2f", "branch with a host address", 0 },
	{ "xlat", "65 67 d7", NULL, 0 },
	{ "xlat, no window", "d7", "implicit", 0 },
	{ "maskmovq", "65 67 0f f7 c1", NULL, 0 },
	{ "maskmovdqu, no window", "66 0f f7 c1", "implicit", 0 },
	{ "vmaskmovdqu, no window", "c5 f9 f7 c1", "implicit", 0 },
	{ "movsd is not movs", "f2 0f 10 c1", NULL, 0 },
	{ "cmpsd is not cmps", "f2 0f c2 c1 00", NULL, 0 },
	/* control flow */
	{ "jump to a stub", "e9 fb 7f 00 00", NULL, 1 },
	{ "jump to nowhere", "e9 fb 6f 00 00", "unknown target", 1 },
	{ "jcc to nowhere", "0f 84 00 01 00 00", "unknown target", 0 },
	{ "loop inside", "ff c8 75 fc", NULL, 0 },
	{ "jrcxz inside", "e3 02 8b c0", NULL, 0 },
	{ "into an immediate", "b8 90 90 90 90 75 fb", "middle", 0 },
	{ "loop to nowhere", "e2 80", "unknown target", 0 },
	{ "jmp r9", "41 ff e1", NULL, 1 },
	{ "jmp rax", "ff e0", "guest register", 1 },
	{ "jmp r12", "41 ff e4", "guest register", 1 },
	{ "jmp [r15]", "41 ff 67 40", NULL, 1 },
	{ "jmp [r15], too far", "41 ff a7 00 20 00 00", "beyond", 1 },
	{ "jmp [window]", "65 67 ff 23", "through memory", 1 },
	{ "jmp [rax]", "ff 20", "through memory", 1 },
	{ "falls off", "8b c0", "runs off", 1 },
	{ "jcc last", "74 fe", "runs off", 1 },
	{ "truncated", "e9 00", "does not know", 1 },
};

static size_t unhex(const char *s, uint8_t *out)
{
	size_t n = 0;

	for (char *e; *s; s = e + (*e == ' '))
		out[n++] = (uint8_t)strtoul(s, &e, 16);
	return n;
}

static bool only_stub(void *ctx, uint64_t host)
{
	(void)ctx;
	return host == STUB;
}

static size_t build(const struct row *r, uint8_t *code)
{
	size_t n = unhex(r->hex, code);
	uint32_t rel = (uint32_t)(STUB - (HOST + n + 5));

	if (r->whole)
		return n;
	code[n] = 0xe9;
	memcpy(code + n + 1, &rel, 4);
	return n + 5;
}

START_TEST(fragment)
{
	const struct row *r = &rows[_i];
	struct verify_env env = { .tc_base = HOST, .tc_size = TC_BYTES, .vcpu_size = VCPU_BYTES, .strings = true,
				  .ok_target = only_stub };
	struct verify_error err;
	uint8_t code[64];
	const char *why;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(env.v);
	why = bt_verify(&env, code, build(r, code), HOST, &err);
	bt_verifier_free(env.v);
	if (!r->rule)
		ck_assert_msg(!why, "%s: %s: refused: %s (%s)", r->what, r->hex, why, err.text);
	else
		ck_assert_msg(why && strstr(why, r->rule), "%s: %s: wanted \"%s\", got \"%s\" (%s)", r->what, r->hex,
			      r->rule, why ? why : "accepted", err.text);
}
END_TEST

START_TEST(strings_are_off_unless_asked_for)
{
	static const uint8_t code[] = { 0x4a, 0x8d, 0x3c, 0x2f, 0xf3, 0xab, 0x8b, 0xff, 0x0f, 0x0b };
	struct verify_env env = { .tc_base = HOST, .tc_size = TC_BYTES, .vcpu_size = VCPU_BYTES,
				  .ok_target = only_stub };
	struct verify_error err;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(bt_verify(&env, code, sizeof(code), HOST, &err));
	ck_assert_uint_eq(err.off, 0);
	env.strings = true;
	ck_assert_ptr_null(bt_verify(&env, code, sizeof(code), HOST, &err));
	bt_verifier_free(env.v);
}
END_TEST

START_TEST(error_says_where)
{
	static const uint8_t code[] = { 0x8b, 0xc0, 0x50, 0x0f, 0x0b };
	struct verify_env env = { .tc_base = HOST, .tc_size = TC_BYTES, .vcpu_size = VCPU_BYTES,
				  .ok_target = only_stub };
	struct verify_error err;

	env.v = bt_verifier_new();
	ck_assert_ptr_nonnull(bt_verify(&env, code, sizeof(code), HOST, &err));
	ck_assert_uint_eq(err.off, 2);
	ck_assert_uint_eq(err.len, 1);
	ck_assert_uint_eq(err.bytes[0], 0x50);
	ck_assert_str_eq(err.text, "push rax");
	bt_verifier_free(env.v);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("verify");
	TCase *tc = tcase_create("fragments");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, fragment, 0, ARRAY_LEN(rows));
	tcase_add_test(tc, strings_are_off_unless_asked_for);
	tcase_add_test(tc, error_says_where);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
