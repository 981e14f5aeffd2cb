/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is done about each exit of KVM. General registers are in K->run then (KVM_SYNC_X86_REGS); the others
 * are KVM's. What an exit leaves half done (IN, a read of device memory, an MSR) is completed by the next
 * entry. */
#include "kvm/kvm_int.h"

#include "cpu/system.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint32_t load(const uint8_t *at, unsigned size)
{
	uint32_t v = 0;

	memcpy(&v, at, size <= sizeof(v) ? size : sizeof(v));
	return v;
}

/* Devices may look at registers, and change them (VMware's port). */
static int on_io(struct kvm_engine *k)
{
	const struct platform *p = &k->v->plat;
	struct kvm_run *r = k->run;
	uint8_t *data = (uint8_t *)r + r->io.data_offset;
	unsigned size = r->io.size;
	uint32_t in;

	state_peek(k);
	for (uint32_t i = 0; i < r->io.count; i++, data += size) {
		if (r->io.direction == KVM_EXIT_IO_OUT) {
			p->out(p->ctx, r->io.port, size, load(data, size));
			continue;
		}
		in = p->in(p->ctx, r->io.port, size);
		memcpy(data, &in, size <= sizeof(in) ? size : sizeof(in));
	}
	state_poke_general(k);
	return GO_ON;
}

/* Not all of these are devices': memory that KVM cannot reach, or not write, comes here if KVM emulates the
 * instruction. */
static int on_mmio(struct kvm_engine *k)
{
	const struct platform *p = &k->v->plat;
	struct kvm_run *r = k->run;
	gpa a = r->mmio.phys_addr;
	unsigned n = r->mmio.len <= sizeof(r->mmio.data) ? r->mmio.len : sizeof(r->mmio.data);
	bool memory = mm_is_ram(k->vm, a, n) && (a & PAGE_MASK) + n <= PAGE_SIZE;

	state_peek(k);
	if (r->mmio.is_write && memory && !mm_mirror_write(k->mirror, a, r->mmio.data, n))
		k->once = REASON_MEMORY; /* which says what failed */
	else if (r->mmio.is_write && memory)
		return GO_ON;
	else if (r->mmio.is_write)
		p->mmio_write(p->ctx, a, r->mmio.data, n);
	else if (memory)
		mm_phys_read(k->vm, a, r->mmio.data, n);
	else
		p->mmio_read(p->ctx, a, r->mmio.data, n);
	return GO_ON;
}

/* KVM goes on behind HLT when it is entered again. */
static int on_hlt(struct kvm_engine *k)
{
	const struct platform *p = &k->v->plat;

	if (k->v->cpu.nmi_pending || (k->run->if_flag && p->irq_pending(p->ctx)))
		return GO_ON;
	return ENGINE_HALT;
}

static int on_nothing(struct kvm_engine *k)
{
	(void)k;
	return GO_ON;
}

/* MSRs that exit are in struct cpu, or the machine's. */
static int on_rdmsr(struct kvm_engine *k)
{
	struct kvm_run *r = k->run;
	uint64_t val = 0;

	state_peek(k);
	r->msr.error = !cpu_msr_get(k->v, r->msr.index, &val);
	r->msr.data = val;
	return GO_ON;
}

static int on_wrmsr(struct kvm_engine *k)
{
	struct kvm_run *r = k->run;

	struct kvm_shared old = state_shared(k);

	state_peek(k);
	r->msr.error = !cpu_msr_set(k->v, r->msr.index, r->msr.data);
	return state_poke_msrs(k, &old) ? GO_ON : ENGINE_ERROR;
}

/* A breakpoint of the user's, the end of a step, or the guest's own #DB while there are either. */
static int on_debug(struct kvm_engine *k)
{
	uint64_t dr6 = k->run->debug.arch.dr6;
	struct cpu *c = &k->v->cpu;
	int out;

	if (k->stepping && dr6 & DR6_BS)
		return ENGINE_STEPPED;
	if (points_break_at(k, (gva)k->run->debug.arch.pc))
		return ENGINE_BREAK;
	out = state_from_kvm(k);
	if (out != GO_ON)
		return out;
	c->dr[6] |= (uint32_t)dr6 & (DR6_BP | DR6_BS | DR6_BD);
	cpu_raise(c, EXC_DB);
	return cpu_deliver_exc(k->v) ? GO_ON : ENGINE_SHUTDOWN;
}

/* Where KVM has no paging, loads of CR0 fail that are none of the guest's faults, and the processor it
 * imitates shuts down. Its state is still that before the instruction: let the other engine execute that. */
static int on_shutdown(struct kvm_engine *k)
{
	if (k->pages)
		return ENGINE_SHUTDOWN;
	k->once = REASON_FAULT;
	return GO_ON;
}

static int on_internal_error(struct kvm_engine *k)
{
	switch (k->run->internal.suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		k->once = REASON_EMULATION;
		return GO_ON;
	case KVM_INTERNAL_ERROR_DELIVERY_EV: /* its stack or tables are not in memory that KVM has */
		k->once = REASON_MEMORY;
		return GO_ON;
	default:
		break;
	}
	snprintf(k->v->error, sizeof(k->v->error), "KVM: internal error %u", k->run->internal.suberror);
	return ENGINE_ERROR;
}

static int on_fail_entry(struct kvm_engine *k)
{
	snprintf(k->v->error, sizeof(k->v->error), "KVM: the processor refuses the entry, reason %#llx",
		 (unsigned long long)k->run->fail_entry.hardware_entry_failure_reason);
	return ENGINE_ERROR;
}

static int on_memory_fault(struct kvm_engine *k)
{
	k->once = REASON_MEMORY;
	return GO_ON;
}

/* ---- the table ---- */

static const struct exit_row {
	const char *name;
	int (*handle)(struct kvm_engine *k);
} rows[KVM_EXITS] = {
#define KVM_EXIT_ROW(number, name, handler) [number] = { name, handler },
#include "kvm/exits.def"
#undef KVM_EXIT_ROW
};

const char *exit_name(unsigned n)
{
	return n < ARRAY_LEN(rows) ? rows[n].name : NULL;
}

int exit_handle(struct kvm_engine *k)
{
	uint32_t n = k->run->exit_reason;

	if (exit_name(n))
		return rows[n].handle(k);
	snprintf(k->v->error, sizeof(k->v->error), "KVM: an exit that the engine does not know, number %u",
		 n);
	return ENGINE_ERROR;
}
