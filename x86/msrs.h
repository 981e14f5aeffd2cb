/* SPDX-License-Identifier: GPL-3.0-or-later
 * Numbers of the model-specific registers, from x86/msrs.def. */
#ifndef X86_MSRS_H
#define X86_MSRS_H

enum {
#define MSR(id, first, last, where, init, name) MSR_##id = first, MSR_##id##_LAST = last,
#include "x86/msrs.def"
#undef MSR
};

/* IA32_APIC_BASE (SDM vol. 3A 11.4.4, 11.12.1). */
#define APIC_BASE_BSP 0x100u
#define APIC_BASE_X2APIC 0x400u
#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_ADDR 0xffffff000ull
#endif
