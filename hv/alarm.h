/* SPDX-License-Identifier: GPL-3.0-or-later
 * The alarm: a thread that sleeps until the clock's next deadline and then has the vCPU notice by a store
 * (engine_ops.nudge), where a timer's signal would interrupt it. That pays only where another processor is
 * idle: while the thread is not punctual, or wakes on the vCPU's processor, the clock goes back to signals.
 * The vCPU's thread sets the deadline; the thread looks at it when it wakes, so that only one earlier than
 * that takes a system call. */
#ifndef HV_ALARM_H
#define HV_ALARM_H
#include <stdatomic.h>

#include "base/types.h"

struct vcpu;

#define ALARM_NEVER UINT64_MAX

struct alarm {
	/* of the vCPU's thread */
	_Atomic uint64_t deadline; /* CLOCK_MONOTONIC, ns; ALARM_NEVER: none */
	_Atomic int cpu;	   /* processor of the host that it was seen on */
	atomic_bool asleep;	   /* it wakes by itself */
	/* of the alarm's */
	atomic_bool serves;	   /* punctual; otherwise the clock uses signals */
	_Atomic uint64_t looks_at; /* when it reads the deadline again by itself; 0: it is awake */
	_Atomic uint32_t seq;	   /* futex: changed to wake it */
	atomic_bool quit;
	/* Statistics: deadlines announced by a store, those that needed a signal after all, and how often it
	 * began to serve. */
	_Atomic uint64_t nudges, missed, begun;
};

/* Can an alarm be of use to V: a second processor, an engine that can be nudged? */
bool alarm_useful(const struct vcpu *v);
/* Start the thread. BEGINS: called on it first, may be NULL; false with a line in ERR: alarm_new() fails. */
struct alarm *alarm_new(struct vcpu *v, bool (*begins)(char *err, size_t errlen), char *err, size_t errlen);
void alarm_free(struct alarm *a);
#endif
