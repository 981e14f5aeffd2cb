/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/transition.h. In the order of the manual's pseudo-code: saving the host, loading the guest, saving
 * the guest, loading the host, then the transitions as wholes. */
#include "svm/transition.h"
#include "svm/log.h"
#include "x86/descriptor.h"

#define F(id) VMCB_GET(&x->vmcb, id)
#define SET(id, val) VMCB_SET(&x->vmcb, id, val)
#define ON(id) VMCB_ON(&x->caps, &x->vmcb, id)

#define DR7_ZERO 0xd000ull /* bits 12, 14 and 15 */
#define DR6_VALID 0xe00full

/* ---- segments ---- */

/* Offsets of a segment's slot. */
enum { SLOT_SELECTOR = 0, SLOT_ATTRIBUTES = 2, SLOT_LIMIT = 4, SLOT_BASE = 8, SLOT_SIZE = 16 };

static unsigned slot_of(unsigned seg)
{
	return VMCB_STATE + SLOT_SIZE * seg;
}

static void load_slot(const struct svm_caps *caps, const struct vmcb *v, unsigned slot, struct svm_segment *s)
{
	s->selector = (uint16_t)vmcb_get_at(v, slot + SLOT_SELECTOR, 2);
	s->rights = svm_rights(vmcb_get_at(v, slot + SLOT_ATTRIBUTES, 2));
	s->limit = (uint32_t)vmcb_get_at(v, slot + SLOT_LIMIT, 4);
	s->base = svm_canonical(caps, vmcb_get_at(v, slot + SLOT_BASE, 8));
	if (!(s->rights & SA_P))
		s->rights |= AR_UNUSABLE;
}

static void save_slot(struct vmcb *v, unsigned slot, const struct svm_segment *s)
{
	vmcb_set_at(v, slot + SLOT_SELECTOR, 2, s->selector);
	vmcb_set_at(v, slot + SLOT_ATTRIBUTES, 2, svm_attributes(s->rights));
	vmcb_set_at(v, slot + SLOT_LIMIT, 4, s->limit);
	vmcb_set_at(v, slot + SLOT_BASE, 8, s->base);
}

/* Of a segment's attributes the processor observes a part (15.5.1, segment state in the VMCB); the others
 * get the values that a descriptor would have. A base outside 64-bit mode has 32 bits. */
static void observe(const struct svm_state *s, unsigned seg, struct svm_segment *g)
{
	uint32_t dpl = (uint32_t)s->cpl << SA_DPL_SHIFT;

	if (seg != SEG_FS && seg != SEG_GS && !svm_long(s))
		g->base = (uint32_t)g->base;
	if (seg == SEG_CS)
		g->rights = (g->rights & (SA_L | SA_DB | SA_RW | SA_EC | SA_G | SA_AVL)) | SA_P | SA_S |
			    SA_CODE | SA_A | dpl;
	else if (seg == SEG_SS && g->rights & SA_P)
		g->rights = (g->rights & (SA_DB | SA_EC | SA_RW | SA_G | SA_AVL)) | SA_P | SA_S | SA_A | dpl;
	else if (g->rights & SA_P)
		g->rights |= SA_S | SA_A;
}

/* ---- the host ---- */

static void save_host(struct svm *x, uint64_t next_rip)
{
	const struct svm_state *s = &x->s;
	struct svm_host *h = &x->host;

	h->rax = s->gpr[R_EAX];
	h->rsp = s->gpr[R_ESP];
	h->rip = next_rip;
	h->rflags = s->rflags;
	h->cr0 = s->cr0;
	h->cr3 = s->cr3;
	h->cr4 = s->cr4;
	h->efer = s->efer;
	h->pat = s->pat;
	for (unsigned i = 0; i <= SEG_DS; i++)
		h->seg[i] = s->seg[i];
	h->gdtr = s->gdtr;
	h->idtr = s->idtr;
	for (unsigned i = SVM_SWAPPED; i < SVM_MSRS; i++)
		h->msr[i - SVM_SWAPPED] = s->msr[i];
}

/* ---- guest state in ---- */

static uint8_t guest_cpl(const struct svm *x)
{
	if (!(F(CR0) & CR0_PE))
		return 0;
	return F(RFLAGS) & FL_VM ? 3 : F(CPL) & 3;
}

static void load_control_registers(struct svm *x)
{
	struct svm_state *s = &x->s;
	bool has_long = x->caps.model.long_mode;

	s->cr0 = F(CR0) | CR0_ET;
	s->cr2 = has_long ? F(CR2) : (uint32_t)F(CR2);
	s->cr4 = F(CR4);
	s->efer = F(EFER) & ~(uint64_t)EFER_LMA;
	if (s->efer & EFER_LME && s->cr0 & CR0_PG)
		s->efer |= EFER_LMA;
	s->cr3 = svm_long(s) ? F(CR3) : (uint32_t)F(CR3);
	s->dr6 = (F(DR6) & DR6_VALID) | DR6_INIT;
	s->dr7 = ((uint32_t)F(DR7) & ~DR7_ZERO) | DR7_ONE;
	if (ON(NP_ENABLE))
		s->pat = F(G_PAT);
	if (ON(LBR_ENABLE)) {
		s->msr[SVM_DBGCTL] = F(DBGCTL);
		s->msr[SVM_BR_FROM] = F(BR_FROM);
		s->msr[SVM_BR_TO] = F(BR_TO);
		s->msr[SVM_LAST_EXCP_FROM] = F(LAST_EXCP_FROM);
		s->msr[SVM_LAST_EXCP_TO] = F(LAST_EXCP_TO);
	}
}

void svm_load_guest(struct svm *x)
{
	struct svm_state *s = &x->s;
	bool has_long = x->caps.model.long_mode;

	load_control_registers(x);
	s->cpl = guest_cpl(x);
	for (unsigned i = 0; i <= SEG_DS; i++) {
		load_slot(&x->caps, &x->vmcb, slot_of(i), &s->seg[i]);
		observe(s, i, &s->seg[i]);
	}
	s->gdtr.base = svm_canonical(&x->caps, F(GDTR_BASE));
	s->gdtr.limit = F(GDTR_LIMIT) & 0xffff;
	s->idtr.base = svm_canonical(&x->caps, F(IDTR_BASE));
	s->idtr.limit = F(IDTR_LIMIT) & 0xffff;
	s->rflags = (F(RFLAGS) & SVM_RFLAGS_VALID) | FL_ONE;
	s->rip = svm_mode64(s) ? F(RIP) : (uint32_t)F(RIP);
	s->gpr[R_ESP] = has_long ? F(RSP) : (uint32_t)F(RSP);
	s->gpr[R_EAX] = has_long ? F(RAX) : (uint32_t)F(RAX);
	s->shadow = VMCB_BITS(&x->vmcb, SHADOW);
}

/* ---- guest state out ---- */

void svm_save_guest(struct svm *x)
{
	const struct svm_state *s = &x->s;

	for (unsigned i = 0; i <= SEG_DS; i++)
		save_slot(&x->vmcb, slot_of(i), &s->seg[i]);
	SET(GDTR_BASE, s->gdtr.base);
	SET(GDTR_LIMIT, s->gdtr.limit);
	SET(IDTR_BASE, s->idtr.base);
	SET(IDTR_LIMIT, s->idtr.limit);
	SET(CPL, s->cpl);
	SET(EFER, s->efer);
	SET(CR0, s->cr0);
	SET(CR2, s->cr2);
	SET(CR3, s->cr3);
	SET(CR4, s->cr4);
	SET(DR6, s->dr6);
	SET(DR7, s->dr7);
	SET(RFLAGS, s->rflags);
	SET(RIP, s->rip);
	SET(RSP, s->gpr[R_ESP]);
	SET(RAX, s->gpr[R_EAX]);
	if (ON(NP_ENABLE))
		SET(G_PAT, s->pat);
	if (ON(LBR_ENABLE)) {
		SET(DBGCTL, s->msr[SVM_DBGCTL]);
		SET(BR_FROM, s->msr[SVM_BR_FROM]);
		SET(BR_TO, s->msr[SVM_BR_TO]);
		SET(LAST_EXCP_FROM, s->msr[SVM_LAST_EXCP_FROM]);
		SET(LAST_EXCP_TO, s->msr[SVM_LAST_EXCP_TO]);
	}
	SET(INTERRUPT_SHADOW, s->shadow ? 1 : 0);
}

/* ---- host state in ---- */

bool svm_load_host(struct svm *x)
{
	const struct svm_host *h = &x->host;
	struct svm_state *s = &x->s;
	bool ok = true;

	s->gpr[R_EAX] = h->rax;
	s->gpr[R_ESP] = h->rsp;
	s->rip = h->rip;
	s->rflags = h->rflags & ~(uint64_t)(FL_VM | FL_RF);
	s->cr0 = h->cr0 | CR0_PE;
	s->cr3 = h->cr3;
	s->cr4 = h->cr4;
	s->efer = h->efer;
	s->pat = h->pat;
	s->dr7 = DR7_INIT;
	s->cpl = 0;
	s->shadow = false;
	for (unsigned i = 0; i <= SEG_DS; i++)
		s->seg[i] = h->seg[i];
	s->gdtr = h->gdtr;
	s->idtr = h->idtr;
	if (ON(LBR_ENABLE))
		for (unsigned i = SVM_SWAPPED; i < SVM_MSRS; i++)
			s->msr[i] = h->msr[i - SVM_SWAPPED];
	if (svm_pae(s)) {
		x->mem.read(x->mem.ctx, s->cr3 & 0xffffffe0, s->pdpte, sizeof(s->pdpte));
		for (unsigned i = 0; i < 4; i++)
			ok = ok && svm_pdpte_ok(&x->caps, s->pdpte[i]);
	}
	return ok;
}

/* ---- VMLOAD and VMSAVE ---- */

#define SWAPPED_MSRS(DO)                                                                                     \
	DO(STAR, STAR)                                                                                       \
	DO(LSTAR, LSTAR)                                                                                     \
	DO(CSTAR, CSTAR)                                                                                     \
	DO(SFMASK, SFMASK)                                                                                   \
	DO(KERNEL_GS_BASE, KERNEL_GS_BASE)                                                                   \
	DO(SYSENTER_CS, SYSENTER_CS)                                                                         \
	DO(SYSENTER_ESP, SYSENTER_ESP)                                                                       \
	DO(SYSENTER_EIP, SYSENTER_EIP)

void svm_load_swapped(struct svm *x, gpa at)
{
	struct svm_state *s = &x->s;
	struct vmcb v;

	vmcb_fetch_swapped(&v, &x->mem, at);
	load_slot(&x->caps, &v, VMCB_AT_FS_SELECTOR, &s->seg[SEG_FS]);
	load_slot(&x->caps, &v, VMCB_AT_GS_SELECTOR, &s->seg[SEG_GS]);
	observe(s, SEG_FS, &s->seg[SEG_FS]);
	observe(s, SEG_GS, &s->seg[SEG_GS]);
	load_slot(&x->caps, &v, VMCB_AT_LDTR_SELECTOR, &s->ldtr);
	load_slot(&x->caps, &v, VMCB_AT_TR_SELECTOR, &s->tr);
	/* Of LDTR P alone is observed, of TR whether it is a 16- or a 32-bit TSS. */
	s->ldtr.rights = (s->ldtr.rights & ~(uint32_t)(SA_TYPE | SA_S)) | DT_LDT;
	s->tr.rights = (s->tr.rights & ~(uint32_t)(AR_UNUSABLE | SA_TYPE | SA_S)) | SA_P |
		       (s->tr.rights & DT_32BIT ? DT_TSS32_BUSY : DT_TSS16_BUSY);
#define LOAD(id, field) s->msr[SVM_##id] = VMCB_GET(&v, field);
	SWAPPED_MSRS(LOAD)
#undef LOAD
	s->msr[SVM_KERNEL_GS_BASE] = svm_canonical(&x->caps, s->msr[SVM_KERNEL_GS_BASE]);
}

void svm_save_swapped(struct svm *x, gpa at)
{
	const struct svm_state *s = &x->s;
	struct vmcb v;

	save_slot(&v, VMCB_AT_FS_SELECTOR, &s->seg[SEG_FS]);
	save_slot(&v, VMCB_AT_GS_SELECTOR, &s->seg[SEG_GS]);
	save_slot(&v, VMCB_AT_LDTR_SELECTOR, &s->ldtr);
	save_slot(&v, VMCB_AT_TR_SELECTOR, &s->tr);
#define SAVE(id, field) VMCB_SET(&v, field, s->msr[SVM_##id]);
	SWAPPED_MSRS(SAVE)
#undef SAVE
	vmcb_store_swapped(&v, &x->mem, at);
}

/* ---- transitions ---- */

static void flush(struct svm *x)
{
	unsigned how = F(TLB_CONTROL) & 7;
	bool by_asid = SVM_HAS(&x->caps, FLUSH_BY_ASID);
	enum svm_flush what = how == 3 && by_asid   ? SVM_FLUSH_ASID
			      : how == 7 && by_asid ? SVM_FLUSH_ASID_LOCAL
						    : SVM_FLUSH_ALL;

	if (how & 1 && x->ops->flush)
		x->ops->flush(x, what, (uint32_t)F(ASID));
}

static void record(struct svm *x, const struct svm_exit *e)
{
	SET(EXIT_CODE, e->code);
	SET(EXIT_INFO_1, e->info1);
	SET(EXIT_INFO_2, e->info2);
	SET(EXIT_INT_INFO, x->delivering);
	SET(EVENT_INJECTION, F(EVENT_INJECTION) & ~SVM_EVENT_VALID);
	SET(NEXT_RIP, SVM_HAS(&x->caps, NEXT_RIP) ? e->next_rip : 0);
	SET(FETCHED, 0);
	for (unsigned i = 0; i < SVM_INSN_MAX; i++)
		x->vmcb.bytes[VMCB_AT_INSTRUCTION_0 + i] = 0;
	if (!SVM_HAS(&x->caps, DECODE_ASSISTS))
		return;
	SET(FETCHED, e->fetched);
	for (unsigned i = 0; i < e->fetched && i < SVM_INSN_MAX; i++)
		x->vmcb.bytes[VMCB_AT_INSTRUCTION_0 + i] = e->bytes[i];
}

/* What both kinds of #VMEXIT end with. */
static enum svm_result to_host(struct svm *x, enum svm_result result)
{
	bool ok = svm_load_host(x);

	x->guest = false;
	x->gif = false;
	x->injection = 0;
	x->delivering = 0;
	x->shutdown = !ok;
	return ok ? result : SVM_SHUTDOWN;
}

/* A check failed: nothing of the guest was loaded, and nothing but the code is stored. */
static enum svm_result invalid(struct svm *x, uint64_t next_rip)
{
	SET(EXIT_CODE, SVM_EXIT_INVALID);
	SET(EXIT_INFO_1, 0);
	SET(EXIT_INFO_2, 0);
	SET(EXIT_INT_INFO, 0);
	vmcb_store_exit(&x->vmcb, &x->mem, true);
	vmcb_forget(&x->vmcb);
	x->s.rip = next_rip;
	x->s.dr7 = DR7_INIT;
	x->s.shadow = false;
	x->gif = false;
	return SVM_ENTRY_FAILED;
}

/* As if INT N were at the guest's RIP: what nRIP says of the last exit does not count. */
static void inject_by_hand(struct svm *x)
{
	x->injection = x->steer.event;
	x->steer.event = 0;
	if (svm_event_type(x->injection) == SVM_EVENT_INT_N)
		SET(NEXT_RIP, x->s.rip + 2);
}

enum svm_result svm_enter(struct svm *x, gpa at, uint64_t next_rip)
{
	struct svm_checking c;
	enum svm_check row;

	vmcb_fetch(&x->vmcb, &x->mem, at, SVM_HAS(&x->caps, CLEAN));
	svm_checking_init(&c, x, &x->vmcb);
	row = svm_check_all(&c);
	x->failed_check = row < SVM_CHECKS ? (int)row : -1;
	if (row < SVM_CHECKS) {
		svm_log_failed(x, row);
		return invalid(x, next_rip);
	}
	save_host(x, next_rip);
	svm_load_guest(x);
	for (unsigned i = 0; i < 4; i++)
		x->s.pdpte[i] = c.pdpte[i];
	x->guest = true;
	x->gif = true;
	x->delivering = 0;
	x->injection = F(EVENT_INJECTION) & SVM_EVENT_VALID ? F(EVENT_INJECTION) : 0;
	if (x->steer.event && !x->injection)
		inject_by_hand(x);
	flush(x);
	svm_log_entered(x);
	return SVM_ENTERED;
}

enum svm_result svm_leave(struct svm *x, const struct svm_exit *e)
{
	svm_log_exit(x, e);
	record(x, e);
	svm_save_guest(x);
	vmcb_store_exit(&x->vmcb, &x->mem, false);
	svm_log_left(x);
	return to_host(x, SVM_EXITED);
}
