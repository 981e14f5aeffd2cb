/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of the system instructions: identification, time, MSRs, control registers,
 * tables. Built with
 * -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"
#include "bt/runtime/hooks.h"

#include "cpu/system.h"
#include "cpu/virt.h"

/* ---- identification, time, MSRs ---- */

void memo_forget(struct bt_vcpu *b)
{
	if (b->memo.none)
		return;
	b->memo.none = true;
	for (unsigned i = 0; i < MEMOS; i++) {
		b->memo.cpuid[i].empty = 1;
		b->memo.msr[i].question_neg = 1;
	}
}

uint64_t co_cpuid(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	const uint64_t *g = b->v.cpu.gpr;
	uint64_t question = g[R_ECX] << 32 | (uint32_t)g[R_EAX];

	(void)ea;
	callout_begin(b, s);
	cpu_cpuid(&b->v, s->next);
	if (b->debug.event_kinds >> ENGINE_EV_CALLOUT & 1)
		return callout_done(b, s, 0);
	b->memo.none = false;
	b->memo.cpuid[s->memo.index] = (struct memo){
		.question_neg = -question,
		.answer = { (uint32_t)g[R_EAX], (uint32_t)g[R_EBX], (uint32_t)g[R_ECX], (uint32_t)g[R_EDX] },
	};
	return callout_done(b, s, 0);
}

uint64_t co_rdtsc(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t t;

	(void)ea;
	callout_begin(b, s);
	if (c->cpl && (c->cr4 & CR4_TSD)) {
		cpu_raise_err(c, EXC_GP, 0);
		return callout_raise(b, s);
	}
	t = b->v.plat.tsc(b->v.plat.ctx) + b->guest.tsc_offset;
	c->gpr[R_EAX] = (uint32_t)t;
	c->gpr[R_EDX] = t >> 32;
	if (s->rdtsc.aux)
		c->gpr[R_ECX] = (uint32_t)c->tsc_aux;
	return 0;
}

uint64_t co_rdmsr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint32_t msr = (uint32_t)c->gpr[R_ECX];
	gva pc;
	int r;

	(void)ea;
	callout_begin(b, s);
	pc = cpu_pc(c);
	r = cpu_rdmsr(&b->v, s->next);
	if (!r)
		runtime_event(b, ENGINE_EV_MSR, msr, c->gpr[R_EDX] << 32 | (uint32_t)c->gpr[R_EAX], false,
			      pc);
	if (!r && cpu_msr_is_still(msr) &&
	    !(b->debug.event_kinds & (1u << ENGINE_EV_MSR | 1u << ENGINE_EV_CALLOUT))) {
		b->memo.none = false;
		b->memo.msr[s->memo.index] = (struct memo){
			.question_neg = -(uint64_t)msr,
			.answer = { (uint32_t)c->gpr[R_EAX], (uint32_t)c->gpr[R_EDX] },
		};
	}
	return b->debug.event_hit ? callout_ended(b, s, r) : callout_done(b, s, r);
}

uint64_t co_wrmsr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	gva pc;
	int r;

	(void)ea;
	callout_begin(b, s);
	pc = cpu_pc(c);
	r = cpu_wrmsr(&b->v, s->next);
	if (!r)
		runtime_event(b, ENGINE_EV_MSR, (uint32_t)c->gpr[R_ECX],
			      c->gpr[R_EDX] << 32 | (uint32_t)c->gpr[R_EAX], true, pc);
	if (!cpu_msr_is_device((uint32_t)c->gpr[R_ECX])) {
		memo_forget(b);
		syscall_cache_forget(b);
	}
	b->intr_wait = b->v.plat.irq_pending(b->v.plat.ctx);
	if (!r && b->guest.mode && b->v.virt->ask && !b->stepping) {
		callout_unwind(b, s, 1);
		return dispatch_exit(b, XC_POLL);
	}
	if (!r && b->icount.on && b->v.icount_limit != b->icount.limit) {
		callout_unwind(b, s, 1);
		return dispatch_exit(b, XC_POLL);
	}
	return callout_ended(b, s, r);
}

uint64_t co_rdpmc(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_rdpmc(&b->v));
}

/* The host's signals make x87 and SSE count as in use, so that XINUSE would depend on what the monitor does.
 * They always are: here, and where XSAVE and family make use of XINUSE (lower/system.c, callout_x87.c). */
uint64_t co_xgetbv(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;

	(void)ea;
	callout_begin(b, s);
	if (!(c->cr4 & CR4_OSXSAVE)) {
		cpu_raise(c, EXC_UD);
		return callout_raise(b, s);
	}
	if ((uint32_t)c->gpr[R_ECX] > b->isa.has[FEATURE_XGETBV1]) {
		cpu_raise_err(c, EXC_GP, 0);
		return callout_raise(b, s);
	}
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"((uint32_t)c->gpr[R_ECX]));
	lo |= XCR0_X87 | XCR0_SSE;
	c->gpr[R_EAX] = c->gpr[R_ECX] ? lo & (uint32_t)c->xcr0 : (uint32_t)c->xcr0;
	c->gpr[R_EDX] = c->gpr[R_ECX] ? 0 : c->xcr0 >> 32;
	return 0;
}

/* The registers of AVX-512 are the guest's while it has enabled them (runtime/stubs.c). */
static void follow_wide(struct bt_vcpu *b)
{
	bool was = b->stubs.wide;

	b->stubs.wide = (b->v.cpu.xcr0 & XCR0_AVX512) == XCR0_AVX512;
	if (b->stubs.wide && !was)
		__asm__ volatile("xrstor %0" : : "m"(b->v.cpu.avx512), "a"(AVX512_COMPONENTS), "d"(0));
	if (was && !b->stubs.wide)
		__asm__ volatile("xsavec %0" : "+m"(b->v.cpu.avx512) : "a"(AVX512_COMPONENTS), "d"(0));
}

uint64_t co_xsetbv(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	int r;

	(void)ea;
	callout_begin(b, s);
	memo_forget(b);
	r = cpu_xsetbv(&b->v, s->next);
	follow_wide(b);
	return callout_ended(b, s, r);
}

/* A small generator (splitmix64), so that two runs see the same "random" numbers. */
uint64_t co_random(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15ull;

	(void)ea;
	callout_begin(b, s);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	callout_set_reg(&b->v.cpu, s->regs.reg, s->op, z ^ z >> 31);
	b->v.cpu.flags = (b->v.cpu.flags & ~FL_ARITH) | FL_CF;
	return 0;
}

/* ---- control registers and tables ---- */

/* The instruction at PC wrote control register N; CR0 was OLD. */
static uint64_t cr_written(struct bt_vcpu *b, struct site *s, int r, unsigned n, uint32_t old, gva pc)
{
	if (!r)
		runtime_cr_event(b, n, old, pc);
	return callout_ended(b, s, r);
}

/* What is moved to a control or debug register. */
static uint64_t moved(const struct bt_vcpu *b, const struct site *s)
{
	uint64_t v = b->v.cpu.gpr[s->regs.reg];

	return mode_long(s->ccf->mode) ? v : (uint32_t)v;
}

uint64_t co_mov_to_cr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint32_t old = b->v.cpu.cr0;
	gva pc;
	int r;

	(void)ea;
	callout_begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	if (s->regs.other == 4)
		memo_forget(b); /* CPUID shows OSXSAVE */
	r = cpu_mov_to_cr(&b->v, s->regs.other, moved(b, s), s->next);
	if (s->regs.other != 8)
		return cr_written(b, s, r, s->regs.other, old, pc);
	b->intr_wait = b->v.plat.irq_pending(b->v.plat.ctx); /* by the task priority */
	return callout_ended(b, s, r);
}

uint64_t co_mov_from_cr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t v = 0;
	int r;

	(void)ea;
	callout_begin(b, s);
	r = cpu_mov_from_cr(&b->v, s->regs.other, &v);
	if (!r)
		callout_set_reg(&b->v.cpu, s->regs.reg, callout_wide(s), v);
	return callout_done(b, s, r);
}

uint64_t co_mov_to_dr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	b->kick = 1; /* the dispatcher sees to guest_debug_set() */
	return callout_ended(b, s, cpu_mov_to_dr(&b->v, s->regs.other, moved(b, s), s->next));
}

uint64_t co_mov_from_dr(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t v = 0;
	int r;

	(void)ea;
	callout_begin(b, s);
	r = cpu_mov_from_dr(&b->v, s->regs.other, &v);
	if (!r)
		callout_set_reg(&b->v.cpu, s->regs.reg, callout_wide(s), v);
	return callout_done(b, s, r);
}

/* With CR4.UMIP, what user code may not learn. */
static bool user_refused(struct cpu *c)
{
	if (!(c->cr4 & CR4_UMIP) || !c->cpl)
		return false;
	cpu_raise_err(c, EXC_GP, 0);
	return true;
}

uint64_t co_store_system(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t v = s->regs.code == SYS_LDTR ? c->ldtr.sel : s->regs.code == SYS_TR ? c->tr.sel : c->cr0;

	callout_begin(b, s);
	if (user_refused(c))
		return callout_raise(b, s);
	if (s->mem)
		return callout_done(b, s, cpu_write(&b->v, s->seg, ea, &v, 2));
	callout_set_reg(c, s->regs.reg, s->op, v);
	return 0;
}

/* The base has 64 bits in 64-bit code, 24 in 16-bit code (LGDT), 32 in all others. */
uint64_t co_table(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	struct dt_reg *d = s->regs.code == TAB_SGDT || s->regs.code == TAB_LGDT ? &c->gdtr : &c->idtr;
	unsigned wide = callout_wide(s), op = wide == 8 ? 8 : s->op;
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) p = { 0 };

	callout_begin(b, s);
	if (s->regs.code == TAB_SGDT || s->regs.code == TAB_SIDT) {
		if (user_refused(c))
			return callout_raise(b, s);
		p.limit = (uint16_t)d->limit;
		p.base = d->base;
		return callout_done(b, s, cpu_write(&b->v, s->seg, ea, &p, 2 + wide));
	}
	if (cpu_read(&b->v, s->seg, ea, &p, 2 + wide))
		return callout_raise(b, s);
	if (s->regs.code == TAB_LGDT)
		return callout_ended(b, s, cpu_lgdt(&b->v, p.base, p.limit, op, s->next));
	return callout_ended(b, s, cpu_lidt(&b->v, p.base, p.limit, op, s->next));
}

uint64_t co_lldt(struct bt_vcpu *b, struct site *s, uint64_t sel)
{
	callout_begin(b, s);
	return callout_ended(b, s, cpu_lldt(&b->v, (uint16_t)sel, s->next));
}

uint64_t co_ltr(struct bt_vcpu *b, struct site *s, uint64_t sel)
{
	callout_begin(b, s);
	return callout_ended(b, s, cpu_ltr(&b->v, (uint16_t)sel, s->next));
}

uint64_t co_lmsw(struct bt_vcpu *b, struct site *s, uint64_t val)
{
	uint32_t old = b->v.cpu.cr0;
	gva pc;

	callout_begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	return cr_written(b, s, cpu_lmsw(&b->v, (uint16_t)val, s->next), 0, old, pc);
}

uint64_t co_clts(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint32_t old = b->v.cpu.cr0;
	gva pc;

	(void)ea;
	callout_begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	return cr_written(b, s, cpu_clts(&b->v, s->next), 0, old, pc);
}

/* EA is an offset: INVLPG checks no segment limit, only adds the base. */
uint64_t co_invlpg(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	callout_begin(b, s);
	return callout_ended(b, s, cpu_invlpg(&b->v, cpu_linear(&b->v.cpu, s->seg, ea), s->next));
}

uint64_t co_invpcid(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t type = b->v.cpu.gpr[s->regs.reg], desc[2];

	callout_begin(b, s);
	if (cpu_read(&b->v, s->seg, ea, desc, sizeof(desc)))
		return callout_raise(b, s);
	if (!mode_long(s->ccf->mode))
		type = (uint32_t)type;
	return callout_ended(b, s, cpu_invpcid(&b->v, type, desc, s->next));
}

/* ---- what 64-bit mode has more ---- */

uint64_t co_swapgs(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_swapgs(&b->v, s->next));
}

uint64_t co_read_base(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t v = 0;
	int r;

	(void)ea;
	callout_begin(b, s);
	r = cpu_read_base(&b->v, s->regs.other, s->op, &v);
	if (!r)
		callout_set_reg(&b->v.cpu, s->regs.reg, s->op, v);
	return callout_done(b, s, r);
}

uint64_t co_write_base(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_write_base(&b->v, s->regs.other, s->op, b->v.cpu.gpr[s->regs.reg]));
}

/* The dispatcher sees to what depends on EFLAGS.AC. */
uint64_t co_set_ac(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	int r;

	(void)ea;
	callout_begin(b, s);
	r = cpu_set_ac(&b->v, s->regs.code);
	if (!r)
		b->v.cpu.rip = s->next;
	return callout_ended(b, s, r);
}

uint64_t co_rdpid(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	callout_set_reg(&b->v.cpu, s->regs.reg, callout_wide(s), b->v.cpu.tsc_aux);
	return 0;
}

uint64_t co_nop_cpl0(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	if (!b->v.cpu.cpl)
		return 0;
	cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return callout_raise(b, s);
}

uint64_t co_query(struct bt_vcpu *b, struct site *s, uint64_t sel)
{
	struct cpu *c = &b->v.cpu;
	uint32_t out = 0;
	bool zf = false;

	callout_begin(b, s);
	if (!cpu_pe(c) || cpu_v86(c)) {
		cpu_raise(c, EXC_UD);
		return callout_raise(b, s);
	}
	if (cpu_query_desc(&b->v, s->regs.code, (uint16_t)sel, &out, &zf))
		return callout_raise(b, s);
	c->flags = (c->flags & ~(uint32_t)FL_ZF) | (zf ? FL_ZF : 0);
	if (zf && (s->regs.code == CPU_LAR || s->regs.code == CPU_LSL))
		callout_set_reg(c, s->regs.reg, s->op, out);
	return 0;
}

uint64_t co_read_sreg(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint16_t sel = b->v.cpu.seg[s->regs.other].sel;

	callout_begin(b, s);
	if (s->mem)
		return callout_done(b, s, cpu_write(&b->v, s->seg, ea, &sel, 2));
	callout_set_reg(&b->v.cpu, s->regs.reg, s->op, sel);
	return 0;
}

uint64_t co_push_sreg(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_push(&b->v, b->v.cpu.seg[s->regs.other].sel, s->op));
}

uint64_t co_arpl(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint16_t dst, src = (uint16_t)c->gpr[s->regs.other];

	callout_begin(b, s);
	dst = (uint16_t)c->gpr[s->regs.reg];
	if (s->mem && cpu_read(&b->v, s->seg, ea, &dst, 2))
		return callout_raise(b, s);
	if ((dst & 3) >= (src & 3)) {
		c->flags &= ~(uint32_t)FL_ZF;
		return 0;
	}
	dst = (uint16_t)((dst & ~3) | (src & 3));
	if (s->mem && cpu_write(&b->v, s->seg, ea, &dst, 2))
		return callout_raise(b, s);
	if (!s->mem)
		callout_set_reg(c, s->regs.reg, 2, dst);
	c->flags |= FL_ZF;
	return callout_done(b, s, 0);
}
