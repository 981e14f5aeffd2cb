/* SPDX-License-Identifier: GPL-3.0-or-later
 * Run control inside the session: run the guest, wait for it, say why it stopped (run.c). */
#ifndef INSPECT_RUN_INT_H
#define INSPECT_RUN_INT_H
#include "hv/machine.h"
#include "inspect/debug.h"
#include "inspect/points.h"

struct inspect;
struct result;

/* Why the guest is stopped; run.c has the texts. */
enum stopped_by {
	STOPPED_ASKED, /* by a command, a signal or a client */
	STOPPED_BREAKPOINT,
	STOPPED_WATCHPOINT,
	STOPPED_EVENT,
	STOPPED_PANIC, /* the guest's kernel panicked: by a device (--device pvpanic) */
	STOPPED_STEP,
	STOPPED_ICOUNT,
	STOPPED_FINISH,
	STOPPED_UNTIL,
	STOPPED_RUN_UNTIL,
	STOPPED_HALTED,
	STOPPED_RESET,
	STOPPED_OFF,
	STOPPED_EXITED,
	STOPPED_DIED,
	STOPPED_FAILED,
	STOPPED_REASONS
};

/* Where a run ends, apart from breakpoints. */
struct run_goal {
	bool to_addr; /* stop at ADDR ... */
	gva addr;
	bool check_stack; /* ... when the stack pointer is in [STACK, STACK + 64 KiB) */
	uint64_t stack;
	bool to_icount; /* stop at this instruction count */
	uint64_t icount;
	enum stopped_by reached; /* the reason to report */
};

/* The last stop. */
struct stop_info {
	enum stopped_by reason;
	unsigned point;	  /* number of the breakpoint, 0: none */
	gva watched;	  /* of a watchpoint: the address that was touched */
	char detail[512]; /* more about it, one line: an error of a condition or of the engine */
};

struct gva_set {
	gva *list;
	size_t count;
};

void run_start(struct inspect *s, const struct run_goal *goal);
/* Handle stops of the engine. True: the machine is stopped, S->stop says why. */
bool run_settled(struct inspect *s);
/* Wait until the guest stops; stop it when interrupted. */
void run_wait(struct inspect *s);
void run_to(struct inspect *s, const struct run_goal *goal);
/* Stop a machine that runs in the background. */
void run_halt(struct inspect *s);
/* Stop the guest for a query. True: it ran, and run_resume() must follow. */
bool run_pause(struct inspect *s);
void run_resume(struct inspect *s);
/* Execute one instruction. False: the machine ended or halted, S->stop says which. */
bool run_step(struct inspect *s);
bool run_step_as(struct inspect *s, unsigned how); /* HOW: bits of enum engine_step */
bool run_at_point(struct inspect *s);		   /* does a breakpoint at pc stop the guest? sets S->stop */
void run_point_changed(struct inspect *s, gva addr); /* update the engine's breakpoint at ADDR */
/* Likewise at a physical address. False: the engine has no room for it. */
bool run_physical_changed(struct inspect *s, uint64_t addr);
/* Either, for breakpoint P, which may have been deleted. */
static inline bool run_break_changed(struct inspect *s, const struct point *p)
{
	if (p->physical)
		return run_physical_changed(s, p->addr);
	run_point_changed(s, p->addr);
	return true;
}
/* Add (ON) or remove watchpoint P in the engine. False: the engine cannot. */
bool run_watch_changed(struct inspect *s, const struct point *p, bool on);
/* Likewise for event point P. */
bool run_event_changed(struct inspect *s, const struct point *p, bool on);
/* Delete the points that their owner removed and did not insert again. */
void run_drop_leaving(struct inspect *s);
void run_points_again(struct inspect *s); /* insert all points into the engine again, after a reset */
void run_set_stop(struct inspect *s, enum stopped_by reason);
/* The kind of the last stop for debuggers, and its name. */
enum debug_stop_kind run_stop_kind(const struct inspect *s);
const char *run_stop_text(const struct inspect *s);
void run_publish(struct inspect *s);
/* Execute one instruction, or a whole call, interrupt or REP (cmd/run.c). False: something else stopped the
 * guest. */
bool run_step_over(struct inspect *s);
/* Serve the faces now and then in long runs of single steps, again at monotonic time *NEXT. False:
 * interrupted. */
bool run_step_break(struct inspect *s, int64_t *next);
/* Run to ADDR with the stack pointer at STACK or slightly above. */
void run_to_address(struct inspect *s, gva addr, uint64_t stack, enum stopped_by reached);
/* Add the record of the last stop. 0, or -1 if the engine failed or the time is over. */
int run_report_stop(struct inspect *s, struct result *r);
/* Add the record of the last stop. */
void run_report(struct inspect *s, struct result *r);
#endif
