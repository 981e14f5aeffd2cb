/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interface to the faces (shell, dashboard, gdb stub, control socket): a session over a
 * machine. A face executes command lines, gets result records and notifications of
 * stops, carries the serial port, and computes nothing itself.
 *
 * One thread, the main one, uses a session. Two functions may be called from
 * elsewhere: inspect_serial_out() (the vCPU's thread) and inspect_interrupt(). */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H
#include "inspect/record.h"
#include "x86/cpu.h"

struct inspect;
struct machine;

/* The face's callbacks for the session. Every member may be NULL. */
struct inspect_face {
	void *ctx;
	/* Serve terminal, sockets and signals for at most TIMEOUT_MS; return early when
	 * inspect_stop_fd() becomes readable. Called while a command waits. */
	void (*idle)(void *ctx, int timeout_ms);
	/* Show the output of the guest so far, before a stop is reported. */
	void (*drain)(void *ctx);
	/* A command lets the guest run (ON) or has ended that; it decides who has the terminal. */
	void (*running)(void *ctx, bool on);
};

/* Receives the results of a command line in order; the result is freed afterwards. */
struct inspect_sink {
	void *ctx;
	void (*emit)(void *ctx, const struct result *r);
	bool no_files; /* commands for it are refused where they reach files of the host (struct command) */
};

/* Facts about the session that the composition root knows. */
struct inspect_machine {
	struct machine *machine;		/* NULL: no guest; owned by the caller */
	bool icount;				/* the VM clock counts instructions */
	const struct view *const *engine_views; /* for the manual; NULL: from the machine's engine */
};

struct inspect *inspect_new(const struct inspect_face *face);
void inspect_free(struct inspect *s);
/* Start the process that assembles text for the session, RESTRICTED to what it needs: before the first
 * thread, and before this process is restricted itself. Without this call the process runs the assembler
 * itself. */
void inspect_start_assembler(struct inspect *s, bool restricted);
void inspect_set_face(struct inspect *s, const struct inspect_face *face);
void inspect_attach(struct inspect *s, const struct inspect_machine *im);
/* A host's session: of a pool, without a machine. Borrowed. */
struct mm_pool;
void inspect_attach_pool(struct inspect *s, struct mm_pool *p);
/* Load the symbols of a guest image if it is an ELF file with symbols: a file, or (FILE NULL)
 * LEN bytes at IMAGE called NAME. */
void inspect_image_symbols(struct inspect *s, const char *file, const void *image, size_t len,
			   const char *name);
bool inspect_has_machine(const struct inspect *s);

/* ---- commands ---- */

/* Set the sink for asynchronous output (result.unasked) of the session's own face. Borrowed; NULL discards. A
 * client blocked in a command that lets the guest run receives it too. */
void inspect_set_sink(struct inspect *s, const struct inspect_sink *sink);

/* Send R, asynchronous output of an add-on, to all faces; R is freed. */
void inspect_tell(struct inspect *s, struct result *r);

/* The sinks of another face; TAP is borrowed. Its functions may not block. */
struct inspect_tap {
	void *ctx;
	void (*serial)(void *ctx, const uint8_t *buf,
		       size_t n);			   /* serial output, when it is taken; may be NULL */
	void (*output)(void *ctx, const struct result *r); /* asynchronous output */
	void (*running)(void *ctx, bool on);		   /* as in struct inspect_face; may be NULL */
	struct inspect_tap *next;
};
void inspect_tap(struct inspect *s, struct inspect_tap *tap);
void inspect_untap(struct inspect *s, struct inspect_tap *tap);

/* The log goes to standard error, which the session's own face has; taps get a copy, as output, while it is
 * WANTED. The descriptor is readable when there is something for inspect_log_take(). -1: none. */
int inspect_log_fd(struct inspect *s);
void inspect_log_wanted(struct inspect *s, bool wanted);
void inspect_log_take(struct inspect *s);

enum inspect_status { INSPECT_OK, INSPECT_FAILED, INSPECT_QUIT };

/* Execute one line: commands separated by ';', until one fails. Empty lines and comments do nothing. With a
 * leading "-" failure is success. */
enum inspect_status inspect_exec(struct inspect *s, const char *line, const struct inspect_sink *sink);
/* Execute the lines of F (NAME: for messages) until one fails. */
enum inspect_status inspect_script(struct inspect *s, FILE *f, const char *name,
				   const struct inspect_sink *sink);
/* The line that an empty line repeats after the last inspect_exec() of any face; "": none. Faces keep their
 * own copy. */
const char *inspect_repeat_line(const struct inspect *s);
/* Call FOUND for each completion of WORD, which starts at byte START of LINE. False: complete file names. */
bool inspect_complete(struct inspect *s, const char *line, size_t start, const char *word,
		      void (*found)(void *ctx, const char *text), void *ctx);
/* Print commands, views and registers as sections of a manual page; with those of ADDONS
 * (NULL-terminated). */
struct inspect_addon;
void inspect_manual(FILE *f, const struct view *const *engine_views,
		    const struct inspect_addon *const *addons);

/* ---- run control for faces ---- */

/* Run the guest until it ends or stops, or the face interrupts. */
void inspect_run(struct inspect *s, const struct inspect_sink *sink);
/* Report a stop that happened in the background to SINK. */
void inspect_poll(struct inspect *s, const struct inspect_sink *sink);
/* Does the guest run in the background? */
bool inspect_running(const struct inspect *s);
/* Stop the guest, or the command that is being executed. Any thread, any time. */
void inspect_interrupt(struct inspect *s);
/* Wall-clock limit for the whole session, from now on. */
void inspect_set_deadline(struct inspect *s, double seconds);
/* End the session with status 126: its host is gone. WHY, one line, is borrowed. */
void inspect_end(struct inspect *s, const char *why);
/* Has the limit been reached, or inspect_end() been called? */
bool inspect_must_end(const struct inspect *s);
int inspect_stop_fd(struct inspect *s); /* -1 without a machine */

/* Has the guest ended: off, exited, dead or failed? */
bool inspect_ended(const struct inspect *s);
/* The exit status as the manual's section "Exit status" defines it; a line in WHY where there is a reason. */
int inspect_exit_status(struct inspect *s, char *why, size_t whylen);

/* The state at the last stop; immutable, replaced at the next one. */
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
/* Set whether a face takes the output; at the start none does. */
void inspect_serial_taken(struct inspect *s, bool taken);
void inspect_serial_input(struct inspect *s, const uint8_t *buf, size_t n);
#endif
