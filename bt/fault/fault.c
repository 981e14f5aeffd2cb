/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host signals raised by translated code: faults (window misses, traces, true faults, device memory, polls,
 * divide errors) and kicks from other threads. Faults we can resolve are resolved here and the access is
 * retried; otherwise the exact guest state is stored from the signal frame and the thread resumes in
 * stub_resume(). Only signals from the TC are handled; the monitor's own faults end the process
 * (fault/fatal.c). */
#include "bt/fault/fault_int.h"
#include "bt/adapt/account.h"
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"
#include "bt/runtime/callout.h"
#include "bt/runtime/dispatch.h"
#include "bt/runtime/hooks.h"
#include "bt/runtime/stubs.h"

#include "bt/cache/jump.h"
#include "mm/long.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ALTSTACK_BYTES (256 << 10)

static __thread struct bt_vcpu *current; /* the vCPU this thread is running */
static __thread void *altstack;		 /* this thread's signals run on it */

static const struct mark *find_mark(const struct bt_vcpu *b, const struct ccf *f, uint64_t rip)
{
	uint32_t off = (uint32_t)(rip - b->tc_base - f->host);
	const struct mark *m = NULL;

	for (unsigned i = 0; i < f->nmark && f->marks[i].host <= off; i++)
		m = &f->marks[i];
	return m;
}

/* Store the guest's state as of the start of the marked instruction. */
void fault_store(struct bt_vcpu *b, const struct ccf *f, const struct mark *m, const greg_t *g)
{
	struct cpu *c = &b->v.cpu;
	unsigned insn = m ? m->insn : 0;

	if (mode_long(f->mode))
		fault_store_long(b, m, g);
	for (int r = 0; r < 8 && !mode_long(f->mode); r++)
		c->gpr[r] = (uint32_t)g[greg_of[r]];
	c->flags = ((uint32_t)g[REG_EFL] & FL_HOST) | FL_ONE;
	c->rip = f->eip + f->ioff[f->ninsn + insn];
	if (m && m->fix == FIX_XCHG)
		c->gpr[m->arg] = in_width(f, g[REG_R8]);
	if (m && m->fix == FIX_XSAVE) {
		c->gpr[R_EAX] = in_width(f, g[REG_R10]);
		c->gpr[R_EDX] = in_width(f, g[REG_R11]);
	}
	if (m && m->fix == FIX_POLL_R8) {
		c->rip = in_width(f, g[REG_R8]);
		insn++;
	}
	if (f == b->transient.ccf)
		b->transient.completed = insn > 0;
	else if (b->icount.on)
		b->icount.left += f->ninsn - insn;
}

void fault_resume(struct bt_vcpu *b, ucontext_t *uc, enum exit_code xc)
{
	b->exit.code = xc;
	uc->uc_mcontext.gregs[REG_R15] = (greg_t)b;
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)b->stubs.host_rsp;
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)stub_resume;
	uc->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)FL_DF;
}

void fault_count(struct bt_vcpu *b, struct ccf *f, enum trap_cause why)
{
	b->st.traps[why]++;
	f->traps[why]++;
	account_trap(b, why);
}

void fault_raise(struct bt_vcpu *b, ucontext_t *uc, int vector, bool has_err, uint32_t err)
{
	b->v.cpu.exc = (struct exc){ .vector = (uint8_t)vector, .has_err = has_err, .err = err };
	fault_resume(b, uc, XC_EXC);
}

void fault_page(struct bt_vcpu *b, ucontext_t *uc, gva lin, const struct mmu_fault *mf)
{
	fault_raise(b, uc, mf->vector, mf->vector == EXC_PF, mf->err);
	if (mf->vector != EXC_PF)
		return;
	b->v.cpu.exc.cr2 = lin;
	b->prefill.armed = true;
	b->prefill.pc = cpu_pc(&b->v.cpu);
	b->prefill.lin = lin;
}

/* The linear address of the instruction at M. */
static gva pc_of(const struct ccf *f, const struct mark *m)
{
	return f->pc + f->ioff[f->ninsn + mark_insn(m)];
}

bool fault_can_precheck(const struct ccf *f, const struct mark *m)
{
	return !m || m->fix == FIX_NONE || (m->fix == FIX_STRING && !mode_long(f->mode)) ||
	       m->fix == FIX_XCHG;
}

enum { SOFT_WEIGHT = 4 };

/* How much the fault at M, resolved in MF, counts against its site. Nothing while faults of a site that was
 * demoted before only map what soft pages there are, as those of a hot loop do. As much as the default
 * threshold when it is of a soft page: each site has to learn of those by itself, where one site's mapping
 * serves all. */
static unsigned weight(struct bt_vcpu *b, const struct ccf *f, const struct mark *m,
		       const struct mmu_fault *mf)
{
	const struct verdict *v = verdict_find(b, pc_of(f, m));
	uint64_t softs = mmu_stats(b->v.mmu)->softs;
	bool relapsed = v && v->relapses, draining = mf->was_soft && softs == b->adapt.drained && relapsed;

	if (mf->was_soft)
		b->adapt.drained = softs;
	return draining ? 0 : mf->was_soft && !relapsed ? SOFT_WEIGHT : 1;
}

/* Kernel code accessed a user page through the shared kernel window, whose user mappings do not last. */
static void user_access(struct bt_vcpu *b, struct ccf *f, const struct mark *m, gva lin)
{
	bool kernel = (f->mode & MODE_CPL) != MODE_CPL && (f->mode & MODE_PE);
	struct verdict *v;

	adapt_trap(b, f, mark_insn(m), CAUSE_USER_PAGE, kernel);
	v = b->adapt.charge.v;
	if (guilty_of(v, CAUSE_USER_PAGE))
		mmu_learn_quarter(b->v.mmu, lin);
}

/* Retry the guest instruction from its first host instruction. */
static void restart(struct bt_vcpu *b, const struct ccf *f, const struct mark *m, greg_t *g)
{
	for (int r = 0; r < 8; r++)
		g[greg_of[r]] = (uint32_t)g[greg_of[r]];
	if (m && m->fix == FIX_XCHG)
		g[greg_of[m->arg]] = (uint32_t)g[REG_R8];
	if (m && m->fix == FIX_XSAVE) {
		g[REG_RAX] = (uint32_t)g[REG_R10];
		g[REG_RDX] = (uint32_t)g[REG_R11];
	}
	g[REG_RIP] = (greg_t)(b->tc_base + f->host + f->ioff[mark_insn(m)]);
}

/* If F stores to its own page P: complete the store outside F. True if so. */
bool fault_own_page(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, ppn p)
{
	if (f == b->transient.ccf || (f->page != p && f->page2 != p))
		return false;
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	b->exit.arg = p;
	fault_resume(b, uc, XC_SMC);
	return true;
}

/* No mapping can be had: stop in front of the instruction. The hook has left the text. */
void fault_refused(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	fault_resume(b, uc, XC_ERROR);
}

/* The page is not in memory. It is brought there outside the handler, and the instruction retried in place
 * (dispatch_after_fault()). What comes before the first instruction is done again by entering the fragment.
 */
void fault_page_away(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	uint64_t body = b->tc_base + f->host + f->ioff[0];

	b->exit.retry = 0;
	if ((uint64_t)uc->uc_mcontext.gregs[REG_RIP] >= body)
		b->exit.retry = b->tc_base + f->host + f->ioff[mark_insn(m)];
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	b->exit.retry_cost = b->icount.on && f != b->transient.ccf ? f->ninsn - mark_insn(m) : 0;
	fault_resume(b, uc, XC_WAIT);
}

/* An access through quarter[] missed: in the user window, or in the guard that replaces it while it is stale.
 */
static void user_window_fault(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin,
			      bool write, bool guard)
{
	greg_t *g = uc->uc_mcontext.gregs;
	struct mmu_fault mf = { .pc = pc_of(f, m) };

	if (guard) {
		fault_count(b, f, TRAP_USER);
		if (mmu_user_ready(b->v.mmu)) {
			dispatch_quarters(b);
			restart(b, f, m, g);
			return;
		}
		goto failed;
	}
	switch (mmu_fill_user(b->v.mmu, lin, write ? MM_WRITE : MM_READ, &mf)) {
	case FILL_OK:
		fault_count(b, f, TRAP_FILL);
		adapt_trap(b, f, mark_insn(m), CAUSE_MISS,
			   fault_can_precheck(f, m) ? weight(b, f, m, &mf) : 0);
		return;
	case FILL_FAULT:
		fault_count(b, f, TRAP_TRUE);
		adapt_trap(b, f, mark_insn(m), CAUSE_MISS, fault_can_precheck(f, m));
		fault_store(b, f, m, g);
		if (m && m->fix == FIX_XCHG)
			b->v.cpu.gpr[m->arg] = (uint32_t)g[REG_R8];
		fault_page(b, uc, lin, &mf);
		return;
	case FILL_CODE:
		fault_count(b, f, TRAP_CODE);
		adapt_trap(b, f, mark_insn(m), CAUSE_CODE, 0);
		if (fault_own_page(b, f, m, uc, (ppn)(mf.pa >> PAGE_SHIFT)))
			return;
		adapt_code_written(b, (ppn)(mf.pa >> PAGE_SHIFT));
		mm_untrace_code(b->vm, (ppn)(mf.pa >> PAGE_SHIFT));
		return;
	case FILL_WAIT:
		fault_page_away(b, f, m, uc);
		return;
	case FILL_ERROR:
		fault_refused(b, f, m, uc);
		return;
	case FILL_MMIO:
		fault_count(b, f, TRAP_USER);
		break;
	}
failed:
	/* A supervisor page or device memory among user pages: execute once through the kernel window. A site
	 * where this recurs is excluded from promotion. */
	adapt_failed(b, f, mark_insn(m), CAUSE_USER_PAGE);
	fault_store(b, f, m, g);
	fault_resume(b, uc, XC_TRANSIENT);
}

/* Is the page of LIN mapped for reading? Maps it if the guest's tables allow. */
static bool readable(struct bt_vcpu *b, uint32_t lin, gva pc)
{
	struct mmu_fault mf = { .pc = pc };

	return (((const uint32_t *)b->win.shadow)[lin >> PAGE_SHIFT] & MMU_SHADOW_P) ||
	       mmu_fill(b->v.mmu, lin, MM_READ, &mf) == FILL_OK;
}

/* Map ahead for a promoted REP MOVS or STOS. Dirties a page only if the source is mapped that far. Off in
 * icount mode: early dirty bits would be guest-visible. */
static void map_ahead(struct bt_vcpu *b, const struct mark *m, gva pc, const greg_t *g, gva lin, bool write)
{
	uint32_t at = (uint32_t)g[write ? REG_RDI : REG_RSI], room = PAGE_SIZE - (at & PAGE_MASK), pages;
	uint32_t size = m ? STRING_SIZE(m->arg) : 0, from = (uint32_t)g[REG_RSI];
	uint64_t bytes = (uint64_t)(uint32_t)g[REG_RCX] * size;
	bool source = m && (m->arg & STRING_SOURCE) && write;
	struct mmu_fault mf = { .pc = pc };

	if (!m || m->fix != FIX_STRING || !(m->arg & STRING_MAP_AHEAD) || b->icount.on ||
	    (g[REG_EFL] & FL_DF) || bytes <= room || (at ^ (uint32_t)lin) >> PAGE_SHIFT ||
	    !guilty_of(b->adapt.charge.v, CAUSE_MISS))
		return;
	if (source && !readable(b, from, pc))
		return;
	pages = bytes - room > STRING_AHEAD * PAGE_SIZE
		    ? STRING_AHEAD
		    : (uint32_t)((bytes - room + PAGE_MASK) >> PAGE_SHIFT);
	at &= ~(uint32_t)PAGE_MASK;
	from += room;
	for (; pages; pages--, from += PAGE_SIZE) {
		if (source && (!readable(b, from, pc) || !readable(b, from + size - 1, pc)))
			return;
		if (mmu_fill(b->v.mmu, at += PAGE_SIZE, write ? MM_WRITE : MM_READ, &mf) != FILL_OK)
			return;
	}
}

/* A MOVS or CMPS faulted at *ADDR. Some processors load the second operand of CMPS first, but callouts and
 * prechecks start with the source, and neither the fault raised nor the accessed bits set may depend on the
 * host. While the source is not mapped, treat it as the operand that faulted. */
static void source_first(const struct bt_vcpu *b, const struct mark *m, const greg_t *g, uint64_t *addr,
			 bool *write)
{
	uint64_t from = (uint64_t)g[REG_RSI], last;

	if (!m || m->fix != FIX_STRING || !(m->arg & STRING_SOURCE))
		return;
	last = from + STRING_SIZE(m->arg) - 1;
	if (mmu_maps(b->v.mmu, from) && mmu_maps(b->v.mmu, last))
		return;
	*addr = mmu_maps(b->v.mmu, from) ? last & ~(uint64_t)PAGE_MASK : from;
	*write = false;
}

static enum mmu_fill fill(struct bt_vcpu *b, const struct ccf *f, gva lin, unsigned how, struct mmu_fault *mf)
{
	return mode_long(f->mode) ? mmu_long_fill(b->v.mmu, lin, how, mf) : mmu_fill(b->v.mmu, lin, how, mf);
}

/* Code that compares its source may not read it: SMAP forbids that in user pages, or the page is gone. The
 * instruction is fetched. */
static bool source_refused(struct bt_vcpu *b, const struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;

	if (!f->checked || (uint64_t)g[REG_RIP] >= b->tc_base + f->host + f->ioff[0])
		return false;
	fault_store(b, f, m, g);
	fault_resume(b, uc, XC_TRANSIENT);
	return true;
}

/* A window access missed. True if the access can be retried. */
bool fault_window(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin, bool write)
{
	greg_t *g = uc->uc_mcontext.gregs;
	struct mmu_fault mf = { .pc = pc_of(f, m) };

	for (int tries = 0; tries < 4; tries++) {
		switch (fill(b, f, lin, write ? MM_WRITE : MM_READ, &mf)) {
		case FILL_OK:
			if (tries)
				return true;
			fault_count(b, f, TRAP_FILL);
			if (mf.user_access)
				user_access(b, f, m, lin);
			else
				adapt_trap(b, f, mark_insn(m), CAUSE_MISS,
					   fault_can_precheck(f, m) ? weight(b, f, m, &mf) : 0);
			if (!mode_long(f->mode))
				map_ahead(b, m, mf.pc, g, lin, write);
			return true;
		case FILL_FAULT:
			if (source_refused(b, f, m, uc))
				return false;
			fault_count(b, f, TRAP_TRUE);
			adapt_trap(b, f, mark_insn(m), CAUSE_MISS, fault_can_precheck(f, m));
			fault_store(b, f, m, g);
			fault_page(b, uc, lin, &mf);
			return false;
		case FILL_WAIT:
			fault_page_away(b, f, m, uc);
			return false;
		case FILL_ERROR:
			fault_refused(b, f, m, uc);
			return false;
		case FILL_MMIO:
			fault_count(b, f, TRAP_MMIO);
			adapt_trap(b, f, mark_insn(m), CAUSE_DEVICE, 1);
			fault_store(b, f, m, g);
			b->exit.pa = mf.pa;
			fault_resume(b, uc, XC_MMIO);
			return false;
		case FILL_CODE: {
			ppn p = (ppn)(mf.pa >> PAGE_SHIFT);

			fault_count(b, f, TRAP_CODE);
			adapt_trap(b, f, mark_insn(m), CAUSE_CODE, 0);
			if (fault_own_page(b, f, m, uc, p))
				return false;
			/* A write to other code: with a precheck, the site would handle this without a fault.
			 */
			adapt_suspect(b, f, mark_insn(m), CAUSE_MISS, fault_can_precheck(f, m));
			adapt_code_written(b, p);
			mm_untrace_code(b->vm, p);
			break;
		}
		}
	}
	return true;
}

static bool poll_fault(const struct bt_vcpu *b, uint64_t addr)
{
	return addr - (uint64_t)b->jt.poison < b->jt.poison_bytes;
}

static void divide_error(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	b->adapt.charge.start = __builtin_ia32_rdtsc();
	adapt_trap(b, f, mark_insn(m), CAUSE_DIVIDE, 1);
	fault_store(b, f, m, uc->uc_mcontext.gregs);
	fault_raise(b, uc, EXC_DE, false, 0);
	adapt_settled(b, __builtin_ia32_rdtsc());
}

/* End a loop of faults within one instruction: when it is of no use, and when a kick waits, which it would
 * keep from the next poll. */
static bool end_loop(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc)
{
	enum fault_loop loop;
	uint64_t regs[8];

	for (int r = 0; r < 8; r++)
		regs[r] = (uint64_t)uc->uc_mcontext.gregs[greg_of[r]];
	loop = fault_loop(b, f, mark_insn(m), regs);
	if (loop == LOOP_STUCK) {
		runtime_failed(b, "an instruction keeps faulting on a page that is mapped: the host does not "
				  "keep its mappings");
		fault_refused(b, f, m, uc);
	} else if (loop == LOOP_LONG && b->kick && !b->stepping) {
		fault_store(b, f, m, uc->uc_mcontext.gregs);
		fault_resume(b, uc, XC_LOOKUP);
	} else {
		return false;
	}
	return true;
}

static bool handle(struct bt_vcpu *b, int sig, siginfo_t *si, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	uint64_t addr = (uint64_t)si->si_addr;
	struct ccf *f = cache_by_host(b, (uint64_t)g[REG_RIP]);
	const struct mark *m;
	bool write = g[REG_ERR] & 2;
	gva lin;

	if (!f)
		return false;
	m = find_mark(b, f, (uint64_t)g[REG_RIP]);
	account_at(b, f, pc_of(f, m));
	switch (sig) {
	case SIGFPE:
		fault_count(b, f, TRAP_FPE);
		if (si->si_code == FPE_INTDIV || si->si_code == FPE_INTOVF) {
			divide_error(b, f, m, uc);
			return true;
		}
		fault_store(b, f, m, g);
		fault_raise(b, uc, g[REG_TRAPNO] == EXC_XM ? EXC_XM : EXC_MF, false, 0);
		return true;
	case SIGILL:
		fault_count(b, f, TRAP_ILL);
		fault_store(b, f, m, g);
		fault_raise(b, uc, EXC_UD, false, 0);
		return true;
	case SIGBUS:
	case SIGSEGV:
		break;
	default:
		return false;
	}
	if (addr == b->guard.trap_page) {
		/* A sensitive instruction set to trap: perform its callout. r9 is the site, r11 the return
		 * address. */
		struct site *s = (struct site *)g[REG_R9];

		fault_count(b, f, TRAP_SENS);
		if (mode_long(f->mode)) /* as the stub of 64-bit code does first */
			fault_store_upper(b, g);
		g[REG_RIP] = (greg_t)(s->fpu ? stub_callout_fpu_timed : stub_callout_timed);
		return true;
	}
	if (poll_fault(b, addr) && m && m->fix == FIX_POLL_R8 && mode_long(f->mode) &&
	    !cpu_canonical((uint64_t)g[REG_R8])) {
		b->kick = 1; /* the #GP of the transfer comes before the stop */
		fault_no_table(b, f, m, uc);
		return true;
	}
	if (poll_fault(b, addr)) {
		fault_count(b, f, TRAP_POLL);
		b->kick = 1; /* a nudge may have come when the one before was being served */
		fault_store(b, f, m, g);
		if (!b->icount.on)
			adapt_polled(b, f, __builtin_ia32_rdtsc());
		fault_resume(b, uc, b->stepping ? XC_STEPPED : XC_POLL);
		return true;
	}
	if (jump_no_table(b, addr)) {
		fault_no_table(b, f, m, uc);
		return true;
	}
	if (g[REG_TRAPNO] == EXC_GP || (sig == SIGBUS && g[REG_TRAPNO] != EXC_PF)) {
		/* Misaligned SSE operands and the like: #GP(0) for the guest. */
		if (mode_long(f->mode) && fault_general(b, f, m, uc))
			return true;
		fault_count(b, f, TRAP_GP);
		fault_store(b, f, m, g);
		fault_raise(b, uc, fault_far_vector(f, m), true, 0);
		return true;
	}
	if (sig == SIGBUS && mmu_bus_error(b->v.mmu, addr)) {
		fault_refused(b, f, m, uc);
		return true;
	}
	if (end_loop(b, f, m, uc))
		return true;
	b->adapt.charge.start = __builtin_ia32_rdtsc();
	if (mode_long(f->mode)) {
		if (!fault_space(b, f, m, uc, addr, write))
			return false;
		if (b->exit.code != XC_MMIO || b->adapt.charge.cause != CAUSE_DEVICE)
			adapt_settled(b, __builtin_ia32_rdtsc());
		return true;
	}
	source_first(b, m, g, &addr, &write);
	if (mmu_in_user_window(b->v.mmu, addr, &lin)) {
		user_window_fault(b, f, m, uc, lin, write, false);
		adapt_settled(b, __builtin_ia32_rdtsc());
		return true;
	}
	if (addr - (uint64_t)b->guard.base < 8ull << 30) {
		user_window_fault(b, f, m, uc, (uint32_t)(addr - (uint64_t)b->guard.base), write, true);
		adapt_settled(b, __builtin_ia32_rdtsc());
		return true;
	}
	switch (mmu_where(b->v.mmu, addr, &lin)) {
	case MMU_WINDOW:
		fault_window(b, f, m, uc, lin, write);
		if (b->exit.code != XC_MMIO || b->adapt.charge.cause != CAUSE_DEVICE)
			adapt_settled(b, __builtin_ia32_rdtsc());
		/* else the device access is still pending; settle() charges it */
		return true;
	case MMU_GUARD:
		fault_count(b, f, TRAP_GP);
		fault_store(b, f, m, g);
		if (m && m->fix == FIX_STRING) /* wrapped: the low halves are already right */
			fault_resume(b, uc, XC_LOOKUP);
		else
			fault_raise(b, uc, EXC_GP, true, 0);
		return true;
	default:
		return false;
	}
}

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	struct bt_vcpu *b = current;
	greg_t *g = ((ucontext_t *)ctx)->uc_mcontext.gregs;
	uint64_t start = __builtin_ia32_rdtsc();

	if (b && b->adapt.calibrate && (uint64_t)si->si_addr == b->guard.trap_page) {
		g[REG_RIP] = (greg_t)b->adapt.calibrate;
		return;
	}
	if (b && handle(b, sig, si, ctx)) {
		account_handled(b, start, (uint64_t)g[REG_RIP]);
		return;
	}
	fault_fatal(b, sig, si, ctx);
}

/* Another thread wants the vCPU to stop or to take an interrupt. In the TC (or on the way into it) the
 * jump-table register is poisoned like the polls, which makes the next poll or indirect jump fault; a REP in
 * progress is left at once. Outside, the flag and the poisoned table take effect on entry. */
static void on_kick(int sig, siginfo_t *si, void *ctx)
{
	struct bt_vcpu *b = current;
	ucontext_t *uc = ctx;
	greg_t *g = uc->uc_mcontext.gregs;
	uint64_t rip = (uint64_t)g[REG_RIP];
	struct ccf *f;

	(void)sig;
	(void)si;
	if (!b)
		return;
	b->kick = 1;
	poll_poison(b);
	syscall_cache_forget(b);
	if ((rip >= (uint64_t)stub_reload && rip < (uint64_t)stub_reload_end) ||
	    (rip >= (uint64_t)stub_syscall && rip < (uint64_t)stub_syscall_end))
		g[REG_R12] = (greg_t)b->jt.poison;
	if (rip < b->tc_base || rip >= b->tc_base + b->tc.size)
		return;
	if (!b->stubs.is_long)
		g[REG_R12] = (greg_t)b->jt.poison;
	f = cache_by_host(b, rip);
	if (!f || b->stepping || b->icount.on)
		return;
	const struct mark *m = find_mark(b, f, rip);
	if (m && m->fix == FIX_STRING) {
		fault_store(b, f, m, g);
		/* A signal arrives between iterations of a REP, where the state is exact. After the REP, rsi
		 * and rdi are not truncated yet, but their low halves are right, and the count is zero. */
		uint8_t op = b->tc.rw[rip - b->tc_base];
		if (op != 0xf3 && op != 0xf2 && op != 0x66)
			return; /* after it, or not a REP: the next poll is near */
		fault_resume(b, uc, XC_LOOKUP);
	}
}

/* The thread that runs the vCPU. */
struct host_thread {
	pthread_t id;
	bool kicks; /* a kick interrupts it */
	void *altstack;
};

bool fault_init(struct bt_vcpu *b)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };

	b->thread = calloc(1, sizeof(*b->thread));
	if (!b->thread)
		return false;
	b->thread->altstack =
	    mmap(NULL, ALTSTACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->thread->altstack == MAP_FAILED) {
		b->thread->altstack = NULL;
		return false;
	}
	/* A kick during a fault would be undone by the frame the handler returns to. */
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, ENGINE_KICK_SIGNAL);
	for (unsigned i = 0; i < ARRAY_LEN(sigs); i++)
		if (sigaction(sigs[i], &sa, NULL))
			return false;
	sa.sa_sigaction = on_kick;
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
	return !sigaction(ENGINE_KICK_SIGNAL, &sa, NULL);
}

void fault_fini(struct bt_vcpu *b)
{
	stack_t off = { .ss_flags = SS_DISABLE };

	if (!b->thread)
		return;
	if (b->thread->altstack) {
		if (altstack == b->thread->altstack) {
			sigaltstack(&off, NULL);
			altstack = NULL;
		}
		munmap(b->thread->altstack, ALTSTACK_BYTES);
	}
	free(b->thread);
}

void fault_thread_enter(struct bt_vcpu *b, bool kicks)
{
	struct host_thread *t = b->thread;
	stack_t ss = { .ss_sp = t->altstack, .ss_size = ALTSTACK_BYTES };

	t->id = pthread_self();
	t->kicks = kicks;
	if (altstack != t->altstack) {
		sigaltstack(&ss, NULL);
		altstack = t->altstack;
	}
	current = b;
	if (!b->adapt.cost.signal)
		costs_measure(b);
}

void fault_thread_leave(struct bt_vcpu *b)
{
	current = NULL;
	b->thread->kicks = false;
}

void fault_kick(struct bt_vcpu *b)
{
	if (b->thread->kicks)
		pthread_kill(b->thread->id, ENGINE_KICK_SIGNAL);
}
