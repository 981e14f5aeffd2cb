/* SPDX-License-Identifier: GPL-3.0-or-later
 * Multiboot 2 (specification 2.0): a header of tags, an ELF file or address fields, information as a list of
 * tags at BOOT_INFO. There is no EFI: its entries do not count, nor do its tags in the information. The
 * screen is in text mode, as after a BIOS. */
#include <string.h>

#include "base/log.h"
#include "hv/boot/acpi.h"
#include "hv/boot/kernel.h"

enum {
	SEARCH = 32768,
	HEADER_LEN = 16,
	MB2_LOADER_MAGIC = 0x36d76289,
	INFO_MAX = BOOT_TEXT - BOOT_INFO,
	ARCHITECTURE_I386 = 0,
};
#define MB2_MAGIC 0xe85250d6u
/* Tags of the header, and their flag. */
enum {
	H_END,
	H_REQUEST,
	H_ADDRESS,
	H_ENTRY,
	H_CONSOLE,
	H_FRAMEBUFFER,
	H_MODULE_ALIGN,
	H_EFI_SERVICES,
	H_EFI_ENTRY_32,
	H_EFI_ENTRY_64,
	H_RELOCATABLE,
	OPTIONAL = 1,
};
/* Tags of the information. */
enum {
	I_END,
	I_CMDLINE,
	I_LOADER,
	I_MODULE,
	I_MEMORY,
	I_BIOS_DEVICE,
	I_MAP,
	I_VBE,
	I_FRAMEBUFFER,
	I_ELF_SECTIONS,
	I_RSDP = 14,
	I_LOAD_BASE = 21,
};
static const uint8_t given[] = { I_CMDLINE, I_LOADER,	   I_MODULE, I_MEMORY,
				 I_MAP,	    I_FRAMEBUFFER, I_RSDP,   I_LOAD_BASE };

struct mb2_tag {
	uint16_t type, flags;
	uint32_t size;
};

/* What the header's tags say. */
struct mb2_header {
	uint64_t at, end; /* offsets in the file */
	bool has_addr, has_entry, relocatable;
	struct load_addresses addr;
	uint32_t entry;
};

/* Offset of the header, or -1. */
static int64_t find_header(const struct blob *k)
{
	for (size_t at = 0; at + HEADER_LEN <= k->len && at + HEADER_LEN <= SEARCH; at += 8) {
		uint32_t w[4];

		memcpy(w, k->data + at, sizeof(w));
		if (w[0] == MB2_MAGIC && !(w[0] + w[1] + w[2] + w[3]))
			return (int64_t)at;
	}
	return -1;
}

bool multiboot2_probe(const struct blob *k)
{
	return find_header(k) >= 0;
}

/* ---- header ---- */

/* The request of information at P, N bytes of type numbers. Returns the first type that is not given; 0:
 * none. */
static uint32_t lacking(const uint8_t *p, uint32_t n)
{
	for (uint32_t type; n >= 4; p += 4, n -= 4) {
		memcpy(&type, p, 4);
		if (type && (type > UINT8_MAX || !memchr(given, (int)type, sizeof(given))))
			return type;
	}
	return 0;
}

/* Is what follows the tag's head in the file? */
static bool take(void *to, size_t n, const uint8_t *tag, uint32_t size)
{
	if (size < sizeof(struct mb2_tag) + n)
		return false;
	memcpy(to, tag + sizeof(struct mb2_tag), n);
	return true;
}

/* Read one tag. False with the error. */
static bool read_tag(struct loader *l, struct mb2_header *h, const struct mb2_tag *t, const uint8_t *p)
{
	uint32_t w[4] = { 0 }, type;
	bool whole = true;

	switch (t->type) {
	case H_REQUEST:
		type = lacking(p + sizeof(*t), t->size - (uint32_t)sizeof(*t));
		if (!type || t->flags & OPTIONAL)
			return true;
		return image_fail(l,
				  "%s: Multiboot 2: asks for information of type %u, which this loader lacks",
				  image_name(l), type);
	case H_ADDRESS:
		h->has_addr = whole = take(&h->addr, sizeof(h->addr), p, t->size);
		break;
	case H_ENTRY:
		h->has_entry = whole = take(&h->entry, 4, p, t->size);
		break;
	case H_FRAMEBUFFER: /* width, height, depth: 0 is text */
		whole = take(w, 12, p, t->size);
		if (whole && w[2] && !(t->flags & OPTIONAL))
			return image_fail(
			    l, "%s: Multiboot 2: asks for graphics of %u bits, which this loader lacks",
			    image_name(l), w[2]);
		break;
	case H_RELOCATABLE:
		h->relocatable = true;
		break;
	case H_CONSOLE:
	case H_MODULE_ALIGN:
	case H_EFI_SERVICES:
	case H_EFI_ENTRY_32:
	case H_EFI_ENTRY_64:
		break;
	default:
		if (!(t->flags & OPTIONAL))
			return image_fail(l,
					  "%s: Multiboot 2: header tag %u, which this loader does not know",
					  image_name(l), t->type);
	}
	return whole ? true
		     : image_fail(l, "%s: Multiboot 2: header tag %u is too short", image_name(l), t->type);
}

static bool read_header(struct loader *l, const struct blob *k, struct mb2_header *h)
{
	uint32_t w[4];
	uint64_t at = h->at + HEADER_LEN;

	memcpy(w, k->data + h->at, sizeof(w));
	h->end = h->at + w[2];
	if (w[1] != ARCHITECTURE_I386)
		return image_fail(l, "%s: Multiboot 2: architecture %u is not x86", image_name(l), w[1]);
	if (h->end > k->len)
		return image_fail(l, "%s: truncated: Multiboot 2 header of %u bytes", image_name(l), w[2]);
	for (struct mb2_tag t; at + sizeof(t) <= h->end; at += (t.size + 7ull) & ~7ull) {
		memcpy(&t, k->data + at, sizeof(t));
		if (t.type == H_END)
			return true;
		if (t.size < sizeof(t) || t.size > h->end - at)
			return image_fail(l, "%s: Multiboot 2: header tag %u of %u bytes", image_name(l),
					  t.type, t.size);
		if (!read_tag(l, h, &t, k->data + at))
			return false;
	}
	return true; /* without the tag that ends it */
}

/* ---- information ---- */

struct mb2_info {
	uint8_t buf[INFO_MAX];
	uint32_t len;
	bool full;
};

/* Add a tag; HEAD and TAIL follow its own head. */
static void add(struct mb2_info *i, uint32_t type, const void *head, size_t nhead, const void *tail,
		size_t ntail)
{
	uint32_t tag[2] = { type, (uint32_t)(sizeof(tag) + nhead + ntail) };
	uint32_t whole = (tag[1] + 7u) & ~7u;

	if (whole > sizeof(i->buf) - i->len) {
		i->full = true;
		return;
	}
	memcpy(i->buf + i->len, tag, sizeof(tag));
	if (nhead)
		memcpy(i->buf + i->len + sizeof(tag), head, nhead);
	if (ntail)
		memcpy(i->buf + i->len + sizeof(tag) + nhead, tail, ntail);
	i->len += whole;
}

static void add_text(struct mb2_info *i, uint32_t type, const void *head, size_t nhead, const char *text)
{
	add(i, type, head, nhead, text, strlen(text) + 1);
}

static void add_memory(struct mb2_info *i, uint64_t ram)
{
	struct {
		uint64_t base, len;
		uint32_t type, zero;
	} out[E820_MAX];
	struct memory_range map[E820_MAX];
	unsigned n = image_memory_map(ram, map);
	const uint32_t sizes[2] = { MEMORY_LOWER_KIB, image_upper_kib(ram) };
	const uint32_t layout[2] = { sizeof(out[0]), 0 };

	for (unsigned k = 0; k < n; k++) {
		out[k].base = map[k].base;
		out[k].len = map[k].len;
		out[k].type = map[k].type;
		out[k].zero = 0;
	}
	add(i, I_MEMORY, sizes, sizeof(sizes), NULL, 0);
	add(i, I_MAP, layout, sizeof(layout), out, n * sizeof(out[0]));
}

/* The text screen: address, bytes of a line, columns, lines, bits of a character, type. */
static void add_screen(struct mb2_info *i)
{
	static const struct {
		uint64_t at;
		uint32_t pitch, width, height;
		uint8_t bpp, type, reserved[2];
	} __attribute__((packed)) screen = { 0xb8000, 160, 80, 25, 16, 2, { 0 } };

	add(i, I_FRAMEBUFFER, &screen, sizeof(screen), NULL, 0);
}

static bool add_rsdp(struct loader *l, struct mb2_info *i)
{
	uint8_t rsdp[ACPI_RSDP_LEN];

	if (!mm_phys_read(l->vm, ACPI_AT, rsdp, sizeof(rsdp)))
		return false;
	add(i, I_RSDP, rsdp, sizeof(rsdp), NULL, 0);
	return true;
}

/* Text of a module in guest memory: the words behind the file's name. */
static bool add_module(struct loader *l, struct mb2_info *i, const struct kernel_module *m)
{
	const uint32_t range[2] = { (uint32_t)m->start, (uint32_t)m->end };
	char text[BOOT_INFO_END - BOOT_MODULE_TEXT];
	size_t n = BOOT_INFO_END - m->text;

	if (!mm_phys_read(l->vm, m->text, text, n))
		return false;
	text[n - 1] = 0;
	add_text(i, I_MODULE, range, sizeof(range), text);
	return true;
}

static bool put_info(struct loader *l, const struct mb2_header *h, uint64_t kernel_begin, uint64_t kernel_end)
{
	struct mb2_info i = { .len = 8 };
	struct kernel_modules m;
	char line[BOOT_TEXT_MAX];
	const uint32_t base = (uint32_t)kernel_begin;

	if (!kernel_put_text(l) || !mm_phys_read(l->vm, BOOT_TEXT, line, sizeof(line)) ||
	    !modules_load(l, kernel_end, &m))
		return false;
	line[sizeof(line) - 1] = 0;
	add_text(&i, I_CMDLINE, NULL, 0, line);
	add_text(&i, I_LOADER, NULL, 0, BOOT_LOADER_NAME);
	add_memory(&i, l->ram);
	add_screen(&i);
	if (!add_rsdp(l, &i))
		return image_fail(l, "no memory for ACPI tables");
	if (h->relocatable)
		add(&i, I_LOAD_BASE, &base, sizeof(base), NULL, 0);
	for (unsigned n = 0; n < m.n; n++)
		if (!add_module(l, &i, &m.mod[n]))
			return false;
	add(&i, I_END, NULL, 0, NULL, 0);
	if (i.full)
		return image_fail(l, "%s: Multiboot 2: command line and modules take more than %u bytes",
				  image_name(l), INFO_MAX);
	memcpy(i.buf, &i.len, 4);
	return image_put(l, BOOT_INFO, i.buf, i.len, "boot information");
}

/* ---- all of it ---- */

static bool load(struct loader *l, const struct blob *k, const struct mb2_header *h, uint64_t *entry,
		 uint64_t *begin, uint64_t *end)
{
	struct elf_image e;

	if (h->has_addr) {
		if (!h->has_entry)
			return image_fail(l, "%s: Multiboot 2: addresses without an entry", image_name(l));
		*entry = h->entry;
		*begin = h->addr.load;
		return kernel_load_flat(l, k, h->at, &h->addr, end);
	}
	if (!elf_probe(k))
		return image_fail(l, "%s: Multiboot 2 header, but not an x86 ELF file", image_name(l));
	if (!elf_load(l, k, &e))
		return false;
	*entry = h->has_entry ? h->entry : e.entry;
	*begin = e.begin;
	*end = e.end;
	return true;
}

bool multiboot2_load(struct loader *l, const struct blob *k)
{
	struct mb2_header h = { .at = (uint64_t)find_header(k) };
	uint64_t entry = 0, begin = 0, end = 0;
	uint32_t at;

	if (!read_header(l, k, &h) || !load(l, k, &h, &entry, &begin, &end) ||
	    !kernel_entry32(l, entry, &at) || !put_info(l, &h, begin, end) ||
	    !image_enter_flat(l, at, BOOT_STACK))
		return false;
	l->cpu->gpr[R_EAX] = MB2_LOADER_MAGIC;
	l->cpu->gpr[R_EBX] = BOOT_INFO;
	LOG(image, "Multiboot 2, entry %#x, end %#llx", at, (unsigned long long)end);
	return true;
}
