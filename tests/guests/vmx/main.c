/* SPDX-License-Identifier: GPL-3.0-or-later
 * The smallest hypervisor: one VMCS without EPT, and a guest in the same flat address space that runs one
 * instruction after the other. A line on COM1 for each exit says "NAME REASON QUALIFICATION LENGTH", and at
 * the end how many cycles the round trip of CPUID takes. */
#include <stdint.h>

#define REVISION_MSR 0x480
enum {
	EXIT_REASON = 0x4402,
	EXIT_LENGTH = 0x440c,
	EXIT_EVENT = 0x4404,
	VECTORING = 0x4408,
	EXIT_QUALIFICATION = 0x6400,
	INSN_ERROR = 0x4400,
	GUEST_RIP = 0x681e,
	GUEST_RSP = 0x681c,
	GUEST_RFLAGS = 0x6820,
	INJECT = 0x4016,
	INJECT_LENGTH = 0x401a,
	PROC = 0x4002,
	EXCEPTIONS = 0x4004,
};

static uint8_t vmxon_region[4096] __attribute__((aligned(4096))), vmcs[4096] __attribute__((aligned(4096)));
static uint8_t bitmap[2][4096] __attribute__((aligned(4096))),
    msr_bitmap[4096] __attribute__((aligned(4096)));
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint8_t guest_stack[4096] __attribute__((aligned(16)));
static uint64_t guest_idt[256];
static uint32_t tss[32];
extern uint64_t gdt[], idt[];
extern uint32_t run_guest(uint32_t regs[8], uint32_t launch); /* EFLAGS */
extern uint32_t handler_irq[], handler_soft[];
static uint32_t regs[8];

/* ---- output ---- */

static void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static void put(const char *s)
{
	for (; *s; s++)
		outb(0x3f8, (uint8_t)*s);
}

static void put_hex(uint32_t v)
{
	char s[10], *p = s + sizeof(s) - 1;

	*p = 0;
	do
		*--p = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	put(" ");
	put(p);
}

/* ---- instructions ---- */

static uint64_t rdmsr(uint32_t n)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(n));
	return (uint64_t)hi << 32 | lo;
}

static uint64_t rdtsc(void)
{
	uint64_t t;

	__asm__ volatile("rdtsc" : "=A"(t));
	return t;
}

static void vmwrite(uint32_t field, uint32_t v)
{
	uint8_t bad;

	__asm__ volatile("vmwrite %2, %1\n\tsetbe %0" : "=q"(bad) : "r"(field), "rm"(v) : "cc");
	if (bad) {
		put("vmwrite failed");
		put_hex(field);
		put("\n");
	}
}

static uint32_t vmread(uint32_t field)
{
	uint32_t v;

	__asm__ volatile("vmread %1, %0" : "=rm"(v) : "r"(field) : "cc");
	return v;
}

static uint32_t adjust(uint32_t msr, uint32_t want)
{
	uint64_t m = rdmsr(msr);

	return (want | (uint32_t)m) & (uint32_t)(m >> 32);
}

/* ---- the guest: each piece ends in an exit ---- */

extern const uint8_t guest_cpuid[], guest_vmcall[], guest_hlt[], guest_in[], guest_out[], guest_rdmsr[],
    guest_wrmsr[], guest_to_cr0[], guest_to_cr3[], guest_from_cr3[], guest_to_cr4[], guest_clts[], guest_ud[],
    guest_int3[], guest_invlpg[], guest_mov_dr[], guest_vmread[], guest_rdtsc[], guest_pf[], guest_read_cr0[],
    guest_window[], guest_soft[], guest_task[], guest_triple[];

#define PIECE(name)                                                                                          \
	{                                                                                                    \
#name, guest_##name                                                                          \
	}
static const struct {
	const char *name;
	const uint8_t *at;
} pieces[] = {
	PIECE(cpuid), PIECE(vmcall),   PIECE(hlt),    PIECE(in),       PIECE(out),    PIECE(rdmsr),
	PIECE(wrmsr), PIECE(to_cr0),   PIECE(to_cr3), PIECE(from_cr3), PIECE(to_cr4), PIECE(clts),
	PIECE(ud),    PIECE(int3),     PIECE(invlpg), PIECE(mov_dr),   PIECE(vmread), PIECE(rdtsc),
	PIECE(pf),    PIECE(read_cr0), PIECE(window), PIECE(soft),     PIECE(task),   PIECE(triple),
};

static void set_guest(void)
{
	static const struct {
		uint16_t encoding;
		uint32_t value;
	} fields[] = {
		{ 0x800, 0x10 },    { 0x802, 8 },	 { 0x804, 0x10 },     { 0x806, 0x10 },
		{ 0x808, 0x10 },    { 0x80a, 0x10 },	 { 0x80c, 0 },	      { 0x80e, 0x18 },
		{ 0x4800, ~0u },    { 0x4802, ~0u },	 { 0x4804, ~0u },     { 0x4806, ~0u },
		{ 0x4808, ~0u },    { 0x480a, ~0u },	 { 0x480c, 0 },	      { 0x480e, 0x67 },
		{ 0x4814, 0xc093 }, { 0x4816, 0xc09b },	 { 0x4818, 0xc093 },  { 0x481a, 0xc093 },
		{ 0x481c, 0xc093 }, { 0x481e, 0xc093 },	 { 0x4820, 0x10000 }, { 0x4822, 0x8b },
		{ 0x6806, 0 },	    { 0x6808, 0 },	 { 0x680a, 0 },	      { 0x680c, 0 },
		{ 0x680e, 0 },	    { 0x6810, 0 },	 { 0x6812, 0 },	      { 0x4824, 0 },
		{ 0x4826, 0 },	    { 0x482a, 0 },	 { 0x6822, 0 },	      { 0x6824, 0 },
		{ 0x6826, 0 },	    { 0x2800, ~0u },	 { 0x2801, ~0u },     { 0x2802, 0 },
		{ 0x681a, 0x400 },  { GUEST_RFLAGS, 2 }, { 0x4810, 0x3f },    { 0x4812, 0x7ff },
		{ 0xc00, 0x10 },    { 0xc02, 8 },	 { 0xc04, 0x10 },     { 0xc06, 0x10 },
		{ 0xc08, 0x10 },    { 0xc0a, 0x10 },	 { 0xc0c, 0x18 },     { 0x6c06, 0 },
		{ 0x6c08, 0 },	    { 0x4c00, 0 },	 { 0x6c10, 0 },	      { 0x6c12, 0 },
	};
	uint32_t cr0, cr3, cr4;

	for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		vmwrite(fields[i].encoding, fields[i].value);
	__asm__("mov %%cr0, %0" : "=r"(cr0));
	__asm__("mov %%cr3, %0" : "=r"(cr3));
	__asm__("mov %%cr4, %0" : "=r"(cr4));
	vmwrite(0x6800, cr0);
	vmwrite(0x6802, cr3);
	vmwrite(0x6804, cr4);
	vmwrite(0x6c00, cr0);
	vmwrite(0x6c02, cr3);
	vmwrite(0x6c04, cr4);
	vmwrite(0x6814, (uint32_t)(uintptr_t)tss);
	vmwrite(0x6c0a, (uint32_t)(uintptr_t)tss);
	vmwrite(0x6816, (uint32_t)(uintptr_t)gdt);
	vmwrite(0x6c0c, (uint32_t)(uintptr_t)gdt);
	vmwrite(0x6818, (uint32_t)(uintptr_t)guest_idt);
	vmwrite(0x6c0e, (uint32_t)(uintptr_t)idt);
	vmwrite(GUEST_RSP, (uint32_t)(uintptr_t)(guest_stack + sizeof(guest_stack)));
}

static void set_controls(void)
{
	vmwrite(0x4000, adjust(0x481, 1 | 8));
	vmwrite(PROC, adjust(0x482, 1 << 7 | 1 << 9 | 1 << 12 | 3 << 15 | 1 << 23 | 1 << 25 | 1 << 28));
	vmwrite(0x400c, adjust(0x483, 1 << 2 | 1 << 15));
	vmwrite(0x4012, adjust(0x484, 1 << 2));
	vmwrite(EXCEPTIONS, 1 << 6 | 1 << 3 | 1 << 14);
	vmwrite(0x4006, 0);
	vmwrite(0x4008, 0);
	vmwrite(0x400a, 0);
	vmwrite(0x400e, 0);
	vmwrite(0x4010, 0);
	vmwrite(0x4014, 0);
	vmwrite(INJECT, 0);
	vmwrite(0x2000, (uint32_t)(uintptr_t)bitmap[0]);
	vmwrite(0x2002, (uint32_t)(uintptr_t)bitmap[1]);
	vmwrite(0x2004, (uint32_t)(uintptr_t)msr_bitmap);
	bitmap[0][0x60 / 8] |= 1;
	bitmap[0][0x80 / 8] |= 1;
	for (unsigned i = 0; i < 4096; i++)
		msr_bitmap[i] = 0xff;
	vmwrite(0x6000, 1 << 3 | 1 << 5); /* TS, NE */
	vmwrite(0x6004, 1 << 3 | 1 << 5);
	vmwrite(0x6002, 1 << 13);
	vmwrite(0x6006, 0);
}

static void gate(unsigned vector, const uint32_t *at)
{
	uint32_t a = (uint32_t)(uintptr_t)at;

	guest_idt[vector] = (a & 0xffff) | 8u << 16 | (uint64_t)((a & 0xffff0000) | 0x8e00) << 32;
}

static void say(const char *name)
{
	put(name);
	put_hex(vmread(EXIT_REASON));
	put_hex(vmread(EXIT_QUALIFICATION));
	put_hex(vmread(EXIT_LENGTH));
	put_hex(vmread(EXIT_EVENT));
	put_hex(vmread(VECTORING));
	put("\n");
}

static int enter(uint32_t launch)
{
	uint32_t flags = run_guest(regs, launch);

	if (flags & 0x41) {
		put("entry failed");
		put_hex(flags & 0x40 ? vmread(INSN_ERROR) : 0);
		put("\n");
	}
	return !(flags & 0x41);
}

static void timing(void)
{
	enum { N = 1001 };
	static uint32_t t[N];
	uint64_t start;

	vmwrite(GUEST_RIP, (uint32_t)(uintptr_t)guest_cpuid);
	for (unsigned i = 0; i < N; i++) {
		start = rdtsc();
		enter(0);
		t[i] = (uint32_t)(rdtsc() - start);
	}
	for (unsigned i = 1; i < N; i++)
		for (unsigned j = i; j && t[j - 1] > t[j]; j--) {
			uint32_t swap = t[j];

			t[j] = t[j - 1];
			t[j - 1] = swap;
		}
	put("cycles: median");
	put_hex(t[N / 2]);
	put(", least");
	put_hex(t[0]);
	put("\n");
}

void main(void)
{
	uint32_t eax = 1, ecx, cr, at;
	uint8_t bad;

	__asm__("cpuid" : "+a"(eax), "=c"(ecx) : : "ebx", "edx");
	if (!(ecx & 1 << 5)) {
		put("no VMX\n");
		return;
	}
	outb(0x21, 0xff); /* no interrupts */
	outb(0xa1, 0xff);
	for (unsigned i = 0; i < 1024; i++)
		directory[i] = i << 22 | 0x83;
	directory[0x3ff] = 0;
	__asm__("mov %%cr4, %0" : "=r"(cr));
	__asm__("mov %0, %%cr4" : : "r"(cr | 1 << 4 | 1 << 13));
	__asm__("mov %0, %%cr3" : : "r"(directory));
	__asm__("mov %%cr0, %0" : "=r"(cr));
	__asm__ volatile("mov %0, %%cr0" : : "r"((cr | 0x80000021u) & ~8u));
	*(uint32_t *)vmxon_region = *(uint32_t *)vmcs = (uint32_t)rdmsr(REVISION_MSR);
	at = (uint32_t)(uintptr_t)vmxon_region;
	uint64_t region = at;
	__asm__ volatile("vmxon %1\n\tsetbe %0" : "=q"(bad) : "m"(region) : "cc");
	put(bad ? "vmxon failed\n" : "vmxon ok\n");
	region = (uint32_t)(uintptr_t)vmcs;
	__asm__ volatile("vmclear %1\n\tsetbe %0" : "=q"(bad) : "m"(region) : "cc");
	put(bad ? "vmclear failed\n" : "vmclear ok\n");
	__asm__ volatile("vmptrld %1\n\tsetbe %0" : "=q"(bad) : "m"(region) : "cc");
	put(bad ? "vmptrld failed\n" : "vmptrld ok\n");
	set_controls();
	set_guest();
	gate(0x21, handler_irq);
	gate(0x30, handler_soft);
	for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		vmwrite(GUEST_RIP, (uint32_t)(uintptr_t)pieces[i].at);
		vmwrite(GUEST_RFLAGS, 2);
		vmwrite(GUEST_RSP, (uint32_t)(uintptr_t)(guest_stack + sizeof(guest_stack)));
		if (pieces[i].at == guest_window)
			vmwrite(PROC, vmread(PROC) | 4);
		if (!enter(!i))
			return;
		say(pieces[i].name);
		vmwrite(PROC, vmread(PROC) & ~4u);
	}
	/* Injection: the handler does VMCALL with EBX telling which it is. */
	vmwrite(GUEST_RIP, (uint32_t)(uintptr_t)guest_hlt);
	vmwrite(GUEST_RFLAGS, 0x202);
	vmwrite(INJECT, 0x80000021);
	enter(0);
	say(regs[3] == 0x21 ? "injected" : "not-injected");
	vmwrite(GUEST_RIP, (uint32_t)(uintptr_t)guest_hlt);
	vmwrite(INJECT, 0x80000b0d); /* #GP without a gate: a double fault, then a triple one */
	vmwrite(0x4018, 0);
	enter(0);
	say("inject-fault");
	vmwrite(GUEST_RFLAGS, 2);
	timing();
	__asm__ volatile("vmxoff");
	put("vmx: done\n");
}
