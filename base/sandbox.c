/* SPDX-License-Identifier: GPL-3.0-or-later
 * See sandbox.h. libseccomp compiles the table; the kernel caches the answer for calls whose arguments do not
 * matter. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/sandbox.h"
#include "base/types.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { STATUS_FORBIDDEN = 126 };

enum how { ALLOWED, ALLOWED_ARG, ALLOWED_SELF, KILLED, DENIED };

static const struct row {
	const char *name; /* the number is libseccomp's: not every C library has all of them */
	unsigned roles;
	enum how how;
	unsigned arg;
	uint64_t mask, val;
} rows[] = {
#define CALL(name, roles, why) { #name, roles, ALLOWED, 0, 0, 0 },
#define EQUAL(name, roles, arg, val, why) { #name, roles, ALLOWED_ARG, arg, UINT64_MAX, (uint64_t)(val) },
#define MASKED(name, roles, arg, mask, val, why) { #name, roles, ALLOWED_ARG, arg, mask, (uint64_t)(val) },
#define SELF(name, roles, arg, why) { #name, roles, ALLOWED_SELF, arg, UINT64_MAX, 0 },
#define ALL_THREADS (SANDBOX_MAIN | SANDBOX_VCPU | SANDBOX_LINK | SANDBOX_NET | SANDBOX_DRIVE | SANDBOX_ALARM)
#define NEVER(name, why) { #name, ALL_THREADS, KILLED, 0, 0, 0 },
#define DENY(name, roles, why) { #name, roles, DENIED, 0, 0, 0 },
#include "base/sandbox.def"
#undef CALL
#undef EQUAL
#undef MASKED
#undef SELF
#undef NEVER
#undef DENY
};

const char *sandbox_missing(void)
{
#ifdef NO_SANDBOX_REASON
	return NO_SANDBOX_REASON;
#else
	return NULL;
#endif
}

/* ---- a forbidden call ---- */

/* Set before the first thread, constant afterwards; a handler cannot be handed it. */
static int report_fd = STDERR_FILENO;

static char *put_text(char *to, const char *text)
{
	return stpcpy(to, text);
}

static char *put_number(char *to, unsigned n)
{
	char digits[12], *p = digits + sizeof(digits);

	*--p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return put_text(to, p);
}

void sandbox_report(const char *line, size_t n)
{
	if (write(report_fd, line, n) < 0)
		return; /* and there is nobody to tell */
}

static void on_forbidden(int sig, siginfo_t *info, void *context)
{
	char line[120], *end;

	(void)sig, (void)context;
	end = put_text(line, "vitrine: sandbox: forbidden system call ");
	end = put_number(end, (unsigned)info->si_syscall);
	end = put_text(end, ": the process ends (--no-sandbox runs without this)\n");
	sandbox_report(line, (size_t)(end - line));
	_exit(STATUS_FORBIDDEN);
}

void sandbox_prepare(void)
{
	struct sigaction sa = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	int fd;

	if (sandbox_missing())
		return;
	fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3); /* the dashboard redirects the other one */
	report_fd = fd < 0 ? STDERR_FILENO : fd;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGSYS, &sa, NULL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	tzset(); /* or the RTC's first date would open a file */
	/* All threads share one heap: where each has its own, the C library opens a file to learn whether it
	 * may give memory of it back. */
	mallopt(M_ARENA_MAX, 1);
}

/* ---- the filter ---- */

static int add(scmp_filter_ctx f, const struct row *r)
{
	int call = seccomp_syscall_resolve_name(r->name);
	struct scmp_arg_cmp cmp = { .arg = r->arg, .op = SCMP_CMP_EQ, .datum_a = r->val };

	if (call == __NR_SCMP_ERROR) /* newer than libseccomp: the default applies */
		return 0;
	switch (r->how) {
	case ALLOWED:
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 0);
	case KILLED:
		return seccomp_rule_add(f, SCMP_ACT_TRAP, call, 0);
	case DENIED:
		return seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), call, 0);
	case ALLOWED_SELF:
		cmp.datum_a = (uint64_t)getpid();
		break;
	case ALLOWED_ARG:
		if (r->mask == UINT64_MAX)
			break;
		cmp.op = SCMP_CMP_MASKED_EQ;
		cmp.datum_a = r->mask;
		cmp.datum_b = r->val;
		break;
	}
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static uint32_t otherwise(enum sandbox_role role)
{
	return role & (SANDBOX_HELPER | SANDBOX_STARTER) ? SCMP_ACT_ALLOW
	       : role & (SANDBOX_MAIN | SANDBOX_NET)	 ? SCMP_ACT_ERRNO(EPERM)
							 : SCMP_ACT_TRAP;
}

static int fill(scmp_filter_ctx f, enum sandbox_role role)
{
	uint32_t rest = otherwise(role);
	int rc;

	/* Without the first the kernel may turn speculative store bypass off, for translated code too; the
	 * second is a binary tree for a list of comparisons. An older libseccomp lacks them. */
	seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (const struct row *r = rows; r < rows + ARRAY_LEN(rows); r++) {
		if (!(r->roles & role) || (r->how == KILLED && rest == SCMP_ACT_TRAP))
			continue;
		rc = add(f, r);
		if (rc && rc != -EEXIST)
			return rc;
	}
	return 0;
}

bool sandbox_enter(enum sandbox_role role, char *err, size_t errlen)
{
	scmp_filter_ctx f;
	int rc;

	if (sandbox_missing())
		return true;
	f = seccomp_init(otherwise(role));
	rc = f ? fill(f, role) : -ENOMEM;
	if (!rc)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (!rc)
		return true;
	snprintf(err, errlen, "cannot restrict system calls: %s (--no-sandbox runs without)", strerror(-rc));
	return false;
}
