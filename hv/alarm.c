/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/alarm.h. The thread looks at the deadline when it wakes, announces it if it is due, and waits for
 * the next one: spinning for a few microseconds, as that usually follows at once and a second sleep costs
 * more; then asleep, and if the vCPU has not noticed by then it gets a signal. Whether it is punctual is a
 * score: unpunctual deadlines add to it, punctual ones subtract. While the clock uses signals, a few sleeps
 * now and then tell whether an alarm would be punctual. */
#include "hv/alarm.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "x86/engine.h"

enum {
	SPIN_NS = 10000,       /* for the next deadline */
	NOTICE_NS = 100000,    /* a nudge must have been noticed */
	PUNCTUAL_NS = 60000,   /* latest that counts as punctual */
	HOPELESS_NS = 1000000, /* so late that it stops serving at once */
	SCORE_LATE = 4,	       /* against -1 for punctual */
	SCORE_MAX = 12,
	LINGER_NS = 200000,	  /* first wait for a deadline that is not known yet; doubles */
	LINGER_MAX_NS = 20000000, /* beyond that, wait to be woken */
	PROBES = 4,
	PROBE_NS = 500000,
};
#define HOLD_NS 30000000ull /* first wait between probes; doubles */
#define HOLD_MAX_NS 2000000000ull

/* What the thread alone knows. */
struct serving {
	struct alarm a; /* first: what others see */
	struct vcpu *v;
	pthread_t thread;
	bool (*begins)(char *err, size_t errlen);
	char *err;
	size_t errlen;
	enum { STARTS, RUNS, FAILED } state; /* under LOCK */
	pthread_mutex_t lock;
	pthread_cond_t started;
	unsigned score;
	uint64_t linger, hold, since; /* SINCE: when it began to serve */
};

static uint64_t now_ns(void)
{
	return (uint64_t)monotonic_ns();
}

/* Sleep until AT, unless the deadline is no longer D, or until it is one before AT. */
static void sleep_until(struct alarm *a, uint64_t at, uint64_t d)
{
	uint32_t seq = atomic_load(&a->seq);
	struct timespec ts = { .tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000) };

	atomic_store(&a->looks_at, at);
	if (atomic_load(&a->deadline) == d && !atomic_load(&a->quit))
		syscall(SYS_futex, &a->seq, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, seq,
			at == ALARM_NEVER ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);
	atomic_store(&a->looks_at, 0);
}

static bool same_cpu(const struct alarm *a)
{
	return sched_getcpu() == atomic_load_explicit(&a->cpu, memory_order_relaxed);
}

/* Nothing is due, or the vCPU will look for itself: until it says when it wants to know again. */
static void linger(struct serving *s, uint64_t d)
{
	uint64_t for_ns = s->linger;

	s->linger *= 2;
	sleep_until(&s->a, for_ns > LINGER_MAX_NS ? ALARM_NEVER : now_ns() + for_ns, d);
}

static void stop_serving(struct serving *s, uint64_t now)
{
	if (now - s->since > HOLD_MAX_NS)
		s->hold = HOLD_NS;
	atomic_store(&s->a.serves, false);
	s->v->ops->kick(s->v); /* the clock sets its timer */
}

/* The deadline D has changed since. Spin unless the vCPU needs this processor for it. */
static bool noticed(const struct alarm *a, uint64_t d, bool here)
{
	uint64_t end = now_ns() + SPIN_NS;

	while (!here && atomic_load(&a->deadline) == d && now_ns() < end)
		__builtin_ia32_pause();
	return atomic_load(&a->deadline) != d;
}

static void announce(struct serving *s, uint64_t d, uint64_t now)
{
	struct alarm *a = &s->a;
	bool here = same_cpu(a), good = !here && now - d < PUNCTUAL_NS;

	s->v->ops->nudge(s->v);
	atomic_fetch_add_explicit(&a->nudges, 1, memory_order_relaxed);
	if (!noticed(a, d, here)) {
		struct timespec ts = { .tv_nsec = NOTICE_NS };

		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
		if (atomic_load(&a->deadline) == d && !atomic_load(&a->asleep)) {
			s->v->ops->kick(s->v);
			atomic_fetch_add_explicit(&a->missed, 1, memory_order_relaxed);
			good = false;
		}
	}
	s->score = good ? s->score - !!s->score : s->score + SCORE_LATE;
	s->linger = LINGER_NS;
	if (now - d >= HOPELESS_NS || s->score >= SCORE_MAX)
		stop_serving(s, now_ns());
}

static void serve(struct serving *s)
{
	struct alarm *a = &s->a;
	uint64_t d = atomic_load(&a->deadline), now = now_ns();

	if (d == ALARM_NEVER || (d <= now && atomic_load(&a->asleep))) {
		linger(s, d);
	} else if (d > now) {
		s->linger = LINGER_NS;
		sleep_until(a, d, d);
	} else {
		announce(s, d, now);
	}
}

/* While the clock uses signals: would an alarm be punctual? */
static void probe(struct serving *s)
{
	struct alarm *a = &s->a;
	unsigned good = 0;

	while (good < PROBES && !atomic_load(&a->quit)) {
		uint64_t at = now_ns() + PROBE_NS;

		sleep_until(a, at, atomic_load(&a->deadline));
		if (now_ns() - at > PUNCTUAL_NS || same_cpu(a))
			break;
		good++;
	}
	if (good == PROBES && !atomic_load(&a->asleep)) {
		s->score = 0;
		s->since = now_ns();
		s->linger = LINGER_NS;
		atomic_store(&a->serves, true);
		atomic_fetch_add_explicit(&a->begun, 1, memory_order_relaxed);
		return;
	}
	if (!atomic_load(&a->quit))
		sleep_until(a, now_ns() + s->hold, atomic_load(&a->deadline));
	s->hold = s->hold * 2 > HOLD_MAX_NS ? HOLD_MAX_NS : s->hold * 2;
}

static bool begin(struct serving *s)
{
	bool ok = !s->begins || s->begins(s->err, s->errlen);

	pthread_mutex_lock(&s->lock);
	s->state = ok ? RUNS : FAILED;
	pthread_cond_signal(&s->started);
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void *alarm_thread(void *arg)
{
	struct serving *s = arg;
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* a forbidden call is reported */
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_setname_np(pthread_self(), "alarm");
	prctl(PR_SET_TIMERSLACK, 1);
	if (!begin(s))
		return NULL;
	while (!atomic_load(&s->a.quit)) {
		if (atomic_load(&s->a.serves))
			serve(s);
		else
			probe(s);
	}
	return NULL;
}

bool alarm_useful(const struct vcpu *v)
{
	const char *how = getenv("VITRINE_TIMER");
	cpu_set_t set;

	return v->ops->nudge && !(how && !strcmp(how, "signal")) &&
	       !sched_getaffinity(0, sizeof(set), &set) && CPU_COUNT(&set) > 1;
}

static void serving_free(struct serving *s)
{
	pthread_cond_destroy(&s->started);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct alarm *alarm_new(struct vcpu *v, bool (*begins)(char *err, size_t errlen), char *err, size_t errlen)
{
	struct serving *s = calloc(1, sizeof(*s));
	bool ok;

	if (!s) {
		snprintf(err, errlen, "out of memory for the alarm");
		return NULL;
	}
	s->v = v;
	s->begins = begins;
	s->err = err;
	s->errlen = errlen;
	s->hold = HOLD_NS;
	atomic_store(&s->a.deadline, ALARM_NEVER);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->started, NULL);
	if (pthread_create(&s->thread, NULL, alarm_thread, s)) {
		snprintf(err, errlen, "cannot start the alarm's thread");
		serving_free(s);
		return NULL;
	}
	pthread_mutex_lock(&s->lock);
	while (s->state == STARTS)
		pthread_cond_wait(&s->started, &s->lock);
	ok = s->state == RUNS;
	pthread_mutex_unlock(&s->lock);
	if (ok)
		return &s->a;
	pthread_join(s->thread, NULL);
	serving_free(s);
	return NULL;
}

void alarm_free(struct alarm *a)
{
	struct serving *s = (struct serving *)a;

	if (!a)
		return;
	atomic_store(&a->quit, true);
	atomic_fetch_add(&a->seq, 1);
	syscall(SYS_futex, &a->seq, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
	pthread_join(s->thread, NULL);
	serving_free(s);
}
