/* SPDX-License-Identifier: GPL-3.0-or-later
 * See exceptions.h. */
#include "x86/exceptions.h"

const struct exc_info exc_infos[EXC_VECTORS] = {
#define EXC(vector, id, name, err, class, dbl, title)                                                        \
	[vector] = { name, title, err, EXC_CLASS_##class, EXC_##dbl },
#include "x86/exceptions.def"
#undef EXC
};

const char *exc_name(unsigned vector)
{
	return vector < EXC_VECTORS ? exc_infos[vector].name : NULL;
}
