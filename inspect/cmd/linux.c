/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands and views of a Linux guest. */
#include "inspect/tables_int.h"

#include <stdio.h>

static const struct view_col linux_cols[] = {
	{ "banner", "Kernel", VAL_STR, "", "what it calls itself" },
	{ "start", "Image", VAL_ADDR, "", "linear address of its start" },
	{ "physical", "Physical", VAL_ADDR, "", "physical address of that" },
	{ "symbols", "Symbols", VAL_UINT, "", "symbols of its kallsyms table" },
	{ "tables", "Page tables", VAL_ADDR, "", "physical address of the tables in use for kernel memory" },
	{ "own", "Own", VAL_BOOL, "", "they are the kernel's own; else the processor's of now" },
	{ "types", "Types", VAL_UINT, "", "types in its BTF data; 0: it has none" },
	{ "notes", "Notes", VAL_BOOL, "", "its vmcoreinfo was found" },
};

static const char *linux_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	if (!k)
		return why;
	sink->row(sink,
		  (struct value[]){ V_STR(k->banner), V_ADDR(k->start), V_ADDR(k->start + (uint64_t)k->delta),
				    V_UINT(k->symbols.count), V_ADDR(k->space.root), V_BOOL(k->own_space),
				    V_UINT(k->btf ? btf_types(k->btf) : 0), V_BOOL(k->vmcoreinfo != NULL) });
	return NULL;
}

const struct view view_linux = {
	.name = "linux",
	.help = "the guest's Linux kernel, as found in its memory",
	VIEW_COLS(linux_cols),
	.rows = linux_rows,
	.flags = VIEW_VERTICAL,
};

static const struct view_col field_cols[] = {
	{ "structure", "Structure", VAL_STR, "", "of the kernel" },
	{ "member", "Member", VAL_STR, "", "of the structure, or its size" },
	{ "offset", "Offset", VAL_UINT, "B", "bytes from the start" },
	{ "from", "From", VAL_STR, "",
	  "how that is known: BTF, vmcoreinfo, inferred from what the memory holds" },
};

static const char *field_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const char *why;
	struct lx *k = kernel_of(owner, &why);

	(void)arg;
	if (!k)
		return why;
	for (unsigned f = 0; f < LX_FIELDS; f++)
		sink->row(sink, (struct value[]){ V_STR(lx_field_type(f)), V_STR(lx_field_member(f)),
						  lx_has(k, f) ? V_UINT(k->layout.off[f]) : V_NONE,
						  V_STR(lx_from_texts[k->layout.from[f]]) });
	return NULL;
}

const struct view view_linux_fields = {
	.name = "linux-fields",
	.help = "members of the kernel's structures that commands read, and how their offsets are known",
	VIEW_COLS(field_cols),
	.rows = field_rows,
};
