/* SPDX-License-Identifier: GPL-3.0-or-later
 * Finding what to run next without leaving translated code's floating-point
 * state: mode, window, context, fragment. Built with -mgeneral-regs-only. */
#include "bt/adapt/account.h"
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/cache/jump.h"
#include "bt/runtime/dispatch.h"
#include "bt/runtime/event.h"
#include "bt/runtime/hooks.h"

#include "base/gpr.h"
#include "cpu/system.h"
#include "cpu/virt.h"
#include "mm/long.h"

static enum seg_class classify(const struct cpu *c, enum seg s)
{
	const struct seg_cache *g = &c->seg[s];
	bool plain =
	    (g->attr & (SA_P | SA_S | SA_CODE | SA_RW | SA_EC | SA_UNUSABLE)) == (SA_P | SA_S | SA_RW);

	if (!plain)
		return SEGC_OTHER;
	if (g->limit == 0xffffffff)
		return g->base ? SEGC_BASED : SEGC_FLAT;
	return g->limit == 0xffff ? SEGC_64K : SEGC_OTHER;
}

/* CS as a data segment (CS: overrides): readable code, never writable. */
static enum seg_class classify_cs(const struct cpu *c)
{
	const struct seg_cache *g = &c->seg[SEG_CS];

	if (!(c->cr0 & CR0_PE) || cpu_v86(c))
		return g->limit == 0xffff ? SEGC_64K : SEGC_OTHER;
	return SEGC_OTHER;
}

/* What the segment registers stand for. In 64-bit mode they have neither limits nor, but FS and GS, bases. */
static uint32_t segment_mode(const struct cpu *c)
{
	uint32_t m = 0;

	if (cpu_64(c))
		return MODE_LONG | MODE_D | MODE_B | SEGC_BASED << (MODE_SEG + 2 * SEG_FS) |
		       SEGC_BASED << (MODE_SEG + 2 * SEG_GS) | (c->cr4 & CR4_FSGSBASE ? MODE_FSGSBASE : 0);
	if (c->seg[SEG_CS].attr & SA_DB)
		m |= MODE_D;
	if (c->seg[SEG_SS].attr & SA_DB)
		m |= MODE_B;
	if (c->seg[SEG_CS].limit != 0xffffffff)
		m |= MODE_CSLIM;
	m |= (uint32_t)classify(c, SEG_ES) << (MODE_SEG + 2 * SEG_ES);
	m |= (uint32_t)(classify_cs(c) & 1) << (MODE_SEG + 2 * SEG_CS);
	m |= (uint32_t)classify(c, SEG_SS) << (MODE_SEG + 2 * SEG_SS);
	m |= (uint32_t)classify(c, SEG_DS) << (MODE_SEG + 2 * SEG_DS);
	m |= (uint32_t)classify(c, SEG_FS) << (MODE_SEG + 2 * SEG_FS);
	m |= (uint32_t)classify(c, SEG_GS) << (MODE_SEG + 2 * SEG_GS);
	return m;
}

static uint32_t xcr0_mode(uint64_t xcr0)
{
	if ((xcr0 & XCR0_AVX512) == XCR0_AVX512)
		return MODE_AVX;
	return MODE_OSXSAVE | ((xcr0 & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX) ? MODE_AVX : 0);
}

uint32_t dispatch_mode(const struct cpu *c)
{
	uint32_t m = segment_mode(c);

	m |= (uint32_t)c->cpl << 2;
	if (c->cr0 & CR0_PE)
		m |= MODE_PE;
	if (c->sysflags & FL_VM)
		m |= MODE_VM;
	if (c->cr0 & (CR0_EM | CR0_TS))
		m |= MODE_NOFPU;
	if (!(c->cr4 & CR4_OSFXSR) || (c->cr0 & CR0_EM))
		m |= MODE_NOSSE;
	if (c->cr4 & CR4_OSXSAVE)
		m |= xcr0_mode(c->xcr0);
	if (c->cr0 & CR0_TS)
		m |= MODE_TS | (c->cr0 & CR0_MP ? MODE_MPTS : 0);
	if (c->cr4 & CR4_TSD)
		m |= MODE_TSD;
	if (!(c->cr0 & CR0_PG) || (c->cpl != 3 && (c->cr4 & CR4_PGE)))
		m |= MODE_XCHAIN;
	return m;
}

/* What keys a context beside window and mode: of 64-bit code, the upper half of its addresses. */
static uint32_t ctx_base(const struct cpu *c, uint32_t mode)
{
	return mode_long(mode) ? (uint32_t)(c->rip >> 32) : (uint32_t)c->seg[SEG_CS].base;
}

static bool is_ctx(const struct ctx *c, unsigned win, uint32_t mode, uint32_t cs_base)
{
	return c->used && c->win == win && c->mode == mode && c->cs_base == cs_base;
}

static struct ctx *ctx_get(struct bt_vcpu *b, unsigned win, uint32_t mode, uint32_t cs_base)
{
	struct ctx *from = b->jt.cur, *c = from, *spare = NULL;

	if (c && is_ctx(c, win, mode, cs_base))
		return c;
	if (c && is_ctx(c->next_used, win, mode, cs_base)) {
		c->next_used->lru = ++b->jt.tick;
		return c->next_used;
	}
	unsigned h = (win * 31 + mode * 7 + (mode >> 16) + (cs_base >> 4)) % MAX_CTX;
	for (unsigned i = 0; i < 8; i++) {
		c = &b->jt.ctx[(h + i) % MAX_CTX];
		if (is_ctx(c, win, mode, cs_base)) {
			c->lru = ++b->jt.tick;
			if (from)
				from->next_used = c;
			return c;
		}
		if (!spare || (spare->used && (!c->used || c->lru < spare->lru)))
			spare = c;
	}
	if (spare->used || spare->any)
		ctx_reset(b, spare);
	spare->used = true;
	spare->win = win;
	spare->mode = mode;
	spare->cs_base = cs_base;
	ctx_table(b, spare);
	spare->supervisor = (mode & MODE_CPL) != MODE_CPL;
	spare->lru = ++b->jt.tick;
	return spare;
}

static void settle_unmaps(struct bt_vcpu *b)
{
	for (unsigned i = 0; i < MAX_CTX; i++)
		if (b->jt.ctx[i].used && (b->jt.dirty_windows >> b->jt.ctx[i].win & 1))
			ctx_reset(b, &b->jt.ctx[i]);
	for (unsigned i = 0; i < MMU_MAX_WINDOWS; i++)
		if (b->jt.dirty_windows >> i & 1)
			domain_end(b, i);
	b->jt.dirty_windows = 0;
	if (b->jt.unlink_cross)
		chain_unlink_cross(b);
	b->jt.unlink_cross = false;
}

static void live_shadow(struct bt_vcpu *b)
{
	b->win.shadow = b->cfg.precheck_all ? (uint64_t)b->guard.no_shadow : (uint64_t)mmu_shadow(b->v.mmu);
}

void dispatch_quarters(struct bt_vcpu *b)
{
	live_shadow(b);
	if (b->v.cpu.cpl == 3)
		return; /* only kernel code chooses by quarter */
	mmu_quarters(b->v.mmu, b->win.quarter, (uint64_t)b->guard.base);
	mmu_shadow_quarters(b->v.mmu, b->win.shadow_quarter, (uint64_t)b->guard.no_shadow);
	for (int q = 0; q < 4 && b->cfg.precheck_all; q++)
		b->win.shadow_quarter[q] = b->win.shadow;
	b->win.quarters_valid = true;
	for (int q = 0; q < 4; q++)
		b->win.quarters_valid &= b->win.quarter[q] != (uint64_t)b->guard.base;
}

/* Load the jump table of the present context; the poisoned one when a kick is pending. */
static void use_table(struct bt_vcpu *b)
{
	b->jt_live = ctx_live(b->jt.cur);
	__asm__ volatile("" : : : "memory");
	if (b->kick)
		poll_poison(b);
}

/* The number of intercept set SET. When all are in use, they are used anew, without the old code. */
static uint32_t set_number(struct bt_vcpu *b, uint64_t set)
{
	struct guest_mode *g = &b->guest;

	for (unsigned i = 0; i < g->nsets; i++)
		if (g->sets[i] == set)
			return i;
	if (g->nsets == GUEST_SETS) {
		g->nsets = 0;
		b->tc.flush_wanted = true;
		b->kick = 1; /* the flush comes before any code */
	}
	g->sets[g->nsets] = set;
	return g->nsets++;
}

/* What virt.changed stands for: other registers, another meaning of code. */
static void follow_virt(struct bt_vcpu *b)
{
	struct virt *x = b->v.virt;

	x->changed = false;
	b->guest.mode = x->guest ? MODE_GUEST | set_number(b, x->points) << MODE_SET : 0;
	b->guest.tsc_offset = x->tsc_offset;
	memo_forget(b);
	syscall_cache_forget(b);
}

/* SDM vol. 3A 4.6.1: supervisor accesses to user pages with SMAP, while EFLAGS.AC is clear. */
static bool smap_forbids(const struct cpu *c)
{
	return (c->cr4 & CR4_SMAP) && !(c->sysflags & FL_AC);
}

static void set_part(struct bt_vcpu *b, struct long_parts *p, unsigned part, const struct mmu_long *s)
{
	p->v[part] = s ? s->v : b->guard.no_vt | LONG_MIB_SHIFT;
	p->d[part] = s ? s->d : 0;
}

/* The own space has moved: it stands for all parts that are not the user's. */
static void own_parts(const struct bt_vcpu *b, struct long_parts *p)
{
	for (unsigned i = PART_HIGH + 1; i < PARTS; i++) {
		p->v[i] = b->space.v;
		p->d[i] = b->space.d;
	}
}

static void own_parts_now(struct bt_vcpu *b, struct long_parts *p)
{
	if (p->v[PARTS - 1] != b->space.v || p->d[PARTS - 1] != b->space.d)
		own_parts(b, p);
}

/* The kernel half has the last two parts. With the displacement of a kernel space no address in between,
 * which is not canonical, becomes one of the process's, so those parts may be of another kernel space:
 * isolated page tables alternate between two. */
static void kernel_own_parts(struct bt_vcpu *b, struct long_parts *p)
{
	if (!p->d[PART_HIGH + 1])
		own_parts(b, p);
	for (unsigned i = PARTS - 2; i < PARTS; i++) {
		p->v[i] = b->space.v;
		p->d[i] = b->space.d;
	}
}

/* Of kernel code: EFLAGS.AC decides with SMAP whether the parts are used, and changes in line. A user space
 * that would have to be synchronized first waits for STAC. */
static bool kernel_parts(struct bt_vcpu *b)
{
	bool forbids = smap_forbids(&b->v.cpu);
	const struct mmu_long *low =
	    forbids && !mmu_long_user_ready(b->v.mmu) ? NULL : mmu_long_low(b->v.mmu);
	struct long_parts *p = &b->parts[0];

	kernel_own_parts(b, p);
	set_part(b, p, PART_LOW, low);
	set_part(b, p, PART_HIGH, low ? mmu_long_user(b->v.mmu) : NULL);
	for (unsigned i = PART_LOW; i <= PART_HIGH; i++) {
		b->smap.open[i] = p->v[i];
		b->smap.closed[i] = b->v.cpu.cr4 & CR4_SMAP ? b->guard.no_vt | LONG_MIB_SHIFT : p->v[i];
		p->v[i] = forbids ? b->smap.closed[i] : p->v[i];
	}
	b->smap.unknown = !low;
	return low && !forbids;
}

bool dispatch_user_space(struct bt_vcpu *b)
{
	struct long_parts *p = &b->parts[1];
	const struct mmu_long *low;

	if (b->v.cpu.cpl < 3)
		return kernel_parts(b);
	low = mmu_long_low(b->v.mmu);
	own_parts_now(b, p);
	set_part(b, p, PART_LOW, low);
	set_part(b, p, PART_HIGH, low ? mmu_long_user(b->v.mmu) : NULL);
	return low;
}

/* The space of 64-bit code; returns its displacement. Without one nothing runs: the hook has been told. */
static uint64_t select_space(struct bt_vcpu *b, unsigned *win)
{
	const struct mmu_long *s = mmu_long_select(b->v.mmu, win);

	if (!s)
		return 0;
	b->space.d = s->d;
	b->space.neg_d = s->neg_d;
	b->space.v = s->v;
	b->space.vt = s->vt;
	if (b->user_wanted)
		dispatch_user_space(b);
	b->tc.domains.last[*win] = ++b->tc.domains.tick;
	return s->d;
}

void dispatch_select(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;
	bool is_long = cpu_64(c);
	unsigned win = 0;
	uint64_t base;

	if (__builtin_expect(b->v.virt != NULL, 0) && b->v.virt->changed)
		follow_virt(b);
	base = is_long ? select_space(b, &win) : (uint64_t)mmu_select(b->v.mmu, &win);
	b->stubs.is_long = is_long;
	b->stubs.ea_mask = is_long ? UINT64_MAX : UINT32_MAX;
	b->win.no_links = *b->win.apart >> win & 1;
	if (base != b->gs_live) {
		b->gs_live = base;
		__asm__ volatile("wrgsbase %0" : : "r"(base));
	}
	if (b->jt.dirty_windows | b->jt.unlink_cross)
		settle_unmaps(b);
	b->mode = dispatch_mode_now(b);
	b->jt.cur = ctx_get(b, win, b->mode, ctx_base(c, b->mode));
	if (!is_long && b->win.quarters_valid)
		live_shadow(b);
	else if (!is_long)
		dispatch_quarters(b);
	b->sysflags_neg = -(c->sysflags & SYSFLAGS_COMPARED);
	b->cr0_neg =
	    b->debug.event_kinds & (1u << ENGINE_EV_CR | 1u << ENGINE_EV_CALLOUT) ? 1 : -(uint64_t)c->cr0;
	use_table(b);
}

uint32_t dispatch_seg_mode(const struct bt_vcpu *b, enum seg s)
{
	unsigned at = MODE_SEG + 2 * (unsigned)s;

	if (mode_long(b->mode))
		return b->mode;
	return (b->mode & ~(3u << at)) | (uint32_t)classify(&b->v.cpu, s) << at;
}

struct ccf *dispatch_find(struct bt_vcpu *b, gva pc)
{
	ppn p = mmu_code_page_fast(b->v.mmu, pc);
	struct ccf *f;

	b->st.lookups++;
	if (p == UINT32_MAX)
		return NULL;
	f = cache_find(b, pc, b->mode, mode_long(b->mode) ? 0 : (uint32_t)b->v.cpu.seg[SEG_CS].base, p);
	if (f)
		domain_claim(b, f);
	return f;
}

uint64_t dispatch_exit(struct bt_vcpu *b, enum exit_code c)
{
	b->exit.code = c;
	return 1;
}

/* May the next fragment run without the dispatcher? */
static bool may_go_on(const struct bt_vcpu *b)
{
	const struct cpu *c = &b->v.cpu;

	return !(b->stepping | b->kick | b->stop | b->debug.watched | c->shadow | c->halted |
		 (c->sysflags & (FL_TF | FL_RF) ? 1 : 0) | (c->dr[7] != b->debug.dr[7]));
}

static uint64_t leave_or_step(struct bt_vcpu *b)
{
	return dispatch_exit(b, b->stepping ? XC_STEPPED : XC_LOOKUP);
}

/* The present context, which for 64-bit code depends on where it goes. */
static struct ctx *own_ctx(struct bt_vcpu *b)
{
	if (mode_long(b->mode))
		b->jt.cur = ctx_get(b, b->jt.cur->win, b->mode, ctx_base(&b->v.cpu, b->mode));
	return b->jt.cur;
}

/* By the jump table, as indirect transfers go. (Not where the CS limit is checked: the table knows nothing of
 * it.) */
static uint64_t find_and_go(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;
	bool table = !(b->mode & MODE_CSLIM);
	struct ccf *f;
	uint32_t at;

	if (b->intr_wait && c->intf)
		return dispatch_exit(b, XC_LOOKUP);
	if (table && (at = ctx_at(b, own_ctx(b), c->rip))) {
		b->account.indirects += b->entries.on;
		return b->tc_base + at;
	}
	f = dispatch_find(b, cpu_pc(c));
	if (!f)
		return dispatch_exit(b, XC_LOOKUP);
	if (table && !b->cfg.no_chain)
		ctx_put(b, b->jt.cur, c->rip, f->host);
	return b->tc_base + f->host;
}

uint64_t dispatch_next(struct bt_vcpu *b)
{
	runtime_vm_event(b);
	if (!may_go_on(b))
		return leave_or_step(b);
	dispatch_select(b);
	if (__builtin_expect(b->memory_failed, 0))
		return dispatch_exit(b, XC_LOOKUP); /* the engine's loop reports it */
	return find_and_go(b);
}

void dispatch_mode_inputs(const struct bt_vcpu *b, struct mode_inputs *s)
{
	const struct cpu *c = &b->v.cpu;

	*s = (struct mode_inputs){
		.seg = { c->seg[SEG_CS].base, gpr_load64(&c->seg[SEG_CS].limit), c->seg[SEG_SS].base,
			 gpr_load64(&c->seg[SEG_SS].limit), c->tr.base, c->tr.limit },
		.sysflags = c->sysflags,
		.cpl = c->cpl,
	};
}

static bool inputs_unchanged(const struct bt_vcpu *b, const struct mode_inputs *was)
{
	struct mode_inputs s;
	uint64_t d;

	if (was->cpl != b->v.cpu.cpl)
		return false;
	dispatch_mode_inputs(b, &s);
	d = was->sysflags ^ s.sysflags;
	for (unsigned i = 0; i < ARRAY_LEN(s.seg); i++)
		d |= was->seg[i] ^ s.seg[i];
	return !d;
}

uint64_t dispatch_next_from(struct bt_vcpu *b, const struct mode_inputs *was)
{
	if (!inputs_unchanged(b, was) || !may_go_on(b) || (b->jt.dirty_windows | b->jt.unlink_cross) ||
	    mmu_stale(b->v.mmu))
		return dispatch_next(b);
	return find_and_go(b);
}

uint64_t dispatch_next_mode(struct bt_vcpu *b, uint32_t mode)
{
	if (!may_go_on(b) || (b->jt.dirty_windows | b->jt.unlink_cross) || mmu_stale(b->v.mmu))
		return dispatch_next(b);
	b->mode = mode;
	b->jt.cur = ctx_get(b, b->jt.cur->win, mode, ctx_base(&b->v.cpu, mode));
	use_table(b);
	return find_and_go(b);
}

uint64_t dispatch_switched(struct bt_vcpu *b)
{
	const struct virt *x = b->v.virt;
	bool pending = b->v.plat.irq_pending(b->v.plat.ctx);

	runtime_virt_event(b);
	b->intr_wait = pending;
	/* Breakpoints of the other side's DR7 are put in force by the engine's loop. */
	if (x->ask || (pending && (x->guest || b->v.cpu.intf)) || b->v.cpu.dr[7] != b->debug.dr[7])
		return dispatch_exit(b, b->stepping ? XC_STEPPED : XC_POLL);
	return dispatch_next(b);
}

/* dispatch_raise() with a virtualization extension: in guest mode it may be an exit. */
static uint64_t raise_virt(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;

	if (c->exc.vector != EXC_EXIT) {
		b->st.excs[c->exc.vector & 31]++;
		runtime_event(b, ENGINE_EV_EXCEPTION, c->exc.vector, c->exc.err, false, cpu_pc(c));
	}
	if (!cpu_deliver_exc(&b->v))
		return dispatch_exit(b, XC_SHUTDOWN);
	if (b->v.nchain)
		runtime_chain_events(b, 1, true);
	return b->v.virt->changed ? dispatch_switched(b) : dispatch_next(b);
}

uint64_t dispatch_raise(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;
	struct mode_inputs was;
	bool ok;

	if (__builtin_expect(b->v.virt != NULL, 0) && b->v.virt->guest)
		return raise_virt(b);
	b->st.excs[c->exc.vector & 31]++;
	runtime_event(b, ENGINE_EV_EXCEPTION, c->exc.vector, c->exc.err, false, cpu_pc(c));
	dispatch_mode_inputs(b, &was);
	ok = cpu_deliver_exc(&b->v);
	if (__builtin_expect(b->v.nchain, 0))
		runtime_chain_events(b, 1, ok);
	if (!ok)
		return dispatch_exit(b, XC_SHUTDOWN);
	c->shadow = 0;
	return dispatch_next_from(b, &was);
}

/* Indirect transfer to EIP whose jump-table entry is empty. */
uint64_t dispatch_miss(struct bt_vcpu *b, struct site *s, uint64_t eip)
{
	struct cpu *c = &b->v.cpu;
	struct ccf *f;

	(void)s;
	c->rip = eip;
	b->st.jt_misses++;
	if (b->kick | b->stop | b->debug.watched)
		return dispatch_exit(b, XC_LOOKUP);
	if (b->jt.dirty_windows | b->jt.unlink_cross)
		dispatch_select(b);
	f = dispatch_find(b, cpu_pc(c));
	if (!f)
		return dispatch_exit(b, XC_LOOKUP);
	if (b->cfg.no_chain)
		return b->tc_base + f->host;
	ctx_put(b, own_ctx(b), eip, f->host);
	b->st.jt_fills++;
	return b->tc_base + f->host;
}

uint64_t dispatch_chain(struct bt_vcpu *b, struct exit_link *l, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	struct ccf *f;

	(void)ea;
	c->rip = l->eip;
	if (b->kick | b->stop | b->debug.watched)
		return dispatch_exit(b, XC_LOOKUP);
	if (b->jt.dirty_windows | b->jt.unlink_cross)
		dispatch_select(b);
	f = dispatch_find(b, l->pc);
	if (!f) {
		b->exit.link = l;
		return dispatch_exit(b, XC_CHAIN);
	}
	chain_patch(b, l, f);
	return b->tc_base + f->host;
}

/* Wait for the page that the access lacked, and retry the instruction where it is, or without its probes
 * when there are any: they have fired. The exit code is as on entry, for the fragment to change. */
static uint64_t page_back(struct bt_vcpu *b)
{
	if (!mm_wait(b->vm))
		return dispatch_exit(b, XC_ERROR);
	if (!b->exit.retry)
		return dispatch_exit(b, XC_LOOKUP);
	if (b->probes.n && !b->stepping)
		return dispatch_exit(b, XC_TRANSIENT);
	b->icount.left -= b->exit.retry_cost;
	b->transient.completed = true;
	b->exit.code = b->stepping ? XC_STEPPED : XC_LOOKUP;
	return b->exit.retry;
}

/* Runs on the vCPU's own stack, after the fault handler has stored the guest state. */
uint64_t dispatch_after_fault(struct bt_vcpu *b)
{
	uint64_t r = 1;

	if (b->exit.code == XC_EXC)
		r = dispatch_raise(b);
	else if (b->exit.code == XC_WAIT)
		r = page_back(b);
	if (r != 1)
		account_close(b);
	return r;
}
