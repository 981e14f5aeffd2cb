/* SPDX-License-Identifier: GPL-3.0-or-later
 * Save the whole machine in a file, and continue from one. */
#include "inspect/tables_int.h"

static int report_state(struct inspect *s, struct result *r, const char *what, const char *path)
{
	if (s->icount_clock)
		result_text(r, "state %s %s, at icount %llu", what, path,
			    (unsigned long long)machine_vcpu(s->m)->icount);
	else
		result_text(r, "state %s %s", what, path);
	return 0;
}

static int cmd_save_state(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char err[256];

	if (!machine_save_state(s->m, a->argv[0], err, sizeof(err)))
		return result_fail(r, "save-state: %s: %s", a->argv[0], err);
	return report_state(s, r, "written to", a->argv[0]);
}

static int cmd_load_state(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char err[256];

	if (!machine_load_state(s->m, a->argv[0], err, sizeof(err)))
		return result_fail(r, "load-state: %s: %s", a->argv[0], err);
	session_changed(s);
	return report_state(s, r, "loaded from", a->argv[0]);
}

static const struct command commands[] = {
	{ "save-state", NULL, "FILE", "save the guest's whole state in FILE",
	  "Registers, devices, memory, and input that is on its way. Host files that the guest uses, "
	  "such as a boot disk, are not part of it. The device part of FILE is text.",
	  cmd_save_state, CMD_STOPPED | CMD_ALIVE | CMD_FILES, 1, 1, COMP_FILE },
	{ "load-state", NULL, "FILE", "continue from a state that save-state wrote",
	  "The session must have been started with the same guest and the same --memory, --clock and --cpu. "
	  "Points, patches and variables stay. A file that does not fit is refused and changes nothing. "
	  "With --clock icount the guest continues exactly as before.",
	  cmd_load_state, CMD_STOPPED | CMD_ALIVE | CMD_FILES, 1, 1, COMP_FILE },
	{ 0 },
};

const struct command_group cmd_state_group = { "state", "Saved states", commands };
