/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where spaces are in the host's address space. A guest address A of a space is at A + D, so D decides for
 * all of its regions at once whether their host addresses are free. Every region is reserved together with 36
 * GiB on each side, to which displacements, scaled 32-bit indices and what else may be added to a probed
 * address lead: nothing of the process or of another space is there. What the process has mapped by itself is
 * found by trying: a reservation replaces nothing.
 *
 * VT, a byte for each MiB of host address, is a reservation of 128 MiB in which the page of each regular
 * region is readable. A probe indexes it by bits 63:20 of a guest address. With D above 0 these wrap: guest
 * addresses from 0 on find their bytes 16 TiB lower than negative ones, so there is a second reservation.
 * Both have margins of 64 GiB: from beyond the ends of the host's addresses the same displacements lead back.
 */
#include "mm/window/long.h"

#include <sys/mman.h>

#define HOST_END (1ull << 47)
#define VT_BYTES (HOST_END >> LONG_MIB_SHIFT)
#define VT_MARGIN (64ull << 30 >> LONG_MIB_SHIFT)
#define VT_PAGE(h) ((h) >> LONG_MIB_SHIFT & ~(uint64_t)PAGE_MASK) /* of a region's bytes */
#define VT_WRAP (1ull << (64 - LONG_MIB_SHIFT))
#define STEP (256ull << 30) /* between displacements */
#define TIB (1ull << 40)

static bool reserve_at(uint64_t at, uint64_t n)
{
	void *p = mmap((void *)at, n, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == (void *)at)
		return true;
	if (p != MAP_FAILED) /* a kernel that does not know the flag */
		munmap(p, n);
	return false;
}

/* ---- regions ---- */

static uint64_t region_address(unsigned i)
{
	return (uint64_t)i << LONG_REGION_SHIFT;
}

#define IN_VAIN UINT8_MAX

/* Host regions [FIRST, END) are F's, or free and reserved now. False: neither; those that were reserved in
 * vain are given back. */
static bool reserve_regions(struct long_face *f, unsigned first, unsigned end)
{
	uint8_t *owner = f->all->owner;

	for (unsigned i = first; i < end; i++)
		if (owner[i] && owner[i] != f->owner)
			return false;
	for (unsigned i = first; i < end; i++) {
		if (owner[i] == f->owner)
			continue;
		if (!reserve_at(region_address(i), 1ull << LONG_REGION_SHIFT))
			goto undo;
		owner[i] = IN_VAIN; /* until all are there */
	}
	for (unsigned i = first; i < end; i++)
		owner[i] = f->owner;
	return true;
undo:
	for (unsigned i = first; i < end; i++)
		if (owner[i] == IN_VAIN) {
			munmap((void *)region_address(i), 1ull << LONG_REGION_SHIFT);
			owner[i] = 0;
		}
	return false;
}

/* Reserve what the region of LIN needs under displacement D. */
static bool reserve_for(struct long_face *f, gva lin, uint64_t d)
{
	uint64_t h = (lin + d) >> LONG_REGION_SHIFT;

	if (h <= LONG_GUARD || h >= LONG_HALF - LONG_GUARD)
		return false;
	return reserve_regions(f, (unsigned)h - LONG_GUARD, (unsigned)h + LONG_GUARD + 1);
}

static void release_regions(struct long_face *f)
{
	uint8_t *owner = f->all->owner;

	for (unsigned i = 0, n; i < LONG_HALF; i += n) {
		for (n = 0; i + n < LONG_HALF && owner[i + n] == f->owner; n++)
			owner[i + n] = 0;
		if (n)
			munmap((void *)region_address(i), (uint64_t)n << LONG_REGION_SHIFT);
		else
			n = 1;
	}
}

/* ---- VT ---- */

/* The second reservation, of host addresses from D on. */
static uint64_t low_part(const struct long_face *f, uint64_t vt)
{
	return vt - VT_WRAP + (f->m.d >> LONG_MIB_SHIFT) - VT_MARGIN;
}

static uint64_t low_bytes(const struct long_face *f)
{
	return VT_BYTES - (f->m.d >> LONG_MIB_SHIFT) + 2 * VT_MARGIN;
}

static bool wraps(const struct long_face *f)
{
	return f->m.d < HOST_END;
}

static bool vt_try(const struct long_face *f, uint64_t vt)
{
	if (!reserve_at(vt - VT_MARGIN, VT_BYTES + 2 * VT_MARGIN))
		return false;
	if (!wraps(f) || reserve_at(low_part(f, vt), low_bytes(f)))
		return true;
	munmap((void *)(vt - VT_MARGIN), VT_BYTES + 2 * VT_MARGIN);
	return false;
}

static bool vt_reserve(struct long_face *f)
{
	uint64_t vt = 40 * TIB, d = f->m.d;

	while (!vt_try(f, vt)) {
		vt += VT_BYTES + STEP / 64;
		if (vt > 48 * TIB)
			return false;
	}
	f->m.vt = vt;
	f->m.v = vt + (uint64_t)((int64_t)d >> LONG_MIB_SHIFT) - (wraps(f) ? VT_WRAP : 0) + LONG_MIB_SHIFT;
	return true;
}

static void vt_release(struct long_face *f)
{
	uint64_t vt = f->m.vt;

	munmap((void *)(vt - VT_MARGIN), VT_BYTES + 2 * VT_MARGIN);
	if (wraps(f))
		munmap((void *)low_part(f, vt), low_bytes(f));
}

/* False: the host refused to open it. */
static bool vt_protect(struct long_face *f, uint64_t h, int prot)
{
	uint64_t at = f->m.vt + VT_PAGE(h);

	if (mprotect((void *)at, PAGE_SIZE, prot))
		return false;
	return !wraps(f) || h < f->m.d || !mprotect((void *)(at - VT_WRAP), PAGE_SIZE, prot);
}

/* ---- D ---- */

/* How many of the N regions at LIN fit under D. They stay reserved. */
static unsigned fits(struct long_face *f, const gva *lin, unsigned n, uint64_t d)
{
	unsigned fit = 0;

	for (unsigned i = 0; i < n; i++)
		fit += reserve_for(f, lin[i], d);
	return fit;
}

#define TRIES 48

/* The displacement to be tried as number I. */
static uint64_t candidate(const struct long_space *sp, unsigned i)
{
	unsigned k = i / 2, n = long_index(sp);

	if (!sp->user) /* the kernel's text ends there; the host's own mappings are from 126 TiB on */
		return 120 * TIB + TIB / 2 + (uint64_t)(i & 1 ? -(int64_t)(k + 1) : (int64_t)k) * STEP;
	/* Negative ones serve programs and libraries at the usual high addresses, positive ones low programs.
	 */
	if (i < TRIES / 2)
		return -(20 + (n * 2 + i * 3) % 120) * STEP;
	return (1 + (n * 2 + i * 7) % 200) * STEP;
}

/* The regions in which the guest maps something now, of the half that SP is for. */
static unsigned wanted(struct mmu *m, const struct long_space *sp, gva *lin, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = sp->user ? 0 : 256; i < (sp->user ? 256 : 512) && n < max; i++) {
		gva at = (gva)((int64_t)((uint64_t)i << 55) >> 16);
		uint64_t top = long_top(m, at);
		const uint64_t *pdpt;

		if (!(top & PTE_P))
			continue;
		pdpt = long_table(m, top);
		for (unsigned k = 0; pdpt && k < 512 && n < max; k++)
			if (pdpt[k] & PTE_P) {
				lin[n++] = at + ((gva)(k / 4) << LONG_REGION_SHIFT);
				k |= 3;
			}
	}
	return n;
}

/* Choose D for as many of the N regions at LIN as possible, which stay reserved. Returns how many. */
static unsigned choose(const struct long_space *sp, struct long_face *f, const gva *lin, unsigned n)
{
	unsigned best = 0, best_fit = 0, fit;

	for (unsigned i = 0; i < TRIES && best_fit < n; i++) {
		fit = fits(f, lin, n, candidate(sp, i));
		if (fit > best_fit) {
			best = i;
			best_fit = fit;
		}
		release_regions(f);
	}
	f->m.d = candidate(sp, best);
	f->m.neg_d = -f->m.d;
	return fits(f, lin, n, f->m.d);
}

static bool finish(struct long_face *f)
{
	f->planned = vt_reserve(f);
	if (!f->planned)
		release_regions(f);
	return f->planned;
}

static void face_release(struct long_face *f)
{
	if (!f->planned)
		return;
	release_regions(f);
	vt_release(f);
	f->planned = false;
}

/* After a plan in which not all fit the next one takes more misfits. */
enum { PATIENCE = 4, PATIENCE_MAX = 1 << 12 };

bool layout_plan(struct mmu *m, struct long_space *sp)
{
	struct long_face *f = &sp->face[FACE_OWN];
	gva lin[32];
	unsigned n = wanted(m, sp, lin, ARRAY_LEN(lin)), low = 0, fit;

	layout_release(sp);
	while (low < n && long_face_of(sp, lin[low]) == FACE_LOW)
		low++;
	fit = choose(sp, f, lin, n);
	if (fit < n && low && low < n) { /* the low ones get a face of their own */
		release_regions(f);
		fit = low + choose(sp, f, lin + low, n - low);
	}
	if (fit == n || !sp->patience)
		sp->patience = PATIENCE;
	else if (sp->patience < PATIENCE_MAX)
		sp->patience *= 4;
	sp->misfits = 0;
	return finish(f);
}

void layout_release(struct long_space *sp)
{
	face_release(&sp->face[FACE_OWN]);
	face_release(&sp->face[FACE_LOW]);
}

static bool place(struct long_space *sp, struct window *w, unsigned face)
{
	struct long_face *f = &sp->face[face];
	uint64_t h = w->lin + f->m.d;

	if (!f->planned || !reserve_for(f, w->lin, f->m.d) || !vt_protect(f, h, PROT_READ))
		return false;
	w->base = (uint8_t *)h;
	w->face = (uint8_t)face;
	return true;
}

bool layout_place(struct long_space *sp, struct window *w)
{
	struct long_face *low = &sp->face[FACE_LOW];
	bool is_low = long_face_of(sp, w->lin) == FACE_LOW;

	/* Code that reaches the lower part by that part's displacement finds nothing elsewhere. */
	if (is_low && low->planned)
		return place(sp, w, FACE_LOW);
	if (place(sp, w, FACE_OWN))
		return true;
	if (!is_low || !choose(sp, low, &w->lin, 1) || !finish(low))
		return false;
	return place(sp, w, FACE_LOW);
}

void layout_close(struct long_space *sp, const struct window *w)
{
	if (w->base)
		vt_protect(&sp->face[w->face], (uint64_t)w->base, PROT_NONE);
}
