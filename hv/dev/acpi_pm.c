/* SPDX-License-Identifier: GPL-3.0-or-later
 * ACPI fixed hardware: PM1a event and control blocks and the PM timer (ACPI 6.5,
 * 4.8.3). Writing SLP_EN with the S5 type switches the machine off. */
#include "hv/boot/acpi.h"
#include "hv/board.h"

enum { PM_HZ = 3579545, TMR_STS = 1, PM1_STS_BITS = 0x8521, PM1_EN_BITS = 0x0521 };
enum { SCI_EN = 1, SLP_TYP_SHIFT = 10, SLP_EN = 1 << 13, CNT_BITS = 0x1c03 };
enum { EVT_STS, EVT_EN, CNT, NREGS };

struct acpi_pm {
	struct dev d;
	uint16_t reg[NREGS];
	uint64_t half;	       /* PM timer >> 23 when TMR_STS was last cleared */
	struct vm_timer carry; /* the next change of bit 23 */
};

static const struct dev_ports ports[] = { { ACPI_PM_BASE, ACPI_PM_BASE + ACPI_PM_LEN - 1, 7 } };
static const struct state_field fields[] = {
	F_ARRAY(acpi_pm, reg),
	F_NUM(acpi_pm, half),
	F_TIMER(acpi_pm, carry),
};

static uint64_t pm_ticks(const struct acpi_pm *p)
{
	return muldiv64(clock_now(&p->d.board->clock), PM_HZ, NS_PER_SEC);
}

static void update(struct acpi_pm *p)
{
	uint64_t half = pm_ticks(p) >> 23;

	if (half != p->half) {
		p->half = half;
		p->reg[EVT_STS] |= TMR_STS;
	}
	board_irq_from(p->d.board, IRQ_SCI, ACPI_SCI_IRQ, p->reg[EVT_STS] & p->reg[EVT_EN]);
	if (p->reg[EVT_EN] & TMR_STS)
		timer_arm(&p->d.board->clock, &p->carry, muldiv64((half + 1) << 23, NS_PER_SEC, PM_HZ) + 1);
	else
		timer_cancel(&p->d.board->clock, &p->carry);
}

static void carry_fire(void *ctx)
{
	update(ctx);
}

/* All registers as bytes from ACPI_PM_BASE. */
static uint8_t byte_at(struct acpi_pm *p, unsigned off, uint32_t timer)
{
	if (off < 6)
		return (uint8_t)(p->reg[off / 2] >> (8 * (off & 1)));
	return off < 8 ? 0 : (uint8_t)(timer >> (8 * (off - 8)));
}

static uint32_t pm_in(struct dev *d, uint16_t port, unsigned size)
{
	struct acpi_pm *p = (struct acpi_pm *)d;
	uint32_t timer = (uint32_t)pm_ticks(p), val = 0;

	if (port < ACPI_PM_TMR)
		update(p);
	for (unsigned i = 0; i < size; i++)
		val |= (uint32_t)byte_at(p, port - ACPI_PM_BASE + i, timer) << (8 * i);
	return val;
}

static void control(struct acpi_pm *p, uint16_t val)
{
	p->reg[CNT] = (val & CNT_BITS) | SCI_EN;
	if ((val & SLP_EN) && (val >> SLP_TYP_SHIFT & 7) == ACPI_S5_TYPE)
		board_event(p->d.board, EVENT_OFF);
}

static void byte_write(struct acpi_pm *p, unsigned off, uint8_t val)
{
	unsigned shift = 8 * (off & 1);
	uint16_t merged;

	if (off >= 6)
		return;
	if (off / 2 == EVT_STS) { /* write one to clear */
		p->reg[EVT_STS] &= (uint16_t) ~(val << shift);
		return;
	}
	merged = (uint16_t)((p->reg[off / 2] & ~(0xff << shift)) | val << shift);
	if (off / 2 == EVT_EN)
		p->reg[EVT_EN] = merged & PM1_EN_BITS;
	else
		control(p, merged);
}

static void pm_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	for (unsigned i = 0; i < size; i++)
		byte_write(p, port - ACPI_PM_BASE + i, (uint8_t)(val >> (8 * i)));
	update(p);
}

static void pm_init(struct dev *d)
{
	((struct acpi_pm *)d)->carry = (struct vm_timer){ .fire = carry_fire, .ctx = d };
}

static void pm_reset(struct dev *d)
{
	struct acpi_pm *p = (struct acpi_pm *)d;

	timer_cancel(&d->board->clock, &p->carry);
	p->reg[EVT_STS] = p->reg[EVT_EN] = 0;
	p->reg[CNT] = SCI_EN;
	p->half = pm_ticks(p) >> 23;
}

const struct dev_class acpi_pm_class = {
	.name = "pm",
	.help = "ACPI power management block",
	.lines = "9",
	.size = sizeof(struct acpi_pm),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.init = pm_init,
	.reset = pm_reset,
	.in = pm_in,
	.out = pm_out,
};
