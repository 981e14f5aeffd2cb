/* SPDX-License-Identifier: GPL-3.0-or-later
 * Page frames and page tables. */
#include "guests/demo64/kernel.h"

extern char kernel_end[];
volatile u64 test_pt[512] __attribute__((aligned(4096)));
volatile u64 test_pd[512] __attribute__((aligned(4096)));
volatile u64 test_pdpt[512] __attribute__((aligned(4096)));
static u64 next_frame;

void *phys(u64 pa)
{
	return (void *)(pa + PHYS_BASE);
}

u64 phys_of(const void *p)
{
	return (u64)p - KERNEL_BASE;
}

void paging_init(void)
{
	next_frame = (phys_of(kernel_end) + 0xfff) & ~0xffful;
	kernel_pml4[TEST_SLOT] = phys_of((void *)test_pdpt) | PTE_P | PTE_W;
	test_pdpt[0] = phys_of((void *)test_pd) | PTE_P | PTE_W;
	test_pd[0] = phys_of((void *)test_pt) | PTE_P | PTE_W;
	if (HAS_NX)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	kernel_pml4[0] = 0; /* the mapping that the boot code needed */
	write_cr3(read_cr3());
}

u64 frame_alloc(void)
{
	u64 pa = next_frame;

	if (pa >= mem_top) {
		print("out of memory\n");
		finish(0x3e);
	}
	next_frame += 4096;
	memset(phys(pa), 0, 4096);
	return pa;
}

/* The table that *ENTRY points to, made if there is none. */
static volatile u64 *table_of(volatile u64 *entry)
{
	if (!(*entry & PTE_P))
		*entry = frame_alloc() | PTE_P | PTE_W | PTE_U;
	return phys(*entry & PTE_ADDR);
}

void map(volatile u64 *pml4, u64 va, u64 pte)
{
	volatile u64 *t = pml4;

	for (unsigned shift = 39; shift > 12; shift -= 9)
		t = table_of(&t[va >> shift & 511]);
	t[va >> 12 & 511] = pte;
}

void test_map(unsigned page, u64 pte)
{
	test_pt[page] = pte;
	invlpg(test_va(page));
}
