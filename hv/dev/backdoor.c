/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMware's backdoor port (VMware KB 1009458; Linux arch/x86/kernel/cpu/vmware.c uses it): IN EAX,DX
 * with a magic number in EAX and a command in CX. */
#include "hv/board.h"

enum { BACKDOOR_PORT = 0x5658, CMD_VERSION = 10, CMD_HZ = 45, VERSION = 6, PRODUCT_SERVER = 2 };
#define BACKDOOR_MAGIC 0x564d5868u

static const struct dev_ports ports[] = { { BACKDOOR_PORT, BACKDOOR_PORT + 3, 7 } };

static uint32_t backdoor_in(struct dev *d, uint16_t port, unsigned size)
{
	uint64_t *r = d->board->v->cpu.gpr;
	uint64_t hz;

	if (port != BACKDOOR_PORT || size != 4 || (uint32_t)r[R_EAX] != BACKDOOR_MAGIC)
		return 0xffffffffu;
	switch (r[R_ECX] & 0xffff) {
	case CMD_VERSION:
		r[R_EBX] = BACKDOOR_MAGIC;
		r[R_ECX] = PRODUCT_SERVER;
		return VERSION;
	case CMD_HZ:
		hz = (uint64_t)d->board->clock.tsc_khz * 1000;
		r[R_EBX] = (uint32_t)(hz >> 32);
		r[R_ECX] = BUS_HZ;
		return (uint32_t)hz;
	default:
		return 0xffffffffu;
	}
}

const struct dev_class backdoor_class = {
	.name = "backdoor",
	.help = "VMware backdoor port",
	.size = sizeof(struct dev),
	DEV_PORTS(ports),
	.in = backdoor_in,
};
