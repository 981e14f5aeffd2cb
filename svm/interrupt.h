/* SPDX-License-Identifier: GPL-3.0-or-later
 * Interrupts and what holds them off: the global interrupt flag, virtual interrupts, virtual GIF, NMI
 * virtualization, the virtual task priority (APM vol. 2 15.13, 15.17, 15.21, 15.33.2). */
#ifndef SVM_INTERRUPT_H
#define SVM_INTERRUPT_H
#include "svm/processor.h"

/* What a physical event that is pending does between two instructions. */
enum svm_physical {
	SVM_HELD, /* nothing: it stays pending */
	SVM_TAKE, /* it is delivered by the IDT of whoever runs */
	SVM_EXIT, /* a #VMEXIT is due, the event stays pending */
};
enum svm_physical svm_physical_intr(const struct svm *x);
enum svm_physical svm_physical_nmi(const struct svm *x);
enum svm_physical svm_physical_smi(const struct svm *x);
enum svm_physical svm_physical_init(const struct svm *x);

/* The same of the guest's virtual interrupt and virtual NMI. */
enum svm_physical svm_virtual_intr(const struct svm *x);
enum svm_physical svm_virtual_nmi(const struct svm *x);
/* Take what they say: the vector of the interrupt. */
uint8_t svm_take_virtual_intr(struct svm *x);
void svm_take_virtual_nmi(struct svm *x);
/* IRET was executed: NMIs are not blocked any more. */
void svm_unblock_nmi(struct svm *x);

/* The global interrupt flag that STGI and CLGI of whoever runs set. */
bool svm_gif(const struct svm *x);
void svm_set_gif(struct svm *x, bool on);

/* CR8, as the guest reads and writes it, PHYSICAL being the processor's. True: the processor's is written,
 * too. */
uint8_t svm_cr8_read(const struct svm *x, uint8_t physical);
bool svm_cr8_write(struct svm *x, uint8_t val);
#endif
