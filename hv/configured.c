/* SPDX-License-Identifier: GPL-3.0-or-later
 * The devices that a machine has because its configuration asks for them, behind those of the board list. */
#include <stdio.h>

#include "base/words.h"
#include "hv/board.h"
#include "hv/boot/drives.h"
#include "hv/device_options.h"

extern const struct dev_class testdev_class, virtio_balloon_class, virtio_blk_class, virtio_rng_class,
    virtio_console_class, pvpanic_class, pvpanic_pci_class;

/* What "--device" can add, by the names of the classes. */
static const struct dev_class *const models[] = { &virtio_rng_class, &virtio_console_class, &pvpanic_class,
						  &pvpanic_pci_class };

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

/* The Nth device of its model is called after it and N. */
static bool add_model(struct board *b, const struct dev_class *cls, const char *text, char *err,
		      size_t errlen)
{
	char name[DEV_NAME];
	unsigned n = 0;

	do
		snprintf(name, sizeof(name), "%s%u", cls->name, n++ & 0xffu);
	while (board_find(b, name));
	return board_add(b, cls, name, text, err, errlen);
}

static bool add_devices(struct board *b, char *err, size_t errlen)
{
	struct words known;
	char names[200];

	for (unsigned i = 0; i < DEVICES_MAX && b->cfg->device[i]; i++) {
		const char *text = b->cfg->device[i];
		unsigned m = 0;

		while (m < ARRAY_LEN(models) && !device_is(text, models[m]->name))
			m++;
		if (m < ARRAY_LEN(models)) {
			if (!add_model(b, models[m], text, err, errlen))
				return false;
			continue;
		}
		known = words_in(names, sizeof(names));
		for (m = 0; m < ARRAY_LEN(models); m++)
			words_put(&known, "%s", models[m]->name);
		snprintf(err, errlen, "--device: no such device: %s; there are %s", text, names);
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
	return add_virtio_disks(b, err, errlen) && add_devices(b, err, errlen);
}
