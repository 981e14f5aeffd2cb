/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/boot/drives.h. The files stay open and are accessed sector by sector: an image may be larger than
 * the host's memory. A CD is started as El Torito 1.0 says: without emulation, or as a floppy. */
#include "hv/boot/drives.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hv/boot/image.h"

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

bool drive_read(const struct drive *d, uint64_t at, void *buf, size_t n)
{
	size_t in = at >= d->len ? 0 : d->len - at < n ? (size_t)(d->len - at) : n;
	uint8_t *to = buf;

	memset(to + in, 0, n - in);
	while (in) {
		ssize_t got = pread(d->fd, to, in, (off_t)(d->start + at));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (!got) { /* the file has become shorter */
			memset(to, 0, in);
			return true;
		}
		to += got;
		at += (uint64_t)got;
		in -= (size_t)got;
	}
	return true;
}

bool drive_write(const struct drive *d, uint64_t at, const void *buf, size_t n)
{
	const uint8_t *from = buf;

	while (n) {
		ssize_t put = pwrite(d->fd, from, n, (off_t)(d->start + at));

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return false;
		from += put;
		at += (uint64_t)put;
		n -= (size_t)put;
	}
	return true;
}

const struct drive *drive_find(const struct drives *ds, uint8_t number)
{
	for (unsigned i = 0; i < ds->n; i++)
		if (ds->d[i].number == number)
			return &ds->d[i];
	return NULL;
}

unsigned drives_count(const struct drives *ds, enum drive_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ds->n; i++)
		n += ds->d[i].kind == kind;
	return n;
}

/* ---- opening ---- */

static bool open_file(struct loader *l, const struct drive_config *c, bool read_only, struct drive *d)
{
	struct stat st;

	*d = (struct drive){ .read_only = read_only, .path = c->file, .sector = SECTOR };
	d->fd = open(c->file, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return image_fail(l, "%s: cannot open%s: %s", c->file,
				  read_only || errno == ENOENT ? "" : " for writing (see option ro)",
				  strerror(errno));
	if (!fstat(d->fd, &st) && S_ISREG(st.st_mode) && st.st_size) {
		d->len = (uint64_t)st.st_size;
		return true;
	}
	close(d->fd);
	return image_fail(l, "%s: %s", c->file, S_ISREG(st.st_mode) ? "file is empty" : "not a regular file");
}

static void add(struct drives *ds, struct drive d)
{
	static const uint8_t first[] = {
		[DRIVE_FLOPPY] = 0, [DRIVE_DISK] = DRIVE_DISK_0, [DRIVE_CD] = DRIVE_CD_0
	};

	d.number = (uint8_t)(first[d.kind] + drives_count(ds, d.kind));
	if (d.kind == DRIVE_FLOPPY)
		d.geo = floppy_geometry(d.len);
	else if (d.kind == DRIVE_DISK)
		d.geo = disk_geometry(d.len);
	else
		d.sector = CD_SECTOR;
	ds->d[ds->n++] = d;
}

static bool open_drive(struct loader *l, struct drives *ds, const struct drive_config *c,
		       enum drive_kind kind)
{
	struct drive d;

	if (!c->file)
		return true;
	if (!open_file(l, c, c->read_only || kind == DRIVE_CD, &d))
		return false;
	d.kind = kind;
	if (kind != DRIVE_FLOPPY || d.len <= FLOPPY_MAX) {
		add(ds, d);
		return true;
	}
	close(d.fd);
	return image_fail(l, "%s: a floppy disk has at most 2880 KiB; use --disk", c->file);
}

/* The boot image: never written, and a floppy if it is small enough for one. */
static bool open_boot_image(struct loader *l, struct drives *ds)
{
	const struct drive_config c = { .file = l->cfg->boot_sector };
	struct drive d;

	if (!c.file)
		return true;
	if (!open_file(l, &c, true, &d))
		return false;
	d.kind = d.len > FLOPPY_MAX ? DRIVE_DISK : DRIVE_FLOPPY;
	add(ds, d);
	ds->boot = &ds->d[0];
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
static uint32_t find_catalog(const struct drive *d)
{
	uint8_t s[CD_SECTOR];

	for (unsigned i = DESCRIPTOR_FIRST; i < DESCRIPTOR_LAST; i++) {
		if (!drive_read(d, (uint64_t)i * CD_SECTOR, s, sizeof(s)) || memcmp(s + 1, "CD001", 5) ||
		    s[0] == TYPE_END)
			return 0;
		if (s[0] == TYPE_BOOT && !memcmp(s + 7, "EL TORITO SPECIFICATION", 23))
			return get(s + BOOT_CATALOG, 4);
	}
	return 0;
}

/* Read the initial entry for a PC. False: there is none. */
static bool read_catalog(const struct drive *d, struct el_torito *e)
{
	uint32_t at = find_catalog(d);
	uint8_t s[CD_SECTOR];
	const uint8_t *p = s + INITIAL;

	if (!at || !drive_read(d, (uint64_t)at * CD_SECTOR, s, sizeof(s)) || s[0] != VALIDATION || s[1] ||
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
	d.number = 0;
	d.sector = SECTOR;
	d.start = (uint64_t)ds->cd.lba * CD_SECTOR;
	d.len = bytes[ds->cd.media];
	d.geo = floppy_geometry(d.len);
	ds->d[ds->n] = d;
	ds->boot = &ds->d[ds->n++];
}

/* ---- what to boot from ---- */

static bool has_signature(const struct drive *d)
{
	uint8_t s[SECTOR];

	return drive_read(d, 0, s, sizeof(s)) && s[SECTOR - 2] == 0x55 && s[SECTOR - 1] == 0xaa;
}

static bool choose(struct loader *l, struct drives *ds)
{
	const struct drive *floppy = drive_find(ds, 0), *disk = drive_find(ds, DRIVE_DISK_0);

	ds->cdrom = drive_find(ds, DRIVE_CD_0);
	if (ds->boot)
		return true;
	if (floppy)
		ds->boot = floppy;
	else if (disk && has_signature(disk))
		ds->boot = disk;
	else if (ds->cdrom && read_catalog(ds->cdrom, &ds->cd) && ds->cd.media)
		emulate_floppy(ds);
	else if (ds->cdrom && ds->cd.segment && !ds->cd.media)
		ds->boot = ds->cdrom;
	if (ds->boot || !ds->n || l->cfg->bios)
		return true;
	if (ds->cdrom)
		return image_fail(l,
				  "%s: not a CD that a PC boots from (no El Torito entry that is supported)",
				  ds->cdrom->path);
	return image_fail(l, "%s: no boot signature, and no other drive to boot from", ds->d[0].path);
}

bool drives_open(struct loader *l, struct drives *ds)
{
	const struct image_config *c = l->cfg;

	*ds = (struct drives){ .n = 0 };
	if (!open_boot_image(l, ds))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(c->floppy); i++)
		if (!open_drive(l, ds, &c->floppy[i], DRIVE_FLOPPY))
			return false;
	for (unsigned i = 0; i < ARRAY_LEN(c->disk); i++)
		if (!open_drive(l, ds, &c->disk[i], DRIVE_DISK))
			return false;
	return open_drive(l, ds, &c->cdrom, DRIVE_CD) && choose(l, ds);
}

/* The floppy that a CD emulates shares the CD's descriptor. */
void drives_close(struct drives *ds)
{
	for (unsigned i = 0; i < ds->n; i++)
		if (!ds->cdrom || ds->d[i].fd != ds->cdrom->fd || &ds->d[i] == ds->cdrom)
			close(ds->d[i].fd);
	*ds = (struct drives){ .n = 0 };
}
