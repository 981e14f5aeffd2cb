/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands and views of a Linux guest. */
#include "inspect/tables_int.h"
#include "base/alloc.h"
#include "inspect/linux/modules.h"
#include "inspect/linux/printk.h"
#include "inspect/linux/tasks.h"
#include "inspect/linux/vmas.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct view_col linux_cols[] = {
	{ "banner", "kernel", VAL_STR, "", "what it calls itself" },
	{ "start", "image", VAL_ADDR, "", "linear address of its start" },
	{ "physical", "physical", VAL_ADDR, "", "physical address of that" },
	{ "symbols", "symbols", VAL_UINT, "", "symbols of its kallsyms table" },
	{ "tables", "page tables", VAL_ADDR, "", "physical address of the tables in use for kernel memory" },
	{ "own", "own", VAL_BOOL, "", "they are the kernel's own; else the processor's of now" },
	{ "types", "types", VAL_UINT, "", "types in its BTF data; 0: it has none" },
	{ "notes", "notes", VAL_BOOL, "", "its vmcoreinfo was found" },
};

static const char *linux_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	if (!k)
		return why;
	sink->row(sink,
		  (struct value[]){ V_STR(k->banner), V_ADDR(k->start), V_ADDR(k->start + (uint64_t)k->delta),
				    V_UINT(k->symbols.count), V_ADDR(k->space.root), V_BOOL(k->own_space),
				    V_UINT(k->btf ? btf_types(k->btf) : 0), V_BOOL(k->vmcoreinfo != NULL) });
	return NULL;
}

const struct view view_linux = {
	.name = "linux",
	.help = "the guest's Linux kernel, as found in its memory",
	VIEW_COLS(linux_cols),
	.rows = linux_rows,
	.flags = VIEW_VERTICAL,
};

static const struct view_col field_cols[] = {
	{ "structure", "structure", VAL_STR, "", "of the kernel" },
	{ "member", "member", VAL_STR, "", "of the structure, or its size" },
	{ "offset", "offset", VAL_UINT, "B", "bytes from the start" },
	{ "from", "from", VAL_STR, "",
	  "how that is known: BTF, vmcoreinfo, inferred from what the memory holds" },
};

static const char *field_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	if (!k)
		return why;
	for (unsigned f = 0; f < LX_FIELDS; f++)
		sink->row(sink, (struct value[]){ V_STR(lx_field_type(f)), V_STR(lx_field_member(f)),
						  lx_has(k, f) ? V_UINT(k->layout.off[f]) : V_NONE,
						  V_STR(lx_from_texts[k->layout.from[f]]) });
	return NULL;
}

const struct view view_linux_fields = {
	.name = "linux-fields",
	.help = "members of the kernel's structures that commands read, and how their offsets are known",
	VIEW_COLS(field_cols),
	.rows = field_rows,
};

/* ---- tasks ---- */

static const struct view_col task_cols[] = {
	{ "pid", "PID", VAL_UINT, "", "number of the thread" },
	{ "tgid", "process", VAL_UINT, "", "number of its process" },
	{ "parent", "parent", VAL_UINT, "", "number of the parent process" },
	{ "state", "state", VAL_STR, "",
	  "R running, S sleeping, D waiting for a device, I idle, T stopped, t traced, Z zombie, "
	  "X dead, P parked" },
	{ "current", "current", VAL_BOOL, "", "the processor executes it" },
	{ "root", "page tables", VAL_ADDR, "",
	  "physical address of the page tables of its memory, as in CR3" },
	{ "task", "task", VAL_ADDR, "", "linear address of its task_struct" },
	{ "name", "name", VAL_STR, "", "its name (comm)" },
	{ "command", "command", VAL_STR, "",
	  "its command line; none: a kernel thread, or the page is not in memory" },
};

struct task_rows {
	struct lx *k;
	const char *want; /* a number or a name; "": all */
	uint64_t current;
	struct row_sink *sink;
};

static bool task_row(void *ctx, const struct lx_task *t)
{
	struct task_rows *q = ctx;
	char line[400], number[16];

	snprintf(number, sizeof(number), "%u", t->pid);
	if (q->want[0] && strcmp(q->want, t->comm) && strcmp(q->want, number))
		return true;
	lx_command_line(q->k, t, line, sizeof(line));
	q->sink->row(q->sink,
		     (struct value[]){ V_UINT(t->pid), V_UINT(t->tgid), V_UINT(t->parent),
				       V_STR(((char[]){ t->state, 0 })), V_BOOL(t->addr == q->current),
				       t->root ? V_ADDR(t->root) : V_NONE, V_ADDR(t->addr), V_STR(t->comm),
				       line[0] ? V_STR(line) : V_NONE });
	return true;
}

/* The task that an argument names. */
struct chosen {
	const char *want;
	struct lx_task task;
	bool found;
};

/* If *WANT is an expression that begins with a variable, make it the text of its value, in BUF. Return why
 * not. */
static const char *task_argument(struct inspect *s, const char **want, char *buf, size_t size)
{
	struct expr_env env = session_env(s);
	struct expr_error err;
	int64_t v;

	if (**want != '$')
		return NULL;
	if (!expr_eval(&env, *want, &v, &err))
		return "no such variable";
	snprintf(buf, size, "%llu", (unsigned long long)v);
	*want = buf;
	return NULL;
}

static const char *task_rows(void *owner, const char *arg, struct row_sink *sink)
{
	bool threads = !strncmp(arg, "threads", 7) && (!arg[7] || arg[7] == ' ');
	struct task_rows q = { .want = arg + (threads ? 7 : 0), .sink = sink };
	struct lx_task current;
	char number[24];
	const char *why;

	q.want += strspn(q.want, " ");
	q.k = kernel_of(owner, &why);
	if (!q.k || !lx_tasks_known(q.k, &why) ||
	    (why = task_argument(owner, &q.want, number, sizeof(number))))
		return why;
	if (lx_current(q.k, &current))
		q.current = current.addr;
	return lx_tasks_each(q.k, threads, task_row, &q);
}

const struct view view_tasks = {
	.name = "tasks",
	.help = "processes of a Linux guest ('info tasks threads': their threads too; NUMBER or NAME: those)",
	VIEW_COLS(task_cols),
	.rows = task_rows,
	.words = "threads",
};

/* ---- memory areas ---- */

static const struct view_col vma_cols[] = {
	{ "start", "start", VAL_ADDR, "", "linear address" },
	{ "end", "end", VAL_ADDR, "", "the address behind" },
	{ "rights", "rights", VAL_STR, "", "read, write, execute; private or shared" },
	{ "offset", "offset", VAL_HEX, "", "in the file" },
	{ "name", "name", VAL_STR, "", "path in its file system; [heap], [stack]" },
	{ "vma", "structure", VAL_ADDR, "", "linear address of its vm_area_struct" },
};

static void vma_row(void *ctx, const struct lx_vma *v)
{
	struct row_sink *sink = ctx;
	bool file = v->name[0] == '/';

	sink->row(sink, (struct value[]){ V_ADDR(v->start), V_ADDR(v->end), V_STR(v->rights),
					  file ? V_HEX(v->offset) : V_NONE,
					  v->name[0] ? V_STR(v->name) : V_NONE, V_ADDR(v->addr) });
}

static bool pick_task(void *ctx, const struct lx_task *t)
{
	struct chosen *c = ctx;
	char number[16];

	snprintf(number, sizeof(number), "%u", t->pid);
	c->found = !strcmp(c->want, t->comm) || !strcmp(c->want, number);
	c->task = *t;
	return !c->found;
}

static const char *vma_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct chosen c = { .want = arg };
	char number[24];
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	if (!k || !lx_tasks_known(k, &why) || (why = task_argument(owner, &c.want, number, sizeof(number))))
		return why;
	if (!c.want[0] && !lx_current(k, &c.task))
		return "the task that executes is not known";
	if (c.want[0]) {
		why = lx_tasks_each(k, true, pick_task, &c);
		if (!c.found)
			return why ? why : "no such task";
	}
	return lx_vmas_each(k, &c.task, vma_row, sink);
}

const struct view view_vmas = {
	.name = "vmas",
	.help = "memory areas of the Linux task that executes ('info vmas NUMBER' or NAME: of that one)",
	VIEW_COLS(vma_cols),
	.rows = vma_rows,
};

/* ---- the log ---- */

static const struct view_col dmesg_cols[] = {
	{ "number", "number", VAL_UINT, "", "of the record; each line of it is a row" },
	{ "stamp", "stamp", VAL_STR, "", "seconds since boot, as dmesg writes them" },
	{ "level", "level", VAL_UINT, "", "0 emergency to 7 debug" },
	{ "facility", "facility", VAL_UINT, "", "0: the kernel" },
	{ "caller", "caller", VAL_STR, "", "T and the number of the thread, or C and that of the processor" },
	{ "text", "text", VAL_STR, "", "one line" },
};

static void dmesg_line(struct row_sink *sink, const struct lx_record *r, const char *text)
{
	char stamp[40], caller[16];

	snprintf(stamp, sizeof(stamp), "[%5llu.%06llu]", (unsigned long long)(r->time / 1000000000),
		 (unsigned long long)(r->time / 1000 % 1000000));
	snprintf(caller, sizeof(caller), "%c%u", r->caller >> 31 ? 'C' : 'T', r->caller & 0x7fffffff);
	sink->row(sink, (struct value[]){ V_UINT(r->seq), V_STR(stamp), V_UINT(r->level), V_UINT(r->facility),
					  V_STR(caller), V_STR(text) });
}

static void dmesg_lines(void *ctx, const struct lx_record *r)
{
	char *copy = xstrdup(r->text), *rest = copy;

	for (char *line; (line = strsep(&rest, "\n"));)
		dmesg_line(ctx, r, line);
	free(copy);
}

static const char *dmesg_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	return k ? lx_printk_each(k, dmesg_lines, sink) : why;
}

struct panic_line {
	char *buf;
	size_t len;
};

static void panic_record(void *ctx, const struct lx_record *r)
{
	const struct panic_line *p = ctx;

	if (!strncmp(r->text, "Kernel panic", 12))
		snprintf(p->buf, p->len, "%.*s", (int)strcspn(r->text, "\n"), r->text);
}

void linux_panic_text(struct inspect *s, char *buf, size_t len)
{
	struct panic_line p = { buf, len };
	const char *why;
	struct lx *k = kernel_of(s, &why);

	buf[0] = 0;
	if (k)
		lx_printk_each(k, panic_record, &p);
}

const struct view view_dmesg = {
	.name = "dmesg",
	.help = "the log of a Linux guest's kernel",
	VIEW_COLS(dmesg_cols),
	.rows = dmesg_rows,
	.flags = VIEW_TEXT,
	.format = "{stamp} {text}",
};

/* ---- modules ---- */

static const struct view_col module_cols[] = {
	{ "module", "module", VAL_STR, "", "its name" },
	{ "size", "size", VAL_UINT, "B", "memory that it has" },
	{ "used", "used", VAL_UINT, "", "times it is in use" },
	{ "by", "by", VAL_STR, "", "modules that use it" },
	{ "state", "state", VAL_STR, "", "live, coming, going, unformed" },
	{ "base", "base", VAL_ADDR, "", "linear address of its code" },
	{ "struct", "structure", VAL_ADDR, "", "linear address of its struct module" },
};

static void module_row(void *ctx, const struct lx_module *m)
{
	static const char *const states[] = { "live", "coming", "going", "unformed" };
	struct row_sink *sink = ctx;

	sink->row(sink, (struct value[]){ V_STR(m->name), m->size ? V_UINT(m->size) : V_NONE,
					  m->refs < 0 ? V_NONE : V_UINT((unsigned)m->refs),
					  m->users[0] ? V_STR(m->users) : V_NONE,
					  m->state < ARRAY_LEN(states) ? V_STR(states[m->state]) : V_NONE,
					  m->base ? V_ADDR(m->base) : V_NONE, V_ADDR(m->addr) });
}

static const char *module_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	return k ? lx_modules_each(k, module_row, sink) : why;
}

const struct view view_modules = {
	.name = "modules",
	.help = "modules of a Linux guest's kernel",
	VIEW_COLS(module_cols),
	.rows = module_rows,
};

/* ---- commands ---- */

static int cmd_ps(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return view_show(s, "tasks", a, 0, r);
}

static int cmd_vmas(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return view_show(s, "vmas", a, 0, r);
}

static int cmd_dmesg(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return view_show(s, "dmesg", a, 0, r);
}

static int cmd_lsmod(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return view_show(s, "modules", a, 0, r);
}

const struct record_doc tasks_record = { .commands = "ps", .view = "tasks" };
const struct record_doc vmas_record = { .commands = "vmas", .view = "vmas" };
const struct record_doc dmesg_record = { .commands = "dmesg", .view = "dmesg" };
const struct record_doc modules_record = { .commands = "lsmod", .view = "modules" };

static const struct command commands[] = {
	{ "ps", NULL, "[threads] [NUMBER|NAME|$VARIABLE]",
	  "list the processes of a Linux guest, with threads also those",
	  "The kernel is found in the guest's memory, and its structures by its own BTF data, or, where it has none, by "
	  "what they hold: no debug package is needed (info linux, info linux-fields). The guest notices nothing.",
	  cmd_ps, CMD_MACHINE | CMD_PAUSE, 0, 4, "threads|<tasks.name>" },
	{ "vmas", NULL, "[NUMBER|NAME|$VARIABLE]",
	  "list the memory areas of a Linux task, or of the one that executes",
	  "As /proc/NUMBER/maps does, but paths are those in their file systems.", cmd_vmas,
	  CMD_MACHINE | CMD_PAUSE, 0, 4, "<tasks.name>" },
	{ "dmesg", NULL, "", "show the log of a Linux guest's kernel", NULL, cmd_dmesg,
	  CMD_MACHINE | CMD_PAUSE, 0, 3, COMP_NONE },
	{ "lsmod", NULL, "", "list the modules of a Linux guest's kernel",
	  "Symbols of modules are known as those of the kernel are (symbols).", cmd_lsmod,
	  CMD_MACHINE | CMD_PAUSE, 0, 3, COMP_NONE },
	{ 0 },
};

const struct command_group cmd_linux_group = { "linux", "Linux guests", commands };
