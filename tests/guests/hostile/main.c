/* SPDX-License-Identifier: GPL-3.0-or-later
 * The table of tests. "test=NAME" on the command line chooses. */
#include "tests/guests/hostile/hostile.h"

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "nowhere", test_nowhere }, /* no IDT: triple fault */
	{ "nowhere-idt", test_nowhere_idt },
	{ "stack", test_stack }, /* overflow without a double-fault handler: triple fault */
	{ "stack-df", test_stack_df },
	{ "ports", test_ports },
	{ "ports-all", test_ports_all }, /* with those that end the machine */
	{ "mmio", test_mmio },
	{ "page-tables", test_page_tables },
	{ "own-tables", test_own_tables },
	{ "own-page", test_own_page },
	{ "insn", test_insn },
	{ "rep", test_rep },
	{ "smc", test_smc },
	{ "cli-loop", test_cli_loop }, /* runs for ever */
	{ "loop", test_loop },	       /* runs for ever */
	{ "segments", test_segments },
	{ "tasks", test_tasks },
	{ "idt-mmio", test_idt_mmio },
	{ "control", test_control },
};

void hostile_main(const uint32_t *info);
void hostile_main(const uint32_t *info)
{
	take_memory((const char *)info[4]);
	set_up();
	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (option_is("test", tests[i].name)) {
			tests[i].run();
			print("hostile: survived\n");
			end(0);
		}
	failed("no such test", 0, 0);
}
