/* SPDX-License-Identifier: GPL-3.0-or-later
 * Networks without a machine: options, queues, rate, captures, and the back ends with both ends here. */
#include "tests/suite.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "hv/io/net_int.h"

enum { PATIENCE_MS = 60000 };

static char dir[] = "/tmp/vitrine-net-XXXXXX";
static char err[256];

/* One end: a link with its own notice. */
struct end {
	struct net_config config;
	struct io_notice notice;
	struct net *net;
};

static struct net *end_open(struct end *e, const char *text)
{
	const struct net_host host = { .notice = &e->notice };

	memset(e, 0, sizeof(*e));
	ck_assert_msg(net_parse(&e->config, text, err, sizeof(err)), "%s", err);
	e->net = net_open(&e->config, err, sizeof(err));
	if (e->net)
		ck_assert_msg(net_start(e->net, &host, 5, err, sizeof(err)), "%s", err);
	return e->net;
}

static void end_close(struct end *e)
{
	net_close(e->net);
	net_config_fini(&e->config);
}

static const char *in_dir(const char *before, const char *name)
{
	static char text[4][300];
	static unsigned n;
	char *t = text[n++ % 4];

	snprintf(t, sizeof(text[0]), "%s%s/%s", before, dir, name);
	return t;
}

static void make_frame(uint8_t *f, uint8_t to, uint8_t from, unsigned number, uint32_t len)
{
	memset(f, 0, len);
	memcpy(f, (uint8_t[]){ 2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5 }, 14);
	memcpy(f + 14, &number, sizeof(number));
	for (uint32_t i = 18; i < len; i++)
		f[i] = (uint8_t)(i + number);
}

/* The next frame that arrives at E, or NULL when none does in MS. It has to be taken. */
static const uint8_t *arrival(struct end *e, uint32_t *len, int ms)
{
	int64_t end = monotonic_ns() + ms * 1000000ll;
	const uint8_t *f;

	while (!(f = frames_first(net_arrived(e->net), len)) && monotonic_ns() < end)
		usleep(200);
	return f;
}

static void take(struct end *e, uint32_t len)
{
	frames_take(net_arrived(e->net), len);
	if (atomic_load(net_wants_room(e->net)))
		net_made_room(e->net);
}

static void send_frame(struct end *e, const uint8_t *f, uint32_t len)
{
	int64_t end = monotonic_ns() + PATIENCE_MS * 1000000ll;

	while (!net_send(e->net, f, len) && monotonic_ns() < end) {
		net_push(e->net);
		usleep(200);
	}
	net_push(e->net);
}

static void wait_up(struct end *e)
{
	for (int i = 0; i < PATIENCE_MS && !*net_up(e->net); i++)
		usleep(1000);
	ck_assert(*net_up(e->net));
}

/* ---- options ---- */

static const struct {
	const char *text;
	bool good;
} texts[] = {
	{ "user", true },
	{ "user,model=pcnet,mac=52:54:00:12:34:56", true },
	{ "user,hostfwd=tcp:127.0.0.1:0-80,hostfwd=tcp::0-81,bootfile=http://10.0.2.2/x", true },
	{ "tap:vt0,rate=100M,pcap=/tmp/x", true },
	{ "hub,model=virtio", true },
	{ "hub", true },
	{ "hub,rom=/r", true },
	{ "hub,rom=", false },
	{ "hub:/tmp/h,rate=8k", true },
	{ "user:socket=/tmp/p", true },
	{ "", false },
	{ "users", false },
	{ "user:x", false },
	{ "tap", false },
	{ "tap:", false },
	{ "hub,hostfwd=tcp::1-2", false },
	{ "user,mac=53:54:00:12:34:56", false }, /* a group */
	{ "user,mac=52:54:00:12:34", false },
	{ "user,mac=52:54:00:12:34:56:78", false },
	{ "user,tftp=/tmp,bootfile=x", true },
	{ "hub,tftp=/tmp", false },
	{ "user,rate=", false },
	{ "user,rate=-5M", false },
	{ "user,rate=100MB", false },
	{ "user,rate=99999999999999999999G", false },
	{ "user,rate=7999", false },
	{ "user,model=ne2000", false },
	{ "user,nosuch=1", false },
	{ "user,pcap", false },
};

START_TEST(test_options)
{
	struct net_config c;

	err[0] = 0;
	ck_assert_msg(net_parse(&c, texts[_i].text, err, sizeof(err)) == texts[_i].good, "%s",
		      texts[_i].text);
	ck_assert_msg(texts[_i].good || !strncmp(err, "--net: ", 7), "%s", err);
	net_config_fini(&c);
}
END_TEST

START_TEST(test_values)
{
	struct net_config c;

	ck_assert(net_parse(&c, "hub:/a/b,rate=2M,mac=02:00:5e:10:00:ff,pcap=/c", err, sizeof(err)));
	ck_assert_str_eq(c.backend, "hub");
	ck_assert_str_eq(c.place, "/a/b");
	ck_assert_uint_eq(c.rate, 2000000);
	ck_assert_uint_eq(c.mac[5], 0xff);
	ck_assert_str_eq(c.pcap, "/c");
	net_config_fini(&c);
}
END_TEST

/* ---- queue and rate ---- */

START_TEST(test_frames)
{
	uint8_t buf[4096], f[FRAME_MAX];
	struct frames q = { .buf = buf, .size = sizeof(buf) };
	unsigned put = 0, taken = 0, seed = 1;

	for (unsigned i = 0; i < 200000; i++) {
		uint32_t len;
		const uint8_t *g;

		seed = seed * 1103515245 + 12345;
		len = 14 + (seed >> 16) % (seed & 0x100000 ? 1500 : 60);
		make_frame(f, 1, 2, put, len < 18 ? 18 : len);
		if ((seed >> 8 & 3) && frames_put(&q, f, len < 18 ? 18 : len)) {
			put++;
			continue;
		}
		g = frames_first(&q, &len);
		if (!g) {
			ck_assert_uint_eq(put, taken);
			continue;
		}
		make_frame(f, 1, 2, taken, len);
		if (memcmp(f, g, len))
			ck_abort_msg("frame %u", taken);
		frames_take(&q, len);
		taken++;
	}
	ck_assert_uint_gt(taken, 10000);
	ck_assert(!frames_put(&q, f, FRAME_MAX + 1));
}
END_TEST

START_TEST(test_bucket)
{
	struct net_bucket b;
	uint64_t now = 1000, bytes = 0, end;

	bucket_init(&b, 12500000, now); /* 100 Mbit/s */
	while (now < 1000000000) {
		if (bucket_take(&b, 1514, now))
			bytes += 1538;
		else
			now += bucket_wait(&b, 1514);
	}
	ck_assert_msg(bytes > 12400000 && bytes < 12600000, "%llu bytes in a second",
		      (unsigned long long)bytes);
	bucket_init(&b, 0, now);
	ck_assert(bucket_take(&b, 1514, now));
	/* An idle minute does not save up for more than a burst. */
	bucket_init(&b, 12500000, now);
	now += 60000000000;
	for (bytes = 0; bucket_take(&b, 1514, now); bytes += 1538)
		;
	ck_assert_uint_le(bytes, 12500);
	/* Waking late by 3 ms loses nothing while frames wait; what a late minute saves up is bounded. */
	bucket_init(&b, 12500000, now);
	end = now + 1000000000;
	for (bytes = 0; now < end;)
		if (bucket_take(&b, 1514, now))
			bytes += 1538;
		else
			now += bucket_wait(&b, 1514) + 3000000;
	ck_assert_msg(bytes > 12300000 && bytes < 12600000, "%llu bytes, late each time",
		      (unsigned long long)bytes);
	now += 60000000000;
	for (bytes = 0; bucket_take(&b, 1514, now); bytes += 1538)
		;
	ck_assert_uint_le(bytes, 12500 + 50000);
	bucket_idle(&b);
	now += 60000000000;
	for (bytes = 0; bucket_take(&b, 1514, now); bytes += 1538)
		;
	ck_assert_uint_le(bytes, 12500);
}
END_TEST

/* ---- back ends ---- */

START_TEST(test_hub)
{
	struct end a, b, c;
	const uint8_t *g;
	uint8_t f[FRAME_MAX];
	uint32_t len;

	ck_assert_msg(end_open(&a, in_dir("hub:", "h1")), "%s", err);
	ck_assert_msg(end_open(&b, in_dir("hub:", "h1")), "%s", err);
	ck_assert_msg(end_open(&c, in_dir("hub:", "h1")), "%s", err);
	wait_up(&b);
	wait_up(&c);
	make_frame(f, 0xff, 2, 7, 60);
	f[0] = 0xff;
	send_frame(&b, f, 60); /* a group: to all others */
	for (struct end *e = &a; e; e = e == &a ? &c : NULL) {
		ck_assert(g = arrival(e, &len, PATIENCE_MS));
		ck_assert(len == 60 && !memcmp(g, f, 60));
		take(e, len);
	}
	ck_assert(atomic_load(&a.notice.ready) == 1 << 5);
	/* The switch has learned where station 2 is. */
	for (unsigned i = 0; i < 3000; i++) {
		struct end *from = i & 1 ? &a : &c;

		make_frame(f, 2, i & 1 ? 1 : 3, i, 60 + i % 1400);
		send_frame(from, f, 60 + i % 1400);
		ck_assert(g = arrival(&b, &len, PATIENCE_MS));
		ck_assert_uint_eq(len, 60 + i % 1400);
		ck_assert(!memcmp(g, f, len));
		take(&b, len);
	}
	make_frame(f, 1, 2, 0, 100);
	send_frame(&b, f, 100);
	ck_assert(arrival(&a, &len, PATIENCE_MS));
	ck_assert_msg(!frames_used(net_arrived(c.net)), "a frame for station 1 arrived at station 3, too");
	end_close(&a);
	end_close(&b);
	end_close(&c);
}
END_TEST

START_TEST(test_hub_goes_on)
{
	struct end a, b, c;
	uint8_t f[64];
	uint32_t len;

	ck_assert(end_open(&a, in_dir("hub:", "h2")) && end_open(&b, in_dir("hub:", "h2")) &&
		  end_open(&c, in_dir("hub:", "h2")));
	wait_up(&b);
	wait_up(&c);
	end_close(&a); /* the switch */
	make_frame(f, 3, 2, 0, sizeof(f));
	for (int i = 0; i < PATIENCE_MS / 50; i++) {
		send_frame(&b, f, sizeof(f));
		if (arrival(&c, &len, 50))
			break;
	}
	ck_assert_msg(frames_first(net_arrived(c.net), &len) != NULL, "the hub does not survive its switch");
	end_close(&b);
	end_close(&c);
}
END_TEST

/* An end that takes nothing: the others go on, and what waits is bounded. */
START_TEST(test_hub_blocked)
{
	struct end a, b, c;
	uint8_t f[1514];
	uint32_t len, out, in;

	ck_assert(end_open(&a, in_dir("hub:", "h3")) && end_open(&b, in_dir("hub:", "h3")) &&
		  end_open(&c, in_dir("hub:", "h3")));
	wait_up(&b);
	wait_up(&c);
	make_frame(f, 2, 1, 0, sizeof(f));
	f[0] = 3;			      /* a group */
	for (unsigned i = 0; i < 4000; i++) { /* b takes nothing; c does */
		send_frame(&a, f, sizeof(f));
		ck_assert_msg(arrival(&c, &len, PATIENCE_MS) != NULL, "frame %u", i);
		take(&c, len);
	}
	net_queued(b.net, &out, &in);
	ck_assert_uint_le(in, 1 << 20);
	ck_assert_uint_lt(net_stats(b.net)->frames_in, 1000);
	end_close(&a);
	end_close(&b);
	end_close(&c);
}
END_TEST

START_TEST(test_rate)
{
	struct end a, b;
	uint8_t f[1514];
	uint32_t len;
	int64_t t0, t;
	uint64_t most;

	ck_assert(end_open(&a, in_dir("hub:", "h4")));
	ck_assert(end_open(&b, strcat((char *)(uintptr_t)in_dir("hub:", "h4"), ",rate=20M")));
	wait_up(&b);
	make_frame(f, 1, 2, 0, sizeof(f));
	t0 = monotonic_ns();
	/* A busy host may send too little for a while. */
	while ((t = monotonic_ns() - t0) < 400000000 ||
	       ((!net_stats(b.net)->waited || net_stats(a.net)->frames_in <= 200) &&
		t < PATIENCE_MS * 1000000ll)) {
		for (int i = 0; i < 8; i++)
			net_send(b.net, f, sizeof(f));
		net_push(b.net);
		while (arrival(&a, &len, 0))
			take(&a, len);
		usleep(300);
	}
	ck_assert_uint_gt(net_stats(b.net)->waited, 0);
	/* 20 Mbit/s are 1626 frames a second of 1538 bytes on the wire; the bucket holds some more. */
	most = (uint64_t)(monotonic_ns() - t0) / 1000 * 1626 / 1000000 + 45;
	ck_assert_msg(net_stats(a.net)->frames_in < most && net_stats(a.net)->frames_in > 200,
		      "%llu frames of %llu", (unsigned long long)net_stats(a.net)->frames_in,
		      (unsigned long long)most);
	end_close(&a);
	end_close(&b);
}
END_TEST

START_TEST(test_pcap)
{
	char path[300], opt[700];
	struct end a, b;
	uint8_t f[100], got[24 + 16 + 100 + 1];
	uint32_t len, head[6];
	FILE *file;

	snprintf(path, sizeof(path), "%s", in_dir("", "cap"));
	snprintf(opt, sizeof(opt), "%s,pcap=%s", in_dir("hub:", "h5"), path);
	ck_assert(end_open(&a, in_dir("hub:", "h5")) && end_open(&b, opt));
	wait_up(&b);
	make_frame(f, 1, 2, 0, sizeof(f));
	send_frame(&b, f, sizeof(f));
	ck_assert(arrival(&a, &len, PATIENCE_MS));
	end_close(&b);
	end_close(&a);
	file = fopen(path, "r");
	ck_assert(file);
	ck_assert_uint_eq(fread(got, 1, sizeof(got), file), sizeof(got) - 1);
	fclose(file);
	memcpy(head, got, sizeof(head));
	ck_assert_uint_eq(head[0], 0xa1b23c4d);
	ck_assert_uint_eq(head[5], 1);
	memcpy(head, got + 24, 16);
	ck_assert_uint_eq(head[2], 100);
	ck_assert_uint_eq(head[3], 100);
	ck_assert(!memcmp(got + 40, f, 100));
}
END_TEST

/* passt's side of a stream socket, in pieces that cut frames. */
START_TEST(test_passt)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int l = socket(AF_UNIX, SOCK_STREAM, 0), fd;
	uint8_t f[200], wire[2 * 204], back[204];
	const uint8_t *g;
	struct end a;
	uint32_t len;

	strcpy(at.sun_path, in_dir("", "passt"));
	ck_assert(!bind(l, (struct sockaddr *)&at, sizeof(at)) && !listen(l, 1));
	ck_assert_msg(end_open(&a, in_dir("user:socket=", "passt")), "%s", err);
	fd = accept(l, NULL, NULL);
	make_frame(f, 1, 2, 9, sizeof(f));
	memcpy(wire, &(uint32_t){ htonl(200) }, 4);
	memcpy(wire + 4, f, 200);
	memcpy(wire + 204, wire, 204);
	for (unsigned at_byte = 0; at_byte < sizeof(wire); at_byte += 51) {
		ck_assert_int_eq(write(fd, wire + at_byte, 51), 51);
		usleep(2000);
	}
	for (unsigned i = 0; i < 2; i++) {
		ck_assert(g = arrival(&a, &len, PATIENCE_MS));
		ck_assert(len == 200 && !memcmp(g, f, 200));
		take(&a, len);
	}
	send_frame(&a, f, 200);
	ck_assert_int_eq(recv(fd, back, 204, MSG_WAITALL), 204);
	ck_assert(!memcmp(back, wire, 204));
	/* What is not the protocol ends the connection, not the process. */
	ck_assert_int_eq(write(fd, "\xff\xff\xff\xff", 4), 4);
	for (int i = 0; i < PATIENCE_MS && *net_up(a.net); i++)
		usleep(1000);
	ck_assert(!*net_up(a.net));
	send_frame(&a, f, 200);
	end_close(&a);
	close(fd);
	close(l);
}
END_TEST

START_TEST(test_user)
{
	static const uint8_t arp[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  1, 8, 6,
					 0,    1,    8,	   0,	 6,    4,    0, 1, 2, 0, 0,  0, 0, 1,
					 10,   0,    2,	   15,	 0,    0,    0, 0, 0, 0, 10, 0, 2, 2 };
	const uint8_t *g;
	struct end a, b;
	uint32_t len;

	ck_assert_msg(end_open(&a, "user,hostfwd=tcp:127.0.0.1:0-80"), "%s", err);
	send_frame(&a, arp, sizeof(arp));
	do {
		ck_assert(g = arrival(&a, &len, PATIENCE_MS));
		if (g[12] == 8 && g[13] == 6)
			break;
		take(&a, len);
	} while (true);
	ck_assert(!memcmp(g + 28, (uint8_t[]){ 10, 0, 2, 2 }, 4));
	ck_assert_ptr_null(end_open(&b, "user,hostfwd=tcp:127.0.0.1:70000-80"));
	ck_assert(strstr(err, "hostfwd"));
	net_config_fini(&b.config);
	end_close(&a);
}
END_TEST

START_TEST(test_refused)
{
	static const char *const bad[] = { "tap:no/such", "tap:averyveryverylongname", "hub:/nonexistent/hub",
					   "user:socket=/nonexistent", "hub:/tmp/x,pcap=/nonexistent/x" };
	struct end a;

	if (geteuid() == 0 && _i == 0)
		return; /* root may make any interface that has a name */
	err[0] = 0;
	ck_assert_ptr_null(end_open(&a, bad[_i]));
	ck_assert_msg(!strncmp(err, "--net: ", 7) && !strchr(err, '\n'), "%s", err);
	net_config_fini(&a.config);
}
END_TEST

static void make_dir(void)
{
	ck_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

int main(void)
{
	TCase *tc = tcase_create("net");
	Suite *su = suite_create("net");

	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_loop_test(tc, test_options, 0, (int)ARRAY_LEN(texts));
	tcase_add_test(tc, test_values);
	tcase_add_test(tc, test_frames);
	tcase_add_test(tc, test_bucket);
	tcase_add_test(tc, test_hub);
	tcase_add_test(tc, test_hub_goes_on);
	tcase_add_test(tc, test_hub_blocked);
	tcase_add_test(tc, test_rate);
	tcase_add_test(tc, test_pcap);
	tcase_add_test(tc, test_passt);
	tcase_add_test(tc, test_user);
	tcase_add_loop_test(tc, test_refused, 0, 5);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
