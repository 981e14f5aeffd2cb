/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/board.h: the board is built from its list, board.def. */
#include "hv/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/view.h"

#define BOARD(slot, cls) extern const struct dev_class cls;
#include "hv/board.def"
#undef BOARD

static const struct dev_class *const classes[SLOT_COUNT] = {
#define BOARD(slot, cls) [SLOT_##slot] = &cls,
#include "hv/board.def"
#undef BOARD
};

static bool claim_ports(struct board *b, struct dev *d)
{
	for (unsigned i = 0; i < d->cls->nports; i++) {
		const struct dev_ports *p = &d->cls->ports[i];

		if (!bus_claim(&b->bus, d, p->first, p->last, p->sizes))
			return false;
	}
	return true;
}

static bool claim_mmio(struct board *b, struct dev *d)
{
	for (unsigned i = 0; i < d->cls->nmmio; i++) {
		const struct dev_mmio *p = &d->cls->mmio[i];

		if (!mmio_add(&b->mmio, d, p->region, p->first, p->len, p->sizes))
			return false;
	}
	return true;
}

static struct dev *refuse(struct dev *d, char *err, size_t errlen, const char *what)
{
	snprintf(err, errlen, "device %s: another device has some of its %s", d->cls->name, what);
	free(d);
	return NULL;
}

struct dev *board_attach(struct board *b, const struct dev_class *cls, char *err, size_t errlen)
{
	struct dev *d = calloc(1, cls->size);

	if (!d) {
		snprintf(err, errlen, "device %s: out of memory", cls->name);
		return NULL;
	}
	d->cls = cls;
	d->board = b;
	if (!claim_ports(b, d))
		return refuse(d, err, errlen, "ports");
	if (!claim_mmio(b, d))
		return refuse(d, err, errlen, "memory ranges");
	if (cls->init)
		cls->init(d);
	return d;
}

bool board_init(struct board *b, char *err, size_t errlen)
{
	bus_init(&b->bus);
	mmio_init(&b->mmio);
	b->a20 = true;
	for (int i = 0; i < SLOT_COUNT; i++) {
		b->dev[i] = board_attach(b, classes[i], err, errlen);
		if (!b->dev[i])
			return false;
	}
	return true;
}

void board_fini(struct board *b)
{
	for (int i = SLOT_COUNT - 1; i >= 0; i--) {
		if (b->dev[i] && b->dev[i]->cls->fini)
			b->dev[i]->cls->fini(b->dev[i]);
		free(b->dev[i]);
		b->dev[i] = NULL;
	}
}

void board_reset(struct board *b)
{
	b->event = EVENT_NONE;
	b->intr = false;
	b->lines = 0;
	gpr_zero(b->driven, sizeof(b->driven));
	board_a20(b, true);
	for (int i = 0; i < SLOT_COUNT; i++)
		if (b->dev[i]->cls->reset)
			b->dev[i]->cls->reset(b->dev[i]);
}

void board_flush(struct board *b)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (b->dev[i]->cls->flush)
			b->dev[i]->cls->flush(b->dev[i]);
}

struct port_write {
	uint16_t port;
	uint8_t val;
};

/* PICs at vectors 8 and 0x70, timer at 18.2 Hz, keyboard and timer unmasked. */
static const struct port_write post[] = {
	{ 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 }, { 0x21, 0x01 }, { 0xa0, 0x11 },
	{ 0xa1, 0x70 }, { 0xa1, 0x02 }, { 0xa1, 0x01 }, { 0x21, 0xb8 }, { 0xa1, 0x8f },
	{ 0x43, 0x36 }, { 0x40, 0x00 }, { 0x40, 0x00 },
};

void board_post(struct board *b)
{
	pci_open_shadow(b->dev[SLOT_pci]);
	for (unsigned i = 0; i < ARRAY_LEN(post); i++)
		bus_out(&b->bus, post[i].port, 1, post[i].val);
}

void board_ratio(struct value *v, uint64_t num, uint64_t den)
{
	*v = V_REAL(den ? (double)num / (double)den : 0);
}
