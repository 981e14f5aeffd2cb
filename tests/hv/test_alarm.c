/* SPDX-License-Identifier: GPL-3.0-or-later
 * The alarm: deadlines are announced, never early; one that nobody notices takes a signal; an earlier
 * deadline wakes the thread; a vCPU that sleeps is left alone. The clock over it: deadlines arrive with the
 * alarm and after it has given up. Only what does not depend on the host's load is checked. */
#include "tests/suite.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "hv/clock.h"
#include "x86/engine.h"

enum { MS = 1000000 };

/* A processor that only counts. */
static struct counting {
	struct vcpu v;
	atomic_uint nudges, kicks;
	_Atomic int64_t first; /* when it was called first */
} cpu;
static struct alarm *a;

static void called(void)
{
	int64_t none = 0;

	atomic_compare_exchange_strong(&cpu.first, &none, monotonic_ns());
}

static void nudge(struct vcpu *v)
{
	(void)v;
	called();
	atomic_fetch_add(&cpu.nudges, 1);
}

static void kick(struct vcpu *v)
{
	(void)v;
	called();
	atomic_fetch_add(&cpu.kicks, 1);
}

static const struct engine_ops ops = { .kick = kick, .nudge = nudge };

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&cpu.kicks, 1);
}

static void setup(void)
{
	char err[100];

	memset(&cpu, 0, sizeof(cpu));
	cpu.v.ops = &ops;
	signal(ENGINE_KICK_SIGNAL, on_signal);
	a = alarm_new(&cpu.v, NULL, err, sizeof(err));
	ck_assert_ptr_nonnull(a);
	atomic_store(&a->cpu, -1);
}

static void teardown(void)
{
	alarm_free(a);
	a = NULL;
}

static void nap(void)
{
	struct timespec ts = { .tv_nsec = MS };

	nanosleep(&ts, NULL);
}

/* The alarm serves, whatever it thinks of the host. */
static void serve_anyway(void)
{
	while (!atomic_load(&a->serves)) {
		atomic_store(&a->serves, true);
		atomic_fetch_add(&a->seq, 1);
		nap();
	}
}

/* As the clock does it: the thread may already sleep until it is told. */
static void set_deadline(int64_t at)
{
	atomic_store(&a->deadline, (uint64_t)at);
	atomic_fetch_add(&a->seq, 1);
	syscall(SYS_futex, &a->seq, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

/* A signal has come, and nothing before DEADLINE. */
static void noticed_at_last(int64_t deadline)
{
	int64_t limit = monotonic_ns() + 60ll * 1000 * MS;

	while (!atomic_load(&cpu.kicks) && monotonic_ns() < limit)
		nap();
	ck_assert_uint_ge(atomic_load(&cpu.kicks), 1);
	ck_assert_int_ge(atomic_load(&cpu.first), deadline);
}

START_TEST(announced_then_signalled)
{
	int64_t deadline = monotonic_ns() + 30 * MS;

	set_deadline(deadline);
	serve_anyway();
	noticed_at_last(deadline);
	ck_assert_uint_ge(atomic_load(&cpu.nudges), 1);
	ck_assert_uint_ge(atomic_load(&a->nudges), 1);
}
END_TEST

START_TEST(sleeper_is_left_alone)
{
	unsigned kicks;

	atomic_store(&a->asleep, true);
	serve_anyway();
	kicks = atomic_load(&cpu.kicks);
	set_deadline(monotonic_ns() - MS);
	for (int i = 0; i < 20; i++)
		nap();
	ck_assert_uint_eq(atomic_load(&cpu.nudges), 0);
	ck_assert_uint_eq(atomic_load(&cpu.kicks), kicks);
}
END_TEST

static unsigned fired;
static struct vm_clock c;

static void fire(void *ctx)
{
	(void)ctx;
	fired++;
}

/* Run timers once a kick of any kind has come, as an engine does. */
static void until_fired(unsigned n)
{
	int64_t limit = monotonic_ns() + 60ll * 1000 * MS;

	while (fired < n && monotonic_ns() < limit) {
		while (!atomic_exchange(&cpu.kicks, 0) && !atomic_exchange(&cpu.nudges, 0) &&
		       monotonic_ns() < limit)
			nap();
		clock_run(&c);
	}
	ck_assert_uint_eq(fired, n);
}

/* Timers arrive one after the other, with the alarm in whatever state it is, and when one is set earlier than
 * what the thread sleeps for. FAR: the alarm knows a far deadline first. */
START_TEST(clock_over_alarm)
{
	struct vm_timer t = { .fire = fire }, far = { .fire = fire };
	bool by_alarm = _i & 1, with_far = _i & 2;

	fired = 0;
	clock_init(&c, CLOCK_HOST, 1);
	ck_assert(clock_bind_thread(&c));
	c.alarm = by_alarm || with_far ? a : NULL;
	clock_start(&c);
	if (by_alarm)
		serve_anyway();
	if (with_far) {
		timer_arm(&c, &far, clock_now(&c) + 3600ull * 1000 * MS);
		nap();
	}
	for (unsigned i = 1; i <= 20; i++) {
		uint64_t at = clock_now(&c) + (i & 1 ? MS / 4 : 3 * MS);

		timer_arm(&c, &t, at);
		until_fired(i);
		ck_assert_uint_ge(clock_now(&c), at);
	}
	timer_cancel(&c, &far);
	clock_stop(&c);
	teardown();
	clock_fini(&c);
	ck_assert_uint_eq(c.armed_for, CLOCK_NEVER);
	ck_assert_uint_eq(c.timer_for, CLOCK_NEVER);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alarm");
	TCase *t = tcase_create("alarm");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, announced_then_signalled);
	tcase_add_test(t, sleeper_is_left_alone);
	tcase_add_loop_test(t, clock_over_alarm, 0, 4);
	suite_add_tcase(s, t);
	return suite_run(s);
}
