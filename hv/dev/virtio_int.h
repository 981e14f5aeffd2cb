/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the virtio transport: virtio.c and virtio_setup.c. */
#ifndef HV_DEV_VIRTIO_INT_H
#define HV_DEV_VIRTIO_INT_H
#include "hv/dev/virtio.h"

enum { BAR_LEGACY = 0, BAR_MSIX = 1, BAR_MODERN = 4 };
enum { VENDOR = 0x1af4, DEVICE_LEGACY = 0x1000, DEVICE_MODERN = 0x1040 };
enum { LEGACY_SIZE = 128, MODERN_SIZE = 0x4000, PART = 0x1000, NOTIFY_STRIDE = 4, LEGACY_ALIGN = 4096 };
/* Parts of the modern region, in order. */
enum { AT_COMMON, AT_ISR, AT_DEVICE, AT_NOTIFY, PARTS };
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MORE = 16, CAP_WINDOW_TYPE = 5 };

static inline void virtio_set(uint8_t *image, unsigned at, uint64_t val, unsigned n)
{
	gpr_copy(image + at, &val, n);
}

/* Hooks of struct pci_class: the window in configuration space. */
void virtio_window_read(struct pci_function *f, unsigned reg, unsigned size);
void virtio_window_written(struct pci_function *f, unsigned reg, unsigned size);
#endif
