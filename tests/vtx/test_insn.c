/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMX instructions: every exception, every VMfail, every VM-instruction error, and what success does. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/bits.h"
#include "vtx/checks.h"
#include "vtx/insn.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH = 3, AT_OPERAND = AT_LIST + 0x800, REG = R_EBX, VALUE = R_EDX };

static struct rig *rig_new(enum rig_mode mode)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, mode);
	r->x.s.rip = 0x1000;
	return r;
}

static void put64(struct rig *r, unsigned at, uint64_t val)
{
	memcpy(r->memory + at, &val, 8);
}

static uint64_t get64(const struct rig *r, uint64_t at)
{
	uint64_t val;

	memcpy(&val, r->memory + at, 8);
	return val;
}

/* Execute ID with the memory operand at AT_OPERAND. */
static enum vmx_result run(struct rig *r, enum vmx_insn_id id)
{
	struct vmx_insn i = {
		.id = id,
		.length = LENGTH,
		.reg = REG,
		.operand = { .memory = true, .seg = SEG_DS, .offset = AT_OPERAND },
		.info = 0x1234,
		.displacement = 0x5678,
	};

	return vmx_execute(&r->x, &i);
}

static enum vmx_result run_with(struct rig *r, enum vmx_insn_id id, uint64_t operand)
{
	put64(r, AT_OPERAND, operand);
	return run(r, id);
}

static void check_flags(const struct rig *r, uint32_t flags)
{
	ck_assert_uint_eq(r->x.s.rflags & FL_ARITH, flags);
}

/* ---- exceptions and exits, the same for all but a few ---- */

START_TEST(undefined)
{
	enum vmx_insn_id id = (enum vmx_insn_id)_i;
	struct rig *r = rig_new(RIG_64);

	/* Outside VMX operation. */
	r->x.on = false;
	if (id != VMX_INSN_VMXON) {
		ck_assert_int_eq(run(r, id), VMX_FAULT);
		ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
		ck_assert(!r->x.exception.has_error);
		ck_assert_uint_eq(r->x.s.rip, 0x1000);
	}
	r->x.on = true;
	/* Virtual-8086 mode; compatibility mode; real mode. */
	r->x.s.rflags |= FL_VM;
	ck_assert_int_eq(run(r, id), VMX_FAULT);
	ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
	r->x.s.rflags &= ~(uint64_t)FL_VM;
	r->x.s.seg[SEG_CS].rights = 0xc09b;
	ck_assert_int_eq(run(r, id), VMX_FAULT);
	ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
	r->x.s.seg[SEG_CS].rights = 0xa09b;
	r->x.s.cr0 &= ~(uint64_t)CR0_PE;
	ck_assert_int_eq(run(r, id), VMX_FAULT);
	ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
	free(r);
}
END_TEST

START_TEST(privileged)
{
	enum vmx_insn_id id = (enum vmx_insn_id)_i;
	struct rig *r = rig_new(RIG_32);

	r->x.s.cpl = 3;
	ck_assert_int_eq(run(r, id), VMX_FAULT);
	/* VMFUNC is for guests, at any level. */
	ck_assert_uint_eq(r->x.exception.vector, id == VMX_INSN_VMFUNC ? EXC_UD : EXC_GP);
	ck_assert(r->x.exception.has_error == (id != VMX_INSN_VMFUNC));
	ck_assert_uint_eq(r->x.exception.error, 0);
	free(r);
}
END_TEST

START_TEST(needs_memory)
{
	static const enum vmx_insn_id ids[] = { VMX_INSN_VMXON,	  VMX_INSN_VMCLEAR, VMX_INSN_VMPTRLD,
						VMX_INSN_VMPTRST, VMX_INSN_INVEPT,  VMX_INSN_INVVPID };

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		struct rig *r = rig_new(RIG_32);
		struct vmx_insn insn = { .id = ids[i], .length = LENGTH, .operand = { .reg = VALUE } };

		ck_assert_int_eq(vmx_execute(&r->x, &insn), VMX_FAULT);
		ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
		free(r);
	}
}
END_TEST

/* A page fault on the operand: nothing has changed. */
START_TEST(operand_faults)
{
	static const enum vmx_insn_id ids[] = { VMX_INSN_VMCLEAR, VMX_INSN_VMPTRLD, VMX_INSN_VMPTRST,
						VMX_INSN_VMREAD,  VMX_INSN_VMWRITE, VMX_INSN_INVEPT,
						VMX_INSN_INVVPID };

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
		struct rig *r = rig_new(RIG_64);

		r->x.s.gpr[REG] = ids[i] == VMX_INSN_VMREAD || ids[i] == VMX_INSN_VMWRITE ? 0x681e : 1;
		r->no_operand = true;
		ck_assert_int_eq(run(r, ids[i]), VMX_FAULT);
		ck_assert_uint_eq(r->x.exception.vector, EXC_PF);
		ck_assert_uint_eq(r->x.exception.address, AT_OPERAND);
		ck_assert_uint_eq(r->x.vmcs.at, AT_VMCS);
		ck_assert_uint_eq(r->x.s.rip, 0x1000);
		free(r);
	}
}
END_TEST

/* In non-root operation each exits with its reason, before privilege is looked at. */
START_TEST(exits_in_guest)
{
	static const uint32_t reasons[VMX_INSNS] = {
		[VMX_INSN_VMXON] = 27,	 [VMX_INSN_VMXOFF] = 26,   [VMX_INSN_VMCLEAR] = 19,
		[VMX_INSN_VMPTRLD] = 21, [VMX_INSN_VMPTRST] = 22,  [VMX_INSN_VMREAD] = 23,
		[VMX_INSN_VMWRITE] = 25, [VMX_INSN_VMLAUNCH] = 20, [VMX_INSN_VMRESUME] = 24,
		[VMX_INSN_VMCALL] = 18,	 [VMX_INSN_VMFUNC] = 59,   [VMX_INSN_INVEPT] = 50,
		[VMX_INSN_INVVPID] = 53,
	};
	enum vmx_insn_id id = (enum vmx_insn_id)_i;
	struct rig *r = rig_new(RIG_32);

	rig_set(r, "+PROC2_VM_FUNCTIONS");
	r->x.guest = true;
	r->x.s.cpl = 3;
	ck_assert_int_eq(run(r, id), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), reasons[id]);
	ck_assert_str_eq(vmx_reasons[reasons[id]].name, vmx_insn_name(id));
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_INSTRUCTION_LENGTH), LENGTH);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_INSTRUCTION_INFO), 0x1234);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_QUALIFICATION), 0x5678);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_RIP), 0x1000);
	ck_assert_uint_eq(r->x.s.rip, 0x3000);
	ck_assert(!r->x.guest && !r->x.s.cpl);
	free(r);
}
END_TEST

/* ---- VMXON ---- */

START_TEST(vmxon_conditions)
{
	static const struct {
		const char *what;
		unsigned vector; /* 0: VMfailInvalid */
	} rows[] = { { "CR4.VMXE", EXC_UD }, { "CPL", EXC_GP },	 { "A20", EXC_GP },
		     { "CR0", EXC_GP },	     { "lock", EXC_GP }, { "outside SMX", EXC_GP },
		     { "in SMX", EXC_GP },   { "alignment", 0 }, { "range", 0 },
		     { "revision", 0 },	     { "shadow", 0 } };
	struct rig *r = malloc(sizeof(*r));
	uint64_t at = AT_VMXON;

	rig_cold(r, VMX_GEN_ALL, true);
	put64(r, AT_VMXON, VMCS_REVISION);
	put64(r, AT_SHADOW, VMCS_REVISION | VMCS_SHADOW);
	switch (_i) {
	case 0:
		r->x.s.cr4 = 0;
		break;
	case 1:
		r->x.s.cpl = 1;
		break;
	case 2:
		r->x.a20_masked = true;
		break;
	case 3:
		r->x.s.cr0 &= ~(uint64_t)CR0_NE;
		break;
	case 4:
		r->x.feature_control = FEATURE_CONTROL_VMX;
		break;
	case 5:
		r->x.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_IN_SMX;
		break;
	case 6:
		r->x.smx = true;
		break;
	case 7:
		at = AT_VMXON + 8;
		break;
	case 8:
		at = 1ull << 40;
		break;
	case 9:
		at = AT_ZERO;
		break;
	case 10:
		at = AT_SHADOW;
		break;
	default:
		break;
	}
	if (_i < (int)ARRAY_LEN(rows) && rows[_i].vector) {
		ck_assert_msg(run_with(r, VMX_INSN_VMXON, at) == VMX_FAULT, "%s", rows[_i].what);
		ck_assert_msg(r->x.exception.vector == rows[_i].vector, "%s", rows[_i].what);
		ck_assert(!r->x.on);
	} else if (_i < (int)ARRAY_LEN(rows)) {
		ck_assert_int_eq(run_with(r, VMX_INSN_VMXON, at), VMX_NEXT);
		check_flags(r, FL_CF);
		ck_assert(!r->x.on);
	} else {
		r->x.s.rflags |= FL_ARITH;
		ck_assert_int_eq(run_with(r, VMX_INSN_VMXON, at), VMX_NEXT);
		check_flags(r, 0);
		ck_assert(r->x.on && !r->x.guest);
		ck_assert_uint_eq(r->x.vmxon, AT_VMXON);
		ck_assert_uint_eq(r->x.vmcs.at, VMCS_NONE);
		ck_assert_uint_eq(r->x.s.rip, LENGTH);
	}
	free(r);
}
END_TEST

/* ---- VM-instruction errors: one scenario each ---- */

/* Each prepares a processor and executes the instruction that fails. */
static enum vmx_result e_vmcall_root(struct rig *r)
{
	return run(r, VMX_INSN_VMCALL);
}
static enum vmx_result e_vmclear_address(struct rig *r)
{
	return run_with(r, VMX_INSN_VMCLEAR, AT_VMCS + 1);
}
static enum vmx_result e_vmclear_range(struct rig *r)
{
	return run_with(r, VMX_INSN_VMCLEAR, 1ull << 40);
}
static enum vmx_result e_vmclear_vmxon(struct rig *r)
{
	return run_with(r, VMX_INSN_VMCLEAR, AT_VMXON);
}
static enum vmx_result e_vmlaunch_launched(struct rig *r)
{
	r->x.vmcs.r.launch = VMCS_LAUNCHED;
	return run(r, VMX_INSN_VMLAUNCH);
}
static enum vmx_result e_vmresume_clear(struct rig *r)
{
	return run(r, VMX_INSN_VMRESUME);
}
/* Launch, exit, VMXOFF, VMXON, load it again. */
static enum vmx_result e_vmresume_vmxoff(struct rig *r)
{
	struct vmx_exit e = { .reason = VMX_REASON_CPUID };

	ck_assert_int_eq(run(r, VMX_INSN_VMLAUNCH), VMX_ENTERED);
	ck_assert_int_eq(vmx_leave(&r->x, &e), VMX_EXITED);
	ck_assert_int_eq(run(r, VMX_INSN_VMXOFF), VMX_NEXT);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMXON, AT_VMXON), VMX_NEXT);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_VMCS), VMX_NEXT);
	return run(r, VMX_INSN_VMRESUME);
}
static enum vmx_result e_controls(struct rig *r)
{
	rig_set(r, "CR3_TARGET_COUNT=5");
	return run(r, VMX_INSN_VMLAUNCH);
}
static enum vmx_result e_host(struct rig *r)
{
	rig_set(r, "HOST_CS_SELECTOR=0");
	return run(r, VMX_INSN_VMLAUNCH);
}
static enum vmx_result e_vmptrld_address(struct rig *r)
{
	return run_with(r, VMX_INSN_VMPTRLD, AT_SHADOW + 0x10);
}
static enum vmx_result e_vmptrld_vmxon(struct rig *r)
{
	return run_with(r, VMX_INSN_VMPTRLD, AT_VMXON);
}
static enum vmx_result e_vmptrld_revision(struct rig *r)
{
	return run_with(r, VMX_INSN_VMPTRLD, AT_ZERO);
}
static enum vmx_result e_vmread_unknown(struct rig *r)
{
	r->x.s.gpr[REG] = 0x682e;
	return run(r, VMX_INSN_VMREAD);
}
static enum vmx_result e_vmwrite_not_offered(struct rig *r)
{
	r->x.s.gpr[REG] = 0x203c; /* shared EPT pointer */
	return run(r, VMX_INSN_VMWRITE);
}
static enum vmx_result e_vmwrite_read_only(struct rig *r)
{
	struct vmx_model m = rig_model(VMX_GEN_NEHALEM, true);

	vmx_caps_init(&r->x.caps, &m);
	r->x.s.gpr[REG] = 0x4402;
	return run(r, VMX_INSN_VMWRITE);
}
static enum vmx_result e_vmxon_root(struct rig *r)
{
	return run_with(r, VMX_INSN_VMXON, AT_VMXON);
}
static enum vmx_result smm_entry(struct rig *r, const char *change)
{
	r->x.smm = r->x.dual_monitor = true;
	rig_set(r, change);
	return run(r, VMX_INSN_VMLAUNCH);
}
static enum vmx_result e_executive(struct rig *r)
{
	return smm_entry(r, "EXECUTIVE_VMCS_POINTER=7000");
}
static enum vmx_result e_executive_clear(struct rig *r)
{
	return smm_entry(r, "EXECUTIVE_VMCS_POINTER=4000");
}
static enum vmx_result e_executive_vmxon(struct rig *r)
{
	return smm_entry(r, "EXECUTIVE_VMCS_POINTER=8000 +ENTRY_END_DUAL_MONITOR");
}
static enum vmx_result e_executive_controls(struct rig *r)
{
	return smm_entry(r, "EXECUTIVE_VMCS_POINTER=9000");
}
static enum vmx_result smm_call(struct rig *r)
{
	r->x.smm_monitor_ctl = SMM_MONITOR_VALID | AT_MSEG;
	return run(r, VMX_INSN_VMCALL);
}
static enum vmx_result e_vmcall_launched(struct rig *r)
{
	r->x.vmcs.r.launch = VMCS_LAUNCHED;
	return smm_call(r);
}
static enum vmx_result e_vmcall_controls(struct rig *r)
{
	rig_set(r, "EXIT_CONTROLS=0");
	return smm_call(r);
}
static enum vmx_result e_mseg_revision(struct rig *r)
{
	put64(r, AT_MSEG, 1);
	return smm_call(r);
}
static enum vmx_result e_mseg_features(struct rig *r)
{
	put64(r, AT_MSEG, 2ull << 32);
	return smm_call(r);
}
static enum vmx_result e_vmxoff(struct rig *r)
{
	r->x.dual_monitor = true;
	return run(r, VMX_INSN_VMXOFF);
}
static enum vmx_result e_mov_ss(struct rig *r)
{
	r->x.s.interruptibility = BLOCK_MOV_SS;
	return run(r, VMX_INSN_VMLAUNCH);
}
static enum vmx_result e_mov_ss_resume(struct rig *r)
{
	r->x.s.interruptibility = BLOCK_MOV_SS;
	return run(r, VMX_INSN_VMRESUME);
}
static enum vmx_result invalidate(struct rig *r, enum vmx_insn_id id, uint64_t type, uint64_t lo, uint64_t hi)
{
	r->x.s.gpr[REG] = type;
	put64(r, AT_OPERAND + 8, hi);
	return run_with(r, id, lo);
}
static enum vmx_result e_invept_type(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVEPT, 0, 0x501e, 0);
}
static enum vmx_result e_invept_type3(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVEPT, 3, 0x501e, 0);
}
static enum vmx_result e_invept_eptp(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVEPT, 1, 0x5016, 0);
}
static enum vmx_result e_invept_reserved(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVEPT, 2, 0, 1);
}
static enum vmx_result e_invvpid_type(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVVPID, 4, 1, 0);
}
static enum vmx_result e_invvpid_reserved(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVVPID, 2, 0x10001, 0);
}
static enum vmx_result e_invvpid_zero(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVVPID, 1, 0, 0);
}
static enum vmx_result e_invvpid_zero3(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVVPID, 3, 0, 0);
}
static enum vmx_result e_invvpid_address(struct rig *r)
{
	return invalidate(r, VMX_INSN_INVVPID, 0, 1, 0x800000000000);
}

static const struct error_row {
	enum vmx_error error;
	enum vmx_result (*run)(struct rig *r);
} errors[] = {
	{ VMX_ERROR_VMCALL_IN_ROOT, e_vmcall_root },
	{ VMX_ERROR_VMCLEAR_ADDRESS, e_vmclear_address },
	{ VMX_ERROR_VMCLEAR_ADDRESS, e_vmclear_range },
	{ VMX_ERROR_VMCLEAR_VMXON, e_vmclear_vmxon },
	{ VMX_ERROR_VMLAUNCH_NOT_CLEAR, e_vmlaunch_launched },
	{ VMX_ERROR_VMRESUME_NOT_LAUNCHED, e_vmresume_clear },
	{ VMX_ERROR_VMRESUME_AFTER_VMXOFF, e_vmresume_vmxoff },
	{ VMX_ERROR_CONTROLS, e_controls },
	{ VMX_ERROR_HOST_STATE, e_host },
	{ VMX_ERROR_VMPTRLD_ADDRESS, e_vmptrld_address },
	{ VMX_ERROR_VMPTRLD_VMXON, e_vmptrld_vmxon },
	{ VMX_ERROR_VMPTRLD_REVISION, e_vmptrld_revision },
	{ VMX_ERROR_UNSUPPORTED_FIELD, e_vmread_unknown },
	{ VMX_ERROR_UNSUPPORTED_FIELD, e_vmwrite_not_offered },
	{ VMX_ERROR_READ_ONLY_FIELD, e_vmwrite_read_only },
	{ VMX_ERROR_VMXON_IN_ROOT, e_vmxon_root },
	{ VMX_ERROR_EXECUTIVE_POINTER, e_executive },
	{ VMX_ERROR_EXECUTIVE_NOT_LAUNCHED, e_executive_clear },
	{ VMX_ERROR_EXECUTIVE_NOT_VMXON, e_executive_vmxon },
	{ VMX_ERROR_EXECUTIVE_CONTROLS, e_executive_controls },
	{ VMX_ERROR_VMCALL_NOT_CLEAR, e_vmcall_launched },
	{ VMX_ERROR_VMCALL_EXIT_CONTROLS, e_vmcall_controls },
	{ VMX_ERROR_MSEG_REVISION, e_mseg_revision },
	{ VMX_ERROR_MSEG_FEATURES, e_mseg_features },
	{ VMX_ERROR_VMXOFF_DUAL_MONITOR, e_vmxoff },
	{ VMX_ERROR_MOV_SS, e_mov_ss },
	{ VMX_ERROR_MOV_SS, e_mov_ss_resume },
	{ VMX_ERROR_INVALIDATION, e_invept_type },
	{ VMX_ERROR_INVALIDATION, e_invept_type3 },
	{ VMX_ERROR_INVALIDATION, e_invept_eptp },
	{ VMX_ERROR_INVALIDATION, e_invept_reserved },
	{ VMX_ERROR_INVALIDATION, e_invvpid_type },
	{ VMX_ERROR_INVALIDATION, e_invvpid_reserved },
	{ VMX_ERROR_INVALIDATION, e_invvpid_zero },
	{ VMX_ERROR_INVALIDATION, e_invvpid_zero3 },
	{ VMX_ERROR_INVALIDATION, e_invvpid_address },
};

START_TEST(fails_with_error)
{
	const struct error_row *e = &errors[_i];
	struct rig *r = rig_new(RIG_32);

	r->x.s.rflags |= FL_ARITH;
	ck_assert_int_eq(e->run(r), VMX_NEXT);
	check_flags(r, FL_ZF);
	ck_assert_uint_eq(rig_field(r, VMCS_VM_INSTRUCTION_ERROR), e->error);
	ck_assert(r->x.on && !r->x.guest && !r->invalidations);
	free(r);
	if (e->error == VMX_ERROR_VMRESUME_AFTER_VMXOFF)
		return;
	/* Without a current VMCS: VMfailInvalid. */
	r = rig_new(RIG_32);
	r->x.vmcs.at = VMCS_NONE;
	ck_assert_int_eq(e->run(r), VMX_NEXT);
	check_flags(r, FL_CF);
	ck_assert_uint_eq(rig_field(r, VMCS_VM_INSTRUCTION_ERROR), 0);
	free(r);
}
END_TEST

START_TEST(every_error_is_produced)
{
	for (unsigned n = 0; n < VMX_ERRORS; n++) {
		bool produced = false;

		for (unsigned i = 0; i < ARRAY_LEN(errors); i++)
			produced = produced || errors[i].error == n;
		ck_assert_msg(produced == (vmx_error_text(n) != NULL), "error %u", n);
	}
	ck_assert_ptr_null(vmx_error_text(VMX_ERRORS));
}
END_TEST

/* ---- success ---- */

START_TEST(pointers)
{
	struct rig *r = rig_new(RIG_32);

	ck_assert_int_eq(run(r, VMX_INSN_VMPTRST), VMX_NEXT);
	ck_assert_uint_eq(get64(r, AT_OPERAND), AT_VMCS);
	ck_assert_uint_eq(r->x.s.rip, 0x1000 + LENGTH);
	/* The next VMCS: what was written into the first one is in memory. */
	rig_set(r, "GUEST_RIP=7777");
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_LAUNCHED), VMX_NEXT);
	ck_assert_uint_eq(r->x.vmcs.at, AT_LAUNCHED);
	ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_LAUNCHED);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_RIP), 0x1000);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_VMCS), VMX_NEXT);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_RIP), 0x7777);
	/* VMCLEAR of another one, then of the current one. */
	ck_assert_int_eq(run_with(r, VMX_INSN_VMCLEAR, AT_LAUNCHED), VMX_NEXT);
	ck_assert_uint_eq(r->x.vmcs.at, AT_VMCS);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_LAUNCHED), VMX_NEXT);
	ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_CLEAR);
	r->x.vmcs.r.launch = VMCS_LAUNCHED;
	ck_assert_int_eq(run_with(r, VMX_INSN_VMCLEAR, AT_LAUNCHED), VMX_NEXT);
	ck_assert_uint_eq(r->x.vmcs.at, VMCS_NONE);
	ck_assert_int_eq(run(r, VMX_INSN_VMPTRST), VMX_NEXT);
	ck_assert_uint_eq(get64(r, AT_OPERAND), VMCS_NONE);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_LAUNCHED), VMX_NEXT);
	ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_CLEAR);
	/* A shadow VMCS can be current, but not be entered. */
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_SHADOW), VMX_NEXT);
	ck_assert_int_eq(run(r, VMX_INSN_VMLAUNCH), VMX_NEXT);
	check_flags(r, FL_CF);
	/* VMXOFF writes the current VMCS back. */
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_VMCS), VMX_NEXT);
	rig_set(r, "GUEST_RIP=8888");
	ck_assert_int_eq(run(r, VMX_INSN_VMXOFF), VMX_NEXT);
	ck_assert(!r->x.on);
	ck_assert_uint_eq(get64(r, vmcs_field_at(AT_VMCS, VMCS_GUEST_RIP)), 0x8888);
	free(r);
}
END_TEST

/* On a processor without VMCS shadowing there are no shadow VMCSs. */
START_TEST(no_shadow_vmcs)
{
	struct rig *r = rig_new(RIG_32);
	struct vmx_model m = rig_model(VMX_GEN_NEHALEM, true);

	vmx_caps_init(&r->x.caps, &m);
	ck_assert_int_eq(run_with(r, VMX_INSN_VMPTRLD, AT_SHADOW), VMX_NEXT);
	ck_assert_uint_eq(rig_field(r, VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMPTRLD_REVISION);
	free(r);
}
END_TEST

static enum vmx_result field_insn(struct rig *r, enum vmx_insn_id id, uint32_t encoding, bool memory)
{
	struct vmx_insn i = {
		.id = id,
		.length = LENGTH,
		.reg = REG,
		.operand = { .memory = memory, .reg = VALUE, .offset = AT_OPERAND },
	};

	r->x.s.gpr[REG] = encoding;
	return vmx_execute(&r->x, &i);
}

/* Every field, by VMWRITE and VMREAD, in 32-bit and in 64-bit mode, by register and memory, both halves. */
START_TEST(every_field)
{
	static const uint64_t new = 0x1122334455667788;
	unsigned done = 0;

	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		for (unsigned how = 0; how < 8; how++) {
			bool mode64 = how & 1, memory = how & 2, high = how & 4;
			uint32_t e = vmcs_fields[f].encoding | high;
			uint64_t mask = vmcs_mask((enum vmcs_field)f, true), expect;
			struct rig *r;

			if (high && vmcs_encoding_width(e) != VMCS_64)
				continue;
			r = rig_new(mode64 ? RIG_64 : RIG_32);
			r->x.vmcs.r.value[f] = mask;
			r->x.s.gpr[VALUE] = new;
			put64(r, AT_OPERAND, new);
			ck_assert_int_eq(field_insn(r, VMX_INSN_VMWRITE, e, memory), VMX_NEXT);
			if (!vmx_has_field(&r->x.caps, (enum vmcs_field)f)) {
				check_flags(r, FL_ZF);
				free(r);
				continue;
			}
			check_flags(r, 0);
			expect = high ? 0x55667788ffffffff : mask & (mode64 ? new : (uint32_t) new);
			ck_assert_msg(rig_field(r, (enum vmcs_field)f) == expect, "%s %u", vmcs_fields[f].id,
				      how);
			r->x.s.gpr[VALUE] = ~0ull;
			put64(r, AT_OPERAND, ~0ull);
			ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, e, memory), VMX_NEXT);
			expect = high ? 0x55667788 : mode64 ? expect : (uint32_t)expect;
			if (memory && !mode64)
				expect |= 0xffffffff00000000; /* 32 bits are written */
			ck_assert_msg((memory ? get64(r, AT_OPERAND) : r->x.s.gpr[VALUE]) == expect, "%s %u",
				      vmcs_fields[f].id, how);
			free(r);
			done++;
		}
	ck_assert_uint_gt(done, 4 * 170);
}
END_TEST

/* A guest's VMREAD and VMWRITE with VMCS shadowing: by the bitmaps, into the linked VMCS. */
START_TEST(shadowing)
{
	struct rig *r = rig_new(RIG_64);

	rig_set(r, "+PROC2_VMCS_SHADOWING VMREAD_BITMAP=7000 VMWRITE_BITMAP=7000 VMCS_LINK_POINTER=3000");
	r->x.guest = true;
	r->x.s.gpr[VALUE] = 0x4321;
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMWRITE, 0x681e, false), VMX_NEXT);
	check_flags(r, 0);
	ck_assert_uint_eq(get64(r, vmcs_field_at(AT_SHADOW, VMCS_GUEST_RIP)), 0x4321);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_RIP), 0x1000);
	r->x.s.gpr[VALUE] = 0;
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, 0x681e, false), VMX_NEXT);
	ck_assert_uint_eq(r->x.s.gpr[VALUE], 0x4321);
	/* An error number goes into the linked VMCS. */
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, 0x682e, false), VMX_NEXT);
	check_flags(r, FL_ZF);
	ck_assert_uint_eq(get64(r, vmcs_field_at(AT_SHADOW, VMCS_VM_INSTRUCTION_ERROR)),
			  VMX_ERROR_UNSUPPORTED_FIELD);
	ck_assert_uint_eq(rig_field(r, VMCS_VM_INSTRUCTION_ERROR), 0);
	/* Privilege is looked at when it does not exit. */
	r->x.s.cpl = 3;
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, 0x681e, false), VMX_FAULT);
	ck_assert_uint_eq(r->x.exception.vector, EXC_GP);
	r->x.s.cpl = 0;
	/* No linked VMCS. */
	rig_set(r, "VMCS_LINK_POINTER=ffffffffffffffff");
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, 0x681e, false), VMX_NEXT);
	check_flags(r, FL_CF);
	/* A bit of the bitmap, an encoding beyond it. */
	r->memory[0x7000 + 0x681e / 8] = 1 << (0x681e & 7);
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMREAD, 0x681e, false), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), VMX_REASON_VMREAD);
	r->x.guest = true;
	ck_assert_int_eq(field_insn(r, VMX_INSN_VMWRITE, 0x8000, false), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), VMX_REASON_VMWRITE);
	free(r);
}
END_TEST

START_TEST(invalidations)
{
	struct rig *r = rig_new(RIG_64);

	ck_assert_int_eq(invalidate(r, VMX_INSN_INVEPT, 1, 0x501e, 0), VMX_NEXT);
	check_flags(r, 0);
	ck_assert_uint_eq(r->context, 0x501e);
	ck_assert_int_eq(invalidate(r, VMX_INSN_INVEPT, 2, 0, 0), VMX_NEXT);
	for (unsigned type = 0; type < 4; type++) {
		ck_assert_int_eq(invalidate(r, VMX_INSN_INVVPID, type, type == 2 ? 0 : 7, 0x1000), VMX_NEXT);
		check_flags(r, 0);
		ck_assert_uint_eq(r->type, type);
	}
	ck_assert_uint_eq(r->invalidations, 6);
	free(r);
	/* A processor without EPT. */
	r = rig_new(RIG_32);
	vmx_caps_init(&r->x.caps,
		      &(struct vmx_model){ .generation = VMX_GEN_EARLY, .address = 36, .linear = 48 });
	ck_assert_int_eq(run(r, VMX_INSN_INVEPT), VMX_FAULT);
	ck_assert_int_eq(run(r, VMX_INSN_INVVPID), VMX_FAULT);
	ck_assert_uint_eq(r->x.exception.vector, EXC_UD);
	free(r);
}
END_TEST

START_TEST(eptp_switching)
{
	struct rig *r = rig_new(RIG_32);

	rig_set(
	    r,
	    "EPT_POINTER=501e +PROC2_EPT +PROC2_VM_FUNCTIONS VM_FUNCTION_CONTROLS=1 EPTP_LIST_ADDRESS=a000");
	put64(r, AT_LIST + 8, 0x601e);
	r->x.guest = true;
	r->x.s.cpl = 3;
	r->x.s.rip = 0x1000;
	r->x.s.gpr[R_EAX] = 64;
	ck_assert_int_eq(run(r, VMX_INSN_VMFUNC), VMX_FAULT);
	r->x.s.gpr[R_EAX] = 0;
	r->x.s.gpr[R_ECX] = 1;
	ck_assert_int_eq(run(r, VMX_INSN_VMFUNC), VMX_NEXT);
	ck_assert_uint_eq(rig_field(r, VMCS_EPT_POINTER), 0x601e);
	ck_assert_uint_eq(rig_field(r, VMCS_EPTP_INDEX), 1);
	ck_assert_uint_eq(r->x.s.rip, 0x1000 + LENGTH);
	/* No such entry; one that is no EPT pointer; a function that is not enabled. */
	for (unsigned i = 0; i < 3; i++) {
		r->x.guest = true;
		r->x.s.gpr[R_EAX] = i == 2;
		r->x.s.gpr[R_ECX] = i == 0 ? 512 : 2;
		ck_assert_int_eq(run(r, VMX_INSN_VMFUNC), VMX_EXITED);
		ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), VMX_REASON_VMFUNC);
	}
	free(r);
}
END_TEST

/* VMCALL with the dual-monitor treatment: the SMM VM exit is left to the engine. */
START_TEST(smm_calls)
{
	struct rig *r = rig_new(RIG_32);

	ck_assert_int_eq(smm_call(r), VMX_SMM_EXIT);
	r->x.dual_monitor = true;
	ck_assert_int_eq(run(r, VMX_INSN_VMCALL), VMX_SMM_EXIT);
	ck_assert_uint_eq(r->x.s.rip, 0x1000);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-insn");
	TCase *t = tcase_create("insn");

	tcase_add_loop_test(t, undefined, 0, VMX_INSNS);
	tcase_add_loop_test(t, privileged, 0, VMX_INSNS);
	tcase_add_loop_test(t, exits_in_guest, 0, VMX_INSNS);
	tcase_add_test(t, needs_memory);
	tcase_add_test(t, operand_faults);
	tcase_add_loop_test(t, vmxon_conditions, 0, 12);
	tcase_add_loop_test(t, fails_with_error, 0, ARRAY_LEN(errors));
	tcase_add_test(t, every_error_is_produced);
	tcase_add_test(t, pointers);
	tcase_add_test(t, no_shadow_vmcs);
	tcase_add_test(t, every_field);
	tcase_add_test(t, shadowing);
	tcase_add_test(t, invalidations);
	tcase_add_test(t, eptp_switching);
	tcase_add_test(t, smm_calls);
	suite_add_tcase(s, t);
	return suite_run(s);
}
