/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where 64-bit code has the guest's registers, and the probes of addresses (mm/long.h) with what is known of
 * them (lower/long_facts.c). */
#include "bt/emit/long.h"

/* ---- registers ---- */

static const uint8_t homes[16] = {
	[H_RSP] = HOME_STACK, [H_R8] = HOME_VCPU,  [H_R9] = HOME_VCPU,
	[H_R10] = HOME_VCPU,  [H_R11] = HOME_VCPU,
};

enum long_home long_home(int reg)
{
	return (enum long_home)homes[reg];
}

int long_number(ZydisRegister r)
{
	r = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);
	return ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR64 ? ZydisRegisterGetId(r) : NO_REG;
}

void long_reg_get(struct tx *t, int d, int n)
{
	switch (long_home(n)) {
	case HOME_VCPU:
		e_ld64(t, d, OFF_GPR(n));
		break;
	case HOME_STACK:
		e_ld64(t, d, OFF(space.neg_d));
		e_add64(t, d, H_RSP, d);
		break;
	case HOME_HOST:
		e_mov64(t, d, n);
		break;
	}
}

void long_reg_set(struct tx *t, int n, int s)
{
	switch (long_home(n)) {
	case HOME_VCPU:
		e_st64(t, OFF_GPR(n), s);
		break;
	case HOME_STACK:
		e_add64(t, H_RSP, s, H_D);
		break;
	case HOME_HOST:
		e_mov64(t, n, s);
		break;
	}
}

void long_restore(struct tx *t)
{
	e_ld64(t, H_V, OFF(space.v));
	e_ld64(t, H_D, OFF(space.d));
}

/* ---- facts ---- */

static bool is_near(int64_t a)
{
	return a > -FACT_REACH && a < FACT_REACH;
}

static bool known(const struct long_facts *k, int n)
{
	return k->regs >> n & 1;
}

bool fact_covers(const struct tx *t, int n, int64_t disp)
{
	return known(&t->facts, n) && !(t->facts.low >> n & 1) && is_near(t->facts.drift[n] + disp);
}

bool fact_covers_low(const struct tx *t, int n, int64_t disp)
{
	return known(&t->facts, n) && t->facts.low >> n & 1 && is_near(t->facts.drift[n] + disp);
}

void fact_learn(struct tx *t, int n)
{
	t->facts.regs |= (uint16_t)(1u << n);
	t->facts.entry &= (uint16_t) ~(1u << n);
	t->facts.low &= (uint16_t) ~(1u << n);
	t->facts.drift[n] = 0;
}

void fact_learn_low(struct tx *t, int n)
{
	fact_learn(t, n);
	t->facts.low |= (uint16_t)(1u << n);
}

void fact_renew(struct tx *t, int n, int64_t disp)
{
	if (!known(&t->facts, n) || t->facts.low >> n & 1 || !is_near(disp))
		return;
	t->facts.entry &= (uint16_t) ~(1u << n);
	t->facts.drift[n] = (int32_t)-disp;
}

enum { ROUNDING = 64 }; /* what PUSH and POP leave out of account */

uint32_t facts_claimed(const struct tx *t)
{
	const struct long_facts *k = &t->facts;
	uint32_t r = 0;

	for (int n = 0; n < 16; n++) {
		int64_t far = k->drift[n] < 0 ? -k->drift[n] : k->drift[n];

		if (known(k, n) && !(k->low >> n & 1) &&
		    (k->entry >> n & 1 ? !far : far < FACT_REACH - ROUNDING))
			r |= 1u << n;
	}
	if (k->sum && k->base != NO_REG && k->index != NO_REG && long_home(k->base) == HOME_HOST &&
	    long_home(k->index) == HOME_HOST && !((k->pairs >> k->base | k->pairs >> k->index) & 1) &&
	    (k->sum_entry ? !k->disp : is_near(k->disp)))
		r |= FACT_OF(k->base, k->index, k->scale);
	return r;
}

/* ---- probes ---- */

static void shift_by_v(struct tx *t, int d, int s)
{
	e_shiftx(t, false, d, s, H_V);
	t->p[-3] |= 0x80; /* 64 bits */
}

/* Load the byte of the table at T, which is for an address, shifted. The low six bits of V are 20. */
static void load_byte(struct tx *t, int r)
{
	e_rmi(t, F_0F, 0xb6, r, H_V, r, 0, -20);
}

void long_probe(struct tx *t, int reg)
{
	shift_by_v(t, H_R11, reg);
	load_byte(t, H_R11);
}

static void probe_stack(struct tx *t, int r)
{
	fact_learn(t, H_RSP);
	long_reg_get(t, r, H_RSP);
	shift_by_v(t, r, r);
	load_byte(t, r);
}

void long_probe_stack(struct tx *t, int r)
{
	if (!fact_covers(t, H_RSP, 0))
		probe_stack(t, r);
}

void long_claim_stack(struct tx *t, int r)
{
	if (!(facts_claimed(t) >> H_RSP & 1))
		probe_stack(t, r);
}

void long_probe_low(struct tx *t, int reg)
{
	int v = reg == H_R8 ? H_V : H_R8;

	shift_by_v(t, H_R11, reg);
	e_ld64(t, v, OFF(parts[1].v[PART_LOW]));
	e_rmi(t, F_0F, 0xb6, H_R11, v, H_R11, 0, -20);
	if (v == H_V)
		e_ld64(t, H_V, OFF(space.v));
}

void long_probe_part(struct tx *t, int reg)
{
	bool user = (t->mode & MODE_CPL) == MODE_CPL;

	e_rorx64(t, H_D, reg, PART_SHIFT);
	e_movzx8(t, H_D, H_D);
	e_rmi(t, F_W, 0x8b, H_V, H_R15, H_D, 3, user ? OFF(parts[1].v) : OFF(parts[0].v));
	long_probe(t, reg);
	e_rmi(t, F_W, 0x8b, H_D, H_R15, H_D, 3, user ? OFF(parts[1].d) : OFF(parts[0].d));
}

/* ---- entries ---- */

void long_no_entry(struct tx *t)
{
	static const uint8_t nop[] = { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 };

	for (unsigned i = 0; i < LONG_STACK_ENTRY; i++)
		e1(t, nop[i % sizeof(nop)]);
}

/* Nothing of the guest is in r8 and r11 here. The table by host addresses saves an instruction. */
static void stack_entry(struct tx *t)
{
	e_ld64(t, H_R8, OFF(space.vt));
	shift_by_v(t, H_R11, H_RSP);
	e_rmi(t, F_0F, 0xb6, H_R11, H_R8, H_R11, 0, 0);
	fact_learn(t, H_RSP);
}

static struct host_mem sum_of(uint32_t facts)
{
	return (struct host_mem){ .base = facts >> FACT_BASE & 15,
				  .index = facts >> FACT_INDEX & 15,
				  .scale = facts >> FACT_SCALE & 3 };
}

static void sum_entry(struct tx *t, uint32_t wanted)
{
	struct host_mem m = sum_of(wanted);
	struct long_facts *k = &t->facts;

	e_lea64(t, H_R8, &m);
	long_probe(t, H_R8);
	k->sum = k->sum_entry = true;
	k->base = (int8_t)m.base;
	k->index = (int8_t)m.index;
	k->scale = (uint8_t)m.scale;
	k->disp = 0;
}

void long_entries(struct tx *t, uint32_t wanted)
{
	struct ccf_entry *e = &t->f->entry;

	tx_mark(t, FIX_ENTRY, 0);
	if (wanted >> H_RSP & 1)
		stack_entry(t);
	else
		long_no_entry(t);
	e->stack = (uint16_t)(t->p - t->base);
	for (int n = 0; n < 16; n++) {
		int reg = n;

		if (n == H_RSP || !(wanted >> n & 1))
			continue;
		if (long_home(n) != HOME_HOST)
			long_reg_get(t, reg = H_R8, n);
		long_probe(t, reg);
		fact_learn(t, n);
	}
	if (wanted & FACT_SUM)
		sum_entry(t, wanted);
	e->all = (uint16_t)(t->p - t->base);
	e->facts = wanted;
	t->facts.entry = (uint16_t)wanted;
	tx_mark(t, FIX_NONE, 0);
}

uint32_t long_entry_bytes(uint32_t wanted)
{
	uint32_t n = LONG_STACK_ENTRY;

	for (int r = 0; r < 16; r++)
		if (r != H_RSP && wanted >> r & 1)
			n += long_home(r) == HOME_HOST ? 11 : 19;
	if (wanted & FACT_SUM) /* a base of rbp or r13 has a displacement */
		n += (wanted >> FACT_BASE & 7) == 5 ? 16 : 15;
	return n;
}
