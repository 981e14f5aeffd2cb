/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a file is that no kernel loader takes, by its content, and which option it is for: a message for the
 * user, who has often just mixed up two options. Nothing here decides how an image is loaded. */
#include "hv/boot/image.h"

#include <elf.h>
#include <string.h>

enum {
	SECTOR = 512,
	FLOPPY_MAX = 2880 * 1024,
	ROM_MIN = 0x10000,
	ROM_MAX = 16 << 20,
	ROM_UNIT = 0x1000,
	RESET_VECTOR = 16, /* bytes from the end */
	ISO_VOLUME = 16 * 2048 + 1,
	PE_OFFSET = 0x3c,
};

static bool has(const struct blob *k, size_t at, const void *bytes, size_t n)
{
	return at <= k->len && n <= k->len - at && !memcmp(k->data + at, bytes, n);
}

static bool is_elf64(const struct blob *k)
{
	return has(k, 0, ELFMAG "\x02", SELFMAG + 1);
}

static bool is_elf32(const struct blob *k)
{
	return has(k, 0, ELFMAG "\x01", SELFMAG + 1);
}

static bool is_efi(const struct blob *k)
{
	uint32_t at = 0;

	if (!has(k, 0, "MZ", 2) || k->len < PE_OFFSET + 4)
		return false;
	memcpy(&at, k->data + PE_OFFSET, 4);
	return has(k, at, "PE\0\0", 4);
}

static bool is_option_rom(const struct blob *k)
{
	return has(k, 0, "\x55\xaa", 2) && k->len % SECTOR == 0 && k->len > 2 &&
	       (size_t)k->data[2] * SECTOR <= k->len && k->data[2];
}

/* A whole number of pages, with an instruction at the reset vector that a ROM begins with: a jump, or
 * what precedes one there (NOP, CLI, CLD, WBINVD). */
static bool is_rom(const struct blob *k)
{
	static const uint8_t first[] = { 0xea, 0xe9, 0xeb, 0x90, 0xfa, 0xfc };
	const uint8_t *p;

	if (k->len < ROM_MIN || k->len > ROM_MAX || k->len % ROM_UNIT)
		return false;
	p = k->data + k->len - RESET_VECTOR;
	return memchr(first, p[0], sizeof(first)) || (p[0] == 0x0f && p[1] == 0x09);
}

static bool is_cd(const struct blob *k)
{
	return has(k, ISO_VOLUME, "CD001", 5);
}

static bool is_disk(const struct blob *k)
{
	return k->len % SECTOR == 0 && has(k, SECTOR - 2, "\x55\xaa", 2);
}

static bool is_floppy(const struct blob *k)
{
	return is_disk(k) && k->len <= FLOPPY_MAX;
}

static bool is_gzip(const struct blob *k)
{
	return has(k, 0, "\x1f\x8b\x08", 3);
}

static bool is_xz(const struct blob *k)
{
	return has(k, 0,
		   "\xfd"
		   "7zXZ",
		   6);
}

/* In the order in which they are tried: a hybrid ISO is a disk as well, a ROM may contain anything. */
static const struct identity {
	bool (*is)(const struct blob *k);
	const char *text;
} identities[] = {
	{ is_elf64, "a 64-bit ELF file without a Multiboot header or PVH's note" },
	{ is_elf32, "a 32-bit ELF file without a Multiboot header or PVH's note" },
	{ is_efi, "a program for UEFI firmware, not a kernel that a BIOS machine boots" },
	{ is_option_rom, "an option ROM, which firmware loads, not a kernel" },
	{ is_cd, "the image of a CD; use --cdrom" },
	{ is_rom, "a firmware ROM; use --bios" },
	{ is_floppy, "the image of a floppy disk; use --floppy" },
	{ is_disk, "the image of a disk; use --disk" },
	{ is_gzip, "compressed (gzip): unpack it first" },
	{ is_xz, "compressed (xz): unpack it first" },
};

const char *image_identify(const struct blob *k)
{
	for (unsigned i = 0; i < ARRAY_LEN(identities); i++)
		if (identities[i].is(k))
			return identities[i].text;
	return NULL;
}
