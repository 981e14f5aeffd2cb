/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of a virtualization extension (cpu/virt.h): its own instructions, and in its guest mode what is
 * intercepted. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"

#include "cpu/system.h"
#include "cpu/virt.h"

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
		.memory = s->mem,
		.in = s->guest.bits & GUEST_IN,
		.string = s->guest.bits & GUEST_STRING,
		.rep = s->guest.bits & GUEST_REP,
		.immediate = s->guest.bits & GUEST_IMMEDIATE,
		.offset = s->guest.bits & GUEST_LINEAR ? b->v.cpu.seg[s->seg].base + ea : ea,
		.next = s->next,
		.info = s->guest.info,
		.displacement = s->guest.displacement,
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

static uint32_t address_register(const struct cpu *c, const struct site *s, unsigned r)
{
	return s->asize == 2 ? c->gpr[r] & 0xffff : (uint32_t)c->gpr[r];
}

/* Complete the description of an I/O access. 1: a REP has no iteration left; -1: cpu.exc. */
static int describe_io(struct bt_vcpu *b, const struct site *s, struct virt_insn *i)
{
	const struct cpu *c = &b->v.cpu;

	i->port = i->immediate ? s->guest.number : (uint16_t)c->gpr[R_EDX];
	if (i->rep && !address_register(c, s, R_ECX))
		return 1;
	if (i->string)
		i->offset = c->seg[s->seg].base + address_register(c, s, i->in ? R_EDI : R_ESI);
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

/* MOV to CR, CLTS, LMSW (EA: its operand). The extension says what is written. */
uint64_t co_guest_cr_write(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct virt_insn i = describe(b, s, ea);
	unsigned cr = i.id == VIRT_CR0_WRITE ? 0 : i.id - VIRT_CR2_WRITE + 2u;
	uint32_t old = b->v.cpu.cr0, pc;
	int r;

	callout_begin(b, s);
	pc = cpu_pc(&b->v.cpu);
	i.data = cr || i.number == VIRT_CR0_MOV ? (uint32_t)b->v.cpu.gpr[i.reg]
		 : i.number == VIRT_CR0_LMSW	? ea & 0xffff
						: 0;
	r = b->v.virt->ops->intercept(&b->v, &i);
	if (!r)
		r = cpu_mov_to_cr(&b->v, cr, (uint32_t)i.data, s->next);
	if (!r)
		runtime_cr_event(b, cr, old, pc);
	return callout_ended(b, s, r);
}

/* What the guest reads in the control register of point ID. */
static int read_cr(struct bt_vcpu *b, struct virt_insn *i)
{
	const struct cpu *c = &b->v.cpu;

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
		b->v.cpu.gpr[i.reg] = (uint32_t)i.data;
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
		callout_set_reg(&b->v.cpu, i.reg, s->op, (uint32_t)i.data);
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
