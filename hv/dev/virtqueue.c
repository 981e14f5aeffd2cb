/* SPDX-License-Identifier: GPL-3.0-or-later
 * Split virtqueues (Virtual I/O Device 1.2, 2.7), from the device's side. The rings are in guest memory and
 * reached by DMA: a place without memory breaks the device, as a descriptor out of range does. GPR-only code
 * (base/gpr.h). */
#include "hv/dev/virtio.h"

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4, DESC_SIZE = 16, NO_INTERRUPT = 1 };
enum { RING_FLAGS = 0, RING_INDEX = 2, RING_ENTRIES = 4 };

struct descriptor {
	uint64_t at;
	uint32_t len;
	uint16_t flags, next;
};
_Static_assert(sizeof(struct descriptor) == DESC_SIZE, "as the guest has it");

static bool get16(struct virtio *v, gpa a, uint16_t *val)
{
	if (pci_dma_read(&v->f, a, val, sizeof(*val)))
		return true;
	virtio_break(v, "a ring where there is no memory");
	return false;
}

static bool put(struct virtio *v, gpa a, const void *p, unsigned n)
{
	if (pci_dma_write(&v->f, a, p, n))
		return true;
	virtio_break(v, "a ring where there is no memory");
	return false;
}

bool virtio_ready(const struct virtio *v, unsigned queue)
{
	enum { DRIVER_OK = 4, NEEDS_RESET = 0x40 };

	if (queue >= v->type->nqueues || !v->vq[queue].enabled || !v->vq[queue].size ||
	    (v->status & NEEDS_RESET))
		return false;
	/* Drivers from before 1.0 did not always wait. */
	return (v->status & DRIVER_OK) || !(v->features & VIRTIO_1);
}

/* ---- chains ---- */

/* The table of descriptors that a walk is in. */
struct desc_walk {
	gpa table;
	uint32_t size; /* entries */
	uint32_t left; /* descriptors it may still have: a loop ends here */
	bool indirect;
};

static bool add_segment(struct virtio *v, struct virtio_chain *c, const struct descriptor *d)
{
	unsigned n = c->nout + c->nin;

	if (n == VIRTIO_SEGMENTS) {
		virtio_break(v, "too long a chain");
		return false;
	}
	if (!(d->flags & DESC_WRITE) && c->nin) {
		virtio_break(v, "a chain to be read behind what is to be written");
		return false;
	}
	c->seg[n] = (struct virtio_segment){ d->at, d->len };
	if (d->flags & DESC_WRITE) {
		c->nin++;
		c->in_len += d->len;
	} else {
		c->nout++;
		c->out_len += d->len;
	}
	return true;
}

/* Go over to the table that D describes. */
static bool enter(struct virtio *v, struct desc_walk *w, const struct descriptor *d)
{
	if (!(v->features & VIRTIO_INDIRECT) || w->indirect || (d->flags & DESC_NEXT) || !d->len ||
	    d->len % DESC_SIZE) {
		virtio_break(v, "an indirect descriptor that is not allowed");
		return false;
	}
	*w = (struct desc_walk){ d->at, d->len / DESC_SIZE, d->len / DESC_SIZE, true };
	return true;
}

static bool walk_chain(struct virtio *v, struct desc_walk *w, struct virtio_chain *c)
{
	uint32_t i = c->head;
	struct descriptor d;

	for (;;) {
		if (i >= w->size || !w->left--) {
			virtio_break(v, "a descriptor out of range, or a loop");
			return false;
		}
		if (!pci_dma_read(&v->f, w->table + (gpa)i * DESC_SIZE, &d, sizeof(d))) {
			virtio_break(v, "a descriptor where there is no memory");
			return false;
		}
		if (d.flags & DESC_INDIRECT) {
			if (!enter(v, w, &d))
				return false;
			i = 0;
			continue;
		}
		if (!add_segment(v, c, &d))
			return false;
		if (!(d.flags & DESC_NEXT))
			return true;
		i = d.next;
	}
}

/* How many entries of the driver's ring wait; -1: the device is broken. */
static int waiting(struct virtio *v, struct virtqueue *q)
{
	uint16_t index, n;

	if (!get16(v, q->avail + RING_INDEX, &index))
		return -1;
	n = (uint16_t)(index - q->next);
	if (n > q->size) {
		virtio_break(v, "more entries than the ring has");
		return -1;
	}
	return n;
}

/* Nothing waits: ask to be told of the next entry. True: there is one by now. */
static bool arm(struct virtio *v, struct virtqueue *q)
{
	if (!(v->features & VIRTIO_EVENT_IDX))
		return false;
	return put(v, q->used + RING_ENTRIES + 8ull * q->size, &q->next, sizeof(q->next)) &&
	       waiting(v, q) > 0;
}

bool virtio_pop(struct virtio *v, unsigned queue, struct virtio_chain *c)
{
	struct virtqueue *q = &v->vq[queue];
	struct desc_walk w = { q->desc, q->size, q->size, false };
	int n;

	if (!virtio_ready(v, queue))
		return false;
	n = waiting(v, q);
	if (n < 0 || (!n && !arm(v, q)))
		return false;
	c->nout = c->nin = 0;
	c->out_len = c->in_len = 0;
	if (!get16(v, q->avail + RING_ENTRIES + 2ull * (q->next % q->size), &c->head))
		return false;
	q->next++;
	q->taken++;
	return walk_chain(v, &w, c);
}

void virtio_unpop(struct virtio *v, unsigned queue)
{
	v->vq[queue].next--;
	v->vq[queue].taken--;
}

/* ---- what a chain describes ---- */

typedef bool copier(struct pci_function *f, gpa a, void *buf, uint64_t n);

static bool copy_in(struct pci_function *f, gpa a, void *buf, uint64_t n)
{
	return pci_dma_write(f, a, buf, n);
}

static bool copy_all(struct virtio *v, const struct virtio_segment *s, unsigned nseg, uint64_t off,
		     uint8_t *buf, uint64_t n, copier *copy)
{
	for (; nseg && n; nseg--, s++) {
		uint64_t part;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		part = s->len - off < n ? s->len - off : n;
		if (s->at + off < s->at || !copy(&v->f, s->at + off, buf, part))
			return false;
		buf += part;
		n -= part;
		off = 0;
	}
	return !n;
}

bool virtio_get(struct virtio *v, const struct virtio_chain *c, uint64_t off, void *buf, uint64_t n)
{
	return copy_all(v, c->seg, c->nout, off, buf, n, pci_dma_read);
}

bool virtio_get_for_disk(struct virtio *v, const struct virtio_chain *c, uint64_t off, void *buf, uint64_t n)
{
	return copy_all(v, c->seg, c->nout, off, buf, n, pci_dma_read_for_disk);
}

bool virtio_put(struct virtio *v, const struct virtio_chain *c, uint64_t off, const void *buf, uint64_t n)
{
	return copy_all(v, c->seg + c->nout, c->nin, off, (uint8_t *)(uintptr_t)buf, n, copy_in);
}

/* ---- giving back ---- */

/* Does the driver want an interrupt for the entry that has just been given back? */
static bool wanted(struct virtio *v, struct virtqueue *q)
{
	uint16_t val;

	if (!(v->features & VIRTIO_EVENT_IDX))
		return get16(v, q->avail + RING_FLAGS, &val) && !(val & NO_INTERRUPT);
	return get16(v, q->avail + RING_ENTRIES + 2ull * q->size, &val) && val == (uint16_t)(q->done - 1);
}

void virtio_push(struct virtio *v, unsigned queue, uint16_t head, uint32_t n)
{
	struct virtqueue *q = &v->vq[queue];
	uint32_t entry[2] = { head, n };

	if (!virtio_ready(v, queue))
		return;
	if (!put(v, q->used + RING_ENTRIES + 8ull * (q->done % q->size), entry, sizeof(entry)))
		return;
	q->done++;
	if (!put(v, q->used + RING_INDEX, &q->done, sizeof(q->done)) || !wanted(v, q))
		return;
	q->interrupts++;
	virtio_interrupt(v, queue);
}
