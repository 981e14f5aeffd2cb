/* SPDX-License-Identifier: GPL-3.0-or-later
 * Instructions and registers that came with 64-bit processors: CR8, the bases of FS and GS, INVPCID, CLAC and
 * STAC (SDM vol. 2; vol. 3A 2.5, 4.10.4, 11.8.6). */
#include "cpu/cpu_int.h"
#include "mm/long.h"
#include "x86/msrs.h"
#include "x86/paging.h"

/* ---- CR8: bits 7:4 of the local APIC's task priority ---- */

enum { TPR = 8 /* number of the register */, CR8_SHIFT = 4, CR8_BITS = 0xf };

enum apic_mode { APIC_OFF, APIC_XAPIC, APIC_X2APIC };

static enum apic_mode apic_mode(const struct cpu *c)
{
	if (!(c->apic_base & APIC_BASE_ENABLE))
		return APIC_OFF;
	return c->apic_base & APIC_BASE_X2APIC ? APIC_X2APIC : APIC_XAPIC;
}

static gpa tpr_address(const struct cpu *c)
{
	return (c->apic_base & APIC_BASE_ADDR) + TPR * 16;
}

int cr8_write(struct vcpu *v, uint64_t val)
{
	struct cpu *c = &v->cpu;
	uint32_t tpr = (uint32_t)val << CR8_SHIFT;

	if (RARE(val > CR8_BITS))
		return cpu_raise_err(c, EXC_GP, 0);
	switch (apic_mode(c)) {
	case APIC_OFF:
		break;
	case APIC_XAPIC:
		v->plat.mmio_write(v->plat.ctx, tpr_address(c), &tpr, sizeof(tpr));
		break;
	case APIC_X2APIC:
		v->plat.wrmsr(v->plat.ctx, MSR_X2APIC + TPR, tpr);
		break;
	}
	return 0;
}

uint64_t cr8_read(struct vcpu *v)
{
	const struct cpu *c = &v->cpu;
	uint64_t wide = 0;
	uint32_t tpr = 0;

	switch (apic_mode(c)) {
	case APIC_OFF:
		break;
	case APIC_XAPIC:
		v->plat.mmio_read(v->plat.ctx, tpr_address(c), &tpr, sizeof(tpr));
		break;
	case APIC_X2APIC:
		v->plat.rdmsr(v->plat.ctx, MSR_X2APIC + TPR, &wide);
		tpr = (uint32_t)wide;
		break;
	}
	return tpr >> CR8_SHIFT & CR8_BITS;
}

/* ---- the bases of FS and GS ---- */

static int need_fsgsbase(struct cpu *c)
{
	return cpu_64(c) && (c->cr4 & CR4_FSGSBASE) ? 0 : cpu_raise(c, EXC_UD);
}

int cpu_read_base(struct vcpu *v, enum seg s, unsigned op, uint64_t *val)
{
	struct cpu *c = &v->cpu;

	if (need_fsgsbase(c))
		return -1;
	*val = op == 8 ? c->seg[s].base : (uint32_t)c->seg[s].base;
	return 0;
}

int cpu_write_base(struct vcpu *v, enum seg s, unsigned op, uint64_t val)
{
	struct cpu *c = &v->cpu;

	if (need_fsgsbase(c))
		return -1;
	if (op == 4)
		val = (uint32_t)val;
	if (RARE(!cpu_canonical(val)))
		return cpu_raise_err(c, EXC_GP, 0);
	c->seg[s].base = val;
	return 0;
}

/* ---- access to user pages ---- */

int cpu_set_ac(struct vcpu *v, bool on)
{
	struct cpu *c = &v->cpu;

	if (RARE(c->cpl))
		return cpu_raise(c, EXC_UD);
	c->sysflags = on ? c->sysflags | FL_AC : c->sysflags & ~(uint32_t)FL_AC;
	return 0;
}

/* ---- INVPCID ---- */

static bool invpcid_refused(const struct cpu *c, uint64_t type, uint64_t pcid, uint64_t lin)
{
	if (type > INVPCID_LOCAL || (pcid & ~CR3_PCID))
		return true;
	if (type > INVPCID_ONE)
		return false;
	return (pcid && !(c->cr4 & CR4_PCIDE)) || (type == INVPCID_PAGE && !cpu_canonical(lin));
}

int cpu_invpcid(struct vcpu *v, uint64_t type, const uint64_t desc[2], uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t pcid = desc[0], lin = desc[1];

	if (need_cpl0(c))
		return -1;
	if (RARE(invpcid_refused(c, type, pcid, lin)))
		return cpu_raise_err(c, EXC_GP, 0);
	mmu_invpcid(v->mmu, (enum mmu_invpcid)type, (unsigned)pcid, lin);
	c->rip = next;
	return 0;
}
