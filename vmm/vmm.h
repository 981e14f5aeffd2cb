/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine "vtx": a virtual machine monitor for a processor with VMX, in the place of a hypervisor that
 * would run on one. The machine's guest runs in VMX non-root operation; its exits come to C code here, which
 * knows the guest by VMREAD and VMWRITE, by its EPT and by its shadow page tables (Adams and Agesen, ASPLOS
 * 2006, section 4).
 *
 * The processor is another engine with VMX, which executes non-root operation. The monitor's own structures
 * (VMCS, bitmaps, tables) are in memory of the machine that its guest has no mapping of. Guest-physical
 * addresses are the machine's. Instructions that the monitor has to emulate (device memory, string I/O, mode
 * changes, task switches) are executed by the processor outside VMX operation, one at a time, on the state
 * that the guest sees. */
#ifndef VMM_VMM_H
#define VMM_VMM_H
#include "mm/mm.h"
#include "x86/engine.h"

/* How a guest with paging is run. Without paging it always has EPT, as an unrestricted guest. */
enum vmm_paging { VMM_EPT, VMM_SHADOW };

struct vmm_config {
	struct vcpu *(*processor)(void *config, struct mm_vm *vm, const struct platform *plat,
				  enum clock_mode clock, char *err, size_t errlen);
	void *processor_config;
	enum vmm_paging paging;
};

/* What it takes of the machine's memory for itself, in bytes. */
#define VMM_MEMORY (16u << 20)

/* Make a vCPU on this engine. CONFIG is a struct vmm_config. NULL with one line in ERR. */
struct vcpu *vmm_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			  char *err, size_t errlen);
#endif
