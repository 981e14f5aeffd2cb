/* SPDX-License-Identifier: GPL-3.0-or-later
 * Page frames, address spaces, and pages mapped on first access. */
#include "guests/demo/kernel.h"

extern char kernel_end[];
volatile u32 test_table[1024] __attribute__((aligned(4096)));
volatile u32 demand_fills;
static u32 next_frame, frame_limit, free_frames, nfree;

void paging_init(u32 mem_top)
{
	next_frame = (phys_of(kernel_end) + 0xfff) & ~0xfffu;
	frame_limit = mem_top < 64u << 20 ? mem_top : 64u << 20;
	kernel_dir[TEST_BASE >> 22] = phys_of((void *)test_table) | PTE_P | PTE_W;
}

u32 frame_alloc(void)
{
	u32 pa = free_frames;

	if (pa) {
		free_frames = *(u32 *)phys(pa);
		nfree--;
	} else {
		if (next_frame >= frame_limit) {
			print("out of memory\n");
			finish(0x3e);
		}
		pa = next_frame;
		next_frame += 4096;
	}
	memset(phys(pa), 0, 4096);
	return pa;
}

void frame_free(u32 pa)
{
	*(u32 *)phys(pa) = free_frames;
	free_frames = pa;
	nfree++;
}

bool frames_free(u32 n)
{
	return nfree + (frame_limit - next_frame) / 4096 >= n;
}

u32 space_new(void)
{
	u32 dir = frame_alloc();

	memcpy((u32 *)phys(dir) + 768, (void *)(kernel_dir + 768), 1024);
	return dir;
}

void space_map(u32 dir, u32 va, u32 pa, u32 flags)
{
	u32 *pde = (u32 *)phys(dir) + (va >> 22);
	u32 *table;

	if (!(*pde & PTE_P))
		*pde = frame_alloc() | PTE_P | PTE_W | PTE_U;
	table = phys(*pde & ~0xfffu);
	table[va >> 12 & 1023] = pa | flags;
}

void test_map(unsigned page, u32 pte)
{
	test_table[page] = pte;
	invlpg(TEST_BASE + page * 4096);
}

static bool in(u32 a, u32 from, u32 to)
{
	return a >= from && a < to;
}

bool page_fault(const struct frame *f, u32 cr2)
{
	bool user = in(cr2, USER_HEAP, USER_HEAP_END) || in(cr2, USER_STACK_LOW, USER_STACK_TOP);

	if (f->err & PTE_P)
		return false;
	if (user && f->err & PTE_U)
		space_map(read_cr3(), cr2 & ~0xfffu, frame_alloc(), PTE_P | PTE_W | PTE_U);
	else if (in(cr2, TEST_DEMAND, TEST_DEMAND_END) && !(f->err & PTE_U))
		test_table[cr2 >> 12 & 1023] = frame_alloc() | PTE_P | PTE_W;
	else
		return false;
	demand_fills++;
	return true;
}
