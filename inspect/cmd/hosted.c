/* SPDX-License-Identifier: GPL-3.0-or-later
 * hosted-io: the optimizations of hosted I/O (hv/io/door.h), switched while the guest runs. */
#include "inspect/tables_int.h"

#include <string.h>

static int cmd_hosted_io(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const char *const all[] = { "vmm", "combine", "vector" };
	const char *word = a->argc ? a->argv[a->argc - 1] : "";
	bool on = !strcmp(word, "on");

	if (!a->argc)
		return view_show(s, "hosted-io", a, 0, r);
	if (!on && strcmp(word, "off"))
		return result_fail(r, "hosted-io: expected on or off, not '%s'", word);
	for (unsigned i = 0; i < ARRAY_LEN(all) && a->argc == 1; i++)
		machine_hosted_io(s->m, all[i], on);
	if (a->argc == 2 && !machine_hosted_io(s->m, a->argv[0], on))
		return result_fail(r, "hosted-io: no optimization '%s': there are vmm, combine, vector",
				   a->argv[0]);
	return 0;
}

static const struct command commands[] = {
	{ "hosted-io", NULL, "[vmm|combine|vector] [on|off]",
	  "switch optimizations of hosted I/O, all or one; without arguments, show them and what they have saved",
	  "vmm: registers of network devices and disk controllers are served in the VMM world, without a world switch. "
	  "combine: transmissions wait for company while world switches are frequent, three at most, for a millisecond at "
	  "most, and need no switch while the link's thread is awake. vector: arrivals and completions are told by bits in memory; off, descriptors are polled at each switch "
	  "and each tick. info worlds has the switches, info switches the last of them.",
	  cmd_hosted_io, CMD_MACHINE | CMD_PAUSE, 0, 2, "vmm|combine|vector|on|off on|off" },
	{ 0 },
};

const struct command_group cmd_hosted_group = { "hosted", "Hosted I/O", commands };
