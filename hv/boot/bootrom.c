/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/boot/bootrom.h: an option ROM with a PnP header (PnP BIOS 1.0A, 3.2), its boot entry and its INT 13h
 * handler, which takes the drives that there are:
 *
 *   50  out BOOT, al ; jmp far cs:[START]
 *   60  cmp dl, NUMBER ; je a8      (for each drive)
 *       jmp far cs:[OLD13]
 *   a8  cmp ah, 8 ; jne b4 ; cmp dl, 80 ; jae b4
 *       push cs ; pop es            (AH=08h of a floppy: ES:DI is its parameter table)
 *   b4  out INT13, al ; iret */
#include "hv/boot/bootrom.h"

#include <string.h>

enum { O_PNP = 0x20, O_NAME = 0x40, O_BOOT = 0x50, O_SERVE = 0xa8, PNP_SUM = 9 };

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n--)
		sum += *p++;
	return (uint8_t)-sum;
}

static void put_handler(uint8_t *rom, const struct drives *ds)
{
	static const uint8_t chain[] = { 0x2e, 0xff, 0x2e, BOOTROM_OLD13, 0 };
	static const uint8_t serve[] = { 0x80,	       0xfc, 0x08, 0x75, 0x07, 0x80, 0xfa,
					 DRIVE_DISK_0, 0x73, 0x02, 0x0e, 0x07, 0xe6, BOOTROM_PORT_INT13,
					 0xcf };
	unsigned at = BOOTROM_INT13;

	for (unsigned i = 0; i < ds->n; i++, at += 5) {
		const uint8_t test[] = { 0x80, 0xfa, ds->d[i].number, 0x74, (uint8_t)(O_SERVE - at - 5) };

		memcpy(rom + at, test, sizeof(test));
	}
	memcpy(rom + at, chain, sizeof(chain));
	memcpy(rom + O_SERVE, serve, sizeof(serve));
}
_Static_assert(BOOTROM_INT13 + 5 * DRIVES_MAX + 5 <= O_SERVE, "the handler ends where its tail begins");

/* Diskette parameter tables: step rate, head load, motor off, 512 bytes, sectors of a track, gap, data
 * length, gap for formatting, filler, head settle, motor start. */
static void put_tables(uint8_t *rom, const struct drives *ds)
{
	for (unsigned i = 0; i < ds->n; i++) {
		const struct drive *d = &ds->d[i];
		const uint8_t table[] = { 0xdf, 2, 0x25, 2, d->geo.spt, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 8 };

		if (d->kind == DRIVE_FLOPPY)
			memcpy(rom + BOOTROM_DISKETTE + d->number * BOOTROM_DISKETTE_LEN, table,
			       sizeof(table));
	}
}

void bootrom_make(uint8_t rom[BOOTROM_BYTES], const struct drives *ds)
{
	static const uint8_t head[] = { 0x55, 0xaa, BOOTROM_BYTES / 512,
					0x31, 0xc0, 0xcb /* xor ax,ax; retf */ };
	static const uint8_t pnp[] = {
		'$', 'P', 'n', 'P',  1, 2, 0, 0, 0,	 0 /* checksum */,   0, 0, 0, 0, 0, 0, O_NAME, 0,
		1,   0,	  0,   0x14, 0, 0, 0, 0, O_BOOT, 0 /* boot entry */, 0, 0, 0, 0,
	};
	static const uint8_t boot[] = { 0xe6, BOOTROM_PORT_BOOT, 0x2e, 0xff, 0x2e, BOOTROM_START, 0 };

	memset(rom, 0, BOOTROM_BYTES);
	memcpy(rom, head, sizeof(head));
	rom[0x1a] = O_PNP;
	memcpy(rom + O_PNP, pnp, sizeof(pnp));
	rom[O_PNP + PNP_SUM] = checksum(rom + O_PNP, sizeof(pnp));
	memcpy(rom + O_NAME, "Vitrine disk", 13);
	memcpy(rom + O_BOOT, boot, sizeof(boot));
	put_handler(rom, ds);
	put_tables(rom, ds);
	rom[BOOTROM_BYTES - 1] = checksum(rom, BOOTROM_BYTES);
}
