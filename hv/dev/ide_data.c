/* SPDX-License-Identifier: GPL-3.0-or-later
 * How an IDE controller moves data (ATA/ATAPI-6, 9; Programming Interface for Bus Master IDE 1.0): between
 * the medium and a buffer of the channel by a request to the host, one for each drive at most, and between
 * the buffer and the guest by its accesses (PIO) or by the bus master's table. The drives of a channel share
 * its buffers and its bus master: only the selected one moves data, and a drive cannot be deselected while
 * its request is with the host (BSY).
 *
 * GPR-only code (base/gpr.h), but for the block layer, which is called with the guest's registers saved, and
 * calls on_done() so. */
#include "hv/dev/ide_int.h"

#include "hv/io/door.h"

enum { PACKET = 0xa0 };
enum { PRD_BYTES = 8, PRD_LAST = 0x80 };

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

void ide_cancel(struct ide_drive *d)
{
	if (d->phase != IDE_HOST)
		return;
	through_door(d, forget);
	d->phase = IDE_IDLE;
}

/* ---- the bus master ---- */

void ide_master_stop(struct ide_channel *c, uint8_t how)
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
		c->prd_left = IDE_PRD_MAX;
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
		if (!(d->in ? pci_dma_write(f, c->prd_at, buf, k)
			    : pci_dma_read_for_disk(f, c->prd_at, buf, k)))
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
	ide_master_stop(ide_channel(d), BM_ERROR);
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
		ide_master_stop(c, 0);
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

void ide_master_serve(struct ide_drive *d)
{
	struct ide_channel *c = ide_channel(d);

	if (d->phase == IDE_DMA && (c->bm_status & BM_ACTIVE) && c->selected == d->unit % 2)
		dma_part(d);
}

/* By bus master: now if it is active, else when it is started. */
static void by_master(struct ide_drive *d)
{
	d->phase = IDE_DMA;
	d->status = ST_DRDY | ST_DSC | ST_DRQ;
	ide_master_serve(d);
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

uint32_t ide_data_in(struct ide_drive *d, unsigned size)
{
	unsigned n = data_bytes(d, size);
	uint32_t val = 0;

	if (d->phase != IDE_PIO_IN || !n)
		return 0;
	gpr_copy(&val, ide_pio(d) + d->pos, n);
	advance(d, n);
	return val;
}

void ide_data_out(struct ide_drive *d, unsigned size, uint32_t val)
{
	unsigned n = data_bytes(d, size);

	if ((d->phase != IDE_PIO_OUT && d->phase != IDE_PACKET) || !n)
		return;
	gpr_copy(ide_pio(d) + d->pos, &val, n);
	advance(d, n);
}
