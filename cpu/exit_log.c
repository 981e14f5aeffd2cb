/* SPDX-License-Identifier: GPL-3.0-or-later
 * See cpu/exit_log.h. */
#include "cpu/exit_log.h"

/* The entry of the current block; the oldest one is replaced if all are taken. */
static struct exit_log_block *current(struct exit_log *l, gpa at)
{
	unsigned oldest = 0;

	if (l->current < l->nblocks && l->block[l->current].at == at)
		return &l->block[l->current];
	for (unsigned i = 0; i < l->nblocks; i++) {
		if (l->block[i].at == at) {
			l->current = i;
			return &l->block[i];
		}
		if (l->block[i].last < l->block[oldest].last)
			oldest = i;
	}
	l->current = l->nblocks < EXIT_LOG_BLOCKS ? l->nblocks++ : oldest;
	l->block[l->current] = (struct exit_log_block){ .at = at };
	return &l->block[l->current];
}

static void count_site(struct exit_log *l, uint64_t pc, uint32_t slot)
{
	unsigned at = (unsigned)((pc ^ pc >> 10 ^ slot * 0x9e5u) % EXIT_LOG_SITES);

	for (unsigned i = 0; i < EXIT_LOG_PROBES; i++) {
		struct exit_log_site *s = &l->site[(at + i) % EXIT_LOG_SITES];

		if (!s->count)
			*s = (struct exit_log_site){ .pc = pc, .slot = slot };
		if (s->pc == pc && s->slot == slot) {
			s->count++;
			return;
		}
	}
	l->elsewhere++;
}

struct exit_log_exit *exit_log_add(struct exit_log *l, uint32_t code, unsigned slot, uint64_t pc, gpa block,
				   uint64_t info, uint64_t guest)
{
	uint64_t n = ++l->exits;
	struct exit_log_block *b = current(l, block);
	struct exit_log_exit *to = &l->last[n % EXIT_LOG_LAST];

	b->exits++;
	b->last = n;
	b->code = code;
	/* Field by field: compilers clear a whole one first, which takes as long as all the rest. */
	to->number = n;
	to->pc = pc;
	to->info[0] = info;
	to->guest = guest;
	to->host = 0;
	to->block = block;
	to->code = code;
	to->slot = (uint16_t)slot;
	if (slot < EXIT_LOG_SLOTS) {
		struct exit_log_reason *r = &l->reason[slot];

		r->count++;
		r->guest += guest;
		r->info = info;
		r->pc = pc;
		count_site(l, pc, slot);
	}
	return to;
}

void exit_log_entered(struct exit_log *l, gpa block, uint64_t now)
{
	struct exit_log_exit *e = &l->last[l->exits % EXIT_LOG_LAST];

	l->entries++;
	current(l, block)->entries++;
	if (l->exits && l->turned) {
		e->host = now - l->turned;
		if (e->slot < EXIT_LOG_SLOTS)
			l->reason[e->slot].host += e->host;
	}
	l->turned = now;
}

void exit_log_hit(struct exit_log *l, enum engine_event kind, uint32_t number, uint64_t val, uint64_t pc)
{
	l->hit = (struct engine_hit){ kind, number, false, val, pc };
	l->has_hit = true;
}

bool exit_log_take(struct exit_log *l, struct engine_hit *hit)
{
	if (!l->has_hit)
		return false;
	*hit = l->hit;
	l->has_hit = false;
	return true;
}
