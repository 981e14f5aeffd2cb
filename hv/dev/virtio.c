/* SPDX-License-Identifier: GPL-3.0-or-later
 * The registers of virtio devices on the PCI bus (Virtual I/O Device 1.2, 4.1): those of 1.0, in one region
 * of memory that capabilities describe, and those from before it (4.1.4.8, "legacy"), in ports; device status
 * and features (2.1, 2.2, 3.1). A driver chooses by using one or the other. MSI-X or the interrupt pin.
 * GPR-only code (base/gpr.h), as network devices are reached without leaving the VMM world. */
#include "base/log.h"
#include "hv/dev/virtio_int.h"

enum { STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8, STATUS_NEEDS_RESET = 0x40 };
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* Common configuration (4.1.4.3). */
enum common_reg {
	OFFERED_SELECT = 0,
	OFFERED = 4,
	ACCEPTED_SELECT = 8,
	ACCEPTED = 12,
	CONFIG_VECTOR = 16,
	NUM_QUEUES = 18,
	STATUS = 20,
	GENERATION = 21,
	QUEUE_SELECT = 22,
	QUEUE_SIZE = 24,
	QUEUE_VECTOR = 26,
	QUEUE_ENABLE = 28,
	QUEUE_NOTIFY_OFF = 30,
	QUEUE_DESC = 32,
	QUEUE_AVAIL = 40,
	QUEUE_USED = 48,
	COMMON_LEN = 56
};
/* Legacy ports; the vectors are there while MSI-X is on, and the device's configuration follows. */
enum legacy_reg {
	L_OFFERED = 0,
	L_ACCEPTED = 4,
	L_QUEUE_PFN = 8,
	L_QUEUE_SIZE = 12,
	L_QUEUE_SELECT = 14,
	L_NOTIFY = 16,
	L_STATUS = 18,
	L_ISR = 19,
	L_CONFIG_VECTOR = 20,
	L_QUEUE_VECTOR = 22,
	L_CONFIG = 20,
	L_CONFIG_MSIX = 24
};

/* ---- device ---- */

static void reset_queues(struct virtio *v)
{
	for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
		struct virtqueue *q = &v->vq[i];

		gpr_zero(q, offsetof(struct virtqueue, kicks));
		q->size = i < v->type->nqueues ? v->type->queue_size[i] : 0;
		q->vector = VIRTIO_NO_VECTOR;
	}
}

static void reset(struct virtio *v)
{
	if (v->type->reset)
		v->type->reset(v);
	reset_queues(v);
	v->features = 0;
	v->offered_select = v->features_select = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	v->queue_select = 0;
	v->status = v->isr = 0;
	pci_intx(&v->f, false);
}

void virtio_reset(struct dev *d)
{
	reset((struct virtio *)d);
}

static void signal_driver(struct virtio *v, uint8_t why, uint16_t vector)
{
	v->isr |= why;
	if (!pci_msix_on(&v->f))
		pci_intx(&v->f, true);
	else if (vector != VIRTIO_NO_VECTOR)
		pci_msix(&v->f, vector);
}

void virtio_interrupt(struct virtio *v, unsigned queue)
{
	signal_driver(v, ISR_QUEUE, v->vq[queue].vector);
}

void virtio_config_changed(struct virtio *v)
{
	v->generation++;
	if (v->status & STATUS_DRIVER_OK)
		signal_driver(v, ISR_CONFIG, v->config_vector);
}

void virtio_break(struct virtio *v, const char *what)
{
	if (v->status & STATUS_NEEDS_RESET)
		return;
	LOG(dev, "%s: broken by the guest's driver: %s", v->d.name, what);
	v->status |= STATUS_NEEDS_RESET;
	if (v->features & VIRTIO_1)
		virtio_config_changed(v);
}

static void kick(struct virtio *v, unsigned queue)
{
	if (!virtio_ready(v, queue))
		return;
	v->vq[queue].kicks++;
	v->type->notify(v, queue);
}

static uint8_t read_isr(struct virtio *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	pci_intx(&v->f, false);
	return isr;
}

static void write_status(struct virtio *v, uint8_t status)
{
	if (!status) {
		reset(v);
		return;
	}
	if ((status & STATUS_FEATURES_OK) && !(v->features & VIRTIO_1))
		status &= (uint8_t)~STATUS_FEATURES_OK;
	v->status = status | (v->status & STATUS_NEEDS_RESET);
}

static uint16_t vector_of(const struct virtio *v, uint32_t val)
{
	return val < v->pci.msix ? (uint16_t)val : VIRTIO_NO_VECTOR;
}

/* The queue that the driver has selected, or NULL. */
static struct virtqueue *selected(struct virtio *v)
{
	return v->queue_select < v->type->nqueues ? &v->vq[v->queue_select] : NULL;
}

/* ---- device configuration ---- */

static uint64_t config_read(const struct virtio *v, uint64_t off, unsigned size)
{
	uint64_t val = 0;

	for (unsigned i = 0; i < size && off + i < v->type->config_len; i++)
		val |= (uint64_t)v->config[off + i] << (8 * i);
	return val;
}

static void config_write(struct virtio *v, uint64_t off, unsigned size, uint64_t val)
{
	if (!v->type->config_written || off + size > v->type->config_len)
		return;
	for (unsigned i = 0; i < size; i++)
		v->config[off + i] = (uint8_t)(val >> (8 * i));
	v->type->config_written(v, (unsigned)off, size);
}

/* ---- common configuration of 1.0 ---- */

static uint64_t get(const uint8_t *image, unsigned at, unsigned n)
{
	uint64_t val = 0;

	gpr_copy(&val, image + at, n);
	return val;
}

static void common_image(struct virtio *v, uint8_t image[COMMON_LEN])
{
	const struct virtqueue *q = selected(v);

	gpr_zero(image, COMMON_LEN);
	virtio_set(image, OFFERED_SELECT, v->offered_select, 4);
	virtio_set(image, OFFERED, v->offered_select < 2 ? v->offered >> (32 * v->offered_select) : 0, 4);
	virtio_set(image, ACCEPTED_SELECT, v->features_select, 4);
	virtio_set(image, ACCEPTED, v->features_select < 2 ? v->features >> (32 * v->features_select) : 0, 4);
	virtio_set(image, CONFIG_VECTOR, v->config_vector, 2);
	virtio_set(image, NUM_QUEUES, v->type->nqueues, 2);
	image[STATUS] = v->status;
	image[GENERATION] = v->generation;
	virtio_set(image, QUEUE_SELECT, v->queue_select, 2);
	if (!q)
		return;
	virtio_set(image, QUEUE_SIZE, q->size, 2);
	virtio_set(image, QUEUE_VECTOR, q->vector, 2);
	virtio_set(image, QUEUE_ENABLE, q->enabled, 2);
	virtio_set(image, QUEUE_NOTIFY_OFF, v->queue_select, 2);
	virtio_set(image, QUEUE_DESC, q->desc, 8);
	virtio_set(image, QUEUE_AVAIL, q->avail, 8);
	virtio_set(image, QUEUE_USED, q->used, 8);
}

static void accept_features(struct virtio *v, uint32_t val)
{
	unsigned shift = 32 * v->features_select;

	if (v->features_select > 1 || (v->status & STATUS_FEATURES_OK))
		return;
	v->features = (v->features & ~(0xffffffffull << shift)) | ((uint64_t)val << shift & v->offered);
}

static void queue_size(struct virtio *v, struct virtqueue *q, uint32_t n)
{
	if (!q->enabled && n && !(n & (n - 1)) && n <= v->type->queue_size[v->queue_select])
		q->size = (uint16_t)n;
}

/* A field of the selected queue's has the value that it has in IMAGE. */
static void queue_field(struct virtio *v, unsigned reg, const uint8_t *image)
{
	struct virtqueue *q = selected(v);

	if (!q)
		return;
	if (reg == QUEUE_SIZE)
		queue_size(v, q, (uint32_t)get(image, QUEUE_SIZE, 2));
	else if (reg == QUEUE_VECTOR)
		q->vector = vector_of(v, (uint32_t)get(image, QUEUE_VECTOR, 2));
	else if (reg == QUEUE_ENABLE)
		q->enabled |= get(image, QUEUE_ENABLE, 2) == 1;
	else if (q->enabled)
		return;
	else if (reg == QUEUE_DESC)
		q->desc = get(image, QUEUE_DESC, 8);
	else if (reg == QUEUE_AVAIL)
		q->avail = get(image, QUEUE_AVAIL, 8);
	else if (reg == QUEUE_USED)
		q->used = get(image, QUEUE_USED, 8);
}

static void common_field(struct virtio *v, unsigned reg, const uint8_t *image)
{
	switch (reg) {
	case OFFERED_SELECT:
		v->offered_select = (uint32_t)get(image, reg, 4);
		break;
	case ACCEPTED_SELECT:
		v->features_select = (uint32_t)get(image, reg, 4);
		break;
	case ACCEPTED:
		accept_features(v, (uint32_t)get(image, reg, 4));
		break;
	case CONFIG_VECTOR:
		v->config_vector = vector_of(v, (uint32_t)get(image, reg, 2));
		break;
	case STATUS:
		write_status(v, image[STATUS]);
		break;
	case QUEUE_SELECT:
		v->queue_select = (uint16_t)get(image, reg, 2);
		break;
	default:
		queue_field(v, reg, image);
	}
}

static void common_write(struct virtio *v, unsigned off, unsigned size, uint64_t val)
{
	static const struct {
		uint8_t reg, len;
	} writable[] = { { OFFERED_SELECT, 4 }, { ACCEPTED_SELECT, 4 }, { ACCEPTED, 4 },
			 { CONFIG_VECTOR, 2 },	{ STATUS, 1 },		{ QUEUE_SELECT, 2 },
			 { QUEUE_SIZE, 2 },	{ QUEUE_VECTOR, 2 },	{ QUEUE_ENABLE, 2 },
			 { QUEUE_DESC, 8 },	{ QUEUE_AVAIL, 8 },	{ QUEUE_USED, 8 } };
	uint8_t image[COMMON_LEN];

	if (off + size > COMMON_LEN)
		return;
	common_image(v, image);
	virtio_set(image, off, val, size);
	for (unsigned i = 0; i < ARRAY_LEN(writable); i++)
		if (off < (unsigned)writable[i].reg + writable[i].len && writable[i].reg < off + size)
			common_field(v, writable[i].reg, image);
}

static uint64_t modern_read(struct virtio *v, uint64_t off, unsigned size)
{
	uint8_t image[COMMON_LEN];

	switch (off / PART) {
	case AT_COMMON:
		common_image(v, image);
		return off + size <= COMMON_LEN ? get(image, (unsigned)off, size) : 0;
	case AT_ISR:
		return off % PART ? 0 : read_isr(v);
	case AT_DEVICE:
		return config_read(v, off % PART, size);
	default:
		return 0;
	}
}

static void modern_write(struct virtio *v, uint64_t off, unsigned size, uint64_t val)
{
	switch (off / PART) {
	case AT_COMMON:
		common_write(v, (unsigned)off, size, val);
		break;
	case AT_DEVICE:
		config_write(v, off % PART, size, val);
		break;
	case AT_NOTIFY:
		kick(v, (unsigned)(off % PART / NOTIFY_STRIDE));
		break;
	}
}

/* ---- legacy ports ---- */

static uint64_t legacy_read(struct virtio *v, uint64_t off, unsigned size)
{
	unsigned config = pci_msix_on(&v->f) ? L_CONFIG_MSIX : L_CONFIG;
	const struct virtqueue *q = selected(v);

	if (off >= config)
		return config_read(v, off - config, size);
	switch (off) {
	case L_OFFERED:
		return (uint32_t)v->offered;
	case L_ACCEPTED:
		return (uint32_t)v->features;
	case L_QUEUE_PFN:
		return q && q->enabled ? q->desc >> PAGE_SHIFT : 0;
	case L_QUEUE_SIZE:
		return q ? v->type->queue_size[v->queue_select] : 0;
	case L_QUEUE_SELECT:
		return v->queue_select;
	case L_STATUS:
		return v->status;
	case L_ISR:
		return read_isr(v);
	case L_CONFIG_VECTOR:
		return v->config_vector;
	case L_QUEUE_VECTOR:
		return q ? q->vector : VIRTIO_NO_VECTOR;
	default:
		return 0;
	}
}

/* The rings lie one behind the other, from a page on (2.7.2). */
static void legacy_queue(struct virtio *v, uint32_t pfn)
{
	struct virtqueue *q = selected(v);

	if (!q)
		return;
	q->size = v->type->queue_size[v->queue_select];
	q->enabled = pfn;
	q->desc = (uint64_t)pfn << PAGE_SHIFT;
	q->avail = q->desc + 16ull * q->size;
	q->used = (q->avail + 6 + 2ull * q->size + LEGACY_ALIGN - 1) & ~(uint64_t)(LEGACY_ALIGN - 1);
	q->next = q->done = 0;
}

static void legacy_write(struct virtio *v, uint64_t off, unsigned size, uint64_t val)
{
	unsigned config = pci_msix_on(&v->f) ? L_CONFIG_MSIX : L_CONFIG;
	struct virtqueue *q = selected(v);

	if (off >= config) {
		config_write(v, off - config, size, val);
		return;
	}
	switch (off) {
	case L_ACCEPTED:
		v->features = val & (uint32_t)v->offered;
		break;
	case L_QUEUE_PFN:
		legacy_queue(v, (uint32_t)val);
		break;
	case L_QUEUE_SELECT:
		v->queue_select = (uint16_t)val;
		break;
	case L_NOTIFY:
		kick(v, (unsigned)val);
		break;
	case L_STATUS:
		write_status(v, (uint8_t)val);
		break;
	case L_CONFIG_VECTOR:
		v->config_vector = vector_of(v, (uint32_t)val);
		break;
	case L_QUEUE_VECTOR:
		if (q)
			q->vector = vector_of(v, (uint32_t)val);
		break;
	}
}

uint64_t virtio_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct virtio *v = (struct virtio *)d;

	return region == BAR_LEGACY ? legacy_read(v, off, size) : modern_read(v, off, size);
}

void virtio_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct virtio *v = (struct virtio *)d;

	if (region == BAR_LEGACY)
		legacy_write(v, off, size, val);
	else
		modern_write(v, off, size, val);
}

/* ---- the window in configuration space (4.1.4.9) ---- */

/* Where the window is, or 0; what the guest points it at: true if it makes sense. */
static bool window(const struct pci_function *f, uint64_t *off, unsigned *size)
{
	const uint8_t *cap = &f->cfg[f->cap_last];

	*off = get(cap, CAP_OFFSET, 4);
	*size = (unsigned)get(cap, CAP_LENGTH, 4);
	return cap[CAP_BAR] == BAR_MODERN && (*size == 1 || *size == 2 || *size == 4) &&
	       !(*off & (*size - 1)) && *off + *size <= MODERN_SIZE;
}

static bool at_window(const struct pci_function *f, unsigned reg, unsigned size)
{
	return reg < f->cap_last + CAP_MORE + 4u && f->cap_last + CAP_MORE < (int)(reg + size);
}

void virtio_window_read(struct pci_function *f, unsigned reg, unsigned size)
{
	uint64_t off;
	unsigned n;

	if (at_window(f, reg, size) && window(f, &off, &n))
		virtio_set(f->cfg, f->cap_last + CAP_MORE, modern_read((struct virtio *)f->d, off, n), n);
}

void virtio_window_written(struct pci_function *f, unsigned reg, unsigned size)
{
	uint64_t off;
	unsigned n;

	if (at_window(f, reg, size) && window(f, &off, &n))
		modern_write((struct virtio *)f->d, off, n, get(f->cfg, f->cap_last + CAP_MORE, n));
}
