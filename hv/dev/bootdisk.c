/* SPDX-License-Identifier: GPL-3.0-or-later
 * The drives of hv/boot/drives.h as a BIOS offers them: services INT 13h for a tiny option ROM, on the
 * processor's registers (Phelps/Phoenix BIOS services; EDD 1.1 for 41h-48h; El Torito 1.0 for 4Bh). Writes go
 * to the image file, unless the drive is read-only. */
#include <string.h>

#include "base/log.h"
#include "hv/board.h"
#include "hv/boot/bootrom.h"

enum { SECTOR = 512, CHUNK = 8 * SECTOR, IVT_13 = 0x13 * 4, BOOT_ADDR = 0x7c00 };
enum { BDA_EQUIPMENT = 0x410, BDA_DISKS = 0x475 };
enum {
	DISK_OK = 0,
	DISK_BAD_COMMAND = 1,
	DISK_PROTECTED = 3,
	DISK_NOT_FOUND = 4,
	DISK_DMA = 9,
	DISK_READ_ERROR = 0x10,
	DISK_WRITE_FAULT = 0xcc
};
enum transfer { READ, WRITE, VERIFY };

struct bootdisk {
	struct dev d;
	uint8_t status; /* of the last operation */
};

static const struct dev_ports ports[] = { { BOOTROM_PORT_INT13, BOOTROM_PORT_BOOT, 1 } };
static const struct state_field fields[] = {
	F_NUM(bootdisk, status),
};

/* ---- guest memory and registers as real-mode code sees them ---- */

static bool guest_read(struct board *b, gva lin, void *buf, unsigned n)
{
	if (b->v->cpu.cr0 & CR0_PG)
		return b->v->mmu && !mmu_read(b->v->mmu, lin, buf, n, MM_PROBE);
	return mm_phys_read(b->vm, lin & b->v->cpu.a20_mask, buf, n);
}

/* ROM stays as it is. */
static bool write_physical(struct mm_vm *vm, gpa a, const uint8_t *buf, unsigned n)
{
	for (unsigned k; n; a += k, buf += k, n -= k) {
		k = PAGE_SIZE - (unsigned)(a & PAGE_MASK);
		k = k < n ? k : n;
		if (!mm_is_rom(vm, a) && !mm_phys_write(vm, a, buf, k))
			return false;
	}
	return true;
}

static bool guest_write(struct board *b, gva lin, const void *buf, unsigned n)
{
	if (b->v->cpu.cr0 & CR0_PG)
		return b->v->mmu && !mmu_write(b->v->mmu, lin, buf, n, MM_PROBE | MM_WRITE);
	return write_physical(b->vm, lin & b->v->cpu.a20_mask, buf, n);
}

static uint16_t reg16(const struct board *b, int r)
{
	return (uint16_t)b->v->cpu.gpr[r];
}
static uint8_t low(const struct board *b, int r)
{
	return (uint8_t)b->v->cpu.gpr[r];
}
static uint8_t high(const struct board *b, int r)
{
	return (uint8_t)(b->v->cpu.gpr[r] >> 8);
}
static void set16(struct board *b, int r, unsigned val)
{
	b->v->cpu.gpr[r] = (b->v->cpu.gpr[r] & ~0xffffull) | (val & 0xffff);
}

/* Set AH and CF of the caller's frame (IP, CS, FLAGS at SS:SP). */
static void finish(struct bootdisk *k, uint8_t status)
{
	struct board *b = k->d.board;
	uint32_t at = b->v->cpu.seg[SEG_SS].base + ((reg16(b, R_ESP) + 4u) & 0xffff);
	uint16_t flags = 0;

	k->status = status;
	set16(b, R_EAX, (unsigned)status << 8 | low(b, R_EAX));
	if (!guest_read(b, at, &flags, 2))
		return;
	flags = (uint16_t)(status ? flags | FL_CF : flags & ~FL_CF);
	guest_write(b, at, &flags, 2);
}

/* ---- transfers ---- */

/* Transfer N bytes between AT of the medium and linear address LIN. */
static uint8_t transfer(struct board *b, const struct drive *d, enum transfer how, uint64_t at, uint64_t n,
			gva lin)
{
	uint8_t buf[CHUNK];

	if (how == WRITE && d->read_only)
		return DISK_PROTECTED;
	for (unsigned k; n && how != VERIFY; at += k, n -= k, lin = (uint32_t)(lin + k)) {
		k = n < sizeof(buf) ? (unsigned)n : sizeof(buf);
		if (how == READ && !drive_read(b->drives, d, at, buf, k))
			return DISK_READ_ERROR;
		if (!(how == READ ? guest_write(b, lin, buf, k) : guest_read(b, lin, buf, k)))
			return DISK_DMA;
		if (how == WRITE && !drive_write(b->drives, d, at, buf, k))
			return DISK_WRITE_FAULT;
	}
	return DISK_OK;
}

static uint8_t chs_transfer(struct board *b, const struct drive *d, enum transfer how)
{
	const struct geometry *g = &d->geo;
	unsigned cyl = high(b, R_ECX) | (low(b, R_ECX) & 0xc0u) << 2, sector = low(b, R_ECX) & 63;
	unsigned head = high(b, R_EDX), count = low(b, R_EAX);
	uint64_t lba = ((uint64_t)cyl * g->heads + head) * g->spt + sector - 1;

	if (d->kind == DRIVE_CD)
		return DISK_BAD_COMMAND;
	if (!sector || sector > g->spt || head >= g->heads || cyl >= g->cyls || lba + count > g->sectors)
		return DISK_NOT_FOUND;
	return transfer(b, d, how, lba * SECTOR, (uint64_t)count * SECTOR,
			b->v->cpu.seg[SEG_ES].base + reg16(b, R_EBX));
}

/* AH=08h. The ROM's handler has loaded ES for a floppy. */
static uint8_t parameters(struct board *b, const struct drive *d)
{
	unsigned last = d->geo.cyls - 1u;

	if (d->kind == DRIVE_CD)
		return DISK_BAD_COMMAND;
	set16(b, R_EAX, 0);
	set16(b, R_ECX, (last & 0xff) << 8 | (last >> 2 & 0xc0) | d->geo.spt);
	set16(b, R_EDX, (d->geo.heads - 1u) << 8 | drives_count(b->drives, d->kind));
	set16(b, R_EBX, d->geo.type);
	if (d->kind == DRIVE_FLOPPY)
		set16(b, R_EDI, BOOTROM_DISKETTE + d->number * BOOTROM_DISKETTE_LEN);
	return DISK_OK;
}

/* AH=15h: a floppy without a change line, or a hard disk and its sectors. */
static void drive_type(struct bootdisk *k, const struct drive *d)
{
	struct board *b = k->d.board;
	uint32_t sectors = d->geo.sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)d->geo.sectors;

	finish(k, d->kind == DRIVE_CD ? DISK_BAD_COMMAND : DISK_OK);
	if (d->kind == DRIVE_FLOPPY)
		set16(b, R_EAX, 1 << 8);
	if (d->kind != DRIVE_DISK)
		return;
	set16(b, R_EAX, 3 << 8);
	set16(b, R_ECX, sectors >> 16);
	set16(b, R_EDX, sectors);
}

/* ---- extensions: hard disks and CDs ---- */

struct packet {
	uint8_t size, zero;
	uint16_t count, off, seg;
	uint64_t lba;
} __attribute__((packed));

static uint64_t sectors_of(const struct drive *d)
{
	return (d->len + d->sector - 1) / d->sector;
}

static uint8_t extended_transfer(struct board *b, const struct drive *d, enum transfer how)
{
	gva at = b->v->cpu.seg[SEG_DS].base + reg16(b, R_ESI);
	const uint16_t none = 0;
	struct packet p;
	uint8_t status = DISK_NOT_FOUND;

	if (!guest_read(b, at, &p, sizeof(p)) || p.size < sizeof(p))
		return DISK_BAD_COMMAND;
	if (p.lba <= sectors_of(d) && p.count <= sectors_of(d) - p.lba)
		status = transfer(b, d, how, p.lba * d->sector, (uint64_t)p.count * d->sector,
				  ((uint32_t)p.seg << 4) + p.off);
	if (status)
		guest_write(b, at + offsetof(struct packet, count), &none, sizeof(none));
	return status;
}

struct edd {
	uint16_t size, flags;
	uint32_t cyls, heads, spt;
	uint64_t sectors;
	uint16_t bytes;
} __attribute__((packed));
enum { EDD_CHS_VALID = 2, EDD_REMOVABLE = 4 };

static uint8_t extended_parameters(struct board *b, const struct drive *d)
{
	gva at = b->v->cpu.seg[SEG_DS].base + reg16(b, R_ESI);
	struct edd e = { .size = sizeof(e), .sectors = sectors_of(d), .bytes = (uint16_t)d->sector };
	uint16_t size;

	if (!guest_read(b, at, &size, sizeof(size)) || size < sizeof(e))
		return DISK_BAD_COMMAND;
	e.flags = d->kind == DRIVE_CD ? EDD_REMOVABLE : EDD_CHS_VALID;
	e.cyls = d->geo.cyls;
	e.heads = d->geo.heads;
	e.spt = d->geo.spt;
	return guest_write(b, at, &e, sizeof(e)) ? DISK_OK : DISK_BAD_COMMAND;
}

static void extensions_present(struct bootdisk *k)
{
	struct board *b = k->d.board;

	if (reg16(b, R_EBX) != 0x55aa) {
		finish(k, DISK_BAD_COMMAND);
		return;
	}
	finish(k, DISK_OK);
	set16(b, R_EAX, 0x2100 | low(b, R_EAX)); /* version 1.1 */
	set16(b, R_EBX, 0xaa55);
	set16(b, R_ECX, 1); /* 42h-44h, 47h, 48h */
}

/* El Torito 4.5 */
struct specification {
	uint8_t size, media, drive, controller;
	uint32_t lba;
	uint16_t device, buffer, segment, sectors;
	uint8_t cyls, spt, heads;
} __attribute__((packed));
_Static_assert(sizeof(struct specification) == 0x13, "as the specification has it");

/* AX=4B01h: how the CD was started. To end an emulation (4B00h) is not offered. */
static uint8_t emulation(struct board *b, const struct drive *d)
{
	const struct drives *ds = b->drives;
	struct specification s = { .size = sizeof(s), .drive = d->number };
	const struct geometry *g = &d->geo;

	if (!ds->cd.segment || (d != ds->boot && d != ds->cdrom) || low(b, R_EAX) > 1)
		return DISK_BAD_COMMAND;
	if (!low(b, R_EAX) && ds->cd.media)
		return DISK_BAD_COMMAND;
	s.media = ds->cd.media;
	s.drive = ds->boot->number;
	s.lba = ds->cd.lba;
	s.segment = ds->cd.segment;
	s.sectors = ds->cd.sectors;
	if (d->kind == DRIVE_FLOPPY) {
		s.cyls = (uint8_t)(g->cyls - 1);
		s.spt = g->spt;
		s.heads = (uint8_t)(g->heads - 1);
	}
	return guest_write(b, b->v->cpu.seg[SEG_DS].base + reg16(b, R_ESI), &s, sizeof(s)) ? DISK_OK
											   : DISK_DMA;
}

/* ---- dispatch ---- */

static void extension(struct bootdisk *k, const struct drive *d, unsigned fn)
{
	struct board *b = k->d.board;

	switch (fn) {
	case 0x41:
		extensions_present(k);
		break;
	case 0x42:
		finish(k, extended_transfer(b, d, READ));
		break;
	case 0x43:
		finish(k, extended_transfer(b, d, WRITE));
		break;
	case 0x44:
		finish(k, extended_transfer(b, d, VERIFY));
		break;
	case 0x47:
		finish(k, DISK_OK);
		break;
	case 0x48:
		finish(k, extended_parameters(b, d));
		break;
	default:
		finish(k, DISK_BAD_COMMAND);
	}
}

static void int13(struct bootdisk *k, const struct drive *d)
{
	struct board *b = k->d.board;
	unsigned fn = high(b, R_EAX);

	switch (fn) {
	case 0x00:
	case 0x0d:
	case 0x10:
	case 0x11:
	case 0x16:
		finish(k, DISK_OK);
		break;
	case 0x01:
		finish(k, k->status);
		break;
	case 0x02:
		finish(k, chs_transfer(b, d, READ));
		break;
	case 0x03:
		finish(k, chs_transfer(b, d, WRITE));
		break;
	case 0x04:
		finish(k, chs_transfer(b, d, VERIFY));
		break;
	case 0x08:
		finish(k, parameters(b, d));
		break;
	case 0x15:
		drive_type(k, d);
		break;
	case 0x4b:
		finish(k, emulation(b, d));
		break;
	default:
		if (fn > 0x40 && d->kind != DRIVE_FLOPPY)
			extension(k, d, fn);
		else
			finish(k, DISK_BAD_COMMAND);
	}
}

/* ---- the ROM's boot entry ---- */

/* SeaBIOS makes an MP table (Intel MP specification 1.4, 4.1) whatever CPUID says. On a machine without an
 * APIC a kernel that believed the table would mask the PICs: erase the pointer to it. */
static void hide_mp_table(struct board *b)
{
	enum { MP_POINTER = 16, MP_FROM = 0xf0000, MP_TO = 0x100000 };
	uint8_t p[MP_POINTER], none[MP_POINTER] = { 0 };

	if (b->apic.present)
		return;
	for (uint32_t at = MP_FROM; at < MP_TO; at += MP_POINTER)
		if (mm_phys_read(b->vm, at, p, sizeof(p)) && !memcmp(p, "_MP_", 4))
			mm_phys_write(b->vm, at, none, sizeof(none));
}

/* What the BIOS data area says about drives. */
static void count_drives(struct board *b)
{
	unsigned floppies = drives_count(b->drives, DRIVE_FLOPPY);
	uint8_t disks = (uint8_t)drives_count(b->drives, DRIVE_DISK);
	uint16_t equipment = 0;

	mm_phys_write(b->vm, BDA_DISKS, &disks, 1);
	if (!floppies || !mm_phys_read(b->vm, BDA_EQUIPMENT, &equipment, 2))
		return;
	equipment = (uint16_t)((equipment & ~0xc0u) | 1 | ((floppies - 1) & 3) << 6);
	mm_phys_write(b->vm, BDA_EQUIPMENT, &equipment, 2);
}

/* Load what the drive starts with; *START: where it is entered, as segment and offset. */
static uint8_t load_start(struct board *b, uint32_t *start)
{
	const struct drive *d = b->drives->boot;
	const struct el_torito *cd = &b->drives->cd;

	*start = BOOT_ADDR;
	if (d->kind != DRIVE_CD)
		return transfer(b, d, READ, 0, SECTOR, BOOT_ADDR);
	*start = (cd->segment & 0xf000u) << 16 | (cd->segment & 0x0fffu) << 4;
	return transfer(b, d, READ, (uint64_t)cd->lba * d->sector, (uint64_t)cd->sectors * SECTOR,
			(uint32_t)cd->segment << 4);
}

/* Hook INT 13h, load the first sectors, set DL. */
static void boot(struct bootdisk *k)
{
	struct board *b = k->d.board;
	uint32_t rom = b->v->cpu.seg[SEG_CS].base, old, start;
	uint32_t handler = (uint32_t)b->v->cpu.seg[SEG_CS].sel << 16 | BOOTROM_INT13;
	uint8_t status;

	if (!mm_phys_read(b->vm, IVT_13, &old, 4) || !mm_phys_write(b->vm, rom + BOOTROM_OLD13, &old, 4) ||
	    !mm_phys_write(b->vm, IVT_13, &handler, 4))
		return;
	count_drives(b);
	hide_mp_table(b);
	status = load_start(b, &start);
	mm_phys_write(b->vm, rom + BOOTROM_START, &start, 4);
	set16(b, R_EDX, b->drives->boot->number);
	LOG(dev, "booting from drive %#x, %s, status %x", b->drives->boot->number, b->drives->boot->path,
	    status);
}

static void bootdisk_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct bootdisk *k = (struct bootdisk *)d;
	struct board *b = d->board;
	const struct drive *drive;

	(void)size, (void)val;
	if (!b->drives->boot)
		return;
	if (port == BOOTROM_PORT_BOOT) {
		boot(k);
		return;
	}
	LOG(dev, "int 13h ax=%04x cx=%04x dx=%04x", reg16(b, R_EAX), reg16(b, R_ECX), reg16(b, R_EDX));
	drive = drive_find(b->drives, low(b, R_EDX));
	if (drive)
		int13(k, drive);
	else
		finish(k, DISK_BAD_COMMAND);
}

const struct dev_class bootdisk_class = {
	.name = "bootdisk",
	.help = "drives behind INT 13h",
	.size = sizeof(struct bootdisk),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.out = bootdisk_out,
};
