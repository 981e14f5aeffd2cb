/* SPDX-License-Identifier: GPL-3.0-or-later
 * What VMX needs to begin: memory for the monitor's tables, the VMCS (SDM vol. 3C 25.5 to 25.8). */
#include "vmm/vmm_int.h"

#include "base/gpr.h"
#include "vtx/bits.h"
#include "x86/msrs.h"

/* The selectors that the monitor is said to have: nothing runs with them, but VM entries check them. */
enum { HOST_CODE = 8, HOST_DATA = 16, HOST_TSS = 24 };

/* ---- the VMCS, and memory of ours ---- */

uint64_t vm_read(const struct vmm *m, enum vmcs_field f)
{
	return vmcs_read(f, m->x->vmcs.r.value[f], vmcs_fields[f].encoding, true);
}

void vm_write(struct vmm *m, enum vmcs_field f, uint64_t val)
{
	struct vmcs *v = &m->x->vmcs;

	vmcs_put(v, f, vmcs_write(f, v->r.value[f], vmcs_fields[f].encoding, val, true));
}

void vm_control(struct vmm *m, enum vmx_control c, bool on)
{
	enum vmcs_field f = vmx_words[vmx_controls[c].word].field;
	uint64_t old = vm_read(m, f);

	vm_write(m, f, on ? old | vmx_bit(c) : old & ~vmx_bit(c));
}

gpa vmm_page(struct vmm *m)
{
	return m->pages < VMM_PAGES ? VMM_AT + ((gpa)m->pages++ << PAGE_SHIFT) : 0;
}

void vmm_store64(struct vmm *m, gpa at, uint64_t val)
{
	mm_phys_write(m->vm, at, &val, sizeof(val));
}

/* Every bit that has to be 1, and those of the controls that are used here. */
static void init_controls(struct vmm *m)
{
	static const enum vmx_control used[] = {
		VMX_PIN_EXTERNAL_INTERRUPT,
		VMX_PROC_HLT,
		VMX_PROC_IO_BITMAPS,
		VMX_PROC_MSR_BITMAPS,
		VMX_PROC_SECONDARY,
		VMX_PROC2_EPT,
		VMX_PROC2_VPID,
		VMX_PROC2_UNRESTRICTED_GUEST,
		VMX_PROC2_RDTSCP,
		VMX_EXIT_SAVE_DEBUG,
		VMX_EXIT_SAVE_EFER,
		VMX_EXIT_LOAD_EFER,
		VMX_ENTRY_LOAD_DEBUG,
		VMX_ENTRY_LOAD_EFER,
	};

	for (unsigned i = 0; i < VMX_WORDS; i++)
		if (vmx_words[i].under == VMX_ALWAYS)
			vm_write(m, vmx_words[i].field, m->x->caps.word[i].true_must);
	for (unsigned i = 0; i < ARRAY_LEN(used); i++)
		vm_control(m, used[i], true);
	vm_control(m, VMX_EXIT_HOST_64, m->x->caps.model.long_mode);
	vm_control(m, VMX_PROC_CR8_LOAD, m->x->caps.model.long_mode);
	vm_control(m, VMX_PROC_CR8_STORE, m->x->caps.model.long_mode);
	vm_control(m, VMX_PROC2_INVPCID, vmx_offers(&m->x->caps, VMX_PROC2_INVPCID));
}

/* In IA-32e mode, where the processor has it: a host outside it has no guest inside. */
uint64_t vmm_host_efer(const struct vmm *m)
{
	return m->x->caps.model.long_mode ? EFER_LME | EFER_LMA : 0;
}

static void init_host(struct vmm *m)
{
	vm_write(m, VMCS_HOST_CR0, CR0_PE | CR0_PG | CR0_NE | CR0_ET);
	vm_write(m, VMCS_HOST_CR4, VMX_CR4_VMXE | (m->x->caps.model.long_mode ? CR4_PAE : 0));
	vm_write(m, VMCS_HOST_IA32_EFER, vmm_host_efer(m));
	vm_write(m, VMCS_HOST_CS_SELECTOR, HOST_CODE);
	vm_write(m, VMCS_HOST_SS_SELECTOR, HOST_DATA);
	vm_write(m, VMCS_HOST_DS_SELECTOR, HOST_DATA);
	vm_write(m, VMCS_HOST_ES_SELECTOR, HOST_DATA);
	vm_write(m, VMCS_HOST_TR_SELECTOR, HOST_TSS);
}

/* The MSRs that exit: all outside the bitmaps' ranges, those of VMX, EFER when it is written. */
static void msr_exits(struct vmm *m, uint32_t msr, bool write)
{
	gpa at = m->msr_bitmap + (write ? 2048 : 0) + (msr >= 0xc0000000 ? 1024 : 0) + (msr & 0x1fff) / 8;
	uint8_t byte = 0;

	mm_phys_read(m->vm, at, &byte, 1);
	byte |= 1u << (msr & 7);
	mm_phys_write(m->vm, at, &byte, 1);
}

static void init_bitmaps(struct vmm *m)
{
	for (unsigned i = 0; i < 2 * PAGE_SIZE; i += 8)
		vmm_store64(m, m->io_bitmap + i, ~0ull);
	vm_write(m, VMCS_IO_BITMAP_A, m->io_bitmap);
	vm_write(m, VMCS_IO_BITMAP_B, m->io_bitmap + PAGE_SIZE);
	for (unsigned write = 0; write < 2; write++) {
		msr_exits(m, MSR_FEATURE_CONTROL, write);
		for (uint32_t msr = VMX_MSR_FIRST; msr <= VMX_MSR_LAST; msr++)
			msr_exits(m, msr, write);
	}
	msr_exits(m, MSR_EFER, true);
	vm_write(m, VMCS_MSR_BITMAPS, m->msr_bitmap);
}

bool vmm_take_pages(struct vmm *m)
{
	m->vmcs = vmm_page(m);
	m->msr_bitmap = vmm_page(m);
	m->io_bitmap = vmm_page(m);
	vmm_page(m); /* the bitmap has two */
	m->ones = vmm_page(m);
	for (unsigned i = 0; i < PAGE_SIZE && m->ones; i += 8)
		vmm_store64(m, m->ones + i, ~0ull);
	return m->ones && vmm_ept_init(m) && shadow_init(m);
}

void vmm_begin(struct vmm *m)
{
	m->x->on = true;
	m->x->vmxon_count++;
	gpr_zero(&m->x->vmcs, sizeof(m->x->vmcs));
	m->x->vmcs.at = m->vmcs;
	m->x->vmcs.r.revision = VMCS_REVISION;
	init_controls(m);
	init_host(m);
	init_bitmaps(m);
	vm_write(m, VMCS_EPT_POINTER, m->ept);
	vm_write(m, VMCS_VPID, VMM_VPID);
	vm_write(m, VMCS_VMCS_LINK_POINTER, VMCS_NONE);
}
