/* SPDX-License-Identifier: GPL-3.0-or-later
 * IA-32e mode behind cpu/system.h: 64-bit code, and the compatibility mode beside it, whose interrupts, far
 * transfers and system descriptors are those of IA-32e mode too (SDM vol. 3A 2.2, 3.5.2, 5.8, 6.14). Same
 * contract as cpu/system.h. */
#ifndef CPU_LONG_INT_H
#define CPU_LONG_INT_H
#include "cpu/cpu_int.h"

/* A code segment is entered at RIP: L and D are not both set, and RIP is canonical (64-bit code) or inside
 * the limit. 0, or -1 with #GP. */
int long_check_target(struct cpu *c, const struct desc *cs, uint16_t sel, uint64_t rip, unsigned ext);
/* Read the upper half of a system descriptor of 16 bytes into D: the upper half of its base. */
int long_fetch_upper(struct vcpu *v, uint16_t sel, struct desc *d, int vec, unsigned ext);
/* The contents of an LDTR or TR from such a descriptor. */
void long_desc_cache(const struct desc *d, uint16_t sel, struct seg_cache *s);

/* Deliver through the IDT. */
int long_deliver(struct vcpu *v, const struct event *e);
int long_iret(struct vcpu *v, unsigned op);
/* Far CALL or JMP through call gate GATE, which is at SEL; NEXT: the return address. */
int long_call_gate(struct vcpu *v, uint16_t sel, const struct desc *gate, bool call, uint64_t next);
int long_ret_far(struct vcpu *v, unsigned op, unsigned imm);
/* Far CALL or JMP to code segment D at SEL. */
int long_far_code(struct vcpu *v, uint16_t sel, struct desc *d, uint64_t off, unsigned op, bool call,
		  uint64_t next);
#endif
