/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine's outer loop, which runs between stays in the translation cache.
 * It handles interrupts, timers, stops, single steps, device accesses and
 * self-modifying stores, with the guest's state exact in v.cpu. */
#include "bt/adapt/account.h"
#include "bt/adapt/adapt.h"
#include "bt/adapt/policy.h"
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/translate/move.h"
#include "bt/control.h"
#include "bt/debug/debug.h"
#include "bt/decode/allow.h"
#include "bt/decode/patch.h"
#include "bt/fault/fault.h"
#include "bt/probe/emit.h"
#include "bt/runtime/callout.h"
#include "bt/runtime/dispatch.h"
#include "bt/runtime/event.h"
#include "bt/runtime/hooks.h"
#include "bt/runtime/stubs.h"
#include "bt/runtime/timing.h"
#include "bt/translate/translate.h"
#include "bt/verify/fragment.h"
#include "bt/view/view.h"

#include "base/log.h"
#include "cpu/system.h"
#include "cpu/virt.h"
#include "mm/long.h"
#include "mm/nested.h"
#include "mm/pages.h"
#include "mm/watch.h"
#include "x86/features.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define HWCAP2_FSGSBASE_BIT 2

/* ---- icount budget ---- */

static void budget_open(struct bt_vcpu *b)
{
	b->icount.limit = b->v.icount_limit;
	b->icount.left = (int64_t)(b->icount.limit - b->v.icount);
}

static void budget_close(struct bt_vcpu *b)
{
	b->v.icount = b->icount.limit - (uint64_t)b->icount.left;
}

/* ---- pieces of the loop ---- */

/* Deliver what is in cpu.exc. False: shutdown. */
static bool deliver(struct bt_vcpu *b)
{
	const struct cpu *c = &b->v.cpu;
	bool ok;

	if (c->exc.vector != EXC_EXIT) {
		b->st.excs[c->exc.vector & 31]++;
		b->v.cpu.shadow = 0;
		runtime_event(b, ENGINE_EV_EXCEPTION, c->exc.vector, c->exc.err, false, cpu_pc(c));
	}
	ok = cpu_deliver_exc(&b->v);
	if (b->v.nchain)
		runtime_chain_events(b, 1, ok);
	return ok;
}

/* Processors of Intel and AMD differ in corners of the debug traps. */
static bool is_intel(struct bt_vcpu *b)
{
	uint32_t out[4];

	b->v.plat.cpuid(b->v.plat.ctx, &b->v.cpu, 0, 0, out);
	return out[CPUID_B] == CPUID_INTEL_EBX;
}

/* Deliver #DB with BITS of DR6, and what data breakpoints have left. RF: push it as set. False: shutdown. */
static bool deliver_debug(struct bt_vcpu *b, unsigned bits, bool rf)
{
	struct cpu *c = &b->v.cpu;

	uint32_t before = c->dr[6];

	bits |= mmu_watch_guest_take(b->v.mmu);
	c->dr[6] |= bits;
	cpu_raise(c, EXC_DB);
	c->exc.rf = rf;
	if (b->v.virt) { /* for an exit instead; the shadow of the instruction before is over */
		b->v.virt->shadow = 0;
		c->exc.err = before;
		c->exc.cr2 = bits;
	}
	return deliver(b);
}

/* Does a trap at pc push RF as set? Between two iterations of a REP Intel's do (SDM vol. 3B 18.3.1.1). */
static bool trap_rf(struct bt_vcpu *b)
{
	return b->transient.in_rep && is_intel(b);
}

/* Deliver the trap after an instruction, or an iteration, that accessed data the guest watches. Behind MOV SS
 * and POP SS it waits for the next instruction. False: shutdown. */
static bool take_own_watch(struct bt_vcpu *b)
{
	if ((b->v.cpu.shadow & SHADOW_SS) || !mmu_watch_guest_pending(b->v.mmu))
		return true;
	return deliver_debug(b, 0, trap_rf(b));
}

/* Bits of DR6 for a fault before the instruction at pc; 0: execute it. Intel's processors ignore a breakpoint
 * behind MOV SS and POP SS; AMD's do not. */
static unsigned guest_debug_now(struct bt_vcpu *b)
{
	const struct cpu *c = &b->v.cpu;
	unsigned bits;

	if (!(b->debug.dr[7] & DR7_ON) || (c->sysflags & FL_RF))
		return 0;
	bits = guest_debug_at(b, cpu_pc(c));
	return bits && (c->shadow & SHADOW_SS) && is_intel(b) ? 0 : bits;
}

static void enter(struct bt_vcpu *b, const struct ccf *f)
{
	b->stubs.wide = (b->v.cpu.xcr0 & XCR0_AVX512) == XCR0_AVX512;
	stub_enter(b, b->tc_base + f->host);
	x87_hide_saved(b);
}

/* Run one instruction outside the cache. XC_STEPPED, or another code to handle. */
static enum exit_code run_transient(struct bt_vcpu *b, enum tx_kind kind)
{
	struct cpu *c = &b->v.cpu;
	bool tf = c->sysflags & FL_TF;
	uint32_t rf = c->sysflags & FL_RF;
	struct ccf *f;

	if (b->v.virt)
		b->v.virt->shadow = c->shadow;
	c->shadow = 0;
	c->sysflags &= ~(uint32_t)FL_RF; /* faults push it as set again */
	b->st.transients++;
	dispatch_select(b);
	b->exit.code = XC_NONE;
	b->stepping = true;
	b->transient.completed = true;
	b->transient.no_trap = b->transient.in_rep = false;
	b->transient.one = tf || b->debug.step_one;
	f = translate(b, kind);
	b->transient.retry = false;
	if (!f) {
		b->stepping = false;
		if (b->exit.code == XC_ERROR)
			return XC_ERROR;
		return deliver(b) ? XC_STEPPED : XC_SHUTDOWN;
	}
	b->exit.code = XC_STEPPED;
	enter(b, f);
	b->stepping = false;
	b->transient.ccf = NULL;
	if (b->exit.code == XC_HALT)
		b->exit.code = XC_STEPPED;
	if (kind == TX_MMIO && b->exit.code == XC_MMIO) {
		LOG(cpu, "%08llx: this instruction cannot access device memory at %#llx: #GP",
		    (unsigned long long)cpu_pc(c), (unsigned long long)b->exit.pa);
		cpu_raise_err(c, EXC_GP, 0);
		return deliver(b) ? XC_STEPPED : XC_SHUTDOWN;
	}
	if (b->transient.in_rep)
		c->sysflags |= rf;
	if (b->exit.code != XC_STEPPED || !(b->transient.completed || b->transient.in_rep))
		return b->exit.code;
	b->v.icount += b->icount.on && b->transient.completed;
	if (tf && !b->transient.no_trap && !(c->shadow & SHADOW_SS))
		return deliver_debug(b, DR6_BS, trap_rf(b)) ? XC_STEPPED : XC_SHUTDOWN;
	return XC_STEPPED;
}

/* Retry with watchpoints off. If it accesses device memory after all: #GP(0), as no
 * processor defines what such an access does to a device. */
static enum exit_code run_unwatched(struct bt_vcpu *b)
{
	enum exit_code x;

	mmu_watch_suspend(b->v.mmu, true);
	b->transient.retry = true;
	x = run_transient(b, TX_TRANSIENT);
	mmu_watch_suspend(b->v.mmu, false);
	if (x != XC_MMIO)
		return x;
	cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return deliver(b) ? XC_STEPPED : XC_SHUTDOWN;
}

/* Run one instruction to its end, through device memory and own-page stores. */
static enum exit_code step_once(struct bt_vcpu *b)
{
	enum exit_code x = run_transient(b, TX_TRANSIENT);

	for (int i = 0; i < 4; i++) {
		if (x == XC_MMIO) {
			x = i ? run_unwatched(b) : run_transient(b, TX_MMIO);
		} else if (x == XC_SMC) {
			adapt_code_written(b, b->exit.arg);
			mm_untrace_code(b->vm, b->exit.arg);
			b->transient.retry = true;
			x = run_transient(b, TX_TRANSIENT);
		} else if (x == XC_LOOKUP || x == XC_POLL) {
			return XC_STEPPED;
		} else {
			break;
		}
	}
	return x;
}

/* A virtualization extension decides about interrupts. *GO: they are taken as without it. False: shutdown. */
static bool take_due(struct bt_vcpu *b, bool *go)
{
	struct virt *x = b->v.virt;
	bool pending = b->v.plat.irq_pending(b->v.plat.ctx);
	enum virt_due due = x->ops->due(&b->v, pending);

	*go = due == VIRT_DUE_USUAL;
	b->intr_wait = pending || x->window;
	if (due == VIRT_DUE_EXC)
		return deliver(b);
	if (due != VIRT_DUE_EVENT)
		return true;
	b->v.cpu.halted = 0;
	return cpu_deliver_event(&b->v, &x->due);
}

/* Take a deliverable interrupt. False: shutdown. */
static bool take_interrupt(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;
	bool pending, ok, go;

	if (b->v.virt)
		b->v.virt->shadow = 0;
	if (b->v.virt && (b->v.virt->guest || b->v.virt->ask || b->v.virt->held)) {
		ok = take_due(b, &go);
		if (!ok || !go)
			return ok;
	}
	if (c->nmi_pending && !c->nmi_blocked && !c->shadow) {
		c->halted = 0;
		cpu_raise(c, EXC_NMI);
		return deliver(b);
	}
	pending = b->v.plat.irq_pending(b->v.plat.ctx);
	b->intr_wait = pending || (virt_guest(&b->v) && b->v.virt->window);
	if (!pending || !c->intf || c->shadow)
		return true;
	int vec = b->v.plat.irq_ack(b->v.plat.ctx);
	b->intr_wait = b->v.plat.irq_pending(b->v.plat.ctx);
	if (vec < 0)
		return true;
	b->st.irqs++;
	c->halted = 0;
	runtime_event(b, ENGINE_EV_IRQ, (uint32_t)vec, 0, false, cpu_pc(c));
	ok = cpu_deliver_irq(&b->v, (unsigned)vec);
	if (b->v.nchain)
		runtime_chain_events(b, 0, ok);
	return ok;
}

/* The fragment at PC whose page is new to the window while its code is not new to us. */
static struct ccf *find_fetched(struct bt_vcpu *b, gva pc)
{
	ppn p;

	return mmu_code_page(b->v.mmu, pc, &p) ? NULL : dispatch_find(b, pc);
}

/* Find or make the fragment at pc. NULL: see *x. */
static struct ccf *fragment(struct bt_vcpu *b, enum exit_code *x)
{
	struct ccf *f;
	struct exit_link *from = b->exit.link;

	b->exit.link = NULL;
	dispatch_select(b);
	if (b->memory_failed) {
		*x = XC_LOOKUP;
		return NULL;
	}
	f = dispatch_find(b, cpu_pc(&b->v.cpu));
	if (!f) {
		b->exit.code = XC_NONE;
		f = find_fetched(b, cpu_pc(&b->v.cpu));
	}
	if (!f)
		f = move_here(b, cpu_pc(&b->v.cpu));
	if (!f) {
		f = translate(b, TX_NORMAL);
		if (!f) {
			*x = b->exit.code == XC_ERROR ? XC_ERROR : XC_EXC;
			return NULL;
		}
		if (f != b->transient.ccf)
			runtime_event(b, ENGINE_EV_FRAGMENT, f->pc, f->ninsn, false, f->pc);
	}
	if (from && from->pc == f->pc && f != b->transient.ccf)
		chain_patch(b, from, f);
	return f;
}

static enum engine_exit failed(struct bt_vcpu *b)
{
	b->memory_failed = false;
	LOG(bt, "%s", b->v.error);
	return ENGINE_ERROR;
}

/* Report the event, and clear the stop request it made. */
static enum engine_exit event_taken(struct bt_vcpu *b)
{
	b->debug.event_hit = false;
	b->stop = 0;
	return ENGINE_EVENT;
}

/* The processor has shut down. The events of its last exceptions come first. */
static enum engine_exit shut_down(struct bt_vcpu *b)
{
	b->debug.shut_down = true;
	b->debug.shut_down_pc = cpu_pc(&b->v.cpu);
	return b->debug.event_hit ? event_taken(b) : ENGINE_SHUTDOWN;
}

/* It stays so until somebody resets it or moves it elsewhere. */
static bool is_shut_down(struct bt_vcpu *b)
{
	b->debug.shut_down &= cpu_pc(&b->v.cpu) == b->debug.shut_down_pc;
	return b->debug.shut_down;
}

/* Handle the reason translated code exited. Returns an enum engine_exit, or -1 to keep running. */
static int settle(struct bt_vcpu *b, enum exit_code x)
{
	switch (x) {
	case XC_BREAK:
		if (bp_user_at(b, cpu_pc(&b->v.cpu)))
			return ENGINE_BREAK;
		if (guest_debug_at(b, cpu_pc(&b->v.cpu))) /* guest_debug_now() finds it next */
			return -1;
		guest_debug_vain(b, cpu_pc(&b->v.cpu));
		x = step_once(b);
		break;
	case XC_MMIO:
		x = run_transient(b, TX_MMIO);
		if (x == XC_MMIO) /* a form that the bounce buffer does not serve (XSAVE) */
			x = run_unwatched(b);
		adapt_settled(b, __builtin_ia32_rdtsc());
		break;
	case XC_SMC:
		adapt_code_written(b, b->exit.arg);
		mm_untrace_code(b->vm, b->exit.arg);
		b->transient.retry = true;
		x = run_transient(b, TX_TRANSIENT);
		break;
	case XC_TRANSIENT:
		b->transient.retry = true;
		x = step_once(b);
		break;
	case XC_STALE:
		b->tc.pages[b->exit.stale->page].calm_since = __builtin_ia32_rdtsc();
		cache_drop(b, b->exit.stale, DROP_STALE, 0);
		return -1;
	case XC_EXC:
		if (!deliver(b))
			x = XC_SHUTDOWN;
		break;
	default:
		break;
	}
	if (x == XC_SHUTDOWN)
		return shut_down(b);
	if (x == XC_ERROR)
		return failed(b);
	if (x == XC_MMIO || x == XC_SMC)
		return settle(b, x);
	return -1;
}

/* True: the guest accessed watched memory. */
static bool take_watch(struct bt_vcpu *b)
{
	if (!b->debug.watched)
		return false;
	b->debug.watched = false;
	b->v.ntouch = mmu_watch_take(b->v.mmu, b->v.touch);
	return b->v.ntouch;
}

static enum engine_exit loop(struct bt_vcpu *b)
{
	struct cpu *c = &b->v.cpu;

	for (;;) {
		enum exit_code x = XC_NONE;
		struct ccf *f;
		int out;

		b->st.dispatches++;
		if (guest_debug_stale(b))
			guest_debug_set(b);
		if (b->cfg.move_pages)
			mm_move_some(b->vm, b->cfg.move_pages);
		if (b->cfg.change_pages)
			mm_change_some(b->vm, b->cfg.change_pages);
		if (b->memory_failed)
			return failed(b);
		if (b->debug.event_hit)
			return event_taken(b);
		if (take_watch(b))
			return ENGINE_WATCH;
		if (b->stop) {
			b->stop = 0;
			b->st.stops++;
			return ENGINE_STOP;
		}
		if (b->kick) {
			b->kick = 0;
			poll_pass(b);
			b->v.plat.run_timers(b->v.plat.ctx);
			account_tick(b);
			if (b->tc.nmixed && !b->icount.on)
				adapt_demote_pages(b, __builtin_ia32_rdtsc());
			if (b->stop)
				continue;
		}
		if (b->tc.flush_wanted || b->tc.full)
			cache_flush_all(b, !b->tc.flush_wanted);
		if (!take_own_watch(b) || !take_interrupt(b))
			return shut_down(b);
		if (b->v.virt && guest_debug_stale(b)) /* an exit instead, to a host with a DR7 of its own */
			guest_debug_set(b);
		if (take_watch(b)) /* the delivery pushed there */
			return ENGINE_WATCH;
		runtime_vm_event(b);
		runtime_virt_event(b);
		if (b->debug.event_hit)
			return event_taken(b);
		if (c->halted)
			return ENGINE_HALT;
		if (b->icount.on && b->v.icount >= b->v.icount_limit)
			return ENGINE_ICOUNT;
		unsigned bits = guest_debug_now(b);
		if (bits && !bp_user_at(b, cpu_pc(c))) {
			if (!deliver_debug(b, bits, true))
				return shut_down(b);
			continue;
		}
		if (b->v.virt && b->v.virt->step) {
			b->v.virt->step = false;
			b->v.virt->stepped = true;
			x = step_once(b);
		} else if (c->shadow || (c->sysflags & (FL_TF | FL_RF))) {
			x = step_once(b);
		} else {
			f = fragment(b, &x);
			if (b->debug.event_hit) /* the fragment is new */
				return event_taken(b);
			if (f && b->icount.on && b->v.icount + f->ninsn > b->v.icount_limit) {
				x = step_once(b);
			} else if (f) {
				budget_open(b);
				b->exit.code = XC_LOOKUP;
				if (f == b->transient.ccf)
					b->stepping = true;
				enter(b, f);
				if (f == b->transient.ccf) {
					b->stepping = false;
					b->transient.ccf = NULL;
					b->v.icount += b->icount.on && b->transient.completed;
				} else if (b->icount.on) {
					budget_close(b);
				}
				x = b->exit.code;
			}
		}
		out = settle(b, x);
		account_close(b);
		if (out >= 0)
			return (enum engine_exit)out;
	}
}

static void virt_stopped(struct vcpu *v)
{
	if (v->virt && v->virt->ops->stopped)
		v->virt->ops->stopped(v);
}

static enum engine_exit bt_run(struct vcpu *v)
{
	struct bt_vcpu *b = bt_of(v);
	enum engine_exit e;

	if (is_shut_down(b))
		return ENGINE_SHUTDOWN;
	fault_thread_enter(b, true);
	b->gs_live = 0;
	memo_forget(b);
	syscall_cache_forget(b);
	if (v->virt)
		v->virt->changed = true;
	b->kick = 1;
	account_enter(b);
	e = loop(b);
	account_leave(b);
	fault_thread_leave(b);
	virt_stopped(v);
	return e;
}

static enum engine_exit bt_step(struct vcpu *v, unsigned how)
{
	struct bt_vcpu *b = bt_of(v);
	enum engine_exit e = ENGINE_STEPPED;
	unsigned bits;

	if (is_shut_down(b))
		return ENGINE_SHUTDOWN;
	fault_thread_enter(b, false);
	b->gs_live = 0;
	b->kick = 0;
	b->debug.step_one = !(how & ENGINE_STEP_WHOLE);
	if (guest_debug_stale(b))
		guest_debug_set(b);
	if (how & ENGINE_STEP_IRQ) {
		v->plat.run_timers(v->plat.ctx);
		if (!take_interrupt(b))
			e = ENGINE_SHUTDOWN;
	}
	if (e == ENGINE_STEPPED && v->cpu.halted) {
		e = ENGINE_HALT;
	} else if (e == ENGINE_STEPPED && (bits = guest_debug_now(b))) {
		e = deliver_debug(b, bits, true) ? ENGINE_STEPPED : ENGINE_SHUTDOWN;
	} else if (e == ENGINE_STEPPED) {
		switch (step_once(b)) {
		case XC_SHUTDOWN:
			e = ENGINE_SHUTDOWN;
			break;
		case XC_ERROR:
			e = failed(b);
			break;
		default:
			break;
		}
	}
	b->debug.step_one = false;
	account_close(b);
	if (b->memory_failed)
		e = failed(b);
	if (e == ENGINE_STEPPED && take_watch(b))
		e = ENGINE_WATCH;
	if ((e == ENGINE_STEPPED || e == ENGINE_WATCH) && !take_own_watch(b))
		e = ENGINE_SHUTDOWN;
	if (e == ENGINE_SHUTDOWN)
		e = shut_down(b);
	else if (b->debug.event_hit)
		e = e == ENGINE_STEPPED ? event_taken(b) : (event_taken(b), e);
	fault_thread_leave(b);
	virt_stopped(v);
	return e;
}

static int bt_watch_insert(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	return mmu_watch_insert(v->mmu, at, len, type);
}

static void bt_watch_remove(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	mmu_watch_remove(v->mmu, at, len, type);
}

static void bt_kick(struct vcpu *v)
{
	struct bt_vcpu *b = bt_of(v);

	b->kick = 1;
	poll_poison(b);
	fault_kick(b);
}

/* Only the next poll notices, without a signal. */
static void bt_nudge(struct vcpu *v)
{
	struct bt_vcpu *b = bt_of(v);

	b->kick = 1;
	__atomic_store_n(&b->poll, (uint64_t)b->jt.poison, __ATOMIC_RELEASE);
}

static void bt_request_stop(struct vcpu *v)
{
	bt_of(v)->stop = 1;
	bt_kick(v);
}

static int event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on)
{
	int r = bp_event_set(v, kind, lo, hi, on);

	timing_choose(bt_of(v));
	return r;
}

static void bt_reset(struct vcpu *v)
{
	if (v->virt)
		v->virt->ops->reset(v);
}

static void bt_state_changed(struct vcpu *v)
{
	if (v->virt)
		v->virt->ops->loaded(v);
	bt_of(v)->debug.shut_down = false;
	v->nchain = 0;
	mmu_flush(v->mmu, true);
	mmu_nested_invalidate(v->mmu, NESTED_SECOND, 0, 0, 0);
}

static void bt_free(struct vcpu *v)
{
	struct bt_vcpu *b = bt_of(v);

	if (!b)
		return;
	if (v->virt)
		v->virt->free(v);
	probes_free(b);
	mmu_free(v->mmu);
	verify_fini(b);
	cache_fini(b);
	account_fini(b);
	translate_fini(b);
	fault_fini(b);
	munmap(b, sizeof(*b));
}

static const struct engine_translator translator = {
	.fragments = &bt_fragments,
	.pins = &bt_pins,
	.counting = &bt_counting,
	.policy = &bt_policy,
	.adaptation = &bt_adaptation,
	.patches = &bt_patches,
	.probes = &bt_probes,
};

static uint64_t bt_host_memory(struct vcpu *v)
{
	struct stat st;

	return fstat(bt_of(v)->tc.fd, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static const struct engine_ops bt_ops = {
	.name = "bt",
	.run = bt_run,
	.step = bt_step,
	.kick = bt_kick,
	.nudge = bt_nudge,
	.request_stop = bt_request_stop,
	.bp_insert = bp_insert,
	.bp_remove = bp_remove,
	.bp_physical = bp_physical,
	.watch_insert = bt_watch_insert,
	.watch_remove = bt_watch_remove,
	.event_set = event_set,
	.callout_name = callout_name,
	.times = account_times,
	.reset = bt_reset,
	.state_changed = bt_state_changed,
	.host_memory = bt_host_memory,
	.translator = &translator,
	.views = bt_views,
	.free = bt_free,
};

/* ---- construction ---- */

static bool host_supports(char *err, size_t n)
{
	unsigned a, bx, c, d;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE_BIT)) {
		snprintf(err, n,
			 "this host's kernel does not allow WRGSBASE in user mode (Linux 5.9 or later does)");
		return false;
	}
	if (!__get_cpuid_count(7, 0, &a, &bx, &c, &d) || !(bx & bit_BMI2)) {
		snprintf(err, n, "this host's processor has no BMI2 instructions, which the translator uses");
		return false;
	}
	return true;
}

/* x87, SSE and AVX, as far as the host has them: what 32-bit guests can reach. */
static uint32_t host_xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo & 7;
}

static bool host_xgetbv1(void)
{
	unsigned a, bx, c, d;

	return __get_cpuid_count(0xd, 1, &a, &bx, &c, &d) && (a & CPUID_XGETBV1);
}

struct vcpu *bt_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			 char *err, size_t errlen)
{
	struct bt_vcpu *b;

	if (!host_supports(err, errlen))
		return NULL;
	b = cache_map_low(sizeof(*b), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	if (!b) {
		snprintf(err, errlen, "no memory below 2 GiB for the virtual processor");
		return NULL;
	}
	if (config)
		b->cfg = *(struct bt_config *)config;
	b->icount.on = clock == CLOCK_ICOUNT;
	if (b->cfg.tu_max > TU_LIMIT)
		b->cfg.tu_max = TU_LIMIT;
	b->vm = vm;
	b->v.plat = *plat;
	b->v.ops = &bt_ops;
	b->v.icount_limit = UINT64_MAX / 2;
	b->stubs.xsave_mask = host_xcr0();
	for (int s = 0; s < SEG_COUNT; s++)
		b->memo.seg[s].sel_neg = 1; /* no selector's */
	b->v.mmu = mmu_new(vm, &b->v.cpu, &b->v.plat);
	snprintf(err, errlen, "out of memory");
	if (!cache_init(b, err, errlen) || !b->v.mmu || !account_init(b) || !fault_init(b)) {
		bt_free(&b->v);
		return NULL;
	}
	if (b->cfg.precheck_all)
		mmu_bypass_all(b->v.mmu);
	poll_pass(b);
	for (unsigned i = 0; i < PARTS; i++)
		b->parts[0].v[i] = b->parts[1].v[i] = b->guard.no_vt | LONG_MIB_SHIFT;
	for (unsigned i = PART_LOW; i <= PART_HIGH; i++)
		b->smap.open[i] = b->smap.closed[i] = b->guard.no_vt | LONG_MIB_SHIFT;
	b->smap.unknown = true;
	runtime_hooks(b);
	b->win.selected = mmu_selected(b->v.mmu);
	b->win.apart = mmu_apart(b->v.mmu);
	b->win.home = mmu_home(b->v.mmu);
	stub_init(b);
	if (!translate_init(b) || (b->cfg.verify && !verify_init(b))) {
		bt_free(&b->v);
		return NULL;
	}
	cache_flush_all(b, false);
	b->st.flushes = 0;
	adapt_init(b);
	cpu_reset(&b->v.cpu);
	isa_init(&b->isa, plat, &b->v.cpu);
	b->isa.has[FEATURE_XGETBV1] &= host_xgetbv1(); /* the callout executes it */
	return &b->v;
}
