/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the faces (shell, later dashboard and gdb stub) see: a session over a
 * machine. A face executes command lines, gets result records, is told of stops,
 * carries the serial port, and computes nothing itself.
 *
 * One thread, the main one, uses a session. Two functions may be called from
 * elsewhere: inspect_serial_out() (the vCPU's thread) and inspect_interrupt(). */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H
#include "inspect/record.h"
#include "x86/cpu.h"

struct inspect;
struct machine;

/* What the face offers the session. Every member may be NULL. */
struct inspect_face {
	void *ctx;
	/* Serve terminal, sockets and signals for at most TIMEOUT_MS; return early when
	 * inspect_stop_fd() becomes readable. Called while a command waits. */
	void (*idle)(void *ctx, int timeout_ms);
	/* Take what the guest has said so far: a stop is told after it. */
	void (*drain)(void *ctx);
	/* A command lets the guest run (true) or is done with that (false): who has the terminal. */
	void (*running)(void *ctx, bool on);
};

/* Where the results of a command line go, in order; the result is freed afterwards. */
struct inspect_sink {
	void *ctx;
	void (*emit)(void *ctx, const struct result *r);
};

/* Facts about the session that the composition root knows. */
struct inspect_machine {
	struct machine *machine;		/* NULL: no guest; owned by the caller */
	bool icount;				/* the VM clock counts instructions */
	const struct view *const *engine_views; /* for the manual; NULL: from the machine's engine */
};

struct inspect *inspect_new(const struct inspect_face *face);
void inspect_free(struct inspect *s);
void inspect_set_face(struct inspect *s, const struct inspect_face *face);
void inspect_attach(struct inspect *s, const struct inspect_machine *im);
/* Load the symbols of a guest image, when it is an ELF file that has some: a file, or (FILE NULL)
 * LEN bytes at IMAGE called NAME. */
void inspect_image_symbols(struct inspect *s, const char *file, const void *image, size_t len,
			   const char *name);
bool inspect_has_machine(const struct inspect *s);

/* ---- commands ---- */

/* Where the session's own face is told of what comes by itself (result.unasked: what points print or do);
 * borrowed, NULL: nowhere. Who waits for a command that lets the guest run gets it too. */
void inspect_set_sink(struct inspect *s, const struct inspect_sink *sink);

/* What other faces are shown; TAP is borrowed. Neither may wait for anybody. */
struct inspect_tap {
	void *ctx;
	void (*serial)(void *ctx, const uint8_t *buf, size_t n); /* serial output that somebody takes */
	void (*output)(void *ctx, const struct result *r);	 /* what comes by itself */
	void (*running)(void *ctx,
			bool on); /* a command lets the guest run, or is done with that; may be NULL */
	struct inspect_tap *next;
};
void inspect_tap(struct inspect *s, struct inspect_tap *tap);
void inspect_untap(struct inspect *s, struct inspect_tap *tap);

/* The log is for standard error, which the session's own face has; taps get a copy while somebody WANTED it.
 * The descriptor is readable when there is something to take, which is told as output. -1: there is none. */
int inspect_log_fd(struct inspect *s);
void inspect_log_wanted(struct inspect *s, bool wanted);
void inspect_log_take(struct inspect *s);

enum inspect_status { INSPECT_OK, INSPECT_FAILED, INSPECT_QUIT };

/* Execute one line ("" and comments: nothing). A leading "-" turns failure into success. */
enum inspect_status inspect_exec(struct inspect *s, const char *line, const struct inspect_sink *sink);
/* Execute the lines of F (NAME for messages) up to the first that fails. */
enum inspect_status inspect_script(struct inspect *s, FILE *f, const char *name,
				   const struct inspect_sink *sink);
/* The line an empty line repeats in interactive use after the last inspect_exec(), whoever's that was (""
 * when there is none): a face keeps a copy of its own. */
const char *inspect_repeat_line(const struct inspect *s);
/* Call FOUND for each completion of WORD, which starts at byte START of LINE. False: file names fit. */
bool inspect_complete(struct inspect *s, const char *line, size_t start, const char *word,
		      void (*found)(void *ctx, const char *text), void *ctx);
/* Print commands, views and registers as sections of a manual page; with those of ADDONS
 * (NULL-terminated). */
struct inspect_addon;
void inspect_manual(FILE *f, const struct view *const *engine_views,
		    const struct inspect_addon *const *addons);

/* ---- run control for faces ---- */

/* Let the guest run until it ends, something stops it, or the face interrupts. */
void inspect_run(struct inspect *s, const struct inspect_sink *sink);
/* Notice a stop that happened in the background; emits it. */
void inspect_poll(struct inspect *s, const struct inspect_sink *sink);
/* Does the guest run in the background? */
bool inspect_running(const struct inspect *s);
/* Stop the guest or whatever command runs. Any thread, any time. */
void inspect_interrupt(struct inspect *s);
/* Wall-clock limit for the whole session, from now on. */
void inspect_set_deadline(struct inspect *s, double seconds);
bool inspect_timed_out(const struct inspect *s);
int inspect_stop_fd(struct inspect *s); /* -1 without a machine */

/* The guest will not run any more: off, exited, dead or failed. */
bool inspect_ended(const struct inspect *s);
/* The exit status of section "Exit status" of the manual; a line in WHY when there is something to say. */
int inspect_exit_status(struct inspect *s, char *why, size_t whylen);

/* What was true at the last stop; immutable, replaced at the next one. */
struct inspect_snapshot {
	unsigned generation;
	uint64_t icount;
	struct cpu cpu;
};
const struct inspect_snapshot *inspect_snapshot(const struct inspect *s); /* NULL before the first */

/* ---- the serial port ---- */

/* Hand to machine_config.serial_out, with the session as context. */
void inspect_serial_out(void *session, const uint8_t *buf, size_t n);
/* Readable when there is output to take. */
int inspect_serial_fd(const struct inspect *s);
size_t inspect_serial_take(struct inspect *s, uint8_t *buf, size_t n);
bool inspect_serial_is_taken(const struct inspect *s);
/* Does anybody take the output? (It starts with nobody.) */
void inspect_serial_taken(struct inspect *s, bool taken);
void inspect_serial_input(struct inspect *s, const uint8_t *buf, size_t n);
#endif
