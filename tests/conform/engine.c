/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine side: a machine without devices whose guest runs a case at CPL 3 with PAE paging, with the
 * linear addresses, selectors and descriptors of the native side. Every IDT vector leads to a breakpoint; a
 * fault is then read from the frame on the guest kernel's stack. */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "base/gpr.h"
#include "bt/bt.h"
#include "hv/machine.h"
#include "mm/mmu.h"
#include "tests/conform/conform.h"
#include "tests/conform/rows.h"
#include "x86/engine_translator.h"

/* Guest-physical layout; the kernel's part appears at KERNEL + address. */
enum {
	PA_GDT = 0x1000,
	PA_LDT = 0x2000,
	PA_IDT = 0x3000,
	PA_TSS = 0x4000,
	PA_STACK = 0x5000,
	PA_CODE = 0x6000,
	PA_PDPT = 0x7000,
	PA_PD_USER = 0x8000,
	PA_PD_KERNEL = 0x9000,
	PA_PT = 0xa000,
	PA_END = 0x20000,
	PA_REGIONS = 0x100000,
	RAM_BYTES = 0x200000,
};
#define PA_DEVICE 0xd0000000u /* not RAM: the HIGH region's place when it is a device */
#define KERNEL 0xc0000000u
#define VECTORS 32
#define HANDLER(n) (KERNEL + PA_CODE + 16 * (n))

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4 };
#define PTE_NX (1ull << 63)

enum { SEL_KCS = 0x08, SEL_KDS = 0x10, SEL_TSS = 0x30, SEL_LDTR = 0x38 };

struct engine {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct vcpu *v;
	struct bt_config cfg;
	unsigned npt;
	bool mmio;
	uint8_t device[RGN_HIGH_SIZE];
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
	if (a >= PA_DEVICE && a + size <= PA_DEVICE + RGN_HIGH_SIZE)
		gpr_copy(buf, e->device + (a - PA_DEVICE), size);
}
GPR_ONLY static void device_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	struct engine *e = ctx;

	if (a >= PA_DEVICE && a + size <= PA_DEVICE + RGN_HIGH_SIZE)
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

static uint32_t ldt_attr(const struct ldt_entry *d)
{
	uint32_t type = SA_A | (d->write ? SA_RW : 0) | (d->down ? SA_EC : 0) | (d->code ? SA_CODE : 0);

	return type | SA_S | SA_DPL | SA_P | (d->big ? SA_DB : 0);
}

enum {
	ATTR_CODE = SA_CODE | SA_RW | SA_A | SA_S | SA_P | SA_DB | SA_G,
	ATTR_DATA = SA_RW | SA_A | SA_S | SA_P | SA_DB | SA_G,
	ATTR_TSS = 0xb | SA_P,
	ATTR_LDT = 2 | SA_P,
};

static void write_descriptors(struct engine *e)
{
	put64(e, PA_GDT + SEL_KCS, descriptor(0, 0xfffff, ATTR_CODE));
	put64(e, PA_GDT + SEL_KDS, descriptor(0, 0xfffff, ATTR_DATA));
	put64(e, PA_GDT + (SEL_CS & ~7), descriptor(0, 0xfffff, ATTR_CODE | SA_DPL));
	put64(e, PA_GDT + (SEL_DS & ~7), descriptor(0, 0xfffff, ATTR_DATA | SA_DPL));
	put64(e, PA_GDT + SEL_TSS, descriptor(KERNEL + PA_TSS, 0x67, ATTR_TSS));
	put64(e, PA_GDT + SEL_LDTR, descriptor(KERNEL + PA_LDT, LDT_COUNT * 8 - 1, ATTR_LDT));
	for (unsigned i = 0; i < LDT_COUNT; i++) {
		const struct ldt_entry *d = &conform_ldt[i];

		put64(e, PA_LDT + 8 * i, descriptor(d->base, d->limit, ldt_attr(d)));
	}
	for (unsigned i = 0; i < VECTORS; i++) {
		uint32_t dpl = i == EXC_BP || i == EXC_OF ? 0x6000 : 0;

		put32(e, PA_IDT + 8 * i, SEL_KCS << 16 | (HANDLER(i) & 0xffff));
		put32(e, PA_IDT + 8 * i + 4, (HANDLER(i) & 0xffff0000u) | 0x8e00 | dpl);
		put32(e, PA_CODE + 16 * i, 0xf4f4f4f4);
	}
	put32(e, PA_TSS + 4, KERNEL + PA_STACK + 0xff0); /* ESP0 */
	put32(e, PA_TSS + 8, SEL_KDS);
	put32(e, PA_TSS + 0x64, 0x68 << 16); /* no I/O bitmap */
}

static void map_page(struct engine *e, uint32_t lin, gpa pa, uint64_t flags)
{
	gpa pd = (lin >= KERNEL ? PA_PD_KERNEL : PA_PD_USER) + 8 * (lin >> 21 & 511), pt;

	if (!(get64(e, pd) & PTE_P))
		put64(e, pd, (PA_PT + 4096 * e->npt++) | PTE_P | PTE_W | (flags & PTE_U));
	pt = get64(e, pd) & ~(uint64_t)PAGE_MASK;
	put64(e, pt + 8 * (lin >> 12 & 511), pa | flags);
}

static bool is_device(const struct engine *e, unsigned region)
{
	return e->mmio && region == RGN_HIGH;
}

static void write_page_tables(struct engine *e)
{
	put64(e, PA_PDPT, PA_PD_USER | PTE_P);
	put64(e, PA_PDPT + 24, PA_PD_KERNEL | PTE_P);
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &conform_regions[i];
		uint64_t flags = PTE_P | PTE_U | (r->write ? PTE_W : 0) | (r->exec ? 0 : PTE_NX);

		for (uint32_t o = 0; o < r->size; o += PAGE_SIZE)
			map_page(e, r->addr + o, (is_device(e, i) ? PA_DEVICE : PA_REGIONS + r->at) + o,
				 flags);
	}
	for (gpa a = 0; a < PA_END; a += PAGE_SIZE)
		map_page(e, KERNEL + (uint32_t)a, a, PTE_P | PTE_W);
}

/* ---- processor state ---- */

static struct seg_cache seg_from_sel(uint16_t sel)
{
	const struct ldt_entry *d = sel_is_ldt(sel) ? &conform_ldt[sel >> 3] : NULL;

	if (d)
		return (
		    struct seg_cache){ .base = d->base, .limit = d->limit, .attr = ldt_attr(d), .sel = sel };
	if (!(sel & ~3))
		return (struct seg_cache){ .attr = SA_UNUSABLE, .sel = sel };
	return (struct seg_cache){
		.limit = ~0u,
		.sel = sel,
		.attr = (sel == SEL_CS ? ATTR_CODE : ATTR_DATA) | SA_DPL,
	};
}

static void setup_system(struct cpu *c)
{
	c->cr0 = CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE;
	c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	c->efer = EFER_NXE;
	c->xcr0 = host_has_wide() ? 7 | XCR0_AVX512 : 7;
	c->cr3 = PA_PDPT;
	c->gdtr = (struct dt_reg){ .base = KERNEL + PA_GDT, .limit = SEL_LDTR + 7 };
	c->idtr = (struct dt_reg){ .base = KERNEL + PA_IDT, .limit = VECTORS * 8 - 1 };
	c->ldtr = (struct seg_cache){ KERNEL + PA_LDT, LDT_COUNT * 8 - 1, ATTR_LDT, SEL_LDTR };
	c->tr = (struct seg_cache){ KERNEL + PA_TSS, 0x67, ATTR_TSS, SEL_TSS };
	c->a20_mask = ~0u;
}

static void load_state(struct cpu *c, const struct cpu_state *s)
{
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = s->gpr[i];
	for (unsigned i = 0; i < SEG_COUNT; i++)
		c->seg[i] = seg_from_sel(s->seg[i]);
	c->rip = s->eip;
	cpu_set_eflags(c, s->eflags);
	c->cpl = 3;
	c->cr2 = 0;
	c->shadow = c->halted = 0;
	memcpy(c->fpu, s->fpu.b, XSAVE_BYTES);
	if (host_has_wide())
		c->avx512 = s->wide;
}

static void copy_memory(struct engine *e, uint8_t *image, bool in)
{
	for (unsigned i = 0; i < RGN_COUNT; i++) {
		const struct region *r = &conform_regions[i];

		if (is_device(e, i))
			memcpy(in ? e->device : image + r->at, in ? image + r->at : e->device, r->size);
		else if (in)
			mm_phys_write(e->vm, PA_REGIONS + r->at, image + r->at, r->size);
		else
			mm_phys_read(e->vm, PA_REGIONS + r->at, image + r->at, r->size);
	}
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
	out->vector = (cpu_pc(c) - HANDLER(0)) / 16;
	out->cr2 = out->vector == EXC_PF ? c->cr2 : 0;
	if (has_error_code(out->vector)) {
		out->err = get32(e, sp);
		sp += 4;
	}
	for (unsigned i = 0; i < 8; i++)
		out->st.gpr[i] = (uint32_t)c->gpr[i];
	for (unsigned i = 0; i < SEG_COUNT; i++)
		out->st.seg[i] = c->seg[i].sel;
	out->st.eip = get32(e, sp);
	out->st.seg[SEG_CS] = (uint16_t)get32(e, sp + 4);
	out->st.eflags = get32(e, sp + 8);
	out->st.gpr[R_ESP] = get32(e, sp + 12);
	out->st.seg[SEG_SS] = (uint16_t)get32(e, sp + 16);
	memcpy(out->st.fpu.b, c->fpu, XSAVE_BYTES);
	out->st.wide = c->avx512;
	copy_memory(e, out->mem, false);
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
	setup_system(&e->v->cpu);
	mmu_load_pdptrs(e->v->mmu, PA_PDPT);
	for (unsigned i = 0; i < VECTORS; i++)
		e->v->ops->bp_insert(e->v, HANDLER(i));
	return true;
}

static bool promote_early(struct engine *e)
{
	const char *(*set)(struct vcpu * v, const char *what, const char *cause, const char *value) =
	    e->v->ops->translator->adaptation->set;

	return !set(e->v, "threshold", "divide", "1") && !set(e->v, "calm", "divide", "0");
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
	e->mmio = o->mmio;
	if (build(e, err, errlen) && (!o->divide || promote_early(e)))
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

bool engine_run(struct engine *e, const struct conform_case *c, struct outcome *out)
{
	enum engine_exit x;

	copy_memory(e, c->mem, true);
	setup_system(&e->v->cpu);
	load_state(&e->v->cpu, &c->st);
	e->v->ops->state_changed(e->v);
	e->v->error[0] = 0;
	x = e->v->ops->run(e->v);
	if (x != ENGINE_BREAK || e->v->error[0]) { /* a fragment refused by the verifier leaves a text, too */
		snprintf(e->error, sizeof(e->error), "the engine ended with %d: %s", x, e->v->error);
		return false;
	}
	read_outcome(e, out);
	return true;
}

bool engine_owns(uint32_t lin)
{
	return lin - KERNEL < PA_END;
}

/* Finds one number in "info causes". */
struct cause_sink {
	struct row_sink sink;
	const struct view *view;
	uint64_t callouts;
};

static void cause_row(struct row_sink *sink, const struct value *v)
{
	struct cause_sink *k = (struct cause_sink *)sink;

	if (strcmp(v[0].s, "divide"))
		return;
	for (unsigned i = 0; i < k->view->ncols; i++)
		if (!strcmp(k->view->cols[i].name, "callouts"))
			k->callouts = v[i].u;
}

uint64_t engine_bypasses(const struct engine *e)
{
	return mmu_stats(e->v->mmu)->bypasses;
}

uint64_t engine_softs(const struct engine *e)
{
	return mmu_stats(e->v->mmu)->softs;
}

uint64_t engine_divide_callouts(const struct engine *e)
{
	struct cause_sink k = { .sink = { cause_row } };

	for (const struct view *const *v = e->v->ops->views; *v; v++) {
		if (strcmp((*v)->name, "causes"))
			continue;
		k.view = *v;
		(*v)->rows(e->v, "", &k.sink);
	}
	return k.callouts;
}

const char *engine_error(const struct engine *e)
{
	return e->error;
}
