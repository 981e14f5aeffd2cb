/* SPDX-License-Identifier: GPL-3.0-or-later
 * The control socket against arbitrary bytes, commands and dashboards included, on the fake
 * machine. With libFuzzer (--enable-fuzzing) it explores; without, replay.c gives it
 * the files of a corpus.
 *
 * Input: the bytes of a client. While they are served no file can be opened, so commands that
 * write files do no harm.
 */
#include "base/log.h"
#include "base/loop.h"
#include "console/control.h"
#include "inspect/inspect.h"
#include "tests/fuzz/fuzz.h"
#include "tests/inspect/fake_machine.h"
#include "tui/remote.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE = 3 }; /* times that a command may wait before it is interrupted */

struct session {
	struct inspect *s;
	struct loop *loop;
	struct tui_service *dashboards;
	struct tui_remote *ready; /* created early: later it could not open its timer */
	struct control_client *client;
	int fd, idle;
};

/* Read and drop the replies. */
static void drain(struct session *k)
{
	char sink[65536];

	while (recv(k->fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		;
}

static void idle(void *ctx, int timeout_ms)
{
	struct session *k = ctx;

	(void)timeout_ms;
	drain(k);
	loop_turn(k->loop, 0, -1);
	if (++k->idle >= PATIENCE)
		inspect_interrupt(k->s);
}

static void send_frame(void *to, const char *line, size_t n)
{
	struct session *k = to;

	if (k->client)
		control_send(k->client, line, n);
}

static size_t waiting(void *to)
{
	(void)to;
	return 0;
}

static void *open_dashboard(void *ctx, struct control_client *c)
{
	((struct session *)ctx)->client = c;
	return ctx;
}

static void close_dashboard(void *state)
{
	((struct session *)state)->client = NULL;
}

static const char *ask_dashboard(void *state, const json_t *value)
{
	return tui_remote_request(((struct session *)state)->ready, value);
}

/* The lowest free descriptor: with this as the limit no file can be opened. */
static rlim_t free_descriptor(void)
{
	int fd = fcntl(0, F_DUPFD_CLOEXEC, 3);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? (rlim_t)fd : 3;
}

static void converse(struct session *k, const uint8_t *data, size_t size)
{
	struct rlimit before, none;

	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){ free_descriptor(), before.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	while (size) {
		ssize_t n = send(k->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			break; /* it disconnected, or stopped reading: both are allowed */
		data += n;
		size -= (size_t)n;
		for (int i = 0; i < 3; i++) {
			k->idle = 0;
			loop_turn(k->loop, 0, -1);
			drain(k);
		}
	}
	setrlimit(RLIMIT_NOFILE, &before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t code[] = { 0x40, 0x41, 0x42, 0xeb, 0xfb };
	struct machine *m = fake_machine(code, sizeof(code));
	struct session k = { .s = inspect_new(NULL), .loop = loop_new() };
	struct control_service dashboard = { .word = "dashboard",
					     .ctx = &k,
					     .open = open_dashboard,
					     .close = close_dashboard,
					     .request = ask_dashboard };
	struct control *ctl;
	char err[200];
	int pair[2];

	unsetenv("HOME");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("XDG_STATE_HOME");
	inspect_set_face(k.s, &(struct inspect_face){ .ctx = &k, .idle = idle });
	inspect_attach(k.s, &(struct inspect_machine){ .machine = m, .icount = true });
	ctl = control_new(k.s, k.loop, NULL, err, sizeof(err));
	if (!ctl || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	k.fd = pair[0];
	if (memmem(data, size, "dashboard", strlen("dashboard"))) { /* takes longer */
		k.dashboards = tui_service_new(k.s, k.loop, "fake");
		k.ready = tui_remote_new(
		    k.dashboards,
		    &(struct tui_remote_out){ .to = &k, .send = send_frame, .waiting = waiting });
		control_serve(ctl, &dashboard);
	}
	control_adopt(ctl, pair[1]);
	converse(&k, data, size);
	close(k.fd);
	loop_turn(k.loop, 0, -1);
	control_free(ctl);
	tui_service_free(k.dashboards);
	inspect_free(k.s);
	machine_free(m);
	loop_free(k.loop);
	log_mask = 0;
	return 0;
}
