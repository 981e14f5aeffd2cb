/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm/window: how pages get into windows, and what limits them. */
#ifndef MM_FILL_H
#define MM_FILL_H
#include "mm/window/region.h"

/* window/bypass.c */
void churn_note(struct mmu *m, const struct window *w, vpn32 vpn);
/* The entry is not present now, so a mapping would have been dropped: restart its count. */
void churn_absent(struct mmu *m, const struct window *w, vpn32 vpn);
bool churns(struct mmu *m, const struct window *w, vpn32 vpn);

/* window/budget.c */
/* Empty windows while the process is over its limit of host mappings, KEEP last. */
void evict_for_limit(struct mmu *m, struct window *keep);

/* window/line.c */
int line_init(void); /* the userfaultfd; negative: no lines */
/* Begin a line at VPN, which is to map N pages from PPN P, when the page before makes it likely. */
void line_begin(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint32_t n, ppn p);
/* Does a line have N pages from P at VPN? */
bool line_serves(const struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, ppn p);
/* Open them. False: they are closed; the host refused. */
bool line_open(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n, ppn p, bool writable);
/* Close N pages, write-protect them or lift that. All are of lines. False: the host refused. */
bool line_close(const struct window *w, vpn32 vpn, uint32_t n);
bool line_protect(const struct mmu *m, const struct window *w, vpn32 vpn, uint32_t n, bool on);
/* Take the page out of its line: an entry for another PPN is to be kept there. */
void line_cut(struct mmu *m, struct window *w, vpn32 vpn);
/* Another mapping was made over N pages. */
void line_forget(struct window *w, vpn32 vpn, uint32_t n);

/* window/soft.c */
/* Enter VPN, which may be accessed as S says (SH_P and the rights it would be mapped with), as a soft page.
 * False: it must be mapped. */
bool soft_enter(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t s);
/* The same as its table entry E allows. */
bool soft_entry(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t e);

/* window/fill.c */
/* Around what resolves an access to LIN for F->pc: nothing waits for I/O. */
void fill_begin(struct mmu *m, gva lin, const struct mmu_fault *f);
static inline void fill_end(struct mmu *m)
{
	m->vm->swap.no_wait = false;
}
/* mmu_fill() in W; mmu_fill_user() in W, a window of user code. */
enum mmu_fill fill_page(struct mmu *m, struct window *w, gva lin, unsigned how, struct mmu_fault *f);
enum mmu_fill fill_user(struct mmu *m, struct window *w, gva lin, unsigned how, struct mmu_fault *f);
/* The shadow entry for VPN as its table entry E allows. 0: it may not be entered before it is accessed. */
uint64_t fill_bits(struct mmu *m, const struct window *w, const struct region *r, vpn32 vpn, uint64_t e);
/* Enter VPN with shadow entry S. Its host mapping, if S has SH_P, has just been made. TABLE: the region's, if
 * it is not one large page. */
void fill_book(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t s,
	       const uint8_t *table);
/* Map VPN as its table entry E allows. False: nothing was mapped. */
bool fill_entry(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t e);

/* ---- window/long.c, long_sync.c: spaces, as windows' code meets them ---- */
/* The region of LIN, canonical, in SP. NULL: SP has none; no room for another. */
struct window *space_find(const struct long_space *sp, gva lin);
struct window *space_get(struct mmu *m, struct long_space *sp, gva lin);
/* The window through which LIN is accessed as HOW says, in IA-32e mode. NULL: none. */
struct window *long_window_for(const struct mmu *m, gva lin, unsigned how);
static inline struct window *window_for(const struct mmu *m, gva lin, unsigned how)
{
	if (__builtin_expect(cpu_long(m->cpu), 0))
		return long_window_for(m, lin, how);
	return how & MM_USER ? m->uwin : m->kwin;
}
/* The figures of W, or of all regions of the space that it numbers. */
struct window_sums {
	uint64_t base, mapped, fills, syncs, drops, maps;
	unsigned regions, active;
};
void window_sums(const struct window *w, struct window_sums *s);
/* May user pages be in W, a region of a kernel space? */
bool long_takes_user(const struct mmu *m, const struct window *w);
struct window *long_prefill_window(struct mmu *m, gva lin);
uint32_t long_shadow_at(const struct mmu *m, uint64_t hva);
/* PAGE has become a soft one: count its accesses. */
void long_use_begin(struct mmu *m, uint64_t page);
bool long_stale(const struct mmu *m);
/* The number W of a space is to be another's. */
void long_forget(struct mmu *m, struct window *w);
void long_free(struct mmu *m);
/* Of all spaces of the present address space: as mmu_flush(); CHANGED: entries mean something else now. */
void long_flush(struct mmu *m, bool global, bool changed);
void long_invlpg(struct mmu *m, gva lin);
/* Is W a user region that is filled or compared for kernel code? NX of its PML4 entry is not looked at then:
 * it may differ between the two roots of a process. */
static inline bool win_blind(const struct mmu *m, const struct window *w)
{
	return __builtin_expect(w->of != NULL, 0) && w->view == WIN_USER && m->cpu->cpl != 3;
}
#endif
