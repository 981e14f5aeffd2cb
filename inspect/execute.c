/* SPDX-License-Identifier: GPL-3.0-or-later
 * Execution of command lines: checks, splitting, running; the commands of a point that was hit;
 * scripts. The commands themselves are in cmd/, look-up is in command.c. */
#include "inspect/peers.h"
#include "inspect/session_int.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16, MAX_FORMAT = 32 };

static const char *no_machine(const struct inspect *s)
{
	for (unsigned i = 0; i < s->naddons; i++)
		if (s->addons[i]->no_machine)
			return s->addons[i]->no_machine;
	return "no machine (vitrine was started without a GUEST)";
}

/* Say why the command cannot be executed now; NULL: it can. */
static const char *obstacle(struct inspect *s, const struct command *c)
{
	if ((c->flags & (CMD_MACHINE | CMD_STOPPED | CMD_ALIVE)) && !s->m)
		return no_machine(s);
	if (!command_offered(s, c))
		return engine_lacks(command_needs(c));
	if ((c->flags & CMD_STOPPED) && s->run.running)
		return "the guest is running; stop it first";
	if ((c->flags & CMD_ALIVE) && s->out.moving)
		return "another command is running the guest";
	if ((c->flags & CMD_ALIVE) && inspect_ended(s))
		return "the guest has ended; 'reset' starts it again";
	return NULL;
}

static int run_command(struct inspect *s, const struct command *c, struct cmd_args *a, struct result *r)
{
	const struct inspect_sink *mover = s->out.mover;
	const char *no = obstacle(s, c);
	bool paused, moving;
	int rc;

	if (a->sink && a->sink->no_files && command_reaches_files(c, a->argc, a->argv))
		return result_fail(r,
				   "%s: refused, as it reaches files of the host (--gdb-files at the start "
				   "of vitrine allows it)",
				   c->name);
	if (no)
		return result_fail(r, "%s: %s", c->name, no);
	if (a->fmt[0] && !(c->flags & CMD_FMT))
		return result_fail(r, "%s: takes no /%s", c->name, a->fmt);
	if (a->argc < c->min || (c->max >= 0 && a->argc > c->max))
		return result_fail(r, "usage: %s%s%s", c->name, c->args[0] ? " " : "", c->args);
	paused = (c->flags & CMD_PAUSE) && !s->query_live && run_pause(s);
	kernel_look(s);
	moving = s->out.moving;
	s->out.moving = moving || (c->flags & CMD_ALIVE);
	if (c->flags & (CMD_ALIVE | CMD_WAITS))
		s->out.mover = a->sink;
	rc = c->run(s, a, r);
	s->out.moving = moving;
	s->out.mover = mover;
	if (paused)
		run_resume(s);
	return rc;
}

/* The length of a format separated from the command word, as in "x /5i $pc"; 0: there is none. A path is
 * no format. */
static size_t format_apart(const struct command *c, const char *rest)
{
	size_t n = rest[0] == '/' && (c->flags & CMD_FMT) ? strcspn(rest + 1, " \t") : 0;

	for (size_t i = 1; i <= n; i++)
		if (!isalnum((unsigned char)rest[i]))
			return 0;
	if (c->complete && strstr(c->complete, "<file>") && (n != 1 || rest[1] != 'p'))
		return 0;
	return n < MAX_FORMAT ? n : 0;
}

/* The line that an empty line executes after LINE; malloced, NULL: none. */
static char *repeated_line(const struct command *c, const char *line, const char *fmt)
{
	char *text = NULL;

	if (!(c->flags & CMD_REPEAT))
		return NULL;
	if (!(c->flags & CMD_FMT))
		return xstrdup(line);
	/* without an address x continues */
	text = xasprintf("%s%s%s", c->name, fmt[0] ? "/" : "", fmt);
	return text;
}

/* Execute what LINE, the command P of another program, means here. */
static int execute_peer(struct inspect *s, const struct peer_name *p, const char *line, struct result *r,
			const struct inspect_sink *sink)
{
	char *means = peer_expand(p, line);
	int rc;

	if (!means)
		return result_fail(r, "usage: %s%s%s (it means: %s)", p->name, p->args[0] ? " " : "", p->args,
				   p->means);
	rc = session_execute(s, means, r, sink);
	free(means);
	return rc;
}

/* Split LINE into command word, /FMT and the rest, and run it. */
int session_execute(struct inspect *s, const char *line, struct result *r, const struct inspect_sink *sink)
{
	const struct peer_name *peer = peer_find(line);
	size_t word = strcspn(line, " \t/"), fmt = 0;
	struct cmd_args a = { .sink = sink };
	const struct command *c;
	char why[200], fmtbuf[MAX_FORMAT] = "";
	int rc;

	if (peer)
		return execute_peer(s, peer, line, r, sink);
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
	if (!fmt && (fmt = format_apart(c, a.rest))) {
		memcpy(fmtbuf, a.rest + 1, fmt);
		fmtbuf[fmt] = 0;
		a.rest += fmt + 1 + strspn(a.rest + fmt + 1, " \t");
	}
	a.argv = command_split(a.rest, &a.argc, why, sizeof(why));
	if (!a.argv)
		return result_fail(r, "%s: %s", c->name, why);
	rc = run_command(s, c, &a, r);
	command_free_args(a.argv);
	free(s->repeat);
	s->repeat = repeated_line(c, line, fmtbuf);
	return rc;
}

static char *trimmed(const char *line)
{
	size_t n;

	line += strspn(line, " \t\r\n");
	n = strlen(line);
	while (n && isspace((unsigned char)line[n - 1]))
		n--;
	return xstrndup(line, n);
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

/* ---- lists of commands ---- */

/* Does a comment begin at LINE[N]? A # with a blank, or nothing, on both sides: #PF is an argument. */
static bool is_comment(const char *line, size_t n)
{
	return line[n] == '#' && n && isspace((unsigned char)line[n - 1]) &&
	       (!line[n + 1] || isspace((unsigned char)line[n + 1]));
}

/* The end of the command at LINE: a semicolon or a comment outside quotes, or the end of the text. */
static size_t command_end(const char *line)
{
	char quote = 0;
	size_t n;

	if (line[strspn(line, " \t")] == '#') /* the whole line */
		return strlen(line);
	for (n = 0; line[n] && (quote || (line[n] != ';' && !is_comment(line, n))); n++) {
		if (quote ? line[n] == quote : line[n] == '"' || line[n] == '\'')
			quote = quote ? 0 : line[n];
	}
	return n;
}

/* What follows a command that ends at END. */
static const char *behind(const char *end)
{
	return *end == ';' ? end + 1 : end + strlen(end);
}

/* Execute the commands of LIST until one fails or lets the guest hit a point again. */
static enum inspect_status exec_list(struct inspect *s, const char *list, const struct inspect_sink *sink)
{
	enum inspect_status st = INSPECT_OK;

	while (*list && st == INSPECT_OK && !s->out.hit_commands && !session_interrupted(s)) {
		size_t n = command_end(list);
		char *line = xstrndup(list, n);

		st = exec_line(s, line, sink);
		free(line);
		list = behind(list + n);
	}
	return st;
}

enum inspect_status session_hit_commands(struct inspect *s, const struct inspect_sink *sink)
{
	enum inspect_status st = INSPECT_OK;
	struct session_all all;
	char *list;

	if (s->out.in_hit_commands)
		return st;
	session_all_init(&all, s, sink);
	s->out.in_hit_commands = true;
	while (s->out.hit_commands && !s->run.running && st == INSPECT_OK) {
		list = s->out.hit_commands;
		s->out.hit_commands = NULL;
		all.to.no_files = s->out.hit_no_files; /* by who wrote them, not by who let the guest run */
		st = exec_list(s, list, &all.to);
		free(list);
		session_idle(s, 0);
	}
	s->out.in_hit_commands = false;
	return st;
}

/* ---- lines of a face, scripts ---- */

/* Execute one command, and those of the point at which it stopped the guest. */
static enum inspect_status exec_and_hits(struct inspect *s, const char *command,
					 const struct inspect_sink *sink)
{
	enum inspect_status st = exec_line(s, command, sink);
	char *repeat = s->repeat; /* the commands of a point do not count */

	s->repeat = NULL;
	if (st == INSPECT_OK && !s->out.moving)
		st = session_hit_commands(s, sink);
	free(s->repeat);
	s->repeat = repeat;
	return st;
}

enum inspect_status inspect_exec(struct inspect *s, const char *line, const struct inspect_sink *sink)
{
	enum inspect_status st;

	inspect_poll(s, sink);
	if (!s->depth && !s->out.in_hit_commands && !s->out.moving)
		__atomic_store_n(&s->run.interrupted, false, __ATOMIC_RELAXED);
	do {
		size_t n = command_end(line);
		char *command = xstrndup(line, n);

		st = exec_and_hits(s, command, sink);
		free(command);
		line = behind(line + n);
	} while (*line && st == INSPECT_OK && !session_interrupted(s));
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
	ssize_t n;

	while (st == INSPECT_OK && (n = getline(&line, &cap, f)) > 0) {
		number++;
		if (memchr(line, 0, (size_t)n)) {
			emit_error(sink, "%s:%ld: the line has a NUL byte: not a script", name, number);
			st = INSPECT_FAILED;
			break;
		}
		st = inspect_exec(s, line, sink);
		session_idle(s, 0);
		if (st == INSPECT_FAILED)
			emit_error(sink, "%s:%ld: the script ends here", name, number);
		if (st == INSPECT_OK && s->quit) /* by another face */
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
		__atomic_store_n(&s->run.interrupted, false, __ATOMIC_RELAXED);
	st = run_lines(s, f, name, sink);
	s->depth--;
	return st;
}

const char *inspect_repeat_line(const struct inspect *s)
{
	return s->repeat ? s->repeat : "";
}
