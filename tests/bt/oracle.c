/* SPDX-License-Identifier: GPL-3.0-or-later
 * See tests/bt/oracle.h. */
#include "tests/bt/oracle.h"
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"
#include "bt/decode/allow.h"
#include "bt/runtime/dispatch.h"
#include "bt/translate/translate.h"

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 8, CODE_AT = 0x1000, TABLES_AT = 0x4000 };

struct oracle {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct bt_vcpu *b;
	struct isa host;
	struct oracle_cpu cpu; /* of the last call */
	unsigned insns;
	bool kept;
	char text[400];
};

/* ---- a platform with the host's CPUID ---- */

static uint32_t no_in(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx, (void)port, (void)size;
	return ~0u;
}

static bool no_irq(void *ctx)
{
	(void)ctx;
	return false;
}

static void host_cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)ctx, (void)cpu;
	__cpuid_count(leaf, sub, out[0], out[1], out[2], out[3]);
}

/* The first 2 MiB are where they are, for everybody. */
static void write_tables(struct mm_vm *vm)
{
	static const uint64_t entry[] = { 7 | (TABLES_AT + 0x1000), 7 | (TABLES_AT + 0x2000), 7 | 0x80 };

	for (unsigned i = 0; i < ARRAY_LEN(entry); i++)
		mm_phys_write(vm, TABLES_AT + 0x1000 * i, &entry[i], 8);
}

struct oracle *oracle_new(void)
{
	struct platform plat = { .in = no_in, .irq_pending = no_irq, .cpuid = host_cpuid };
	struct bt_config cfg = { .tc_size = 8 << 20, .verify = true };
	struct oracle *o = calloc(1, sizeof(*o));
	char err[256] = "";

	if (!o)
		return NULL;
	o->pool = mm_pool_new(PAGES * PAGE_SIZE);
	o->vm = o->pool ? mm_vm_new(o->pool) : NULL;
	if (o->vm && !mm_vm_add_ram(o->vm, 0, PAGES * PAGE_SIZE, false))
		o->b = (struct bt_vcpu *)bt_vcpu_new(&cfg, o->vm, &plat, CLOCK_HOST, err, sizeof(err));
	if (o->b) {
		write_tables(o->vm);
		o->host = o->b->isa;
		return o;
	}
	fprintf(stderr, "%s\n", err);
	oracle_free(o);
	return NULL;
}

void oracle_free(struct oracle *o)
{
	if (!o)
		return;
	if (o->b)
		o->b->v.ops->free(&o->b->v);
	mm_vm_free(o->vm);
	mm_pool_free(o->pool);
	free(o);
}

/* ---- the processor ---- */

static void set_segments(struct cpu *c, const struct oracle_cpu *p)
{
	uint32_t dpl = p->user ? SA_DPL : 0, big = p->code32 ? SA_DB : 0;

	for (unsigned s = 0; s < SEG_COUNT; s++)
		c->seg[s] = (struct seg_cache){ .base = p->base[s],
						.limit = p->limit[s],
						.attr = SA_RW | SA_A | SA_S | SA_P | SA_DB | dpl };
	c->seg[SEG_SS].attr = SA_RW | SA_A | SA_S | SA_P | dpl | (p->stack32 ? SA_DB : 0);
	c->seg[SEG_CS].attr = SA_CODE | SA_RW | SA_A | SA_S | SA_P | dpl | big;
	c->seg[SEG_CS].base = CODE_AT + (p->eip & PAGE_MASK) - p->eip;
	c->seg[SEG_CS].limit = ~0u;
}

static void set_long(struct cpu *c, const struct oracle_cpu *p)
{
	c->cr0 |= CR0_PE | CR0_PG;
	c->cr4 |= CR4_PAE;
	c->cr3 = TABLES_AT;
	c->efer = EFER_LME | EFER_LMA;
	c->cpl = p->user ? 3 : 0;
	c->rip = CODE_AT + (p->eip & PAGE_MASK);
	c->seg[SEG_CS].base = 0;
	c->seg[SEG_CS].attr = (uint16_t)((c->seg[SEG_CS].attr & ~SA_DB) | SA_L);
}

static void set_cpu(struct bt_vcpu *b, const struct oracle_cpu *p)
{
	struct cpu *c = &b->v.cpu;

	cpu_reset(c);
	c->cr0 = (p->cr0 & (CR0_EM | CR0_TS | CR0_MP)) | (p->protected ? CR0_PE : 0);
	c->cr4 = p->cr4 & (CR4_OSFXSR | CR4_OSXSAVE | CR4_TSD);
	c->xcr0 = (p->xcr0 & 7) | 1;
	cpu_set_eflags(c, p->protected && p->v86 ? FL_VM | FL_ONE : FL_ONE);
	c->cpl = p->protected && (p->user || p->v86) ? 3 : 0;
	c->rip = p->eip;
	set_segments(c, p);
	if (p->code64)
		set_long(c, p);
	b->cfg.precheck_all = p->prechecked;
	b->entries.on = p->counted;
	b->icount.on = p->icount;
}

/* What adaptation and the user have decided on the N bytes of code at AT. */
static void set_decisions(struct bt_vcpu *b, const struct oracle_cpu *p, uint32_t at, size_t n)
{
	static const enum way ways[] = { WAY_DEFAULT, WAY_TRAP, WAY_CALLOUT };

	memset(b->adapt.policy, ways[p->way % ARRAY_LEN(ways)], sizeof(b->adapt.policy));
	b->tc.pages[CODE_AT >> PAGE_SHIFT].mixed = b->tc.pages[(CODE_AT >> PAGE_SHIFT) + 1].mixed = p->mixed;
	for (uint32_t pc = at; pc < at + n && pc < at + 128; pc++) {
		struct verdict *v = p->guilty ? verdict_make(b, pc) : verdict_find(b, pc);

		if (v)
			v->guilty = p->guilty & ((1u << SITE_CAUSES) - 1);
	}
}

/* ---- the fragment ---- */

static const char *finding(struct oracle *o, const char *what, const uint8_t *code, size_t n)
{
	size_t at = (size_t)snprintf(o->text, sizeof(o->text), "%s:", what);

	for (size_t i = 0; i < n && i < 20; i++)
		at += (size_t)snprintf(o->text + at, sizeof(o->text) - at, " %02x", code[i]);
	return o->text;
}

/* Instructions of the host's that the translator uses itself. */
static bool own(const struct insn *in)
{
	if (in->z.mnemonic == ZYDIS_MNEMONIC_MOVAPS && in->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER && in->op[0].reg.value == in->op[1].reg.value)
		return true; /* that the state is in use: co_xgetbv() */
	return in->z.meta.isa_set == ZYDIS_ISA_SET_BMI2 || in->z.meta.isa_set == ZYDIS_ISA_SET_LONGMODE ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_UD2 || in->z.mnemonic == ZYDIS_MNEMONIC_NOP;
}

/* Names for one operation that differ between the modes. */
static ZydisMnemonic plain(ZydisMnemonic m)
{
	switch (m) {
	case ZYDIS_MNEMONIC_SHL: /* SAL, an alias */
		return ZYDIS_MNEMONIC_SHL;
	default:
		return m;
	}
}

/* Lowered to other instructions, or to none. */
static bool replaced(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_PREFETCH:
	case ZYDIS_MNEMONIC_PREFETCHW:
	case ZYDIS_MNEMONIC_PREFETCHWT1:
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_LEAVE:
	case ZYDIS_MNEMONIC_ENTER:
	case ZYDIS_MNEMONIC_XLAT:
		return true;
	default:
		return in->invalid;
	}
}

/* Look at host code [AT, END): is WANTED (if any) among it? */
static const char *check_host(struct oracle *o, const uint8_t *at, const uint8_t *end, ZydisMnemonic wanted)
{
	ZydisDecoder d;
	struct insn in;
	bool found = wanted == ZYDIS_MNEMONIC_INVALID;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (const uint8_t *from = at; at < end; at += in.z.length) {
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, at, (size_t)(end - at), &in.z, in.op)))
			return finding(o, "emitted bytes that are no instruction", at, (size_t)(end - at));
		if (!own(&in) && !isa_allows(&o->b->isa, &in))
			return finding(o, "emitted an instruction that the guest's processor lacks", at,
				       in.z.length);
		found |= plain(in.z.mnemonic) == plain(wanted);
		if (at + in.z.length >= end && !found)
			return finding(o, "the guest's instruction is not in its host code", from,
				       (size_t)(end - from));
	}
	return NULL;
}

static const char *check_insns(struct oracle *o, const struct ccf *f)
{
	const struct tx *t = o->b->tx;
	const uint8_t *base = o->b->tc.rw + f->host;
	const char *why = check_host(o, base, base + f->ioff[0], ZYDIS_MNEMONIC_INVALID);

	for (unsigned i = 0; i < f->ninsn && !why; i++) {
		unsigned end = i + 1u < f->ninsn ? f->ioff[i + 1] : f->body;
		bool kept = f->low[i] <= LOW_WINDOW && !replaced(&t->in[i]);

		why = check_host(o, base + f->ioff[i], base + end,
				 kept ? t->in[i].z.mnemonic : ZYDIS_MNEMONIC_INVALID);
	}
	return why ? why : check_host(o, base + f->body, base + f->hsize, ZYDIS_MNEMONIC_INVALID);
}

/* Drop what the last call has made. */
static void drop(struct bt_vcpu *b)
{
	cache_drop_at(b, CODE_AT, 2 * PAGE_SIZE, DROP_RETRANSLATE);
	if (b->tc.norder > 200 || b->tc.full || b->tc.flush_wanted)
		cache_flush_all(b, false);
}

/* Does F add instructions, and do processors without 64-bit mode lack it? */
static bool of_long_mode(unsigned f)
{
	switch (f) {
	case FEATURE_SYSCALL:
	case FEATURE_LM:
	case FEATURE_CX16:
	case FEATURE_FSGSBASE:
	case FEATURE_INVPCID:
	case FEATURE_RDPID:
	case FEATURE_SMAP:
	case FEATURE_UMIP:
		return true;
	default:
		return false;
	}
}

const struct ccf *oracle_translate(struct oracle *o, const struct oracle_cpu *p, const uint8_t *code,
				   size_t n)
{
	static const uint8_t zeros[2 * PAGE_SIZE];
	struct bt_vcpu *b = o->b;
	uint32_t at = p->eip & PAGE_MASK;
	enum tx_kind kind = p->device ? TX_MMIO : p->stepping ? TX_TRANSIENT : TX_NORMAL;
	const struct ccf *f;

	drop(b);
	n = n < 2 * PAGE_SIZE - at ? n : 2 * PAGE_SIZE - at;
	mm_phys_write(o->vm, CODE_AT, zeros, sizeof(zeros)); /* one input is one result */
	mm_phys_write(o->vm, CODE_AT + at, code, (unsigned)n);
	set_cpu(b, p);
	set_decisions(b, p, CODE_AT + at, n);
	for (unsigned i = 0; i < FEATURES; i++)
		b->isa.has[i] = !of_long_mode(i) && (p->complete || (o->host.has[i] && !p->lacks[i]));
	if (memcmp(&o->cpu, p, sizeof(*p)))
		b->v.ops->state_changed(&b->v);
	o->cpu = *p;
	dispatch_select(b);
	b->v.error[0] = 0;
	b->exit.code = XC_NONE;
	f = translate(b, kind);
	o->insns = f ? f->ninsn : 0;
	o->kept = f && f->low[0] <= LOW_WINDOW;
	return f;
}

const char *oracle_check(struct oracle *o, const struct oracle_cpu *p, const uint8_t *code, size_t n)
{
	struct bt_vcpu *b = o->b;
	uint64_t fails = b->st.verify_fails;
	const struct ccf *f = oracle_translate(o, p, code, n);

	if (b->st.verify_fails != fails)
		return finding(o, b->v.error, code, n);
	if (!f)
		return b->exit.code == XC_ERROR ? finding(o, b->v.error, code, n) : NULL;
	return check_insns(o, f);
}

struct bt_vcpu *oracle_vcpu(struct oracle *o)
{
	return o->b;
}

unsigned oracle_insns(const struct oracle *o)
{
	return o->insns;
}

bool oracle_kept(const struct oracle *o)
{
	return o->kept;
}
