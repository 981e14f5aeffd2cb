/* SPDX-License-Identifier: GPL-3.0-or-later
 * See tests/vtx/rig.h. */
#include "tests/vtx/rig.h"
#include "tests/suite.h"
#include "vtx/bits.h"

#include <stdlib.h>
#include <string.h>

static void memory_read(void *ctx, gpa at, void *buf, unsigned n)
{
	struct rig *r = ctx;

	memset(buf, 0xff, n);
	if (at < RIG_MEMORY && n <= RIG_MEMORY - at)
		memcpy(buf, r->memory + at, n);
}

static void memory_write(void *ctx, gpa at, const void *buf, unsigned n)
{
	struct rig *r = ctx;

	if (at < RIG_MEMORY && n <= RIG_MEMORY - at)
		memcpy(r->memory + at, buf, n);
}

static bool operand(struct vmx *x, const struct vmx_operand *op, unsigned n)
{
	struct rig *r = x->owner;

	if (!r->no_operand && op->offset + n <= RIG_MEMORY)
		return true;
	x->exception = (struct vmx_exception){ .vector = EXC_PF, .has_error = true, .address = op->offset };
	return false;
}

static bool operand_load(struct vmx *x, const struct vmx_operand *op, void *buf, unsigned n)
{
	struct rig *r = x->owner;

	if (!operand(x, op, n))
		return false;
	memcpy(buf, r->memory + op->offset, n);
	return true;
}

static bool operand_store(struct vmx *x, const struct vmx_operand *op, const void *buf, unsigned n)
{
	struct rig *r = x->owner;

	if (!operand(x, op, n))
		return false;
	memcpy(r->memory + op->offset, buf, n);
	return true;
}

static bool other_rdmsr(struct vmx *x, uint32_t msr, uint64_t *val)
{
	*val = ((struct rig *)x->owner)->other_msr;
	return msr == RIG_MSR;
}

static bool other_wrmsr(struct vmx *x, uint32_t msr, uint64_t val, bool ask)
{
	if (msr == RIG_MSR && !ask)
		((struct rig *)x->owner)->other_msr = val;
	return msr == RIG_MSR;
}

static void note(struct vmx *x, unsigned type, uint64_t context)
{
	struct rig *r = x->owner;

	r->invalidations++;
	r->type = type;
	r->context = context;
}

static void note_invept(struct vmx *x, unsigned type, uint64_t eptp)
{
	note(x, type, eptp);
}

static void note_invvpid(struct vmx *x, unsigned type, uint16_t vpid, uint64_t address)
{
	(void)address;
	note(x, type, vpid);
}

static const struct vmx_ops ops = {
	.load = operand_load,
	.store = operand_store,
	.rdmsr = other_rdmsr,
	.wrmsr = other_wrmsr,
	.invept = note_invept,
	.invvpid = note_invvpid,
};

struct vmx_model rig_model(enum vmx_generation g, bool long_mode)
{
	return (struct vmx_model){
		.generation = g,
		.long_mode = long_mode,
		.address = 40,
		.linear = 48,
		.cr4 = 0x00f70fff | VMX_CR4_PCIDE | VMX_CR4_CET,
		.efer = EFER_NXE | (long_mode ? EFER_SCE | EFER_LME | EFER_LMA : 0),
		.perf_global = 0x70000000f,
		.sgx = true,
	};
}

void rig_cold(struct rig *r, enum vmx_generation g, bool long_mode)
{
	struct vmx_model m = rig_model(g, long_mode);

	memset(r, 0, sizeof(*r));
	vmx_init(&r->x, &m);
	r->x.owner = r;
	r->x.ops = &ops;
	r->x.mem = (struct vmx_memory){ r, memory_read, memory_write };
	r->x.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX;
	r->x.s.cr0 = CR0_PE | CR0_NE | CR0_PG | CR0_ET;
	r->x.s.cr4 = VMX_CR4_VMXE;
	r->x.s.rflags = FL_ONE;
	r->x.s.dr7 = 0x400;
	r->x.s.seg[SEG_CS].rights = 0xc09b;
	r->x.s.seg[SEG_SS].rights = 0xc093;
}

/* ---- the VMCS ---- */

static enum vmcs_field field_named(const char *id, size_t len)
{
	unsigned f = 0;

	while (f < VMCS_FIELDS &&
	       (strlen(vmcs_fields[f].id) != len || memcmp(vmcs_fields[f].id, id, len) != 0))
		f++;
	ck_assert_msg(f < VMCS_FIELDS, "no field %s", id);
	return (enum vmcs_field)f;
}

static void set_control(struct rig *r, const char *id, size_t len, bool on)
{
	unsigned i = 0;
	enum vmcs_field f;
	uint64_t bit, word;

	while (i < VMX_CONTROLS &&
	       (strlen(vmx_controls[i].id) != len || memcmp(vmx_controls[i].id, id, len) != 0))
		i++;
	ck_assert_msg(i < VMX_CONTROLS, "no control %s", id);
	f = vmx_words[vmx_controls[i].word].field;
	word = rig_field(r, f);
	bit = 1ull << vmx_controls[i].bit;
	vmcs_put(&r->x.vmcs, f, on ? word | bit : word & ~bit);
	if (on && vmx_words[vmx_controls[i].word].under < VMX_CONTROLS) {
		const char *under = vmx_controls[vmx_words[vmx_controls[i].word].under].id;

		set_control(r, under, strlen(under), true);
	}
}

void rig_set(struct rig *r, const char *text)
{
	while (*(text += strspn(text, " "))) {
		size_t len;

		if (*text == '+' || *text == '-') {
			len = strcspn(text + 1, " ");
			set_control(r, text + 1, len, *text == '+');
			text += 1 + len;
		} else {
			enum vmcs_field f;
			uint64_t v, n;
			char how;

			len = strcspn(text, "=+-");
			f = field_named(text, len);
			v = rig_field(r, f);
			how = text[len];
			n = strtoull(text + len + 1, (char **)&text, 16);
			vmcs_put(&r->x.vmcs, f, how == '=' ? n : how == '+' ? v | n : v & ~n);
		}
	}
}

uint64_t rig_field(const struct rig *r, enum vmcs_field f)
{
	return r->x.vmcs.r.value[f];
}

static void valid(struct rig *r, bool mode64)
{
	for (unsigned w = 0; w < VMX_WORDS; w++)
		r->x.vmcs.r.value[vmx_words[w].field] = r->x.caps.word[w].true_must;
	rig_set(
	    r,
	    "GUEST_CR0=80000031 GUEST_CR4=2000 GUEST_RFLAGS=2 GUEST_DR7=400 GUEST_RIP=1000 GUEST_RSP=2000 "
	    "GUEST_CS_SELECTOR=8 GUEST_CS_LIMIT=ffffffff GUEST_CS_ACCESS_RIGHTS=c09b "
	    "GUEST_SS_SELECTOR=10 GUEST_SS_LIMIT=ffffffff GUEST_SS_ACCESS_RIGHTS=c093 "
	    "GUEST_DS_SELECTOR=10 GUEST_DS_LIMIT=ffffffff GUEST_DS_ACCESS_RIGHTS=c093 "
	    "GUEST_ES_SELECTOR=10 GUEST_ES_LIMIT=ffffffff GUEST_ES_ACCESS_RIGHTS=c093 "
	    "GUEST_FS_SELECTOR=10 GUEST_FS_LIMIT=ffffffff GUEST_FS_ACCESS_RIGHTS=c093 "
	    "GUEST_GS_SELECTOR=10 GUEST_GS_LIMIT=ffffffff GUEST_GS_ACCESS_RIGHTS=c093 "
	    "GUEST_LDTR_ACCESS_RIGHTS=10000 GUEST_TR_SELECTOR=18 GUEST_TR_LIMIT=67 GUEST_TR_ACCESS_RIGHTS=8b "
	    "GUEST_GDTR_LIMIT=ffff GUEST_IDTR_LIMIT=ffff VMCS_LINK_POINTER=ffffffffffffffff "
	    "EXECUTIVE_VMCS_POINTER=1000 "
	    "HOST_CR0=80000031 HOST_CR4=2000 HOST_CS_SELECTOR=8 HOST_SS_SELECTOR=10 HOST_DS_SELECTOR=10 "
	    "HOST_ES_SELECTOR=10 HOST_FS_SELECTOR=0 HOST_GS_SELECTOR=0 HOST_TR_SELECTOR=18 "
	    "HOST_RIP=3000 HOST_RSP=4000");
	if (mode64)
		rig_set(
		    r,
		    "+ENTRY_IA32E_GUEST +EXIT_HOST_64 GUEST_CR4+20 HOST_CR4+20 GUEST_CS_ACCESS_RIGHTS=a09b");
}

static void put_region(struct rig *r, gpa at, uint32_t revision, uint32_t launch, bool controls)
{
	struct vmcs v = { .at = at };

	if (controls)
		v.r = r->x.vmcs.r;
	v.r.revision = revision;
	v.r.launch = launch;
	vmcs_store(&v, &r->x.mem);
}

void rig_init(struct rig *r, enum rig_mode mode)
{
	rig_cold(r, mode == RIG_HASWELL ? VMX_GEN_HASWELL : VMX_GEN_ALL, true);
	if (mode == RIG_64) {
		r->x.s.msr[VMX_MSR_EFER] = EFER_LME | EFER_LMA;
		r->x.s.cr4 |= CR4_PAE;
		r->x.s.seg[SEG_CS].rights = 0xa09b;
	}
	r->x.on = true;
	r->x.vmxon = AT_VMXON;
	r->x.vmxon_count = 1;
	r->x.smm = r->x.dual_monitor = mode == RIG_SMM;
	valid(r, mode == RIG_64);
	put_region(r, AT_VMXON, VMCS_REVISION, VMCS_CLEAR, false);
	put_region(r, AT_SHADOW, VMCS_REVISION | VMCS_SHADOW, VMCS_CLEAR, false);
	put_region(r, AT_EXECUTIVE, VMCS_REVISION, VMCS_CLEAR, true);
	put_region(r, AT_LAUNCHED, VMCS_REVISION, VMCS_LAUNCHED, true);
	put_region(r, AT_INVALID, VMCS_REVISION, VMCS_LAUNCHED, false);
	put_region(r, AT_VMCS, VMCS_REVISION, VMCS_CLEAR, true);
	r->x.vmcs.at = AT_VMCS;
	r->x.vmcs.r.revision = VMCS_REVISION;
}
