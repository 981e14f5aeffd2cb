/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/executor.h: struct cpu and struct svm_state. The engine relies on states that a processor could get
 * into by itself; svm/transition.c has seen to attributes, here is the rest: 64-bit code in IA-32e mode
 * alone, CS and SS usable, segments of virtual-8086 mode what their selectors say, no upper halves of
 * registers outside 64-bit code. */
#include "svm/executor.h"

#include "mm/nested.h"

static void segment_in(struct svm_segment *s, const struct seg_cache *g)
{
	*s = (struct svm_segment){ g->base, g->limit, seg_rights(g), g->sel };
}

/* RIGHTS: those that the mode has. */
static void segment_out(struct seg_cache *g, const struct svm_segment *s, uint32_t rights)
{
	*g = (struct seg_cache){
		.base = s->base,
		.limit = s->limit,
		.attr = rights_attr(s->rights & rights),
		.sel = s->selector,
	};
}

static void segments_out(struct cpu *c, const struct svm_state *s)
{
	for (unsigned i = 0; i < SEG_COUNT; i++)
		segment_out(&c->seg[i], &s->seg[i],
			    i == SEG_CS && svm_long(s) ? UINT32_MAX : ~(uint32_t)SA_L);
	/* A null SS has no byte to access but one. */
	if (c->seg[SEG_SS].attr & SA_UNUSABLE) {
		c->seg[SEG_SS].attr = SA_P | SA_S | SA_A | (uint32_t)s->cpl << SA_DPL_SHIFT;
		c->seg[SEG_SS].limit = 0;
	}
	if (!(s->cr0 & CR0_PE) || !(s->rflags & FL_VM))
		return;
	for (unsigned i = 0; i < SEG_COUNT; i++) {
		c->seg[i].base = (uint32_t)c->seg[i].sel << 4;
		c->seg[i].limit = 0xffff;
		c->seg[i].attr = SA_P | SA_DPL | SA_S | SA_RW | SA_A;
	}
}

void svm_copy_in_some(struct svm_executor *e)
{
	const struct cpu *c = &e->v->cpu;
	struct svm_state *s = &e->x.s;

	for (unsigned i = 0; i < 16; i++)
		s->gpr[i] = c->gpr[i];
	s->rip = c->rip;
	s->rflags = cpu_eflags(c);
	s->cr0 = c->cr0;
	s->efer = c->efer;
	s->seg[SEG_CS].rights = seg_rights(&c->seg[SEG_CS]);
	s->cpl = c->cpl;
	s->shadow = c->shadow || e->virt.shadow;
	s->nmi_blocked = c->nmi_blocked;
}

void svm_copy_in(struct svm_executor *e)
{
	const struct cpu *c = &e->v->cpu;
	struct svm_state *s = &e->x.s;

	svm_copy_in_some(e);
	s->cr2 = c->cr2;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->dr6 = c->dr[6];
	s->dr7 = c->dr[7];
	s->pat = c->pat;
	s->msr[SVM_STAR] = c->star;
	s->msr[SVM_LSTAR] = c->lstar;
	s->msr[SVM_CSTAR] = c->cstar;
	s->msr[SVM_SFMASK] = c->fmask;
	s->msr[SVM_KERNEL_GS_BASE] = c->kernel_gs_base;
	s->msr[SVM_SYSENTER_CS] = c->sysenter_cs;
	s->msr[SVM_SYSENTER_ESP] = c->sysenter_esp;
	s->msr[SVM_SYSENTER_EIP] = c->sysenter_eip;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		segment_in(&s->seg[i], &c->seg[i]);
	segment_in(&s->ldtr, &c->ldtr);
	segment_in(&s->tr, &c->tr);
	s->gdtr = (struct svm_table){ c->gdtr.base, c->gdtr.limit };
	s->idtr = (struct svm_table){ c->idtr.base, c->idtr.limit };
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = mmu_pdptrs(e->v->mmu)[i];
}

void svm_copy_out_some(struct svm_executor *e)
{
	e->v->cpu.rip = e->x.s.rip;
}

void svm_copy_out(struct svm_executor *e)
{
	struct cpu *c = &e->v->cpu;
	const struct svm_state *s = &e->x.s;

	bool wide = svm_mode64(s);

	for (unsigned i = 0; i < 16; i++)
		c->gpr[i] = wide || i >= 8 ? s->gpr[i] : (uint32_t)s->gpr[i];
	c->rip = wide ? s->rip : (uint32_t)s->rip;
	c->dr[6] = (uint32_t)s->dr6;
	c->dr[7] = (uint32_t)s->dr7;
	cpu_set_eflags(c, (uint32_t)s->rflags);
	segments_out(c, s);
	segment_out(&c->ldtr, &s->ldtr, ~(uint32_t)SA_L);
	segment_out(&c->tr, &s->tr, ~(uint32_t)SA_L);
	c->gdtr = (struct dt_reg){ .base = s->gdtr.base, .limit = s->gdtr.limit };
	c->idtr = (struct dt_reg){ .base = s->idtr.base, .limit = s->idtr.limit };
	c->cpl = s->cpl;
	c->star = s->msr[SVM_STAR];
	c->lstar = s->msr[SVM_LSTAR];
	c->cstar = s->msr[SVM_CSTAR];
	c->fmask = s->msr[SVM_SFMASK];
	c->kernel_gs_base = s->msr[SVM_KERNEL_GS_BASE];
	c->sysenter_cs = s->msr[SVM_SYSENTER_CS];
	c->sysenter_esp = s->msr[SVM_SYSENTER_ESP];
	c->sysenter_eip = s->msr[SVM_SYSENTER_EIP];
	c->pat = s->pat;
	c->efer = s->efer;
	c->cr0 = (uint32_t)s->cr0;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = (uint32_t)s->cr4;
	c->shadow = s->shadow ? SHADOW_STI : 0;
	c->nmi_blocked = s->nmi_blocked;
	c->halted = 0;
}
