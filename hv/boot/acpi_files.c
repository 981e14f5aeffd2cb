/* SPDX-License-Identifier: GPL-3.0-or-later
 * The ACPI tables as files for a BIOS, which chooses where they go: addresses count from the beginning
 * of the tables' file, and a script (format: SeaBIOS src/fw/romfile_loader.h) lists allocations,
 * places to add addresses, and checksums to recompute. */
#include <string.h>

#include "hv/boot/acpi.h"

enum loader_command { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER, LOADER_ADD_CHECKSUM };
enum { ZONE_HIGH = 1, ZONE_FSEG, NAME_LEN = 56 };
enum { FADT = ACPI_FADT - ACPI_RSDT, MADT = ACPI_MADT - ACPI_RSDT, RSDT = 0 }; /* in the tables' file */

/* Allocate: alignment, zone. Pointer into the tables: offset, size. Checksum: its offset, start, length. */
enum only { ALWAYS, WITH_APIC, WITHOUT_APIC };
struct loader_row {
	enum loader_command command;
	const char *file;
	uint32_t arg[3];
	enum only only;
};

static const struct loader_row rows[] = {
	{ LOADER_ALLOCATE, ACPI_FILE_RSDP, { 16, ZONE_FSEG }, ALWAYS },
	{ LOADER_ALLOCATE, ACPI_FILE_TABLES, { 64, ZONE_HIGH }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { FADT + ACPI_FADT_FACS, 4 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { FADT + ACPI_FADT_DSDT, 4 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { FADT + ACPI_FADT_X_FACS, 8 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { FADT + ACPI_FADT_X_DSDT, 8 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { RSDT + ACPI_RSDT_ENTRY, 4 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { RSDT + ACPI_RSDT_ENTRY + 4, 4 }, ALWAYS },
	{ LOADER_ADD_POINTER, ACPI_FILE_TABLES, { RSDT + ACPI_RSDT_ENTRY + 8, 4 }, WITH_APIC },
	{ LOADER_ADD_POINTER, ACPI_FILE_RSDP, { ACPI_RSDP_RSDT, 4 }, ALWAYS },
	{ LOADER_ADD_CHECKSUM, ACPI_FILE_TABLES, { FADT + 9, FADT, ACPI_FADT_LEN }, ALWAYS },
	{ LOADER_ADD_CHECKSUM, ACPI_FILE_TABLES, { RSDT + 9, RSDT, ACPI_RSDT_LEN }, WITH_APIC },
	{ LOADER_ADD_CHECKSUM, ACPI_FILE_TABLES, { RSDT + 9, RSDT, ACPI_RSDT_LEN - 4 }, WITHOUT_APIC },
	{ LOADER_ADD_CHECKSUM, ACPI_FILE_TABLES, { MADT + 9, MADT, ACPI_MADT_LEN }, WITH_APIC },
	{ LOADER_ADD_CHECKSUM, ACPI_FILE_RSDP, { 8, 0, ACPI_RSDP_LEN }, ALWAYS },
};
_Static_assert(ARRAY_LEN(rows) * ACPI_LOADER_ENTRY == ACPI_LOADER, "one entry for each row");

static void make_entry(uint8_t p[ACPI_LOADER_ENTRY], const struct loader_row *row)
{
	uint8_t *args = p + 4 + NAME_LEN;

	p[0] = (uint8_t)row->command;
	memcpy(p + 4, row->file, strlen(row->file));
	if (row->command == LOADER_ADD_POINTER) { /* its source is the second name */
		memcpy(args, ACPI_FILE_TABLES, strlen(ACPI_FILE_TABLES));
		args += NAME_LEN;
	}
	memcpy(args, &row->arg[0], 4);
	if (row->command == LOADER_ADD_CHECKSUM)
		memcpy(args + 4, &row->arg[1], 8);
	else
		args[4] = (uint8_t)row->arg[1];
}

/* Entries left over are zero: commands that the BIOS does not know, and passes over. */
void acpi_files_make(struct acpi_files *f, unsigned with)
{
	uint8_t *at = f->loader;

	memset(f, 0, sizeof(*f));
	acpi_build(f->image, 0u - ACPI_RSDT, with);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].only == ((with & ACPI_WITH_APIC) ? WITHOUT_APIC : WITH_APIC))
			continue;
		make_entry(at, &rows[i]);
		at += ACPI_LOADER_ENTRY;
	}
}
