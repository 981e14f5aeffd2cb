/* SPDX-License-Identifier: GPL-3.0-or-later
 * The control socket: commands, results and events as JSON lines, for programs. And
 * "vitrine attach", the shell at its other end. docs/control.md describes the protocol. */
#ifndef CONSOLE_CONTROL_H
#define CONSOLE_CONTROL_H
#include "console/options.h"

#include <jansson.h>

struct control;
struct control_client;
struct inspect;
struct loop;

/* What else than commands a client may ask for: requests with the key WORD. */
struct control_service {
	const char *word;
	void *ctx;
	/* The first such request of a client: make what CLOSE frees when the client is gone. */
	void *(*open)(void *ctx, struct control_client *client);
	void (*close)(void *state);
	/* NULL, or what is wrong with the value. May turn the loop. */
	const char *(*request)(void *state, const json_t *value);
};

/* Serve WHERE ("unix:PATH"; NULL: only who is adopted) from LOOP, which both are borrowed. NULL with one
 * line in ERR. */
struct control *control_new(struct inspect *s, struct loop *loop, const char *where, char *err,
			    size_t errlen);
void control_free(struct control *ctl);
/* A client that is connected already: FD passes to us. */
void control_adopt(struct control *ctl, int fd);
/* Offer SERVICE (borrowed) too; one at most. */
void control_serve(struct control *ctl, const struct control_service *service);
/* For services: send a line, its newline included; how many bytes the client has not read yet. */
void control_send(struct control_client *c, const char *line, size_t n);
size_t control_waiting(const struct control_client *c);

/* Connect to the control socket at PATH, which may begin with "unix:". -1: a line is on stderr. */
int attach_connect(const char *path);
/* Be a shell on the session at O->attach; returns the exit status. */
int attach_main(const struct options *o);
#endif
