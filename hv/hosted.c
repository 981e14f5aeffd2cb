/* SPDX-License-Identifier: GPL-3.0-or-later
 * Hosted I/O of a machine: what happens in the host world besides what the door was opened for. Arrivals and
 * completions are told by the bits of the notice; with "hosted-io vector off" by descriptors, which are
 * polled at each switch, while the processor is halted, and at least once in a tick. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "hv/machine_int.h"

enum { TICK_NS = 1000000, WAKE_FD = 0 };

/* ---- notices ---- */

/* The descriptors of the notice in P, from P[1] on; their bits in BIT. */
static unsigned descriptors(const struct machine *m, struct pollfd *p, unsigned *bit)
{
	unsigned n = 0;

	for (unsigned i = 0; i < IO_NOTICE_BITS; i++)
		if (m->io.fd[i]) {
			bit[n] = i;
			p[++n] = (struct pollfd){ .fd = m->io.fd[i], .events = POLLIN };
		}
	return n;
}

/* Turn the descriptors that are ready into bits. */
static void take_ready(struct machine *m, const struct pollfd *p, const unsigned *bit, unsigned n)
{
	uint64_t count;

	for (unsigned i = 1; i <= n; i++)
		if ((p[i].revents & POLLIN) && read(p[i].fd, &count, sizeof(count)) > 0)
			atomic_fetch_or(&m->io.ready, 1ull << bit[i - 1]);
}

static void poll_descriptors(struct machine *m)
{
	struct pollfd p[IO_NOTICE_BITS + 1];
	unsigned bit[IO_NOTICE_BITS], n = descriptors(m, p, bit);

	m->hosted.polls++;
	if (n && poll(p + 1, n, 0) > 0)
		take_ready(m, p, bit, n);
}

static void networks_serve(struct machine *m)
{
	const uint64_t ours = ~0ull << NETWORK_BIT;
	uint64_t ready;

	nics_visit(&m->network.nics);
	if (atomic_load(&m->io.by_fd))
		poll_descriptors(m);
	else
		m->hosted.visits++;
	if (!io_notice_any(&m->io))
		return;
	ready = io_notice_take(&m->io, ours);
	m->hosted.notices += (uint64_t)__builtin_popcountll(ready);
	network_deliver(&m->network, ready);
}

void hosted_serve(struct machine *m)
{
	networks_serve(m);
	drives_deliver(&m->loader.drives, &m->io);
}

/* At the end of a switch: a device is in the middle of an access, so drives have to wait for the next poll of
 * the engine, which is near. */
static void visit(void *ctx)
{
	struct machine *m = ctx;

	networks_serve(m);
	if (atomic_load(&m->io.by_fd) && io_notice_any(&m->io))
		m->v->ops->kick(m->v);
}

/* ---- waiting ---- */

static void drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0)
		;
}

void hosted_nap(struct machine *m, uint64_t timeout)
{
	struct timespec ts = { .tv_sec = (time_t)(timeout / NS_PER_SEC),
			       .tv_nsec = (long)(timeout % NS_PER_SEC) };
	struct pollfd p[IO_NOTICE_BITS + 1];
	unsigned bit[IO_NOTICE_BITS], n = 0;

	p[WAKE_FD] = (struct pollfd){ .fd = m->wake_fd, .events = POLLIN };
	atomic_store(&m->napping, true);
	clock_sleeps(&m->board.clock, true);
	if (atomic_load(&m->io.by_fd))
		n = descriptors(m, p, bit);
	if (!io_notice_any(&m->io) && ppoll(p, n + 1, timeout == CLOCK_NEVER ? NULL : &ts, NULL) > 0) {
		if (p[WAKE_FD].revents)
			drain(m->wake_fd);
		take_ready(m, p, bit, n);
	}
	clock_sleeps(&m->board.clock, false);
	atomic_store(&m->napping, false);
}

/* ---- switches ---- */

static void poll_due(void *ctx)
{
	struct machine *m = ctx; /* the kick that led here has served the descriptors */

	if (atomic_load(&m->io.by_fd))
		timer_arm(&m->board.clock, &m->hosted.poll, clock_now(&m->board.clock) + TICK_NS);
}

bool machine_hosted_io(struct machine *m, const char *name, bool on)
{
	struct hosted_io *io = &m->door.io;

	if (!strcmp(name, "vmm")) {
		io->vmm = on;
		board_set_direct(&m->board);
	} else if (!strcmp(name, "combine")) {
		io->combine = on;
	} else if (!strcmp(name, "vector")) {
		io->vector = on;
		atomic_store(&m->io.by_fd, !on);
		poll_descriptors(m); /* what came the other way */
		poll_due(m);
	} else {
		return false;
	}
	return true;
}

/* ---- points ---- */

static bool wanted(const struct machine *m, unsigned kind, uint32_t number)
{
	return m->hosted.wanted[kind - ENGINE_EVENTS][number];
}

static bool any_wanted(const struct machine *m, unsigned kind)
{
	for (unsigned i = 0; i < MACHINE_EVENT_NUMBERS; i++)
		if (wanted(m, kind, i))
			return true;
	return false;
}

/* These two run with the guest's vector registers live. */
__attribute__((target("general-regs-only"))) static void on_switch(void *ctx, const struct door_switch *s)
{
	struct machine *m = ctx;
	struct machine_hit h = { MACHINE_EV_WORLD_SWITCH, s->reason, s->out + s->host + s->in };

	if (m->hosted.wanted[MACHINE_EV_WORLD_SWITCH - ENGINE_EVENTS][s->reason])
		board_hit(&m->board, &h);
}

__attribute__((target("general-regs-only"))) static void on_packet(void *ctx, struct nic *k, bool sent,
								   uint32_t len)
{
	struct machine *m = ctx;
	struct machine_hit h = { MACHINE_EV_PACKET, !sent, len };

	(void)k;
	if (m->hosted.wanted[MACHINE_EV_PACKET - ENGINE_EVENTS][!sent])
		board_hit(&m->board, &h);
}

/* The request R of a drive is about to begin. */
static void on_request(void *ctx, const struct block_request *r)
{
	struct machine *m = ctx;
	unsigned kind = r->op == BLOCK_READ ? MACHINE_EV_DISK_READ : MACHINE_EV_DISK_WRITE;
	uint64_t first = r->at / BLOCK_SECTOR, last = (r->at + r->len - 1) / BLOCK_SECTOR;

	if ((r->op != BLOCK_READ && r->op != BLOCK_WRITE) || !r->len)
		return;
	for (unsigned i = 0; i < m->hosted.nsectors; i++) {
		const struct sectors *s = &m->hosted.sectors[i];
		struct machine_hit h = { kind, (uint32_t)(first < s->lo ? s->lo : first), r->len };

		if (s->kind == kind && first <= s->hi && last >= s->lo)
			board_hit(&m->board, &h);
	}
}

static bool sectors_set(struct machine *m, const struct sectors *want, bool on)
{
	struct hosted *h = &m->hosted;

	if (on && h->nsectors == SECTOR_POINTS)
		return false;
	if (on)
		h->sectors[h->nsectors++] = *want;
	for (unsigned i = 0; !on && i < h->nsectors; i++)
		if (!memcmp(&h->sectors[i], want, sizeof(*want))) {
			h->sectors[i] = h->sectors[--h->nsectors];
			break;
		}
	for (unsigned i = 0; i < m->loader.drives.n; i++)
		block_watch(m->loader.drives.d[i].block, h->nsectors ? on_request : NULL, m);
	return true;
}

bool machine_event_set(struct machine *m, unsigned kind, uint32_t lo, uint32_t hi, bool on)
{
	if (kind >= MACHINE_EV_COW)
		return memory_event_set(m, kind, lo, hi, on);
	if (kind >= MACHINE_EV_DISK_READ)
		return sectors_set(m, &(struct sectors){ kind, lo, hi }, on);
	for (uint32_t i = lo; i <= hi && i < MACHINE_EVENT_NUMBERS; i++)
		m->hosted.wanted[kind - ENGINE_EVENTS][i] += on ? 1 : -1;
	for (unsigned i = 0; i < BALLOON_EVENTS; i++)
		m->board.balloon.wanted[i] = wanted(m, MACHINE_EV_BALLOON, i);
	m->door.watch = any_wanted(m, MACHINE_EV_WORLD_SWITCH) ? on_switch : NULL;
	for (struct nic *k = m->network.nics.first; k; k = k->next) {
		k->watch = any_wanted(m, MACHINE_EV_PACKET) ? on_packet : NULL;
		k->ctx = m;
	}
	return true;
}

/* ---- construction ---- */

void hosted_init(struct machine *m)
{
	door_init(&m->door);
	m->door.visit = visit;
	m->door.ctx = m;
	m->network.nics.door = &m->door;
	m->network.nics.clock = &m->board.clock;
	m->board.door = &m->door;
	m->board.nics = &m->network.nics;
	m->hosted.poll = (struct vm_timer){ .fire = poll_due, .ctx = m };
}

static bool add_descriptor(struct machine *m, unsigned bit)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	m->io.fd[bit] = fd < 0 ? 0 : fd;
	return fd >= 0;
}

bool hosted_start(struct machine *m, char *err, size_t errlen)
{
	const struct net_host host = { .notice = &m->io, .thread_begins = m->cfg.net_thread_begins };
	bool ok = true;

	for (unsigned i = 0; i < m->loader.drives.n; i++)
		ok = ok && add_descriptor(m, i);
	for (unsigned i = 0; i < m->network.n; i++)
		ok = ok && add_descriptor(m, m->network.link[i].bit);
	if (!ok)
		snprintf(err, errlen, "out of file descriptors: %s", strerror(errno));
	return ok && network_start(&m->network, &host, err, errlen);
}

void hosted_fini(struct machine *m)
{
	network_close(&m->network);
	for (unsigned i = 0; i < IO_NOTICE_BITS; i++)
		if (m->io.fd[i])
			close(m->io.fd[i]);
}
