/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/boot/drives.h. */
#include "hv/boot/drives.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { SECTOR = 512, CD_SECTOR = 2048, FLOPPY_MAX = 2880 * 1024 };

/* Floppy formats; an image of another size has the smallest of the last two that holds it. */
static const struct geometry floppies[] = {
	{ 40, 2, 9, 1 }, { 80, 2, 9, 3 }, { 80, 2, 15, 2 }, { 80, 2, 18, 4 }, { 80, 2, 36, 5 },
};

static unsigned format_bytes(const struct geometry *g)
{
	return g->cyls * g->heads * g->spt * SECTOR;
}

static struct geometry floppy_geometry(uint64_t len)
{
	for (unsigned i = 0; i < ARRAY_LEN(floppies); i++)
		if (len == format_bytes(&floppies[i]))
			return floppies[i];
	return len > format_bytes(&floppies[3]) ? floppies[4] : floppies[3];
}

static const struct drive *attached(const struct drives *ds, bool floppy, unsigned unit)
{
	for (unsigned i = 0; i < ds->n; i++) {
		const struct drive *d = &ds->d[i];

		if (d->block && !d->virtio && (d->kind == DRIVE_FLOPPY) == floppy && d->unit == unit)
			return d;
	}
	return NULL;
}

const struct drive *drive_ide(const struct drives *ds, unsigned unit)
{
	return attached(ds, false, unit);
}

const struct drive *drive_floppy(const struct drives *ds, unsigned unit)
{
	return attached(ds, true, unit);
}

/* ---- opening ---- */

/* Where a drive opens, and what it complains to. */
struct opening {
	struct drives *ds;
	unsigned ide; /* a bit for each IDE drive that is taken */
	char *err;
	size_t errlen;
};

static bool refuse(struct opening *o, const char *file, const char *why)
{
	snprintf(o->err, o->errlen, "%s: %s", file, why);
	return false;
}

/* A CD is the second channel's first drive, disks have what is left, in order. */
static bool attach(struct opening *o, struct drive *d)
{
	if (d->kind == DRIVE_FLOPPY || d->virtio) {
		d->unit = 0;
		for (unsigned i = 0; i < o->ds->n; i++)
			d->unit += o->ds->d[i].kind == d->kind && o->ds->d[i].virtio == d->virtio;
		return d->kind != DRIVE_FLOPPY || d->unit < FLOPPIES_MAX ||
		       refuse(o, d->path, "one floppy drive too many");
	}
	d->unit = d->kind == DRIVE_CD ? 2 : 0;
	while (d->unit < IDE_MAX && (o->ide >> d->unit & 1))
		d->unit++;
	if (d->unit == IDE_MAX)
		return refuse(o, d->path, "one IDE drive too many: use bus=virtio");
	o->ide |= 1u << d->unit;
	return true;
}

static bool add(struct opening *o, struct drive *d)
{
	uint64_t len = block_size(d->block);

	if (d->kind == DRIVE_FLOPPY && len > FLOPPY_MAX)
		return refuse(o, d->path, "a floppy disk has at most 2880 KiB; use --disk");
	if (!attach(o, d))
		return false;
	if (d->kind == DRIVE_FLOPPY)
		d->geo = floppy_geometry(len);
	o->ds->d[o->ds->n++] = *d;
	return true;
}

static bool open_drive(struct opening *o, struct drive_config c, enum drive_kind kind)
{
	struct drive d = { .kind = kind, .virtio = c.virtio, .path = c.file };

	if (!c.file)
		return true;
	c.read_only |= kind == DRIVE_CD;
	d.block = block_open(&c, o->err, o->errlen);
	if (!d.block)
		return false;
	d.read_only = block_read_only(d.block);
	if (add(o, &d))
		return true;
	block_close(d.block);
	return false;
}

/* The boot image: never written, and a floppy if it is small enough for one. */
static bool open_boot_image(struct opening *o, const char *file)
{
	struct drive_config c = { .file = file, .read_only = true };
	struct stat st;

	if (!file)
		return true;
	if (!open_drive(o, c, !stat(file, &st) && st.st_size > FLOPPY_MAX ? DRIVE_DISK : DRIVE_FLOPPY))
		return false;
	o->ds->boot = &o->ds->d[0];
	return true;
}

/* ---- what to boot from ---- */

enum { DESCRIPTOR_FIRST = 16, DESCRIPTOR_LAST = 64, TYPE_BOOT = 0, TYPE_END = 255, SIGNATURE = 510 };

/* Is there a boot record of El Torito's (1.0, 2.1) among the volume descriptors? The rest is the BIOS'
 * business. */
static bool has_catalog(const struct drive *d)
{
	uint8_t s[CD_SECTOR];

	for (unsigned i = DESCRIPTOR_FIRST; i < DESCRIPTOR_LAST; i++) {
		if (block_transfer(d->block, BLOCK_READ, (uint64_t)i * CD_SECTOR, s, sizeof(s)) ||
		    memcmp(s + 1, "CD001", 5) || s[0] == TYPE_END)
			return false;
		if (s[0] == TYPE_BOOT && !memcmp(s + 7, "EL TORITO SPECIFICATION", 23))
			return true;
	}
	return false;
}

static bool has_signature(const struct drive *d)
{
	uint8_t s[SECTOR];

	return !block_transfer(d->block, BLOCK_READ, 0, s, sizeof(s)) && s[SIGNATURE] == 0x55 &&
	       s[SIGNATURE + 1] == 0xaa;
}

static const struct drive *first(const struct drives *ds, enum drive_kind kind)
{
	for (unsigned i = 0; i < ds->n; i++)
		if (ds->d[i].kind == kind)
			return &ds->d[i];
	return NULL;
}

static bool choose(struct opening *o, bool need)
{
	struct drives *ds = o->ds;
	const struct drive *disk = first(ds, DRIVE_DISK), *cd = first(ds, DRIVE_CD);

	if (!ds->boot)
		ds->boot = first(ds, DRIVE_FLOPPY);
	if (!ds->boot && disk && has_signature(disk))
		ds->boot = disk;
	if (!ds->boot && cd && has_catalog(cd))
		ds->boot = cd;
	if (ds->boot || !ds->n || !need)
		return true;
	return refuse(o, cd ? cd->path : ds->d[0].path,
		      cd ? "not a CD that a PC boots from (no El Torito boot record)"
			 : "no boot signature, and no other drive to boot from");
}

bool drives_open(struct drives *ds, const struct image_config *c, bool boot, char *err, size_t errlen)
{
	struct opening o = { .ds = ds, .err = err, .errlen = errlen };

	*ds = (struct drives){ .n = 0 };
	if (!open_boot_image(&o, c->boot_sector) || !open_drive(&o, c->cdrom, DRIVE_CD))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(c->floppy); i++)
		if (!open_drive(&o, c->floppy[i], DRIVE_FLOPPY))
			return false;
	for (unsigned i = 0; i < ARRAY_LEN(c->disk); i++)
		if (!open_drive(&o, c->disk[i], DRIVE_DISK))
			return false;
	return !boot || choose(&o, !c->bios);
}

bool drives_start(struct drives *ds, const struct block_host *host, char *err, size_t errlen)
{
	for (unsigned i = 0; i < ds->n; i++)
		if (ds->d[i].block && !block_start(ds->d[i].block, host, i, err, errlen))
			return false;
	return true;
}

void drives_close(struct drives *ds)
{
	for (unsigned i = 0; i < ds->n; i++)
		block_close(ds->d[i].block);
	*ds = (struct drives){ .n = 0 };
}

void drives_deliver(struct drives *ds, struct io_notice *n)
{
	uint64_t ready = io_notice_any(n) ? io_notice_take(n, (1ull << ds->n) - 1) : 0;

	for (; ready; ready &= ready - 1)
		block_deliver(ds->d[__builtin_ctzll(ready)].block);
}

void drives_drain(struct drives *ds)
{
	for (unsigned i = 0; i < ds->n; i++) {
		if (!ds->d[i].block)
			continue;
		block_drain(ds->d[i].block);
		block_rebase(ds->d[i].block);
	}
}
