/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/apic.h. In the order of the manual: state (30.1), virtual interrupts (30.2), memory-mapped accesses
 * (30.4), MSRs (30.5), posted interrupts (30.6). */
#include "vtx/apic.h"
#include "base/gpr.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

enum {
	REG_TPR = 0x80,
	REG_PPR = 0xa0,
	REG_EOI = 0xb0,
	REG_ISR = 0x100,
	REG_IRR = 0x200,
	REG_ICR = 0x300,
	REG_ICR_HIGH = 0x310,
	REG_SELF_IPI = 0x3f0,
	MSR_FIRST = 0x800,
	MSR_LAST = 0x8ff,
};

static uint32_t get(const struct vmx *x, unsigned reg)
{
	uint32_t v;

	x->mem.read(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + reg, &v, 4);
	return v;
}

static void put(struct vmx *x, unsigned reg, uint32_t v)
{
	x->mem.write(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + reg, &v, 4);
}

/* ---- requests and service: a bit each of 256 ---- */

static void set_bit(struct vmx *x, unsigned regs, unsigned vector, bool on)
{
	unsigned reg = regs + (vector >> 5) * 0x10;
	uint32_t bit = 1u << (vector & 31), v = get(x, reg);

	put(x, reg, on ? v | bit : v & ~bit);
}

static uint8_t highest(const struct vmx *x, unsigned regs)
{
	for (unsigned i = 8; i-- > 0;) {
		uint32_t v = get(x, regs + 0x10 * i);

		if (v)
			return (uint8_t)(32 * i + 31 - (unsigned)__builtin_clz(v));
	}
	return 0;
}

static uint8_t rvi(const struct vmx *x)
{
	return (uint8_t)F(GUEST_INTERRUPT_STATUS);
}

static uint8_t svi(const struct vmx *x)
{
	return (uint8_t)(F(GUEST_INTERRUPT_STATUS) >> 8);
}

static void set_status(struct vmx *x, uint8_t requested, uint8_t serviced)
{
	vmcs_put(&x->vmcs, VMCS_GUEST_INTERRUPT_STATUS, (uint64_t)serviced << 8 | requested);
}

/* 30.1.3 */
static void virtualize_ppr(struct vmx *x)
{
	uint8_t tpr = (uint8_t)get(x, REG_TPR), s = svi(x);

	put(x, REG_PPR, tpr >> 4 >= s >> 4 ? tpr : s & 0xf0);
}

static struct vmx_apic_trap trap(enum vmx_reason reason, uint32_t qualification)
{
	return (struct vmx_apic_trap){ reason, qualification, true };
}

static const struct vmx_apic_trap no_trap;

/* 30.1.2 */
static struct vmx_apic_trap virtualize_tpr(struct vmx *x)
{
	if (!ON(PROC2_VIRTUAL_INTERRUPTS))
		return (get(x, REG_TPR) >> 4 & 15) < (F(TPR_THRESHOLD) & 15)
			   ? trap(VMX_REASON_TPR_BELOW_THRESHOLD, 0)
			   : no_trap;
	virtualize_ppr(x);
	return no_trap;
}

/* 30.1.4 */
static struct vmx_apic_trap virtualize_eoi(struct vmx *x)
{
	uint8_t vector = svi(x);

	set_bit(x, REG_ISR, vector, false);
	set_status(x, rvi(x), highest(x, REG_ISR));
	virtualize_ppr(x);
	if (x->vmcs.r.value[VMCS_EOI_EXIT_BITMAP_0 + vector / 64] >> (vector & 63) & 1)
		return trap(VMX_REASON_VIRTUAL_EOI, vector);
	return no_trap;
}

/* 30.1.5 */
static void virtualize_self_ipi(struct vmx *x, uint8_t vector)
{
	set_bit(x, REG_IRR, vector, true);
	set_status(x, vector > rvi(x) ? vector : rvi(x), svi(x));
}

/* ---- virtual interrupts ---- */

bool vmx_apic_pending(const struct vmx *x)
{
	return ON(PROC2_VIRTUAL_INTERRUPTS) && !ON(PROC_INTERRUPT_WINDOW) &&
	       rvi(x) >> 4 > (get(x, REG_PPR) >> 4 & 15);
}

uint8_t vmx_apic_take(struct vmx *x)
{
	uint8_t vector = rvi(x);

	set_bit(x, REG_ISR, vector, true);
	put(x, REG_PPR, vector & 0xf0);
	set_bit(x, REG_IRR, vector, false);
	set_status(x, highest(x, REG_IRR), vector);
	return vector;
}

struct vmx_apic_trap vmx_apic_enter(struct vmx *x)
{
	if (!ON(PROC_TPR_SHADOW) || !(ON(PROC2_VIRTUAL_INTERRUPTS) || ON(PROC2_APIC_ACCESSES)))
		return no_trap;
	return virtualize_tpr(x);
}

/* ---- memory ---- */

enum { READS = 1, WRITES = 2, WRITES_DELIVERY = 4, ALWAYS = 8 };

/* How registers are virtualized, by number (offset / 16): with APIC-register virtualization reads and writes,
 * with virtual-interrupt delivery writes, ever. */
static const uint8_t virtualized[64] = {
	[0x02] = READS | WRITES,
	[0x03] = READS,
	[0x08] = READS | WRITES | ALWAYS,
	[0x0b] = READS | WRITES | WRITES_DELIVERY,
	[0x0d] = READS | WRITES,
	[0x0e] = READS | WRITES,
	[0x0f] = READS | WRITES,
	[0x10] = READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS, /* ISR */
	[0x18] = READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS, /* TMR */
	[0x20] = READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS,
	READS, /* IRR */
	[0x28] = READS | WRITES,
	[0x30] = READS | WRITES | WRITES_DELIVERY,
	[0x31] = READS | WRITES,
	[0x32] = READS | WRITES,
	[0x33] = READS | WRITES,
	[0x34] = READS | WRITES,
	[0x35] = READS | WRITES,
	[0x36] = READS | WRITES,
	[0x37] = READS | WRITES,
	[0x38] = READS | WRITES,
	[0x3e] = READS | WRITES,
};

bool vmx_apic_virtualized(const struct vmx *x, unsigned offset, unsigned n, bool write)
{
	unsigned how;

	if (!ON(PROC_TPR_SHADOW) || (offset & 15) + n > 4 || offset >= 0x400)
		return false;
	how = virtualized[offset >> 4];
	if (how & ALWAYS)
		return true;
	if (write && how & WRITES_DELIVERY && ON(PROC2_VIRTUAL_INTERRUPTS))
		return true;
	return ON(PROC2_APIC_REGISTERS) && how & (write ? WRITES : READS);
}

void vmx_apic_read(const struct vmx *x, unsigned offset, void *buf, unsigned n)
{
	x->mem.read(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + offset, buf, n);
}

/* A fixed, edge-triggered interrupt to itself alone. */
static bool is_self_ipi(uint32_t icr)
{
	return !(icr & 0xfff3b700) && (icr & 0xc0000) == 0x40000 && icr & 0xf0;
}

/* 30.4.3.2 */
static struct vmx_apic_trap emulate_write(struct vmx *x, unsigned offset)
{
	bool delivery = ON(PROC2_VIRTUAL_INTERRUPTS);
	unsigned reg = offset & ~15u;

	switch (reg) {
	case REG_TPR:
		put(x, REG_TPR, get(x, REG_TPR) & 0xff);
		return virtualize_tpr(x);
	case REG_EOI:
		if (!delivery)
			break;
		put(x, REG_EOI, 0);
		return virtualize_eoi(x);
	case REG_ICR:
		if (!delivery || !is_self_ipi(get(x, REG_ICR)))
			break;
		virtualize_self_ipi(x, (uint8_t)get(x, REG_ICR));
		return no_trap;
	case REG_ICR_HIGH:
		put(x, REG_ICR_HIGH, get(x, REG_ICR_HIGH) & 0xff000000);
		return no_trap;
	default:
		break;
	}
	return trap(VMX_REASON_APIC_WRITE, offset);
}

struct vmx_apic_trap vmx_apic_write(struct vmx *x, unsigned offset, const void *buf, unsigned n)
{
	x->mem.write(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + offset, buf, n);
	return emulate_write(x, offset);
}

/* ---- MSRs ---- */

int vmx_apic_rdmsr(const struct vmx *x, uint32_t msr, uint64_t *val)
{
	if (msr < MSR_FIRST || msr > MSR_LAST || !ON(PROC2_X2APIC) ||
	    (!ON(PROC2_APIC_REGISTERS) && msr != MSR_FIRST + REG_TPR / 16))
		return 0;
	x->mem.read(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + (msr & 0xff) * 16, val, 8);
	return 1;
}

int vmx_apic_wrmsr(struct vmx *x, uint32_t msr, uint64_t val, struct vmx_apic_trap *t)
{
	unsigned reg = (msr & 0xff) * 16;

	*t = no_trap;
	if (msr < MSR_FIRST || msr > MSR_LAST || !ON(PROC2_X2APIC))
		return 0;
	if (reg != REG_TPR && !(ON(PROC2_VIRTUAL_INTERRUPTS) && (reg == REG_EOI || reg == REG_SELF_IPI)))
		return 0;
	if (val >> 8 || (reg == REG_EOI && val))
		return -1;
	x->mem.write(x->mem.ctx, F(VIRTUAL_APIC_ADDRESS) + reg, &val, 8);
	if (reg == REG_TPR)
		*t = virtualize_tpr(x);
	else if (reg == REG_EOI)
		*t = virtualize_eoi(x);
	else if (val & 0xf0)
		virtualize_self_ipi(x, (uint8_t)val);
	else
		*t = trap(VMX_REASON_APIC_WRITE, REG_SELF_IPI);
	return 1;
}

/* ---- posted interrupts ---- */

enum { POSTED_BITS = 32, POSTED_ON = 1 }; /* bytes before the word with ON */

void vmx_apic_posted(struct vmx *x)
{
	gpa at = F(POSTED_INTERRUPT_DESCRIPTOR);
	uint8_t top = rvi(x);
	uint32_t word;

	x->mem.read(x->mem.ctx, at + POSTED_BITS, &word, 4);
	word &= ~(uint32_t)POSTED_ON;
	x->mem.write(x->mem.ctx, at + POSTED_BITS, &word, 4);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t none = 0;

		x->mem.read(x->mem.ctx, at + 4 * i, &word, 4);
		if (!word)
			continue;
		x->mem.write(x->mem.ctx, at + 4 * i, &none, 4);
		put(x, REG_IRR + 0x10 * i, get(x, REG_IRR + 0x10 * i) | word);
		if (32 * i + 31 - (unsigned)__builtin_clz(word) > top)
			top = (uint8_t)(32 * i + 31 - (unsigned)__builtin_clz(word));
	}
	set_status(x, top, svi(x));
}
