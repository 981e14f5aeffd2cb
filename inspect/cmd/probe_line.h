/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines of probes: a format and expressions as in "trace", compiled into a program that records the
 * values when the probe is hit, and printed from the record later. */
#ifndef INSPECT_CMD_PROBE_LINE_H
#define INSPECT_CMD_PROBE_LINE_H
#include "inspect/session_int.h"
#include "x86/engine_translator.h"

/* Expressions that will be evaluated at PC: registers are read then, variables now. */
struct probe_env {
	struct inspect *s;
	gva pc;
};
struct expr_env probe_expr_env(struct probe_env *e);

/* Compile TRACE ('"FORMAT" EXPR,...'); return what follows it, or NULL with the reason in ERR. */
const char *trace_compile(struct inspect *s, const char *trace, gva pc, struct program *prog,
			  struct expr_error *err);
/* Print the line of TRACE for a record. */
void trace_replay(struct inspect *s, const char *trace, const struct engine_probe_hit *h);
#endif
