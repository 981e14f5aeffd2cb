/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which instructions of a guest exit, and what the #VMEXIT says of them (APM vol. 2 15.7 to 15.11). Questions
 * about the VMCB of the guest that runs; nothing changes here. An engine asks once and builds its intercepts
 * from the answers. */
#ifndef SVM_INTERCEPT_H
#define SVM_INTERCEPT_H
#include "svm/exits.h"
#include "svm/processor.h"

enum { IOPM_SIZE = 0x3000, MSRPM_SIZE = 0x2000 };

/* Is the intercept of CODE (below SVM_INTERCEPTS) set, or did a person decide so (svm/steer.h)? */
static inline bool svm_intercepted(const struct svm *x, unsigned code)
{
	if (__builtin_expect(x->steer.any, 0) && x->steer.how[code])
		return x->steer.how[code] == SVM_FORCED;
	return vmcb_get_at(&x->vmcb, code / 32 * 4, 4) >> (code & 31) & 1;
}
/* Can exits with CODE be forced and suppressed? */
bool svm_steerable(const struct svm *x, uint64_t code);
/* The same in guest mode, of a code that the processor has. */
bool svm_exits(const struct svm *x, unsigned code);

/* IN, OUT, INS, OUTS of SIZE bytes at PORT; RDMSR and WRMSR. */
bool svm_io_exits(const struct svm *x, uint16_t port, unsigned size);
bool svm_msr_exits(const struct svm *x, uint32_t msr, bool write);

enum svm_cr0_write { SVM_CR0_MOV, SVM_CR0_LMSW, SVM_CR0_CLTS };
/* A write of CR0 from REAL to VALUE: the exit code, or 0: it does not exit. */
unsigned svm_cr0_exits(const struct svm *x, uint64_t real, uint64_t value, enum svm_cr0_write how);
/* HLT: the exit code, or 0. The idle intercept leaves it alone while a virtual interrupt is pending. */
unsigned svm_hlt_exits(const struct svm *x);

/* The time-stamp counter as the guest reads it, TSC being the processor's; what software makes of it that
 * writes the guest's. */
uint64_t svm_guest_tsc(const struct svm *x, uint64_t tsc);

/* ---- EXITINFO1 and 2 ---- */

struct svm_io {
	uint16_t port;
	uint8_t size;	      /* in bytes: 1, 2, 4 */
	uint8_t address_size; /* of the instruction: 2, 4, 8 */
	uint8_t seg;	      /* enum seg, of strings */
	bool in, string, rep;
};
uint64_t svm_io_info(const struct svm_io *io);
/* With decode assists; else 0. MOV: of or to a control register, not CLTS, LMSW or SMSW. */
uint64_t svm_cr_info(const struct svm *x, bool mov, unsigned reg);
uint64_t svm_dr_info(const struct svm *x, unsigned reg);
uint64_t svm_address_info(const struct svm *x, uint64_t address); /* INVLPG, INVLPGA */
uint64_t svm_int_info(const struct svm *x, uint8_t vector);
enum svm_task_source { SVM_TASK_CALL, SVM_TASK_IRET, SVM_TASK_JMP, SVM_TASK_GATE };
/* EXITINFO2 of a task switch; ERROR: the error code that it pushes, or NULL. */
uint64_t svm_task_info(enum svm_task_source source, const uint32_t *error, uint64_t rflags);
#endif
