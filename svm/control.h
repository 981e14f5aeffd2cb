/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bits of the VMCB's control fields (controls.def), and events as EVENTINJ and EXITINTINFO code them (APM
 * vol. 2 15.7.3, 15.20). */
#ifndef SVM_CONTROL_H
#define SVM_CONTROL_H
#include "svm/vmcb.h"

enum vmcb_control {
#define CONTROL(field, first, last, id, feature, name) VMCB_CONTROL_##id,
#include "svm/controls.def"
#undef CONTROL
	VMCB_CONTROLS
};
struct vmcb_control_row {
	const char *id, *name;
	enum vmcb_field field;
	uint8_t first, last;
	enum svm_feature feature;
};
extern const struct vmcb_control_row vmcb_controls[VMCB_CONTROLS];

/* Where each is, and the feature it needs, as constants. */
enum {
#define CONTROL(field, first, last, id, feature, name)                                                       \
	VMCB_FIRST_OF_##id = first, VMCB_BITS_OF_##id = last - first + 1,                                    \
	VMCB_OFFSET_OF_##id = VMCB_AT_##field, VMCB_FEATURE_OF_##id = SVM_BIT_OF_##feature,
#include "svm/controls.def"
#undef CONTROL
};

static inline uint64_t vmcb_bits(unsigned first, unsigned n)
{
	return ((2ull << (n - 1)) - 1) << first;
}

/* The value of a control in V, its feature not asked for. */
#define VMCB_BITS(v, id)                                                                                     \
	(vmcb_get_at(v, VMCB_OFFSET_OF_##id, 8) >> VMCB_FIRST_OF_##id & vmcb_bits(0, VMCB_BITS_OF_##id))
#define VMCB_SET_BITS(v, id, val)                                                                            \
	vmcb_set_at(                                                                                         \
	    v, VMCB_OFFSET_OF_##id, 8,                                                                       \
	    (vmcb_get_at(v, VMCB_OFFSET_OF_##id, 8) & ~vmcb_bits(VMCB_FIRST_OF_##id, VMCB_BITS_OF_##id)) |   \
		(uint64_t)(val) << VMCB_FIRST_OF_##id)
/* The value of a control that a processor with CAPS acts upon: 0 without its feature. */
#define VMCB_ON(caps, v, id) (vmcb_counts((caps)->features, VMCB_FEATURE_OF_##id) ? VMCB_BITS(v, id) : 0)
static inline bool vmcb_counts(uint32_t features, unsigned bit)
{
	return bit == (unsigned)SVM_BIT_OF_ALWAYS || (bit < 32 && features >> bit & 1);
}

enum svm_event_type {
	SVM_EVENT_INTR = 0,
	SVM_EVENT_NMI = 2,
	SVM_EVENT_EXCEPTION = 3,
	SVM_EVENT_INT_N = 4,
};
#define SVM_EVENT_ERROR (1ull << 11)
#define SVM_EVENT_VALID (1ull << 31)
static inline unsigned svm_event_type(uint64_t info)
{
	return info >> 8 & 7;
}
static inline unsigned svm_event_vector(uint64_t info)
{
	return info & 0xff;
}
#endif
