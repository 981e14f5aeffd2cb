/* SPDX-License-Identifier: GPL-3.0-or-later
 * See descriptor.h: the text forms. */
#include "x86/descriptor.h"

#include <stdio.h>

enum what { RESERVED, TSS, LDT, GATE };

static const struct {
	enum what what;
	const char *name;
} system_types[16] = {
#define SYSDESC(type, id, what, name) [type] = { what, name },
#include "x86/descriptors.def"
#undef SYSDESC
};

bool desc_is_gate(const struct desc *d)
{
	return !(d->hi & D_S) && system_types[desc_type(d)].what == GATE;
}

/* In IA-32e mode system types are the 32-bit ones, with 64 bits, and the LDT (SDM vol. 3A table 3-2). */
static void system_text(unsigned type, bool ia32e, char *buf, size_t len)
{
	const char *name = system_types[type].name;

	if (!name || (ia32e && type != DT_LDT && !(type & DT_32BIT)))
		snprintf(buf, len, "reserved");
	else if (ia32e && type != DT_LDT)
		snprintf(buf, len, "64%s", name + 2);
	else
		snprintf(buf, len, "%s", name);
}

void desc_type_text(const struct desc *d, bool ia32e, char *buf, size_t len)
{
	const char *width = d->hi & D_DB ? "32-bit" : "16-bit";

	if (!(d->hi & D_S))
		system_text(desc_type(d), ia32e, buf, len);
	else if (d->hi & D_CODE)
		snprintf(buf, len, "%s code%s%s", ia32e && (d->hi & D_L) ? "64-bit" : width,
			 d->hi & D_RW ? " readable" : "", d->hi & D_EC ? " conforming" : "");
	else
		snprintf(buf, len, "%s data%s%s", width, d->hi & D_RW ? " writable" : "",
			 d->hi & D_EC ? " expand-down" : "");
}
