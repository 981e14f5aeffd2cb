/* SPDX-License-Identifier: GPL-3.0-or-later
 * The view of virtio devices and their queues. Owner: struct machine. */
#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "hv/views_int.h"

static const struct view_col cols[] = {
	{ "device", "device", VAL_STR, "", "name on the board" },
	{ "driver", "driver", VAL_STR, "", "by which registers a driver uses it: modern, legacy, none" },
	{ "status", "status", VAL_HEX, "", "device status; 0x40: broken by the driver, until it is reset" },
	{ "features", "features", VAL_HEX, "", "features that the driver accepted" },
	{ "queue", "queue", VAL_UINT, "", "virtqueue" },
	{ "size", "size", VAL_UINT, "", "its entries" },
	{ "ready", "ready", VAL_BOOL, "", "the device serves it" },
	{ "vector", "vector", VAL_UINT, "", "its MSI-X vector" },
	{ "kicks", "kicks", VAL_UINT, "", "notifications by the driver" },
	{ "chains", "chains", VAL_UINT, "", "chains of descriptors taken" },
	{ "interrupts", "interrupts", VAL_UINT, "", "interrupts for it" },
};

static void queue_row(const struct virtio *v, unsigned i, struct row_sink *s)
{
	const struct virtqueue *q = &v->vq[i];

	s->row(s, (const struct value[]){ V_STR(v->d.name),
					  V_STR(!v->status		 ? "none"
						: v->features & VIRTIO_1 ? "modern"
									 : "legacy"),
					  V_HEX(v->status), V_HEX(v->features), V_UINT(i), V_UINT(q->size),
					  V_BOOL(virtio_ready(v, i)),
					  q->vector == VIRTIO_NO_VECTOR ? V_NONE : V_UINT(q->vector),
					  V_UINT(q->kicks), V_UINT(q->taken), V_UINT(q->interrupts) });
}

static const char *rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct board *b = &((struct machine *)owner)->board;

	(void)arg;
	for (unsigned i = 0; i < b->ndevs; i++) {
		const struct virtio *v = (const struct virtio *)b->dev[i];

		if (b->dev[i]->cls->mmio_read != virtio_read)
			continue;
		for (unsigned q = 0; q < v->type->nqueues; q++)
			queue_row(v, q, s);
	}
	return NULL;
}

const struct view view_virtio = {
	.name = "virtio",
	.help = "virtio devices and their queues",
	VIEW_COLS(cols),
	.rows = rows,
	.flags = VIEW_LIVE,
};
