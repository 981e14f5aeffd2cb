/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtio network device against arbitrary drivers. Input: operations of eight bytes (what, size, 16 bits
 * of address, 32 bits of value): its registers of both kinds, rings and descriptors in guest memory that lead
 * anywhere, frames that arrive, time, switches of hosted I/O; and while a frame is on its way to the link the
 * guest changes what described it. After all that a driver that keeps to the rules must be served again. The
 * cable leads to nobody, and the engine is a script that never runs. */
#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OP = 8, MAX_OPS = 1024, MEMORY = 2 << 20, PATIENCE_MS = 10000 };
enum { RX, TX, QUEUES, ENTRIES = 16, HEADER = 12 };
/* Of queue N: descriptors, rings; then indirect tables and buffers. */
enum { RINGS = 0x10000, STRIDE = 0x4000, AVAIL = 0x1000, USED = 0x2000, TABLE = 0x18000, BUFFERS = 0x20000 };
enum { LEGACY_BAR = 0, BAR = 4, NOTIFY = 0x3000, NEXT = 1, WRITE = 2, DRIVER_OK = 15, NEEDS_RESET = 0x40 };

/* The guest's memory changes while the device sends: a word at AT becomes VAL. */
struct change {
	struct machine *m;
	gpa at;
	uint32_t val;
};

static void memory(struct machine *m, gpa at, const void *p, unsigned n)
{
	if (!mm_phys_write(m->vm, at, p, n))
		abort();
}

static void on_the_way(void *ctx, struct nic *k, bool sent, uint32_t len)
{
	const struct change *c = ctx;

	(void)k, (void)sent, (void)len;
	memory(c->m, c->at, &c->val, sizeof(c->val));
}

/* Addresses: rings and tables, memory and its end, ROM, device memory, nowhere, wrapping around. */
static uint64_t place(const struct virtio *v, uint32_t val)
{
	const uint64_t places[] = {
		BUFFERS + (val >> 4 & 0xffff),	 RINGS + (val >> 4 & 0x7fff),
		TABLE + (val >> 4 & 0xff) * 16,	 MEMORY - (val >> 4 & 0xfff),
		0xf0000 + (val >> 4 & 0xffff),	 v->f.mapped[val >> 4 & 1 ? 1 : 4] + (val >> 5 & 0xfff),
		0xfee00000 + (val >> 4 & 0xfff), 0xd0000000 + (val >> 4 & 0xfff),
		UINT64_MAX - (val >> 4 & 0xfff), (uint64_t)val << 16
	};

	return places[(val & 15) % ARRAY_LEN(places)];
}

static void reg(struct virtio *v, unsigned at, unsigned n, uint64_t val)
{
	virtio_write(&v->d, BAR, at, n, val);
}

static void start_modern(struct virtio *v, uint32_t features)
{
	reg(v, 8, 4, 1);
	reg(v, 12, 4, 1);
	reg(v, 8, 4, 0);
	reg(v, 12, 4, features);
	for (unsigned q = 0; q < QUEUES; q++) {
		reg(v, 22, 2, q);
		reg(v, 24, 2, ENTRIES);
		reg(v, 26, 2, features & 3);
		reg(v, 32, 4, RINGS + q * STRIDE);
		reg(v, 40, 4, RINGS + q * STRIDE + AVAIL);
		reg(v, 48, 4, RINGS + q * STRIDE + USED);
		reg(v, 28, 2, 1);
	}
	reg(v, 20, 1, DRIVER_OK);
}

static void start_legacy(struct virtio *v, uint32_t features)
{
	virtio_write(&v->d, LEGACY_BAR, 4, 4, features);
	for (unsigned q = 0; q < QUEUES; q++) {
		virtio_write(&v->d, LEGACY_BAR, 14, 2, q);
		virtio_write(&v->d, LEGACY_BAR, 8, 4, (RINGS + q * STRIDE) >> PAGE_SHIFT);
	}
	virtio_write(&v->d, LEGACY_BAR, 18, 1, 7);
}

/* Set the device up as a driver does: bit 4 of HOW is a driver from before 1.0, the others are features. */
static void start_driver(struct machine *m, struct virtio *v, uint32_t how)
{
	static const uint8_t zero[STRIDE * QUEUES];

	memory(m, RINGS, zero, sizeof(zero));
	reg(v, 20, 1, 0);
	v->f.cfg[PCI_COMMAND] = PCI_IO | PCI_MEMORY | PCI_MASTER;
	v->f.cfg[v->f.cap_msix + 3] = how & 4 ? 0x80 : 0;
	if (how & 16)
		start_legacy(v, how);
	else
		start_modern(v, how);
}

static unsigned entries(const struct virtio *v, unsigned q)
{
	return v->vq[q].size ? v->vq[q].size : ENTRIES;
}

/* Make the chain at HEAD available in QUEUE, and say so. */
static void offer(struct machine *m, struct virtio *v, unsigned q, uint16_t head)
{
	gpa avail = v->features & VIRTIO_1 ? RINGS + q * STRIDE + AVAIL : v->vq[q].avail;
	uint16_t index = 0;

	if (!mm_phys_read(m->vm, avail + 2, &index, 2))
		return;
	mm_phys_write(m->vm, avail + 4 + 2 * (index % entries(v, q)), &head, 2);
	index++;
	mm_phys_write(m->vm, avail + 2, &index, 2);
	reg(v, NOTIFY + 4 * q, 2, q);
}

/* A descriptor: in a queue's table, or in the one for indirect ones. */
static void descriptor(struct machine *m, const struct virtio *v, uint8_t size, uint16_t at, uint32_t val)
{
	static const uint32_t lengths[] = { 1, HEADER, 60, 1514, 2048, 0, 16 * 17, UINT32_MAX };
	gpa table = at & 0x8000 ? TABLE : RINGS + (at >> 14 & 1) * STRIDE;
	uint64_t d[2] = { place(v, val), lengths[size & 7] };

	d[1] |= (uint64_t)(at >> 6 & 7) << 32 | (uint64_t)(val >> 24 & 31) << 48;
	memory(m, table + (at & 31) * 16, d, sizeof(d));
}

/* A chain of two that looks right: the header, then the frame, which lies anywhere. */
static void request(struct machine *m, struct virtio *v, uint8_t size, uint16_t at, uint32_t val)
{
	unsigned q = at & 1;
	uint16_t first = at >> 1 & 14, flags = q == RX ? WRITE : 0;
	uint64_t d[4] = { BUFFERS, (uint64_t)(HEADER - (size >> 7) * 2) | (uint64_t)(flags | NEXT) << 32,
			  place(v, val), (uint64_t)(at >> 5) | (uint64_t)flags << 32 };

	d[1] |= (uint64_t)(first + 1) << 48;
	memory(m, RINGS + q * STRIDE + first * 16, d, sizeof(d));
	offer(m, v, q, first);
}

static void arrive(struct nic *k, uint16_t at, uint32_t val)
{
	uint8_t f[FRAME_MAX];

	memset(f, (int)val, sizeof(f));
	if (frames_put(k->arrived, f, 14 + at % (FRAME_MAX - 13)))
		nic_take(k);
}

static void access_registers(struct machine *m, struct virtio *v, uint8_t how, uint16_t at, uint32_t val)
{
	unsigned size = 1u << how % 3, region = how & 0x80 ? LEGACY_BAR : BAR;
	unsigned reg_at = region == LEGACY_BAR ? at % 128 : at % 0x4000;
	uint64_t wide = val;

	if (how & 0x40)
		virtio_read(&v->d, region, reg_at, size);
	else if (how & 0x20)
		mmio_write(&m->board.mmio, v->f.mapped[at & 1 ? 1 : BAR] + at / 4, &wide, size);
	else
		virtio_write(&v->d, region, reg_at, size, val);
}

static void operation(struct machine *m, struct virtio *v, struct change *c, const uint8_t op[OP])
{
	static const char *const names[] = { "vmm", "combine", "vector" };
	struct nic *k = m->network.nics.first;
	uint16_t at;
	uint32_t val;

	memcpy(&at, op + 2, 2);
	memcpy(&val, op + 4, 4);
	switch (op[0] % 13) {
	case 0:
		start_driver(m, v, val);
		break;
	case 1 ... 2:
		descriptor(m, v, op[1], at, val);
		break;
	case 3 ... 4:
		request(m, v, op[1], at, val);
		break;
	case 5:
		memory(m, RINGS + at % (TABLE + 0x1000 - RINGS), &val, 4);
		break;
	case 6:
		offer(m, v, at & 1, (uint16_t)val % (op[1] & 1 ? ENTRIES : 0x10000));
		break;
	case 7:
		arrive(k, at, val);
		break;
	case 8:
		access_registers(m, v, op[1], at, val);
		break;
	case 9:
		*c = (struct change){ m, RINGS + at % (TABLE + 0x1000 - RINGS), val };
		k->ctx = c;
		k->watch = op[1] & 1 ? on_the_way : NULL;
		break;
	case 10:
		machine_hosted_io(m, names[at % 3], val & 1);
		m->door.host = val & 2;
		v->f.cfg[PCI_COMMAND] = (uint8_t)(PCI_IO | PCI_MEMORY | (val & 12 ? PCI_MASTER : 0));
		break;
	case 11:
		clock_run(&m->board.clock);
		nics_visit(&m->network.nics);
		nics_notice(&m->network.nics, k->link->bit);
		break;
	default:
		if (!(at & 15))
			board_reset(&m->board);
		if (at == 0x8000) /* takes long */
			machine_state_hash(m);
	}
}

static uint16_t used(struct machine *m, unsigned q)
{
	uint16_t n;

	if (!mm_phys_read(m->vm, RINGS + q * STRIDE + USED + 2, &n, 2))
		abort();
	return n;
}

/* Begin anew, and keep to the rules: a frame is sent, another one received. */
static void goes_on(struct machine *m, struct virtio *v)
{
	struct nic *k = m->network.nics.first;
	uint64_t d[2] = { BUFFERS, HEADER + 60 };

	k->watch = NULL;
	m->door.host = true;
	machine_hosted_io(m, "combine", true);
	board_reset(&m->board);
	pci_assign(&m->board);
	start_driver(m, v, 0);
	memory(m, RINGS + TX * STRIDE, d, sizeof(d));
	offer(m, v, TX, 0);
	for (int ms = 0; !used(m, TX) && ms < PATIENCE_MS; ms++) { /* the link may be full */
		usleep(1000);
		nics_notice(&m->network.nics, k->link->bit);
	}
	d[1] |= (uint64_t)WRITE << 32;
	memory(m, RINGS + RX * STRIDE, d, sizeof(d));
	offer(m, v, RX, 0);
	arrive(k, 60 - 14, 0);
	if (used(m, TX) != 1 || used(m, RX) != 1 || (v->status & NEEDS_RESET))
		abort();
}

static struct machine *machine(void)
{
	static struct machine *m;
	struct machine_config cfg = { .memory = MEMORY,
				      .clock = CLOCK_HOST,
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "", text[100];

	if (m)
		return m;
	snprintf(text, sizeof(text), "hub:/tmp/vitrine-fuzz-%d,model=virtio,mac=02:00:00:00:00:01",
		 (int)getpid());
	cfg.net[0] = text;
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	if (!m)
		abort();
	text[strcspn(text, ",")] = 0;
	unlink(text + 4);
	strcat(text, ".lock");
	unlink(text + 4);
	clock_start(&m->board.clock);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine();
	struct virtio *v = (struct virtio *)board_find(&m->board, "net0");
	struct change c = { m, RINGS, 0 };

	m->door.host = true;
	board_reset(&m->board);
	mm_vm_set_rom(m->vm, 0xf0000, 0x10000, true);
	pci_assign(&m->board);
	start_driver(m, v, (uint32_t)VIRTIO_INDIRECT);
	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP) {
		operation(m, v, &c, data);
		m->board.event = EVENT_NONE;
	}
	goes_on(m, v);
	return 0;
}
