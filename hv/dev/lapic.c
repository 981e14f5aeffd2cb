/* SPDX-License-Identifier: GPL-3.0-or-later
 * The processor's local APIC (SDM vol. 3A ch. 11), as memory at the base of IA32_APIC_BASE or, in x2APIC
 * mode, as MSRs 800H to 83FH: register N is at offset 16 N, and MSR 800H + N. It drives the INTR pin after
 * each change (board_apic_intr()) and leaves pins to hv/wiring.c. There is one processor: a message reaches
 * it or nobody. The timer is in lapic_timer.c. GPR-only code (base/gpr.h): end of interrupt, task priority,
 * ICR and timer are on a kernel's hot path. */
#include "base/log.h"
#include "hv/dev/lapic_int.h"
#include "x86/msrs.h"

enum { REGS = LAPIC_REGS, LAPIC_BYTES = 0x1000, LVT_LINTS = 2 };

enum { SVR_ENABLE = 0x100 };
enum { ICR_ASSERT = 1 << 14, ICR_LEVEL = 1 << 15, ICR_BUSY = 1 << 12 };
enum { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS };
enum { ERR_SEND_VECTOR = 0x20, ERR_RECEIVE_VECTOR = 0x40, ERR_REGISTER = 0x80 };
enum { BROADCAST = 0xff, VECTORS_MIN = 16 };

#define VECTOR_FIELD(name) F_ARRAY(lapic, name.word)
static const struct state_field fields[] = {
	F_NUM(lapic, base),
	F_NUM(lapic, id),
	F_NUM(lapic, tpr),
	F_NUM(lapic, svr),
	F_NUM(lapic, ldr),
	F_NUM(lapic, dfr),
	F_NUM(lapic, esr),
	F_NUM(lapic, errors),
	F_NUM(lapic, icr),
	F_NUM(lapic, icr_high),
	F_ARRAY(lapic, lvt),
	VECTOR_FIELD(irr),
	VECTOR_FIELD(isr),
	VECTOR_FIELD(tmr),
	F_NUM_IN(lapic, lint, 0, 3),
	F_NUM(lapic, initial),
	F_NUM(lapic, count),
	F_NUM(lapic, divide),
	F_NUM(lapic, start),
	F_NUM(lapic, deadline),
	{ .name = "from",
	  .off = offsetof(struct lapic, from),
	  .size = 1,
	  .count = 256,
	  .stride = 1,
	  .unhashed = true,
	  .max = FROM_LINE + IRQ_LINES - 1 },
	F_COUNTER(lapic, n.eois),
	F_COUNTER(lapic, n.merged),
	F_COUNTER(lapic, n.refused),
	{ .name = "taken",
	  .off = offsetof(struct lapic, n.taken),
	  .size = 8,
	  .count = FROM_LINE + 1,
	  .stride = 8,
	  .unhashed = true },
	F_COUNTER(lapic, due),
	F_LATENCY(lapic, n.timer),
	F_TIMER(lapic, timer),
};

static bool x2apic(const struct lapic *l)
{
	return l->base & APIC_BASE_X2APIC;
}

/* ---- vectors and priorities ---- */

/* The highest vector in V, or -1. */
static int top(const struct vectors *v)
{
	for (int w = 7; w >= 0; w--)
		if (v->word[w])
			return w * 32 + 31 - __builtin_clz(v->word[w]);
	return -1;
}

static bool has(const struct vectors *v, unsigned n)
{
	return v->word[n / 32] >> n % 32 & 1;
}

static void put(struct vectors *v, unsigned n, bool on)
{
	if (on)
		v->word[n / 32] |= 1u << n % 32;
	else
		v->word[n / 32] &= ~(1u << n % 32);
}

/* Processor priority: of the task, or of the interrupt in service. */
static uint32_t ppr(const struct lapic *l)
{
	int serving = top(&l->isr);
	uint32_t class = serving < 0 ? 0 : (uint32_t)serving & 0xf0;

	return (l->tpr & 0xf0) >= class ? l->tpr : class;
}

/* The vector to be delivered now, or -1. */
static int deliverable(const struct lapic *l)
{
	int want = top(&l->irr);

	return want >= 0 && ((uint32_t)want & 0xf0) > (ppr(l) & 0xf0) ? want : -1;
}

static void update(struct lapic *l)
{
	board_apic_intr(l->d.board, lapic_is_on(l) && deliverable(l) >= 0);
}

/* The first error since the guest cleared them raises the error interrupt. */
static void error(struct lapic *l, uint32_t bit)
{
	bool first = !(l->errors & bit);

	l->errors |= bit;
	if (first)
		lapic_local(l, LVT_ERROR, FROM_ERROR);
}

static bool accept(struct lapic *l, uint8_t vector, bool level, uint8_t from)
{
	if (!(l->svr & SVR_ENABLE)) {
		l->n.refused++;
		return false;
	}
	if (vector < VECTORS_MIN) {
		error(l, ERR_RECEIVE_VECTOR);
		return true;
	}
	l->n.merged += has(&l->irr, vector);
	put(&l->irr, vector, true);
	put(&l->tmr, vector, level);
	l->from[vector] = from;
	update(l);
	return true;
}

static bool deliver(struct lapic *l, unsigned mode, uint8_t vector, bool level, uint8_t from)
{
	switch (mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		return accept(l, vector, level, from);
	case APIC_NMI:
		board_cpu_nmi(l->d.board);
		return true;
	case APIC_INIT: /* of the boot processor, which starts again */
		board_event(l->d.board, EVENT_CPU_RESET);
		return true;
	default: /* no system management mode; STARTUP finds the processor running */
		return true;
	}
}

void lapic_local(struct lapic *l, unsigned lvt, uint8_t from)
{
	uint32_t e = l->lvt[lvt];

	if (e & LVT_MASK)
		return;
	/* Entries of timer and error have no mode: fixed. */
	deliver(l, lvt == LVT_TIMER || lvt == LVT_ERROR ? APIC_FIXED : e >> 8 & 7, (uint8_t)e, false, from);
}

/* ---- LINT pins ---- */

static unsigned lint_mode(const struct lapic *l, unsigned n)
{
	return l->lvt[LVT_LINT0 + n] >> 8 & 7;
}

/* A level-triggered fixed interrupt of pin N is sent again until it is taken away. */
static void lint_level(struct lapic *l, unsigned n)
{
	uint32_t *e = &l->lvt[LVT_LINT0 + n];

	if (!(l->lint >> n & 1) || (*e & (LVT_MASK | LVT_REMOTE_IRR)) || !(*e & LVT_LEVEL) ||
	    lint_mode(l, n) != APIC_FIXED)
		return;
	if (accept(l, (uint8_t)*e, true, FROM_LINT))
		*e |= LVT_REMOTE_IRR;
}

void lapic_lint(struct dev *d, unsigned n, bool level)
{
	struct lapic *l = lapic_of(d);
	bool was = l->lint >> n & 1;
	uint32_t e = l->lvt[LVT_LINT0 + n];

	l->lint = (uint8_t)((l->lint & ~(1u << n)) | (unsigned)level << n);
	if (!lapic_is_on(l) || lint_mode(l, n) == APIC_EXTINT)
		return;
	if ((e & LVT_LEVEL) && lint_mode(l, n) == APIC_FIXED)
		lint_level(l, n);
	else if (level && !was)
		lapic_local(l, LVT_LINT0 + n, FROM_LINT);
}

bool lapic_enabled(const struct dev *d)
{
	return lapic_is_on((const struct lapic *)d);
}

bool lapic_extint(const struct dev *d)
{
	const struct lapic *l = (const struct lapic *)d;

	return !lapic_is_on(l) || (!(l->lvt[LVT_LINT0] & LVT_MASK) && lint_mode(l, 0) == APIC_EXTINT);
}

bool lapic_nmi_open(const struct dev *d)
{
	const struct lapic *l = (const struct lapic *)d;

	return !lapic_is_on(l) || !(l->lvt[LVT_LINT1] & LVT_MASK);
}

/* ---- messages ---- */

/* Is this processor addressed? A broadcast has all bits of the address set, in x2APIC mode too those of an
 * IO-APIC, which knows eight of them. */
static bool addressed(const struct lapic *l, uint32_t dest, bool logical)
{
	if (dest == BROADCAST || (x2apic(l) && dest == UINT32_MAX))
		return true;
	if (!logical)
		return dest == (x2apic(l) ? l->id : l->id >> 24);
	if (x2apic(l))
		return dest >> 16 == l->ldr >> 16 && (dest & l->ldr & 0xffff);
	if (l->dfr >> 28 == 0xf)
		return dest & l->ldr >> 24;
	return dest >> 4 == l->ldr >> 28 && (dest & l->ldr >> 24 & 0xf);
}

bool lapic_deliver(struct dev *d, const struct apic_message *m)
{
	struct lapic *l = lapic_of(d);

	return lapic_is_on(l) && addressed(l, m->dest, m->logical) &&
	       deliver(l, m->mode, m->vector, m->level, m->from);
}

int lapic_ack(struct dev *d)
{
	struct lapic *l = lapic_of(d);
	int v = lapic_is_on(l) ? deliverable(l) : -1;
	uint8_t from;

	if (v < 0)
		return -1;
	put(&l->irr, (unsigned)v, false);
	put(&l->isr, (unsigned)v, true);
	from = l->from[v];
	l->n.taken[from < FROM_LINE ? from : FROM_LINE]++;
	if (from == FROM_TIMER)
		lapic_timer_taken(l);
	if (from >= FROM_LINE)
		board_irq_taken(d->board, from - FROM_LINE);
	update(l);
	LOG(irq, "APIC: vector %#x acknowledged", (unsigned)v);
	return v;
}

static void end_of_interrupt(struct lapic *l)
{
	int v = top(&l->isr);

	l->n.eois++;
	if (v < 0)
		return;
	put(&l->isr, (unsigned)v, false);
	if (has(&l->tmr, (unsigned)v)) {
		for (unsigned n = 0; n < LVT_LINTS; n++)
			if ((uint8_t)l->lvt[LVT_LINT0 + n] == v) {
				l->lvt[LVT_LINT0 + n] &= ~(uint32_t)LVT_REMOTE_IRR;
				lint_level(l, n);
			}
		ioapic_eoi(l->d.board->dev[SLOT_ioapic], (unsigned)v);
	}
	update(l);
}

/* ICR was written. To itself a processor can send fixed interrupts alone by shorthand; by address, anything.
 */
static void send_ipi(struct lapic *l)
{
	unsigned mode = l->icr >> 8 & 7, to = l->icr >> 18 & 3;
	uint32_t dest = x2apic(l) ? l->icr_high : l->icr_high >> 24;
	bool here = to == TO_SELF || to == TO_ALL || (to == TO_DEST && addressed(l, dest, l->icr >> 11 & 1));

	if (mode <= APIC_LOWEST && (uint8_t)l->icr < VECTORS_MIN) {
		error(l, ERR_SEND_VECTOR);
		return;
	}
	if (mode == APIC_INIT && (l->icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return; /* INIT level de-assert: processors with a system bus ignore it */
	if (here && (mode <= APIC_LOWEST || to == TO_DEST))
		deliver(l, mode, (uint8_t)l->icr, false, FROM_IPI);
}

/* ---- registers ---- */

enum { RD = 1, WR = 2, X2 = 4, XAPIC = 8, BOTH = X2 | XAPIC };

/* Who may do what with a register, and the bits that can be set. */
static const struct lapic_reg {
	uint8_t how;
	uint32_t bits;
} regs[REGS] = {
	[LAPIC_ID] = { RD | WR | BOTH, 0xff000000 }, /* read-only as an MSR */
	[LAPIC_VERSION_REG] = { RD | BOTH, 0 },
	[LAPIC_TPR] = { RD | WR | BOTH, 0xff },
	[LAPIC_APR] = { RD | XAPIC, 0 },
	[LAPIC_PPR] = { RD | BOTH, 0 },
	[LAPIC_EOI] = { WR | BOTH, 0 },
	[LAPIC_RRD] = { RD | XAPIC, 0 },
	[LAPIC_LDR] = { RD | WR | BOTH, 0xff000000 }, /* read-only as an MSR */
	[LAPIC_DFR] = { RD | WR | XAPIC, 0xf0000000 },
	[LAPIC_SVR] = { RD | WR | BOTH, 0x3ff },
	[LAPIC_ISR... LAPIC_IRR + 7] = { RD | BOTH, 0 },
	[LAPIC_ESR] = { RD | WR | BOTH, 0 },
	[LAPIC_ICR] = { RD | WR | BOTH, 0xccfff },
	[LAPIC_ICR_HIGH] = { RD | WR | XAPIC, 0xff000000 },
	[LAPIC_LVT + LVT_TIMER] = { RD | WR | BOTH, 0x700ff },
	[LAPIC_LVT + LVT_THERMAL] = { RD | WR | BOTH, 0x107ff },
	[LAPIC_LVT + LVT_PERF] = { RD | WR | BOTH, 0x107ff },
	[LAPIC_LVT + LVT_LINT0] = { RD | WR | BOTH, 0x1a7ff },
	[LAPIC_LVT + LVT_LINT1] = { RD | WR | BOTH, 0x1a7ff },
	[LAPIC_LVT + LVT_ERROR] = { RD | WR | BOTH, 0x100ff },
	[LAPIC_INITIAL] = { RD | WR | BOTH, 0xffffffff },
	[LAPIC_CURRENT] = { RD | BOTH, 0 },
	[LAPIC_DIVIDE] = { RD | WR | BOTH, 0xb },
	[LAPIC_SELF_IPI] = { WR | X2, 0xff },
};

static uint32_t read_reg(const struct lapic *l, unsigned n)
{
	switch (n) {
	case LAPIC_ID:
		return l->id;
	case LAPIC_VERSION_REG:
		return (LVTS - 1) << 16 | LAPIC_VERSION;
	case LAPIC_TPR:
		return l->tpr;
	case LAPIC_PPR:
		return ppr(l);
	case LAPIC_LDR:
		return l->ldr;
	case LAPIC_DFR:
		return l->dfr;
	case LAPIC_SVR:
		return l->svr;
	case LAPIC_ISR ... LAPIC_ISR + 7:
		return l->isr.word[n - LAPIC_ISR];
	case LAPIC_TMR ... LAPIC_TMR + 7:
		return l->tmr.word[n - LAPIC_TMR];
	case LAPIC_IRR ... LAPIC_IRR + 7:
		return l->irr.word[n - LAPIC_IRR];
	case LAPIC_ESR:
		return l->esr;
	case LAPIC_ICR:
		return l->icr;
	case LAPIC_ICR_HIGH:
		return l->icr_high;
	case LAPIC_LVT ... LAPIC_LVT + LVTS - 1:
		return l->lvt[n - LAPIC_LVT];
	case LAPIC_INITIAL:
		return l->initial;
	case LAPIC_CURRENT:
		return lapic_timer_count(l);
	case LAPIC_DIVIDE:
		return l->divide;
	default:
		return 0;
	}
}

static void write_svr(struct lapic *l, uint32_t val)
{
	bool on = (val & SVR_ENABLE) && !(l->svr & SVR_ENABLE);

	l->svr = val;
	if (!(val & SVR_ENABLE))
		for (unsigned i = 0; i < LVTS; i++)
			l->lvt[i] |= LVT_MASK;
	lapic_timer_arm(l);
	board_extint_changed(l->d.board);
	if (on)
		ioapic_retry(l->d.board->dev[SLOT_ioapic]);
}

static void write_lvt(struct lapic *l, unsigned n, uint32_t val)
{
	if (!(l->svr & SVR_ENABLE))
		val |= LVT_MASK;
	if (n != LVT_TIMER) {
		l->lvt[n] = val | (val & LVT_LEVEL ? l->lvt[n] & LVT_REMOTE_IRR : 0);
		if (n == LVT_LINT0 || n == LVT_LINT1)
			lint_level(l, n - LVT_LINT0);
		if (n == LVT_LINT0)
			board_extint_changed(l->d.board);
		return;
	}
	lapic_timer_write_lvt(l, val);
}

static void write_reg(struct lapic *l, unsigned n, uint32_t val)
{
	switch (n) {
	case LAPIC_EOI:
		end_of_interrupt(l);
		break;
	case LAPIC_ID:
		l->id = val;
		break;
	case LAPIC_TPR:
		l->tpr = val;
		update(l);
		break;
	case LAPIC_LDR:
		l->ldr = val;
		break;
	case LAPIC_DFR:
		l->dfr = val | 0x0fffffff;
		break;
	case LAPIC_SVR:
		write_svr(l, val);
		break;
	case LAPIC_ESR:
		l->esr = l->errors;
		l->errors = 0;
		break;
	case LAPIC_ICR:
		l->icr = val;
		send_ipi(l);
		break;
	case LAPIC_ICR_HIGH:
		l->icr_high = val;
		break;
	case LAPIC_LVT ... LAPIC_LVT + LVTS - 1:
		write_lvt(l, n - LAPIC_LVT, val);
		break;
	case LAPIC_INITIAL:
		lapic_timer_write_initial(l, val);
		break;
	case LAPIC_DIVIDE:
		lapic_timer_write_divide(l, val);
		break;
	case LAPIC_SELF_IPI:
		if (val < VECTORS_MIN)
			error(l, ERR_SEND_VECTOR);
		else
			accept(l, (uint8_t)val, false, FROM_IPI);
		break;
	}
}

/* Bits of register N that can be set, which for the timer's depends on the model. */
static uint32_t bits_of(const struct lapic *l, unsigned n)
{
	return n == LAPIC_LVT && !l->d.board->apic.deadline ? 0x300ff : regs[n].bits;
}

/* ---- as memory ---- */

/* Registers are the first four bytes of 16, and read as a whole; smaller writes have no effect. */
static uint64_t lapic_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct lapic *l = lapic_of(d);
	unsigned n = (unsigned)(off >> 4);

	(void)region;
	if (off & 12)
		return 0;
	if (n >= REGS || !(regs[n].how & XAPIC)) {
		error(l, ERR_REGISTER);
		return 0;
	}
	return (uint64_t)read_reg(l, n) >> 8 * (off & 3) & (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1);
}

static void lapic_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct lapic *l = lapic_of(d);
	unsigned n = (unsigned)(off >> 4);

	(void)region;
	if ((off & 15) || size != 4)
		return;
	if (n >= REGS || !(regs[n].how & XAPIC) || !(regs[n].how & WR)) {
		error(l, ERR_REGISTER);
		return;
	}
	write_reg(l, n, (uint32_t)val & bits_of(l, n));
}

/* ---- as MSRs ---- */

bool lapic_rdmsr(struct dev *d, uint32_t msr, uint64_t *val)
{
	struct lapic *l = lapic_of(d);
	unsigned n = msr - MSR_X2APIC;

	if (msr == MSR_TSC_DEADLINE) {
		*val = l->deadline;
		return d->board->apic.deadline;
	}
	if (!x2apic(l) || n >= REGS || (regs[n].how & (RD | X2)) != (RD | X2))
		return false;
	*val = read_reg(l, n);
	if (n == LAPIC_ICR)
		*val |= (uint64_t)l->icr_high << 32;
	return true;
}

/* Bits that MSR N takes: the rest is reserved, and some registers are read-only there. */
static bool x2_valid(const struct lapic *l, unsigned n, uint64_t val)
{
	if (n >= REGS || (regs[n].how & (WR | X2)) != (WR | X2) || n == LAPIC_ID || n == LAPIC_LDR)
		return false;
	return !((n == LAPIC_ICR ? (uint32_t)val : val) & ~(uint64_t)bits_of(l, n));
}

bool lapic_wrmsr(struct dev *d, uint32_t msr, uint64_t val)
{
	struct lapic *l = lapic_of(d);
	unsigned n = msr - MSR_X2APIC;

	if (msr == MSR_TSC_DEADLINE) {
		if (d->board->apic.deadline)
			lapic_timer_write_deadline(l, val);
		return d->board->apic.deadline;
	}
	if (!x2apic(l) || !x2_valid(l, n, val))
		return false;
	if (n == LAPIC_ICR)
		l->icr_high = (uint32_t)(val >> 32);
	write_reg(l, n, (uint32_t)val);
	return true;
}

/* ---- base, reset ---- */

/* Registers after a reset. LINT0 is ExtINT, as with the board's first processor after firmware: guests that
 * know no APIC get the 8259's interrupts. */
static void reset_regs(struct lapic *l)
{
	timer_cancel(&l->d.board->clock, &l->timer);
	gpr_zero(&l->irr, sizeof(l->irr));
	gpr_zero(&l->isr, sizeof(l->isr));
	gpr_zero(&l->tmr, sizeof(l->tmr));
	gpr_zero(l->from, sizeof(l->from));
	l->id = l->tpr = l->ldr = l->esr = l->errors = l->icr = l->icr_high = 0;
	l->initial = l->count = l->divide = 0;
	l->start = l->deadline = 0;
	l->svr = 0xff;
	l->dfr = UINT32_MAX;
	for (unsigned i = 0; i < LVTS; i++)
		l->lvt[i] = LVT_MASK;
	l->lvt[LVT_LINT0] = APIC_EXTINT << 8;
}

/* Its registers are in memory where the base says, unless it is off or in x2APIC mode. Memory and other
 * devices take precedence there. */
static void map(struct lapic *l)
{
	struct mmio_bus *m = &l->d.board->mmio;
	gpa at = l->base & APIC_BASE_ADDR;

	mmio_remove(m, &l->d, 0);
	if (!lapic_is_on(l) || x2apic(l))
		return;
	if (!mmio_add(m, &l->d, 0, at, LAPIC_BYTES, 1 | 2 | 4))
		LOG(dev, "APIC base %#llx: another device is there", (unsigned long long)at);
}

void lapic_set_base(struct dev *d, uint64_t val)
{
	struct lapic *l = lapic_of(d);
	uint64_t old = l->base;

	if (old == val)
		return;
	l->base = val;
	if ((old ^ val) & APIC_BASE_ENABLE)
		reset_regs(l);
	if (!(old & APIC_BASE_X2APIC) && x2apic(l)) {
		l->id >>= 24;
		l->ldr = l->id >> 4 << 16 | 1u << (l->id & 15);
		l->icr_high = 0;
	}
	map(l);
	board_extint_changed(d->board);
	update(l);
}

void lapic_cpu_reset(struct dev *d)
{
	struct lapic *l = lapic_of(d);
	struct vcpu *v = d->board->v;

	l->base = LAPIC_AT | APIC_BASE_BSP | (d->board->apic.present ? APIC_BASE_ENABLE : 0);
	if (v)
		v->cpu.apic_base = l->base;
	reset_regs(l);
	map(l);
	board_extint_changed(d->board);
	update(l);
}

void lapic_post(struct dev *d)
{
	struct lapic *l = lapic_of(d);

	if (!lapic_is_on(l))
		return;
	write_svr(l, SVR_ENABLE | 0xff);
	write_lvt(l, LVT_LINT0, APIC_EXTINT << 8);
	write_lvt(l, LVT_LINT1, APIC_NMI << 8);
}

/* The NMI button. */
static size_t lapic_accept(struct dev *d, enum arrival_kind kind, const uint8_t *data, size_t n)
{
	(void)data;
	if (kind == ARRIVAL_NMI)
		board_nmi(d->board);
	return n;
}

static void lapic_init(struct dev *d)
{
	lapic_timer_init(lapic_of(d));
}

static void lapic_reset(struct dev *d)
{
	struct lapic *l = lapic_of(d);

	l->lint = 0;
	gpr_zero(&l->n, sizeof(l->n));
	lapic_cpu_reset(d);
}

static void lapic_loaded(struct dev *d)
{
	map(lapic_of(d));
}

uint32_t lapic_register(const struct dev *d, unsigned n, uint64_t *base, uint64_t *deadline)
{
	const struct lapic *l = (const struct lapic *)d;

	*base = l->base;
	*deadline = l->deadline;
	return read_reg(l, n);
}

const struct lapic_counts *lapic_counts(const struct dev *d)
{
	return &((const struct lapic *)d)->n;
}

const struct dev_class lapic_class = {
	.name = "lapic",
	.help = "local APIC",
	.size = sizeof(struct lapic),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_FIELDS(fields),
	.init = lapic_init,
	.reset = lapic_reset,
	.loaded = lapic_loaded,
	.mmio_read = lapic_read,
	.mmio_write = lapic_write,
	.accept = lapic_accept,
};
