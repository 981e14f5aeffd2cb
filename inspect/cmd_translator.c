/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands about the translator. Its tables (tc, ccf, traps, callouts, windows) are views
 * that bt and mm declare; what stands here needs an argument a view cannot take. */
#include "inspect/session_int.h"

static const struct command commands[] = {
	{ 0 },
};

const struct command_group cmd_translator_group = { "translator", "Translator", commands };
