/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/transition.h. In the order of the manual: 27.3.2 (loading guest state), 28.3 (saving it), 28.5
 * (loading host state), then the transitions as wholes. */
#include "vtx/transition.h"
#include "vtx/bits.h"
#include "vtx/checks.h"
#include "vtx/log.h"
#include "vtx/msr_list.h"
#include "x86/descriptor.h"

const struct vmx_reason_row vmx_reasons[VMX_REASONS] = {
#define REASON(number, id, name, rip) [number] = { #id, name, VMX_RIP_##rip },
#include "vtx/reasons.def"
#undef REASON
};

#define F(id) (x->vmcs.r.value[VMCS_##id])
#define ON(id) VMX_ON(&x->vmcs.r, id)

/* Bits of CR0 that entries and exits leave alone: ET, CD, NW, and those that are reserved (27.3.2.1, 28.5.1).
 */
#define CR0_KEPT 0xffffffff7ffaffd0ull
#define DR7_ZERO 0xd000ull /* bits 12, 14 and 15 */

enum {
	RIGHTS_CODE_64 = SA_G | SA_L | SA_P | SA_S | SA_CODE | SA_RW | SA_A,
	RIGHTS_CODE_32 = SA_G | SA_DB | SA_P | SA_S | SA_CODE | SA_RW | SA_A,
	RIGHTS_DATA = SA_G | SA_DB | SA_P | SA_S | SA_RW | SA_A,
	RIGHTS_TSS = SA_P | DT_TSS32_BUSY,
	TSS_LIMIT = 0x67,
	TABLE_LIMIT = 0xffff,
};

/* ---- segments: fields by register ---- */

struct segment_fields {
	enum vmcs_field selector, base, limit, rights;
};
#define SEGMENT(s)                                                                                           \
	{                                                                                                    \
		VMCS_GUEST_##s##_SELECTOR, VMCS_GUEST_##s##_BASE, VMCS_GUEST_##s##_LIMIT,                    \
		    VMCS_GUEST_##s##_ACCESS_RIGHTS                                                           \
	}
static const struct segment_fields segment_fields[SEG_COUNT] = {
	[SEG_ES] = SEGMENT(ES), [SEG_CS] = SEGMENT(CS), [SEG_SS] = SEGMENT(SS),
	[SEG_DS] = SEGMENT(DS), [SEG_FS] = SEGMENT(FS), [SEG_GS] = SEGMENT(GS),
};
static const struct segment_fields ldtr_fields = SEGMENT(LDTR), tr_fields = SEGMENT(TR);

static void load_segment(const struct vmx *x, struct vmx_segment *s, const struct segment_fields *f)
{
	s->selector = (uint16_t)x->vmcs.r.value[f->selector];
	s->base = x->vmcs.r.value[f->base];
	s->limit = (uint32_t)x->vmcs.r.value[f->limit];
	s->rights = (uint32_t)x->vmcs.r.value[f->rights];
}

/* Returns bits that are set if a field changes. */
static uint64_t save_segment(struct vmx *x, const struct vmx_segment *s, const struct segment_fields *f)
{
	uint64_t *v = x->vmcs.r.value;
	uint64_t differ = (v[f->selector] ^ s->selector) | (v[f->base] ^ s->base) | (v[f->limit] ^ s->limit) |
			  (v[f->rights] ^ s->rights);

	v[f->selector] = s->selector;
	v[f->base] = s->base;
	v[f->limit] = s->limit;
	v[f->rights] = s->rights;
	return differ;
}

/* ---- guest state in ---- */

static void load_guest_efer(struct vmx *x)
{
	uint64_t *efer = &x->s.msr[VMX_MSR_EFER];

	if (ON(ENTRY_LOAD_EFER))
		return;
	*efer &= ~(uint64_t)EFER_LMA;
	if (ON(ENTRY_IA32E_GUEST))
		*efer |= EFER_LMA;
	if (F(GUEST_CR0) & CR0_PG)
		*efer = *efer & EFER_LMA ? *efer | EFER_LME : *efer & ~(uint64_t)EFER_LME;
}

void vmx_load_guest(struct vmx *x, const uint64_t pdpte[4])
{
	struct vmx_state *s = &x->s;

	s->cr0 = (s->cr0 & CR0_KEPT) | (F(GUEST_CR0) & ~CR0_KEPT);
	s->cr3 = F(GUEST_CR3);
	s->cr4 = F(GUEST_CR4);
	if (ON(ENTRY_LOAD_DEBUG))
		s->dr7 = (F(GUEST_DR7) & ~DR7_ZERO) | DR7_ONE;
#define VMX_MSR(id, number, guest, host, entry, save, load, clear)                                           \
	if (ON(entry))                                                                                       \
		s->msr[VMX_MSR_##id] = F(guest);
#include "vtx/msrs.def"
#undef VMX_MSR
	load_guest_efer(x);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		load_segment(x, &s->seg[i], &segment_fields[i]);
	load_segment(x, &s->ldtr, &ldtr_fields);
	load_segment(x, &s->tr, &tr_fields);
	s->cpl = s->seg[SEG_SS].rights >> SA_DPL_SHIFT & 3;
	s->gdtr.base = F(GUEST_GDTR_BASE);
	s->gdtr.limit = (uint32_t)F(GUEST_GDTR_LIMIT);
	s->idtr.base = F(GUEST_IDTR_BASE);
	s->idtr.limit = (uint32_t)F(GUEST_IDTR_LIMIT);
	s->rip = F(GUEST_RIP);
	s->gpr[R_ESP] = F(GUEST_RSP);
	s->rflags = F(GUEST_RFLAGS);
	if (ON(ENTRY_LOAD_CET))
		s->ssp = F(GUEST_SSP);
	for (unsigned i = 0; i < 4; i++)
		s->pdpte[i] = pdpte[i];
	s->interruptibility = (uint32_t)F(GUEST_INTERRUPTIBILITY);
	s->activity = (uint32_t)F(GUEST_ACTIVITY);
	s->pending_debug = F(GUEST_PENDING_DEBUG);
}

/* ---- guest state out ---- */

static bool pae_paging(const struct vmx_state *s)
{
	return s->cr0 & CR0_PG && s->cr4 & CR4_PAE && !(vmx_efer(s) & EFER_LMA);
}

#define PUT(id, val) vmcs_put(&x->vmcs, VMCS_##id, val)

static void save_guest_msrs(struct vmx *x)
{
	bool long_mode = x->caps.model.long_mode;

#define VMX_MSR(id, number, guest, host, entry, save, load, clear)                                           \
	if (VMX_##save == VMX_OFFERED ? x->caps.saved_msrs >> VMX_MSR_##id & 1 : ON(save))                   \
		PUT(guest, x->s.msr[VMX_MSR_##id] & vmcs_mask(VMCS_##guest, long_mode));
#include "vtx/msrs.def"
#undef VMX_MSR
}

static void save_segments(struct vmx *x)
{
	const struct vmx_state *s = &x->s;
	uint64_t differ = save_segment(x, &s->ldtr, &ldtr_fields) | save_segment(x, &s->tr, &tr_fields);

	for (unsigned i = 0; i < SEG_COUNT; i++)
		differ |= save_segment(x, &s->seg[i], &segment_fields[i]);
	if (differ)
		x->vmcs.checked = false;
	PUT(GUEST_GDTR_BASE, s->gdtr.base);
	PUT(GUEST_GDTR_LIMIT, s->gdtr.limit);
	PUT(GUEST_IDTR_BASE, s->idtr.base);
	PUT(GUEST_IDTR_LIMIT, s->idtr.limit);
}

void vmx_save_guest(struct vmx *x)
{
	const struct vmx_state *s = &x->s;

	PUT(GUEST_CR0, s->cr0);
	PUT(GUEST_CR3, s->cr3);
	PUT(GUEST_CR4, s->cr4);
	if (ON(EXIT_SAVE_DEBUG))
		PUT(GUEST_DR7, s->dr7);
	save_guest_msrs(x);
	save_segments(x);
	PUT(GUEST_RIP, s->rip);
	PUT(GUEST_RSP, s->gpr[R_ESP]);
	PUT(GUEST_RFLAGS, s->rflags);
	if (vmx_has_field(&x->caps, VMCS_GUEST_SSP))
		PUT(GUEST_SSP, s->ssp);
	if (ON(PROC2_EPT) && pae_paging(s))
		for (unsigned i = 0; i < 4; i++)
			vmcs_put(&x->vmcs, VMCS_GUEST_PDPTE0 + i, s->pdpte[i]);
	PUT(GUEST_INTERRUPTIBILITY, s->interruptibility);
	PUT(GUEST_ACTIVITY, s->activity);
	PUT(GUEST_PENDING_DEBUG, s->pending_debug);
	if (ON(EXIT_SAVE_PREEMPTION_TIMER))
		PUT(PREEMPTION_TIMER, s->preemption_timer);
	if (vmx_capable(&x->caps, VMX_CAP_STORE_LMA)) {
		uint64_t lma = vmx_efer(s) & EFER_LMA ? vmx_bit(VMX_ENTRY_IA32E_GUEST) : 0;

		PUT(ENTRY_CONTROLS, (F(ENTRY_CONTROLS) & ~vmx_bit(VMX_ENTRY_IA32E_GUEST)) | lma);
	}
}

/* ---- host state in ---- */

static void load_host_msrs(struct vmx *x)
{
	uint64_t *efer = &x->s.msr[VMX_MSR_EFER], long_mode = EFER_LMA | EFER_LME;

#define VMX_MSR(id, number, guest, host, entry, save, load, clear)                                           \
	if (ON(load))                                                                                        \
		x->s.msr[VMX_MSR_##id] = x->vmcs.r.value[VMCS_##host % VMCS_FIELDS];                         \
	if (ON(clear))                                                                                       \
		x->s.msr[VMX_MSR_##id] = 0;
#include "vtx/msrs.def"
#undef VMX_MSR
	*efer = ON(EXIT_HOST_64) ? *efer | long_mode : *efer & ~long_mode;
}

static void load_host_segment(struct vmx_segment *s, uint64_t selector, uint64_t base, bool can_be_null)
{
	s->selector = (uint16_t)selector;
	s->base = base;
	s->limit = 0xffffffff;
	s->rights = RIGHTS_DATA | (can_be_null && !selector ? AR_UNUSABLE : 0);
}

static void load_host_segments(struct vmx *x)
{
	struct vmx_state *s = &x->s;

	load_host_segment(&s->seg[SEG_CS], F(HOST_CS_SELECTOR), 0, false);
	s->seg[SEG_CS].rights = ON(EXIT_HOST_64) ? RIGHTS_CODE_64 : RIGHTS_CODE_32;
	load_host_segment(&s->seg[SEG_SS], F(HOST_SS_SELECTOR), 0, true);
	load_host_segment(&s->seg[SEG_DS], F(HOST_DS_SELECTOR), 0, true);
	load_host_segment(&s->seg[SEG_ES], F(HOST_ES_SELECTOR), 0, true);
	load_host_segment(&s->seg[SEG_FS], F(HOST_FS_SELECTOR), F(HOST_FS_BASE), true);
	load_host_segment(&s->seg[SEG_GS], F(HOST_GS_SELECTOR), F(HOST_GS_BASE), true);
	s->tr = (struct vmx_segment){ F(HOST_TR_BASE), TSS_LIMIT, RIGHTS_TSS, (uint16_t)F(HOST_TR_SELECTOR) };
	s->ldtr = (struct vmx_segment){ .rights = AR_UNUSABLE };
	s->gdtr.base = F(HOST_GDTR_BASE);
	s->idtr.base = F(HOST_IDTR_BASE);
	s->gdtr.limit = s->idtr.limit = TABLE_LIMIT;
	s->cpl = 0;
}

bool vmx_load_host(struct vmx *x)
{
	struct vmx_state *s = &x->s;
	bool ok = true;

	s->cr0 = (s->cr0 & CR0_KEPT) | (F(HOST_CR0) & ~CR0_KEPT);
	s->cr3 = F(HOST_CR3);
	s->cr4 = ON(EXIT_HOST_64) ? F(HOST_CR4) | CR4_PAE : F(HOST_CR4) & ~VMX_CR4_PCIDE;
	s->dr7 = DR7_INIT;
	load_host_msrs(x);
	load_host_segments(x);
	s->rip = F(HOST_RIP);
	s->gpr[R_ESP] = F(HOST_RSP);
	s->rflags = FL_ONE;
	if (ON(EXIT_LOAD_CET))
		s->ssp = F(HOST_SSP);
	if (pae_paging(s)) {
		x->mem.read(x->mem.ctx, s->cr3 & 0xffffffe0, s->pdpte, sizeof(s->pdpte));
		for (unsigned i = 0; i < 4; i++)
			ok = ok && vmx_pdpte_ok(&x->caps, s->pdpte[i]);
	}
	s->interruptibility &= BLOCK_NMI | BLOCK_SMI;
	s->activity = VMX_ACTIVE;
	s->pending_debug = 0;
	return ok;
}

/* ---- transitions ---- */

/* A VMX abort (28.7): the indicator is in memory, the processor shuts down. */
static enum vmx_result abort_exit(struct vmx *x, enum vmx_abort why)
{
	uint32_t indicator = why;

	x->vmcs.r.abort = indicator;
	x->mem.write(x->mem.ctx, x->vmcs.at + offsetof(struct vmcs_region, abort), &indicator, 4);
	x->aborted = true;
	x->guest = false;
	x->s.activity = VMX_SHUTDOWN;
	return VMX_ABORTED;
}

/* Load the host's state and MSRs; RESULT is what becomes of it. */
static enum vmx_result to_host(struct vmx *x, enum vmx_result result)
{
	if (!vmx_load_host(x))
		return abort_exit(x, VMX_ABORT_HOST_PDPTE);
	if (vmx_msrs_load(x, F(EXIT_MSR_LOAD_ADDRESS), (uint32_t)F(EXIT_MSR_LOAD_COUNT)).number)
		return abort_exit(x, VMX_ABORT_LOAD_MSR);
	x->guest = false;
	x->injection = 0;
	return result;
}

/* A VM entry that fails behind the checks of host state (27.8): nothing but reason and qualification is
 * recorded, no guest state is saved. NMI is blocked as before. */
static enum vmx_result entry_failure(struct vmx *x, enum vmx_reason reason, uint64_t qualification,
				     uint32_t nmi)
{
	F(EXIT_REASON) = reason | VMX_REASON_ENTRY_FAILURE;
	F(EXIT_QUALIFICATION) = qualification;
	x->s.interruptibility = nmi;
	return to_host(x, VMX_ENTRY_FAILED);
}

/* The VMCS that is current after a return from SMM, and what else such an entry does (31.3
 * VMLAUNCH, 32.15.4). */
static void leave_smm(struct vmx *x)
{
	uint64_t executive = F(EXECUTIVE_VMCS_POINTER);
	uint64_t next = executive == x->vmxon ? F(VMCS_LINK_POINTER) : executive;

	if (ON(ENTRY_END_DUAL_MONITOR))
		x->dual_monitor = false;
	else
		x->smm_transfer = x->vmcs.at;
	x->guest = executive != x->vmxon;
	x->smm = false;
	vmcs_store(&x->vmcs, &x->mem);
	if (next == VMCS_NONE)
		x->vmcs.at = VMCS_NONE;
	else
		vmcs_load(&x->vmcs, &x->mem, next, x->caps.model.long_mode);
}

/* The event to be delivered first: that of the VMCS, else one that a person asked for. */
static void inject(struct vmx *x)
{
	x->injection = F(ENTRY_INTERRUPTION_INFO) & EVENT_VALID ? F(ENTRY_INTERRUPTION_INFO) : 0;
	x->injection_error = (uint32_t)F(ENTRY_EXCEPTION_ERROR_CODE);
	x->injection_length = (uint32_t)F(ENTRY_INSTRUCTION_LENGTH);
	if (!x->steer.event || x->injection)
		return;
	x->injection = x->steer.event;
	x->injection_error = x->steer.event_error;
	x->injection_length = x->steer.event_length;
	x->steer.event = 0;
}

/* All checks; those that held before with the same fields are not asked again. */
static enum vmx_check check(struct vmx *x, const struct vmx_checking *c)
{
	bool steady = vmx_checks_steady(c);
	enum vmx_check row = steady && x->vmcs.checked ? VMX_CHECKS : vmx_check_all(c);

	x->vmcs.checked = row == VMX_CHECKS && (steady || x->vmcs.checked);
	return row;
}

enum vmx_result vmx_enter(struct vmx *x, unsigned *error)
{
	struct vmx_checking c;
	enum vmx_check row;
	uint32_t nmi = x->s.interruptibility & (BLOCK_NMI | BLOCK_SMI);
	struct vmx_msr_failure bad;

	vmx_checking_init(&c, x, &x->vmcs);
	row = check(x, &c);
	x->failed_check = row < VMX_CHECKS ? (int)row : -1;
	if (row < VMX_CHECK_FIRST_GUEST) {
		*error = vmx_check_groups[vmx_check_rows[row].group].error;
		vmx_log_failed(x, row, NULL, *error);
		return VMX_NEXT;
	}
	if (row < VMX_CHECKS) {
		vmx_log_failed(x, row, NULL, 0);
		return entry_failure(x, VMX_REASON_ENTRY_GUEST_STATE,
				     vmx_check_groups[vmx_check_rows[row].group].qualification, nmi);
	}
	vmx_load_guest(x, c.pdpte);
	bad = vmx_msrs_load(x, F(ENTRY_MSR_LOAD_ADDRESS), (uint32_t)F(ENTRY_MSR_LOAD_COUNT));
	if (bad.number) {
		vmx_log_failed(x, VMX_CHECKS, &bad, 0);
		return entry_failure(x, VMX_REASON_ENTRY_MSR_LOADING, bad.number, nmi);
	}
	x->vmcs.r.launch = VMCS_LAUNCHED;
	x->vmcs.r.vmxon = x->vmxon_count;
	inject(x);
	x->guest = true;
	vmx_log_entered(x, vmx_log_now(x));
	if (x->smm && !ON(ENTRY_TO_SMM))
		leave_smm(x);
	return VMX_ENTERED;
}

static void record(struct vmx *x, const struct vmx_exit *e)
{
	F(EXIT_REASON) = e->reason;
	F(EXIT_QUALIFICATION) =
	    e->qualification & vmcs_mask(VMCS_EXIT_QUALIFICATION, x->caps.model.long_mode);
	F(EXIT_INSTRUCTION_LENGTH) = e->instruction_length;
	F(EXIT_INSTRUCTION_INFO) = e->instruction_info;
	F(EXIT_INTERRUPTION_INFO) = e->event;
	F(EXIT_INTERRUPTION_ERROR_CODE) = e->event_error;
	F(IDT_VECTORING_INFO) = e->vectoring;
	F(IDT_VECTORING_ERROR_CODE) = e->vectoring_error;
	F(GUEST_LINEAR_ADDRESS) = e->linear;
	F(GUEST_PHYSICAL_ADDRESS) = e->physical;
	F(ENTRY_INTERRUPTION_INFO) &= ~(uint64_t)EVENT_VALID;
}

void vmx_note_exit(struct vmx *x, const struct vmx_exit *e)
{
	vmx_log_exit(x, e, vmx_log_now(x));
	record(x, e);
	vmx_save_guest(x);
	vmx_log_left(x);
	vmx_log_entered(x, vmx_log_now(x));
}

enum vmx_result vmx_leave(struct vmx *x, const struct vmx_exit *e)
{
	bool long_guest = vmx_efer(&x->s) & EFER_LMA;

	vmx_log_exit(x, e, vmx_log_now(x));
	record(x, e);
	if (e->rf)
		x->s.rflags |= FL_RF;
	vmx_save_guest(x);
	vmx_log_left(x);
	if (e->reason == VMX_REASON_MONITOR_TRAP_FLAG)
		x->steer.step = false;
	if (vmx_msrs_store(x, F(EXIT_MSR_STORE_ADDRESS), (uint32_t)F(EXIT_MSR_STORE_COUNT)).number)
		return abort_exit(x, VMX_ABORT_SAVE_MSR);
	if (long_guest && !ON(EXIT_HOST_64))
		return abort_exit(x, VMX_ABORT_HOST_32);
	/* An NMI that exits blocks NMIs; with virtual NMIs, the guest's blocking is none of the host's. */
	if (e->reason == VMX_REASON_EXCEPTION_NMI && vmx_event_type(e->event) == VMX_EVENT_NMI)
		x->s.interruptibility |= BLOCK_NMI;
	else if (ON(PIN_VIRTUAL_NMIS))
		x->s.interruptibility &= ~(uint32_t)BLOCK_NMI;
	return to_host(x, VMX_EXITED);
}
