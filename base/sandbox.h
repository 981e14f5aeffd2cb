/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which system calls each thread may make once the machine is set up (seccomp). The table is sandbox.def.
 *
 * What the vCPU's thread may not do ends the process with one line: guest data reach that thread first, it
 * runs only code of ours, and a call that the table does not have means that it no longer does. On the main
 * thread such a call fails with EPERM instead, as libraries try calls that they can do without, and what
 * needed it says so (likewise on a network's thread, for libslirp); except for calls that no library of ours
 * makes (execve, ptrace...), which end the process there too. */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H
#include <stdbool.h>
#include <stddef.h>

enum sandbox_role {
	SANDBOX_MAIN = 1,      /* front ends, sockets, symbols, run control */
	SANDBOX_VCPU = 2,      /* the engine and the devices */
	SANDBOX_LINK = 8,      /* a network's thread: frames */
	SANDBOX_NET = 16,      /* one that makes connections, too: libslirp, a hub */
	SANDBOX_DRIVE = 32,    /* a drive's: transfers on descriptors that are open */
	SANDBOX_ALARM = 64,    /* the one that announces deadlines to the vCPU */
	SANDBOX_HELPER = 4,    /* the process that runs the assembler: anything but what no helper needs */
	SANDBOX_HOST = 128,    /* a host's main thread; beside SANDBOX_MAIN */
	SANDBOX_STARTER = 256, /* the process that starts a host's VMs, and those VMs: likewise */
};

/* Why this build has no sandbox (its instrumentation makes calls of its own); NULL: it has. */
const char *sandbox_missing(void);
/* Do what must be done once, before the first thread: nothing that the process executes gets more rights, and
 * a call that ends the process is reported on what is standard error now. */
void sandbox_prepare(void);
/* Write a line about the end of the process where forbidden calls are reported. For signal handlers. */
void sandbox_report(const char *line, size_t n);
/* Restrict the calling thread, for ever, to the calls of ROLE (or of several); its children inherit that.
 * False with one line in ERR. Without effect where sandbox_missing() is not NULL. */
bool sandbox_enter(enum sandbox_role role, char *err, size_t errlen);
#endif
