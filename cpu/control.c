/* SPDX-License-Identifier: GPL-3.0-or-later
 * Control, debug and table registers, EFLAGS and its privileges, HLT (SDM vol. 3A ch. 2, 17.2 and 20.3.3). A
 * change that affects address translation is reported to the mmu at once. The translator reads the mode bits
 * after the call and selects its context itself. */
#include "base/log.h"
#include "cpu/long_int.h"
#include "cpu/virt.h"
#include "mm/long.h"
#include "x86/model.h"
#include "x86/paging.h"

static int done(struct vcpu *v, uint64_t next)
{
	v->cpu.rip = next;
	return 0;
}

/* ---- control registers ---- */

#define CR0_PDPTR (CR0_CD | CR0_NW | CR0_PG) /* a change reloads the PDPTEs, SDM vol. 3A 4.4.1 */
#define CR0_FLUSH (CR0_PG | CR0_PE)
#define CR4_PDPTR (uint32_t)(CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)
#define CR4_FLUSH (CR4_PDPTR | CR4_SMAP | CR4_PCIDE)

static bool pae_paging(const struct cpu *c)
{
	return (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !cpu_long(c);
}

/* With EFER.LME: rules for entering, leaving and being in IA-32e mode (SDM vol. 3A 9.8.5). */
static bool long_mode_refused(const struct cpu *c, uint64_t cr0, uint64_t cr4)
{
	bool on = cr0 & CR0_PG, was = c->cr0 & CR0_PG;

	if (on && (!(cr4 & CR4_PAE) || (!was && ((c->seg[SEG_CS].attr & SA_L) || !(c->tr.attr & DT_32BIT)))))
		return true;
	return was && !on && cpu_64(c);
}

/* Process-context identifiers begin in IA-32e mode, in context 0, and end before paging does (SDM vol. 3A
 * 4.10.1). */
static bool pcid_refused(const struct cpu *c, uint64_t cr0, uint64_t cr4)
{
	if (cr4 & ~c->cr4 & CR4_PCIDE)
		return !cpu_long(c) || (c->cr3 & CR3_PCID);
	return (cr4 & CR4_PCIDE) && !(cr0 & CR0_PG);
}

/* Set CR0 and CR4, and load the PDPTEs if PAE paging needs them. */
static int set_cr0_cr4(struct vcpu *v, uint64_t cr0, uint64_t cr4)
{
	struct cpu *c = &v->cpu;
	uint64_t d0 = c->cr0 ^ cr0, d4 = c->cr4 ^ cr4, efer = c->efer;

	if (RARE(efer & EFER_LME) && long_mode_refused(c, cr0, cr4))
		return cpu_raise_err(c, EXC_GP, 0);
	if (RARE(cr4 & CR4_PCIDE) && pcid_refused(c, cr0, cr4))
		return cpu_raise_err(c, EXC_GP, 0);
	if (RARE(v->virt != NULL) && !v->virt->ops->cr_ok(v, cr0, cr4))
		return cpu_raise_err(c, EXC_GP, 0);
	c->cr0 = cr0;
	c->cr4 = cr4;
	if (d0 & CR0_PG && efer & EFER_LME)
		c->efer = cr0 & CR0_PG ? efer | EFER_LMA : efer & ~(uint64_t)EFER_LMA;
	if (RARE(((d0 & CR0_PDPTR) || (d4 & CR4_PDPTR)) && pae_paging(c)) &&
	    mmu_load_pdptrs(v->mmu, c->cr3)) {
		c->cr0 = cr0 ^ d0;
		c->cr4 = cr4 ^ d4;
		c->efer = efer;
		return -1;
	}
	if ((d0 & CR0_FLUSH) || (d4 & CR4_FLUSH))
		mmu_flush(v->mmu, true);
	else if (d0 & CR0_WP)
		mmu_wp_changed(v->mmu);
	if (RARE(d0 & CR0_PE)) {
		c->cpl = 0; /* CPL 0 before and after the change */
		LOG(cpu, "%s mode, cr0 %08x", cr0 & CR0_PE ? "protected" : "real", (uint32_t)cr0);
	}
	return 0;
}

static int write_cr0(struct vcpu *v, uint64_t val)
{
	if (RARE(val >> 32))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	if ((val & CR0_PG) && !(val & CR0_PE))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	if ((val & CR0_NW) && !(val & CR0_CD))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	return set_cr0_cr4(v, (val & CR0_VALID) | CR0_ET, v->cpu.cr4);
}

/* With CR4.PCIDE, bit 63 keeps the TLB's entries of the context that VAL names. It is never stored. */
static int write_cr3(struct vcpu *v, uint64_t val)
{
	struct cpu *c = &v->cpu;

	bool contexts = c->cr4 & CR4_PCIDE, keep = contexts && (val & CR3_KEEP);

	if (RARE(keep))
		val &= ~CR3_KEEP;
	if (RARE(val >> MAXPHYADDR))
		return cpu_raise_err(c, EXC_GP, 0);
	if (pae_paging(c) && mmu_load_pdptrs(v->mmu, val))
		return -1;
	c->cr3 = val;
	if (RARE(contexts))
		mmu_switch(v->mmu, keep);
	else
		mmu_flush(v->mmu, false);
	return 0;
}

static int write_cr4(struct vcpu *v, uint64_t val)
{
	struct cpu *c = &v->cpu;
	uint32_t fresh = (uint32_t)(val & ~c->cr4);

	if (RARE(val >> 32))
		return cpu_raise_err(c, EXC_GP, 0);
	if (fresh && cpu_cr4_allowed(&v->plat, c, fresh) != fresh)
		return cpu_raise_err(c, EXC_GP, 0);
	return set_cr0_cr4(v, c->cr0, val);
}

/* CR8 is there in 64-bit mode alone. */
static bool cr_exists(const struct cpu *c, unsigned cr)
{
	return cr == 8 ? cpu_64(c) : cr <= 4 && cr != 1;
}

int cpu_mov_to_cr(struct vcpu *v, unsigned cr, uint64_t val, uint64_t next)
{
	struct cpu *c = &v->cpu;

	if (RARE(!cr_exists(c, cr)))
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	switch (cr) {
	case 0:
		if (write_cr0(v, val))
			return -1;
		break;
	case 2:
		c->cr2 = val;
		break;
	case 3:
		if (write_cr3(v, val))
			return -1;
		break;
	case 4:
		if (write_cr4(v, val))
			return -1;
		break;
	case 8:
		if (cr8_write(v, val))
			return -1;
		break;
	}
	return done(v, next);
}

int cpu_mov_from_cr(struct vcpu *v, unsigned cr, uint64_t *val)
{
	struct cpu *c = &v->cpu;

	if (RARE(!cr_exists(c, cr)))
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	switch (cr) {
	case 0:
		*val = c->cr0;
		break;
	case 2:
		*val = c->cr2;
		break;
	case 3:
		*val = c->cr3;
		break;
	case 4:
		*val = c->cr4;
		break;
	case 8:
		*val = cr8_read(v);
		break;
	}
	return 0;
}

#define MSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

int cpu_lmsw(struct vcpu *v, uint16_t val, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint64_t cr0 = (c->cr0 & ~(uint64_t)(MSW & ~CR0_PE)) | (val & MSW); /* LMSW cannot clear PE */

	if (need_cpl0(c) || set_cr0_cr4(v, cr0, c->cr4))
		return -1;
	return done(v, next);
}

int cpu_clts(struct vcpu *v, uint64_t next)
{
	if (need_cpl0(&v->cpu))
		return -1;
	v->cpu.cr0 &= ~(uint32_t)CR0_TS;
	return done(v, next);
}

/* ---- debug registers ---- */

/* Checks common to reads and writes; *DR becomes 6 or 7 for the aliases 4 and 5. */
static int dr_check(struct vcpu *v, unsigned *dr)
{
	struct cpu *c = &v->cpu;

	if (*dr == 4 || *dr == 5) {
		if (c->cr4 & CR4_DE)
			return cpu_raise(c, EXC_UD);
		*dr += 2;
	}
	if (*dr > 7)
		return cpu_raise(c, EXC_UD);
	if (need_cpl0(c))
		return -1;
	if (c->dr[7] & DR7_GD) {
		cpu_raise(c, EXC_DB);
		if (v->virt) { /* for an exit instead */
			c->exc.err = c->dr[6];
			c->exc.cr2 = DR6_BD;
		}
		c->dr[6] |= DR6_BD;
		return -1;
	}
	return 0;
}

int cpu_mov_to_dr(struct vcpu *v, unsigned dr, uint64_t val, uint64_t next)
{
	if (dr_check(v, &dr))
		return -1;
	if (RARE(dr >= 6 && val >> 32))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	if (dr == 6)
		val = (val & DR6_BITS) | DR6_INIT;
	else if (dr == 7)
		val = (val & DR7_BITS) | DR7_INIT;
	v->cpu.dr[dr] = val;
	return done(v, next);
}

int cpu_mov_from_dr(struct vcpu *v, unsigned dr, uint64_t *val)
{
	if (dr_check(v, &dr))
		return -1;
	*val = v->cpu.dr[dr];
	return 0;
}

/* ---- descriptor-table and task registers ---- */

static int load_dt(struct vcpu *v, struct dt_reg *r, uint64_t base, uint16_t limit, unsigned op,
		   uint64_t next)
{
	if (need_cpl0(&v->cpu))
		return -1;
	if (RARE(!cpu_canonical(base)))
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	*r = (struct dt_reg){ .base = op == 2 ? base & 0xffffff : base, .limit = limit };
	return done(v, next);
}

int cpu_lgdt(struct vcpu *v, uint64_t base, uint16_t limit, unsigned op, uint64_t next)
{
	return load_dt(v, &v->cpu.gdtr, base, limit, op, next);
}

int cpu_lidt(struct vcpu *v, uint64_t base, uint16_t limit, unsigned op, uint64_t next)
{
	return load_dt(v, &v->cpu.idtr, base, limit, op, next);
}

/* LLDT and LTR: protected mode, CPL 0, a GDT selector. */
static int fetch_system(struct vcpu *v, uint16_t sel, struct desc *d)
{
	if (sel & 4)
		return cpu_raise_err(&v->cpu, EXC_GP, sel_err(sel, 0));
	return desc_fetch(v, sel, d, EXC_GP, 0);
}

static int need_pm_cpl0(struct cpu *c)
{
	return !cpu_pe(c) || cpu_v86(c) ? cpu_raise(c, EXC_UD) : need_cpl0(c);
}

/* In IA-32e mode a system descriptor has 16 bytes, and its base is canonical. */
static int load_upper(struct vcpu *v, uint16_t sel, struct desc *d)
{
	struct seg_cache s;

	if (__builtin_expect(!cpu_long(&v->cpu), 1))
		return 0;
	if (long_fetch_upper(v, sel, d, EXC_GP, 0))
		return -1;
	long_desc_cache(d, sel, &s);
	return cpu_canonical(s.base) ? 0 : cpu_raise_err(&v->cpu, EXC_GP, sel_err(sel, 0));
}

int cpu_lldt(struct vcpu *v, uint16_t sel, uint64_t next)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	if (need_pm_cpl0(c))
		return -1;
	if (sel_null(sel)) {
		c->ldtr = seg_null(sel);
		return done(v, next);
	}
	if (fetch_system(v, sel, &d))
		return -1;
	if (desc_type(&d) != DT_LDT)
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (!(d.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	if (load_upper(v, sel, &d))
		return -1;
	long_desc_cache(&d, sel, &c->ldtr);
	return done(v, next);
}

int cpu_ltr(struct vcpu *v, uint16_t sel, uint64_t next)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	if (need_pm_cpl0(c))
		return -1;
	if (sel_null(sel))
		return cpu_raise_err(c, EXC_GP, 0);
	if (fetch_system(v, sel, &d))
		return -1;
	if (!desc_tss_free(&d) || (cpu_long(c) && desc_type(&d) == DT_TSS16))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, 0));
	if (!(d.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	if (load_upper(v, sel, &d))
		return -1;
	d.hi |= D_BUSY;
	if (mmu_write(v->mmu, d.at + 4, &d.hi, 4, MM_WRITE))
		return -1;
	long_desc_cache(&d, sel, &c->tr);
	return done(v, next);
}

int cpu_invlpg(struct vcpu *v, gva lin, uint64_t next)
{
	if (need_cpl0(&v->cpu))
		return -1;
	if (cpu_canonical(lin)) /* otherwise it does nothing */
		mmu_invlpg(v->mmu, lin);
	return done(v, next);
}

int cpu_hlt(struct vcpu *v, uint64_t next)
{
	if (need_cpl0(&v->cpu))
		return -1;
	v->cpu.halted = 1;
	return done(v, next);
}

/* ---- EFLAGS ---- */

/* Which interrupt flag an instruction acts on. */
enum if_right { IF_REAL, IF_VIRTUAL, IF_NONE };

/* CLI and STI: IOPL, CR4.VME in virtual-8086 mode, CR4.PVI in ring 3. */
static enum if_right if_right(const struct cpu *c)
{
	if (!cpu_pe(c))
		return IF_REAL;
	if (cpu_v86(c)) {
		if (cpu_iopl(c) == 3)
			return IF_REAL;
		return c->cr4 & CR4_VME ? IF_VIRTUAL : IF_NONE;
	}
	if (c->cpl <= cpu_iopl(c))
		return IF_REAL;
	return c->cpl == 3 && (c->cr4 & CR4_PVI) ? IF_VIRTUAL : IF_NONE;
}

int cpu_cli(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;

	switch (if_right(c)) {
	case IF_REAL:
		c->intf = 0;
		return done(v, next);
	case IF_VIRTUAL:
		c->sysflags &= ~(uint32_t)FL_VIF;
		return done(v, next);
	case IF_NONE:
		break;
	}
	return cpu_raise_err(c, EXC_GP, 0);
}

int cpu_sti(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;

	switch (if_right(c)) {
	case IF_REAL:
		if (!c->intf)
			c->shadow = SHADOW_STI;
		c->intf = 1;
		return done(v, next);
	case IF_VIRTUAL:
		if (c->sysflags & FL_VIP)
			break;
		c->sysflags |= FL_VIF;
		return done(v, next);
	case IF_NONE:
		break;
	}
	return cpu_raise_err(c, EXC_GP, 0);
}

/* Must POPF and PUSHF leave the real flags alone, because a virtual-8086 program with IOPL < 3 executes them?
 */
static bool v86_limited(const struct cpu *c)
{
	return cpu_v86(c) && cpu_iopl(c) < 3;
}

static int v86_vme_check(struct cpu *c, unsigned op)
{
	return op == 2 && (c->cr4 & CR4_VME) ? 0 : cpu_raise_err(c, EXC_GP, 0);
}

#define POPF16_FLAGS ((uint32_t)(FL_HOST | FL_TF | FL_NT))
#define POPF32_FLAGS (POPF16_FLAGS | FL_AC | FL_ID) /* and POPFQ's */

static uint32_t popf_mask(const struct cpu *c, unsigned op)
{
	uint32_t mask = op == 2 ? POPF16_FLAGS : POPF32_FLAGS;

	if (c->cpl <= cpu_iopl(c))
		mask |= FL_IF;
	if (c->cpl == 0)
		mask |= FL_IOPL;
	return mask;
}

int cpu_popf(struct vcpu *v, unsigned op, uint64_t next)
{
	struct cpu *c = &v->cpu;
	bool limited = v86_limited(c);
	uint32_t esp = (uint32_t)c->gpr[R_ESP], mask = popf_mask(c, op), f;
	uint64_t wide;

	if (limited && v86_vme_check(c, op))
		return -1;
	if (cpu_pop(v, &wide, op))
		return -1;
	f = (uint32_t)wide;
	if (limited) {
		if ((f & FL_TF) || ((f & FL_IF) && (c->sysflags & FL_VIP))) {
			c->gpr[R_ESP] = esp;
			return cpu_raise_err(c, EXC_GP, 0);
		}
		f |= f & FL_IF ? FL_VIF : 0;
		mask = POPF16_FLAGS | FL_VIF;
	}
	cpu_set_eflags(c, ((cpu_eflags(c) & ~mask) | (f & mask)) & ~(uint32_t)FL_RF);
	return done(v, next);
}

int cpu_pushf(struct vcpu *v, unsigned op, uint64_t next)
{
	struct cpu *c = &v->cpu;
	uint32_t f = cpu_eflags(c) & ~(uint32_t)(FL_VM | FL_RF);

	if (v86_limited(c)) {
		if (v86_vme_check(c, op))
			return -1;
		f = (f & ~(uint32_t)FL_IF) | FL_IOPL | (f & FL_VIF ? FL_IF : 0);
	}
	if (cpu_push(v, f, op))
		return -1;
	return done(v, next);
}
