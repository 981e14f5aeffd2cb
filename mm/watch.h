/* SPDX-License-Identifier: GPL-3.0-or-later
 * Watchpoints, for an engine. A watched page is not mapped (for writes: mapped read-only), so an
 * access to it misses, and mmu_fill() reports device memory. The engine then makes the access
 * through mmu_read() and mmu_write(), which compare addresses and note hits. A linear address is
 * watched whatever it maps to; a physical one, of memory or of a device, at every linear address
 * that maps to it. */
#ifndef MM_WATCH_H
#define MM_WATCH_H
#include "x86/engine.h"

struct mmu;

enum {
	WATCH_WRITE = ENGINE_WATCH_WRITE,
	WATCH_READ = ENGINE_WATCH_READ,
	WATCH_PHYSICAL = ENGINE_WATCH_PHYSICAL,
};
/* The guest's own breakpoint N, for mmu_watch_guest_take(); linear. Each has a slot of its own. */
#define WATCH_GUEST(n) (16u << (n))
int mmu_watch_insert(struct mmu *m, uint64_t at, uint64_t len, unsigned type); /* -1: no room */
void mmu_watch_remove(struct mmu *m, uint64_t at, uint64_t len, unsigned type);
/* Is a byte of [LIN, LIN+N) watched, for any kind of access? N is at most a page. */
bool mmu_watched(struct mmu *m, gva lin, unsigned n);
/* Switch all watchpoints off, for one instruction, and on again. */
void mmu_watch_suspend(struct mmu *m, bool on);
/* Take the notes of hits, at most MAX_TOUCHES. Returns their number. */
unsigned mmu_watch_take(struct mmu *m, struct engine_touch *touch);
/* Take the guest's own breakpoints that were hit since the last call (bit N: N). */
unsigned mmu_watch_guest_take(struct mmu *m);
/* Is there such a hit that was not taken? */
bool mmu_watch_guest_pending(const struct mmu *m);
#endif
