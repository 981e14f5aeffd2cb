/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a TU knows about the addresses that its registers hold: that a probe of the region has succeeded. A
 * fact survives copies, and additions of constants up to 1 MiB in sum: between regions of different
 * displacements is more room than that, and than an index of 32 bits reaches. The monitor may change spaces:
 * calls of it end all facts.
 *
 * A fragment takes the facts of its entry for granted: what it accesses before it changes a register, and
 * that of RSP, so that code between hands that on. Its start probes them; a direct exit whose code has them
 * all leads behind those probes, and an indirect one behind that of RSP (ccf_entry). Where an exit claims a
 * fact, the register is less than 1 MiB from an address that this fragment has probed or accessed, or is as
 * it was at the entry: so nothing drifts away in a loop. */
#include "bt/emit/encode.h"
#include "bt/lower/long.h"

static bool is_near(int64_t a)
{
	return a > -FACT_REACH && a < FACT_REACH;
}

static bool known(const struct long_facts *k, int n)
{
	return k->regs >> n & 1;
}

bool fact_covers_constant(const struct tx *t, uint64_t a)
{
	return t->facts.constant && t->facts.region == a >> 32;
}

void fact_learn_constant(struct tx *t, uint64_t a)
{
	t->facts.constant = true;
	t->facts.region = (uint32_t)(a >> 32);
}

bool fact_covers_segment(const struct tx *t, enum seg s)
{
	return t->facts.segs >> s & 1;
}

void fact_learn_segment(struct tx *t, enum seg s)
{
	t->facts.segs |= (uint8_t)(1u << s);
}

bool fact_covers_sum(const struct tx *t, const struct host_mem *m)
{
	const struct long_facts *k = &t->facts;

	return k->sum && k->base == m->base && k->index == m->index && k->scale == m->scale &&
	       is_near((int64_t)m->disp - k->disp);
}

void fact_learn_sum(struct tx *t, const struct host_mem *m)
{
	struct long_facts *k = &t->facts;

	k->sum = true;
	k->base = (int8_t)m->base;
	k->index = (int8_t)m->index;
	k->scale = (uint8_t)m->scale;
	k->disp = m->disp;
	k->sum_entry = false;
}

bool fact_is_short(const struct tx *t, int n)
{
	return t->facts.shorts >> n & 1;
}

/* ---- what an instruction does to them ---- */

static void forget(struct long_facts *k, int n)
{
	k->regs &= (uint16_t) ~(1u << n);
	k->entry &= (uint16_t) ~(1u << n);
	k->low &= (uint16_t) ~(1u << n);
	k->pairs &= (uint16_t) ~(1u << n);
	k->shorts &= (uint16_t) ~(1u << n);
	if (k->base == n || k->index == n)
		k->sum = false;
}

/* Register N grows by BY: the same address is another sum then. False: there is none, or no longer. */
static bool sum_moves(struct long_facts *k, int n, int64_t by)
{
	int64_t disp = k->disp;

	if (!k->sum || by > INT32_MAX || by < INT32_MIN)
		return false;
	disp -= (k->base == n ? by : 0) + (k->index == n ? by * (1 << k->scale) : 0);
	if (disp > INT32_MAX / 2 || disp < INT32_MIN / 2)
		return false;
	k->disp = (int32_t)disp;
	return true;
}

/* Register N = that of register FROM, plus BY. */
static void derive(struct long_facts *k, int n, int from, int64_t by)
{
	bool was = known(k, from) && is_near(k->drift[from] + by), was_short = k->shorts >> from & 1 && !by;
	int32_t drift = (int32_t)(k->drift[from] + by);
	uint16_t entry = k->entry >> from & 1, low = k->low >> from & 1;
	bool sum = n == from && sum_moves(k, n, by), pair = k->pairs >> from & 1;

	forget(k, n);
	k->sum |= sum;
	k->pairs |= (uint16_t)(pair << n);
	if (was_short)
		k->shorts |= (uint16_t)(1u << n);
	if (!was)
		return;
	k->regs |= (uint16_t)(1u << n);
	k->entry |= (uint16_t)(entry << n);
	k->low |= (uint16_t)(low << n);
	k->drift[n] = drift;
	k->origin[n] = k->origin[from];
}

static bool is_register(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && long_number(o->reg.value) != NO_REG;
}

/* MOV, ADD and the like of 64 bits. */
static bool moves(struct long_facts *k, const struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	bool wide = is_register(d) && d->size == 64, imm = s->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	int n = wide ? long_number(d->reg.value) : 0;

	if (!wide)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (!is_register(s))
			return false;
		derive(k, n, long_number(s->reg.value), 0);
		return true;
	case ZYDIS_MNEMONIC_ADD:
		if (imm)
			derive(k, n, n, s->imm.value.s);
		return imm;
	case ZYDIS_MNEMONIC_SUB:
		if (imm)
			derive(k, n, n, -s->imm.value.s);
		return imm;
	case ZYDIS_MNEMONIC_INC:
		derive(k, n, n, 1);
		return true;
	case ZYDIS_MNEMONIC_DEC:
		derive(k, n, n, -1);
		return true;
	case ZYDIS_MNEMONIC_LEA:
		if (s->mem.index != ZYDIS_REGISTER_NONE || in->z.address_width != 64 ||
		    s->mem.base == ZYDIS_REGISTER_NONE || long_number(s->mem.base) == NO_REG)
			return false;
		derive(k, n, long_number(s->mem.base), s->mem.disp.value);
		return true;
	default:
		return false;
	}
}

/* The bytes that the stack pointer is moved by, beside the instruction's other effects. */
static int stack_moves(const struct insn *in)
{
	int size = in->z.operand_width == 16 ? 2 : 8;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		return -size;
	case ZYDIS_MNEMONIC_POP:
		return size;
	default:
		return 0;
	}
}

/* Is the index of an address as far as 32 bits reach: zero- or sign-extended? */
static bool shortens(const struct insn *in, const ZydisDecodedOperand *o)
{
	if (o->actions & ZYDIS_OPERAND_ACTION_CONDWRITE)
		return false;
	switch (in->z.meta.category) { /* those by 0 are no writes */
	case ZYDIS_CATEGORY_SHIFT:
	case ZYDIS_CATEGORY_ROTATE:
		return o->size == 32 && in->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
		       (in->op[1].imm.value.u & 31);
	default:
		break;
	}
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_CDQE:
		return o->size >= 32;
	case ZYDIS_MNEMONIC_BSF: /* may leave all of it as it was */
	case ZYDIS_MNEMONIC_BSR:
		return false;
	default:
		return o->size == 32;
	}
}

/* Does IN write no general registers but its operands, and so that the verifier knows? */
static bool is_common(const struct insn *in)
{
	switch (in->z.meta.category) {
	case ZYDIS_CATEGORY_BINARY:
	case ZYDIS_CATEGORY_LOGICAL:
	case ZYDIS_CATEGORY_SHIFT:
	case ZYDIS_CATEGORY_ROTATE:
	case ZYDIS_CATEGORY_DATAXFER:
	case ZYDIS_CATEGORY_CMOV:
	case ZYDIS_CATEGORY_SETCC:
	case ZYDIS_CATEGORY_BITBYTE:
	case ZYDIS_CATEGORY_BMI1:
	case ZYDIS_CATEGORY_BMI2:
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_CONVERT:
	case ZYDIS_CATEGORY_PUSH:
	case ZYDIS_CATEGORY_POP:
	case ZYDIS_CATEGORY_SEMAPHORE:
	case ZYDIS_CATEGORY_LOGICAL_FP:
	case ZYDIS_CATEGORY_SSE:
	case ZYDIS_CATEGORY_AVX:
	case ZYDIS_CATEGORY_AVX2:
		return true;
	default:
		break;
	}
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_AVX512EVEX:
	case ZYDIS_ISA_EXT_AVX512VEX:
		return in->mem < 0 || !insn_is_gather(in);
	default:
		return in->z.mnemonic == ZYDIS_MNEMONIC_LEA;
	}
}

void facts_after(struct tx *t, const struct insn *in)
{
	struct long_facts *k = &t->facts;
	int by = stack_moves(in);

	if (k->joined) {
		k->joined = false;
		return;
	}
	if (in->z.mnemonic == ZYDIS_MNEMONIC_LEAVE) {
		derive(k, H_RSP, H_RBP, 0);
		forget(k, H_RBP);
		return;
	}
	if (moves(k, in))
		return;
	for (int n = H_RAX; n <= H_RDI && !is_common(in); n++)
		if (n != H_RSP && n != H_RBP)
			forget(k, n);
	for (unsigned i = 0; i < in->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->op[i];
		int n;

		if (!is_register(o) || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		n = long_number(o->reg.value);
		if (n == H_RSP && by && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
			derive(k, n, n, by);
			continue;
		}
		forget(k, n);
		/* Of callouts nothing is known, and the verifier follows no others. */
		if (is_common(in) && shortens(in, o) && t->low[t->i] != LOW_CALLOUT)
			k->shorts |= (uint16_t)(1u << n);
		if (in->z.mnemonic == ZYDIS_MNEMONIC_LEA || in->z.mnemonic == ZYDIS_MNEMONIC_XCHG)
			k->pairs |= (uint16_t)(1u << n);
	}
}

void facts_count(struct tx *t, bool wide)
{
	if (wide)
		derive(&t->facts, H_RCX, H_RCX, -1);
	else
		forget(&t->facts, H_RCX);
}

static bool loops(const struct tx *t)
{
	const struct insn *last = &t->in[t->n - 1];

	return last->z.meta.category == ZYDIS_CATEGORY_COND_BR &&
	       last->next + (uint64_t)last->op[0].imm.value.s == t->in[0].eip;
}

/* The register at the entry by which IN accesses memory; NO_REG: none, or not by it alone. */
static int wanted_by(const struct tx *t, const struct insn *in)
{
	const struct long_facts *k = &t->facts;
	const ZydisDecodedOperandMem *m;
	int n;

	if (in->z.mnemonic == ZYDIS_MNEMONIC_LEAVE && fact_covers(t, H_RBP, 0))
		return k->origin[H_RBP];
	if (in->mem < 0 || !(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) || in->z.address_width != 64 ||
	    in->seg == SEG_FS || in->seg == SEG_GS || site_is_user_access(t, in) || site_is_device(t, in))
		return NO_REG;
	m = &in->op[in->mem].mem;
	n = m->type == ZYDIS_MEMOP_TYPE_MEM && m->base ? long_number(m->base) : NO_REG;
	if (n == NO_REG || !fact_covers(t, n, m->disp.value) ||
	    (m->index && !fact_is_short(t, long_number(m->index))))
		return NO_REG;
	return k->origin[n];
}

/* The sum of two registers by which IN accesses memory, that the TU changes by constants alone; 0: none. */
static uint32_t wanted_sum(const struct tx *t, const struct insn *in)
{
	const struct long_facts *k = &t->facts;
	const ZydisDecodedOperandMem *m;
	unsigned scale;
	int b, i;

	if (in->mem < 0 || !(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) || in->z.address_width != 64 ||
	    in->seg == SEG_FS || in->seg == SEG_GS || site_is_user_access(t, in))
		return 0;
	m = &in->op[in->mem].mem;
	if (m->type != ZYDIS_MEMOP_TYPE_MEM || !m->base || !m->index)
		return 0;
	b = long_number(m->base);
	i = long_number(m->index);
	scale = m->scale == 8 ? 3 : m->scale == 4 ? 2 : m->scale == 2 ? 1 : 0;
	if (b == NO_REG || i == NO_REG || b == i || long_home(b) != HOME_HOST || long_home(i) != HOME_HOST ||
	    fact_is_short(t, i) || !fact_covers(t, b, 0) || !fact_covers(t, i, 0) || k->origin[b] != b ||
	    k->origin[i] != i || !is_near(k->drift[b] + ((int64_t)k->drift[i] << scale) + m->disp.value))
		return 0;
	return FACT_OF(b, i, scale);
}

/* Behind a conditional branch a register may hold anything, but in a loop it does so in later rounds. */
uint32_t facts_wanted(struct tx *t)
{
	uint32_t r = 1u << H_RSP;
	bool all = loops(t);

	t->facts = (struct long_facts){ .regs = UINT16_MAX };
	for (unsigned n = 0; n < 16; n++)
		t->facts.origin[n] = (uint8_t)n;
	for (unsigned i = 0; i < t->n && !t->in[i].invalid; i++) {
		int n = wanted_by(t, &t->in[i]);

		if (n != NO_REG)
			r |= 1u << n;
		if (all && !(r & FACT_SUM))
			r |= wanted_sum(t, &t->in[i]);
		if (t->in[i].z.meta.category == ZYDIS_CATEGORY_COND_BR && !all)
			break;
		facts_after(t, &t->in[i]);
	}
	t->facts = (struct long_facts){ 0 };
	return r;
}
