/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h: accesses of a guest to the APIC-access page and to x2APIC registers (vtx/apic.h). The
 * page is in no window: mm/ hands each access in (mmu_nested.device). */
#include "mm/nested.h"
#include "vtx/executor.h"
#include "x86/msrs.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

enum { X2APIC_EOI = MSR_X2APIC + 0xb, APIC_TPR = 0x80 };

static bool refuse(struct vmx_executor *e, gpa a, enum vmx_apic_access type)
{
	e->exit = (struct vmx_exit){
		.reason = VMX_REASON_APIC_ACCESS,
		.rf = true,
		.qualification = (a & PAGE_MASK) | (uint64_t)type << 12,
	};
	return false;
}

static bool delivering(const struct vmx_executor *e)
{
	return e->virt.delivering.type != VIRT_EVENT_NONE;
}

bool vmx_apic_translate(struct vmx_executor *e, gpa a, unsigned how, struct nested_result *r)
{
	if (!(how & MM_PROBE) && how & NESTED_TABLE)
		return refuse(e, a, delivering(e) ? VMX_APIC_PHYSICAL_DELIVERY : VMX_APIC_PHYSICAL);
	if (!(how & MM_PROBE) && how & MM_EXEC)
		return refuse(e, a, VMX_APIC_FETCH);
	r->pa = NESTED_DEVICE | (a & PAGE_MASK);
	r->shift = PAGE_SHIFT;
	r->rights = NESTED_R | NESTED_W | NESTED_X | NESTED_XU;
	r->accessed = r->dirty = true;
	return true;
}

/* The virtual APIC has changed. */
static void follow(struct vmx_executor *e, struct vmx_apic_trap trap)
{
	const struct vmx *x = &e->x;
	bool pending = vmx_apic_pending(x);

	e->virt.window = ON(PROC_INTERRUPT_WINDOW) || pending;
	if (trap.due)
		e->trap = trap;
	if (trap.due || pending)
		e->virt.ask = true;
}

bool vmx_apic_device(void *ctx, gpa a, void *buf, unsigned n, unsigned how)
{
	struct vmx_executor *e = ctx;
	unsigned offset = a & PAGE_MASK;
	bool write = how & MM_WRITE;

	if (!buf) {
		if (delivering(e))
			return refuse(e, a, VMX_APIC_DELIVERY);
		return vmx_apic_virtualized(&e->x, offset, n, write) ||
		       refuse(e, a, write ? VMX_APIC_WRITE : VMX_APIC_READ);
	}
	if (write)
		follow(e, vmx_apic_write(&e->x, offset, buf, n));
	else
		vmx_apic_read(&e->x, offset, buf, n);
	return true;
}

int vmx_apic_msr_write(struct vmx_executor *e, uint32_t msr, uint64_t val)
{
	struct vmx_apic_trap trap;
	int r = vmx_apic_wrmsr(&e->x, msr, val, &trap);

	if (r > 0)
		follow(e, trap);
	return r;
}

/* CR8 is bits 7:4 of the task priority. */
uint8_t vmx_apic_tpr(const struct vmx_executor *e)
{
	uint32_t tpr;

	vmx_apic_read(&e->x, APIC_TPR, &tpr, sizeof(tpr));
	return tpr >> 4 & 15;
}

void vmx_apic_set_tpr(struct vmx_executor *e, uint8_t cr8)
{
	uint32_t tpr = (uint32_t)cr8 << 4;

	follow(e, vmx_apic_write(&e->x, APIC_TPR, &tpr, sizeof(tpr)));
}

/* ---- interrupts ---- */

/* To the processor's own APIC. */
static void end_of_interrupt(struct vcpu *v)
{
	const struct platform *p = &v->plat;
	uint32_t zero = 0;

	if (v->cpu.apic_base & APIC_BASE_X2APIC)
		p->wrmsr(p->ctx, X2APIC_EOI, 0);
	else
		p->mmio_write(p->ctx, (v->cpu.apic_base & ~(uint64_t)PAGE_MASK) + 0xb0, &zero, 4);
}

bool vmx_apic_notified(struct vmx_executor *e, unsigned vector)
{
	const struct vmx *x = &e->x;

	if (!ON(PIN_POSTED_INTERRUPTS) || vector != F(POSTED_INTERRUPT_VECTOR))
		return false;
	end_of_interrupt(e->v);
	vmx_apic_posted(&e->x);
	follow(e, (struct vmx_apic_trap){ 0 });
	return true;
}

bool vmx_apic_interrupts(struct vmx_executor *e)
{
	const struct cpu *c = &e->v->cpu;

	if (!vmx_apic_pending(&e->x) || !c->intf || c->shadow)
		return false;
	e->virt.due = (struct virt_event){ .type = VIRT_EVENT_INTR, .vector = vmx_apic_take(&e->x) };
	follow(e, (struct vmx_apic_trap){ 0 });
	return true;
}
