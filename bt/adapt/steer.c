/* SPDX-License-Identifier: GPL-3.0-or-later
 * Adaptation as the user steers it: causes with their thresholds; pins; fragments
 * discarded or made anew. The judgement itself is adapt/adapt.c, what is shown of
 * it view/view_adapt.c. */
#include "bt/bt_int.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct cause_info cause_infos[CAUSES] = {
#define CAUSE(id, name, threshold, span, calm, does, instead) { name, threshold, span, calm, does, instead },
#include "bt/adapt/adapt.def"
#undef CAUSE
};

static struct bt_vcpu *of(struct vcpu *v)
{
	return (struct bt_vcpu *)v;
}

static void cause_reset(struct bt_vcpu *b, enum cause c)
{
	b->causes[c].off = false;
	b->causes[c].threshold = cause_infos[c].threshold;
	b->causes[c].span = cause_infos[c].span;
	b->causes[c].calm = cause_infos[c].calm;
}

void adapt_init(struct bt_vcpu *b)
{
	b->nhistory = 0;
	b->tsc_start = __builtin_ia32_rdtsc();
	b->ns_start = host_ns();
	for (unsigned c = 0; c < CAUSES; c++)
		cause_reset(b, (enum cause)c);
}

/* ---- choices ---- */

/* How many sites stood promoted for C. Pages are demoted as the guest runs (cache_demote_pages). */
static unsigned demote_all(struct bt_vcpu *b, enum cause c)
{
	unsigned n = 0;

	for (unsigned i = 0; c < SITE_CAUSES && i < VERDICTS; i++) {
		struct verdict *v = &b->verdicts[i];

		n += guilty_of(v, c);
		v->guilty &= (uint8_t) ~(1u << c);
		v->count[c] = 0;
	}
	return n;
}

static const char *turn(struct bt_vcpu *b, unsigned mask, bool on)
{
	for (unsigned c = 0; c < CAUSES; c++) {
		if (!(mask >> c & 1) || b->causes[c].off == !on)
			continue;
		b->causes[c].off = !on;
		adapt_log(b, on ? ADAPT_ON : ADAPT_OFF, (enum cause)c, 0,
			  on ? 0 : demote_all(b, (enum cause)c), 0);
		b->want_flush = true;
	}
	return NULL;
}

static const char *set_number(struct bt_vcpu *b, unsigned mask, const char *what, const char *value)
{
	bool threshold = !strcmp(what, "threshold");
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(value, &end, 0);
	if (!isdigit((unsigned char)value[0]) || *end || errno || (threshold && (n < 1 || n > UINT16_MAX)))
		return threshold ? "a threshold is a number of traps, 1 to 65535"
				 : "host cycles are a number, 0: no limit";
	for (unsigned c = 0; c < CAUSES; c++) {
		struct cause_state *k = &b->causes[c];

		if (!(mask >> c & 1))
			continue;
		if (threshold)
			k->threshold = (uint16_t)n;
		else if (!strcmp(what, "span"))
			k->span = n;
		else
			k->calm = n;
	}
	return NULL;
}

const char *bt_adapt_set(struct vcpu *v, const char *what, const char *cause, const char *value)
{
	bool all = !cause[0] || !strcmp(cause, "all");
	struct bt_vcpu *b = of(v);
	unsigned mask = 0;

	for (unsigned c = 0; c < CAUSES; c++)
		if (all || !strcmp(cause, cause_infos[c].name))
			mask |= 1u << c;
	if (!mask)
		return "no such cause (info causes lists them)";
	if (!strcmp(what, "on") || !strcmp(what, "off"))
		return turn(b, mask, what[1] == 'n');
	if (!strcmp(what, "default")) {
		turn(b, mask, true);
		for (unsigned c = 0; c < CAUSES; c++)
			if (mask >> c & 1)
				cause_reset(b, (enum cause)c);
		return NULL;
	}
	if (strcmp(what, "threshold") && strcmp(what, "span") && strcmp(what, "calm"))
		return "adapt takes on, off, default, threshold, span or calm";
	return set_number(b, mask, what, value);
}

void bt_count_entries(struct vcpu *v, bool on)
{
	of(v)->count_entries = on;
	account_counting(of(v));
	of(v)->want_flush = true;
}

unsigned bt_discard(struct vcpu *v, gva pc, bool all)
{
	return all ? cache_drop_at(of(v), 0, UINT32_MAX, DROP_DISCARD)
		   : cache_drop_at(of(v), (uint32_t)pc, 1, DROP_DISCARD);
}

/* ---- pins ---- */

static int pin_find(const struct bt_vcpu *b, uint32_t pc)
{
	for (unsigned i = 0; i < b->npins; i++)
		if (b->pins[i].pc == pc)
			return (int)i;
	return -1;
}

static bool pin_covers(const struct pin *p, uint32_t pc)
{
	return pc - p->pc < p->len;
}

/* The places of the fragments that cover PC, each once. */
static unsigned pin_places(const struct bt_vcpu *b, uint32_t pc, struct pin at[MAX_PINS])
{
	unsigned found = 0;

	for (uint32_t i = 0; i < b->norder && found < MAX_PINS; i++) {
		const struct ccf *f = b->order[i];
		bool twice = false;

		for (unsigned k = 0; k < found; k++)
			twice |= at[k].pc == f->pc;
		if (!f->dead && !twice && pc - f->pc < f->glen)
			at[found++] = (struct pin){ f->pc, f->glen };
	}
	return found;
}

static const char *pin(struct bt_vcpu *b, uint32_t pc, unsigned *n)
{
	struct pin at[MAX_PINS];
	unsigned found = pin_places(b, pc, at);

	/* Fragments that were pinned are made anew, when they run next. */
	for (unsigned i = 0; !found && i < b->npins; i++)
		if (pin_covers(&b->pins[i], pc))
			return NULL;
	if (!found)
		at[found++] = (struct pin){ pc, 1 };
	for (unsigned i = 0; i < found; i++) {
		if (pin_find(b, at[i].pc) >= 0)
			continue;
		if (b->npins == MAX_PINS)
			return "no room for another pin";
		b->pins[b->npins++] = at[i];
		cache_drop_at(b, at[i].pc, 1, DROP_PIN);
		++*n;
	}
	return NULL;
}

/* Those of fragments that cover PC, or did so when they were pinned. */
static void unpin(struct bt_vcpu *b, uint32_t pc, unsigned *n)
{
	struct pin at[MAX_PINS];
	unsigned found = pin_places(b, pc, at);

	for (unsigned i = b->npins; i--;) {
		struct pin p = b->pins[i];
		bool is = pin_covers(&p, pc);

		for (unsigned k = 0; k < found; k++)
			is |= at[k].pc == p.pc;
		if (!is)
			continue;
		b->pins[i] = b->pins[--b->npins];
		cache_drop_at(b, p.pc, 1, DROP_PIN);
		++*n;
	}
}

const char *bt_pin(struct vcpu *v, gva pc, bool on, unsigned *n)
{
	*n = 0;
	if (on)
		return pin(of(v), (uint32_t)pc, n);
	unpin(of(v), (uint32_t)pc, n);
	return NULL;
}

/* ---- made anew ---- */

/* Would a fragment made now at F's address be F's successor? */
static bool same_place(struct bt_vcpu *b, const struct ccf *f)
{
	const struct cpu *c = &b->v.cpu;

	return f->mode == dispatch_mode(c) && f->cs_base == c->seg[SEG_CS].base &&
	       mmu_code_page_fast(b->v.mmu, f->pc) == f->page;
}

/* Translate at EIP as if the processor were there. */
static bool make_at(struct bt_vcpu *b, uint32_t eip)
{
	struct cpu *c = &b->v.cpu;
	struct exc exc = c->exc;
	uint64_t rip = c->rip;
	struct ccf *f;

	c->rip = eip;
	f = dispatch_find(b, cpu_pc(c));
	if (!f)
		f = translate(b, TX_NORMAL);
	b->transient = NULL;
	c->rip = rip;
	c->exc = exc;
	return f;
}

unsigned bt_retranslate(struct vcpu *v, gva pc, unsigned *made)
{
	struct bt_vcpu *b = of(v);
	uint32_t eip[32];
	unsigned n = 0, dropped;

	dispatch_select(b);
	b->gs_live = 0; /* of another thread */
	for (uint32_t i = 0; i < b->norder && n < ARRAY_LEN(eip); i++) {
		const struct ccf *f = b->order[i];

		if (!f->dead && (uint32_t)pc - f->pc < f->glen && same_place(b, f))
			eip[n++] = f->eip;
	}
	dropped = cache_drop_at(b, (uint32_t)pc, 1, DROP_RETRANSLATE);
	*made = 0;
	for (unsigned i = 0; i < n && !b->full && !b->want_flush; i++)
		*made += make_at(b, eip[i]);
	return dropped;
}
