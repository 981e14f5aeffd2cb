/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fake machine stands for hv and mm. Commands that talk to the translator are in libinspect
 * all the same and want its functions: no test here may call them, except where arbitrary commands
 * are the point (QUIET_TRANSLATOR). Then they say that there is nothing. */
#include <stdlib.h>

#ifdef QUIET_TRANSLATOR
#define ANSWER return NULL
#else
#define ANSWER abort()
#endif

#define ABSENT(name)                                                                                         \
	void *name(void);                                                                                    \
	void *name(void)                                                                                     \
	{                                                                                                    \
		ANSWER;                                                                                      \
	}

ABSENT(bt_adapt_set)
ABSENT(bt_ccf_find)
ABSENT(bt_count_entries)
ABSENT(bt_discard)
ABSENT(bt_patch_add)
ABSENT(bt_patch_peek)
ABSENT(bt_patch_remove)
ABSENT(bt_pin)
ABSENT(bt_policy_set)
ABSENT(bt_probe_add)
ABSENT(bt_probe_remove)
ABSENT(bt_probe_take)
ABSENT(bt_probe_text)
ABSENT(bt_retranslate)
ABSENT(bt_site_set)
