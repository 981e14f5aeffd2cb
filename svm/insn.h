/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the instructions of SVM do, on the state of a processor and whoever executes them. Their operands are
 * registers: rAX, and ECX of INVLPGA. */
#ifndef SVM_INSN_H
#define SVM_INSN_H
#include "svm/transition.h"

enum svm_insn_id {
#define SVM_INSN(id, exit, rules, handler) SVM_INSN_##id,
#include "svm/insns.def"
#undef SVM_INSN
	SVM_INSNS
};

struct svm_insn {
	enum svm_insn_id id;
	uint8_t length;
	uint8_t address_size; /* how much of rAX is the address: 2, 4, 8 bytes */
};

/* Execute I at X's RIP. After SVM_NEXT RIP is behind it. SVM_NESTED_FAULT: nested paging does not map the
 * VMCB of a virtual VMLOAD or VMSAVE; WALK (svm/npt.h) says why, and nothing changed. */
struct svm_walk;
enum svm_result svm_execute(struct svm *x, const struct svm_insn *i, struct svm_walk *walk);
const char *svm_insn_name(enum svm_insn_id id);
#endif
