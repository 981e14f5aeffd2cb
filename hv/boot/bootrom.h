/* SPDX-License-Identifier: GPL-3.0-or-later
 * The option ROM through which SeaBIOS boots the image given by the user: a few instructions that
 * write to two ports; dev/bootdisk.c does the work. */
#ifndef HV_BOOTROM_H
#define HV_BOOTROM_H
#include "base/types.h"

enum {
	BOOTROM_BYTES = 512,
	BOOTROM_PORT_INT13 = 0xea, /* written by the ROM's INT 13h handler */
	BOOTROM_PORT_BOOT = 0xeb,  /* written by the ROM's boot entry */
	BOOTROM_INT13 = 0x60,	   /* offset of the handler */
	BOOTROM_OLD13 = 0x69,	   /* offset of the far pointer to the previous handler */
};

void bootrom_make(uint8_t rom[BOOTROM_BYTES], uint8_t drive);
/* BIOS drive number of an image of LEN bytes. */
uint8_t bootdisk_drive(uint64_t len);
#endif
