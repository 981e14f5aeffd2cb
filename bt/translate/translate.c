/* SPDX-License-Identifier: GPL-3.0-or-later
 * One TU in, one CCF out: decode until a control transfer (continuing after a few conditional branches
 * that lead forward), the page's end, a breakpoint or the length limit; lower each instruction; emit
 * the ways out.
 *
 * Layout of a fragment: entry, [icount budget], [source check], body, stubs. The entry of 64-bit code has
 * probes (state/fragment.h). */
#include "bt/translate/translate.h"
#include "bt/adapt/policy.h"
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/cache/history.h"
#include "bt/translate/move.h"
#include "bt/debug/debug.h"
#include "bt/decode/decode.h"
#include "bt/emit/emit.h"
#include "bt/emit/exit.h"
#include "bt/lower/long.h"
#include "bt/lower/lower.h"
#include "bt/probe/emit.h"
#include "bt/runtime/callout.h"
#include "bt/verify/fragment.h"

#include "base/log.h"
#include "mm/mmu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 32768 /* host bytes that a TU may take, with all its checks */

/* Does IN end its TU? (Lowering may end it at other instructions, too.) FORWARD: conditional branches before
 * it. */
static bool ends_tu(const struct insn *in, unsigned forward)
{
	switch (in->z.meta.category) {
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
		return true;
	case ZYDIS_CATEGORY_COND_BR:
		return forward == MAX_FORWARD || in->op[0].imm.value.s <= 0;
	default:
		return in->invalid;
	}
}

/* Decode the TU into T. 0; -1 when the first instruction cannot be fetched. */
static int decode_tu(struct tx *t, unsigned max)
{
	unsigned forward = 0;
	struct bt_vcpu *b = t->b;
	struct cpu *c = &b->v.cpu;
	uint64_t eip = mode_long(b->mode) ? c->rip : (uint32_t)c->rip;
	struct ccf *f = t->f;

	for (t->n = 0; t->n < max; t->n++) {
		struct insn *in = &t->in[t->n];
		ppn page, page2 = UINT32_MAX;
		gva pc = ccf_linear(f, eip);
		int r;

		if (t->n && (bp_at(b, pc, f->page) || (pc ^ f->pc) >> PAGE_SHIFT))
			break;
		/* An instruction that straddles pages gets its own TU; a fetch fault is raised only when
		 * execution reaches it. */
		r = decode_insn(b, eip, in, &page, t->n ? NULL : &page2);
		if (r && t->n)
			break;
		if (r)
			return -1;
		/* Sensitive instructions are counted by entries of the fragment, so none follows a branch. */
		if (forward && policy_kind(in) != SENS_KINDS)
			break;
		if (!t->n)
			f->page = page;
		f->page2 = page2;
		t->goff[t->n] = (uint16_t)(in->pc - f->pc);
		eip = in->next;
		if (page2 != UINT32_MAX || page == UINT32_MAX || ends_tu(in, forward)) {
			t->n++;
			break;
		}
		forward += in->z.meta.category == ZYDIS_CATEGORY_COND_BR;
	}
	return 0;
}

static bool is_jcc(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_JCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
	case ZYDIS_MNEMONIC_JRCXZ:
	case ZYDIS_MNEMONIC_LOOP:
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
		return false;
	default:
		return in->z.meta.category == ZYDIS_CATEGORY_COND_BR && !in->invalid;
	}
}

enum { ROUND = 14 }; /* instructions */

/* 64-bit code: a TU that is a short loop has two rounds of it, which polls and jumps back once. The sensitive
 * instructions of a fragment are counted by its entries, so it has none. */
static void unroll(struct tx *t, unsigned max)
{
	const struct insn *last = &t->in[t->n - 1];
	unsigned n = t->n;

	if (n > ROUND || 2 * n > max || !is_jcc(last) || t->f->page2 != UINT32_MAX || t->b->icount.on ||
	    last->next + (uint64_t)last->op[0].imm.value.s != t->in[0].eip)
		return;
	for (unsigned i = 0; i < n; i++)
		if (policy_kind(&t->in[i]) != SENS_KINDS ||
		    (i + 1 < n && t->in[i].z.meta.category == ZYDIS_CATEGORY_COND_BR))
			return;
	for (unsigned i = 0; i < n; i++) {
		t->in[n + i] = t->in[i];
		t->goff[n + i] = t->goff[i];
	}
	t->n = 2 * n;
}

/* The guest bytes of the TU. */
static uint16_t guest_bytes(const struct tx *t)
{
	gva end = 0;

	for (unsigned i = 0; i < t->n; i++) {
		gva e = t->in[i].pc + t->in[i].len - t->f->pc;

		end = e > end ? e : end;
	}
	return (uint16_t)end;
}

/* icount: charge the fragment; leave before it when the budget does not cover it. */
static uint8_t *budget_check(struct tx *t)
{
	uint8_t *imm;
	struct site *s;

	imm = e_budget(t);
	e_mov64(t, H_R11, H_RCX);
	e_rorx64(t, H_RCX, H_R8, 56);
	e_movzx8(t, H_RCX, H_RCX);
	uint8_t *ok = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R11);
	s = arena_alloc(t->b, sizeof(*s));
	s->fn = co_budget;
	s->ccf = t->f;
	emit_callout(t, s);
	e_here8(t, ok);
	e_mov64(t, H_RCX, H_R11);
	return imm;
}

/* rcx = the N source bytes at AT less V. */
static void compare(struct tx *t, unsigned at, unsigned n, uint64_t v)
{
	unsigned fl = n == 8 ? F_W : n == 4 ? 0 : F_0F, op = n >= 4 ? 0x8b : n == 2 ? 0xb7 : 0xb6;

	if (mode_long(t->mode)) { /* its address is in r9 */
		e_movi64(t, H_R8, -v);
		e_mem(t, fl, op, H_RCX,
		      &(struct host_mem){ .base = H_R9, .index = NO_REG, .disp = (int32_t)at, .gs = true });
		e_add64(t, H_RCX, H_RCX, H_R8);
		return;
	}
	e_movi32(t, H_R10, (uint32_t)t->f->pc + at);
	e_movi64(t, H_R8, -v);
	e_gs(t, fl, op, H_R9, H_R10, 0);
	e_rmi(t, F_W, 0x8d, H_RCX, H_R8, H_R9, 0, 0);
}

/* 64-bit code: r9 = the address of the source, of which one probe serves all. */
static void source_address(struct tx *t)
{
	e_movi64(t, H_R8, t->f->pc);
	long_probe(t, H_R8);
	e_mov64(t, H_R9, H_R8);
}

/* Compare the source bytes with those translated. For pages that are written as
 * often as executed this is cheaper than write-protecting them. */
static void source_check(struct tx *t)
{
	const uint8_t *src = mm_page_bytes(t->b->vm, t->f->page) + (t->f->pc & PAGE_MASK);
	struct site *s = arena_alloc(t->b, sizeof(*s));
	unsigned len = t->f->glen, at = 0;

	s->fn = co_stale;
	s->ccf = t->f;
	if (mode_long(t->mode))
		source_address(t);
	e_mov64(t, H_R11, H_RCX);
	while (at < len) {
		unsigned n = len - at >= 8 ? 8 : len - at >= 4 ? 4 : len - at >= 2 ? 2 : 1;
		uint64_t v = 0;

		memcpy(&v, src + at, n);
		compare(t, at, n, v);
		uint8_t *ok = e_jrcxz(t);
		e_mov64(t, H_RCX, H_R11);
		if (mode_long(t->mode)) /* it does not return, and r9 is no longer the address */
			emit_monitor_call(t, s);
		else
			emit_callout(t, s);
		e_here8(t, ok);
		at += n;
	}
	e_mov64(t, H_RCX, H_R11);
	if (mode_long(t->mode))
		long_restore(t);
}

static bool writes_memory(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (in->op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	return false;
}

/* On a checked page a TU must not run past a store: it may have changed what follows. */
static unsigned cut_at_store(struct tx *t)
{
	for (unsigned i = 0; i < t->n; i++)
		if (writes_memory(&t->in[i]))
			return i + 1;
	return t->n;
}

static void emit_stubs(struct tx *t)
{
	for (unsigned i = 0; i < t->nstub; i++) {
		struct stub *s = &t->stubs[i];
		uint32_t rel;

		emit_by_table(t, s);
		rel = (uint32_t)(t->p - s->patch - 4);
		memcpy(s->patch, &rel, 4);
		s->link->stub = tx_host(t);
		emit_monitor_call(t, s->link);
	}
}

/* Does the instruction end its TU, so that no check can be emitted behind it? */
static bool transfers(const struct insn *in)
{
	switch (in->z.meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_STRINGOP:
	case ZYDIS_CATEGORY_POP:
	case ZYDIS_CATEGORY_FLAGOP:
		return true;
	default:
		return in->invalid;
	}
}

static void bump(struct tx *t, int32_t off)
{
	e_ld64(t, H_R8, off);
	e_rm(t, F_W, 0x8d, H_R8, H_R8, 1);
	e_st64(t, off, H_R8);
}

static void body(struct tx *t)
{
	unsigned max = t->n;
	bool sti_before = false;

	for (t->i = 0; t->i < max && !t->done; t->i++) {
		struct insn *in = &t->in[t->i];
		bool inhibited = sti_before;

		if (t->i && !inhibited && t->p - t->base > ROOM / 4) /* probes take room */
			break;
		if (bp_at(t->b, in->pc, t->f->page) && t->kind == TX_NORMAL) {
			t->ioff[t->i] = (uint16_t)(t->p - t->base);
			t->low[t->i] = LOW_EXIT;
			emit_callout(t, new_site(t, in, CO_OTHER, co_break));
			t->i++;
			t->done = true;
			break;
		}
		t->ioff[t->i] = (uint16_t)(t->p - t->base);
		t->sti = false;
		t->inhibited = inhibited;
		t->probe_from = t->probe_to = t->p;
		if (t->b->probes.n &&
		    (t->kind == TX_NORMAL || (t->kind == TX_TRANSIENT && !t->b->transient.retry)))
			probe_emit(t, in);
		lower(t, in);
		sti_before = t->sti && !(t->i + 1 == max || transfers(&t->in[t->i + 1]));
		if (t->sti && !sti_before && !t->done && t->kind == TX_NORMAL)
			emit_shadow_check(t);
		t->b->st.low[t->low[t->i]]++;
		/* The instruction behind STI is done: a waiting interrupt goes now. (After
		 * a transfer of control, the target's first poll or callout sees it.) */
		if (inhibited && !t->done)
			emit_intr_check(t, in->next);
	}
	t->n = t->i;
	if (!t->done) {
		t->i = t->n - 1;
		emit_exit(t, t->in[t->n - 1].next);
	}
}

/* Record the sensitive instructions and how each was lowered. */
static void note_sensitive(struct tx *t)
{
	struct sens_use use[TU_LIMIT];
	struct ccf *f = t->f;

	for (unsigned i = 0; i < t->n; i++) {
		enum sens kind = policy_kind(&t->in[i]);
		unsigned end = i + 1 < t->n ? t->ioff[i + 1] : f->body;
		enum way way = t->low[i] == LOW_CALLOUT ? WAY_CALLOUT : WAY_INTC;

		if (kind == SENS_KINDS || t->low[i] == LOW_EXIT)
			continue;
		if (way == WAY_CALLOUT && policy_way(t->b, &t->in[i]) == WAY_TRAP)
			way = WAY_TRAP;
		use[f->nsens++] = (struct sens_use){ .insn = (uint8_t)i,
						     .kind = kind,
						     .way = way,
						     .work = (uint8_t)((end - t->ioff[i] + 3) / 4) };
	}
	f->sens = arena_alloc(t->b, f->nsens * sizeof(*use));
	memcpy(f->sens, use, f->nsens * sizeof(*use));
}

/* Position-independent user code at a usual address can be used at others. */
static void note_moves(struct tx *t)
{
	struct ccf *f = t->f;
	struct ccf_moves *m = &f->moves;

	m->can = !t->fixed && t->kind == TX_NORMAL && domain_limits(f) && (t->mode & MODE_CPL) == MODE_CPL &&
		 !(t->mode & MODE_GUEST) && move_is_usual(f->pc) && f->page2 == UINT32_MAX && !f->checked &&
		 !t->b->icount.on &&
		 t->highest >> 32 == (t->lowest > t->highest ? t->highest : t->lowest) >> 32;
	if (!m->can)
		return;
	m->n = (uint8_t)t->nmove;
	m->nsites = (uint8_t)t->nsites;
	m->lowest = t->lowest;
	m->highest = t->highest;
	m->at = arena_alloc(t->b, t->nmove * sizeof(*m->at));
	memcpy(m->at, t->move, t->nmove * sizeof(*m->at));
	m->sites = arena_alloc(t->b, t->nsites * sizeof(struct site *));
	memcpy(m->sites, t->sites, t->nsites * sizeof(struct site *));
}

static void finish(struct tx *t, uint8_t *budget_imm)
{
	struct bt_vcpu *b = t->b;
	struct ccf *f = t->f;

	if (budget_imm) {
		int32_t neg = -(int32_t)t->n;

		memcpy(budget_imm, &neg, 4);
	}
	for (unsigned i = 0; i < t->nrefund; i++)
		memcpy(t->refund[i].imm, &(uint32_t){ t->n - 1 - t->refund[i].i }, 4);
	f->body = (uint16_t)(t->p - t->base);
	emit_bypasses(t);
	emit_stubs(t);
	f->ninsn = (uint8_t)t->n;
	f->glen = guest_bytes(t);
	f->nmark = (uint16_t)t->nmark;
	f->marks = arena_alloc(b, t->nmark * sizeof(*f->marks));
	memcpy(f->marks, t->marks, t->nmark * sizeof(*f->marks));
	f->ioff = arena_alloc(b, 2 * t->n * sizeof(*f->ioff));
	memcpy(f->ioff, t->ioff, t->n * sizeof(*f->ioff));
	memcpy(f->ioff + t->n, t->goff, t->n * sizeof(*f->ioff));
	f->low = arena_alloc(b, t->n);
	memcpy(f->low, t->low, t->n);
	note_sensitive(t);
	note_moves(t);
}

/* Link the exits of F that lead to its own start. */
static void link_self(struct bt_vcpu *b, struct ccf *f)
{
	for (unsigned i = 0; i < f->nlink; i++)
		if (f->link[i].pc == f->pc && !f->link[i].cross)
			chain_patch(b, &f->link[i], f);
}

/* Is there room for one more fragment, whatever its size? */
static bool has_room(const struct bt_vcpu *b)
{
	return b->tc.zone.pos + 2 * ROOM <= b->tc.zone.end &&
	       b->tc.zone.arena_end - b->tc.zone.arena_pos >= 1 << 20;
}

/* Free what was allocated since MARK. */
static void take_back(struct bt_vcpu *b, uint8_t *mark)
{
	memset(mark, 0, (size_t)(b->tc.zone.arena_pos - mark));
	b->tc.zone.arena_pos = mark;
}

/* A flush of a full cache frees all counters but those of pinned fragments. */
static void count_entries(struct tx *t, bool pinned)
{
	struct bt_vcpu *b = t->b;

	if (pinned ? b->entries.npinned == PIN_COUNTED : b->entries.n == MAX_COUNTED - PIN_COUNTED)
		return;
	t->f->counter = pinned ? MAX_COUNTED - ++b->entries.npinned : b->entries.n++;
	b->entries.count[t->f->counter] = 0;
	bump(t, OFF(entries.count) + 8 * (int32_t)t->f->counter);
}

static struct ccf *translate_transient(struct bt_vcpu *b, enum tx_kind kind);

/* The instruction of the TU that the host code at AT, from t->base, belongs to. */
static unsigned insn_at(const struct tx *t, uint32_t at)
{
	unsigned i = 0;

	for (unsigned k = 0; k < t->nmark && t->marks[k].host <= at; k++)
		i = t->marks[k].insn;
	return i;
}

/* Is the fragment as the verifier wants it? If not, *REFUSED is the instruction that is not. */
static bool passes(struct tx *t, unsigned *refused)
{
	struct refusal r;

	if (!t->b->cfg.verify || !verify_ccf(t->b, t->f, &r))
		return true;
	*refused = insn_at(t, r.off);
	r.at = t->in[*refused].pc;
	if (*refused) /* or the guest notices: raise_refused() */
		verify_note(t->b, &r);
	return false;
}

/* The verifier refused the instruction at pc, or no code before it: the guest gets #UD, as for an instruction
 * that its processor lacks. Said for the first few, then ever more seldom: the guest may do it again and
 * again. */
static void raise_refused(struct bt_vcpu *b)
{
	uint64_t n = ++b->st.refused;

	if (n <= 8 || !(n & (n - 1)))
		log_emit(LOG_bt, "%s; the guest gets #UD at %08llx (%llu in all)", b->v.error,
			 (unsigned long long)cpu_pc(&b->v.cpu), (unsigned long long)n);
	cpu_raise(&b->v.cpu, EXC_UD);
}

/* What a fragment of 64-bit code takes for granted at its entry. Nothing where calls of the monitor follow,
 * or where that has been in vain. */
static uint32_t entry_facts(struct tx *t)
{
	if (t->b->icount.on || t->f->checked ||
	    (t->b->refused_entry[ENTRY_HASH(t->f->pc) / 64] >> ENTRY_HASH(t->f->pc) % 64 & 1))
		return 0;
	return facts_wanted(t);
}

/* Does kernel code run from user pages? Under SMAP it cannot compare its source, which it would read as data.
 */
static bool kernel_in_user_half(const struct tx *t)
{
	return mode_long(t->mode) && (t->mode & MODE_CPL) != MODE_CPL && !(t->f->pc >> 63);
}

/* Translate at most MAX instructions. NULL, and *REFUSED below MAX: the verifier refuses that one of them;
 * nothing is left of the fragment. */
static struct ccf *translate_some(struct bt_vcpu *b, enum tx_kind kind, bool pinned, unsigned max,
				  unsigned *refused)
{
	uint8_t *mark = b->tc.zone.arena_pos;
	struct cpu *c = &b->v.cpu;
	struct tx *t = b->tx;
	struct ccf *f;
	bool entries = kind == TX_NORMAL && mode_long(b->mode);
	uint32_t start = b->transient.host, wanted = 0;
	uint32_t counted = b->entries.n, pinned_counted = b->entries.npinned;
	uint8_t *imm = NULL;
	bool mixed;

	t->nmark = t->nstub = t->nprecheck = t->nrefund = t->n = t->i = 0;
	t->sti = t->done = t->fixed = false;
	t->nmove = t->nsites = 0;
	t->lowest = UINT64_MAX;
	t->highest = 0;
	t->polled = 0;
	t->facts = (struct long_facts){ 0 };
	f = kind == TX_NORMAL ? arena_alloc(b, sizeof(*f)) : b->transient.record;
	if (kind != TX_NORMAL)
		memset(f, 0, sizeof(*f));
	t->b = b;
	t->f = f;
	t->kind = kind;
	t->mode = f->mode = b->mode;
	f->pc = cpu_pc(c);
	f->eip = mode_long(b->mode) ? c->rip : (uint32_t)c->rip;
	f->cs_base = mode_long(b->mode) ? 0 : (uint32_t)c->seg[SEG_CS].base;
	f->cs_limit = c->seg[SEG_CS].limit;
	if (decode_tu(t, max)) {
		take_back(b, mark);
		return NULL;
	}
	mixed = f->page == UINT32_MAX || b->tc.pages[f->page].mixed;
	/* Code outside RAM, or on a watched page, gets a transient fragment: a lookup could not find it; so
	 * does code that cannot look at itself. */
	if (kind == TX_NORMAL &&
	    (f->page == UINT32_MAX || mmu_code_page_fast(b->v.mmu, f->pc) == UINT32_MAX ||
	     (mixed && kernel_in_user_half(t)))) {
		take_back(b, mark);
		return translate_transient(b, TX_TRANSIENT);
	}
	if (mixed && kind == TX_NORMAL)
		t->n = cut_at_store(t);
	else if (entries)
		unroll(t, max);
	f->glen = guest_bytes(t);
	f->checked = mixed && kind == TX_NORMAL && f->page2 == UINT32_MAX;

	if (entries)
		wanted = entry_facts(t);
	/* Loops jump to the entry, or behind its probes: that starts a line of the decoder. */
	if (kind == TX_NORMAL) {
		uint32_t before = entries ? long_entry_bytes(wanted) : 0;

		start = ((b->tc.zone.pos + before + 31) & ~31u) - before;
	}
	t->base = t->p = b->tc.rw + start;
	f->host = start;
	if (entries)
		long_entries(t, wanted);
	if (b->icount.on && kind == TX_NORMAL)
		imm = budget_check(t);
	f->counter = NOT_COUNTED;
	if (b->entries.on && kind == TX_NORMAL)
		count_entries(t, pinned);
	if (f->checked)
		source_check(t);
	body(t);
	finish(t, imm);
	f->hsize = tx_host(t) - f->host;
	if (f->hsize > ROOM) {
		snprintf(b->v.error, sizeof(b->v.error), "translation of %08llx needs %u bytes",
			 (unsigned long long)f->pc, f->hsize);
		b->exit.code = XC_ERROR;
		return NULL;
	}
	b->st.translations++;
	b->st.insns += f->ninsn;
	b->st.host_bytes += f->hsize;
	b->st.guest_bytes += f->glen;
	if (!passes(t, refused)) {
		b->entries.n = counted;
		b->entries.npinned = pinned_counted;
		take_back(b, mark);
		return NULL;
	}
	if (kind != TX_NORMAL) {
		b->transient.ccf = f;
		return f;
	}
	b->tc.zone.pos = (tx_host(t) + 15) & ~15u;
	f->pinned = pinned;
	f->made = __builtin_ia32_rdtsc();
	cache_insert(b, f);
	history_made(b, f);
	LOG(bt, "%08llx: %u instructions, %u bytes of host code, offset %#x", (unsigned long long)f->pc,
	    f->ninsn, f->hsize, f->host);
	if (!b->cfg.no_chain)
		link_self(b, f);
	if (!pinned && (!has_room(b) || b->tc.norder + 1 >= b->tc.cap_order))
		b->tc.full = true;
	return f;
}

/* What the verifier refuses never runs: the TU ends in front of it, and on its own it is #UD. */
static struct ccf *translate_to_zone(struct bt_vcpu *b, enum tx_kind kind, bool pinned)
{
	unsigned max = kind != TX_NORMAL ? 1 : b->cfg.tu_max ? b->cfg.tu_max : TU_DEFAULT;

	for (;;) {
		unsigned refused = max;
		struct ccf *f = translate_some(b, kind, pinned, max, &refused);

		if (refused == max)
			return f;
		if (!refused) {
			raise_refused(b);
			return NULL;
		}
		max = refused;
	}
}

/* Translate one instruction into a transient fragment. Its allocations go to an arena of its own, which
 * the next one reuses: a guest may have millions of them between two flushes. */
static struct ccf *translate_transient(struct bt_vcpu *b, enum tx_kind kind)
{
	uint8_t *pos = b->tc.zone.arena_pos;
	struct ccf *f;

	memset(b->transient.arena, 0, b->transient.arena_used);
	b->tc.zone.arena_pos = b->transient.arena;
	f = translate_to_zone(b, kind, false);
	b->transient.arena_used = (uint32_t)(b->tc.zone.arena_pos - b->transient.arena);
	b->tc.zone.arena_pos = pos;
	return f;
}

/* Does the fragment at the present pc go to the pinned zone? Only while there is room. */
static bool pin_now(struct bt_vcpu *b)
{
	gva pc = cpu_pc(&b->v.cpu);
	uint32_t dead = 0;
	bool room;

	for (unsigned i = 0; i < b->tc.npins; i++) {
		if (b->tc.pins[i].pc != pc)
			continue;
		cache_swap_zones(b);
		room = has_room(b);
		cache_swap_zones(b);
		for (uint32_t k = 0; k < b->tc.npinned && !room; k++)
			dead += b->tc.order[k]->dead;
		if (dead > b->tc.npinned / 2)
			b->tc.flush_wanted = true;
		return room;
	}
	return false;
}

struct ccf *translate(struct bt_vcpu *b, enum tx_kind kind)
{
	bool pinned = kind == TX_NORMAL && b->tc.npins && pin_now(b);
	uint64_t start = __builtin_ia32_rdtsc();
	struct ccf *f;

	if (pinned)
		cache_swap_zones(b);
	f = kind == TX_NORMAL ? translate_to_zone(b, kind, pinned) : translate_transient(b, kind);
	if (pinned)
		cache_swap_zones(b);
	if (kind == TX_NORMAL)
		cost_add(&b->adapt.translate, __builtin_ia32_rdtsc() - start);
	return f;
}

bool translate_init(struct bt_vcpu *b)
{
	struct tx *t = calloc(1, sizeof(*t));

	b->tx = t;
	b->transient.record = calloc(1, sizeof(*b->transient.record));
	if (!t || !b->transient.record)
		return false;
	t->b = b;
	t->p = b->tc.rw;
	/* TC offset 0: where an empty jump-table entry leads. */
	e_ld64(t, H_R9, OFF(miss_site));
	e_jmp_vcpu(t, OFF(stubs.callout));
	t->p = b->tc.rw + ((tx_host(t) + 15) & ~15u);
	t->mode = MODE_LONG;
	b->tc.long_start = tx_host(t);
	long_no_entry(t);
	b->tc.long_miss = tx_host(t);
	e_st64(t, OFF_GPR(H_R15), H_R15);
	e_movi32(t, H_R15, (uint32_t)(uint64_t)b);
	e_ld64(t, H_R9, OFF(miss_site));
	e_jmp_vcpu(t, OFF(stubs.long_callout));
	t->p = b->tc.rw + ((tx_host(t) + 15) & ~15u);
	b->tc.long_call = tx_host(t);
	emit_long_call(t);
	t->mode = 0;
	b->transient.host = (tx_host(t) + 63) & ~63u;
	b->tc.stub_end = b->transient.host + 8192;
	return true;
}

void translate_fini(struct bt_vcpu *b)
{
	free(b->tx);
	free(b->transient.record);
}
