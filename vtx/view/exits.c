/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of VM exits: by reason, by place, one by one; and the state of VMX operation. */
#include "base/alloc.h"
#include "base/monotonic.h"
#include "vtx/bits.h"
#include "vtx/view/view_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- info exits ---- */

static const struct view_col exit_cols[] = {
	{ "reason", "reason", VAL_STR, "", "name, as break-on exit takes it" },
	{ "number", "nr", VAL_UINT, "", "basic exit reason" },
	{ "count", "count", VAL_UINT, "", "exits" },
	{ "rate", "rate", VAL_UINT, "per s", "mean since counting began" },
	{ "share", "share", VAL_REAL, "%", "of all exits" },
	{ "guest", "in guest", VAL_UINT, "cycles", "mean of the time in the guest before the exit" },
	{ "host", "handling", VAL_UINT, "cycles", "mean of the time until the next VM entry" },
	{ "qualification", "qualif.", VAL_HEX, "", "of the last one" },
	{ "guest_pc", "guest pc", VAL_ADDR, "", "of the last one" },
	{ "steered", "steered", VAL_STR, "", "forced or suppressed (vmx force, vmx suppress)" },
	{ "what", "what", VAL_HELP, "", "name in the manual" },
};

static const char *steered(const struct vmx *x, unsigned reason)
{
	uint8_t how = x->steer.how[reason];

	return how == VMX_FORCED ? "forced" : how == VMX_SUPPRESSED ? "suppressed" : NULL;
}

static const char *exit_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	const struct vmx_log *l = x->log;
	double seconds = (double)(monotonic_ns() - l->since) / 1e9;
	uint64_t all = l->exits ? l->exits : 1;

	(void)arg;
	for (unsigned i = 0; i < VMX_REASONS; i++) {
		const struct vmx_log_reason *r = &l->reason[i];
		const char *how = steered(x, i);

		if (!vmx_reasons[i].name || (!r->count && !how))
			continue;
		k->row(k, (struct value[]){ V_STR(vmx_reasons[i].id), V_UINT(i), V_UINT(r->count),
					    V_UINT((uint64_t)((double)r->count / seconds)),
					    V_REAL((double)r->count * 100.0 / (double)all),
					    r->count ? V_UINT(r->guest / r->count) : V_NONE,
					    r->count ? V_UINT(r->host / r->count) : V_NONE,
					    V_HEX(r->qualification), V_ADDR(r->pc), how ? V_STR(how) : V_NONE,
					    V_STR(vmx_reasons[i].name) });
	}
	return NULL;
}

const struct view view_exits = {
	.name = "exits",
	.help = "VM exits by reason: count, rate, cycles, the last one's qualification",
	VIEW_COLS(exit_cols),
	.rows = exit_rows,
	.flags = VIEW_LIVE,
};

/* ---- info exit-log ---- */

static const struct view_col log_cols[] = {
	{ "number", "nr", VAL_UINT, "", "of the exit" },
	{ "reason", "reason", VAL_STR, "", "name" },
	{ "guest_pc", "guest pc", VAL_ADDR, "", "linear address of the guest's RIP" },
	{ "what", "what", VAL_STR, "", "qualification and events, decoded" },
	{ "qualification", "qualif.", VAL_HEX, "", "exit qualification" },
	{ "guest", "in guest", VAL_UINT, "cycles", "from the VM entry to the exit" },
	{ "host", "handling", VAL_UINT, "cycles", "until the next VM entry" },
	{ "vmcs", "VMCS", VAL_HEX, "", "physical address" },
};

static const char *log_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx_log *l = ((struct vmx *)owner)->log;
	uint64_t last = l->exits, first = last >= VMX_LOG_EXITS ? last - VMX_LOG_EXITS + 1 : 1;

	(void)arg;
	for (uint64_t n = first; n <= last; n++) {
		struct vmx_log_exit e = l->last[n % VMX_LOG_EXITS];
		unsigned basic = e.reason & 0xffff;
		char what[DECODE_TEXT];

		if (e.number != n) /* it was overwritten meanwhile */
			continue;
		vmx_exit_text(&e, what, sizeof(what));
		k->row(k, (struct value[]){
			      V_UINT(n),
			      basic < VMX_REASONS && vmx_reasons[basic].id ? V_STR(vmx_reasons[basic].id)
									   : V_STR("?"),
			      V_ADDR(e.pc), what[0] ? V_STR(what) : V_NONE, V_HEX(e.qualification),
			      V_UINT(e.guest), e.host ? V_UINT(e.host) : V_NONE, V_HEX(e.vmcs) });
	}
	return NULL;
}

const struct view view_exit_log = {
	.name = "exit-log",
	.help = "the last VM exits, one by one",
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
	const struct vmx_log_site *x = a, *y = b;

	return (y->count > x->count) - (y->count < x->count);
}

static const char *site_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx_log *l = ((struct vmx *)owner)->log;
	struct vmx_log_site *s = xreallocarray(NULL, VMX_LOG_SITES, sizeof(*s));

	(void)arg;
	memcpy(s, l->site, sizeof(l->site));
	qsort(s, VMX_LOG_SITES, sizeof(*s), more_first);
	for (unsigned i = 0; i < VMX_LOG_SITES && s[i].count; i++)
		k->row(k, (struct value[]){ V_ADDR(s[i].pc), V_STR(vmx_reasons[s[i].reason].id),
					    V_UINT(s[i].count) });
	if (l->elsewhere)
		k->row(k, (struct value[]){ V_NONE, V_STR("elsewhere"), V_UINT(l->elsewhere) });
	free(s);
	return NULL;
}

const struct view view_exit_sites = {
	.name = "exit-sites",
	.help = "VM exits by guest pc and reason, the most frequent first",
	VIEW_COLS(site_cols),
	.rows = site_rows,
	.flags = VIEW_LIVE,
};

/* ---- info vmx ---- */

static const struct view_col vmx_cols[] = {
	{ "name", "name", VAL_STR, "", "what" },
	{ "value", "value", VAL_STR, "", "its state" },
};

static void say(struct row_sink *k, const char *name, const char *value)
{
	k->row(k, (struct value[]){ V_STR(name), V_STR(value) });
}

static void say_number(struct row_sink *k, const char *name, const char *fmt, uint64_t n)
    __attribute__((format(printf, 3, 0)));
static void say_number(struct row_sink *k, const char *name, const char *fmt, uint64_t n)
{
	char text[40];

	snprintf(text, sizeof(text), fmt, (unsigned long long)n);
	say(k, name, text);
}

static void say_steering(const struct vmx *x, struct row_sink *k)
{
	char text[DECODE_TEXT];
	size_t n = 0;

	for (unsigned i = 0; i < VMX_REASONS && n < sizeof(text); i++)
		if (steered(x, i))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", n ? ", " : "",
					      vmx_reasons[i].id, steered(x, i));
	say(k, "exits changed", n ? text : "none");
	vmx_event_text(x->steer.event, text, sizeof(text));
	say(k, "to inject", text[0] ? text : "nothing");
	say(k, "step", x->steer.step ? "an exit follows the guest's next instruction" : "no");
}

static const char *vmx_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const char *const generations[] = { "early", "nehalem", "haswell", "all" };
	const struct vmx *x = owner;
	const struct vmx_log *l = x->log;
	char text[DECODE_TEXT];

	(void)arg;
	say(k, "operation",
	    x->aborted ? "shut down by a VMX abort"
	    : x->guest ? "non-root: the guest runs, guest fields are those of the last exit or entry"
	    : x->on    ? "root"
		       : "off");
	if (x->vmcs.at == VMCS_NONE)
		say(k, "current VMCS", "none");
	else
		say_number(k, "current VMCS", "0x%llx", x->vmcs.at);
	say_number(k, "failed entries", "%llu", l->failure.count);
	vmx_failure_text(&l->failure, text, sizeof(text));
	say(k, "last failure", text[0] ? text : "none");
	say_number(k, "entries", "%llu", l->entries);
	say_number(k, "exits", "%llu", l->exits);
	if (x->on)
		say_number(k, "VMXON region", "0x%llx", x->vmxon);
	if (x->caps.model.generation < ARRAY_LEN(generations))
		say(k, "model", generations[x->caps.model.generation]);
	say(k, "enabled",
	    (x->feature_control & (FEATURE_LOCK | FEATURE_VMX)) == (FEATURE_LOCK | FEATURE_VMX)
		? "yes"
		: "not by IA32_FEATURE_CONTROL (yet)");
	say_steering(x, k);
	return NULL;
}

const struct view view_vmx = {
	.name = "vmx",
	.help =
	    "VMX operation: where the processor is, counts, the last entry that failed, what was changed by hand",
	VIEW_COLS(vmx_cols),
	.rows = vmx_rows,
	.flags = VIEW_LIVE,
};
