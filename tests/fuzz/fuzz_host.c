/* SPDX-License-Identifier: GPL-3.0-or-later
 * A host against processes that join it: handshakes, descriptors of any kind, messages out of turn, what a VM
 * says on its control connection. With libFuzzer (--enable-fuzzing) it explores; without, replay.c gives it
 * the files of a corpus.
 *
 * Input: operations, each a byte (enum op and a connection) with what it needs behind it; what is missing is
 * 0. In the end all connections close, and the pool's books must balance with no page left.
 */
#include "base/alloc.h"
#include "base/monotonic.h"
#include "host/host_int.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

enum { CONNS = 4, MACHINE_MEMORY = 1 << 20, MOST_OPS = 200, PMAP_BYTES = 12 << 20 };

enum op {
	OP_RAW,	     /* length; as many bytes, as a message */
	OP_HELLO,    /* last letter of the name; MiB of memory; of min; of max */
	OP_READY,    /* kinds of both descriptors, how many there are */
	OP_BYE,	     /* status */
	OP_CLOSE,    /* the connection */
	OP_SAY,	     /* length; as many bytes, on the control connection */
	OP_COMPLETE, /* length; as many bytes, as the answer to a question for completions */
	OP_TICK,
	OPS
};

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static size_t bytes(struct input *in, const uint8_t **at)
{
	size_t n = byte(in);

	n = n < in->left ? n : in->left;
	*at = in->data;
	in->data += n;
	in->left -= n;
	return n;
}

/* The other side of a connection. */
struct conn {
	int fd, control; /* -1: none */
	char name[8];
};

struct fuzz {
	struct host h;
	struct host_config cfg;
	struct conn conn[CONNS];
};

/* The processes that join are this one: their ends are not to be noticed by it, nor may it be killed. */
static void disown(struct fuzz *f)
{
	for (struct host_vm *vm = f->h.vms; vm; vm = vm->next)
		if (vm->pidfd >= 0) {
			loop_forget(f->h.loop, vm->pidfd);
			close(vm->pidfd);
			vm->pidfd = -1;
		}
}

static void turn(struct fuzz *f)
{
	for (int i = 0; i < 4; i++) {
		loop_turn(f->h.loop, 0, -1);
		disown(f);
	}
}

static void open_host(struct fuzz *f)
{
	struct sockaddr_un none = { .sun_family = AF_UNIX };

	*f = (struct fuzz){ .cfg = { .name = "fuzz" } };
	f->h = (struct host){ .cfg = &f->cfg, .swap = -1 };
	f->h.pool = mm_pool_host(MACHINE_MEMORY);
	f->h.s = inspect_new(NULL);
	f->h.loop = loop_new();
	f->h.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	f->h.policy_timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	f->h.socket.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	/* (A name that the kernel chooses.) */
	if (!f->h.pool || f->h.policy_timer < 0 ||
	    bind(f->h.socket.fd, (void *)&none, sizeof(none.sun_family)) || listen(f->h.socket.fd, 64))
		abort();
	joining_open(&f->h);
	for (int i = 0; i < CONNS; i++)
		f->conn[i] = (struct conn){ -1, -1, "" };
}

static void hang_up(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->control >= 0)
		close(c->control);
	*c = (struct conn){ -1, -1, "" };
}

static void close_host(struct fuzz *f)
{
	struct mm_pool_books b;

	for (int i = 0; i < CONNS; i++)
		hang_up(&f->conn[i]);
	turn(f);
	joining_tick(&f->h, INT64_MAX);
	vm_tick(&f->h, INT64_MAX);
	mm_pool_check(f->h.pool, &b);
	if (b.wrong || b.vms || b.used)
		abort();
	vm_sweep(&f->h, true);
	joining_close(&f->h);
	inspect_free(f->h.s);
	loop_free(f->h.loop);
	mm_pool_free(f->h.pool);
	close(f->h.timer);
	close(f->h.policy_timer);
	close(f->h.socket.fd);
}

/* The connection, made if there is none. */
static int connected(struct fuzz *f, struct conn *c)
{
	struct sockaddr_un at;
	socklen_t len = sizeof(at);

	if (c->fd >= 0)
		return c->fd;
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	if (getsockname(f->h.socket.fd, (void *)&at, &len) || connect(c->fd, (void *)&at, len))
		abort();
	turn(f);
	return c->fd;
}

static void hello(struct fuzz *f, struct conn *c, struct input *in)
{
	struct host_message m = host_message(HOST_HELLO);

	snprintf(c->name, sizeof(c->name), "vm%c", 'a' + byte(in) % 26);
	memcpy(m.name, c->name, sizeof(c->name));
	m.memory = (uint64_t)byte(in) << 16;
	m.min = (uint64_t)byte(in) << 16;
	m.max = (uint64_t)byte(in) << 16;
	host_send(connected(f, c), &m, NULL, 0);
}

static int memory(size_t n, unsigned seals)
{
	int fd = memfd_create("pmap", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)n) || (seals && fcntl(fd, F_ADD_SEALS, seals)))
		abort();
	return fd;
}

/* A descriptor of the given KIND. */
static int descriptor(struct conn *c, uint8_t kind)
{
	int pair[2];

	switch (kind % 6) {
	case 0:
		return memory(PMAP_BYTES, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	case 1:
		return memory(PMAP_BYTES, 0);
	case 2:
		return memory(4096, F_SEAL_SHRINK | F_SEAL_GROW);
	case 3:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	default:
		if (socketpair(AF_UNIX, kind % 6 == 4 ? SOCK_STREAM : SOCK_SEQPACKET, 0, pair))
			abort();
		if (c->control >= 0)
			close(c->control);
		c->control = pair[0];
		return pair[1];
	}
}

static void ready(struct fuzz *f, struct conn *c, struct input *in)
{
	struct host_message m = host_message(HOST_READY);
	uint8_t first = byte(in), second = byte(in), n = byte(in) % (HOST_FDS + 1);
	int fds[HOST_FDS];

	for (unsigned i = 0; i < n; i++)
		fds[i] = descriptor(c, i == 0 ? first : second);
	host_send(connected(f, c), &m, fds, n);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

static void say(struct fuzz *f, struct conn *c, const uint8_t *at, size_t n)
{
	if (c->control >= 0)
		send(c->control, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn(f);
}

static void found(void *ctx, const char *text)
{
	*(size_t *)ctx += strlen(text);
}

/* The answer comes before the question; another one is sure to follow. */
static void complete(struct fuzz *f, struct conn *c, const uint8_t *at, size_t n)
{
	struct host_vm *vm = vm_find(&f->h, c->name);
	char last[64];
	size_t total = 0;

	if (!vm || vm->state != VM_LIVES || vm->control.fd < 0 || c->control < 0)
		return;
	snprintf(last, sizeof(last), "\n{\"id\":%lld}\n", (long long)vm->control.last_id + 1);
	if (send(c->control, at, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n &&
	    send(c->control, last, strlen(last), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)strlen(last))
		remote_complete(vm, "info me", 5, 7, found, &total);
}

static void step(struct fuzz *f, struct input *in)
{
	uint8_t b = byte(in);
	struct conn *c = &f->conn[b / OPS % CONNS];
	struct host_message m = host_message(HOST_BYE);
	const uint8_t *at;
	size_t n;

	switch ((enum op)(b % OPS)) {
	case OP_RAW:
		n = bytes(in, &at);
		send(connected(f, c), at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case OP_HELLO:
		hello(f, c, in);
		break;
	case OP_READY:
		ready(f, c, in);
		break;
	case OP_BYE:
		m.status = byte(in);
		host_send(connected(f, c), &m, NULL, 0);
		break;
	case OP_CLOSE:
		hang_up(c);
		break;
	case OP_SAY:
		n = bytes(in, &at);
		say(f, c, at, n);
		break;
	case OP_COMPLETE:
		n = bytes(in, &at);
		complete(f, c, at, n);
		break;
	default:
		vm_tick(&f->h, monotonic_ns());
	}
	turn(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz *f = xcalloc(1, sizeof(*f));
	struct input in = { data, size };

	setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
	open_host(f);
	for (int i = 0; in.left && i < MOST_OPS; i++)
		step(f, &in);
	close_host(f);
	free(f);
	return 0;
}
