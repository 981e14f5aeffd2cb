/* SPDX-License-Identifier: GPL-3.0-or-later
 * Architectural state of one processor (Intel SDM vol. 3A ch. 2-6). The
 * translator bakes offsets of this struct into its code; it asserts them.
 *
 * Flags are stored in three places so that translated code can keep the
 * arithmetic ones in the host's flags and test IF without touching any:
 * read and write them through cpu_eflags() and cpu_set_eflags(). */
#ifndef X86_CPU_H
#define X86_CPU_H
#include "x86/exceptions.h"
#include "x86/xsave.h"

enum { R_EAX, R_ECX, R_EDX, R_EBX, R_ESP, R_EBP, R_ESI, R_EDI };
enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

/* Bits of EFLAGS (FL_), CR0, CR4, EFER, XCR0, DR6, DR7 and MXCSR, by x86/regflags.def. */
enum {
#define FLAG(reg, prefix, id, first, last, name) prefix##_##id = ((2u << (last - first)) - 1) << first,
#include "x86/regflags.def"
#undef FLAG
	FL_IOPL_SHIFT = 12,
	FL_ARITH = FL_CF | FL_PF | FL_AF | FL_ZF | FL_SF | FL_OF,
	FL_HOST = FL_ARITH | FL_DF, /* live in the host's flags while in the TC */
	FL_SYS = FL_TF | FL_IOPL | FL_NT | FL_RF | FL_VM | FL_AC | FL_VIF | FL_VIP | FL_ID,
	DR6_BP = DR6_B0 | DR6_B1 | DR6_B2 | DR6_B3,
	DR7_ON = DR7_L0 | DR7_G0 | DR7_L1 | DR7_G1 | DR7_L2 | DR7_G2 | DR7_L3 | DR7_G3,
	XCR0_AVX512 = XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM,
	DR7_LOCAL = DR7_L0 | DR7_L1 | DR7_L2 | DR7_L3 | DR7_LE,
};
#define DR6_INIT 0xffff0ff0u /* the bits that read as 1 */
#define DR7_INIT 0x400u

/* Segment attributes: descriptor bytes 5 and 6 as the VMCS stores access
 * rights (SDM vol. 3C 25.4.1). */
enum {
	SA_TYPE = 0xf,
	SA_A = 1,
	SA_RW = 2 /* data: writable, code: readable */,
	SA_EC = 4 /* data: expand down, code: conforming */,
	SA_CODE = 8,
	SA_S = 0x10,
	SA_DPL = 0x60,
	SA_P = 0x80,
	SA_AVL = 0x1000,
	SA_L = 0x2000,
	SA_DB = 0x4000,
	SA_G = 0x8000,
	SA_UNUSABLE = 0x100,   /* no bit of a descriptor's */
	AR_UNUSABLE = 0x10000, /* the same in a VMCS */
};
#define SA_DPL_SHIFT 5

/* Interrupts are held off behind STI; they and debug traps behind MOV SS and POP SS (SDM vol. 3A 6.8.3). As
 * VMX encodes interruptibility. */
enum { SHADOW_STI = 1, SHADOW_SS = 2 };

struct seg_cache {
	uint64_t base;	/* 4 GiB and more: FS, GS, LDTR and TR in IA-32e mode alone */
	uint32_t limit; /* in bytes, inclusive, already scaled by G */
	uint16_t attr;	/* SA_* */
	uint16_t sel;
};

/* The limit stands in front of the base: translated 32-bit code compares both by one load. */
struct dt_reg {
	uint32_t pad;
	uint32_t limit; /* 16 bits used */
	uint64_t base;
};

/* An exception that a semantic function has raised and not yet delivered. */
struct exc {
	uint8_t vector;
	bool has_err;
	bool rf; /* push RF as set, as for a fault: an instruction breakpoint */
	uint32_t err;
	uint64_t cr2; /* valid for #PF; written to CR2 at delivery */
};

struct cpu {
	uint64_t gpr[16];  /* 32-bit guests: low halves of the first eight */
	uint64_t rip;	   /* EIP: offset in CS, not linear */
	uint32_t flags;	   /* FL_HOST bits and FL_ONE only */
	uint32_t sysflags; /* FL_SYS bits only */
	uint8_t intf;	   /* EFLAGS.IF, 0 or 1 */
	uint8_t shadow;	   /* SHADOW_*: what is held off until the next instruction is complete */
	uint8_t cpl;	   /* 0..3; 3 in virtual-8086 mode */
	uint8_t halted;	   /* HLT executed, waiting for an interrupt */
	uint8_t nmi_blocked;
	uint8_t nmi_pending;
	struct seg_cache seg[SEG_COUNT];
	struct seg_cache ldtr, tr;
	struct dt_reg gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4;
	uint64_t dr[8];
	uint64_t efer, xcr0;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base;
	uint64_t pat, apic_base, tsc_aux, misc_enable;
	uint64_t mtrr_def;
	uint64_t tsc_offset; /* guest TSC = host TSC (icount clock: VM time) + this, mod 2^64 */
	uint32_t a20_mask;   /* 0xffffffff, or with bit 20 clear when A20 is off */
	struct exc exc;
	union {
		uint8_t fpu[4096] __attribute__((aligned(64)));
		struct xsave_image xsave; /* the parts that are used */
		struct {
			uint8_t pad[1024];
			struct avx512_image avx512;
		};
	};
};

/* Attributes and the access rights of a VMCS. */
static inline uint32_t seg_rights(const struct seg_cache *s)
{
	return (s->attr & ~(uint32_t)SA_UNUSABLE) | (s->attr & SA_UNUSABLE ? AR_UNUSABLE : 0u);
}
static inline uint16_t rights_attr(uint32_t rights)
{
	return (uint16_t)((rights & 0xf0ff) | (rights & AR_UNUSABLE ? SA_UNUSABLE : 0u));
}

static inline uint32_t cpu_eflags(const struct cpu *c)
{
	return c->flags | FL_ONE | c->sysflags | (c->intf ? FL_IF : 0);
}

/* The kind of the guest's own breakpoint N (DR0 to DR3), from DR7 (SDM vol. 3B 18.2.4). */
enum cpu_dr_kind { DR_OFF = -1, DR_CODE, DR_WRITE, DR_IO, DR_ACCESS };
static inline enum cpu_dr_kind cpu_dr_kind(uint64_t dr7, unsigned n)
{
	return dr7 >> 2 * n & 3 ? (enum cpu_dr_kind)(dr7 >> (16 + 4 * n) & 3) : DR_OFF;
}

static inline bool cpu_dr_on_code(const struct cpu *c)
{
	for (unsigned n = 0; n < 4 && c->dr[7] & 0xff; n++)
		if (cpu_dr_kind(c->dr[7], n) == DR_CODE)
			return true;
	return false;
}

/* RF suppresses the guest's own code breakpoints for one instruction: while there are none it is not stored.
 * Faults push it as set (cpu/interrupt.c). */
static inline void cpu_set_eflags(struct cpu *c, uint32_t f)
{
	c->flags = (f & FL_HOST) | FL_ONE;
	c->sysflags = f & FL_SYS;
	if (f & FL_RF && !cpu_dr_on_code(c))
		c->sysflags &= ~(uint32_t)FL_RF;
	c->intf = !!(f & FL_IF);
}

static inline bool cpu_long(const struct cpu *c) /* IA-32e mode: 64-bit code or compatibility mode */
{
	return c->efer & EFER_LMA;
}
static inline bool cpu_64(const struct cpu *c)
{
	return cpu_long(c) && (c->seg[SEG_CS].attr & SA_L);
}
static inline bool cpu_canonical(uint64_t a) /* 48-bit linear addresses */
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}
static inline bool cpu_pe(const struct cpu *c)
{
	return c->cr0 & CR0_PE;
}
static inline bool cpu_v86(const struct cpu *c)
{
	return c->sysflags & FL_VM;
}
static inline uint64_t cpu_pc(const struct cpu *c) /* linear address of the next instruction */
{
	return cpu_64(c) ? c->rip : (uint32_t)(c->seg[SEG_CS].base + c->rip);
}

/* Record exception VEC. Return -1, for "return cpu_raise(...)". */
static inline int cpu_raise(struct cpu *c, int vec)
{
	c->exc = (struct exc){ .vector = (uint8_t)vec };
	return -1;
}
static inline int cpu_raise_err(struct cpu *c, int vec, uint32_t err)
{
	c->exc = (struct exc){ .vector = (uint8_t)vec, .has_err = true, .err = err };
	return -1;
}

/* Set C to the state after RESET (SDM vol. 3A table 10-1): real mode, CS:IP = F000:FFF0 with CS.base
 * FFFF0000. The TSC offset is kept. */
void cpu_reset(struct cpu *c);
#endif
