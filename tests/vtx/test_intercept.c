/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which instructions of a guest exit: by controls, bitmaps, masks and shadows; and what exits say of them. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/intercept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rig *rig_new(const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_64);
	rig_set(r, change);
	return r;
}

/* Each row: #UD without the control that enables it, then it runs, then it exits by its control alone. */
START_TEST(by_control)
{
	const struct vmx_intercept_row *row = &vmx_intercepts[_i];
	enum vmx_intercept i = (enum vmx_intercept)_i;
	char text[80];
	struct rig *r = rig_new("");

	ck_assert_ptr_nonnull(vmx_reasons[row->reason].name);
	if (row->enable != VMX_ALWAYS) {
		ck_assert_int_eq(vmx_intercepted(&r->x, i), VMX_UNDEFINED);
		snprintf(text, sizeof(text), "+%s", vmx_controls[row->enable].id);
		rig_set(r, text);
	}
	if (row->control != VMX_ALWAYS) {
		ck_assert_int_eq(vmx_intercepted(&r->x, i), VMX_RUNS);
		snprintf(text, sizeof(text), "+%s", vmx_controls[row->control].id);
		rig_set(r, text);
	}
	ck_assert_int_eq(vmx_intercepted(&r->x, i), VMX_EXITS);
	free(r);
}
END_TEST

START_TEST(ports)
{
	struct rig *r = rig_new("");

	ck_assert(!vmx_io_exits(&r->x, 0x80, 1));
	rig_set(r, "+PROC_UNCONDITIONAL_IO");
	ck_assert(vmx_io_exits(&r->x, 0x80, 1));
	rig_set(r, "+PROC_IO_BITMAPS IO_BITMAP_A=a000 IO_BITMAP_B=b000");
	ck_assert(!vmx_io_exits(&r->x, 0x80, 1));
	r->memory[0xa000 + 0x80 / 8] = 1;
	r->memory[0xb000] = 2;
	ck_assert(vmx_io_exits(&r->x, 0x80, 1));
	ck_assert(vmx_io_exits(&r->x, 0x7d, 4));
	ck_assert(!vmx_io_exits(&r->x, 0x7c, 4));
	ck_assert(!vmx_io_exits(&r->x, 0x81, 2));
	ck_assert(vmx_io_exits(&r->x, 0x8001, 1));
	ck_assert(vmx_io_exits(&r->x, 0x7ffe, 4)); /* across both bitmaps */
	ck_assert(!vmx_io_exits(&r->x, 0x7ffd, 4));
	ck_assert(vmx_io_exits(&r->x, 0xfffd, 4)); /* past the last port */
	ck_assert(!vmx_io_exits(&r->x, 0xfffc, 4));
	free(r);
}
END_TEST

START_TEST(msrs)
{
	static const struct {
		uint32_t msr;
		bool write;
		unsigned at;
	} rows[] = {
		{ 0x174, false, 0x000 + 0x174 / 8 },
		{ 0x174, true, 0x800 + 0x174 / 8 },
		{ 0xc0000084, false, 0x400 + 0x84 / 8 },
		{ 0xc0000084, true, 0xc00 + 0x84 / 8 },
		{ 0x1fff, false, 0x3ff },
		{ 0xc0001fff, true, 0xfff },
	};
	struct rig *r = rig_new("");

	ck_assert(vmx_msr_exits(&r->x, 0x174, false));
	rig_set(r, "+PROC_MSR_BITMAPS MSR_BITMAPS=a000");
	ck_assert(vmx_msr_exits(&r->x, 0x2000, false) && vmx_msr_exits(&r->x, 0xc0002000, false));
	ck_assert(vmx_msr_exits(&r->x, 0xbfffffff, true) && vmx_msr_exits(&r->x, 0x40000000, true));
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		memset(r->memory + 0xa000, 0, PAGE_SIZE);
		ck_assert(!vmx_msr_exits(&r->x, rows[i].msr, rows[i].write));
		r->memory[0xa000 + rows[i].at] = (uint8_t)(1 << (rows[i].msr & 7));
		ck_assert(vmx_msr_exits(&r->x, rows[i].msr, rows[i].write));
		ck_assert(!vmx_msr_exits(&r->x, rows[i].msr, !rows[i].write));
	}
	free(r);
}
END_TEST

START_TEST(control_registers)
{
	struct rig *r = rig_new("CR0_MASK=80000009 CR0_READ_SHADOW=1 CR4_MASK=2000 CR4_READ_SHADOW=0");
	uint64_t v;

	/* The host owns PE, TS and PG; the guest believes PE set, TS and PG clear. */
	ck_assert_uint_eq(vmx_cr0_read(&r->x, 0x80000031), 0x31);
	ck_assert_uint_eq(vmx_cr4_read(&r->x, 0x2020), 0x20);
	ck_assert(!vmx_cr0_exits(&r->x, 0x80000031, 0x10021, &v));
	ck_assert_uint_eq(v, 0x80010021);
	ck_assert(vmx_cr0_exits(&r->x, 0x80000031, 0x80000021, &v));
	ck_assert(vmx_cr0_exits(&r->x, 0x80000031, 0x20, &v));
	ck_assert(!vmx_cr4_exits(&r->x, 0x2020, 0x30, &v));
	ck_assert_uint_eq(v, 0x2030);
	ck_assert(vmx_cr4_exits(&r->x, 0x2020, 0x2020, &v));
	/* CLTS: ignored when the guest believes TS clear. */
	ck_assert(!vmx_clts_exits(&r->x, 0x80000039, &v));
	ck_assert_uint_eq(v, 0x80000039);
	rig_set(r, "CR0_READ_SHADOW=9");
	ck_assert(vmx_clts_exits(&r->x, 0x80000039, &v));
	rig_set(r, "CR0_MASK=1");
	ck_assert(!vmx_clts_exits(&r->x, 0x80000039, &v));
	ck_assert_uint_eq(v, 0x80000031);
	/* LMSW: PE is never cleared, and its setting exits if the guest believes it clear. */
	rig_set(r, "CR0_MASK=0");
	ck_assert(!vmx_lmsw_exits(&r->x, 0x80000031, 0xfffe, &v));
	ck_assert_uint_eq(v, 0x8000003f);
	rig_set(r, "CR0_MASK=3 CR0_READ_SHADOW=2");
	ck_assert(!vmx_lmsw_exits(&r->x, 0x80000031, 2, &v));
	ck_assert_uint_eq(v, 0x80000031);
	ck_assert(vmx_lmsw_exits(&r->x, 0x80000031, 3, &v));
	ck_assert(vmx_lmsw_exits(&r->x, 0x80000031, 0, &v));
	free(r);
}
END_TEST

START_TEST(cr3_targets)
{
	struct rig *r = rig_new("CR3_TARGET_0=1000 CR3_TARGET_1=2000");

	ck_assert(!vmx_cr3_exits(&r->x, 0x1000));
	rig_set(r, "+PROC_CR3_LOAD");
	ck_assert(vmx_cr3_exits(&r->x, 0x1000));
	rig_set(r, "CR3_TARGET_COUNT=1");
	ck_assert(!vmx_cr3_exits(&r->x, 0x1000));
	ck_assert(vmx_cr3_exits(&r->x, 0x2000));
	rig_set(r, "CR3_TARGET_COUNT=ffffffff");
	ck_assert(!vmx_cr3_exits(&r->x, 0x2000));
	ck_assert(vmx_cr3_exits(&r->x, 0x3000));
	free(r);
}
END_TEST

START_TEST(time_stamps)
{
	struct rig *r = rig_new("TSC_OFFSET=fffffffffffffff0 TSC_MULTIPLIER=8000000000000");

	ck_assert_uint_eq(vmx_guest_tsc(&r->x, 0x100), 0x100);
	rig_set(r, "+PROC_TSC_OFFSETTING");
	ck_assert_uint_eq(vmx_guest_tsc(&r->x, 0x100), 0xf0);
	rig_set(r, "+PROC2_TSC_SCALING");
	ck_assert_uint_eq(vmx_guest_tsc(&r->x, 0x100), 0x7f0);
	free(r);
}
END_TEST

START_TEST(qualifications)
{
	ck_assert_uint_eq(vmx_io_qualification(&(struct vmx_io){ .port = 0x3f8, .size = 1, .in = true }),
			  0x03f80008);
	ck_assert_uint_eq(
	    vmx_io_qualification(&(struct vmx_io){ .port = 0x1f0, .size = 4, .string = true, .rep = true }),
	    0x01f00033);
	ck_assert_uint_eq(
	    vmx_io_qualification(&(struct vmx_io){ .port = 0x80, .size = 2, .immediate = true }), 0x00800041);
	ck_assert_uint_eq(vmx_cr_qualification(3, VMX_CR_WRITE, R_EDI, 0, false), 0x703);
	ck_assert_uint_eq(vmx_cr_qualification(8, VMX_CR_READ, 12, 0, false), 0xc18);
	ck_assert_uint_eq(vmx_cr_qualification(0, VMX_CR_CLTS, 5, 0, false), 0x20);
	ck_assert_uint_eq(vmx_cr_qualification(0, VMX_CR_LMSW, 0, 0x1234, true), 0x12340070);
	ck_assert_uint_eq(vmx_dr_qualification(7, true, R_ECX), 0x117);
	ck_assert_uint_eq(vmx_task_qualification(0x28, VMX_TASK_GATE), 0xc0000028);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-intercept");
	TCase *t = tcase_create("intercept");

	tcase_add_loop_test(t, by_control, 0, VMX_INTERCEPTS);
	tcase_add_test(t, ports);
	tcase_add_test(t, msrs);
	tcase_add_test(t, control_registers);
	tcase_add_test(t, cr3_targets);
	tcase_add_test(t, time_stamps);
	tcase_add_test(t, qualifications);
	suite_add_tcase(s, t);
	return suite_run(s);
}
