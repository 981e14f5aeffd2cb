/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine kvm's parts: registers go to the host's KVM and come back as they were; its tables. Without
 * /dev/kvm the first are not there. */
#include "kvm/kvm_int.h"

#include "mm/mmu.h"
#include "tests/suite.h"
#include "x86/features.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a rig: a processor that executes nothing, on memory of 1 MiB ---- */

struct rig {
	struct kvm_engine k;
	struct vcpu v;
	struct mm_pool *pool;
	unsigned changes;
};

static struct rig *rig_of(struct vcpu *v)
{
	return (struct rig *)(uintptr_t)((uintptr_t)v - offsetof(struct rig, v));
}

static void changed(struct vcpu *v)
{
	rig_of(v)->changes++;
}

static const struct engine_ops inner = { .state_changed = changed };

/* A Pentium III's features, and XSAVE with AVX where the host has them. */
static void cpuid(void *ctx, const struct cpu *cpu, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	uint32_t a, b, c, d;

	(void)ctx, (void)cpu;
	__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(sub));
	memset(out, 0, 4 * sizeof(*out));
	if (leaf == 0) {
		out[0] = 0xd;
		out[1] = CPUID_INTEL_EBX;
	} else if (leaf == 1) {
		out[0] = 0x6b1;
		out[2] = c & (CPUID_XSAVE | CPUID_AVX);
		out[3] = 0x0383fbff;
	} else if (leaf == 0xd) {
		out[0] = sub ? a : a & 7;
		out[1] = b;
		out[2] = c;
	}
}

static bool have_kvm(void)
{
	return !access("/dev/kvm", R_OK | W_OK);
}

static struct rig *rig_new(void)
{
	struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);
	char err[200];

	memset(r, 0, sizeof(*r));
	r->pool = mm_pool_new(1 << 20);
	r->k.vm = mm_vm_new(r->pool);
	ck_assert_int_eq(mm_vm_add_ram(r->k.vm, 0, 1 << 20, false), 0);
	r->k.v = &r->v;
	r->k.inner = &inner;
	r->k.once = REASON_NONE;
	r->v.plat.cpuid = cpuid;
	cpu_reset(&r->v.cpu);
	ck_assert_msg(kvm_setup(&r->k, err, sizeof(err)), "%s", err);
	return r;
}

static void rig_free(struct rig *r)
{
	kvm_teardown(&r->k);
	mm_vm_free(r->k.vm);
	mm_pool_free(r->pool);
	free(r);
}

/* ---- registers ---- */

static uint32_t rnd(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 32);
}

static void random_segment(struct seg_cache *s, uint64_t *seed, bool code)
{
	s->sel = (uint16_t)(rnd(seed) & 0xfffc);
	s->base = rnd(seed);
	s->attr = SA_S | SA_P | SA_A | SA_DB | (code ? SA_CODE | SA_RW : SA_RW) | (rnd(seed) & SA_AVL);
	s->limit = rnd(seed) & 0xfffff;
	if (rnd(seed) & 1) {
		s->attr |= SA_G;
		s->limit = s->limit << 12 | 0xfff;
	}
}

/* Flat protected mode in ring 0, everything else at random. */
static void random_state(struct cpu *c, uint64_t seed)
{
	cpu_reset(c);
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = rnd(&seed);
	c->rip = rnd(&seed);
	cpu_set_eflags(c, (rnd(&seed) & (FL_ARITH | FL_DF | FL_IF | FL_NT | FL_AC | FL_ID | FL_IOPL)));
	for (unsigned i = 0; i < SEG_COUNT; i++)
		random_segment(&c->seg[i], &seed, i == SEG_CS);
	c->ldtr.sel = (uint16_t)(rnd(&seed) & 0xfff8);
	c->ldtr.base = rnd(&seed);
	c->ldtr.limit = rnd(&seed) & 0xffff;
	c->ldtr.attr = SA_P | 2;
	c->tr.sel = (uint16_t)(rnd(&seed) & 0xfff8);
	c->tr.base = rnd(&seed);
	c->tr.limit = 0x67 + (rnd(&seed) & 0xff);
	c->tr.attr = SA_P | 11;
	c->gdtr = (struct dt_reg){ .base = rnd(&seed), .limit = rnd(&seed) & 0xffff };
	c->idtr = (struct dt_reg){ .base = rnd(&seed), .limit = rnd(&seed) & 0xffff };
	c->cr0 = CR0_PE | CR0_ET | (rnd(&seed) & (CR0_MP | CR0_TS | CR0_NE | CR0_WP | CR0_AM));
	c->cr2 = rnd(&seed);
	c->cr3 = rnd(&seed) & ~0xfffu;
	c->cr4 = rnd(&seed) & (CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	for (unsigned i = 0; i < 4; i++)
		c->dr[i] = rnd(&seed);
	c->dr[6] = DR6_INIT | (rnd(&seed) & DR6_BP);
	c->sysenter_cs = rnd(&seed) & 0xfffc;
	c->sysenter_esp = rnd(&seed);
	c->sysenter_eip = rnd(&seed);
	c->nmi_blocked = rnd(&seed) & 1;
	for (unsigned i = 0; i < 8; i++)
		for (unsigned n = 0; n < 16; n++) {
			c->xsave.xmm[i][n] = (uint8_t)rnd(&seed);
			c->xsave.st[i][n] = n < 10 ? (uint8_t)rnd(&seed) : 0;
		}
	c->xsave.xstate_bv = 3;
	c->xsave.fcw = FCW_INIT;
	c->xsave.mxcsr = MXCSR_INIT;
	c->tsc_offset = (uint64_t)rnd(&seed) << 20;
}

#define SAME(field)                                                                                          \
	ck_assert_msg(got->field == want->field, #field ": %#llx, not %#llx",                                \
		      (unsigned long long)got->field, (unsigned long long)want->field)

static void same_segment(const struct seg_cache *got, const struct seg_cache *want)
{
	SAME(sel);
	SAME(base);
	SAME(limit);
	SAME(attr);
}

static void same(const struct cpu *got, const struct cpu *want)
{
	for (unsigned i = 0; i < 8; i++)
		SAME(gpr[i]);
	SAME(rip);
	ck_assert_uint_eq(cpu_eflags(got), cpu_eflags(want));
	SAME(cpl);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		same_segment(&got->seg[i], &want->seg[i]);
	same_segment(&got->ldtr, &want->ldtr);
	same_segment(&got->tr, &want->tr);
	SAME(gdtr.base);
	SAME(gdtr.limit);
	SAME(idtr.base);
	SAME(idtr.limit);
	SAME(cr0);
	SAME(cr2);
	SAME(cr3);
	SAME(cr4);
	for (unsigned i = 0; i < 4; i++)
		SAME(dr[i]);
	SAME(dr[6]);
	SAME(dr[7]);
	SAME(sysenter_cs);
	SAME(sysenter_esp);
	SAME(sysenter_eip);
	SAME(nmi_blocked);
	SAME(xcr0);
	SAME(xsave.fcw);
	SAME(xsave.mxcsr);
	SAME(xsave.xstate_bv);
	ck_assert_mem_eq(got->xsave.xmm, want->xsave.xmm, sizeof(got->xsave.xmm[0]) * 8);
	ck_assert_mem_eq(got->xsave.st, want->xsave.st, sizeof(got->xsave.st));
}

START_TEST(registers_there_and_back)
{
	struct rig *r = rig_new();
	struct cpu *want;

	want = aligned_alloc(64, sizeof(*want));
	random_state(&r->v.cpu, 77 + (uint64_t)_i);
	*want = r->v.cpu;
	ck_assert_msg(state_to_kvm(&r->k), "%s", r->v.error);
	ck_assert(r->k.in_kvm);
	/* The machine's own stay; all others are KVM's until they come back. */
	memset(&r->v.cpu, 0xa5, offsetof(struct cpu, efer));
	memset(r->v.cpu.fpu, 0xa5, sizeof(r->v.cpu.fpu));
	r->v.cpu.nmi_pending = 0;
	ck_assert_int_eq(state_from_kvm(&r->k), GO_ON);
	same(&r->v.cpu, want);
	ck_assert_uint_eq(r->changes, 1);
	ck_assert_int_eq(state_from_kvm(&r->k), GO_ON); /* they are here already */
	ck_assert_uint_eq(r->changes, 1);
	free(want);
	rig_free(r);
}
END_TEST

/* ---- exits, as KVM would report them: without KVM ---- */

enum { RUN_BYTES = 8192, DATA_AT = 4096 };
static struct {
	uint16_t port;
	unsigned size, calls;
	uint32_t out;
	gpa at;
	uint8_t written[8];
} device;

static uint32_t device_in(void *ctx, uint16_t port, unsigned size)
{
	struct rig *r = ctx;

	device.port = port;
	device.size = size;
	device.calls++;
	r->v.cpu.gpr[R_EBX] = 0x11223344; /* as VMware's port changes registers */
	return 0xa1b2c3d4;
}

static void device_out(void *ctx, uint16_t port, unsigned size, uint32_t val)
{
	(void)ctx;
	device.port = port;
	device.size = size;
	device.out = device.out << 8 | val;
	device.calls++;
}

static void device_read(void *ctx, gpa a, void *buf, unsigned size)
{
	(void)ctx;
	device.at = a;
	memset(buf, 0x77, size);
}

static void device_write(void *ctx, gpa a, const void *buf, unsigned size)
{
	(void)ctx;
	device.at = a;
	memcpy(device.written, buf, size);
}

static bool device_rdmsr(void *ctx, uint32_t msr, uint64_t *val)
{
	(void)ctx;
	*val = 0x123456789abcdefull;
	return msr == 0x17;
}

static struct rig *exits_new(void)
{
	struct rig *r = aligned_alloc(64, (sizeof(*r) + 63) & ~(size_t)63);

	memset(r, 0, sizeof(*r));
	memset(&device, 0, sizeof(device));
	r->pool = mm_pool_new(2 << 20);
	r->k.vm = mm_vm_new(r->pool);
	ck_assert_int_eq(mm_vm_add_ram(r->k.vm, 0, 1 << 20, false), 0);
	ck_assert_int_eq(mm_vm_add_ram(r->k.vm, 0xffff0000, 1 << 16, true), 0);
	r->k.mirror = mm_mirror_new(r->k.vm);
	r->k.v = &r->v;
	r->k.run = calloc(1, RUN_BYTES);
	r->k.once = REASON_NONE;
	r->k.pages = true;
	r->v.plat = (struct platform){ .ctx = r,
				       .in = device_in,
				       .out = device_out,
				       .mmio_read = device_read,
				       .mmio_write = device_write,
				       .rdmsr = device_rdmsr,
				       .cpuid = cpuid };
	cpu_reset(&r->v.cpu);
	return r;
}

static void exits_free(struct rig *r)
{
	free(r->k.run);
	mm_mirror_free(r->k.mirror);
	mm_vm_free(r->k.vm);
	mm_pool_free(r->pool);
	free(r);
}

START_TEST(ports)
{
	struct rig *r = exits_new();
	struct kvm_run *run = r->k.run;
	uint8_t *data = (uint8_t *)run + DATA_AT;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_IN;
	run->io.port = 0x5658;
	run->io.size = 2;
	run->io.count = 1;
	run->io.data_offset = DATA_AT;
	run->s.regs.regs.rcx = 10;
	ck_assert_int_eq(exit_handle(&r->k), GO_ON);
	ck_assert_uint_eq(device.port, 0x5658);
	ck_assert_uint_eq(device.size, 2);
	ck_assert(data[0] == 0xd4 && data[1] == 0xc3 && !data[2]);
	ck_assert_uint_eq(r->v.cpu.gpr[R_ECX], 10); /* the device saw the guest's registers */
	ck_assert_uint_eq(run->s.regs.regs.rbx, 0x11223344);
	ck_assert_uint_eq(run->kvm_dirty_regs, KVM_SYNC_X86_REGS);

	run->kvm_dirty_regs = 0;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.count = 3; /* REP OUTSB */
	memcpy(data, "abc", 3);
	ck_assert_int_eq(exit_handle(&r->k), GO_ON);
	ck_assert_uint_eq(device.calls, 4);
	ck_assert_uint_eq(device.out, 'a' << 16 | 'b' << 8 | 'c');
	ck_assert_uint_eq(run->kvm_dirty_regs, 0);
	exits_free(r);
}
END_TEST

static void mmio(struct rig *r, gpa at, bool write, unsigned len)
{
	struct kvm_run *run = r->k.run;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = at;
	run->mmio.len = len;
	run->mmio.is_write = write;
	ck_assert_int_eq(exit_handle(&r->k), GO_ON);
}

/* A device's, ROM, memory: KVM may give all of them as accesses to a device. */
START_TEST(memory_accesses)
{
	struct rig *r = exits_new();
	uint8_t *data = r->k.run->mmio.data, byte;
	gpa recent;

	mmio(r, 0xfee00020, false, 4);
	ck_assert_uint_eq(device.at, 0xfee00020);
	ck_assert(data[0] == 0x77 && data[3] == 0x77 && !data[4]);
	data[0] = 0x99;
	mmio(r, 0xfec00000, true, 1);
	ck_assert_uint_eq(device.at, 0xfec00000);
	ck_assert_uint_eq(device.written[0], 0x99);

	device.at = 0;
	data[0] = 0x42;
	mmio(r, 0x3007, true, 1);
	ck_assert(mm_phys_read(r->k.vm, 0x3007, &byte, 1));
	ck_assert_uint_eq(byte, 0x42);
	data[0] = 0;
	mmio(r, 0x3007, false, 1);
	ck_assert_uint_eq(data[0], 0x42);
	mmio(r, 0xffff0010, true, 1);
	ck_assert_uint_eq(mm_rom_writes(r->k.vm, &recent), 1);
	ck_assert(mm_phys_read(r->k.vm, 0xffff0010, &byte, 1));
	ck_assert_uint_eq(byte, 0);
	ck_assert_uint_eq(device.at, 0);
	mmio(r, 0xffffe, true, 4); /* the end of memory is a device's */
	ck_assert_uint_eq(device.at, 0xffffe);
	exits_free(r);
}
END_TEST

START_TEST(msrs)
{
	struct rig *r = exits_new();
	struct kvm_run *run = r->k.run;

	run->exit_reason = KVM_EXIT_X86_RDMSR;
	run->msr.index = 0x17;
	ck_assert_int_eq(exit_handle(&r->k), GO_ON);
	ck_assert_uint_eq(run->msr.error, 0);
	ck_assert_uint_eq(run->msr.data, 0x123456789abcdefull);
	run->msr.index = 0x18;
	ck_assert_int_eq(exit_handle(&r->k), GO_ON);
	ck_assert_uint_eq(run->msr.error, 1); /* #GP */
	exits_free(r);
}
END_TEST

/* What ends in an error of the engine or is left to the other engine. */
static const struct {
	uint32_t exit, suberror;
	bool pages;
	int out;
	enum kvm_reason once;
} ends[] = {
	{ KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION, true, GO_ON, REASON_EMULATION },
	{ KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_DELIVERY_EV, true, GO_ON, REASON_MEMORY },
	{ KVM_EXIT_INTERNAL_ERROR, 99, true, ENGINE_ERROR, REASON_NONE },
	{ KVM_EXIT_SHUTDOWN, 0, true, ENGINE_SHUTDOWN, REASON_NONE },
	{ KVM_EXIT_SHUTDOWN, 0, false, GO_ON, REASON_FAULT },
	{ KVM_EXIT_FAIL_ENTRY, 0, true, ENGINE_ERROR, REASON_NONE },
	{ KVM_EXIT_MEMORY_FAULT_, 0, true, GO_ON, REASON_MEMORY },
	{ KVM_EXIT_INTR, 0, true, GO_ON, REASON_NONE },
	{ KVM_EXIT_TPR_ACCESS, 0, true, ENGINE_ERROR, REASON_NONE },
	{ UINT32_MAX, 0, true, ENGINE_ERROR, REASON_NONE },
};

START_TEST(other_exits)
{
	struct rig *r = exits_new();

	r->k.pages = ends[_i].pages;
	r->k.run->exit_reason = ends[_i].exit;
	r->k.run->internal.suberror = ends[_i].suberror;
	ck_assert_int_eq(exit_handle(&r->k), ends[_i].out);
	ck_assert_int_eq(r->k.once, ends[_i].once);
	ck_assert((r->v.error[0] != 0) == (ends[_i].out == ENGINE_ERROR));
	exits_free(r);
}
END_TEST

/* ---- tables ---- */

START_TEST(exits_have_names)
{
	unsigned n = 0;

	for (unsigned i = 0; i < KVM_EXITS; i++) {
		n += exit_name(i) != NULL;
		for (unsigned j = 0; exit_name(i) && j < i; j++)
			ck_assert(!exit_name(j) || strcmp(exit_name(i), exit_name(j)));
	}
	ck_assert_uint_eq(n, 12);
	ck_assert_ptr_null(exit_name(KVM_EXITS));
	ck_assert_ptr_null(exit_name(UINT32_MAX));
}
END_TEST

/* Breakpoints beyond the debug registers, watchpoints and events are the other engine's. */
static void nothing(struct vcpu *v, gva lin)
{
	(void)v, (void)lin;
}

static int no_watch(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	(void)v, (void)at, (void)len;
	return type ? 0 : -1;
}

static void no_watch_remove(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	(void)v, (void)at, (void)len, (void)type;
}

START_TEST(points)
{
	static const struct engine_ops other = { .bp_insert = nothing,
						 .bp_remove = nothing,
						 .watch_insert = no_watch,
						 .watch_remove = no_watch_remove };
	struct kvm_engine *k = aligned_alloc(64, sizeof(*k));
	struct vcpu v = { 0 };

	memset(k, 0, sizeof(*k));
	points_fill_ops(&k->ops);
	k->inner = &other;
	v.ops = &k->ops;
	for (gva a = 1; a <= KVM_DEBUG_REGISTERS; a++)
		k->ops.bp_insert(&v, a);
	k->ops.bp_insert(&v, 2);
	ck_assert(!points_need_other(k));
	ck_assert(points_break_at(k, 2) && !points_break_at(k, 5));
	k->ops.bp_insert(&v, 5);
	ck_assert(points_need_other(k) && points_break_at(k, 5));
	k->ops.bp_remove(&v, 1);
	k->ops.bp_remove(&v, 1);
	ck_assert(!points_need_other(k) && !points_break_at(k, 1) && points_break_at(k, 5));
	ck_assert_int_eq(k->ops.watch_insert(&v, 0, 4, 0), -1);
	ck_assert(!points_need_other(k));
	ck_assert_int_eq(k->ops.watch_insert(&v, 0, 4, ENGINE_WATCH_WRITE), 0);
	ck_assert(points_need_other(k));
	k->ops.watch_remove(&v, 0, 4, ENGINE_WATCH_WRITE);
	ck_assert(!points_need_other(k));
	free(k);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kvm");
	TCase *t = tcase_create("kvm");

	if (have_kvm())
		tcase_add_loop_test(t, registers_there_and_back, 0, 4);
	else
		puts("# no /dev/kvm that this user may open: registers are not tested");
	tcase_add_test(t, ports);
	tcase_add_test(t, memory_accesses);
	tcase_add_test(t, msrs);
	tcase_add_loop_test(t, other_exits, 0, ARRAY_LEN(ends));
	tcase_add_test(t, exits_have_names);
	tcase_add_test(t, points);
	suite_add_tcase(s, t);
	return suite_run(s);
}
