/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every row of svm/checks.def: a VMCB is made that breaks this rule alone (breaks.def), exactly this row
 * fails, and VMRUN of it is a #VMEXIT with code -1 that leaves the host as it was. */
#include "svm/checks.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"

#include <stdlib.h>
#include <string.h>

static const struct break_row {
	enum svm_check row;
	enum rig_mode mode;
	const char *prepare, *change;
} breaks[] = {
#define BREAK(row, mode, prepare, change) { SVM_CHECK_##row, RIG_##mode, prepare, change },
#include "tests/svm/breaks.def"
#undef BREAK
};

/* No text can say that the host has no paging. */
static void prepare(struct rig *r, const struct break_row *b)
{
	rig_set(r, b->prepare);
	if (b->row == SVM_CHECK_NESTED_HOST)
		r->x.s.cr0 &= ~(uint64_t)CR0_PG;
}

static void check_fails(const struct rig *r, enum svm_check only, const char *what)
{
	struct svm_checking c;
	struct vmcb v;

	vmcb_fetch(&v, &r->x.mem, AT_VMCB, false);
	svm_checking_init(&c, &r->x, &v);
	for (unsigned i = 0; i < SVM_CHECKS; i++)
		ck_assert_msg((svm_check_row(&c, (enum svm_check)i) == SVM_FAILS) == (i == only),
			      "%s: row %s %s", what, svm_check_rows[i].id, i == only ? "holds" : "fails");
	ck_assert_uint_eq(svm_check_all(&c), only);
}

START_TEST(breaks_one_rule)
{
	const struct break_row *b = &breaks[_i];
	struct rig *r = malloc(sizeof(*r));
	struct svm_state before;

	rig_init(r, b->mode);
	check_fails(r, SVM_CHECKS, "valid VMCB");
	prepare(r, b);
	check_fails(r, SVM_CHECKS, b->prepare);
	rig_set(r, b->change);
	check_fails(r, b->row, b->change);

	before = r->x.s;
	rig_set(r, "EXIT_INFO_1=1 EXIT_INFO_2=2 EXIT_INT_INFO=80000000");
	ck_assert_int_eq(svm_enter(&r->x, AT_VMCB, HOST_RIP + 3), SVM_ENTRY_FAILED);
	ck_assert_int_eq(r->x.failed_check, b->row);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_CODE), SVM_EXIT_INVALID);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_1), 0);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_2), 0);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INT_INFO), 0);
	ck_assert(!r->x.guest && !r->x.gif);
	before.rip = HOST_RIP + 3;
	ck_assert_int_eq(memcmp(&before, &r->x.s, sizeof(before)), 0);
	free(r);
}
END_TEST

START_TEST(every_row_is_broken)
{
	unsigned covered = 0;

	for (unsigned i = 0; i < SVM_CHECKS; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < ARRAY_LEN(breaks); k++)
			n += breaks[k].row == i;
		ck_assert_msg(n == 1, "row %s is broken %u times", svm_check_rows[i].id, n);
		covered++;
	}
	ck_assert_uint_eq(covered, SVM_CHECKS);
}
END_TEST

START_TEST(rows_name_what_they_check)
{
	for (unsigned i = 0; i < SVM_CHECKS; i++) {
		const struct svm_check_row *row = &svm_check_rows[i];

		ck_assert_msg(row->field < VMCB_FIELDS && row->text[0] && row->group < SVM_GROUPS, "%s",
			      row->id);
		ck_assert_msg(strncmp(row->section, "15.", 3) == 0, "%s", row->id);
		for (unsigned k = i + 1; k < SVM_CHECKS; k++)
			ck_assert_str_ne(row->id, svm_check_rows[k].id);
	}
}
END_TEST

/* What is no rule: values that the processor ignores or that only its later models look at. */
static const struct {
	enum rig_mode mode;
	const char *change;
} accepted[] = {
	{ RIG_32, "CR0-1" },					    /* paged real mode (15.19) */
	{ RIG_32, "CR3=ffffffffffffffff" },			    /* in legacy mode 32 bits count */
	{ RIG_32, "IOPM_BASE+fff MSRPM_BASE+fff" },		    /* bits 11:0 */
	{ RIG_32, "%EVENT_TYPE=1" },				    /* not valid */
	{ RIG_32, "%EVENT_VALID=1 %EVENT_TYPE=2" },		    /* an NMI of any vector */
	{ RIG_32, "%EVENT_VALID=1 %EVENT_TYPE=3 %EVENT_VECTOR=5" }, /* #BR outside 64-bit mode */
	{ RIG_32, "CR4=20 PDPTE.0=2" },				    /* not present */
	{ RIG_32,
	  "CR4=20 PDPTE.0=3 %NP_ENABLE=1 NESTED_CR3=10000" }, /* PDPTEs are read when used (15.25.10) */
	{ RIG_K8, "%NP_ENABLE=1 G_PAT=2 NESTED_CR3=ffffffffffffffff" }, /* no nested paging */
	{ RIG_K8, "%V_NMI_ENABLE=1" },
	{ RIG_64, "CR3=fffffff018" },
	{ RIG_64, "CR0-80000000 CR4-20" }, /* LME without paging */
};

START_TEST(not_checked)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, accepted[_i].mode);
	rig_set(r, accepted[_i].change);
	check_fails(r, SVM_CHECKS, accepted[_i].change);
	rig_enter(r);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-checks");
	TCase *t = tcase_create("checks");

	tcase_add_loop_test(t, breaks_one_rule, 0, ARRAY_LEN(breaks));
	tcase_add_test(t, every_row_is_broken);
	tcase_add_test(t, rows_name_what_they_check);
	tcase_add_loop_test(t, not_checked, 0, ARRAY_LEN(accepted));
	suite_add_tcase(s, t);
	return suite_run(s);
}
