/* SPDX-License-Identifier: GPL-3.0-or-later
 * See asm_helper.h. One message a request, one a reply, over a socket pair. A message of one byte interrupts
 * the request that is being served; the end of the socket ends the helper. */
#include "inspect/debuginfo/asm_helper.h"
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
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_MESSAGE = 1 << 16, MAX_CODE = 4096, MAX_SYMBOLS = 24, TURN_MS = 20, LONGEST_MS = 20000 };

struct asm_helper {
	int fd; /* -1: it could not be started */
};

/* Followed by the text, with a NUL. */
struct request {
	uint64_t at;
	uint32_t bits, max, nsymbols;
	struct assembly_symbol symbol[MAX_SYMBOLS];
};

struct reply {
	int32_t n; /* bytes; -1: err */
	uint8_t code[MAX_CODE];
	char err[400];
};

/* ---- the helper's side ---- */

/* Something came while a request is being served: an interruption, or the end. */
static bool is_interrupted(void *ctx)
{
	struct pollfd p = { .fd = *(const int *)ctx, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

static bool name_is_plain(const struct assembly_symbol *y)
{
	return memchr(y->name, 0, sizeof(y->name)) && y->name[0] != '-';
}

static void serve(int fd, char *message, size_t n, struct reply *r)
{
	struct request q;
	struct assembly a = { .interrupted = is_interrupted, .ctx = &fd };

	*r = (struct reply){ .n = -1 };
	memcpy(&q, message, sizeof(q));
	message[n] = 0;
	a.text = message + sizeof(q);
	a.bits = q.bits == 16 || q.bits == 64 ? q.bits : 32;
	a.at = q.at;
	a.symbols = q.symbol;
	a.nsymbols = q.nsymbols < MAX_SYMBOLS ? q.nsymbols : MAX_SYMBOLS;
	for (unsigned i = 0; i < a.nsymbols; i++)
		if (!name_is_plain(&q.symbol[i]))
			return;
	r->n = asm_bytes(&a, r->code, q.max < MAX_CODE ? q.max : MAX_CODE, r->err, sizeof(r->err));
}

_Noreturn static void helper_main(int fd, bool restricted)
{
	static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTOU, SIGPIPE };
	static char message[MAX_MESSAGE + 1];
	static struct reply r;
	char err[200];
	ssize_t n;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "vitrine-as");
	if (restricted && !sandbox_enter(SANDBOX_HELPER, err, sizeof(err)))
		_exit(1);
	while ((n = recv(fd, message, MAX_MESSAGE, 0)) > 0) {
		if ((size_t)n <= sizeof(struct request))
			continue; /* an interruption of what has ended */
		serve(fd, message, (size_t)n, &r);
		if (send(fd, &r, sizeof(r), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* Keep FD alone, as descriptor 3; 0 to 2 are the null device. */
static int close_others(int fd)
{
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; i < 3; i++)
		dup2(null, i);
	if (fd != 3)
		dup2(fd, 3);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	close_range(4, ~0u, 0);
	return 3;
}

struct asm_helper *asm_helper_start(bool restricted)
{
	struct asm_helper *h = xcalloc(1, sizeof(*h));
	int pair[2];
	pid_t pid;

	h->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return h;
	pid = fork();
	if (!pid)
		helper_main(close_others(pair[1]), restricted);
	close(pair[1]);
	if (pid < 0)
		close(pair[0]);
	else
		h->fd = pair[0];
	return h;
}

/* ---- the session's side ---- */

void asm_helper_stop(struct asm_helper *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

static int fail(struct asm_helper *h, const char *why, char *err, size_t errlen)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	snprintf(err, errlen, "the process that runs as and ld %s", why);
	return -1;
}

static int await_reply(struct asm_helper *h, const struct assembly *a, struct reply *r, char *err,
		       size_t errlen)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	bool told = false;

	for (int ms = 0; ms < LONGEST_MS; ms += TURN_MS) {
		if (poll(&p, 1, TURN_MS) > 0)
			return recv(h->fd, r, sizeof(*r), 0) == sizeof(*r)
				   ? r->n
				   : fail(h, "has ended", err, errlen);
		if (!told && a->interrupted && a->interrupted(a->ctx))
			told = send(h->fd, "", 1, MSG_NOSIGNAL) == 1;
	}
	return fail(h, "does not answer", err, errlen);
}

int asm_helper_bytes(struct asm_helper *h, const struct assembly *a, uint8_t *out, unsigned max, char *err,
		     size_t errlen)
{
	size_t len = sizeof(struct request) + strlen(a->text) + 1;
	struct request q = { .bits = a->bits, .at = a->at, .max = max };
	struct reply r;
	char *message;
	ssize_t sent;
	int n;

	if (h->fd < 0)
		return fail(h, "could not be started, or has ended", err, errlen);
	if (len > MAX_MESSAGE) {
		snprintf(err, errlen, "the text is too long");
		return -1;
	}
	q.nsymbols = asm_symbols(a, q.symbol, MAX_SYMBOLS);
	message = xmalloc(len);
	memcpy(message, &q, sizeof(q));
	memcpy(message + sizeof(q), a->text, len - sizeof(q));
	sent = send(h->fd, message, len, MSG_NOSIGNAL);
	free(message);
	if (sent < 0)
		return fail(h, "has ended", err, errlen);
	n = await_reply(h, a, &r, err, errlen);
	if (n < 0 || (unsigned)n > max) {
		if (h->fd >= 0)
			snprintf(err, errlen, "%.*s", (int)sizeof(r.err) - 1, r.err);
		return -1;
	}
	memcpy(out, r.code, (size_t)n);
	return n;
}
