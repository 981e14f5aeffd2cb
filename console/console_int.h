/* SPDX-License-Identifier: GPL-3.0-or-later
 * Declarations shared within console/. */
#ifndef CONSOLE_CONSOLE_INT_H
#define CONSOLE_CONSOLE_INT_H
#include "console/console.h"
#include "base/loop.h"
#include "console/terminal.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "inspect/serial_port.h"

/* Characters that end a word of a command line, for completion. */
#define WORD_BREAKS " \t()+*%&|^<>=!?:[]\"'"

/* What the user asked for with Ctrl-A during "run". */
enum wish { WISH_NONE, WISH_SHELL, WISH_QUIT };

/* Output that arrives while a line is being edited (async_output.c). */
struct async_output {
	bool hidden;   /* the line is not on the terminal */
	bool mid_line; /* the last output did not end in a newline */
	int64_t last;  /* when it arrived, monotonic ms */
};
/* Hide the line; output to stdout until async_output_end() appears above it. */
void async_output_begin(struct async_output *a);
void async_output_write(struct async_output *a, const char *text, size_t n);
/* Redraw the line when there has been no output for a while, or AT_ONCE. */
void async_output_end(struct async_output *a, bool at_once);
/* MS (-1: no limit), or less when the line must be redrawn earlier. */
int async_output_timeout(const struct async_output *a, int ms);
/* The history of both prompts, in the user's state directory. */
void history_load(void);
void history_save(void);

/* Long output on a terminal, a page at a time (pager.c). */
struct pager {
	struct loop *loop;
	struct terminal *term;	  /* on standard input, which has no other reader meanwhile */
	bool (*ended)(void *ctx); /* true: stop asking for keys */
	void *ctx;
	bool asking; /* a prompt is open: further output is not paged */
};
void pager_show(struct pager *p, const char *text);

struct console {
	const struct options *o;
	struct inspect *s;
	struct loop *loop;
	struct terminal term; /* on standard input */
	struct inspect_sink sink;
	int signal_fd;
	int ended_by;  /* SIGTERM or SIGHUP; 0: neither */
	bool sigint;   /* Ctrl-C since this was last cleared */
	bool run_keys; /* "run": Ctrl-A is the escape key, Ctrl-C goes to the guest; else Ctrl-C stops it */
	bool escape;   /* Ctrl-A was the last key */
	bool stdin_eof;
	enum wish wish;
	/* the serial port */
	bool serial_stdio;	  /* it is on standard input and output */
	struct serial_port *port; /* it is a file or a socket; NULL: neither */
	bool mid_line;		  /* the last guest output on the terminal did not end in a newline */
	unsigned runs;		  /* nesting depth of commands that run the guest */
	bool reading;		  /* standard input is read for commands, not for the guest */
	/* the line editor */
	char *line; /* a line that was read, until it is executed */
	bool line_ready, line_eof, at_prompt;
	struct async_output async;
	struct pager pager;
	bool own_command; /* a command typed at the prompt is being executed */
	char *repeat;	  /* the command an empty line repeats; NULL: none */
};

/* ---- completion.c ---- */
struct completions {
	char **list; /* NULL-terminated, malloced; NULL: none */
	size_t count;
};
void completion_add(void *words, const char *text);
char **completion_for_readline(struct completions *w); /* readline frees it */

/* ---- serial.c ---- */
bool serial_open(struct console *c, char *err, size_t errlen);
void serial_drain(struct console *c); /* show the guest's output so far */
/* Give the guest the terminal, or take it back. */
void serial_terminal(struct console *c, bool on);

/* ---- shell.c ---- */
/* Read and execute commands until "quit" or end of file; return the status of the last script, else 0. */
enum inspect_status shell_loop(struct console *c);
/* Execute the line that was entered while a command of another face runs the guest. */
void shell_line_between(struct console *c);
void shell_sigint(struct console *c); /* Ctrl-C at the prompt */
#endif
