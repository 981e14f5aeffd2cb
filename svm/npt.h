/* SPDX-License-Identifier: GPL-3.0-or-later
 * Nested page tables (APM vol. 2 15.25): from a guest-physical address to one of the host hypervisor's. They
 * have the format of the host's own page tables in the mode that it executed VMRUN in: 32-bit with or without
 * 4 MiB pages, PAE, long mode with four or five levels. */
#ifndef SVM_NPT_H
#define SVM_NPT_H
#include "svm/transition.h"

/* An access. All are user accesses; of a guest's page table, they are writes (15.25.5). */
enum {
	SVM_NPT_WRITE = 1,
	SVM_NPT_FETCH = 2,
	SVM_NPT_TABLE = 4, /* of a guest paging-structure entry */
};

enum svm_npt_result {
	SVM_NPT_OK,
	SVM_NPT_FAULT, /* exit 400: svm_exit_npf() */
};

#define SVM_NPT_LEVELS 5u
struct svm_walk {
	gpa at[SVM_NPT_LEVELS]; /* of the entries, the root's first */
	uint64_t entry[SVM_NPT_LEVELS];
	unsigned levels;		 /* how many of them were read */
	bool user, writable, executable; /* by all of them */
	bool accessed;			 /* all of them are marked so */
	gpa result;			 /* with SVM_NPT_OK */
	uint64_t size;			 /* of the page: 4 KiB, 2 or 4 MiB, 1 GiB */
	unsigned pat;			 /* index of the memory type in the host's PAT */
	gpa address;			 /* what was looked up */
	uint64_t error;			 /* with SVM_NPT_FAULT: EXITINFO1 */
};

/* Look up ADDRESS under the VMCB of the guest that runs. Nothing changes in memory: it is what a view shows.
 */
enum svm_npt_result svm_npt_look(const struct svm *x, gpa address, unsigned access, struct svm_walk *w);
/* The same as the processor does it: accessed and dirty bits are set. */
enum svm_npt_result svm_npt_access(struct svm *x, gpa address, unsigned access, struct svm_walk *w);
/* Make EXIT the nested page fault that W ended with. */
void svm_exit_npf(struct svm_exit *exit, const struct svm_walk *w);
#endif
