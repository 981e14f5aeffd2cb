/* SPDX-License-Identifier: GPL-3.0-or-later
 * Devices against arbitrary sequences of accesses. Input: operations of eight bytes (what, size, 16 bits of
 * address, 32 bits of value): port and memory accesses, input from outside, time that passes, interrupts
 * acknowledged, lines, messages and MSRs of the APIC, resets, and what views ask. The engine is a script that
 * never runs. */
#include "hv/machine_int.h"
#include "tests/fuzz/fuzz.h"
#include "tests/hv/fake_engine.h"
#include "x86/msrs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { OP = 8, MAX_OPS = 4096, DISK = 64 << 10, FLOPPY = 1440 << 10, MAX_NS = 1 << 28, MAX_TIMERS = 2000 };

static void on_serial(void *ctx, const uint8_t *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*(uint8_t *)ctx ^= buf[i];
}

/* Let NS of guest time pass and fire the timers that are due. */
static void advance(struct machine *m, uint64_t ns)
{
	struct vm_clock *c = &m->board.clock;
	uint64_t end = clock_now(c) + ns;

	for (unsigned i = 0; i < MAX_TIMERS && clock_next(c) <= end; i++) {
		if (clock_next(c) > clock_now(c))
			m->v->icount += clock_next(c) - clock_now(c);
		clock_run(c);
	}
	if (end > clock_now(c))
		m->v->icount += end - clock_now(c);
}

/* A register of local APIC, IO-APIC or HPET, or near one. */
static gpa apic_address(uint16_t at)
{
	gpa off = at >> 2;

	switch (at & 3) {
	case 0:
		return HPET_AT + (off & 0xff) * 4;
	case 1:
		return IOAPIC_AT + (off & 0x10) + (off & 0x20) * 2 + (off & 3);
	default:
		return LAPIC_AT + (off & 0x7f) * 16 + (off >> 7 & 15) % 5;
	}
}

/* An MSR of the local APIC: IA32_APIC_BASE with values that cpu/msr.c lets through, or one of its own. */
static void apic_msr(struct machine *m, uint16_t at, uint64_t val)
{
	const struct platform *p = &m->v->plat;
	uint64_t seen;

	if (at & 0x8000)
		p->wrmsr(p->ctx, MSR_APIC_BASE, (val & 0xf00000) << 8 | (val & 0xc00) | APIC_BASE_BSP);
	else if (at & 0x4000)
		p->wrmsr(p->ctx, MSR_TSC_DEADLINE,
			 at & 1 ? val : clock_tsc(&m->board.clock) + (val & 0xffff));
	else if (at & 0x2000)
		p->rdmsr(p->ctx, MSR_X2APIC + (at & 0x3f), &seen);
	else
		p->wrmsr(p->ctx, MSR_X2APIC + (at & 0x3f), val >> (at >> 6 & 31));
}

/* Lines, messages, the NMI button. */
static void interrupt(struct board *b, uint16_t at, uint32_t val)
{
	if (at & 1)
		board_irq_from(b, (at >> 1) % IRQ_SOURCES, (at >> 4) % IRQ_LINES, val & 1);
	else if (at & 2)
		board_msi(b, MSI_FIRST + ((gpa)at << 4), val);
	else
		board_nmi(b);
}

/* An address of a device, or near one, from 16 bits: VGA's memory, or the top of the address space. */
static gpa mmio_address(uint16_t at)
{
	return at & 1 ? 0xa0000 + (gpa)(at >> 1) * 4 : 0xfffffff0u + (at >> 1 & 31);
}

static void input(struct machine *m, enum board_slot slot, enum arrival_kind kind, uint32_t val)
{
	struct dev *d = m->board.dev[slot];
	uint8_t bytes[4];

	memcpy(bytes, &val, 4);
	if (d->cls->accept(d, kind, bytes, sizeof(bytes)) > sizeof(bytes))
		abort();
}

static void forget_row(struct row_sink *s, const struct value *v)
{
	(void)s, (void)v;
}

static void views(struct machine *m)
{
	struct row_sink none = { .row = forget_row };
	struct picture p;
	struct vga_text t;

	for (unsigned i = 0; i < ARRAY_LEN(irq_views); i++)
		irq_views[i].rows(m, "", &none);
	vga_text(m->board.dev[SLOT_vga], &t);
	if (t.columns > VGA_COLUMNS || t.lines > VGA_LINES)
		abort();
	machine_picture(m, &p);
	free(p.rgb);
}

static void operation(struct machine *m, const uint8_t op[OP])
{
	unsigned size = 1u << op[1] % 3;
	struct board *b = &m->board;
	uint64_t wide = 0;
	uint16_t at;
	uint32_t val;

	memcpy(&at, op + 2, 2);
	memcpy(&val, op + 4, 4);
	switch (op[0] % 16) {
	case 0 ... 3:
		bus_out(&b->bus, at, size, val);
		break;
	case 4 ... 5:
		bus_in(&b->bus, at, size);
		break;
	case 6:
		wide = val * 0x100000001ull;
		mmio_write(&b->mmio, mmio_address(at), &wide, size << (op[1] >> 7));
		break;
	case 7:
		mmio_read(&b->mmio, mmio_address(at), &wide, size << (op[1] >> 7));
		break;
	case 8:
		input(m, at & 1 ? SLOT_com1 : SLOT_kbd, at & 1 ? ARRIVAL_SERIAL : ARRIVAL_KEYS, val);
		break;
	case 9:
		advance(m, val % MAX_NS);
		break;
	case 10:
		if (b->intr && (board_irq_ack(b) & ~0xff))
			abort();
		break;
	case 12:
		wide = val * 0x100000001ull;
		mmio_write(&b->mmio, apic_address(at), &wide, size << (op[1] >> 7));
		break;
	case 13:
		mmio_read(&b->mmio, apic_address(at), &wide, size << (op[1] >> 7));
		break;
	case 14:
		apic_msr(m, at, val * 0x100000001ull);
		break;
	case 15:
		interrupt(b, at, val);
		break;
	default:
		m->v->cpu.gpr[at & 7] = val;
		m->v->cpu.seg[at >> 3 & 3].base = (at & 0xfff0u) << 4;
		if (!(at & 15))
			board_reset(b);
		if (!(at & 31))
			views(m);
		if (at == 0x8000) /* takes long */
			machine_state_hash(m);
	}
}

/* The machine for all inputs of a process, as making one takes long. Each begins with a reset, which leaves
 * memory as it is. */
static struct machine *machine(void)
{
	static char floppy[32], disk[32], disk2[32], cd[32];
	static uint8_t sum;
	static struct machine *m;
	struct machine_config cfg = {
		.memory = 2 << 20,
		.clock = CLOCK_ICOUNT,
		.serial_out = on_serial,
		.serial_ctx = &sum,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";

	if (!m) {
		cfg.image.floppy[0].file = memory_file(floppy, FLOPPY);
		cfg.image.disk[0].file = memory_file(disk, DISK);
		cfg.image.disk[1] =
		    (struct drive_config){ .file = memory_file(disk2, DISK), .read_only = true };
		cfg.image.cdrom.file = memory_file(cd, DISK);
		m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	}
	if (!m)
		abort();
	cpu_reset(&m->v->cpu);
	board_reset(&m->board);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = machine();

	for (size_t n = 0; size >= OP && n < MAX_OPS; n++, data += OP, size -= OP) {
		operation(m, data);
		m->board.event = EVENT_NONE;
	}
	return 0;
}
