/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of a virtualization extension (cpu/virt.h): its own instructions, and in its guest mode what is
 * intercepted. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"

#include "cpu/system.h"
#include "cpu/virt.h"

/* Of the operand at EA, as the instruction's point wants it. */
static uint64_t offset_of(const struct bt_vcpu *b, const struct site *s, uint64_t ea)
{
	if (!(s->guest.bits & GUEST_LINEAR))
		return ea;
	return cpu_linear(&b->v.cpu, (enum seg)s->seg, ea);
}

/* Of an address relative to RIP, the sum (SDM vol. 3C 28.2.1). */
static uint64_t displacement_of(const struct site *s)
{
	uint64_t d = (uint64_t)(int64_t)s->guest.displacement;

	if (s->asize != 8)
		return (uint32_t)d;
	return s->guest.info & GUEST_RELATIVE ? s->next + d : d;
}

static struct virt_insn describe(const struct bt_vcpu *b, const struct site *s, uint64_t ea)
{
	if (!b->stepping)
		b->v.virt->shadow = s->guest.bits >> GUEST_SHADOW;
	return (struct virt_insn){
		.id = s->guest.id,
		.size = s->op,
		.reg = s->guest.reg,
		.number = s->guest.number,
		.seg = s->seg,
		.asize = s->asize,
		.memory = s->mem,
		.in = s->guest.bits & GUEST_IN,
		.string = s->guest.bits & GUEST_STRING,
		.rep = s->guest.bits & GUEST_REP,
		.immediate = s->guest.bits & GUEST_IMMEDIATE,
		.offset = offset_of(b, s, ea),
		.next = s->next,
		.info = s->guest.info & ~(uint32_t)GUEST_RELATIVE,
		.displacement = displacement_of(s),
	};
}

/* Continue where cpu.rip is, in whatever mode. */
static uint64_t switched(struct bt_vcpu *b, struct site *s)
{
	callout_unwind(b, s, 1);
	return b->v.virt->changed ? dispatch_switched(b) : dispatch_next(b);
}

static uint64_t execute(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);

	if (b->v.virt->ops->execute(&b->v, &i))
		return callout_raise(b, s);
	runtime_virt_event(b);
	b->v.virt->shadow = 0;
	if (b->v.virt->changed || (s->guest.bits & GUEST_ENDS))
		return switched(b, s);
	return callout_done(b, s, 0);
}

uint64_t co_virt(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	callout_begin(b, s);
	return execute(b, s, ea);
}

uint64_t co_virt_field(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	const struct virt_ops *o = b->v.virt->ops;

	callout_begin(b, s);
	if (o->field(&b->v, s->guest.id == VIRT_VMWRITE, s->guest.reg, s->guest.number))
		return callout_done(b, s, 0);
	return execute(b, s, ea);
}

static uint64_t address_register(const struct cpu *c, const struct site *s, unsigned r)
{
	return s->asize == 2 ? c->gpr[r] & 0xffff : s->asize == 8 ? c->gpr[r] : (uint32_t)c->gpr[r];
}

/* Complete the description of an I/O access. 1: a REP has no iteration left; -1: cpu.exc. */
static int describe_io(struct bt_vcpu *b, const struct site *s, struct virt_insn *i)
{
	const struct cpu *c = &b->v.cpu;

	i->port = i->immediate ? s->guest.number : (uint16_t)c->gpr[R_EDX];
	if (i->rep && !address_register(c, s, R_ECX))
		return 1;
	if (i->string)
		i->offset = cpu_linear(c, (enum seg)s->seg, address_register(c, s, i->in ? R_EDI : R_ESI));
	return cpu_io_check(&b->v, i->port, s->op);
}

uint64_t co_intercept(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	int r = 0;

	callout_begin(b, s);
	switch (i.id) {
	case VIRT_IO:
		r = describe_io(b, s, &i);
		break;
	case VIRT_WRMSR:
		i.data = (uint32_t)b->v.cpu.gpr[R_EAX] | b->v.cpu.gpr[R_EDX] << 32;
		i.msr = (uint32_t)b->v.cpu.gpr[R_ECX];
		break;
	case VIRT_RDMSR:
		i.msr = (uint32_t)b->v.cpu.gpr[R_ECX];
		break;
	default:
		break;
	}
	if (!r)
		r = b->v.virt->ops->intercept(&b->v, &i);
	if (r < 0)
		return callout_raise(b, s);
	if (!b->stepping)
		b->v.virt->shadow = 0;
	return 0;
}

static unsigned cr_of_write(unsigned point)
{
	return point == VIRT_CR0_WRITE ? 0 : point == VIRT_CR8_WRITE ? 8 : point - VIRT_CR2_WRITE + 2u;
}

/* CR8: an interrupt may be possible now, a virtual one among them. */
static uint64_t priority_written(struct bt_vcpu *b, struct site *s)
{
	b->intr_wait = b->v.plat.irq_pending(b->v.plat.ctx);
	if (!b->v.virt->ask || b->stepping)
		return callout_ended(b, s, 0);
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_POLL);
}

/* MOV to CR, CLTS, LMSW (EA: its operand). The extension says what is written. */
uint64_t co_guest_cr_write(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	const struct cpu *c = &b->v.cpu;
	unsigned cr = cr_of_write(i.id);
	uint32_t old = (uint32_t)c->cr0;
	gva pc;
	int r;

	callout_begin(b, s);
	pc = cpu_pc(c);
	i.data = cr || i.number == VIRT_CR0_MOV ? (cpu_64(c) ? c->gpr[i.reg] : (uint32_t)c->gpr[i.reg])
		 : i.number == VIRT_CR0_LMSW	? ea & 0xffff
						: 0;
	r = b->v.virt->ops->intercept(&b->v, &i);
	if (!r)
		r = cpu_mov_to_cr(&b->v, cr, i.data, s->next);
	else if (r > 0)
		b->v.cpu.rip = s->next;
	if (r >= 0 && cr == 8)
		return priority_written(b, s);
	if (!r)
		runtime_cr_event(b, cr, old, pc);
	return callout_ended(b, s, r);
}

/* What the guest reads in the control register of point ID. */
static int read_cr(struct bt_vcpu *b, struct virt_insn *i)
{
	const struct cpu *c = &b->v.cpu;

	if (i->id == VIRT_CR8_READ && cpu_mov_from_cr(&b->v, 8, &i->data))
		return -1;
	if (i->id == VIRT_CR8_READ)
		return b->v.virt->ops->intercept(&b->v, i);
	i->data = i->id == VIRT_CR0_READ   ? c->cr0
		  : i->id == VIRT_CR2_READ ? c->cr2
		  : i->id == VIRT_CR3_READ ? c->cr3
					   : c->cr4;
	return b->v.virt->ops->intercept(&b->v, i);
}

uint64_t co_guest_cr_read(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	int r;

	callout_begin(b, s);
	r = read_cr(b, &i);
	if (!r)
		b->v.cpu.gpr[i.reg] = cpu_64(&b->v.cpu) ? i.data : (uint32_t)i.data;
	return callout_done(b, s, r);
}

uint64_t co_guest_smsw(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	int r;

	callout_begin(b, s);
	i.number = VIRT_CR0_LMSW;
	r = read_cr(b, &i);
	if (!r && s->mem)
		r = cpu_write(&b->v, s->seg, ea, &i.data, 2);
	else if (!r)
		callout_set_reg(&b->v.cpu, i.reg, s->op, i.data);
	return callout_done(b, s, r);
}

uint64_t co_guest_rdtsc(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	struct cpu *c = &b->v.cpu;
	int r;

	callout_begin(b, s);
	i.data = b->v.plat.tsc(b->v.plat.ctx);
	r = b->v.virt->ops->intercept(&b->v, &i);
	if (r)
		return callout_raise(b, s);
	c->gpr[R_EAX] = (uint32_t)i.data;
	c->gpr[R_EDX] = i.data >> 32;
	if (i.id == VIRT_RDTSCP)
		c->gpr[R_ECX] = (uint32_t)c->tsc_aux;
	return 0;
}
