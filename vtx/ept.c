/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/ept.h. */
#include "vtx/ept.h"
#include "base/gpr.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])

#define ENTRY_ADDRESS 0x000ffffffffff000ull
enum { LEVEL_PML4, LEVEL_PDPT, LEVEL_PD, LEVEL_PT, PML_ENTRIES = 512 };

static unsigned level_shift(unsigned level)
{
	return 39 - 9 * level;
}

static bool mode_based(const struct vmx *x)
{
	return VMX_ON(&x->vmcs.r, PROC2_MODE_BASED_EXECUTE);
}

static uint64_t right_bits(const struct vmx *x)
{
	return EPT_R | EPT_W | EPT_X | (mode_based(x) ? EPT_XU : 0);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == LEVEL_PT || (level != LEVEL_PML4 && entry & EPT_LEAF);
}

static bool leaf_supported(const struct vmx *x, unsigned level)
{
	return level == LEVEL_PT ||
	       vmx_capable(&x->caps, level == LEVEL_PD ? VMX_CAP_EPT_2M : VMX_CAP_EPT_1G);
}

/* Bits of a present ENTRY that have to be 0 (tables 29-1 to 29-6). */
static uint64_t reserved_bits(const struct vmx *x, uint64_t entry, unsigned level)
{
	uint64_t reserved = ENTRY_ADDRESS & ~((1ull << x->caps.model.address) - 1);

	if (level == LEVEL_PML4)
		return reserved | EPT_TYPE | EPT_IGNORE_PAT | EPT_LEAF;
	if (!is_leaf(entry, level))
		return reserved | EPT_TYPE | EPT_IGNORE_PAT;
	if (!leaf_supported(x, level))
		return reserved | EPT_LEAF;
	return reserved | (ENTRY_ADDRESS & ((1ull << level_shift(level)) - 1));
}

static bool type_ok(uint64_t entry)
{
	unsigned type = (entry & EPT_TYPE) >> 3;

	return type != 2 && type != 3 && type != 7;
}

/* 29.3.3.1, of an entry that is present. */
static bool misconfigured(const struct vmx *x, uint64_t entry, unsigned level, uint64_t rights)
{
	bool executable = entry & rights & (EPT_X | EPT_XU);

	if (!(entry & EPT_R) &&
	    (entry & EPT_W || (executable && !vmx_capable(&x->caps, VMX_CAP_EPT_EXECUTE_ONLY))))
		return true;
	return entry & reserved_bits(x, entry, level) || (is_leaf(entry, level) && !type_ok(entry));
}

/* With accessed and dirty flags, accesses of guest paging structures count as writes (29.3.5). */
static unsigned effective_access(const struct vmx *x, unsigned access)
{
	return access & VMX_EPT_TABLE && F(EPT_POINTER) & EPTP_ACCESSED_DIRTY ? access | VMX_EPT_WRITE
									      : access;
}

static uint64_t needed_rights(const struct vmx *x, unsigned access)
{
	uint64_t need = access & (VMX_EPT_READ | VMX_EPT_WRITE);

	if (access & VMX_EPT_FETCH)
		need |= access & VMX_EPT_USER && mode_based(x) ? EPT_XU : EPT_X;
	return need;
}

static enum vmx_ept_result violation(const struct vmx *x, unsigned access, struct vmx_ept_walk *w)
{
	w->qualification = (access & 7) | (w->rights & (EPT_R | EPT_W | EPT_X)) << 3;
	if (mode_based(x) && w->rights & EPT_XU)
		w->qualification |= 1 << 6;
	if (access & VMX_EPT_LINEAR)
		w->qualification |= 1 << 7 | (access & VMX_EPT_TABLE ? 0 : 1 << 8);
	return VMX_EPT_VIOLATION;
}

enum vmx_ept_result vmx_ept_look(const struct vmx *x, gpa address, unsigned access, struct vmx_ept_walk *w)
{
	gpa table = F(EPT_POINTER) & ENTRY_ADDRESS;
	unsigned level = LEVEL_PML4;
	const uint64_t rights = right_bits(x);
	uint64_t entry;

	gpr_zero(w, sizeof(*w));
	access = effective_access(x, access);
	w->rights = rights;
	/* Bits that four levels do not translate: no entry maps them. */
	if (address >> 48) {
		w->rights = 0;
		return violation(x, access, w);
	}
	for (;; level++) {
		w->at[level] = table + 8 * (address >> level_shift(level) & 511);
		x->mem.read(x->mem.ctx, w->at[level], &entry, sizeof(entry));
		w->entry[level] = entry;
		w->levels = level + 1;
		if (entry & rights && misconfigured(x, entry, level, rights))
			return VMX_EPT_MISCONFIGURATION;
		w->rights &= entry;
		if (!(entry & rights) || is_leaf(entry, level))
			break;
		table = entry & ENTRY_ADDRESS;
	}
	if (needed_rights(x, access) & ~w->rights || !(entry & rights))
		return violation(x, access, w);
	w->size = 1ull << level_shift(level);
	w->result = (entry & ENTRY_ADDRESS & ~(w->size - 1)) | (address & (w->size - 1));
	w->type = (entry & EPT_TYPE) >> 3;
	return VMX_EPT_OK;
}

/* Log ADDRESS (29.3.6). False: there is no room. */
static bool log_page(struct vmx *x, gpa address)
{
	uint64_t page = address & ~(uint64_t)PAGE_MASK;

	if (F(PML_INDEX) >= PML_ENTRIES)
		return false;
	x->mem.write(x->mem.ctx, F(PML_ADDRESS) + 8 * F(PML_INDEX), &page, sizeof(page));
	F(PML_INDEX) = (F(PML_INDEX) - 1) & 0xffff;
	return true;
}

static void set_flags(struct vmx *x, struct vmx_ept_walk *w, unsigned level, uint64_t flags)
{
	if ((w->entry[level] & flags) == flags)
		return;
	w->entry[level] |= flags;
	x->mem.write(x->mem.ctx, w->at[level], &w->entry[level], 8);
}

enum vmx_ept_result vmx_ept_access(struct vmx *x, gpa address, unsigned access, struct vmx_ept_walk *w)
{
	enum vmx_ept_result r = vmx_ept_look(x, address, access, w);
	unsigned leaf = w->levels - 1;
	bool writes = effective_access(x, access) & VMX_EPT_WRITE;

	if (r != VMX_EPT_OK || !(F(EPT_POINTER) & EPTP_ACCESSED_DIRTY))
		return r;
	if (writes && !(w->entry[leaf] & EPT_D) && VMX_ON(&x->vmcs.r, PROC2_PML) && !log_page(x, address))
		return VMX_EPT_LOG_FULL;
	for (unsigned level = 0; level < leaf; level++)
		set_flags(x, w, level, EPT_A);
	set_flags(x, w, leaf, EPT_A | (writes ? EPT_D : 0));
	return VMX_EPT_OK;
}
