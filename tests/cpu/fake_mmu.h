/* SPDX-License-Identifier: GPL-3.0-or-later
 * An mmu for tests of the system instructions: linear = physical, 16 MiB of RAM, an optional hole, and
 * counters of requests. */
#ifndef TESTS_BT_FAKE_MMU_H
#define TESTS_BT_FAKE_MMU_H
#include "x86/engine.h"

#define FAKE_RAM (16u << 20)

struct mmu {
	struct cpu *cpu;
	uint8_t *ram;
	uint32_t absent_from; /* #PF at and above this address; FAKE_RAM: none */
	uint32_t user_from;   /* MM_USER accesses below this are #PF; 0: all memory is user memory */
	unsigned reads, writes, flushes, global_flushes, wp_changes, pdptr_loads, invlpgs;
	unsigned switches, kept; /* loads of CR3 with PCIDs; those that keep the TLB */
	unsigned invpcids[4];	 /* by type */
	uint32_t pdptr_cr3;
	bool pdptr_bad; /* mmu_load_pdptrs raises #GP(0) */
};

struct mmu *fake_mmu_new(struct cpu *cpu);
void fake_mmu_free(struct mmu *m);
#endif
