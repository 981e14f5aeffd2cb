/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fake machine replaces hv and mm. Commands about the translator are in libinspect and need
 * its functions to link: tests must not call them, except those that execute arbitrary commands
 * (QUIET_TRANSLATOR), where they return nothing. */
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
