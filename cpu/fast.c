/* SPDX-License-Identifier: GPL-3.0-or-later
 * Transfers between rings that read no memory: SYSENTER, SYSEXIT, SYSCALL, SYSRET, and SWAPGS (SDM vol. 2;
 * APM vol. 3 where AMD's processors differ). */
#include "cpu/cpu_int.h"

/* Flat segments as these instructions load them, whatever the descriptor tables say. */
enum { FLAT_CODE = SA_CODE | SA_RW | SA_A | SA_DB, FLAT_CODE64 = SA_CODE | SA_RW | SA_A | SA_L };
enum { FLAT_DATA = SA_RW | SA_A | SA_DB };

static struct seg_cache flat_seg(unsigned sel, unsigned attr)
{
	return (struct seg_cache){
		.limit = ~0u,
		.sel = (uint16_t)sel,
		.attr = (uint16_t)(attr | SA_S | SA_P | SA_G | (sel & 3) << SA_DPL_SHIFT),
	};
}

/* AMD's processors do not have the pair in IA-32e mode. */
static bool no_sysenter(struct vcpu *v)
{
	return cpu_long(&v->cpu) && cpu_is_amd(v);
}

int cpu_sysenter(struct vcpu *v)
{
	struct cpu *c = &v->cpu;
	uint16_t sel = (uint16_t)(c->sysenter_cs & (SEL_INDEX | SEL_TI));
	bool wide = cpu_long(c);

	if (RARE(no_sysenter(v)))
		return cpu_raise(c, EXC_UD);
	if (RARE(!cpu_pe(c) || !sel))
		return cpu_raise_err(c, EXC_GP, 0);
	c->sysflags &= ~(uint32_t)(FL_VM | FL_RF);
	c->intf = 0;
	c->seg[SEG_CS] = flat_seg(sel, wide ? FLAT_CODE64 : FLAT_CODE);
	c->seg[SEG_SS] = flat_seg(sel + 8u, FLAT_DATA);
	c->gpr[R_ESP] = wide ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
	c->rip = wide ? c->sysenter_eip : (uint32_t)c->sysenter_eip;
	c->cpl = 0;
	return 0;
}

int cpu_sysexit(struct vcpu *v, unsigned op)
{
	struct cpu *c = &v->cpu;
	uint16_t sel = (uint16_t)(c->sysenter_cs & (SEL_INDEX | SEL_TI));
	bool wide = op == 8;

	if (RARE(no_sysenter(v)))
		return cpu_raise(c, EXC_UD);
	if (RARE(!cpu_pe(c) || !sel || c->cpl))
		return cpu_raise_err(c, EXC_GP, 0);
	if (RARE(wide && !(cpu_canonical(c->gpr[R_ECX]) && cpu_canonical(c->gpr[R_EDX]))))
		return cpu_raise_err(c, EXC_GP, 0);
	c->seg[SEG_CS] = flat_seg((sel + (wide ? 32u : 16u)) | 3, wide ? FLAT_CODE64 : FLAT_CODE);
	c->seg[SEG_SS] = flat_seg((sel + (wide ? 40u : 24u)) | 3, FLAT_DATA);
	c->gpr[R_ESP] = wide ? c->gpr[R_ECX] : (uint32_t)c->gpr[R_ECX];
	c->rip = wide ? c->gpr[R_EDX] : (uint32_t)c->gpr[R_EDX];
	c->cpl = 3;
	if (!wide)
		narrow_gprs(c);
	return 0;
}

/* Outside IA-32e mode: to 32-bit code at the lower half of STAR. */
static int legacy_syscall(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	unsigned sel = c->star >> 32 & (SEL_INDEX | SEL_TI);

	if (!cpu_pe(c) || cpu_v86(c))
		return cpu_raise(c, EXC_UD);
	c->gpr[R_ECX] = next;
	c->rip = (uint32_t)c->star;
	c->seg[SEG_CS] = flat_seg(sel, FLAT_CODE);
	c->seg[SEG_SS] = flat_seg(sel + 8, FLAT_DATA);
	c->cpl = 0;
	c->intf = 0;
	c->sysflags &= ~(uint32_t)FL_RF;
	return 0;
}

/* Intel's processors have the pair in 64-bit mode alone; AMD's in compatibility mode too, to CSTAR, and
 * outside IA-32e mode. */
int cpu_syscall(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	unsigned sel = c->star >> 32 & (SEL_INDEX | SEL_TI);
	uint32_t flags = cpu_eflags(c);
	bool wide = cpu_64(c);

	if (!(c->efer & EFER_SCE) || (!wide && !cpu_is_amd(v)))
		return cpu_raise(c, EXC_UD);
	if (!cpu_long(c))
		return legacy_syscall(v, next);
	c->gpr[R_ECX] = next;
	c->gpr[11] = flags & ~(uint32_t)FL_RF;
	c->rip = wide ? c->lstar : c->cstar;
	c->seg[SEG_CS] = flat_seg(sel, FLAT_CODE64);
	c->seg[SEG_SS] = flat_seg(sel + 8, FLAT_DATA);
	c->cpl = 0;
	cpu_set_eflags(c, flags & ~((uint32_t)c->fmask | FL_RF));
	return 0;
}

#define SYSRET_FLAGS 0x3c7fd7u /* what it takes from R11: not RF, not VM */

int cpu_sysret(struct vcpu *v, unsigned op)
{
	struct cpu *c = &v->cpu;
	unsigned sel = c->star >> 48;
	bool wide = op == 8;

	if (!(c->efer & EFER_SCE) || !cpu_pe(c) || (!cpu_64(c) && !cpu_is_amd(v)))
		return cpu_raise(c, EXC_UD);
	/* The second check is Intel's; AMD's processors fault at the target. */
	if (c->cpl || (wide && !cpu_canonical(c->gpr[R_ECX]) && !cpu_is_amd(v)))
		return cpu_raise_err(c, EXC_GP, 0);
	c->rip = wide ? c->gpr[R_ECX] : (uint32_t)c->gpr[R_ECX];
	c->seg[SEG_CS] = flat_seg((wide ? sel + 16 : sel) | 3, wide ? FLAT_CODE64 : FLAT_CODE);
	c->seg[SEG_SS] = flat_seg((sel + 8) | 3, FLAT_DATA);
	c->cpl = 3;
	if (!cpu_long(c)) {
		c->intf = 1;
		return 0;
	}
	if (!wide)
		narrow_gprs(c);
	cpu_set_eflags(c, ((uint32_t)c->gpr[11] & SYSRET_FLAGS) | FL_ONE);
	return 0;
}

int cpu_swapgs(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t base = c->seg[SEG_GS].base;

	if (!cpu_64(c))
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	c->seg[SEG_GS].base = c->kernel_gs_base;
	c->kernel_gs_base = base;
	c->rip = next;
	return 0;
}
