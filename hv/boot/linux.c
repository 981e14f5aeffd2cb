/* SPDX-License-Identifier: GPL-3.0-or-later
 * Linux boot protocol 2.06 and later, 32-bit and 64-bit entry (Linux Documentation/arch/x86/boot.rst):
 * bzImage at 1 MiB, "zero page" at 0x90000, command line after it, initrd as high as allowed. memtest86+ uses
 * the same protocol. */
#include "hv/boot/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hv/board.h"
#include "hv/boot/acpi.h"

enum {
	PARAMS_AT = 0x90000,
	PARAMS_LEN = 0x1000,
	CMDLINE_AT = 0x91000,
	CMDLINE_MAX = 0x7000,
	KERNEL_AT = 0x100000,
	STACK = 0x90000,
	SECTOR = 512,
	HEADER_END_MIN = 0x260,
	ENTRY_E820 = 20,
	ENTRY_64_OFFSET = 0x200,
	LOADER_UNDEFINED = 0xff
};

/* Offsets in the boot sector and in the zero page. */
enum {
	O_SCREEN_Y = 0x01,
	O_SCREEN_PAGE = 0x04,
	O_SCREEN_MODE = 0x06,
	O_SCREEN_COLS = 0x07,
	O_SCREEN_LINES = 0x0e,
	O_SCREEN_ISVGA = 0x0f,
	O_SCREEN_POINTS = 0x10,
	O_FRAME_WIDTH = 0x12,
	O_FRAME_HEIGHT = 0x14,
	O_FRAME_BITS = 0x16,
	O_FRAME_AT = 0x18,
	O_FRAME_SIZE = 0x1c, /* in units of 64 KiB */
	O_FRAME_PITCH = 0x24,
	O_FRAME_COLORS = 0x26, /* red, green, blue, none: bits, position of each */
	O_EXT_MEM_K = 0x02,
	O_ALT_MEM_K = 0x1e0,
	O_RSDP = 0x70,
	O_E820_COUNT = 0x1e8,
	O_SETUP_SECTS = 0x1f1,
	O_BOOT_FLAG = 0x1fe,
	O_JUMP = 0x200,
	O_MAGIC = 0x202,
	O_VERSION = 0x206,
	O_LOADER = 0x210,
	O_LOADFLAGS = 0x211,
	O_CODE32 = 0x214,
	O_RAMDISK = 0x218,
	O_RAMDISK_SIZE = 0x21c,
	O_HEAP_END = 0x224,
	O_CMDLINE = 0x228,
	O_INITRD_MAX = 0x22c,
	O_ALIGN = 0x230,
	O_RELOCATABLE = 0x234,
	O_XLOADFLAGS = 0x236,
	O_CMDLINE_SIZE = 0x238,
	O_PREF = 0x258,
	O_INIT_SIZE = 0x260,
	O_E820 = 0x2d0,
};
enum { SCREEN_TEXT = 1, SCREEN_FRAME = 0x23 }; /* at O_SCREEN_ISVGA */
enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80, XLF_KERNEL_64 = 1 };

static uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

static void put(uint8_t *p, uint64_t v, unsigned n)
{
	memcpy(p, &v, n);
}

bool linux_probe(const struct blob *k)
{
	return k->len >= O_VERSION + 2 && get(k->data + O_BOOT_FLAG, 2) == 0xaa55 &&
	       !memcmp(k->data + O_MAGIC, "HdrS", 4);
}

/* Size of the boot sector and setup code; 0 when the file is shorter. */
static uint64_t setup_len(const struct blob *k)
{
	unsigned sects = k->data[O_SETUP_SECTS] ? k->data[O_SETUP_SECTS] : 4;
	uint64_t len = (sects + 1ull) * SECTOR;

	return len < k->len && k->len > HEADER_END_MIN + 4 ? len : 0;
}

/* The modes that vga=0x301... on the command line asks its boot loader for: VBE's, plus 0x200. */
static const struct video_mode {
	uint16_t number, width, height;
	uint8_t bits, colors[8]; /* as at O_FRAME_COLORS */
} modes[] = {
	{ 0x301, 640, 480, 8, { 0 } },
	{ 0x303, 800, 600, 8, { 0 } },
	{ 0x305, 1024, 768, 8, { 0 } },
	{ 0x307, 1280, 1024, 8, { 0 } },
	{ 0x311, 640, 480, 16, { 5, 11, 6, 5, 5, 0, 0, 0 } },
	{ 0x314, 800, 600, 16, { 5, 11, 6, 5, 5, 0, 0, 0 } },
	{ 0x317, 1024, 768, 16, { 5, 11, 6, 5, 5, 0, 0, 0 } },
	{ 0x31a, 1280, 1024, 16, { 5, 11, 6, 5, 5, 0, 0, 0 } },
	{ 0x312, 640, 480, 32, { 8, 16, 8, 8, 8, 0, 8, 24 } },
	{ 0x315, 800, 600, 32, { 8, 16, 8, 8, 8, 0, 8, 24 } },
	{ 0x318, 1024, 768, 32, { 8, 16, 8, 8, 8, 0, 8, 24 } },
	{ 0x31b, 1280, 1024, 32, { 8, 16, 8, 8, 8, 0, 8, 24 } },
};

/* The number of the last vga= on the command line; 0: none, or a name. */
static unsigned long mode_wanted(const char *line)
{
	unsigned long n = 0;

	for (const char *p = line; p && (p = strstr(p, "vga=")); p += 4)
		if (p == line || p[-1] == ' ')
			n = strtoul(p + 4, NULL, 0);
	return n;
}

static void put_frame(uint8_t *p, const struct video_mode *m, gpa at)
{
	p[O_SCREEN_ISVGA] = SCREEN_FRAME;
	put(p + O_FRAME_WIDTH, m->width, 2);
	put(p + O_FRAME_HEIGHT, m->height, 2);
	put(p + O_FRAME_BITS, m->bits, 2);
	put(p + O_FRAME_AT, at, 4);
	put(p + O_FRAME_SIZE, VGA_FRAME_SIZE >> 16, 4);
	put(p + O_FRAME_PITCH, (uint64_t)m->width * (m->bits / 8), 2);
	memcpy(p + O_FRAME_COLORS, m->colors, sizeof(m->colors));
}

static bool put_screen(struct loader *l, uint8_t *p)
{
	unsigned long want = mode_wanted(l->cfg->append);
	gpa at;

	p[O_SCREEN_MODE] = 3;
	p[O_SCREEN_COLS] = 80;
	p[O_SCREEN_LINES] = 25;
	p[O_SCREEN_ISVGA] = SCREEN_TEXT;
	put(p + O_SCREEN_POINTS, 16, 2);
	if (want < 0x300 || want > 0x3ff)
		return true;
	for (const struct video_mode *m = modes; m < modes + ARRAY_LEN(modes); m++)
		if (m->number == want) {
			at = l->vga ? vga_set_mode(l->vga, m->width, m->height, m->bits) : 0;
			if (!at)
				return image_fail(l, "vga=%#lx: no memory for its frame buffer", want);
			put_frame(p, m, at);
			return true;
		}
	return image_fail(l,
			  "vga=%#lx: there is no such mode; there are 0x301, 0x311, 0x312 (640x480), 0x303, "
			  "0x314, 0x315 (800x600), 0x305, 0x317, 0x318 (1024x768), 0x307, 0x31a, 0x31b "
			  "(1280x1024), of 8, 16, 32 bits",
			  want);
}

static void put_memory(struct loader *l, uint8_t *p)
{
	struct memory_range map[E820_MAX];
	unsigned n = image_memory_map(l->ram, map);
	uint64_t kib = image_upper_kib(l->ram);

	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = p + O_E820 + i * ENTRY_E820;

		put(e, map[i].base, 8);
		put(e + 8, map[i].len, 8);
		put(e + 16, map[i].type, 4);
	}
	p[O_E820_COUNT] = (uint8_t)n;
	put(p + O_EXT_MEM_K, kib > 0xffff ? 0xffff : kib, 2);
	put(p + O_ALT_MEM_K, kib, 4);
}

static bool put_cmdline(struct loader *l, const struct blob *k, uint8_t *p)
{
	const char *text = l->cfg->append ? l->cfg->append : "";
	uint64_t len = strlen(text), max = get(k->data + O_CMDLINE_SIZE, 4);

	if (max > CMDLINE_MAX || !max)
		max = max ? CMDLINE_MAX : 255;
	if (len > max)
		return image_fail(l, "command line of %llu bytes: this kernel takes %llu",
				  (unsigned long long)len, (unsigned long long)max);
	put(p + O_CMDLINE, CMDLINE_AT, 4);
	return image_put(l, CMDLINE_AT, text, len + 1, "command line");
}

/* Lowest address for the initrd: beyond the memory in which the kernel unpacks itself. */
static uint64_t kernel_end(const struct blob *k, uint64_t loaded)
{
	uint64_t at = KERNEL_AT, need = loaded, end = KERNEL_AT + loaded;
	unsigned version = (unsigned)get(k->data + O_VERSION, 2);

	if (version >= 0x20a) {
		uint64_t pref = get(k->data + O_PREF, 8);

		at = pref > at && pref < 1ull << 32 ? pref : at;
		need = get(k->data + O_INIT_SIZE, 4);
	}
	return at + need > end ? at + need : end;
}

static bool put_initrd(struct loader *l, const struct blob *k, uint64_t floor, uint8_t *p)
{
	uint64_t top = get(k->data + O_INITRD_MAX, 4) + 1, at;
	struct blob rd;
	bool ok;

	if (!l->cfg->initrd)
		return true;
	if (!image_read_file(l, l->cfg->initrd, 1ull << 32, &rd))
		return false;
	top = top < l->memory ? top : l->memory;
	at = rd.len <= top ? (top - rd.len) & ~(uint64_t)PAGE_MASK : 0;
	if (at < floor) {
		blob_free(&rd);
		return image_fail(
		    l, "%s: initrd of %llu KiB does not fit: %llu KiB of memory, kernel up to %#llx",
		    l->cfg->initrd, (unsigned long long)rd.len >> 10, (unsigned long long)l->memory >> 10,
		    (unsigned long long)floor);
	}
	put(p + O_RAMDISK, at, 4);
	put(p + O_RAMDISK_SIZE, rd.len, 4);
	LOG(image, "initrd %s at %#llx, %zu bytes", l->cfg->initrd, (unsigned long long)at, rd.len);
	ok = image_put(l, at, rd.data, rd.len, l->cfg->initrd);
	blob_free(&rd);
	return ok;
}

/* The zero page: the kernel's own setup header between 0x1f1 and its end. */
static void copy_header(const struct blob *k, uint8_t *p)
{
	size_t end = O_MAGIC + k->data[O_JUMP + 1];

	end = end > O_E820 ? O_E820 : end;
	end = end > k->len ? k->len : end;
	if (end > O_SETUP_SECTS)
		memcpy(p + O_SETUP_SECTS, k->data + O_SETUP_SECTS, end - O_SETUP_SECTS);
	p[O_LOADER] = LOADER_UNDEFINED;
	p[O_LOADFLAGS] |= CAN_USE_HEAP;
	put(p + O_HEAP_END, 0xfe00, 2);
	put(p + O_RAMDISK, 0, 4);
	put(p + O_RAMDISK_SIZE, 0, 4);
}

static bool is_64(const struct blob *k)
{
	return get(k->data + O_VERSION, 2) >= 0x20c && (get(k->data + O_XLOADFLAGS, 2) & XLF_KERNEL_64);
}

static bool check(struct loader *l, const struct blob *k)
{
	const char *name = l->cfg->kernel;
	unsigned version = (unsigned)get(k->data + O_VERSION, 2);

	if (version < 0x206)
		return image_fail(l, "%s: boot protocol %u.%02u is too old (2.06 or later)", name,
				  version >> 8, version & 255);
	if (!setup_len(k))
		return image_fail(l, "%s: truncated: %zu bytes, setup code alone is %u", name, k->len,
				  (k->data[O_SETUP_SECTS] + 1u) * SECTOR);
	if (!(k->data[O_LOADFLAGS] & LOADED_HIGH))
		return image_fail(l, "%s: a zImage, which loads low, is not supported", name);
	l->bits = is_64(k) ? 64 : 32;
	if (is_64(k) && !l->lm)
		return image_needs_64(l);
	if (!get(k->data + O_CODE32, 4))
		return image_fail(l,
				  "%s: has a real-mode entry only (as iPXE's .lkrn has): use a boot loader, "
				  "with --cdrom or --disk",
				  name);
	return true;
}

/* Everything but the processor's state. */
static bool load(struct loader *l, const struct blob *k)
{
	uint8_t params[PARAMS_LEN] = { 0 };
	uint64_t setup, size, end;

	if (!check(l, k))
		return false;
	setup = setup_len(k);
	size = k->len - setup;
	end = kernel_end(k, size);
	if (end > l->memory)
		return image_fail(l, "%s: needs memory up to %#llx, the guest has %llu KiB", l->cfg->kernel,
				  (unsigned long long)end, (unsigned long long)l->memory >> 10);
	copy_header(k, params);
	if (!put_screen(l, params))
		return false;
	put_memory(l, params);
	put(params + O_RSDP, ACPI_AT, 8);
	if (!put_cmdline(l, k, params) || !put_initrd(l, k, end, params) ||
	    !image_put(l, KERNEL_AT, k->data + setup, size, l->cfg->kernel) ||
	    !image_put(l, PARAMS_AT, params, sizeof(params), "boot parameters"))
		return false;
	LOG(image, "Linux boot protocol %u.%02u, %llu bytes at 1 MiB", k->data[O_VERSION + 1],
	    k->data[O_VERSION], (unsigned long long)size);
	return true;
}

bool linux_load(struct loader *l, const struct blob *k)
{
	if (!load(l, k) || !image_enter_flat(l, (uint32_t)get(k->data + O_CODE32, 4), STACK))
		return false;
	l->cpu->gpr[R_ESI] = PARAMS_AT;
	return true;
}

bool linux_load_64(struct loader *l, const struct blob *k)
{
	if (!load(l, k))
		return false;
	if (!is_64(k))
		return image_fail(l, "%s: has no 64-bit entry", l->cfg->kernel);
	if (!image_enter_64(l, KERNEL_AT + ENTRY_64_OFFSET, STACK))
		return false;
	l->cpu->gpr[R_ESI] = PARAMS_AT;
	return true;
}
