/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terminal of the serial console against arbitrary bytes. After each piece the cursor and the scrolling
 * region are on the screen, a reply is terminated, and a copy is equal; the bytes one by one give the same
 * screen as in pieces. */
#include "tests/fuzz/fuzz.h"
#include "tui/vt.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 61 };

static void check(const struct vt *v)
{
	if (v->x < 0 || v->x >= VT_W || v->y < 0 || v->y >= VT_H || v->top < 0 || v->top > v->bottom ||
	    v->bottom >= VT_H || v->npast > VT_HISTORY || !memchr(v->answer, 0, sizeof(v->answer)))
		abort();
	for (unsigned i = 0; i <= v->npast; i++)
		if ((vt_past(v, i + 1) != NULL) != (i < v->npast))
			abort();
}

static void check_same(const struct vt *a, const struct vt *b)
{
	if (memcmp(a->line, b->line, sizeof(a->line)) || a->x != b->x || a->y != b->y || a->npast != b->npast)
		abort();
	for (unsigned i = 1; i <= a->npast; i++)
		if (memcmp(vt_past(a, i), vt_past(b, i), sizeof(a->line[0])))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vt pieces, bytes, copy;

	vt_init(&pieces);
	vt_init(&bytes);
	vt_init(&copy);
	for (size_t at = 0; at < size; at += PIECE) {
		vt_write(&pieces, data + at, size - at < PIECE ? size - at : PIECE);
		check(&pieces);
	}
	for (size_t at = 0; at < size; at++)
		vt_write(&bytes, data + at, 1);
	check_same(&pieces, &bytes);
	vt_copy(&copy, &pieces);
	check(&copy);
	check_same(&pieces, &copy);
	vt_fini(&pieces);
	vt_fini(&bytes);
	vt_fini(&copy);
	return 0;
}
