/* SPDX-License-Identifier: GPL-3.0-or-later
 * The optional parts of the engine interface. A command row names the part it needs; if the machine's
 * engine lacks it, the command is not offered, and answers with one line when it is called. */
#ifndef INSPECT_ENGINE_H
#define INSPECT_ENGINE_H
#include "x86/engine_translator.h"
#include "x86/engine_virt.h"

struct inspect;

enum engine_part {
	PART_NONE,
	PART_WATCH,
	PART_BREAK_PHYSICAL,
	PART_EVENTS,
	PART_MMU,
	PART_FRAGMENTS,
	PART_PINS,
	PART_COUNTING,
	PART_POLICY,
	PART_ADAPTATION,
	PART_PATCHES,
	PART_PROBES,
	PART_VIRT,
	PARTS
};

/* Does the machine's engine have PART? True without a machine: nothing is known then. */
bool engine_has(const struct inspect *s, enum engine_part part);
/* One line that names the missing part: "this engine has no translation cache". */
const char *engine_lacks(enum engine_part part);
/* The tables of an engine with a translation cache; NULL without a machine or in another engine. Handlers of
 * commands that need a part of it may rely on it. */
const struct engine_translator *session_translator(const struct inspect *s);
/* The processor's virtualization extension; NULL without a machine or without one. */
const struct engine_virt *session_virt(const struct inspect *s);
#endif
