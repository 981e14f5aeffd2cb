/* SPDX-License-Identifier: GPL-3.0-or-later
 * #VMEXIT codes, by one table (exits.def): which bit of the VMCB's intercepts asks for each, and what it
 * says. */
#ifndef SVM_EXITS_H
#define SVM_EXITS_H
#include "svm/capability.h"

enum svm_exit_row_id {
#define EXIT(first, last, id, feature, kind, info1, info2, name) SVM_EXIT_ROW_##id,
#include "svm/exits.def"
#undef EXIT
	SVM_EXIT_ROWS
};
/* The codes; of a range, the first. */
enum {
#define EXIT(first, last, id, feature, kind, info1, info2, name) SVM_EXIT_##id = first,
#include "svm/exits.def"
#undef EXIT
	SVM_INTERCEPTS = 0xc0, /* codes below it have a bit each */
};
#define SVM_EXIT_INVALID (~0ull)

enum svm_exit_kind {
	SVM_KIND_INSN,
	SVM_KIND_EVENT,
	SVM_KIND_EXCEPTION,
	SVM_KIND_TRAP,
	SVM_KIND_FAULT,
};
struct svm_exit_row {
	uint16_t first, last;
	const char *id, *info1, *info2, *name;
	enum svm_feature feature;
	enum svm_exit_kind kind;
};
extern const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS];

/* The row of CODE; NULL: there is none (or it is SVM_EXIT_INVALID). */
const struct svm_exit_row *svm_exit_row(uint64_t code);

/* Codes without gaps, for counters (cpu/exit_log.h). */
enum {
	SVM_SLOT_NPF = SVM_INTERCEPTS, /* and those behind it, to VMGEXIT */
	SVM_SLOT_INVALID = SVM_SLOT_NPF + SVM_EXIT_VMGEXIT - SVM_EXIT_NPF + 1,
	SVM_SLOTS
};
static inline unsigned svm_exit_slot(uint64_t code)
{
	if (code < SVM_INTERCEPTS)
		return (unsigned)code;
	if (code >= SVM_EXIT_NPF && code <= SVM_EXIT_VMGEXIT)
		return (unsigned)(code - SVM_EXIT_NPF) + SVM_SLOT_NPF;
	return code == SVM_EXIT_INVALID ? SVM_SLOT_INVALID : SVM_SLOTS;
}
static inline uint64_t svm_slot_code(unsigned slot)
{
	return slot < SVM_SLOT_NPF	 ? slot
	       : slot < SVM_SLOT_INVALID ? slot - SVM_SLOT_NPF + SVM_EXIT_NPF
					 : SVM_EXIT_INVALID;
}
#endif
