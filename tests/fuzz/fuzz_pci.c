/* SPDX-License-Identifier: GPL-3.0-or-later
 * PCI functions and virtqueues against arbitrary drivers. Input: operations of eight bytes (what, size, 16
 * bits of address, 32 bits of value): configuration space, registers wherever they are, memory with rings and
 * descriptors (addresses of every kind), notifications, completions, resets. The engine is a script that
 * never runs; the drive is a file in memory. */
#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OP = 8, MAX_OPS = 4096, DISK = 64 << 10, RINGS = 0x10000, TABLE = 0x18000, MEMORY = 2 << 20 };
enum { WORDS = 0x4000 /* of memory that operations write */ };

/* Addresses: memory and its end, the rings themselves, ROM, device memory, nowhere, wrapping around. */
static uint64_t place(const struct virtio *v, uint32_t val)
{
	const uint64_t places[] = {
		RINGS + (val >> 4 & 0xfff),	 TABLE + (val >> 4 & 0xff) * 16,
		0x80000 + (val >> 4 & 0xfffff),	 MEMORY - (val >> 4 & 0x3ff),
		0xf0000 + (val >> 4 & 0xffff),	 v->f.mapped[val >> 4 & 1 ? 1 : 4] + (val >> 5 & 0xfff),
		0xfee00000 + (val >> 4 & 0xfff), 0xd0000000 + (val >> 4 & 0xfff),
		UINT64_MAX - (val >> 4 & 0xfff), (uint64_t)val << 16
	};

	return places[(val & 15) % ARRAY_LEN(places)];
}

/* Set the device up as a driver does, with the features FEATURES. */
static void start_driver(struct machine *m, struct virtio *v, uint32_t features)
{
	struct bus *bus = &m->board.bus;
	uint8_t *cfg = v->f.cfg;

	pci_assign(&m->board);
	bus_out(bus, 0xcf8, 4, 0x80000000u | (uint32_t)v->f.devfn << 8 | PCI_COMMAND);
	bus_out(bus, 0xcfc, 2, PCI_IO | PCI_MEMORY | (features & 8 ? 0 : PCI_MASTER));
	if (features & 4)
		cfg[v->f.cap_msix + 3] |= 0x80;
	virtio_write(&v->d, 4, 20, 1, 0);
	virtio_write(&v->d, 4, 8, 4, 1);
	virtio_write(&v->d, 4, 12, 4, features & 1);
	virtio_write(&v->d, 4, 8, 4, 0);
	virtio_write(&v->d, 4, 12, 4, features | (uint32_t)VIRTIO_INDIRECT);
	virtio_write(&v->d, 4, 22, 2, 0);
	virtio_write(&v->d, 4, 24, 2, 16u << (features >> 8 & 3));
	virtio_write(&v->d, 4, 26, 2, features >> 10 & 3);
	virtio_write(&v->d, 4, 32, 4, RINGS);
	virtio_write(&v->d, 4, 40, 4, RINGS + 0x1000);
	virtio_write(&v->d, 4, 48, 4, RINGS + 0x2000);
	virtio_write(&v->d, 4, 28, 2, 1);
	virtio_write(&v->d, 4, 20, 1, 15);
}

static void memory(struct machine *m, uint64_t at, const void *p, unsigned n)
{
	if (!mm_phys_write(m->vm, at, p, n))
		abort();
}

/* A descriptor: in the queue's table, or in the one for indirect ones. */
static void descriptor(struct machine *m, const struct virtio *v, uint8_t size, uint16_t at, uint32_t val)
{
	static const uint32_t lengths[] = { 1, 16, 512, 4096, 0, 17, UINT32_MAX, 0xfffffff0 };
	uint64_t d[2] = { place(v, val), lengths[size & 7] };

	d[1] |= (uint64_t)(at >> 6 & 7) << 32 | (uint64_t)(val >> 24 & 31) << 48;
	memory(m, (at & 0x8000 ? TABLE : RINGS) + (at & 31) * 16, d, sizeof(d));
}

/* A chain that looks right, of type VAL: it reaches further. */
static void request(struct machine *m, struct virtio *v, uint8_t size, uint16_t at, uint32_t val)
{
	uint32_t head[4] = { val & 15, 0, at & 127, val & 0x100 ? UINT32_MAX : 0 };
	uint64_t to = place(v, val >> 9), d[6];
	uint16_t index = v->vq[0].next, slot = v->vq[0].size ? index % v->vq[0].size : 0, first = 0;

	d[0] = 0x20000;
	d[1] = 16 | 1ull << 32 | 1ull << 48;
	d[2] = to;
	d[3] = 512u * (size & 7) | (1ull | (size & 8 ? 2 : 0)) << 32 | 2ull << 48;
	d[4] = 0x20010;
	d[5] = 1 | 2ull << 32;
	memory(m, 0x20000, head, sizeof(head));
	memory(m, RINGS, d, sizeof(d));
	memory(m, RINGS + 0x1000 + 4 + 2 * slot, &first, 2);
	index++;
	memory(m, RINGS + 0x1000 + 2, &index, 2);
	virtio_write(&v->d, 4, 0x3000, 2, 0);
}

static void config_space(struct machine *m, uint8_t size, uint16_t at, uint32_t val)
{
	struct bus *bus = &m->board.bus;

	bus_out(bus, 0xcf8, 4, 0x80000000u | (at & 0x1f00u) | ((at & 3) == 3 ? 0x1800 : 0) | (at & 0xfcu));
	if (size & 0x80)
		bus_in(bus, 0xcfc + (at & 3), 1u << size % 3);
	else
		bus_out(bus, 0xcfc + (at & 3), 1u << size % 3, val);
}

static void view(struct row_sink *s, const struct value *vals)
{
	(void)s, (void)vals;
}

static void operation(struct machine *m, struct virtio *v, const uint8_t op[OP])
{
	unsigned size = 1u << op[1] % 3;
	struct row_sink sink = { .row = view };
	uint64_t wide = 0;
	uint16_t at;
	uint32_t val;

	memcpy(&at, op + 2, 2);
	memcpy(&val, op + 4, 4);
	switch (op[0] % 14) {
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
		memory(m, RINGS + at % WORDS, &val, 4);
		break;
	case 6:
		config_space(m, op[1], at, val);
		break;
	case 7:
		virtio_write(&v->d, op[1] & 0x80 ? 0 : 4, op[1] & 0x80 ? at % 128 : at % 0x4000, size, val);
		break;
	case 8:
		virtio_read(&v->d, op[1] & 0x80 ? 0 : 4, op[1] & 0x80 ? at % 128 : at % 0x4000, size);
		break;
	case 9:
		wide = val;
		mmio_write(&m->board.mmio, v->f.mapped[at & 1 ? 1 : 4] + at / 4, &wide, size);
		mmio_read(&m->board.mmio, v->f.mapped[at & 1 ? 1 : 4] + at / 4, &wide, size);
		break;
	case 10:
		bus_out(&m->board.bus, (uint16_t)(v->f.mapped[0] + at % 128), size, val);
		bus_in(&m->board.bus, (uint16_t)(v->f.mapped[0] + at % 128), size);
		break;
	case 11:
		drives_drain(&m->loader.drives);
		break;
	case 12:
		virtio_write(&v->d, 4, 0x3000 + at % 8, 2, val);
		break;
	default:
		if (!(at & 15))
			board_reset(&m->board);
		if (!(at & 31)) {
			pci_rows(m->board.dev[SLOT_pci], "", &sink);
			pci_region_rows(m->board.dev[SLOT_pci], "", &sink);
			pci_config_rows(m->board.dev[SLOT_pci], "", &sink);
		}
	}
}

/* The machine for all inputs of a process, one for each clock. Each input begins with a reset and memory that
 * is zero where it counts. With an odd number of operations the clock is the host's, and short requests
 * complete at once. */
static struct machine *machine(enum clock_mode clock)
{
	static const uint8_t zero[PAGE_SIZE];
	static struct machine *machines[2];
	struct machine *m = machines[clock == CLOCK_ICOUNT];
	char err[256] = "", name[64];
	struct machine_config cfg = {
		.memory = MEMORY,
		.clock = clock,
		.testdev = true,
		.image = { .blob = fake_guest,
			   .blob_len = sizeof(fake_guest),
			   .disk[0] = { .file = name, .virtio = true } },
	};

	if (!m) {
		int fd = memfd_create("drive", MFD_CLOEXEC);

		if (fd < 0 || ftruncate(fd, DISK))
			abort();
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		m = machines[clock == CLOCK_ICOUNT] = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
		close(fd);
	}
	if (!m) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	board_reset(&m->board);
	mm_vm_set_rom(m->vm, 0xf0000, 0x10000, true);
	for (gpa a = RINGS; a < RINGS + 2 * WORDS; a += PAGE_SIZE)
		memory(m, a, zero, sizeof(zero));
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine(size / OP & 1 ? CLOCK_HOST : CLOCK_ICOUNT);
	struct virtio *v = (struct virtio *)board_find(&m->board, "virtio-blk0");

	start_driver(m, v, 1);
	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP) {
		operation(m, v, data);
		m->board.event = EVENT_NONE;
	}
	drives_drain(&m->loader.drives);
	return 0;
}
