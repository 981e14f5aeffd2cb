/* SPDX-License-Identifier: GPL-3.0-or-later
 * The view "screen": text as it is; a picture in half blocks, each character two pixels, with VGA's 16
 * colours as attributes. Owner: struct machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "hv/machine_int.h"
#include "hv/views_int.h"

enum { TEXT_CELLS = VGA_TEXT_SIZE / 2 };

struct text_cell {
	uint8_t ch, attribute;
};

static char printable(uint8_t c)
{
	return c >= 0x20 && c < 0x7f ? (char)c : ' ';
}

struct text_screen {
	struct vga_text mode;
	struct text_cell cell[TEXT_CELLS];
};

const char *machine_picture(struct machine *m, struct picture *p)
{
	return vga_picture(m->board.dev[SLOT_vga], p);
}

static const struct text_cell *cell_at(const struct text_screen *s, unsigned y, unsigned x)
{
	return &s->cell[(s->mode.start + y * s->mode.pitch + x) % TEXT_CELLS];
}

static void line_text(const struct text_screen *s, unsigned y, char out[VGA_COLUMNS + 1])
{
	for (unsigned x = 0; x < s->mode.columns; x++)
		out[x] = printable(cell_at(s, y, x)->ch);
	out[s->mode.columns] = 0;
}

static void line_attributes(const struct text_screen *s, unsigned y, char out[2 * VGA_COLUMNS + 1])
{
	for (unsigned x = 0; x < s->mode.columns; x++) {
		out[2 * x] = "0123456789abcdef"[cell_at(s, y, x)->attribute >> 4];
		out[2 * x + 1] = "0123456789abcdef"[cell_at(s, y, x)->attribute & 15];
	}
	out[2 * s->mode.columns] = 0;
}

/* ---- pictures ---- */

enum { WIDE = 80, HIGH = 25, MOST_WIDE = 500, MOST_HIGH = 300 };

/* A picture scaled to cells of two pixels, one above the other. */
struct scaled {
	const struct picture *p;
	unsigned w, h; /* in cells */
};

/* The mean of the picture's pixels in cell X, Y of 2 H. */
static uint32_t mean_color(const struct scaled *k, unsigned x, unsigned y)
{
	const struct picture *p = k->p;
	unsigned x0 = x * p->width / k->w, x1 = (x + 1) * p->width / k->w, y0 = y * p->height / (2 * k->h),
		 y1 = (y + 1) * p->height / (2 * k->h), n = 0, sum[3] = { 0 };

	for (unsigned j = y0; j < (y1 > y0 ? y1 : y0 + 1); j++)
		for (unsigned i = x0; i < (x1 > x0 ? x1 : x0 + 1); i++, n++)
			for (unsigned c = 0; c < 3; c++)
				sum[c] += p->rgb[3 * ((size_t)j * p->width + i) + c];
	return sum[0] / n << 16 | sum[1] / n << 8 | sum[2] / n;
}

/* As large as fits into the cells of ARG ("WxH"), which are twice as high as wide. False: it is none. */
static bool fit(struct scaled *k, const char *arg)
{
	unsigned w = WIDE, h = HIGH, n = 0;

	if (*arg && (sscanf(arg, "%3ux%3u%n", &w, &h, &n) != 2 || arg[n]))
		return false;
	if (!w || !h || w > MOST_WIDE || h > MOST_HIGH)
		return false;
	k->w = w;
	k->h = (w * k->p->height + k->p->width) / (2 * k->p->width);
	if (k->h > h) {
		k->h = h;
		k->w = 2 * h * k->p->width / k->p->height;
	}
	k->w = k->w ? k->w : 1;
	k->h = k->h ? k->h : 1;
	return true;
}

/* The nearest of VGA's 16 colours: bits 0 to 2 blue, green, red, bit 3 bright. */
static unsigned nearest(uint32_t rgb)
{
	unsigned best = 0, least = UINT32_MAX;

	for (unsigned n = 0; n < 16; n++) {
		unsigned far = 0;

		for (unsigned c = 0; c < 3; c++) {
			/* brown is half as green as dark yellow */
			int is = (n >> c & 1 ? 0xaa : 0) + (n & 8 ? 0x55 : 0) - (n == 6 && c == 1 ? 0x55 : 0);
			int d = is - (int)(rgb >> 8 * c & 0xff);

			far += (unsigned)(d * d);
		}
		if (far < least) {
			least = far;
			best = n;
		}
	}
	return best;
}

static bool is_light(uint32_t rgb)
{
	return (rgb >> 16 & 0xff) * 3 + (rgb >> 8 & 0xff) * 6 + (rgb & 0xff) > 10 * 0x50;
}

/* The nearest of the 6 x 6 x 6 colours and 24 greys that terminals with 256 colours have from 16 on. */
static unsigned nearest_of_256(uint32_t rgb)
{
	static const uint8_t level[6] = { 0, 95, 135, 175, 215, 255 };
	unsigned cube = 0, grey, far = 0, far_grey = 0, sum = 0;

	for (int c = 2; c >= 0; c--) {
		int is = rgb >> 8 * c & 0xff;
		unsigned n = is < 48 ? 0 : is < 115 ? 1 : (unsigned)(is - 35) / 40;

		cube = cube * 6 + n;
		far += (unsigned)((is - level[n]) * (is - level[n]));
		sum += (unsigned)is;
	}
	grey = sum / 3 < 8 ? 0 : (sum / 3 - 3) / 10;
	grey = grey > 23 ? 23 : grey;
	for (unsigned c = 0; c < 3; c++) {
		int d = (int)(rgb >> 8 * c & 0xff) - (int)(8 + 10 * grey);

		far_grey += (unsigned)(d * d);
	}
	return far_grey < far ? 232 + grey : 16 + cube;
}

struct half_blocks {
	const char *ch;
	unsigned attribute; /* background, foreground: of 16 colours */
	unsigned colors;    /* the same of 256 */
};

/* One character for two pixels: what is light is drawn, so that the text alone shows something, too. */
static struct half_blocks half_blocks(uint32_t upper, uint32_t lower)
{
	unsigned u = nearest_of_256(upper), l = nearest_of_256(lower);
	bool light = is_light(upper), same = u == l;

	if (same || light || !is_light(lower))
		return (struct half_blocks){ !same   ? "\u2580"
					     : light ? "\u2588"
						     : " ",
					     nearest(lower) << 4 | nearest(upper), l << 8 | u };
	return (struct half_blocks){ "\u2584", nearest(upper) << 4 | nearest(lower), u << 8 | l };
}

static void picture_rows(const struct scaled *k, struct row_sink *s)
{
	char *text = xmalloc(3 * k->w + 1), *attributes = xmalloc(2 * k->w + 1),
	     *colors = xmalloc(4 * k->w + 1);

	for (unsigned y = 0; y < k->h; y++) {
		char *at = text;

		for (unsigned x = 0; x < k->w; x++) {
			struct half_blocks b =
			    half_blocks(mean_color(k, x, 2 * y), mean_color(k, x, 2 * y + 1));

			at = stpcpy(at, b.ch);
			sprintf(attributes + 2 * x, "%02x", b.attribute);
			sprintf(colors + 4 * x, "%04x", b.colors);
		}
		s->row(s, (const struct value[]){ V_UINT(y), V_STR(text), V_STR(attributes), V_BOOL(false),
						  V_STR(colors) });
	}
	free(text);
	free(attributes);
	free(colors);
}

static const struct view_col screen_cols[] = {
	{ "line", "line", VAL_UINT, "", "line on the screen, from 0" },
	{ "text", "text", VAL_STR, "", "characters, unprintable ones as spaces; of a picture, half blocks" },
	{ "attributes", "attributes", VAL_STR, "",
	  "of each character, two hex digits: background, foreground" },
	{ "blinks", "blinks", VAL_BOOL, "", "backgrounds 8 to 15 blink instead of being bright" },
	{ "colors", "colors", VAL_STR, "",
	  "of a picture: of each character, background and foreground of 256 colours, two hex digits each" },
};

static const char *screen_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	char text[VGA_COLUMNS + 1], attributes[2 * VGA_COLUMNS + 1];
	struct text_screen screen;
	struct picture picture;
	struct scaled k = { .p = &picture };
	const char *why;

	vga_text(m->board.dev[SLOT_vga], &screen.mode);
	if (screen.mode.graphics) {
		why = machine_picture(m, &picture);
		if (!why && fit(&k, arg))
			picture_rows(&k, s);
		else if (!why)
			why =
			    "the argument is columns and lines, as 80x25: for a picture, the most that it takes";
		free(picture.rgb);
		return why;
	}
	if (!mm_phys_read(m->vm, VGA_TEXT_AT, screen.cell, sizeof(screen.cell)))
		memset(screen.cell, 0, sizeof(screen.cell));
	for (unsigned y = 0; y < screen.mode.lines; y++) {
		line_text(&screen, y, text);
		line_attributes(&screen, y, attributes);
		s->row(s, (const struct value[]){ V_UINT(y), V_STR(text), V_STR(attributes),
						  V_BOOL(screen.mode.blinks), V_NONE });
	}
	return NULL;
}

const struct view view_screen = {
	.name = "screen",
	.help =
	    "VGA screen: text, or a picture in half blocks, in as many columns and lines as an argument says "
	    "(screendump writes it to a file)",
	VIEW_COLS(screen_cols),
	.rows = screen_rows,
	.flags = VIEW_LIVE | VIEW_TEXT,
	.format = "{text}",
};
