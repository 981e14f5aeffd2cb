/* SPDX-License-Identifier: GPL-3.0-or-later
 * Messages between a host and its VMs, over a socket pair: those that are valid arrive whole, all others are
 * refused, and their descriptors are closed. */
#include "host/protocol.h"
#include "tests/suite.h"

#include <dirent.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
}

static void teardown(void)
{
	close(pair[0]);
	close(pair[1]);
}

static unsigned descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(test_round_trip)
{
	struct host_message m = host_message(HOST_ADMIT), got;
	int fds[HOST_FDS];
	const char *why;
	unsigned n;

	m.slot = 7;
	m.swap_base = 7ull << 32;
	strcpy(m.name, "lab");
	ck_assert(host_send(pair[0], &m, (const int[]){ 0, 1, 2 }, 3));
	ck_assert_int_eq(host_receive(pair[1], &got, fds, &n, &why), HOST_GOT);
	ck_assert_uint_eq(n, 3);
	ck_assert(!memcmp(&m, &got, sizeof(m)));
	while (n--)
		close(fds[n]);
	ck_assert_int_eq(host_receive(pair[1], &got, fds, &n, &why), HOST_NOTHING);
	close(pair[0]);
	ck_assert_int_eq(host_receive(pair[1], &got, fds, &n, &why), HOST_GONE);
}
END_TEST

/* Columns: what is wrong, the message's type and version, bytes of it that are sent, descriptors, whether its
 * texts end. */
static const struct {
	const char *name;
	unsigned type, magic, version;
	size_t len;
	unsigned fds;
	bool endless;
} bad[] = {
	{ "nothing but a byte", HOST_HELLO, HOST_MAGIC, HOST_VERSION, 1, 0, false },
	{ "no message of ours", HOST_HELLO, 1, HOST_VERSION, sizeof(struct host_message), 0, false },
	{ "another version", HOST_HELLO, HOST_MAGIC, HOST_VERSION + 1, 12, 0, false },
	{ "too short", HOST_HELLO, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message) - 1, 0, false },
	{ "no type", 0, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 0, false },
	{ "an unknown type", HOST_TYPES, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 0, false },
	{ "a descriptor too many", HOST_HELLO, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 1,
	  false },
	{ "many of them", HOST_HELLO, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 9, false },
	{ "one too few", HOST_READY, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 1, false },
	{ "a name without an end", HOST_HELLO, HOST_MAGIC, HOST_VERSION, sizeof(struct host_message), 0,
	  true },
};

static void send_raw(const void *buf, size_t len, unsigned nfds)
{
	char room[CMSG_SPACE(sizeof(int) * 16)] __attribute__((aligned(8))) = { 0 };
	struct iovec part = { (void *)(uintptr_t)buf, len };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };

	if (nfds) {
		h.msg_control = room;
		h.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		*CMSG_FIRSTHDR(&h) = (struct cmsghdr){ .cmsg_len = CMSG_LEN(nfds * sizeof(int)),
						       .cmsg_level = SOL_SOCKET,
						       .cmsg_type = SCM_RIGHTS };
	}
	ck_assert_int_eq(sendmsg(pair[0], &h, 0), (ssize_t)len);
}

START_TEST(test_bad)
{
	struct host_message m = host_message((enum host_type)bad[_i].type), got;
	unsigned before = descriptors(), n;
	const char *why = NULL;
	int fds[HOST_FDS];

	m.magic = bad[_i].magic;
	m.version = bad[_i].version;
	if (bad[_i].endless)
		memset(m.name, 'x', sizeof(m.name));
	send_raw(&m, bad[_i].len, bad[_i].fds);
	ck_assert_msg(host_receive(pair[1], &got, fds, &n, &why) == HOST_BAD, "%s", bad[_i].name);
	ck_assert(why && why[0] && !n);
	ck_assert_uint_eq(descriptors(), before);
}
END_TEST

START_TEST(test_names)
{
	static const char *const good[] = { "a", "Lab-1_x", "0123456789012345678901234567890" };
	static const char *const odd[] = { "",
					   ".",
					   "..",
					   "a.b",
					   "a/b",
					   "-a",
					   "_a",
					   "a b",
					   "\xc3\xa4",
					   "a\n",
					   "01234567890123456789012345678901" };
	char host[RUNTIME_NAME], vm[RUNTIME_NAME];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(runtime_name_ok(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		ck_assert_msg(!runtime_name_ok(odd[i]), "%s", odd[i]);
	ck_assert(runtime_split("lab", host, vm) && !strcmp(host, "lab") && !vm[0]);
	ck_assert(runtime_split("lab/a", host, vm) && !strcmp(host, "lab") && !strcmp(vm, "a"));
	ck_assert(!runtime_split("lab/", host, vm) && !runtime_split("/a", host, vm));
	ck_assert(!runtime_split("lab/a/b", host, vm));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("protocol");
	Suite *su = suite_create("host protocol");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_round_trip);
	tcase_add_loop_test(tc, test_bad, 0, ARRAY_LEN(bad));
	tcase_add_test(tc, test_names);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
