/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where members of structures are: from the kernel's BTF, else from its vmcoreinfo, else (infer.c) from what
 * the structures hold. */
#include "inspect/linux/kernel_int.h"
#include "inspect/debuginfo/types.h"

#include <stdio.h>
#include <string.h>

static const struct row {
	enum lx_field field;
	const char *type, *member; /* MEMBER NULL: the size of TYPE */
} rows[] = {
#define FIELD(id, type, member) { LX_##id, type, member },
#define FIELD_OR(id, type, member) { LX_##id, type, member },
#define SIZE(id, type) { LX_##id, type, NULL },
#include "inspect/linux/fields.def"
};

const char *const lx_from_texts[LX_FROMS] = { [LX_UNKNOWN] = "not known",
					      [LX_BTF] = "BTF",
					      [LX_DWARF] = "DWARF",
					      [LX_VMCOREINFO] = "vmcoreinfo",
					      [LX_INFERRED] = "inferred" };

static const struct row *row_of(enum lx_field f)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].field == f)
			return &rows[i];
	return &rows[0];
}

const char *lx_field_type(enum lx_field f)
{
	return row_of(f)->type;
}

const char *lx_field_member(enum lx_field f)
{
	return row_of(f)->member ? row_of(f)->member : "(size)";
}

void lx_set(struct lx *k, enum lx_field f, uint64_t off, enum lx_from from)
{
	if (off > UINT16_MAX)
		return;
	k->layout.off[f] = (uint16_t)off;
	k->layout.from[f] = (uint8_t)from;
}

void lx_layout_btf(struct lx *k)
{
	for (size_t i = 0; k->btf && i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		long off = r->member ? btf_member(k->btf, r->type, r->member) : btf_size(k->btf, r->type);

		if (off >= 0 && k->layout.from[r->field] != LX_BTF)
			lx_set(k, r->field, (uint64_t)off, LX_BTF);
	}
}

long lx_set_dwarf(struct lx *k, const char *file, char *err, size_t errlen)
{
	struct type_query q[ARRAY_LEN(rows)];
	long found;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		q[i] = (struct type_query){ rows[i].type, rows[i].member, -1 };
	found = types_load(file, q, ARRAY_LEN(rows), err, errlen);
	if (found < 0)
		return found;
	if (found)
		k->layout = (struct lx_layout){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (q[i].off >= 0 && !lx_has(k, rows[i].field))
			lx_set(k, rows[i].field, (uint64_t)q[i].off, LX_DWARF);
	k->inferred = k->modules_inferred = lx_has(k, LX_TASK_TASKS);
	lx_layout_notes(k);
	return found;
}

void lx_layout_notes(struct lx *k)
{
	char key[120];
	uint64_t off;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (lx_has(k, r->field))
			continue;
		if (r->member)
			snprintf(key, sizeof(key), "OFFSET(%s.%s)=", r->type, r->member);
		else
			snprintf(key, sizeof(key), "SIZE(%s)=", r->type);
		if (lx_note(k, key, 10, &off))
			lx_set(k, r->field, off, LX_VMCOREINFO);
	}
	/* facility and level follow the length */
	if (lx_has(k, LX_INFO_LEN) && !lx_has(k, LX_INFO_LEVEL)) {
		lx_set(k, LX_INFO_FACILITY, k->layout.off[LX_INFO_LEN] + 2u, LX_INFERRED);
		lx_set(k, LX_INFO_LEVEL, k->layout.off[LX_INFO_LEN] + 3u, LX_INFERRED);
	}
}
