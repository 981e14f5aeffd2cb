/* SPDX-License-Identifier: GPL-3.0-or-later
 * Run control over hv/machine.h: starting, waiting, deciding at each stop of the
 * engine whether it ends the run, and stepping off a breakpoint before a run.
 *
 * The engine stops before it executes an address with a breakpoint. So a run that
 * starts at one executes that instruction as a single step, then continues. The step
 * is without interrupts: otherwise the handler would run first, and the point would
 * be hit twice. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "base/address.h"
#include "base/alloc.h"
#include "mm/slot.h"
#include "x86/disas.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STACK_REACH = 0x10000 };
enum { MAX_UNASKED = 20 }; /* stops for no reason before a run is given up */

/* ---- the engine's set of breakpoints ---- */

static size_t known_index(const struct gva_set *k, gva addr)
{
	size_t i;

	for (i = 0; i < k->count; i++)
		if (k->list[i] == addr)
			break;
	return i;
}

static void known_add(struct gva_set *k, gva addr)
{
	k->list = xreallocarray(k->list, k->count + 1, sizeof(gva));
	k->list[k->count++] = addr;
}

static void known_remove(struct gva_set *k, gva addr)
{
	k->list[known_index(k, addr)] = k->list[k->count - 1];
	k->count--;
}

static void engine_insert(struct inspect *s, gva addr)
{
	struct vcpu *v = machine_vcpu(s->m);

	known_add(&s->run.known, addr);
	v->ops->bp_insert(v, addr);
}

static void engine_remove(struct inspect *s, gva addr)
{
	struct vcpu *v = machine_vcpu(s->m);

	known_remove(&s->run.known, addr);
	v->ops->bp_remove(v, addr);
}

bool run_physical_changed(struct inspect *s, uint64_t addr)
{
	bool want = points_at(&s->points, true, addr);
	bool have = known_index(&s->run.known_physical, addr) < s->run.known_physical.count;
	struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;

	if (!v || want == have)
		return true;
	if (v->ops->bp_physical(v, addr, want))
		return false;
	if (want)
		known_add(&s->run.known_physical, addr);
	else
		known_remove(&s->run.known_physical, addr);
	return true;
}

/* The physical address of the instruction at PC, for comparing with points. False: none, or there are no such
 * points.
 */
static bool physical_pc(struct inspect *s, gva pc, uint64_t *pa)
{
	struct walk w;

	if (!s->run.known_physical.count || !session_walk(s, pc, &w) || !w.ok)
		return false;
	*pa = w.pa;
	return true;
}

/* Does the engine have a breakpoint at PC? */
static bool engine_breaks(struct inspect *s, gva pc)
{
	uint64_t pa;

	return known_index(&s->run.known, pc) < s->run.known.count ||
	       (physical_pc(s, pc, &pa) &&
		known_index(&s->run.known_physical, pa) < s->run.known_physical.count);
}

void run_point_changed(struct inspect *s, gva addr)
{
	bool want = points_at(&s->points, false, addr) || (s->run.goal_set && s->run.goal.addr == addr);
	bool have = known_index(&s->run.known, addr) < s->run.known.count;

	if (!s->m || want == have)
		return;
	if (want)
		engine_insert(s, addr);
	else
		engine_remove(s, addr);
}

/* Kinds of access of a watchpoint, as the engine defines them. */
static unsigned watch_type(const struct point *p)
{
	static const unsigned types[POINT_KINDS] = {
		[POINT_WATCH] = ENGINE_WATCH_WRITE,
		[POINT_RWATCH] = ENGINE_WATCH_READ,
		[POINT_AWATCH] = ENGINE_WATCH_ACCESS,
	};

	return types[p->kind];
}

bool run_watch_changed(struct inspect *s, const struct point *p, bool on)
{
	struct vcpu *v = machine_vcpu(s->m);
	unsigned type = watch_type(p) | (p->physical ? ENGINE_WATCH_PHYSICAL : 0);

	if (!engine_has(s, PART_WATCH))
		return false;
	if (on)
		return v->ops->watch_insert(v, p->addr, p->len, type) == 0;
	v->ops->watch_remove(v, p->addr, p->len, type);
	return true;
}

void run_drop_leaving(struct inspect *s)
{
	for (size_t i = s->points.count; i--;) {
		struct point p = s->points.list[i];

		if (!p.leaving)
			continue;
		if (point_watches(&p))
			run_watch_changed(s, &p, false);
		points_delete(&s->points, p.number);
		if (!point_watches(&p))
			run_break_changed(s, &p);
	}
}

void run_points_again(struct inspect *s)
{
	struct vcpu *v = machine_vcpu(s->m);

	while (s->run.known.count)
		engine_remove(s, s->run.known.list[0]);
	while (s->run.known_physical.count) {
		v->ops->bp_physical(v, s->run.known_physical.list[0], false);
		known_remove(&s->run.known_physical, s->run.known_physical.list[0]);
	}
	for (size_t i = 0; i < s->points.count; i++)
		if (point_is_code(&s->points.list[i]))
			run_break_changed(s, &s->points.list[i]);
}

bool run_event_changed(struct inspect *s, const struct point *p, bool on)
{
	struct vcpu *v = machine_vcpu(s->m);

	if (p->event >= ENGINE_EVENTS)
		return machine_event_set(s->m, p->event, (uint32_t)p->lo, (uint32_t)p->hi, on);
	return engine_has(s, PART_EVENTS) &&
	       v->ops->event_set(v, (enum engine_event)p->event, p->lo, p->hi, on) == 0;
}

static void set_goal(struct inspect *s, bool on)
{
	s->run.goal_set = on && s->run.goal.to_addr;
	if (s->run.goal.to_addr)
		run_point_changed(s, s->run.goal.addr);
}

/* ---- stops ---- */

/* Columns: text, kind for debuggers. */
static const struct {
	const char *text;
	enum debug_stop_kind kind;
} reasons[STOPPED_REASONS] = {
	[STOPPED_ASKED] = { "stopped", DEBUG_STOPPED },
	[STOPPED_BREAKPOINT] = { "breakpoint", DEBUG_POINT },
	[STOPPED_WATCHPOINT] = { "watchpoint", DEBUG_POINT },
	[STOPPED_EVENT] = { "event", DEBUG_POINT },
	[STOPPED_PANIC] = { "guest panic", DEBUG_POINT },
	[STOPPED_STEP] = { "step", DEBUG_STEPPED },
	[STOPPED_ICOUNT] = { "icount", DEBUG_STEPPED },
	[STOPPED_FINISH] = { "finish", DEBUG_STEPPED },
	[STOPPED_UNTIL] = { "until", DEBUG_STEPPED },
	[STOPPED_RUN_UNTIL] = { "run-until", DEBUG_STEPPED },
	[STOPPED_HALTED] = { "halted", DEBUG_STEPPED },
	[STOPPED_RESET] = { "reset", DEBUG_STEPPED },
	[STOPPED_OFF] = { "powered off", DEBUG_OFF },
	[STOPPED_EXITED] = { "exited", DEBUG_EXITED },
	[STOPPED_DIED] = { "died", DEBUG_DEAD },
	[STOPPED_FAILED] = { "failed", DEBUG_DEAD },
};

void run_set_stop(struct inspect *s, enum stopped_by reason)
{
	s->run.stop = (struct stop_info){ .reason = reason };
	s->run.shown = false;
}

enum debug_stop_kind run_stop_kind(const struct inspect *s)
{
	return reasons[s->run.stop.reason].kind;
}

const char *run_stop_text(const struct inspect *s)
{
	return reasons[s->run.stop.reason].text;
}

void run_publish(struct inspect *s)
{
	struct inspect_snapshot *snap = xmalloc(sizeof(*snap));
	struct vcpu *v = machine_vcpu(s->m);

	snap->generation = ++s->generation;
	s->revision++;
	snap->icount = v->icount;
	snap->cpu = v->cpu;
	free(s->snapshot);
	s->snapshot = snap;
}

/* Has the machine ended? Sets the stop. */
static bool ended(struct inspect *s)
{
	enum machine_state state = machine_state(s->m);
	const char *error;

	switch (state) {
	case MACHINE_OFF:
		run_set_stop(s, STOPPED_OFF);
		return true;
	case MACHINE_EXITED:
		run_set_stop(s, STOPPED_EXITED);
		snprintf(s->run.stop.detail, sizeof(s->run.stop.detail), "status %d",
			 machine_exit_code(s->m));
		return true;
	case MACHINE_DEAD:
	case MACHINE_FAILED:
		run_set_stop(s, state == MACHINE_DEAD ? STOPPED_DIED : STOPPED_FAILED);
		error = machine_error(s->m);
		snprintf(s->run.stop.detail, sizeof(s->run.stop.detail), "%s",
			 error && error[0] ? error : "triple fault or reset");
		return true;
	default:
		return false;
	}
}

static bool goal_reached(struct inspect *s, gva pc)
{
	if (!s->run.goal_set || s->run.goal.addr != pc)
		return false;
	return !s->run.goal.check_stack || session_sp(s) - s->run.goal.stack < STACK_REACH;
}

/* Does the condition of P hold? A condition that cannot be evaluated counts as true. */
static bool condition_holds(struct inspect *s, const struct point *p, char *why, size_t whylen)
{
	struct expr_env env = session_env(s);
	const char *cond = p->cond;
	struct expr_error err;
	char task[64];
	int64_t val;

	if (p->owner && p->owner->holds && p->extra && !p->owner->holds(p->owner->ctx, p->extra))
		return false;
	if (!cond)
		return true;
	if (point_task(&cond, task, sizeof(task)) && !kernel_task_is(s, task))
		return false;
	if (!*cond)
		return true;
	if (expr_eval(&env, cond, &val, &err))
		return val != 0;
	snprintf(why, whylen, "condition: %s", err.text);
	return true;
}

/* P was hit and its condition holds: does it stop the guest? */
static bool point_stops(struct inspect *s, struct point *p)
{
	p->hits++;
	if (p->ignore) {
		p->ignore--;
		return false;
	}
	if (p->trace) {
		trace_print(s, p);
		return false;
	}
	if (p->commands) {
		free(s->out.hit_commands);
		s->out.hit_commands = xstrdup(p->commands);
		s->out.hit_no_files = p->no_files;
	}
	return true;
}

/* Count a hit of the points at PC. Return the number of the first that stops the guest, 0: none. */
static unsigned hit_points(struct inspect *s, gva pc, char *why, size_t whylen)
{
	unsigned first = 0;
	uint64_t pa = 0;
	bool has_pa = physical_pc(s, pc, &pa);

	for (size_t i = 0; i < s->points.count; i++) {
		struct point *p = &s->points.list[i];

		if (!p->enabled || p->leaving || !point_is_code(p) ||
		    (p->physical ? !has_pa || p->addr != pa : p->addr != pc) ||
		    !condition_holds(s, p, why, whylen) || !point_stops(s, p))
			continue;
		if (!first)
			first = p->number;
		if (p->temporary)
			p->enabled = false;
	}
	return first;
}

static void delete_used_up(struct inspect *s)
{
	for (size_t i = s->points.count; i--;) {
		struct point p = s->points.list[i];

		if (!p.temporary || p.enabled || !p.hits)
			continue;
		points_delete(&s->points, p.number);
		run_break_changed(s, &p);
	}
}

bool run_at_point(struct inspect *s)
{
	char why[220] = "";
	unsigned number = hit_points(s, session_pc(s), why, sizeof(why));

	if (!number)
		return false;
	run_set_stop(s, STOPPED_BREAKPOINT);
	s->run.stop.point = number;
	memcpy(s->run.stop.detail, why, sizeof(why));
	delete_used_up(s);
	return true;
}

/* Describe an access to P's range, with the value before and after. */
static void watch_detail(struct inspect *s, struct point *p, gva addr, char *buf, size_t len)
{
	const char *space = p->physical ? "physical " : "";
	uint64_t now = 0;

	if (p->len > sizeof(now) || session_read(s, p->physical, p->addr, &now, p->len) != p->len)
		snprintf(buf, len, "access to %s0x%s", space, ADDRESS(addr));
	else if (now == p->was)
		snprintf(buf, len, "access to %s0x%s: value 0x%llx", space, ADDRESS(addr),
			 (unsigned long long)now);
	else
		snprintf(buf, len, "access to %s0x%s: old value 0x%llx, new value 0x%llx", space,
			 ADDRESS(addr), (unsigned long long)p->was, (unsigned long long)now);
	p->was = now;
}

/* The first access reported by the engine that P watches for, or NULL. */
static const struct engine_touch *touch_of(struct inspect *s, const struct point *p)
{
	const struct vcpu *v = machine_vcpu(s->m);

	for (unsigned i = 0; i < v->ntouch; i++) {
		const struct engine_touch *t = &v->touch[i];

		if ((t->type & watch_type(p)) && !(t->type & ENGINE_WATCH_PHYSICAL) == !p->physical &&
		    t->at - p->addr < p->len)
			return t;
	}
	return NULL;
}

/* The guest accessed a watched range: does a point stop it? Sets the stop. */
static bool watch_stops(struct inspect *s)
{
	for (size_t i = 0; i < s->points.count; i++) {
		struct point *p = &s->points.list[i];
		char why[220] = "", change[220] = "";
		const struct engine_touch *t;

		if (!p->enabled || p->leaving || !point_watches(p) || !(t = touch_of(s, p)))
			continue;
		if (!p->owner)
			watch_detail(s, p, t->at, change, sizeof(change));
		if (!condition_holds(s, p, why, sizeof(why)) || !point_stops(s, p))
			continue;
		if (!why[0])
			memcpy(why, change, sizeof(why));
		run_set_stop(s, STOPPED_WATCHPOINT);
		s->run.stop.point = p->number;
		s->run.stop.watched = t->at;
		memcpy(s->run.stop.detail, why, sizeof(why));
		return true;
	}
	return false;
}

/* The engine reported an event: does a point stop the guest? Sets the stop. */
static bool event_stops(struct inspect *s)
{
	const struct engine_hit *h = &machine_vcpu(s->m)->event;
	char why[220] = "";

	for (size_t i = 0; i < s->points.count; i++) {
		struct point *p = &s->points.list[i];

		if (!p->enabled || p->kind != POINT_EVENT || p->event != h->kind || h->number < p->lo ||
		    h->number > p->hi || !condition_holds(s, p, why, sizeof(why)) || !point_stops(s, p))
			continue;
		run_set_stop(s, STOPPED_EVENT);
		s->run.stop.point = p->number;
		event_text(s, h, s->run.stop.detail, sizeof(s->run.stop.detail));
		return true;
	}
	return false;
}

/* Did a watchpoint or an event point stop the guest? */
static bool side_stop(struct inspect *s, const struct machine_stop *st)
{
	return (st->reason == STOP_WATCH && watch_stops(s)) || (st->reason == STOP_EVENT && event_stops(s));
}

static bool break_stops(struct inspect *s)
{
	if (run_at_point(s))
		return true;
	if (!goal_reached(s, session_pc(s)))
		return false;
	run_set_stop(s, s->run.goal.reached);
	return true;
}

/* Does this stop of the engine end the run? Sets the stop. */
static bool ends_run(struct inspect *s, const struct machine_stop *st)
{
	if (ended(s))
		return true;
	if (st->reason == STOP_BREAK && break_stops(s))
		return true;
	if (st->reason == STOP_ICOUNT && s->run.goal.to_icount &&
	    machine_vcpu(s->m)->icount >= s->run.goal.icount) {
		run_set_stop(s, STOPPED_ICOUNT);
		return true;
	}
	if (side_stop(s, st))
		return true;
	if (st->reason == STOP_PANIC) {
		run_set_stop(s, STOPPED_PANIC);
		linux_panic_text(s, s->run.stop.detail, sizeof(s->run.stop.detail));
		return true;
	}
	if (!s->run.halting && !session_interrupted(s))
		return false;
	run_set_stop(s, STOPPED_ASKED);
	return true;
}

static void drain_stop_fd(struct inspect *s)
{
	struct pollfd pfd = { .fd = machine_stop_fd(s->m), .events = POLLIN };
	uint64_t count;

	if (pfd.fd >= 0 && poll(&pfd, 1, 0) > 0 && read(pfd.fd, &count, sizeof(count)) < 0)
		return;
}

/* Others of the pool see in the VM's slot whether it runs. */
static void show_running(struct inspect *s, bool on)
{
	struct mm_vm *vm = machine_vm(s->m);
	struct mm_slot *slot = vm ? mm_slot(vm) : NULL;

	if (slot)
		atomic_store_explicit(&slot->runs, on, memory_order_relaxed);
}

static void go(struct inspect *s)
{
	s->run.running = true;
	show_running(s, true);
	machine_held(s->m, false);
	if (s->run.goal.to_icount)
		machine_continue_to_icount(s->m, s->run.goal.icount);
	else
		machine_continue(s->m);
}

/* Step off a breakpoint at pc. False: the step ended the machine or hit another point. */
static bool leave_point(struct inspect *s)
{
	struct machine_stop st;

	if (!engine_breaks(s, session_pc(s)))
		return true;
	st = machine_step(s->m, ENGINE_STEP_WHOLE);
	return !ended(s) && !side_stop(s, &st);
}

static void notify_listeners(struct inspect *s)
{
	struct debug_listener *next;

	if (s->run.listeners && s->face.drain)
		s->face.drain(s->face.ctx);
	for (struct debug_listener *l = s->run.listeners; l; l = next) {
		next = l->next;
		l->stopped(l->ctx);
	}
}

static void settle(struct inspect *s)
{
	s->run.running = false;
	set_goal(s, false);
	run_publish(s);
	if (s->run.quiet) {
		s->run.unseen = true;
		s->run.stopped_at = session_now();
	}
	if (s->run.pausing)
		return;
	kernel_look(s);
	show_running(s, false);
	notify_listeners(s);
}

void run_start(struct inspect *s, const struct run_goal *goal)
{
	run_drop_leaving(s);
	s->run.goal = *goal;
	s->run.quiet = s->run.unseen = false;
	s->run.unasked = 0;
	set_goal(s, true);
	drain_stop_fd(s);
	if (!leave_point(s)) {
		settle(s);
		return;
	}
	if (goal->to_icount && machine_vcpu(s->m)->icount >= goal->icount) {
		run_set_stop(s, STOPPED_ICOUNT);
		settle(s);
		return;
	}
	go(s);
}

/* A request to stop may come late, but not again and again: an engine that stops without being asked would
 * keep run control busy for ever. */
static bool gives_up(struct inspect *s, const struct machine_stop *st)
{
	if (st->reason != STOP_REQUEST && st->reason != STOP_NONE)
		s->run.unasked = 0;
	else if (++s->run.unasked >= MAX_UNASKED) {
		run_set_stop(s, STOPPED_ASKED);
		snprintf(s->run.stop.detail, sizeof(s->run.stop.detail),
			 "the engine stops again and again without a reason");
		return true;
	}
	return false;
}

bool run_settled(struct inspect *s)
{
	struct machine_stop st;

	if (!s->run.running)
		return true;
	drain_stop_fd(s); /* it also announces records of probes */
	probe_lines(s, false);
	if (!machine_wait(s->m, 0, &st))
		return false;
	drain_stop_fd(s);
	probe_lines(s, true);
	if (!ends_run(s, &st) && !gives_up(s, &st) && leave_point(s)) {
		go(s);
		return false;
	}
	settle(s);
	return true;
}

void run_halt(struct inspect *s)
{
	struct machine_stop st;

	s->run.halting = true;
	while (!run_settled(s)) {
		machine_request_stop(s->m);
		machine_wait(s->m, 50, &st);
	}
	s->run.halting = false;
}

void run_wait(struct inspect *s)
{
	session_moves(s, true);
	while (!run_settled(s)) {
		if (session_interrupted(s))
			run_halt(s);
		else
			session_idle(s, 100);
	}
	session_moves(s, false);
}

void run_to(struct inspect *s, const struct run_goal *goal)
{
	run_start(s, goal);
	run_wait(s);
}

bool run_pause(struct inspect *s)
{
	if (!s->run.running)
		return false;
	s->run.pausing = true;
	run_halt(s);
	s->run.pausing = false;
	if (s->run.stop.reason == STOPPED_ASKED) {
		machine_held(s->m, true);
		return true;
	}
	show_running(s, false);
	notify_listeners(s);
	return false;
}

void run_resume(struct inspect *s)
{
	s->run.unasked = 0;
	run_drop_leaving(s);
	set_goal(s, true);
	go(s);
}

bool run_step(struct inspect *s)
{
	return run_step_as(s, s->run.step_irq ? ENGINE_STEP_IRQ : 0);
}

bool run_step_as(struct inspect *s, unsigned how)
{
	struct machine_stop st = machine_step(s->m, how);

	probe_lines(s, true);
	if (ended(s) || side_stop(s, &st))
		return false;
	run_set_stop(s, session_cpu(s)->halted ? STOPPED_HALTED : STOPPED_STEP);
	return !session_cpu(s)->halted;
}

/* ---- the record of a stop ---- */

static const struct view_col stop_cols[] = {
	{ "event", "Event", VAL_STR, "", "always \"stop\"" },
	{ "reason", "Reason", VAL_STR, "",
	  "breakpoint, watchpoint, event, step, stopped, icount, finish, until, run-until, halted, reset, "
	  "powered off, exited, died, failed" },
	{ "breakpoint", "Breakpoint", VAL_UINT, "", "number of the breakpoint" },
	{ "pc", "PC", VAL_ADDR, "", "linear address of the next instruction" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "insn", "Instruction", VAL_STR, "", "the next instruction" },
	{ "icount", "Icount", VAL_UINT, "", "instructions retired (icount clock)" },
	{ "status", "Status", VAL_INT, "", "exit status of a guest that ended" },
	{ "detail", "Detail", VAL_STR, "", "more about the reason" },
	{ "task", "Task", VAL_STR, "", "name of the task that executes, of a Linux guest" },
	{ "pid", "PID", VAL_UINT, "", "its number" },
	{ "file", "File", VAL_STR, "", "source file, if line tables know it" },
	{ "line", "Line", VAL_UINT, "", "line in it" },
};
RECORD_DOC(stop_record, "continue stop stepi nexti finish until run-until run-icount wait profile",
	   stop_cols);

/* [the task is known][has a symbol][breakpoint] */
static const char *const stop_formats[2][2][2] = {
	{ { "{reason} at {pc}:  {insn}", "{reason} {breakpoint} at {pc}:  {insn}" },
	  { "{reason} at {pc} <{symbol}>:  {insn}", "{reason} {breakpoint} at {pc} <{symbol}>:  {insn}" } },
	{ { "{reason} in {task} {pid} at {pc}:  {insn}",
	    "{reason} {breakpoint} in {task} {pid} at {pc}:  {insn}" },
	  { "{reason} in {task} {pid} at {pc} <{symbol}>:  {insn}",
	    "{reason} {breakpoint} in {task} {pid} at {pc} <{symbol}>:  {insn}" } },
};

/* The source line at which the guest is, and its text where the file can be read. */
static void report_source(struct inspect *s, const struct source_line *l, struct result *r)
{
	const char *text = session_source_text(s, l, l->line);

	if (text)
		result_text(r, "%s:%d  %s", l->file, l->line, text + strspn(text, " \t"));
	else
		result_text(r, "%s:%d", l->file, l->line);
}

void run_report(struct inspect *s, struct result *r)
{
	bool over = machine_state(s->m) > MACHINE_RUNNING;
	char sym[300], insn[300] = "";
	gva pc = session_pc(s);
	struct disas_insn in;
	struct lx_task task;
	struct source_line line;
	const char *format;
	bool tasked, sourced;
	struct table *t;

	kernel_place(s, pc, sym, sizeof(sym));
	if (examine_insn(s, pc, &in))
		examine_insn_text(s, &in, insn, sizeof(insn));
	else
		snprintf(insn, sizeof(insn), "(not readable)");
	tasked = !over && kernel_task(s, &task);
	sourced = !over && session_source(s, pc, &line);
	format = stop_formats[tasked][sym[0] != 0][s->run.stop.point != 0];
	if (over)
		format = s->run.stop.detail[0] ? "guest {reason}: {detail}" : "guest {reason}";
	t = result_table(r, stop_cols, ARRAY_LEN(stop_cols), TABLE_PLAIN, format);
	table_row(t, (struct value[]){ V_STR("stop"), V_STR(reasons[s->run.stop.reason].text),
				       s->run.stop.point ? V_UINT(s->run.stop.point) : V_NONE, V_ADDR(pc),
				       sym[0] ? V_STR(sym) : V_NONE, over ? V_NONE : V_STR(insn),
				       s->icount_clock ? V_UINT(machine_vcpu(s->m)->icount) : V_NONE,
				       over ? V_INT(inspect_exit_status(s, NULL, 0)) : V_NONE,
				       s->run.stop.detail[0] ? V_STR(s->run.stop.detail) : V_NONE,
				       tasked ? V_STR(task.comm) : V_NONE, tasked ? V_UINT(task.pid) : V_NONE,
				       sourced ? V_STR(line.file) : V_NONE,
				       sourced ? V_UINT((uint64_t)line.line) : V_NONE });
	if (!over && s->run.stop.detail[0])
		result_text(r, "%s", s->run.stop.detail);
	if (sourced)
		report_source(s, &line, r);
	if (!over)
		display_show(s, r);
	r->stop = true;
	s->run.shown = true;
}
