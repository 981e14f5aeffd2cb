/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes: compiling their conditions and lines, printing their records. The translator's view lists
 * them with their counters (info probes). */
#include "base/alloc.h"
#include "inspect/cmd/probe_line.h"
#include "x86/regs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TURN_NS 20000000 /* printing lines takes at most this long at a time */

/* ---- registers in programs ---- */

static const char *reg_op(void *ctx, const char *name, struct prog_op *op)
{
	const struct probe_env *e = ctx;
	const struct reg_info *r = reg_find(name);
	const struct variable *v;

	if (!strcmp(name, "pc")) {
		*op = (struct prog_op){ .code = PROG_PUSH, .imm = (int64_t)e->pc };
		return NULL;
	}
	if (r && (r->kind == REG_FIELD || r->kind == REG_WIDE || r->kind >= REG_CR0)) {
		*op = (struct prog_op){ .code = PROG_FIELD,
					.size = (uint8_t)(reg_bits(session_cpu(e->s), r) / 8),
					.imm = (int64_t)r->offset };
		return NULL;
	}
	if (r) {
		*op = (struct prog_op){ .code = PROG_REG, .reg = r };
		return NULL;
	}
	if (!strcmp(name, "icount") || !strcmp(name, "event") || !strcmp(name, "value") ||
	    !strcmp(name, "exit"))
		return "is not available to probes";
	v = session_variable(e->s, name, false);
	if (!v)
		return "is not a register or variable";
	*op = (struct prog_op){ .code = PROG_PUSH, .imm = (int64_t)v->val };
	return NULL;
}

static bool symbol(void *ctx, const char *name, uint64_t *val)
{
	struct probe_env *e = ctx;
	struct expr_env env = session_env(e->s);

	return env.symbol(env.ctx, name, val);
}

/* $task, $pid, $tgid: read by the probe itself, where the kernel has the task that executes. */
static bool task_macro(void *ctx, const char *name, char *buf, size_t size)
{
	const struct probe_env *e = ctx;
	const struct lx *k = e->s->kernel.k;
	enum lx_field field = !strcmp(name, "pid") ? LX_TASK_PID : LX_TASK_TGID;
	struct lx_task t;
	char task[64];

	if ((strcmp(name, "task") && strcmp(name, "pid") && strcmp(name, "tgid")) || !kernel_task(e->s, &t))
		return false;
	snprintf(task, sizeof(task), "*(u%u)0x%llx", 8 * k->width, (unsigned long long)k->current_at);
	if (!strcmp(name, "task"))
		snprintf(buf, size, "%s", task);
	else
		snprintf(buf, size, "*(u32)(%s + %u)", task, k->layout.off[field]);
	return true;
}

struct expr_env probe_expr_env(struct probe_env *e)
{
	return (struct expr_env){ .ctx = e,
				  .symbol = symbol,
				  .reg_op = reg_op,
				  .macro = task_macro,
				  .wide = session_code_bits(e->s) == 64 };
}

/* ---- probe ---- */

static const struct view_col added_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for unprobe" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
};

static bool is_if(const char *text)
{
	return !strncmp(text, "if", 2) && (isspace((unsigned char)text[2]) || text[2] == '(');
}

/* Write a condition that holds while task NAME, or the one of that number, executes. 0, or -1 with the error
 * in R. */
static int task_condition(struct inspect *s, const char *name, char *buf, size_t size, struct result *r)
{
	char *end, comm[LX_COMM] = "";
	unsigned long pid = strtoul(name, &end, 10);
	struct lx_task t;
	uint64_t half[2];
	const char *why;
	struct lx *k = kernel_of(s, &why);

	if (!k || !lx_tasks_known(k, &why))
		return result_fail(r, "probe: task: %s", why);
	if (!kernel_task(s, &t))
		return result_fail(
		    r, "probe: task: where the kernel has the task that executes is not known yet");
	if (!*end) {
		snprintf(buf, size, "($pid == %lu || $tgid == %lu)", pid, pid);
		return 0;
	}
	/* the kernel fills the name with zeros */
	memcpy(comm, name, strnlen(name, LX_COMM - 1));
	memcpy(half, comm, sizeof(half));
	snprintf(buf, size, "*(u64)($task + %u) == %lld && *(u64)($task + %u) == %lld",
		 k->layout.off[LX_TASK_COMM], (long long)half[0], k->layout.off[LX_TASK_COMM] + 8,
		 (long long)half[1]);
	return 0;
}

static int compile_condition(struct inspect *s, const char *text, struct engine_probe *p, struct result *r)
{
	struct probe_env penv = { s, p->pc };
	struct expr_env env = probe_expr_env(&penv);
	const char *end = text;
	struct expr_error err;

	if (!expr_compile_prefix(&env, &end, &p->cond, &err))
		return result_fail(r, "probe: condition: %s", err.text);
	if (*end)
		return result_fail(r, "probe: unexpected '%.20s'", end);
	p->cond_text = text;
	return 0;
}

/* The condition "task NAME [if COND]", which is TEXT as a whole. */
static int compile_task(struct inspect *s, const char *text, const char *name, const char *cond,
			struct engine_probe *p, struct result *r)
{
	char task[200], *all;
	int rc;

	if (task_condition(s, name, task, sizeof(task), r))
		return -1;
	all = *cond ? xasprintf("%s && (%s)", task, cond) : xstrdup(task);
	rc = compile_condition(s, all, p, r);
	p->cond_text = text;
	free(all);
	return rc;
}

/* Compile TEXT, a format with its values, into P; *LINE, malloced, gets its text. Return what follows it, or
 * NULL with the error in R. */
static const char *compile_line(struct inspect *s, const char *text, struct engine_probe *p, char **line,
				struct result *r)
{
	struct expr_error err;
	const char *end = trace_compile(s, text, p->pc, &p->record, &err);
	size_t n;

	if (!end) {
		result_fail(r, "probe: %s", err.text);
		return NULL;
	}
	n = (size_t)(end - text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	p->record_text = *line = xstrndup(text, n);
	return end;
}

static int add(struct inspect *s, const struct engine_probe *p, struct result *r)
{
	unsigned number;
	const char *err = session_translator(s)->probes->add(machine_vcpu(s->m), p, &number);
	struct table *t;
	char sym[300];

	if (err)
		return result_fail(r, "probe: %s", err);
	symbols_text(&s->symbols, p->pc, sym, sizeof(sym));
	s->probing |= p->record.n > 0;
	t = result_table(r, added_cols, ARRAY_LEN(added_cols), TABLE_PLAIN,
			 "probe {number} at {pc} {symbol}");
	table_row(t, (struct value[]){ V_UINT(number), V_ADDR(p->pc), sym[0] ? V_STR(sym) : V_NONE });
	return 0;
}

/* "[ADDRESS] ["FORMAT" [EXPR,...]] [if COND]" */
int cmd_probe(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct engine_probe *p = xcalloc(1, sizeof(*p));
	struct expr_env env = session_env(s);
	const char *text = a->rest;
	int64_t addr = (int64_t)session_pc(s);
	struct expr_error err;
	const char *cond;
	char *line = NULL, task[64];
	int rc = 0;

	if (*text && *text != '"' && !is_if(text) && strncmp(text, "task ", 5) &&
	    !expr_eval_prefix(&env, &text, &addr, &err))
		rc = result_fail(r, "probe: %s", err.text);
	else if (!session_may_be_linear(s, addr))
		rc =
		    result_fail(r, "probe: 0x%llx is not an address of this guest", (unsigned long long)addr);
	p->pc = (gva)addr;
	if (!rc) {
		text += strspn(text, " \t,");
		if (*text == '"')
			text = compile_line(s, text, p, &line, r);
		cond = text;
		if (!text)
			rc = -1;
		else if (point_task(&cond, task, sizeof(task)))
			rc = compile_task(s, text, task, cond, p, r);
		else if (is_if(text))
			rc = compile_condition(s, text + 2 + strspn(text + 2, " \t"), p, r);
		else if (*text)
			rc = result_fail(r, "probe: unexpected '%.20s'", text);
	}
	if (!rc)
		rc = add(s, p, r);
	free(line);
	free(p);
	return rc;
}

/* "[NUMBER|at ADDRESS|all]"; without arguments pc. */
int cmd_unprobe(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool all = a->argc == 1 && !strcmp(a->argv[0], "all");
	bool at = a->argc == 2 && !strcmp(a->argv[0], "at");
	gva pc = session_pc(s);
	int64_t number = 0;

	if (a->argc == 2 && !at)
		return result_fail(r, "usage: unprobe [NUMBER|at ADDRESS|all]");
	if (at && session_address(s, a, 1, r, &pc))
		return -1;
	if (a->argc == 1 && !all && session_eval(s, a->argv[0], &number, r))
		return -1;
	if (a->argc == 1 && !all && (number < 1 || number > UINT32_MAX))
		return result_fail(r, "unprobe: no probe %lld (info probes lists them)", (long long)number);
	if (!session_translator(s)->probes->remove(machine_vcpu(s->m), (unsigned)number, pc, all) && !all)
		return result_fail(r,
				   number ? "unprobe: no probe %lld (info probes lists them)"
					  : "unprobe: no probe there (info probes lists them)",
				   (long long)number);
	return 0;
}

/* ---- lines ---- */

void probe_lines(struct inspect *s, bool all)
{
	struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;
	int64_t end = session_now() + TURN_NS;
	struct engine_probe_hit h;
	const struct engine_probes *probes;
	const char *text;

	if (!v || !s->probing)
		return;
	probes = session_translator(s)->probes;
	s->out.more_lines = false;
	for (unsigned n = 1; probes->take(v, &h); n++) {
		if ((text = probes->text(v, h.number)))
			trace_replay(s, text, &h);
		s->out.more_lines = !all && !(n % 16) && session_now() >= end;
		if (s->out.more_lines)
			break;
	}
}
