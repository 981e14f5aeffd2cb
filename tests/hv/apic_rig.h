/* SPDX-License-Identifier: GPL-3.0-or-later
 * A machine for tests of interrupt controllers and timers: registers in memory and MSRs as the processor
 * accesses them. Time is the icount clock's: 1 ns an instruction. */
#ifndef TESTS_HV_APIC_RIG_H
#define TESTS_HV_APIC_RIG_H
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"
#include "tests/suite.h"
#include "x86/msrs.h"

static struct machine *m;

static inline struct machine *rig_make(const char *cpu)
{
	struct machine_config cfg = {
		.memory = 2 << 20,
		.clock = CLOCK_ICOUNT,
		.cpu_model = cpu,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";
	struct machine *r = machine_new(&cfg, fake_new, NULL, err, sizeof(err));

	ck_assert_msg(r, "%s", err);
	return r;
}

static inline void setup(void)
{
	m = rig_make("max");
}

static inline void teardown(void)
{
	machine_free(m);
}

static inline uint64_t rd(gpa a, unsigned size)
{
	uint64_t v = 0;

	mmio_read(&m->board.mmio, a, &v, size);
	return v;
}

static inline void wr(gpa a, unsigned size, uint64_t v)
{
	mmio_write(&m->board.mmio, a, &v, size);
}

/* Local APIC register N, entry PIN of the IO-APIC. */
static inline uint32_t apic(unsigned n)
{
	return (uint32_t)rd(LAPIC_AT + 16 * n, 4);
}

static inline void set_apic(unsigned n, uint32_t v)
{
	wr(LAPIC_AT + 16 * n, 4, v);
}

static inline uint32_t io(unsigned n)
{
	wr(IOAPIC_AT, 4, n);
	return (uint32_t)rd(IOAPIC_AT + 0x10, 4);
}

static inline void set_io(unsigned n, uint32_t v)
{
	wr(IOAPIC_AT, 4, n);
	wr(IOAPIC_AT + 0x10, 4, v);
}

static inline void route(unsigned pin, uint64_t entry)
{
	set_io(0x11 + 2 * pin, (uint32_t)(entry >> 32));
	set_io(0x10 + 2 * pin, (uint32_t)entry);
}

static inline bool rdmsr(uint32_t n, uint64_t *v)
{
	return m->v->plat.rdmsr(m->v->plat.ctx, n, v);
}

static inline bool wrmsr(uint32_t n, uint64_t v)
{
	return m->v->plat.wrmsr(m->v->plat.ctx, n, v);
}

/* Acknowledge what INTR announces: the vector; -1: nothing is announced. */
static inline int take(void)
{
	return m->board.intr ? board_irq_ack(&m->board) : -1;
}

/* Let NS of guest time pass and fire the timers that are due. */
static inline void advance(uint64_t ns)
{
	fake_advance(m, ns);
}

/* No interrupts but those a test makes: timer and RTC of the board are off. */
static inline void quiet(void)
{
	bus_out(&m->board.bus, 0x21, 1, 0xff);
	bus_out(&m->board.bus, 0xa1, 1, 0xff);
}
#endif
