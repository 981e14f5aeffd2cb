/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/board.h: the board is built from its list, board.def. */
#include "hv/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/view.h"
#include "hv/io/door.h"
#include "hv/pci.h"

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

static bool refuse(const char *name, char *err, size_t errlen, const char *why)
{
	snprintf(err, errlen, "device %s: %s", name, why);
	return false;
}

struct dev *board_find(const struct board *b, const char *name)
{
	for (unsigned i = 0; i < b->ndevs; i++)
		if (!strcmp(b->dev[i]->name, name))
			return b->dev[i];
	return NULL;
}

static void set_direct(struct dev *d)
{
	d->direct = d->cls->gpr_only && !(d->cls->hosted && !d->board->door->io.vmm);
}

void board_set_direct(struct board *b)
{
	for (unsigned i = 0; i < b->ndevs; i++)
		set_direct(b->dev[i]);
}

static struct dev *make(struct board *b, const struct dev_class *cls, const char *name, const void *config)
{
	struct dev *d = calloc(1, cls->size);

	if (!d || !(d->user = calloc(1, sizeof(*d->user)))) {
		free(d);
		return NULL;
	}
	d->cls = cls;
	d->board = b;
	d->config = config;
	snprintf(d->name, sizeof(d->name), "%s", name);
	door_add(b->door, d->user, d->name);
	set_direct(d);
	return d;
}

static void unmake(struct board *b, struct dev *d)
{
	door_remove(b->door, d->user);
	free(d->user);
	free(d);
}

/* Give D its ports, ranges and configuration. */
static bool begin(struct board *b, struct dev *d, char *err, size_t errlen)
{
	if (!claim_ports(b, d))
		return refuse(d->name, err, errlen, "another device has some of its ports");
	if (!claim_mmio(b, d))
		return refuse(d->name, err, errlen, "another device has some of its memory ranges");
	if (d->cls->open && !d->cls->open(d, err, errlen))
		return false;
	if (d->cls->init)
		d->cls->init(d);
	return true;
}

struct dev *board_add(struct board *b, const struct dev_class *cls, const char *name, const void *config,
		      char *err, size_t errlen)
{
	struct dev *d = NULL;

	if (b->ndevs == BOARD_MAX_DEVS)
		refuse(name, err, errlen, "the board has no room for more devices");
	else if (board_find(b, name))
		refuse(name, err, errlen, "the board has a device of that name");
	else if (!(d = make(b, cls, name, config)))
		refuse(name, err, errlen, "out of memory");
	if (!d)
		return NULL;
	b->dev[b->ndevs] = d;
	if (begin(b, d, err, errlen)) {
		b->ndevs++;
		return d;
	}
	b->dev[b->ndevs] = NULL;
	unmake(b, d);
	return NULL;
}

bool board_init(struct board *b, char *err, size_t errlen)
{
	bus_init(&b->bus);
	mmio_init(&b->mmio);
	b->a20 = true;
	for (int i = 0; i < SLOT_COUNT; i++)
		if (!board_add(b, classes[i], classes[i]->name, NULL, err, errlen))
			return false;
	return board_configured(b, err, errlen);
}

void board_fini(struct board *b)
{
	while (b->ndevs) {
		struct dev *d = b->dev[--b->ndevs];

		if (d->cls->fini)
			d->cls->fini(d);
		unmake(b, d);
		b->dev[b->ndevs] = NULL;
	}
}

void board_reset(struct board *b)
{
	b->event = EVENT_NONE;
	b->intr = b->apic_intr = b->pic_intr = false;
	b->lines = 0;
	gpr_zero(b->driven, sizeof(b->driven));
	board_a20(b, true);
	for (unsigned i = 0; i < b->ndevs; i++)
		if (b->dev[i]->cls->reset)
			b->dev[i]->cls->reset(b->dev[i]);
}

void board_flush(struct board *b)
{
	for (unsigned i = 0; i < b->ndevs; i++)
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
	i440fx_open_shadow(b->dev[SLOT_i440fx]);
	lapic_post(b->dev[SLOT_lapic]);
	for (unsigned i = 0; i < ARRAY_LEN(post); i++)
		bus_out(&b->bus, post[i].port, 1, post[i].val);
	pci_assign(b);
}

void board_ratio(struct value *v, uint64_t num, uint64_t den)
{
	*v = V_REAL(den ? (double)num / (double)den : 0);
}
