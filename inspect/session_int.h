/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session struct, and the functions that the parts of inspect/ share. */
#ifndef INSPECT_SESSION_INT_H
#define INSPECT_SESSION_INT_H
#include "hv/machine.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "inspect/engine.h"
#include "inspect/expr.h"
#include "inspect/kernel_int.h"
#include "inspect/points.h"
#include "inspect/run_int.h"
#include "inspect/serial.h"
#include "inspect/debuginfo/source.h"
#include "inspect/debuginfo/symbols.h"

struct variable {
	char name[64];
	uint64_t val;
};

enum { MAX_ADDONS = 4 };

/* Run control (run.c, debug.c). */
struct run_state {
	bool running; /* run control believes the vCPU runs */
	bool shown;   /* STOP has been reported */
	bool halting; /* run control itself asked for a stop */
	bool pausing; /* ... for a query only: listeners are not notified */
	bool quiet;   /* a debugger resumed the guest: other faces are notified only of stops that last */
	bool unseen;  /* such a stop happened, at STOPPED_AT */
	int64_t stopped_at;
	bool expected; /* the session waits for a debugger */
	struct debug_listener *listeners;
	struct run_goal goal;
	bool goal_set;			      /* the engine has a breakpoint at goal.addr for the goal */
	struct gva_set known, known_physical; /* addresses that the engine has as breakpoints */
	struct stop_info stop;
	bool interrupted; /* __atomic: set by inspect_interrupt() */
	int64_t deadline; /* monotonic ns, 0: none */
	bool timed_out;
	const char *lost; /* why the session must end, else NULL */
	unsigned unasked; /* stops of the engine without a reason, in series */
	bool step_irq;	  /* "set step-irq on" */
};

/* Where output goes (output.c, execute.c, log_copy.c). */
struct output_state {
	FILE *log_file;
	struct log_copy *log_copy; /* NULL: not asked for */
	struct inspect_tap *taps;
	bool serial_taken;
	const struct inspect_sink *home;  /* the session's own face's; NULL: none */
	char *hit_commands;		  /* of the point that stopped the guest; not yet executed */
	bool hit_no_files;		  /* they may not reach files of the host */
	bool in_hit_commands;		  /* they are being executed */
	bool moving;			  /* a command lets the guest run */
	const struct inspect_sink *mover; /* that command's, or that of a command that waits; NULL: none */
	bool more_lines;		  /* lines of probes are waiting to be printed */
};

struct inspect {
	struct inspect_face face;
	struct machine *m;
	struct mm_pool *pool; /* the machine's, or the host's; NULL: none */
	bool icount_clock;
	bool switched_off; /* "poweroff": the guest does not run any more */
	bool quit;
	struct run_state run;
	struct output_state out;
	bool query_live, query_late; /* of query.c: do not stop a running guest; look symbols up when shown */
	struct points points;
	struct symbols symbols;
	struct kernel_state kernel;
	struct serial_log *serial;
	struct asm_helper *assembler; /* NULL: as and ld are run by this process */
	struct variable *vars;
	size_t nvars;
	struct display *displays; /* cmd/display.c */
	size_t ndisplays;
	unsigned last_display;
	struct examine {
		uint64_t next; /* where x without an address continues */
		char format, unit;
		bool physical;
	} examine;
	struct {
		unsigned number, generation; /* of the stop in which it was selected; else 0 */
	} frame;			     /* frame, up, down */
	struct {
		struct source files;
		int next;      /* line with which list goes on, in the stop GENERATION; 0: none */
		uint64_t addr; /* code of the file that it showed */
		unsigned generation;
	} source;
	char *repeat;
	unsigned depth; /* of "source" */
	const struct inspect_addon *addons[MAX_ADDONS];
	unsigned naddons;
	bool patching; /* a patch was added at some time */
	bool probing;  /* a probe that prints was added at some time */
	unsigned generation;
	unsigned revision; /* see inspect_revision() */
	struct inspect_snapshot *snapshot;
};

/* ---- guest.c ---- */
struct cpu *session_cpu(struct inspect *s);
/* Walk the guest's page tables for LIN without side effects. False: not possible, as the engine translates by
 * itself and paging is on. */
bool session_walk(struct inspect *s, gva lin, struct walk *w);
/* Bytes of the mapping, or of the hole, that the walk W found. */
uint64_t session_walk_span(struct inspect *s, const struct walk *w);
gva session_pc(struct inspect *s);
unsigned session_code_bits(struct inspect *s); /* 16, 32 or 64 */
/* ADDR as a linear address in the present mode: in IA-32e mode all of it, else its low 32 bits. */
gva session_linear(struct inspect *s, uint64_t addr);
/* Is ADDR a linear address in the present mode? And in any mode that the processor has (of a point)? */
bool session_is_linear(struct inspect *s, int64_t addr);
bool session_may_be_linear(struct inspect *s, int64_t addr);
/* Are the LEN bytes at ADDR such linear addresses (MAY: in any mode), or physical ones? */
bool session_is_range(struct inspect *s, bool physical, bool may, int64_t addr, int64_t len);
/* The stack pointer as code of the present mode uses it. */
uint64_t session_sp(struct inspect *s);
/* The base of segment S as the present mode uses it. */
gva session_segment(struct inspect *s, enum seg seg);
/* Copy up to N bytes at linear (or physical) ADDR, as far as they can be read; return how many. */
size_t session_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n);
/* Write N bytes, at most a page, all or none; also to read-only pages and ROM. */
bool session_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n);
/* Drop state derived from control registers and page tables, after a debugger's write. */
void session_flush(struct inspect *s);
/* Announce that a face changed registers or memory. */
void session_changed(struct inspect *s);
struct expr_env session_env(struct inspect *s);
/* Evaluate all of TEXT. 0, or -1 with the error in R. */
int session_eval(struct inspect *s, const char *text, int64_t *val, struct result *r);
/* Evaluate an address at the start of *TEXT and advance *TEXT past it: an expression, FILE:LINE, or
 * SEGMENT:OFFSET as the processor's mode defines it. False with the reason in ERR. */
bool session_place(struct inspect *s, const char **text, int64_t *addr, struct expr_error *err);
/* Likewise, but all of TEXT. 0, or -1 with the error in R. */
int session_place_all(struct inspect *s, const char *text, int64_t *addr, struct result *r);
/* Get the address in argument I of A; pc if there is no such argument. 0, or -1 with the error in R. */
int session_address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out);
struct variable *session_variable(struct inspect *s, const char *name, bool make);

/* ---- session.c ---- */
bool session_interrupted(struct inspect *s); /* also the deadline */
void session_idle(struct inspect *s, int timeout_ms);
/* Notify faces that a command has let the guest run (ON), or has ended that: it decides who has the terminal.
 */
void session_moves(struct inspect *s, bool on);
int64_t session_now(void); /* monotonic ns */

/* ---- execute.c ---- */
/* Execute the command LINE, which is trimmed and not empty. */
int session_execute(struct inspect *s, const char *line, struct result *r, const struct inspect_sink *sink);
/* Execute the commands of the point at which the guest stopped. */
enum inspect_status session_hit_commands(struct inspect *s, const struct inspect_sink *sink);

/* ---- output.c ---- */
/* Send R to SINK, which may be NULL. */
void session_answer(const struct inspect_sink *sink, const struct result *r);
/* Send R, asynchronous output, to all faces; R is freed. */
void session_emit(struct inspect *s, struct result *r);
/* Send R to all faces but the session's own. */
void session_tell_others(struct inspect *s, const struct result *r);
void session_log_fini(struct inspect *s); /* log_copy.c */
/* A sink for commands that a point executes: results go to SINK and, except for stops, to all other faces. */
struct session_all {
	struct inspect *s;
	const struct inspect_sink *sink;
	struct inspect_sink to;
};
void session_all_init(struct session_all *all, struct inspect *s, const struct inspect_sink *sink);

/* ---- cmd/trace.c, cmd/probe.c, cmd/event.c: output of points ---- */
/* Print what probes recorded since the last call: ALL of it, or as much as fits into one turn. */
void probe_lines(struct inspect *s, bool all);
void trace_print(struct inspect *s, const struct point *p);
/* "exception #PF, error code 0x2, at 0x..." */
void event_text(struct inspect *s, const struct engine_hit *h, char *buf, size_t len);
/* The event for which point P waits: "exception 14", "port 0x60-0x64". */
void event_name(struct inspect *s, const struct point *p, char *buf, size_t len);
/* Parse the rest of command A's line, TEXT: empty or "if CONDITION". 0 with *COND, or -1. */
int point_condition(struct inspect *s, const struct cmd_args *a, const char *text, const char **cond,
		    struct result *r);
/* Add the row that describes P. */
void point_report(struct inspect *s, const struct point *p, struct result *r);

/* ---- cmd/display.c ---- */
void display_show(struct inspect *s, struct result *r); /* add what the displays show */
void display_fini(struct inspect *s);

/* ---- cmd/source.c ---- */
/* The source line of the code at ADDR. False: not known. */
bool session_source(struct inspect *s, uint64_t addr, struct source_line *l);
/* Line LINE of L's file; NULL: it cannot be read. Valid until the next call. */
const char *session_source_text(struct inspect *s, const struct source_line *l, int line);
/* "FILE:LINE" at the start of *TEXT: the code of that line, or of the next that has code. */
struct source_places {
	char file[256];
	int wanted, line;
	uint64_t at[32];
	size_t count; /* may exceed the number of places in AT; 0: no such line */
};
/* Advance *TEXT behind it. False: *TEXT is something else, or there are no line tables. */
bool session_source_place(struct inspect *s, const char **text, struct source_places *p);

/* ---- complete.c ---- */
struct finder;
/* Offer TEXT as a completion if it starts with F's word. */
void complete_offer(struct finder *f, const char *text);
/* Offer the names of the keyboard's keys (cmd/input.c). */
void input_key_names(void (*offer)(struct finder *f, const char *text), struct finder *f);
/* Offer the names of numbers of event KIND (cmd/event.c). */
void event_numbers(struct inspect *s, const char *kind, void (*offer)(struct finder *f, const char *text),
		   struct finder *f);

/* ---- cmd/stack.c ---- */
/* How a frame was found. */
enum frame_by { FRAME_PC, FRAME_CFI, FRAME_ORC, FRAME_POINTER, FRAME_TOP, FRAME_GUESS, FRAME_WAYS };
struct frame {
	uint64_t pc, frame; /* return address (the first: pc); frame pointer, or the stack pointer there */
	enum frame_by by;
};
/* Unwind the call stack, innermost frame first, at most MAX frames: by the symbol file's call frame
 * information where available, otherwise by frame pointers. Return the number of frames. */
unsigned stack_frames(struct inspect *s, struct frame *frames, unsigned max);
/* Find by call frame information where the current function will return to, and the stack pointer
 * then. False: there is no such information. */
bool stack_return(struct inspect *s, uint64_t *addr, uint64_t *stack);

/* ---- handlers whose rows are in another file ---- */
int cmd_trace(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/event.c */
int save_script_write(struct inspect *s, const char *file, struct result *r); /* save_script.c */
int cmd_probe(struct inspect *s, const struct cmd_args *a, struct result *r); /* cmd/probe.c */
int cmd_unprobe(struct inspect *s, const struct cmd_args *a, struct result *r);
int cmd_dump_core(struct inspect *s, const struct cmd_args *a, struct result *r); /* core.c */
int cmd_pick(struct inspect *s, const struct cmd_args *a, struct result *r);	  /* view.c */
int cmd_profile(struct inspect *s, const struct cmd_args *a, struct result *r);	  /* cmd/stack.c */

/* ---- view.c ---- */
extern const struct view *const inspect_views[], *const inspect_mmu_views[]; /* owner: the session */
const struct view *view_find(struct inspect *s, const char *name, void **owner, char *why, size_t whylen);
void view_each(struct inspect *s, void (*found)(void *ctx, const struct view *v), void *ctx);
/* The column behind which inspect adds a column "symbol"; -1: none. */
int view_pc_column(const struct view *v);
int view_show(struct inspect *s, const char *name, const struct cmd_args *a, int first_arg, struct result *r);
#endif
