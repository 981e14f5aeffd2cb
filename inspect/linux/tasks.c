/* SPDX-License-Identifier: GPL-3.0-or-later
 * Processes are on a ring from init_task; the threads of each on a ring of their own. Rings are followed
 * only while each element is a task and the previous one is where it says, and not further than
 * there can be tasks. */
#include "inspect/linux/tasks.h"
#include "inspect/linux/kernel_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_PID = 1 << 22 };

bool lx_tasks_known(struct lx *k, const char **why)
{
	static const enum lx_field needed[] = { LX_TASK_TASKS, LX_TASK_COMM, LX_TASK_PID, LX_TASK_TGID,
						LX_TASK_PARENT };

	*why = NULL;
	if (!k->init_task && !lx_symbol(k, "init_task", &k->init_task)) {
		*why = "the kernel's first task was not found";
		return false;
	}
	lx_infer_tasks(k);
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!lx_has(k, needed[i])) {
			*why =
			    "the layout of the kernel's tasks is not known yet: there are too few of them, "
			    "and the kernel has no BTF";
			return false;
		}
	return true;
}

bool lx_comm_ok(const char comm[LX_COMM])
{
	size_t n = strnlen(comm, LX_COMM);

	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)comm[i]))
			return false;
	return n && n < LX_COMM;
}

/* The letter for the bits of the states, as in Documentation of proc(5). */
static char state_letter(uint32_t state)
{
	static const char letters[] = "RSDTtXZP";
	unsigned n = 0;

	if ((state & 0x402) == 0x402)
		return 'I';
	for (state &= 0x7f; state; state >>= 1)
		n++;
	return letters[n];
}

static uint64_t root_of(const struct lx *k, uint64_t mm)
{
	uint64_t pgd, pa, left;

	if (!mm || !lx_get(k, mm, LX_MM_PGD, &pgd) || !lx_translate(&k->mem, &k->space, pgd, &pa, &left))
		return 0;
	return pa;
}

bool lx_task_at(const struct lx *k, uint64_t addr, struct lx_task *t)
{
	uint32_t state = 0, exit_state = 0;
	uint64_t parent;

	*t = (struct lx_task){ .addr = addr };
	if (!lx_is_pointer(k, addr) || !lx_has(k, LX_TASK_COMM) ||
	    !lx_read(k, lx_at(k, addr, LX_TASK_COMM), t->comm, LX_COMM) || !lx_comm_ok(t->comm))
		return false;
	if (!lx_get32(k, addr, LX_TASK_PID, &t->pid) || !lx_get32(k, addr, LX_TASK_TGID, &t->tgid) ||
	    t->pid > MAX_PID || t->tgid > MAX_PID)
		return false;
	if (lx_get(k, addr, LX_TASK_PARENT, &parent) && !lx_get32(k, parent, LX_TASK_TGID, &t->parent))
		t->parent = 0;
	t->state = '?';
	if (lx_get32(k, addr, LX_TASK_STATE, &state) && lx_get32(k, addr, LX_TASK_EXIT_STATE, &exit_state))
		t->state = state_letter(state | exit_state);
	if (!lx_get(k, addr, LX_TASK_MM, &t->mm) || !lx_is_pointer(k, t->mm))
		t->mm = 0;
	t->root = root_of(k, t->mm);
	return true;
}

/* A walk along a ring of list_heads in tasks. */
struct ring {
	uint64_t head;	   /* address of the list_head at which it began */
	unsigned offset;   /* of list_heads in tasks */
	uint64_t at, last; /* list_heads */
	unsigned left;	   /* steps */
};

static bool ring_next(const struct lx *k, struct ring *r, uint64_t *task)
{
	uint64_t prev;

	r->last = r->at;
	if (!r->left-- || !lx_word(k, r->last, &r->at) || !lx_word(k, r->at + k->width, &prev) ||
	    prev != r->last)
		return false;
	*task = r->at - r->offset;
	return true;
}

struct walk {
	bool (*found)(void *ctx, const struct lx_task *t);
	void *ctx;
	unsigned left; /* tasks */
	bool stopped;
};

static const char broken[] = "the kernel's list of tasks is damaged, or being changed";

static const char *tell(struct walk *w, const struct lx_task *t)
{
	if (!w->left)
		return "too many tasks";
	w->left--;
	w->stopped = !w->found(w->ctx, t);
	return NULL;
}

/* The ring of P's threads: its head is in the signal structure, or (before 6.7) each thread is on a ring. */
static bool thread_ring(const struct lx *k, const struct lx_task *p, struct ring *r)
{
	uint64_t signal;

	*r = (struct ring){ .left = LX_MAX_TASKS };
	if (lx_has(k, LX_TASK_NODE) && lx_has(k, LX_SIGNAL_HEAD)) {
		if (!lx_get(k, p->addr, LX_TASK_SIGNAL, &signal) || !lx_is_pointer(k, signal))
			return false;
		r->head = lx_at(k, signal, LX_SIGNAL_HEAD);
		r->offset = k->layout.off[LX_TASK_NODE];
	} else if (lx_has(k, LX_TASK_GROUP)) {
		r->head = lx_at(k, p->addr, LX_TASK_GROUP);
		r->offset = k->layout.off[LX_TASK_GROUP];
	} else {
		return false;
	}
	r->at = r->head;
	return true;
}

static const char *threads_of(const struct lx *k, const struct lx_task *p, struct walk *w)
{
	struct lx_task t;
	struct ring r;
	uint64_t addr;
	const char *why;

	if (!p->tgid || !thread_ring(k, p, &r))
		return NULL;
	for (;;) {
		if (!ring_next(k, &r, &addr))
			return broken;
		if (r.at == r.head)
			return NULL;
		if (addr == p->addr)
			continue;
		if (!lx_task_at(k, addr, &t))
			return broken;
		why = tell(w, &t);
		if (why || w->stopped)
			return why;
	}
}

const char *lx_tasks_each(const struct lx *k, bool threads, bool (*found)(void *ctx, const struct lx_task *t),
			  void *ctx)
{
	struct walk w = { .found = found, .ctx = ctx, .left = LX_MAX_TASKS };
	struct ring r = { .offset = k->layout.off[LX_TASK_TASKS], .left = LX_MAX_TASKS };
	uint64_t addr = k->init_task;
	const char *why;
	struct lx_task t;

	r.at = r.head = lx_at(k, addr, LX_TASK_TASKS);
	do {
		if (!lx_task_at(k, addr, &t))
			return broken;
		why = tell(&w, &t);
		if (!why && threads && !w.stopped)
			why = threads_of(k, &t, &w);
		if (why || w.stopped)
			return why;
		if (!ring_next(k, &r, &addr))
			return broken;
	} while (r.at != r.head);
	return NULL;
}

/* ---- the task that executes ---- */

static bool find_current(struct lx *k)
{
	uint64_t base, at = k->percpu.hot ? k->percpu.hot : k->percpu.current, array;

	if (!k->percpu.offsets && lx_symbol(k, "__per_cpu_offset", &array))
		k->percpu.offsets = array;
	if (!at && lx_symbol(k, "current_task", &at))
		k->percpu.current = at;
	if (!at || !k->percpu.offsets || !lx_word(k, k->percpu.offsets, &base))
		return false;
	k->current_at = k->width == 4 ? (uint32_t)(base + at) : base + at;
	return true;
}

bool lx_current(struct lx *k, struct lx_task *t)
{
	const char *why;
	uint64_t addr;

	/* the block of variables moves once, early at boot */
	return lx_tasks_known(k, &why) && find_current(k) && lx_word(k, k->current_at, &addr) &&
	       lx_task_at(k, addr, t);
}

/* ---- user memory ---- */

bool lx_task_space(const struct lx *k, const struct lx_task *t, struct lx_space *sp)
{
	*sp = (struct lx_space){ t->root, k->space.paging };
	return t->root != 0;
}

bool lx_command_line(const struct lx *k, const struct lx_task *t, char *buf, size_t size)
{
	uint64_t start, end;
	struct lx_space sp;
	size_t n;

	buf[0] = 0;
	if (!lx_task_space(k, t, &sp) || !lx_get(k, t->mm, LX_MM_ARG_START, &start) ||
	    !lx_get(k, t->mm, LX_MM_ARG_END, &end) || end <= start)
		return false;
	n = end - start < size - 1 ? (size_t)(end - start) : size - 1;
	n = lx_space_read(&k->mem, &sp, start, buf, n);
	while (n && !buf[n - 1])
		n--;
	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)buf[i]))
			buf[i] = buf[i] ? '?' : ' ';
	buf[n] = 0;
	return n > 0;
}
