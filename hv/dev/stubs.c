/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ports that software accesses without needing a result: DMA controllers and page registers (with the
 * POST code port), and the FPU's busy latch. Reads return the last value written. */
#include "hv/board.h"

struct stubs {
	struct dev d;
	uint8_t reg[256];
};

static const struct dev_ports ports[] = {
	{ 0x00, 0x1f, 1 }, { 0x80, 0x8f, 1 }, { 0xc0, 0xdf, 1 }, { 0xf0, 0xf0, 1 }
};
static const struct state_field fields[] = {
	F_HEX(stubs, reg),
};

static uint32_t stubs_in(struct dev *d, uint16_t port, unsigned size)
{
	(void)size;
	return ((struct stubs *)d)->reg[port & 0xff];
}

static void stubs_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	(void)size;
	((struct stubs *)d)->reg[port & 0xff] = (uint8_t)val;
}

static void stubs_reset(struct dev *d)
{
	gpr_zero(((struct stubs *)d)->reg, 256);
}

const struct dev_class stubs_class = {
	.name = "stubs",
	.help = "DMA, page registers, FPU busy latch",
	.size = sizeof(struct stubs),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = stubs_reset,
	.in = stubs_in,
	.out = stubs_out,
};
