/* SPDX-License-Identifier: GPL-3.0-or-later
 * SVM of a processor that an engine executes: struct virt_ops (cpu/virt.h) over struct svm. The guest runs in
 * the engine's struct cpu; its state is copied into struct svm and out of it where an instruction, VMRUN or a
 * #VMEXIT needs it. */
#ifndef SVM_EXECUTOR_H
#define SVM_EXECUTOR_H
#include "cpu/virt.h"
#include "svm/transition.h"

struct mm_vm;

struct svm_executor {
	struct virt virt; /* first: vcpu.virt points here */
	struct svm x;
	struct vcpu *v;
	struct mm_vm *vm;
	struct svm_exit exit; /* noted, for leave() */
	bool data_access;     /* it is a fault of a data access: with the instruction's bytes */
	/* What is intercepted, and what it follows from: words 0 to 5 of the intercepts, the TSC ratio,
	 * virtual NMIs and V_INTR_MASKING. */
	uint64_t points, points_of[5];
	bool walking, probing; /* nested tables are being read: as mmu_load_entry() takes it */
};

/* What the executor implements of generation G, as far as V's CPUID offers it. */
void svm_executor_model(struct vcpu *v, enum svm_generation g, struct svm_model *m);
/* Give V the extension; E is zeroed. */
void svm_executor_init(struct svm_executor *e, struct vcpu *v, struct mm_vm *vm, const struct svm_model *m);

/* ---- parts (svm/executor_state.c) ---- */

/* What interrupts and instructions look at; everything that VMRUN, #VMEXIT, VMLOAD and VMSAVE exchange. */
void svm_copy_in_some(struct svm_executor *e);
void svm_copy_in(struct svm_executor *e);
/* The results of an instruction; the state of the other side. */
void svm_copy_out_some(struct svm_executor *e);
void svm_copy_out(struct svm_executor *e);

/* ---- parts (svm/executor_nested.c) ---- */

/* Use the address space of the guest, or the host's. struct cpu is that side's. */
void svm_switch_space(struct svm_executor *e, bool guest);
/* svm_ops, svm_memory: CTX is the executor. */
void svm_op_flush(struct svm *x, enum svm_flush what, uint32_t asid);
void svm_op_flush_page(struct svm *x, uint64_t address, uint32_t asid);
void svm_mem_read(void *ctx, gpa at, void *buf, unsigned n);
void svm_mem_write(void *ctx, gpa at, const void *buf, unsigned n);

/* ---- parts (svm/executor_intercept.c) ---- */

/* The points of cpu/virt.h that the guest's VMCB intercepts. */
uint64_t svm_points(const struct svm *x);
/* virt_ops.intercept. */
int svm_intercept_insn(struct vcpu *v, struct virt_insn *i);

static inline struct svm_executor *svm_executor_of(struct vcpu *v)
{
	return (struct svm_executor *)(void *)v->virt;
}
#endif
