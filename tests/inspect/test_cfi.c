/* SPDX-License-Identifier: GPL-3.0-or-later
 * Call frame information of 64-bit files: this program unwinds itself by the tables of its own file, beside
 * the C library's unwinder. */
#define _GNU_SOURCE
#include "inspect/debuginfo/orc.h"
#include "inspect/debuginfo/symbols.h"
#include "tests/suite.h"

#include <execinfo.h>
#include <string.h>
#include <ucontext.h>

enum { MAX = 32 };

static struct unwound {
	void *theirs[MAX];
	int ntheirs;
	uint64_t ours[MAX];
	int nours;
} got;

static struct symbols table;

static bool read_self(void *ctx, uint64_t addr, void *buf, unsigned n)
{
	(void)ctx;
	memcpy(buf, (const void *)addr, n);
	return true;
}

/* Registers by the processor's numbers, which ucontext does not follow. */
static const int greg[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
			    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

int main(void);

static __attribute__((noinline)) void innermost(int depth)
{
	const struct cfi_memory mem = { .read = read_self };
	struct cfi_regs r = { .arch = &cfi_amd64, .known = (2u << cfi_amd64.pc) - 1 };
	ucontext_t uc;

	getcontext(&uc);
	for (unsigned i = 0; i < cfi_amd64.pc; i++)
		r.val[i] = (uint64_t)uc.uc_mcontext.gregs[greg[cfi_amd64.general[i]]];
	r.val[cfi_amd64.pc] = (uint64_t)uc.uc_mcontext.gregs[REG_RIP];
	got.ntheirs = backtrace(got.theirs, MAX);
	for (got.nours = 0; got.nours < MAX && cfi_step(table.cfi, &r, got.nours == 0, &mem) == CFI_STEP;)
		got.ours[got.nours++] = r.val[cfi_amd64.pc];
	ck_assert_int_ge(depth, 0);
}

/* Frames of different sizes, also without a frame pointer. */
static __attribute__((noinline)) int nest(int depth, volatile char *from)
{
	volatile char room[16 + 40 * depth];

	room[0] = from ? *from : 'a';
	if (depth)
		nest(depth - 1, room);
	else
		innermost(depth);
	return room[0] + depth;
}

START_TEST(own_frames)
{
	const struct symbol *mine;
	char err[200];
	int n = 0;

	symbols_init(&table);
	ck_assert_msg(symbols_load(&table, "/proc/self/exe", 0, err, sizeof(err)) > 0, "%s", err);
	mine = symbols_find(&table, "main");
	ck_assert_ptr_nonnull(mine);
	if (mine->addr != (uint64_t)main) { /* a position-independent program */
		int64_t offset = (int64_t)((uint64_t)main - mine->addr);

		symbols_fini(&table);
		ck_assert_int_gt(symbols_load(&table, "/proc/self/exe", offset, err, sizeof(err)), 0);
	}
	ck_assert(table.has_64 && !table.has_32);
	nest(6, NULL);
	/* the first of theirs is in the same function; ours end where another file begins */
	while (n < got.nours && n + 1 < got.ntheirs && got.ours[n] == (uint64_t)got.theirs[n + 1])
		n++;
	ck_assert_int_ge(n, 8);
	ck_assert_int_eq(n, got.nours);
	symbols_fini(&table);
}
END_TEST

/* ---- ORC tables: made here, of three functions and a handler, in the layouts of three kernels ---- */

enum { OLD, SIGNAL, NEW, FORMS };
enum { ORC_CALL, ORC_REGS, ORC_END, ORC_NONE };

/* The last word of an entry, by layout and type. */
static uint16_t orc_word(int form, int type, unsigned sp_reg, unsigned bp_reg)
{
	static const uint16_t types[FORMS][4] = { { 0, 0x100, 0x400, 0 },
						  { 0, 0x500, 0x800, 0 },
						  { 0x200, 0x300, 0x100, 0 } };

	return (uint16_t)(sp_reg | bp_reg << 4 | types[form][type]);
}

static struct {
	int32_t ip[6];
	int16_t entry[6][3];
	uint64_t stack[64];
} tables;

/* Code address OFF of function N. */
static uint64_t code(unsigned n, unsigned off)
{
	return (uint64_t)&tables + 0x10000 + 0x1000ull * n + off;
}

static void add_entry(int form, unsigned n, unsigned off, int sp, int bp, int type, unsigned sp_reg,
		      unsigned bp_reg)
{
	static unsigned used;

	used = n ? used + 1 : 0;
	tables.ip[used] = (int32_t)(code(n, off) - (uint64_t)&tables.ip[used]);
	tables.entry[used][0] = (int16_t)sp;
	tables.entry[used][1] = (int16_t)bp;
	tables.entry[used][2] = (int16_t)orc_word(form, type, sp_reg, bp_reg);
}

START_TEST(orc_frames)
{
	const struct cfi_memory mem = { .read = read_self };
	struct cfi_regs r = { .arch = &cfi_amd64, .known = (2u << cfi_amd64.pc) - 1 };
	uint64_t *stack = tables.stack;
	struct orc o;

	add_entry(_i, 0, 0, 0, 0, ORC_END, 0, 0);
	add_entry(_i, 1, 0, 8, 0, ORC_CALL, 5, 0);    /* at its start: the return address is on top */
	add_entry(_i, 1, 4, 32, -16, ORC_CALL, 5, 1); /* then 24 bytes, the caller's rbp among them */
	add_entry(_i, 2, 0, 16, -16, ORC_CALL, 4, 1); /* a frame pointer */
	add_entry(_i, 3, 0, 8, 0, ORC_REGS, 5, 0);    /* a handler, over 8 bytes and all registers */
	add_entry(_i, 4, 0, 0, 0, ORC_NONE, 0, 0);
	ck_assert(orc_open(&o, (uint64_t)tables.ip, (uint64_t)(tables.ip + 6), (uint64_t)tables.entry,
			   _i == NEW, &mem));
	ck_assert(!orc_open(&(struct orc){ 0 }, 16, 8, (uint64_t)tables.entry, false, &mem));
	/* a module's are of the same form */
	o = orc_of_module(&o, (uint64_t)tables.ip, (uint64_t)tables.entry, 6);
	ck_assert_uint_eq(orc_of_module(&o, 0, 0, UINT32_MAX).count, 0);

	/* in function 1, called from 2, called from the handler */
	r.val[cfi_amd64.pc] = code(1, 8);
	r.val[cfi_amd64.sp] = (uint64_t)stack;
	r.val[cfi_amd64.bp] = 1;
	stack[2] = (uint64_t)(stack + 6); /* 16 bytes below the CFA */
	stack[3] = code(2, 0x20);
	stack[6] = 2;
	stack[7] = code(4, 0);	     /* a call at the very end of function 3 */
	for (int i = 0; i < 21; i++) /* the registers are 8 bytes above */
		stack[9 + i] = 1000u + (unsigned)i;
	stack[9 + 16] = code(1, 0);
	stack[9 + 19] = (uint64_t)(stack + 50);
	stack[50] = code(0, 0x10);
	ck_assert_int_eq(orc_step(&o, &r, true, &mem), CFI_STEP);
	ck_assert_uint_eq(r.val[cfi_amd64.pc], code(2, 0x20));
	ck_assert_uint_eq(r.val[cfi_amd64.sp], (uint64_t)(stack + 4));
	ck_assert_uint_eq(r.val[cfi_amd64.bp], (uint64_t)(stack + 6));
	ck_assert_int_eq(orc_step(&o, &r, false, &mem), CFI_STEP);
	ck_assert_uint_eq(r.val[cfi_amd64.pc], code(4, 0));
	ck_assert_uint_eq(r.val[cfi_amd64.sp], (uint64_t)(stack + 8));
	ck_assert_uint_eq(r.val[cfi_amd64.bp], 2);
	ck_assert_uint_eq(r.known, 1u << 16 | 1u << 7 | 1u << 6);
	ck_assert_int_eq(orc_step(&o, &r, false, &mem), CFI_TRAP);
	ck_assert_uint_eq(r.val[cfi_amd64.pc], code(1, 0));
	ck_assert_uint_eq(r.val[cfi_amd64.sp], (uint64_t)(stack + 50));
	ck_assert_uint_eq(r.val[15], 1000); /* r15 */
	ck_assert_uint_eq(r.val[cfi_amd64.bp], 1004);
	ck_assert_uint_eq(r.val[0], 1010);			  /* rax */
	ck_assert_uint_eq(r.val[5], 1014);			  /* rdi */
	ck_assert_int_eq(orc_step(&o, &r, true, &mem), CFI_STEP); /* interrupted at its first instruction */
	ck_assert_uint_eq(r.val[cfi_amd64.pc], code(0, 0x10));
	ck_assert_int_eq(orc_step(&o, &r, false, &mem), CFI_END);
	r.val[cfi_amd64.pc] = code(4, 8); /* not described */
	ck_assert_int_eq(orc_step(&o, &r, true, &mem), CFI_NONE);
	r.val[cfi_amd64.pc] = 0x1000;
	ck_assert_int_eq(orc_step(&o, &r, true, &mem), CFI_NONE);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("cfi");
	Suite *su = suite_create("cfi");

	if (!SANITIZED) /* its backtrace() has frames of its own */
		tcase_add_test(tc, own_frames);
	tcase_add_loop_test(tc, orc_frames, 0, FORMS);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
