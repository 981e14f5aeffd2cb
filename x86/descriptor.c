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

void desc_type_text(const struct desc *d, char *buf, size_t len)
{
	const char *width = d->hi & D_DB ? "32-bit" : "16-bit";

	if (!(d->hi & D_S))
		snprintf(buf, len, "%s",
			 system_types[desc_type(d)].name ? system_types[desc_type(d)].name : "reserved");
	else if (d->hi & D_CODE)
		snprintf(buf, len, "%s code%s%s", width, d->hi & D_RW ? " readable" : "",
			 d->hi & D_EC ? " conforming" : "");
	else
		snprintf(buf, len, "%s data%s%s", width, d->hi & D_RW ? " writable" : "",
			 d->hi & D_EC ? " expand-down" : "");
}
