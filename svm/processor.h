/* SPDX-License-Identifier: GPL-3.0-or-later
 * A processor as SVM sees it: the architectural state that VMRUN, #VMEXIT, VMLOAD and VMSAVE exchange, with
 * 64-bit registers whatever engine runs it, and the state of SVM itself. The engine copies its own registers
 * in and out, and hands in memory and the flushes of translations.
 *
 * The host's state between VMRUN and #VMEXIT is kept here; nothing is read from the area at VM_HSAVE_PA or
 * written there, as the manual leaves to a processor (APM vol. 2 15.5.1). */
#ifndef SVM_PROCESSOR_H
#define SVM_PROCESSOR_H
#include "svm/bits.h"
#include "svm/control.h"
#include "svm/steer.h"

struct svm_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t rights; /* SA_*, AR_UNUSABLE */
	uint16_t selector;
};
struct svm_table {
	uint64_t base;
	uint32_t limit;
};

/* MSRs that have fields of their own. */
enum svm_msr {
	SVM_STAR,
	SVM_LSTAR,
	SVM_CSTAR,
	SVM_SFMASK,
	SVM_KERNEL_GS_BASE,
	SVM_SYSENTER_CS,
	SVM_SYSENTER_ESP,
	SVM_SYSENTER_EIP,
	SVM_SWAPPED, /* those above are VMLOAD's and VMSAVE's */
	SVM_DBGCTL = SVM_SWAPPED,
	SVM_BR_FROM,
	SVM_BR_TO,
	SVM_LAST_EXCP_FROM,
	SVM_LAST_EXCP_TO,
	SVM_MSRS
};

struct svm_state {
	uint64_t gpr[16]; /* in the order of R_EAX..R_EDI, then R8 to R15; RSP among them */
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4, dr6, dr7, efer;
	uint64_t pat;	   /* the guest's with nested paging, else the host's */
	uint64_t pdpte[4]; /* with PAE paging in legacy mode and without nested paging */
	uint64_t msr[SVM_MSRS];
	struct svm_segment seg[SEG_COUNT], ldtr, tr;
	struct svm_table gdtr, idtr;
	uint8_t cpl;
	bool shadow;	  /* in an interrupt shadow */
	bool nmi_blocked; /* until IRET */
};

/* What VMRUN saves of the host. */
struct svm_host {
	uint64_t rax, rsp, rip, rflags, cr0, cr3, cr4, efer, pat;
	uint64_t msr[SVM_MSRS - SVM_SWAPPED]; /* with LBR virtualization */
	struct svm_segment seg[SEG_DS + 1];   /* ES, CS, SS, DS */
	struct svm_table gdtr, idtr;
};

/* An exception that an instruction raised. */
struct svm_exception {
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

enum svm_flush {
	SVM_FLUSH_ALL,	      /* translations of all ASIDs */
	SVM_FLUSH_ASID,	      /* of one */
	SVM_FLUSH_ASID_LOCAL, /* but not its global pages */
};

struct svm;
struct svm_log;
struct svm_ops {
	/* Drop translations. ASID 0 is the host's. NULL: there are none. */
	void (*flush)(struct svm *x, enum svm_flush what, uint32_t asid);
	void (*flush_page)(struct svm *x, uint64_t address, uint32_t asid);
	/* A debugger changed a field or an exit. NULL: nothing depends on them. */
	void (*changed)(struct svm *x);
	/* Bring X's state up to date, for views. NULL: it is. */
	void (*refresh)(struct svm *x);
};

struct svm {
	struct svm_caps caps;
	const struct svm_ops *ops;
	struct svm_memory mem;
	void *owner; /* the engine's */
	struct svm_state s;
	struct svm_host host;
	struct svm_exception exception;
	struct vmcb vmcb; /* of the guest that runs, or ran last */

	bool guest;    /* in guest mode: between VMRUN and #VMEXIT */
	bool gif;      /* global interrupt flag */
	bool shutdown; /* a #VMEXIT could not load the host's state */
	uint64_t vm_cr, hsave, tsc_ratio, ignne, smm_ctl, key;
	uint64_t injection;  /* EVENTINJ to be delivered before the guest's first instruction, or 0 */
	uint64_t delivering; /* the event under delivery, as EXITINTINFO codes it, or 0 */
	struct svm_steer steer;
	struct svm_log *log; /* NULL: exits are not logged */
	int failed_check;    /* the row of checks.h that failed the last VMRUN, or -1 */
};

static inline bool svm_long(const struct svm_state *s)
{
	return s->efer & EFER_LMA;
}
static inline bool svm_mode64(const struct svm_state *s)
{
	return s->efer & EFER_LMA && s->seg[SEG_CS].rights & SA_L;
}
static inline bool svm_pae(const struct svm_state *s)
{
	return s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !svm_long(s);
}
/* Is nested paging on for the guest that runs? */
static inline bool svm_nested(const struct svm *x)
{
	return x->guest && VMCB_ON(&x->caps, &x->vmcb, NP_ENABLE);
}

/* The state after power-on. SVMDIS: VM_CR.SVMDIS is set by firmware. */
void svm_init(struct svm *x, const struct svm_model *m);
/* Read and write an MSR of SVM as RDMSR and WRMSR at CPL 0 do. False: #GP. */
bool svm_is_msr(const struct svm *x, uint32_t msr);
bool svm_rdmsr(const struct svm *x, uint32_t msr, uint64_t *val);
bool svm_wrmsr(struct svm *x, uint32_t msr, uint64_t val);
/* May EFER.SVME be set (15.4)? */
bool svm_enable_ok(const struct svm *x);
/* Can PAT and the PDPTEs of legacy PAE paging have these values? */
bool svm_pat_ok(uint64_t pat);
bool svm_pdpte_ok(const struct svm_caps *c, uint64_t pdpte);
#endif
