/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views and commands of SVM in a session, over the rig: command lines in, text out. Every view that is
 * registered is asked for at least once, with and without a current VMCB. */
#include "cpu/exit_view.h"
#include "cpu/virt.h"
#include "inspect/session_int.h"
#include "svm/event.h"
#include "svm/intercept.h"
#include "svm/view.h"
#include "tests/inspect/fake_machine.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct session {
	struct rig *r;
	struct virt virt;
	struct engine_ops ops;
	struct machine *m;
	struct inspect *s;
	FILE *out;
	char *text;
	size_t len;
};

static const uint8_t looping[] = { 0xeb, 0xfe };

static void emit(void *ctx, const struct result *r)
{
	struct session *t = ctx;

	result_render(r, false, t->out);
	result_render_error(r, false, "! ", t->out);
}

static int event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on)
{
	(void)v, (void)kind, (void)lo, (void)hi, (void)on;
	return 0;
}

/* CHANGE: to the VMCB before its first use. */
static void begin(struct session *t, const char *change)
{
	*t = (struct session){ .r = malloc(sizeof(*t->r)), .s = inspect_new(NULL) };
	rig_init(t->r, RIG_32);
	rig_set(t->r, change);
	t->m = fake_machine(looping, sizeof(looping));
	t->virt.controls = svm_controls_new(&t->r->x);
	machine_vcpu(t->m)->virt = &t->virt;
	t->ops = *machine_vcpu(t->m)->ops;
	t->ops.event_set = event_set;
	machine_vcpu(t->m)->ops = &t->ops;
	inspect_attach(t->s, &(struct inspect_machine){ .machine = t->m, .icount = true });
	t->out = open_memstream(&t->text, &t->len);
}

static void end(struct session *t)
{
	svm_controls_free(t->virt.controls);
	machine_free(t->m);
	inspect_free(t->s);
	fclose(t->out);
	free(t->text);
	free(t->r);
}

/* The output of LINE. */
static const char *say(struct session *t, const char *line)
{
	struct inspect_sink sink = { .ctx = t, .emit = emit };

	rewind(t->out);
	inspect_exec(t->s, line, &sink);
	fputc(0, t->out);
	fflush(t->out);
	return t->text;
}

static void leave(struct rig *r, uint64_t code, uint64_t info1, uint64_t info2, uint64_t rip)
{
	struct svm_exit e = { .code = code, .info1 = info1, .info2 = info2 };

	rig_enter(r);
	r->x.s.rip = rip;
	ck_assert_int_eq(svm_leave(&r->x, &e), SVM_EXITED);
}

static bool says(struct session *t, const char *line, const char *what)
{
	return strstr(say(t, line), what) != NULL;
}

/* Columns: change to the VMCB after an exit, command, what its output contains. */
static const struct line {
	const char *change, *line, *says;
} lines[] = {
	/* fields, decoded */
	{ "", "info vmcb CR0", "PE ET NE PG" },
	{ "", "info vmcb rip", "RIP" },
	{ "", "info vmcb 0x578", "RIP" },
	{ "", "info vmcb EFER", "SVME" },
	{ "", "info vmcb CS_ATTRIBUTES", "code readable DPL=0 P 32-bit G" },
	{ "", "info vmcb CS_SELECTOR", "GDT[1] RPL=0" },
	{ "+CPUID +HLT", "info vmcb INTERCEPT_3", "CPUID HLT" },
	{ "+CR_WRITE.3 +CR_READ.0", "info vmcb INTERCEPT_CR", "CR0_READ CR3_WRITE" },
	{ "+EXCEPTION.e", "info vmcb INTERCEPT_EXCEPTION", "EXCP_PF" },
	{ "EVENT_INJECTION=200000b0e", "info vmcb EVENT_INJECTION", "-" },
	{ "EVENT_INJECTION=280000b0e", "info vmcb EVENT_INJECTION", "#PF with error code 0x2" },
	{ "EVENT_INJECTION=80000030", "info vmcb EVENT_INJECTION", "interrupt 0x30" },
	{ "EVENT_INJECTION=80000202", "info vmcb EVENT_INJECTION", "NMI" },
	{ "%V_IRQ=1 %V_INTR_VECTOR=30", "info vmcb VIRTUAL_INTERRUPT", "V_IRQ V_INTR_VECTOR=0x30" },
	{ "TLB_CONTROL=3", "info vmcb TLB_CONTROL", "flush this ASID" },
	{ "CLEAN=20", "info vmcb CLEAN", "[CR0, CR3, CR4, EFER]" },
	{ "", "info vmcb G_PAT", "WB WT UC- UC" },
	{ "EXIT_CODE=7b EXIT_INFO_1=3f8004d", "info vmcb EXIT_INFO_1", "REP INS port 0x3f8, 4 bytes" },
	{ "EXIT_CODE=400 EXIT_INFO_1=100000006 EXIT_INFO_2=f123", "info vmcb EXIT_INFO_1",
	  "write of an unmapped page at 0xf123" },
	{ "EXIT_CODE=400 EXIT_INFO_1=200000007 EXIT_INFO_2=f000", "info vmcb EXIT_INFO_1",
	  "write of a protected page at 0xf000, a paging structure" },
	{ "EXIT_CODE=13 EXIT_INFO_1=8000000000000003", "info vmcb EXIT_INFO_1", "MOV, rbx" },
	{ "EXIT_CODE=7d EXIT_INFO_1=30 EXIT_INFO_2=4000000000", "info vmcb EXIT_INFO_1",
	  "to TSS 0x30 by JMP" },
	{ "EXIT_CODE=7c EXIT_INFO_1=1", "info vmcb EXIT_INFO_1", "WRMSR" },
	{ "EXIT_CODE=ffffffffffffffff", "info vmcb EXIT_CODE", "VMRUN failed a check" },
	{ "EXIT_CODE=77", "info vmcb information", "PAUSE" },
	{ "", "info vmcb nonsense", "! info vmcb: expected a field" },
	/* clean bits that lie */
	{ "CLEAN=20 CR3=5000", "info vmcb CR3", "stale" },
	{ "CLEAN=20", "info vmcb CR3", "yes" },
	/* what counts */
	{ "%NP_ENABLE=1", "info vmcb NESTED_CR3", "yes" },
	{ "", "info vmcb NESTED_CR3", "no" },
	/* controls */
	{ "+HLT", "info svm-controls", "INTERCEPT_HLT" },
	{ "", "svm control INTERCEPT_HLT", "INTERCEPT_HLT: on" },
	{ "+HLT", "svm control HLT flip", "HLT: off" },
	{ "", "svm control CR3_WRITE on", "CR3_WRITE: on" },
	{ "", "svm control np-enable on", "np-enable: on" },
	{ "", "svm control AVIC_ENABLE on", "! svm: AVIC_ENABLE: this processor does not have it" },
	{ "", "svm control VMRUN off", "VMRUN must be intercepted" },
	{ "", "svm control NONE", "no such control" },
	/* checks */
	{ "", "vmcb-check", "VMRUN would enter the guest" },
	{ "", "vmcb-check all", "EFER_SVME" },
	{ "ASID=0", "vmcb-check", "ASID_ZERO" },
	{ "CR0=60000000 CR0-40000000", "info vmcb-check", "15.5.1" },
	{ "-VMRUN", "info virt-check", "VMRUN is intercepted" },
	/* fields written */
	{ "", "vmcb-write RIP 0x1230 + 4", "RIP is 0x1234" },
	{ "", "vmcb-write 0x578 5", "0x578 is 0x5" },
	{ "", "vmcb-write CS_SELECTOR 0x12345", "! vmcb-write: CS_SELECTOR: the value is wider" },
	{ "", "vmcb-write NO_FIELD 1", "no such field" },
	{ "", "vmwrite RIP 1", "! vmwrite: this processor has SVM: vmcb-write" },
	{ "", "vmcs-check", "! vmcs-check: this processor has SVM: vmcb-check" },
	{ "", "vmx force HLT", "! vmx: this processor has SVM: svm" },
	/* exits by hand */
	{ "", "svm force HLT", "HLT: exits are forced" },
	{ "", "svm suppress vmexit-excp-pf", "exits are suppressed" },
	{ "", "svm force CR3_WRITE", "exits are forced" },
	{ "", "svm suppress INTR", "exits are suppressed" },
	{ "", "svm force NPF", "can be neither forced nor suppressed" },
	{ "", "svm suppress VMRUN", "can be neither forced nor suppressed" },
	{ "", "svm force INVLPGB", "can be neither forced nor suppressed" },
	{ "", "svm suppress NONE", "no such #VMEXIT" },
	{ "", "svm default all", "as the controls say" },
	{ "", "svm inject exception PF 2", "exception 0xe: at the next entry" },
	{ "", "svm inject exception UD 2", "this event has no error code" },
	{ "", "svm inject exception 32", "! svm: an exception is at most 0x1f" },
	{ "", "svm inject nmi", "nmi: at the next entry" },
	{ "", "svm inject off", "inject: nothing" },
	{ "", "svm step", "no monitor trap flag" },
	{ "", "svm nonsense", "! svm: expected force" },
	{ "", "break-on exit npf if $value == 2", "exit NPF" },
	{ "", "break-on exit cr3-write", "exit CR3_WRITE" },
	{ "", "break-on exit excp_pf", "exit EXCP_PF" },
	{ "", "break-on exit nonsense", "! break-on" },
	{ "", "break-on entry-failure asid_zero", "entry-failure ASID_ZERO" },
	/* what it points to */
	{ "", "info io-bitmap", "0xffff  runs" },
	{ "", "info msr-bitmap 0x10", "runs" },
	{ "+MSR", "info msr-bitmap 0x2000", "exits" },
	{ "", "info npt", "! info npt: expected [physical] ADDRESS" },
	{ "", "info npt physical 0x1000", "has no nested paging" },
	{ "", "info ept 1", "this processor has SVM: info npt" },
	{ "", "info vmcs", "this processor has SVM: info vmcb" },
	{ "", "info vmcb-list", "0x2000" },
	{ "", "info svm", "nothing" },
	{ "", "info virt", "SVM" },
};

START_TEST(line_says)
{
	const struct line *l = &lines[_i];
	struct session t;

	begin(&t, "");
	leave(t.r, SVM_EXIT_CPUID, 0, 0, 0x1000);
	rig_set(t.r, l->change);
	say(&t, l->line);
	ck_assert_msg(strstr(t.text, l->says) != NULL, "%s says: %s", l->line, t.text);
	end(&t);
}
END_TEST

/* Every view answers, whatever there is. */
START_TEST(every_view)
{
	const struct view *const *const tables[] = { svm_views, exit_views };
	char line[64];
	struct session t;

	for (unsigned current = 0; current < 2; current++)
		for (unsigned k = 0; k < 2; k++)
			for (unsigned i = 0; tables[k][i]; i++) {
				begin(&t, "");
				if (current)
					leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
				snprintf(line, sizeof(line), "info %s", tables[k][i]->name);
				say(&t, line);
				ck_assert_msg(t.text[0], "%s says nothing", line);
				end(&t);
			}
}
END_TEST

/* Each code has a name of its own that leads back to it. */
START_TEST(names)
{
	struct session t;
	char line[80];
	unsigned n = 0;

	begin(&t, "");
	for (uint32_t code = 0;; code++) {
		const char *name = t.virt.controls->ops->reason_name(NULL, code);

		if (!name)
			break;
		if (!name[0])
			continue;
		n++;
		snprintf(line, sizeof(line), "exit %s", name);
		ck_assert_msg(says(&t, "break-on exit 1", "exit CR1_READ"), "%s", t.text);
		snprintf(line, sizeof(line), "break-on exit %s", name);
		say(&t, line);
		snprintf(line, sizeof(line), "exit %s", name);
		ck_assert_msg(strstr(t.text, line) != NULL, "%s: %s", line, t.text);
		say(&t, "delete");
	}
	ck_assert_uint_gt(n, 150);
	end(&t);
}
END_TEST

/* Fields that an exit and a write changed, from the second look on. */
START_TEST(changes)
{
	struct session t;

	begin(&t, "");
	leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
	say(&t, "info vmcb changed");
	ck_assert_ptr_null(strstr(t.text, "RIP"));
	leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
	leave(t.r, SVM_EXIT_CPUID, 0, 0, 0x1010);
	say(&t, "vmcb-write GDTR_BASE 0x5100");
	say(&t, "info vmcb changed");
	ck_assert_ptr_nonnull(strstr(t.text, "RIP"));
	ck_assert_ptr_nonnull(strstr(t.text, "EXIT_CODE"));
	ck_assert_ptr_nonnull(strstr(t.text, "write"));
	ck_assert_ptr_nonnull(strstr(t.text, "GDTR_BASE"));
	ck_assert_ptr_null(strstr(t.text, "CR0"));
	end(&t);
}
END_TEST

START_TEST(exits)
{
	struct session t;

	begin(&t, "");
	leave(t.r, SVM_EXIT_IOIO, 0x3f80010, 0x1002, 0x1000);
	leave(t.r, SVM_EXIT_IOIO, 0x3f80010, 0x1002, 0x1000);
	leave(t.r, SVM_EXIT_EXCEPTION + EXC_PF, 6, 0xbad000, 0x1020);
	ck_assert(says(&t, "info exits", "IOIO"));
	ck_assert_ptr_nonnull(strstr(t.text, "66.6"));
	ck_assert_msg(says(&t, "info exit-log", "OUT port 0x3f8, 1 byte"), "%s", t.text);
	ck_assert_msg(strstr(t.text, "error code 0x6 address 0xbad000") != NULL, "%s", t.text);
	ck_assert(says(&t, "info exit-sites", "EXCP_PF"));
	ck_assert(says(&t, "info vmcb-list", "#PF: page fault"));
	say(&t, "svm reset");
	ck_assert(!says(&t, "info exit-sites", "EXCP_PF"));
	end(&t);
}
END_TEST

/* A VMRUN that fails: check, field, value and section in one line of info svm. */
START_TEST(failure)
{
	struct engine_hit h;
	struct session t;

	begin(&t, "ASID=0");
	ck_assert_int_eq(svm_enter(&t.r->x, AT_VMCB, HOST_RIP + 3), SVM_ENTRY_FAILED);
	ck_assert_msg(says(&t, "info svm",
			   "check ASID_ZERO: ASID is 0x0; required: the guest's ASID is not 0 "
			   "(APM vol. 2 15.5.1); #VMEXIT INVALID"),
		      "%s", t.text);
	ck_assert(says(&t, "info exits", "INVALID"));
	ck_assert(t.virt.controls->ops->take(t.virt.controls->ctx, &h));
	ck_assert_int_eq(h.kind, ENGINE_EV_ENTRY_FAILURE);
	ck_assert_uint_eq(h.number, SVM_CHECK_ASID_ZERO);
	ck_assert(!t.virt.controls->ops->take(t.virt.controls->ctx, &h));
	/* The VMCB is the current one nevertheless. */
	ck_assert(says(&t, "vmcb-check", "ASID_ZERO"));
	say(&t, "vmcb-write ASID 1");
	ck_assert(says(&t, "vmcb-check", "would enter"));
	end(&t);
}
END_TEST

/* Controls reach the processor's state. */
START_TEST(controls)
{
	struct svm_event event;
	struct session t;
	uint64_t rip;

	begin(&t, "");
	leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
	rig_enter(t.r);
	ck_assert(!svm_exits(&t.r->x, SVM_EXIT_PAUSE));
	say(&t, "svm force PAUSE");
	ck_assert(svm_exits(&t.r->x, SVM_EXIT_PAUSE));
	say(&t, "svm default PAUSE");
	ck_assert(!svm_exits(&t.r->x, SVM_EXIT_PAUSE));
	say(&t, "svm control PAUSE on"); /* at once, for the guest that runs */
	ck_assert(svm_exits(&t.r->x, SVM_EXIT_PAUSE));
	say(&t, "svm suppress PAUSE");
	ck_assert(!svm_exits(&t.r->x, SVM_EXIT_PAUSE));
	say(&t, "svm force IOIO");
	ck_assert(svm_io_exits(&t.r->x, 0x80, 1));
	say(&t, "svm force MSR");
	ck_assert(svm_msr_exits(&t.r->x, 0x10, true));
	say(&t, "svm force INTR");
	ck_assert(svm_exits(&t.r->x, SVM_EXIT_INTR));
	say(&t, "vmcb-write RIP 1");
	ck_assert_msg(strstr(t.text, "the guest runs") != NULL, "%s", t.text);
	ck_assert(says(&t, "vmcb-check", "the guest runs under it"));
	/* In guest mode the fields are the processor's. */
	t.r->x.s.rip = 0x4321;
	ck_assert(says(&t, "info vmcb RIP", "0x4321"));
	ck_assert_int_eq(svm_leave(&t.r->x, &(struct svm_exit){ .code = SVM_EXIT_HLT }), SVM_EXITED);
	say(&t, "svm inject exception PF 2");
	rig_enter(t.r);
	ck_assert(svm_take_injection(&t.r->x, &event, &rip));
	ck_assert_int_eq(event.type, SVM_EVENT_EXCEPTION);
	ck_assert_uint_eq(event.vector, EXC_PF);
	ck_assert_uint_eq(event.error, 2);
	ck_assert_int_eq(svm_leave(&t.r->x, &(struct svm_exit){ .code = SVM_EXIT_HLT }), SVM_EXITED);
	rig_set(t.r, "RIP=1000");
	say(&t, "svm inject int 0x80");
	rig_enter(t.r);
	ck_assert(svm_take_injection(&t.r->x, &event, &rip));
	ck_assert_int_eq(event.type, SVM_EVENT_INT_N);
	ck_assert_uint_eq(rip, 0x1002);
	end(&t);
}
END_TEST

/* The hypervisor's own event goes first. */
START_TEST(own_event_first)
{
	struct session t;

	begin(&t, "EVENT_INJECTION=80000202");
	t.r->x.steer.event = SVM_EVENT_VALID | SVM_EVENT_EXCEPTION << 8 | EXC_UD;
	rig_enter(t.r);
	ck_assert_uint_eq(t.r->x.injection, 0x80000202);
	ck_assert_uint_ne(t.r->x.steer.event, 0);
	end(&t);
}
END_TEST

/* A write clears the clean bit of its group, so that it counts. */
START_TEST(written_is_read)
{
	struct session t;

	begin(&t, "");
	leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
	rig_set(t.r, "CLEAN=ffff");
	say(&t, "vmcb-write ASID 2");
	ck_assert_uint_eq(rig_field(t.r, VMCB_CLEAN), 0xffffu & ~(1u << VMCB_CLEAN_ASID));
	rig_enter(t.r);
	ck_assert_uint_eq(VMCB_GET(&t.r->x.vmcb, ASID), 2);
	end(&t);
}
END_TEST

static void put32(struct rig *r, gpa at, uint32_t v)
{
	memcpy(r->memory + at, &v, 4);
}

/* Both dimensions, in the host's 32-bit format: guest tables at 0x1000 and 0x2000, which are at 0x11000 and
 * 0x12000. */
START_TEST(walks)
{
	struct session t;
	struct rig *r;

	begin(&t, "%NP_ENABLE=1 NESTED_CR3=13000 CR3=1000");
	r = t.r;
	put32(r, 0x13000, 0x14067);
	put32(r, 0x14004, 0x11067);
	put32(r, 0x14008, 0x12067);
	put32(r, 0x1400c, 0x15025);
	put32(r, 0x11000, 0x2007);
	put32(r, 0x12004, 0x3063);
	leave(r, SVM_EXIT_HLT, 0, 0, 0x1000);
	ck_assert_msg(says(&t, "info npt 0x1234", "0x15234"), "%s", t.text);
	ck_assert_ptr_nonnull(strstr(t.text, "PDE"));
	ck_assert_ptr_nonnull(strstr(t.text, ". PTE"));
	ck_assert(says(&t, "info npt physical 0x3234", "0x15234"));
	ck_assert_msg(says(&t, "info npt 0x2234", "not mapped by the guest"), "%s", t.text);
	ck_assert_msg(says(&t, "info npt physical 0x4000", "nested page fault"), "%s", t.text);
	put32(r, 0x12004, 0x9063);
	ck_assert_msg(says(&t, "info virt-walk 0x1234", "nested page fault"), "%s", t.text);
	end(&t);
}
END_TEST

START_TEST(maps)
{
	struct session t;

	begin(&t, "+IOIO +MSR");
	t.r->memory[AT_IOPM + 0x60 / 8] = 0x11;
	t.r->memory[AT_MSRPM + 0x174 / 4] = 0x08; /* 176: WRMSR */
	leave(t.r, SVM_EXIT_HLT, 0, 0, 0x1000);
	say(&t, "info io-bitmap");
	ck_assert_msg(strstr(t.text, "0x64") != NULL && strstr(t.text, "0x65") != NULL, "%s", t.text);
	ck_assert(says(&t, "info io-bitmap 0x60", "exits"));
	say(&t, "info msr-bitmap 0x175");
	ck_assert_msg(strstr(t.text, "runs") != NULL && strstr(t.text, "exits") != NULL, "%s", t.text);
	end(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-view");
	TCase *t = tcase_create("view");

	tcase_add_loop_test(t, line_says, 0, (int)ARRAY_LEN(lines));
	tcase_add_test(t, every_view);
	tcase_add_test(t, names);
	tcase_add_test(t, changes);
	tcase_add_test(t, exits);
	tcase_add_test(t, failure);
	tcase_add_test(t, controls);
	tcase_add_test(t, own_event_first);
	tcase_add_test(t, written_is_read);
	tcase_add_test(t, walks);
	tcase_add_test(t, maps);
	suite_add_tcase(s, t);
	return suite_run(s);
}
