/* SPDX-License-Identifier: GPL-3.0-or-later
 * Both balloon devices against arbitrary drivers. Input: operations of eight bytes (what, size, 16 bits of
 * page or place, 32 bits of value): calls of VMware's port, pages of entries, touches, targets; the virtio
 * device's registers, its rings and lists in guest memory, time. After all that the books balance, and a
 * driver that keeps to the rules is served. The engine is a script that never runs. */
#include "hv/dev/virtio.h"
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"
#include "x86/paging.h"

#include <stdlib.h>
#include <string.h>

enum { OP = 8, MAX_OPS = 512, PAGES = 2048, MEMORY = PAGES << PAGE_SHIFT, QUEUES = 4, ENTRIES = 16 };
enum {
	BATCHES = 0x20 /* pages of entries */,
	RINGS = 0x40000,
	STRIDE = 0x3000,
	AVAIL = 0x1000,
	USED = 0x2000
};
enum { LISTS = 0x60000, BAR = 4, NOTIFY = 0x3000, DRIVER_OK = 15, NEEDS_RESET = 0x40, GOOD = 1000 };

static uint32_t call(struct machine *m, uint32_t cmd, uint32_t ebx, uint32_t esi)
{
	uint64_t *r = m->v->cpu.gpr;

	r[R_EAX] = 0x456c6d6f;
	r[R_ECX] = cmd;
	r[R_EBX] = ebx;
	r[R_ESI] = esi;
	return bus_in(&m->board.bus, 0x5670, 4);
}

static void memory(struct machine *m, gpa at, const void *p, unsigned n)
{
	if (!mm_phys_write(m->vm, at, p, n))
		abort();
}

/* Page numbers: memory and its end, ROM, device memory, nowhere, and what no number is. */
static uint64_t page(uint32_t val)
{
	const uint64_t places[] = { val >> 4 & (PAGES - 1),
				    512 * (val >> 4 & 3),
				    PAGES - 1 + (val >> 4 & 3),
				    0xf0 + (val >> 4 & 15),
				    0xfee00,
				    0xa0 + (val >> 4 & 31),
				    BATCHES + (val >> 4 & 3),
				    (uint64_t)val << 20 };

	return places[(val & 15) % ARRAY_LEN(places)];
}

/* ---- VMware's ---- */

static void entries(struct machine *m, uint8_t size, uint16_t at, uint32_t val)
{
	uint64_t e[4];

	for (unsigned i = 0; i < 4; i++)
		e[i] = page(val + i * (uint32_t)size) << PAGE_SHIFT | (size & 0x7f);
	memory(m, ((gpa)(BATCHES + (at & 3)) << PAGE_SHIFT) + 8 * (at >> 4 & 127), e, sizeof(e));
}

static void vmware(struct machine *m, const uint8_t op[OP], uint16_t at, uint32_t val)
{
	static const uint32_t counts[] = { 1, 4, 100, 512, 513, UINT32_MAX, 0, 131 };
	uint8_t byte = op[1];

	switch (op[0] >> 4 & 7) {
	case 0:
		m->v->cpu.cr4 = op[1] & 1 ? CR4_PAE : 0;
		call(m, 0, val, 0);
		break;
	case 1:
	case 2:
		call(m, op[1] % 12, (uint32_t)page(val), counts[at & 7]);
		break;
	case 3:
		call(m, 6 + (op[1] & 3), BATCHES + (at & 3), counts[at >> 4 & 7]);
		break;
	case 4:
		entries(m, op[1], at, val);
		break;
	case 5:
		if (page(val) < PAGES)
			mm_phys_write(m->vm, page(val) << PAGE_SHIFT | (at & 0xfff), &byte, 1);
		break;
	case 6:
		atomic_store(&mm_slot(m->vm)->balloon, op[1] & 1 ? val : val % PAGES);
		break;
	default:
		if (op[1] & 1)
			board_reset(&m->board);
		else
			mm_share_range(m->vm, at % PAGES, 16);
	}
}

/* ---- virtio's ---- */

static void reg(struct virtio *v, unsigned at, unsigned n, uint64_t val)
{
	virtio_write(&v->d, BAR, at, n, val);
}

static void start_driver(struct machine *m, struct virtio *v, uint32_t features)
{
	static const uint8_t zero[QUEUES * STRIDE];

	memory(m, RINGS, zero, sizeof(zero));
	reg(v, 20, 1, 0);
	v->f.cfg[PCI_COMMAND] = PCI_MEMORY | PCI_MASTER;
	reg(v, 8, 4, 1);
	reg(v, 12, 4, 1);
	reg(v, 8, 4, 0);
	reg(v, 12, 4, features);
	for (unsigned q = 0; q < QUEUES; q++) {
		reg(v, 22, 2, q);
		reg(v, 24, 2, ENTRIES);
		reg(v, 32, 4, RINGS + q * STRIDE);
		reg(v, 40, 4, RINGS + q * STRIDE + AVAIL);
		reg(v, 48, 4, RINGS + q * STRIDE + USED);
		reg(v, 28, 2, 1);
	}
	reg(v, 20, 1, DRIVER_OK);
}

static void offer(struct machine *m, struct virtio *v, unsigned q, uint16_t head)
{
	gpa ring = RINGS + q * STRIDE + AVAIL;
	uint16_t index = 0;

	if (!mm_phys_read(m->vm, ring + 2, &index, 2))
		abort();
	memory(m, ring + 4 + 2 * (index % ENTRIES), &head, 2);
	index++;
	memory(m, ring + 2, &index, 2);
	reg(v, NOTIFY + 4 * q, 2, q);
}

static void descriptor(struct machine *m, unsigned q, unsigned i, gpa at, uint32_t len, unsigned flags)
{
	uint64_t d[2] = { at, (uint64_t)(i + 1) << 48 | (uint64_t)flags << 32 | len };

	memory(m, RINGS + q * STRIDE + 16 * i, d, sizeof(d));
}

static void virtio(struct machine *m, struct virtio *v, const uint8_t op[OP], uint16_t at, uint32_t val)
{
	static const uint32_t lengths[] = { 4, 64, 30, 4096, 1 << 20, 65540, UINT32_MAX, 0 };
	uint32_t list[4];

	switch (op[0] >> 4 & 7) {
	case 0:
		start_driver(m, v, val);
		break;
	case 1:
		for (unsigned i = 0; i < 4; i++)
			list[i] = (uint32_t)page(val + i * op[1]);
		memory(m, LISTS + (at & 0xff0), list, sizeof(list));
		break;
	case 2:
		descriptor(m, at & 3, at >> 4 & 15,
			   op[1] & 1 ? page(val) << PAGE_SHIFT : LISTS + (val & 0xffc),
			   lengths[op[1] >> 1 & 7], op[1] >> 4 & 7);
		break;
	case 3:
		offer(m, v, at & 3, val & 15);
		break;
	case 4:
		memory(m, RINGS + at % (QUEUES * STRIDE - 4), &val, 4);
		break;
	case 5:
		if (op[1] & 1)
			virtio_read(&v->d, BAR, at % 0x4000, 1u << op[1] % 3);
		else
			reg(v, at % 0x4000, 1u << op[1] % 3, val);
		break;
	case 6:
		atomic_store(&mm_slot(m->vm)->balloon, val);
		fake_advance(m, (uint64_t)(op[1] % 8) * NS_PER_SEC);
		break;
	default:
		if (page(val) < PAGES)
			mm_phys_write(m->vm, page(val) << PAGE_SHIFT | (at & 0xfff), op + 1, 1);
	}
}

/* ---- in the end ---- */

static void check(struct machine *m)
{
	struct mm_books b;

	if (!mm_check(m->vm, true, &b) || mm_slot(m->vm)->ballooned != m->board.balloon.held)
		abort();
}

static void vmware_goes_on(struct machine *m)
{
	atomic_store(&mm_slot(m->vm)->balloon, 5);
	if (call(m, 0, 0x1e, 0) != 0x03000000 || call(m, 2, GOOD, 1) || call(m, 3, GOOD, 1))
		abort();
}

static void virtio_goes_on(struct machine *m, struct virtio *v)
{
	uint32_t pfn = GOOD, before;

	board_reset(&m->board);
	pci_assign(&m->board);
	start_driver(m, v, 0);
	before = m->board.balloon.held;
	memory(m, LISTS, &pfn, 4);
	descriptor(m, 0, 0, LISTS, 4, 0);
	offer(m, v, 0, 0);
	if (m->board.balloon.held != before + 1 || (v->status & NEEDS_RESET))
		abort();
}

static struct machine *machine(bool virtio)
{
	static struct machine *all[2];
	struct machine_config cfg = { .memory = MEMORY,
				      .clock = CLOCK_ICOUNT,
				      .balloon = virtio ? "virtio" : "vmware",
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "";

	if (!all[virtio])
		all[virtio] = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	if (!all[virtio])
		abort();
	return all[virtio];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *a = machine(false), *b = machine(true);
	struct virtio *v = (struct virtio *)board_find(&b->board, "virtio-balloon");
	uint16_t at;
	uint32_t val;

	board_reset(&a->board);
	board_reset(&b->board);
	pci_assign(&b->board);
	mm_vm_set_rom(a->vm, 0xf0000, 0x10000, true);
	mm_vm_set_rom(b->vm, 0xf0000, 0x10000, true);
	start_driver(b, v, UINT32_MAX);
	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP) {
		memcpy(&at, data + 2, 2);
		memcpy(&val, data + 4, 4);
		if (data[0] & 1)
			virtio(b, v, data, at, val);
		else
			vmware(a, data, at, val);
		b->board.event = EVENT_NONE;
	}
	check(a);
	check(b);
	vmware_goes_on(a);
	virtio_goes_on(b, v);
	return 0;
}
