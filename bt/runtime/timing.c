/* SPDX-License-Identifier: GPL-3.0-or-later
 * Timed callouts, and the event "callout". Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/timing.h"
#include "bt/adapt/account.h"
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"
#include "bt/runtime/stubs.h"

/* A sample stands for some hundred callouts. One of more cycles than this measured the host, which had taken
 * the processor away, or its world, whose time is accounted at the door. Where all are timed, none stands for
 * others. */
enum { LONGEST_SAMPLE = 1000000 };

static void use_stub(struct bt_vcpu *b, bool timed)
{
	b->stubs.callout = (uint64_t)(timed ? stub_callout_timed : stub_callout);
	b->stubs.callout_fpu = (uint64_t)(timed ? stub_callout_fpu_timed : stub_callout_fpu);
}

void timing_choose(struct bt_vcpu *b)
{
	use_stub(b, b->account.time_all || (b->debug.event_kinds >> ENGINE_EV_CALLOUT & 1));
}

void timing_sample(struct bt_vcpu *b)
{
	use_stub(b, true);
}

/* An event stops the vCPU behind the instruction of site S; returns where its callout continues. A callout
 * that only prepares an access cannot be left: the next poll stops. */
static uint64_t stop_behind(struct bt_vcpu *b, const struct site *s, uint64_t go_on)
{
	struct cpu *c = &b->v.cpu;

	if (b->stepping || go_on == 1)
		return go_on;
	if (go_on)
		return dispatch_exit(b, XC_LOOKUP);
	if (s->kind == CO_SEGCHECK || s->kind == CO_MMIO || s->kind == CO_PRECHECK || s->kind == CO_X87) {
		poll_poison(b);
		return 0;
	}
	c->rip = s->next;
	c->shadow = s->fn == co_sti ? SHADOW_STI : s->fn == co_load_seg && s->seg == SEG_SS ? SHADOW_SS : 0;
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_POLL);
}

uint64_t timing_call_done(struct bt_vcpu *b, uint64_t go_on)
{
	struct site *s = b->account.call_site;
	gva pc;
	uint64_t cycles = __builtin_ia32_rdtsc() - b->account.call_start;

	timing_choose(b);
	/* Exit links and the jump table's miss use these stubs too; they are not callouts. */
	if (s->fn == dispatch_miss || (void *)s->fn == (void *)dispatch_chain || !s->count)
		return go_on;
	pc = ccf_linear(s->ccf, s->eip);
	if (b->account.open && b->account.cause == TRAP_SENS) {
		cycles = __builtin_ia32_rdtsc() - b->account.started;
		account_close_slow(b);
	}
	if (b->account.time_all || cycles < LONGEST_SAMPLE) {
		b->account.timed[s->slot].cycles += cycles;
		b->account.timed[s->slot].count++;
	}
	runtime_event(b, ENGINE_EV_CALLOUT, s->kind, pc, false, pc);
	return b->debug.event_hit ? stop_behind(b, s, go_on) : go_on;
}
