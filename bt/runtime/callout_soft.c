/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of prechecked sites of 64-bit code (lower/long_precheck.c): what the fault handler would do, and
 * the access itself where the page is soft. */
#include "bt/adapt/adapt.h"
#include "bt/runtime/callout_int.h"

#include "base/gpr.h"
#include "mm/long.h"

static void copy(uint8_t *d, const uint8_t *s, unsigned n)
{
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(any64 *)d = *(const any64 *)s;
	for (; n >= 4; n -= 4, d += 4, s += 4)
		*(any32 *)d = *(const any32 *)s;
	for (; n; n--)
		*d++ = *s++;
}

/* The page of LIN was found mapped. */
static void note_tag(struct bt_vcpu *b, const struct site *s, gva lin)
{
	uint64_t d = s->precheck.user ? b->parts[b->v.cpu.cpl == 3].d[PART_HIGH] : b->space.d;

	b->tags.tag[s->precheck.write][lin >> PAGE_SHIFT & (TAGS - 1)] = -((lin + d) >> PAGE_SHIFT);
}

static void charge(struct bt_vcpu *b, const struct site *s, uint64_t start)
{
	adapt_after(b, verdict_find(b, ccf_linear(s->ccf, s->eip)), s->ccf, CAUSE_MISS,
		    __builtin_ia32_rdtsc() - start + b->adapt.cost.callout);
}

static uint64_t page_fault(struct bt_vcpu *b, struct site *s, gva lin, const struct mmu_fault *f)
{
	if (f->vector != EXC_PF) {
		cpu_raise(&b->v.cpu, f->vector);
		return callout_raise(b, s);
	}
	cpu_raise_err(&b->v.cpu, EXC_PF, f->err);
	b->v.cpu.exc.cr2 = lin;
	b->prefill.armed = true;
	b->prefill.pc = cpu_pc(&b->v.cpu);
	b->prefill.lin = lin;
	return callout_raise(b, s);
}

/* The access is made as if there were no precheck where anything is out of the ordinary. */
static bool is_ordinary(struct bt_vcpu *b, const struct site *s, gva lin)
{
	unsigned size = s->precheck.size;

	return (lin & PAGE_MASK) + size <= PAGE_SIZE && !(s->precheck.aligned && (lin & (size - 1))) &&
	       (!s->precheck.user || dispatch_user_space(b));
}

uint64_t co_soften(struct bt_vcpu *b, struct site *s, uint64_t lin)
{
	unsigned how = s->precheck.write ? MM_WRITE : MM_READ;
	uint64_t start = __builtin_ia32_rdtsc();
	struct mmu_fault f;

	callout_begin(b, s);
	if (!is_ordinary(b, s, lin))
		return 0;
	f = (struct mmu_fault){ .pc = cpu_pc(&b->v.cpu) };
	switch (mmu_long_soften(b->v.mmu, lin, how, s->precheck.user, &f)) {
	case SOFT_MAPPED:
		if (!b->cfg.soft_all && !b->cfg.precheck_all)
			note_tag(b, s, lin);
		return 0;
	case SOFT_FAULT:
		charge(b, s, start);
		return page_fault(b, s, lin, &f);
	case SOFT_NONE:
		return 0;
	case SOFT_NEW:
		charge(b, s, start);
		break;
	case SOFT_HERE:
		break;
	}
	b->soft_used[soft_use(cpu_pc(&b->v.cpu))] = 1;
	b->exit.mmio_lin = lin;
	if (s->precheck.reads)
		copy(b->bounce, mmu_long_soft(b->v.mmu, lin, how, s->precheck.user), s->precheck.size);
	return b->tc_base + s->precheck.bypass;
}

uint64_t co_soft_end(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	unsigned how = MM_WRITE | (b->v.cpu.cpl == 3 ? MM_USER : 0), size = s->precheck.size;
	gva lin = b->exit.mmio_lin;
	uint8_t *at = mmu_long_soft(b->v.mmu, lin, how, s->precheck.user);

	(void)ea;
	callout_begin(b, s);
	if (!at)
		return callout_done(b, s, mmu_write(b->v.mmu, lin, b->bounce, size, how));
	copy(at, b->bounce, size);
	return 0;
}
