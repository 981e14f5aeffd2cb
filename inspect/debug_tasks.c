/* SPDX-License-Identifier: GPL-3.0-or-later
 * See debug_tasks.h. */
#include "inspect/debug_tasks.h"
#include "inspect/linux/switched.h"
#include "inspect/session_int.h"

#include <string.h>

_Static_assert(sizeof(((struct debug_task *)0)->name) == LX_COMM, "names of tasks");

struct search {
	uint64_t current; /* address; 0: none */
	bool (*found)(void *ctx, const struct debug_task *t);
	void *ctx;
	uint32_t pid;
	struct lx_task task; /* of that number; ADDR 0: not found yet */
};

static struct debug_task task_of(const struct lx_task *t, bool current)
{
	struct debug_task d = { .pid = t->pid, .tgid = t->tgid, .state = t->state, .current = current };

	memcpy(d.name, t->comm, sizeof(d.name));
	return d;
}

static bool pass_on(void *ctx, const struct lx_task *t)
{
	struct search *q = ctx;
	struct debug_task d = task_of(t, t->addr == q->current);

	return q->found(q->ctx, &d);
}

static struct lx *kernel_with_tasks(struct inspect *s, const char **why)
{
	struct lx *k = kernel_of(s, why);

	return k && lx_tasks_known(k, why) ? k : NULL;
}

const char *debug_tasks(struct inspect *s, bool (*found)(void *ctx, const struct debug_task *t), void *ctx)
{
	struct search q = { .found = found, .ctx = ctx };
	struct lx_task t;
	const char *why;
	struct lx *k = kernel_with_tasks(s, &why);

	if (!k)
		return why;
	q.current = lx_current(k, &t) ? t.addr : 0;
	return lx_tasks_each(k, true, pass_on, &q);
}

bool debug_current_task(struct inspect *s, struct debug_task *t)
{
	struct lx_task now;

	if (!kernel_task(s, &now))
		return false;
	*t = task_of(&now, true);
	return true;
}

static bool is_wanted(void *ctx, const struct lx_task *t)
{
	struct search *q = ctx;

	if (t->pid == q->pid)
		q->task = *t;
	return t->pid != q->pid;
}

/* The kernel and its task PID; NULL: there is none. */
static struct lx *task_by_pid(struct inspect *s, uint32_t pid, struct lx_task *t)
{
	struct search q = { .pid = pid };
	struct lx *k = kernel_with_tasks(s, &(const char *){ NULL });

	if (k)
		lx_tasks_each(k, true, is_wanted, &q);
	*t = q.task;
	return q.task.addr ? k : NULL;
}

bool debug_task_regs(struct inspect *s, uint32_t pid, struct debug_task_regs *regs)
{
	struct lx_switched f;
	struct lx_task t;
	struct lx *k = task_by_pid(s, pid, &t);

	if (!k || !lx_switched(k, &t, &f))
		return false;
	regs->pc = f.pc;
	regs->known = f.known;
	memcpy(regs->gpr, f.gpr, sizeof(regs->gpr));
	return true;
}

size_t debug_task_read(struct inspect *s, uint32_t pid, uint64_t addr, void *buf, size_t n)
{
	struct lx_task t;
	struct lx *k = task_by_pid(s, pid, &t);

	return k ? lx_task_read(k, &t, addr, buf, n) : 0;
}
