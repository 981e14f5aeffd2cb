/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMs in processes of their own on one pool: one is killed before each store of each operation on the shared
 * block that others can see, or at any instant. Then the books of the pool balance to the page, and the other
 * VMs, which check their own memory, go on. A VM writes its name everywhere; a page that holds another's is
 * one that leaked. */
#define _GNU_SOURCE
#include "tests/mm/block_vm.h"
#include "tests/mm/small_pages.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT = 200, VMS = 4, LIMIT_STEPS = 150 };

/* ---- processes ---- */

enum order { PREPARE, OPERATE, CHECK, LOAD };
struct message {
	enum order order;
	unsigned arg, die_at; /* OPERATE: which; before which step to die, 0: none. LOAD: how many, 0: until
				 the next message */
};

struct process {
	pid_t pid;
	int sock;
	unsigned slot;
};

static struct {
	unsigned steps, die_at;
	int how;
} steps; /* of this process */

static void on_step(void)
{
	if (++steps.steps == steps.die_at)
		kill(getpid(), steps.how);
}

static void send_fd(int sock, int fd)
{
	char space[CMSG_SPACE(sizeof(fd))] = { 0 }, byte = 0;
	struct iovec io = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(sock, &m, 0) != 1)
		_exit(10);
}

static int receive_fd(int sock)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec io = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)
	};
	int fd;

	ck_assert_int_eq(recvmsg(sock, &m, MSG_CMSG_CLOEXEC), 1);
	ck_assert(CMSG_FIRSTHDR(&m) != NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static void serve(struct block_vm *b, int sock);

/* The process of a VM. */
static void be_vm(struct mm_pool *host, unsigned slot, int sock, unsigned name)
{
	struct mm_pool_fds f, mine;
	struct mm_pool *pool;
	struct block_vm b;
	char err[100];

	mm_pool_fds(host, &f);
	mine = (struct mm_pool_fds){ dup(f.block), dup(f.frames), dup(f.host) };
	pool = mm_pool_join(&mine, slot, err, sizeof(err));
	if (!pool || !bvm_init(&b, pool, name, name))
		_exit(11);
	pool->step = on_step;
	atomic_store(&b.vm->slot->scan_rate, 200);
	send_fd(sock, mm_vm_pmap_fd(b.vm));
	serve(&b, sock);
	bvm_fini(&b);
	mm_pool_free(pool);
	_exit(0);
}

static struct process start(struct mm_pool *host, unsigned name)
{
	struct process p;
	int sock[2], slot;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock), 0);
	slot = mm_pool_admit(host, "vm", 1);
	ck_assert_int_ge(slot, 0);
	p = (struct process){ .sock = sock[0], .slot = (unsigned)slot };
	p.pid = fork();
	if (!p.pid) {
		close(sock[0]);
		be_vm(host, (unsigned)slot, sock[1], name);
	}
	close(sock[1]);
	ck_assert(mm_pool_pmap(host, p.slot, receive_fd(p.sock)));
	return p;
}

/* Have P do something. Returns its answer; -1: it has died. */
static int ask(const struct process *p, enum order order, unsigned arg, unsigned die_at)
{
	struct message m = { order, arg, die_at };
	int answer = -1;

	if (send(p->sock, &m, sizeof(m), MSG_NOSIGNAL) != sizeof(m) ||
	    recv(p->sock, &answer, sizeof(answer), 0) != sizeof(answer))
		return -1;
	return answer;
}

/* End P, if it has not ended, and take its pages back. Was it killed? */
static bool bury(struct mm_pool *host, struct process *p)
{
	int status;

	shutdown(p->sock, SHUT_RDWR); /* later processes have it open, too */
	close(p->sock);
	ck_assert_int_eq(waitpid(p->pid, &status, 0), p->pid);
	mm_pool_died(host, p->slot);
	return WIFSIGNALED(status);
}

static void books(struct mm_pool *host, unsigned vms)
{
	struct mm_pool_books b;
	struct stat st;

	for (unsigned i = 0; i < 100 && !mm_pool_check(host, &b) && b.busy; i++)
		;
	ck_assert_msg(!b.wrong, "%s (slot %d)", b.wrong, b.slot);
	ck_assert_uint_eq(b.vms, vms);
	/* Frames that are free have no memory. */
	if (small_pages() && !fstat(host->fd, &st) && vms < 2)
		ck_assert_uint_le((uint64_t)st.st_blocks * 512 / PAGE_SIZE, b.frames);
}

static void end(struct mm_pool *host)
{
	struct mm_usage u;

	books(host, 0);
	mm_pool_usage(host, &u);
	ck_assert_uint_eq(u.charged, 0);
	mm_pool_free(host);
}

/* ---- operations ---- */

/* Words: common ones by number; what the bystander did with them is said at each. */
enum {
	W_HINT = 1, /* left a hint */
	W_FRAME,    /* shared two pages */
	W_ASKED,    /* left a hint, of which the other VM makes a frame */
	W_OURS,	    /* nothing */
	W_ALONE,    /* nothing */
	W_SINGLE,   /* left a hint, then overwrote the page */
};

static void fill_and_share(struct block_vm *b, ppn p, uint32_t word)
{
	bvm_fill(b, p, word);
	mm_share_page(b->vm, p);
}

/* The bystander, before the other VM begins. */
static void prepare_bystander(struct block_vm *b)
{
	for (ppn p = 0; p < 16; p++)
		bvm_fill(b, p, bvm_own(b, p));
	fill_and_share(b, 1, W_HINT);
	fill_and_share(b, 2, W_FRAME);
	fill_and_share(b, 3, W_FRAME);
	fill_and_share(b, 4, W_ASKED);
	fill_and_share(b, 5, W_SINGLE);
	bvm_fill(b, 5, bvm_own(b, 5));
	fill_and_share(b, 6, 0);
	fill_and_share(b, 7, 0);
}

static void prepare_victim(struct block_vm *b)
{
	for (ppn p = 0; p < 16; p++)
		bvm_fill(b, p, bvm_own(b, p));
	bvm_fill(b, 1, W_HINT);
	bvm_fill(b, 2, W_FRAME);
	fill_and_share(b, 3, W_FRAME);
	fill_and_share(b, 4, W_OURS);
	bvm_fill(b, 5, W_OURS);
	fill_and_share(b, 6, W_ALONE);
	fill_and_share(b, 7, W_ALONE);
	mm_unshare_page(b->vm, 6); /* the frame has one page left */
	fill_and_share(b, 8, W_SINGLE);
	bvm_fill(b, 9, 0);
	mm_swap_out(b->vm, 10);
	fill_and_share(b, 13, 20);
	fill_and_share(b, 14, 20);
	bvm_fill(b, 13, bvm_own(b, 13)); /* entry of a frame that goes */
	bvm_fill(b, 14, bvm_own(b, 14));
	bvm_fill(b, 15, 20);
	page_release(b->vm, 12);
	b->model[12] = 0;
}

/* The table is full of hints. */
static void fill_table(struct block_vm *b)
{
	for (uint32_t i = 0; i < LIMIT; i++)
		fill_and_share(b, 0, bvm_own(b, 100 + i));
}

enum {
	OP_TOUCH,
	OP_TOUCH_RUN,
	OP_RELEASE,
	OP_HINT,
	OP_PAIR,
	OP_JOIN,
	OP_ELSEWHERE,
	OP_ZEROS,
	OP_COPY,
	OP_COPY_LAST,
	OP_SWAP_OUT,
	OP_SWAP_IN,
	OP_BALLOON,
	OP_BALLOON_RUN,
	OP_DROP,
	OP_EVICT,
	OP_ANSWER,
	OP_RUN,
	OP_LEAVE,
	OPS
};

/* At how many instants at least each of them can die. */
static const unsigned few_steps[OPS] = { 5, 20, 5, 7, 12, 10, 10, 10, 7, 8, 5, 5, 5, 40, 8, 8, 20, 80, 10 };

static void operate(struct block_vm *b, unsigned op)
{
	switch (op) {
	case OP_TOUCH:
		bvm_fill(b, 12, bvm_own(b, 12));
		break;
	case OP_TOUCH_RUN:
		bvm_fill(b, 70, bvm_own(b, 70));
		break;
	case OP_RELEASE:
		page_release(b->vm, 0);
		b->model[0] = 0;
		break;
	case OP_HINT:
		mm_share_page(b->vm, 0);
		break;
	case OP_PAIR:
		mm_share_page(b->vm, 5);
		break;
	case OP_JOIN:
		mm_share_page(b->vm, 2);
		break;
	case OP_ELSEWHERE:
		mm_share_page(b->vm, 1);
		break;
	case OP_ZEROS:
		mm_share_page(b->vm, 9);
		break;
	case OP_COPY:
		bvm_fill(b, 3, bvm_own(b, 3));
		break;
	case OP_COPY_LAST:
		bvm_fill(b, 7, bvm_own(b, 7));
		break;
	case OP_SWAP_OUT:
		mm_swap_out(b->vm, 11);
		break;
	case OP_SWAP_IN:
		mm_swap_in(b->vm, 10);
		break;
	case OP_BALLOON:
		page_balloon(b->vm, 0);
		b->model[0] = 0;
		break;
	case OP_BALLOON_RUN:
		if (mm_balloon_pages(b->vm, 0, 16) != MM_BALLOON_DONE)
			_exit(13);
		memset(b->model, 0, 16 * sizeof(b->model[0]));
		break;
	case OP_DROP:
		mm_share_page(b->vm, 15);
		break;
	case OP_EVICT:
		bvm_fill(b, 0, bvm_own(b, 99));
		mm_share_page(b->vm, 0);
		break;
	case OP_ANSWER:
		block_post(b->vm->pool, vm_slot_number(b->vm), 2);
		mm_scan(b->vm, b->now += 50000000);
		break;
	case OP_RUN:
		for (int i = 0; i < 40; i++)
			bvm_random(b);
		break;
	default:
		bvm_fini(b);
		_exit(0);
	}
}

static bool is_waiting(int sock)
{
	char c;

	return recv(sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

static int obey(struct block_vm *b, int sock, const struct message *m)
{
	switch (m->order) {
	case PREPARE:
		if (m->arg)
			prepare_victim(b);
		else
			prepare_bystander(b);
		if (m->die_at)
			fill_table(b);
		return 0;
	case OPERATE:
		steps.steps = 0;
		steps.die_at = m->die_at;
		steps.how = m->arg & 0x100 ? SIGSTOP : SIGKILL;
		operate(b, m->arg & 0xff);
		steps.die_at = 0;
		return (int)steps.steps;
	case CHECK:
		return bvm_right(b);
	case LOAD:
		for (unsigned i = 0; m->arg ? i < m->arg : !is_waiting(sock); i++)
			if (!bvm_random(b))
				_exit(12);
		return bvm_right(b);
	default:
		return 0;
	}
}

static void serve(struct block_vm *b, int sock)
{
	struct message m;
	int answer;

	while (recv(sock, &m, sizeof(m), 0) == sizeof(m)) {
		answer = obey(b, sock, &m);
		if (send(sock, &answer, sizeof(answer), MSG_NOSIGNAL) != sizeof(answer))
			break;
	}
}

/* One VM is killed before step DIE_AT of operation OP, or ends it. Returns whether it was. */
static bool kill_one(struct mm_pool *host, struct process *other, unsigned op, unsigned die_at, unsigned name)
{
	struct process p;
	bool killed;
	int answer;

	ck_assert_int_eq(ask(other, PREPARE, 0, 0), 0);
	p = start(host, name);
	ck_assert_int_eq(ask(&p, PREPARE, 1, op == OP_EVICT), 0);
	books(host, 2);
	answer = ask(&p, OPERATE, op, die_at);
	if (answer >= 0) {
		ck_assert_int_eq(ask(&p, CHECK, 0, 0), 1);
		books(host, 2);
	}
	killed = bury(host, &p);
	books(host, 1);
	ck_assert_int_eq(ask(other, CHECK, 0, 0), 1);
	ck_assert_int_eq(ask(other, LOAD, 20, 0), 1);
	books(host, 1);
	return killed;
}

START_TEST(at_each_step)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	struct process other = start(host, 1);
	unsigned n = 0;

	while (n < LIMIT_STEPS && kill_one(host, &other, (unsigned)_i, n + 1, 2 + n % 1000))
		n++;
	if (_i != OP_RUN)
		ck_assert_uint_lt(n, LIMIT_STEPS);
	ck_assert_uint_ge(n, few_steps[_i]);
	bury(host, &other);
	end(host);
}
END_TEST

static void doze(unsigned us)
{
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000l }, NULL);
}

/* Operations at random by all, of which one is killed. */
START_TEST(at_any_instant)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	struct message load = { LOAD, 0, 0 };
	struct process p[VMS];
	unsigned kills = getenv("LONG") ? 500 : 60;

	srand(7);
	for (unsigned i = 0; i < VMS; i++)
		p[i] = start(host, 1 + i);
	for (unsigned i = 0; i < VMS; i++)
		ck_assert_int_eq(send(p[i].sock, &load, sizeof(load), 0), sizeof(load));
	for (unsigned k = 0; k < kills; k++) {
		unsigned i = (unsigned)rand() % VMS;

		doze(500 + (unsigned)rand() % 3000);
		kill(p[i].pid, SIGKILL);
		ck_assert(bury(host, &p[i]));
		for (unsigned i = 0; i < 100 && !mm_pool_reclaim(host); i++)
			; /* a VM has not got the processor for long */
		books(host, VMS - 1);
		p[i] = start(host, 1 + VMS + k % 2000);
		ck_assert_int_eq(send(p[i].sock, &load, sizeof(load), 0), sizeof(load));
	}
	for (unsigned i = 0; i < VMS; i++) {
		ck_assert_int_eq(ask(&p[i], CHECK, 0, 0), 1); /* of the load */
		ck_assert_int_eq(ask(&p[i], CHECK, 0, 0), 1);
		ck_assert(!bury(host, &p[i]));
	}
	end(host);
}
END_TEST

/* A VM is stopped in the middle of a change when another dies: its pages are taken back later. */
START_TEST(not_at_rest)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	struct process a = start(host, 1), b = start(host, 2);
	struct message m = { OPERATE, OP_TOUCH | 0x100, 3 };
	struct mm_pool_books books_of;
	int status, answer;

	ck_assert_int_eq(ask(&b, PREPARE, 1, 0), 0);
	ck_assert_int_eq(send(a.sock, &m, sizeof(m), 0), sizeof(m));
	ck_assert_int_eq(waitpid(a.pid, &status, WUNTRACED), a.pid);
	ck_assert(WIFSTOPPED(status));
	kill(b.pid, SIGKILL);
	bury(host, &b);
	ck_assert(!mm_pool_reclaim(host));
	ck_assert(!mm_pool_check(host, &books_of));
	kill(a.pid, SIGCONT);
	ck_assert_int_eq(recv(a.sock, &answer, sizeof(answer), 0), sizeof(answer));
	ck_assert(mm_pool_reclaim(host));
	books(host, 1);
	ck_assert(!bury(host, &a));
	end(host);
}
END_TEST

/* Two die in the middle of changes, the first of which is known to be dead first. */
START_TEST(two_at_once)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	struct process a = start(host, 1), b = start(host, 2), c = start(host, 3);

	ck_assert_int_eq(ask(&c, LOAD, 300, 0), 1);
	ck_assert_int_eq(ask(&a, PREPARE, 1, 0), 0);
	ck_assert_int_eq(ask(&b, PREPARE, 0, 0), 0);
	ck_assert_int_eq(ask(&a, OPERATE, OP_PAIR, 4), -1); /* with the table's lock */
	ck_assert_int_eq(ask(&b, OPERATE, OP_RELEASE, 3), -1);
	ck_assert(bury(host, &a));
	ck_assert(!mm_pool_reclaim(host));
	ck_assert(bury(host, &b));
	ck_assert(mm_pool_reclaim(host));
	books(host, 1);
	ck_assert_int_eq(ask(&c, LOAD, 300, 0), 1);
	ck_assert(!bury(host, &c));
	end(host);
}
END_TEST

/* The host's process: it dies while it holds the VMs. */
static void be_host(int told)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	struct mm_pool_fds f;
	struct block_vm b;
	char err[100];
	int slot = mm_pool_admit(host, "vm", 1);

	atomic_store(&host->block->hold, 1);
	mm_pool_fds(host, &f);
	if (fork()) {
		doze(5000);
		_exit(0);
	}
	if (!bvm_init(&b, mm_pool_join(&f, (unsigned)slot, err, sizeof(err)), 1, 1))
		_exit(1);
	bvm_fill(&b, 1, 1);
	_exit(b.vm->orphan && b.vm->failure == MM_FAIL_HOST && write(told, "x", 1) == 1 ? 0 : 1);
}

START_TEST(the_host_dies)
{
	int told[2];
	char c = 0;

	ck_assert_int_eq(pipe(told), 0);
	if (!fork())
		be_host(told[1]);
	close(told[1]);
	ck_assert_int_eq(read(told[0], &c, 1), 1);
	ck_assert_int_eq(c, 'x');
}
END_TEST

/* What a process sends that is no part of a pool is refused. */
START_TEST(refused)
{
	struct mm_pool *host = mm_pool_host(LIMIT * PAGE_SIZE);
	int slot = mm_pool_admit(host, "vm", 1);
	struct mm_pool_fds f, mine;
	char err[100] = "";

	ck_assert(!mm_pool_pmap(host, (unsigned)slot, memfd_create("pmap", 0)));
	ck_assert(!mm_pool_pmap(host, (unsigned)slot, open("/dev/null", O_RDONLY)));
	ck_assert(!mm_pool_pmap(host, 99, -1));
	mm_pool_fds(host, &f);
	mine = (struct mm_pool_fds){ memfd_create("block", 0), dup(f.frames), -1 };
	ck_assert(!mm_pool_join(&mine, (unsigned)slot, err, sizeof(err)) && err[0]);
	mine = (struct mm_pool_fds){ dup(f.block), memfd_create("frames", 0), -1 };
	ck_assert(!mm_pool_join(&mine, (unsigned)slot, err, sizeof(err)));
	mine = (struct mm_pool_fds){ dup(f.block), dup(f.frames), -1 };
	ck_assert(!mm_pool_join(&mine, (unsigned)slot + 1, err, sizeof(err)));
	mm_pool_died(host, (unsigned)slot);
	mm_pool_died(host, 99);
	for (unsigned i = 0; i < MM_VMS; i++)
		ck_assert_int_ge(mm_pool_admit(host, "vm", 1), 0);
	ck_assert_int_eq(mm_pool_admit(host, "vm", 1), -1);
	mm_pool_free(host);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block");
	TCase *t = tcase_create("block");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, at_each_step, 0, OPS);
	tcase_add_test(t, at_any_instant);
	tcase_add_test(t, not_at_rest);
	tcase_add_test(t, two_at_once);
	tcase_add_test(t, the_host_dies);
	tcase_add_test(t, refused);
	suite_add_tcase(s, t);
	return suite_run(s);
}
