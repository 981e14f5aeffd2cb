/* SPDX-License-Identifier: GPL-3.0-or-later
 * Packet commands of an IDE CD-ROM drive (ATA/ATAPI-6 9.8; MultiMedia Commands 3): a data CD of one track and
 * one session. The tray opens and closes, with the same disc in it. GPR-only code (base/gpr.h). */
#include "hv/dev/ide_int.h"

enum { CD_SECTOR = 2048, PACKET_BYTES = 12, SECOND = 75, PREGAP = 2 * SECOND, LEADOUT = 0xaa };
enum { NOT_READY = 2, ILLEGAL = 5, NO_MEDIUM = 0x3a, BAD_OPCODE = 0x20, BAD_LBA = 0x21, BAD_FIELD = 0x24 };
enum { PROFILE_CDROM = 8, FEATURE_DMA = 1 };

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void put_be(uint8_t *p, uint32_t v, unsigned n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint32_t sectors(const struct ide_drive *d)
{
	uint64_t n = block_size(d->block) / CD_SECTOR;

	return n > UINT32_MAX / CD_SECTOR ? UINT32_MAX / CD_SECTOR : (uint32_t)n;
}

void atapi_finish(struct ide_drive *d, uint8_t key, uint8_t asc)
{
	d->key = key;
	d->asc = asc;
	d->ascq = 0;
	d->count = REASON_COD | REASON_IO;
	ide_finish(d, key ? (uint8_t)(key << 4 | ERR_ABRT) : 0);
}

/* Send the N bytes at P, but no more than MAX. */
static void send(struct ide_drive *d, const uint8_t *p, uint32_t n, uint32_t max)
{
	n = n < max ? n : max;
	gpr_copy(ide_pio(d), p, n);
	ide_send(d, n);
}

/* ---- the commands ---- */

static void cmd_ready(struct ide_drive *d, const uint8_t *c)
{
	(void)c;
	atapi_finish(d, 0, 0);
}

static void cmd_sense(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[18] = { 0x70, 0, d->key, 0, 0, 0, 0, 10 };

	r[12] = d->asc;
	r[13] = d->ascq;
	send(d, r, sizeof(r), c[4]);
}

static void put_text(uint8_t *p, const char *text, unsigned n)
{
	while (n--)
		*p++ = (uint8_t)(*text ? *text++ : ' ');
}

static void cmd_inquiry(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[36] = { 5, 0x80, 5, 0x21, 31 }; /* CD-ROM, removable, by packets */

	if (c[1] & 1) {
		atapi_finish(d, ILLEGAL, BAD_FIELD);
		return;
	}
	put_text(r + 8, "VITRINE", 8);
	put_text(r + 16, "CD-ROM", 16);
	put_text(r + 32, "1.0", 4);
	send(d, r, sizeof(r), be(c + 3, 2));
}

static void cmd_capacity(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[8];

	(void)c;
	put_be(r, sectors(d) - 1, 4);
	put_be(r + 4, CD_SECTOR, 4);
	send(d, r, sizeof(r), sizeof(r));
}

static void read_sectors(struct ide_drive *d, uint32_t at, uint32_t n)
{
	if (at > sectors(d) || n > sectors(d) - at) {
		atapi_finish(d, ILLEGAL, BAD_LBA);
		return;
	}
	d->at = (uint64_t)at * CD_SECTOR;
	d->left = n * CD_SECTOR;
	d->in = 1;
	ide_transfer(d);
}

static void cmd_read10(struct ide_drive *d, const uint8_t *c)
{
	read_sectors(d, be(c + 2, 4), be(c + 7, 2));
}

static void cmd_read12(struct ide_drive *d, const uint8_t *c)
{
	read_sectors(d, be(c + 2, 4), be(c + 6, 4));
}

/* READ CD: user data alone. */
static void cmd_read_cd(struct ide_drive *d, const uint8_t *c)
{
	unsigned type = c[1] >> 2 & 7;

	if (!(c[9] & 0xf8))
		atapi_finish(d, 0, 0);
	else if ((c[9] & 0xf8) != 0x10 || (type && type != 2))
		atapi_finish(d, ILLEGAL, BAD_FIELD);
	else
		read_sectors(d, be(c + 2, 4), be(c + 6, 3));
}

static void put_place(uint8_t *p, uint32_t sector, bool msf)
{
	if (!msf) {
		put_be(p, sector, 4);
		return;
	}
	sector += PREGAP;
	p[0] = 0;
	p[1] = (uint8_t)(sector / SECOND / 60);
	p[2] = (uint8_t)(sector / SECOND % 60);
	p[3] = (uint8_t)(sector % SECOND);
}

/* A descriptor of format 0: data track, its number, where it begins. */
static uint8_t *put_track(uint8_t *p, uint8_t track, uint32_t at, bool msf)
{
	p[0] = 0;
	p[1] = 0x14;
	p[2] = track;
	p[3] = 0;
	put_place(p + 4, at, msf);
	return p + 8;
}

/* A descriptor of format 2: session 1, POINT, its place. */
static uint8_t *put_point(uint8_t *p, uint8_t point, uint32_t at, bool place)
{
	gpr_zero(p, 11);
	p[0] = 1;
	p[1] = 0x14;
	p[3] = point;
	if (place)
		put_place(p + 7, at, true);
	else
		p[8] = 1; /* the first, and the last, track is 1 */
	return p + 11;
}

static void cmd_toc(struct ide_drive *d, const uint8_t *c)
{
	unsigned format = c[2] & 15 ? c[2] & 15 : c[9] >> 6;
	bool msf = c[1] & 2;
	uint8_t r[64] = { 0, 0, 1, 1 }, *p = r + 4;

	if (format > 2 || (!format && c[6] > 1 && c[6] != LEADOUT)) {
		atapi_finish(d, ILLEGAL, BAD_FIELD);
		return;
	}
	if (format == 2) {
		p = put_point(p, 0xa0, 0, false);
		p = put_point(p, 0xa1, 0, false);
		p = put_point(p, 0xa2, sectors(d), true);
		p = put_point(p, 1, 0, true);
	} else {
		if (format || c[6] <= 1)
			p = put_track(p, 1, 0, msf);
		if (!format)
			p = put_track(p, LEADOUT, sectors(d), msf);
	}
	put_be(r, (uint32_t)(p - r) - 2, 2);
	send(d, r, (uint32_t)(p - r), be(c + 7, 2));
}

/* MODE SENSE (10): pages 01h, 0Dh, 2Ah, or all. */
static void cmd_mode(struct ide_drive *d, const uint8_t *c)
{
	static const uint8_t recovery[] = { 0x01, 6, 0, 5, 0, 0, 0, 0 };
	static const uint8_t parameters[] = { 0x0d, 6, 0, 0, 0, 60, 0, 75 };
	static const uint8_t capabilities[] = { 0x2a, 18,   0, 0, 0x71, 0x60, 0x29, 0,
						0x2,  0xc2, 0, 2, 0,	0x80, 0x2,  0xc2 };
	uint8_t r[8 + 8 + 8 + 20] = { 0, 0, 0x70 }, *p = r + 8, page = c[2] & 0x3f;
	bool all = page == 0x3f;

	if (all || page == 0x01)
		gpr_copy(p, recovery, sizeof(recovery)), p += sizeof(recovery);
	if (all || page == 0x0d)
		gpr_copy(p, parameters, sizeof(parameters)), p += sizeof(parameters);
	if (all || page == 0x2a)
		gpr_copy(p, capabilities, sizeof(capabilities)), p += 20;
	if (p == r + 8 || (c[2] >> 6) == 3) {
		atapi_finish(d, ILLEGAL, p == r + 8 ? BAD_FIELD : 0x39);
		return;
	}
	if (d->loaded)
		r[2] = 1; /* data CD, 120 mm */
	put_be(r, (uint32_t)(p - r) - 2, 2);
	send(d, r, (uint32_t)(p - r), be(c + 7, 2));
}

static void cmd_configuration(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[] = { 0,	   0,
			0,	   0,
			0,	   0,
			0,	   d->loaded ? PROFILE_CDROM : 0,
			0,	   0,
			3,	   4,
			0,	   PROFILE_CDROM,
			d->loaded, 0, /* profiles */
			0,	   1,
			3,	   8,
			0,	   0,
			0,	   2,
			0,	   0,
			0,	   0, /* core: ATAPI */
			0,	   3,
			3,	   4,
			0x29,	   0,
			0,	   0, /* tray, ejects, locks */
			0,	   0x1e,
			d->loaded, 4,
			0,	   0,
			0,	   0 }; /* CD read */

	put_be(r, sizeof(r) - 4, 4);
	send(d, r, sizeof(r), be(c + 7, 2));
}

/* GET EVENT STATUS NOTIFICATION, polled: the medium. */
static void cmd_event(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[8] = { 0, 6, 4, 0x10, 0, d->loaded ? 2 : 1 };

	if (!(c[1] & 1)) {
		atapi_finish(d, ILLEGAL, BAD_FIELD);
		return;
	}
	if (!(c[4] & 0x10)) { /* none of the other classes */
		r[1] = 2;
		r[2] = 0x80;
		send(d, r, 4, be(c + 7, 2));
		return;
	}
	send(d, r, sizeof(r), be(c + 7, 2));
}

static void cmd_disc(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[34] = { 0, 32, 0x0e, 1, 1, 1, 1, 0x20 };

	if (c[1] & 7)
		atapi_finish(d, ILLEGAL, BAD_FIELD);
	else
		send(d, r, sizeof(r), be(c + 7, 2));
}

static void cmd_start_stop(struct ide_drive *d, const uint8_t *c)
{
	if (c[4] & 2)
		d->loaded = c[4] & 1;
	atapi_finish(d, 0, 0);
}

static void cmd_mechanism(struct ide_drive *d, const uint8_t *c)
{
	uint8_t r[8] = { 0, 0, 0, 0, 0, 1 };

	send(d, r, sizeof(r), be(c + 8, 2));
}

/* Columns: operation, does it need a medium, function. */
static const struct atapi_row {
	uint8_t op;
	bool medium;
	void (*run)(struct ide_drive *d, const uint8_t *c);
} rows[] = {
	{ 0x00, true, cmd_ready },	    { 0x03, false, cmd_sense },	 { 0x12, false, cmd_inquiry },
	{ 0x1b, false, cmd_start_stop },    { 0x1e, false, cmd_ready },	 { 0x25, true, cmd_capacity },
	{ 0x28, true, cmd_read10 },	    { 0x2b, true, cmd_ready },	 { 0x43, true, cmd_toc },
	{ 0x46, false, cmd_configuration }, { 0x4a, false, cmd_event },	 { 0x51, true, cmd_disc },
	{ 0x5a, false, cmd_mode },	    { 0xa8, true, cmd_read12 },	 { 0xbb, false, cmd_ready },
	{ 0xbd, false, cmd_mechanism },	    { 0xbe, true, cmd_read_cd },
};

void atapi_packet(struct ide_drive *d)
{
	uint8_t c[PACKET_BYTES];

	gpr_copy(c, ide_pio(d), sizeof(c));
	for (const struct atapi_row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
		if (r->op != c[0])
			continue;
		if (r->medium && !d->loaded)
			atapi_finish(d, NOT_READY, NO_MEDIUM);
		else
			r->run(d, c);
		return;
	}
	atapi_finish(d, ILLEGAL, BAD_OPCODE);
}

/* ---- ATA commands ---- */

static void expect_packet(struct ide_drive *d)
{
	uint32_t limit = d->lbam | (uint32_t)d->lbah << 8;

	d->dma = d->feature & FEATURE_DMA;
	/* Parts end at words; none is longer than the buffer. */
	d->limit = !limit || limit > IDE_PIO_BYTES ? IDE_PIO_BYTES : limit < 2 ? 2 : limit & ~1u;
	d->count = REASON_COD;
	ide_expect(d, IDE_PACKET, PACKET_BYTES);
}

static void identify(struct ide_drive *d)
{
	uint16_t w[256];
	unsigned mode = d->mode & 7u;

	gpr_zero(w, sizeof(w));
	w[0] = 0x8580; /* CD-ROM, removable, DRQ within 50 us, 12 bytes */
	ata_text((uint8_t *)(w + 10), "VT00001", 20);
	ata_text((uint8_t *)(w + 23), "1.0", 8);
	ata_text((uint8_t *)(w + 27), "VITRINE CD-ROM", 40);
	w[48] = 1;
	w[49] = 0x0b00; /* DMA, LBA, IORDY */
	w[53] = 6;
	w[63] = (uint16_t)(7 | ((d->mode & 0xf8) == 0x20 ? 0x100u << mode : 0));
	w[64] = 3;
	w[65] = w[66] = w[67] = w[68] = 120;
	w[80] = 0x7e;
	w[82] = w[85] = 0x4210; /* NOP, DEVICE RESET, PACKET */
	w[83] = 0x4000;
	w[84] = w[87] = 0x4000;
	w[88] = (uint16_t)(0x3f | ((d->mode & 0xf8) == 0x40 ? 0x100u << mode : 0));
	w[93] = 0x600b;
	d->limit = sizeof(w);
	gpr_copy(ide_pio(d), w, sizeof(w));
	ide_send(d, sizeof(w));
}

static void aborted(struct ide_drive *d)
{
	ide_finish(d, ERR_ABRT);
}

void atapi_command(struct ide_drive *d)
{
	switch (d->command) {
	case 0xa0:
		expect_packet(d);
		break;
	case 0xa1:
		identify(d);
		break;
	case 0xec: /* the signature tells what this is */
	case 0x20:
		atapi_reset(d);
		aborted(d);
		break;
	case 0xef:
		if (d->feature == 3 && d->count >= 0x20)
			d->mode = d->count;
		ide_finish(d, d->feature == 3 ? 0 : ERR_ABRT);
		break;
	case 0xe0 ... 0xe3:
		ide_finish(d, 0);
		break;
	case 0xe5:
		d->count = 0xff;
		ide_finish(d, 0);
		break;
	default:
		aborted(d);
	}
}

void atapi_reset(struct ide_drive *d)
{
	d->count = d->lbal = 1;
	d->lbam = 0x14;
	d->lbah = 0xeb;
	d->status = 0;
	d->loaded = 1;
	d->limit = IDE_PIO_BYTES;
}
