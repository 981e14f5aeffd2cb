/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h: struct cpu and struct vmx_state. In VMX's, unusable segments keep their fields, and the
 * DPL of SS is the privilege level. */
#include "mm/nested.h"
#include "vtx/bits.h"
#include "vtx/executor.h"

static void segment_in(struct vmx_segment *s, const struct seg_cache *g)
{
	*s = (struct vmx_segment){
		.base = g->base, .limit = g->limit, .rights = seg_rights(g), .selector = g->sel
	};
}

static void segment_out(struct seg_cache *g, const struct vmx_segment *s)
{
	*g = (struct seg_cache){
		.base = s->base, .limit = s->limit, .attr = rights_attr(s->rights), .sel = s->selector
	};
}

void vmx_copy_in_gprs(struct vmx_executor *e)
{
	for (unsigned i = 0; i < 16; i++)
		e->x.s.gpr[i] = e->v->cpu.gpr[i];
}

void vmx_copy_in_some(struct vmx_executor *e)
{
	const struct cpu *c = &e->v->cpu;
	struct vmx_state *s = &e->x.s;

	s->rip = c->rip;
	s->rflags = cpu_eflags(c);
	s->cr0 = c->cr0;
	s->cr4 = c->cr4;
	s->msr[VMX_MSR_EFER] = c->efer;
	s->dr7 = c->dr[7];
	s->msr[VMX_MSR_PAT] = c->pat;
	s->seg[SEG_CS].rights = seg_rights(&c->seg[SEG_CS]);
	s->seg[SEG_CS].base = c->seg[SEG_CS].base;
	s->cpl = c->cpl;
	s->interruptibility =
	    ((c->shadow | e->virt.shadow) & (BLOCK_STI | BLOCK_MOV_SS)) | (c->nmi_blocked ? BLOCK_NMI : 0);
	e->x.a20_masked = c->a20_mask != ~0u;
}

/* Behind MOV SS, the trap of the single step waits for the next instruction. */
static bool single_step_waits(const struct cpu *c, const struct vmx_state *s)
{
	return c->sysflags & FL_TF && s->interruptibility & BLOCK_MOV_SS &&
	       !(s->msr[VMX_MSR_DEBUGCTL] & DEBUGCTL_BTF);
}

void vmx_copy_in(struct vmx_executor *e)
{
	const struct cpu *c = &e->v->cpu;
	struct vmx_state *s = &e->x.s;

	vmx_copy_in_some(e);
	s->gpr[R_ESP] = c->gpr[R_ESP];
	s->cr3 = c->cr3;
	s->msr[VMX_MSR_SYSENTER_CS] = c->sysenter_cs;
	s->msr[VMX_MSR_SYSENTER_ESP] = c->sysenter_esp;
	s->msr[VMX_MSR_SYSENTER_EIP] = c->sysenter_eip;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		segment_in(&s->seg[i], &c->seg[i]);
	s->seg[SEG_SS].rights = (s->seg[SEG_SS].rights & ~(uint32_t)SA_DPL) | (uint32_t)c->cpl
										  << SA_DPL_SHIFT;
	segment_in(&s->ldtr, &c->ldtr);
	segment_in(&s->tr, &c->tr);
	s->gdtr.base = c->gdtr.base;
	s->gdtr.limit = c->gdtr.limit;
	s->idtr.base = c->idtr.base;
	s->idtr.limit = c->idtr.limit;
	if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !cpu_long(c))
		for (unsigned i = 0; i < 4; i++)
			s->pdpte[i] = mmu_pdptrs(e->v->mmu)[i];
	s->activity = c->halted ? e->waits : VMX_ACTIVE;
	if (single_step_waits(c, s))
		s->pending_debug |= PENDING_BS;
	if (e->timer_on)
		s->preemption_timer = vmx_timer_left(e);
}

void vmx_copy_out_gprs(struct vmx_executor *e)
{
	for (unsigned i = 0; i < 16; i++)
		e->v->cpu.gpr[i] = e->x.s.gpr[i];
}

void vmx_copy_out_some(struct vmx_executor *e)
{
	struct cpu *c = &e->v->cpu;
	const struct vmx_state *s = &e->x.s;

	c->rip = s->rip;
	c->flags = (uint32_t)(s->rflags & FL_HOST) | FL_ONE;
}

/* 32-bit code has no upper halves of registers. */
static void narrow(struct cpu *c)
{
	for (unsigned i = R_EAX; i <= R_EDI; i++)
		c->gpr[i] = (uint32_t)c->gpr[i];
	c->rip = (uint32_t)c->rip;
}

void vmx_copy_out(struct vmx_executor *e)
{
	struct cpu *c = &e->v->cpu;
	const struct vmx_state *s = &e->x.s;

	c->gpr[R_ESP] = s->gpr[R_ESP];
	c->rip = s->rip;
	if (!vmx_mode64(s))
		narrow(c);
	c->dr[7] = (uint32_t)s->dr7;
	cpu_set_eflags(c, (uint32_t)s->rflags);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		segment_out(&c->seg[i], &s->seg[i]);
	segment_out(&c->ldtr, &s->ldtr);
	segment_out(&c->tr, &s->tr);
	c->gdtr = (struct dt_reg){ .base = s->gdtr.base, .limit = s->gdtr.limit };
	c->idtr = (struct dt_reg){ .base = s->idtr.base, .limit = s->idtr.limit };
	c->cpl = s->cpl;
	c->sysenter_cs = s->msr[VMX_MSR_SYSENTER_CS];
	c->sysenter_esp = s->msr[VMX_MSR_SYSENTER_ESP];
	c->sysenter_eip = s->msr[VMX_MSR_SYSENTER_EIP];
	c->pat = s->msr[VMX_MSR_PAT];
	c->efer = s->msr[VMX_MSR_EFER];
	c->cr0 = (uint32_t)s->cr0;
	c->cr3 = s->cr3;
	c->cr4 = (uint32_t)s->cr4;
	c->shadow = (uint8_t)(s->interruptibility & (BLOCK_STI | BLOCK_MOV_SS));
	c->nmi_blocked = !!(s->interruptibility & BLOCK_NMI);
	c->halted = s->activity != VMX_ACTIVE;
}
