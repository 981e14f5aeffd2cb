/* SPDX-License-Identifier: GPL-3.0-or-later
 * `info kvm`: exits by reason, and what the other engine executed instead. The other engine's own views say
 * in one line that they are hidden. */
#include "kvm/kvm_int.h"

#include "base/monotonic.h"

#include <stdlib.h>

static const char *const reason_names[] = {
#define KVM_REASON(id, name, help) name,
#include "kvm/reasons.def"
#undef KVM_REASON
};
static const char *const reason_helps[] = {
#define KVM_REASON(id, name, help) help,
#include "kvm/reasons.def"
#undef KVM_REASON
};

static const struct view_col cols[] = {
	{ "by", "by", VAL_STR, "", "who executed: KVM up to an exit, or the translator in its place" },
	{ "reason", "reason", VAL_STR, "", "why KVM came back; why the translator executed" },
	{ "count", "count", VAL_UINT, "", "exits; stays in the translator" },
	{ "rate", "rate", VAL_REAL, "/s", "of these in a second in which the vCPU ran" },
	{ "guest", "guest", VAL_UINT, "cycles", "from entries to these exits; in the translator" },
	{ "handling", "handling", VAL_UINT, "cycles", "in handling these exits" },
	{ "pc", "pc", VAL_ADDR, "", "where it came last" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

/* Seconds in run() so far. */
static double seconds_run(const struct kvm_engine *k)
{
	double ns = (double)(monotonic_ns() - k->ns_start),
	       tsc = (double)(__builtin_ia32_rdtsc() - k->tsc_start);

	return tsc > 0 ? (double)k->cycles * ns / tsc / 1e9 : 0;
}

static void put(const struct kvm_engine *k, struct row_sink *s, const char *by, const char *reason,
		const struct kvm_cost *c, const char *help)
{
	double seconds = seconds_run(k);

	if (c->count)
		s->row(s, (struct value[]){ V_STR(by), V_STR(reason), V_UINT(c->count),
					    seconds > 0 ? V_REAL((double)c->count / seconds) : V_NONE,
					    V_UINT(c->guest), V_UINT(c->here), V_ADDR(c->pc), V_STR(help) });
}

static const char *kvm_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct kvm_engine *k = kvm_of(owner);

	(void)arg;
	for (unsigned i = 0; i < KVM_EXITS; i++)
		put(k, s, "KVM", exit_name(i) ? exit_name(i) : "?", &k->exits[i], "");
	for (unsigned i = 0; i < REASONS; i++)
		put(k, s, "translator", reason_names[i], &k->other[i], reason_helps[i]);
	return NULL;
}

static const struct view view_kvm = {
	.name = "kvm",
	.help = "engine kvm: exits by reason, and what the translator executed in KVM's place",
	VIEW_COLS(cols),
	.rows = kvm_rows,
	.flags = VIEW_LIVE,
};

const struct view *const kvm_views[] = { &view_kvm, NULL };

/* ---- hidden views ---- */

static const char *hidden_rows(void *owner, const char *arg, struct row_sink *s)
{
	(void)owner;
	(void)arg;
	(void)s;
	return "hidden: the host's KVM executes this guest (info kvm)";
}

/* What KVM keeps to itself. */
static const struct view_col none_cols[] = { { "field", "field", VAL_STR, "", "hidden" } };
static const struct view host_views[] = {
#define HOST_VIEW(id)                                                                                        \
	{                                                                                                    \
		.name = id, .help = "hidden: KVM's own", VIEW_COLS(none_cols)                                \
	}
	HOST_VIEW("vmx"),   HOST_VIEW("vmcs"),	   HOST_VIEW("vmcb"),	    HOST_VIEW("vmx-controls"),
	HOST_VIEW("exits"), HOST_VIEW("exit-log"), HOST_VIEW("exit-sites"), HOST_VIEW("ept"),
#undef HOST_VIEW
};

static void hide(struct kvm_engine *k, unsigned i, const struct view *v)
{
	k->hidden[i] = *v;
	k->hidden[i].rows = hidden_rows;
	k->hidden[i].flags = VIEW_LIVE | VIEW_TEXT; /* without a heading */
	k->views[i + 1] = &k->hidden[i];
}

bool kvm_make_views(struct kvm_engine *k)
{
	const struct view *const *theirs = k->inner->views;
	unsigned n = 0;

	while (theirs && theirs[n])
		n++;
	k->hidden = calloc(n + ARRAY_LEN(host_views), sizeof(*k->hidden));
	k->views = calloc(n + ARRAY_LEN(host_views) + 2, sizeof(*k->views));
	if (!k->hidden || !k->views)
		return false;
	k->views[0] = &view_kvm;
	for (unsigned i = 0; i < n; i++)
		hide(k, i, theirs[i]);
	for (unsigned i = 0; i < ARRAY_LEN(host_views); i++)
		hide(k, n + i, &host_views[i]);
	return true;
}
