/* SPDX-License-Identifier: GPL-3.0-or-later
 * See switched.h. Since 4.9 the stack pointer in task_struct leads to the saved registers, which end with the
 * frame pointer and the address where the task goes on. Without BTF the pointer is found as the member that
 * does so in a sample of tasks. */
#include "inspect/linux/switched.h"
#include "x86/cpu.h"

#include <string.h>

enum { SPAN = 8192, SAMPLE = 8, STACK_MAX = 32768 };

/* The registers in the order of memory; then comes the return address. */
static const uint8_t saved32[] = { 0xff, R_ESI, R_EDI, R_EBX, R_EBP }; /* the first: flags */
static const uint8_t saved64[] = { 15, 14, 13, 12, R_EBX, R_EBP };

static bool read_frame(const struct lx *k, uint64_t sp, struct lx_switched *f)
{
	const uint8_t *order = k->width == 8 ? saved64 : saved32;
	size_t n = k->width == 8 ? sizeof(saved64) : sizeof(saved32);
	uint64_t v;

	*f = (struct lx_switched){ 0 };
	if (!lx_is_pointer(k, sp))
		return false;
	for (size_t i = 0; i < n; i++, sp += k->width) {
		if (!lx_word(k, sp, &v))
			return false;
		if (order[i] > 15)
			continue;
		f->gpr[order[i]] = v;
		f->known |= 1u << order[i];
	}
	if (!lx_word(k, sp, &f->pc))
		return false;
	f->gpr[R_ESP] = sp + k->width;
	f->known |= 1u << R_ESP;
	return true;
}

/* Does a frame at SP go on in the kernel's code? */
static bool goes_on(struct lx *k, uint64_t sp)
{
	const struct symbol *y;
	struct lx_switched f;

	if (!read_frame(k, sp, &f))
		return false;
	y = symbols_at(&k->symbols, f.pc);
	return y && y->code && (strstr(y->name, "schedule") || !strncmp(y->name, "ret_from_fork", 13));
}

struct sample {
	struct lx *k;
	uint64_t current, addr[SAMPLE], stack[SAMPLE];
	unsigned n;
};

static bool take(void *ctx, const struct lx_task *t)
{
	struct sample *s = ctx;
	uint64_t stack;

	if (t->addr != s->current && lx_get(s->k, t->addr, LX_TASK_STACK, &stack) && stack) {
		s->addr[s->n] = t->addr;
		s->stack[s->n++] = stack;
	}
	return s->n < SAMPLE;
}

static bool fits(const struct sample *s, unsigned off)
{
	uint64_t sp;

	for (unsigned i = 0; i < s->n; i++)
		if (!lx_word(s->k, s->addr[i] + off, &sp) || sp - s->stack[i] >= STACK_MAX ||
		    !goes_on(s->k, sp))
			return false;
	return s->n > 2;
}

static void infer(struct lx *k)
{
	struct sample s = { .k = k };
	struct lx_task t;

	if (lx_has(k, LX_TASK_SP) || k->btf || !lx_has(k, LX_TASK_STACK))
		return;
	s.current = lx_current(k, &t) ? t.addr : 0;
	lx_tasks_each(k, false, take, &s);
	for (unsigned off = 0; off < SPAN; off += k->width)
		if (fits(&s, off)) {
			lx_set(k, LX_TASK_SP, off, LX_INFERRED);
			return;
		}
}

bool lx_switched(struct lx *k, const struct lx_task *t, struct lx_switched *f)
{
	uint64_t sp;

	infer(k);
	return lx_get(k, t->addr, LX_TASK_SP, &sp) && read_frame(k, sp, f);
}

size_t lx_task_read(const struct lx *k, const struct lx_task *t, uint64_t va, void *buf, size_t n)
{
	struct lx_space sp;

	if (!lx_is_user(k, va))
		return lx_read_some(k, va, buf, n);
	return lx_task_space(k, t, &sp) ? lx_space_read(&k->mem, &sp, va, buf, n) : 0;
}
