/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes: what is done in passing at a guest instruction. */
#include "bt/bt_int.h"

static struct bt_vcpu *of(struct vcpu *v)
{
	return (struct bt_vcpu *)v;
}

const char *bt_probe_add(struct vcpu *v, gva pc)
{
	struct bt_vcpu *b = of(v);

	if (b->nprobes == MAX_PROBES)
		return "no room for another probe";
	b->probes[b->nprobes] = (uint32_t)pc;
	b->probe_count[b->nprobes++] = 0;
	cache_drop_at(b, (uint32_t)pc, 1, DROP_PROBE);
	return NULL;
}

bool bt_probe_remove(struct vcpu *v, gva pc)
{
	struct bt_vcpu *b = of(v);

	for (unsigned i = 0; i < b->nprobes; i++)
		if (b->probes[i] == (uint32_t)pc) {
			cache_drop_at(b, (uint32_t)pc, 1, DROP_PROBE);
			/* the last one moves into the gap, with its fragments */
			b->probes[i] = b->probes[--b->nprobes];
			b->probe_count[i] = b->probe_count[b->nprobes];
			cache_drop_at(b, b->probes[i], 1, DROP_PROBE);
			return true;
		}
	return false;
}

int probe_at(const struct bt_vcpu *b, uint32_t pc)
{
	for (unsigned i = 0; i < b->nprobes; i++)
		if (b->probes[i] == pc)
			return (int)i;
	return -1;
}

static const struct view_col probe_cols[] = {
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "count", "Count", VAL_UINT, "", "times the instruction was reached" },
};

static const char *probe_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->nprobes; i++)
		k->row(k, (struct value[]){ V_ADDR(b->probes[i]), V_UINT(b->probe_count[i]) });
	return NULL;
}

const struct view view_probes = { "probes", "counting probes", probe_cols, ARRAY_LEN(probe_cols), probe_rows, false };
