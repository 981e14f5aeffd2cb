/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands about the session itself: symbols, log, scripts, checks, help. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "inspect/tables_int.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- symbols ---- */

static const struct view_col symbol_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "linear address" },
	{ "size", "Size", VAL_UINT, "B", "if known" },
	{ "kind", "Kind", VAL_STR, "", "code or data" },
	{ "name", "Name", VAL_STR, "", "symbol" },
	{ "module", "Module", VAL_STR, "", "its file" },
};

static void symbol_row(const struct symbol *y, struct row_sink *sink)
{
	sink->row(sink,
		  (struct value[]){ V_ADDR(y->addr), y->size ? V_UINT(y->size) : V_NONE,
				    V_STR(y->code ? "code" : "data"), V_STR(y->name), V_STR(y->module) });
}

/* Add the symbol that contains the address TEXT, an expression. */
static const char *symbol_of(struct inspect *s, const char *text, struct row_sink *sink)
{
	struct expr_env env = session_env(s);
	const struct symbol *y;
	struct expr_error err;
	int64_t addr;

	if (!expr_eval(&env, text, &addr, &err))
		return "the argument is neither an address nor part of a name";
	y = symbols_at(&s->symbols, (uint64_t)addr);
	if (!y)
		return "no symbol contains that address";
	symbol_row(y, sink);
	return NULL;
}

static const char *symbol_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	if (isdigit((unsigned char)*arg) || strchr("$*[({&", *arg ? *arg : ' '))
		return symbol_of(s, arg, sink);
	symbols_find(&s->symbols, ""); /* sorts */
	for (const struct symbols *t = &s->symbols; t; t = t->below)
		for (size_t i = 0; i < t->count; i++)
			if (strstr(t->by_addr[i].name, arg))
				symbol_row(&t->by_addr[i], sink);
	return NULL;
}

const struct view view_symbols = {
	.name = "symbols",
	.help = "loaded symbols ('info symbols TEXT': names that contain it; ADDRESS: the one there)",
	VIEW_COLS(symbol_cols),
	.rows = symbol_rows,
	.flags = VIEW_LIVE,
};

static const struct view_col loaded_cols[] = {
	{ "file", "File", VAL_STR, "", "symbol file" },
	{ "count", "Count", VAL_UINT, "", "symbols read from it" },
};
RECORD_DOC(loaded_record, "symbols", loaded_cols);

/* linux [on|off] */
static int linux_symbols(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool off = a->argc > 1 && !strcmp(a->argv[1], "off");
	const char *why;
	struct table *t;

	if (a->argc > 1 && !off && strcmp(a->argv[1], "on"))
		return result_fail(r, "usage: symbols linux [on|off]");
	if (off || a->argc > 1)
		kernel_set(s, !off);
	if (off)
		return 0;
	if (!s->m || s->run.running)
		return result_fail(r, "symbols: the guest must be stopped");
	if (!kernel_of(s, &why))
		return result_fail(r, "symbols: %s", why);
	t = result_table(r, loaded_cols, ARRAY_LEN(loaded_cols), TABLE_PLAIN, "{count} symbols from {file}");
	table_row(t, (struct value[]){ V_STR("the guest's kernel"), V_UINT(s->kernel.k->symbols.count) });
	return 0;
}

static int save_symbols(struct inspect *s, const char *file, struct result *r)
{
	long n = symbols_save(&s->symbols, file);
	struct table *t;

	if (n < 0)
		return result_fail(r, "symbols: cannot write %s: %s", file, strerror(errno));
	t = result_table(r, loaded_cols, ARRAY_LEN(loaded_cols), TABLE_PLAIN,
			 "{count} symbols written to {file}");
	table_row(t, (struct value[]){ V_STR(file), V_UINT((uint64_t)n) });
	return 0;
}

/* types FILE */
static int linux_types(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct lx *k = s->m && !s->run.running ? kernel_of(s, &(const char *){ NULL }) : NULL;
	char err[400];
	struct table *t;
	long n;

	if (!k)
		return result_fail(r, "symbols: no Linux kernel was found");
	n = lx_set_dwarf(k, a->argv[1], err, sizeof(err));
	if (n < 0)
		return result_fail(r, "symbols: %s", err);
	t = result_table(r, loaded_cols, ARRAY_LEN(loaded_cols), TABLE_PLAIN,
			 "{count} members of structures from {file}");
	table_row(t, (struct value[]){ V_STR(a->argv[1]), V_UINT((uint64_t)n) });
	return 0;
}

static int cmd_symbols(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t offset = 0;
	struct table *t;
	char err[400];
	long n;

	if (!strcmp(a->argv[0], "clear") && a->argc == 1) {
		symbols_fini(&s->symbols);
		kernel_set(s, !s->kernel.off);
		return 0;
	}
	if (!strcmp(a->argv[0], "linux") && a->argc <= 2)
		return linux_symbols(s, a, r);
	if (!strcmp(a->argv[0], "save") && a->argc == 2)
		return save_symbols(s, a->argv[1], r);
	if (!strcmp(a->argv[0], "types") && a->argc == 2)
		return linux_types(s, a, r);
	if (!strcmp(a->argv[0], "sources") && a->argc == 2) {
		source_directory(&s->source.files, a->argv[1]);
		return 0;
	}
	if (strcmp(a->argv[0], "load") || a->argc < 2)
		return result_fail(
		    r,
		    "usage: symbols load FILE [OFFSET] | save FILE | clear | linux [on|off] | types FILE | sources DIRECTORY");
	if (a->argc > 2 && session_eval(s, a->argv[2], &offset, r))
		return -1;
	n = symbols_load(&s->symbols, a->argv[1], offset, err, sizeof(err));
	if (n < 0)
		return result_fail(r, "symbols: %s", err);
	t = result_table(r, loaded_cols, ARRAY_LEN(loaded_cols), TABLE_PLAIN, "{count} symbols from {file}");
	table_row(t, (struct value[]){ V_STR(a->argv[1]), V_UINT((uint64_t)n) });
	return 0;
}

/* ---- log ---- */

static const struct view_col log_cols[] = {
	{ "category", "Category", VAL_STR, "", "for 'log CATEGORY on'" },
	{ "on", "On", VAL_BOOL, "", "whether it is written" },
	{ "help", "Logs", VAL_HELP, "", "contents" },
};
RECORD_DOC(log_record, "log", log_cols);

static int list_log(struct result *r)
{
	struct table *t = result_table(r, log_cols, ARRAY_LEN(log_cols), TABLE_GRID, NULL);

	for (int i = 0; i < LOG_NCAT; i++)
		table_row(t, (struct value[]){ V_STR(log_infos[i].name), V_BOOL(log_mask >> i & 1),
					       V_STR(log_infos[i].help) });
	return 0;
}

static int log_to(struct inspect *s, const char *path, struct result *r)
{
	FILE *f = NULL;

	if (strcmp(path, "-")) {
		f = fopen(path, "we");
		if (!f)
			return result_fail(r, "log: cannot open %s: %s", path, strerror(errno));
	}
	log_set_file(f);
	if (s->out.log_file)
		fclose(s->out.log_file);
	s->out.log_file = f;
	return 0;
}

static int cmd_log(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = a->argc == 2 && !strcmp(a->argv[1], "on");
	unsigned mask = (1u << LOG_NCAT) - 1;
	int cat;

	if (!a->argc)
		return list_log(r);
	if (a->argc == 2 && !strcmp(a->argv[0], "file"))
		return log_to(s, a->argv[1], r);
	if (a->argc != 2 || (!on && strcmp(a->argv[1], "off")))
		return result_fail(r, "usage: log CATEGORY|all on|off, log file PATH|-");
	if (strcmp(a->argv[0], "all")) {
		cat = log_find(a->argv[0]);
		if (cat < 0)
			return result_fail(r, "log: no category '%s' (log lists them)", a->argv[0]);
		mask = 1u << cat;
	}
	log_mask = on ? log_mask | mask : log_mask & ~mask;
	return 0;
}

/* ---- scripts ---- */

static int cmd_source(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	FILE *f = file_open(a->argv[0]);
	enum inspect_status st;

	if (!f)
		return result_fail(r, "source: cannot open %s: %s", a->argv[0], strerror(errno));
	st = inspect_script(s, f, a->argv[0], a->sink);
	fclose(f);
	return st == INSPECT_FAILED ? -1 : 0; /* the failed command has reported the error */
}

static int cmd_expect(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t v;

	if (session_eval(s, a->rest, &v, r))
		return -1;
	return v ? 0 : result_fail(r, "expect: %s is false", a->rest);
}

static int cmd_echo(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char *line = xcalloc(1, strlen(a->rest) + (size_t)a->argc + 1);

	(void)s;
	for (int i = 0; line && i < a->argc; i++) {
		if (i)
			strcat(line, " ");
		strcat(line, a->argv[i]);
	}
	result_text(r, "%s", line ? line : "");
	free(line);
	return 0;
}

static const struct view_col hash_cols[] = {
	{ "hash", "Hash", VAL_STR, "", "of registers, devices and memory" },
	{ "icount", "Icount", VAL_UINT, "", "instructions retired (icount clock)" },
};
RECORD_DOC(hash_record, "statehash", hash_cols);

static int cmd_statehash(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct table *t = result_table(r, hash_cols, ARRAY_LEN(hash_cols), TABLE_PLAIN,
				       s->icount_clock ? "{hash} at icount {icount}" : "{hash}");
	char text[20];

	(void)a;
	snprintf(text, sizeof(text), "%016" PRIx64, machine_state_hash(s->m));
	table_row(t, (struct value[]){ V_STR(text),
				       s->icount_clock ? V_UINT(machine_vcpu(s->m)->icount) : V_NONE });
	return 0;
}

static int cmd_quit(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)a;
	(void)r;
	if (s->run.running)
		run_halt(s);
	s->quit = true;
	return 0;
}

/* ---- help ---- */

static const struct view_col help_cols[] = {
	{ "command", "Command", VAL_STR, "", "name and arguments" },
	{ "help", "Does", VAL_HELP, "", "one line of help" },
};
RECORD_DOC(help_record, "help", help_cols);

static const struct view_col help_one_cols[] = {
	{ "usage", "Usage", VAL_STR, "", "name and arguments" },
	{ "aliases", "Aliases", VAL_STR, "", "other names" },
	{ "help", "Does", VAL_HELP, "", "one line of help" },
	{ "detail", "More", VAL_STR, "", "details" },
};
RECORD_DOC(help_one_record, "help", help_one_cols);

static void usage_text(const struct command *c, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s", c->name, c->args[0] ? " " : "", c->args);
}

/* Columns of a view or record: keys in JSON, and names for sort= in views. */
static const struct view_col view_help_cols[] = {
	{ "column", "Column", VAL_STR, "", "key in JSON and for sort=" },
	{ "title", "Heading", VAL_STR, "", "in text" },
	{ "unit", "Unit", VAL_STR, "", "of the value" },
	{ "help", "Means", VAL_HELP, "", "meaning of the column" },
};
RECORD_DOC(fields_record, "help", view_help_cols);

static void help_fields(struct result *r, const struct view_col *cols, unsigned n, bool with_symbol)
{
	struct table *t = result_table(r, view_help_cols, ARRAY_LEN(view_help_cols), TABLE_GRID, NULL);

	for (unsigned i = 0; i < n; i++)
		table_row(t,
			  (struct value[]){ V_STR(cols[i].name), V_STR(cols[i].title),
					    V_STR(cols[i].unit ? cols[i].unit : ""), V_STR(cols[i].help) });
	if (with_symbol)
		table_row(
		    t, (struct value[]){ V_STR("symbol"), V_STR("symbol"), V_STR(""), V_STR("where pc is") });
}

/* Describe view NAME. 0, or -1 if there is no such view. */
static int help_view(struct inspect *s, const char *name, bool only_fields, struct result *r)
{
	const struct view *v;
	char why[300];
	void *owner;

	v = view_find(s, name, &owner, why, sizeof(why));
	if (!v)
		return result_fail(r, "help: %s", why);
	if (!only_fields)
		result_text(r, "info %s: %s", v->name, v->help);
	help_fields(r, v->cols, v->ncols, view_pc_column(v) >= 0);
	return 0;
}

static void help_records(struct inspect *s, const struct command *c, struct result *r)
{
	const struct record_doc *doc;

	for (unsigned i = 0; (doc = record_doc_at(s, i)); i++) {
		if (!record_doc_is_of(doc, c))
			continue;
		result_text(r, "  Fields of its records in JSON:");
		if (!doc->view)
			help_fields(r, doc->cols, doc->ncols, false);
		else if (s->m)
			help_view(s, doc->view, true, r);
	}
}

static int help_one(struct inspect *s, const char *name, struct result *r)
{
	char why[200], usage[200];
	const struct command *c = command_find(s, name, strlen(name), why, sizeof(why));
	struct table *t;

	if (!c)
		return result_fail(r, "help: %s", why);
	if (!command_offered(s, c))
		return result_fail(r, "help %s: %s", c->name, engine_lacks(command_needs(c)));
	usage_text(c, usage, sizeof(usage));
	t = result_table(r, help_one_cols, ARRAY_LEN(help_one_cols), TABLE_PLAIN,
			 c->aliases && c->detail ? "{usage}   (also: {aliases})\n  {help}\n  {detail}"
			 : c->aliases		 ? "{usage}   (also: {aliases})\n  {help}"
			 : c->detail		 ? "{usage}\n  {help}\n  {detail}"
						 : "{usage}\n  {help}");
	table_row(t, (struct value[]){ V_STR(usage), c->aliases ? V_STR(c->aliases) : V_NONE, V_STR(c->help),
				       c->detail ? V_STR(c->detail) : V_NONE });
	help_records(s, c, r);
	return 0;
}

static int cmd_help(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct table *t;
	char usage[200];

	if (a->argc == 2 && !strcmp(a->argv[0], "info"))
		return help_view(s, a->argv[1], false, r);
	if (a->argc)
		return help_one(s, a->argv[0], r);
	t = result_table(r, help_cols, ARRAY_LEN(help_cols), TABLE_PLAIN, NULL);
	for (unsigned i = 0; command_group_at(s, i); i++)
		for (const struct command *c = command_group_at(s, i)->commands; c->name; c++) {
			if (!command_offered(s, c))
				continue;
			usage_text(c, usage, sizeof(usage));
			table_row(t, (struct value[]){ V_STR(usage), V_STR(c->help) });
		}
	result_text(r, "Commands can be abbreviated. 'help COMMAND' and 'help info VIEW' give details.");
	return 0;
}

static const struct command commands[] = {
	{ "symbols", "file",
	  "load FILE [OFFSET] | save FILE | clear | linux [on|off] | types FILE | sources DIRECTORY",
	  "load symbols from an ELF file, a System.map or the guest's own kernel, save or remove all",
	  "The symbols of a Linux guest are found in its memory (kallsyms), wherever its kernel is, at the first stop in "
	  "which its page-fault handler is in place: then backtraces, breakpoints by name, profiles and views have them "
	  "without a file. 'symbols linux' looks now, 'symbols linux off' forgets them and looks no more. Files that "
	  "were loaded come first; 'symbols load vmlinux $kaslr' moves those of a kernel to where it is, and 'symbols types vmlinux' takes the layout of its structures from its DWARF. ELF files with debug information give source lines as well (list); 'symbols sources DIRECTORY' says where the source files are, if not where they were compiled. 'symbols save' writes all as a System.map, for gdb's macro 'vitrine symbols'.",
	  cmd_symbols, CMD_PAUSE | CMD_FILES_BY_WORD, 1, 3,
	  "load|save|clear|linux|types|sources <file>|on|off <expr>" },
	{ "log", NULL, "[CATEGORY|all on|off | file PATH|-]",
	  "log internal events; without arguments, list the categories", NULL, cmd_log,
	  CMD_PAUSE | CMD_FILES_BY_WORD, 0, 2, "<log>|all|file on|off" },
	{ "source", NULL, "FILE", "execute the commands in a file",
	  "The first command that fails ends the script, unless '-' precedes it. A line may have several commands, "
	  "separated by ';'. Lines that start with # are comments, and so is what follows ' # '.",
	  cmd_source, CMD_FILES, 1, 1, COMP_FILE },
	{ "expect", "assert", "EXPR", "fail when EXPR is 0", NULL, cmd_expect, CMD_PAUSE, 1, -1, COMP_EXPR },
	{ "pick", NULL, "$NAME VIEW COLUMN [ARGUMENT...] [sort=COLUMN]",
	  "set $NAME to the number in COLUMN of the first row that 'info VIEW ...' shows",
	  "For example 'pick $worst ccf pc sort=-traps'. 'help info VIEW' lists the columns.", cmd_pick,
	  CMD_PAUSE, 3, -1, "$ <view> <column>" },
	{ "echo", NULL, "[TEXT...]", "print TEXT", NULL, cmd_echo, 0, 0, -1, COMP_NONE },
	{ "statehash", NULL, "",
	  "show a hash of registers, devices and memory; equal states have equal hashes", NULL, cmd_statehash,
	  CMD_MACHINE | CMD_PAUSE, 0, 0, COMP_NONE },
	{ "help", "?", "[COMMAND | info VIEW]",
	  "list the commands, or describe one command or the columns of a view", NULL, cmd_help, 0, 0, 2,
	  "<command> <view>" },
	{ "quit", "q exit", "", "end vitrine", NULL, cmd_quit, 0, 0, 0, COMP_NONE },
	{ 0 },
};

const struct command_group cmd_session_group = { "session", "The session", commands };
