/* SPDX-License-Identifier: GPL-3.0-or-later
 * screendump: the guest's screen as a file, PNG or PPM. */
#include "config.h"

#include "inspect/tables_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && !strcmp(s + n - k, end);
}

#ifdef HAVE_LIBPNG
#include <png.h>

enum { HAVE_PNG = 1 };
static bool write_png(FILE *f, const struct picture *p)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION, .width = p->width, .height = p->height, .format = PNG_FORMAT_RGB
	};

	return png_image_write_to_stdio(&image, f, 0, p->rgb, 0, NULL);
}
#else
enum { HAVE_PNG = 0 };
static bool write_png(FILE *f, const struct picture *p)
{
	(void)f, (void)p;
	return false;
}
#endif

static bool write_ppm(FILE *f, const struct picture *p)
{
	fprintf(f, "P6\n%u %u\n255\n", p->width, p->height);
	return fwrite(p->rgb, (size_t)3 * p->width, p->height, f) == p->height;
}

static const struct view_col dump_cols[] = {
	{ "file", "File", VAL_STR, "", "where it was written" },
	{ "width", "Width", VAL_UINT, "pixels", "of the picture" },
	{ "height", "Height", VAL_UINT, "pixels", "of the picture" },
};
RECORD_DOC(screendump_record, "screendump", dump_cols);

static int cmd_screendump(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *file = a->argv[0], *why;
	struct picture p;
	struct table *t;
	bool done;
	FILE *f;

	if (!ends_in(file, ".png") && !ends_in(file, ".ppm"))
		return result_fail(r, "screendump: %s: the name must end in .png or .ppm", file);
	if (!HAVE_PNG && ends_in(file, ".png"))
		return result_fail(r, "screendump: %s: built without libpng: a name that ends in .ppm works",
				   file);
	why = machine_picture(s->m, &p);
	if (why)
		return result_fail(r, "screendump: %s", why);
	f = fopen(file, "we");
	if (!f) {
		free(p.rgb);
		return result_fail(r, "screendump: cannot write %s: %s", file, strerror(errno));
	}
	done = ends_in(file, ".png") ? write_png(f, &p) : write_ppm(f, &p);
	done &= !fclose(f);
	free(p.rgb);
	if (!done)
		return result_fail(r, "screendump: cannot write %s: %s", file, strerror(errno));
	t = result_table(r, dump_cols, ARRAY_LEN(dump_cols), TABLE_PLAIN, "{file}: {width} x {height}");
	table_row(t, (struct value[]){ V_STR(file), V_UINT(p.width), V_UINT(p.height) });
	return 0;
}

static const struct command commands[] = {
	{ "screendump", NULL, "FILE", "write what the guest's screen shows to FILE, a PNG or PPM picture",
	  "By the end of the name, .png or .ppm. Text is drawn with the font that the video BIOS or the guest loaded; a guest that was "
	  "booted without a BIOS has none ('info screen' shows its text).",
	  cmd_screendump, CMD_MACHINE | CMD_PAUSE | CMD_FILES, 1, 1, COMP_FILE },
	{ 0 },
};

const struct command_group cmd_screen_group = { "screen", "The screen", commands };
