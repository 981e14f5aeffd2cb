/* SPDX-License-Identifier: GPL-3.0-or-later
 * A fault of the monitor's own on the vCPU's thread: one line that says where, and the signal's default
 * action, under the sandbox as well. */
#include "base/gpr.h"
#include "base/sandbox.h"
#include "bt/state/vcpu.h"
#include "tests/suite.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 16, CODE = 0x1000, NOWHERE = 0x234 };

static __attribute__((target("general-regs-only"), no_sanitize("undefined"))) uint32_t
bad_in(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx, (void)size;
	return *(volatile uint8_t *)(uintptr_t)port;
}

static bool no_irq(void *ctx)
{
	(void)ctx;
	return false;
}

static void no_timers(void *ctx)
{
	(void)ctx;
}

/* Run "mov dx, NOWHERE; in al, dx". */
static void child(void)
{
	static const uint8_t code[] = { 0xba, NOWHERE & 0xff, NOWHERE >> 8, 0xec, 0xf4 };
	struct bt_config cfg = { .tc_size = 8 << 20 };
	struct platform plat = { .in = bad_in, .irq_pending = no_irq, .run_timers = no_timers };
	struct mm_pool *pool = mm_pool_new(PAGES * PAGE_SIZE);
	struct mm_vm *vm = mm_vm_new(pool);
	char err[256] = "";
	struct vcpu *v;

	mm_vm_add_ram(vm, 0, PAGES * PAGE_SIZE, false);
	v = bt_vcpu_new(&cfg, vm, &plat, CLOCK_HOST, err, sizeof(err));
	if (!v)
		_exit(1);
	mm_phys_write(vm, CODE, code, sizeof(code));
	v->cpu.seg[SEG_CS].sel = 0;
	v->cpu.seg[SEG_CS].base = 0;
	v->cpu.rip = CODE;
	v->ops->state_changed(v);
	sandbox_prepare();
	if (!sandbox_missing() && !sandbox_enter(SANDBOX_VCPU, err, sizeof(err)))
		_exit(2);
	v->ops->run(v);
	_exit(3);
}

START_TEST(monitor_fault)
{
	char line[512] = "";
	int fd[2], status = 0;
	ssize_t n, at = 0;
	pid_t pid;

	ck_assert_int_eq(pipe(fd), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		dup2(fd[1], STDERR_FILENO);
		child();
	}
	close(fd[1]);
	while ((n = read(fd[0], line + at, sizeof(line) - 1 - (size_t)at)) > 0)
		at += n;
	close(fd[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status %x: %s", (unsigned)status,
		      line);
	ck_assert_msg(strncmp(line, "vitrine: SIGSEGV in the monitor: address 0x234, host pc 0x", 58) == 0,
		      "%s", line);
	ck_assert_msg(strstr(line, "guest pc 0x1003\n") && strchr(line, '\n') == line + at - 1, "%s", line);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fatal");
	TCase *tc = tcase_create("fatal");

	tcase_add_test(tc, monitor_fault);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
