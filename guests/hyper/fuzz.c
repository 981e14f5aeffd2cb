/* SPDX-License-Identifier: GPL-3.0-or-later
 * Random guests under random control blocks, until the time is over: whatever a VMRUN, VMLAUNCH or VMRESUME
 * does with them, the hypervisor goes on, and memory that no nested mapping names stays as it is. Each round
 * depends on its number and the seed alone: "fuzz seed=N round=R rounds=1" repeats one. */
#include "guests/hyper/cases.h"
#include "guests/hyper/fuzz.h"

#define CANARY_PAGES 16
#define ENTRIES 6 /* of one guest */
#define ALIGNED __attribute__((aligned(4096)))

u8 scratch[SCRATCH_PAGES * 4096] ALIGNED;
static u32 canary[CANARY_PAGES * 1024] ALIGNED;
static u32 reasons[256], entered, refused;
static bool alone; /* one round, which is shown */
extern char kernel_text[], kernel_text_end[];

u32 below(u32 n)
{
	return (u32)((u64)random32() * n >> 32);
}

bool one_in(u32 n)
{
	return !below(n);
}

u32 odd_value(void)
{
	static const u32 edges[] = { 0,	    1,	    2,	     7,		 8,	     0xff,	0x1000,
				     0xfff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff };

	switch (below(4)) {
	case 0:
		return edges[below(LEN(edges))];
	case 1:
		return 1u << below(32);
	case 2:
		return below(G_BYTES);
	default:
		return random32();
	}
}

/* Nothing answers at these: beyond memory, a hole, above 4 GiB, above what a processor has. */
u64 some_page(void)
{
	static const u64 nowhere[] = {
		0x20000000, 0xa0000, 0xe0000000, 0x100000000ull, 1ull << 40, 1ull << 51
	};

	if (below(8))
		return phys_of(ram) + below(G_BYTES / 4096) * 4096;
	return nowhere[below(LEN(nowhere))];
}

u32 scratch_page(void)
{
	return phys_of(scratch) + below(SCRATCH_PAGES) * 4096;
}

/* Low ports, where the machine's devices are, and ACPI's exit. */
void protect_ports(u8 *map)
{
	for (u32 i = 0; i < 0x2000; i++)
		if (!below(4))
			map[i] = (u8)random32();
	memset(map, 0xff, 0x1000 / 8);
	memset(map + 0xb000 / 8, 0xff, 0x1000 / 8);
}

/* ---- the guest ---- */

static void random_code(void)
{
	static const u8 likely[][3] = {
		{ 0x0f, 0xa2 },
		{ 0xf4 },
		{ 0x0f, 0x01, 0xc1 },
		{ 0x0f, 0x01, 0xd9 },
		{ 0x0f, 0x32 },
		{ 0x0f, 0x30 },
		{ 0x0f, 0x22 },
		{ 0x0f, 0x20 },
		{ 0x0f, 0x23 },
		{ 0x0f, 0x01 },
		{ 0x0f, 0x00 },
		{ 0x0f, 0xc7 },
		{ 0xcd },
		{ 0xcf },
		{ 0xcc },
		{ 0xfb },
		{ 0xfa },
		{ 0x9d },
		{ 0xf3, 0x90 },
		{ 0x0f, 0x31 },
		{ 0x0f, 0x06 },
		{ 0xee },
		{ 0xec },
		{ 0x6e },
		{ 0x8b, 0x05 },
		{ 0x89, 0x05 },
		{ 0xa1 },
		{ 0xa3 },
		{ 0xea },
		{ 0x0f, 0x78 },
		{ 0x0f, 0x79 },
		{ 0x0f, 0x0b },
		{ 0x8e },
		{ 0x0f, 0x01, 0xd4 },
		{ 0xf3, 0xa4 },
		{ 0x9a },
	};
	u8 *p = ram + G_CODE, *end = p + 96;

	for (u32 i = 0; i < 128; i++)
		p[i] = (u8)random32();
	while (p < end) {
		const u8 *l = likely[below(LEN(likely))];

		for (u32 k = 0; k < 3 && (l[k] || !k); k++)
			*p++ = l[k];
		p += below(5);
	}
}

static void random_guest(enum mode m)
{
	u32 *r = &regs.eax;

	random_code();
	for (u32 i = 0; i < 7; i++)
		r[i] = odd_value();
	for (u32 n = below(6); n; n--)
		ram32(G_GDT)[below(20)] ^= 1u << below(32);
	for (u32 n = below(4); n; n--)
		ram32(G_IDT)[below(64)] = odd_value();
	if (m == PAGED)
		for (u32 n = below(6); n; n--)
			ram32(G_TABLE)[below(16)] ^= 1u << below(32);
	for (u32 n = below(8); n; n--) {
		u32 page = below(G_BYTES / 4096);

		be->on == ON_VMX ? fuzz_vmx_entry(page, m) : fuzz_svm_entry(page, m);
	}
}

static void inject_good(void)
{
	u32 vector = below(20);
	bool error = (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17) && be->get(S_CR0) & 1;

	if (vector == 2)
		be->inject(EVENT_NMI, 2, false, 0, 0);
	else
		be->inject(EVENT_EXCEPTION, vector, error, below(0x100), 0);
}

/* State that a guest may have whatever it is: in mode SHADOW paging stays as it is, or machine memory is the
 * guest's. */
static void random_state(enum mode m)
{
	for (u32 n = below(3); n; n--) {
		enum state s = below(STATES);

		if (m == SHADOW && (s == S_CR0 || s == S_CR3 || s == S_CR4))
			continue;
		be->set(s, one_in(3) ? odd_value() : be->get(s) ^ 1u << below(32));
	}
	if (one_in(8))
		be->set_segment(below(8), below(0x60), odd_value(), odd_value(), random32() & 0x1f0ff);
	if (one_in(8))
		be->inject(below(8), below(4) ? below(32) : below(256), one_in(2),
			   one_in(3) ? odd_value() : below(0x100), below(17));
	else if (one_in(4)) /* of those that enter */
		inject_good();
	if (one_in(4))
		be->set(S_EIP, odd_value());
}

static void count(void)
{
	u32 r = out.reason;

	if (r == NOT_ENTERED || r & FAILED_ENTRY)
		refused++;
	else
		entered++;
	reasons[r & 0xff]++;
}

static void take_interrupts(void)
{
	if (be->on == ON_VMX && out.reason == 1 && out.event & 1u << 31)
		outb(0x20, 0x20); /* acknowledged by the exit */
	asm volatile("sti\nnop\nnop\ncli\nfninit\ncld");
}

static void show(enum mode m)
{
	print("mode %u, code", m);
	for (u32 i = 0; i < 16; i++)
		print(" %02x", ram[(be->get(S_EIP) + i) & (G_BYTES - 1)]);
	print("\n");
	be->on == ON_VMX ? fuzz_vmx_show() : fuzz_svm_show();
}

static void one_round(u32 modes)
{
	enum mode m;

	do
		m = below(MODES);
	while (!(modes & IN(m)));
	vm_reset(m);
	random_guest(m);
	be->on == ON_VMX ? fuzz_vmx(m) : fuzz_svm(m);
	random_state(m);
	for (u32 n = 0; n < ENTRIES; n++) {
		if (alone)
			show(m);
		be->enter();
		count();
		take_interrupts();
		if (out.reason == NOT_ENTERED || out.reason & FAILED_ENTRY) {
			if (n)
				break;
			vm_reset(m); /* and with fewer faults */
			random_guest(m);
			be->on == ON_VMX ? fuzz_vmx(m) : fuzz_svm(m);
		} else {
			be->set(S_EIP, be->get(S_EIP) + (out.len < 16 ? out.len : 2));
			if (one_in(2))
				random_state(m);
		}
	}
}

/* ---- what must not change ---- */

static u32 checksum(const u32 *p, const u32 *end)
{
	u32 sum = 0;

	for (; p < end; p++)
		sum = (sum << 1 | sum >> 31) ^ *p;
	return sum;
}

static bool canary_lives(void)
{
	for (u32 i = 0; i < LEN(canary); i++)
		if (canary[i] != i * 0x9e3779b1u) {
			print("FAIL fuzz: canary word %x is %08x\n", i, canary[i]);
			failed++;
			return false;
		}
	return true;
}

/* Seconds of the machine's clock since the last call (less than a minute). */
static u32 seconds_passed(void)
{
	static u32 last = 60;
	u32 now, was = last;

	outb(0x70, 0);
	now = inb(0x71);
	now = (now >> 4) * 10 + (now & 15);
	last = now;
	return was == 60 ? 0 : (now + 60 - was) % 60;
}

static void summary(u32 rounds)
{
	u32 kinds = 0;

	for (u32 i = 0; i < LEN(reasons); i++)
		kinds += reasons[i] != 0;
	print("fuzz: %s: %u rounds, %u entries, %u refused, %u reasons:", be->name, rounds, entered, refused,
	      kinds);
	for (u32 i = 0; i < LEN(reasons); i++)
		if (reasons[i])
			print(" %x:%u", i, reasons[i]);
	print("\n");
}

void fuzz_run(u32 modes)
{
	u32 base = word_number("seed=", 1), round = word_number("round=", 0), first = round;
	u32 limit = word_number("rounds=", ~0u), seconds = word_number("seconds=", 3), left = seconds, text;

	for (u32 i = 0; i < LEN(canary); i++)
		canary[i] = i * 0x9e3779b1u;
	text = checksum((u32 *)kernel_text, (u32 *)kernel_text_end);
	alone = limit == 1;
	outb(0x21, 0xfe); /* each guest is interrupted in a millisecond */
	while (round - first < limit && left) {
		u32 passed_now = seconds_passed();

		left = passed_now < left ? left - passed_now : 0;
		if (alone || has_word(cmdline, "verbose") || !(round & 0x3fff))
			print("fuzz: round %u\n", round);
		seed = (base * 0x85ebca6bu ^ round * 0xc2b2ae35u) | 1;
		random32();
		one_round(modes);
		round++;
		if (!(round & 63) && !canary_lives())
			break;
	}
	outb(0x21, 0xff);
	canary_lives();
	if (checksum((u32 *)kernel_text, (u32 *)kernel_text_end) != text) {
		print("FAIL fuzz: the hypervisor's code has changed\n");
		failed++;
	}
	summary(round - first);
}
