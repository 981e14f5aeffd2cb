/* SPDX-License-Identifier: GPL-3.0-or-later
 * The test device that kvm-unit-tests know as pc-testdev: registers that keep what is written, by ports of
 * every size (0xE0) and a byte (0xE8), a port that makes the hypervisor forget a page (0xE4: nothing to do
 * here), output (0xF1), the levels of the interrupt lines (0x2000 + line), and 64 KiB of device memory
 * (0xFF000000) that takes accesses of any size. Leaving is the debug exit's (debug.c, 0xF4). Ports 0xE9 to
 * 0xEB have other devices. GPR-only code (base/gpr.h). */
#include "hv/board.h"

enum { REGISTER = 0xe0, FLUSH = 0xe4, BYTE = 0xe8, OUTPUT = 0xf1, LINES = 0x2000 };
enum { MEMORY = 64 << 10 };

struct testdev {
	struct dev d;
	uint8_t reg[4], byte;
	uint8_t memory[MEMORY];
};

static const struct dev_ports ports[] = {
	{ REGISTER, REGISTER + 3, 7 },
	{ FLUSH, FLUSH + 3, 7 },
	{ BYTE, BYTE, 1 },
	{ OUTPUT, OUTPUT + 2, 1 },
	{ LINES, LINES + IRQ_LINES - 1, 7 },
};
static const struct dev_mmio ranges[] = { { 0, 15, 0xff000000, MEMORY } };
static const struct state_field fields[] = {
	F_HEX(testdev, reg),
	F_NUM(testdev, byte),
	F_HEX(testdev, memory),
};

static uint32_t testdev_in(struct dev *d, uint16_t port, unsigned size)
{
	struct testdev *t = (struct testdev *)d;
	uint32_t val = 0;

	if (port >= LINES)
		return d->board->driven[IRQ_TEST] >> (port - LINES) & 1;
	for (unsigned i = 0; port < FLUSH && i < size; i++)
		val |= (uint32_t)t->reg[port - REGISTER + i] << (8 * i);
	return port == BYTE ? t->byte : val;
}

static void testdev_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct testdev *t = (struct testdev *)d;

	if (port >= LINES)
		board_irq_from(d->board, IRQ_TEST, port - LINES, val & 0xff);
	else if (port == OUTPUT)
		board_debug_byte(d->board, (uint8_t)val);
	else if (port == BYTE)
		t->byte = (uint8_t)val;
	for (unsigned i = 0; port < FLUSH && i < size; i++)
		t->reg[port - REGISTER + i] = (uint8_t)(val >> (8 * i));
}

static uint64_t memory_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	uint64_t val = 0;

	(void)region;
	gpr_copy(&val, ((struct testdev *)d)->memory + off, size);
	return val;
}

static void memory_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	(void)region;
	gpr_copy(((struct testdev *)d)->memory + off, &val, size);
}

static void testdev_reset(struct dev *d)
{
	struct testdev *t = (struct testdev *)d;

	gpr_zero(t->reg, sizeof(t->reg));
	t->byte = 0;
	gpr_zero(t->memory, sizeof(t->memory));
}

const struct dev_class testdev_class = {
	.name = "testdev",
	.help = "pc-testdev: registers, interrupt lines and device memory for test kernels",
	.size = sizeof(struct testdev),
	DEV_PORTS(ports),
	DEV_MMIO(ranges),
	DEV_FIELDS(fields),
	.reset = testdev_reset,
	.in = testdev_in,
	.out = testdev_out,
	.mmio_read = memory_read,
	.mmio_write = memory_write,
};
