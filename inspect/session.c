/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session: creation, time and interruption, running the guest for a face, exit status. Command
 * lines are in execute.c, results in output.c, access to the guest in guest.c. */
#include "base/monotonic.h"
#include "base/alloc.h"
#include "base/log.h"
#include "inspect/session_int.h"
#include "mm/slot.h"
#include "inspect/debuginfo/asm_helper.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { QUIET_NS = 150000000 /* delay before other faces are notified of a debugger's stop */ };

struct inspect *inspect_new(const struct inspect_face *face)
{
	struct inspect *s = xcalloc(1, sizeof(*s));

	if (face)
		s->face = *face;
	symbols_init(&s->symbols);
	s->serial = serial_log_new();
	s->examine.format = 'x';
	s->examine.unit = 'w';
	return s;
}

void inspect_start_assembler(struct inspect *s, bool restricted)
{
	s->assembler = asm_helper_start(restricted);
}

void inspect_free(struct inspect *s)
{
	if (!s)
		return;
	points_fini(&s->points);
	display_fini(s);
	symbols_fini(&s->symbols);
	kernel_fini(s);
	source_fini(&s->source.files);
	serial_log_free(s->serial);
	asm_helper_stop(s->assembler);
	session_log_fini(s);
	if (s->out.log_file) {
		log_set_file(NULL);
		fclose(s->out.log_file);
	}
	free(s->run.known.list);
	free(s->run.known_physical.list);
	free(s->out.hit_commands);
	free(s->vars);
	free(s->repeat);
	free(s->snapshot);
	free(s);
}

void inspect_set_face(struct inspect *s, const struct inspect_face *face)
{
	s->face = *face;
}

void inspect_attach(struct inspect *s, const struct inspect_machine *im)
{
	s->m = im->machine;
	s->pool = s->m ? mm_vm_pool(machine_vm(s->m)) : NULL;
	s->icount_clock = im->icount;
	s->run.known.count = 0;
	if (!s->m)
		return;
	run_set_stop(s, STOPPED_ASKED);
	run_publish(s);
}

void inspect_attach_pool(struct inspect *s, struct mm_pool *p)
{
	s->pool = p;
}

static bool is_elf_file(const char *file)
{
	FILE *f = fopen(file, "re");
	char magic[4];
	bool is;

	if (!f)
		return false;
	is = fread(magic, 1, 4, f) == 4 && !memcmp(magic, "\177ELF", 4);
	fclose(f);
	return is;
}

void inspect_image_symbols(struct inspect *s, const char *file, const void *image, size_t len,
			   const char *name)
{
	char err[300];

	if (file && is_elf_file(file))
		symbols_load(&s->symbols, file, 0, err, sizeof(err));
	else if (!file && image)
		symbols_load_memory(&s->symbols, image, len, name, err, sizeof(err));
}

bool inspect_has_machine(const struct inspect *s)
{
	return s->m != NULL;
}

const struct inspect_snapshot *inspect_snapshot(const struct inspect *s)
{
	return s->snapshot;
}

/* ---- time and interruption ---- */

int64_t session_now(void)
{
	return monotonic_ns();
}

void inspect_set_deadline(struct inspect *s, double seconds)
{
	s->run.deadline = session_now() + (int64_t)(seconds * 1e9);
}

bool inspect_running(const struct inspect *s)
{
	return s->run.running;
}

void inspect_end(struct inspect *s, const char *why)
{
	s->run.lost = why;
	inspect_interrupt(s);
}

bool inspect_must_end(const struct inspect *s)
{
	return s->run.timed_out || s->run.lost;
}

bool session_interrupted(struct inspect *s)
{
	if (s->run.deadline && session_now() >= s->run.deadline)
		s->run.timed_out = true;
	return inspect_must_end(s) || __atomic_load_n(&s->run.interrupted, __ATOMIC_RELAXED);
}

void inspect_interrupt(struct inspect *s)
{
	__atomic_store_n(&s->run.interrupted, true, __ATOMIC_RELAXED);
	if (s->m && machine_state(s->m) == MACHINE_RUNNING)
		machine_request_stop(s->m);
}

void session_moves(struct inspect *s, bool on)
{
	if (s->face.running)
		s->face.running(s->face.ctx, on);
	for (struct inspect_tap *t = s->out.taps; t; t = t->next)
		if (t->running)
			t->running(t->ctx, on);
}

static int until_deadline(struct inspect *s, int timeout_ms)
{
	int64_t left;

	if (!s->run.deadline)
		return timeout_ms;
	left = (s->run.deadline - session_now() + 999999) / 1000000;
	if (left < 0)
		left = 0;
	return left < timeout_ms ? (int)left : timeout_ms;
}

void session_idle(struct inspect *s, int timeout_ms)
{
	struct pollfd pfd = { .fd = inspect_stop_fd(s), .events = POLLIN };

	timeout_ms = s->out.more_lines ? 0 : until_deadline(s, timeout_ms);
	if (s->face.idle)
		s->face.idle(s->face.ctx, timeout_ms);
	else
		poll(&pfd, 1, timeout_ms);
}

bool command_wait(struct inspect *s, int timeout_ms)
{
	if (!session_interrupted(s))
		session_idle(s, timeout_ms);
	return !session_interrupted(s);
}

int inspect_stop_fd(struct inspect *s)
{
	return s->m ? machine_stop_fd(s->m) : -1;
}

/* ---- exit status ---- */

bool inspect_ended(const struct inspect *s)
{
	return s->m && (s->switched_off || machine_state(s->m) > MACHINE_RUNNING);
}

enum { POLLS = 100000 }; /* so many reads of missing memory are no search for a device */

/* A guest that polls a device that this machine lacks hangs: say so. */
static void time_limit_text(struct inspect *s, char *why, size_t whylen)
{
	gpa recent = 0;
	uint64_t reads = s->m ? machine_unanswered(s->m, &recent) : 0;

	if (reads < POLLS)
		snprintf(why, whylen, "the time limit was reached");
	else
		snprintf(
		    why, whylen,
		    "the time limit was reached; the guest polls %#llx, where there is neither memory nor a "
		    "device (%llu reads)",
		    (unsigned long long)recent, (unsigned long long)reads);
}

int inspect_exit_status(struct inspect *s, char *why, size_t whylen)
{
	enum machine_state state = s->m ? machine_state(s->m) : MACHINE_STOPPED;
	const char *error = s->m ? machine_error(s->m) : NULL;

	if (whylen)
		why[0] = 0;
	if (s->run.timed_out) {
		time_limit_text(s, why, whylen);
		return 124;
	}
	if (s->run.lost) {
		snprintf(why, whylen, "%s", s->run.lost);
		return 126;
	}
	if (s->switched_off)
		return 0;
	if (s->m && s->run.stop.reason == STOPPED_PANIC) {
		snprintf(why, whylen, "the guest panicked%s%s", s->run.stop.detail[0] ? ": " : "",
			 s->run.stop.detail);
		return 126;
	}
	switch (state) {
	case MACHINE_EXITED:
		return machine_exit_code(s->m) & 0xff;
	case MACHINE_DEAD:
		snprintf(why, whylen, "the guest died: %s",
			 error && error[0] ? error : "triple fault or reset");
		return 126;
	case MACHINE_FAILED:
		snprintf(why, whylen, "%s", error && error[0] ? error : "the engine failed");
		return 125;
	default:
		return 0;
	}
}

/* ---- running for a face ---- */

/* Is a debugger attached or expected? It decides when a stopped guest resumes. */
static bool held(const struct inspect *s)
{
	return (s->run.listeners || s->run.expected) && !s->quit && !s->switched_off;
}

/* Likewise of a guest that has not been started yet. */
static bool held_at_start(const struct inspect *s)
{
	for (const struct debug_listener *l = s->run.listeners; l; l = l->next)
		if (!l->follows)
			return held(s);
	return s->run.expected && held(s);
}

static void wait_held(struct inspect *s)
{
	session_moves(s, true);
	while (!run_settled(s) || held(s)) {
		if (!session_interrupted(s)) {
			session_idle(s, 100);
			continue;
		}
		if (s->run.running)
			run_halt(s);
		break;
	}
	session_moves(s, false);
}

void inspect_run(struct inspect *s, const struct inspect_sink *sink)
{
	struct result r;

	if (!s->m || inspect_ended(s))
		return;
	__atomic_store_n(&s->run.interrupted, false, __ATOMIC_RELAXED);
	if (!held_at_start(s) && !s->run.running)
		run_start(s, &(struct run_goal){ 0 });
	wait_held(s);
	result_init(&r);
	run_report(s, &r);
	session_answer(sink, &r);
	result_fini(&r);
}

/* Has the guest stopped in the background, and is the stop due to be reported? */
static bool stop_is_due(struct inspect *s)
{
	if (s->run.running)
		return run_settled(s) && !s->run.quiet;
	return s->run.unseen && session_now() - s->run.stopped_at >= QUIET_NS;
}

void inspect_poll(struct inspect *s, const struct inspect_sink *sink)
{
	struct result r;

	if (!s->out.moving && stop_is_due(s)) {
		s->run.unseen = false;
		result_init(&r);
		run_report(s, &r);
		session_answer(sink, &r);
		result_fini(&r);
		session_hit_commands(s, sink);
	}
}
