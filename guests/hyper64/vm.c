/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest as both back ends see it: its memory, its descriptor and page tables, and its initial registers.
 */
#include "guests/hyper64/hyper.h"

#define ALIGNED __attribute__((aligned(4096)))
enum { PDPT = 0x1000, PD = 0x2000, PT = 0x3000 };

const struct backend *be;
u64 regs[REGS];
struct exit out;
u8 ram[G_BYTES] ALIGNED;
static u64 shadow_pml4[512] ALIGNED, shadow_pdpt[512] ALIGNED, shadow_pd[512] ALIGNED, shadow_pt[512] ALIGNED;

u64 vm_at(enum mode m, u64 offset)
{
	return m == COMPAT || m == FLAT ? offset : HIGH + offset;
}

static void descriptors(enum mode m)
{
	u64 base = vm_at(m, G_TSS), *gdt = ram64(G_GDT);
	struct tss *t = (struct tss *)(ram + G_TSS);

	gdt[SEL_LONG / 8] = 0x00af9b000000ffff;
	gdt[SEL_DATA / 8] = 0x00cf93000000ffff;
	gdt[SEL_CODE32 / 8] = 0x00cf9b000000ffff;
	gdt[SEL_GUEST_TSS / 8] =
	    (sizeof(*t) - 1) | (base & 0xffffff) << 16 | 0x8bull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_GUEST_TSS / 8 + 1] = base >> 32;
	t->rsp[0] = vm_at(m, G_STACK - 0x400);
	t->ist[0] = vm_at(m, G_STACK_IST);
	t->iomap = sizeof(*t);
	for (u32 v = 0; v < 256; v++) {
		u64 at = vm_at(m, handler(v));

		((struct gate *)(ram + G_IDT))[v] = (struct gate){
			.offset0 = (u16)at,
			.sel = SEL_LONG,
			.type = v == 3 ? 0xee : 0x8e,
			.offset16 = (u16)(at >> 16),
			.offset32 = (u32)(at >> 32),
		};
		memcpy(ram + handler(v), be->hypercall, 3);
	}
}

/* Both ranges by one table. */
static void tables(u64 *pml4, u64 *pdpt, u64 *pd, u64 pdpt_at, u64 pd_at, u64 pt_at)
{
	pml4[0] = pml4[HIGH >> 39 & 511] = pdpt_at | 7;
	pdpt[0] = pd_at | 7;
	pd[0] = pt_at | 7;
}

static void paging(void)
{
	u64 *pt = ram64(G_TABLES + PT);

	tables(ram64(G_TABLES), ram64(G_TABLES + PDPT), ram64(G_TABLES + PD), G_TABLES + PDPT, G_TABLES + PD,
	       G_TABLES + PT);
	tables(shadow_pml4, shadow_pdpt, shadow_pd, phys_of(shadow_pdpt), phys_of(shadow_pd),
	       phys_of(shadow_pt));
	for (u64 p = 0; p < G_BYTES / 4096; p++) {
		pt[p] = p << 12 | 7;
		shadow_pt[p] = phys_of(ram + 4096 * p) | 7;
	}
	pt[G_ABSENT / 4096] = shadow_pt[G_ABSENT / 4096] = 0;
}

static void segments(enum mode m)
{
	bool narrow = m == COMPAT || m == FLAT;

	be->set_segment(SEG_CS, narrow ? SEL_CODE32 : SEL_LONG, 0, ~0u, narrow ? 0xc09b : 0xa09b);
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		if (s != SEG_CS)
			be->set_segment(s, SEL_DATA, 0, ~0u, 0xc093);
	be->set_segment(SEG_LDTR, 0, 0, 0, UNUSABLE);
	be->set_segment(SEG_TR, SEL_GUEST_TSS, vm_at(m, G_TSS), sizeof(struct tss) - 1, 0x8b);
}

void vm_reset(enum mode m)
{
	bool on = m != FLAT;

	memset(ram, 0, sizeof(ram));
	memset(regs, 0, sizeof(regs));
	be->reset(m);
	be->set(S_CR0, on ? 0x80010031 : 0x31);
	be->set(S_CR3, m == SHADOW ? phys_of(shadow_pml4) : on ? G_TABLES : 0);
	be->set(S_CR4, on ? CR4_PAE : 0);
	be->efer(on ? EFER_LME | EFER_LMA : 0);
	be->set(S_EFLAGS, 2);
	be->set(S_DR7, 0x400);
	be->set(S_ESP, vm_at(m, G_STACK));
	be->set(S_EIP, vm_at(m, G_CODE));
	be->set(S_GDT_BASE, vm_at(m, G_GDT));
	be->set(S_GDT_LIMIT, 6 * 8 - 1);
	be->set(S_IDT_BASE, vm_at(m, G_IDT));
	be->set(S_IDT_LIMIT, 0xfff);
	segments(m);
	descriptors(m);
	paging();
}

void vm_code(const u8 *code, u64 len)
{
	memcpy(ram + G_CODE, code, len);
	memcpy(ram + G_CODE + len, be->hypercall, 3);
}
