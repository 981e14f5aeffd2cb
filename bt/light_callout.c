/* SPDX-License-Identifier: GPL-3.0-or-later
 * The callouts (callout.h). Each puts cpu.rip at its instruction, lets a
 * semantic function of sys.h do the work, and says where to go on. Built with
 * -mgeneral-regs-only: unless a site is heavy, the guest's x87 and SSE registers
 * are live meanwhile. */
#include "bt/callout.h"

/* icount: the fragment was charged whole; give back what did not run. */
static void unwind(struct bt_vcpu *b, const struct site *s, unsigned done)
{
	if (s->ccf == b->transient)
		b->step_done = done;
	else if (b->icount)
		b->budget += s->ccf->ninsn - (s->insn + done);
}

static void begin(struct bt_vcpu *b, struct site *s)
{
	s->count++;
	s->ccf->callouts++;
	b->st.callouts[s->kind]++;
	b->v.cpu.rip = s->eip;
	if (b->icount)
		b->v.icount = bt_icount_at(b, s);
}

static uint64_t raise_here(struct bt_vcpu *b, struct site *s)
{
	unwind(b, s, 0);
	return light_raise(b);
}

void callout_begin(struct bt_vcpu *b, struct site *s) { begin(b, s); }
uint64_t callout_raise(struct bt_vcpu *b, struct site *s) { return raise_here(b, s); }

/* The instruction is complete and cpu.rip behind it (or at its target): go on there. */
static uint64_t go_on(struct bt_vcpu *b, struct site *s)
{
	unwind(b, s, 1);
	return light_next(b);
}

static uint64_t ended(struct bt_vcpu *b, struct site *s, int r)
{
	return r ? raise_here(b, s) : go_on(b, s);
}

/* An instruction in the middle of a TU: behind the call unless it faulted. */
static uint64_t inline_done(struct bt_vcpu *b, struct site *s, int r)
{
	return r ? raise_here(b, s) : 0;
}

uint64_t co_raise(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	if (s->imm2)
		cpu_raise_err(&b->v.cpu, s->code, s->imm);
	else
		cpu_raise(&b->v.cpu, s->code);
	return raise_here(b, s);
}

uint64_t co_intr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->next;
	unwind(b, s, 1);
	return light_exit(b, b->stepping ? XC_STEPPED : XC_POLL);
}

uint64_t co_shadow(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	b->v.cpu.shadow = 1;
	return co_intr(b, s, ea);
}

uint64_t co_budget(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->ccf->eip;
	b->budget += s->ccf->ninsn;
	return light_exit(b, XC_LOOKUP);
}

uint64_t co_stale(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->ccf->eip;
	if (b->icount)
		b->budget += s->ccf->ninsn;
	b->stale = s->ccf;
	return light_exit(b, XC_STALE);
}

uint64_t co_break(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	b->v.cpu.rip = s->eip;
	if (b->icount)
		b->budget += s->ccf->ninsn;
	return light_exit(b, XC_BREAK);
}

/* ---- segments ---- */

static int seg_fault(struct bt_vcpu *b, unsigned seg)
{
	return cpu_raise_err(&b->v.cpu, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

uint64_t co_seg_fault(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	seg_fault(b, s->seg);
	return raise_here(b, s);
}

uint64_t co_cs_check(struct bt_vcpu *b, struct site *s, uint32_t eip)
{
	begin(b, s);
	if (eip <= b->v.cpu.seg[SEG_CS].limit)
		return 0;
	cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return raise_here(b, s);
}

/* SDM vol. 3A 5.3, 5.4: type and limit of one access. */
uint64_t co_seg_check(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	const struct seg_cache *g = &b->v.cpu.seg[s->seg];
	uint64_t last = (uint64_t)ea + s->imm - 1;
	bool prot = (b->mode & MODE_PE) && !(b->mode & MODE_VM);
	bool ok = !(g->attr & SA_UNUSABLE) && (g->attr & SA_P);

	begin(b, s);
	if (ok && prot && (g->attr & SA_CODE))
		ok = (g->attr & SA_RW) && !s->code;
	else if (ok && prot && s->code)
		ok = g->attr & SA_RW;
	if (ok && !(g->attr & SA_CODE) && (g->attr & SA_EC) && prot)
		ok = ea > g->limit && last <= (g->attr & SA_DB ? 0xffffffffull : 0xffff);
	else if (ok)
		ok = last <= g->limit;
	if (ok)
		return 0;
	seg_fault(b, s->seg);
	return raise_here(b, s);
}

static void pop_bytes(struct cpu *c, unsigned n)
{
	if (c->seg[SEG_SS].attr & SA_DB)
		c->gpr[R_ESP] = (uint32_t)(c->gpr[R_ESP] + n);
	else
		c->gpr[R_ESP] = (c->gpr[R_ESP] & 0xffff0000) | ((c->gpr[R_ESP] + n) & 0xffff);
}

static uint64_t after_seg_load(struct bt_vcpu *b, struct site *s, unsigned seg)
{
	struct cpu *c = &b->v.cpu;

	if (light_mode(c) == b->mode)
		return 0;
	c->rip = s->next;
	if (seg == SEG_SS)
		c->shadow = 1;
	return go_on(b, s);
}

uint64_t co_load_seg(struct bt_vcpu *b, struct site *s, uint32_t sel)
{
	struct cpu *c = &b->v.cpu;
	uint32_t old_attr = c->seg[SEG_SS].attr;

	begin(b, s);
	if (sys_load_seg(&b->v, s->seg, (uint16_t)sel))
		return raise_here(b, s);
	if (s->imm) {
		uint32_t new_attr = c->seg[SEG_SS].attr;

		c->seg[SEG_SS].attr = old_attr; /* the pop used the old stack size */
		pop_bytes(c, s->imm);
		c->seg[SEG_SS].attr = new_attr;
	}
	return after_seg_load(b, s, s->seg);
}

static int read_pointer(struct bt_vcpu *b, struct site *s, uint32_t ea, uint32_t *off, uint16_t *sel)
{
	uint8_t p[6];

	if (sys_read(&b->v, s->seg, ea, p, s->op + 2))
		return -1;
	*off = s->op == 2 ? (uint32_t)(p[0] | p[1] << 8) : p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
	*sel = (uint16_t)(p[s->op] | p[s->op + 1] << 8);
	return 0;
}

static void set_reg(struct cpu *c, unsigned r, unsigned op, uint32_t v)
{
	if (op == 2)
		c->gpr[r] = (c->gpr[r] & 0xffff0000) | (v & 0xffff);
	else
		c->gpr[r] = v;
}

uint64_t co_load_far(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t off = 0;
	uint16_t sel = 0;

	begin(b, s);
	if (read_pointer(b, s, ea, &off, &sel) || sys_load_seg(&b->v, s->reg2, sel))
		return raise_here(b, s);
	set_reg(&b->v.cpu, s->reg, s->op, off);
	return after_seg_load(b, s, s->reg2);
}

/* ---- far transfers ---- */

static int far_go(struct bt_vcpu *b, struct site *s, uint16_t sel, uint32_t off)
{
	if (s->code == FAR_JMP)
		return sys_jmp_far(&b->v, sel, off, s->op, s->next);
	return sys_call_far(&b->v, sel, off, s->op, s->next);
}

uint64_t co_far_imm(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, far_go(b, s, (uint16_t)s->imm2, s->imm));
}

uint64_t co_far_mem(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t off = 0;
	uint16_t sel = 0;

	begin(b, s);
	if (read_pointer(b, s, ea, &off, &sel))
		return raise_here(b, s);
	return ended(b, s, far_go(b, s, sel, off));
}

uint64_t co_far_ret(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_ret_far(&b->v, s->op, s->imm));
}

uint64_t co_iret(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	if (sys_iret(&b->v, s->op, s->next))
		return raise_here(b, s);
	/* Back from a page fault to the instruction that had it: it will touch the page. */
	if (b->pf_armed && cpu_pc(&b->v.cpu) == b->pf_pc) {
		b->pf_armed = false;
		light_select(b);
		mmu_prefill(b->v.mmu, b->pf_lin);
	}
	return go_on(b, s);
}

uint64_t co_int(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	b->no_trap = true; /* entering the handler cleared TF: no trap after this one */
	light_event(b, ENGINE_EV_INT, s->imm, 0, false, cpu_pc(&b->v.cpu));
	return ended(b, s, sys_soft_int(&b->v, s->imm, s->code, s->next));
}

uint64_t co_sysenter(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_sysenter(&b->v));
}

uint64_t co_sysexit(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_sysexit(&b->v));
}

uint64_t co_hlt(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	if (sys_hlt(&b->v, s->next))
		return raise_here(b, s);
	unwind(b, s, 1);
	return light_exit(b, XC_HALT);
}

/* ---- flags ---- */

uint64_t co_pushf(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return inline_done(b, s, sys_pushf(&b->v, s->op, s->next));
}

uint64_t co_popf(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_popf(&b->v, s->op, s->next));
}

uint64_t co_cli(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return inline_done(b, s, sys_cli(&b->v, s->next));
}

uint64_t co_sti(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_sti(&b->v, s->next));
}

/* ---- ports and device memory ---- */

/* After a device was touched: an interrupt may have become deliverable. */
static uint64_t after_device(struct bt_vcpu *b, struct site *s)
{
	struct cpu *c = &b->v.cpu;
	bool pending = b->v.plat.irq_pending(b->v.plat.ctx);

	b->intr_wait = pending;
	if (!(pending && c->intf) && !b->stop && !mmu_stale(b->v.mmu) &&
	    !(b->icount && b->v.icount_limit != b->limit0))
		return 0;
	if (b->stepping)
		return 0;
	c->rip = s->next;
	unwind(b, s, 1);
	return light_exit(b, XC_POLL);
}

static uint16_t port_of(const struct bt_vcpu *b, const struct site *s)
{
	return s->reg ? (uint16_t)b->v.cpu.gpr[R_EDX] : (uint16_t)s->imm;
}

uint64_t co_in(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint16_t port = port_of(b, s);
	uint32_t v;

	(void)ea;
	begin(b, s);
	if (sys_io_check(&b->v, port, s->op))
		return raise_here(b, s);
	v = b->v.plat.in(b->v.plat.ctx, port, s->op);
	light_event(b, ENGINE_EV_PORT, port, v, false, cpu_pc(c));
	if (s->op == 4)
		c->gpr[R_EAX] = v;
	else if (s->op == 2)
		c->gpr[R_EAX] = (c->gpr[R_EAX] & 0xffff0000) | (v & 0xffff);
	else
		c->gpr[R_EAX] = (c->gpr[R_EAX] & 0xffffff00) | (v & 0xff);
	return after_device(b, s);
}

uint64_t co_out(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t v = (uint32_t)b->v.cpu.gpr[R_EAX];
	uint16_t port = port_of(b, s);

	(void)ea;
	begin(b, s);
	if (sys_io_check(&b->v, port, s->op))
		return raise_here(b, s);
	v = s->op == 4 ? v : s->op == 2 ? v & 0xffff : v & 0xff;
	light_event(b, ENGINE_EV_PORT, port, v, true, cpu_pc(&b->v.cpu));
	b->v.plat.out(b->v.plat.ctx, port, s->op, v);
	return after_device(b, s);
}

/* EA is the linear address. The device's bytes go through the bounce buffer. */
uint64_t co_mmio_begin(struct bt_vcpu *b, struct site *s, uint32_t lin)
{
	unsigned how = b->v.cpu.cpl == 3 ? MM_USER : 0;

	begin(b, s);
	b->mmio_lin = lin;
	if (s->reg && mmu_check_write(b->v.mmu, lin, s->imm, how))
		return raise_here(b, s); /* before the instruction changes flags */
	if (s->code && mmu_read(b->v.mmu, lin, b->bounce, s->imm, how))
		return raise_here(b, s);
	return 0;
}

uint64_t co_mmio_end(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	unsigned how = b->v.cpu.cpl == 3 ? MM_USER : 0;

	(void)ea;
	begin(b, s);
	if (mmu_write(b->v.mmu, b->mmio_lin, b->bounce, s->imm, how))
		return raise_here(b, s);
	return after_device(b, s);
}

/* The stack in device memory: push what is in scratch[3], or read there. */
uint64_t co_mmio_push(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return inline_done(b, s, sys_push(&b->v, (uint32_t)b->scratch[3], s->op));
}

uint64_t co_mmio_peek(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t v = 0;

	begin(b, s);
	if (sys_read(&b->v, SEG_SS, b->mode & MODE_B ? ea : ea & 0xffff, &v, s->op))
		return raise_here(b, s);
	b->scratch[3] = v;
	return 0;
}

/* A site that faulted often looks first and calls here: what the fault handler
 * would do, without the host's fault. */
uint64_t co_touch(struct bt_vcpu *b, struct site *s, uint32_t lin)
{
	struct verdict *v = verdict_find(b, s->ccf->cs_base + s->eip);
	struct mmu_fault mf;

	begin(b, s);
	uint64_t start = __builtin_ia32_rdtsc();
	enum mmu_fill fill = mmu_fill(b->v.mmu, lin, s->code ? MM_WRITE : MM_READ, &mf);

	b->touch_cost += ((int64_t)(__builtin_ia32_rdtsc() - start) - (int64_t)b->touch_cost) / 8;
	if (v)
		v->last = start;
	if (fill != FILL_FAULT)
		return 0; /* mapped; or for the fault handler after all */
	cpu_raise_err(&b->v.cpu, EXC_PF, mf.err);
	b->v.cpu.exc.cr2 = lin;
	b->pf_armed = true;
	b->pf_pc = cpu_pc(&b->v.cpu);
	b->pf_lin = lin;
	return raise_here(b, s);
}

/* ---- strings, element by element ---- */

static uint32_t arith_flags(uint32_t a, uint32_t x, unsigned size)
{
	/* CMP a, x at the operand size, by the host */
	uint64_t f;

	switch (size) {
	case 1:
		__asm__("cmpb %b2, %b1; pushfq; popq %0" : "=r"(f) : "q"(a), "q"(x) : "cc");
		break;
	case 2:
		__asm__("cmpw %w2, %w1; pushfq; popq %0" : "=r"(f) : "r"(a), "r"(x) : "cc");
		break;
	default:
		__asm__("cmpl %2, %1; pushfq; popq %0" : "=r"(f) : "r"(a), "r"(x) : "cc");
	}
	return (uint32_t)f & FL_ARITH;
}

static uint32_t areg(const struct cpu *c, const struct site *s, unsigned r)
{
	return s->asize == 2 ? c->gpr[r] & 0xffff : (uint32_t)c->gpr[r];
}

static void areg_add(struct cpu *c, const struct site *s, unsigned r, int32_t by)
{
	if (s->asize == 2)
		c->gpr[r] = (c->gpr[r] & 0xffff0000) | ((c->gpr[r] + (uint32_t)by) & 0xffff);
	else
		c->gpr[r] = (uint32_t)(c->gpr[r] + (uint32_t)by);
}

static uint32_t mask_size(uint32_t v, unsigned size)
{
	return size == 4 ? v : size == 2 ? v & 0xffff : v & 0xff;
}

/* One iteration. 0, or -1 with an exception and nothing changed. */
static int string_step(struct bt_vcpu *b, const struct site *s)
{
	struct cpu *c = &b->v.cpu;
	uint32_t si = areg(c, s, R_ESI), di = areg(c, s, R_EDI), v = 0, w = 0;
	int32_t by = c->flags & FL_DF ? -(int32_t)s->op : s->op;
	uint16_t port = (uint16_t)c->gpr[R_EDX];

	switch (s->code) {
	case STR_MOVS:
		if (sys_read(&b->v, s->seg, si, &v, s->op) || sys_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	case STR_CMPS:
		if (sys_read(&b->v, s->seg, si, &v, s->op) || sys_read(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		c->flags = (c->flags & ~FL_ARITH) | arith_flags(v, w, s->op);
		break;
	case STR_STOS:
		v = (uint32_t)c->gpr[R_EAX];
		if (sys_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	case STR_LODS:
		if (sys_read(&b->v, s->seg, si, &v, s->op))
			return -1;
		if (s->op == 4)
			c->gpr[R_EAX] = v;
		else
			c->gpr[R_EAX] = (c->gpr[R_EAX] & (s->op == 2 ? 0xffff0000 : 0xffffff00)) | v;
		break;
	case STR_SCAS:
		if (sys_read(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		c->flags = (c->flags & ~FL_ARITH) | arith_flags(mask_size((uint32_t)c->gpr[R_EAX], s->op), w, s->op);
		break;
	case STR_INS:
		/* The destination must be writable before the device is read. */
		if (sys_io_check(&b->v, port, s->op) || sys_read(&b->v, SEG_ES, di, &w, s->op) ||
		    sys_write(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		v = b->v.plat.in(b->v.plat.ctx, port, s->op);
		if (sys_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	default:
		if (sys_io_check(&b->v, port, s->op) || sys_read(&b->v, s->seg, si, &v, s->op))
			return -1;
		b->v.plat.out(b->v.plat.ctx, port, s->op, v);
	}
	if (s->code != STR_STOS && s->code != STR_SCAS && s->code != STR_INS)
		areg_add(c, s, R_ESI, by);
	if (s->code != STR_LODS && s->code != STR_OUTS)
		areg_add(c, s, R_EDI, by);
	return 0;
}

uint64_t co_string(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;

	(void)ea;
	begin(b, s);
	if (!s->rep) {
		if (string_step(b, s))
			return raise_here(b, s);
		return after_device(b, s);
	}
	for (unsigned n = 0; areg(c, s, R_ECX); n++) {
		if (string_step(b, s))
			return raise_here(b, s);
		areg_add(c, s, R_ECX, -1);
		if ((s->code == STR_CMPS || s->code == STR_SCAS) && !(c->flags & FL_ZF) == (s->rep == 1))
			break;
		/* Interruptible between elements: leave with the state at this instruction. */
		if (n >= 4096 && (b->stop || (b->kick && !b->icount)) && areg(c, s, R_ECX)) {
			unwind(b, s, 0);
			return light_exit(b, b->stepping ? XC_STEPPED : XC_LOOKUP);
		}
	}
	return after_device(b, s);
}

/* ---- identification, time, MSRs ---- */

uint64_t co_cpuid(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return inline_done(b, s, sys_cpuid(&b->v, s->next));
}

uint64_t co_rdtsc(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t t;

	(void)ea;
	begin(b, s);
	if (c->cpl && (c->cr4 & CR4_TSD)) {
		cpu_raise_err(c, EXC_GP, 0);
		return raise_here(b, s);
	}
	t = b->v.plat.tsc(b->v.plat.ctx);
	c->gpr[R_EAX] = (uint32_t)t;
	c->gpr[R_EDX] = t >> 32;
	if (s->code)
		c->gpr[R_ECX] = (uint32_t)c->tsc_aux;
	return 0;
}

uint64_t co_rdmsr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint32_t pc, msr = (uint32_t)c->gpr[R_ECX];
	int r;

	(void)ea;
	begin(b, s);
	pc = cpu_pc(c);
	r = sys_rdmsr(&b->v, s->next);
	if (!r)
		light_event(b, ENGINE_EV_MSR, msr, c->gpr[R_EDX] << 32 | (uint32_t)c->gpr[R_EAX], false, pc);
	return b->event_hit ? ended(b, s, r) : inline_done(b, s, r);
}

uint64_t co_wrmsr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint32_t pc;
	int r;

	(void)ea;
	begin(b, s);
	pc = cpu_pc(c);
	r = sys_wrmsr(&b->v, s->next);
	if (!r)
		light_event(b, ENGINE_EV_MSR, (uint32_t)c->gpr[R_ECX], c->gpr[R_EDX] << 32 | (uint32_t)c->gpr[R_EAX],
			    true, pc);
	return ended(b, s, r);
}

uint64_t co_rdpmc(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	cpu_raise_err(&b->v.cpu, EXC_GP, 0); /* no CPU model of ours has counters */
	return raise_here(b, s);
}

uint64_t co_xgetbv(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;

	(void)ea;
	begin(b, s);
	if (!(c->cr4 & CR4_OSXSAVE)) {
		cpu_raise(c, EXC_UD);
		return raise_here(b, s);
	}
	if ((uint32_t)c->gpr[R_ECX] > 1) {
		cpu_raise_err(c, EXC_GP, 0);
		return raise_here(b, s);
	}
	uint32_t lo, hi;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"((uint32_t)c->gpr[R_ECX]));
	c->gpr[R_EAX] = c->gpr[R_ECX] ? lo & (uint32_t)c->xcr0 : (uint32_t)c->xcr0;
	c->gpr[R_EDX] = c->gpr[R_ECX] ? 0 : c->xcr0 >> 32;
	return 0;
}

uint64_t co_xsetbv(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_xsetbv(&b->v, s->next));
}

/* A small generator (splitmix64), so that two runs see the same "random" numbers. */
uint64_t co_random(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint64_t z = b->random += 0x9e3779b97f4a7c15ull;

	(void)ea;
	begin(b, s);
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	set_reg(&b->v.cpu, s->reg, s->op, (uint32_t)(z ^ z >> 31));
	b->v.cpu.flags = (b->v.cpu.flags & ~FL_ARITH) | FL_CF;
	return 0;
}

/* ---- control registers and tables ---- */

/* The instruction at PC wrote control register N; CR0 was OLD. */
static uint64_t cr_written(struct bt_vcpu *b, struct site *s, int r, unsigned n, uint32_t old, uint32_t pc)
{
	if (!r)
		light_cr_event(b, n, old, pc);
	return ended(b, s, r);
}

uint64_t co_mov_to_cr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t old = b->v.cpu.cr0, pc;

	(void)ea;
	begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	return cr_written(b, s, sys_mov_to_cr(&b->v, s->reg2, (uint32_t)b->v.cpu.gpr[s->reg], s->next), s->reg2, old,
			  pc);
}

uint64_t co_mov_from_cr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t v = 0;
	int r;

	(void)ea;
	begin(b, s);
	r = sys_mov_from_cr(&b->v, s->reg2, &v);
	if (!r)
		b->v.cpu.gpr[s->reg] = v;
	return inline_done(b, s, r);
}

uint64_t co_mov_to_dr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return ended(b, s, sys_mov_to_dr(&b->v, s->reg2, (uint32_t)b->v.cpu.gpr[s->reg], s->next));
}

uint64_t co_mov_from_dr(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t v = 0;
	int r;

	(void)ea;
	begin(b, s);
	r = sys_mov_from_dr(&b->v, s->reg2, &v);
	if (!r)
		b->v.cpu.gpr[s->reg] = v;
	return inline_done(b, s, r);
}

/* The base that SGDT stores and LGDT loads has 24 bits in 16-bit code (LGDT). */
uint64_t co_table(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	struct dt_reg *d = s->code == TAB_SGDT || s->code == TAB_LGDT ? &c->gdtr : &c->idtr;
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) p;

	begin(b, s);
	if (s->code == TAB_SGDT || s->code == TAB_SIDT) {
		p.limit = (uint16_t)d->limit;
		p.base = d->base;
		return inline_done(b, s, sys_write(&b->v, s->seg, ea, &p, 6));
	}
	if (sys_read(&b->v, s->seg, ea, &p, 6))
		return raise_here(b, s);
	if (s->code == TAB_LGDT)
		return ended(b, s, sys_lgdt(&b->v, p.base, p.limit, s->op, s->next));
	return ended(b, s, sys_lidt(&b->v, p.base, p.limit, s->op, s->next));
}

uint64_t co_lldt(struct bt_vcpu *b, struct site *s, uint32_t sel)
{
	begin(b, s);
	return ended(b, s, sys_lldt(&b->v, (uint16_t)sel, s->next));
}

uint64_t co_ltr(struct bt_vcpu *b, struct site *s, uint32_t sel)
{
	begin(b, s);
	return ended(b, s, sys_ltr(&b->v, (uint16_t)sel, s->next));
}

uint64_t co_lmsw(struct bt_vcpu *b, struct site *s, uint32_t val)
{
	uint32_t old = b->v.cpu.cr0, pc;

	begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	return cr_written(b, s, sys_lmsw(&b->v, (uint16_t)val, s->next), 0, old, pc);
}

uint64_t co_clts(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint32_t old = b->v.cpu.cr0, pc;

	(void)ea;
	begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	return cr_written(b, s, sys_clts(&b->v, s->next), 0, old, pc);
}

/* EA is an offset: INVLPG checks no segment limit, only adds the base. */
uint64_t co_invlpg(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	begin(b, s);
	return ended(b, s, sys_invlpg(&b->v, b->v.cpu.seg[s->seg].base + ea, s->next));
}

uint64_t co_nop_cpl0(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	if (!b->v.cpu.cpl)
		return 0;
	cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return raise_here(b, s);
}

uint64_t co_query(struct bt_vcpu *b, struct site *s, uint32_t sel)
{
	struct cpu *c = &b->v.cpu;
	uint32_t out = 0;
	bool zf = false;

	begin(b, s);
	if (!cpu_pe(c) || cpu_v86(c)) {
		cpu_raise(c, EXC_UD);
		return raise_here(b, s);
	}
	if (sys_query_desc(&b->v, s->code, (uint16_t)sel, &out, &zf))
		return raise_here(b, s);
	c->flags = (c->flags & ~(uint32_t)FL_ZF) | (zf ? FL_ZF : 0);
	if (zf && (s->code == SYS_LAR || s->code == SYS_LSL))
		set_reg(c, s->reg, s->op, out);
	return 0;
}

uint64_t co_read_sreg(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	uint16_t sel = b->v.cpu.seg[s->reg2].sel;

	begin(b, s);
	if (s->mem)
		return inline_done(b, s, sys_write(&b->v, s->seg, ea, &sel, 2));
	set_reg(&b->v.cpu, s->reg, s->op, sel);
	return 0;
}

uint64_t co_push_sreg(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	(void)ea;
	begin(b, s);
	return inline_done(b, s, sys_push(&b->v, b->v.cpu.seg[s->reg2].sel, s->op));
}

uint64_t co_arpl(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint16_t dst, src = (uint16_t)c->gpr[s->reg2];

	begin(b, s);
	dst = (uint16_t)c->gpr[s->reg];
	if (s->mem && sys_read(&b->v, s->seg, ea, &dst, 2))
		return raise_here(b, s);
	if ((dst & 3) >= (src & 3)) {
		c->flags &= ~(uint32_t)FL_ZF;
		return 0;
	}
	dst = (uint16_t)((dst & ~3) | (src & 3));
	if (s->mem && sys_write(&b->v, s->seg, ea, &dst, 2))
		return raise_here(b, s);
	if (!s->mem)
		set_reg(c, s->reg, 2, dst);
	c->flags |= FL_ZF;
	return 0;
}

/* ---- what 64-bit mode lost ---- */

uint64_t co_pusha(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP];

	(void)ea;
	begin(b, s);
	for (unsigned r = R_EAX; r <= R_EDI; r++)
		if (sys_push(&b->v, (uint32_t)(r == R_ESP ? esp : c->gpr[r]), s->op)) {
			c->gpr[R_ESP] = esp;
			return raise_here(b, s);
		}
	return 0;
}

uint64_t co_popa(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP];
	uint32_t v[8] = { 0 };

	(void)ea;
	begin(b, s);
	for (int r = R_EDI; r >= R_EAX; r--)
		if (sys_pop(&b->v, &v[r], s->op)) {
			c->gpr[R_ESP] = esp;
			return raise_here(b, s);
		}
	for (unsigned r = R_EAX; r <= R_EDI; r++)
		if (r != R_ESP)
			set_reg(c, r, s->op, v[r]);
	return 0;
}

uint64_t co_enter(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP];
	uint32_t ebp = (uint32_t)c->gpr[R_EBP], frame, v;
	bool big = c->seg[SEG_SS].attr & SA_DB;

	(void)ea;
	begin(b, s);
	if (sys_push(&b->v, ebp, s->op))
		return raise_here(b, s);
	frame = (uint32_t)c->gpr[R_ESP];
	for (unsigned i = 1; i <= s->imm2; i++) {
		if (i < s->imm2) {
			ebp -= s->op;
			v = 0;
			if (sys_read(&b->v, SEG_SS, big ? ebp : ebp & 0xffff, &v, s->op))
				goto fault;
		} else {
			v = frame;
		}
		if (sys_push(&b->v, v, s->op))
			goto fault;
	}
	if (big)
		c->gpr[R_ESP] = (uint32_t)(c->gpr[R_ESP] - s->imm);
	else
		set_reg(c, R_ESP, 2, (uint32_t)c->gpr[R_ESP] - s->imm);
	set_reg(c, R_EBP, s->op, frame);
	return 0;
fault:
	c->gpr[R_ESP] = esp;
	return raise_here(b, s);
}

uint64_t co_bound(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	int32_t lo, hi, v;

	begin(b, s);
	if (s->op == 2) {
		int16_t p[2];

		if (sys_read(&b->v, s->seg, ea, p, 4))
			return raise_here(b, s);
		lo = p[0];
		hi = p[1];
		v = (int16_t)c->gpr[s->reg];
	} else {
		int32_t p[2];

		if (sys_read(&b->v, s->seg, ea, p, 8))
			return raise_here(b, s);
		lo = p[0];
		hi = p[1];
		v = (int32_t)c->gpr[s->reg];
	}
	if (v >= lo && v <= hi)
		return 0;
	cpu_raise(c, EXC_BR);
	return raise_here(b, s);
}

static uint32_t szp(uint8_t v)
{
	return (v & 0x80 ? FL_SF : 0) | (v ? 0 : FL_ZF) | (__builtin_popcount(v) & 1 ? 0 : FL_PF);
}

/* SDM vol. 2: DAA, DAS, AAA, AAS, AAM, AAD. Undefined flags follow the host's
 * family as tests/conform masks them. */
uint64_t co_bcd(struct bt_vcpu *b, struct site *s, uint32_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint8_t al = (uint8_t)c->gpr[R_EAX], ah = (uint8_t)(c->gpr[R_EAX] >> 8), old = al;
	uint32_t f = c->flags, cf = f & FL_CF, af = f & FL_AF, of = f & FL_OF;
	bool low = (al & 0xf) > 9 || af;

	(void)ea;
	begin(b, s);
	switch (s->code) {
	case BCD_DAA:
	case BCD_DAS: {
		int sign = s->code == BCD_DAA ? 1 : -1;
		bool high = old > 0x99 || cf;

		cf = 0;
		if (low) {
			cf = (f & FL_CF) || (sign > 0 ? old > 0xff - 6 : old < 6) ? FL_CF : 0;
			al = (uint8_t)(al + sign * 6);
		}
		af = low ? FL_AF : 0;
		if (high) {
			al = (uint8_t)(al + sign * 0x60);
			cf = FL_CF;
		} else if (s->code == BCD_DAA) {
			cf = 0;
		}
		f = szp(al) | cf | af | of;
		break;
	}
	case BCD_AAA:
	case BCD_AAS: {
		uint16_t ax = (uint16_t)(ah << 8 | al);

		if (low)
			ax = s->code == BCD_AAA ? (uint16_t)(ax + 0x106) : (uint16_t)(ax - 0x106);
		al = ax & 0xf;
		ah = (uint8_t)(ax >> 8);
		f = szp(al) | (low ? FL_CF | FL_AF : 0);
		break;
	}
	case BCD_AAM:
		if (!s->imm) {
			cpu_raise(c, EXC_DE);
			return raise_here(b, s);
		}
		ah = (uint8_t)(al / s->imm);
		al = (uint8_t)(al % s->imm);
		f = szp(al);
		break;
	case BCD_AAD:
		al = (uint8_t)(al + ah * s->imm);
		ah = 0;
		f = szp(al);
		break;
	default: /* SALC: undocumented, AL = CF ? FF : 00 */
		al = cf ? 0xff : 0;
		f &= FL_ARITH;
		break;
	}
	c->gpr[R_EAX] = (c->gpr[R_EAX] & 0xffff0000) | (uint32_t)ah << 8 | al;
	c->flags = (c->flags & ~FL_ARITH) | f;
	return 0;
}
