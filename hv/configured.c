/* SPDX-License-Identifier: GPL-3.0-or-later
 * The devices that a machine has because its configuration asks for them, behind those of the board list. */
#include <stdio.h>

#include "hv/board.h"
#include "hv/boot/drives.h"

extern const struct dev_class testdev_class, virtio_balloon_class, virtio_blk_class;

static bool add_virtio_disks(struct board *b, char *err, size_t errlen)
{
	char name[DEV_NAME];

	for (unsigned i = 0; b->drives && i < b->drives->n; i++) {
		const struct drive *d = &b->drives->d[i];

		snprintf(name, sizeof(name), "virtio-blk%u", d->unit & 0xffu);
		if (d->virtio && !board_add(b, &virtio_blk_class, name, d, err, errlen))
			return false;
	}
	return true;
}

bool board_configured(struct board *b, char *err, size_t errlen)
{
	if (b->cfg->testdev && !board_add(b, &testdev_class, "testdev", NULL, err, errlen))
		return false;
	if (b->balloon.device == BALLOON_BY_VIRTIO &&
	    !board_add(b, &virtio_balloon_class, "virtio-balloon", NULL, err, errlen))
		return false;
	return add_virtio_disks(b, err, errlen);
}
