/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/msr.h. Memory types have no effect on a guest whose memory is the host's, so MTRRs are plain
 * storage; so are the chicken bits that kernels set by processor family (SDM vol. 4; AMD PPR, MSR
 * tables). GPR-only code (base/gpr.h). */
#include "hv/msr.h"

#include "base/gpr.h"
#include "base/log.h"

enum msr_kind { MSR_KIND_STORE, MSR_KIND_CONST /* writes ignored */ };

/* A run of registers. */
struct msr_row {
	uint32_t first, last;
	enum msr_kind kind;
	uint64_t init;
};

/* Those of the processor itself are in cpu/msr.c, those of the APIC in dev/lapic.c. */
#define ROW_CPU(...)
#define ROW_APIC(...)
#define ROW_STORE(first, last, init) { first, last, MSR_KIND_STORE, init },
#define ROW_CONST(first, last, init) { first, last, MSR_KIND_CONST, init },
static const struct msr_row rows[] = {
#define MSR(id, first, last, where, init, name) ROW_##where(first, last, init)
#include "x86/msrs.def"
#undef MSR
};

#define COUNT_CPU(first, last) 0
#define COUNT_APIC(first, last) 0
#define COUNT_STORE(first, last) (last) - (first) + 1
#define COUNT_CONST(first, last) (last) - (first) + 1
#define MSR(id, first, last, where, init, name) +COUNT_##where(first, last)
_Static_assert(0
#include "x86/msrs.def"
		   <= MSR_SLOTS,
	       "a slot for each");
#undef MSR

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
	if (r->kind == MSR_KIND_STORE)
		b->val[slot] = val;
	return true;
}
