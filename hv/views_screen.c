/* SPDX-License-Identifier: GPL-3.0-or-later
 * The view "screen": text as it is; a picture in half blocks, each character two pixels, with VGA's 16
 * colours as attributes. Owner: struct machine. */
#include <stdlib.h>
#include <string.h>

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

enum { WIDE = 80, HIGH = 25 };

/* The mean of the picture's pixels in cell X of WIDE, Y of 2 HIGH. */
static uint32_t mean_color(const struct picture *p, unsigned x, unsigned y)
{
	unsigned x0 = x * p->width / WIDE, x1 = (x + 1) * p->width / WIDE, y0 = y * p->height / (2 * HIGH),
		 y1 = (y + 1) * p->height / (2 * HIGH), n = 0, sum[3] = { 0 };

	for (unsigned j = y0; j < (y1 > y0 ? y1 : y0 + 1); j++)
		for (unsigned i = x0; i < (x1 > x0 ? x1 : x0 + 1); i++, n++)
			for (unsigned c = 0; c < 3; c++)
				sum[c] += p->rgb[3 * ((size_t)j * p->width + i) + c];
	return sum[0] / n << 16 | sum[1] / n << 8 | sum[2] / n;
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

/* One character for two pixels: what is light is drawn, so that the text alone shows something, too. */
static const char *half_blocks(uint32_t upper, uint32_t lower, unsigned *attribute)
{
	unsigned u = nearest(upper), l = nearest(lower);

	*attribute = l << 4 | u;
	if (is_light(upper) && is_light(lower) && u == l)
		return "\u2588";
	if (is_light(upper) || !is_light(lower))
		return u == l ? " " : "\u2580";
	*attribute = u << 4 | l;
	return "\u2584";
}

static void picture_rows(const struct picture *p, struct row_sink *s)
{
	char text[3 * WIDE + 1], attributes[2 * WIDE + 1];

	for (unsigned y = 0; y < HIGH; y++) {
		char *at = text;

		for (unsigned x = 0; x < WIDE; x++) {
			unsigned attribute;
			const char *c =
			    half_blocks(mean_color(p, x, 2 * y), mean_color(p, x, 2 * y + 1), &attribute);

			at = stpcpy(at, c);
			attributes[2 * x] = "0123456789abcdef"[attribute >> 4];
			attributes[2 * x + 1] = "0123456789abcdef"[attribute & 15];
		}
		attributes[2 * WIDE] = 0;
		s->row(s, (const struct value[]){ V_UINT(y), V_STR(text), V_STR(attributes), V_BOOL(false) });
	}
}

static const struct view_col screen_cols[] = {
	{ "line", "line", VAL_UINT, "", "line on the screen, from 0" },
	{ "text", "text", VAL_STR, "", "characters, unprintable ones as spaces; of a picture, half blocks" },
	{ "attributes", "attributes", VAL_STR, "",
	  "of each character, two hex digits: background, foreground" },
	{ "blinks", "blinks", VAL_BOOL, "", "backgrounds 8 to 15 blink instead of being bright" },
};

static const char *screen_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	char text[VGA_COLUMNS + 1], attributes[2 * VGA_COLUMNS + 1];
	struct text_screen screen;
	struct picture picture;
	const char *why;

	(void)arg;
	vga_text(m->board.dev[SLOT_vga], &screen.mode);
	if (screen.mode.graphics) {
		why = machine_picture(m, &picture);
		if (!why)
			picture_rows(&picture, s);
		free(picture.rgb);
		return why;
	}
	if (!mm_phys_read(m->vm, VGA_TEXT_AT, screen.cell, sizeof(screen.cell)))
		memset(screen.cell, 0, sizeof(screen.cell));
	for (unsigned y = 0; y < screen.mode.lines; y++) {
		line_text(&screen, y, text);
		line_attributes(&screen, y, attributes);
		s->row(s, (const struct value[]){ V_UINT(y), V_STR(text), V_STR(attributes),
						  V_BOOL(screen.mode.blinks) });
	}
	return NULL;
}

const struct view view_screen = {
	.name = "screen",
	.help = "VGA screen: text, or a picture in half blocks (screendump writes it to a file)",
	VIEW_COLS(screen_cols),
	.rows = screen_rows,
	.flags = VIEW_LIVE | VIEW_TEXT,
	.format = "{text}",
};
