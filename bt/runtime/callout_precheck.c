/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of prechecked sites (lower/precheck.c): what the fault
 * handler would do, without the host's fault. Built with -mgeneral-regs-only, as all
 * callout_*.c. */
#include "bt/adapt/adapt.h"
#include "bt/runtime/callout_int.h"

#include "base/gpr.h"
#include "mm/mmu.h"

#define BYPASS_BYTES 128 /* a string instruction that moves no more than this may pass */

static void copy(uint8_t *d, const uint8_t *s, unsigned n)
{
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(any64 *)d = *(const any64 *)s;
	for (; n >= 4; n -= 4, d += 4, s += 4)
		*(any32 *)d = *(const any32 *)s;
	for (; n >= 2; n -= 2, d += 2, s += 2)
		*(any16 *)d = *(const any16 *)s;
	if (n)
		*d = *s;
}

static struct verdict *verdict_of(struct bt_vcpu *b, const struct site *s)
{
	return verdict_find(b, ccf_linear(s->ccf, s->eip));
}

/* Passes are too short to time each of them. */
static void bypassed(struct bt_vcpu *b, const struct site *s, uint64_t start)
{
	if (start)
		b->bypass.cost = __builtin_ia32_rdtsc() - start + b->adapt.cost.callout;
	adapt_after(b, verdict_of(b, s), s->ccf, CAUSE_MISS, b->bypass.cost);
}

static uint64_t timed(struct bt_vcpu *b)
{
	return b->bypass.count++ % 16 ? 0 : __builtin_ia32_rdtsc();
}

/* The user window of the present root, and its shadow, as they are now. */
static bool user_ready(struct bt_vcpu *b)
{
	if (!mmu_user_ready(b->v.mmu))
		return false;
	dispatch_quarters(b);
	return true;
}

/* Make the page of LIN present with the rights wanted. What was translated from a page that
 * is about to be written goes; a fragment's own page is left to the fault handler. */
static enum mmu_fill fill(struct bt_vcpu *b, const struct site *s, uint32_t lin, unsigned how,
			  bool user_access, struct mmu_fault *mf)
{
	for (;;) {
		enum mmu_fill r =
		    user_access ? mmu_fill_user(b->v.mmu, lin, how, mf) : mmu_fill(b->v.mmu, lin, how, mf);
		ppn p = (ppn)(mf->pa >> PAGE_SHIFT);

		if (r != FILL_CODE || s->ccf->page == p || s->ccf->page2 == p)
			return r;
		adapt_code_written(b, p);
		mm_untrace_code(b->vm, p);
	}
}

/* Map the page of LIN. False: the guest gets the page fault that is now in cpu.exc. */
static bool map(struct bt_vcpu *b, const struct site *s, uint32_t lin, unsigned how, bool user_access)
{
	uint64_t start = __builtin_ia32_rdtsc();
	struct mmu_fault mf = { .pc = cpu_pc(&b->v.cpu) };
	enum mmu_fill r = fill(b, s, lin, how, user_access, &mf);

	adapt_after(b, verdict_of(b, s), s->ccf, CAUSE_MISS,
		    __builtin_ia32_rdtsc() - start + b->adapt.cost.callout);
	if (r != FILL_FAULT)
		return true; /* mapped; or for the fault handler after all */
	if (mf.vector != EXC_PF) {
		cpu_raise(&b->v.cpu, mf.vector);
		return false;
	}
	cpu_raise_err(&b->v.cpu, EXC_PF, mf.err);
	b->v.cpu.exc.cr2 = lin;
	b->prefill.armed = true;
	b->prefill.pc = cpu_pc(&b->v.cpu);
	b->prefill.lin = lin;
	return false;
}

/* Could the access of N bytes at LIN be made in a soft page? */
static bool may_be_soft(const struct bt_vcpu *b, const struct site *s, uint64_t lin)
{
	return s->precheck.again && !b->cfg.precheck_all && (lin & PAGE_MASK) + s->precheck.size <= PAGE_SIZE;
}

/* Is its page soft, and not mapped as it needs? */
static bool is_soft(const struct bt_vcpu *b, const struct site *s, uint64_t lin)
{
	uint64_t shadow = s->precheck.user ? b->win.shadow_quarter[lin >> 30] : b->win.shadow;
	uint32_t entry = ((const uint32_t *)shadow)[lin >> PAGE_SHIFT];
	uint32_t hard = s->precheck.write ? MMU_SHADOW_P | MMU_SHADOW_W : MMU_SHADOW_P;

	return (b->cfg.soft_all || (entry & hard) != hard) &&
	       (entry & (s->precheck.write ? MMU_SHADOW_SW : MMU_SHADOW_SR));
}

uint64_t co_precheck(struct bt_vcpu *b, struct site *s, uint64_t lin)
{
	unsigned how = s->precheck.write ? MM_WRITE : MM_READ;
	bool soft = may_be_soft(b, s, lin);
	uint64_t start = timed(b);
	const uint8_t *at;

	callout_begin(b, s);
	if (s->precheck.aligned && (lin & (s->precheck.size - 1)))
		return 0; /* misaligned: if that is a #GP, it goes before a page fault */
	if (s->precheck.user && !user_ready(b))
		return 0;
	at = s->precheck.bypass && !soft
		 ? mmu_bypass(b->v.mmu, lin, s->precheck.size, how, s->precheck.user, &b->bypass.pa)
		 : NULL;
	if (at) {
		copy(b->bounce, at, s->precheck.size);
		bypassed(b, s, start);
		return b->tc_base + s->precheck.bypass;
	}
	if (!map(b, s, lin, how | (soft ? MMU_SOFT : 0), s->precheck.user))
		return callout_raise(b, s);
	return soft && is_soft(b, s, lin) ? b->tc_base + s->precheck.again : 0;
}

uint64_t co_bypass_end(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint8_t *at = mmu_bypass_write(b->v.mmu, b->bypass.pa, s->precheck.size);

	(void)ea;
	if (at)
		copy(at, b->bounce, s->precheck.size);
	return 0;
}

/* ---- strings ---- */

struct operand {
	uint32_t lin, bytes; /* BYTES may run down with DF */
	unsigned how;
	bool used;
};

static const uint32_t *shadow_of(const struct bt_vcpu *b, const struct site *s, uint64_t lin)
{
	return (const uint32_t *)(s->string.user ? b->win.shadow_quarter[lin >> 30] : b->win.shadow);
}

static bool in_user_window(const struct bt_vcpu *b, const struct site *s, uint64_t lin)
{
	return (uint64_t)shadow_of(b, s, lin) != b->win.shadow;
}

static bool mapped(const struct bt_vcpu *b, const struct site *s, uint32_t lin, unsigned how)
{
	uint32_t want = how & MM_WRITE ? MMU_SHADOW_P | MMU_SHADOW_W : MMU_SHADOW_P;

	return (shadow_of(b, s, lin)[lin >> PAGE_SHIFT] & want) == want;
}

/* Map the operand's pages until one faults. How many bytes are there now; 0: the first
 * page faults. By instruction count nothing is done ahead: dirty bits would tell. */
static uint32_t map_ahead(struct bt_vcpu *b, const struct site *s, const struct operand *o)
{
	bool down = b->v.cpu.flags & FL_DF;
	uint32_t room = down ? (o->lin & PAGE_MASK) + 1 : PAGE_SIZE - (o->lin & PAGE_MASK), pages = 1;

	if (!b->icount.on && o->bytes > room)
		pages += (o->bytes - room + PAGE_MASK) >> PAGE_SHIFT;
	if (pages > STRING_AHEAD)
		pages = STRING_AHEAD;
	for (uint32_t i = 0; i < pages; i++) {
		uint32_t by = i << PAGE_SHIFT, at = !i	   ? o->lin
						    : down ? (o->lin | PAGE_MASK) - by
							   : (o->lin & ~PAGE_MASK) + by;

		if (!mapped(b, s, at, o->how) && !map(b, s, at, o->how, in_user_window(b, s, at)))
			return i ? room + ((i - 1) << PAGE_SHIFT) : 0;
	}
	return room + ((pages - 1) << PAGE_SHIFT);
}

/* A short one on pages whose mappings never last is done here and now; ECX is 0 then,
 * and the instruction behind the callout does nothing. */
static bool may_bypass(const struct bt_vcpu *b, const struct site *s, const struct operand *o)
{
	return s->string.rep && s->string.op != STR_CMPS && s->string.op != STR_SCAS &&
	       !(b->v.cpu.flags & FL_DF) && o->bytes <= BYPASS_BYTES &&
	       (o->lin & PAGE_MASK) + o->bytes <= PAGE_SIZE &&
	       mmu_would_bypass(b->v.mmu, o->lin, o->bytes, o->how, in_user_window(b, s, o->lin));
}

/* Can the string be done here as far as operand O goes? If the other one faults, the processor has marked the
 * source's page as accessed by then: a bypass would not, so both must be good for one. */
static bool good_for_bypass(const struct bt_vcpu *b, const struct site *s, const struct operand *o)
{
	return !o->used || mapped(b, s, o->lin, o->how) || may_bypass(b, s, o);
}

uint64_t co_precheck_string(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t bytes = (s->string.rep ? (uint32_t)c->gpr[R_ECX] : 1) * (uint64_t)s->op;
	uint32_t n = bytes > 1u << 30 ? 1u << 30 : (uint32_t)bytes;
	struct operand ops[2] = {
		{ (uint32_t)c->gpr[R_ESI], n, MM_READ, s->string.op != STR_STOS && s->string.op != STR_SCAS },
		{ (uint32_t)c->gpr[R_EDI], n,
		  s->string.op == STR_MOVS || s->string.op == STR_STOS ? MM_WRITE : MM_READ,
		  s->string.op != STR_LODS },
	};
	bool bypass = false;

	(void)ea;
	callout_begin(b, s);
	if (!n || (s->string.user && !user_ready(b)))
		return 0;
	for (int i = 0; i < 2; i++) {
		uint32_t there;

		if (!ops[i].used)
			continue;
		if (!mapped(b, s, ops[i].lin, ops[i].how) && may_bypass(b, s, &ops[i]) &&
		    good_for_bypass(b, s, &ops[!i])) {
			bypass = true;
			continue;
		}
		there = map_ahead(b, s, &ops[i]);
		if (!there)
			return callout_raise(b, s);
		/* Nothing is marked as written that the source does not reach. */
		if (i == 0 && there < s->op)
			return 0;
		if (i == 0 && there < ops[1].bytes)
			ops[1].bytes = there / s->op * s->op;
	}
	if (!bypass)
		return 0;
	/* The other operand must be memory without a trace too, or a device may be called. */
	for (int i = 0; i < 2; i++)
		if (ops[i].used && ((ops[i].lin & PAGE_MASK) + n > PAGE_SIZE ||
				    (!mapped(b, s, ops[i].lin, ops[i].how) && !may_bypass(b, s, &ops[i]))))
			return 0;
	bypassed(b, s, 0);
	while (c->gpr[R_ECX]) {
		if (callout_string_step(b, s))
			return callout_raise(b, s);
		c->gpr[R_ECX]--;
	}
	return 0;
}
