/* SPDX-License-Identifier: GPL-3.0-or-later
 * A BIOS: ROM below 4 GiB, entered at the reset vector. Its last 128 KiB are also below 1 MiB, where the
 * host bridge makes them RAM when firmware demands it (dev/i440fx.c). The video BIOS reaches it through
 * fw_cfg. */
#include "hv/boot/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { BIOS_MAX = 16 << 20, BIOS_UNIT = 0x1000, SHADOW_MAX = 0x20000 };

static const char *const bios_paths[] = { "/usr/share/seabios/bios.bin", "/usr/share/qemu/bios.bin" };
static const char *const vga_paths[] = {
	"/usr/share/seabios/vgabios-stdvga.bin",
	"/usr/share/seabios/vgabios-isavga.bin",
	"/usr/share/vgabios/vgabios.bin",
};

static const char *first_readable(const char *const *paths, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!access(paths[i], R_OK))
			return paths[i];
	return NULL;
}

bool bios_open(struct loader *l)
{
	const char *path = l->cfg->bios ? l->cfg->bios : first_readable(bios_paths, ARRAY_LEN(bios_paths));
	const char *vga = first_readable(vga_paths, ARRAY_LEN(vga_paths));

	if (!path)
		return image_fail(l, "no BIOS found (package seabios; looked for %s)", bios_paths[0]);
	if (!image_read_file(l, path, BIOS_MAX, &l->bios))
		return false;
	if (l->bios.len % BIOS_UNIT)
		return image_fail(l, "%s: %zu bytes is not a BIOS size: must be a multiple of 4096", path,
				  l->bios.len);
	if (vga && !image_read_file(l, vga, 1 << 18, &l->vgabios))
		return false;
	if (!vga)
		LOG(image, "no video BIOS found (package seabios or vgabios): INT 10h will print nothing");
	return true;
}

bool bios_load(struct loader *l)
{
	uint64_t n = l->bios.len, shadow = n < SHADOW_MAX ? n : SHADOW_MAX;

	if (!mm_phys_write(l->vm, 0x100000000ull - n, l->bios.data, n))
		return image_fail(l, "the BIOS does not fit into machine memory below 4 GiB");
	return image_put(l, 0x100000 - shadow, l->bios.data + (n - shadow), shadow, "BIOS");
}
