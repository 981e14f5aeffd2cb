/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest as both back ends see it: its memory, its descriptor and page tables, and its initial registers.
 */
#include "guests/hyper/hyper.h"

#define ALIGNED __attribute__((aligned(4096)))

const struct backend *be;
struct regs regs;
struct exit out;
u8 ram[G_BYTES] ALIGNED;
u32 shadow_table[1024] ALIGNED;
static u32 shadow_dir[1024] ALIGNED;

static void descriptors(void)
{
	u64 *gdt = (u64 *)(ram + G_GDT), *idt = (u64 *)(ram + G_IDT);
	struct tss *t = (struct tss *)(ram + G_TSS), *t2 = (struct tss *)(ram + G_TSS2);

	gdt[1] = descriptor(0, 0xfffff, A_CODE | 1 | A_32 | A_PAGES);
	gdt[2] = descriptor(0, 0xfffff, A_DATA | 1 | A_32 | A_PAGES);
	gdt[3] = descriptor(0, 0xfffff, A_CODE_USER | 1 | A_32 | A_PAGES);
	gdt[4] = descriptor(0, 0xfffff, A_DATA_USER | 1 | A_32 | A_PAGES);
	gdt[5] = descriptor(G_TSS, G_TSS_SIZE - 1, 0x8b);
	gdt[6] = descriptor(G_TSS2, sizeof(*t2) - 1, 0x89);
	gdt[7] = descriptor(G_FREE, 0xff, 0x82);	/* an LDT */
	gdt[8] = descriptor(0, 0xfffff, A_DATA & 0x7f); /* not present */
	gdt[9] = (u64)0x30 << 16 | (u64)0xe500 << 32;	/* a task gate to gdt[6] */
	t->ss0 = SEL_KDATA;
	t->esp0 = G_STACK - 0x400;
	t->iomap = sizeof(*t);
	ram[G_TSS + G_TSS_SIZE - 1] = 0xff;
	*t2 = (struct tss){ .eip = handler(0x80),
			    .cs = SEL_KCODE,
			    .ss = SEL_KDATA,
			    .ds = SEL_KDATA,
			    .es = SEL_KDATA,
			    .esp = G_STACK - 0x800,
			    .eflags = 2,
			    .cr3 = be->get(S_CR3) };
	for (u32 v = 0; v < 256; v++) {
		u32 type = v == 3 || v == 4 || v == 0x80 ? 0xee00 : 0x8e00;

		idt[v] = (u64)(handler(v) & 0xffff0000u) << 32 | (u64)type << 32 | SEL_KCODE << 16 |
			 (handler(v) & 0xffff);
	}
}

static void vectors_of_real_mode(void)
{
	for (u32 v = 0; v < 256; v++)
		ram32(0)[v] = handler(v);
}

static void tables(void)
{
	ram32(G_DIR)[0] = G_TABLE | 7;
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		ram32(G_TABLE)[p] = p << 12 | 7;
	ram32(G_TABLE)[G_ABSENT / 4096] = 0;
	memset(shadow_table, 0, sizeof(shadow_table));
	memset(shadow_dir, 0, sizeof(shadow_dir));
	shadow_dir[0] = phys_of(shadow_table) | 7;
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		shadow_table[p] = phys_of(ram + 4096 * p) | 7;
	shadow_table[G_ABSENT / 4096] = 0;
	for (u32 p = 0; p < G_BYTES / 4096; p++)
		be->nested(p, phys_of(ram + 4096 * p), RIGHT_ALL);
	be->nested(G_READONLY / 4096, phys_of(ram + G_READONLY), RIGHT_R | RIGHT_X);
	be->nested(G_HOLE / 4096, 0, 0);
}

static void segments(enum mode m)
{
	bool real = m == REAL;
	u32 limit = real ? 0xffff : 0xffffffff;

	be->set_segment(SEG_CS, real ? 0 : SEL_KCODE, 0, limit, real ? 0x9b : 0xc09b);
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		if (s != SEG_CS)
			be->set_segment(s, real ? 0 : SEL_KDATA, 0, limit, real ? 0x93 : 0xc093);
	be->set_segment(SEG_LDTR, 0, 0, 0, UNUSABLE);
	be->set_segment(SEG_TR, SEL_TSS, G_TSS, G_TSS_SIZE - 1, 0x8b);
}

void vm_reset(enum mode m)
{
	memset(ram, 0, sizeof(ram));
	memset(&regs, 0, sizeof(regs));
	be->reset(m);
	be->set(S_CR0, (m == PAGED || m == SHADOW ? 0x80010000 : 0) | (m == REAL ? 0 : 1) | 0x30);
	be->set(S_CR3, m == PAGED ? G_DIR : m == SHADOW ? phys_of(shadow_dir) : 0);
	be->set(S_EFLAGS, 2);
	be->set(S_DR7, 0x400);
	be->set(S_ESP, G_STACK);
	be->set(S_EIP, G_CODE);
	be->set(S_GDT_BASE, G_GDT);
	be->set(S_GDT_LIMIT, 10 * 8 - 1);
	be->set(S_IDT_BASE, m == REAL ? 0 : G_IDT);
	be->set(S_IDT_LIMIT, m == REAL ? 0x3ff : 0x7ff);
	be->cpl(0);
	segments(m);
	if (m == REAL)
		vectors_of_real_mode();
	descriptors();
	tables();
	for (u32 v = 0; v < 256; v++)
		memcpy(ram + handler(v), be->hypercall, 3);
}

void vm_code(const u8 *code, u32 len)
{
	memcpy(ram + G_CODE, code, len);
	memcpy(ram + G_CODE + len, be->hypercall, 3);
}

void vm_user(void)
{
	be->set_segment(SEG_CS, SEL_UCODE, 0, 0xffffffff, 0xc0fb);
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		if (s != SEG_CS)
			be->set_segment(s, SEL_UDATA, 0, 0xffffffff, 0xc0f3);
	be->cpl(3);
}

void vm_map(u32 page, u32 machine)
{
	shadow_table[page] = machine | 7;
	be->nested(page, machine, RIGHT_ALL);
}
