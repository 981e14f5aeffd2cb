/* SPDX-License-Identifier: GPL-3.0-or-later
 * Checks of the local APIC and the IO-APIC: identification, timer, priorities, messages to itself, NMI, the
 * pin of the interval timer. A processor without APIC passes them. All of it is put back, so that the 8259s
 * go on. */
#include "guests/demo/kernel.h"

#define APIC_PAGE 60 /* of the test table */
#define IOAPIC_PAGE 61
#define DEVICE (PTE_P | PTE_W | 0x18)
#define MASKED 0x10000u
#define PERIODIC 0x20000u
#define PIN_PIT 2
#define VEC_TIMER 0x51
#define VEC_LOW 0x61
#define VEC_HIGH 0x72
#define VEC_PIN 0x53

enum apic_reg {
	ID = 0x20,
	VERSION = 0x30,
	TPR = 0x80,
	PPR = 0xa0,
	EOI = 0xb0,
	SVR = 0xf0,
	ISR = 0x100,
	IRR = 0x200,
	ICR = 0x300,
	ICR_TO = 0x310,
	LVT_TIMER = 0x320,
	INITIAL = 0x380,
	CURRENT = 0x390,
	DIVIDE = 0x3e0,
};

/* What the handler saw: vectors in order, the priority of the last one, and what it does in its turn. */
static struct {
	u32 count, order[8], ppr, nmis;
	u32 send;	/* vector that the first interrupt sends to itself, with interrupts enabled */
	u32 while_open; /* interrupts that arrived meanwhile */
} seen;

static volatile u32 *apic(enum apic_reg r)
{
	return (volatile u32 *)(TEST_BASE + APIC_PAGE * 4096 + r);
}

static u32 bit_of(enum apic_reg block, u32 vector)
{
	return *apic(block + vector / 32 * 16) >> vector % 32 & 1;
}

static u32 ioapic(u32 index)
{
	volatile u32 *at = (volatile u32 *)(TEST_BASE + IOAPIC_PAGE * 4096);

	at[0] = index;
	return at[4];
}

static void ioapic_set(u32 index, u32 v)
{
	volatile u32 *at = (volatile u32 *)(TEST_BASE + IOAPIC_PAGE * 4096);

	at[0] = index;
	at[4] = v;
}

static void send_self(u32 vector)
{
	*apic(ICR) = 0x44000 | vector;
}

/* Interrupts are taken for a moment. */
static void window(void)
{
	asm volatile("sti; nop; nop; nop; cli" : : : "memory");
}

static void on_vector(struct frame *f)
{
	u32 send = seen.send;

	if (f->vec == 2) {
		seen.nmis++;
		return;
	}
	if (seen.count < LEN(seen.order))
		seen.order[seen.count] = f->vec;
	seen.count++;
	seen.ppr = *apic(PPR);
	if (send) {
		u32 before = seen.count;

		seen.send = 0;
		send_self(send);
		window();
		seen.while_open = seen.count - before;
	}
	*apic(EOI) = 0;
}

static u32 cpuid1_ebx(void)
{
	u32 a = 1, b, c, d;

	asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return b;
}

/* False: there is no APIC. The interval timer's interrupts wait at the 8259 until apic_end(). */
static bool apic_begin(void)
{
	if (!(features_edx & 0x200))
		return false;
	test_map(APIC_PAGE, 0xfee00000 | DEVICE);
	test_map(IOAPIC_PAGE, 0xfec00000 | DEVICE);
	outb(0x21, 0xff);
	memset(&seen, 0, sizeof(seen));
	vector_hook = on_vector;
	*apic(SVR) = 0x1ff;
	*apic(TPR) = 0;
	*apic(DIVIDE) = 0xb; /* by 1 */
	return true;
}

static const char *apic_end(const char *wrong)
{
	*apic(LVT_TIMER) = MASKED | VEC_TIMER;
	*apic(INITIAL) = 0;
	*apic(TPR) = 0;
	window();
	vector_hook = NULL;
	test_map(APIC_PAGE, 0);
	test_map(IOAPIC_PAGE, 0);
	outb(0x21, 0xfe);
	return wrong;
}

static const char *check_apic_id(void)
{
	if (!apic_begin())
		return NULL;
	if (*apic(ID) >> 24 != cpuid1_ebx() >> 24)
		return apic_end("ID is not CPUID's");
	if ((*apic(VERSION) & 0xf0) != 0x10 || (*apic(VERSION) >> 16 & 0xff) < 3)
		return apic_end("version");
	*apic(TPR) = 0x35;
	return apic_end(*apic(TPR) == 0x35 && *apic(PPR) == 0x35 ? NULL : "TPR and PPR");
}

/* Wait, halted, until N interrupts have come. */
static bool halted_for(u32 n)
{
	for (u32 halts = 0; seen.count < n && halts < 1000; halts++)
		asm volatile("sti; hlt; cli" : : : "memory");
	return seen.count >= n;
}

/* Let the timer count N down, masked, with interrupts enabled. */
static void count_down(u32 n)
{
	*apic(LVT_TIMER) = MASKED | VEC_TIMER;
	*apic(INITIAL) = n;
	asm volatile("sti" : : : "memory");
	/* (By instruction count these are many instructions, and reading a register is the slowest.) */
	while (*apic(CURRENT))
		for (u32 i = 0; i < 1000; i++)
			asm volatile("");
	cli();
}

static const char *check_apic_timer(void)
{
	if (!apic_begin())
		return NULL;
	*apic(LVT_TIMER) = VEC_TIMER;
	*apic(INITIAL) = 30000000; /* the two reads take long where each is emulated */
	if (!*apic(CURRENT) || *apic(CURRENT) > 30000000)
		return apic_end("the count");
	if (!halted_for(1) || seen.order[0] != VEC_TIMER)
		return apic_end("one shot");
	count_down(300000);
	if (seen.count != 1)
		return apic_end("masked, or a second shot");
	*apic(LVT_TIMER) = PERIODIC | VEC_TIMER;
	*apic(INITIAL) = 100000;
	return apic_end(halted_for(6) ? NULL : "periods");
}

/* Requests wait in IRR, and are served by priority. */
static const char *check_apic_order(void)
{
	if (!apic_begin())
		return NULL;
	send_self(VEC_LOW);
	send_self(VEC_HIGH);
	if (!bit_of(IRR, VEC_LOW) || !bit_of(IRR, VEC_HIGH) || bit_of(IRR, VEC_TIMER))
		return apic_end("requests");
	window();
	if (seen.count != 2 || seen.order[0] != VEC_HIGH || seen.order[1] != VEC_LOW)
		return apic_end("order");
	if ((seen.ppr & 0xf0) != (VEC_LOW & 0xf0) || bit_of(ISR, VEC_LOW) || bit_of(IRR, VEC_LOW))
		return apic_end("priority in service");
	*apic(TPR) = VEC_HIGH & 0xf0;
	send_self(VEC_HIGH);
	window();
	if (seen.count != 2 || !bit_of(IRR, VEC_HIGH))
		return apic_end("TPR does not hold back");
	*apic(TPR) = (VEC_HIGH & 0xf0) - 1;
	window();
	return apic_end(seen.count == 3 && seen.order[2] == VEC_HIGH ? NULL : "TPR lowered");
}

/* A higher one interrupts a lower one's handler; a lower one waits for the higher one's EOI. */
static const char *check_apic_nesting(void)
{
	if (!apic_begin())
		return NULL;
	seen.send = VEC_HIGH;
	send_self(VEC_LOW);
	window();
	if (seen.count != 2 || seen.while_open != 1 || seen.order[1] != VEC_HIGH)
		return apic_end("a higher one");
	seen.send = VEC_LOW;
	send_self(VEC_HIGH);
	window();
	if (seen.while_open != 0)
		return apic_end("a lower one in between");
	return apic_end(seen.count == 4 && seen.order[3] == VEC_LOW ? NULL : "a lower one");
}

static const char *check_nmi(void)
{
	if (!apic_begin())
		return NULL;
	*apic(ICR_TO) = *apic(ID);
	*apic(ICR) = 0x4400;
	for (u32 i = 0; i < 1000 && !seen.nmis; i++)
		asm volatile("nop");
	if (seen.nmis != 1)
		return apic_end("with interrupts disabled");
	*apic(ICR) = 0x4400;
	for (u32 i = 0; i < 1000 && seen.nmis < 2; i++)
		asm volatile("nop");
	return apic_end(seen.nmis == 2 ? NULL : "a second one, after IRET");
}

/* The interval timer by the IO-APIC's pin. */
static const char *check_ioapic(void)
{
	u32 entry = 0x10 + 2 * PIN_PIT, was;
	const char *wrong = NULL;

	if (!apic_begin())
		return NULL;
	if ((ioapic(1) >> 16 & 0xff) != 23)
		return apic_end("24 pins");
	was = ioapic(entry + 1);
	ioapic_set(entry + 1, *apic(ID));
	ioapic_set(entry, VEC_PIN);
	if ((ioapic(entry) & 0x1ffff) != VEC_PIN)
		wrong = "entry";
	if (!wrong && (!halted_for(5) || seen.order[0] != VEC_PIN || seen.order[4] != VEC_PIN))
		wrong = "ticks";
	ioapic_set(entry, MASKED | VEC_PIN);
	window();
	if (!wrong) {
		u32 before = seen.count;

		count_down(10000000);
		wrong = seen.count == before ? NULL : "masked";
	}
	ioapic_set(entry + 1, was);
	return apic_end(wrong);
}

const struct check apic_checks[] = {
	{ "local APIC", check_apic_id },	 { "APIC timer", check_apic_timer },
	{ "interrupt order", check_apic_order }, { "nested interrupts", check_apic_nesting },
	{ "NMI to itself", check_nmi },		 { "IO-APIC", check_ioapic },
};
const unsigned apic_check_count = LEN(apic_checks);
