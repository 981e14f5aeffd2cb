/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/intercept.h. */
#include "svm/intercept.h"

#define F(id) VMCB_GET(&x->vmcb, id)
#define ON(id) VMCB_ON(&x->caps, &x->vmcb, id)

bool svm_exits(const struct svm *x, unsigned code)
{
	const struct svm_exit_row *row;

	if (!x->guest || code >= SVM_INTERCEPTS || !svm_intercepted(x, code))
		return false;
	row = svm_exit_row(code);
	return row && svm_has(&x->caps, row->feature);
}

/* VMRUN of a guest is no instruction but by its intercept; without shutdown's the processor ends. */
bool svm_steerable(const struct svm *x, uint64_t code)
{
	const struct svm_exit_row *row = code < SVM_INTERCEPTS ? svm_exit_row(code) : NULL;

	return row && svm_has(&x->caps, row->feature) && code != SVM_EXIT_VMRUN && code != SVM_EXIT_SHUTDOWN;
}

static bool forced(const struct svm *x, unsigned code)
{
	return x->steer.any && x->steer.how[code] == SVM_FORCED;
}

/* ---- maps ---- */

/* The bits of a map from bit AT on: two bytes' worth. */
static unsigned map_bits(const struct svm *x, uint64_t base, unsigned at)
{
	uint16_t w;

	x->mem.read(x->mem.ctx, (base & ~(uint64_t)PAGE_MASK) + at / 8, &w, sizeof(w));
	return w >> (at & 7);
}

/* Accesses behind port FFFF find bits of their own: the map has three bits more than there are ports
 * (15.10.1). */
bool svm_io_exits(const struct svm *x, uint16_t port, unsigned size)
{
	if (forced(x, SVM_EXIT_IOIO))
		return x->guest;
	return svm_exits(x, SVM_EXIT_IOIO) && map_bits(x, F(IOPM_BASE), port) & ((1u << size) - 1);
}

/* Where the two bits of MSR are (15.11); -1: in no map. */
static int msr_bit(uint32_t msr)
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		if (msr - first[i] < 0x2000)
			return (int)(i * 0x4000 + (msr - first[i]) * 2);
	return -1;
}

bool svm_msr_exits(const struct svm *x, uint32_t msr, bool write)
{
	int bit = msr_bit(msr);

	if (!svm_exits(x, SVM_EXIT_MSR))
		return false;
	return bit < 0 || forced(x, SVM_EXIT_MSR) || map_bits(x, F(MSRPM_BASE), (unsigned)bit) >> write & 1;
}

/* ---- CR0, HLT, TSC ---- */

unsigned svm_cr0_exits(const struct svm *x, uint64_t real, uint64_t value, enum svm_cr0_write how)
{
	uint64_t seldom = ~(uint64_t)(CR0_TS | CR0_MP);

	if (svm_exits(x, SVM_EXIT_CR_WRITE))
		return SVM_EXIT_CR_WRITE;
	if (how == SVM_CR0_CLTS || !svm_exits(x, SVM_EXIT_CR0_SELECTIVE))
		return 0;
	/* LMSW does not look at the value (15.9). */
	return how == SVM_CR0_LMSW || (real ^ value) & seldom ? SVM_EXIT_CR0_SELECTIVE : 0;
}

unsigned svm_hlt_exits(const struct svm *x)
{
	bool pending = VMCB_BITS(&x->vmcb, V_IRQ) || (ON(V_NMI_ENABLE) && ON(V_NMI));

	if (svm_exits(x, SVM_EXIT_HLT))
		return SVM_EXIT_HLT;
	return svm_exits(x, SVM_EXIT_IDLE_HLT) && !pending ? SVM_EXIT_IDLE_HLT : 0;
}

uint64_t svm_guest_tsc(const struct svm *x, uint64_t tsc)
{
	if (!x->guest)
		return tsc;
	if (x->tsc_ratio != TSC_RATIO_ONE)
		tsc = (uint64_t)((unsigned __int128)tsc * x->tsc_ratio >> 32);
	return tsc + F(TSC_OFFSET);
}

/* ---- EXITINFO1 and 2 ---- */

uint64_t svm_io_info(const struct svm_io *io)
{
	uint64_t info = (uint64_t)io->port << 16 | (uint64_t)io->size << 4 | (uint64_t)io->address_size << 6;

	info |= (io->in ? 1 : 0) | (io->string ? 4 : 0) | (io->rep ? 8 : 0);
	return info | (io->string ? (uint64_t)io->seg << 10 : 0);
}

uint64_t svm_cr_info(const struct svm *x, bool mov, unsigned reg)
{
	return SVM_HAS(&x->caps, DECODE_ASSISTS) && mov ? 1ull << 63 | reg : 0;
}

uint64_t svm_dr_info(const struct svm *x, unsigned reg)
{
	return SVM_HAS(&x->caps, DECODE_ASSISTS) ? reg : 0;
}

uint64_t svm_address_info(const struct svm *x, uint64_t address)
{
	return SVM_HAS(&x->caps, DECODE_ASSISTS) ? address : 0;
}

uint64_t svm_int_info(const struct svm *x, uint8_t vector)
{
	return SVM_HAS(&x->caps, DECODE_ASSISTS) ? vector : 0;
}

uint64_t svm_task_info(enum svm_task_source source, const uint32_t *error, uint64_t rflags)
{
	uint64_t info = error ? *error | 1ull << 44 : 0;

	if (source == SVM_TASK_IRET)
		info |= 1ull << 36;
	if (source == SVM_TASK_JMP)
		info |= 1ull << 38;
	return info | (rflags & FL_RF ? 1ull << 48 : 0);
}
