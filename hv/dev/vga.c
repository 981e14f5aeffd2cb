/* SPDX-License-Identifier: GPL-3.0-or-later
 * VGA registers: files that read back, retrace bits that follow VM time, the palette, and the DISPI interface
 * of Bochs' VBE extensions (ports 0x1CE, 0x1CF), which SeaVGABIOS uses for its VBE modes. A PCI function with
 * the identity of QEMU's standard VGA, which Linux' bochs-drm knows, has the frame buffer. vga_memory.c has
 * the memory that the guest sees, vga_picture.c what the screen shows. (IBM VGA reference; FreeVGA register
 * pages; Bochs' vbe_display_api.txt.) */
#include "hv/dev/vga_int.h"

enum { NSEQ = 5, NGFX = 9, NATTR = 21, NCRTC = 25 };
enum { LINE_NS = 31778, LINES = 449, VISIBLE = 400, VISIBLE_NS = 25422 };

static const struct dev_ports ports[] = {
	{ 0x3b4, 0x3b5, 1 }, { 0x3ba, 0x3ba, 1 }, { 0x3c0, 0x3df, 1 }, { DISPI_INDEX, DISPI_DATA + 1, 3 }
};
static const struct dev_mmio ranges[] = { { VGA_WINDOW, 15, VGA_WINDOW_AT, VGA_WINDOW_SIZE } };
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
	F_NUM(vga, latches),
	F_NUM(vga, dispi_index),
	F_ARRAY(vga, dispi),
	F_NUM_IN(vga, window, WINDOW_RAM, WINDOW_DIRECT),
	F_PAGES(vga, planes),
	F_NUM(vga, frame),
	F_PCI(vga, f),
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
	v->palette[v->dac_write] = v->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC ? val : val & 0x3f;
	v->dac_write = (uint16_t)((v->dac_write + 1) % sizeof(v->palette));
}

/* Fold the monochrome addresses onto the colour ones. */
static uint16_t fold(uint16_t port)
{
	return port < 0x3c0 ? port + 0x20 : port;
}

/* ---- DISPI ---- */

static uint16_t dispi_read(const struct vga *v)
{
	bool caps = v->dispi[DISPI_ENABLE] & DISPI_GETCAPS;

	switch (v->dispi_index) {
	case DISPI_XRES:
		return caps ? DISPI_MAX_X : v->dispi[DISPI_XRES];
	case DISPI_YRES:
		return caps ? DISPI_MAX_Y : v->dispi[DISPI_YRES];
	case DISPI_BPP:
		return caps ? 32 : v->dispi[DISPI_BPP];
	case DISPI_VIDEO_MEMORY:
		return VGA_FRAME_SIZE >> 16;
	default:
		return v->dispi_index < DISPI_REGS ? v->dispi[v->dispi_index] : 0;
	}
}

/* Lines of VIRT_WIDTH pixels that the memory has room for. */
static uint16_t dispi_height(const struct vga *v)
{
	unsigned line = vga_dispi_pitch(v), size = vga_dispi_planar(v) ? VGA_PLANES / 4 : VGA_FRAME_SIZE,
		 lines = line ? size / line : 0;

	return (uint16_t)(lines > 0xffff ? 0xffff : lines);
}

static void dispi_enable(struct vga *v, uint16_t val)
{
	bool was = vga_dispi_on(v);

	v->dispi[DISPI_ENABLE] = val;
	if (!(val & DISPI_ENABLED) || was) {
		vga_window_follow(v);
		return;
	}
	v->dispi[DISPI_VIRT_WIDTH] = v->dispi[DISPI_XRES];
	v->dispi[DISPI_VIRT_HEIGHT] = dispi_height(v);
	v->dispi[DISPI_X_OFFSET] = v->dispi[DISPI_Y_OFFSET] = v->dispi[DISPI_BANK] = 0;
	vga_window_follow(v);
	vga_frame_follow(v);
	if (!(val & DISPI_NOCLEAR))
		vga_dispi_clear(v);
}

static void dispi_write(struct vga *v, uint16_t val)
{
	bool on = vga_dispi_on(v);
	uint16_t *r = v->dispi_index < DISPI_REGS ? &v->dispi[v->dispi_index] : NULL;

	switch (v->dispi_index) {
	case DISPI_ID:
		if (val >= DISPI_ID0 && val <= DISPI_ID5)
			*r = val;
		break;
	case DISPI_XRES:
		if (!on && val <= DISPI_MAX_X)
			*r = val & ~7u;
		break;
	case DISPI_YRES:
		if (!on && val <= DISPI_MAX_Y)
			*r = val;
		break;
	case DISPI_BPP: /* 0 means 8 */
		if (!on &&
		    (val == 0 || val == 4 || val == 8 || val == 15 || val == 16 || val == 24 || val == 32))
			*r = val ? val : 8;
		break;
	case DISPI_ENABLE:
		dispi_enable(v, val);
		break;
	case DISPI_BANK:
		if (val < VGA_FRAME_SIZE >> 16)
			*r = val;
		break;
	case DISPI_VIRT_WIDTH:
		if (val >= v->dispi[DISPI_XRES]) {
			*r = val;
			v->dispi[DISPI_VIRT_HEIGHT] = dispi_height(v);
		}
		break;
	case DISPI_X_OFFSET:
	case DISPI_Y_OFFSET:
		*r = val;
		break;
	}
}

gpa vga_set_mode(struct dev *d, unsigned width, unsigned height, unsigned bits)
{
	const uint16_t set[][2] = { { DISPI_ENABLE, 0 },
				    { DISPI_XRES, (uint16_t)width },
				    { DISPI_YRES, (uint16_t)height },
				    { DISPI_BPP, (uint16_t)bits },
				    { DISPI_ENABLE, DISPI_ENABLED } };
	struct vga *v = (struct vga *)d;

	for (unsigned i = 0; i < ARRAY_LEN(set); i++) {
		v->dispi_index = set[i][0];
		dispi_write(v, set[i][1]);
	}
	return v->dispi[DISPI_XRES] == width && v->dispi[DISPI_YRES] == height ? v->frame : 0;
}

static uint32_t vga_in(struct dev *d, uint16_t port, unsigned size)
{
	struct vga *v = (struct vga *)d;

	if (port < 0x3b4) /* DISPI: words alone */
		return size != 2 ? UINT32_MAX : port == DISPI_INDEX ? v->dispi_index : dispi_read(v);
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

	if (port < 0x3b4) {
		if (size == 2 && port == DISPI_INDEX)
			v->dispi_index = (uint16_t)value;
		else if (size == 2)
			dispi_write(v, (uint16_t)value);
		return;
	}
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
		vga_window_follow(v);
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
		vga_window_follow(v);
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
		.graphics = (v->gfx[6] & 1) || vga_dispi_on(v),
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

	gpr_zero(&v->misc, offsetof(struct vga, window) - offsetof(struct vga, misc));
	vga_memory_reset(v);
	v->dispi[DISPI_ID] = DISPI_ID5;
	v->misc = 0x67;
	v->dac_mask = 0xff;
	gpr_copy(v->seq, mode3_seq, sizeof(mode3_seq));
	gpr_copy(v->gfx, mode3_gfx, sizeof(mode3_gfx));
	gpr_copy(v->attr, mode3_attr, sizeof(mode3_attr));
	gpr_copy(v->crtc, mode3_crtc, sizeof(mode3_crtc));
	v->attr_index = 0x20;
	default_palette(v);
}

static void vga_loaded(struct dev *d)
{
	vga_memory_loaded((struct vga *)d);
}

/* ---- PCI ---- */

static void config_written(struct pci_function *f, unsigned reg, unsigned size)
{
	(void)reg, (void)size;
	vga_frame_follow((struct vga *)f->d);
}

static const struct pci_class function = {
	.name = "standard VGA",
	.vendor = 0x1234,
	.device = 0x1111,
	.class_code = 0x030000,
	.revision = 2,
	.bar = { [VGA_FRAME] = { .kind = PCI_BAR_MEMORY,
				 .prefetchable = true,
				 .sizes = 15,
				 .size = VGA_FRAME_SIZE } },
	.config_written = config_written,
};

static bool vga_open(struct dev *d, char *err, size_t errlen)
{
	return pci_add(&((struct vga *)d)->f, &function, d, PCI_AT(2, 0), err, errlen);
}

static void vga_fini(struct dev *d)
{
	pci_remove(&((struct vga *)d)->f);
}

const struct dev_class vga_class = {
	.name = "vga",
	.help = "VGA with the DISPI extensions of Bochs",
	.size = sizeof(struct vga),
	DEV_PORTS(ports),
	DEV_MMIO(ranges),
	DEV_FIELDS(fields),
	.open = vga_open,
	.fini = vga_fini,
	.reset = vga_reset,
	.loaded = vga_loaded,
	.in = vga_in,
	.out = vga_out,
	.mmio_read = vga_memory_read,
	.mmio_write = vga_memory_write,
};
