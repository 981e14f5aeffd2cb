/* SPDX-License-Identifier: GPL-3.0-or-later
 * The x87 unit's pointers as the guest sees them (runtime/callout_x87.c): none without a pending exception,
 * whatever stores them; with one, the EIP of the instruction that raised it. On Intel's processors the host's
 * unit has an address in the translation cache. */
#include "bt/state/vcpu.h"
#include "tests/suite.h"

#include <cpuid.h>

enum { PAGES = 16, CODE = 0x1000, ENV = 0x3000, SAVE = 0x3100, FX = 0x3200, XS = 0x3400, XSO = 0x3800 };

struct world {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct vcpu *v;
};

static uint32_t no_in(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx, (void)port, (void)size;
	return ~0u;
}

static bool no_irq(void *ctx)
{
	(void)ctx;
	return false;
}

static void no_timers(void *ctx)
{
	(void)ctx;
}

static void host_cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)ctx, (void)cpu;
	__cpuid_count(leaf, sub, out[0], out[1], out[2], out[3]);
}

static void world_init(struct world *w, const char *code, size_t n)
{
	struct bt_config cfg = { .tc_size = 8 << 20, .verify = true };
	struct platform plat = {
		.in = no_in, .cpuid = host_cpuid, .irq_pending = no_irq, .run_timers = no_timers
	};
	char err[256] = "";
	struct cpu *c;

	w->pool = mm_pool_new(PAGES * PAGE_SIZE);
	w->vm = mm_vm_new(w->pool);
	ck_assert_int_eq(mm_vm_add_ram(w->vm, 0, PAGES * PAGE_SIZE, false), 0);
	w->v = bt_vcpu_new(&cfg, w->vm, &plat, CLOCK_HOST, err, sizeof(err));
	ck_assert_msg(w->v, "%s", err);
	mm_phys_write(w->vm, CODE, code, (unsigned)n);
	c = &w->v->cpu;
	cpu_reset(c);
	for (unsigned s = 0; s < SEG_COUNT; s++) {
		c->seg[s].sel = 0;
		c->seg[s].base = 0;
		c->seg[s].attr = SA_RW | SA_A | SA_S | SA_P;
	}
	c->seg[SEG_CS].attr |= SA_CODE | SA_DB; /* 32-bit code, as after a return from protected mode */
	c->cr0 = CR0_PE | CR0_NE | CR0_ET;
	c->cr4 = CR4_OSFXSR | CR4_OSXSAVE;
	c->xcr0 = 3;
	c->rip = CODE;
	c->gpr[R_EAX] = 3;
	c->gpr[R_EDX] = 0;
	w->v->ops->state_changed(w->v);
}

static void world_fini(struct world *w)
{
	w->v->ops->free(w->v);
	mm_vm_free(w->vm);
	mm_pool_free(w->pool);
}

static void at(struct world *w, uint32_t a, void *buf, unsigned n)
{
	ck_assert(mm_phys_read(w->vm, a, buf, n));
}

/* Where each of them stores the pointers: FIP, then FDP. */
static const struct {
	const char *what;
	uint32_t fip, fdp;
} stored[] = {
	{ "FNSTENV", ENV + 12, ENV + 20 }, { "FXSAVE", FX + 8, FX + 16 },      { "XSAVE", XS + 8, XS + 16 },
	{ "XSAVEOPT", XSO + 8, XSO + 16 }, { "FNSAVE", SAVE + 12, SAVE + 20 },
};

#define STORES                                                                                               \
	"\xd9\x35\x00\x30\x00\x00"     /* fnstenv [ENV] */                                                   \
	"\x0f\xae\x05\x00\x32\x00\x00" /* fxsave [FX] */                                                     \
	"\x0f\xae\x25\x00\x34\x00\x00" /* xsave [XS] */                                                      \
	"\x0f\xae\x35\x00\x38\x00\x00" /* xsaveopt [XSO] */                                                  \
	"\xdd\x35\x00\x31\x00\x00"     /* fnsave [SAVE] */                                                   \
	"\xf4"

#define FLD1 "\xd9\xe8"
#define CODE_OF(text) text, sizeof(text) - 1

static void run(struct world *w)
{
	ck_assert_int_eq(w->v->ops->run(w->v), ENGINE_HALT);
}

START_TEST(none_pending)
{
	struct world w;
	uint32_t fip, fdp, op;
	uint16_t tags;

	/* fld1; fild [ENV] */
	world_init(&w, CODE_OF(FLD1 "\xdb\x05\x00\x30\x00\x00" STORES));
	run(&w);
	for (unsigned i = 0; i < ARRAY_LEN(stored); i++) {
		at(&w, stored[i].fip, &fip, 4);
		at(&w, stored[i].fip + 4, &op, 4);
		at(&w, stored[i].fdp, &fdp, 4);
		ck_assert_msg(!fip && !fdp, "%s: %x %x", stored[i].what, fip, fdp);
		ck_assert_msg(!(op & 0xffff), "%s: FCS %x", stored[i].what, op);
	}
	at(&w, ENV + 8, &tags, 2); /* the rest is the guest's */
	ck_assert_uint_eq(tags, 0x1fff);
	at(&w, ENV, &tags, 2);
	ck_assert_uint_eq(tags, FCW_INIT);
	ck_assert_uint_eq(w.v->cpu.xsave.fip | w.v->cpu.xsave.fdp | w.v->cpu.xsave.fop, 0);
	world_fini(&w);
}
END_TEST

/* What XSAVE says is in use does not depend on the host's signals: x87 and SSE. */
START_TEST(in_use)
{
	struct world w;
	uint64_t bv = 0;

	world_init(&w, CODE_OF(STORES));
	run(&w);
	at(&w, XS + 512, &bv, 8);
	ck_assert_uint_eq(bv, 3);
	at(&w, XSO + 512, &bv, 8);
	ck_assert_uint_eq(bv, 3);
	world_fini(&w);
}
END_TEST

/* fldcw [CODE + the two bytes at its end]: all exceptions but that of a division by zero masked; fld1; fldz;
 * fdivp, which leaves it pending. */
#define DIVIDE "\xd9\x2d\xfe\x10\x00\x00" FLD1 "\xd9\xee\xde\xf9"
#define DIVIDE_EIP (CODE + 10)

static void unmask(struct world *w)
{
	mm_phys_write(w->vm, CODE + 0xfe, &(uint16_t){ FCW_INIT & ~4 }, 2);
}

START_TEST(pending)
{
	struct world w;
	uint32_t fip, fdp;
	uint16_t fsw;

	world_init(&w, CODE_OF(DIVIDE STORES));
	unmask(&w);
	run(&w);
	for (unsigned i = 0; i < ARRAY_LEN(stored); i++) {
		at(&w, stored[i].fip, &fip, 4);
		at(&w, stored[i].fdp, &fdp, 4);
		/* FNSTENV masks the exception, which then is not pending for those behind it. */
		ck_assert_msg(fip == (i ? 0 : DIVIDE_EIP) && !fdp, "%s: %x %x", stored[i].what, fip, fdp);
	}
	at(&w, ENV + 4, &fsw, 2);
	ck_assert(fsw & FSW_ES);
	world_fini(&w);
}
END_TEST

/* The vCPU leaves the TC between the exception and the store, and the exception is not lost. */
START_TEST(pending_across_a_stop)
{
	struct world w;
	uint32_t fip;

	world_init(&w, CODE_OF(DIVIDE "\xf4" STORES));
	unmask(&w);
	run(&w);
	ck_assert_uint_eq(w.v->cpu.xsave.fip, DIVIDE_EIP);
	ck_assert(w.v->cpu.xsave.fsw & FSW_ES);
	w.v->cpu.halted = 0;
	w.v->ops->state_changed(w.v);
	run(&w);
	at(&w, ENV + 12, &fip, 4);
	ck_assert_uint_eq(fip, DIVIDE_EIP);
	world_fini(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("x87");
	TCase *tc = tcase_create("pointers");

	tcase_add_test(tc, none_pending);
	tcase_add_test(tc, in_use);
	tcase_add_test(tc, pending);
	tcase_add_test(tc, pending_across_a_stop);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
