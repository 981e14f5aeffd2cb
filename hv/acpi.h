/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI: where the power-management block is, and the tables that say so. */
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
	ACPI_S5_TYPE = 0,    /* SLP_TYP value of soft-off: the one small kernels write without reading \_S5 */
	ACPI_RSDP = 0xe0000, /* where acpi_write() puts the root pointer */
	ACPI_AREA = 0x8000,  /* bytes kept for tables from there */
};

/* Write RSDP, RSDT, FADT, FACS and DSDT. False when the memory is not there. */
bool acpi_write(struct mm_vm *vm);
#endif
