/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session struct and what the parts of inspect/ offer each other. */
#ifndef INSPECT_SESSION_INT_H
#define INSPECT_SESSION_INT_H
#include "hv/machine.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "inspect/engine.h"
#include "inspect/expr.h"
#include "inspect/points.h"
#include "inspect/run_int.h"
#include "inspect/serial.h"
#include "inspect/debuginfo/symbols.h"

struct variable {
	char name[64];
	uint64_t val;
};

enum { MAX_ADDONS = 4 };

/* Large because commands, run control and listeners share one session; each part of it has a comment. */
struct inspect {
	struct inspect_face face;
	struct machine *m;
	bool icount_clock;
	bool switched_off; /* "poweroff": the guest is held, for good */
	bool running;	   /* run control believes the vCPU runs */
	bool shown;	   /* the stop that STOP describes has been reported */
	bool halting;	   /* a stop was asked for by run control itself */
	bool pausing;	   /* ... for a look only: listeners are not told */
	bool quiet;	   /* a debugger lets it run: people are told of a stop when it lasts */
	bool unseen;	   /* such a stop, at STOPPED_AT */
	int64_t stopped_at;
	bool expected; /* a debugger is waited for */
	struct debug_listener *listeners;
	struct run_goal goal;
	bool goal_set;	      /* goal.addr is among the engine's breakpoints on goal's account */
	struct gva_set known; /* addresses the engine has as breakpoints */
	struct stop_info stop;
	bool interrupted; /* __atomic: set by inspect_interrupt() */
	int64_t deadline; /* monotonic ns, 0: none */
	bool timed_out;
	bool step_irq;	 /* "set step-irq on" */
	bool query_live; /* commands look at a running guest without stopping it (query.c) */
	struct points points;
	struct symbols symbols;
	struct serial_log *serial;
	struct variable *vars;
	size_t nvars;
	struct display *displays; /* cmd/display.c */
	size_t ndisplays;
	unsigned last_display;
	struct examine {
		uint64_t next; /* where an x without an address goes on */
		char format, unit;
		bool physical;
	} examine;
	FILE *log_file;
	struct log_copy *log_copy; /* NULL: nobody has asked for it */
	struct inspect_tap *taps;
	bool serial_taken;
	const struct inspect_sink *home;  /* the session's own face's; NULL: none */
	char *hit_commands;		  /* of the point that stopped the guest, not executed yet */
	bool in_hit_commands;		  /* they are being executed */
	bool moving;			  /* a command makes the guest run */
	const struct inspect_sink *mover; /* that command's, or of one that waits; NULL: none */
	char *repeat;
	unsigned depth; /* of "source" */
	bool quit;
	const struct inspect_addon *addons[MAX_ADDONS];
	unsigned naddons;
	bool patching;	 /* there are, or were, patches */
	bool probing;	 /* there are, or were, probes that print */
	bool more_lines; /* of theirs wait to be printed */
	unsigned generation;
	unsigned revision; /* see inspect_revision() */
	struct inspect_snapshot *snapshot;
};

/* ---- guest.c ---- */
struct cpu *session_cpu(struct inspect *s);
/* Walk the guest's page tables for LIN as a debugger does. False: the engine translates by itself, and paging
 * is on. */
bool session_walk(struct inspect *s, gva lin, struct walk *w);
/* Bytes of the mapping, or of the hole, that the walk W found. */
uint64_t session_walk_span(struct inspect *s, const struct walk *w);
gva session_pc(struct inspect *s);
unsigned session_code_bits(struct inspect *s); /* 16 or 32 */
/* Copy as many of N bytes at linear (or physical) ADDR as can be read; returns how many. */
size_t session_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n);
/* Write N bytes, at most a page, all or nothing; read-only pages and ROM too. */
bool session_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n);
/* Control registers, or memory that may hold page tables, were changed: drop what was derived from them. */
void session_flush(struct inspect *s);
/* Registers or memory were changed from outside. */
void session_changed(struct inspect *s);
struct expr_env session_env(struct inspect *s);
/* Evaluate all of TEXT. 0, or -1 with the error in R. */
int session_eval(struct inspect *s, const char *text, int64_t *val, struct result *r);
/* Evaluate an address at the start of *TEXT and move *TEXT behind it: an expression, or SEGMENT:OFFSET as the
 * processor's mode has it. False with one line in ERR. */
bool session_place(struct inspect *s, const char **text, int64_t *addr, struct expr_error *err);
/* Likewise, but all of TEXT. 0, or -1 with the error in R. */
int session_place_all(struct inspect *s, const char *text, int64_t *addr, struct result *r);
/* The address in argument I of A; pc when there is none. */
int session_address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out);
struct variable *session_variable(struct inspect *s, const char *name, bool make);

/* ---- session.c ---- */
bool session_interrupted(struct inspect *s); /* also the deadline */
void session_idle(struct inspect *s, int timeout_ms);
/* A command lets the guest run from now on, or does no more: the faces are told who has the terminal. */
void session_moves(struct inspect *s, bool on);
int64_t session_now(void); /* monotonic ns */

/* ---- execute.c ---- */
/* Execute the command LINE: no blanks around it, not empty. */
int session_execute(struct inspect *s, const char *line, struct result *r, const struct inspect_sink *sink);
/* Do what was to be done when the point was hit at which the guest stopped. */
enum inspect_status session_hit_commands(struct inspect *s, const struct inspect_sink *sink);

/* ---- output.c ---- */
/* Give R to SINK, which may be NULL. */
void session_answer(const struct inspect_sink *sink, const struct result *r);
/* Give R, which nobody asked for, to all faces; R is freed. */
void session_emit(struct inspect *s, struct result *r);
/* Give it to all but the session's own face. */
void session_tell_others(struct inspect *s, const struct result *r);
void session_log_fini(struct inspect *s); /* log_copy.c */
/* A sink for commands that nobody gave: their results go to SINK and, but for stops, to all other faces. */
struct session_all {
	struct inspect *s;
	const struct inspect_sink *sink;
	struct inspect_sink to;
};
void session_all_init(struct session_all *all, struct inspect *s, const struct inspect_sink *sink);

/* ---- cmd/trace.c, cmd/probe.c, cmd/event.c: what points print, do and say ---- */
/* What probes put on record since the last time: ALL, of a guest that stands, or what fits into a turn. */
void probe_lines(struct inspect *s, bool all);
void trace_print(struct inspect *s, const struct point *p);
/* "exception #PF, error code 0x2, at 0x..." */
void event_text(struct inspect *s, const struct engine_hit *h, char *buf, size_t len);
/* What event point P waits for: "exception 14", "port 0x60-0x64". */
void event_name(struct inspect *s, const struct point *p, char *buf, size_t len);
/* TEXT, what is left of command A's line, is empty or "if CONDITION". 0 with *COND, or -1. */
int point_condition(struct inspect *s, const struct cmd_args *a, const char *text, const char **cond,
		    struct result *r);
/* Add the row that describes P. */
void point_report(struct inspect *s, const struct point *p, struct result *r);

/* ---- cmd/display.c ---- */
void display_show(struct inspect *s, struct result *r); /* add what is to be shown at a stop */
void display_fini(struct inspect *s);

/* ---- complete.c ---- */
struct finder;
/* TEXT may be what F's word becomes. */
void complete_offer(struct finder *f, const char *text);
/* Offer the names of the keyboard's keys (cmd/input.c). */
void input_key_names(void (*offer)(struct finder *f, const char *text), struct finder *f);
/* Offer the names that numbers of the event KIND have (cmd/event.c). */
void event_numbers(struct inspect *s, const char *kind, void (*offer)(struct finder *f, const char *text),
		   struct finder *f);

/* ---- cmd/stack.c ---- */
/* How a frame was found. */
enum frame_by { FRAME_PC, FRAME_CFI, FRAME_POINTER, FRAME_TOP, FRAME_GUESS, FRAME_WAYS };
struct frame {
	uint32_t pc, frame; /* return address (the first: pc); frame pointer, or the stack pointer there */
	enum frame_by by;
};
/* The call stack, innermost first, at most MAX frames: by the symbol file's call frame information
 * where it has some, otherwise by frame pointers. */
unsigned stack_frames(struct inspect *s, struct frame *frames, unsigned max);
/* Where the present function will return to, and the stack pointer then, as call frame information
 * has it. False: there is none. */
bool stack_return(struct inspect *s, uint32_t *addr, uint32_t *stack);

/* ---- handlers whose rows are in another file ---- */
int cmd_trace(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/event.c */
int save_script_write(struct inspect *s, const char *file, struct result *r); /* save_script.c */
int cmd_probe(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/probe.c */
int cmd_unprobe(struct inspect *s, const struct cmd_args *a, struct result *r);
int cmd_pick(struct inspect *s, const struct cmd_args *a, struct result *r);	/* view.c */
int cmd_profile(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/stack.c */

/* ---- view.c ---- */
extern const struct view *const inspect_views[], *const inspect_mmu_views[]; /* owner: the session */
const struct view *view_find(struct inspect *s, const char *name, void **owner, char *why, size_t whylen);
void view_each(struct inspect *s, void (*found)(void *ctx, const struct view *v), void *ctx);
/* Which column is followed by one "symbol" that the view does not know; -1: none. */
int view_pc_column(const struct view *v);
int view_show(struct inspect *s, const char *name, const struct cmd_args *a, int first_arg, struct result *r);
#endif
