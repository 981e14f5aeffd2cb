/* SPDX-License-Identifier: GPL-3.0-or-later
 * What virtio devices on the PCI bus have in common (Virtual I/O Device 1.2: 2, 4.1): status, features, split
 * virtqueues, and the registers by which drivers of 1.0 and before it reach them. A device embeds a struct
 * virtio as its first member and describes itself by a struct virtio_type.
 *
 * A guest may put anything into its queues, and change it at any time: each descriptor and each index is read
 * once, chains are bounded, and a queue that makes no sense breaks the device until the driver resets it. */
#ifndef HV_DEV_VIRTIO_H
#define HV_DEV_VIRTIO_H
#include "hv/pci.h"

enum { VIRTIO_QUEUES = 4, VIRTIO_CONFIG = 64, VIRTIO_SEGMENTS = 256, VIRTIO_NO_VECTOR = 0xffff };
/* Features that are not of one device type. */
#define VIRTIO_ANY_LAYOUT (1ull << 27)
#define VIRTIO_INDIRECT (1ull << 28)
#define VIRTIO_EVENT_IDX (1ull << 29)
#define VIRTIO_1 (1ull << 32)

struct virtqueue {
	uint16_t size; /* entries: 0 to the type's */
	bool enabled;
	uint16_t vector;		   /* of MSI-X, or VIRTIO_NO_VECTOR */
	uint64_t desc, avail, used;	   /* guest-physical */
	uint16_t next;			   /* of the driver's ring: the next entry to take */
	uint16_t done;			   /* index of the device's ring */
	uint64_t kicks, taken, interrupts; /* last: a reset leaves them */
};

struct virtio;
struct virtio_type {
	const char *name;
	uint16_t id; /* of the device type (chapter 5) */
	uint32_t class_code;
	unsigned nqueues;
	uint16_t queue_size[VIRTIO_QUEUES];
	uint64_t features; /* of the type, for drivers of any version */
	unsigned config_len;
	void (*reset)(struct virtio *v);		  /* drop what is in flight */
	void (*notify)(struct virtio *v, unsigned queue); /* there may be something in QUEUE */
	/* Bytes of v->config were written. NULL: it is read-only. */
	void (*config_written)(struct virtio *v, unsigned off, unsigned n);
};

struct virtio {
	struct dev d;
	struct pci_function f;
	struct pci_class pci; /* built from the type */
	const struct virtio_type *type;
	uint64_t offered, features; /* what the device has, what the driver accepted */
	uint32_t offered_select, features_select;
	uint16_t config_vector, queue_select;
	uint8_t status, isr, generation;
	uint8_t config[VIRTIO_CONFIG];
	struct virtqueue vq[VIRTIO_QUEUES];
};
#define F_VIRTIO(type, v)                                                                                    \
	F_PCI(type, v.f), F_NUM(type, v.features), F_NUM(type, v.offered_select),                            \
	    F_NUM(type, v.features_select), F_NUM(type, v.config_vector),                                    \
	    F_NUM_IN(type, v.queue_select, 0, UINT16_MAX), F_NUM(type, v.status), F_NUM(type, v.isr),        \
	    F_NUM(type, v.generation), F_HEX(type, v.config), F_EACH_IN(type, v.vq, size, 0, 1024),          \
	    F_EACH_IN(type, v.vq, enabled, 0, 1), F_EACH(type, v.vq, vector), F_EACH(type, v.vq, desc),      \
	    F_EACH(type, v.vq, avail), F_EACH(type, v.vq, used), F_EACH(type, v.vq, next),                   \
	    F_EACH(type, v.vq, done)

/* A chain of descriptors: what the driver lets the device read, then what it lets it write. */
struct virtio_chain {
	uint16_t head;
	unsigned nout, nin;
	uint64_t out_len, in_len;
	struct virtio_segment {
		gpa at;
		uint32_t len;
	} seg[VIRTIO_SEGMENTS];
};

/* For the device's class: open (false with one line in ERR), end, reset, registers. */
bool virtio_open(struct virtio *v, const struct virtio_type *type, char *err, size_t errlen);
void virtio_fini(struct virtio *v);
void virtio_reset(struct dev *d);
uint64_t virtio_read(struct dev *d, unsigned region, uint64_t off, unsigned size);
void virtio_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val);

/* The driver has set QUEUE up and may be served. */
bool virtio_ready(const struct virtio *v, unsigned queue);
/* Take the next chain of QUEUE. False: there is none, or the device is broken now. */
bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *c);
/* Put the chain just taken back: the next virtio_pop() takes it again. */
void virtio_unpop(struct virtio *v, unsigned queue);
/* Copy N bytes at offset OFF of the part that the device reads (writes). False: the chain has no such part,
 * or there is no memory in it. */
bool virtio_get(struct virtio *v, const struct virtio_chain *c, uint64_t off, void *buf, uint64_t n);
/* The same for what goes to a drive's medium. */
bool virtio_get_for_disk(struct virtio *v, const struct virtio_chain *c, uint64_t off, void *buf, uint64_t n);
bool virtio_put(struct virtio *v, const struct virtio_chain *c, uint64_t off, const void *buf, uint64_t n);
/* Give back the chain that began at HEAD, with N bytes written; interrupt the driver if it wants that. */
void virtio_push(struct virtio *v, unsigned queue, uint16_t head, uint32_t n);
void virtio_config_changed(struct virtio *v);
/* The driver broke a rule (WHAT): the device needs a reset. */
void virtio_break(struct virtio *v, const char *what);
/* For virtqueue.c: interrupt the driver for QUEUE. */
void virtio_interrupt(struct virtio *v, unsigned queue);
#endif
