/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's state between struct cpu, as the guest and the debugger see it, and the VMCS (SDM vol. 3C
 * 25.4). General registers, DR0 to DR3, DR6, CR2, XCR0 and what x87 and vector registers hold is in no VMCS:
 * it stays in struct cpu. */
#include "vmm/vmm_int.h"

#include "base/gpr.h"
#include "mm/nested.h"
#include "vtx/bits.h"

struct segment_fields {
	enum vmcs_field selector, base, limit, rights;
};
#define FIELDS(id)                                                                                           \
	{                                                                                                    \
		VMCS_GUEST_##id##_SELECTOR, VMCS_GUEST_##id##_BASE, VMCS_GUEST_##id##_LIMIT,                 \
		    VMCS_GUEST_##id##_ACCESS_RIGHTS                                                          \
	}
static const struct segment_fields segments[SEG_COUNT] = {
	[SEG_ES] = FIELDS(ES), [SEG_CS] = FIELDS(CS), [SEG_SS] = FIELDS(SS),
	[SEG_DS] = FIELDS(DS), [SEG_FS] = FIELDS(FS), [SEG_GS] = FIELDS(GS),
};
static const struct segment_fields ldtr = FIELDS(LDTR), tr = FIELDS(TR);

static void write_segment(struct vmm *m, const struct segment_fields *f, const struct seg_cache *s)
{
	vm_write(m, f->selector, s->sel);
	vm_write(m, f->base, s->base);
	vm_write(m, f->limit, s->limit);
	vm_write(m, f->rights, seg_rights(s));
}

static void read_segment(const struct vmm *m, const struct segment_fields *f, struct seg_cache *s)
{
	s->sel = (uint16_t)vm_read(m, f->selector);
	s->base = vm_read(m, f->base);
	s->limit = (uint32_t)vm_read(m, f->limit);
	s->attr = rights_attr((uint32_t)vm_read(m, f->rights));
}

/* Bits of the control registers that are the monitor's: the guest reads the shadow, and a write that would
 * change it exits. With EPT these are the ones that VMX operation fixes; shadow page tables need the bits
 * that paging depends on, too. CR0.WP is always 1 then: a write that is the first of a page must fault, as it
 * sets the dirty bit in the guest's table. */
#define CR0_OWNED_SHADOWING ((uint64_t)CR0_PG | CR0_PE | CR0_WP)
#define CR4_OWNED_SHADOWING ((uint64_t)CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP | CR4_SMAP)

static void write_control_registers(struct vmm *m)
{
	const struct cpu *c = &m->v->cpu;
	uint64_t owned0 = CR0_NE, owned4 = VMX_CR4_VMXE, cr0 = c->cr0 | CR0_NE, cr4 = c->cr4 | VMX_CR4_VMXE;

	if (m->shadowing) {
		owned0 |= CR0_OWNED_SHADOWING;
		owned4 |= CR4_OWNED_SHADOWING;
		if ((vm_read(m, VMCS_CR0_READ_SHADOW) ^ c->cr0) & CR0_WP ||
		    (vm_read(m, VMCS_CR4_READ_SHADOW) ^ c->cr4) & (CR4_SMEP | CR4_SMAP))
			shadow_drop_all(m);
		cr0 |= CR0_WP;
		cr4 |= CR4_PAE;
	}
	vm_write(m, VMCS_CR0_MASK, owned0);
	vm_write(m, VMCS_CR0_READ_SHADOW, c->cr0);
	vm_write(m, VMCS_GUEST_CR0, cr0);
	vm_write(m, VMCS_CR4_MASK, owned4);
	vm_write(m, VMCS_CR4_READ_SHADOW, c->cr4);
	vm_write(m, VMCS_GUEST_CR4, cr4);
	if (m->shadowing)
		shadow_enter(m, c->cr3, true);
	else
		vm_write(m, VMCS_GUEST_CR3, c->cr3);
}

uint32_t vmm_cr0(const struct vmm *m)
{
	uint64_t mask = vm_read(m, VMCS_CR0_MASK);

	return (uint32_t)((vm_read(m, VMCS_CR0_READ_SHADOW) & mask) | (vm_read(m, VMCS_GUEST_CR0) & ~mask));
}

uint32_t vmm_cr4(const struct vmm *m)
{
	uint64_t mask = vm_read(m, VMCS_CR4_MASK);

	return (uint32_t)((vm_read(m, VMCS_CR4_READ_SHADOW) & mask) | (vm_read(m, VMCS_GUEST_CR4) & ~mask));
}

/* ---- all of it ---- */

static bool pae_paging(const struct cpu *c)
{
	return (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !cpu_long(c);
}

static void write_controls(struct vmm *m)
{
	const struct cpu *c = &m->v->cpu;
	bool shadowing = m->paging == VMM_SHADOW && c->cr0 & CR0_PG;

	if (shadowing && !m->shadowing)
		shadow_drop_all(m);
	m->shadowing = shadowing;
	vm_control(m, VMX_PROC2_EPT, !shadowing);
	vm_control(m, VMX_PROC2_UNRESTRICTED_GUEST, !shadowing);
	vm_control(m, VMX_PROC_CR3_LOAD, shadowing);
	vm_control(m, VMX_PROC_CR3_STORE, shadowing);
	vm_control(m, VMX_PROC_INVLPG, shadowing);
	vm_control(m, VMX_ENTRY_IA32E_GUEST, cpu_long(c));
	vm_write(m, VMCS_GUEST_IA32_EFER, c->efer);
	vm_write(m, VMCS_EXCEPTION_BITMAP, shadowing ? 1u << EXC_PF : 0);
}

void vmm_to_vmcs(struct vmm *m)
{
	const struct cpu *c = &m->v->cpu;

	gpr_copy(m->pdptr, mmu_pdptrs(m->v->mmu), sizeof(m->pdptr));
	write_controls(m);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		write_segment(m, &segments[i], &c->seg[i]);
	write_segment(m, &ldtr, &c->ldtr);
	write_segment(m, &tr, &c->tr);
	vm_write(m, VMCS_GUEST_GDTR_BASE, c->gdtr.base);
	vm_write(m, VMCS_GUEST_GDTR_LIMIT, c->gdtr.limit);
	vm_write(m, VMCS_GUEST_IDTR_BASE, c->idtr.base);
	vm_write(m, VMCS_GUEST_IDTR_LIMIT, c->idtr.limit);
	write_control_registers(m);
	for (unsigned i = 0; i < 4 && pae_paging(c); i++)
		vm_write(m, VMCS_GUEST_PDPTE0 + i, m->pdptr[i]);
	vm_write(m, VMCS_GUEST_RIP, cpu_64(c) ? c->rip : (uint32_t)c->rip);
	vm_write(m, VMCS_GUEST_RSP, cpu_long(c) ? c->gpr[R_ESP] : (uint32_t)c->gpr[R_ESP]);
	vm_write(m, VMCS_GUEST_RFLAGS, cpu_eflags(c));
	vm_write(m, VMCS_GUEST_DR7, c->dr[7]);
	vm_write(m, VMCS_GUEST_IA32_SYSENTER_CS, c->sysenter_cs);
	vm_write(m, VMCS_GUEST_IA32_SYSENTER_ESP, c->sysenter_esp);
	vm_write(m, VMCS_GUEST_IA32_SYSENTER_EIP, c->sysenter_eip);
	vm_write(m, VMCS_GUEST_INTERRUPTIBILITY, c->shadow | (c->nmi_blocked ? BLOCK_NMI : 0));
	vm_write(m, VMCS_GUEST_ACTIVITY, c->halted ? VMX_HALTED : VMX_ACTIVE);
	vm_write(m, VMCS_GUEST_PENDING_DEBUG, 0);
	vm_write(m, VMCS_ENTRY_INTERRUPTION_INFO, 0);
}

void vmm_from_vmcs(struct vmm *m)
{
	struct cpu *c = &m->v->cpu;
	uint64_t blocked = vm_read(m, VMCS_GUEST_INTERRUPTIBILITY);

	for (unsigned i = 0; i < SEG_COUNT; i++)
		read_segment(m, &segments[i], &c->seg[i]);
	read_segment(m, &ldtr, &c->ldtr);
	read_segment(m, &tr, &c->tr);
	c->efer = vm_read(m, VMCS_GUEST_IA32_EFER);
	c->gdtr.base = vm_read(m, VMCS_GUEST_GDTR_BASE);
	c->gdtr.limit = (uint32_t)vm_read(m, VMCS_GUEST_GDTR_LIMIT);
	c->idtr.base = vm_read(m, VMCS_GUEST_IDTR_BASE);
	c->idtr.limit = (uint32_t)vm_read(m, VMCS_GUEST_IDTR_LIMIT);
	c->cr0 = vmm_cr0(m);
	c->cr4 = vmm_cr4(m);
	c->cr3 = m->shadowing ? m->cr3 : vm_read(m, VMCS_GUEST_CR3);
	c->rip = vm_read(m, VMCS_GUEST_RIP);
	c->gpr[R_ESP] = vm_read(m, VMCS_GUEST_RSP);
	cpu_set_eflags(c, (uint32_t)vm_read(m, VMCS_GUEST_RFLAGS));
	c->cpl = c->seg[SEG_SS].attr >> SA_DPL_SHIFT & 3;
	c->dr[7] = (uint32_t)vm_read(m, VMCS_GUEST_DR7);
	c->sysenter_cs = vm_read(m, VMCS_GUEST_IA32_SYSENTER_CS);
	c->sysenter_esp = vm_read(m, VMCS_GUEST_IA32_SYSENTER_ESP);
	c->sysenter_eip = vm_read(m, VMCS_GUEST_IA32_SYSENTER_EIP);
	c->shadow = blocked & (BLOCK_STI | BLOCK_MOV_SS);
	c->nmi_blocked = !!(blocked & BLOCK_NMI);
	c->halted = vm_read(m, VMCS_GUEST_ACTIVITY) == VMX_HALTED;
	for (unsigned i = 0; i < 4 && pae_paging(c) && !m->shadowing; i++)
		m->pdptr[i] = vm_read(m, VMCS_GUEST_PDPTE0 + i);
	if (pae_paging(c))
		mmu_set_pdptrs(m->v->mmu, m->pdptr);
}
