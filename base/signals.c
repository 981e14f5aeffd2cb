/* SPDX-License-Identifier: GPL-3.0-or-later
 * See signals.h. Not a signalfd: any signal of the process wakes what polls one, so each SIGSEGV of
 * translated code cost a wake-up on another processor, four times as much as the signal itself. Signals stay
 * blocked but in signals_poll(), where a handler writes them into a pipe, of which each descriptor is a copy.
 */
#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static int ends[2] = { -1, -1 }; /* of the process, because its signal handlers are */
static _Thread_local bool takes; /* this thread took signals: */
static _Thread_local sigset_t taken;

static void note(int signo)
{
	uint8_t c = (uint8_t)signo;
	int saved = errno;

	if (write(ends[1], &c, 1) < 0)
		errno = saved; /* so many are pending that this one has been noted */
	errno = saved;
}

int signals_take(const int *list)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = SA_RESTART };

	if (ends[0] < 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return -1;
	sigemptyset(&taken);
	for (; *list; list++)
		sigaddset(&taken, *list);
	act.sa_mask = taken;
	sigprocmask(SIG_BLOCK, &taken, NULL);
	for (int s = 1; s < NSIG; s++)
		if (sigismember(&taken, s) == 1)
			sigaction(s, &act, NULL);
	takes = true;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a write beyond ulimit -f fails instead */
	return fcntl(ends[0], F_DUPFD_CLOEXEC, 0);
}

int signals_next(int fd)
{
	uint8_t c;

	return read(fd, &c, 1) == 1 ? c : 0;
}

int signals_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = { timeout_ms / 1000, timeout_ms % 1000 * 1000000l };
	sigset_t closed, open;
	int r;

	if (!takes)
		return poll(fds, n, timeout_ms);
	/* ppoll() alone lets none in while something is ready. */
	pthread_sigmask(SIG_UNBLOCK, &taken, &closed);
	pthread_sigmask(SIG_SETMASK, &closed, &open);
	r = ppoll(fds, n, timeout_ms < 0 ? NULL : &ts, &open);
	return r < 0 && errno == EINTR ? poll(fds, n, 0) : r;
}
