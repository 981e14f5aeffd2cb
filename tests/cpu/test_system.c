/* SPDX-License-Identifier: GPL-3.0-or-later
 * The system instructions against the manual's tables, on a flat fake memory. Each test builds a small
 * protected-mode environment (GDT, LDT, IDT, three TSSs); the rows name selectors in it and the expected
 * outcome. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>

#include "cpu/system.h"
#include "mm/mm.h"
#include "tests/cpu/fake_mmu.h"
#include "x86/features.h"

/* ---- the environment ---- */

enum {
	AT_GDT = 0x1000,
	AT_IDT = 0x2000,
	AT_LDT = 0x2800,
	AT_TSS = 0x3000,
	AT_TSS_B = 0x5000,
	AT_TSS16 = 0x6000,
	STACK0 = 0x8000,
	STACK3 = 0x9000,
	STACK_B = 0xa000,
	STACK1 = 0xb000,
	CODE = 0x10000,
	NEXT = CODE + 2,
	HANDLER = 0x20000,
	TASK_B_EIP = 0x30000,
};

#define D0 0u
#define D1 0x20u
#define D3 0x60u
#define CODE_A (SA_P | SA_S | SA_CODE | SA_RW | SA_A)
#define DATA_A (SA_P | SA_S | SA_RW | SA_A)
#define BIG (SA_DB | SA_G)

/* Segments of the GDT. Columns: selector, limit field, attributes, base. */
enum {
	CS0 = 0x08,
	DS0 = 0x10,
	CS3 = 0x1b,
	DS3 = 0x23,
	CONF = 0x28,
	TSS = 0x30,
	LDT = 0x38,
	TSS_B = 0x40,
	TSS16 = 0x48,
	CALLG = 0x50,
	CS_NP = 0x58,
	DS_DOWN = 0x60,
	CS_XO = 0x68,
	DS_RO = 0x70,
	CS_16 = 0x78,
	DS_16 = 0x80,
	TASKG = 0x88,
	DS3_NP = 0x90,
	CS1 = 0x98,
	DS1 = 0xa0,
	CS_SMALL = 0xa8,
	CALLG16 = 0xb0,
	CALLG_C = 0xb8,
	CALLG_NP = 0xc0,
	SS_SMALL = 0xc8,
	SS_NP = 0xd0,
	CALLG_D0 = 0xd8,
	CALLG_DATA = 0xe0,
	DS_DOWN16 = 0xe8,
	TSS_NP = 0xf0,
	TSS_SHORT = 0xf8,
	DS0_NA = 0x100,
	CONF3 = 0x108,
	CALLG_BAD = 0x110,
	LDT_NP = 0x118,
	GDT_END = 0x120,
};
static const struct {
	uint16_t sel;
	uint32_t limit, attr, base;
} segs[] = {
	{ CS0, 0xfffff, CODE_A | D0 | BIG, 0 },
	{ DS0, 0xfffff, DATA_A | D0 | BIG, 0 },
	{ CS3, 0xfffff, CODE_A | D3 | BIG, 0 },
	{ DS3, 0xfffff, DATA_A | D3 | BIG, 0 },
	{ CONF, 0xfffff, CODE_A | SA_EC | D0 | BIG, 0 },
	{ TSS, 0x1fff, SA_P | 9, AT_TSS },
	{ LDT, 0x1f, SA_P | 2, AT_LDT },
	{ TSS_B, 0x67, SA_P | 9 | D3, AT_TSS_B },
	{ TSS16, 0x2b, SA_P | 1, AT_TSS16 },
	{ CS_NP, 0xfffff, (CODE_A & ~SA_P) | BIG, 0 },
	{ DS_DOWN, 0x00fff, DATA_A | SA_EC | SA_DB, 0 },
	{ CS_XO, 0xfffff, (CODE_A & ~SA_RW) | BIG, 0 },
	{ DS_RO, 0xfffff, (DATA_A & ~SA_RW) | BIG, 0 },
	{ CS_16, 0xffff, CODE_A, 0 },
	{ DS_16, 0xffff, DATA_A, 0 },
	{ DS3_NP, 0xfffff, (DATA_A & ~SA_P) | D3 | BIG, 0 },
	{ CS1, 0xfffff, CODE_A | D1 | BIG, 0 },
	{ DS1, 0xfffff, DATA_A | D1 | BIG, 0 },
	{ CS_SMALL, 0xff, CODE_A | SA_DB, 0 },
	{ SS_SMALL, 0x7ff0, DATA_A | SA_DB, 0 },
	{ SS_NP, 0xfffff, (DATA_A & ~SA_P) | BIG, 0 },
	{ DS_DOWN16, 0x00fff, DATA_A | SA_EC, 0 },
	{ TSS_NP, 0x67, 9, AT_TSS_B },
	{ TSS_SHORT, 0x66, SA_P | 9, AT_TSS_B },
	{ DS0_NA, 0xfffff, (DATA_A & ~SA_A) | BIG, 0 },
	{ CONF3, 0xfffff, CODE_A | SA_EC | D3 | BIG, 0 },
	{ LDT_NP, 0x1f, 2, AT_LDT },
};

/* Gates in the GDT and the IDT. Columns: where, selector, offset, type and DPL, parameters. */
enum { CALL16 = 4, TASKGATE = 5, INT16 = 6, TRAP16 = 7, CALL32 = 12, INT32 = 14, TRAP32 = 15 };
enum { /* vectors */
       V_INT = 0x80,
       V_TRAP = 0x81,
       V_INT_D0 = 0x82,
       V_NP = 0x83,
       V_16 = 0x84,
       V_TASK = 0x85,
       V_CONF = 0x86,
       V_NULLCS = 0x87,
       V_CSNP = 0x88,
       V_DATA = 0x89,
       V_BEYOND = 0x8a,
       V_SMALL = 0x8b,
       V_CALLGATE = 0x8c,
       V_CS3 = 0x8d,
       V_TASK_BUSY = 0x8e,
       V_TASK16 = 0x8f,
       V_CS1 = 0x90,
       V_TRAP16 = 0x91,
       V_END = 0x92,
};
static const struct {
	uint32_t at;
	uint16_t sel;
	uint32_t off;
	uint8_t access, n;
} gates[] = {
	{ AT_GDT + CALLG, CS0, HANDLER, SA_P | CALL32 | D3, 2 },
	{ AT_GDT + CALLG16, CS0, 0x1234, SA_P | CALL16 | D3, 1 },
	{ AT_GDT + CALLG_C, CONF, HANDLER, SA_P | CALL32 | D3, 0 },
	{ AT_GDT + CALLG_NP, CS0, HANDLER, CALL32 | D3, 0 },
	{ AT_GDT + CALLG_D0, CS0, HANDLER, SA_P | CALL32, 0 },
	{ AT_GDT + CALLG_DATA, DS0, HANDLER, SA_P | CALL32 | D3, 0 },
	{ AT_GDT + CALLG_BAD, 0, HANDLER, SA_P | CALL32 | D3, 0 },
	{ AT_GDT + TASKG, TSS_B, 0, SA_P | TASKGATE | D3, 0 },
	{ AT_IDT + 8 * V_INT, CS0, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_TRAP, CS0, HANDLER, SA_P | TRAP32 | D3, 0 },
	{ AT_IDT + 8 * V_INT_D0, CS0, HANDLER, SA_P | INT32, 0 },
	{ AT_IDT + 8 * V_NP, CS0, HANDLER, INT32 | D3, 0 },
	{ AT_IDT + 8 * V_16, CS0, 0xffff1234, SA_P | INT16 | D3, 0 },
	{ AT_IDT + 8 * V_TRAP16, CS0, 0x1234, SA_P | TRAP16 | D3, 0 },
	{ AT_IDT + 8 * V_TASK, TSS_B, 0, SA_P | TASKGATE | D3, 0 },
	{ AT_IDT + 8 * V_TASK16, TSS16, 0, SA_P | TASKGATE | D3, 0 },
	{ AT_IDT + 8 * V_TASK_BUSY, TSS, 0, SA_P | TASKGATE | D3, 0 },
	{ AT_IDT + 8 * V_CONF, CONF, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_NULLCS, 3, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_CSNP, CS_NP, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_DATA, DS0, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_BEYOND, GDT_END, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_SMALL, CS_SMALL, 0x100, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_CALLGATE, CS0, HANDLER, SA_P | CALL32 | D3, 0 },
	{ AT_IDT + 8 * V_CS3, CS3, HANDLER, SA_P | INT32 | D3, 0 },
	{ AT_IDT + 8 * V_CS1, CS1, HANDLER, SA_P | INT32 | D3, 0 },
};

static struct vcpu v;
#define c (&v.cpu)
static uint64_t fake_tsc;
static uint32_t cpuid_mask = ~0u;
static bool cpuid_amd;
static uint64_t plat_written;

static uint32_t peek(uint32_t a)
{
	uint32_t x;

	memcpy(&x, v.mmu->ram + a, 4);
	return x;
}

static uint16_t peek16(uint32_t a)
{
	return (uint16_t)peek(a);
}
static void poke(uint32_t a, uint32_t x)
{
	memcpy(v.mmu->ram + a, &x, 4);
}
static void poke16(uint32_t a, uint16_t x)
{
	memcpy(v.mmu->ram + a, &x, 2);
}

static void put_seg(uint32_t at, uint32_t limit, uint32_t attr, uint32_t base)
{
	poke(at, (limit & 0xffff) | base << 16);
	poke(at + 4, (base >> 16 & 0xff) | (attr & 0xf0ff) << 8 | (limit & 0xf0000) | (base & 0xff000000));
}

static void put_gate(uint32_t at, uint16_t sel, uint32_t off, uint8_t access, uint8_t n)
{
	poke(at, (off & 0xffff) | (uint32_t)sel << 16);
	poke(at + 4, (off & 0xffff0000) | (uint32_t)access << 8 | n);
}

static uint64_t tsc(void *ctx)
{
	(void)ctx;
	return fake_tsc;
}

static void cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)ctx, (void)cpu, (void)sub;
	for (int i = 0; i < 4; i++)
		out[i] = cpuid_mask;
	if (leaf == 0)
		out[CPUID_B] = cpuid_amd ? CPUID_AMD_EBX : CPUID_INTEL_EBX;
	if (leaf == CPUID_LM_LEAF) /* IA-32e mode: test_long.c */
		out[CPUID_LM_REG] &= ~(uint32_t)CPUID_LM;
	if (leaf == 0xd)
		out[0] = 7;
	if (leaf == 0x12345)
		out[0] = 1, out[1] = 2, out[2] = 3, out[3] = 4;
}

/* Registers that the platform stores. */
static bool plat_has(uint32_t msr)
{
	return msr == 0xabc || msr < 2 || (msr == 0x1b && (cpuid_mask & CPUID_APIC)) || msr == 0x179 ||
	       msr == 0x17a || (msr >= 0x400 && msr < 0x410) || (msr >= 0xc0010000 && msr < 0xc0010008);
}

static bool plat_rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	(void)ctx;
	*val = msr == 0x1b ? c->apic_base : 0x1122334455667788;
	return plat_has(msr);
}

static bool plat_wrmsr(void *ctx, uint32_t msr, uint64_t val)
{
	(void)ctx;
	plat_written = val;
	return plat_has(msr);
}

/* Task B: ring 0, flat, its own stack. */
static void put_task_b(void)
{
	static const uint32_t sels[] = { DS0, CS0, DS0, DS0, 0, 0 };

	poke(AT_TSS_B + 0x1c, 0x77000); /* CR3 */
	poke(AT_TSS_B + 0x20, TASK_B_EIP);
	poke(AT_TSS_B + 0x24, FL_ONE | FL_IF | FL_ZF);
	for (unsigned i = 0; i < 8; i++)
		poke(AT_TSS_B + 0x28 + 4 * i, 0xb0 + i);
	poke(AT_TSS_B + 0x38, STACK_B);
	for (unsigned i = 0; i < 6; i++)
		poke(AT_TSS_B + 0x48 + 4 * i, sels[i]);
	poke(AT_TSS_B + 0x60, LDT);
}

static void put_task_16(void)
{
	static const uint16_t sels[] = { DS0, CS0, DS0, DS0 };

	poke16(AT_TSS16 + 14, 0x4321);
	poke16(AT_TSS16 + 16, FL_ONE | FL_CF);
	for (unsigned i = 0; i < 8; i++)
		poke16(AT_TSS16 + 18 + 2 * i, (uint16_t)(0x160 + i));
	poke16(AT_TSS16 + 26, 0x7000);
	for (unsigned i = 0; i < 4; i++)
		poke16(AT_TSS16 + 34 + 2 * i, sels[i]);
}

static struct seg_cache flat(uint16_t sel, uint32_t attr)
{
	attr |= BIG | (sel & 3u) << SA_DPL_SHIFT;
	return (struct seg_cache){ .sel = sel, .limit = ~0u, .attr = attr };
}

/* Enter ring CPL: flat, interrupts on, IOPL 0. */
static void enter_ring(unsigned cpl)
{
	uint16_t cs = cpl == 3 ? CS3 : cpl == 1 ? CS1 | 1 : CS0;
	uint16_t ds = cpl == 3 ? DS3 : cpl == 1 ? DS1 | 1 : DS0;

	for (int i = 0; i < SEG_COUNT; i++)
		c->seg[i] = flat(ds, DATA_A);
	c->seg[SEG_CS] = flat(cs, CODE_A);
	c->cpl = (uint8_t)cpl;
	c->gpr[R_ESP] = cpl == 3 ? STACK3 : cpl == 1 ? STACK1 : STACK0;
	c->rip = CODE;
	cpu_set_eflags(c, FL_ONE | FL_IF);
}

static void enter_v86(unsigned iopl)
{
	static const uint16_t sels[] = { 0x100, 0x1000, 0x900, 0x300, 0x400, 0x500 };

	for (int i = 0; i < SEG_COUNT; i++)
		c->seg[i] = (struct seg_cache){
			.sel = sels[i],
			.base = sels[i] * 16u,
			.limit = 0xffff,
			.attr = 0xf3,
		};
	c->cpl = 3;
	c->gpr[R_ESP] = 0x800;
	c->rip = 0x10;
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_VM | iopl << 12);
}

static void enter_real(void)
{
	cpu_reset(c);
	c->seg[SEG_CS].sel = 0x1000;
	c->seg[SEG_CS].base = 0x10000;
	c->seg[SEG_SS].sel = 0x900;
	c->seg[SEG_SS].base = 0x9000;
	c->gpr[R_ESP] = 0xffff0800;
	c->rip = 0x10;
	c->idtr = (struct dt_reg){ .base = 0, .limit = 0x3ff };
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_TF);
}

static void setup(void)
{
	memset(&v, 0, sizeof(v));
	cpu_reset(c);
	v.mmu = fake_mmu_new(c);
	v.plat = (struct platform){ .tsc = tsc, .cpuid = cpuid, .rdmsr = plat_rdmsr, .wrmsr = plat_wrmsr };
	fake_tsc = 1000;
	cpuid_mask = ~0u;
	cpuid_amd = false;
	plat_written = 0;
	for (unsigned i = 0; i < ARRAY_LEN(segs); i++)
		put_seg(AT_GDT + (segs[i].sel & ~7u), segs[i].limit, segs[i].attr, segs[i].base);
	for (unsigned i = 0; i < ARRAY_LEN(gates); i++)
		put_gate(gates[i].at, gates[i].sel, gates[i].off, gates[i].access, gates[i].n);
	for (unsigned i = 0; i < 32; i++) /* exceptions: interrupt gates of ring 0 */
		put_gate(AT_IDT + 8 * i, CS0, HANDLER + i * 16,
			 SA_P | INT32 | (i == EXC_BP || i == EXC_OF ? D3 : D0), 0);
	put_seg(AT_LDT + 8, 0xfffff, DATA_A | D3 | BIG, 0);
	poke(AT_TSS + 4, STACK0);
	poke(AT_TSS + 8, DS0);
	poke(AT_TSS + 12, STACK1);
	poke(AT_TSS + 16, DS1 | 1);
	poke(AT_TSS + 0x64, 0x88u << 16); /* I/O map directly after the redirection map at 0x68 */
	put_task_b();
	put_task_16();
	c->cr0 = CR0_PE | CR0_ET;
	c->gdtr = (struct dt_reg){ .base = AT_GDT, .limit = GDT_END - 1 };
	c->idtr = (struct dt_reg){ .base = AT_IDT, .limit = V_END * 8 - 1 };
	c->tr = (struct seg_cache){ .sel = TSS, .base = AT_TSS, .limit = 0x1fff, .attr = SA_P | 11 };
	poke(AT_GDT + TSS + 4, peek(AT_GDT + TSS + 4) | 0x200);
	c->ldtr = (struct seg_cache){ .sel = LDT, .base = AT_LDT, .limit = 0x1f, .attr = SA_P | 2 };
	enter_ring(0);
}

static void teardown(void)
{
	fake_mmu_free(v.mmu);
}

/* ---- outcomes ---- */

#define OK(call) ck_assert_msg((call) == 0, #call ": exception %u(%x)", c->exc.vector, c->exc.err)
#define NO_FAULT (-1)

static struct cpu before;

static void expect_fault(int rc, int vec, uint32_t err, const char *what)
{
	struct exc x = c->exc;

	ck_assert_msg(rc == -1, "%s: no exception, expected %d(%x)", what, vec, err);
	ck_assert_msg(x.vector == vec && x.err == err, "%s: %u(%x), expected %d(%x)", what, x.vector, x.err,
		      vec, err);
	before.exc = x;
	ck_assert_msg(!memcmp(&before, c, sizeof(before)), "%s: state changed by a fault", what);
}

#define FAULT(call, vec, err)                                                                                \
	do {                                                                                                 \
		before = *c;                                                                                 \
		expect_fault((call), vec, err, #call);                                                       \
	} while (0)

#define OK_OR_FAULT(call, vec, err)                                                                          \
	do {                                                                                                 \
		if ((vec) == NO_FAULT)                                                                       \
			OK(call);                                                                            \
		else                                                                                         \
			FAULT(call, vec, err);                                                               \
	} while (0)

#define AT(cs_, eip_, cpl_)                                                                                  \
	do {                                                                                                 \
		ck_assert_uint_eq(c->seg[SEG_CS].sel, cs_);                                                  \
		ck_assert_uint_eq(c->rip, eip_);                                                             \
		ck_assert_uint_eq(c->cpl, cpl_);                                                             \
	} while (0)

static void expect_stack(const uint32_t *want, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint32_t got = peek((uint32_t)c->gpr[R_ESP] + 4 * i);

		ck_assert_msg(got == want[i], "stack[%u] is %x, expected %x", i, got, want[i]);
	}
}

#define STACK(...)                                                                                           \
	do {                                                                                                 \
		uint32_t want_[] = { __VA_ARGS__ };                                                          \
		expect_stack(want_, ARRAY_LEN(want_));                                                       \
	} while (0)

static void put_stack(const uint32_t *f, unsigned n, unsigned op)
{
	uint32_t esp = (uint32_t)c->gpr[R_ESP] - n * op;
	uint32_t at = c->seg[SEG_SS].base + (c->seg[SEG_SS].attr & SA_DB ? esp : esp & 0xffff);

	for (unsigned i = 0; i < n; i++)
		if (op == 4)
			poke(at + 4 * i, f[i]);
		else
			poke16(at + 2 * i, (uint16_t)f[i]);
	c->gpr[R_ESP] = esp;
}

#define FRAME(op, ...)                                                                                       \
	do {                                                                                                 \
		uint32_t f_[] = { __VA_ARGS__ };                                                             \
		put_stack(f_, ARRAY_LEN(f_), op);                                                            \
	} while (0)

/* ---- segment loads ---- */

static const struct {
	enum seg s;
	uint8_t cpl;
	uint16_t sel;
	int vec;
	uint32_t err;
} load_rows[] = {
	{ SEG_DS, 0, DS0, NO_FAULT, 0 },
	{ SEG_DS, 0, 0, NO_FAULT, 0 },
	{ SEG_DS, 3, 3, NO_FAULT, 0 },
	{ SEG_DS, 3, DS3, NO_FAULT, 0 },
	{ SEG_DS, 3, DS0, EXC_GP, DS0 },
	{ SEG_DS, 0, DS0 | 3, EXC_GP, DS0 },
	{ SEG_ES, 0, CS_XO, EXC_GP, CS_XO },
	{ SEG_ES, 3, CONF | 3, NO_FAULT, 0 },
	{ SEG_ES, 0, CS0, NO_FAULT, 0 },
	{ SEG_FS, 0, TSS, EXC_GP, TSS },
	{ SEG_FS, 0, DS_RO, NO_FAULT, 0 },
	{ SEG_GS, 0, DS3_NP, EXC_NP, DS3_NP },
	{ SEG_GS, 0, GDT_END, EXC_GP, GDT_END },
	{ SEG_GS, 3, 0x0f, NO_FAULT, 0 },  /* LDT entry 1 */
	{ SEG_GS, 3, 0x27, EXC_GP, 0x24 }, /* beyond the LDT */
	{ SEG_CS, 0, CS0, EXC_UD, 0 },
	{ SEG_SS, 0, DS0, NO_FAULT, 0 },
	{ SEG_SS, 0, 0, EXC_GP, 0 },
	{ SEG_SS, 3, 3, EXC_GP, 0 },
	{ SEG_SS, 0, DS3, EXC_GP, DS3 & ~3 },
	{ SEG_SS, 0, DS0 | 1, EXC_GP, DS0 },
	{ SEG_SS, 3, DS0 | 3, EXC_GP, DS0 },
	{ SEG_SS, 0, DS_RO, EXC_GP, DS_RO },
	{ SEG_SS, 0, CS0, EXC_GP, CS0 },
	{ SEG_SS, 0, SS_NP, EXC_SS, SS_NP },
	{ SEG_SS, 0, GDT_END, EXC_GP, GDT_END },
};

START_TEST(load_seg)
{
	enter_ring(load_rows[_i].cpl);
	OK_OR_FAULT(cpu_load_seg(&v, load_rows[_i].s, load_rows[_i].sel), load_rows[_i].vec,
		    load_rows[_i].err);
	if (load_rows[_i].vec == NO_FAULT)
		ck_assert_uint_eq(c->seg[load_rows[_i].s].sel, load_rows[_i].sel);
	ck_assert_uint_eq(c->rip, CODE);
}
END_TEST

START_TEST(load_seg_sets_accessed_once)
{
	OK(cpu_load_seg(&v, SEG_DS, DS0_NA));
	ck_assert_uint_eq(v.mmu->writes, 1);
	ck_assert(peek(AT_GDT + DS0_NA + 4) & 0x100);
	ck_assert_uint_eq(c->seg[SEG_DS].attr, DATA_A | BIG);
	OK(cpu_load_seg(&v, SEG_DS, DS0_NA));
	ck_assert_uint_eq(v.mmu->writes, 1);
	c->ldtr = (struct seg_cache){ .attr = SA_UNUSABLE };
	FAULT(cpu_load_seg(&v, SEG_DS, 0x0f), EXC_GP, 0x0c);
	c->gdtr.limit = DS0 + 6; /* the last byte of the descriptor is outside */
	FAULT(cpu_load_seg(&v, SEG_DS, DS0), EXC_GP, DS0);
	c->gdtr.limit = DS0 + 7;
	OK(cpu_load_seg(&v, SEG_DS, DS0));
}
END_TEST

START_TEST(load_seg_86)
{
	enter_v86(0);
	OK(cpu_load_seg(&v, SEG_SS, 0x1234));
	ck_assert_uint_eq(c->seg[SEG_SS].base, 0x12340);
	ck_assert_uint_eq(c->seg[SEG_SS].limit, 0xffff);
	ck_assert_uint_eq(c->seg[SEG_SS].attr, 0xf3);
	enter_real();
	c->seg[SEG_DS].limit = ~0u; /* big real mode keeps its limit */
	c->seg[SEG_DS].attr = DATA_A | BIG;
	OK(cpu_load_seg(&v, SEG_DS, 0x1234));
	ck_assert_uint_eq(c->seg[SEG_DS].base, 0x12340);
	ck_assert_uint_eq(c->seg[SEG_DS].limit, ~0u);
	ck_assert_uint_eq(c->seg[SEG_DS].attr, DATA_A | BIG);
	c->seg[SEG_ES] = (struct seg_cache){ .attr = SA_UNUSABLE };
	OK(cpu_load_seg(&v, SEG_ES, 0));
	ck_assert_uint_eq(c->seg[SEG_ES].limit, 0xffff);
	ck_assert_uint_eq(c->seg[SEG_ES].attr, DATA_A);
}
END_TEST

static const struct {
	uint16_t sel;
	enum seg s;
	uint32_t off;
	unsigned n;
	bool write;
	int vec;
} access_rows[] = {
	{ DS0, SEG_DS, 0x40000, 4, true, NO_FAULT },	  { 0, SEG_DS, 0, 1, false, EXC_GP },
	{ DS_RO, SEG_DS, 0x40000, 4, true, EXC_GP },	  { DS_RO, SEG_DS, 0x40000, 4, false, NO_FAULT },
	{ CS0, SEG_ES, 0x40000, 4, true, EXC_GP },	  { CS0, SEG_ES, 0x40000, 4, false, NO_FAULT },
	{ DS_16, SEG_DS, 0xfffc, 4, true, NO_FAULT },	  { DS_16, SEG_DS, 0xfffd, 4, true, EXC_GP },
	{ SS_SMALL, SEG_SS, 0x7ff0, 1, false, NO_FAULT }, { SS_SMALL, SEG_SS, 0x7ff0, 2, false, EXC_SS },
	{ DS_DOWN, SEG_DS, 0x0fff, 1, false, EXC_GP },	  { DS_DOWN, SEG_DS, 0x1000, 4, true, NO_FAULT },
	{ DS_DOWN, SEG_DS, 0x0ffe, 4, true, EXC_GP },	  { DS_DOWN, SEG_DS, 0x10000, 4, true, NO_FAULT },
	{ DS_DOWN16, SEG_DS, 0xfffe, 2, true, NO_FAULT }, { DS_DOWN16, SEG_DS, 0xfffe, 4, true, EXC_GP },
	{ DS_DOWN16, SEG_DS, 0x10000, 1, true, EXC_GP },  { DS0, SEG_DS, 0xfffffffe, 4, true, EXC_GP },
	{ DS0, SEG_DS, 0x40000, 0, true, NO_FAULT },
};

START_TEST(access_checked)
{
	uint8_t buf[8] = { 0xa5, 0x5a, 1, 2 };

	OK(cpu_load_seg(&v, access_rows[_i].s, access_rows[_i].sel));
	if (access_rows[_i].write)
		OK_OR_FAULT(cpu_write(&v, access_rows[_i].s, access_rows[_i].off, buf, access_rows[_i].n),
			    access_rows[_i].vec, 0);
	else
		OK_OR_FAULT(cpu_read(&v, access_rows[_i].s, access_rows[_i].off, buf, access_rows[_i].n),
			    access_rows[_i].vec, 0);
}
END_TEST

START_TEST(access_execute_only)
{
	uint8_t b;

	c->seg[SEG_CS].attr &= ~(uint32_t)SA_RW;
	FAULT(cpu_read(&v, SEG_CS, 0, &b, 1), EXC_GP, 0);
	enter_real(); /* real mode has limits but no types */
	c->seg[SEG_CS].attr &= ~(uint32_t)SA_RW;
	OK(cpu_write(&v, SEG_CS, 0, &b, 1));
	FAULT(cpu_write(&v, SEG_CS, 0xffff, &before, 2), EXC_GP, 0);
}
END_TEST

static const struct {
	enum cpu_desc_query q;
	uint8_t cpl;
	uint16_t sel;
	bool zf;
	uint32_t out;
} query_rows[] = {
	{ CPU_LAR, 0, DS0, true, 0x00c09300 },
	{ CPU_LAR, 0, 0, false, 0 },
	{ CPU_LAR, 3, DS0, false, 0 },
	{ CPU_LAR, 0, DS0 | 3, false, 0 },
	{ CPU_LAR, 3, CONF | 3, true, 0x00c09f00 },
	{ CPU_LAR, 3, CALLG | 3, true, 0x0000ec00 },
	{ CPU_LAR, 0, GDT_END, false, 0 },
	{ CPU_LAR, 0, TSS, true, 0x00008b00 },
	{ CPU_LSL, 0, DS0, true, 0xffffffff },
	{ CPU_LSL, 0, SS_SMALL, true, 0x7ff0 },
	{ CPU_LSL, 0, CALLG, false, 0 },
	{ CPU_LSL, 0, LDT, true, 0x1f },
	{ CPU_VERR, 0, CS_XO, false, 0 },
	{ CPU_VERR, 3, DS3, true, 0 },
	{ CPU_VERR, 3, DS0, false, 0 },
	{ CPU_VERR, 0, TSS, false, 0 },
	{ CPU_VERW, 0, DS_RO, false, 0 },
	{ CPU_VERW, 0, CS0, false, 0 },
	{ CPU_VERW, 3, DS3, true, 0 },
};

START_TEST(query_desc)
{
	uint32_t out = 0;
	bool zf;

	enter_ring(query_rows[_i].cpl);
	OK(cpu_query_desc(&v, query_rows[_i].q, query_rows[_i].sel, &out, &zf));
	ck_assert_uint_eq(zf, query_rows[_i].zf);
	ck_assert_uint_eq(out, query_rows[_i].out);
}
END_TEST

START_TEST(query_desc_needs_protection)
{
	uint32_t out;
	bool zf;

	enter_v86(3);
	FAULT(cpu_query_desc(&v, CPU_LAR, DS0, &out, &zf), EXC_UD, 0);
	enter_real();
	FAULT(cpu_query_desc(&v, CPU_VERR, DS0, &out, &zf), EXC_UD, 0);
}
END_TEST

/* ---- push and pop ---- */

START_TEST(push_pop)
{
	uint64_t x;

	OK(cpu_push(&v, 0x12345678, 4));
	OK(cpu_push(&v, 0xabcd, 2));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 6);
	OK(cpu_pop(&v, &x, 2));
	ck_assert_uint_eq(x, 0xabcd);
	OK(cpu_pop(&v, &x, 4));
	ck_assert_uint_eq(x, 0x12345678);
	OK(cpu_load_seg(&v, SEG_SS, DS_16)); /* SP wraps, the upper half of ESP is unchanged */
	c->gpr[R_ESP] = 0x70000;
	OK(cpu_push(&v, 0x1111, 2));
	ck_assert_uint_eq(c->gpr[R_ESP], 0x7fffe);
	OK(cpu_pop(&v, &x, 2));
	ck_assert_uint_eq(c->gpr[R_ESP], 0x70000);
	c->gpr[R_ESP] = 2; /* half inside the segment */
	FAULT(cpu_push(&v, 0, 4), EXC_SS, 0);
	OK(cpu_load_seg(&v, SEG_SS, SS_SMALL));
	c->gpr[R_ESP] = 0x7ff2;
	FAULT(cpu_push(&v, 0, 4), EXC_SS, 0);
	FAULT(cpu_pop(&v, &x, 4), EXC_SS, 0);
}
END_TEST

START_TEST(push_page_fault)
{
	v.mmu->absent_from = STACK0 - 2;
	FAULT(cpu_push(&v, 0, 4), EXC_PF, 2);
	ck_assert_uint_eq(c->exc.cr2, STACK0 - 2);
	enter_ring(3);
	v.mmu->absent_from = FAKE_RAM;
	v.mmu->user_from = 0x100000;
	FAULT(cpu_push(&v, 0, 4), EXC_PF, 7);
}
END_TEST

/* ---- interrupts through gates ---- */

static const struct {
	uint8_t cpl;
	uint16_t vector;
	enum cpu_int_kind kind;
	int vec;
	uint32_t err;
} int_rows[] = {
	{ 3, V_INT, CPU_INT_N, NO_FAULT, 0 },
	{ 0, V_INT, CPU_INT_N, NO_FAULT, 0 },
	{ 3, V_INT_D0, CPU_INT_N, EXC_GP, V_INT_D0 * 8 + 2 },
	{ 3, V_INT_D0, CPU_INT1, NO_FAULT, 0 },
	{ 3, V_NP, CPU_INT_N, EXC_NP, V_NP * 8 + 2 },
	{ 3, V_NP, CPU_INT1, EXC_NP, V_NP * 8 + 3 },
	{ 3, V_CALLGATE, CPU_INT_N, EXC_GP, V_CALLGATE * 8 + 2 },
	{ 3, V_END, CPU_INT_N, EXC_GP, V_END * 8 + 2 },
	{ 3, V_NULLCS, CPU_INT_N, EXC_GP, 0 },
	{ 3, V_NULLCS, CPU_INT1, EXC_GP, 1 },
	{ 3, V_CSNP, CPU_INT_N, EXC_NP, CS_NP },
	{ 3, V_DATA, CPU_INT_N, EXC_GP, DS0 },
	{ 3, V_BEYOND, CPU_INT_N, EXC_GP, GDT_END },
	{ 3, V_SMALL, CPU_INT_N, EXC_GP, 0 },
	{ 0, V_SMALL, CPU_INT1, EXC_GP, 1 },
	{ 0, V_CS3, CPU_INT_N, EXC_GP, CS3 & ~3 },
	{ 3, V_CS3, CPU_INT_N, NO_FAULT, 0 },
	{ 3, V_CONF, CPU_INT_N, NO_FAULT, 0 },
	{ 3, V_CS1, CPU_INT_N, NO_FAULT, 0 },
	{ 3, 3, CPU_INT3, NO_FAULT, 0 },
	{ 3, 4, CPU_INTO, NO_FAULT, 0 },
	{ 3, V_TASK_BUSY, CPU_INT_N, EXC_GP, TSS },
};

START_TEST(int_gate_checks)
{
	enter_ring(int_rows[_i].cpl);
	OK_OR_FAULT(cpu_soft_int(&v, int_rows[_i].vector, int_rows[_i].kind, NEXT), int_rows[_i].vec,
		    int_rows[_i].err);
}
END_TEST

START_TEST(int_inner_ring)
{
	enter_ring(3);
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_TF | FL_NT | FL_AC | FL_CF | FL_RF);
	OK(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT));
	AT(CS0, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 20);
	STACK(NEXT, CS3, FL_ONE | FL_IF | FL_TF | FL_NT | FL_AC | FL_CF, STACK3, DS3);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_AC | FL_CF);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS0);
	ck_assert_uint_eq(c->seg[SEG_DS].sel, DS3);
	ck_assert_uint_eq(v.mmu->reads, 4); /* gate, CS, TSS stack, SS */
	ck_assert_uint_eq(v.mmu->writes, 1);
}
END_TEST

START_TEST(int_same_ring)
{
	OK(cpu_soft_int(&v, V_TRAP, CPU_INT_N, NEXT));
	AT(CS0, HANDLER, 0);
	STACK(NEXT, CS0, FL_ONE | FL_IF);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF); /* a trap gate leaves IF */
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 12);
}
END_TEST

START_TEST(int_conforming)
{
	enter_ring(3);
	OK(cpu_soft_int(&v, V_CONF, CPU_INT_N, NEXT));
	AT(CONF | 3, HANDLER, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3 - 12);
	STACK(NEXT, CS3, FL_ONE | FL_IF);
}
END_TEST

START_TEST(int_to_ring1)
{
	enter_ring(3);
	OK(cpu_soft_int(&v, V_CS1, CPU_INT_N, NEXT));
	AT(CS1 | 1, HANDLER, 1);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS1 | 1);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK1 - 20);
}
END_TEST

START_TEST(int_16bit_gate)
{
	enter_ring(3);
	OK(cpu_soft_int(&v, V_16, CPU_INT_N, NEXT));
	AT(CS0, 0x1234, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 10);
	ck_assert_uint_eq(peek16(STACK0 - 10), NEXT & 0xffff);
	ck_assert_uint_eq(peek16(STACK0 - 8), CS3);
	ck_assert_uint_eq(peek16(STACK0 - 6), FL_ONE | FL_IF);
	ck_assert_uint_eq(peek16(STACK0 - 4), STACK3);
	ck_assert_uint_eq(peek16(STACK0 - 2), DS3);
	ck_assert_uint_eq(c->intf, 0);
	enter_ring(0);
	OK(cpu_soft_int(&v, V_TRAP16, CPU_INT_N, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 6);
	ck_assert_uint_eq(c->intf, 1);
}
END_TEST

START_TEST(int_16bit_tss)
{
	enter_ring(3);
	c->tr = (struct seg_cache){ .sel = TSS16, .base = AT_TSS16, .limit = 0x2b, .attr = SA_P | 3 };
	poke16(AT_TSS16 + 2, 0x7800);
	poke16(AT_TSS16 + 4, DS0);
	OK(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], 0x7800 - 20);
	AT(CS0, HANDLER, 0);
}
END_TEST

/* The inner stack in the TSS. Columns: SS, ESP; outcome, without EXT. */
static const struct {
	uint16_t ss;
	uint32_t esp;
	int vec;
	uint32_t err;
} inner_rows[] = {
	{ 0, STACK0, EXC_TS, 0 },	   { DS0 | 3, STACK0, EXC_TS, DS0 },
	{ DS3, STACK0, EXC_TS, DS3 & ~3 }, { CS0, STACK0, EXC_TS, CS0 },
	{ DS_RO, STACK0, EXC_TS, DS_RO },  { GDT_END, STACK0, EXC_TS, GDT_END },
	{ SS_NP, STACK0, EXC_SS, SS_NP },  { SS_SMALL, 0x7ff8, EXC_SS, SS_SMALL },
	{ SS_SMALL, 0x7ff0, NO_FAULT, 0 }, { DS_DOWN, 0x1010, EXC_SS, DS_DOWN },
	{ DS_DOWN, 0x1014, NO_FAULT, 0 },  { DS0, 0, EXC_PF, 2 }, /* the frame ends at 4 GiB: beyond RAM */
};

START_TEST(int_inner_stack)
{
	uint32_t err = inner_rows[_i].err;

	poke(AT_TSS + 4, inner_rows[_i].esp);
	poke(AT_TSS + 8, inner_rows[_i].ss);
	enter_ring(3);
	if (inner_rows[_i].vec == NO_FAULT) {
		OK(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT));
		return;
	}
	FAULT(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT), inner_rows[_i].vec, err);
	FAULT(cpu_soft_int(&v, V_INT, CPU_INT1, NEXT), inner_rows[_i].vec,
	      inner_rows[_i].vec == EXC_PF ? err : err | 1);
}
END_TEST

START_TEST(int_tss_too_short)
{
	enter_ring(3);
	c->tr.limit = 8;
	FAULT(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT), EXC_TS, TSS);
	c->tr.limit = 9;
	OK(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT));
}
END_TEST

START_TEST(int_stack_wraps_16bit)
{
	OK(cpu_load_seg(&v, SEG_SS, DS_16));
	c->gpr[R_ESP] = 0xabcd0004;
	OK(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], 0xabcdfff8);
	ck_assert_uint_eq(peek(0xfff8), NEXT);
	ck_assert_uint_eq(peek(0xfffc), CS0);
	ck_assert_uint_eq(peek(0), FL_ONE | FL_IF);
}
END_TEST

START_TEST(int_page_fault_in_frame)
{
	enter_ring(3);
	v.mmu->absent_from = STACK0 - 8;
	FAULT(cpu_soft_int(&v, V_INT, CPU_INT_N, NEXT), EXC_PF, 2); /* a supervisor write */
	ck_assert_uint_eq(c->exc.cr2, STACK0 - 8);
}
END_TEST

START_TEST(irq)
{
	enter_ring(3);
	c->halted = 1;
	c->shadow = 1;
	ck_assert(cpu_deliver_irq(&v, V_INT_D0)); /* no DPL check */
	AT(CS0, HANDLER, 0);
	STACK(CODE, CS3, FL_ONE | FL_IF, STACK3, DS3);
	ck_assert_uint_eq(c->halted + c->shadow, 0);
}
END_TEST

START_TEST(irq_faults)
{
	enter_ring(3);
	ck_assert(cpu_deliver_irq(&v, V_NP)); /* ends in #NP with EXT */
	AT(CS0, HANDLER + EXC_NP * 16, 0);
	STACK(V_NP * 8 + 3, CODE, CS3, FL_ONE | FL_IF | FL_RF, STACK3, DS3);
}
END_TEST

/* ---- exceptions ---- */

START_TEST(exc_with_error)
{
	enter_ring(3);
	c->exc = (struct exc){ .vector = EXC_PF, .has_err = true, .err = 6, .cr2 = 0xdeadbeef };
	ck_assert(cpu_deliver_exc(&v));
	AT(CS0, HANDLER + EXC_PF * 16, 0);
	ck_assert_uint_eq(c->cr2, 0xdeadbeef);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 24);
	STACK(6, CODE, CS3, FL_ONE | FL_IF | FL_RF, STACK3, DS3);
	ck_assert_uint_eq(v.mmu->reads, 4);
	ck_assert_uint_eq(v.mmu->writes, 1);
}
END_TEST

START_TEST(exc_db_is_no_fault)
{
	c->dr[7] |= 1u << 13;
	cpu_raise(c, EXC_DB);
	ck_assert(cpu_deliver_exc(&v));
	STACK(CODE, CS0, FL_ONE | FL_IF); /* RF unchanged */
	ck_assert_uint_eq(c->dr[7] & 1u << 13, 0);
}
END_TEST

START_TEST(exc_nmi_blocks_until_iret)
{
	c->nmi_pending = 1;
	cpu_raise(c, EXC_NMI);
	ck_assert(cpu_deliver_exc(&v));
	ck_assert_uint_eq(c->nmi_blocked, 1);
	ck_assert_uint_eq(c->nmi_pending, 0);
	OK(cpu_iret(&v, 4, NEXT));
	ck_assert_uint_eq(c->nmi_blocked, 0);
	AT(CS0, CODE, 0);
}
END_TEST

/* Delivery of FIRST meets a gate that is not present (#NP); the gates in MISSING are absent as well. LANDS:
 * the vector delivered in the end, -1: shutdown. */
static const struct {
	uint8_t first;
	uint32_t missing;
	int lands;
	uint32_t err;
} double_rows[] = {
	{ EXC_GP, 1u << EXC_GP, EXC_DF, 0 },
	{ EXC_DE, 1u << EXC_DE, EXC_DF, 0 },
	{ EXC_PF, 1u << EXC_PF, EXC_DF, 0 },
	{ EXC_UD, 1u << EXC_UD, EXC_NP, EXC_UD * 8 + 3 }, /* benign first: served in turn */
	{ EXC_DB, 1u << EXC_DB, EXC_NP, EXC_DB * 8 + 3 },
	{ EXC_UD, 1u << EXC_UD | 1u << EXC_NP, EXC_DF, 0 },
	{ EXC_GP, 1u << EXC_GP | 1u << EXC_DF, -1, 0 },
	{ EXC_UD, 1u << EXC_UD | 1u << EXC_NP | 1u << EXC_DF, -1, 0 },
};

START_TEST(double_fault)
{
	for (unsigned i = 0; i < 32; i++)
		if (double_rows[_i].missing >> i & 1)
			poke(AT_IDT + 8 * i + 4, peek(AT_IDT + 8 * i + 4) & ~0x8000u);
	cpu_raise(c, double_rows[_i].first);
	ck_assert_int_eq(cpu_deliver_exc(&v), double_rows[_i].lands >= 0);
	ck_assert_uint_eq(v.chain[0].exc.vector, double_rows[_i].first);
	ck_assert_uint_eq(v.chain[1].exc.vector, EXC_NP);
	ck_assert_uint_eq(v.chain[1].exc.err, double_rows[_i].first * 8u + 3);
	ck_assert_uint_eq(v.chain[v.nchain - 1].exc.vector,
			  double_rows[_i].lands < 0 ? EXC_NP : (unsigned)double_rows[_i].lands);
	if (double_rows[_i].lands < 0)
		return;
	AT(CS0, (uint32_t)(HANDLER + double_rows[_i].lands * 16), 0);
	ck_assert_uint_eq(peek((uint32_t)c->gpr[R_ESP]), double_rows[_i].err);
	ck_assert_uint_eq(peek((uint32_t)c->gpr[R_ESP] + 4), CODE);
}
END_TEST

START_TEST(double_fault_then_page_fault)
{
	/* Contributory, then #PF during delivery: served in turn; CR2 is the stack's address. */
	put_gate(AT_IDT + 8 * EXC_GP, CS1, HANDLER, SA_P | INT32, 0);
	enter_ring(3);
	poke(AT_TSS + 12, 0x500000);
	v.mmu->absent_from = 0x400000;
	cpu_raise_err(c, EXC_GP, 0);
	ck_assert(cpu_deliver_exc(&v));
	AT(CS0, HANDLER + EXC_PF * 16, 0);
	ck_assert_uint_eq(c->cr2, 0x500000 - 24);
	STACK(2, CODE, CS3, FL_ONE | FL_IF | FL_RF, STACK3, DS3);
}
END_TEST

START_TEST(double_fault_of_page_faults)
{
	put_gate(AT_IDT + 8 * EXC_PF, CS1, HANDLER, SA_P | INT32, 0);
	enter_ring(3);
	poke(AT_TSS + 12, 0x500000);
	v.mmu->absent_from = 0x400000;
	c->exc = (struct exc){ .vector = EXC_PF, .has_err = true, .err = 4, .cr2 = 0x600000 };
	ck_assert(cpu_deliver_exc(&v));
	AT(CS0, HANDLER + EXC_DF * 16, 0);
}
END_TEST

START_TEST(triple_fault)
{
	static const uint8_t by_ud[] = { EXC_UD, EXC_GP, EXC_GP, EXC_DF, EXC_GP };
	static const uint8_t by_irq[] = { EXC_GP, EXC_GP, EXC_DF, EXC_GP };

	c->idtr.limit = 0;
	c->exc = (struct exc){ .vector = EXC_UD };
	ck_assert(!cpu_deliver_exc(&v));
	ck_assert_uint_eq(v.nchain, ARRAY_LEN(by_ud));
	for (unsigned i = 0; i < v.nchain; i++) {
		ck_assert_uint_eq(v.chain[i].exc.vector, by_ud[i]);
		ck_assert_uint_eq(v.chain[i].eip, CODE);
		ck_assert_uint_eq(v.chain[i].cs, CS0);
	}
	ck_assert_uint_eq(v.chain[1].exc.err, EXC_UD * 8 + 3);
	ck_assert_uint_eq(v.chain[4].exc.err, EXC_DF * 8 + 3);
	v.nchain = 0;
	enter_real();
	c->idtr.limit = 0;
	ck_assert(!cpu_deliver_irq(&v, 0x20));
	ck_assert_uint_eq(v.nchain, ARRAY_LEN(by_irq));
	for (unsigned i = 0; i < v.nchain; i++)
		ck_assert_uint_eq(v.chain[i].exc.vector, by_irq[i]);
}
END_TEST

/* ---- real mode ---- */

START_TEST(real_int_iret)
{
	poke(0x21 * 4, 0x34561234); /* 3456:1234 */
	enter_real();
	OK(cpu_soft_int(&v, 0x21, CPU_INT_N, 0x12));
	AT(0x3456, 0x1234, 0);
	ck_assert_uint_eq(c->seg[SEG_CS].base, 0x34560);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff07fa);
	ck_assert_uint_eq(peek16(0x97fa), 0x12);
	ck_assert_uint_eq(peek16(0x97fc), 0x1000);
	ck_assert_uint_eq(peek16(0x97fe), FL_ONE | FL_IF | FL_TF);
	OK(cpu_iret(&v, 2, 0));
	AT(0x1000, 0x12, 0);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF | FL_TF);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff0800);
}
END_TEST

START_TEST(real_exc_pushes_no_error)
{
	poke(EXC_GP * 4, 0x00502000);
	enter_real();
	cpu_raise_err(c, EXC_GP, 0x1234);
	ck_assert(cpu_deliver_exc(&v));
	AT(0x50, 0x2000, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff07fa);
	ck_assert_uint_eq(peek16(0x97fa), 0x10);
}
END_TEST

START_TEST(real_iret32)
{
	enter_real();
	FRAME(4, 0x4000, 0x2000, FL_ID | FL_AC | FL_VIP | FL_VM | FL_IOPL | FL_CF | FL_ONE);
	OK(cpu_iret(&v, 4, 0));
	AT(0x2000, 0x4000, 0);
	ck_assert_uint_eq(cpu_eflags(c), FL_ID | FL_AC | FL_IOPL | FL_CF | FL_ONE);
	enter_real();
	FRAME(4, 0x10000, 0x2000, FL_ONE);
	FAULT(cpu_iret(&v, 4, 0), EXC_GP, 0);
}
END_TEST

START_TEST(real_far)
{
	enter_real();
	OK(cpu_call_far(&v, 0x2000, 0x123, 2, 0x15));
	AT(0x2000, 0x123, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff07fc);
	OK(cpu_ret_far(&v, 2, 6));
	AT(0x1000, 0x15, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], 0xffff0806);
	OK(cpu_jmp_far(&v, 0xf000, 0xfff0, 2, 0));
	AT(0xf000, 0xfff0, 0);
	ck_assert_uint_eq(c->seg[SEG_CS].base, 0xf0000);
	FAULT(cpu_jmp_far(&v, 0, 0x10000, 4, 0), EXC_GP, 0);
	c->gpr[R_ESP] = 1; /* a word that straddles the end of the stack segment */
	FAULT(cpu_call_far(&v, 0, 0, 2, 0), EXC_SS, 0);
}
END_TEST

/* ---- IRET in protected mode ---- */

START_TEST(iret_outer)
{
	FRAME(4, 0x1234, CS3, FL_ONE | FL_IF | FL_ZF | FL_IOPL | FL_ID, STACK3, DS3);
	c->seg[SEG_FS] = flat(CS0, CODE_A | SA_EC); /* conforming: may be kept */
	c->seg[SEG_GS] = flat(DS3, DATA_A);
	OK(cpu_iret(&v, 4, NEXT));
	AT(CS3, 0x1234, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_IF | FL_ZF | FL_IOPL | FL_ID);
	ck_assert_uint_eq(c->seg[SEG_DS].attr, SA_UNUSABLE); /* DPL 0 is not kept in ring 3 */
	ck_assert_uint_eq(c->seg[SEG_ES].sel, 0);
	ck_assert_uint_eq(c->seg[SEG_FS].sel, CS0);
	ck_assert_uint_eq(c->seg[SEG_GS].sel, DS3);
	ck_assert_uint_eq(v.mmu->reads, 3); /* frame, CS, SS */
	ck_assert_uint_eq(v.mmu->writes, 0);
}
END_TEST

START_TEST(iret_outer_at_page_end)
{
	c->gpr[R_ESP] = 0x8004;
	FRAME(4, 0x1234, CS3, FL_ONE, STACK3, DS3); /* the frame crosses into the next page */
	OK(cpu_iret(&v, 4, NEXT));
	AT(CS3, 0x1234, 3);
	enter_ring(0);
	FRAME(4, 0x1234, CS0, FL_ONE); /* three items at the end of what is mapped */
	v.mmu->absent_from = STACK0;
	OK(cpu_iret(&v, 4, NEXT));
	AT(CS0, 0x1234, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0);
}
END_TEST

START_TEST(iret_same)
{
	c->sysflags |= FL_VIF;
	FRAME(4, 0x1234, CS0, FL_ONE | FL_TF | FL_RF | FL_AC | FL_IOPL | FL_DF);
	OK(cpu_iret(&v, 4, NEXT));
	AT(CS0, 0x1234, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_TF | FL_AC | FL_IOPL | FL_DF);
}
END_TEST

START_TEST(iret_16)
{
	c->sysflags |= FL_ID | FL_AC;
	FRAME(2, 0x1234, CS3, FL_ONE | FL_CF, 0x5678, DS3);
	OK(cpu_iret(&v, 2, NEXT));
	AT(CS3, 0x1234, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x5678);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_CF | FL_ID | FL_AC); /* the upper half is unchanged */
}
END_TEST

START_TEST(iret_to_16bit_stack)
{
	poke(AT_GDT + (DS3 & ~7) + 4, peek(AT_GDT + (DS3 & ~7) + 4) & ~0x400000u);
	FRAME(4, 0x1234, CS3, FL_ONE, 0x12345678, DS3);
	OK(cpu_iret(&v, 4, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], (STACK0 & 0xffff0000) | 0x5678); /* only SP is loaded */
}
END_TEST

/* Columns: CPL, popped CS, EIP, SS; outcome. */
static const struct {
	uint8_t cpl;
	uint16_t cs;
	uint32_t eip;
	uint16_t ss;
	int vec;
	uint32_t err;
} iret_rows[] = {
	{ 0, 0, 0, DS3, EXC_GP, 0 },
	{ 0, 3, 0, DS3, EXC_GP, 0 },
	{ 0, GDT_END, 0, DS3, EXC_GP, GDT_END },
	{ 0, DS0, 0, DS3, EXC_GP, DS0 },
	{ 3, CS0, 0, DS3, EXC_GP, CS0 },	   /* inwards */
	{ 0, CS3 & ~3, 0, DS3, EXC_GP, CS3 & ~3 }, /* RPL 0, DPL 3 */
	{ 0, CS0 | 3, 0, DS3, EXC_GP, CS0 },
	{ 0, CONF | 3, 0, DS3, NO_FAULT, 0 },
	{ 0, CONF3 & ~3, 0, DS3, EXC_GP, CONF3 & ~3 }, /* conforming, DPL > RPL */
	{ 0, CS_NP, 0, DS3, EXC_NP, CS_NP },
	{ 0, CS_SMALL, 0x100, DS3, EXC_GP, 0 },
	{ 0, CS_SMALL, 0xff, DS3, NO_FAULT, 0 },
	{ 0, CS3, 0, 0, EXC_GP, 0 },
	{ 0, CS3, 0, 3, EXC_GP, 0 },
	{ 0, CS3, 0, DS0, EXC_GP, DS0 },
	{ 0, CS3, 0, DS0 | 3, EXC_GP, DS0 },
	{ 0, CS3, 0, CS3, EXC_GP, CS3 & ~3 },
	{ 0, CS3, 0, DS3_NP | 3, EXC_SS, DS3_NP },
	{ 0, CS3, 0, GDT_END | 3, EXC_GP, GDT_END },
	{ 0, CS1 | 1, 0, DS1 | 1, NO_FAULT, 0 },
	{ 1, CS3, 0, DS3, NO_FAULT, 0 },
	{ 1, CS0, 0, DS3, EXC_GP, CS0 },
};

START_TEST(iret_checks)
{
	enter_ring(iret_rows[_i].cpl);
	FRAME(4, iret_rows[_i].eip, iret_rows[_i].cs, FL_ONE, STACK3, iret_rows[_i].ss);
	OK_OR_FAULT(cpu_iret(&v, 4, NEXT), iret_rows[_i].vec, iret_rows[_i].err);
}
END_TEST

/* The same cases by far return, because the checks are shared. */
START_TEST(ret_far_checks)
{
	enter_ring(iret_rows[_i].cpl);
	FRAME(4, iret_rows[_i].eip, iret_rows[_i].cs, STACK3, iret_rows[_i].ss);
	OK_OR_FAULT(cpu_ret_far(&v, 4, 0), iret_rows[_i].vec, iret_rows[_i].err);
}
END_TEST

START_TEST(iret_stack_limit)
{
	OK(cpu_load_seg(&v, SEG_SS, SS_SMALL));
	c->gpr[R_ESP] = 0x7ff1; /* limit 0x7ff0 */
	FRAME(4, 0x1234, CS0, FL_ONE);
	OK(cpu_iret(&v, 4, NEXT));
	c->gpr[R_ESP] = 0x7ff1;
	FRAME(4, 0x1234, CS3, FL_ONE); /* needs two more */
	FAULT(cpu_iret(&v, 4, NEXT), EXC_SS, 0);
	c->gpr[R_ESP] = 0x7ff0;
	FAULT(cpu_iret(&v, 4, NEXT), EXC_SS, 0);
}
END_TEST

/* Which of IF and IOPL an IRET from CPL with IOPL may change. */
START_TEST(iret_flag_rights)
{
	unsigned cpl = _i % 2 ? 3 : 0, iopl = (unsigned)_i / 2;
	uint32_t expect;

	enter_ring(cpl);
	cpu_set_eflags(c, FL_ONE | iopl << 12);
	FRAME(4, 0x1234, c->seg[SEG_CS].sel, FL_ONE | FL_IF | (3 - iopl) << 12 | FL_VIP);
	OK(cpu_iret(&v, 4, NEXT));
	if (cpl == 0)
		expect = FL_ONE | FL_IF | (3 - iopl) << 12 | FL_VIP;
	else
		expect = FL_ONE | iopl << 12 | (iopl == 3 ? FL_IF : 0);
	ck_assert_uint_eq(cpu_eflags(c), expect);
}
END_TEST

START_TEST(iret_to_v86)
{
	uint32_t flags = FL_ONE | FL_VM | FL_IF | FL_IOPL | FL_VIF | FL_CF;

	FRAME(4, 0x1234, 0x2000, flags, 0x800, 0x3000, 0x4000, 0x5000, 0x6000, 0x7000);
	OK(cpu_iret(&v, 4, NEXT));
	AT(0x2000, 0x1234, 3);
	ck_assert_uint_eq(cpu_eflags(c), flags);
	ck_assert_uint_eq(c->gpr[R_ESP], 0x800);
	for (int i = 0; i < SEG_COUNT; i++) {
		static const uint16_t want[] = { 0x4000, 0x2000, 0x3000, 0x5000, 0x6000, 0x7000 };

		ck_assert_uint_eq(c->seg[i].sel, want[i]);
		ck_assert_uint_eq(c->seg[i].base, want[i] * 16u);
		ck_assert_uint_eq(c->seg[i].attr, 0xf3);
	}
	enter_ring(0);
	FRAME(4, 0x10000, 0x2000, flags, 0x800, 0x3000, 0, 0, 0, 0);
	FAULT(cpu_iret(&v, 4, NEXT), EXC_GP, 0);
	enter_ring(3); /* VM in the image is ignored above ring 0 */
	FRAME(4, 0x1234, CS3, flags);
	OK(cpu_iret(&v, 4, NEXT));
	ck_assert(!cpu_v86(c));
}
END_TEST

/* ---- virtual-8086 mode ---- */

START_TEST(v86_to_ring0)
{
	uint32_t flags;

	enter_v86(0);
	flags = cpu_eflags(c);
	ck_assert(cpu_deliver_irq(&v, V_INT_D0));
	AT(CS0, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 36);
	STACK(0x10, 0x1000, flags, 0x800, 0x900, 0x100, 0x300, 0x400, 0x500);
	ck_assert(!cpu_v86(c));
	ck_assert_uint_eq(c->seg[SEG_DS].attr, SA_UNUSABLE);
	ck_assert_uint_eq(c->seg[SEG_GS].sel, 0);
	OK(cpu_iret(&v, 4, NEXT)); /* and back */
	AT(0x1000, 0x10, 3);
	ck_assert_uint_eq(cpu_eflags(c), flags);
	ck_assert_uint_eq(c->seg[SEG_ES].base, 0x1000);
}
END_TEST

START_TEST(v86_exc)
{
	enter_v86(0);
	cpu_raise_err(c, EXC_GP, 0);
	ck_assert(cpu_deliver_exc(&v));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 40);
	STACK(0, 0x10, 0x1000, FL_ONE | FL_IF | FL_VM | FL_RF, 0x800, 0x900);
}
END_TEST

/* Columns: IOPL, CR4.VME, redirection bit, vector, kind; outcome. LANDS: 0 gate, 1 own IVT. */
static const struct {
	uint8_t iopl;
	bool vme, bit;
	uint16_t vector;
	enum cpu_int_kind kind;
	int vec;
	uint32_t err;
	int lands;
} v86_rows[] = {
	{ 0, false, false, V_INT, CPU_INT_N, EXC_GP, 0, 0 },
	{ 2, false, false, V_INT, CPU_INT_N, EXC_GP, 0, 0 },
	{ 3, false, false, V_INT, CPU_INT_N, NO_FAULT, 0, 0 },
	{ 3, false, false, V_INT_D0, CPU_INT_N, EXC_GP, V_INT_D0 * 8 + 2, 0 },
	{ 0, false, false, 3, CPU_INT3, NO_FAULT, 0, 0 },
	{ 0, false, false, 4, CPU_INTO, NO_FAULT, 0, 0 },
	{ 3, false, false, V_CONF, CPU_INT_N, EXC_GP, CONF, 0 },
	{ 3, false, false, V_CS1, CPU_INT_N, EXC_GP, CS1, 0 },
	{ 3, false, false, V_CS3, CPU_INT_N, EXC_GP, CS3 & ~3, 0 },
	{ 0, true, true, V_INT, CPU_INT_N, EXC_GP, 0, 0 },
	{ 3, true, true, V_INT, CPU_INT_N, NO_FAULT, 0, 0 },
	{ 0, true, false, V_INT, CPU_INT_N, NO_FAULT, 0, 1 },
	{ 3, true, false, V_INT, CPU_INT_N, NO_FAULT, 0, 1 },
};

START_TEST(v86_int_n)
{
	unsigned n = v86_rows[_i].vector;
	bool virt = v86_rows[_i].iopl < 3;

	poke(n * 4, 0x20001234);
	enter_v86(v86_rows[_i].iopl);
	c->cr4 = v86_rows[_i].vme ? CR4_VME : 0;
	if (v86_rows[_i].bit)
		v.mmu->ram[AT_TSS + 0x68 + n / 8] |= (uint8_t)(1 << n % 8);
	if (v86_rows[_i].vme)
		c->sysflags |= FL_VIF;
	OK_OR_FAULT(cpu_soft_int(&v, n, v86_rows[_i].kind, 0x12), v86_rows[_i].vec, v86_rows[_i].err);
	if (v86_rows[_i].vec != NO_FAULT)
		return;
	ck_assert_uint_eq(cpu_v86(c), v86_rows[_i].lands);
	if (!v86_rows[_i].lands)
		return;
	AT(0x2000, 0x1234, 3);
	ck_assert_uint_eq(peek16(0x9000 + 0x7fa), 0x12);
	ck_assert_uint_eq(peek16(0x9000 + 0x7fe), FL_ONE | FL_IF | FL_IOPL); /* VIF shows as IF */
	ck_assert_uint_eq(c->intf, virt);
	ck_assert_uint_eq(!!(c->sysflags & FL_VIF), !virt);
}
END_TEST

START_TEST(v86_iret)
{
	enter_v86(3);
	FRAME(2, 0x1234, 0x2000, FL_ONE | FL_CF);
	OK(cpu_iret(&v, 2, 0));
	AT(0x2000, 0x1234, 3);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_CF | FL_VM | FL_IOPL);
	enter_v86(0);
	FRAME(2, 0x1234, 0x2000, FL_ONE);
	FAULT(cpu_iret(&v, 2, 0), EXC_GP, 0);
	c->cr4 = CR4_VME;
	FAULT(cpu_iret(&v, 4, 0), EXC_GP, 0);
	poke16(0x9000 + 0x7fe, FL_ONE | FL_IF | FL_IOPL);
	c->intf = 0;
	OK(cpu_iret(&v, 2, 0));
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_VM | FL_VIF); /* IF and IOPL are unchanged */
	enter_v86(0);
	c->sysflags |= FL_VIP;
	FRAME(2, 0x1234, 0x2000, FL_ONE | FL_IF);
	FAULT(cpu_iret(&v, 2, 0), EXC_GP, 0);
	poke16(0x9000 + 0x7fe, FL_ONE | FL_TF);
	FAULT(cpu_iret(&v, 2, 0), EXC_GP, 0);
}
END_TEST

START_TEST(v86_far)
{
	enter_v86(0);
	OK(cpu_call_far(&v, 0x3000, 0x44, 2, 0x15));
	AT(0x3000, 0x44, 3);
	ck_assert_uint_eq(c->seg[SEG_CS].base, 0x30000);
	OK(cpu_ret_far(&v, 2, 0));
	AT(0x1000, 0x15, 3);
}
END_TEST

/* ---- far transfers ---- */

/* Columns: call?, CPL, selector, offset; outcome; CS:EIP and CPL after it. */
static const struct {
	bool call;
	uint8_t cpl;
	uint16_t sel;
	uint32_t off;
	int vec;
	uint32_t err;
	uint16_t cs;
	uint32_t eip;
	uint8_t to;
} far_rows[] = {
	{ false, 0, CS0, 0x1234, NO_FAULT, 0, CS0, 0x1234, 0 },
	{ true, 0, CS0, 0x1234, NO_FAULT, 0, CS0, 0x1234, 0 },
	{ false, 3, CS3, 0x1234, NO_FAULT, 0, CS3, 0x1234, 3 },
	{ false, 3, CS3 & ~3, 0x1234, NO_FAULT, 0, CS3, 0x1234, 3 }, /* RPL becomes CPL */
	{ false, 3, CONF, 0x1234, NO_FAULT, 0, CONF | 3, 0x1234, 3 },
	{ true, 3, CONF | 3, 0x1234, NO_FAULT, 0, CONF | 3, 0x1234, 3 },
	{ false, 0, CONF3, 0x1234, EXC_GP, CONF3, 0, 0, 0 },
	{ false, 3, CS0, 0x1234, EXC_GP, CS0, 0, 0, 0 },
	{ false, 0, CS3 & ~3, 0x1234, EXC_GP, CS3 & ~3, 0, 0, 0 },
	{ false, 0, CS0 | 3, 0x1234, EXC_GP, CS0, 0, 0, 0 },
	{ false, 0, 0, 0x1234, EXC_GP, 0, 0, 0, 0 },
	{ false, 0, 3, 0x1234, EXC_GP, 0, 0, 0, 0 },
	{ false, 0, GDT_END, 0x1234, EXC_GP, GDT_END, 0, 0, 0 },
	{ false, 0, CS_NP, 0x1234, EXC_NP, CS_NP, 0, 0, 0 },
	{ false, 0, DS0, 0x1234, EXC_GP, DS0, 0, 0, 0 },
	{ true, 0, LDT, 0x1234, EXC_GP, LDT, 0, 0, 0 },
	{ true, 0, TSS, 0x1234, EXC_GP, TSS, 0, 0, 0 }, /* busy */
	{ false, 0, CS_SMALL, 0x100, EXC_GP, 0, 0, 0, 0 },
	{ true, 0, CS_SMALL, 0x100, EXC_GP, 0, 0, 0, 0 },
	{ true, 3, CALLG, 0, NO_FAULT, 0, CS0, HANDLER, 0 },
	{ true, 0, CALLG, 0, NO_FAULT, 0, CS0, HANDLER, 0 },
	{ false, 0, CALLG, 0, NO_FAULT, 0, CS0, HANDLER, 0 },
	{ false, 3, CALLG, 0, EXC_GP, CS0, 0, 0, 0 }, /* a jump cannot change rings */
	{ false, 3, CALLG_C | 3, 0, NO_FAULT, 0, CONF | 3, HANDLER, 3 },
	{ true, 3, CALLG_C | 3, 0, NO_FAULT, 0, CONF | 3, HANDLER, 3 },
	{ true, 3, CALLG_NP, 0, EXC_NP, CALLG_NP, 0, 0, 0 },
	{ true, 3, CALLG_D0, 0, EXC_GP, CALLG_D0, 0, 0, 0 },
	{ true, 0, CALLG_D0 | 3, 0, EXC_GP, CALLG_D0, 0, 0, 0 },
	{ true, 3, CALLG_DATA, 0, EXC_GP, DS0, 0, 0, 0 },
	{ true, 3, CALLG_BAD, 0, EXC_GP, 0, 0, 0, 0 },
	{ true, 3, CALLG16, 0, NO_FAULT, 0, CS0, 0x1234, 0 },
	{ true, 3, TSS16, 0, EXC_GP, TSS16, 0, 0, 0 }, /* DPL 0 */
	{ true, 0, TSS_NP, 0, EXC_NP, TSS_NP, 0, 0, 0 },
	{ true, 0, TSS_SHORT, 0, EXC_TS, TSS_SHORT, 0, 0, 0 },
};

START_TEST(far_checks)
{
	enter_ring(far_rows[_i].cpl);
	if (far_rows[_i].call)
		OK_OR_FAULT(cpu_call_far(&v, far_rows[_i].sel, far_rows[_i].off, 4, NEXT), far_rows[_i].vec,
			    far_rows[_i].err);
	else
		OK_OR_FAULT(cpu_jmp_far(&v, far_rows[_i].sel, far_rows[_i].off, 4, NEXT), far_rows[_i].vec,
			    far_rows[_i].err);
	if (far_rows[_i].vec == NO_FAULT)
		AT(far_rows[_i].cs, far_rows[_i].eip, far_rows[_i].to);
}
END_TEST

START_TEST(far_call_same)
{
	OK(cpu_call_far(&v, CS0, 0x1234, 4, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 8);
	STACK(NEXT, CS0);
	OK(cpu_ret_far(&v, 4, 8));
	AT(CS0, NEXT, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 + 8);
	OK(cpu_call_far(&v, CS0, 0xffff1234, 2, NEXT));
	ck_assert_uint_eq(c->rip, 0x1234);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 + 4);
}
END_TEST

START_TEST(call_gate_params)
{
	enter_ring(3);
	FRAME(4, 0x11, 0x22);
	OK(cpu_call_far(&v, CALLG, 0xdeadbeef, 4, NEXT));
	AT(CS0, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 24);
	STACK(NEXT, CS3, 0x11, 0x22, STACK3 - 8, DS3);
	OK(cpu_ret_far(&v, 4, 8)); /* releases the parameters on both stacks */
	AT(CS3, NEXT, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
}
END_TEST

START_TEST(call_gate_16)
{
	enter_ring(3);
	FRAME(2, 0x11);
	OK(cpu_call_far(&v, CALLG16, 0, 4, NEXT));
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 10);
	ck_assert_uint_eq(peek16(STACK0 - 10), NEXT & 0xffff);
	ck_assert_uint_eq(peek16(STACK0 - 8), CS3);
	ck_assert_uint_eq(peek16(STACK0 - 6), 0x11);
	ck_assert_uint_eq(peek16(STACK0 - 4), STACK3 - 2);
	ck_assert_uint_eq(peek16(STACK0 - 2), DS3);
}
END_TEST

START_TEST(call_gate_stack)
{
	if (inner_rows[_i].vec == NO_FAULT || inner_rows[_i].vec == EXC_PF)
		return;
	poke(AT_TSS + 4, inner_rows[_i].esp);
	poke(AT_TSS + 8, inner_rows[_i].ss);
	enter_ring(3);
	FAULT(cpu_call_far(&v, CALLG, 0, 4, NEXT), inner_rows[_i].vec, inner_rows[_i].err);
}
END_TEST

START_TEST(ret_far_drops_segments)
{
	FRAME(4, 0x1234, CS3, STACK3, DS3);
	OK(cpu_ret_far(&v, 4, 0));
	ck_assert_uint_eq(c->seg[SEG_DS].attr, SA_UNUSABLE);
}
END_TEST

/* ---- tasks ---- */

static bool tss_busy(uint16_t sel)
{
	return peek(AT_GDT + sel + 4) & 0x200;
}

static void expect_task_b(uint32_t flags)
{
	AT(CS0, TASK_B_EIP, 0);
	ck_assert_uint_eq(cpu_eflags(c), flags);
	ck_assert_uint_eq(c->gpr[R_EAX], 0xb0);
	ck_assert_uint_eq(c->gpr[R_EDI], 0xb7);
	ck_assert_uint_eq(c->tr.sel, TSS_B);
	ck_assert_uint_eq(c->tr.attr & 0xf, 11);
	ck_assert_uint_eq(c->ldtr.base, AT_LDT);
	ck_assert_uint_eq(c->seg[SEG_FS].attr, SA_UNUSABLE);
	ck_assert(c->cr0 & CR0_TS);
	ck_assert(tss_busy(TSS_B));
}

START_TEST(task_jmp)
{
	c->gpr[R_EBX] = 0xbeef;
	c->dr[7] |= 0x3ff;
	OK(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT));
	expect_task_b(FL_ONE | FL_IF | FL_ZF);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK_B);
	ck_assert(!tss_busy(TSS));
	ck_assert_uint_eq(peek(AT_TSS + 0x20), NEXT);
	ck_assert_uint_eq(peek(AT_TSS + 0x24), FL_ONE | FL_IF);
	ck_assert_uint_eq(peek(AT_TSS + 0x34), 0xbeef);
	ck_assert_uint_eq(peek(AT_TSS + 0x4c), CS0);
	ck_assert_uint_eq(c->dr[7] & 0x155, 0);
	ck_assert_uint_eq(v.mmu->flushes, 0); /* no paging: CR3 is unchanged */
}
END_TEST

START_TEST(task_call_and_iret)
{
	enter_ring(3);
	OK(cpu_call_far(&v, TASKG | 3, 0, 4, NEXT));
	expect_task_b(FL_ONE | FL_IF | FL_ZF | FL_NT);
	ck_assert(tss_busy(TSS));
	ck_assert_uint_eq(peek16(AT_TSS_B), TSS);
	OK(cpu_iret(&v, 4, 0x7777));
	AT(CS3, NEXT, 3);
	ck_assert_uint_eq(c->tr.sel, TSS);
	ck_assert(tss_busy(TSS) && !tss_busy(TSS_B));
	ck_assert_uint_eq(peek(AT_TSS_B + 0x20), 0x7777);
	ck_assert_uint_eq(peek(AT_TSS_B + 0x24), FL_ONE | FL_IF | FL_ZF); /* NT cleared in the image */
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
}
END_TEST

START_TEST(task_by_interrupt)
{
	put_gate(AT_IDT + 8 * EXC_DF, TSS_B, 0, SA_P | TASKGATE, 0);
	enter_ring(3);
	c->exc = (struct exc){ .vector = EXC_DF, .has_err = true, .err = 0 };
	ck_assert(cpu_deliver_exc(&v));
	expect_task_b(FL_ONE | FL_IF | FL_ZF | FL_NT);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK_B - 4);
	STACK(0);
	ck_assert_uint_eq(peek(AT_TSS + 0x20), CODE);
	ck_assert_uint_eq(peek(AT_TSS + 0x24), FL_ONE | FL_IF | FL_RF);
}
END_TEST

START_TEST(task_soft_int)
{
	enter_ring(3);
	OK(cpu_soft_int(&v, V_TASK, CPU_INT_N, NEXT));
	expect_task_b(FL_ONE | FL_IF | FL_ZF | FL_NT);
	ck_assert_uint_eq(peek(AT_TSS + 0x20), NEXT);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK_B);
}
END_TEST

START_TEST(task_16)
{
	OK(cpu_call_far(&v, TSS16, 0, 4, NEXT));
	AT(CS0, 0x4321, 0);
	ck_assert_uint_eq(cpu_eflags(c), FL_ONE | FL_CF | FL_NT);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(c->gpr[i], i == R_ESP ? 0xffff7000 : 0xffff0160 + i);
	ck_assert_uint_eq(c->seg[SEG_FS].attr & c->seg[SEG_GS].attr, SA_UNUSABLE);
	ck_assert_uint_eq(c->seg[SEG_FS].sel | c->seg[SEG_GS].sel, 0);
	ck_assert_uint_eq(c->ldtr.attr, SA_UNUSABLE);
	ck_assert_uint_eq(peek16(AT_TSS16), TSS);
	c->gpr[R_EDX] = 0xffff9999;
	OK(cpu_iret(&v, 2, 0x5555)); /* saved in 16-bit form, back to the 32-bit one */
	AT(CS0, NEXT, 0);
	ck_assert_uint_eq(peek16(AT_TSS16 + 14), 0x5555);
	ck_assert_uint_eq(peek16(AT_TSS16 + 22), 0x9999);
	ck_assert_uint_eq(peek16(AT_TSS16 + 42), 0); /* LDT is not written */
}
END_TEST

START_TEST(task_paging)
{
	c->cr0 |= CR0_PG;
	OK(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT));
	ck_assert_uint_eq(c->cr3, 0x77000);
	ck_assert_uint_eq(v.mmu->flushes, 1);
	ck_assert_uint_eq(v.mmu->global_flushes, 0);
}
END_TEST

START_TEST(task_v86)
{
	poke(AT_TSS_B + 0x24, FL_ONE | FL_VM);
	poke(AT_TSS_B + 0x20, 0x100);
	poke(AT_TSS_B + 0x4c, 0x2000);
	OK(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT));
	AT(0x2000, 0x100, 3);
	ck_assert_uint_eq(c->seg[SEG_CS].base, 0x20000);
	ck_assert_uint_eq(c->seg[SEG_DS].attr, 0xf3);
}
END_TEST

START_TEST(task_debug_trap)
{
	poke16(AT_TSS_B + 0x64, 1);
	ck_assert_int_eq(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT), -1);
	ck_assert_uint_eq(c->exc.vector, EXC_DB);
	ck_assert(c->dr[6] & 0x8000);
	AT(CS0, TASK_B_EIP, 0);
}
END_TEST

/* A bad field of the incoming task: the exception belongs to the new task. */
static const struct {
	uint32_t at, val;
	int vec;
	uint32_t err;
} task_rows[] = {
	{ 0x60, DS0, EXC_TS, DS0 },	 { 0x60, 0x0c, EXC_TS, 0x0c },	     { 0x60, LDT_NP, EXC_TS, LDT_NP },
	{ 0x4c, 0, EXC_TS, 0 },		 { 0x4c, DS0, EXC_TS, DS0 },	     { 0x4c, CS0 | 3, EXC_TS, CS0 },
	{ 0x4c, CS_NP, EXC_NP, CS_NP },	 { 0x4c, GDT_END, EXC_TS, GDT_END }, { 0x50, 0, EXC_TS, 0 },
	{ 0x50, DS3, EXC_TS, DS3 & ~3 }, { 0x50, DS_RO, EXC_TS, DS_RO },     { 0x50, SS_NP, EXC_SS, SS_NP },
	{ 0x54, CS_XO, EXC_TS, CS_XO },	 { 0x54, DS0 | 3, EXC_TS, DS0 },     { 0x5c, DS3_NP, EXC_NP, DS3_NP },
};

START_TEST(task_bad_field)
{
	poke(AT_TSS_B + task_rows[_i].at, task_rows[_i].val);
	ck_assert_int_eq(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT), -1);
	ck_assert_uint_eq(c->exc.vector, task_rows[_i].vec);
	ck_assert_uint_eq(c->exc.err, task_rows[_i].err);
	ck_assert_uint_eq(c->tr.sel, TSS_B);
	ck_assert_uint_eq(c->rip, TASK_B_EIP);
}
END_TEST

START_TEST(task_eip_limit)
{
	poke(AT_TSS_B + 0x4c, CS_SMALL);
	ck_assert_int_eq(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT), -1);
	ck_assert_uint_eq(c->exc.vector, EXC_GP);
	ck_assert_uint_eq(c->seg[SEG_CS].sel, CS_SMALL);
}
END_TEST

START_TEST(task_iret_link)
{
	c->sysflags |= FL_NT;
	poke16(AT_TSS, TSS_B); /* not busy */
	FAULT(cpu_iret(&v, 4, NEXT), EXC_TS, TSS_B);
	poke16(AT_TSS, 0x0c);
	FAULT(cpu_iret(&v, 4, NEXT), EXC_TS, 0x0c);
	poke16(AT_TSS, GDT_END);
	FAULT(cpu_iret(&v, 4, NEXT), EXC_TS, GDT_END);
}
END_TEST

START_TEST(task_page_fault_before_commit)
{
	put_seg(AT_GDT + TSS_B, 0x67, SA_P | 9, 0x400000);
	v.mmu->absent_from = 0x400040;
	FAULT(cpu_jmp_far(&v, TSS_B, 0, 4, NEXT), EXC_PF, 0);
	ck_assert(!tss_busy(TSS_B) && tss_busy(TSS));
}
END_TEST

/* Columns: mode (0 real, 1 ring 0, 2 ring 3, 3 v86), IOPL, port, size, bit set in the map,
 * TSS limit; outcome. */
static const struct {
	uint8_t mode, iopl;
	uint16_t port, size;
	int bit;
	uint32_t limit;
	int vec;
} io_rows[] = {
	{ 0, 0, 0x3f8, 1, 0x3f8, 0x1fff, NO_FAULT },
	{ 1, 0, 0x3f8, 1, 0x3f8, 0x1fff, NO_FAULT },
	{ 2, 3, 0x3f8, 1, 0x3f8, 0x1fff, NO_FAULT },
	{ 2, 0, 0x3f8, 1, 0x3f8, 0x1fff, EXC_GP },
	{ 2, 0, 0x3f8, 1, 0x3f9, 0x1fff, NO_FAULT },
	{ 2, 0, 0x3f8, 2, 0x3f9, 0x1fff, EXC_GP },
	{ 2, 0, 0x3ff, 2, 0x400, 0x1fff, EXC_GP },
	{ 2, 0, 0x3fe, 4, 0x401, 0x1fff, EXC_GP },
	{ 2, 0, 0x3f8, 4, 0x3fc, 0x1fff, NO_FAULT },
	{ 3, 3, 0x3f8, 1, 0x3f8, 0x1fff, EXC_GP }, /* v86 always checks the map */
	{ 3, 0, 0x3f8, 1, 0, 0x1fff, NO_FAULT },
	{ 2, 0, 0x3f8, 1, 0, 0x88 + 0x7f, EXC_GP }, /* the second byte read is outside the TSS */
	{ 2, 0, 0x3f8, 1, 0, 0x88 + 0x80, NO_FAULT },
	{ 2, 0, 0x3f8, 1, 0, 0x66, EXC_GP },
};

START_TEST(io_check)
{
	unsigned bit = (unsigned)io_rows[_i].bit;

	if (io_rows[_i].mode == 0)
		enter_real();
	else if (io_rows[_i].mode == 3)
		enter_v86(io_rows[_i].iopl);
	else
		enter_ring(io_rows[_i].mode == 1 ? 0 : 3);
	c->sysflags |= (uint32_t)io_rows[_i].iopl << 12;
	c->tr.limit = io_rows[_i].limit;
	v.mmu->ram[AT_TSS + 0x88 + bit / 8] |= (uint8_t)(1 << bit % 8);
	OK_OR_FAULT(cpu_io_check(&v, io_rows[_i].port, io_rows[_i].size), io_rows[_i].vec, 0);
}
END_TEST

START_TEST(io_check_16bit_tss)
{
	enter_ring(3);
	c->tr.attr = SA_P | 3;
	FAULT(cpu_io_check(&v, 0x80, 1), EXC_GP, 0);
}
END_TEST

/* ---- SYSENTER, SYSEXIT ---- */

START_TEST(sysenter_exit)
{
	enter_ring(3);
	FAULT(cpu_sysenter(&v), EXC_GP, 0); /* MSR is 0 */
	c->sysenter_cs = CS0;
	c->sysenter_esp = STACK0;
	c->sysenter_eip = HANDLER;
	OK(cpu_sysenter(&v));
	AT(CS0, HANDLER, 0);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS0);
	ck_assert_uint_eq(c->seg[SEG_CS].attr, CODE_A | BIG);
	ck_assert_uint_eq(c->intf, 0);
	c->gpr[R_ECX] = STACK3;
	c->gpr[R_EDX] = CODE;
	OK(cpu_sysexit(&v, 4));
	AT(CS3, CODE, 3);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK3);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, DS3);
	ck_assert_uint_eq(c->seg[SEG_SS].attr, DATA_A | D3 | BIG);
	FAULT(cpu_sysexit(&v, 4), EXC_GP, 0);
	ck_assert_uint_eq(v.mmu->reads + v.mmu->writes, 0);
}
END_TEST

/* ---- control and debug registers ---- */

static const struct {
	uint8_t cpl, cr;
	uint32_t val;
	int vec;
	unsigned flushes, globals, wp_changes;
} cr_rows[] = {
	{ 0, 0, CR0_PE | CR0_ET | CR0_TS, NO_FAULT, 0, 0, 0 },
	{ 0, 0, CR0_PE | CR0_PG, NO_FAULT, 1, 1, 0 },
	{ 0, 0, CR0_PE | CR0_WP, NO_FAULT, 0, 0, 1 },
	{ 0, 0, CR0_PG, EXC_GP, 0, 0, 0 },
	{ 0, 0, CR0_PE | CR0_NW, EXC_GP, 0, 0, 0 },
	{ 0, 0, CR0_PE | CR0_NW | CR0_CD, NO_FAULT, 0, 0, 0 },
	{ 3, 0, CR0_PE, EXC_GP, 0, 0, 0 },
	{ 0, 1, 0, EXC_UD, 0, 0, 0 },
	{ 3, 5, 0, EXC_UD, 0, 0, 0 },
	{ 0, 2, 0x1234, NO_FAULT, 0, 0, 0 },
	{ 0, 3, 0x5000, NO_FAULT, 1, 0, 0 },
	{ 3, 3, 0x5000, EXC_GP, 0, 0, 0 },
	{ 0, 4, CR4_PSE, NO_FAULT, 1, 1, 0 },
	{ 0, 4, CR4_PAE, NO_FAULT, 1, 1, 0 },
	{ 0, 4, CR4_PGE, NO_FAULT, 1, 1, 0 },
	{ 0, 4, CR4_SMEP, NO_FAULT, 1, 1, 0 },
	{ 0, 4, CR4_SMAP, NO_FAULT, 1, 1, 0 },
	{ 0, 4, CR4_OSFXSR | CR4_OSXSAVE, NO_FAULT, 0, 0, 0 },
	{ 0, 4, CR4_VMXE, NO_FAULT, 0, 0, 0 },
	{ 0, 4, 1u << 12, EXC_GP, 0, 0, 0 },
	{ 0, 4, 1u << 31, EXC_GP, 0, 0, 0 },
};

START_TEST(mov_cr)
{
	uint64_t back;

	enter_ring(cr_rows[_i].cpl);
	OK_OR_FAULT(cpu_mov_to_cr(&v, cr_rows[_i].cr, cr_rows[_i].val, NEXT), cr_rows[_i].vec, 0);
	ck_assert_uint_eq(v.mmu->flushes, cr_rows[_i].flushes);
	ck_assert_uint_eq(v.mmu->global_flushes, cr_rows[_i].globals);
	ck_assert_uint_eq(v.mmu->wp_changes, cr_rows[_i].wp_changes);
	if (cr_rows[_i].vec != NO_FAULT)
		return;
	ck_assert_uint_eq(c->rip, NEXT);
	OK(cpu_mov_from_cr(&v, cr_rows[_i].cr, &back));
	ck_assert_uint_eq(back, cr_rows[_i].val | (cr_rows[_i].cr == 0 ? CR0_ET : 0));
	enter_ring(3);
	FAULT(cpu_mov_from_cr(&v, cr_rows[_i].cr, &back), EXC_GP, 0);
}
END_TEST

START_TEST(mov_cr_pae)
{
	c->cr3 = 0x4000;
	OK(cpu_mov_to_cr(&v, 4, CR4_PAE, NEXT));
	ck_assert_uint_eq(v.mmu->pdptr_loads, 0); /* not paging yet */
	v.mmu->pdptr_bad = true;
	FAULT(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_PG | CR0_ET, NEXT), EXC_GP, 0);
	v.mmu->pdptr_bad = false;
	OK(cpu_mov_to_cr(&v, 0, CR0_PE | CR0_PG | CR0_ET, NEXT));
	ck_assert_uint_eq(v.mmu->pdptr_cr3, 0x4000);
	OK(cpu_mov_to_cr(&v, 3, 0x5000, NEXT));
	ck_assert_uint_eq(v.mmu->pdptr_cr3, 0x5000);
	v.mmu->pdptr_bad = true;
	FAULT(cpu_mov_to_cr(&v, 3, 0x6000, NEXT), EXC_GP, 0);
	FAULT(cpu_mov_to_cr(&v, 4, CR4_PAE | CR4_PGE, NEXT), EXC_GP, 0);
}
END_TEST

START_TEST(cr4_follows_cpuid)
{
	cpuid_mask = 0;
	FAULT(cpu_mov_to_cr(&v, 4, CR4_PSE, NEXT), EXC_GP, 0);
	c->cr4 = CR4_PSE;
	OK(cpu_mov_to_cr(&v, 4, CR4_PSE, NEXT)); /* bits already set are not checked */
	OK(cpu_mov_to_cr(&v, 4, 0, NEXT));
}
END_TEST

START_TEST(lmsw_clts)
{
	OK(cpu_lmsw(&v, CR0_TS | CR0_MP, NEXT)); /* cannot clear PE */
	ck_assert_uint_eq(c->cr0, CR0_PE | CR0_ET | CR0_TS | CR0_MP);
	OK(cpu_clts(&v, NEXT));
	ck_assert_uint_eq(c->cr0, CR0_PE | CR0_ET | CR0_MP);
	enter_ring(3);
	FAULT(cpu_lmsw(&v, 0, NEXT), EXC_GP, 0);
	FAULT(cpu_clts(&v, NEXT), EXC_GP, 0);
	enter_real();
	OK(cpu_lmsw(&v, CR0_PE, NEXT));
	ck_assert(cpu_pe(c));
	OK(cpu_mov_to_cr(&v, 0, CR0_ET, NEXT));
	ck_assert(!cpu_pe(c));
}
END_TEST

START_TEST(mov_dr)
{
	uint64_t x;

	OK(cpu_mov_to_dr(&v, 7, ~0u & ~(1u << 13), NEXT));
	ck_assert_uint_eq(c->dr[7], 0xffff07ff);
	OK(cpu_mov_to_dr(&v, 4, 0, NEXT)); /* alias of DR6 */
	ck_assert_uint_eq(c->dr[6], 0xffff0ff0);
	OK(cpu_mov_from_dr(&v, 5, &x));
	ck_assert_uint_eq(x, 0xffff07ff);
	c->cr4 = CR4_DE;
	FAULT(cpu_mov_from_dr(&v, 5, &x), EXC_UD, 0);
	enter_ring(3);
	FAULT(cpu_mov_to_dr(&v, 0, 0, NEXT), EXC_GP, 0);
	enter_ring(0);
	OK(cpu_mov_to_dr(&v, 7, 1u << 13, NEXT));
	ck_assert_int_eq(cpu_mov_to_dr(&v, 0, 0, NEXT), -1);
	ck_assert_uint_eq(c->exc.vector, EXC_DB);
	ck_assert(c->dr[6] & 1u << 13);
}
END_TEST

START_TEST(table_registers)
{
	OK(cpu_lgdt(&v, 0x12345678, 0x77, 2, NEXT));
	ck_assert_uint_eq(c->gdtr.base, 0x345678);
	OK(cpu_lidt(&v, 0x12345678, 0x77, 4, NEXT));
	ck_assert_uint_eq(c->idtr.base, 0x12345678);
	ck_assert_uint_eq(c->idtr.limit, 0x77);
	enter_ring(3);
	FAULT(cpu_lgdt(&v, 0, 0, 4, NEXT), EXC_GP, 0);
	enter_v86(3);
	FAULT(cpu_lidt(&v, 0, 0, 4, NEXT), EXC_GP, 0);
}
END_TEST

static const struct {
	bool ltr;
	uint8_t cpl;
	uint16_t sel;
	int vec;
	uint32_t err;
} lldt_rows[] = {
	{ false, 0, LDT, NO_FAULT, 0 },
	{ false, 0, 0, NO_FAULT, 0 },
	{ false, 0, DS0, EXC_GP, DS0 },
	{ false, 0, 0x0c, EXC_GP, 0x0c },
	{ false, 0, LDT_NP, EXC_NP, LDT_NP },
	{ false, 0, GDT_END, EXC_GP, GDT_END },
	{ false, 3, LDT, EXC_GP, 0 },
	{ true, 0, TSS_B, NO_FAULT, 0 },
	{ true, 0, TSS16, NO_FAULT, 0 },
	{ true, 0, TSS, EXC_GP, TSS }, /* busy */
	{ true, 0, 0, EXC_GP, 0 },
	{ true, 0, LDT, EXC_GP, LDT },
	{ true, 0, TSS_NP, EXC_NP, TSS_NP },
	{ true, 3, TSS_B, EXC_GP, 0 },
};

START_TEST(lldt_ltr)
{
	uint16_t sel = lldt_rows[_i].sel;

	enter_ring(lldt_rows[_i].cpl);
	if (!lldt_rows[_i].ltr) {
		OK_OR_FAULT(cpu_lldt(&v, sel, NEXT), lldt_rows[_i].vec, lldt_rows[_i].err);
		if (lldt_rows[_i].vec == NO_FAULT)
			ck_assert_uint_eq(c->ldtr.sel, sel);
		return;
	}
	OK_OR_FAULT(cpu_ltr(&v, sel, NEXT), lldt_rows[_i].vec, lldt_rows[_i].err);
	if (lldt_rows[_i].vec == NO_FAULT) {
		ck_assert(tss_busy(sel));
		ck_assert_uint_eq(c->tr.attr & 2, 2);
	}
}
END_TEST

START_TEST(privileged)
{
	enter_ring(3);
	FAULT(cpu_invlpg(&v, 0, NEXT), EXC_GP, 0);
	FAULT(cpu_hlt(&v, NEXT), EXC_GP, 0);
	FAULT(cpu_rdmsr(&v, NEXT), EXC_GP, 0);
	FAULT(cpu_wrmsr(&v, NEXT), EXC_GP, 0);
	enter_v86(3);
	FAULT(cpu_hlt(&v, NEXT), EXC_GP, 0);
	FAULT(cpu_lldt(&v, 0, NEXT), EXC_UD, 0);
	FAULT(cpu_ltr(&v, 0, NEXT), EXC_UD, 0);
	enter_ring(0);
	OK(cpu_hlt(&v, NEXT));
	ck_assert_uint_eq(c->halted, 1);
	OK(cpu_invlpg(&v, 0, NEXT));
	ck_assert_uint_eq(v.mmu->invlpgs, 1);
}
END_TEST

/* ---- EFLAGS ---- */

/* CLI and STI. Columns: mode (0 real, 1 ring 0, 2 ring 3, 3 v86), IOPL, CR4, VIP; the flag acted on: 'I' IF,
 * 'V' VIF, '!' #GP(0) (with VIP: STI only). */
static const struct {
	uint8_t mode, iopl;
	uint32_t cr4;
	bool vip;
	char acts;
} if_rows[] = {
	{ 0, 0, 0, false, 'I' },      { 1, 0, 0, false, 'I' },	     { 2, 0, 0, false, '!' },
	{ 2, 2, 0, false, '!' },      { 2, 3, 0, false, 'I' },	     { 2, 0, CR4_PVI, false, 'V' },
	{ 2, 0, CR4_PVI, true, 'V' }, { 2, 3, CR4_PVI, false, 'I' }, { 2, 0, CR4_VME, false, '!' },
	{ 3, 0, 0, false, '!' },      { 3, 3, 0, false, 'I' },	     { 3, 0, CR4_VME, false, 'V' },
	{ 3, 2, CR4_VME, true, 'V' }, { 3, 3, CR4_VME, true, 'I' },  { 3, 0, CR4_PVI, false, '!' },
};

static void enter_mode(unsigned mode, unsigned iopl)
{
	if (mode == 0)
		enter_real();
	else if (mode == 3)
		enter_v86(iopl);
	else
		enter_ring(mode == 1 ? 0 : 3);
	c->sysflags = (c->sysflags & ~(uint32_t)(FL_IOPL | FL_TF)) | iopl << 12;
}

START_TEST(cli_sti)
{
	char acts = if_rows[_i].acts;

	enter_mode(if_rows[_i].mode, if_rows[_i].iopl);
	c->cr4 = if_rows[_i].cr4;
	c->sysflags |= FL_VIF | (if_rows[_i].vip ? FL_VIP : 0);
	if (acts == '!') {
		FAULT(cpu_cli(&v, NEXT), EXC_GP, 0);
		FAULT(cpu_sti(&v, NEXT), EXC_GP, 0);
		return;
	}
	OK(cpu_cli(&v, NEXT));
	ck_assert_uint_eq(c->intf, acts == 'V');
	ck_assert_uint_eq(!!(c->sysflags & FL_VIF), acts == 'I');
	if (acts == 'V' && if_rows[_i].vip) {
		FAULT(cpu_sti(&v, NEXT), EXC_GP, 0);
		return;
	}
	OK(cpu_sti(&v, NEXT));
	ck_assert_uint_eq(c->intf, 1);
	ck_assert_uint_eq(c->shadow, acts == 'I');
	ck_assert(c->sysflags & FL_VIF);
	c->shadow = 0;
	OK(cpu_sti(&v, NEXT));
	ck_assert_uint_eq(c->shadow, 0); /* no shadow if IF was set */
}
END_TEST

/* POPF of all bits and of none. CHANGES: bits it may change; 0: #GP(0). */
#define PF16 (FL_HOST | FL_TF | FL_NT)
#define PF32 (PF16 | FL_AC | FL_ID)
static const struct {
	uint8_t mode, iopl, op;
	uint32_t cr4, changes;
} popf_rows[] = {
	{ 0, 0, 2, 0, PF16 | FL_IF | FL_IOPL },
	{ 0, 0, 4, 0, PF32 | FL_IF | FL_IOPL },
	{ 1, 0, 2, 0, PF16 | FL_IF | FL_IOPL },
	{ 1, 3, 4, 0, PF32 | FL_IF | FL_IOPL },
	{ 2, 0, 4, 0, PF32 },
	{ 2, 2, 2, 0, PF16 },
	{ 2, 3, 4, 0, PF32 | FL_IF },
	{ 2, 0, 4, CR4_PVI, PF32 },
	{ 3, 0, 2, 0, 0 },
	{ 3, 0, 4, CR4_VME, 0 },
	{ 3, 3, 2, 0, PF16 | FL_IF },
	{ 3, 3, 4, 0, PF32 | FL_IF },
	{ 3, 0, 2, CR4_VME, (PF16 & ~FL_TF) | FL_VIF },
};

START_TEST(popf)
{
	uint32_t changes = popf_rows[_i].changes, op = popf_rows[_i].op;

	for (int ones = 0; ones < 2; ones++) {
		uint32_t was, image = ones ? ~0u : 0;

		enter_mode(popf_rows[_i].mode, popf_rows[_i].iopl);
		c->cr4 = popf_rows[_i].cr4;
		if (popf_rows[_i].cr4 & CR4_VME)
			image &= ~(uint32_t)FL_TF; /* #GP there, tested below */
		cpu_set_eflags(c, (cpu_eflags(c) & (FL_VM | FL_IOPL | FL_ONE)) |
				      (ones ? 0 : ~(uint32_t)(FL_VM | FL_IOPL | FL_VIP | FL_TF)));
		was = cpu_eflags(c) & ~(uint32_t)FL_RF;
		FRAME(op, image);
		OK_OR_FAULT(cpu_popf(&v, op, NEXT), changes ? NO_FAULT : EXC_GP, 0);
		if (!changes)
			continue;
		ck_assert_uint_eq(cpu_eflags(c), (was & ~changes) | (ones ? changes : 0));
		ck_assert_uint_eq(c->rip, NEXT);
	}
}
END_TEST

START_TEST(popf_vme_faults)
{
	enter_v86(0);
	c->cr4 = CR4_VME;
	FRAME(2, FL_ONE | FL_TF);
	FAULT(cpu_popf(&v, 2, NEXT), EXC_GP, 0);
	c->sysflags |= FL_VIP;
	poke16(0x97fe, FL_ONE | FL_IF);
	FAULT(cpu_popf(&v, 2, NEXT), EXC_GP, 0);
}
END_TEST

START_TEST(pushf)
{
	cpu_set_eflags(c, FL_ONE | FL_IF | FL_RF | FL_ID | FL_CF | FL_DF);
	OK(cpu_pushf(&v, 4, NEXT));
	STACK(FL_ONE | FL_IF | FL_ID | FL_CF | FL_DF);
	ck_assert_uint_eq(c->gpr[R_ESP], STACK0 - 4);
	enter_v86(0);
	FAULT(cpu_pushf(&v, 2, NEXT), EXC_GP, 0);
	c->cr4 = CR4_VME;
	FAULT(cpu_pushf(&v, 4, NEXT), EXC_GP, 0);
	OK(cpu_pushf(&v, 2, NEXT));
	ck_assert_uint_eq(peek16(0x97fe), FL_ONE | FL_IOPL); /* IF shows VIF, which is clear */
	enter_v86(3);
	OK(cpu_pushf(&v, 2, NEXT));
	ck_assert_uint_eq(peek16(0x97fe), FL_ONE | FL_IF | FL_IOPL);
}
END_TEST

/* ---- MSRs, CPUID, XCR0 ---- */

static const struct {
	uint32_t msr;
	uint64_t val;
	bool write_ok, reads_back;
} msr_rows[] = {
	{ 0x1b, 0xfee00900, true, true },
	{ 0x1b, 0xfee00d00, false, false }, /* the APIC is off */
	{ 0x1b, 1, false, false },
	{ 0x8b, 0, true, true },
	{ 0xfe, 0, false, false },
	{ 0x174, CS0, true, true },
	{ 0x175, 0xc0001000, true, true },
	{ 0x176, 0xc0002000, true, true },
	{ 0x1a0, 0x850089, true, true },
	{ 0x200, 6, true, false },
	{ 0x268, 0, true, true },
	{ 0x277, 0x0007010600070106, true, true },
	{ 0x277, 0x0007010600070206, false, false },
	{ 0x2ff, 0xc06, true, true },
	{ 0x2ff, 0xc02, false, false },
	{ 0x2ff, 0x1c06, false, false },
	{ 0xc0000080, EFER_NXE, true, true },
	{ 0xc0000080, EFER_NXE | EFER_SCE, true, true },
	{ 0xc0000080, EFER_LME, false, false },
	{ 0xc0000103, 7, true, true },
	{ 0xc0000103, 1ull << 32, false, false },
	{ 0xabc, 1, true, false }, /* the platform's */
	{ 0, 0, true, false },
	{ 0x179, 0, false, false },
	{ 0x17a, 4, true, false },
	{ 0x400, ~0ull, true, false },
	{ 0x401, 0, true, false },
	{ 0x401, 1, false, false }, /* a bank's status can only be cleared */
	{ 0x40d, 1, false, false },
	{ 0x40e, 1, true, false },
	{ 0xc0010000, 1, false, false }, /* not of Intel's processors */
	{ 0x12345678, 0, false, false },
};

START_TEST(msr)
{
	uint64_t val = msr_rows[_i].val;

	c->gpr[R_ECX] = msr_rows[_i].msr;
	c->gpr[R_EAX] = (uint32_t)val;
	c->gpr[R_EDX] = val >> 32;
	OK_OR_FAULT(cpu_wrmsr(&v, NEXT), msr_rows[_i].write_ok ? NO_FAULT : EXC_GP, 0);
	if (!msr_rows[_i].write_ok)
		return;
	ck_assert_uint_eq(c->rip, NEXT);
	c->gpr[R_EAX] = c->gpr[R_EDX] = ~0ull;
	OK(cpu_rdmsr(&v, NEXT));
	if (msr_rows[_i].reads_back)
		ck_assert_uint_eq(c->gpr[R_EDX] << 32 | c->gpr[R_EAX], val);
}
END_TEST

START_TEST(msr_special)
{
	c->gpr[R_ECX] = 0x10;
	c->gpr[R_EAX] = 5000;
	c->gpr[R_EDX] = 0;
	OK(cpu_wrmsr(&v, NEXT));
	ck_assert_uint_eq(c->tsc_offset, 4000);
	OK(cpu_rdmsr(&v, NEXT));
	ck_assert_uint_eq(c->gpr[R_EAX], 1000);
	c->gpr[R_ECX] = 0xabc;
	OK(cpu_rdmsr(&v, NEXT));
	ck_assert_uint_eq(c->gpr[R_EAX], 0x55667788);
	ck_assert_uint_eq(c->gpr[R_EDX], 0x11223344);
	c->gpr[R_ECX] = 0xc0000080;
	c->gpr[R_EAX] = EFER_NXE;
	c->gpr[R_EDX] = 0;
	OK(cpu_wrmsr(&v, NEXT));
	OK(cpu_wrmsr(&v, NEXT));
	ck_assert_uint_eq(v.mmu->global_flushes, 1); /* only when NXE changes */
	cpuid_mask = 0;
	FAULT(cpu_wrmsr(&v, NEXT), EXC_GP, 0);
	c->gpr[R_ECX] = 0x12345678;
	FAULT(cpu_rdmsr(&v, NEXT), EXC_GP, 0);
}
END_TEST

/* Registers that CPUID takes away. */
START_TEST(msr_features)
{
	static const uint32_t gone[] = { 0, 1, 0x1b, 0x179, 0x17a, 0x400, 0x40f };

	for (unsigned i = 0; i < 2 * ARRAY_LEN(gone); i++) {
		cpuid_mask = i & 1 ? ~(uint32_t)(CPUID_MCE | CPUID_MCA | CPUID_APIC) : ~0u;
		c->gpr[R_ECX] = gone[i / 2];
		c->gpr[R_EAX] = c->gpr[R_EDX] = 0;
		OK_OR_FAULT(cpu_rdmsr(&v, NEXT), i & 1 ? EXC_GP : NO_FAULT, 0);
		c->gpr[R_EAX] = c->gpr[R_EDX] = 0;
		OK_OR_FAULT(cpu_wrmsr(&v, NEXT), i & 1 || gone[i / 2] == 0x179 ? EXC_GP : NO_FAULT, 0);
	}
	cpuid_mask = CPUID_MCE; /* the Pentium */
	c->gpr[R_ECX] = 0x1b;
	FAULT(cpu_rdmsr(&v, NEXT), EXC_GP, 0);
	c->gpr[R_ECX] = 1;
	OK(cpu_rdmsr(&v, NEXT));
	OK(cpu_mov_to_cr(&v, 4, CR4_MCE, NEXT));
	c->gpr[R_ECX] = 0x179;
	FAULT(cpu_rdmsr(&v, NEXT), EXC_GP, 0);
}
END_TEST

/* IA32_APIC_BASE: which mode leads to which; x2APIC mode only where CPUID offers it. */
static const struct {
	uint32_t from, to;
	bool x2apic, ok;
} apic_rows[] = {
	{ 0xfee00900, 0xfee00100, true, true },	 { 0xfee00100, 0xfee00900, true, true },
	{ 0xfee00900, 0xfee00d00, true, true },	 { 0xfee00900, 0xfee00d00, false, false },
	{ 0xfee00d00, 0xfee00d00, true, true },	 { 0xfee00d00, 0xfee00900, true, false },
	{ 0xfee00d00, 0xfee00100, true, true },	 { 0xfee00100, 0xfee00d00, true, false },
	{ 0xfee00900, 0xfee00500, true, false }, { 0xfee00900, 0xfed01800, true, true },
	{ 0xfee00900, 0xfee00901, true, false }, { 0xfee00900, 0xfee00b00, true, false },
};

START_TEST(apic_base)
{
	cpuid_mask = apic_rows[_i].x2apic ? ~0u : ~(uint32_t)CPUID_X2APIC;
	c->apic_base = apic_rows[_i].from;
	c->gpr[R_ECX] = 0x1b;
	c->gpr[R_EAX] = apic_rows[_i].to, c->gpr[R_EDX] = 0;
	OK_OR_FAULT(cpu_wrmsr(&v, NEXT), apic_rows[_i].ok ? NO_FAULT : EXC_GP, 0);
	ck_assert_uint_eq(c->apic_base, apic_rows[_i].ok ? apic_rows[_i].to : apic_rows[_i].from);
	ck_assert(!apic_rows[_i].ok || plat_written == apic_rows[_i].to);
}
END_TEST

/* AMD's performance counters: the platform has them; RDPMC reads them as CR4.PCE allows. */
START_TEST(amd_counters)
{
	c->gpr[R_ECX] = 0;
	FAULT(cpu_rdpmc(&v), EXC_GP, 0);
	cpuid_amd = true;
	OK(cpu_rdpmc(&v));
	ck_assert_uint_eq(c->gpr[R_EDX] << 32 | c->gpr[R_EAX], 0x1122334455667788);
	c->gpr[R_ECX] = 4;
	FAULT(cpu_rdpmc(&v), EXC_GP, 0);
	c->gpr[R_ECX] = 0xc0010000;
	c->gpr[R_EAX] = c->gpr[R_EDX] = 0xffffffff;
	OK(cpu_wrmsr(&v, NEXT));
	ck_assert_uint_eq(plat_written, ~0ull);
	c->gpr[R_ECX] = 0xc0010007;
	OK(cpu_wrmsr(&v, NEXT));
	ck_assert_uint_eq(plat_written, ~0ull);
	OK(cpu_rdmsr(&v, NEXT));
	enter_ring(3);
	c->gpr[R_ECX] = 3;
	FAULT(cpu_rdpmc(&v), EXC_GP, 0);
	c->cr4 |= CR4_PCE;
	OK(cpu_rdpmc(&v));
}
END_TEST

START_TEST(cpuid_regs)
{
	enter_ring(3);
	c->gpr[R_EAX] = 0x12345;
	OK(cpu_cpuid(&v, NEXT));
	ck_assert_uint_eq(c->gpr[R_EAX], 1);
	ck_assert_uint_eq(c->gpr[R_EBX], 2);
	ck_assert_uint_eq(c->gpr[R_ECX], 3);
	ck_assert_uint_eq(c->gpr[R_EDX], 4);
	ck_assert_uint_eq(c->rip, NEXT);
}
END_TEST

static const struct {
	uint32_t ecx;
	uint64_t val;
	bool ok;
} xcr_rows[] = {
	{ 0, 1, true },	 { 0, 3, true },  { 0, 7, true },    { 0, 0, false },
	{ 0, 2, false }, { 0, 5, false }, { 0, 0xf, false }, { 0, 1ull << 32 | 1, false },
	{ 1, 1, false },
};

START_TEST(xsetbv)
{
	c->gpr[R_ECX] = xcr_rows[_i].ecx;
	c->gpr[R_EAX] = (uint32_t)xcr_rows[_i].val;
	c->gpr[R_EDX] = xcr_rows[_i].val >> 32;
	FAULT(cpu_xsetbv(&v, NEXT), EXC_UD, 0);
	c->cr4 = CR4_OSXSAVE;
	OK_OR_FAULT(cpu_xsetbv(&v, NEXT), xcr_rows[_i].ok ? NO_FAULT : EXC_GP, 0);
	if (xcr_rows[_i].ok)
		ck_assert_uint_eq(c->xcr0, xcr_rows[_i].val);
	enter_ring(3);
	FAULT(cpu_xsetbv(&v, NEXT), EXC_GP, 0);
}
END_TEST

/* ---- the suite ---- */

#define LOOP(tc, test, rows) tcase_add_loop_test(tc, test, 0, (int)ARRAY_LEN(rows))

static TCase *group(Suite *s, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(s, tc);
	return tc;
}

static void add_segments(Suite *s)
{
	TCase *tc = group(s, "segments");

	LOOP(tc, load_seg, load_rows);
	tcase_add_test(tc, load_seg_sets_accessed_once);
	tcase_add_test(tc, load_seg_86);
	LOOP(tc, access_checked, access_rows);
	tcase_add_test(tc, access_execute_only);
	LOOP(tc, query_desc, query_rows);
	tcase_add_test(tc, query_desc_needs_protection);
	tcase_add_test(tc, push_pop);
	tcase_add_test(tc, push_page_fault);
}

static void add_delivery(Suite *s)
{
	TCase *tc = group(s, "delivery");

	LOOP(tc, int_gate_checks, int_rows);
	tcase_add_test(tc, int_inner_ring);
	tcase_add_test(tc, int_same_ring);
	tcase_add_test(tc, int_conforming);
	tcase_add_test(tc, int_to_ring1);
	tcase_add_test(tc, int_16bit_gate);
	tcase_add_test(tc, int_16bit_tss);
	LOOP(tc, int_inner_stack, inner_rows);
	tcase_add_test(tc, int_tss_too_short);
	tcase_add_test(tc, int_stack_wraps_16bit);
	tcase_add_test(tc, int_page_fault_in_frame);
	tcase_add_test(tc, irq);
	tcase_add_test(tc, irq_faults);
	tcase_add_test(tc, exc_with_error);
	tcase_add_test(tc, exc_db_is_no_fault);
	tcase_add_test(tc, exc_nmi_blocks_until_iret);
	LOOP(tc, double_fault, double_rows);
	tcase_add_test(tc, double_fault_then_page_fault);
	tcase_add_test(tc, double_fault_of_page_faults);
	tcase_add_test(tc, triple_fault);
	tcase_add_test(tc, sysenter_exit);
}

static void add_modes_86(Suite *s)
{
	TCase *tc = group(s, "86 modes");

	tcase_add_test(tc, real_int_iret);
	tcase_add_test(tc, real_exc_pushes_no_error);
	tcase_add_test(tc, real_iret32);
	tcase_add_test(tc, real_far);
	tcase_add_test(tc, iret_to_v86);
	tcase_add_test(tc, v86_to_ring0);
	tcase_add_test(tc, v86_exc);
	LOOP(tc, v86_int_n, v86_rows);
	tcase_add_test(tc, v86_iret);
	tcase_add_test(tc, v86_far);
}

static void add_transfers(Suite *s)
{
	TCase *tc = group(s, "transfers");

	tcase_add_test(tc, iret_outer);
	tcase_add_test(tc, iret_outer_at_page_end);
	tcase_add_test(tc, iret_same);
	tcase_add_test(tc, iret_16);
	tcase_add_test(tc, iret_to_16bit_stack);
	LOOP(tc, iret_checks, iret_rows);
	LOOP(tc, ret_far_checks, iret_rows);
	tcase_add_test(tc, iret_stack_limit);
	tcase_add_loop_test(tc, iret_flag_rights, 0, 8);
	LOOP(tc, far_checks, far_rows);
	tcase_add_test(tc, far_call_same);
	tcase_add_test(tc, call_gate_params);
	tcase_add_test(tc, call_gate_16);
	LOOP(tc, call_gate_stack, inner_rows);
	tcase_add_test(tc, ret_far_drops_segments);
}

static void add_tasks(Suite *s)
{
	TCase *tc = group(s, "tasks");

	tcase_add_test(tc, task_jmp);
	tcase_add_test(tc, task_call_and_iret);
	tcase_add_test(tc, task_by_interrupt);
	tcase_add_test(tc, task_soft_int);
	tcase_add_test(tc, task_16);
	tcase_add_test(tc, task_paging);
	tcase_add_test(tc, task_v86);
	tcase_add_test(tc, task_debug_trap);
	LOOP(tc, task_bad_field, task_rows);
	tcase_add_test(tc, task_eip_limit);
	tcase_add_test(tc, task_iret_link);
	tcase_add_test(tc, task_page_fault_before_commit);
	LOOP(tc, io_check, io_rows);
	tcase_add_test(tc, io_check_16bit_tss);
}

static void add_registers(Suite *s)
{
	TCase *tc = group(s, "registers");

	LOOP(tc, mov_cr, cr_rows);
	tcase_add_test(tc, mov_cr_pae);
	tcase_add_test(tc, cr4_follows_cpuid);
	tcase_add_test(tc, lmsw_clts);
	tcase_add_test(tc, mov_dr);
	tcase_add_test(tc, table_registers);
	LOOP(tc, lldt_ltr, lldt_rows);
	tcase_add_test(tc, privileged);
	LOOP(tc, cli_sti, if_rows);
	LOOP(tc, popf, popf_rows);
	tcase_add_test(tc, popf_vme_faults);
	tcase_add_test(tc, pushf);
	LOOP(tc, msr, msr_rows);
	LOOP(tc, apic_base, apic_rows);
	tcase_add_test(tc, msr_special);
	tcase_add_test(tc, msr_features);
	tcase_add_test(tc, amd_counters);
	tcase_add_test(tc, cpuid_regs);
	LOOP(tc, xsetbv, xcr_rows);
}

int main(void)
{
	Suite *s = suite_create("sys");

	add_segments(s);
	add_delivery(s);
	add_modes_86(s);
	add_transfers(s);
	add_tasks(s);
	add_registers(s);
	return suite_run(s);
}
