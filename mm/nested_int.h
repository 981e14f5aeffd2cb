/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: the second dimension (mm/nested.h), as walks, fills and comparisons use it. */
#ifndef MM_NESTED_INT_H
#define MM_NESTED_INT_H
#include "mm/mm_int.h"

static inline bool nested_on(const struct mmu *m)
{
	return __builtin_expect(m->nested, 0);
}

/* mmu_walk(), mmu_walk_directory(), mmu_walk_upper() and mmu_load_pdptrs() where nested_on(). */
void nested_walk(struct mmu *m, const struct paging *pg, gva lin, unsigned how, struct walk *w);
bool nested_directory(struct mmu *m, const struct paging *pg, gva lin, uint64_t *pde, gpa *at);
bool nested_upper(struct mmu *m, const struct paging *pg, gva lin, bool blind, uint64_t *pdpte);
int nested_load_pdptrs(struct mmu *m, const struct paging *pg, uint32_t cr3);

/* The second dimension says something else of the page at A: what walks keep of it. */
void nested_forget_table(struct mmu *m, gpa a);
static inline void nested_forget_tables(struct mmu *m)
{
	m->kept_by = 0;
}

/* ---- what windows were filled from ---- */

/* Forget answers that are kept from one page for the next, and allow ASKS calls of translate(). */
void nested_begin(struct mmu *m, unsigned asks);
enum { NESTED_FILL_ASKS = 32, NESTED_ALL_ASKS = 1 << 30 };
/* Where the table at guest-physical A is, by a probe. UINT64_MAX: nowhere in RAM. */
#define NO_TABLE UINT64_MAX
gpa nested_table(struct mmu *m, gpa a);
/* The same by what walks keep, or a probe, whatever else is going on. */
gpa nested_place(struct mmu *m, gpa a);
/* Set the accessed bit of the entry at guest-physical A, if the second dimension lets it be written as it is.
 */
bool nested_set_accessed(struct mmu *m, gpa a);
/* Shadow entry S (without PPN) for guest-physical A, as far as the second dimension allows: with PPN, and
 * without rights that A lacks. 0: it may not be entered before it is accessed. */
uint64_t nested_bits(struct mmu *m, gpa a, uint64_t s);
/* Does shadow entry S, of guest-physical A, still hold? NESTED_NARROW: but for the right to write. */
enum nested_fate { NESTED_KEEP, NESTED_NARROW, NESTED_DROP };
enum nested_fate nested_fate(struct mmu *m, gpa a, uint64_t s);

/* ---- mm/window/space.c ---- */

/* The access to LIN in the present windows was refused, as W says: what it was about is to be compared. */
void space_refused(struct mmu *m, gva lin, const struct walk *w);
/* A is the guest-physical address of a table that a region of a window is filled from. */
void space_note_table(struct mmu *m, gpa a);
/* Window W has another owner now: no space may select it. */
void space_forget(struct mmu *m, const struct window *w);
/* The same of the number of a space of 64-bit code. */
void space_forget_long(struct mmu *m, const struct window *n);
/* INVLPG: windows of the present ASID under other tags. */
void space_invlpg(struct mmu *m, vpn32 vpn);
/* ---- mm/window/long_sync.c ---- */

/* The present space (mm/nested.h) is left; another one is entered, whose CR0, CR4 or EFER, or root, changed
 * while it was not present; what mmu_nested_invalidate() invalidates of the space whose number is N; LIN was
 * refused. */
void long_leave(struct mmu *m);
void long_enter(struct mmu *m, struct space *s, bool changed, bool other_root);
void long_invalidate(struct mmu *m, struct window *n, unsigned what, gva lin);
void long_refused(struct mmu *m, gva lin);

/* Control bits that change what a page-table entry means, except CR4.PGE and CR0.WP. */
static inline uint64_t space_meaning(const struct cpu *c)
{
	return (c->cr0 & CR0_PG) | (uint64_t)(c->cr4 & (CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP)) << 32 |
	       (c->efer & (EFER_NXE | EFER_LMA)) | !(c->a20_mask & 0x100000);
}
/* Is there another space than the hypervisor's? */
static inline bool space_others(const struct mmu *m)
{
	return __builtin_expect(m->space[1].used, 0);
}
static inline bool same_asid(const struct mmu *m, const struct window *w)
{
	return !space_others(m) || m->space[w->space].n.asid == m->sp->n.asid;
}
#endif
