/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI: the power-management block's place, and the tables that describe it. */
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
};

/* Offsets in the image of all tables, and in each table. */
enum {
	ACPI_RSDP = 0,
	ACPI_RSDT = 0x40,
	ACPI_FADT = 0x80,
	ACPI_FACS = 0x200,
	ACPI_DSDT = 0x280,
	ACPI_IMAGE = 0x1680,
	ACPI_RSDP_LEN = 20,
	ACPI_RSDT_LEN = 40,
	ACPI_FADT_LEN = 244,
	ACPI_RSDP_RSDT = 16,
	ACPI_RSDT_ENTRY = 36,
	ACPI_FADT_FACS = 36,
	ACPI_FADT_DSDT = 40,
	ACPI_FADT_X_FACS = 132,
	ACPI_FADT_X_DSDT = 140,
};

/* Build RSDP, RSDT, FADT, FACS and DSDT for an IMAGE that begins at physical address AT. */
void acpi_build(uint8_t image[ACPI_IMAGE], uint32_t at);

/* Write the DSDT's code to TABLE, from offset AT on; return the offset of its end, before ACPI_IMAGE -
 * ACPI_DSDT. */
size_t dsdt_build(uint8_t *table, size_t at);

/* Write them for a guest that is entered without a BIOS. False when the guest has no memory there. */
bool acpi_write(struct mm_vm *vm);

/* The tables as the files that fw_cfg offers (by the names SeaBIOS looks for); the BIOS places them. */
#define ACPI_FILE_RSDP "etc/acpi/rsdp"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_LOADER "etc/table-loader"
enum { ACPI_LOADER_ENTRY = 128, ACPI_LOADER = 11 * ACPI_LOADER_ENTRY };

struct acpi_files {
	uint8_t image[ACPI_IMAGE]; /* the RSDP's file, then from ACPI_RSDT on that of the tables */
	uint8_t loader[ACPI_LOADER];
};

void acpi_files_make(struct acpi_files *f);
#endif
