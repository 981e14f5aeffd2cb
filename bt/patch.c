/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest code changed in the translation only: the translator reads a patch's bytes
 * where the guest, which cannot see it, still has its own. */
#include "bt/bt_int.h"

#include <stdio.h>
#include <string.h>

static struct bt_vcpu *of(struct vcpu *v)
{
	return (struct bt_vcpu *)v;
}

const char *bt_patch_add(struct vcpu *v, gva pc, const uint8_t *bytes, unsigned len)
{
	struct bt_vcpu *b = of(v);
	struct code_patch *p;

	if (!len || len > sizeof(p->bytes))
		return "a patch has 1 to 64 bytes";
	if (b->npatches == MAX_PATCHES)
		return "no room for another patch";
	p = &b->patches[b->npatches++];
	*p = (struct code_patch){ .pc = (uint32_t)pc, .len = (uint8_t)len, .number = ++b->patch_number };
	memcpy(p->bytes, bytes, len);
	cache_drop_at(b, (uint32_t)pc, len, DROP_PATCH);
	return NULL;
}

bool bt_patch_remove(struct vcpu *v, unsigned number)
{
	struct bt_vcpu *b = of(v);

	for (unsigned i = 0; i < b->npatches; i++)
		if (b->patches[i].number == number) {
			cache_drop_at(b, b->patches[i].pc, b->patches[i].len, DROP_PATCH);
			memmove(&b->patches[i], &b->patches[i + 1],
				(--b->npatches - i) * sizeof(b->patches[0]));
			return true;
		}
	return false;
}

/* What the translator reads instead of the guest's bytes at LIN. Later patches win. */
void patch_overlay(const struct bt_vcpu *b, uint32_t lin, uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < b->npatches; i++) {
		const struct code_patch *p = &b->patches[i];

		for (unsigned k = 0; k < p->len; k++)
			if (p->pc + k - lin < n)
				bytes[p->pc + k - lin] = p->bytes[k];
	}
}

static const struct view_col patch_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for unpatch" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "bytes", "Bytes", VAL_STR, "", "what the translator reads there" },
};

static const char *patch_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->npatches; i++) {
		char hex[2 * 64 + 1];

		for (unsigned n = 0; n < b->patches[i].len; n++)
			snprintf(hex + 2 * n, 3, "%02x", b->patches[i].bytes[n]);
		k->row(k, (struct value[]){ V_UINT(b->patches[i].number), V_ADDR(b->patches[i].pc), V_STR(hex) });
	}
	return NULL;
}

const struct view view_patches = { "patches", "guest code changed in the translation only", patch_cols,
				   ARRAY_LEN(patch_cols), patch_rows, false };

