/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/exits.h. */
#include "svm/exits.h"

const struct svm_exit_row svm_exit_rows[SVM_EXIT_ROWS] = {
#define EXIT(first, last, id, feature, kind, info1, info2, name)                                             \
	{ first, last, #id, info1, info2, name, SVM_##feature, SVM_KIND_##kind },
#include "svm/exits.def"
#undef EXIT
};

const struct svm_exit_row *svm_exit_row(uint64_t code)
{
	for (unsigned i = 0; i < SVM_EXIT_ROWS; i++)
		if (code >= svm_exit_rows[i].first && code <= svm_exit_rows[i].last)
			return &svm_exit_rows[i];
	return NULL;
}
