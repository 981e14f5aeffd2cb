/* SPDX-License-Identifier: GPL-3.0-or-later
 * A random VMCS. Controls are set at random among those that the processor offers; what must not be left to
 * chance is put back at the end. */
#include "guests/hyper/fuzz.h"
#include "guests/hyper/vmx.h"

/* Exit controls that change the host from fields which are random: none, with the fields at what the host
 * has. */
#define EXITS_NEVER (1u << 12 | 1u << 28 | 1u << 29)

static u32 some_bits(u64 cap)
{
	u32 may = (u32)(cap >> 32), set = 0;

	for (u32 n = below(6); n; n--)
		set |= 1u << below(32);
	return one_in(32) ? set : set & may & ~(u32)cap;
}

static void controls(enum mode m)
{
	u32 proc2 = vmread(VM_PROC2);

	vmwrite(VM_PIN, vmread(VM_PIN) ^ some_bits(vmx_caps.pin));
	vmwrite(VM_PROC, vmread(VM_PROC) ^ some_bits(vmx_caps.proc));
	vmwrite(VM_PROC2, proc2 ^ some_bits(vmx_caps.proc2));
	vmwrite(VM_EXITS, (vmread(VM_EXITS) ^ some_bits(vmx_caps.exits)) & ~EXITS_NEVER);
	vmwrite(VM_ENTRIES, vmread(VM_ENTRIES) ^ some_bits(vmx_caps.entries));
	/* Each guest ends by an interrupt; NMIs are nobody's; paging stays what keeps it in its memory. */
	vm_or(VM_PIN, PIN_INTR);
	vm_or(VM_PROC, PROC_MSR_BITMAPS);
	if (m == SHADOW) {
		vm_or(VM_PROC, PROC_CR3_LOAD);
		vmwrite(VM_CR0_MASK, ~0u);
		vmwrite(VM_CR4_MASK, ~0u);
		vmwrite(VM_PROC2, vmread(VM_PROC2) & ~(PROC2_EPT | PROC2_UNRESTRICTED));
	} else {
		vm_or(VM_PROC, PROC_SECONDARY);
		vm_or(VM_PROC2, PROC2_EPT | (proc2 & PROC2_UNRESTRICTED));
		vmwrite(VM_CR0_MASK, odd_value());
		vmwrite(VM_CR4_MASK, odd_value());
	}
	vmwrite(VM_CR0_SHADOW, odd_value());
	vmwrite(VM_CR4_SHADOW, odd_value());
	if (!(vmread(VM_PROC) & PROC_IO_BITMAPS))
		vm_or(VM_PROC, PROC_IO);
}

/* A page that the processor may write, sometimes with what makes it a wrong one. */
static u64 address(void)
{
	u64 a = scratch_page();

	if (one_in(32))
		a |= below(0x1000);
	if (one_in(32))
		a |= 1ull << (40 + below(24));
	return a;
}

static void addresses(void)
{
	static const u16 fields[] = { VM_PML,
				      VM_VIRTUAL_APIC,
				      VM_APIC_ACCESS,
				      VM_EPTP_LIST,
				      VM_VMREAD_BITMAP,
				      VM_VMWRITE_BITMAP,
				      0x2016 /* PI descriptor */,
				      0x202a /* #VE */ };

	for (u32 i = 0; i < LEN(fields); i++)
		vmwrite64(fields[i], address());
	memset(scratch, 0, sizeof(scratch)); /* an EPTP list of invalid pointers */
	vmwrite64(VM_FUNCTIONS, below(2));
	vmwrite(VM_VPID, one_in(4) ? odd_value() : 1 + below(3));
	vmwrite(VM_GUEST_PML_INDEX, one_in(4) ? odd_value() : below(512));
	vmwrite(VM_TPR_THRESHOLD, one_in(16) ? odd_value() : below(16));
	vmwrite(0x0002, below(300));
	vmwrite(0x0810, random32());
	for (u32 i = 0; i < 4; i++)
		vmwrite64(0x201c + 2 * i, random32());
	if (one_in(8))
		vmwrite64(VM_LINK, address());
	if (one_in(16))
		vmwrite(VM_EPTP, vmread(VM_EPTP) ^ 1u << below(7));
}

static void events(void)
{
	vmwrite(VM_EXCEPTIONS, one_in(2) ? random32() : 0);
	vmwrite(VM_PF_MASK, odd_value());
	vmwrite(VM_PF_MATCH, odd_value());
	vmwrite(VM_TIMER, one_in(2) ? below(10000) : odd_value());
	vmwrite64(VM_TSC_OFFSET, (u64)random32() << 32 | random32());
	vmwrite64(0x2032, one_in(2) ? 1ull << 48 : random32());
	vmwrite(VM_CR3_COUNT, one_in(16) ? odd_value() : below(5));
	if (one_in(4))
		vmwrite(VM_INTERRUPTIBILITY, one_in(2) ? 1u << below(6) : random32() & 0x1f);
	if (one_in(8)) /* HLT or what does not exist: in shutdown it would wait for ever */
		vmwrite(VM_ACTIVITY, one_in(2) ? 1 : 4 + below(1000));
	if (one_in(4))
		vmwrite(VM_PENDING_DEBUG, one_in(2) ? 1u << below(16) : odd_value());
	if (one_in(8))
		vmwrite64(VM_DEBUGCTL, odd_value());
	for (u32 i = 0; i < 4; i++)
		vmwrite64(VM_PDPTE0 + 2 * i, one_in(4) ? random32() : phys_of(ram) + G_TABLE + 1);
}

/* Entry MSRs may be any; those of exits must be good, as a failure there stops the processor. */
static void msr_lists(void)
{
	static u32 entry[4][4] __attribute__((aligned(16))), exits[4][4] __attribute__((aligned(16)));
	static const u32 any[] = { 0x174,      0x175,	0x176, 0x277, 0xc0000100,
				   0xc0000080, 0x12345, 0x800, 0x480, 0x1b };

	for (u32 i = 0; i < 4; i++) {
		u32 msr = any[below(LEN(any))];

		entry[i][0] = one_in(2)						 ? 0x174 + i % 3
			      : msr == 0xc0000080 || msr == 0x1b || msr == 0x277 ? 0x174
										 : msr;
		entry[i][1] = one_in(32) ? odd_value() : 0;
		entry[i][2] = odd_value();
		exits[i][0] = 0x174 + i % 3;
		exits[i][1] = exits[i][3] = 0;
		exits[i][2] = random32();
	}
	vmwrite64(VM_ENTRY_LOAD, phys_of(entry) + (one_in(16) ? 8 : 0));
	vmwrite64(VM_EXIT_LOAD, phys_of(exits));
	vmwrite64(VM_EXIT_STORE, phys_of(exits));
	vmwrite(VM_ENTRY_LOAD_COUNT, one_in(2) ? below(5) : 0);
	vmwrite(VM_EXIT_LOAD_COUNT, one_in(2) ? below(5) : 0);
	vmwrite(VM_EXIT_STORE_COUNT, one_in(2) ? below(5) : 0);
}

static void maps(void)
{
	protect_ports(io_bitmaps);
	memset(msr_bitmap + 0x800, 0xff, 0x800); /* the guest changes no MSR */
	for (u32 i = 0; i < 0x800; i++)
		msr_bitmap[i] = (u8)random32();
}

/* Selectors that no entry accepts; nothing else of the host is left to chance. */
static void host(void)
{
	vmwrite64(0x2c00, rdmsr(0x277)); /* PAT */
	vmwrite64(0x2c02, 0);		 /* EFER */
	vmwrite64(0x2c04, 0);		 /* PERF_GLOBAL_CTRL */
	vmwrite64(0x2804, one_in(4) ? random32() : rdmsr(0x277));
	vmwrite64(0x2806, one_in(4) ? odd_value() : 0);
	vmwrite64(0x2808, 0);
	if (one_in(32))
		vm_or(VM_HOST_SEL + 2 * below(7), 1 + below(7));
	if (one_in(32))
		vmwrite(VM_HOST_CR4, vmread(VM_HOST_CR4) & ~0x2000u);
}

void fuzz_vmx(enum mode m)
{
	controls(m);
	addresses();
	events();
	msr_lists();
	maps();
	host();
}

/* Rights, types and reserved bits at random; a large page only where there is no memory. */
void fuzz_vmx_entry(u32 page, enum mode m)
{
	u64 e = some_page() | (random32() & 0x7f) | (one_in(8) ? random32() & 0xf80 : 0);

	if (m == SHADOW)
		shadow_table[page] = (phys_of(ram) + below(G_BYTES / 4096) * 4096) | (random32() & 0x7f);
	else
		ept_table[page] = one_in(2) ? (e & ~0x7full) | 0x30 | (random32() & 7) : e;
	invept_all();
}

void fuzz_vmx_show(void)
{
	static const u16 fields[] = { VM_PIN,	   VM_PROC,	    VM_PROC2,	   VM_EXITS,
				      VM_ENTRIES,  VM_INJECT,	    VM_EIP,	   0x6820,
				      0x6800,	   0x6802,	    0x6804,	   VM_INTERRUPTIBILITY,
				      VM_ACTIVITY, VM_EPTP,	    VM_EXCEPTIONS, VM_PENDING_DEBUG,
				      VM_TIMER,	   VM_TPR_THRESHOLD };

	for (u32 i = 0; i < LEN(fields); i++)
		print(" %x=%x", fields[i], vmread(fields[i]));
	print("\n");
}
