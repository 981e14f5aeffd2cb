/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/bus.h. Unanswered reads are all ones, as on a bus with pull-ups. GPR-only code
 * (base/gpr.h): for devices that are not, the guest's vector registers are saved around
 * the call. */
#include "hv/bus.h"

#include "base/gpr.h"
#include "base/log.h"
#include "hv/dev.h"

void bus_init(struct bus *b)
{
	gpr_zero(b, sizeof(*b));
	b->nranges = 1;
	b->range[0] = (struct port_range){ .last = 0xffff, .sizes = 1 };
}

bool bus_claim(struct bus *b, struct dev *d, uint16_t first, uint16_t last, uint8_t sizes)
{
	if (b->nranges == BUS_MAX_RANGES)
		return false;
	for (unsigned p = first; p <= last; p++)
		if (b->port[p])
			return false;
	gpr_fill(&b->port[first], (uint8_t)b->nranges, (size_t)(last - first) + 1);
	b->range[b->nranges++] =
	    (struct port_range){ .dev = d, .first = first, .last = last, .sizes = sizes };
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

static uint32_t dev_in(struct dev *d, uint16_t port, unsigned size)
{
	struct vector_state s;
	uint32_t val;

	if (!d->cls->in)
		return ones(size);
	if (d->cls->gpr_only)
		return d->cls->in(d, port, size) & ones(size);
	vectors_away(&s);
	val = d->cls->in(d, port, size) & ones(size);
	vectors_back(&s);
	return val;
}

static void dev_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct vector_state s;

	if (!d->cls->out)
		return;
	if (d->cls->gpr_only) {
		d->cls->out(d, port, size, val & ones(size));
		return;
	}
	vectors_away(&s);
	d->cls->out(d, port, size, val & ones(size));
	vectors_back(&s);
}

uint32_t bus_in(struct bus *b, uint16_t port, unsigned size)
{
	struct port_range *r = whole(b, port, size);
	uint32_t val = 0;

	if (r && r->dev) {
		r->reads++;
		return dev_in(r->dev, port, size);
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
		dev_out(r->dev, port, size, val);
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
