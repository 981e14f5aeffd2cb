/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk: no paging, 32-bit with PSE, PAE with NX, four levels (SDM vol. 3A 4.3 to 4.8). */
#include "mm/walk.h"
#include "base/gpr.h"

#include "x86/cpu.h"
#include "x86/paging.h"

/* One level. A mode is a row for each, root first. */
struct walk_level_row {
	const char *name;
	uint8_t shift; /* of the linear address' bits that index it: also a page's, mapped here */
	uint8_t bits;  /* how many index it */
	uint8_t size;  /* bytes of an entry */
	bool large;    /* PTE_PS may map a page here */
	bool loaded;   /* comes from registers, has no rights and no accessed bit */
	uint8_t end;   /* 8-byte entries: bits from MAXPHYADDR up to this one must be 0 */
};

static const struct walk_level_row rows_32[] = { { "PDE", 22, 10, 4, false, false, 0 },
						 { "PTE", 12, 10, 4, false, false, 0 } };
static const struct walk_level_row rows_pse[] = { { "PDE", 22, 10, 4, true, false, 0 },
						  { "PTE", 12, 10, 4, false, false, 0 } };
static const struct walk_level_row rows_pae[] = { { "PDPTE", 30, 2, 8, false, true, 63 },
						  { "PDE", 21, 9, 8, true, false, 63 },
						  { "PTE", 12, 9, 8, false, false, 63 } };
static const struct walk_level_row rows_4[] = { { "PML4E", 39, 9, 8, false, false, 52 },
						{ "PDPTE", 30, 9, 8, true, false, 52 },
						{ "PDE", 21, 9, 8, true, false, 52 },
						{ "PTE", 12, 9, 8, false, false, 52 } };

static bool four_levels(const struct paging *pg)
{
	return __builtin_expect((pg->efer & EFER_LMA) && (pg->cr4 & CR4_PAE), 0);
}

static const struct walk_level_row *rows_of(const struct paging *pg)
{
	if (four_levels(pg))
		return rows_4;
	return pg->cr4 & CR4_PAE ? rows_pae : pg->cr4 & CR4_PSE ? rows_pse : rows_32;
}

static gpa root_of(const struct paging *pg)
{
	if (four_levels(pg))
		return pg->cr3 & PTE_ADDR64;
	return pg->cr3 & (pg->cr4 & CR4_PAE ? ~0x1full & 0xffffffff : PTE_ADDR32);
}

static unsigned index_at(const struct walk_level_row *row, gva lin)
{
	return (unsigned)(lin >> row->shift) & ((1u << row->bits) - 1);
}

/* The entry of LIN in the table at TABLE. False: not in memory. */
static bool load(const struct paging *pg, const struct walk_memory *mem, const struct walk_level_row *row,
		 gpa table, gva lin, struct walk_level *l)
{
	unsigned i = index_at(row, lin);

	l->name = row->name;
	l->at = table + i * row->size;
	l->entry = 0;
	if (row->loaded) {
		l->entry = pg->pdptr[i];
		return true;
	}
	return mem->load(mem->ctx, l->at & pg->a20_mask, row->size, &l->entry);
}

static gpa table_of(const struct walk_level_row *row, uint64_t entry)
{
	return entry & (row->size == 8 ? PTE_ADDR64 : PTE_ADDR32);
}

/* Bits from FROM up to, not including, TO. */
static uint64_t bits(unsigned from, unsigned to)
{
	uint64_t end = to < 64 ? 1ull << to : 0;

	return from < to ? end - (1ull << from) : 0;
}

static uint64_t reserved(const struct paging *pg, const struct walk_level_row *row, bool large)
{
	uint64_t r;

	if (row->size == 4) {
		unsigned reach = pg->maxphyaddr < 40 ? pg->maxphyaddr : 40;

		return large ? PTE_RESERVED_4M | bits(reach - PTE_PSE36_SHIFT, 21) : 0;
	}
	r = bits(pg->maxphyaddr, row->end);
	if (!(pg->efer & EFER_NXE))
		r |= PTE_NX;
	if (large)
		return r | (row->shift == 30 ? PTE_RESERVED_1G : PTE_RESERVED_2M);
	return row->shift == 39 ? r | PTE_PS : r;
}

static bool denied(const struct paging *pg, unsigned how, const struct walk *w)
{
	if (how & MM_PROBE)
		return false;
	if (how & MM_USER) {
		if (!w->user || ((how & MM_WRITE) && !w->writable))
			return true;
	} else {
		if ((how & MM_WRITE) && !w->writable && (pg->cr0 & CR0_WP))
			return true;
		if (w->user && (how & MM_EXEC ? pg->cr4 & CR4_SMEP : pg->smap))
			return true;
	}
	return (how & MM_EXEC) && w->nx;
}

static void fail(const struct paging *pg, struct walk *w, unsigned how, uint32_t err)
{
	bool nx = (pg->efer & EFER_NXE) && (pg->cr4 & CR4_PAE);

	if (how & MM_WRITE)
		err |= PF_ERR_W;
	if (how & MM_USER)
		err |= PF_ERR_U;
	if ((how & MM_EXEC) && (nx || (pg->cr4 & CR4_SMEP)))
		err |= PF_ERR_ID;
	w->err = err;
}

static bool set(const struct paging *pg, const struct walk_memory *mem, struct walk_level *l, uint8_t want)
{
	if ((l->entry & want) == want)
		return true;
	l->entry |= want;
	return mem->set(mem->ctx, l->at & pg->a20_mask, want);
}

static gpa page_of(const struct walk_level_row *row, uint64_t entry, gva lin)
{
	uint64_t mask = (1ull << row->shift) - 1;
	gpa pa = (table_of(row, entry) & ~mask) | (lin & mask);

	if (row->size == 4 && row->large)
		pa |= (uint64_t)(entry & PTE_PSE36) << PTE_PSE36_SHIFT;
	return pa;
}

/* The last level was reached: rights, then accessed and dirty bits. */
static void finish(const struct paging *pg, const struct walk_memory *mem, const struct walk_level_row *rows,
		   gva lin, unsigned how, struct walk *w)
{
	struct walk_level *leaf = &w->level[w->nlevels - 1];
	const struct walk_level_row *row = &rows[w->nlevels - 1];

	w->page_shift = row->shift;
	w->global = (leaf->entry & PTE_G) && (pg->cr4 & CR4_PGE);
	w->dirty = leaf->entry & PTE_D;
	w->pa = page_of(row, leaf->entry, lin) & pg->a20_mask;
	if (denied(pg, how, w)) {
		fail(pg, w, how, PF_ERR_P);
		return;
	}
	w->ok = true;
	if (how & MM_PROBE)
		return;
	for (unsigned i = 0; i + 1 < w->nlevels && w->ok; i++)
		if (!rows[i].loaded)
			w->ok = set(pg, mem, &w->level[i], PTE_A);
	w->ok = w->ok && set(pg, mem, leaf, (uint8_t)(PTE_A | (how & MM_WRITE ? PTE_D : 0)));
	w->dirty |= !!(how & MM_WRITE);
}

static void no_paging(const struct paging *pg, gva lin, struct walk *w)
{
	gpr_zero(w, sizeof(*w));
	w->ok = w->user = w->writable = w->dirty = w->global = true;
	w->pa = lin & pg->a20_mask;
	w->page_shift = 32;
}

void walk_linear(const struct paging *pg, const struct walk_memory *mem, gva lin, unsigned how,
		 struct walk *w)
{
	const struct walk_level_row *rows = rows_of(pg), *row = rows;
	gpa table = root_of(pg);

	if (!four_levels(pg))
		lin = (gva32)lin;
	if (!(pg->cr0 & CR0_PG)) {
		no_paging(pg, lin, w);
		return;
	}
	w->ok = w->global = w->dirty = w->nx = false;
	w->user = w->writable = true;
	w->pa = 0;
	w->page_shift = PAGE_SHIFT;
	w->err = w->nlevels = 0;
	for (;; row++) {
		struct walk_level *l = &w->level[w->nlevels++];

		if (!load(pg, mem, row, table, lin, l) || !(l->entry & PTE_P)) {
			fail(pg, w, how, 0);
			break;
		}
		bool large = row->large && (l->entry & PTE_PS);
		if (!row->loaded) {
			if (l->entry & reserved(pg, row, large)) {
				fail(pg, w, how, PF_ERR_P | PF_ERR_RSVD);
				break;
			}
			w->user &= !!(l->entry & PTE_U);
			w->writable &= !!(l->entry & PTE_W);
			w->nx |= row->size == 8 && (l->entry & PTE_NX);
		}
		if (large || row->shift == PAGE_SHIFT) {
			finish(pg, mem, rows, lin, how, w);
			return;
		}
		table = table_of(row, l->entry);
	}
	w->user = w->writable = w->nx = false;
}

bool walk_directory(const struct paging *pg, const struct walk_memory *mem, gva lin, uint64_t *pde, gpa *at)
{
	const struct walk_level_row *row = rows_of(pg);
	gpa table = root_of(pg);
	uint64_t above = PTE_W | PTE_U | PTE_A;
	struct walk_level l;

	for (;; row++) {
		bool large;

		if (!load(pg, mem, row, table, lin, &l))
			return false;
		large = row->large && (l.entry & PTE_PS);
		if (row[1].shift == PAGE_SHIFT || large)
			break;
		if (!(l.entry & PTE_P) || (!row->loaded && (l.entry & reserved(pg, row, false))))
			return false;
		if (!row->loaded)
			above = (above & l.entry) | ((above | l.entry) & PTE_NX);
		table = table_of(row, l.entry);
	}
	*pde = walk_combine(above, l.entry);
	*at = l.at;
	return true;
}

bool walk_upper(const struct paging *pg, const struct walk_memory *mem, gva lin, bool blind, uint64_t *pdpte)
{
	struct walk_level top, l;

	if (!load(pg, mem, &rows_4[0], root_of(pg), lin, &top) || !(top.entry & PTE_P) ||
	    (top.entry & reserved(pg, &rows_4[0], false)) ||
	    !load(pg, mem, &rows_4[1], table_of(&rows_4[0], top.entry), lin, &l) || !(l.entry & PTE_P) ||
	    (l.entry & reserved(pg, &rows_4[1], l.entry & PTE_PS)))
		return false;
	*pdpte = walk_combine(blind ? top.entry & ~PTE_NX : top.entry, l.entry);
	return true;
}

bool walk_load_pdptrs(const struct paging *pg, const struct walk_memory *mem, uint64_t cr3, uint64_t pdptr[4])
{
	gpa at = (cr3 & ~0x1full) & 0xffffffff;
	uint64_t p[4];

	for (unsigned i = 0; i < 4; i++) {
		if (!mem->load(mem->ctx, (at + i * 8) & pg->a20_mask, 8, &p[i]))
			p[i] = 0;
		if ((p[i] & PTE_P) && (p[i] & (bits(pg->maxphyaddr, 64) | PDPTE_RESERVED)))
			return false;
	}
	for (unsigned i = 0; i < 4; i++)
		pdptr[i] = p[i];
	return true;
}
