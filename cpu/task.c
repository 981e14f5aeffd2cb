/* SPDX-License-Identifier: GPL-3.0-or-later
 * The task-state segment: stacks for inner rings, hardware task switches with their busy, NT and link rules,
 * I/O permission (SDM vol. 3A ch. 7). TSS accesses have supervisor rights at any CPL. */
#include "base/log.h"
#include "cpu/cpu_int.h"
#include "cpu/virt.h"
#include "x86/tss.h"

static bool tr_is32(const struct cpu *c)
{
	return c->tr.attr & DT_32BIT;
}

int tss_stack(struct vcpu *v, unsigned dpl, uint16_t *ss, uint32_t *esp, unsigned ext)
{
	struct cpu *c = &v->cpu;
	bool is32 = tr_is32(c);
	uint32_t off = is32 ? 4 + dpl * 8 : 2 + dpl * 4;
	uint32_t w[2] = { 0, 0 };

	if (RARE((c->tr.attr & SA_UNUSABLE) || off + (is32 ? 5 : 3) > c->tr.limit))
		return cpu_raise_err(c, EXC_TS, sel_err(c->tr.sel, ext));
	if (mmu_read(v->mmu, (uint32_t)(c->tr.base + off), w, is32 ? 6 : 4, MM_READ))
		return -1;
	*esp = is32 ? w[0] : w[0] & 0xffff;
	*ss = (uint16_t)(is32 ? w[1] : w[0] >> 16);
	return 0;
}

int tss_fetch(struct vcpu *v, uint16_t sel, struct desc *d, unsigned ext)
{
	struct cpu *c = &v->cpu;

	if (sel_null(sel) || (sel & SEL_TI))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	if (desc_fetch(v, sel, d, EXC_GP, ext))
		return -1;
	if (!desc_tss_free(d))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	if (!(d->hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, ext));
	return 0;
}

/* Convert a 16-bit TSS to the 32-bit form. FS and GS become null. It has no upper halves of the general
 * registers: processors set them to FFFFh. */
static void widen(struct tss32 *t, const struct tss16 *s)
{
	*t = (struct tss32){ .link = s->link, .eip = s->ip, .eflags = s->flags, .ldt = s->ldt };
	for (unsigned i = 0; i < 8; i++)
		t->gpr[i] = 0xffff0000 | s->gpr[i];
	for (unsigned i = 0; i < 4; i++)
		t->seg[i] = s->seg[i];
}

static int tss_read(struct vcpu *v, const struct desc *d, struct tss32 *t)
{
	struct tss16 s;

	if (desc_type(d) & DT_32BIT)
		return mmu_read(v->mmu, desc_base(d), t, sizeof(*t), MM_READ);
	if (mmu_read(v->mmu, desc_base(d), &s, sizeof(s), MM_READ))
		return -1;
	widen(t, &s);
	return 0;
}

static int save32(struct vcpu *v, uint32_t eip, uint32_t flags)
{
	struct cpu *c = &v->cpu;
	struct tss32 t;

	t.eip = eip;
	t.eflags = flags;
	for (unsigned i = 0; i < 8; i++)
		t.gpr[i] = (uint32_t)c->gpr[i];
	for (unsigned i = 0; i < SEG_COUNT; i++)
		t.seg[i] = c->seg[i].sel;
	return mmu_write(v->mmu, (uint32_t)(c->tr.base + offsetof(struct tss32, eip)), &t.eip,
			 offsetof(struct tss32, ldt) - offsetof(struct tss32, eip), MM_WRITE);
}

static int save16(struct vcpu *v, uint32_t eip, uint32_t flags)
{
	struct cpu *c = &v->cpu;
	struct tss16 t;

	t.ip = (uint16_t)eip;
	t.flags = (uint16_t)flags;
	for (unsigned i = 0; i < 8; i++)
		t.gpr[i] = (uint16_t)c->gpr[i];
	for (unsigned i = 0; i < 4; i++)
		t.seg[i] = c->seg[i].sel;
	return mmu_write(v->mmu, (uint32_t)(c->tr.base + offsetof(struct tss16, ip)), &t.ip,
			 offsetof(struct tss16, ldt) - offsetof(struct tss16, ip), MM_WRITE);
}

static int set_busy(struct vcpu *v, uint32_t at, bool busy)
{
	uint32_t hi;

	if (mmu_read(v->mmu, (uint32_t)(at + 4), &hi, 4, MM_READ))
		return -1;
	hi = busy ? hi | D_BUSY : hi & ~(uint32_t)D_BUSY;
	return mmu_write(v->mmu, (uint32_t)(at + 4), &hi, 4, MM_WRITE);
}

/* Write everything that must be in memory before the new task is loaded. Leaves the processor's state
 * unchanged. */
static int leave_old(struct vcpu *v, struct desc *d, enum task_via via, uint32_t eip, uint32_t flags)
{
	struct cpu *c = &v->cpu;
	bool nested = via == TASK_CALL || via == TASK_INT;
	uint16_t link = c->tr.sel;

	if (via == TASK_IRET)
		flags &= ~(uint32_t)FL_NT;
	if (tr_is32(c) ? save32(v, eip, flags) : save16(v, eip, flags))
		return -1;
	if (nested && mmu_write(v->mmu, desc_base(d), &link, 2, MM_WRITE))
		return -1;
	if (!nested && set_busy(v, c->gdtr.base + (c->tr.sel & SEL_INDEX), false))
		return -1;
	return via == TASK_IRET ? 0 : set_busy(v, d->at, true);
}

static int load_ldt(struct vcpu *v, uint16_t sel, unsigned ext)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	c->ldtr = seg_null(sel);
	if (sel_null(sel))
		return 0;
	if (sel & SEL_TI)
		return cpu_raise_err(c, EXC_TS, sel_err(sel, ext));
	if (desc_fetch(v, sel, &d, EXC_TS, ext))
		return -1;
	if (desc_type(&d) != DT_LDT || !(d.hi & D_P))
		return cpu_raise_err(c, EXC_TS, sel_err(sel, ext));
	desc_cache(&d, sel, &c->ldtr);
	return 0;
}

static int load_cs(struct vcpu *v, uint16_t sel, unsigned ext)
{
	struct cpu *c = &v->cpu;
	unsigned rpl = sel & 3;
	struct desc d;

	if (sel_null(sel))
		return cpu_raise_err(c, EXC_TS, ext);
	if (desc_fetch(v, sel, &d, EXC_TS, ext))
		return -1;
	if (!desc_code(&d) || (desc_conforming(&d) ? desc_dpl(&d) > rpl : desc_dpl(&d) != rpl))
		return cpu_raise_err(c, EXC_TS, sel_err(sel, ext));
	if (!(d.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, ext));
	if (desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &c->seg[SEG_CS]);
	return 0;
}

static int load_ss(struct vcpu *v, uint16_t sel, unsigned ext)
{
	struct desc d;

	if (desc_fetch_ss(v, sel, v->cpu.cpl, &d, EXC_TS, ext) || desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &v->cpu.seg[SEG_SS]);
	return 0;
}

static int load_data(struct vcpu *v, enum seg s, uint16_t sel, unsigned ext)
{
	struct desc d;

	if (sel_null(sel))
		return 0;
	if (desc_fetch_data(v, sel, v->cpu.cpl, &d, EXC_TS, ext) || desc_touch(v, &d))
		return -1;
	desc_cache(&d, sel, &v->cpu.seg[s]);
	return 0;
}

static int load_segs(struct vcpu *v, const struct tss32 *t, unsigned ext)
{
	static const uint8_t data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	struct cpu *c = &v->cpu;

	if (load_ldt(v, (uint16_t)t->ldt, ext))
		return -1;
	if (cpu_v86(c)) {
		for (unsigned i = 0; i < SEG_COUNT; i++)
			c->seg[i] = seg_v86((uint16_t)t->seg[i]);
		return 0;
	}
	if (load_cs(v, (uint16_t)t->seg[SEG_CS], ext) || load_ss(v, (uint16_t)t->seg[SEG_SS], ext))
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(data); i++)
		if (load_data(v, data[i], (uint16_t)t->seg[data[i]], ext))
			return -1;
	return 0;
}

static int load_cr3(struct vcpu *v, uint32_t cr3)
{
	struct cpu *c = &v->cpu;

	if ((c->cr4 & CR4_PAE) && mmu_load_pdptrs(v->mmu, cr3))
		return -1;
	c->cr3 = cr3;
	mmu_flush(v->mmu, false);
	return 0;
}

/* Load the new task after the point of no return: registers first, then everything that can fault in it. */
static int enter_new(struct vcpu *v, const struct tss32 *t, unsigned ext)
{
	struct cpu *c = &v->cpu;
	uint32_t flags = t->eflags;

	cpu_set_eflags(c, flags);
	c->rip = t->eip;
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = t->gpr[i];
	for (unsigned i = 0; i < SEG_COUNT; i++)
		c->seg[i] = seg_null((uint16_t)t->seg[i]);
	c->cpl = flags & FL_VM ? 3 : t->seg[SEG_CS] & 3;
	if ((c->cr0 & CR0_PG) && (c->tr.attr & DT_32BIT) && load_cr3(v, t->cr3))
		return -1;
	if (load_segs(v, t, ext))
		return -1;
	if (t->eip > c->seg[SEG_CS].limit)
		return cpu_raise_err(c, EXC_GP, ext);
	return 0;
}

/* Guest mode: a task switch exits. */
static int guest_task_switch(struct vcpu *v, uint16_t sel, enum task_via via, uint32_t eip)
{
	struct virt_insn i = { .id = VIRT_TASK_SWITCH, .selector = sel, .how = (uint8_t)via, .next = eip };

	return v->virt->ops->intercept(v, &i);
}

int task_switch(struct vcpu *v, uint16_t sel, struct desc *d, enum task_via via, uint32_t eip, uint32_t flags,
		unsigned ext)
{
	struct cpu *c = &v->cpu;
	bool is32 = desc_type(d) & DT_32BIT;
	struct tss32 t;

	if (RARE(virt_wants(v, VIRT_TASK_SWITCH)) && guest_task_switch(v, sel, via, eip))
		return -1;
	if (desc_limit(d) < (is32 ? sizeof(struct tss32) : sizeof(struct tss16)) - 1)
		return cpu_raise_err(c, EXC_TS, sel_err(sel, ext));
	if (tss_read(v, d, &t) || leave_old(v, d, via, eip, flags))
		return -1;
	LOG(cpu, "task switch %04x -> %04x eip %08x", c->tr.sel, sel, t.eip);
	if (via == TASK_CALL || via == TASK_INT)
		t.eflags |= FL_NT;
	d->hi |= D_BUSY;
	desc_cache(d, sel, &c->tr);
	c->cr0 |= CR0_TS;
	c->dr[7] &= ~(uint32_t)DR7_LOCAL;
	c->shadow = 0;
	if (enter_new(v, &t, ext))
		return -1;
	if (is32 && (t.trap & 1)) {
		c->dr[6] |= DR6_BT;
		return cpu_raise(c, EXC_DB);
	}
	return 0;
}

/* The linear address of byte OFF of the TSS. */
static uint64_t tss_linear(const struct cpu *c, uint32_t off)
{
	uint64_t at = c->tr.base + off;

	return cpu_long(c) ? at : (uint32_t)at;
}

/* The TSS of IA-32e mode has its map base where the 32-bit TSS has it (SDM vol. 3A 7.7). */
int cpu_io_check(struct vcpu *v, uint16_t port, unsigned size)
{
	struct cpu *c = &v->cpu;
	uint16_t map, bits;
	uint32_t at;

	if (!cpu_pe(c) || (!cpu_v86(c) && c->cpl <= cpu_iopl(c)))
		return 0;
	if ((c->tr.attr & SA_UNUSABLE) || !tr_is32(c) || c->tr.limit < sizeof(struct tss32) - 1)
		return cpu_raise_err(c, EXC_GP, 0);
	if (mmu_read(v->mmu, tss_linear(c, offsetof(struct tss32, iomap)), &map, 2, MM_READ))
		return -1;
	at = map + port / 8u;
	if (at + 1 > c->tr.limit)
		return cpu_raise_err(c, EXC_GP, 0);
	if (mmu_read(v->mmu, tss_linear(c, at), &bits, 2, MM_READ))
		return -1;
	if (bits >> (port & 7) & ((1u << size) - 1))
		return cpu_raise_err(c, EXC_GP, 0);
	return 0;
}
