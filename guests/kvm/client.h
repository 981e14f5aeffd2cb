/* SPDX-License-Identifier: GPL-3.0-or-later
 * A KVM client: boots a Multiboot kernel or a bzImage on one virtual CPU, with a serial port on standard
 * output. A static i386 program without a C library, for use inside a guest whose kernel has KVM.
 *
 *   kvm [-m MEGABYTES] [-i INITRD] KERNEL [WORD...]    WORDs are the command line
 *
 * The exit status is the guest's: what it writes to port 0xf4; 0 when it powers off or resets. */
#ifndef KVM_CLIENT_H
#define KVM_CLIENT_H
#include "bench/traffic.h"
#include <stdbool.h>
#include <linux/kvm.h>

typedef unsigned short u16;

enum { SYS_open = 5, SYS_ioctl = 54, SYS_lseek = 19, SYS_sigaction = 67, SYS_setitimer = 104 };

struct client {
	long kvm, vm, cpu;
	struct kvm_run *run;
	u8 *memory;
	u32 bytes;
	int status; /* -1 while the guest runs */
};

/* boot.c: load the kernel and set the registers; a complaint, or NULL. */
const char *boot(struct client *c, const char *kernel, const char *initrd, const char *cmdline);

/* ports.c */
void port_io(struct client *c, bool out, u16 port, u32 size, u8 *data);

/* main.c */
long kvm_call(long fd, u32 request, void *argument); /* ioctl */
void irq_line(struct client *c, u32 line, u32 level);
u8 *read_file(const char *path, u32 *bytes); /* mapped; NULL when it cannot be read */
void copy(void *to, const void *from, u32 n);
void fill(void *to, u8 with, u32 n);
#endif
