/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every port with every size; device memory and holes in every form. */
#include "tests/guests/hostile/hostile.h"

static uint32_t in(uint16_t port, unsigned size)
{
	uint32_t v = 0;

	if (size == 1)
		__asm__ volatile("inb %1, %b0" : "+a"(v) : "d"(port));
	else if (size == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(v) : "d"(port));
	else
		__asm__ volatile("inl %1, %0" : "+a"(v) : "d"(port));
	return v;
}

static void out(uint16_t port, unsigned size, uint32_t v)
{
	if (size == 1)
		__asm__ volatile("outb %b0, %1" : : "a"(v), "d"(port));
	else if (size == 2)
		__asm__ volatile("outw %w0, %1" : : "a"(v), "d"(port));
	else
		__asm__ volatile("outl %0, %1" : : "a"(v), "d"(port));
}

/* Ports whose writing ends or resets the machine, by documentation: debug exit,
 * port 92h, the keyboard controller's command port, PCI's reset register, ACPI. */
static bool ends(uint32_t port, unsigned size)
{
	static const struct {
		uint16_t first, last;
	} list[] = {
		{ 0xf4, 0xf7 },	  { 0x92, 0x92 },
		{ 0x64, 0x64 },	  { 0xcf9, 0xcf9 },
		{ 0x600, 0x63f }, { 0xb000, 0xb03f },
		{ 0x3f8, 0x3ff }, /* the console: noise only */ { 0xe9, 0xe9 },
		{ 0x402, 0x402 },
	};

	for (unsigned i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (port + size > list[i].first && port <= list[i].last)
			return true;
	return false;
}

static void ports(bool all)
{
	uint32_t n = 0;

	for (uint32_t round = 0; round < option("rounds", 2); round++)
		for (uint32_t p = 0; p < 0x10000; p++)
			for (unsigned size = 1; size <= 4; size *= 2) {
				in((uint16_t)p, size);
				if (all || !ends(p, size))
					out((uint16_t)p, size, rnd());
				n += 2;
			}
	for (uint32_t i = 0; i < option("rounds", 2) * 100000;
	     i++) { /* low ports, where devices are, at random */
		uint16_t p = (uint16_t)(below(4) ? below(0x1000) : rnd());
		unsigned size = 1u << below(3);

		if (below(2))
			in(p, size);
		else if (all || !ends(p, size))
			out(p, size, below(2) ? rnd() : below(256));
		n++;
	}
	outb(0x3fb, 3);
	outb(0x3f9, 0);
	outb(0x3fc, 3);
	say("hostile: port accesses: ", n);
}

void test_ports(void)
{
	ports(false);
}
void test_ports_all(void)
{
	ports(true);
}

static uint32_t hole(void)
{
	static const uint32_t at_[] = { 0x2000000,  0xa0000,	0xaffff,    0xb0000,	0xb8000,
					0xbfffe,    0xc0000,	0xc8000,    0xe0000000, 0xfec00000,
					0xfed00000, 0xfee00000, 0xfff00000, 0xfffffff0, 0xfffffffd,
					0x80000000, 0x1fffffd,	0x9fffe,    0xfffe0000 };

	switch (below(3)) {
	case 0:
		return at_[below(sizeof(at_) / 4)] + below(64);
	case 1:
		return MEMORY + rnd() % (0xffffffff - MEMORY);
	default:
		return 0xa0000 + below(0x20000);
	}
}

/* One access in one of many forms. */
static void touch(uint32_t a)
{
	static uint8_t save[512] __attribute__((aligned(16)));

	switch (below(30)) {
	case 0:
		__asm__ volatile("movb (%0), %%al" : : "r"(a) : "eax");
		break;
	case 1:
		__asm__ volatile("movw (%0), %%ax" : : "r"(a) : "eax");
		break;
	case 2:
		__asm__ volatile("movl (%0), %%eax" : : "r"(a) : "eax");
		break;
	case 3:
		__asm__ volatile("movb %%al, (%0)" : : "r"(a) : "memory");
		break;
	case 4:
		__asm__ volatile("movw %%ax, (%0)" : : "r"(a) : "memory");
		break;
	case 5:
		__asm__ volatile("movl %%eax, (%0)" : : "r"(a) : "memory");
		break;
	case 6:
		__asm__ volatile("lock addl $5, (%0)" : : "r"(a) : "memory", "cc");
		break;
	case 7:
		__asm__ volatile("xchgl %%eax, (%0)" : : "r"(a) : "memory", "eax");
		break;
	case 8:
		__asm__ volatile("lock cmpxchg8b (%0)" : : "r"(a) : "memory", "cc", "eax", "edx");
		break;
	case 9:
		__asm__ volatile("cld; rep movsb" : : "S"(a), "D"(ARENA), "c"(below(300)) : "memory");
		break;
	case 10:
		__asm__ volatile("cld; rep movsl" : : "S"(ARENA), "D"(a), "c"(below(300)) : "memory");
		break;
	case 11:
		__asm__ volatile("cld; rep stosw" : : "a"(0x700), "D"(a), "c"(below(300)) : "memory");
		break;
	case 12:
		__asm__ volatile("repe cmpsb" : : "S"(a), "D"(a + 1), "c"(below(300)) : "cc");
		break;
	case 13:
		__asm__ volatile("repne scasb" : : "D"(a), "c"(below(300)), "a"(1) : "cc");
		break;
	case 14:
		__asm__ volatile("movdqu (%0), %%xmm0" : : "r"(a));
		break;
	case 15:
		__asm__ volatile("movdqu %%xmm0, (%0)" : : "r"(a) : "memory");
		break;
	case 16:
		__asm__ volatile("fldl (%0); fstpl (%0)" : : "r"(a) : "memory");
		break;
	case 17:
		__asm__ volatile("fxsave (%0)" : : "r"(a & ~15u) : "memory");
		break;
	case 18:
		__asm__ volatile("fxsave (%1); fxrstor (%0)" : : "r"(a & ~15u), "r"(save) : "memory");
		break;
	case 19:
		__asm__ volatile("pushl (%0); popl (%0)" : : "r"(a) : "memory");
		break;
	case 20:
		__asm__ volatile("btsl %1, (%0)" : : "r"(a), "r"(rnd()) : "memory", "cc");
		break;
	case 21:
		__asm__ volatile("lgdt (%0)" : : "r"(ARENA - 1) : "memory");
		__asm__ volatile("sgdt (%0)" : : "r"(a) : "memory");
		break;
	case 22:
		__asm__ volatile("call *(%0)" : : "r"(a) : "memory", "eax", "ecx", "edx", "cc");
		break;
	case 23:
		__asm__ volatile("lds (%0), %%eax" : : "r"(a) : "eax", "memory");
		break;
	case 24:
		__asm__ volatile("cvtsi2sd (%0), %%xmm1; addps (%1), %%xmm1" : : "r"(a), "r"(a & ~15u));
		break;
	case 25:
		__asm__ volatile("shldl $3, %%eax, (%0); sarl $1, (%0)" : : "r"(a) : "memory", "cc");
		break;
	case 26:
		__asm__ volatile("std; rep movsb; cld"
				 :
				 : "S"(a), "D"(ARENA + 512), "c"(below(300))
				 : "memory");
		break;
	case 27:
		__asm__ volatile("bound %%eax, (%0)" : : "r"(a) : "eax");
		break;
	case 28:
		__asm__ volatile("mov %0, %%esp; pushl %%eax; popl %%eax; call 1f; 1: ud2"
				 :
				 : "r"(a)
				 : "memory");
		break;
	default:
		__asm__ volatile("mov %0, %%esp; iretl" : : "r"(a) : "memory");
		break;
	}
}

void test_mmio(void)
{
	uint32_t n = 0;

	if (option("paging", 0)) { /* 4 MiB pages, everything where it is */
		uint32_t *pd = (uint32_t *)TABLES;

		for (uint32_t i = 0; i < 1024; i++)
			pd[i] = i << 22 | 0x83;
		regime = (struct regime){ 0x80010011, TABLES, 0x610 };
		set_cr4(0x610);
		set_cr3(TABLES);
		set_cr0(regime.cr0);
	} else {
		regime.cr4 = 0x600;
		set_cr4(0x600);
	}
	for (uint32_t i = 0; i < option("rounds", 20000); i++)
		n += attempt(touch, hole()) < 256;
	say("hostile: device accesses that faulted: ", n);
}
