/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest memory. Three objects:
 *   mm_pool  machine memory: how many pages there are, frames that VMs share
 *   mm_vm    one guest's physical memory: pmap PPN -> MPN and state
 *   mmu      one vCPU's view: paging modes, page walk, shadow windows
 * Everything that writes guest memory (devices, debugger, semantic helpers)
 * goes through the functions here, which honour traces. Names after
 * Waldspurger, OSDI 2002; paging after SDM vol. 3A ch. 4. */
#ifndef MM_MM_H
#define MM_MM_H
#include "mm/walk.h"
#include "x86/cpu.h"

struct mm_pool;
struct mm_vm;
struct mmu;
struct platform;
struct view;

/* ---- pool and VM ---- */

/* Create a pool of BYTES (rounded up to 4 KiB) of machine memory. NULL with errno set on failure.
 * Several VMs of a process may share one, each on its own thread. */
struct mm_pool *mm_pool_new(uint64_t bytes);
/* The VMs of P must be gone. */
void mm_pool_free(struct mm_pool *p);
struct mm_usage {
	uint64_t pages, charged;   /* machine pages there are; of these, promised to VMs or in use */
	uint64_t maps, maps_limit; /* host mappings of all windows, estimated; where eviction starts */
};
void mm_pool_usage(const struct mm_pool *p, struct mm_usage *u);

/* NULL when the host has no memory or address space for it. P is borrowed. */
struct mm_vm *mm_vm_new(struct mm_pool *p);
void mm_vm_free(struct mm_vm *vm);
/* Back [A, A+BYTES) (page-aligned, below 64 GiB) with zeroed machine pages, charged now and populated
 * when first touched. ROM: guest writes are ignored. Returns 0, or -1 when the pool is exhausted. */
int mm_vm_add_ram(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom);
/* Make the memory of [A, A+BYTES) (page-aligned) ROM, or RAM again; its content stays. Pages that are not
 * memory stay none. */
void mm_vm_set_rom(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom);
/* Hide the RAM of [A, A+BYTES) (page-aligned): the guest finds no memory there, devices answer. Or show it
 * again. Its content stays, and its pages stay in the books. ROM stays as it is. */
void mm_vm_hide(struct mm_vm *vm, gpa a, uint64_t bytes, bool hide);
/* Changes when memory is added, hidden or shown. */
uint32_t mm_vm_layouts(const struct mm_vm *vm);
bool mm_is_rom(const struct mm_vm *vm, gpa a);
/* Writes by the guest to ROM so far, all of them dropped; the address of the last in *RECENT. */
uint64_t mm_rom_writes(const struct mm_vm *vm, gpa *recent);
/* Pages of VM that the host has populated (not those on shared frames). */
uint64_t mm_vm_populated(const struct mm_vm *vm);
/* The first page at or after A (page-aligned) that may hold anything but zeros: populated, or on a shared
 * frame. UINT64_MAX: none. Reading any other page would populate it. */
gpa mm_next_populated(const struct mm_vm *vm, gpa a);
/* Is every byte of [A, A+N) RAM or ROM? */
bool mm_is_ram(const struct mm_vm *vm, gpa a, uint64_t n);
/* Copy from/to guest-physical memory (RAM and ROM only: the debugger and loaders
 * may write ROM). False, and nothing written, when a byte of the range is neither; a write
 * may also end early, with false, when machine memory is exhausted. Writes honour code traces. */
bool mm_phys_read(struct mm_vm *vm, gpa a, void *buf, uint64_t n);
bool mm_phys_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n);
/* The same by a device. */
bool mm_dma_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n);

/* ---- translation ---- */

/* Walk the guest's tables for LIN; how = MM_* bits. Sets accessed and dirty bits
 * as the processor would, unless MM_PROBE. */
void mmu_walk(struct mmu *m, gva lin, unsigned how, struct walk *out);
/* Copy between guest-linear memory and BUF with the checks of HOW. All or nothing:
 * both pages of a straddling access are checked first. Returns 0, or -1 with #PF in
 * cpu->exc. MMIO is routed to the platform. Under MM_PROBE: -1 when unmapped or not RAM. */
int mmu_read(struct mmu *m, gva lin, void *buf, unsigned n, unsigned how);
int mmu_write(struct mmu *m, gva lin, const void *buf, unsigned n, unsigned how);

/* ---- what the guest's system instructions call ---- */
void mmu_invlpg(struct mmu *m, gva lin);
/* TLB flush as by MOV CR3 (global pages survive) or with GLOBAL as by toggling
 * CR4.PGE, CR0.PG, CR4.PAE... */
void mmu_flush(struct mmu *m, bool global);
void mmu_wp_changed(struct mmu *m); /* CR0.WP was changed, which is no flush */
/* PAE: load the four PDPTEs (MOV CR3 and mode changes do). 0, or -1 (#GP(0) raised). */
int mmu_load_pdptrs(struct mmu *m, uint32_t cr3);

/* Why each page takes an mmap, static; NULL: userfaultfd opens pages. */
const char *mmu_pages_slow(const struct mmu *m);
extern const struct view *const mm_views[];    /* owner: struct mmu */
extern const struct view *const mm_vm_views[]; /* owner: struct mm_vm; no engine is needed for them */
#endif
