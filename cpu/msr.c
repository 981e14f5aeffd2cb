/* SPDX-License-Identifier: GPL-3.0-or-later
 * Model-specific registers, CPUID and XCR0. MSRs that are architectural CPU state are rows of a table here;
 * the platform implements all others, and an MSR that neither implements raises #GP(0) (SDM vol. 4). */
#include "cpu/cpu_int.h"
#include "cpu/virt.h"
#include "x86/features.h"
#include "x86/model.h"
#include "x86/msrs.h"

/* An MSR, or a range of them, of x86/msrs.def. A plain one is a field of struct cpu, and VALID says which
 * values it takes (NULL: all). Others have functions; without WR they are read-only. False: #GP(0). */
struct msr_row {
	uint32_t first, last;
	uint32_t feature; /* of CPUID leaf 1 EDX, without which it does not exist; 0: none */
	bool amd;	  /* AMD's processors alone have it */
	bool lm;	  /* processors with IA-32e mode alone have it */
	bool lm_address;  /* a linear address, which IA-32e mode wants canonical */
	bool still;	  /* CPU state that only WRMSR changes */
	uint16_t field;
	bool (*valid)(uint64_t val);
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
	v->cpu.tsc_offset += val - v->plat.tsc(v->plat.ctx);
	plat_wr(v, msr, val); /* a deadline in TSC units may be nearer now */
	return true;
}

/* Memory types, bit = encoding (SDM vol. 3A tables 11-8 and 11-10). */
#define MTRR_TYPES 0x73u
#define PAT_TYPES 0xf3u

static bool pat_valid(uint64_t val)
{
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = val >> i & 0xff;

		if (type > 7 || !(PAT_TYPES >> type & 1))
			return false;
	}
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

static bool mtrr_def_valid(uint64_t val)
{
	return !(val & ~(uint64_t)MTRR_DEF_BITS) && (val & 0xff) <= 7 && (MTRR_TYPES >> (val & 0xff) & 1);
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

#define APIC_MODE (APIC_BASE_ENABLE | APIC_BASE_X2APIC)

/* Modes change as in SDM vol. 3A figure 11-27: into x2APIC mode from xAPIC mode alone, and out of it by
 * switching it off. */
static bool apic_base_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	uint64_t old = v->cpu.apic_base, known = APIC_BASE_ADDR | APIC_BASE_ENABLE | APIC_BASE_BSP;

	if (cpuid_reg(v, 1, CPUID_C) & CPUID_X2APIC)
		known |= APIC_BASE_X2APIC;
	if ((val & ~known) || (val & APIC_MODE) == APIC_BASE_X2APIC)
		return false;
	if ((val & APIC_BASE_X2APIC) && !(old & APIC_BASE_ENABLE))
		return false;
	if ((old & APIC_BASE_X2APIC) && (val & APIC_MODE) == APIC_BASE_ENABLE)
		return false;
	if (!plat_wr(v, msr, val))
		return false;
	v->cpu.apic_base = val;
	return true;
}

/* LMA follows CR0.PG, and writes to it are ignored; LME cannot change while there is paging (SDM vol. 3A
 * 9.8.5). */
static bool efer_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct cpu *c = &v->cpu;
	uint64_t changed;

	(void)msr;
	val &= ~(uint64_t)EFER_LMA;
	if (val & ~cpu_efer_allowed(&v->plat, c))
		return false;
	val |= c->efer & EFER_LMA;
	changed = c->efer ^ val;
	if ((changed & EFER_LME) && (c->cr0 & CR0_PG))
		return false;
	c->efer = val;
	if (changed & EFER_NXE)
		mmu_flush(v->mmu, true);
	return true;
}

/* ---- IA-32e mode: SYSCALL, bases of FS and GS ---- */

static bool low_valid(uint64_t val)
{
	return !(val >> 32);
}

static bool base_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	*val = v->cpu.seg[msr == MSR_FS_BASE ? SEG_FS : SEG_GS].base;
	return true;
}

static bool base_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	if (!cpu_canonical(val))
		return false;
	v->cpu.seg[msr == MSR_FS_BASE ? SEG_FS : SEG_GS].base = val;
	return true;
}

/* Software can only clear a bank's status. */
static bool mc_bank_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	return ((msr & 3) != 1 || !val) && plat_wr(v, msr, val);
}

bool cpu_is_amd(struct vcpu *v)
{
	return cpuid_reg(v, 0, CPUID_B) == CPUID_AMD_EBX;
}

/* SDM vol. 4 table 2-2: with CPUID leaf 7, EDX bit 29. */
static bool arch_capabilities_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	return cpuid_reg(v, CPUID_ARCH_CAPABILITIES_LEAF, CPUID_ARCH_CAPABILITIES_REG) &
		   CPUID_ARCH_CAPABILITIES &&
	       plat_rd(v, msr, val);
}

#define RANGE(id) .first = MSR_##id, .last = MSR_##id##_LAST
#define FIELD(name) .still = true, .field = offsetof(struct cpu, name)
static const struct msr_row msr_rows[] = {
	{ RANGE(TSC), .rd = tsc_rd, .wr = tsc_wr },
	{ RANGE(P5_MC), .feature = CPUID_MCE, .rd = plat_rd, .wr = plat_wr },
	{ RANGE(APIC_BASE), .feature = CPUID_MCA /* also since the P6 */, FIELD(apic_base), .rd = plat_rd,
	  .wr = apic_base_wr }, /* the platform knows whether there is an APIC */
	{ RANGE(BIOS_SIGN_ID), .rd = bios_sign_rd, .wr = bios_sign_wr },
	{ RANGE(MTRRCAP), .rd = mtrrcap_rd },
	{ RANGE(ARCH_CAPABILITIES), .rd = arch_capabilities_rd },
	{ RANGE(SYSENTER_CS), FIELD(sysenter_cs) },
	{ RANGE(SYSENTER_ESP), .lm_address = true, FIELD(sysenter_esp) },
	{ RANGE(SYSENTER_EIP), .lm_address = true, FIELD(sysenter_eip) },
	{ RANGE(MCG_CAP), .feature = CPUID_MCA, .rd = plat_rd },
	{ RANGE(MCG_STATUS), .feature = CPUID_MCA, .rd = plat_rd, .wr = plat_wr },
	{ RANGE(MISC_ENABLE), FIELD(misc_enable) },
	{ RANGE(MTRR_VARIABLE), .rd = mtrr_range_rd, .wr = mtrr_range_wr },
	{ RANGE(MTRR_FIX64K), .rd = mtrr_range_rd, .wr = mtrr_range_wr },
	{ RANGE(MTRR_FIX16K), .rd = mtrr_range_rd, .wr = mtrr_range_wr },
	{ RANGE(MTRR_FIX4K), .rd = mtrr_range_rd, .wr = mtrr_range_wr },
	{ RANGE(PAT), FIELD(pat), .valid = pat_valid },
	{ RANGE(MTRR_DEF_TYPE), FIELD(mtrr_def), .valid = mtrr_def_valid },
	{ RANGE(MC_BANKS), .feature = CPUID_MCA, .rd = plat_rd, .wr = mc_bank_wr },
	{ RANGE(EFER), FIELD(efer), .wr = efer_wr },
	{ RANGE(STAR), .lm = true, FIELD(star) },
	{ RANGE(LSTAR), .lm = true, FIELD(lstar), .valid = cpu_canonical },
	{ RANGE(CSTAR), .lm = true, FIELD(cstar), .valid = cpu_canonical },
	{ RANGE(FMASK), .lm = true, FIELD(fmask), .valid = low_valid },
	{ RANGE(FS_BASE), .lm = true, .rd = base_rd, .wr = base_wr },
	{ RANGE(GS_BASE), .lm = true, .rd = base_rd, .wr = base_wr },
	{ RANGE(KERNEL_GS_BASE), .lm = true, .field = offsetof(struct cpu, kernel_gs_base),
	  .valid = cpu_canonical }, /* SWAPGS changes it, too */
	{ RANGE(TSC_AUX), FIELD(tsc_aux), .valid = low_valid },
	{ RANGE(AMD_PERF_CTL), .amd = true, .rd = plat_rd, .wr = plat_wr },
	{ RANGE(AMD_PERF_CTR), .amd = true, .rd = plat_rd, .wr = plat_wr },
};
#undef RANGE
#undef FIELD

static uint64_t *msr_field(struct cpu *c, const struct msr_row *r)
{
	return (uint64_t *)(void *)((uint8_t *)c + r->field);
}

static bool has_lm(struct vcpu *v)
{
	return cpuid_reg(v, CPUID_LM_LEAF, CPUID_LM_REG) & CPUID_LM;
}

/* May R have the value? */
static bool msr_takes(struct vcpu *v, const struct msr_row *r, uint64_t val)
{
	if (r->lm_address && !cpu_canonical(val) && has_lm(v) && !cpu_is_amd(v))
		return false;
	return !r->valid || r->valid(val);
}

/* Does the processor model have it? */
static bool msr_exists(struct vcpu *v, const struct msr_row *r)
{
	if (r->feature && !(cpuid_reg(v, 1, CPUID_D) & r->feature))
		return false;
	if (r->lm && !has_lm(v))
		return false;
	return !r->amd || cpu_is_amd(v);
}

static bool msr_get(struct vcpu *v, const struct msr_row *r, uint32_t msr, uint64_t *val)
{
	if (!r)
		return plat_rd(v, msr, val);
	if (!msr_exists(v, r))
		return false;
	if (r->rd)
		return r->rd(v, msr, val);
	*val = *msr_field(&v->cpu, r);
	return true;
}

static bool msr_set(struct vcpu *v, const struct msr_row *r, uint32_t msr, uint64_t val)
{
	if (!r)
		return plat_wr(v, msr, val);
	if (!msr_exists(v, r))
		return false;
	if (r->wr)
		return r->wr(v, msr, val);
	if (!r->field || !msr_takes(v, r, val))
		return false;
	*msr_field(&v->cpu, r) = val;
	return true;
}

static const struct msr_row *msr_find(uint32_t msr)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++)
		if (msr >= msr_rows[i].first && msr <= msr_rows[i].last)
			return &msr_rows[i];
	return NULL;
}

bool cpu_msr_is_device(uint32_t msr)
{
	return (msr >= MSR_X2APIC && msr <= MSR_X2APIC_LAST) || msr == MSR_TSC_DEADLINE;
}

bool cpu_msr_is_still(uint32_t msr)
{
	const struct msr_row *r = msr_find(msr);

	return r && r->still;
}

/* The virtualization extension's answer: as virt_ops.rdmsr, 0 without one. */
static int virt_rd(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	return RARE(v->virt != NULL) ? v->virt->ops->rdmsr(v, msr, val) : 0;
}

static int virt_wr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	return RARE(v->virt != NULL) ? v->virt->ops->wrmsr(v, msr, val) : 0;
}

bool cpu_msr_get(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	int virt = virt_rd(v, msr, val);

	return virt ? virt > 0 : msr_get(v, msr_find(msr), msr, val);
}

bool cpu_msr_set(struct vcpu *v, uint32_t msr, uint64_t val)
{
	int virt = virt_wr(v, msr, val);

	return virt ? virt > 0 : msr_set(v, msr_find(msr), msr, val);
}

bool cpu_msr_valid(struct vcpu *v, uint32_t msr, uint64_t val)
{
	const struct msr_row *r = msr_find(msr);
	uint64_t now;

	if (!cpu_msr_get(v, msr, &now))
		return false;
	return !r || ((r->wr || r->field) && msr_takes(v, r, val));
}

int cpu_rdmsr(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t msr = (uint32_t)c->gpr[R_ECX];
	uint64_t val;

	if (need_cpl0(c))
		return -1;
	if (!cpu_msr_get(v, msr, &val))
		return cpu_raise_err(c, EXC_GP, 0);
	c->gpr[R_EAX] = (uint32_t)val;
	c->gpr[R_EDX] = val >> 32;
	c->rip = next;
	return 0;
}

int cpu_wrmsr(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t msr = (uint32_t)c->gpr[R_ECX];
	uint64_t val = (uint32_t)c->gpr[R_EAX] | c->gpr[R_EDX] << 32;

	if (need_cpl0(c))
		return -1;
	if (!cpu_msr_set(v, msr, val))
		return cpu_raise_err(c, EXC_GP, 0);
	c->rip = next;
	return 0;
}

/* AMD's four legacy counters; no other model has any (APM vol. 2 13.2). */
int cpu_rdpmc(struct vcpu *v)
{
	struct cpu *c = &v->cpu;
	uint32_t n = (uint32_t)c->gpr[R_ECX];
	uint64_t val;

	if ((c->cpl && !(c->cr4 & CR4_PCE)) || n > MSR_AMD_PERF_CTR_LAST - MSR_AMD_PERF_CTR ||
	    !cpu_is_amd(v) || !plat_rd(v, MSR_AMD_PERF_CTR + n, &val))
		return cpu_raise_err(c, EXC_GP, 0);
	c->gpr[R_EAX] = (uint32_t)val;
	c->gpr[R_EDX] = val >> 32;
	return 0;
}

int cpu_cpuid(struct vcpu *v, uint64_t next)
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

int cpu_xsetbv(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t val = (uint32_t)c->gpr[R_EAX] | c->gpr[R_EDX] << 32;
	uint32_t allowed = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512;

	if (!(c->cr4 & CR4_OSXSAVE))
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	allowed &= cpuid_reg(v, 0xd, 0);
	if ((uint32_t)c->gpr[R_ECX] || (val & ~(uint64_t)allowed) || !(val & XCR0_X87) ||
	    ((val & XCR0_AVX) && !(val & XCR0_SSE)) ||
	    ((val & XCR0_AVX512) && ((val & XCR0_AVX512) != XCR0_AVX512 || !(val & XCR0_AVX))))
		return cpu_raise_err(c, EXC_GP, 0);
	c->xcr0 = val;
	c->rip = next;
	return 0;
}
