/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ports that software accesses without needing a result: the FPU's busy latch. Reads return the last value
 * written. */
#include "hv/board.h"

struct stubs {
	struct dev d;
	uint8_t reg[1];
};

static const struct dev_ports ports[] = { { 0xf0, 0xf0, 1 } };
static const struct state_field fields[] = {
	F_HEX(stubs, reg),
};

static uint32_t stubs_in(struct dev *d, uint16_t port, unsigned size)
{
	(void)port, (void)size;
	return ((struct stubs *)d)->reg[0];
}

static void stubs_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	(void)port, (void)size;
	((struct stubs *)d)->reg[0] = (uint8_t)val;
}

static void stubs_reset(struct dev *d)
{
	gpr_zero(((struct stubs *)d)->reg, 1);
}

const struct dev_class stubs_class = {
	.name = "stubs",
	.help = "FPU busy latch",
	.size = sizeof(struct stubs),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = stubs_reset,
	.in = stubs_in,
	.out = stubs_out,
};
