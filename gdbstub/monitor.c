/* SPDX-License-Identifier: GPL-3.0-or-later
 * "monitor COMMAND": all commands of the session. Results are sent as text in O packets as they come. */
#include "base/monotonic.h"
#include "gdbstub/gdb_int.h"
#include "base/alloc.h"

#include <poll.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 4096 /* bytes of text in an O packet */ };
/* Asynchronous lines: gdb prints each before it reads on, so their rate is limited. */
enum { LINES_BYTES = 16384 };
#define LINES_NS 100000000

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

static char *rendered(const struct result *r, size_t *len)
{
	char *text = NULL;
	FILE *f = xmemstream(&text, len);

	result_render(r, r->json, f);
	result_render_error(r, r->json, "", f);
	fclose(f);
	return text;
}

static void emit(void *ctx, const struct result *r)
{
	const struct gdb *g = ctx;
	size_t len = 0;
	char *text;

	if ((!r->first && !r->error) || g->given_up)
		return;
	text = rendered(r, &len);
	gdb_say(ctx, text, len);
	free(text);
}

/* ---- asynchronous output ---- */

/* May N more bytes be sent now, without waiting for gdb? */
static bool has_room(struct gdb *g, size_t n)
{
	struct pollfd p = { .fd = g->conn, .events = POLLOUT };
	int64_t now = monotonic_ns();

	if (now - g->lines.since >= LINES_NS) {
		g->lines.since = now;
		g->lines.bytes = 0;
	}
	return g->lines.bytes + n <= LINES_BYTES && poll(&p, 1, 0) == 1 && !(p.revents & (POLLERR | POLLHUP));
}

void gdb_lines_done(struct gdb *g)
{
	char text[100];

	if (!g->lines.lost)
		return;
	snprintf(text, sizeof(text), "(%llu lines of trace points and probes left out)\n", g->lines.lost);
	g->lines.lost = 0;
	gdb_say(g, text, strlen(text));
}

/* gdb accepts text only while it waits for a stop. During a monitor command its sink gets the lines. */
void gdb_line(void *ctx, const struct result *r)
{
	struct gdb *g = ctx;
	size_t len = 0;
	char *text;

	if (g->in_command || g->conn < 0 || r->log)
		return;
	text = rendered(r, &len);
	if (g->waiting && has_room(g, len)) {
		gdb_lines_done(g);
		gdb_say(g, text, len);
		g->lines.bytes += len;
	} else {
		g->lines.lost++;
	}
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
