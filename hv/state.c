/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's state by name, and its hash: equal for two machines that are in the same state
 * as far as a guest can tell. What depends on the host (the TSC offset, FPU instruction pointers,
 * parts of the XSAVE image that are not in use) is not hashed. */
#include "hv/state_int.h"

#include <string.h>
#include <xxhash.h>

enum {
	CHUNK = 1 << 16,
	FPU_FTW_END = 5,
	FPU_DP_END = 24,
	FPU_LEGACY_END = 416,
	XSTATE_BV = 512,
	AVX_AT = 576,
	AVX_LEN = 256
};

#define F_SEG(f) F_NUM(cpu, f.base), F_NUM(cpu, f.limit), F_NUM_IN(cpu, f.attr, 0, 0x1ffff), F_NUM(cpu, f.sel)
static const struct state_field cpu_fields[] = {
	F_ARRAY(cpu, gpr),
	F_NUM_IN(cpu, rip, 0, UINT32_MAX),
	F_NUM(cpu, flags),
	F_NUM(cpu, sysflags),
	F_NUM_IN(cpu, intf, 0, 1),
	F_NUM_IN(cpu, shadow, 0, 1),
	F_NUM_IN(cpu, cpl, 0, 3),
	F_NUM_IN(cpu, halted, 0, 1),
	F_NUM_IN(cpu, nmi_blocked, 0, 1),
	F_NUM_IN(cpu, nmi_pending, 0, 1),
	F_EACH(cpu, seg, base),
	F_EACH(cpu, seg, limit),
	F_EACH_IN(cpu, seg, attr, 0, 0x1ffff),
	F_EACH(cpu, seg, sel),
	F_SEG(ldtr),
	F_SEG(tr),
	F_NUM(cpu, gdtr.base),
	F_NUM(cpu, gdtr.limit),
	F_NUM(cpu, idtr.base),
	F_NUM(cpu, idtr.limit),
	F_NUM(cpu, cr0),
	F_NUM(cpu, cr2),
	F_NUM(cpu, cr3),
	F_NUM(cpu, cr4),
	F_ARRAY(cpu, dr),
	F_NUM(cpu, efer),
	F_NUM(cpu, xcr0),
	F_NUM(cpu, sysenter_cs),
	F_NUM(cpu, sysenter_esp),
	F_NUM(cpu, sysenter_eip),
	F_NUM(cpu, pat),
	F_NUM(cpu, apic_base),
	F_NUM(cpu, tsc_aux),
	F_NUM(cpu, misc_enable),
	F_NUM(cpu, mtrr_def),
	F_COUNTER(cpu, tsc_offset),
	F_NUM(cpu, a20_mask),
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
	F_NUM_IN(board, a20, 0, 1),
	F_NUM(board, lines),
	{ .name = "irq_raised",
	  .off = offsetof(struct board, irq_raised),
	  .size = 8,
	  .count = 16,
	  .stride = 8,
	  .unhashed = true },
	{ .name = "irq_acked",
	  .off = offsetof(struct board, irq_acked),
	  .size = 8,
	  .count = 16,
	  .stride = 8,
	  .unhashed = true },
};
static const struct state_field msr_fields[] = { F_ARRAY(msr_bank, val) };

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
	};

	return parts[i];
}

struct state_part state_dev_part(struct dev *d)
{
	return (struct state_part){ d->cls->name, d->cls->fields, d->cls->nfields, d };
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

/* A component whose XSTATE_BV bit is clear counts as in its initial state. */
static void hash_fpu(XXH3_state_t *h, const uint8_t *image)
{
	static const uint8_t zero[FPU_LEGACY_END];
	const uint8_t init[FPU_FTW_END] = { 0x7f, 0x03 };
	uint64_t bv;

	memcpy(&bv, image + XSTATE_BV, 8);
	add(h, bv & 1 ? image : init, FPU_FTW_END);
	add(h, bv & 1 ? image + 32 : zero, 128);
	add(h, image + FPU_DP_END, 4); /* MXCSR */
	add(h, bv & 2 ? image + 160 : zero, 256);
	add(h, bv & 4 ? image + AVX_AT : zero, AVX_LEN);
}

static void hash_memory(XXH3_state_t *h, struct machine *m)
{
	uint8_t buf[CHUNK];

	for (uint64_t at = 0, n; at < m->memory; at += n) {
		n = m->memory - at < CHUNK ? m->memory - at : CHUNK;
		if (mm_phys_read(m->vm, at, buf, n))
			add(h, buf, n);
	}
}

uint64_t machine_state_hash(struct machine *m)
{
	XXH3_state_t *h = XXH3_createState();
	uint64_t sum;

	if (!h)
		return 0;
	XXH3_64bits_reset(h);
	for (unsigned i = 0; i < MACHINE_PARTS; i++)
		hash_part(h, state_part(m, i));
	hash_fpu(h, m->v->cpu.fpu);
	for (int i = 0; i < SLOT_COUNT; i++)
		hash_part(h, state_dev_part(m->board.dev[i]));
	if (m->cfg.clock == CLOCK_ICOUNT) {
		add(h, &m->v->icount, sizeof(m->v->icount));
		add(h, &m->board.clock.skipped, sizeof(m->board.clock.skipped));
	}
	hash_memory(h, m);
	sum = XXH3_64bits_digest(h);
	XXH3_freeState(h);
	return sum;
}
