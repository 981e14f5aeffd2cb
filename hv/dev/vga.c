/* SPDX-License-Identifier: GPL-3.0-or-later
 * VGA text modes: register files that read back, retrace bits that follow VM time, cursor and start
 * address. Video memory is plain RAM at 0xA0000, so planar modes do not show (IBM VGA reference;
 * FreeVGA register pages). */
#include "hv/board.h"

enum { NSEQ = 5, NGFX = 9, NATTR = 21, NCRTC = 25 };
enum { LINE_NS = 31778, LINES = 449, VISIBLE = 400, VISIBLE_NS = 25422 };

struct vga {
	struct dev d;
	uint8_t misc, feature;
	uint8_t seq_index, gfx_index, attr_index, crtc_index;
	uint8_t attr_data; /* the next write to 0x3c0 is data */
	uint8_t seq[256], gfx[256], attr[32], crtc[256];
	uint8_t palette[768];
	uint16_t dac_read, dac_write; /* byte positions in the palette */
	uint8_t dac_state, dac_mask;
};

static const struct dev_ports ports[] = { { 0x3b4, 0x3b5, 1 }, { 0x3ba, 0x3ba, 1 }, { 0x3c0, 0x3df, 1 } };
static const struct state_field fields[] = {
	F_NUM(vga, misc),
	F_NUM(vga, feature),
	F_NUM(vga, seq_index),
	F_NUM(vga, gfx_index),
	F_NUM(vga, attr_index),
	F_NUM(vga, crtc_index),
	F_NUM(vga, attr_data),
	F_HEX(vga, seq),
	F_HEX(vga, gfx),
	F_HEX(vga, attr),
	F_HEX(vga, crtc),
	F_HEX(vga, palette),
	F_NUM_IN(vga, dac_read, 0, 767),
	F_NUM_IN(vga, dac_write, 0, 767),
	F_NUM(vga, dac_state),
	F_NUM(vga, dac_mask),
};

/* Mode 3, 80x25 text, which the video BIOS sets at power-on. */
static const uint8_t mode3_seq[NSEQ] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t mode3_gfx[NGFX] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
static const uint8_t mode3_attr[NATTR] = {
	0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
	0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00,
};
static const uint8_t mode3_crtc[NCRTC] = {
	0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
	0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
};

/* Status 1: bit 0 is set outside the visible area, bit 3 in vertical retrace. */
static uint8_t status1(struct vga *v)
{
	uint64_t t = clock_now(&v->d.board->clock) % ((uint64_t)LINE_NS * LINES);
	bool vertical = t / LINE_NS >= VISIBLE, blank = vertical || t % LINE_NS >= VISIBLE_NS;

	v->attr_data = 0;
	return (uint8_t)(blank | (t / LINE_NS >= 412 && t / LINE_NS < 414) << 3);
}

static void attr_write(struct vga *v, uint8_t val)
{
	if (v->attr_data)
		v->attr[v->attr_index & 31] = val;
	else
		v->attr_index = val;
	v->attr_data ^= 1;
}

static void crtc_write(struct vga *v, uint8_t val)
{
	/* bit 7 of register 17 locks registers 0-7, except bit 8 of line compare in 7 */
	if (v->crtc_index <= 7 && (v->crtc[0x11] & 0x80)) {
		if (v->crtc_index == 7)
			v->crtc[7] = (uint8_t)((v->crtc[7] & ~0x10) | (val & 0x10));
		return;
	}
	v->crtc[v->crtc_index] = val;
}

static uint8_t dac_in(struct vga *v)
{
	uint8_t val = v->palette[v->dac_read];

	v->dac_read = (uint16_t)((v->dac_read + 1) % sizeof(v->palette));
	return val;
}

static void dac_out(struct vga *v, uint8_t val)
{
	v->palette[v->dac_write] = val & 0x3f;
	v->dac_write = (uint16_t)((v->dac_write + 1) % sizeof(v->palette));
}

/* Fold the monochrome addresses onto the colour ones. */
static uint16_t fold(uint16_t port)
{
	return port < 0x3c0 ? port + 0x20 : port;
}

static uint32_t vga_in(struct dev *d, uint16_t port, unsigned size)
{
	struct vga *v = (struct vga *)d;

	(void)size;
	switch (fold(port)) {
	case 0x3c0:
		return v->attr_index;
	case 0x3c1:
		return v->attr[v->attr_index & 31];
	case 0x3c2: /* status 0: bit 4 switch sense */
		return 0x10;
	case 0x3c4:
		return v->seq_index;
	case 0x3c5:
		return v->seq[v->seq_index];
	case 0x3c6:
		return v->dac_mask;
	case 0x3c7:
		return v->dac_state;
	case 0x3c8:
		return v->dac_write / 3;
	case 0x3c9:
		return dac_in(v);
	case 0x3ca:
		return v->feature;
	case 0x3cc:
		return v->misc;
	case 0x3ce:
		return v->gfx_index;
	case 0x3cf:
		return v->gfx[v->gfx_index];
	case 0x3d4:
		return v->crtc_index;
	case 0x3d5:
		return v->crtc[v->crtc_index];
	case 0x3da:
		return status1(v);
	default:
		return 0xff;
	}
}

static void vga_out(struct dev *d, uint16_t port, unsigned size, uint32_t value)
{
	struct vga *v = (struct vga *)d;
	uint8_t val = (uint8_t)value;

	(void)size;
	switch (fold(port)) {
	case 0x3c0:
	case 0x3c1:
		attr_write(v, val);
		break;
	case 0x3c2:
		v->misc = val;
		break;
	case 0x3c4:
		v->seq_index = val;
		break;
	case 0x3c5:
		v->seq[v->seq_index] = val;
		break;
	case 0x3c6:
		v->dac_mask = val;
		break;
	case 0x3c7:
		v->dac_read = (uint16_t)(val * 3);
		v->dac_state = 3;
		break;
	case 0x3c8:
		v->dac_write = (uint16_t)(val * 3);
		v->dac_state = 0;
		break;
	case 0x3c9:
		dac_out(v, val);
		break;
	case 0x3ce:
		v->gfx_index = val;
		break;
	case 0x3cf:
		v->gfx[v->gfx_index] = val;
		break;
	case 0x3d4:
		v->crtc_index = val;
		break;
	case 0x3d5:
		crtc_write(v, val);
		break;
	case 0x3da:
		v->feature = val;
		break;
	}
}

/* N if it is in 1..MOST, else OTHERWISE. */
static unsigned sensible(unsigned n, unsigned most, unsigned otherwise)
{
	return n && n <= most ? n : otherwise;
}

void vga_text(const struct dev *d, struct vga_text *t)
{
	const struct vga *v = (const struct vga *)d;
	const uint8_t *r = v->crtc;
	unsigned scans = (r[0x12] | (r[7] << 7 & 0x100) | (r[7] << 3 & 0x200)) + 1u;

	*t = (struct vga_text){
		.graphics = v->gfx[6] & 1,
		.blinks = v->attr[0x10] & 8,
		.start = (unsigned)r[0xc] << 8 | r[0xd],
		.columns = sensible(r[1] + 1u, VGA_COLUMNS, 80),
		.lines = sensible((scans >> (r[9] >> 7)) / ((r[9] & 31) + 1u), VGA_LINES, 25),
	};
	t->pitch = r[0x13] ? 2u * r[0x13] : t->columns;
}

/* The EGA's 64 colours, as the video BIOS loads them: bits 0-2 are strong blue, green and red, 3-5 weak. */
static void default_palette(struct vga *v)
{
	for (unsigned i = 0; i < 64; i++)
		for (unsigned c = 0; c < 3; c++) /* red first */
			v->palette[3 * i + c] =
			    (uint8_t)((i >> (2 - c) & 1) * 0x2a + (i >> (5 - c) & 1) * 0x15);
}

static void vga_reset(struct dev *d)
{
	struct vga *v = (struct vga *)d;
	struct dev keep = v->d;

	gpr_zero(v, sizeof(*v));
	v->d = keep;
	v->misc = 0x67;
	v->dac_mask = 0xff;
	gpr_copy(v->seq, mode3_seq, sizeof(mode3_seq));
	gpr_copy(v->gfx, mode3_gfx, sizeof(mode3_gfx));
	gpr_copy(v->attr, mode3_attr, sizeof(mode3_attr));
	gpr_copy(v->crtc, mode3_crtc, sizeof(mode3_crtc));
	v->attr_index = 0x20;
	default_palette(v);
}

const struct dev_class vga_class = {
	.name = "vga",
	.help = "VGA registers (text)",
	.size = sizeof(struct vga),
	DEV_PORTS(ports),
	DEV_FIELDS(fields),
	.reset = vga_reset,
	.in = vga_in,
	.out = vga_out,
};
