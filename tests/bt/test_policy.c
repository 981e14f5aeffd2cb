/* SPDX-License-Identifier: GPL-3.0-or-later
 * The policy for sensitive instructions: which kind an instruction is, and which way it runs for a choice by
 * kind and by site. */
#include "bt/adapt/adapt.h"
#include "bt/adapt/policy.h"
#include "bt/bt.h"
#include "bt/decode/decode.h"
#include "tests/bt/rig.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static struct rig rig;
static struct bt_vcpu *b;

static void setup(void)
{
	rig_init(&rig, 1 << 20);
	b = rig.b;
}

static void teardown(void)
{
	rig_fini(&rig);
}

static struct insn decode(const char *hex)
{
	struct insn in = { .pc = 0x1000 };
	unsigned n = 0;

	for (char *end; n < sizeof(in.bytes) && *hex; hex = end)
		in.bytes[n++] = (uint8_t)strtoul(hex, &end, 16);
	ck_assert(ZYAN_SUCCESS(decode_bytes(&(struct isa){ 0 }, MODE_PE | MODE_D, &in, n)));
	return in;
}

/* Kinds by the manual's groups, with relatives that are not sensitive. NAME NULL: not sensitive. */
static const struct {
	const char *text, *hex, *name;
} kinds[] = {
	{ "cli", "fa", "cli" },
	{ "sti", "fb", "sti" },
	{ "cld", "fc", NULL },
	{ "clc", "f8", NULL },
	{ "pushf", "66 9c", "pushf" },
	{ "pushfd", "9c", "pushf" },
	{ "popfd", "9d", "popf" },
	{ "lahf", "9f", NULL },
	{ "rdtsc", "0f 31", "rdtsc" },
	{ "rdtscp", "0f 01 f9", "rdtsc" },
	{ "mov eax, cr0", "0f 20 c0", "mov-from-cr" },
	{ "mov cr3, eax", "0f 22 d8", "mov-to-cr" },
	{ "mov dr7, eax", "0f 23 f8", "mov-to-cr" },
	{ "clts", "0f 06", "mov-to-cr" },
	{ "lmsw ax", "0f 01 f0", "mov-to-cr" },
	{ "invlpg [eax]", "0f 01 38", "mov-to-cr" },
	{ "mov ax, ds", "8c d8", "sreg-read" },
	{ "push ds", "1e", "sreg-read" },
	{ "push fs", "0f a0", "sreg-read" },
	{ "mov ds, ax", "8e d8", "segment-load" },
	{ "pop es", "07", "segment-load" },
	{ "lds eax, [eax]", "c5 00", "segment-load" },
	{ "lss eax, [eax]", "0f b2 00", "segment-load" },
	{ "push eax", "50", NULL },
	{ "pop eax", "58", NULL },
	{ "mov eax, ebx", "89 d8", NULL },
	{ "mov eax, ds:[0]", "a1 00 00 00 00", NULL },
	{ "in al, dx", "ec", "io" },
	{ "out 10h, al", "e6 10", "io" },
	{ "rep insd", "f3 6d", "io" },
	{ "outsb", "6e", "io" },
	{ "movsb", "a4", NULL },
	{ "cpuid", "0f a2", "cpuid" },
	{ "rdmsr", "0f 32", "msr" },
	{ "wrmsr", "0f 30", "msr" },
	{ "xgetbv", "0f 01 d0", "msr" },
	{ "iretd", "cf", "iret" },
	{ "sysexit", "0f 35", "iret" },
	{ "int 80h", "cd 80", "int" },
	{ "int3", "cc", "int" },
	{ "into", "ce", "int" },
	{ "sysenter", "0f 34", "int" },
	{ "jmp far", "ea 00 00 00 00 08 00", "far" },
	{ "call far [eax]", "ff 18", "far" },
	{ "retf", "cb", "far" },
	{ "jmp near", "eb 00", NULL },
	{ "call near [eax]", "ff 10", NULL },
	{ "ret", "c3", NULL },
	{ "hlt", "f4", "hlt" },
	{ "nop", "90", NULL },
	{ "lgdt [eax]", "0f 01 10", "tables" },
	{ "sidt [eax]", "0f 01 08", "tables" },
	{ "ltr ax", "0f 00 d8", "tables" },
	{ "lar eax, ecx", "0f 02 c1", "tables" },
	{ "verw ax", "0f 00 e8", "tables" },
};

START_TEST(kind_of_instruction)
{
	struct insn in = decode(kinds[_i].hex);
	enum sens k = policy_kind(&in);

	if (kinds[_i].name)
		ck_assert_msg(k < SENS_KINDS && !strcmp(policy_kind_name(k), kinds[_i].name), "%s: %s",
			      kinds[_i].text, k < SENS_KINDS ? policy_kind_name(k) : "not sensitive");
	else
		ck_assert_msg(k == SENS_KINDS, "%s: %s", kinds[_i].text,
			      k < SENS_KINDS ? policy_kind_name(k) : "");
}
END_TEST

START_TEST(each_kind_has_a_row)
{
	bool seen[SENS_KINDS] = { false };

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		for (unsigned k = 0; kinds[i].name && k < SENS_KINDS; k++)
			seen[k] |= !strcmp(kinds[i].name, policy_kind_name(k));
	for (unsigned k = 0; k < SENS_KINDS; k++) {
		ck_assert_msg(seen[k], "%s", policy_kind_name(k));
		for (unsigned o = 0; o < k; o++)
			ck_assert_str_ne(policy_kind_name(k), policy_kind_name(o));
	}
}
END_TEST

/* Choices in order: KIND WAY (by kind), or WAY alone (for the site). WAY is that of HEX then; ERR: the last
 * choice is refused, with a text that contains this. */
static const struct {
	const char *hex, *kind, *by_kind, *site;
	enum way way;
	const char *err;
} choices[] = {
	{ "fa", NULL, NULL, NULL, WAY_DEFAULT, NULL },
	{ "fa", "cli", "trap", NULL, WAY_TRAP, NULL },
	{ "fa", "cli", "in-tc", NULL, WAY_INTC, NULL },
	{ "fa", "sti", "trap", NULL, WAY_DEFAULT, NULL },
	{ "fa", "all", "callout", NULL, WAY_CALLOUT, NULL },
	{ "fa", "all", "in-tc", NULL, WAY_INTC, NULL },
	{ "ec", "all", "in-tc", NULL, WAY_DEFAULT, NULL }, /* IO cannot run in the TC */
	{ "ec", "io", "in-tc", NULL, WAY_DEFAULT, "cannot run in the TC" },
	{ "ec", "io", "trap", NULL, WAY_TRAP, NULL },
	{ "fa", "cli", "trap", "callout", WAY_CALLOUT, NULL }, /* the site's choice wins */
	{ "fa", "cli", "trap", "default", WAY_TRAP, NULL },    /* ... until it is withdrawn */
	{ "ec", "io", "callout", "in-tc", WAY_DEFAULT, NULL },
	{ "90", "all", "trap", "trap", WAY_DEFAULT, NULL }, /* not sensitive */
	{ "fa", "cli", "maybe", NULL, WAY_DEFAULT, "trap, callout, in-tc or default" },
	{ "fa", "clix", "trap", NULL, WAY_DEFAULT, "no such kind" },
};

START_TEST(way_of_instruction)
{
	struct insn in = decode(choices[_i].hex);
	const char *err = NULL;
	unsigned n;

	b->tc.flush_wanted = false;
	if (choices[_i].kind)
		err = bt_policy.set_kind(&b->v, choices[_i].kind, choices[_i].by_kind);
	ck_assert_int_eq(b->tc.flush_wanted, choices[_i].kind && !err);
	if (choices[_i].site) {
		ck_assert_ptr_null(bt_policy.set_site(&b->v, in.pc, choices[_i].site, false, &n));
		ck_assert_uint_eq(n, 1);
		ck_assert_ptr_null(
		    bt_policy.set_site(&b->v, in.pc + 1, "trap", false, &n)); /* another site's */
	}
	ck_assert_int_eq(!!err, !!choices[_i].err);
	if (err)
		ck_assert_msg(strstr(err, choices[_i].err), "%s", err);
	ck_assert_int_eq(policy_way(b, &in), choices[_i].way);
}
END_TEST

START_TEST(site_at_address_0)
{
	unsigned n;

	ck_assert_ptr_nonnull(bt_policy.set_site(&b->v, 0, "trap", false, &n));
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_nonnull(bt_policy.set_site(&b->v, 0x1000, "sometimes", false, &n));
	ck_assert_ptr_nonnull(bt_policy.set_site(&b->v, 0x1000, "trap", true, &n)); /* no fragment there */
	ck_assert_uint_eq(n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("policy");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, kind_of_instruction, 0, (int)ARRAY_LEN(kinds));
	tcase_add_test(t, each_kind_has_a_row);
	tcase_add_loop_test(t, way_of_instruction, 0, (int)ARRAY_LEN(choices));
	tcase_add_test(t, site_at_address_0);
	suite_add_tcase(s, t);
	return suite_run(s);
}
