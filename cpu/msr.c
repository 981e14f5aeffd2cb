/* SPDX-License-Identifier: GPL-3.0-or-later
 * Model-specific registers, CPUID and XCR0. MSRs that are architectural CPU state are rows of a table here;
 * the platform implements all others, and an MSR that neither implements raises #GP(0) (SDM vol. 4). */
#include "cpu/cpu_int.h"

/* A range of MSRs. wr is NULL for a read-only one. Both return false for #GP(0). */
struct msr_row {
	uint32_t first, last;
	bool still; /* CPU state that only WRMSR changes */
	bool (*rd)(struct vcpu *v, uint32_t msr, uint64_t *val);
	bool (*wr)(struct vcpu *v, uint32_t msr, uint64_t val);
};

static bool plat_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	return v->plat.rdmsr && v->plat.rdmsr(v->plat.ctx, msr, val);
}

static bool plat_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	return v->plat.wrmsr && v->plat.wrmsr(v->plat.ctx, msr, val);
}

static bool tsc_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->plat.tsc(v->plat.ctx);
	return true;
}

static bool tsc_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->cpu.tsc_offset += val - v->plat.tsc(v->plat.ctx);
	return true;
}

#define APIC_BSP 0x100u
#define APIC_ENABLE 0x800u
#define APIC_ADDR 0xffffff000ull

static bool apic_base_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.apic_base;
	return true;
}

static bool apic_base_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (val & ~(APIC_ADDR | APIC_ENABLE | APIC_BSP))
		return false;
	v->cpu.apic_base = val;
	return true;
}

static uint64_t *sysenter_reg(struct cpu *c, uint32_t msr)
{
	return msr == 0x174 ? &c->sysenter_cs : msr == 0x175 ? &c->sysenter_esp : &c->sysenter_eip;
}

static bool sysenter_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = *sysenter_reg(&v->cpu, msr);
	return true;
}

static bool sysenter_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	*sysenter_reg(&v->cpu, msr) = val;
	return true;
}

static bool misc_enable_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.misc_enable;
	return true;
}

static bool misc_enable_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	v->cpu.misc_enable = val;
	return true;
}

/* Memory types, bit = encoding (SDM vol. 3A tables 11-8 and 11-10). */
#define MTRR_TYPES 0x73u
#define PAT_TYPES 0xf3u

static bool pat_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.pat;
	return true;
}

static bool pat_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = val >> i & 0xff;

		if (type > 7 || !(PAT_TYPES >> type & 1))
			return false;
	}
	v->cpu.pat = val;
	return true;
}

/* No variable and no fixed ranges unless the platform implements them: the host manages caching. Guests read
 * the counts here before they access a range. */
#define MTRRCAP_WC 0x400u

static bool mtrrcap_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!plat_rd(v, msr, val))
		*val = MTRRCAP_WC;
	return true;
}

static bool mtrr_range_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!plat_rd(v, msr, val))
		*val = 0;
	return true;
}

static bool mtrr_range_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	plat_wr(v, msr, val); /* no effect if the platform has no such MSR */
	return true;
}

#define MTRR_DEF_BITS 0xcffu /* E, FE, type */

static bool mtrr_def_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.mtrr_def;
	return true;
}

static bool mtrr_def_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if ((val & ~(uint64_t)MTRR_DEF_BITS) || (val & 0xff) > 7 || !(MTRR_TYPES >> (val & 0xff) & 1))
		return false;
	v->cpu.mtrr_def = val;
	return true;
}

/* Microcode revision: 0 unless the platform's processor model provides one. */
static bool bios_sign_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	if (!plat_rd(v, msr, val))
		*val = 0;
	return true;
}

static bool bios_sign_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	plat_wr(v, msr, val);
	return true;
}

static uint32_t cpuid_reg(struct vcpu *v, uint32_t leaf, unsigned reg)
{
	uint32_t out[4];

	v->plat.cpuid(v->plat.ctx, &v->cpu, leaf, 0, out);
	return out[reg];
}

/* EFER bits and the CPUID 80000001 EDX bit that allows each. No LME: the engine has no long mode. */
static const struct {
	uint32_t bit;
	uint8_t feature;
} efer_rows[] = {
	{ EFER_SCE, 11 },
	{ EFER_NXE, 20 },
};

static bool efer_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.efer;
	return true;
}

static bool efer_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct cpu *c = &v->cpu;
	uint32_t features = cpuid_reg(v, 0x80000001, 3);
	uint64_t allowed = 0, changed;

	(void)msr;
	for (unsigned i = 0; i < ARRAY_LEN(efer_rows); i++)
		if (features >> efer_rows[i].feature & 1)
			allowed |= efer_rows[i].bit;
	if (val & ~allowed)
		return false;
	changed = c->efer ^ val;
	c->efer = val;
	if (changed & EFER_NXE)
		mmu_flush(v->mmu, true);
	return true;
}

static bool tsc_aux_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	(void)msr;
	*val = v->cpu.tsc_aux;
	return true;
}

static bool tsc_aux_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	(void)msr;
	if (val >> 32)
		return false;
	v->cpu.tsc_aux = val;
	return true;
}

static const struct msr_row msr_rows[] = {
	{ 0x010, 0x010, false, tsc_rd, tsc_wr },
	{ 0x01b, 0x01b, true, apic_base_rd, apic_base_wr },
	{ 0x08b, 0x08b, false, bios_sign_rd, bios_sign_wr },
	{ 0x0fe, 0x0fe, false, mtrrcap_rd, NULL },
	{ 0x174, 0x176, true, sysenter_rd, sysenter_wr },
	{ 0x1a0, 0x1a0, true, misc_enable_rd, misc_enable_wr },
	{ 0x200, 0x20f, false, mtrr_range_rd, mtrr_range_wr },
	{ 0x250, 0x250, false, mtrr_range_rd, mtrr_range_wr },
	{ 0x258, 0x259, false, mtrr_range_rd, mtrr_range_wr },
	{ 0x268, 0x26f, false, mtrr_range_rd, mtrr_range_wr },
	{ 0x277, 0x277, true, pat_rd, pat_wr },
	{ 0x2ff, 0x2ff, true, mtrr_def_rd, mtrr_def_wr },
	{ 0xc0000080, 0xc0000080, true, efer_rd, efer_wr },
	{ 0xc0000103, 0xc0000103, true, tsc_aux_rd, tsc_aux_wr },
};

static const struct msr_row *msr_find(uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++)
		if (msr >= msr_rows[i].first && msr <= msr_rows[i].last)
			return &msr_rows[i];
	return NULL;
}

bool cpu_msr_is_still(uint32_t msr)
{
	const struct msr_row *r = msr_find(msr);

	return r && r->still;
}

int cpu_rdmsr(struct vcpu *v, uint32_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t msr = (uint32_t)c->gpr[R_ECX];
	const struct msr_row *r = msr_find(msr);
	uint64_t val;

	if (need_cpl0(c))
		return -1;
	if (!(r ? r->rd(v, msr, &val) : plat_rd(v, msr, &val)))
		return cpu_raise_err(c, EXC_GP, 0);
	c->gpr[R_EAX] = (uint32_t)val;
	c->gpr[R_EDX] = val >> 32;
	c->rip = next;
	return 0;
}

int cpu_wrmsr(struct vcpu *v, uint32_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t msr = (uint32_t)c->gpr[R_ECX];
	uint64_t val = (uint32_t)c->gpr[R_EAX] | c->gpr[R_EDX] << 32;
	const struct msr_row *r = msr_find(msr);

	if (need_cpl0(c))
		return -1;
	if (!(r ? r->wr && r->wr(v, msr, val) : plat_wr(v, msr, val)))
		return cpu_raise_err(c, EXC_GP, 0);
	c->rip = next;
	return 0;
}

int cpu_cpuid(struct vcpu *v, uint32_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t out[4];

	v->plat.cpuid(v->plat.ctx, c, (uint32_t)c->gpr[R_EAX], (uint32_t)c->gpr[R_ECX], out);
	c->gpr[R_EAX] = out[0];
	c->gpr[R_EBX] = out[1];
	c->gpr[R_ECX] = out[2];
	c->gpr[R_EDX] = out[3];
	c->rip = next;
	return 0;
}

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u

int cpu_xsetbv(struct vcpu *v, uint32_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t val = (uint32_t)c->gpr[R_EAX] | c->gpr[R_EDX] << 32;
	uint32_t allowed = XCR0_X87 | XCR0_SSE | XCR0_AVX;

	if (!(c->cr4 & CR4_OSXSAVE))
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	allowed &= cpuid_reg(v, 0xd, 0);
	if ((uint32_t)c->gpr[R_ECX] || (val & ~(uint64_t)allowed) || !(val & XCR0_X87) ||
	    ((val & XCR0_AVX) && !(val & XCR0_SSE)))
		return cpu_raise_err(c, EXC_GP, 0);
	c->xcr0 = val;
	c->rip = next;
	return 0;
}
