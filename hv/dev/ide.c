/* SPDX-License-Identifier: GPL-3.0-or-later
 * A PIIX3-like IDE controller: two channels at their old ports and lines, two drives on each, and a bus
 * master (82371SB 2.7, Programming Interface for Bus Master IDE 1.0), as PCI function 00:01.1. Here are the
 * registers, the interrupts and how data move (ATA/ATAPI-6, 9); commands are ata.c's and atapi.c's. There
 * only when a drive is attached. A channel has one command in progress, and each drive one request with the
 * host.
 *
 * GPR-only code (base/gpr.h), but for the block layer, which is called with the guest's registers saved, and
 * calls on_done() so. */
#include "hv/dev/ide_int.h"

#include "base/log.h"
#include "hv/io/door.h"

enum { DATA, ERROR, COUNT, LBAL, LBAM, LBAH, SELECT, COMMAND };
enum { CTL_NIEN = 2, CTL_SRST = 4, CTL_HOB = 0x80 };
enum { DIAGNOSTIC = 0x90, DEVICE_RESET = 8, PACKET = 0xa0 };
enum { BM_BAR = 4, BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_CHANNEL = 8 };
enum { BM_START = 1, BM_READ = 8, BM_ACTIVE = 1, BM_ERROR = 2, BM_INTR = 4, BM_CAPABLE = 0x60 };
enum { PRD_BYTES = 8, PRD_LAST = 0x80, PRD_MAX = 0x10000 };
enum { IDETIM = 0x40, IDETIM_ON = 0x80 };

static const struct dev_ports ports[] = {
	{ 0x1f0, 0x1f7, 7 }, { 0x3f6, 0x3f6, 1 }, { 0x170, 0x177, 7 }, { 0x376, 0x376, 1 }
};
static const uint8_t lines[IDE_CHANNELS] = { 14, 15 };

#define DRIVE(f) F_EACH(ide, drive, f)
#define DRIVE_IN(f, hi) F_EACH_IN(ide, drive, f, 0, hi)
static const struct state_field fields[] = {
	F_PCI(ide, pci),
	F_EACH_IN(ide, ch, selected, 0, 1),
	F_EACH(ide, ch, control),
	F_EACH(ide, ch, bm_command),
	F_EACH(ide, ch, bm_status),
	F_EACH(ide, ch, bm_table),
	F_EACH(ide, ch, prd_next),
	F_EACH(ide, ch, prd_at),
	F_EACH_IN(ide, ch, prd_left, 0, PRD_MAX),
	F_EACH_IN(ide, ch, prd_last, 0, 1),
	DRIVE(feature),
	DRIVE(count),
	DRIVE(lbal),
	DRIVE(lbam),
	DRIVE(lbah),
	DRIVE(select),
	DRIVE(status),
	DRIVE(error),
	DRIVE(hob_feature),
	DRIVE(hob_count),
	DRIVE(hob_lbal),
	DRIVE(hob_lbam),
	DRIVE(hob_lbah),
	DRIVE_IN(intrq, 1),
	DRIVE_IN(multiple, IDE_MULTIPLE),
	DRIVE_IN(heads, 16),
	DRIVE_IN(spt, 255),
	DRIVE(mode),
	DRIVE_IN(write_cache, 1),
	DRIVE(command),
	DRIVE_IN(phase, IDE_PHASES - 1),
	DRIVE_IN(dma, 1),
	DRIVE_IN(in, 1),
	DRIVE(at),
	DRIVE(left),
	DRIVE_IN(now, IDE_DMA_BYTES),
	DRIVE_IN(pos, IDE_PIO_BYTES),
	DRIVE_IN(stop, IDE_PIO_BYTES),
	DRIVE_IN(limit, IDE_PIO_BYTES),
	DRIVE_IN(reply, 1),
	DRIVE(key),
	DRIVE(asc),
	DRIVE(ascq),
	DRIVE_IN(loaded, 1),
	F_HEX(ide, pio),
};

static struct ide_drive *selected(struct ide *x, unsigned ch)
{
	return &x->drive[2 * ch + x->ch[ch].selected];
}

/* ---- interrupts ---- */

static void update(struct ide *x, unsigned ch)
{
	board_irq(x->d.board, lines[ch], selected(x, ch)->intrq && !(x->ch[ch].control & CTL_NIEN));
}

void ide_interrupt(struct ide_drive *d)
{
	struct ide_channel *c = ide_channel(d);

	d->intrq = 1;
	c->irqs++;
	if (!(c->control & CTL_NIEN))
		c->bm_status |= BM_INTR;
	update(d->ide, d->unit / 2);
}

static void no_interrupt(struct ide_drive *d)
{
	d->intrq = 0;
	update(d->ide, d->unit / 2);
}

/* ---- the host ---- */

static void on_done(struct block_request *r);

static void submit(void *arg)
{
	struct ide_drive *d = arg;

	block_submit(d->block, &d->req);
}

static void forget(void *arg)
{
	struct ide_drive *d = arg;

	block_cancel(d->block);
}

static void through_door(struct ide_drive *d, void (*fn)(void *))
{
	door_call(d->ide->d.board->door, d->ide->d.user, DOOR_DISK, fn, d);
}

void ide_submit(struct ide_drive *d, enum block_op op, void *buf, uint32_t n)
{
	d->phase = IDE_HOST;
	d->status = ST_DRDY | ST_DSC | ST_BSY;
	d->now = n;
	d->req =
	    (struct block_request){ .op = op, .at = d->at, .len = n, .buf = buf, .done = on_done, .ctx = d };
	through_door(d, submit);
}

/* Forget the request that is with the host, if any. */
static void cancel(struct ide_drive *d)
{
	if (d->phase != IDE_HOST)
		return;
	through_door(d, forget);
	d->phase = IDE_IDLE;
}

/* ---- the bus master ---- */

/* Its end, well or not. */
static void bm_stop(struct ide_channel *c, uint8_t how)
{
	c->bm_status = (uint8_t)((c->bm_status & ~BM_ACTIVE) | how);
}

static bool next_prd(struct ide *x, struct ide_channel *c)
{
	uint8_t e[PRD_BYTES];

	if (c->prd_last || !pci_dma_read(&x->pci, c->prd_next, e, sizeof(e)))
		return false;
	c->prd_next += PRD_BYTES;
	c->prd_at = *(const any32 *)e & ~1u;
	c->prd_left = *(const any16 *)(e + 4) & ~1u;
	if (!c->prd_left)
		c->prd_left = PRD_MAX;
	c->prd_last = (e[7] & PRD_LAST) != 0;
	return true;
}

/* Move N bytes between BUF and memory as the table says. False: the table's end, or no memory there. */
static bool bm_move(struct ide_drive *d, uint8_t *buf, uint32_t n)
{
	struct ide_channel *c = ide_channel(d);
	struct pci_function *f = &d->ide->pci;

	for (uint32_t k; n; n -= k, buf += k) {
		if (!c->prd_left && !next_prd(d->ide, c))
			return false;
		k = n < c->prd_left ? n : c->prd_left;
		if (!(d->in ? pci_dma_write(f, c->prd_at, buf, k) : pci_dma_read(f, c->prd_at, buf, k)))
			return false;
		c->prd_at += k;
		c->prd_left -= k;
		c->dma_bytes += k;
	}
	return true;
}

static void fail(struct ide_drive *d);

/* The same; if it is false, the command is over. */
static bool move(struct ide_drive *d, uint8_t *buf, uint32_t n)
{
	if (bm_move(d, buf, n))
		return true;
	bm_stop(ide_channel(d), BM_ERROR);
	fail(d);
	return false;
}

/* ---- how data move ---- */

void ide_finish(struct ide_drive *d, uint8_t error)
{
	struct ide_channel *c = ide_channel(d);

	d->phase = IDE_IDLE;
	d->error = error;
	d->status = ST_DRDY | ST_DSC | (error ? ST_ERR : 0);
	/* A table longer than the transfer leaves the bus master active (1.0, 3.1). */
	if (d->dma && c->prd_last && !c->prd_left)
		bm_stop(c, 0);
	ide_interrupt(d);
}

static void fail(struct ide_drive *d)
{
	if (d->kind == IDE_ATAPI)
		atapi_finish(d, 0xb, 0); /* aborted command */
	else
		ide_finish(d, ERR_ABRT);
}

static void well(struct ide_drive *d)
{
	if (d->kind == IDE_ATAPI)
		atapi_finish(d, 0, 0);
	else
		ide_finish(d, 0);
}

/* The guest may read up to the next interrupt. */
static void drq_in(struct ide_drive *d)
{
	uint32_t n = d->now - d->pos;

	if (d->kind == IDE_ATAPI) {
		n = n < d->limit ? n : d->limit;
		d->count = REASON_IO;
		d->lbam = (uint8_t)n;
		d->lbah = (uint8_t)(n >> 8);
	}
	d->stop = d->pos + n;
	d->phase = IDE_PIO_IN;
	d->status = ST_DRDY | ST_DSC | ST_DRQ;
	ide_interrupt(d);
}

void ide_expect(struct ide_drive *d, enum ide_phase phase, uint32_t n)
{
	d->phase = phase;
	d->now = d->stop = n;
	d->pos = 0;
	d->status = ST_DRDY | ST_DSC | ST_DRQ;
}

static uint32_t chunk(const struct ide_drive *d)
{
	uint32_t n = d->kind == IDE_ATA ? ata_chunk(d) : IDE_PIO_BYTES;

	return n < d->left ? n : d->left;
}

static void dma_part(struct ide_drive *d)
{
	uint8_t *buf = ide_dma(d);
	uint32_t n = d->left < IDE_DMA_BYTES ? d->left : IDE_DMA_BYTES;

	if (d->reply) {
		d->left = 0;
		if (move(d, ide_pio(d), d->now))
			well(d);
	} else if (d->in) {
		ide_submit(d, BLOCK_READ, buf, n);
	} else if (move(d, buf, n)) {
		if (ata_is_trim(d))
			ata_trim(d);
		else
			ide_submit(d, BLOCK_WRITE, buf, n);
	}
}

/* By bus master: now if it is active, else when it is started. */
static void by_master(struct ide_drive *d)
{
	d->phase = IDE_DMA;
	d->status = ST_DRDY | ST_DSC | ST_DRQ;
	if (ide_channel(d)->bm_status & BM_ACTIVE)
		dma_part(d);
}

void ide_transfer(struct ide_drive *d)
{
	d->reply = 0;
	if (!d->left)
		well(d);
	else if (d->dma)
		by_master(d);
	else if (d->in)
		ide_submit(d, BLOCK_READ, ide_pio(d), chunk(d));
	else
		ide_expect(d, IDE_PIO_OUT, chunk(d));
}

void ide_send(struct ide_drive *d, uint32_t n)
{
	d->reply = 1;
	d->in = 1;
	d->now = d->left = n;
	d->pos = 0;
	if (!n)
		well(d);
	else if (d->dma)
		by_master(d);
	else
		drq_in(d);
}

/* A part of the medium has come from the host, or gone there. */
static void part_done(struct ide_drive *d)
{
	if (d->in && d->dma && !move(d, ide_dma(d), d->now))
		return;
	d->at += d->now;
	d->left -= d->now;
	if (d->in && !d->dma) {
		d->pos = 0;
		drq_in(d);
		return;
	}
	if (!d->left) {
		well(d);
		return;
	}
	ide_transfer(d);
	if (!d->dma)
		ide_interrupt(d);
}

static void on_done(struct block_request *r)
{
	struct ide_drive *d = r->ctx;

	if (d->kind == IDE_ATA && (r->error || r->op == BLOCK_FLUSH || r->op == BLOCK_DISCARD))
		ata_done(d, r->op, r->error);
	else if (r->error)
		atapi_finish(d, 3, 0x11); /* medium error: unrecovered read error */
	else if (r->op == BLOCK_WRITE && d->left == d->now && ata_through(d))
		ide_submit(d, BLOCK_FLUSH, NULL, d->now);
	else
		part_done(d);
}

/* The guest has reached the end of what it may read. */
static void read_on(struct ide_drive *d)
{
	d->status &= (uint8_t)~ST_DRQ;
	if (d->pos < d->now)
		drq_in(d);
	else if (d->reply || !d->left) {
		d->phase = IDE_IDLE;
		if (d->command == PACKET)
			atapi_finish(d, 0, 0);
	} else
		ide_transfer(d);
}

static void buffer_done(struct ide_drive *d)
{
	if (d->phase == IDE_PIO_IN)
		read_on(d);
	else if (d->phase == IDE_PACKET)
		atapi_packet(d);
	else
		ide_submit(d, BLOCK_WRITE, ide_pio(d), d->now);
}

/* How many bytes of an access of SIZE are data: the last one may be half a word's. */
static unsigned data_bytes(const struct ide_drive *d, unsigned size)
{
	return size < d->stop - d->pos ? size : d->stop - d->pos;
}

static void advance(struct ide_drive *d, unsigned n)
{
	d->pos += n;
	ide_channel(d)->pio_bytes += n;
	if (d->pos == d->stop)
		buffer_done(d);
}

static uint32_t data_in(struct ide_drive *d, unsigned size)
{
	unsigned n = data_bytes(d, size);
	uint32_t val = 0;

	if (d->phase != IDE_PIO_IN || !n)
		return 0;
	gpr_copy(&val, ide_pio(d) + d->pos, n);
	advance(d, n);
	return val;
}

static void data_out(struct ide_drive *d, unsigned size, uint32_t val)
{
	unsigned n = data_bytes(d, size);

	if ((d->phase != IDE_PIO_OUT && d->phase != IDE_PACKET) || !n)
		return;
	gpr_copy(ide_pio(d) + d->pos, &val, n);
	advance(d, n);
}

/* ---- resets ---- */

static void reset_drive(struct ide_drive *d)
{
	cancel(d);
	d->intrq = 0;
	d->phase = IDE_IDLE;
	d->select = SEL_FIXED;
	d->hob_feature = d->hob_count = d->hob_lbal = d->hob_lbam = d->hob_lbah = 0;
	d->feature = 0;
	d->error = ERR_DIAG_OK;
	if (d->kind == IDE_ATA)
		ata_reset(d);
	else if (d->kind == IDE_ATAPI)
		atapi_reset(d);
}

static void reset_channel(struct ide *x, unsigned ch)
{
	x->ch[ch].selected = 0;
	reset_drive(&x->drive[2 * ch]);
	reset_drive(&x->drive[2 * ch + 1]);
	update(x, ch);
}

/* ---- task file ---- */

static uint8_t task_in(struct ide_drive *d, unsigned reg, bool hob)
{
	switch (reg) {
	case ERROR:
		return hob ? d->hob_feature : d->error;
	case COUNT:
		return hob ? d->hob_count : d->count;
	case LBAL:
		return hob ? d->hob_lbal : d->lbal;
	case LBAM:
		return hob ? d->hob_lbam : d->lbam;
	case LBAH:
		return hob ? d->hob_lbah : d->lbah;
	case SELECT:
		return d->select;
	default:
		return d->status;
	}
}

static void shift(uint8_t *now, uint8_t *before, uint8_t val)
{
	*before = *now;
	*now = val;
}

/* Both drives of a channel see all writes. */
static void task_out(struct ide_drive *d, unsigned reg, uint8_t val)
{
	switch (reg) {
	case ERROR:
		shift(&d->feature, &d->hob_feature, val);
		break;
	case COUNT:
		shift(&d->count, &d->hob_count, val);
		break;
	case LBAL:
		shift(&d->lbal, &d->hob_lbal, val);
		break;
	case LBAM:
		shift(&d->lbam, &d->hob_lbam, val);
		break;
	case LBAH:
		shift(&d->lbah, &d->hob_lbah, val);
		break;
	default:
		d->select = val | SEL_FIXED;
	}
}

static void diagnose(struct ide *x, unsigned ch)
{
	reset_channel(x, ch);
	for (unsigned i = 2 * ch; i < 2 * ch + 2; i++)
		if (x->drive[i].kind) {
			ide_interrupt(&x->drive[i]);
			break;
		}
}

static void command(struct ide *x, unsigned ch, uint8_t val)
{
	struct ide_drive *d = selected(x, ch);

	if (val == DIAGNOSTIC) {
		diagnose(x, ch);
		return;
	}
	if (d->kind == IDE_NONE || (d->phase != IDE_IDLE && (val != DEVICE_RESET || d->kind != IDE_ATAPI)))
		return;
	x->ch[ch].commands++;
	no_interrupt(d);
	d->command = val;
	d->error = 0;
	d->dma = 0;
	LOG(dev, "ide%u: command %#x, count %u", d->unit, val, d->count);
	if (val == DEVICE_RESET && d->kind == IDE_ATAPI) {
		reset_drive(d);
		d->status = 0;
	} else if (d->kind == IDE_ATAPI)
		atapi_command(d);
	else
		ata_command(d);
}

static uint8_t reg_in(struct ide *x, unsigned ch, unsigned reg)
{
	struct ide_drive *d = selected(x, ch);

	if (reg == COMMAND)
		no_interrupt(d);
	if (d->kind == IDE_NONE && reg != SELECT)
		return 0;
	if (reg == COMMAND && (x->ch[ch].control & CTL_SRST))
		return ST_BSY;
	return task_in(d, reg, x->ch[ch].control & CTL_HOB);
}

static void reg_out(struct ide *x, unsigned ch, unsigned reg, uint8_t val)
{
	struct ide_channel *c = &x->ch[ch];

	c->control &= (uint8_t)~CTL_HOB;
	if (c->control & CTL_SRST)
		return;
	if (reg == COMMAND) {
		command(x, ch, val);
		return;
	}
	if (selected(x, ch)->status & ST_BSY)
		return;
	task_out(&x->drive[2 * ch], reg, val);
	task_out(&x->drive[2 * ch + 1], reg, val);
	if (reg != SELECT)
		return;
	c->selected = (val & SEL_DEV) != 0;
	update(x, ch);
}

static void control_out(struct ide *x, unsigned ch, uint8_t val)
{
	struct ide_channel *c = &x->ch[ch];
	uint8_t old = c->control;

	c->control = val;
	if (val & ~old & CTL_SRST)
		reset_channel(x, ch);
	update(x, ch);
}

static uint32_t ide_in(struct dev *d, uint16_t port, unsigned size)
{
	struct ide *x = (struct ide *)d;
	unsigned ch = !(port & 0x80), reg = port & 7;
	uint32_t val = 0;

	if (port & 0x200)
		return selected(x, ch)->kind ? selected(x, ch)->status : 0;
	if (reg == DATA)
		return data_in(selected(x, ch), size);
	for (unsigned i = 0; i < size; i++)
		val |= (uint32_t)reg_in(x, ch, reg + i) << (8 * i);
	return val;
}

static void ide_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct ide *x = (struct ide *)d;
	unsigned ch = !(port & 0x80), reg = port & 7;

	if (port & 0x200)
		control_out(x, ch, (uint8_t)val);
	else if (reg == DATA)
		data_out(selected(x, ch), size, val);
	else
		for (unsigned i = 0; i < size; i++)
			reg_out(x, ch, reg + i, (uint8_t)(val >> (8 * i)));
}

/* ---- the bus master's registers ---- */

static void bm_start(struct ide *x, unsigned ch)
{
	struct ide_channel *c = &x->ch[ch];

	c->bm_status |= BM_ACTIVE;
	c->prd_next = c->bm_table;
	c->prd_left = 0;
	c->prd_last = 0;
	for (unsigned i = 2 * ch; i < 2 * ch + 2; i++)
		if (x->drive[i].phase == IDE_DMA)
			dma_part(&x->drive[i]);
}

/* What is with the host is forgotten; the drive waits for the bus master again. */
static void bm_halt(struct ide *x, unsigned ch)
{
	bm_stop(&x->ch[ch], 0);
	for (unsigned i = 2 * ch; i < 2 * ch + 2; i++)
		if (x->drive[i].phase == IDE_HOST && x->drive[i].dma) {
			cancel(&x->drive[i]);
			x->drive[i].phase = IDE_DMA;
			x->drive[i].status = ST_DRDY | ST_DSC | ST_DRQ;
		}
}

static void bm_command(struct ide *x, unsigned ch, uint8_t val)
{
	uint8_t old = x->ch[ch].bm_command;

	x->ch[ch].bm_command = val & (BM_START | BM_READ);
	if (val & ~old & BM_START)
		bm_start(x, ch);
	else if (old & ~val & BM_START)
		bm_halt(x, ch);
}

static uint8_t bm_in(const struct ide_channel *c, unsigned reg)
{
	if (reg == BM_COMMAND)
		return c->bm_command;
	if (reg == BM_STATUS)
		return c->bm_status;
	return reg >= BM_TABLE ? (uint8_t)(c->bm_table >> (8 * (reg - BM_TABLE))) : 0;
}

static void bm_out(struct ide *x, unsigned ch, unsigned reg, uint8_t val)
{
	struct ide_channel *c = &x->ch[ch];
	unsigned at = 8 * (reg & 3);

	if (reg == BM_COMMAND) {
		bm_command(x, ch, val);
	} else if (reg == BM_STATUS) {
		c->bm_status = (uint8_t)((c->bm_status & ~BM_CAPABLE & ~(val & (BM_ERROR | BM_INTR))) |
					 (val & BM_CAPABLE));
	} else if (reg >= BM_TABLE) {
		c->bm_table = ((c->bm_table & ~(0xffu << at)) | (uint32_t)val << at) & ~3u;
	}
}

static uint64_t bar_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct ide *x = (struct ide *)d;
	uint64_t val = 0;

	(void)region;
	for (unsigned i = 0; i < size; i++, off++)
		val |= (uint64_t)bm_in(&x->ch[off / BM_CHANNEL & 1], off % BM_CHANNEL) << (8 * i);
	return val;
}

static void bar_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	(void)region;
	for (unsigned i = 0; i < size; i++, off++)
		bm_out((struct ide *)d, off / BM_CHANNEL & 1, off % BM_CHANNEL, (uint8_t)(val >> (8 * i)));
}

/* ---- the device ---- */

static const struct pci_class ide_function = {
	.name = "Intel PIIX3-like IDE controller",
	.vendor = 0x8086,
	.device = 0x7010,
	.class_code = 0x010180,
	.bar = { [BM_BAR] = { .kind = PCI_BAR_IO, .sizes = 7, .size = 16 } },
};

static bool ide_open(struct dev *d, char *err, size_t errlen)
{
	struct ide *x = (struct ide *)d;

	if (!pci_add(&x->pci, &ide_function, d, PCI_AT(1, 1), err, errlen))
		return false;
	x->pci.initial[PCI_COMMAND] = PCI_IO;
	/* Timing: of use to drivers alone. Both channels are decoded, as a BIOS leaves them. */
	gpr_fill(x->pci.writable + IDETIM, 0xff, 5);
	x->pci.initial[IDETIM + 1] = x->pci.initial[IDETIM + 3] = IDETIM_ON;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		const struct drive *drive = drive_ide(d->board->drives, i);

		x->drive[i].ide = x;
		x->drive[i].unit = (uint8_t)i;
		x->drive[i].block = drive ? drive->block : NULL;
		x->drive[i].kind = !drive ? IDE_NONE : drive->kind == DRIVE_CD ? IDE_ATAPI : IDE_ATA;
	}
	return true;
}

static void ide_reset(struct dev *d)
{
	struct ide *x = (struct ide *)d;

	for (unsigned ch = 0; ch < IDE_CHANNELS; ch++) {
		struct ide_channel *c = &x->ch[ch];

		c->control = c->bm_command = c->bm_status = 0;
		c->bm_table = c->prd_left = 0;
		c->prd_last = 0;
		gpr_zero(x->pio[ch], IDE_PIO_BYTES);
		reset_channel(x, ch);
	}
}

/* Requests were complete when the state was saved. */
static void ide_loaded(struct dev *d)
{
	struct ide *x = (struct ide *)d;

	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct ide_drive *v = &x->drive[i];

		bool buffered = v->phase != IDE_DMA || v->reply;

		if (v->kind == IDE_NONE || v->phase == IDE_HOST ||
		    (buffered &&
		     (v->now > IDE_PIO_BYTES || v->pos > v->now || v->stop > v->now || v->pos > v->stop)))
			v->phase = IDE_IDLE;
		if (v->kind == IDE_ATA && (!v->heads || !v->spt))
			v->heads = 16, v->spt = 63;
	}
}

static void ide_fini(struct dev *d)
{
	pci_remove(&((struct ide *)d)->pci);
}

const struct dev_class ide_class = {
	.name = "ide",
	.help = "IDE controller: disks and CD, bus master",
	.size = sizeof(struct ide),
	DEV_PORTS(ports),
	.hosted = true,
	DEV_FIELDS(fields),
	.open = ide_open,
	.reset = ide_reset,
	.loaded = ide_loaded,
	.fini = ide_fini,
	.in = ide_in,
	.out = ide_out,
	.mmio_read = bar_read,
	.mmio_write = bar_write,
};
