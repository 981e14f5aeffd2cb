/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMCB: its fields, by one table (fields.def), and the copy that the processor works on (APM vol. 2 15.5,
 * 15.15, App. B).
 *
 * VMRUN reads the VMCB once, into struct vmcb; a #VMEXIT writes back what it stores, and nothing else. What
 * anyone writes into it meanwhile is therefore never acted upon half-way. The copy outlives the exit: where
 * software says by a clean bit that it has changed nothing of a group, the next VMRUN of the same VMCB takes
 * that group from the copy, as a processor may. A hypervisor that sets a bit too many sees it here. */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H
#include "base/gpr.h"
#include "svm/capability.h"

enum vmcb_group {
	VMCB_GROUP_INTERCEPT,
	VMCB_GROUP_CONTROL,
	VMCB_GROUP_INTERRUPT,
	VMCB_GROUP_EXIT,
	VMCB_GROUP_NESTED,
	VMCB_GROUP_SEGMENT,
	VMCB_GROUP_REGISTER,
	VMCB_GROUP_MSR,
	VMCB_GROUPS
};
extern const char *const vmcb_group_names[VMCB_GROUPS];

enum vmcb_use { VMCB_IN, VMCB_OUT, VMCB_BOTH, VMCB_SWAP, VMCB_NONE };

enum vmcb_clean {
#define CLEAN(bit, id, name) VMCB_CLEAN_##id = bit,
#include "svm/clean.def"
#undef CLEAN
	VMCB_CLEAN_BITS,
	VMCB_CLEAN_NONE = VMCB_CLEAN_BITS, /* in place of one: never kept */
};
extern const char *const vmcb_clean_names[VMCB_CLEAN_BITS];

enum vmcb_field {
#define FIELD(at, width, id, group, use, clean, feature, name, meaning) VMCB_##id,
#include "svm/fields.def"
#undef FIELD
	VMCB_FIELDS
};
/* Offset and width of each, as constants: VMCB_AT_RIP, VMCB_WIDTH_RIP. */
enum {
#define FIELD(at, width, id, group, use, clean, feature, name, meaning)                                      \
	VMCB_AT_##id = at, VMCB_WIDTH_##id = width,
#include "svm/fields.def"
#undef FIELD
};

struct vmcb_field_row {
	const char *id, *name, *meaning;
	uint16_t at;
	uint8_t width;
	enum vmcb_group group;
	enum vmcb_use use;
	enum vmcb_clean clean;
	enum svm_feature feature;
};
extern const struct vmcb_field_row vmcb_fields[VMCB_FIELDS];

/* The control area and the state-save area, as far as they are used. */
#define VMCB_STATE 0x400u
#define VMCB_SIZE 0x6e8u
#define VMCB_NOWHERE (~0ull)

struct vmcb {
	gpa at; /* where the copy is from; VMCB_NOWHERE: nothing was read */
	uint8_t bytes[VMCB_SIZE] __attribute__((aligned(8)));
};

/* Guest-physical memory. Reads of nothing give all ones, writes to nothing are dropped. */
struct svm_memory {
	void *ctx;
	void (*read)(void *ctx, gpa at, void *buf, unsigned n);
	void (*write)(void *ctx, gpa at, const void *buf, unsigned n);
};

static inline uint64_t vmcb_get_at(const struct vmcb *v, unsigned at, unsigned width)
{
	const uint8_t *p = v->bytes + at;

	return width == 8   ? *(const any64 *)p
	       : width == 4 ? *(const any32 *)p
	       : width == 2 ? *(const any16 *)p
			    : *p;
}
static inline void vmcb_set_at(struct vmcb *v, unsigned at, unsigned width, uint64_t val)
{
	uint8_t *p = v->bytes + at;

	if (width == 8)
		*(any64 *)p = val;
	else if (width == 4)
		*(any32 *)p = (uint32_t)val;
	else if (width == 2)
		*(any16 *)p = (uint16_t)val;
	else
		*p = (uint8_t)val;
}
#define VMCB_GET(v, id) vmcb_get_at(v, VMCB_AT_##id, VMCB_WIDTH_##id)
#define VMCB_SET(v, id, val) vmcb_set_at(v, VMCB_AT_##id, VMCB_WIDTH_##id, val)

uint64_t vmcb_get(const struct vmcb *v, enum vmcb_field f);
void vmcb_set(struct vmcb *v, enum vmcb_field f, uint64_t val);

/* Read the VMCB at AT into V; with CLEAN, the processor's clean bits work. */
void vmcb_fetch(struct vmcb *v, const struct svm_memory *m, gpa at, bool clean);
/* Write what a #VMEXIT stores. FAILED: of a VMRUN that failed: exit code and information only. */
void vmcb_store_exit(const struct vmcb *v, const struct svm_memory *m, bool failed);
/* The fields of VMLOAD and VMSAVE. */
void vmcb_fetch_swapped(struct vmcb *v, const struct svm_memory *m, gpa at);
void vmcb_store_swapped(const struct vmcb *v, const struct svm_memory *m, gpa at);
/* Forget the copy: all of the next VMCB is read. */
void vmcb_forget(struct vmcb *v);
/* Does F in memory differ from V's copy although its clean bit is set there? For views. */
bool vmcb_lies(const struct vmcb *v, const struct svm_memory *m, enum vmcb_field f);
#endif
