/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which spaces a root uses (mm/long.h). Kernel code of all roots runs in one space, as long as their tables
 * agree; a root with another idea of the kernel (isolated page tables) gets one of its own (window/root.c has
 * the reasons). Each process has a user space, which its two roots share where page tables are isolated. */
#include "mm/window/fill.h"
#include "mm/window/long.h"

static struct long_slot *slot_of(struct mmu *m)
{
	uint32_t root = root_of(m->cpu);
	struct long_slot *s = &m->lng->slot[(root * 0x9e3779b1u >> 20 ^ m->here * 37u) % LONG_SLOTS];

	if (!s->used || s->root != root || s->space != m->here)
		*s = (struct long_slot){ .used = true, .space = m->here, .root = root };
	return s;
}

/* ---- kernel spaces ---- */

bool long_is_high(const struct long_space *sp)
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
		lost = long_is_high(sp) ? loss(m, sp, &all) : 0; /* nothing comes back to a loader's tables */
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
		s->kernel = long_make(m, false);
		if (s->kernel && n) { /* links between pages rest on the first alone */
			s->kernel->apart = true;
			m->apart |= 1ull << s->kernel->number->id;
		}
	}
	return s->kernel;
}

/* ---- user spaces ---- */

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

struct long_root *long_root_in(struct long_space *sp, uint32_t root)
{
	for (unsigned i = 0; i < 2; i++)
		if (sp->root[i].used && sp->root[i].root == root)
			return &sp->root[i];
	return NULL;
}

/* A user space of ROOT; PCID: NULL, or what it is to have been loaded with. */
static struct long_space *user_of(struct mmu *m, uint32_t root, const uint16_t *pcid)
{
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];
		const struct long_root *r;

		if (!sp->number || !sp->user || sp->space != m->here)
			continue;
		r = long_root_in(sp, root);
		if (r && (!pcid || r->pcid == *pcid))
			return sp;
	}
	return NULL;
}

/* The root of S comes with PCID. A process that has got another one keeps its space: its tables are those
 * that it had. */
static void take_turn(struct mmu *m, struct long_slot *s, uint16_t pcid)
{
	if (pcid == s->pcid)
		return;
	if (pcid == s->before && s->user && s->turns < LONG_TURNS && !same_tables(m, s->user))
		s->turns++;
	s->before = s->pcid;
	s->pcid = pcid;
	if (s->turns == LONG_TURNS)
		s->user = NULL;
}

/* The user space of a process' other root: the one loaded before, if the tables of the user half are the
 * same.
 */
static struct long_space *partners(struct mmu *m)
{
	struct long_space *sp = user_of(m, m->root_before, NULL);

	return sp && !sp->root[1].used && same_tables(m, sp) ? sp : NULL;
}

struct long_space *long_user(struct mmu *m)
{
	struct long_slot *s = slot_of(m);
	struct long_root root = { true, LONG_NO_PCID, s->root };
	uint16_t pcid = long_pcid(m);

	take_turn(m, s, pcid);
	if (!s->user)
		s->user = user_of(m, s->root, s->turns < LONG_TURNS ? NULL : &pcid);
	if (!s->user) {
		s->user = partners(m);
		if (s->user)
			s->user->root[1] = root;
	}
	if (!s->user) {
		s->user = long_make(m, true);
		if (s->user)
			s->user->root[0] = root;
	}
	return s->user;
}
