/* SPDX-License-Identifier: GPL-3.0-or-later
 * A PIIX3-like IDE controller: two channels at their old ports and lines, two drives on each, and a bus
 * master (82371SB 2.7, Programming Interface for Bus Master IDE 1.0), as PCI function 00:01.1. Here are the
 * registers and the interrupts; ide_data.c moves data, commands are ata.c's and atapi.c's. There only when a
 * drive is attached.
 *
 * GPR-only code (base/gpr.h). */
#include "hv/dev/ide_int.h"

#include "base/log.h"

enum { DATA, ERROR, COUNT, LBAL, LBAM, LBAH, SELECT, COMMAND };
enum { CTL_NIEN = 2, CTL_SRST = 4, CTL_HOB = 0x80 };
enum { DIAGNOSTIC = 0x90, DEVICE_RESET = 8 };
enum { BM_BAR = 4, BM_COMMAND = 0, BM_STATUS = 2, BM_TABLE = 4, BM_CHANNEL = 8 };
enum { BM_START = 1, BM_READ = 8, BM_CAPABLE = 0x60 };
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
	F_EACH_IN(ide, ch, prd_left, 0, IDE_PRD_MAX),
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

/* ---- resets ---- */

static void reset_drive(struct ide_drive *d)
{
	ide_cancel(d);
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
	ide_master_serve(selected(x, ch));
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
		return ide_data_in(selected(x, ch), size);
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
		ide_data_out(selected(x, ch), size, val);
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
	ide_master_serve(selected(x, ch));
}

/* What is with the host is forgotten; the drive waits for the bus master again. */
static void bm_halt(struct ide *x, unsigned ch)
{
	ide_master_stop(&x->ch[ch], 0);
	for (unsigned i = 2 * ch; i < 2 * ch + 2; i++)
		if (x->drive[i].phase == IDE_HOST && x->drive[i].dma) {
			ide_cancel(&x->drive[i]);
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
	.lines = "14 15",
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
