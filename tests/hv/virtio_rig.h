/* SPDX-License-Identifier: GPL-3.0-or-later
 * A driver of virtio devices for tests: the modern registers, and rings in guest memory, which queue N has at
 * RINGS + N * RING_STRIDE. */
#ifndef TESTS_HV_VIRTIO_RIG_H
#define TESTS_HV_VIRTIO_RIG_H
#include <string.h>

#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"
#include "tests/suite.h"

enum {
	RIG_PAGES = 1024,
	RIG_QUEUE = 8,
	RINGS = 0x10000,
	RING_STRIDE = 0x3000,
	AVAIL = 0x1000,
	USED = 0x2000
};
enum { BUFFERS = 0x80000, DESC_NEXT = 1, DESC_WRITE = 2, RIG_DRIVER_OK = 15, RIG_NEEDS_RESET = 0x40 };

struct rig {
	struct machine *m;
	struct virtio *v;
	gpa region;
	uint16_t avail[VIRTIO_QUEUES];
};

static inline uint64_t rig_read(struct rig *r, gpa at, unsigned n)
{
	uint64_t val = 0;

	mmio_read(&r->m->board.mmio, r->region + at, &val, n);
	return val;
}

static inline void rig_write(struct rig *r, gpa at, unsigned n, uint64_t val)
{
	mmio_write(&r->m->board.mmio, r->region + at, &val, n);
}

static inline void rig_put(struct rig *r, gpa at, const void *p, size_t n)
{
	ck_assert(mm_phys_write(r->m->vm, at, p, n));
}

static inline void rig_get(struct rig *r, gpa at, void *p, size_t n)
{
	ck_assert(mm_phys_read(r->m->vm, at, p, n));
}

/* Begin as a driver that accepts FEATURES. */
static inline void rig_start(struct rig *r, uint32_t features)
{
	static const uint8_t zero[VIRTIO_QUEUES * RING_STRIDE];

	memset(r->avail, 0, sizeof(r->avail));
	rig_put(r, RINGS, zero, sizeof(zero));
	r->v->f.cfg[PCI_COMMAND] = PCI_MEMORY | PCI_MASTER;
	rig_write(r, 20, 1, 0);
	rig_write(r, 8, 4, 0);
	rig_write(r, 12, 4, features);
	rig_write(r, 8, 4, 1);
	rig_write(r, 12, 4, 1);
	for (unsigned q = 0; q < r->v->type->nqueues; q++) {
		gpa rings = RINGS + q * RING_STRIDE;

		rig_write(r, 22, 2, q);
		rig_write(r, 24, 2, RIG_QUEUE);
		rig_write(r, 32, 4, rings);
		rig_write(r, 40, 4, rings + AVAIL);
		rig_write(r, 48, 4, rings + USED);
		rig_write(r, 28, 2, 1);
	}
	rig_write(r, 20, 1, RIG_DRIVER_OK);
}

/* A machine with DEVICE, as of "--device"; its first device of the model NAME. */
static inline void rig_make(struct rig *r, const char *device, const char *name, enum clock_mode clock)
{
	struct machine_config cfg = { .memory = RIG_PAGES << PAGE_SHIFT,
				      .clock = clock,
				      .device = { device },
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "";

	r->m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(r->m, "%s", err);
	r->v = (struct virtio *)board_find(&r->m->board, name);
	ck_assert_ptr_nonnull(r->v);
	r->region = r->v->f.mapped[4];
	rig_start(r, 0);
}

static inline void rig_descriptor(struct rig *r, unsigned q, unsigned i, gpa at, uint32_t len, unsigned flags)
{
	uint64_t d[2] = { at, (uint64_t)(i + 1) << 48 | (uint64_t)flags << 32 | len };

	rig_put(r, RINGS + q * RING_STRIDE + 16 * i, d, sizeof(d));
}

/* Make the chain at descriptor HEAD available, and tell the device. */
static inline void rig_offer(struct rig *r, unsigned q, uint16_t head)
{
	gpa ring = RINGS + q * RING_STRIDE + AVAIL;

	rig_put(r, ring + 4 + 2 * (r->avail[q] % RIG_QUEUE), &head, 2);
	r->avail[q]++;
	rig_put(r, ring + 2, &r->avail[q], 2);
	rig_write(r, 0x3000 + 4 * q, 2, q);
}

/* How many chains have come back. */
static inline uint16_t rig_used(struct rig *r, unsigned q)
{
	uint16_t n;

	rig_get(r, RINGS + q * RING_STRIDE + USED + 2, &n, 2);
	return n;
}

/* Bytes written to the Nth chain that came back. */
static inline uint32_t rig_used_len(struct rig *r, unsigned q, unsigned n)
{
	uint32_t len;

	rig_get(r, RINGS + q * RING_STRIDE + USED + 8 + 8 * (n % RIG_QUEUE), &len, 4);
	return len;
}
#endif
