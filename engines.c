/* SPDX-License-Identifier: GPL-3.0-or-later
 * See engines.h. */
#include "engines.h"
#include "base/alloc.h"
#include "bt/bt.h"
#include "cpu/virt.h"
#include "hv/field.h"
#include "vtx/executor.h"
#include "vtx/view.h"
#include "x86/features.h"

#include <stdlib.h>

static void *bt_config(const struct options *o)
{
	struct bt_config *c = xcalloc(1, sizeof(*c));

	c->tc_size = o->tc_size;
	c->verify = o->verify_tc;
	c->tu_max = (unsigned)o->tu_max;
	c->no_chain = o->no_chain;
	return c;
}

static bool offers(const struct vcpu *v, uint32_t leaf, unsigned reg, uint32_t feature)
{
	uint32_t out[4];

	v->plat.cpuid(v->plat.ctx, &v->cpu, leaf, 0, out);
	return out[reg] & feature;
}

static void free_vmx(struct vcpu *v)
{
	vmx_controls_free(v->virt->controls);
	free(v->virt);
}

/* Give V the virtualization extension that its processor offers. */
static void add_virt(struct vcpu *v, struct mm_vm *vm)
{
	struct vmx_executor *e;
	struct vmx_model m;

	if (!offers(v, CPUID_VMX_LEAF, CPUID_VMX_REG, CPUID_VMX))
		return;
	e = xcalloc(1, sizeof(*e));
	vmx_executor_model(v, VMX_GEN_HASWELL, &m);
	vmx_executor_init(e, v, vm, &m);
	e->virt.free = free_vmx;
	e->virt.controls = vmx_controls_new(&e->x);
}

static struct vcpu *new_bt(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			   char *err, size_t errlen)
{
	struct vcpu *v = bt_vcpu_new(config, vm, plat, clock, err, errlen);

	if (v)
		add_virt(v, vm);
	return v;
}

static const struct state_field vmx_fields[] = {
	F_NUM_IN(vmx_executor, x.on, 0, 1),
	F_NUM_IN(vmx_executor, x.guest, 0, 1),
	F_NUM_IN(vmx_executor, x.aborted, 0, 1),
	F_NUM(vmx_executor, x.feature_control),
	F_NUM(vmx_executor, x.vmxon),
	F_NUM(vmx_executor, x.vmxon_count),
	F_NUM(vmx_executor, x.s.msr[VMX_MSR_DEBUGCTL]),
	F_NUM(vmx_executor, x.s.pending_debug),
	F_NUM(vmx_executor, x.vmcs.at),
	F_NUM(vmx_executor, x.vmcs.r.revision),
	F_NUM(vmx_executor, x.vmcs.r.abort),
	F_NUM(vmx_executor, x.vmcs.r.launch),
	F_NUM(vmx_executor, x.vmcs.r.vmxon),
	F_ARRAY(vmx_executor, x.vmcs.r.value),
};

static void virt_state(struct vcpu *v, struct state_part *p)
{
	if (v->virt)
		*p = (struct state_part){ "vmx", vmx_fields, ARRAY_LEN(vmx_fields), v->virt };
}

const struct engine_choice engines[] = {
	{ "bt", new_bt, bt_views, bt_config, virt_state },
	{ 0 },
};
