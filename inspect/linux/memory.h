/* SPDX-License-Identifier: GPL-3.0-or-later
 * A guest's memory, read through page tables of its own. The guest is not trusted: tables may point
 * anywhere and at themselves, and every read is bounded. */
#ifndef INSPECT_LINUX_MEMORY_H
#define INSPECT_LINUX_MEMORY_H
#include "base/types.h"

/* Physical memory. */
struct lx_mem {
	void *ctx;
	/* Read N bytes of RAM, all or none. */
	bool (*read)(void *ctx, uint64_t pa, void *buf, size_t n);
};

enum lx_paging { LX_FLAT, LX_TWO_LEVELS, LX_PAE, LX_FOUR_LEVELS, LX_FIVE_LEVELS };

/* An address space. */
struct lx_space {
	uint64_t root; /* physical address of the top table */
	enum lx_paging paging;
};

/* Find the physical address of VA; *LEFT is the number of bytes to the end of the mapping. False: not mapped.
 */
bool lx_translate(const struct lx_mem *m, const struct lx_space *sp, uint64_t va, uint64_t *pa,
		  uint64_t *left);
/* Read up to N bytes at VA, as far as they are mapped; return how many. */
size_t lx_space_read(const struct lx_mem *m, const struct lx_space *sp, uint64_t va, void *buf, size_t n);
/* Call FOUND for each range of addresses that is contiguous in both spaces, in ascending order; *TABLES is
 * the number of tables that may be read, and is counted down. */
void lx_space_each(const struct lx_mem *m, const struct lx_space *sp, unsigned *tables,
		   void (*found)(void *ctx, uint64_t va, uint64_t pa, uint64_t size), void *ctx);
/* Fill BUF with N bytes from physical address PA on; pages that cannot be read are zero. */
void lx_phys_fill(const struct lx_mem *m, uint64_t pa, uint8_t *buf, size_t n);

/* Little-endian numbers of any alignment. */
static inline uint16_t lx_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t lx_le32(const uint8_t *p)
{
	return (uint32_t)lx_le16(p) | (uint32_t)lx_le16(p + 2) << 16;
}
static inline uint64_t lx_le64(const uint8_t *p)
{
	return lx_le32(p) | (uint64_t)lx_le32(p + 4) << 32;
}
/* A number of 1, 2, 4 or 8 bytes. */
static inline uint64_t lx_le(const uint8_t *p, unsigned size)
{
	return size == 8 ? lx_le64(p) : size == 4 ? lx_le32(p) : size == 2 ? lx_le16(p) : *p;
}
#endif
