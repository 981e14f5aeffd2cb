/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the loaders of kernels share: placing memory, texts and modules. */
#include "hv/boot/kernel.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROM_AREA 0xff000000u

const char *kernel_word(const struct loader *l)
{
	if (l->cfg->kernel)
		return l->cfg->kernel;
	return l->cfg->blob_name ? l->cfg->blob_name : "embedded";
}

bool kernel_put(struct loader *l, uint64_t at, const uint8_t *data, uint64_t len, uint64_t size)
{
	static const uint8_t zero[PAGE_SIZE];

	if (at < BOOT_INFO_END && size > 0 && (size > BOOT_INFO_END || at + size > BOOT_INFO))
		return image_fail(l, "%s: segment at %#llx overlaps the boot information at %#x",
				  image_name(l), (unsigned long long)at, BOOT_INFO);
	if (size > l->memory || at > l->memory - size)
		return image_fail(l,
				  "%s: segment of %llu bytes at %#llx does not fit into %llu KiB of memory",
				  image_name(l), (unsigned long long)size, (unsigned long long)at,
				  (unsigned long long)l->memory >> 10);
	if (len && !image_put(l, at, data, len, image_name(l)))
		return false;
	for (uint64_t n; len < size; len += n) {
		n = size - len < PAGE_SIZE ? size - len : PAGE_SIZE;
		if (!image_put(l, at + len, zero, n, image_name(l)))
			return false;
	}
	return true;
}

bool kernel_put_text(struct loader *l)
{
	const char *text = l->cfg->append ? l->cfg->append : "";
	char line[BOOT_TEXT_MAX];
	int n = snprintf(line, sizeof(line), "%s%s%s", kernel_word(l), *text ? " " : "", text);
	size_t len = (size_t)n + 1;

	if (n < 0 || len > sizeof(line))
		return image_fail(l, "command line of %d bytes, file name included: at most %u", n,
				  BOOT_TEXT_MAX - 1);
	return image_put(l, BOOT_TEXT, line, len, "command line");
}

bool kernel_entry32(struct loader *l, uint64_t entry, uint32_t *out)
{
	*out = (uint32_t)entry;
	return entry >> 32
		   ? image_fail(l, "%s: entry %#llx is above 4 GiB", image_name(l), (unsigned long long)entry)
		   : true;
}

bool kernel_load_flat(struct loader *l, const struct blob *k, uint64_t at, const struct load_addresses *a,
		      uint64_t *end)
{
	uint64_t start, len, size;
	const char *what = a->load >= ROM_AREA ? image_identify(k) : NULL;

	if (what) /* U-Boot's ROM has a Multiboot header */
		return image_fail(l, "%s: this is %s", image_name(l), what);
	if (a->load > a->header || a->header - a->load > at)
		return image_fail(l, "%s: Multiboot header at %#llx has impossible load addresses",
				  image_name(l), (unsigned long long)at);
	start = at - (a->header - a->load);
	len = k->len - start;
	if (a->load_end) {
		if (a->load_end < a->load || a->load_end - a->load > len)
			return image_fail(l, "%s: truncated: Multiboot header needs bytes up to %#x",
					  image_name(l), a->load_end);
		len = a->load_end - a->load;
	}
	size = a->bss_end > a->load + len ? a->bss_end - a->load : len;
	*end = a->load + size;
	return kernel_put(l, a->load, k->data + start, len, size);
}

/* ---- modules ---- */

/* Load the file named by TEXT (LEN bytes) up to the first space, or by all of it if WHOLE. */
static bool put_module(struct loader *l, struct kernel_modules *m, const char *text, size_t len, bool whole)
{
	char line[BOOT_TEXT_MAX] = "", file[BOOT_TEXT_MAX];
	struct blob b;
	bool ok;

	if (m->n == MODULES_MAX || m->text_at + len + 1 > BOOT_INFO_END || len >= sizeof(line))
		return image_fail(l, "modules: at most %u, with %u bytes of text", MODULES_MAX,
				  BOOT_INFO_END - BOOT_MODULE_TEXT);
	memcpy(line, text, len);
	memcpy(file, line, sizeof(file));
	if (!whole)
		file[strcspn(file, " ")] = 0;
	if (!image_read_file(l, file, 1ull << 32, &b))
		return false;
	m->mod[m->n++] = (struct kernel_module){ m->at, m->at + b.len, m->text_at };
	ok = image_put(l, m->at, b.data, b.len, file) &&
	     image_put(l, m->text_at, line, len + 1, "module's text");
	m->at = (m->at + b.len + PAGE_MASK) & ~(uint64_t)PAGE_MASK;
	m->text_at += (uint32_t)len + 1;
	blob_free(&b);
	return ok;
}

bool modules_load(struct loader *l, uint64_t kernel_end, struct kernel_modules *m)
{
	const char *list = l->cfg->initrd;
	bool whole = list && !access(list, F_OK);

	*m = (struct kernel_modules){
		.at = kernel_end < 0x100000 ? 0x100000 : (kernel_end + PAGE_MASK) & ~(uint64_t)PAGE_MASK,
		.text_at = BOOT_MODULE_TEXT,
	};
	for (size_t len; list && *list; list += len + (list[len] == ',')) {
		len = whole ? strlen(list) : strcspn(list, ",");
		if (!put_module(l, m, list, len, whole))
			return false;
	}
	return true;
}
