/* SPDX-License-Identifier: GPL-3.0-or-later
 * Run control and points. gdb steps and continues one vCPU, thread 1 of process 1.
 *
 * A continue sends no reply; the stop does, when run control calls the listener (server.c).
 * While another front end runs the guest, a continue or step of gdb's joins that run and
 * ends at its next stop. Single steps are executed synchronously; a range step in slices: gdb
 * gets a stop within the range, resumes by itself, and between slices the event loop serves
 * 0x03 and the other front ends. */
#include "base/monotonic.h"
#include "base/alloc.h"
#include "gdbstub/agent.h"
#include "gdbstub/gdb_int.h"

#include "x86/engine.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_PER_POLL = 64 };
#define SLICE_NS 20000000

/* ---- stepping and continuing ---- */

static uint64_t gdb_pc(struct gdb *g)
{
	const struct cpu *c = debug_cpu(g->s);

	return g->regs.arch->linear_pc ? cpu_pc(c) : c->rip;
}

/* True: gdb has to wait for a stop, or has been sent one. */
static bool cannot_start(struct gdb *g)
{
	if (inspect_running(g->s)) {
		g->waiting = true;
		return true;
	}
	if (inspect_ended(g->s)) {
		gdb_stop_reply(g);
		return true;
	}
	g->found_stopped = false;
	if (g->interrupt) { /* 0x03 came as a slice ended */
		gdb_stop_reply(g);
		g->interrupt = false;
		return true;
	}
	g->sliced = false;
	return false;
}

static void resume(struct gdb *g)
{
	if (cannot_start(g))
		return;
	g->waiting = true;
	debug_go(g->s);
}

static struct debug_place here(struct gdb *g)
{
	const struct cpu *c = debug_cpu(g->s);

	return (struct debug_place){ c->rip, cpu_64(c) ? c->gpr[R_ESP] : (uint32_t)c->gpr[R_ESP], c->cpl };
}

/* Run the page fault that a user program's step raised to its end, unless steps allow interrupts: the kernel
 * brings the page in and the instruction is retried. (A kernel's own faults often return elsewhere.) The
 * guest runs until the handler returns to P. After a range step gdb gets that stop and resumes by itself; a
 * single step is repeated then (gdb_step_again()). */
static bool resolves_fault(struct gdb *g, const struct debug_place *p)
{
	if (!(g->sstep & SSTEP_NOIRQ) || p->cpl < 3 || gdb_pc(g) - p->rip < 16)
		return false;
	return debug_pass_fault(g->s, p);
}

/* Step at least once, until the program counter leaves [LO, HI) or the slice ends. A single step executes one
 * iteration of a REP, a range step all. */
static void step_range(struct gdb *g, uint64_t lo, uint64_t hi)
{
	int64_t end = monotonic_ns() + SLICE_NS;
	unsigned how = (g->sstep & SSTEP_NOIRQ ? 0 : ENGINE_STEP_IRQ) | (hi > lo ? ENGINE_STEP_WHOLE : 0);
	struct debug_stop stop;

	for (unsigned n = 1;; n++) {
		struct debug_place before = here(g);
		bool alive = debug_step(g->s, how);

		g->stats.steps++;
		debug_last_stop(g->s, &stop);
		if (!alive || stop.kind == DEBUG_POINT || debug_cpu(g->s)->halted)
			break;
		if (gdb_pc(g) - lo >= hi - lo && resolves_fault(g, &before)) {
			g->waiting = true;
			g->in_fault = hi == lo;
			return;
		}
		if (gdb_pc(g) - lo >= hi - lo || debug_at_point(g->s))
			break;
		if (n % STEPS_PER_POLL == 0 && monotonic_ns() >= end) {
			g->sliced = true;
			break;
		}
	}
	debug_steps_done(g->s);
	gdb_say_why(g);
	gdb_stop_reply(g);
}

void gdb_step_again(struct gdb *g)
{
	struct debug_stop stop;

	g->in_fault = false;
	debug_last_stop(g->s, &stop);
	if (stop.kind != DEBUG_STEPPED || inspect_ended(g->s))
		return; /* stopped by something else meanwhile */
	debug_step(g->s, 0);
	g->stats.steps++;
	debug_steps_done(g->s);
}

static void step(struct gdb *g, uint64_t lo, uint64_t hi)
{
	if (cannot_start(g))
		return;
	if (debug_cpu(g->s)->halted) {
		/* the step ends when an interrupt has been served */
		g->waiting = true;
		debug_go_to(g->s, cpu_pc(debug_cpu(g->s)));
		return;
	}
	step_range(g, lo, hi);
}

/* "[ADDR]" of c and s. */
static void set_pc(struct gdb *g, struct span a)
{
	uint64_t pc;

	if (span_hex(&a, &pc) && !inspect_running(g->s))
		gdb_set_pc(&g->regs, debug_cpu(g->s), pc);
}

/* Skip the signal of C and S: guests have no signals. */
static struct span past_signal(struct span a)
{
	uint64_t sig;

	span_hex(&a, &sig);
	span_char(&a, ';');
	return a;
}

void on_continue(struct gdb *g, struct span a)
{
	set_pc(g, a);
	resume(g);
}

void on_continue_sig(struct gdb *g, struct span a)
{
	on_continue(g, past_signal(a));
}

void on_step(struct gdb *g, struct span a)
{
	set_pc(g, a);
	step(g, 0, 0);
}

void on_step_sig(struct gdb *g, struct span a)
{
	on_step(g, past_signal(a));
}

/* ---- vCont ---- */

struct action {
	char what; /* c, s, r or t; 0: none */
	uint64_t lo, hi;
};

/* Parse ":THREAD" or nothing. True if it is, or includes, our thread. */
static bool names_us(struct span *a)
{
	uint64_t pid = 1, tid = 1;
	bool all = false;

	if (!span_char(a, ':'))
		return true;
	if (span_char(a, 'p')) {
		all = span_word(a, "-1");
		if (!all && !span_hex(a, &pid))
			return false;
		if (!span_char(a, '.'))
			return all || pid == 1;
	}
	if (span_word(a, "-1"))
		return all || pid == 1;
	return span_hex(a, &tid) && (all || pid == 1) && tid <= 1;
}

/* Parse one ";ACTION[:THREAD]". False if it is malformed. */
static bool take_action(struct span *a, struct action *out, bool *ours)
{
	uint64_t sig;

	*out = (struct action){ 0 };
	if (!span_char(a, ';') || !span_left(a))
		return false;
	out->what = *a->p++;
	switch (out->what) {
	case 'C':
	case 'S':
		out->what |= 0x20;
		if (!span_hex(a, &sig))
			return false;
		break;
	case 'r':
		if (!span_hex(a, &out->lo) || !span_char(a, ',') || !span_hex(a, &out->hi))
			return false;
		break;
	case 'c':
	case 's':
	case 't':
		break;
	default:
		return false;
	}
	*ours = names_us(a);
	return true;
}

static const char out_of_reach[] =
    "a task that does not execute can be neither stepped nor resumed: select thread 1\n";

void on_vcont(struct gdb *g, struct span a)
{
	struct action first = { 0 }, act;
	bool ours, good = true;

	while (good && span_left(&a)) {
		good = take_action(&a, &act, &ours);
		if (good && !ours &&
		    act.what != 'c') /* a step of a task that is switched out: not of the processor */
			good = false;
		if (good && ours && !first.what)
			first = act;
	}
	if (!good || !first.what || first.what == 't') {
		if (g->threads.tasks)
			gdb_say(g, out_of_reach, strlen(out_of_reach));
		reply_error(g, E_INVAL, "no action for this thread");
		gdb_send(g, g->reply.data, g->reply.len);
		return;
	}
	if (first.what == 'c')
		resume(g);
	else
		step(g, first.lo, first.hi);
}

void on_vcont_query(struct gdb *g, struct span a)
{
	(void)a;
	out_printf(&g->reply, "vCont;c;C;s;S;t;r");
}

/* ---- stop, detach, kill ---- */

void on_why(struct gdb *g, struct span a)
{
	(void)a;
	debug_halt(g->s);
	gdb_stop_reply(g);
}

static void send_ok(struct gdb *g)
{
	gdb_send(g, "OK", 2);
}

void on_vctrlc(struct gdb *g, struct span a)
{
	(void)a;
	reply_ok(g);
	g->interrupt = true; /* handled after the reply */
}

void on_attach(struct gdb *g, struct span a)
{
	if (g->killed) {
		reply_error(g, E_INVAL, "the machine was killed; run starts it again");
		gdb_send(g, g->reply.data, g->reply.len);
		return;
	}
	on_why(g, a);
}

void on_detach(struct gdb *g, struct span a)
{
	(void)a;
	send_ok(g);
	gdb_drop(g, true);
}

void on_kill(struct gdb *g, struct span a)
{
	(void)a;
	debug_power_off(g->s);
	gdb_drop(g, false);
}

/* ";PID": the machine is process 1. A client without process ids makes one up. */
void on_vkill(struct gdb *g, struct span a)
{
	uint64_t pid = 0;

	span_char(&a, ';');
	span_hex(&a, &pid);
	if (g->multiprocess && pid != 1) {
		reply_error(g, E_INVAL, "there is no such process");
		gdb_send(g, g->reply.data, g->reply.len);
		return;
	}
	send_ok(g);
	if (g->extended) { /* "run" may follow */
		debug_halt(g->s);
		g->killed = true;
		return;
	}
	on_kill(g, a);
}

/* Power cycle. This packet has no reply; gdb asks "?" next. */
void on_restart(struct gdb *g, struct span a)
{
	static const struct inspect_sink silent = { 0 };

	(void)a;
	debug_halt(g->s);
	inspect_exec(g->s, "reset", &silent);
	g->killed = false;
}

/* FILE and arguments mean nothing to a machine. */
void on_vrun(struct gdb *g, struct span a)
{
	on_restart(g, a);
	gdb_stop_reply(g);
}

/* ---- points ---- */

/* Conditions as they travel with a point: length and bytecode of each, 0 after the last. */
static bool read_mem(void *ctx, uint64_t addr, void *buf, unsigned n)
{
	struct gdb *g = ctx;

	if (!g->physical && !cpu_long(debug_cpu(g->s)))
		addr = (uint32_t)addr;
	return debug_read(g->s, g->physical, addr, buf, n) == n;
}

static bool read_reg(void *ctx, unsigned n, uint64_t *val)
{
	struct gdb *g = ctx;
	uint8_t bytes[GDB_REG_BYTES];

	*val = 0;
	g->regs.cr8 = debug_cr8(g->s);
	if (!gdb_reg_get(&g->regs, debug_cpu(g->s), n, bytes))
		return false;
	memcpy(val, bytes, 8);
	return true;
}

bool gdb_condition_holds(void *ctx, const void *extra)
{
	struct agent_env env = { ctx, read_reg, read_mem };
	const uint8_t *at = extra;
	uint32_t len;
	uint64_t val;

	for (;; at += len) {
		memcpy(&len, at, sizeof(len));
		at += sizeof(len);
		if (!len)
			return false;
		if (!agent_eval(&env, at, len, &val) || val)
			return true; /* stop, and let gdb evaluate it */
	}
}

static size_t conditions_size(const uint8_t *at)
{
	const uint8_t *from = at;
	uint32_t len;

	for (;; at += len) {
		memcpy(&len, at, sizeof(len));
		at += sizeof(len);
		if (!len)
			return (size_t)(at - from);
	}
}

bool gdb_condition_same(const void *a, const void *b)
{
	size_t n = conditions_size(a);

	return n == conditions_size(b) && !memcmp(a, b, n);
}

static const char *reg_name(void *ctx, unsigned n)
{
	const struct gdb *g = ctx;

	return n < g->regs.count ? g->regs.reg[n].name : "?";
}

/* Any of the conditions stops the guest. */
void gdb_condition_text(void *ctx, const void *extra, char *buf, size_t len)
{
	const uint8_t *at = extra;
	size_t n = 0;
	uint32_t size;

	buf[0] = 0;
	for (;; at += size) {
		char text[200];

		memcpy(&size, at, sizeof(size));
		at += sizeof(size);
		if (!size || n >= len)
			return;
		if (!agent_text(at, size, reg_name, ctx, text, sizeof(text)))
			snprintf(text, sizeof(text), "(%u bytes of bytecode)", size);
		n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? " || " : "", text);
	}
}

/* Parse ";XLEN,BYTECODE..." of a breakpoint. NULL if there is none. */
static void *take_conditions(struct span a)
{
	uint8_t *all = xmalloc(span_left(&a) + 8), *to = all;
	uint64_t len;
	uint32_t n;

	while (span_word(&a, ";X") || span_word(&a, "X")) {
		if (!span_hex(&a, &len) || !span_char(&a, ',') || !len || len > span_left(&a) / 2)
			break;
		n = (uint32_t)len;
		if (hex_decode(a.p, 2 * len, to + sizeof(n), len) != len)
			break;
		memcpy(to, &n, sizeof(n));
		to += sizeof(n) + n;
		a.p += 2 * len;
	}
	if (to == all) {
		free(all);
		return NULL;
	}
	memset(to, 0, sizeof(n));
	return all;
}

/* Parse "TYPE,ADDR,KIND". */
static bool take_point(struct span *a, enum point_kind *kind, uint64_t *addr, uint64_t *len)
{
	static const enum point_kind kinds[] = { POINT_BREAK, POINT_HBREAK, POINT_WATCH, POINT_RWATCH,
						 POINT_AWATCH };
	uint64_t type;

	if (!span_hex(a, &type) || type >= ARRAY_LEN(kinds) || !span_char(a, ',') || !span_hex(a, addr) ||
	    !span_char(a, ',') || !span_hex(a, len))
		return false;
	*kind = kinds[type];
	if (*kind == POINT_BREAK || *kind == POINT_HBREAK)
		*len = 1;
	return true;
}

void on_point_insert(struct gdb *g, struct span a)
{
	enum point_kind kind;
	uint64_t addr, len;
	void *conditions;

	if (!take_point(&a, &kind, &addr, &len) || (kind >= POINT_WATCH && !debug_can_watch(g->s)))
		return; /* an unsupported type: empty reply */
	if (!debug_is_range(g->s, g->physical && kind >= POINT_WATCH, addr, len)) {
		reply_error(g, E_INVAL, "the address is not one of this guest");
		return;
	}
	conditions = take_conditions(a);
	if (debug_point_insert(g->s, &g->owner, kind, g->physical && kind >= POINT_WATCH, addr, len,
			       conditions)) {
		reply_ok(g);
		return;
	}
	reply_error(g, E_NOSYS, "the engine has no room for this watchpoint");
}

void on_point_remove(struct gdb *g, struct span a)
{
	enum point_kind kind;
	uint64_t addr, len;

	if (!take_point(&a, &kind, &addr, &len))
		return;
	/* PhyMemMode may have changed since it was inserted */
	debug_point_remove(g->s, &g->owner, kind, false, addr, len);
	debug_point_remove(g->s, &g->owner, kind, true, addr, len);
	reply_ok(g);
}
