/* SPDX-License-Identifier: GPL-3.0-or-later
 * The user's side of adaptation: switching causes, setting their thresholds. adapt/adapt.c and adapt/page.c
 * decide; view/view_adapt.c shows. */
#include "bt/adapt/adapt.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct cause_info cause_infos[CAUSES] = {
#define CAUSE(id, name, threshold, span, calm, does, instead) { name, threshold, span, calm, does, instead },
#include "bt/state/adapt.def"
#undef CAUSE
};

static void cause_reset(struct bt_vcpu *b, enum cause c)
{
	b->adapt.causes[c].off = false;
	b->adapt.causes[c].threshold = cause_infos[c].threshold;
	b->adapt.causes[c].span = cause_infos[c].span;
	b->adapt.causes[c].calm = cause_infos[c].calm;
}

void adapt_init(struct bt_vcpu *b)
{
	for (unsigned c = 0; c < CAUSES; c++)
		cause_reset(b, (enum cause)c);
}

/* ---- choices ---- */

/* Demote all sites promoted for C; returns how many. Pages are demoted as the guest runs
 * (adapt_demote_pages). */
static unsigned demote_all(struct bt_vcpu *b, enum cause c)
{
	unsigned n = 0;

	if (c == CAUSE_USER_PAGE)
		adapt_low_forget(b);
	for (unsigned i = 0; c < SITE_CAUSES && i < VERDICTS; i++) {
		struct verdict *v = &b->adapt.verdicts[i];

		n += guilty_of(v, c);
		v->guilty &= (uint8_t) ~(1u << c);
		v->count[c] = 0;
	}
	return n;
}

static const char *turn(struct bt_vcpu *b, unsigned mask, bool on)
{
	for (unsigned c = 0; c < CAUSES; c++) {
		if (!(mask >> c & 1) || b->adapt.causes[c].off == !on)
			continue;
		b->adapt.causes[c].off = !on;
		adapt_log(b, on ? ADAPT_ON : ADAPT_OFF, (enum cause)c, 0,
			  on ? 0 : demote_all(b, (enum cause)c), 0);
		b->tc.flush_wanted = true;
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
		return threshold ? "expected a number of traps, 1 to 65535"
				 : "expected a number of host cycles; 0: no limit";
	for (unsigned c = 0; c < CAUSES; c++) {
		struct cause_state *k = &b->adapt.causes[c];

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

static const char *set_adaptation(struct vcpu *v, const char *what, const char *cause, const char *value)
{
	bool all = !cause[0] || !strcmp(cause, "all");
	struct bt_vcpu *b = bt_of(v);
	unsigned mask = 0;

	for (unsigned c = 0; c < CAUSES; c++)
		if (all || !strcmp(cause, cause_infos[c].name))
			mask |= 1u << c;
	if (!mask)
		return "no such cause; info causes lists them";
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

const struct engine_adaptation bt_adaptation = { .set = set_adaptation };
