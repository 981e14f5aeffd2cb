/* SPDX-License-Identifier: GPL-3.0-or-later
 * States from outside: what the processor cannot be in is refused; segment loads follow the manual. */
#include "tests/suite.h"
#include "x86/descriptor.h"
#include "x86/features.h"
#include "x86/model.h"
#include "x86/regs.h"

#include <stdlib.h>
#include <string.h>

static bool lm; /* with 64-bit mode? */

/* A processor that offers PSE, PAE and NX. */
static void model_cpuid(void *ctx, const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	(void)ctx;
	(void)c;
	(void)sub;
	memset(out, 0, 16);
	if (leaf == CPUID_PSE_LEAF)
		out[CPUID_PSE_REG] = CPUID_PSE | CPUID_PAE;
	if (leaf == CPUID_NX_LEAF)
		out[CPUID_NX_REG] |= CPUID_NX | (lm ? CPUID_LM | CPUID_SYSCALL : 0);
}
static const struct platform plat = { .cpuid = model_cpuid };

static struct cpu c;

static void protected_mode(unsigned cpl)
{
	cpu_reset(&c);
	c.cr0 = CR0_PE | CR0_ET;
	c.cpl = (uint8_t)cpl;
}

/* Columns: register, value, refused. */
static const struct {
	const char *reg;
	uint64_t val;
	bool refused;
} writes[] = {
	{ "efer", EFER_NXE, false },
	{ "efer", EFER_LMA, true },
	{ "efer", EFER_LME, true },
	{ "efer", EFER_SCE, true },
	{ "efer", 1ull << 40, true },
	{ "cr0", CR0_PE | CR0_PG, false },
	{ "cr0", CR0_PG, true },
	{ "cr0", CR0_PE | CR0_NW, true },
	{ "cr0", CR0_PE | 1u << 6, true },
	{ "cr4", CR4_PSE | CR4_PAE, false },
	{ "cr4", CR4_PGE, true },
	{ "cr4", 1u << 13, true },
	{ "cs_attr", SA_P | SA_S | SA_CODE | SA_RW | SA_L, true },
	{ "ss_attr", SA_UNUSABLE, true },
	{ "ds_attr", SA_UNUSABLE, false },
};

START_TEST(register_writes)
{
	protected_mode(0);
	ck_assert_ptr_null(cpu_refused(&plat, &c));
	ck_assert_ptr_null(reg_set(&c, reg_find(writes[_i].reg), writes[_i].val, NULL));
	ck_assert_msg((cpu_refused(&plat, &c) != NULL) == writes[_i].refused, "%s = %llx", writes[_i].reg,
		      (unsigned long long)writes[_i].val);
}
END_TEST

START_TEST(whole_states)
{
	protected_mode(0);
	c.gpr[R_ESI] = 1ull << 32;
	ck_assert_ptr_nonnull(cpu_refused(&plat, &c));
	protected_mode(0);
	c.gpr[8] = 1;
	ck_assert_ptr_nonnull(cpu_refused(&plat, &c));
	protected_mode(0);
	c.rip = 1ull << 32;
	ck_assert_ptr_nonnull(cpu_refused(&plat, &c));
	protected_mode(3);
	ck_assert_ptr_null(cpu_refused(&plat, &c));
	c.cr0 = CR0_ET; /* real mode in ring 3 */
	ck_assert_ptr_nonnull(cpu_refused(&plat, &c));
	protected_mode(3);
	c.sysflags |= FL_VM; /* with the segments of protected mode */
	c.seg[SEG_DS].base = 0x1000;
	ck_assert_ptr_nonnull(cpu_refused(&plat, &c));
}
END_TEST

/* In 64-bit mode. */
static void long_mode(void)
{
	protected_mode(0);
	c.cr0 |= CR0_PG;
	c.cr4 = CR4_PAE;
	c.efer = EFER_LME | EFER_LMA | EFER_SCE;
	c.seg[SEG_CS].attr = SA_P | SA_S | SA_CODE | SA_RW | SA_L;
}

static bool refused(void)
{
	return cpu_refused(&plat, &c) != NULL;
}

START_TEST(long_states)
{
	long_mode();
	ck_assert(refused()); /* a 32-bit processor */
	lm = true;
	ck_assert(!refused());
	c.rip = 0xffff800000000000;
	c.gpr[15] = c.gpr[R_ESI] = 1ull << 40;
	c.seg[SEG_SS].attr = SA_UNUSABLE; /* a null selector */
	ck_assert(!refused());
	c.rip = 0x800000000000;
	ck_assert(refused());
	c.rip = 1ull << 32;
	c.seg[SEG_CS].attr = SA_P | SA_S | SA_CODE | SA_RW | SA_DB; /* compatibility mode */
	ck_assert(refused());
	c.rip = 0;
	ck_assert(!refused());
	c.sysflags |= FL_VM;
	ck_assert(refused());
	long_mode();
	c.seg[SEG_CS].attr |= SA_DB;
	ck_assert(refused());
	long_mode();
	c.cr4 = 0;
	ck_assert(refused());
	long_mode();
	c.efer &= ~(uint64_t)EFER_LMA;
	ck_assert(refused());
	c.cr0 &= ~(uint64_t)CR0_PG; /* LME before paging is on */
	c.seg[SEG_CS].attr = SA_P | SA_S | SA_CODE | SA_RW | SA_DB;
	ck_assert(!refused());
	c.efer |= EFER_LMA;
	ck_assert(refused());
	lm = false;
}
END_TEST

/* ---- segment loads ---- */

enum { GDT = 0x40 };
static uint8_t memory[0x100];

static bool mem_read(void *ctx, gva lin, void *buf, unsigned n)
{
	(void)ctx;
	if (lin > sizeof(memory) - n)
		return false;
	memcpy(buf, memory + lin, n);
	return true;
}

static bool mem_write(void *ctx, gva lin, const void *buf, unsigned n)
{
	(void)ctx;
	if (lin > sizeof(memory) - n)
		return false;
	memcpy(memory + lin, buf, n);
	return true;
}
static const struct reg_memory mem = { NULL, mem_read, mem_write };

static const uint64_t gdt[] = {
	0,
	0x00cf9a000000ffff, /* 08 code, ring 0 */
	0x00cf92001000ffff, /* 10 data, ring 0, base 1000h */
	0x00cffa000000ffff, /* 18 code, ring 3 */
	0x00cff2000000ffff, /* 20 data, ring 3 */
	0x00cf12000000ffff, /* 28 data, not present */
	0x000089000000ffff, /* 30 a TSS */
	0x00cf98000000ffff, /* 38 code that cannot be read */
	0x00cf9e000000ffff, /* 40 conforming code */
};

/* Columns: register, selector, CPL, loaded. */
static const struct {
	const char *reg;
	uint16_t sel;
	uint8_t cpl;
	bool loaded;
} loads[] = {
	{ "ds", 0x10, 0, true },  { "ds", 0x23, 0, true },  { "ds", 0x23, 3, true },
	{ "ds", 0x10, 3, false }, { "ds", 0x13, 0, false }, { "ds", 0, 0, true },
	{ "es", 0x28, 0, false }, { "fs", 0x30, 0, false }, { "gs", 0x38, 0, false },
	{ "gs", 0x08, 0, true },  { "ds", 0x43, 3, true },  { "ds", 0x48, 0, false },
	{ "ds", 0x14, 0, false }, { "ss", 0x10, 0, true },  { "ss", 0x23, 3, true },
	{ "ss", 0x23, 0, false }, { "ss", 0, 0, false },    { "ss", 0x08, 0, false },
	{ "cs", 0x08, 0, true },  { "cs", 0x1b, 3, true },  { "cs", 0x1b, 0, false },
	{ "cs", 0x10, 0, false }, { "cs", 0, 0, false },    { "cs", 0x40, 0, true },
};

START_TEST(segment_loads)
{
	const struct reg_info *r = reg_find(loads[_i].reg);
	struct seg_cache *s;
	const char *why;

	memcpy(memory + GDT, gdt, sizeof(gdt));
	protected_mode(loads[_i].cpl);
	c.gdtr = (struct dt_reg){ .base = GDT, .limit = sizeof(gdt) - 1 };
	c.ldtr.attr = SA_UNUSABLE;
	s = (struct seg_cache *)(void *)((uint8_t *)&c + r->offset);
	why = reg_set(&c, r, loads[_i].sel, &mem);
	ck_assert_msg(!why == loads[_i].loaded, "%s = %x: %s", r->name, loads[_i].sel, why ? why : "loaded");
	if (why)
		return;
	ck_assert_uint_eq(s->sel, loads[_i].sel);
	ck_assert_ptr_null(cpu_refused(&plat, &c));
	if (!loads[_i].sel) {
		ck_assert(s->attr & SA_UNUSABLE);
		return;
	}
	ck_assert_uint_eq(s->limit, 0xffffffff);
	ck_assert_uint_eq(s->base, loads[_i].sel == 0x10 ? 0x1000 : 0);
	ck_assert(s->attr & SA_A);
	ck_assert(memory[GDT + (loads[_i].sel & SEL_INDEX) + 5] & 1);
}
END_TEST

START_TEST(load_without_memory)
{
	protected_mode(0);
	c.gdtr = (struct dt_reg){ .base = sizeof(memory), .limit = 0xffff };
	ck_assert_ptr_nonnull(reg_set(&c, reg_find("ds"), 8, &mem));
	ck_assert_ptr_nonnull(reg_set(&c, reg_find("ds"), 8, NULL));
	cpu_reset(&c);
	ck_assert_ptr_null(reg_set(&c, reg_find("ds"), 0x1234, NULL));
	ck_assert_uint_eq(c.seg[SEG_DS].base, 0x12340);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("model");
	Suite *su = suite_create("model");

	tcase_add_loop_test(tc, register_writes, 0, ARRAY_LEN(writes));
	tcase_add_test(tc, whole_states);
	tcase_add_test(tc, long_states);
	tcase_add_loop_test(tc, segment_loads, 0, ARRAY_LEN(loads));
	tcase_add_test(tc, load_without_memory);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
