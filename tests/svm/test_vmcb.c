/* SPDX-License-Identifier: GPL-3.0-or-later
 * The tables of the VMCB, its fields by offset and width, clean bits, features and MSRs. */
#include "svm/exits.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"

#include <stdlib.h>
#include <string.h>

START_TEST(fields_are_in_order)
{
	unsigned end = 0;

	for (unsigned f = 0; f < VMCB_FIELDS; f++) {
		const struct vmcb_field_row *r = &vmcb_fields[f];

		ck_assert_msg(r->at >= end, "%s overlaps what is before it", r->id);
		ck_assert_msg(r->width == 1 || r->width == 2 || r->width == 4 || r->width == 8, "%s", r->id);
		ck_assert_msg(r->at + r->width <= VMCB_SIZE && r->name[0] && r->meaning[0], "%s", r->id);
		ck_assert_msg(r->group < VMCB_GROUPS && vmcb_group_names[r->group], "%s", r->id);
		for (unsigned k = f + 1; k < VMCB_FIELDS; k++)
			ck_assert_str_ne(r->id, vmcb_fields[k].id);
		end = r->at + r->width;
	}
}
END_TEST

/* Each field is read from its own bytes and written to them alone. */
START_TEST(fields_by_width)
{
	const struct vmcb_field_row *row = &vmcb_fields[_i];
	enum vmcb_field f = (enum vmcb_field)_i;
	struct vmcb v;
	uint64_t all = row->width == 8 ? ~0ull : (1ull << 8 * row->width) - 1;

	for (unsigned i = 0; i < VMCB_SIZE; i++)
		v.bytes[i] = (uint8_t)(i * 7);
	vmcb_set(&v, f, 0x0123456789abcdefull);
	ck_assert_uint_eq(vmcb_get(&v, f), 0x0123456789abcdefull & all);
	for (unsigned i = 0; i < VMCB_SIZE; i++)
		if (i < row->at || i >= row->at + row->width)
			ck_assert_uint_eq(v.bytes[i], (uint8_t)(i * 7));
	vmcb_set(&v, f, ~0ull);
	ck_assert_uint_eq(vmcb_get(&v, f), all);
}
END_TEST

/* Offsets as the manual has them, apart from the table. */
START_TEST(offsets)
{
	ck_assert_uint_eq(VMCB_AT_INTERCEPT_3, 0x00c);
	ck_assert_uint_eq(VMCB_AT_EXIT_CODE, 0x070);
	ck_assert_uint_eq(VMCB_AT_NESTED_CR3, 0x0b0);
	ck_assert_uint_eq(VMCB_AT_TR_BASE, 0x498);
	ck_assert_uint_eq(VMCB_AT_RFLAGS, 0x570);
	ck_assert_uint_eq(VMCB_AT_CR2, 0x640);
	ck_assert_uint_eq(VMCB_AT_LAST_EXCP_TO, 0x690);
}
END_TEST

START_TEST(controls_are_in_their_fields)
{
	for (unsigned i = 0; i < VMCB_CONTROLS; i++) {
		const struct vmcb_control_row *c = &vmcb_controls[i];

		ck_assert_msg(c->first <= c->last && c->last < 8 * vmcb_fields[c->field].width, "%s", c->id);
		if (i && c[-1].field == c->field)
			ck_assert_msg(c->first > c[-1].last, "%s", c->id);
	}
}
END_TEST

/* A #VMEXIT writes the fields of use OUT and BOTH, VMSAVE those of use SWAP, and neither any other. */
static void check_written(const struct rig *r, bool exits, bool all)
{
	bool wanted[VMCB_SIZE] = { false };

	for (unsigned f = 0; f < VMCB_FIELDS; f++) {
		const struct vmcb_field_row *row = &vmcb_fields[f];
		bool written = exits ? row->use == VMCB_OUT || row->use == VMCB_BOTH : row->use == VMCB_SWAP;

		if (!all && (row->clean == VMCB_CLEAN_LBR || f == VMCB_G_PAT))
			written = false;
		for (unsigned i = 0; i < row->width; i++)
			wanted[row->at + i] = written;
	}
	for (unsigned i = 0; i < VMCB_SIZE; i++)
		ck_assert_msg((r->memory[AT_OTHER + i] == 0xaa) == wanted[i], "byte %x", i);
}

START_TEST(what_is_written)
{
	struct rig *r = malloc(sizeof(*r));
	struct vmcb v;

	for (unsigned all = 0; all < 2; all++) {
		rig_init(r, RIG_64);
		memset(v.bytes, 0xaa, sizeof(v.bytes));
		vmcb_set(&v, VMCB_NESTED_CONTROL, all);
		vmcb_set(&v, VMCB_VIRTUAL_EXTENSIONS, all);
		v.at = AT_OTHER;
		vmcb_store_exit(&v, &r->x.mem, false);
		check_written(r, true, all);
	}
	rig_init(r, RIG_64);
	vmcb_store_swapped(&v, &r->x.mem, AT_OTHER);
	check_written(r, false, true);
	free(r);
}
END_TEST

/* Fields of a clean group keep the value of the last run, all others get that of memory. */
START_TEST(clean_bits)
{
	struct rig *r = malloc(sizeof(*r));
	struct vmcb v;

	vmcb_forget(&v);
	rig_init(r, RIG_64);
	memset(r->memory + AT_VMCB, 0x11, VMCB_SIZE);
	vmcb_fetch(&v, &r->x.mem, AT_VMCB, true);
	memset(r->memory + AT_VMCB, 0x22, VMCB_SIZE);
	rig_set(r, "CLEAN=0");
	memcpy(r->memory + AT_VMCB + VMCB_AT_CLEAN, &(uint32_t){ 1u << _i }, 4);
	for (unsigned f = 0; f < VMCB_FIELDS; f++)
		if (f != VMCB_CLEAN && vmcb_fields[f].use != VMCB_NONE)
			ck_assert_msg(vmcb_lies(&v, &r->x.mem, (enum vmcb_field)f) ==
					  (vmcb_fields[f].clean == (unsigned)_i),
				      "%s", vmcb_fields[f].id);
	vmcb_fetch(&v, &r->x.mem, AT_VMCB, true);
	for (unsigned f = 0; f < VMCB_FIELDS; f++) {
		uint8_t want = vmcb_fields[f].clean == (unsigned)_i ? 0x11 : 0x22;

		if (f != VMCB_CLEAN)
			ck_assert_msg((uint8_t)vmcb_get(&v, (enum vmcb_field)f) == want, "%s",
				      vmcb_fields[f].id);
	}
	/* Another VMCB is read as a whole, and so is the same one without the feature. */
	vmcb_fetch(&v, &r->x.mem, AT_VMCB, false);
	ck_assert_uint_eq(VMCB_GET(&v, CR0), 0x2222222222222222ull);
	vmcb_fetch(&v, &r->x.mem, AT_OTHER, true);
	ck_assert_uint_eq(VMCB_GET(&v, CR0), 0);
	free(r);
}
END_TEST

START_TEST(exits_are_in_order)
{
	unsigned next = 0, codes = 0;

	for (unsigned i = 0; i < SVM_EXIT_ROWS; i++) {
		const struct svm_exit_row *r = &svm_exit_rows[i];

		ck_assert_msg(r->first >= next && r->last >= r->first && r->name[0], "%s", r->id);
		next = r->last + 1u;
		for (unsigned code = r->first; code <= r->last; code++, codes++)
			ck_assert_ptr_eq(svm_exit_row(code), r);
	}
	/* Every bit from 000 to 0A6 has a row, and 400 to 403. */
	ck_assert_uint_eq(codes, 0xa7 + 4);
	ck_assert_ptr_null(svm_exit_row(SVM_EXIT_INVALID));
	ck_assert_ptr_null(svm_exit_row(0xa7));
}
END_TEST

static const struct {
	enum svm_generation g;
	uint32_t features;
} generations[] = {
	{ SVM_GEN_K8, 0 },	  { SVM_GEN_K10, 0xf },	       { SVM_GEN_BULLDOZER, 0x14ff },
	{ SVM_GEN_ZEN, 0x194ff }, { SVM_GEN_ALL, 0x520194ff },
};

START_TEST(features_by_generation)
{
	struct svm_model m = rig_model(generations[_i].g, true);
	struct svm_caps c;
	uint32_t a, b, cx, d;

	svm_caps_init(&c, &m);
	svm_cpuid(&c, &a, &b, &cx, &d);
	ck_assert_uint_eq(d, generations[_i].features);
	ck_assert_uint_eq(a, 1);
	ck_assert_uint_eq(b, 16);
	ck_assert_uint_eq(cx, 0);
	for (unsigned f = 0; f < SVM_FEATURES; f++)
		ck_assert_uint_eq(svm_has(&c, (enum svm_feature)f), d >> svm_features[f].bit & 1);
	ck_assert(svm_has(&c, SVM_ALWAYS) && !svm_has(&c, SVM_NEVER));
}
END_TEST

/* A feature that is taken away takes with it what builds on it. */
START_TEST(features_taken_away)
{
	struct svm_model m = rig_model(SVM_GEN_ALL, true);
	struct svm_caps c;

	m.without = 1 << SVM_BIT_OF_NP | 1 << SVM_BIT_OF_VIRTUAL_GIF;
	svm_caps_init(&c, &m);
	ck_assert(!SVM_HAS(&c, NP) && !SVM_HAS(&c, VIRTUAL_VMLOAD) && !SVM_HAS(&c, VIRTUAL_NMI));
	ck_assert(SVM_HAS(&c, NEXT_RIP));
}
END_TEST

/* ---- MSRs: writes in order, and what is read then; FAILS: the write is #GP ---- */

static const struct {
	uint32_t msr;
	uint64_t val, read;
	bool fails, enabled; /* EFER.SVME is 1 */
} writes[] = {
	{ SVM_MSR_VM_CR, 0x0, 0x0, false, true },
	{ SVM_MSR_VM_CR, 0x20, 0x0, true, false }, /* reserved */
	{ SVM_MSR_VM_CR, 0x10, 0x0, true, true },  /* not while SVM is in use */
	{ SVM_MSR_KEY, 0x1234, 0x0, false, false },
	{ SVM_MSR_VM_CR, 0x1e, 0x1e, false, false },
	{ SVM_MSR_VM_CR, 0x1, 0x19, false, false }, /* locked: LOCK and SVMDIS stay */
	{ SVM_MSR_KEY, 0x1235, 0x0, false, false },
	{ SVM_MSR_VM_CR, 0x0, 0x18, false, false },
	{ SVM_MSR_KEY, 0x1234, 0x0, false, false }, /* unlocked */
	{ SVM_MSR_VM_CR, 0x0, 0x0, false, false },
	{ SVM_MSR_HSAVE, 0x3000, 0x3000, false, true },
	{ SVM_MSR_HSAVE, 0x3800, 0x3000, true, true },
	{ SVM_MSR_HSAVE, 0x10000000000, 0x3000, true, true },
	{ SVM_MSR_TSC_RATIO, 0xffffffffff, 0xffffffffff, false, true },
	{ SVM_MSR_TSC_RATIO, 0x10000000000, 0xffffffffff, true, true },
	{ SVM_MSR_IGNNE, 1, 1, false, true },
	{ SVM_MSR_IGNNE, 2, 1, true, true },
};

START_TEST(msrs)
{
	struct rig *r = malloc(sizeof(*r));
	uint64_t v;

	rig_init(r, RIG_64);
	for (unsigned i = 0; i < ARRAY_LEN(writes); i++) {
		r->x.s.efer = writes[i].enabled ? EFER_SVME : 0;
		ck_assert_msg(svm_wrmsr(&r->x, writes[i].msr, writes[i].val) == !writes[i].fails, "write %u",
			      i);
		ck_assert(svm_rdmsr(&r->x, writes[i].msr, &v));
		ck_assert_msg(v == writes[i].read, "write %u: %llx", i, (unsigned long long)v);
		ck_assert_int_eq(svm_enable_ok(&r->x), !(r->x.vm_cr & VM_CR_SVMDIS));
	}
	ck_assert(svm_wrmsr(&r->x, SVM_MSR_SMM_CTL, 1) && !svm_rdmsr(&r->x, SVM_MSR_SMM_CTL, &v));
	ck_assert(!svm_wrmsr(&r->x, 0x174, 0) && !svm_rdmsr(&r->x, 0x174, &v));
	/* No key is set: nothing unlocks. */
	rig_init(r, RIG_64);
	r->x.s.efer = 0;
	ck_assert(svm_wrmsr(&r->x, SVM_MSR_VM_CR, VM_CR_LOCK) && svm_wrmsr(&r->x, SVM_MSR_KEY, 0));
	ck_assert_uint_eq(r->x.vm_cr, VM_CR_LOCK);
	/* The first processor has neither the lock nor the ratio. */
	rig_init(r, RIG_K8);
	ck_assert(!svm_rdmsr(&r->x, SVM_MSR_KEY, &v) && !svm_wrmsr(&r->x, SVM_MSR_TSC_RATIO, 1ull << 32));
	ck_assert(svm_rdmsr(&r->x, SVM_MSR_VM_CR, &v));
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-vmcb");
	TCase *t = tcase_create("vmcb");

	tcase_add_test(t, fields_are_in_order);
	tcase_add_loop_test(t, fields_by_width, 0, VMCB_FIELDS);
	tcase_add_test(t, offsets);
	tcase_add_test(t, controls_are_in_their_fields);
	tcase_add_test(t, what_is_written);
	tcase_add_loop_test(t, clean_bits, 0, VMCB_CLEAN_BITS);
	tcase_add_test(t, exits_are_in_order);
	tcase_add_loop_test(t, features_by_generation, 0, ARRAY_LEN(generations));
	tcase_add_test(t, features_taken_away);
	tcase_add_test(t, msrs);
	suite_add_tcase(s, t);
	return suite_run(s);
}
