/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's drives: what is behind each (hv/io/block.h), where it is attached, its geometry, and which of
 * them a BIOS boots from. */
#ifndef HV_DRIVES_H
#define HV_DRIVES_H
#include "hv/io/block.h"

enum drive_kind { DRIVE_FLOPPY, DRIVE_DISK, DRIVE_CD };
enum { DRIVES_MAX = FLOPPIES_MAX + DISKS_MAX + 1 + 1 /* the boot image */ };

/* Of a floppy disk. */
struct geometry {
	uint8_t cyls, heads, spt;
	uint8_t type; /* of the drive, as in CMOS memory and INT 13h AH=08h */
};

struct drive {
	enum drive_kind kind;
	bool read_only;
	bool virtio;   /* a disk on the PCI bus, not an IDE one */
	unsigned unit; /* floppy drive 0 or 1; IDE: 2 x channel + device; virtio: its number there */
	struct block *block;
	struct geometry geo;
	const char *path;
};

struct drives {
	struct drive d[DRIVES_MAX];
	unsigned n;
	const struct drive *boot; /* NULL: none */
};

/* Open the drives of C. BOOT: a BIOS boots from one of them (the boot image; the first floppy; the first hard
 * disk with a boot signature; the CD), which is chosen; it is an error if there is none. False with one line
 * in ERR. */
bool drives_open(struct drives *ds, const struct image_config *c, bool boot, char *err, size_t errlen);
/* Start the drives' threads. Drive N of the list has bit N of the notice. */
bool drives_start(struct drives *ds, const struct block_host *host, char *err, size_t errlen);
void drives_close(struct drives *ds);
/* Run the completions that the notice N announces. */
void drives_deliver(struct drives *ds, struct io_notice *n);
/* Complete all requests; limits begin anew. Before the state is saved or loaded. */
void drives_drain(struct drives *ds);
/* IDE drive UNIT; floppy drive UNIT; NULL: there is none. */
const struct drive *drive_ide(const struct drives *ds, unsigned unit);
const struct drive *drive_floppy(const struct drives *ds, unsigned unit);
#endif
