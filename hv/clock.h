/* SPDX-License-Identifier: GPL-3.0-or-later
 * VM time in nanoseconds and the timers that devices set on it. Host mode:
 * CLOCK_MONOTONIC minus the time during which the machine was stopped. Icount mode: retired
 * instructions times a constant, plus idle time that was skipped. Timers fire
 * on the vCPU thread, from clock_run(). */
#ifndef HV_CLOCK_H
#define HV_CLOCK_H
#include <time.h>

#include "hv/alarm.h"
#include "hv/latency.h"
#include "hv/machine.h"

#define CLOCK_NEVER UINT64_MAX
#define NS_PER_SEC 1000000000ull
#define BUS_HZ 66000000u /* the processor's bus, which the APIC timer counts */

struct vm_timer {
	struct vm_timer *next;
	uint64_t deadline; /* VM ns */
	bool armed;
	void (*fire)(void *ctx);
	void *ctx;
};

struct vm_clock {
	enum clock_mode mode;
	unsigned ns_per_insn; /* icount mode */
	bool running;
	uint64_t base;	   /* host mode, running: VM time = CLOCK_MONOTONIC - base */
	uint64_t held;	   /* host mode, stopped: VM time */
	uint64_t skipped;  /* icount mode: idle ns skipped */
	uint64_t held_tsc; /* guest TSC while stopped (host mode) */
	uint32_t tsc_khz;
	struct vm_timer *head; /* armed timers, earliest first */
	struct vcpu *v;
	uint64_t limit;	    /* icount mode: the run loop's own limit (instructions) */
	timer_t host_timer; /* kicks the vCPU thread */
	bool have_host_timer;
	uint64_t timer_for;  /* VM ns the host timer is set for, or signals next; CLOCK_NEVER: not set */
	uint64_t armed_for;  /* VM ns at which the vCPU thread will notice; CLOCK_NEVER: not set */
	bool by_alarm;	     /* ... by the alarm, and by the host timer only where that fails */
	uint64_t rearmed;    /* earliest deadline set since clock_run() began; CLOCK_NEVER: none */
	struct alarm *alarm; /* NULL: there is none */
	struct latency late; /* from a timer's deadline to its function */
	bool no_kicks; /* leave the host timer unset: one instruction is being executed on another thread */
};

void clock_init(struct vm_clock *c, enum clock_mode mode, unsigned ns_per_insn);
void clock_fini(struct vm_clock *c);
/* Call on the vCPU thread once: host timers will kick the calling thread. */
bool clock_bind_thread(struct vm_clock *c);
/* The vCPU's thread is about to sleep until a deadline, or is awake. */
void clock_sleeps(struct vm_clock *c, bool asleep);
void clock_start(struct vm_clock *c);
void clock_stop(struct vm_clock *c);
uint64_t clock_now(const struct vm_clock *c);
uint64_t clock_tsc(const struct vm_clock *c);
/* VM time at which the TSC is AT, from now on: rounded up. */
uint64_t clock_at_tsc(const struct vm_clock *c, uint64_t at);

/* Set T for DEADLINE; one that is set already is moved. */
void timer_arm(struct vm_clock *c, struct vm_timer *t, uint64_t deadline);
void timer_cancel(struct vm_clock *c, struct vm_timer *t);
/* Fire the timers that are due. */
void clock_run(struct vm_clock *c);
static inline uint64_t clock_next(const struct vm_clock *c)
{
	return c->head ? c->head->deadline : CLOCK_NEVER;
}
/* Icount mode: skip idle time up to T. */
void clock_skip_to(struct vm_clock *c, uint64_t t);
/* Icount mode: set v->icount_limit from the next deadline and c->limit. */
void clock_set_icount_limit(struct vm_clock *c);

/* A * MUL / DIV, at most UINT64_MAX. */
static inline uint64_t muldiv64(uint64_t a, uint64_t mul, uint64_t div)
{
	uint64_t lo, hi;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "r"(mul) : "cc");
	if (hi >= div)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(lo), "+d"(hi) : "r"(div) : "cc");
	return lo;
}
#endif
