/* SPDX-License-Identifier: GPL-3.0-or-later
 * Random control blocks. fuzz.c makes the guest and its nested mappings, each back end the control block.
 * What the guest could rightly do to the hypervisor is kept from it: machine memory other than its own, ports
 * and MSRs that end the machine or change the host, waiting for ever. */
#ifndef HYPER_FUZZ_H
#define HYPER_FUZZ_H
#include "guests/hyper/hyper.h"

#define SCRATCH_PAGES 8
extern u8 scratch[SCRATCH_PAGES * 4096]; /* what control blocks may point at */

u32 below(u32 n);
bool one_in(u32 n);
u32 odd_value(void); /* a number that is at a limit of something, or any */
u64 some_page(void); /* the physical address of a page that the guest may have, or of none */
u32 scratch_page(void);
void protect_ports(u8 *map); /* bits of a permission map for ports */

/* fuzz_vmx.c, fuzz_svm.c: change a control block that be->reset() made for M. */
void fuzz_vmx(enum mode m);
void fuzz_svm(enum mode m);
void fuzz_vmx_entry(u32 page, enum mode m); /* a random entry for a guest-physical page */
void fuzz_svm_entry(u32 page, enum mode m);
/* Print the control block, for a round that is run alone. */
void fuzz_vmx_show(void);
void fuzz_svm_show(void);
#endif
