/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the parts of the control socket share. */
#ifndef CONSOLE_CONTROL_INT_H
#define CONSOLE_CONTROL_INT_H
#include "base/loop.h"
#include "console/control.h"
#include "console/outbox.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "inspect/query.h"

#include <stdio.h>
#include <sys/un.h>

struct control_client {
	struct control *ctl;
	int fd; /* -1: dead */
	char *in;
	size_t len, cap;
	bool skipping; /* the rest of a line that was too long */
	bool stops, serial, output, runs;
	struct outbox out; /* of OUTPUT */
	void *state;	   /* the service's; NULL: not asked for yet */
	struct control_client *next;
};

struct control {
	struct inspect *s;
	struct loop *loop;
	int listen_fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct control_client *clients;
	unsigned nclients, serving;
	struct debug_listener listener;
	const struct control_service *service; /* NULL: none */
	bool attached;			       /* LISTENER is */
	bool drains;			       /* nobody else takes the serial output */
	struct inspect_tap tap;
	int timer; /* runs while some client has output waiting, or is dead and not freed yet */
	bool timer_runs;
};

/* ---- control_send.c (and control_send(), which is for all: what output has come goes first) ---- */
void control_set_timer(struct control *ctl);
void control_drop(struct control_client *c);

/* ---- control_answer.c ---- */
/* The answer that is being put together. */
struct answer {
	bool text; /* results as for people */
	FILE *f;   /* rows joined by commas, or text */
	char *buf;
	size_t len;
	char *error;
	char *repeat; /* what an empty line at the other end does; NULL: it has none */
	bool any;
	bool no_output; /* the client gets that as events */
	uint64_t lost;	/* lines of output there was no room for */
};

void answer_open(struct answer *a);
void answer_rows(struct answer *a, const struct result *r);
void answer_emit(void *answer, const struct result *r); /* a sink's */
/* Close, send and free it. */
void answer_send(struct control_client *c, struct answer *a, const char *id, bool ok);
void control_refuse(struct control_client *c, const char *id, const char *why);
/* BUF as a JSON string. What is not UTF-8 is taken for Latin-1. */
void control_string(FILE *f, const char *buf, size_t n);
/* R's rows as JSON lines, or as people see it: then with its error; malloced. */
char *control_render(const struct result *r, bool json);

/* ---- control_request.c ---- */
void control_request(struct control_client *c, const char *line, size_t len);

/* ---- control_event.c ---- */
void control_events_init(struct control *ctl); /* listener and tap */
/* Be among those who let a stopped guest go on; its end is the end of that. */
void control_hold(struct control *ctl, bool on);
void control_take_serial(struct control *ctl); /* all there is; the tap sees it */
#endif
