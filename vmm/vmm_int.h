/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shared by the files behind vmm/vmm.h. GPR-only code (base/gpr.h): exits come while the guest's vector
 * registers are live. */
#ifndef VMM_VMM_INT_H
#define VMM_VMM_INT_H
#include "mm/mm.h"
#include "vmm/vmm.h"
#include "vtx/event.h"
#include "vtx/executor.h"
#include "vtx/processor.h"
#include "vtx/transition.h"
#include "x86/engine.h"

/* The monitor's own memory: pages from VMM_AT on, where neither the machine's memory nor its devices are. The
 * machine knows it as ROM, so that no DMA writes it. */
#define VMM_AT 0xf4000000u
#define VMM_PAGES (VMM_MEMORY >> PAGE_SHIFT)

struct shadows;

/* What an exit leaves to be done when the processor has stopped. */
enum vmm_pending {
	PENDING_NONE,
	PENDING_EMULATE, /* execute the instruction that exited */
	PENDING_DELIVER, /* deliver the event that the exit interrupted */
	PENDING_SHUTDOWN,
};

/* Host cycles of the monitor, for engine_ops.times. */
struct vmm_times {
	uint64_t run;	    /* of run() */
	uint64_t emulated;  /* in the processor, outside non-root operation */
	uint64_t exits[2];  /* in exited(); [1]: for memory, as part of a trap of the processor */
	uint64_t run_since; /* what lasts still began then; 0: nothing does */
	bool exiting;
};

struct vmm {
	struct vcpu *v;			/* the processor, as the machine sees it */
	const struct engine_ops *inner; /* how it executes */
	struct engine_ops ops;		/* that, with what is ours in front */
	struct platform machine;
	struct vmx_executor e; /* VMX of the processor */
	struct vmx *x;	       /* of E */
	struct mm_vm *vm;
	enum vmm_paging paging;
	enum vmm_pending pending;
	volatile bool stop;	   /* somebody asked for a stop */
	bool inside;		   /* the processor is in non-root operation */
	bool shadowing;		   /* now: EPT is off */
	unsigned watched;	   /* points at exits: the processor must stop at each */
	unsigned watched_accesses; /* points at ports, control registers and MSRs */
	uint64_t cr3;		   /* the guest's, while shadowing */
	uint64_t pdptr[4];	   /* and its PDPTEs, with PAE */
	bool window;		   /* an interrupt waits until the guest can take one */
	unsigned pages;		   /* of ours, given out */
	gpa vmcs, msr_bitmap, io_bitmap, ept /* the EPT pointer */;
	gpa ones; /* a page of ones: what the guest finds where our memory is */
	struct shadows *shadows;
	uint64_t flushes, flushed; /* by the guest, with shadow page tables; those that emulation knows of */
	struct vmm_times times;
};

#define VMM_VPID 1u

/* ---- vmm/setup.c ---- */

/* VMREAD and VMWRITE, as the instructions do them. */
uint64_t vm_read(const struct vmm *m, enum vmcs_field f);
void vm_write(struct vmm *m, enum vmcs_field f, uint64_t val);
void vm_control(struct vmm *m, enum vmx_control c, bool on);
/* A zeroed page of our own memory; 0: none is left. */
gpa vmm_page(struct vmm *m);
/* Memory of ours. */
void vmm_store64(struct vmm *m, gpa at, uint64_t val);
/* Take the pages of all tables. False: they are too few. */
bool vmm_take_pages(struct vmm *m);
/* As VMXON and VMPTRLD, and write what stays the same in the VMCS. */
void vmm_begin(struct vmm *m);
/* EFER in root operation. */
uint64_t vmm_host_efer(const struct vmm *m);
/* Is A in our own memory? */
static inline bool vmm_owns(gpa a)
{
	return a - VMM_AT < (gpa)VMM_PAGES << PAGE_SHIFT;
}

/* Is there a device at guest-physical A, which the platform emulates while the guest goes on? */
bool vmm_device(void *m, gpa a);

/* ---- vmm/platform.c ---- */

/* What the processor is around: the machine, but for its interrupts. */
struct platform vmm_platform(struct vmm *m);
/* CPUID, for the guest as for the processor. */
void vmm_cpuid(void *m, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* ---- vmm/state.c: the guest's state, in struct cpu as the guest sees it and in the VMCS ---- */

void vmm_to_vmcs(struct vmm *m);
void vmm_from_vmcs(struct vmm *m);
/* The control registers as the guest sees them, by the VMCS. */
uint32_t vmm_cr0(const struct vmm *m);
uint32_t vmm_cr4(const struct vmm *m);
/* Is the guest of the VMCS in IA-32e mode? In 64-bit mode? */
static inline bool vmm_long(const struct vmm *m)
{
	return vm_read(m, VMCS_GUEST_IA32_EFER) & EFER_LMA;
}
static inline bool vmm_64(const struct vmm *m)
{
	return vmm_long(m) && vm_read(m, VMCS_GUEST_CS_ACCESS_RIGHTS) & SA_L;
}

/* ---- vmm/exits.c ---- */

/* Handle the exit that the VMCS describes. False: M->pending says what is left. */
bool vmm_handle(struct vmm *m);
/* Is what EXIT asks for done by the instruction itself, if it runs in the guest? */
bool vmm_in_place(void *m, const struct vmx_exit *exit);

/* ---- vmm/ept.c ---- */

bool vmm_ept_init(struct vmm *m);

/* ---- vmm/shadow.c ---- */

bool shadow_init(struct vmm *m);
void shadow_free(struct vmm *m);
/* The guest's CR3 is to be CR3, which it may be already: select its shadow tables, brought up to date as by a
 * flush, and set CR3 in the VMCS. GLOBAL: global pages are flushed, too. */
void shadow_enter(struct vmm *m, uint64_t cr3, bool global);
/* The guest loads CR3: read its PDPTEs, with PAE outside IA-32e mode. False: they are not valid (#GP). */
bool shadow_pdptes(struct vmm *m, uint64_t cr3);
/* The guest executed INVLPG. */
void shadow_invlpg(struct vmm *m, gva lin);
/* Drop everything: modes changed. */
void shadow_drop_all(struct vmm *m);
enum shadow_fault { SHADOW_MAPPED, SHADOW_GUEST_FAULT /* *ERR */, SHADOW_EMULATE };
/* Resolve a page fault at LIN with error code ERR. */
enum shadow_fault shadow_fault(struct vmm *m, gva lin, uint32_t *err);
#endif
