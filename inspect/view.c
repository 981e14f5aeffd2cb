/* SPDX-License-Identifier: GPL-3.0-or-later
 * The registry of views: the tables of views and the owners of their data. If two
 * tables have a view of the same name, the first one is shown. */
#include "inspect/tables_int.h"
#include "base/alloc.h"
#include "mm/host.h"
#include "mm/policy.h"
#include "x86/regs.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct view *const inspect_views[] = {
	&view_registers, &view_break,	     &view_display, &view_gdt,
	&view_idt,	 &view_ldt,	     &view_tss,	    &view_fpu,
	&view_xmm,	 &view_zmm,	     &view_opmask,  &view_symbols,
	&view_linux,	 &view_linux_fields, &view_tasks,   &view_vmas,
	&view_dmesg,	 &view_modules,	     NULL,
};

/* Views of the mmu's translation. */
const struct view *const inspect_mmu_views[] = { &view_mem, &view_tlb, NULL };

/* Names that gdb, QEMU and Bochs use for some views. */
static const struct other_name {
	const char *name, *view, *arg; /* ARG: the default argument */
} other_names[] = {
	{ "r", "registers", "" },	{ "all-registers", "registers", "all" },
	{ "b", "break", "" },		{ "breakpoints", "break", "" },
	{ "watchpoints", "break", "" }, { "symbol", "symbols", "" },
	{ "functions", "symbols", "" }, { "status", "cpus", "" },
	{ "threads", "cpus", "" },	{ "jit", "tc", "" },
	{ "tab", "tlb", "" },
};

static const struct other_name *other_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(other_names); i++)
		if (!strcmp(name, other_names[i].name))
			return &other_names[i];
	return NULL;
}

/* Views of a virtualization extension, without which they are missing for a reason: as VMX calls them, as SVM
 * does, for both (NULL: of that name). */
static const struct virt_view {
	const char *vmx, *svm, *either;
} virt_views[] = {
	{ "vmx", "svm", "virt" },
	{ "vmcs", "vmcb", "virt-block" },
	{ "vmx-controls", "svm-controls", "virt-controls" },
	{ "vmcs-check", "vmcb-check", "virt-check" },
	{ "vmcs-list", "vmcb-list", "virt-list" },
	{ "ept", "npt", "virt-walk" },
	{ "exits", "exits", NULL },
	{ "exit-log", "exit-log", NULL },
	{ "exit-sites", "exit-sites", NULL },
	{ "msr-bitmap", "msr-bitmap", NULL },
	{ "io-bitmap", "io-bitmap", NULL },
};

static bool is_svm(const struct inspect *s)
{
	return session_virt(s) && !strcmp(session_virt(s)->name, "SVM");
}

static const struct virt_view *virt_view(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(virt_views); i++) {
		const struct virt_view *v = &virt_views[i];

		if (!strcmp(name, v->vmx) || !strcmp(name, v->svm) || (v->either && !strcmp(name, v->either)))
			return v;
	}
	return NULL;
}

/* Why the machine has no view NAME, one of those above. */
static void say_no_virt(const struct inspect *s, const struct virt_view *v, char *why, size_t whylen)
{
	if (!session_virt(s))
		snprintf(why, whylen, "%s", engine_lacks(PART_VIRT));
	else
		snprintf(why, whylen, "this processor has %s: info %s", session_virt(s)->name,
			 is_svm(s) ? v->svm : v->vmx);
}

enum { OWN_TABLES = 10, NTABLES = OWN_TABLES + MAX_ADDONS, MAX_COLS = 40 };

struct view_table {
	const struct view *const *views;
	void *owner;
};

static void tables(struct inspect *s, struct view_table t[NTABLES])
{
	static const struct view *const none[] = { NULL };
	struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;
	const struct engine_virt *virt = session_virt(s);

	t[0] = (struct view_table){ inspect_views, s };
	t[1] = (struct view_table){ engine_has(s, PART_MMU) ? inspect_mmu_views : none, s };
	t[2] = (struct view_table){ s->m ? machine_views : none, s->m };
	t[3] = (struct view_table){ v && v->mmu ? mm_views : none, v ? v->mmu : NULL };
	t[4] = (struct view_table){ s->pool ? mm_pool_views : none, s->pool };
	t[6] = (struct view_table){ s->pool && !s->m ? mm_host_views : none, s->pool };
	t[7] = (struct view_table){ virt ? virt->views : none, virt ? virt->ctx : NULL };
	t[5] = (struct view_table){ v && v->ops->views ? v->ops->views : none, v };
	t[9] = (struct view_table){ virt ? virt->exit_views : none, virt ? virt->exits : NULL };
	t[8] = (struct view_table){ s->m ? mm_vm_views : none, s->m ? machine_vm(s->m) : NULL };
	for (unsigned i = 0; i < MAX_ADDONS; i++) {
		const struct inspect_addon *a = i < s->naddons ? s->addons[i] : NULL;

		t[OWN_TABLES + i] = a && a->views ? (struct view_table){ a->views, a->owner }
						  : (struct view_table){ none, NULL };
	}
}

void view_each(struct inspect *s, void (*found)(void *ctx, const struct view *v), void *ctx)
{
	struct view_table t[NTABLES];

	tables(s, t);
	for (int i = 0; i < NTABLES; i++)
		for (const struct view *const *v = t[i].views; *v; v++)
			found(ctx, *v);
}

const struct view *view_find(struct inspect *s, const char *name, void **owner, char *why, size_t whylen)
{
	const struct other_name *other = other_name(name);
	const struct virt_view *virt = virt_view(name);
	size_t n = (size_t)snprintf(why, whylen, "'%s' is ambiguous:", name), fits = 0, len;
	const struct view *found = NULL;
	struct view_table t[NTABLES];

	if (other)
		name = other->view;
	if (virt && virt->either && !strcmp(name, virt->either) && session_virt(s))
		name = is_svm(s) ? virt->svm : virt->vmx;
	len = strlen(name);
	tables(s, t);
	for (int i = 0; i < NTABLES; i++)
		for (const struct view *const *v = t[i].views; *v; v++) {
			if (strncmp((*v)->name, name, len) || (found && !strcmp(found->name, (*v)->name)))
				continue;
			found = *v;
			*owner = t[i].owner;
			if (!(*v)->name[len])
				return found;
			fits++;
			if (n < whylen)
				n += (size_t)snprintf(why + n, whylen - n, " %s", (*v)->name);
		}
	if (fits == 1)
		return found;
	if (!fits && s->pool && !s->m)
		snprintf(why, whylen, "no view '%s' in a host's session; 'vm NAME info %s' shows a VM's",
			 name, name);
	else if (!fits && s->m && virt)
		say_no_virt(s, virt, why, whylen);
	else if (!fits)
		snprintf(why, whylen, "no view '%s'%s", name,
			 s->m ? " (info lists them)" : " without a machine");
	return NULL;
}

/* The arguments of "info NAME ...". */
struct view_request {
	char arg[256];
	const char *sort;
	size_t limit;
	bool has_limit;
};

static int parse_request(const struct cmd_args *a, int first, struct view_request *q, struct result *r)
{
	size_t n = 0;
	char *end;

	*q = (struct view_request){ 0 };
	for (int i = first; i < a->argc; i++) {
		if (!strcmp(a->argv[i], "-j")) {
			r->json = true;
		} else if (!strncmp(a->argv[i], "sort=", 5)) {
			q->sort = a->argv[i] + 5;
		} else if (!strncmp(a->argv[i], "limit=", 6)) {
			errno = 0;
			q->limit = strtoul(a->argv[i] + 6, &end, 0);
			q->has_limit = true;
			if (!isdigit((unsigned char)a->argv[i][6]) || *end || errno || q->limit > UINT32_MAX)
				return result_fail(r, "info: limit= needs a number from 0 to %u", UINT32_MAX);
		} else if (n < sizeof(q->arg)) {
			n += (size_t)snprintf(q->arg + n, sizeof(q->arg) - n, "%s%s", n ? " " : "",
					      a->argv[i]);
		}
	}
	return 0;
}

/* The modules below inspect know no symbols: their views with an address column "pc" get a
 * column "symbol" behind it here. -1: the view has no such column, or has symbols already. */
int view_pc_column(const struct view *v)
{
	int pc = -1;

	for (unsigned i = 0; i < v->ncols; i++) {
		if (!strcmp(v->cols[i].name, "symbol"))
			return -1;
		if (!strcmp(v->cols[i].name, "pc") && v->cols[i].type == VAL_ADDR)
			pc = (int)i;
	}
	return v->ncols <= MAX_COLS ? pc : -1;
}

static void add_symbol_column(struct table *t, unsigned pc)
{
	static const struct view_col symbol = { "symbol", "symbol", VAL_SYMBOL, "", "where pc is" };
	struct view_col *cols = xcalloc(t->ncols + 1, sizeof(*cols));

	memcpy(cols, t->cols, (pc + 1) * sizeof(*cols));
	cols[pc + 1] = symbol;
	memcpy(cols + pc + 2, t->cols + pc + 1, (t->ncols - pc - 1) * sizeof(*cols));
	t->cols = t->own_cols = cols;
	t->ncols++;
}

static struct table *add_table(struct result *r, const struct view *v)
{
	enum table_style style = v->flags & VIEW_VERTICAL ? TABLE_VERTICAL
				 : v->flags & VIEW_TEXT	  ? TABLE_PLAIN
							  : TABLE_GRID;
	struct table *t = result_table(r, v->cols, v->ncols, style, v->format);

	if (view_pc_column(v) >= 0)
		add_symbol_column(t, (unsigned)view_pc_column(v));
	return t;
}

/* A sink that inserts the symbol of pc into the rows of a view. */
struct symbol_sink {
	struct row_sink sink;
	struct inspect *s;
	struct table *t;
	unsigned pc;
};

static void late_row(struct row_sink *sink, const struct value *vals)
{
	table_row_late(((struct symbol_sink *)sink)->t, vals);
}

static void symbol_row(struct row_sink *sink, const struct value *vals)
{
	struct symbol_sink *k = (struct symbol_sink *)sink;
	unsigned n = k->t->ncols;
	struct value row[MAX_COLS + 1];
	char sym[300] = "";

	memcpy(row, vals, (k->pc + 1) * sizeof(*row));
	memcpy(row + k->pc + 2, vals + k->pc + 1, (n - k->pc - 2) * sizeof(*row));
	if (vals[k->pc].type == VAL_ADDR)
		symbols_text(&k->s->symbols, vals[k->pc].u, sym, sizeof(sym));
	row[k->pc + 1] = sym[0] ? V_STR(sym) : V_NONE;
	table_row(k->t, row);
}

static const char *fill_table(struct inspect *s, const struct view *v, void *owner, const char *arg,
			      struct table *t)
{
	struct symbol_sink k = { .sink.row = symbol_row, .s = s, .t = t };

	if (view_pc_column(v) < 0)
		return v->rows(owner, arg, &t->sink);
	k.pc = (unsigned)view_pc_column(v);
	if (s->query_late) {
		t->late_symbol = k.pc + 1;
		k.sink.row = late_row;
	}
	return v->rows(owner, arg, &k.sink);
}

int view_show(struct inspect *s, const char *name, const struct cmd_args *a, int first_arg, struct result *r)
{
	const struct other_name *other;
	struct view_request q;
	const struct view *v;
	struct table *t;
	const char *error;
	char why[300];
	void *owner;

	if (parse_request(a, first_arg, &q, r))
		return -1;
	other = other_name(name);
	if (other && !q.arg[0])
		snprintf(q.arg, sizeof(q.arg), "%s", other->arg);
	v = view_find(s, name, &owner, why, sizeof(why));
	if (!v)
		return result_fail(r, "info: %s", why);
	if (s->query_live && s->run.running && !(v->flags & VIEW_LIVE))
		return result_fail(r, "info %s: cannot be read while the guest runs; stop it first", v->name);
	t = add_table(r, v);
	error = fill_table(s, v, owner, q.arg, t);
	if (error && (v->flags & VIEW_BARE) && !r->json) {
		result_text(r, "%s", error);
		return 0;
	}
	if (error && !t->nrows)
		t->style = TABLE_PLAIN; /* no heading of nothing */
	if (error)
		return result_fail(r, "info %s: %s", v->name, error);
	if (q.sort && !table_sort(t, q.sort))
		return result_fail(r, "info %s: no column '%s'", v->name, q.sort + (q.sort[0] == '-'));
	if (q.has_limit)
		table_limit(t, q.limit);
	return 0;
}

/* ---- pick ---- */

static bool number_of(const struct value *v, uint64_t *n)
{
	switch (v->type) {
	case VAL_NONE:
	case VAL_STR:
		return false;
	case VAL_REAL:
		*n = (uint64_t)(int64_t)v->d;
		return true;
	default:
		*n = v->u;
		return true;
	}
}

/* "$NAME VIEW COLUMN [...]" */
int cmd_pick(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct result table;
	const struct table *t;
	unsigned col = 0;
	uint64_t n;
	int rc;

	if (a->argv[0][0] != '$' || !a->argv[0][1] || reg_find(a->argv[0] + 1))
		return result_fail(r, "pick: the first argument must be a $variable");
	result_init(&table);
	if (view_show(s, a->argv[1], a, 3, &table)) {
		rc = result_fail(r, "pick: %s", table.error);
		result_fini(&table);
		return rc;
	}
	t = table.first;
	while (col < t->ncols && strcmp(t->cols[col].name, a->argv[2]))
		col++;
	if (col == t->ncols)
		rc = result_fail(r, "pick: info %s has no column '%s'", a->argv[1], a->argv[2]);
	else if (!t->nrows)
		rc = result_fail(r, "pick: info %s has no rows", a->argv[1]);
	else if (!number_of(&t->vals[col], &n))
		rc = result_fail(r, "pick: column '%s' has no number", a->argv[2]);
	else
		rc = (session_variable(s, a->argv[0] + 1, true)->val = n, 0);
	result_fini(&table);
	return rc;
}
