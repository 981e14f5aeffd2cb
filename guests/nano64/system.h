/* SPDX-License-Identifier: GPL-3.0-or-later
 * Interface between the kernel's items and its handlers. */
#ifndef NANO64_SYSTEM_H
#define NANO64_SYSTEM_H

#define SYSCALL_INT 0x80
#define KERNEL_INT 0x81 /* from the kernel to itself */
#define LEAVE_INT 0x82	/* user mode is finished */
#define USER_STACK_HERE 0x7ff000

#ifndef __ASSEMBLER__
/* entry.S: handlers */
void nano_iret(void), nano_skip(void), nano_fault_skip(void), nano_fault_fill(void), nano_tick(void);
void nano_sysret(void), nano_sysret_swapgs(void), nano_leave(void);
void nano_user(void (*entry)(void), unsigned n);
/* user.S */
void user_loop(void), user_int(void), user_syscall(void);

/* system.c */
void nano_system_init(void);
#endif
#endif
