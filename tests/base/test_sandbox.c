/* SPDX-License-Identifier: GPL-3.0-or-later
 * What each role may do, tried in a child that has entered it: the call succeeds, fails with EPERM, or ends
 * the process with one line. */
#include "base/sandbox.h"
#include "base/types.h"
#include "tests/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum fate { WORKS, REFUSED, ENDS };

static long code_page(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
													 : 0;
}

static long data_page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED || mprotect(p, 4096, PROT_READ) || munmap(p, 4096) ? -1 : 0;
}

static long make_code(void)
{
	static uint8_t page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long open_file(void)
{
	return open("/dev/null", O_RDONLY);
}

static long open_to_write(void)
{
	return open("/dev/null", O_WRONLY);
}

/* These have no file or peer: they fail in another way than by EPERM where they may be made. */
static long flush(void)
{
	return fdatasync(3);
}

static long send_frame(void)
{
	return sendto(3, "x", 1, 0, NULL, 0);
}

static long connection(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(3, &none, sizeof(none));
}

static long sleep_a_little(void)
{
	struct timespec t = { 0, 1000 };

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL) == EPERM ? (errno = EPERM, -1) : 0;
}

static long run_program(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static long event(void)
{
	uint64_t one = 1;

	return write(3, &one, sizeof(one)) == sizeof(one) && read(3, &one, sizeof(one)) == sizeof(one) ? 0
												       : -1;
}

static long network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long packets(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long trace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long type_into_terminal(void)
{
	return ioctl(0, TIOCSTI, "x") < 0 && errno != EPERM ? 0 : -1;
}

static long terminal_size(void)
{
	struct winsize w;

	return ioctl(0, TIOCGWINSZ, &w) < 0 && errno == EPERM ? -1 : 0;
}

static long signal_parent(void)
{
	return kill(getppid(), 0);
}

static long fork_child(void)
{
	pid_t pid = (pid_t)syscall(SYS_fork);

	if (!pid)
		_exit(0);
	return pid;
}

static long block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	return sigprocmask(SIG_BLOCK, &all, NULL);
}

/* A call that is blocked from being reported must end the process all the same. */
static long run_program_unreported(void)
{
	block_signals();
	return run_program();
}

static long unknown_call(void)
{
	return syscall(400);
}

static long cached_pages(int flags)
{
	char c;
	struct iovec v = { &c, 1 };

	return preadv2(3, &v, 1, 0, flags); /* of no file: another error than EPERM */
}

static long read_without_waiting(void)
{
	return cached_pages(RWF_NOWAIT);
}

static long read_waiting(void)
{
	return cached_pages(RWF_HIPRI);
}

static const enum sandbox_role roles[] = { SANDBOX_MAIN, SANDBOX_VCPU,	SANDBOX_DRIVE, SANDBOX_LINK,
					   SANDBOX_NET,	 SANDBOX_ALARM, SANDBOX_HELPER };

/* Columns: what is tried; what becomes of it on the main thread, on the vCPU's, a drive's, a link's, a
 * network's that makes connections, the alarm's, and in the helper. */
static const struct {
	const char *name;
	long (*call)(void);
	enum fate fate[ARRAY_LEN(roles)];
} tries[] = {
	{ "an anonymous page", data_page, { WORKS, WORKS, WORKS, WORKS, WORKS, ENDS, WORKS } },
	{ "an executable page", code_page, { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "a page made executable", make_code, { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "an event descriptor", event, { WORKS, WORKS, WORKS, WORKS, WORKS, ENDS, WORKS } },
	{ "opening a file", open_file, { WORKS, ENDS, ENDS, ENDS, WORKS, ENDS, WORKS } },
	{ "opening a file to write", open_to_write, { WORKS, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "a drive's flush", flush, { WORKS, ENDS, WORKS, ENDS, REFUSED, ENDS, WORKS } },
	{ "a frame to a socket", send_frame, { WORKS, ENDS, WORKS, WORKS, WORKS, ENDS, WORKS } },
	{ "a connection", connection, { WORKS, ENDS, ENDS, ENDS, WORKS, ENDS, REFUSED } },
	{ "a short sleep", sleep_a_little, { WORKS, WORKS, ENDS, ENDS, REFUSED, WORKS, WORKS } },
	{ "running a program", run_program, { ENDS, ENDS, ENDS, ENDS, ENDS, ENDS, WORKS } },
	{ "likewise, all signals blocked",
	  run_program_unreported,
	  { ENDS, ENDS, ENDS, ENDS, ENDS, ENDS, WORKS } },
	{ "a socket", network, { WORKS, ENDS, ENDS, ENDS, WORKS, ENDS, REFUSED } },
	{ "a packet socket", packets, { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, REFUSED } },
	{ "another process", trace, { ENDS, ENDS, ENDS, ENDS, ENDS, ENDS, REFUSED } },
	{ "a new process", fork_child, { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "a signal to another process", signal_parent, { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "typing into the terminal",
	  type_into_terminal,
	  { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "the terminal's size", terminal_size, { WORKS, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "reading what is cached",
	  read_without_waiting,
	  { WORKS, WORKS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "the same call with other flags",
	  read_waiting,
	  { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
	{ "a call of a number without meaning",
	  unknown_call,
	  { REFUSED, ENDS, ENDS, ENDS, REFUSED, ENDS, WORKS } },
};

/* The process that tries it: status 0 if it works, 1 if it is refused. */
_Noreturn static void attempt(enum sandbox_role role, long (*call)(void), int out)
{
	char err[200];

	dup2(out, STDERR_FILENO);
	dup2(eventfd(0, 0), 3);
	sandbox_prepare();
	if (!sandbox_enter(role, err, sizeof(err)))
		_exit(99);
	_exit(call() < 0 && errno == EPERM);
}

static void check(const char *name, enum sandbox_role role, long (*call)(void), enum fate want)
{
	char line[200] = "";
	int pair[2], status;
	ssize_t n;
	pid_t pid;

	ck_assert_int_eq(pipe(pair), 0);
	pid = fork();
	if (!pid)
		attempt(role, call, pair[1]);
	close(pair[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	n = read(pair[0], line, sizeof(line) - 1);
	close(pair[0]);
	if (want == ENDS && call == run_program_unreported) {
		ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s, role %d: status %#x",
			      name, role, status);
		return;
	}
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == (want == ENDS ? 126 : want == REFUSED),
		      "%s, role %d: status %#x", name, role, status);
	ck_assert_msg((n > 0) == (want == ENDS), "%s, role %d: %s", name, role, line);
	ck_assert(want != ENDS || strchr(line, '\n') == line + n - 1);
}

START_TEST(test_role)
{
	if (sandbox_missing())
		return; /* the summary of configure says so; an instrumented build restricts nothing */
	for (unsigned i = 0; i < ARRAY_LEN(roles); i++)
		check(tries[_i].name, roles[i], tries[_i].call, tries[_i].fate[i]);
}
END_TEST

static long open_process(void)
{
	return syscall(SYS_pidfd_open, getppid(), 0);
}

static long kill_process(void)
{
	return syscall(SYS_pidfd_send_signal, 3, 0, NULL, 0); /* of no process: another error than EPERM */
}

/* A host, and the process that starts its VMs. Columns: name, role, call, what becomes of it. */
static const struct {
	const char *name;
	unsigned role;
	long (*call)(void);
	enum fate fate;
} host_tries[] = {
	{ "opening a process", SANDBOX_MAIN, open_process, REFUSED },
	{ "opening a process", SANDBOX_MAIN | SANDBOX_HOST, open_process, WORKS },
	{ "a signal to an open process", SANDBOX_MAIN, kill_process, REFUSED },
	{ "a signal to an open process", SANDBOX_MAIN | SANDBOX_HOST, kill_process, WORKS },
	{ "running a program", SANDBOX_MAIN | SANDBOX_HOST, run_program, ENDS },
	{ "a new process", SANDBOX_MAIN | SANDBOX_HOST, fork_child, REFUSED },
	{ "a file", SANDBOX_MAIN | SANDBOX_HOST, open_file, WORKS },
	{ "running a program", SANDBOX_STARTER, run_program, WORKS },
	{ "a new process", SANDBOX_STARTER, fork_child, WORKS },
	{ "a socket", SANDBOX_STARTER, network, WORKS },
	{ "another process", SANDBOX_STARTER, trace, REFUSED },
};

START_TEST(test_host)
{
	if (sandbox_missing())
		return;
	check(host_tries[_i].name, (enum sandbox_role)host_tries[_i].role, host_tries[_i].call,
	      host_tries[_i].fate);
}
END_TEST

static void *allocate_and_free(void *arg)
{
	enum { N = 64, EACH = 100000 };
	void *p[N];
	char err[200];

	(void)arg;
	free(malloc(EACH)); /* as before the machine runs */
	if (!sandbox_enter(SANDBOX_VCPU, err, sizeof(err)))
		_exit(99);
	for (unsigned i = 0; i < N; i++)
		p[i] = malloc(EACH);
	for (unsigned i = N; i--;)
		free(p[i]);
	_exit(0);
}

/* The vCPU's thread gives memory back, for which the C library must not open a file. */
START_TEST(test_heap)
{
	pthread_t t;
	int status;
	pid_t pid;

	if (sandbox_missing())
		return;
	pid = fork();
	if (!pid) {
		sandbox_prepare();
		pthread_create(&t, NULL, allocate_and_free, NULL);
		pthread_join(t, NULL);
		_exit(98);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "status %#x", status);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("sandbox");
	Suite *su = suite_create("sandbox");

	tcase_add_loop_test(tc, test_role, 0, ARRAY_LEN(tries));
	tcase_add_loop_test(tc, test_host, 0, ARRAY_LEN(host_tries));
	tcase_add_test(tc, test_heap);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
