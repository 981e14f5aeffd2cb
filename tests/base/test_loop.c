/* SPDX-License-Identifier: GPL-3.0-or-later
 * The event loop: many watchers, watchers that change the list, a watcher that runs the loop
 * itself. */
#include "base/loop.h"
#include "base/signals.h"
#include "tests/suite.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { MANY = 100 };

struct end {
	struct loop *l;
	int pipe[2];
	int calls;
	struct end *turns_for; /* READY runs the loop once, which must serve this one */
	struct end *forgets;
};

static void ready(void *ctx, int fd)
{
	struct end *e = ctx;
	char c;

	e->calls++;
	ck_assert_int_eq(read(fd, &c, 1), 1);
	if (e->forgets)
		loop_forget(e->l, e->forgets->pipe[0]);
	if (e->turns_for) {
		loop_turn(e->l, 0, -1);
		ck_assert_int_eq(e->turns_for->calls, 1);
	}
}

static void open_end(struct end *e, struct loop *l)
{
	*e = (struct end){ .l = l };
	ck_assert_int_eq(pipe(e->pipe), 0);
	loop_watch(l, e->pipe[0], ready, e);
}

static void poke(struct end *e)
{
	ck_assert_int_eq(write(e->pipe[1], "x", 1), 1);
}

static void close_end(struct end *e)
{
	loop_forget(e->l, e->pipe[0]);
	close(e->pipe[0]);
	close(e->pipe[1]);
}

START_TEST(many_watchers)
{
	struct loop *l = loop_new();
	struct end e[MANY];

	for (int i = 0; i < MANY; i++)
		open_end(&e[i], l);
	for (int i = 0; i < MANY; i += 2)
		poke(&e[i]);
	loop_turn(l, 0, -1);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(e[i].calls, i % 2 == 0);
		close_end(&e[i]);
	}
	loop_free(l);
}
END_TEST

START_TEST(forgotten_while_served)
{
	struct loop *l = loop_new();
	struct end a, b;

	open_end(&a, l);
	open_end(&b, l);
	a.forgets = &b;
	poke(&a);
	poke(&b);
	loop_turn(l, 0, -1);
	ck_assert_int_eq(a.calls, 1);
	ck_assert_int_eq(b.calls, 0);
	close_end(&a);
	close_end(&b);
	loop_free(l);
}
END_TEST

/* A descriptor that a nested turn has served is not served again: its read would block. */
START_TEST(turn_within_a_turn)
{
	struct loop *l = loop_new();
	struct end a, b;

	open_end(&a, l);
	open_end(&b, l);
	a.turns_for = &b;
	poke(&a);
	poke(&b);
	loop_turn(l, 0, -1);
	ck_assert_int_eq(b.calls, 1);
	poke(&b);
	loop_turn(l, 0, -1);
	ck_assert_int_eq(b.calls, 2);
	close_end(&a);
	close_end(&b);
	loop_free(l);
}
END_TEST

START_TEST(also_is_left_alone)
{
	struct loop *l = loop_new();
	struct end a;
	int also[2];
	char c;

	ck_assert_int_eq(pipe(also), 0);
	loop_turn(l, 0, -1);
	ck_assert_int_eq(write(also[1], "y", 1), 1);
	loop_turn(l, 10000, also[0]); /* no watchers yet */
	open_end(&a, l);
	loop_turn(l, 10000, also[0]);
	ck_assert_int_eq(a.calls, 0);
	ck_assert_int_eq(read(also[0], &c, 1), 1);
	close_end(&a);
	loop_free(l);
}
END_TEST

static void take_number(void *ctx, int fd)
{
	*(int *)ctx = signals_next(fd);
}

/* Signals stay pending between turns, arrive in the next one, and leave what waits alone. */
START_TEST(signals_arrive_in_turns)
{
	struct loop *l = loop_new();
	int fd = signals_take((const int[]){ SIGINT, SIGWINCH, 0 }), signo = 0;
	struct end a;

	ck_assert_int_ge(fd, 0);
	loop_watch(l, fd, take_number, &signo);
	kill(getpid(), SIGINT);
	ck_assert_int_eq(signals_next(fd), 0);
	loop_turn(l, 10000, -1);
	ck_assert_int_eq(signo, SIGINT);
	open_end(&a, l);
	poke(&a); /* what is ready does not keep them out */
	kill(getpid(), SIGWINCH);
	loop_turn(l, -1, -1);
	ck_assert_int_eq(signo, SIGWINCH);
	loop_turn(l, 0, -1);
	ck_assert_int_eq(signals_next(fd), 0);
	close_end(&a);
	loop_forget(l, fd);
	close(fd);
	loop_free(l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_add_test(t, many_watchers);
	tcase_add_test(t, forgotten_while_served);
	tcase_add_test(t, turn_within_a_turn);
	tcase_add_test(t, also_is_left_alone);
	tcase_add_test(t, signals_arrive_in_turns);
	suite_add_tcase(s, t);
	return suite_run(s);
}
