/* SPDX-License-Identifier: GPL-3.0-or-later
 * The consistency checks of VMRUN, as rows in the manual's order (APM vol.
 * 2 15.5.1, 15.20, 15.21.10, 15.25.4). Each row can be asked without entering: svm_check_row() says whether
 * it applies and holds. A VMRUN of which one fails is a #VMEXIT with code SVM_EXIT_INVALID, whichever it is.
 */
#ifndef SVM_CHECKS_H
#define SVM_CHECKS_H
#include "svm/processor.h"

enum svm_check_group { SVM_GROUP_GUEST, SVM_GROUP_CONTROL, SVM_GROUP_EVENT, SVM_GROUP_NESTED, SVM_GROUPS };
extern const char *const svm_check_group_names[SVM_GROUPS];

enum svm_check {
#define CHECK(id, group, section, field, text, when, holds) SVM_CHECK_##id,
#include "svm/checks.def"
#undef CHECK
	SVM_CHECKS
};

/* What the checks look at: the processor, a VMCB, and what is read from memory, once. */
struct svm_checking {
	const struct svm *x;
	const struct vmcb *v;
	bool pae;	   /* the guest has legacy PAE paging that is not nested */
	uint64_t pdpte[4]; /* then */
};

struct svm_check_row {
	const char *id, *section, *text;
	enum svm_check_group group;
	enum vmcb_field field;
	bool (*when)(const struct svm_checking *c);
	bool (*holds)(const struct svm_checking *c);
};
extern const struct svm_check_row svm_check_rows[SVM_CHECKS];

enum svm_verdict { SVM_NOT_APPLICABLE, SVM_HOLDS, SVM_FAILS };

/* Prepare to check V on processor X. */
void svm_checking_init(struct svm_checking *c, const struct svm *x, const struct vmcb *v);
enum svm_verdict svm_check_row(const struct svm_checking *c, enum svm_check row);
/* Return the first row that fails; SVM_CHECKS: none. This is what VMRUN asks. */
enum svm_check svm_check_all(const struct svm_checking *c);
#endif
