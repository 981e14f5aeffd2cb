/* SPDX-License-Identifier: GPL-3.0-or-later
 * The tables that say how interrupts and timers are wired: MADT (ACPI 6.5, 5.2.12), HPET (IA-PC HPET 1.0a,
 * 3.2.4), and the MP table (Intel MultiProcessor Specification 1.4, ch. 4) for kernels without ACPI. All tell
 * the same: line N is pin N of the IO-APIC, but line 0 is pin 2 and pin 0 has the 8259's output; lines 5, 9,
 * 10 and 11, to which PCI and ACPI interrupts are routed, are level-triggered, active high. */
#include <string.h>

#include "hv/apic.h"
#include "hv/boot/acpi.h"

enum { TIMER_PIN = 2, LINES = 16, CASCADE = 2 };
enum { LEVEL_HIGH = 0xd, CONFORMS = 0 }; /* polarity and trigger mode, in both tables */
static const uint8_t level_lines[] = { 5, 9, 10, 11 };

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static bool is_level(unsigned line)
{
	return memchr(level_lines, (int)line, sizeof(level_lines));
}

/* ---- ACPI ---- */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4, PCAT_COMPAT = 1 };

static uint8_t * override(uint8_t *p, unsigned line, unsigned pin, unsigned flags)
{
	const uint8_t e[] = { MADT_OVERRIDE, 10, 0, (uint8_t)line, (uint8_t)pin, 0, 0, 0, (uint8_t)flags, 0 };

	memcpy(p, e, sizeof(e));
	return p + sizeof(e);
}

void acpi_madt(uint8_t table[ACPI_MADT_LEN])
{
	static const uint8_t lapic[] = { MADT_LAPIC, 8, 0, 0, 1 /* enabled */, 0, 0, 0 };
	static const uint8_t ioapic[] = { MADT_IOAPIC, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0 };
	static const uint8_t nmi[] = { MADT_LAPIC_NMI, 6, 0xff /* all processors */, 0, 0, 1 /* LINT1 */ };
	uint8_t *p = table + 44;

	put(table + 36, LAPIC_AT, 4);
	put(table + 40, PCAT_COMPAT, 4);
	memcpy(p, lapic, sizeof(lapic));
	p += sizeof(lapic);
	memcpy(p, ioapic, sizeof(ioapic));
	p += sizeof(ioapic);
	p = override(p, 0, TIMER_PIN, CONFORMS);
	for (unsigned i = 0; i < ARRAY_LEN(level_lines); i++)
		p = override(p, level_lines[i], level_lines[i], LEVEL_HIGH);
	memcpy(p, nmi, sizeof(nmi));
	acpi_header(table, "APIC", ACPI_MADT_LEN, 1);
}
_Static_assert(ACPI_MADT_LEN == 44 + 8 + 12 + 10 * (1 + sizeof(level_lines)) + 6, "all entries");

void acpi_hpet(uint8_t p[ACPI_HPET_LEN])
{
	put(p + 36, 0x8086a201, 4); /* capabilities' low half: three timers of 64 bits, legacy replacement */
	p[41] = 64;		    /* in memory, 64 bits wide */
	put(p + 44, HPET_AT, 8);
	put(p + 53, 128, 2); /* least period in counts: 1.28 us */
	acpi_header(p, "HPET", ACPI_HPET_LEN, 1);
}

/* ---- MP table ---- */

enum { MP_PROCESSOR, MP_BUS, MP_IOAPIC, MP_INTERRUPT, MP_LOCAL };
enum { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3, MP_ALL = 0xff };
enum {
	BUS_PCI,
	BUS_ISA,
	PCI_DEVICES = 32,
	PCI_PINS = 4,
	MP_POINTER_LEN = 16,
	MP_HEADER = 44,
	MP_MAX = 0x800
};

struct mp_table {
	uint8_t buf[MP_MAX];
	unsigned len, entries;
};

static uint8_t *entry(struct mp_table *t, unsigned type, unsigned len)
{
	uint8_t *p = t->buf + t->len;

	t->len += len;
	t->entries++;
	p[0] = (uint8_t)type;
	return p;
}

static void bus(struct mp_table *t, unsigned id, const char *name)
{
	uint8_t *p = entry(t, MP_BUS, 8);

	p[1] = (uint8_t)id;
	memcpy(p + 2, name, 6);
}

/* An interrupt of a bus on a pin of the IO-APIC, or of LINTn of every local APIC. */
static void interrupt(struct mp_table *t, unsigned entry_type, unsigned type, unsigned flags, unsigned bus_id,
		      unsigned bus_irq, unsigned apic, unsigned pin)
{
	uint8_t *p = entry(t, entry_type, 8);

	p[1] = (uint8_t)type;
	p[2] = (uint8_t)flags;
	p[4] = (uint8_t)bus_id;
	p[5] = (uint8_t)bus_irq;
	p[6] = (uint8_t)apic;
	p[7] = (uint8_t)pin;
}

static void processor(struct mp_table *t, uint32_t signature, uint32_t features)
{
	uint8_t *p = entry(t, MP_PROCESSOR, 20);

	p[2] = LAPIC_VERSION;
	p[3] = 3; /* enabled, the one that boots */
	put(p + 4, signature, 4);
	put(p + 8, features, 4);
}

static void io_apic(struct mp_table *t)
{
	uint8_t *p = entry(t, MP_IOAPIC, 8);

	p[2] = IOAPIC_VERSION;
	p[3] = 1; /* enabled */
	put(p + 4, IOAPIC_AT, 4);
}

/* Slots and pins of the PCI bus take turns on the wires, which the bridge has routed to lines 10 and 11. */
static void pci_interrupts(struct mp_table *t)
{
	static const uint8_t line[PCI_PINS] = { 10, 10, 11, 11 };

	for (unsigned d = 1; d < PCI_DEVICES; d++)
		for (unsigned pin = 0; pin < PCI_PINS; pin++)
			interrupt(t, MP_INTERRUPT, MP_INT, LEVEL_HIGH, BUS_PCI, d << 2 | pin, 0,
				  line[(pin + d - 1) % PCI_PINS]);
}

static void make_mp(struct mp_table *t, uint32_t signature, uint32_t features)
{
	t->len = MP_HEADER;
	processor(t, signature, features);
	bus(t, BUS_PCI, "PCI   ");
	bus(t, BUS_ISA, "ISA   ");
	io_apic(t);
	interrupt(t, MP_INTERRUPT, MP_EXTINT, CONFORMS, BUS_ISA, 0, 0, 0);
	for (unsigned i = 0; i < LINES; i++)
		if (i != CASCADE)
			interrupt(t, MP_INTERRUPT, MP_INT, is_level(i) ? LEVEL_HIGH : CONFORMS, BUS_ISA, i, 0,
				  i ? i : TIMER_PIN);
	pci_interrupts(t);
	interrupt(t, MP_LOCAL, MP_EXTINT, CONFORMS, BUS_ISA, 0, MP_ALL, 0);
	interrupt(t, MP_LOCAL, MP_NMI, CONFORMS, BUS_ISA, 0, MP_ALL, 1);
	memcpy(t->buf, "PCMP", 4);
	put(t->buf + 4, t->len, 2);
	t->buf[6] = 4; /* version 1.4 */
	memcpy(t->buf + 8, "VITRINE VITRINE     ", 20);
	put(t->buf + 34, t->entries, 2);
	put(t->buf + 36, LAPIC_AT, 4);
	t->buf[7] = acpi_checksum(t->buf, t->len);
}

bool mp_write(struct mm_vm *vm, uint32_t signature, uint32_t features)
{
	struct mp_table t = { .len = 0 };
	uint8_t p[MP_POINTER_LEN] = "_MP_";

	make_mp(&t, signature, features);
	put(p + 4, MP_AT + MP_POINTER_LEN, 4);
	p[8] = 1; /* length of this, in 16 bytes */
	p[9] = 4; /* version 1.4; no IMCR: virtual wire mode */
	p[10] = acpi_checksum(p, sizeof(p));
	return mm_phys_write(vm, MP_AT, p, sizeof(p)) &&
	       mm_phys_write(vm, MP_AT + MP_POINTER_LEN, t.buf, t.len);
}
