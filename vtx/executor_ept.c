/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/executor.h: address spaces (mm/nested.h). Windows of host and guests are kept apart by EPT pointer
 * and VPID, so entries and exits flush nothing unless they have to (SDM vol. 3C 29.4.3.1). */
#include "mm/nested.h"
#include "vtx/ept.h"
#include "vtx/executor.h"

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

static unsigned access_of(unsigned how)
{
	unsigned a = how & MM_WRITE ? VMX_EPT_WRITE : how & MM_EXEC ? VMX_EPT_FETCH : VMX_EPT_READ;

	return a | (how & MM_USER ? VMX_EPT_USER : 0) | (how & NESTED_LINEAR ? VMX_EPT_LINEAR : 0) |
	       (how & NESTED_TABLE ? VMX_EPT_TABLE : 0);
}

/* Guest-physical A leads to physical address PA. */
static bool is_apic(const struct vmx *x, gpa pa)
{
	return ON(PROC2_APIC_ACCESSES) && (pa ^ F(APIC_ACCESS_ADDRESS)) < PAGE_SIZE;
}

/* A page of SIZE at PA: where the APIC-access page is in it, each of its small pages is for itself. */
static uint8_t shift_of(const struct vmx *x, gpa pa, uint64_t size)
{
	if (ON(PROC2_APIC_ACCESSES) && !((pa ^ F(APIC_ACCESS_ADDRESS)) & ~(size - 1)))
		return PAGE_SHIFT;
	return size == PAGE_SIZE ? 12 : size == 2u << 20 ? 21 : 30;
}

static void answer(const struct vmx *x, const struct vmx_ept_walk *w, struct nested_result *r)
{
	bool flags = F(EPT_POINTER) & EPTP_ACCESSED_DIRTY;
	uint64_t all = ~0ull, user = ON(PROC2_MODE_BASED_EXECUTE) ? EPT_XU : EPT_X;

	for (unsigned i = 0; i < w->levels; i++)
		all &= w->entry[i];
	r->pa = w->result;
	r->shift = shift_of(x, w->result, w->size);
	r->rights = (uint8_t)((w->rights & EPT_R ? NESTED_R : 0) | (w->rights & EPT_W ? NESTED_W : 0) |
			      (w->rights & EPT_X ? NESTED_X : 0) | (w->rights & user ? NESTED_XU : 0));
	r->accessed = !flags || all & EPT_A;
	r->dirty = !flags || (r->accessed && w->entry[w->levels - 1] & EPT_D);
}

/* Does a hypervisor in C emulate this access, whose place EPT does not map? */
static bool emulated(const struct vmx_executor *e, gpa a, unsigned how, enum vmx_ept_result result)
{
	return e->device && result == VMX_EPT_VIOLATION && !(how & (MM_EXEC | NESTED_TABLE)) &&
	       e->device(e->root_ctx, a);
}

/* mmu_nested.translate. What is refused is noted as the exit. */
static bool translate(void *ctx, gpa a, unsigned how, struct nested_result *r)
{
	struct vmx_executor *e = ctx;
	struct vmx_ept_walk w;
	enum vmx_ept_result result;

	e->walking = true;
	e->probing = how & MM_PROBE;
	if (e->probing)
		result = vmx_ept_look(&e->x, a, 0, &w);
	else
		result = vmx_ept_access(&e->x, a, access_of(how), &w);
	e->walking = e->probing = false;
	if (result == VMX_EPT_OK && is_apic(&e->x, w.result))
		return vmx_apic_translate(e, w.result, how, r);
	if (result == VMX_EPT_OK) {
		answer(&e->x, &w, r);
		return true;
	}
	if (how & MM_PROBE)
		return false;
	if (emulated(e, a, how, result)) {
		*r = (struct nested_result){ .lin = r->lin,
					     .pa = a,
					     .shift = PAGE_SHIFT,
					     .rights = NESTED_R | NESTED_W,
					     .accessed = true,
					     .dirty = true };
		return true;
	}
	e->convertible = w.levels && !(w.entry[w.levels - 1] & EPT_SUPPRESS_VE);
	e->exit = (struct vmx_exit){
		.reason = result == VMX_EPT_VIOLATION	       ? VMX_REASON_EPT_VIOLATION
			  : result == VMX_EPT_MISCONFIGURATION ? VMX_REASON_EPT_MISCONFIGURATION
							       : VMX_REASON_PML_FULL,
		.rf = true,
		.qualification = result == VMX_EPT_VIOLATION ? w.qualification : 0,
		.linear = how & NESTED_LINEAR ? r->lin : 0,
		.physical = a,
	};
	return false;
}

/* The same without EPT, where the APIC-access page is all there is to it. */
static bool translate_flat(void *ctx, gpa a, unsigned how, struct nested_result *r)
{
	struct vmx_executor *e = ctx;

	if (is_apic(&e->x, a))
		return vmx_apic_translate(e, a, how, r);
	r->pa = a;
	r->shift = shift_of(&e->x, a, 1u << 30);
	r->rights = NESTED_R | NESTED_W | NESTED_X | NESTED_XU;
	r->accessed = r->dirty = true;
	return true;
}

/* Windows of a guest whose APIC accesses are virtualized are windows of their own. */
#define TAG_APIC 0x800u

void vmx_switch_space(struct vmx_executor *e, bool guest)
{
	const struct vmx *x = &e->x;
	const struct cpu *c = &e->v->cpu;
	bool ept = ON(PROC2_EPT), vpid = ON(PROC2_VPID), apic = ON(PROC2_APIC_ACCESSES);
	struct mmu_nested n = {
		.ctx = e,
		.tag = (ept ? F(EPT_POINTER) : 0) | (apic ? TAG_APIC : 0),
		.asid = vpid ? (uint32_t)F(VPID) : 0,
		.translate = ept    ? translate
			     : apic ? translate_flat
				    : NULL,
		.device = vmx_apic_device,
	};

	mmu_nested(e->v->mmu, guest ? &n : NULL);
	if ((c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !cpu_long(c))
		mmu_set_pdptrs(e->v->mmu, x->s.pdpte);
	if (!vpid)
		mmu_nested_invalidate(e->v->mmu, NESTED_ONE_ASID, 0, 0, 0);
}

void vmx_op_invept(struct vmx *x, unsigned type, uint64_t eptp)
{
	struct vmx_executor *e = x->owner;

	mmu_nested_invalidate(e->v->mmu, NESTED_SECOND | (type == 1 ? NESTED_ONE_TAG : 0), eptp, 0, 0);
}

void vmx_op_invvpid(struct vmx *x, unsigned type, uint16_t vpid, uint64_t address)
{
	struct vmx_executor *e = x->owner;
	unsigned what = (type != 2 ? NESTED_ONE_ASID : 0) | (type == 0 ? NESTED_ONE_PAGE : 0);

	mmu_nested_invalidate(e->v->mmu, what, 0, vpid, address);
}
