/* SPDX-License-Identifier: GPL-3.0-or-later
 * Spaces: which there are, which regions they have, and which one is in use (mm/long.h). Like windows they
 * are a TLB: what invalidates them is in window/long_sync.c. */
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

struct long_space *long_make(struct mmu *m, bool user)
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
	uint16_t pcid = long_pcid(m);
	uint64_t mask = sp->user && m->cpu->cpl != 3 ? TOP_SAME : UINT64_MAX;
	struct long_root *r = sp->user ? long_root_in(sp, root_of(m->cpu)) : NULL;

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
