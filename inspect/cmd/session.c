/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands about the session itself: symbols, log, scripts, checks. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "inspect/programs_int.h"
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
	if (!strcmp(a->argv[0], "programs") && a->argc == 2) {
		programs_set(&s->kernel.programs, a->argv[1]);
		return 0;
	}
	if (!strcmp(a->argv[0], "sources") && a->argc == 2) {
		source_directory(&s->source.files, a->argv[1]);
		return 0;
	}
	if (strcmp(a->argv[0], "load") || a->argc < 2)
		return result_fail(
		    r,
		    "usage: symbols load FILE [OFFSET] | save FILE | clear | linux [on|off] | types FILE | sources DIRECTORY | programs DIRECTORY");
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

static const struct command commands[] = {
	{ "symbols", "file",
	  "load FILE [OFFSET] | save FILE | clear | linux [on|off] | types FILE | sources DIRECTORY | programs DIRECTORY",
	  "load symbols from an ELF file, a System.map or the guest's own kernel, save or remove all",
	  "The symbols of a Linux guest are found in its memory (kallsyms), wherever its kernel is, at the first stop in "
	  "which its page-fault handler is in place: then backtraces, breakpoints by name, profiles and views have them "
	  "without a file. 'symbols linux' looks now, 'symbols linux off' forgets them and looks no more. Files that "
	  "were loaded come first; 'symbols load vmlinux $kaslr' moves those of a kernel to where it is, and 'symbols types vmlinux' takes the layout of its structures from its DWARF. ELF files with debug information give source lines as well (list); 'symbols sources DIRECTORY' says where the source files are, if not where they were compiled. 'symbols programs' names a directory that has the files of a Linux guest's programs and libraries, by their paths in the guest "
	  "or by their names alone: backtraces, stops, x/i, list and profile then name their functions, wherever a process has them mapped. 'symbols save' writes all as a System.map, for gdb's macro 'vitrine symbols'.",
	  cmd_symbols, CMD_PAUSE | CMD_FILES_BY_WORD, 1, 3,
	  "load|save|clear|linux|types|sources|programs <file>|on|off <expr>" },
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
	{ "help", "?", "[COMMAND | GROUP | all | aliases | info VIEW]",
	  "list the commands by groups, or describe one command, a group, or the columns of a view",
	  "'help all' has a line for each command, 'help aliases' the names that QEMU, Bochs and WinDbg have for some.",
	  cmd_help, 0, 0, 2, "<command> <view>" },
	{ "quit", "q exit", "", "end vitrine", NULL, cmd_quit, 0, 0, 0, COMP_NONE },
	{ 0 },
};

const struct command_group cmd_session_group = { "session", "The session", commands };
