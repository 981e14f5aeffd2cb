/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI tables (ACPI 6.5 ch. 5), which a BIOS gets through fw_cfg. The DSDT is in dsdt.c, tables of
 * interrupts and timers in acpi_apic.c. */
#include "hv/boot/acpi.h"

#include <string.h>

enum { SIG = 4, HEADER = 36, FACS_LEN = 64 };
_Static_assert(ACPI_RSDT_LEN == HEADER + 3 * 4, "the RSDT has three entries");

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

uint8_t acpi_checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

void acpi_header(uint8_t *p, const char *sig, uint32_t len, uint8_t rev)
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
	p[9] = acpi_checksum(p, len);
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
enum { BOOT_LEGACY = 1, BOOT_8042 = 2, BOOT_NO_MSI = 8 };

static void make_fadt(uint8_t p[ACPI_FADT_LEN], uint32_t at, bool apic)
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
	put(p + 109, BOOT_LEGACY | BOOT_8042 | (apic ? 0 : BOOT_NO_MSI), 2);
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
	acpi_header(p, "FACP", ACPI_FADT_LEN, 3);
}

void acpi_build(uint8_t image[ACPI_IMAGE], uint32_t at, unsigned with)
{
	bool apic = with & ACPI_WITH_APIC;
	uint8_t *rsdp = image + ACPI_RSDP, *rsdt = image + ACPI_RSDT, *facs = image + ACPI_FACS;

	memset(image, 0, ACPI_IMAGE);
	acpi_header(image + ACPI_DSDT, "DSDT", (uint32_t)dsdt_build(image + ACPI_DSDT, HEADER, with), 1);
	memcpy(facs, "FACS", SIG);
	put(facs + 4, FACS_LEN, 4);
	facs[32] = 1;
	make_fadt(image + ACPI_FADT, at, apic);
	acpi_hpet(image + ACPI_HPET);
	put(rsdt + HEADER, at + ACPI_FADT, 4);
	put(rsdt + HEADER + 4, at + ACPI_HPET, 4);
	if (apic) {
		acpi_madt(image + ACPI_MADT);
		put(rsdt + HEADER + 8, at + ACPI_MADT, 4);
	}
	acpi_header(rsdt, "RSDT", apic ? ACPI_RSDT_LEN : ACPI_RSDT_LEN - 4, 1);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "VITRIN", 6);
	put(rsdp + ACPI_RSDP_RSDT, at + ACPI_RSDT, 4);
	rsdp[8] = acpi_checksum(rsdp, ACPI_RSDP_LEN);
}

bool acpi_write(struct mm_vm *vm, unsigned with)
{
	uint8_t image[ACPI_IMAGE];

	acpi_build(image, ACPI_AT, with);
	return mm_phys_write(vm, ACPI_AT, image, sizeof(image));
}
