/* SPDX-License-Identifier: GPL-3.0-or-later
 * The 8254 interval timer and port 0x61 (Intel 8254 data sheet 231164). Nothing counts down: the count
 * is computed from the VM time since it was loaded. Channel 0 drives IRQ 0 through a clock timer;
 * channel 2 the speaker and the gate that calibration loops use. */
#include "base/view.h"
#include "hv/board.h"

enum { PIT_HZ = 1193182, PORT_CONTROL = 0x43, PORT_B = 0x61 };
enum rw_mode { RW_LATCH, RW_LSB, RW_MSB, RW_WORD };

struct i8254_channel {
	uint64_t start;	 /* VM ns when the count was loaded or the gate rose */
	uint64_t paused; /* ticks counted before the gate fell (modes 0, 2, 3, 4) */
	uint32_t count;	 /* 1..65536 */
	uint8_t mode, rw, bcd;
	uint8_t gate;
	uint8_t loaded;		       /* a count was written since the control word */
	uint8_t triggered;	       /* modes 1 and 5: the gate rose since then */
	uint8_t write_lsb;	       /* RW_WORD: low byte received */
	uint8_t write_high, read_high; /* RW_WORD: the next byte is the high one */
	uint8_t latches;	       /* bytes of a latched count still to be read */
	uint16_t latch;
	uint8_t status_latched, status;
};

struct i8254 {
	struct dev d;
	struct i8254_channel ch[3];
	uint8_t port_b; /* bits 0 and 1: gate 2, speaker */
	uint64_t ticks; /* interrupts raised */
	uint64_t next;	/* tick of channel 0 (since its start) that raises IRQ 0 next */
	struct vm_timer timer;
};

static const struct dev_ports ports[] = { { 0x40, 0x43, 1 }, { PORT_B, PORT_B, 1 } };
static const struct state_field fields[] = {
	F_EACH(i8254, ch, start),
	F_EACH(i8254, ch, paused),
	F_EACH_IN(i8254, ch, count, 1, 65536),
	F_EACH_IN(i8254, ch, mode, 0, 5),
	F_EACH_IN(i8254, ch, rw, RW_LATCH, RW_WORD),
	F_EACH_IN(i8254, ch, bcd, 0, 1),
	F_EACH(i8254, ch, gate),
	F_EACH(i8254, ch, loaded),
	F_EACH(i8254, ch, triggered),
	F_EACH(i8254, ch, write_lsb),
	F_EACH(i8254, ch, write_high),
	F_EACH(i8254, ch, read_high),
	F_EACH(i8254, ch, latches),
	F_EACH(i8254, ch, latch),
	F_EACH(i8254, ch, status_latched),
	F_EACH(i8254, ch, status),
	F_NUM(i8254, port_b),
	F_NUM(i8254, next),
	F_COUNTER(i8254, ticks),
	F_TIMER(i8254, timer),
};

static uint64_t elapsed_ticks(const struct i8254 *p, const struct i8254_channel *c)
{
	return muldiv64(clock_now(&p->d.board->clock) - c->start, PIT_HZ, NS_PER_SEC);
}

/* VM ns at which channel 0 has counted TICKS (rounded up). */
static uint64_t tick_time(const struct i8254_channel *c, uint64_t ticks)
{
	return c->start + muldiv64(ticks, NS_PER_SEC, PIT_HZ) + 1;
}

static bool gated(const struct i8254_channel *c)
{
	return c->mode != 1 && c->mode != 5;
}

/* Ticks counted so far. */
static uint64_t ticks(const struct i8254 *p, const struct i8254_channel *c)
{
	if (!c->loaded || (!gated(c) && !c->triggered))
		return 0;
	if (gated(c) && !c->gate)
		return c->paused;
	return c->paused + elapsed_ticks(p, c);
}

static uint16_t to_bcd(uint32_t n)
{
	return (uint16_t)(n % 10 | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12);
}

static uint32_t from_bcd(uint32_t n)
{
	return (n & 15) + (n >> 4 & 15) * 10 + (n >> 8 & 15) * 100 + (n >> 12 & 15) * 1000;
}

static uint16_t counter(const struct i8254 *p, const struct i8254_channel *c)
{
	uint64_t t = ticks(p, c);
	uint32_t wrap = c->bcd ? 10000 : 65536, n;

	switch (c->mode) {
	case 2:
		n = c->count - (uint32_t)(t % c->count);
		break;
	case 3:
		n = (c->count & ~1u) - (uint32_t)(2 * t % (c->count > 1 ? c->count & ~1u : 1));
		break;
	default:
		n = (uint32_t)((c->count + (uint64_t)wrap - t % wrap) % wrap);
	}
	return c->bcd ? to_bcd(n % wrap) : (uint16_t)n;
}

static bool output(const struct i8254 *p, const struct i8254_channel *c)
{
	uint64_t t = ticks(p, c);

	switch (c->mode) {
	case 0:
		return c->loaded && t >= c->count;
	case 1:
		return !c->triggered || t >= c->count;
	case 2:
		return !c->gate || t % c->count != c->count - 1;
	case 3:
		return !c->gate || t % c->count < (c->count + 1) / 2;
	default:
		return t != c->count;
	}
}

static bool periodic(const struct i8254_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

static void irq0(struct i8254 *p, bool level)
{
	board_irq(p->d.board, 0, level);
}

static void arm(struct i8254 *p)
{
	timer_arm(&p->d.board->clock, &p->timer, tick_time(&p->ch[0], p->next));
}

/* Channel 0 reached p->next. Periods that passed meanwhile are lost, as on a PC with interrupts off. */
static void channel0_fire(void *ctx)
{
	struct i8254 *p = ctx;
	struct i8254_channel *c = &p->ch[0];

	irq0(p, false);
	irq0(p, true);
	p->ticks++;
	if (!periodic(c))
		return;
	p->next += c->count;
	if (p->next <= ticks(p, c))
		p->next = (ticks(p, c) / c->count + 1) * c->count;
	arm(p);
}

static void channel0_loaded(struct i8254 *p)
{
	struct i8254_channel *c = &p->ch[0];

	timer_cancel(&p->d.board->clock, &p->timer);
	if (!gated(c))
		return;
	if (c->mode == 0)
		irq0(p, false);
	p->next = c->count;
	arm(p);
}

static void load(struct i8254 *p, unsigned n, uint32_t val)
{
	struct i8254_channel *c = &p->ch[n];
	uint32_t wrap = c->bcd ? 10000 : 65536;

	val = c->bcd ? from_bcd(val) : val;
	c->count = val ? val : wrap;
	c->start = clock_now(&p->d.board->clock);
	c->paused = 0;
	c->loaded = 1;
	if (n == 0)
		channel0_loaded(p);
}

static void count_write(struct i8254 *p, unsigned n, uint8_t val)
{
	struct i8254_channel *c = &p->ch[n];

	switch (c->rw) {
	case RW_LSB:
		load(p, n, val);
		break;
	case RW_MSB:
		load(p, n, (uint32_t)val << 8);
		break;
	default:
		if (c->write_high)
			load(p, n, (uint32_t)val << 8 | c->write_lsb);
		else
			c->write_lsb = val;
		c->write_high ^= 1;
	}
}

static void latch_count(struct i8254 *p, struct i8254_channel *c)
{
	if (c->latches)
		return;
	c->latch = counter(p, c);
	c->latches = c->rw == RW_WORD ? 2 : 1;
	c->read_high = c->rw == RW_MSB;
}

static void latch_status(struct i8254 *p, struct i8254_channel *c)
{
	if (c->status_latched)
		return;
	c->status_latched = 1;
	c->status = (uint8_t)(output(p, c) << 7 | !c->loaded << 6 | c->rw << 4 | c->mode << 1 | c->bcd);
}

static void read_back(struct i8254 *p, uint8_t val)
{
	for (unsigned i = 0; i < 3; i++) {
		if (!(val & (2u << i)))
			continue;
		if (!(val & 0x20))
			latch_count(p, &p->ch[i]);
		if (!(val & 0x10))
			latch_status(p, &p->ch[i]);
	}
}

static void control_write(struct i8254 *p, uint8_t val)
{
	unsigned n = val >> 6;
	struct i8254_channel *c;

	if (n == 3) {
		read_back(p, val);
		return;
	}
	c = &p->ch[n];
	if (!(val & 0x30)) {
		latch_count(p, c);
		return;
	}
	*c = (struct i8254_channel){
		.gate = c->gate,
		.count = 65536,
		.rw = val >> 4 & 3,
		.bcd = val & 1,
		.mode = (val >> 1 & 7) > 5 ? (val >> 1 & 3) : (val >> 1 & 7),
	};
	if (n == 0) {
		timer_cancel(&p->d.board->clock, &p->timer);
		if (c->mode == 0)
			irq0(p, false);
	}
}

static uint8_t count_read(struct i8254 *p, struct i8254_channel *c)
{
	uint16_t now;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	now = c->latches ? c->latch : counter(p, c);
	if (c->latches)
		c->latches--;
	if (c->rw == RW_WORD) {
		c->read_high ^= 1;
		return (uint8_t)(c->read_high ? now : now >> 8);
	}
	return (uint8_t)(c->rw == RW_MSB ? now >> 8 : now);
}

static void set_gate(struct i8254 *p, struct i8254_channel *c, bool on)
{
	if (on == c->gate)
		return;
	if (!on && gated(c))
		c->paused = ticks(p, c);
	c->gate = on;
	if (!on)
		return;
	c->start = clock_now(&p->d.board->clock);
	if (!gated(c) || periodic(c))
		c->paused = 0;
	c->triggered = 1;
}

/* Bit 4 follows memory refresh: it toggles every 15.085 us. */
static uint8_t port_b_read(struct i8254 *p)
{
	uint64_t refresh = clock_now(&p->d.board->clock) / 15085 & 1;

	return (uint8_t)(p->port_b | refresh << 4 | output(p, &p->ch[2]) << 5);
}

static uint32_t pit_in(struct dev *d, uint16_t port, unsigned size)
{
	struct i8254 *p = (struct i8254 *)d;

	(void)size;
	if (port == PORT_B)
		return port_b_read(p);
	return port == PORT_CONTROL ? 0xff : count_read(p, &p->ch[port & 3]);
}

static void pit_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct i8254 *p = (struct i8254 *)d;

	(void)size;
	if (port == PORT_B) {
		p->port_b = val & 0xf;
		set_gate(p, &p->ch[2], val & 1);
	} else if (port == PORT_CONTROL) {
		control_write(p, (uint8_t)val);
	} else {
		count_write(p, port & 3, (uint8_t)val);
	}
}

static void pit_init(struct dev *d)
{
	struct i8254 *p = (struct i8254 *)d;

	p->timer.fire = channel0_fire;
	p->timer.ctx = p;
}

static void pit_reset(struct dev *d)
{
	struct i8254 *p = (struct i8254 *)d;

	timer_cancel(&d->board->clock, &p->timer);
	gpr_zero(p->ch, sizeof(p->ch));
	for (int i = 0; i < 3; i++) {
		p->ch[i].count = 65536;
		p->ch[i].rw = RW_WORD;
		p->ch[i].gate = i != 2;
	}
	p->port_b = 0;
	p->next = 0;
	p->ticks = 0;
}

void pit_rows(struct dev *d, struct row_sink *s)
{
	struct i8254 *p = (struct i8254 *)d;

	for (unsigned i = 0; i < 3; i++) {
		const struct i8254_channel *c = &p->ch[i];
		struct value v[] = {
			V_UINT(i),
			V_UINT(c->mode),
			V_UINT(c->loaded ? c->count : 0),
			V_UINT(counter(p, c)),
			V_BOOL(output(p, c)),
			V_BOOL(c->gate),
			V_NONE /* rate, below */,
			V_UINT(i ? 0 : p->ticks),
		};

		board_ratio(&v[6], c->loaded && periodic(c) ? PIT_HZ : 0, c->count);
		s->row(s, v);
	}
}

const struct dev_class i8254_class = {
	.name = "pit",
	.help = "8254 interval timer, speaker port",
	.lines = "0",
	.size = sizeof(struct i8254),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.init = pit_init,
	.reset = pit_reset,
	.in = pit_in,
	.out = pit_out,
};
