/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtual APIC: which registers each control virtualizes, priorities, what a write causes, posted
 * interrupts. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/apic.h"

#include <stdlib.h>
#include <string.h>

enum { TPR = 0x80, PPR = 0xa0, EOI = 0xb0, ISR = 0x100, IRR = 0x200, ICR = 0x300 };

static struct rig *rig_new(const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	rig_set(r, "VIRTUAL_APIC_ADDRESS=5000 POSTED_INTERRUPT_DESCRIPTOR=a000 +PROC_TPR_SHADOW");
	rig_set(r, change);
	return r;
}

#define FULL "+PROC2_APIC_REGISTERS +PROC2_VIRTUAL_INTERRUPTS"

static uint32_t get(const struct rig *r, unsigned reg)
{
	uint32_t v;

	memcpy(&v, r->memory + AT_APIC + reg, 4);
	return v;
}

static void put(struct rig *r, unsigned reg, uint32_t v)
{
	memcpy(r->memory + AT_APIC + reg, &v, 4);
}

static struct vmx_apic_trap write32(struct rig *r, unsigned reg, uint32_t v)
{
	return vmx_apic_write(&r->x, reg, &v, 4);
}

/* Registers 00 to 3F0 under each control: a letter each, r read, w write, b both, '-' neither. */
START_TEST(registers)
{
	static const struct {
		const char *change, *of[4];
	} rows[] = {
		{ "", { "--------b-------", "----------------", "----------------", "----------------" } },
		{ "+PROC2_VIRTUAL_INTERRUPTS",
		  { "--------b--w----", "----------------", "----------------", "w---------------" } },
		{ "+PROC2_APIC_REGISTERS",
		  { "--br----b--b-bbb", "rrrrrrrrrrrrrrrr", "rrrrrrrrb-------", "bbbbbbbbb-----b-" } },
		{ FULL, { "--br----b--b-bbb", "rrrrrrrrrrrrrrrr", "rrrrrrrrb-------", "bbbbbbbbb-----b-" } },
		{ "-PROC_TPR_SHADOW",
		  { "----------------", "----------------", "----------------", "----------------" } },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(rows[i].change);

		for (unsigned n = 0; n < 64; n++) {
			char how = rows[i].of[n / 16][n % 16];
			bool rd = how == 'r' || how == 'b', wr = how == 'w' || how == 'b';

			ck_assert_msg(vmx_apic_virtualized(&r->x, n * 16, 4, false) == rd, "%s: read %x",
				      rows[i].change, n);
			ck_assert_msg(vmx_apic_virtualized(&r->x, n * 16, 4, true) == wr, "%s: write %x",
				      rows[i].change, n);
			ck_assert(vmx_apic_virtualized(&r->x, n * 16 + 2, 2, false) == rd);
			ck_assert(!vmx_apic_virtualized(&r->x, n * 16 + 1, 4, false));
			ck_assert(!vmx_apic_virtualized(&r->x, n * 16, 8, false));
			ck_assert(!vmx_apic_virtualized(&r->x, n * 16 + 4, 4, true));
		}
		ck_assert(!vmx_apic_virtualized(&r->x, 0x400, 4, false));
		ck_assert(!vmx_apic_virtualized(&r->x, 0x1000 - 4, 4, true));
		free(r);
	}
}
END_TEST

START_TEST(threshold)
{
	static const struct {
		uint32_t tpr, threshold;
		bool exits;
	} rows[] = { { 0x50, 5, false }, { 0x5f, 5, false }, { 0x4f, 5, true },
		     { 0, 1, true },	 { 0, 0, false },    { 0xff, 15, false } };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new("+PROC2_APIC_ACCESSES");
		struct vmx_apic_trap t;

		r->x.vmcs.r.value[VMCS_TPR_THRESHOLD] = rows[i].threshold;
		t = write32(r, TPR, rows[i].tpr | 0xabcdef00);
		ck_assert_uint_eq(get(r, TPR), rows[i].tpr);
		ck_assert(t.due == rows[i].exits && (!t.due || t.reason == VMX_REASON_TPR_BELOW_THRESHOLD));
		ck_assert(vmx_apic_enter(&r->x).due == rows[i].exits);
		rig_set(r, "-PROC2_APIC_ACCESSES"); /* then a check of the entry sees to it */
		ck_assert(!vmx_apic_enter(&r->x).due);
		free(r);
	}
}
END_TEST

/* RVI and SVI, VTPR: VPPR, and whether the interrupt is taken. */
START_TEST(priority)
{
	static const struct {
		uint32_t rvi, svi, tpr, ppr;
		bool pending;
	} rows[] = {
		{ 0x51, 0, 0, 0, true },	  { 0x51, 0, 0x40, 0x40, true },
		{ 0x51, 0, 0x50, 0x50, false },	  { 0x51, 0x52, 0, 0x50, false },
		{ 0x61, 0x52, 0, 0x50, true },	  { 0x61, 0x52, 0x58, 0x58, true },
		{ 0x61, 0x52, 0x4f, 0x50, true }, { 0x0f, 0, 0, 0, false },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(FULL);

		r->x.vmcs.r.value[VMCS_GUEST_INTERRUPT_STATUS] = rows[i].svi << 8 | rows[i].rvi;
		put(r, TPR, rows[i].tpr);
		ck_assert(!vmx_apic_enter(&r->x).due);
		ck_assert_uint_eq(get(r, PPR), rows[i].ppr);
		ck_assert_msg(vmx_apic_pending(&r->x) == rows[i].pending, "row %u", i);
		rig_set(r, "+PROC_INTERRUPT_WINDOW");
		ck_assert(!vmx_apic_pending(&r->x));
		free(r);
	}
}
END_TEST

START_TEST(take_and_end)
{
	struct rig *r = rig_new(FULL);
	uint64_t *status = &r->x.vmcs.r.value[VMCS_GUEST_INTERRUPT_STATUS];
	struct vmx_apic_trap t;

	put(r, IRR + 0x20, 1u << 0x11);
	put(r, IRR + 0x70, 1u << 0x1f); /* FF */
	*status = 0xff;
	ck_assert_uint_eq(vmx_apic_take(&r->x), 0xff);
	ck_assert_uint_eq(*status, 0xff51);
	ck_assert_uint_eq(get(r, ISR + 0x70), 1u << 0x1f);
	ck_assert_uint_eq(get(r, IRR + 0x70), 0);
	ck_assert_uint_eq(get(r, PPR), 0xf0);
	t = write32(r, EOI, 0x1234);
	ck_assert(!t.due);
	ck_assert_uint_eq(*status, 0x51);
	ck_assert_uint_eq(get(r, EOI), 0);
	ck_assert_uint_eq(get(r, PPR), 0);
	ck_assert_uint_eq(vmx_apic_take(&r->x), 0x51);
	ck_assert_uint_eq(*status, 0x5100);
	rig_set(r, "EOI_EXIT_BITMAP_1=20000");
	t = write32(r, EOI, 0);
	ck_assert(t.due && t.reason == VMX_REASON_VIRTUAL_EOI && t.qualification == 0x51);
	free(r);
}
END_TEST

/* ICR: which values are self-IPIs. */
START_TEST(self_ipi)
{
	static const struct {
		uint32_t icr;
		bool self;
	} rows[] = { { 0x40061, true },
		     { 0x44861, true },
		     { 0x40061 | 1 << 8, false },
		     { 0x40061 | 1 << 12, false },
		     { 0x40061 | 1 << 13, false },
		     { 0x48061, false },
		     { 0x80061, false },
		     { 0xc0061, false },
		     { 0x61, false },
		     { 0x4000f, false },
		     { 0x50061, false },
		     { 0x140061, false } };

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(FULL);
		struct vmx_apic_trap t = write32(r, ICR, rows[i].icr);

		ck_assert_msg(t.due == !rows[i].self, "%x", rows[i].icr);
		ck_assert(!t.due || (t.reason == VMX_REASON_APIC_WRITE && t.qualification == ICR));
		ck_assert(rows[i].self == vmx_apic_pending(&r->x));
		free(r);
	}
}
END_TEST

START_TEST(writes)
{
	struct rig *r = rig_new("+PROC2_APIC_REGISTERS");
	struct vmx_apic_trap t = write32(r, ICR + 0x10, 0x12345678);

	ck_assert(!t.due);
	ck_assert_uint_eq(get(r, ICR + 0x10), 0x12000000);
	t = write32(r, EOI, 7);
	ck_assert(t.due && t.reason == VMX_REASON_APIC_WRITE && t.qualification == EOI);
	ck_assert_uint_eq(get(r, EOI), 7);
	free(r);
}
END_TEST

START_TEST(msrs)
{
	struct rig *r = rig_new("+PROC2_X2APIC");
	struct vmx_apic_trap t;
	uint64_t v;

	put(r, TPR, 0x30);
	put(r, TPR + 4, 9);
	ck_assert_int_eq(vmx_apic_rdmsr(&r->x, 0x808, &v), 1);
	ck_assert_uint_eq(v, 0x900000030ull);
	ck_assert_int_eq(vmx_apic_rdmsr(&r->x, 0x80a, &v), 0);
	ck_assert_int_eq(vmx_apic_rdmsr(&r->x, 0x7ff, &v), 0);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x808, 0x100, &t), -1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x808, 1ull << 32, &t), -1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x808, 0x40, &t), 1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x80b, 0, &t), 0);
	rig_set(r, FULL);
	ck_assert_int_eq(vmx_apic_rdmsr(&r->x, 0x8ff, &v), 1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x80b, 1, &t), -1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x80b, 0, &t), 1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x83f, 0x161, &t), -1);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x83f, 0x61, &t), 1);
	ck_assert(!t.due && vmx_apic_pending(&r->x));
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x83f, 0xf, &t), 1);
	ck_assert(t.due && t.qualification == 0x3f0);
	ck_assert_int_eq(vmx_apic_wrmsr(&r->x, 0x830, 0x61, &t), 0);
	rig_set(r, "-PROC2_X2APIC");
	ck_assert_int_eq(vmx_apic_rdmsr(&r->x, 0x808, &v), 0);
	free(r);
}
END_TEST

START_TEST(posted)
{
	struct rig *r = rig_new(FULL);
	uint32_t *d = (uint32_t *)(void *)(r->memory + AT_LIST);

	r->x.vmcs.r.value[VMCS_GUEST_INTERRUPT_STATUS] = 0x2040;
	put(r, IRR + 0x20, 1);
	d[2] = 1u << 3;
	d[5] = 1u << 31;
	d[8] = 0xf1;
	vmx_apic_posted(&r->x);
	ck_assert_uint_eq(r->x.vmcs.r.value[VMCS_GUEST_INTERRUPT_STATUS], 0x20bf);
	ck_assert_uint_eq(get(r, IRR + 0x20), 9);
	ck_assert_uint_eq(get(r, IRR + 0x50), 1u << 31);
	ck_assert_uint_eq(d[2] | d[5], 0);
	ck_assert_uint_eq(d[8], 0xf0);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-apic");
	TCase *t = tcase_create("apic");

	tcase_add_test(t, registers);
	tcase_add_test(t, threshold);
	tcase_add_test(t, priority);
	tcase_add_test(t, take_and_end);
	tcase_add_test(t, self_ipi);
	tcase_add_test(t, writes);
	tcase_add_test(t, msrs);
	tcase_add_test(t, posted);
	suite_add_tcase(s, t);
	return suite_run(s);
}
