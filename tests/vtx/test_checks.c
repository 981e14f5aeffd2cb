/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every row of vtx/checks.def: a VMCS is made that breaks this rule alone (breaks.def), and exactly this row
 * fails. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/checks.h"

#include <stdlib.h>
#include <string.h>

static const struct break_row {
	enum vmx_check row;
	enum rig_mode mode;
	const char *prepare, *change, *with;
} breaks[] = {
#define BREAK(row, mode, prepare, change, with) { VMX_CHECK_##row, RIG_##mode, prepare, change, with },
#include "tests/vtx/breaks.def"
#undef BREAK
};

static void check_fails(const struct rig *r, enum vmx_check only, const char *with, const char *what)
{
	struct vmx_checking c;

	vmx_checking_init(&c, &r->x, &r->x.vmcs);
	for (unsigned i = 0; i < VMX_CHECKS; i++) {
		bool wanted = i == only || strcmp(with, vmx_check_rows[i].id) == 0;

		ck_assert_msg((vmx_check_row(&c, (enum vmx_check)i) == VMX_FAILS) == wanted, "%s: row %s %s",
			      what, vmx_check_rows[i].id, wanted ? "holds" : "fails");
	}
}

START_TEST(breaks_one_rule)
{
	const struct break_row *b = &breaks[_i];
	struct rig *r = malloc(sizeof(*r));
	struct vmx_checking c;

	rig_init(r, b->mode);
	check_fails(r, VMX_CHECKS, "", "valid VMCS");
	rig_set(r, b->prepare);
	check_fails(r, VMX_CHECKS, "", b->prepare);
	rig_set(r, b->change);
	check_fails(r, b->row, b->with, b->change);
	vmx_checking_init(&c, &r->x, &r->x.vmcs);
	if (!*b->with)
		ck_assert_uint_eq(vmx_check_all(&c), b->row);
	ck_assert_uint_eq(vmx_check_all(&c), vmx_check_first(&c, (enum vmx_check)0, VMX_CHECKS));
	free(r);
}
END_TEST

START_TEST(every_row_is_broken)
{
	unsigned covered = 0;

	for (unsigned i = 0; i < VMX_CHECKS; i++) {
		unsigned n = 0;

		for (unsigned k = 0; k < ARRAY_LEN(breaks); k++)
			n += breaks[k].row == i;
		ck_assert_msg(n == 1, "row %s is broken %u times", vmx_check_rows[i].id, n);
		covered++;
	}
	ck_assert_uint_eq(covered, VMX_CHECKS);
}
END_TEST

START_TEST(rows_name_what_they_check)
{
	enum vmx_check_group last = VMX_GROUP_EXECUTION;

	for (unsigned i = 0; i < VMX_CHECKS; i++) {
		const struct vmx_check_row *row = &vmx_check_rows[i];

		ck_assert_msg(row->field < VMCS_FIELDS && row->text[0], "%s", row->id);
		ck_assert_msg(strncmp(row->section, "27.", 3) == 0 || strncmp(row->section, "32.", 3) == 0,
			      "%s", row->id);
		/* The manual's order: controls, host state, guest state. */
		ck_assert_msg(row->group >= last ||
				  (last > VMX_GROUP_GUEST && row->group >= VMX_GROUP_GUEST) ||
				  (last > VMX_GROUP_EXECUTIVE && row->group == VMX_GROUP_EXECUTIVE),
			      "%s", row->id);
		last = row->group;
		ck_assert_msg((vmx_check_groups[row->group].error == 0) == (i >= VMX_CHECK_FIRST_GUEST), "%s",
			      row->id);
		for (unsigned k = i + 1; k < VMX_CHECKS; k++)
			ck_assert_str_ne(row->id, vmx_check_rows[k].id);
	}
}
END_TEST

/* PDPTEs come from memory without EPT. */
START_TEST(pdptes_in_memory)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	rig_set(r, "GUEST_CR4+20 GUEST_CR3=a020");
	check_fails(r, VMX_CHECKS, "", "PDPTEs that are not present");
	r->memory[0xa028] = 3;
	check_fails(r, VMX_CHECK_PDPTE1, "", "a reserved bit");
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-checks");
	TCase *t = tcase_create("checks");

	tcase_add_loop_test(t, breaks_one_rule, 0, ARRAY_LEN(breaks));
	tcase_add_test(t, every_row_is_broken);
	tcase_add_test(t, rows_name_what_they_check);
	tcase_add_test(t, pdptes_in_memory);
	suite_add_tcase(s, t);
	return suite_run(s);
}
