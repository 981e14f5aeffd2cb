/* SPDX-License-Identifier: GPL-3.0-or-later
 * "monitor COMMAND": all commands of the session. Results are sent as text in O packets as they come. */
#include "gdbstub/gdb_int.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 /* bytes of text in an O packet */ };

/* Print TEXT at gdb's console. */
void gdb_say(struct gdb *g, const char *text, size_t n)
{
	struct out o = { 0 };

	for (size_t at = 0; at < n && !g->broken; at += PIECE) {
		out_clear(&o);
		out_printf(&o, "O");
		out_hex(&o, text + at, n - at < PIECE ? n - at : PIECE);
		gdb_send(g, o.data, o.len);
	}
	out_fini(&o);
}

static void emit(void *ctx, const struct result *r)
{
	const struct gdb *g = ctx;
	size_t len = 0;
	char *text = NULL;
	FILE *f;

	if ((!r->first && !r->error) || g->given_up)
		return;
	f = xmemstream(&text, &len);
	result_render(r, r->json, f);
	result_render_error(r, r->json, "", f);
	fclose(f);
	gdb_say(ctx, text, len);
	free(text);
}

void on_monitor(struct gdb *g, struct span a)
{
	struct inspect_sink sink = { .ctx = g, .emit = emit, .no_files = !g->files };
	size_t n = span_left(&a) / 2;
	char *line = xmalloc(n + 1);

	n = hex_decode(a.p, span_left(&a), line, n);
	line[n] = 0;
	for (size_t i = 0; i < n; i++)
		if (line[i] == '\n' || line[i] == '\r' || !line[i])
			line[i] = ' ';
	g->in_command = true;
	debug_exec(g->s, n ? line : "help", &sink);
	g->in_command = false;
	if (g->interrupt || g->given_up)
		debug_clear_interrupt(g->s);
	free(line);
	if (!g->given_up)
		gdb_send(g, "OK", 2);
	g->interrupt = g->given_up = false;
}
