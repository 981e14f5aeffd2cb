/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's kernel as the session knows it. The session looks at each stop; what a look costs while nothing
 * has changed is one read of the interrupt table. */
#include "inspect/kernel_int.h"
#include "inspect/linux/modules.h"
#include "inspect/linux/vmas.h"
#include "inspect/programs_int.h"
#include "inspect/session_int.h"
#include "mm/mm.h"
#include "x86/paging.h"

#include <stdlib.h>
#include <string.h>

enum {
	MAX_FAILURES = 8,	/* searches without success before the session waits to be asked */
	MODULES_NS = 100000000, /* modules are looked at no more often; single steps are frequent */
};

/* Read memory of one page, without populating it. */
static bool read_piece(struct inspect *s, uint64_t pa, void *buf, size_t n)
{
	struct mm_vm *vm = machine_vm(s->m);
	uint64_t page = pa & ~(uint64_t)PAGE_MASK;

	if (!mm_is_ram(vm, pa, n))
		return false;
	if (page < s->kernel.hole || page >= s->kernel.hole_end) {
		s->kernel.hole = page;
		s->kernel.hole_end = mm_next_populated(vm, page);
	}
	if (page < s->kernel.hole_end) {
		memset(buf, 0, n);
		return true;
	}
	return mm_phys_read(vm, pa, buf, n);
}

static bool read_physical(void *ctx, uint64_t pa, void *buf, size_t n)
{
	for (size_t done = 0, piece; done < n; done += piece) {
		piece = PAGE_SIZE - ((pa + done) & PAGE_MASK);
		if (piece > n - done)
			piece = n - done;
		if (!read_piece(ctx, pa + done, (char *)buf + done, piece))
			return false;
	}
	return true;
}

static enum lx_paging paging_of(const struct cpu *c)
{
	if (!(c->cr0 & CR0_PG))
		return LX_FLAT;
	if (cpu_long(c))
		return LX_FOUR_LEVELS;
	return c->cr4 & CR4_PAE ? LX_PAE : LX_TWO_LEVELS;
}

/* What the search needs of the processor. False: there can be no kernel, or its memory is not the machine's:
 * a hypervisor's guest executes. */
static bool processor(struct inspect *s, struct lx_cpu *lc)
{
	const struct cpu *c = session_cpu(s);
	struct walk w;

	s->kernel.hole = s->kernel.hole_end = 0;
	*lc = (struct lx_cpu){ .space = { c->cr3, paging_of(c) }, .idt = c->idtr.base, .wide = cpu_long(c) };
	return lc->space.paging != LX_FLAT && session_walk(s, session_pc(s), &w) && !w.second.on;
}

struct lx_mem kernel_memory(struct inspect *s)
{
	s->kernel.hole = s->kernel.hole_end = 0;
	return (struct lx_mem){ s, read_physical };
}

struct lx_space kernel_space(struct inspect *s)
{
	return (struct lx_space){ session_cpu(s)->cr3, paging_of(session_cpu(s)) };
}

static void drop(struct inspect *s)
{
	s->symbols.below = NULL;
	lx_free(s->kernel.k);
	s->kernel.k = NULL;
	s->kernel.tried = 0;
	s->kernel.failures = 0;
	s->revision++;
}

static void search(struct inspect *s, const struct lx_cpu *lc)
{
	struct lx_mem mem = { s, read_physical };

	s->kernel.tried = lx_fault_handler(&mem, lc);
	s->kernel.k = lx_find(&mem, lc);
	if (!s->kernel.k) {
		s->kernel.failures++;
		return;
	}
	s->kernel.failures = 0;
	s->symbols.below = &s->kernel.k->symbols;
	s->revision++;
}

void kernel_look(struct inspect *s)
{
	struct lx_mem mem = { s, read_physical };
	struct lx_cpu lc;
	uint64_t handler;

	if (!s->m || s->run.running || s->kernel.off || !processor(s, &lc))
		return;
	if (s->kernel.k && !lx_is_there(s->kernel.k, &lc))
		drop(s);
	if (s->kernel.k && session_now() >= s->kernel.modules_due) {
		lx_modules_symbols(s->kernel.k);
		s->kernel.modules_due = session_now() + MODULES_NS;
	}
	if (s->kernel.k || s->kernel.failures >= MAX_FAILURES)
		return;
	handler = lx_fault_handler(&mem, &lc);
	if (handler && handler != s->kernel.tried)
		search(s, &lc);
}

struct lx *kernel_of(struct inspect *s, const char **why)
{
	struct lx_cpu lc;

	*why = "no Linux kernel was found: it is not there yet, or not one with kallsyms";
	if (s->kernel.off) {
		*why = "looking for a Linux kernel is off (symbols linux on)";
		return NULL;
	}
	if (!processor(s, &lc))
		return NULL;
	if (s->kernel.k && !lx_is_there(s->kernel.k, &lc))
		drop(s);
	if (!s->kernel.k)
		search(s, &lc);
	if (s->kernel.k)
		lx_update(s->kernel.k, &lc);
	return s->kernel.k;
}

bool kernel_task(struct inspect *s, struct lx_task *t)
{
	s->kernel.hole = s->kernel.hole_end = 0;
	return s->m && s->kernel.k && lx_current(s->kernel.k, t);
}

bool kernel_task_is(struct inspect *s, const char *name)
{
	struct lx_task t;
	char *end;
	unsigned long pid = strtoul(name, &end, 10);

	if (!kernel_task(s, &t))
		return false;
	return *end ? !strcmp(t.comm, name) : t.pid == pid || t.tgid == pid;
}

struct symbols *kernel_program(struct inspect *s, uint64_t addr)
{
	struct lx_task t;
	uint64_t offset;
	char path[512];

	if (!s->kernel.programs || !kernel_task(s, &t) || !lx_is_user(s->kernel.k, addr) ||
	    !lx_file_at(s->kernel.k, &t, addr, path, sizeof(path), &offset))
		return NULL;
	return programs_symbols(s->kernel.programs, path, offset, addr);
}

/* "program!function+0x10". False: PROGRAM has no symbol there. */
static bool program_place(struct symbols *program, uint64_t addr, char *buf, size_t size)
{
	const struct symbol *y = program ? symbols_at(program, addr) : NULL;
	char name[300];

	if (!y)
		return false;
	symbols_text(program, addr, name, sizeof(name));
	snprintf(buf, size, "%s!%s", y->module, name);
	return true;
}

void kernel_place(struct inspect *s, uint64_t addr, char *buf, size_t size)
{
	struct lx_task t;

	symbols_text(&s->symbols, addr, buf, size);
	if (!buf[0] && !program_place(kernel_program(s, addr), addr, buf, size) && kernel_task(s, &t) &&
	    lx_is_user(s->kernel.k, addr))
		lx_file_place(s->kernel.k, &t, addr, buf, size);
}

void kernel_set(struct inspect *s, bool on)
{
	drop(s);
	s->kernel.off = !on;
}

void kernel_fini(struct inspect *s)
{
	programs_set(&s->kernel.programs, NULL);
	lx_free(s->kernel.k);
}
