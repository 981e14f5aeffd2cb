/* SPDX-License-Identifier: GPL-3.0-or-later
 * stress64: changes, switches and accesses in random order; each access is compared with the model. One seed
 * is one sequence, whatever the processor does.
 *
 * Words of the command line: seed=N (1), steps=N (20000), seconds=N (by the machine's clock, in place of
 * steps), trace=N (what is done, from step N on), odd (what no system does: pages of user mode in the upper
 * half, SMAP without SMEP), kpti (user mode has roots of its own, as kernels that isolate page tables have).
 * Ends like the demo guest. */
#include "guests/stress64/stress.h"

#define USER_AT                                                                                              \
	0x210000000000 /* where user mode has its code, and its stack above: no spot is in that PML4 entry   \
			*/

extern u8 user_image[], user_image_end[];
void user_load(void), user_store(void), user_call(void);

static const char *const names[] = { "load", "store", "call" };
static u64 state = 1, accesses, faults;
bool tracing, odd, kpti;
static u64 *user_stack;

u64 rnd(u64 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

void finish(unsigned failures)
{
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("cli; hlt");
}

static u64 number_of(const char *key, u64 otherwise)
{
	for (const char *p = cmdline; *p; p++) {
		const char *l = p, *k = key;
		u64 n = 0;

		while (*k && *l == *k)
			l++, k++;
		if (*k)
			continue;
		while (*l >= '0' && *l <= '9')
			n = n * 10 + (u64)(*l++ - '0');
		return n;
	}
	return otherwise;
}

/* ---- accesses ---- */

struct request {
	enum access how;
	bool user;
	u64 va, value, result;
};

static void do_it(void *arg)
{
	struct request *q = arg;

	if (rights.ac)
		asm volatile("stac");
	if (q->how == LOAD)
		q->result = *(volatile u64 *)q->va;
	else if (q->how == STORE)
		*(volatile u64 *)q->va = q->value;
	else
		q->result = ((u32(*)(void))q->va)();
	if (rights.ac)
		asm volatile("clac");
}

/* Perform Q; is there a fault? It is in `caught`. */
static bool perform(struct request *q)
{
	static void (*const user[])(void) = { user_load, user_store, user_call };
	u64 got;

	if (!q->user)
		return catch_fault(do_it, q);
	user_stack[511] = q->value;
	caught.vec = ~0ull;
	tables_enter_user();
	got = run_user(USER_AT + ((u64)user[q->how] - USER_TEXT), USER_AT + 0x100000 + 4096 - 16, q->va,
		       SEL_UCODE);
	tables_leave_user();
	q->result = got;
	return caught.vec != ~0ull;
}

/* ---- comparison ---- */

static void complain(const struct request *q, const char *what, u64 want, u64 got)
{
	print("%s of %016x by %s in space %u: %s: expected %x, got %x\n", names[q->how], q->va,
	      q->user ? "user mode" : "the kernel", (u64)present, what, want, got);
	print("rights: WP %u NX %u SMEP %u SMAP %u AC %u; vector %u error %x CR2 %x RIP %x; cr3 %x\n",
	      (u64)rights.wp, (u64)rights.nx, (u64)rights.smep, (u64)rights.smap, (u64)rights.ac, caught.vec,
	      caught.err, caught_cr2, caught.rip, read_cr3());
	print("stress64: FAILED\n");
	finish(1);
}

/* The byte at the physical address of the model. */
static u8 *byte_at(const struct outcome o[2], u64 va, unsigned i)
{
	u64 first = o[0].pa & ~0xfffull, second = o[1].pa & ~0xfffull, off = (va & 4095) + i;

	return (u8 *)phys(off < 4096 ? first + off : second + off - 4096);
}

static void check_bits(const struct request *q, const struct outcome *o)
{
	for (unsigned i = 0; i < o->levels; i++)
		if (!(*o->entry[i] & PTE_A))
			complain(q, "accessed bit at level", i, *o->entry[i]);
	if (q->how == STORE && !(*o->entry[o->levels - 1] & PTE_D))
		complain(q, "dirty bit", 1, *o->entry[o->levels - 1]);
}

/* Put a function at VA's place in memory, if it does not cross: mov $VALUE, %eax; ret. */
static void put_code(const struct outcome *o, u32 value)
{
	u8 *p = phys(o->pa);

	p[0] = 0xb8;
	*(u32 *)(p + 1) = value;
	p[5] = 0xc3;
}

static void try_access(void)
{
	struct request q = { .how = (enum access)rnd(3), .user = rnd(2), .value = state };
	unsigned spot = (unsigned)rnd(SPOTS), n = q.how == CALL ? 6 : 8;
	u64 off = rnd(4) ? rnd(4096 - 8) : 4096 - 1 - rnd(7), dirty;
	struct outcome o[2], *bad = NULL;
	bool crosses, fault;
	u32 code = (u32)rnd(~0u);
	u64 root;

	if (q.how == CALL && off > 4096 - 6)
		off = 4096 - 6;
	q.va = spots[spot] + off;
	crosses = off + n > 4096;
	root = kpti && q.user ? spaces[present].user_root : spaces[present].root;
	model_walk(root, q.va, q.how, q.user, &rights, &o[0]);
	model_walk(root, (q.va | 4095) + 1, q.how, q.user, &rights, &o[1]);
	bad = o[0].faults ? &o[0] : crosses && o[1].faults ? &o[1] : NULL;
	if (!bad && q.how == CALL)
		put_code(&o[0], code);
	if (tracing)
		print("%u: %s of %x by %s in space %u, expected %x\n", accesses, names[q.how], q.va,
		      q.user ? "user mode" : "the kernel", (u64)present, bad ? bad->err : o[0].pa);
	dirty = bad ? 0 : *o[0].entry[o[0].levels - 1] & PTE_D;
	fault = perform(&q);
	accesses++;
	if (fault != (bad != NULL))
		complain(&q, bad ? "a fault with error" : "a fault", bad ? bad->err : 0,
			 fault ? caught.err : 0);
	if (bad) {
		faults++;
		if (!caught_is(14, bad->err))
			complain(&q, "error code", bad->err, caught.err);
		if (caught_cr2 != (bad == &o[0] ? q.va : (q.va | 4095) + 1))
			complain(&q, "CR2", q.va, caught_cr2);
		return;
	}
	check_bits(&q, &o[0]);
	if (crosses)
		check_bits(&q, &o[1]);
	if (q.how != STORE && !dirty && *o[0].entry[o[0].levels - 1] & PTE_D)
		complain(&q, "dirty bit", 0, 1);
	if (q.how == CALL && (u32)q.result != code)
		complain(&q, "result", code, (u32)q.result);
	for (unsigned i = 0; q.how != CALL && i < 8; i++)
		if (*byte_at(o, q.va, i) != (u8)((q.how == LOAD ? q.result : q.value) >> 8 * i) &&
		    !(crosses && (o[0].pa & ~0xfffull) == (o[1].pa & ~0xfffull)))
			complain(&q, "a byte in memory", *byte_at(o, q.va, i),
				 q.how == LOAD ? q.result : q.value);
}

/* ---- all of it ---- */

/* In every space: code, read-only, and a stack. */
static void map_user(void)
{
	u64 size = (u64)(user_image_end - user_image), frame = frame_alloc();

	user_stack = phys(frame);
	for (unsigned i = 0; i < SPACES; i++) {
		for (u64 at = 0; at < size; at += 4096)
			map(phys(spaces[i].root), USER_AT + at, (phys_of(user_image) + at) | PTE_P | PTE_U);
		map(phys(spaces[i].root), USER_AT + 0x100000, frame | PTE_P | PTE_W | PTE_U);
	}
}

static void step(void)
{
	u64 what = rnd(100);

	if (what < 60)
		try_access();
	else if (what < 90)
		tables_change();
	else if (what < 97)
		tables_switch();
	else
		tables_protect();
}

/* Seconds of the machine's clock since the last call (less than a minute). */
static u64 seconds_passed(void)
{
	static u64 last = 60;
	u64 now, was = last;

	outb(0x70, 0);
	now = inb(0x71);
	last = now = (now >> 4) * 10 + (now & 15);
	return was == 60 ? 0 : (now + 60 - was) % 60;
}

/* Is there another step after DONE? Of STEPS if SECONDS is 0. */
static bool more(u64 done, u64 steps, u64 seconds)
{
	static u64 passed;

	if (!seconds)
		return done < steps;
	if (done % 256 == 0)
		passed += seconds_passed();
	return passed < seconds;
}

void __attribute__((used)) kernel_main(u32 magic, u32 info)
{
	u64 steps, seconds, trace, i;

	console_init();
	print("Vitrine stress guest of 64-bit mode\n");
	keep_info(magic, info);
	state = number_of("seed=", 1) * 0x9e3779b97f4a7c15 + 1;
	steps = number_of("steps=", 20000);
	seconds = number_of("seconds=", 0);
	trace = number_of("trace=", ~0ull);
	odd = has_word(cmdline, "odd");
	kpti = has_word(cmdline, "kpti");
	tables_init();
	paging_init();
	devices_init();
	tables_setup();
	map_user();
	tables_mirror();
	for (i = 0; more(i, steps, seconds); i++) {
		if (i % (seconds ? 1000000 : 10000) == 0 && i)
			print("%u steps, %u accesses, %u faults\n", i, accesses, faults);
		tracing = i >= trace;
		if (rnd(64) == 0)
			asm volatile("sti; nop; cli");
		step();
	}
	print("%u steps, %u accesses, %u faults\n", i, accesses, faults);
	print("stress64: all as expected\n");
	finish(0);
}
