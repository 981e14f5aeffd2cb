/* SPDX-License-Identifier: GPL-3.0-or-later
 * ~/.config/vitrine/layout: a line "SCREEN N LAYOUT" for each layout the user changed, where N is
 * its size class (0: the smallest). Lines for other screens or panes than ours are ignored. */
#include "base/user.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

/* Is every leaf a pane of the screen, at most once? */
static bool fits(const struct screen_class *sc, struct layout *l)
{
	struct layout *leaf;
	int n = 0;

	for (int i = 0; (leaf = layout_leaf(l, i)); i++, n++) {
		bool known = false;

		for (int k = 0; sc->panes[k]; k++)
			known |= !strcmp(sc->panes[k]->name, leaf->name);
		if (!known || layout_find(l, leaf->name) != leaf)
			return false;
	}
	return n > 0;
}

static void load_line(struct tui *t, const char *line)
{
	char name[32], text[LAYOUT_TEXT];
	struct layout *l;
	int k;

	if (sscanf(line, "%31s %d %511s", name, &k, text) != 3 || k < 0 || k >= MAX_LAYOUTS)
		return;
	for (int i = 0; screens[i]; i++) {
		if (strcmp(screens[i]->name, name) || !screens[i]->layouts[k].text)
			continue;
		l = layout_parse(text);
		if (!l || !fits(screens[i], l)) {
			layout_free(l);
			return;
		}
		layout_free(t->screen_state[i].tree[k]);
		t->screen_state[i].tree[k] = l;
		t->screen_state[i].changed[k] = false;
	}
}

void layouts_load(struct tui *t)
{
	char path[4096], *line = NULL;
	size_t cap = 0;
	FILE *f = user_config_path("layout", path, sizeof(path)) ? fopen(path, "re") : NULL;

	while (f && getline(&line, &cap, f) > 0)
		load_line(t, line);
	if (f)
		fclose(f);
	free(line);
}

static bool any_changed(const struct tui *t)
{
	for (int i = 0; screens[i]; i++)
		for (int k = 0; k < MAX_LAYOUTS; k++)
			if (t->screen_state[i].changed[k])
				return true;
	return false;
}

/* Write all layouts that differ from those their screens declare. */
void layouts_save(struct tui *t)
{
	char path[4096], text[LAYOUT_TEXT];
	FILE *f;

	if (!any_changed(t) || !user_config_path("layout", path, sizeof(path)))
		return;
	user_make_folders(path);
	f = fopen(path, "we");
	if (!f)
		return;
	for (int i = 0; screens[i]; i++)
		for (int k = 0; k < MAX_LAYOUTS && screens[i]->layouts[k].text; k++)
			if (layout_text(t->screen_state[i].tree[k], text, sizeof(text)) &&
			    strcmp(text, screens[i]->layouts[k].text))
				fprintf(f, "%s %d %s\n", screens[i]->name, k, text);
	fclose(f);
}
