/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCI function of a virtio device: identity, regions, and the capabilities that describe them (Virtual
 * I/O Device 1.2, 4.1.2, 4.1.4). */
#include <string.h>

#include "hv/dev/virtio_int.h"

static const uint8_t cap_types[PARTS] = { [AT_COMMON] = 1, [AT_ISR] = 3, [AT_DEVICE] = 4, [AT_NOTIFY] = 2 };

static void describe(struct virtio *v)
{
	const struct virtio_type *t = v->type;

	v->pci = (struct pci_class){
		.name = t->name,
		.vendor = VENDOR,
		/* The ids of legacy devices are by age: network 0, block 1... */
		.device =
		    t->id <= 2 ? (uint16_t)(DEVICE_LEGACY + t->id - 1) : (uint16_t)(DEVICE_MODERN + t->id),
		.subsystem_vendor = VENDOR,
		.subsystem = t->id,
		.class_code = t->class_code,
		.revision = t->id <= 2 ? 0 : 1,
		.pin = 1,
		.msix = (uint8_t)(t->nqueues + 1),
		.msix_bar = BAR_MSIX,
		.bar = { [BAR_MSIX] = { PCI_BAR_MEMORY, false, 0, 4096 },
			 [BAR_MODERN] = { PCI_BAR_MEMORY64, true, 7, MODERN_SIZE } },
		.config_read = virtio_window_read,
		.config_written = virtio_window_written,
	};
	if (t->id <= 2)
		v->pci.bar[BAR_LEGACY] = (struct pci_bar){ PCI_BAR_IO, false, 7, LEGACY_SIZE };
}

static void add_capabilities(struct virtio *v)
{
	uint8_t cap[CAP_MORE + 4] = { [CAP_BAR] = BAR_MODERN };
	unsigned at;

	for (unsigned i = 0; i < PARTS; i++) {
		unsigned len = i == AT_NOTIFY ? CAP_MORE + 4 : CAP_MORE;

		cap[2] = (uint8_t)len;
		cap[CAP_TYPE] = cap_types[i];
		virtio_set(cap, CAP_OFFSET, i * PART, 4);
		virtio_set(cap, CAP_LENGTH, PART, 4);
		virtio_set(cap, CAP_MORE, NOTIFY_STRIDE, 4);
		pci_capability(&v->f, PCI_CAP_VENDOR, cap, len);
	}
	memset(cap, 0, sizeof(cap));
	cap[2] = sizeof(cap);
	cap[CAP_TYPE] = CAP_WINDOW_TYPE;
	at = pci_capability(&v->f, PCI_CAP_VENDOR, cap, sizeof(cap));
	v->f.writable[at + CAP_BAR] = 0xff;
	memset(v->f.writable + at + CAP_OFFSET, 0xff, 12);
}

bool virtio_open(struct virtio *v, const struct virtio_type *type, char *err, size_t errlen)
{
	v->type = type;
	v->offered = type->features | VIRTIO_1 | VIRTIO_INDIRECT | VIRTIO_EVENT_IDX | VIRTIO_ANY_LAYOUT;
	describe(v);
	if (!pci_add(&v->f, &v->pci, &v->d, PCI_ANY, err, errlen))
		return false;
	add_capabilities(v);
	return true;
}

void virtio_fini(struct virtio *v)
{
	pci_remove(&v->f);
}
