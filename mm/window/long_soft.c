/* SPDX-License-Identifier: GPL-3.0-or-later
 * Soft pages of spaces (mm/window/soft.c): a page that is accessed a few times only, as most are where
 * processes come and go, costs no host mapping. A prechecked access of 64-bit code asks here for the bytes;
 * a page that is asked for often is mapped. */
#include "mm/window/fill.h"
#include "mm/window/long.h"

/* About as many accesses as a mapping costs, with its removal. */
#define MOST_USES 12

static struct long_use *use_of(struct long_state *l, uint64_t page)
{
	return &l->use[(page ^ page >> 8) % LONG_USES];
}

void long_use_begin(struct mmu *m, uint64_t page)
{
	struct long_use *u = use_of(m->lng, page);

	if (u->page == page)
		u->n = 0;
}

/* Has PAGE been asked for often enough to be mapped? */
static bool is_hot(struct long_state *l, uint64_t page)
{
	struct long_use *u = use_of(l, page);

	if (u->page != page)
		*u = (struct long_use){ page, 0 };
	return ++u->n >= MOST_USES;
}

static bool is_mapped(const struct window *w, vpn32 vpn, unsigned how)
{
	uint32_t want = how & MM_WRITE ? SH_P | SH_W : SH_P;

	return (w->shadow[vpn] & want) == want;
}

/* The space through which LIN is accessed. */
static struct long_space *space_for(const struct mmu *m, gva lin, bool user)
{
	const struct window *n = user && !(lin >> 63) ? m->lng->user : m->cur;
	struct long_space *sp = n ? n->of : NULL;

	if (!sp || !cpu_canonical(lin) || sp->need_sync | sp->need_local | sp->pending ||
	    (sp->user && lin >> 63))
		return NULL;
	return sp;
}

uint8_t *mmu_long_soft(const struct mmu *m, gva lin, unsigned how, bool user)
{
	const struct long_space *sp = space_for(m, lin, user);
	const struct window *w = sp ? space_find(sp, lin) : NULL;
	uint32_t s = w ? w->shadow[(gva32)lin >> PAGE_SHIFT] : 0;

	if (!(s & (how & MM_WRITE ? SH_SW : SH_SR)))
		return NULL;
	return m->vm->home + ((uint64_t)(s & ~PAGE_MASK) | (lin & PAGE_MASK));
}

enum mmu_soft mmu_long_soften(struct mmu *m, gva lin, unsigned how, bool user, struct mmu_fault *f)
{
	struct long_space *sp = space_for(m, lin, user);
	struct window *w = sp ? space_find(sp, lin) : NULL;
	vpn32 vpn = (gva32)lin >> PAGE_SHIFT;
	enum mmu_fill r;

	if (!w || !w->base)
		return SOFT_NONE;
	if (is_mapped(w, vpn, how))
		return SOFT_MAPPED;
	if (mmu_long_soft(m, lin, how, user) && !is_hot(m->lng, page_of(w, vpn)))
		return SOFT_HERE;
	if (!mmu_long_soft(m, lin, how, user))
		how |= MMU_SOFT;
	fill_begin(m, lin, f);
	w->lru = ++m->tick;
	r = sp->user && m->cpu->cpl != 3 ? fill_user(m, w, lin, how, f) : fill_page(m, w, lin, how, f);
	fill_end(m);
	if (r == FILL_FAULT)
		return SOFT_FAULT;
	if (r != FILL_OK)
		return SOFT_NONE;
	return is_mapped(w, vpn, how) ? SOFT_MAPPED : mmu_long_soft(m, lin, how, user) ? SOFT_NEW : SOFT_NONE;
}
