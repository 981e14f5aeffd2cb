/* SPDX-License-Identifier: GPL-3.0-or-later
 * The extended page tables of the guest: memory and ROM at their own addresses, in pages of 2 MiB where they
 * fill these, and nothing where devices are (SDM vol. 3C 29.3). */
#include "vmm/vmm_int.h"

#include "vtx/ept.h"
#include "x86/paging.h"

#define LARGE_SHIFT 21
#define LARGE_PAGES (1u << (LARGE_SHIFT - PAGE_SHIFT))
#define DIRECTORIES (1u << (MAXPHYADDR - DIRECTORY_SHIFT)) /* of 1 GiB each */
#define DIRECTORY_SHIFT 30
#define ALWAYS 4u /* with ROM and our own memory in pages of 4 KiB */
#define WRITE_BACK (6u << 3)
#define EPTP_4_LEVELS (3u << 3)
#define EPTP_WRITE_BACK 6u

/* The entry for the page of A, of 2 MiB (LARGE) or 4 KiB; 0: none. */
static uint64_t leaf(const struct vmm *m, gpa a, bool large)
{
	uint64_t size = large ? 1ull << LARGE_SHIFT : PAGE_SIZE;

	if (vmm_owns(a))
		return large ? 0 : m->ones | EPT_R | WRITE_BACK;
	if (!mm_is_ram(m->vm, a, size))
		return 0;
	return a | EPT_R | EPT_W | EPT_X | WRITE_BACK | (large ? EPT_LEAF : 0);
}

/* Not while somebody wants to stop at exits: then there is one before the access. */
bool vmm_device(void *ctx, gpa a)
{
	const struct vmm *m = ctx;

	return !m->watched && !vmm_owns(a) && !mm_is_ram(m->vm, a, 1);
}

/* Is any page of the 2 MiB at A mapped by itself? */
static bool mixed(const struct vmm *m, gpa a)
{
	for (unsigned i = 0; i < LARGE_PAGES; i++)
		if (leaf(m, a + ((gpa)i << PAGE_SHIFT), false))
			return true;
	return false;
}

static bool fill_directory(struct vmm *m, gpa directory, gpa from)
{
	for (unsigned i = 0; i < 512; i++) {
		gpa a = from + ((gpa)i << LARGE_SHIFT), table;
		uint64_t e = leaf(m, a, true);

		if (!e && mixed(m, a)) {
			table = vmm_page(m);
			if (!table)
				return false;
			for (unsigned k = 0; k < LARGE_PAGES; k++)
				vmm_store64(m, table + k * 8, leaf(m, a + ((gpa)k << PAGE_SHIFT), false));
			e = table | EPT_R | EPT_W | EPT_X;
		}
		vmm_store64(m, directory + i * 8, e);
	}
	return true;
}

/* Is there memory in the GiB at A? */
static bool occupied(const struct vmm *m, gpa a)
{
	for (unsigned i = 0; i < 512; i++)
		if (mm_is_ram(m->vm, a + ((gpa)i << LARGE_SHIFT), PAGE_SIZE))
			return true;
	return false;
}

bool vmm_ept_init(struct vmm *m)
{
	gpa root = vmm_page(m), pointers = vmm_page(m), directory;

	if (!root || !pointers)
		return false;
	vmm_store64(m, root, pointers | EPT_R | EPT_W | EPT_X);
	for (unsigned i = 0; i < DIRECTORIES; i++) {
		if (i >= ALWAYS && !occupied(m, (gpa)i << DIRECTORY_SHIFT))
			continue;
		directory = vmm_page(m);
		if (!directory || !fill_directory(m, directory, (gpa)i << DIRECTORY_SHIFT))
			return false;
		vmm_store64(m, pointers + i * 8, directory | EPT_R | EPT_W | EPT_X);
	}
	m->ept = root | EPTP_4_LEVELS | EPTP_WRITE_BACK;
	return true;
}
