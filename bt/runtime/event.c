/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events: matched against the filters, and remembered for the engine's loop. Built with -mgeneral-regs-only
 * (base/gpr.h). */
#include "bt/runtime/event.h"
#include "cpu/virt.h"

void runtime_event_hit(struct bt_vcpu *b, enum engine_event kind, uint64_t number, uint64_t val, bool write,
		       gva pc)
{
	if (b->debug.event_hit)
		return;
	for (unsigned i = 0; i < b->debug.nfilters; i++) {
		const struct event_filter *f = &b->debug.filters[i];

		if (f->kind != kind || number < f->lo || number > f->hi)
			continue;
		b->v.event = (struct engine_hit){
			.kind = kind, .number = number, .write = write, .val = val, .pc = pc
		};
		b->debug.event_hit = true;
		b->stop = 1;
		syscall_cache_forget(b);
		return;
	}
}

void runtime_virt_hit(struct bt_vcpu *b)
{
	const struct engine_virt *c = b->v.virt ? b->v.virt->controls : NULL;
	struct engine_hit h;

	if (c && c->ops->take(c->ctx, &h))
		runtime_event(b, h.kind, h.number, h.val, false, h.pc);
}

void runtime_chain_events(struct bt_vcpu *b, unsigned first, bool ok)
{
	for (unsigned i = first; i < b->v.nchain; i++) {
		const struct engine_exc *e = &b->v.chain[i];

		b->st.excs[e->exc.vector & 31]++;
		runtime_event(b, ENGINE_EV_EXCEPTION, e->exc.vector, e->exc.err, false, cpu_pc(&b->v.cpu));
	}
	if (ok)
		b->v.nchain = 0;
}

/* The mode of CR0 and the present EFER.LME, which does not change while paging is on. */
static enum engine_mode mode_of(const struct cpu *c, uint64_t cr0)
{
	if (!(cr0 & CR0_PE))
		return ENGINE_MODE_REAL;
	if (!(cr0 & CR0_PG))
		return ENGINE_MODE_PROTECTED;
	return c->efer & EFER_LME ? ENGINE_MODE_LONG : ENGINE_MODE_PAGING;
}

void runtime_cr_event(struct bt_vcpu *b, unsigned n, uint32_t old, gva pc)
{
	const struct cpu *c = &b->v.cpu;
	uint64_t now = n == 0 ? c->cr0 : n == 2 ? c->cr2 : n == 3 ? c->cr3 : c->cr4;

	runtime_event(b, ENGINE_EV_CR, n, now, true, pc);
	if (n == 0 && mode_of(c, old) != mode_of(c, c->cr0))
		runtime_event(b, ENGINE_EV_MODE, mode_of(c, c->cr0), c->cr0, true, pc);
}

void runtime_vm_changed(struct bt_vcpu *b)
{
	const struct cpu *c = &b->v.cpu;
	bool vm = c->sysflags & FL_VM;

	if (vm == b->debug.was_vm)
		return;
	b->debug.was_vm = vm;
	runtime_event(b, ENGINE_EV_MODE, vm ? ENGINE_MODE_V86 : mode_of(c, c->cr0), c->cr0, true, cpu_pc(c));
}
