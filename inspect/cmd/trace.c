/* SPDX-License-Identifier: GPL-3.0-or-later
 * Points that print instead of stopping the guest: a format and expressions, evaluated
 * when the point is hit. */
#include "base/address.h"
#include "base/alloc.h"
#include "inspect/tables_int.h"
#include "inspect/cmd/probe_line.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_STRING = 256 };

static const struct view_col trace_cols[] = {
	{ "event", "Event", VAL_STR, "", "\"trace\" or \"probe\"" },
	{ "number", "Number", VAL_UINT, "", "number of the point" },
	{ "pc", "PC", VAL_ADDR, "", "where it was hit" },
	{ "text", "Text", VAL_STR, "", "the printed line" },
};
RECORD_DOC(trace_record, "trace probe", trace_cols);

/* The state of printing a line: the format is read from its opening quote on, ARGS from its closing quote on.
 * Values are evaluated now; or PROG is compiled, which will record them; or they are taken from REC. */
struct printing {
	struct inspect *s;
	const char *args;
	FILE *f;
	struct program *prog;
	const struct prog_record *rec;
	gva pc;			/* PROG: where it will run */
	unsigned nvals, ntexts; /* used so far */
	struct expr_error err;
};

/* The end of the quoted format at TEXT; NULL: there is none. */
static const char *behind_format(const char *text)
{
	const char *p = text + 1;

	if (*text != '"')
		return NULL;
	while (*p && *p != '"')
		p += *p == '\\' && p[1] ? 2 : 1;
	return *p ? p + 1 : NULL;
}

static void fail(struct printing *pr, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct printing *pr, const char *fmt, ...)
{
	va_list ap;

	pr->err.status = EXPR_WRONG;
	va_start(ap, fmt);
	vsnprintf(pr->err.text, sizeof(pr->err.text), fmt, ap);
	va_end(ap);
}

/* Add the op that records the value just compiled. */
static bool record_arg(struct printing *pr, char kind)
{
	struct program *p = pr->prog;
	bool text = kind == 's';

	if ((text ? ++pr->ntexts > PROG_TEXTS : ++pr->nvals > PROG_VALUES) || p->n == PROG_OPS_MAX) {
		fail(pr, "a probe prints at most %d values and %d strings", PROG_VALUES, PROG_TEXTS);
		return false;
	}
	p->op[p->n++] = (struct prog_op){ .code = text ? PROG_EMITS : PROG_EMIT };
	return true;
}

static bool next_arg(struct printing *pr, char kind, int64_t *val)
{
	struct expr_env env = session_env(pr->s);

	*val = 0;
	if (pr->rec) {
		if (kind != 's' && pr->nvals < pr->rec->nvals)
			*val = pr->rec->val[pr->nvals++];
		return true;
	}
	pr->args += strspn(pr->args, " \t,");
	if (!*pr->args) {
		fail(pr, "the format needs more values than are given");
		return false;
	}
	if (pr->prog) {
		struct probe_env penv = { pr->s, pr->pc };

		env = probe_expr_env(&penv);
		return expr_compile_prefix(&env, &pr->args, pr->prog, &pr->err) && record_arg(pr, kind);
	}
	return expr_eval_prefix(&env, &pr->args, val, &pr->err);
}

static void print_string(struct printing *pr, int64_t addr)
{
	char c;

	if (pr->rec) {
		if (pr->ntexts < pr->rec->ntexts)
			fputs(pr->rec->text[pr->ntexts++], pr->f);
		return;
	}
	for (int i = 0; i < LONGEST_STRING; i++) {
		if (session_read(pr->s, false, (uint64_t)addr + (unsigned)i, &c, 1) != 1) {
			if (!i)
				fprintf(pr->f, "(not readable)");
			return;
		}
		if (!c)
			return;
		fputc(isprint((unsigned char)c) ? c : '.', pr->f);
	}
}

static void print_symbol(struct printing *pr, int64_t addr)
{
	char sym[300];

	symbols_text(&pr->s->symbols, session_linear(pr->s, (uint64_t)addr), sym, sizeof(sym));
	if (sym[0])
		fputs(sym, pr->f);
	else
		fprintf(pr->f, "0x%s", ADDRESS(session_linear(pr->s, (uint64_t)addr)));
}

/* Print the conversion at TEXT, behind its %; return what follows it. */
static const char *convert(struct printing *pr, const char *text)
{
	char spec[24] = "%";
	size_t n = strspn(text, "-+ 0#123456789");
	int64_t val;

	if (n > 8)
		n = 8;
	memcpy(spec + 1, text, n);
	text += n;
	text += strspn(text, "hlzj");
	if (*text == '%') {
		fputc('%', pr->f);
		return text + 1;
	}
	if (!*text || !strchr("duxXocsapi", *text)) {
		fail(pr, "unknown conversion %%%.1s (known: %%d %%u %%x %%c %%s %%a)", text);
		return text;
	}
	if (!next_arg(pr, *text, &val))
		return text;
	if (pr->prog)
		return text + 1;
	snprintf(spec + 1 + n, sizeof(spec) - 1 - n, "ll%c", *text);
	if (*text == 's')
		print_string(pr, val);
	else if (*text == 'a')
		print_symbol(pr, val);
	else if (*text == 'p')
		fprintf(pr->f, "0x%s", ADDRESS(session_linear(pr->s, (uint64_t)val)));
	else if (*text == 'c')
		fputc(isprint((int)(val & 0xff)) ? (int)val : '.', pr->f);
	else
		fprintf(pr->f, spec, (long long)val);
	return text + 1;
}

/* Process TRACE as PR says; return the line, malloced. */
static char *walk(struct printing *pr, const char *trace)
{
	const char *end, *p = trace + 1;
	size_t len;
	char *text;

	pr->args = behind_format(trace);
	end = pr->args - 1;
	pr->f = xmemstream(&text, &len);
	while (p < end && !pr->err.status) {
		if (*p == '%') {
			p = convert(pr, p + 1);
		} else if (*p == '\\') {
			fputc(p[1] == 't' ? '\t' : p[1] == 'n' ? '\n' : p[1], pr->f);
			p += 2;
		} else {
			fputc(*p++, pr->f);
		}
	}
	pr->args += strspn(pr->args, " \t,");
	fclose(pr->f);
	while (len && text[len - 1] == '\n')
		text[--len] = 0;
	return text;
}

/* Evaluate TRACE now; return the line, malloced. */
static char *render(struct inspect *s, const char *trace, struct expr_error *err)
{
	struct printing pr = { .s = s };
	char *text = walk(&pr, trace);

	if (!pr.err.status && *pr.args)
		fail(&pr, "unexpected '%.20s'", pr.args);
	*err = pr.err;
	return text;
}

const char *trace_compile(struct inspect *s, const char *trace, gva pc, struct program *prog,
			  struct expr_error *err)
{
	struct printing pr = { .s = s, .prog = prog, .pc = pc };

	prog->n = 0;
	if (!behind_format(trace)) {
		fail(&pr, "the format has no closing quote");
		*err = pr.err;
		return NULL;
	}
	free(walk(&pr, trace));
	if (!pr.err.status && !prog->n) /* a line without values needs a record too: push a 0 */
		prog->op[prog->n++] = (struct prog_op){ .code = PROG_PUSH };
	if (prog->n == 1)
		prog->op[prog->n++] = (struct prog_op){ .code = PROG_EMIT };
	*err = pr.err;
	return pr.err.status ? NULL : pr.args;
}

static void emit_line(struct inspect *s, const char *event, unsigned number, gva pc, const char *text)
{
	struct result r;
	struct table *t;

	result_init(&r);
	t = result_table(&r, trace_cols, ARRAY_LEN(trace_cols), TABLE_PLAIN, "{text}");
	table_row(t, (struct value[]){ V_STR(event), V_UINT(number), V_ADDR(pc), V_STR(text) });
	session_emit(s, &r);
}

void trace_replay(struct inspect *s, const char *trace, const struct engine_probe_hit *h)
{
	struct printing pr = { .s = s, .rec = &h->rec };
	char *text, bad[64];

	if (h->rec.unreadable) {
		snprintf(bad, sizeof(bad), h->rec.bad ? "cannot read memory at 0x%llx" : "division by zero",
			 (unsigned long long)h->rec.bad);
		emit_line(s, "probe", h->number, h->pc, bad);
		return;
	}
	text = walk(&pr, trace);
	emit_line(s, "probe", h->number, h->pc, text);
	free(text);
}

void trace_print(struct inspect *s, const struct point *p)
{
	struct expr_error err;
	char *text = render(s, p->trace, &err);

	emit_line(s, "trace", p->number, session_pc(s), err.status ? err.text : text);
	free(text);
}

int cmd_trace(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *text = a->rest + (a->rest[0] == '*');
	struct expr_env env = session_env(s);
	struct expr_error err;
	struct point *p;
	int64_t addr;

	if (!expr_eval_prefix(&env, &text, &addr, &err))
		return result_fail(r, "trace: %s", err.text);
	text += strspn(text, " \t,");
	if (!behind_format(text))
		return result_fail(r, "usage: trace ADDRESS \"FORMAT\" [EXPR,...]");
	if (!session_may_be_linear(s, addr))
		return result_fail(r, "trace: 0x%llx is not an address of this guest",
				   (unsigned long long)addr);
	/* memory that cannot be read now may be mapped when the point is hit */
	free(render(s, text, &err));
	if (err.status == EXPR_WRONG)
		return result_fail(r, "trace: %s", err.text);
	p = points_add(&s->points, (gva)addr, false, NULL);
	p->trace = xstrdup(text);
	run_point_changed(s, p->addr);
	point_report(s, p, r);
	return 0;
}
