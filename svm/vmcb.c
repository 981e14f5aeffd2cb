/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/vmcb.h. */
#include "svm/control.h"

const struct vmcb_field_row vmcb_fields[VMCB_FIELDS] = {
#define FIELD(at, width, id, group, use, clean, feature, name, meaning)                                      \
	{ #id, name, meaning, at, width, VMCB_GROUP_##group, VMCB_##use, VMCB_CLEAN_##clean, SVM_##feature },
#include "svm/fields.def"
#undef FIELD
};

const char *const vmcb_group_names[VMCB_GROUPS] = {
	[VMCB_GROUP_INTERCEPT] = "intercepts",		[VMCB_GROUP_CONTROL] = "controls",
	[VMCB_GROUP_INTERRUPT] = "virtual interrupts",	[VMCB_GROUP_EXIT] = "#VMEXIT information",
	[VMCB_GROUP_NESTED] = "nested paging and AVIC", [VMCB_GROUP_SEGMENT] = "guest segments",
	[VMCB_GROUP_REGISTER] = "guest registers",	[VMCB_GROUP_MSR] = "guest MSRs",
};

const char *const vmcb_clean_names[VMCB_CLEAN_BITS] = {
#define CLEAN(bit, id, name) [bit] = name,
#include "svm/clean.def"
#undef CLEAN
};

/* ---- fields ---- */

uint64_t vmcb_get(const struct vmcb *v, enum vmcb_field f)
{
	return vmcb_get_at(v, vmcb_fields[f].at, vmcb_fields[f].width);
}

void vmcb_set(struct vmcb *v, enum vmcb_field f, uint64_t val)
{
	vmcb_set_at(v, vmcb_fields[f].at, vmcb_fields[f].width, val);
}

/* ---- ranges of bytes ---- */

enum when { ALWAYS, NESTED, LAST_BRANCH };
struct range {
	uint16_t at, n;
	enum when when;
};

static const struct range read_ranges[] = { { 0, 0x128, ALWAYS },
					    { VMCB_STATE, VMCB_SIZE - VMCB_STATE, ALWAYS } };
/* All fields of use OUT and BOTH, and no other (a test compares them). */
static const struct range exit_ranges[] = {
	{ 0x060, 0x30, ALWAYS }, /* virtual interrupts to EXITINTINFO */
	{ 0x0a8, 0x08, ALWAYS }, /* EVENTINJ */
	{ 0x0c8, 0x18, ALWAYS }, /* nRIP, instruction bytes */
	{ 0x400, 0x40, ALWAYS }, /* ES, CS, SS, DS */
	{ 0x464, 0x0c, ALWAYS }, /* GDTR */
	{ 0x484, 0x0c, ALWAYS }, /* IDTR */
	{ 0x4cb, 0x01, ALWAYS }, /* CPL */
	{ 0x4d0, 0x08, ALWAYS }, /* EFER */
	{ 0x548, 0x38, ALWAYS }, /* CR4 to RIP */
	{ 0x5d8, 0x08, ALWAYS }, /* RSP */
	{ 0x5f8, 0x08, ALWAYS }, /* RAX */
	{ 0x640, 0x08, ALWAYS }, /* CR2 */
	{ 0x668, 0x08, NESTED }, /* G_PAT */
	{ 0x670, 0x28, LAST_BRANCH },
};
static const struct range failed_ranges[] = { { 0x070, 0x20, ALWAYS } };
static const struct range swap_ranges[] = {
	{ 0x440, 0x20, ALWAYS }, /* FS, GS */
	{ 0x470, 0x10, ALWAYS }, /* LDTR */
	{ 0x490, 0x10, ALWAYS }, /* TR */
	{ 0x600, 0x40, ALWAYS }, /* MSRs */
};

static bool stored(const struct vmcb *v, enum when when)
{
	return when == NESTED	     ? VMCB_BITS(v, NP_ENABLE)
	       : when == LAST_BRANCH ? VMCB_BITS(v, LBR_ENABLE)
				     : true;
}

static void write_ranges(const struct vmcb *v, const struct svm_memory *m, gpa at, const struct range *r,
			 unsigned n)
{
	for (; n--; r++)
		if (stored(v, r->when))
			m->write(m->ctx, at + r->at, v->bytes + r->at, r->n);
}

/* ---- reading ---- */

static void read_all(struct vmcb *v, const struct svm_memory *m, gpa at)
{
	v->at = at;
	for (unsigned i = 0; i < ARRAY_LEN(read_ranges); i++)
		m->read(m->ctx, at + read_ranges[i].at, v->bytes + read_ranges[i].at, read_ranges[i].n);
}

/* Take from NEW what is not clean. */
static void merge(struct vmcb *v, const struct vmcb *new, uint32_t clean)
{
#define FIELD(at, width, id, group, use, clean_bit, feature, name, meaning)                                  \
	if (VMCB_CLEAN_##clean_bit == VMCB_CLEAN_NONE || !(clean >> VMCB_CLEAN_##clean_bit & 1))             \
		vmcb_set_at(v, at, width, vmcb_get_at(new, at, width));
#include "svm/fields.def"
#undef FIELD
}

void vmcb_fetch(struct vmcb *v, const struct svm_memory *m, gpa at, bool clean)
{
	struct vmcb new;

	if (!clean || v->at != at) {
		read_all(v, m, at);
		return;
	}
	read_all(&new, m, at);
	merge(v, &new, (uint32_t)VMCB_GET(&new, CLEAN));
}

void vmcb_store_exit(const struct vmcb *v, const struct svm_memory *m, bool failed)
{
	if (failed)
		write_ranges(v, m, v->at, failed_ranges, ARRAY_LEN(failed_ranges));
	else
		write_ranges(v, m, v->at, exit_ranges, ARRAY_LEN(exit_ranges));
}

void vmcb_fetch_swapped(struct vmcb *v, const struct svm_memory *m, gpa at)
{
	for (unsigned i = 0; i < ARRAY_LEN(swap_ranges); i++)
		m->read(m->ctx, at + swap_ranges[i].at, v->bytes + swap_ranges[i].at, swap_ranges[i].n);
}

void vmcb_store_swapped(const struct vmcb *v, const struct svm_memory *m, gpa at)
{
	write_ranges(v, m, at, swap_ranges, ARRAY_LEN(swap_ranges));
}

void vmcb_forget(struct vmcb *v)
{
	v->at = VMCB_NOWHERE;
}

bool vmcb_lies(const struct vmcb *v, const struct svm_memory *m, enum vmcb_field f)
{
	const struct vmcb_field_row *r = &vmcb_fields[f];
	uint32_t clean;
	struct vmcb now;

	if (v->at == VMCB_NOWHERE || r->clean == VMCB_CLEAN_NONE)
		return false;
	m->read(m->ctx, v->at + VMCB_AT_CLEAN, &clean, sizeof(clean));
	m->read(m->ctx, v->at + r->at, now.bytes + r->at, r->width);
	return clean >> r->clean & 1 && vmcb_get(&now, f) != vmcb_get(v, f);
}
