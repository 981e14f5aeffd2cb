/* SPDX-License-Identifier: GPL-3.0-or-later
 * Threads. There is one virtual processor, thread 1. On request ("monitor threads tasks") each task of a
 * Linux guest that does not execute is a thread as well, numbered by its PID from TASK_BASE on: with the
 * registers that the kernel saved when it switched to another task, and with its own user memory. They can be
 * looked at only. */
#include "gdbstub/gdb_int.h"
#include "inspect/debug_tasks.h"

#include <stdio.h>
#include <string.h>

enum { CPU_THREAD = 1, TASK_BASE = 1000000 };

const char *gdb_thread(const struct gdb *g)
{
	return g->multiprocess ? "p1.1" : "1";
}

static const char *cpu_state(struct gdb *g)
{
	if (inspect_ended(g->s))
		return "ended";
	return debug_cpu(g->s)->halted ? "halted" : "running";
}

/* ---- lists ---- */

/* "CPU 0", and in the list of tasks the one that it executes. */
static void cpu_name(struct gdb *g, char *buf, size_t len)
{
	struct debug_task t;

	if (g->threads.tasks && debug_current_task(g->s, &t))
		snprintf(buf, len, "CPU 0: %.15s %u", t.name, t.pid);
	else
		snprintf(buf, len, "CPU 0");
}

static void put_escaped(struct out *o, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&\"", *text))
			out_printf(o, "&#%d;", *text);
		else
			out_printf(o, "%c", *text);
	}
}

struct list {
	struct gdb *g;
	struct out *o;
};

static bool task_element(void *ctx, const struct debug_task *t)
{
	struct list *l = ctx;

	if (t->current)
		return true;
	out_printf(l->o, "<thread id=\"%s%x\" name=\"", l->g->multiprocess ? "p1." : "", TASK_BASE + t->pid);
	put_escaped(l->o, t->name);
	out_printf(l->o, " %u\">%c</thread>\n", t->pid, t->state);
	return true;
}

void on_threads_xml(struct gdb *g, struct span a)
{
	struct out doc = { 0 };
	struct list l = { g, &doc };
	char name[64];

	cpu_name(g, name, sizeof(name));
	out_printf(&doc, "<?xml version=\"1.0\"?>\n<threads>\n<thread id=\"%s\" core=\"0\" name=\"",
		   gdb_thread(g));
	put_escaped(&doc, name);
	out_printf(&doc, "\">%s</thread>\n", cpu_state(g));
	if (g->threads.tasks)
		debug_tasks(g->s, task_element, &l);
	out_printf(&doc, "</threads>\n");
	gdb_transfer(g, a, &doc);
	out_fini(&doc);
}

static bool task_word(void *ctx, const struct debug_task *t)
{
	struct list *l = ctx;

	if (!t->current)
		out_printf(l->o, ",%s%x", l->g->multiprocess ? "p1." : "", TASK_BASE + t->pid);
	return l->o->len < PACKET_MAX - 32;
}

void on_threads_first(struct gdb *g, struct span a)
{
	struct list l = { g, &g->reply };

	(void)a;
	out_printf(&g->reply, "m%s", gdb_thread(g));
	if (g->threads.tasks)
		debug_tasks(g->s, task_word, &l);
}

void on_threads_next(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "l");
}

void on_current_thread(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "QC%s", gdb_thread(g));
}

/* ---- one of them ---- */

struct one {
	uint32_t pid;
	struct debug_task task;
	bool found;
};

static bool is_one(void *ctx, const struct debug_task *t)
{
	struct one *o = ctx;

	if (t->pid != o->pid || t->current)
		return true;
	o->task = *t;
	o->found = true;
	return false;
}

/* The task that thread ID is. False: there is none, or the processor executes it. */
static bool task_of(struct gdb *g, uint64_t id, struct debug_task *t)
{
	struct one o = { .pid = (uint32_t)(id - TASK_BASE) };

	if (!g->threads.tasks || id < TASK_BASE || id > TASK_BASE + UINT32_MAX / 2)
		return false;
	debug_tasks(g->s, is_one, &o);
	*t = o.task;
	return o.found;
}

/* Parse "[pPID.]TID": all threads, any and the processor are CPU_THREAD. False: there is no such thread. */
static bool take_thread(struct gdb *g, struct span a, uint64_t *id)
{
	uint64_t pid = 1;
	struct debug_task t;

	*id = CPU_THREAD;
	if (span_char(&a, 'p')) {
		if (!span_word(&a, "-1") && !span_hex(&a, &pid))
			return false;
		if (!span_char(&a, '.'))
			return pid <= 1 && !span_left(&a);
	}
	if (!span_word(&a, "-1") && !span_hex(&a, id))
		return false;
	if (pid > 1 || span_left(&a))
		return false;
	if (*id <= CPU_THREAD) {
		*id = CPU_THREAD;
		return true;
	}
	return task_of(g, *id, &t);
}

void on_thread_info(struct gdb *g, struct span a)
{
	struct debug_task t;
	char text[100], name[64];
	uint64_t id;

	if (take_thread(g, a, &id) && id != CPU_THREAD && task_of(g, id, &t)) {
		snprintf(text, sizeof(text), "%.15s %u [%c]", t.name, t.pid, t.state);
	} else {
		cpu_name(g, name, sizeof(name));
		snprintf(text, sizeof(text), "%s [%s]", name, cpu_state(g));
	}
	out_hex(&g->reply, text, strlen(text));
}

void on_set_thread(struct gdb *g, struct span a)
{
	bool general = span_char(&a, 'g');
	uint64_t id;

	if ((!general && !span_char(&a, 'c')) || !take_thread(g, a, &id)) {
		reply_error(g, E_INVAL, "no such thread");
		return;
	}
	if (general)
		g->threads.task = id == CPU_THREAD ? -1 : (int64_t)(id - TASK_BASE);
	reply_ok(g);
}

void on_thread_alive(struct gdb *g, struct span a)
{
	uint64_t id;

	if (take_thread(g, a, &id))
		reply_ok(g);
	else
		reply_error(g, E_INVAL, "no such thread");
}

/* ---- registers and memory of the selected task ---- */

/* Is register R of the description known of a task? Then its value is in *VAL. */
static bool task_reg(const struct gdb_reg *r, const struct debug_task_regs *t, uint64_t *val)
{
	static const char *const names[16] = { "ax", "cx", "dx",  "bx",	 "sp",	"bp",  "si",  "di",
					       "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

	if (r->source == GDB_REG_PC) {
		*val = t->pc;
		return true;
	}
	for (unsigned i = 0; r->source == GDB_REG_TABLE && i < ARRAY_LEN(names); i++) {
		const char *name = i < 8 && (r->name[0] == 'e' || r->name[0] == 'r') ? r->name + 1 : r->name;

		if (strcmp(name, names[i]))
			continue;
		*val = t->gpr[i];
		return t->known >> i & 1;
	}
	return false;
}

/* Append register N of T: x for what is not known. */
static void put_task_reg(struct gdb *g, const struct debug_task_regs *t, unsigned n)
{
	uint8_t bytes[GDB_REG_BYTES] = { 0 };
	unsigned size = g->regs.reg[n].bits / 8;
	uint64_t val;

	if (task_reg(&g->regs.reg[n], t, &val)) {
		memcpy(bytes, &val, sizeof(val));
		out_hex(&g->reply, bytes, size);
		return;
	}
	while (size--)
		out_printf(&g->reply, "xx");
}

void gdb_task_regs(struct gdb *g, unsigned from, unsigned n)
{
	struct debug_task_regs t;

	if (!debug_task_regs(g->s, (uint32_t)g->threads.task, &t)) {
		reply_error(g, E_FAULT, "the registers of this task are not known");
		return;
	}
	for (unsigned i = from; i < from + n; i++)
		put_task_reg(g, &t, i);
}

size_t gdb_task_read(struct gdb *g, uint64_t addr, void *buf, size_t n)
{
	return debug_task_read(g->s, (uint32_t)g->threads.task, addr, buf, n);
}

/* ---- the command ---- */

static bool nothing(void *ctx, const struct debug_task *t)
{
	(void)ctx;
	(void)t;
	return false;
}

int gdb_cmd_threads(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct gdb *g = inspect_addon_owner(s, &gdb_commands);
	bool tasks = !strcmp(a->argv[0], "tasks");
	const char *why;

	if (!tasks && strcmp(a->argv[0], "cpus"))
		return result_fail(r, "usage: threads tasks|cpus");
	why = tasks ? debug_tasks(s, nothing, NULL) : NULL;
	if (why)
		return result_fail(r, "threads: %s", why);
	g->threads.tasks = tasks;
	g->threads.task = -1;
	return 0;
}
