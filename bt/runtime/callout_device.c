/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts that reach devices: ports, device memory; string instructions element by
 * element; Built with
 * -mgeneral-regs-only (base/gpr.h). */
#include "bt/adapt/adapt.h"
#include "bt/runtime/callout_int.h"
#include "bt/runtime/event.h"

#include "cpu/system.h"
#include "cpu/virt.h"
#include "mm/long.h"
#include "mm/watch.h"

/* ---- ports and device memory ---- */

/* After a device was touched: an interrupt may have become deliverable. */
uint64_t callout_after_device(struct bt_vcpu *b, struct site *s)
{
	struct cpu *c = &b->v.cpu;
	bool pending = b->v.plat.irq_pending(b->v.plat.ctx);

	b->intr_wait = pending;
	if (!(pending && (c->intf | (b->guest.mode != 0))) && !b->stop && !b->debug.watched &&
	    !(b->guest.mode && b->v.virt->ask) && !s->ccf->dead && !mmu_stale(b->v.mmu) &&
	    !(b->icount.on && b->v.icount_limit != b->icount.limit))
		return 0;
	if (b->stepping)
		return 0;
	c->rip = s->next;
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_POLL);
}

static uint16_t port_of(const struct bt_vcpu *b, const struct site *s)
{
	return s->port.in_dx ? (uint16_t)b->v.cpu.gpr[R_EDX] : (uint16_t)s->port.number;
}

/* The accumulator = V, of OP bytes. */
static void set_acc(struct cpu *c, unsigned op, uint64_t v)
{
	if (op == 1)
		c->gpr[R_EAX] = (c->gpr[R_EAX] & ~0xffull) | (v & 0xff);
	else
		callout_set_reg(c, R_EAX, op, v);
}

uint64_t co_in(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint16_t port = port_of(b, s);
	uint32_t v;

	(void)ea;
	callout_begin(b, s);
	if (cpu_io_check(&b->v, port, s->op))
		return callout_raise(b, s);
	v = b->v.plat.in(b->v.plat.ctx, port, s->op);
	runtime_event(b, ENGINE_EV_PORT, port, v, false, cpu_pc(c));
	set_acc(c, s->op, v);
	return callout_after_device(b, s);
}

uint64_t co_out(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint32_t v = (uint32_t)b->v.cpu.gpr[R_EAX];
	uint16_t port = port_of(b, s);

	(void)ea;
	callout_begin(b, s);
	if (cpu_io_check(&b->v, port, s->op))
		return callout_raise(b, s);
	v = s->op == 4 ? v : s->op == 2 ? v & 0xffff : v & 0xff;
	runtime_event(b, ENGINE_EV_PORT, port, v, true, cpu_pc(&b->v.cpu));
	b->v.plat.out(b->v.plat.ctx, port, s->op, v);
	return callout_after_device(b, s);
}

/* A site promoted for device memory accessed LIN. One that mostly accesses RAM is demoted: a callout costs
 * less than a trap, but a direct access costs far less than either. */
static void device_used(struct bt_vcpu *b, struct site *s, gva lin, bool write)
{
	struct verdict *v = verdict_find(b, ccf_linear(s->ccf, s->eip));
	struct mmu_fault mf = { .pc = cpu_pc(&b->v.cpu) };
	bool long_code = mode_long(s->ccf->mode), ram;

	if (b->adapt.charge.start)
		s->mmio.cycles = (uint32_t)(__builtin_ia32_rdtsc() - b->adapt.charge.start +
					    (write ? 2 : 1) * b->adapt.cost.callout);
	adapt_after(b, v, s->ccf, CAUSE_DEVICE, s->mmio.cycles);
	if (!v)
		return;
	ram = !long_code && mmu_shadow(b->v.mmu)[lin >> PAGE_SHIFT] & (write ? MMU_SHADOW_W : MMU_SHADOW_P);
	if (!ram && !(v->after[CAUSE_DEVICE].n % DEVICE_SAMPLE))
		ram = (long_code ? mmu_long_fill : mmu_fill)(b->v.mmu, lin, write ? MM_WRITE : MM_READ,
							     &mf) == FILL_OK;
	adapt_device(b, s->ccf, v, ram);
}

/* One use in DEVICE_SAMPLE is timed; its cost (mmio.cycles of the site that ends it) is charged
 * for those up to the next. */
static void time_use(struct bt_vcpu *b, const struct site *s)
{
	if (s->ccf != b->transient.ccf)
		b->adapt.charge.start = s->count % DEVICE_SAMPLE ? 0 : __builtin_ia32_rdtsc();
}

/* 64-bit code: do N bytes at LIN have no address of a canonical form? */
static bool is_far(const struct bt_vcpu *b, uint64_t lin, unsigned n)
{
	return mode_long(b->mode) && !(cpu_canonical(lin) && cpu_canonical(lin + n - 1));
}

/* ---- elements under a mask of AVX-512 ---- */

/* Registers are live in callouts that do not save them. Processors without AVX512BW are not offered it. */
static uint64_t mask_register(unsigned n)
{
	uint64_t v = 0;

#define READ(k)                                                                                              \
	case k:                                                                                              \
		__asm__ volatile("kmovq %%k" #k ", %0" : "=r"(v));                                           \
		break
	switch (n) {
		READ(1);
		READ(2);
		READ(3);
		READ(4);
		READ(5);
		READ(6);
		READ(7);
	}
#undef READ
	return v;
}

static bool is_selected(const struct site *s, uint64_t mask, unsigned i)
{
	if (s->mmio.lanes < 64)
		mask &= (1ull << s->mmio.lanes) - 1;
	if (s->mmio.whole)
		return mask;
	if (!s->mmio.packed)
		return mask >> i & 1;
	while (i-- && mask)
		mask &= mask - 1;
	return mask;
}

static bool selects_none(const struct site *s)
{
	uint64_t mask = mask_register(s->mmio.mask);

	return !(s->mmio.lanes < 64 ? mask & ((1ull << s->mmio.lanes) - 1) : mask);
}

enum masked_how { MASKED_CHECK, MASKED_READ, MASKED_WRITE };

static int in_segment(struct bt_vcpu *b, const struct site *s, uint32_t off, void *bytes,
		      enum masked_how what)
{
	switch (what) {
	case MASKED_CHECK:
		return cpu_check_write(&b->v, s->seg, off, s->mmio.element);
	case MASKED_READ:
		return cpu_read(&b->v, s->seg, off, bytes, s->mmio.element);
	default:
		return cpu_write(&b->v, s->seg, off, bytes, s->mmio.element);
	}
}

/* Access the elements that the mask selects, each by itself. -1: an exception. */
static int masked(struct bt_vcpu *b, const struct site *s, uint64_t lin, enum masked_how what)
{
	unsigned size = s->mmio.element, how = b->v.cpu.cpl == 3 ? MM_USER : 0;
	uint64_t mask = mask_register(s->mmio.mask);
	int r = 0;

	for (unsigned at = 0; at < s->mmio.size && !r; at += size) {
		gva a = mode_long(s->ccf->mode) ? lin + at : (uint32_t)(lin + at);

		if (!is_selected(s, mask, at / size))
			continue;
		if (s->mmio.offsets) {
			r = in_segment(b, s, (uint32_t)a, b->bounce + at, what);
			continue;
		}
		if (is_far(b, a, size))
			r = cpu_raise_err(&b->v.cpu, s->seg == SEG_SS ? EXC_SS : EXC_GP, 0);
		else if (what == MASKED_CHECK)
			r = mmu_check_write(b->v.mmu, a, size, how);
		else if (what == MASKED_READ)
			r = mmu_read(b->v.mmu, a, b->bounce + at, size, how);
		else
			r = mmu_write(b->v.mmu, a, b->bounce + at, size, how);
	}
	return r;
}

static uint64_t masked_begin(struct bt_vcpu *b, struct site *s, uint64_t lin)
{
	if ((s->mmio.writes && masked(b, s, lin, MASKED_CHECK)) ||
	    (s->mmio.reads && masked(b, s, lin, MASKED_READ)))
		return callout_raise(b, s);
	return 0;
}

/* EA is the linear address. The device's bytes go through the bounce buffer. */
uint64_t co_mmio_begin(struct bt_vcpu *b, struct site *s, uint64_t lin)
{
	unsigned how = b->v.cpu.cpl == 3 ? MM_USER : 0;
	gva at;

	time_use(b, s);
	callout_begin(b, s);
	b->exit.mmio_lin = lin;
	at = s->mmio.offsets ? (uint32_t)(b->v.cpu.seg[s->seg].base + lin) : lin;
	if (!b->stepping &&
	    mmu_watched(b->v.mmu, at, s->mmio.size)) { /* so as to stop right behind the instruction */
		callout_unwind(b, s, 0);
		return dispatch_exit(b, XC_TRANSIENT);
	}
	if (s->mmio.align && at & (s->mmio.align - 1u) && !(s->mmio.mask && selects_none(s))) {
		cpu_raise_err(&b->v.cpu, EXC_GP, 0);
		return callout_raise(b, s);
	}
	if (s->mmio.mask)
		return masked_begin(b, s, lin);
	if (is_far(b, lin, s->mmio.size)) {
		cpu_raise_err(&b->v.cpu, s->seg == SEG_SS ? EXC_SS : EXC_GP, 0);
		return callout_raise(b, s);
	}
	if (s->mmio.writes && mmu_check_write(b->v.mmu, lin, s->mmio.size, how))
		return callout_raise(b, s); /* before the instruction changes flags */
	if (s->mmio.reads && mmu_read(b->v.mmu, lin, b->bounce, s->mmio.size, how))
		return callout_raise(b, s);
	if (!s->mmio.writes && s->ccf != b->transient.ccf)
		device_used(b, s, lin, false);
	return 0;
}

uint64_t co_mmio_end(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	gva lin = mode_long(s->ccf->mode) ? b->exit.mmio_lin : (uint32_t)b->exit.mmio_lin;
	unsigned how = b->v.cpu.cpl == 3 ? MM_USER : 0;

	(void)ea;
	if (s->mmio.alone)
		time_use(b, s);
	callout_begin(b, s);
	if (!s->mmio.mask && is_far(b, lin, s->mmio.size)) { /* POP, which has no begin */
		cpu_raise_err(&b->v.cpu, s->seg == SEG_SS ? EXC_SS : EXC_GP, 0);
		return callout_raise(b, s);
	}
	if (s->mmio.mask ? masked(b, s, lin, MASKED_WRITE)
			 : mmu_write(b->v.mmu, lin, b->bounce, s->mmio.size, how))
		return callout_raise(b, s);
	if (s->ccf != b->transient.ccf)
		device_used(b, s, lin, true);
	return callout_after_device(b, s);
}

/* The stack in device memory: push scratch[3], or read into it. */
uint64_t co_mmio_push(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)ea;
	callout_begin(b, s);
	return callout_done(b, s, cpu_push(&b->v, b->scratch[3], s->op));
}

uint64_t co_mmio_peek(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	uint64_t v = 0;

	callout_begin(b, s);
	if (cpu_read(&b->v, SEG_SS, b->mode & MODE_B ? ea : ea & 0xffff, &v, s->op))
		return callout_raise(b, s);
	b->scratch[3] = v;
	return 0;
}

/* ---- strings, element by element ---- */

static uint32_t arith_flags(uint64_t a, uint64_t x, unsigned size)
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
	case 4:
		__asm__("cmpl %k2, %k1; pushfq; popq %0" : "=r"(f) : "r"(a), "r"(x) : "cc");
		break;
	default:
		__asm__("cmpq %2, %1; pushfq; popq %0" : "=r"(f) : "r"(a), "r"(x) : "cc");
	}
	return (uint32_t)f & FL_ARITH;
}

static uint64_t low_bytes(uint64_t v, unsigned size)
{
	return size == 8 ? v : v & ((1ull << 8 * size) - 1);
}

static uint64_t areg(const struct cpu *c, const struct site *s, unsigned r)
{
	return low_bytes(c->gpr[r], s->asize);
}

static void areg_add(struct cpu *c, const struct site *s, unsigned r, int64_t by)
{
	callout_set_reg(c, r, s->asize, c->gpr[r] + (uint64_t)by);
}

int callout_string_step(struct bt_vcpu *b, const struct site *s)
{
	struct cpu *c = &b->v.cpu;
	uint64_t si = areg(c, s, R_ESI), di = areg(c, s, R_EDI), v = 0, w = 0;
	int64_t by = c->flags & FL_DF ? -(int64_t)s->op : s->op;
	uint16_t port = (uint16_t)c->gpr[R_EDX];

	switch (s->string.op) {
	case STR_MOVS:
		if (cpu_read(&b->v, s->seg, si, &v, s->op) || cpu_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	case STR_CMPS:
		if (cpu_read(&b->v, s->seg, si, &v, s->op) || cpu_read(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		c->flags = (c->flags & ~FL_ARITH) | arith_flags(v, w, s->op);
		break;
	case STR_STOS:
		v = c->gpr[R_EAX];
		if (cpu_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	case STR_LODS:
		if (cpu_read(&b->v, s->seg, si, &v, s->op))
			return -1;
		set_acc(c, s->op, v);
		break;
	case STR_SCAS:
		if (cpu_read(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		c->flags = (c->flags & ~FL_ARITH) | arith_flags(low_bytes(c->gpr[R_EAX], s->op), w, s->op);
		break;
	case STR_INS:
		/* The destination must be writable before the device is read. */
		if (cpu_io_check(&b->v, port, s->op) || cpu_read(&b->v, SEG_ES, di, &w, s->op) ||
		    cpu_write(&b->v, SEG_ES, di, &w, s->op))
			return -1;
		v = b->v.plat.in(b->v.plat.ctx, port, s->op);
		if (cpu_write(&b->v, SEG_ES, di, &v, s->op))
			return -1;
		break;
	default:
		if (cpu_io_check(&b->v, port, s->op) || cpu_read(&b->v, s->seg, si, &v, s->op))
			return -1;
		b->v.plat.out(b->v.plat.ctx, port, s->op, (uint32_t)v);
	}
	if (s->string.op != STR_STOS && s->string.op != STR_SCAS && s->string.op != STR_INS)
		areg_add(c, s, R_ESI, by);
	if (s->string.op != STR_LODS && s->string.op != STR_OUTS)
		areg_add(c, s, R_EDI, by);
	return 0;
}

/* Leave a REP that has iterations to come, its registers as the last one left them. */
static uint64_t between_iterations(struct bt_vcpu *b, struct site *s)
{
	b->transient.in_rep = true;
	callout_unwind(b, s, 0);
	return dispatch_exit(b, b->stepping ? XC_STEPPED : XC_LOOKUP);
}

/* Must the REP be left behind iteration N, which is not its last? For a debug trap, of TF or of a data
 * breakpoint; or because somebody waits. */
static bool leaves_rep(const struct bt_vcpu *b, const struct site *s, unsigned n)
{
	if (s->string.one || (b->debug.watched && mmu_watch_guest_pending(b->v.mmu)))
		return true;
	return n >= 4096 && (b->stop || (b->kick && !b->icount.on));
}

/* A REP with 32-bit addresses clears the upper half of its counter, MOVS and STOS those of all registers,
 * though it make no iteration. */
static void clear_upper(struct cpu *c, const struct site *s)
{
	areg_add(c, s, R_ECX, 0);
	if (s->string.op == STR_MOVS)
		areg_add(c, s, R_ESI, 0);
	if (s->string.op == STR_MOVS || s->string.op == STR_STOS)
		areg_add(c, s, R_EDI, 0);
}

uint64_t co_string(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;

	(void)ea;
	callout_begin(b, s);
	if (s->string.rep && s->asize == 4)
		clear_upper(c, s);
	if (!s->string.rep) {
		if (callout_string_step(b, s))
			return callout_raise(b, s);
		return callout_after_device(b, s);
	}
	for (unsigned n = 0; areg(c, s, R_ECX); n++) {
		if (callout_string_step(b, s))
			return callout_raise(b, s);
		areg_add(c, s, R_ECX, -1);
		if ((s->string.op == STR_CMPS || s->string.op == STR_SCAS) &&
		    !(c->flags & FL_ZF) == (s->string.rep == 1))
			break;
		if (__builtin_expect(n >= 4096 || s->string.one || b->debug.watched, 0) &&
		    leaves_rep(b, s, n) && areg(c, s, R_ECX))
			return between_iterations(b, s);
	}
	return callout_after_device(b, s);
}
