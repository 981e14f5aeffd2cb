/* SPDX-License-Identifier: GPL-3.0-or-later
 * The IO-APIC (Intel 82093AA data sheet; with the EOI register of the ICH's): 24 pins, each with an entry
 * that says which message a local APIC gets for it. Levels are those of the router's lines, so polarity has
 * no effect. GPR-only code (base/gpr.h). */
#include "base/log.h"
#include "base/view.h"
#include "hv/apic.h"
#include "hv/board.h"

enum { AT_SELECT = 0, AT_WINDOW = 0x10, AT_EOI = 0x40, IOAPIC_BYTES = 0x1000 };
enum { R_ID, R_VERSION, R_ARBITRATION, R_TABLE = 0x10 };
#define RTE_WRITABLE 0xff0000000001afffull

struct ioapic {
	struct dev d;
	uint8_t select;		   /* register that the window shows */
	uint32_t id;		   /* bits 24 to 27 */
	uint32_t lines;		   /* levels of the pins */
	uint64_t rte[IOAPIC_PINS]; /* redirection table */
	uint64_t sent[IOAPIC_PINS];
	uint64_t refused; /* messages that no processor took */
};

static const struct state_field fields[] = {
	F_NUM(ioapic, select),
	F_NUM(ioapic, id),
	F_NUM(ioapic, lines),
	F_ARRAY(ioapic, rte),
	{ .name = "sent",
	  .off = offsetof(struct ioapic, sent),
	  .size = 8,
	  .count = IOAPIC_PINS,
	  .stride = 8,
	  .unhashed = true },
	F_COUNTER(ioapic, refused),
};

static unsigned mode_of(uint64_t rte)
{
	return rte >> 8 & 7;
}

/* The router's line on PIN, for its statistics. */
static uint8_t line_of(unsigned pin)
{
	return (uint8_t)(FROM_LINE + (pin == 2 ? 0 : pin));
}

static void send(struct ioapic *p, unsigned pin)
{
	uint64_t *rte = &p->rte[pin];
	struct apic_message m = {
		.dest = (uint32_t)(*rte >> 56),
		.logical = *rte & RTE_LOGICAL,
		.level = *rte & RTE_LEVEL,
		.mode = (uint8_t)mode_of(*rte),
		.vector = (uint8_t)*rte,
		.from = line_of(pin),
	};

	if (!lapic_deliver(p->d.board->dev[SLOT_lapic], &m)) {
		p->refused++;
		return;
	}
	p->sent[pin]++;
	if (m.level)
		*rte |= RTE_REMOTE_IRR;
}

/* Send the message of a level-triggered pin that is active, and whose last one has been handled. */
static void offer(struct ioapic *p, unsigned pin)
{
	uint64_t rte = p->rte[pin];

	if ((p->lines >> pin & 1) && (rte & RTE_LEVEL) && !(rte & (RTE_MASK | RTE_REMOTE_IRR)) &&
	    mode_of(rte) != APIC_EXTINT)
		send(p, pin);
}

void ioapic_set(struct dev *d, unsigned pin, bool level)
{
	struct ioapic *p = (struct ioapic *)d;
	bool was = p->lines >> pin & 1;
	uint64_t rte = p->rte[pin];

	p->lines = (p->lines & ~(1u << pin)) | (uint32_t)level << pin;
	if (!level)
		return;
	if (rte & RTE_LEVEL)
		offer(p, pin);
	else if (!was && !(rte & RTE_MASK) && mode_of(rte) != APIC_EXTINT)
		send(p, pin); /* edges while it is masked are lost */
}

void ioapic_eoi(struct dev *d, unsigned vector)
{
	struct ioapic *p = (struct ioapic *)d;

	for (unsigned i = 0; i < IOAPIC_PINS; i++) {
		if (!(p->rte[i] & RTE_REMOTE_IRR) || (p->rte[i] & 0xff) != vector)
			continue;
		p->rte[i] &= ~(uint64_t)RTE_REMOTE_IRR;
		offer(p, i);
	}
}

void ioapic_retry(struct dev *d)
{
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		offer((struct ioapic *)d, i);
}

bool ioapic_extint(const struct dev *d)
{
	uint64_t rte = ((const struct ioapic *)d)->rte[0]; /* the pin with the 8259's output */

	return !(rte & RTE_MASK) && mode_of(rte) == APIC_EXTINT;
}

uint64_t ioapic_entry(const struct dev *d, unsigned pin)
{
	return ((const struct ioapic *)d)->rte[pin];
}

/* ---- registers ---- */

static uint32_t read_window(const struct ioapic *p)
{
	unsigned n = p->select;

	switch (n) {
	case R_ID:
	case R_ARBITRATION:
		return p->id;
	case R_VERSION:
		return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION;
	case R_TABLE ... R_TABLE + 2 * IOAPIC_PINS - 1:
		return (uint32_t)(p->rte[(n - R_TABLE) / 2] >> (n & 1 ? 32 : 0));
	default:
		return UINT32_MAX;
	}
}

/* The half of entry PIN that SHIFT chooses. An entry that is edge-triggered has no message to be handled. */
static void write_entry(struct ioapic *p, unsigned pin, unsigned shift, uint32_t val)
{
	uint64_t mask = RTE_WRITABLE & (uint64_t)UINT32_MAX << shift;

	p->rte[pin] = (p->rte[pin] & ~mask) | ((uint64_t)val << shift & mask);
	if (!(p->rte[pin] & RTE_LEVEL))
		p->rte[pin] &= ~(uint64_t)RTE_REMOTE_IRR;
	offer(p, pin);
	if (!pin)
		board_extint_changed(p->d.board);
}

static void write_window(struct ioapic *p, uint32_t val)
{
	unsigned n = p->select;

	if (n == R_ID)
		p->id = val & 0x0f000000;
	else if (n >= R_TABLE && n < R_TABLE + 2 * IOAPIC_PINS)
		write_entry(p, (n - R_TABLE) / 2, n & 1 ? 32 : 0, val);
}

static uint64_t ioapic_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct ioapic *p = (struct ioapic *)d;

	(void)region;
	(void)size;
	if (off == AT_SELECT)
		return p->select;
	return off == AT_WINDOW ? read_window(p) : 0;
}

static void ioapic_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct ioapic *p = (struct ioapic *)d;

	(void)region;
	if (off == AT_SELECT)
		p->select = (uint8_t)val;
	else if (off == AT_WINDOW && size == 4)
		write_window(p, (uint32_t)val);
	else if (off == AT_EOI)
		ioapic_eoi(d, (uint8_t)val);
}

static void ioapic_reset(struct dev *d)
{
	struct ioapic *p = (struct ioapic *)d;
	struct mmio_bus *m = &d->board->mmio;

	p->select = 0;
	p->id = p->lines = 0;
	for (unsigned i = 0; i < IOAPIC_PINS; i++) {
		p->rte[i] = RTE_MASK;
		p->sent[i] = 0;
	}
	p->refused = 0;
	mmio_remove(m, d, 0);
	if (d->board->apic.present && !mmio_add(m, d, 0, IOAPIC_AT, IOAPIC_BYTES, 1 | 2 | 4))
		LOG(dev, "IO-APIC: another device is at its address");
	board_extint_changed(d->board);
}

void ioapic_rows(struct dev *d, struct row_sink *s)
{
	const struct ioapic *p = (const struct ioapic *)d;

	for (unsigned i = 0; i < IOAPIC_PINS; i++) {
		uint64_t e = p->rte[i];

		s->row(s, (const struct value[]){
			      V_UINT(i), V_BOOL(p->lines >> i & 1), V_BOOL(e & RTE_MASK), V_HEX(e & 0xff),
			      V_STR(apic_mode_names[mode_of(e)]), V_STR(e & RTE_LEVEL ? "level" : "edge"),
			      V_STR(e >> 13 & 1 ? "low" : "high"), V_BOOL(e & RTE_REMOTE_IRR),
			      V_STR(e & RTE_LOGICAL ? "logical" : "physical"), V_HEX(e >> 56),
			      V_UINT(p->sent[i]) });
	}
}

const struct dev_class ioapic_class = {
	.name = "ioapic",
	.help = "IO-APIC",
	.size = sizeof(struct ioapic),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_FIELDS(fields),
	.reset = ioapic_reset,
	.mmio_read = ioapic_read,
	.mmio_write = ioapic_write,
};
