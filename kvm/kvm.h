/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine "kvm": the guest runs on the host's KVM. The machine with its memory and devices is the same as
 * behind the other engines: KVM gets a mirror of guest memory (mm/mirror.h) and nothing else of its own, no
 * interrupt controllers and no timers; accesses to ports, to device memory and to MSRs come back.
 *
 * What this host's KVM does not execute, another engine does, on the same state: single instructions that it
 * does not emulate, modes that it lacks, memory that is not in its place, watchpoints and events. `info kvm`
 * says for each reason how often and how long. */
#ifndef KVM_KVM_H
#define KVM_KVM_H
#include "mm/mm.h"
#include "x86/engine.h"

struct kvm_config {
	struct vcpu *(*processor)(void *config, struct mm_vm *vm, const struct platform *plat,
				  enum clock_mode clock, char *err, size_t errlen);
	void *processor_config;
};

/* Make a vCPU on this engine. CONFIG is a struct kvm_config. NULL with one line in ERR. */
struct vcpu *kvm_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			  char *err, size_t errlen);

/* Its own views, for a manual that is written without a vCPU; NULL-terminated. */
extern const struct view *const kvm_views[];
#endif
