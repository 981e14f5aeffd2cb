/* SPDX-License-Identifier: GPL-3.0-or-later
 * What memory management reports: writes to code, code that is unmapped, watchpoints, windows selected anew.
 * Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/hooks.h"
#include "bt/adapt/adapt.h"
#include "bt/cache/chain.h"

#include "mm/mmu.h"

static void on_code_write(void *ctx, ppn p, unsigned off, unsigned len)
{
	struct bt_vcpu *b = ctx;

	(void)off;
	(void)len;
	adapt_code_written(b, p);
	mm_untrace_code(b->vm, p);
}

/* Jump tables forget the page with its mappings (on_code_unmap). Links do not. */
static void on_code_revisit(void *ctx, ppn p)
{
	struct bt_vcpu *b = ctx;

	for (struct ccf *f = b->tc.pages[p].list; f; f = f->page == p ? f->pnext : f->pnext2)
		chain_unlink_in(b, f);
}

static void on_code_unmap(void *ctx, unsigned win, uint64_t vpn, bool linked)
{
	struct bt_vcpu *b = ctx;

	(void)vpn;
	_Static_assert(MMU_MAX_WINDOWS <= 64, "dirty_windows has a bit for each window");
	b->jt.dirty_windows |= 1ull << win;
	syscall_cache_forget(b);
	if (linked)
		b->jt.unlink_cross = true;
}

/* A callout leaves translated code behind the instruction that hit the watchpoint; any other code runs on
 * to the next poll. */
static void on_watch_hit(void *ctx)
{
	struct bt_vcpu *b = ctx;

	b->debug.watched = true;
	b->kick = 1;
	poll_poison(b);
	syscall_cache_forget(b);
}

void runtime_failed(struct bt_vcpu *b, const char *text)
{
	unsigned n = 0;

	for (; text[n] && n + 1 < sizeof(b->v.error); n++)
		b->v.error[n] = text[n];
	b->v.error[n] = 0;
	b->memory_failed = true;
	b->kick = 1;
	poll_poison(b);
	syscall_cache_forget(b);
}

static void on_failed(void *ctx, const char *text)
{
	runtime_failed(ctx, text);
}

static void on_reselect(void *ctx)
{
	struct bt_vcpu *b = ctx;

	b->win.quarters_valid = false;
	syscall_cache_forget(b);
}

void runtime_hooks(struct bt_vcpu *b)
{
	struct mm_hooks h = { .ctx = b,
			      .code_write = on_code_write,
			      .code_revisit = on_code_revisit,
			      .code_unmap = on_code_unmap,
			      .reselect = on_reselect,
			      .watch_hit = on_watch_hit,
			      .failed = on_failed };

	mm_set_hooks(b->vm, &h);
}
