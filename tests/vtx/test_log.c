/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log and counters of VM exits, failed entries in one line, exits that are forced and suppressed, events
 * and steps that a person asks for. */
#include "base/log.h"
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/event.h"
#include "vtx/insn.h"
#include "vtx/intercept.h"
#include "vtx/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rig *rig_new(const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	rig_set(r, change);
	r->x.log = malloc(sizeof(*r->x.log));
	vmx_log_reset(r->x.log);
	return r;
}

static void rig_free(struct rig *r)
{
	free(r->x.log);
	free(r);
}

static enum vmx_result resume(struct rig *r)
{
	struct vmx_insn i = { .id = r->x.vmcs.r.launch == VMCS_CLEAR ? VMX_INSN_VMLAUNCH : VMX_INSN_VMRESUME,
			      .length = 3 };

	return vmx_execute(&r->x, &i);
}

static void leave(struct rig *r, uint32_t reason, uint64_t qualification, uint64_t rip)
{
	struct vmx_exit e = { .reason = reason, .qualification = qualification };

	ck_assert_int_eq(resume(r), VMX_ENTERED);
	r->x.s.rip = rip;
	ck_assert_int_eq(vmx_leave(&r->x, &e), VMX_EXITED);
}

START_TEST(counts)
{
	struct rig *r = rig_new("");
	const struct exit_log *l = &r->x.log->l;
	const struct exit_log_exit *e = &l->last[3];

	leave(r, VMX_REASON_CPUID, 0, 0x1000);
	leave(r, VMX_REASON_IO, 0x3f80000, 0x1010);
	leave(r, VMX_REASON_IO, 0x3f90000, 0x1010);
	ck_assert_uint_eq(l->exits, 3);
	ck_assert_uint_eq(l->entries, 3);
	ck_assert_uint_eq(l->reason[VMX_REASON_IO].count, 2);
	ck_assert_uint_eq(l->reason[VMX_REASON_IO].info, 0x3f90000);
	ck_assert_uint_gt(l->reason[VMX_REASON_IO].guest, 0);
	ck_assert_uint_gt(l->reason[VMX_REASON_CPUID].host, 0);
	ck_assert_uint_eq(e->number, 3);
	ck_assert_uint_eq(e->pc, 0x1010);
	ck_assert_uint_eq(e->host, 0); /* there was no entry since */
	ck_assert_uint_gt(l->last[2].host, 0);
	ck_assert_uint_eq(l->nblocks, 1);
	ck_assert_uint_eq(l->block[0].at, AT_VMCS);
	ck_assert_uint_eq(l->block[0].exits, 3);
	ck_assert_uint_eq(l->block[0].entries, 3);
	rig_free(r);
}
END_TEST

/* Sites count by reason and pc; what does not fit is counted too. */
START_TEST(sites)
{
	struct rig *r = rig_new("");
	uint64_t sum = 0, at_one = 0;

	for (unsigned i = 0; i < 3000; i++)
		leave(r, i & 1 ? VMX_REASON_HLT : VMX_REASON_CPUID, 0, 0x1000 + i / 4 * 5);
	for (unsigned i = 0; i < EXIT_LOG_SITES; i++) {
		sum += r->x.log->l.site[i].count;
		if (r->x.log->l.site[i].pc == 0x1000 && r->x.log->l.site[i].slot == VMX_REASON_HLT)
			at_one = r->x.log->l.site[i].count;
	}
	ck_assert_uint_eq(at_one, 2);
	ck_assert_uint_gt(r->x.log->l.elsewhere, 0);
	ck_assert_uint_eq(sum + r->x.log->l.elsewhere, 3000);
	rig_free(r);
}
END_TEST

/* More VMCSs than the log has room for: the one that ran last stays, the oldest goes. */
START_TEST(many_vmcss)
{
	struct rig *r = rig_new("");

	for (unsigned i = 0; i <= EXIT_LOG_BLOCKS; i++) {
		r->x.vmcs.at = AT_VMCS + 0x1000ull * i;
		leave(r, VMX_REASON_CPUID, 0, 0x1000);
	}
	ck_assert_uint_eq(r->x.log->l.nblocks, EXIT_LOG_BLOCKS);
	ck_assert_uint_eq(r->x.log->l.block[0].at, AT_VMCS + 0x1000ull * EXIT_LOG_BLOCKS);
	ck_assert_uint_eq(r->x.log->l.block[1].at, AT_VMCS + 0x1000ull);
	rig_free(r);
}
END_TEST

static const struct failing {
	const char *change;
	unsigned error;
	const char *check, *log;
} failing[] = {
	{ "PIN_CONTROLS=0", 7, "PIN_CONTROLS_RESERVED",
	  "VM entry failed: check PIN_CONTROLS_RESERVED: PIN_CONTROLS is 0x0; required: reserved bits are as the "
	  "capability MSRs require (SDM vol. 3C 27.2.1.1); VM entry with invalid control field(s)" },
	{ "HOST_CR0=0", 8, NULL, "VM entry with invalid host-state field(s)" },
	{ "GUEST_RFLAGS=0", 0, NULL, "VM-entry failure due to invalid guest state" },
	{ "ENTRY_MSR_LOAD_COUNT=1 ENTRY_MSR_LOAD_ADDRESS=a000", 0, NULL,
	  "VM entry failed: entry 1 of the MSR-load list: MSR 0xc0000100 is 0x0; required: FS and GS base have "
	  "fields of their own (SDM vol. 3C 27.4)" },
};

START_TEST(failures)
{
	const struct failing *f = &failing[_i];
	struct rig *r = rig_new(f->change);
	const struct vmx_log_failure *last = &r->x.log->failure;
	uint32_t fs_base = 0xc0000100;
	size_t len;
	char *text;
	FILE *to = open_memstream(&text, &len);
	unsigned mask = log_mask;

	memcpy(r->memory + AT_LIST, &fs_base, 4);
	log_set_file(to);
	log_mask = 1u << LOG_vmx;
	ck_assert_int_eq(resume(r), f->error ? VMX_NEXT : VMX_ENTRY_FAILED);
	log_mask = mask;
	log_set_file(NULL);
	fclose(to);
	ck_assert_msg(strstr(text, f->log) != NULL, "logged: %s", text);
	ck_assert_uint_eq(last->count, 1);
	ck_assert_uint_eq(last->error, f->error);
	if (f->check)
		ck_assert_str_eq(vmx_check_rows[last->check].id, f->check);
	ck_assert_uint_eq(r->x.log->l.exits, f->error ? 0 : 1);
	ck_assert(r->x.log->l.has_hit);
	ck_assert_int_eq(r->x.log->l.hit.kind, ENGINE_EV_ENTRY_FAILURE);
	free(text);
	rig_free(r);
}
END_TEST

/* VMLAUNCH twice fails before any check. */
START_TEST(refusals)
{
	struct rig *r = rig_new("");
	struct vmx_insn launch = { .id = VMX_INSN_VMLAUNCH, .length = 3 };

	leave(r, VMX_REASON_CPUID, 0, 0x1000);
	ck_assert_int_eq(vmx_execute(&r->x, &launch), VMX_NEXT);
	ck_assert_uint_eq(r->x.log->failure.error, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	ck_assert_int_eq(r->x.log->failure.check, VMX_CHECKS);
	rig_free(r);
}
END_TEST

/* Snapshots of two exits, where somebody watches. */
START_TEST(snapshots)
{
	struct rig *r = rig_new("");
	struct vmx_log *l = r->x.log;

	leave(r, VMX_REASON_CPUID, 0, 0x1000);
	ck_assert_uint_eq(l->seen, 0);
	l->watches = true;
	leave(r, VMX_REASON_CPUID, 0, 0x1002);
	leave(r, VMX_REASON_HLT, 0, 0x1004);
	ck_assert_uint_eq(l->seen, 2);
	ck_assert_uint_eq(l->snapshot[l->newest][VMCS_GUEST_RIP], 0x1004);
	ck_assert_uint_eq(l->snapshot[l->newest][VMCS_EXIT_REASON], VMX_REASON_HLT);
	ck_assert_uint_eq(l->snapshot[l->newest ^ 1][VMCS_GUEST_RIP], 0x1002);
	rig_free(r);
}
END_TEST

START_TEST(steering)
{
	struct rig *r = rig_new("+PROC_HLT");
	uint8_t *how = r->x.steer.how;
	struct vmx_event ud = { .type = VMX_EVENT_EXCEPTION, .vector = EXC_UD };

	ck_assert_int_eq(vmx_intercepted(&r->x, VMX_INTERCEPT_HLT), VMX_EXITS);
	how[VMX_REASON_HLT] = VMX_SUPPRESSED;
	ck_assert_int_eq(vmx_intercepted(&r->x, VMX_INTERCEPT_HLT), VMX_RUNS);
	how[VMX_REASON_PAUSE] = VMX_FORCED;
	ck_assert_int_eq(vmx_intercepted(&r->x, VMX_INTERCEPT_PAUSE), VMX_EXITS);
	ck_assert(!vmx_io_exits(&r->x, 0x80, 1));
	how[VMX_REASON_IO] = VMX_FORCED;
	ck_assert(vmx_io_exits(&r->x, 0x80, 1));
	ck_assert(vmx_msr_exits(&r->x, 0x10, true));
	how[VMX_REASON_WRMSR] = VMX_SUPPRESSED;
	ck_assert(!vmx_msr_exits(&r->x, 0x10, true));
	ck_assert(vmx_msr_exits(&r->x, 0x10, false));
	ck_assert(!vmx_exception_exits(&r->x, &ud));
	how[VMX_REASON_EXCEPTION_NMI] = VMX_FORCED;
	ck_assert(vmx_exception_exits(&r->x, &ud));
	ck_assert(!vmx_intr_exits(&r->x));
	how[VMX_REASON_EXTERNAL_INTERRUPT] = VMX_FORCED;
	ck_assert(vmx_intr_exits(&r->x));
	rig_free(r);
}
END_TEST

/* CR accesses by hand: a suppressed write leaves the bits that the host owns. */
START_TEST(steering_cr)
{
	struct rig *r = rig_new("CR0_MASK=8 CR0_READ_SHADOW=0");
	uint8_t *how = &r->x.steer.how[VMX_REASON_CR_ACCESS];
	uint64_t result;

	ck_assert(vmx_cr0_exits(&r->x, 0x80000031, 0x80000039, &result));
	ck_assert(!vmx_cr0_exits(&r->x, 0x80000031, 0x80000035, &result));
	ck_assert(!vmx_cr3_exits(&r->x, 0x1000));
	*how = VMX_SUPPRESSED;
	ck_assert(!vmx_cr0_exits(&r->x, 0x80000031, 0x8000003d, &result));
	ck_assert_uint_eq(result, 0x80000035);
	*how = VMX_FORCED;
	ck_assert(vmx_cr0_exits(&r->x, 0x80000031, 0x80000031, &result));
	ck_assert(vmx_cr3_exits(&r->x, 0x1000));
	ck_assert(vmx_cr4_exits(&r->x, 0, 0, &result));
	ck_assert(vmx_clts_exits(&r->x, 8, &result));
	ck_assert_int_eq(vmx_intercepted(&r->x, VMX_INTERCEPT_CR3_STORE), VMX_EXITS);
	rig_free(r);
}
END_TEST

/* The hypervisor's own event goes first; a step ends with its exit. */
START_TEST(once)
{
	struct rig *r = rig_new("ENTRY_INTERRUPTION_INFO=80000202");
	struct vmx_exit mtf = { .reason = VMX_REASON_MONITOR_TRAP_FLAG };

	r->x.steer.event = 0x80000306;
	leave(r, VMX_REASON_CPUID, 0, 0x1000);
	ck_assert_uint_eq(r->x.steer.event, 0x80000306);
	r->x.steer.step = true;
	ck_assert_int_eq(resume(r), VMX_ENTERED);
	ck_assert_uint_eq(r->x.injection, 0x80000306);
	ck_assert_uint_eq(r->x.steer.event, 0);
	ck_assert(vmx_mtf(&r->x));
	ck_assert_int_eq(vmx_leave(&r->x, &mtf), VMX_EXITED);
	ck_assert(!vmx_mtf(&r->x));
	rig_free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-log");
	TCase *t = tcase_create("log");

	tcase_add_test(t, counts);
	tcase_add_test(t, sites);
	tcase_add_test(t, many_vmcss);
	tcase_add_loop_test(t, failures, 0, (int)ARRAY_LEN(failing));
	tcase_add_test(t, refusals);
	tcase_add_test(t, snapshots);
	tcase_add_test(t, steering);
	tcase_add_test(t, steering_cr);
	tcase_add_test(t, once);
	suite_add_tcase(s, t);
	return suite_run(s);
}
