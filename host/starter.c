/* SPDX-License-Identifier: GPL-3.0-or-later
 * See starter.h. Messages over a socket pair: a request is the arguments, each with its NUL; a reply has the
 * process' number and two descriptors; notices of ends come in between. */
#include "host/starter.h"
#include "base/alloc.h"
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_REQUEST = 1 << 16, MAX_ARGUMENTS = 500, SOCKET = 3, PROGRAM = 4, REPLY_MS = 20000 };

struct starter {
	int fd;
	starter_ended ended;
	void *ctx;
};

enum reply_kind { REPLY_STARTED, REPLY_FAILED, REPLY_ENDED };
struct reply {
	uint32_t kind;
	int32_t pid;   /* STARTED, ENDED */
	int32_t value; /* FAILED: errno; ENDED: of waitpid() */
};

/* ---- the starter's side ---- */

static int open_pid(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static void answer(const struct reply *r, const int fds[2])
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)r, sizeof(*r) };
	struct msghdr h = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fds) {
		h.msg_control = &control;
		h.msg_controllen = sizeof(control);
		control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(2 * sizeof(int)),
						 .cmsg_level = SOL_SOCKET,
						 .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.head), fds, 2 * sizeof(int));
	}
	if (sendmsg(SOCKET, &h, MSG_NOSIGNAL) < 0)
		_exit(0);
}

/* In the new process. */
_Noreturn static void become_vitrine(char **argv, int output)
{
	static const int usual[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, SIGPIPE, SIGHUP };
	sigset_t none;

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		signal(usual[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid(); /* keys typed at the host's terminal are not for it */
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	syscall(SYS_execveat, PROGRAM, "", argv, environ, AT_EMPTY_PATH);
	dprintf(STDERR_FILENO, "vitrine: cannot run vitrine: %s\n", strerror(errno));
	_exit(125);
}

static void run(char *request, size_t n)
{
	char *argv[MAX_ARGUMENTS + 2] = { "vitrine" };
	int pipes[2], fds[2], argc = 1;
	pid_t pid;

	for (char *p = request; p < request + n && argc <= MAX_ARGUMENTS; p += strlen(p) + 1)
		argv[argc++] = p;
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		answer(&(struct reply){ .kind = REPLY_FAILED, .value = errno }, NULL);
		return;
	}
	pid = fork();
	if (!pid)
		become_vitrine(argv, pipes[1]);
	fds[0] = pid < 0 ? -1 : open_pid(pid);
	if (fds[0] < 0) {
		answer(&(struct reply){ .kind = REPLY_FAILED, .value = errno }, NULL);
		if (pid > 0)
			kill(pid, SIGKILL);
	} else {
		fds[1] = pipes[0];
		answer(&(struct reply){ .kind = REPLY_STARTED, .pid = pid }, fds);
		close(fds[0]);
	}
	close(pipes[0]);
	close(pipes[1]);
}

static void reap(int signals)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	while (read(signals, &si, sizeof(si)) == sizeof(si))
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		answer(&(struct reply){ REPLY_ENDED, pid, status }, NULL);
}

/* Only the socket, the program and the null device stay open. */
static bool keep_alone(int fd)
{
	int null = open("/dev/null", O_RDWR), program, last;

	program = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (null < 0 || program < 0)
		return false;
	last = fcntl(program, F_DUPFD, 10);
	fd = fcntl(fd, F_DUPFD, 10);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (dup3(fd, SOCKET, O_CLOEXEC) < 0 || dup3(last, PROGRAM, O_CLOEXEC) < 0)
		return false;
	return close_range(PROGRAM + 1, ~0u, 0) == 0;
}

_Noreturn static void starter_main(int fd, bool restricted)
{
	static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, SIGPIPE, SIGHUP };
	static char request[MAX_REQUEST + 1];
	struct pollfd p[2] = { { .fd = SOCKET, .events = POLLIN }, { .events = POLLIN } };
	sigset_t child;
	char err[200];
	ssize_t n;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "vitrine-start");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	if (!keep_alone(fd) || (restricted && !sandbox_enter(SANDBOX_STARTER, err, sizeof(err))))
		_exit(1);
	p[1].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			_exit(1);
		if (p[1].revents)
			reap(p[1].fd);
		if (!p[0].revents)
			continue;
		n = recv(SOCKET, request, MAX_REQUEST, 0);
		if (n <= 0)
			_exit(0); /* the host has ended, and so will its VMs by themselves */
		request[n] = 0;
		run(request, (size_t)n);
	}
}

/* ---- the host's side ---- */

struct starter *starter_new(bool restricted, starter_ended ended, void *ctx, char *err, size_t errlen)
{
	struct starter *s;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		snprintf(err, errlen, "cannot start the process that starts VMs: %s", strerror(errno));
		return NULL;
	}
	pid = fork();
	if (!pid)
		starter_main(pair[1], restricted);
	close(pair[1]);
	if (pid < 0) {
		snprintf(err, errlen, "cannot start the process that starts VMs: %s", strerror(errno));
		close(pair[0]);
		return NULL;
	}
	s = xcalloc(1, sizeof(*s));
	*s = (struct starter){ .fd = pair[0], .ended = ended, .ctx = ctx };
	return s;
}

void starter_free(struct starter *s)
{
	if (!s)
		return;
	close(s->fd);
	free(s);
}

int starter_fd(const struct starter *s)
{
	return s->fd;
}

/* Receive one message with its descriptors, -1: none. False: there is none. */
static bool receive(struct starter *s, struct reply *r, int fds[2], int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec part = { r, sizeof(*r) };
	struct msghdr h = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;

	fds[0] = fds[1] = -1;
	if (recvmsg(s->fd, &h, MSG_CMSG_CLOEXEC | flags) != sizeof(*r))
		return false;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return true;
}

bool starter_take(struct starter *s)
{
	struct reply r;
	int fds[2];

	while (receive(s, &r, fds, MSG_DONTWAIT))
		if (r.kind == REPLY_ENDED)
			s->ended(s->ctx, r.pid, r.value);
	return errno == EAGAIN || errno == EINTR;
}

bool starter_run(struct starter *s, int argc, char **argv, struct started *out, char *err, size_t errlen)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	char *request = xmalloc(MAX_REQUEST);
	struct reply r = { .kind = REPLY_ENDED };
	size_t n = 0;
	int fds[2];
	bool ok;

	for (int i = 0; i < argc && n <= MAX_REQUEST; i++) {
		if (n + strlen(argv[i]) < MAX_REQUEST)
			strcpy(request + n, argv[i]);
		n += strlen(argv[i]) + 1;
	}
	ok = n <= MAX_REQUEST && argc <= MAX_ARGUMENTS;
	if (!ok)
		snprintf(err, errlen, "too many arguments");
	else if (!(ok = send(s->fd, request, n, MSG_NOSIGNAL) == (ssize_t)n))
		snprintf(err, errlen, "the process that starts VMs has ended");
	free(request);
	while (ok && r.kind == REPLY_ENDED) {
		ok = poll(&p, 1, REPLY_MS) > 0 && receive(s, &r, fds, 0);
		if (!ok)
			snprintf(err, errlen, "the process that starts VMs has ended");
		else if (r.kind == REPLY_ENDED)
			s->ended(s->ctx, r.pid, r.value);
	}
	if (!ok)
		return false;
	if (r.kind == REPLY_FAILED) {
		snprintf(err, errlen, "cannot start a process: %s", strerror(r.value));
		return false;
	}
	*out = (struct started){ r.pid, fds[0], fds[1] };
	return true;
}
