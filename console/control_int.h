/* SPDX-License-Identifier: GPL-3.0-or-later
 * Declarations shared by the files of the control socket. */
#ifndef CONSOLE_CONTROL_INT_H
#define CONSOLE_CONTROL_INT_H
#include "base/loop.h"
#include "base/unix_socket.h"
#include "console/control.h"
#include "console/outbox.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "inspect/query.h"

#include <stdio.h>

struct control_client {
	struct control *ctl;
	int fd; /* -1: closed, to be freed */
	char *in;
	size_t len, cap;
	bool skipping; /* discard the rest of a line that was too long */
	bool stops, serial, output, runs;
	bool follows;	   /* it does not keep the guest from starting */
	struct outbox out; /* for the events of OUTPUT */
	void *state;	   /* the service's; NULL: not requested yet */
	struct control_client *next;
};

struct control {
	struct inspect *s;
	struct loop *loop;
	struct unix_socket socket;
	struct control_client *clients;
	unsigned nclients, serving;
	struct debug_listener listener;
	const struct control_service *service; /* NULL: none */
	bool attached;			       /* LISTENER is registered */
	bool takes_serial;		       /* no other face takes the serial output */
	struct inspect_tap tap;
	int timer; /* runs while a client has output pending, or is closed and not freed yet */
	bool timer_runs;
};

/* ---- control_send.c (control_send() sends pending output first) ---- */
void control_set_timer(struct control *ctl);
void control_drop(struct control_client *c);

/* ---- control_answer.c ---- */
/* An answer being built. */
struct answer {
	bool text; /* render results as the shell does */
	FILE *f;   /* rows joined by commas, or text */
	char *buf;
	size_t len;
	char *error;
	char *repeat; /* the command an empty line repeats; NULL: the client has no such lines */
	bool any;
	bool no_output;	     /* the client gets asynchronous output as events */
	uint64_t lost;	     /* lines of output that did not fit */
	struct answer *rows; /* with TEXT: the same as rows, too; NULL: not wanted */
};

void answer_open(struct answer *a);
void answer_rows(struct answer *a, const struct result *r);
void answer_emit(void *answer, const struct result *r); /* for a sink */
/* Finish, send and free A. */
void answer_send(struct control_client *c, struct answer *a, const char *id, bool ok);
void control_refuse(struct control_client *c, const char *id, const char *why);
/* Write BUF as a JSON string. Bytes that are not UTF-8 are taken as Latin-1. */
void control_string(FILE *f, const char *buf, size_t n);
/* R's rows as JSON lines, or the shell's text with R's error; malloced. */
char *control_render(const struct result *r, bool json);

/* ---- control_request.c ---- */
void control_request(struct control_client *c, const char *line, size_t len);

/* ---- control_event.c ---- */
void control_events_init(struct control *ctl); /* listener and tap */
/* Register as a debugger, which a stopped guest waits for, or unregister. */
void control_attach(struct control *ctl, bool on);
void control_take_serial(struct control *ctl); /* take all of it; the tap sees it */
#endif
