/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs: first in the model, which writes the script; then on the processor, whose every trap must be
 * the script's next event. Then the pages are compared. */
#include "guests/stress/stress.h"

struct script script;
struct counts counts;
static u32 next_event;
static volatile bool running;

/* ---- in the model ---- */

void add_action(u32 kind, u32 a, u32 b)
{
	if (script.nactions < MAX_ACTIONS)
		script.act[script.nactions++] = (struct action){ kind, a, b };
}

static struct event *add_event(u32 vec, u32 first_action)
{
	struct event *e = &script.ev[script.nevents++];

	*e = (struct event){ .vec = vec, .at = cpu, .fl_open = cpu_undef, .user = cpu_user };
	if (vec == 14) {
		e->err = fault.err;
		e->err_open = fault.err_open;
		e->cr2 = fault.cr2;
	}
	e->action = first_action;
	return e;
}

static bool full(void)
{
	return script.nevents == MAX_EVENTS || script.nactions > MAX_ACTIONS - 16 || !model_room();
}

/* An event in the model; false: it is the last one. */
static bool on_event(enum outcome o, u32 vector)
{
	u32 first = script.nactions;
	struct event *e = add_event(o == FAULT ? 14 : vector, first);
	bool goes_on = false;

	if (o == FAULT)
		goes_on = chance(85) && fix_fault((e->err | e->err_open) & PTE_W, e->err & PTE_U);
	else if (vector == SERVICE_INT) {
		service();
		goes_on = true;
	}
	e->nactions = script.nactions - first;
	e->last = !goes_on;
	serialize(); /* by IRET */
	if (goes_on && o == FAULT)
		counts.fixed++;
	return goes_on;
}

static bool in_model(void)
{
	script.nevents = script.nactions = 0;
	for (u32 n = 0; n < 6000; n++) {
		u32 vector = 0;
		enum outcome o = full() ? OPEN : step(&vector);

		if (o == OPEN || (o == INT && vector != SERVICE_INT && vector != END_INT))
			return false;
		if (o != OK && !on_event(o, vector))
			return true;
	}
	return false;
}

/* ---- on the processor ---- */

void act(const struct action *a)
{
	static const char *const names[] = { "store", "fill", "copy", "invlpg", "cr3", "pge", "wp" };

	if (tracing())
		print("round %u: %s %08x %08x\n", round_no, names[a->kind], a->a, a->b);
	switch (a->kind) {
	case A_STORE:
		*(volatile u32 *)phys(a->a) = a->b;
		break;
	case A_FILL: {
		void *to = phys(a->a);
		u32 n = 1024;

		asm volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(a->b) : "memory");
		break;
	}
	case A_COPY:
		memcpy(phys(frame_pa(a->a)), phys(frame_pa(a->b)), 4096);
		break;
	case A_INVLPG:
		invlpg(a->a);
		break;
	case A_CR3:
		write_cr3(a->a);
		break;
	case A_PGE:
		write_cr4(read_cr4() ^ CR4_PGE);
		if (!a->a)
			write_cr4(read_cr4() ^ CR4_PGE);
		break;
	case A_WP:
		write_cr0(a->a ? read_cr0() | CR0_WP : read_cr0() & ~CR0_WP);
		break;
	}
}

static void differs(const char *what, u32 expected, u32 got)
{
	const struct event *e = &script.ev[next_event];

	print("stress: %s run from %08x, event %u of %u: vector %u at %08x expected (error %x, cr2 %08x)\n",
	      script.user ? "user" : "kernel", script.start.eip, next_event + 1, script.nevents, e->vec,
	      e->at.eip, e->err, e->cr2);
	diverged(what, expected, got);
}

static void compare(const struct frame *f, const struct event *e, u32 cr2)
{
	static const char *const names[8] = { "EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI" };
	const u32 got[8] = { f->eax, f->ecx, f->edx, f->ebx, e->user ? f->esp : (u32)&f->esp,
			     f->ebp, f->esi, f->edi };
	u32 flags = (FL_ARITH | FL_DF | FL_IF) & ~e->fl_open;

	if (f->vec != e->vec) {
		print("stress: error %x, cr2 %08x\n", f->err, cr2);
		differs("vector at another place", e->vec, f->vec);
	}
	if (f->eip != e->at.eip)
		differs("EIP", e->at.eip, f->eip);
	if (((f->cs & 3) == 3) != e->user)
		differs("CPL", e->user, f->cs & 3);
	if (f->vec == 14 && cr2 != e->cr2)
		differs("CR2", e->cr2, cr2);
	if (f->vec == 14 && ((f->err ^ e->err) & ~e->err_open))
		differs("error code", e->err, f->err);
	for (u32 i = 0; i < 8; i++)
		if (got[i] != e->at.r[i])
			differs(names[i], e->at.r[i], got[i]);
	if ((f->eflags ^ e->at.fl) & flags)
		differs("EFLAGS", e->at.fl & flags, f->eflags & flags);
}

/* The timer handler: flushes, which change nothing that the model can see. */
static void noise(void)
{
	static u32 x = 12345;
	u32 kind;

	x = x * 1664525 + 1013904223;
	kind = x >> 24;
	if (kind < 24)
		write_cr3(read_cr3());
	else if (kind < 32)
		act(&(struct action){ A_PGE, 0, 0 });
	else if (kind < 64)
		invlpg(page_va(x & 3, (x >> 8) & (ZPAGES - 1)));
}

void stress_trap(struct frame *f)
{
	u32 cr2 = f->vec == 14 ? read_cr2() : 0;
	const struct event *e = &script.ev[next_event];

	if (f->vec == 0x20) {
		outb(0x20, 0x20);
		counts.irqs++;
		noise();
		return;
	}
	if (!running)
		panic("unexpected exception", f);
	compare(f, e, cr2);
	for (u32 i = 0; i < e->nactions; i++)
		act(&script.act[e->action + i]);
	next_event++;
	if (!e->last)
		return;
	running = false;
	run_leave();
}

static void trace_code(u32 va)
{
	struct place at;

	for (u32 i = 0; i < 500; i++) {
		int f = peek(va + i, &at);

		if (f < 0 || f >= NPOOL)
			break;
		print("%02x%s", mem[f][at.off], i % 40 == 39 ? "\n" : " ");
	}
	print("\n");
}

static void trace_run(void)
{
	print("round %u: %s run, space %u:", round_no, script.user ? "user" : "kernel", st.space);
	for (u32 i = 0; i < 8; i++)
		print(" %08x", script.start.r[i]);
	print(" eip %08x fl %x\n", script.start.eip, script.start.fl);
	for (u32 i = 0; i < script.nevents; i++)
		print("  event %u: vector %x err %x cr2 %08x eip %08x eax %08x ecx %08x, %u actions\n", i + 1,
		      script.ev[i].vec, script.ev[i].err, script.ev[i].cr2, script.ev[i].at.eip,
		      script.ev[i].at.r[EAX], script.ev[i].at.r[ECX], script.ev[i].nactions);
}

bool run(u32 eip, const u32 r[8], bool user, bool if_on)
{
	struct regs start = { .eip = eip, .fl = 2 | (if_on ? FL_IF : 0) | (rnd() & FL_ARITH) };

	for (u32 i = 0; i < 8; i++)
		start.r[i] = r[i];
	/* the bytes above, which interrupts overwrite after a POP */
	memset(kstack + 4000, 0, 96);
	memset(mem[F_KSTACK] + 4000, 0, 96);
	start.r[ESP] = user ? USTACK + 4000 : (u32)kstack + 4000;
	if (user && chance(30))
		start.r[ESP] = random_place(true, true);
	cpu = start;
	cpu_user = user;
	cpu_undef = 0;
	if (tracing()) {
		print("code at %08x, space %u:\n", eip, st.space);
		trace_code(eip);
	}
	model_begin();
	serialize();
	if (!in_model()) {
		model_undo();
		counts.open++;
		return false;
	}
	script.start = start;
	script.user = user;
	next_event = 0;
	running = true;
	if (tracing())
		trace_run();
	run_guest(&script.start, user);
	counts.runs++;
	for (u32 i = 0; i < script.nevents; i++) {
		counts.faults += script.ev[i].vec == 14;
		counts.services += script.ev[i].vec == SERVICE_INT;
	}
	if (round_no >= check_from)
		check_all();
	return true;
}

/* ---- pages ---- */

static const u8 *real_page(u32 frame)
{
	return frame == F_USTACK ? ustack_page : phys(frame_pa(frame));
}

void check_frame(u32 frame)
{
	static const char *const roles[] = { "data", "code", "page table", "directory" };
	const u8 *real = real_page(frame);

	for (u32 i = 0; i < 4096; i += 4) {
		u32 got = *(const volatile u32 *)&real[i], open = *(u32 *)&may[frame][i];

		if (!((got ^ get32(frame, i)) & ~open))
			continue;
		print("stress: page %u (%s) at offset %x, after the run from %08x\n", frame,
		      frame < NPOOL    ? roles[role[frame]]
		      : frame < F_HOLE ? "VGA"
				       : "stack",
		      i, script.start.eip);
		diverged("memory", get32(frame, i), got);
	}
	may_settle(frame, real);
}

void check_all(void)
{
	for (u32 f = 0; f < F_HOLE; f++)
		check_frame(f);
	check_frame(F_USTACK);
}

static void gate(u32 vector, u32 handler, u32 type)
{
	struct pseudo_desc d;

	asm volatile("sidt %0" : "=m"(d));
	((u64 *)d.base)[vector] =
	    (u64)((handler & 0xffff0000) | type) << 32 | SEL_KCODE << 16 | (handler & 0xffff);
}

void run_init(void)
{
	static const u8 vectors[] = { 6, 13, 14, 0x20, SERVICE_INT, END_INT };

	for (u32 i = 0; i < LEN(vectors); i++)
		gate(vectors[i], stress_stubs[i], vectors[i] >= 0x80 ? 0xee00 : 0x8e00);
}
