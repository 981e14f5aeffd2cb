/* SPDX-License-Identifier: GPL-3.0-or-later
 * A sampling profile: hold the guest for a moment at intervals and record its call stack.
 * Stacks are counted by their folded text ("outer;inner"). */
#include "inspect/tables_int.h"
#include "base/address.h"
#include "base/alloc.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERIOD_MS = 2, DEEP = 32, SHOWN = 20 };

struct tally {
	char *name;
	uint64_t count;
};

struct tallies {
	struct tally *list;
	size_t count;
};

struct profile {
	struct tallies stacks, symbols;
	uint64_t samples;
};

static void tally(struct tallies *t, const char *name)
{
	size_t i = 0;

	while (i < t->count && strcmp(t->list[i].name, name))
		i++;
	if (i == t->count) {
		t->list = xreallocarray(t->list, t->count + 1, sizeof(*t->list));
		t->list[t->count++] = (struct tally){ xstrdup(name), 0 };
	}
	t->list[i].count++;
}

static void tallies_fini(struct tallies *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->list[i].name);
	free(t->list);
}

/* The name of the function that contains PC. */
static void function_name(struct inspect *s, gva pc, char *buf, size_t len)
{
	const struct symbol *sym = symbols_at(&s->symbols, pc);

	struct symbols *program = sym ? NULL : kernel_program(s, pc);
	const struct symbol *of = program ? symbols_at(program, pc) : NULL;
	char place[300] = "";

	if (!sym && !of)
		kernel_place(s, pc, place, sizeof(place));
	if (sym)
		snprintf(buf, len, "%s", sym->name);
	else if (of)
		snprintf(buf, len, "%s!%s", of->module, of->name);
	else if (place[0]) /* of a file only the name */
		snprintf(buf, len, "[%.*s]",
			 (int)(strrchr(place, '+') ? strrchr(place, '+') - place : (long)strlen(place)),
			 place);
	else
		snprintf(buf, len, "0x%s", ADDRESS(pc));
}

static void sample(struct inspect *s, struct profile *p)
{
	char name[128], stack[DEEP * 64] = "";
	struct frame frames[DEEP];
	unsigned n = stack_frames(s, frames, DEEP);
	struct lx_task task;
	size_t len = 0;

	kernel_look(s);
	if (kernel_task(s, &task))
		len = (size_t)snprintf(stack, sizeof(stack), "%s", task.comm);
	for (unsigned i = n; i-- && len + sizeof(name) + 16 < sizeof(stack);) {
		function_name(s, frames[i].pc, name, sizeof(name));
		len += (size_t)snprintf(stack + len, sizeof(stack) - len, "%s%s", len ? ";" : "", name);
	}
	if (session_cpu(s)->halted) {
		snprintf(stack + len, sizeof(stack) - len, ";(halted)");
		snprintf(name, sizeof(name), "(halted)");
	}
	p->samples++;
	tally(&p->stacks, stack);
	tally(&p->symbols, name);
}

/* Sample until UNTIL. Afterwards the guest runs, or has stopped by itself. */
static void collect(struct inspect *s, struct profile *p, int64_t until)
{
	while (session_now() < until && !session_interrupted(s) && !run_settled(s)) {
		session_idle(s, PERIOD_MS);
		if (!s->run.running || !run_pause(s))
			return;
		sample(s, p);
		run_resume(s);
	}
}

static int by_count(const void *a, const void *b)
{
	uint64_t x = ((const struct tally *)a)->count, y = ((const struct tally *)b)->count;

	return x < y ? 1 : x > y ? -1 : 0;
}

static const struct view_col profile_cols[] = {
	{ "samples", "Samples", VAL_UINT, "", "number of samples in it" },
	{ "share", "Share", VAL_REAL, "%", "of all samples" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "function, or (halted)" },
};
RECORD_DOC(profile_record, "profile", profile_cols);

static void show(struct profile *p, struct result *r)
{
	struct table *t = result_table(r, profile_cols, ARRAY_LEN(profile_cols), TABLE_GRID, NULL);

	if (p->symbols.count)
		qsort(p->symbols.list, p->symbols.count, sizeof(*p->symbols.list), by_count);
	for (size_t i = 0; i < p->symbols.count && i < SHOWN; i++)
		table_row(t, (struct value[]){
				 V_UINT(p->symbols.list[i].count),
				 V_REAL(100.0 * (double)p->symbols.list[i].count / (double)p->samples),
				 V_STR(p->symbols.list[i].name) });
}

static int write_folded(const struct profile *p, const char *path, struct result *r)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (!f)
		return result_fail(r, "profile: cannot write %s: %s", path, strerror(errno));
	for (size_t i = 0; i < p->stacks.count; i++)
		fprintf(f, "%s %llu\n", p->stacks.list[i].name, (unsigned long long)p->stacks.list[i].count);
	bad = ferror(f);
	if (fclose(f) || bad)
		return result_fail(r, "profile: cannot write %s: %s", path, strerror(errno));
	return 0;
}

static bool arguments(const struct cmd_args *a, double *seconds, const char **path)
{
	int i = 0;
	char *end;

	if (a->argc == 1 || a->argc == 3) {
		*seconds = strtod(a->argv[i], &end);
		if (end == a->argv[i] || *end || !isfinite(*seconds) || *seconds <= 0 || *seconds > 1e6)
			return false;
		i++;
	}
	if (i == a->argc)
		return true;
	*path = a->argv[a->argc - 1];
	return !strcmp(a->argv[i], "file");
}

int cmd_profile(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *path = NULL;
	bool was_running = s->run.running;
	struct profile p = { 0 };
	double seconds = 1;
	int rc = 0;

	if (!arguments(a, &seconds, &path))
		return result_fail(r, "usage: profile [SECONDS] [file PATH]");
	if (inspect_ended(s))
		return result_fail(r, "profile: the guest has ended");
	if (!was_running)
		run_start(s, &(struct run_goal){ 0 });
	session_moves(s, true);
	collect(s, &p, session_now() + (int64_t)(seconds * 1e9));
	if (!was_running && s->run.running)
		run_halt(s);
	session_moves(s, false);
	show(&p, r);
	if (path)
		rc = write_folded(&p, path, r);
	if (!s->run.running && !was_running && s->run.stop.reason != STOPPED_ASKED)
		run_report(s, r);
	tallies_fini(&p.stacks);
	tallies_fini(&p.symbols);
	return rc;
}
