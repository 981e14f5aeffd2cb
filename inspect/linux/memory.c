/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk of all five forms of paging, without a processor's state: a process' tables can be
 * read while another one runs. Rights are not checked. */
#include "inspect/linux/memory.h"
#include "x86/cpu.h"

#include <string.h>

/* Columns: levels, bytes of an entry, index bits of a table, of the top table, levels (from the last) whose
 * entries may map a large page, address bits. */
static const struct form {
	uint8_t levels, size, bits, top_bits, large, width;
} forms[] = {
	[LX_TWO_LEVELS] = { 2, 4, 10, 10, 2, 32 },
	[LX_PAE] = { 3, 8, 9, 2, 2, 32 },
	[LX_FOUR_LEVELS] = { 4, 8, 9, 9, 3, 48 },
	[LX_FIVE_LEVELS] = { 5, 8, 9, 9, 3, 57 },
};

enum { ENTRY_P = 1, ENTRY_PS = 0x80 };
#define ENTRY_ADDR 0x000ffffffffff000ull

static bool in_range(const struct form *f, uint64_t va)
{
	if (f->width == 32)
		return va <= UINT32_MAX;
	return (uint64_t)((int64_t)(va << (64 - f->width)) >> (64 - f->width)) == va;
}

/* The address that E, which maps a page of 1 << SHIFT bytes, has. */
static uint64_t page_of(const struct form *f, uint64_t e, unsigned shift)
{
	uint64_t pa = e & ENTRY_ADDR & ~((1ull << shift) - 1);

	if (f->size == 4 && shift > PAGE_SHIFT) /* PSE-36 */
		pa = (pa & 0xffc00000) | (e >> 13 & 0xff) << 32;
	return pa;
}

bool lx_translate(const struct lx_mem *m, const struct lx_space *sp, uint64_t va, uint64_t *pa,
		  uint64_t *left)
{
	const struct form *f = &forms[sp->paging];
	uint64_t table = sp->root & (sp->paging == LX_PAE ? ~0x1full : ENTRY_ADDR);

	if (sp->paging == LX_FLAT) {
		*pa = va;
		*left = PAGE_SIZE - (va & PAGE_MASK);
		return true;
	}
	if (!in_range(f, va))
		return false;
	for (unsigned level = f->levels; level; level--) {
		unsigned shift = PAGE_SHIFT + f->bits * (level - 1);
		unsigned bits = level == f->levels ? f->top_bits : f->bits;
		uint64_t at = table + f->size * (va >> shift & ((1u << bits) - 1)), e;
		uint8_t raw[8];

		if (!m->read(m->ctx, at, raw, f->size))
			return false;
		e = lx_le(raw, f->size);
		if (!(e & ENTRY_P))
			return false;
		if (level == 1 || ((e & ENTRY_PS) && level <= f->large)) {
			*left = (1ull << shift) - (va & ((1ull << shift) - 1));
			*pa = page_of(f, e, shift) + (va & ((1ull << shift) - 1));
			return true;
		}
		table = f->size == 4 ? e & 0xfffff000 : e & ENTRY_ADDR;
	}
	return false;
}

/* ---- all of a space ---- */

struct range {
	uint64_t va, pa, size; /* the last, not yet reported; SIZE 0: none */
};

struct tour {
	const struct lx_mem *m;
	const struct form *f;
	unsigned *tables;
	void (*found)(void *ctx, uint64_t va, uint64_t pa, uint64_t size);
	void *ctx;
	struct range last;
};

static void add_range(struct tour *t, uint64_t va, uint64_t pa, uint64_t size)
{
	if (t->last.size && t->last.va + t->last.size == va && t->last.pa + t->last.size == pa) {
		t->last.size += size;
		return;
	}
	if (t->last.size)
		t->found(t->ctx, t->last.va, t->last.pa, t->last.size);
	t->last = (struct range){ va, pa, size };
}

static uint64_t canonical(const struct form *f, uint64_t va)
{
	return f->width == 32 ? va : (uint64_t)((int64_t)(va << (64 - f->width)) >> (64 - f->width));
}

/* The table of LEVEL at PA, which maps from VA on. */
static void tour_table(struct tour *t, uint64_t pa, unsigned level, uint64_t va)
{
	const struct form *f = t->f;
	unsigned shift = PAGE_SHIFT + f->bits * (level - 1),
		 n = 1u << (level == f->levels ? f->top_bits : f->bits);
	uint8_t table[PAGE_SIZE];

	if (!*t->tables || !t->m->read(t->m->ctx, pa, table, (size_t)n * f->size))
		return;
	--*t->tables;
	for (unsigned i = 0; i < n; i++, va += 1ull << shift) {
		uint64_t e = lx_le(table + (size_t)i * f->size, f->size);

		if (!(e & ENTRY_P))
			continue;
		if (level == 1 || ((e & ENTRY_PS) && level <= f->large))
			add_range(t, canonical(f, va), page_of(f, e, shift), 1ull << shift);
		else
			tour_table(t, f->size == 4 ? e & 0xfffff000 : e & ENTRY_ADDR, level - 1, va);
	}
}

void lx_space_each(const struct lx_mem *m, const struct lx_space *sp, unsigned *tables,
		   void (*found)(void *ctx, uint64_t va, uint64_t pa, uint64_t size), void *ctx)
{
	struct tour t = { .m = m, .f = &forms[sp->paging], .tables = tables, .found = found, .ctx = ctx };

	if (sp->paging != LX_FLAT)
		tour_table(&t, sp->root & (sp->paging == LX_PAE ? ~0x1full : ENTRY_ADDR), t.f->levels, 0);
	if (t.last.size)
		found(ctx, t.last.va, t.last.pa, t.last.size);
}

/* ---- reading ---- */

/* Read N bytes at PA, or the pages of them that can be read; return how many bytes. */
static size_t read_pages(const struct lx_mem *m, uint64_t pa, uint8_t *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = PAGE_SIZE - ((pa + done) & PAGE_MASK);

		if (piece > n - done)
			piece = n - done;
		if (!m->read(m->ctx, pa + done, buf + done, piece))
			break;
		done += piece;
	}
	return done;
}

size_t lx_space_read(const struct lx_mem *m, const struct lx_space *sp, uint64_t va, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uint64_t pa, left;
		size_t got;

		if (!lx_translate(m, sp, va + done, &pa, &left))
			break;
		if (left > n - done)
			left = n - done;
		got = read_pages(m, pa, (uint8_t *)buf + done, (size_t)left);
		done += got;
		if (got < left)
			break;
	}
	return done;
}

void lx_phys_fill(const struct lx_mem *m, uint64_t pa, uint8_t *buf, size_t n)
{
	size_t done = 0;

	while ((done += read_pages(m, pa + done, buf + done, n - done)) < n) {
		size_t hole = PAGE_SIZE - ((pa + done) & PAGE_MASK);

		if (hole > n - done)
			hole = n - done;
		memset(buf + done, 0, hole);
		done += hole;
	}
}
