/* SPDX-License-Identifier: GPL-3.0-or-later
 * A processor as VMX sees it: the architectural state that VM entries and exits exchange, with 64-bit
 * registers whatever engine runs it, and the state of VMX operation itself. The engine copies its own
 * registers in and out, and hands in memory, the instruction's operands and the MSRs that VMX knows nothing
 * of. */
#ifndef VTX_PROCESSOR_H
#define VTX_PROCESSOR_H
#include "vtx/capability.h"
#include "vtx/steer.h"
#include "x86/cpu.h"

struct vmx_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t rights; /* SA_*, AR_UNUSABLE */
	uint16_t selector;
};

/* MSRs with fields of their own. */
enum vmx_msr {
#define VMX_MSR(id, number, guest, host, entry, save, load, clear) VMX_MSR_##id,
#include "vtx/msrs.def"
#undef VMX_MSR
	VMX_MSRS
};
struct vmx_msr_row {
	uint32_t number;
	enum vmcs_field guest, host;
	enum vmx_control entry, save, load, clear;
};
#define VMX_OFFERED VMX_NONE /* of save: wherever the processor has the field */
extern const struct vmx_msr_row vmx_msrs[VMX_MSRS];

struct vmx_state {
	uint64_t gpr[16]; /* in the order of R_EAX..R_EDI, then R8 to R15; RSP among them */
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, dr7;
	uint64_t pdpte[4]; /* with PAE paging outside IA-32e mode */
	uint64_t ssp;
	uint64_t msr[VMX_MSRS];
	struct vmx_segment seg[SEG_COUNT], ldtr, tr;
	struct {
		uint64_t base;
		uint32_t limit;
	} gdtr, idtr;
	uint64_t pending_debug;	   /* PENDING_* of bits.h */
	uint32_t interruptibility; /* BLOCK_* */
	uint32_t activity;	   /* enum vmx_activity */
	uint32_t preemption_timer; /* what is left of it at an exit; the engine counts */
	uint32_t smbase;
	uint8_t cpl;
};

/* An exception that an instruction raised. */
struct vmx_exception {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t address; /* of #PF: for CR2 */
};

/* The memory or register operand of a VMX instruction, as decoded. */
struct vmx_operand {
	bool memory;
	uint8_t reg; /* if it is none in memory */
	enum seg seg;
	uint64_t offset; /* effective address */
};

struct vmx;
struct vmx_ops {
	/* Access the memory operand OP of the current instruction. False: X->exception says why. */
	bool (*load)(struct vmx *x, const struct vmx_operand *op, void *buf, unsigned n);
	bool (*store)(struct vmx *x, const struct vmx_operand *op, const void *buf, unsigned n);
	/* MSRs that are in no field. False: #GP. ASK: nothing is written. */
	bool (*rdmsr)(struct vmx *x, uint32_t msr, uint64_t *val);
	bool (*wrmsr)(struct vmx *x, uint32_t msr, uint64_t val, bool ask);
	/* Drop translations: of EPT pointer EPTP (ALL: of all), of VPID; ADDRESS if TYPE is 0. NULL: there
	 * are none. */
	void (*invept)(struct vmx *x, unsigned type, uint64_t eptp);
	void (*invvpid)(struct vmx *x, unsigned type, uint16_t vpid, uint64_t address);
	/* A debugger wrote fields of the current VMCS, or changed X->steer. NULL: nothing depends on them. */
	void (*changed)(struct vmx *x);
	/* Views are about to be read while the vCPU is stopped: bring X->s up to date. NULL: it is. */
	void (*refresh)(struct vmx *x);
};

struct vmx {
	struct vmx_caps caps;
	const struct vmx_ops *ops;
	struct vmx_memory mem;
	void *owner; /* the engine's */
	struct vmx_state s;
	struct vmx_exception exception;

	bool on;		/* in VMX operation */
	bool guest;		/* in VMX non-root operation */
	bool smm, dual_monitor; /* in SMM; dual-monitor treatment is active */
	bool smx, a20_masked;
	bool aborted; /* a VMX abort has shut it down */
	uint64_t feature_control, smm_monitor_ctl;
	gpa vmxon;
	gpa smm_transfer;     /* SMM-transfer VMCS pointer */
	uint32_t vmxon_count; /* how many VMXONs there were: tells launch states apart */
	struct vmcs vmcs;     /* the current VMCS */
	uint64_t injection;   /* event to be delivered before the guest's first instruction, or 0 */
	uint32_t injection_error, injection_length;
	int failed_check;    /* the row of checks.h that failed the last VM entry, or -1 */
	struct vmx_log *log; /* NULL: exits are not logged */
	struct vmx_steer steer;
};

static inline uint64_t vmx_efer(const struct vmx_state *s)
{
	return s->msr[VMX_MSR_EFER];
}
/* 64-bit mode: IA-32e mode with a 64-bit code segment. */
static inline bool vmx_mode64(const struct vmx_state *s)
{
	return vmx_efer(s) & EFER_LMA && s->seg[SEG_CS].rights & SA_L;
}

void vmx_init(struct vmx *x, const struct vmx_model *m);
/* Read and write an MSR as RDMSR and WRMSR at CPL 0 do. False: #GP. */
bool vmx_rdmsr(struct vmx *x, uint32_t msr, uint64_t *val);
bool vmx_wrmsr(struct vmx *x, uint32_t msr, uint64_t val);
bool vmx_wrmsr_ok(struct vmx *x, uint32_t msr, uint64_t val); /* would it? */
bool vmx_msr_is_state(const struct vmx *x, uint32_t msr);     /* Is it in struct vmx_state? */

/* What a value must be like. */
bool vmx_canonical(const struct vmx_caps *c, uint64_t address);
bool vmx_pat_ok(uint64_t pat);
bool vmx_s_cet_ok(uint64_t s_cet);
bool vmx_eptp_ok(const struct vmx_caps *c, uint64_t eptp);
bool vmx_pdpte_ok(const struct vmx_caps *c, uint64_t pdpte);
bool vmx_address_ok(const struct vmx_caps *c, uint64_t address); /* within the physical-address width */
uint64_t vmx_debugctl_valid(const struct vmx_caps *c);
#endif
