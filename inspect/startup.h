/* SPDX-License-Identifier: GPL-3.0-or-later
 * The start of a session in any face: the user's rc file, then the scripts of the command line. */
#ifndef INSPECT_STARTUP_H
#define INSPECT_STARTUP_H
#include "inspect/inspect.h"

struct script {
	bool file;	  /* TEXT names a file of commands ("-": standard input), else it is one command */
	const char *text; /* borrowed */
};

/* Execute LIST in order until an entry fails or quits, or *STOP is set. A file that cannot be
 * read fails; stderr says why. */
enum inspect_status start_scripts(struct inspect *s, const struct script *list, size_t n,
				  const struct inspect_sink *sink, const bool *stop);
/* Execute ~/.config/vitrine/rc if it exists. */
void start_rc(struct inspect *s, const struct inspect_sink *sink);
#endif
