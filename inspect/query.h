/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a dashboard reads: it executes looking commands ("info ccf", "x/16xw $esp",
 * "page $pc") and draws the records. So it shows what the shell shows. A look leaves
 * no trace in the session: not in the line an empty line repeats, not in where a bare
 * "x" goes on, and it reports no stop. */
#ifndef INSPECT_QUERY_H
#define INSPECT_QUERY_H
#include "inspect/inspect.h"

enum peek {
	QUERY_PAUSE, /* a guest that runs is stopped for the moment the look takes */
	QUERY_LIVE,  /* it goes on; a view that is not VIEW_LIVE is refused */
};

/* Execute LINE, which must only look, into R (initialised here; free with result_fini). 0, or -1
 * with the error in R. */
int inspect_query(struct inspect *s, const char *line, enum peek how, struct result *r);
/* Can view NAME be read beside a running guest (VIEW_LIVE)? */
bool inspect_view_is_live(struct inspect *s, const char *name);
/* Stop a guest that runs, for several looks at one state. True: it ran, inspect_release() must follow. */
bool inspect_hold(struct inspect *s);
void inspect_release(struct inspect *s);
/* Another number than before when a face executed a command, wrote, or let the guest run or step: what was
 * looked at before may be old. */
unsigned inspect_revision(const struct inspect *s);
/* The record of the present stop, as a stepping command gives it, into R. */
void inspect_stop_record(struct inspect *s, struct result *r);
#endif
