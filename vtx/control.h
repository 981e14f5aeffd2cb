/* SPDX-License-Identifier: GPL-3.0-or-later
 * The controls of a VMCS: words of bits that say what the guest's processor does (SDM vol. 3C 25.6 to 25.8).
 * One table, controls.def, which capability.h (what a processor offers) and checks.h (what it accepts) use.
 *
 * Sections of the manual are those of its editions 078 to 083, in which chapter 25 is that of the VMCS and 27
 * that of VM entries. */
#ifndef VTX_CONTROL_H
#define VTX_CONTROL_H
#include "base/types.h"

enum vmx_word { VMX_PIN, VMX_PROC, VMX_PROC2, VMX_PROC3, VMX_EXIT, VMX_EXIT2, VMX_ENTRY, VMX_WORDS };

enum vmx_control {
#define CONTROL(word, bit, id, since, mode, name) VMX_##id,
#include "vtx/controls.def"
#undef CONTROL
	VMX_CONTROLS,
	VMX_ALWAYS = VMX_CONTROLS, /* in place of a control: no control is needed */
	VMX_NEVER,		   /* no processor has it */
	VMX_NONE,		   /* no second control */
};

/* Word and bit of each, as constants: VMX_WORD_OF_PIN_NMI, VMX_BIT_OF_PIN_NMI. */
enum {
	VMX_WORD_OF_ALWAYS = VMX_WORDS,
	VMX_WORD_OF_NEVER,
	VMX_WORD_OF_OFFERED,
	VMX_BIT_OF_ALWAYS = 0,
	VMX_BIT_OF_NEVER = 0,
	VMX_BIT_OF_OFFERED = 0,
#define CONTROL(word, bit, id, since, mode, name) VMX_WORD_OF_##id = VMX_##word, VMX_BIT_OF_##id = bit,
#include "vtx/controls.def"
#undef CONTROL
};

/* The processors that capability.h describes, each with all that those before it have. */
enum vmx_generation { VMX_GEN_EARLY, VMX_GEN_NEHALEM, VMX_GEN_HASWELL, VMX_GEN_ALL, VMX_GEN_NONE };

struct vmx_control_row {
	const char *id, *name;
	enum vmx_word word;
	uint8_t bit;
	enum vmx_generation since;
	bool long_mode; /* only on processors with Intel 64 */
};
extern const struct vmx_control_row vmx_controls[VMX_CONTROLS];

struct vmx_word_row {
	const char *name;
	unsigned field;		/* enum vmcs_field */
	enum vmx_control under; /* counts only while that is 1 */
	uint32_t msr, true_msr; /* capability MSRs; true_msr 0: there is none */
	uint32_t default1;	/* bits that must be 1 by the first */
	uint32_t true_default1; /* and by the second */
};
extern const struct vmx_word_row vmx_words[VMX_WORDS];

static inline uint64_t vmx_bit(enum vmx_control c)
{
	return 1ull << vmx_controls[c].bit;
}
#endif
