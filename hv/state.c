/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's state by name, and its hash: equal for two machines that are in the same state
 * as far as a guest can tell. What depends on the host (the TSC offset, FPU instruction pointers,
 * parts of the XSAVE image that are not in use) is not hashed. */
#include "hv/state_int.h"
#include "hv/ram.h"

#include <string.h>
#include <xxhash.h>

/* Of the processor: the rows of the register table that are state, by what values they may have. */
#define F_ROW(row, where, ...)                                                                               \
	{ .name = #row, .off = offsetof(struct cpu, where), .size = F_SIZE_(cpu, where), ##__VA_ARGS__ },
#define STATE_NO(row, where)
#define STATE_ANY(row, where) F_ROW(row, where)
#define STATE_BIT(row, where) F_ROW(row, where, .max = 1)
#define STATE_RING(row, where) F_ROW(row, where, .max = 3)
#define STATE_ATTR(row, where) F_ROW(row, where, .max = 0xf1ff)
#define STATE_SEL(row, where) F_ROW(row, where.sel)
#define STATE_FLAGS(row, where) F_ROW(flags, flags) F_ROW(sysflags, sysflags) F_ROW(intf, intf, .max = 1)
#define STATE_COUNTER(row, where) F_ROW(row, where, .unhashed = true)
static const struct state_field cpu_fields[] = {
#define REG(name, group, bits, kind, where, rw, gdb, state) STATE_##state(name, where)
#define REGHI(name, group, bits, kind, where, rw, gdb, state) STATE_##state(name, where)
#define REG32(name, where, state) STATE_##state(name, where)
#define REG64(name, where, state) STATE_##state(name, where)
#include "x86/regs.def"
#undef REG
#undef REGHI
#undef REG32
#undef REG64
	{ .name = "fpu",
	  .off = offsetof(struct cpu, fpu),
	  .size = sizeof(((struct cpu *)0)->fpu),
	  .kind = FIELD_HEX,
	  .unhashed = true /* hash_fpu() */ },
};

static const struct state_field run_fields[] = { F_COUNTER(vcpu, icount) };
static const struct state_field clock_fields[] = {
	F_COUNTER(vm_clock, held),
	F_COUNTER(vm_clock, skipped),
	F_COUNTER(vm_clock, held_tsc),
};
static const struct state_field board_fields[] = {
	F_NUM_IN(board, intr, 0, 1),
	F_NUM_IN(board, apic_intr, 0, 1),
	F_NUM_IN(board, pic_intr, 0, 1),
	F_NUM_IN(board, extint, 0, 1),
	F_NUM_IN(board, legacy_off, 0, 1),
	F_NUM_IN(board, a20, 0, 1),
	F_NUM(board, lines),
	F_ARRAY(board, driven),
	{ .name = "irq_raised",
	  .off = offsetof(struct board, irq_raised),
	  .size = 8,
	  .count = IRQ_LINES,
	  .stride = 8,
	  .unhashed = true },
	{ .name = "irq_acked",
	  .off = offsetof(struct board, irq_acked),
	  .size = 8,
	  .count = IRQ_LINES,
	  .stride = 8,
	  .unhashed = true },
	F_COUNTER(board, msis),
	F_COUNTER(board, msis_dropped),
	F_COUNTER(board, nmis),
	F_COUNTER(board, nmis_taken),
};
static const struct state_field msr_fields[] = { F_ARRAY(msr_bank, val) };
static const struct state_field balloon_fields[] = {
	F_NUM_IN(balloon, driver, 0, BALLOON_EMBEDDED),
	F_NUM(balloon, capabilities),
	F_NUM(balloon, guest),
	F_NUM(balloon, limit),
	F_NUM(balloon, held),
	F_NUM(balloon, target),
	F_NUM_IN(balloon, reset, 0, 1),
	F_COUNTER(balloon, contact),
	F_COUNTER(balloon, inflated),
	F_COUNTER(balloon, deflated),
	F_COUNTER(balloon, refused),
	F_COUNTER(balloon, popped),
	F_COUNTER(balloon, reported),
	F_COUNTER(balloon, starts),
	F_COUNTER(balloon, resets),
	F_COUNTER(balloon, rate),
	F_COUNTER(balloon, rate_at),
	F_COUNTER(balloon, rate_from),
	F_ARRAY(balloon, stat),
	F_NUM(balloon, stats_known),
	F_COUNTER(balloon, stats_at),
};

void machine_add_state(struct machine *m, const struct state_part *p)
{
	m->extra = *p;
}

struct state_part state_part(struct machine *m, unsigned i)
{
#define PART(name, fields, obj)                                                                              \
	{                                                                                                    \
		name, fields, ARRAY_LEN(fields), obj                                                         \
	}
	const struct state_part parts[MACHINE_PARTS] = {
		[PART_CPU] = PART("cpu", cpu_fields, &m->v->cpu),
		[PART_RUN] = PART("run", run_fields, m->v),
		[PART_CLOCK] = PART("clock", clock_fields, &m->board.clock),
		[PART_BOARD] = PART("board", board_fields, &m->board),
		[PART_MSRS] = PART("msrs", msr_fields, &m->msr),
		[PART_BALLOON] = PART("balloon", balloon_fields, &m->board.balloon),
		[PART_EXTRA] = m->extra,
	};

	return parts[i];
}

struct state_part state_dev_part(struct dev *d)
{
	return (struct state_part){ d->name, d->cls->fields, d->cls->nfields, d };
}

/* ---- the hash ---- */

static void add(XXH3_state_t *h, const void *p, size_t n)
{
	XXH3_64bits_update(h, p, n);
}

static void hash_part(XXH3_state_t *h, struct state_part p)
{
	part_hash(&p, h);
}

/* A component that the image does not have counts as in its initial state. */
static void hash_fpu(XXH3_state_t *h, const struct xsave_image *x)
{
	static const struct xsave_image init = { .fcw = FCW_INIT };
	const struct xsave_image *x87 = x->xstate_bv & XCR0_X87 ? x : &init;
	const struct xsave_image *sse = x->xstate_bv & XCR0_SSE ? x : &init;
	const struct xsave_image *avx = x->xstate_bv & XCR0_AVX ? x : &init;

	add(h, &x87->fcw, sizeof(x87->fcw));
	add(h, &x87->fsw, sizeof(x87->fsw));
	add(h, &x87->ftw, sizeof(x87->ftw));
	add(h, x87->st, sizeof(x87->st));
	add(h, &x->mxcsr, sizeof(x->mxcsr));
	add(h, sse->xmm, sizeof(sse->xmm));
	add(h, avx->ymmh, sizeof(avx->ymmh));
}

/* Nothing, where all is in its initial state: as of processors without AVX-512. */
static void hash_avx512(XXH3_state_t *h, const struct avx512_image *x)
{
	struct avx512_image all = *x;

	avx512_expand(&all);
	avx512_settle(&all);
	if (all.xstate_bv)
		add(h, all.k, sizeof(all) - offsetof(struct avx512_image, k));
}

/* Memory of [FIRST, END). Pages that are all zero are left out, populated or not. */
static void hash_range(XXH3_state_t *h, struct machine *m, gpa first, gpa end)
{
	static const uint8_t zero[PAGE_SIZE];
	uint8_t page[PAGE_SIZE];

	for (gpa a = mm_next_populated(m->vm, first); a < end; a = mm_next_populated(m->vm, a + PAGE_SIZE)) {
		if (!mm_phys_read(m->vm, a, page, sizeof(page)) || !memcmp(page, zero, sizeof(page)))
			continue;
		add(h, &a, sizeof(a));
		add(h, page, sizeof(page));
	}
}

static void hash_memory(XXH3_state_t *h, struct machine *m)
{
	gpa frame = vga_frame(m->board.dev[SLOT_vga]), end = ram_end(m->memory);

	hash_range(h, m, 0, end);
	if (frame >= end)
		hash_range(h, m, frame, frame + VGA_FRAME_SIZE);
}

/* Which pages are in the balloon. */
static void hash_balloon(XXH3_state_t *h, struct machine *m)
{
	uint32_t n = 0;

	for (ppn p = 0; mm_next_ballooned(m->vm, p, &p, &n); p += n) {
		add(h, &p, sizeof(p));
		add(h, &n, sizeof(n));
	}
}

uint64_t machine_state_hash(struct machine *m)
{
	XXH3_state_t *h = XXH3_createState();
	uint64_t sum;

	if (!h)
		return 0;
	balloon_sync(&m->board);
	XXH3_64bits_reset(h);
	for (unsigned i = 0; i < machine_parts(m); i++)
		hash_part(h, state_part(m, i));
	hash_fpu(h, &m->v->cpu.xsave);
	hash_avx512(h, &m->v->cpu.avx512);
	for (unsigned i = 0; i < m->board.ndevs; i++)
		hash_part(h, state_dev_part(m->board.dev[i]));
	if (m->cfg.clock == CLOCK_ICOUNT) {
		add(h, &m->v->icount, sizeof(m->v->icount));
		add(h, &m->board.clock.skipped, sizeof(m->board.clock.skipped));
	}
	hash_memory(h, m);
	hash_balloon(h, m);
	sum = XXH3_64bits_digest(h);
	XXH3_freeState(h);
	return sum;
}
