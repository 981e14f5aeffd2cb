/* SPDX-License-Identifier: GPL-3.0-or-later
 * Intercepts: each bit asks for its code, the maps, EXITINFO; interrupts, virtual and physical. */
#include "svm/intercept.h"
#include "svm/interrupt.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"

#include <stdlib.h>
#include <string.h>

/* A bit of the intercept words is the code's, and no other's; codes of features that are absent do not
 * exit. */
START_TEST(each_code)
{
	const struct svm_exit_row *row = &svm_exit_rows[_i];

	for (unsigned code = row->first; code <= row->last && code < SVM_INTERCEPTS; code++) {
		struct rig *r = malloc(sizeof(*r));
		uint32_t w;

		rig_init(r, RIG_32);
		memcpy(&w, r->memory + AT_VMCB + code / 32 * 4, 4);
		w |= 1u << (code & 31);
		memcpy(r->memory + AT_VMCB + code / 32 * 4, &w, 4);
		ck_assert(!svm_exits(&r->x, code)); /* of a host, nothing exits */
		rig_enter(r);
		for (unsigned k = 0; k < SVM_INTERCEPTS; k++)
			ck_assert_msg(
			    svm_exits(&r->x, k) ==
				(k == SVM_EXIT_VMRUN || (k == code && svm_has(&r->x.caps, row->feature))),
			    "code %x, asked for %x", code, k);
		free(r);
	}
}
END_TEST

/* Every code is reported with its information. */
START_TEST(each_code_is_stored)
{
	for (unsigned i = 0; i < SVM_EXIT_ROWS; i++)
		for (unsigned code = svm_exit_rows[i].first; code <= svm_exit_rows[i].last; code++) {
			struct rig *r = rig_guest(RIG_32, "");
			struct svm_exit e = { .code = code,
					      .info1 = 0x1111111122222222,
					      .info2 = 0x3333333344444444 };

			svm_leave(&r->x, &e);
			ck_assert_uint_eq(rig_field(r, VMCB_EXIT_CODE), code);
			ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_1), e.info1);
			ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_2), e.info2);
			free(r);
		}
}
END_TEST

/* ---- maps ---- */

static const struct {
	unsigned bit; /* of the map, that is set */
	uint16_t port;
	uint8_t size;
	bool exits;
} ports[] = {
	{ 0, 0, 1, true },
	{ 0x80, 0x80, 1, true },
	{ 0x80, 0x7f, 1, false },
	{ 0x80, 0x7f, 2, true },
	{ 0x80, 0x7d, 4, true },
	{ 0x80, 0x7c, 4, false },
	{ 0x80, 0x81, 4, false },
	{ 0xffff, 0xffff, 1, true },
	{ 0x10000, 0xffff, 2, true },
	{ 0x10002, 0xffff, 4, true },
	{ 0x10002, 0xfffe, 4, false },
	{ 0, 0xffff, 4, false },
};

START_TEST(io_map)
{
	struct rig *r = rig_guest(RIG_32, "+IOIO");

	r->memory[AT_IOPM + ports[_i].bit / 8] |= (uint8_t)(1 << (ports[_i].bit & 7));
	ck_assert_int_eq(svm_io_exits(&r->x, ports[_i].port, ports[_i].size), ports[_i].exits);
	free(r);
	r = rig_guest(RIG_32, "");
	memset(r->memory + AT_IOPM, 0xff, IOPM_SIZE);
	ck_assert(!svm_io_exits(&r->x, ports[_i].port, ports[_i].size));
	free(r);
}
END_TEST

static const struct {
	uint32_t msr;
	int bit; /* of the map, for reads; -1: in no map */
} msr_bits[] = {
	{ 0, 0 },
	{ 0x174, 0x2e8 },
	{ 0x1fff, 0x3ffe },
	{ 0x2000, -1 },
	{ 0xc0000000, 0x4000 },
	{ 0xc0000080, 0x4100 },
	{ 0xc0001fff, 0x7ffe },
	{ 0xc0002000, -1 },
	{ 0xc0010000, 0x8000 },
	{ 0xc0011fff, 0xbffe },
	{ 0xc0012000, -1 },
	{ 0x40000000, -1 },
};

START_TEST(msr_map)
{
	for (unsigned write = 0; write < 2; write++) {
		struct rig *r = rig_guest(RIG_32, "+MSR");
		int bit = msr_bits[_i].bit;

		ck_assert_int_eq(svm_msr_exits(&r->x, msr_bits[_i].msr, write), bit < 0);
		if (bit >= 0)
			r->memory[AT_MSRPM + (unsigned)(bit + (int)write) / 8] |=
			    (uint8_t)(1 << ((bit + (int)write) & 7));
		ck_assert(svm_msr_exits(&r->x, msr_bits[_i].msr, write));
		ck_assert_int_eq(svm_msr_exits(&r->x, msr_bits[_i].msr, !write), bit < 0);
		free(r);
		r = rig_guest(RIG_32, "");
		ck_assert(!svm_msr_exits(&r->x, msr_bits[_i].msr, write));
		free(r);
	}
}
END_TEST

/* ---- CR0, HLT, TSC ---- */

static const struct {
	const char *change;
	uint64_t real, value;
	enum svm_cr0_write how;
	unsigned code;
} cr0[] = {
	{ "", 0x80000011, 0x11, SVM_CR0_MOV, 0 },
	{ "+CR_WRITE.0", 0x11, 0x11, SVM_CR0_MOV, 0x10 },
	{ "+CR_WRITE.0 +CR0_SELECTIVE", 0x11, 0x31, SVM_CR0_MOV, 0x10 },
	{ "+CR_WRITE.0", 0x19, 0x11, SVM_CR0_CLTS, 0x10 },
	{ "+CR_WRITE.0", 0x19, 0x11, SVM_CR0_LMSW, 0x10 },
	{ "+CR0_SELECTIVE", 0x11, 0x1b, SVM_CR0_MOV, 0 }, /* TS and MP */
	{ "+CR0_SELECTIVE", 0x11, 0x15, SVM_CR0_MOV, 0x65 },
	{ "+CR0_SELECTIVE", 0x11, 0x11, SVM_CR0_LMSW, 0x65 }, /* whatever its value */
	{ "+CR0_SELECTIVE", 0x19, 0x11, SVM_CR0_CLTS, 0 },
};

START_TEST(cr0_writes)
{
	struct rig *r = rig_guest(RIG_32, cr0[_i].change);

	ck_assert_uint_eq(svm_cr0_exits(&r->x, cr0[_i].real, cr0[_i].value, cr0[_i].how), cr0[_i].code);
	free(r);
}
END_TEST

static const struct {
	const char *change;
	unsigned code;
} hlts[] = {
	{ "", 0 },
	{ "+HLT", 0x78 },
	{ "+IDLE_HLT", 0xa6 },
	{ "+HLT +IDLE_HLT", 0x78 },
	{ "+IDLE_HLT %V_IRQ=1", 0 },
	{ "+HLT %V_IRQ=1", 0x78 },
	{ "+IDLE_HLT +NMI %V_NMI_ENABLE=1 %V_NMI=1", 0 },
	{ "+IDLE_HLT %V_NMI=1", 0xa6 }, /* not enabled */
};

START_TEST(halts)
{
	struct rig *r = rig_guest(RIG_32, hlts[_i].change);

	ck_assert_uint_eq(svm_hlt_exits(&r->x), hlts[_i].code);
	free(r);
}
END_TEST

START_TEST(time_stamp)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	r->x.tsc_ratio = 0x180000000; /* 1.5 */
	ck_assert_uint_eq(svm_guest_tsc(&r->x, 1000), 1000);
	rig_set(r, "TSC_OFFSET=fffffffffffffff6");
	rig_enter(r);
	ck_assert_uint_eq(svm_guest_tsc(&r->x, 1000), 1490);
	ck_assert_uint_eq(svm_guest_tsc(&r->x, 1ull << 63), (3ull << 62) - 10);
	r->x.tsc_ratio = TSC_RATIO_ONE;
	ck_assert_uint_eq(svm_guest_tsc(&r->x, 1000), 990);
	free(r);
}
END_TEST

/* ---- EXITINFO ---- */

START_TEST(information)
{
	struct rig *r = rig_guest(RIG_32, ""), *old = rig_guest(RIG_K8, "");
	uint32_t error = 0x18;

	ck_assert_uint_eq(svm_io_info(&(struct svm_io){ .port = 0x3f8, .size = 1, .address_size = 4 }),
			  0x03f80110);
	ck_assert_uint_eq(
	    svm_io_info(&(struct svm_io){ .port = 0xcfc, .size = 4, .address_size = 2, .in = true }),
	    0x0cfc00c1);
	ck_assert_uint_eq(
	    svm_io_info(&(struct svm_io){
		.port = 0x1f0, .size = 2, .address_size = 8, .seg = SEG_DS, .string = true, .rep = true }),
	    0x01f00e2c);
	ck_assert_uint_eq(svm_cr_info(&r->x, true, 5), 0x8000000000000005ull);
	ck_assert_uint_eq(svm_cr_info(&r->x, false, 5), 0);
	ck_assert_uint_eq(svm_cr_info(&old->x, true, 5), 0);
	ck_assert_uint_eq(svm_dr_info(&r->x, 9), 9);
	ck_assert_uint_eq(svm_dr_info(&old->x, 9), 0);
	ck_assert_uint_eq(svm_address_info(&r->x, 0x1234), 0x1234);
	ck_assert_uint_eq(svm_address_info(&old->x, 0x1234), 0);
	ck_assert_uint_eq(svm_int_info(&r->x, 0x80), 0x80);
	ck_assert_uint_eq(svm_int_info(&old->x, 0x80), 0);
	ck_assert_uint_eq(svm_task_info(SVM_TASK_CALL, NULL, 0), 0);
	ck_assert_uint_eq(svm_task_info(SVM_TASK_IRET, NULL, 0), 1ull << 36);
	ck_assert_uint_eq(svm_task_info(SVM_TASK_JMP, NULL, FL_RF), 1ull << 38 | 1ull << 48);
	ck_assert_uint_eq(svm_task_info(SVM_TASK_GATE, &error, 0), 0x18 | 1ull << 44);
	free(r);
	free(old);
}
END_TEST

/* ---- physical events ---- */

enum { NO_GIF = 1, HOST_IF = 2, GUEST_IF = 4, IN_SHADOW = 8, NMI_BLOCKED = 16 };
static const struct {
	const char *change;
	unsigned state;
	enum svm_physical intr, nmi;
} physical[] = {
	{ "", GUEST_IF, SVM_TAKE, SVM_TAKE },
	{ "", HOST_IF, SVM_HELD, SVM_TAKE },
	{ "", NO_GIF | GUEST_IF, SVM_HELD, SVM_HELD },
	{ "", GUEST_IF | IN_SHADOW, SVM_HELD, SVM_HELD },
	{ "", GUEST_IF | NMI_BLOCKED, SVM_TAKE, SVM_HELD },
	{ "+INTR +NMI", GUEST_IF, SVM_EXIT, SVM_EXIT },
	{ "+INTR +NMI", GUEST_IF | IN_SHADOW, SVM_EXIT, SVM_EXIT },
	{ "+INTR +NMI", GUEST_IF | NMI_BLOCKED, SVM_EXIT, SVM_HELD },
	{ "+INTR", HOST_IF, SVM_HELD, SVM_TAKE },
	{ "+INTR +NMI", NO_GIF | GUEST_IF, SVM_HELD, SVM_HELD },
	{ "+INTR %V_INTR_MASKING=1", HOST_IF, SVM_EXIT, SVM_TAKE },
	{ "+INTR %V_INTR_MASKING=1", GUEST_IF, SVM_HELD, SVM_TAKE },
	{ "%V_INTR_MASKING=1", HOST_IF, SVM_TAKE, SVM_TAKE },
	{ "+NMI %V_NMI_ENABLE=1", GUEST_IF | NMI_BLOCKED, SVM_TAKE, SVM_EXIT },
};

static void set_state(struct rig *r, unsigned state)
{
	r->x.gif = !(state & NO_GIF);
	r->x.host.rflags = state & HOST_IF ? FL_IF : 0;
	r->x.s.rflags = state & GUEST_IF ? FL_IF : 0;
	r->x.s.shadow = state & IN_SHADOW;
	r->x.s.nmi_blocked = state & NMI_BLOCKED;
}

START_TEST(physical_events)
{
	struct rig *r = rig_guest(RIG_32, physical[_i].change);

	set_state(r, physical[_i].state);
	ck_assert_int_eq((int)svm_physical_intr(&r->x), (int)physical[_i].intr);
	ck_assert_int_eq((int)svm_physical_nmi(&r->x), (int)physical[_i].nmi);
	free(r);
}
END_TEST

START_TEST(smi_and_init)
{
	struct rig *r = rig_guest(RIG_32, "");

	ck_assert_int_eq((int)svm_physical_smi(&r->x), SVM_TAKE);
	ck_assert_int_eq((int)svm_physical_init(&r->x), SVM_TAKE);
	r->x.gif = false;
	ck_assert_int_eq((int)svm_physical_smi(&r->x), SVM_HELD);
	ck_assert_int_eq((int)svm_physical_init(&r->x), SVM_HELD);
	free(r);
	r = rig_guest(RIG_32, "+SMI +INIT");
	ck_assert_int_eq((int)svm_physical_smi(&r->x), SVM_EXIT);
	ck_assert_int_eq((int)svm_physical_init(&r->x), SVM_EXIT);
	free(r);
}
END_TEST

/* ---- virtual events ---- */

#define IRQ "%V_IRQ=1 %V_INTR_PRIO=5 %V_INTR_VECTOR=41 "
#define VGIF "%V_GIF_ENABLE=1 "
#define VNMI "+NMI %V_NMI_ENABLE=1 %V_NMI=1 "
static const struct {
	const char *change;
	unsigned state;
	enum svm_physical intr, nmi;
} virtuals[] = {
	{ "", GUEST_IF, SVM_HELD, SVM_HELD },
	{ IRQ, GUEST_IF, SVM_TAKE, SVM_HELD },
	{ IRQ, HOST_IF, SVM_HELD, SVM_HELD },
	{ IRQ, GUEST_IF | IN_SHADOW, SVM_HELD, SVM_HELD },
	{ IRQ, GUEST_IF | NO_GIF, SVM_HELD, SVM_HELD },
	{ IRQ "%V_TPR=4", GUEST_IF, SVM_TAKE, SVM_HELD },
	{ IRQ "%V_TPR=5", GUEST_IF, SVM_HELD, SVM_HELD },
	{ IRQ "%V_TPR=f %V_IGN_TPR=1", GUEST_IF, SVM_TAKE, SVM_HELD },
	{ IRQ "+VINTR", GUEST_IF, SVM_EXIT, SVM_HELD },
	{ IRQ "+VINTR", 0, SVM_HELD, SVM_HELD },
	{ IRQ VGIF, GUEST_IF, SVM_HELD, SVM_HELD },
	{ IRQ VGIF "%V_GIF=1", GUEST_IF, SVM_TAKE, SVM_HELD },
	{ IRQ VGIF "%V_GIF=1", GUEST_IF | NO_GIF, SVM_TAKE, SVM_HELD },
	{ VNMI, 0, SVM_HELD, SVM_TAKE },
	{ VNMI "%V_NMI_MASK=1", 0, SVM_HELD, SVM_HELD },
	{ VNMI VGIF, 0, SVM_HELD, SVM_HELD },
	{ VNMI, IN_SHADOW, SVM_HELD, SVM_HELD },
};

START_TEST(virtual_events)
{
	struct rig *r = rig_guest(RIG_32, virtuals[_i].change);

	set_state(r, virtuals[_i].state);
	ck_assert_int_eq((int)svm_virtual_intr(&r->x), (int)virtuals[_i].intr);
	ck_assert_int_eq((int)svm_virtual_nmi(&r->x), (int)virtuals[_i].nmi);
	free(r);
}
END_TEST

START_TEST(taking_them)
{
	struct rig *r = rig_guest(RIG_32, IRQ VNMI);
	static const struct svm_exit hlt = { .code = SVM_EXIT_HLT };

	ck_assert_uint_eq(svm_take_virtual_intr(&r->x), 0x41);
	ck_assert_int_eq((int)svm_virtual_intr(&r->x), SVM_HELD);
	svm_take_virtual_nmi(&r->x);
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_NMI), 0);
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_NMI_MASK), 1);
	svm_unblock_nmi(&r->x);
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_NMI_MASK), 0);
	/* V_IRQ is stored; so are the rest of its field. */
	svm_leave(&r->x, &hlt);
	ck_assert_uint_eq(rig_field(r, VMCB_VIRTUAL_INTERRUPT), 0x4104050000ull);
	free(r);
	r = rig_guest(RIG_32, "");
	r->x.s.nmi_blocked = true;
	svm_unblock_nmi(&r->x);
	ck_assert(!r->x.s.nmi_blocked);
	free(r);
}
END_TEST

START_TEST(task_priority)
{
	struct rig *r = rig_guest(RIG_32, "%V_TPR=3");

	ck_assert_uint_eq(svm_cr8_read(&r->x, 7), 7);
	ck_assert(svm_cr8_write(&r->x, 9)); /* both are written */
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_TPR), 9);
	free(r);
	r = rig_guest(RIG_32, "%V_TPR=3 %V_INTR_MASKING=1");
	ck_assert_uint_eq(svm_cr8_read(&r->x, 7), 3);
	ck_assert(!svm_cr8_write(&r->x, 9));
	ck_assert_uint_eq(svm_cr8_read(&r->x, 7), 9);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-intercept");
	TCase *t = tcase_create("intercept");

	tcase_add_loop_test(t, each_code, 0, SVM_EXIT_ROWS);
	tcase_add_test(t, each_code_is_stored);
	tcase_add_loop_test(t, io_map, 0, ARRAY_LEN(ports));
	tcase_add_loop_test(t, msr_map, 0, ARRAY_LEN(msr_bits));
	tcase_add_loop_test(t, cr0_writes, 0, ARRAY_LEN(cr0));
	tcase_add_loop_test(t, halts, 0, ARRAY_LEN(hlts));
	tcase_add_test(t, time_stamp);
	tcase_add_test(t, information);
	tcase_add_loop_test(t, physical_events, 0, ARRAY_LEN(physical));
	tcase_add_test(t, smi_and_init);
	tcase_add_loop_test(t, virtual_events, 0, ARRAY_LEN(virtuals));
	tcase_add_test(t, taking_them);
	tcase_add_test(t, task_priority);
	suite_add_tcase(s, t);
	return suite_run(s);
}
