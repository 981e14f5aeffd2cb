/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/msr.h. Memory types have no effect on a guest whose memory is the host's, so MTRRs are plain
 * storage; so are the chicken bits that kernels set by processor family (SDM vol. 4; AMD PPR, MSR
 * tables). GPR-only code (base/gpr.h). */
#include "hv/msr.h"

#include "base/gpr.h"
#include "base/log.h"

enum msr_kind { MSR_STORE, MSR_CONST /* writes ignored */ };

/* A run of registers. */
struct msr_row {
	uint32_t first, last;
	enum msr_kind kind;
	uint64_t init;
	const char *name;
};

static const struct msr_row rows[] = {
	{ 0x17, 0x17, MSR_CONST, 0, "platform id" },
	{ 0x2a, 0x2a, MSR_CONST, 0, "power-on configuration" },
	{ 0x34, 0x34, MSR_CONST, 0, "SMI count" },
	{ 0x79, 0x79, MSR_CONST, 0, "microcode update" },
	{ 0x8b, 0x8b, MSR_CONST, 0, "microcode revision" },
	{ 0xcd, 0xcd, MSR_CONST, 0, "bus frequency" },
	{ 0xfe, 0xfe, MSR_CONST, 0x508, "MTRR capabilities: 8 variable, fixed, WC" },
	{ 0x119, 0x119, MSR_CONST, 0, "BBL_CR_CTL" },
	{ 0x1d9, 0x1d9, MSR_STORE, 0, "debug control" },
	{ 0x200, 0x20f, MSR_STORE, 0, "variable MTRRs" },
	{ 0x250, 0x250, MSR_STORE, 0, "fixed MTRR 64K" },
	{ 0x258, 0x259, MSR_STORE, 0, "fixed MTRRs 16K" },
	{ 0x268, 0x26f, MSR_STORE, 0, "fixed MTRRs 4K" },
	{ 0x2ff, 0x2ff, MSR_STORE, 0, "MTRR default type" },
	{ 0xc0010010, 0xc0010010, MSR_STORE, 0, "SYSCFG" },
	{ 0xc0010015, 0xc0010015, MSR_STORE, 0, "HWCR" },
	{ 0xc001001a, 0xc001001a, MSR_STORE, 0, "TOP_MEM" },
	{ 0xc001001f, 0xc001001f, MSR_STORE, 0, "NB_CFG" },
	{ 0xc0010055, 0xc0010055, MSR_STORE, 0, "interrupt pending" },
	{ 0xc0010058, 0xc0010058, MSR_STORE, 0, "MMIO configuration base" },
	{ 0xc0010111, 0xc0010113, MSR_STORE, 0, "SMM base, address, mask" },
	{ 0xc0010114, 0xc0010114, MSR_STORE, 0x10, "VM_CR: SVM off" },
	{ 0xc0010140, 0xc0010141, MSR_CONST, 0, "OS-visible workarounds" },
	{ 0xc0011004, 0xc0011005, MSR_STORE, 0, "CPUID overrides" },
	{ 0xc0011020, 0xc001102f, MSR_STORE, 0, "LS/IC/DC/FP/DE/CU configuration" },
	{ 0xc00110a2, 0xc00110a2, MSR_STORE, 0, "CU_CFG3" },
};

/* The row of MSR and its place in the bank. */
static const struct msr_row *find(uint32_t msr, unsigned *slot)
{
	unsigned at = 0;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if (msr >= rows[i].first && msr <= rows[i].last) {
			*slot = at + (msr - rows[i].first);
			return *slot < MSR_SLOTS ? &rows[i] : NULL;
		}
		at += rows[i].last - rows[i].first + 1;
	}
	return NULL;
}

void msr_reset(struct msr_bank *b)
{
	unsigned at = 0;

	gpr_zero(b, sizeof(*b));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (uint32_t m = rows[i].first; m <= rows[i].last && at < MSR_SLOTS; m++)
			b->val[at++] = rows[i].init;
}

bool msr_read(const struct msr_bank *b, uint32_t msr, uint64_t *val)
{
	unsigned slot;

	if (!find(msr, &slot)) {
		LOG(io, "rdmsr %#x: no such register", msr);
		return false;
	}
	*val = b->val[slot];
	return true;
}

bool msr_write(struct msr_bank *b, uint32_t msr, uint64_t val)
{
	unsigned slot;
	const struct msr_row *r = find(msr, &slot);

	if (!r) {
		LOG(io, "wrmsr %#x, %#llx: no such register", msr, (unsigned long long)val);
		return false;
	}
	if (r->kind == MSR_STORE)
		b->val[slot] = val;
	return true;
}
