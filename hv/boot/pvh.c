/* SPDX-License-Identifier: GPL-3.0-or-later
 * PVH (Xen's docs/misc/pvh.pandoc, start of day): an ELF image whose note names its entry, in 32-bit
 * protected mode without paging, EBX with the address of the information. */
#include "base/log.h"
#include "hv/boot/acpi.h"
#include "hv/boot/kernel.h"

enum {
	PVH_MAGIC = 0x336ec578,
	PVH_VERSION = 1, /* the first with a memory map */
	MAP_AT = BOOT_INFO + 0x100,
	MODULES_AT = BOOT_INFO + 0x300,
};

struct pvh_info {
	uint32_t magic, version, flags, nmodules;
	uint64_t modules, cmdline, rsdp, map;
	uint32_t nmap, reserved;
};
struct pvh_module {
	uint64_t at, size, cmdline, reserved;
};
struct pvh_memory {
	uint64_t at, size;
	uint32_t type, reserved;
};
_Static_assert(MODULES_AT + MODULES_MAX * sizeof(struct pvh_module) <= BOOT_TEXT, "modules fit");
_Static_assert(MAP_AT + E820_MAX * sizeof(struct pvh_memory) <= MODULES_AT, "the map fits");

static bool put_map(struct loader *l, struct pvh_info *info)
{
	struct memory_range map[E820_MAX];
	struct pvh_memory out[E820_MAX];

	info->nmap = image_memory_map(l->ram, map);
	info->map = MAP_AT;
	for (unsigned i = 0; i < info->nmap; i++)
		out[i] = (struct pvh_memory){ map[i].base, map[i].len, map[i].type, 0 };
	return image_put(l, MAP_AT, out, info->nmap * sizeof(out[0]), "memory map");
}

/* A module's text is what follows the file's name. */
static bool put_modules(struct loader *l, uint64_t end, struct pvh_info *info)
{
	struct kernel_modules m;
	struct pvh_module out[MODULES_MAX];

	if (!modules_load(l, end, &m))
		return false;
	for (unsigned i = 0; i < m.n; i++)
		out[i] =
		    (struct pvh_module){ m.mod[i].start, m.mod[i].end - m.mod[i].start, m.mod[i].text, 0 };
	info->nmodules = m.n;
	info->modules = m.n ? MODULES_AT : 0;
	return !m.n || image_put(l, MODULES_AT, out, m.n * sizeof(out[0]), "module list");
}

bool pvh_probe(const struct blob *k)
{
	return elf_probe_pvh(k);
}

bool pvh_load(struct loader *l, const struct blob *k)
{
	struct pvh_info info = {
		.magic = PVH_MAGIC, .version = PVH_VERSION, .cmdline = BOOT_TEXT, .rsdp = ACPI_AT
	};
	struct elf_image e;
	uint32_t entry;

	if (!elf_load(l, k, &e) || !kernel_entry32(l, e.pvh_entry, &entry) || !put_map(l, &info) ||
	    !kernel_put_text(l) || !put_modules(l, e.end, &info) ||
	    !image_put(l, BOOT_INFO, &info, sizeof(info), "boot information") ||
	    !image_enter_flat(l, entry, BOOT_STACK))
		return false;
	l->cpu->gpr[R_EBX] = BOOT_INFO;
	LOG(image, "PVH, entry %#x, end %#llx", entry, (unsigned long long)e.end);
	return true;
}
