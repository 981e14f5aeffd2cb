/* SPDX-License-Identifier: GPL-3.0-or-later
 * The model: a walk of four levels, from the manual (SDM vol. 3A 4.5 to 4.8), with nothing cached. */
#include "guests/stress64/stress.h"

enum { ERR_P = 1, ERR_W = 2, ERR_U = 4, ERR_ID = 16 };

static bool refused(enum access a, bool user, const struct rights *r, bool w, bool u, bool nx)
{
	if (a == CALL)
		return nx || (user ? !u : u && r->smep);
	if (user)
		return !u || (a == STORE && !w);
	if (u && r->smap && !r->ac)
		return true;
	return a == STORE && !w && r->wp;
}

void model_walk(u64 root, u64 va, enum access a, bool user, const struct rights *r, struct outcome *o)
{
	u64 table = root, err = (a == STORE ? ERR_W : 0) | (user ? ERR_U : 0);
	bool w = true, u = true, nx = false;
	unsigned shift = 39;

	if (a == CALL && (r->nx || r->smep))
		err |= ERR_ID;
	*o = (struct outcome){ .faults = true, .err = err };
	for (;; shift -= 9) {
		u64 *e = (u64 *)phys(table) + (va >> shift & 511);

		if (!(*e & PTE_P))
			return;
		o->entry[o->levels++] = e;
		w &= (*e & PTE_W) != 0;
		u &= (*e & PTE_U) != 0;
		nx |= r->nx && (*e & PTE_NX) != 0;
		table = *e & PTE_ADDR;
		if (shift == 12 || (shift <= 30 && *e & PTE_PS))
			break;
	}
	o->err = err | ERR_P;
	o->faults = refused(a, user, r, w, u, nx);
	o->pa = (table & ~((1ull << shift) - 1)) | (va & ((1ull << shift) - 1));
}
