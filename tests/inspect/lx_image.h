/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory of a make-believe Linux guest: an image with symbols in the form of kallsyms, an interrupt table and
 * page tables. 16 MiB; the image's 8 MiB are at 4 MiB. */
#ifndef TESTS_INSPECT_LX_IMAGE_H
#define TESTS_INSPECT_LX_IMAGE_H
#include "inspect/linux/kernel.h"

enum { IMAGE_MEMORY = 16 << 20, IMAGE_PA = 4 << 20, IMAGE_SIZE = 8 << 20, IMAGE_SYMBOLS = 5000 };

struct image {
	uint8_t *mem;
	struct lx_mem lx;
	struct lx_cpu cpu;
	unsigned width;
	bool late;	/* addresses of symbols behind their names, as since 6.5 */
	uint64_t start; /* linear address of the image */
	struct {
		const char *name;
		uint64_t addr;
	} named[64];
	unsigned nnamed;
};

/* Where things are in the image; data of tests begins at IMAGE_FREE. */
enum { IMAGE_IDT = 0x1000, IMAGE_BANNER = 0x2000, IMAGE_TABLES = 0x10000, IMAGE_FREE = 0x200000 };

/* An image of WIDTH 4 or 8 with these tables. image_link() writes the symbols. */
void image_init(struct image *im, enum lx_paging paging, bool late);
void image_fini(struct image *im);
void image_symbol(struct image *im, const char *name, uint64_t addr);
void image_link(struct image *im);
/* Host address of linear address VA, which is in the image. */
uint8_t *image_at(struct image *im, uint64_t va);
void image_word(struct image *im, uint64_t va, uint64_t v); /* of WIDTH bytes */
void image_u32(struct image *im, uint64_t va, uint32_t v);
#endif
