/* SPDX-License-Identifier: GPL-3.0-or-later
 * See cache/history.h. Records are written where fragments are made and dropped, also in callouts: built
 * with -mgeneral-regs-only (base/gpr.h). */
#include "bt/cache/history.h"

const char *const drop_names[DROP_REASONS] = {
#define DROP(id, name) name,
#include "bt/state/drop.def"
#undef DROP
};

static struct history *next(struct bt_vcpu *b, enum history_what what)
{
	struct history *h = &b->history.ring[b->history.n++ % MAX_HISTORY];

	h->tsc = __builtin_ia32_rdtsc();
	h->what = (uint8_t)what;
	h->by = h->traps = h->callouts = 0;
	h->cycles = 0;
	return h;
}

static struct history *of_ccf(struct bt_vcpu *b, const struct ccf *f, enum history_what what)
{
	struct history *h = next(b, what);

	h->pc = f->pc;
	h->insns = f->ninsn;
	h->host = f->hsize;
	h->guest = f->glen;
	return h;
}

uint64_t ccf_entries(const struct bt_vcpu *b, const struct ccf *f)
{
	return f->counter == NOT_COUNTED ? UINT64_MAX : b->entries.count[f->counter];
}

void history_made(struct bt_vcpu *b, const struct ccf *f)
{
	of_ccf(b, f, HISTORY_MADE)->entries = UINT64_MAX;
}

void history_dropped(struct bt_vcpu *b, const struct ccf *f, enum drop_why why, gva by)
{
	struct history *h = of_ccf(b, f, HISTORY_DROPPED);

	h->why = (uint8_t)why;
	h->by = by;
	for (unsigned i = 0; i < TRAP_CAUSES; i++)
		h->traps += f->traps[i];
	h->callouts = f->callouts;
	h->cycles = f->cycles;
	h->entries = ccf_entries(b, f);
	if (b->adapt.charge.f == f)
		b->adapt.charge.life = h;
}

void history_flushed(struct bt_vcpu *b, enum drop_why why)
{
	struct history *h = next(b, HISTORY_FLUSHED);

	h->pc = 0;
	h->why = (uint8_t)why;
	h->insns = 0;
	h->guest = 0;
	h->host = 0;
	h->entries = UINT64_MAX;
}

void history_count_drop(struct bt_vcpu *b, const struct ccf *f, enum drop_why why)
{
	uint64_t n = ccf_entries(b, f);

	b->account.drops[why]++;
	if (n == UINT64_MAX)
		return;
	b->account.entries_gone += n;
	for (unsigned i = 0; i < f->nsens; i++)
		if (f->sens[i].way == WAY_INTC) {
			b->account.intc_gone[f->sens[i].kind] += n;
			b->account.work_gone[f->sens[i].kind] += n * f->sens[i].work;
		}
}
