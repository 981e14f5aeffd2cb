/* SPDX-License-Identifier: GPL-3.0-or-later
 * Devices through their ports, run control, clock, with an engine that is a script. Time is the icount
 * clock's, so no test waits. */
#include "tests/suite.h"
#include <cpuid.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "hv/boot/acpi.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"
#include "x86/features.h"
#include "x86/paging.h"

static char sent[4096];
static size_t nsent;

static void on_serial(void *ctx, const uint8_t *buf, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n && nsent < sizeof(sent) - 1; i++)
		sent[nsent++] = (char)buf[i];
	sent[nsent] = 0;
}

static struct machine *m;

enum { PATIENCE_MS = 60000 }; /* limit for waits on another thread */

static struct machine *make(enum clock_mode clock, bool no_reboot, void *script)
{
	struct machine_config cfg = {
		.memory = 2 << 20,
		.clock = clock,
		.no_reboot = no_reboot,
		.serial_out = on_serial,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";
	struct machine *r;

	nsent = 0;
	r = machine_new(&cfg, fake_new, script, err, sizeof(err));
	ck_assert_msg(r, "%s", err);
	return r;
}

static void setup(void)
{
	m = make(CLOCK_ICOUNT, false, NULL);
}
static void teardown(void)
{
	machine_free(m);
}

static void out8(uint16_t port, uint8_t val)
{
	bus_out(&m->board.bus, port, 1, val);
}
static uint8_t in8(uint16_t port)
{
	return (uint8_t)bus_in(&m->board.bus, port, 1);
}

static size_t accept_by(enum board_slot slot, enum arrival_kind kind, const void *data, size_t n)
{
	struct dev *d = m->board.dev[slot];

	return d->cls->accept(d, kind, data, n);
}

/* Let NS of guest time pass and fire the timers that are due. */
static void advance(uint64_t ns)
{
	fake_advance(m, ns);
}

static void unmask_all(void)
{
	out8(0x21, 0);
	out8(0xa1, 0);
}

/* ---- bus ---- */

START_TEST(bus_unanswered)
{
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x1234, 4), 0xffffffff);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x1234, 2), 0xffff);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xffff, 4), 0xffffffff);
	bus_out(&m->board.bus, 0xffff, 4, 0);
	ck_assert_uint_eq(m->board.bus.range[0].reads, 3);
}
END_TEST

START_TEST(bus_split)
{
	out8(0x3fb, 0x1b);
	out8(0x3ff, 0x55);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x3fb, 2) & 0xff, 0x1b);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x3fe, 2) >> 8, 0x55);
}
END_TEST

START_TEST(every_port_survives)
{
	for (unsigned p = 0; p < 65536; p++)
		for (unsigned size = 1; size <= 4; size *= 2) {
			bus_out(&m->board.bus, (uint16_t)p, size, p * 2654435761u);
			bus_in(&m->board.bus, (uint16_t)p, size);
		}
	m->board.event = EVENT_NONE;
	advance(50000000);
}
END_TEST

/* ---- 8259 ---- */

START_TEST(pic_priority_and_eoi)
{
	unmask_all();
	board_irq(&m->board, 4, true);
	board_irq(&m->board, 1, true);
	ck_assert(m->board.intr);
	ck_assert_int_eq(board_irq_ack(&m->board), 8 + 1);
	ck_assert(!m->board.intr); /* 4 is below 1, which is in service */
	out8(0x20, 0x20);
	ck_assert(m->board.intr);
	ck_assert_int_eq(board_irq_ack(&m->board), 8 + 4);
	out8(0x20, 0x20);
	ck_assert(!m->board.intr);
}
END_TEST

START_TEST(pic_cascade)
{
	unmask_all();
	board_irq(&m->board, 14, true);
	ck_assert_int_eq(board_irq_ack(&m->board), 0x70 + 6);
	out8(0x20, 0x0b);
	ck_assert_uint_eq(in8(0x20), 1 << 2);
	out8(0xa0, 0x20);
	out8(0x20, 0x20);
	ck_assert(!m->board.intr);
}
END_TEST

START_TEST(pic_spurious)
{
	unmask_all();
	board_irq(&m->board, 3, true);
	board_irq(&m->board, 3, false);
	ck_assert(!m->board.intr);
	ck_assert_int_eq(board_irq_ack(&m->board), 8 + 7);
	out8(0x20, 0x0b);
	ck_assert_uint_eq(in8(0x20), 0);
}
END_TEST

START_TEST(pic_level)
{
	unmask_all();
	out8(0x4d1, 0x02); /* IRQ 9 */
	board_irq(&m->board, 9, true);
	ck_assert_int_eq(board_irq_ack(&m->board), 0x71);
	out8(0xa0, 0x20);
	out8(0x20, 0x20);
	ck_assert(m->board.intr); /* still asserted */
	board_irq(&m->board, 9, false);
	ck_assert(!m->board.intr);
}
END_TEST

START_TEST(pic_rotate_poll)
{
	unmask_all();
	out8(0x20, 0xc3); /* 3 lowest: 4 is highest */
	board_irq(&m->board, 0, true);
	board_irq(&m->board, 5, true);
	out8(0x20, 0x0c);
	ck_assert_uint_eq(in8(0x20), 0x85);
}
END_TEST

/* A line's level is the OR of its sources', and only its edges count. */
START_TEST(line_of_two_sources)
{
	unmask_all();
	out8(0x4d1, 0x08); /* IRQ 11 */
	board_irq_from(&m->board, IRQ_PIRQA, 11, true);
	board_irq_from(&m->board, IRQ_PIRQC, 11, true);
	ck_assert_uint_eq(m->board.irq_raised[11], 1);
	board_irq_from(&m->board, IRQ_PIRQA, 11, false);
	ck_assert(m->board.intr);
	board_irq(&m->board, 11, false); /* drives nothing anyway */
	ck_assert(m->board.intr);
	board_irq_from(&m->board, IRQ_PIRQC, 11, false);
	ck_assert(!m->board.intr);
	board_irq(&m->board, 11, true);
	ck_assert_uint_eq(m->board.irq_raised[11], 2);
}
END_TEST

/* ---- 8254 ---- */

START_TEST(pit_periodic)
{
	out8(0x43, 0x34);
	out8(0x40, 11932 & 255);
	out8(0x40, 11932 >> 8);
	advance(1000000000);
	ck_assert_uint_ge(m->board.irq_raised[0], 99);
	ck_assert_uint_le(m->board.irq_raised[0], 101);
}
END_TEST

START_TEST(pit_one_shot)
{
	uint64_t before;

	out8(0x43, 0x30);
	before = m->board.irq_raised[0];
	out8(0x40, 0xe8);
	out8(0x40, 0x03);
	advance(800000);
	ck_assert_uint_eq(m->board.irq_raised[0], before);
	advance(100000);
	ck_assert_uint_eq(m->board.irq_raised[0], before + 1);
	advance(100000000);
	ck_assert_uint_eq(m->board.irq_raised[0], before + 1);
}
END_TEST

START_TEST(pit_latch_and_readback)
{
	unsigned n;

	out8(0x43, 0x34);
	out8(0x40, 0x00);
	out8(0x40, 0x80);
	advance(1000000); /* 1193 ticks */
	out8(0x43, 0x00);
	advance(1000000);
	n = in8(0x40);
	n |= (unsigned)in8(0x40) << 8;
	ck_assert_uint_eq(n, 0x8000 - 1193);
	out8(0x43, 0xe2);
	ck_assert_uint_eq(in8(0x40) & 0x3f, 0x34);
}
END_TEST

START_TEST(pit_channel2_gate)
{
	out8(0x61, 0x00);
	out8(0x43, 0xb0);
	out8(0x42, 0xff);
	out8(0x42, 0x00);
	advance(1000000);
	ck_assert_uint_eq(in8(0x61) & 0x20, 0); /* gate is low: not counting */
	out8(0x61, 0x01);
	ck_assert_uint_eq(in8(0x61) & 0x20, 0);
	advance(255 * 839);
	ck_assert_uint_eq(in8(0x61) & 0x20, 0x20);
}
END_TEST

/* ---- RTC ---- */

static uint8_t cmos(uint8_t i)
{
	out8(0x70, i);
	return in8(0x71);
}

START_TEST(rtc_date)
{
	ck_assert_uint_eq(cmos(9), 0x20);
	ck_assert_uint_eq(cmos(0x32), 0x20);
	ck_assert_uint_eq(cmos(8), 1);
	ck_assert_uint_eq(cmos(7), 1);
	advance(3723ull * 1000000000);
	ck_assert_uint_eq(cmos(4), 1);
	ck_assert_uint_eq(cmos(2), 2);
	ck_assert_uint_eq(cmos(0), 3);
}
END_TEST

START_TEST(rtc_set)
{
	out8(0x70, 0x0b), out8(0x71, 0x82);
	out8(0x70, 4), out8(0x71, 0x23);
	out8(0x70, 2), out8(0x71, 0x59);
	out8(0x70, 0), out8(0x71, 0x59);
	out8(0x70, 0x0b), out8(0x71, 0x02);
	advance(2000000000);
	ck_assert_uint_eq(cmos(4), 0);
	ck_assert_uint_eq(cmos(7), 2);
}
END_TEST

START_TEST(rtc_periodic)
{
	out8(0x70, 0x0a), out8(0x71, 0x26);
	out8(0x70, 0x0b), out8(0x71, 0x42);
	for (int i = 0; i < 10; i++) {
		advance(1000000);
		ck_assert_uint_eq(cmos(0x0c), 0xc0);
	}
	ck_assert_uint_eq(m->board.irq_raised[8], 10);
}
END_TEST

START_TEST(rtc_update_interrupt)
{
	out8(0x70, 0x0b), out8(0x71, 0x12);
	advance(1500000000);
	ck_assert_uint_eq(m->board.irq_raised[8], 1);
	ck_assert_uint_eq(cmos(0x0c), 0x90);
}
END_TEST

START_TEST(rtc_memory_size)
{
	ck_assert_uint_eq(cmos(0x17) | cmos(0x18) << 8, 1024);
	ck_assert_uint_eq(cmos(0x15) | cmos(0x16) << 8, 640);
}
END_TEST

/* ---- UART ---- */

START_TEST(uart_output)
{
	for (const char *s = "hello\n"; *s; s++)
		out8(0x3f8, (uint8_t)*s);
	ck_assert_str_eq(sent, "hello\n");
	out8(0x3f8, '>');
	ck_assert_str_eq(sent, "hello\n");
	advance(2100000);
	ck_assert_str_eq(sent, "hello\n>");
}
END_TEST

START_TEST(uart_interrupts)
{
	out8(0x3fc, 0x0b);
	out8(0x3f9, 0x03);
	ck_assert_uint_eq(m->board.irq_raised[4], 1);
	ck_assert_uint_eq(in8(0x3fa), 0x02);
	ck_assert_uint_eq(in8(0x3fa), 0x01);
	ck_assert_uint_eq(accept_by(SLOT_com1, ARRIVAL_SERIAL, "x", 1), 1);
	ck_assert_uint_eq(m->board.irq_raised[4], 2);
	ck_assert_uint_eq(in8(0x3fd) & 1, 1);
	ck_assert_uint_eq(in8(0x3f8), 'x');
	ck_assert_uint_eq(in8(0x3fd) & 1, 0);
}
END_TEST

START_TEST(uart_fifo_loses_nothing)
{
	uint8_t in[1000], i = 0;

	for (unsigned n = 0; n < sizeof(in); n++)
		in[n] = (uint8_t)n;
	out8(0x3fa, 0xc7);
	ck_assert_uint_eq(accept_by(SLOT_com1, ARRIVAL_SERIAL, in, sizeof(in)), sizeof(in));
	for (unsigned n = 0; n < sizeof(in); n++, i++) {
		ck_assert_uint_eq(in8(0x3fd) & 0x9f, 0x01);
		ck_assert_uint_eq(in8(0x3f8), i);
	}
	ck_assert_uint_eq(in8(0x3fd) & 1, 0);
}
END_TEST

START_TEST(uart_loopback)
{
	out8(0x3fc, 0x1a);
	ck_assert_uint_eq(in8(0x3fe) & 0xf0, 0x90);
	out8(0x3f8, 0x5a);
	ck_assert_uint_eq(in8(0x3f8), 0x5a);
	ck_assert_uint_eq(nsent, 0);
	ck_assert_uint_eq(m->board.irq_raised[4], 0);
	out8(0x3f9, 1);
	out8(0x3f8, 0xa5);
	ck_assert_uint_eq(m->board.irq_raised[4], 1);
	ck_assert_uint_eq(in8(0x3f8), 0xa5);
}
END_TEST

/* ---- i8042, port 92 ---- */

START_TEST(kbd_self_test)
{
	out8(0x64, 0xaa);
	ck_assert_uint_eq(in8(0x64) & 1, 1);
	ck_assert_uint_eq(in8(0x60), 0x55);
	out8(0x60, 0xff);
	ck_assert_uint_eq(in8(0x60), 0xfa);
	ck_assert_uint_eq(in8(0x60), 0xaa);
	ck_assert_uint_eq(in8(0x64) & 1, 0);
}
END_TEST

START_TEST(kbd_translation)
{
	ck_assert_uint_eq(accept_by(SLOT_kbd, ARRIVAL_KEYS, (uint8_t[]){ 0x1e }, 1), 1);
	ck_assert_uint_eq(m->board.irq_raised[1], 1);
	ck_assert_uint_eq(in8(0x60), 0x1e);
	out8(0x64, 0x60), out8(0x60, 0x05); /* translation off */
	ck_assert_uint_eq(accept_by(SLOT_kbd, ARRIVAL_KEYS, (uint8_t[]){ 0x9e }, 1), 1);
	ck_assert_uint_eq(in8(0x60), 0xf0);
	ck_assert_uint_eq(in8(0x60), 0x1c);
}
END_TEST

START_TEST(a20_gates)
{
	out8(0x92, 0x00);
	ck_assert_uint_eq(m->v->cpu.a20_mask, 0xffefffff);
	out8(0x64, 0xd1), out8(0x60, 0xdf);
	ck_assert_uint_eq(m->v->cpu.a20_mask, 0xffffffff);
	ck_assert_uint_eq(in8(0x92) & 2, 2);
	out8(0x64, 0xdd);
	ck_assert_uint_eq(m->v->cpu.a20_mask, 0xffefffff);
	out8(0x64, 0xdf);
	ck_assert_uint_eq(m->v->cpu.a20_mask, 0xffffffff);
}
END_TEST

/* ---- PCI, ACPI, fw_cfg, backdoor, CPUID ---- */

START_TEST(pci_config)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000000);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfc, 4), 0x12378086);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfe, 2), 0x1237);
	bus_out(&m->board.bus, 0xcf8, 4, 0x80001000);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfc, 4), 0x11111234);
	bus_out(&m->board.bus, 0xcf8, 4, 0x80001800);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfc, 4), 0xffffffff);
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000b00);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfc, 4), 0x71138086);
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000b40);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0xcfc, 4), 0x601);
}
END_TEST

START_TEST(pm_timer)
{
	uint32_t a = bus_in(&m->board.bus, 0x608, 4);

	advance(1000000000);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x608, 4) - a, 3579545);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x604, 2), 1);
}
END_TEST

START_TEST(fw_cfg_signature)
{
	char sig[5] = "";

	bus_out(&m->board.bus, 0x510, 2, 0);
	for (int i = 0; i < 4; i++)
		sig[i] = (char)in8(0x511);
	ck_assert_str_eq(sig, "QEMU");
	ck_assert_uint_eq(in8(0x511), 0);
}
END_TEST

/* Run the ACPI files' script as SeaBIOS would, then follow the addresses. */
START_TEST(acpi_files)
{
	enum { TABLES = 0x40000000 };
	struct acpi_files f;
	uint8_t *tables = f.image + ACPI_RSDT;
	uint32_t len[2] = { 0 }, at;

	acpi_files_make(&f, _i);
	for (const uint8_t *e = f.loader; e < f.loader + sizeof(f.loader) && e[0]; e += ACPI_LOADER_ENTRY) {
		bool rsdp = !strcmp((const char *)e + 4, ACPI_FILE_RSDP);
		uint8_t *file = rsdp ? f.image : tables, sum = 0;
		uint32_t arg[3];

		ck_assert(rsdp || !strcmp((const char *)e + 4, ACPI_FILE_TABLES));
		if (e[0] == 1) {
			len[rsdp] = rsdp ? ACPI_RSDP_LEN : ACPI_IMAGE - ACPI_RSDT;
		} else if (e[0] == 2) {
			ck_assert_str_eq((const char *)e + 60, ACPI_FILE_TABLES);
			memcpy(arg, e + 116, 4);
			ck_assert_uint_le(arg[0] + e[120], len[rsdp]);
			memcpy(&at, file + arg[0], 4);
			ck_assert_uint_lt(at, len[0]);
			at += TABLES;
			memcpy(file + arg[0], &at, 4);
		} else {
			ck_assert_uint_eq(e[0], 3);
			memcpy(arg, e + 60, 12);
			ck_assert_uint_le(arg[1] + arg[2], len[rsdp]);
			for (unsigned i = 0; i < arg[2]; i++)
				sum += file[arg[1] + i];
			file[arg[0]] -= sum;
		}
	}
	memcpy(&at, f.image + ACPI_RSDP_RSDT, 4);
	ck_assert_uint_eq(at, TABLES);
	memcpy(&at, tables + 4, 4);
	ck_assert_uint_eq(at, 36 + 4 * (_i ? 3 : 2));
	for (unsigned i = 0; i < (_i ? 3 : 2); i++) {
		memcpy(&at, tables + ACPI_RSDT_ENTRY + 4 * i, 4);
		ck_assert_mem_eq(tables + (at - TABLES), i == 0 ? "FACP" : i == 1 ? "HPET" : "APIC", 4);
	}
	for (unsigned i = ACPI_FADT_FACS; i <= ACPI_FADT_X_FACS; i += ACPI_FADT_X_FACS - ACPI_FADT_FACS) {
		memcpy(&at, f.image + ACPI_FADT + i, 4);
		ck_assert_mem_eq(tables + (at - TABLES), "FACS", 4);
	}
	memcpy(&at, f.image + ACPI_FADT + ACPI_FADT_DSDT, 4);
	ck_assert_mem_eq(tables + (at - TABLES), "DSDT", 4);
	for (unsigned i = 0, sum = 0, n = _i ? 48 : 44; i < n; i++) {
		sum += tables[i];
		ck_assert(i + 1 < n || !(sum & 0xff));
	}
	for (unsigned i = 0, sum = 0; i < ACPI_FADT_LEN; i++) {
		sum += f.image[ACPI_FADT + i];
		ck_assert(i + 1 < ACPI_FADT_LEN || !(sum & 0xff));
	}
}
END_TEST

START_TEST(vga_palette)
{
	static const uint8_t want[] = { 0x2a, 0x15, 0x00, 0x2a, 0x2a, 0x2a }; /* brown is entry 20 */

	out8(0x3c7, 20);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(in8(0x3c9), want[i]);
	out8(0x3c7, 7);
	for (unsigned i = 3; i < 6; i++)
		ck_assert_uint_eq(in8(0x3c9), want[i]);
}
END_TEST

START_TEST(tsc_written)
{
	uint64_t before;

	advance(1000000);
	before = clock_tsc(&m->board.clock);
	ck_assert_uint_gt(before, 0);
	m->v->cpu.tsc_offset -= before; /* as WRMSR of 0 */
	ck_assert_uint_eq(clock_tsc(&m->board.clock), 0);
	advance(1000);
	ck_assert_uint_gt(clock_tsc(&m->board.clock), 0);
	ck_assert_uint_lt(clock_tsc(&m->board.clock), before);
}
END_TEST

START_TEST(backdoor)
{
	m->v->cpu.gpr[R_EAX] = 0x564d5868;
	m->v->cpu.gpr[R_ECX] = 45;
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x5658, 4), 1000000000);
	m->v->cpu.gpr[R_EAX] = 0;
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x5658, 4), 0xffffffff);
}
END_TEST

/* AVX-512: where the host has it, with its state in leaf 0DH, where the host has that. */
static void check_wide(const char *name, const struct cpuid_table *t)
{
	struct cpu cpu = { .xcr0 = 0xe7 };
	uint32_t r[4], leaf[4], h[4], most = 832, sum = 832;
	bool wide;

	cpuid_query(t, &cpu, 7, 0, r);
	wide = r[1] & (1 << 16);
	ck_assert(!wide || __builtin_cpu_supports("avx512f"));
	ck_assert(wide || !(r[1] & (1u << 31 | 1u << 30 | 1 << 28 | 1 << 21 | 1 << 17)));
	ck_assert_msg(!wide || !strcmp(name, "host") || !strcmp(name, "max") ||
			  !strcmp(name, "skylake-server"),
		      "%s", name);
	cpuid_query(t, &cpu, 0xd, 0, leaf);
	ck_assert_uint_eq((leaf[0] & 0xe0) == 0xe0, wide);
	ck_assert_uint_eq((leaf[0] & 0xe0) != 0, wide);
	for (uint32_t i = 5; wide && i < 8; i++) {
		cpuid_query(t, &cpu, 0xd, i, r);
		__cpuid_count(0xd, i, h[0], h[1], h[2], h[3]);
		ck_assert_uint_eq(r[0], h[0]);
		ck_assert_uint_eq(r[1], h[1]);
		most = r[0] + r[1] > most ? r[0] + r[1] : most;
		sum += r[0];
	}
	if (!wide)
		return;
	ck_assert_uint_eq(leaf[1], most);
	ck_assert_uint_eq(leaf[2], most);
	cpuid_query(t, &cpu, 0xd, 1, r);
	ck_assert_uint_eq(r[1], sum);
	cpu.xcr0 = 7;
	cpuid_query(t, &cpu, 0xd, 0, r);
	ck_assert_uint_eq(r[1], 832);
	cpuid_query(t, &cpu, 0xd, 1, r);
	ck_assert_uint_eq(r[1], 832);
}

START_TEST(cpuid_models)
{
	const char *name;
	struct cpu cpu = { .xcr0 = 1 };
	char err[200] = "";
	uint32_t r[4];

	for (unsigned i = 0; (name = cpuid_model_name(i, NULL)); i++) {
		struct cpuid_table t;

		ck_assert_msg(cpuid_build(&t, name, 1, 1, err, sizeof(err)), "%s", err);
		ck_assert_uint_lt(t.n, CPUID_MAX);
		cpuid_query(&t, &cpu, 1, 0, r);
		ck_assert_uint_eq(r[3] & (1 << 9), 0); /* no APIC */
		ck_assert_uint_eq(r[2] & (1 << 27), 0);
		check_wide(name, &t);
	}
	ck_assert(!cpuid_build(&m->cpuid, "8008", 1, 1, err, sizeof(err)));
	ck_assert_ptr_eq(strstr(err, "no CPU model \"8008\"; choose from host "), err);
}
END_TEST

/* Does the model offer the feature? */
static bool offers(const char *model, enum feature f)
{
	struct cpu cpu = { .xcr0 = 1 };
	struct cpuid_table t;
	char err[200] = "";
	uint32_t r[4];

	ck_assert_msg(cpuid_build(&t, model, 1, 1, err, sizeof(err)), "%s: %s", model, err);
	cpuid_query(&t, &cpu, feature_rows[f].leaf, feature_rows[f].sub, r);
	return r[feature_rows[f].reg] >> feature_rows[f].bit & 1;
}

START_TEST(cpuid_features)
{
	static const struct {
		const char *model, *error;
	} bad[] = {
		{ "host,avx2", "\"avx2\" is not + or - and a feature" },
		{ "host,-sse9", "\"-sse9\" is not + or - and a feature" },
		{ "host,", "\"\" is not + or - and a feature" },
		{ "host,+", "\"+\" is not + or - and a feature" },
		{ "host,vmx=skylake", "\"vmx=skylake\" is not + or - and a feature" },
		{ "host,vmx=", "\"vmx=\" is not + or - and a feature" },
		{ "pentium,+smap", "this host cannot offer smap" },
		{ "i8008,+sse", "no CPU model \"i8008\"; choose from host max " },
	};
	struct cpuid_table t;
	char err[200];

	ck_assert(offers("host", FEATURE_SSE2) && offers("pentium4", FEATURE_SSE2));
	ck_assert(!offers("pentium3", FEATURE_SSE2) && offers("pentium3,+sse2", FEATURE_SSE2));
	ck_assert(!offers("host,-sse2", FEATURE_SSE2) && offers("host,-sse2", FEATURE_SSE));
	ck_assert(!offers("host,-sse2", FEATURE_SSE3) && !offers("host,-sse2", FEATURE_AES));
	ck_assert(!offers("host,-xsave", FEATURE_AVX) && !offers("host,-xsave", FEATURE_XSAVEOPT));
	ck_assert(!offers("host,-avx2", FEATURE_AVX512F) && !offers("host,-avx512f", FEATURE_AVX512BW));
	ck_assert(!offers("host,-avx512bw", FEATURE_AVX512_VBMI2) && offers("host,-avx512f", FEATURE_AVX2));
	ck_assert(offers("486,+sse3", FEATURE_SSE) && offers("486,+SSE3", FEATURE_FXSR));
	ck_assert(!offers("host,+sse2,-mmx", FEATURE_MMX) && offers("host,-mmx,+mmx", FEATURE_MMX));
	ck_assert(!offers("host,-smap", FEATURE_SMAP));
	ck_assert(!offers("haswell", FEATURE_VMX) && offers("haswell,vmx=nehalem", FEATURE_VMX));
	ck_assert(cpuid_vmx("haswell,vmx=nehalem") == CPUID_VMX_NEHALEM);
	ck_assert(cpuid_vmx("haswell,+vmx") == CPUID_VMX_HASWELL && cpuid_vmx("max,+vmx") == CPUID_VMX_ALL);
	ck_assert(cpuid_vmx("pentium4,+vmx") == CPUID_VMX_EARLY);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(!cpuid_build(&t, bad[i].model, 1, 1, err, sizeof(err)), "%s", bad[i].model);
		ck_assert_msg(strstr(err, bad[i].error), "%s: %s", bad[i].model, err);
	}
}
END_TEST

/* 64-bit mode brings its features, and takes them with it. */
START_TEST(cpuid_long)
{
	static const enum feature own[] = {
		FEATURE_PCID, FEATURE_FSGSBASE, FEATURE_SMEP,	 FEATURE_INVPCID,
		FEATURE_SMAP, FEATURE_UMIP,	FEATURE_SYSCALL, FEATURE_PDPE1GB
	};
	static const char *const names[] = { "zen2",	 "nehalem",	 "athlon64",
					     "host,+lm", "haswell,-avx", "max,+lm" };
	struct cpu cpu = { .xcr0 = 1 };
	struct cpuid_table t;
	uint32_t r[4];
	char err[200];

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		ck_assert_msg(offers(names[i], FEATURE_LM) && offers(names[i], FEATURE_SYSCALL), "%s",
			      names[i]);
		ck_assert(cpuid_build(&t, names[i], 1, 1, err, sizeof(err)));
		cpuid_query(&t, &cpu, 0x80000008, 0, r);
		ck_assert_uint_eq(r[0], 48 << 8 | MAXPHYADDR);
	}
	for (unsigned i = 0; i < ARRAY_LEN(own); i++) {
		ck_assert_msg(offers("max,+lm", own[i]), "%s", feature_rows[own[i]].name);
		ck_assert(offers("host", own[i]) && !offers("host,-lm", own[i]) &&
			  !offers("max,-lm", own[i]) && !offers("zen2,-lm", own[i]));
		ck_assert(!offers("haswell,-lm", own[i]) && !offers("nehalem,-syscall", own[i]));
	}
	ck_assert(!offers("zen2", FEATURE_PCID) && offers("haswell", FEATURE_PCID));
	ck_assert(!offers("max,+lm,-smap", FEATURE_SMAP) && !offers("max,-pcid,+lm", FEATURE_PCID));
	ck_assert(offers("nehalem,+smep", FEATURE_SMEP) && !offers("nehalem", FEATURE_SMEP));
	ck_assert(cpuid_build(&t, "host,-lm", 1, 1, err, sizeof(err)));
	cpuid_query(&t, &cpu, 0x80000008, 0, r);
	ck_assert_uint_eq(r[0], 32 << 8 | MAXPHYADDR);
	ck_assert(!cpuid_build(&t, "pentium4,+lm", 1, 1, err, sizeof(err)));
	ck_assert_str_eq(err, "CPU model: pentium4 has no 64-bit mode");
	ck_assert(!cpuid_build(&t, "host,-lm,+smep", 1, 1, err, sizeof(err)));
}
END_TEST

/* ---- input ---- */

/* A full serial port does not hold up the keyboard, and nothing is lost or reordered below the limit. */
START_TEST(inbox_order)
{
	static uint8_t text[65536 + 1000], got;
	unsigned at = 0, limit = 65536;

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 0; i < sizeof(text); i += 1000)
		ck_assert_uint_eq(inbox_post(&m->inbox, ARRIVAL_SERIAL, SLOT_com1, text + i,
					     sizeof(text) - i < 1000 ? sizeof(text) - i : 1000),
				  i >= limit	     ? 0
				  : limit - i < 1000 ? limit - i
						     : 1000);
	ck_assert_uint_eq(inbox_post(&m->inbox, ARRIVAL_KEYS, SLOT_kbd, "\x1e\x9e", 2), 2);
	inbox_deliver(&m->inbox, &m->board);
	ck_assert_uint_eq(in8(0x60), 0x1e);
	ck_assert_uint_eq(in8(0x60), 0x9e);
	while (in8(0x3fd) & 1) {
		got = in8(0x3f8);
		ck_assert_uint_eq(got, text[at]);
		at++;
		inbox_deliver(&m->inbox, &m->board);
	}
	ck_assert_uint_eq(at, limit);
	ck_assert_uint_eq(m->inbox.held[ARRIVAL_SERIAL], 0);
	ck_assert_uint_eq(inbox_post(&m->inbox, ARRIVAL_SERIAL, SLOT_com1, text, 1), 1);
	inbox_clear(&m->inbox);
	inbox_deliver(&m->inbox, &m->board);
	ck_assert_uint_eq(in8(0x3fd) & 1, 0);
}
END_TEST

/* ---- run control ---- */

START_TEST(stop_and_go)
{
	struct machine_stop st;

	for (int i = 0; i < 20; i++) {
		machine_continue(m);
		ck_assert(!machine_wait(m, 1, &st));
		machine_request_stop(m);
		ck_assert(machine_wait(m, PATIENCE_MS, &st));
		ck_assert_int_eq(st.reason, STOP_REQUEST);
	}
	st = machine_step(m, false);
	ck_assert_int_eq(st.reason, STOP_STEP);
}
END_TEST

START_TEST(stop_descriptor)
{
	struct pollfd p = { .fd = machine_stop_fd(m), .events = POLLIN };

	machine_continue(m);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	machine_request_stop(m);
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
}
END_TEST

static enum engine_exit halt_script(struct fake_engine *f)
{
	if (f->v.plat.irq_pending(f->v.plat.ctx)) {
		if (f->v.plat.irq_ack(f->v.plat.ctx) == 8 + 4) { /* serial: echo, switch off at 'q' */
			uint8_t c = (uint8_t)f->v.plat.in(f->v.plat.ctx, 0x3f8, 1);

			f->v.plat.out(f->v.plat.ctx, 0x3f8, 1, c);
			f->v.plat.out(f->v.plat.ctx, 0x20, 1, 0x20);
			if (c == 'q')
				f->v.plat.out(f->v.plat.ctx, 0x604, 2, 0x2000);
			return ENGINE_STOP;
		}
		f->v.plat.out(f->v.plat.ctx, 0x20, 1, 0x20);
	}
	if (f->runs == 1) {
		f->v.plat.out(f->v.plat.ctx, 0x21, 1, 0xef);
		f->v.plat.out(f->v.plat.ctx, 0x3fc, 1, 0x0b);
		f->v.plat.out(f->v.plat.ctx, 0x3f9, 1, 0x01);
	}
	f->v.cpu.intf = 1;
	f->v.cpu.halted = 1;
	return ENGINE_HALT;
}

static void echo_and_off(enum clock_mode clock)
{
	struct machine *h = make(clock, false, (void *)halt_script);
	struct machine_stop st;

	machine_continue(h);
	machine_serial_input(h, (const uint8_t *)"abcq", 4);
	ck_assert(machine_wait(h, PATIENCE_MS, &st));
	ck_assert_int_eq(st.state, MACHINE_OFF);
	ck_assert_str_eq(sent, "abcq");
	machine_free(h);
}

START_TEST(halt_input_power_off)
{
	echo_and_off(CLOCK_HOST);
}
END_TEST
START_TEST(halt_input_power_off_icount)
{
	echo_and_off(CLOCK_ICOUNT);
}
END_TEST

static enum engine_exit tick_script(struct fake_engine *f)
{
	unsigned *ticks = f->arg;

	if (f->v.plat.irq_pending(f->v.plat.ctx) && f->v.plat.irq_ack(f->v.plat.ctx) == 8) {
		f->v.plat.out(f->v.plat.ctx, 0x20, 1, 0x20);
		if (++*ticks == 5)
			f->v.plat.out(f->v.plat.ctx, 0xf4, 1, 21);
	}
	if (f->runs == 1) {
		f->v.plat.out(f->v.plat.ctx, 0x43, 1, 0x34);
		f->v.plat.out(f->v.plat.ctx, 0x40, 1, 0xa9);
		f->v.plat.out(f->v.plat.ctx, 0x40, 1, 0x04); /* 1193: 1 ms */
	}
	f->v.cpu.intf = 1;
	f->v.cpu.halted = 1;
	return ENGINE_HALT;
}

static void ticks_and_exit(enum clock_mode clock)
{
	struct machine *h = make(clock, false, (void *)tick_script);
	unsigned ticks = 0;
	struct machine_stop st;
	uint64_t ns;

	fake_of(h)->arg = &ticks;
	machine_continue(h);
	ck_assert(machine_wait(h, PATIENCE_MS, &st));
	ck_assert_int_eq(st.state, MACHINE_EXITED);
	ck_assert_int_eq(machine_exit_code(h), 43);
	ns = machine_clock_ns(h);
	ck_assert_uint_ge(ns, 4900000);
	ck_assert_uint_eq(ns, machine_clock_ns(h)); /* does not advance */
	machine_free(h);
}

START_TEST(halt_timer_exit)
{
	ticks_and_exit(CLOCK_HOST);
}
END_TEST
START_TEST(halt_timer_exit_icount)
{
	ticks_and_exit(CLOCK_ICOUNT);
}
END_TEST

static enum engine_exit reset_script(struct fake_engine *f)
{
	unsigned *resets = f->arg;

	if (++*resets == 3) {
		f->v.plat.out(f->v.plat.ctx, 0xf4, 4, 0);
		return ENGINE_STOP;
	}
	f->v.plat.out(f->v.plat.ctx, 0x64, 1, 0xfe);
	return ENGINE_STOP;
}

START_TEST(guest_reset)
{
	unsigned resets = 0;
	struct machine *h = make(CLOCK_ICOUNT, false, (void *)reset_script);
	struct machine_stop st;

	fake_of(h)->arg = &resets;
	machine_continue(h);
	ck_assert(machine_wait(h, PATIENCE_MS, &st));
	ck_assert_int_eq(st.state, MACHINE_EXITED);
	ck_assert_int_eq(machine_exit_code(h), 1);
	machine_free(h);
	h = make(CLOCK_ICOUNT, true, (void *)reset_script);
	fake_of(h)->arg = &resets;
	resets = 0;
	machine_continue(h);
	ck_assert(machine_wait(h, PATIENCE_MS, &st));
	ck_assert_int_eq(st.state, MACHINE_DEAD);
	machine_free(h);
}
END_TEST

static enum engine_exit count_script(struct fake_engine *f)
{
	f->v.icount = f->v.icount_limit;
	return ENGINE_ICOUNT;
}

START_TEST(icount_target_and_hash)
{
	struct machine *a = make(CLOCK_ICOUNT, false, (void *)count_script),
		       *b = make(CLOCK_ICOUNT, false, (void *)count_script);
	struct machine_stop st;

	ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
	machine_continue_to_icount(a, 123456789);
	ck_assert(machine_wait(a, 5000, &st));
	ck_assert_int_eq(st.reason, STOP_ICOUNT);
	ck_assert_uint_eq(st.icount, 123456789);
	ck_assert_uint_ne(machine_state_hash(a), machine_state_hash(b));
	machine_continue_to_icount(b, 100000000);
	machine_wait(b, 5000, NULL);
	machine_continue_to_icount(b, 123456789);
	machine_wait(b, 5000, NULL);
	ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
	ck_assert(machine_reset(a, (char[64]){ 0 }, 64));
	ck_assert(machine_reset(b, (char[64]){ 0 }, 64));
	ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
	machine_free(a);
	machine_free(b);
}
END_TEST

/* Two machines with one pool: each has its own memory, and one that ends gives its share back. */
START_TEST(two_machines_one_pool)
{
	struct mm_pool *pool = mm_pool_new(5 << 20);
	struct machine_config cfg = m->cfg;
	struct machine *a, *b;
	char err[256] = "";
	uint32_t val = 0;

	cfg.pool = pool;
	for (unsigned i = 0; i < 5; i++) {
		a = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
		ck_assert_msg(a, "%s", err);
		b = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
		ck_assert_msg(b, "%s", err);
		ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
		ck_assert(mm_phys_write(machine_vm(a), 0x180000, "mine", 4));
		ck_assert(mm_phys_read(machine_vm(b), 0x180000, &val, 4));
		ck_assert_uint_eq(val, 0);
		ck_assert_ptr_null(
		    machine_new(&cfg, fake_new, NULL, err, sizeof(err))); /* no room for three */
		machine_free(i % 2 ? a : b);
		machine_free(i % 2 ? b : a);
	}
	mm_pool_free(pool);
}
END_TEST

static unsigned view_rows;
static void count_row(struct row_sink *s, const struct value *v)
{
	(void)s, (void)v;
	view_rows++;
}

START_TEST(views_emit)
{
	struct row_sink s = { count_row };

	for (unsigned i = 0; machine_views[i]; i++) {
		const struct view *v = machine_views[i];
		const char *refused;

		view_rows = 0;
		/* What this machine lacks is said together with the option that gives it. */
		refused = v->rows(m, "", &s);
		ck_assert(!refused || strstr(refused, "(--"));
		for (unsigned j = 0; j < i; j++)
			ck_assert_str_ne(v->name, machine_views[j]->name);
		ck_assert(v->ncols && v->help[0]);
	}
}
END_TEST

/* The lines of the view `screen`. */
struct screen_sink {
	struct row_sink s;
	unsigned n;
	char line[VGA_LINES][3 * VGA_COLUMNS + 1];
};

static size_t characters(const char *utf8)
{
	size_t n = 0;

	for (; *utf8; utf8++)
		n += (*utf8 & 0xc0) != 0x80;
	return n;
}

static void screen_row(struct row_sink *s, const struct value *v)
{
	struct screen_sink *k = (struct screen_sink *)s;

	ck_assert_uint_lt(k->n, VGA_LINES);
	ck_assert_uint_le(characters(v[1].s), VGA_COLUMNS);
	ck_assert_uint_eq(strlen(v[2].s), 2 * characters(v[1].s));
	strcpy(k->line[k->n++], v[1].s);
}

static void look(struct screen_sink *k)
{
	*k = (struct screen_sink){ .s = { screen_row } };
	for (unsigned i = 0; machine_views[i]; i++)
		if (!strcmp(machine_views[i]->name, "screen"))
			ck_assert_ptr_null(machine_views[i]->rows(m, "", &k->s));
}

static void crtc(uint8_t index, uint8_t val)
{
	out8(0x3d4, index), out8(0x3d5, val);
}

START_TEST(screen_text)
{
	const uint16_t hi[] = { 0x0748, 0x0769 };
	struct screen_sink k;

	mm_phys_write(machine_vm(m), 0xb8000 + 160, hi, sizeof(hi));
	look(&k);
	ck_assert_uint_eq(k.n, 25);
	ck_assert_int_eq(strncmp(k.line[1], "Hi ", 3), 0);
	ck_assert_uint_eq(strlen(k.line[24]), 80);
	crtc(9, 0x47); /* characters of 8 lines */
	look(&k);
	ck_assert_uint_eq(k.n, 50);
	crtc(0xd, 80); /* scrolled by one line */
	look(&k);
	ck_assert_int_eq(strncmp(k.line[0], "Hi ", 3), 0);
}
END_TEST

START_TEST(screen_modes)
{
	static const uint64_t white = UINT64_MAX;
	struct screen_sink k;

	crtc(0x11, 0x0e); /* unlocks 0 to 7 */
	crtc(1, 39);
	crtc(0x13, 20);
	mm_phys_write(machine_vm(m), 0xb8000 + 80, "H", 1);
	look(&k);
	ck_assert_uint_eq(k.n, 25);
	ck_assert_uint_eq(strlen(k.line[0]), 40);
	ck_assert_int_eq(k.line[1][0], 'H');
	for (unsigned i = 0; i < 0x19; i++) { /* any register values */
		crtc(i, 0xff);
		look(&k);
		crtc(i, 0);
		look(&k);
	}
	crtc(1, 79), crtc(7, 2), crtc(0x12, 0xdf), crtc(9, 0x40), crtc(0x13, 40); /* mode 12h */
	out8(0x3c4, 2), out8(0x3c5, 15);
	out8(0x3c4, 4), out8(0x3c5, 6);
	out8(0x3ce, 6), out8(0x3cf, 5);
	out8(0x3ce, 8), out8(0x3cf, 0xff);
	for (gpa a = 0xa0000; a < 0xa0000 + 10 * 80; a += 8) /* ten white lines */
		mmio_write(&m->board.mmio, a, &white, 8);
	look(&k);
	ck_assert_uint_eq(k.n, 25);
	ck_assert_int_eq(strncmp(k.line[0], "\u2580\u2580", 6), 0);
	ck_assert_str_eq(k.line[1], k.line[24]);
	ck_assert_uint_eq(strlen(k.line[1]), 66); /* 640 by 480 in 25 lines of cells of 1 by 2 */
	ck_assert_int_eq(k.line[1][65], ' ');
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-devices");
	TCase *tc = tcase_create("machine");

	const TTest *const all[] = {
		bus_unanswered,
		bus_split,
		every_port_survives,
		pic_priority_and_eoi,
		pic_cascade,
		pic_spurious,
		pic_level,
		line_of_two_sources,
		pic_rotate_poll,
		pit_periodic,
		pit_one_shot,
		pit_latch_and_readback,
		pit_channel2_gate,
		rtc_date,
		rtc_set,
		rtc_periodic,
		rtc_update_interrupt,
		rtc_memory_size,
		uart_output,
		uart_interrupts,
		uart_fifo_loses_nothing,
		uart_loopback,
		kbd_self_test,
		kbd_translation,
		a20_gates,
		pci_config,
		pm_timer,
		fw_cfg_signature,
		vga_palette,
		tsc_written,
		backdoor,
		cpuid_models,
		cpuid_features,
		cpuid_long,
		inbox_order,
		two_machines_one_pool,
		stop_and_go,
		stop_descriptor,
		halt_input_power_off,
		halt_input_power_off_icount,
		halt_timer_exit,
		halt_timer_exit_icount,
		guest_reset,
		icount_target_and_hash,
		views_emit,
		screen_text,
		screen_modes,
	};

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, acpi_files, 0, 2); /* without an APIC, with one */
	suite_add_tcase(s, tc);
	return suite_run(s);
}
