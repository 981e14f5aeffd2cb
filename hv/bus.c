/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/bus.h. Unanswered reads are all ones, as on a bus with pull-ups. GPR-only code
 * (base/gpr.h): accesses to devices that are not go through the door. */
#include "hv/bus.h"

#include "base/gpr.h"
#include "base/log.h"
#include "hv/board.h"
#include "hv/io/door.h"

void bus_init(struct bus *b)
{
	gpr_zero(b, sizeof(*b));
	b->nranges = 1;
	b->range[0] = (struct port_range){ .last = 0xffff, .sizes = 1, .region = BUS_NO_REGION };
}

/* A free row of the table, or BUS_MAX_RANGES. */
static unsigned free_row(const struct bus *b)
{
	for (unsigned i = 1; i < b->nranges; i++)
		if (!b->range[i].dev)
			return i;
	return b->nranges;
}

static bool claim(struct bus *b, const struct port_range *r)
{
	unsigned row = free_row(b);

	if (row == BUS_MAX_RANGES || r->last < r->first)
		return false;
	for (unsigned p = r->first; p <= r->last; p++)
		if (b->port[p])
			return false;
	gpr_fill(&b->port[r->first], (uint8_t)row, (size_t)(r->last - r->first) + 1);
	b->range[row] = *r;
	if (row == b->nranges)
		b->nranges++;
	return true;
}

bool bus_claim(struct bus *b, struct dev *d, uint16_t first, uint16_t last, uint8_t sizes)
{
	struct port_range r = {
		.dev = d, .first = first, .last = last, .sizes = sizes, .region = BUS_NO_REGION
	};

	return claim(b, &r);
}

static int row_of(const struct bus *b, const struct dev *d, unsigned region)
{
	for (unsigned i = 1; i < b->nranges; i++)
		if (b->range[i].dev == d && b->range[i].region == region)
			return (int)i;
	return -1;
}

bool bus_claim_region(struct bus *b, struct dev *d, unsigned region, uint16_t first, uint16_t last,
		      uint8_t sizes)
{
	struct port_range r = {
		.dev = d, .first = first, .last = last, .sizes = sizes, .region = (uint8_t)region
	};

	return region < BUS_NO_REGION && row_of(b, d, region) < 0 && claim(b, &r);
}

bool bus_release_region(struct bus *b, const struct dev *d, unsigned region)
{
	int row = region < BUS_NO_REGION ? row_of(b, d, region) : -1;
	struct port_range *r = &b->range[row < 0 ? 0 : row];

	if (row < 0)
		return false;
	gpr_zero(&b->port[r->first], (size_t)(r->last - r->first) + 1);
	r->dev = NULL;
	return true;
}

/* The range that takes the access whole, or NULL. */
static struct port_range *whole(struct bus *b, uint16_t port, unsigned size)
{
	struct port_range *r = &b->range[b->port[port]];

	if (!r->dev)
		return size == 1 ? r : NULL;
	return (r->sizes & size) && (unsigned)port + size - 1 <= r->last ? r : NULL;
}

/* Does any device have at least one of these ports? */
static bool answered(const struct bus *b, uint16_t port, unsigned size)
{
	for (unsigned i = 0; i < size && port + i <= 0xffff; i++)
		if (b->port[port + i])
			return true;
	return false;
}

static uint32_t ones(unsigned size)
{
	return size == 4 ? 0xffffffffu : (1u << (8 * size)) - 1;
}

static uint32_t call_in(const struct port_range *r, uint16_t port, unsigned size)
{
	const struct dev_class *cls = r->dev->cls;

	if (r->region == BUS_NO_REGION)
		return (cls->in ? cls->in(r->dev, port, size) : UINT32_MAX) & ones(size);
	return (uint32_t)cls->mmio_read(r->dev, r->region, port - r->first, size) & ones(size);
}

static void call_out(const struct port_range *r, uint16_t port, unsigned size, uint32_t val)
{
	const struct dev_class *cls = r->dev->cls;

	if (r->region != BUS_NO_REGION)
		cls->mmio_write(r->dev, r->region, port - r->first, size, val & ones(size));
	else if (cls->out)
		cls->out(r->dev, port, size, val & ones(size));
}

/* An access on its way through the door. */
struct host_access {
	const struct port_range *r;
	uint16_t port;
	uint8_t size;
	uint32_t val;
};

static void host_in(void *arg)
{
	struct host_access *a = arg;

	a->val = call_in(a->r, a->port, a->size);
}

static void host_out(void *arg)
{
	const struct host_access *a = arg;

	call_out(a->r, a->port, a->size, a->val);
}

static __attribute__((noinline)) uint32_t through_door(const struct port_range *r, uint16_t port,
						       unsigned size, uint32_t val, void (*fn)(void *))
{
	struct host_access a = { r, port, (uint8_t)size, val };

	door_call(r->dev->board->door, r->dev->user, DOOR_REGISTER, fn, &a);
	return a.val;
}

static uint32_t dev_in(const struct port_range *r, uint16_t port, unsigned size)
{
	return r->dev->direct ? call_in(r, port, size) : through_door(r, port, size, 0, host_in);
}

static void dev_out(const struct port_range *r, uint16_t port, unsigned size, uint32_t val)
{
	if (r->dev->direct)
		call_out(r, port, size, val);
	else
		through_door(r, port, size, val, host_out);
}

uint32_t bus_in(struct bus *b, uint16_t port, unsigned size)
{
	struct port_range *r = whole(b, port, size);
	uint32_t val = 0;

	if (r && r->dev) {
		r->reads++;
		return dev_in(r, port, size);
	}
	if (!answered(b, port, size)) {
		b->range[0].reads++;
		LOG(io, "in%u %#x: no device answers", size * 8, port);
		return ones(size);
	}
	if (size == 1)
		return 0xff;
	for (unsigned i = 0; i < size; i++)
		val |= (port + i <= 0xffff ? bus_in(b, (uint16_t)(port + i), 1) : 0xff) << (8 * i);
	return val;
}

void bus_out(struct bus *b, uint16_t port, unsigned size, uint32_t val)
{
	struct port_range *r = whole(b, port, size);

	if (r && r->dev) {
		r->writes++;
		dev_out(r, port, size, val);
		return;
	}
	if (!answered(b, port, size)) {
		b->range[0].writes++;
		LOG(io, "out%u %#x, %#x: no device answers", size * 8, port, val);
		return;
	}
	for (unsigned i = 0; size > 1 && i < size && port + i <= 0xffff; i++)
		bus_out(b, (uint16_t)(port + i), 1, (val >> (8 * i)) & 0xff);
}
