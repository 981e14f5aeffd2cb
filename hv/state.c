/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state hash: equal for two machines that are in the same state as far as a
 * guest can tell. What depends on the host (the TSC offset, FPU instruction
 * pointers, parts of the XSAVE image that are not in use) stays out. */
#include <string.h>
#include <xxhash.h>

#include "hv/machine_int.h"

enum {
	CHUNK = 1 << 16,
	FPU_FTW_END = 5,
	FPU_DP_END = 24,
	FPU_LEGACY_END = 416,
	XSTATE_BV = 512,
	AVX_AT = 576,
	AVX_LEN = 256
};

/* Parts of struct cpu that are architectural state. */
#define PART(f)                                                                                              \
	{                                                                                                    \
		offsetof(struct cpu, f), sizeof(((struct cpu *)0)->f)                                        \
	}
static const struct {
	uint16_t off, size;
} cpu_parts[] = {
	PART(rip),  PART(shadow),    PART(cpl),	    PART(halted),      PART(nmi_blocked),  PART(nmi_pending),
	PART(gdtr), PART(idtr),	     PART(cr0),	    PART(cr2),	       PART(cr3),	   PART(cr4),
	PART(dr),   PART(efer),	     PART(xcr0),    PART(sysenter_cs), PART(sysenter_esp), PART(sysenter_eip),
	PART(pat),  PART(apic_base), PART(tsc_aux), PART(misc_enable), PART(mtrr_def),	   PART(a20_mask),
};

static void add(XXH3_state_t *h, const void *p, size_t n)
{
	XXH3_64bits_update(h, p, n);
}

static void add_seg(XXH3_state_t *h, const struct seg_cache *s)
{
	const uint32_t v[] = { s->base, s->limit, s->attr, s->sel };

	add(h, v, sizeof(v));
}

static void hash_cpu(XXH3_state_t *h, const struct cpu *c)
{
	uint32_t flags = cpu_eflags(c);

	for (int i = 0; i < 8; i++)
		add(h, &c->gpr[i], 4);
	add(h, &flags, 4);
	for (unsigned i = 0; i < ARRAY_LEN(cpu_parts); i++)
		add(h, (const uint8_t *)c + cpu_parts[i].off, cpu_parts[i].size);
	for (int i = 0; i < SEG_COUNT; i++)
		add_seg(h, &c->seg[i]);
	add_seg(h, &c->ldtr);
	add_seg(h, &c->tr);
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

static void hash_devices(XXH3_state_t *h, const struct board *b)
{
	for (int i = 0; i < SLOT_COUNT; i++) {
		const struct dev_class *cls = b->dev[i]->cls;

		for (unsigned f = 0; f < cls->nfields; f++)
			add(h, (const uint8_t *)b->dev[i] + cls->fields[f].off, cls->fields[f].size);
	}
	add(h, &b->lines, sizeof(b->lines));
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
	hash_cpu(h, &m->v->cpu);
	hash_fpu(h, m->v->cpu.fpu);
	hash_devices(h, &m->board);
	add(h, &m->msr, sizeof(m->msr));
	if (m->cfg.clock == CLOCK_ICOUNT) {
		add(h, &m->v->icount, sizeof(m->v->icount));
		add(h, &m->board.clock.skipped, sizeof(m->board.clock.skipped));
	}
	hash_memory(h, m);
	sum = XXH3_64bits_digest(h);
	XXH3_freeState(h);
	return sum;
}
