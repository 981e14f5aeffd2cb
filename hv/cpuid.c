/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/cpuid.h (SDM vol. 2A CPUID; APM vol. 3 appendix E). A bit is shown
 * only when the host has it and the model allows it: instructions run on the
 * host's own units. */
#include "hv/cpuid.h"
#include "x86/features.h"

#include "x86/paging.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { A = CPUID_A, B = CPUID_B, C = CPUID_C, D = CPUID_D };
/* Of leaf 1, what needs nothing of the host: machine checks never happen, the APIC is a device. */
#define OWN_EDX (CPUID_MCE | CPUID_MCA | CPUID_APIC)
#define OWN_ECX (CPUID_X2APIC | CPUID_TSC_DEADLINE)
/* Offered where the model is asked for it alone (+vmx). */
#define ASKED_ECX CPUID_VMX
#define ASKED_EXT_ECX CPUID_SVM
/* What comes with 64-bit mode (LM), and only with it: other models would have too little of it. Nothing of it
 * but CMPXCHG16B needs the host's. */
#define LONG_ECX1 (CPUID_CX16 | CPUID_PCID)
#define LONG_EBX7 (CPUID_FSGSBASE | CPUID_SMEP | CPUID_INVPCID | CPUID_SMAP)
#define LONG_ECX7 (CPUID_UMIP | CPUID_RDPID)
#define LONG_EXT_EDX (CPUID_SYSCALL | CPUID_PDPE1GB | CPUID_LM)
/* Features of SVM: those that svm/executor.h implements. */
#define SVM_EDX                                                                                              \
	(CPUID_SVM_NP | CPUID_SVM_LOCK | CPUID_SVM_NEXT_RIP | CPUID_SVM_TSC_RATIO | CPUID_SVM_CLEAN |        \
	 CPUID_SVM_FLUSH_BY_ASID | CPUID_SVM_DECODE_ASSISTS | CPUID_SVM_VIRTUAL_VMLOAD |                     \
	 CPUID_SVM_VIRTUAL_GIF | CPUID_SVM_VIRTUAL_NMI | CPUID_SVM_ADDRESS_CHECK | CPUID_SVM_IDLE_HLT)
enum { SVM_REVISION = 1, SVM_ASIDS = 32 };
enum { LINEAR_32 = 32, LINEAR_64 = 48 }; /* bits of linear addresses */
#define BASIC_EDX                                                                                            \
	(CPUID_FPU | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_PAE | CPUID_CX8 | CPUID_SEP | CPUID_MTRR |    \
	 CPUID_PGE | CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_CLFLUSH | CPUID_MMX | CPUID_FXSR |         \
	 CPUID_SSE | CPUID_SSE2 | OWN_EDX)
#define BASIC_ECX                                                                                            \
	(CPUID_SSE3 | CPUID_PCLMULQDQ | CPUID_SSSE3 | CPUID_FMA | CPUID_SSE41 | CPUID_SSE42 | CPUID_MOVBE |  \
	 CPUID_POPCNT | CPUID_AES | CPUID_XSAVE | CPUID_AVX | CPUID_F16C | CPUID_RDRAND | OWN_ECX)
#define LEAF7_EBX (CPUID_BMI1 | CPUID_AVX2 | CPUID_BMI2 | CPUID_ERMS | CPUID_RDSEED | CPUID_ADX | CPUID_SHA)
/* AVX-512: all of it that bt/decode/allow.def admits; and of the first processors that had it. */
#define AVX512_SERVER_EBX (CPUID_AVX512F | CPUID_AVX512DQ | CPUID_AVX512CD | CPUID_AVX512BW | CPUID_AVX512VL)
#define AVX512_EBX (AVX512_SERVER_EBX | CPUID_AVX512IFMA)
#define AVX512_ECX                                                                                           \
	(CPUID_AVX512VBMI | CPUID_AVX512_VBMI2 | CPUID_AVX512_VNNI | CPUID_AVX512_BITALG |                   \
	 CPUID_AVX512_VPOPCNTDQ)
#define EXT_EDX (CPUID_NX | CPUID_MMXEXT | CPUID_RDTSCP)
/* AMD's copy of leaf 1 in EDX of leaf 80000001H. */
#define EXT_EDX_COPY                                                                                         \
	(CPUID_FPU | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_PAE | CPUID_CX8 | CPUID_MTRR | CPUID_PGE |    \
	 CPUID_CMOV | CPUID_PAT | CPUID_PSE36 | CPUID_MMX | CPUID_FXSR | OWN_EDX)
#define EXT_ECX (CPUID_LAHF | CPUID_LZCNT | CPUID_SSE4A | CPUID_MISALIGNSSE | CPUID_PREFETCHW)
#define XSAVE1 (CPUID_XSAVEOPT | CPUID_XSAVEC | CPUID_XGETBV1)

/* Signatures. Programs choose code by them alone (target_clones of gcc). */
enum { COMET_LAKE = 0xa0653, SKYLAKE_SERVER = 0x50654, ZEN_2 = 0x830f10 };

/* A model: masks on the host's bits. Signature 0 and vendor NULL: the host's. */
struct cpu_model {
	const char *name, *help, *vendor;
	uint32_t signature, max_basic, max_ext;
	uint32_t edx1, ecx1, ebx7, ecx7, edx7, ext_edx, ext_ecx, xsave1;
	uint32_t svm;	    /* of leaf 8000000AH, if the model has SVM */
	enum cpuid_vmx vmx; /* if it has VMX */
	bool hypervisor;    /* show the hypervisor leaves */
	bool lm;	    /* 64-bit mode without +lm */
};

#define HOST_MODEL                                                                                           \
	.max_basic = 0xd, .max_ext = 0x80000008, .edx1 = BASIC_EDX, .ecx1 = BASIC_ECX | LONG_ECX1,           \
	.ebx7 = LEAF7_EBX | AVX512_EBX | LONG_EBX7, .ecx7 = AVX512_ECX | LONG_ECX7,                          \
	.edx7 = CPUID_ARCH_CAPABILITIES, .ext_edx = EXT_EDX | EXT_EDX_COPY | LONG_EXT_EDX,                   \
	.ext_ecx = EXT_ECX, .xsave1 = XSAVE1, .vmx = CPUID_VMX_ALL, .hypervisor = true, .lm = true
#define P5_EDX (CPUID_FPU | CPUID_PSE | CPUID_TSC | CPUID_MSR | CPUID_CX8 | CPUID_MCE | CPUID_APIC)
#define P6_EDX                                                                                               \
	(P5_EDX | CPUID_MCA | CPUID_PAE | CPUID_SEP | CPUID_MTRR | CPUID_PGE | CPUID_CMOV | CPUID_PAT |      \
	 CPUID_PSE36 | CPUID_MMX | CPUID_FXSR)

#define K8_EDX (P6_EDX | CPUID_CLFLUSH | CPUID_SSE | CPUID_SSE2)
#define NEHALEM_ECX                                                                                          \
	(CPUID_SSE3 | CPUID_SSSE3 | CPUID_CX16 | CPUID_SSE41 | CPUID_SSE42 | CPUID_POPCNT | CPUID_X2APIC)

static const struct cpu_model models[] = {
	{ .name = "host", .help = "the host's processor, masked", HOST_MODEL },
	{ .name = "max", .help = "all that can be offered", HOST_MODEL },
	{ .name = "haswell",
	  .help = "Haswell, as far as the host has its features; +vmx: with VMX",
	  .vendor = "GenuineIntel",
	  .signature = 0x306c3,
	  .max_basic = 0xd,
	  .max_ext = 0x80000008,
	  .edx1 = BASIC_EDX,
	  .ecx1 = BASIC_ECX | LONG_ECX1,
	  .ebx7 =
	      CPUID_BMI1 | CPUID_AVX2 | CPUID_BMI2 | CPUID_ERMS | CPUID_FSGSBASE | CPUID_SMEP | CPUID_INVPCID,
	  .ext_edx = CPUID_NX | CPUID_RDTSCP | LONG_EXT_EDX,
	  .ext_ecx = CPUID_LAHF | CPUID_LZCNT,
	  .xsave1 = CPUID_XSAVEOPT,
	  .vmx = CPUID_VMX_HASWELL,
	  .hypervisor = true,
	  .lm = true },
	{ .name = "skylake-server",
	  .help = "Skylake of servers, as far as the host has its features: AVX-512",
	  .vendor = "GenuineIntel",
	  .signature = SKYLAKE_SERVER,
	  .max_basic = 0xd,
	  .max_ext = 0x80000008,
	  .edx1 = BASIC_EDX,
	  .ecx1 = BASIC_ECX | LONG_ECX1,
	  .ebx7 = (LEAF7_EBX & ~(uint32_t)CPUID_SHA) | AVX512_SERVER_EBX | LONG_EBX7,
	  .edx7 = CPUID_ARCH_CAPABILITIES,
	  .ext_edx = CPUID_NX | CPUID_RDTSCP | LONG_EXT_EDX,
	  .ext_ecx = CPUID_LAHF | CPUID_LZCNT | CPUID_PREFETCHW,
	  .xsave1 = XSAVE1,
	  .vmx = CPUID_VMX_HASWELL,
	  .hypervisor = true,
	  .lm = true },
	{ .name = "zen2",
	  .help = "Zen 2, as far as the host has its features: 64-bit mode",
	  .vendor = "AuthenticAMD",
	  .signature = 0x830f10,
	  .max_basic = 0xd,
	  .max_ext = 0x80000008,
	  .edx1 = BASIC_EDX,
	  .ecx1 = (BASIC_ECX & ~(uint32_t)(CPUID_TSC_DEADLINE | CPUID_X2APIC)) | CPUID_CX16,
	  .ebx7 = LEAF7_EBX | CPUID_FSGSBASE | CPUID_SMEP | CPUID_SMAP,
	  .ecx7 = LONG_ECX7,
	  .ext_edx = EXT_EDX | EXT_EDX_COPY | LONG_EXT_EDX,
	  .ext_ecx = EXT_ECX,
	  .xsave1 = XSAVE1,
	  .hypervisor = true,
	  .lm = true },
	{ .name = "nehalem",
	  .help = "Nehalem: 64-bit mode, up to SSE4.2",
	  .vendor = "GenuineIntel",
	  .signature = 0x106a5,
	  .max_basic = 0xb,
	  .max_ext = 0x80000008,
	  .edx1 = BASIC_EDX,
	  .ecx1 = NEHALEM_ECX,
	  .ext_edx = CPUID_SYSCALL | CPUID_NX | CPUID_RDTSCP | CPUID_LM,
	  .ext_ecx = CPUID_LAHF,
	  .vmx = CPUID_VMX_NEHALEM,
	  .hypervisor = true,
	  .lm = true },
	{ .name = "athlon64",
	  .help = "Athlon 64: the first 64-bit mode, up to SSE2",
	  .vendor = "AuthenticAMD",
	  .signature = 0xf48,
	  .max_basic = 1,
	  .max_ext = 0x80000008,
	  .edx1 = K8_EDX,
	  .ext_edx = (EXT_EDX_COPY & K8_EDX) | CPUID_SYSCALL | CPUID_NX | CPUID_MMXEXT | CPUID_LM,
	  .hypervisor = true,
	  .lm = true },
	{ .name = "pentium4",
	  .help = "Pentium 4: up to SSE2",
	  .vendor = "GenuineIntel",
	  .signature = 0xf29,
	  .max_basic = 2,
	  .max_ext = 0x80000004,
	  .edx1 = P6_EDX | CPUID_CLFLUSH | CPUID_SSE | CPUID_SSE2,
	  .hypervisor = true },
	{ .name = "pentium3",
	  .help = "Pentium III: up to SSE",
	  .vendor = "GenuineIntel",
	  .signature = 0x68a,
	  .max_basic = 2,
	  .edx1 = P6_EDX | CPUID_SSE,
	  .hypervisor = true },
	{ .name = "pentium2",
	  .help = "Pentium II: MMX, no SSE",
	  .vendor = "GenuineIntel",
	  .signature = 0x652,
	  .max_basic = 2,
	  .edx1 = P6_EDX,
	  .hypervisor = true },
	{ .name = "pentium",
	  .help = "Pentium: CX8, TSC",
	  .vendor = "GenuineIntel",
	  .signature = 0x52c,
	  .max_basic = 1,
	  .edx1 = P5_EDX },
	{ .name = "486",
	  .help = "486DX4 with CPUID",
	  .vendor = "GenuineIntel",
	  .signature = 0x480,
	  .max_basic = 1,
	  .edx1 = CPUID_FPU },
};

const char *cpuid_model_name(unsigned i, const char **help)
{
	if (i >= ARRAY_LEN(models))
		return NULL;
	if (help)
		*help = models[i].help;
	return models[i].name;
}

/* Find the model whose name is the first LEN characters of NAME. */
static const struct cpu_model *find_model(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_LEN(models); i++)
		if (strlen(models[i].name) == len && !strncmp(models[i].name, name, len))
			return &models[i];
	return NULL;
}

static uint32_t *add(struct cpuid_table *t, uint32_t leaf, uint32_t sub, bool indexed)
{
	if (t->n == CPUID_MAX)
		t->n--; /* cannot happen: fewer leaves are added below */
	t->e[t->n] = (struct cpuid_entry){ .leaf = leaf, .sub = sub, .indexed = indexed };
	return t->e[t->n++].reg;
}

static void host_as_it_is(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	uint32_t max = (uint32_t)__get_cpuid_max(leaf & 0x80000000u, NULL);

	memset(r, 0, 16);
	if (leaf <= max)
		__cpuid_count(leaf, sub, r[A], r[B], r[C], r[D]);
}

static uint32_t host_xcr0(void)
{
	uint32_t lo, hi, r[4];

	host_as_it_is(1, 0, r);
	if (!(r[C] & CPUID_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

/* Can guests have AVX-512? What the monitor needs for it every processor has that is not a Xeon Phi; its
 * kernel must have enabled it, and the images of guests must fit. */
static bool host_has_avx512(void)
{
	const uint32_t needs = CPUID_AVX512F | CPUID_AVX512BW | CPUID_AVX512VL;
	uint32_t r[4];

	host_as_it_is(7, 0, r);
	if ((r[B] & needs) != needs || (host_xcr0() & XCR0_AVX512) != XCR0_AVX512)
		return false;
	host_as_it_is(0xd, 1, r);
	if (~r[A] & (CPUID_XSAVEC | CPUID_XGETBV1))
		return false;
	for (uint32_t i = AVX512_INDEX; i < AVX512_INDEX + 3; i++) {
		host_as_it_is(0xd, i, r);
		if (r[A] + r[B] > XSAVE_MOST_BYTES)
			return false;
	}
	return true;
}

/* What the host offers, AVX-512 only as a whole. */
static void host(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	host_as_it_is(leaf, sub, r);
	if (leaf == 7 && !sub && !host_has_avx512()) {
		r[B] &= ~(uint32_t)AVX512_EBX;
		r[C] &= ~(uint32_t)AVX512_ECX;
	}
}

static void put_vendor(uint32_t r[4], const char *v)
{
	memcpy(&r[B], v, 4);
	memcpy(&r[D], v + 4, 4);
	memcpy(&r[C], v + 8, 4);
}

/* State components that XCR0 may enable: x87, SSE, and AVX and AVX-512 where the model has them. */
static uint32_t xcr0_mask(const struct cpu_model *m)
{
	uint32_t r[4], mask = XCR0_X87 | XCR0_SSE;

	host(1, 0, r);
	if (r[C] & m->ecx1 & CPUID_AVX)
		mask |= XCR0_AVX;
	host(7, 0, r);
	if (mask & XCR0_AVX && r[B] & m->ebx7 & CPUID_AVX512F)
		mask |= XCR0_AVX512;
	return mask;
}

/* The host's; but of a processor that has AVX-512 the newest one of its vendor whose vector instructions are
 * all offered. Later ones have GFNI, VAES, VPCLMULQDQ and half-precision numbers, too, and programs that know
 * the processor by its signature alone would execute them. */
static uint32_t host_signature(const struct cpu_model *m)
{
	uint32_t r[4], is[4], has[4];

	host_as_it_is(7, 0, r);
	host(7, 0, has);
	host(0, 0, is);
	if (r[B] & CPUID_AVX512F && is[C] == signature_INTEL_ecx)
		return has[B] & m->ebx7 & CPUID_AVX512F ? SKYLAKE_SERVER : COMET_LAKE;
	if (r[B] & CPUID_AVX512F && is[C] == signature_AMD_ecx)
		return ZEN_2;
	host(1, 0, r);
	return r[A];
}

static void add_identity(struct cpuid_table *t, const struct cpu_model *m)
{
	uint32_t *r = add(t, 0, 0, false);

	host(0, 0, r);
	r[A] = r[A] < m->max_basic ? r[A] : m->max_basic;
	t->max_basic = r[A];
	if (m->vendor)
		put_vendor(r, m->vendor);
	r = add(t, 1, 0, false);
	host(1, 0, r);
	r[A] = m->signature ? m->signature : host_signature(m);
	r[B] = 1 << 16 | 8 << 8; /* one processor, 64-byte lines */
	r[C] = ((r[C] | OWN_ECX | ASKED_ECX | CPUID_PCID) & m->ecx1) | (m->hypervisor ? CPUID_HYPERVISOR : 0);
	r[D] = (r[D] | OWN_EDX) & m->edx1;
}

/* Deterministic caches of one core (SDM leaf 4): as the host's, not shared with other cores. */
static void add_caches(struct cpuid_table *t)
{
	for (uint32_t sub = 0; sub < 6; sub++) {
		uint32_t r[4];

		host(4, sub, r);
		r[A] &= 0x3fff;
		memcpy(add(t, 4, sub, true), r, 16);
		if (!(r[A] & 31))
			break;
	}
}

/* Extended topology: one thread, one core; EDX is the x2APIC id. */
static void add_topology(struct cpuid_table *t)
{
	enum { SMT = 1, CORE = 2 };
	const uint32_t level[][4] = { { 0, 1, SMT << 8 | 0, 0 }, { 0, 1, CORE << 8 | 1, 0 }, { 0, 0, 2, 0 } };

	for (unsigned sub = 0; sub < ARRAY_LEN(level); sub++)
		memcpy(add(t, 0xb, sub, true), level[sub], 16);
}

/* Images are the host's: guests' instructions write them. */
static void add_xsave(struct cpuid_table *t, const struct cpu_model *m)
{
	uint32_t mask = xcr0_mask(m), h[4], *r = add(t, 0xd, 0, true), *size = r + C;

	r[A] = mask;
	r[B] = XSAVE_MIN_BYTES; /* recomputed by cpuid_query() */
	r[C] = XSAVE_MIN_BYTES;
	host(0xd, 1, h);
	r = add(t, 0xd, 1, true);
	r[A] = h[A] & m->xsave1;
	r[B] = XSAVE_MIN_BYTES; /* likewise */
	for (uint32_t i = XSAVE_AVX_INDEX; i < AVX512_INDEX + 3; i++) {
		if (!(mask >> i & 1))
			continue;
		host(0xd, i, h);
		memcpy(add(t, 0xd, i, true), (const uint32_t[]){ h[A], h[B], 0, 0 }, 16);
		*size = h[A] + h[B] > *size ? h[A] + h[B] : *size;
	}
}

static void add_extended(struct cpuid_table *t, const struct cpu_model *m)
{
	bool svm = m->ext_ecx & CPUID_SVM;
	uint32_t *r, h[4], max;

	if (!m->max_ext)
		return;
	host(0x80000000, 0, h);
	max = h[A] < m->max_ext && !svm ? h[A] : m->max_ext;
	h[A] = max;
	if (m->vendor)
		put_vendor(h, m->vendor);
	if (!h[B] || m->vendor)
		h[B] = h[C] = h[D] = 0;
	memcpy(add(t, 0x80000000, 0, false), h, 16);
	r = add(t, 0x80000001, 0, false);
	host(0x80000001, 0, r);
	r[A] = m->signature ? m->signature : host_signature(m);
	r[B] = 0;
	r[C] = (r[C] | ASKED_EXT_ECX) & m->ext_ecx;
	if (r[D] & CPUID_FPU) /* AMD's copy of leaf 1 */
		r[D] |= OWN_EDX;
	r[D] = (r[D] | LONG_EXT_EDX) & m->ext_edx;
	for (uint32_t leaf = 0x80000002; leaf <= 0x80000006 && leaf <= max; leaf++)
		host(leaf, 0, add(t, leaf, 0, false));
	if (max >= 0x80000008)
		add(t, 0x80000008, 0, false)[A] =
		    (m->ext_edx & CPUID_LM ? LINEAR_64 : LINEAR_32) << 8 | MAXPHYADDR;
	if (svm)
		memcpy(add(t, 0x8000000a, 0, false), (const uint32_t[]){ SVM_REVISION, SVM_ASIDS, 0, m->svm },
		       16);
}

static void add_hypervisor(struct cpuid_table *t, uint32_t tsc_khz, uint32_t bus_khz)
{
	uint32_t *r = add(t, 0x40000000, 0, false);

	r[A] = 0x40000010;
	memcpy(&r[B], "VMwareVMware", 12);
	r = add(t, 0x40000010, 0, false);
	r[A] = tsc_khz;
	r[B] = bus_khz;
}

/* Is the host's processor free of the fault that its kernel calls NAME? */
static bool not_affected(const char *name)
{
	char path[80], line[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/vulnerabilities/%s", name);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = 0;
	fclose(f);
	return !strncmp(line, "Not affected", 12);
}

/* IA32_ARCH_CAPABILITIES (SDM vol. 4 table 2-2): what the guest need not guard against because the host's
 * processor is free of it. Without RDCL_NO, kernels isolate their page tables at each system call. */
static uint64_t arch_capabilities(void)
{
	return (not_affected("meltdown") ? 1u << 0 : 0u) | (not_affected("mds") ? 1u << 5 : 0u) |
	       (not_affected("tsx_async_abort") ? 1u << 8 : 0u);
}

static void build(struct cpuid_table *t, const struct cpu_model *m, uint32_t tsc_khz, uint32_t bus_khz)
{
	memset(t, 0, sizeof(*t));
	add_identity(t, m);
	t->arch_capabilities = arch_capabilities();
	if (t->max_basic >= 2)
		host(2, 0, add(t, 2, 0, false));
	if (t->max_basic >= 4)
		add_caches(t);
	if (t->max_basic >= 7) {
		uint32_t h[4];

		host(7, 0, h);
		memcpy(add(t, 7, 0, true),
		       (const uint32_t[]){ 0, (h[B] | LONG_EBX7) & m->ebx7, (h[C] | LONG_ECX7) & m->ecx7,
					   m->edx7 & (t->arch_capabilities ? CPUID_ARCH_CAPABILITIES : 0) },
		       16);
	}
	if (t->max_basic >= 0xb && (t->e[1].reg[C] & CPUID_X2APIC))
		add_topology(t);
	if (t->max_basic >= 0xd && (t->e[1].reg[C] & CPUID_XSAVE))
		add_xsave(t, m);
	add_extended(t, m);
	if (m->hypervisor)
		add_hypervisor(t, tsc_khz, bus_khz);
}

/* ---- names ---- */

/* The mask of M that has feature ROW; NULL: no model offers it. */
static uint32_t *mask_of(struct cpu_model *m, const struct feature_row *row)
{
	if (row->leaf == 1)
		return row->reg == D ? &m->edx1 : row->reg == C ? &m->ecx1 : NULL;
	if (row->leaf == 7)
		return row->reg == B ? &m->ebx7 : row->reg == C ? &m->ecx7 : &m->edx7;
	if (row->leaf == 0xd)
		return &m->xsave1;
	if (row->leaf == 0x8000000a)
		return &m->svm;
	return row->reg == D ? &m->ext_edx : &m->ext_ecx;
}

static bool has(struct cpu_model *m, unsigned f)
{
	const uint32_t *mask = mask_of(m, &feature_rows[f]);

	return mask && (*mask >> feature_rows[f].bit & 1);
}

static bool host_has(const struct feature_row *row)
{
	uint32_t r[4];

	host(row->leaf, row->sub, r);
	if (row->leaf == 1) {
		r[D] |= OWN_EDX;
		r[C] |= OWN_ECX | ASKED_ECX | CPUID_PCID;
	} else if (row->leaf == 7) {
		r[B] |= LONG_EBX7;
		r[C] |= LONG_ECX7;
		if (row->reg == D)
			r[D] = arch_capabilities() ? CPUID_ARCH_CAPABILITIES : 0;
	} else if (row->leaf == 0x80000001) {
		r[C] |= ASKED_EXT_ECX;
		r[D] |= LONG_EXT_EDX;
	} else if (row->leaf == 0x8000000a) {
		r[D] = SVM_EDX;
	}
	return r[row->reg] >> row->bit & 1;
}

/* Switch feature F, which some model offers. AMD's copy of leaf 1 follows it. */
static void set(struct cpu_model *m, unsigned f, bool on)
{
	const struct feature_row *row = &feature_rows[f];
	uint32_t bit = 1u << row->bit, *mask = mask_of(m, row);

	*mask = on ? *mask | bit : *mask & ~bit;
	if (mask == &m->edx1 && (bit & EXT_EDX_COPY) && m->max_ext)
		m->ext_edx = on ? m->ext_edx | bit : m->ext_edx & ~bit;
	if (on && row->leaf < 0x80000000u && m->max_basic < row->leaf)
		m->max_basic = row->leaf;
	if (on && f == FEATURE_XSAVE && m->max_basic < 0xd) /* the leaf that describes it */
		m->max_basic = 0xd;
	if (on && row->leaf > m->max_ext && row->leaf >= 0x80000000u)
		m->max_ext = row->leaf;
	if (on && f == FEATURE_SVM) /* the leaf that describes it */
		m->max_ext = 0x8000000a;
}

/* Add F and what it builds on; or remove F and what builds on it. */
static void apply(struct cpu_model *m, unsigned f, bool on)
{
	bool gone[FEATURES + 1] = { 0 };

	for (; on && f != FEATURE_NONE; f = feature_rows[f].needs)
		set(m, f, true);
	if (on)
		return;
	gone[f] = true;
	for (unsigned i = f; i < FEATURES; i++) { /* a row is below what it needs */
		gone[i] |= gone[feature_rows[i].needs];
		if (gone[i] && has(m, i))
			set(m, i, false);
	}
}

static const char *const vmx_names[] = {
	[CPUID_VMX_EARLY] = "early",
	[CPUID_VMX_NEHALEM] = "nehalem",
	[CPUID_VMX_HASWELL] = "haswell",
	[CPUID_VMX_ALL] = "all",
};

/* The item "vmx=GENERATION". False: it is none. */
static bool vmx_item(struct cpu_model *m, const char *item, size_t len)
{
	for (unsigned i = 0; i < ARRAY_LEN(vmx_names); i++)
		if (len == 4 + strlen(vmx_names[i]) && !strncmp(item, "vmx=", 4) &&
		    !strncmp(item + 4, vmx_names[i], len - 4)) {
			m->vmx = (enum cpuid_vmx)i;
			apply(m, FEATURE_VMX, true);
			return true;
		}
	return false;
}

/* Take 64-bit mode from M, and what comes with it. */
static void strip_long(struct cpu_model *m)
{
	m->ecx1 &= ~(uint32_t)LONG_ECX1;
	m->ebx7 &= ~(uint32_t)LONG_EBX7;
	m->ecx7 &= ~(uint32_t)LONG_ECX7;
	m->ext_edx &= ~(uint32_t)LONG_EXT_EDX;
}

/* Do the ITEMS of a model's name, each behind a comma, ask for 64-bit mode? */
static bool asks_long(const char *items)
{
	for (const char *at = items; (at = strstr(at, ",+")); at++)
		if (!strncasecmp(at, ",+lm", 4) && (!at[4] || at[4] == ','))
			return true;
	return false;
}

/* One item, "+NAME" or "-NAME", of LEN characters. */
static bool feature_item(struct cpu_model *m, const char *item, size_t len, char *err, size_t errlen)
{
	struct cpu_model max = *find_model("max", 3);
	char name[32];
	unsigned f;

	snprintf(name, sizeof(name), "%.*s", (int)(len ? len - 1 : 0), item + 1);
	max.ecx1 |= ASKED_ECX;
	max.ext_ecx |= ASKED_EXT_ECX;
	max.svm = SVM_EDX;
	if (!(m->ext_edx & CPUID_LM))
		strip_long(&max);
	f = len > 1 && len < sizeof(name) && (*item == '+' || *item == '-') ? feature_find(name)
									    : FEATURE_NONE;
	if (f == FEATURE_NONE && vmx_item(m, item, len))
		return true;
	if (f == FEATURE_NONE) {
		snprintf(err, errlen, "CPU model: \"%.*s\" is not + or - and a feature", (int)len, item);
		return false;
	}
	for (unsigned g = f; *item == '+' && g != FEATURE_NONE; g = feature_rows[g].needs)
		if (!has(&max, g) || !host_has(&feature_rows[g])) {
			snprintf(err, errlen, "CPU model: this host cannot offer %s", name);
			return false;
		}
	if (mask_of(m, &feature_rows[f]))
		apply(m, f, *item == '+');
	return true;
}

/* Says which there are; false. */
static bool no_model(const char *name, size_t len, char *err, size_t errlen)
{
	size_t at = snprintf(err, errlen, "no CPU model \"%.*s\"; choose from", (int)len, name);
	const char *help, *model;

	for (unsigned i = 0; at < errlen && (model = cpuid_model_name(i, &help)); i++)
		at += snprintf(err + at, errlen - at, " %s", model);
	return false;
}

bool cpuid_build(struct cpuid_table *t, const char *name, uint32_t tsc_khz, uint32_t bus_khz, char *err,
		 size_t errlen)
{
	const struct cpu_model *base;
	struct cpu_model m;
	bool wants_long;
	size_t len;

	name = name ? name : "host";
	len = strcspn(name, ",");
	base = find_model(name, len);
	if (!base)
		return no_model(name, len, err, errlen);
	m = *base;
	m.svm = SVM_EDX;
	wants_long = asks_long(name + len);
	if (wants_long) {
		if (!(base->ext_edx & CPUID_LM)) {
			snprintf(err, errlen, "CPU model: %s has no 64-bit mode", base->name);
			return false;
		}
	} else if (!base->lm) {
		strip_long(&m);
	}
	for (name += len; *name; name += len) {
		len = strcspn(++name, ",");
		if (!feature_item(&m, name, len, err, errlen))
			return false;
	}
	if (m.ecx1 & CPUID_VMX && m.ext_ecx & CPUID_SVM) {
		snprintf(err, errlen, "CPU model: no processor has both VMX and SVM");
		return false;
	}
	if (!(m.ext_edx & CPUID_LM))
		strip_long(&m);
	build(t, &m, tsc_khz, bus_khz);
	t->vmx = m.vmx;
	return true;
}

enum cpuid_vmx cpuid_vmx(const char *name)
{
	struct cpuid_table t;
	char err[128];

	return cpuid_build(&t, name, 1, 1, err, sizeof(err)) ? t.vmx : CPUID_VMX_EARLY;
}

struct apic_caps cpuid_apic(const struct cpuid_table *t)
{
	const uint32_t *leaf1 = t->e[1].reg;

	return (struct apic_caps){ .present = leaf1[D] & CPUID_APIC,
				   .x2apic = leaf1[C] & CPUID_X2APIC,
				   .deadline = leaf1[C] & CPUID_TSC_DEADLINE };
}
