/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/insn.h. A handler is called when the mode, the operation (root or not) and the privilege allow the
 * instruction; it returns VMX_NEXT with the flags set, or what else became of it. */
#include "vtx/insn.h"
#include "vtx/bits.h"
#include "vtx/checks.h"
#include "vtx/log.h"

typedef enum vmx_result handler(struct vmx *x, const struct vmx_insn *i);

/* ---- outcomes ---- */

static enum vmx_result succeed(struct vmx *x)
{
	x->s.rflags &= ~(uint64_t)FL_ARITH;
	return VMX_NEXT;
}

static enum vmx_result fail_invalid(struct vmx *x)
{
	x->s.rflags = (x->s.rflags & ~(uint64_t)FL_ARITH) | FL_CF;
	return VMX_NEXT;
}

/* In non-root operation the current VMCS is, for VMREAD and VMWRITE, the linked one. */
static enum vmx_result fail_valid(struct vmx *x, enum vmx_error error)
{
	uint64_t n = error;

	x->s.rflags = (x->s.rflags & ~(uint64_t)FL_ARITH) | FL_ZF;
	if (x->guest)
		x->mem.write(
		    x->mem.ctx,
		    vmcs_field_at(x->vmcs.r.value[VMCS_VMCS_LINK_POINTER], VMCS_VM_INSTRUCTION_ERROR), &n, 8);
	else
		x->vmcs.r.value[VMCS_VM_INSTRUCTION_ERROR] = n;
	return VMX_NEXT;
}

static enum vmx_result fail(struct vmx *x, enum vmx_error error)
{
	return x->vmcs.at == VMCS_NONE ? fail_invalid(x) : fail_valid(x, error);
}

static enum vmx_result raise_exception(struct vmx *x, unsigned vector)
{
	x->exception = (struct vmx_exception){ .vector = (uint8_t)vector, .has_error = vector == EXC_GP };
	return VMX_FAULT;
}

static enum vmx_result intercept(struct vmx *x, const struct vmx_insn *i, enum vmx_reason reason)
{
	struct vmx_exit e = {
		.reason = reason,
		.qualification = i->displacement,
		.instruction_length = i->length,
		.instruction_info = i->info,
	};

	return vmx_leave(x, &e);
}

/* ---- operands ---- */

static uint64_t get_reg(const struct vmx *x, unsigned n)
{
	return vmx_mode64(&x->s) ? x->s.gpr[n & 15] : (uint32_t)x->s.gpr[n & 7];
}

/* An operand of 64 bits in 64-bit mode, of 32 bits elsewhere. */
static bool load_operand(struct vmx *x, const struct vmx_operand *op, uint64_t *val)
{
	*val = 0;
	if (op->memory)
		return x->ops->load(x, op, val, vmx_mode64(&x->s) ? 8 : 4);
	*val = get_reg(x, op->reg);
	return true;
}

static bool store_operand(struct vmx *x, const struct vmx_operand *op, uint64_t val)
{
	bool mode64 = vmx_mode64(&x->s);

	if (op->memory)
		return x->ops->store(x, op, &val, mode64 ? 8 : 4);
	x->s.gpr[op->reg & (mode64 ? 15 : 7)] = mode64 ? val : (uint32_t)val;
	return true;
}

static bool region_ok(const struct vmx *x, uint64_t at)
{
	return !(at & PAGE_MASK) && vmx_address_ok(&x->caps, at);
}

static uint32_t read32(const struct vmx *x, gpa at)
{
	uint32_t w;

	x->mem.read(x->mem.ctx, at, &w, sizeof(w));
	return w;
}

/* ---- VMX operation ---- */

static bool vmxon_allowed(const struct vmx *x)
{
	uint64_t need = FEATURE_CONTROL_LOCK | (x->smx ? FEATURE_CONTROL_VMX_IN_SMX : FEATURE_CONTROL_VMX);

	return !x->s.cpl && !x->a20_masked && vmx_cr0_supported(&x->caps, x->s.cr0) &&
	       vmx_cr4_supported(&x->caps, x->s.cr4) && (x->feature_control & need) == need;
}

static bool mode_ok(const struct vmx *x)
{
	return x->s.cr0 & CR0_PE && !(x->s.rflags & FL_VM) &&
	       !(vmx_efer(&x->s) & EFER_LMA && !(x->s.seg[SEG_CS].rights & SA_L));
}

static enum vmx_result vmxon(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t at;

	if (!mode_ok(x) || !(x->s.cr4 & VMX_CR4_VMXE))
		return raise_exception(x, EXC_UD);
	if (x->on && x->guest)
		return intercept(x, i, VMX_REASON_VMXON);
	if (x->on)
		return x->s.cpl ? raise_exception(x, EXC_GP) : fail(x, VMX_ERROR_VMXON_IN_ROOT);
	if (!vmxon_allowed(x))
		return raise_exception(x, EXC_GP);
	if (!x->ops->load(x, &i->operand, &at, 8))
		return VMX_FAULT;
	if (!region_ok(x, at) || read32(x, at) != VMCS_REVISION)
		return fail_invalid(x);
	x->vmcs.at = VMCS_NONE;
	x->vmxon = at;
	x->vmxon_count++;
	x->on = true;
	x->guest = false;
	return succeed(x);
}

static void put_away(struct vmx *x)
{
	if (x->vmcs.at != VMCS_NONE)
		vmcs_store(&x->vmcs, &x->mem);
	x->vmcs.at = VMCS_NONE;
}

static enum vmx_result vmxoff(struct vmx *x, const struct vmx_insn *i)
{
	(void)i;
	if (x->dual_monitor)
		return fail(x, VMX_ERROR_VMXOFF_DUAL_MONITOR);
	put_away(x);
	x->on = false;
	x->vmxon = VMCS_NONE;
	return succeed(x);
}

/* ---- the current VMCS ---- */

static enum vmx_result vmclear(struct vmx *x, const struct vmx_insn *i)
{
	uint32_t clear = VMCS_CLEAR;
	uint64_t at;

	if (!x->ops->load(x, &i->operand, &at, 8))
		return VMX_FAULT;
	if (!region_ok(x, at))
		return fail(x, VMX_ERROR_VMCLEAR_ADDRESS);
	if (at == x->vmxon)
		return fail(x, VMX_ERROR_VMCLEAR_VMXON);
	if (at == x->vmcs.at)
		put_away(x);
	x->mem.write(x->mem.ctx, at + offsetof(struct vmcs_region, launch), &clear, sizeof(clear));
	return succeed(x);
}

static enum vmx_result vmptrld(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t at;
	uint32_t revision;

	if (!x->ops->load(x, &i->operand, &at, 8))
		return VMX_FAULT;
	if (!region_ok(x, at))
		return fail(x, VMX_ERROR_VMPTRLD_ADDRESS);
	if (at == x->vmxon)
		return fail(x, VMX_ERROR_VMPTRLD_VMXON);
	revision = read32(x, at);
	if ((revision & ~VMCS_SHADOW) != VMCS_REVISION ||
	    (revision & VMCS_SHADOW && !vmx_offers(&x->caps, VMX_PROC2_VMCS_SHADOWING)))
		return fail(x, VMX_ERROR_VMPTRLD_REVISION);
	if (at != x->vmcs.at) {
		put_away(x);
		vmcs_load(&x->vmcs, &x->mem, at, x->caps.model.long_mode);
		x->vmcs.r.revision = revision;
	}
	return succeed(x);
}

static enum vmx_result vmptrst(struct vmx *x, const struct vmx_insn *i)
{
	return x->ops->store(x, &i->operand, &x->vmcs.at, 8) ? succeed(x) : VMX_FAULT;
}

/* ---- fields ---- */

/* Does a guest's VMREAD or VMWRITE exit, rather than access the linked VMCS? */
static bool shadow_exits(const struct vmx *x, uint64_t encoding, enum vmcs_field bitmap)
{
	uint8_t byte;

	if (!vmx_on(&x->vmcs.r, VMX_PROC2_VMCS_SHADOWING) || encoding >> 15)
		return true;
	x->mem.read(x->mem.ctx, x->vmcs.r.value[bitmap] + encoding / 8, &byte, 1);
	return byte >> (encoding & 7) & 1;
}

/* The VMCS that VMREAD and VMWRITE access. */
static gpa accessed(const struct vmx *x)
{
	return x->guest ? x->vmcs.r.value[VMCS_VMCS_LINK_POINTER] : x->vmcs.at;
}

static uint64_t get_field(const struct vmx *x, enum vmcs_field f)
{
	uint64_t val = x->vmcs.r.value[f];

	if (x->guest) {
		x->mem.read(x->mem.ctx, vmcs_field_at(accessed(x), f), &val, 8);
		val &= vmcs_mask(f, x->caps.model.long_mode);
	}
	return val;
}

static void put_field(struct vmx *x, enum vmcs_field f, uint64_t val)
{
	if (x->guest)
		x->mem.write(x->mem.ctx, vmcs_field_at(accessed(x), f), &val, 8);
	else
		vmcs_put(&x->vmcs, f, val);
}

static enum vmcs_field find_field(const struct vmx *x, uint64_t encoding)
{
	enum vmcs_field f = vmcs_find(encoding);

	return f != VMCS_NO_FIELD && vmx_has_field(&x->caps, f) ? f : VMCS_NO_FIELD;
}

bool vmx_field_read(const struct vmx *x, uint64_t encoding, bool mode64, uint64_t *val)
{
	enum vmcs_field f = find_field(x, encoding);

	if (!x->on || x->guest || x->vmcs.at == VMCS_NONE || f == VMCS_NO_FIELD)
		return false;
	*val = vmcs_read(f, x->vmcs.r.value[f], encoding, mode64);
	return true;
}

bool vmx_field_write(struct vmx *x, uint64_t encoding, bool mode64, uint64_t val)
{
	enum vmcs_field f = find_field(x, encoding);

	if (!x->on || x->guest || x->vmcs.at == VMCS_NONE || f == VMCS_NO_FIELD)
		return false;
	if (vmcs_encoding_type((uint32_t)encoding) == VMCS_READ_ONLY)
		return false;
	val = vmcs_write(f, x->vmcs.r.value[f], encoding, val, mode64);
	vmcs_put(&x->vmcs, f, val & vmcs_mask(f, x->caps.model.long_mode));
	return true;
}

static enum vmx_result vmread(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t encoding = get_reg(x, i->reg), val;
	enum vmcs_field f = find_field(x, encoding);

	if (accessed(x) == VMCS_NONE)
		return fail_invalid(x);
	if (f == VMCS_NO_FIELD)
		return fail_valid(x, VMX_ERROR_UNSUPPORTED_FIELD);
	val = vmcs_read(f, get_field(x, f), encoding, vmx_mode64(&x->s));
	return store_operand(x, &i->operand, val) ? succeed(x) : VMX_FAULT;
}

static enum vmx_result vmwrite(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t encoding = get_reg(x, i->reg), new, val;
	enum vmcs_field f = find_field(x, encoding);

	if (accessed(x) == VMCS_NONE)
		return fail_invalid(x);
	if (!load_operand(x, &i->operand, &new))
		return VMX_FAULT;
	if (f == VMCS_NO_FIELD)
		return fail_valid(x, VMX_ERROR_UNSUPPORTED_FIELD);
	if (vmcs_encoding_type(vmcs_fields[f].encoding) == VMCS_READ_ONLY &&
	    !vmx_capable(&x->caps, VMX_CAP_WRITE_ALL))
		return fail_valid(x, VMX_ERROR_READ_ONLY_FIELD);
	val = vmcs_write(f, get_field(x, f), encoding, new, vmx_mode64(&x->s));
	put_field(x, f, val & vmcs_mask(f, x->caps.model.long_mode));
	return succeed(x);
}

/* ---- entries ---- */

static enum vmx_result enter(struct vmx *x)
{
	unsigned error = 0;
	enum vmx_result r = vmx_enter(x, &error);

	return r == VMX_NEXT ? fail_valid(x, (enum vmx_error)error) : r;
}

/* A VM entry that was not even tried. */
static enum vmx_result refused(struct vmx *x, enum vmx_error error)
{
	vmx_log_failed(x, VMX_CHECKS, NULL, error);
	return fail_valid(x, error);
}

/* The conditions of any VM entry (27.1). */
static bool no_entry(const struct vmx *x)
{
	return x->vmcs.at == VMCS_NONE || x->vmcs.r.revision & VMCS_SHADOW;
}

static enum vmx_result vmlaunch(struct vmx *x, const struct vmx_insn *i)
{
	(void)i;
	if (no_entry(x))
		return fail_invalid(x);
	if (x->s.interruptibility & BLOCK_MOV_SS)
		return refused(x, VMX_ERROR_MOV_SS);
	if (x->vmcs.r.launch != VMCS_CLEAR)
		return refused(x, VMX_ERROR_VMLAUNCH_NOT_CLEAR);
	return enter(x);
}

static enum vmx_result vmresume(struct vmx *x, const struct vmx_insn *i)
{
	(void)i;
	if (no_entry(x))
		return fail_invalid(x);
	if (x->s.interruptibility & BLOCK_MOV_SS)
		return refused(x, VMX_ERROR_MOV_SS);
	if (x->vmcs.r.launch != VMCS_LAUNCHED)
		return refused(x, VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	if (x->vmcs.r.vmxon != x->vmxon_count)
		return refused(x, VMX_ERROR_VMRESUME_AFTER_VMXOFF);
	return enter(x);
}

/* ---- calls ---- */

/* VMCALL in root operation, outside SMM: it activates the dual-monitor treatment, of which only the checks
 * are made here (32.15.6). */
static enum vmx_result activate_dual_monitor(struct vmx *x)
{
	gpa mseg = x->smm_monitor_ctl & 0xfffff000;
	struct vmx_checking c;

	if (x->vmcs.at == VMCS_NONE)
		return fail_invalid(x);
	if (x->vmcs.r.launch != VMCS_CLEAR)
		return fail_valid(x, VMX_ERROR_VMCALL_NOT_CLEAR);
	vmx_checking_init(&c, x, &x->vmcs);
	if (vmx_check_first(&c, VMX_CHECK_EXIT_CONTROLS_RESERVED, VMX_CHECK_ENTRY_CONTROLS_RESERVED) !=
	    VMX_CHECK_ENTRY_CONTROLS_RESERVED)
		return fail_valid(x, VMX_ERROR_VMCALL_EXIT_CONTROLS);
	if (read32(x, mseg) != (uint32_t)(x->caps.misc >> 32))
		return fail_valid(x, VMX_ERROR_MSEG_REVISION);
	if (read32(x, mseg + 4) & ~1u)
		return fail_valid(x, VMX_ERROR_MSEG_FEATURES);
	return VMX_SMM_EXIT;
}

static enum vmx_result vmcall(struct vmx *x, const struct vmx_insn *i)
{
	if (!x->on)
		return raise_exception(x, EXC_UD);
	if (x->guest)
		return intercept(x, i, VMX_REASON_VMCALL);
	if (!mode_ok(x))
		return raise_exception(x, EXC_UD);
	if (x->s.cpl)
		return raise_exception(x, EXC_GP);
	if (x->smm || !vmx_capable(&x->caps, VMX_CAP_DUAL_MONITOR) ||
	    !(x->smm_monitor_ctl & SMM_MONITOR_VALID))
		return fail(x, VMX_ERROR_VMCALL_IN_ROOT);
	return x->dual_monitor ? VMX_SMM_EXIT : activate_dual_monitor(x);
}

/* EPTP switching (26.5.6.3): the guest chooses among the EPT pointers of a list. */
static enum vmx_result switch_eptp(struct vmx *x, const struct vmx_insn *i)
{
	const uint64_t *v = x->vmcs.r.value;
	uint64_t n = get_reg(x, R_ECX) & 0xffffffff, eptp;

	if (n >= 512)
		return intercept(x, i, VMX_REASON_VMFUNC);
	x->mem.read(x->mem.ctx, v[VMCS_EPTP_LIST_ADDRESS] + 8 * n, &eptp, 8);
	if (!vmx_eptp_ok(&x->caps, eptp))
		return intercept(x, i, VMX_REASON_VMFUNC);
	vmcs_put(&x->vmcs, VMCS_EPT_POINTER, eptp);
	if (vmx_has_field(&x->caps, VMCS_EPTP_INDEX))
		vmcs_put(&x->vmcs, VMCS_EPTP_INDEX, n);
	return VMX_NEXT;
}

/* At any privilege level and in any mode of a guest; flags stay as they are. */
static enum vmx_result vmfunc(struct vmx *x, const struct vmx_insn *i)
{
	uint32_t function = (uint32_t)x->s.gpr[R_EAX];

	if (!x->on || !x->guest || !vmx_on(&x->vmcs.r, VMX_PROC2_VM_FUNCTIONS) || function > 63)
		return raise_exception(x, EXC_UD);
	if (function || !(x->vmcs.r.value[VMCS_VM_FUNCTION_CONTROLS] & 1))
		return intercept(x, i, VMX_REASON_VMFUNC);
	return switch_eptp(x, i);
}

/* ---- translations ---- */

static enum vmx_result invept(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t type = get_reg(x, i->reg), desc[2];

	if (!(type == 1 && vmx_capable(&x->caps, VMX_CAP_INVEPT_SINGLE)) &&
	    !(type == 2 && vmx_capable(&x->caps, VMX_CAP_INVEPT_ALL)))
		return fail(x, VMX_ERROR_INVALIDATION);
	if (!x->ops->load(x, &i->operand, desc, sizeof(desc)))
		return VMX_FAULT;
	if (desc[1] || (type == 1 && !vmx_eptp_ok(&x->caps, desc[0])))
		return fail(x, VMX_ERROR_INVALIDATION);
	if (x->ops->invept)
		x->ops->invept(x, (unsigned)type, desc[0]);
	return succeed(x);
}

static enum vmx_result invvpid(struct vmx *x, const struct vmx_insn *i)
{
	uint64_t type = get_reg(x, i->reg), desc[2];
	bool bad;

	if (type > 3 || !vmx_capable(&x->caps, (enum vmx_capability)(VMX_CAP_INVVPID_ADDRESS + type)))
		return fail(x, VMX_ERROR_INVALIDATION);
	if (!x->ops->load(x, &i->operand, desc, sizeof(desc)))
		return VMX_FAULT;
	bad = desc[0] >> 16 || (type != 2 && !desc[0]) ||
	      (type == 0 && x->caps.model.long_mode && !vmx_canonical(&x->caps, desc[1]));
	if (bad)
		return fail(x, VMX_ERROR_INVALIDATION);
	if (x->ops->invvpid)
		x->ops->invvpid(x, (unsigned)type, (uint16_t)desc[0], desc[1]);
	return succeed(x);
}

/* ---- all of them ---- */

enum operand { NONE, ANY, MEMORY };
enum rules { COMMON, SHADOWED, OWN };

static const struct {
	const char *name;
	enum vmx_reason reason;
	enum operand operand;
	enum rules rules;
	handler *handle;
} insns[VMX_INSNS] = {
#define VMX_INSN(id, reason, operand, rules, handler) { #id, VMX_REASON_##reason, operand, rules, handler },
#include "vtx/insns.def"
#undef VMX_INSN
};

const char *vmx_insn_name(enum vmx_insn_id id)
{
	return insns[id].name;
}

/* Does the processor have the instruction at all? */
static bool has_insn(const struct vmx *x, enum vmx_insn_id id)
{
	switch (id) {
	case VMX_INSN_INVEPT:
		return vmx_offers(&x->caps, VMX_PROC2_EPT) && vmx_capable(&x->caps, VMX_CAP_INVEPT);
	case VMX_INSN_INVVPID:
		return vmx_offers(&x->caps, VMX_PROC2_VPID) && vmx_capable(&x->caps, VMX_CAP_INVVPID);
	case VMX_INSN_VMFUNC:
		return vmx_offers(&x->caps, VMX_PROC2_VM_FUNCTIONS);
	default:
		return true;
	}
}

static bool exits(const struct vmx *x, const struct vmx_insn *i)
{
	if (!x->guest)
		return false;
	if (insns[i->id].rules != SHADOWED)
		return true;
	return shadow_exits(x, get_reg(x, i->reg),
			    i->id == VMX_INSN_VMREAD ? VMCS_VMREAD_BITMAP : VMCS_VMWRITE_BITMAP);
}

static enum vmx_result execute(struct vmx *x, const struct vmx_insn *i)
{
	if (!has_insn(x, i->id) || (insns[i->id].operand == MEMORY && !i->operand.memory))
		return raise_exception(x, EXC_UD);
	if (insns[i->id].rules != OWN) {
		if (!x->on || !mode_ok(x))
			return raise_exception(x, EXC_UD);
		if (exits(x, i))
			return intercept(x, i, insns[i->id].reason);
		if (x->s.cpl)
			return raise_exception(x, EXC_GP);
	}
	return insns[i->id].handle(x, i);
}

enum vmx_result vmx_execute(struct vmx *x, const struct vmx_insn *i)
{
	enum vmx_result r = execute(x, i);

	if (r == VMX_NEXT) {
		x->s.rip += i->length;
		if (!vmx_mode64(&x->s))
			x->s.rip = (uint32_t)x->s.rip;
	}
	return r;
}
