/* SPDX-License-Identifier: GPL-3.0-or-later
 * Code of programs that are not position independent, whose text, data and heap are in the lower part of
 * their space and whose stack is not (mm/window/layout.c). Most of their instructions reach that part, so one
 * decision for each is a trap and a translation for each: a compiler has more of them than there are
 * verdicts. Here a block of code addresses is decided on after a few of its instructions. */
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"

enum { LOW_SITES = 4, BLOCK_BITS = 16 };

static struct low_block *slot(const struct bt_vcpu *b, gva pc)
{
	gva block = pc >> BLOCK_BITS;

	return (struct low_block *)&b->adapt.low[(block ^ block >> 12) % LOW_BLOCKS];
}

bool adapt_is_low(const struct bt_vcpu *b, gva pc)
{
	const struct low_block *x = slot(b, pc);

	return x->decided && x->block == pc >> BLOCK_BITS;
}

bool adapt_low(struct bt_vcpu *b, struct ccf *f, gva pc)
{
	struct low_block *x = slot(b, pc);

	if ((f->mode & MODE_CPL) != MODE_CPL || !mode_long(f->mode))
		return false;
	if (x->block != pc >> BLOCK_BITS)
		*x = (struct low_block){ .block = pc >> BLOCK_BITS };
	if (!x->decided && ++x->sites >= LOW_SITES)
		x->decided = b->adapt.charge.start;
	/* A fragment made since has the instruction in a form that no decision replaces. */
	if (!x->decided || f->made >= x->decided)
		return false;
	cache_drop(b, f, DROP_PROMOTED, pc);
	return true;
}

void adapt_low_forget(struct bt_vcpu *b)
{
	for (unsigned i = 0; i < LOW_BLOCKS; i++)
		b->adapt.low[i].decided = b->adapt.low[i].sites = 0;
}
