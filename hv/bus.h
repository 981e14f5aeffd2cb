/* SPDX-License-Identifier: GPL-3.0-or-later
 * Port dispatch: which device answers an access, and a count of those that none does.
 * Memory ranges of devices: hv/mmio.h. */
#ifndef HV_BUS_H
#define HV_BUS_H
#include "base/types.h"

struct dev;
enum { BUS_MAX_RANGES = 64 };

/* A claimed range of ports. SIZES: sum of the access sizes (1, 2, 4) the
 * device takes whole; others are split into bytes. */
struct port_range {
	struct dev *dev;
	uint16_t first, last;
	uint8_t sizes;
	uint64_t reads, writes;
};

struct bus {
	struct port_range range[BUS_MAX_RANGES]; /* [0]: unanswered */
	unsigned nranges;
	uint8_t port[65536]; /* index into range[] */
};

void bus_init(struct bus *b);
/* False when the table is full or a port is taken. */
bool bus_claim(struct bus *b, struct dev *d, uint16_t first, uint16_t last, uint8_t sizes);
uint32_t bus_in(struct bus *b, uint16_t port, unsigned size);
void bus_out(struct bus *b, uint16_t port, unsigned size, uint32_t val);
#endif
