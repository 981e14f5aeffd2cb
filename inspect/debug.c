/* SPDX-License-Identifier: GPL-3.0-or-later
 * See debug.h. */
#include "inspect/session_int.h"
#include "mm/mmu.h"
#include "x86/descriptor.h"
#include "x86/model.h"

#include <stdlib.h>
#include <string.h>

/* ---- listeners ---- */

void debug_attach(struct inspect *s, struct debug_listener *listener)
{
	listener->next = s->run.listeners;
	s->run.listeners = listener;
}

void debug_detach(struct inspect *s, struct debug_listener *listener)
{
	struct debug_listener **at = &s->run.listeners;

	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
}

void debug_expect(struct inspect *s, bool expected)
{
	s->run.expected = expected;
}

/* ---- stops ---- */

bool debug_expected(const struct inspect *s)
{
	return s->run.expected;
}

void debug_last_stop(struct inspect *s, struct debug_stop *out)
{
	struct point *p = points_find(&s->points, s->run.stop.point);

	*out = (struct debug_stop){ .kind = run_stop_kind(s),
				    .detail = s->run.stop.detail,
				    .reason = run_stop_text(s),
				    .point = s->run.stop.point };
	if (s->switched_off)
		out->kind = DEBUG_OFF;
	if (p) {
		out->point_kind = p->kind;
		out->owner = p->owner;
	}
	out->watched = s->run.stop.watched;
	out->status = inspect_exit_status(s, NULL, 0);
}

/* ---- run control ---- */

static void start(struct inspect *s, const struct run_goal *goal)
{
	run_start(s, goal);
	s->run.quiet = true;
}

void debug_go(struct inspect *s)
{
	start(s, &(struct run_goal){ 0 });
}

void debug_go_to(struct inspect *s, gva addr)
{
	start(s, &(struct run_goal){ .to_addr = true, .addr = addr, .reached = STOPPED_STEP });
}

/* Is the guest at the first instruction of the page-fault handler, with a frame that returns to P? */
static bool in_fault_of(struct inspect *s, const struct debug_place *p)
{
	const struct cpu *c = session_cpu(s);
	unsigned gate_size = cpu_long(c) ? 16 : 8, word = cpu_long(c) ? 8 : 4;
	uint64_t gate[2] = { 0 }, frame[3] = { 0 }; /* error code, (E)IP, CS */
	struct desc d;

	if (!(c->cr0 & CR0_PG) ||
	    session_read(s, false, c->idtr.base + gate_size * EXC_PF, gate, gate_size) != gate_size)
		return false;
	d = desc_of(gate[0]);
	d.upper = (uint32_t)gate[1];
	if (c->rip != gate_offset64(&d))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(frame); i++)
		if (session_read(s, false, session_segment(s, SEG_SS) + session_sp(s) + i * word, &frame[i],
				 word) != word)
			return false;
	return frame[1] == p->rip && (frame[2] & SEL_RPL) == p->cpl;
}

bool debug_pass_fault(struct inspect *s, const struct debug_place *before)
{
	if (!in_fault_of(s, before))
		return false;
	start(s, &(struct run_goal){ .to_addr = true,
				     .addr = session_linear(s, session_segment(s, SEG_CS) + before->rip),
				     .check_stack = true,
				     .stack = before->rsp,
				     .reached = STOPPED_STEP });
	return true;
}

void debug_look(struct inspect *s)
{
	if (s->run.running)
		run_settled(s);
}

void debug_exec(struct inspect *s, const char *line, const struct inspect_sink *sink)
{
	bool unseen = s->run.unseen;

	s->run.unseen = false;
	inspect_exec(s, line, sink);
	s->run.unseen |= unseen && !s->run.running;
}

void debug_clear_interrupt(struct inspect *s)
{
	__atomic_store_n(&s->run.interrupted, false, __ATOMIC_RELAXED);
}

void debug_halt(struct inspect *s)
{
	if (s->run.running)
		run_halt(s);
}

bool debug_step(struct inspect *s, unsigned how)
{
	return run_step_as(s, how) || !inspect_ended(s);
}

void debug_steps_done(struct inspect *s)
{
	s->run.shown = false;
	s->run.unseen = true;
	s->run.stopped_at = session_now();
	run_publish(s);
}

bool debug_at_point(struct inspect *s)
{
	return run_at_point(s);
}

void debug_power_off(struct inspect *s)
{
	debug_halt(s);
	s->switched_off = true;
}

bool debug_quitting(const struct inspect *s)
{
	return s->quit;
}

/* ---- memory ---- */

/* The part of the N bytes at ADDR that is in the address space. */
static size_t within(struct inspect *s, bool physical, uint64_t addr, size_t n)
{
	if (!session_is_range(s, physical, false, (int64_t)addr, 1))
		return 0;
	if (physical || cpu_long(session_cpu(s)))
		return addr && n > -addr ? -addr : n;
	return n > (1ull << 32) - addr ? (1ull << 32) - addr : n;
}

size_t debug_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n)
{
	n = within(s, physical, addr, n);
	return session_read(s, physical, addr, buf, n);
}

size_t debug_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n)
{
	size_t done = 0;

	n = within(s, physical, addr, n);
	while (done < n) {
		size_t piece = PAGE_SIZE - ((addr + done) & PAGE_MASK);

		if (piece > n - done)
			piece = n - done;
		if (!session_write(s, physical, addr + done, (const char *)buf + done, piece))
			break;
		done += piece;
	}
	/* it may have been a page table */
	if (done)
		session_flush(s);
	return done;
}

bool debug_region(struct inspect *s, uint64_t addr, uint64_t *start, uint64_t *size, bool *writable)
{
	uint64_t end = cpu_long(session_cpu(s)) ? 1ull << 47 : 1ull << 32;
	struct walk w;
	bool ok;

	addr = session_linear(s, addr);
	if (addr >= end) /* the upper half */
		end = 0;
	session_walk(s, addr, &w);
	ok = w.ok;
	*writable = w.writable;
	*size = session_walk_span(s, &w);
	*start = addr & ~(*size - 1);
	while (*start + *size != end) {
		session_walk(s, *start + *size, &w);
		if (w.ok != ok || (ok && w.writable != *writable))
			break;
		*size += session_walk_span(s, &w);
	}
	return ok;
}

bool debug_is_range(struct inspect *s, bool physical, uint64_t addr, uint64_t len)
{
	return session_is_range(s, physical, true, (int64_t)addr, (int64_t)len);
}

bool debug_wide(struct inspect *s)
{
	const struct vcpu *v = machine_vcpu(s->m);

	unsigned bits = s->symbols.has_64 ? 64 : s->symbols.has_32 ? 32 : machine_image_bits(s->m);

	if (cpu_long(&v->cpu) || !v->plat.cpuid || !cpu_has_long_mode(&v->plat, &v->cpu))
		return cpu_long(&v->cpu);
	if (!bits && v->cpu.cr0 & CR0_PG) /* a 32-bit system has started, from wherever */
		bits = 32;
	return bits != 32;
}

/* ---- registers ---- */

struct cpu *debug_cpu(struct inspect *s)
{
	return session_cpu(s);
}

unsigned debug_cr8(struct inspect *s)
{
	return machine_cr8(s->m);
}

static bool read_linear(void *s, gva lin, void *buf, unsigned n)
{
	return session_read(s, false, lin, buf, n) == n;
}

static bool write_linear(void *s, gva lin, const void *buf, unsigned n)
{
	return session_write(s, false, lin, buf, n);
}

struct reg_memory debug_memory(struct inspect *s)
{
	return (struct reg_memory){ s, read_linear, write_linear };
}

/* Load the PDPTEs that PAE paging in the new state needs. */
static bool load_pdptrs(struct vcpu *v)
{
	struct exc exc = v->cpu.exc;
	bool ok = !v->mmu || !(v->cpu.cr0 & CR0_PG) || !(v->cpu.cr4 & CR4_PAE) || cpu_long(&v->cpu) ||
		  mmu_load_pdptrs(v->mmu, v->cpu.cr3) == 0;

	v->cpu.exc = exc;
	return ok;
}

/* Does a register differ that translation or interrupts depend on? */
static bool system_differs(const struct cpu *a, const struct cpu *b)
{
	const size_t from = offsetof(struct cpu, seg), to = offsetof(struct cpu, exc);

	return memcmp((const char *)a + from, (const char *)b + from, to - from) != 0;
}

const char *debug_set_cpu(struct inspect *s, const struct cpu *want)
{
	struct vcpu *v = machine_vcpu(s->m);
	const char *why = cpu_refused(&v->plat, want);
	struct cpu old = v->cpu;

	if (why)
		return why;
	v->cpu = *want;
	if (!system_differs(&old, want)) {
		run_publish(s);
		return NULL;
	}
	if ((old.cr0 != want->cr0 || old.cr3 != want->cr3 || old.cr4 != want->cr4) && !load_pdptrs(v)) {
		v->cpu = old;
		return "CR3 does not lead to valid page-directory pointers";
	}
	session_flush(s);
	session_changed(s);
	return NULL;
}

bool debug_paging(struct inspect *s)
{
	return session_cpu(s)->cr0 & CR0_PG;
}

/* ---- points ---- */

bool debug_can_watch(const struct inspect *s)
{
	return engine_has(s, PART_WATCH);
}

static bool same_condition(const struct point *p, const void *extra)
{
	if (!p->extra || !extra)
		return p->extra == extra;
	return p->owner->same(p->extra, extra);
}

bool debug_point_insert(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len, void *extra)
{
	struct point *p = points_of(&s->points, owner, kind, physical, addr, len);

	if (!p) {
		s->revision++;
		p = points_add(&s->points, addr, false, NULL);
		p->kind = kind;
		p->physical = physical;
		p->len = len;
		p->owner = owner;
		p->extra = extra;
		if (!point_watches(p)) {
			run_point_changed(s, addr);
		} else if (!run_watch_changed(s, p, true)) {
			points_delete(&s->points, p->number);
			return false;
		}
		return true;
	}
	if (!same_condition(p, extra))
		p->hits = 0; /* it is another one at the same place */
	free(p->extra);
	p->extra = extra;
	p->leaving = false;
	return true;
}

void debug_point_remove(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len)
{
	struct point *p = points_of(&s->points, owner, kind, physical, addr, len);

	if (p)
		p->leaving = true;
}

void debug_points_clear(struct inspect *s, const struct point_owner *owner)
{
	for (size_t i = 0; i < s->points.count; i++)
		if (s->points.list[i].owner == owner)
			s->points.list[i].leaving = true;
	run_drop_leaving(s);
}

size_t debug_points_count(const struct inspect *s, const struct point_owner *owner)
{
	size_t n = 0;

	for (size_t i = 0; i < s->points.count; i++)
		n += s->points.list[i].owner == owner && !s->points.list[i].leaving;
	return n;
}
