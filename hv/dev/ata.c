/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands of an IDE disk (ATA/ATAPI-6, and TRIM of ATA8-ACS): a table of them, addresses by cylinder, 28 and
 * 48 bits, IDENTIFY. The medium has a volatile write cache, which is the host's: a flush is durable, a write
 * only with the cache off or by FUA. There is no SMART, no security, no host protected area. GPR-only code
 * (base/gpr.h). */
#include <errno.h>

#include "hv/dev/ide_int.h"

enum { SECTOR = BLOCK_SECTOR, MAX_HEADS = 16, MAX_SPT = 63, MAX_CYLS = 16383, CHS_SECTORS = 16514064 };
/* DATA SET MANAGEMENT: ranges by their first sector (48 bits) and their number (16 bits). */
enum { TRIM = 1, RANGE = 8, TRIM_MAX = 8 /* sectors of ranges */ };
enum { MWDMA = 0x20, UDMA = 0x40, UDMA_MAX = 5, MWDMA_MAX = 2 };
#define LBA28 (1ull << 28)

static uint64_t sectors(const struct ide_drive *d)
{
	return block_size(d->block) / SECTOR;
}

static unsigned cylinders(const struct ide_drive *d, unsigned heads, unsigned spt)
{
	uint64_t n = sectors(d) / (heads * spt);

	return n > MAX_CYLS ? MAX_CYLS : n ? (unsigned)n : 1;
}

/* ---- the commands ---- */

/* What a row says of a command. */
enum { IN = 1, OUT = 2, DMA = 4, EXT = 8, MULTIPLE = 16, VERIFY = 32, FUA = 64 };

struct ata_row {
	uint8_t first, last;
	uint8_t how;
	void (*run)(struct ide_drive *d); /* NULL: a transfer */
};

static void run_nothing(struct ide_drive *d)
{
	ide_finish(d, 0);
}

static void run_identify(struct ide_drive *d);
static void run_features(struct ide_drive *d);
static void run_multiple(struct ide_drive *d);
static void run_parameters(struct ide_drive *d);
static void run_native_max(struct ide_drive *d);
static void run_power(struct ide_drive *d);
static void run_flush(struct ide_drive *d);
static void run_trim(struct ide_drive *d);

/* Others are aborted. */
static const struct ata_row rows[] = {
	{ 0x06, 0x06, EXT, run_trim },	/* DATA SET MANAGEMENT */
	{ 0x10, 0x1f, 0, run_nothing }, /* RECALIBRATE */
	{ 0x20, 0x21, IN, NULL },	/* READ SECTORS */
	{ 0x24, 0x24, IN | EXT, NULL },
	{ 0x25, 0x25, IN | DMA | EXT, NULL },
	{ 0x27, 0x27, EXT, run_native_max },
	{ 0x29, 0x29, IN | EXT | MULTIPLE, NULL },
	{ 0x30, 0x31, OUT, NULL }, /* WRITE SECTORS */
	{ 0x34, 0x34, OUT | EXT, NULL },
	{ 0x35, 0x35, OUT | DMA | EXT, NULL },
	{ 0x39, 0x39, OUT | EXT | MULTIPLE, NULL },
	{ 0x3d, 0x3d, OUT | DMA | EXT | FUA, NULL },
	{ 0x40, 0x41, VERIFY, NULL }, /* READ VERIFY */
	{ 0x42, 0x42, VERIFY | EXT, NULL },
	{ 0x70, 0x7f, 0, run_nothing },	   /* SEEK */
	{ 0x91, 0x91, 0, run_parameters }, /* INITIALIZE DEVICE PARAMETERS */
	{ 0x94, 0x97, 0, run_nothing },	   /* the power commands as they were at first */
	{ 0x98, 0x98, 0, run_power },
	{ 0xc4, 0xc4, IN | MULTIPLE, NULL },
	{ 0xc5, 0xc5, OUT | MULTIPLE, NULL },
	{ 0xc6, 0xc6, 0, run_multiple }, /* SET MULTIPLE MODE */
	{ 0xc8, 0xc9, IN | DMA, NULL },
	{ 0xca, 0xcb, OUT | DMA, NULL },
	{ 0xce, 0xce, OUT | EXT | MULTIPLE | FUA, NULL },
	{ 0xe0, 0xe3, 0, run_nothing }, /* STANDBY, IDLE, at once or after a time */
	{ 0xe5, 0xe5, 0, run_power },	/* CHECK POWER MODE */
	{ 0xe6, 0xe6, 0, run_nothing }, /* SLEEP */
	{ 0xe7, 0xe7, 0, run_flush },
	{ 0xea, 0xea, 0, run_flush },
	{ 0xec, 0xec, 0, run_identify },
	{ 0xef, 0xef, 0, run_features },
	{ 0xf8, 0xf8, 0, run_native_max },
};

static const struct ata_row *find(uint8_t command)
{
	for (const struct ata_row *r = rows; r < rows + ARRAY_LEN(rows); r++)
		if (command >= r->first && command <= r->last)
			return r;
	return NULL;
}

/* ---- addresses ---- */

/* The first sector, or UINT64_MAX. */
static uint64_t address(const struct ide_drive *d, bool ext)
{
	uint64_t low = d->lbal | d->lbam << 8 | (uint32_t)d->lbah << 16;
	unsigned head = d->select & 15;

	if (ext)
		return low | (uint64_t)d->hob_lbal << 24 | (uint64_t)d->hob_lbam << 32 |
		       (uint64_t)d->hob_lbah << 40;
	if (d->select & SEL_LBA)
		return low | head << 24;
	if (!d->lbal || d->lbal > d->spt || head >= d->heads)
		return UINT64_MAX;
	return ((low >> 8) * d->heads + head) * d->spt + d->lbal - 1;
}

static uint32_t amount(const struct ide_drive *d, bool ext)
{
	uint32_t n = d->count | (ext ? (uint32_t)d->hob_count << 8 : 0);

	return n ? n : ext ? 65536 : 256;
}

/* Put an address into the registers: where an error was, the last sector. */
static void show_address(struct ide_drive *d, uint64_t at, bool ext)
{
	unsigned head;

	if (!ext && !(d->select & SEL_LBA)) {
		head = (unsigned)(at / d->spt % d->heads);
		d->lbal = (uint8_t)(at % d->spt + 1);
		at = at / d->spt / d->heads << 8;
	} else {
		head = (unsigned)(at >> 24) & 15;
		d->lbal = (uint8_t)at;
	}
	d->lbam = (uint8_t)(at >> 8);
	d->lbah = (uint8_t)(at >> 16);
	if (!ext)
		d->select = (uint8_t)((d->select & 0xf0) | head);
	d->hob_lbal = (uint8_t)(at >> 24);
	d->hob_lbam = (uint8_t)(at >> 32);
	d->hob_lbah = (uint8_t)(at >> 40);
}

/* ---- transfers ---- */

static void transfer(struct ide_drive *d, const struct ata_row *r)
{
	uint64_t at = address(d, r->how & EXT);
	uint32_t n = amount(d, r->how & EXT);

	if (at >= sectors(d) || n > sectors(d) - at) {
		ide_finish(d, ERR_IDNF);
		return;
	}
	if (((r->how & MULTIPLE) && !d->multiple) || ((r->how & OUT) && block_read_only(d->block))) {
		ide_finish(d, ERR_ABRT);
		return;
	}
	if (r->how & VERIFY) {
		ide_finish(d, 0);
		return;
	}
	d->at = at * SECTOR;
	d->left = n * SECTOR;
	d->in = (r->how & IN) != 0;
	d->dma = (r->how & DMA) != 0;
	ide_transfer(d);
}

void ata_command(struct ide_drive *d)
{
	const struct ata_row *r = find(d->command);

	if (!r)
		ide_finish(d, ERR_ABRT);
	else if (r->run)
		r->run(d);
	else
		transfer(d, r);
}

uint32_t ata_chunk(const struct ide_drive *d)
{
	const struct ata_row *r = find(d->command);
	bool multiple = r && (r->how & MULTIPLE) && d->multiple;

	return multiple ? d->multiple * SECTOR : SECTOR;
}

bool ata_through(const struct ide_drive *d)
{
	const struct ata_row *r = find(d->command);

	return !d->write_cache || (r && (r->how & FUA));
}

/* A read that the host could not do is an unrecoverable sector; the rest is aborted. */
void ata_done(struct ide_drive *d, enum block_op op, int error)
{
	const struct ata_row *r = find(d->command);

	if (!error && op == BLOCK_DISCARD) {
		ata_trim(d);
		return;
	}
	if (error && (op == BLOCK_READ || op == BLOCK_WRITE))
		show_address(d, d->at / SECTOR, r && (r->how & EXT));
	ide_finish(d, !error ? 0 : error == EINVAL ? ERR_IDNF : op == BLOCK_READ ? ERR_UNC : ERR_ABRT);
}

static void run_flush(struct ide_drive *d)
{
	d->at = 0;
	ide_submit(d, BLOCK_FLUSH, NULL, 0);
}

/* ---- trim ---- */

static void run_trim(struct ide_drive *d)
{
	uint32_t n = amount(d, true);

	if (d->feature != TRIM || n > TRIM_MAX || block_read_only(d->block)) {
		ide_finish(d, ERR_ABRT);
		return;
	}
	d->left = n * SECTOR;
	d->pos = 0;
	d->in = 0;
	d->dma = 1;
	ide_transfer(d);
}

bool ata_is_trim(const struct ide_drive *d)
{
	return d->kind == IDE_ATA && find(d->command)->run == run_trim;
}

void ata_trim(struct ide_drive *d)
{
	while (d->pos < d->left) {
		const uint8_t *range = ide_dma(d) + d->pos;
		uint64_t first = *(const any64 *)range, n = first >> 48;

		first &= (1ull << 48) - 1;
		d->pos += RANGE;
		if (!n)
			continue;
		if (first >= sectors(d) || n > sectors(d) - first) {
			ide_finish(d, ERR_IDNF);
			return;
		}
		d->at = first * SECTOR;
		ide_submit(d, BLOCK_DISCARD, NULL, (uint32_t)n * SECTOR);
		return;
	}
	ide_finish(d, 0);
}

/* ---- settings ---- */

static void run_multiple(struct ide_drive *d)
{
	uint8_t n = d->count;

	if (n > IDE_MULTIPLE || (n & (n - 1))) {
		ide_finish(d, ERR_ABRT);
		return;
	}
	d->multiple = n;
	ide_finish(d, 0);
}

static void run_parameters(struct ide_drive *d)
{
	if (!d->count) {
		ide_finish(d, ERR_ABRT);
		return;
	}
	d->heads = (uint8_t)((d->select & 15) + 1);
	d->spt = d->count;
	ide_finish(d, 0);
}

static void run_native_max(struct ide_drive *d)
{
	bool ext = d->command == 0x27;
	uint64_t last = sectors(d) - 1;

	if (!ext && last >= LBA28)
		last = LBA28 - 1;
	d->select |= SEL_LBA;
	show_address(d, last, ext);
	ide_finish(d, 0);
}

static void run_power(struct ide_drive *d)
{
	d->count = 0xff; /* active */
	ide_finish(d, 0);
}

/* SET FEATURES 03h: PIO modes change nothing. */
static bool set_mode(struct ide_drive *d)
{
	uint8_t kind = d->count & 0xf8, mode = d->count & 7;

	if (kind == MWDMA && mode <= MWDMA_MAX)
		d->mode = d->count;
	else if (kind == UDMA && mode <= UDMA_MAX)
		d->mode = d->count;
	else
		return d->count <= 1 || (kind == 8 && mode <= 4);
	return true;
}

static void run_features(struct ide_drive *d)
{
	bool ok = true;

	switch (d->feature) {
	case 0x02:
	case 0x82:
		d->write_cache = d->feature == 0x02;
		break;
	case 0x03:
		ok = set_mode(d);
		break;
	case 0x55: /* read look-ahead off, on */
	case 0xaa:
	case 0x66: /* defaults at a reset */
	case 0xcc:
		break;
	default:
		ok = false;
	}
	ide_finish(d, ok ? 0 : ERR_ABRT);
}

/* ---- IDENTIFY ---- */

void ata_text(uint8_t *p, const char *text, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		p[i ^ 1] = (uint8_t)(*text ? *text++ : ' ');
}

static void put32(uint16_t *w, uint64_t v)
{
	w[0] = (uint16_t)v;
	w[1] = (uint16_t)(v >> 16);
}

static uint16_t mode_word(const struct ide_drive *d, unsigned kind, unsigned max)
{
	unsigned chosen = (d->mode & 0xf8u) == kind ? 1u << (8 + (d->mode & 7)) : 0;

	return (uint16_t)(((1u << (max + 1)) - 1) | chosen);
}

/* Columns: word, value. */
static const uint16_t fixed_words[][2] = {
	{ 0, 0x0040 }, /* fixed disk */
	{ 20, 3 },	   { 21, 512 },	   { 22, 4 },	{ 47, 0x8000 | IDE_MULTIPLE },
	{ 48, 1 },						   /* 32-bit PIO */
	{ 49, 0x0f00 },						   /* IORDY, LBA, DMA */
	{ 51, 0x0200 },	   { 52, 0x0200 }, { 53, 7 },	{ 64, 3 }, /* PIO 3, 4 */
	{ 65, 120 },	   { 66, 120 },	   { 67, 120 }, { 68, 120 },
	{ 80, 0x01fe },			   /* ATA-1 to ATA8-ACS, which has TRIM */
	{ 82, 0x4060 },			   /* NOP, write cache, read look-ahead */
	{ 83, 0x7400 },			   /* FLUSH (EXT), 48 bits */
	{ 84, 0x4040 },			   /* FUA */
	{ 87, 0x4040 },	   { 93, 0x600b }, /* 80 wires */
	{ 105, TRIM_MAX }, { 169, 1 },	   /* TRIM */
};

static void identify_size(const struct ide_drive *d, uint16_t *w)
{
	unsigned cyls = cylinders(d, MAX_HEADS, MAX_SPT), now = cylinders(d, d->heads, d->spt);
	uint64_t n = sectors(d), chs = (uint64_t)now * d->heads * d->spt;

	w[1] = (uint16_t)cyls;
	w[3] = MAX_HEADS;
	w[4] = MAX_SPT * SECTOR;
	w[5] = SECTOR;
	w[6] = MAX_SPT;
	w[54] = (uint16_t)now;
	w[55] = d->heads;
	w[56] = d->spt;
	put32(w + 57, chs < CHS_SECTORS ? chs : CHS_SECTORS);
	put32(w + 60, n < LBA28 ? n : LBA28 - 1);
	put32(w + 100, n);
	put32(w + 102, n >> 32);
}

static void run_identify(struct ide_drive *d)
{
	char serial[] = "VT00000";
	uint16_t w[SECTOR / 2];

	gpr_zero(w, sizeof(w));
	for (unsigned i = 0; i < ARRAY_LEN(fixed_words); i++)
		w[fixed_words[i][0]] = fixed_words[i][1];
	serial[6] = (char)('1' + d->unit);
	ata_text((uint8_t *)(w + 10), serial, 20);
	ata_text((uint8_t *)(w + 23), "1.0", 8);
	ata_text((uint8_t *)(w + 27), "VITRINE HARDDISK", 40);
	identify_size(d, w);
	w[59] = d->multiple ? 0x100 | d->multiple : 0;
	w[63] = mode_word(d, MWDMA, MWDMA_MAX);
	w[88] = mode_word(d, UDMA, UDMA_MAX);
	w[85] = (uint16_t)(0x4040 | d->write_cache << 5);
	w[86] = 0x3400;
	gpr_copy(ide_pio(d), w, sizeof(w));
	ide_send(d, sizeof(w));
}

/* ---- reset ---- */

/* The geometry and the modes stay as they are, but at power-on. */
void ata_reset(struct ide_drive *d)
{
	d->count = d->lbal = 1;
	d->lbam = d->lbah = 0;
	d->status = ST_DRDY | ST_DSC;
	if (d->heads)
		return;
	d->heads = MAX_HEADS;
	d->spt = MAX_SPT;
	d->write_cache = 1;
	d->multiple = IDE_MULTIPLE;
}
