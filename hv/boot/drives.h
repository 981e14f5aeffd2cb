/* SPDX-License-Identifier: GPL-3.0-or-later
 * The drives that a BIOS machine reaches by INT 13h: image files, their numbers and geometry, and which of
 * them it boots from. */
#ifndef HV_DRIVES_H
#define HV_DRIVES_H
#include "hv/machine.h"

enum drive_kind { DRIVE_FLOPPY, DRIVE_DISK, DRIVE_CD };
enum { DRIVES_MAX = 2 + 2 + 1 + 2, DRIVE_DISK_0 = 0x80, DRIVE_CD_0 = 0xe0 };

struct geometry {
	uint64_t sectors; /* of 512 bytes */
	uint16_t cyls;
	uint8_t heads, spt;
	uint8_t type; /* of a floppy drive, as INT 13h AH=08h returns it */
};

struct drive {
	enum drive_kind kind;
	uint8_t number; /* the BIOS' */
	bool read_only;
	int fd;
	uint64_t start, len; /* the part of the file that is the medium */
	unsigned sector;     /* bytes */
	struct geometry geo; /* not of a CD */
	const char *path;
};

/* The initial entry of a CD's boot catalog (El Torito 1.0, 2.2). */
struct el_torito {
	uint8_t media; /* 0: no emulation; 1 to 3: floppy of 1.2, 1.44, 2.88 MB */
	uint16_t segment, sectors;
	uint32_t lba;
};

struct drives {
	struct drive d[DRIVES_MAX];
	unsigned n;
	const struct drive *boot; /* NULL: none */
	struct el_torito cd;	  /* how BOOT is started, if that is a CD or the floppy it emulates */
	const struct drive *cdrom;
};

struct loader;
/* Open the image files of L's configuration and choose the drive to boot from: the boot image; the first
 * floppy; the first hard disk with a boot signature; the CD. False with one line in l->err. */
bool drives_open(struct loader *l, struct drives *ds);
void drives_close(struct drives *ds);
/* The drive with the BIOS' NUMBER, or NULL. */
const struct drive *drive_find(const struct drives *ds, uint8_t number);
unsigned drives_count(const struct drives *ds, enum drive_kind kind);
/* Read or write N bytes at AT of the medium. What is behind the end of the file reads as zero. False: an
 * error of the host's. */
bool drive_read(const struct drive *d, uint64_t at, void *buf, size_t n);
bool drive_write(const struct drive *d, uint64_t at, const void *buf, size_t n);
#endif
