/* SPDX-License-Identifier: GPL-3.0-or-later
 * The option ROM through which SeaBIOS boots from the user's drives: a few instructions that
 * write to two ports; dev/bootdisk.c does the work. */
#ifndef HV_BOOTROM_H
#define HV_BOOTROM_H
#include "hv/boot/drives.h"

enum {
	BOOTROM_BYTES = 512,
	BOOTROM_PORT_INT13 = 0xea, /* written by the ROM's INT 13h handler */
	BOOTROM_PORT_BOOT = 0xeb,  /* written by the ROM's boot entry */
	BOOTROM_INT13 = 0x60,	   /* offset of the handler */
	BOOTROM_OLD13 = 0xd0,	   /* offset of the far pointer to the previous handler */
	BOOTROM_START = 0xd4,	   /* and of that to what the boot entry jumps to */
	BOOTROM_DISKETTE = 0xe0,   /* diskette parameter tables, one for each floppy by number */
	BOOTROM_DISKETTE_LEN = 16,
};

void bootrom_make(uint8_t rom[BOOTROM_BYTES], const struct drives *ds);
#endif
