/* SPDX-License-Identifier: GPL-3.0-or-later
 * A processor with VMX over a small flat memory, with a valid VMCS current. */
#ifndef TESTS_VTX_RIG_H
#define TESTS_VTX_RIG_H
#include "vtx/processor.h"

enum {
	RIG_MEMORY = 0x20000,
	AT_VMXON = 0x1000,
	AT_VMCS = 0x2000,
	AT_SHADOW = 0x3000,    /* a shadow VMCS */
	AT_EXECUTIVE = 0x4000, /* a VMCS that is clear */
	AT_APIC = 0x5000,      /* zero, as all that follows */
	AT_ZERO = 0x7000,
	AT_LAUNCHED = 0x8000, /* a VMCS that is launched and valid */
	AT_INVALID = 0x9000,  /* one that is launched and has no valid controls */
	AT_LIST = 0xa000,     /* for MSR lists, descriptors, operands */
	AT_MSEG = 0xc000,
};

enum rig_mode {
	RIG_32,	     /* a 32-bit host and guest */
	RIG_64,	     /* both in 64-bit mode */
	RIG_SMM,     /* as RIG_32, in SMM */
	RIG_HASWELL, /* as RIG_32, on such a processor */
};

struct rig {
	struct vmx x;
	uint8_t memory[RIG_MEMORY];
	uint64_t other_msr;	      /* the value of MSR RIG_MSR */
	unsigned invalidations, type; /* INVEPT and INVVPID: how many, the last one's type */
	uint64_t context;	      /* and EPTP or VPID */
	bool no_operand;	      /* operands raise #PF */
};
#define RIG_MSR 0x200u

struct vmx_model rig_model(enum vmx_generation g, bool long_mode);
/* In VMX root operation, the VMCS at AT_VMCS current, clear and valid. */
void rig_init(struct rig *r, enum rig_mode mode);
/* A processor that has just started, in the mode of a host. */
void rig_cold(struct rig *r, enum vmx_generation g, bool long_mode);
/* Change the current VMCS as TEXT says: "FIELD=value", "FIELD+bits", "FIELD-bits", "+CONTROL" (with those
 * that it is under), "-CONTROL"; numbers are hexadecimal. */
void rig_set(struct rig *r, const char *text);
uint64_t rig_field(const struct rig *r, enum vmcs_field f);
#endif
