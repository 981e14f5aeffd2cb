/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/interrupt.h. */
#include "svm/interrupt.h"
#include "svm/intercept.h"

#define BITS(id) VMCB_BITS(&x->vmcb, id)
#define ON(id) VMCB_ON(&x->caps, &x->vmcb, id)

static bool virtual_gif(const struct svm *x)
{
	return x->guest && ON(V_GIF_ENABLE);
}

static bool virtual_nmis(const struct svm *x)
{
	return x->guest && ON(V_NMI_ENABLE);
}

bool svm_gif(const struct svm *x)
{
	return virtual_gif(x) ? BITS(V_GIF) : x->gif;
}

void svm_set_gif(struct svm *x, bool on)
{
	if (virtual_gif(x))
		VMCB_SET_BITS(&x->vmcb, V_GIF, on);
	else
		x->gif = on;
}

/* ---- physical events ---- */

/* IF of the host governs while the guest's is virtual (15.21.1). */
static bool intr_enabled(const struct svm *x)
{
	bool masking = x->guest && BITS(V_INTR_MASKING);

	return (masking ? x->host.rflags : x->s.rflags) & FL_IF;
}

/* An interrupt shadow delays delivery, not an exit. */
enum svm_physical svm_physical_intr(const struct svm *x)
{
	if (!x->gif || !intr_enabled(x))
		return SVM_HELD;
	if (svm_exits(x, SVM_EXIT_INTR))
		return SVM_EXIT;
	return x->s.shadow ? SVM_HELD : SVM_TAKE;
}

/* With NMI virtualization what blocks NMIs is the guest's V_NMI_MASK, which is no matter of physical ones. */
enum svm_physical svm_physical_nmi(const struct svm *x)
{
	if (!x->gif || (x->s.nmi_blocked && !virtual_nmis(x)))
		return SVM_HELD;
	if (svm_exits(x, SVM_EXIT_NMI))
		return SVM_EXIT;
	return x->s.shadow ? SVM_HELD : SVM_TAKE;
}

enum svm_physical svm_physical_smi(const struct svm *x)
{
	if (!x->gif)
		return SVM_HELD;
	return svm_exits(x, SVM_EXIT_SMI) ? SVM_EXIT : SVM_TAKE;
}

enum svm_physical svm_physical_init(const struct svm *x)
{
	if (!x->gif)
		return SVM_HELD;
	return svm_exits(x, SVM_EXIT_INIT) ? SVM_EXIT : SVM_TAKE;
}

/* ---- virtual events ---- */

enum svm_physical svm_virtual_intr(const struct svm *x)
{
	if (!x->guest || !BITS(V_IRQ) || (!BITS(V_IGN_TPR) && BITS(V_INTR_PRIO) <= (BITS(V_TPR) & 15)))
		return SVM_HELD;
	if (!svm_gif(x) || !(x->s.rflags & FL_IF) || x->s.shadow)
		return SVM_HELD;
	return svm_exits(x, SVM_EXIT_VINTR) ? SVM_EXIT : SVM_TAKE;
}

uint8_t svm_take_virtual_intr(struct svm *x)
{
	VMCB_SET_BITS(&x->vmcb, V_IRQ, 0);
	return (uint8_t)BITS(V_INTR_VECTOR);
}

enum svm_physical svm_virtual_nmi(const struct svm *x)
{
	bool ready = virtual_nmis(x) && BITS(V_NMI) && !BITS(V_NMI_MASK) && svm_gif(x) && !x->s.shadow;

	return ready ? SVM_TAKE : SVM_HELD;
}

void svm_take_virtual_nmi(struct svm *x)
{
	VMCB_SET_BITS(&x->vmcb, V_NMI, 0);
	VMCB_SET_BITS(&x->vmcb, V_NMI_MASK, 1);
}

void svm_unblock_nmi(struct svm *x)
{
	if (virtual_nmis(x))
		VMCB_SET_BITS(&x->vmcb, V_NMI_MASK, 0);
	else
		x->s.nmi_blocked = false;
}

/* ---- task priority (15.21.2) ---- */

uint8_t svm_cr8_read(const struct svm *x, uint8_t physical)
{
	return x->guest && BITS(V_INTR_MASKING) ? BITS(V_TPR) & 15 : physical;
}

bool svm_cr8_write(struct svm *x, uint8_t val)
{
	if (!x->guest)
		return true;
	VMCB_SET_BITS(&x->vmcb, V_TPR, val & 15);
	return !BITS(V_INTR_MASKING);
}
