/* SPDX-License-Identifier: GPL-3.0-or-later
 * Completion of the last word of a command line, from the command rows.
 *
 * A row lists the words that can follow the command, place by place, separated by
 * blanks; "..." at the end repeats the last place. At each place '|' separates alternatives: a literal word;
 * "<expr>", "<register>", "<file>", "<view>", "<command>", "<log>", "<key>"; "<event>", "<column>" and
 * "<argument>" (of a view), which depend on the words before; "<VIEW.COLUMN>", the values in that column.
 * The arguments of a view itself are in its row (words). */
#include "base/log.h"
#include "inspect/peers.h"
#include "inspect/session_int.h"
#include "x86/regs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finder {
	struct inspect *s;
	const struct command *c;
	const char *word; /* to be completed */
	size_t len;
	char first[64], before[64]; /* the first argument, the previous one */
	bool files;
	void (*found)(void *ctx, const char *text);
	void *ctx;
};

void complete_offer(struct finder *f, const char *text)
{
	if (!strncmp(text, f->word, f->len))
		f->found(f->ctx, text);
}

static void offer_commands(struct finder *f)
{
	FOR_EACH_COMMAND(f->s, c)
	if (command_offered(f->s, c))
		complete_offer(f, c->name);
}

static void offer_view(void *ctx, const struct view *v)
{
	complete_offer(ctx, v->name);
}

static void offer_logs(struct finder *f)
{
	for (int i = 0; i < LOG_NCAT; i++)
		complete_offer(f, log_infos[i].name);
}

static void offer_registers(struct finder *f)
{
	char name[64];

	for (unsigned i = 0; f->word[0] == '$' && i < reg_count; i++) {
		snprintf(name, sizeof(name), "$%s", reg_infos[i].name);
		complete_offer(f, name);
	}
	for (size_t i = 0; f->word[0] == '$' && i < f->s->nvars; i++) {
		snprintf(name, sizeof(name), "$%.60s", f->s->vars[i].name);
		complete_offer(f, name);
	}
}

static void offer_expressions(struct finder *f)
{
	offer_registers(f);
	if (f->len)
		symbols_complete(&f->s->symbols, f->word, 200, f->found, f->ctx);
}

/* ---- values in a view ---- */

static const struct view *view_named(struct inspect *s, const char *name, size_t len, void **owner)
{
	char copy[64], why[300];

	snprintf(copy, sizeof(copy), "%.*s", (int)len, name);
	return copy[0] ? view_find(s, copy, owner, why, sizeof(why)) : NULL;
}

struct cells {
	struct row_sink sink;
	struct finder *f;
	unsigned col;
};

static void cell_row(struct row_sink *sink, const struct value *vals)
{
	struct cells *k = (struct cells *)sink;
	char text[300];

	value_text(&vals[k->col], text, sizeof(text));
	complete_offer(k->f, text);
}

/* NAME is "VIEW.COLUMN". */
static void offer_cells(struct finder *f, const char *name, size_t len)
{
	const char *dot = memchr(name, '.', len);
	struct cells k = { .sink.row = cell_row, .f = f };
	const struct view *v;
	void *owner;
	bool paused;

	v = dot ? view_named(f->s, name, (size_t)(dot - name), &owner) : NULL;
	if (!v)
		return;
	len -= (size_t)(dot + 1 - name);
	while (k.col < v->ncols &&
	       (strlen(v->cols[k.col].name) != len || memcmp(v->cols[k.col].name, dot + 1, len)))
		k.col++;
	if (k.col == v->ncols)
		return;
	paused = f->s->m && !f->s->query_live && run_pause(f->s);
	v->rows(owner, "", &k.sink);
	if (paused)
		run_resume(f->s);
}

/* Offer the columns of VIEW, also behind the "-" of a descending sort. */
static void offer_columns(struct finder *f, const char *view)
{
	void *owner;
	const struct view *v = view_named(f->s, view, strlen(view), &owner);
	char name[64];

	for (unsigned i = 0; v && i < v->ncols; i++) {
		snprintf(name, sizeof(name), "%s%.60s", f->word[0] == '-' ? "-" : "", v->cols[i].name);
		complete_offer(f, name);
	}
	if (v && view_pc_column(v) >= 0)
		complete_offer(f, f->word[0] == '-' ? "-symbol" : "symbol");
}

/* ---- places ---- */

static bool is(const char *alt, size_t len, const char *what)
{
	return strlen(what) == len && !memcmp(alt, what, len);
}

static void offer_place(struct finder *f, const char *place);

/* Offer what may follow "info VIEW". */
static void offer_view_words(struct finder *f, const char *view)
{
	void *owner;
	const struct view *v = view_named(f->s, view, strlen(view), &owner);

	if (!v)
		return;
	if (v->words)
		offer_place(f, v->words);
	offer_place(f, "sort=|limit=|-j");
	if (f->len)
		offer_expressions(f);
}

/* Offer numbers of the event named before, if they have names; for fragments, addresses. */
static void offer_event(struct finder *f)
{
	if (!strcmp(f->before, "fragment"))
		offer_expressions(f);
	else
		event_numbers(f->s, f->before, complete_offer, f);
}

/* Offer NAME as the last key of a chord. */
static void offer_key(struct finder *f, const char *name)
{
	const char *dash = strrchr(f->word, '-');
	char chord[128];

	snprintf(chord, sizeof(chord), "%.*s%.60s", dash ? (int)(dash + 1 - f->word) : 0, f->word, name);
	if (!dash || dash - f->word < 60)
		complete_offer(f, chord);
}

static void offer_alternative(struct finder *f, const char *alt, size_t len)
{
	char word[64];

	if (is(alt, len, "<file>"))
		f->files = true;
	else if (is(alt, len, "<view>"))
		view_each(f->s, offer_view, f);
	else if (is(alt, len, "<command>"))
		offer_commands(f);
	else if (is(alt, len, "<log>"))
		offer_logs(f);
	else if (is(alt, len, "<expr>"))
		offer_expressions(f);
	else if (is(alt, len, "<key>"))
		input_key_names(offer_key, f);
	else if (is(alt, len, "<register>"))
		offer_registers(f);
	else if (is(alt, len, "<argument>"))
		offer_view_words(f, strcmp(f->first, "-j") ? f->first : f->before);
	else if (is(alt, len, "<event>"))
		offer_event(f);
	else if (is(alt, len, "<column>"))
		offer_columns(f, f->before);
	else if (alt[0] == '<')
		offer_cells(f, alt + 1, len - 2);
	else if (len < sizeof(word)) {
		snprintf(word, sizeof(word), "%.*s", (int)len, alt);
		complete_offer(f, word);
	}
}

/* Offer the alternatives of one place, up to a blank. */
static void offer_place(struct finder *f, const char *place)
{
	for (size_t n; *place && *place != ' '; place += n + (place[n] == '|')) {
		n = strcspn(place, "| ");
		offer_alternative(f, place, n);
	}
}

/* Find place N of WORDS; "..." repeats the last one. NULL: no such place. */
static const char *place_at(const char *words, unsigned n)
{
	const char *place = words;

	for (;; n--) {
		const char *next = place + strcspn(place, " ");

		next += strspn(next, " ");
		if (!strncmp(next, "...", 3))
			return place;
		if (!n || !*next)
			return n ? NULL : place;
		place = next;
	}
}

/* ---- the line ---- */

/* Count the arguments of LINE that end before START; put the first and the last into FIRST and LAST. The part
 * of the argument at START that precedes START goes to WITHIN ("sort="). */
static unsigned arguments(const char *line, size_t start, char first[64], char last[64], char within[64])
{
	size_t at = strcspn(line, " \t/");
	unsigned n = 0;

	first[0] = last[0] = within[0] = 0;
	if (line[at] == '/')
		at += strcspn(line + at, " \t");
	for (;;) {
		size_t len;

		while (at < start && isspace((unsigned char)line[at]))
			at++;
		if (at >= start)
			return n;
		len = strcspn(line + at, " \t");
		if (at + len >= start) {
			snprintf(within, 64, "%.*s", (int)(start - at), line + at);
			return n;
		}
		snprintf(last, 64, "%.*s", (int)len, line + at);
		if (!n++)
			snprintf(first, 64, "%s", last);
		at += len;
	}
}

static void offer_arguments(struct finder *f, const char *line, size_t start)
{
	char within[64];
	unsigned n = arguments(line, start, f->first, f->before, within);
	const char *row = f->c->complete, *place;

	if (!row)
		return;
	if (!strncmp(within, "sort=", 5)) {
		offer_columns(f, f->first);
		return;
	}
	if (within[0]) { /* behind an operator */
		offer_expressions(f);
		return;
	}
	/* "log file PATH", "profile file PATH" */
	place = strcmp(f->before, "file") || strstr(row, "<expr>") ? place_at(row, n) : "<file>";
	if (place)
		offer_place(f, place);
}

/* Does the add-on that has the command complete its arguments? */
static bool by_addon(struct finder *f, const char *line, size_t start)
{
	for (unsigned i = 0; i < f->s->naddons; i++) {
		const struct inspect_addon *a = f->s->addons[i];
		enum completion how = COMPLETION_MINE_NOT;

		if (!a->complete)
			continue;
		for (const struct command *c = a->commands->commands; c->name; c++)
			if (c == f->c)
				how = a->complete(a->owner, c, line, start, start + f->len, f->found, f->ctx);
		if (how == COMPLETION_MINE_NOT)
			continue;
		f->files = how == COMPLETION_FILES;
		return true;
	}
	return false;
}

bool inspect_complete(struct inspect *s, const char *line, size_t start, const char *word,
		      void (*found)(void *ctx, const char *text), void *ctx)
{
	struct finder f = { .s = s, .word = word, .len = strlen(word), .found = found, .ctx = ctx };
	const struct peer_name *peer;
	const char *word_at;
	char why[200];

	while (start && (isspace((unsigned char)*line) || *line == '-')) {
		line++;
		start--;
	}
	if (!start) {
		offer_commands(&f);
		return true;
	}
	peer = peer_find(line);
	word_at = peer ? peer->means : line;
	f.c = command_find(s, word_at, strcspn(word_at, " \t/{"), why, sizeof(why));
	if (f.c && !by_addon(&f, line, start))
		offer_arguments(&f, line, start);
	return !f.files;
}
