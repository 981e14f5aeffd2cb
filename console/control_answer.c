/* SPDX-License-Identifier: GPL-3.0-or-later
 * Answers of the control socket, built from results as they arrive: rows or text. */
#include "console/control_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_ROOM = 1 << 20 /* bytes for asynchronous output in one answer */ };

void control_string(FILE *f, const char *buf, size_t n)
{
	json_t *text = json_stringn(buf, n);

	if (text) {
		json_dumpf(text, f, JSON_ENCODE_ANY);
		json_decref(text);
		return;
	}
	fputc('"', f);
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)buf[i];

		if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\')
			fprintf(f, "\\u%04x", ch);
		else
			fputc(ch, f);
	}
	fputc('"', f);
}

char *control_render(const struct result *r, bool json)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = xmemstream(&text, &len);

	result_render(r, json, f);
	if (!json)
		result_render_error(r, false, "", f);
	fclose(f);
	return text;
}

void answer_rows(struct answer *a, const struct result *r)
{
	char *lines = control_render(r, true), *save = NULL;

	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		fprintf(a->f, "%s%s", a->any ? "," : "", line);
		a->any = true;
	}
	free(lines);
}

static void add_lost(struct answer *a)
{
	if (a->lost && a->text)
		fprintf(a->f, "(and %llu more)\n", (unsigned long long)a->lost);
	else if (a->lost)
		fprintf(a->f, "%s{\"lost\":%llu}", a->any ? "," : "", (unsigned long long)a->lost);
	a->any |= a->lost > 0;
	a->lost = 0;
}

void answer_emit(void *ctx, const struct result *r)
{
	struct answer *a = ctx;

	if (r->unasked && !a->no_output && ftello(a->f) > ANSWER_ROOM)
		a->lost++;
	if (r->unasked && (a->no_output || a->lost))
		return;
	add_lost(a);
	if (a->text)
		result_render(r, r->json, a->f);
	else
		answer_rows(a, r);
	if (r->error && !a->error)
		a->error = xstrdup(r->error);
	if (a->rows)
		answer_emit(a->rows, r);
}

void answer_open(struct answer *a)
{
	a->f = xmemstream(&a->buf, &a->len);
}

void answer_send(struct control_client *c, struct answer *a, const char *id, bool ok)
{
	size_t len = 0;
	char *line = NULL;
	FILE *f = xmemstream(&line, &len);

	if (a->f) {
		add_lost(a);
		fclose(a->f);
	}
	fprintf(f, "{\"id\":%s,\"ok\":%s", id, ok ? "true" : "false");
	if (a->text) {
		fputs(",\"text\":", f);
		control_string(f, a->buf ? a->buf : "", a->len);
	} else if (ok || a->any) {
		fprintf(f, ",\"results\":[%s]", a->buf ? a->buf : "");
	}
	if (a->rows) {
		add_lost(a->rows);
		fclose(a->rows->f);
		fprintf(f, ",\"results\":[%s]", a->rows->buf);
		free(a->rows->buf);
		free(a->rows->error);
	}
	if (!ok) {
		fputs(",\"error\":", f);
		control_string(f, a->error ? a->error : "failed", strlen(a->error ? a->error : "failed"));
	}
	if (a->repeat && a->repeat[0]) {
		fputs(",\"repeat\":", f);
		control_string(f, a->repeat, strlen(a->repeat));
	}
	fputs("}\n", f);
	fclose(f);
	control_send(c, line, len);
	free(line);
	free(a->repeat);
	free(a->buf);
	free(a->error);
}

void control_refuse(struct control_client *c, const char *id, const char *why)
{
	struct answer a = { .error = xstrdup(why) };

	answer_send(c, &a, id, false);
}
