/* SPDX-License-Identifier: GPL-3.0-or-later
 * Selectors and descriptors: how their fields are coded (SDM vol. 3A 3.4.2, 3.4.5, 6.11). What loading one
 * checks is in cpu/. */
#ifndef X86_DESCRIPTOR_H
#define X86_DESCRIPTOR_H
#include "x86/cpu.h"

enum { SEL_RPL = 3, SEL_TI = 4 /* in the LDT */, SEL_INDEX = 0xfff8 };

static inline bool sel_null(uint16_t sel)
{
	return !(sel & (SEL_INDEX | SEL_TI));
}

/* The eight bytes, what a system descriptor of IA-32e mode has beside them, and where they were read (linear
 * address). */
struct desc {
	uint32_t lo, hi;
	uint32_t upper; /* of the base or the offset */
	uint64_t at;
};

/* Bits of desc.hi. */
enum {
	D_A = 1 << 8,
	D_RW = 1 << 9,
	D_EC = 1 << 10,
	D_CODE = 1 << 11,
	D_S = 1 << 12,
	D_P = 1 << 15,
	D_L = 1 << 21,
	D_DB = 1 << 22,
	D_G = 1 << 23,
	D_BUSY = 1 << 9, /* TSS */
	GATE_IST = 7,	 /* interrupt gates of IA-32e mode: entry of the interrupt stack table */
};

/* Descriptor types with S as bit 4; system descriptors are below 16. */
enum {
#define SYSDESC(type, id, what, name) DT_##id = type,
#include "x86/descriptors.def"
#undef SYSDESC
	DT_32BIT = 8, /* the bit that tells each pair apart */
};

static inline struct desc desc_of(uint64_t raw)
{
	return (struct desc){ .lo = (uint32_t)raw, .hi = (uint32_t)(raw >> 32) };
}
static inline unsigned desc_type(const struct desc *d)
{
	return d->hi >> 8 & 0x1f;
}
static inline unsigned desc_dpl(const struct desc *d)
{
	return d->hi >> 13 & 3;
}
static inline bool desc_present(const struct desc *d)
{
	return d->hi & D_P;
}
static inline bool desc_code(const struct desc *d)
{
	return (d->hi & (D_S | D_CODE)) == (D_S | D_CODE);
}
static inline bool desc_conforming(const struct desc *d) /* of a code segment */
{
	return d->hi & D_EC;
}
static inline bool desc_wdata(const struct desc *d)
{
	return (d->hi & (D_S | D_CODE | D_RW)) == (D_S | D_RW);
}
static inline bool desc_tss_free(const struct desc *d)
{
	return (desc_type(d) & ~DT_32BIT) == DT_TSS16;
}
static inline bool desc_tss_busy(const struct desc *d)
{
	return (desc_type(d) & ~DT_32BIT) == DT_TSS16_BUSY;
}

static inline uint32_t desc_base(const struct desc *d)
{
	return d->lo >> 16 | (d->hi & 0xff) << 16 | (d->hi & 0xff000000);
}

static inline uint64_t desc_base64(const struct desc *d) /* with the upper part of a system descriptor */
{
	return (uint64_t)d->upper << 32 | desc_base(d);
}

static inline uint32_t desc_limit(const struct desc *d)
{
	uint32_t limit = (d->lo & 0xffff) | (d->hi & 0xf0000);

	return d->hi & D_G ? limit << 12 | 0xfff : limit;
}

/* What a gate leads to. */
static inline uint16_t gate_selector(const struct desc *d)
{
	return (uint16_t)(d->lo >> 16);
}
static inline uint32_t gate_offset(const struct desc *d)
{
	return (d->hi & 0xffff0000) | (d->lo & 0xffff);
}

static inline uint64_t gate_offset64(const struct desc *d)
{
	return (uint64_t)d->upper << 32 | gate_offset(d);
}

static inline void desc_cache(const struct desc *d, uint16_t sel, struct seg_cache *s)
{
	*s = (struct seg_cache){
		.base = desc_base(d),
		.limit = desc_limit(d),
		.attr = d->hi >> 8 & 0xf0ff,
		.sel = sel,
	};
}

bool desc_is_gate(const struct desc *d);
/* Write the kind in words: "32-bit data writable", "LDT". IA32E: as in IA-32e mode, "64-bit code readable".
 */
void desc_type_text(const struct desc *d, bool ia32e, char *buf, size_t len);
#endif
