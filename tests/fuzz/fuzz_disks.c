/* SPDX-License-Identifier: GPL-3.0-or-later
 * IDE and floppy controller, their DMA, and the drives behind them against arbitrary accesses. Input:
 * operations of eight bytes (what, register, 16 bits, 32 bits of value), on registers of these devices alone;
 * series of data words; tables in memory; time that passes. With an odd number of operations the clock is the
 * host's, and short requests complete at once. */
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OP = 8, MAX_OPS = 2048, MEMORY = 1 << 20, MAX_WORDS = 5000, MAX_TIMERS = 64 };
enum { DISK = 3 << 20, CD = 1 << 20, FLOPPY = 1440 << 10, BM = 0xc100, TABLE = 0x1000 };

/* Ports that an operation names by an index. */
static const uint16_t ports[] = {
	0x1f1,	 0x1f2,	  0x1f3, 0x1f4, 0x1f5, 0x1f6, 0x1f7, 0x3f6, 0x171, 0x172,  0x173,  0x174,
	0x175,	 0x176,	  0x177, 0x376, 0x3f0, 0x3f1, 0x3f2, 0x3f3, 0x3f4, 0x3f5,  0x3f7,  0x004,
	0x005,	 0x008,	  0x00a, 0x00b, 0x00c, 0x00d, 0x00f, 0x081, BM,	   BM + 2, BM + 4, BM + 8,
	BM + 10, BM + 12, 0x000, 0x0c0, 0x0d4, 0x0d6, 0x0d8, 0x0da, 0x0de, 0x08b,  0x002,  0x0c4,
};

static void advance(struct machine *m)
{
	struct vm_clock *c = &m->board.clock;

	for (unsigned i = 0; i < MAX_TIMERS && c->head && clock_next(c) < clock_now(c) + (1u << 28); i++) {
		if (clock_next(c) > clock_now(c))
			m->v->icount += clock_next(c) - clock_now(c);
		clock_run(c);
	}
}

static void words(struct machine *m, uint16_t port, unsigned n, uint32_t val, bool write)
{
	unsigned size = val & 1 ? 4 : 2;

	for (n %= MAX_WORDS; n; n--, val = val * 69069 + 1)
		if (write)
			bus_out(&m->board.bus, port, size, val);
		else
			bus_in(&m->board.bus, port, size);
}

static void configure(struct machine *m, unsigned reg, uint32_t val)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000900u | (reg & 0xfc));
	bus_out(&m->board.bus, 0xcfc, 4, val);
}

static void operation(struct machine *m, const uint8_t op[OP])
{
	uint16_t port = ports[op[1] % ARRAY_LEN(ports)], n;
	struct bus *bus = &m->board.bus;
	uint32_t val;

	memcpy(&n, op + 2, 2);
	memcpy(&val, op + 4, 4);
	switch (op[0] % 12) {
	case 0 ... 3:
		bus_out(bus, port, 1, val & 0xff);
		break;
	case 4:
		bus_in(bus, port, 1);
		break;
	case 5:
		bus_out(bus, port, 4, val);
		break;
	case 6:
		words(m, op[1] & 1 ? 0x170 : 0x1f0, n, val, false);
		break;
	case 7:
		words(m, op[1] & 1 ? 0x170 : 0x1f0, n, val, true);
		break;
	case 8:
		advance(m);
		break;
	case 9:
		mm_phys_write(m->vm, TABLE + n % 256 * 4, &val, 4);
		break;
	case 10:
		configure(m, op[1] & 1 ? 4 : op[2], val);
		break;
	default:
		if (!(op[1] & 15))
			board_reset(&m->board);
		else if (op[1] & 1)
			drives_drain(&m->loader.drives);
	}
}

/* The machine for all inputs of a process, one for each clock: each input begins with a reset. */
static struct machine *machine(enum clock_mode clock)
{
	static char floppy[2][32], disk[2][32], cd[32];
	static struct machine *machines[2];
	struct machine *m = machines[clock == CLOCK_ICOUNT];
	struct machine_config cfg = {
		.memory = 2 * MEMORY,
		.clock = clock,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";

	if (!m) {
		cfg.image.floppy[0].file = memory_file(floppy[0], FLOPPY);
		cfg.image.floppy[1] =
		    (struct drive_config){ .file = memory_file(floppy[1], 700000), .read_only = true };
		cfg.image.disk[0].file = memory_file(disk[0], DISK);
		cfg.image.disk[1] =
		    (struct drive_config){ .file = memory_file(disk[1], DISK), .overlay = "temp" };
		cfg.image.cdrom.file = memory_file(cd, CD);
		m = machines[clock == CLOCK_ICOUNT] = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	}
	if (!m) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	cpu_reset(&m->v->cpu);
	board_reset(&m->board);
	configure(m, 0x20, BM);
	configure(m, 4, 5);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine(size / OP & 1 ? CLOCK_HOST : CLOCK_ICOUNT);

	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP) {
		operation(m, data);
		m->board.event = EVENT_NONE;
	}
	drives_drain(&m->loader.drives);
	return 0;
}
