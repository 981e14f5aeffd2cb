/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of fragments: the table of all, and one in detail. Totals are in view/tc.c, traps and callouts in
 * view/traps.c. */
#include "bt/adapt/policy.h"
#include "bt/decode/patch.h"
#include "bt/fault/fault.h"
#include "bt/probe/emit.h"
#include "bt/view/view.h"

#include <stdio.h>

/* ---- info ccf ---- */

static const struct view_col ccf_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address" },
	{ "page", "ppn", VAL_HEX, "", "physical page of its code" },
	{ "mode", "mode", VAL_STR, "", "code size and privilege" },
	{ "insns", "insns", VAL_UINT, "", "guest instructions" },
	{ "bytes", "guest", VAL_UINT, "bytes", "guest bytes" },
	{ "host", "host address", VAL_HEX, "", "host address" },
	{ "size", "host", VAL_UINT, "bytes", "host bytes" },
	{ "entries", "entries", VAL_UINT, "", "times entered while counting (count on)" },
	{ "traps", "traps", VAL_UINT, "", "traps of all causes" },
	{ "fill", "fill", VAL_UINT, "", "hidden faults" },
	{ "true_faults", "true", VAL_UINT, "", "page faults delivered to the guest" },
	{ "mmio", "mmio", VAL_UINT, "", "device memory accesses" },
	{ "code_writes", "smc", VAL_UINT, "", "writes to pages with translated code" },
	{ "polls", "polls", VAL_UINT, "", "stops and interrupts taken at a poll" },
	{ "other_traps", "other", VAL_UINT, "",
	  "divide errors, illegal instructions, alignment and segment limits, stale user windows" },
	{ "sensitive", "sens", VAL_UINT, "", "sensitive instructions executed by trap" },
	{ "callouts", "callouts", VAL_UINT, "", "calls into the monitor" },
	{ "cycles", "cycles", VAL_UINT, "cycles", "host cycles in traps and their replacements" },
	{ "out", "out", VAL_UINT, "", "chained exits" },
	{ "in", "in", VAL_UINT, "", "fragments chained to it" },
	{ "state", "state", VAL_STR, "", "live, checked (source compared at entry) or pinned" },
};

static const char *mode_text(const struct ccf *f)
{
	static const char *const texts[3][4] = {
		{ "16v86", "16real", "16user", "16kernel" },
		{ "32v86", "32real", "32user", "32kernel" },
		{ "64v86", "64real", "64user", "64kernel" },
	};
	unsigned bits = mode_bits(f->mode);

	return texts[bits == 64	  ? 2
		     : bits == 32 ? 1
				  : 0][f->mode & MODE_VM		  ? 0
				       : !(f->mode & MODE_PE)		  ? 1
				       : (f->mode & MODE_CPL) == MODE_CPL ? 2
									  : 3];
}

/* The guest is held for this view, and waits for each cache line of tens of thousands of fragments. */
static void prefetch(const struct bt_vcpu *b, uint32_t i)
{
	enum { AHEAD = 8, LINE = 64 };

	if (i + AHEAD >= b->tc.norder)
		return;
	for (size_t at = 0; at < sizeof(struct ccf); at += LINE)
		__builtin_prefetch((const char *)b->tc.order[i + AHEAD] + at);
	__builtin_prefetch(b->tc.order[i + AHEAD / 2]->in);
}

static const char *ccf_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		struct ccf *f = b->tc.order[i];
		uint64_t traps = 0, in = 0, out = 0;

		prefetch(b, i);
		if (f->dead)
			continue;
		for (unsigned t = 0; t < TRAP_CAUSES; t++)
			traps += f->traps[t];
		for (struct exit_link *l = f->in; l; l = l->next_in)
			in++;
		for (unsigned l = 0; l < f->nlink; l++)
			out += !!f->link[l].to;
		k->row(k, (struct value[]){ V_ADDR(f->pc),
					    V_HEX(f->page),
					    V_STR(mode_text(f)),
					    V_UINT(f->ninsn),
					    V_UINT(f->glen),
					    V_HEX(b->tc_base + f->host),
					    V_UINT(f->hsize),
					    f->counter == NOT_COUNTED ? V_NONE
								      : V_UINT(b->entries.count[f->counter]),
					    V_UINT(traps),
					    V_UINT(f->traps[TRAP_FILL]),
					    V_UINT(f->traps[TRAP_TRUE]),
					    V_UINT(f->traps[TRAP_MMIO]),
					    V_UINT(f->traps[TRAP_CODE]),
					    V_UINT(f->traps[TRAP_POLL]),
					    V_UINT(f->traps[TRAP_USER] + f->traps[TRAP_FPE] +
						   f->traps[TRAP_ILL] + f->traps[TRAP_GP]),
					    V_UINT(f->traps[TRAP_SENS]),
					    V_UINT(f->callouts),
					    V_UINT(f->cycles),
					    V_UINT(out),
					    V_UINT(in),
					    V_STR(f->pinned    ? "pinned"
						  : f->checked ? "checked"
							       : "live") });
	}
	return NULL;
}

static const struct view view_ccf = {
	.name = "ccf",
	.help = "compiled code fragments",
	VIEW_COLS(ccf_cols),
	.rows = ccf_rows,
};

/* ---- info exceptions ---- */

static const struct view_col exc_cols[] = {
	{ "name", "kind", VAL_STR, "", "kind" },
	{ "count", "count", VAL_UINT, "", "deliveries since the start" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *exc_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < EXC_VECTORS; i++)
		if (b->st.excs[i])
			k->row(k,
			       (struct value[]){
				   V_STR(exc_infos[i].name ? exc_infos[i].name : "?"), V_UINT(b->st.excs[i]),
				   V_STR(exc_infos[i].title ? exc_infos[i].title : "reserved") });
	return NULL;
}

static const struct view view_excs = {
	.name = "exceptions",
	.help = "exceptions delivered to the guest",
	VIEW_COLS(exc_cols),
	.rows = exc_rows,
	.flags = VIEW_LIVE,
};

const struct view *const bt_views[] = { &view_tc,	&view_ccf,	&view_traps, &view_trap_sites,
					&view_callouts, &view_ways,	&view_excs,  &view_policy,
					&view_causes,	&view_sites,	&view_adapt, &view_costs,
					&view_history,	&view_savings,	&view_pins,  &view_patches,
					&view_probes,	&view_refusals, NULL };

/* ---- one fragment ---- */

static unsigned guest_off(const struct engine_fragment *i, unsigned n)
{
	const struct ccf *f = i->impl;

	return n < f->ninsn ? f->ioff[f->ninsn + n] : f->glen;
}

static unsigned host_off(const struct engine_fragment *i, unsigned n)
{
	const struct ccf *f = i->impl;

	return n < f->ninsn ? f->ioff[n] : f->body;
}

static const char *lowering(const struct engine_fragment *i, unsigned n)
{
	static const char *const names[LOW_COUNT] = {
		"ident", "window", "in-tc", "callout", "chain", "exit"
	};
	const struct ccf *f = i->impl;

	return n < f->ninsn && f->low[n] < LOW_COUNT ? names[f->low[n]] : "";
}

static unsigned patched(const struct engine_fragment *i, unsigned n)
{
	const struct ccf *f = i->impl;

	return patch_at(i->vcpu, i->pc + guest_off(i, n), guest_off(i, n + 1) - guest_off(i, n), f->page,
			f->page2);
}

/* Return the bytes that F was made from, as far as they are on its first page. */
static const uint8_t *source(struct bt_vcpu *b, const struct ccf *f, uint8_t code[ENGINE_FRAGMENT_CODE])
{
	patch_source(b, f->pc, code, f->glen < ENGINE_FRAGMENT_CODE ? f->glen : ENGINE_FRAGMENT_CODE, f->page,
		     f->page2);
	return code;
}

bool fragment_find(struct vcpu *v, gva pc, unsigned n, struct engine_fragment *out)
{
	struct bt_vcpu *b = (struct bt_vcpu *)v;

	for (uint32_t i = 0; i < b->tc.norder; i++) {
		struct ccf *f = b->tc.order[i];

		if (f->dead || pc - f->pc >= f->glen || n--)
			continue;
		*out = (struct engine_fragment){ .pc = f->pc,
						 .page = f->page,
						 .insns = f->ninsn,
						 .guest_bytes = f->glen,
						 .host_bytes = f->hsize,
						 .host = b->tc.rw + f->host,
						 .host_addr = b->tc_base + f->host,
						 .bits = mode_bits(f->mode),
						 .guest_off = guest_off,
						 .host_off = host_off,
						 .lowering = lowering,
						 .patched = patched,
						 .impl = f,
						 .vcpu = b };
		out->guest = source(b, f, out->code);
		return true;
	}
	return false;
}
