/* SPDX-License-Identifier: GPL-3.0-or-later
 * See tests/bt/rig.h. */
#include "tests/bt/rig.h"
#include "bt/cache/cache.h"
#include "mm/mmu.h"
#include "tests/suite.h"

static uint64_t state;

void rig_seed(uint64_t seed)
{
	state = seed;
}

unsigned rig_random(unsigned n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state >> 33) % n;
}

static uint32_t no_in(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx, (void)port, (void)size;
	return ~0u;
}

void rig_init(struct rig *r, uint64_t tc_size)
{
	struct bt_config cfg = { .tc_size = tc_size };
	struct platform plat = { .in = no_in };
	char err[256] = "";
	unsigned win;

	r->pool = mm_pool_new(RIG_PAGES * PAGE_SIZE);
	ck_assert_ptr_nonnull(r->pool);
	r->vm = mm_vm_new(r->pool);
	ck_assert_ptr_nonnull(r->vm);
	ck_assert_int_eq(mm_vm_add_ram(r->vm, 0, RIG_PAGES * PAGE_SIZE, false), 0);
	r->b = (struct bt_vcpu *)bt_vcpu_new(&cfg, r->vm, &plat, CLOCK_HOST, err, sizeof(err));
	ck_assert_msg(r->b, "%s", err);
	mmu_select(r->b->v.mmu, &win); /* paging is off, and no page is mapped yet */
}

void rig_fini(struct rig *r)
{
	r->b->v.ops->free(&r->b->v);
	mm_vm_free(r->vm);
	mm_pool_free(r->pool);
}

struct ccf *rig_insert(struct rig *r, const struct ccf *key, unsigned size)
{
	struct bt_vcpu *b = r->b;
	struct ccf *f = NULL;

	if (key->pinned)
		cache_swap_zones(b);
	if (b->tc.zone.pos + size + 64 <= b->tc.zone.end) {
		f = arena_alloc(b, sizeof(*f));
		ck_assert_uint_eq(f->pc | f->ninsn | f->nlink | f->dead, 0); /* arena memory is zeroed */
		*f = *key;
		f->host = (b->tc.zone.pos + 15) & ~15u;
		f->hsize = size;
		f->counter = NOT_COUNTED;
		b->tc.zone.pos = f->host + f->hsize;
		cache_insert(b, f);
	}
	if (key->pinned)
		cache_swap_zones(b);
	return f;
}
