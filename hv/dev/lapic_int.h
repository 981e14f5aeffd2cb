/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the local APIC: registers and vectors (lapic.c), the timer (lapic_timer.c). */
#ifndef HV_DEV_LAPIC_INT_H
#define HV_DEV_LAPIC_INT_H
#include "hv/apic.h"
#include "hv/board.h"

/* 256 bits, one for each vector. */
struct vectors {
	uint32_t word[8];
};

struct lapic {
	struct dev d;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t id, tpr, svr, ldr, dfr;
	uint32_t esr;	 /* as last written by the guest */
	uint32_t errors; /* since then */
	uint32_t icr, icr_high;
	uint32_t lvt[LVTS];
	struct vectors irr, isr, tmr;
	uint8_t lint;	   /* levels of pins LINT0 and LINT1 */
	uint32_t initial;  /* timer: initial count */
	uint32_t count;	   /* count at time START */
	uint32_t divide;   /* divide configuration register */
	uint64_t start;	   /* VM ns */
	uint64_t deadline; /* IA32_TSC_DEADLINE; 0: disarmed */
	uint64_t due;	   /* VM ns at which the timer's last interrupt was due */
	uint8_t from[256]; /* enum apic_from of each vector in IRR; past FROM_LINE, of a line */
	struct lapic_counts n;
	struct vm_timer timer;
};

static inline struct lapic *lapic_of(struct dev *d)
{
	return (struct lapic *)d;
}

static inline bool lapic_is_on(const struct lapic *l)
{
	return l->base & APIC_BASE_ENABLE;
}

/* ---- lapic.c ---- */
/* The interrupt of entry LVT, unless it is masked. */
void lapic_local(struct lapic *l, unsigned lvt, uint8_t from);

/* ---- lapic_timer.c ---- */
enum lapic_timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };
static inline unsigned lapic_timer_mode(const struct lapic *l)
{
	return l->lvt[LVT_TIMER] >> 17 & 3;
}
/* The current count register. */
uint32_t lapic_timer_count(const struct lapic *l);
/* Have the clock announce the next expiry: after anything that it depends on has changed. */
void lapic_timer_arm(struct lapic *l);
/* Writes of the timer's registers. */
void lapic_timer_write_lvt(struct lapic *l, uint32_t val);
void lapic_timer_write_initial(struct lapic *l, uint32_t count);
void lapic_timer_write_divide(struct lapic *l, uint32_t val);
void lapic_timer_write_deadline(struct lapic *l, uint64_t val);
/* Its interrupt was acknowledged: how late was that? */
void lapic_timer_taken(struct lapic *l);
void lapic_timer_init(struct lapic *l);
#endif
