/* SPDX-License-Identifier: GPL-3.0-or-later
 * See query.h. */
#include "inspect/query.h"
#include "inspect/session_int.h"

#include <stdlib.h>

bool inspect_view_is_live(struct inspect *s, const char *name)
{
	char why[200];
	void *owner;
	const struct view *v = view_find(s, name, &owner, why, sizeof(why));

	return v && (v->flags & VIEW_LIVE);
}

int inspect_query(struct inspect *s, const char *line, enum query_mode how, struct result *r)
{
	struct examine examine = s->examine;
	char *repeat = s->repeat;
	bool live = s->query_live, late = s->query_late;
	int rc;

	s->repeat = NULL;
	s->query_live = how == QUERY_LIVE;
	s->query_late = true;
	result_init(r);
	rc = session_execute(s, line, r, NULL);
	free(s->repeat);
	s->repeat = repeat;
	s->examine = examine;
	s->query_live = live;
	s->query_late = late;
	return rc;
}

const struct value *inspect_cell(struct inspect *s, const struct table *t, size_t row, unsigned col)
{
	struct value *v = &t->vals[row * t->ncols + col];
	char sym[300];

	if (v->type != VAL_NONE || !col || col != t->late_symbol || v[-1].type != VAL_ADDR)
		return v;
	symbols_text(&s->symbols, v[-1].u, sym, sizeof(sym));
	if (sym[0])
		*v = V_STR(table_string(t, sym));
	return v;
}

bool inspect_hold(struct inspect *s)
{
	return run_pause(s);
}

void inspect_release(struct inspect *s)
{
	run_resume(s);
}

unsigned inspect_revision(const struct inspect *s)
{
	return s->revision;
}

void inspect_stop_record(struct inspect *s, struct result *r)
{
	result_init(r);
	if (s->m && !s->run.running)
		run_report(s, r);
}
