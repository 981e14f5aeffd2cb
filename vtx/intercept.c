/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/intercept.h. */
#include "vtx/intercept.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

const struct vmx_intercept_row vmx_intercepts[VMX_INTERCEPTS] = {
#define INTERCEPT(id, reason, control, enable) { #id, VMX_REASON_##reason, VMX_##control, VMX_##enable },
#include "vtx/intercepts.def"
#undef INTERCEPT
};

/* EXITS, unless a person decided otherwise. */
static inline bool steered(const struct vmx *x, enum vmx_reason reason, bool exits)
{
	uint8_t how = x->steer.how[reason];

	return how ? how == VMX_FORCED : exits;
}

enum vmx_intercepted vmx_intercepted(const struct vmx *x, enum vmx_intercept i)
{
	const struct vmx_intercept_row *r = &vmx_intercepts[i];

	if (!vmx_on(&x->vmcs.r, r->enable))
		return VMX_UNDEFINED;
	return steered(x, r->reason, vmx_on(&x->vmcs.r, r->control)) ? VMX_EXITS : VMX_RUNS;
}

bool vmx_steerable(enum vmx_reason reason)
{
	for (unsigned i = 0; i < VMX_INTERCEPTS; i++)
		if (vmx_intercepts[i].reason == reason)
			return true;
	return reason == VMX_REASON_EXTERNAL_INTERRUPT || reason == VMX_REASON_IO ||
	       reason == VMX_REASON_RDMSR || reason == VMX_REASON_WRMSR || reason == VMX_REASON_EXCEPTION_NMI;
}

bool vmx_intr_exits(const struct vmx *x)
{
	return steered(x, VMX_REASON_EXTERNAL_INTERRUPT, ON(PIN_EXTERNAL_INTERRUPT));
}

/* A write of a control register exits, unless a person decided otherwise: then its result is that of a write
 * that does not. */
static bool cr_exits(const struct vmx *x, bool exits)
{
	return steered(x, VMX_REASON_CR_ACCESS, exits);
}

bool vmx_cr_forced(const struct vmx *x)
{
	return cr_exits(x, false);
}

/* ---- bitmaps in guest memory ---- */

static bool bit_at(const struct vmx *x, gpa bitmap, unsigned n)
{
	uint8_t byte;

	x->mem.read(x->mem.ctx, bitmap + n / 8, &byte, 1);
	return byte >> (n & 7) & 1;
}

/* An access beyond the last port exits with bitmaps. They take precedence over unconditional exiting. */
static bool io_controlled(const struct vmx *x, uint16_t port, unsigned size)
{
	if (!ON(PROC_IO_BITMAPS))
		return ON(PROC_UNCONDITIONAL_IO);
	if (port + size > 0x10000)
		return true;
	for (unsigned p = port; p < port + size; p++)
		if (bit_at(x, p & 0x8000 ? F(IO_BITMAP_B) : F(IO_BITMAP_A), p & 0x7fff))
			return true;
	return false;
}

bool vmx_io_exits(const struct vmx *x, uint16_t port, unsigned size)
{
	return steered(x, VMX_REASON_IO, io_controlled(x, port, size));
}

/* Four bitmaps of 1 KiB: reads of low and high MSRs, writes of them. */
static bool msr_controlled(const struct vmx *x, uint32_t msr, bool write)
{
	bool high = msr >= 0xc0000000 && msr <= 0xc0001fff;

	if (!ON(PROC_MSR_BITMAPS) || (msr > 0x1fff && !high))
		return true;
	return bit_at(x, F(MSR_BITMAPS) + (high ? 0x400 : 0) + (write ? 0x800 : 0), msr & 0x1fff);
}

bool vmx_msr_exits(const struct vmx *x, uint32_t msr, bool write)
{
	return steered(x, write ? VMX_REASON_WRMSR : VMX_REASON_RDMSR, msr_controlled(x, msr, write));
}

/* ---- control registers ---- */

/* Bits that the host owns: a write exits when it would change what the guest reads in them. */
static bool owned_exits(uint64_t mask, uint64_t shadow, uint64_t real, uint64_t value, uint64_t *result)
{
	*result = (real & mask) | (value & ~mask);
	return (value ^ shadow) & mask;
}

bool vmx_mtf(const struct vmx *x)
{
	return x->steer.step || ON(PROC_MONITOR_TRAP_FLAG);
}

bool vmx_cr0_exits(const struct vmx *x, uint64_t real, uint64_t value, uint64_t *result)
{
	return cr_exits(x, owned_exits(F(CR0_MASK), F(CR0_READ_SHADOW), real, value, result));
}

bool vmx_cr4_exits(const struct vmx *x, uint64_t real, uint64_t value, uint64_t *result)
{
	return cr_exits(x, owned_exits(F(CR4_MASK), F(CR4_READ_SHADOW), real, value, result));
}

/* LMSW loads PE, MP, EM and TS, and cannot clear PE: only its setting exits (26.1.3). */
bool vmx_lmsw_exits(const struct vmx *x, uint64_t real, uint16_t value, uint64_t *result)
{
	uint64_t mask = F(CR0_MASK) & (CR0_PE | CR0_MP | CR0_EM | CR0_TS), shadow = F(CR0_READ_SHADOW);
	uint64_t loaded = (value & (CR0_PE | CR0_MP | CR0_EM | CR0_TS)) | (real & CR0_PE);
	uint64_t differ = (value ^ shadow) & mask;

	*result = (real & ~(uint64_t)(CR0_PE | CR0_MP | CR0_EM | CR0_TS)) | (real & mask) | (loaded & ~mask);
	if (!(value & CR0_PE))
		differ &= ~(uint64_t)CR0_PE;
	return cr_exits(x, differ);
}

bool vmx_clts_exits(const struct vmx *x, uint64_t real, uint64_t *result)
{
	bool owned = F(CR0_MASK) & CR0_TS;

	*result = owned ? real : real & ~(uint64_t)CR0_TS;
	return cr_exits(x, owned && F(CR0_READ_SHADOW) & CR0_TS);
}

static bool cr3_controlled(const struct vmx *x, uint64_t value)
{
	if (!ON(PROC_CR3_LOAD))
		return false;
	for (unsigned i = 0; i < F(CR3_TARGET_COUNT) && i < VMX_CR3_TARGETS; i++)
		if (x->vmcs.r.value[VMCS_CR3_TARGET_0 + i] == value)
			return false;
	return true;
}

bool vmx_cr3_exits(const struct vmx *x, uint64_t value)
{
	return cr_exits(x, cr3_controlled(x, value));
}

uint64_t vmx_cr0_read(const struct vmx *x, uint64_t real)
{
	return (real & ~F(CR0_MASK)) | (F(CR0_READ_SHADOW) & F(CR0_MASK));
}

uint64_t vmx_cr4_read(const struct vmx *x, uint64_t real)
{
	return (real & ~F(CR4_MASK)) | (F(CR4_READ_SHADOW) & F(CR4_MASK));
}

uint64_t vmx_guest_tsc(const struct vmx *x, uint64_t tsc)
{
	if (!ON(PROC_TSC_OFFSETTING))
		return tsc;
	if (ON(PROC2_TSC_SCALING))
		tsc = (uint64_t)((unsigned __int128)tsc * F(TSC_MULTIPLIER) >> 48);
	return tsc + F(TSC_OFFSET);
}

/* ---- exit qualifications ---- */

uint64_t vmx_io_qualification(const struct vmx_io *io)
{
	return (io->size - 1u) | (io->in ? 8u : 0) | (io->string ? 0x10u : 0) | (io->rep ? 0x20u : 0) |
	       (io->immediate ? 0x40u : 0) | (uint64_t)io->port << 16;
}

uint64_t vmx_cr_qualification(unsigned cr, enum vmx_cr_access access, unsigned reg, uint16_t source,
			      bool memory)
{
	uint64_t q = cr | (unsigned)access << 4;

	if (access == VMX_CR_LMSW)
		return q | (memory ? 0x40u : 0) | (uint64_t)source << 16;
	return access == VMX_CR_CLTS ? q : q | reg << 8;
}

uint64_t vmx_dr_qualification(unsigned dr, bool read, unsigned reg)
{
	return dr | (read ? 0x10u : 0) | reg << 8;
}

uint64_t vmx_task_qualification(uint16_t selector, enum vmx_task_source source)
{
	return selector | (uint64_t)source << 30;
}
