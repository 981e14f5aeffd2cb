/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multiboot 0.6.96 (version 1): 32-bit ELF or the a.out kludge, memory map,
 * modules from the initrd option ("FILE [TEXT],FILE [TEXT]..."), command line. Information goes to 0x90000.
 */
#include "hv/boot/image.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
	SEARCH = 8192,
	STACK = 0x90000,
	INFO_AT = 0x90000,
	MMAP_AT = 0x90100,
	MODS_AT = 0x90300,
	TEXT_AT = 0x91000,
	TEXT_MAX = 0x1000,
	MOD_TEXT_AT = TEXT_AT + TEXT_MAX,
	MODS_MAX = 64,
	AREA_END = 0x93000
};
#define ROM_AREA 0xff000000u
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
	uint32_t magic, flags, checksum, header_addr, load_addr, load_end, bss_end, entry;
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

static const char *name(const struct loader *l)
{
	return l->cfg->kernel ? l->cfg->kernel : "embedded guest";
}

/* Copy LEN bytes and zero up to SIZE; the loader's own area must stay free. */
static bool put_segment(struct loader *l, uint64_t at, const uint8_t *data, uint64_t len, uint64_t size)
{
	static const uint8_t zero[PAGE_SIZE];

	if (at < AREA_END && at + size > INFO_AT)
		return image_fail(l, "%s: segment at %#llx overlaps the boot information at %#x", name(l),
				  (unsigned long long)at, INFO_AT);
	if (size > l->memory || at > l->memory - size)
		return image_fail(
		    l, "%s: segment of %llu bytes at %#llx does not fit into %llu KiB of memory", name(l),
		    (unsigned long long)size, (unsigned long long)at, (unsigned long long)l->memory >> 10);
	if (len && !image_put(l, at, data, len, name(l)))
		return false;
	for (uint64_t n; len < size; len += n) {
		n = size - len < PAGE_SIZE ? size - len : PAGE_SIZE;
		if (!image_put(l, at + len, zero, n, name(l)))
			return false;
	}
	return true;
}

static bool load_kludge(struct loader *l, const struct blob *k, const struct mb_header *h, uint64_t at,
			uint32_t *entry, uint64_t *end)
{
	uint64_t start, len, size;
	const char *what = h->load_addr >= ROM_AREA ? image_identify(k) : NULL;

	if (what) /* U-Boot's ROM has a Multiboot header */
		return image_fail(l, "%s: this is %s", name(l), what);
	if (at + sizeof(*h) > k->len || h->load_addr > h->header_addr || h->header_addr - h->load_addr > at)
		return image_fail(l, "%s: Multiboot header at %#llx has impossible load addresses", name(l),
				  (unsigned long long)at);
	start = at - (h->header_addr - h->load_addr);
	len = k->len - start;
	if (h->load_end) {
		if (h->load_end < h->load_addr || h->load_end - h->load_addr > len)
			return image_fail(l, "%s: truncated: Multiboot header needs bytes up to %#x", name(l),
					  h->load_end);
		len = h->load_end - h->load_addr;
	}
	size = h->bss_end > h->load_addr + len ? h->bss_end - h->load_addr : len;
	*entry = h->entry;
	*end = h->load_addr + size;
	return put_segment(l, h->load_addr, k->data + start, len, size);
}

static bool load_elf_segment(struct loader *l, const struct blob *k, const Elf32_Phdr *ph)
{
	if ((uint64_t)ph->p_offset + ph->p_filesz > k->len)
		return image_fail(l, "%s: truncated: segment needs file bytes up to %#llx of %#zx", name(l),
				  (unsigned long long)ph->p_offset + ph->p_filesz, k->len);
	if (ph->p_filesz > ph->p_memsz)
		return image_fail(l, "%s: segment at %#x is larger in the file than in memory", name(l),
				  ph->p_paddr);
	return put_segment(l, ph->p_paddr, k->data + ph->p_offset, ph->p_filesz, ph->p_memsz);
}

static bool elf_header(struct loader *l, const struct blob *k, Elf32_Ehdr *eh)
{
	if (k->len < sizeof(*eh))
		return image_fail(l, "%s: truncated ELF header", name(l));
	memcpy(eh, k->data, sizeof(*eh));
	if (!memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_ident[EI_CLASS] == ELFCLASS64)
		return image_fail(l, "%s: this is %s", name(l), image_identify(k));
	if (memcmp(eh->e_ident, ELFMAG, SELFMAG) || eh->e_ident[EI_CLASS] != ELFCLASS32 ||
	    eh->e_machine != EM_386)
		return image_fail(l, "%s: Multiboot header, but not a 32-bit x86 ELF file", name(l));
	if (eh->e_phentsize != sizeof(Elf32_Phdr) ||
	    (uint64_t)eh->e_phoff + (uint64_t)eh->e_phnum * sizeof(Elf32_Phdr) > k->len)
		return image_fail(l, "%s: ELF program headers at %#x are outside the file", name(l),
				  eh->e_phoff);
	return true;
}

static bool load_elf(struct loader *l, const struct blob *k, uint32_t *entry, uint64_t *end)
{
	Elf32_Ehdr eh;

	if (!elf_header(l, k, &eh))
		return false;
	*entry = eh.e_entry;
	*end = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf32_Phdr ph;

		memcpy(&ph, k->data + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type != PT_LOAD || !ph.p_memsz)
			continue;
		if (!load_elf_segment(l, k, &ph))
			return false;
		if (eh.e_entry >= ph.p_vaddr && eh.e_entry - ph.p_vaddr < ph.p_memsz)
			*entry = eh.e_entry - ph.p_vaddr + ph.p_paddr;
		if ((uint64_t)ph.p_paddr + ph.p_memsz > *end)
			*end = (uint64_t)ph.p_paddr + ph.p_memsz;
	}
	return *end ? true : image_fail(l, "%s: ELF file has nothing to load", name(l));
}

struct modules {
	struct mb_module mod[MODS_MAX];
	unsigned n;
	uint64_t at;   /* address of the next module */
	uint32_t text; /* and that of its text */
};

/* Load the file named by TEXT (LEN bytes) up to the first space, or by all of it if WHOLE. */
static bool put_module(struct loader *l, struct modules *m, const char *text, size_t len, bool whole)
{
	char line[TEXT_MAX] = "", file[TEXT_MAX];
	struct mb_module *mod = &m->mod[m->n];
	struct blob b;
	bool ok;

	if (m->n == MODS_MAX || m->text + len + 1 > AREA_END || len >= sizeof(line))
		return image_fail(l, "modules: at most %u, with %u bytes of text", MODS_MAX,
				  AREA_END - MOD_TEXT_AT);
	memcpy(line, text, len);
	memcpy(file, line, sizeof(file));
	if (!whole)
		file[strcspn(file, " ")] = 0;
	if (!image_read_file(l, file, 1ull << 32, &b))
		return false;
	*mod = (struct mb_module){ (uint32_t)m->at, (uint32_t)(m->at + b.len), m->text, 0 };
	ok =
	    image_put(l, m->at, b.data, b.len, file) && image_put(l, m->text, line, len + 1, "module's text");
	m->at = (m->at + b.len + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	m->text += (uint32_t)len + 1;
	m->n++;
	blob_free(&b);
	return ok;
}

static bool put_modules(struct loader *l, uint64_t kernel_end, struct mb_info *info)
{
	const char *list = l->cfg->initrd;
	struct modules m = {
		.at = kernel_end < 0x100000 ? 0x100000 : (kernel_end + PAGE_MASK) & ~(uint64_t)PAGE_MASK,
		.text = MOD_TEXT_AT,
	};
	bool whole = list && !access(list, F_OK);

	for (size_t len; list && *list; list += len + (list[len] == ',')) {
		len = whole ? strlen(list) : strcspn(list, ",");
		if (!put_module(l, &m, list, len, whole))
			return false;
	}
	if (!m.n)
		return true;
	info->flags |= INFO_MODS;
	info->mods_count = m.n;
	info->mods_addr = MODS_AT;
	return image_put(l, MODS_AT, m.mod, m.n * sizeof(m.mod[0]), "module list");
}

static bool put_map(struct loader *l, struct mb_info *info)
{
	struct memory_range map[E820_MAX];
	unsigned n = image_memory_map(l->memory, map);
	struct mb_mmap out[E820_MAX];

	for (unsigned i = 0; i < n; i++)
		out[i] = (struct mb_mmap){ sizeof(*out) - 4, map[i].base, map[i].len, map[i].type };
	info->flags |= INFO_MEMORY | INFO_MMAP;
	info->mem_lower = 639;
	info->mem_upper = (uint32_t)((l->memory - 0x100000) >> 10);
	info->mmap_addr = MMAP_AT;
	info->mmap_length = (uint32_t)(n * sizeof(*out));
	return image_put(l, MMAP_AT, out, n * sizeof(*out), "memory map");
}

/* The command line: the file's name as the first word, as GRUB passes it, then the text of --append. */
static bool put_texts(struct loader *l, struct mb_info *info)
{
	const char *text = l->cfg->append ? l->cfg->append : "";
	const char *file = l->cfg->kernel      ? l->cfg->kernel
			   : l->cfg->blob_name ? l->cfg->blob_name
					       : "embedded";
	char line[TEXT_MAX];
	int n = snprintf(line, sizeof(line), "%s%s%s", file, *text ? " " : "", text);
	size_t len = (size_t)n + 1;

	if (n < 0 || len > sizeof(line))
		return image_fail(l, "command line of %d bytes, file name included: at most %u", n,
				  TEXT_MAX - 1);
	info->flags |= INFO_CMDLINE | INFO_NAME;
	info->cmdline = TEXT_AT;
	info->loader_name = INFO_AT + 0xc0;
	return image_put(l, TEXT_AT, line, len, "command line") &&
	       image_put(l, info->loader_name, "vitrine", 8, "loader name");
}

bool multiboot_load(struct loader *l, const struct blob *k)
{
	struct mb_info info = { 0 };
	struct mb_header h;
	int64_t at = find_header(k, &h);
	uint64_t end = 0;
	uint32_t entry = 0;

	if (h.flags & MB_MUST & ~MB_KNOWN)
		return image_fail(l, "%s: Multiboot flags %#x ask for features this loader lacks", name(l),
				  h.flags);
	if (!(h.flags & MB_KLUDGE ? load_kludge(l, k, &h, (uint64_t)at, &entry, &end)
				  : load_elf(l, k, &entry, &end)))
		return false;
	if (!put_map(l, &info) || !put_texts(l, &info) || !put_modules(l, end, &info) ||
	    !image_put(l, INFO_AT, &info, sizeof(info), "boot information") ||
	    !image_enter_flat(l, entry, STACK))
		return false;
	l->cpu->gpr[R_EAX] = MB_LOADER_MAGIC;
	l->cpu->gpr[R_EBX] = INFO_AT;
	LOG(image, "Multiboot, entry %#x, end %#llx", entry, (unsigned long long)end);
	return true;
}
