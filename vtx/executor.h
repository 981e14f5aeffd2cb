/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMX of a processor that an engine executes: struct virt_ops (cpu/virt.h) over struct vmx. The guest runs in
 * the engine's struct cpu; its state is copied into struct vmx and out of it where an instruction, an entry
 * or an exit needs it. */
#ifndef VTX_EXECUTOR_H
#define VTX_EXECUTOR_H
#include "cpu/virt.h"
#include "vtx/apic.h"

struct mm_vm;
struct nested_result;

struct vmx_executor {
	struct virt virt; /* first: vcpu.virt points here */
	struct vmx x;
	struct vcpu *v;
	struct mm_vm *vm;
	struct vmx_exit exit;	 /* noted, for leave() */
	bool (*root)(void *ctx); /* see vmx_executor_root() */
	bool (*device)(void *ctx, gpa a);
	bool (*in_place)(void *ctx, const struct vmx_exit *exit);
	void *root_ctx;
	uint8_t waits;		   /* while struct cpu is halted: which inactive state it is */
	struct vmx_apic_trap trap; /* an exit behind the instruction that runs */
	bool convertible;	   /* the EPT violation that is noted may become #VE, by its EPT entry */
	/* PAUSE-loop exiting: PAUSEs since the entry, the TSC at the last one and at the first one of its
	 * loop. */
	uint64_t pauses, pause_last, pause_first;
	bool timer_on;	       /* the preemption timer counts ... */
	uint64_t timer_end;    /* ... until then, in its own units of the TSC */
	bool faulted;	       /* an operand's access failed: the exception is in cpu.exc */
	bool walking, probing; /* entries of the EPT are being read: as mmu_load_entry() takes it */
	/* The intercepts that the words below amount to. */
	uint64_t points, points_of[4];
};

/* What the executor implements of generation G on a processor like V's. */
void vmx_executor_model(struct vcpu *v, enum vmx_generation g, struct vmx_model *m);
/* Give V the extension; E is zeroed. */
void vmx_executor_init(struct vmx_executor *e, struct vcpu *v, struct mm_vm *vm, const struct vmx_model *m);

/* ---- for a hypervisor in C, in the place of code in root operation ---- */

/* Call EXITED(CTX) after each exit and each failed entry, instead of going on at the host's RIP: it may enter
 * the guest again. False: the processor shuts down. Set once; resetting the processor keeps it. */
void vmx_executor_root(struct vmx_executor *e, bool (*exited)(void *ctx), void *ctx);
/* Where DEVICE(CTX, A) says that the hypervisor emulates accesses to guest-physical A, where EPT maps
 * nothing, the processor makes them: they reach the platform, in which the hypervisor has taken its place. It
 * calls vmx_executor_note() for each. */
void vmx_executor_devices(struct vmx_executor *e, bool (*device)(void *ctx, gpa a));
/* Where IN_PLACE(CTX, EXIT) says so, the instruction that EXIT is about runs in the guest instead, since the
 * hypervisor would do the same for it; exit and entry are recorded. */
void vmx_executor_in_place(struct vmx_executor *e, bool (*in_place)(void *ctx, const struct vmx_exit *exit));
/* Record EXIT, which the hypervisor has handled in the middle of an instruction because it changes nothing of
 * the guest's state, and the entry after it. */
void vmx_executor_note(struct vmx_executor *e, const struct vmx_exit *exit);
/* Enter the guest of the current VMCS, whatever its launch state; general registers are struct cpu's.
 * VMX_ENTERED: an event that the entry injects has been delivered, or EXITED been called. VMX_NEXT: it failed
 * by error *ERROR; VMX_ENTRY_FAILED: by an exit, of which EXITED is not told. */
enum vmx_result vmx_executor_enter(struct vmx_executor *e, unsigned *error);
/* Leave the guest for REASON, without calling EXITED. False: the processor has shut down. */
bool vmx_executor_exit(struct vmx_executor *e, enum vmx_reason reason);

/* ---- parts (vtx/executor_state.c) ---- */

/* What VMX instructions look at, operands apart, and what entries leave as it is; everything that exits save.
 * Of general registers, entries and exits exchange RSP alone. */
void vmx_copy_in_some(struct vmx_executor *e);
void vmx_copy_in(struct vmx_executor *e);
void vmx_copy_in_gprs(struct vmx_executor *e);
/* RIP and flags after an instruction; the state of the other side. */
void vmx_copy_out_some(struct vmx_executor *e);
void vmx_copy_out(struct vmx_executor *e);
void vmx_copy_out_gprs(struct vmx_executor *e);

/* ---- parts (vtx/executor_ept.c) ---- */

/* Use the address space of the current VMCS' guest, or the host's. struct cpu is that side's. */
void vmx_switch_space(struct vmx_executor *e, bool guest);
/* vmx_ops.invept and invvpid. */
void vmx_op_invept(struct vmx *x, unsigned type, uint64_t eptp);
void vmx_op_invvpid(struct vmx *x, unsigned type, uint16_t vpid, uint64_t address);

/* ---- parts (vtx/executor_apic.c) ---- */

/* mmu_nested.translate of A, which leads to the APIC-access page, and mmu_nested.device. */
bool vmx_apic_translate(struct vmx_executor *e, gpa a, unsigned how, struct nested_result *r);
bool vmx_apic_device(void *ctx, gpa a, void *buf, unsigned n, unsigned how);
/* CR8 of a guest with TPR shadow. */
uint8_t vmx_apic_tpr(const struct vmx_executor *e);
void vmx_apic_set_tpr(struct vmx_executor *e, uint8_t cr8);
/* WRMSR in the guest: as vmx_apic_wrmsr(). */
int vmx_apic_msr_write(struct vmx_executor *e, uint32_t msr, uint64_t val);
/* Interrupt VECTOR was acknowledged. True: it announced posted ones, and does not exit. */
bool vmx_apic_notified(struct vmx_executor *e, unsigned vector);
/* True: a virtual interrupt is taken now, and is in virt.due. */
bool vmx_apic_interrupts(struct vmx_executor *e);

/* ---- parts (vtx/executor_due.c) ---- */

/* virt_ops.due. */
enum virt_due vmx_due(struct vcpu *v, bool intr);
/* The preemption timer: start it as the VMCS has it, stop it, set the machine's alarm for its end. */
void vmx_timer_start(struct vmx_executor *e);
void vmx_timer_stop(struct vmx_executor *e);
void vmx_timer_set(struct vmx_executor *e);
/* What is left of it. */
uint32_t vmx_timer_left(const struct vmx_executor *e);

/* ---- parts (vtx/executor_intercept.c) ---- */

/* The points of cpu/virt.h that the current VMCS intercepts. */
uint64_t vmx_points(struct vmx_executor *e);
/* virt_ops.intercept. */
int vmx_intercept_insn(struct vcpu *v, struct virt_insn *i);

static inline struct vmx_executor *vmx_executor_of(struct vcpu *v)
{
	return (struct vmx_executor *)(void *)v->virt;
}
#endif
