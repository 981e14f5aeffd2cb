/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every opcode, with every combination of the prefixes that may change its meaning, in 16-bit, 32-bit
 * and 64-bit code: what is emitted is the guest's instruction again, passes the verifier, and belongs to the
 * guest's processor. */
#include "tests/bt/oracle.h"
#include "tests/suite.h"

#include "bt/state/vcpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint8_t n, byte[2];
} prefixes[] = {
	{ "none", 0, { 0 } },
	{ "66", 1, { 0x66 } },
	{ "f2", 1, { 0xf2 } },
	{ "f3", 1, { 0xf3 } },
	{ "f0", 1, { 0xf0 } },
	{ "66 f3", 2, { 0x66, 0xf3 } },
	{ "f2 f3", 2, { 0xf2, 0xf3 } },
	{ "48", 1, { 0x48 } }, /* REX.W and REX.RB of 64-bit code */
	{ "45", 1, { 0x45 } },
	/* with LONG=1 */
	{ "67", 1, { 0x67 } },
	{ "66 f2", 2, { 0x66, 0xf2 } },
	{ "f3 f2", 2, { 0xf3, 0xf2 } },
	{ "f0 f2", 2, { 0xf0, 0xf2 } },
	{ "f0 f3", 2, { 0xf0, 0xf3 } },
	{ "3e", 1, { 0x3e } },
};

enum { QUICK_PREFIXES = 9 };

static const struct {
	uint8_t n, byte[2];
} maps[] = { { 0, { 0 } }, { 1, { 0x0f } }, { 2, { 0x0f, 0x38 } }, { 2, { 0x0f, 0x3a } } };

static const struct oracle_cpu flat = {
	.stack32 = true,
	.protected = true,
	.cr4 = CR4_OSFXSR | CR4_OSXSAVE,
	.xcr0 = 7,
	.limit = { ~0u, ~0u, ~0u, ~0u, ~0u, ~0u },
};

static bool is_long(void)
{
	return getenv("LONG");
}

struct sweep {
	struct oracle *o;
	struct oracle_cpu cpu;
	unsigned tried, kept, findings;
};

/* BITS of the code: 16, 32, 64. */
static void begin(struct sweep *s, unsigned bits)
{
	*s = (struct sweep){ .o = oracle_new(), .cpu = flat };
	s->cpu.code32 = bits == 32;
	s->cpu.code64 = bits == 64;
	ck_assert_ptr_nonnull(s->o);
}

static unsigned bits_of(const struct sweep *s)
{
	return s->cpu.code64 ? 64 : s->cpu.code32 ? 32 : 16;
}

/* Report up to twenty findings at once. */
static void end(struct sweep *s, const char *name, unsigned kept)
{
	oracle_free(s->o);
	ck_assert_msg(!s->findings, "%s, %u-bit code: %u findings in %u", name, bits_of(s), s->findings,
		      s->tried);
	ck_assert_msg(s->kept >= kept, "%s: only %u of %u instructions were kept", name, s->kept, s->tried);
}

static void try(struct sweep *s, const uint8_t *code, unsigned n)
{
	uint8_t padded[20]; /* ends the TU behind the instruction, whatever its length */
	const char *why;

	memset(padded, 0xcc, sizeof(padded));
	memcpy(padded, code, n);
	why = oracle_check(s->o, &s->cpu, padded, sizeof(padded));
	ck_assert_int_eq(mode_long(oracle_vcpu(s->o)->mode), s->cpu.code64);
	s->tried++;
	s->kept += oracle_kept(s->o);
	if (why && s->findings++ < 20) {
		printf("# %u-bit: %s\n", bits_of(s), why);
		fflush(stdout);
	}
}

/* Which ModRM bytes to try. A memory operand and a register, with each REG where it extends the opcode; every
 * register form where each is an opcode of its own. With LONG=1 all of these everywhere. */
enum forms { PLAIN, GROUP, REGISTERS };

static bool wanted(unsigned modrm, enum forms forms)
{
	unsigned reg = modrm >> 3 & 7;

	if (modrm < 0xc0 ? modrm & 7 : (modrm & 7) != 1 && forms != REGISTERS)
		return false;
	return modrm < 0xc0 ? modrm < 0x40 && (forms != PLAIN || reg == 2) : forms != PLAIN || reg == 2;
}

static bool listed(const char *list, unsigned op)
{
	return op && strchr(list, (int)op);
}

static enum forms forms_of(unsigned map, unsigned op)
{
	if ((map == 0 && op >= 0xd8 && op <= 0xdf) || (map == 1 && listed("\x01\xae\xa6\xa7\x1e\xc7", op)))
		return REGISTERS;
	if (is_long())
		return GROUP;
	if (map == 0 && listed("\x80\x81\x82\x83\x8f\xc0\xc1\xc6\xc7\xd0\xd1\xd2\xd3\xf6\xf7\xfe\xff", op))
		return GROUP;
	if (map == 1 && (op == 0 || listed("\x0d\x18\x1a\x1b\x1c\x71\x72\x73\xb9\xba", op)))
		return GROUP;
	return PLAIN;
}

START_TEST(legacy)
{
	static const uint8_t bits[] = { 16, 32, 64 };
	unsigned p = (unsigned)_i / 3;
	struct sweep s;

	begin(&s, bits[_i % 3]);
	for (unsigned map = 0; map < ARRAY_LEN(maps); map++)
		for (unsigned op = 0; op < 256; op++)
			for (unsigned modrm = 0; modrm < 256; modrm++) {
				uint8_t code[8];
				unsigned n = prefixes[p].n;

				if (!wanted(modrm, forms_of(map, op)))
					continue;
				memcpy(code, prefixes[p].byte, n);
				memcpy(code + n, maps[map].byte, maps[map].n);
				n += maps[map].n;
				code[n++] = (uint8_t)op;
				code[n++] = (uint8_t)modrm;
				try(&s, code, n);
			}
	end(&s, prefixes[p].name, 10);
}
END_TEST

/* VEX: both lengths and values of W, vvvv used and not. */
START_TEST(vex)
{
	unsigned pp = (unsigned)_i & 3;
	struct sweep s;

	begin(&s, _i < 4 ? 32 : _i < 8 ? 64 : 16);
	for (unsigned map = 1; map <= 3; map++)
		for (unsigned op = 0; op < 256; op++)
			for (unsigned lwv = 0; lwv < 8;
			     lwv += is_long() ? 1 : 3) /* 0, W and vvvv, vvvv and L */
				for (unsigned modrm = 0; modrm < 256; modrm++) {
					uint8_t code[] = { 0xc4, (uint8_t)(0xe0 | map),
							   (uint8_t)((lwv & 1 ? 0x80 : 0) |
								     (lwv & 2 ? 0x78 : 0x68) | (lwv & 4) |
								     pp),
							   (uint8_t)op, (uint8_t)modrm };

					if (wanted(modrm, is_long() ? GROUP : PLAIN))
						try(&s, code, sizeof(code));
				}
	end(&s, "VEX", 0);
}
END_TEST

/* The one EIP that has no negative. */
START_TEST(eip_without_negative)
{
	static const uint8_t code[] = { 0x40, 0xeb, 0xfd };
	struct sweep s;

	begin(&s, 32);
	s.cpu.eip = 0x80000000u;
	try(&s, code, sizeof(code));
	ck_assert_uint_eq(oracle_insns(s.o), 2);
	end(&s, "EIP 80000000h", 1);
}
END_TEST

/* A processor without any feature keeps the instructions of the 486, and no others. */
START_TEST(no_features)
{
	static const struct {
		uint8_t code[4];
		bool kept;
	} rows[] = {
		{ { 0x01, 0xc8 }, true },
		{ { 0x0f, 0xc8 }, true },	       /* BSWAP */
		{ { 0x0f, 0xb1, 0xc8 }, true },	       /* CMPXCHG */
		{ { 0xf3, 0x90 }, true },	       /* PAUSE */
		{ { 0xf3, 0x0f, 0xbc, 0xc1 }, true },  /* BSF */
		{ { 0x0f, 0x44, 0xc1 }, false },       /* CMOVZ */
		{ { 0x0f, 0x58, 0xc1 }, false },       /* ADDPS */
		{ { 0x0f, 0xae, 0x38 }, false },       /* CLFLUSH */
		{ { 0xd9, 0xe8 }, false },	       /* FLD1 */
		{ { 0xc5, 0xf8, 0x58, 0xc0 }, false }, /* VADDPS */
		{ { 0xf3, 0x0f, 0xb8, 0xc1 }, false }, /* POPCNT */
		{ { 0xc5, 0xf8, 0x93, 0xc0 }, false }, /* KMOVW */
		{ { 0x66, 0x0f, 0x01, 0xcc }, false }, /* TDCALL */
	};
	struct sweep s;

	begin(&s, 32);
	memset(s.cpu.lacks, true, sizeof(s.cpu.lacks));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		try(&s, rows[i].code, sizeof(rows[i].code));
		ck_assert_msg(oracle_kept(s.o) == rows[i].kept, "%02x %02x %02x", rows[i].code[0],
			      rows[i].code[1], rows[i].code[2]);
	}
	end(&s, "no features", 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sweep");
	TCase *tc = tcase_create("opcodes");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, legacy, 0, 3 * (is_long() ? (int)ARRAY_LEN(prefixes) : QUICK_PREFIXES));
	tcase_add_loop_test(tc, vex, 0, is_long() ? 12 : 8);
	tcase_add_test(tc, eip_without_negative);
	tcase_add_test(tc, no_features);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
