/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interactive shell. It uses readline's callback interface, so the event loop turns at the
 * prompt. Commands from a pipe are executed as a script.
 *
 * Readline gives its callbacks no context, so a thread-local pointer refers to the one console
 * that has the terminal. */
#include "console/console_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

static _Thread_local struct console *prompting;

/* ---- completion ---- */

static char **complete(const char *text, int start, int end)
{
	struct completions w = { 0 };

	(void)end;
	if (inspect_complete(prompting->s, rl_line_buffer, (size_t)start, text, completion_add, &w))
		rl_attempted_completion_over = 1;
	return completion_for_readline(&w);
}

/* ---- lines ---- */

static void line_done(char *line)
{
	struct console *c = prompting;

	rl_callback_handler_remove();
	c->at_prompt = false;
	c->line = line;
	c->line_ready = true;
	c->line_eof = !line;
}

static void key_ready(void *ctx, int fd)
{
	struct console *c = ctx;

	(void)fd;
	async_output_end(&c->async, true);
	rl_callback_read_char();
}

static void show_prompt(struct console *c)
{
	serial_drain(c);
	if (c->mid_line)
		putchar('\n');
	c->mid_line = false;
	fflush(stdout);
	rl_callback_handler_install("(vitrine) ", line_done);
	c->at_prompt = true;
}

void shell_sigint(struct console *c)
{
	async_output_end(&c->async, true);
	rl_callback_sigcleanup();
	rl_replace_line("", 0);
	rl_crlf();
	rl_on_new_line();
	rl_redisplay();
}

/* Wait for a line. False: the shell must end. */
static bool read_line(struct console *c)
{
	c->line_ready = false;
	c->reading = true;
	show_prompt(c);
	loop_watch(c->loop, STDIN_FILENO, key_ready, c);
	while (!c->line_ready && !c->ended_by && !debug_quitting(c->s) && !inspect_must_end(c->s)) {
		loop_turn(c->loop, async_output_timeout(&c->async, 200),
			  inspect_running(c->s) ? inspect_stop_fd(c->s) : -1);
		inspect_poll(c->s, &c->sink); /* the guest may have stopped in the background */
		if (c->at_prompt)
			async_output_end(&c->async, false);
	}
	loop_forget(c->loop, STDIN_FILENO);
	c->reading = false;
	if (c->at_prompt) {
		async_output_end(&c->async, true);
		rl_callback_handler_remove();
	}
	c->at_prompt = false;
	return c->line_ready && !c->line_eof;
}

static enum inspect_status execute(struct console *c)
{
	char *line = c->line;
	enum inspect_status st;
	size_t blank = strspn(line, " \t");

	if (line[blank])
		add_history(line);
	c->sigint = false;
	if (!line[blank]) {
		free(line);
		line = xstrdup(c->repeat ? c->repeat : "");
	}
	c->own_command = !c->runs; /* false while a command of another face runs the guest */
	st = inspect_exec(c->s, line, &c->sink);
	c->own_command = false;
	if (line[0]) { /* the session's own may change with commands of other faces */
		free(c->repeat);
		c->repeat = xstrdup(inspect_repeat_line(c->s));
	}
	free(line);
	c->line = NULL;
	return st;
}

void shell_line_between(struct console *c)
{
	enum inspect_status st = INSPECT_QUIT;

	loop_forget(c->loop, STDIN_FILENO);
	c->line_ready = false;
	if (!c->line_eof)
		st = execute(c);
	if (st == INSPECT_QUIT) { /* end the run, then the prompt's loop */
		c->line_ready = c->line_eof = true;
		inspect_interrupt(c->s);
		return;
	}
	show_prompt(c);
	loop_watch(c->loop, STDIN_FILENO, key_ready, c);
}

static enum inspect_status interactive(struct console *c)
{
	enum inspect_status st = INSPECT_OK;

	prompting = c;
	rl_readline_name = "vitrine";
	rl_catch_signals = 0;
	rl_attempted_completion_function = complete;
	rl_basic_word_break_characters = WORD_BREAKS;
	history_load();
	while (st != INSPECT_QUIT && read_line(c))
		st = execute(c);
	history_save();
	prompting = NULL;
	return INSPECT_OK;
}

/* ---- commands from a pipe ---- */

static void pipe_ready(void *ctx, int fd)
{
	(void)fd;
	((struct console *)ctx)->line_ready = true;
}

/* Read standard input, serving other faces until it has data. */
static ssize_t read_pipe(void *ctx, char *buf, size_t n)
{
	struct console *c = ctx;

	c->line_ready = false;
	c->reading = true;
	loop_watch(c->loop, STDIN_FILENO, pipe_ready, c);
	while (!c->line_ready && !c->sigint && !c->ended_by && !debug_quitting(c->s) &&
	       !inspect_must_end(c->s)) {
		loop_turn(c->loop, 200, inspect_running(c->s) ? inspect_stop_fd(c->s) : -1);
		inspect_poll(c->s, &c->sink);
	}
	loop_forget(c->loop, STDIN_FILENO);
	c->reading = false;
	return c->line_ready ? read(STDIN_FILENO, buf, n) : 0;
}

static enum inspect_status piped(struct console *c)
{
	FILE *f = fopencookie(c, "r", (cookie_io_functions_t){ .read = read_pipe });
	enum inspect_status st;

	if (!f)
		return INSPECT_FAILED;
	st = inspect_script(c->s, f, "standard input", &c->sink);
	fclose(f);
	return st;
}

enum inspect_status shell_loop(struct console *c)
{
	return c->term.is_tty ? interactive(c) : piped(c);
}
