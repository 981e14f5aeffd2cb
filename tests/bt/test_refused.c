/* SPDX-License-Identifier: GPL-3.0-or-later
 * A fragment that the verifier refuses never runs: what is before the refused instruction does, and the
 * instruction itself is #UD. Another verifier stands in for the real one here: it refuses a constant. */
#include "bt/state/vcpu.h"
#include "bt/verify/verify.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

/* ---- the verifier ---- */

#define MARK 0x5a17c0deu

struct verifier {
	bool everything; /* refuse every fragment, at its first byte */
};

struct verifier *bt_verifier_new(void)
{
	return calloc(1, sizeof(struct verifier));
}

void bt_verifier_free(struct verifier *v)
{
	free(v);
}

const char *bt_verify(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
		      struct verify_error *err)
{
	(void)host;
	*err = (struct verify_error){ 0 };
	if (env->v->everything)
		return "everything";
	for (size_t i = 0; i + 4 <= len; i++)
		if (!memcmp(code + i, &(uint32_t){ MARK }, 4)) {
			err->off = (uint32_t)i;
			return "the constant";
		}
	return NULL;
}

const char *bt_verify_long(const struct verify_env *env, const struct verify_long *l, const uint8_t *code,
			   size_t len, uint64_t host, struct verify_error *err)
{
	(void)l;
	return bt_verify(env, code, len, host, err);
}

/* ---- a machine in real mode ---- */

enum { PAGES = 16, CODE = 0x1000, HANDLER = 0x2000, STACK = 0x3000 };

struct world {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct bt_vcpu *b;
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

static void world_init(struct world *w, const char *code, size_t n)
{
	/* count in DX, and return behind the six bytes of the instruction */
	static const uint8_t handler[] = { 0x42, 0x55, 0x89, 0xe5, 0x83, 0x46, 0x02, 0x06, 0x5d, 0xcf };
	struct bt_config cfg = { .tc_size = 8 << 20, .verify = true };
	struct platform plat = { .in = no_in, .irq_pending = no_irq, .run_timers = no_timers };
	char err[256] = "";
	struct cpu *c;

	w->pool = mm_pool_new(PAGES * PAGE_SIZE);
	w->vm = mm_vm_new(w->pool);
	ck_assert_int_eq(mm_vm_add_ram(w->vm, 0, PAGES * PAGE_SIZE, false), 0);
	w->b = (struct bt_vcpu *)bt_vcpu_new(&cfg, w->vm, &plat, CLOCK_HOST, err, sizeof(err));
	ck_assert_msg(w->b, "%s", err);
	mm_phys_write(w->vm, 4 * EXC_UD, &(uint32_t){ HANDLER }, 4);
	mm_phys_write(w->vm, HANDLER, handler, sizeof(handler));
	mm_phys_write(w->vm, CODE, code, (unsigned)n);
	c = &w->b->v.cpu;
	for (unsigned s = 0; s < SEG_COUNT; s++) {
		c->seg[s].sel = 0;
		c->seg[s].base = 0;
	}
	c->rip = CODE;
	c->gpr[R_ESP] = STACK;
	c->gpr[R_EDX] = 0;
	w->b->v.ops->state_changed(&w->b->v);
}

static void world_fini(struct world *w)
{
	w->b->v.ops->free(&w->b->v);
	mm_vm_free(w->vm);
	mm_pool_free(w->pool);
}

/* AX = 1234h; EBX = the constant; CX = 5678h; halt. */
#define BEFORE "\xb8\x34\x12"
#define REFUSED "\x66\xbb\xde\xc0\x17\x5a"
#define AFTER "\xb9\x78\x56"
#define HLT "\xf4"
#define CODE_OF(text) text, sizeof(text) - 1

START_TEST(guest_gets_ud)
{
	struct world w;
	const struct cpu *c;

	world_init(&w, CODE_OF(BEFORE REFUSED AFTER HLT));
	c = &w.b->v.cpu;
	ck_assert_int_eq(w.b->v.ops->run(&w.b->v), ENGINE_HALT);
	ck_assert_uint_eq(c->gpr[R_EDX], 1);
	ck_assert_uint_eq(c->gpr[R_EAX] & 0xffff, 0x1234);
	ck_assert_uint_ne((uint32_t)c->gpr[R_EBX], MARK);
	ck_assert_uint_eq(c->gpr[R_ECX] & 0xffff, 0x5678);
	ck_assert_uint_eq(c->rip, CODE + sizeof(BEFORE REFUSED AFTER HLT) - 1);
	ck_assert_uint_eq(w.b->st.refused, 1);
	ck_assert_uint_ge(w.b->st.verify_fails, 1);
	world_fini(&w);
}
END_TEST

/* SI = 100; the rest a hundred times. */
START_TEST(again_and_again)
{
	struct world w;

	world_init(&w, CODE_OF("\xbe\x64\x00" BEFORE REFUSED AFTER "\x4e\x75\xf1" HLT));
	ck_assert_int_eq(w.b->v.ops->run(&w.b->v), ENGINE_HALT);
	ck_assert_uint_eq(w.b->v.cpu.gpr[R_EDX], 100);
	ck_assert_uint_eq(w.b->st.refused, 100);
	world_fini(&w);
}
END_TEST

START_TEST(single_step)
{
	struct world w;
	const struct engine_ops *ops;

	world_init(&w, CODE_OF(REFUSED HLT));
	ops = w.b->v.ops;
	ck_assert_int_eq(ops->step(&w.b->v, false), ENGINE_STEPPED);
	ck_assert_uint_eq(w.b->v.cpu.rip, HANDLER);
	ck_assert_uint_eq(w.b->st.refused, 1);
	ck_assert_int_eq(ops->run(&w.b->v), ENGINE_HALT);
	ck_assert_uint_eq(w.b->v.cpu.gpr[R_EDX], 1);
	world_fini(&w);
}
END_TEST

/* A patch puts the constant where the guest has another: the fragment made with it is refused like any other.
 */
START_TEST(patched)
{
	struct world w;
	struct engine_patch patch = {
		.pc = CODE + 3, .len = 6, .bits = 16, .bytes = (const uint8_t *)REFUSED
	};
	const struct engine_patches *p;
	unsigned number;

	world_init(&w, CODE_OF(BEFORE "\x66\xbb\x00\x00\x00\x00" AFTER HLT));
	p = w.b->v.ops->translator->patches;
	ck_assert_int_eq(w.b->v.ops->run(&w.b->v), ENGINE_HALT);
	ck_assert_uint_eq(w.b->v.cpu.gpr[R_EDX], 0);
	ck_assert_ptr_null(p->add(&w.b->v, &patch, &number));
	w.b->v.cpu.rip = CODE;
	w.b->v.cpu.halted = 0;
	ck_assert_int_eq(w.b->v.ops->run(&w.b->v), ENGINE_HALT);
	ck_assert_uint_eq(w.b->v.cpu.gpr[R_EDX], 1);
	world_fini(&w);
}
END_TEST

/* When not even the first instruction passes, no fragment is made: one #UD after another. */
START_TEST(everything_refused)
{
	struct world w;

	world_init(&w, CODE_OF(BEFORE HLT));
	((struct verifier *)w.b->verifier)->everything = true;
	for (unsigned i = 1; i <= 3; i++) {
		ck_assert_int_eq(w.b->v.ops->step(&w.b->v, false), ENGINE_STEPPED);
		ck_assert_uint_eq(w.b->v.cpu.rip, HANDLER);
		ck_assert_uint_eq(w.b->st.refused, i);
	}
	world_fini(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("refused");
	TCase *tc = tcase_create("fragments");

	tcase_add_test(tc, guest_gets_ud);
	tcase_add_test(tc, again_and_again);
	tcase_add_test(tc, single_step);
	tcase_add_test(tc, patched);
	tcase_add_test(tc, everything_refused);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
