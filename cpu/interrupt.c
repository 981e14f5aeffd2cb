/* SPDX-License-Identifier: GPL-3.0-or-later
 * Interrupts and exceptions: delivery through the IVT, gates and tasks, the double-fault rules, and IRET (SDM
 * vol. 3A ch. 6 and 20, vol. 2 INT n and IRET). The 32-bit gate from ring 3 to a flat ring 0 and the return
 * from it are the hottest paths here: five memory accesses in, three out, and no other calls. */
#include "base/log.h"
#include "cpu/long_int.h"
#include "cpu/virt.h"

/* ---- 8086-style delivery ---- */

/* Push FLAGS, CS and IP, then enter the vector at IVT. */
static int deliver_ivt(struct vcpu *v, const struct event *e, uint32_t ivt, uint32_t flags)
{
	struct cpu *c = &v->cpu;
	uint32_t f[3] = { e->ret, c->seg[SEG_CS].sel, flags };
	uint32_t esp = (uint32_t)c->gpr[R_ESP], target;

	if (mmu_read(v->mmu, (uint32_t)(ivt + e->vector * 4u), &target, 4, MM_READ))
		return -1;
	if (stack_push(v, &c->seg[SEG_SS], &esp, f, 3, 2, cpl_how(c->cpl), 0))
		return -1;
	c->gpr[R_ESP] = esp;
	seg_load_cs86(c, (uint16_t)(target >> 16));
	c->rip = target & 0xffff;
	return 0;
}

static int deliver_real(struct vcpu *v, const struct event *e)
{
	struct cpu *c = &v->cpu;

	if (e->vector * 4u + 3 > c->idtr.limit)
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (deliver_ivt(v, e, c->idtr.base, e->flags))
		return -1;
	c->intf = 0;
	c->sysflags &= ~(uint32_t)(FL_TF | FL_AC | FL_RF);
	return 0;
}

/* ---- gates ---- */

static int deliver_task(struct vcpu *v, const struct event *e, uint16_t sel)
{
	struct cpu *c = &v->cpu;
	struct desc d;

	if (tss_fetch(v, sel, &d, e->ext))
		return -1;
	if (task_switch(v, sel, &d, TASK_INT, e->ret, e->flags, e->ext))
		return -1;
	if (!e->has_err)
		return 0;
	if (cpu_push(v, e->err, desc_type(&d) & DT_32BIT ? 4 : 2)) {
		c->exc.err |= c->exc.vector == EXC_SS ? e->ext : 0;
		return -1;
	}
	return 0;
}

int gate_fetch_cs(struct vcpu *v, uint16_t sel, struct desc *d, unsigned ext)
{
	struct cpu *c = &v->cpu;

	if (RARE(sel_null(sel)))
		return cpu_raise_err(c, EXC_GP, ext);
	if (desc_fetch(v, sel, d, EXC_GP, ext))
		return -1;
	if (RARE(!desc_code(d) || desc_dpl(d) > c->cpl || (cpu_long(c) && (d->hi & (D_L | D_DB)) != D_L)))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	if (RARE(!(d->hi & D_P)))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, ext));
	/* From virtual-8086 mode, delivery goes to ring 0 only. */
	if (RARE(cpu_v86(c) && (desc_conforming(d) || desc_dpl(d))))
		return cpu_raise_err(c, EXC_GP, sel_err(sel, ext));
	return 0;
}

/* Fill the part of the frame that every gate pushes. Returns the number of items. */
static unsigned frame_start(const struct cpu *c, const struct event *e, uint32_t *f)
{
	unsigned n = 0;

	if (e->has_err)
		f[n++] = e->err;
	f[n++] = e->ret;
	f[n++] = c->seg[SEG_CS].sel;
	f[n++] = e->flags;
	return n;
}

static unsigned frame_outer(const struct cpu *c, uint32_t *f, unsigned n)
{
	f[n++] = (uint32_t)c->gpr[R_ESP];
	f[n++] = c->seg[SEG_SS].sel;
	if (RARE(cpu_v86(c))) {
		f[n++] = c->seg[SEG_ES].sel;
		f[n++] = c->seg[SEG_DS].sel;
		f[n++] = c->seg[SEG_FS].sel;
		f[n++] = c->seg[SEG_GS].sel;
	}
	return n;
}

static void null_data_segs(struct cpu *c)
{
	c->seg[SEG_ES] = c->seg[SEG_DS] = c->seg[SEG_FS] = c->seg[SEG_GS] = seg_null(0);
}

/* Deliver through an interrupt or trap gate. GATE is the descriptor as read. */
static int deliver_gate(struct vcpu *v, const struct event *e, const struct desc *gate)
{
	struct cpu *c = &v->cpu;
	unsigned type = desc_type(gate), op = type & DT_32BIT ? 4 : 2, n, cpl;
	uint32_t eip = op == 4 ? (gate->lo & 0xffff) | (gate->hi & 0xffff0000) : gate->lo & 0xffff;
	uint16_t sel = gate_selector(gate);
	struct seg_cache cs, ss;
	uint32_t f[10], esp;
	struct desc d;

	if (gate_fetch_cs(v, sel, &d, e->ext) || desc_touch(v, &d))
		return -1;
	cpl = desc_conforming(&d) ? c->cpl : desc_dpl(&d);
	desc_cache(&d, (uint16_t)((sel & (SEL_INDEX | SEL_TI)) | cpl), &cs);
	n = frame_start(c, e, f);
	if (cpl < c->cpl) {
		uint16_t ss_sel;

		if (tss_stack(v, cpl, &ss_sel, &esp, e->ext))
			return -1;
		if (desc_fetch_ss(v, ss_sel, cpl, &d, EXC_TS, e->ext) || desc_touch(v, &d))
			return -1;
		desc_cache(&d, ss_sel, &ss);
		n = frame_outer(c, f, n);
		if (stack_push(v, &ss, &esp, f, n, op, cpl_how(cpl), sel_err(ss_sel, e->ext)))
			return -1;
	} else {
		ss = c->seg[SEG_SS];
		esp = (uint32_t)c->gpr[R_ESP];
		if (stack_push(v, &ss, &esp, f, n, op, cpl_how(cpl), e->ext))
			return -1;
	}
	if (RARE(eip > cs.limit))
		return cpu_raise_err(c, EXC_GP, e->ext);
	if (RARE(cpu_v86(c)))
		null_data_segs(c);
	c->seg[SEG_CS] = cs;
	c->seg[SEG_SS] = ss;
	c->gpr[R_ESP] = esp;
	c->rip = eip;
	c->cpl = (uint8_t)cpl;
	c->sysflags &= ~(uint32_t)(FL_TF | FL_NT | FL_RF | FL_VM);
	if (!(type & 1))
		c->intf = 0;
	return 0;
}

static int deliver_pm(struct vcpu *v, const struct event *e)
{
	struct cpu *c = &v->cpu;
	uint32_t off = e->vector * 8u;
	struct desc gate;
	unsigned type;

	if (RARE(off + 7 > c->idtr.limit))
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (mmu_read(v->mmu, (uint32_t)(c->idtr.base + off), &gate.lo, 8, MM_READ))
		return -1;
	type = desc_type(&gate);
	/* INT16, TRAP16, INT32, TRAP32 differ in bits 3 and 0. */
	if (RARE((type & ~(DT_32BIT | 1u)) != DT_INT16 && type != DT_TASK))
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (e->soft && RARE(desc_dpl(&gate) < c->cpl))
		return cpu_raise_err(c, EXC_GP, gate_err(e));
	if (RARE(!(gate.hi & D_P)))
		return cpu_raise_err(c, EXC_NP, gate_err(e));
	if (RARE(type == DT_TASK))
		return deliver_task(v, e, gate_selector(&gate));
	return deliver_gate(v, e, &gate);
}

static int deliver(struct vcpu *v, const struct event *e)
{
	if (RARE(!cpu_pe(&v->cpu)))
		return deliver_real(v, e);
	return RARE(cpu_long(&v->cpu)) ? long_deliver(v, e) : deliver_pm(v, e);
}

/* ---- INT n in virtual-8086 mode (SDM vol. 3A 20.3.3, table 20-2) ---- */

/* Does the TSS's interrupt redirection map send VECTOR to the 8086 program's own handler? */
static int v86_redirected(struct vcpu *v, unsigned vector, bool *yes)
{
	struct cpu *c = &v->cpu;
	uint16_t iomap;
	uint32_t off;
	uint8_t bits;

	*yes = false;
	if (!(c->cr4 & CR4_VME))
		return 0;
	if (!(c->tr.attr & DT_32BIT) || c->tr.limit < 103)
		return cpu_raise_err(c, EXC_GP, 0);
	if (mmu_read(v->mmu, (uint32_t)(c->tr.base + 102), &iomap, 2, MM_READ))
		return -1;
	off = iomap - 32u + vector / 8;
	if (off > c->tr.limit)
		return cpu_raise_err(c, EXC_GP, 0);
	if (mmu_read(v->mmu, (uint32_t)(c->tr.base + off), &bits, 1, MM_READ))
		return -1;
	*yes = !(bits >> (vector & 7) & 1);
	return 0;
}

static int v86_int_redirected(struct vcpu *v, const struct event *e)
{
	struct cpu *c = &v->cpu;
	bool virt = cpu_iopl(c) < 3;
	uint32_t flags = e->flags;

	if (virt) {
		flags = (flags & ~(uint32_t)FL_IF) | FL_IOPL;
		flags |= flags & FL_VIF ? FL_IF : 0;
	}
	if (deliver_ivt(v, e, 0, flags))
		return -1;
	c->sysflags &= ~(uint32_t)(FL_TF | FL_NT | FL_RF);
	if (virt)
		c->sysflags &= ~(uint32_t)FL_VIF;
	else
		c->intf = 0;
	return 0;
}

static int v86_int(struct vcpu *v, const struct event *e)
{
	bool redirected;

	if (v86_redirected(v, e->vector, &redirected))
		return -1;
	if (redirected)
		return v86_int_redirected(v, e);
	if (cpu_iopl(&v->cpu) < 3)
		return cpu_raise_err(&v->cpu, EXC_GP, 0);
	return deliver(v, e);
}

/* In guest mode the extension is asked first, and learns what is being delivered. */
static int guest_soft_int(struct vcpu *v, const struct event *e, enum cpu_int_kind kind)
{
	static const uint8_t types[] = { VIRT_EVENT_INT_N, VIRT_EVENT_INT3_INTO, VIRT_EVENT_INT3_INTO,
					 VIRT_EVENT_INT1 };
	struct cpu *c = &v->cpu;
	struct virt_event event = { .type = types[kind],
				    .vector = e->vector,
				    .length = (uint8_t)(e->ret - c->rip) };
	int r;

	if (virt_wants(v, VIRT_SOFT_INT)) {
		struct virt_insn i = {
			.id = VIRT_SOFT_INT, .vector = e->vector, .how = (uint8_t)kind, .next = e->ret
		};

		if (v->virt->ops->intercept(v, &i))
			return -1;
	}
	if (kind != CPU_INT_N && v->virt->ops->exits(v, &event))
		return cpu_raise(c, EXC_EXIT);
	v->virt->delivering = event;
	r = cpu_v86(c) && kind == CPU_INT_N ? v86_int(v, e) : deliver(v, e);
	if (!r)
		v->virt->delivering.type = VIRT_EVENT_NONE;
	return r;
}

int cpu_soft_int(struct vcpu *v, unsigned vector, enum cpu_int_kind kind, uint64_t next)
{
	struct cpu *c = &v->cpu;
	struct event e = {
		.vector = (uint8_t)vector,
		.soft = kind != CPU_INT1,
		.ext = kind == CPU_INT1,
		.ret = next,
		.flags = cpu_eflags(c) & ~(uint32_t)FL_RF,
	};

	if (RARE(virt_guest(v)))
		return guest_soft_int(v, &e, kind);
	if (RARE(cpu_v86(c)) && kind == CPU_INT_N)
		return v86_int(v, &e);
	return deliver(v, &e);
}

/* ---- double-fault rules (SDM vol. 3A tables 6-4 and 6-5) ---- */

static bool contributory(unsigned vector)
{
	return exc_in(EXC_SET_CONTRIBUTORY, vector);
}

static bool makes_double_fault(unsigned first, unsigned second)
{
	if (first == EXC_PF)
		return second == EXC_PF || contributory(second);
	return contributory(first) && contributory(second);
}

/* Faults push RF = 1, which keeps a code breakpoint from hitting twice. So does a double fault, which
 * replaces one. */
static bool pushes_rf(unsigned vector)
{
	return exc_in(EXC_SET_FAULT | 1 << EXC_DF, vector);
}

static int deliver_one(struct vcpu *v, const struct exc *x)
{
	struct cpu *c = &v->cpu;
	struct event e = {
		.vector = x->vector,
		.ext = 1,
		.has_err = x->has_err,
		.err = x->err,
		.ret = c->rip,
		.flags = cpu_eflags(c),
	};

	if (pushes_rf(x->vector) || x->rf)
		e.flags |= FL_RF;
	if (x->vector == EXC_PF)
		c->cr2 = x->cr2;
	else if (x->vector == EXC_DB)
		c->dr[7] &= ~(uint32_t)DR7_GD;
	else if (x->vector == EXC_NMI) {
		c->nmi_blocked = 1; /* until IRET, even if its delivery faults */
		c->nmi_pending = 0;
	}
	return deliver(v, &e);
}

static void deliver_done(struct cpu *c)
{
	c->shadow = 0;
	c->halted = 0;
}

static void chain_add(struct vcpu *v, const struct exc *x)
{
	const struct cpu *c = &v->cpu;

	if (v->nchain < MAX_CHAIN)
		v->chain[v->nchain++] = (struct engine_exc){ *x, c->seg[SEG_CS].sel, c->rip };
}

/* ---- guest mode: events that exit ---- */

static struct virt_event exc_event(const struct exc *x)
{
	return (struct virt_event){
		.type = x->vector == EXC_NMI ? VIRT_EVENT_NMI : VIRT_EVENT_EXCEPTION,
		.vector = x->vector,
		.has_err = x->has_err,
		.rf = pushes_rf(x->vector) || x->rf,
		.err = x->err,
		.address = x->cr2,
	};
}

static bool exits(struct vcpu *v, const struct exc *x)
{
	struct virt_event e = exc_event(x);

	return x->vector == EXC_EXIT || v->virt->ops->exits(v, &e);
}

static bool triple_fault_exits(struct vcpu *v)
{
	struct virt_event e = { .type = VIRT_EVENT_SHUTDOWN };

	return v->virt->ops->exits(v, &e);
}

static bool leave(struct vcpu *v)
{
	bool ok = v->virt->ops->leave(v);

	v->virt->delivering.type = VIRT_EVENT_NONE;
	return ok;
}

static int deliver_noted(struct vcpu *v, const struct exc *x)
{
	if (RARE(virt_guest(v))) {
		v->virt->delivering = exc_event(x);
		v->virt->unblocked = false;
	}
	return deliver_one(v, x);
}

/* Deliver X; FAILED: its first delivery has raised cpu.exc. False: shutdown. */
static bool deliver_chain(struct vcpu *v, struct exc x, int failed)
{
	struct cpu *c = &v->cpu;
	bool guest = virt_guest(v);

	for (; RARE(failed); failed = deliver_noted(v, &x)) {
		struct exc second = c->exc;

		if (RARE(guest) && exits(v, &second))
			return leave(v);
		LOG(cpu, "exception %u(%x) while delivering %u(%x) at %08llx", second.vector, second.err,
		    x.vector, x.err, (unsigned long long)c->rip);
		if (!v->nchain)
			chain_add(v, &x);
		chain_add(v, &second);
		if (x.vector == EXC_DF) {
			LOG(cpu, "triple fault at %04x:%08llx", c->seg[SEG_CS].sel,
			    (unsigned long long)c->rip);
			return RARE(guest) && triple_fault_exits(v) ? leave(v) : false;
		}
		if (makes_double_fault(x.vector, second.vector)) {
			x = (struct exc){ .vector = EXC_DF, .has_err = true };
			chain_add(v, &x);
			if (RARE(guest) && exits(v, &x))
				return leave(v);
		} else {
			x = second;
		}
	}
	deliver_done(c);
	if (RARE(guest))
		v->virt->delivering.type = VIRT_EVENT_NONE;
	return true;
}

bool cpu_deliver_exc(struct vcpu *v)
{
	struct cpu *c = &v->cpu;
	struct exc x = c->exc;

	if (RARE(virt_guest(v)) && exits(v, &x))
		return leave(v);
	LOG(cpu, "exception %u(%x) at %04x:%08llx, cr2 %08llx", x.vector, x.err, c->seg[SEG_CS].sel,
	    (unsigned long long)c->rip, (unsigned long long)(x.vector == EXC_PF ? x.cr2 : c->cr2));
	return deliver_chain(v, x, deliver_noted(v, &x));
}

bool cpu_deliver_irq(struct vcpu *v, unsigned vector)
{
	struct cpu *c = &v->cpu;
	struct event e = {
		.vector = (uint8_t)vector,
		.ext = 1,
		.ret = c->rip,
		.flags = cpu_eflags(c),
	};

	LOG(cpu, "interrupt %u at %04x:%08llx", vector, c->seg[SEG_CS].sel, (unsigned long long)c->rip);
	if (RARE(virt_guest(v)))
		v->virt->delivering =
		    (struct virt_event){ .type = VIRT_EVENT_INTR, .vector = (uint8_t)vector };
	if (RARE(deliver(v, &e))) {
		if (c->exc.vector != EXC_EXIT)
			chain_add(v, &c->exc);
		return cpu_deliver_exc(v);
	}
	deliver_done(c);
	if (RARE(virt_guest(v)))
		v->virt->delivering.type = VIRT_EVENT_NONE;
	return true;
}

/* A vector that makes no double fault. */
#define BENIGN 0xfe

bool cpu_deliver_event(struct vcpu *v, const struct virt_event *e)
{
	struct cpu *c = &v->cpu;
	bool exception = e->type == VIRT_EVENT_EXCEPTION, int_n = e->type == VIRT_EVENT_INT_N;
	struct exc x = { .vector = exception ? e->vector : BENIGN, .has_err = e->has_err, .err = e->err };
	struct event d = {
		.vector = e->vector,
		.ext = !int_n && e->type != VIRT_EVENT_INT3_INTO,
		.soft = int_n || e->type == VIRT_EVENT_INT3_INTO,
		.has_err = e->has_err,
		.err = e->err,
		.ret = cpu_64(c) ? c->rip + e->length : (uint32_t)c->rip + e->length,
		.flags = cpu_eflags(c) | (e->rf ? FL_RF : 0),
	};

	v->virt->delivering = *e;
	return deliver_chain(v, x, cpu_v86(c) && int_n ? v86_int(v, &d) : deliver(v, &d));
}

/* ---- IRET ---- */

/* Copy the EFLAGS bits in MASK from F. */
static void flags_set(struct cpu *c, uint32_t f, uint32_t mask)
{
	cpu_set_eflags(c, (cpu_eflags(c) & ~mask) | (f & mask));
}

#define IRET16_FLAGS ((uint32_t)(FL_HOST | FL_TF | FL_NT))
#define IRET32_FLAGS (IRET16_FLAGS | FL_RF | FL_AC | FL_ID)

uint32_t iret_flag_mask(const struct cpu *c, unsigned op)
{
	uint32_t mask = op == 2 ? IRET16_FLAGS : IRET32_FLAGS;

	if (c->cpl <= cpu_iopl(c))
		mask |= FL_IF;
	if (c->cpl == 0)
		mask |= FL_IOPL | (op == 2 ? 0u : FL_VIF | FL_VIP);
	return mask;
}

static void pop_frame(struct cpu *c, unsigned bytes)
{
	uint32_t esp = (uint32_t)c->gpr[R_ESP];

	c->gpr[R_ESP] = stack_merge(&c->seg[SEG_SS], esp, esp + bytes);
}

static int iret_86(struct vcpu *v, unsigned op, uint32_t flag_mask)
{
	struct cpu *c = &v->cpu;
	uint32_t f[3];

	if (stack_peek(v, 0, f, 3, op))
		return -1;
	if (f[0] > c->seg[SEG_CS].limit)
		return cpu_raise_err(c, EXC_GP, 0);
	pop_frame(c, 3 * op);
	seg_load_cs86(c, (uint16_t)f[1]);
	c->rip = f[0];
	flags_set(c, f[2], flag_mask);
	return 0;
}

/* IRET in virtual-8086 mode with IOPL < 3 and CR4.VME: the program's IF is VIF. */
static int iret_vme(struct vcpu *v)
{
	struct cpu *c = &v->cpu;
	uint32_t f[3];

	if (stack_peek(v, 0, f, 3, 2))
		return -1;
	if ((f[2] & FL_TF) || ((f[2] & FL_IF) && (c->sysflags & FL_VIP)))
		return cpu_raise_err(c, EXC_GP, 0);
	pop_frame(c, 6);
	seg_load_cs86(c, (uint16_t)f[1]);
	c->rip = f[0];
	flags_set(c, f[2] | (f[2] & FL_IF ? FL_VIF : 0), IRET16_FLAGS | FL_VIF);
	return 0;
}

static int iret_v86(struct vcpu *v, unsigned op)
{
	struct cpu *c = &v->cpu;

	if (cpu_iopl(c) == 3)
		return iret_86(v, op, (op == 4 ? IRET32_FLAGS : IRET16_FLAGS) | FL_IF);
	if (op == 2 && (c->cr4 & CR4_VME))
		return iret_vme(v);
	return cpu_raise_err(c, EXC_GP, 0);
}

/* IRET with NT set: return to the task in the current TSS's link. */
static int iret_task(struct vcpu *v, uint64_t next)
{
	struct cpu *c = &v->cpu;
	struct desc d;
	uint16_t sel;

	if (mmu_read(v->mmu, c->tr.base, &sel, 2, MM_READ))
		return -1;
	if (sel_null(sel) || (sel & 4))
		return cpu_raise_err(c, EXC_TS, sel_err(sel, 0));
	if (desc_fetch(v, sel, &d, EXC_TS, 0))
		return -1;
	if (!desc_tss_busy(&d))
		return cpu_raise_err(c, EXC_TS, sel_err(sel, 0));
	if (!(d.hi & D_P))
		return cpu_raise_err(c, EXC_NP, sel_err(sel, 0));
	return task_switch(v, sel, &d, TASK_IRET, next, cpu_eflags(c), 0);
}

/* IRET at CPL 0 with VM set in the image. F: the first three items. */
static int iret_to_v86(struct vcpu *v, uint32_t *f)
{
	struct cpu *c = &v->cpu;

	if (stack_peek(v, 12, f + 3, 6, 4))
		return -1;
	if (f[0] > 0xffff)
		return cpu_raise_err(c, EXC_GP, 0);
	cpu_set_eflags(c, f[2]);
	c->seg[SEG_CS] = seg_v86((uint16_t)f[1]);
	c->seg[SEG_SS] = seg_v86((uint16_t)f[4]);
	c->seg[SEG_ES] = seg_v86((uint16_t)f[5]);
	c->seg[SEG_DS] = seg_v86((uint16_t)f[6]);
	c->seg[SEG_FS] = seg_v86((uint16_t)f[7]);
	c->seg[SEG_GS] = seg_v86((uint16_t)f[8]);
	c->gpr[R_ESP] = f[3];
	c->rip = f[0];
	c->cpl = 3;
	return 0;
}

static int iret_outer(struct vcpu *v, const uint32_t *f, struct desc *cs, unsigned op)
{
	struct cpu *c = &v->cpu;
	unsigned cpl = f[1] & 3;
	uint32_t mask = iret_flag_mask(c, op);
	struct desc ss;

	if (desc_fetch_ss(v, (uint16_t)f[4], cpl, &ss, EXC_GP, 0))
		return -1;
	if (RARE(f[0] > desc_limit(cs)))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_touch(v, cs) || desc_touch(v, &ss))
		return -1;
	desc_cache(cs, (uint16_t)f[1], &c->seg[SEG_CS]);
	desc_cache(&ss, (uint16_t)f[4], &c->seg[SEG_SS]);
	c->gpr[R_ESP] = stack_merge(&c->seg[SEG_SS], (uint32_t)c->gpr[R_ESP], f[3]);
	c->rip = f[0];
	flags_set(c, f[2], mask);
	c->cpl = (uint8_t)cpl;
	seg_drop_inner(c, cpl);
	return 0;
}

static int iret_same(struct vcpu *v, const uint32_t *f, struct desc *cs, unsigned op)
{
	struct cpu *c = &v->cpu;

	if (RARE(f[0] > desc_limit(cs)))
		return cpu_raise_err(c, EXC_GP, 0);
	if (desc_touch(v, cs))
		return -1;
	pop_frame(c, 3 * op);
	desc_cache(cs, (uint16_t)f[1], &c->seg[SEG_CS]);
	c->rip = f[0];
	flags_set(c, f[2], iret_flag_mask(c, op));
	return 0;
}

/* Number of items to read at once: five if the larger read cannot fault where one of three would not. */
static unsigned iret_peek_ahead(const struct cpu *c, unsigned op)
{
	const struct seg_cache *ss = &c->seg[SEG_SS];
	uint32_t esp = (uint32_t)c->gpr[R_ESP], lin = ss->base + esp;

	if (op != 4 || !(ss->attr & SA_DB) || !seg_fits(ss, esp, 20))
		return 3;
	return (lin & PAGE_MASK) <= PAGE_SIZE - 20 ? 5 : 3;
}

static int iret_pm(struct vcpu *v, unsigned op)
{
	struct cpu *c = &v->cpu;
	unsigned n = iret_peek_ahead(c, op);
	struct desc cs;
	uint32_t f[9];

	if (stack_peek(v, 0, f, n, op))
		return -1;
	if (RARE(op == 4 && (f[2] & FL_VM) && c->cpl == 0))
		return iret_to_v86(v, f);
	if (ret_check_cs(v, (uint16_t)f[1], &cs))
		return -1;
	if ((f[1] & 3) == c->cpl)
		return iret_same(v, f, &cs, op);
	if (RARE(n < 5) && stack_peek(v, 3 * op, f + 3, 2, op))
		return -1;
	return iret_outer(v, f, &cs, op);
}

static int iret(struct vcpu *v, unsigned op, uint64_t next)
{
	struct cpu *c = &v->cpu;

	if (RARE(!cpu_pe(c)))
		return iret_86(v, op, (op == 4 ? IRET32_FLAGS : IRET16_FLAGS) | FL_IF | FL_IOPL);
	if (RARE(cpu_long(c)))
		return long_iret(v, op);
	if (RARE(c->sysflags & (FL_VM | FL_NT)))
		return cpu_v86(c) ? iret_v86(v, op) : iret_task(v, next);
	return iret_pm(v, op);
}

/* In guest mode the extension may keep NMIs blocked, and learns what an IRET that faults has unblocked. */
static int guest_iret(struct vcpu *v, unsigned op, uint64_t next)
{
	struct virt *x = v->virt;
	int r;

	if (!x->iret_keeps_nmi) {
		x->unblocked = v->cpu.nmi_blocked;
		v->cpu.nmi_blocked = 0;
	}
	r = iret(v, op, next);
	if (r)
		return r;
	x->ask |= x->unblocked;
	x->unblocked = false;
	return 0;
}

int cpu_iret(struct vcpu *v, unsigned op, uint64_t next)
{
	if (RARE(virt_guest(v)))
		return guest_iret(v, op, next);
	v->cpu.nmi_blocked = 0; /* even if the instruction faults, SDM vol. 3A 6.7.1 */
	return iret(v, op, next);
}
