/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/board.h: builds the board from its list and wires it. */
#include "hv/board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

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

bool board_init(struct board *b, char *err, size_t errlen)
{
	bus_init(&b->bus);
	b->a20 = true;
	for (int i = 0; i < SLOT_COUNT; i++) {
		struct dev *d = calloc(1, classes[i]->size);

		if (!d) {
			snprintf(err, errlen, "out of memory for device %s", classes[i]->name);
			return false;
		}
		d->cls = classes[i];
		d->board = b;
		b->dev[i] = d;
		if (!claim_ports(b, d)) {
			snprintf(err, errlen, "ports of device %s are taken", d->cls->name);
			return false;
		}
		if (d->cls->init)
			d->cls->init(d);
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
	for (unsigned i = 0; i < ARRAY_LEN(post); i++)
		bus_out(&b->bus, post[i].port, 1, post[i].val);
}

void board_irq(struct board *b, unsigned line, bool level)
{
	uint16_t bit = (uint16_t)(1u << line);

	if (level == !!(b->lines & bit))
		return;
	b->lines ^= bit;
	if (level) {
		b->irq_raised[line]++;
		LOG(irq, "line %u raised", line);
	}
	pic_set(b->dev[SLOT_pic], line, level);
}

void board_event(struct board *b, enum board_event ev)
{
	if (b->event == EVENT_NONE)
		b->event = ev;
	if (b->v)
		b->v->ops->request_stop(b->v);
}

void board_exit(struct board *b, uint32_t val)
{
	if (b->event == EVENT_NONE)
		b->exit_code = (int)(val << 1 | 1);
	board_event(b, EVENT_EXIT);
}

void board_a20(struct board *b, bool on)
{
	uint32_t mask = on ? 0xffffffffu : 0xffefffffu;

	if (b->v && b->v->cpu.a20_mask != mask) {
		LOG(dev, "A20 %s", on ? "on" : "off");
		b->v->cpu.a20_mask = mask;
		if (b->v->mmu)
			mmu_flush(b->v->mmu, true);
	}
	b->a20 = on;
}

static void log_line(struct board *b)
{
	if (b->line_len)
		LOG(guest, "%.*s", (int)b->line_len, b->line);
	b->line_len = 0;
}

void board_debug_byte(struct board *b, uint8_t c)
{
	b->debug.buf[b->debug.total++ % BOARD_RING] = c;
	if (c == '\n') {
		log_line(b);
		return;
	}
	if (b->line_len == sizeof(b->line))
		log_line(b);
	if (c != '\r')
		b->line[b->line_len++] = (char)c;
}
