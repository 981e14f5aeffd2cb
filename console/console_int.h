/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the parts of console/ share. */
#ifndef CONSOLE_CONSOLE_INT_H
#define CONSOLE_CONSOLE_INT_H
#include "console/console.h"
#include "base/loop.h"
#include "console/terminal.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "inspect/serial_port.h"

/* What ends a word of a command line, for completion. */
#define WORD_BREAKS " \t()+*%&|^<>=!?:[]\"'"

enum wish { WISH_NONE, WISH_SHELL, WISH_QUIT };

/* Output that comes while a line is being edited (async_output.c). */
struct above {
	bool away;     /* the line is not on the terminal */
	bool mid_line; /* what came last did not end its line */
	int64_t last;  /* when it came, monotonic ms */
};
/* Take the line away; what is written to stdout until async_output_end() is above it. */
void async_output_begin(struct above *a);
void async_output_write(struct above *a, const char *text, size_t n);
/* Put the line back once nothing has come for a while, or AT_ONCE. */
void async_output_end(struct above *a, bool at_once);
/* MS (-1: for ever), or less when the line is to come back. */
int async_output_timeout(const struct above *a, int ms);
/* The lines typed at either prompt, in the user's file. */
void history_load(void);
void history_save(void);

/* Long output on a terminal, a page at a time (pager.c). */
struct pager {
	struct loop *loop;
	struct terminal *term;	 /* on standard input, which nobody else reads meanwhile */
	bool (*over)(void *ctx); /* is there no more to be asked? */
	void *ctx;
	bool asking; /* what comes by itself is not asked for */
};
void pager_show(struct pager *p, const char *text);

struct console {
	const struct options *o;
	struct inspect *s;
	struct loop *loop;
	struct terminal term; /* on standard input */
	struct inspect_sink sink;
	int signal_fd;
	int ended_by;	 /* SIGTERM or SIGHUP, 0: neither */
	bool sigint;	 /* Ctrl-C since this was last cleared */
	bool run_keys;	 /* Ctrl-A is the escape and Ctrl-C the guest's ("run"); else Ctrl-C stops */
	bool escape;	 /* Ctrl-A was the last key */
	bool stdin_over; /* end of file */
	enum wish wish;
	/* the serial port */
	bool serial_stdio;	  /* it is the terminal, or standard input and output */
	struct serial_port *port; /* it is a file or a socket; else NULL */
	bool mid_line;		  /* guest output on the terminal did not end its line */
	unsigned runs;		  /* commands that make the guest run, one within another */
	bool reading;		  /* a command line is waited for: standard input is not the guest's */
	/* the line editor */
	char *line; /* a finished line, until it is executed */
	bool line_ready, line_eof, at_prompt;
	struct above above;
	struct pager pager;
	bool own_line; /* a line of the prompt is being executed */
	char *repeat;  /* what an empty line does; NULL: nothing */
};

/* ---- completion.c ---- */
struct words {
	char **list; /* NULL-terminated, malloced; NULL: none */
	size_t count;
};
void completion_add(void *words, const char *text);
char **completion_for_readline(struct words *w); /* passes to readline */

/* ---- serial.c ---- */
bool serial_open(struct console *c, char *err, size_t errlen);
void serial_drain(struct console *c); /* show what the guest has said so far */
/* The guest gets the terminal (true) or loses it. */
void serial_terminal(struct console *c, bool on);

/* ---- shell.c ---- */
/* Until "quit" or end of file; returns the status of the last script, else 0. */
enum inspect_status shell_loop(struct console *c);
/* A line was finished at the prompt while a command of another face makes the guest run. */
void shell_line_between(struct console *c);
void shell_sigint(struct console *c); /* Ctrl-C at the prompt */
#endif
