/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where members of task_struct and mm_struct are in a kernel without BTF, by what they hold: the first task
 * is called "swapper" and is everybody's ancestor, the next two are number 1 and 2, kernel threads have no
 * user memory. An offset is taken only if it fits all tasks of a sample. Members come in the order of
 * include/linux/sched.h, which narrows each search. */
#include "inspect/linux/tasks.h"
#include "inspect/linux/kernel_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { SPAN = 6144, SAMPLE = 48, MIN_TASKS = 3, STACK_ALIGN = 0x1fff, SIGCHLD_NUMBER = 17, MM_SPAN = 512 };

/* Some tasks; the first is init_task. */
struct sample {
	const struct lx *k;
	unsigned n, w;	   /* tasks; bytes of a word */
	unsigned one, two; /* which are number 1 and 2 */
	uint64_t addr[SAMPLE];
	uint8_t (*bytes)[SPAN];
};

static uint64_t word(const struct sample *s, unsigned i, unsigned off)
{
	return off + s->w <= SPAN ? lx_le(s->bytes[i] + off, s->w) : 0;
}

static uint32_t u32(const struct sample *s, unsigned i, unsigned off)
{
	return off + 4 <= SPAN ? lx_le32(s->bytes[i] + off) : 0;
}

/* Read N bytes, or as many pages of them as can be read; the rest is zero. */
static void fill(const struct lx *k, uint64_t va, uint8_t *buf, size_t n)
{
	size_t got = lx_read_some(k, va, buf, n);

	memset(buf + got, 0, n - got);
}

/* ---- the list ---- */

static bool find_comm(struct lx *k, const uint8_t *first)
{
	for (unsigned off = 0; off + LX_COMM <= SPAN; off += 4)
		if (!strncmp((const char *)first + off, "swapper", 7) &&
		    (!strncmp((const char *)first + off + 7, "/0", 3) || !first[off + 7])) {
			lx_set(k, LX_TASK_COMM, off, LX_INFERRED);
			return true;
		}
	return false;
}

/* The number of tasks on the ring through offset OFF, the first SAMPLE of them in ADDR; 0: it is no such
 * ring. */
static unsigned ring_at(const struct lx *k, unsigned off, uint64_t addr[SAMPLE])
{
	uint64_t head = k->init_task + off, at = head, next, prev;
	char comm[LX_COMM];
	unsigned n = 0;

	do {
		if (n < SAMPLE)
			addr[n] = at - off;
		if (++n > LX_MAX_TASKS || !lx_word(k, at, &next) || !lx_is_pointer(k, next) ||
		    !lx_word(k, next + k->width, &prev) || prev != at ||
		    !lx_read(k, lx_at(k, next - off, LX_TASK_COMM), comm, LX_COMM) || !lx_comm_ok(comm))
			return 0;
		at = next;
	} while (at != head);
	return n;
}

/* The ring of all processes is the longest. */
static bool find_tasks(struct sample *s, struct lx *k)
{
	uint64_t addr[SAMPLE];
	unsigned best = 0;

	for (unsigned off = 0; off < k->layout.off[LX_TASK_COMM]; off += s->w) {
		unsigned n = ring_at(k, off, addr);

		if (n <= best)
			continue;
		best = n;
		s->n = n < SAMPLE ? n : SAMPLE;
		memcpy(s->addr, addr, sizeof(addr));
		k->layout.off[LX_TASK_TASKS] = (uint16_t)off;
	}
	if (best < MIN_TASKS)
		return false;
	lx_set(k, LX_TASK_TASKS, k->layout.off[LX_TASK_TASKS], LX_INFERRED);
	return true;
}

/* ---- members ---- */

/* Does a member at OFF fit? */
typedef bool fits(struct sample *s, unsigned off);

/* Find the first offset in [FROM, TO) that fits, a multiple of STEP. */
static bool find(struct sample *s, struct lx *k, enum lx_field f, unsigned from, unsigned to, unsigned step,
		 fits *fit)
{
	for (unsigned off = (from + step - 1) / step * step; off < to; off += step)
		if (fit(s, off)) {
			lx_set(k, f, off, LX_INFERRED);
			return true;
		}
	return false;
}

/* pid and tgid: leaders of their groups, each with a number of its own. */
static bool fits_pid(struct sample *s, unsigned off)
{
	s->one = s->two = 0;
	if (u32(s, 0, off) || u32(s, 0, off + 4))
		return false;
	for (unsigned i = 1; i < s->n; i++) {
		uint32_t pid = u32(s, i, off);

		if (!pid || pid > 1u << 22 || u32(s, i, off + 4) != pid)
			return false;
		for (unsigned j = 1; j < i; j++)
			if (u32(s, j, off) == pid)
				return false;
		if (pid == 1)
			s->one = i;
		if (pid == 2)
			s->two = i;
	}
	return s->one && s->two;
}

static bool is_task(const struct sample *s, uint64_t addr)
{
	char comm[LX_COMM];

	for (unsigned i = 0; i < s->n; i++)
		if (s->addr[i] == addr)
			return true;
	return lx_is_pointer(s->k, addr) && lx_read(s->k, lx_at(s->k, addr, LX_TASK_COMM), comm, LX_COMM) &&
	       lx_comm_ok(comm);
}

/* real_parent and parent. */
static bool fits_parent(struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++) {
		if ((!i || i == s->one || i == s->two) &&
		    (word(s, i, off) != s->addr[0] || word(s, i, off + s->w) != s->addr[0]))
			return false;
		if (!is_task(s, word(s, i, off)))
			return false;
	}
	return true;
}

/* The offset of pgd in the mm_struct at MM: the page table of a process maps the kernel as well. -1: none. */
static int pgd_in(const struct lx *k, uint64_t mm)
{
	uint8_t bytes[MM_SPAN];

	fill(k, mm, bytes, sizeof(bytes));
	for (unsigned off = 0; off < MM_SPAN; off += k->width) {
		struct lx_space sp = { 0, k->space.paging };
		uint64_t pgd = lx_le(bytes + off, k->width), pa, left;

		if (lx_is_pointer(k, pgd) && !(pgd & 0x1f) &&
		    lx_translate(&k->mem, &k->space, pgd, &sp.root, &left) &&
		    lx_translate(&k->mem, &sp, k->banner_at, &pa, &left) &&
		    pa == k->banner_at + (uint64_t)k->delta)
			return (int)off;
	}
	return -1;
}

/* mm and active_mm: none and any one, or the same. */
static bool fits_mm(struct sample *s, unsigned off)
{
	unsigned users = 0;

	for (unsigned i = 0; i < s->n; i++) {
		uint64_t mm = word(s, i, off), active = word(s, i, off + s->w);

		if (mm && (mm != active || !lx_is_pointer(s->k, mm) || (mm & 3)))
			return false;
		users += mm != 0;
	}
	return users && word(s, s->one, off) && !word(s, 0, off) && !word(s, s->two, off) &&
	       pgd_in(s->k, word(s, s->one, off)) >= 0;
}

/* stack: each task has its own, aligned to its size; a task that has ended has none. */
static bool fits_stack(struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++) {
		uint64_t stack = word(s, i, off);

		if (!stack && i > s->one && i > s->two)
			continue;
		if (!lx_is_pointer(s->k, stack) || (stack & STACK_ALIGN))
			return false;
		for (unsigned j = 0; j < i; j++)
			if (word(s, j, off) == stack)
				return false;
	}
	return true;
}

/* exit_signal: SIGCHLD of all but the first. */
static bool fits_exit_signal(struct sample *s, unsigned off)
{
	unsigned n = 0;

	for (unsigned i = 1; i < s->n; i++)
		n += u32(s, i, off) == SIGCHLD_NUMBER;
	return !u32(s, 0, off) && u32(s, s->one, off) == SIGCHLD_NUMBER && n >= s->n * 3 / 4;
}

/* group_leader: the task itself. */
static bool fits_leader(struct sample *s, unsigned off)
{
	for (unsigned i = 0; i < s->n; i++)
		if (word(s, i, off) != s->addr[i])
			return false;
	return true;
}

/* thread_group: a ring of tasks of the same process. */
static bool fits_group(struct sample *s, unsigned off)
{
	unsigned tgid = s->k->layout.off[LX_TASK_TGID];

	for (unsigned i = 0; i < s->n; i++) {
		uint64_t head = s->addr[i] + off, next = word(s, i, off), prev;
		uint32_t id;

		if (!lx_is_pointer(s->k, next) || !lx_word(s->k, next + s->w, &prev) || prev != head ||
		    !is_task(s, next - off) || !lx_u32(s->k, next - off + tgid, &id) || id != u32(s, i, tgid))
			return false;
	}
	return true;
}

/* __state precedes the stack; since 6.9 another state is between them on 32-bit processors, which hardly any
 * task has. */
static void find_state(struct sample *s, struct lx *k)
{
	unsigned stack, off;

	if (!find(s, k, LX_TASK_STACK, s->w, 32 * s->w, s->w, fits_stack))
		return;
	stack = k->layout.off[LX_TASK_STACK];
	for (off = stack - s->w; off >= s->w; off -= s->w)
		for (unsigned i = 0; i < s->n; i++)
			if (u32(s, i, off)) {
				lx_set(k, LX_TASK_STATE, off, LX_INFERRED);
				return;
			}
}

static bool find_members(struct sample *s, struct lx *k)
{
	unsigned comm = k->layout.off[LX_TASK_COMM], tasks = k->layout.off[LX_TASK_TASKS], pid, mm, leader;

	if (!find(s, k, LX_TASK_PID, tasks, comm, 4, fits_pid))
		return false;
	pid = k->layout.off[LX_TASK_PID];
	lx_set(k, LX_TASK_TGID, pid + 4, LX_INFERRED);
	if (!find(s, k, LX_TASK_PARENT, pid + 8, comm, s->w, fits_parent))
		return false;
	find_state(s, k);
	if (find(s, k, LX_TASK_LEADER, k->layout.off[LX_TASK_PARENT] + 2 * s->w, comm, s->w, fits_leader)) {
		leader = k->layout.off[LX_TASK_LEADER];
		find(s, k, LX_TASK_GROUP, leader + 9 * s->w, leader + 24 * s->w, s->w, fits_group);
	}
	if (!find(s, k, LX_TASK_MM, tasks, pid, s->w, fits_mm))
		return false;
	mm = k->layout.off[LX_TASK_MM];
	lx_set(k, LX_TASK_ACTIVE_MM, mm + s->w, LX_INFERRED);
	/* exit_state, exit_code, exit_signal */
	if (find(s, k, LX_TASK_EXIT_STATE, mm + 2 * s->w + 8, pid, 4, fits_exit_signal))
		lx_set(k, LX_TASK_EXIT_STATE, k->layout.off[LX_TASK_EXIT_STATE] - 8u, LX_INFERRED);
	return true;
}

/* ---- mm_struct ---- */

/* start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end, env_start,
 * env_end. */
static bool is_code_to_env(const struct lx *k, const uint8_t *p)
{
	uint64_t v[11];

	for (unsigned i = 0; i < ARRAY_LEN(v); i++) {
		v[i] = lx_le(p + i * k->width, k->width);
		if (!v[i] || !lx_is_user(k, v[i]))
			return false;
	}
	return v[0] < v[1] && v[2] <= v[3] && v[3] <= v[4] && v[4] <= v[5] && v[6] < v[7] && v[7] < v[8] &&
	       v[8] == v[9] && v[9] <= v[10] && v[10] - v[7] < 1 << 22;
}

static void find_mm_members(const struct sample *s, struct lx *k)
{
	uint64_t at = word(s, s->one, k->layout.off[LX_TASK_MM]);
	uint8_t mm[MM_SPAN];

	fill(k, at, mm, sizeof(mm));
	lx_set(k, LX_MM_PGD, (uint64_t)pgd_in(k, at), LX_INFERRED);
	for (unsigned off = 0; off + 11 * k->width <= MM_SPAN; off += k->width)
		if (is_code_to_env(k, mm + off)) {
			lx_set(k, LX_MM_CODE, off, LX_INFERRED);
			lx_set(k, LX_MM_ARG_START, off + 7 * k->width, LX_INFERRED);
			lx_set(k, LX_MM_ARG_END, off + 8 * k->width, LX_INFERRED);
			return;
		}
}

void lx_infer_tasks(struct lx *k)
{
	struct sample s = { .k = k, .w = k->width };

	if (k->inferred || k->btf)
		return;
	s.bytes = xcalloc(SAMPLE, sizeof(*s.bytes));
	fill(k, k->init_task, s.bytes[0], SPAN);
	if (find_comm(k, s.bytes[0]) && find_tasks(&s, k)) {
		for (unsigned i = 0; i < s.n; i++)
			fill(k, s.addr[i], s.bytes[i], SPAN);
		if (find_members(&s, k)) {
			find_mm_members(&s, k);
			k->inferred = true;
		}
	}
	free(s.bytes);
}
