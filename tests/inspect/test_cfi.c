/* SPDX-License-Identifier: GPL-3.0-or-later
 * Call frame information of 64-bit files: this program unwinds itself by the tables of its own file, beside
 * the C library's unwinder. */
#define _GNU_SOURCE
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

int main(void)
{
	TCase *tc = tcase_create("cfi");
	Suite *su = suite_create("cfi");

	tcase_add_test(tc, own_frames);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
