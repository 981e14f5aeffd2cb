/* SPDX-License-Identifier: GPL-3.0-or-later
 * Model-specific registers that have no effect here: stored or constant. */
#ifndef HV_MSR_H
#define HV_MSR_H
#include "base/types.h"

enum { MSR_SLOTS = 128 };
struct msr_bank {
	uint64_t val[MSR_SLOTS];
};

void msr_reset(struct msr_bank *b);
bool msr_read(const struct msr_bank *b, uint32_t msr, uint64_t *val);
bool msr_write(struct msr_bank *b, uint32_t msr, uint64_t val);
#endif
