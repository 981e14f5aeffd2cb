/* SPDX-License-Identifier: GPL-3.0-or-later
 * A random VMCB. Intercepts at random, but for those without which the guest would reach the host: VMLOAD and
 * its like take machine addresses, and CLGI would keep interrupts out for ever. */
#include "guests/hyper/fuzz.h"
#include "guests/hyper/svm.h"

enum { CLEAN_INTERCEPTS = 1 << 0, CLEAN_NESTED = 1 << 4, CLEAN_CRS = 1 << 5 };

static void intercepts(enum mode m)
{
	static const u8 needed[] = { 0x60, 0x61, 0x63, 0x7a, 0x7b, 0x7c, 0x7f,
				     0x82, 0x83, 0x84, 0x85, 0x86, 0x8d };
	u32 *words = vmcb32(VMCB_INTERCEPTS);

	for (u32 i = 0; i < 6; i++)
		words[i] = one_in(3) ? 0 : random32() & random32();
	for (u32 i = 0; i < LEN(needed); i++)
		svm_intercept(needed[i]);
	if (!one_in(32))
		svm_intercept(0x80);
	if (m == SHADOW) { /* paging stays what keeps the guest in its memory */
		svm_intercept(0x10);
		svm_intercept(0x13);
		svm_intercept(0x14);
	}
}

static void control_area(void)
{
	*vmcb32(VMCB_ASID) = one_in(32) ? 0 : 1 + below(8);
	vmcb[VMCB_TLB] = (u8)(one_in(16) ? random32() : below(8));
	*vmcb32(VMCB_VINTR) =
	    (1u << 24) | (one_in(2) ? random32() & 0x011f01ff : 0) | (one_in(4) ? 3u << 25 : 0) | 1 << 9;
	*vmcb32(VMCB_VINTR + 4) = below(256);
	*vmcb32(VMCB_SHADOW) = below(4);
	/* What keeps the guest in its memory is never clean: the processor has kept it of another round, with
	 * nested paging off where this one has it on. */
	*vmcb32(VMCB_CLEAN) = one_in(4) ? random32() & ~(CLEAN_INTERCEPTS | CLEAN_NESTED | CLEAN_CRS) : 0;
	*(u64 *)(vmcb + VMCB_TSC_OFFSET) = (u64)random32() << 32 | random32();
	*vmcb32(0x0b8) = below(2);
	if (one_in(32))
		*vmcb32(VMCB_IOPM + 4) = random32();
	if (one_in(32))
		*vmcb32(VMCB_MSRPM + 4) = random32();
	if (one_in(32))
		*vmcb32(VMCB_NCR3) ^= 1u << below(12);
	*vmcb32(VMCB_NRIP) = odd_value();
}

/* EFER, upper halves, debug registers, the attributes of any segment. */
static void save_area(enum mode m)
{
	static const u16 words[] = { VMCB_CR0 + 4, VMCB_CR4 + 4, VMCB_EFER + 4, VMCB_DR6,     VMCB_DR6 + 4,
				     VMCB_DR7,	   VMCB_DR7 + 4, VMCB_CR2,	VMCB_CR2 + 4, VMCB_PAT,
				     VMCB_STAR,	   0x608,	 0x620,		0x628,	      0x57c };

	for (u32 n = below(3); n; n--)
		*vmcb32(words[below(LEN(words))]) = odd_value();
	if (one_in(8) && m != SHADOW)
		*vmcb32(VMCB_EFER) ^= 1u << below(16);
	if (one_in(4))
		*(u16 *)(vmcb + VMCB_SEGMENTS + 16 * below(10) + 2) = (u16)random32();
	vmcb[VMCB_CPL] = (u8)(one_in(4) ? random32() : 0);
}

void fuzz_svm(enum mode m)
{
	intercepts(m);
	control_area();
	save_area(m);
	protect_ports(iopm);
	memset(msrpm, 0xff, sizeof(msrpm)); /* the guest changes no MSR */
	for (u32 i = 0; i < 0x1800; i++)
		if (one_in(2))
			msrpm[i] = (u8)(0xaa | random32());
}

void fuzz_svm_entry(u32 page, enum mode m)
{
	u32 pa = (u32)some_page(), bits = random32() & 0x7f;

	if (m == SHADOW)
		shadow_table[page] = (phys_of(ram) + below(G_BYTES / 4096) * 4096) | bits;
	else
		svm_entry(page, pa | (one_in(2) ? bits : 7));
}

void fuzz_svm_show(void)
{
	for (u32 at = 0; at < 0x680; at += 4)
		if (*vmcb32(at))
			print(" %x=%x", at, *vmcb32(at));
	print("\n");
}
