/* SPDX-License-Identifier: GPL-3.0-or-later
 * The stub's commands and view: "gdb start", "gdb stop", "arch", "info gdb". */
#include "gdbstub/gdb_int.h"

#include <stdio.h>
#include <string.h>

/* ---- info gdb ---- */

static const struct view_col cols[] = {
	{ "listening", "Listening at", VAL_STR, "", "address, or no" },
	{ "client", "Client", VAL_STR, "", "none, waits for a stop, or holds the guest stopped" },
	{ "arch", "Architecture", VAL_STR, "", "of the target description (command arch)" },
	{ "registers", "Registers", VAL_UINT, "", "in the target description" },
	{ "physical", "Physical", VAL_BOOL, "", "addresses are physical (PhyMemMode)" },
	{ "sstep", "Step bits", VAL_HEX, "", "1 enabled, 2 without interrupts, 4 without timers" },
	{ "points", "Points", VAL_UINT, "", "breakpoints and watchpoints it has inserted" },
	{ "clients", "Clients", VAL_UINT, "", "so far" },
	{ "packets", "Packets", VAL_UINT, "", "received" },
	{ "bad", "Bad packets", VAL_UINT, "",
	  "with an invalid checksum, too long, or no packets at all (the connection was dropped)" },
	{ "steps", "Steps", VAL_UINT, "", "single steps done" },
	{ "stops", "Stops", VAL_UINT, "", "stop replies sent" },
	{ "in", "Received", VAL_UINT, "B", "bytes" },
	{ "out", "Sent", VAL_UINT, "B", "bytes" },
};

static const char *rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct gdb *g = owner;

	(void)arg;
	sink->row(sink,
		  (struct value[]){
		      V_STR(g->listening.fd >= 0 ? g->where : "no"),
		      V_STR(g->conn < 0	 ? "none"
			    : g->waiting ? "waits for a stop"
					 : "holds the guest stopped"),
		      V_STR(g->regs.arch->name), V_UINT(g->regs.count), V_BOOL(g->physical), V_HEX(g->sstep),
		      V_UINT(debug_points_count(g->s, &g->owner)), V_UINT(g->stats.clients),
		      V_UINT(g->stats.packets), V_UINT(g->stats.bad_packets), V_UINT(g->stats.steps),
		      V_UINT(g->stats.stops), V_UINT(g->stats.bytes_in), V_UINT(g->stats.bytes_out) });
	return NULL;
}

static const struct view view = {
	.name = "gdb",
	.help = "the gdb stub: address, client, counters",
	VIEW_COLS(cols),
	.rows = rows,
	.flags = VIEW_VERTICAL | VIEW_LIVE,
};
const struct view *const gdb_views[] = { &view, NULL };

/* ---- commands ---- */

static int cmd_gdb(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct gdb *g = inspect_addon_owner(s, &gdb_commands);
	const char *where = a->argc > 1 ? a->argv[1] : ":1234";
	char err[300];

	if (!strcmp(a->argv[0], "start")) {
		if (!gdb_listen(g, where, err, sizeof(err)))
			return result_fail(r, "%s", err);
		result_text(r, "gdb: listening at %s", g->where);
		return 0;
	}
	if (strcmp(a->argv[0], "stop") || a->argc > 1)
		return result_fail(r, "usage: gdb start [[HOST:]PORT|unix:PATH] | stop");
	gdb_close(g);
	return 0;
}

static const struct view_col arch_cols[] = {
	{ "arch", "Architecture", VAL_STR, "", "for the command arch" },
	{ "served", "Served", VAL_BOOL, "", "the one in use" },
	{ "help", "Means", VAL_HELP, "", "its use" },
};
static RECORD_DOC(arch_record, "arch", arch_cols);
const struct record_doc *const gdb_records[] = { &arch_record, NULL };

static int cmd_arch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct gdb *g = inspect_addon_owner(s, &gdb_commands);
	const struct gdb_arch *arch;
	struct table *t;

	if (a->argc && !strcmp(a->argv[0], "auto")) {
		g->arch_chosen = false;
		return 0;
	}
	if (a->argc) {
		arch = gdb_arch_find(a->argv[0]);
		if (!arch)
			return result_fail(r, "arch: no architecture '%s' (arch lists them)", a->argv[0]);
		gdb_regs_init(&g->regs, arch, gdb_host_vectors());
		g->arch_chosen = true;
		return 0;
	}
	t = result_table(r, arch_cols, ARRAY_LEN(arch_cols), TABLE_GRID, NULL);
	for (unsigned i = 0; i < gdb_arch_count; i++)
		table_row(t,
			  (struct value[]){ V_STR(gdb_archs[i].name), V_BOOL(g->regs.arch == &gdb_archs[i]),
					    V_STR(gdb_archs[i].help) });
	return 0;
}

static const struct command commands[] = {
	{ "gdb", NULL, "start [[HOST:]PORT|unix:PATH] | stop",
	  "listen for gdb (default 127.0.0.1:1234), or stop listening",
	  "The default HOST is 127.0.0.1. 'info gdb' shows address and client.", cmd_gdb, CMD_FILES_BY_WORD,
	  1, 2, "start|stop" },
	{ "arch", NULL, "[i386|i8086|i386:x86-64|auto]",
	  "choose the architecture of gdb's target description",
	  "auto, the default: when gdb connects, x86-64 if the guest is in IA-32e mode, or can be and neither the symbol file nor the "
	  "kernel is a 32-bit one, nor does it use 32-bit paging; else i386. During a session it never changes by itself: gdb must then fetch the target description again: 'unset tdesc filename'. The macro 'arch' of "
	  "vitrine.gdb does both.",
	  cmd_arch, 0, 0, 1, "i386|i8086|i386:x86-64|auto" },
	{ "threads", NULL, "tasks|cpus",
	  "show gdb the tasks of a Linux guest as threads, or again only the processor",
	  "The processor stays thread 1, and executes its task. Each other task has the registers that the kernel saved when it "
	  "switched to another one, so 'thread apply all backtrace' works; it can be looked at, but neither changed nor "
	  "stepped. It lasts until gdb leaves.",
	  gdb_cmd_threads, CMD_MACHINE | CMD_PAUSE, 1, 1, "tasks|cpus" },
	{ 0 },
};

const struct command_group gdb_commands = { "gdb", "gdb", commands };
const struct inspect_addon gdb_addon_manual = { .commands = &gdb_commands,
						.views = gdb_views,
						.records = gdb_records };
