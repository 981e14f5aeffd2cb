/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log of VM exits (cpu/exit_log.h), and what VMX adds: the last entry that failed, the VMCS as exits left
 * it.
 *
 * vmx_enter() and vmx_leave() log by themselves. Only an engine that leaves a guest without vmx_leave() calls
 * vmx_log_exit(). Without a log (vmx.log is NULL) nothing is done. */
#ifndef VTX_LOG_H
#define VTX_LOG_H
#include "cpu/exit_log.h"
#include "vtx/checks.h"
#include "vtx/msr_list.h"
#include "vtx/transition.h"

/* A VM entry that failed. */
struct vmx_log_failure {
	uint64_t count;		    /* how many failed so far; 0: none */
	unsigned error;		    /* the VM-instruction error; 0: exit reason 33 or 34 */
	enum vmx_check check;	    /* the row that failed; VMX_CHECKS: none of them */
	struct vmx_msr_failure msr; /* the entry of the MSR-load list that failed, if its number is not 0 */
	uint64_t value;		    /* of the field that CHECK names */
	uint64_t pc;		    /* linear address of the instruction */
	gpa vmcs;
};

struct vmx_log {
	struct exit_log l; /* first; slots are basic exit reasons */
	struct vmx_log_failure failure;
	/* The fields as the last exit left them and as the one before did, if somebody WATCHES. */
	bool watches;
	unsigned newest; /* which of the two is the last one */
	unsigned seen;	 /* how many there are */
	gpa snapshot_at[2];
	uint64_t snapshot[2][VMCS_FIELDS];
};

/* Forget all that was counted. */
void vmx_log_reset(struct vmx_log *l);
/* The guest leaves by E: X still has its state; NOW: the host's TSC. */
void vmx_log_exit(struct vmx *x, const struct vmx_exit *e, uint64_t now);
/* All fields of the VMCS have their values of the exit. */
void vmx_log_left(struct vmx *x);
void vmx_log_entered(struct vmx *x, uint64_t now);
/* A VM entry failed: by check ROW (VMX_CHECKS: none), by MSR (NULL: not), with the VM-instruction error ERROR
 * (0: exit reason 33 or 34). */
void vmx_log_failed(struct vmx *x, enum vmx_check row, const struct vmx_msr_failure *msr, unsigned error);

/* Take the last exit or failed entry of struct vmx X, once: engine_virt_ops.take. */
bool vmx_log_take(void *x, struct engine_hit *hit);

static inline uint64_t vmx_log_now(const struct vmx *x)
{
	return x->log ? __builtin_ia32_rdtsc() : 0;
}

/* The line that says why an entry failed, with its arguments: in the log and in views. */
#define VMX_FAILED_CHECK "check %s: %s is 0x%llx; required: %s (SDM vol. 3C %s); %s"
#define VMX_FAILED_CHECK_ARGS(f)                                                                             \
	vmx_check_rows[(f)->check].id, vmcs_fields[vmx_check_rows[(f)->check].field].id,                     \
	    (unsigned long long)(f)->value, vmx_check_rows[(f)->check].text,                                 \
	    vmx_check_rows[(f)->check].section,                                                              \
	    (f)->error ? vmx_error_text((f)->error) : vmx_reasons[VMX_REASON_ENTRY_GUEST_STATE].name
#define VMX_FAILED_MSR "entry %u of the MSR-load list: MSR 0x%x is 0x%llx; required: %s (SDM vol. 3C %s); %s"
#define VMX_FAILED_MSR_ARGS(f)                                                                               \
	(f)->msr.number, (f)->msr.index, (unsigned long long)(f)->msr.value,                                 \
	    vmx_msr_check_rows[(f)->msr.row].text, vmx_msr_check_rows[(f)->msr.row].section,                 \
	    vmx_reasons[VMX_REASON_ENTRY_MSR_LOADING].name
#endif
