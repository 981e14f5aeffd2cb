/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session: its life, access to the guest for the other parts, command lines in,
 * results out. */
#include "base/log.h"
#include "inspect/session_int.h"
#include "x86/regs.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DEPTH = 16, QUIET_NS = 150000000 /* how long a debugger's stop lasts before people are told */ };

struct inspect *inspect_new(const struct inspect_face *face)
{
	struct inspect *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	if (face)
		s->face = *face;
	symbols_init(&s->symbols);
	s->serial = serial_log_new();
	s->examine.format = 'x';
	s->examine.unit = 'w';
	return s;
}

void inspect_free(struct inspect *s)
{
	if (!s)
		return;
	points_fini(&s->points);
	symbols_fini(&s->symbols);
	serial_log_free(s->serial);
	if (s->log_file) {
		log_set_file(NULL);
		fclose(s->log_file);
	}
	free(s->known.list);
	free(s->hit_commands);
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
	s->icount_clock = im->icount;
	s->known.count = 0;
	if (!s->m)
		return;
	run_set_stop(s, "stopped");
	run_publish(s);
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
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

void inspect_set_deadline(struct inspect *s, double seconds)
{
	s->deadline = session_now() + (int64_t)(seconds * 1e9);
}

bool inspect_running(const struct inspect *s)
{
	return s->running;
}

bool inspect_timed_out(const struct inspect *s)
{
	return s->timed_out;
}

bool session_interrupted(struct inspect *s)
{
	if (s->deadline && session_now() >= s->deadline)
		s->timed_out = true;
	return s->timed_out || __atomic_load_n(&s->interrupted, __ATOMIC_RELAXED);
}

void inspect_interrupt(struct inspect *s)
{
	__atomic_store_n(&s->interrupted, true, __ATOMIC_RELAXED);
	if (s->m && machine_state(s->m) == MACHINE_RUNNING)
		machine_request_stop(s->m);
}

static int until_deadline(struct inspect *s, int timeout_ms)
{
	int64_t left;

	if (!s->deadline)
		return timeout_ms;
	left = (s->deadline - session_now() + 999999) / 1000000;
	if (left < 0)
		left = 0;
	return left < timeout_ms ? (int)left : timeout_ms;
}

void session_idle(struct inspect *s, int timeout_ms)
{
	struct pollfd pfd = { .fd = inspect_stop_fd(s), .events = POLLIN };

	timeout_ms = until_deadline(s, timeout_ms);
	if (s->face.idle)
		s->face.idle(s->face.ctx, timeout_ms);
	else
		poll(&pfd, 1, timeout_ms);
}

int inspect_stop_fd(struct inspect *s)
{
	return s->m ? machine_stop_fd(s->m) : -1;
}

/* ---- access to the guest ---- */

struct cpu *session_cpu(struct inspect *s)
{
	return &machine_vcpu(s->m)->cpu;
}

struct mmu *session_mmu(struct inspect *s)
{
	return machine_vcpu(s->m)->mmu;
}

gva session_pc(struct inspect *s)
{
	return cpu_pc(session_cpu(s));
}

unsigned session_code_bits(struct inspect *s)
{
	return session_cpu(s)->seg[SEG_CS].attr & SA_DB ? 32 : 16;
}

static bool read_piece(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n)
{
	if (physical)
		return mm_phys_read(machine_vm(s->m), addr, buf, n);
	return mmu_read(session_mmu(s), (uint32_t)addr, buf, (unsigned)n, MM_READ | MM_PROBE) == 0;
}

size_t session_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = PAGE_SIZE - ((addr + done) & PAGE_MASK);

		if (piece > n - done)
			piece = n - done;
		if (!read_piece(s, physical, addr + done, (char *)buf + done, piece))
			break;
		done += piece;
	}
	return done;
}

void session_changed(struct inspect *s)
{
	struct vcpu *v = machine_vcpu(s->m);

	v->ops->state_changed(v);
	run_publish(s);
}

/* ---- the environment of expressions ---- */

struct variable *session_variable(struct inspect *s, const char *name, bool make)
{
	struct variable *v;

	for (size_t i = 0; i < s->nvars; i++)
		if (!strcmp(s->vars[i].name, name))
			return &s->vars[i];
	if (!make)
		return NULL;
	s->vars = reallocarray(s->vars, s->nvars + 1, sizeof(*s->vars));
	if (!s->vars)
		abort();
	v = &s->vars[s->nvars++];
	*v = (struct variable){ 0 };
	snprintf(v->name, sizeof(v->name), "%s", name);
	return v;
}

static bool env_reg(void *ctx, const char *name, uint64_t *val)
{
	const struct reg_info *r = reg_find(name);
	struct inspect *s = ctx;
	struct variable *v;

	if (r && s->m)
		*val = reg_get(session_cpu(s), r);
	else if (!strcmp(name, "icount") && s->m)
		*val = machine_vcpu(s->m)->icount;
	else if (!strcmp(name, "event") && s->m)
		*val = machine_vcpu(s->m)->event.number;
	else if (!strcmp(name, "value") && s->m)
		*val = machine_vcpu(s->m)->event.val;
	else if (!strcmp(name, "exit") && s->m)
		*val = (uint64_t)(int64_t)inspect_exit_status(s, NULL, 0);
	else if ((v = session_variable(s, name, false)))
		*val = v->val;
	else
		return false;
	return true;
}

static bool env_symbol(void *ctx, const char *name, uint64_t *val)
{
	struct inspect *s = ctx;
	const struct symbol *sym = symbols_find(&s->symbols, name);

	if (!sym)
		return false;
	*val = sym->addr;
	return true;
}

static bool env_read(void *ctx, uint64_t addr, unsigned size, uint64_t *val)
{
	struct inspect *s = ctx;

	*val = 0;
	return s->m && addr <= UINT32_MAX && session_read(s, false, addr, val, size) == size;
}

struct expr_env session_env(struct inspect *s)
{
	return (struct expr_env){ .ctx = s, .reg = env_reg, .symbol = env_symbol, .read = env_read };
}

int session_eval(struct inspect *s, const char *text, int64_t *val, struct result *r)
{
	struct expr_env env = session_env(s);
	char err[200];

	if (expr_eval(&env, text, val, err, sizeof(err)))
		return 0;
	return result_fail(r, "%s", err);
}

int session_address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out)
{
	int64_t v = (int64_t)session_pc(s);

	if (i < a->argc && session_eval(s, a->argv[i], &v, r))
		return -1;
	if (v < 0 || v > UINT32_MAX)
		return result_fail(r, "%s: 0x%llx is not an address of this guest", a->name, (unsigned long long)v);
	*out = (gva)v;
	return 0;
}

/* ---- how it ended ---- */

bool inspect_ended(const struct inspect *s)
{
	return s->m && (s->switched_off || machine_state(s->m) > MACHINE_RUNNING);
}

int inspect_exit_status(struct inspect *s, char *why, size_t whylen)
{
	enum machine_state state = s->m ? machine_state(s->m) : MACHINE_STOPPED;
	const char *error = s->m ? machine_error(s->m) : NULL;

	if (whylen)
		why[0] = 0;
	if (s->timed_out) {
		snprintf(why, whylen, "the time given ran out");
		return 124;
	}
	if (s->switched_off)
		return 0;
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

/* ---- command lines ---- */

/* Why the command cannot run now; NULL: it can. */
static const char *obstacle(struct inspect *s, const struct command *c)
{
	if ((c->flags & (CMD_MACHINE | CMD_STOPPED | CMD_ALIVE)) && !s->m)
		return "no machine (vitrine was started without a GUEST)";
	if ((c->flags & CMD_STOPPED) && s->running)
		return "the guest runs; stop it first";
	if ((c->flags & CMD_ALIVE) && s->moving)
		return "another command makes the guest run";
	if ((c->flags & CMD_ALIVE) && inspect_ended(s))
		return "the guest has ended; 'reset' starts it again";
	return NULL;
}

static int run_command(struct inspect *s, const struct command *c, struct cmd_args *a, struct result *r)
{
	const struct inspect_sink *mover = s->mover;
	const char *no = obstacle(s, c);
	bool paused, moving;
	int rc;

	if (no)
		return result_fail(r, "%s: %s", c->name, no);
	if (a->fmt[0] && !(c->flags & CMD_FMT))
		return result_fail(r, "%s: takes no /%s", c->name, a->fmt);
	if (a->argc < c->min || (c->max >= 0 && a->argc > c->max))
		return result_fail(r, "usage: %s%s%s", c->name, c->args[0] ? " " : "", c->args);
	paused = (c->flags & CMD_PAUSE) && !s->peek_live && run_pause(s);
	moving = s->moving;
	s->moving = moving || (c->flags & CMD_ALIVE);
	if (c->flags & (CMD_ALIVE | CMD_WAITS))
		s->mover = a->sink;
	rc = c->run(s, a, r);
	s->moving = moving;
	s->mover = mover;
	if (paused)
		run_resume(s);
	return rc;
}

/* Split LINE into command word, /FMT and the rest, and run it. */
int session_execute(struct inspect *s, const char *line, struct result *r, const struct inspect_sink *sink)
{
	size_t word = strcspn(line, " \t/"), fmt = 0;
	struct cmd_args a = { .sink = sink };
	const struct command *c;
	char why[200], fmtbuf[32] = "";
	int rc;

	if (line[word] == '/')
		fmt = strcspn(line + word + 1, " \t");
	if (fmt >= sizeof(fmtbuf))
		return result_fail(r, "the format is too long");
	memcpy(fmtbuf, line + word + 1, fmt);
	fmtbuf[fmt] = 0;
	c = command_find(s, line, word, why, sizeof(why));
	if (!c)
		return result_fail(r, "%s", why);
	a.name = c->name;
	a.fmt = fmtbuf;
	a.rest = line + word + (line[word] == '/' ? fmt + 1 : 0);
	a.rest += strspn(a.rest, " \t");
	a.argv = command_split(a.rest, &a.argc, why, sizeof(why));
	if (!a.argv)
		return result_fail(r, "%s: %s", c->name, why);
	rc = run_command(s, c, &a, r);
	command_free_args(a.argv);
	free(s->repeat);
	s->repeat = c->flags & CMD_REPEAT ? strdup(line) : NULL;
	/* x goes on where it was: the repeated line has no address */
	if (s->repeat && (c->flags & CMD_FMT))
		s->repeat[word + (line[word] == '/' ? fmt + 1 : 0)] = 0;
	return rc;
}

static char *trimmed(const char *line)
{
	size_t n;

	line += strspn(line, " \t\r\n");
	n = strlen(line);
	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	return strndup(line, n);
}

static enum inspect_status exec_line(struct inspect *s, const char *line, const struct inspect_sink *sink)
{
	char *copy = trimmed(line), *text = copy;
	struct result r;
	bool may_fail;
	int rc = 0;

	may_fail = text[0] == '-';
	if (may_fail)
		text += 1 + strspn(text + 1, " \t");
	if (text[0] && text[0] != '#') {
		result_init(&r);
		rc = session_execute(s, text, &r, sink);
		s->revision++;
		session_answer(sink, &r);
		result_fini(&r);
	}
	free(copy);
	if (s->quit)
		return INSPECT_QUIT;
	return rc && !may_fail ? INSPECT_FAILED : INSPECT_OK;
}

/* The end of the command at LINE: a semicolon outside quotes, or the end of the text. */
static size_t command_end(const char *line)
{
	char quote = 0;
	size_t n;

	for (n = 0; line[n] && (quote || line[n] != ';'); n++) {
		if (quote ? line[n] == quote : line[n] == '"' || line[n] == '\'')
			quote = quote ? 0 : line[n];
	}
	return n;
}

/* Execute the commands of the LIST up to one that fails or lets the guest hit a point again. */
static enum inspect_status exec_list(struct inspect *s, const char *list, const struct inspect_sink *sink)
{
	enum inspect_status st = INSPECT_OK;

	while (*list && st == INSPECT_OK && !s->hit_commands && !session_interrupted(s)) {
		size_t n = command_end(list);
		char *line = strndup(list, n);

		st = exec_line(s, line, sink);
		free(line);
		list += n + (list[n] == ';');
	}
	return st;
}

/* What was to be done when the point was hit at which the guest stopped. */
static enum inspect_status exec_hit_commands(struct inspect *s, const struct inspect_sink *sink)
{
	enum inspect_status st = INSPECT_OK;
	struct session_all all;
	char *list;

	if (s->in_hit_commands)
		return st;
	session_all_init(&all, s, sink);
	s->in_hit_commands = true;
	while (s->hit_commands && !s->running && st == INSPECT_OK) {
		list = s->hit_commands;
		s->hit_commands = NULL;
		st = exec_list(s, list, &all.to);
		free(list);
		session_idle(s, 0);
	}
	s->in_hit_commands = false;
	return st;
}

enum inspect_status inspect_exec(struct inspect *s, const char *line, const struct inspect_sink *sink)
{
	enum inspect_status st;

	inspect_poll(s, sink);
	if (!s->depth && !s->in_hit_commands && !s->moving)
		__atomic_store_n(&s->interrupted, false, __ATOMIC_RELAXED);
	st = exec_line(s, line, sink);
	if (st == INSPECT_OK && !s->moving)
		st = exec_hit_commands(s, sink);
	return st;
}

static void emit_error(const struct inspect_sink *sink, const char *fmt, const char *name, long line)
{
	struct result r;

	result_init(&r);
	result_fail(&r, fmt, name, line);
	session_answer(sink, &r);
	result_fini(&r);
}

static enum inspect_status run_lines(struct inspect *s, FILE *f, const char *name,
				     const struct inspect_sink *sink)
{
	enum inspect_status st = INSPECT_OK;
	char *line = NULL;
	size_t cap = 0;
	long number = 0;

	while (st == INSPECT_OK && getline(&line, &cap, f) > 0) {
		number++;
		st = inspect_exec(s, line, sink);
		session_idle(s, 0);
		if (st == INSPECT_FAILED)
			emit_error(sink, "%s:%ld: the script ends here", name, number);
		if (st == INSPECT_OK && s->quit) /* another face said so */
			st = INSPECT_QUIT;
		if (st == INSPECT_OK && session_interrupted(s)) {
			emit_error(sink, "%s:%ld: interrupted", name, number);
			st = INSPECT_FAILED;
		}
	}
	free(line);
	return st;
}

enum inspect_status inspect_script(struct inspect *s, FILE *f, const char *name,
				   const struct inspect_sink *sink)
{
	enum inspect_status st;

	if (s->depth >= MAX_DEPTH) {
		emit_error(sink, "%s:%ld: scripts are nested too deeply", name, 0L);
		return INSPECT_FAILED;
	}
	if (!s->depth++)
		__atomic_store_n(&s->interrupted, false, __ATOMIC_RELAXED);
	st = run_lines(s, f, name, sink);
	s->depth--;
	return st;
}

const char *inspect_repeat_line(const struct inspect *s)
{
	return s->repeat ? s->repeat : "";
}

/* Is somebody attached, or expected, who decides when a stopped guest goes on? */
static bool held(const struct inspect *s)
{
	return (s->listeners || s->expected) && !s->quit && !s->switched_off;
}

static void wait_held(struct inspect *s)
{
	if (s->face.running)
		s->face.running(s->face.ctx, true);
	while (!run_settled(s) || held(s)) {
		if (!session_interrupted(s)) {
			session_idle(s, 100);
			continue;
		}
		if (s->running)
			run_halt(s);
		break;
	}
	if (s->face.running)
		s->face.running(s->face.ctx, false);
}

void inspect_run(struct inspect *s, const struct inspect_sink *sink)
{
	struct result r;

	if (!s->m || inspect_ended(s))
		return;
	__atomic_store_n(&s->interrupted, false, __ATOMIC_RELAXED);
	if (!held(s) && !s->running)
		run_start(s, &(struct run_goal){ 0 });
	wait_held(s);
	result_init(&r);
	run_report(s, &r);
	session_answer(sink, &r);
	result_fini(&r);
}

/* Has the guest stopped in the background, and is it time to say so? */
static bool stop_is_due(struct inspect *s)
{
	if (s->running)
		return run_settled(s) && !s->quiet;
	return s->unseen && session_now() - s->stopped_at >= QUIET_NS;
}

void inspect_poll(struct inspect *s, const struct inspect_sink *sink)
{
	struct result r;

	if (!s->moving && stop_is_due(s)) {
		s->unseen = false;
		result_init(&r);
		run_report(s, &r);
		session_answer(sink, &r);
		result_fini(&r);
		exec_hit_commands(s, sink);
	}
}
