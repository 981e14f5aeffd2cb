/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events that clients of the control socket subscribe to: stops, serial output, asynchronous
 * output. */
#include "console/control_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUT_BATCH = 16 << 10 /* bytes that are sent without waiting for the timer */ };

/* The record of the stop as an event, with the shell's text; malloced, "" when there is none. */
static char *stop_event(struct control *ctl)
{
	static const char as_record[] = "{\"event\":\"stop\",";
	char *line = NULL, *text, *record;
	struct result r;
	size_t len = 0;
	FILE *f = xmemstream(&line, &len);

	inspect_stop_record(ctl->s, &r);
	record = control_render(&r, true);
	text = control_render(&r, false);
	if (!strncmp(record, as_record, sizeof(as_record) - 1)) {
		record[strcspn(record, "\n")] = 0;
		fputs("{\"event\":\"stopped\",\"text\":", f);
		control_string(f, text, strlen(text));
		fprintf(f, ",%s\n", record + sizeof(as_record) - 1);
	}
	fclose(f);
	free(text);
	free(record);
	result_fini(&r);
	return line;
}

void control_attach(struct control *ctl, bool on)
{
	if (on == ctl->attached)
		return;
	ctl->attached = on;
	if (on)
		debug_attach(ctl->s, &ctl->listener);
	else
		debug_detach(ctl->s, &ctl->listener);
}

void control_take_serial(struct control *ctl)
{
	uint8_t buf[8192];

	while (inspect_serial_take(ctl->s, buf, sizeof(buf)))
		;
}

static void stopped(void *ctx)
{
	struct control *ctl = ctx;
	char *line;

	if (ctl->takes_serial)
		control_take_serial(ctl);
	line = stop_event(ctl);
	for (struct control_client *c = ctl->clients; c; c = c->next)
		if (c->stops)
			control_send(c, line, strlen(line));
	free(line);
	if (inspect_ended(ctl->s)) {
		debug_expect(ctl->s, false);
		control_attach(ctl, false);
	}
}

static void serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct control *ctl = ctx;
	char *line = NULL;
	size_t len = 0;
	FILE *f;

	for (struct control_client *c = ctl->clients; c; c = c->next) {
		if (!c->serial || c->fd < 0)
			continue;
		if (!line) {
			f = xmemstream(&line, &len);
			fputs("{\"event\":\"serial\",\"text\":", f);
			control_string(f, (const char *)buf, n);
			fputs("}\n", f);
			fclose(f);
		}
		control_send(c, line, len);
	}
	free(line);
}

/* Asynchronous output as an event: the shell's text, and the rows; malloced. */
static char *output_event(const struct result *r)
{
	struct answer rows = { 0 };
	char *line = NULL, *text = control_render(r, false);
	size_t len = 0;
	FILE *f = xmemstream(&line, &len);

	answer_open(&rows);
	answer_rows(&rows, r);
	fclose(rows.f);
	fputs("{\"event\":\"output\",\"text\":", f);
	control_string(f, text, strlen(text));
	fprintf(f, ",\"results\":[%s]", rows.buf);
	if (r->error) {
		fputs(",\"error\":", f);
		control_string(f, r->error, strlen(r->error));
	}
	fputs("}\n", f);
	fclose(f);
	free(rows.buf);
	free(text);
	return line;
}

/* A client that does not read in time loses lines; nothing waits for it. */
static void output(void *ctx, const struct result *r)
{
	struct control *ctl = ctx;
	char *line = NULL;

	for (struct control_client *c = ctl->clients; c; c = c->next) {
		if (!c->output || c->fd < 0)
			continue;
		if (!line)
			line = output_event(r);
		outbox_add(&c->out, line, strlen(line));
		if (c->out.len >= OUTPUT_BATCH && !outbox_send(&c->out, c->fd, false))
			control_drop(c);
		if (outbox_pending(&c->out))
			control_set_timer(ctl);
	}
	free(line);
}

/* A command of any face starts to wait for the guest, or has ended. */
static void running(void *ctx, bool on)
{
	static const char *const lines[] = { "{\"event\":\"run\",\"on\":false}\n",
					     "{\"event\":\"run\",\"on\":true}\n" };
	struct control *ctl = ctx;

	for (struct control_client *c = ctl->clients; c; c = c->next)
		if (c->runs && c->fd >= 0)
			control_send(c, lines[on], strlen(lines[on]));
}

void control_events_init(struct control *ctl)
{
	ctl->listener = (struct debug_listener){ .ctx = ctl, .stopped = stopped };
	ctl->tap = (struct inspect_tap){ .ctx = ctl, .serial = serial, .output = output, .running = running };
}
