/* SPDX-License-Identifier: GPL-3.0-or-later
 * Debug ports: debug exit (0xf4, QEMU's rule) and
 * debug consoles (0xe9 of Bochs, 0x402 of SeaBIOS; both read 0xe9). */
#include "hv/board.h"

enum { DEBUG_EXIT = 0xf4, DEBUG_MAGIC = 0xe9 };

static const struct dev_ports ports[] = { { DEBUG_EXIT, DEBUG_EXIT + 3, 7 },
					  { 0xe9, 0xe9, 1 },
					  { 0x402, 0x402, 1 } };

static uint32_t debug_in(struct dev *d, uint16_t port, unsigned size)
{
	(void)d, (void)size;
	return port >= DEBUG_EXIT && port < DEBUG_EXIT + 4 ? 0 : DEBUG_MAGIC;
}

static void debug_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	(void)size;
	if (port >= DEBUG_EXIT && port < DEBUG_EXIT + 4)
		board_exit(d->board, val);
	else
		board_debug_byte(d->board, (uint8_t)val);
}

const struct dev_class debug_class = {
	.name = "debug",
	.help = "debug exit and debug console ports",
	.size = sizeof(struct dev),
	DEV_PORTS(ports),
	.in = debug_in,
	.out = debug_out,
};
