/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio network device (Virtual I/O Device 1.2, 5.1) with one pair of queues and no offloads. It receives
 * whatever the link brings. A frame to be sent stays in its queue until the link has taken it. GPR-only code
 * (base/gpr.h). */
#include "hv/dev/virtio.h"
#include "hv/io/nic.h"

enum { RX, TX, QUEUES, QUEUE_SIZE = 256 };
enum { HEADER_LEGACY = 10, HEADER = 12, NUM_BUFFERS = 10 /* offset, of two bytes */, MAC = 6 };
#define F_MAC (1ull << 5)

struct virtio_net {
	struct virtio v;
	struct nic nic;
	uint16_t head;		   /* of the frame that next() returned */
	struct virtio_chain chain; /* the one being looked at */
};

static const struct state_field fields[] = { F_VIRTIO(virtio_net, v) };

static uint32_t header_len(const struct virtio_net *n)
{
	return n->v.features & VIRTIO_1 ? HEADER : HEADER_LEGACY;
}

/* ---- nic_ops ---- */

static uint32_t next(struct dev *d, uint8_t *buf)
{
	struct virtio_net *n = (struct virtio_net *)d;
	uint32_t head = header_len(n);

	while (virtio_pop(&n->v, TX, &n->chain)) {
		uint64_t len = n->chain.out_len;

		if (len > head && len - head <= FRAME_MAX &&
		    virtio_get(&n->v, &n->chain, head, buf, len - head)) {
			n->head = n->chain.head;
			virtio_unpop(&n->v, TX);
			return (uint32_t)(len - head);
		}
		virtio_push(&n->v, TX, n->chain.head, 0); /* no frame, or too long a one */
	}
	return 0;
}

static void sent(struct dev *d)
{
	struct virtio_net *n = (struct virtio_net *)d;

	n->v.vq[TX].next++;
	n->v.vq[TX].taken++;
	virtio_push(&n->v, TX, n->head, 0);
}

static bool receive(struct dev *d, const uint8_t *frame, uint32_t len)
{
	struct virtio_net *n = (struct virtio_net *)d;
	uint8_t header[HEADER] = { [NUM_BUFFERS] = 1 };
	uint32_t head = header_len(n);
	bool ok;

	if (!virtio_ready(&n->v, RX))
		return true;
	if (!virtio_pop(&n->v, RX, &n->chain))
		return !virtio_ready(&n->v, RX);
	ok = virtio_put(&n->v, &n->chain, 0, header, head) && virtio_put(&n->v, &n->chain, head, frame, len);
	virtio_push(&n->v, RX, n->chain.head, ok ? head + len : 0);
	return true;
}

static const struct nic_ops ops = { next, sent, receive };

/* ---- the device ---- */

static void notify(struct virtio *v, unsigned queue)
{
	struct virtio_net *n = (struct virtio_net *)v;

	if (queue == TX)
		nic_transmit(&n->nic);
	else
		nic_take(&n->nic);
}

static void reset(struct virtio *v)
{
	nic_reset(&((struct virtio_net *)v)->nic);
}

static const struct virtio_type type = {
	.name = "Virtio network device",
	.id = 1,
	.class_code = 0x020000,
	.nqueues = QUEUES,
	.queue_size = { QUEUE_SIZE, QUEUE_SIZE },
	.features = F_MAC,
	.config_len = MAC,
	.reset = reset,
	.notify = notify,
};

static bool net_open(struct dev *d, char *err, size_t errlen)
{
	struct virtio_net *n = (struct virtio_net *)d;
	const struct nic_link *link = d->config;

	if (!virtio_open(&n->v, &type, err, errlen))
		return false;
	if (link->rom && !pci_rom(&n->v.f, link->rom, err, errlen)) {
		virtio_fini(&n->v);
		return false;
	}
	gpr_copy(n->v.config, link->mac, MAC);
	nic_join(d->board->nics, &n->nic, d, &ops);
	return true;
}

static void net_fini(struct dev *d)
{
	struct virtio_net *n = (struct virtio_net *)d;

	nic_leave(d->board->nics, &n->nic);
	virtio_fini(&n->v);
}

/* Frames on the way were not saved. */
static void net_loaded(struct dev *d)
{
	struct virtio_net *n = (struct virtio_net *)d;

	nic_reset(&n->nic);
	if (virtio_ready(&n->v, TX))
		nic_transmit(&n->nic);
}

const struct dev_class virtio_net_class = {
	.name = "virtio-net",
	.help = "virtio network device",
	.size = sizeof(struct virtio_net),
	.gpr_only = GPR_ONLY_BUILD,
	.hosted = true,
	DEV_FIELDS(fields),
	.open = net_open,
	.reset = virtio_reset,
	.fini = net_fini,
	.loaded = net_loaded,
	.mmio_read = virtio_read,
	.mmio_write = virtio_write,
};
