/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/mm/oracle.h"

enum {
	P = 0x1,
	RW = 0x2,
	US = 0x4,
	A = 0x20,
	D = 0x40,
	PS = 0x80,
	G = 0x100,
	CR0_PG_BIT = 0x80000000u,
	CR0_WP_BIT = 0x10000,
	CR4_PSE_BIT = 0x10,
	CR4_PAE_BIT = 0x20,
	CR4_PGE_BIT = 0x80,
	CR4_SMEP_BIT = 0x100000,
	EFER_LMA_BIT = 0x400,
	EFER_NXE_BIT = 0x800,
};

static bool set(uint64_t v, uint64_t bit)
{
	return (v & bit) != 0;
}

/* Table 4-12 to 4-15 of volume 3A: the error code. */
static void fault(struct oracle *o, const struct paging *pg, unsigned how, bool present, bool reserved)
{
	o->ok = false;
	o->err = present ? 1 : 0;
	if (set(how, MM_WRITE))
		o->err |= 2;
	if (set(how, MM_USER))
		o->err |= 4;
	if (reserved)
		o->err |= 8;
	if (set(how, MM_EXEC) &&
	    (set(pg->cr4, CR4_SMEP_BIT) || (set(pg->cr4, CR4_PAE_BIT) && set(pg->efer, EFER_NXE_BIT))))
		o->err |= 16;
}

/* 4.6: access rights. */
static void rights(struct oracle *o, const struct paging *pg, unsigned how)
{
	bool allowed = true;

	o->ok = true;
	if (set(how, MM_PROBE))
		return;
	if (set(how, MM_USER)) {
		allowed = o->user;
		if (set(how, MM_WRITE))
			allowed = allowed && o->writable;
	} else if (set(how, MM_WRITE)) {
		allowed = o->writable || !set(pg->cr0, CR0_WP_BIT);
	} else if (set(how, MM_EXEC)) {
		allowed = !(o->user && set(pg->cr4, CR4_SMEP_BIT));
	}
	if (set(how, MM_EXEC) && o->nx)
		allowed = false;
	if (!allowed)
		fault(o, pg, how, true, false);
}

static struct oracle walk32(const struct paging *pg, oracle_read *read, void *ctx, uint32_t lin, unsigned how)
{
	struct oracle o = { .shift = 12 };
	uint64_t pde, pte;

	if (!read(ctx, ((pg->cr3 & 0xfffff000) | (lin >> 22) * 4) & pg->a20_mask, 4, &pde) || !set(pde, P)) {
		fault(&o, pg, how, false, false);
		return o;
	}
	if (set(pde, PS) && set(pg->cr4, CR4_PSE_BIT)) {
		/* Bits 20:13 are address bits 39:32; those at and above MAXPHYADDR, and bit 21, are
		 * reserved (table 4-4). */
		uint64_t high = (pde >> 13) & 0xff;

		if (set(pde, 1 << 21) || (pg->maxphyaddr < 40 && high >> (pg->maxphyaddr - 32))) {
			fault(&o, pg, how, true, true);
			return o;
		}
		o.shift = 22;
		o.pa = (high << 32 | (pde & 0xffc00000) | (lin & 0x3fffff)) & pg->a20_mask;
		o.user = set(pde, US);
		o.writable = set(pde, RW);
		o.accessed = set(pde, A);
		o.dirty = set(pde, D);
		o.global = set(pde, G) && set(pg->cr4, CR4_PGE_BIT);
		rights(&o, pg, how);
		return o;
	}
	if (!read(ctx, ((pde & 0xfffff000) | ((lin >> 12) & 0x3ff) * 4) & pg->a20_mask, 4, &pte) ||
	    !set(pte, P)) {
		fault(&o, pg, how, false, false);
		return o;
	}
	o.pa = ((pte & 0xfffff000) | (lin & 0xfff)) & pg->a20_mask;
	o.user = set(pde, US) && set(pte, US);
	o.writable = set(pde, RW) && set(pte, RW);
	o.accessed = set(pde, A) && set(pte, A);
	o.dirty = set(pte, D);
	o.global = set(pte, G) && set(pg->cr4, CR4_PGE_BIT);
	rights(&o, pg, how);
	return o;
}

/* Bits 62:MAXPHYADDR, and 63 without NXE, must be 0 in entries of PAE paging. */
static bool pae_reserved(const struct paging *pg, uint64_t e)
{
	if ((e & 0x7fffffffffffffffull) >> pg->maxphyaddr)
		return true;
	return set(e, 1ull << 63) && !set(pg->efer, EFER_NXE_BIT);
}

static struct oracle walk_pae(const struct paging *pg, oracle_read *read, void *ctx, uint32_t lin,
			      unsigned how)
{
	struct oracle o = { .shift = 12 };
	uint64_t pdpte = pg->pdptr[lin >> 30], pde, pte;
	const uint64_t frame = 0x000ffffffffff000ull;

	if (!set(pdpte, P) ||
	    !read(ctx, ((pdpte & frame) | ((lin >> 21) & 0x1ff) * 8) & pg->a20_mask, 8, &pde) ||
	    !set(pde, P)) {
		fault(&o, pg, how, false, false);
		return o;
	}
	if (pae_reserved(pg, pde) || (set(pde, PS) && (pde & 0x1fe000))) {
		fault(&o, pg, how, true, true);
		return o;
	}
	if (set(pde, PS)) {
		o.shift = 21;
		o.pa = ((pde & frame & ~0x1fffffull) | (lin & 0x1fffff)) & pg->a20_mask;
		o.user = set(pde, US);
		o.writable = set(pde, RW);
		o.nx = set(pde, 1ull << 63);
		o.accessed = set(pde, A);
		o.dirty = set(pde, D);
		o.global = set(pde, G) && set(pg->cr4, CR4_PGE_BIT);
		rights(&o, pg, how);
		return o;
	}
	if (!read(ctx, ((pde & frame) | ((lin >> 12) & 0x1ff) * 8) & pg->a20_mask, 8, &pte) || !set(pte, P)) {
		fault(&o, pg, how, false, false);
		return o;
	}
	if (pae_reserved(pg, pte)) {
		fault(&o, pg, how, true, true);
		return o;
	}
	o.pa = ((pte & frame) | (lin & 0xfff)) & pg->a20_mask;
	o.user = set(pde, US) && set(pte, US);
	o.writable = set(pde, RW) && set(pte, RW);
	o.nx = set(pde | pte, 1ull << 63);
	o.accessed = set(pde, A) && set(pte, A);
	o.dirty = set(pte, D);
	o.global = set(pte, G) && set(pg->cr4, CR4_PGE_BIT);
	rights(&o, pg, how);
	return o;
}

/* Tables 4-15 to 4-20: what must be 0 in an entry of four-level paging that maps a page of SIZE bytes, or (0)
 * refers to a table. */
static bool long_reserved(const struct paging *pg, uint64_t e, uint64_t size)
{
	if ((e & 0x000fffffffffffffull) >> pg->maxphyaddr)
		return true;
	if (set(e, 1ull << 63) && !set(pg->efer, EFER_NXE_BIT))
		return true;
	return size > 4096 && (e & (size - 1) & ~0x1fffull) != 0;
}

static struct oracle walk_long(const struct paging *pg, oracle_read *read, void *ctx, uint64_t lin,
			       unsigned how)
{
	struct oracle o = { .user = true, .writable = true, .accessed = true };
	uint64_t table = pg->cr3 & 0x000ffffffffff000ull, e = 0, size;

	for (o.shift = 39;; o.shift -= 9) {
		if (!read(ctx, (table + (lin >> o.shift & 0x1ff) * 8) & pg->a20_mask, 8, &e) || !set(e, P)) {
			fault(&o, pg, how, false, false);
			return o;
		}
		size = o.shift == 12 || (set(e, PS) && o.shift < 39) ? 1ull << o.shift : 0;
		if (long_reserved(pg, e, size) || (o.shift == 39 && set(e, PS))) {
			fault(&o, pg, how, true, true);
			return o;
		}
		o.user = o.user && set(e, US);
		o.writable = o.writable && set(e, RW);
		o.nx = o.nx || set(e, 1ull << 63);
		o.accessed = o.accessed && set(e, A);
		table = e & 0x000ffffffffff000ull;
		if (size)
			break;
	}
	o.pa = ((table & ~(size - 1)) | (lin & (size - 1))) & pg->a20_mask;
	o.dirty = set(e, D);
	o.global = set(e, G) && set(pg->cr4, CR4_PGE_BIT);
	rights(&o, pg, how);
	return o;
}

struct oracle oracle_walk(const struct paging *pg, oracle_read *read, void *ctx, uint64_t lin, unsigned how)
{
	bool pae = set(pg->cr4, CR4_PAE_BIT);

	if (set(pg->cr0, CR0_PG_BIT) && pae && set(pg->efer, EFER_LMA_BIT))
		return walk_long(pg, read, ctx, lin, how);
	lin = (uint32_t)lin;
	if (!set(pg->cr0, CR0_PG_BIT))
		return (struct oracle){ .ok = true,
					.pa = lin & pg->a20_mask,
					.shift = 32,
					.user = true,
					.writable = true,
					.accessed = true,
					.dirty = true,
					.global = true };
	return pae ? walk_pae(pg, read, ctx, (uint32_t)lin, how) : walk32(pg, read, ctx, (uint32_t)lin, how);
}
