/* SPDX-License-Identifier: GPL-3.0-or-later
 * The end of a process whose vCPU thread faulted outside translated code, or where no fault is expected in
 * it: one line, then the signal's default action. Handlers may not be changed any more then (base/sandbox.h),
 * but a fault whose signal is blocked takes the default action in any case: the handler's return blocks it,
 * and the instruction faults again, which leaves the core file at the right place. */
#include "bt/cache/cache.h"
#include "bt/fault/fault.h"

#include "base/sandbox.h"

#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>

static const char *name_of(int sig)
{
	return sig == SIGSEGV ? "SIGSEGV" : sig == SIGBUS ? "SIGBUS" : sig == SIGFPE ? "SIGFPE" : "SIGILL";
}

void fault_fatal(struct bt_vcpu *b, int sig, const siginfo_t *si, ucontext_t *uc)
{
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	const struct ccf *f = b ? cache_by_host(b, rip) : NULL;
	const char *where = !b ? "another thread" : f ? "translated code" : "the monitor";
	char line[240];
	int n;

	n = snprintf(line, sizeof(line), "vitrine: %s in %s: address %#llx, host pc %#llx, guest pc %#llx\n",
		     name_of(sig), where, (unsigned long long)(uintptr_t)si->si_addr, (unsigned long long)rip,
		     b ? (unsigned long long)(f ? f->pc : cpu_pc(&b->v.cpu)) : 0);
	sandbox_report(line, (size_t)n);
	sigaddset(&uc->uc_sigmask, sig);
	if (si->si_code <= 0) /* sent: it would not come again */
		_exit(128 + sig);
}
