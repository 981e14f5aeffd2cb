/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/vmcs.h. */
#include "vtx/vmcs.h"

const struct vmcs_field_row vmcs_fields[VMCS_FIELDS] = {
#define FIELD(encoding, id, group, a, b, name, meaning)                                                      \
	{ #id, name, meaning, encoding, VMCS_GROUP_##group, VMX_##a, VMX_##b },
#include "vtx/fields.def"
#undef FIELD
};

const char *const vmcs_group_names[VMCS_GROUPS] = {
	[VMCS_GROUP_GUEST_REGISTER] = "guest registers",
	[VMCS_GROUP_GUEST_SEGMENT] = "guest segments",
	[VMCS_GROUP_GUEST_MSR] = "guest MSRs",
	[VMCS_GROUP_GUEST_STATE] = "guest non-register state",
	[VMCS_GROUP_HOST] = "host state",
	[VMCS_GROUP_EXECUTION] = "VM-execution controls",
	[VMCS_GROUP_EXIT] = "VM-exit controls",
	[VMCS_GROUP_ENTRY] = "VM-entry controls",
	[VMCS_GROUP_INFO] = "VM-exit information",
};

/* What checks read of them, vmx_checks_steady() looks at. */
const bool vmcs_moves[VMCS_FIELDS] = {
	[VMCS_GUEST_RIP] = true,
	[VMCS_GUEST_RSP] = true,
	[VMCS_GUEST_RFLAGS] = true,
	[VMCS_GUEST_ACTIVITY] = true,
	[VMCS_GUEST_INTERRUPTIBILITY] = true,
	[VMCS_GUEST_PENDING_DEBUG] = true,
	[VMCS_ENTRY_INTERRUPTION_INFO] = true,
	[VMCS_ENTRY_EXCEPTION_ERROR_CODE] = true,
	[VMCS_ENTRY_INSTRUCTION_LENGTH] = true,
	[VMCS_GUEST_CR3] = true,
	/* no check reads these */
	[VMCS_HOST_RSP] = true,
	[VMCS_TSC_OFFSET] = true,
	[VMCS_PML_INDEX] = true,
	[VMCS_PREEMPTION_TIMER] = true,
	[VMCS_GUEST_INTERRUPT_STATUS] = true,
	/* what exits record */
	[VMCS_EXIT_REASON] = true,
	[VMCS_EXIT_QUALIFICATION] = true,
	[VMCS_EXIT_INTERRUPTION_INFO] = true,
	[VMCS_EXIT_INTERRUPTION_ERROR_CODE] = true,
	[VMCS_EXIT_INSTRUCTION_LENGTH] = true,
	[VMCS_EXIT_INSTRUCTION_INFO] = true,
	[VMCS_IDT_VECTORING_INFO] = true,
	[VMCS_IDT_VECTORING_ERROR_CODE] = true,
	[VMCS_GUEST_LINEAR_ADDRESS] = true,
	[VMCS_GUEST_PHYSICAL_ADDRESS] = true,
	[VMCS_VM_INSTRUCTION_ERROR] = true,
};

/* Fields by width, type and the low bits of the index; 0: none. */
#define INDEXES 64u
#define KEY(encoding)                                                                                        \
	(((encoding) >> 13 & 3) << 8 | ((encoding) >> 10 & 3) << 6 | ((encoding) >> 1 & (INDEXES - 1)))
static const uint8_t by_key[4 * 4 * INDEXES] = {
#define FIELD(encoding, id, group, a, b, name, meaning) [KEY(encoding)] = VMCS_##id + 1,
#include "vtx/fields.def"
#undef FIELD
};
_Static_assert(VMCS_FIELDS < 256, "a byte holds a field");

enum vmcs_field vmcs_find(uint64_t encoding)
{
	unsigned found;

	if (encoding >> 15 || vmcs_encoding_index((uint32_t)encoding) >= INDEXES)
		return VMCS_NO_FIELD;
	found = by_key[KEY((uint32_t)encoding)];
	if (!found || (vmcs_fields[found - 1].encoding ^ encoding) & ~(uint64_t)VMCS_HIGH)
		return VMCS_NO_FIELD;
	if (encoding & VMCS_HIGH && vmcs_encoding_width((uint32_t)encoding) != VMCS_64)
		return VMCS_NO_FIELD;
	return (enum vmcs_field)(found - 1);
}

uint64_t vmcs_mask(enum vmcs_field f, bool long_mode)
{
	switch (vmcs_encoding_width(vmcs_fields[f].encoding)) {
	case VMCS_16:
		return 0xffff;
	case VMCS_32:
		return 0xffffffff;
	case VMCS_64:
		return ~0ull;
	case VMCS_NATURAL:
		break;
	}
	return long_mode ? ~0ull : 0xffffffff;
}

uint64_t vmcs_read(enum vmcs_field f, uint64_t value, uint64_t encoding, bool mode64)
{
	(void)f;
	if (encoding & VMCS_HIGH)
		return value >> 32;
	return mode64 ? value : (uint32_t)value;
}

/* A full access outside 64-bit mode clears bits 63:32 of what is wider (SDM vol. 3C 25.11.2). */
uint64_t vmcs_write(enum vmcs_field f, uint64_t value, uint64_t encoding, uint64_t new, bool mode64)
{
	if (encoding & VMCS_HIGH)
		return (uint32_t)value | new << 32;
	return (mode64 ? new : (uint32_t) new) & vmcs_mask(f, true);
}

void vmcs_load(struct vmcs *v, const struct vmx_memory *m, gpa at, bool long_mode)
{
	v->at = at;
	v->checked = false;
	m->read(m->ctx, at, &v->r, sizeof(v->r));
	if (v->r.launch != VMCS_LAUNCHED)
		v->r.launch = VMCS_CLEAR;
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		v->r.value[f] &= vmcs_mask((enum vmcs_field)f, long_mode);
}

void vmcs_store(const struct vmcs *v, const struct vmx_memory *m)
{
	m->write(m->ctx, v->at, &v->r, sizeof(v->r));
}

gpa vmcs_field_at(gpa at, enum vmcs_field f)
{
	return at + offsetof(struct vmcs_region, value) + 8ull * f;
}

bool vmx_on(const struct vmcs_region *r, enum vmx_control c)
{
	const struct vmx_word_row *w;

	if (c >= VMX_CONTROLS)
		return c == VMX_ALWAYS;
	w = &vmx_words[vmx_controls[c].word];
	return r->value[w->field] & vmx_bit(c) && (w->under == VMX_ALWAYS || vmx_on(r, w->under));
}

bool vmcs_counts(const struct vmcs_region *r, enum vmcs_field f)
{
	return vmx_on(r, vmcs_fields[f].a) || vmx_on(r, vmcs_fields[f].b);
}
