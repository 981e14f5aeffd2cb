/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the VM exits of a processor were: counters by reason and by place, the last exits one by one, the last
 * entry that failed, the VMCSs that were used. It is no part of the machine's state: views read it, nothing
 * in the guest depends on it. An exit costs a read of the TSC and some stores.
 *
 * vmx_enter() and vmx_leave() log by themselves. Only an engine that leaves a guest without vmx_leave() calls
 * vmx_log_exit(). Without a log (vmx.log is NULL) nothing is done. */
#ifndef VTX_LOG_H
#define VTX_LOG_H
#include "vtx/checks.h"
#include "vtx/msr_list.h"
#include "vtx/transition.h"
#include "x86/engine.h"

enum { VMX_LOG_EXITS = 256, VMX_LOG_SITES = 1024, VMX_LOG_PROBES = 4, VMX_LOG_VMCSS = 32 };

struct vmx_log_exit {
	uint64_t number; /* from 1 */
	uint64_t pc;	 /* guest-linear address of the guest's RIP */
	uint64_t qualification, linear, physical;
	uint64_t guest; /* host cycles from the entry to this exit */
	uint64_t host;	/* and from here to the next entry; 0: there was none yet */
	gpa vmcs;
	uint32_t reason; /* with VMX_REASON_ENTRY_FAILURE */
	uint32_t event, event_error, vectoring;
};

struct vmx_log_reason {
	uint64_t count, guest, host; /* exits, cycles as above */
	uint64_t qualification, pc;  /* of the last one */
};

/* Exits for one reason at one guest pc. */
struct vmx_log_site {
	uint64_t pc, count;
	uint32_t reason;
};

struct vmx_log_vmcs {
	gpa at;
	uint64_t entries, exits;
	uint64_t last; /* number of its last exit */
	uint32_t reason;
};

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
	uint64_t exits, entries;
	int64_t since;	 /* when counting began, monotonic ns; set by whoever resets it */
	uint64_t turned; /* TSC at the last entry or exit */
	struct vmx_log_reason reason[VMX_REASONS];
	struct vmx_log_exit last[VMX_LOG_EXITS]; /* exit N is at N % VMX_LOG_EXITS */
	struct vmx_log_site site[VMX_LOG_SITES]; /* a hash table */
	uint64_t elsewhere;			 /* exits for which it had no room */
	struct vmx_log_vmcs vmcs[VMX_LOG_VMCSS];
	unsigned nvmcs, current; /* the entry of the current VMCS */
	struct vmx_log_failure failure;
	/* For a debugger: the last exit or failed entry, until it is taken. */
	struct engine_hit hit;
	bool has_hit;
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
