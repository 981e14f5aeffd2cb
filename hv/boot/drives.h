/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's drives: what is behind each (hv/io/block.h), where it is attached, its geometry, and which of
 * them a BIOS boots from. */
#ifndef HV_DRIVES_H
#define HV_DRIVES_H
#include "hv/io/block.h"

enum drive_kind { DRIVE_FLOPPY, DRIVE_DISK, DRIVE_CD };
enum { DRIVES_MAX = FLOPPIES_MAX + DISKS_MAX + 1 + 2, DRIVE_DISK_0 = 0x80, DRIVE_CD_0 = 0xe0 };

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
	bool virtio;	     /* a disk on the PCI bus, not an IDE one */
	unsigned unit;	     /* floppy drive 0 or 1; IDE: 2 x channel + device; virtio: its number there */
	struct block *block; /* NULL for the floppy that a CD emulates: the CD's is used */
	uint64_t start, len; /* the part of it that is the medium */
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

struct image_config;
/* Open the drives of C. BOOT: the machine boots from one of them (the boot image; the first floppy; the first
 * hard disk with a boot signature; the CD), which is chosen; it is an error if there is none. False with one
 * line in ERR. */
bool drives_open(struct drives *ds, const struct image_config *c, bool boot, char *err, size_t errlen);
/* Start the drives' threads. Drive N of the list has bit N of the notice. */
bool drives_start(struct drives *ds, const struct block_host *host, char *err, size_t errlen);
void drives_close(struct drives *ds);
/* Run the completions that the notice N announces. */
void drives_deliver(struct drives *ds, struct io_notice *n);
/* Complete all requests; limits begin anew. Before the state is saved or loaded. */
void drives_drain(struct drives *ds);
/* The drive with the BIOS' NUMBER; IDE drive UNIT; a floppy drive's; NULL: none. */
const struct drive *drive_find(const struct drives *ds, uint8_t number);
const struct drive *drive_ide(const struct drives *ds, unsigned unit);
const struct drive *drive_floppy(const struct drives *ds, unsigned unit);
unsigned drives_count(const struct drives *ds, enum drive_kind kind);
/* Read or write N bytes at AT of the medium, waiting for the host. What is behind the end reads as zero.
 * False: an error of the host's. */
bool drive_read(const struct drives *ds, const struct drive *d, uint64_t at, void *buf, size_t n);
bool drive_write(const struct drives *ds, const struct drive *d, uint64_t at, const void *buf, size_t n);
#endif
