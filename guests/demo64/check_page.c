/* SPDX-License-Identifier: GPL-3.0-or-later
 * Four-level paging: rights, accessed and dirty bits, stale translations, large pages, no-execute, global
 * pages, address spaces with and without PCID. */
#include "guests/demo64/kernel.h"

#define W (PTE_P | PTE_W)

static u64 frame_a, frame_b;

static u64 load(u64 va)
{
	return *(volatile u64 *)va;
}

static void store(u64 va, u64 v)
{
	*(volatile u64 *)va = v;
}

static void do_load(void *p)
{
	(void)*(volatile u64 *)p;
}

static void do_store(void *p)
{
	*(volatile u64 *)p = 1;
}

static void do_call(void *p)
{
	((void (*)(void))p)();
}

static bool faults(void (*fn)(void *), u64 va, u64 err)
{
	return catch_fault(fn, (void *)va) && caught_is(14, err) && caught_cr2 == va;
}

/* The frames of most checks; their first words differ. */
static void frames(void)
{
	if (!frame_a) {
		frame_a = frame_alloc();
		frame_b = frame_alloc();
	}
	*(u64 *)phys(frame_a) = 0xaaaa;
	*(u64 *)phys(frame_b) = 0xbbbb;
}

static const char *check_faults(void)
{
	frames();
	test_map(0, 0);
	if (!faults(do_load, test_va(0), 0) || !faults(do_store, test_va(0), 2) ||
	    !faults(do_load, test_va(0) + 4000, 0))
		return "not present";
	if (!faults(do_load, 0x123456789000, 0) || !faults(do_load, 0xffffd00000000000, 0))
		return "no table";
	test_map(0, frame_a | PTE_P);
	if (load(test_va(0)) != 0xaaaa || !faults(do_store, test_va(0), 3))
		return "write-protected";
	write_cr0(read_cr0() & ~(u64)CR0_WP);
	store(test_va(0), 0xaaab);
	write_cr0(read_cr0() | CR0_WP);
	if (load(test_va(0)) != 0xaaab || !faults(do_store, test_va(0), 3))
		return "CR0.WP cleared and set";
	test_map(0, frame_a | W);
	store(test_va(0), 0xaaac);
	return load(test_va(0)) == 0xaaac && *(u64 *)phys(frame_a) == 0xaaac ? NULL : "mapped";
}

static const char *check_invlpg(void)
{
	frames();
	for (unsigned i = 0; i < 10; i++) {
		test_map(1, frame_a | W);
		if (load(test_va(1)) != 0xaaaa)
			return "the first frame";
		test_map(1, frame_b | W);
		if (load(test_va(1)) != 0xbbbb)
			return "another frame";
		test_map(1, 0);
		if (!faults(do_load, test_va(1), 0))
			return "taken away";
	}
	/* Flushed by CR3, not by INVLPG. */
	test_pt[1] = frame_a | W;
	write_cr3(read_cr3());
	if (load(test_va(1)) != 0xaaaa)
		return "after CR3";
	test_pt[1] = frame_b | W;
	write_cr3(read_cr3());
	return load(test_va(1)) == 0xbbbb ? NULL : "after CR3, another frame";
}

static const char *check_accessed(void)
{
	frames();
	test_map(2, frame_a | W);
	test_pd[0] &= ~(u64)PTE_A;
	test_pdpt[0] &= ~(u64)PTE_A;
	kernel_pml4[TEST_SLOT] &= ~(u64)PTE_A;
	write_cr3(read_cr3());
	if (test_pt[2] & (PTE_A | PTE_D))
		return "set too early";
	load(test_va(2));
	if ((test_pt[2] & (PTE_A | PTE_D)) != PTE_A)
		return "a load";
	if (!(test_pd[0] & PTE_A) || !(test_pdpt[0] & PTE_A) || !(kernel_pml4[TEST_SLOT] & PTE_A))
		return "in the upper levels";
	store(test_va(2), 0xaaaa);
	if ((test_pt[2] & (PTE_A | PTE_D)) != (PTE_A | PTE_D))
		return "a store";
	test_map(2, frame_a | W);
	store(test_va(2), 0xaaaa);
	return (test_pt[2] & (PTE_A | PTE_D)) == (PTE_A | PTE_D) ? NULL : "a store first";
}

static const char *check_upper_levels(void)
{
	frames();
	test_map(3, frame_a | W);
	load(test_va(3));
	test_pd[0] &= ~(u64)PTE_W;
	invlpg(test_va(3));
	if (!faults(do_store, test_va(3), 3))
		return "write-protected by the directory";
	test_pd[0] = 0;
	invlpg(test_va(3));
	if (!faults(do_load, test_va(3), 0))
		return "directory entry taken away";
	test_pd[0] = phys_of((void *)test_pt) | W;
	test_pdpt[0] = 0;
	invlpg(test_va(3));
	if (!faults(do_load, test_va(3), 0))
		return "pointer taken away";
	test_pdpt[0] = phys_of((void *)test_pd) | W;
	if (load(test_va(3)) != 0xaaaa)
		return "restored";
	test_map(3, 0);
	return NULL;
}

static const char *check_large(void)
{
	u64 *there = phys(0x200000 + 0x3000), was = *there;
	const char *wrong = NULL;

	frames();
	*there = 0x1a46e;
	test_pd[1] = 0x200000 | W | PTE_PS;
	invlpg(TEST_LARGE);
	if (load(TEST_LARGE + 0x3000) != 0x1a46e)
		wrong = "load";
	store(TEST_LARGE + 0x3000, 0x1a46f);
	if (*there != 0x1a46f || (test_pd[1] & (PTE_A | PTE_D)) != (PTE_A | PTE_D))
		wrong = "store";
	test_pd[1] = 0x200000 | PTE_P | PTE_PS;
	invlpg(TEST_LARGE + 0x100000);
	if (!faults(do_store, TEST_LARGE + 0x3000, 3))
		wrong = "write-protected";
	test_pd[1] =
	    phys_of((void *)test_pt) | W; /* the table's own pages, through another directory entry */
	test_pt[3] = frame_b | W;
	write_cr3(read_cr3());
	if (load(TEST_LARGE + 0x3000) != 0xbbbb)
		wrong = "a table in its place";
	test_pd[1] = 0;
	*there = was;
	write_cr3(read_cr3());
	return wrong;
}

static const char *check_huge(void)
{
	u64 *there = phys(0x345678), was = *there;
	const char *wrong = NULL;

	if (!HAS_1G)
		return NULL;
	*there = 0x6162;
	test_pdpt[1] = W | PTE_PS;
	if (load(TEST_HUGE + 0x345678) != 0x6162)
		wrong = "load";
	test_pdpt[1] = 0;
	write_cr3(read_cr3());
	*there = was;
	return wrong ? wrong : faults(do_load, TEST_HUGE + 0x345678, 0) ? NULL : "taken away";
}

static const char *check_no_execute(void)
{
	if (!HAS_NX)
		return NULL;
	frames();
	*(u8 *)phys(frame_a) = 0xc3;
	test_map(4, frame_a | W);
	do_call((void *)test_va(4));
	test_map(4, frame_a | W | PTE_NX);
	if (!faults(do_call, test_va(4), 0x11))
		return "fetch";
	if ((u8)load(test_va(4)) != 0xc3)
		return "load";
	test_map(4, frame_a | W);
	test_pd[0] |= PTE_NX;
	invlpg(test_va(4));
	if (!faults(do_call, test_va(4), 0x11))
		return "by the directory";
	test_pd[0] &= ~PTE_NX;
	invlpg(test_va(4));
	do_call((void *)test_va(4));
	test_map(5, 0);
	return faults(do_call, test_va(5), 0x10) ? NULL : "fetch of an absent page";
}

static const char *check_across(void)
{
	frames();
	test_map(6, frame_a | W);
	test_map(7, frame_b | W);
	store(test_va(7) - 3, 0x1122334455667788);
	if (*(u32 *)phys(frame_b) != 0x22334455)
		return "bytes of the second";
	if (load(test_va(7) - 3) != 0x1122334455667788)
		return "both present";
	test_map(7, 0);
	if (!catch_fault(do_load, (void *)(test_va(7) - 3)) || !caught_is(14, 0) || caught_cr2 != test_va(7))
		return "the second absent";
	test_map(7, frame_b | PTE_P);
	*(u64 *)phys(frame_a + 4088) = 0x99;
	if (!catch_fault(do_store, (void *)(test_va(7) - 3)) || !caught_is(14, 3) || caught_cr2 != test_va(7))
		return "the second write-protected";
	return *(u64 *)phys(frame_a + 4088) == 0x99 ? NULL : "nothing is stored before the fault";
}

static const char *check_spaces(void)
{
	static u64 roots[2];
	const u64 va = 0x00001234567f8000;
	u64 was = read_cr3();
	const char *wrong = NULL;

	frames();
	for (unsigned i = 0; i < 2; i++) {
		roots[i] = roots[i] ? roots[i] : frame_alloc();
		memcpy(phys(roots[i]), (void *)kernel_pml4, 4096);
		map(phys(roots[i]), va, (i ? frame_b : frame_a) | W);
	}
	for (unsigned n = 0; n < 20 && !wrong; n++) {
		write_cr3(roots[n & 1]);
		if (load(va) != (n & 1 ? 0xbbbb : 0xaaaa))
			wrong = "the page of another space";
	}
	write_cr3(was);
	return wrong ? wrong : faults(do_load, va, 0) ? NULL : "the kernel's own space";
}

static const char *check_global(void)
{
	frames();
	write_cr4(read_cr4() | CR4_PGE);
	test_map(8, frame_a | W | PTE_G);
	load(test_va(8));
	write_cr3(read_cr3());
	test_map(8, frame_b | W | PTE_G); /* INVLPG flushes global entries too */
	if (load(test_va(8)) != 0xbbbb)
		return "INVLPG";
	test_pt[8] = frame_a | W | PTE_G;
	write_cr4(read_cr4() & ~(u64)CR4_PGE);
	return load(test_va(8)) == 0xaaaa ? NULL : "CR4.PGE";
}

static void invpcid(u64 type, u64 pcid, u64 va)
{
	u64 descriptor[2] = { pcid, va };

	asm volatile("invpcid %1, %0" : : "r"(type), "m"(descriptor) : "memory");
}

static const char *check_pcid(void)
{
	static u64 root;
	const u64 va = 0x00001234567f8000, keep = BIT(63);
	u64 was = read_cr3();
	const char *wrong = NULL;

	if (!HAS_PCID)
		return NULL;
	frames();
	root = root ? root : frame_alloc();
	memcpy(phys(root), (void *)kernel_pml4, 4096);
	map(phys(root), va, frame_a | W);
	write_cr4(read_cr4() | CR4_PCIDE);
	write_cr3(root | 5);
	if (read_cr3() != (root | 5) || load(va) != 0xaaaa)
		wrong = "PCID 5";
	write_cr3(was | 6);
	if (!faults(do_load, va, 0))
		wrong = "PCID 6";
	write_cr3(root | 5 | keep);
	if (read_cr3() != (root | 5) || load(va) != 0xaaaa)
		wrong = "back without a flush";
	map(phys(root), va, frame_b | W);
	write_cr3(root | 5);
	if (load(va) != 0xbbbb)
		wrong = "back with a flush";
	if (HAS_INVPCID) {
		map(phys(root), va, frame_a | W);
		invpcid(0, 5, va);
		if (load(va) != 0xaaaa)
			wrong = "INVPCID of an address";
		write_cr3(was | 6);
		map(phys(root), va, frame_b | W);
		invpcid(1, 5, 0);
		write_cr3(root | 5 | keep);
		if (load(va) != 0xbbbb)
			wrong = "INVPCID of another context";
	}
	write_cr3(was);
	write_cr4(read_cr4() & ~(u64)CR4_PCIDE);
	return wrong;
}

static const char *check_smep(void)
{
	const char *wrong = NULL;

	if (!HAS_SMEP)
		return NULL;
	frames();
	*(u8 *)phys(frame_a) = 0xc3;
	kernel_pml4[TEST_SLOT] |= PTE_U;
	test_pdpt[0] |= PTE_U;
	test_pd[0] |= PTE_U;
	test_map(9, frame_a | W | PTE_U);
	write_cr3(read_cr3());
	do_call((void *)test_va(9));
	write_cr4(read_cr4() | CR4_SMEP);
	if (!faults(do_call, test_va(9), 0x11))
		wrong = "a user page is executed";
	write_cr4(read_cr4() & ~(u64)CR4_SMEP);
	do_call((void *)test_va(9));
	return wrong;
}

static void do_load_ac(void *p)
{
	asm volatile("stac");
	(void)*(volatile u64 *)p;
	asm volatile("clac");
}

static const char *check_smap(void)
{
	const char *wrong = NULL;

	if (!HAS_SMAP)
		return NULL;
	frames();
	kernel_pml4[TEST_SLOT] |= PTE_U;
	test_pdpt[0] |= PTE_U;
	test_pd[0] |= PTE_U;
	test_map(9, frame_a | W | PTE_U);
	write_cr3(read_cr3());
	load(test_va(9));
	write_cr4(read_cr4() | CR4_SMAP);
	if (!faults(do_load, test_va(9), 1) || !faults(do_store, test_va(9), 3))
		wrong = "a user page is used";
	if (catch_fault(do_load_ac, (void *)test_va(9)))
		wrong = "STAC";
	if (!faults(do_load, test_va(9), 1))
		wrong = "CLAC";
	write_cr4(read_cr4() & ~(u64)CR4_SMAP);
	load(test_va(9));
	return wrong;
}

/* A device's memory: the identification of the local APIC, or of the HPET. */
static const char *check_device(void)
{
	u32 v;

	test_map(10, 0xfed00000 | W | 0x18);
	v = *(volatile u32 *)test_va(10);
	if (v >> 16 == 0xffff)
		return NULL; /* there is no HPET */
	asm volatile(
	    "movq %1, %%r9; movl (%%r9), %%r10d; movl 4(%%r9), %%r11d; cmpl %%r10d, (%%r9); movl $0, %0; setne %b0"
	    : "=&q"(v)
	    : "r"(test_va(10))
	    : "r9", "r10", "r11", "cc");
	return v ? "registers of the HPET" : NULL;
}

const struct check page_checks[] = {
	{ "page faults", check_faults },
	{ "INVLPG", check_invlpg },
	{ "accessed and dirty", check_accessed },
	{ "upper levels", check_upper_levels },
	{ "across two pages", check_across },
	{ "2 MiB page", check_large },
	{ "1 GiB page", check_huge },
	{ "no-execute", check_no_execute },
	{ "address spaces", check_spaces },
	{ "global pages", check_global },
	{ "PCID", check_pcid },
	{ "SMEP", check_smep },
	{ "SMAP", check_smap },
	{ "device memory", check_device },
};
const unsigned page_check_count = LEN(page_checks);
