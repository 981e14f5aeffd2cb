/* SPDX-License-Identifier: GPL-3.0-or-later
 * Kinds of sensitive instruction, and the ways they can run (state/policy.def). */
#ifndef BT_STATE_POLICY_H
#define BT_STATE_POLICY_H

enum sens {
#define SENS(id, name, in_tc, help) SENS_##id,
#include "bt/state/policy.def"
#undef SENS
	SENS_KINDS
};
enum way { WAY_DEFAULT, WAY_TRAP, WAY_CALLOUT, WAY_INTC, WAYS };
#endif
