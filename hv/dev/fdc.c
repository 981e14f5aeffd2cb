/* SPDX-License-Identifier: GPL-3.0-or-later
 * An 82077AA-like floppy controller (Intel 82077AA data sheet) with up to two drives, by DMA channel 2 and
 * line 6; there only when a floppy is. A disk has the one format of its image, and is found at that format's
 * data rate alone, which is how drivers tell formats. Transfers without DMA, and SCAN, are not there.
 *
 * A command is collected byte by byte, executed, and leaves result bytes; SENSE INTERRUPT tells of seeks.
 * Heads move at once. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "hv/board.h"
#include "hv/boot/drives.h"

enum { SECTOR = BLOCK_SECTOR, FDC_IRQ = 6, FDC_DMA = 2, DRIVES = 4, FIFO = 16, TRACK_MAX = 2 * 36 * SECTOR };
enum { SRA, SRB, DOR, TDR, MSR, DATA, DIR = 7 };
enum { DOR_ON = 4, DOR_GATE = 8, DSR_RESET = 0x80, DIR_CHANGED = 0x80 };
enum { MSR_BUSY = 0x10, MSR_OUT = 0x40, MSR_RQM = 0x80 };
enum { ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_SEEK = 0x20, ST0_RESET = 0xc0, ST0_NOT_READY = 8 };
enum { ST1_MARK = 1, ST1_PROTECTED = 2, ST1_NOT_FOUND = 4, ST1_DATA = 0x20, ST1_END = 0x80 };
enum { ST2_WRONG_CYLINDER = 0x10, ST3_PROTECTED = 0x40, ST3_READY = 0x20, ST3_TRACK0 = 0x10, ST3_TWO = 8 };
enum { COMMAND_BITS = 0x1f, MULTITRACK = 0x80, SIZE_512 = 2 };

enum phase { COLLECTS, EXECUTES, ANSWERS };

struct fdc {
	struct dev d;
	uint8_t dor, rate, phase;
	uint8_t fifo[FIFO]; /* the command, then its result */
	uint8_t len, pos;   /* of the result; bytes of the command, or of the result that were read */
	uint8_t track[DRIVES];
	uint8_t irq;	     /* the line is raised */
	uint8_t sense;	     /* drives whose seek, or the reset, is to be told by SENSE INTERRUPT */
	uint8_t st0[DRIVES]; /* what it tells */
	uint8_t specify[2], config[3], perpendicular, lock;
	uint8_t head, sector; /* where the transfer begins */
	uint32_t bytes;	      /* of the transfer that is with the host */
	uint8_t buf[TRACK_MAX];
	struct block_request req;
};

static const struct dev_ports ports[] = { { 0x3f0, 0x3f5, 1 }, { 0x3f7, 0x3f7, 1 } };
static const struct state_field fields[] = {
	F_NUM(fdc, dor),	   F_NUM_IN(fdc, rate, 0, 3),	F_NUM_IN(fdc, phase, 0, ANSWERS),
	F_HEX(fdc, fifo),	   F_NUM_IN(fdc, len, 0, FIFO), F_NUM_IN(fdc, pos, 0, FIFO - 1),
	F_ARRAY(fdc, track),	   F_NUM_IN(fdc, irq, 0, 1),	F_NUM_IN(fdc, sense, 0, 15),
	F_ARRAY(fdc, st0),	   F_ARRAY(fdc, specify),	F_ARRAY(fdc, config),
	F_NUM(fdc, perpendicular), F_NUM_IN(fdc, lock, 0, 1),
};

static unsigned unit(const struct fdc *f)
{
	return f->fifo[1] & 3;
}

static const struct drive *drive(const struct fdc *f, unsigned n)
{
	return drive_floppy(f->d.board->drives, n);
}

/* ---- interrupts, results ---- */

static void interrupt(struct fdc *f, bool on)
{
	f->irq = on;
	board_irq(f->d.board, FDC_IRQ, on && (f->dor & DOR_GATE));
}

static void collect(struct fdc *f)
{
	f->phase = COLLECTS;
	f->pos = f->len = 0;
}

static void answer(struct fdc *f, const uint8_t *bytes, unsigned n)
{
	memcpy(f->fifo, bytes, n);
	f->len = (uint8_t)n;
	f->pos = 0;
	f->phase = ANSWERS;
}

static void answer_byte(struct fdc *f, uint8_t val)
{
	answer(f, &val, 1);
}

/* The result of a transfer, with its interrupt. The address is that of the next sector. */
static void result(struct fdc *f, uint8_t st0, uint8_t st1, uint8_t st2)
{
	const uint8_t r[] = {
		(uint8_t)(st0 | f->head << 2 | unit(f)), st1, st2, f->fifo[2], f->head, f->sector, SIZE_512
	};

	answer(f, r, sizeof(r));
	interrupt(f, true);
}

/* ---- transfers ---- */

/* Data rates by type of the format, as in the configuration register. */
static bool right_rate(const struct fdc *f, const struct drive *d)
{
	static const uint8_t rates[] = { 0, 2, 0, 2, 0, 3 };

	return f->rate == rates[d->geo.type] || (d->geo.type == 1 && f->rate == 1);
}

static uint64_t offset(const struct fdc *f, const struct drive *d)
{
	return ((uint64_t)(f->track[unit(f)] * d->geo.heads + f->head) * d->geo.spt + f->sector - 1) * SECTOR;
}

/* Advance by N sectors from where the transfer began. */
static void advance(struct fdc *f, const struct drive *d, unsigned n)
{
	unsigned last = f->fifo[6] < d->geo.spt ? f->fifo[6] : d->geo.spt;

	while (n--) {
		if (f->sector++ < last)
			continue;
		f->sector = 1;
		if ((f->fifo[0] & MULTITRACK) && !f->head)
			f->head = 1;
		else {
			f->head = f->fifo[0] & MULTITRACK ? 0 : f->head;
			f->fifo[2]++;
		}
	}
}

/* Is there what the command asks for? If not, it has ended. */
static bool found(struct fdc *f, const struct drive *d, bool writes)
{
	if (!d || !right_rate(f, d)) {
		result(f, ST0_ABNORMAL, ST1_MARK, 0);
		return false;
	}
	if (writes && d->read_only) {
		result(f, ST0_ABNORMAL, ST1_PROTECTED, 0);
		return false;
	}
	if (f->fifo[2] != f->track[unit(f)] || f->track[unit(f)] >= d->geo.cyls) {
		result(f, ST0_ABNORMAL, ST1_NOT_FOUND, ST2_WRONG_CYLINDER);
		return false;
	}
	if (!f->sector || f->sector > d->geo.spt || f->head >= d->geo.heads || f->fifo[3] != f->head ||
	    f->fifo[5] != SIZE_512) {
		result(f, ST0_ABNORMAL, ST1_NOT_FOUND, 0);
		return false;
	}
	return true;
}

/* Bytes up to the last sector of the track, or of the cylinder, that the command allows. */
static uint32_t to_end(const struct fdc *f, const struct drive *d)
{
	unsigned last = f->fifo[6] < d->geo.spt ? f->fifo[6] : d->geo.spt;
	unsigned n = f->sector > last ? 1 : last - f->sector + 1u;

	if ((f->fifo[0] & MULTITRACK) && !f->head && d->geo.heads == 2)
		n += last;
	return n * SECTOR;
}

static void on_done(struct block_request *r);

static void submit(struct fdc *f, const struct drive *d, enum block_op op, uint64_t at, uint32_t n)
{
	f->phase = EXECUTES;
	f->bytes = n;
	f->req =
	    (struct block_request){ .op = op, .at = at, .len = n, .buf = f->buf, .done = on_done, .ctx = f };
	/* The image may be shorter than its format. */
	if (at >= block_size(d->block) || f->req.len > block_size(d->block) - at) {
		memset(f->buf, 0, op == BLOCK_READ ? n : 0);
		f->req.len = at >= block_size(d->block) ? 0 : block_size(d->block) - at;
		f->req.at = f->req.len ? at : 0;
	}
	block_submit(d->block, &f->req);
}

/* READ DATA, VERIFY, WRITE DATA: at most one cylinder, and what the DMA channel is programmed for. With both
 * heads the second one's track follows the first's in the image. */
static void begin_transfer(struct fdc *f, bool writes)
{
	const struct drive *d = drive(f, unit(f));
	struct dev *dma = f->d.board->dev[SLOT_dma];
	uint32_t n, some = dma_available(dma, FDC_DMA);
	bool end;

	f->head = f->fifo[1] >> 2 & 1;
	f->sector = f->fifo[4];
	if (!found(f, d, writes))
		return;
	n = to_end(f, d);
	if (some && some < n)
		n = (some + SECTOR - 1) / SECTOR * SECTOR;
	if (writes) {
		memset(f->buf, 0, n);
		dma_move(dma, FDC_DMA, f->buf, n, &end);
		f->len = end;
	}
	submit(f, d, writes ? BLOCK_WRITE : BLOCK_READ, offset(f, d), n);
}

static void on_done(struct block_request *r)
{
	struct fdc *f = r->ctx;
	const struct drive *d = drive(f, unit(f));
	unsigned op = f->fifo[0] & COMMAND_BITS;
	bool end = f->len;

	if (r->error) {
		result(f, ST0_ABNORMAL, r->error == EROFS ? ST1_PROTECTED : ST1_DATA, 0);
		return;
	}
	if (op == 0x0d) {
		result(f, 0, 0, 0);
		return;
	}
	if (r->op == BLOCK_READ && op != 0x16)
		dma_move(f->d.board->dev[SLOT_dma], FDC_DMA, f->buf, f->bytes, &end);
	advance(f, d, f->bytes / SECTOR);
	if (end || op == 0x16)
		result(f, 0, 0, 0);
	else
		result(f, ST0_ABNORMAL, ST1_END, 0);
}

static void cmd_read(struct fdc *f)
{
	begin_transfer(f, false);
}

static void cmd_write(struct fdc *f)
{
	begin_transfer(f, true);
}

/* FORMAT TRACK: the filler goes to all sectors; their addresses, by DMA, are those of the image anyway. */
static void cmd_format(struct fdc *f)
{
	const struct drive *d = drive(f, unit(f));
	uint8_t filler = f->fifo[5], addresses[4 * 64];
	bool end;

	f->head = f->fifo[1] >> 2 & 1;
	f->sector = 1;
	if (d && (f->fifo[2] != SIZE_512 || f->fifo[3] > d->geo.spt || f->head >= d->geo.heads ||
		  f->track[unit(f)] >= d->geo.cyls)) {
		result(f, ST0_ABNORMAL, ST1_NOT_FOUND, 0);
		return;
	}
	if (!d || !right_rate(f, d) || d->read_only) {
		result(f, ST0_ABNORMAL, d && d->read_only ? ST1_PROTECTED : ST1_MARK, 0);
		return;
	}
	dma_move(f->d.board->dev[SLOT_dma], FDC_DMA, addresses, f->fifo[3] * 4u, &end);
	memset(f->buf, filler, (size_t)f->fifo[3] * SECTOR);
	submit(f, d, BLOCK_WRITE, offset(f, d), f->fifo[3] * (uint32_t)SECTOR);
}

static void cmd_read_id(struct fdc *f)
{
	const struct drive *d = drive(f, unit(f));

	f->head = f->fifo[1] >> 2 & 1;
	f->sector = 1;
	f->fifo[2] = f->track[unit(f)];
	if (!d || !right_rate(f, d) || f->head >= d->geo.heads || f->track[unit(f)] >= d->geo.cyls)
		result(f, ST0_ABNORMAL, ST1_MARK, 0);
	else
		result(f, 0, 0, 0);
}

/* ---- heads ---- */

static void arrive(struct fdc *f, uint8_t track)
{
	unsigned n = unit(f);

	f->track[n] = track;
	f->st0[n] = (uint8_t)(ST0_SEEK | (f->fifo[1] & 7));
	if (!drive(f, n))
		f->st0[n] |= ST0_ABNORMAL | 0x10; /* track 0 was not found */
	f->sense |= (uint8_t)(1 << n);
	collect(f);
	interrupt(f, true);
}

static void cmd_recalibrate(struct fdc *f)
{
	arrive(f, 0);
}

static void cmd_seek(struct fdc *f)
{
	arrive(f, f->fifo[2]);
}

/* RELATIVE SEEK shares SEEK's code, with two bits more. */
static void cmd_sense(struct fdc *f)
{
	for (unsigned n = 0; n < DRIVES; n++) {
		const uint8_t r[] = { f->st0[n], f->track[n] };

		if (!(f->sense >> n & 1))
			continue;
		f->sense &= (uint8_t) ~(1 << n);
		interrupt(f, false);
		answer(f, r, sizeof(r));
		return;
	}
	interrupt(f, false);
	answer_byte(f, ST0_INVALID);
}

static void cmd_status(struct fdc *f)
{
	const struct drive *d = drive(f, unit(f));
	uint8_t st3 = (uint8_t)((f->fifo[1] & 7) | ST3_READY | ST3_TWO);

	if (!f->track[unit(f)])
		st3 |= ST3_TRACK0;
	if (d && d->read_only)
		st3 |= ST3_PROTECTED;
	answer_byte(f, st3);
}

/* ---- settings ---- */

static void cmd_specify(struct fdc *f)
{
	memcpy(f->specify, f->fifo + 1, 2);
	collect(f);
}

static void cmd_configure(struct fdc *f)
{
	memcpy(f->config, f->fifo + 1, 3);
	collect(f);
}

static void cmd_perpendicular(struct fdc *f)
{
	f->perpendicular = f->fifo[1];
	collect(f);
}

static void cmd_lock(struct fdc *f)
{
	f->lock = f->fifo[0] >> 7;
	answer_byte(f, (uint8_t)(f->lock << 4));
}

static void cmd_version(struct fdc *f)
{
	answer_byte(f, 0x90); /* enhanced */
}

static void cmd_registers(struct fdc *f)
{
	const uint8_t r[] = { f->track[0],
			      f->track[1],
			      f->track[2],
			      f->track[3],
			      f->specify[0],
			      f->specify[1],
			      18,
			      (uint8_t)(f->lock << 7 | (f->perpendicular & 0x7f)),
			      f->config[1],
			      f->config[2] };

	answer(f, r, sizeof(r));
}

/* Columns: command without its option bits, bytes of it, function. Others are invalid. */
static const struct command {
	uint8_t code, mask, len;
	void (*run)(struct fdc *f);
} commands[] = {
	{ 0x06, 0x1f, 9, cmd_read },	      { 0x0c, 0x1f, 9, cmd_read },
	{ 0x05, 0x3f, 9, cmd_write },	      { 0x09, 0x3f, 9, cmd_write },
	{ 0x16, 0x1f, 9, cmd_read },	      { 0x02, 0x9f, 9, cmd_read },
	{ 0x0a, 0xbf, 2, cmd_read_id },	      { 0x0d, 0xbf, 6, cmd_format },
	{ 0x07, 0xff, 2, cmd_recalibrate },   { 0x08, 0xff, 1, cmd_sense },
	{ 0x04, 0xff, 2, cmd_status },	      { 0x03, 0xff, 3, cmd_specify },
	{ 0x0f, 0xff, 3, cmd_seek },	      { 0x13, 0xff, 4, cmd_configure },
	{ 0x12, 0xff, 2, cmd_perpendicular }, { 0x14, 0x7f, 1, cmd_lock },
	{ 0x10, 0xff, 1, cmd_version },	      { 0x0e, 0xff, 1, cmd_registers },
};

static const struct command *find(uint8_t code)
{
	for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++)
		if ((code & c->mask) == c->code)
			return c;
	return NULL;
}

static void command_byte(struct fdc *f, uint8_t val)
{
	const struct command *c;

	f->fifo[f->pos++] = val;
	c = find(f->fifo[0]);
	if (!c) {
		answer_byte(f, ST0_INVALID);
		return;
	}
	if (f->pos < c->len)
		return;
	LOG(dev, "fdc: command %#x, drive %u, %u/%u/%u", f->fifo[0], unit(f), f->fifo[2], f->fifo[3],
	    f->fifo[4]);
	f->len = 0;
	c->run(f);
}

/* ---- registers ---- */

static void cancel(struct fdc *f)
{
	const struct drive *d = drive(f, unit(f));

	if (f->phase == EXECUTES && d)
		block_cancel(d->block);
}

static void reset_controller(struct fdc *f)
{
	cancel(f);
	collect(f);
	interrupt(f, false);
	f->sense = 0;
	if (!f->lock)
		memset(f->config, 0, sizeof(f->config));
}

/* The controller leaves its reset, and says so for each drive (82077AA 6.3.4: polling). */
static void leave_reset(struct fdc *f)
{
	for (unsigned n = 0; n < DRIVES; n++)
		f->st0[n] = (uint8_t)(ST0_RESET | n);
	f->sense = (1 << DRIVES) - 1;
	interrupt(f, true);
}

static void dor_out(struct fdc *f, uint8_t val)
{
	uint8_t old = f->dor;

	f->dor = val;
	if (old & ~val & DOR_ON)
		reset_controller(f);
	else if (val & ~old & DOR_ON)
		leave_reset(f);
	else
		interrupt(f, f->irq);
}

static uint8_t main_status(const struct fdc *f)
{
	if (!(f->dor & DOR_ON))
		return 0;
	if (f->phase == EXECUTES)
		return MSR_BUSY;
	if (f->phase == ANSWERS)
		return MSR_RQM | MSR_OUT | MSR_BUSY;
	return MSR_RQM | (f->pos ? MSR_BUSY : 0);
}

static uint8_t result_byte(struct fdc *f)
{
	uint8_t val;

	if (f->phase != ANSWERS || !(f->dor & DOR_ON))
		return 0;
	if (!f->pos && f->len == 7)
		interrupt(f, false);
	val = f->fifo[f->pos++];
	if (f->pos >= f->len)
		collect(f);
	return val;
}

static uint32_t fdc_in(struct dev *d, uint16_t port, unsigned size)
{
	struct fdc *f = (struct fdc *)d;

	(void)size;
	switch (port & 7) {
	case SRA:
		return f->irq ? 0x80 : 0;
	case DOR:
		return f->dor;
	case MSR:
		return main_status(f);
	case DATA:
		return result_byte(f);
	case DIR:
		return drive(f, f->dor & 3) ? 0 : DIR_CHANGED;
	default:
		return 0;
	}
}

static void fdc_out(struct dev *d, uint16_t port, unsigned size, uint32_t val)
{
	struct fdc *f = (struct fdc *)d;

	(void)size;
	switch (port & 7) {
	case DOR:
		dor_out(f, (uint8_t)val);
		break;
	case MSR: /* data rate select */
		f->rate = val & 3;
		if (val & DSR_RESET) {
			reset_controller(f);
			leave_reset(f);
		}
		break;
	case DATA:
		if (f->phase == COLLECTS && (f->dor & DOR_ON))
			command_byte(f, (uint8_t)val);
		break;
	case DIR: /* configuration control */
		f->rate = val & 3;
		break;
	default:
		break;
	}
}

static void fdc_reset(struct dev *d)
{
	struct fdc *f = (struct fdc *)d;

	cancel(f);
	f->dor = f->rate = f->lock = f->perpendicular = 0;
	memset(f->track, 0, sizeof(f->track));
	memset(f->specify, 0, sizeof(f->specify));
	memset(f->fifo, 0, sizeof(f->fifo));
	reset_controller(f);
}

/* Requests were complete when the state was saved. */
static void fdc_loaded(struct dev *d)
{
	struct fdc *f = (struct fdc *)d;

	if (f->phase == EXECUTES || (f->phase == ANSWERS && f->pos >= f->len) ||
	    (f->phase == COLLECTS && f->pos >= 9))
		collect(f);
}

const struct dev_class fdc_class = {
	.name = "fdc",
	.help = "floppy controller",
	.lines = "6",
	.size = sizeof(struct fdc),
	DEV_PORTS(ports),
	.hosted = true,
	DEV_FIELDS(fields),
	.reset = fdc_reset,
	.loaded = fdc_loaded,
	.in = fdc_in,
	.out = fdc_out,
};
