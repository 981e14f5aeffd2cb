/* SPDX-License-Identifier: GPL-3.0-or-later
 * Block back ends. The oracle of contents is an array. Calls that change a file go through wrappers of this
 * program, which can fail, end the process in the middle of any of them, and lose what was not synchronized.
 */
#include "tests/suite.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hv/io/block.h"

enum { MEDIUM = 300 * 512 + 37 * 4096, STEPS = 120, CRASH_STEPS = 24, LOG_MAX = 200 };

/* ---- the host's calls ---- */

struct undo {
	off_t at;
	size_t n;
	uint8_t *old;
};
static struct host {
	int fail;	/* errno of every write; 0: none */
	int sync_fails; /* likewise of fdatasync() */
	int crash_at;	/* the call that ends the process; 0: none */
	int calls, syncs;
	bool in_memory; /* files are in tmpfs */
	bool cached;	/* the page cache has what is read */
	bool keep_undo;
	struct undo log[LOG_MAX];
	unsigned nlog;
	unsigned seed;
} host;

/* Lose a part of what was not synchronized, and die. */
static void crash(int fd)
{
	for (unsigned i = host.nlog; i--;)
		if (rand_r(&host.seed) & 1)
			syscall(SYS_pwrite64, fd, host.log[i].old, host.log[i].n, host.log[i].at);
	_exit(0);
}

static void remember(int fd, size_t n, off_t at)
{
	struct undo *u = &host.log[host.nlog];

	if (!host.keep_undo || host.nlog == LOG_MAX)
		return;
	*u = (struct undo){ at, n, calloc(1, n) };
	syscall(SYS_pread64, fd, u->old, n, at);
	host.nlog++;
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	if (host.fail) {
		errno = host.fail;
		return -1;
	}
	remember(fd, n, at);
	if (++host.calls == host.crash_at) {
		syscall(SYS_pwrite64, fd, buf, n / 2, at);
		crash(fd);
	}
	return syscall(SYS_pwrite64, fd, buf, n, at);
}

int fstatfs(int fd, struct statfs *fs)
{
	(void)fd;
	*fs = (struct statfs){ .f_type = host.in_memory ? TMPFS_MAGIC : EXT4_SUPER_MAGIC };
	return 0;
}

ssize_t preadv2(int fd, const struct iovec *v, int n, off_t at, int flags)
{
	ck_assert_int_eq(flags, RWF_NOWAIT);
	ck_assert_int_eq(n, 1);
	errno = EAGAIN;
	return host.cached ? syscall(SYS_pread64, fd, v->iov_base, v->iov_len, at) : -1;
}

int fdatasync(int fd)
{
	if (host.sync_fails) {
		errno = host.sync_fails;
		return -1;
	}
	if (++host.calls == host.crash_at)
		crash(fd);
	host.syncs++;
	host.nlog = 0;
	return 0;
}

/* ---- a drive ---- */

struct rig {
	char base[64], over[64];
	struct vm_clock clock;
	struct io_notice notice;
	struct block *b;
	unsigned reports;
	char line[400];
};

static void report(void *ctx, const char *line)
{
	struct rig *r = ctx;

	r->reports++;
	snprintf(r->line, sizeof(r->line), "%s", line);
}

static uint8_t byte_of_base(size_t i)
{
	return (uint8_t)(i * 7 + i / 512);
}

static void make_base(struct rig *r, size_t n)
{
	static unsigned serial;
	int fd;

	snprintf(r->base, sizeof(r->base), "/tmp/test_block.%d.%u", getpid(), serial);
	snprintf(r->over, sizeof(r->over), "/tmp/test_block.%d.%u.over", getpid(), serial++);
	fd = open(r->base, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < n; i++) {
		static uint8_t buf[4096];

		buf[i % sizeof(buf)] = byte_of_base(i);
		if (i % sizeof(buf) == sizeof(buf) - 1 || i == n - 1)
			ck_assert_int_gt(write(fd, buf, i % sizeof(buf) + 1), 0);
	}
	close(fd);
}

static void remove_files(struct rig *r)
{
	unlink(r->base);
	unlink(r->over);
}

static void rig_open(struct rig *r, const struct drive_config *c, enum clock_mode mode)
{
	const struct block_host h = { .notice = &r->notice, .clock = &r->clock, .report = report, .ctx = r };
	char err[300] = "";

	clock_init(&r->clock, mode, 1);
	clock_start(&r->clock);
	r->b = block_open(c, err, sizeof(err));
	ck_assert_msg(r->b && block_start(r->b, &h, 3, err, sizeof(err)), "%s", err);
}

static void rig_close(struct rig *r)
{
	block_close(r->b);
	clock_fini(&r->clock);
}

static void count_done(struct block_request *q)
{
	++*(unsigned *)q->ctx;
}

/* One request, to its end. */
static int transfer(struct rig *r, enum block_op op, uint64_t at, void *buf, uint64_t n)
{
	unsigned done = 0;
	struct block_request q = {
		.op = op, .at = at, .len = n, .buf = buf, .done = count_done, .ctx = &done
	};

	block_submit(r->b, &q);
	while (!done) {
		if (r->clock.mode == CLOCK_ICOUNT)
			clock_skip_to(&r->clock, clock_next(&r->clock));
		clock_run(&r->clock);
		if (io_notice_take(&r->notice, ~0ull) & 1ull << 3)
			block_deliver(r->b);
		else
			sched_yield();
	}
	return q.error;
}

static struct drive_config config(const struct rig *r, int kind)
{
	return (struct drive_config){ .file = r->base,
				      .overlay = kind == 1   ? r->over
						 : kind == 2 ? "temp"
							     : NULL };
}

/* ---- contents ---- */

static void same(struct rig *r, const uint8_t *model, size_t n)
{
	uint8_t *got = malloc(n);

	ck_assert_int_eq(transfer(r, BLOCK_READ, 0, got, n), 0);
	for (size_t i = 0; i < n; i++)
		if (got[i] != model[i])
			ck_abort_msg("byte %zu is %#x, not %#x", i, got[i], model[i]);
	free(got);
}

static void discard(struct rig *r, uint8_t *model, uint64_t at, uint64_t n)
{
	uint8_t *got = malloc(n + 1);

	ck_assert_int_eq(transfer(r, BLOCK_DISCARD, at, NULL, n), 0);
	ck_assert_int_eq(transfer(r, BLOCK_READ, at, got, n), 0);
	for (uint64_t i = 0; i < n; i++)
		ck_assert(!got[i] || got[i] == model[at + i]);
	memcpy(model + at, got, n);
	free(got);
}

static void one_step(struct rig *r, uint8_t *model, unsigned *seed)
{
	static uint8_t buf[MEDIUM];
	uint64_t at = (unsigned)rand_r(seed) % (MEDIUM / 512) * 512;
	uint64_t n = (unsigned)rand_r(seed) % 40 * 512;

	n = n > MEDIUM - at ? MEDIUM - at : n;
	switch (rand_r(seed) % 8) {
	case 0:
		ck_assert_int_eq(transfer(r, BLOCK_FLUSH, 0, NULL, 0), 0);
		break;
	case 1:
		discard(r, model, at, n);
		break;
	case 2:
	case 3:
		ck_assert_int_eq(transfer(r, BLOCK_READ, at, buf, n), 0);
		ck_assert(!memcmp(buf, model + at, n));
		break;
	default:
		for (uint64_t i = 0; i < n; i++)
			model[at + i] = (uint8_t)rand_r(seed);
		ck_assert_int_eq(transfer(r, BLOCK_WRITE, at, model + at, n), 0);
	}
}

/* A raw file, an overlay that is kept, one that is not, whose base keeps its content; by both clocks; on a
 * disk, and where the vCPU's thread need not wait for it. */
START_TEST(contents)
{
	static uint8_t model[MEDIUM], before[MEDIUM];
	struct rig r = { .reports = 0 };
	struct drive_config c;
	unsigned seed = (unsigned)_i + 1;

	host.cached = _i >= 6;
	host.in_memory = _i >= 12;
	make_base(&r, MEDIUM);
	for (size_t i = 0; i < MEDIUM; i++)
		model[i] = before[i] = byte_of_base(i);
	c = config(&r, _i % 3);
	rig_open(&r, &c, _i / 3 % 2 ? CLOCK_ICOUNT : CLOCK_HOST);
	ck_assert_uint_eq(block_size(r.b), MEDIUM);
	for (unsigned i = 0; i < STEPS; i++)
		one_step(&r, model, &seed);
	same(&r, model, MEDIUM);
	ck_assert(!block_stats(r.b)->at_once == !host.cached);
	rig_close(&r);
	if (_i % 3 != 2) {
		rig_open(&r, &c, CLOCK_HOST);
		same(&r, model, MEDIUM);
		rig_close(&r);
	}
	if (_i % 3) {
		c = config(&r, 0);
		c.read_only = true;
		rig_open(&r, &c, CLOCK_HOST);
		same(&r, before, MEDIUM);
		rig_close(&r);
	}
	ck_assert_uint_eq(r.reports, 0);
	remove_files(&r);
}
END_TEST

/* A file that is no multiple of a sector long is zero behind its end. */
START_TEST(odd_size)
{
	struct rig r = { .reports = 0 };
	struct drive_config c;
	uint8_t model[1024] = { 0 };

	make_base(&r, 700);
	for (size_t i = 0; i < 700; i++)
		model[i] = byte_of_base(i);
	c = config(&r, _i);
	rig_open(&r, &c, CLOCK_HOST);
	ck_assert_uint_eq(block_size(r.b), 1024);
	same(&r, model, 1024);
	memset(model + 512, 0x5a, 512);
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 512, model + 512, 512), 0);
	same(&r, model, 1024);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* ---- crashes ---- */

/* What both processes see. CERTAIN: flushed, or the base. MAYBE: written since. */
struct crash_model {
	uint8_t certain[MEDIUM], maybe[MEDIUM];
	bool touched[MEDIUM]; /* written since the last flush */
	bool complete;
};

/* Write and flush at random in a process of its own, which dies in call CRASH_AT. */
static void crash_child(struct rig *r, struct crash_model *m, int crash_at)
{
	struct drive_config c = config(r, 1);
	unsigned seed = 77;

	alarm(60);
	rig_open(r, &c, CLOCK_ICOUNT);
	host = (struct host){ .crash_at = crash_at, .keep_undo = true, .seed = (unsigned)crash_at };
	for (unsigned i = 0; i < CRASH_STEPS; i++) {
		uint64_t at = (unsigned)rand_r(&seed) % (MEDIUM / 512 - 20) * 512;
		uint64_t n = (unsigned)(rand_r(&seed) % 20 + 1) * 512;

		for (uint64_t k = at; k < at + n; k++) {
			m->maybe[k] = (uint8_t)rand_r(&seed);
			m->touched[k] = true;
		}
		ck_assert_int_eq(transfer(r, BLOCK_WRITE, at, m->maybe + at, n), 0);
		if (i % 4 != 3)
			continue;
		ck_assert_int_eq(transfer(r, BLOCK_FLUSH, 0, NULL, 0), 0);
		memcpy(m->certain, m->maybe, MEDIUM);
		memset(m->touched, 0, sizeof(m->touched));
	}
	m->complete = true;
	_exit(0);
}

/* What was flushed is there; what is being overwritten may be anything within its sectors. */
static void check_crash(struct rig *r, const struct crash_model *m, int crash_at)
{
	static uint8_t got[MEDIUM];
	struct drive_config c = config(r, 1);

	rig_open(r, &c, CLOCK_ICOUNT);
	ck_assert_int_eq(transfer(r, BLOCK_READ, 0, got, MEDIUM), 0);
	for (size_t i = 0; i < MEDIUM; i++)
		if (got[i] != m->certain[i] && !m->touched[i])
			ck_abort_msg("crash in call %d: byte %zu is %#x, not %#x", crash_at, i, got[i],
				     m->certain[i]);
	rig_close(r);
}

START_TEST(crashes)
{
	struct crash_model *m =
	    mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int at = 0;

	do {
		struct rig r = { .reports = 0 };
		pid_t pid;
		int status;

		make_base(&r, MEDIUM);
		memset(m, 0, sizeof(*m));
		for (size_t i = 0; i < MEDIUM; i++)
			m->certain[i] = m->maybe[i] = byte_of_base(i);
		at++;
		pid = fork();
		if (!pid)
			crash_child(&r, m, at);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
		check_crash(&r, m, at);
		remove_files(&r);
	} while (!m->complete);
	ck_assert_int_gt(at, CRASH_STEPS);
	munmap(m, sizeof(*m));
}
END_TEST

/* ---- errors ---- */

START_TEST(errors)
{
	struct rig r = { .reports = 0 };
	struct drive_config c;
	uint8_t buf[4096] = { 1 };

	make_base(&r, MEDIUM);
	c = config(&r, 0);
	rig_open(&r, &c, CLOCK_HOST);
	host.fail = ENOSPC;
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 4096, buf, 4096), ENOSPC);
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 4096, buf, 4096), ENOSPC);
	host.fail = 0;
	ck_assert_uint_eq(r.reports, 1);
	ck_assert_msg(strstr(r.line, r.base) && strstr(r.line, "write at byte 4096") &&
			  strstr(r.line, "No space left"),
		      "%s", r.line);
	host.sync_fails = EIO;
	ck_assert_int_eq(transfer(&r, BLOCK_FLUSH, 0, NULL, 0), EIO);
	host.sync_fails = 0;
	ck_assert_int_eq(transfer(&r, BLOCK_READ, MEDIUM, buf, 512), EINVAL);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, UINT64_MAX - 511, buf, 4096), EINVAL);
	ck_assert_int_eq(truncate(r.base, 8192), 0);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 4096, buf, 4096), 0);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 8192, buf, 512), EIO);
	ck_assert_uint_eq(r.reports, 1);
	ck_assert_uint_eq(block_stats(r.b)->errors, 6);
	rig_close(&r);
	c.read_only = true;
	rig_open(&r, &c, CLOCK_HOST);
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 0, buf, 512), EROFS);
	ck_assert_int_eq(transfer(&r, BLOCK_DISCARD, 0, NULL, 512), EROFS);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* An overlay whose map could not be written keeps it for the next flush. */
START_TEST(map_retried)
{
	struct rig r = { .reports = 0 };
	uint8_t buf[512] = "written", got[512];
	struct drive_config c;

	make_base(&r, MEDIUM);
	c = config(&r, 1);
	rig_open(&r, &c, CLOCK_HOST);
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 512, buf, 512), 0);
	host.fail = ENOSPC;
	ck_assert_int_eq(transfer(&r, BLOCK_FLUSH, 0, NULL, 0), ENOSPC);
	host.fail = 0;
	ck_assert_int_eq(transfer(&r, BLOCK_FLUSH, 0, NULL, 0), 0);
	host.syncs = 0;
	ck_assert_int_eq(transfer(&r, BLOCK_FLUSH, 0, NULL, 0), 0);
	ck_assert_int_eq(host.syncs, 1);
	rig_close(&r);
	rig_open(&r, &c, CLOCK_HOST);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 512, got, 512), 0);
	ck_assert(!memcmp(got, buf, 512));
	rig_close(&r);
	remove_files(&r);
}
END_TEST

static void refused(const struct drive_config *c, const char *want)
{
	char err[300] = "";
	struct block *b = block_open(c, err, sizeof(err));

	ck_assert_msg(!b && strstr(err, want) && !strchr(err, '\n'), "%s", err);
}

START_TEST(refusals)
{
	struct rig r = { .reports = 0 }, other = { .reports = 0 };
	struct drive_config c, d;

	make_base(&r, MEDIUM);
	make_base(&other, MEDIUM + 4096);
	refused(&(struct drive_config){ .file = "/nowhere/disk" }, "/nowhere/disk: cannot open");
	refused(&(struct drive_config){ .file = "/dev" }, "/dev: ");
	refused(&(struct drive_config){ .file = "/dev/zero" }, "not a regular file");
	refused(&(struct drive_config){ .file = r.base, .overlay = other.base }, "not an overlay");
	c = config(&r, 1);
	rig_open(&r, &c, CLOCK_HOST);
	refused(&c, "in use");
	refused(&(struct drive_config){ .file = r.base }, "in use");
	d = (struct drive_config){ .file = r.base, .read_only = true };
	rig_open(&other, &d, CLOCK_HOST); /* readers share */
	rig_close(&other);
	rig_close(&r);
	d = (struct drive_config){ .file = other.base, .overlay = r.over };
	refused(&d, "another size");
	ck_assert_int_eq(truncate(r.base, 0), 0);
	refused(&(struct drive_config){ .file = r.base }, "file is empty");
	remove_files(&r);
	remove_files(&other);
}
END_TEST

/* ---- limits, order, ends ---- */

enum { MANY = 50 };

struct many {
	struct block_request q[MANY];
	uint8_t buf[MANY][4096];
	uint64_t at[MANY]; /* VM time of completion */
	unsigned done, order[MANY];
	struct rig *r;
};

static void many_done(struct block_request *q)
{
	struct many *m = q->ctx;
	unsigned i = (unsigned)(q - m->q);

	m->at[i] = clock_now(&m->r->clock);
	m->order[m->done++] = i;
}

static void submit_many(struct rig *r, struct many *m, enum block_op op, uint64_t len)
{
	*m = (struct many){ .r = r };
	for (unsigned i = 0; i < MANY; i++) {
		m->q[i] = (struct block_request){
			.op = op, .at = i * 4096ull, .len = len, .buf = m->buf[i], .done = many_done, .ctx = m
		};
		block_submit(r->b, &m->q[i]);
	}
}

static void finish_many(struct rig *r, struct many *m)
{
	while (m->done < MANY) {
		clock_skip_to(&r->clock, clock_next(&r->clock));
		clock_run(&r->clock);
	}
}

/* Columns: limits, bytes of a request, VM ms that 50 requests take: all but 0.1 s worth of them wait. */
static const struct limit_case {
	struct drive_limits l;
	enum block_op op;
	unsigned len, ms;
} limit_cases[] = {
	{ { .iops_read = 100 }, BLOCK_READ, 512, 390 },
	{ { .iops_write = 100 }, BLOCK_READ, 512, 0 },
	{ { .iops_write = 200 }, BLOCK_WRITE, 512, 145 },
	{ { .bps_read = 409600 }, BLOCK_READ, 4096, 390 },
	{ { .bps_write = 409600 }, BLOCK_WRITE, 2048, 140 },
	{ { .iops_read = 100, .bps_read = 204800 }, BLOCK_READ, 4096, 880 },
	{ { .iops_read = 1, .bps_read = 1 }, BLOCK_FLUSH, 0, 0 },
};

START_TEST(limits)
{
	static struct many m;
	const struct limit_case *l = &limit_cases[_i];
	struct rig r = { .reports = 0 };
	struct drive_config c;
	uint64_t took;

	make_base(&r, MANY * 4096);
	c = config(&r, 0);
	c.limits = l->l;
	rig_open(&r, &c, CLOCK_ICOUNT);
	submit_many(&r, &m, l->op, l->len);
	finish_many(&r, &m);
	took = clock_now(&r.clock) / 1000000;
	ck_assert_msg(took >= l->ms && took <= l->ms + 12, "%u ms", (unsigned)took);
	ck_assert(!block_stats(r.b)->delayed == !l->ms);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* Under the host's clock a limit delays too, and the rest of the requests passes. */
START_TEST(limit_of_host_clock)
{
	static struct many m;
	struct rig r = { .reports = 0 };
	struct drive_config c;
	uint8_t buf[512];

	make_base(&r, MANY * 4096);
	c = config(&r, 0);
	c.limits.iops_write = 200;
	rig_open(&r, &c, CLOCK_HOST);
	submit_many(&r, &m, BLOCK_WRITE, 512);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 0, buf, 512), 0);
	ck_assert_uint_lt(m.done, MANY);
	while (m.done < MANY) {
		clock_run(&r.clock);
		if (io_notice_take(&r.notice, ~0ull))
			block_deliver(r.b);
	}
	ck_assert_uint_ge(clock_now(&r.clock), 140000000);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* Icount clock: what the guest sees does not depend on the host. */
START_TEST(icount_repeats)
{
	static struct many m[2];
	struct drive_config c;

	for (unsigned k = 0; k < 2; k++) {
		struct rig r = { .reports = 0 };

		make_base(&r, MANY * 4096);
		c = config(&r, 0);
		rig_open(&r, &c, CLOCK_ICOUNT);
		submit_many(&r, &m[k], BLOCK_WRITE, 4096);
		if (k)
			usleep(20000);
		finish_many(&r, &m[k]);
		rig_close(&r);
		remove_files(&r);
	}
	ck_assert(!memcmp(m[0].at, m[1].at, sizeof(m[0].at)));
	ck_assert(!memcmp(m[0].order, m[1].order, sizeof(m[0].order)));
	ck_assert_uint_eq(m[0].at[0], 104096);
}
END_TEST

/* Draining completes all, cancelling none; columns of _i: clock, limited. */
START_TEST(drain_and_cancel)
{
	static struct many m;
	struct rig r = { .reports = 0 };
	struct drive_config c;
	uint8_t buf[512];

	make_base(&r, MANY * 4096);
	c = config(&r, 0);
	c.limits.iops_write = _i & 2 ? 10 : 0;
	rig_open(&r, &c, _i & 1 ? CLOCK_ICOUNT : CLOCK_HOST);
	submit_many(&r, &m, BLOCK_WRITE, 4096);
	block_drain(r.b);
	ck_assert_uint_eq(m.done, MANY);
	submit_many(&r, &m, BLOCK_WRITE, 4096);
	block_cancel(r.b);
	ck_assert_uint_eq(m.done, 0);
	ck_assert_uint_eq(block_stats(r.b)->depth, 0);
	ck_assert(clock_next(&r.clock) == CLOCK_NEVER);
	block_rebase(r.b);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 0, buf, 512), 0);
	ck_assert_uint_eq(m.done, 0);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* ---- without the drive's thread ---- */

struct chain {
	struct block_request q[3];
	uint8_t buf[3][512];
	struct rig *r;
	unsigned done;
	bool inside; /* a DONE runs */
};

/* Each request but the last submits the next. */
static void chain_done(struct block_request *q)
{
	struct chain *c = q->ctx;
	unsigned i = c->done++;

	ck_assert(!c->inside && q == &c->q[i]);
	c->inside = true;
	if (i < 2)
		block_submit(c->r->b, &c->q[i + 1]);
	c->inside = false;
}

static void chain_init(struct chain *c, struct rig *r)
{
	*c = (struct chain){ .r = r };
	for (unsigned i = 0; i < 3; i++)
		c->q[i] = (struct block_request){ .op = i == 1 ? BLOCK_WRITE : BLOCK_READ,
						  .at = 512ull * i,
						  .len = 512,
						  .buf = c->buf[i],
						  .done = chain_done,
						  .ctx = c };
}

/* Requests complete before block_submit() returns, one after the other. */
START_TEST(at_once)
{
	struct rig r = { .reports = 0 };
	struct drive_config d;
	struct chain c;

	host.in_memory = true;
	make_base(&r, MEDIUM);
	d = config(&r, 0);
	rig_open(&r, &d, CLOCK_HOST);
	chain_init(&c, &r);
	block_submit(r.b, &c.q[0]);
	ck_assert_uint_eq(c.done, 3);
	ck_assert_uint_eq(block_stats(r.b)->at_once, 3);
	ck_assert_uint_eq(block_stats(r.b)->depth, 0);
	ck_assert_uint_eq(c.buf[2][0], byte_of_base(1024));
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* What fails, what is long, and what comes behind a request of the thread's goes to the thread. */
START_TEST(at_once_falls_back)
{
	static uint8_t buf[MEDIUM];
	static struct many m;
	struct rig r = { .reports = 0 };
	struct drive_config d;

	host.in_memory = true;
	make_base(&r, MEDIUM);
	d = config(&r, 0);
	rig_open(&r, &d, CLOCK_HOST);
	host.fail = ENOSPC;
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 0, buf, 512), ENOSPC);
	host.fail = 0;
	ck_assert_int_eq(transfer(&r, BLOCK_READ, MEDIUM, buf, 512), EINVAL);
	ck_assert_int_eq(transfer(&r, BLOCK_READ, 0, buf, MEDIUM), 0);
	ck_assert_uint_eq(block_stats(r.b)->at_once, 0);
	ck_assert_int_eq(transfer(&r, BLOCK_FLUSH, 0, NULL, 0), 0);
	m = (struct many){ .r = &r };
	for (unsigned i = 0; i < 2; i++) {
		m.q[i] = (struct block_request){ .op = i ? BLOCK_WRITE : BLOCK_FLUSH,
						 .len = i * 512,
						 .buf = m.buf[i],
						 .done = many_done,
						 .ctx = &m };
		block_submit(r.b, &m.q[i]);
		ck_assert_uint_eq(m.done, 0);
	}
	block_drain(r.b);
	ck_assert(m.done == 2 && !m.order[0] && m.order[1] == 1);
	ck_assert_uint_eq(block_stats(r.b)->at_once, 0);
	rig_close(&r);
	d.read_only = true;
	rig_open(&r, &d, CLOCK_HOST);
	ck_assert_int_eq(transfer(&r, BLOCK_WRITE, 0, buf, 512), EROFS);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* Icount clock: the VM time of the completion is the same. */
START_TEST(at_once_icount)
{
	static struct many m;
	struct rig r = { .reports = 0 };
	struct drive_config d;

	host.in_memory = true;
	make_base(&r, MANY * 4096);
	d = config(&r, 0);
	rig_open(&r, &d, CLOCK_ICOUNT);
	submit_many(&r, &m, BLOCK_WRITE, 4096);
	ck_assert_uint_eq(m.done, 0);
	finish_many(&r, &m);
	ck_assert_uint_eq(block_stats(r.b)->at_once, 1); /* the others were behind it */
	ck_assert_uint_eq(m.at[0], 104096);
	rig_close(&r);
	remove_files(&r);
}
END_TEST

/* ---- NBD ---- */

static const char *nbdkit(void)
{
	static const char *const paths[] = { "/usr/bin/nbdkit", "/usr/sbin/nbdkit", "/usr/local/bin/nbdkit" };

	for (unsigned i = 0; i < 3; i++)
		if (!access(paths[i], X_OK))
			return paths[i];
	return NULL;
}

START_TEST(nbd)
{
	static uint8_t model[MEDIUM];
	char dir[] = "/tmp/test_block.XXXXXX", sock[64], uri[100], text[512];
	struct rig r = { .reports = 0 };
	struct drive_config c = { .file = uri };
	unsigned seed = 5;
	pid_t pid;

	ck_assert(mkdtemp(dir) != NULL);
	snprintf(sock, sizeof(sock), "%s/s", dir);
	snprintf(uri, sizeof(uri), "nbd+unix:///?socket=%s", sock);
	refused(&c, uri);
	snprintf(text, sizeof(text), "size=%d", MEDIUM);
	pid = fork();
	if (!pid) {
		execl(nbdkit(), "nbdkit", "-f", "--exit-with-parent", "-U", sock, "memory", text, NULL);
		_exit(127);
	}
	for (unsigned i = 0; i < 1000 && access(sock, F_OK); i++)
		usleep(10000);
	rig_open(&r, &c, CLOCK_HOST);
	ck_assert_str_eq(block_kind(r.b), "nbd");
	for (unsigned i = 0; i < STEPS; i++)
		one_step(&r, model, &seed);
	same(&r, model, MEDIUM);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_ne(transfer(&r, BLOCK_READ, 0, text, 512), 0);
	ck_assert_uint_eq(r.reports, 1);
	rig_close(&r);
	unlink(sock);
	rmdir(dir);
}
END_TEST

static bool has_nbd(void)
{
	const struct drive_config c = { .file = "nbd+unix:///?socket=/nowhere" };
	char err[300] = "";

	return !block_open(&c, err, sizeof(err)) && !strstr(err, "built without") && nbdkit();
}

int main(void)
{
	Suite *s = suite_create("block");
	TCase *t = tcase_create("block");

	suite_add_tcase(s, t);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, contents, 0, 18);
	tcase_add_test(t, at_once);
	tcase_add_test(t, at_once_falls_back);
	tcase_add_test(t, at_once_icount);
	tcase_add_loop_test(t, odd_size, 0, 3);
	tcase_add_test(t, crashes);
	tcase_add_test(t, errors);
	tcase_add_test(t, map_retried);
	tcase_add_test(t, refusals);
	tcase_add_loop_test(t, limits, 0, (int)ARRAY_LEN(limit_cases));
	tcase_add_test(t, limit_of_host_clock);
	tcase_add_test(t, icount_repeats);
	tcase_add_loop_test(t, drain_and_cancel, 0, 4);
	if (has_nbd())
		tcase_add_test(t, nbd);
	return suite_run(s);
}
