/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where spaces are in the host's address space. A guest address A of a space is at A + D, so D decides for
 * all of its regions at once whether their host addresses are free. Every region is reserved together with 36
 * GiB on each side, to which displacements, scaled 32-bit indices and what else may be added to a probed
 * address lead: nothing of the process or of another space is there. What the process has mapped by itself is
 * found by trying: a reservation replaces nothing.
 *
 * VT, a byte for each MiB of host address, is a reservation of 128 MiB in which the page of each regular
 * region is readable. A probe indexes it by bits 63:20 of a guest address: the guest's upper half finds its
 * bytes 16 TiB above the lower half's, so there are two reservations, and each half of the guest's addresses
 * is in one, whether it leads to a host address or not. (An address whose probe passes is then regular or not
 * canonical.) With D above 0 the host's addresses are in both: those below D are the upper half's. Margins
 * are of 64 GiB: from beyond the ends of the host's addresses displacements lead back. */
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

/* How many host regions from FIRST on, below END, have owner O. */
static unsigned run_of(const uint8_t *owner, unsigned first, unsigned end, uint8_t o)
{
	unsigned n = 0;

	while (first + n < end && owner[first + n] == o)
		n++;
	return n;
}

/* Give back what was reserved in vain of [FIRST, END): all that nobody owns. */
static void give_back(const uint8_t *owner, unsigned first, unsigned end)
{
	for (unsigned i = first, n; i < end; i += n + !n) {
		n = run_of(owner, i, end, 0);
		if (n)
			munmap((void *)region_address(i), (uint64_t)n << LONG_REGION_SHIFT);
	}
}

/* Host regions [FIRST, END) are F's, or free and reserved now, neighbours by one host call. False: neither;
 * those that were reserved in vain are given back. */
static bool reserve_regions(struct long_face *f, unsigned first, unsigned end)
{
	uint8_t *owner = f->all->owner;

	for (unsigned i = first; i < end; i++)
		if (owner[i] && owner[i] != f->owner)
			return false;
	for (unsigned i = first, n; i < end; i += n + !n) {
		n = run_of(owner, i, end, 0);
		if (n && !reserve_at(region_address(i), (uint64_t)n << LONG_REGION_SHIFT)) {
			give_back(owner, first, i);
			return false;
		}
	}
	for (unsigned i = first; i < end; i++)
		owner[i] = f->owner;
	return true;
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

	for (unsigned i = 0, n; i < LONG_HALF; i += n + !n) {
		n = run_of(owner, i, LONG_HALF, f->owner);
		for (unsigned k = 0; k < n; k++)
			owner[i + k] = 0;
		if (n)
			munmap((void *)region_address(i), (uint64_t)n << LONG_REGION_SHIFT);
	}
}

/* ---- VT ---- */

static bool wraps(const struct long_face *f)
{
	return f->m.d < HOST_END;
}

void layout_vt(const struct long_face *f, uint64_t vt, struct vt_part part[2])
{
	int64_t d = (int64_t)f->m.d >> LONG_MIB_SHIFT;
	uint64_t user = vt + (uint64_t)d - (wraps(f) ? VT_WRAP : 0), kernel = user + VT_WRAP - VT_BYTES;
	uint64_t host = vt + VT_BYTES;

	part[!wraps(f)] = (struct vt_part){ kernel - VT_MARGIN, VT_BYTES + 2 * VT_MARGIN };
	part[wraps(f)] = (struct vt_part){ user - VT_MARGIN, VT_BYTES + 2 * VT_MARGIN };
	part[0].bytes = host + VT_MARGIN - part[0].at;
}

static bool vt_try(const struct long_face *f, uint64_t vt)
{
	struct vt_part part[2];

	layout_vt(f, vt, part);
	if (!reserve_at(part[0].at, part[0].bytes))
		return false;
	if (reserve_at(part[1].at, part[1].bytes))
		return true;
	munmap((void *)part[0].at, part[0].bytes);
	return false;
}

static bool vt_reserve(struct long_face *f)
{
	uint64_t vt = 40 * TIB, d = f->m.d;

	while (!vt_try(f, vt)) {
		vt += 2 * VT_BYTES + STEP / 64;
		if (vt > 48 * TIB)
			return false;
	}
	f->m.vt = vt;
	f->m.v = vt + (uint64_t)((int64_t)d >> LONG_MIB_SHIFT) - (wraps(f) ? VT_WRAP : 0) + LONG_MIB_SHIFT;
	return true;
}

static void vt_release(struct long_face *f)
{
	struct vt_part part[2];

	layout_vt(f, f->m.vt, part);
	for (unsigned i = 0; i < 2; i++)
		munmap((void *)part[i].at, part[i].bytes);
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

/* Where position-independent programs and their heaps are, and libraries and stacks: at random within 1 TiB
 * each, and more of them when the process runs on. A displacement of its own for each space, a multiple of
 * 1.25 TiB, keeps all of that apart; some meet the kernel, VT, or what the process has mapped itself. */
static const struct zone {
	uint64_t first, end;
} zones[] = { { 85 * TIB + TIB / 4, 86 * TIB + TIB / 2 }, { 126 * TIB + TIB * 3 / 4, 128 * TIB } };
enum { ZONE_STEPS = 5, ZONES = 27, ZONE_FIRST = 3, ZONE_VT = 23, ZONES_VT = 2 };

static uint64_t zone_step(unsigned i)
{
	unsigned k = ZONE_FIRST + i;

	return (k < ZONE_VT ? k : k + ZONES_VT) * (uint64_t)ZONE_STEPS;
}

/* Has nobody else anything in the zones under D? */
static bool zones_free(const struct long_face *f, uint64_t d)
{
	for (unsigned z = 0; z < sizeof(zones) / sizeof(zones[0]); z++)
		for (uint64_t a = zones[z].first; a < zones[z].end; a += 1ull << LONG_REGION_SHIFT) {
			uint64_t h = (a + d) >> LONG_REGION_SHIFT;

			if (h < LONG_HALF && f->all->owner[h] && f->all->owner[h] != f->owner)
				return false;
		}
	return true;
}

#define TRIES 56

/* The displacement to be tried as number I. */
static uint64_t candidate(const struct long_space *sp, unsigned i)
{
	unsigned k = i / 2, n = long_index(sp);

	if (!sp->user ||
	    sp->high) /* the kernel's text ends there; the host's own mappings are from 126 TiB on */
		return 120 * TIB + TIB / 2 + (uint64_t)(i & 1 ? -(int64_t)(k + 1) : (int64_t)k) * STEP;
	/* Negative ones serve programs and libraries at the usual high addresses, each in zones of its own;
	 * positive ones low programs. */
	if (i < TRIES / 2)
		return -zone_step((n + i) % ZONES) * STEP;
	return (1 + (n * 2 + i * 7) % 200) * STEP;
}

/* The regions in which the guest maps something now, of its PML4 entries from FROM to before TO. */
static unsigned mapped(struct mmu *m, unsigned from, unsigned to, gva *lin, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = from; i < to && n < max; i++) {
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

/* What SP is to have room for: the half that it is for, and what it has used of the other one; of kernels all
 * of the lower half as long as there is nothing but a loader. */
static unsigned wanted(struct mmu *m, const struct long_space *sp, gva *lin, unsigned max)
{
	unsigned n = 0;

	if (sp->user && !sp->high)
		return mapped(m, 0, 256, lin, max);
	for (unsigned i = 0; i < sp->nregions && n < max; i++) {
		gva at = sp->all->region[sp->region[i]].lin;

		if (at >> 63 == sp->user)
			lin[n++] = at;
	}
	if (sp->user)
		return n + mapped(m, 0, 256, lin + n, max - n);
	n += mapped(m, 256, 512, lin + n, max - n);
	return n ? n : mapped(m, 0, 256, lin, max);
}

/* Choose D for as many of the N regions at LIN as possible, which stay reserved. Returns how many. */
static unsigned choose(const struct long_space *sp, struct long_face *f, const gva *lin, unsigned n)
{
	unsigned best = 0, best_score = 0, full = 2 * n + 1;

	for (unsigned i = 0; i < TRIES && best_score < full; i++) {
		uint64_t d = candidate(sp, i);
		unsigned fit = fits(f, lin, n, d), score = 2 * fit + (fit && (!sp->user || zones_free(f, d)));

		if (score > best_score) {
			best = i;
			best_score = score;
		}
		if (score < full)
			release_regions(f);
	}
	f->m.d = candidate(sp, best);
	f->m.neg_d = -f->m.d;
	return best_score < full ? fits(f, lin, n, f->m.d) : n;
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
enum { CROWD = 4 }; /* spaces that go for a better plan */
enum { PATIENCE = 1, PATIENCE_MAX = 1 << 12 };

bool layout_plan(struct mmu *m, struct long_space *sp)
{
	struct long_face *f = &sp->face[FACE_OWN];
	gva lin[32];
	unsigned n = wanted(m, sp, lin, ARRAY_LEN(lin)), low = 0, fit;

	layout_release(sp);
	while (low < n && long_face_of(sp, lin[low]) == FACE_LOW)
		low++;
	fit = choose(sp, f, lin, n);
	for (unsigned i = 0; fit < n && !low && i < CROWD && long_evict(m, sp); i++) {
		release_regions(f);
		fit = choose(sp, f, lin, n);
	}
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

/* From now on all of the lower part is reached by the second displacement. */
static bool plan_low(struct mmu *m, struct long_space *sp, const struct window *w)
{
	struct long_face *low = &sp->face[FACE_LOW];

	if (!choose(sp, low, &w->lin, 1) || !finish(low))
		return false;
	for (unsigned i = 0; i < sp->nregions; i++) {
		struct window *x = &sp->all->region[sp->region[i]];

		if (long_face_of(sp, x->lin) == FACE_LOW)
			layout_unplace(m, sp, x);
	}
	return true;
}

bool layout_place(struct mmu *m, struct long_space *sp, struct window *w)
{
	bool low = long_face_of(sp, w->lin) == FACE_LOW;

	if (!low || !sp->face[FACE_LOW].planned) {
		if (place(sp, w, FACE_OWN))
			return true;
		if (!low || !plan_low(m, sp, w))
			return false;
	}
	return place(sp, w, FACE_LOW);
}

void layout_unplace(struct mmu *m, struct long_space *sp, struct window *w)
{
	if (!w->base)
		return;
	win_drop_all(m, w);
	maps_add(m, w, -w->maps);
	layout_close(sp, w);
	w->base = NULL;
}

void layout_close(struct long_space *sp, const struct window *w)
{
	if (w->base)
		vt_protect(&sp->face[w->face], (uint64_t)w->base, PROT_NONE);
}
