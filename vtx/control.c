/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/control.h. */
#include "vtx/control.h"
#include "vtx/vmcs.h"

enum mode { ANY, LONG };

const struct vmx_control_row vmx_controls[VMX_CONTROLS] = {
#define CONTROL(word, bit, id, since, mode, name)                                                            \
	{ #id, name, VMX_##word, bit, VMX_GEN_##since, mode == LONG },
#include "vtx/controls.def"
#undef CONTROL
};

/* The bits that must be 1: SDM vol. 3D App. A.2 (default1 class), A.3 to A.5. */
const struct vmx_word_row vmx_words[VMX_WORDS] = {
	[VMX_PIN] = { "pin-based", VMCS_PIN_CONTROLS, VMX_ALWAYS, 0x481, 0x48d, 0x16, 0x16 },
	[VMX_PROC] = { "primary processor-based", VMCS_PROC_CONTROLS, VMX_ALWAYS, 0x482, 0x48e, 0x0401e172,
		       0x04006172 },
	[VMX_PROC2] = { "secondary processor-based", VMCS_SECONDARY_PROC_CONTROLS, VMX_PROC_SECONDARY, 0x48b,
			0, 0, 0 },
	[VMX_PROC3] = { "tertiary processor-based", VMCS_TERTIARY_PROC_CONTROLS, VMX_PROC_TERTIARY, 0x492, 0,
			0, 0 },
	[VMX_EXIT] = { "primary VM-exit", VMCS_EXIT_CONTROLS, VMX_ALWAYS, 0x483, 0x48f, 0x00036dff,
		       0x00036dfb },
	[VMX_EXIT2] = { "secondary VM-exit", VMCS_SECONDARY_EXIT_CONTROLS, VMX_EXIT_SECONDARY, 0x493, 0, 0,
			0 },
	[VMX_ENTRY] = { "VM-entry", VMCS_ENTRY_CONTROLS, VMX_ALWAYS, 0x484, 0x490, 0x000011ff, 0x000011fb },
};
