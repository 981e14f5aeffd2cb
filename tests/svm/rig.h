/* SPDX-License-Identifier: GPL-3.0-or-later
 * A processor with SVM over a small flat memory, with a valid VMCB in it. */
#ifndef TESTS_SVM_RIG_H
#define TESTS_SVM_RIG_H
#include "svm/transition.h"

enum {
	RIG_MEMORY = 0x20000,
	AT_VMCB = 0x2000,
	AT_OTHER = 0x4000, /* zero, as all that follows */
	AT_ZERO = 0x6000,
	AT_IOPM = 0x8000,
	AT_MSRPM = 0xb000,
	AT_TABLES = 0x10000,
	HOST_RIP = 0x3000,
};

enum rig_mode {
	RIG_32, /* a 32-bit host and guest */
	RIG_64, /* both in 64-bit mode */
	RIG_K8, /* as RIG_32, on the first processor that had SVM; no long mode */
};

struct rig {
	struct svm x;
	uint8_t memory[RIG_MEMORY];
	unsigned flushes, writes;
	enum svm_flush flush; /* the last one */
	uint32_t asid;	      /* and its ASID */
	uint64_t address;     /* of INVLPGA */
};

struct svm_model rig_model(enum svm_generation g, bool long_mode);
/* A host with EFER.SVME, RAX = AT_VMCB, where a valid VMCB is. */
void rig_init(struct rig *r, enum rig_mode mode);
/* Change the VMCB in memory as TEXT says: "FIELD=value", "FIELD+bits", "FIELD-bits", "%CONTROL=value",
 * "+EXIT" and "-EXIT" (an intercept by its row, "+EXCEPTION.e" by its index in a range), "PDPTE.0=value";
 * numbers are hexadecimal. */
void rig_set(struct rig *r, const char *text);
/* A field of the VMCB in memory. */
uint64_t rig_field(const struct rig *r, enum vmcb_field f);
/* Enter the guest, which has to succeed. */
void rig_enter(struct rig *r);
struct rig *rig_guest(enum rig_mode mode, const char *change); /* init, set, enter */
#endif
