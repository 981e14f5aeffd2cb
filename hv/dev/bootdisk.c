/* SPDX-License-Identifier: GPL-3.0-or-later
 * The boot image as a BIOS disk: services INT 13h for a tiny option ROM, on the
 * processor's registers (Phelps/Phoenix BIOS services; EDD 3.0 for 41h-48h).
 * Images up to 2.88 MB are floppy 0, larger ones hard disk 0x80. */
#include <string.h>

#include "base/log.h"
#include "hv/board.h"
#include "hv/boot/bootrom.h"

enum { SECTOR = 512, FLOPPY_MAX = 2880 * 1024, IVT_13 = 0x13 * 4, BOOT_ADDR = 0x7c00 };
enum {
	BDA_EQUIPMENT = 0x410,
	BDA_DISKS = 0x475,
	DISK_OK = 0,
	DISK_BAD_COMMAND = 1,
	DISK_NOT_FOUND = 4,
	DISK_DMA = 9
};

struct bootdisk {
	struct dev d;
	uint8_t status; /* of the last operation */
};

static const struct dev_ports ports[] = { { BOOTROM_PORT_INT13, BOOTROM_PORT_BOOT, 1 } };
static const struct state_field fields[] = {
	F_NUM(bootdisk, status),
};

/* Floppy formats by size; the first that holds the image. */
struct geometry {
	uint32_t sectors;
	uint16_t cyls;
	uint8_t heads, spt, type;
};
static const struct geometry floppies[] = {
	{ 720, 40, 2, 9, 1 },	{ 1440, 80, 2, 9, 3 },	{ 2400, 80, 2, 15, 2 },
	{ 2880, 80, 2, 18, 4 }, { 5760, 80, 2, 36, 5 },
};

uint8_t bootdisk_drive(uint64_t len)
{
	return len > FLOPPY_MAX ? 0x80 : 0;
}

static struct geometry geometry(uint64_t len)
{
	uint64_t sectors = (len + SECTOR - 1) / SECTOR, cyls = (sectors + 16 * 63 - 1) / (16 * 63);

	if (len % SECTOR == 0)
		for (unsigned i = 0; i < ARRAY_LEN(floppies); i++)
			if (sectors == floppies[i].sectors)
				return floppies[i];
	if (!bootdisk_drive(len))
		return sectors > 2880 ? floppies[4] : floppies[3];
	return (struct geometry){ (uint32_t)sectors, (uint16_t)(cyls > 1024 ? 1024 : cyls), 16, 63, 0 };
}

/* An option ROM with a PnP header (PnP BIOS 1.0A, 3.2), its boot entry and the
 * INT 13h handler:
 *   0x50  out BOOT, al ; jmp 0:7c00
 *   0x60  cmp dl, DRIVE ; jne 0x68 ; out INT13, al ; iret ; 0x68: jmp far OLD */
void bootrom_make(uint8_t rom[BOOTROM_BYTES], uint8_t drive)
{
	static const uint8_t head[] = { 0x55, 0xaa, BOOTROM_BYTES / 512,
					0x31, 0xc0, 0xcb /* xor ax,ax; retf */ };
	static const uint8_t pnp[] = {
		'$', 'P', 'n', 'P',  1, 2, 0, 0, 0,    0 /* checksum */,   0, 0, 0, 0, 0, 0, 0x40, 0,
		1,   0,	  0,   0x14, 0, 0, 0, 0, 0x50, 0 /* boot entry */, 0, 0, 0, 0,
	};
	static const uint8_t boot[] = { 0xe6, BOOTROM_PORT_BOOT, 0xea, 0x00, 0x7c, 0x00, 0x00 };
	const uint8_t int13[] = { 0x80, 0xfa, drive, 0x75, 0x03, 0xe6, BOOTROM_PORT_INT13, 0xcf, 0xea };
	uint8_t sum = 0;

	memset(rom, 0, BOOTROM_BYTES);
	memcpy(rom, head, sizeof(head));
	rom[0x1a] = 0x20;
	memcpy(rom + 0x20, pnp, sizeof(pnp));
	memcpy(rom + 0x40, "Vitrine disk", 13);
	memcpy(rom + 0x50, boot, sizeof(boot));
	memcpy(rom + BOOTROM_INT13, int13, sizeof(int13));
	for (unsigned i = 0; i < sizeof(pnp); i++)
		sum += rom[0x20 + i];
	rom[0x29] = (uint8_t)-sum;
	sum = 0;
	for (unsigned i = 0; i < BOOTROM_BYTES; i++)
		sum += rom[i];
	rom[BOOTROM_BYTES - 1] = (uint8_t)-sum;
}

/* ---- guest memory and registers as real-mode code sees them ---- */

static bool guest_read(struct board *b, gva lin, void *buf, unsigned n)
{
	if (b->v->cpu.cr0 & CR0_PG)
		return b->v->mmu && !mmu_read(b->v->mmu, lin, buf, n, MM_PROBE);
	return mm_phys_read(b->vm, lin & b->v->cpu.a20_mask, buf, n);
}

static bool guest_write(struct board *b, gva lin, const void *buf, unsigned n)
{
	if (b->v->cpu.cr0 & CR0_PG)
		return b->v->mmu && !mmu_write(b->v->mmu, lin, buf, n, MM_PROBE | MM_WRITE);
	return mm_phys_write(b->vm, lin & b->v->cpu.a20_mask, buf, n);
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

/* Copy COUNT sectors from LBA to linear address TO; short images read as zero. */
static uint8_t read_sectors(struct board *b, uint64_t lba, unsigned count, gva to)
{
	uint8_t buf[SECTOR];

	for (unsigned i = 0; i < count; i++, lba++, to = (uint32_t)(to + SECTOR)) {
		uint64_t at = lba * SECTOR;

		memset(buf, 0, sizeof(buf));
		if (at < b->disk_len)
			memcpy(buf, b->disk + at, b->disk_len - at < SECTOR ? b->disk_len - at : SECTOR);
		if (!guest_write(b, to, buf, SECTOR))
			return DISK_DMA;
	}
	return DISK_OK;
}

static uint8_t chs_read(struct board *b, bool verify)
{
	struct geometry g = geometry(b->disk_len);
	unsigned cyl = high(b, R_ECX) | (low(b, R_ECX) & 0xc0u) << 2, sector = low(b, R_ECX) & 63;
	unsigned head = high(b, R_EDX), count = low(b, R_EAX);
	uint64_t lba = ((uint64_t)cyl * g.heads + head) * g.spt + sector - 1;

	if (!sector || sector > g.spt || head >= g.heads || cyl >= g.cyls || lba + count > g.sectors)
		return DISK_NOT_FOUND;
	if (verify)
		return DISK_OK;
	return read_sectors(b, lba, count, b->v->cpu.seg[SEG_ES].base + reg16(b, R_EBX));
}

static uint8_t parameters(struct board *b)
{
	struct geometry g = geometry(b->disk_len);
	unsigned last = g.cyls - 1u;

	set16(b, R_ECX, (last & 0xff) << 8 | (last >> 2 & 0xc0) | g.spt);
	set16(b, R_EDX, (g.heads - 1u) << 8 | 1);
	set16(b, R_EBX, g.type);
	return DISK_OK;
}

static uint8_t drive_type(struct bootdisk *k)
{
	struct board *b = k->d.board;
	uint32_t sectors = geometry(b->disk_len).sectors;

	if (!bootdisk_drive(b->disk_len)) {
		finish(k, DISK_OK);
		set16(b, R_EAX, 1 << 8); /* floppy without change line */
		return DISK_OK;
	}
	finish(k, DISK_OK);
	set16(b, R_EAX, 3 << 8);
	set16(b, R_ECX, sectors >> 16);
	set16(b, R_EDX, sectors);
	return DISK_OK;
}

struct packet {
	uint8_t size, zero;
	uint16_t count, off, seg;
	uint64_t lba;
} __attribute__((packed));

static uint8_t extended_read(struct board *b, bool verify)
{
	struct packet p;
	uint8_t status;

	if (!guest_read(b, b->v->cpu.seg[SEG_DS].base + reg16(b, R_ESI), &p, sizeof(p)) || p.size < sizeof(p))
		return DISK_BAD_COMMAND;
	if (p.lba > geometry(b->disk_len).sectors || p.lba + p.count > geometry(b->disk_len).sectors)
		return DISK_NOT_FOUND;
	status = verify ? DISK_OK : read_sectors(b, p.lba, p.count, ((uint32_t)p.seg << 4) + p.off);
	return status;
}

struct edd {
	uint16_t size, flags;
	uint32_t cyls, heads, spt;
	uint64_t sectors;
	uint16_t bytes;
} __attribute__((packed));

static uint8_t extended_parameters(struct board *b)
{
	struct geometry g = geometry(b->disk_len);
	struct edd e = { sizeof(e), 2, g.cyls, g.heads, g.spt, g.sectors, SECTOR };

	return guest_write(b, b->v->cpu.seg[SEG_DS].base + reg16(b, R_ESI), &e, sizeof(e)) ? DISK_OK
											   : DISK_BAD_COMMAND;
}

static void extensions_present(struct bootdisk *k)
{
	struct board *b = k->d.board;

	if (!bootdisk_drive(b->disk_len) || reg16(b, R_EBX) != 0x55aa) {
		finish(k, DISK_BAD_COMMAND);
		return;
	}
	finish(k, DISK_OK);
	set16(b, R_EAX, 0x2100 | low(b, R_EAX));
	set16(b, R_EBX, 0xaa55);
	set16(b, R_ECX, 1);
}

static void int13(struct bootdisk *k)
{
	struct board *b = k->d.board;
	unsigned fn = high(b, R_EAX);

	LOG(dev, "int 13h ax=%04x cx=%04x dx=%04x", reg16(b, R_EAX), reg16(b, R_ECX), reg16(b, R_EDX));
	switch (fn) {
	case 0x00:
	case 0x0d:
	case 0x10:
	case 0x11:
	case 0x16:
	case 0x47:
		finish(k, DISK_OK);
		break;
	case 0x01:
		finish(k, k->status);
		break;
	case 0x02:
	case 0x04:
		finish(k, chs_read(b, fn == 0x04));
		break;
	case 0x03:
	case 0x43: /* the image is never written */
		finish(k, 3);
		break;
	case 0x08:
		finish(k, parameters(b));
		break;
	case 0x15:
		drive_type(k);
		break;
	case 0x41:
		extensions_present(k);
		break;
	case 0x42:
	case 0x44:
		finish(k, extended_read(b, fn == 0x44));
		break;
	case 0x48:
		finish(k, extended_parameters(b));
		break;
	default:
		finish(k, DISK_BAD_COMMAND);
	}
}

/* SeaBIOS makes an MP table (Intel MP specification 1.4, 4.1) whatever CPUID says. This machine has no
 * APIC, and a kernel that believed the table would mask the PICs: erase the pointer to it. */
static void hide_mp_table(struct board *b)
{
	enum { MP_POINTER = 16, MP_FROM = 0xf0000, MP_TO = 0x100000 };
	uint8_t p[MP_POINTER], none[MP_POINTER] = { 0 };

	for (uint32_t at = MP_FROM; at < MP_TO; at += MP_POINTER)
		if (mm_phys_read(b->vm, at, p, sizeof(p)) && !memcmp(p, "_MP_", 4))
			mm_phys_write(b->vm, at, none, sizeof(none));
}

/* The ROM's boot entry: hook INT 13h, load the first sector, set DL. */
static void boot(struct bootdisk *k)
{
	struct board *b = k->d.board;
	uint8_t drive = bootdisk_drive(b->disk_len), one = 1;
	uint32_t rom = b->v->cpu.seg[SEG_CS].base, old;
	uint32_t handler = (uint32_t)b->v->cpu.seg[SEG_CS].sel << 16 | BOOTROM_INT13;
	uint16_t equipment = 0;

	if (!mm_phys_read(b->vm, IVT_13, &old, 4) || !mm_phys_write(b->vm, rom + BOOTROM_OLD13, &old, 4) ||
	    !mm_phys_write(b->vm, IVT_13, &handler, 4))
		return;
	mm_phys_read(b->vm, BDA_EQUIPMENT, &equipment, 2);
	equipment = (uint16_t)((equipment & ~0xc0) | 1);
	if (drive)
		mm_phys_write(b->vm, BDA_DISKS, &one, 1);
	else
		mm_phys_write(b->vm, BDA_EQUIPMENT, &equipment, 2);
	hide_mp_table(b);
	read_sectors(b, 0, 1, BOOT_ADDR);
	set16(b, R_EDX, drive);
	LOG(dev, "booting from the image as drive %#x", drive);
}

static void bootdisk_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct bootdisk *k = (struct bootdisk *)d;

	(void)size, (void)val;
	if (!d->board->disk)
		return;
	if (port == BOOTROM_PORT_BOOT)
		boot(k);
	else
		int13(k);
}

const struct dev_class bootdisk_class = {
	.name = "bootdisk",
	.help = "boot image behind INT 13h",
	.size = sizeof(struct bootdisk),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.out = bootdisk_out,
};
