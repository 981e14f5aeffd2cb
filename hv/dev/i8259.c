/* SPDX-License-Identifier: GPL-3.0-or-later
 * The pair of 8259A interrupt controllers with the edge/level registers of the
 * PC chip sets (Intel 8259A data sheet 231468; 82371AB 4.4). Drives the INTR pin after
 * each change. */
#include "base/log.h"
#include "base/view.h"
#include "hv/board.h"

enum { CASCADE = 2, ICW1_INIT = 0x10, ICW1_SINGLE = 2, ICW1_ICW4 = 1, ICW1_LEVEL = 8 };
enum { OCW3_SELECT = 8, OCW3_POLL = 4, OCW3_READ = 2, OCW3_ISR = 1, OCW3_SMM_SET = 0x40, OCW3_SMM = 0x20 };

struct i8259_chip {
	uint8_t irr, isr, imr;
	uint8_t lines;	/* present input levels */
	uint8_t elcr;	/* bit set: level triggered */
	uint8_t base;	/* vector of input 0 */
	uint8_t lowest; /* input with the lowest priority (7: normal) */
	uint8_t icw;	/* initialization word expected next: 0 none, 2, 3, 4 */
	uint8_t icw1, icw4;
	uint8_t special;  /* special mask mode */
	uint8_t read_isr; /* OCW3: reads of port 0 give ISR */
	uint8_t poll;	  /* OCW3: the next read is a poll */
	uint8_t rotate_aeoi;
};

struct i8259 {
	struct dev d;
	struct i8259_chip chip[2]; /* master, slave */
	uint64_t spurious;
};

static const struct dev_ports ports[] = { { 0x20, 0x21, 1 }, { 0xa0, 0xa1, 1 }, { 0x4d0, 0x4d1, 1 } };
static const struct state_field fields[] = {
	F_EACH(i8259, chip, irr),
	F_EACH(i8259, chip, isr),
	F_EACH(i8259, chip, imr),
	F_EACH(i8259, chip, lines),
	F_EACH(i8259, chip, elcr),
	F_EACH(i8259, chip, base),
	F_EACH_IN(i8259, chip, lowest, 0, 7),
	F_EACH_IN(i8259, chip, icw, 0, 4),
	F_EACH(i8259, chip, icw1),
	F_EACH(i8259, chip, icw4),
	F_EACH(i8259, chip, special),
	F_EACH(i8259, chip, read_isr),
	F_EACH(i8259, chip, poll),
	F_EACH(i8259, chip, rotate_aeoi),
	F_COUNTER(i8259, spurious),
};
static const uint8_t elcr_writable[2] = { 0xf8, 0xde };

static bool auto_eoi(const struct i8259_chip *c)
{
	return c->icw4 & 2;
}

/* Priority of input N, 0 highest. */
static unsigned rank(const struct i8259_chip *c, unsigned n)
{
	return (n - c->lowest - 1) & 7;
}

/* The input of highest priority in MASK, or -1. */
static int top(const struct i8259_chip *c, uint8_t mask)
{
	for (unsigned i = 0; mask && i < 8; i++) {
		unsigned n = (c->lowest + 1 + i) & 7;

		if (mask & (1u << n))
			return (int)n;
	}
	return -1;
}

/* The input that asks for service now, or -1. The master stays open to the
 * cascade input in special fully nested mode. */
static int request(const struct i8259_chip *c, bool master)
{
	int want = top(c, c->irr & (uint8_t)~c->imr);
	uint8_t serving = c->special ? c->isr & (uint8_t)~c->imr : c->isr;
	int busy;

	if (want < 0)
		return -1;
	if (master && (c->icw4 & 0x10))
		serving &= (uint8_t) ~(1u << CASCADE);
	busy = top(c, serving);
	return busy < 0 || rank(c, (unsigned)want) < rank(c, (unsigned)busy) ? want : -1;
}

static void chip_set(struct i8259_chip *c, unsigned n, bool level)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!level) {
		c->lines &= (uint8_t)~bit;
		c->irr &= (uint8_t)~bit;
		return;
	}
	if (!(c->lines & bit) || (c->elcr & bit) || (c->icw1 & ICW1_LEVEL))
		c->irr |= bit;
	c->lines |= bit;
}

static void update(struct i8259 *p)
{
	chip_set(&p->chip[0], CASCADE, request(&p->chip[1], false) >= 0);
	board_intr(p->d.board, request(&p->chip[0], true) >= 0);
}

void pic_set(struct dev *d, unsigned line, bool level)
{
	struct i8259 *p = (struct i8259 *)d;

	chip_set(&p->chip[line >> 3], line & 7, level);
	update(p);
}

/* Input N is being serviced. */
static void chip_ack(struct i8259_chip *c, unsigned n)
{
	uint8_t bit = (uint8_t)(1u << n);

	if (!(c->elcr & bit) && !(c->icw1 & ICW1_LEVEL))
		c->irr &= (uint8_t)~bit;
	if (!auto_eoi(c))
		c->isr |= bit;
	else if (c->rotate_aeoi)
		c->lowest = (uint8_t)n;
}

int pic_ack(struct dev *d)
{
	struct i8259 *p = (struct i8259 *)d;
	struct i8259_chip *m = &p->chip[0], *s = &p->chip[1];
	int n = request(m, true), sub, vector, line;

	if (n < 0) {
		p->spurious++;
		update(p);
		return m->base | 7;
	}
	line = n;
	vector = m->base | n;
	if (n == CASCADE) {
		sub = request(s, false);
		line = sub < 0 ? 15 : 8 + sub;
		vector = s->base | (line & 7);
		if (sub < 0)
			p->spurious++;
		else
			chip_ack(s, (unsigned)sub);
	}
	chip_ack(m, (unsigned)n);
	board_irq_taken(p->d.board, (unsigned)line);
	update(p);
	LOG(irq, "line %d acknowledged, vector %#x", line, vector);
	return vector;
}

static void init_word1(struct i8259_chip *c, uint8_t val)
{
	uint8_t lines = c->lines, elcr = c->elcr;

	gpr_zero(c, sizeof(*c));
	c->lines = lines;
	c->elcr = elcr;
	c->irr = lines & elcr;
	c->lowest = 7;
	c->icw1 = val;
	c->icw = 2;
}

static void end_of_interrupt(struct i8259_chip *c, uint8_t val)
{
	unsigned cmd = val >> 5;
	int n = (cmd & 2) ? val & 7 : top(c, c->special ? c->isr & (uint8_t)~c->imr : c->isr);

	if (n < 0)
		return;
	c->isr &= (uint8_t) ~(1u << n);
	if (cmd & 4)
		c->lowest = (uint8_t)n;
}

static void command2(struct i8259_chip *c, uint8_t val)
{
	switch (val >> 5) {
	case 0:
	case 4: /* rotate in auto-EOI mode: clear, set */
		c->rotate_aeoi = val >> 7;
		break;
	case 1:
	case 3:
	case 5:
	case 7:
		end_of_interrupt(c, val);
		break;
	case 6: /* set priority */
		c->lowest = val & 7;
		break;
	}
}

static void command3(struct i8259_chip *c, uint8_t val)
{
	if (val & OCW3_SMM_SET)
		c->special = !!(val & OCW3_SMM);
	if (val & OCW3_READ)
		c->read_isr = val & OCW3_ISR;
	c->poll = !!(val & OCW3_POLL);
}

static void data_write(struct i8259_chip *c, uint8_t val)
{
	switch (c->icw) {
	case 2:
		c->base = val & 0xf8;
		c->icw = !(c->icw1 & ICW1_SINGLE) ? 3 : (c->icw1 & ICW1_ICW4) ? 4 : 0;
		break;
	case 3: /* the cascade is wired */
		c->icw = (c->icw1 & ICW1_ICW4) ? 4 : 0;
		break;
	case 4:
		c->icw4 = val;
		c->icw = 0;
		break;
	default:
		c->imr = val;
	}
}

static void pic_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct i8259 *p = (struct i8259 *)d;
	unsigned n = port >= 0x4d0 ? port & 1 : port >= 0xa0;
	struct i8259_chip *c = &p->chip[n];

	(void)size;
	if (port >= 0x4d0)
		c->elcr = val & elcr_writable[n];
	else if (port & 1)
		data_write(c, (uint8_t)val);
	else if (val & ICW1_INIT)
		init_word1(c, (uint8_t)val);
	else if (val & OCW3_SELECT)
		command3(c, (uint8_t)val);
	else
		command2(c, (uint8_t)val);
	update(p);
}

static uint32_t poll_read(struct i8259 *p, unsigned n)
{
	struct i8259_chip *c = &p->chip[n];
	int want = request(c, !n);

	c->poll = 0;
	if (want >= 0)
		chip_ack(c, (unsigned)want);
	update(p);
	return want < 0 ? 0 : 0x80u | (unsigned)want;
}

static uint32_t pic_in(struct dev *d, uint16_t port, unsigned size)
{
	struct i8259 *p = (struct i8259 *)d;
	unsigned n = port >= 0x4d0 ? port & 1 : port >= 0xa0;
	struct i8259_chip *c = &p->chip[n];

	(void)size;
	if (port >= 0x4d0)
		return c->elcr;
	if (c->poll)
		return poll_read(p, n);
	if (port & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static void pic_reset(struct dev *d)
{
	struct i8259 *p = (struct i8259 *)d;

	gpr_zero(p->chip, sizeof(p->chip));
	p->chip[0].lowest = p->chip[1].lowest = 7;
	p->chip[0].imr = p->chip[1].imr = 0xff;
	p->chip[1].base = 8;
	p->spurious = 0;
	board_intr(p->d.board, false);
}

bool pic_entry(const struct dev *d, unsigned line, unsigned *vector)
{
	const struct i8259_chip *c = &((const struct i8259 *)d)->chip[line >> 3];

	*vector = c->base | (line & 7);
	return !(c->imr >> (line & 7) & 1);
}

void pic_rows(struct dev *d, struct row_sink *s)
{
	struct i8259 *p = (struct i8259 *)d;

	for (int i = 0; i < 2; i++) {
		const struct i8259_chip *c = &p->chip[i];
		const struct value v[] = {
			V_STR(i ? "slave" : "master"),
			V_HEX(c->irr),
			V_HEX(c->isr),
			V_HEX(c->imr),
			V_HEX(c->lines),
			V_HEX(c->elcr),
			V_HEX(c->base),
			V_UINT(c->lowest),
			V_BOOL(auto_eoi(c)),
			V_BOOL(c->special),
			V_UINT(i ? 0 : p->spurious),
		};

		s->row(s, v);
	}
}

const struct dev_class i8259_class = {
	.name = "pic",
	.help = "8259A interrupt controllers",
	.size = sizeof(struct i8259),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = pic_reset,
	.in = pic_in,
	.out = pic_out,
};
