/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fake machine stands for hv and mm. Commands that talk to the translator are in libinspect
 * all the same and want its functions: no test here may call them. */
#include <stdlib.h>

#define ABSENT(name)                                                                                         \
	void name(void);                                                                                     \
	void name(void)                                                                                      \
	{                                                                                                    \
		abort();                                                                                     \
	}

ABSENT(bt_adapt_set)
ABSENT(bt_ccf_find)
ABSENT(bt_count_entries)
ABSENT(bt_discard)
ABSENT(bt_patch_add)
ABSENT(bt_patch_remove)
ABSENT(bt_pin)
ABSENT(bt_policy_set)
ABSENT(bt_probe_add)
ABSENT(bt_probe_remove)
ABSENT(bt_probe_take)
ABSENT(bt_probe_text)
ABSENT(bt_retranslate)
ABSENT(bt_site_set)
