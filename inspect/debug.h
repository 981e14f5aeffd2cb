/* SPDX-License-Identifier: GPL-3.0-or-later
 * Services for remote debuggers besides commands: memory and registers as bytes, points of
 * its own in the common table, run control that does not wait, notification of stops.
 *
 * While a debugger is attached, it handles the stops: inspect_run() does not return at one but
 * waits until a face resumes the guest. */
#ifndef INSPECT_DEBUG_H
#define INSPECT_DEBUG_H
#include "inspect/inspect.h"
#include "inspect/points.h"
#include "x86/regs.h"

enum debug_stop_kind {
	DEBUG_STOPPED, /* on request */
	DEBUG_POINT,   /* a point; its kind, owner and address are below */
	DEBUG_STEPPED, /* a step or a run with a goal ended */
	DEBUG_OFF,     /* powered off */
	DEBUG_EXITED,  /* the guest ended by itself, with a status */
	DEBUG_DEAD,    /* triple fault and the like; its last state is visible */
};

/* Where a step began. */
struct debug_place {
	uint64_t rip, rsp;
	unsigned cpl;
};

struct debug_stop {
	enum debug_stop_kind kind;
	enum point_kind point_kind;
	const struct point_owner *owner; /* of the point; NULL: set by a command */
	gva watched;			 /* the address accessed, in the watchpoint's address space */
	int status;			 /* exit status of a guest that ended */
	const char *reason;		 /* as in records of stops: "breakpoint", "event" */
	unsigned point;			 /* number of the point; 0: none */
	const char *detail;		 /* one line, or ""; borrowed until the next stop */
};

/* Called after each stop of a guest that ran, but not after single steps nor when the guest is only
 * held for a query. */
struct debug_listener {
	void *ctx;
	void (*stopped)(void *ctx);
	bool follows;		     /* it does not decide when the guest starts, only when it resumes */
	struct debug_listener *next; /* the session's */
};

/* LISTENER is borrowed until debug_detach(). */
void debug_attach(struct inspect *s, struct debug_listener *listener);
void debug_detach(struct inspect *s, struct debug_listener *listener);
/* EXPECTED: keep inspect_run() waiting although no debugger is attached yet. */
void debug_expect(struct inspect *s, bool expected);
bool debug_expected(const struct inspect *s);
void debug_last_stop(struct inspect *s, struct debug_stop *out);

/* ---- run control ---- */

/* Resume the guest in the background. */
void debug_go(struct inspect *s);
/* Run to ADDR, or to an earlier stop. */
void debug_go_to(struct inspect *s, gva addr);
/* If a step from BEFORE led to the page-fault handler, run until the handler returns to the
 * instruction. False: the step did not lead there. */
bool debug_pass_fault(struct inspect *s, const struct debug_place *before);
/* Handle a stop that has happened; never waits. */
void debug_look(struct inspect *s);
/* Stop the guest; listeners are notified. */
void debug_halt(struct inspect *s);
/* Execute one instruction. False: the guest ended. */
bool debug_step(struct inspect *s, unsigned how); /* bits of enum engine_step */
/* Publish the state after the last of a series of debug_step() to all faces. */
void debug_steps_done(struct inspect *s);
/* Is there an enabled point of any owner at pc? */
bool debug_at_point(struct inspect *s);
/* Switch the guest off; it does not run again. */
void debug_power_off(struct inspect *s);
/* inspect_exec() for a debugger, which knows the last stop; other faces are still notified of it. */
void debug_exec(struct inspect *s, const char *line, const struct inspect_sink *sink);
/* Drop an inspect_interrupt() whose command has ended. */
void debug_clear_interrupt(struct inspect *s);
/* Was the session asked to end ("quit")? */
bool debug_quitting(const struct inspect *s);

/* ---- the guest's state; while stopped ---- */

/* Copy up to N bytes at linear (or physical) ADDR, as far as there is memory; return how many.
 * Devices are not accessed. Writes reach read-only pages and ROM. */
size_t debug_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n);
size_t debug_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n);
/* Are the LEN bytes at ADDR linear addresses of a mode that the processor has, or (PHYSICAL) physical ones?
 */
bool debug_is_range(struct inspect *s, bool physical, uint64_t addr, uint64_t len);
/* Shall a debugger that connects now see 64-bit registers? In IA-32e mode; and where the processor has that,
 * unless the symbol file, which debuggers will load as well, or the kernel is a 32-bit one, or 32-bit paging
 * is on. */
bool debug_wide(struct inspect *s);
/* Find the range of linear addresses around ADDR that is mapped alike, or unmapped. True: mapped. */
bool debug_region(struct inspect *s, uint64_t addr, uint64_t *start, uint64_t *size, bool *writable);
struct cpu *debug_cpu(struct inspect *s);
unsigned debug_cr8(struct inspect *s); /* the interrupt controller has it */
/* Make WANT the processor's state. Return NULL, or why the processor cannot be in it (a static line); nothing
 * has changed then. */
const char *debug_set_cpu(struct inspect *s, const struct cpu *want);
/* Linear memory, for reg_set(). */
struct reg_memory debug_memory(struct inspect *s);
bool debug_paging(struct inspect *s);

/* ---- points of an owner ---- */

/* Does the engine have watchpoints? */
bool debug_can_watch(const struct inspect *s);
/* Add a point, or undo the removal of the same one (its hits count on if the condition is the same). LEN:
 * bytes watched. PHYSICAL: a watchpoint on physical memory. EXTRA is malloced, becomes the session's and is
 * passed to OWNER's holds(). False: the engine has no room. */
bool debug_point_insert(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len, void *extra);
/* Remove a point. It stays in the engine, without effect, until anyone resumes the guest, because
 * debuggers remove all points at each stop and insert them again. */
void debug_point_remove(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len);
void debug_points_clear(struct inspect *s, const struct point_owner *owner);
size_t debug_points_count(const struct inspect *s, const struct point_owner *owner);
#endif
