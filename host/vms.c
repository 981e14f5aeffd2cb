/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMs of a host, and their ends. A VM is dead when its process is: then, and not before, its pages are
 * taken back, as a process that still runs could write them. Its connection ends a little earlier, or much
 * earlier when the process hangs, which is killed after a moment. */
#include "host/host_int.h"
#include "base/alloc.h"
#include "base/monotonic.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEPT = 16 /* VMs that ended, for their log */, LAST_MESSAGES = 4 };
#define LINGER_NS 5000000000ll /* from the end of the connection to the process', before it is killed */
#define STATUS_NS 1000000000ll /* from the end of the process to the starter's notice */
#define JOIN_NS 120000000000ll /* from ADMIT to READY: an image may have to be read from a slow disk */

/* ---- the list ---- */

static struct host_vm *find(struct host *h, const char *name, bool ended)
{
	for (struct host_vm *vm = h->vms; vm; vm = vm->next)
		if (!strcmp(vm->name, name) && (vm->state == VM_ENDED) == ended)
			return vm;
	return NULL;
}

struct host_vm *vm_find(struct host *h, const char *name)
{
	return find(h, name, false);
}

struct host_vm *vm_find_ended(struct host *h, const char *name)
{
	return find(h, name, true);
}

struct host_vm *vm_add(struct host *h, const char *name)
{
	struct host_vm *vm = xcalloc(1, sizeof(*vm));

	vm_sweep(h, false);
	*vm = (struct host_vm){ .h = h, .next = h->vms, .pidfd = -1, .link = -1, .output = -1, .slot = -1 };
	vm->control.fd = -1;
	strcpy(vm->name, name);
	h->vms = vm;
	return vm;
}

void vm_sweep(struct host *h, bool all)
{
	struct host_vm **at = &h->vms, *vm;
	unsigned kept = 0;

	while ((vm = *at)) {
		if (vm->state != VM_ENDED || vm->users || (!all && ++kept <= KEPT)) {
			at = &vm->next;
			continue;
		}
		*at = vm->next;
		log_free(vm);
		free(vm);
	}
}

/* ---- what is said ---- */

static const struct view_col event_cols[] = {
	{ "event", "Event", VAL_STR, "", "always \"vm\"" },
	{ "vm", "VM", VAL_STR, "", "its name" },
	{ "what", "What", VAL_STR, "", "lives, ended, died, stopped, output" },
	{ "process", "Process", VAL_UINT, "", "its process" },
	{ "text", "Text", VAL_STR, "", "the same in words" },
};
RECORD_DOC(vm_event_record, "vm", event_cols);

void vm_say(struct host_vm *vm, const char *what, const char *fmt, ...)
{
	struct result r;
	struct table *t;
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	result_init(&r);
	t = result_table(&r, event_cols, ARRAY_LEN(event_cols), TABLE_PLAIN, "{vm}: {text}");
	table_row(t, (struct value[]){ V_STR("vm"), V_STR(vm->name), V_STR(what), V_UINT((unsigned)vm->pid),
				       V_STR(text) });
	inspect_tell(vm->h->s, &r);
	free(text);
}

const char *vm_state_text(const struct host_vm *vm)
{
	const struct mm_slot *slot = vm->slot < 0 ? NULL : mm_pool_slot(vm->h->pool, (unsigned)vm->slot);

	switch (vm->state) {
	case VM_STARTS:
		return "starts";
	case VM_JOINS:
		return "joins";
	case VM_LIVES:
		return slot && atomic_load(&slot->runs) ? "runs" : "stopped";
	case VM_ENDS:
		return "ends";
	case VM_ENDED:
		break;
	}
	return "ended";
}

/* ---- the end ---- */

static void close_watched(struct host_vm *vm, int *fd)
{
	if (*fd < 0)
		return;
	loop_forget(vm->h->loop, *fd);
	close(*fd);
	*fd = -1;
}

static void take_pages_back(struct host_vm *vm)
{
	struct host *h = vm->h;

	if (vm->slot < 0)
		return;
	mm_pool_died(h->pool, (unsigned)vm->slot);
	h->reclaims = true;
	host_need_ticks(h);
	if (h->swap >= 0)
		fallocate(h->swap, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)((uint64_t)vm->slot * MM_SWAP_BYTES), (off_t)MM_SWAP_BYTES);
	vm->slot = -1;
	host_run_policy(h);
}

/* The socket of a process that was killed stays behind. */
static void remove_socket(struct host_vm *vm)
{
	char path[RUNTIME_PATH], err[200];

	if (runtime_path(vm->h->cfg->name, vm->name, RUNTIME_CONTROL, path, err, sizeof(err)))
		unlink(path);
}

static void say_end(struct host_vm *vm)
{
	static const char back[] = "its memory has been taken back";

	if (vm->status_known && WIFSIGNALED(vm->status))
		vm_say(vm, "died", "killed by signal %d; %s", WTERMSIG(vm->status), back);
	else if (vm->said_bye || vm->status_known)
		vm_say(vm, "ended", "ended, status %d", vm->said_bye ? vm->bye : WEXITSTATUS(vm->status));
	else
		vm_say(vm, "died", "its process ended without notice; %s", back);
}

static void finish(struct host_vm *vm)
{
	bool had_slot = vm->slot >= 0;

	take_pages_back(vm);
	if (!vm->said_bye && had_slot)
		remove_socket(vm);
	remote_close(vm);
	close_watched(vm, &vm->link);
	close_watched(vm, &vm->output);
	vm->state = VM_ENDED;
	if (vm->lived && !vm->h->ends)
		say_end(vm);
}

/* Everything that there is to know of its end is known. */
static void finish_if_known(struct host_vm *vm, int64_t now)
{
	if (vm->state == VM_ENDED || vm->pidfd >= 0)
		return;
	if (!vm->started || vm->status_known || now - vm->gone >= STATUS_NS)
		finish(vm);
	else
		host_need_ticks(vm->h);
}

static void note_gone(struct host_vm *vm)
{
	vm->gone = monotonic_ns();
	vm->state = VM_ENDS;
	host_need_ticks(vm->h);
}

static void take_output(struct host_vm *vm);
static void link_ready(void *ctx, int fd);

static void process_ended(void *ctx, int fd)
{
	struct host_vm *vm = ctx;

	(void)fd;
	close_watched(vm, &vm->pidfd);
	/* What it said before: it may be heard of only now. */
	for (int i = 0; i < LAST_MESSAGES && vm->link >= 0; i++)
		link_ready(vm, vm->link);
	remote_drain(vm);
	take_output(vm);
	note_gone(vm);
	finish_if_known(vm, vm->gone);
}

void vm_reaped(void *host, int pid, int status)
{
	struct host *h = host;

	for (struct host_vm *vm = h->vms; vm; vm = vm->next) {
		if (vm->pid != pid || !vm->started || vm->state == VM_ENDED)
			continue;
		vm->status = status;
		vm->status_known = true;
		finish_if_known(vm, monotonic_ns());
		return;
	}
}

void vm_hang_up(struct host_vm *vm)
{
	close_watched(vm, &vm->link);
	if (vm->state < VM_ENDS)
		note_gone(vm);
}

void vm_kill(struct host_vm *vm)
{
	if (vm->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, vm->pidfd, SIGKILL, NULL, 0);
}

bool vm_tick(struct host *h, int64_t now)
{
	bool any;

	if (h->reclaims)
		h->reclaims = !mm_pool_reclaim(h->pool);
	any = h->reclaims;
	for (struct host_vm *vm = h->vms, *next; vm; vm = next) {
		next = vm->next;
		if (vm->state == VM_JOINS && now - vm->gone >= JOIN_NS)
			vm_hang_up(vm);
		any |= vm->state == VM_JOINS || vm->state == VM_ENDS;
		if (vm->state != VM_ENDS)
			continue;
		if (vm->pidfd >= 0 && now - vm->gone >= LINGER_NS)
			vm_kill(vm);
		finish_if_known(vm, now);
	}
	return any;
}

/* ---- its process ---- */

void vm_watch(struct host_vm *vm, int pid, int pidfd)
{
	vm->pid = pid;
	vm->pidfd = pidfd;
	loop_watch(vm->h->loop, pidfd, process_ended, vm);
}

/* Keep the last line of what its process prints: it says why it could not start. */
static void note_line(struct host_vm *vm, const char *text, size_t n)
{
	while (n && text[n - 1] == '\n')
		n--;
	for (size_t i = n; i--;)
		if (text[i] == '\n') {
			text += i + 1;
			n -= i + 1;
			break;
		}
	if (n)
		snprintf(vm->last, sizeof(vm->last), "%.*s", (int)(n < HOST_LINE ? n : HOST_LINE - 1), text);
}

/* True: there may be more. */
static bool take_some_output(struct host_vm *vm)
{
	char buf[4096];
	ssize_t n = vm->output < 0 ? -1 : read(vm->output, buf, sizeof(buf));

	if (n <= 0)
		return false;
	log_add(vm, buf, (size_t)n);
	note_line(vm, buf, (size_t)n);
	if (vm->state == VM_LIVES)
		vm_say(vm, "output", "%s", vm->last);
	return true;
}

static void take_output(struct host_vm *vm)
{
	while (take_some_output(vm))
		;
}

static void output_ready(void *ctx, int fd)
{
	struct host_vm *vm = ctx;
	char c;

	if (take_some_output(vm))
		return;
	if (read(fd, &c, 1) == 0)
		close_watched(vm, &vm->output);
}

void vm_watch_output(struct host_vm *vm, int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	vm->output = fd;
	loop_watch(vm->h->loop, fd, output_ready, vm);
}

/* ---- its connection ---- */

static void refuse(struct host_vm *vm, const char *why)
{
	struct host_message m = host_message(HOST_REFUSE);

	snprintf(m.text, sizeof(m.text), "%s", why);
	host_send(vm->link, &m, NULL, 0);
	vm_hang_up(vm);
}

static void link_ready(void *ctx, int fd)
{
	struct host_vm *vm = ctx;
	struct host_message m;
	const char *why = NULL;
	int fds[HOST_FDS];
	unsigned n;

	switch (host_receive(fd, &m, fds, &n, &why)) {
	case HOST_NOTHING:
		return;
	case HOST_GOT:
		break;
	case HOST_BAD:
		refuse(vm, why);
		return;
	case HOST_GONE:
		vm_hang_up(vm);
		return;
	}
	if (m.type == HOST_BYE && vm->state >= VM_JOINS) {
		vm->said_bye = true;
		vm->bye = m.status;
		vm_hang_up(vm);
	} else if (m.type == HOST_READY && vm->state == VM_JOINS) {
		why = joining_ready(vm, &m, fds);
		if (why)
			refuse(vm, why);
	} else {
		while (n--)
			close(fds[n]);
		refuse(vm, "a message that was not expected");
	}
}

void vm_watch_link(struct host_vm *vm, int fd)
{
	vm->link = fd;
	loop_watch(vm->h->loop, fd, link_ready, vm);
}
