/* SPDX-License-Identifier: GPL-3.0-or-later
 * IA-32e mode against the manual: gates of 16 bytes, the interrupt stack table, IRETQ, far transfers, system
 * descriptors, SYSCALL and its relatives, the rules of CR0.PG, EFER and MSRs; on a flat fake memory below 16
 * MiB. */
#include "tests/suite.h"
#include <string.h>

#include "cpu/system.h"
#include "mm/mm.h"
#include "tests/cpu/fake_mmu.h"
#include "x86/features.h"
#include "x86/msrs.h"

/* ---- the environment ---- */

enum {
	AT_GDT = 0x1000,
	AT_IDT = 0x2000,
	AT_TSS = 0x4000,
	STACK0 = 0x8008, /* not aligned to 16 */
	STACK3 = 0x9000,
	RSP0 = 0xa008,
	IST1 = 0xb008,
	CODE = 0x10000,
	NEXT = CODE + 2,
	HANDLER = 0x20000,
};
#define HIGH 0x0000800000000000ull /* the first address that is not canonical */

#define D3 0x60u
#define CODE_A (SA_P | SA_S | SA_CODE | SA_RW | SA_A)
#define DATA_A (SA_P | SA_S | SA_RW | SA_A | SA_DB | SA_G)

enum {
	CS64 = 0x08, /* ring 0, 64-bit */
	DS0 = 0x10,
	CS32_3 = 0x1b, /* ring 3, compatibility mode */
	DS3 = 0x23,
	CS64_3 = 0x2b,
	CS32 = 0x30,
	CS_BOTH = 0x38, /* L and D */
	CONF64 = 0x40,
	CS_NP = 0x48,
	SS16_3 = 0x53,
	TSS = 0x58, /* 16 bytes each from here */
	LDT = 0x68,
	CALLG = 0x78,
	CALLG_UP = 0x88, /* its upper half has a type */
	CALLG_32 = 0x98, /* leads to compatibility mode */
	LDT_HIGH = 0xa8,
	GDT_END = 0xb8,
};
static const struct {
	uint16_t sel;
	uint32_t limit, attr;
} segs[] = {
	{ CS64, 0, CODE_A | SA_L },
	{ DS0, 0xfffff, DATA_A },
	{ CS32_3, 0xfffff, CODE_A | D3 | SA_DB | SA_G },
	{ DS3, 0xfffff, DATA_A | D3 },
	{ CS64_3, 0, CODE_A | D3 | SA_L },
	{ CS32, 0xfffff, CODE_A | SA_DB | SA_G },
	{ CS_BOTH, 0xfffff, CODE_A | SA_DB | SA_L | SA_G },
	{ CONF64, 0, CODE_A | SA_EC | SA_L },
	{ CS_NP, 0, (CODE_A & ~SA_P) | SA_L },
	{ SS16_3, 0xffff, SA_P | SA_S | SA_RW | SA_A | D3 },
};

enum {
	V_INT = 0x80,
	V_TRAP,
	V_IST,
	V_D0,
	V_NP,
	V_OLD,
	V_CS32,
	V_BOTH,
	V_CONF,
	V_NULL,
	V_HIGH,
	V_CSNP,
	V_IST7,
	V_END
};
static const struct {
	uint8_t vector;
	uint16_t sel;
	uint64_t off;
	uint32_t access; /* type, DPL, P; IST from bit 16 */
} gates[] = {
	{ V_INT, CS64, HANDLER, SA_P | 14 | D3 },
	{ V_TRAP, CS64, HANDLER, SA_P | 15 | D3 },
	{ V_IST, CS64, HANDLER, SA_P | 14 | D3 | 1u << 16 },
	{ V_D0, CS64, HANDLER, SA_P | 14 },
	{ V_NP, CS64, HANDLER, 14 | D3 },
	{ V_OLD, CS64, HANDLER, SA_P | 6 | D3 },
	{ V_CS32, CS32, HANDLER, SA_P | 14 | D3 },
	{ V_BOTH, CS_BOTH, HANDLER, SA_P | 14 | D3 },
	{ V_CONF, CONF64, HANDLER, SA_P | 14 | D3 },
	{ V_NULL, 3, HANDLER, SA_P | 14 | D3 },
	{ V_HIGH, CS64, HIGH, SA_P | 14 | D3 },
	{ V_CSNP, CS_NP, HANDLER, SA_P | 14 | D3 },
	{ V_IST7, CS64, HANDLER, SA_P | 14 | D3 | 7u << 16 },
	{ EXC_GP, CS64, HANDLER, SA_P | 14 },
	{ EXC_PF, CS64, HANDLER, SA_P | 14 },
	{ EXC_DF, CS64, HANDLER, SA_P | 14 | 1u << 16 },
};

static struct vcpu v;
#define c (&v.cpu)
static bool amd, lm;

static uint64_t peek(uint64_t a)
{
	uint64_t x;

	memcpy(&x, v.mmu->ram + a, 8);
	return x;
}
static void poke(uint64_t a, uint64_t x)
{
	memcpy(v.mmu->ram + a, &x, 8);
}

static void cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)ctx, (void)cpu, (void)sub;
	memset(out, 0, 16);
	if (leaf == 0)
		out[CPUID_B] = amd ? CPUID_AMD_EBX : CPUID_INTEL_EBX;
	else if (leaf == 1)
		out[CPUID_C] = out[CPUID_D] = ~0u;
	else if (leaf == 7)
		out[CPUID_B] = CPUID_FSGSBASE | CPUID_INVPCID;
	else if (leaf == CPUID_LM_LEAF)
		out[CPUID_D] = CPUID_SYSCALL | CPUID_NX | (lm ? CPUID_LM : 0);
}

/* The task priority of the local APIC: the registers of both its modes. */
static uint32_t xapic_tpr, x2apic_tpr;

static void mmio_read(void *ctx, gpa a, void *buf, unsigned size)
{
	(void)ctx;
	memcpy(buf, a == 0xfee00080 && size == 4 ? &xapic_tpr : &(uint32_t){ 0 }, 4);
}
static void mmio_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	(void)ctx;
	if (a == 0xfee00080 && size == 4)
		memcpy(&xapic_tpr, buf, 4);
}
static bool rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	(void)ctx;
	*val = x2apic_tpr;
	return msr == MSR_X2APIC + 8;
}
static bool wrmsr(void *ctx, uint32_t msr, uint64_t val)
{
	(void)ctx;
	if (msr == MSR_X2APIC + 8)
		x2apic_tpr = (uint32_t)val;
	return msr == MSR_X2APIC + 8;
}

static void put_upper_gate(uint32_t at, uint16_t sel, uint64_t off, uint32_t access, uint32_t upper_type)
{
	poke(at, (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(access >> 16) << 32 |
		     (uint64_t)(access & 0xff) << 40 | (off >> 16 & 0xffff) << 48);
	poke(at + 8, off >> 32 | (uint64_t)upper_type << 40);
}

static void put_system(uint16_t sel, uint32_t limit, uint32_t attr, uint64_t base)
{
	uint32_t at = AT_GDT + (sel & ~7u);

	poke(at,
	     (limit & 0xffff) | (base & 0xffffff) << 16 | (uint64_t)attr << 40 | (base >> 24 & 0xff) << 56);
	poke(at + 8, base >> 32);
}

static struct seg_cache flat(uint16_t sel, uint32_t attr)
{
	return (struct seg_cache){ .sel = sel,
				   .limit = ~0u,
				   .attr = (uint16_t)(attr | (sel & 3u) << SA_DPL_SHIFT) };
}

static void enter(uint16_t cs, uint16_t ss)
{
	unsigned cpl = cs & 3;
	bool wide = cs == CS64 || cs == CS64_3;

	for (int i = 0; i < SEG_COUNT; i++)
		c->seg[i] = flat(ss, DATA_A);
	c->seg[SEG_CS] = flat(cs, CODE_A | SA_G | (wide ? SA_L : SA_DB));
	c->cpl = (uint8_t)cpl;
	c->gpr[R_ESP] = cpl ? STACK3 : STACK0;
	c->rip = CODE;
	cpu_set_eflags(c, FL_ONE | FL_IF);
}

static void setup(void)
{
	memset(&v, 0, sizeof(v));
	cpu_reset(c);
	amd = false;
	lm = true;
	v.mmu = fake_mmu_new(c);
	v.plat = (struct platform){ .cpuid = cpuid,
				    .mmio_read = mmio_read,
				    .mmio_write = mmio_write,
				    .rdmsr = rdmsr,
				    .wrmsr = wrmsr };
	xapic_tpr = x2apic_tpr = 0;
	for (unsigned i = 0; i < ARRAY_LEN(segs); i++)
		poke(AT_GDT + (segs[i].sel & ~7u), (segs[i].limit & 0xffff) |
						       (uint64_t)(segs[i].attr & 0xf0ff) << 40 |
						       (uint64_t)(segs[i].limit >> 16) << 48);
	for (unsigned i = 0; i < ARRAY_LEN(gates); i++)
		put_upper_gate(AT_IDT + 16u * gates[i].vector, gates[i].sel, gates[i].off, gates[i].access,
			       0);
	put_upper_gate(AT_GDT + CALLG, CS64, HANDLER, SA_P | 12 | D3, 0);
	put_upper_gate(AT_GDT + CALLG_UP, CS64, HANDLER, SA_P | 12 | D3, 12);
	put_upper_gate(AT_GDT + CALLG_32, CS32, HANDLER, SA_P | 12 | D3, 0);
	put_system(TSS, 0x67, SA_P | 9, 0xffff800000001000);
	put_system(LDT, 0x1f, SA_P | 2, 0x123450003000);
	put_system(LDT_HIGH, 0x1f, SA_P | 2, HIGH);
	poke(AT_TSS + 4, RSP0);
	poke(AT_TSS + 0x24, IST1);
	c->cr0 = CR0_PE | CR0_ET | CR0_PG;
	c->cr4 = CR4_PAE;
	c->efer = EFER_LME | EFER_LMA | EFER_SCE;
	c->gdtr = (struct dt_reg){ .base = AT_GDT, .limit = GDT_END - 1 };
	c->idtr = (struct dt_reg){ .base = AT_IDT, .limit = V_END * 16 - 1 };
	c->tr = (struct seg_cache){ .sel = TSS, .base = AT_TSS, .limit = 0x57, .attr = SA_P | 11 };
	enter(CS64, DS0);
}

static void teardown(void)
{
	fake_mmu_free(v.mmu);
}

static struct cpu before;

#define OK(call) ck_assert_msg((call) == 0, #call ": exception %u(%x)", c->exc.vector, c->exc.err)
#define FAULT(call, vec, error)                                                                              \
	do {                                                                                                 \
		before = *c;                                                                                 \
		ck_assert_msg((call) == -1, "%s: no exception", #call);                                      \
		ck_assert_msg(c->exc.vector == (vec) && c->exc.err == (error), "%s: %u(%x)", #call,          \
			      c->exc.vector, c->exc.err);                                                    \
		before.exc = c->exc;                                                                         \
		ck_assert_msg(!memcmp(&before, c, sizeof(before)), "%s: state changed by a fault", #call);   \
	} while (0)
#define AT(cs_, rip_, cpl_)                                                                                  \
	do {                                                                                                 \
		ck_assert_uint_eq(c->seg[SEG_CS].sel, cs_);                                                  \
		ck_assert_uint_eq(c->rip, rip_);                                                             \
		ck_assert_uint_eq(c->cpl, cpl_);                                                             \
	} while (0)
#define STACK(...)                                                                                           \
	do {                                                                                                 \
		uint64_t want_[] = { __VA_ARGS__ };                                                          \
		for (unsigned i_ = 0; i_ < ARRAY_LEN(want_); i_++)                                           \
			ck_assert_uint_eq(peek(c->gpr[R_ESP] + 8 * i_), want_[i_]);                          \
	} while (0)

static int int_n(unsigned vector)
{
	return cpu_soft_int(&v, vector, CPU_INT_N, NEXT);
}

/* ---- interrupts ---- */

START_TEST(interrupt_same_ring)
{
	OK(int_n(V_INT));
	AT(CS64, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], (STACK0 & ~15u) - 40); /* aligned first */
	STACK(NEXT, CS64, FL_ONE | FL_IF, STACK0, DS0);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS0);
	ck_assert(!c->intf);
	enter(CS64, DS0);
	OK(int_n(V_TRAP));
	ck_assert(c->intf);
}
END_TEST

START_TEST(interrupt_inner_ring)
{
	enter(CS64_3, DS3);
	OK(int_n(V_INT));
	AT(CS64, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], (RSP0 & ~15u) - 40);
	STACK(NEXT, CS64_3, FL_ONE | FL_IF, STACK3, DS3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, 0); /* null, with the ring as RPL */
	ck_assert(c->seg[SEG_SS].attr & SA_UNUSABLE);
}
END_TEST

START_TEST(interrupt_from_compatibility_mode)
{
	enter(CS32_3, DS3);
	OK(int_n(V_TRAP));
	AT(CS64, HANDLER, 0);
	STACK(NEXT, CS32_3, FL_ONE | FL_IF, STACK3, DS3);
	ck_assert(cpu_64(c));
}
END_TEST

START_TEST(interrupt_stack_table)
{
	OK(int_n(V_IST));
	AT(CS64, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], (IST1 & ~15u) - 40);
	STACK(NEXT, CS64, FL_ONE | FL_IF, STACK0, DS0);
}
END_TEST

START_TEST(conforming_handler_keeps_the_ring)
{
	enter(CS64_3, DS3);
	OK(int_n(V_CONF));
	AT(CONF64 | 3, HANDLER, 3);
	STACK(NEXT, CS64_3, FL_ONE | FL_IF, STACK3, DS3);
}
END_TEST

static const struct {
	uint8_t vector;
	uint16_t cs;
	uint8_t exc;
	uint16_t err;
} refused[] = {
	{ V_D0, CS64_3, EXC_GP, V_D0 * 8 + 2 },
	{ V_NP, CS64, EXC_NP, V_NP * 8 + 2 },
	{ V_OLD, CS64, EXC_GP, V_OLD * 8 + 2 },
	{ V_CS32, CS64, EXC_GP, CS32 },
	{ V_BOTH, CS64, EXC_GP, CS_BOTH },
	{ V_NULL, CS64, EXC_GP, 0 },
	{ V_HIGH, CS64, EXC_GP, 0 },
	{ V_CSNP, CS64, EXC_NP, CS_NP },
	{ V_END, CS64, EXC_GP, V_END * 8 + 2 },
	{ V_IST7, CS64, EXC_TS, TSS },
};

START_TEST(interrupt_refused)
{
	enter(refused[_i].cs, refused[_i].cs & 3 ? DS3 : DS0);
	FAULT(int_n(refused[_i].vector), refused[_i].exc, refused[_i].err);
}
END_TEST

START_TEST(stack_not_canonical)
{
	c->gpr[R_ESP] = HIGH + 0x20;
	FAULT(int_n(V_INT), EXC_SS, 0);
	poke(AT_TSS + 4, HIGH + 0x40);
	enter(CS64_3, DS3);
	FAULT(int_n(V_INT), EXC_SS, 0);
}
END_TEST

START_TEST(exception_with_error_code)
{
	c->rip = 0xffffffff80001000;
	cpu_raise_err(c, EXC_PF, 2);
	c->exc.cr2 = 0xffff888000001234;
	ck_assert(cpu_deliver_exc(&v));
	AT(CS64, HANDLER, 0);
	STACK(2, 0xffffffff80001000, CS64, FL_ONE | FL_IF | FL_RF, STACK0, DS0);
	ck_assert_uint_eq(c->cr2, 0xffff888000001234);
}
END_TEST

/* The stack is bad: #SS while #GP is delivered is a double fault, which has a stack of its own. */
START_TEST(double_fault_on_its_own_stack)
{
	c->gpr[R_ESP] = HIGH + 0x20;
	cpu_raise_err(c, EXC_GP, 0);
	ck_assert(cpu_deliver_exc(&v));
	AT(CS64, HANDLER, 0);
	STACK(0, CODE, CS64, FL_ONE | FL_IF | FL_RF, HIGH + 0x20, DS0);
}
END_TEST

/* ---- IRET ---- */

static void frame(uint64_t at, uint64_t rip, uint64_t cs, uint64_t flags, uint64_t rsp, uint64_t ss)
{
	uint64_t f[] = { rip, cs, flags, rsp, ss };

	for (unsigned i = 0; i < 5; i++)
		poke(at + 8 * i, f[i]);
	c->gpr[R_ESP] = at;
}

START_TEST(iretq_same_ring)
{
	frame(0x7000, 0xffffffff81000000, CS64, FL_ONE | FL_ZF | FL_IF | 3u << 12, 0xffff888000001000, 0);
	c->nmi_blocked = 1;
	OK(cpu_iret(&v, 8, NEXT));
	AT(CS64, 0xffffffff81000000, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff888000001000);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_ZF | FL_IF | 3u << 12);
	ck_assert(c->seg[SEG_SS].attr & SA_UNUSABLE); /* a null SS is allowed below ring 3 */
	ck_assert(!c->nmi_blocked);
}
END_TEST

START_TEST(iretq_outer_ring)
{
	c->seg[SEG_FS] = flat(DS0, DATA_A);
	frame(0x7000, CODE, CS64_3, FL_ONE | FL_IF, STACK3, DS3);
	OK(cpu_iret(&v, 8, NEXT));
	AT(CS64_3, CODE, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
	ck_assert(c->seg[SEG_FS].attr & SA_UNUSABLE); /* ring 3 has no right to it */
	ck_assert(cpu_64(c));
}
END_TEST

START_TEST(iretq_to_compatibility_mode)
{
	frame(0x7000, 0x8048000, CS32_3, FL_ONE | FL_IF, 0xbffff000, DS3);
	c->gpr[R_EDI] = c->gpr[12] = 0x123456789abcdef0;
	OK(cpu_iret(&v, 8, NEXT));
	AT(CS32_3, 0x8048000, 3);
	ck_assert(cpu_long(c) && !cpu_64(c));
	ck_assert_uint_eq(c->gpr[R_EDI], 0x9abcdef0); /* 32-bit code has no more */
	ck_assert_uint_eq(c->gpr[12], 0x123456789abcdef0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xbffff000);
}
END_TEST

/* What espfix64 of Linux is about. */
START_TEST(iretq_to_a_16_bit_stack_sets_sp_alone)
{
	frame(0x7000, 0x1000, CS32_3, FL_ONE, 0x12345678, SS16_3);
	OK(cpu_iret(&v, 8, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], 0x5678);
}
END_TEST

START_TEST(iret_from_compatibility_mode_to_the_same_ring)
{
	uint32_t f[] = { 0x1234, CS32, FL_ONE | FL_CF };

	enter(CS32, DS0);
	memcpy(v.mmu->ram + 0x7000, f, sizeof(f));
	c->gpr[R_ESP] = 0x7000;
	OK(cpu_iret(&v, 4, NEXT));
	AT(CS32, 0x1234, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x700c);
}
END_TEST

static const struct {
	uint64_t rip, cs, flags, rsp, ss;
	uint8_t exc;
	uint16_t err;
} iret_refused[] = {
	{ CODE, CS64_3, FL_ONE, STACK3, 0, EXC_GP, 0 },		/* a null SS in ring 3 */
	{ CODE, CS32, FL_ONE, STACK0, 0, EXC_GP, 0 },		/* and with code that is not 64-bit */
	{ CODE, CS64_3, FL_ONE, STACK3, DS0, EXC_GP, DS0 },	/* of another ring */
	{ HIGH, CS64, FL_ONE, STACK0, 0, EXC_GP, 0 },		/* RIP is not canonical */
	{ 1ull << 32, CS32_3, FL_ONE, STACK3, DS3, EXC_GP, 0 }, /* beyond the limit */
	{ CODE, 0, FL_ONE, STACK0, 0, EXC_GP, 0 },
	{ CODE, CS_BOTH, FL_ONE, STACK0, DS0, EXC_GP, CS_BOTH },
	{ CODE, CS_NP, FL_ONE, STACK0, 0, EXC_NP, CS_NP },
	{ CODE, DS0, FL_ONE, STACK0, 0, EXC_GP, DS0 },
};

START_TEST(iretq_refused)
{
	frame(0x7000, iret_refused[_i].rip, iret_refused[_i].cs, iret_refused[_i].flags, iret_refused[_i].rsp,
	      iret_refused[_i].ss);
	FAULT(cpu_iret(&v, 8, NEXT), iret_refused[_i].exc, iret_refused[_i].err);
}
END_TEST

START_TEST(iretq_with_nt)
{
	frame(0x7000, CODE, CS64, FL_ONE, STACK0, 0);
	c->sysflags |= FL_NT;
	FAULT(cpu_iret(&v, 8, NEXT), EXC_GP, 0);
}
END_TEST

/* ---- far transfers ---- */

START_TEST(jump_into_64_bit_code)
{
	enter(CS32, DS0);
	OK(cpu_jmp_far(&v, CS64, 0x12345678, 4, NEXT));
	AT(CS64, 0x12345678, 0);
	ck_assert(cpu_64(c));
	OK(cpu_jmp_far(&v, CS32, 0x1000, 8, NEXT));
	ck_assert(!cpu_64(c));
	FAULT(cpu_jmp_far(&v, CS_BOTH, 0, 4, NEXT), EXC_GP, CS_BOTH);
	FAULT(cpu_jmp_far(&v, TSS, 0, 4, NEXT), EXC_GP, TSS); /* no tasks */
	FAULT(cpu_jmp_far(&v, CS64_3 & ~3, 0, 4, NEXT), EXC_GP, CS64_3 & ~3);
}
END_TEST

START_TEST(far_call_and_return)
{
	OK(cpu_call_far(&v, CS64, 0xffffffff80000000, 8, 0xffffffff90000000));
	AT(CS64, 0xffffffff80000000, 0);
	STACK(0xffffffff90000000, CS64);
	OK(cpu_ret_far(&v, 8, 16));
	AT(CS64, 0xffffffff90000000, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 + 16);
	FAULT(cpu_call_far(&v, CS64, HIGH, 8, NEXT), EXC_GP, 0);
	c->gpr[R_ESP] = HIGH + 8;
	FAULT(cpu_call_far(&v, CS64, CODE, 8, NEXT), EXC_SS, 0);
}
END_TEST

START_TEST(far_return_to_ring_3)
{
	frame(0x7000, 0x8048000, CS32_3, 0xbfff0000, DS3, 0);
	OK(cpu_ret_far(&v, 8, 0));
	AT(CS32_3, 0x8048000, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xbfff0000);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
}
END_TEST

START_TEST(call_gate)
{
	enter(CS64_3, DS3);
	OK(cpu_call_far(&v, CALLG | 3, 0, 8, NEXT));
	AT(CS64, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], RSP0 - 32);
	STACK(NEXT, CS64_3, STACK3, DS3);
	OK(cpu_ret_far(&v, 8, 0));
	AT(CS64_3, NEXT, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
	enter(CS64_3, DS3);
	FAULT(cpu_jmp_far(&v, CALLG | 3, 0, 8, NEXT), EXC_GP, CS64); /* a jump cannot change rings */
	FAULT(cpu_call_far(&v, CALLG_UP | 3, 0, 8, NEXT), EXC_GP, CALLG_UP);
	FAULT(cpu_call_far(&v, CALLG_32 | 3, 0, 8, NEXT), EXC_GP, CS32);
	enter(CS64, DS0);
	OK(cpu_call_far(&v, CALLG, 0, 8, NEXT));
	STACK(NEXT, CS64);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 16);
}
END_TEST

/* ---- segments and system descriptors ---- */

START_TEST(null_stack_segment)
{
	OK(cpu_load_seg(&v, SEG_SS, 0));
	ck_assert(c->seg[SEG_SS].attr & SA_UNUSABLE);
	enter(CS64_3, DS3);
	FAULT(cpu_load_seg(&v, SEG_SS, 3), EXC_GP, 0);
	enter(CS32, DS0);
	FAULT(cpu_load_seg(&v, SEG_SS, 0), EXC_GP, 0);
}
END_TEST

START_TEST(system_descriptors)
{
	OK(cpu_ltr(&v, TSS, NEXT));
	ck_assert_uint_eq(c->tr.base, 0xffff800000001000);
	ck_assert_uint_eq(peek(AT_GDT + TSS) >> 40 & 0x1f, 11); /* busy */
	FAULT(cpu_ltr(&v, TSS, NEXT), EXC_GP, TSS);
	OK(cpu_lldt(&v, LDT, NEXT));
	ck_assert_uint_eq(c->ldtr.base, 0x123450003000);
	FAULT(cpu_lldt(&v, LDT_HIGH, NEXT), EXC_GP, LDT_HIGH);
	FAULT(cpu_lldt(&v, CALLG_UP, NEXT), EXC_GP, CALLG_UP);
	c->gdtr.limit = LDT + 7; /* the upper half is outside */
	FAULT(cpu_lldt(&v, LDT, NEXT), EXC_GP, LDT);
	FAULT(cpu_lgdt(&v, HIGH, 0xff, 8, NEXT), EXC_GP, 0);
	OK(cpu_lidt(&v, 0xffffffffff580000, 0xfff, 8, NEXT));
	ck_assert_uint_eq(c->idtr.base, 0xffffffffff580000);
}
END_TEST

START_TEST(data_accesses)
{
	uint32_t x;

	c->seg[SEG_DS].limit = 0; /* no limits, no bases but of FS and GS */
	c->seg[SEG_DS].base = 0x5000;
	c->seg[SEG_GS].base = 0x3000;
	poke(0x6000, 0x11111111);
	poke(0x9000, 0x22222222);
	OK(cpu_read(&v, SEG_DS, 0x6000, &x, 4));
	ck_assert_uint_eq(x, 0x11111111);
	OK(cpu_read(&v, SEG_GS, 0x6000, &x, 4));
	ck_assert_uint_eq(x, 0x22222222);
	FAULT(cpu_read(&v, SEG_DS, HIGH - 2, &x, 4), EXC_GP, 0);
	FAULT(cpu_write(&v, SEG_SS, HIGH, &x, 4), EXC_SS, 0);
	OK(cpu_read(&v, SEG_GS, (uint64_t)-0x1000, &x, 4)); /* wraps to 0x2000 */
}
END_TEST

START_TEST(system_types_of_long_mode)
{
	static const struct {
		uint8_t type;
		bool lar, lsl;
	} types[] = { { 1, false, false }, { 2, true, true },	{ 3, false, false },
		      { 4, false, false }, { 5, false, false }, { 9, true, true },
		      { 11, true, true },  { 12, true, false }, { 14, false, false } };
	uint32_t out;
	bool zf;

	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		put_system(LDT, 0x1f, SA_P | types[i].type, 0x3000);
		OK(cpu_query_desc(&v, CPU_LAR, LDT, &out, &zf));
		ck_assert_msg(zf == types[i].lar, "LAR of type %u", types[i].type);
		OK(cpu_query_desc(&v, CPU_LSL, LDT, &out, &zf));
		ck_assert_msg(zf == types[i].lsl, "LSL of type %u", types[i].type);
	}
}
END_TEST

START_TEST(io_permissions)
{
	c->tr.base = 0xffff800000000000 + AT_TSS;
	c->tr.limit = 0x67 + 0x20;
	poke(AT_TSS + 0x60, 0x68ull << 48);
	poke(AT_TSS + 0x68, ~(1ull << 0x21));
	enter(CS64_3, DS3);
	OK(cpu_io_check(&v, 0x21, 1));
	FAULT(cpu_io_check(&v, 0x21, 2), EXC_GP, 0);
	FAULT(cpu_io_check(&v, 0x500, 1), EXC_GP, 0); /* outside the map */
	c->sysflags |= FL_IOPL;
	OK(cpu_io_check(&v, 0x500, 1));
}
END_TEST

/* ---- the stack, flags ---- */

START_TEST(push_and_pop)
{
	uint64_t x;

	OK(cpu_push(&v, 0x123456789abcdef0, 8));
	OK(cpu_push(&v, 0x1111, 2));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 10);
	OK(cpu_pop(&v, &x, 2));
	ck_assert_uint_eq(x, 0x1111);
	OK(cpu_pop(&v, &x, 8));
	ck_assert_uint_eq(x, 0x123456789abcdef0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0);
	c->gpr[R_ESP] = HIGH + 4;
	FAULT(cpu_push(&v, 0, 8), EXC_SS, 0);
	FAULT(cpu_pop(&v, &x, 8), EXC_SS, 0);
	c->gpr[R_ESP] = 0xffff800000000000 + STACK0;
	OK(cpu_push(&v, 5, 8));
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff800000000000 + STACK0 - 8);
}
END_TEST

START_TEST(flags_through_the_stack)
{
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_AC | FL_ZF);
	OK(cpu_pushf(&v, 8, NEXT));
	ck_assert_uint_eq(peek(STACK0 - 8), FL_ONE | FL_IF | FL_AC | FL_ZF);
	poke(STACK0 - 8, 0xffffffff00000000 | FL_ONE | FL_ID | FL_CF);
	OK(cpu_popf(&v, 8, NEXT));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_ID | FL_CF);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0);
	OK(cpu_pushf(&v, 2, NEXT));
	poke(STACK0 - 2, FL_ONE | FL_IF | FL_DF);
	OK(cpu_popf(&v, 2, NEXT));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_ID | FL_IF | FL_DF);
	enter(CS64_3, DS3);
	poke(STACK3, FL_ONE | FL_IOPL);
	OK(cpu_popf(&v, 8, NEXT)); /* neither IF nor IOPL */
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF);
}
END_TEST

START_TEST(access_to_user_pages)
{
	OK(cpu_set_ac(&v, true));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF | FL_AC);
	OK(cpu_set_ac(&v, false));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF);
	enter(CS64_3, DS3);
	FAULT(cpu_set_ac(&v, true), EXC_UD, 0);
}
END_TEST

/* ---- SYSCALL and relatives ---- */

START_TEST(syscall_and_sysret)
{
	c->star = 0x0018000800000000;
	c->lstar = 0xffffffff81800000;
	c->cstar = 0xffffffff81900000;
	c->fmask = FL_IF | FL_DF;
	enter(CS64_3, DS3);
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_ZF);
	OK(cpu_syscall(&v, NEXT));
	AT(CS64, 0xffffffff81800000, 0);
	ck_assert_uint_eq(c->gpr[R_ECX], NEXT);
	ck_assert_uint_eq(c->gpr[11], FL_ONE | FL_IF | FL_ZF);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_ZF);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3); /* the kernel's business */
	ck_assert(cpu_64(c));
	OK(cpu_sysret(&v, 8));
	AT(CS64_3, NEXT, 3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF | FL_ZF);
	FAULT(cpu_sysret(&v, 8), EXC_GP, 0); /* not in ring 3 */
	enter(CS64, DS0);
	c->gpr[R_ECX] = HIGH;
	FAULT(cpu_sysret(&v, 8), EXC_GP, 0);
	c->gpr[R_ECX] = 0xdeadbeef00001000;
	OK(cpu_sysret(&v, 4));
	AT(CS32_3, 0x1000, 3);
	ck_assert(!cpu_64(c));
	FAULT(cpu_syscall(&v, NEXT), EXC_UD, 0); /* from compatibility mode: AMD's alone */
	amd = true;
	OK(cpu_syscall(&v, NEXT));
	AT(CS64, 0xffffffff81900000, 0);
	c->gpr[R_ECX] = HIGH;
	OK(cpu_sysret(&v, 8)); /* the fault comes at the target */
	AT(CS64_3, HIGH, 3);
	c->efer &= ~(uint64_t)EFER_SCE;
	FAULT(cpu_syscall(&v, NEXT), EXC_UD, 0);
	FAULT(cpu_sysret(&v, 8), EXC_UD, 0);
}
END_TEST

/* AMD's processors have the pair outside IA-32e mode. */
START_TEST(legacy_syscall)
{
	c->star = 0x0018000880001000;
	c->cr0 = CR0_PE | CR0_ET;
	c->efer = EFER_SCE;
	enter(CS32_3, DS3);
	FAULT(cpu_syscall(&v, NEXT), EXC_UD, 0);
	amd = true;
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_ZF | FL_NT);
	OK(cpu_syscall(&v, NEXT));
	AT(CS64, 0x80001000, 0); /* the selector, as a 32-bit segment */
	ck_assert(!(c->seg[SEG_CS].attr & SA_L) && (c->seg[SEG_CS].attr & SA_DB));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_ZF | FL_NT);
	ck_assert_uint_eq(c->gpr[R_ECX], NEXT);
	OK(cpu_sysret(&v, 4));
	AT(CS32_3, NEXT, 3);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF | FL_ZF | FL_NT);
	c->cr0 = CR0_ET;
	FAULT(cpu_syscall(&v, NEXT), EXC_UD, 0);
}
END_TEST

START_TEST(sysenter_and_sysexit)
{
	c->sysenter_cs = CS64;
	c->sysenter_eip = 0xffffffff81800000;
	c->sysenter_esp = 0xffff888000000000;
	enter(CS32_3, DS3);
	OK(cpu_sysenter(&v));
	AT(CS64, 0xffffffff81800000, 0);
	ck_assert(cpu_64(c) && c->gpr[R_ESP] == 0xffff888000000000);
	c->gpr[R_ECX] = 0x7fff00000000;
	c->gpr[R_EDX] = 0x7fff10000000;
	OK(cpu_sysexit(&v, 8));
	AT((CS64 + 32) | 3, 0x7fff10000000, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x7fff00000000);
	enter(CS64, DS0);
	OK(cpu_sysexit(&v, 4));
	AT((CS64 + 16) | 3, 0x10000000, 3);
	enter(CS64, DS0);
	c->gpr[R_ECX] = HIGH;
	FAULT(cpu_sysexit(&v, 8), EXC_GP, 0);
	amd = true;
	FAULT(cpu_sysenter(&v), EXC_UD, 0);
	FAULT(cpu_sysexit(&v, 8), EXC_UD, 0);
}
END_TEST

START_TEST(swapgs)
{
	c->seg[SEG_GS].base = 0x7f0000001000;
	c->kernel_gs_base = 0xffff88803fc00000;
	OK(cpu_swapgs(&v, NEXT));
	ck_assert_uint_eq(c->seg[SEG_GS].base, 0xffff88803fc00000);
	ck_assert_uint_eq(c->kernel_gs_base, 0x7f0000001000);
	enter(CS32, DS0);
	FAULT(cpu_swapgs(&v, NEXT), EXC_UD, 0);
	enter(CS64_3, DS3);
	FAULT(cpu_swapgs(&v, NEXT), EXC_GP, 0);
}
END_TEST

START_TEST(bases_of_fs_and_gs)
{
	uint64_t x;

	c->seg[SEG_FS].base = 0x7f1234567000;
	FAULT(cpu_read_base(&v, SEG_FS, 8, &x), EXC_UD, 0); /* without CR4.FSGSBASE */
	OK(cpu_mov_to_cr(&v, 4, CR4_PAE | CR4_FSGSBASE, NEXT));
	enter(CS64_3, DS3);
	c->seg[SEG_FS].base = 0x7f1234567000;
	OK(cpu_read_base(&v, SEG_FS, 8, &x));
	ck_assert_uint_eq(x, 0x7f1234567000);
	OK(cpu_read_base(&v, SEG_FS, 4, &x));
	ck_assert_uint_eq(x, 0x34567000);
	OK(cpu_write_base(&v, SEG_GS, 8, 0xffff800000000000));
	ck_assert_uint_eq(c->seg[SEG_GS].base, 0xffff800000000000);
	FAULT(cpu_write_base(&v, SEG_GS, 8, HIGH), EXC_GP, 0);
	OK(cpu_write_base(&v, SEG_GS, 4, HIGH + 0x1000));
	ck_assert_uint_eq(c->seg[SEG_GS].base, 0x1000);
	enter(CS32_3, DS3);
	FAULT(cpu_write_base(&v, SEG_GS, 4, 0), EXC_UD, 0);
}
END_TEST

/* ---- CR8, contexts of the TLB ---- */

START_TEST(task_priority)
{
	uint64_t x;

	OK(cpu_mov_to_cr(&v, 8, 5, NEXT)); /* no APIC: nothing to see */
	c->apic_base = 0xfee00000 | APIC_BASE_ENABLE;
	OK(cpu_mov_to_cr(&v, 8, 5, NEXT));
	ck_assert_uint_eq(xapic_tpr, 0x50);
	xapic_tpr = 0xab;
	OK(cpu_mov_from_cr(&v, 8, &x));
	ck_assert_uint_eq(x, 0xa);
	c->apic_base |= APIC_BASE_X2APIC;
	OK(cpu_mov_to_cr(&v, 8, 15, NEXT));
	ck_assert_uint_eq(x2apic_tpr, 0xf0);
	OK(cpu_mov_from_cr(&v, 8, &x));
	ck_assert_uint_eq(x, 15);
	FAULT(cpu_mov_to_cr(&v, 8, 16, NEXT), EXC_GP, 0);
	FAULT(cpu_mov_to_cr(&v, 9, 0, NEXT), EXC_UD, 0);
	enter(CS64_3, DS3);
	FAULT(cpu_mov_to_cr(&v, 8, 0, NEXT), EXC_GP, 0);
	enter(CS32, DS0);
	FAULT(cpu_mov_to_cr(&v, 8, 0, NEXT), EXC_UD, 0);
}
END_TEST

START_TEST(process_contexts)
{
	c->cr3 = 0x5018;
	FAULT(cpu_mov_to_cr(&v, 3, 1ull << 63 | 0x5000, NEXT), EXC_GP, 0);
	FAULT(cpu_mov_to_cr(&v, 4, CR4_PAE | CR4_PCIDE, NEXT), EXC_GP, 0); /* CR3 has a context */
	c->cr3 = 0x5000;
	OK(cpu_mov_to_cr(&v, 4, CR4_PAE | CR4_PCIDE, NEXT));
	ck_assert_uint_eq(v.mmu->global_flushes, 1);
	OK(cpu_mov_to_cr(&v, 3, 1ull << 63 | 0x6007, NEXT));
	ck_assert_uint_eq(c->cr3, 0x6007);
	ck_assert(v.mmu->switches == 1 && v.mmu->kept == 1);
	OK(cpu_mov_to_cr(&v, 3, 0x6008, NEXT));
	ck_assert(v.mmu->switches == 2 && v.mmu->kept == 1 && v.mmu->flushes == 1);
	enter(CS32, DS0);
	FAULT(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_ET, NEXT), EXC_GP, 0);
	OK(cpu_mov_to_cr(&v, 4, CR4_PAE, NEXT));
	OK(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_ET, NEXT));
	FAULT(cpu_mov_to_cr(&v, 4, CR4_PAE | CR4_PCIDE, NEXT), EXC_GP, 0); /* not in IA-32e mode */
}
END_TEST

static int invpcid(uint64_t type, uint64_t pcid, uint64_t lin)
{
	return cpu_invpcid(&v, type, (const uint64_t[]){ pcid, lin }, NEXT);
}

START_TEST(invalidation_by_context)
{
	OK(invpcid(0, 0, 0xffff888000000000));
	ck_assert_uint_eq(v.mmu->invpcids[0], 1);
	FAULT(invpcid(0, 1, 0), EXC_GP, 0); /* without CR4.PCIDE */
	FAULT(invpcid(1, 1, 0), EXC_GP, 0);
	FAULT(invpcid(0, 0, HIGH), EXC_GP, 0);
	FAULT(invpcid(4, 0, 0), EXC_GP, 0);
	FAULT(invpcid(1ull << 32, 0, 0), EXC_GP, 0);
	FAULT(invpcid(2, 0x1000, 0), EXC_GP, 0);
	OK(invpcid(2, 7, HIGH)); /* what it does not use is not checked */
	c->cr4 |= CR4_PCIDE;
	OK(invpcid(3, 0, 0));
	OK(invpcid(1, 5, HIGH));
	OK(invpcid(0, 5, 0x1000));
	for (unsigned i = 0; i < ARRAY_LEN(v.mmu->invpcids); i++)
		ck_assert_uint_eq(v.mmu->invpcids[i], i ? 1 : 2);
	enter(CS64_3, DS3);
	FAULT(invpcid(2, 0, 0), EXC_GP, 0);
}
END_TEST

/* ---- entering and leaving, MSRs ---- */

START_TEST(into_and_out_of_long_mode)
{
	enter(CS32, DS0);
	c->cr0 = CR0_PE | CR0_ET;
	c->cr4 = 0;
	c->efer = EFER_LME;
	FAULT(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_PG | CR0_ET, NEXT), EXC_GP, 0); /* without PAE */
	OK(cpu_mov_to_cr(&v, 4, CR4_PAE, NEXT));
	c->tr.attr = SA_P | 3;
	FAULT(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_PG | CR0_ET, NEXT), EXC_GP, 0); /* with a 16-bit TSS */
	c->tr.attr = SA_P | 11;
	OK(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_PG | CR0_ET, NEXT));
	ck_assert(cpu_long(c) && !cpu_64(c));
	ck_assert_uint_eq(v.mmu->pdptr_loads, 0);
	FAULT(cpu_mov_to_cr(&v, 4, 0, NEXT), EXC_GP, 0);
	OK(cpu_jmp_far(&v, CS64, CODE, 4, NEXT));
	FAULT(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_ET, NEXT), EXC_GP, 0); /* not from 64-bit code */
	FAULT(cpu_mov_to_cr(&v, 0, 1ull << 32 | c->cr0, NEXT), EXC_GP, 0);
	FAULT(cpu_mov_to_cr(&v, 3, 1ull << 52, NEXT), EXC_GP, 0);
	OK(cpu_mov_to_cr(&v, 3, 0x812345000, NEXT));
	ck_assert_uint_eq(c->cr3, 0x812345000);
	OK(cpu_jmp_far(&v, CS32, CODE, 4, NEXT));
	OK(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_ET, NEXT));
	ck_assert_uint_eq(c->efer, EFER_LME);
}
END_TEST

static void put_msr(uint32_t msr, uint64_t val)
{
	c->gpr[R_ECX] = msr;
	c->gpr[R_EAX] = (uint32_t)val;
	c->gpr[R_EDX] = val >> 32;
}

#define MSR_OK(msr, val)                                                                                     \
	do {                                                                                                 \
		put_msr(msr, val);                                                                           \
		OK(cpu_wrmsr(&v, NEXT));                                                                     \
	} while (0)
#define MSR_FAULT(msr, val)                                                                                  \
	do {                                                                                                 \
		put_msr(msr, val);                                                                           \
		FAULT(cpu_wrmsr(&v, NEXT), EXC_GP, 0);                                                       \
	} while (0)

START_TEST(msrs)
{
	MSR_OK(MSR_LSTAR, 0xffffffff81800000);
	ck_assert_uint_eq(c->lstar, 0xffffffff81800000);
	MSR_FAULT(MSR_LSTAR, HIGH);
	MSR_FAULT(MSR_FMASK, 1ull << 32);
	MSR_OK(MSR_FS_BASE, 0x7fffdeadb000);
	ck_assert_uint_eq(c->seg[SEG_FS].base, 0x7fffdeadb000);
	MSR_FAULT(MSR_GS_BASE, HIGH);
	MSR_OK(MSR_EFER, EFER_LME | EFER_LMA | EFER_NXE); /* LMA is read-only, ignored */
	ck_assert_uint_eq(c->efer, EFER_LME | EFER_LMA | EFER_NXE);
	MSR_FAULT(MSR_EFER, 0); /* LME, while there is paging */
	MSR_FAULT(MSR_SYSENTER_EIP, HIGH);
	MSR_OK(MSR_SYSENTER_ESP, 0xffffc90000000000);
	amd = true; /* whose processors do not check */
	MSR_OK(MSR_SYSENTER_EIP, HIGH);
	amd = lm = false;
	MSR_OK(MSR_SYSENTER_EIP, HIGH);
	MSR_FAULT(MSR_LSTAR, 0);
	MSR_FAULT(MSR_EFER, EFER_LME);
}
END_TEST

#define LOOP(tc, fn, rows) tcase_add_loop_test(tc, fn, 0, ARRAY_LEN(rows))

int main(void)
{
	Suite *s = suite_create("long");
	TCase *tc = tcase_create("IA-32e mode");

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(s, tc);
	tcase_add_test(tc, interrupt_same_ring);
	tcase_add_test(tc, interrupt_inner_ring);
	tcase_add_test(tc, interrupt_from_compatibility_mode);
	tcase_add_test(tc, interrupt_stack_table);
	tcase_add_test(tc, conforming_handler_keeps_the_ring);
	LOOP(tc, interrupt_refused, refused);
	tcase_add_test(tc, stack_not_canonical);
	tcase_add_test(tc, exception_with_error_code);
	tcase_add_test(tc, double_fault_on_its_own_stack);
	tcase_add_test(tc, iretq_same_ring);
	tcase_add_test(tc, iretq_outer_ring);
	tcase_add_test(tc, iretq_to_compatibility_mode);
	tcase_add_test(tc, iretq_to_a_16_bit_stack_sets_sp_alone);
	tcase_add_test(tc, iret_from_compatibility_mode_to_the_same_ring);
	LOOP(tc, iretq_refused, iret_refused);
	tcase_add_test(tc, iretq_with_nt);
	tcase_add_test(tc, jump_into_64_bit_code);
	tcase_add_test(tc, far_call_and_return);
	tcase_add_test(tc, far_return_to_ring_3);
	tcase_add_test(tc, call_gate);
	tcase_add_test(tc, null_stack_segment);
	tcase_add_test(tc, system_descriptors);
	tcase_add_test(tc, data_accesses);
	tcase_add_test(tc, system_types_of_long_mode);
	tcase_add_test(tc, io_permissions);
	tcase_add_test(tc, push_and_pop);
	tcase_add_test(tc, flags_through_the_stack);
	tcase_add_test(tc, access_to_user_pages);
	tcase_add_test(tc, bases_of_fs_and_gs);
	tcase_add_test(tc, task_priority);
	tcase_add_test(tc, process_contexts);
	tcase_add_test(tc, invalidation_by_context);
	tcase_add_test(tc, syscall_and_sysret);
	tcase_add_test(tc, legacy_syscall);
	tcase_add_test(tc, sysenter_and_sysexit);
	tcase_add_test(tc, swapgs);
	tcase_add_test(tc, into_and_out_of_long_mode);
	tcase_add_test(tc, msrs);
	return suite_run(s);
}
