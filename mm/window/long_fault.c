/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where an address of a space is, and how faults of 64-bit code are resolved (mm/long.h). A kernel space has
 * regions of the user half only where supervisor pages are there, or where the whole kernel is. */
#include "mm/window/fill.h"
#include "mm/window/long.h"

/* ---- placing ---- */

/* Rights to user pages change with EFLAGS.AC where there is SMAP: each such access is checked elsewhere. */
bool long_takes_user(const struct mmu *m, const struct window *w)
{
	return !(m->cpu->cr4 & CR4_SMAP) && (w->lin >> 63 || !long_is_high(w->of));
}

/* Is LIN, of the lower half, to be reached through the user space? */
static bool other_half(struct mmu *m, const struct long_space *sp, gva lin)
{
	struct walk w;

	if (sp->user || lin >> 63)
		return false;
	mmu_walk(m, lin, MM_PROBE, &w);
	if (w.ok && !w.user)
		return false;
	return (m->cpu->cr4 & CR4_SMAP) || long_is_high(sp);
}

/* Will a region that the guest maps nothing in yet be used? Kernel code that begins a process touches each of
 * its few regions first. */
static bool is_expected(const struct mmu *m, const struct long_space *sp)
{
	return sp->user && m->cpu->cpl != 3 && sp->nregions < LONG_EARLY;
}

/* Has SP, a user space, a page at LIN in the upper half? Paravirtualized kernels run in ring 3. The first
 * time another displacement is to be found. */
static bool is_high_user(struct mmu *m, struct long_space *sp, gva lin)
{
	struct walk w;

	mmu_walk(m, lin, MM_PROBE, &w);
	if (!w.ok || !w.user)
		return false;
	sp->high = true;
	return true;
}

static enum mmu_long_place place(struct mmu *m, struct long_space *sp, gva lin)
{
	struct window *w;
	bool maps;

	if (!cpu_canonical(lin))
		return LONG_NOT_CANONICAL;
	if (other_half(m, sp, lin))
		return LONG_OTHER_HALF;
	maps = long_maps(m, lin);
	if ((sp->user && lin >> 63 && !is_high_user(m, sp, lin)) || (!maps && !is_expected(m, sp)))
		return LONG_IRREGULAR;
	w = space_get(m, sp, lin);
	if (!w)
		return LONG_IRREGULAR;
	if (w->base || layout_place(m, sp, w))
		return LONG_PLACED;
	sp->misfits += maps && sp->misfits < UINT16_MAX;
	return LONG_IRREGULAR;
}

static struct long_space *selected(const struct mmu *m)
{
	return m->cur->of;
}

static struct long_space *user_space(const struct mmu *m)
{
	return m->lng && m->lng->user ? m->lng->user->of : NULL;
}

enum mmu_long_place mmu_long_place(struct mmu *m, gva lin)
{
	enum mmu_long_place r = place(m, selected(m), lin);

	if (r == LONG_PLACED && space_find(selected(m), lin)->face != FACE_OWN)
		return LONG_OTHER_HALF;
	return r;
}

/* A region of the lower part that got its place before that part had a displacement of its own is not where
 * the probe was. */
enum mmu_long_place mmu_long_place_user(struct mmu *m, gva lin)
{
	struct long_space *sp = user_space(m);
	enum mmu_long_place r = sp ? place(m, sp, lin) : LONG_IRREGULAR;

	if (r == LONG_PLACED && long_face_of(sp, lin) == FACE_LOW && sp->face[FACE_LOW].planned &&
	    space_find(sp, lin)->face != FACE_LOW)
		return LONG_IRREGULAR;
	return r;
}

/* ---- faults ---- */

/* The region of LIN where it is regular, made so if it can be. */
static struct window *regular(struct mmu *m, struct long_space *sp, gva lin)
{
	struct window *w = space_find(sp, lin);

	if ((!w || !w->base) && place(m, sp, lin) == LONG_PLACED)
		w = space_find(sp, lin);
	return w && w->base ? w : NULL;
}

static enum mmu_fill irregular(struct mmu *m, gva lin, struct mmu_fault *f)
{
	struct walk w;

	mmu_walk(m, lin, MM_PROBE, &w);
	f->pa = w.pa;
	f->was_soft = f->user_access = false;
	return FILL_MMIO;
}

enum mmu_fill mmu_long_fill(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f)
{
	struct long_space *sp = selected(m);
	struct window *w = cpu_canonical(lin) ? regular(m, sp, lin) : NULL;
	enum mmu_fill r;

	/* A region that moved to the lower part's displacement after its probe: no longer where the access
	 * was.
	 */
	if (!w || w->face != FACE_OWN)
		return irregular(m, lin, f);
	fill_begin(m, lin, f);
	w->lru = ++m->tick;
	r = fill_page(m, w, lin, how, f);
	fill_end(m);
	if (r == FILL_MMIO && f->user_access && !(lin >> 63) && !long_takes_user(m, w))
		long_region_drop(m, w); /* from now on through the user space */
	return r;
}

enum mmu_fill mmu_long_fill_user(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f)
{
	struct long_space *sp = user_space(m);
	struct window *w = sp && !(lin >> 47) ? regular(m, sp, lin) : NULL;
	enum mmu_fill r;

	if (!w)
		return irregular(m, lin, f);
	fill_begin(m, lin, f);
	w->lru = ++m->tick;
	r = m->cpu->cpl == 3 ? fill_page(m, w, lin, how, f) : fill_user(m, w, lin, how, f);
	fill_end(m);
	return r;
}

struct window *long_prefill_window(struct mmu *m, gva lin)
{
	struct long_space *sp = selected(m);
	struct window *w;

	if (!cpu_canonical(lin))
		return NULL;
	if (!sp->user && !(lin >> 63) && !space_find(sp, lin) && mmu_long_user(m))
		sp = user_space(m);
	w = regular(m, sp, lin);
	if (w)
		w->lru = ++m->tick;
	return w;
}

/* ---- host addresses ---- */

/* Is HVA in VT of F? *LIN: a guest address of that MiB. */
static bool probes(const struct long_face *f, uint64_t hva, gva *lin)
{
	struct vt_part part[2];

	*lin = (hva - (f->m.v - LONG_MIB_SHIFT)) << LONG_MIB_SHIFT;
	if (!f->planned)
		return false;
	layout_vt(f, f->m.vt, part);
	return hva - part[0].at < part[0].bytes || hva - part[1].at < part[1].bytes;
}

/* May HVA be the probe of an address that leads nowhere? Its byte is elsewhere, and what may be there is
 * never used. CANONICAL: of one that is. */
static bool probes_nothing(const struct long_face *f, uint64_t hva, bool canonical, gva *lin)
{
	uint64_t i = hva - (f->m.v - LONG_MIB_SHIFT);

	*lin = i << LONG_MIB_SHIFT;
	return f->planned && i < 1ull << 44 && (*lin + f->m.d) >> 47 && (!canonical || cpu_canonical(*lin));
}

/* Is the region of LIN reached at another host address than HVA? */
static bool is_elsewhere(const struct long_face *f, uint64_t hva, gva lin)
{
	const struct window *w = space_find(&f->all->space[(f->owner - 1) / FACES], lin);

	return w && w->base && (uint64_t)w->base + (gva32)lin != hva;
}

static bool memory(const struct long_face *f, uint64_t hva, gva *lin)
{
	*lin = hva - f->m.d;
	return !(hva >> 47) && f->all->owner[hva >> LONG_REGION_SHIFT] == f->owner;
}

/* The faces that code in the selected space may access: its own, and those of the user space. */
static unsigned faces(const struct mmu *m, const struct long_face *f[3])
{
	const struct long_space *sp = m->cur ? m->cur->of : NULL, *user = user_space(m);
	unsigned n = 0;

	if (sp)
		f[n++] = &sp->face[FACE_OWN];
	if (user && user != sp)
		f[n++] = &user->face[FACE_OWN];
	if (user)
		f[n++] = &user->face[FACE_LOW];
	return n;
}

enum mmu_long_where mmu_long_where(const struct mmu *m, uint64_t hva, uint64_t *lin)
{
	const struct long_face *f[3];
	unsigned n = m->lng ? faces(m, f) : 0;
	bool own = m->cur && m->cur->of; /* the first is the selected space's */

	for (unsigned i = 0; i < n; i++) {
		if (f[i]->planned && memory(f[i], hva, lin)) {
			if (is_elsewhere(f[i], hva, *lin))
				return LONG_BEYOND;
			return i || !own ? LONG_USER : LONG_MEMORY;
		}
		if (probes(f[i], hva, lin))
			return i || !own ? LONG_PROBE_USER : LONG_PROBE;
	}
	/* What one face could mean by its far end, another may mean well. */
	for (unsigned k = 0; k < 2 * n; k++)
		if (probes_nothing(f[k % n], hva, k < n, lin))
			return k % n || !own ? LONG_PROBE_USER : LONG_PROBE;
	return LONG_ELSEWHERE;
}

uint32_t long_shadow_at(const struct mmu *m, uint64_t hva)
{
	const struct long_face *f[3];
	unsigned n = faces(m, f);
	gva lin;

	for (unsigned i = 0; i < n; i++) {
		const struct window *w;

		if (!f[i]->planned || !memory(f[i], hva, &lin))
			continue;
		w = space_find(&m->lng->space[(f[i]->owner - 1) / FACES], lin);
		return w ? w->shadow[(gva32)lin >> PAGE_SHIFT] : 0;
	}
	return 0;
}

/* ---- accesses of the semantics ---- */

struct window *long_window_for(const struct mmu *m, gva lin, unsigned how)
{
	const struct window *n;
	const struct long_space *sp;
	struct window *w;

	if ((how & MM_USER) && m->cur == m->uwin && m->uwin && !(lin >> 32))
		return m->uwin; /* compatibility mode */
	n = !m->lng ? NULL : how & MM_USER ? m->lng->user : m->lng->kernel;
	if (!n || !cpu_canonical(lin))
		return NULL;
	sp = n->of;
	if (sp->need_sync | sp->need_local | sp->pending)
		return NULL;
	w = space_find(sp, lin);
	return w && w->base ? w : NULL;
}
