/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMRUN and #VMEXIT: what is loaded, saved and loaded again; flushes, event injection, delivery. */
#include "svm/event.h"
#include "svm/exits.h"
#include "svm/intercept.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"
#include "x86/descriptor.h"

#include <stdlib.h>
#include <string.h>

static const struct svm_exit cpuid = { .code = SVM_EXIT_CPUID, .next_rip = 0x1002 };

START_TEST(loads_the_guest)
{
	struct rig *r = rig_guest(
	    RIG_32,
	    "CR4=10 EFER+800 CPL=3 INTERRUPT_SHADOW=1 ES_ATTRIBUTES=0 "
	    "DS_BASE=123456789 CS_ATTRIBUTES=c92 RFLAGS=ffffffffffd5ffff RIP=100001234 DR6=0 DR7=ffff");
	const struct svm_state *s = &r->x.s;

	ck_assert(r->x.guest && r->x.gif);
	ck_assert_uint_eq(s->cr0, 0x80000031);
	ck_assert_uint_eq(s->cr2, 0x77);
	ck_assert_uint_eq(s->cr3, 0x6000);
	ck_assert_uint_eq(s->cr4, 0x10);
	ck_assert_uint_eq(s->efer, 0x1800);
	ck_assert_uint_eq(s->rip, 0x1234); /* 32 bits count outside 64-bit mode */
	ck_assert_uint_eq(s->gpr[R_ESP], 0x2000);
	ck_assert_uint_eq(s->gpr[R_EAX], 0x55);
	ck_assert_uint_eq(s->rflags, 0x157fd7);
	ck_assert_uint_eq(s->dr6, DR6_INIT);
	ck_assert_uint_eq(s->dr7, 0x2fff);
	ck_assert(s->shadow);
	ck_assert_uint_eq(s->cpl, 3);
	ck_assert_uint_eq(s->seg[SEG_CS].rights,
			  SA_G | SA_DB | SA_P | SA_S | SA_CODE | SA_RW | SA_A | 3 << SA_DPL_SHIFT);
	ck_assert_uint_eq(s->seg[SEG_ES].rights, AR_UNUSABLE);
	ck_assert_uint_eq(s->seg[SEG_DS].base, 0x23456789);
	ck_assert_uint_eq(s->gdtr.base, 0x5000);
	ck_assert_uint_eq(s->idtr.limit, 0x7ff);
	/* FS, GS, TR, LDTR and the MSRs of system calls are not VMRUN's. */
	ck_assert_uint_eq(s->seg[SEG_FS].selector, 0x20);
	free(r);
}
END_TEST

/* CPL comes from the mode, or from its field. */
START_TEST(privilege)
{
	static const struct {
		const char *change;
		unsigned cpl;
	} rows[] = {
		{ "CPL=2", 2 },
		{ "CPL=7", 3 },
		{ "CPL=3 CR0-80000001", 0 },
		{ "CPL=0 RFLAGS=20002", 3 },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_guest(RIG_32, rows[i].change);

		ck_assert_uint_eq(r->x.s.cpl, rows[i].cpl);
		ck_assert_uint_eq(r->x.s.seg[SEG_CS].rights >> SA_DPL_SHIFT & 3, rows[i].cpl);
		free(r);
	}
}
END_TEST

START_TEST(long_mode)
{
	struct rig *r = rig_guest(
	    RIG_64,
	    "RIP=ffff800000001234 CR3=123456000 GDTR_BASE=800000000000 RSP=8000000000000000 EFER-400");

	ck_assert(svm_mode64(&r->x.s));
	ck_assert_uint_eq(r->x.s.efer & EFER_LMA, EFER_LMA); /* by LME and PG, whatever the field says */
	ck_assert_uint_eq(r->x.s.rip, 0xffff800000001234ull);
	ck_assert_uint_eq(r->x.s.cr3, 0x123456000ull);
	ck_assert_uint_eq(r->x.s.gdtr.base, 0xffff800000000000ull); /* sign-extended */
	ck_assert_uint_eq(r->x.s.gpr[R_ESP], 1ull << 63);
	free(r);
}
END_TEST

/* Without a word of the guest's in between, a #VMEXIT stores what VMRUN loaded, and the host is back. */
START_TEST(returns_to_the_host)
{
	struct rig *r = malloc(sizeof(*r));
	struct svm_state before;
	uint8_t vmcb[VMCB_SIZE];

	rig_init(r, _i ? RIG_64 : RIG_32);
	before = r->x.s;
	memcpy(vmcb, r->memory + AT_VMCB, sizeof(vmcb));
	rig_enter(r);
	r->x.s.gpr[R_EBX] = 0x99;
	ck_assert_int_eq(svm_leave(&r->x, &cpuid), SVM_EXITED);
	ck_assert(!r->x.guest && !r->x.gif);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_CODE), 0x72);
	ck_assert_uint_eq(rig_field(r, VMCB_NEXT_RIP), 0x1002);
	/* The same, but for the host's RIP and what is not saved: CR2, DR6, other registers. */
	before.rip = HOST_RIP + 3;
	before.cr2 = 0x77;
	before.dr6 = DR6_INIT;
	before.gpr[R_EBX] = 0x99;
	ck_assert_int_eq(memcmp(&before, &r->x.s, sizeof(before)), 0);
	memcpy(vmcb + 0x70, r->memory + AT_VMCB + 0x70, 0x20);
	memcpy(vmcb + 0xc8, r->memory + AT_VMCB + 0xc8, 8);
	ck_assert_int_eq(memcmp(vmcb, r->memory + AT_VMCB, sizeof(vmcb)), 0);
	free(r);
}
END_TEST

START_TEST(saves_the_guest)
{
	struct rig *r = rig_guest(RIG_64, "%NP_ENABLE=1 NESTED_CR3=10000 %LBR_ENABLE=1 BR_FROM=11");
	struct svm_state *s = &r->x.s;

	ck_assert_uint_eq(s->msr[SVM_BR_FROM], 0x11);
	s->rip = 0x1111;
	s->gpr[R_ESP] = 0x2222;
	s->gpr[R_EAX] = 0x3333;
	s->rflags = 0x246;
	s->cr0 = 0x80000011;
	s->cr2 = 0x4444;
	s->cr3 = 0x5000;
	s->cr4 = 0x30;
	s->dr6 = 0xffff0ff1;
	s->dr7 = 0x401;
	s->pat = 0x0606060606060606ull;
	s->cpl = 3;
	s->shadow = true;
	s->msr[SVM_BR_TO] = 0x66;
	s->seg[SEG_SS] = (struct svm_segment){ 0x10, 0xfff, SA_P | SA_S | SA_RW | SA_DB | 0x60, 0x2b };
	s->seg[SEG_ES] = (struct svm_segment){ 0, 0, AR_UNUSABLE, 0 };
	s->idtr = (struct svm_table){ 0x7777, 0x888 };
	ck_assert_int_eq(svm_leave(&r->x, &cpuid), SVM_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCB_RIP), 0x1111);
	ck_assert_uint_eq(rig_field(r, VMCB_RSP), 0x2222);
	ck_assert_uint_eq(rig_field(r, VMCB_RAX), 0x3333);
	ck_assert_uint_eq(rig_field(r, VMCB_RFLAGS), 0x246);
	ck_assert_uint_eq(rig_field(r, VMCB_CR0), 0x80000011);
	ck_assert_uint_eq(rig_field(r, VMCB_CR2), 0x4444);
	ck_assert_uint_eq(rig_field(r, VMCB_CR3), 0x5000);
	ck_assert_uint_eq(rig_field(r, VMCB_CR4), 0x30);
	ck_assert_uint_eq(rig_field(r, VMCB_DR6), 0xffff0ff1);
	ck_assert_uint_eq(rig_field(r, VMCB_DR7), 0x401);
	ck_assert_uint_eq(rig_field(r, VMCB_G_PAT), 0x0606060606060606ull);
	ck_assert_uint_eq(rig_field(r, VMCB_CPL), 3);
	ck_assert_uint_eq(rig_field(r, VMCB_INTERRUPT_SHADOW), 1);
	ck_assert_uint_eq(rig_field(r, VMCB_BR_TO), 0x66);
	ck_assert_uint_eq(rig_field(r, VMCB_SS_SELECTOR), 0x2b);
	ck_assert_uint_eq(rig_field(r, VMCB_SS_ATTRIBUTES), 0x4f2);
	ck_assert_uint_eq(rig_field(r, VMCB_SS_LIMIT), 0xfff);
	ck_assert_uint_eq(rig_field(r, VMCB_ES_ATTRIBUTES), 0);
	ck_assert_uint_eq(rig_field(r, VMCB_IDTR_BASE), 0x7777);
	ck_assert_uint_eq(rig_field(r, VMCB_IDTR_LIMIT), 0x888);
	/* The host has its own. */
	ck_assert_uint_eq(s->pat, 0x0007040600070406ull);
	ck_assert_uint_eq(s->msr[SVM_BR_TO], 0);
	ck_assert_uint_eq(s->dr7, DR7_INIT);
	free(r);
}
END_TEST

/* The host's PDPTEs are read again; with reserved bits the processor shuts down. */
START_TEST(host_pdptes)
{
	for (unsigned bad = 0; bad < 2; bad++) {
		struct rig *r = malloc(sizeof(*r));

		rig_init(r, RIG_32);
		r->x.s.cr4 = CR4_PAE;
		r->memory[0x7008] = bad ? 3 : 1;
		rig_enter(r);
		ck_assert_int_eq(svm_leave(&r->x, &cpuid), bad ? SVM_SHUTDOWN : SVM_EXITED);
		ck_assert_int_eq(r->x.shutdown, bad);
		ck_assert_uint_eq(r->x.s.pdpte[1], bad ? 3 : 1);
		free(r);
	}
}
END_TEST

START_TEST(guest_pdptes)
{
	struct rig *r = rig_guest(RIG_32, "CR4=20 PDPTE.0=9001");

	ck_assert_uint_eq(r->x.s.pdpte[0], 0x9001);
	free(r);
}
END_TEST

static const struct {
	const char *change;
	enum svm_generation g;
	int flush; /* -1: none */
} flushes[] = {
	{ "TLB_CONTROL=0", SVM_GEN_ALL, -1 },
	{ "TLB_CONTROL=1", SVM_GEN_ALL, SVM_FLUSH_ALL },
	{ "TLB_CONTROL=3", SVM_GEN_ALL, SVM_FLUSH_ASID },
	{ "TLB_CONTROL=7", SVM_GEN_ALL, SVM_FLUSH_ASID_LOCAL },
	{ "TLB_CONTROL=3", SVM_GEN_K10, SVM_FLUSH_ALL },
	{ "TLB_CONTROL=2", SVM_GEN_ALL, -1 },
};

START_TEST(tlb_control)
{
	struct rig *r = malloc(sizeof(*r));
	struct svm_model m = rig_model(flushes[_i].g, true);

	rig_init(r, RIG_32);
	svm_caps_init(&r->x.caps, &m);
	rig_set(r, "ASID=7");
	rig_set(r, flushes[_i].change);
	rig_enter(r);
	ck_assert_uint_eq(r->flushes, flushes[_i].flush >= 0);
	if (r->flushes) {
		ck_assert_int_eq((int)r->flush, flushes[_i].flush);
		ck_assert_uint_eq(r->asid, 7);
	}
	free(r);
}
END_TEST

/* nRIP and instruction bytes are stored by processors that have them; else the fields are 0. */
START_TEST(exit_details)
{
	static const struct svm_exit e = { .code = SVM_EXIT_EXCEPTION + EXC_PF,
					   .info1 = 5,
					   .info2 = 0x1234,
					   .next_rip = 0x1003,
					   .fetched = 3,
					   .bytes = { 0x8b, 0x45, 0x08 } };
	static const enum svm_generation g[] = { SVM_GEN_K8, SVM_GEN_K10, SVM_GEN_BULLDOZER };

	for (unsigned i = 0; i < ARRAY_LEN(g); i++) {
		struct rig *r = malloc(sizeof(*r));
		struct svm_model m = rig_model(g[i], true);

		rig_init(r, RIG_32);
		svm_caps_init(&r->x.caps, &m);
		rig_set(r, "NEXT_RIP=9 FETCHED=7 INSTRUCTION_0=9");
		rig_enter(r);
		svm_leave(&r->x, &e);
		ck_assert_uint_eq(rig_field(r, VMCB_EXIT_CODE), 0x4e);
		ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_1), 5);
		ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_2), 0x1234);
		ck_assert_uint_eq(rig_field(r, VMCB_NEXT_RIP), g[i] >= SVM_GEN_K10 ? 0x1003 : 0);
		ck_assert_uint_eq(rig_field(r, VMCB_FETCHED), g[i] >= SVM_GEN_BULLDOZER ? 3 : 0);
		ck_assert_uint_eq(rig_field(r, VMCB_INSTRUCTION_0), g[i] >= SVM_GEN_BULLDOZER ? 0x08458b : 0);
		free(r);
	}
}
END_TEST

/* ---- events ---- */

static const struct {
	const char *change;
	struct svm_event e;
	uint64_t rip; /* that is pushed */
} injections[] = {
	{ "EVENT_INJECTION=800000f2", { SVM_EVENT_INTR, 0xf2, false, 0 }, 0x1000 },
	{ "EVENT_INJECTION=80000217", { SVM_EVENT_NMI, 2, false, 0 }, 0x1000 },
	{ "EVENT_INJECTION=1280000b0d", { SVM_EVENT_EXCEPTION, 13, true, 0x12 }, 0x1000 },
	{ "EVENT_INJECTION=8000030d", { SVM_EVENT_EXCEPTION, 13, false, 0 }, 0x1000 },
	{ "EVENT_INJECTION=80000303 NEXT_RIP=1001", { SVM_EVENT_EXCEPTION, 3, false, 0 }, 0x1001 },
	{ "EVENT_INJECTION=80000480 NEXT_RIP=1002", { SVM_EVENT_INT_N, 0x80, false, 0 }, 0x1002 },
};

START_TEST(injection)
{
	struct rig *r = malloc(sizeof(*r));
	struct svm_event e;
	uint64_t rip;

	rig_init(r, RIG_32);
	rig_set(r, "INTERRUPT_SHADOW=1");
	rig_set(r, injections[_i].change);
	rig_enter(r);
	ck_assert(svm_take_injection(&r->x, &e, &rip));
	ck_assert_int_eq((int)e.type, (int)injections[_i].e.type);
	ck_assert_uint_eq(e.vector, injections[_i].e.vector);
	ck_assert_int_eq(e.has_error, injections[_i].e.has_error);
	ck_assert_uint_eq(e.error, injections[_i].e.error);
	ck_assert_uint_eq(rip, injections[_i].rip);
	ck_assert(!r->x.s.shadow);
	ck_assert_int_eq(r->x.s.nmi_blocked, e.type == SVM_EVENT_NMI);
	ck_assert(!svm_take_injection(&r->x, &e, &rip));
	/* V is clear after the #VMEXIT. */
	svm_leave(&r->x, &cpuid);
	ck_assert_uint_eq(rig_field(r, VMCB_EVENT_INJECTION) & SVM_EVENT_VALID, 0);
	free(r);
}
END_TEST

START_TEST(no_injection)
{
	struct rig *r = rig_guest(RIG_32, "EVENT_INJECTION=30d");
	struct svm_event e;
	uint64_t rip;

	ck_assert(!svm_take_injection(&r->x, &e, &rip));
	free(r);
}
END_TEST

/* An exception raised while another event is delivered: FIRST, SECOND (vectors of exceptions; 0x100: an
 * interrupt, -1: none), intercepts, what becomes of it: the vector delivered, an exit code, or SHUTDOWN. */
enum { DELIVERED = 0x1000, SHUT_DOWN = 0x2000 };
static const struct {
	int first;
	unsigned second;
	const char *change;
	unsigned result;
} deliveries[] = {
	{ -1, EXC_GP, "", DELIVERED | EXC_GP },
	{ -1, EXC_GP, "+EXCEPTION.d", 0x4d },
	{ -1, EXC_GP, "+EXCEPTION.e", DELIVERED | EXC_GP },
	{ 0x100, EXC_PF, "", DELIVERED | EXC_PF },
	{ 0x100, EXC_PF, "+EXCEPTION.e", 0x4e },
	{ EXC_GP, EXC_GP, "", DELIVERED | EXC_DF },
	{ EXC_GP, EXC_GP, "+EXCEPTION.8", 0x48 },
	{ EXC_GP, EXC_GP, "+EXCEPTION.8 +EXCEPTION.d", 0x4d }, /* it exits itself */
	{ EXC_GP, EXC_PF, "", DELIVERED | EXC_PF },
	{ EXC_PF, EXC_PF, "", DELIVERED | EXC_DF },
	{ EXC_PF, EXC_NP, "", DELIVERED | EXC_DF },
	{ EXC_PF, EXC_DB, "", DELIVERED | EXC_DB },
	{ EXC_DB, EXC_GP, "", DELIVERED | EXC_GP },
	{ EXC_DF, EXC_GP, "", SHUT_DOWN },
	{ EXC_DF, EXC_PF, "+SHUTDOWN", 0x7f },
	{ EXC_DF, EXC_GP, "+EXCEPTION.d +SHUTDOWN", 0x4d },
};

START_TEST(delivery)
{
	struct rig *r = rig_guest(RIG_32, deliveries[_i].change);
	int first = deliveries[_i].first;
	struct svm_event prior = { first == 0x100 ? SVM_EVENT_INTR : SVM_EVENT_EXCEPTION, (uint8_t)first,
				   first == EXC_GP, 4 };
	struct svm_event e = { SVM_EVENT_EXCEPTION, (uint8_t)deliveries[_i].second, true, 6 };
	struct svm_exit exit = { 0 };
	enum svm_delivery d;
	unsigned result;

	if (first >= 0)
		svm_delivery_begins(&r->x, &prior);
	d = svm_deliver(&r->x, &e, 0x4321, &exit);
	result = d == SVM_DELIVER	 ? DELIVERED | e.vector
		 : d == SVM_DELIVER_EXIT ? (unsigned)exit.code
					 : SHUT_DOWN;
	ck_assert_uint_eq(result, deliveries[_i].result);
	if (d == SVM_DELIVER_EXIT) {
		bool fault = exit.code == 0x4d || exit.code == 0x4e;

		ck_assert_uint_eq(exit.info1, fault ? 6 : 0);
		ck_assert_uint_eq(exit.info2, exit.code == 0x4e ? 0x4321 : 0);
		svm_leave(&r->x, &exit);
		ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INT_INFO), first < 0 ? 0 : svm_event_info(&prior));
		ck_assert_uint_eq(r->x.delivering, 0);
	}
	free(r);
}
END_TEST

START_TEST(event_information)
{
	struct svm_event e = { SVM_EVENT_EXCEPTION, 14, true, 0x1f }, back;

	ck_assert_uint_eq(svm_event_info(&e), 0x1f80000b0eull);
	back = svm_event_of(0x1f80000b0eull);
	ck_assert(back.type == e.type && back.vector == 14 && back.has_error && back.error == 0x1f);
	e = (struct svm_event){ SVM_EVENT_INT_N, 0x80, false, 0x55 };
	ck_assert_uint_eq(svm_event_info(&e), 0x80000480ull);
	back = svm_event_of(0x5580000480ull);
	ck_assert(!back.has_error && !back.error);
}
END_TEST

START_TEST(delivery_ends)
{
	struct rig *r = rig_guest(RIG_32, "");
	struct svm_event e = { SVM_EVENT_INTR, 0x30, false, 0 };

	svm_delivery_begins(&r->x, &e);
	ck_assert_uint_eq(r->x.delivering, 0x80000030);
	svm_delivery_ends(&r->x);
	svm_leave(&r->x, &cpuid);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INT_INFO), 0);
	free(r);
}
END_TEST

/* A VMCB that marks everything clean runs with what the processor kept, RIP and the like apart. */
START_TEST(clean_vmcb)
{
	struct rig *r = rig_guest(RIG_32, "");

	r->x.s.cr2 = 0x88;
	svm_leave(&r->x, &cpuid);
	rig_set(r, "CLEAN=1fff CR2=99 RIP=1234 ASID=0 -VMRUN");
	rig_enter(r);
	ck_assert_uint_eq(r->x.s.cr2, 0x88);
	ck_assert_uint_eq(r->x.s.rip, 0x1234);
	svm_leave(&r->x, &cpuid);
	rig_set(r, "CLEAN=1dff CR2=99");
	rig_enter(r);
	ck_assert_uint_eq(r->x.s.cr2, 0x99);
	svm_leave(&r->x, &cpuid);
	/* After a VMRUN that failed nothing is kept. */
	rig_set(r, "CLEAN=1ffb ASID=0");
	ck_assert_int_eq(svm_enter(&r->x, AT_VMCB, 0), SVM_ENTRY_FAILED);
	rig_set(r, "CLEAN=1fff ASID=1");
	ck_assert_int_eq(svm_enter(&r->x, AT_VMCB, 0), SVM_ENTRY_FAILED);
	ck_assert_int_eq(r->x.failed_check, 12); /* VMRUN is not intercepted */
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-transition");
	TCase *t = tcase_create("transition");

	tcase_add_test(t, loads_the_guest);
	tcase_add_test(t, privilege);
	tcase_add_test(t, long_mode);
	tcase_add_loop_test(t, returns_to_the_host, 0, 2);
	tcase_add_test(t, saves_the_guest);
	tcase_add_test(t, host_pdptes);
	tcase_add_test(t, guest_pdptes);
	tcase_add_loop_test(t, tlb_control, 0, ARRAY_LEN(flushes));
	tcase_add_test(t, exit_details);
	tcase_add_loop_test(t, injection, 0, ARRAY_LEN(injections));
	tcase_add_test(t, no_injection);
	tcase_add_loop_test(t, delivery, 0, ARRAY_LEN(deliveries));
	tcase_add_test(t, event_information);
	tcase_add_test(t, delivery_ends);
	tcase_add_test(t, clean_vmcb);
	suite_add_tcase(s, t);
	return suite_run(s);
}
