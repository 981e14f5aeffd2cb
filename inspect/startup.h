/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a session starts, whatever its face: the user's rc file, then the scripts of the
 * command line. */
#ifndef INSPECT_STARTUP_H
#define INSPECT_STARTUP_H
#include "inspect/inspect.h"

struct script {
	bool file;	  /* TEXT names a file of commands ("-": standard input), else it is one command */
	const char *text; /* borrowed */
};

/* Execute LIST in order, up to the first that fails or quits, or until *STOP. A file that cannot
 * be read has failed; stderr says why. */
enum inspect_status start_scripts(struct inspect *s, const struct script *list, size_t n,
				  const struct inspect_sink *sink, const bool *stop);
/* Execute ~/.config/vitrine/rc, when there is one. */
void start_rc(struct inspect *s, const struct inspect_sink *sink);
#endif
