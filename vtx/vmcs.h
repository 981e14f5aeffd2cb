/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMCS: its fields, by one table (fields.def), and its region in memory (SDM vol. 3C ch. 25, App. B).
 *
 * The processor keeps a copy of the current VMCS: vmcs_load() reads the region once, masks what does not fit
 * its field, and vmcs_store() writes it back, at VMCLEAR and when another VMCS becomes current, as the manual
 * allows (25.11.1). What a guest writes into the region meanwhile is therefore never acted upon half-way. A
 * shadow VMCS that is not current is accessed in memory, field by field. */
#ifndef VTX_VMCS_H
#define VTX_VMCS_H
#include "vtx/control.h"

enum vmcs_group {
	VMCS_GROUP_GUEST_REGISTER,
	VMCS_GROUP_GUEST_SEGMENT,
	VMCS_GROUP_GUEST_MSR,
	VMCS_GROUP_GUEST_STATE, /* non-register state */
	VMCS_GROUP_HOST,
	VMCS_GROUP_EXECUTION,
	VMCS_GROUP_EXIT,
	VMCS_GROUP_ENTRY,
	VMCS_GROUP_INFO,
	VMCS_GROUPS
};
extern const char *const vmcs_group_names[VMCS_GROUPS];

enum vmcs_field {
#define FIELD(encoding, id, group, a, b, name, meaning) VMCS_##id,
#include "vtx/fields.def"
#undef FIELD
	VMCS_FIELDS,
	VMCS_NO_FIELD = VMCS_FIELDS
};

/* What an encoding says: bits 14:13, 11:10, 9:1, 0. */
enum vmcs_width { VMCS_16, VMCS_64, VMCS_32, VMCS_NATURAL };
enum vmcs_type { VMCS_CONTROL, VMCS_READ_ONLY, VMCS_GUEST, VMCS_HOST };

static inline enum vmcs_width vmcs_encoding_width(uint32_t encoding)
{
	return (enum vmcs_width)(encoding >> 13 & 3);
}
static inline enum vmcs_type vmcs_encoding_type(uint32_t encoding)
{
	return (enum vmcs_type)(encoding >> 10 & 3);
}
static inline unsigned vmcs_encoding_index(uint32_t encoding)
{
	return encoding >> 1 & 0x1ff;
}
#define VMCS_HIGH 1u /* of an encoding: the high half of a 64-bit field */

struct vmcs_field_row {
	const char *id, *name, *meaning;
	uint16_t encoding;
	enum vmcs_group group;
	enum vmx_control a, b; /* the field counts while one of them is 1 */
};
extern const struct vmcs_field_row vmcs_fields[VMCS_FIELDS];

#define VMCS_NONE (~0ull)	  /* no current VMCS, no VMCS linked */
#define VMCS_SHADOW 0x80000000u	  /* of the revision: a shadow VMCS */
#define VMCS_REVISION 0x56540001u /* with the layout of struct vmcs_region */
#define VMCS_REGION_SIZE 0x800u
enum { VMCS_CLEAR, VMCS_LAUNCHED }; /* launch states */

/* A VMCS in memory. Software may know the first two words only. */
struct vmcs_region {
	uint32_t revision; /* and VMCS_SHADOW */
	uint32_t abort;	   /* VMX-abort indicator */
	uint32_t launch;   /* VMCS_LAUNCHED, or anything else: clear */
	uint32_t vmxon;	   /* which VMXON it was launched under: vmx.vmxon_count */
	uint64_t reserved[6];
	uint64_t value[VMCS_FIELDS];
};
_Static_assert(sizeof(struct vmcs_region) <= VMCS_REGION_SIZE, "the region holds every field");

struct vmcs {
	gpa at; /* VMCS_NONE: none is current */
	struct vmcs_region r;
	/* All checks held at an entry with a steady state (vmx_checks_steady()), and no field has changed
	 * since but those in vmcs_moves[]. */
	bool checked;
};

/* Guest-physical memory. Reads of nothing give all ones, writes to nothing are dropped. */
struct vmx_memory {
	void *ctx;
	void (*read)(void *ctx, gpa at, void *buf, unsigned n);
	void (*write)(void *ctx, gpa at, const void *buf, unsigned n);
};

/* Fields that may differ between entries without all checks being repeated. */
extern const bool vmcs_moves[VMCS_FIELDS];
/* Every write of a field, but for those of vmcs_load(). */
static inline void vmcs_put(struct vmcs *v, enum vmcs_field f, uint64_t value)
{
	v->checked &= vmcs_moves[f] | (v->r.value[f] == value);
	v->r.value[f] = value;
}

/* Find the field with ENCODING (access bit included); VMCS_NO_FIELD. */
enum vmcs_field vmcs_find(uint64_t encoding);
/* The bits that F can hold; LONG: the processor has Intel 64, natural width is 64 bits. */
uint64_t vmcs_mask(enum vmcs_field f, bool long_mode);
/* What VMREAD of ENCODING returns when F holds VALUE. */
uint64_t vmcs_read(enum vmcs_field f, uint64_t value, uint64_t encoding, bool mode64);
/* What F holds after VMWRITE of NEW by ENCODING, VALUE before. MODE64: the operands have 64 bits. */
uint64_t vmcs_write(enum vmcs_field f, uint64_t value, uint64_t encoding, uint64_t new, bool mode64);

void vmcs_load(struct vmcs *v, const struct vmx_memory *m, gpa at, bool long_mode);
void vmcs_store(const struct vmcs *v, const struct vmx_memory *m);
/* Where F of the VMCS at AT lies. */
gpa vmcs_field_at(gpa at, enum vmcs_field f);

/* Is control C 1, and the word that it is in activated? */
bool vmx_on(const struct vmcs_region *r, enum vmx_control c);
/* The same for a control that is known when this is compiled, which transitions ask some 60 times:
 * VMX_ON(r, PROC2_EPT). */
#define VMX_ON(r, id) vmx_word_on(r, VMX_WORD_OF_##id, VMX_BIT_OF_##id)
static inline __attribute__((always_inline)) bool vmx_word_on(const struct vmcs_region *r, unsigned word,
							      unsigned bit)
{
	const uint64_t *v = r->value;

	switch (word) {
	case VMX_PIN:
		return v[VMCS_PIN_CONTROLS] >> bit & 1;
	case VMX_PROC:
		return v[VMCS_PROC_CONTROLS] >> bit & 1;
	case VMX_PROC2:
		return v[VMCS_PROC_CONTROLS] >> VMX_BIT_OF_PROC_SECONDARY &
		       v[VMCS_SECONDARY_PROC_CONTROLS] >> bit & 1;
	case VMX_PROC3:
		return v[VMCS_PROC_CONTROLS] >> VMX_BIT_OF_PROC_TERTIARY &
		       v[VMCS_TERTIARY_PROC_CONTROLS] >> bit & 1;
	case VMX_EXIT:
		return v[VMCS_EXIT_CONTROLS] >> bit & 1;
	case VMX_EXIT2:
		return v[VMCS_EXIT_CONTROLS] >> VMX_BIT_OF_EXIT_SECONDARY &
		       v[VMCS_SECONDARY_EXIT_CONTROLS] >> bit & 1;
	case VMX_ENTRY:
		return v[VMCS_ENTRY_CONTROLS] >> bit & 1;
	default:
		return word == VMX_WORD_OF_ALWAYS;
	}
}
/* Does F count under the controls in R? */
bool vmcs_counts(const struct vmcs_region *r, enum vmcs_field f);
#endif
