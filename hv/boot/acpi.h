/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI: the power-management block's place, and the tables that describe the machine; the MP table of
 * kernels that know no ACPI. */
#ifndef HV_ACPI_H
#define HV_ACPI_H
#include "mm/mm.h"

enum {
	ACPI_PM_BASE = 0x600,
	ACPI_PM1_EVT = ACPI_PM_BASE,
	ACPI_PM1_CNT = ACPI_PM_BASE + 4,
	ACPI_PM_TMR = ACPI_PM_BASE + 8,
	ACPI_PM_LEN = 12,
	ACPI_SCI_IRQ = 9,
	ACPI_S5_TYPE = 0,   /* SLP_TYP value of soft-off: the one small kernels write without reading \_S5 */
	ACPI_AT = 0xe0000,  /* address at which acpi_write() puts the tables, root pointer first */
	ACPI_AREA = 0x8000, /* bytes reserved there */
	MP_AT = 0xf0000,    /* address of the MP table: kernels look for it from here */
};

/* Offsets in the image of all tables, and in each table. */
enum {
	ACPI_RSDP = 0,
	ACPI_RSDT = 0x40,
	ACPI_FADT = 0x80,
	ACPI_HPET = 0x180,
	ACPI_FACS = 0x200,
	ACPI_MADT = 0x240,
	ACPI_DSDT = 0x300,
	ACPI_IMAGE = 0x1700,
	ACPI_RSDP_LEN = 20,
	ACPI_RSDT_LEN = 48, /* three entries; the last, of the MADT, is 0 without an APIC */
	ACPI_HPET_LEN = 56,
	ACPI_MADT_LEN = 120,
	ACPI_FADT_LEN = 244,
	ACPI_RSDP_RSDT = 16,
	ACPI_RSDT_ENTRY = 36,
	ACPI_FADT_FACS = 36,
	ACPI_FADT_DSDT = 40,
	ACPI_FADT_X_FACS = 132,
	ACPI_FADT_X_DSDT = 140,
};

/* What a machine has of it; bits: an APIC, pvpanic's port. */
enum { ACPI_WITH_APIC = 1, ACPI_WITH_PVPANIC = 2 };

/* Build RSDP, RSDT, FADT, HPET, FACS, DSDT and with an APIC the MADT for an IMAGE that begins at physical
 * address AT. */
void acpi_build(uint8_t image[ACPI_IMAGE], uint32_t at, unsigned with);
void acpi_header(uint8_t *p, const char *sig, uint32_t len, uint8_t rev);
void acpi_madt(uint8_t p[ACPI_MADT_LEN]);
void acpi_hpet(uint8_t p[ACPI_HPET_LEN]);
/* Modulo 256, what makes N bytes sum up to 0. */
uint8_t acpi_checksum(const uint8_t *p, size_t n);

/* Write the DSDT's code to TABLE, from offset AT on; return the offset of its end, before ACPI_IMAGE -
 * ACPI_DSDT. */
size_t dsdt_build(uint8_t *table, size_t at, unsigned with);

/* Write them for a guest that is entered without a BIOS. False when the guest has no memory there. */
bool acpi_write(struct mm_vm *vm, unsigned with);

/* The same of the MP table (Intel MultiProcessor Specification 1.4), for the processor with this signature
 * and these features. */
bool mp_write(struct mm_vm *vm, uint32_t signature, uint32_t features);

/* The tables as the files that fw_cfg offers (by the names SeaBIOS looks for); the BIOS places them. */
#define ACPI_FILE_RSDP "etc/acpi/rsdp"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_LOADER "etc/table-loader"
enum { ACPI_LOADER_ENTRY = 128, ACPI_LOADER = 15 * ACPI_LOADER_ENTRY };

struct acpi_files {
	uint8_t image[ACPI_IMAGE]; /* the RSDP's file, then from ACPI_RSDT on that of the tables */
	uint8_t loader[ACPI_LOADER];
};

void acpi_files_make(struct acpi_files *f, unsigned with);
#endif
