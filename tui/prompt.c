/* SPDX-License-Identifier: GPL-3.0-or-later
 * See prompt.h. */
#include "base/alloc.h"
#include "base/user.h"
#include "tui/tui_int.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HISTORY = 500, MAX_WORDS = 300 };

/* ---- history ---- */

static void remember(struct prompt *p, const char *line)
{
	if (p->nhistory && !strcmp(p->history[p->nhistory - 1], line))
		return;
	if (p->nhistory == HISTORY) {
		free(p->history[0]);
		memmove(p->history, p->history + 1, (HISTORY - 1) * sizeof(*p->history));
		p->nhistory--;
		p->hist_new -= p->hist_new > 0;
	}
	p->history[p->nhistory++] = xstrdup(line);
}

void prompt_init(struct tui *t)
{
	struct prompt *p = &t->prompt;
	char path[4096], *line = NULL;
	size_t cap = 0;
	FILE *f;

	p->history = xcalloc(HISTORY, sizeof(*p->history));
	f = user_state_path("history", path, sizeof(path)) ? fopen(path, "re") : NULL;
	while (f && getline(&line, &cap, f) > 0) {
		line[strcspn(line, "\n")] = 0;
		if (line[0])
			remember(p, line);
	}
	if (f)
		fclose(f);
	free(line);
	p->hist_new = p->nhistory;
}

void prompt_fini(struct tui *t)
{
	struct prompt *p = &t->prompt;
	char path[4096];
	FILE *f = NULL;

	if (p->hist_new < p->nhistory && user_state_path("history", path, sizeof(path))) {
		user_make_folders(path);
		f = fopen(path, "ae");
	}
	for (size_t i = 0; i < p->nhistory; i++) {
		if (f && i >= p->hist_new)
			fprintf(f, "%s\n", p->history[i]);
		free(p->history[i]);
	}
	if (f)
		fclose(f);
	free(p->history);
}

/* ---- editing ---- */

static void set_text(struct prompt *p, const char *text)
{
	snprintf(p->text, sizeof(p->text), "%s", text);
	p->len = p->at = strlen(p->text);
}

static void insert(struct prompt *p, const char *text)
{
	size_t n = strlen(text);

	if (p->len + n >= sizeof(p->text))
		return;
	memmove(p->text + p->at + n, p->text + p->at, p->len - p->at + 1);
	memcpy(p->text + p->at, text, n);
	p->at += n;
	p->len += n;
}

static void erase(struct prompt *p, size_t from, size_t to)
{
	memmove(p->text + from, p->text + to, p->len - to + 1);
	p->len -= to - from;
	p->at = from;
}

void prompt_open(struct tui *t, enum ask what, const char *text)
{
	struct prompt *p = &t->prompt;

	p->open = true;
	p->what = what;
	p->of_text = t->overlay.open;
	p->hist_at = p->nhistory;
	set_text(p, text);
}

static void history_move(struct prompt *p, int d)
{
	if (p->what != ASK_COMMAND || (d < 0 && !p->hist_at) || (d > 0 && p->hist_at == p->nhistory))
		return;
	if (p->hist_at == p->nhistory)
		memcpy(p->stash, p->text, sizeof(p->stash));
	p->hist_at += (size_t)d;
	set_text(p, p->hist_at == p->nhistory ? p->stash : p->history[p->hist_at]);
}

/* ---- completion ---- */

struct words {
	char *list[MAX_WORDS];
	size_t n;
};

static void add_word(void *ctx, const char *text)
{
	struct words *w = ctx;

	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->list[i], text))
			return;
	if (w->n < MAX_WORDS)
		w->list[w->n++] = xstrdup(text);
}

/* File names that begin with WORD; directories end in a slash. */
static void add_files(const char *word, struct words *w)
{
	const char *slash = strrchr(word, '/'), *name = slash ? slash + 1 : word;
	char folder[512], path[1024];
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(folder, sizeof(folder), "%.*s", (int)(name - word), word);
	d = opendir(folder[0] ? folder : ".");
	while (d && (e = readdir(d))) {
		if (strncmp(e->d_name, name, strlen(name)) || (e->d_name[0] == '.' && name[0] != '.'))
			continue;
		snprintf(path, sizeof(path), "%s%s", folder, e->d_name);
		if (!stat(path, &st) && S_ISDIR(st.st_mode) && strlen(path) + 2 < sizeof(path))
			strcat(path, "/");
		add_word(w, path);
	}
	if (d)
		closedir(d);
}

static size_t common(const struct words *w)
{
	size_t n = strlen(w->list[0]);

	for (size_t i = 1; i < w->n; i++)
		for (size_t k = 0; k < n; k++)
			if (w->list[i][k] != w->list[0][k])
				n = k;
	return n;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Show them over the screen (the prompt has the only free line), in columns, sorted downwards. */
static void show_words(struct tui *t, const struct words *w)
{
	size_t len = 0, widest = 0, columns, rows;
	char *text = NULL;
	FILE *f = xmemstream(&text, &len);

	for (size_t i = 0; i < w->n; i++)
		if (strlen(w->list[i]) > widest)
			widest = strlen(w->list[i]);
	columns = ((size_t)t->canvas.w - 1) / (widest + 2);
	columns = columns ? columns : 1;
	rows = (w->n + columns - 1) / columns;
	for (size_t r = 0; r < rows; r++) {
		for (size_t i = r; i < w->n; i += rows)
			fprintf(f, "%-*s", (int)(i + rows < w->n ? widest + 2 : 0), w->list[i]);
		fputc('\n', f);
	}
	fclose(f);
	free(t->overlay.text);
	t->overlay = (struct overlay){ .open = true, .text = text };
	snprintf(t->overlay.title, sizeof(t->overlay.title), "Completions");
}

static void complete(struct tui *t)
{
	struct prompt *p = &t->prompt;
	size_t start = p->at, n;
	struct words w = { .n = 0 };
	char word[512], head[528];
	bool open; /* the word may continue: do not add a blank */

	if (p->what == ASK_SEARCH || p->what == ASK_FILTER)
		return;
	while (start && !strchr(" \t()+*%&|^<>=!?:[]\"'", p->text[start - 1]))
		start--;
	snprintf(word, sizeof(word), "%.*s", (int)(p->at - start), p->text + start);
	snprintf(head, sizeof(head), "%s%s", p->what == ASK_GOTO ? "print " : "", p->text);
	if (!inspect_complete(t->s, head, start + (p->what == ASK_GOTO ? 6 : 0), word, add_word, &w))
		add_files(word, &w);
	if (!w.n)
		return;
	n = common(&w);
	open = w.n > 1 || strchr("=/", w.list[0][strlen(w.list[0]) - 1]);
	if (n > strlen(word)) {
		char more[512];

		snprintf(more, sizeof(more), "%.*s%s", (int)(n - strlen(word)), w.list[0] + strlen(word),
			 open ? "" : " ");
		insert(p, more);
	} else if (w.n > 1) {
		qsort(w.list, w.n, sizeof(*w.list), by_text);
		show_words(t, &w);
	} else if (!open) {
		insert(p, " ");
	}
	for (size_t i = 0; i < w.n; i++)
		free(w.list[i]);
}

/* ---- executing ---- */

static void finish(struct tui *t)
{
	struct prompt *p = &t->prompt;
	struct pane *pane = screen_focus(t);
	char text[512];

	memcpy(text, p->text, sizeof(text));
	p->open = false;
	if (p->of_text) {
		overlay_answer(t, p->what, text);
		return;
	}
	t->overlay.open = false;
	if (p->what == ASK_COMMAND) {
		if (text[strspn(text, " \t")]) {
			remember(p, text);
			tui_exec(t, false, "%s", text);
		}
	} else if (pane && pane->cls->answer && pane_fresh(t, pane)) {
		if (p->what == ASK_SEARCH && text[0])
			snprintf(p->searched, sizeof(p->searched), "%.127s", text);
		else if (p->what == ASK_SEARCH)
			snprintf(text, sizeof(text), "%s", p->searched);
		pane->cls->answer(pane, t, p->what, text);
	}
	t->dirty = true;
}

void prompt_key(struct tui *t, int key)
{
	struct prompt *p = &t->prompt;
	char buf[8];

	switch (key) {
	case TK_ENTER:
		finish(t);
		return;
	case TK_ESC:
	case 3: /* Ctrl-C */
		p->open = false;
		t->overlay.open = p->of_text;
		return;
	case TK_TAB:
		complete(t);
		return;
	case TK_BACKSPACE:
		if (!p->len)
			p->open = false;
		else if (p->at)
			erase(p, p->at - 1, p->at);
		break;
	case TK_DEL:
		if (p->at < p->len)
			erase(p, p->at, p->at + 1);
		break;
	case TK_LEFT:
		p->at -= p->at > 0;
		break;
	case TK_RIGHT:
		p->at += p->at < p->len;
		break;
	case TK_HOME:
	case 1: /* Ctrl-A */
		p->at = 0;
		break;
	case TK_END:
	case 5: /* Ctrl-E */
		p->at = p->len;
		break;
	case 11: /* Ctrl-K */
		p->len = p->at;
		p->text[p->at] = 0;
		break;
	case 21: /* Ctrl-U */
		erase(p, 0, p->at);
		break;
	case 23: /* Ctrl-W */ {
		size_t from = p->at;

		while (from && p->text[from - 1] == ' ')
			from--;
		while (from && p->text[from - 1] != ' ')
			from--;
		erase(p, from, p->at);
		break;
	}
	case TK_UP:
		history_move(p, -1);
		break;
	case TK_DOWN:
		history_move(p, 1);
		break;
	default:
		if (key >= 0x20 && key < 0x7f) {
			buf[0] = (char)key;
			buf[1] = 0;
			insert(p, buf);
		}
		break;
	}
	t->overlay.open = p->of_text;
}
