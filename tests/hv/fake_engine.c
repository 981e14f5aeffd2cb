/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/hv/fake_engine.h"

#include "hv/machine_int.h"

#include <signal.h>
#include <stdlib.h>

#include "hv/clock.h"

static void on_kick(int sig)
{
	(void)sig;
}

static enum engine_exit spin(struct fake_engine *f)
{
	while (!atomic_exchange(&f->stop, false)) {
		f->v.plat.run_timers(f->v.plat.ctx);
		if (f->v.plat.irq_pending(f->v.plat.ctx) && f->v.cpu.intf)
			f->v.plat.irq_ack(f->v.plat.ctx);
	}
	return ENGINE_STOP;
}

static enum engine_exit fake_run(struct vcpu *v)
{
	struct fake_engine *f = (struct fake_engine *)v;

	f->runs++;
	return f->script ? f->script(f) : spin(f);
}

static enum engine_exit fake_step(struct vcpu *v, unsigned how)
{
	(void)how;
	v->cpu.rip++;
	v->icount++;
	return ENGINE_STEPPED;
}

static void fake_kick(struct vcpu *v)
{
	atomic_store(&((struct fake_engine *)v)->kicked, true);
}
static void fake_stop(struct vcpu *v)
{
	atomic_store(&((struct fake_engine *)v)->stop, true);
}
static void fake_bp(struct vcpu *v, gva lin)
{
	(void)v, (void)lin;
}
static void fake_changed(struct vcpu *v)
{
	(void)v;
}
static void fake_free(struct vcpu *v)
{
	free(v);
}

static const struct engine_ops ops = {
	.name = "fake",
	.run = fake_run,
	.step = fake_step,
	.kick = fake_kick,
	.request_stop = fake_stop,
	.bp_insert = fake_bp,
	.bp_remove = fake_bp,
	.state_changed = fake_changed,
	.free = fake_free,
};

struct vcpu *fake_new(void *script, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
		      char *err, size_t errlen)
{
	struct fake_engine *f = aligned_alloc(64, (sizeof(*f) + 63) & ~63ul);

	(void)err, (void)errlen;
	*f = (struct fake_engine){ .v = { .ops = &ops, .plat = *plat }, .vm = vm, .clock = clock };
	*(void **)&f->script = script;
	signal(ENGINE_KICK_SIGNAL, on_kick);
	return &f->v;
}

const uint8_t fake_guest[36] = {
	0x02, 0xb0, 0xad, 0x1b, 0x00, 0x00, 0x01, 0x00, 0xfe, 0x4f, 0x51, 0xe4,
	0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x10, 0x00, 0xf4, 0xf4, 0xf4, 0xf4,
};

void fake_advance(struct machine *m, uint64_t ns)
{
	struct vm_clock *c = &m->board.clock;
	uint64_t end = clock_now(c) + ns;

	while (clock_next(c) <= end) {
		if (clock_next(c) > clock_now(c))
			m->v->icount += clock_next(c) - clock_now(c);
		clock_run(c);
	}
	if (end > clock_now(c))
		m->v->icount += end - clock_now(c);
}
