/* SPDX-License-Identifier: GPL-3.0-or-later
 * An engine without a processor: each run() calls the test's script, which acts as the guest through
 * the platform's callbacks. */
#ifndef TESTS_HV_FAKE_ENGINE_H
#define TESTS_HV_FAKE_ENGINE_H
#include <stdatomic.h>

#include "hv/machine.h"

struct fake_engine {
	struct vcpu v;
	struct mm_vm *vm;
	enum clock_mode clock;
	/* One burst of guest execution. NULL: spin until told to stop. */
	enum engine_exit (*script)(struct fake_engine *f);
	void *arg;
	unsigned runs;
	atomic_bool stop, kicked;
};

/* An image for the machine: a Multiboot header with the address fields, then HLT. */
extern const uint8_t fake_guest[36];
/* Under the icount clock: let NS of guest time pass and fire the timers that are due. */
void fake_advance(struct machine *m, uint64_t ns);
struct vcpu *fake_new(void *script, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
		      char *err, size_t errlen);
static inline struct fake_engine *fake_of(struct machine *m)
{
	return (struct fake_engine *)machine_vcpu(m);
}
#endif
