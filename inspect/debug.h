/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a remote debugger needs besides commands: memory and registers as bytes, points of
 * its own in the one table, run control that does not wait, and to be told of stops.
 *
 * A debugger that is attached takes the stops: inspect_run() then does not end at one but
 * waits until somebody lets the guest go on. */
#ifndef INSPECT_DEBUG_H
#define INSPECT_DEBUG_H
#include "inspect/inspect.h"
#include "inspect/points.h"

enum debug_stop_kind {
	DEBUG_STOPPED, /* somebody asked for it */
	DEBUG_POINT,   /* a point; its kind, owner and address are below */
	DEBUG_STEPPED, /* a step, or a run with a goal, got there */
	DEBUG_OFF,     /* powered off */
	DEBUG_EXITED,  /* ended by itself, with a status */
	DEBUG_DEAD,    /* triple fault and the like; its last state is visible */
};

/* Where a step began. */
struct debug_place {
	uint32_t eip, esp;
	unsigned cpl;
};

struct debug_stop {
	enum debug_stop_kind kind;
	enum point_kind point_kind;
	const struct point_owner *owner; /* of the point; NULL: a person */
	gva watched;			 /* the address a watchpoint saw, in its own address space */
	int status;			 /* exit status of a guest that ended */
	const char *detail;		 /* one line, or ""; borrowed until the next stop */
};

/* Told after each stop of a guest that ran (not of single steps, nor of the moments in which it
 * stands so that somebody may look). */
struct debug_listener {
	void *ctx;
	void (*stopped)(void *ctx);
	struct debug_listener *next; /* the session's */
};

/* LISTENER is borrowed until debug_detach(). */
void debug_attach(struct inspect *s, struct debug_listener *listener);
void debug_detach(struct inspect *s, struct debug_listener *listener);
/* Keep inspect_run() waiting (true) even though nobody is attached yet. */
void debug_expect(struct inspect *s, bool expected);
bool debug_expected(const struct inspect *s);
void debug_last_stop(struct inspect *s, struct debug_stop *out);

/* ---- run control ---- */

/* Let the guest run in the background. Points that their owner took back leave the engine now. */
void debug_go(struct inspect *s);
/* Run to ADDR, or to whatever stops the guest before. */
void debug_go_to(struct inspect *s, gva addr);
/* A step of BEFORE led to the page fault handler: let the guest run until that returns to the
 * instruction. False: it did not. */
bool debug_pass_fault(struct inspect *s, const struct debug_place *before);
/* Notice, without waiting, that it has stopped. */
void debug_look(struct inspect *s);
/* Stop it; the stop is told to the listeners. */
void debug_halt(struct inspect *s);
/* One instruction. False: the guest ended. */
bool debug_step(struct inspect *s, bool with_irq);
/* After the last of a series of debug_step(): what stands is what everybody sees. */
void debug_steps_done(struct inspect *s);
/* Is there an enabled point of any owner at pc? */
bool debug_at_point(struct inspect *s);
/* Switch the guest off, for good. */
void debug_power_off(struct inspect *s);
/* inspect_exec() for a debugger, which knows of the last stop: that is left for people to be told of. */
void debug_exec(struct inspect *s, const char *line, const struct inspect_sink *sink);
/* An inspect_interrupt() was meant for a command that is over. */
void debug_clear_interrupt(struct inspect *s);
/* Was the session asked to end ("quit")? */
bool debug_quitting(const struct inspect *s);

/* ---- the guest's state; while stopped ---- */

/* Copy as many of N bytes at linear (or physical) ADDR as there are; returns how many. Devices
 * are not touched. Writes reach read-only pages and ROM. */
size_t debug_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n);
size_t debug_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n);
/* The linear address range of one mapping that ADDR lies in, or of the hole. True: mapped. */
bool debug_region(struct inspect *s, uint64_t addr, uint64_t *start, uint64_t *size, bool *writable);
struct cpu *debug_cpu(struct inspect *s);
/* Registers were written through debug_cpu(). SYSTEM: also such as steer translation. */
void debug_cpu_changed(struct inspect *s, bool system);
bool debug_paging(struct inspect *s);

/* ---- points of an owner ---- */

/* Does the engine have watchpoints? */
bool debug_can_watch(const struct inspect *s);
/* Add a point, or take back the removal of the same one. LEN: bytes watched. PHYSICAL: a watchpoint
 * on physical memory. EXTRA is malloced
 * and passes to the session; OWNER's holds() gets it. False: the engine cannot. */
bool debug_point_insert(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len, void *extra);
/* Take a point back. It stays in the engine, without effect, until the guest is let run without
 * it: a debugger that removes all at each stop and inserts them again costs nothing. */
void debug_point_remove(struct inspect *s, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len);
void debug_points_clear(struct inspect *s, const struct point_owner *owner);
size_t debug_points_count(const struct inspect *s, const struct point_owner *owner);
#endif
