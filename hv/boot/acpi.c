/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI tables (ACPI 6.5 ch. 5), which a BIOS gets through fw_cfg, and
 * a small AML writer for the DSDT (ch. 20): S5, a PCI root with its windows,
 * and the ISA devices that have resources. No APIC, so no MADT. */
#include "hv/boot/acpi.h"

#include <string.h>

enum { SIG = 4, HEADER = 36, FACS_LEN = 64, AML_MAX = ACPI_IMAGE - ACPI_DSDT };
_Static_assert(ACPI_RSDT_LEN == HEADER + 4, "the RSDT has one entry");

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

static void header(uint8_t *p, const char *sig, uint32_t len, uint8_t rev)
{
	memcpy(p, sig, SIG);
	put(p + 4, len, 4);
	p[8] = rev;
	memcpy(p + 10, "VITRIN", 6);
	memcpy(p + 16, "VITRINE ", 8);
	put(p + 24, 1, 4);
	memcpy(p + 28, "VTRN", 4);
	put(p + 32, 1, 4);
	p[9] = 0;
	p[9] = checksum(p, len);
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

/* Open a package: its length takes two bytes, filled in by aml_end(). */
static size_t aml_begin(struct aml *a, const void *op, size_t oplen)
{
	size_t at;

	bytes(a, op, oplen);
	at = a->len;
	bytes(a, "\0\0", 2);
	return at;
}

static void aml_end(struct aml *a, size_t at)
{
	size_t len = a->len - at;

	a->buf[at] = (uint8_t)(0x40 | (len & 15));
	a->buf[at + 1] = (uint8_t)(len >> 4);
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

/* Name(_HID, EisaId(ID)), ID like "PNP0A03". */
static void hid(struct aml *a, const char *id)
{
	unsigned v = (unsigned)(id[0] & 31) << 10 | (unsigned)(id[1] & 31) << 5 | (unsigned)(id[2] & 31);
	const uint8_t eisa[4] = {
		(uint8_t)(v >> 8),
		(uint8_t)v,
		(uint8_t)(hex(id[3]) << 4 | hex(id[4])),
		(uint8_t)(hex(id[5]) << 4 | hex(id[6])),
	};

	bytes(a, "\x08_HID\x0c", 6);
	bytes(a, eisa, 4);
}

static void name_byte(struct aml *a, const char *name, uint8_t v)
{
	byte(a, 0x08);
	bytes(a, name, 4);
	byte(a, 0x0a);
	byte(a, v);
}

/* Name(_CRS, Buffer(){...}) around descriptors already written to R. */
static void crs(struct aml *a, const struct aml *r)
{
	size_t at, total = r->len + 2;

	bytes(a, "\x08_CRS", 5);
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
	int8_t irq;
};

static const struct isa_row isa[] = {
	{ "PIC_", "PNP0000", 0x20, 2, 0xa0, 2, 2 }, { "TIMR", "PNP0100", 0x40, 4, 0, 0, 0 },
	{ "RTC_", "PNP0B00", 0x70, 2, 0, 0, 8 },    { "KBD_", "PNP0303", 0x60, 1, 0x64, 1, 1 },
	{ "COM1", "PNP0501", 0x3f8, 8, 0, 0, 4 },
};

static void isa_device(struct aml *a, const struct isa_row *row)
{
	size_t dev = device(a, row->name);
	struct aml r = { .len = 0 };

	hid(a, row->id);
	name_byte(a, "_STA", 0xf);
	res_io(&r, row->port, row->len);
	if (row->len2)
		res_io(&r, row->port2, row->len2);
	res_irq(&r, (unsigned)row->irq);
	crs(a, &r);
	aml_end(a, dev);
}

static void pci_root(struct aml *a, uint32_t memory_end)
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
	res_window(&r, RES_MEMORY, memory_end, 0xfebfffff);
	crs(a, &r);
	bridge = device(a, "ISA_");
	bytes(a, "\x08_ADR\x0c\x00\x00\x01\x00", 10);
	for (unsigned i = 0; i < ARRAY_LEN(isa); i++)
		isa_device(a, &isa[i]);
	aml_end(a, bridge);
	aml_end(a, root);
}

/* The DSDT: header space, then Name(\_S5_, Package(){...}) and Scope(\_SB_). */
static void make_dsdt(struct aml *a, uint32_t memory_end)
{
	static const uint8_t s5[] = {
		0x08, '\\',	    '_',  'S',		'5',  '_', 0x12, 0x0a, 4,
		0x0a, ACPI_S5_TYPE, 0x0a, ACPI_S5_TYPE, 0x0a, 0,   0x0a, 0,
	};
	size_t sb;

	memset(a, 0, sizeof(*a));
	a->len = HEADER;
	bytes(a, s5, sizeof(s5));
	sb = scope(a, "\\_SB_");
	pci_root(a, memory_end);
	aml_end(a, sb);
	header(a->buf, "DSDT", (uint32_t)a->len, 1);
}

/* ---- fixed tables ---- */

/* Generic address structure in system I/O space. */
static void gas(uint8_t *p, uint16_t port, uint8_t bits)
{
	p[0] = 1;
	p[1] = bits;
	p[3] = bits == 8 ? 1 : bits == 16 ? 2 : 3;
	put(p + 4, port, 8);
}

enum {
	FADT_WBINVD = 1,
	FADT_C1 = 4,
	FADT_NO_PWR = 0x10,
	FADT_NO_SLP = 0x20,
	FADT_NO_FIX_RTC = 0x40,
	FADT_TMR_32 = 0x100,
	FADT_RESET = 0x400
};
enum { BOOT_LEGACY = 1, BOOT_8042 = 2 };

static void make_fadt(uint8_t p[ACPI_FADT_LEN], uint32_t at)
{
	put(p + ACPI_FADT_FACS, at + ACPI_FACS, 4);
	put(p + ACPI_FADT_DSDT, at + ACPI_DSDT, 4);
	put(p + 46, ACPI_SCI_IRQ, 2);
	put(p + 56, ACPI_PM1_EVT, 4);
	put(p + 64, ACPI_PM1_CNT, 4);
	put(p + 76, ACPI_PM_TMR, 4);
	p[88] = 4; /* lengths of event, control and timer blocks */
	p[89] = 2;
	p[91] = 4;
	put(p + 96, 0xfff, 2); /* no C2 */
	put(p + 98, 0xfff, 2); /* no C3 */
	p[108] = 0x32;	       /* century register */
	put(p + 109, BOOT_LEGACY | BOOT_8042, 2);
	put(p + 112,
	    FADT_WBINVD | FADT_C1 | FADT_NO_PWR | FADT_NO_SLP | FADT_NO_FIX_RTC | FADT_TMR_32 | FADT_RESET,
	    4);
	gas(p + 116, 0xcf9, 8);
	p[128] = 6; /* the value that resets */
	put(p + ACPI_FADT_X_FACS, at + ACPI_FACS, 8);
	put(p + ACPI_FADT_X_DSDT, at + ACPI_DSDT, 8);
	gas(p + 148, ACPI_PM1_EVT, 32);
	p[151] = 2; /* by words */
	gas(p + 172, ACPI_PM1_CNT, 16);
	gas(p + 208, ACPI_PM_TMR, 32);
	header(p, "FACP", ACPI_FADT_LEN, 3);
}

void acpi_build(uint8_t image[ACPI_IMAGE], uint32_t at)
{
	uint8_t *rsdp = image + ACPI_RSDP, *rsdt = image + ACPI_RSDT, *facs = image + ACPI_FACS;
	struct aml dsdt;

	memset(image, 0, ACPI_IMAGE);
	make_dsdt(&dsdt, 0xc0000000);
	memcpy(image + ACPI_DSDT, dsdt.buf, dsdt.len);
	memcpy(facs, "FACS", SIG);
	put(facs + 4, FACS_LEN, 4);
	facs[32] = 1;
	make_fadt(image + ACPI_FADT, at);
	put(rsdt + HEADER, at + ACPI_FADT, 4);
	header(rsdt, "RSDT", ACPI_RSDT_LEN, 1);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "VITRIN", 6);
	put(rsdp + ACPI_RSDP_RSDT, at + ACPI_RSDT, 4);
	rsdp[8] = checksum(rsdp, ACPI_RSDP_LEN);
}

bool acpi_write(struct mm_vm *vm)
{
	uint8_t image[ACPI_IMAGE];

	acpi_build(image, ACPI_AT);
	return mm_phys_write(vm, ACPI_AT, image, sizeof(image));
}
