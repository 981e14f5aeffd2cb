/* SPDX-License-Identifier: GPL-3.0-or-later
 * Distribution of output. The results of a command go to the face that gave it; asynchronous
 * output (lines of trace points and probes, results of a point's commands) goes to all faces, to
 * each once. Serial output goes to its taker. */
#include "inspect/session_int.h"

void inspect_set_sink(struct inspect *s, const struct inspect_sink *sink)
{
	s->out.home = sink;
}

void inspect_tap(struct inspect *s, struct inspect_tap *tap)
{
	tap->next = s->out.taps;
	s->out.taps = tap;
}

void inspect_untap(struct inspect *s, struct inspect_tap *tap)
{
	struct inspect_tap **at = &s->out.taps;

	while (*at && *at != tap)
		at = &(*at)->next;
	if (*at)
		*at = tap->next;
}

/* ---- results ---- */

void session_answer(const struct inspect_sink *sink, const struct result *r)
{
	if (sink && sink->emit)
		sink->emit(sink->ctx, r);
}

void session_tell_others(struct inspect *s, const struct result *r)
{
	struct result unasked = *r;
	struct inspect_tap *next;

	unasked.unasked = true;
	for (struct inspect_tap *t = s->out.taps; t && (r->first || r->error); t = next) {
		next = t->next;
		if (t->output)
			t->output(t->ctx, &unasked);
	}
}

/* Send R to SINK, the session's own face and the taps. */
static void send_unasked(struct inspect *s, const struct inspect_sink *sink, const struct result *r)
{
	struct result unasked = *r;

	if (r->stop) { /* other faces are notified of stops by their listeners */
		session_answer(sink, r);
		return;
	}
	unasked.unasked = true;
	session_answer(sink, &unasked);
	if (s->out.home != sink) /* that face is blocked in a command */
		session_answer(s->out.home, &unasked);
	session_tell_others(s, r);
}

static void tell_all(void *ctx, const struct result *r)
{
	struct session_all *all = ctx;

	send_unasked(all->s, all->sink, r);
}

void session_all_init(struct session_all *all, struct inspect *s, const struct inspect_sink *sink)
{
	*all = (struct session_all){ .s = s, .sink = sink, .to = { .ctx = all, .emit = tell_all } };
}

void session_emit(struct inspect *s, struct result *r)
{
	if (s->out.mover && s->out.mover->emit == tell_all)
		session_answer(s->out.mover, r);
	else
		send_unasked(s, s->out.mover, r);
	result_fini(r);
}

void inspect_tell(struct inspect *s, struct result *r)
{
	session_emit(s, r);
}

/* ---- serial port ---- */

void inspect_serial_out(void *session, const uint8_t *buf, size_t n)
{
	serial_log_put(((struct inspect *)session)->serial, buf, n);
}

int inspect_serial_fd(const struct inspect *s)
{
	return serial_log_fd(s->serial);
}

size_t inspect_serial_take(struct inspect *s, uint8_t *buf, size_t n)
{
	size_t len = serial_log_take(s->serial, buf, n);

	for (struct inspect_tap *t = s->out.taps; t && len; t = t->next)
		if (t->serial)
			t->serial(t->ctx, buf, len);
	return len;
}

bool inspect_serial_is_taken(const struct inspect *s)
{
	return s->out.serial_taken;
}

void inspect_serial_taken(struct inspect *s, bool taken)
{
	s->out.serial_taken = taken;
	serial_log_set_taken(s->serial, taken);
}

void inspect_serial_input(struct inspect *s, const uint8_t *buf, size_t n)
{
	if (s->m)
		machine_terminal_input(s->m, buf, n);
}
