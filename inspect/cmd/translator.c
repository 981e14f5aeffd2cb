/* SPDX-License-Identifier: GPL-3.0-or-later
 * The command ccf. The other tables about the translator (tc, ccf, traps, callouts, windows) are
 * views that the engine and mm declare. */
#include "inspect/ccf.h"
#include "inspect/tables_int.h"

static int cmd_ccf(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t addr = (int64_t)session_pc(s);

	if (a->rest[0] && session_eval(s, a->rest, &addr, r))
		return -1;
	if (!session_may_be_linear(s, addr))
		return result_fail(r, "ccf: 0x%llx is not an address of this guest",
				   (unsigned long long)addr);
	if (!ccf_records(s, (uint64_t)addr, r))
		return result_fail(r, "ccf: no fragment covers 0x%llx (info ccf lists them)",
				   (unsigned long long)addr);
	return 0;
}

static const struct command commands[] = {
	{ "ccf", NULL, "[ADDRESS]",
	  "show the fragments that cover ADDRESS or pc: guest code beside its translation",
	  "Each row is a host instruction; the first row of a guest instruction has the guest's columns too. Lowered: "
	  "ident (copied), window (memory operand through the address-space window), in-tc (emulated in line), "
	  "callout (calls the monitor), chain (control flow), exit (stubs behind the code).",
	  cmd_ccf, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_FRAGMENTS), 0, -1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_translator_group = { "translator", "Translator", commands };
