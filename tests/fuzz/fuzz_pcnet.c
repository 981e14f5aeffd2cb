/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCnet against arbitrary drivers. Input: operations of eight bytes (what, size, 16 bits of address, 32
 * bits of value): its registers, guest memory where initialization block and rings are, frames that arrive,
 * time, switches of hosted I/O. The cable leads to nobody, and the engine is a script that never runs. */
#include "hv/dev/pcnet_int.h"
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OP = 8, MAX_OPS = 512, MEMORY = 2 << 20 };

static struct machine *machine(void)
{
	static struct machine *m;
	struct machine_config cfg = { .memory = MEMORY,
				      .clock = CLOCK_HOST,
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[256] = "", text[100];

	if (m)
		return m;
	snprintf(text, sizeof(text), "hub:/tmp/vitrine-fuzz-%d,mac=02:00:00:00:00:01", (int)getpid());
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

/* Registers in either mode: the number first, then the value. */
static void access_register(struct dev *d, uint8_t how, uint16_t at, uint32_t val)
{
	bool wide = ((struct pcnet *)d)->bcr[BCR_BURST] & BURST_DWIO;
	unsigned size = wide ? 4 : 2;

	d->cls->mmio_write(d, 0, 0x10 + size, size, at & 0x7f);
	if (how & 1)
		d->cls->mmio_read(d, how >> 1 & 1, how & 4 ? 0x10 : 0x10 + 3 * size, size);
	else
		d->cls->mmio_write(d, how >> 1 & 1, how & 4 ? 0x10 : 0x10 + 3 * size, size, val);
}

/* Descriptors that look like some: a buffer nearby, OWN and a count. */
static void put_descriptor(struct machine *m, uint16_t at, uint32_t val)
{
	uint32_t w[4] = { val & 0x1ffff8, val & 0xff000fff, val >> 3 & 0x1fffff, val & 0xff000fff };

	mm_phys_write(m->vm, (gpa)at * 8, w, sizeof(w));
}

static void arrive(struct pcnet *p, uint16_t at, uint32_t val)
{
	uint8_t f[FRAME_MAX];
	uint32_t len = 14 + at % (FRAME_MAX - 13);

	memset(f, (int)val, sizeof(f));
	memcpy(f, val & 1 ? (const uint8_t[]){ 2, 0, 0, 0, 0, 1 } : (const uint8_t *)&val, val & 1 ? 6 : 4);
	if (frames_put(p->nic.arrived, f, len))
		nic_take(&p->nic);
}

static void operation(struct machine *m, struct dev *d, const uint8_t op[OP])
{
	static const char *const names[] = { "vmm", "combine", "vector" };
	struct pcnet *p = (struct pcnet *)d;
	uint16_t at;
	uint32_t val;

	memcpy(&at, op + 2, 2);
	memcpy(&val, op + 4, 4);
	switch (op[0] % 12) {
	case 0 ... 3:
		access_register(d, op[1], at, val);
		break;
	case 4:
		access_register(d, 4, 0, val | (op[1] & 1 ? CSR0_STRT | CSR0_TDMD : CSR0_INIT));
		break;
	case 5:
		mm_phys_write(m->vm, (gpa)at * 4, &val, 4);
		break;
	case 6:
		put_descriptor(m, at, val);
		break;
	case 7:
		arrive(p, at, val);
		break;
	case 8:
		d->cls->mmio_read(d, 0, at & 31 & ~(unsigned)3, 1u << op[1] % 3);
		break;
	case 9:
		p->pci.cfg[PCI_COMMAND] = (uint8_t)(val & 3 ? PCI_MASTER | PCI_MEMORY : 0);
		break;
	case 10:
		machine_hosted_io(m, names[at % 3], val & 1);
		m->door.host = val & 2;
		break;
	default:
		clock_run(&m->board.clock);
		nics_visit(&m->network.nics);
		if (val & 1)
			p->poll.fire(p);
		if (at == 0x8000) /* takes long */
			machine_state_hash(m);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine();
	struct dev *d = board_find(&m->board, "net0");
	struct pcnet *p = (struct pcnet *)d;

	m->door.host = true;
	board_reset(&m->board);
	p->pci.cfg[PCI_COMMAND] = PCI_MASTER | PCI_MEMORY;
	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP)
		operation(m, d, data);
	if (p->rx.len > PCNET_RING_MAX || p->tx.len > PCNET_RING_MAX ||
	    (p->rx.len && p->rx.index >= p->rx.len) || (p->tx.len && p->tx.index >= p->tx.len))
		abort();
	return 0;
}
