/* SPDX-License-Identifier: GPL-3.0-or-later
 * The outbox of the control socket, over a real socket whose other end reads when the test lets it. The
 * oracle is a count: each line added is either received, whole and in order, or counted by a notice. */
#include "console/outbox.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ends {
	int here, there;
	char *got; /* received bytes that do not form a line yet */
	size_t len;
	unsigned next;	   /* the least number the next line may have */
	unsigned received; /* lines */
	uint64_t lost;	   /* as notices say */
};

static void ends_init(struct ends *e)
{
	int fds[2], size = 64 << 10;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*e = (struct ends){ .here = fds[0], .there = fds[1], .got = malloc(1 << 20) };
	setsockopt(e->here, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fcntl(e->there, F_SETFL, O_NONBLOCK);
}

static void ends_fini(struct ends *e)
{
	close(e->here);
	close(e->there);
	free(e->got);
}

static void take_line(struct ends *e, const char *line)
{
	const char *lost = strstr(line, "\"lost\":");
	unsigned n;

	if (lost) {
		e->lost += strtoull(lost + strlen("\"lost\":"), NULL, 10);
		return;
	}
	ck_assert_msg(sscanf(line, "line %u ", &n) == 1 && line[strlen(line) - 1] == '.', "torn: %s", line);
	ck_assert_msg(n >= e->next, "line %u after %u", n, e->next);
	e->next = n + 1;
	e->received++;
}

/* Read what has arrived, at most MOST bytes. */
static void receive(struct ends *e, size_t most)
{
	ssize_t n = recv(e->there, e->got + e->len, most, 0);
	char *end;

	if (n <= 0)
		return;
	e->len += (size_t)n;
	while ((end = memchr(e->got, '\n', e->len))) {
		size_t used = (size_t)(end + 1 - e->got);

		*end = 0;
		take_line(e, e->got);
		e->len -= used;
		memmove(e->got, end + 1, e->len);
	}
}

static void add_line(struct outbox *b, unsigned n, unsigned pad)
{
	char line[4096];
	int len = snprintf(line, sizeof(line), "line %u %*s.\n", n, (int)pad, "");

	outbox_add(b, line, (size_t)len);
}

static void send_all(struct ends *e, const char *buf, size_t n)
{
	while (n) {
		ssize_t done = send(e->here, buf, n, MSG_DONTWAIT);

		if (done < 0) {
			receive(e, 1 << 16);
			continue;
		}
		buf += done;
		n -= (size_t)done;
	}
}

static void drain(struct outbox *b, struct ends *e)
{
	for (int i = 0; i < 100000 && outbox_pending(b); i++) {
		ck_assert(outbox_send(b, e->here, false));
		receive(e, 1 << 16);
	}
	for (int i = 0; i < 100; i++)
		receive(e, 1 << 16);
	ck_assert(!outbox_pending(b));
	ck_assert_uint_eq(e->len, 0);
}

START_TEST(lines_arrive)
{
	struct outbox b = { 0 };
	struct ends e;

	ends_init(&e);
	ck_assert(!outbox_pending(&b));
	for (unsigned i = 0; i < 100; i++)
		add_line(&b, i, i);
	ck_assert(outbox_pending(&b));
	drain(&b, &e);
	ck_assert_uint_eq(e.received, 100);
	ck_assert_uint_eq(e.lost, 0);
	outbox_fini(&b);
	ends_fini(&e);
}
END_TEST

/* A reader that stops: lines are lost, counted, and none is torn. */
START_TEST(losses_are_counted)
{
	struct outbox b = { 0 };
	struct ends e;

	ends_init(&e);
	for (unsigned i = 0; i < 3000; i++) {
		add_line(&b, i, 200);
		ck_assert(outbox_send(&b, e.here, false));
	}
	ck_assert(b.lost > 0);
	drain(&b, &e);
	ck_assert(e.lost > 0);
	ck_assert_uint_eq(e.received + e.lost, 3000);
	ck_assert_uint_gt(e.received, 500); /* 256 KiB of them waited */
	outbox_fini(&b);
	ends_fini(&e);
}
END_TEST

/* A line of another kind goes between lines, whatever state the outbox is in. */
START_TEST(a_cut_tears_no_line)
{
	struct outbox b = { 0 };
	unsigned seed = 1, n = 0;
	struct ends e;
	char notice[200];

	ends_init(&e);
	for (int round = 0; round < 400; round++) {
		for (unsigned k = (unsigned)rand_r(&seed) % 40; k; k--)
			add_line(&b, n++, (unsigned)rand_r(&seed) % 3000);
		ck_assert(outbox_send(&b, e.here, rand_r(&seed) & 1));
		receive(&e, (size_t)rand_r(&seed) % 30000);
		if (rand_r(&seed) % 8)
			continue;
		send_all(&e, b.buf, outbox_torn(&b));
		outbox_cut(&b);
		send_all(&e, notice, outbox_notice(&b, notice, sizeof(notice)));
		ck_assert(!outbox_pending(&b));
	}
	drain(&b, &e);
	ck_assert_uint_eq(e.received + e.lost, n);
	ck_assert_uint_gt(e.lost, 0);
	ck_assert_uint_gt(e.received, 0);
	outbox_fini(&b);
	ends_fini(&e);
}
END_TEST

START_TEST(a_closed_end_is_reported)
{
	struct outbox b = { 0 };
	struct ends e;

	ends_init(&e);
	add_line(&b, 1, 0);
	close(e.there);
	ck_assert(!outbox_send(&b, e.here, false));
	outbox_fini(&b);
	e.there = -1;
	ends_fini(&e);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("outbox");
	TCase *t = tcase_create("outbox");

	tcase_add_test(t, lines_arrive);
	tcase_add_test(t, losses_are_counted);
	tcase_add_test(t, a_cut_tears_no_line);
	tcase_add_test(t, a_closed_end_is_reported);
	suite_add_tcase(s, t);
	return suite_run(s);
}
