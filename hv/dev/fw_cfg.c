/* SPDX-License-Identifier: GPL-3.0-or-later
 * QEMU's firmware configuration device, the byte interface only (QEMU
 * docs/specs/fw_cfg.rst): how SeaBIOS gets option ROMs and ACPI tables. */
#include <string.h>

#include "hv/boot/acpi.h"
#include "hv/board.h"
#include "hv/device_options.h"

enum { PORT_SELECT = 0x510, PORT_DATA = 0x511 };
enum {
	KEY_SIGNATURE = 0,
	KEY_ID = 1,
	KEY_RAM = 3,
	KEY_CPUS = 5,
	KEY_MAX_CPUS = 0xf,
	KEY_DIR = 0x19,
	KEY_FILES = 0x20
};

struct fw_cfg {
	struct dev d;
	uint16_t key;
	uint32_t pos;
	struct acpi_files acpi;
};

struct blob {
	const void *data;
	size_t len;
};

static const struct dev_ports ports[] = { { PORT_SELECT, PORT_DATA, 3 } };
static const struct state_field fields[] = {
	F_NUM(fw_cfg, key),
	F_NUM(fw_cfg, pos),
};

enum { FILE_VGA, FILE_RSDP, FILE_TABLES, FILE_LOADER, NFILES };
static const char *const file_names[NFILES] = { "pci1234,1111.rom", ACPI_FILE_RSDP, ACPI_FILE_TABLES,
						ACPI_FILE_LOADER };

static struct blob file_blob(const struct fw_cfg *f, unsigned i)
{
	const struct board *b = f->d.board;

	switch (i) {
	case FILE_VGA:
		return (struct blob){ b->vgabios, b->vgabios_len };
	case FILE_RSDP:
		return (struct blob){ f->acpi.image, ACPI_RSDP_LEN };
	case FILE_TABLES:
		return (struct blob){ f->acpi.image + ACPI_RSDT, ACPI_IMAGE - ACPI_RSDT };
	default:
		return (struct blob){ f->acpi.loader, sizeof(f->acpi.loader) };
	}
}

static void put_be(uint8_t *p, uint32_t v, unsigned n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

/* The directory, built for each byte that is read: firmware reads it only once. */
static uint8_t dir_byte(const struct fw_cfg *f, uint32_t pos)
{
	uint8_t dir[4 + NFILES * 64] = { 0 };

	put_be(dir, NFILES, 4);
	for (unsigned i = 0; i < NFILES; i++) {
		uint8_t *e = dir + 4 + i * 64;

		put_be(e, (uint32_t)file_blob(f, i).len, 4);
		put_be(e + 4, KEY_FILES + i, 2);
		memcpy(e + 8, file_names[i], strlen(file_names[i]));
	}
	return pos < sizeof(dir) ? dir[pos] : 0;
}

static uint8_t number_byte(uint64_t v, uint32_t pos)
{
	return pos < 8 ? (uint8_t)(v >> (8 * pos)) : 0;
}

/* Bytes past the end, and unknown keys, read 0. */
static uint8_t next_byte(struct fw_cfg *f)
{
	uint32_t pos = f->pos++;

	if (f->key >= KEY_FILES && f->key < KEY_FILES + NFILES) {
		struct blob b = file_blob(f, f->key - KEY_FILES);

		return pos < b.len ? ((const uint8_t *)b.data)[pos] : 0;
	}
	switch (f->key) {
	case KEY_SIGNATURE:
		return pos < 4 ? (uint8_t) "QEMU"[pos] : 0;
	case KEY_ID:
	case KEY_CPUS:
	case KEY_MAX_CPUS:
		return number_byte(1, pos);
	case KEY_RAM:
		return number_byte(f->d.board->memory, pos);
	case KEY_DIR:
		return dir_byte(f, pos);
	default:
		return 0;
	}
}

static uint32_t fw_cfg_in(struct dev *d, uint16_t port, unsigned size)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	if (port == PORT_DATA)
		return next_byte(f);
	return size == 2 ? f->key : 0;
}

static void fw_cfg_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	if (port != PORT_SELECT || size != 2)
		return;
	f->key = (uint16_t)val;
	f->pos = 0;
}

static void fw_cfg_reset(struct dev *d)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	f->key = 0;
	f->pos = 0;
	acpi_files_make(&f->acpi, (d->board->apic.present ? ACPI_WITH_APIC : 0) |
				      (devices_have(d->board->cfg, "pvpanic") ? ACPI_WITH_PVPANIC : 0));
}

const struct dev_class fw_cfg_class = {
	.name = "fw_cfg",
	.help = "firmware configuration (option ROMs and ACPI tables for SeaBIOS)",
	.size = sizeof(struct fw_cfg),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = fw_cfg_reset,
	.in = fw_cfg_in,
	.out = fw_cfg_out,
};
