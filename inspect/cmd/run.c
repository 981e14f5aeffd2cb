/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands that run the guest, named as gdb's. Each returns one stop record. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "base/alloc.h"
#include "x86/disas.h"

#include <stdlib.h>
#include <string.h>

int run_report_stop(struct inspect *s, struct result *r)
{
	run_report(s, r);
	if (s->run.timed_out)
		return result_fail(r, "the time limit was reached");
	if (machine_state(s->m) == MACHINE_FAILED)
		return result_fail(r, "%s", s->run.stop.detail);
	return 0;
}

static int report_run(struct inspect *s, struct result *r, const struct run_goal *goal)
{
	run_to(s, goal);
	return run_report_stop(s, r);
}

static int cmd_continue(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	if (!a->argc)
		return report_run(s, r, &(struct run_goal){ 0 });
	if (strcmp(a->argv[0], "&"))
		return result_fail(r, "usage: continue [&]");
	run_start(s, &(struct run_goal){ 0 });
	return 0;
}

static int cmd_stop(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)a;
	if (s->run.running)
		run_halt(s);
	run_report(s, r);
	return 0;
}

bool run_step_break(struct inspect *s, int64_t *next)
{
	int64_t now = session_now();

	if (now >= *next) {
		session_idle(s, 0);
		*next = now + 20 * 1000 * 1000;
	}
	if (!session_interrupted(s))
		return true;
	run_set_stop(s, STOPPED_ASKED);
	return false;
}

static int64_t count_arg(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n = 1;

	if (a->argc && session_eval(s, a->rest, &n, r))
		return -1;
	if (n < 1)
		return result_fail(r, "%s: expected a count of at least 1", a->name);
	return n;
}

static int cmd_stepi(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n = count_arg(s, a, r), next = session_now() + 20 * 1000 * 1000;

	if (n < 0)
		return -1;
	while (n-- && run_step(s)) {
		if (run_at_point(s) || (n && !run_step_break(s, &next)))
			break;
	}
	run_publish(s);
	return run_report_stop(s, r);
}

void run_to_address(struct inspect *s, gva addr, uint64_t stack, enum stopped_by reached)
{
	run_to(s,
	       &(struct run_goal){
		   .to_addr = true, .addr = addr, .check_stack = true, .stack = stack, .reached = reached });
}

bool run_step_over(struct inspect *s)
{
	struct disas_insn in;

	if (!examine_insn(s, session_pc(s), &in) ||
	    (in.kind != DISAS_CALL && in.kind != DISAS_INT && in.kind != DISAS_REP))
		return run_step(s);
	run_to_address(s, session_linear(s, session_pc(s) + in.len), session_sp(s), STOPPED_STEP);
	return s->run.stop.reason == STOPPED_STEP;
}

static int cmd_nexti(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n = count_arg(s, a, r), next = session_now() + 20 * 1000 * 1000;

	if (n < 0)
		return -1;
	while (n-- && run_step_over(s)) {
		if (run_at_point(s) || (n && !run_step_break(s, &next)))
			break;
	}
	run_publish(s);
	return run_report_stop(s, r);
}

/* ---- finish ---- */

static bool read_word(struct inspect *s, gva addr, uint64_t *val)
{
	*val = 0;
	return session_read(s, false, addr, val, session_code_bits(s) / 8) == session_code_bits(s) / 8;
}

/* Find the return address where it is certain: by call frame information, at the first instruction of a
 * function, at its return, and behind a prologue "push ebp; mov ebp, esp". STACK: the stack pointer after the
 * return. */
static bool return_address(struct inspect *s, uint64_t *addr, uint64_t *stack)
{
	/* columns: of 64-bit code; the instructions */
	static const struct {
		uint8_t wide, code[4];
	} prologues[] = { { 0, { 0x55, 0x89, 0xe5 } },
			  { 0, { 0x55, 0x8b, 0xec } },
			  { 1, { 0x55, 0x48, 0x89, 0xe5 } } };
	bool wide = session_code_bits(s) == 64, known = false;
	unsigned word = wide ? 8 : 4;
	uint64_t bp = session_cpu(s)->gpr[R_EBP], base = session_segment(s, SEG_SS);
	const struct symbol *sym = symbols_at(&s->symbols, session_pc(s));
	struct disas_insn in;
	uint8_t head[4];

	bp = wide ? bp : (uint32_t)bp;
	if (session_code_bits(s) == 16 || !examine_insn(s, session_pc(s), &in))
		return false;
	if (stack_return(s, addr, stack))
		return true;
	*stack = session_sp(s) + word;
	if (in.kind == DISAS_RET || (sym && sym->addr == session_pc(s)))
		return read_word(s, base + session_sp(s), addr) && examine_follows_call(s, *addr);
	if (!sym || session_pc(s) < sym->addr + 3 + wide ||
	    session_read(s, false, sym->addr, head, 3 + wide) != 3u + wide)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(prologues); i++)
		known |= prologues[i].wide == wide && !memcmp(head, prologues[i].code, 3 + wide);
	*stack = bp + 2 * word;
	return known && bp >= session_sp(s) && read_word(s, base + bp + word, addr) &&
	       examine_follows_call(s, *addr);
}

/* Step, over calls, until the function has returned. For functions without a certain return address. */
static void step_out(struct inspect *s)
{
	int64_t next = session_now() + 20 * 1000 * 1000;
	struct disas_insn in;

	for (;;) {
		bool last =
		    examine_insn(s, session_pc(s), &in) && (in.kind == DISAS_RET || in.kind == DISAS_IRET);

		if (!run_step_over(s))
			return;
		if (last)
			break;
		if (run_at_point(s) || !run_step_break(s, &next))
			return;
	}
	run_set_stop(s, STOPPED_FINISH);
}

static int cmd_finish(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	uint64_t addr, stack;

	(void)a;
	if (return_address(s, &addr, &stack)) {
		run_to_address(s, addr, stack, STOPPED_FINISH);
	} else {
		session_moves(s, true);
		step_out(s);
		session_moves(s, false);
	}
	run_publish(s);
	return run_report_stop(s, r);
}

/* ---- until ---- */

/* The linear address ADDR, also one of a mode that the guest will enter. */
static gva goal(struct inspect *s, int64_t addr)
{
	return session_may_be_linear(s, addr) ? (gva)addr : session_linear(s, (gva)addr);
}

static int cmd_until(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	gva pc = session_pc(s);
	uint64_t stack = session_sp(s);
	struct disas_insn in;
	int64_t addr;

	if (a->argc) {
		if (session_place_all(s, a->rest + (a->rest[0] == '*'), &addr, r))
			return -1;
		return report_run(
		    s, r,
		    &(struct run_goal){ .to_addr = true, .addr = goal(s, addr), .reached = STOPPED_UNTIL });
	}
	if (!examine_insn(s, pc, &in))
		return result_fail(r, "until: cannot read the instruction at pc");
	if (run_step_over(s) && session_pc(s) <= pc && !run_at_point(s))
		run_to_address(s, pc + in.len, stack, STOPPED_UNTIL);
	run_publish(s);
	return run_report_stop(s, r);
}

/* ---- run-until ---- */

/* Is TEXT "$pc == ADDRESS", which needs no single steps? */
static bool address_goal(struct inspect *s, const char *text, int64_t *addr)
{
	static const char *const names[] = { "$pc", "$eip", "$rip" };
	struct expr_env env = session_env(s);
	struct expr_error err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *p = text + strlen(names[i]);

		if (strncmp(text, names[i], strlen(names[i])))
			continue;
		p += strspn(p, " \t");
		/* the address must be constant */
		if (!strncmp(p, "==", 2) && !strpbrk(p + 2, "$*[&|?=<>"))
			return expr_eval(&env, p + 2, addr, &err) && !session_segment(s, SEG_CS);
	}
	return false;
}

/* Step until the expression TEXT is not 0, at most MAX times (0: no limit). 0, or -1 with the error in R. */
static int step_until(struct inspect *s, const char *text, uint64_t max, struct result *r)
{
	struct expr_env env = session_env(s);
	int64_t next = session_now(), val;
	struct expr_error err;

	for (uint64_t n = 1;; n++) {
		if (!run_step(s) && s->run.stop.reason != STOPPED_HALTED)
			return 0;
		if (run_at_point(s) || !run_step_break(s, &next))
			return 0;
		if (!expr_eval(&env, text, &val, &err))
			return result_fail(r, "run-until: %s", err.text);
		if (val) {
			run_set_stop(s, STOPPED_RUN_UNTIL);
			return 0;
		}
		if (n == max)
			return result_fail(r,
					   "run-until: the expression did not hold within %llu instructions",
					   (unsigned long long)max);
	}
}

static int cmd_run_until(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct expr_env env = session_env(s);
	const char *text = a->rest;
	bool irq = s->run.step_irq;
	int64_t max = 0, val;
	struct expr_error err;
	char *expr;
	int rc;

	if (!expr_eval_prefix(&env, &text, &val, &err))
		return result_fail(r, "run-until: %s", err.text);
	expr = xstrndup(a->rest, (size_t)(text - a->rest));
	if (!strncmp(text, "max ", 4) && (session_eval(s, text + 4, &max, r) || max < 1))
		rc = result_fail(r, "run-until: expected a count of at least 1 after max");
	else if (*text && !max)
		rc = result_fail(r, "run-until: unexpected '%.20s'", text);
	else
		rc = 0;
	if (!rc && !max && address_goal(s, expr, &val)) {
		run_to(s, &(struct run_goal){
			      .to_addr = true, .addr = goal(s, val), .reached = STOPPED_RUN_UNTIL });
	} else if (!rc) {
		session_moves(s, true);
		s->run.step_irq = true;
		rc = step_until(s, expr, (uint64_t)max, r);
		s->run.step_irq = irq;
		session_moves(s, false);
	}
	free(expr);
	run_publish(s);
	return run_report_stop(s, r) || rc ? -1 : 0;
}

static int cmd_run_icount(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n;

	if (!s->icount_clock)
		return result_fail(r, "run-icount: needs --clock icount");
	if (session_eval(s, a->rest, &n, r))
		return -1;
	if ((uint64_t)n < machine_vcpu(s->m)->icount)
		return result_fail(r, "run-icount: the guest is already at %llu",
				   (unsigned long long)machine_vcpu(s->m)->icount);
	return report_run(s, r, &(struct run_goal){ .to_icount = true, .icount = (uint64_t)n });
}

static int cmd_reset(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char err[256];

	(void)a;
	if (!machine_reset(s->m, err, sizeof(err)))
		return result_fail(r, "reset: %s", err);
	s->switched_off = false;
	run_points_again(s);
	run_set_stop(s, STOPPED_RESET);
	run_publish(s);
	run_report(s, r);
	return 0;
}

static int cmd_poweroff(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)a;
	(void)r;
	if (s->run.running)
		run_halt(s);
	s->switched_off = true;
	return 0;
}

static const struct command commands[] = {
	{ "continue", "c cont", "[&]", "run the guest until it stops",
	  "Ctrl-C stops it (in the shell also Ctrl-]). With & the command returns at once and the guest runs "
	  "in the background.",
	  cmd_continue, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, 1, COMP_NONE },
	{ "stop", NULL, "", "stop a guest that runs in the background", NULL, cmd_stop, CMD_MACHINE, 0, 0,
	  COMP_NONE },
	{ "stepi", "si", "[N]", "execute one instruction, or N",
	  "Of a REP it executes one iteration. Ends early at a breakpoint. Interrupts are held pending meanwhile, unless 'set step-irq on'.",
	  cmd_stepi, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "nexti", "ni", "[N]", "like stepi, but a call, INT or REP instruction counts as one", NULL,
	  cmd_nexti, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "finish", "fin", "", "run until the current function returns",
	  "If the return address is not certain (no symbol, no frame pointer), it single-steps to the return; "
	  "calls run at full speed.",
	  cmd_finish, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, 0, COMP_NONE },
	{ "until", "advance", "[ADDRESS]", "run to ADDRESS; without ADDRESS, past the end of a loop", NULL,
	  cmd_until, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "run-until", NULL, "EXPR [max N]",
	  "run until EXPR is not 0; it is evaluated after each instruction, at most N times",
	  "Interrupts are delivered meanwhile. $pc == ADDRESS runs at full speed.", cmd_run_until,
	  CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 1, -1, COMP_EXPR },
	{ "run-icount", NULL, "N", "run until exactly N instructions have retired (--clock icount)", NULL,
	  cmd_run_icount, CMD_STOPPED | CMD_ALIVE, 1, -1, COMP_EXPR },
	{ "reset", NULL, "",
	  "power cycle: memory cleared, image loaded again, stopped at the first instruction", NULL,
	  cmd_reset, CMD_STOPPED, 0, 0, COMP_NONE },
	{ "poweroff", "kill k", "", "switch the guest off; its last state stays visible", NULL, cmd_poweroff,
	  CMD_MACHINE, 0, 0, COMP_NONE },
	{ 0 },
};

const struct command_group cmd_run_group = { "run", "Running the guest", commands };
