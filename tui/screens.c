/* SPDX-License-Identifier: GPL-3.0-or-later
 * The list of screens, from screens.def. */
#include "tui/screen.h"
#include "tui/tui.h"

#define SCREEN(name) extern const struct screen_class screen_##name;
#include "tui/screens.def"
#undef SCREEN

const struct screen_class *const screens[] = {
#define SCREEN(name) &screen_##name,
#include "tui/screens.def"
#undef SCREEN
	NULL,
};
_Static_assert(ARRAY_LEN(screens) <= MAX_SCREENS + 1, "each has a digit");

const char *tui_screen_name(unsigned n)
{
	return n < ARRAY_LEN(screens) - 1 ? screens[n]->name : NULL;
}
