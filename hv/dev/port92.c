/* SPDX-License-Identifier: GPL-3.0-or-later
 * System control port A: fast A20 gate and fast processor reset. */
#include "hv/board.h"

enum { P92_RESET = 1, P92_A20 = 2 };

struct port92 {
	struct dev d;
	uint8_t latch; /* the other bits */
};

static const struct dev_ports ports[] = { { 0x92, 0x92, 1 } };
static const struct state_field fields[] = {
	F_NUM(port92, latch),
};

static uint32_t port92_in(struct dev *d, uint16_t port, unsigned size)
{
	(void)port, (void)size;
	return ((struct port92 *)d)->latch | (d->board->a20 ? P92_A20 : 0u);
}

static void port92_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	(void)port, (void)size;
	((struct port92 *)d)->latch = val & 0xfc;
	board_a20(d->board, val & P92_A20);
	if (val & P92_RESET)
		board_event(d->board, EVENT_CPU_RESET);
}

static void port92_reset(struct dev *d)
{
	((struct port92 *)d)->latch = 0;
}

const struct dev_class port92_class = {
	.name = "port92",
	.help = "system control port A: A20, reset",
	.size = sizeof(struct port92),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = port92_reset,
	.in = port92_in,
	.out = port92_out,
};
