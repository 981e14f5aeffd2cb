/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMCS: its fields by encoding and width, its region in memory, the controls; and the capability MSRs. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/bits.h"

#include <stdlib.h>
#include <string.h>

/* ---- fields ---- */

START_TEST(fields_are_in_order)
{
	for (unsigned f = 0; f < VMCS_FIELDS; f++) {
		const struct vmcs_field_row *r = &vmcs_fields[f];

		ck_assert_msg(!(r->encoding & 0x9001), "%s", r->id);
		ck_assert_msg(!f || r->encoding > r[-1].encoding, "%s", r->id);
		ck_assert_msg(r->name[0] && r->meaning[0] && r->group < VMCS_GROUPS &&
				  vmcs_group_names[r->group],
			      "%s", r->id);
		ck_assert_msg((r->group == VMCS_GROUP_INFO) ==
				  (vmcs_encoding_type(r->encoding) == VMCS_READ_ONLY),
			      "%s", r->id);
		ck_assert_msg((r->group == VMCS_GROUP_HOST) == (vmcs_encoding_type(r->encoding) == VMCS_HOST),
			      "%s", r->id);
		ck_assert_msg(r->a != VMX_NONE && r->b != VMX_ALWAYS && r->a != r->b, "%s", r->id);
		for (unsigned k = 0; k < f; k++)
			ck_assert_str_ne(r->id, vmcs_fields[k].id);
	}
}
END_TEST

/* All 65536 encodings and some beyond: a field's own, the high half of a 64-bit one, nothing else. */
START_TEST(encodings_are_found)
{
	unsigned found = 0;

	for (uint32_t e = 0; e < 0x10000; e++) {
		enum vmcs_field f = vmcs_find(e), want = VMCS_NO_FIELD;

		for (unsigned k = 0; k < VMCS_FIELDS; k++)
			if (vmcs_fields[k].encoding == (e & ~1u) &&
			    (!(e & 1) || vmcs_encoding_width(e) == VMCS_64))
				want = (enum vmcs_field)k;
		ck_assert_msg(f == want, "%x", e);
		found += f != VMCS_NO_FIELD && !(e & 1);
	}
	ck_assert_uint_eq(found, VMCS_FIELDS);
	ck_assert_uint_eq(vmcs_find(0x100006800), VMCS_NO_FIELD);
	ck_assert_uint_eq(vmcs_find(0xffffffffffffffff), VMCS_NO_FIELD);
}
END_TEST

/* What a field of width W holds and returns after a write of ones over OLD. */
#define NEW 0x1122334455667788ull
#define OLD 0xaabbccddeeff0011ull
static const struct width_row {
	enum vmcs_width width;
	bool high, mode64;
	uint64_t held, read;
} widths[] = {
	{ VMCS_16, false, false, 0x7788, 0x7788 },
	{ VMCS_16, false, true, 0x7788, 0x7788 },
	{ VMCS_32, false, false, 0x55667788, 0x55667788 },
	{ VMCS_32, false, true, 0x55667788, 0x55667788 },
	{ VMCS_64, false, false, 0x55667788, 0x55667788 },
	{ VMCS_64, false, true, NEW, NEW },
	{ VMCS_64, true, false, 0x55667788eeff0011, 0x55667788 },
	{ VMCS_64, true, true, 0x55667788eeff0011, 0x55667788 },
	{ VMCS_NATURAL, false, false, 0x55667788, 0x55667788 },
	{ VMCS_NATURAL, false, true, NEW, NEW },
};

START_TEST(fields_by_width)
{
	unsigned seen = 0;

	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		for (unsigned i = 0; i < ARRAY_LEN(widths); i++) {
			const struct width_row *w = &widths[i];
			uint32_t e = vmcs_fields[f].encoding | w->high;
			uint64_t old = OLD & vmcs_mask((enum vmcs_field)f, true), held;

			if (vmcs_encoding_width(e) != w->width)
				continue;
			held = vmcs_write((enum vmcs_field)f, old, e, NEW, w->mode64);
			ck_assert_msg(held == w->held, "%s row %u: %lx", vmcs_fields[f].id, i, held);
			ck_assert_msg(vmcs_read((enum vmcs_field)f, held, e, w->mode64) == w->read,
				      "%s row %u", vmcs_fields[f].id, i);
			seen++;
		}
	ck_assert_uint_gt(seen, 2 * VMCS_FIELDS);
	ck_assert_uint_eq(vmcs_mask(VMCS_GUEST_RIP, false), 0xffffffff);
	ck_assert_uint_eq(vmcs_mask(VMCS_GUEST_IA32_PAT, false), ~0ull);
}
END_TEST

/* ---- the region ---- */

START_TEST(region_in_memory)
{
	struct rig *r = malloc(sizeof(*r));
	struct vmcs v;
	uint32_t word = 7;

	rig_init(r, RIG_64);
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		r->x.vmcs.r.value[f] = (OLD + f) & vmcs_mask((enum vmcs_field)f, true);
	r->x.vmcs.r.launch = VMCS_LAUNCHED;
	r->x.vmcs.r.abort = 4;
	vmcs_store(&r->x.vmcs, &r->x.mem);
	vmcs_load(&v, &r->x.mem, AT_VMCS, true);
	ck_assert_uint_eq(v.at, r->x.vmcs.at);
	ck_assert_int_eq(memcmp(&v.r, &r->x.vmcs.r, sizeof(v.r)), 0);
	ck_assert_int_eq(memcmp(r->memory + AT_VMCS, &(uint32_t){ VMCS_REVISION }, 4), 0);
	ck_assert_uint_eq(r->memory[AT_VMCS + 4], 4);
	ck_assert_int_eq(
	    memcmp(r->memory + vmcs_field_at(AT_VMCS, VMCS_GUEST_RIP), &v.r.value[VMCS_GUEST_RIP], 8), 0);

	/* What software wrote there itself: nothing wider than its field, no launch state but the two. */
	memset(r->memory + AT_VMCS + 8, 0xff, VMCS_REGION_SIZE - 8);
	memcpy(r->memory + AT_VMCS + offsetof(struct vmcs_region, launch), &word, 4);
	vmcs_load(&v, &r->x.mem, AT_VMCS, false);
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		ck_assert_uint_eq(v.r.value[f], vmcs_mask((enum vmcs_field)f, false));
	ck_assert_uint_eq(v.r.launch, VMCS_CLEAR);
	free(r);
}
END_TEST

START_TEST(fields_count_under_controls)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_64);
	ck_assert(vmcs_counts(&r->x.vmcs.r, VMCS_GUEST_RIP));
	ck_assert(!vmcs_counts(&r->x.vmcs.r, VMCS_EPT_POINTER));
	rig_set(r, "SECONDARY_PROC_CONTROLS+2"); /* not activated */
	ck_assert(!vmcs_counts(&r->x.vmcs.r, VMCS_EPT_POINTER));
	rig_set(r, "+PROC_SECONDARY");
	ck_assert(vmcs_counts(&r->x.vmcs.r, VMCS_EPT_POINTER));
	ck_assert(!vmcs_counts(&r->x.vmcs.r, VMCS_GUEST_IA32_PAT));
	rig_set(r, "+EXIT_SAVE_PAT"); /* the second of its controls */
	ck_assert(vmcs_counts(&r->x.vmcs.r, VMCS_GUEST_IA32_PAT));
	ck_assert(!vmcs_counts(&r->x.vmcs.r, VMCS_SHARED_EPT_POINTER));
	free(r);
}
END_TEST

/* ---- capabilities ---- */

START_TEST(controls_are_in_order)
{
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const struct vmx_control_row *r = &vmx_controls[i];
		bool wide = vmcs_encoding_width(vmcs_fields[vmx_words[r->word].field].encoding) == VMCS_64;

		ck_assert_msg(r->bit < (wide ? 64 : 32) && r->name[0], "%s", r->id);
		ck_assert_msg(!i || r->word > r[-1].word || (r->word == r[-1].word && r->bit > r[-1].bit),
			      "%s", r->id);
		/* A reserved bit that must be 1 is no control, but for those that the TRUE MSRs free. */
		ck_assert_msg(!(vmx_words[r->word].true_default1 >> (r->bit & 31) & 1) || wide, "%s", r->id);
	}
}
END_TEST

static uint64_t msr(const struct vmx_caps *c, uint32_t n)
{
	uint64_t val = 0;

	ck_assert_msg(vmx_caps_msr(c, n, &val), "MSR %x", n);
	return val;
}

static const uint32_t word_msrs[] = { 0x481, 0x482, 0x483, 0x484, 0x48b, 0x48d, 0x48e, 0x48f, 0x490 };

/* For each processor, with Intel 64 and without. */
START_TEST(capabilities_are_consistent)
{
	struct vmx_caps c, before;
	struct vmx_model m = rig_model((enum vmx_generation)(_i / 2), _i & 1);
	uint64_t val;

	vmx_caps_init(&c, &m);
	for (unsigned i = 0; i < ARRAY_LEN(word_msrs); i++)
		if (vmx_caps_msr(&c, word_msrs[i], &val))
			ck_assert_msg(!((uint32_t)val & ~(val >> 32)), "%x: must be 1, and cannot",
				      word_msrs[i]);
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const struct vmx_word_row *w = &vmx_words[vmx_controls[i].word];
		enum vmx_control control = (enum vmx_control)i;

		/* A control is offered only in a word that can be activated. */
		ck_assert_msg(!vmx_offers(&c, control) || vmx_offers(&c, w->under), "%s", vmx_controls[i].id);
		ck_assert_msg(vmx_offers(&c, control) == (vmx_controls[i].since <= m.generation &&
							  (m.long_mode || !vmx_controls[i].long_mode)) ||
				  vmx_words[vmx_controls[i].word].default1 >> (vmx_controls[i].bit & 31) & 1,
			      "%s", vmx_controls[i].id);
	}
	if (vmx_capable(&c, VMX_CAP_TRUE_CONTROLS)) {
		for (unsigned i = 0; i < 4; i++) {
			uint64_t old = msr(&c, 0x481 + i), now = msr(&c, 0x48d + i);

			ck_assert_uint_eq(old >> 32, now >> 32);
			ck_assert_msg(!((uint32_t)now & ~(uint32_t)old), "a TRUE MSR requires more");
		}
	} else {
		ck_assert(!vmx_caps_msr(&c, 0x48d, &val));
	}
	ck_assert_uint_eq(msr(&c, 0x480) & 0x7fffffff, VMCS_REVISION);
	ck_assert_uint_eq(msr(&c, 0x480) >> 32 & 0x1fff, VMCS_REGION_SIZE);
	ck_assert_uint_eq(msr(&c, 0x480) >> 50 & 15, 6);
	ck_assert_uint_eq(msr(&c, 0x485) >> 16 & 0x1ff, VMX_CR3_TARGETS);
	/* Control registers: what must be 1 may be 1. */
	ck_assert(!(msr(&c, 0x486) & ~msr(&c, 0x487)) && !(msr(&c, 0x488) & ~msr(&c, 0x489)));
	/* Fields: each has an index within VMCS_ENUM. */
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		if (vmx_has_field(&c, (enum vmcs_field)f))
			ck_assert_uint_le(vmcs_encoding_index(vmcs_fields[f].encoding), msr(&c, 0x48a) >> 1);
	/* A later processor has what an earlier one had. */
	if (_i >= 2) {
		m.generation--;
		vmx_caps_init(&before, &m);
		for (unsigned w = 0; w < VMX_WORDS; w++)
			ck_assert(!(before.word[w].may & ~c.word[w].may));
		ck_assert(!(before.ept_vpid & ~c.ept_vpid) && !(before.vmfunc & ~c.vmfunc));
	}
}
END_TEST

/* What each processor is chosen for. */
START_TEST(processors_differ)
{
	static const struct {
		enum vmx_generation g;
		bool vpid_msr, ept, unrestricted, vmfunc, tertiary;
		unsigned pages_1g;
	} rows[] = {
		{ VMX_GEN_EARLY, false, false, false, false, false, 0 },
		{ VMX_GEN_NEHALEM, true, true, false, false, false, 0 },
		{ VMX_GEN_HASWELL, true, true, true, true, false, 1 },
		{ VMX_GEN_ALL, true, true, true, true, true, 1 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct vmx_model m = rig_model(rows[i].g, true);
		struct vmx_caps c;
		uint64_t val = 0;

		vmx_caps_init(&c, &m);
		ck_assert(vmx_caps_msr(&c, 0x48c, &val) == rows[i].vpid_msr);
		ck_assert_uint_eq(val >> 17 & 1, rows[i].pages_1g);
		ck_assert(vmx_caps_msr(&c, 0x48b, &val) == rows[i].ept);
		ck_assert(vmx_offers(&c, VMX_PROC2_EPT) == rows[i].ept);
		ck_assert(vmx_offers(&c, VMX_PROC2_UNRESTRICTED_GUEST) == rows[i].unrestricted);
		ck_assert(vmx_caps_msr(&c, 0x491, &val) == rows[i].vmfunc);
		ck_assert(vmx_caps_msr(&c, 0x492, &val) == rows[i].tertiary);
		ck_assert(vmx_caps_msr(&c, 0x493, &val) == rows[i].tertiary);
		ck_assert(!vmx_caps_msr(&c, 0x494, &val));
	}
}
END_TEST

/* The values that the manual gives for the bits that must be 1 (App. A.2). */
START_TEST(default1_bits)
{
	struct vmx_model m = rig_model(VMX_GEN_ALL, true);
	struct vmx_caps c;

	vmx_caps_init(&c, &m);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x481), 0x00000016);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x482), 0x0401e172);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x483), 0x00036dff);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x484), 0x000011ff);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x48e), 0x04006172);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x48f), 0x00036dfb);
	ck_assert_uint_eq((uint32_t)msr(&c, 0x490), 0x000011fb);
	ck_assert_uint_eq(msr(&c, 0x486), 0x80000021);
	ck_assert_uint_eq(msr(&c, 0x488), 0x2000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-vmcs");
	TCase *t = tcase_create("vmcs");

	tcase_add_test(t, fields_are_in_order);
	tcase_add_test(t, encodings_are_found);
	tcase_add_test(t, fields_by_width);
	tcase_add_test(t, region_in_memory);
	tcase_add_test(t, fields_count_under_controls);
	tcase_add_test(t, controls_are_in_order);
	tcase_add_loop_test(t, capabilities_are_consistent, 0, 8);
	tcase_add_test(t, processors_differ);
	tcase_add_test(t, default1_bits);
	suite_add_tcase(s, t);
	return suite_run(s);
}
