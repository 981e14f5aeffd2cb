/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host code of 16-bit and 32-bit guest code stays as it is: a fixed corpus is translated under each of
 * many processors and ways to translate, and the digest of the normal form of what is emitted compared with
 * tests/bt/emitted.def. Nothing is executed, and the host's features do not matter.
 *
 * Where a change is meant, this writes the digests again ("make update-emitted"):
 *	test_emitted --print >tests/bt/emitted.def
 * and this shows the code of one row, to compare two builds:
 *	test_emitted --dump NAME
 */
#include "tests/bt/emitted.h"
#include "tests/bt/oracle.h"
#include "tests/suite.h"

#include "bt/state/vcpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define FLAT ~0u, ~0u, ~0u, ~0u, ~0u, ~0u
#define CODE32 .code32 = true, .stack32 = true, .protected = true
#define USUAL .complete = true, .cr4 = CR4_OSFXSR | CR4_OSXSAVE, .xcr0 = 7

static const struct config {
	const char *name;
	struct oracle_cpu cpu;
} configs[] = {
	{ "flat", { USUAL, CODE32, .limit = { FLAT } } },
	{ "user", { USUAL, CODE32, .user = true, .limit = { FLAT } } },
	{ "stack16", { USUAL, .code32 = true, .protected = true, .limit = { FLAT } } },
	{ "code16", { USUAL, .protected = true, .stack32 = true, .limit = { FLAT } } },
	{ "real",
	  { USUAL, .base = { 0x12340, 0, 0x20000, 0x12340, 0x30000, 0x400 },
	    .limit = { 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff } } },
	{ "v86",
	  { USUAL, .protected = true, .v86 = true, .base = { 0x12340, 0, 0x20000, 0x12340, 0x30000, 0x400 },
	    .limit = { 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff } } },
	{ "based",
	  { USUAL, CODE32, .base = { 0x1000, 0, 0x2000, 0x3000, 0x4000, 0x5000 }, .limit = { FLAT } } },
	{ "limits",
	  { USUAL, CODE32, .base = { [SEG_FS] = 0x10000 }, .limit = { ~0u, ~0u, ~0u, 0x1234, 0x77, ~0u } } },
	{ "prechecked", { USUAL, CODE32, .prechecked = true, .limit = { FLAT } } },
	{ "user-page", { USUAL, CODE32, .guilty = 1, .limit = { FLAT } } },
	{ "miss", { USUAL, CODE32, .guilty = 2, .limit = { FLAT } } },
	{ "device-site", { USUAL, CODE32, .guilty = 4, .limit = { FLAT } } },
	{ "divide", { USUAL, CODE32, .guilty = 8, .limit = { FLAT } } },
	{ "traps", { USUAL, CODE32, .way = 1, .limit = { FLAT } } },
	{ "callouts", { USUAL, CODE32, .way = 2, .limit = { FLAT } } },
	{ "mixed", { USUAL, CODE32, .mixed = true, .limit = { FLAT } } },
	{ "counted", { USUAL, CODE32, .counted = true, .limit = { FLAT } } },
	{ "icount", { USUAL, CODE32, .icount = true, .limit = { FLAT } } },
	{ "device", { USUAL, CODE32, .device = true, .limit = { FLAT } } },
	{ "stepping", { USUAL, CODE32, .stepping = true, .limit = { FLAT } } },
	{ "page-end", { USUAL, CODE32, .eip = 0x80000ff8u, .limit = { FLAT } } },
	{ "no-fpu", { USUAL, CODE32, .cr0 = CR0_TS | CR0_MP, .limit = { FLAT } } },
	{ "i486", { CODE32, .limit = { FLAT } } },
};

/* The corpus of one configuration is several groups. */
enum group { PLAIN, SIZE, REPNE, REP, LOCK, ADDRESS, VEX, FORMS, SEQUENCES, GROUPS };
static const char *const group_names[] = {
	"plain", "66", "f2", "f3", "f0", "67", "vex", "forms", "sequences"
};
static const uint8_t prefix[] = { 0, 0x66, 0xf2, 0xf3, 0xf0, 0x67 };

struct run {
	struct oracle *o;
	struct emitted e;
	const struct config *config;
	uint64_t random;
	unsigned kept;
};

static void try(struct run *r, const uint8_t *code, size_t n)
{
	const struct ccf *f = oracle_translate(r->o, &r->config->cpu, code, n);

	if (r->e.dump) {
		for (size_t i = 0; i < n; i++)
			printf("%02x ", code[i]);
		printf(f ? "\n" : "-\n");
	}
	if (!f)
		return;
	r->kept++;
	emitted_add(&r->e, oracle_vcpu(r->o), f);
}

/* N bytes of code, followed by INT3. */
static void try_padded(struct run *r, const uint8_t *code, size_t n)
{
	uint8_t padded[20];

	memset(padded, 0xcc, sizeof(padded));
	memcpy(padded, code, n);
	try(r, padded, sizeof(padded));
}

/* ---- every opcode ---- */

static const struct {
	uint8_t n, byte[2];
} maps[] = { { 0, { 0 } }, { 1, { 0x0f } }, { 2, { 0x0f, 0x38 } }, { 2, { 0x0f, 0x3a } } };

/* Does REG extend the opcode? */
static bool extends(unsigned map, unsigned op)
{
	static const char one[] = "\x80\x81\x82\x83\x8c\x8e\x8f\xc0\xc1\xc6\xc7\xd0\xd1\xd2\xd3"
				  "\xd8\xd9\xda\xdb\xdc\xdd\xde\xdf\xf6\xf7\xfe\xff";
	static const char *const list[] = { one, "\x01\x0d\x18\x71\x72\x73\xae\xb9\xba\xc7", "", "" };

	return op ? strchr(list[map], (int)op) != NULL : map == 1;
}

/* Memory at [EBX+ESI+78h] or its like of 16 bits, and registers, with each value of REG. */
static void opcodes(struct run *r, uint8_t pre)
{
	static const uint8_t modrm[] = { 0x44, 0xc1 };

	for (unsigned map = 0; map < ARRAY_LEN(maps); map++)
		for (unsigned op = 0; op < 256; op++)
			for (unsigned reg = 0; reg < 8; reg++)
				for (unsigned m = 0; m < ARRAY_LEN(modrm); m++) {
					uint8_t code[] = { pre, 0, 0, 0, 0, 0x33, 0x78 };
					unsigned n = pre != 0;

					if (reg > 1 && !extends(map, op))
						continue;
					memcpy(code + n, maps[map].byte, maps[map].n);
					n += maps[map].n;
					code[n++] = (uint8_t)op;
					code[n++] = (uint8_t)(modrm[m] | reg << 3);
					code[n++] = 0x33;
					code[n++] = 0x78;
					try_padded(r, code, n);
				}
}

static void vex(struct run *r)
{
	for (unsigned v = 0; v < 3 * 256 * 16; v++) {
		unsigned op = v >> 4 & 255, pp = v & 3, l = v >> 2 & 1;
		uint8_t code[] = { 0xc4,	(uint8_t)(0xe1 + (v >> 12)), (uint8_t)(0x68 | l << 2 | pp),
				   (uint8_t)op, v & 8 ? 0xd1 : 0x44,	     0x33,
				   0x78 };

		try_padded(r, code, sizeof(code));
	}
}

/* ---- every form of address ---- */

static void forms(struct run *r)
{
	static const struct {
		uint8_t n, byte[4];
	} ops[] = {
		{ 1, { 0x8b } },
		{ 1, { 0x89 } },
		{ 1, { 0x00 } },
		{ 1, { 0x8d } },
		{ 1, { 0xff } },
		{ 2, { 0x0f, 0x28 } },
		{ 2, { 0x0f, 0xab } },
		{ 1, { 0xd9 } },
		{ 1, { 0x8f } },
		{ 2, { 0x65, 0x8b } },
		{ 2, { 0x36, 0x8b } },
		{ 2, { 0x67, 0x8b } },
		{ 4, { 0xc4, 0xe2, 0x69, 0x90 } },
		{ 3, { 0xc5, 0xf8, 0x10 } },
	};

	for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
		for (unsigned modrm = 0; modrm < 256; modrm++)
			for (unsigned sib = 4; sib < 256;
			     sib += (modrm & 7) == 4 && modrm < 0xc0 ? 13 : 256) {
				uint8_t code[10] = { 0 };
				unsigned n = ops[i].n;

				memcpy(code, ops[i].byte, n);
				code[n++] = (uint8_t)modrm;
				code[n++] = (uint8_t)sib;
				memcpy(code + n, "\x12\x34\x56\x07", 4);
				try_padded(r, code, n + 4);
			}
}

/* ---- sequences ---- */

static unsigned any(struct run *r, unsigned n) /* splitmix64 */
{
	uint64_t z = r->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) >> 33) % n;
}

/* Bytes that are mostly instructions of a compiler's. */
static void sequences(struct run *r)
{
	static const char common[] =
	    "\x01\x03\x29\x31\x39\x3b\x50\x53\x5b\x5d\x83\x85\x89\x89\x8b\x8b\x8d\xa4"
	    "\xa5\xab\xc1\xc3\xc7\xc9\xe8\xeb\x74\x75\x7e\xf7\xff\x9c\x9d\xfa\xfb\x88";
	static const char two[] =
	    "\x10\x11\x28\x44\x57\x6f\x7f\x84\x85\x94\x95\xa2\xaf\xb0\xb1\xb6\xb7\xc1\xc8\xd6";
	static const char prefixes[] = "\x66\xf3\xf2\x64\x65\x2e\x36\xf0\x67";

	r->random = 1;
	for (unsigned k = 0; k < 1500; k++) {
		uint8_t code[96];

		for (unsigned n = 0; n + 10 < sizeof(code);) {
			if (!any(r, 8))
				code[n++] = (uint8_t)prefixes[any(r, sizeof(prefixes) - 1)];
			if (!any(r, 5)) {
				code[n++] = 0x0f;
				code[n++] = (uint8_t)two[any(r, sizeof(two) - 1)];
			} else
				code[n++] = (uint8_t)common[any(r, sizeof(common) - 1)];
			for (unsigned left = any(r, 4); left; left--)
				code[n++] = (uint8_t)(any(r, 2) ? any(r, 256) : any(r, 16));
		}
		memset(code + sizeof(code) - 12, 0x90, 12);
		try(r, code, sizeof(code));
	}
}

/* ---- digests ---- */

static void corpus(struct run *r, enum group g)
{
	if (g == VEX)
		vex(r);
	else if (g == FORMS)
		forms(r);
	else if (g == SEQUENCES)
		sequences(r);
	else
		opcodes(r, prefix[g]);
}

static void name_row(char *buf, size_t n, unsigned row)
{
	snprintf(buf, n, "%s/%s", configs[row / GROUPS].name, group_names[row % GROUPS]);
}

/* NULL, or why ROW has no digest. */
static const char *digest(unsigned row, bool dump, uint64_t *digest)
{
	static char why[80];
	struct run r = { .o = oracle_new(), .config = &configs[row / GROUPS], .e.dump = dump };

	if (!r.o)
		return "no translator";
	oracle_vcpu(r.o)->cfg.verify = false; /* other tests do */
	corpus(&r, (enum group)(row % GROUPS));
	*digest = XXH3_64bits(r.e.bytes, r.e.n);
	snprintf(why, sizeof(why), "%s", r.kept ? r.e.unknown : "nothing was translated");
	free(r.e.bytes);
	oracle_free(r.o);
	return why[0] ? why : NULL;
}

static const struct {
	const char *name;
	uint64_t digest;
} expected[] = {
#define E(name, digest) { name, digest },
#include "tests/bt/emitted.def"
#undef E
};

START_TEST(unchanged)
{
	char name[40];
	uint64_t now;
	const char *why;

	name_row(name, sizeof(name), (unsigned)_i);
	ck_assert_msg(_i < (int)ARRAY_LEN(expected), "%s: no digest", name);
	ck_assert_str_eq(expected[_i].name, name);
	why = digest((unsigned)_i, false, &now);
	ck_assert_msg(!why, "%s: %s", name, why);
	ck_assert_msg(now == expected[_i].digest,
		      "%s: other host code than before; test_emitted --dump %s shows it", name, name);
}
END_TEST

/* ---- main ---- */

enum { ROWS = (int)ARRAY_LEN(configs) * GROUPS };

static int print(void)
{
	puts("/* SPDX-License-Identifier: GPL-3.0-or-later\n"
	     " * Digests of emitted code, made by test_emitted --print. E(name, digest) */");
	for (unsigned row = 0; row < ROWS; row++) {
		char name[40];
		uint64_t now;
		const char *why = digest(row, false, &now);

		name_row(name, sizeof(name), row);
		if (why) {
			fprintf(stderr, "test_emitted: %s: %s\n", name, why);
			return 1;
		}
		printf("E(\"%s\", 0x%016llxu)\n", name, (unsigned long long)now);
	}
	return 0;
}

static int dump(const char *wanted)
{
	for (unsigned row = 0; row < ROWS; row++) {
		char name[40];
		uint64_t now;

		name_row(name, sizeof(name), row);
		if (!strcmp(name, wanted)) {
			digest(row, true, &now);
			return 0;
		}
	}
	fprintf(stderr, "test_emitted: no row %s in emitted.def\n", wanted);
	return 2;
}

int main(int argc, char **argv)
{
	Suite *s = suite_create("emitted");
	TCase *tc = tcase_create("digests");

	if (argc == 2 && !strcmp(argv[1], "--print"))
		return print();
	if (argc == 3 && !strcmp(argv[1], "--dump"))
		return dump(argv[2]);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, unchanged, 0, ROWS);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
