/* SPDX-License-Identifier: GPL-3.0-or-later
 * How VMs join a host: connections, HELLO, admission, READY. A connection that says nothing, or nonsense, is
 * closed; one VM's trouble is none of another's. */
#include "host/host_int.h"
#include "base/alloc.h"
#include "base/monotonic.h"
#include "mm/policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_CONNS = 64 };
#define HELLO_NS 5000000000ll

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* ---- refusals ---- */

__attribute__((format(printf, 2, 3))) static void refuse(int fd, const char *fmt, ...)
{
	struct host_message m = host_message(HOST_REFUSE);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m.text, sizeof(m.text), fmt, ap);
	va_end(ap);
	host_send(fd, &m, NULL, 0);
}

static void drop(struct host_conn *c)
{
	struct host_conn **at = &c->h->conns;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->h->nconns--;
	loop_forget(c->h->loop, c->fd);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* ---- who is there ---- */

/* The process at the other end, if it is the user's: a descriptor for it, its number in *PID; -1: it is not,
 * or it has ended. */
static int peer_process(int fd, int *pid)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int pidfd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) || who.uid != geteuid())
		return -1;
	*pid = who.pid;
	len = sizeof(pidfd);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		return pidfd;
	return (int)syscall(SYS_pidfd_open, who.pid, 0); /* Linux before 6.5 */
}

/* May process PID join as NAME? *VM is the VM if it was started here, else NULL. */
static bool may_join(struct host_conn *c, const char *name, int pid, struct host_vm **vm)
{
	*vm = vm_find(c->h, name);
	for (struct host_vm *at = c->h->vms; at; at = at->next)
		if (at->state == VM_STARTS && at->pid == pid && at != *vm) {
			refuse(c->fd, "it was started as '%s'", at->name);
			return false;
		}
	if (!*vm || ((*vm)->state == VM_STARTS && (*vm)->pid == pid))
		return true;
	refuse(c->fd, "it has a VM '%s' already", name);
	return false;
}

/* ---- admission ---- */

static uint32_t pages(uint64_t bytes)
{
	uint64_t n = (bytes + PAGE_MASK) >> PAGE_SHIFT;

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

/* Pages that the VM is guaranteed: as the user says, else all of them, or where the host swaps a quarter. */
static uint32_t guaranteed(const struct host *h, const struct host_message *m)
{
	uint64_t most = m->max && m->max < m->memory ? m->max : m->memory;

	return pages(m->min ? m->min : h->swap < 0 ? most : most / 4);
}

/* Pages that its process will take beside the guest: before it has a machine it takes less than the processes
 * of VMs that live, which say what they take now. */
static uint32_t expected_overhead(const struct host *h, const struct host_message *m)
{
	uint32_t most = pages(m->overhead);

	for (const struct host_vm *vm = h->vms; vm; vm = vm->next) {
		const struct mm_slot *slot =
		    vm->state == VM_LIVES ? mm_pool_slot(h->pool, (unsigned)vm->slot) : NULL;
		uint32_t now = slot ? atomic_load(&slot->overhead) : 0;

		if (now > most)
			most = now;
	}
	return most;
}

/* Give the VM a slot, with what the user wants for it. -1: refused. */
static int admit(struct host_conn *c, const struct host_message *m, int pid)
{
	uint32_t most = pages(m->max ? m->max : m->memory);
	uint32_t least = guaranteed(c->h, m);
	struct mm_slot *slot;
	char err[HOST_LINE];
	int n;

	if (least > most) {
		refuse(c->fd, "--min is more than --max, or than the guest's memory");
		return -1;
	}
	if (!mm_admit(c->h->pool, least, most, expected_overhead(c->h, m), err, sizeof(err))) {
		refuse(c->fd, "%s", err);
		return -1;
	}
	n = mm_pool_admit(c->h->pool, m->name, pid);
	if (n < 0) {
		refuse(c->fd, "it has as many VMs as it can have, %d", MM_VMS);
		return -1;
	}
	slot = mm_pool_slot(c->h->pool, (unsigned)n);
	atomic_store(&slot->min, least);
	atomic_store(&slot->max, most);
	if (m->shares)
		atomic_store(&slot->shares, m->shares);
	atomic_store(&slot->overhead, pages(m->overhead));
	return n;
}

static bool send_admission(struct host *h, int fd, int slot)
{
	struct host_message m = host_message(HOST_ADMIT);
	struct mm_pool_fds f;
	int fds[HOST_FDS];
	unsigned n = 0;

	mm_pool_fds(h->pool, &f);
	fds[n++] = f.block;
	fds[n++] = f.frames;
	if (f.host >= 0)
		fds[n++] = f.host;
	if (h->swap >= 0)
		fds[n++] = h->swap;
	m.slot = (uint32_t)slot;
	m.swaps = h->swap >= 0;
	m.swap_base = (uint64_t)slot * MM_SWAP_BYTES;
	strcpy(m.name, h->cfg->name);
	return host_send(fd, &m, fds, n);
}

static void hello(struct host_conn *c, const struct host_message *m)
{
	struct host *h = c->h;
	int pid, pidfd = peer_process(c->fd, &pid), slot;
	struct host_vm *vm;

	if (pidfd < 0) {
		refuse(c->fd, "only processes of its own user may join");
		return;
	}
	if (!runtime_name_ok(m->name)) {
		refuse(c->fd, "a VM's name has letters, digits, '-' and '_', at most %d", RUNTIME_NAME - 1);
		close(pidfd);
		return;
	}
	slot = may_join(c, m->name, pid, &vm) ? admit(c, m, pid) : -1;
	if (slot < 0) {
		close(pidfd);
		return;
	}
	if (!vm)
		vm = vm_add(h, m->name);
	vm->slot = slot;
	vm->memory = m->memory;
	vm->max = m->max ? pages(m->max) : 0;
	vm->gone = monotonic_ns();
	vm->state = VM_JOINS;
	if (vm->started)
		close(pidfd);
	else
		vm_watch(vm, pid, pidfd);
	loop_forget(h->loop, c->fd);
	vm_watch_link(vm, c->fd);
	c->fd = -1; /* it is the VM's now */
	host_need_ticks(h);
	if (!send_admission(h, vm->link, slot))
		vm_hang_up(vm);
}

static bool is_stream(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

const char *joining_ready(struct host_vm *vm, const struct host_message *m, const int fds[2])
{
	struct mm_slot *slot = mm_pool_slot(vm->h->pool, (unsigned)vm->slot);
	struct host_message listed = host_message(HOST_LISTED);

	if (!mm_pool_pmap(vm->h->pool, (unsigned)vm->slot, fds[0])) {
		close(fds[1]);
		return "its memory is not as it must be";
	}
	if (!is_stream(fds[1])) {
		close(fds[1]);
		return "its control connection is none";
	}
	atomic_store(&slot->overhead, pages(m->overhead));
	if (!vm->max) /* ROMs are known only now */
		atomic_store(&slot->max, slot->configured);
	vm->state = VM_LIVES;
	vm->lived = true;
	remote_open(vm, fds[1]);
	host_run_policy(vm->h);
	if (!host_send(vm->link, &listed, NULL, 0))
		return "it does not read";
	vm_say(vm, "lives", "joined: process %d, %llu MiB", vm->pid, (unsigned long long)vm->memory >> 20);
	return NULL;
}

/* ---- connections ---- */

static void conn_ready(void *ctx, int fd)
{
	struct host_conn *c = ctx;
	struct host_message m;
	int fds[HOST_FDS];
	const char *why;
	unsigned n;

	switch (host_receive(fd, &m, fds, &n, &why)) {
	case HOST_NOTHING:
		return;
	case HOST_GONE:
		break;
	case HOST_BAD:
		refuse(fd, "%s", why);
		break;
	case HOST_GOT:
		while (n--)
			close(fds[n]);
		if (m.type == HOST_HELLO)
			hello(c, &m);
		else
			refuse(fd, "the first message must say who it is");
		break;
	}
	drop(c);
}

static void listen_ready(void *ctx, int listening)
{
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct host *h = ctx;
	struct host_conn *c;

	if (fd < 0)
		return;
	if (h->nconns == MAX_CONNS) {
		refuse(fd, "too many processes want to join at a time");
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct host_conn){ .h = h, .next = h->conns, .fd = fd, .until = monotonic_ns() + HELLO_NS };
	h->conns = c;
	h->nconns++;
	loop_watch(h->loop, fd, conn_ready, c);
	host_need_ticks(h);
}

bool joining_tick(struct host *h, int64_t now)
{
	for (struct host_conn *c = h->conns, *next; c; c = next) {
		next = c->next;
		if (now >= c->until)
			drop(c);
	}
	return h->conns;
}

void joining_open(struct host *h)
{
	loop_watch(h->loop, h->socket.fd, listen_ready, h);
}

void joining_close(struct host *h)
{
	loop_forget(h->loop, h->socket.fd);
	while (h->conns)
		drop(h->conns);
}
