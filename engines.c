/* SPDX-License-Identifier: GPL-3.0-or-later
 * See engines.h. */
#include "engines.h"
#include "base/alloc.h"
#include "bt/bt.h"
#include "kvm/kvm.h"
#include "cpu/virt.h"
#include "hv/cpuid.h"
#include "hv/field.h"
#include "svm/executor.h"
#include "svm/view.h"
#include "vmm/vmm.h"
#include "vtx/executor.h"
#include "vtx/view.h"
#include "x86/features.h"

#include <stdlib.h>
#include <string.h>

static void configure_bt(struct bt_config *c, const struct options *o)
{
	c->tc_size = o->tc_size;
	c->verify = o->verify_tc;
	c->tu_max = (unsigned)o->tu_max;
	c->no_chain = o->no_chain;
}

struct bt_choice {
	struct bt_config bt; /* first */
	enum vmx_generation vmx;
};

static void *bt_config(const struct options *o)
{
	struct bt_choice *c = xcalloc(1, sizeof(*c));

	configure_bt(&c->bt, o);
	c->vmx = (enum vmx_generation)cpuid_vmx(o->cpu);
	return c;
}

/* The processor below the monitor is the translator's. */
struct vtx_config {
	struct vmm_config vmm; /* first */
	struct bt_config bt;
};

static void *vtx_config(const struct options *o)
{
	struct vtx_config *c = xcalloc(1, sizeof(*c));

	configure_bt(&c->bt, o);
	c->vmm = (struct vmm_config){ .processor = bt_vcpu_new,
				      .processor_config = &c->bt,
				      .paging = strcmp(o->vtx, "shadow") ? VMM_EPT : VMM_SHADOW };
	return c;
}

/* What KVM leaves is the translator's. */
struct kvm_choice {
	struct kvm_config kvm; /* first */
	struct bt_config bt;
};

static void *kvm_config(const struct options *o)
{
	struct kvm_choice *c = xcalloc(1, sizeof(*c));

	configure_bt(&c->bt, o);
	c->kvm = (struct kvm_config){ .processor = bt_vcpu_new, .processor_config = &c->bt };
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

static void free_svm(struct vcpu *v)
{
	svm_controls_free(v->virt->controls);
	free(v->virt);
}

static void add_svm(struct vcpu *v, struct mm_vm *vm)
{
	struct svm_executor *e = xcalloc(1, sizeof(*e));
	struct svm_model m;

	svm_executor_model(v, SVM_GEN_ALL, &m);
	svm_executor_init(e, v, vm, &m);
	e->virt.free = free_svm;
	e->virt.controls = svm_controls_new(&e->x);
}

/* Give V the virtualization extension that its processor offers. */
static void add_virt(struct vcpu *v, struct mm_vm *vm, const struct bt_choice *c)
{
	struct vmx_executor *e;
	struct vmx_model m;

	if (offers(v, CPUID_SVM_LEAF, CPUID_SVM_REG, CPUID_SVM)) {
		add_svm(v, vm);
		return;
	}
	if (!offers(v, CPUID_VMX_LEAF, CPUID_VMX_REG, CPUID_VMX))
		return;
	e = xcalloc(1, sizeof(*e));
	vmx_executor_model(v, c ? c->vmx : VMX_GEN_ALL, &m);
	vmx_executor_init(e, v, vm, &m);
	e->virt.free = free_vmx;
	e->virt.controls = vmx_controls_new(&e->x);
}

static struct vcpu *new_bt(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			   char *err, size_t errlen)
{
	struct vcpu *v = bt_vcpu_new(config, vm, plat, clock, err, errlen);

	if (v)
		add_virt(v, vm, config);
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
	F_ARRAY(vmx_executor, x.s.pdpte),
	F_NUM_IN(vmx_executor, waits, 1, 3),
	F_NUM_IN(vmx_executor, trap.due, 0, 1),
	F_NUM_IN(vmx_executor, trap.reason, 0, VMX_REASONS - 1),
	F_NUM(vmx_executor, trap.qualification),
	F_NUM_IN(vmx_executor, timer_on, 0, 1),
	F_NUM(vmx_executor, timer_end),
	F_NUM(vmx_executor, x.vmcs.at),
	F_NUM(vmx_executor, x.vmcs.r.revision),
	F_NUM(vmx_executor, x.vmcs.r.abort),
	F_NUM(vmx_executor, x.vmcs.r.launch),
	F_NUM(vmx_executor, x.vmcs.r.vmxon),
	F_ARRAY(vmx_executor, x.vmcs.r.value),
};

static const struct state_field svm_fields[] = {
	F_NUM_IN(svm_executor, x.guest, 0, 1),
	F_NUM_IN(svm_executor, x.gif, 0, 1),
	F_NUM_IN(svm_executor, x.shutdown, 0, 1),
	F_NUM(svm_executor, x.vm_cr),
	F_NUM(svm_executor, x.hsave),
	F_NUM(svm_executor, x.tsc_ratio),
	F_NUM(svm_executor, x.ignne),
	F_NUM(svm_executor, x.smm_ctl),
	F_NUM(svm_executor, x.key),
	F_ARRAY(svm_executor, x.s.msr),
	F_NUM(svm_executor, x.host.rax),
	F_NUM(svm_executor, x.host.rsp),
	F_NUM(svm_executor, x.host.rip),
	F_NUM(svm_executor, x.host.rflags),
	F_NUM(svm_executor, x.host.cr0),
	F_NUM(svm_executor, x.host.cr3),
	F_NUM(svm_executor, x.host.cr4),
	F_NUM(svm_executor, x.host.efer),
	F_NUM(svm_executor, x.host.pat),
	F_ARRAY(svm_executor, x.host.msr),
	F_EACH(svm_executor, x.host.seg, base),
	F_EACH(svm_executor, x.host.seg, limit),
	F_EACH(svm_executor, x.host.seg, rights),
	F_EACH(svm_executor, x.host.seg, selector),
	F_NUM(svm_executor, x.host.gdtr.base),
	F_NUM(svm_executor, x.host.gdtr.limit),
	F_NUM(svm_executor, x.host.idtr.base),
	F_NUM(svm_executor, x.host.idtr.limit),
	F_NUM(svm_executor, x.vmcb.at),
	F_HEX(svm_executor, x.vmcb.bytes),
};

static bool is_svm(const struct vcpu *v)
{
	return v->virt->free == free_svm;
}

static void virt_state(struct vcpu *v, struct state_part *p)
{
	if (v->virt && is_svm(v))
		*p = (struct state_part){ "svm", svm_fields, ARRAY_LEN(svm_fields), v->virt };
	else if (v->virt)
		*p = (struct state_part){ "vmx", vmx_fields, ARRAY_LEN(vmx_fields), v->virt };
}

const struct engine_choice engines[] = {
	{ "bt", new_bt, bt_views, 0, false, bt_config, virt_state },
	{ "vtx", vmm_vcpu_new, bt_views, VMM_MEMORY, false, vtx_config, NULL },
	{ "kvm", kvm_vcpu_new, kvm_views, 0, true, kvm_config, NULL },
	{ 0 },
};
