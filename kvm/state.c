/* SPDX-License-Identifier: GPL-3.0-or-later
 * Registers between struct cpu and KVM. Between exits they are KVM's alone; struct cpu is exact outside
 * run(). Of the MSRs, KVM has those of SYSENTER, the PAT and TSC_AUX; the others stay in struct cpu, as every
 * access to them exits. PAE's PDPTEs are loaded from memory again, which SDM vol. 3A 4.4.1 leaves open. */
#include "kvm/kvm_int.h"

#include "base/log.h"
#include "cpu/system.h"
#include "mm/nested.h"
#include "x86/msrs.h"

#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static bool refused(struct kvm_engine *k, const char *what)
{
	snprintf(k->v->error, sizeof(k->v->error), "KVM refuses %s at %#llx: %s", what,
		 (unsigned long long)cpu_pc(&k->v->cpu), strerror(errno));
	return false;
}

/* ---- general registers ---- */

static struct kvm_regs general(const struct cpu *c)
{
	return (struct kvm_regs){ .rax = c->gpr[R_EAX],
				  .rcx = c->gpr[R_ECX],
				  .rdx = c->gpr[R_EDX],
				  .rbx = c->gpr[R_EBX],
				  .rsp = c->gpr[R_ESP],
				  .rbp = c->gpr[R_EBP],
				  .rsi = c->gpr[R_ESI],
				  .rdi = c->gpr[R_EDI],
				  .rip = c->rip,
				  .rflags = cpu_eflags(c) };
}

static void set_general(struct cpu *c, const struct kvm_regs *r)
{
	const uint64_t gpr[] = { r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi };

	for (unsigned i = 0; i < ARRAY_LEN(gpr); i++)
		c->gpr[i] = (uint32_t)gpr[i];
	c->rip = (uint32_t)r->rip;
	cpu_set_eflags(c, (uint32_t)r->rflags);
}

void state_peek(struct kvm_engine *k)
{
	set_general(&k->v->cpu, &k->run->s.regs.regs);
}

void state_poke_general(struct kvm_engine *k)
{
	const struct kvm_regs new = general(&k->v->cpu);
	struct kvm_regs *r = &k->run->s.regs.regs;

	if (new.rax == r->rax &&new.rbx == r->rbx &&new.rcx == r->rcx &&new.rdx == r->rdx &&new.rsi ==
	    r->rsi &&new.rdi == r->rdi &&new.rbp == r->rbp)
		return;
	r->rax = new.rax;
	r->rbx = new.rbx;
	r->rcx = new.rcx;
	r->rdx = new.rdx;
	r->rsi = new.rsi;
	r->rdi = new.rdi;
	r->rbp = new.rbp;
	k->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
}

/* ---- segments and control registers ---- */

static struct kvm_segment segment(const struct seg_cache *s)
{
	uint32_t a = s->attr;

	return (struct kvm_segment){ .base = s->base,
				     .limit = s->limit,
				     .selector = s->sel,
				     .type = a & SA_TYPE,
				     .s = !!(a & SA_S),
				     .dpl = a >> SA_DPL_SHIFT & 3,
				     .present = !!(a & SA_P),
				     .avl = !!(a & SA_AVL),
				     .db = !!(a & SA_DB),
				     .g = !!(a & SA_G),
				     .unusable = !!(a & SA_UNUSABLE) };
}

static void set_segment(struct seg_cache *s, const struct kvm_segment *k)
{
	s->base = (uint32_t)k->base;
	s->limit = k->limit;
	s->sel = k->selector;
	s->attr = k->type | (k->s ? SA_S : 0) | (uint32_t)k->dpl << SA_DPL_SHIFT | (k->present ? SA_P : 0) |
		  (k->avl ? SA_AVL : 0) | (k->db ? SA_DB : 0) | (k->g ? SA_G : 0) |
		  (k->unusable ? SA_UNUSABLE : 0);
}

/* The places of the segments in struct kvm_sregs. */
static void segments(struct kvm_sregs *r, struct kvm_segment *at[SEG_COUNT])
{
	at[SEG_ES] = &r->es;
	at[SEG_CS] = &r->cs;
	at[SEG_SS] = &r->ss;
	at[SEG_DS] = &r->ds;
	at[SEG_FS] = &r->fs;
	at[SEG_GS] = &r->gs;
}

/* A null selector leaves a segment that KVM takes for unusable by its attributes alone. */
static struct kvm_segment usable(const struct seg_cache *s)
{
	struct kvm_segment k = segment(s);

	k.unusable |= !k.present;
	return k;
}

static bool put_system(struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;
	struct kvm_segment *at[SEG_COUNT];
	struct kvm_sregs r = {
		.tr = segment(&c->tr),
		.ldt = usable(&c->ldtr),
		.gdt = { .base = c->gdtr.base, .limit = (uint16_t)c->gdtr.limit },
		.idt = { .base = c->idtr.base, .limit = (uint16_t)c->idtr.limit },
		.cr0 = c->cr0,
		.cr2 = c->cr2,
		.cr3 = c->cr3,
		.cr4 = c->cr4,
		.efer = c->efer,
		.apic_base = c->apic_base,
	};

	segments(&r, at);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		*at[i] = usable(&c->seg[i]);
	return !ioctl(k->cpu_fd, KVM_SET_SREGS, &r);
}

static bool get_system(struct kvm_engine *k)
{
	struct cpu *c = &k->v->cpu;
	struct kvm_segment *at[SEG_COUNT];
	struct kvm_sregs r;

	if (ioctl(k->cpu_fd, KVM_GET_SREGS, &r))
		return false;
	segments(&r, at);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		set_segment(&c->seg[i], at[i]);
	set_segment(&c->ldtr, &r.ldt);
	set_segment(&c->tr, &r.tr);
	c->gdtr = (struct dt_reg){ .base = (uint32_t)r.gdt.base, .limit = r.gdt.limit };
	c->idtr = (struct dt_reg){ .base = (uint32_t)r.idt.base, .limit = r.idt.limit };
	c->cr0 = (uint32_t)r.cr0;
	c->cr2 = (uint32_t)r.cr2;
	c->cr3 = (uint32_t)r.cr3;
	c->cr4 = (uint32_t)r.cr4;
	c->cpl = cpu_v86(c) ? 3 : !cpu_pe(c) ? 0 : c->seg[SEG_SS].attr >> SA_DPL_SHIFT & 3;
	return true;
}

bool state_keeps_paging(int cpu_fd)
{
	struct kvm_sregs r;

	if (ioctl(cpu_fd, KVM_GET_SREGS, &r))
		return false;
	r.cr0 |= CR0_PE | CR0_PG;
	return !ioctl(cpu_fd, KVM_SET_SREGS, &r) && !ioctl(cpu_fd, KVM_GET_SREGS, &r) && r.cr0 & CR0_PG;
}

/* ---- the rest ---- */

/* KVM's image is in standard form, in the host's layout; what AVX-512 adds is moved to it, or from it. */
static void move_avx512(uint8_t *image, struct avx512_image *x, bool out)
{
	void *const part[] = { x->k, x->zmmh, x->zmm16 };
	uint64_t *in_use = &((struct xsave_image *)(void *)image)->xstate_bv;

	if (!out) {
		x->xcomp_bv = AVX512_XCOMP;
		x->xstate_bv = *in_use & AVX512_COMPONENTS;
	}
	for (unsigned i = 0; i < ARRAY_LEN(part); i++) {
		uint32_t size, at, c, d;

		if (!(x->xstate_bv >> (AVX512_INDEX + i) & 1) ||
		    !__get_cpuid_count(0xd, AVX512_INDEX + i, &size, &at, &c, &d) ||
		    at + size > XSAVE_MOST_BYTES)
			continue;
		memcpy(out ? image + at : (uint8_t *)part[i], out ? (uint8_t *)part[i] : image + at, size);
		*in_use |= 1ull << (AVX512_INDEX + i);
	}
}

static bool put_xsave(struct kvm_engine *k)
{
	struct cpu *c = &k->v->cpu;
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = c->xcr0 ? c->xcr0 : 1 } } };
	struct kvm_xsave *s = (struct kvm_xsave *)k->buffer;

	memset(k->buffer, 0, sizeof(k->buffer));
	memcpy(k->buffer, &c->xsave, sizeof(c->xsave));
	((struct xsave_image *)k->buffer)->xcomp_bv = 0;
	move_avx512(k->buffer, &c->avx512, true);
	if (ioctl(k->cpu_fd, KVM_SET_XCRS, &x))
		LOG(cpu, "KVM refuses XCR0 %#llx", (unsigned long long)c->xcr0);
	return !ioctl(k->cpu_fd, KVM_SET_XSAVE, s);
}

/* What components the guest may have used: x87, SSE, AVX; AVX-512 has an image of its own. */
enum { XSTATE_KNOWN = 7 };

static bool get_xsave(struct kvm_engine *k)
{
	struct cpu *c = &k->v->cpu;
	struct kvm_xcrs x;

	if (ioctl(k->cpu_fd, KVM_GET_XSAVE, k->buffer) || ioctl(k->cpu_fd, KVM_GET_XCRS, &x))
		return false;
	memcpy(&c->xsave, k->buffer, sizeof(c->xsave));
	c->xsave.xstate_bv &= XSTATE_KNOWN;
	c->xsave.xcomp_bv = 0;
	move_avx512(k->buffer, &c->avx512, false);
	for (unsigned i = 0; i < x.nr_xcrs && i < KVM_MAX_XCRS; i++)
		if (!x.xcrs[i].xcr)
			c->xcr0 = x.xcrs[i].value;
	return true;
}

static bool put_debug(struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;
	struct kvm_debugregs d = { .dr6 = c->dr[6], .dr7 = c->dr[7] };

	for (unsigned i = 0; i < KVM_DEBUG_REGISTERS; i++)
		d.db[i] = c->dr[i];
	return !ioctl(k->cpu_fd, KVM_SET_DEBUGREGS, &d);
}

static bool get_debug(struct kvm_engine *k)
{
	struct cpu *c = &k->v->cpu;
	struct kvm_debugregs d;

	if (ioctl(k->cpu_fd, KVM_GET_DEBUGREGS, &d))
		return false;
	for (unsigned i = 0; i < KVM_DEBUG_REGISTERS; i++)
		c->dr[i] = (uint32_t)d.db[i];
	c->dr[6] = (uint32_t)d.dr6;
	c->dr[7] = (uint32_t)d.dr7;
	return true;
}

enum { MSRS_MAX = 3 };
struct msr_list { /* struct kvm_msrs, with room */
	uint32_t nmsrs, padding;
	struct kvm_msr_entry e[MSRS_MAX];
};
_Static_assert(offsetof(struct msr_list, e) == sizeof(struct kvm_msrs), "the list begins behind it");

/* A model without the PAT or TSC_AUX has none to give. */
static bool put_caching(struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;
	struct msr_list l = { .nmsrs = 2,
			      .e = { { .index = MSR_PAT, .data = c->pat },
				     { .index = MSR_TSC_AUX, .data = c->tsc_aux } } };

	return ioctl(k->cpu_fd, KVM_SET_MSRS, &l) >= 0;
}

static bool put_msrs(struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;
	struct msr_list l = { .nmsrs = MSRS_MAX,
			      .e = { { .index = MSR_SYSENTER_CS, .data = c->sysenter_cs },
				     { .index = MSR_SYSENTER_ESP, .data = c->sysenter_esp },
				     { .index = MSR_SYSENTER_EIP, .data = c->sysenter_eip } } };

	return ioctl(k->cpu_fd, KVM_SET_MSRS, &l) == MSRS_MAX && put_caching(k);
}

static bool get_msrs(struct kvm_engine *k)
{
	struct cpu *c = &k->v->cpu;
	struct msr_list l = { .nmsrs = MSRS_MAX,
			      .e = { { .index = MSR_SYSENTER_CS },
				     { .index = MSR_SYSENTER_ESP },
				     { .index = MSR_SYSENTER_EIP } } };

	if (ioctl(k->cpu_fd, KVM_GET_MSRS, &l) < MSRS_MAX)
		return false;
	c->sysenter_cs = l.e[0].data;
	c->sysenter_esp = l.e[1].data;
	c->sysenter_eip = l.e[2].data;
	return true;
}

/* KVM adds its offset to the counter that we read. */
static bool put_tsc(struct kvm_engine *k)
{
	uint64_t offset = k->v->cpu.tsc_offset;
	struct kvm_device_attr a = { .group = KVM_VCPU_TSC_CTRL,
				     .attr = KVM_VCPU_TSC_OFFSET,
				     .addr = (uintptr_t)&offset };

	if (k->tsc_known && k->tsc_offset == offset)
		return true;
	k->tsc_known = true;
	k->tsc_offset = offset;
	return !ioctl(k->cpu_fd, KVM_SET_DEVICE_ATTR, &a);
}

/* ---- events ---- */

static bool put_events(struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;
	struct kvm_vcpu_events e = { .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW };

	e.nmi.masked = c->nmi_blocked;
	e.interrupt.shadow = (__u8)((c->shadow & SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0) |
				    (c->shadow & SHADOW_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0));
	return !ioctl(k->cpu_fd, KVM_SET_VCPU_EVENTS, &e);
}

/* Deliver what KVM was about to. False: shutdown. */
static bool deliver(struct kvm_engine *k, const struct kvm_vcpu_events *e)
{
	struct cpu *c = &k->v->cpu;

	c->nmi_pending |= e->nmi.pending || e->nmi.injected;
	if (e->exception.injected || e->exception.pending) {
		cpu_raise(c, e->exception.nr);
		c->exc.has_err = e->exception.has_error_code;
		c->exc.err = e->exception.error_code;
		c->exc.cr2 = c->cr2;
		return cpu_deliver_exc(k->v);
	}
	return !e->interrupt.injected || e->interrupt.soft || cpu_deliver_irq(k->v, e->interrupt.nr);
}

static void set_events(struct cpu *c, const struct kvm_vcpu_events *e)
{
	c->nmi_blocked = e->nmi.masked;
	c->shadow = (uint8_t)((e->interrupt.shadow & KVM_X86_SHADOW_INT_STI ? SHADOW_STI : 0) |
			      (e->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? SHADOW_SS : 0));
}

/* ---- all of it ---- */

bool state_to_kvm(struct kvm_engine *k)
{
	struct kvm_regs r = general(&k->v->cpu);

	if (!kvm_set_slots(k))
		return false;
	if (k->in_kvm)
		return put_tsc(k) || refused(k, "the time-stamp counter");
	if (!put_msrs(k) || !put_system(k))
		return refused(k, "segments and control registers");
	if (ioctl(k->cpu_fd, KVM_SET_REGS, &r) || !put_xsave(k))
		return refused(k, "registers");
	if (!put_debug(k) || !put_events(k) || !put_tsc(k))
		return refused(k, "events and debug registers");
	k->in_kvm = true;
	k->ready = false;
	return true;
}

int state_from_kvm(struct kvm_engine *k)
{
	struct vcpu *v = k->v;
	struct kvm_vcpu_events e = { 0 };
	struct kvm_regs r;

	if (!k->in_kvm)
		return GO_ON;
	k->in_kvm = false;
	if (!get_system(k) || ioctl(k->cpu_fd, KVM_GET_REGS, &r) || !get_xsave(k) || !get_debug(k) ||
	    !get_msrs(k) || ioctl(k->cpu_fd, KVM_GET_VCPU_EVENTS, &e)) {
		refused(k, "to show registers");
		return ENGINE_ERROR;
	}
	set_general(&v->cpu, &r);
	v->cpu.cpl = cpu_v86(&v->cpu) ? 3 : v->cpu.cpl;
	set_events(&v->cpu, &e);
	k->inner->state_changed(v); /* the guest's tables may be others by now */
	if ((v->cpu.cr0 & CR0_PG) && (v->cpu.cr4 & CR4_PAE))
		mmu_load_pdptrs(v->mmu, v->cpu.cr3);
	if (k->once == REASON_EMULATION) /* the exception that older KVMs raise with the exit */
		return GO_ON;
	return deliver(k, &e) ? GO_ON : ENGINE_SHUTDOWN;
}

struct kvm_shared state_shared(const struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;

	return (struct kvm_shared){ c->efer, c->apic_base, c->pat, c->tsc_aux };
}

bool state_poke_msrs(struct kvm_engine *k, const struct kvm_shared *old)
{
	const struct kvm_shared new = state_shared(k);
	struct kvm_sregs r;

	if (new.efer != old->efer || new.apic_base != old->apic_base) {
		if (ioctl(k->cpu_fd, KVM_GET_SREGS, &r))
			return refused(k, "to show registers");
		r.efer = new.efer;
		r.apic_base = new.apic_base;
		if (ioctl(k->cpu_fd, KVM_SET_SREGS, &r))
			return refused(k, "EFER or the APIC's base");
	}
	if ((new.pat != old->pat || new.tsc_aux != old->tsc_aux) && !put_caching(k))
		return refused(k, "the PAT or TSC_AUX");
	return put_tsc(k) || refused(k, "the time-stamp counter");
}
