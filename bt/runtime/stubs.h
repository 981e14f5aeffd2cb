/* SPDX-License-Identifier: GPL-3.0-or-later
 * Entry stubs: the passages between C and translated code. */
#ifndef BT_RUNTIME_STUBS_H
#define BT_RUNTIME_STUBS_H
#include "bt/state/vcpu.h"

void stub_init(struct bt_vcpu *b);
/* Run translated code at HOST until it is left. */
void stub_enter(struct bt_vcpu *b, uint64_t host);
/* Ranges in which a signal must poison r12 to be noticed. */
extern const uint8_t stub_reload[], stub_reload_end[], stub_syscall[], stub_syscall_end[];
/* Where the fault handler sends a thread whose guest state it has stored. */
void stub_resume(void);
/* Values of stubs.syscall[]: SYSENTER and SYSEXIT replayed from memo.syscall[], else by stubs.callout. */
void stub_enter_kernel(void);
void stub_long_enter(void);
void stub_long_leave(void);
void stub_leave_kernel(void);
/* Values of stubs.callout and stubs.callout_fpu: plain, or timed. */
void stub_callout(void);
void stub_callout_fpu(void);
void stub_callout_timed(void);
void stub_callout_fpu_timed(void);
/* Values of stubs.long_*: each leads to the stub of 32-bit code that is in use. */
void stub_long_callout(void);
void stub_long_callout_fpu(void);
void stub_long_exit(void);
#endif
