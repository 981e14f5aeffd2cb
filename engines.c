/* SPDX-License-Identifier: GPL-3.0-or-later
 * See engines.h. */
#include "engines.h"
#include "base/alloc.h"
#include "bt/bt.h"

static void *bt_config(const struct options *o)
{
	struct bt_config *c = xcalloc(1, sizeof(*c));

	c->tc_size = o->tc_size;
	c->verify = o->verify_tc;
	c->tu_max = (unsigned)o->tu_max;
	c->no_chain = o->no_chain;
	return c;
}

const struct engine_choice engines[] = {
	{ "bt", bt_vcpu_new, bt_views, bt_config },
	{ 0 },
};
