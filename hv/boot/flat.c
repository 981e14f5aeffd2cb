/* SPDX-License-Identifier: GPL-3.0-or-later
 * A flat binary: copied to its address and entered there in flat 32-bit
 * protected mode, paging and interrupts off, stack below 0x9fc00. */
#include "hv/boot/image.h"

enum { FLAT_STACK = 0x9fc00 };

bool flat_load(struct loader *l)
{
	struct blob b;
	bool ok;

	if (l->cfg->flat_addr > 0xffffffffu)
		return image_fail(l, "%s: load address %#llx is above 4 GiB", l->cfg->flat,
				  (unsigned long long)l->cfg->flat_addr);
	if (!image_read_file(l, l->cfg->flat, 1ull << 32, &b))
		return false;
	ok = image_enter_flat(l, (uint32_t)l->cfg->flat_addr, FLAT_STACK) &&
	     image_put(l, l->cfg->flat_addr, b.data, b.len, l->cfg->flat);
	blob_free(&b);
	return ok;
}
