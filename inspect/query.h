/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a dashboard reads: it executes commands that only read ("info ccf", "x/16xw $esp",
 * "page $pc") and draws their records, so it shows the same as the shell. A query does not
 * change the session: neither the line that an empty line repeats, nor the address at which a
 * bare "x" continues; and it reports no stop. Symbols that views are given here are looked up when they are
 * shown: of tens of thousands, few are. */
#ifndef INSPECT_QUERY_H
#define INSPECT_QUERY_H
#include "inspect/inspect.h"
#include "inspect/record.h"

enum query_mode {
	QUERY_PAUSE, /* a running guest is stopped during the query */
	QUERY_LIVE,  /* it keeps running; a view that is not VIEW_LIVE is refused */
};

/* Execute LINE, which must only read, into R (initialised here; free with result_fini). 0, or -1
 * with the error in R. */
int inspect_query(struct inspect *s, const char *line, enum query_mode how, struct result *r);
/* A cell of a query's table, whose symbols are looked up only here. */
const struct value *inspect_cell(struct inspect *s, const struct table *t, size_t row, unsigned col);
/* Can view NAME be read while the guest runs (VIEW_LIVE)? */
bool inspect_view_is_live(struct inspect *s, const char *name);
/* Hold a running guest for several queries of one state. True: it ran, and inspect_release() must follow. */
bool inspect_hold(struct inspect *s);
void inspect_release(struct inspect *s);
/* A number that changes when a face executed a command, wrote, or ran or stepped the guest: earlier query
 * results may be stale. */
unsigned inspect_revision(const struct inspect *s);
/* Put the record of the last stop, as a stepping command returns it, into R. */
void inspect_stop_record(struct inspect *s, struct result *r);
#endif
