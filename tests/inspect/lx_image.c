/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every character is its own token, so names are written as they are. */
#include "tests/inspect/lx_image.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PTE_PRW = 3, PTE_LARGE = 0x83, TABLE_PA = 0x10000 };

static bool read_image(void *ctx, uint64_t pa, void *buf, size_t n)
{
	struct image *im = ctx;

	if (pa > IMAGE_MEMORY || n > IMAGE_MEMORY - pa)
		return false;
	memcpy(buf, im->mem + pa, n);
	return true;
}

static void put(uint8_t *p, unsigned size, uint64_t v)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t page_tables(struct image *im, enum lx_paging paging)
{
	uint8_t *t = im->mem + TABLE_PA;

	if (paging == LX_TWO_LEVELS) {
		for (unsigned i = 0; i < 2; i++)
			put(t + 4 * ((im->start >> 22) + i), 4, (IMAGE_PA + ((uint64_t)i << 22)) | PTE_LARGE);
		return TABLE_PA;
	}
	if (paging == LX_PAE) {
		put(t + 8 * 3, 8, (TABLE_PA + 0x1000) | 1);
		t += 0x1000;
	} else {
		for (unsigned shift = paging == LX_FIVE_LEVELS ? 48 : 39; shift >= 30;
		     shift -= 9, t += 0x1000)
			put(t + 8 * (im->start >> shift & 511), 8,
			    (uint64_t)(t - im->mem + 0x1000) | PTE_PRW);
	}
	for (unsigned i = 0; i < 4; i++)
		put(t + 8 * ((im->start >> 21 & 511) + i), 8, (IMAGE_PA + ((uint64_t)i << 21)) | PTE_LARGE);
	return TABLE_PA;
}

void image_init(struct image *im, enum lx_paging paging, bool late)
{
	uint64_t handler;
	uint8_t *gate;

	*im = (struct image){ .width = paging < LX_FOUR_LEVELS ? 4 : 8, .late = late };
	im->mem = xcalloc(1, IMAGE_MEMORY);
	im->lx = (struct lx_mem){ im, read_image };
	im->start = im->width == 4 ? 0xc1000000 : 0xffffffff81000000ull;
	im->cpu.wide = im->width == 8;
	im->cpu.space = (struct lx_space){ page_tables(im, paging), paging };
	im->cpu.idt = im->start + IMAGE_IDT;
	handler = im->start + 0x123;
	gate = image_at(im, im->cpu.idt) + 14 * (im->cpu.wide ? 16 : 8);
	put(gate, 2, handler);
	put(gate + 2, 2, 0x10);
	gate[5] = 0x8e;
	put(gate + 6, 2, handler >> 16);
	if (im->cpu.wide)
		put(gate + 8, 4, handler >> 32);
	strcpy((char *)image_at(im, im->start + IMAGE_BANNER), "Linux version 6.1.0-test (make-believe)\n");
	image_symbol(im, "_text", im->start);
	image_symbol(im, "linux_banner", im->start + IMAGE_BANNER);
}

void image_fini(struct image *im)
{
	free(im->mem);
}

void image_symbol(struct image *im, const char *name, uint64_t addr)
{
	im->named[im->nnamed].name = name;
	im->named[im->nnamed++].addr = addr;
}

uint8_t *image_at(struct image *im, uint64_t va)
{
	return im->mem + IMAGE_PA + (va - im->start);
}

void image_word(struct image *im, uint64_t va, uint64_t v)
{
	put(image_at(im, va), im->width, v);
}

void image_u32(struct image *im, uint64_t va, uint32_t v)
{
	put(image_at(im, va), 4, v);
}

/* ---- kallsyms ---- */

struct entry {
	uint64_t addr;
	char name[40];
};

static int by_addr(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->addr, y = ((const struct entry *)b)->addr;

	return x < y ? -1 : x > y;
}

static uint8_t *aligned(struct image *im, uint8_t *p)
{
	while ((size_t)(p - im->mem) & (im->width - 1))
		p++;
	return p;
}

static uint8_t *put_offsets(struct image *im, uint8_t *p, const struct entry *e, unsigned n)
{
	p = aligned(im, p);
	for (unsigned i = 0; i < n; i++, p += 4)
		put(p, 4,
		    im->width == 4	    ? e[i].addr - im->start
		    : e[i].addr < im->start ? e[i].addr /* of a processor's own block */
					    : im->start - 1 - e[i].addr);
	p = aligned(im, p);
	put(p, im->width, im->start);
	return p + im->width;
}

static uint8_t *put_names(struct image *im, uint8_t *p, const struct entry *e, unsigned n)
{
	uint32_t *markers = xcalloc(n / 256 + 1, sizeof(*markers));
	uint8_t *names;

	put(p, 4, n);
	p = names = aligned(im, p + 4);
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(e[i].name);

		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(p - names);
		*p++ = (uint8_t)(len + 1);
		*p++ = 't';
		memcpy(p, e[i].name, len);
		p += len;
	}
	p = aligned(im, p);
	for (unsigned i = 0; i * 256 < n; i++, p += 4)
		put(p, 4, markers[i]);
	free(markers);
	return aligned(im, p);
}

static uint8_t *put_tokens(struct image *im, uint8_t *p)
{
	uint16_t index[256];
	uint8_t *start = p;

	for (unsigned i = 0; i < 256; i++) {
		index[i] = (uint16_t)(p - start);
		if (i)
			*p++ = (uint8_t)i;
		*p++ = 0;
	}
	p = aligned(im, p);
	for (unsigned i = 0; i < 256; i++, p += 2)
		put(p, 2, index[i]);
	return p;
}

void image_link(struct image *im)
{
	unsigned n = IMAGE_SYMBOLS + im->nnamed;
	struct entry *e = xcalloc(n, sizeof(*e));
	uint8_t *p = image_at(im, im->start + IMAGE_TABLES);

	for (unsigned i = 0; i < im->nnamed; i++) {
		e[i].addr = im->named[i].addr;
		snprintf(e[i].name, sizeof(e[i].name), "%s", im->named[i].name);
	}
	for (unsigned i = im->nnamed; i < n; i++) {
		e[i].addr = im->start + 16 * (uint64_t)i;
		snprintf(e[i].name, sizeof(e[i].name), "function_%u", i);
	}
	qsort(e, n, sizeof(*e), by_addr);
	if (!im->late)
		p = put_offsets(im, p, e, n);
	p = put_names(im, p, e, n);
	p = put_tokens(im, p);
	if (im->late)
		put_offsets(im, p, e, n);
	free(e);
}
