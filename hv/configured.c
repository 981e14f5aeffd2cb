/* SPDX-License-Identifier: GPL-3.0-or-later
 * The devices that a machine has because its configuration asks for them, behind those of the board list. */
#include "hv/board.h"

extern const struct dev_class testdev_class;

bool board_configured(struct board *b, char *err, size_t errlen)
{
	if (b->cfg->testdev && !board_add(b, &testdev_class, "testdev", NULL, err, errlen))
		return false;
	return true;
}
