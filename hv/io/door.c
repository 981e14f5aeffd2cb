/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/io/door.h. The call itself keeps the general registers, and the stub of translated code that led
 * here keeps flags and direction; what is left are the x87 and vector registers and their control words.
 * GPR-only code (base/gpr.h). */
#include "hv/io/door.h"

#include "base/gpr.h"

/* The rate decays by a quarter in each period of 2^20 cycles (some 300 us). A steady rate of one event a
 * period settles at 4 units; above BUSY, about 8,000 a second, switches are frequent. */
enum { PERIOD_SHIFT = 20, UNIT = 64, BUSY = 10 * UNIT, LONG_AGO = 32 };

void door_init(struct door *d)
{
	gpr_zero(d, sizeof(*d));
	d->host = true;
	d->io = (struct hosted_io){ true, true, true };
	door_add(d, &d->cpu, "processor");
}

void door_add(struct door *d, struct door_user *u, const char *name)
{
	struct door_user **at = &d->users;

	gpr_zero(u, sizeof(*u));
	u->name = name;
	while (*at)
		at = &(*at)->next;
	*at = u;
}

void door_remove(struct door *d, struct door_user *u)
{
	for (struct door_user **at = &d->users; *at; at = &(*at)->next)
		if (*at == u) {
			*at = u->next;
			break;
		}
	for (unsigned i = 0; i < DOOR_RING; i++)
		if (d->ring[i].user == u)
			d->ring[i].user = &d->cpu;
}

static inline uint64_t tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static void account(struct door *d, struct door_user *u, const struct door_switch *s)
{
	struct door_use *use = &u->use[s->reason];

	use->switches++;
	use->out += s->out;
	use->in += s->in;
	use->host += s->host;
	d->ring[d->total++ % DOOR_RING] = *s;
	if (__builtin_expect(d->watch != NULL, 0) && s->reason != DOOR_STOP) /* which a watch causes */
		d->watch(d->ctx, s);
}

void door_call(struct door *d, struct door_user *u, enum door_reason why, void (*fn)(void *), void *arg)
{
	struct vector_state v;
	struct door_switch s = { .user = u, .reason = (uint8_t)why };
	uint64_t left, back;

	if (d->host) {
		d->inside++;
		fn(arg);
		return;
	}
	s.tsc = tsc();
	vectors_away(&v);
	d->host = true;
	left = tsc();
	fn(arg);
	if (d->visit)
		d->visit(d->ctx);
	back = tsc();
	d->host = false;
	vectors_back(&v);
	s.out = (uint32_t)(left - s.tsc);
	s.host = back - left;
	s.in = (uint32_t)(tsc() - back);
	account(d, u, &s);
}

void door_opens(struct door *d)
{
	d->opened = tsc();
	d->host = true;
}

void door_closes(struct door *d, enum door_reason why)
{
	struct door_switch s = { .tsc = d->opened, .user = &d->cpu, .reason = (uint8_t)why };

	d->host = false;
	if (!d->opened)
		return;
	s.host = tsc() - d->opened;
	account(d, &d->cpu, &s);
}

bool door_busy(struct door *d)
{
	struct door_rate *r = &d->rate;
	uint64_t periods = (tsc() - r->since) >> PERIOD_SHIFT;

	if (periods > LONG_AGO) {
		r->level = 0;
		r->since += periods << PERIOD_SHIFT;
	} else {
		r->since += periods << PERIOD_SHIFT;
		while (periods--)
			r->level -= r->level / 4;
	}
	r->level += UNIT;
	return r->level > BUSY;
}
