/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host forms of 64-bit instructions: each is translated alone and run on memory that is displaced, beside
 * the instruction itself on memory that is not. Registers, flags, vectors and memory must agree. Needs no
 * machine: a virtual processor of zeros is enough for lowering. */
#include "bt/adapt/adapt.h"
#include "bt/decode/decode.h"
#include "bt/emit/emit.h"
#include "bt/emit/exit.h"
#include "bt/emit/long.h"
#include "bt/lower/lower.h"
#include "tests/suite.h"

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUEST 0x1000000000ull	  /* of memory, 64 GiB */
#define DISPLACED (GUEST + DELTA) /* where translated code finds it */
#define DELTA 0x20000000000ull
#define BYTES 0x40000u
#define MIDDLE (GUEST + BYTES / 2)
#define STACK (GUEST + 0x30000)
#define CODE (GUEST + 0x10000)
#define TC_BYTES (1u << 20)

__asm__(".pushsection .rodata\n.intel_syntax noprefix\nforms:\n"
#define FORM(text) ".byte 2f-1f\n1: " text "\n2:\n"
#include "tests/bt/long_forms.def"
#undef FORM
	".att_syntax\n.popsection\n");
extern const uint8_t forms[];

static const char *const texts[] = {
#define FORM(text) text,
#include "tests/bt/long_forms.def"
#undef FORM
};

static struct bt_vcpu *b;
static struct tx *t;
static uint8_t *enter_native, *enter_long, *leave;

static void *map_at(uint64_t at, size_t n, int prot)
{
	void *p = mmap((void *)at, n, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED_NOREPLACE : MAP_32BIT), -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

/* ---- entry and exit ---- */

static const int saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

static void push(int r)
{
	e_prefix(t, 0, 0, 0, r);
	e1(t, 0x50u | (r & 7));
}

static void pop(int r)
{
	e_prefix(t, 0, 0, 0, r);
	e1(t, 0x58u | (r & 7));
}

/* XSAVE or XRSTOR of the guest's vectors. */
static void put_xsave(unsigned op)
{
	e_movi32(t, H_RAX, 7);
	e_movi32(t, H_RDX, 0);
	e_rm(t, F_0F, 0xae, (int)op, H_R15, OFF_CPU(fpu));
}

static void put_base(bool gs, int reg)
{
	e1(t, 0xf3);
	e2(t, (reg & 8 ? 0x49 : 0x48) | 0x0f00);
	e2(t, 0xaeu | (0xc0u | (gs ? 3u : 2u) << 3 | (reg & 7)) << 8);
}

/* To what scratch[0] points to, with the registers of the vCPU; bases from scratch[1] and scratch[2]. */
static void put_enter(bool is_long)
{
	for (unsigned i = 0; i < ARRAY_LEN(saved); i++)
		push(saved[i]);
	e_st64(t, OFF(stubs.host_rsp), H_RSP);
	put_xsave(5);
	e_ld64(t, H_RAX, OFF(scratch[1]));
	put_base(true, H_RAX);
	if (!is_long) {
		e_ld64(t, H_RAX, OFF(scratch[2]));
		put_base(false, H_RAX);
	}
	e_ld32(t, H_RAX, OFF_CPU(flags));
	push(H_RAX);
	e1(t, 0x9d);
	for (int r = 0; r < 16; r++)
		e_ld64(t, r, OFF_GPR(r));
	if (is_long) {
		e_ld64(t, H_R9, OFF(space.v));
		e_ld64(t, H_R10, OFF(space.d));
		e_rmi(t, F_W, 0x8d, H_RSP, H_RSP, H_R10, 0, 0);
	}
	e_jmp_vcpu(t, OFF(scratch[0]));
}

/* Store everything; r8 to r11 are the host's, in scratch[4] to scratch[7]. */
static void put_leave(void)
{
	for (int r = 0; r < 16; r++)
		e_st64(t, r >= 8 && r < 12 ? OFF(scratch[4]) + 8 * (r - 8) : OFF_GPR(r), r);
	e_ld64(t, H_RSP, OFF(stubs.host_rsp));
	e1(t, 0x9c);
	pop(H_RAX);
	e_st32(t, OFF_CPU(flags), H_RAX);
	put_xsave(4);
	e_ld64(t, H_RAX, OFF(scratch[3]));
	put_base(false, H_RAX);
	e1(t, 0xfc);
	for (unsigned i = ARRAY_LEN(saved); i--;)
		pop(saved[i]);
	e1(t, 0xc3);
}

static void enter(const uint8_t *stub)
{
	b->scratch[3] = _readfsbase_u64();
	((void (*)(void))(uint64_t)stub)();
}

static void setup(void)
{
	uint8_t *table =
	    mmap(NULL, 1ull << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *arena = map_at(0, 1 << 20, PROT_READ | PROT_WRITE);

	ck_assert_ptr_ne(table, MAP_FAILED);
	map_at(GUEST, BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
	map_at(DISPLACED, BYTES, PROT_READ | PROT_WRITE);
	b = map_at(0, sizeof(*b), PROT_READ | PROT_WRITE);
	t = map_at(0, sizeof(*t), PROT_READ | PROT_WRITE);
	b->tc.rw = b->tc.rx = map_at(0, TC_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
	b->tc_base = (uint64_t)b->tc.rx;
	b->tc.zone.arena_pos = arena;
	b->tc.zone.arena_end = arena + (1 << 20);
	b->space = (struct long_space){
		.d = DELTA, .neg_d = -DELTA, .v = (uint64_t)table + 20, .vt = (uint64_t)table - (DELTA >> 20)
	};
	ck_assert_int_eq(mprotect(table + (GUEST >> 20), PAGE_SIZE, PROT_READ), 0);
	b->adapt.verdicts = calloc(VERDICTS, sizeof(*b->adapt.verdicts));
	for (unsigned i = 0; i < PARTS; i++) {
		b->parts[1].v[i] = b->space.v;
		b->parts[1].d[i] = DELTA;
	}
	memset(&b->isa, 1, sizeof(b->isa));
	b->mode = MODE_LONG | MODE_D | MODE_B | MODE_PE | MODE_CPL | MODE_AVX | MODE_OSXSAVE;
	t->b = b;
	t->mode = b->mode;
	t->p = b->tc.rw;
	enter_native = t->p;
	put_enter(false);
	enter_long = t->p;
	put_enter(true);
	leave = t->p;
	put_leave();
	b->stubs.long_callout = b->stubs.long_exit = (uint64_t)leave;
}

/* ---- states ---- */

static uint64_t seed;
static uint64_t random64(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return seed ^ seed >> 29;
}

struct state {
	uint64_t gpr[16];
	uint32_t flags;
	uint8_t fpu[1088] __attribute__((aligned(64)));
	uint8_t memory[BYTES];
};

/* Addresses are aligned, so that aligned moves and CMPXCHG16B have operands. */
static void make_state(struct state *s, unsigned n)
{
	static const struct xsave_image clean = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	seed = n;
	for (int r = 0; r < 16; r++)
		s->gpr[r] = MIDDLE + (random64() % 0x400) * 64;
	s->gpr[H_RCX] = random64() % 60;
	s->gpr[H_RBP] = random64() % 200;
	s->gpr[H_R10] = random64() % 500;
	s->gpr[H_R13] = random64() % 70;
	s->gpr[H_RSP] = STACK;
	s->flags = FL_ONE | (random64() & FL_ARITH);
	for (unsigned i = 0; i < BYTES; i += 8)
		memcpy(s->memory + i, &(uint64_t){ random64() }, 8);
	memset(s->fpu, 0, sizeof(s->fpu));
	memcpy(s->fpu, &clean, 32);
	s->fpu[512] = 7;
	for (unsigned i = 160; i < 416; i++)
		s->fpu[i] = (uint8_t)random64();
	for (unsigned i = 576; i < 832; i++)
		s->fpu[i] = (uint8_t)random64();
}

static void load_state(const struct state *s, uint64_t at)
{
	memcpy(b->v.cpu.gpr, s->gpr, sizeof(s->gpr));
	b->v.cpu.flags = s->flags;
	memcpy(b->v.cpu.fpu, s->fpu, sizeof(s->fpu));
	memcpy((void *)at, s->memory, BYTES);
}

static void store_state(struct state *s, uint64_t at)
{
	memcpy(s->gpr, b->v.cpu.gpr, sizeof(s->gpr));
	s->flags = b->v.cpu.flags;
	memcpy(s->fpu, b->v.cpu.fpu, sizeof(s->fpu));
	memcpy(s->memory, (void *)at, BYTES);
}

/* ---- the two runs ---- */

static struct state start, native, ours;

static const uint8_t *form_at(unsigned n)
{
	const uint8_t *p = forms;

	while (n--)
		p += *p + 1;
	return p;
}

static void run_native(const uint8_t *code, unsigned n)
{
	uint8_t *at = (uint8_t *)CODE;

	load_state(&start, GUEST);
	memcpy(at, code, n);
	t->p = at + n;
	e_jmp_vcpu(t, OFF(scratch[8]));
	b->scratch[0] = CODE;
	b->scratch[1] = MIDDLE + 0x40;
	b->scratch[2] = MIDDLE + 0x80;
	b->scratch[8] = (uint64_t)leave;
	enter(enter_native);
	memcpy(at, start.memory + (CODE - GUEST), 64);
	for (int r = 8; r < 12; r++)
		b->v.cpu.gpr[r] = b->scratch[4 + r - 8];
	store_state(&native, GUEST);
}

/* PARTS_USED: as code is translated that reaches more than its own space. At the entry WANTED is probed. */
static void translate(const uint8_t *code, unsigned n, bool parts_used, uint32_t wanted)
{
	static struct ccf f;
	unsigned at = 0;

	memset(&f, 0, sizeof(f));
	f.pc = f.eip = CODE;
	f.mode = b->mode;
	f.page2 = UINT32_MAX;
	t->f = &f;
	t->kind = TX_NORMAL;
	t->nmark = t->nstub = t->nprecheck = t->nrefund = t->n = 0;
	t->done = false;
	t->facts = (struct long_facts){ 0 };
	t->base = t->p = b->tc.rw + 65536;
	if (wanted)
		long_entries(t, wanted);
	for (t->i = 0; at < n; t->i++, t->n++) {
		struct insn *in = &t->in[t->i];

		memset(in, 0, sizeof(*in));
		memcpy(in->bytes, code + at, n - at < 15 ? n - at : 15);
		ck_assert(ZYAN_SUCCESS(decode_bytes(&b->isa, b->mode, in, 15)));
		decode_operands(in);
		in->pc = in->eip = CODE + at;
		verdict_make(b, in->pc)->guilty = parts_used ? 1u << CAUSE_USER_PAGE : 0;
		at += in->len;
		in->next = CODE + at;
		lower(t, in);
	}
}

static void run_long(const uint8_t *code, unsigned n, bool parts_used)
{
	translate(code, n, parts_used, 0);
	ck_assert_uint_lt((unsigned)(t->p - t->base), 1024);
	if (!t->done)
		e_jmp_vcpu(t, OFF(scratch[8]));
	load_state(&start, DISPLACED);
	b->v.cpu.seg[SEG_GS].base = MIDDLE + 0x40;
	b->v.cpu.seg[SEG_FS].base = MIDDLE + 0x80;
	b->scratch[0] = (uint64_t)t->base;
	b->scratch[1] = DELTA;
	enter(enter_long);
	b->v.cpu.gpr[H_RSP] -= DELTA;
	ck_assert_uint_eq(b->scratch[5], b->space.v);
	ck_assert_uint_eq(b->scratch[6], DELTA);
	store_state(&ours, DISPLACED);
}

/* Flags that the manual leaves undefined agree, too: both run on this processor. */
START_TEST(same_as_the_processor)
{
	const uint8_t *p = form_at((unsigned)_i);

	for (unsigned n = 0; n < 4; n++) {
		const char *text = texts[_i];

		make_state(&start, n);
		run_native(p + 1, *p);
		run_long(p + 1, *p, (n & 1) && strncmp(text, "maskmov", 7) /* then by a callout */);
		for (int r = 0; r < 16; r++)
			ck_assert_msg(ours.gpr[r] == native.gpr[r], "%s: register %d is %#llx, not %#llx",
				      text, r, (unsigned long long)ours.gpr[r],
				      (unsigned long long)native.gpr[r]);
		ck_assert_msg(ours.flags == native.flags, "%s: flags are %#x, not %#x", text, ours.flags,
			      native.flags);
		ck_assert_msg(!memcmp(ours.fpu + 32, native.fpu + 32, sizeof(ours.fpu) - 32),
			      "%s: vectors differ", text);
		for (unsigned i = 0; i < BYTES; i++)
			ck_assert_msg(ours.memory[i] == native.memory[i], "%s: byte %#x is %02x, not %02x",
				      text, i, ours.memory[i], native.memory[i]);
	}
}
END_TEST

/* What is known of an address that RCX was is not known of what LOOP makes of it, but near an access. */
START_TEST(loop_counts)
{
	static const struct {
		uint8_t n, code[5];
		bool claimed;
	} rows[] = {
		{ 3, { 0x90, 0xe2, 0x7d }, false },		/* nop; loop */
		{ 4, { 0x8b, 0x01, 0xe2, 0x7c }, true },	/* mov eax,[rcx]; loop */
		{ 4, { 0x8b, 0x01, 0xe0, 0x7c }, true },	/* loopne */
		{ 5, { 0x8b, 0x01, 0x67, 0xe2, 0x7b }, false }, /* loop, by ECX */
		{ 5, { 0x8b, 0x01, 0x67, 0xe1, 0x7b }, false }, /* loope */
		{ 3, { 0x90, 0xe3, 0x7d }, true },		/* nop; jrcxz */
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		translate(rows[i].code, rows[i].n, false, 1u << H_RSP | 1u << H_RCX);
		ck_assert_uint_eq(t->f->nlink, 2);
		for (unsigned k = 0; k < 2; k++)
			ck_assert_msg((t->f->link[k].facts >> H_RCX & 1) == rows[i].claimed,
				      "row %u, exit %u", i, k);
	}
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *c;

	if (SANITIZED) {
		puts("1..0 # SKIP sanitizers have memory where the forms have theirs");
		return 0;
	}
	s = suite_create("long_forms");
	c = tcase_create("forms");
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_loop_test(c, same_as_the_processor, 0, (int)ARRAY_LEN(texts));
	tcase_add_test(c, loop_counts);
	suite_add_tcase(s, c);
	return suite_run(s);
}
