/* SPDX-License-Identifier: GPL-3.0-or-later
 * Port dispatch: which device answers an access, and a count of those that none does.
 * Memory ranges of devices: hv/mmio.h. */
#ifndef HV_BUS_H
#define HV_BUS_H
#include "base/types.h"

struct dev;
enum { BUS_MAX_RANGES = 128, BUS_NO_REGION = 255 };

/* A claimed range of ports. SIZES: sum of the access sizes (1, 2, 4) the
 * device takes whole; others are split into bytes. REGION: the device's own number for the range, by which
 * its accesses arrive as those to memory do; BUS_NO_REGION: they arrive by port. */
struct port_range {
	struct dev *dev; /* NULL: a range that was released */
	uint16_t first, last;
	uint8_t sizes, region;
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
/* Ranges by region come and go at run time. False, and nothing changed, as above (claim), or when the device
 * has no range of that number (release). */
bool bus_claim_region(struct bus *b, struct dev *d, unsigned region, uint16_t first, uint16_t last,
		      uint8_t sizes);
bool bus_release_region(struct bus *b, const struct dev *d, unsigned region);
uint32_t bus_in(struct bus *b, uint16_t port, unsigned size);
void bus_out(struct bus *b, uint16_t port, unsigned size, uint32_t val);
#endif
