/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fragments of position-independent programs, used again at other linear addresses. */
#ifndef BT_TRANSLATE_MOVE_H
#define BT_TRANSLATE_MOVE_H
#include "bt/state/vcpu.h"

/* Can direct transfers from PC leave neither the canonical addresses of user code nor those above 4 GiB? */
static inline bool move_is_usual(gva pc)
{
	return pc >> 32 > 1 && pc >> 32 < 0x7ffe;
}
/* The fragment for PC, in the present mode, from one that is at another linear address of the same page.
 * NULL: there is none. Nothing of the cache's may be executing. */
struct ccf *move_here(struct bt_vcpu *b, gva pc);
#endif
