/* SPDX-License-Identifier: GPL-3.0-or-later
 * Spaces: which there are, which region an address is in, and how faults of 64-bit code are resolved
 * (mm/long.h). Like windows they are a TLB: what invalidates them is in window/long_sync.c.
 *
 * Kernel code of all roots runs in one space, as long as their tables agree; a root with another idea of the
 * kernel (isolated page tables) gets one of its own (window/root.c has the reasons). Each process has a user
 * space, which its two roots share where page tables are isolated. A kernel space has regions of the user
 * half only where supervisor pages are there, or where the whole kernel is. */
#include "mm/window/fill.h"
#include "mm/window/long.h"

#include "base/gpr.h"
#include "base/log.h"

#include <sys/mman.h>

/* ---- regions ---- */

struct window *long_region(struct mmu *m, unsigned id)
{
	return &m->lng->region[id - MAX_WINDOWS];
}

unsigned long_ids(const struct mmu *m)
{
	return MAX_WINDOWS + m->lng->nregions;
}

unsigned win_number(const struct window *w)
{
	return w->of ? w->of->number->id : w->id;
}

static unsigned slot_of_lin(gva lin)
{
	return (unsigned)(lin >> LONG_REGION_SHIFT) & (LONG_LIN_SLOTS - 1);
}

struct window *space_find(const struct long_space *sp, gva lin)
{
	unsigned i = sp->region_of[slot_of_lin(lin)];

	return i ? &sp->all->region[i - 1] : NULL;
}

void long_region_drop(struct mmu *m, struct window *w)
{
	struct long_space *sp = w->of;
	unsigned i = 0, mine = w->id - MAX_WINDOWS;
	uint64_t known = w->known; /* what went before was said page by page */

	win_drop_all(m, w);
	if (known && m->vm->hooks.code_unmap)
		m->vm->hooks.code_unmap(m->vm->hooks.ctx, win_number(w), UINT64_MAX, win_links(w));
	layout_close(sp, w);
	while (sp->region[i] != mine)
		i++;
	sp->region[i] = sp->region[--sp->nregions];
	sp->region_of[slot_of_lin(w->lin)] = 0;
	maps_add(m, w, -w->maps);
	w->base = NULL;
	w->used = false;
}

/* The region that was not filled for longest, of SP or (NULL) of any space. */
static struct window *oldest_region(struct mmu *m, const struct long_space *sp)
{
	struct long_state *l = m->lng;
	struct window *old = NULL;

	for (unsigned i = 0; i < l->nregions; i++) {
		struct window *w = &l->region[i];

		if (w->used && (!sp || w->of == sp) && (!old || w->lru < old->lru))
			old = w;
	}
	return old;
}

static struct window *spare_region(struct mmu *m, struct long_space *sp)
{
	struct long_state *l = m->lng;
	struct window *w = NULL;

	if (sp->nregions == LONG_EACH)
		long_region_drop(m, oldest_region(m, sp));
	for (unsigned i = 0; i < l->nregions && !w; i++)
		if (!l->region[i].used)
			w = &l->region[i];
	if (!w && l->nregions < LONG_REGIONS)
		w = &l->region[l->nregions++];
	if (!w) {
		w = oldest_region(m, NULL);
		long_region_drop(m, w);
	}
	w->id = (uint16_t)(MAX_WINDOWS + (w - l->region));
	return w->shadow || win_reserve_books(m, w) ? w : NULL;
}

struct window *space_get(struct mmu *m, struct long_space *sp, gva lin)
{
	struct window *w = space_find(sp, lin);

	if (w)
		return w;
	w = spare_region(m, sp);
	if (!w)
		return NULL;
	w->used = w->pae = true;
	w->lin = lin & ~(WIN_BYTES - 1);
	w->of = sp;
	w->view = sp->user ? WIN_USER : WIN_KERNEL;
	w->shared = !sp->user;
	w->apart = sp->apart;
	w->space = sp->space;
	w->root = sp->number->root;
	w->nested = nested_on(m);
	w->need_sync = w->need_local = w->outdated = false;
	w->nwp_clear = w->npend = 0;
	w->fills = w->syncs = w->drops = w->prots = 0;
	w->top[0] = long_top(m, lin);
	w->lru = ++m->tick;
	sp->region[sp->nregions++] = (uint16_t)(w->id - MAX_WINDOWS);
	sp->region_of[slot_of_lin(lin)] = (uint16_t)(w->id - MAX_WINDOWS + 1);
	return w;
}

const uint64_t *long_table(struct mmu *m, uint64_t e)
{
	gpa at = e & PTE_ADDR64 & (m->cpu->a20_mask | ~(gpa)UINT32_MAX);

	if (nested_on(m))
		at = nested_place(m, e & PTE_ADDR64);
	if (!ppn_ram(m->vm, at >> PAGE_SHIFT) || page_state(m->vm, (ppn)(at >> PAGE_SHIFT)) == PAGE_SWAPPED)
		return NULL;
	return (const uint64_t *)page_read(m->vm, (ppn)(at >> PAGE_SHIFT));
}

uint64_t long_top(struct mmu *m, gva lin)
{
	const uint64_t *pml4 = long_table(m, m->cpu->cr3);

	return pml4 ? pml4[lin >> 39 & 511] : 0;
}

bool long_maps(struct mmu *m, gva lin)
{
	uint64_t e;

	if (nested_on(m))
		nested_begin(m, NESTED_ALL_ASKS);
	for (unsigned i = 0; i < 4; i++)
		if (mmu_walk_upper(m, (lin & ~(WIN_BYTES - 1)) + ((gva)i << 30), false, &e))
			return true;
	return false;
}

/* ---- spaces ---- */

static struct long_state *state(struct mmu *m)
{
	struct long_state *l;

	if (m->lng)
		return m->lng;
	l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		 0);
	if (l == MAP_FAILED)
		return NULL;
	for (unsigned i = 0; i < LONG_SPACES; i++)
		l->space[i].all = l; /* the rest when it is used */
	return m->lng = l;
}

static bool is_number(const struct window *w)
{
	return w->of && !w->shadow;
}

/* A number for a space: one that no window uses, or a window's. Those with a reservation are for windows. */
static struct window *take_number(struct mmu *m)
{
	struct window *old = NULL, *w = NULL;

	for (unsigned i = MAX_WINDOWS; i-- && !w;)
		if (!m->win[i].used && !m->win[i].shadow)
			w = &m->win[i];
	for (unsigned i = 0; i < MAX_WINDOWS && !w; i++) {
		struct window *x = &m->win[i];

		if (x->used && !is_number(x) && x != m->kwin && x != m->uwin && x != m->cur &&
		    (!old || x->lru < old->lru))
			old = x;
	}
	if (w)
		return w;
	if (!old)
		return NULL;
	win_take_over(m, old);
	old->used = false;
	win_release(m, old);
	return old;
}

static bool in_use(const struct mmu *m, const struct long_space *sp)
{
	return sp->number == m->lng->kernel || sp->number == m->lng->user || sp->number == m->cur;
}

void long_release(struct mmu *m, struct long_space *sp)
{
	struct window *n = sp->number;

	LOG(mmu, "space of root %08x given up", n->root);
	while (sp->nregions)
		long_region_drop(m, &sp->all->region[sp->region[0]]);
	layout_release(sp);
	for (unsigned i = 0; i < LONG_SLOTS; i++) {
		struct long_slot *s = &m->lng->slot[i];

		if (s->kernel == sp)
			s->kernel = NULL;
		if (s->user == sp)
			s->user = NULL;
	}
	if (m->lng->kernel == n)
		m->lng->kernel = NULL;
	if (m->lng->user == n)
		m->lng->user = NULL;
	m->apart &= ~(1ull << n->id);
	space_forget_long(m, n);
	n->used = false;
	n->of = NULL;
	sp->number = NULL;
}

void long_forget(struct mmu *m, struct window *w)
{
	if (w->of && w->id < MAX_WINDOWS)
		long_release(m, w->of);
}

/* The space that was not used for longest, but for KEEP; of user code alone if USER. */
static struct long_space *oldest_space(struct mmu *m, const struct long_space *keep, bool user)
{
	struct long_space *old = NULL;

	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (sp->number && sp != keep && (sp->user || !user) && !in_use(m, sp) &&
		    (!old || sp->lru < old->lru))
			old = sp;
	}
	return old;
}

bool long_evict(struct mmu *m, const struct long_space *keep)
{
	struct long_space *old = oldest_space(m, keep, true);

	if (!old)
		return false;
	m->st.evictions++;
	long_release(m, old);
	return true;
}

static struct long_space *spare_space(struct mmu *m)
{
	struct long_space *old;

	for (unsigned i = 0; i < LONG_SPACES; i++)
		if (!m->lng->space[i].number)
			return &m->lng->space[i];
	old = oldest_space(m, NULL, false);
	m->st.evictions++;
	long_release(m, old);
	return old;
}

static struct long_space *make_space(struct mmu *m, bool user)
{
	struct long_space *sp = spare_space(m);
	struct window *n = take_number(m);
	struct long_state *l = m->lng;
	uint16_t *region_of = sp->region_of;

	if (!n)
		return NULL;
	if (!region_of)
		region_of = mmap(NULL, LONG_LIN_SLOTS * sizeof(*region_of), PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region_of == MAP_FAILED)
		return NULL;
	gpr_zero(sp, sizeof(*sp));
	sp->all = l;
	for (unsigned i = 0; i < FACES; i++) {
		sp->face[i].all = l;
		sp->face[i].owner = (uint8_t)(1 + long_index(sp) * FACES + i);
	}
	sp->region_of = region_of;
	sp->number = n;
	sp->user = user;
	sp->space = m->here;
	n->id = (uint16_t)(n - m->win);
	if (m->nwin <= n->id)
		m->nwin = n->id + 1u;
	n->used = true;
	n->of = sp;
	n->view = user ? WIN_USER : WIN_KERNEL;
	n->root = user ? root_of(m->cpu) : ROOT_SHARED;
	n->pae = true;
	n->shared = n->apart = n->outdated = n->need_sync = n->need_local = false;
	n->space = m->here;
	n->nested = nested_on(m);
	n->known = n->mapped = 0;
	n->nactive = n->npend = n->nwp_clear = 0;
	n->lru = ++m->tick;
	m->st.windows++;
	return sp;
}

static struct long_slot *slot_of(struct mmu *m)
{
	uint32_t root = root_of(m->cpu);
	struct long_slot *s = &m->lng->slot[(root * 0x9e3779b1u >> 20 ^ m->here * 37u) % LONG_SLOTS];

	if (!s->used || s->root != root || s->space != m->here)
		*s = (struct long_slot){ .used = true, .space = m->here, .root = root };
	return s;
}

/* ---- kernel spaces ---- */

/* Is the kernel in the upper half? */
static bool is_high(const struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++)
		if (sp->all->region[sp->region[i]].lin >> 63 && sp->all->region[sp->region[i]].known)
			return true;
	return false;
}

#define LOSS_MAX 64 /* pages that are dropped without a second thought */

/* Supervisor pages of SP that are not global, and how many of them the present root's tables do not map. */
static uint32_t loss(struct mmu *m, const struct long_space *sp, uint32_t *all)
{
	uint32_t lost = 0;

	*all = 0;
	for (unsigned i = 0; i < sp->nregions; i++) {
		const struct window *w = &sp->all->region[sp->region[i]];

		*all += (uint32_t)w->known;
		if ((long_top(m, w->lin) ^ w->top[0]) & ~(uint64_t)PTE_A)
			lost += (uint32_t)w->known;
	}
	return lost;
}

struct long_space *long_kernel(struct mmu *m)
{
	struct long_slot *s = slot_of(m);
	struct long_space *best = NULL;
	uint32_t least = UINT32_MAX, all;
	unsigned n = 0;

	for (unsigned i = 0; i < LONG_SPACES && !s->kernel; i++) {
		struct long_space *sp = &m->lng->space[i];
		uint32_t lost;

		if (!sp->number || sp->user || sp->space != m->here)
			continue;
		n++;
		lost = is_high(sp) ? loss(m, sp, &all) : 0; /* nothing comes back to a loader's tables */
		if (lost && all >= LOSS_MAX && lost < all / 2)
			s->kernel = sp;
		if (lost < least) {
			least = lost;
			best = sp;
		}
	}
	if (!s->kernel && best && (least < LOSS_MAX || n >= LONG_KERNELS))
		s->kernel = best;
	if (!s->kernel) {
		s->kernel = make_space(m, false);
		if (s->kernel && n) { /* links between pages rest on the first alone */
			s->kernel->apart = true;
			m->apart |= 1ull << s->kernel->number->id;
		}
	}
	return s->kernel;
}

/* ---- user spaces ---- */

#define TOP_SAME (~(PTE_NX | PTE_A | PTE_D)) /* of PML4 entries, between the two roots of a process */

/* Does the present root map the same tables where SP has pages? */
static bool same_tables(struct mmu *m, const struct long_space *sp)
{
	unsigned same = 0;

	for (unsigned i = 0; i < sp->nregions; i++) {
		const struct window *w = &sp->all->region[sp->region[i]];

		if ((long_top(m, w->lin) ^ w->top[0]) & TOP_SAME)
			return false;
		same += w->top[0] & PTE_P;
	}
	return same;
}

static struct long_root *root_in(struct long_space *sp, uint32_t root)
{
	for (unsigned i = 0; i < 2; i++)
		if (sp->root[i].used && sp->root[i].root == root)
			return &sp->root[i];
	return NULL;
}

static struct long_space *user_of(struct mmu *m, uint32_t root)
{
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (sp->number && sp->user && sp->space == m->here && root_in(sp, root))
			return sp;
	}
	return NULL;
}

/* The user space of a process' other root: the one loaded before, if the tables of the user half are the
 * same.
 */
static struct long_space *partners(struct mmu *m)
{
	struct long_space *sp = user_of(m, m->root_before);

	return sp && !sp->root[1].used && same_tables(m, sp) ? sp : NULL;
}

struct long_space *long_user(struct mmu *m)
{
	struct long_slot *s = slot_of(m);

	if (!s->user)
		s->user = user_of(m, s->root);
	if (!s->user) {
		s->user = partners(m);
		if (s->user)
			s->user->root[1] = (struct long_root){ true, 0, s->root };
	}
	if (!s->user) {
		s->user = make_space(m, true);
		if (s->user)
			s->user->root[0] = (struct long_root){ true, 0, s->root };
	}
	return s->user;
}

/* ---- placing ---- */

/* Rights to user pages change with EFLAGS.AC where there is SMAP: each such access is checked elsewhere. */
bool long_takes_user(const struct mmu *m, const struct window *w)
{
	return !(m->cpu->cr4 & CR4_SMAP) && (w->lin >> 63 || !is_high(w->of));
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
	return (m->cpu->cr4 & CR4_SMAP) || is_high(sp);
}

/* Will a region that the guest maps nothing in yet be used? Kernel code that begins a process touches each of
 * its few regions first. */
static bool is_expected(const struct mmu *m, const struct long_space *sp)
{
	return sp->user && m->cpu->cpl != 3 && sp->nregions < LONG_EARLY;
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
	if ((sp->user && lin >> 63) || (!maps && !is_expected(m, sp)))
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

/* ---- selecting ---- */

/* Find another place for SP. What is known of pages stays. */
static void replan(struct mmu *m, struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++)
		layout_unplace(m, sp, &sp->all->region[sp->region[i]]);
	if (!layout_plan(m, sp))
		LOG(mmu, "no address space for a validity table of root %08x", sp->number->root);
	mmu_reselect(m);
}

/* Space SP of the present root is used anew: what may have happened since? */
static void arrive(struct mmu *m, struct long_space *sp)
{
	uint16_t pcid = m->cpu->cr4 & CR4_PCIDE ? m->cpu->cr3 & 0xfff : 0;
	uint64_t mask = sp->user && m->cpu->cpl != 3 ? TOP_SAME : UINT64_MAX;
	struct long_root *r = sp->user ? root_in(sp, root_of(m->cpu)) : NULL;

	sp->lru = ++m->tick;
	if (r && r->pcid != pcid) {
		r->pcid = pcid;
		sp->need_sync = true;
	}
	for (unsigned i = 0; i < sp->nregions; i++) {
		struct window *w = &sp->all->region[sp->region[i]];

		if ((long_top(m, w->lin) ^ w->top[0]) & mask)
			w->need_sync = sp->pending = true;
	}
	sp->blind = sp->user && m->cpu->cpl != 3;
}

static const struct long_space *ready(struct mmu *m, struct window *n)
{
	struct long_space *sp = n->of;

	if (__builtin_expect(sp->misfits >= sp->patience, 0))
		replan(m, sp);
	if (sp->need_sync | sp->need_local | sp->pending)
		long_sync(m, sp);
	return sp;
}

/* The number of SP, which the present root uses from now on. */
static struct window *come_to(struct mmu *m, struct long_space *sp)
{
	if (!sp)
		return NULL;
	evict_for_limit(m, NULL);
	arrive(m, sp);
	return sp->number;
}

const struct mmu_long *mmu_long_select(struct mmu *m, unsigned *win)
{
	bool user = m->cpu->cpl == 3;
	struct window **slot;

	if (!state(m)) {
		vm_fail(m->vm, MM_FAIL_MAPPING);
		return NULL;
	}
	slot = user ? &m->lng->user : &m->lng->kernel;
	if (!*slot)
		*slot = come_to(m, user ? long_user(m) : long_kernel(m));
	else if (user && (*slot)->of->blind)
		arrive(m, (*slot)->of);
	if (!*slot) {
		vm_fail(m->vm, MM_FAIL_MAPPING);
		return NULL;
	}
	m->cur = *slot;
	*win = m->cur->id;
	return &ready(m, m->cur)->face[FACE_OWN].m;
}

static const struct long_space *present_user(struct mmu *m)
{
	if (!cpu_long(m->cpu) || !state(m))
		return NULL;
	if (!m->lng->user)
		m->lng->user = come_to(m, long_user(m));
	return m->lng->user ? ready(m, m->lng->user) : NULL;
}

const struct mmu_long *mmu_long_user(struct mmu *m)
{
	const struct long_space *sp = present_user(m);

	return sp ? &sp->face[FACE_OWN].m : NULL;
}

bool mmu_long_user_ready(const struct mmu *m)
{
	const struct long_space *sp = m->lng && m->lng->user ? m->lng->user->of : NULL;

	return sp && !(sp->need_sync | sp->need_local | sp->pending);
}

const struct mmu_long *mmu_long_low(struct mmu *m)
{
	const struct long_space *sp = present_user(m);

	return sp ? &sp->face[sp->face[FACE_LOW].planned ? FACE_LOW : FACE_OWN].m : NULL;
}

bool long_stale(const struct mmu *m)
{
	return !m->lng || (m->cur != m->lng->kernel && m->cur != m->lng->user);
}

static void add_sums(const struct window *w, struct window_sums *s)
{
	s->mapped += w->mapped;
	s->active += w->nactive;
	s->fills += w->fills;
	s->syncs += w->syncs;
	s->drops += w->drops;
	s->maps += (uint64_t)w->maps;
}

void window_sums(const struct window *w, struct window_sums *s)
{
	const struct long_space *sp = w->of;

	*s = (struct window_sums){ .base = sp ? sp->face[FACE_OWN].m.d : (uint64_t)w->base };
	if (!sp)
		add_sums(w, s);
	for (unsigned i = 0; sp && i < sp->nregions; i++, s->regions++)
		add_sums(&sp->all->region[sp->region[i]], s);
}

void long_free(struct mmu *m)
{
	struct long_state *l = m->lng;

	if (!l)
		return;
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		if (l->space[i].number)
			long_release(m, &l->space[i]);
		if (l->space[i].region_of)
			munmap(l->space[i].region_of, LONG_LIN_SLOTS * sizeof(*l->space[i].region_of));
	}
	for (unsigned i = 0; i < l->nregions; i++)
		win_release(m, &l->region[i]);
	munmap(l, sizeof(*l));
	m->lng = NULL;
}
