/* SPDX-License-Identifier: GPL-3.0-or-later
 * Is a state one that the processor can be in? Asked before a state from outside is used (SDM vol. 3A 2.2
 * to 2.5, 20.3.1). */
#include "x86/model.h"

bool cpu_has_long_mode(const struct platform *p, const struct cpu *c)
{
	return !p->cpuid || (cpu_efer_allowed(p, c) & EFER_LME);
}

/* Registers keep their upper halves in 32-bit code of a 64-bit processor, but RIP has none there. */
static const char *refused_general(const struct platform *p, const struct cpu *c)
{
	uint64_t high = 0;

	for (unsigned i = 0; i < ARRAY_LEN(c->gpr); i++)
		high |= i < 8 ? c->gpr[i] >> 32 : c->gpr[i];
	if (high && !cpu_has_long_mode(p, c))
		return "this processor has no 64-bit registers";
	if (cpu_64(c) ? !cpu_canonical(c->rip) : c->rip >> 32 != 0)
		return cpu_64(c) ? "RIP is not canonical" : "this is not 64-bit mode: EIP has 32 bits";
	if ((c->flags & ~(uint32_t)(FL_HOST | FL_ONE)) || (c->sysflags & ~(uint32_t)FL_SYS))
		return "reserved bits of EFLAGS cannot be set";
	return NULL;
}

static bool is_avx512(uint64_t xcr0)
{
	return (xcr0 & XCR0_AVX512) == XCR0_AVX512 && (xcr0 & XCR0_AVX);
}

static const char *refused_fpu(const struct platform *p, const struct cpu *c)
{
	const struct avx512_image *w = &c->avx512;
	uint64_t reserved = c->xsave.xcomp_bv;
	uint32_t leaf[4] = { XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 };

	for (unsigned i = 0; i < ARRAY_LEN(c->xsave.reserved); i++)
		reserved |= c->xsave.reserved[i] | w->reserved[i];
	if (p->cpuid)
		p->cpuid(p->ctx, c, 0xd, 0, leaf);
	if (w->xstate_bv & ~(uint64_t)leaf[0] ||
	    (w->xcomp_bv ? w->xcomp_bv != AVX512_XCOMP : w->xstate_bv != 0) ||
	    (w->xstate_bv & ~(uint64_t)XCR0_AVX512))
		return "the processor cannot have this AVX-512 state";
	if (reserved || (c->xsave.xstate_bv & ~(uint64_t)(XCR0_X87 | XCR0_SSE | XCR0_AVX)))
		return "reserved bits of the XSAVE header cannot be set";
	if (c->xsave.mxcsr & ~(uint32_t)MXCSR_VALID)
		return "reserved bits of MXCSR cannot be set";
	if ((c->xcr0 & ~(uint64_t)(XCR0_SSE | XCR0_AVX | XCR0_AVX512)) != XCR0_X87 ||
	    (c->xcr0 & (XCR0_SSE | XCR0_AVX)) == XCR0_AVX ||
	    (c->xcr0 & XCR0_AVX512 && (!is_avx512(c->xcr0) || (leaf[0] & XCR0_AVX512) != XCR0_AVX512)))
		return "XCR0 cannot have this value";
	return NULL;
}

static const char *refused_control(const struct platform *p, const struct cpu *c)
{
	uint32_t all4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
			CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP |
			CR4_VMXE | CR4_FSGSBASE | CR4_PCIDE;

	if (c->cr0 & ~(uint32_t)CR0_VALID)
		return "reserved bits of CR0 cannot be set";
	if ((c->cr0 & CR0_PG) && !(c->cr0 & CR0_PE))
		return "CR0.PG cannot be set without PE";
	if ((c->cr0 & CR0_NW) && !(c->cr0 & CR0_CD))
		return "CR0.NW cannot be set without CD";
	if ((c->cr4 & ~all4) || (p->cpuid && cpu_cr4_allowed(p, c, c->cr4) != c->cr4))
		return "CR4 has bits that this processor does not offer";
	if ((c->efer & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME)) ||
	    (p->cpuid && (c->efer & ~(cpu_efer_allowed(p, c) | (cpu_has_long_mode(p, c) ? EFER_LMA : 0u)))))
		return "EFER has bits that this processor does not offer";
	if (!(c->efer & EFER_LMA) != !(c->efer & EFER_LME && c->cr0 & CR0_PG))
		return "EFER.LMA is set with LME and CR0.PG, and only then";
	if ((c->efer & EFER_LMA) && !(c->cr4 & CR4_PAE))
		return "IA-32e mode needs CR4.PAE";
	if (c->cr4 & CR4_PCIDE && !(c->efer & EFER_LMA))
		return "CR4.PCIDE needs IA-32e mode";
	if ((c->a20_mask | 1u << 20) != ~0u)
		return "the A20 mask has one bit";
	return NULL;
}

/* In virtual-8086 mode a segment register is its selector and nothing else. */
static bool is_v86_segment(const struct seg_cache *s)
{
	return s->base == (uint32_t)s->sel << 4 && s->limit == 0xffff;
}

static const char *refused_segments(const struct platform *p, const struct cpu *c)
{
	uint32_t attr = 0;

	for (unsigned i = 0; i < SEG_COUNT; i++) {
		attr |= c->seg[i].attr;
		if (cpu_v86(c) && !is_v86_segment(&c->seg[i]))
			return "virtual-8086 mode fixes base and limit of segments";
	}
	if (attr & SA_L && !cpu_has_long_mode(p, c))
		return "this processor has no 64-bit code segments";
	if (cpu_64(c) && c->seg[SEG_CS].attr & SA_DB)
		return "CS cannot have both L and D";
	if (cpu_long(c) && cpu_v86(c))
		return "IA-32e mode has no virtual-8086 mode";
	if ((c->seg[SEG_CS].attr | (cpu_long(c) ? 0 : c->seg[SEG_SS].attr)) & SA_UNUSABLE)
		return "CS and SS cannot be unusable";
	if (c->cpl > 3 || (!cpu_pe(c) && c->cpl) || (cpu_v86(c) && (c->cpl != 3 || !cpu_pe(c))))
		return "the mode does not agree with the privilege level";
	return NULL;
}

const char *cpu_refused(const struct platform *p, const struct cpu *c)
{
	const char *why = refused_general(p, c);

	if (!why)
		why = refused_fpu(p, c);
	if (!why)
		why = refused_control(p, c);
	return why ? why : refused_segments(p, c);
}
