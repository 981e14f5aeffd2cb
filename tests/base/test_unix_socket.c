/* SPDX-License-Identifier: GPL-3.0-or-later
 * Unix sockets: mode, stale ones, live ones, what is no socket. */
#include "base/unix_socket.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/vitrine-socket-XXXXXX";
static char path[100];
static const char *why;

static void setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static bool can_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool ok;

	strcpy(addr.sun_path, path);
	ok = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
	close(fd);
	return ok;
}

/* Leave a socket file that nobody has open, as after kill -9. */
static void leave_stale(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
}

START_TEST(test_mode)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	struct unix_socket u;
	struct stat st;

	umask(masks[_i]);
	ck_assert_msg(unix_socket_listen(&u, path, SOCK_STREAM, &why), "%s", why);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600 & ~masks[_i]);
	unix_socket_close(&u);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(test_stale)
{
	struct unix_socket u;

	leave_stale();
	ck_assert(!can_connect());
	ck_assert_msg(unix_socket_listen(&u, path, SOCK_STREAM, &why), "%s", why);
	ck_assert(can_connect());
	unix_socket_close(&u);
}
END_TEST

START_TEST(test_live)
{
	struct unix_socket u, second;

	ck_assert_msg(unix_socket_listen(&u, path, SOCK_STREAM | SOCK_NONBLOCK, &why), "%s", why);
	ck_assert(!unix_socket_listen(&second, path, SOCK_STREAM, &why));
	ck_assert_msg(strstr(why, "in use"), "%s", why);
	ck_assert_int_eq(accept(u.fd, NULL, NULL), -1); /* the attempt made no connection */
	ck_assert(can_connect());
	unix_socket_close(&second);
	ck_assert(can_connect());
	unix_socket_close(&u);
}
END_TEST

/* A file, a directory: never removed. */
START_TEST(test_no_socket)
{
	struct unix_socket u;
	FILE *f = fopen(path, "w");

	fclose(f);
	ck_assert(!unix_socket_listen(&u, path, SOCK_STREAM, &why));
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert(!unix_socket_listen(&u, dir, SOCK_STREAM, &why));
	ck_assert(!unix_socket_listen(&u, "", SOCK_STREAM, &why));
}
END_TEST

/* What has replaced our file is not removed. */
START_TEST(test_replaced)
{
	struct unix_socket u, second;

	ck_assert_msg(unix_socket_listen(&u, path, SOCK_STREAM, &why), "%s", why);
	unlink(path);
	ck_assert_msg(unix_socket_listen(&second, path, SOCK_STREAM, &why), "%s", why);
	unix_socket_close(&u);
	ck_assert(can_connect());
	unix_socket_close(&second);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("unix socket");
	Suite *su = suite_create("unix socket");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_mode, 0, 4);
	tcase_add_test(tc, test_stale);
	tcase_add_test(tc, test_live);
	tcase_add_test(tc, test_no_socket);
	tcase_add_test(tc, test_replaced);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
