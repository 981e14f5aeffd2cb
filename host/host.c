/* SPDX-License-Identifier: GPL-3.0-or-later
 * A host: what it owns, its beginning and its end. Its VMs are in vms.c, how they join in joining.c.
 *
 * Everything here runs on the main thread, which is restricted like a VM's (base/sandbox.def) and beyond that
 * may open and signal processes. It runs no program: the starter does, a process forked before. */
#include "host/host_int.h"
#include "base/alloc.h"
#include "base/monotonic.h"
#include "base/swap_file.h"
#include "mm/policy.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TICK_MS = 500, QUIT_MS = 5000, NS_PER_S = 1000000000 };

/* ---- time ---- */

static void set_ticks(struct host *h, bool on)
{
	long ns = on ? TICK_MS * 1000000l : 0;

	h->ticks = on;
	timerfd_settime(h->timer, 0,
			&(struct itimerspec){ .it_interval.tv_nsec = ns, .it_value.tv_nsec = ns }, NULL);
}

void host_need_ticks(struct host *h)
{
	if (!h->ticks)
		set_ticks(h, true);
}

static void timer_ready(void *ctx, int fd)
{
	struct host *h = ctx;
	uint64_t count;
	bool more;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	more = joining_tick(h, monotonic_ns());
	if (!vm_tick(h, monotonic_ns()) && !more)
		set_ticks(h, false);
}

/* ---- the policy ---- */

/* Run it, and again when it says. */
void host_run_policy(struct host *h)
{
	uint64_t now = (uint64_t)monotonic_ns(), next = mm_policy_run(h->pool, now);
	uint64_t wait = next > now ? next - now : 1;
	struct itimerspec when = { .it_value = { .tv_sec = (time_t)(wait / NS_PER_S),
						 .tv_nsec = (long)(wait % NS_PER_S) } };

	timerfd_settime(h->policy_timer, 0, &when, NULL);
}

static void policy_ready(void *ctx, int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		host_run_policy(ctx);
}

/* ---- the beginning ---- */

static uint64_t computer_pages(void)
{
	long n = sysconf(_SC_PHYS_PAGES);

	return n > 0 ? (uint64_t)n : 1 << 18;
}

static bool open_swap(struct host *h, char *err, size_t errlen)
{
	if (!h->cfg->swap)
		return true;
	h->swap = swap_open(h->cfg->swap, MM_VMS * MM_SWAP_BYTES, err, errlen);
	return h->swap >= 0;
}

/* Pages that the swap file may take: the file is sparse, and ends where its file system is full. */
static uint32_t swap_pages(const struct host *h)
{
	struct statvfs v;
	uint64_t most = (uint64_t)MM_VMS << 20, n;
	struct stat st;

	if (h->swap < 0 || fstat(h->swap, &st))
		return 0;
	if (S_ISBLK(st.st_mode))
		n = (uint64_t)lseek(h->swap, 0, SEEK_END) >> PAGE_SHIFT;
	else
		n = fstatvfs(h->swap, &v) ? 0 : (uint64_t)v.f_bavail * v.f_frsize >> PAGE_SHIFT;
	return (uint32_t)(n < most ? n : most);
}

static bool open_pool(struct host *h, char *err, size_t errlen)
{
	uint64_t bytes = h->cfg->machine_memory ? h->cfg->machine_memory : computer_pages() / 2 << PAGE_SHIFT;

	h->pool = mm_pool_host(bytes);
	if (!h->pool)
		snprintf(err, errlen, "cannot reserve %llu MiB of machine memory: %s",
			 (unsigned long long)bytes >> 20, strerror(errno));
	if (!h->pool)
		return false;
	atomic_store(&mm_policy(h->pool)->params.swap, swap_pages(h));
	atomic_store(&mm_policy(h->pool)->params.computer, (uint32_t)computer_pages());
	return true;
}

static bool open_socket(struct host *h, char *err, size_t errlen)
{
	char path[RUNTIME_PATH];
	const char *why;

	if (!runtime_path(h->cfg->name, NULL, RUNTIME_JOIN, path, err, errlen))
		return false;
	if (unix_socket_listen(&h->socket, path, SOCK_SEQPACKET | SOCK_NONBLOCK, &why))
		return true;
	if (errno == EADDRINUSE)
		snprintf(err, errlen, "there is a host '%s' already", h->cfg->name);
	else
		snprintf(err, errlen, "%s: %s", path, why);
	return false;
}

struct host *host_new(const struct host_config *cfg, char *err, size_t errlen)
{
	struct host *h = xcalloc(1, sizeof(*h));

	*h = (struct host){ .cfg = cfg, .swap = -1, .timer = -1, .policy_timer = -1, .socket.fd = -1 };
	/* The starter first: it must not have what this process opens. */
	h->starter = starter_new(cfg->restricted, vm_reaped, h, err, errlen);
	if (!h->starter || !open_socket(h, err, errlen) || !open_swap(h, err, errlen) ||
	    !open_pool(h, err, errlen)) {
		host_free(h);
		return NULL;
	}
	h->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	h->policy_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return h;
}

static void starter_ready(void *ctx, int fd)
{
	struct host *h = ctx;

	if (!starter_take(h->starter))
		loop_forget(h->loop, fd);
}

void host_serve(struct host *h, struct inspect *s, struct loop *loop)
{
	h->s = s;
	h->loop = loop;
	h->addon = host_addon_manual;
	h->addon.owner = h;
	inspect_add(s, &h->addon);
	inspect_attach_pool(s, h->pool);
	loop_watch(loop, starter_fd(h->starter), starter_ready, h);
	loop_watch(loop, h->timer, timer_ready, h);
	loop_watch(loop, h->policy_timer, policy_ready, h);
	host_run_policy(h);
	joining_open(h);
}

const struct inspect_addon *host_addon(struct host *h)
{
	return &h->addon;
}

/* ---- the end ---- */

static bool any_left(const struct host *h)
{
	for (const struct host_vm *vm = h->vms; vm; vm = vm->next)
		if (vm->state != VM_ENDED)
			return true;
	return false;
}

/* VMs end with the host: in order those that can, by force the others. */
static void end_vms(struct host *h)
{
	int64_t until = monotonic_ns() + QUIT_MS * 1000000ll;

	h->ends = true;
	for (struct host_vm *vm = h->vms; vm; vm = vm->next) {
		vm->quits = true;
		if (vm->state == VM_LIVES)
			remote_send(vm, "quit");
		else if (vm->state != VM_ENDED)
			vm_kill(vm);
	}
	while (any_left(h) && monotonic_ns() < until)
		loop_turn(h->loop, 100, -1);
	for (struct host_vm *vm = h->vms; vm; vm = vm->next)
		if (vm->state != VM_ENDED)
			vm_kill(vm);
	until += QUIT_MS * 1000000ll;
	while (any_left(h) && monotonic_ns() < until)
		loop_turn(h->loop, 100, -1);
}

void host_free(struct host *h)
{
	if (!h)
		return;
	if (h->loop) {
		joining_close(h);
		end_vms(h);
		vm_sweep(h, true);
		loop_forget(h->loop, starter_fd(h->starter));
		loop_forget(h->loop, h->timer);
		loop_forget(h->loop, h->policy_timer);
		inspect_attach_pool(h->s, NULL);
	}
	unix_socket_close(&h->socket);
	starter_free(h->starter);
	if (h->timer >= 0)
		close(h->timer);
	if (h->policy_timer >= 0)
		close(h->policy_timer);
	if (h->swap >= 0)
		close(h->swap);
	mm_pool_free(h->pool);
	free(h);
}
