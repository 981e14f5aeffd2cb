/* SPDX-License-Identifier: GPL-3.0-or-later
 * Making the VM and its vCPU (Linux, Documentation/virt/kvm/api.rst). /dev/kvm is closed afterwards: only
 * these two remain. */
#include "kvm/kvm_int.h"
#include "x86/features.h"
#include "x86/msrs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* A page and, behind it, three that KVM needs on some processors; neither memory nor a device is there. */
#define IDENTITY_AT 0xfeffc000ull
#define TSS_AT (IDENTITY_AT + PAGE_SIZE)

/* What the engine needs. Columns: capability, what for, the kernel that brought it. */
static const struct need {
	int cap;
	const char *what, *since;
} needs[] = {
	{ KVM_CAP_USER_MEMORY, "memory slots", "2.6.25" },
	{ KVM_CAP_SYNC_MMU, "memory that moves", "2.6.27" },
	{ KVM_CAP_SET_GUEST_DEBUG, "breakpoints and steps", "2.6.30" },
	{ KVM_CAP_VCPU_EVENTS, "events under way", "2.6.33" },
	{ KVM_CAP_DEBUGREGS, "debug registers", "2.6.34" },
	{ KVM_CAP_XSAVE, "vector registers", "2.6.36" },
	{ KVM_CAP_IMMEDIATE_EXIT, "completing an exit", "4.11" },
	{ KVM_CAP_SYNC_REGS, "registers at exits", "4.17" },
	{ KVM_CAP_X86_USER_SPACE_MSR, "MSRs of the machine", "5.10" },
	{ KVM_CAP_X86_MSR_FILTER, "MSRs of the machine", "5.10" },
};

static bool fail(char *err, size_t errlen, const char *what)
{
	snprintf(err, errlen, "engine kvm: %s: %s", what, strerror(errno));
	return false;
}

static bool open_device(int *fd, char *err, size_t errlen)
{
	*fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return fail(err, errlen, "/dev/kvm");
	if (ioctl(*fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		snprintf(err, errlen, "engine kvm: this kernel's KVM has another interface");
		return false;
	}
	for (unsigned i = 0; i < ARRAY_LEN(needs); i++)
		if (ioctl(*fd, KVM_CHECK_EXTENSION, needs[i].cap) <= 0) {
			snprintf(err, errlen,
				 "engine kvm: the host's KVM lacks what it takes for %s (Linux %s has it)",
				 needs[i].what, needs[i].since);
			return false;
		}
	return true;
}

/* ---- MSRs ---- */

/* Nearly all MSRs are the machine's: accesses exit. Those of SYSENTER remain with KVM, as kernels write them
 * often; a filter needs a range anyway. */
static bool filter_msrs(struct kvm_engine *k)
{
	struct kvm_enable_cap exits = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
					.args = { KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
						  KVM_MSR_EXIT_REASON_FILTER } };
	uint8_t all = 7;
	struct kvm_msr_filter f = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges = { { .flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE,
			      .nmsrs = 3,
			      .base = MSR_SYSENTER_CS,
			      .bitmap = &all } },
	};

	return !ioctl(k->vm_fd, KVM_ENABLE_CAP, &exits) && !ioctl(k->vm_fd, KVM_X86_SET_MSR_FILTER, &f);
}

/* ---- CPUID ---- */

enum { LEAVES = 32, SUBLEAVES = 4, CPUID_ENTRIES = 96 };
/* KVM takes no other number of bits in linear addresses than long mode has. */
#define ADDRESS_SIZES 0x80000008u
enum { LINEAR_BITS = 48 };
struct cpuid_list { /* struct kvm_cpuid2, with room */
	uint32_t nent, padding;
	struct kvm_cpuid_entry2 entries[CPUID_ENTRIES];
};
_Static_assert(offsetof(struct cpuid_list, entries) == sizeof(struct kvm_cpuid2),
	       "the list begins behind it");

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;
}

static void add_leaf(const struct kvm_engine *k, struct cpuid_list *l, uint32_t leaf)
{
	const struct vcpu *v = k->v;
	uint32_t out[4];

	for (uint32_t sub = 0; sub < (has_subleaves(leaf) ? SUBLEAVES : 1); sub++) {
		if (l->nent == CPUID_ENTRIES)
			return;
		v->plat.cpuid(v->plat.ctx, &v->cpu, leaf, sub, out);
		if (leaf == ADDRESS_SIZES)
			out[CPUID_A] = (out[CPUID_A] & ~0xff00u) | LINEAR_BITS << 8;
		l->entries[l->nent++] = (struct kvm_cpuid_entry2){
			.function = leaf,
			.index = sub,
			.flags = has_subleaves(leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = out[0],
			.ebx = out[1],
			.ecx = out[2],
			.edx = out[3],
		};
	}
}

/* KVM answers CPUID by the machine's table. It sets what depends on the processor's state by itself. */
static bool set_cpuid(struct kvm_engine *k)
{
	static const uint32_t bases[] = { 0, 0x40000000, 0x80000000 };
	struct cpuid_list *l = calloc(1, sizeof(*l));
	uint32_t out[4], last;
	bool ok;

	if (!l)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(bases); i++) {
		k->v->plat.cpuid(k->v->plat.ctx, &k->v->cpu, bases[i], 0, out);
		last = out[0] >= bases[i] && out[0] - bases[i] < LEAVES ? out[0] : bases[i];
		for (uint32_t leaf = bases[i]; leaf <= last; leaf++)
			add_leaf(k, l, leaf);
	}
	ok = !ioctl(k->cpu_fd, KVM_SET_CPUID2, l);
	free(l);
	return ok;
}

static bool has_extension(const struct kvm_engine *k, uint32_t leaf, unsigned reg, uint32_t feature)
{
	uint32_t out[4];

	k->v->plat.cpuid(k->v->plat.ctx, &k->v->cpu, leaf, 0, out);
	return out[reg] & feature;
}

/* ---- all of it ---- */

/* Does a vCPU of a VM without memory keep CR0.PG outside long mode? */
static bool has_paging(int dev)
{
	int vm = ioctl(dev, KVM_CREATE_VM, 0), cpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	bool has = cpu >= 0 && state_keeps_paging(cpu);

	if (cpu >= 0)
		close(cpu);
	if (vm >= 0)
		close(vm);
	return has;
}

static bool make_vm(struct kvm_engine *k, int dev, char *err, size_t errlen)
{
	uint64_t identity = IDENTITY_AT;
	int bytes;

	k->vm_fd = ioctl(dev, KVM_CREATE_VM, 0);
	if (k->vm_fd < 0)
		return fail(err, errlen, "it makes no VM");
	ioctl(k->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity); /* Intel's alone needs these */
	ioctl(k->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_AT);
	k->cpu_fd = ioctl(k->vm_fd, KVM_CREATE_VCPU, 0);
	if (k->cpu_fd < 0)
		return fail(err, errlen, "it makes no virtual processor");
	bytes = ioctl(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (bytes < (int)sizeof(struct kvm_run))
		return fail(err, errlen, "no state of a virtual processor");
	k->run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, k->cpu_fd, 0);
	if (k->run == MAP_FAILED) {
		k->run = NULL;
		return fail(err, errlen, "no state of a virtual processor");
	}
	k->run_bytes = (size_t)bytes;
	k->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	return true;
}

/* While KVM executes, the kick interrupts it; elsewhere in run() it is blocked and waits. Faults are ours. */
static bool set_signals(struct kvm_engine *k)
{
	static const int open[] = { SIGSEGV, SIGBUS, SIGSYS, SIGILL, SIGFPE };
	struct kvm_signal_mask *m = calloc(1, sizeof(*m) + sizeof(uint64_t));
	uint64_t blocked = ~(1ull << (ENGINE_KICK_SIGNAL - 1));
	bool ok;

	if (!m)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(open); i++)
		blocked &= ~(1ull << (open[i] - 1));
	m->len = sizeof(blocked);
	memcpy(m->sigset, &blocked, sizeof(blocked));
	ok = !ioctl(k->cpu_fd, KVM_SET_SIGNAL_MASK, m);
	free(m);
	return ok;
}

bool kvm_setup(struct kvm_engine *k, char *err, size_t errlen)
{
	struct kvm_enable_cap stop = { .cap = KVM_CAP_EXIT_ON_EMULATION_FAILURE, .args = { 1 } };
	int dev = -1;
	bool ok;

	if (has_extension(k, CPUID_VMX_LEAF, CPUID_VMX_REG, CPUID_VMX) ||
	    has_extension(k, CPUID_SVM_LEAF, CPUID_SVM_REG, CPUID_SVM)) {
		snprintf(err, errlen, "engine kvm: VMX and SVM in the guest are the engine bt's");
		return false;
	}
	ok = open_device(&dev, err, errlen) && make_vm(k, dev, err, errlen);
	k->pages = ok && has_paging(dev);
	if (dev >= 0)
		close(dev);
	if (!ok)
		return false;
	ioctl(k->vm_fd, KVM_ENABLE_CAP, &stop); /* before Linux 5.14: the exception goes with the exit */
	if (!filter_msrs(k))
		return fail(err, errlen, "it refuses the filter of MSRs");
	if (!set_cpuid(k))
		return fail(err, errlen, "it refuses the processor model");
	if (!set_signals(k))
		return fail(err, errlen, "it refuses the signal mask");
	k->mirror = mm_mirror_new(k->vm);
	if (!k->mirror)
		return fail(err, errlen, "no address space for guest memory");
	return true;
}

void kvm_teardown(struct kvm_engine *k)
{
	if (k->run)
		munmap(k->run, k->run_bytes);
	if (k->cpu_fd >= 0)
		close(k->cpu_fd);
	if (k->vm_fd >= 0)
		close(k->vm_fd);
	mm_mirror_free(k->mirror);
}

static bool refuse_slot(struct kvm_engine *k, gpa at)
{
	snprintf(k->v->error, sizeof(k->v->error), "KVM refuses memory at %#llx: %s", (unsigned long long)at,
		 strerror(errno));
	return false;
}

bool kvm_set_slots(struct kvm_engine *k)
{
	struct kvm_userspace_memory_region r = { 0 };
	gpa from = 0, at;
	uint64_t bytes;

	if (k->nslots && k->layouts == mm_vm_layouts(k->vm))
		return true;
	for (; r.slot < k->nslots; r.slot++) /* of no size: they go */
		if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &r))
			return refuse_slot(k, 0);
	r.slot = k->nslots = 0;
	while (mm_mirror_run(k->mirror, from, &at, &bytes)) {
		r.guest_phys_addr = at;
		r.memory_size = bytes;
		r.userspace_addr = (uintptr_t)mm_mirror_base(k->mirror) + at;
		if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &r))
			return refuse_slot(k, at);
		k->nslots = ++r.slot;
		from = at + bytes;
	}
	k->layouts = mm_vm_layouts(k->vm);
	return true;
}
