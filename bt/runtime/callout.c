/* SPDX-License-Identifier: GPL-3.0-or-later
 * The callouts (runtime/callout.h). Each puts cpu.rip at its instruction, lets a
 * semantic function of cpu/system.h do the work, and returns where execution continues. Built with
 * -mgeneral-regs-only: unless a site saves the FPU, the guest's x87 and SSE registers
 * are live meanwhile. */
#include "bt/adapt/adapt.h"
#include "bt/cache/jump.h"
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"
#include "bt/runtime/timing.h"

#include "base/gpr.h"
#include "cpu/system.h"
#include "cpu/virt.h"
#include "mm/mmu.h"

/* icount: the fragment was charged whole; give back what did not run. */
void callout_unwind(struct bt_vcpu *b, const struct site *s, unsigned done)
{
	if (s->ccf == b->transient.ccf)
		b->transient.completed = done;
	else if (b->icount.on)
		b->icount.left += s->ccf->ninsn - (s->insn + done);
}

/* Instructions retired before the one at site S. */
static uint64_t icount_at(const struct bt_vcpu *b, const struct site *s)
{
	if (s->ccf == b->transient.ccf)
		return b->v.icount;
	return b->icount.limit - (uint64_t)(b->icount.left + s->ccf->ninsn - s->insn);
}

void callout_begin(struct bt_vcpu *b, struct site *s)
{
	s->ccf->callouts++;
	b->account.called[s->slot]++;
	s->count++;
	b->v.cpu.rip = s->eip;
	if (b->icount.on)
		b->v.icount = icount_at(b, s);
	if ((s->count & SAMPLE_MASK) == SAMPLE_AT)
		timing_sample(b);
}

uint64_t callout_raise(struct bt_vcpu *b, struct site *s)
{
	callout_unwind(b, s, 0);
	return dispatch_raise(b);
}

uint64_t callout_go_on(struct bt_vcpu *b, struct site *s)
{
	callout_unwind(b, s, 1);
	return dispatch_next(b);
}

uint64_t callout_ended(struct bt_vcpu *b, struct site *s, int r)
{
	return r ? callout_raise(b, s) : callout_go_on(b, s);
}

uint64_t callout_done(struct bt_vcpu *b, struct site *s, int r)
{
	return r ? callout_raise(b, s) : b->debug.watched || s->ccf->dead ? callout_leave(b, s) : 0;
}

uint64_t callout_leave(struct bt_vcpu *b, struct site *s)
{
	if (b->stepping)
		return 0;
	b->v.cpu.rip = s->next;
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_LOOKUP);
}

uint64_t co_raise(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	if (s->raise.has_error)
		cpu_raise_err(&b->v.cpu, s->raise.vector, s->raise.error);
	else
		cpu_raise(&b->v.cpu, s->raise.vector);
	return callout_raise(b, s);
}

uint64_t co_intr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->next;
	callout_unwind(b, s, 1);
	return dispatch_exit(b, b->stepping ? XC_STEPPED : XC_POLL);
}

uint64_t co_shadow(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	b->v.cpu.shadow = SHADOW_STI; /* of a load of SS too: debug traps are after_seg_load()'s concern */
	return co_intr(b, s, ea);
}

uint64_t co_budget(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->ccf->eip;
	b->icount.left += s->ccf->ninsn;
	return dispatch_exit(b, XC_LOOKUP);
}

uint64_t co_stale(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->ccf->eip;
	if (b->icount.on)
		b->icount.left += s->ccf->ninsn;
	b->exit.stale = s->ccf;
	return dispatch_exit(b, XC_STALE);
}

uint64_t co_break(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->eip;
	if (b->icount.on)
		b->icount.left += s->ccf->ninsn;
	return dispatch_exit(b, XC_BREAK);
}

/* ---- segments ---- */

static int seg_fault(struct bt_vcpu *b, unsigned seg)
{
	return cpu_raise_err(&b->v.cpu, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

uint64_t co_seg_fault(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	seg_fault(b, s->seg);
	return callout_raise(b, s);
}

uint64_t co_cs_check(struct bt_vcpu *b, struct site *s, uint64_t eip)
{
	callout_begin(b, s);
	if (mode_long(s->ccf->mode) ? cpu_canonical(eip) : eip <= b->v.cpu.seg[SEG_CS].limit)
		return 0;
	cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return callout_raise(b, s);
}

/* SDM vol. 3A 5.3, 5.4: type and limit of one access. */
uint64_t co_seg_check(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	const struct seg_cache *g = &b->v.cpu.seg[s->seg];
	uint64_t last = (uint64_t)ea + s->check.size - 1;
	bool prot = (b->mode & MODE_PE) && !(b->mode & MODE_VM);
	bool ok = !(g->attr & SA_UNUSABLE) && (g->attr & SA_P);

	callout_begin(b, s);
	if (ok && prot && (g->attr & SA_CODE))
		ok = (g->attr & SA_RW) && !s->check.write;
	else if (ok && prot && s->check.write)
		ok = g->attr & SA_RW;
	if (ok && !(g->attr & SA_CODE) && (g->attr & SA_EC) && prot)
		ok = ea > g->limit && last <= (g->attr & SA_DB ? 0xffffffffull : 0xffff);
	else if (ok)
		ok = last <= g->limit;
	if (ok)
		return 0;
	seg_fault(b, s->seg);
	return callout_raise(b, s);
}

static void pop_bytes(struct cpu *c, unsigned n)
{
	if (cpu_64(c))
		c->gpr[R_ESP] += n;
	else if (c->seg[SEG_SS].attr & SA_DB)
		c->gpr[R_ESP] = (uint32_t)(c->gpr[R_ESP] + n);
	else
		c->gpr[R_ESP] = (c->gpr[R_ESP] & 0xffff0000) | ((c->gpr[R_ESP] + n) & 0xffff);
}

/* SHADOW: MOV SS or POP SS. The dispatcher holds off interrupts, and debug traps if any can be due. */
static uint64_t after_seg_load(struct bt_vcpu *b, struct site *s, unsigned seg, bool shadow)
{
	struct cpu *c = &b->v.cpu;
	uint32_t mode = mode_long(b->mode) ? b->mode
			: seg == SEG_SS	   ? dispatch_mode_now(b)
					   : dispatch_seg_mode(b, seg);
	bool traps = shadow && (b->stepping || (c->dr[7] & DR7_ON));

	if (mode == b->mode && !traps)
		return callout_done(b, s, 0);
	c->rip = s->next;
	if (shadow)
		c->shadow = SHADOW_SS;
	callout_unwind(b, s, 1);
	return dispatch_next_mode(b, mode);
}

/* S was loaded with the same selector twice in a row: have the next such load see that nothing
 * changes (lower/segment.c). Not from the LDT. */
static void remember_seg(struct bt_vcpu *b, enum seg s)
{
	const struct seg_cache *g = &b->v.cpu.seg[s];
	const struct dt_reg *gdtr = &b->v.cpu.gdtr;
	struct seg_memo *m = &b->memo.seg[s];
	uint32_t off = g->sel & 0xfff8u;
	bool again = g->sel == m->sel;
	uint32_t at = (uint32_t)gdtr->base + off;
	uint64_t raw;

	m->sel = g->sel;
	if (!again || (g->sel & 4) || off + 7 > gdtr->limit)
		return;
	if (mmu_read(b->v.mmu, at, &raw, 8, MM_PROBE))
		return; /* the memo that there is stays whole */
	m->at = at;
	m->sel_neg = -(uint64_t)g->sel;
	m->cache_neg[0] = -g->base;
	m->cache_neg[1] = -gpr_load64(&g->limit);
	m->gdtr_neg = -gpr_load64(&gdtr->limit);
	m->raw_neg = -raw;
}

uint64_t co_load_seg(struct bt_vcpu *b, struct site *s, uint64_t sel)
{
	struct cpu *c = &b->v.cpu;
	uint32_t old_attr = c->seg[SEG_SS].attr;

	callout_begin(b, s);
	if (cpu_load_seg(&b->v, s->seg, (uint16_t)sel))
		return callout_raise(b, s);
	if (s->load.pop) {
		uint32_t new_attr = c->seg[SEG_SS].attr;

		c->seg[SEG_SS].attr = old_attr; /* the pop used the old stack size */
		pop_bytes(c, s->load.pop);
		c->seg[SEG_SS].attr = new_attr;
	}
	if (s->load.memo)
		remember_seg(b, s->seg);
	return after_seg_load(b, s, s->seg, s->seg == SEG_SS);
}

static int read_pointer(struct bt_vcpu *b, struct site *s, uint64_t ea, uint64_t *off, uint16_t *sel)
{
	uint8_t p[10];

	if (cpu_read(&b->v, s->seg, ea, p, s->op + 2))
		return -1;
	*off = 0;
	for (unsigned i = s->op; i-- > 0;)
		*off = *off << 8 | p[i];
	*sel = (uint16_t)(p[s->op] | p[s->op + 1] << 8);
	return 0;
}

void callout_set_reg(struct cpu *c, unsigned r, unsigned op, uint64_t v)
{
	if (op == 2)
		c->gpr[r] = (c->gpr[r] & ~0xffffull) | (v & 0xffff);
	else
		c->gpr[r] = op == 4 ? (uint32_t)v : v;
}

uint64_t co_load_far(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t off = 0;
	uint16_t sel = 0;

	callout_begin(b, s);
	if (read_pointer(b, s, ea, &off, &sel) || cpu_load_seg(&b->v, s->load_far.seg, sel))
		return callout_raise(b, s);
	callout_set_reg(&b->v.cpu, s->load_far.reg, s->op, off);
	return after_seg_load(b, s, s->load_far.seg, false);
}

/* ---- far transfers ---- */

static int far_go(struct bt_vcpu *b, struct site *s, uint16_t sel, uint64_t off)
{
	if (s->far.op == FAR_JMP)
		return cpu_jmp_far(&b->v, sel, off, s->op, s->next);
	return cpu_call_far(&b->v, sel, off, s->op, s->next);
}

uint64_t co_far_imm(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_ended(b, s, far_go(b, s, (uint16_t)s->far.sel, s->far.offset));
}

uint64_t co_far_mem(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t off = 0;
	uint16_t sel = 0;

	callout_begin(b, s);
	if (read_pointer(b, s, ea, &off, &sel))
		return callout_raise(b, s);
	return callout_ended(b, s, far_go(b, s, sel, off));
}

uint64_t co_far_ret(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_ended(b, s, cpu_ret_far(&b->v, s->op, s->far_ret.pop));
}

/* The instruction that had a page fault is about to run again: it will touch the page. */
static void prefill(struct bt_vcpu *b)
{
	const struct verdict *v = verdict_find(b, b->prefill.pc);
	bool guilty = guilty_of(v, CAUSE_MISS) && (v->soft || !mode_long(b->mode));

	mmu_prefill(b->v.mmu, b->prefill.lin, guilty, guilty && v->soft && !b->cfg.precheck_all);
}

uint64_t co_iret(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct mode_inputs was;

	(void)ea;
	callout_begin(b, s);
	dispatch_mode_inputs(b, &was);
	if (cpu_iret(&b->v, s->op, s->next))
		return callout_raise(b, s);
	if (b->prefill.armed && cpu_pc(&b->v.cpu) == b->prefill.pc) {
		b->prefill.armed = false;
		dispatch_select(b);
		prefill(b);
	}
	callout_unwind(b, s, 1);
	if (__builtin_expect(b->v.virt != NULL, 0) && b->v.virt->ask) /* an NMI, or its window */
		return dispatch_exit(b, b->stepping ? XC_STEPPED : XC_POLL);
	return dispatch_next_from(b, &was);
}

uint64_t co_int(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct mode_inputs was;

	(void)ea;
	callout_begin(b, s);
	dispatch_mode_inputs(b, &was);
	b->transient.no_trap = true; /* entering the handler cleared TF: no trap after this one */
	runtime_event(b, ENGINE_EV_INT, s->interrupt.vector, 0, false, cpu_pc(&b->v.cpu));
	if (cpu_soft_int(&b->v, s->interrupt.vector, s->interrupt.how, s->next))
		return callout_raise(b, s);
	callout_unwind(b, s, 1);
	return dispatch_next_from(b, &was);
}

/* Cache the present state as the result of site S, for the entry stub to replay. Which state
 * follows from the mode that S is for, sysenter_cs and the windows. IA-32e mode enters 64-bit code. */
static void remember_syscall(struct bt_vcpu *b, const struct site *s, unsigned which)
{
	struct syscall_cache *x = &b->memo.syscall[which];
	const struct seg_cache *cs = &b->v.cpu.seg[SEG_CS], *ss = &b->v.cpu.seg[SEG_SS];

	if (b->stop | b->debug.watched | (b->debug.event_kinds >> ENGINE_EV_CALLOUT & 1) ||
	    (s->slot & 3) != WAY_INTC || cpu_long(&b->v.cpu))
		return;
	*x = (struct syscall_cache){
		.from_neg = 1,
		.seg = { gpr_load64(&cs->base), gpr_load64(&cs->limit), gpr_load64(&ss->base),
			 gpr_load64(&ss->limit) },
		.gs = b->gs_live,
		.shadow = b->win.shadow,
		.jt = (uint64_t)b->jt.cur->jt,
		.table = (uint64_t)b->jt.cur->jt,
		.window = *b->win.selected,
		.ctx = b->jt.cur,
		.mode = b->mode,
	};
	__asm__ volatile("" : : : "memory");
	x->from_neg = -(uint64_t)s->syscall.mode;
	__asm__ volatile("" : : : "memory");
	if (b->kick) /* came before this was written */
		syscall_cache_forget(b);
}

/* One of the two happened (R 0) or faulted. */
static uint64_t cached_syscall_done(struct bt_vcpu *b, struct site *s, int r, unsigned which)
{
	uint64_t go_on = callout_ended(b, s, r);

	if (!r && go_on != 1)
		remember_syscall(b, s, which);
	return go_on;
}

uint64_t co_sysenter(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return cached_syscall_done(b, s, cpu_sysenter(&b->v), SYSCALL_ENTER);
}

uint64_t co_sysexit(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return cached_syscall_done(b, s, cpu_sysexit(&b->v, s->op), SYSCALL_LEAVE);
}

static void remember_long_syscall(struct bt_vcpu *b, const struct site *s, unsigned which)
{
	struct long_syscall_cache *x = &b->memo.long_syscall[which];
	const struct seg_cache *cs = &b->v.cpu.seg[SEG_CS], *ss = &b->v.cpu.seg[SEG_SS];

	if (b->stop | b->debug.watched | (b->debug.event_kinds >> ENGINE_EV_CALLOUT & 1) ||
	    (s->slot & 3) != WAY_INTC || !mode_long(b->mode) || !mode_long(s->ccf->mode))
		return;
	*x = (struct long_syscall_cache){
		.from_neg = 1,
		.seg = { gpr_load64(&cs->base), gpr_load64(&cs->limit), gpr_load64(&ss->base),
			 gpr_load64(&ss->limit) },
		.space = { b->space.d, b->space.v, b->space.neg_d, b->space.vt },
		.live = ctx_live(b->jt.cur),
		.table = (uint64_t)b->jt.cur->jt,
		.upper = b->v.cpu.rip >> 32,
		.window = *b->win.selected,
		.ctx = b->jt.cur,
		.mode = b->mode,
		.no_links = b->win.no_links,
	};
	__asm__ volatile("" : : : "memory");
	x->from_neg = -(uint64_t)s->syscall.mode;
	__asm__ volatile("" : : : "memory");
	if (b->kick) /* came before this was written */
		syscall_cache_forget(b);
}

static uint64_t long_syscall_done(struct bt_vcpu *b, struct site *s, int r, unsigned which)
{
	uint64_t go_on = callout_ended(b, s, r);

	if (!r && go_on != 1)
		remember_long_syscall(b, s, which);
	return go_on;
}

uint64_t co_syscall(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return long_syscall_done(b, s, cpu_syscall(&b->v, s->next), SYSCALL_ENTER);
}

uint64_t co_sysret(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return long_syscall_done(b, s, cpu_sysret(&b->v, s->op), SYSCALL_LEAVE);
}

uint64_t co_hlt(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	if (cpu_hlt(&b->v, s->next))
		return callout_raise(b, s);
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_HALT);
}

/* ---- flags ---- */

uint64_t co_pushf(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_pushf(&b->v, s->op, s->next));
}

uint64_t co_popf(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_ended(b, s, cpu_popf(&b->v, s->op, s->next));
}

uint64_t co_cli(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_cli(&b->v, s->next));
}

uint64_t co_sti(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	if (s->sti.kernel) {
		b->v.cpu.intf = 1;
		return 0;
	}
	return callout_ended(b, s, cpu_sti(&b->v, s->next));
}
