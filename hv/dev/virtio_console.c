/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio console with one port (Virtual I/O Device 1.2, 5.3): hvc0 of a Linux guest. Its output goes where
 * that of the serial port goes; what arrives for it waits until the driver has buffers. Before the queues are
 * set up a kernel can print by a register of the configuration ("emergency write"). */
#include <string.h>

#include "hv/dev/virtio.h"
#include "hv/device_options.h"

enum { RX, TX, QUEUES, QUEUE_SIZE = 64, CHUNK = 512, IN_MAX = 4096 };
enum { C_PORTS = 4, C_EMERGENCY = 8, C_LEN = 12 };
#define WRITE_MAX (1u << 20) /* bytes of a chain */
#define F_EMERGENCY (1ull << 2)

struct virtio_console {
	struct virtio v;
	uint8_t in[IN_MAX]; /* arrived, not yet the guest's */
	uint32_t in_len;
	uint64_t received, sent, dropped;
	struct virtio_chain chain; /* the one being looked at */
};

static const struct state_field fields[] = {
	F_VIRTIO(virtio_console, v),
	F_AT_(virtio_console, in, .size = IN_MAX, .kind = FIELD_HEX, .unhashed = true),
	F_AT_(virtio_console, in_len, .size = 4, .unhashed = true, .max = IN_MAX),
	F_COUNTER(virtio_console, received),
	F_COUNTER(virtio_console, sent),
	F_COUNTER(virtio_console, dropped),
};
static const struct dev_counter counters[] = {
	{ "received", offsetof(struct virtio_console, received), "bytes that the guest has got" },
	{ "sent", offsetof(struct virtio_console, sent), "bytes that the guest has printed" },
	{ "dropped", offsetof(struct virtio_console, dropped), "bytes of writes that were too long" },
};

/* ---- output ---- */

static void print(struct virtio_console *x, const uint8_t *buf, size_t n)
{
	const struct machine_config *cfg = x->v.d.board->cfg;

	if (cfg->serial_out)
		cfg->serial_out(cfg->serial_ctx, buf, n);
	x->sent += n;
}

/* False: the chain leads to where there is no memory. */
static bool print_chain(struct virtio_console *x)
{
	uint64_t len = x->chain.out_len < WRITE_MAX ? x->chain.out_len : WRITE_MAX;
	uint8_t buf[CHUNK];

	for (uint64_t done = 0, n; done < len; done += n) {
		n = len - done < CHUNK ? len - done : CHUNK;
		if (!virtio_get(&x->v, &x->chain, done, buf, n))
			return false;
		print(x, buf, n);
	}
	x->dropped += x->chain.out_len - len;
	return true;
}

/* At most as many as the queue has entries: a driver whose rings overlap would never end. */
static void transmit(struct virtio_console *x)
{
	for (unsigned i = 0; i < QUEUE_SIZE && virtio_pop(&x->v, TX, &x->chain); i++) {
		if (!print_chain(x)) {
			virtio_break(&x->v, "output where there is no memory");
			return;
		}
		virtio_push(&x->v, TX, x->chain.head, 0);
	}
}

/* ---- input ---- */

static void deliver(struct virtio_console *x)
{
	for (unsigned i = 0; i < QUEUE_SIZE && x->in_len && virtio_pop(&x->v, RX, &x->chain); i++) {
		uint32_t n = x->chain.in_len < x->in_len ? (uint32_t)x->chain.in_len : x->in_len;

		if (!virtio_put(&x->v, &x->chain, 0, x->in, n)) {
			virtio_break(&x->v, "a buffer where there is no memory");
			return;
		}
		x->in_len -= n;
		memmove(x->in, x->in + n, x->in_len);
		x->received += n;
		virtio_push(&x->v, RX, x->chain.head, n);
	}
}

static size_t take_input(struct dev *d, enum arrival_kind kind, const uint8_t *data, size_t n)
{
	struct virtio_console *x = (struct virtio_console *)d;

	(void)kind;
	n = n < IN_MAX - x->in_len ? n : IN_MAX - x->in_len;
	memcpy(x->in + x->in_len, data, n);
	x->in_len += (uint32_t)n;
	deliver(x);
	return n;
}

/* ---- the device ---- */

static void notify(struct virtio *v, unsigned queue)
{
	struct virtio_console *x = (struct virtio_console *)v;

	if (queue == TX)
		transmit(x);
	else
		deliver(x);
}

static void config_written(struct virtio *v, unsigned off, unsigned n)
{
	static const uint8_t config[C_LEN] = { [C_PORTS] = 1 };

	if (off <= C_EMERGENCY && off + n > C_EMERGENCY)
		print((struct virtio_console *)v, &v->config[C_EMERGENCY], 1);
	memcpy(v->config, config, sizeof(config));
}

static const struct virtio_type type = {
	.name = "Virtio console",
	.id = 3,
	.class_code = 0x078000,
	.nqueues = QUEUES,
	.queue_size = { QUEUE_SIZE, QUEUE_SIZE },
	.features = F_EMERGENCY,
	.config_len = C_LEN,
	.notify = notify,
	.config_written = config_written,
};

static bool open_console(struct dev *d, char *err, size_t errlen)
{
	struct virtio *v = (struct virtio *)d;

	v->config[C_PORTS] = 1;
	return device_options(d->config, NULL, 0, NULL, err, errlen) && virtio_open(v, &type, err, errlen);
}

static void reset(struct dev *d)
{
	virtio_reset(d);
	((struct virtio_console *)d)->in_len = 0;
}

static void fini(struct dev *d)
{
	virtio_fini((struct virtio *)d);
}

const struct dev_class virtio_console_class = {
	.name = "virtio-console",
	.help = "virtio console: hvc0 of a Linux guest",
	.size = sizeof(struct virtio_console),
	.hosted = true,
	DEV_FIELDS(fields),
	DEV_COUNTERS(counters),
	.open = open_console,
	.reset = reset,
	.fini = fini,
	.accept = take_input,
	.mmio_read = virtio_read,
	.mmio_write = virtio_write,
};
