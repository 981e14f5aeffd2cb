/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of exits: by reason, one by one, by place. */
#include "base/alloc.h"
#include "base/monotonic.h"
#include "cpu/exit_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *name_of(const struct exit_show *s, unsigned slot)
{
	const char *name = slot < s->texts->slots ? s->texts->name(slot) : NULL;

	return name ? name : "?";
}

static const char *steered(const struct exit_show *s, unsigned slot)
{
	static const char *const words[] = { [ENGINE_STEER_DEFAULT] = NULL,
					     [ENGINE_STEER_FORCE] = "forced",
					     [ENGINE_STEER_SUPPRESS] = "suppressed" };

	return words[s->texts->steered(s->ctx, slot)];
}

void exit_steered_text(const struct exit_show *s, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < s->texts->slots && n < len; i++)
		if (s->texts->name(i) && steered(s, i))
			n += (size_t)snprintf(buf + n, len - n, "%s%s %s", n ? ", " : "", name_of(s, i),
					      steered(s, i));
}

/* ---- info exits ---- */

static const struct view_col exit_cols[] = {
	{ "reason", "reason", VAL_STR, "", "name, as break-on exit takes it" },
	{ "number", "nr", VAL_UINT, "", "basic exit reason, or #VMEXIT code" },
	{ "count", "count", VAL_UINT, "", "exits" },
	{ "rate", "rate", VAL_UINT, "per s", "mean since counting began" },
	{ "share", "share", VAL_REAL, "%", "of all exits" },
	{ "guest", "in guest", VAL_UINT, "cycles", "mean of the time in the guest before the exit" },
	{ "host", "handling", VAL_UINT, "cycles", "mean of the time until the next entry" },
	{ "info", "info", VAL_HEX, "", "exit qualification or EXITINFO1, of the last one" },
	{ "guest_pc", "guest pc", VAL_ADDR, "", "of the last one" },
	{ "steered", "steered", VAL_STR, "", "forced or suppressed (vmx force, svm suppress ...)" },
	{ "what", "what", VAL_HELP, "", "name in the manual" },
};

static const char *exit_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct exit_show *s = owner;
	const struct exit_log *l = s->log;
	double seconds = (double)(monotonic_ns() - l->since) / 1e9;
	uint64_t all = l->exits ? l->exits : 1;

	(void)arg;
	for (unsigned i = 0; i < s->texts->slots; i++) {
		const struct exit_log_reason *r = &l->reason[i];
		const char *name = s->texts->name(i), *how = name ? steered(s, i) : NULL;

		if (!name || (!r->count && !how))
			continue;
		k->row(k, (struct value[]){ V_STR(name), V_UINT(s->texts->number(i)), V_UINT(r->count),
					    V_UINT((uint64_t)((double)r->count / seconds)),
					    V_REAL((double)r->count * 100.0 / (double)all),
					    r->count ? V_UINT(r->guest / r->count) : V_NONE,
					    r->count ? V_UINT(r->host / r->count) : V_NONE, V_HEX(r->info),
					    V_ADDR(r->pc), how ? V_STR(how) : V_NONE,
					    V_STR(s->texts->title(i)) });
	}
	return NULL;
}

static const struct view view_exits = {
	.name = "exits",
	.help = "exits of guests by reason: count, rate, cycles, the last one's information",
	VIEW_COLS(exit_cols),
	.rows = exit_rows,
	.flags = VIEW_LIVE,
};

/* ---- info exit-log ---- */

static const struct view_col log_cols[] = {
	{ "number", "nr", VAL_UINT, "", "of the exit" },
	{ "reason", "reason", VAL_STR, "", "name" },
	{ "guest_pc", "guest pc", VAL_ADDR, "", "linear address of the guest's RIP" },
	{ "what", "what", VAL_STR, "", "information and events, decoded" },
	{ "info", "info", VAL_HEX, "", "exit qualification or EXITINFO1" },
	{ "guest", "in guest", VAL_UINT, "cycles", "from the entry to the exit" },
	{ "host", "handling", VAL_UINT, "cycles", "until the next entry" },
	{ "block", "block", VAL_HEX, "", "physical address of the VMCS or VMCB" },
};

static const char *log_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct exit_show *s = owner;
	const struct exit_log *l = s->log;
	uint64_t last = l->exits, first = last >= EXIT_LOG_LAST ? last - EXIT_LOG_LAST + 1 : 1;

	(void)arg;
	for (uint64_t n = first; n <= last; n++) {
		struct exit_log_exit e = l->last[n % EXIT_LOG_LAST];
		char what[EXIT_TEXT];

		if (e.number != n) /* it was overwritten meanwhile */
			continue;
		s->texts->text(&e, what, sizeof(what));
		k->row(k, (struct value[]){ V_UINT(n), V_STR(name_of(s, e.slot)), V_ADDR(e.pc),
					    what[0] ? V_STR(what) : V_NONE, V_HEX(e.info[0]), V_UINT(e.guest),
					    e.host ? V_UINT(e.host) : V_NONE, V_HEX(e.block) });
	}
	return NULL;
}

static const struct view view_exit_log = {
	.name = "exit-log",
	.help = "the last exits of guests, one by one",
	VIEW_COLS(log_cols),
	.rows = log_rows,
	.flags = VIEW_LIVE,
};

/* ---- info exit-sites ---- */

static const struct view_col site_cols[] = {
	{ "guest_pc", "guest pc", VAL_ADDR, "", "linear address of the guest's RIP" },
	{ "reason", "reason", VAL_STR, "", "name" },
	{ "count", "count", VAL_UINT, "", "exits" },
};

static int more_first(const void *a, const void *b)
{
	const struct exit_log_site *x = a, *y = b;

	return (y->count > x->count) - (y->count < x->count);
}

static const char *site_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct exit_show *show = owner;
	const struct exit_log *l = show->log;
	struct exit_log_site *s = xreallocarray(NULL, EXIT_LOG_SITES, sizeof(*s));

	(void)arg;
	memcpy(s, l->site, sizeof(l->site));
	qsort(s, EXIT_LOG_SITES, sizeof(*s), more_first);
	for (unsigned i = 0; i < EXIT_LOG_SITES && s[i].count; i++)
		k->row(k, (struct value[]){ V_ADDR(s[i].pc), V_STR(name_of(show, s[i].slot)),
					    V_UINT(s[i].count) });
	if (l->elsewhere)
		k->row(k, (struct value[]){ V_NONE, V_STR("elsewhere"), V_UINT(l->elsewhere) });
	free(s);
	return NULL;
}

static const struct view view_exit_sites = {
	.name = "exit-sites",
	.help = "exits of guests by guest pc and reason, the most frequent first",
	VIEW_COLS(site_cols),
	.rows = site_rows,
	.flags = VIEW_LIVE,
};

const struct view *const exit_views[] = { &view_exits, &view_exit_log, &view_exit_sites, NULL };
