/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/boot/drives.h. A CD is started as El Torito 1.0 says: without emulation, or as a floppy. */
#include "hv/boot/drives.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hv/machine.h"

enum { SECTOR = 512, CD_SECTOR = 2048, FLOPPY_MAX = 2880 * 1024, CYLS_MAX = 1024 };

/* Floppy formats by size; an image of another size has the smallest of the last two that holds it. */
static const struct geometry floppies[] = {
	{ 720, 40, 2, 9, 1 },	{ 1440, 80, 2, 9, 3 },	{ 2400, 80, 2, 15, 2 },
	{ 2880, 80, 2, 18, 4 }, { 5760, 80, 2, 36, 5 },
};

static struct geometry floppy_geometry(uint64_t len)
{
	uint64_t sectors = (len + SECTOR - 1) / SECTOR;

	for (unsigned i = 0; i < ARRAY_LEN(floppies); i++)
		if (len == floppies[i].sectors * SECTOR)
			return floppies[i];
	return sectors > floppies[3].sectors ? floppies[4] : floppies[3];
}

static struct geometry disk_geometry(uint64_t len)
{
	uint64_t sectors = (len + SECTOR - 1) / SECTOR, cyls = (sectors + 16 * 63 - 1) / (16 * 63);

	return (struct geometry){ sectors, (uint16_t)(cyls > CYLS_MAX ? CYLS_MAX : cyls), 16, 63, 0 };
}

/* ---- access ---- */

static struct block *block_of(const struct drives *ds, const struct drive *d)
{
	return d->block ? d->block : ds->cdrom->block;
}

bool drive_read(const struct drives *ds, const struct drive *d, uint64_t at, void *buf, size_t n)
{
	uint64_t size = block_size(block_of(ds, d)), from = d->start + at;
	size_t in = from >= size ? 0 : size - from < n ? (size_t)(size - from) : n;

	memset((uint8_t *)buf + in, 0, n - in);
	return !in || !block_transfer(block_of(ds, d), BLOCK_READ, from, buf, in);
}

bool drive_write(const struct drives *ds, const struct drive *d, uint64_t at, const void *buf, size_t n)
{
	return !block_transfer(block_of(ds, d), BLOCK_WRITE, d->start + at, (void *)(uintptr_t)buf, n);
}

const struct drive *drive_find(const struct drives *ds, uint8_t number)
{
	for (unsigned i = 0; i < ds->n; i++)
		if (ds->d[i].number == number)
			return &ds->d[i];
	return NULL;
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

unsigned drives_count(const struct drives *ds, enum drive_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ds->n; i++)
		n += ds->d[i].kind == kind;
	return n;
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

static void number(struct drives *ds, struct drive *d)
{
	static const uint8_t first[] = {
		[DRIVE_FLOPPY] = 0, [DRIVE_DISK] = DRIVE_DISK_0, [DRIVE_CD] = DRIVE_CD_0
	};

	d->number = (uint8_t)(first[d->kind] + drives_count(ds, d->kind));
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
	if (d->kind == DRIVE_FLOPPY && d->len > FLOPPY_MAX)
		return refuse(o, d->path, "a floppy disk has at most 2880 KiB; use --disk");
	if (!attach(o, d))
		return false;
	number(o->ds, d);
	if (d->kind == DRIVE_FLOPPY)
		d->geo = floppy_geometry(d->len);
	else if (d->kind == DRIVE_DISK)
		d->geo = disk_geometry(d->len);
	else
		d->sector = CD_SECTOR;
	o->ds->d[o->ds->n++] = *d;
	return true;
}

static bool open_drive(struct opening *o, struct drive_config c, enum drive_kind kind)
{
	struct drive d = { .kind = kind, .virtio = c.virtio, .sector = SECTOR, .path = c.file };

	if (!c.file)
		return true;
	c.read_only |= kind == DRIVE_CD;
	d.block = block_open(&c, o->err, o->errlen);
	if (!d.block)
		return false;
	d.len = block_size(d.block);
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

/* ---- El Torito ---- */

enum { DESCRIPTOR_FIRST = 16, DESCRIPTOR_LAST = 64, TYPE_BOOT = 0, TYPE_END = 255 };
enum {
	BOOT_CATALOG = 0x47,
	VALIDATION = 1,
	BOOTABLE = 0x88,
	INITIAL = 0x20,
	MEDIA_MASK = 0xf,
	MEDIA_FLOPPY = 3
};

static uint32_t get(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* Find the boot record among the volume descriptors: the sector of the boot catalog, or 0. */
static uint32_t find_catalog(const struct drives *ds, const struct drive *d)
{
	uint8_t s[CD_SECTOR];

	for (unsigned i = DESCRIPTOR_FIRST; i < DESCRIPTOR_LAST; i++) {
		if (!drive_read(ds, d, (uint64_t)i * CD_SECTOR, s, sizeof(s)) || memcmp(s + 1, "CD001", 5) ||
		    s[0] == TYPE_END)
			return 0;
		if (s[0] == TYPE_BOOT && !memcmp(s + 7, "EL TORITO SPECIFICATION", 23))
			return get(s + BOOT_CATALOG, 4);
	}
	return 0;
}

/* Read the initial entry for a PC. False: there is none. */
static bool read_catalog(const struct drives *ds, const struct drive *d, struct el_torito *e)
{
	uint32_t at = find_catalog(ds, d);
	uint8_t s[CD_SECTOR];
	const uint8_t *p = s + INITIAL;

	if (!at || !drive_read(ds, d, (uint64_t)at * CD_SECTOR, s, sizeof(s)) || s[0] != VALIDATION || s[1] ||
	    get(s + 0x1e, 2) != 0xaa55 || p[0] != BOOTABLE)
		return false;
	*e = (struct el_torito){ .media = p[1] & MEDIA_MASK,
				 .segment = (uint16_t)get(p + 2, 2),
				 .sectors = (uint16_t)get(p + 6, 2),
				 .lba = get(p + 8, 4) };
	if (!e->segment)
		e->segment = 0x7c0;
	return e->media <= MEDIA_FLOPPY;
}

/* The floppy that the CD emulates is drive 0; the others move up. */
static void emulate_floppy(struct drives *ds)
{
	static const uint64_t bytes[] = { 0, 1200 * 1024, 1440 * 1024, 2880 * 1024 };
	struct drive d = *ds->cdrom;

	for (unsigned i = 0; i < ds->n; i++)
		ds->d[i].number = (uint8_t)(ds->d[i].number + (ds->d[i].kind == DRIVE_FLOPPY));
	d.kind = DRIVE_FLOPPY;
	d.block = NULL;
	d.number = 0;
	d.sector = SECTOR;
	d.start = (uint64_t)ds->cd.lba * CD_SECTOR;
	d.len = bytes[ds->cd.media];
	d.geo = floppy_geometry(d.len);
	ds->d[ds->n] = d;
	ds->boot = &ds->d[ds->n++];
}

/* ---- what to boot from ---- */

static bool has_signature(const struct drives *ds, const struct drive *d)
{
	uint8_t s[SECTOR];

	return drive_read(ds, d, 0, s, sizeof(s)) && s[SECTOR - 2] == 0x55 && s[SECTOR - 1] == 0xaa;
}

static bool choose(struct opening *o, bool need)
{
	struct drives *ds = o->ds;
	const struct drive *floppy = drive_find(ds, 0), *disk = drive_find(ds, DRIVE_DISK_0);

	ds->cdrom = drive_find(ds, DRIVE_CD_0);
	if (ds->boot)
		return true;
	if (floppy)
		ds->boot = floppy;
	else if (disk && has_signature(ds, disk))
		ds->boot = disk;
	else if (ds->cdrom && read_catalog(ds, ds->cdrom, &ds->cd) && ds->cd.media)
		emulate_floppy(ds);
	else if (ds->cdrom && ds->cd.segment && !ds->cd.media)
		ds->boot = ds->cdrom;
	if (ds->boot || !ds->n || !need)
		return true;
	return refuse(o, ds->cdrom ? ds->cdrom->path : ds->d[0].path,
		      ds->cdrom ? "not a CD that a PC boots from (no El Torito entry that is supported)"
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
