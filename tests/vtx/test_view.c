/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views and commands of VMX in a session, over the rig: command lines in, text out. Every view that is
 * registered is asked for at least once, with and without a current VMCS. */
#include "cpu/virt.h"
#include "inspect/session_int.h"
#include "tests/inspect/fake_machine.h"
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/event.h"
#include "vtx/insn.h"
#include "vtx/intercept.h"
#include "vtx/view.h"

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

static void begin(struct session *t, enum rig_mode mode, const char *change)
{
	*t = (struct session){ .r = malloc(sizeof(*t->r)), .s = inspect_new(NULL) };
	rig_init(t->r, mode);
	rig_set(t->r, change);
	t->m = fake_machine(looping, sizeof(looping));
	t->virt.controls = vmx_controls_new(&t->r->x);
	machine_vcpu(t->m)->virt = &t->virt;
	t->ops = *machine_vcpu(t->m)->ops;
	t->ops.event_set = event_set;
	machine_vcpu(t->m)->ops = &t->ops;
	inspect_attach(t->s, &(struct inspect_machine){ .machine = t->m, .icount = true });
	t->out = open_memstream(&t->text, &t->len);
}

static void end(struct session *t)
{
	vmx_controls_free(t->virt.controls);
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

static void leave(struct rig *r, const struct vmx_exit *e, uint64_t rip)
{
	struct vmx_insn i = { .id = r->x.vmcs.r.launch == VMCS_CLEAR ? VMX_INSN_VMLAUNCH : VMX_INSN_VMRESUME,
			      .length = 3 };

	ck_assert_int_eq(vmx_execute(&r->x, &i), VMX_ENTERED);
	r->x.s.rip = rip;
	ck_assert_int_eq(vmx_leave(&r->x, e), VMX_EXITED);
}

/* Columns: change to the VMCS, command, what its output contains. */
static const struct line {
	const char *change, *line, *says;
} lines[] = {
	/* fields, decoded */
	{ "", "info vmcs GUEST_CR0", "PE ET NE PG" },
	{ "", "info vmcs guest-rip", "GUEST_RIP" },
	{ "", "info vmcs GUEST_CS_ACCESS_RIGHTS", "code readable DPL=0 P 32-bit G" },
	{ "", "info vmcs GUEST_LDTR_ACCESS_RIGHTS", "unusable" },
	{ "", "info vmcs HOST_CS_SELECTOR", "GDT[1] RPL=0" },
	{ "+PROC_HLT +PROC_CR3_LOAD", "info vmcs PROC_CONTROLS", "HLT CR3_LOAD" },
	{ "EXCEPTION_BITMAP=4042", "info vmcs EXCEPTION_BITMAP", "#DB #UD #PF" },
	{ "ENTRY_INTERRUPTION_INFO=80000b0e", "info vmcs ENTRY_INTERRUPTION_INFO", "#PF with error code" },
	{ "ENTRY_INTERRUPTION_INFO=80000030", "info vmcs ENTRY_INTERRUPTION_INFO",
	  "external interrupt 0x30" },
	{ "EPT_POINTER=a05e +PROC2_EPT", "info vmcs EPT_POINTER", "WB, 4 levels, A/D, root 0xa000" },
	{ "GUEST_INTERRUPTIBILITY=9", "info vmcs GUEST_INTERRUPTIBILITY", "STI NMI" },
	{ "GUEST_ACTIVITY=1", "info vmcs GUEST_ACTIVITY", "HLT" },
	{ "", "info vmcs VMCS_LINK_POINTER", "none" },
	{ "EXIT_REASON=1c EXIT_QUALIFICATION=300", "info vmcs EXIT_QUALIFICATION", "write CR0 from rbx" },
	{ "EXIT_REASON=1e EXIT_QUALIFICATION=3f8003b", "info vmcs EXIT_QUALIFICATION",
	  "REP INS port 0x3f8, 4 bytes" },
	{ "EXIT_REASON=30 EXIT_QUALIFICATION=182", "info vmcs EXIT_QUALIFICATION",
	  "write of an unmapped page at a linear address" },
	{ "EXIT_REASON=80000021 EXIT_QUALIFICATION=4", "info vmcs EXIT_REASON", "invalid guest state" },
	{ "VM_INSTRUCTION_ERROR=7", "info vmcs VM_INSTRUCTION_ERROR", "VM entry with invalid control" },
	{ "", "info vmcs 0x681e", "GUEST_RIP" },
	{ "", "info vmcs host", "HOST_RIP" },
	{ "", "info vmcs nonsense", "! info vmcs: expected a field" },
	/* controls */
	{ "+PROC_HLT", "info vmx-controls", "PROC_HLT" },
	{ "", "vmx control PROC_HLT", "PROC_HLT: on" },
	{ "+PROC_HLT", "vmx control \"HLT exiting\" flip", "HLT exiting: off" },
	{ "", "vmx control PROC_PAUSE off", "PROC_PAUSE: off" },
	{ "", "vmx control ENTRY_LOAD_FRED on", "! vmx: ENTRY_LOAD_FRED: this processor does not offer it" },
	{ "", "vmx control NONE", "no such control" },
	/* checks */
	{ "", "vmcs-check", "a VM entry would succeed" },
	{ "", "vmcs-check all", "GUEST_RIP" },
	{ "GUEST_RFLAGS=0", "vmcs-check", "exit 33" },
	{ "HOST_CR0=0", "info vmcs-check", "error 8" },
	{ "ENTRY_MSR_LOAD_COUNT=1 ENTRY_MSR_LOAD_ADDRESS=a000", "vmcs-check", "exit 34" },
	{ "ENTRY_MSR_LOAD_COUNT=201 ENTRY_MSR_LOAD_ADDRESS=a000", "vmcs-check", "exit 34" },
	/* fields written */
	{ "", "vmwrite GUEST_RIP 0x1230 + 4", "GUEST_RIP is 0x1234" },
	{ "", "vmwrite 0x681e 5", "0x681e is 0x5" },
	{ "", "vmwrite GUEST_CS_SELECTOR 0x12345", "! vmwrite: GUEST_CS_SELECTOR: the value is wider" },
	{ "", "vmwrite NO_FIELD 1", "no such field" },
	{ "", "vmwrite GUEST_RIP", "vmwrite FIELD EXPR" },
	/* exits by hand */
	{ "", "vmx force HLT", "HLT: exits are forced" },
	{ "", "vmx suppress exception-nmi", "exits are suppressed" },
	{ "", "vmx force EPT_VIOLATION", "can be neither forced nor suppressed" },
	{ "", "vmx suppress NONE", "no such exit reason" },
	{ "", "vmx default all", "as the controls say" },
	{ "", "vmx inject exception PF 2", "exception 0xe: at the next entry" },
	{ "", "vmx inject exception UD 2", "this event has no error code" },
	{ "", "vmx inject exception 32", "! vmx: an exception is at most 0x1f" },
	{ "", "vmx inject nmi", "nmi: at the next entry" },
	{ "", "vmx inject nmi 3", "! vmx: inject expects" },
	{ "", "vmx inject off", "inject: nothing" },
	{ "", "vmx step", "an exit follows" },
	{ "", "vmx nonsense", "! vmx: expected force" },
	{ "", "break-on exit ept-violation if $value == 2", "exit EPT_VIOLATION" },
	{ "", "break-on exit nonsense", "! break-on" },
	{ "", "break-on entry-failure", "any entry-failure" },
	/* what it points to */
	{ "", "info io-bitmap", "0xffff  runs" },
	{ "+PROC_UNCONDITIONAL_IO", "info io-bitmap", "0xffff  exits" },
	{ "", "info msr-bitmap", "exits  exits" },
	{ "+PROC_MSR_BITMAPS MSR_BITMAPS=7000", "info msr-bitmap 0x10", "runs" },
	{ "+PROC_MSR_BITMAPS MSR_BITMAPS=7000", "info msr-bitmap 0x2000", "exits" },
	{ "", "info ept", "! info ept: expected [physical] ADDRESS" },
	{ "", "info ept physical 0x1000", "does not enable EPT" },
	{ "", "info vmcs-list", "clear" },
	{ "", "info vmx", "nothing" },
};

START_TEST(says)
{
	const struct line *l = &lines[_i];
	struct session t;

	begin(&t, RIG_32, l->change);
	say(&t, l->line);
	ck_assert_msg(strstr(t.text, l->says) != NULL, "%s says: %s", l->line, t.text);
	end(&t);
}
END_TEST

/* Every view answers, whatever there is. */
START_TEST(every_view)
{
	char line[64];
	struct session t;

	for (unsigned current = 0; current < 2; current++)
		for (unsigned i = 0; vmx_views[i]; i++) {
			begin(&t, RIG_32, "");
			if (!current)
				t.r->x.vmcs.at = VMCS_NONE;
			snprintf(line, sizeof(line), "info %s", vmx_views[i]->name);
			say(&t, line);
			ck_assert_msg(t.text[0], "%s says nothing", line);
			end(&t);
		}
}
END_TEST

/* A processor without the extension says so in one line. */
START_TEST(without)
{
	static const char *const asks[] = { "info vmcs",  "info exits", "vmwrite GUEST_RIP 1",
					    "vmcs-check", "vmx step",	"break-on exit" };
	struct session t;

	for (unsigned i = 0; i < ARRAY_LEN(asks); i++) {
		begin(&t, RIG_32, "");
		machine_vcpu(t.m)->virt = NULL;
		say(&t, asks[i]);
		ck_assert_msg(strstr(t.text, "no VMX or SVM in this processor") != NULL, "%s: %s", asks[i],
			      t.text);
		ck_assert_ptr_eq(strchr(t.text, '\n'), strrchr(t.text, '\n'));
		end(&t);
	}
}
END_TEST

/* Fields that an exit and a write changed, from the second look on. */
START_TEST(changes)
{
	struct vmx_exit hlt = { .reason = VMX_REASON_HLT }, cpuid = { .reason = VMX_REASON_CPUID };
	struct session t;

	begin(&t, RIG_32, "");
	leave(t.r, &hlt, 0x1000);
	say(&t, "info vmcs changed");
	ck_assert_ptr_null(strstr(t.text, "GUEST"));
	leave(t.r, &hlt, 0x1000);
	leave(t.r, &cpuid, 0x1010);
	say(&t, "vmwrite HOST_RIP 0x5000");
	say(&t, "info vmcs changed");
	ck_assert_ptr_nonnull(strstr(t.text, "GUEST_RIP"));
	ck_assert_ptr_nonnull(strstr(t.text, "EXIT_REASON"));
	ck_assert_ptr_nonnull(strstr(t.text, "write"));
	ck_assert_ptr_nonnull(strstr(t.text, "HOST_RIP"));
	ck_assert_ptr_null(strstr(t.text, "GUEST_CR0"));
	end(&t);
}
END_TEST

START_TEST(exits)
{
	struct vmx_exit io = { .reason = VMX_REASON_IO, .qualification = 0x3f80000 };
	struct vmx_exit pf;
	struct session t;

	begin(&t, RIG_32, "");
	vmx_exit_by_event(&pf, &(struct vmx_event){ VMX_EVENT_EXCEPTION, EXC_PF, true, 6, 0 }, 0xbad000);
	leave(t.r, &io, 0x1000);
	leave(t.r, &io, 0x1000);
	leave(t.r, &pf, 0x1020);
	say(&t, "info exits");
	ck_assert_ptr_nonnull(strstr(t.text, "IO "));
	ck_assert_ptr_nonnull(strstr(t.text, "66.6"));
	say(&t, "info exit-log");
	ck_assert_msg(strstr(t.text, "OUT port 0x3f8, 1 byte") != NULL, "%s", t.text);
	ck_assert_msg(strstr(t.text, "#PF with error code 0x6 address 0xbad000") != NULL, "%s", t.text);
	say(&t, "info exit-sites");
	ck_assert_ptr_nonnull(strstr(t.text, "EXCEPTION_NMI"));
	say(&t, "info vmcs-list");
	ck_assert_ptr_nonnull(strstr(t.text, "launched"));
	say(&t, "vmx reset");
	say(&t, "info exit-sites");
	ck_assert_ptr_null(strstr(t.text, "EXCEPTION_NMI"));
	end(&t);
}
END_TEST

/* An entry that fails: check, field, value and section in one line of info vmx. */
START_TEST(failure)
{
	struct vmx_insn launch = { .id = VMX_INSN_VMLAUNCH, .length = 3 };
	struct session t;

	begin(&t, RIG_32, "GUEST_RFLAGS=0");
	ck_assert_int_eq(vmx_execute(&t.r->x, &launch), VMX_ENTRY_FAILED);
	say(&t, "info vmx");
	ck_assert_msg(strstr(t.text, "GUEST_RFLAGS is 0x0; required: ") != NULL, "%s", t.text);
	ck_assert_ptr_nonnull(
	    strstr(t.text, "(SDM vol. 3C 27.3.1.4); VM-entry failure due to invalid guest"));
	end(&t);
}
END_TEST

/* Controls reach the processor's state. */
START_TEST(controls)
{
	struct session t;

	begin(&t, RIG_32, "");
	say(&t, "vmx force PAUSE");
	ck_assert_int_eq(vmx_intercepted(&t.r->x, VMX_INTERCEPT_PAUSE), VMX_EXITS);
	say(&t, "vmx default PAUSE");
	ck_assert_int_eq(vmx_intercepted(&t.r->x, VMX_INTERCEPT_PAUSE), VMX_RUNS);
	say(&t, "vmx control PROC_PAUSE on");
	ck_assert_int_eq(vmx_intercepted(&t.r->x, VMX_INTERCEPT_PAUSE), VMX_EXITS);
	say(&t, "vmx inject exception PF 2");
	ck_assert_uint_eq(t.r->x.steer.event, 0x80000b0e);
	ck_assert_uint_eq(t.r->x.steer.event_error, 2);
	say(&t, "vmx inject int 0x80");
	ck_assert_uint_eq(t.r->x.steer.event, 0x80000480);
	ck_assert_uint_eq(t.r->x.steer.event_length, 2);
	say(&t, "vmx step");
	ck_assert(vmx_mtf(&t.r->x));
	say(&t, "vmwrite 0x2011 0x12");
	ck_assert_uint_eq(rig_field(t.r, VMCS_TSC_OFFSET), 0x1200000000);
	t.r->x.guest = true;
	say(&t, "vmwrite GUEST_RIP 1");
	ck_assert_ptr_nonnull(strstr(t.text, "the guest runs"));
	end(&t);
}
END_TEST

static void put64(struct rig *r, gpa at, uint64_t v)
{
	memcpy(r->memory + at, &v, 8);
}

static void put32(struct rig *r, gpa at, uint32_t v)
{
	memcpy(r->memory + at, &v, 4);
}

/* Both dimensions: the guest's two levels at 0x1000 and 0x2000, which the EPT has at 0x11000 and 0x12000. */
START_TEST(walks)
{
	struct session t;
	struct rig *r;

	begin(&t, RIG_HASWELL, "+PROC2_EPT EPT_POINTER=a01e GUEST_CR3=1000");
	r = t.r;
	put64(r, 0xa000, 0xb007);
	put64(r, 0xb000, 0xc007);
	put64(r, 0xc000, 0xd007);
	put64(r, 0xd008, 0x11037);
	put64(r, 0xd010, 0x12037);
	put64(r, 0xd018, 0x13035);
	put32(r, 0x11000, 0x2007);
	put32(r, 0x12004, 0x3063);
	say(&t, "info ept 0x1234");
	ck_assert_msg(strstr(t.text, "0x13234") != NULL, "%s", t.text);
	ck_assert_ptr_nonnull(strstr(t.text, "PDE"));
	ck_assert_ptr_nonnull(strstr(t.text, ". PTE"));
	ck_assert_ptr_nonnull(strstr(t.text, "r-x"));
	say(&t, "info ept physical 0x3234");
	ck_assert_ptr_nonnull(strstr(t.text, "0x13234"));
	say(&t, "info ept 0x2234");
	ck_assert_msg(strstr(t.text, "not mapped by the guest") != NULL, "%s", t.text);
	say(&t, "info ept physical 0x4000");
	ck_assert_msg(strstr(t.text, "EPT violation") != NULL, "%s", t.text);
	put32(r, 0x12004, 0x9063);
	say(&t, "info ept 0x1234");
	ck_assert_msg(strstr(t.text, "EPT violation") != NULL, "%s", t.text);
	end(&t);
}
END_TEST

START_TEST(bitmaps)
{
	struct session t;

	begin(&t, RIG_32,
	      "+PROC_IO_BITMAPS IO_BITMAP_A=a000 IO_BITMAP_B=b000 +PROC_MSR_BITMAPS MSR_BITMAPS=c000");
	t.r->memory[0xa000 + 0x60 / 8] = 0x11;
	t.r->memory[0xc800 + 0x174 / 8] = 0x70;
	say(&t, "info io-bitmap");
	ck_assert_msg(strstr(t.text, "0x64") != NULL && strstr(t.text, "0x65") != NULL, "%s", t.text);
	say(&t, "info io-bitmap 0x60");
	ck_assert_ptr_nonnull(strstr(t.text, "exits"));
	say(&t, "info msr-bitmap");
	ck_assert_msg(strstr(t.text, "0x176") != NULL, "%s", t.text);
	say(&t, "info msr-bitmap 0x174");
	ck_assert_ptr_nonnull(strstr(t.text, "runs"));
	ck_assert_ptr_nonnull(strstr(t.text, "exits"));
	end(&t);
}
END_TEST

/* The engine takes each event once. */
START_TEST(taken)
{
	struct vmx_exit hlt = { .reason = VMX_REASON_HLT, .qualification = 0 };
	struct engine_hit h;
	struct session t;

	begin(&t, RIG_32, "");
	ck_assert(!t.virt.controls->ops->take(t.virt.controls->ctx, &h));
	leave(t.r, &hlt, 0x1234);
	ck_assert(t.virt.controls->ops->take(t.virt.controls->ctx, &h));
	ck_assert_int_eq(h.kind, ENGINE_EV_EXIT);
	ck_assert_uint_eq(h.number, VMX_REASON_HLT);
	ck_assert_uint_eq(h.pc, 0x1234);
	ck_assert(!t.virt.controls->ops->take(t.virt.controls->ctx, &h));
	end(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-view");
	TCase *t = tcase_create("view");

	tcase_add_loop_test(t, says, 0, (int)ARRAY_LEN(lines));
	tcase_add_test(t, every_view);
	tcase_add_test(t, without);
	tcase_add_test(t, changes);
	tcase_add_test(t, exits);
	tcase_add_test(t, failure);
	tcase_add_test(t, controls);
	tcase_add_test(t, walks);
	tcase_add_test(t, bitmaps);
	tcase_add_test(t, taken);
	suite_add_tcase(s, t);
	return suite_run(s);
}
