/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine side: a machine without devices whose guest runs a case in 64-bit mode at CPL 3, with the linear
 * addresses and selectors of the native side. Every IDT vector leads to a breakpoint; a
 * fault is then read from the frame on the guest kernel's stack. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "base/gpr.h"
#include "bt/bt.h"
#include "bt/state/vcpu.h"
#include "hv/machine.h"
#include "mm/mmu.h"
#include "tests/conform/rows.h"
#include "tests/long/long.h"
#include "x86/engine_translator.h"

/* Guest-physical layout; the kernel's part appears at KERNEL + address. */
enum {
	PA_GDT = 0x1000,
	PA_IDT = 0x3000,
	PA_TSS = 0x4000,
	PA_STACK = 0x5000,
	PA_CODE = 0x6000,
	PA_PML4 = 0x7000,
	PA_PT = 0x8000,
	PA_END = 0x40000,
	PA_REGIONS = 0x100000,
	RAM_BYTES = 0x200000,
};
#define PA_DEVICE 0xd0000000u /* not RAM: the HIGH region's place when it is a device */
#define KERNEL 0xffff900000000000u
#define VECTORS 32
#define HANDLER(n) (KERNEL + PA_CODE + 16 * (n))

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };
#define PTE_NX (1ull << 63)

enum { SEL_KCS = 0x08, SEL_KDS = 0x10, SEL_TSS = 0x40 };
enum { REPEATS = 3 }; /* in kernel mode: the first run teaches the engine that user pages are accessed */

struct engine {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct vcpu *v;
	struct bt_config cfg;
	unsigned ntables;
	bool mmio, kernel;
	uint8_t device[0x2000];
	uint8_t image[MEM_BYTES]; /* what the guest's memory holds */
	char error[320];
};

/* ---- a platform whose one device is memory ---- */

/* Callouts reach these functions while the case's vector registers are live (base/gpr.h). */
#define GPR_ONLY __attribute__((target("general-regs-only")))

GPR_ONLY static uint32_t no_in(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx, (void)port, (void)size;
	return ~0u;
}
GPR_ONLY static void no_out(void *ctx, uint16_t port, unsigned size, uint32_t val)
{
	(void)ctx, (void)port, (void)size, (void)val;
}
GPR_ONLY static void device_read(void *ctx, gpa a, void *buf, unsigned size)
{
	struct engine *e = ctx;

	gpr_fill(buf, 0xff, size);
	if (a >= PA_DEVICE && a + size <= PA_DEVICE + sizeof(e->device))
		gpr_copy(buf, e->device + (a - PA_DEVICE), size);
}
GPR_ONLY static void device_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	struct engine *e = ctx;

	if (a >= PA_DEVICE && a + size <= PA_DEVICE + sizeof(e->device))
		gpr_copy(e->device + (a - PA_DEVICE), buf, size);
}
GPR_ONLY static bool no_irq(void *ctx)
{
	(void)ctx;
	return false;
}
GPR_ONLY static int no_ack(void *ctx)
{
	(void)ctx;
	return -1;
}
GPR_ONLY static void host_cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub,
				uint32_t out[4])
{
	(void)ctx, (void)cpu;
	__cpuid_count(leaf, sub, out[0], out[1], out[2], out[3]);
}
GPR_ONLY static bool no_rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	(void)ctx, (void)msr, (void)val;
	return false;
}
GPR_ONLY static bool no_wrmsr(void *ctx, uint32_t msr, uint64_t val)
{
	(void)ctx, (void)msr, (void)val;
	return false;
}
GPR_ONLY static uint64_t host_tsc(void *ctx)
{
	(void)ctx;
	return __builtin_ia32_rdtsc();
}
GPR_ONLY static void no_timers(void *ctx)
{
	(void)ctx;
}

static const struct platform platform = {
	.in = no_in,
	.out = no_out,
	.mmio_read = device_read,
	.mmio_write = device_write,
	.irq_pending = no_irq,
	.irq_ack = no_ack,
	.cpuid = host_cpuid,
	.rdmsr = no_rdmsr,
	.wrmsr = no_wrmsr,
	.tsc = host_tsc,
	.run_timers = no_timers,
};

/* ---- tables in guest memory ---- */

static void put32(struct engine *e, gpa a, uint32_t v)
{
	mm_phys_write(e->vm, a, &v, 4);
}
static void put64(struct engine *e, gpa a, uint64_t v)
{
	mm_phys_write(e->vm, a, &v, 8);
}
static uint32_t get32(struct engine *e, gpa a)
{
	uint32_t v = 0;

	mm_phys_read(e->vm, a, &v, 4);
	return v;
}
static uint64_t get64(struct engine *e, gpa a)
{
	return get32(e, a) | (uint64_t)get32(e, a + 4) << 32;
}

/* Build a descriptor from BASE, LIMIT (in units of G) and SA_* attributes. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t attr)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(attr & 0xff) << 40 |
	       (uint64_t)(limit >> 16 & 0xf) << 48 | (uint64_t)(attr >> 12 & 0xf) << 52 |
	       (uint64_t)(base >> 24) << 56;
}

enum {
	ATTR_CODE = SA_CODE | SA_RW | SA_A | SA_S | SA_P | SA_G,
	ATTR_DATA = SA_RW | SA_A | SA_S | SA_P | SA_DB | SA_G,
	ATTR_TSS = 0xb | SA_P,
};

static void write_gate(struct engine *e, unsigned vector)
{
	uint64_t at = HANDLER(vector), dpl = vector == EXC_BP || vector == EXC_OF ? 3 : 0;
	gpa gate = PA_IDT + 16 * vector;

	put64(e, gate,
	      1ull << 32 | (at & 0xffff) | SEL_KCS << 16 | (0x8e00ull | dpl << 13) << 32 |
		  (at >> 16 & 0xffff) << 48);
	put64(e, gate + 8, at >> 32);
	put32(e, PA_CODE + 16 * vector, 0xf4f4f4f4);
}

static void write_descriptors(struct engine *e)
{
	put64(e, PA_GDT + SEL_KCS, descriptor(0, 0xfffff, ATTR_CODE | SA_L));
	put64(e, PA_GDT + SEL_KDS, descriptor(0, 0xfffff, ATTR_DATA));
	put64(e, PA_GDT + (SEL_CS32 & ~7), descriptor(0, 0xfffff, ATTR_CODE | SA_DB | SA_DPL));
	put64(e, PA_GDT + (SEL_DS & ~7), descriptor(0, 0xfffff, ATTR_DATA | SA_DPL));
	put64(e, PA_GDT + (SEL_CS & ~7), descriptor(0, 0xfffff, ATTR_CODE | SA_L | SA_DPL));
	put64(e, PA_GDT + SEL_TSS, descriptor((uint32_t)(KERNEL + PA_TSS), 0x67, ATTR_TSS));
	put64(e, PA_GDT + SEL_TSS + 8, (KERNEL + PA_TSS) >> 32);
	for (unsigned i = 0; i < VECTORS; i++)
		write_gate(e, i);
	put64(e, PA_TSS + 4, KERNEL + PA_STACK + 0xff0);  /* RSP0 */
	put64(e, PA_TSS + 36, KERNEL + PA_STACK + 0xff0); /* IST1: all vectors' */
	put32(e, PA_TSS + 0x64, 0x68 << 16);		  /* no I/O bitmap */
}

/* The entry for LIN in the table of LEVEL (4 to 1). */
static void map_page(struct engine *e, uint64_t lin, gpa pa, uint64_t flags)
{
	gpa table = PA_PML4;

	for (unsigned level = 4; level > 1; level--) {
		gpa at = table + 8 * (lin >> (12 + 9 * (level - 1)) & 511);

		if (!(get64(e, at) & PTE_P))
			put64(e, at, (PA_PT + 4096 * e->ntables++) | PTE_P | PTE_W | (flags & PTE_U));
		table = get64(e, at) & ~(uint64_t)PAGE_MASK;
	}
	put64(e, table + 8 * (lin >> 12 & 511), pa | flags);
}

static bool is_device(const struct engine *e, unsigned region)
{
	return e->mmio && region == RGN_HIGH;
}

static void write_page_tables(struct engine *e)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &long_regions[i];
		uint64_t flags = PTE_P | PTE_U | (r->write ? PTE_W : 0) | (r->exec ? 0 : PTE_NX);

		for (uint32_t o = 0; o < r->size; o += PAGE_SIZE)
			map_page(e, r->addr + o, (is_device(e, i) ? PA_DEVICE : PA_REGIONS + r->at) + o,
				 flags);
	}
	for (gpa a = 0; a < PA_END; a += PAGE_SIZE)
		map_page(e, KERNEL + a, a, PTE_P | PTE_W);
}

/* ---- processor state ---- */

static struct seg_cache seg_from_sel(uint16_t sel)
{
	if (!(sel & ~3))
		return (struct seg_cache){ .attr = SA_UNUSABLE, .sel = sel };
	return (struct seg_cache){
		.limit = ~0u,
		.sel = sel,
		.attr = (sel == SEL_CS ? ATTR_CODE | SA_L : ATTR_DATA) | SA_DPL,
	};
}

static void setup_system(struct cpu *c)
{
	c->cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	c->efer = EFER_NXE | EFER_LME | EFER_LMA;
	c->xcr0 = host_has_wide() ? 7 | XCR0_AVX512 : 7;
	c->cr3 = PA_PML4;
	c->gdtr = (struct dt_reg){ .base = KERNEL + PA_GDT, .limit = SEL_TSS + 15 };
	c->idtr = (struct dt_reg){ .base = KERNEL + PA_IDT, .limit = VECTORS * 16 - 1 };
	c->ldtr = (struct seg_cache){ .attr = SA_UNUSABLE };
	c->tr = (struct seg_cache){ KERNEL + PA_TSS, 0x67, ATTR_TSS, SEL_TSS };
	c->a20_mask = ~0u;
}

static void load_state(struct cpu *c, const struct long_state *s)
{
	memcpy(c->gpr, s->gpr, sizeof(c->gpr));
	for (unsigned i = 0; i < SEG_COUNT; i++)
		c->seg[i] = seg_from_sel(s->seg[i]);
	c->seg[SEG_FS].base = s->fs_base;
	c->seg[SEG_GS].base = s->gs_base;
	c->rip = s->rip;
	cpu_set_eflags(c, (uint32_t)s->rflags);
	c->cpl = 3;
	c->cr2 = 0;
	c->shadow = c->halted = 0;
	memcpy(c->fpu, s->fpu.b, XSAVE_BYTES);
	if (host_has_wide())
		c->avx512 = s->wide;
}

/* The same code at CPL 0; user selectors become the kernel's. */
static void enter_kernel(struct cpu *c)
{
	c->cpl = 0;
	c->seg[SEG_CS] = (struct seg_cache){ .limit = ~0u, .sel = SEL_KCS, .attr = ATTR_CODE | SA_L };
	c->seg[SEG_SS] = (struct seg_cache){ .limit = ~0u, .sel = SEL_KDS, .attr = ATTR_DATA };
}

static void read_memory(struct engine *e, uint8_t *image)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &long_regions[i];

		if (is_device(e, i))
			memcpy(image + r->at, e->device, r->size);
		else
			mm_phys_read(e->vm, PA_REGIONS + r->at, image + r->at, r->size);
	}
}

/* Bring the guest's memory to IMAGE where it differs from what it holds. */
static void write_memory(struct engine *e, const uint8_t *image)
{
	enum { PIECE = 64 };

	memcpy(e->device, image + long_regions[RGN_HIGH].at, sizeof(e->device));
	for (unsigned at = 0; at < MEM_BYTES; at += PIECE)
		if (memcmp(e->image + at, image + at, PIECE))
			mm_phys_write(e->vm, PA_REGIONS + at, image + at, PIECE);
}

static bool has_error_code(uint32_t v)
{
	return v == EXC_DF || (v >= EXC_TS && v <= EXC_PF) || v == EXC_AC;
}

static void read_outcome(struct engine *e, struct outcome *out)
{
	const struct cpu *c = &e->v->cpu;
	gpa sp = PA_STACK + (c->gpr[R_ESP] & PAGE_MASK);

	*out = (struct outcome){ .mem = out->mem };
	out->vector = (uint32_t)(cpu_pc(c) - HANDLER(0)) / 16;
	out->cr2 = out->vector == EXC_PF ? c->cr2 : 0;
	if (has_error_code(out->vector)) {
		out->err = (uint32_t)get64(e, sp);
		sp += 8;
	}
	memcpy(out->st.gpr, c->gpr, sizeof(out->st.gpr));
	for (unsigned i = 0; i < SEG_COUNT; i++)
		out->st.seg[i] = c->seg[i].sel;
	out->st.fs_base = c->seg[SEG_FS].base;
	out->st.gs_base = c->seg[SEG_GS].base;
	out->st.rip = get64(e, sp);
	out->st.seg[SEG_CS] = (uint16_t)get64(e, sp + 8);
	out->st.rflags = get64(e, sp + 16);
	out->st.gpr[R_ESP] = get64(e, sp + 24);
	out->st.seg[SEG_SS] = (uint16_t)get64(e, sp + 32);
	memcpy(out->st.fpu.b, c->fpu, XSAVE_BYTES);
	out->st.wide = c->avx512;
	read_memory(e, e->image);
	memcpy(out->mem, e->image, MEM_BYTES);
}

/* ---- interface ---- */

static bool build(struct engine *e, char *err, size_t errlen)
{
	struct platform plat = platform;

	plat.ctx = e;
	e->pool = mm_pool_new(RAM_BYTES + 0x100000);
	e->vm = e->pool ? mm_vm_new(e->pool) : NULL;
	if (!e->vm || mm_vm_add_ram(e->vm, 0, RAM_BYTES, false)) {
		snprintf(err, errlen, "no memory for the guest");
		return false;
	}
	write_descriptors(e);
	write_page_tables(e);
	e->v = bt_vcpu_new(&e->cfg, e->vm, &plat, CLOCK_HOST, err, errlen);
	if (!e->v)
		return false;
	cpu_reset(&e->v->cpu);
	memset(e->image, 0, sizeof(e->image));
	setup_system(&e->v->cpu);
	for (unsigned i = 0; i < VECTORS; i++)
		e->v->ops->bp_insert(e->v, HANDLER(i));
	return true;
}

/* At the first trap, and for good. */
static bool promote_early(struct engine *e, const char *cause)
{
	const char *(*set)(struct vcpu * v, const char *what, const char *cause, const char *value) =
	    e->v->ops->translator->adaptation->set;

	return !set(e->v, "threshold", cause, "1") && !set(e->v, "calm", cause, "0");
}

struct engine *engine_new(const struct engine_options *o, char *err, size_t errlen)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->cfg = (struct bt_config){ .verify = !o->no_verify,
				     .tu_max = o->tu_max,
				     .no_chain = o->no_chain,
				     .precheck_all = o->precheck,
				     .soft_all = o->soft };
	e->mmio = o->mmio | o->device;
	e->kernel = o->kernel;
	if (build(e, err, errlen) && (!o->divide || promote_early(e, "divide")) &&
	    (!o->device || promote_early(e, "device")))
		return e;
	engine_free(e);
	return NULL;
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	if (e->v)
		e->v->ops->free(e->v);
	mm_vm_free(e->vm);
	mm_pool_free(e->pool);
	free(e);
}

bool engine_run(struct engine *e, const struct long_case *c, struct outcome *out)
{
	enum engine_exit x;

	for (unsigned i = 0; i < (e->kernel ? REPEATS : 1); i++) {
		if (i)
			read_memory(e, e->image);
		write_memory(e, c->mem);
		setup_system(&e->v->cpu);
		load_state(&e->v->cpu, &c->st);
		if (e->kernel)
			enter_kernel(&e->v->cpu);
		e->v->ops->state_changed(e->v);
		e->v->error[0] = 0;
		x = e->v->ops->run(e->v);
		if (x != ENGINE_BREAK)
			break;
	}
	if (x != ENGINE_BREAK || e->v->error[0]) { /* a fragment refused by the verifier leaves a text, too */
		snprintf(e->error, sizeof(e->error), "the engine ended with %d: %s", x, e->v->error);
		read_memory(e, e->image);
		return false;
	}
	read_outcome(e, out);
	return true;
}

uint64_t engine_callouts(const struct engine *e)
{
	const struct cause_state *causes = bt_of(e->v)->adapt.causes;

	return causes[CAUSE_DIVIDE].after.n + causes[CAUSE_DEVICE].after.n;
}

const char *engine_error(const struct engine *e)
{
	return e->error;
}

const struct bt_vcpu *engine_vcpu(const struct engine *e)
{
	return bt_of(e->v);
}
