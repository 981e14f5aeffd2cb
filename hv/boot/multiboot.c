/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multiboot 0.6.96 (version 1): an ELF file or the a.out kludge, memory map, modules, command line. An ELF
 * file of 64 bits is entered like one of 32. Information goes to BOOT_INFO. */
#include <string.h>

#include "base/log.h"
#include "hv/boot/kernel.h"

enum {
	SEARCH = 8192,
	MMAP_AT = BOOT_INFO + 0x100,
	MODS_AT = BOOT_INFO + 0x300,
	NAME_AT = BOOT_INFO + 0xc0,
};
enum {
	MB_MAGIC = 0x1badb002,
	MB_LOADER_MAGIC = 0x2badb002,
	MB_PAGE_ALIGN = 1,
	MB_MEMORY = 2,
	MB_VIDEO = 4,
	MB_MUST = 0xffff,
	MB_KNOWN = MB_PAGE_ALIGN | MB_MEMORY | MB_VIDEO,
	MB_KLUDGE = 1 << 16
};
enum { INFO_MEMORY = 1, INFO_CMDLINE = 4, INFO_MODS = 8, INFO_MMAP = 0x40, INFO_NAME = 0x200 };

struct mb_header {
	uint32_t magic, flags, checksum;
	struct load_addresses addr;
	uint32_t entry;
};
struct mb_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
	    mmap_length, mmap_addr, drives_length, drives_addr, config, loader_name, apm;
};
struct mb_mmap {
	uint32_t size;
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));
struct mb_module {
	uint32_t start, end, text, zero;
};

/* Offset of the header, or -1. H gets the part of it that is in the file. */
static int64_t find_header(const struct blob *k, struct mb_header *h)
{
	for (size_t at = 0; at + 12 <= k->len && at + 12 <= SEARCH; at += 4) {
		uint32_t w[3];

		memcpy(w, k->data + at, 12);
		if (w[0] != MB_MAGIC || w[0] + w[1] + w[2])
			continue;
		memset(h, 0, sizeof(*h));
		memcpy(h, k->data + at, k->len - at < sizeof(*h) ? k->len - at : sizeof(*h));
		return (int64_t)at;
	}
	return -1;
}

bool multiboot_probe(const struct blob *k)
{
	struct mb_header h;

	return find_header(k, &h) >= 0;
}

static bool put_modules(struct loader *l, uint64_t kernel_end, struct mb_info *info)
{
	struct kernel_modules m;
	struct mb_module out[MODULES_MAX];

	if (!modules_load(l, kernel_end, &m))
		return false;
	if (!m.n)
		return true;
	for (unsigned i = 0; i < m.n; i++)
		out[i] =
		    (struct mb_module){ (uint32_t)m.mod[i].start, (uint32_t)m.mod[i].end, m.mod[i].text, 0 };
	info->flags |= INFO_MODS;
	info->mods_count = m.n;
	info->mods_addr = MODS_AT;
	return image_put(l, MODS_AT, out, m.n * sizeof(out[0]), "module list");
}

static bool put_map(struct loader *l, struct mb_info *info)
{
	struct memory_range map[E820_MAX];
	unsigned n = image_memory_map(l->ram, map);
	struct mb_mmap out[E820_MAX];

	for (unsigned i = 0; i < n; i++)
		out[i] = (struct mb_mmap){ sizeof(*out) - 4, map[i].base, map[i].len, map[i].type };
	info->flags |= INFO_MEMORY | INFO_MMAP;
	info->mem_lower = MEMORY_LOWER_KIB;
	info->mem_upper = image_upper_kib(l->ram);
	info->mmap_addr = MMAP_AT;
	info->mmap_length = (uint32_t)(n * sizeof(*out));
	return image_put(l, MMAP_AT, out, n * sizeof(*out), "memory map");
}

/* The command line: the file's name as the first word, as GRUB passes it, then the text of --append. */
static bool put_texts(struct loader *l, struct mb_info *info)
{
	info->flags |= INFO_CMDLINE | INFO_NAME;
	info->cmdline = BOOT_TEXT;
	info->loader_name = NAME_AT;
	return kernel_put_text(l) &&
	       image_put(l, NAME_AT, BOOT_LOADER_NAME, sizeof(BOOT_LOADER_NAME), "loader name");
}

/* By the header's address fields, or as the ELF file says. */
static bool load(struct loader *l, const struct blob *k, const struct mb_header *h, uint64_t at,
		 uint32_t *entry, uint64_t *end)
{
	struct elf_image e;

	if (h->flags & MB_KLUDGE) {
		if (at + sizeof(*h) > k->len)
			return image_fail(l, "%s: truncated: Multiboot header at %#llx", image_name(l),
					  (unsigned long long)at);
		*entry = h->entry;
		return kernel_load_flat(l, k, at, &h->addr, end);
	}
	if (!elf_probe(k))
		return image_fail(l, "%s: Multiboot header, but not an x86 ELF file", image_name(l));
	if (!elf_load(l, k, &e))
		return false;
	*end = e.end;
	return kernel_entry32(l, e.entry, entry);
}

bool multiboot_load(struct loader *l, const struct blob *k)
{
	struct mb_info info = { 0 };
	struct mb_header h;
	int64_t at = find_header(k, &h);
	uint64_t end = 0;
	uint32_t entry = 0;

	if (h.flags & MB_MUST & ~MB_KNOWN)
		return image_fail(l, "%s: Multiboot flags %#x ask for features this loader lacks",
				  image_name(l), h.flags);
	if (!load(l, k, &h, (uint64_t)at, &entry, &end) || !put_map(l, &info) || !put_texts(l, &info) ||
	    !put_modules(l, end, &info) ||
	    !image_put(l, BOOT_INFO, &info, sizeof(info), "boot information") ||
	    !image_enter_flat(l, entry, BOOT_STACK))
		return false;
	l->cpu->gpr[R_EAX] = MB_LOADER_MAGIC;
	l->cpu->gpr[R_EBX] = BOOT_INFO;
	LOG(image, "Multiboot, entry %#x, end %#llx", entry, (unsigned long long)end);
	return true;
}
