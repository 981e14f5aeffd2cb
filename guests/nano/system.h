/* SPDX-License-Identifier: GPL-3.0-or-later
 * Interface between the kernel's items and its handlers. */
#ifndef NANO_SYSTEM_H
#define NANO_SYSTEM_H

#define SYSCALL_INT 0x80
#define KERNEL_INT 0x81 /* from the kernel to itself */
#define LEAVE_INT 0x82	/* user mode is finished */

#ifndef __ASSEMBLER__
#include "guests/nano/nano.h"

/* entry.S: handlers */
void nano_iret(void), nano_skip(void), nano_fault_skip(void), nano_fault_fill(void), nano_tick(void);
void nano_sysexit(void), nano_leave(void);
void nano_user(void (*entry)(void), u32 n);
/* user.S */
void user_loop(void), user_int(void), user_sysenter(void);

/* system.c */
extern const struct nano_item nano_system_items[];
extern const u32 nano_system_count;
void nano_system_init(void);
#endif
#endif
