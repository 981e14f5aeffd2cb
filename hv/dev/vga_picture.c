/* SPDX-License-Identifier: GPL-3.0-or-later
 * The picture on the screen, by the VGA's registers: DISPI modes of 8 to 32 bits a pixel, 256 colours (mode
 * 13h, mode X and relatives), 16 colours in planes (12h, 0Dh...), CGA's two and four colours at B8000, and
 * text with the font that the video BIOS or the guest loaded into plane 2. (IBM VGA reference; FreeVGA.) */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hv/dev/vga_int.h"

enum { MOST_WIDE = DISPI_MAX_X, MOST_HIGH = DISPI_MAX_Y, CELL = 32 /* bytes a glyph has in the font */ };
enum { PLANES_SHOWN = 256 << 10 /* without DISPI: 64 KiB of each */ };

struct screen {
	const struct vga *v;
	uint8_t *planes, *text; /* copies: the planes; VGA_TEXT_SIZE bytes at B8000 */
	struct picture *p;
};

/* Colour INDEX of the palette as 0xRRGGBB. */
static uint32_t dac(const struct vga *v, unsigned index)
{
	const uint8_t *c = v->palette + 3 * (index & v->dac_mask);
	bool wide =
	    (v->dispi[DISPI_ENABLE] & (DISPI_ENABLED | DISPI_8BIT_DAC)) == (DISPI_ENABLED | DISPI_8BIT_DAC);
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++)
		rgb = rgb << 8 | (uint8_t)(wide ? c[i] : c[i] << 2 | c[i] >> 4);
	return rgb;
}

/* The colour of the attribute controller's N, of 16. */
static uint32_t attribute(const struct vga *v, unsigned n)
{
	unsigned c = v->attr[n & v->attr[0x12] & 15] & 0x3f;

	if (v->attr[0x10] & 0x80)
		c = (c & 15) | (v->attr[0x14] & 3) << 4;
	return dac(v, c | (v->attr[0x14] & 0xc) << 4);
}

static void put(const struct screen *s, unsigned x, unsigned y, uint32_t rgb)
{
	uint8_t *at = s->p->rgb + 3 * ((size_t)y * s->p->width + x);

	at[0] = (uint8_t)(rgb >> 16);
	at[1] = (uint8_t)(rgb >> 8);
	at[2] = (uint8_t)rgb;
}

static bool size_is(struct screen *s, unsigned w, unsigned h)
{
	if (!w || !h || w > MOST_WIDE || h > MOST_HIGH)
		return false;
	s->p->width = w;
	s->p->height = h;
	s->p->rgb = xcalloc(3 * (size_t)w, h);
	return true;
}

/* ---- DISPI ---- */

static uint32_t dispi_pixel(const struct vga *v, const uint8_t *at)
{
	unsigned n = at[0];

	switch (v->dispi[DISPI_BPP]) {
	case 8:
		return dac(v, n);
	case 15:
		n |= (unsigned)at[1] << 8;
		return (n >> 10 & 31) * 255 / 31 << 16 | (n >> 5 & 31) * 255 / 31 << 8 | (n & 31) * 255 / 31;
	case 16:
		n |= (unsigned)at[1] << 8;
		return (n >> 11) * 255 / 31 << 16 | (n >> 5 & 63) * 255 / 63 << 8 | (n & 31) * 255 / 31;
	default:
		return (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
	}
}

/* A mode of 16 colours, which is in the planes. */
static void draw_dispi_planes(struct screen *s)
{
	const struct vga *v = s->v;
	unsigned pitch = vga_dispi_pitch(v);

	for (unsigned y = 0; y < s->p->height; y++)
		for (unsigned x = 0; x < s->p->width; x++) {
			unsigned px = x + v->dispi[DISPI_X_OFFSET], n = 0;
			uint64_t at = (uint64_t)(y + v->dispi[DISPI_Y_OFFSET]) * pitch + px / 8;
			const uint8_t *planes = s->planes + (at * 4 & (VGA_PLANES - 1));

			for (unsigned p = 0; p < 4; p++)
				n |= (unsigned)(planes[p] >> (7 - px % 8) & 1) << p;
			put(s, x, y, attribute(v, n));
		}
}

static void draw_dispi_frame(struct screen *s)
{
	const struct vga *v = s->v;
	unsigned bytes = (v->dispi[DISPI_BPP] + 7u) / 8, pitch = vga_dispi_pitch(v),
		 len = s->p->width * bytes;
	uint8_t *line = xmalloc(len + 4);

	for (unsigned y = 0; y < s->p->height; y++) {
		uint64_t at = (uint64_t)(y + v->dispi[DISPI_Y_OFFSET]) * pitch +
			      (uint64_t)v->dispi[DISPI_X_OFFSET] * bytes;

		if (!v->frame || at + len > VGA_FRAME_SIZE ||
		    !mm_phys_read(v->d.board->vm, v->frame + at, line, len))
			break;
		for (unsigned x = 0; x < s->p->width; x++)
			put(s, x, y, dispi_pixel(v, line + (size_t)x * bytes));
	}
	free(line);
}

static bool draw_dispi(struct screen *s)
{
	const struct vga *v = s->v;

	if (!size_is(s, v->dispi[DISPI_XRES], v->dispi[DISPI_YRES]))
		return false;
	if (vga_dispi_planar(v))
		draw_dispi_planes(s);
	else
		draw_dispi_frame(s);
	return true;
}

/* ---- VGA ---- */

static unsigned start_of(const struct vga *v)
{
	return (unsigned)v->crtc[0xc] << 8 | v->crtc[0xd];
}

/* Lines on the screen for one of the picture. */
static unsigned line_height(const struct vga *v)
{
	return ((v->crtc[9] & 31) + 1u) << (v->crtc[9] >> 7);
}

static unsigned scan_lines(const struct vga *v)
{
	return (v->crtc[0x12] | (v->crtc[7] << 7 & 0x100) | (v->crtc[7] << 3 & 0x200)) + 1u;
}

static bool draw_graphics(struct screen *s)
{
	const struct vga *v = s->v;
	bool deep = v->gfx[5] & 0x40; /* 256 colours */
	unsigned wide = (v->crtc[1] + 1u) * (deep ? 4 : 8), pitch = v->crtc[0x13] * 8u,
		 start = start_of(v) * 4;

	if (!size_is(s, wide, scan_lines(v) / line_height(v)))
		return false;
	for (unsigned y = 0; y < s->p->height; y++)
		for (unsigned x = 0; x < wide; x++) {
			unsigned row = start + y * pitch, n = 0;
			const uint8_t *at = s->planes + ((row + (deep ? x : x / 8 * 4)) & (PLANES_SHOWN - 1));

			for (unsigned p = 0; !deep && p < 4; p++)
				n |= (unsigned)(at[p] >> (7 - x % 8) & 1) << p;
			put(s, x, y, deep ? dac(v, *at) : attribute(v, n));
		}
	return true;
}

/* CGA's modes 4 to 6: every second line 8 KiB further on. */
static bool draw_cga(struct screen *s)
{
	const struct vga *v = s->v;
	unsigned bits = v->gfx[5] & 0x20 ? 2 : 1, wide = (v->crtc[1] + 1u) * 8;

	if (!size_is(s, wide, 200))
		return false;
	for (unsigned y = 0; y < 200; y++)
		for (unsigned x = 0; x < wide; x++) {
			unsigned at = (y & 1) * 0x2000 + (y >> 1) * (v->crtc[0x13] * 2u) + x * bits / 8;
			unsigned shift = 8 - bits - x * bits % 8;

			put(s, x, y, attribute(v, s->text[at % VGA_TEXT_SIZE] >> shift & ((1u << bits) - 1)));
		}
	return true;
}

/* ---- text ---- */

/* The glyph of character C under ATTRIBUTE: bytes of plane 2, four apart. */
static const uint8_t *glyph(const struct screen *s, uint8_t c, uint8_t attr)
{
	static const uint16_t maps[] = { 0, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000 };
	uint8_t r = s->v->seq[3];
	unsigned a = (r >> 2 & 3) | (r >> 3 & 4), b = (r & 3) | (r >> 2 & 4);

	return s->planes + (maps[attr & 8 ? a : b] + c * CELL) * 4u + 2;
}

static bool has_font(const struct screen *s)
{
	const uint8_t *a = glyph(s, 'A', 7);

	for (unsigned i = 0; i < CELL; i++)
		if (a[4 * i])
			return true;
	return false;
}

static void draw_cell(const struct screen *s, unsigned x0, unsigned y0, unsigned w, unsigned h,
		      const uint8_t *cell)
{
	const struct vga *v = s->v;
	const uint8_t *g = glyph(s, cell[0], cell[1]);
	unsigned back = v->attr[0x10] & 8 ? cell[1] >> 4 & 7 : cell[1] >> 4;
	uint32_t rgb[2] = { attribute(v, back), attribute(v, cell[1] & 15) };

	for (unsigned y = 0; y < h; y++)
		for (unsigned x = 0; x < w; x++) {
			uint8_t row = y < CELL ? g[4 * y] : 0;
			/* The ninth column of line-drawing characters repeats the eighth. */
			bool on = x < 8 ? row >> (7 - x) & 1
					: (v->attr[0x10] & 4) && (cell[0] & 0xe0) == 0xc0 && (row & 1);

			put(s, x0 + x, y0 + y, rgb[on]);
		}
}

static void draw_cursor(const struct screen *s, const struct vga_text *t, unsigned w, unsigned h)
{
	const uint8_t *r = s->v->crtc;
	unsigned at = ((unsigned)r[0xe] << 8 | r[0xf]) - t->start, first = r[0xa] & 31, last = r[0xb] & 31;

	if ((r[0xa] & 0x20) || !t->pitch || at / t->pitch >= t->lines || at % t->pitch >= t->columns)
		return;
	for (unsigned y = first; y <= last && y < h; y++)
		for (unsigned x = 0; x < w && x < 8; x++)
			put(s, at % t->pitch * w + x, at / t->pitch * h + y, attribute(s->v, 7));
}

static bool draw_text(struct screen *s)
{
	const struct vga *v = s->v;
	unsigned w = v->seq[1] & 1 ? 8 : 9, h = (v->crtc[9] & 31) + 1u;
	struct vga_text t;

	vga_text(&v->d, &t);
	if (!size_is(s, t.columns * w, t.lines * h))
		return false;
	for (unsigned y = 0; y < t.lines; y++)
		for (unsigned x = 0; x < t.columns; x++)
			draw_cell(s, x * w, y * h, w, h,
				  s->text + (2 * (t.start + y * t.pitch + x)) % VGA_TEXT_SIZE);
	draw_cursor(s, &t, w, h);
	return true;
}

/* Copies: what the guest has lent RAM to, is there. */
static void copy_memory(struct screen *s)
{
	struct mm_vm *vm = s->v->d.board->vm;

	s->planes = xmalloc(VGA_PLANES);
	s->text = xcalloc(VGA_TEXT_SIZE, 1);
	memcpy(s->planes, s->v->planes, VGA_PLANES);
	if (s->v->window == WINDOW_DIRECT)
		mm_phys_read(vm, VGA_WINDOW_AT, s->planes, VGA_WINDOW_SIZE);
	mm_phys_read(vm, VGA_TEXT_AT, s->text, VGA_TEXT_SIZE);
}

static const char *draw(struct screen *s)
{
	const struct vga *v = s->v;
	bool done;

	if (vga_dispi_on(v))
		done = draw_dispi(s);
	else if (!(v->gfx[6] & 1) && !has_font(s))
		return "the screen shows text, and no font was loaded (info screen shows it as text)";
	else if (!(v->gfx[6] & 1))
		done = draw_text(s);
	else
		done = (v->gfx[6] >> 2 & 3) == 3 ? draw_cga(s) : draw_graphics(s);
	return done ? NULL : "the registers describe no picture";
}

const char *vga_picture(const struct dev *d, struct picture *p)
{
	struct screen s = { .v = (const struct vga *)d, .p = p };
	const char *why;

	*p = (struct picture){ 0 };
	copy_memory(&s);
	why = draw(&s);
	free(s.planes);
	free(s.text);
	return why;
}
