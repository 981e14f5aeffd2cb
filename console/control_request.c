/* SPDX-License-Identifier: GPL-3.0-or-later
 * Requests on the control socket. Each is one line; its key says which kind it is, and it is
 * answered by one line with its id. */
#include "console/console_int.h"
#include "base/alloc.h"
#include "console/control_int.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NESTING = 8 /* requests being executed at a time */ };

static void execute(struct control_client *c, const char *id, const char *command, bool text, bool rows)
{
	struct answer as_rows = { .no_output = c->output };
	struct answer a = { .text = text, .no_output = c->output, .rows = text && rows ? &as_rows : NULL };
	struct inspect_sink sink = { .ctx = &a, .emit = answer_emit };
	char *line = xstrdup(command);
	enum inspect_status st;

	for (char *p = line; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	answer_open(&a);
	if (a.rows)
		answer_open(a.rows);
	st = inspect_exec(c->ctl->s, line, &sink);
	a.repeat = text ? xstrdup(inspect_repeat_line(c->ctl->s)) : NULL;
	answer_send(c, &a, id, st != INSPECT_FAILED);
	free(line);
	if (st == INSPECT_QUIT)
		inspect_interrupt(c->ctl->s);
}

static bool subscribe(struct control_client *c, const char *id, const json_t *list)
{
	bool stops = false, serial = false, output = false, runs = false;
	const char *word;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		word = json_is_string(item) ? json_string_value(item) : "";
		if (!strcmp(word, "stop"))
			stops = true;
		else if (!strcmp(word, "serial"))
			serial = true;
		else if (!strcmp(word, "output"))
			output = true;
		else if (!strcmp(word, "run"))
			runs = true;
		else
			return false;
	}
	if (!json_is_array(list))
		return false;
	c->stops = stops;
	c->serial = serial;
	c->output = output;
	c->runs = runs;
	answer_send(c, &(struct answer){ 0 }, id, true);
	return true;
}

/* Completions of the last word of a line. */
struct completion {
	struct answer *a;
	size_t start;
};

static void add_word(void *ctx, const char *word)
{
	struct completion *k = ctx;

	fprintf(k->a->f, "%s{\"start\":%zu,\"word\":", k->a->any ? "," : "", k->start);
	control_string(k->a->f, word, strlen(word));
	fputc('}', k->a->f);
	k->a->any = true;
}

static void complete(struct control_client *c, const char *id, const char *line)
{
	struct answer a = { 0 };
	struct completion k = { &a, strlen(line) };

	while (k.start && !strchr(WORD_BREAKS, line[k.start - 1]))
		k.start--;
	answer_open(&a);
	if (!inspect_complete(c->ctl->s, line, k.start, line + k.start, add_word, &k)) {
		fprintf(a.f, "{\"start\":%zu,\"file\":true}", k.start);
		a.any = true;
	}
	answer_send(c, &a, id, true);
}

static void serve_other(struct control_client *c, const char *id, const json_t *value)
{
	const struct control_service *service = c->ctl->service;
	const char *wrong;

	if (!c->state)
		c->state = service->open(service->ctx, c);
	wrong = service->request(c->state, value);
	if (wrong)
		control_refuse(c, id, wrong);
	else
		answer_send(c, &(struct answer){ 0 }, id, true);
}

static void request(struct control_client *c, const json_t *req, const char *id)
{
	const json_t *command = json_object_get(req, "command"), *list = json_object_get(req, "subscribe");
	const json_t *line = json_object_get(req, "complete");
	const json_t *other = c->ctl->service ? json_object_get(req, c->ctl->service->word) : NULL;

	if (!!command + !!list + !!line + !!other != 1)
		control_refuse(
		    c, id, "a request has one of \"command\", \"complete\", \"subscribe\" and \"dashboard\"");
	else if (other)
		serve_other(c, id, other);
	else if (command && !json_is_string(command))
		control_refuse(c, id, "\"command\" takes a string");
	else if (command)
		execute(c, id, json_string_value(command), json_is_true(json_object_get(req, "text")),
			json_is_true(json_object_get(req, "rows")));
	else if (line && !json_is_string(line))
		control_refuse(c, id, "\"complete\" takes a string");
	else if (line)
		complete(c, id, json_string_value(line));
	else if (!subscribe(c, id, list))
		control_refuse(c, id,
			       "\"subscribe\" takes a list of \"stop\", \"serial\", \"output\" and \"run\"");
}

void control_request(struct control_client *c, const char *line, size_t len)
{
	json_error_t why;
	json_t *req;
	char text[256], *id = NULL;

	if (strspn(line, " \t\r") == len)
		return;
	req = json_loadb(line, len, 0, &why);
	if (!json_is_object(req)) {
		snprintf(text, sizeof(text), "not a JSON object%s%.160s", req ? "" : ": ",
			 req ? "" : why.text);
		control_refuse(c, "null", text);
		json_decref(req);
		return;
	}
	if (json_object_get(req, "id"))
		id = json_dumps(json_object_get(req, "id"), JSON_ENCODE_ANY | JSON_COMPACT);
	if (c->ctl->serving > MAX_NESTING)
		control_refuse(c, id ? id : "null", "too many requests are being executed");
	else
		request(c, req, id ? id : "null");
	free(id);
	json_decref(req);
}
