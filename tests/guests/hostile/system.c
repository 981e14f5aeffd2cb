/* SPDX-License-Identifier: GPL-3.0-or-later
 * Random descriptors loaded in a loop, task switches at random, control bits
 * toggled at random. */
#include "tests/guests/hostile/hostile.h"

static void use_segment(uint32_t sel)
{
	uint32_t a = rnd(), v = 0;

	if (below(2))
		a = below(0x2000);
	switch (below(14)) {
	case 0:
		__asm__ volatile("mov %w0, %%ds; movl (%1), %%eax" : : "r"(sel), "r"(a) : "eax");
		break;
	case 1:
		__asm__ volatile("mov %w0, %%es; movl %%eax, %%es:(%1)"
				 :
				 : "r"(sel), "r"(0x8000 + below(64))
				 : "memory");
		break;
	case 2:
		__asm__ volatile("mov %w0, %%fs; movl %%fs:(%1), %%eax; movb %%fs:(%1), %%al"
				 :
				 : "r"(sel), "r"(a)
				 : "eax");
		break;
	case 3:
		__asm__ volatile(
		    "mov %w0, %%gs; lea 3(%1), %1; movw %%gs:(%1), %%ax; movdqu %%gs:(%1), %%xmm0"
		    : "+r"(sel), "+r"(a)
		    :
		    : "eax");
		break;
	case 4:
		__asm__ volatile("mov %w0, %%ss; pushl %%eax; popl %%eax; pushal; ud2"
				 :
				 : "r"(sel)
				 : "memory");
		break;
	case 5:
		__asm__ volatile("lar %1, %0" : "=r"(v) : "r"(sel) : "cc");
		break;
	case 6:
		__asm__ volatile("lsl %1, %0" : "=r"(v) : "r"(sel) : "cc");
		break;
	case 7:
		__asm__ volatile("verr %w0; verw %w0" : : "r"(sel) : "cc");
		break;
	case 8:
		__asm__ volatile("lldt %w0" : : "r"(sel));
		break;
	case 9:
		__asm__ volatile("ltr %w0" : : "r"(sel));
		break;
	case 10:
		__asm__ volatile("pushl %0; pushl %1; lretl" : : "r"(sel), "r"(a));
		break;
	case 11:
		__asm__ volatile("pushfl; pushl %0; pushl %1; iretl" : : "r"(sel), "r"(a));
		break;
	case 12: {
		struct {
			uint32_t off;
			uint16_t sel;
		} __attribute__((packed)) p = { a, (uint16_t)sel };

		if (below(2))
			__asm__ volatile("lcall *%0" : : "m"(p) : "memory");
		else
			__asm__ volatile("ljmp *%0" : : "m"(p) : "memory");
		break;
	}
	default:
		__asm__ volatile("pushl %0; pushl %1; pushl $2; pushl %2; pushl %1; lretl"
				 :
				 : "r"(sel | 3), "r"(a), "r"(sel));
	}
}

/* A descriptor that is nonsense, or nearly right. */
static uint64_t any_descriptor(void)
{
	static const uint8_t access[] = { 0x93, 0x97, 0x9b, 0x9f, 0xf3, 0xfb, 0x91, 0x99, 0x92, 0x9a,
					  0x89, 0x8b, 0x82, 0x85, 0x8c, 0x84, 0x8e, 0x8f, 0xff, 0x13 };
	uint32_t limit = below(2) ? rnd() & 0xfffff : below(3) ? 0xffff : 0xfffff;

	if (!below(4))
		return (uint64_t)rnd() << 32 | rnd();
	return descriptor(below(2)   ? 0
			  : below(2) ? rnd()
				     : ARENA + below(4096),
			  limit, access[below(sizeof(access))],
			  (below(2) ? 4 : 0) | (below(2) ? 8 : 0) | (below(8) ? 0 : rnd() & 3));
}

void test_segments(void)
{
	static uint32_t ldt[64] __attribute__((aligned(8)));
	uint32_t n = 0;

	if (option("paging", 0))
		paging_on();
	regime.cr4 |= 0x600;
	set_cr4(regime.cr4);
	for (uint32_t i = 0; i < option("rounds", 20000); i++) {
		for (uint32_t k = S_FREE >> 3; k < GDT_ENTRIES; k++)
			if (!below(4))
				gdt[k] = any_descriptor();
		for (uint32_t k = 0; k < 64; k++)
			ldt[k] = rnd();
		gdt[(S_FREE >> 3) + 1] =
		    descriptor((uint32_t)ldt, below(2) ? sizeof(ldt) - 1 : below(300), 0x82, 0);
		if (below(2))
			__asm__ volatile("lldt %w0" : : "r"(S_FREE + 8));
		n += attempt(use_segment, below(2)   ? S_FREE + below(0x380)
					  : below(4) ? below(0x400)
						     : rnd() & 0xffff) < 256;
	}
	say("hostile: segment loads that ended in a fault: ", n);
}

/* ---- tasks ---- */

static void switch_task(uint32_t how)
{
	struct {
		uint32_t off;
		uint16_t sel;
	} __attribute__((packed)) p = { rnd(), S_TASK };

	switch (how) {
	case 0:
		__asm__ volatile("lcall *%0" : : "m"(p) : "memory");
		break;
	case 1:
		__asm__ volatile("ljmp *%0" : : "m"(p) : "memory");
		break;
	case 2:
		__asm__ volatile("int $0x70");
		break;
	case 3:
		tss.link = below(2) ? S_TASK : rnd() & 0xffff;
		__asm__ volatile("pushfl; orl $0x4000, (%esp); popfl; iretl");
		break;
	default:
		__asm__ volatile("mov $0x12345, %eax; mov %eax, %ds"); /* a fault through a task gate */
	}
}

void test_tasks(void)
{
	static char stack[1024];
	uint32_t n = 0;

	if (option("paging", 0))
		paging_on();
	for (uint32_t i = 0; i < option("rounds", 10000); i++) {
		uint32_t *w = (uint32_t *)&tss_task;

		for (uint32_t k = 0; k < sizeof(tss_task) / 4; k++)
			w[k] = below(3) ? rnd() : below(0x400);
		if (below(4))
			tss_task.cs = S_CODE, tss_task.ss = S_DATA, tss_task.ds = S_DATA,
			tss_task.es = S_DATA, tss_task.fs = 0, tss_task.gs = 0, tss_task.ldt = 0;
		if (below(4))
			tss_task.cr3 = regime.cr3;
		if (below(4))
			tss_task.eip = (uint32_t)isr_stubs + 16 * 0x71,
			tss_task.esp = (uint32_t)(stack + sizeof(stack));
		if (below(4))
			tss_task.eflags = 2 | (below(4) ? 0 : rnd() & 0x37fd5);
		if (below(4))
			for (uint32_t k = S_FREE >> 3; k < GDT_ENTRIES; k++)
				gdt[k] = any_descriptor();
		if (!below(4))
			gdt[S_TASK >> 3] = any_descriptor();
		set_gate(0x70, 0, S_TASK, 5, 3);
		set_gate(13, (uint32_t)isr_stubs + 16 * 13, S_CODE, 14, 3);
		if (!below(8))
			set_gate(13, 0, S_TASK, 5, 0);
		n += attempt(switch_task, below(5)) < 256;
	}
	say("hostile: switches that ended in the harness: ", n);
}

/* ---- control registers ---- */

static void write_control(uint32_t how)
{
	static const uint32_t msrs[] = { 0xc0000080, 0x174,	 0x175,	     0x176, 0x1b, 0x277,
					 0x10,	     0xc0000081, 0xc0000103, 0x2ff, 0x1a0 };
	uint32_t v = rnd();

	switch (how) {
	case 0:
		__asm__ volatile("mov %0, %%cr0; nop; nop" : : "r"(cr0() ^ 1u << below(32)));
		break;
	case 1:
		__asm__ volatile("mov %0, %%cr4; nop; nop" : : "r"(cr4() ^ 1u << below(23)));
		break;
	case 2:
		__asm__ volatile("mov %0, %%cr3; nop; nop" : : "r"(below(2) ? v : below(MEMORY)));
		break;
	case 3:
		__asm__ volatile("wrmsr"
				 :
				 : "a"(below(2) ? v : 1u << below(32)), "d"(below(2) ? 0 : rnd()),
				   "c"(below(4) ? msrs[below(sizeof(msrs) / 4)] : v));
		break;
	case 4:
		__asm__ volatile("mov %0, %%cr0" : : "r"(v));
		break;
	case 5:
		__asm__ volatile("mov %0, %%cr4" : : "r"(v));
		break;
	case 6:
		__asm__ volatile("lmsw %w0" : : "r"(v));
		break;
	case 7:
		__asm__ volatile("mov %0, %%dr7; mov %1, %%dr0; mov %0, %%dr6" : : "r"(v), "r"(rnd()));
		break;
	case 8:
		__asm__ volatile("xsetbv" : : "a"(below(2) ? v : below(8)), "d"(0), "c"(below(4) ? 0 : v));
		break;
	case 9:
		__asm__ volatile("fninit; fld1; addps %xmm0, %xmm0; emms; fwait");
		break;
	case 10:
		outb(0x92, (uint8_t)(below(2) << 1));
		break;
	default:
		__asm__ volatile("lidt %0" : : "m"(v));
		break;
	}
}

void test_control(void)
{
	uint32_t n = 0;

	if (option("paging", 0))
		paging_on();
	for (uint32_t i = 0; i < option("rounds", 5000); i++) {
		set_gate(below(2) ? 7 : 6, (uint32_t)isr_stubs + 16 * 7, S_CODE, 14, 3);
		n += attempt(write_control, below(11)) < 256;
		/* An end that attempt() saw as a return leaves the bits: back to the regime by a fault. */
		__asm__ volatile("" : : : "memory");
		if (below(2))
			attempt(write_control, 8 + below(2));
		outb(0x92, 2);
		__asm__ volatile("mov %0, %%dr7" : : "r"(0));
	}
	say("hostile: control writes that faulted: ", n);
}
