/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm/window: regions, and the functions that its files share. A region is the range of
 * one page-directory entry; it keeps the entry and a copy of the page table that its mappings were
 * filled from. */
#ifndef MM_REGION_H
#define MM_REGION_H
#include "mm/nested_int.h"
#include "x86/paging.h"

#include <string.h>

/* Shadow entries with all of their PPN, from bit 12 on. */
static inline uint64_t sh_get(const struct window *w, vpn32 vpn)
{
	return w->shadow[vpn] | (__builtin_expect(w->high != NULL, 0) ? (uint64_t)w->high[vpn] << 32 : 0);
}

static inline void sh_put(struct window *w, vpn32 vpn, uint64_t s)
{
	w->shadow[vpn] = (uint32_t)s;
	if (__builtin_expect(w->high != NULL, 0))
		w->high[vpn] = (uint8_t)(s >> 32);
}

static inline uint64_t sh_of(ppn p)
{
	return (uint64_t)p << 12;
}

static inline unsigned region_shift(const struct window *w)
{
	return w->pae ? 21 : 22;
}

static inline unsigned region_pages(const struct window *w)
{
	return w->pae ? 512 : 1024;
}

/* Entry I of a page table (or of a copy of one) in W's format. */
static inline uint64_t table_entry(const struct window *w, const uint8_t *table, unsigned i)
{
	uint64_t e64;
	uint32_t e32;

	if (w->pae) {
		memcpy(&e64, table + i * 8, 8);
		return e64;
	}
	memcpy(&e32, table + i * 4, 4);
	return e32;
}

static inline void put_entry(const struct window *w, struct region *r, unsigned i, uint64_t e)
{
	if (w->pae)
		memcpy(r->snap + i * 8, &e, 8);
	else
		memcpy(r->snap + i * 4, &e, 4);
}

#define LINE_BYTES 64

/* Entries in a line. */
static inline unsigned line_entries(const struct window *w)
{
	return w->pae ? LINE_BYTES / 8 : LINE_BYTES / 4;
}

static inline void copy_line(struct region *r, const uint8_t *table, unsigned line)
{
	for (unsigned at = line * LINE_BYTES; at < (line + 1) * LINE_BYTES; at += 8)
		memcpy(r->snap + at, table + at, 8);
}

/* Entry I of TABLE is about to be used: copy it. */
static inline void take_entry(const struct window *w, struct region *r, unsigned i, const uint8_t *table)
{
	unsigned line = i / line_entries(w);

	if (r->lines >> line & 1)
		put_entry(w, r, i, table_entry(w, table, i));
	else
		copy_line(r, table, line);
	r->lines |= 1ull << line;
}

/* Is a host mapping made for entry OLD still valid for NOW? A cleared A or D bit invalidates it: the
 * next access must set the bit again. */
static inline bool entry_keeps(uint64_t old, uint64_t now)
{
	if ((old ^ now) & ~(uint64_t)(PTE_A | PTE_D | PTE_AVAIL))
		return false;
	return (now & PTE_A) && (!(old & PTE_D) || (now & PTE_D));
}

/* window/region.c */
bool win_reserve(struct mmu *m, struct window *w);	 /* false, and nothing kept: no address space */
bool win_reserve_books(struct mmu *m, struct window *w); /* the same without BASE, of a region's */
bool win_reserve_high(struct window *w);		 /* the VM has got pages beyond 4 GiB */
void win_release(struct mmu *m, struct window *w);
struct region *region_get(struct window *w, unsigned idx); /* async-signal-safe */
/* Active region number I of W has no pages: it is compared no more until it gets some. */
void region_idle(struct mmu *m, struct window *w, unsigned i);
void copy_page(void *d, const void *s);
bool same_page(const void *a, const void *b);
/* Remove VPN from the books; the caller unmaps it. */
void page_forget(struct mmu *m, struct window *w, vpn32 vpn);
/* Unmap, or map read-only, what is no longer (fully) in the books. When the host refuses, which
 * it may at its limit of mappings, the whole window is emptied: what has lost its right to be
 * there is never left. Protecting: false then. */
void host_unmap(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n);
bool host_protect(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n);
void drop_range(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n);
/* Drop one page for a reason of ours: it does not count as churn (window/bypass.c). */
void page_unmap(struct mmu *m, struct window *w, vpn32 vpn);
/* Likewise VPN and those of the N pages from it on that map the PPNs that follow its own, in one host call.
 */
void pages_unmap(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n);
/* Map VPN, if it is mapped, to its PPN's present machine page. False: the host refused. */
bool win_remap(struct mmu *m, struct window *w, vpn32 vpn);
/* SH_W when the page of shadow entry S may be mapped writable: the guest allows it, and we do. */
uint64_t write_bit(const struct mmu *m, uint64_t s);
/* Count N more host mappings of W, or fewer. */
void maps_add(struct mmu *m, struct window *w, int64_t n);

/* VPN, in region R, has become writable for kernel code: note it if only because CR0.WP is clear. */
static inline void wp_note(struct mmu *m, struct window *w, const struct region *r, vpn32 vpn)
{
	if ((m->cpu->cr0 & CR0_WP) || w->view != WIN_KERNEL || !(w->shadow[vpn] & SH_WOK))
		return;
	if (r->pde & (r->large ? PTE_W : table_entry(w, r->snap, vpn & (region_pages(w) - 1))) & PTE_W)
		return;
	if (w->nwp_clear < WP_MAX)
		w->wp_clear[w->nwp_clear] = vpn;
	w->nwp_clear += w->nwp_clear <= WP_MAX;
	m->space[w->space].wp_clear = true;
}

/* Linear page VPN of W. */
static inline uint64_t page_of(const struct window *w, vpn32 vpn)
{
	return (w->lin >> PAGE_SHIFT) + vpn;
}

/* window/window.c */
/* Empty W, which another root is to have. */
void win_take_over(struct mmu *m, struct window *w);
/* The window of ROOT in the present space that exists, or NULL; a new one. */
struct window *win_existing(struct mmu *m, enum win_view view, uint32_t root, bool pae);
struct window *win_make(struct mmu *m, enum win_view view, uint32_t root, bool pae);
/* ---- window/long.c: regions of spaces, which are windows with an OF ---- */
struct window *long_region(struct mmu *m, unsigned id);
unsigned long_ids(const struct mmu *m);
/* The number that the engine knows W by. */
unsigned win_number(const struct window *w);
/* The window with ID in the reverse map. */
static inline struct window *win_at(struct mmu *m, unsigned id)
{
	return __builtin_expect(id < MAX_WINDOWS, 1) ? &m->win[id] : long_region(m, id);
}
/* All windows, regions of spaces included: those below win_ids() that are used. */
static inline unsigned win_ids(const struct mmu *m)
{
	return __builtin_expect(!m->lng, 1) ? MAX_WINDOWS : long_ids(m);
}
/* Is W of a kind on which links between pages rest? */
static inline bool win_links(const struct window *w)
{
	return w->view != WIN_USER && !w->apart;
}
/* Is W to be synchronized before it is used? */
static inline bool win_behind(const struct window *w)
{
	return w->need_sync || w->need_local || w->npend;
}
/* What the root of C's tables is called in struct window. */
static inline uint32_t root_of(const struct cpu *c)
{
	if (__builtin_expect(cpu_long(c), 0))
		return (uint32_t)(c->cr3 >> PAGE_SHIFT) & ((1u << (MAXPHYADDR - PAGE_SHIFT)) - 1);
	return c->cr4 & CR4_PAE ? c->cr3 & ~0x1fu : c->cr3 & ~PAGE_MASK;
}

#define ROOT_FLAT 0xffffffffu
#define ROOT_SHARED 0xfffffffeu

/* View and root of the window in which C's kernel code runs. */
static inline enum win_view kernel_view(const struct cpu *c)
{
	return c->cr0 & CR0_PG ? WIN_KERNEL : WIN_FLAT;
}

static inline uint32_t kernel_root(const struct cpu *c)
{
	return !(c->cr0 & CR0_PG) ? ROOT_FLAT : c->cr4 & CR4_PGE ? ROOT_SHARED : root_of(c);
}

/* window/sync.c */
/* VPN is to be synchronized before W is used again. */
void win_pend(struct window *w, vpn32 vpn);
void narrow_page(struct mmu *m, struct window *w, vpn32 vpn); /* no longer writable, if it is mapped */
void win_sync(struct mmu *m, struct window *w);
void sync_page(struct mmu *m, struct window *w, vpn32 vpn);
/* What need_local and the list of pending pages ask for. */
void sync_some(struct mmu *m, struct window *w);

/* window/root.c */
/* The windows of the present root in the present space, made if there are none. */
struct window *root_kernel(struct mmu *m);
struct window *root_user(struct mmu *m);
struct window *root_user_existing(struct mmu *m); /* or NULL */
/* Is it known to use a shared window that is apart: code there is about to leave for user code, or has just
 * come from there? */
bool root_is_apart(struct mmu *m);
/* User window W is compared with the present root's tables. */
static inline void root_synced(const struct mmu *m, struct window *w)
{
	for (unsigned i = 0; i < 4; i++)
		w->top[i] = m->pdptr[i];
}
/* Window W has another owner now. */
void root_forget(struct mmu *m, struct window *w);
/* Shadow entry S of W's region IDX is added to the books (N: 1) or taken out of them (-1). */
static inline void count_local(struct window *w, struct region *r, unsigned idx, uint64_t s, uint32_t n)
{
	if (!w->shared || (s & SH_G))
		return;
	r->local += n;
	r->local_super += s & SH_U ? 0 : n;
	w->local[idx / 64] |= 1ull << idx % 64;
	w->local_words |= 1u << idx / 64;
}
#endif
