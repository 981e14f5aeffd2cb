/* SPDX-License-Identifier: GPL-3.0-or-later
 * The DSDT (ACPI 6.5 ch. 5 and 19), by a small writer of AML (ch. 20): S5, a PCI root with its windows and
 * interrupts, and the ISA devices that have resources. PCI interrupts go through link devices over the ISA
 * bridge's route registers (hv/dev/piix.c): the lines are the same with PICs and IO-APIC, level-triggered,
 * active high. */
#include <string.h>

#include "hv/boot/acpi.h"

enum { AML_MAX = ACPI_IMAGE - ACPI_DSDT };
#define MEMORY_END 0xc0000000u /* the most memory a guest can have: the PCI window begins here */
#define MEMORY_LAST 0xfebfffffu

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* ---- AML ---- */

struct aml {
	uint8_t buf[AML_MAX];
	size_t len;
};

static void bytes(struct aml *a, const void *p, size_t n)
{
	if (a->len + n > AML_MAX)
		return;
	memcpy(a->buf + a->len, p, n);
	a->len += n;
}

static void byte(struct aml *a, uint8_t b)
{
	bytes(a, &b, 1);
}

/* Open a package: its length takes three bytes, filled in by aml_end(). */
static size_t aml_begin(struct aml *a, const void *op, size_t oplen)
{
	size_t at;

	bytes(a, op, oplen);
	at = a->len;
	bytes(a, "\0\0\0", 3);
	return at;
}

static void aml_end(struct aml *a, size_t at)
{
	size_t len = a->len - at;

	a->buf[at] = (uint8_t)(0x80 | (len & 15));
	put(a->buf + at + 1, len >> 4, 2);
}

static size_t scope(struct aml *a, const char *name)
{
	size_t at = aml_begin(a, "\x10", 1);

	bytes(a, name, strlen(name));
	return at;
}

static size_t device(struct aml *a, const char *name)
{
	size_t at = aml_begin(a, "\x5b\x82", 2);

	bytes(a, name, 4);
	return at;
}

static unsigned hex(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A' + 10);
}

static void eisa_id(struct aml *a, const char *id)
{
	unsigned v = (unsigned)(id[0] & 31) << 10 | (unsigned)(id[1] & 31) << 5 | (unsigned)(id[2] & 31);
	const uint8_t eisa[4] = {
		(uint8_t)(v >> 8),
		(uint8_t)v,
		(uint8_t)(hex(id[3]) << 4 | hex(id[4])),
		(uint8_t)(hex(id[5]) << 4 | hex(id[6])),
	};

	byte(a, 0x0c);
	bytes(a, eisa, 4);
}

/* Name(_HID, EisaId(ID)), ID like "PNP0A03"; a longer one is a string. */
static void hid(struct aml *a, const char *id)
{
	bytes(a, "\x08_HID", 5);
	if (strlen(id) <= 7) {
		eisa_id(a, id);
		return;
	}
	byte(a, 0x0d);
	bytes(a, id, strlen(id) + 1);
}

static void name_byte(struct aml *a, const char *name, uint8_t v)
{
	byte(a, 0x08);
	bytes(a, name, 4);
	byte(a, 0x0a);
	byte(a, v);
}

/* Name(NAME, Buffer(){...}) around descriptors already written to R. */
static void resources(struct aml *a, const char *name, const struct aml *r)
{
	size_t at, total = r->len + 2;

	byte(a, 0x08);
	bytes(a, name, 4);
	at = aml_begin(a, "\x11", 1);
	byte(a, 0x0b);
	byte(a, (uint8_t)total);
	byte(a, (uint8_t)(total >> 8));
	bytes(a, r->buf, r->len);
	bytes(a, "\x79\x00", 2);
	aml_end(a, at);
}

static void res_io(struct aml *r, uint16_t port, uint8_t len)
{
	const uint8_t d[] = {
		0x47, 1, (uint8_t)port, (uint8_t)(port >> 8), (uint8_t)port, (uint8_t)(port >> 8), 1, len
	};

	bytes(r, d, sizeof(d));
}

static void res_irq(struct aml *r, unsigned line)
{
	const uint8_t d[] = { 0x22, (uint8_t)(1u << line), (uint8_t)((1u << line) >> 8) };

	bytes(r, d, sizeof(d));
}

enum { RES_MEMORY, RES_IO, RES_BUS };

/* Word (bus, I/O) or double word (memory) address space, produced by the bridge. */
static void res_window(struct aml *r, uint8_t type, uint32_t min, uint32_t max)
{
	unsigned w = type == RES_MEMORY ? 4 : 2;
	uint8_t d[26] = { w == 4 ? 0x87 : 0x88,
			  (uint8_t)(3 + 5 * w),
			  0,
			  type,
			  0x0c,
			  type == RES_BUS ? 0 : type == RES_IO ? 3 : 1 };

	put(d + 6 + w, min, w);
	put(d + 6 + 2 * w, max, w);
	put(d + 6 + 4 * w, (uint64_t)max - min + 1, w);
	bytes(r, d, 6 + 5 * w);
}

/* ISA devices: name, id, first ports, their number, further ports, line. */
struct isa_row {
	const char *name, *id;
	uint16_t port;
	uint8_t len;
	uint16_t port2;
	uint8_t len2;
	int8_t irq; /* -1: none */
};

static const struct isa_row isa[] = {
	{ "PIC_", "PNP0000", 0x20, 2, 0xa0, 2, 2 }, { "TIMR", "PNP0100", 0x40, 4, 0, 0, 0 },
	{ "RTC_", "PNP0B00", 0x70, 2, 0, 0, 8 },    { "KBD_", "PNP0303", 0x60, 1, 0x64, 1, 1 },
	{ "COM1", "PNP0501", 0x3f8, 8, 0, 0, 4 },   { "MOU_", "PNP0F13", 0, 0, 0, 0, 12 },
};

static const struct isa_row panic = { "PEVT", "QEMU0001", 0x505, 1, 0, 0, -1 };

static void isa_device(struct aml *a, const struct isa_row *row)
{
	size_t dev = device(a, row->name);
	struct aml r = { .len = 0 };

	hid(a, row->id);
	name_byte(a, "_STA", 0xf);
	if (row->len)
		res_io(&r, row->port, row->len);
	if (row->len2)
		res_io(&r, row->port2, row->len2);
	if (row->irq >= 0)
		res_irq(&r, (unsigned)row->irq);
	resources(a, "_CRS", &r);
	aml_end(a, dev);
}

/* ---- PCI interrupts ---- */

enum { LINKS = 4, PCI_DEVICES = 32, PIRQ_ROUTE = 0x60, ROUTE_OFF = 0x80 };
enum { OP_STORE = 0x70, OP_OR = 0x7d, OP_AND = 0x7b, OP_LNOT = 0x92, OP_IF = 0xa0, OP_RETURN = 0xa4 };
enum { OP_BYTE = 0x0a, OP_DWORD = 0x0c, OP_ARG0 = 0x68, OP_DWORD_FIELD = 0x8a };
enum { SERIALIZED = 8, IRQ_OFFSET = 5 /* in an extended interrupt descriptor */ };

/* Interrupt(ResourceConsumer, Level, ActiveHigh, Shared) { LINES } */
static void res_interrupt(struct aml *r, const uint8_t *lines, unsigned n)
{
	const uint8_t head[] = { 0x89, (uint8_t)(2 + 4 * n), 0, 0x09, (uint8_t)n };

	bytes(r, head, sizeof(head));
	for (unsigned i = 0; i < n; i++)
		bytes(r, (const uint8_t[]){ lines[i], 0, 0, 0 }, 4);
}

static size_t method(struct aml *a, const char *name, unsigned flags)
{
	size_t at = aml_begin(a, "\x14", 1);

	bytes(a, name, 4);
	byte(a, (uint8_t)flags);
	return at;
}

static void op_byte(struct aml *a, uint8_t v)
{
	byte(a, OP_BYTE);
	byte(a, v);
}

/* Route register N, as a field of the ISA bridge: \_SB.PCI0.ISA.PRQA, ... */
static void route(struct aml *a, unsigned n)
{
	bytes(a, "\\\x2f\x04_SB_PCI0ISA_PRQ", 18);
	byte(a, (uint8_t)('A' + n));
}

/* And(ROUTE, 0x80) */
static void route_off(struct aml *a, unsigned n)
{
	byte(a, OP_AND);
	route(a, n);
	op_byte(a, ROUTE_OFF);
	byte(a, 0);
}

/* CreateDWordField(SOURCE, 5, IRQW): the line in a buffer with one interrupt. */
static void line_field(struct aml *a, const void *source, size_t len)
{
	byte(a, OP_DWORD_FIELD);
	bytes(a, source, len);
	op_byte(a, IRQ_OFFSET);
	bytes(a, "IRQW", 4);
}

/* Present, shown, functioning; enabled when it is routed. */
static void link_status(struct aml *a, unsigned n)
{
	size_t m = method(a, "_STA", 0), off;

	off = aml_begin(a, (const uint8_t[]){ OP_IF }, 1);
	route_off(a, n);
	byte(a, OP_RETURN);
	op_byte(a, 0x9);
	aml_end(a, off);
	byte(a, OP_RETURN);
	op_byte(a, 0xb);
	aml_end(a, m);
}

static void link_disable(struct aml *a, unsigned n)
{
	size_t m = method(a, "_DIS", 0);

	byte(a, OP_OR);
	route(a, n);
	op_byte(a, ROUTE_OFF);
	route(a, n);
	aml_end(a, m);
}

static void link_current(struct aml *a, unsigned n)
{
	size_t m = method(a, "_CRS", SERIALIZED), on;
	struct aml r = { .len = 0 };

	res_interrupt(&r, (const uint8_t[]){ 0 }, 1);
	resources(a, "PRR0", &r);
	line_field(a, "PRR0", 4);
	on = aml_begin(a, (const uint8_t[]){ OP_IF }, 1);
	byte(a, OP_LNOT);
	route_off(a, n);
	byte(a, OP_STORE);
	route(a, n);
	bytes(a, "IRQW", 4);
	aml_end(a, on);
	byte(a, OP_RETURN);
	bytes(a, "PRR0", 4);
	aml_end(a, m);
}

static void link_set(struct aml *a, unsigned n)
{
	size_t m = method(a, "_SRS", SERIALIZED | 1);

	line_field(a, (const uint8_t[]){ OP_ARG0 }, 1);
	byte(a, OP_STORE);
	bytes(a, "IRQW", 4);
	route(a, n);
	aml_end(a, m);
}

static void link_device(struct aml *a, unsigned n)
{
	static const uint8_t possible[] = { 5, 10, 11 };
	char name[] = "LNKA";
	struct aml r = { .len = 0 };
	size_t dev;

	name[3] = (char)('A' + n);
	dev = device(a, name);
	hid(a, "PNP0C0F");
	name_byte(a, "_UID", (uint8_t)(1 + n));
	res_interrupt(&r, possible, sizeof(possible));
	resources(a, "_PRS", &r);
	link_status(a, n);
	link_disable(a, n);
	link_current(a, n);
	link_set(a, n);
	aml_end(a, dev);
}

/* Name(_PRT, Package(){ Package(){ device, pin, link, 0 }... }): pins rotate by device. */
static void routing_table(struct aml *a)
{
	size_t all, one;

	bytes(a, "\x08_PRT", 5);
	all = aml_begin(a, "\x12", 1);
	byte(a, (PCI_DEVICES - 1) * 4);
	for (unsigned dev = 1; dev < PCI_DEVICES; dev++)
		for (unsigned pin = 0; pin < 4; pin++) {
			uint8_t address[4];

			put(address, dev << 16 | 0xffff, 4);
			one = aml_begin(a, "\x12", 1);
			byte(a, 4);
			byte(a, OP_DWORD);
			bytes(a, address, 4);
			op_byte(a, (uint8_t)pin);
			bytes(a, "LNK", 3);
			byte(a, (uint8_t)('A' + ((pin + dev - 1) & 3)));
			byte(a, 0);
			aml_end(a, one);
		}
	aml_end(a, all);
}

/* OperationRegion(PIRQ, PCI_Config, 0x60, 4), and a field of a byte for each wire. */
static void route_fields(struct aml *a)
{
	size_t at;

	bytes(a, "\x5b\x80PIRQ\x02", 7);
	op_byte(a, PIRQ_ROUTE);
	op_byte(a, LINKS);
	at = aml_begin(a, "\x5b\x81", 2);
	bytes(a, "PIRQ\x01", 5);
	for (unsigned n = 0; n < LINKS; n++) {
		bytes(a, "PRQ", 3);
		byte(a, (uint8_t)('A' + n));
		byte(a, 8);
	}
	aml_end(a, at);
}

static void pci_root(struct aml *a, unsigned with)
{
	size_t root = device(a, "PCI0"), bridge;
	struct aml r = { .len = 0 };

	hid(a, "PNP0A03");
	name_byte(a, "_ADR", 0);
	name_byte(a, "_UID", 0);
	res_window(&r, RES_BUS, 0, 0xff);
	res_io(&r, 0xcf8, 8);
	res_window(&r, RES_IO, 0, 0xcf7);
	res_window(&r, RES_IO, 0xd00, 0xffff);
	res_window(&r, RES_MEMORY, 0xa0000, 0xbffff);
	res_window(&r, RES_MEMORY, MEMORY_END, MEMORY_LAST);
	resources(a, "_CRS", &r);
	routing_table(a);
	bridge = device(a, "ISA_");
	bytes(a, "\x08_ADR\x0c\x00\x00\x01\x00", 10);
	route_fields(a);
	for (unsigned i = 0; i < ARRAY_LEN(isa); i++)
		isa_device(a, &isa[i]);
	if (with & ACPI_WITH_PVPANIC)
		isa_device(a, &panic);
	aml_end(a, bridge);
	aml_end(a, root);
}

size_t dsdt_build(uint8_t *table, size_t at, unsigned with)
{
	static const uint8_t s5[] = {
		0x08, '\\',	    '_',  'S',		'5',  '_', 0x12, 0x0a, 4,
		0x0a, ACPI_S5_TYPE, 0x0a, ACPI_S5_TYPE, 0x0a, 0,   0x0a, 0,
	};
	struct aml a = { .len = at };
	size_t sb;

	bytes(&a, s5, sizeof(s5));
	sb = scope(&a, "\\_SB_");
	for (unsigned n = 0; n < LINKS; n++)
		link_device(&a, n);
	pci_root(&a, with);
	aml_end(&a, sb);
	memcpy(table + at, a.buf + at, a.len - at);
	return a.len;
}
